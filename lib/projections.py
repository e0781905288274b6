"""Random projections from features to units, and what makes one invertible on sparse inputs."""

from itertools import combinations
from math import comb

import torch

from lib.checks import check_projection, check_sparsity


def gaussian(units: int, n: int, generator: torch.Generator, draws: int | None = None, dtype=torch.float64):
    """Projection with N(0, 1) entries: `(units, n)`, or `(draws, units, n)` if `draws` is given.

    Source: Liu et al. 2026, section 4.1.
    """
    shape = (units, n) if draws is None else (draws, units, n)
    return torch.randn(shape, generator=generator, dtype=dtype, device=generator.device)


def signs(units: int, n: int, generator: torch.Generator, draws: int | None = None, dtype=torch.float64):
    """Projection with entries +1 or -1 (kurtosis 1): `(units, n)`, or `(draws, units, n)`."""
    shape = (units, n) if draws is None else (draws, units, n)
    return torch.randint(0, 2, shape, generator=generator, device=generator.device).to(dtype) * 2 - 1


def overlap_masks(n_a: int, n_b: int, n_s: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Which of the `n_a + n_b - n_s` features each system encodes, as two boolean vectors.

    System a has the first n_a features, system b the last n_b; the n_s in the middle are shared. Multiply the columns
    of a projection with its mask. Raises ValueError unless 0 <= n_s <= min(n_a, n_b).
    Source: Liu et al. 2026, section 3.4 and appendix D.2.
    """
    if not 0 <= n_s <= min(n_a, n_b):
        raise ValueError(f"n_s = {n_s} shared of n_a = {n_a} and n_b = {n_b}: choose 0 <= n_s <= {min(n_a, n_b)}")
    feature = torch.arange(n_a + n_b - n_s)
    return feature < n_a, feature >= n_a - n_s


def coherence(a: torch.Tensor) -> torch.Tensor:
    """Mutual coherence, the largest |cosine| between two columns of `a: (..., units, n)`.

        mu(A) = max_{i != j} |<a_i, a_j>| / (|a_i| |a_j|)

    Sparse recovery is certain for k < (1 + 1 / mu) / 2, by basis pursuit if the columns are of one length [Donoho and
    Elad 2003].
    """
    check_projection(a)
    columns = torch.nn.functional.normalize(a, dim=-2)
    cosines = (columns.mT @ columns).abs()
    return cosines.triu(1).amax((-2, -1))


def restricted_isometry_constant(a: torch.Tensor, k: int) -> float:
    """The exact restricted isometry constant of order k of `a: (units, n)`, by looking at every support.

        delta_k = max over supports S of size k of max(s_max(A_S)^2 - 1, 1 - s_min(A_S)^2)

    with s the singular values. Columns are taken as given: normalise them first. Exponential in k: small n only.
    Raises ValueError beyond a million supports.
    """
    check_projection(a)
    if a.ndim != 2:
        raise ValueError(f"a has shape {tuple(a.shape)}: give one projection, (units, features)")
    n = a.shape[1]
    check_sparsity(n, k)
    if comb(n, k) > 1_000_000:
        raise ValueError(f"{comb(n, k)} supports of size {k} of {n} features: choose n and k for under a million")
    supports = torch.tensor(list(combinations(range(n), k)))
    squared = torch.linalg.eigvalsh((a.mT @ a)[supports[:, :, None], supports[:, None, :]])
    return float(torch.maximum(squared.amax() - 1, 1 - squared.amin()))
