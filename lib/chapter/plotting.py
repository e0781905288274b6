"""One look for every figure: small panels that sit side by side on a desk and stack on a phone.

Figures are drawn as inline SVG whose ink is the page's own text colour, so the same picture reads in light and in
dark. Colours are mid-tones with a contrast of at least 3:1 on both backgrounds, and colour is never the only cue.
"""

import html
import io
import json
import re
from collections.abc import Callable, Sequence
from itertools import product
from typing import NamedTuple

import matplotlib as mpl
import numpy as np
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure

COLOURS = {
    "blue": "#2b7bba",
    "red": "#d55e00",
    "green": "#00926a",
    "purple": "#b0629a",
    "ochre": "#a67a00",
    "grey": "#808080",
}
MARKERS = ["o", "s", "^", "D", "v", "P", "X", "*"]
INK = "#010203"  # stands for the page's text colour until the SVG is written


def use_theme() -> None:
    """Set the book's fonts, sizes and colours for all figures that follow."""
    sns.set_theme(style="ticks", palette=list(COLOURS.values()))
    ink = ("text.color", "axes.edgecolor", "axes.labelcolor", "axes.titlecolor", "xtick.color", "ytick.color")
    mpl.rcParams.update(dict.fromkeys(ink, INK))
    mpl.rcParams.update(
        {
            "font.family": "DejaVu Sans",
            "font.size": 9,
            "legend.title_fontsize": 8,
            "axes.labelsize": 9,
            "axes.titlesize": 9,
            "xtick.labelsize": 8,
            "ytick.labelsize": 8,
            "legend.fontsize": 8,
            "legend.frameon": False,
            "axes.spines.top": False,
            "axes.spines.right": False,
            "axes.facecolor": "none",
            "figure.facecolor": "none",
            "lines.linewidth": 1.6,
            "lines.markersize": 4.5,
            "svg.fonttype": "path",
            "svg.hashsalt": "superposition",
        }
    )


def panels(count: int = 1, width: float = 3.5, height: float = 2.8) -> list[Axes]:
    """Axes of `count` panels, each a figure of its own, lettered a, b, c if there are several; sizes in inches.

    3.5 inches are as wide as a phone, so a panel is never shrunk below the size it was drawn for.
    """
    use_theme()
    axes = [Figure(figsize=(width, height), layout="constrained").add_subplot() for _ in range(count)]
    for letter, ax in zip("abcdefghij", axes, strict=False):
        if count > 1:
            ax.set_title(letter, loc="left", fontweight="bold")
    return axes


def k_styles(values: Sequence) -> list[dict]:
    """A colour and a marker for each value of a swept parameter, for `ax.plot(..., **style)`."""
    colours = list(COLOURS.values())
    return [{"color": colours[i % len(colours)], "marker": MARKERS[i % len(MARKERS)]} for i in range(len(values))]


def draw_spreads(ax: Axes, groups: Sequence[str], series: dict, styles: dict[str, dict]) -> None:
    """A group of marks side by side for each of `groups`: all values as points, beside them mean and standard error.

    `series` maps a label to a tensor `(groups, values)` and `styles` the label to what `ax.plot` takes.
    """
    for i, (label, values) in enumerate(series.items()):
        places = np.arange(len(groups)) + 0.2 * (i - (len(series) - 1) / 2)
        ax.plot(places - 0.04, values, ls="", marker=".", ms=3, color=styles[label]["color"])
        error = values.std(1) / values.shape[1] ** 0.5
        ax.errorbar(places + 0.04, values.mean(1), error, ls="", label=label, **styles[label])
    ax.set_xticks(range(len(groups)), groups)


def log_ticks(ax: Axes, values: Sequence) -> None:
    """Make the horizontal axis logarithmic, with a tick at each of these few values and nowhere else."""
    ax.set_xscale("log")
    ax.set_xticks(values, labels=[f"{value:g}" if value < 10_000 else f"{value // 1000:g}k" for value in values])
    ax.minorticks_off()


def strokes(x, y, foot_x=0.0, foot_y=0.0) -> tuple[np.ndarray, np.ndarray]:
    """One broken line that goes from a foot to each point `(x, y)`: rays from the origin, or stems with `foot_x=x`."""
    x, y, foot_x, foot_y = np.broadcast_arrays(x, y, foot_x, foot_y)
    gaps = np.full(len(x), np.nan)
    return np.stack([foot_x, x, gaps], 1).ravel(), np.stack([foot_y, y, gaps], 1).ravel()


class FigureHTML:
    """Panels as one accessible piece of HTML; notebooks and the book show it as it is.

    `alt` says what they show; raises ValueError if it has fewer than six words.
    """

    def __init__(self, axes: Sequence[Axes], name: str, alt: str, title: str = ""):
        if len(alt.split()) < 6:
            raise ValueError(f"{name}: the alternative text {alt!r} says too little: write what the panels show")
        svgs = "".join(_svg(ax.figure, f"{name}-{i}") for i, ax in enumerate(axes))
        heading = f'<p class="figure-title">{html.escape(title)}</p>' if title else ""
        self.body = f'{heading}<div class="panels" role="img" aria-label="{html.escape(alt)}">{svgs}</div>'

    def _repr_html_(self) -> str:
        return self.body


