"""Mutual nearest neighbours: whether two systems agree on which stimuli are most alike."""

import torch

from lib.checks import check_pair
from lib.correlation import size_of
from lib.geometry import ROUNDING, unit_rows
from lib.pairwise import distance_blocks, each_pair, in_range


def mutual_knn(y_a: torch.Tensor, y_b: torch.Tensor, k: int = 10, similarity: str = "cosine") -> torch.Tensor:
    """Mean share of a stimulus' k nearest neighbours in a that are among its k nearest in b; `(...)`.

        m = (1 / M) sum_i |N_a(i) & N_b(i)| / k

    `similarity` says what is near: `cosine` of the responses as they are, not centred, or `euclidean` distance.
    Neighbours that tie for the last places, up to rounding, share them, as drawn by lot. Systems that have nothing in
    common score about k / (M - 1), not 0, and so does a constant one; rotations and scales change nothing.

    `y_a: (..., stimuli, units_a)`, `y_b: (..., stimuli, units_b)`. Time grows as the square of the stimuli, memory does
    not: distances come in blocks. Raises ValueError on bad input, unless 1 <= k <= stimuli - 2 and, for cosines, on a
    stimulus without response. Huh et al. 2024, appendix A.

        >>> y = torch.tensor([[0.0, 1], [0, 2], [3, 1], [4, 1]])
        >>> float(mutual_knn(y, y.flip(1), k=1))  # the same units in another order
        1.0
    """
    if similarity not in ("cosine", "euclidean"):
        raise ValueError(f"similarity {similarity!r} is unknown: choose cosine or euclidean")
    y_a, y_b = check_pair(y_a, y_b, min_stimuli=3)
    most = y_a.shape[-2] - 2
    if isinstance(k, bool) or not isinstance(k, int) or not 1 <= k <= most:
        raise ValueError(f"k = {k} neighbours of {most + 2} stimuli: choose a whole number from 1 to {most}")
    if similarity == "cosine":  # grows as the distance of responses of length 1 shrinks
        a, b = (unit_rows(y.double() / size_of(y), name, "cosine") for y, name in ((y_a, "y_a"), (y_b, "y_b")))
    else:
        a, b = in_range(y_a), in_range(y_b)
    return each_pair(lambda a, b: _overlap(a, b, k), a, b)


def _overlap(y_a, y_b, k):
    found = sum(
        (_places(a, k, y_a, rows) * _places(b, k, y_b, rows)).sum()
        for (rows, a), (_, b) in zip(distance_blocks(y_a), distance_blocks(y_b), strict=True)
    )
    return found / (k * len(y_a))


def _places(squared, k, y, rows):
    """For each pair of stimuli, 1 if the second is among the k nearest of the first; less where it ties for a place."""
    squared[torch.arange(len(rows), device=y.device), rows] = torch.inf
    last = squared.kthvalue(k, -1, keepdim=True).values
    powers = y.square().sum(-1)
    rounding = ROUNDING * (powers[rows, None] + powers)
    nearer, ties = squared < last - rounding, (squared - last).abs() <= rounding
    left = k - nearer.sum(-1, keepdim=True).double()
    return nearer + ties * (left / ties.sum(-1, keepdim=True))
