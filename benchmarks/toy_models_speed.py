"""Small models side by side: training of toy models and of their SAEs against what one would write first.

    OMP_NUM_THREADS=1 .venv/bin/python benchmarks/toy_models_speed.py
    .venv/bin/python benchmarks/toy_models_speed.py paper [--jobs 2]     one seed pair, N = 8, 16, 32, all stages

All ways start at the same weights and see the same batches; equal are the losses after some steps. `paper` trains on
10,240,000 samples, the SAEs on 80 % of as many, and scores 2,048,000 stimuli in five folds. It keeps nothing.
"""

import argparse
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from time import perf_counter

import torch
from timing import race

from lib.features import bernoulli_uniform, seeded
from lib.moments import stream_moments
from lib.pairings import means, score_pairs, seed_pairs
from lib.sae import Recipe, TopKSAE
from lib.toy_models import ToyModels, importance
from lib.training import Training

FEATURES, BATCH, K, SIZES = 64, 1024, 6, (8, 16, 32)
STEPS = 50
draw_features = partial(bernoulli_uniform, BATCH, FEATURES, 0.1, dtype=torch.float32)


def toy_loss(z, weight, bias):
    """Of one model or of a stack, by automatic differentiation."""
    out = torch.relu(torch.relu(z @ weight) @ weight.mT + bias)
    return ((z - out).square() @ importance(FEATURES).float()).mean(-1)


def sae_loss(x, rows, bias, decoder, other):
    z = x @ rows.mT + bias
    top = z.topk(K)
    code = torch.zeros_like(z).scatter(-1, top.indices, top.values)
    return (x - code @ decoder - other).square().sum(-1).mean(-1)


def trained(start, batches, loss):
    """The last losses after Adam's steps from the parameters `start`."""
    parameters = [one.detach().clone().requires_grad_() for one in start]
    adam = torch.optim.Adam(parameters, lr=1e-3, fused=True)
    for batch in batches:
        found = loss(batch, *parameters)
        adam.zero_grad()
        found.sum().backward()
        adam.step()
    return found.detach()


def ours(make, batches):
    stream = iter(batches)
    return Training(make(), lambda _: next(stream)).run(len(batches)).history["loss"][-1]


def small_models(work, make, start, batches, loss):
    """`make` gives our models, `start` the parameters of theirs, stacked; batches may differ from model to model."""
    compiled, own = torch.compile(loss), [b if b.ndim > 2 else b.expand(len(start[0]), -1, -1) for b in batches]
    ways = {
        "lib": lambda: ours(make, batches),
        "torch, one by one": lambda: torch.stack(
            [trained([one[p] for one in start], [b[p] for b in own], loss) for p in range(len(start[0]))]
        ),
        "torch, stacked": lambda: trained(start, batches, loss),
        "torch, stacked and compiled": lambda: trained(start, batches, compiled),
    }
    race(work, f"{STEPS} steps of {BATCH:,}, {start[0].shape[-1]} neurons", ways, tolerance=1e-3, repeats=5)


def rivals():
    for units in SIZES:
        generator = seeded(0)
        z, toys = [draw_features(generator) for _ in range(STEPS)], ToyModels(FEATURES, units, list(range(6)))
        small_models(
            "six toy models", partial(ToyModels, FEATURES, units, list(range(6))), [toys.weight, toys.bias], z, toy_loss
        )
    toys = ToyModels(FEATURES, 16, list(range(50)))
    x = [toys.responses(batch) for batch in z]
    make = partial(TopKSAE, 16, Recipe(latents=FEATURES, k=K, aux_weight=0.0, dead_after=2**30), list(range(50)))
    sae = make()
    start = [sae.encoder_rows, sae.encoder_bias, sae.decoder, sae.decoder_bias]
    small_models("50 SAEs of 64 latents", make, start, x, sae_loss)


def seconds(call):
    start = perf_counter()
    call()
    return perf_counter() - start


def one_size(units, steps, stimuli):
    """Seconds of each stage for one seed pair, and two scores to see that it did the work."""
    torch.set_num_threads(1)
    toys = Training(ToyModels(FEATURES, units, [0, 1]), draw_features, seed=2)
    times = {"toys": seconds(partial(toys.run, steps))}
    draw = lambda generator: toys.model.responses(draw_features(generator))  # noqa: E731
    saes = Training(TopKSAE(units, Recipe(latents=FEATURES, k=K), [3, 4]), draw, seed=5)
    times["SAEs"] = seconds(partial(saes.run, steps * 4 // 5))
    control, generator, scores = TopKSAE(units, Recipe(latents=FEATURES, k=K), [6, 7]), seeded(8), []

    def batches():
        for _ in range(stimuli // 4096):
            y = toys.model.responses(bernoulli_uniform(4096, FEATURES, 0.1, generator, torch.float32))
            yield seed_pairs(n=y, s=saes.model.latents(y), r=control.latents(y))

    def score():
        moments = stream_moments(batches())[0].without_silent("s_a", "s_b", "r_a", "r_b")
        table = score_pairs([moments], ("nn", "ss", "rs", "sn"))
        scores.extend(float(means(table, "soft", ab)) for ab in ("nn", "ss"))

    times["scores"] = seconds(score)
    return units, times, scores


def paper(jobs, steps=10_000, stimuli=2_048_000):
    print(f"{'N':>4}{'toys s':>9}{'steps/s':>9}{'SAEs s':>9}{'steps/s':>9}{'scores s':>9}   soft N-N, S-S")
    with ProcessPoolExecutor(jobs, get_context("spawn")) as pool:
        for run in [pool.submit(one_size, units, steps, stimuli) for units in reversed(SIZES)]:
            units, times, scores = run.result()
            print(
                f"{units:4}{times['toys']:9.1f}{steps / times['toys']:9.0f}{times['SAEs']:9.1f}"
                f"{steps * 0.8 / times['SAEs']:9.0f}{times['scores']:9.1f}"
                f"   {scores[0]:.3f}, {scores[1]:.3f}"
            )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("which", nargs="?", choices=["rivals", "paper"], default="rivals")
    parser.add_argument("--jobs", type=int, default=2, help="processes of one thread each")
    args = parser.parse_args()
    start = perf_counter()
    rivals() if args.which == "rivals" else paper(args.jobs)
    print(f"{perf_counter() - start:.0f} s in all")
