import json

import pandas as pd
import pytest

from lib.chapter.dose import (
    EXPECTED,
    FEWEST,
    REGIMES,
    Expected,
    by_regime,
    dose_cells,
    draw_dose,
    judged,
    rank,
    regime,
    share,
)
from lib.chapter.plotting import panels
from lib.verdict import Findings, Gain

WORLD = {"objects": 9, "units": 32, "features": 90, "effective": 48.0, "needed": 11.0, "pictures": "digits"}


def gain(mean):
    return Gain(mean, 0.001, mean - 0.001, mean + 0.001)._asdict()


def line(number=0, soft=0.3, ridge=0.1, **world):
    """A cell as the benchmark keeps it: gains in matching and ridge, and otherwise a sound analysis."""
    numbers = dict.fromkeys(Findings._fields, 0.5) | {"units": [32, 32], "dimensions": [20, 20], "stimuli": [500, 500]}
    numbers |= {"distinct": [500, 500], "latents": 96, "k": 3, "chance": 0.01, "silent": 0.0, "constant": [0, 0]}
    numbers |= {"massive": [{}, {}], "ceilings": [1, 1], "explained_rise": 0.0, "match_rise": 0.0, "independent": 500}
    numbers |= {"stable": 0.8, "stable_random": 0.2, "seed_share": 0.8, "soft_nn": 0.3, "soft_ss": 0.3 + soft}
    gains = {name: list(gain(0.1).values()) for name, kind in Findings.__annotations__.items() if kind is Gain}
    gains |= {"match_gain": list(gain(soft).values()), "ridge_gain": list(gain(ridge).values())}
    scores = {"soft_nn": 0.3, "ridge_nn": 0.7, "ridge_qn": 0.8}
    return {"cell": number, **WORLD, **world, "expected_ridge": 0.6, "scores": scores, "findings": numbers | gains}


def read(tmp_path, *kept):
    (tmp_path / "dose.jsonl").write_text("".join(json.dumps(one) + "\n" for one in kept))
    return dose_cells(tmp_path / "dose.jsonl")


@pytest.mark.parametrize(
    ("changed", "wanted"),
    [
        ({}, "superposed"),
        ({"objects": 1, "features": 10}, "single"),
        ({"objects": 1, "features": 10, "units": 8}, "single"),
        ({"units": 90}, "room"),
        ({"units": 89}, "superposed"),
        ({"units": 22}, "superposed"),
        ({"units": 21}, "between"),
        ({"units": 17}, "between"),
        ({"units": 16}, "crowded"),
    ],
)
def test_the_regime_follows_from_the_design(changed, wanted):
    assert regime(WORLD | changed) == wanted


def test_cells_are_read_with_what_is_true_of_them(tmp_path):
    refused = {key: one for key, one in line(2).items() if key not in ("findings", "scores")} | {"error": "too few"}
    other = line(1, -0.2, 0.01, units=128, pictures="images")
    del other["scores"]["ridge_qn"]
    cells = read(tmp_path, line(), other, refused)
    assert cells.cell.tolist() == [0, 1] and cells.regime.tolist() == ["superposed", "room"]
    assert cells.ratio.tolist() == [90 / 32, 90 / 128] and cells.effective_ratio.tolist() == [1.5, 48 / 128]
    assert cells.match_gain.tolist() == [0.3, -0.2] and cells.soft_nn.tolist() == [0.3, 0.3]
    facts = {"superposed": [1, 0], "room": [0, 1], "digits": [1, 0], "images": [0, 1], "dense": [1, 0]}
    facts |= {"products": [1, 0], "soft_gains": [1, 0], "soft_loses": [0, 1], "ridge_gains": [1, 0]}
    facts |= {"plain_as_good": [0, 0], "beats_axes": [1, 1], "single": [0, 0], "crowded": [0, 0], "between": [0, 0]}
    assert {name: cells[name].astype(int).tolist() for name in facts} == facts
    assert cells.answer[0] == "yes" and cells.yes.tolist() == [True, cells.answer[1] == "yes"]


