import pandas as pd
import pytest

from lib.chapter.plotting import panels
from lib.chapter.setting_plots import GAINED, RECIPES, draw_recipes, draw_scan, draw_sizes, series


def scores(value):
    """Two pairs whose latents match at this and .1 above, and whose neurons match at .2."""
    of = [(ab, seed, 0.2 if ab == "nn" else value + 0.1 * seed) for ab in ("nn", "ss") for seed in (0, 1)]
    rows = [("soft", ab, "", seed, 0, one) for ab, seed, one in of]
    return pd.DataFrame(rows, columns=["metric", "pairing", "direction", "seed", "fold", "value"])


TABLE = {3: scores(0.4), 5: scores(0.6)}


def test_a_series_is_the_mean_over_pairs_along_the_scan():
    assert series(TABLE, "ss", "soft") == pytest.approx([0.45, 0.65])


def test_a_scan_has_a_curve_and_a_dashed_line_for_each_size():
    (ax,) = panels(1)
    draw_scan(ax, {8: TABLE, 16: TABLE}, "ss", "soft", "name")
    lines = ax.get_lines()
    assert [list(line.get_ydata()) for line in lines[1::2]] == [[0.2, 0.2]] * 2
    assert all(line.get_ydata() == pytest.approx([0.45, 0.65]) for line in lines[::2])
    assert ax.get_legend_handles_labels()[1] == ["N = 8", "N = 16"]


def test_sizes_have_a_tick_each():
    (ax,) = panels(1)
    draw_sizes(ax, TABLE, ("nn", "ss"), "soft", "name")
    assert list(ax.get_xticks()) == [3, 5] and len(ax.get_lines()) == 2


def test_each_recipe_is_asked_for_each_gain_at_each_size():
    asked = []

    def ask(question, N):
        asked.append((question, N))
        return len(asked) / 100

    axes = panels(2)
    draw_recipes(axes, [8, 16], ask)
    wanted = [f"mean({column} where toys = {toys})" for toys in RECIPES for column in GAINED.values()]
    assert asked == [(question, N) for N in (8, 16) for question in wanted]
    assert axes[1].get_lines()[0].get_ydata()[0] == (len(RECIPES) * len(GAINED) + 1) / 100
