"""Linear regression of one system on another, with intercept: ordinary least squares and ridge.

[A] is Longon et al. 2025, [B] is Liu et al. 2026.
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch

from lib.checks import check_pair
from lib.correlation import centred, constant_units, paired_correlations
from lib.crossval import Scores, k_folds, summarise
from lib.moments import Covariances

ALPHAS = tuple(10.0**i for i in range(-8, 9))  # [A, section 6]


class Fit(NamedTuple):
    """How well y_b is predicted."""

    r2: torch.Tensor  # explained variance pooled over units of b, (...)
    mse: torch.Tensor  # squared error per predicted entry, (...)
    r: torch.Tensor  # Pearson correlation of each unit with its prediction, (..., units_b); 0 if constant


class HeldOut(NamedTuple):
    """How well y_b is predicted on stimuli that the weights were not fitted to."""

    r: torch.Tensor  # Pearson correlation of each unit with its prediction, (..., units_b); 0 if constant
    pooled: torch.Tensor  # one correlation over all units and stimuli, about the means of the fitted stimuli, (...)


def ols_fit(y_a: torch.Tensor, y_b: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Weights `(..., units_a, units_b)` and intercept `(..., 1, units_b)` that minimise |y_b - y_a W - c|^2.

        W = X^+ (Y_b - mean),   X = Y_a - mean

    The pseudo-inverse is taken from the singular values of the triangular factor of X, so that the condition number
    is not squared and dependent or constant units are allowed. `y_a: (..., stimuli, units_a)`,
    `y_b: (..., stimuli, units_b)`. Raises ValueError on bad input. [B, theorem 3.3 (1)]
    """
    check_pair(y_a, y_b)
    basis, inverse = _column_space(y_a)
    weights = inverse @ (basis.mT @ centred(y_b))
    return weights, y_b.mean(-2, keepdim=True) - y_a.mean(-2, keepdim=True) @ weights


def ols_score(y_a: torch.Tensor, y_b: torch.Tensor) -> Fit:
    """In-sample scores of y_b regressed on y_a with intercept, without forming the weights.

    In sample, R2 exceeds its limit by about (1 - R2) units_a / stimuli; use `ols_fit` and `prediction_score` on
    held-out stimuli where that matters. Shapes and errors as in `ols_fit`. [B, theorem 3.3]

        >>> y = torch.tensor([[0.0, 1], [1, 0], [2, 5], [3, 1]])
        >>> round(float(ols_score(y, y @ torch.tensor([[1.0], [2]])).r2), 4)  # y_b is linear in y_a
        1.0
    """
    check_pair(y_a, y_b)
    basis, _ = _column_space(y_a)
    target = centred(y_b)
    total = target.square().sum(-2)
    explained = torch.minimum((basis.mT @ target).square().sum(-2), total)
    error = (total - explained).sum(-1)
    return Fit(
        _share(explained.sum(-1), total.sum(-1)), error / target.shape[-2:].numel(), _share(explained, total).sqrt()
    )


def held_out_correlations(y_a: torch.Tensor, y_b: torch.Tensor) -> torch.Tensor:
    """Correlation of each unit of b with its OLS prediction from a, fitted on the first half of the stimuli and read on
    the second; `(..., units_b)`, 0 for a unit that is constant there.

    The stimuli must come in random order. Shapes and errors as in `ols_fit`. [B, sections 5 to 7]
    """
    check_pair(y_a, y_b, min_stimuli=4)
    half = y_a.shape[-2] // 2
    weights, _ = ols_fit(y_a[..., :half, :], y_b[..., :half, :])  # a correlation does not notice the intercept
    return paired_correlations(y_a[..., half:, :] @ weights, y_b[..., half:, :])