class Slider(NamedTuple):
    """The positions of one slider, the words beside it, and the place of the position shown first.

    Positions that are words have no order, so they are buttons side by side above the panel.
    """

    values: Sequence
    label: str
    start: int = 0


class SliderFigure(FigureHTML):
    """A panel whose lines and texts follow sliders, without a server: every position is computed beforehand.

    `draw(**values)` returns `{gid: (x, y)}` or `{gid: text}` for one position of the sliders. Lines of `ax`, without
    markers, carry these ids by `artist.set_gid` and break at NaN; texts stand in paragraphs below the panel.
    `sliders` has one for each argument of `draw`. The picture first shown, and the one printed, is the one drawn on
    `ax`, with all sliders where they start.
    """

    def __init__(self, ax: Axes, name: str, alt: str, sliders: dict[str, Slider], draw: Callable, title=""):
        super().__init__([ax], name, alt, title)
        states = {}
        for position in product(*(range(len(one.values)) for one in sliders.values())):
            chosen = {key: sliders[key].values[i] for key, i in zip(sliders, position, strict=True)}
            states[",".join(map(str, position))] = {k: _place(ax, v) for k, v in draw(**chosen).items()}
        knobs = [_knob(i, one) for i, one in enumerate(sliders.values())]
        buttons, ranges = ("".join(k for k in knobs if k.startswith("<div") == words) for words in (True, False))
        first = states[",".join(str(one.start) for one in sliders.values())]
        texts = "".join(
            f'<p class="slider-text" aria-live="polite" data-text="{key}">{html.escape(value["text"])}</p>'
            for key, value in first.items()
            if "text" in value
        )
        script = _SLIDER_SCRIPT.replace("NAME", name).replace("STATES", json.dumps(states).replace("</", r"<\/"))
        inside = f'{buttons}{self.body}<div class="knobs">{ranges}</div>{texts}'
        self.body = f'<div id="{name}-sliders" class="sliders">{inside}</div>{script}'


_SLIDER_SCRIPT = """<script>(() => {
const root = document.getElementById("NAME-sliders"), states = STATES;
const knobs = [...root.querySelectorAll("[data-knob]")].sort((a, b) => a.dataset.knob - b.dataset.knob);
const at = (knob) => knob.value ?? knob.dataset.at;
const show = () => {
  knobs.forEach((knob) => {
    if (knob.dataset.values) {
      const value = JSON.parse(knob.dataset.values)[knob.value];
      knob.nextElementSibling.textContent = value;
      knob.setAttribute("aria-valuetext", value);
    } else [...knob.children].forEach((one, i) => one.setAttribute("aria-pressed", i === Number(at(knob))));
  });
  for (const [id, value] of Object.entries(states[knobs.map(at).join(",")])) {
    const line = root.querySelector(`[id="NAME-0-${id}"] path`);
    if (value.d !== undefined) line.setAttribute("d", value.d);
    else root.querySelector(`[data-text="${id}"]`).textContent = value.text;
  }
};
knobs.forEach((knob) => {
  knob.addEventListener("input", show);
  [...knob.children].forEach((one, i) => one.addEventListener("click", () => { knob.dataset.at = i; show(); }));
});
show();
})();</script>"""


def _knob(number, slider):
    """A slider as HTML: a range of numbers, or a button for each of its words."""
    values, label, start = slider
    if all(isinstance(value, str) for value in values):
        each = "".join(f'<button type="button" aria-pressed="{str(i == start).lower()}">{html.escape(value)}</button>'
                       for i, value in enumerate(values))  # fmt: skip
        of = f'role="group" aria-label="{html.escape(label)}"'
        return f'<div class="segments" {of} data-knob="{number}" data-at="{start}">{each}</div>'
    named = html.escape(json.dumps([str(value) for value in values]))
    ends = f'type="range" min="0" max="{len(values) - 1}" step="1" value="{start}"'
    return (
        f'<label>{html.escape(label)} <input {ends} data-knob="{number}" data-values="{named}">'
        f"<output>{values[start]}</output></label>"
    )


def _place(ax, value):
    """A line in the coordinates of the SVG (points, y down), broken where a coordinate is NaN, or a text."""
    if isinstance(value, str):
        return {"text": value}
    points = ax.transData.transform(list(zip(*value, strict=True))) * 72 / ax.figure.dpi
    height = ax.figure.get_figheight() * 72
    seen = ~np.isnan(points).any(1)
    pens = np.where(np.append(False, seen[:-1]), "L", "M")
    steps = zip(pens[seen], points[seen], strict=True)
    return {"d": "".join(f"{pen}{x:.1f} {height - y:.1f}" for pen, (x, y) in steps)}


def _svg(figure, name):
    """The figure as an SVG element in the page's text colour, with ids of its own."""
    buffer = io.StringIO()
    figure.savefig(buffer, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    svg = buffer.getvalue()
    svg = svg[svg.index("<svg") :].replace(INK, "currentColor")
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.S)
    svg = re.sub(r'(\bid="|href="#|url\(#)', rf"\g<1>{name}-", svg)
    width, height = figure.get_size_inches() * 96
    svg = re.sub(
        r'<svg (.*?)width="[^"]*"', rf'<svg aria-hidden="true" \1width="{width:.0f}"', svg, count=1, flags=re.S
    )
    return re.sub(r'(<svg [^>]*?)height="[^"]*"', rf'\1height="{height:.0f}"', svg, count=1, flags=re.S)
