"""What `benchmarks/overlap.py` measured of the estimated overlap: cells, coverage, and their figure."""

from pathlib import Path

import pandas as pd
from matplotlib.axes import Axes

from lib.chapter.carried import of_book
from lib.chapter.plotting import COLOURS, k_styles, log_ticks

PROMISED = 0.93, 0.97  # coverage that an interval of 95 in 100 should have


def grid_cells(path: Path) -> pd.DataFrame:
    """A row for each cell of the grid, with `bias`, `coverage` of the interval in force, and `fewest` units."""
    cells = pd.read_json(of_book(path), lines=True)
    coverage = [held["chosen"] / draws for held, draws in zip(cells.held, cells.draws, strict=True)]
    fewest = cells[["units_a", "units_b"]].min(axis=1)
    return cells.assign(bias=cells["mean"] - cells.truth, coverage=coverage, fewest=fewest)


def pooled(rule: str, cells: pd.DataFrame) -> float:
    """Share of the draws in which the interval by a rule held the overlap, over those cells where it was tried."""
    tried = cells[[rule in held for held in cells.held]]
    return sum(held[rule] for held in tried.held) / int(tried.draws.sum())


def draw_grid(left: Axes, right: Axes, cells: pd.DataFrame) -> None:
    """Coverage and bias of each cell over the units of the smaller system, a style for each number of stimuli."""
    groups = list(cells.groupby("stimuli"))
    for place, ((stimuli, part), style) in enumerate(zip(groups, k_styles(groups), strict=True)):
        units = part.fewest * 1.06 ** (place - (len(groups) - 1) / 2)  # beside each other
        left.plot(units, part.coverage, ls="", **style)
        right.plot(units, part.bias, ls="", label=f"{stimuli:,} stimuli", **style)
    left.axhspan(*PROMISED, color=COLOURS["grey"], alpha=0.2, lw=0)
    for ax, label in ((left, "share of draws held"), (right, "mean estimate - overlap")):
        log_ticks(ax, sorted(cells.fewest.unique()))
        ax.set(xlabel="units of the smaller system", ylabel=label)
    right.legend(loc="upper right")
