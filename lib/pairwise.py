"""Metrics that must look at every pair of stimuli: RBF CKA, and RSA on Euclidean distances or on ranks.

Time grows as the square of the stimuli. Memory does not, save for ranks: distances come in blocks of some stimuli by
all, which are summed and dropped. All is computed in double precision, each system divided by its largest value first.
"""

from collections.abc import Callable, Iterator

import numpy as np
import torch

from lib.checks import check_pair
from lib.correlation import centred, size_of
from lib.geometry import ROUNDING, rsa_system
from lib.printed import score

BLOCK = 2**21  # distances held at a time
MOST_STIMULI = 5000  # whose pairs are ranked: 12.5 million, about 1 GB


def rbf_cka(y_a: torch.Tensor, y_b: torch.Tensor, bandwidth: float = 1.0, debiased: bool = False) -> torch.Tensor:
    """Centred kernel alignment with the Gaussian kernel, also called radial basis function.

        CKA = HSIC(K, L) / sqrt(HSIC(K, K) HSIC(L, L)),   K_ij = exp(-|y_i - y_j|^2 / (2 sigma^2))

    sigma is `bandwidth` times the median distance between two stimuli of that system (the lower one of the two in the
    middle; of over 5,000 stimuli, among as many evenly spaced); large ones give linear CKA, small ones hear the nearest
    neighbours alone. `debiased` as in `lib.geometry.linear_cka`, whose shapes it takes; 0 where one system is constant.
    Raises ValueError on bad input, on fewer than 3 stimuli (4 debiased) and where over half of the pairs of stimuli
    have equal responses. Kornblith et al. 2019, section 4.
    """
    if not 0 < bandwidth < float("inf"):
        raise ValueError(f"bandwidth {bandwidth} of the median distance: choose a positive number")
    y_a, y_b = check_pair(y_a, y_b, min_stimuli=4 if debiased else 3)

    def one_pair(a, b):
        kernels = [_gaussian(y, bandwidth, name) for y, name in ((a, "y_a"), (b, "y_b"))]
        return _normalised(_pair_sums(a, b, *kernels), _unbiased_hsic if debiased else _hsic)

    return each_pair(one_pair, in_range(y_a), in_range(y_b))


def euclidean_rsa(y_a: torch.Tensor, y_b: torch.Tensor) -> torch.Tensor:
    """Pearson correlation, over pairs of stimuli i < j, of the Euclidean distances |y_i - y_j|; not squared.

    `lib.geometry.rsa` with similarity "sqeuclidean" compares the squares, in linear time. Shapes and errors as there.
    """
    y_a, y_b = check_pair(y_a, y_b, min_stimuli=3)
    return each_pair(
        lambda a, b: _normalised(_pair_sums(a, b, torch.sqrt, torch.sqrt), _covariance), in_range(y_a), in_range(y_b)
    )


def rank_rsa(
    y_a: torch.Tensor, y_b: torch.Tensor, comparison: str = "spearman", similarity: str = "dot", centre=None
) -> torch.Tensor:
    """Representational similarity by ranks, over the pairs i < j of two similarity matrices.

        spearman   Pearson correlation of the ranks; those that tie share their mean rank
        kendall    tau-a = (concordant - discordant) / all,  over pairs of pairs; those that tie are neither

    `similarity`, `centre`, shapes and errors as in `lib.geometry.rsa`; sqeuclidean also stands for the plain distance,
    whose ranks are the same. Values closer than rounding tie. All M (M - 1) / 2 pairs are held, about 90 bytes each:
    raises ValueError beyond 5,000 stimuli. Kriegeskorte et al. 2008; tau-a by Nili et al. 2014.
    """
    if comparison not in ("spearman", "kendall"):
        raise ValueError(f"comparison {comparison!r} is unknown: choose spearman or kendall, or rsa for pearson")
    y_a, y_b = check_pair(y_a, y_b, min_stimuli=3)
    if (stimuli := y_a.shape[-2]) > MOST_STIMULI:
        raise ValueError(
            f"y_a has {stimuli} stimuli, too many to rank all pairs: give {MOST_STIMULI} or fewer, drawn at random"
        )
    a, b = (rsa_system(y, similarity, centre, name).y for y, name in ((y_a, "y_a"), (y_b, "y_b")))
    distances, compare = similarity == "sqeuclidean", _spearman if comparison == "spearman" else _kendall
    return each_pair(lambda a, b: compare(_pairs(a, distances), _pairs(b, distances)), a, b)


def in_range(y: torch.Tensor) -> torch.Tensor:
    """Centred responses in double precision, of a size whose squares keep within range."""
    return centred(y.double() / size_of(y))


