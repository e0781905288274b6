"""Raw scores of two networks beside what they could be: those of two seeds of one network, and of identical features.

A seed is a network that differs from another of its kind in its random start alone. Networks a and b are two systems,
with one seed or several each. Laws and estimates are those of `lib.ceiling` and `lib.theory`, see chapter 14.
"""

from collections.abc import Sequence
from itertools import combinations, product
from math import isfinite, sqrt
from typing import NamedTuple

import pandas as pd
import torch

from lib.ceiling import Overlap, cka_ceiling, dimensions, overlap, shared_variance
from lib.pairings import GEOMETRY, MATCHING, RIDGE, Held, Pairing, score, values
from lib.split import Split, further
from lib.theory import expected_r
from lib.verdict import LIMITS

METRICS = MATCHING | GEOMETRY | RIDGE
APART = 2  # by which factor the counts of one seed and of two may differ before it is told
FEW = {"units": 8, "stimuli": 2000}  # from which on chapter 14 found the interval right


class Beside(NamedTuple):
    """Raw scores and what to read them against; NaN is what is not known."""

    table: pd.DataFrame  # by metric: raw, identical, seeds_a, seeds_b, share
    seeds: tuple[int, int]
    features: tuple[float, float]  # of a and b, counted by seeds, else by units of one network
    by_one: tuple[float, float]  # by units of the first seed alone
    common: tuple[float, float]  # share of the features of a that b has too, and of b that a has, by seeds of b, of a
    units: int  # of the smaller network
    stimuli: tuple[int, float]  # all, and as many independent ones as they are worth
    overlap: Overlap | None  # if there are seeds of both, and they share more than chance

    def shown(self, names: dict[str, str] = METRICS) -> pd.DataFrame:
        """The table in words and three decimals, without columns of which nothing is known."""
        heads = {"raw": "score", "identical": "identical features", "seeds_a": "two seeds of a"}
        heads |= {"seeds_b": "two seeds of b", "share": "share of that"}
        cells = (
            self.table.dropna(axis=1, how="all")
            .map("{:.3f}".format)
            .replace("nan", "")
            .replace({"identical": ""}, "no law")
        )
        return cells.rename(index=names, columns=heads)

    def markdown(self) -> str:
        """The overlap, or what can be said without it, and what speaks against it, in sentences."""
        return "\n".join([f"**{_answer(self)}**", "", *(f"- {doubt}" for doubt in _doubts(self))])


def beside(split: Split, scores: pd.DataFrame, further_a: Sequence = (), further_b: Sequence = ()) -> Beside:
    """The N-N of `scores` beside the same of two seeds of one network, and beside what identical features would score.

    `further_a`, `further_b` are responses of further seeds, `(stimuli, units)`, prepared as those of the split. Scores
    of seeds are means over pairs, on the scored stimuli and their folds; overlap and numbers of features come from all
    stimuli. A share is the score over the geometric mean of what seeds of a and of b reach; of ridge, over what seeds
    of the predicting network do, the root of chapter 14's proposition on regression.

    Identical features would have the RSA and CKA of `cka_ceiling`, with participation ratios estimated without bias and
    the geometric mean of both numbers of features; and with many stimuli the ridge score `expected_r`. Both hold for
    random mixing of features of equal variance. For matching there is no law. Raises ValueError on bad input.
    """
    systems = []
    for i, others in enumerate((further_a, further_b)):
        systems.append(
            [split.all_of(i), *(further(split, y, f"seed {j} of {'ab'[i]}") for j, y in enumerate(others, 2))]
        )
    t = [_mean_shared(combinations(seeds, 2)) for seeds in systems]
    t_ab = _mean_shared(product(*systems) if max(map(len, systems)) > 1 else ())  # without seeds nothing asks for it
    by_one, d = zip(*(map(float, dimensions(seeds[0])) for seeds in systems), strict=True)
    features = [1 / each if each > 0 else one for each, one in zip(t, by_one, strict=True)]
    own = [_ceilings([y[len(split.at[0]) :] for y in seeds], split.folds) for seeds in systems]
    return Beside(
        _table(scores, _identical(d, features, split.units), *own),
        (len(systems[0]), len(systems[1])),
        (features[0], features[1]),
        by_one,
        (t_ab / t[1] if t[1] > 0 else torch.nan, t_ab / t[0] if t[0] > 0 else torch.nan),
        min(split.units),
        (sum(map(len, split.at)), min(sum(split.distinct), split.independent)),
        overlap(*systems) if all(each > 0 for each in t) else None,
    )


