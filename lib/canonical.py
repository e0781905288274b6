"""Alignment after the best linear map, or the best rotation, of each system: CCA, SVCCA, PWCCA and Procrustes.

CCA hears the spaces that units span and nothing of their variances; Procrustes hears the variances too. Responses are
centred and taken in double precision, each system divided by its largest value first. Cost O(M (m_a + m_b)^2) for M
stimuli and m_a, m_b units; matrices are stimuli x units or units x units.
"""

import torch

from lib.checks import check_pair
from lib.correlation import centred, size_of
from lib.printed import score
from lib.regression import column_space


def canonical_correlations(y_a: torch.Tensor, y_b: torch.Tensor) -> torch.Tensor:
    """Correlations rho_1 >= rho_2 >= ... of the pairs of directions that correlate most; `(..., min(units))`.

        rho = singular values of Q_a' Q_b,   Q orthonormal bases of the centred responses

    Dependent or constant units add no direction: correlations beyond the smaller rank are 0. `y_a: (..., stimuli,
    units_a)`, `y_b: (..., stimuli, units_b)`. Raises ValueError on bad input and where a system's directions are as
    many as the stimuli allow, which makes all correlations 1. Hotelling 1936; by QR as Bjorck and Golub 1973.
    """
    return _canonical(*_spaces(y_a, y_b))[1]


def cca(y_a: torch.Tensor, y_b: torch.Tensor, squared: bool = False) -> torch.Tensor:
    """Mean canonical correlation, or mean squared, over the directions of the system that has fewer; `(...)`.

        CCA = sum_i rho_i / r,   CCA^2 = sum_i rho_i^2 / r,   r = min(rank_a, rank_b)

    Equal for all invertible maps of a system; 0 where one is constant. In a sample, unrelated systems have mean CCA^2
    of max(rank_a, rank_b) / (M - 1): give many more stimuli M than units. Shapes and errors as in
    `canonical_correlations`. Kornblith et al. 2019, section 3 and table 1.

        >>> y = torch.tensor([[0.0, 1], [1, 0], [2, 5], [3, 1]])
        >>> round(float(cca(y, y @ torch.tensor([[1.0, 2], [0, 9]]))), 4)  # an invertible map
        1.0
    """
    basis_a, basis_b = _spaces(y_a, y_b)
    return score(_mean(basis_a, basis_b, squared))


def svcca(y_a: torch.Tensor, y_b: torch.Tensor, share: float = 0.99, squared: bool = False) -> torch.Tensor:
    """`cca` of the leading principal axes of each system, the fewest that hold a `share` of its variance; `(...)`.

    Equal for rotations, scales and shifts of a system. Shapes as in `cca`; raises ValueError also unless
    0 < share < 1. Raghu et al. 2017.
    """
    if not 0 < share < 1:
        raise ValueError(f"share {share} of the variance: choose one between 0 and 1, or cca, which keeps all axes")
    y_a, y_b = check_pair(y_a, y_b, min_stimuli=3)
    return score(_mean(_leading_axes(y_a, "y_a", share), _leading_axes(y_b, "y_b", share), squared))


def pwcca(y_a: torch.Tensor, y_b: torch.Tensor) -> torch.Tensor:
    """Mean canonical correlation, each weighted by how much of a its direction accounts for; `(...)`.

        PWCCA(a, b) = sum_i alpha_i rho_i / sum_i alpha_i,   alpha_i = sum_j |<h_i, y_a,j>|

    h_i are the canonical variates of a, of length 1, for i up to the smaller rank, and y_a,j its centred units. Not
    symmetric: report both directions. Shapes and errors as in `cca`. Morcos et al. 2018, section 2.2.
    """
    y_a, y_b = check_pair(y_a, y_b, min_stimuli=3)
    basis_a, basis_b = _spaces(y_a, y_b)
    u, rho = _canonical(basis_a, basis_b)
    alpha = (u.mT @ (basis_a.mT @ centred(y_a.double()))).abs().sum(-1)
    alpha = alpha * (torch.arange(rho.shape[-1], device=rho.device) < _fewest(basis_a, basis_b)[..., None])
    return score((alpha * rho).sum(-1) / alpha.sum(-1).clamp(min=torch.finfo(alpha.dtype).tiny))


