"""Scores of toy models and their SAEs against settings: how many latents, how many of them active, how many steps."""

from collections.abc import Callable, Mapping, Sequence

import pandas as pd
from matplotlib.axes import Axes

from lib.chapter.pairing_plots import LABELS, STYLES
from lib.chapter.plotting import COLOURS, k_styles, log_ticks
from lib.pairings import means

RECIPES = {"authors": "authors'", "ours": "our recipe", "printed": "as printed"}
GAINED = {"fea-\ntures": "features.gain", "soft\nS-S": "gains.soft_gain", "over\nR-S": "gains.soft_over_random"}
GAINED |= {"semi\nS-S": "gains.semi_gain_ab", "ridge\nS-N": "gains.ridge_sn_gain", "ridge\nS-S": "gains.ridge_ss_gain"}


def series(table: Mapping[int, pd.DataFrame], pairing: str, metric: str) -> list[float]:
    """Mean over pairs of one score, along a scan."""
    return [float(means(scores, metric, pairing).mean()) for scores in table.values()]


def draw_scan(ax: Axes, tables: Mapping[int, Mapping], pairing: str, metric: str, name: str) -> None:
    """One curve for each number of neurons; a dashed line in the same colour for the neurons themselves."""
    for (N, table), style in zip(tables.items(), k_styles(list(tables)), strict=True):
        ax.plot(list(table), series(table, pairing, metric), label=f"N = {N}", lw=1.2, **style)
        ax.axhline(series(table, "nn", metric)[0], color=style["color"], ls="--", lw=1)
    ax.set(ylabel=name, ylim=(0, 1))


def draw_sizes(ax: Axes, table: Mapping, pairings: Sequence[str], metric: str, name: str) -> None:
    """Scores against the size of the dictionary."""
    for pairing in pairings:
        ax.plot(list(table), series(table, pairing, metric), label=LABELS[pairing], lw=1.2, **STYLES[pairing])
    ax.set(ylim=(0, 1), xlabel="latents F", ylabel=name)
    log_ticks(ax, list(table))
    ax.legend(fontsize=7)


def draw_recipes(axes: Sequence[Axes], sizes: Sequence[int], ask: Callable) -> None:
    """What latents gain over neurons, a panel for each number of neurons and a mark for each recipe.

    `ask` answers a question about the run's tables, `lib.chapter.run.Run.ask`.
    """
    for ax, N in zip(axes, sizes, strict=True):
        for i, (toys, style) in enumerate(zip(RECIPES, k_styles(list(RECIPES)), strict=True)):
            values = [ask(f"mean({column} where toys = {toys})", N=N) for column in GAINED.values()]
            places = [place + 0.2 * (i - 1) for place in range(len(values))]
            ax.plot(places, values, label=RECIPES[toys], **style, ls="")
        ax.axhline(0, color=COLOURS["grey"], lw=0.8)
        ax.set_xticks(range(len(GAINED)), list(GAINED), fontsize=7)
        ax.set(title=f"N = {N}", ylim=(-0.6, 0.8))
    axes[0].set_ylabel("gain of latents")
    axes[0].legend(loc="upper left", fontsize=7)
