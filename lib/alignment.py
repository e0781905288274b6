"""All scores of two networks at once, from their neurons and from codes of them, on the same held-out folds."""

from typing import NamedTuple

import torch

from lib.crossval import Scores
from lib.matching import held_out_best, semi_matching_folds, soft_matching_folds
from lib.moments import FoldMoments
from lib.regression import ridge_folds


class Alignment(NamedTuple):
    """Scores of populations a and b on the same stimuli: `Scores` over folds, or tensors over pairs of models."""

    soft: Scores | torch.Tensor  # soft-matching, symmetric
    semi_ab: Scores | torch.Tensor  # semi-matching, each unit of a finds its partner in b
    semi_ba: Scores | torch.Tensor
    ridge_ab: Scores | torch.Tensor  # ridge regression, b predicted from a
    ridge_ba: Scores | torch.Tensor


def align(moments: FoldMoments, a: str, b: str) -> Alignment:
    """Soft-matching, semi-matching and ridge regression between two populations of `moments`, named `a` and `b`.

    Each score is fitted on all folds but one, read on that one, and the mean over folds. Units that are constant
    score 0. Equations and sources: `soft_matching_score`, `semi_matching_score` and `ridge_score`.
    """
    forth, back = moments.splits(a, b), moments.splits(b, a)
    constant = moments.constant_units(a, b)
    ab = [(train.correlations(), test.correlations()) for train, test in forth]
    ba = [(train.T, test.T) for train, test in ab]
    return Alignment(
        soft_matching_folds(ab, constant),
        semi_matching_folds(ab, constant),
        semi_matching_folds(ba, constant),
        ridge_folds(forth, constant),
        ridge_folds(back, constant),
    )


def align_pairs(pairs: list[FoldMoments], a: str, b: str) -> Alignment:
    """The mean over folds of each score of `align` for each pair of models, as tensors `(pairs,)`."""
    scores = [align(moments, a, b) for moments in pairs]
    means = torch.tensor([[score.mean for score in one] for one in scores], dtype=torch.float64)
    return Alignment(*means.T)


def gain(scores: dict[str, Alignment], metric: str, better: str, worse: str) -> torch.Tensor:
    """How much one pairing of populations scores above another by a metric, for each pair of models; `(pairs,)`."""
    return getattr(scores[better], metric) - getattr(scores[worse], metric)


def feature_correlations(moments: FoldMoments, features: str, population: str) -> torch.Tensor:
    """For each feature, the held-out correlation with the unit it correlates with best in training; `(features,)`.

    The mean over folds. Source: Longon et al. 2025, appendix A.3.
    """
    splits = moments.splits(features, population)
    return torch.stack([held_out_best(train.correlations(), test.correlations()) for train, test in splits]).mean(0)


def seed_pairs(**responses: torch.Tensor) -> dict[str, torch.Tensor]:
    """Responses of P models `(P, stimuli, units)` by pairs: `name_a` the even models, `name_b` the odd ones."""
    return {f"{name}_{side}": y[start::2] for name, y in responses.items() for start, side in enumerate("ab")}
