"""Ridge and least squares against what a user would take instead, at the sizes of real layers.

OMP_NUM_THREADS=1 .venv/bin/python benchmarks/regression_speed.py
"""

from importlib.util import find_spec

import numpy as np
import torch
from sklearn.linear_model import LinearRegression, RidgeCV
from timing import race

from lib.crossval import k_folds
from lib.regression import ALPHAS, held_out_correlations, ridge_correlations


def correlations(prediction, y):
    p, y = (one - one.mean(0) for one in (prediction, y))
    return (p * y).sum(0) / np.sqrt((p**2).sum(0) * (y**2).sum(0))


def scikit_ridge(a, b, folds):
    """Leave-one-out for the alphas, where ours is generalised cross-validation."""
    each = []
    for train, test in folds:
        fit = RidgeCV(ALPHAS, alpha_per_target=True).fit(a[train], b[train])
        each.append(correlations(fit.predict(a[test]), b[test]).mean())
    return np.mean(each)


def himalaya_ridge(a, b, folds):
    from himalaya.ridge import RidgeCV as Himalaya

    each = []
    for train, test in folds:
        fit = Himalaya(alphas=ALPHAS, cv=5, fit_intercept=True, solver="svd").fit(a[train], b[train])
        each.append(correlations(fit.predict(a[test]), b[test]).mean())
    return np.mean(each)


def scikit_ols(a, b):
    half = len(a) // 2
    return correlations(LinearRegression().fit(a[:half], b[:half]).predict(a[half:]), b[half:])


def torch_qr(a, b):
    """The shortest way in torch; wrong where units of a are dependent."""
    half = len(a) // 2
    means = a[:half].mean(0), b[:half].mean(0)
    q, r = torch.linalg.qr(a[:half] - means[0])
    weights = torch.linalg.solve_triangular(r, q.T @ (b[:half] - means[1]), upper=True)
    return torch.as_tensor(correlations(((a[half:] - means[0]) @ weights + means[1]).numpy(), b[half:].numpy()))


def systems(stimuli, units_a, units_b):
    """Responses with a spectrum like that of layers, and noise."""
    rng = np.random.default_rng(0)
    common = rng.standard_normal((stimuli, 300)) / np.sqrt(1 + np.arange(300))
    return [
        common @ rng.standard_normal((300, units)) + 0.3 * rng.standard_normal((stimuli, units))
        for units in (units_a, units_b)
    ]


if __name__ == "__main__":
    for stimuli, units_a, units_b, count in ((4000, 2048, 1000, 5), (2000, 8192, 500, 1)):
        (a, b), folds = systems(stimuli, units_a, units_b), k_folds(stimuli)[:count]
        ways = {
            "lib": lambda a=a, b=b, folds=folds: ridge_correlations(a, b, folds).mean(),
            "scikit-learn": lambda a=a, b=b, folds=folds: scikit_ridge(a, b, folds),
        }
        if find_spec("himalaya"):
            ways["himalaya"] = lambda a=a, b=b, folds=folds: himalaya_ridge(a, b, folds)
        # Alphas are chosen by other rules, so scores agree and are not equal.
        size = f"{stimuli:,} x {units_a:,} to {units_b:,}, 17 alphas, {count} fold{'s' * (count > 1)}"
        race("ridge", size, ways, tolerance=0.01, repeats=3)
    a, b = systems(5000, 768, 768)
    ta, tb = torch.as_tensor(a), torch.as_tensor(b)
    ways = {
        "lib": lambda: held_out_correlations(ta, tb),
        "scikit-learn": lambda: scikit_ols(a, b),
        "torch, QR": lambda: torch_qr(ta, tb),
    }
    race("OLS, held out", "5,000 x 768 to 768", ways)
