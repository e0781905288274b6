"""What was expected of chapter 12 before two of its runs, as predicates over what it measures, and their outcome."""

import pandas as pd

from lib.chapter.tables import number, operands, true

BETWEEN = "average = pooled and shared > 0 and shared < 32"

# Of two simulated systems with so many of 32 features in common. When this was written only 16 had been tried.
SWEEP = {
    "nothing shared: joint codes score nothing": "max(sweep.r where of = joint and shared = 0) < 0.03",
    "joint codes, pooled: too much at each share between": f"min(sweep.over where of = joint and {BETWEEN}) > 0",
    "the excess is greatest where least is shared": "mean(sweep.over where of = joint and average = pooled and "
    "shared = 8) > mean(sweep.over where of = joint and average = pooled and shared = 24)",
    "independent codes, pooled: too little": f"max(sweep.over where of = alone and {BETWEEN}) < 0",
    "joint codes, by units: too little from a quarter up": "max(sweep.over where of = joint and average = unit and "
    "shared > 0) < 0",
    "all shared: independent codes, pooled, above .8": "min(sweep.r where of = alone and average = pooled and "
    "shared = 32) > 0.8",
}

# Of the layers in notebooks/profiles/imagenet_layers, which has the reasons.
LAYERS = {
    "raw, by units: .7 or more": "mean(scores.r where of = raw and average = unit) >= 0.7",
    "raw, pooled: .75 or more": "mean(scores.r where of = raw and average = pooled) >= 0.75",
    "joint above raw, by units: in .05 of pairs or fewer": "share(gains.gain where of = codes and over = raw and "
    "average = unit) <= 0.05",
    "joint above raw, pooled: in .25 or fewer": "share(gains.gain where of = codes and over = raw and "
    "average = pooled) <= 0.25",
    "gain follows the participation ratio, pooled: .3 or more": "gain_follows_pooled >= 0.3",
    "independent above raw, by units: in .02 or fewer": "share(gains.gain where of = alone and over = raw and "
    "average = unit) <= 0.02",
    "independent above raw, pooled: in .02 or fewer": "share(gains.gain where of = alone and over = raw and "
    "average = pooled) <= 0.02",
    "joint above independent, pooled: in .95 or more": "share(gains.gain where of = codes and over = alone and "
    "average = pooled) >= 0.95",
    "joint above rebuilt, by units: in .05 or fewer": "share(gains.gain where of = codes and over = rebuilt and "
    "average = unit) <= 0.05",
    "joint codes explain .65 or more": "mean(saes.explained where training = joint) >= 0.65",
}


def judged(expected: dict[str, str], results: dict) -> pd.DataFrame:
    """What was found of each expectation `{words: predicate}`, and whether it held; results as `lib.chapter.tables`.

    The number is that on the predicate's left side. Raises ValueError as `lib.chapter.tables.true`.
    """
    found = [f"{number(operands(predicate)[0], results):.3f}" for predicate in expected.values()]
    held = ["yes" if true(predicate, results) else "no" for predicate in expected.values()]
    return pd.DataFrame({"found": found, "held": held}, list(expected))
