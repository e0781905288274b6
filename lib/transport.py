"""Exact optimal transport between two numbers of units, from the few pairs of units that an optimal plan may need."""

from typing import NamedTuple

import numpy as np
import torch

from lib.correlation import size_of

FEW = 2**18  # pairs of units up to which all of them are as quick
KEPT = 10  # best partners of each unit that a plan is first looked for among
MISSED = 1e-9  # of the size of the largest cost, by which a pair may still improve the plan
ROWS = 1024  # units of a whose pairs are looked at together


class Plan(NamedTuple):
    """The pairs of units between which a plan moves something, and how much."""

    rows: torch.Tensor  # units of a
    columns: torch.Tensor  # units of b
    mass: torch.Tensor  # above 0, in double precision

    def total(self, similarity: torch.Tensor) -> float:
        """sum_ij P_ij similarity_ij, of any `similarity: (units_a, units_b)`."""
        return float((self.mass * similarity.cpu()[self.rows, self.columns]).sum())


def transport(similarity: torch.Tensor) -> Plan:
    """The plan P >= 0 with row sums 1 / N_a and column sums 1 / N_b of largest sum P_ij similarity_ij.

    POT's network simplex looks for it among each unit's best partners alone. The prices u, v that it gives the units
    tell for every other pair whether it could improve the plan,

        cost_ij - u_i - v_j < 0,   cost = max similarity - similarity

    and pairs that could join until there are none. So the plan is the best among all pairs, to MISSED, in a fraction of
    the time and memory. Raises RuntimeError if the solver stops before the marginals hold.
    Source: column generation, Dantzig and Wolfe 1960.
    """
    highest = similarity.max().double()
    size = size_of((highest - similarity.min()).view(1, 1)).item()
    if similarity.numel() <= FEW:
        return _solved((highest - similarity.double()).numpy() / size, similarity.shape)[0]
    from scipy.sparse import coo_array

    pairs, before = _first(similarity), 0
    while True:
        rows, columns = pairs // similarity.shape[1], pairs % similarity.shape[1]
        cost = (highest - similarity[rows, columns].double()) / size
        plan, u, v = _solved(coo_array((cost, (rows, columns)), similarity.shape), similarity.shape)
        better = _better(similarity, highest, size, u, v)
        if len(pairs) == before or not len(better):  # what a pair that is there already could gain is rounding
            return plan
        pairs, before = torch.cat([pairs, better]).unique(), len(pairs)


def _first(similarity):
    """Each unit's best partners, and pairs along which every mass can be moved, so that there is a plan."""
    units_a, units_b = similarity.shape
    row, column = torch.arange(units_a)[:, None], torch.arange(units_b)
    best = row * units_b + similarity.topk(min(KEPT, units_b), 1).indices
    partners = similarity.topk(min(KEPT, units_a), 0).indices * units_b + column
    # The corners of both divisions of a line of length 1, into 1 / N_a and into 1 / N_b.
    ends = torch.cat([torch.arange(1, units_a + 1) * units_b, torch.arange(1, units_b + 1) * units_a]) - 1
    corners = ends // units_b * units_b + ends // units_a
    return torch.cat([best.flatten(), partners.flatten(), corners]).unique()


def _solved(cost, shape):
    """The best plan among the pairs that have a cost, and the prices of the units of a and of b."""
    import ot  # here, because it loads scikit-learn

    mass_a, mass_b = (torch.full((units,), 1 / units, dtype=torch.float64).numpy() for units in shape)
    found, log = ot.emd(mass_a, mass_b, cost, numItermax=10_000_000, log=True, center_dual=False)
    error = max(abs(found.sum(1) - mass_a).max(), abs(found.sum(0) - mass_b).max())
    # The solver only warns when it runs out of iterations, and then the plan does not add up.
    if error > 1e-8:
        raise RuntimeError(f"optimal transport did not converge (marginals off by {error:.1e}): remove duplicate units")
    rows, columns = map(torch.from_numpy, found.nonzero())
    mass = torch.from_numpy(found[rows, columns] if isinstance(found, np.ndarray) else found.data[found.data != 0])
    return Plan(rows.long(), columns.long(), mass), torch.from_numpy(log["u"]), torch.from_numpy(log["v"])


def _better(similarity, highest, size, u, v):
    """Pairs that could improve the plan: those that could most, of each unit of a, and of each of b in each block."""
    found, units_b = [torch.empty(0, dtype=torch.int64)], similarity.shape[1]
    for start in range(0, len(similarity), ROWS):
        some = slice(start, start + ROWS)
        gap = (highest - similarity[some].double()) / size - u[some, None] - v
        for most, along in ((KEPT, 1), (2, 0)):
            values, at = gap.topk(min(most, gap.shape[along]), along, largest=False)
            other = torch.arange(gap.shape[1 - along])
            pair = other[:, None] * units_b + at if along else at * units_b + other
            found.append(pair[values < -MISSED] + start * units_b)
    return torch.cat(found).unique()
