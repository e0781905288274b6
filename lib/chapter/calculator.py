"""A calculator in the page: what identical features would score, and the overlap that a score implies."""

import html

from lib.ceiling import cka_ceiling
from lib.chapter.plotting import FigureHTML
from lib.theory import expected_dimensions

# name: (label, value shown first); an empty participation ratio is taken from the units.
FIELDS = {
    "n": ("features of each network", 128),
    "m_a": ("units of network a", 48),
    "m_b": ("units of network b", 16),
    "d_a": ("participation ratio of a, if known", ""),
    "d_b": ("participation ratio of b, if known", ""),
    "cka": ("linear CKA, debiased", 0.1),
}


def answer(n: int, m_a: int, m_b: int, cka: float, d_a: float | None = None, d_b: float | None = None) -> str:
    """What the calculator says, from `lib.ceiling.cka_ceiling` and `lib.theory.expected_dimensions`.

    Raises ValueError unless participation ratios, or units, are at least 1 and ratios at most n.
    """
    d_a, d_b = (expected_dimensions(n, m) if d is None else d for m, d in ((m_a, d_a), (m_b, d_b)))
    ceiling = cka_ceiling(n, d_a, d_b)
    said = f"Identical features would score {ceiling:.3f}. A score of {cka:.3f} implies the overlap {cka / ceiling:.3f}"
    return said + (", more than identical features explain." if cka > ceiling else ".")


class Calculator(FigureHTML):
    """Labelled number fields whose answer follows as they are filled; it needs no server, and no mouse."""

    def __init__(self, name: str, title: str):
        first = {key: value for key, (_, value) in FIELDS.items() if value != ""}
        fields = "".join(
            f'<label>{html.escape(label)} <input type="number" name="{key}" step="any" min="0" value="{value}"></label>'
            for key, (label, value) in FIELDS.items()
        )
        said = f'<output class="slider-text" aria-live="polite">{answer(**first)}</output>'
        form = f'<form id="{name}-form" onsubmit="return false"><div class="knobs">{fields}</div>{said}</form>'
        heading = f'<p class="figure-title">{html.escape(title)}</p>'
        self.body = f'<div class="sliders calculator">{heading}{form}</div>{_SCRIPT.replace("NAME", name)}'


_SCRIPT = """<script>(() => {
const form = document.getElementById("NAME-form");
const read = key => form.elements[key].value === "" ? NaN : Number(form.elements[key].value);
const show = () => {
  const n = read("n"), cka = read("cka");
  const dimensions = [["m_a", "d_a"], ["m_b", "d_b"]].map(([m, d]) =>
    form.elements[d].value === "" ? (n * read(m) + 2) / (n + read(m) + 1) : read(d));
  const ceiling = Math.sqrt(dimensions[0] * dimensions[1]) / n;
  const sound = dimensions.every(d => 1 <= d && d <= n) && !isNaN(cka);
  form.querySelector("output").textContent = !sound
    ? "Fill in numbers: at least one unit and one feature, and participation ratios from 1 to the number of features."
    : `Identical features would score ${ceiling.toFixed(3)}. A score of ${cka.toFixed(3)} implies the overlap ` +
      (cka / ceiling).toFixed(3) + (cka > ceiling ? ", more than identical features explain." : ".");
};
form.addEventListener("input", show);
show();
})();</script>"""
