"""How often the report is right on pairs of known answer: its answers by truth, and what so many draws can exclude."""

import json
import math
from pathlib import Path
from typing import Any

import pandas as pd

from lib.chapter.carried import of_book
from lib.known_pairs import KNOWN, half
from lib.verdict import Findings, Gain, reading

GAINS = [name for name, kind in Findings.__annotations__.items() if kind is Gain]
ANSWERS = ["yes", "in part", "no", "cannot tell"]  # "in part" was one of the earlier report
WRONG = {"false yes": ("no", "yes"), "false no": ("yes", "no")}  # truth and answer
GOALS = {"false yes": 0.02, "false no": 0.1}  # rates that we set out to keep below


def judged(path: Path) -> pd.DataFrame:
    """What the rules in force say of the findings that `benchmarks/calibration.py` keeps: a row for each draw.

    Columns: those of `described`, k and latents, answer, verdict; `gain`, whether S-S is clearly above N-N, the rule of
    one who looks at nothing else; and `unordered`, the answer of one who does not see that neighbouring stimuli are
    alike. What the report refuses counts as cannot tell.
    """
    rows = []
    for line in of_book(path).read_text(encoding="utf-8").splitlines():
        kept = json.loads(line)
        row = described(kept["pair"], kept["draw"]) | {"answer": "cannot tell", "verdict": "refused", "gain": "no"}
        row |= {"k": 0, "latents": 0, "unordered": "cannot tell"}
        if "findings" in kept:
            numbers: dict[str, Any] = {
                key: Gain(*one) if key in GAINS else one for key, one in kept["findings"].items()
            }
            found = Findings(**numbers)
            verdict = reading(found).verdict
            row |= {"k": found.k, "latents": found.latents, "answer": verdict.answer, "verdict": verdict.value}
            row["unordered"] = reading(found._replace(independent=math.inf)).verdict.answer
            row["gain"] = "yes" if found.match_gain.direction == "up" else "no"
        rows.append(row)
    return pd.DataFrame(rows)


def described(name: str, draw: int) -> dict:
    """The pair, its draw, truth and half, its units (of a) and stimuli."""
    units, stimuli = KNOWN[name].sizes[draw]
    row = {"pair": name, "draw": draw, "truth": KNOWN[name].truth, "half": half(name)}
    return row | {"units": units, "stimuli": stimuli}


def judged_before(path: Path) -> pd.DataFrame:
    """The same of the report as it was, from the headlines that `benchmarks/calibration_before.py` keeps.

    A headline answers by its first words, one of ANSWERS; any other says that the scores cannot be trusted, or is an
    error: cannot tell.
    """
    kept = pd.read_csv(of_book(path))
    answers = [next((a for a in ANSWERS if one.lower().startswith(a)), "cannot tell") for one in kept.headline]
    rows = [described(name, draw) for name, draw in zip(kept.pair, kept.draw, strict=True)]
    return pd.DataFrame(rows).assign(answer=answers, headline=kept.headline)


def confusion(rows: pd.DataFrame, answer: str = "answer") -> pd.DataFrame:
    """Counts of answers by truth; `in part` only if it was said."""
    counted = pd.crosstab(rows.truth, rows[answer])
    columns = [one for one in ANSWERS if one != "in part" or one in counted]
    return counted.reindex(["no", "yes", "open"]).reindex(columns=columns).fillna(0).astype(int)


def rates(rows: pd.DataFrame) -> pd.DataFrame:
    """Shares of wrong and of withheld answers, of the pairs whose answer is no (false yes) or yes (false no).

    `bound` is the largest true share that would still bring so few wrong draws in one case of twenty; `kinds bound` is
    the same with a kind counted wrong if any of its draws is, since draws of one kind resemble each other. `goal`, of
    GOALS, is shown if even `bound` keeps to it, met if only the rate does, or missed.
    """
    found = {}
    for name, (truth, answer) in WRONG.items():
        of = rows[rows.truth == truth]
        wrong, kinds = of.answer == answer, (of.answer == answer).groupby(of.pair).any()
        found[name] = {
            **{"wrong": wrong.sum(), "draws": len(of), "rate": wrong.mean(), "bound": bound(wrong)},
            **{"cannot tell": (of.answer == "cannot tell").mean()},
            **{"kinds wrong": kinds.sum(), "kinds": len(kinds), "kinds bound": bound(kinds)},
        }
        met = "met" if wrong.mean() <= GOALS[name] else "missed"
        found[name]["goal"] = "shown" if bound(wrong) <= GOALS[name] else met
    return pd.DataFrame(list(found.values()), index=[*found])


def bound(wrong: pd.Series) -> float:
    """Upper end of the exact one-sided interval of 95 % of a share (Clopper and Pearson), from true and false."""
    from scipy.stats import binomtest  # here, as it takes a second to load

    return float(binomtest(int(wrong.sum()), len(wrong), alternative="less").proportion_ci(0.95).high)
