"""Figures read in light and dark, carry their words, and move without a server."""

import json
import re

import numpy as np
import pytest
import torch
from helpers import refuses

from lib.chapter.plotting import (
    COLOURS,
    INK,
    MARKERS,
    FigureHTML,
    Slider,
    SliderFigure,
    draw_spreads,
    k_styles,
    log_ticks,
    panels,
    strokes,
)

BACKGROUNDS = {"light": "#ffffff", "dark": "#14181e"}


def luminance(colour):
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("background", BACKGROUNDS.values(), ids=BACKGROUNDS)
@pytest.mark.parametrize("colour", COLOURS.values(), ids=COLOURS)
def test_every_colour_has_contrast_three_on_both_backgrounds(colour, background):
    lighter, darker = sorted((luminance(colour), luminance(background)), reverse=True)
    assert (lighter + 0.05) / (darker + 0.05) >= 3


def figure(name="fig-a", **options):
    axes = panels(2)
    for ax in axes:
        ax.plot([0, 1], [0, 1])
        ax.set_xlabel("units")
    return FigureHTML(axes, name, 'a line, "rising" from the left', **options)._repr_html_()


def test_ink_is_the_page_colour_and_nothing_is_dated():
    body = figure()
    assert INK not in body and "currentColor" in body
    assert "#ffffff" not in body and "#000000" not in body
    assert body == figure() and "dc:date" not in body


def test_alt_text_and_title_are_escaped_and_present():
    body = figure(title="Simulated: a < b")
    assert 'role="img" aria-label="a line, &quot;rising&quot; from the left"' in body
    assert "Simulated: a &lt; b" in body


@pytest.mark.parametrize("alt", ["", "  ", "Scores against units"])
def test_a_figure_without_words_is_refused(alt):
    refuses(f"fig-a: the alternative text {alt!r}", "write what the panels show", FigureHTML, panels(1), "fig-a", alt)


def test_ids_of_two_figures_do_not_meet_and_every_reference_resolves():
    first, second = figure("fig-a"), figure("fig-b")
    ids = [set(re.findall(r'\bid="([^"]+)"', body)) for body in (first, second)]
    assert not ids[0] & ids[1]
    used = set(re.findall(r'href="#([^"]+)"|url\(#([^)]+)\)', first))
    assert used and {a or b for a, b in used} <= ids[0]


def test_styles_differ_in_colour_and_marker():
    styles = k_styles(range(6))
    assert len({style["color"] for style in styles}) == 6 and len({style["marker"] for style in styles}) == 6
    assert len(set(MARKERS)) == len(MARKERS)


def test_slider_states_cover_every_position_and_lie_where_the_axes_put_them():
    (ax,) = panels(1)
    ax.set(xlim=(0, 1), ylim=(0, 10))
    ax.plot([0, 1], [0, 5])[0].set_gid("curve")
    drawn = SliderFigure(
        ax,
        "fig-s",
        "a line that a slider moves",
        sliders={"slope": Slider([5, 10], "slope"), "shift": Slider([0, 1, 2], "shift")},
        draw=lambda slope, shift: {"curve": ([0, 1], [shift, slope]), "told": f"slope {slope} < shift {shift}"},
    )._repr_html_()
    states = json.loads(re.search(r"states = (\{.*\});", drawn)[1])
    assert len(states) == 6 and drawn.count('type="range"') == 2
    assert (
        'data-text="told">slope 5 &lt; shift 0</p>' in drawn and states["1,2"]["told"]["text"] == "slope 10 < shift 2"
    )
    shown = re.search(r'id="fig-s-0-curve">\s*<path d="([^"]+)"', drawn)[1]
    numbers = [float(number) for number in re.findall(r"[\d.]+", shown)]
    computed = [float(number) for number in re.findall(r"[\d.]+", states["0,0"]["curve"]["d"])]
    assert computed == pytest.approx(numbers, abs=0.06)


