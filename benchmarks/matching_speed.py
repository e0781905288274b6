"""Soft matching: plans of equal and unequal numbers of units against other exact solvers, and the whole score.

    OMP_NUM_THREADS=1 .venv/bin/python benchmarks/matching_speed.py

`matched` populations hold the same units in another order, with noise; `unrelated` ones share nothing.
"""

from importlib.util import find_spec

import numpy as np
import ot
import torch
from timing import race

from lib.correlation import unit_correlations
from lib.crossval import k_folds
from lib.matching import soft_matching_plan, soft_matching_score
from lib.transport import transport


def populations(stimuli, units_a, units_b, matched):
    rng = np.random.default_rng(0)
    features = rng.standard_normal((stimuli, units_a))
    a = features + rng.standard_normal((stimuli, units_a))
    same = features[:, rng.permutation(units_a)[:units_b]]
    b = (same if matched else rng.standard_normal((stimuli, units_b))) + rng.standard_normal((stimuli, units_b))
    return torch.as_tensor(a), torch.as_tensor(b)


def total(plan, similarity):
    return float((torch.as_tensor(plan) * similarity).sum())


def emd(similarity, start=None):
    masses = (np.full(count, 1 / count) for count in similarity.shape)
    cost = (similarity.max() - similarity).numpy()
    return ot.emd(*masses, cost, numItermax=10_000_000, log=True, potentials_init=start)


def lapx(similarity):
    import lap

    rows = np.asarray(lap.lapjv((similarity.max() - similarity).numpy(), return_cost=False)[0])
    return float(similarity[torch.arange(len(rows)), torch.as_tensor(rows)].mean())


def assignments(units, kind):
    similarity = unit_correlations(*populations(1000, units, units, kind == "matched"))
    ways = {
        "lib": lambda: total(soft_matching_plan(similarity), similarity),
        "POT": lambda: total(emd(similarity)[0], similarity),
    }
    if find_spec("lap"):
        ways["lapx"] = lambda: lapx(similarity)
    race(f"one-to-one plan, {kind}", f"{units:,} x {units:,}", ways, repeats=5)


def transports(units_a, units_b, kind):
    """The plan of one fold; POT looks among all pairs, and also starts at the potentials of the fold before."""
    a, b = populations(1000, units_a, units_b, kind == "matched")
    before, now = (unit_correlations(a[train], b[train]) for train, _ in k_folds(len(a))[:2])
    log = emd(before)[1]
    ways = {
        "lib": lambda: transport(now).total(now),
        "POT": lambda: total(emd(now)[0], now),
        "POT, from the fold before": lambda: total(emd(now, (log["u"], log["v"]))[0], now),
    }
    race(f"transport plan, {kind}", f"{units_a:,} x {units_b:,}", ways, repeats=3)


def largest(kind):
    """A plan of 16,384 units and 15,000, of ours alone: the other ways hold all pairs several times."""
    similarity = unit_correlations(*populations(1000, 16384, 15000, kind == "matched"))
    race(
        f"transport plan, {kind}",
        "16,384 x 15,000",
        {"lib": lambda: transport(similarity).total(similarity)},
        repeats=1,
    )


def numpy_pot(a, b):
    """The score as one would write it with NumPy and POT."""
    found = []
    for train, test in k_folds(len(a)):
        c, held = (np.corrcoef(a[part].T, b[part].T)[: a.shape[1], a.shape[1] :] for part in (train, test))
        masses = (np.full(count, 1 / count) for count in c.shape)
        found.append((ot.emd(*masses, c.max() - c, numItermax=10_000_000) * held).sum())
    return np.mean(found)


if __name__ == "__main__":
    for kind in ("matched", "unrelated"):
        assignments(2048, kind)
        transports(2048, 2000, kind)
        transports(4096, 4000, kind)
        largest(kind)
    a, b = populations(4000, 1024, 1000, True)
    ways = {"lib": lambda: soft_matching_score(a, b).mean, "NumPy and POT": lambda: numpy_pot(a.numpy(), b.numpy())}
    race("soft-matching, five folds", "4,000 x 1,024 and 1,000", ways, tolerance=1e-7, repeats=3)
