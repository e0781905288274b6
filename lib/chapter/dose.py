"""What `benchmarks/dose.py` measured: the gain by SAEs in worlds drawn at random, and the verdict on what we expected.

A cell's regime is known before it is run, from labels (features), units and theory:

    single       one object: ten classes that exclude each other, a layer that collapses
    room         several objects, and at least as many units as labels
    superposed   more labels than units, and at least twice the units from which on sparse codes can be recovered
    crowded      more labels than units, and less than one and a half times these
    between      the rest
"""

import json
from collections.abc import Callable
from math import isnan
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd
from matplotlib.axes import Axes

from lib.chapter.calibration import GAINS
from lib.chapter.carried import of_book
from lib.chapter.plotting import COLOURS, k_styles
from lib.verdict import Findings, Gain, reading

REGIMES = ["single", "room", "superposed", "between", "crowded"]
CLEAR, BARELY = 2.0, 1.5  # units, in those that recovery needs, that make a cell superposed, crowded
FEWEST = 5  # cells below which nothing is judged
MATTERS, LITTLE = 0.05, 0.02  # gains in matching, and in regression and over controls, that we would build on


def dose_cells(path: Path) -> pd.DataFrame:
    """A row for each cell that was analysed: its world, mean gains and scores, and what is true of it as booleans.

    `ratio` is labels a unit, `effective_ratio` the same with the participation ratio of the labels' covariance.
    """
    kept = [json.loads(line) for line in of_book(path).read_text(encoding="utf-8").splitlines()]
    cells = pd.DataFrame([_row(one) for one in kept if "error" not in one])
    cells["ratio"], cells["effective_ratio"] = cells.features / cells.units, cells.effective / cells.units
    for name in REGIMES:
        cells[name] = cells.regime == name
    cells["digits"], cells["images"] = cells.pictures == "digits", cells.pictures == "images"
    cells["dense"] = cells.effective_ratio > 1
    cells["products"] = ["ridge_qn" in one["scores"] for one in kept if "error" not in one]
    cells["soft_gains"], cells["soft_loses"] = cells.match_gain > MATTERS, cells.match_gain < 0
    cells["ridge_gains"], cells["plain_as_good"] = cells.ridge_gain > LITTLE, cells.ridge_over_plain <= 0
    cells["beats_axes"], cells["yes"] = cells.match_over_axes > LITTLE, cells.answer == "yes"
    return cells


def _row(kept):
    numbers: dict[str, Any] = {key: Gain(*one) if key in GAINS else one for key, one in kept["findings"].items()}
    found = Findings(**numbers)
    plain = {key: one for key, one in kept.items() if key not in ("findings", "scores")}
    gains = {name: getattr(found, name).mean for name in GAINS}
    told = {"regime": regime(kept), "answer": reading(found).verdict.answer, "explained": found.explained}
    return plain | kept["scores"] | gains | told


def regime(cell: dict) -> str:
    """What a cell is by design: from its objects, features, units and needed units."""
    if cell["objects"] == 1:
        return "single"
    if cell["units"] >= cell["features"]:
        return "room"
    if cell["units"] >= CLEAR * cell["needed"]:
        return "superposed"
    return "crowded" if cell["units"] < BARELY * cell["needed"] else "between"


class Expected(NamedTuple):
    """One expectation: what is measured of some cells, and the least it should be."""

    words: str
    cells: str  # a query, "" for all
    measure: Callable[[pd.DataFrame], float]
    least: float


def share(fact: str, true: bool = True) -> Callable:
    """The share of cells of which a fact is true, or is not."""
    return lambda cells: float((cells[fact] == true).mean())


def rank(one: str, other: str, sign: int = 1) -> Callable:
    """Rank correlation of two columns, with a sign; NaN if either is constant."""
    return lambda cells: sign * float(cells[one].rank().corr(cells[other].rank()))


def _order(cells):
    """By how much effective features a unit order the ridge gains better than labels a unit do."""
    return rank("ridge_gain", "effective_ratio")(cells) - rank("ridge_gain", "ratio")(cells)


def _digits_lead(cells):
    """Median gain in matching on digits, less that on images."""
    return float(cells[cells.digits].match_gain.median() - cells[cells.images].match_gain.median())


# Written before the first cell was run, as in words at the head of benchmarks/dose.py.
EXPECTED = [
    Expected("superposed, digits: matching gains", "superposed & digits", share("soft_gains"), 0.8),
    Expected("superposed, images: matching gains", "superposed & images", share("soft_gains"), 0.5),
    Expected("room: matching gains all the same", "room", share("soft_gains"), 0.6),
    Expected("single: matching loses", "single", share("soft_loses"), 0.75),
    Expected("crowded: matching gains nothing", "crowded", share("soft_gains", False), 0.75),
    Expected("units match less, the more effective features", "", rank("soft_nn", "effective", -1), 0.7),
    Expected("effective features fit the units: ridge gains nothing", "~dense", share("ridge_gains", False), 0.9),
    Expected("they do not, and not crowded: ridge gains", "dense & ~crowded", share("ridge_gains"), 0.6),
    Expected("ridge gains rise with them", "~single", rank("ridge_gain", "effective_ratio"), 0.5),
    Expected("they order ridge gains better than labels do", "~single", _order, 0.0),
    Expected("digits: units' ridge as by random projections", "digits", rank("ridge_nn", "expected_ridge"), 0.7),
    Expected("plain features do as well, where products fit", "products", share("plain_as_good"), 0.75),
    Expected("superposed: latents beat linear axes", "superposed", share("beats_axes"), 0.75),
    Expected("digits gain more in matching than images", "room | superposed", _digits_lead, 0.0),
    Expected("single: the report does not say yes", "single", share("yes", False), 1.0),
    Expected("superposed: the report says yes", "superposed", share("yes"), 0.5),
]


def judged(cells: pd.DataFrame, expected: list[Expected] = EXPECTED) -> pd.DataFrame:
    """For each expectation the cells it is about, what was measured, what was asked at least, and the verdict.

    `held`, `failed`, or `too few cells` where there are fewer than FEWEST or nothing varies.
    """
    rows = []
    for one in expected:
        part = cells.query(one.cells) if one.cells else cells
        measured = one.measure(part) if len(part) >= FEWEST else float("nan")
        verdict = "too few cells" if isnan(measured) else "held" if measured >= one.least else "failed"
        rows.append((one.words, len(part), measured, one.least, verdict))
    return pd.DataFrame(rows, columns=["expectation", "cells", "measured", "at least", "verdict"])


def by_regime(cells: pd.DataFrame, columns: list[str]) -> pd.DataFrame:
    """Means of columns for each regime that has cells, and how many these are."""
    parts = {name: cells[cells[name]] for name in REGIMES}
    rows = {name: {"cells": len(part), **part[columns].mean()} for name, part in parts.items() if len(part)}
    return pd.DataFrame.from_dict(rows, "index")


def draw_dose(ax: Axes, cells: pd.DataFrame, dose: str, gained: str) -> None:
    """A gain over a dose, a style for each regime that has cells; those made of images are hollow."""
    for name, style in zip(REGIMES, k_styles(REGIMES), strict=True):
        of = cells[cells[name]]
        hollow: dict[str, Any] = style | {"mfc": "none"}
        for part, looks in ((of[of.digits], style | {"label": name if len(of) else "_"}), (of[of.images], hollow)):
            ax.plot(part[dose], part[gained], ls="", **looks)
    ax.axhline(0, color=COLOURS["grey"], lw=1)
    ax.axvline(1, color=COLOURS["grey"], lw=1, ls=":")
    ax.set_xscale("log")
