"""Joint SAEs of many pairs: lib's batched program against one pair after another with automatic differentiation.

    python benchmarks/joint_sae_speed.py [--pairs 28] [--units 96 48] [--latents 96] [--k 4] [--steps 40]

Both take Adam steps on the same batches in the same process, timed one after the other; a ratio above 1 says that `lib`
is faster. The last column is the largest difference of the losses at the first step.
"""

import argparse
from statistics import median
from time import perf_counter

import torch

from lib.features import seeded
from lib.joint_sae import JointSAE
from lib.sae import Recipe
from lib.training import Training


def rival_pair(sae, p, sizes, k):
    """A step of one pair as one would write it first, from the start of pair `p` of `sae`; it returns the loss."""
    systems = []
    for i, size in zip((2 * p, 2 * p + 1), sizes, strict=True):
        own = sae.encoder[i, :size], sae.encoder_bias[i, 0], sae.decoder[i, :, :size], sae.decoder_bias[i, 0, :size]
        systems.append([one.detach().clone().requires_grad_() for one in own])
    adam = torch.optim.Adam([one for own in systems for one in own], lr=1e-3)

    def step(y):
        loss = 0
        for i in (0, 1):
            z = y[i] @ systems[i][0] + systems[i][1]
            top = z.topk(k)
            code = torch.zeros_like(z).scatter(-1, top.indices, top.values)
            for j in (0, 1):
                loss = loss + (y[j] - code @ systems[j][2] - systems[j][3]).square().sum() / len(y[j])
        adam.zero_grad()
        loss.backward()
        adam.step()
        return loss.detach()

    return step


def one_after_another(rivals, batches):
    """Train pair after pair; the first loss of each."""
    return [[step([y[p] for y in both]) for both in batches][0] for p, step in enumerate(rivals)]


def seconds(call):
    start = perf_counter()
    result = call()
    return perf_counter() - start, result


def compare(pairs, units, latents, k, steps, size):
    """Print pair-steps per second of both ways, equal and unequal numbers of units."""
    print(f"{pairs} pairs, {latents} latents, k = {k}, batches of {size}, {torch.get_num_threads()} threads")
    print(f"{'units':>10}{'lib':>10}{'rival':>10}{'ratio':>8}{'loss differs':>15}")
    for sizes in ([units[0]] * 2, units):
        generator = seeded(0)
        y = [[torch.randn(pairs, size, one, generator=generator) for one in sizes] for _ in range(steps)]
        most = max(sizes)
        padded = [
            torch.stack([torch.nn.functional.pad(one, (0, most - one.shape[-1])) for one in both], 1).flatten(0, 1)
            for both in y
        ]
        ratios, times, apart = [], [], 0.0
        for _ in range(4):
            recipe = Recipe(latents=latents, k=k, aux_weight=0.0, dead_after=2**30)
            sae = JointSAE(sizes * pairs, recipe, list(range(2 * pairs)))
            rivals = [rival_pair(sae, p, sizes, k) for p in range(pairs)]
            stream = iter(padded)
            training = Training(sae, lambda _, stream=stream: next(stream))
            mine, _ = seconds(lambda training=training: training.run(steps))
            theirs, first = seconds(lambda rivals=rivals, y=y: one_after_another(rivals, y))
            losses = training.history["loss"][0].unflatten(0, (-1, 2)).sum(1)
            apart = max(apart, float((losses - torch.stack(first)).abs().max()))
            ratios.append(theirs / mine)
            times.append((mine, theirs))
        mine, theirs = (median(one[i] for one in times[1:]) for i in (0, 1))
        rates = f"{pairs * steps / mine:10.0f}{pairs * steps / theirs:10.0f}"
        print(f"{'+'.join(map(str, sizes)):>10}{rates}{median(ratios[1:]):7.1f}x{apart:15.1e}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pairs", type=int, default=28)
    parser.add_argument("--units", type=int, nargs=2, default=[96, 48], help="units of systems a and b")
    parser.add_argument("--latents", type=int, default=96)
    parser.add_argument("--k", type=int, default=4)
    parser.add_argument("--steps", type=int, default=40, help="steps of each timing, at most 100")
    parser.add_argument("--batch", type=int, default=128)
    args = parser.parse_args()
    compare(args.pairs, args.units, args.latents, args.k, args.steps, args.batch)