def test_positions_in_words_are_buttons_above_the_panel_and_numbers_a_range_below():
    (ax,) = panels(1)
    ax.plot([0, 1], [0, 1])[0].set_gid("curve")
    sliders = {"n": Slider([1, 2], "count"), "kind": Slider(["plain", "a < b"], "kind", 1)}
    drawn = SliderFigure(
        ax,
        "fig-s",
        "a line that buttons and a slider move",
        sliders,
        lambda n, kind: {"curve": ([0, 1], [0, n]), "told": kind},
    )._repr_html_()
    buttons, panel, numbers = (drawn.index(one) for one in ('class="segments"', 'class="panels"', 'type="range"'))
    assert buttons < panel < numbers and drawn.count('type="range"') == 1
    pressed = re.findall(r'<button type="button" aria-pressed="(\w+)">([^/]+)</button>', drawn)
    assert pressed == [("false", "plain"), ("true", "a &lt; b")]
    assert 'data-knob="1" data-at="1"' in drawn and 'data-text="told">a &lt; b</p>' in drawn


def test_strokes_go_from_foot_to_point_and_break_in_between():
    x, y = strokes([1, 2], [5, 6], foot_x=[1, 2])
    np.testing.assert_array_equal(x, [1, 1, np.nan, 2, 2, np.nan])
    np.testing.assert_array_equal(y, [0, 5, np.nan, 0, 6, np.nan])


def test_sliders_move_several_lines_and_break_them_where_matplotlib_does():
    (ax,) = panels(1)
    ax.set(xlim=(0, 3), ylim=(0, 3))
    lines = {"rays": strokes([1, 2, 1], [2, 1, 1]), "gap": ([np.nan, 1, 2, np.nan, 2, 1], [0, 1, 1, 2, 2, 0])}
    for gid, line in lines.items():
        ax.plot(*line)[0].set_gid(gid)
    drawn = SliderFigure(
        ax, "fig-s", "rays from a foot, and gaps", {"size": Slider([1], "size")}, lambda size: lines
    )._repr_html_()
    states = json.loads(re.search(r"states = (\{.*\});", drawn)[1])["0"]
    for gid in lines:
        shown = re.search(rf'id="fig-s-0-{gid}">\s*<path d="([^"]+)"', drawn)[1]
        found, expected = (re.findall(r"([ML])\s*([\d.]+) ([\d.]+)", path) for path in (states[gid]["d"], shown))
        assert [pen for pen, _, _ in found] == [pen for pen, _, _ in expected]
        places = [[float(x) for step in path for x in step[1:]] for path in (found, expected)]
        assert places[0] == pytest.approx(places[1], abs=0.06)


def test_spreads_show_every_value_its_mean_and_standard_error():
    (ax,) = panels(1)
    series = {"neurons": torch.tensor([[1.0, 2.0, 3.0], [4.0, 4.0, 4.0]]), "latents": torch.ones(2, 3)}
    draw_spreads(ax, ["middle", "deep"], series, dict(zip(series, k_styles(series), strict=True)))
    assert [label.get_text() for label in ax.get_xticklabels()] == ["middle", "deep"]
    points = [line.get_ydata().tolist() for line in ax.get_lines() if line.get_marker() == "."]
    assert points == [[1, 4], [2, 4], [3, 4]] + [[1, 1]] * 3
    assert [container.get_label() for container in ax.containers] == ["neurons", "latents"]
    mark, _, (bars,) = ax.containers[0].lines
    assert mark.get_ydata().tolist() == [2, 4]
    low, high = bars.get_segments()[0][:, 1]
    assert (high - low) / 2 == pytest.approx(1 / 3**0.5)
    assert ax.containers[0].lines[0].get_color() != ax.containers[1].lines[0].get_color()


def test_log_ticks_stand_at_the_values_and_nowhere_else():
    (ax,) = panels(1)
    ax.plot([250, 500, 6000, 20000], [1, 2, 3, 4])
    log_ticks(ax, [250, 500, 6000, 20000])
    ax.figure.canvas.draw()
    assert ax.get_xscale() == "log" and not ax.get_xticks(minor=True).size
    assert [label.get_text() for label in ax.get_xticklabels()] == ["250", "500", "6000", "20k"]