def _table(scores, identical, own_a, own_b):
    """Raw scores by metric, beside those of identical features and of seeds."""
    raw = {metric: float(values(scores, metric, "nn").mean()) for metric in METRICS}
    columns = {"raw": raw, "identical": identical, "seeds_a": own_a, "seeds_b": own_b}
    table = pd.DataFrame(columns, list(METRICS))
    best = (table.seeds_a.clip(0) * table.seeds_b.clip(0)) ** 0.5
    best["ridge_ab"], best["ridge_ba"] = own_a["ridge_ab"], own_b["ridge_ba"]
    return table.assign(share=table.raw / best.where(best > 0))


def _mean_shared(pairs):
    """Mean of T, NaN if there is no pair."""
    found = [float(shared_variance(x, y)) for x, y in pairs]
    return sum(found) / len(found) if found else torch.nan


def _ceilings(seeds, folds):
    """What two seeds of one network score, by metric; NaN if there is but one."""
    if len(seeds) < 2:
        return dict.fromkeys(METRICS, torch.nan)
    populations = {str(i): y for i, y in enumerate(seeds)}
    pairs = [Pairing("", *pair, tuple(METRICS), i) for i, pair in enumerate(combinations(populations, 2))]
    found = score(Held(populations, folds), pairs).groupby("metric").value.mean()  # of both directions
    return {metric: found[metric.partition("_")[0]] for metric in METRICS}


def _identical(d, features, units):
    """What the first seeds would score if their features were the same, by metric; NaN without a law."""
    n, found = sqrt(features[0] * features[1]), dict.fromkeys(METRICS, torch.nan)
    if not isfinite(n):
        return found
    if all(1 <= each <= n for each in d):
        found |= dict.fromkeys(GEOMETRY, cka_ceiling(n, *d))
    return found | {way: expected_r(round(n), m) for way, m in zip(RIDGE, units, strict=True)}


def _answer(found):
    """What seeds say of the features that a and b have in common."""
    count = " and ".join(f"{n:.1f} in {side}" for side, n in zip("ab", found.features, strict=True))
    if found.overlap:
        low, high = found.overlap.low, found.overlap.high
        shared = found.overlap.features[2]
        return (
            f"The overlap from seeds is {found.overlap:.3f}, from {low:.3f} to {high:.3f} in 95 of 100 cases. Seeds "
            f"count {count} features, {shared:.1f} of them shared."
        )
    if min(found.seeds) > 1:
        return "Seeds of one network share no more than chance, so they give no overlap: more stimuli are needed."
    one, other = ("a", "b") if found.seeds[0] > 1 else ("b", "a")
    if max(found.seeds) == 1:
        return f"One seed of each network was given, and their units count {count} features. The overlap takes two."
    n, common = (pair[other == "a"] for pair in (found.features, found.common[::-1]))
    return (
        f"Seeds of {one} count {n:.1f} features in it, and it has a share of {common:.3f} of those of {other}. The "
        f"overlap and its interval need a second seed of {other} too."
    )


def _doubts(found):
    """What speaks against the overlap and the numbers of features, as far as responses tell."""
    for side, seeds, n, one in zip("ab", found.seeds, found.features, found.by_one, strict=True):
        if seeds > 1 and not 1 / APART < one / n < APART:
            yield (
                f"**The units of {side} are not independent**: one seed counts {one:.1f} features, two count {n:.1f}. "
                "Trained units repel each other, or respond alike; the interval does not know it."
            )
    stimuli, worth = found.stimuli
    if max(found.seeds) > 1 and (found.units < FEW["units"] or worth < FEW["stimuli"]):
        yield f"**Little to go by**: {found.units} units in the smaller network, {worth:.0f} independent stimuli."
    if found.overlap and worth < LIMITS["independent"] * stimuli:
        yield f"**Stimuli are not independent**. The interval takes each of the {stimuli} for one, and is too narrow."
    if found.overlap and found.overlap.low > 1:
        yield "**More than all in common**: a and b are related to each other more than seeds of one of them are."
