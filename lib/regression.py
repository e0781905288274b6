"""Linear regression of one system on another, with intercept: ordinary least squares and ridge.

All is computed in double precision, and units that outweigh all others, as some of transformers do, hide none of them.
[A] is Longon et al. 2025, [B] is Liu et al. 2026.
"""

from collections.abc import Sequence
from functools import reduce
from typing import NamedTuple

import torch

from lib.checks import POSITION, as_tensor, check_pair
from lib.correlation import centred, constant_units, lengths, paired_correlations, size_of
from lib.crossval import Scores, k_folds, summarise
from lib.moments import Covariances
from lib.printed import as_number, shown

ALPHAS = tuple(10.0**i for i in range(-8, 9))  # [A, section 6]
BLOCK = 2048  # units of b whose products with a are held at a time, for all folds
CONDITION = 1e5  # in the Frobenius norm, up to which products of units are decomposed instead of responses
GAP = 1e4  # units this much larger than all others are treated apart, as one decomposition would lose the others


class Fit(NamedTuple):
    """How well y_b is predicted."""

    r2: torch.Tensor  # explained variance pooled over units of b, (...)
    mse: torch.Tensor  # squared error per predicted entry, (...), in double precision
    r: torch.Tensor  # Pearson correlation of each unit with its prediction, (..., units_b); 0 if constant

    def __float__(self) -> float:
        return float(self.r2)

    __format__ = as_number

    def __repr__(self) -> str:
        return f"R2 {shown(self.r2)}"


class HeldOut(NamedTuple):
    """How well y_b is predicted on stimuli that the weights were not fitted to."""

    r: torch.Tensor  # Pearson correlation of each unit with its prediction, (..., units_b); 0 if constant
    pooled: torch.Tensor  # one correlation over all units and stimuli, about the means of the fitted stimuli, (...)

    def __float__(self) -> float:
        return float(self.pooled)

    __format__ = as_number

    def __repr__(self) -> str:
        return f"pooled r {shown(self.pooled)}"


