"""Matching metrics: how well units of one system correspond one to one, or softly, to units of another.

Units are columns, correlations are Pearson over stimuli, and every score is fitted on training folds and read on the
held-out fold. [A] is Longon et al. 2025; soft matching is Khosla and Williams 2024.
"""

import torch

from lib.checks import POSITION, as_tensor, check_finite, check_pair
from lib.correlation import constant_units, unit_correlations
from lib.crossval import Scores, k_folds, summarise
from lib.transport import Plan, transport


def best_permutation(similarity: torch.Tensor) -> torch.Tensor:
    """The column matched to each row by the permutation of largest total; `(units,)`.

    Raises ValueError unless `similarity` is a finite square matrix.
    """
    from scipy.optimize import linear_sum_assignment  # here, as it takes a third of a second to load

    similarity = _checked(similarity)
    if similarity.shape[0] != similarity.shape[1]:
        raise ValueError(
            f"similarity has shape {tuple(similarity.shape)}: a permutation needs as many units in a as in b"
        )
    return torch.as_tensor(linear_sum_assignment(similarity, maximize=True)[1])


def permutation_score(similarity: torch.Tensor) -> float:
    """Permutation alignment score of a square matrix of similarities, G = A'B for white latents.

        score = (1 / N) max_perm sum_i G_i,perm(i)

    [A, section 3]
    """
    columns = best_permutation(similarity)
    return float(_checked(similarity)[torch.arange(len(columns)), columns].double().mean())


def soft_matching_plan(similarity: torch.Tensor) -> torch.Tensor:
    """The plan P >= 0 with row sums 1 / N_a and column sums 1 / N_b of largest sum P_ij similarity_ij.

    Equal sizes: a linear assignment, which is one of the optimal plans. Otherwise exact optimal transport. Returns
    `(units_a, units_b)` in double precision on the CPU. Raises ValueError on non-finite input and RuntimeError if the
    transport solver stops before the marginals hold. [A, equation 1]
    """
    found = _plan(similarity)
    plan = torch.zeros(_checked(similarity).shape, dtype=torch.float64)
    plan[found.rows, found.columns] = found.mass
    return plan


def _plan(similarity) -> Plan:
    if len(similarity := _checked(similarity)) != similarity.shape[1]:
        return transport(similarity)
    columns = best_permutation(similarity)
    return Plan(torch.arange(len(columns)), columns, torch.full((len(columns),), 1 / len(columns), dtype=torch.float64))


def _checked(similarity):
    """The matrix on the CPU, where the solvers are."""
    similarity = as_tensor(similarity, "similarity")
    if similarity.ndim != 2 or similarity.numel() == 0:
        given = f"shape {tuple(similarity.shape)}"
        raise ValueError(f"similarity ({given}) is no matrix: give an array (units_a, units_b), neither of them 0")
    check_finite(similarity, "similarity")
    return similarity.detach().cpu()


def soft_matching_score(y_a: torch.Tensor, y_b: torch.Tensor, folds: int = 5, seed: int = 0) -> Scores:
    """Soft-matching correlation, the plan fitted on training folds and scored on the held-out fold.

        score = sum_ij P_ij corr_ij(test),   P = argmax sum_ij P_ij corr_ij(train)

    `y_a: (stimuli, units_a)`, `y_b: (stimuli, units_b)`. Symmetric in a and b. Raises ValueError on bad input.
    [A, equation 1]

        >>> y = torch.randn(40, 3, generator=torch.Generator().manual_seed(0))
        >>> round(soft_matching_score(y, 2 * y.flip(1)).mean, 4)  # the same units in another order
        1.0
    """
    return soft_matching_folds(*_fold_correlations(y_a, y_b, folds, seed))


def semi_matching_score(y_a: torch.Tensor, y_b: torch.Tensor, folds: int = 5, seed: int = 0) -> Scores:
    """Semi-matching: each unit of a takes its best-correlated unit of b on training folds; mean held-out correlation.

        score(a to b) = (1 / N_a) sum_i corr_i,best(i)(test),   best(i) = argmax_j corr_ij(train)

    Not symmetric: report both directions. Shapes and errors as in `soft_matching_score`. [A, appendix A.1]
    """
    return semi_matching_folds(*_fold_correlations(y_a, y_b, folds, seed))


def soft_matching_folds(correlations: list[tuple[torch.Tensor, torch.Tensor]], constant: float = 0.0) -> Scores:
    """`soft_matching_score` from correlations `(units_a, units_b)` over (training, held-out) stimuli of each fold."""
    return summarise([held_out_soft(c, held) for c, held in correlations], constant)


def semi_matching_folds(correlations: list[tuple[torch.Tensor, torch.Tensor]], constant: float = 0.0) -> Scores:
    """`semi_matching_score` from the correlations over (training, held-out) stimuli of each fold."""
    return summarise([held_out_semi(c, held) for c, held in correlations], constant)


def held_out_soft(train: torch.Tensor, test: torch.Tensor) -> float:
    """Soft-matching correlation on held-out stimuli by the plan of the training ones; `(units_a, units_b)` both."""
    return _plan(train).total(test)


def held_out_semi(train: torch.Tensor, test: torch.Tensor) -> float:
    """Mean of `held_out_best`."""
    return float(held_out_best(train, test).mean())


def held_out_best(train: torch.Tensor, test: torch.Tensor) -> torch.Tensor:
    """For each unit of a, the held-out correlation with its best partner in training; `(units_a,)`."""
    return test.gather(1, train.argmax(1, keepdim=True))[:, 0]


def _fold_correlations(y_a, y_b, folds, seed):
    y_a, y_b = check_pair(y_a, y_b, min_stimuli=4)
    if y_a.ndim != 2 or y_b.ndim != 2:
        raise ValueError(
            f"y_a {tuple(y_a.shape)} and y_b {tuple(y_b.shape)}: give one pair, (stimuli, units) each; {POSITION}"
        )
    correlations = [
        (unit_correlations(y_a[train], y_b[train]), unit_correlations(y_a[test], y_b[test]))
        for train, test in k_folds(len(y_a), folds, seed)
    ]
    return correlations, float(torch.cat([constant_units(y_a), constant_units(y_b)]).double().mean())
