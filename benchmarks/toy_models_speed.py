"""Steps per second of the toy models and their SAEs, and the time of one seed pair at the paper's full scale.

    python benchmarks/toy_models_speed.py rivals [--models 6] [--steps 200]   against one model after the other
    python benchmarks/toy_models_speed.py paper [--jobs 2]                    one seed pair, N = 8, 16, 32, all stages

`paper` trains on 10,240,000 samples, the SAEs on 80 % of as many, and scores 2,048,000 stimuli in five folds. It writes
nothing and reads no stored model.
"""

import argparse
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from statistics import median
from time import perf_counter

import torch

from lib.features import bernoulli_uniform, seeded
from lib.moments import stream_moments
from lib.pairings import means, score_pairs, seed_pairs
from lib.sae import Recipe, TopKSAE
from lib.toy_models import ToyModels, importance
from lib.training import Training

FEATURES, BATCH, K, SIZES = 64, 1024, 6, (8, 16, 32)
draw_features = partial(bernoulli_uniform, BATCH, FEATURES, 0.1, dtype=torch.float32)


def rival_toy_step(units):
    """A step of one toy model as one would write it first: automatic differentiation and Adam."""
    weight = (torch.randn(FEATURES, units) / units**0.5).requires_grad_()
    bias = torch.zeros(FEATURES, requires_grad=True)
    adam, weights = torch.optim.Adam([weight, bias], lr=1e-3), importance(FEATURES).float()

    def step(z):
        out = torch.relu(torch.relu(z @ weight) @ weight.T + bias)
        adam.zero_grad()
        ((z - out).square() @ weights).mean().backward()
        adam.step()

    return step


def rival_sae_step(units):
    """The same for one SAE, with `torch.topk` and the auxiliary loss."""
    encoder, decoder = torch.nn.Linear(units, FEATURES), torch.nn.Linear(FEATURES, units)
    adam = torch.optim.Adam([*encoder.parameters(), *decoder.parameters()], lr=1e-3)
    dead = torch.zeros(FEATURES, dtype=torch.bool)

    def step(x):
        z = encoder(x)
        top = z.topk(K)
        code = torch.zeros_like(z).scatter(-1, top.indices, top.values)
        error = x - decoder(code)
        loss = error.square().sum(-1).mean()
        if dead.any():
            loss = loss + 0.1 * (error.detach() - (z * dead) @ decoder.weight.T).square().sum(-1).mean()
        adam.zero_grad()
        loss.backward()
        adam.step()
        dead.copy_((code == 0).all(0))

    return step


def seconds(call):
    start = perf_counter()
    call()
    return perf_counter() - start


def rivals(models, steps):
    """Model-steps per second of lib's batch and of the models one after the other, stage by stage."""
    print(f"{models} models, {steps} steps, {torch.get_num_threads()} threads: model-steps per second")
    print(f"{'stage':8}{'N':>4}{'lib':>10}{'rival':>10}{'ratio':>8}")
    for units in SIZES:
        generator = seeded(0)
        z = [draw_features(generator) for _ in range(steps)]
        toys = ToyModels(FEATURES, units, list(range(models)))
        x = [toys.responses(batch) for batch in z]
        saes = TopKSAE(units, Recipe(latents=FEATURES, k=K), list(range(models)))
        stages = {
            "toys": (toys, z, z, rival_toy_step),
            "SAEs": (saes, x, [batch[0] for batch in x], rival_sae_step),
        }
        for stage, (model, batches, single, rival) in stages.items():
            times = []
            for _ in range(4):
                stream = iter(batches)
                training = Training(model, lambda _, stream=stream: next(stream))
                mine = seconds(partial(training.run, steps))
                step = rival(units)
                theirs = models * seconds(lambda step=step, single=single: [step(batch) for batch in single])
                times.append((mine, theirs))
            mine, theirs = (median(run[i] for run in times[1:]) for i in (0, 1))
            ratio = median(theirs / mine for mine, theirs in times[1:])
            print(f"{stage:8}{units:4}{models * steps / mine:10.0f}{models * steps / theirs:10.0f}{ratio:7.1f}x")


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
    parser.add_argument("which", choices=["rivals", "paper"])
    parser.add_argument("--models", type=int, default=6, help="models in lib's batch")
    parser.add_argument("--steps", type=int, default=200, help="steps of each timing")
    parser.add_argument("--jobs", type=int, default=2, help="processes of one thread each")
    args = parser.parse_args()
    start = perf_counter()
    rivals(args.models, args.steps) if args.which == "rivals" else paper(args.jobs)
    print(f"{perf_counter() - start:.0f} s in all")
