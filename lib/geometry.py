"""Geometry metrics: RSA and linear CKA, exact, in time linear in the number of stimuli.

Both compare the stimuli x stimuli matrices K = Y Y' of two systems. Neither matrix is built, unless stimuli are far
fewer than units: every sum over pairs of stimuli is a sum over pairs of units, `|Y_a' Y_b|_F^2 = sum_ij K^a_ij K^b_ij`.
Cost O(M (m_a + m_b)^2) for M stimuli and m_a, m_b units. All is computed in double precision, each system divided by
its largest value first, so that no scale overflows or vanishes. [B] is Liu et al. 2026.
"""

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import torch

from lib.checks import as_tensor, check_finite, check_pair, check_responses
from lib.correlation import centred, size_of
from lib.printed import score

TINY = 1e-300
ROUNDING = 256 * torch.finfo(torch.float64).eps  # of a sum over pairs, relative to the sum of absolute values


def rsa(y_a: torch.Tensor, y_b: torch.Tensor, similarity: str = "dot", centre: bool | None = None) -> torch.Tensor:
    """Representational similarity: Pearson correlation of the pairs i < j of two similarity matrices.

        RSA = corr_{i<j}(K^a_ij, K^b_ij)

        similarity   K_ij, over the units of stimuli i and j      `calc_rdm` of rsatoolbox
        dot          <y_i, y_j>                                   -
        cosine       <y_i, y_j> / (|y_i| |y_j|)                   -
        correlation  Pearson correlation of y_i and y_j           method="correlation", 1 - K
        sqeuclidean  |y_i - y_j|^2                                method="euclidean", K / units

    `centre` subtracts each unit's mean over stimuli first; unless told, for `dot` only, as in CKA. It does not matter
    for distances. `y_a: (..., stimuli, units_a)`, `y_b: (..., stimuli, units_b)`; returns `(...)`, 0 where one matrix
    is constant up to rounding. Raises ValueError on bad input, fewer than 3 stimuli and, for `correlation` or `cosine`,
    on a stimulus whose responses are equal or all 0. [B, section 3.1]; in linear time as HSIC by Song et al. 2012.
    """
    y_a, y_b = check_pair(y_a, y_b, min_stimuli=3)
    a, b = (rsa_system(y, similarity, centre, name) for y, name in ((y_a, "y_a"), (y_b, "y_b")))
    return score(a.against(b))


def rsa_system(y: torch.Tensor, similarity: str = "dot", centre: bool | None = None, name: str = "y") -> "System":
    """One system of `rsa`, prepared for the comparison with many others; arguments and errors as there."""
    y = check_responses(y, name, min_stimuli=3)
    if similarity not in ("dot", "cosine", "correlation", "sqeuclidean"):
        raise ValueError(f"similarity {similarity!r} is unknown: choose dot, cosine, correlation or sqeuclidean")
    distances = similarity == "sqeuclidean"  # centring keeps their sums free of cancellation
    centre = similarity == "dot" if centre is None else centre
    y = _in_range(y, centre or distances)
    if similarity in ("cosine", "correlation"):
        y = unit_rows(y, name, similarity)
    return _system(y, partial(_covariance_of_pairs, sums=_distance_sums if distances else _dot_sums), limit=1.0)


def linear_cka(y_a: torch.Tensor, y_b: torch.Tensor, debiased: bool = False, centre: bool = True) -> torch.Tensor:
    """Centred kernel alignment with the linear kernel.

        CKA = HSIC(K, L) / sqrt(HSIC(K, K) HSIC(L, L)),   HSIC(K, L) = |Y_a' Y_b|_F^2 for centred Y

    `debiased` uses the unbiased HSIC of Song et al. 2012, which removes what finite M adds; it can be negative.
    `centre=False` shows what goes wrong without centring and is not CKA. Shapes as in `rsa`; 0 where one system is
    constant or, debiased, varies by one stimulus only. Raises ValueError on bad input and, debiased, on fewer than 4
    stimuli. [B, section 3.2]; the same as the whitened cosine of squared distances (`cosine_cov` of rsatoolbox) by
    Diedrichsen et al. 2020.

        >>> y = torch.tensor([[0.0, 1], [1, 0], [2, 5]])
        >>> round(float(linear_cka(y, 3 * y.flip(1) + 1)), 4)  # other order, scale and mean
        1.0
    """
    y_a, y_b = check_pair(y_a, y_b, min_stimuli=4 if debiased else 2)
    a, b = (cka_system(y, debiased, centre, name) for y, name in ((y_a, "y_a"), (y_b, "y_b")))
    return score(a.against(b))


def cka_system(y: torch.Tensor, debiased: bool = False, centre: bool = True, name: str = "y") -> "System":
    """One system of `linear_cka`, prepared for the comparison with many others; arguments and errors as there."""
    y = check_responses(y, name, min_stimuli=4 if debiased else 2)
    return _system(_in_range(y, centre), _unbiased_hsic if debiased else _biased_hsic)


