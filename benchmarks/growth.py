"""How the cost of each kind of work grows with its size, and the slope in logarithms between the two largest sizes.

    OMP_NUM_THREADS=1 .venv/bin/python benchmarks/growth.py

The least of three times in processor seconds. Kept with the book, which draws it on the page "How fast, against what".
"""

import json
from math import log
from pathlib import Path
from time import process_time

import torch
from timing import provenance

from lib.crossval import k_folds
from lib.geometry import cka_system, linear_cka, rsa
from lib.matching import soft_matching_score
from lib.regression import ridge_correlations
from lib.sae import Recipe, TopKSAE
from lib.training import Training

KEPT = Path(__file__).parent.parent / "book" / "results" / "growth.jsonl"


def normal(*shape):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(0))


def pair(stimuli, units):
    y_a = normal(stimuli, units)
    return y_a, y_a.roll(1, 1) + normal(stimuli, units)


def layer_map(layers):
    systems = [cka_system(y) for y in layers]
    return [a.against(b) for i, a in enumerate(systems) for b in systems[:i]]


def sae_steps(latents):
    x = normal(1, 1024, 256)
    training = Training(TopKSAE(256, Recipe(latents=latents, k=32, rectify=True), [0]), lambda _: x)
    return lambda: training.run(training.step + 3)


def ridge(units, targets):
    y_a, y_b = normal(2000, units), normal(2000, targets)
    return lambda: ridge_correlations(y_a, y_b, k_folds(2000))


def matching(units):
    y_a, y_b = pair(1000, units)
    return lambda: soft_matching_score(y_a, y_b[:, : units - units // 16])


def on(make, work):
    """What makes systems of a size and gives the call that works on them."""

    def ready(size):
        systems = make(size)
        return lambda: work(systems)

    return ready


WORK = (  # what, the size that grows, the sizes, and what makes it ready to run
    ("RSA, 256 units", "stimuli", (1000, 4000, 16000, 64000), on(lambda n: pair(n, 256), lambda y: rsa(*y))),
    ("RSA, 2,000 stimuli", "units", (128, 256, 512, 1024, 2048), on(lambda n: pair(2000, n), lambda y: rsa(*y))),
    ("CKA, 256 units", "stimuli", (1000, 4000, 16000, 64000), on(lambda n: pair(n, 256), lambda y: linear_cka(*y))),
    ("CKA, all pairs of 2,000 x 256", "layers", (4, 8, 16, 32), on(lambda n: normal(n, 2000, 256), layer_map)),
    ("soft-matching, 1,000 stimuli", "units", (256, 512, 1024, 2048, 4096), matching),
    ("ridge, 2,000 stimuli, to 256 units", "units", (128, 256, 512, 1024), lambda n: ridge(n, 256)),
    ("ridge, 2,000 stimuli, from 256 units", "targets", (256, 512, 1024, 2048, 4096), lambda n: ridge(256, n)),
    ("TopK SAE, 3 steps, 256 units", "latents", (1024, 2048, 4096, 8192, 16384), sae_steps),
)


def seconds(run):
    found = []
    for _ in range(3):
        start = process_time()
        run()
        found.append(process_time() - start)
    return min(found)


if __name__ == "__main__":
    lines = []
    for work, grows, sizes, ready in WORK:
        took = [seconds(ready(size)) for size in sizes]
        slope = log(took[-1] / took[-2]) / log(sizes[-1] / sizes[-2])
        lines.append({"work": work, "grows": grows, "sizes": sizes, "seconds": took, "slope": slope} | provenance())
        print(f"{work}: {grows} {sizes}, {', '.join(f'{one:.3g}' for one in took)} s, slope {slope:.2f}", flush=True)
    KEPT.write_text("".join(json.dumps(line) + "\n" for line in lines))
