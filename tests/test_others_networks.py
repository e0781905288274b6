"""Scores of three pairs of networks that others trained, by numpy, POT and scikit-learn from the definitions."""

import os
from pathlib import Path

import numpy as np
import ot
import pytest
import torch
from helpers import close
from sklearn.linear_model import Ridge

from lib.crossval import k_folds
from lib.data.extraction import stored_responses
from lib.data.images import Images
from lib.pairings import GEOMETRY, MATCHING, RIDGE, Held, Pairing, score, values
from lib.regression import ALPHAS
from lib.store import ROOT

CIFAR = Path(os.environ.get("CIFAR_FOLDER", ROOT.parent / "shared" / "data"))
MOBILENETS = Path(os.environ.get("MOBILENETS_FOLDER", ROOT / "data" / "mobilenets"))
STIMULI = 400


def cifar_pair(one, other, site):
    """Responses of two networks to lossless test images."""
    if not (CIFAR / "networks").is_dir():
        pytest.skip("no CIFAR-10 networks: set CIFAR_FOLDER")
    from PIL import Image

    with np.load(CIFAR / "cifar10_lossless_5000.npz") as kept:
        pixels = kept["x_test"][:STIMULI]
    images = Images([str(i) for i in range(STIMULI)], [0] * STIMULI, lambda i: Image.fromarray(pixels[i]), state="test")
    names = [f"file:{CIFAR}/networks/cifar10_{x}.safetensors@cifar:{x.partition('_')[0]}" for x in (one, other)]
    return [np.array(stored_responses(name, [site], images, "cpu", 0)[0]) for name in names]


def mobilenet_pair():
    """Responses of the two MobileNetV2 at block 13, from files of activations."""
    if not MOBILENETS.is_dir():
        pytest.skip("no activations of MobileNets: set MOBILENETS_FOLDER to a folder with google and torchvision")
    names = [f"arrays:{MOBILENETS / maker}" for maker in ("google", "torchvision")]
    return [np.array(stored_responses(name, ["block13"], f"rows:0:{STIMULI}", "cpu", 0)[0]) for name in names]


def correlation(x, y):
    return np.nan_to_num(np.corrcoef(x.T, y.T)[: x.shape[1], x.shape[1] :])


def ridge(x, y, train, test):
    """Mean held-out correlation of columns of y, each with the penalty of least generalised cross-validation error."""
    singular = np.linalg.svd(x[train] - x[train].mean(0), compute_uv=False) ** 2
    errors, predictions = [], []
    for alpha in ALPHAS:
        model = Ridge(alpha, solver="svd").fit(x[train], y[train])
        spent = (1 + (singular / (singular + alpha)).sum()) / len(train)
        errors.append(((y[train] - model.predict(x[train])) ** 2).sum(0) / (1 - spent) ** 2)
        predictions.append(model.predict(x[test]))
    best = np.argmin(errors, 0)
    return np.mean([np.corrcoef(predictions[best[j]][:, j], y[test, j])[0, 1] for j in range(y.shape[1])])


def unbiased_hsic(k, m):
    """Song et al. 2012, equation 5, from kernels without diagonal."""
    k, m, n = k - np.diag(np.diag(k)), m - np.diag(np.diag(m)), len(k)
    return (k * m).sum() + k.sum() * m.sum() / ((n - 1) * (n - 2)) - 2 / (n - 2) * (k.sum(0) @ m.sum(0))


def by_definition(a, b, train, test):
    """Every score on one fold."""
    fitted, held = (correlation(a[part], b[part]) for part in (train, test))
    weights = [np.full(y.shape[1], 1 / y.shape[1]) for y in (a, b)]
    kernels = [(y - y.mean(0)) @ (y - y.mean(0)).T for y in (a[test], b[test])]
    same, own = unbiased_hsic(*kernels), [unbiased_hsic(k, k) for k in kernels]
    upper = np.triu_indices(len(test), 1)
    return {
        "soft": (ot.emd(*weights, 1 - fitted) * held).sum(),
        "semi_ab": held[range(a.shape[1]), fitted.argmax(1)].mean(),
        "semi_ba": held[fitted.argmax(0), range(b.shape[1])].mean(),
        "ridge_ab": ridge(a, b, train, test),
        "ridge_ba": ridge(b, a, train, test),
        "cka": same / np.sqrt(own[0] * own[1]),
        "rsa": np.corrcoef(*(k[upper] for k in kernels))[0, 1],
    }


@pytest.mark.parametrize(
    "pair",
    [
        lambda: cifar_pair("resnet56_run3", "resnet56_run4", "layer3:centre"),
        lambda: cifar_pair("resnet20_run1", "resnet56_run5", "layer2:centre"),
        mobilenet_pair,
    ],
    ids=["ResNet-56", "ResNet-20 and 56", "MobileNetV2"],
)
def test_scores_of_others_networks_are_those_of_the_definitions(pair, monkeypatch, tmp_path):
    monkeypatch.setattr("lib.store.ROOT", tmp_path)
    a, b = (y[:, y.std(0) > 0].astype(float) for y in pair())
    folds = k_folds(STIMULI, 5, 0)
    metrics = (*MATCHING, *RIDGE, *GEOMETRY)
    table = score(Held({"a": torch.tensor(a), "b": torch.tensor(b)}, folds), [Pairing("ab", "a", "b", metrics)])
    wanted = [by_definition(a, b, *(part.numpy() for part in fold)) for fold in folds[:2]]
    for metric in metrics:
        close(values(table, metric, "ab")[0, :2], [one[metric] for one in wanted], 1e-3)
