"""How long lib takes against what a user would reach for instead, and by how much the values differ.

    python benchmarks/metrics_speed.py [--stimuli 500 1000 2000 4000] [--units 64] [--repeats 5]

Each line: the median time of lib, that of the other way and of their ratio, and the largest absolute difference.
"""

import argparse
import warnings
from importlib.util import find_spec
from statistics import median
from time import perf_counter

import numpy as np
import rsatoolbox
import torch
from scipy.linalg import subspace_angles
from scipy.spatial import procrustes as scipy_shape
from scipy.spatial.distance import pdist
from scipy.stats import spearmanr
from sklearn.linear_model import LinearRegression, RidgeCV
from sklearn.metrics import r2_score
from sklearn.metrics.pairwise import rbf_kernel
from sklearn.neighbors import NearestNeighbors

from lib.canonical import cca, procrustes, shape_distance
from lib.crossval import k_folds
from lib.geometry import linear_cka, rsa
from lib.neighbours import mutual_knn
from lib.pairwise import euclidean_rsa, rank_rsa, rbf_cka
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


def scipy_cca(y_a, y_b):
    return np.cos(subspace_angles(y_a - y_a.mean(0), y_b - y_b.mean(0))).mean()


def scipy_procrustes(y_a, y_b):
    return np.sqrt(1 - scipy_shape(y_a, y_b)[2])


def netrep_shape(y_a, y_b):
    from netrep.metrics import LinearMetric  # from github.com/ahwillia/netrep, the package index has none

    return LinearMetric(alpha=1.0, score_method="angular").fit_score(y_a, y_b)


def scipy_distance_rsa(y_a, y_b):
    return np.corrcoef(pdist(y_a), pdist(y_b))[0, 1]


def scipy_spearman(y_a, y_b):
    a, b = (y - y.mean(0) for y in (y_a, y_b))
    pairs = np.triu_indices(len(a), 1)
    return spearmanr((a @ a.T)[pairs], (b @ b.T)[pairs])[0]


def rsatoolbox_kendall(y_a, y_b):
    rdms = [rsatoolbox.rdm.RDMs(pdist(y, "sqeuclidean")[None]) for y in (y_a, y_b)]
    return rsatoolbox.rdm.compare(*rdms, method="tau-a").item()


def scikit_rbf(y_a, y_b):
    kernels = [rbf_kernel(y, gamma=0.5 / np.median(pdist(y, "sqeuclidean"))) for y in (y_a, y_b)]
    a, b = (k - k.mean(0) - k.mean(1, keepdims=True) + k.mean() for k in kernels)
    return (a * b).sum() / np.linalg.norm(a) / np.linalg.norm(b)


def scikit_knn(y_a, y_b, k=10):
    near = [
        NearestNeighbors(n_neighbors=k, metric="cosine").fit(y).kneighbors(return_distance=False) for y in (y_a, y_b)
    ]
    return np.mean([len({*a} & {*b}) / k for a, b in zip(*near, strict=True)])


# what lib does, what a user would do instead
RIVALS = {
    "RSA dot, numpy": (lambda a, b: rsa(a, b, centre=False), numpy_rsa),
    "RSA sqeuclidean, scipy": (lambda a, b: rsa(a, b, "sqeuclidean"), scipy_rsa),
    "RSA sqeuclidean, rsatoolbox": (lambda a, b: rsa(a, b, "sqeuclidean"), rsatoolbox_rsa),
    "CKA, numpy": (linear_cka, numpy_cka),
    "CKA Gaussian, scikit-learn": (rbf_cka, scikit_rbf),
    "RSA distances, scipy": (euclidean_rsa, scipy_distance_rsa),
    "RSA Spearman, scipy": (rank_rsa, scipy_spearman),
    "RSA Kendall, rsatoolbox": (lambda a, b: rank_rsa(a, b, "kendall", "sqeuclidean"), rsatoolbox_kendall),
    "CCA, scipy": (cca, scipy_cca),
    "Procrustes, scipy": (procrustes, scipy_procrustes),
    "mutual k-NN, scikit-learn": (mutual_knn, scikit_knn),
    "OLS R2, scikit-learn": (lambda a, b: ols_score(a, b).r2, scikit_ols),
    "ridge, 17 alphas, scikit-learn": (lambda a, b: ridge_score(a, b).mean, scikit_ridge),
}
if find_spec("netrep"):
    RIVALS["shape distance, netrep"] = (shape_distance, netrep_shape)


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