def test_expectations_are_held_failed_or_left_open():
    cells = pd.DataFrame({"x": range(6), "y": [0, 1, 2, 3, 5, 4], "z": 1.0, "on": [True] * 4 + [False] * 2})
    asked = [
        Expected("two in three", "", share("on"), 2 / 3),
        Expected("more", "", share("on"), 0.7),
        Expected("off", "", share("on", False), 1 / 3),
        Expected("few", "on", share("on"), 0.5),
        Expected("rises", "", rank("x", "y"), 0.9),
        Expected("falls", "", rank("x", "y", -1), 0.9),
        Expected("constant", "", rank("x", "z"), 0.0),
        Expected("some", "x >= 1", share("on"), 0.6),
    ]
    found = judged(cells, asked).set_index("expectation")
    verdicts = ["held", "failed", "held", "too few cells", "held", "failed", "too few cells", "held"]
    assert found.verdict.tolist() == verdicts
    assert found.cells.tolist() == [6, 6, 6, 4, 6, 6, 6, 5] and FEWEST == 5
    assert found.measured["rises"] == pytest.approx(1 - 6 * 2 / (6 * 35))
    assert found["at least"].tolist() == [one.least for one in asked]


def as_expected():
    """Cells of each regime and kind of picture of which all is true that is expected, as `dose_cells` gives them."""
    worlds = [(name, kind, i) for name in REGIMES for kind in ("digits", "images") for i in range(6)]
    cells = pd.DataFrame(worlds, columns=["regime", "pictures", "i"])
    for name in (*REGIMES, "digits", "images"):
        cells[name] = (cells.regime == name) | (cells.pictures == name)
    cells["dense"] = cells.superposed | cells.crowded | cells.between
    cells["effective_ratio"] = cells.i + 10.0 * cells.dense
    cells["ratio"], cells["effective"] = cells.i, cells.effective_ratio
    cells["soft_nn"], cells["ridge_nn"], cells["ridge_gain"] = -cells.effective, cells.effective, cells.effective_ratio
    cells["expected_ridge"], cells["match_gain"] = cells.effective**2, 1.0 * cells.digits
    cells["soft_gains"], cells["soft_loses"] = ~cells.single & ~cells.crowded, cells.single
    cells["ridge_gains"], cells["products"], cells["plain_as_good"] = cells.dense, True, True
    return cells.assign(beats_axes=True, yes=cells.superposed)


def test_each_expectation_is_held_where_it_is_true_and_fails_where_it_is_not():
    cells = as_expected()
    assert judged(cells).verdict.tolist() == ["held"] * len(EXPECTED)
    facts = ("soft_gains", "soft_loses", "ridge_gains", "plain_as_good", "beats_axes", "yes")
    turned = cells.assign(**{name: ~cells[name] for name in facts})
    turned = turned.assign(soft_nn=cells.effective, ridge_nn=-cells.effective, match_gain=-cells.match_gain)
    turned = turned.assign(ratio=cells.ridge_gain, effective_ratio=cells.i % 4)  # which rises a little with the gain
    assert judged(turned).verdict.tolist() == ["failed"] * len(EXPECTED)


def test_every_expectation_reads_columns_that_the_cells_have(tmp_path):
    kept = [line(i, i / 10, units=units, effective=40.0 + i) for i, units in enumerate((16, 32, 64, 128) * 6)]
    read_cells = read(tmp_path, *kept)
    missing = {*as_expected().columns} - {*read_cells.columns} - {"i"}
    assert not missing and len({one.words for one in EXPECTED}) == len(EXPECTED)
    assert {*judged(read_cells).verdict} == {"held", "failed", "too few cells"}


def test_means_are_by_regime_in_order(tmp_path):
    cells = read(tmp_path, line(), line(1, 0.1), line(2, units=128))
    table = by_regime(cells, ["match_gain"])
    assert [*table.index] == ["room", "superposed"] and table.cells.tolist() == [1, 2]
    assert table.match_gain.tolist() == pytest.approx([0.3, 0.2])


def test_cells_are_drawn_where_they_are_and_images_hollow(tmp_path):
    cells = read(tmp_path, line(), line(1, -0.1, pictures="images"), line(2, 0.2, units=128))
    (ax,) = panels(1)
    draw_dose(ax, cells, "ratio", "match_gain")
    drawn = [one for one in ax.lines if len(one.get_xdata()) and one.get_marker() not in ("None", "")]
    points = {(float(x), float(y)): one.get_markerfacecolor() for one in drawn
              for x, y in zip(one.get_xdata(), one.get_ydata(), strict=True)}  # fmt: skip
    assert {*points} == {(90 / 32, 0.3), (90 / 32, -0.1), (90 / 128, 0.2)}
    assert points[90 / 32, -0.1] == "none" and points[90 / 32, 0.3] != "none"
    assert [text for text in ax.get_legend_handles_labels()[1]] == ["room", "superposed"]
