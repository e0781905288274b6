"""How long lib takes against what a user would reach for instead, and by how much the values differ.

    python benchmarks/metrics_speed.py [--stimuli 500 1000 2000 4000] [--units 64] [--repeats 5]

Each line: the median time of lib, that of the other way and of their ratio, and the largest absolute difference.
"""

import argparse
import warnings
from statistics import median
from time import perf_counter

import numpy as np
import rsatoolbox
import torch
from scipy.spatial.distance import pdist
from sklearn.linear_model import LinearRegression, RidgeCV
from sklearn.metrics import r2_score

from lib.crossval import k_folds
from lib.geometry import linear_cka, rsa
from lib.regression import ALPHAS, ols_score, ridge_score


def numpy_rsa(y_a, y_b):
    pairs = np.triu_indices(len(y_a), 1)
    return np.corrcoef((y_a @ y_a.T)[pairs], (y_b @ y_b.T)[pairs])[0, 1]


def scipy_rsa(y_a, y_b):
    return np.corrcoef(pdist(y_a, "sqeuclidean"), pdist(y_b, "sqeuclidean"))[0, 1]


def rsatoolbox_rsa(y_a, y_b, method="euclidean"):
    rdms = [rsatoolbox.rdm.calc_rdm(rsatoolbox.data.Dataset(y), method=method) for y in (y_a, y_b)]
    return rsatoolbox.rdm.compare(*rdms, method="corr").item()


def numpy_cka(y_a, y_b):
    k, other = (y @ y.T for y in (y_a - y_a.mean(0), y_b - y_b.mean(0)))
    return (k * other).sum() / np.linalg.norm(k) / np.linalg.norm(other)


def scikit_ols(y_a, y_b):
    return r2_score(y_b, LinearRegression().fit(y_a, y_b).predict(y_a), multioutput="variance_weighted")


def scikit_ridge(y_a, y_b):
    scores = []
    for train, test in k_folds(len(y_a)):
        fit = RidgeCV(ALPHAS, alpha_per_target=True).fit(y_a[train], y_b[train])
        predicted = fit.predict(y_a[test])
        scores.append(np.mean([np.corrcoef(p, y)[0, 1] for p, y in zip(predicted.T, y_b[test].T, strict=True)]))
    return np.mean(scores)


# what lib does, what a user would do instead
RIVALS = {
    "RSA dot, numpy": (lambda a, b: rsa(a, b, centre=False), numpy_rsa),
    "RSA sqeuclidean, scipy": (lambda a, b: rsa(a, b, "sqeuclidean"), scipy_rsa),
    "RSA sqeuclidean, rsatoolbox": (lambda a, b: rsa(a, b, "sqeuclidean"), rsatoolbox_rsa),
    "CKA, numpy": (linear_cka, numpy_cka),
    "OLS R2, scikit-learn": (lambda a, b: ols_score(a, b).r2, scikit_ols),
    "ridge, 17 alphas, scikit-learn": (lambda a, b: ridge_score(a, b).mean, scikit_ridge),
}


def seconds(call, *args):
    start = perf_counter()
    value = float(call(*args))
    return perf_counter() - start, value


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--stimuli", type=int, nargs="+", default=[500, 1000, 2000, 4000], help="sizes to time")
    parser.add_argument("--units", type=int, default=64, help="units of each system")
    parser.add_argument("--repeats", type=int, default=5, help="timings of each, after one that is not counted")
    args = parser.parse_args()
    warnings.filterwarnings("ignore")
    print(f"{'metric, rival':32}{'stimuli':>8}{'lib ms':>10}{'rival ms':>10}{'ratio':>8}{'difference':>12}")
    for stimuli in args.stimuli:
        y = np.random.default_rng(0).standard_normal((2, stimuli, args.units))
        y[1] += y[0]
        for name, (ours, other) in RIVALS.items():
            runs = [(seconds(ours, *map(torch.as_tensor, y)), seconds(other, *y)) for _ in range(args.repeats + 1)][1:]
            lib, rival = (1e3 * median(run[i][0] for run in runs) for i in (0, 1))
            ratio = median(theirs[0] / mine[0] for mine, theirs in runs)
            difference = max(abs(theirs[1] - mine[1]) for mine, theirs in runs)
            print(f"{name:32}{stimuli:8}{lib:10.2f}{rival:10.2f}{ratio:7.1f}x{difference:12.1e}")
