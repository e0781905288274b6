"""Linear regression of one system on another: ordinary least squares with intercept. [B] is Liu et al. 2026."""

from typing import NamedTuple

import torch

from lib.checks import check_pair
from lib.correlation import centred, paired_correlations


class Fit(NamedTuple):
    """How well y_b is predicted."""

    r2: torch.Tensor  # explained variance pooled over units of b, (...)
    mse: torch.Tensor  # squared error per predicted entry, (...)
    r: torch.Tensor  # Pearson correlation of each unit with its prediction, (..., units_b); 0 if constant


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
