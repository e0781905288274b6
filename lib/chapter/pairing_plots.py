"""Pairings of populations drawn alike in all chapters: their words, colours and marks."""

from collections.abc import Sequence

import pandas as pd
import torch
from matplotlib.axes import Axes

from lib.chapter.plotting import COLOURS, draw_spreads, k_styles
from lib.pairings import PAIRINGS, means

NAMES = {"n": "neurons", "s": "latents", "r": "random", "f": "features"}
LABELS = {ab: f"{NAMES[ab[0]]} to {NAMES[ab[1]]}" for ab in (*PAIRINGS, "fn", "fs")}
STYLES = dict(zip(LABELS, k_styles(list(LABELS)), strict=True))


def draw_scores(ax: Axes, scores: dict[str, pd.DataFrame], pairings: Sequence[str], metric: str, name: str) -> None:
    """One group of pairings for each table of `scores`, by its words: pairs as points, mean and standard error."""
    series = {LABELS[ab]: torch.stack([means(one, metric, ab) for one in scores.values()]) for ab in pairings}
    draw_spreads(ax, list(scores), series, {LABELS[ab]: STYLES[ab] for ab in pairings})
    ax.set(ylabel=name, ylim=(0, 1))


def draw_found(ax: Axes, found: dict[str, torch.Tensor], feature: str) -> None:
    """Best correlations of all features, counted for one model, and their means.

    `found` maps the letters n, s, r to `(models, features)`.
    """
    for (letter, values), color, line in zip(found.items(), ("red", "blue", "grey"), ("-", "-", ":"), strict=True):
        looks = {"color": COLOURS[color], "histtype": "step", "ls": line, "lw": 1.6, "label": NAMES[letter]}
        weights = torch.full((values.numel(),), 1 / len(values))
        ax.hist(values.clamp(0, 1).flatten(), torch.linspace(0, 1, 26).tolist(), weights=weights, **looks)
        ax.axvline(float(values.mean()), color=COLOURS[color], ls="--", lw=1.2)
    ax.set(xlabel=f"best correlation of a {feature}", ylabel=f"{feature}s of a model", xlim=(0, 1))
