"""Features that know nothing of features: what a readout reaches from as many of them, or more, without an SAE.

Each is fitted on responses `(..., stimuli, units)` of one or more models and returns the function that turns responses
to any stimuli into features `(..., stimuli, count)`. All raise ValueError on bad input. M stimuli are fitted on.
"""

import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import torch
from torch.nn.functional import normalize

from lib.checks import check_responses
from lib.correlation import constant_units
from lib.crossval import k_folds
from lib.features import seeded
from lib.regression import ridge_correlations

MOST = 2000  # quadratic features that a ridge regression still solves within seconds
Features = Callable[[torch.Tensor], torch.Tensor]


class Best(NamedTuple):
    """Ridge from the population that does best on training folds, chosen anew for each held-out fold."""

    r: torch.Tensor  # correlation of each unit of b with its prediction, (folds, units_b)
    chosen: list  # the name of the population chosen in each fold


def random_relu(y: torch.Tensor, count: int, seed: int = 0) -> Features:
    """Dense random features of standardised units, other ones for each model.

        z = ReLU(x W + c),   x = (y - mean) / deviation

    The columns of W `(..., units, count)` are random directions of length 1, the entries of c are N(0, 1), so that half
    of the features are above 0 on average. Also raises ValueError unless `count` is 1 or more. Source: Rahimi and Recht
    2007.
    """
    scaled = _standardiser(y)
    if count < 1:
        raise ValueError(f"{count} random features: give 1 or more")
    draws, batch = seeded(seed), y.shape[:-2]
    weights = normalize(torch.randn(*batch, y.shape[-1], count, generator=draws, dtype=torch.float64), dim=-2).to(y)
    bias = torch.randn(*batch, 1, count, generator=draws, dtype=torch.float64).to(y)
    return lambda x: (scaled(x) @ weights + bias).relu_()


def quadratic(y: torch.Tensor, most: int = MOST) -> Features:
    """Standardised units and all their products, `units (units + 3) / 2` features.

        z = (x_i, ..., x_i x_j, ...),   i <= j,   x = (y - mean) / deviation

    Also raises ValueError if these are more than `most`.
    """
    scaled, units = _standardiser(y), y.shape[-1]
    if (size := quadratic_count(units)) > most:
        raise ValueError(f"{units} units have {size} quadratic features: give fewer units, or most={size} and time")
    i, j = torch.triu_indices(units, units, device=y.device)

    def features(x):
        x = scaled(x)
        return torch.cat([x, x[..., i] * x[..., j]], -1)

    return features


def quadratic_count(units: int) -> int:
    """How many features `quadratic` makes of so many units."""
    return units * (units + 3) // 2


def pca(y: torch.Tensor, k: int) -> Features:
    """Projections on the k principal axes, the directions of largest variance, in falling order.

        z = (y - mean) V_k,   V diag(lambda) V' the covariance of y

    An axis has no sign of its own, and matching notices signs: each points where its values have the longer tail, that
    is a third moment of 0 or more over the stimuli fitted on. Also raises ValueError unless 1 <= k <= units.
    """
    y = check_responses(y)
    _check_axes(k, y)
    mean = y.double().mean(-2, keepdim=True)
    x = y.double() - mean
    axes = torch.linalg.eigh(x.mT @ x)[1].flip(-1)[..., :k]
    axes = axes * _longer_tail(x @ axes)
    return lambda x: ((x.double() - mean) @ axes).to(x.dtype)


def ica(y: torch.Tensor, count: int | None = None, seed: int = 0, iterations: int = 200) -> Features:
    """Independent components: linear, of variance 1, uncorrelated, and as far from Gaussian as can be found.

        z = (y - mean) U,   U of scikit-learn's FastICA (tanh) within the first `count` principal axes, model by model

    There are as many as units if no count is given; those beyond the rank of the responses, up to the rounding of their
    precision, are 0. Signs as in `pca`. It warns, as scikit-learn does, if it stops before it has converged. Also
    raises ValueError unless 1 <= count <= units. Source: Hyvärinen 1999.
    """
    from sklearn.decomposition import FastICA  # here, because it takes a second to load

    y = check_responses(y)
    count = y.shape[-1] if count is None else count
    _check_axes(count, y)
    mean = y.double().mean(-2, keepdim=True)
    settings = {"whiten": "unit-variance", "whiten_solver": "eigh", "max_iter": iterations, "tol": 1e-3}
    models = (y.double() - mean).reshape(-1, *y.shape[-2:])
    unmix = mean.new_zeros(len(models), y.shape[-1], count)
    rounding = 8 * torch.finfo(y.dtype).eps * y.double().reshape(models.shape).flatten(1).norm(dim=1)
    ranks = (torch.linalg.svdvals(models) > rounding[:, None]).sum(1).tolist()
    for into, one, rank in zip(unmix, models, ranks, strict=True):
        if most := min(count, rank):  # scikit-learn divides by 0 where nothing varies, and warns of what is left out
            with warnings.catch_warnings():
                warnings.filterwarnings("ignore", "There are some small singular values")
                found = FastICA(most, random_state=seed, **settings).fit(one.cpu().numpy())
            into[:, :most] = torch.from_numpy(found.components_.T.copy())
    unmix = unmix.reshape(*y.shape[:-2], -1, count)
    unmix = unmix * _longer_tail((y.double() - mean) @ unmix)
    return lambda x: ((x.double() - mean) @ unmix).to(x.dtype)


def ridge_at_best(candidates: Mapping, y_b: torch.Tensor, folds: Sequence[tuple], seed: int = 0) -> Best:
    """Ridge of y_b `(stimuli, units_b)` on the best of several populations `{name: (stimuli, features)}`.

    For each of the `folds` (of `k_folds`) a fifth of its training stimuli is set aside, the population that predicts it
    best on average over units is fitted anew to all of the training stimuli, and read on the held-out ones, which no
    choice has seen. Raises ValueError without candidates, and as `ridge_correlations`.
    """
    if not candidates:
        raise ValueError("there are no candidates to choose from: give one population or more")
    found, chosen = [], []
    for train, test in folds:
        fit, judge = k_folds(len(train), 5, seed)[0]
        inner = [(train[fit], train[judge])]
        scores = {name: float(ridge_correlations(x, y_b, inner).mean()) for name, x in candidates.items()}
        chosen.append(max(scores, key=lambda name: scores[name]))
        found.append(ridge_correlations(candidates[chosen[-1]], y_b, [(train, test)])[0])
    return Best(torch.stack(found), chosen)


def _standardiser(y):
    """What gives units mean 0 and variance 1 over the stimuli fitted on; a unit that is constant there becomes 0."""
    y = check_responses(y)
    mean, deviation = y.double().mean(-2, keepdim=True), y.double().std(-2, keepdim=True, correction=0)
    scale = torch.where(constant_units(y)[..., None, :], 0, 1 / deviation)
    return lambda x: ((x.double() - mean) * scale).to(x.dtype)


def _check_axes(count, y):
    if not 1 <= count <= y.shape[-1]:
        raise ValueError(f"{count} principal axes of {y.shape[-1]} units: choose from 1 to {y.shape[-1]}")


def _longer_tail(z):
    """1 for features with a third moment of 0 or more, -1 for the others; `(..., 1, features)`."""
    z = z - z.mean(-2, keepdim=True)
    return torch.where((z**3).sum(-2, keepdim=True) < 0, -1.0, 1.0).to(z)