def ols_fit(y_a: torch.Tensor, y_b: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Weights `(..., units_a, units_b)` and intercept `(..., 1, units_b)` that minimise |y_b - y_a W - c|^2.

        W = X^+ (Y_b - mean),   X = Y_a - mean

    The pseudo-inverse is taken from the singular values of the triangular factor of X, so that the condition number
    is not squared and dependent or constant units are allowed. `y_a: (..., stimuli, units_a)`,
    `y_b: (..., stimuli, units_b)`. Raises ValueError on bad input or weights beyond its dtype. [B, theorem 3.3 (1)]
    """
    y_a, y_b = check_pair(y_a, y_b)
    weights = _weights(y_a, y_b)
    intercept = (y_b.double().mean(-2, keepdim=True) - y_a.double().mean(-2, keepdim=True) @ weights).to(y_b.dtype)
    largest, dtype = weights.abs().amax(-1), torch.finfo(y_b.dtype)
    if ((largest > dtype.max) | (largest > 0) & (largest < dtype.tiny)).any():
        raise ValueError(f"units of y_a and y_b differ too much in scale for weights in {y_b.dtype}: rescale the units")
    return weights.to(y_b.dtype), intercept


def ols_score(y_a: torch.Tensor, y_b: torch.Tensor) -> Fit:
    """In-sample scores of y_b regressed on y_a with intercept, without forming the weights.

    In sample, R2 exceeds its limit by about (1 - R2) units_a / stimuli; use `ols_fit` and `prediction_score` on
    held-out stimuli where that matters. Shapes and errors as in `ols_fit`. [B, theorem 3.3]

        >>> y = torch.tensor([[0.0, 1], [1, 0], [2, 5], [3, 1]])
        >>> round(float(ols_score(y, y @ torch.tensor([[1.0], [2]])).r2), 4)  # y_b is linear in y_a
        1.0
    """
    y_a, y_b = check_pair(y_a, y_b)
    basis, _ = column_space(y_a)
    size = size_of(y_b)
    target = centred(y_b.double() / size)
    total = target.square().sum(-2)
    explained = torch.minimum((basis.mT @ target).square().sum(-2), total)
    mse = (total - explained).sum(-1) / target.shape[-2:].numel() * size[..., 0, 0].square()
    r2, r = _share(explained.sum(-1), total.sum(-1)), _share(explained, total).sqrt()
    return Fit(r2.to(y_b.dtype), mse, r.to(y_b.dtype))


def held_out_correlations(y_a: torch.Tensor, y_b: torch.Tensor) -> torch.Tensor:
    """Correlation of each unit of b with its OLS prediction from a, fitted on the first half of the stimuli and read on
    the second; `(..., units_b)`, 0 for a unit that is constant there.

    The stimuli must come in random order. Shapes and errors as in `ols_fit`. [B, sections 5 to 7]
    """
    y_a, y_b = check_pair(y_a, y_b, min_stimuli=4)
    half = y_a.shape[-2] // 2
    return ols_held_out(y_a[..., :half, :], y_b[..., :half, :], y_a[..., half:, :], y_b[..., half:, :]).r


def ols_held_out(fit_a: torch.Tensor, fit_b: torch.Tensor, test_a: torch.Tensor, test_b: torch.Tensor) -> HeldOut:
    """Scores on stimuli `test` of the weights that `ols_fit` finds on stimuli `fit`.

        pooled = <p - m, y_b - m> / (|p - m| |y_b - m|),   p the predictions, m the mean of fit_b

    The fitted mean is that of the predictions too. If each unit were centred together with the others, about one mean
    of all, units with other means would correlate with any prediction that knows these. 0 if nothing varies.
    `fit_a: (..., stimuli, units_a)` and so on. Raises ValueError as `ols_fit`. [B, section 7]
    """
    (fit_a, fit_b), (test_a, test_b) = check_pair(fit_a, fit_b), check_pair(test_a, test_b)
    p = (test_a.double() - fit_a.double().mean(-2, keepdim=True)) @ _weights(fit_a, fit_b)
    y = test_b.double() - fit_b.double().mean(-2, keepdim=True)
    length = p.square().sum((-2, -1)).sqrt() * y.square().sum((-2, -1)).sqrt()
    r, pooled = paired_correlations(p, y), _share((p * y).sum((-2, -1)), length)
    return HeldOut(r.to(fit_b.dtype), pooled.to(fit_b.dtype))


def ols_both_ways(fit: Sequence[torch.Tensor], test: Sequence[torch.Tensor]) -> torch.Tensor:
    """Held-out OLS of systems `(a, b)`: `[0]` b from a, `[1]` a from b; `[:, 0]` the mean over units, `[:, 1]` pooled.

    Units that are constant on the test stimuli count 0 in the mean. In double precision; errors as `ols_held_out`.
    """
    (fit_a, fit_b), (test_a, test_b) = ((as_tensor(y).double() for y in pair) for pair in (fit, test))
    found = ols_held_out(fit_a, fit_b, test_a, test_b), ols_held_out(fit_b, fit_a, test_b, test_a)
    return torch.stack([torch.stack([one.r.mean(), one.pooled]) for one in found]).cpu()


def prediction_score(prediction: torch.Tensor, target: torch.Tensor) -> Fit:
    """Scores of any prediction `(..., stimuli, units_b)` of `target`, for example on held-out stimuli.

        R2 = 1 - |target - prediction|^2 / |target - mean|^2

    R2 is negative for a prediction worse than the mean, and 0 if the target is constant. Raises ValueError on bad
    input and unless both have the same units.
    """
    prediction, target = check_pair(prediction, target, names=("prediction", "target"))
    if prediction.shape[-1] != target.shape[-1]:
        raise ValueError(
            f"prediction has {prediction.shape[-1]} units and target has {target.shape[-1]}: give one prediction a unit"
        )
    size = torch.maximum(size_of(prediction), size_of(target))
    y = target.double() / size
    error = (y - prediction.double() / size).square().sum((-2, -1))
    total, mse = centred(y).square().sum((-2, -1)), error / y.shape[-2:].numel() * size[..., 0, 0].square()
    return Fit(_share(total - error, total).to(target.dtype), mse, paired_correlations(prediction, target))


def ridge_score(y_a: torch.Tensor, y_b: torch.Tensor, folds: int = 5, seed: int = 0, alphas: tuple = ALPHAS) -> Scores:
    """Mean correlation over units of b with their ridge prediction from a, on held-out folds.

    `y_a: (stimuli, units_a)`, `y_b: (stimuli, units_b)`; weights and alphas as in `ridge_weights`, from the training
    folds. Raises ValueError on bad input. [A, section 6]

        >>> y = torch.arange(20.0)[:, None]
        >>> round(ridge_score(y, 3 - 2 * y).mean, 4)
        1.0
    """
    y_a, y_b = check_pair(y_a, y_b, min_stimuli=4)
    found = ridge_correlations(y_a, y_b, folds, seed, alphas)
    constant = torch.cat([constant_units(y) for y in (y_a, y_b)]).double().mean()
    return summarise(found.mean(1).tolist(), float(constant))


def ridge_correlations(
    y_a: torch.Tensor, y_b: torch.Tensor, folds: int | list = 5, seed: int = 0, alphas: tuple = ALPHAS
) -> torch.Tensor:
    """Correlation of each unit of b with its ridge prediction from a, on each held-out fold; `(folds, units_b)`.

    As `ridge_score`, whose folds are the means over units of b. Products of units of b with each other are never
    formed, so there may be many of them; several populations side by side share the decomposition of a. `folds` are a
    number, the index pairs of `k_folds`, or a single pair of any training and held-out stimuli.
    """
    y_a, y_b = check_pair(y_a, y_b, min_stimuli=4)
    if y_a.ndim != 2 or y_b.ndim != 2:
        raise ValueError(
            f"y_a {tuple(y_a.shape)} and y_b {tuple(y_b.shape)}: give one pair, (stimuli, units) each; {POSITION}"
        )
    if isinstance(folds, int):
        folds = k_folds(len(y_a), folds, seed)
    y_a = _rotated(centred(y_a.double()))
    parts = [test for _, test in folds] + [train for train, _ in folds if len(folds) == 1]
    a = [_Part.of(y_a[part]) for part in parts]
    products = [one.about.mT @ one.about for one in a]
    spread = [_between(a, held) for held in range(len(folds))]
    solved = [_decomposed(_others(products, held) + one.mT @ one) for held, one in enumerate(spread)]
    found = [_held_out(a, y, parts, spread, solved, alphas) for y in y_b.split(BLOCK, 1)]
    return torch.cat(found, 1)


class _Part(NamedTuple):
    """The stimuli of one fold."""

    mean: torch.Tensor  # (units,)
    about: torch.Tensor  # (stimuli, units), about that mean

    @classmethod
    def of(cls, y) -> "_Part":
        about = centred(y)
        return cls(y[0] - about[0], about)


def _others(terms, held):
    """Sum over all folds but one, for which nothing is subtracted: one stimulus may outweigh all others."""
    return reduce(torch.add, terms[:held] + terms[held + 1 :])


def _between(parts, held):
    """Means of the other folds about the mean of them all, times the root of their stimuli; `(folds - 1, units)`.

    Products within folds, plus products of these, are those about the mean of all their stimuli.
    """
    kept = parts[:held] + parts[held + 1 :]
    count = torch.tensor([len(one.about) for one in kept]).to(kept[0].mean)[:, None]
    means = torch.stack([one.mean for one in kept])
    means = means - means[:1]  # exactly 0 for a unit that is constant in all of them
    return (means - (count * means).sum(0) / count.sum()) * count.sqrt()


def _held_out(a, y_b, parts, spread, solved, alphas):
    """`ridge_correlations` of some units of b, `(folds, units)`."""
    b = [_Part.of(y_b[part].double()) for part in parts]
    products = [one.about.mT @ other.about for one, other in zip(a, b, strict=True)]
    squares, stimuli, found = [one.about.square().sum(0) for one in b], sum(map(len, parts)), []
    for held, (values, vectors) in enumerate(solved):
        other = _between(b, held)
        ab, bb = _others(products, held) + spread[held].mT @ other, _others(squares, held) + other.square().sum(0)
        weights, _ = _penalised(values, vectors, ab, bb, stimuli - len(parts[held]), alphas)
        found.append(paired_correlations(a[held].about @ weights, b[held].about))
    return torch.stack(found)


def _rotated(y):
    """Centred responses in as many dimensions as there are stimuli, if there are more units: ridge does not notice."""
    if y.shape[1] <= y.shape[0]:
        return y
    groups = [y[:, at] for at in _by_size(lengths(y)[0])]
    return torch.cat([one if one.shape[1] <= len(y) else _in_few(one) for one in groups], 1)


def _in_few(y):
    """As many components as stimuli, with the same products of stimuli: from these, and cut as in `_decomposed`."""
    size = size_of(y)
    values, vectors = torch.linalg.eigh((y / size) @ (y / size).mT)
    kept = values > len(y) * torch.finfo(y.dtype).eps * values[-1]
    return vectors * torch.where(kept, values, 0).sqrt() * size


def ridge_weights(train: Covariances, alphas: tuple = ALPHAS) -> tuple[torch.Tensor, torch.Tensor]:
    """Weights `(units_a, units_b)` and the alpha chosen for each unit of b, `(units_b,)`.

        W = argmin |Y_b - Y_a W - c|^2 + alpha |W|^2 = (S_aa + alpha I)^-1 S_ab,   S sums of products about the means

    Penalised are the weights of units as they are given, so alpha is in squared units of a, and not the intercept c.
    One eigendecomposition S_aa = V diag(s) V' serves all alphas and all units of b. Of the alphas each unit of b takes
    the one of least generalised cross-validation error, which needs no further fit:

        GCV(alpha) = |residual|^2 / (1 - df / M)^2,   df = 1 + sum_j s_j / (s_j + alpha),   M stimuli
    """
    return _penalised(*_decomposed(train.aa), train.ab, train.bb, train.stimuli, alphas)


def _penalised(values, vectors, ab, bb, stimuli, alphas):
    """`ridge_weights` from what `_decomposed` gives, for units of b with these products."""
    varies = values > 0
    rotated = (vectors.mT @ ab) * varies[:, None]
    alpha = torch.as_tensor(alphas, dtype=values.dtype, device=values.device)
    shrink = 1 / (values + alpha[:, None])
    # What all directions together leave, and what alpha adds to it: the difference of two large sums would lose both.
    spare = stimuli - 1 - int(varies.sum())
    explained = (rotated / torch.where(varies, values, 1).sqrt()[:, None]).square()
    least = (bb - explained.sum(0)).clamp(min=0) * (spare > 0)
    kept = alpha[:, None] * shrink * varies
    residual = least + kept.square() @ explained
    free = (spare + kept.sum(1)) / stimuli
    # A fit that spends all degrees of freedom on the training stimuli leaves none to judge it by.
    error = torch.where(free > 1e-6, 1 / free.square(), torch.inf)[:, None] * residual.clamp(min=1e-300)
    chosen = error.argmin(0)
    return vectors @ (rotated * shrink[chosen].mT), alpha[chosen]


def _decomposed(products):
    """Values and vectors T of sums of products S, so that T' S T = diag(values): those of `eigh`.

    Units much smaller than others come after them, less what these explain; T is then orthonormal up to 1 / GAP^2.
    Directions without variance get value 0: their rounding would be divided by a small alpha.
    """
    products, size = products.clone(), products.diagonal().clone()
    groups, values, vectors = _by_size(size.sqrt()), torch.zeros_like(size), torch.eye(len(size)).to(products)
    for number, at in enumerate(groups):
        after = torch.cat([at[:0], *groups[number + 1 :]])
        found, v = torch.linalg.eigh(products[at[:, None], at])
        varies = found > len(size) * torch.finfo(size.dtype).eps * found[-1]
        explained = v @ (torch.where(varies, 1 / found, 0)[:, None] * (v.mT @ products[at[:, None], after]))
        products[after[:, None], after] -= products[after[:, None], at] @ explained
        vectors[:, after] -= vectors[:, at] @ explained
        values[at], vectors[:, at] = found * varies, vectors[:, at] @ v
    return values, vectors


def _by_size(sizes):
    """Indices of units in groups, from the largest; each group is more than GAP times the size of the next."""
    size, order = sizes.sort(descending=True)
    ends = ((size[:-1] > GAP * size[1:]) & (size[1:] > 0)).nonzero()[:, 0] + 1
    return [at.sort().values for at in order.tensor_split(ends.tolist())]


def prediction_correlations(weights: torch.Tensor, test: Covariances) -> torch.Tensor:
    """Correlation of each unit of b with its prediction y_a W; `(units_b,)`, 0 if either is constant."""
    weights, size = weights / size_of(weights, -2), size_of(test.aa)
    variance = (weights * (test.aa / size @ weights)).sum(0).clamp(min=0)
    length = variance.sqrt() * test.bb.sqrt() * size[0].sqrt()
    return torch.where(length > 0, (weights * test.ab).sum(0) / length, 0)


def _weights(y_a, y_b):
    basis, inverse = column_space(y_a)
    return inverse @ (basis.mT @ centred(y_b.double()))


def column_space(y):
    """Orthonormal basis of the centred columns of `y`, and the pseudo-inverse behind it: X^+ = inverse @ basis'.

    Units keep their scale, except that where one is more than GAP times the next smaller, that gap is closed to GAP.
    """
    size, epsilon, double = size_of(y), 8 * torch.finfo(y.dtype).eps, torch.finfo(torch.float64)
    x = centred(y.double() / size)
    length = lengths(x)
    ordered, order = length.sort(-1, descending=True)
    gaps = (ordered[..., :-1] / ordered[..., 1:] / GAP).nan_to_num(1, posinf=1).clamp(min=1).cumprod(-1)
    lift = torch.ones_like(length).scatter(-1, order, torch.nn.functional.pad(gaps, (1, 0), value=1.0))
    lift = lift * (length > epsilon / 2 * y.shape[-2] ** 0.5 * y.abs().amax(-2, keepdim=True) / size)
    noise = epsilon * y.shape[-1] ** 0.5
    if (found := _well_conditioned(x * lift, noise * (length * lift).amax(-1))) is not None:
        return found[0], (lift / size).mT * found[1]
    q, triangle = torch.linalg.qr(x * lift)
    u, values, vt = torch.linalg.svd(triangle, full_matrices=False)
    # A direction is no more than rounding, of the responses or of the decomposition, below these.
    given = noise * torch.linalg.vector_norm(vt * length * lift, dim=-1)
    kept = values > torch.maximum(given, values[..., :1] * max(y.shape[-2:]) * double.eps)
    inverse = (lift / size).mT * vt.mT * torch.where(kept, 1 / values.clamp(min=double.tiny), 0.0)[..., None, :]
    return (q @ u) * kept[..., None, :], inverse


def _well_conditioned(x, least):
    """Orthonormal Q and the inverse of R, X = Q R, by two Cholesky decompositions; None unless X is far from dependent.

    Products square the condition number, and the second decomposition takes back what that cost. No singular value of X
    is below 1 / |R^-1|; `least` is where they would be rounding. Fukaya et al. 2014.
    """
    if x.shape[-2] <= x.shape[-1]:
        return None
    q, inverse = x, torch.eye(x.shape[-1]).to(x)
    for _ in range(2):
        triangle, failed = torch.linalg.cholesky_ex(q.mT @ q, upper=True)
        if failed.any():
            return None
        q = torch.linalg.solve_triangular(triangle, q, upper=True, left=False)
        inverse = torch.linalg.solve_triangular(triangle, inverse, upper=True, left=False)
        steep = torch.linalg.matrix_norm(inverse)
        if (steep * torch.linalg.matrix_norm(x) > CONDITION).any() or (steep * least[..., 0] > 0.5).any():
            return None
    return q, inverse


def _share(part, whole):
    return torch.where(whole > 0, part / whole.clamp(min=torch.finfo(whole.dtype).tiny), 0.0)
