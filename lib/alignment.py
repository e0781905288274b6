"""All scores of two networks at once, from their neurons and from codes of them, with the same held-out folds."""

from typing import NamedTuple

from lib.crossval import Scores
from lib.matching import semi_matching_folds, soft_matching_folds
from lib.moments import FoldMoments
from lib.regression import ridge_folds


class Alignment(NamedTuple):
    """Scores of populations a and b on the same stimuli."""

    soft: Scores  # symmetric
    semi_ab: Scores  # each unit of a finds its partner in b
    semi_ba: Scores
    ridge_ab: Scores  # b predicted from a
    ridge_ba: Scores


def align(moments: FoldMoments, a: str, b: str) -> Alignment:
    """Soft-matching, semi-matching and ridge regression between two populations of `moments`, both directions."""
    forth, back = moments.splits(a, b), moments.splits(b, a)
    constant = forth[0][0].constant_units()
    ab = [(train.correlations(), test.correlations()) for train, test in forth]
    ba = [(train.T, test.T) for train, test in ab]
    return Alignment(
        soft_matching_folds(ab, constant),
        semi_matching_folds(ab, constant),
        semi_matching_folds(ba, constant),
        ridge_folds(forth, constant),
        ridge_folds(back, constant),
    )