def each_pair(call: Callable, y_a: torch.Tensor, y_b: torch.Tensor) -> torch.Tensor:
    """The score of every pair of systems `(stimuli, units)`, over broadcast leading dimensions, one after the other."""
    batch = torch.broadcast_shapes(y_a.shape[:-2], y_b.shape[:-2])
    a, b = (y.expand(*batch, *y.shape[-2:]).reshape(-1, *y.shape[-2:]) for y in (y_a, y_b))
    found = [torch.as_tensor(call(*pair), dtype=y_a.dtype, device=y_a.device) for pair in zip(a, b, strict=True)]
    return score(torch.stack(found).reshape(batch))


def distance_blocks(y: torch.Tensor) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    """Some stimuli `(rows,)` and their squared distances to all, `(rows, stimuli)`, exactly 0 to themselves."""
    powers = y.square().sum(-1)
    for rows in torch.arange(len(y), device=y.device).split(max(1, BLOCK // len(y))):
        squared = (powers[rows, None] + powers - 2 * y[rows] @ y.mT).clamp(min=0).abs()  # without -0
        squared[torch.arange(len(rows), device=y.device), rows] = 0
        yield rows, squared


def median_squared_distance(y: torch.Tensor) -> torch.Tensor:
    """Lower median over pairs of stimuli of `(stimuli, units)`; of many, over evenly spaced ones."""
    squared = _later(distance_blocks(y[:: -(-len(y) // MOST_STIMULI)]))
    return squared.kthvalue((len(squared) + 1) // 2).values


def _gaussian(y, bandwidth, name):
    """The kernel less 1, which centring removes: so no wide kernel drowns, and each stimulus is 0 with itself."""
    if (y == y[0]).all():
        return torch.zeros_like
    median = median_squared_distance(y)
    if median == 0:
        raise ValueError(f"{name} gives over half of the pairs of stimuli equal responses: keep each stimulus once")
    return lambda squared: torch.expm1(-squared / (2 * bandwidth**2 * median))


def _pair_sums(y_a, y_b, kernel_a, kernel_b):
    """Sums over all i, j of K L, K K and L L, and the rows of K and L."""
    products, rows = y_a.new_zeros(3), y_a.new_zeros(2, len(y_a))
    for (at, squared_a), (_, squared_b) in zip(distance_blocks(y_a), distance_blocks(y_b), strict=True):
        a, b = kernel_a(squared_a), kernel_b(squared_b)
        products += torch.stack([(a * b).sum(), (a * a).sum(), (b * b).sum()])
        rows[:, at] = torch.stack([a.sum(-1), b.sum(-1)])
    return products, rows


def _normalised(sums, product):
    """product(a, b) / sqrt(product(a, a) product(b, b)); 0 where one of the latter is rounding."""
    (ab, aa, bb), (a, b) = sums
    own_a, own_b = product(aa, a, a), product(bb, b, b)
    if own_a <= ROUNDING * aa or own_b <= ROUNDING * bb:
        return 0.0
    return (product(ab, a, b) / (own_a.sqrt() * own_b.sqrt())).clamp(-1, 1)


def _hsic(product, a, b):
    return product - 2 * (a * b).mean() + a.mean() * b.mean()


def _unbiased_hsic(product, a, b):
    """Song et al. 2012, equation 5, times M (M - 3)."""
    stimuli = len(a)
    return product + a.sum() * b.sum() / ((stimuli - 1) * (stimuli - 2)) - 2 * (a * b).sum() / (stimuli - 2)


def _covariance(product, a, b):
    return product - a.sum() * b.sum() / (len(a) * (len(a) - 1))


def _later(blocks):
    """Of blocks of rows, what is to the right of the diagonal."""
    return torch.cat([block[torch.arange(block.shape[1], device=at.device) > at[:, None]] for at, block in blocks])


def _pairs(y, distances):
    """All i < j of one similarity matrix as an array, rounded to what is exact of them."""
    rows = torch.arange(len(y), device=y.device).split(max(1, BLOCK // len(y)))
    found = _later(distance_blocks(y) if distances else ((at, y[at] @ y.mT) for at in rows))
    step = ROUNDING * size_of(y.square().sum(-1), -1)
    return (found / step).round().cpu().numpy()


def _spearman(a, b):
    from scipy.stats import rankdata  # here, as it takes a second to load

    a, b = (rankdata(x) - (len(x) + 1) / 2 for x in (a, b))
    length = np.sqrt(a @ a) * np.sqrt(b @ b)
    return a @ b / length if length > 0 else 0.0


def _kendall(a, b):
    """tau-a from the tau-b of SciPy, which divides by the pairs that do not tie in a and in b instead of all."""
    from scipy.stats import kendalltau  # here, as it takes a second to load

    pairs = len(a) * (len(a) - 1) / 2
    free = [1 - (n * (n - 1) / 2).sum() / pairs for n in (np.unique(x, return_counts=True)[1] for x in (a, b))]
    return kendalltau(a, b)[0] * np.sqrt(free[0] * free[1]) if min(free) > 0 else 0.0
