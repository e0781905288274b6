"""What compression cannot lower: shared features counted from responses, with a second seed as the yardstick.

Symbols: networks a and b respond to the same stimuli with y_a = A z and y_b = B z, units x features projections of n_a
and n_b features, n_s of them shared. S_ab is the covariance of the units of a with those of b, S_a that of a with
itself; seeds are networks that differ in their random start alone. Everything here is ours unless a source is named;
chapter 14 has the proofs, and where they fail.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations, product
from math import sqrt
from typing import NamedTuple

import torch

from lib.blocks import block_of
from lib.checks import check_pair, check_responses
from lib.correlation import size_of
from lib.printed import as_number, score


def shared_variance(y_a: torch.Tensor, y_b: torch.Tensor) -> torch.Tensor:
    """Squared covariances of the units of a with those of b, as a share of the product of the total variances.

        T = |S_ab|_F^2 / (tr S_a tr S_b),   E T = n_s / (n_a n_b)

    for independent projections that prefer no feature and no sign, whatever their units, mixing and kurtosis; between
    two seeds 1 / T counts features. |S_ab|_F^2 is estimated without bias, as the HSIC of Song et al. 2012, so T can be
    negative. `y_a: (..., stimuli, units_a)`, `y_b: (..., stimuli, units_b)`; returns `(...)`, in O(M m_a m_b) time and
    units x units memory. Raises ValueError on bad input, fewer than 4 stimuli, and on a network that never changes.
    """
    y_a, y_b = check_pair(y_a, y_b, min_stimuli=4)
    a, b = _Sound(y_a, "y_a"), _Sound(y_b, "y_b")
    return score(
        _squared_covariances(a, b, *_products(a, b)).sum((-2, -1)) / (_variances(a).sum(-1) * _variances(b).sum(-1))
    )


def effective_features(y: torch.Tensor) -> torch.Tensor:
    """Number of features of equal variance that would make units as correlated as they are, from one network.

        N = sum_{i != j} S_ii S_jj / sum_{i != j} S_ij^2

    tends to n for independent units of one law; for two seeds `1 / shared_variance` asks less. It is the participation
    ratio of the population from which units and stimuli are drawn, in the estimate of Chun et al. 2026 but for the
    numerator, which they correct for few stimuli too. `y: (..., stimuli, units)`; returns `(...)`, infinite where units
    are no more correlated than chance. Raises ValueError as `shared_variance`, and on fewer than 2 units.
    """
    if check_responses(y, "y", min_stimuli=4).shape[-1] < 2:
        raise ValueError("y has 1 unit: give at least 2, features are counted by what units have in common")
    return dimensions(y)[0]


def dimensions(y: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """`effective_features` and participation ratio of one network, from one pass over its responses.

        d = (tr S)^2 / |S|_F^2 = 1 / shared_variance(y, y)

    with |S|_F^2 estimated without bias, as there. `y: (..., stimuli, units)`; returns two of `(...)`, the first of them
    infinite for 1 unit. Raises ValueError as `shared_variance`.
    """
    sound = _Sound(check_responses(y, "y", min_stimuli=4), "y")
    squares, variances = _squared_covariances(sound, sound, *_products(sound, sound)), _variances(sound)
    size, shared = variances.sum(-1) ** 2, _of_pairs(squares)
    pairs = size - variances.square().sum(-1)
    features = torch.where(shared > 0, pairs / shared.clamp(min=torch.finfo(shared.dtype).tiny), torch.inf)
    return score(features), score(size / squares.sum((-2, -1)))


def corrected_cka(y_a: torch.Tensor, y_b: torch.Tensor) -> torch.Tensor:
    """Linear CKA of two populations of which the units are a random sample. [Chun et al. 2025]

        mean_ij S_ab,ij^2 / sqrt(mean_{i != j} S_a,ij^2  mean_{i != j} S_b,ij^2)

    with each square estimated without bias, so that neither a unit nor a stimulus meets itself. For independent units
    of random projections it estimates what `overlap` does, from one seed of each. `y_a: (..., stimuli, units_a)`,
    `y_b: (..., stimuli, units_b)`; returns `(...)`, infinite where the units of a network are no more correlated than
    chance. Raises ValueError as `shared_variance`, and on fewer than 2 units.
    """
    y_a, y_b = check_pair(y_a, y_b, min_stimuli=4)
    for name, y in (("y_a", y_a), ("y_b", y_b)):
        if y.shape[-1] < 2:
            raise ValueError(
                f"{name} has 1 unit: give at least 2, compared is what units of one network have in common"
            )
    a, b = _Sound(y_a, "y_a"), _Sound(y_b, "y_b")
    across, *within = (_squared_covariances(*pair, *_products(*pair)) for pair in ((a, b), (a, a), (b, b)))
    mean_a, mean_b = (_of_pairs(one) / (one.shape[-1] * (one.shape[-1] - 1)) for one in within)
    found = across.mean((-2, -1)) / (mean_a.clamp(min=0) * mean_b.clamp(min=0)).sqrt()
    return score(torch.where((mean_a > 0) & (mean_b > 0), found, torch.inf))


def cka_ceiling(n: float, d_a: float, d_b: float) -> float:
    """Expected linear CKA of two networks that hold the same n features, from their participation ratios.

        E CKA = sqrt(d_a d_b) / n,   d = (tr S)^2 / |S|_F^2

    A score divided by it is the overlap that it implies. For random projections d is about n m / (n + m + 1), see
    `lib.theory.expected_cka`. Raises ValueError unless 1 <= d <= n.
    """
    for name, d in (("d_a", d_a), ("d_b", d_b)):
        if not 1 <= d <= n:
            raise ValueError(f"{name} = {d} of n = {n} features: a participation ratio is from 1 to n")
    return sqrt(d_a * d_b) / n


@dataclass(frozen=True, repr=False)
class Overlap:
    """The overlap of two systems, estimated from seeds of each; `float(it)` is the estimate."""

    estimate: float  # of n_s / sqrt(n_a n_b)
    low: float  # the interval that holds the truth in 95 of 100 cases, where the projections are independent
    high: float
    t_ab: float  # mean of T over pairs of a network of a and one of b
    t_aa: float  # over pairs of seeds of a
    t_bb: float
    variance: tuple[float, float, float]  # of the estimate: by units, by pairs of units alone, by stimuli

    @property
    def features(self) -> tuple[float, float, float]:
        """Effective numbers of features n_a, n_b, n_s: 1 / T_aa, 1 / T_bb, T_ab / (T_aa T_bb)."""
        return 1 / self.t_aa, 1 / self.t_bb, self.t_ab / (self.t_aa * self.t_bb)

    def __float__(self) -> float:
        return self.estimate

    __format__ = as_number  # type: ignore[assignment]

    def __repr__(self) -> str:
        n_a, n_b, n_s = self.features
        interval = f"from {self.low:.3f} to {self.high:.3f} in 95 of 100 cases"
        return f"overlap {self.estimate:.3f}, {interval}; about {n_a:.1f} and {n_b:.1f} features, {n_s:.1f} shared"


def overlap(seeds_a: Sequence[torch.Tensor], seeds_b: Sequence[torch.Tensor]) -> Overlap:
    """Share of features that two systems have in common, from two or more seeds of each.

        n_s / sqrt(n_a n_b)  is estimated by  T_ab / sqrt(T_aa T_bb)

    with each T the mean of `shared_variance` over the pairs of networks of its kind: Spearman's 1904 correction for
    attenuation with a second seed in place of a second measurement. The skew of the root, 3/8 of the squared relative
    errors of T_aa and T_bb, is taken off. The interval treats units within each network, and stimuli, as drawn
    independently (see `_variance`), and takes Student's quantile with one degree of freedom less than the smaller
    system has units. `seeds_a`, `seeds_b`: lists of `(stimuli, units)`, units may differ. Raises ValueError as
    `shared_variance`, on fewer than 2 seeds and where seeds share no more than chance.
    """
    from scipy.special import stdtrit  # here, as it takes a third of a second to load

    networks, first = _networks(seeds_a, seeds_b), len(seeds_a)
    own, other = range(first), range(first, len(networks))
    kinds = [
        [_pair(networks, i, j) for i, j in places]
        for places in (product(own, other), combinations(own, 2), combinations(other, 2))
    ]
    t_ab, t_aa, t_bb = (sum(pair.shared for pair in kind) / len(kind) for kind in kinds)
    for name, t in (("seeds_a", t_aa), ("seeds_b", t_bb)):
        if t <= 0:
            raise ValueError(f"{name} share no more than chance (T = {t:.2g}): give more stimuli, or seeds of one kind")
    ratio = t_ab / sqrt(t_aa * t_bb)
    slopes = (1 / sqrt(t_aa * t_bb), -ratio / (2 * t_aa), -ratio / (2 * t_bb))
    weighted = [(slope / len(kind), pair) for slope, kind in zip(slopes, kinds, strict=True) for pair in kind]
    errors = (sum(pair.lone for pair in kind) / len(kind) ** 2 for kind in kinds[1:])
    estimate = ratio * (1 - 3 / 8 * sum(error / t**2 for error, t in zip(errors, (t_aa, t_bb), strict=True)))
    variance = _variance(weighted, networks)
    freedom = min(sum(len(y.squares) for y in system) for system in (networks[:first], networks[first:])) - 1
    error = float(stdtrit(freedom, 0.975)) * sqrt(max(variance[:2]) + variance[2])
    return Overlap(estimate, estimate - error, estimate + error, t_ab, t_aa, t_bb, variance)


class _Pair(NamedTuple):
    """T of networks i and j, and what each unit and each stimulus adds to it, to first order."""

    i: int
    j: int
    shared: float
    units_i: torch.Tensor  # sums to 0, as do the next two
    units_j: torch.Tensor
    stimuli: torch.Tensor
    lone: float  # sum of squares over pairs of units


def _pair(networks, i, j):
    a, b = networks[i], networks[j]
    cross, fourth = _products(a, b)
    squares, (s, t) = _squared_covariances(a, b, cross, fourth), (_variances(y) for y in (a, b))
    size = s.sum() * t.sum()
    shared = squares.sum() / size
    rest = (squares - shared * s[:, None] * t) / size
    sums = (((x @ cross * y).sum(1), x.square().sum(1), y.square().sum(1)) for x, y in a.beside(b))
    both, of_a, of_b = map(torch.cat, zip(*sums, strict=True))
    seen = both * 2 / (a.stimuli * size) - shared * (of_a / s.sum() + of_b / t.sum())
    lone = float(rest.square().sum())
    return _Pair(i, j, float(shared), rest.sum(1), rest.sum(0), seen - seen.mean(), lone)


def _variance(weighted, networks):
    """Variance of a weighted sum of T over pairs of networks: by units, by pairs of units alone, by stimuli.

    The first sums over the partners of a unit and counts each pair of units once: the robust variance for data on pairs
    of Aronow, Samii and Assenova 2015. The second is what it tends to where pairs that share a unit are uncorrelated,
    as for Gaussian projections of the same features, and less noisy.
    """
    lone = sum(weight**2 * pair.lone for weight, pair in weighted)
    stimuli, sums = torch.zeros_like(weighted[0][1].stimuli), [torch.zeros_like(y.squares) for y in networks]
    for weight, pair in weighted:
        stimuli += weight * pair.stimuli
        sums[pair.i] += weight * pair.units_i
        sums[pair.j] += weight * pair.units_j
    units = sum(float(each.square().sum()) for each in sums) - lone
    return units, lone, float(stimuli.square().sum()) / len(stimuli) ** 2


class _Sound:
    """Responses less their means, in double precision and of a size near 1, of which no copy is held."""

    squares: torch.Tensor  # sums over stimuli, (..., units)

    def __init__(self, y, name):
        self.y, self.size, self.stimuli, self.width = y, size_of(y), y.shape[-2], y[..., 0, :].numel()
        self.less = (self.y[..., :1, :].double() / self.size,)  # in two steps, as in `lib.correlation.centred`
        self.less += (sum((x.sum(-2, keepdim=True) for x in self.blocks()), y.new_zeros(())) / self.stimuli,)
        self.squares = sum((x.square().sum(-2) for x in self.blocks()), y.new_zeros(()))
        if not (self.squares.sum(-1) > 0).all():
            raise ValueError(f"{name} never changes: give responses that vary over stimuli")

    def blocks(self, width: int = 0) -> Iterator[torch.Tensor]:
        """Some stimuli after others, as many as for responses of `width` numbers each."""
        for part in self.y.split(block_of(max(width, self.width)), -2):
            x = part.double() / self.size
            for less in self.less:
                x = x - less
            yield x

    def beside(self, other: "_Sound") -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        """The same stimuli of both."""
        return zip(self.blocks(other.width), other.blocks(self.width), strict=True)


def _products(a, b):
    """Sums over stimuli of x_i y_j and of their squares, `(..., units_a, units_b)` each."""
    cross = fourth = 0.0
    for x, y in a.beside(b):
        cross, fourth = cross + x.mT @ y, fourth + x.square().mT @ y.square()
    return cross, fourth


def _squared_covariances(a, b, cross, fourth):
    """Unbiased estimate of each S_ij^2 from their `_products`; `(..., units_a, units_b)`. [Song et al. 2012, eq. 5]"""
    count = a.stimuli
    apart = a.squares[..., :, None] * b.squares[..., None, :]
    products = cross.square() - count / (count - 2) * fourth
    return (products + apart / ((count - 1) * (count - 2))) / (count * (count - 3))


def _of_pairs(squares):
    """Sum over pairs of different units."""
    return squares.sum((-2, -1)) - squares.diagonal(dim1=-2, dim2=-1).sum(-1)


def _variances(y):
    return y.squares / (y.stimuli - 1)


def _networks(*systems):
    """The networks of both systems, checked against the first and made sound."""
    named = [(f"seeds_{'ab'[i]}[{j}]", y) for i, seeds in enumerate(systems) for j, y in enumerate(seeds)]
    for letter, seeds in zip("ab", systems, strict=True):
        if len(seeds) < 2:
            raise ValueError(f"seeds_{letter} has {len(seeds)} network: give two or more seeds of it")
    first = named[0][1]
    checked = [check_pair(first, y, 4, (named[0][0], name))[1] for name, y in named]
    for y, (name, _) in zip(checked, named, strict=True):
        if y.ndim != 2:
            raise ValueError(f"{name} has shape {tuple(y.shape)}: give (stimuli, units)")
    return [_Sound(y, name) for y, (name, _) in zip(checked, named, strict=True)]
