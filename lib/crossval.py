"""Folds over stimuli, stimuli that repeat, units that never fire, and scores with their spread."""

from typing import NamedTuple

import torch

from lib.blocks import Rows, summary
from lib.printed import as_number

NEAR = 0.01  # stimuli this near, in shares of the typical distance of two, are copies
MOST_ALIKE = 0.1  # share of stimuli from which on likeness is no copying: a state that recurs, or few dimensions
AXES = 64  # random projections of the stimuli that are looked at first, 8 of them in a tree
PAIRS = 200  # a stimulus, of near ones, that are looked at


class Scores(NamedTuple):
    """A score over folds."""

    mean: float
    standard_error: float  # standard deviation over folds / sqrt(folds)
    folds: list[float]  # the held-out score of each fold
    constant_units: float  # share of the units of both systems that are constant, and so score 0

    def __float__(self) -> float:
        return self.mean

    __format__ = as_number

    def __repr__(self) -> str:
        return f"{self.mean:.4f} ± {self.standard_error:.4f}"


def k_folds(
    stimuli: int, folds: int = 5, seed: int = 0, groups: torch.Tensor | None = None
) -> list[tuple[torch.Tensor, torch.Tensor]]:
    """Random (train, test) index pairs; test sets are disjoint and cover all stimuli.

    With `groups`, a number for each stimulus, stimuli of one number are in one test set. Raises ValueError unless
    2 <= folds <= stimuli / 2, so that every test fold has two stimuli, and if groups leave a fold fewer.
    """
    if not 2 <= folds <= stimuli / 2:
        raise ValueError(f"{folds} folds of {stimuli} stimuli: choose from 2 to {stimuli // 2} folds")
    generator = torch.Generator().manual_seed(seed)
    if groups is None:
        parts = torch.randperm(stimuli, generator=generator).tensor_split(folds)
    else:
        order, middle = grouped_order(groups, generator)
        part = (middle * folds).long()
        parts = [order[part == i] for i in range(folds)]
    if min(map(len, parts)) < 2:
        raise ValueError(f"groups of {stimuli} stimuli leave a fold fewer than 2: give smaller groups or fewer folds")
    return [(torch.cat([*parts[:i], *parts[i + 1 :]]), parts[i]) for i in range(folds)]


def grouped_order(groups: torch.Tensor, generator: torch.Generator) -> tuple[torch.Tensor, torch.Tensor]:
    """Stimuli in random order, group by group, and where the middle of each one's group lies, from 0 to 1."""
    _, number, size = groups.cpu().unique(return_inverse=True, return_counts=True)
    rank = torch.randperm(len(size), generator=generator)
    ends = size[rank.argsort()].double().cumsum(0)
    middle = (ends - size[rank.argsort()] / 2) / len(groups)
    place = rank[number]
    order = place.argsort(stable=True)
    return order, middle[place[order]]


def copies(y: torch.Tensor) -> torch.Tensor:
    """A number for each stimulus of `y: (stimuli, units)`, the same for those that are copies, exact or nearly so.

    Copies are less than NEAR apart, in shares of sqrt(2 |variance|), the typical distance of two stimuli, or are linked
    by others that are. Where this makes one group of more than MOST_ALIKE of the stimuli, only exact copies count, and
    not even these if they do: a network that is silent for many stimuli does not repeat them.
    """
    rows = Rows.of(y)
    mean, deviation, _ = summary(rows)
    typical = (2 * deviation.square().sum()).sqrt()
    return copies_among(rows.then(lambda part: (part - mean) / typical))


def copies_among(x: Rows) -> torch.Tensor:
    """`copies` of centred stimuli whose typical distance is 1."""
    for near in (NEAR, 1e-12):
        found = _linked(x, near)
        if found.bincount().max() <= MOST_ALIKE * len(x.places):
            return found
    return torch.arange(len(x.places))


def _linked(x, near):
    """Numbers of the groups that links of less than `near` make; one for all if there are too many links to look at."""
    import numpy as np  # here, as scipy's trees are slow to load
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components
    from scipy.spatial import KDTree

    units = x[:1].shape[1]
    axes = min(units, AXES)  # distances of random projections come close to those of all units
    projections = torch.randn(units, axes, generator=torch.Generator().manual_seed(0)).double() / axes**0.5
    seen, same = torch.cat([part.cpu() @ projections for part in x.blocks()]).unique(dim=0, return_inverse=True)
    one, order = torch.full((len(seen),), len(same)).scatter_reduce(0, same, torch.arange(len(same)), "amin").sort()
    seen, same = seen[order], order.argsort()[same]  # exact copies once, in the order in which they come
    few = (seen[:, :8] * (axes / min(axes, 8)) ** 0.5).numpy()
    tree, around = KDTree(few), np.zeros(len(few), int)
    for part in np.array_split(np.arange(len(few)), 1 + len(few) // 10_000):  # as there may be too many soon
        around[part] = tree.query_ball_point(few[part], 2 * near, return_length=True)
        if around.sum() > PAIRS * len(few):
            return torch.zeros(len(same), dtype=torch.int64)
    some = (around > 1).nonzero()[0]
    pairs = torch.from_numpy(some[KDTree(few[some]).query_pairs(2 * near, output_type="ndarray")])
    parts = [(part, (seen[part[:, 0]] - seen[part[:, 1]]).norm(dim=1) < 2 * near) for part in pairs.split(2**18)]
    pairs = torch.cat([part[close] for part, close in parts] or [pairs])
    each = [(x[one[part[:, 0]]] - x[one[part[:, 1]]]).norm(dim=1).cpu() < near for part in pairs.split(1000)]
    i, j = pairs[torch.cat(each)].numpy().T if each else pairs.numpy().T
    links = coo_matrix((np.ones(len(i)), (i, j)), shape=(len(seen), len(seen)))
    return torch.from_numpy(connected_components(links, directed=False)[1].astype(np.int64))[same]


def silent_units(y: torch.Tensor, folds: list[tuple[torch.Tensor, torch.Tensor]]) -> torch.Tensor:
    """Units of `y: (stimuli, units)` that are 0 for every stimulus of some test fold; boolean `(units,)`.

    They are collected over all folds and removed from all before scoring. Source: Longon et al. 2025, section 4.1.
    """
    return torch.stack([(y[test.to(y.device)] == 0).all(0) for _, test in folds]).any(0)


def summarise(folds: list[float], constant_units: float = 0.0) -> Scores:
    """Mean and standard error of the folds' scores."""
    values = torch.tensor(folds, dtype=torch.float64)
    return Scores(float(values.mean()), float(values.std() / len(folds) ** 0.5), folds, constant_units)