def ols_held_out(fit_a: torch.Tensor, fit_b: torch.Tensor, test_a: torch.Tensor, test_b: torch.Tensor) -> HeldOut:
    """Scores on stimuli `test` of the weights that `ols_fit` finds on stimuli `fit`.

        pooled = <p - m, y_b - m> / (|p - m| |y_b - m|),   p the predictions, m the mean of fit_b

    The fitted mean is that of the predictions too. If each unit were centred together with the others, about one mean
    of all, units with other means would correlate with any prediction that knows these. 0 if nothing varies.
    `fit_a: (..., stimuli, units_a)` and so on. Raises ValueError as `ols_fit`. [B, section 7]
    """
    weights, intercept = ols_fit(fit_a, fit_b)
    check_pair(test_a, test_b)
    mean = fit_b.mean(-2, keepdim=True)
    predicted = test_a @ weights + intercept
    r = paired_correlations(predicted, test_b)
    p, y = predicted - mean, test_b - mean
    size = p.square().sum((-2, -1)).sqrt() * y.square().sum((-2, -1)).sqrt()
    return HeldOut(r, _share((p * y).sum((-2, -1)), size))


def ols_both_ways(fit: Sequence[torch.Tensor], test: Sequence[torch.Tensor]) -> torch.Tensor:
    """Held-out OLS of systems `(a, b)`: `[0]` b from a, `[1]` a from b; `[:, 0]` the mean over units, `[:, 1]` pooled.

    Units that are constant on the test stimuli count 0 in the mean. In double precision; errors as `ols_held_out`.
    """
    (fit_a, fit_b), (test_a, test_b) = ((y.double() for y in pair) for pair in (fit, test))
    found = ols_held_out(fit_a, fit_b, test_a, test_b), ols_held_out(fit_b, fit_a, test_b, test_a)
    return torch.stack([torch.stack([one.r.mean(), one.pooled]) for one in found]).cpu()


def prediction_score(prediction: torch.Tensor, target: torch.Tensor) -> Fit:
    """Scores of any prediction `(..., stimuli, units_b)` of `target`, for example on held-out stimuli.

        R2 = 1 - |target - prediction|^2 / |target - mean|^2

    R2 is negative for a prediction worse than the mean, and 0 if the target is constant. Raises ValueError on bad
    input and unless both have the same units.
    """
    check_pair(prediction, target, names=("prediction", "target"))
    if prediction.shape[-1] != target.shape[-1]:
        raise ValueError(
            f"prediction has {prediction.shape[-1]} units and target has {target.shape[-1]}: give one prediction a unit"
        )
    error = (target - prediction).square().sum((-2, -1))
    total = centred(target).square().sum((-2, -1))
    return Fit(_share(total - error, total), error / target.shape[-2:].numel(), paired_correlations(prediction, target))


def ridge_score(y_a: torch.Tensor, y_b: torch.Tensor, folds: int = 5, seed: int = 0, alphas: tuple = ALPHAS) -> Scores:
    """Mean correlation over units of b with their ridge prediction from a, on held-out folds.

    `y_a: (stimuli, units_a)`, `y_b: (stimuli, units_b)`; weights and alphas as in `ridge_weights`, from the training
    folds. Raises ValueError on bad input. [A, section 6]

        >>> y = torch.arange(20.0)[:, None]
        >>> round(ridge_score(y, 3 - 2 * y).mean, 4)
        1.0
    """
    found = ridge_correlations(y_a, y_b, folds, seed, alphas)
    constant = torch.cat([constant_units(y) for y in (y_a, y_b)]).double().mean()
    return summarise(found.mean(1).tolist(), float(constant))


def ridge_correlations(
    y_a: torch.Tensor, y_b: torch.Tensor, folds: int | list = 5, seed: int = 0, alphas: tuple = ALPHAS
) -> torch.Tensor:
    """Correlation of each unit of b with its ridge prediction from a, on each held-out fold; `(folds, units_b)`.

    As `ridge_score`, whose folds are the means over units of b. Products of units of b with each other are never
    formed, so there may be many of them; several populations side by side share the decomposition of a. `folds` are a
    number, or the index pairs of `k_folds`.
    """
    check_pair(y_a, y_b, min_stimuli=4)
    if y_a.ndim != 2 or y_b.ndim != 2:
        raise ValueError(f"y_a {tuple(y_a.shape)} and y_b {tuple(y_b.shape)}: give one pair, (stimuli, units) each")
    if isinstance(folds, int):
        folds = k_folds(len(y_a), folds, seed)
    y_a, y_b = _rotated(y_a).double(), y_b.double()
    return torch.stack([_held_out(y_a, y_b, train, test, alphas) for train, test in folds])


