"""Pearson correlation of units over stimuli; a unit that never changes has correlation 0."""

import torch

from lib.blocks import block_of
from lib.checks import check_pair


def constant_units(y: torch.Tensor) -> torch.Tensor:
    """Which units of `y: (..., stimuli, units)` have one value for every stimulus; boolean `(..., units)`."""
    return y.amax(-2) == y.amin(-2)


def centred(y: torch.Tensor) -> torch.Tensor:
    """`y` less the mean of each unit over stimuli; exactly 0 for a constant unit."""
    y = y - y[..., :1, :]  # exact where all of a unit's values are near each other, as around a large mean
    return y - y.mean(-2, keepdim=True)


def size_of(y: torch.Tensor, dims: int | tuple[int, ...] = (-2, -1)) -> torch.Tensor:
    """A power of two near the largest absolute value over `dims`, which are kept; 1 where all are 0.

    In double precision, `y.double() / size_of(y)` is `y` without rounding, and its squares keep within range.
    """
    largest = torch.maximum(y.amax(dims, keepdim=True), -y.amin(dims, keepdim=True)).double()  # no copy of y
    return torch.exp2(torch.where(largest > 0, largest, 1).log2().floor().clamp(-1022, 1023))


def standardised(y: torch.Tensor) -> torch.Tensor:
    """Units centred and of length 1, so that `standardised(y_a).mT @ standardised(y_b)` holds correlations.

    A constant unit becomes 0. No scale of a unit is too large or too small.
    """
    about = centred(y / size_of(y, -2).to(y.dtype))
    return about / lengths(about).clamp(min=torch.finfo(y.dtype).tiny)


def lengths(y: torch.Tensor) -> torch.Tensor:
    """Euclidean length of each unit's responses, `(..., 1, units)`; five times as fast as `vector_norm`."""
    return y.square().sum(-2, keepdim=True).sqrt()


def centre_and_scale(y: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Mean of each unit `(P, 1, units)`, and root of the summed variance of all units `(P, 1, 1)`."""
    parts = y.split(block_of(y.shape[0] * y.shape[2]), 1)
    centre = _mean([part.mean(1, keepdim=True) for part in parts], parts)
    size = torch.stack([size_of(part - centre) for part in parts]).amax(0).to(y.dtype)
    powers = [((part - centre) / size).square().sum(2, keepdim=True).mean(1, keepdim=True) for part in parts]
    return centre, _mean(powers, parts).sqrt() * size


def _mean(means, parts):
    """Of all stimuli, from the means of parts of them."""
    stimuli = sum(part.shape[1] for part in parts)
    return torch.stack([mean * (part.shape[1] / stimuli) for mean, part in zip(means, parts, strict=True)]).sum(0)


def unit_correlations(y_a: torch.Tensor, y_b: torch.Tensor) -> torch.Tensor:
    """Correlation of every unit of a with every unit of b over stimuli; `(..., units_a, units_b)`.

        C_ij = <y_a,i - mean, y_b,j - mean> / (|y_a,i - mean| |y_b,j - mean|)

    0 where a unit is constant. Raises ValueError on bad input. Source: Longon et al. 2025, section 2.
    """
    y_a, y_b = check_pair(y_a, y_b)
    return standardised(y_a).mT @ standardised(y_b)


def paired_correlations(y_a: torch.Tensor, y_b: torch.Tensor) -> torch.Tensor:
    """Correlation of unit j of a with unit j of b; `(..., units)`, 0 where either is constant.

    Raises ValueError on bad input and unless both have the same units.
    """
    y_a, y_b = check_pair(y_a, y_b)
    if y_a.shape[-1] != y_b.shape[-1]:
        raise ValueError(f"y_a has {y_a.shape[-1]} units and y_b has {y_b.shape[-1]}: pair each unit with one unit")
    return (standardised(y_a) * standardised(y_b)).sum(-2)