def procrustes(y_a: torch.Tensor, y_b: torch.Tensor) -> torch.Tensor:
    """Cosine between the responses after the best rotation or reflection of one system, by the nuclear norm; `(...)`.

        cos theta = max_{Q orthogonal} <Y_a, Y_b Q> / (|Y_a| |Y_b|) = |Y_a' Y_b|_* / (|Y_a|_F |Y_b|_F)

    for centred Y; the system with fewer units is given more that are 0. From 0, where no unit of one correlates with
    any of the other or one is constant, to 1 for rotated and scaled systems. `y_a: (..., stimuli, units_a)`, `y_b:
    (..., stimuli, units_b)`. Raises ValueError on bad input. Williams et al. 2021, equation 3; the residual of
    `scipy.spatial.procrustes` is 1 - cos^2 theta.

        >>> y = torch.tensor([[0.0, 1], [1, 0], [2, 5]])
        >>> round(float(procrustes(y, 3 * y.flip(1) + 1)), 4)  # other order, scale and mean
        1.0
    """
    a, b = _of_length_1(*check_pair(y_a, y_b))
    return score(torch.linalg.svdvals(a.mT @ b).sum(-1).clamp(max=1))


def shape_distance(y_a: torch.Tensor, y_b: torch.Tensor) -> torch.Tensor:
    """Angular Procrustes distance theta, in radians from 0 to pi / 2; a metric on shapes; `(...)`.

        theta = arccos(cos theta) = 2 arcsin(|Y_a - Y_b Q|_F / 2),   |Y_a|_F = |Y_b|_F = 1, the best Q

    The second form keeps small angles exact. pi / 2 where one system is constant; shapes and errors as in
    `procrustes`. Williams et al. 2021, equation 4.
    """
    a, b = _of_length_1(*check_pair(y_a, y_b))
    units = max(a.shape[-1], b.shape[-1])
    a, b = (torch.nn.functional.pad(y, (0, units - y.shape[-1])) for y in (a, b))
    u, cosine, vt = torch.linalg.svd(b.mT @ a)
    apart = torch.linalg.matrix_norm(a - b @ (u @ vt))
    nothing = (a == 0).all(-1).all(-1) | (b == 0).all(-1).all(-1)
    return score(torch.where(nothing, torch.pi / 2, 2 * (apart / 2).clamp(max=0.5**0.5).arcsin()))


def _spaces(y_a, y_b):
    y_a, y_b = check_pair(y_a, y_b, min_stimuli=3)
    return _not_all(column_space(y_a)[0], "y_a"), _not_all(column_space(y_b)[0], "y_b")


def _leading_axes(y, name, share):
    """Orthonormal basis of the principal axes of `svcca`, `(..., stimuli, axes)`; 0 for those left out."""
    q, triangle = torch.linalg.qr(centred(y.double() / size_of(y)))
    u, values, _ = torch.linalg.svd(triangle, full_matrices=False)
    variance = values.square()
    before = variance.cumsum(-1) - variance
    return _not_all((q @ u) * (before < share * variance.sum(-1, keepdim=True))[..., None, :], name)


def _not_all(basis, name):
    """The basis, unless it spans all that stimuli can: each direction of the other system lies in it then."""
    directions, stimuli = int(_rank(basis).max()), basis.shape[-2]
    if directions >= stimuli - 1:
        raise ValueError(
            f"{name} has {directions} independent directions over {stimuli} stimuli, which correlate perfectly with "
            "anything: give more stimuli, or fewer axes by svcca"
        )
    return basis


def _rank(basis):
    return (basis != 0).any(-2).sum(-1)


def _fewest(basis_a, basis_b):
    return torch.minimum(_rank(basis_a), _rank(basis_b))


def _canonical(basis_a, basis_b):
    u, rho, _ = torch.linalg.svd(basis_a.mT @ basis_b, full_matrices=False)
    return u, rho.clamp(max=1)


def _mean(basis_a, basis_b, squared):
    rho = _canonical(basis_a, basis_b)[1]
    return (rho.square() if squared else rho).sum(-1) / _fewest(basis_a, basis_b).clamp(min=1)


def _of_length_1(*systems):
    for y in systems:
        y = centred(y.double() / size_of(y))
        yield y / torch.linalg.matrix_norm(y, keepdim=True).clamp(min=torch.finfo(y.dtype).tiny)
