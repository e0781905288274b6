"""Geometry metrics: RSA and linear CKA, exact, in time linear in the number of stimuli.

Both compare the stimuli x stimuli matrices K = Y Y' of two systems. Neither matrix is built, unless stimuli are far
fewer than units: every sum over pairs of stimuli is a sum over pairs of units, `|Y_a' Y_b|_F^2 = sum_ij K^a_ij K^b_ij`.
Cost O(M (m_a + m_b)^2) for M stimuli and m_a, m_b units. All is computed in double precision, each system divided by
its largest value first, so that no scale overflows or vanishes. [B] is Liu et al. 2026.
"""

from collections.abc import Callable, Iterator
from functools import partial, reduce

import torch

from lib.checks import as_tensor, check_finite, check_pair, check_responses
from lib.correlation import centred, size_of
from lib.printed import score

TINY = 1e-300
BLOCK = 2**18  # responses prepared at a time, about
BAND = 128  # rows of a symmetric product at a time, and stimuli in a block at least
SAFE = 2.0**100  # sizes of which fourth powers, and their sums, keep within range
EPSILON = torch.finfo(torch.float64).eps
ROUNDING = 256 * EPSILON  # of a sum, relative to the sum of absolute values


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
    a, b = (_rsa_system(y, similarity, centre, name) for y, name in ((y_a, "y_a"), (y_b, "y_b")))
    return _compared(a, b)


def rsa_system(y: torch.Tensor, similarity: str = "dot", centre: bool | None = None, name: str = "y") -> "System":
    """One system of `rsa`, prepared for the comparison with many others; arguments and errors as there."""
    y = check_responses(y, name, min_stimuli=3)
    return _rsa_system(y, similarity, centre, name).held()


def _rsa_system(y, similarity, centre, name):
    if similarity not in ("dot", "cosine", "correlation", "sqeuclidean"):
        raise ValueError(f"similarity {similarity!r} is unknown: choose dot, cosine, correlation or sqeuclidean")
    distances = similarity == "sqeuclidean"  # centring keeps their sums free of cancellation
    centre = distances or (similarity == "dot" if centre is None else centre)
    if similarity in ("cosine", "correlation"):
        y = y.double() / size_of(y)
        y, centre = unit_rows(centred(y) if centre else y, name, similarity), False
    return System(y, partial(_covariance_of_pairs, sums=_distance_sums if distances else _dot_sums), centre, limit=1.0)


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
    a, b = (_cka_system(y, debiased, centre) for y in (y_a, y_b))
    return _compared(a, b)


def cka_system(y: torch.Tensor, debiased: bool = False, centre: bool = True, name: str = "y") -> "System":
    """One system of `linear_cka`, prepared for the comparison with many others; arguments and errors as there."""
    return _cka_system(check_responses(y, name, min_stimuli=4 if debiased else 2), debiased, centre).held()


def _cka_system(y, debiased, centre):
    return System(y, _unbiased_hsic if debiased else _biased_hsic, centre)


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


