"""The landing page's figure: five features in two units, twice, in another order.

What stands here is the picture before its script (book/_ext/hook.js) runs, and without it: the features of system b go
round in steps of two fifths of a turn, those of a in steps of one. The rows of both are then orthogonal.
"""

from math import cos, pi, sin

import torch

from lib.theory import gram_cosine, ols_r2

FEATURES = 5
STEPS = {"a": 1, "b": 2}  # fifths of a turn from one feature to the next
NAMES = {"rsa": "RSA", "cka": "CKA", "r2": "regression R²", "soft": "soft-matching", "found": "features recovered"}
SIZE = 100  # of an arrow of length 1 in the picture
ORDERS = {"same": "same as a", "other": "in another order", "turned": "turned"}


def arrows(system: str) -> list[tuple[float, float]]:
    """Where each feature's arrow ends; the first points up."""
    angles = [pi / 2 + 2 * pi / FEATURES * STEPS[system] * j for j in range(FEATURES)]
    return [(cos(angle), sin(angle)) for angle in angles]


def scores(a: list[tuple[float, float]], b: list[tuple[float, float]]) -> dict[str, float]:
    """The closed form of each metric for independent features, by the names of `NAMES`."""
    a, b = (torch.tensor(columns, dtype=torch.float64).mT for columns in (a, b))
    lengths = a.norm(dim=1, keepdim=True) * b.norm(dim=1)
    r = (a @ b.mT / lengths.clamp(min=1e-300)).tolist()
    soft = max(r[0][0] + r[1][1], r[0][1] + r[1][0]) / 2
    cka = gram_cosine(a, b).item()
    return {"rsa": cka, "cka": cka, "r2": ols_r2(a, b).item(), "soft": soft}


def hook() -> str:
    """The figure as a piece of HTML."""
    both = {system: arrows(system) for system in STEPS}
    measured = {name: (abs(value), f"{abs(value):.2f}") for name, value in scores(*both.values()).items()}
    measured["found"] = (1.0, f"{FEATURES} of {FEATURES}")
    panels = "".join(map(_panel, both, both.values()))
    bars = "".join(_bar(name, *measured[name]) for name in NAMES)
    orders = "".join(f'<button type="button" data-order="{key}">{words}</button>' for key, words in ORDERS.items())
    stimuli = "".join(
        f'<button type="button" data-stimulus aria-pressed="false" aria-label="stimulus with feature {j}">{j}</button>'
        for j in range(1, FEATURES + 1)
    )
    says = f"CKA says {measured['cka'][1]}. Every active feature was still found, in every stimulus tried."
    return (
        f'<div id="hook"><div class="hook-panels">{panels}</div>'
        f'<table class="hook-scores"><tbody>{bars}</tbody></table>'
        f'<p class="hook-says" aria-live="polite">{says}</p><div class="hook-knobs">'
        f'<div class="segments" role="group" aria-label="system b">System b: {orders}</div>'
        f'<div class="segments" role="group" aria-label="feature that is on">Feature on: {stimuli}</div></div>'
        '<p class="hook-reads"></p></div>\n<script src="../_static/hook.js" defer></script>\n'
    )


def _panel(system, columns):
    axes = "".join(f'<line class="axis" x1="{-x}" y1="{-y}" x2="{x}" y2="{y}"/>' for x, y in ((125, 0), (0, 125)))
    units = '<text class="unit" x="123" y="-6" text-anchor="end">unit 1</text>'
    units += '<text class="unit" x="6" y="-116">unit 2</text>'
    features = "".join(_arrow(system, j, *end) for j, end in enumerate(columns))
    return (
        f'<figure><svg data-system="{system}" viewBox="-130 -130 260 260" role="group" aria-label="system {system}">'
        f'{axes}{units}<circle class="stimulus" r="5"/>{features}</svg>'
        f"<figcaption>System {system}</figcaption></figure>"
    )


def _arrow(system, j, x, y):
    what = f"feature {j + 1} of system {system}"
    return (
        f'<g data-feature="{j}" data-x="{x}" data-y="{y}" tabindex="0" role="slider" aria-label="{what}" '
        f'aria-valuemin="-180" aria-valuemax="180" aria-valuenow="0"><line x2="{SIZE * x:.2f}" y2="{-SIZE * y:.2f}"/>'
        f'<g transform="translate({SIZE * x:.2f} {-SIZE * y:.2f})"><circle class="reach" r="22"/>'
        f'<circle class="end" r="11"/><text text-anchor="middle" dy="4.5">{j + 1}</text></g></g>'
    )


def _bar(name, share, word):
    bar = f'<div class="track"><div data-bar="{name}" style="width:{100 * share:.0f}%"></div></div>'
    return (
        f'<tr class="{name}"><th scope="row">{NAMES[name]}</th><td>{bar}</td><td data-score="{name}">{word}</td></tr>'
    )