def participation_ratio(eigenvalues: torch.Tensor) -> torch.Tensor:
    """How many dimensions responses use, from the eigenvalues l of their covariance, `(..., units)`; `(...)`.

        d = (sum_i l_i)^2 / sum_i l_i^2

    From 1, if one direction holds all variance, to the number of units, if all directions hold the same; 0 if none
    holds any. In double precision.
    """
    eigenvalues = as_tensor(eigenvalues, "eigenvalues")
    check_finite(eigenvalues, "eigenvalues")
    values = eigenvalues.double() / size_of(eigenvalues, -1)
    return score(values.sum(-1) ** 2 / values.square().sum(-1).clamp(min=TINY))


def _in_range(y, centre):
    y = y.double() / size_of(y)
    return centred(y) if centre else y


class System(NamedTuple):
    """Responses and what every comparison with others needs of them, computed once."""

    y: torch.Tensor
    powers: torch.Tensor  # squared norm of each stimulus' response, K_ii, (..., stimuli)
    rows: torch.Tensor  # sum of each row of K without the diagonal, (..., stimuli)
    product: Callable  # of two systems; also returns a bound of its rounding error
    limit: float  # of the score, by size
    own: tuple[torch.Tensor, torch.Tensor] = (torch.tensor(0.0), torch.tensor(0.0))  # product with itself

    def against(self, other: "System") -> torch.Tensor:
        """product(a, b) / sqrt(product(a, a) product(b, b)); 0 where one of the latter is below its bound, `(...)`."""
        (own_a, error_a), (own_b, error_b), (cross, _) = self.own, other.own, self.product(self, other)
        varies = (own_a > error_a) & (own_b > error_b)
        found = torch.where(varies, cross / (own_a.clamp(min=TINY).sqrt() * own_b.clamp(min=TINY).sqrt()), 0.0)
        return found.clamp(-self.limit, self.limit)


def _system(y, product, limit=torch.inf):
    powers = y.square().sum(-1)
    system = System(y, powers, (y @ y.sum(-2)[..., None])[..., 0] - powers, product, limit)
    return system._replace(own=product(system, system))


def _cross_power(y_a, y_b):
    """sum_ij K_ij L_ij = |Y_a' Y_b|_F^2, by whichever side takes fewer products."""
    stimuli, units_a, units_b = y_a.shape[-2], y_a.shape[-1], y_b.shape[-1]
    if stimuli * (units_a + units_b) < units_a * units_b:
        return ((y_a @ y_a.mT) * (y_b @ y_b.mT)).sum((-2, -1))
    return (y_a.mT @ y_b).square().sum((-2, -1))


def _biased_hsic(a, b):
    power = _cross_power(a.y, b.y)
    return power, ROUNDING * power


def _unbiased_hsic(a, b):
    """Song et al. 2012, equation 5, times M (M - 3), for K and L with their diagonals set to 0."""
    stimuli, power = a.y.shape[-2], _cross_power(a.y, b.y)
    trace = power - (a.powers * b.powers).sum(-1)
    product = a.rows.sum(-1) * b.rows.sum(-1) / ((stimuli - 1) * (stimuli - 2))
    cross = 2 * (a.rows * b.rows).sum(-1) / (stimuli - 2)
    return trace + product - cross, ROUNDING * power


def _covariance_of_pairs(a, b, sums):
    pairs = a.y.shape[-2] * (a.y.shape[-2] - 1) / 2
    products, sum_a, sum_b, error = sums(a, b)
    return products / pairs - sum_a * sum_b / pairs**2, error / pairs


def _dot_sums(a, b):
    """Sums over i < j of K_ij L_ij, of K_ij and of L_ij, for dot products; and the rounding error of the first."""
    power = _cross_power(a.y, b.y)
    products = (power - (a.powers * b.powers).sum(-1)) / 2
    return products, a.rows.sum(-1) / 2, b.rows.sum(-1) / 2, ROUNDING * power


def _distance_sums(a, b):
    """The same sums for squared Euclidean distances of centred responses.

    With u_i = K_ii, v_i = L_ii and rows of K and L that sum to 0, summing (u_i + u_j - 2 K_ij)(v_i + v_j - 2 L_ij)
    over all i and j leaves 2 M u'v + 2 (sum u)(sum v) + 4 <K, L>; each pair is counted twice.
    """
    stimuli, u, v = a.y.shape[-2], a.powers, b.powers
    total_u, total_v = u.sum(-1), v.sum(-1)
    products = stimuli * (u * v).sum(-1) + total_u * total_v + 2 * _cross_power(a.y, b.y)
    return products, stimuli * total_u, stimuli * total_v, 8 * torch.finfo(torch.float64).eps * products


def unit_rows(y: torch.Tensor, name: str, similarity: str) -> torch.Tensor:
    """Responses of each stimulus `(..., stimuli, units)`, of length 1; for `correlation` less their mean over units.

    Raises ValueError where a stimulus has no response, or none but its mean, up to rounding.
    """
    rows = y - y.mean(-1, keepdim=True) if similarity == "correlation" else y
    norms = torch.linalg.vector_norm(rows, dim=-1, keepdim=True)
    flat = norms[..., 0] <= 8 * torch.finfo(y.dtype).eps * torch.linalg.vector_norm(y, dim=-1)
    if flat.any():
        first = tuple(int(i) for i in flat.nonzero()[0])
        raise ValueError(
            f"{name} has {int(flat.sum())} stimuli with the same response in all units, the first at {first}: "
            f"their {similarity} is undefined, remove them or choose another similarity"
        )
    return rows / norms