class System:
    """Responses, and what every comparison with others needs of them.

    They are taken in double precision, of a size whose squares keep within range, and less their means if `centre`;
    block by block, so that no such copy is held. `held` holds one, for comparisons with many.
    """

    own: tuple[torch.Tensor, torch.Tensor]  # product with itself, and a bound of its rounding error
    powers: torch.Tensor  # K_ii, (..., stimuli)
    rows: torch.Tensor  # sums of the rows of K without its diagonal

    def __init__(self, y: torch.Tensor, product: Callable, centre: bool = False, limit: float = torch.inf):
        self.y, self.less, self.product, self.limit = y, [], product, limit
        size = size_of(y)
        self.size = size if ((size > SAFE) | (size < 1 / SAFE)).any() else None  # a power of two, so nothing is rounded
        self.few = 2 * y.shape[-2] < y.shape[-1]  # stimuli, for which K takes less than the products of units
        self.total = None  # sums over stimuli, 0 if centred
        if centre:  # in two steps, as in `lib.correlation.centred`
            self.less = [self.part(slice(0, 1))]
            self.less += [_added(x.sum(-2, keepdim=True) for x in self.blocks()) / y.shape[-2]]
        else:
            self.total = _added(x.sum(-2) for x in self.blocks())[..., None]

    def part(self, stimuli: slice = slice(None), units: slice = slice(None)) -> torch.Tensor:
        """Some of the prepared responses."""
        x = self.y[..., stimuli, units].double()
        x = x if self.size is None else x / self.size
        for number, less in enumerate(self.less):
            x = x.sub_(less[..., units]) if number else x - less[..., units]
        return x

    def blocks(self, width: int = 0) -> Iterator[torch.Tensor]:
        """The prepared responses, some stimuli after others; as many as for a system of `width` units."""
        rows = max(BAND, BLOCK // max(width, self.y.shape[-1]))
        return (self.part(slice(at, at + rows)) for at in range(0, self.y.shape[-2], rows))

    def columns(self) -> Iterator[torch.Tensor]:
        """The same, some units after others; each `(..., units, stimuli)`."""
        width = max(BAND, BLOCK // self.y.shape[-2])
        return (self.part(units=slice(at, at + width)).mT for at in range(0, self.y.shape[-1], width))

    def measured(self, powers: torch.Tensor | None = None, bands: list[torch.Tensor] | None = None) -> "System":
        """The same, with squared norms of stimuli and products of units; one with `few` stimuli finds its own."""
        self.bands = bands if bands is not None else _bands(self.columns())
        self.powers = powers if powers is not None else torch.cat([one.diagonal(0, -2, -1) for one in self.bands], -1)
        self.rows = -self.powers  # with the diagonal, the rows of a centred K sum to 0
        if self.total is not None:
            self.rows = self.rows + torch.cat([(x @ self.total)[..., 0] for x in self.blocks()], -1)
        self.own = self.product(self, self, _inner(self.bands, self.bands))
        return self

    def held(self) -> "System":
        """The same, measured, with a prepared copy: quicker for comparisons with many."""
        self.y, self.size, self.less = self.part(), None, []
        return self.measured() if self.few else self.measured(self.y.square().sum(-1), _bands(self.blocks()))

    def against(self, other: "System", power: torch.Tensor | None = None) -> torch.Tensor:
        """product(a, b) / sqrt(product(a, a) product(b, b)); 0 where one of the latter is below its bound, `(...)`."""
        if power is None:
            power = _inner(self.bands, other.bands) if self.few and other.few else _cross_power(self, other)
        (own_a, error_a), (own_b, error_b), (cross, _) = self.own, other.own, self.product(self, other, power)
        varies = (own_a > error_a) & (own_b > error_b)
        found = torch.where(varies, cross / (own_a.clamp(min=TINY).sqrt() * own_b.clamp(min=TINY).sqrt()), 0.0)
        return found.clamp(-self.limit, self.limit)


def _compared(a, b):
    """The score of two systems, whose blocks are prepared once for all that is summed over them."""
    if a.few and b.few:
        return score(a.measured().against(b.measured()))
    powers = [torch.empty(one.y.shape[:-1], dtype=torch.float64, device=one.y.device) for one in (a, b)]
    sums, done = [], 0
    for x, y in zip(a.blocks(b.y.shape[-1]), b.blocks(a.y.shape[-1]), strict=True):
        for one, block in zip(powers, (x, y), strict=True):
            one[..., done : done + x.shape[-2]] = block.square().sum(-1)
        done += x.shape[-2]
        new = [x.mT @ y, *([] if a.few else _products(x)), *([] if b.few else _products(y))]
        sums = _plus(sums, new) if sums else new
    of_a = 0 if a.few else -(-a.y.shape[-1] // BAND)
    for one, own, found in zip((a, b), powers, (sums[1 : 1 + of_a], sums[1 + of_a :]), strict=True):
        one.measured() if one.few else one.measured(own, found)
    return score(a.against(b, sums[0].square().sum((-2, -1))))


def _added(terms):
    return reduce(torch.Tensor.add_, terms)


def _products(x):
    """X'X without its lower half: some rows after others, each from the diagonal on."""
    return [x[..., at : at + BAND].mT @ x[..., at:] for at in range(0, x.shape[-1], BAND)]


def _bands(parts):
    return reduce(_plus, map(_products, parts))


def _plus(so_far, more):
    return [one.add_(other) for one, other in zip(so_far, more, strict=True)]


def _inner(bands, others):
    """<A, B> = sum_ij A_ij B_ij of two symmetric matrices."""
    products = [one * other for one, other in zip(bands, others, strict=True)]
    return _added(2 * one.sum((-2, -1)) - one[..., : one.shape[-2]].sum((-2, -1)) for one in products)


def _cross_power(a, b):
    """sum_ij K_ij L_ij = |Y_a' Y_b|_F^2."""
    pairs = zip(a.blocks(b.y.shape[-1]), b.blocks(a.y.shape[-1]), strict=True)
    return _added(x.mT @ y for x, y in pairs).square().sum((-2, -1))


def _rounding(a, power):
    """Of a sum over pairs: the products of units add up M terms, and small ones after a large one err to one side."""
    return (ROUNDING + 2 * a.y.shape[-2] * EPSILON) * power


def _biased_hsic(a, b, power):
    return power, _rounding(a, power)


def _unbiased_hsic(a, b, power):
    """Song et al. 2012, equation 5, times M (M - 3), for K and L with their diagonals set to 0."""
    stimuli = a.y.shape[-2]
    trace = power - (a.powers * b.powers).sum(-1)
    product = a.rows.sum(-1) * b.rows.sum(-1) / ((stimuli - 1) * (stimuli - 2))
    cross = 2 * (a.rows * b.rows).sum(-1) / (stimuli - 2)
    return trace + product - cross, _rounding(a, power)


def _covariance_of_pairs(a, b, power, sums):
    pairs = a.y.shape[-2] * (a.y.shape[-2] - 1) / 2
    products, sum_a, sum_b, error = sums(a, b, power)
    return products / pairs - sum_a * sum_b / pairs**2, error / pairs


def _dot_sums(a, b, power):
    """Sums over i < j of K_ij L_ij, of K_ij and of L_ij, for dot products; and the rounding error of the first."""
    products = (power - (a.powers * b.powers).sum(-1)) / 2
    return products, a.rows.sum(-1) / 2, b.rows.sum(-1) / 2, _rounding(a, power)


def _distance_sums(a, b, power):
    """The same sums for squared Euclidean distances of centred responses.

    With u_i = K_ii, v_i = L_ii and rows of K and L that sum to 0, summing (u_i + u_j - 2 K_ij)(v_i + v_j - 2 L_ij)
    over all i and j leaves 2 M u'v + 2 (sum u)(sum v) + 4 <K, L>; each pair is counted twice.
    """
    stimuli, u, v = a.y.shape[-2], a.powers, b.powers
    total_u, total_v = u.sum(-1), v.sum(-1)
    products = stimuli * (u * v).sum(-1) + total_u * total_v + 2 * power
    return products, stimuli * total_u, stimuli * total_v, 8 * EPSILON * products


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
