"""RSA, CKA and maps of layers against what a user would take instead, at the sizes of real layers.

OMP_NUM_THREADS=1 .venv/bin/python benchmarks/geometry_speed.py
"""

import warnings

import numpy as np
import rsatoolbox
import torch
from timing import race

from lib.geometry import cka_system, linear_cka, rsa


def numpy_gram(a, b):
    """RSA of squared distances by both stimuli x stimuli matrices."""
    pairs = np.triu_indices(len(a), 1)
    each = []
    for y in (a, b):
        gram, powers = y @ y.T, (y**2).sum(1)
        each.append((powers[:, None] + powers - 2 * gram)[pairs])
    return np.corrcoef(*each)[0, 1]


def numpy_units(a, b):
    """The same by units x units matrices, the shortest that a user would write."""
    a, b = a - a.mean(0), b - b.mean(0)

    def product(x, y):
        u, v = (x**2).sum(1), (y**2).sum(1)
        mixed = len(x) * u @ v + u.sum() * v.sum() + 2 * ((x.T @ y) ** 2).sum()
        pairs = len(x) * (len(x) - 1) / 2
        return mixed / pairs - len(x) * u.sum() * len(x) * v.sum() / pairs**2

    return product(a, b) / np.sqrt(product(a, a) * product(b, b))


def numpy_cka(a, b):
    a, b = a - a.mean(0), b - b.mean(0)
    return ((a.T @ b) ** 2).sum() / np.linalg.norm(a.T @ a) / np.linalg.norm(b.T @ b)


def rsatoolbox_rsa(a, b):
    rdms = [rsatoolbox.rdm.calc_rdm(rsatoolbox.data.Dataset(y), method="euclidean") for y in (a, b)]
    return rsatoolbox.rdm.compare(*rdms, method="corr").item()


def layer_map(layers):
    systems = [cka_system(y) for y in layers]
    return torch.stack([a.against(b) for i, a in enumerate(systems) for b in systems[:i]])


def numpy_map(layers):
    layers = [y - y.mean(0) for y in layers]
    own = [np.linalg.norm(y.T @ y) for y in layers]
    return [((layers[i].T @ layers[j]) ** 2).sum() / own[i] / own[j] for i in range(len(layers)) for j in range(i)]


def pair(stimuli, units, dtype=np.float64, count=2):
    y = np.random.default_rng(0).standard_normal((count, stimuli, units))
    y[1:] += y[0]
    return [one.astype(dtype) for one in y]


if __name__ == "__main__":
    warnings.filterwarnings("ignore")
    for stimuli, units, dtype in (
        (5000, 768, "float64"),
        (5000, 768, "float32"),
        (20000, 256, "float64"),
        (1000, 4096, "float64"),
    ):
        a, b = pair(stimuli, units, dtype)
        ta, tb = torch.as_tensor(a), torch.as_tensor(b)
        size, tolerance = f"{stimuli:,} x {units:,}, {dtype}", 1e-7 if dtype == "float64" else 1e-4
        ways = {"lib": lambda: rsa(ta, tb, "sqeuclidean"), "numpy, units": lambda: numpy_units(a, b)}  # noqa: B023
        if stimuli <= 5000:
            ways |= {"numpy, stimuli": lambda: numpy_gram(a, b), "rsatoolbox": lambda: rsatoolbox_rsa(a, b)}  # noqa: B023
        race("RSA, squared distances", size, ways, tolerance)
        race("CKA", size, {"lib": lambda: linear_cka(ta, tb), "numpy, units": lambda: numpy_cka(a, b)}, tolerance)  # noqa: B023
    layers = pair(2000, 512, count=12)
    tensors = [torch.as_tensor(y) for y in layers]
    race(
        "CKA of all 66 pairs of 12 layers",
        "2,000 x 512",
        {
            "lib": lambda: layer_map(tensors),
            "lib, pair by pair": lambda: torch.stack(
                [linear_cka(tensors[i], tensors[j]) for i in range(12) for j in range(i)]
            ),
            "numpy, norms once": lambda: torch.tensor(numpy_map(layers)),
        },
    )