def _held_out(y_a, y_b, train, test, alphas):
    x, y = centred(y_a[train]), centred(y_b[train])
    weights, _ = ridge_weights(Covariances(len(x), x.mT @ x, x.mT @ y, y.square().sum(0)), alphas)
    return paired_correlations(y_a[test] @ weights, y_b[test])


def _rotated(y):
    """Responses in as many dimensions as there are stimuli, if there are more units: ridge does not notice."""
    if y.shape[1] <= y.shape[0]:
        return y
    u, values, _ = torch.linalg.svd(y.double() - y.double().mean(0), full_matrices=False)
    return (u * values).to(y.dtype)


def ridge_weights(train: Covariances, alphas: tuple = ALPHAS) -> tuple[torch.Tensor, torch.Tensor]:
    """Weights `(units_a, units_b)` and the alpha chosen for each unit of b, `(units_b,)`.

        W = (S_aa + alpha I)^-1 S_ab,   S sums of products about the means (intercept not penalised)

    One eigendecomposition S_aa = V diag(s) V' serves all alphas and all units of b. Of the alphas each unit of b takes
    the one of least generalised cross-validation error, which needs no further fit:

        GCV(alpha) = |residual|^2 / (1 - df / M)^2,   df = 1 + sum_j s_j / (s_j + alpha),   M stimuli
    """
    values, vectors = torch.linalg.eigh(train.aa)
    # Directions without variance have no covariance either; their rounding would be divided by a small alpha.
    varies = values > len(values) * torch.finfo(values.dtype).eps * values[-1]
    values = values * varies
    rotated = (vectors.mT @ train.ab) * varies[:, None]
    alpha = torch.as_tensor(alphas, dtype=values.dtype, device=values.device)
    shrink = 1 / (values + alpha[:, None])
    # What all directions together leave, and what alpha adds to it: the difference of two large sums would lose both.
    spare = train.stimuli - 1 - int(varies.sum())
    explained = rotated.square() / torch.where(varies, values, 1)[:, None]
    least = (train.bb - explained.sum(0)).clamp(min=0) * (spare > 0)
    kept = alpha[:, None] * shrink * varies
    residual = least + kept.square() @ explained
    free = (spare + kept.sum(1)) / train.stimuli
    # A fit that spends all degrees of freedom on the training stimuli leaves none to judge it by.
    error = torch.where(free > 1e-6, 1 / free.square(), torch.inf)[:, None] * residual.clamp(min=1e-300)
    chosen = error.argmin(0)
    return vectors @ (rotated * shrink[chosen].mT), alpha[chosen]


def prediction_correlations(weights: torch.Tensor, test: Covariances) -> torch.Tensor:
    """Correlation of each unit of b with its prediction y_a W; `(units_b,)`, 0 if either is constant."""
    variance = (weights * (test.aa @ weights)).sum(0).clamp(min=0)
    size = (variance * test.bb).sqrt()
    return torch.where(size > 0, (weights * test.ab).sum(0) / size, 0)


def _column_space(y):
    """Orthonormal basis of the centred columns of `y`, and the pseudo-inverse behind it: X^+ = inverse @ basis'."""
    q, triangle = torch.linalg.qr(centred(y))
    u, values, vt = torch.linalg.svd(triangle, full_matrices=False)
    smallest = values[..., :1] * max(y.shape[-2:]) * torch.finfo(y.dtype).eps
    kept = values > smallest
    reciprocal = torch.where(kept, 1 / values.clamp(min=torch.finfo(y.dtype).tiny), 0.0)
    return (q @ u) * kept[..., None, :], vt.mT * reciprocal[..., None, :]


def _share(part, whole):
    return torch.where(whole > 0, part / whole.clamp(min=torch.finfo(whole.dtype).tiny), 0.0)
