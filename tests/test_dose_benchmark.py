"""The benchmark behind chapter 17's random worlds: its sample of worlds, one cell, and going on after a stop."""

import json
from collections import Counter
from math import isfinite

import dose
import pytest
import torch
from helpers import close

from lib.chapter.dose import dose_cells
from lib.data.composed import Composition, compose, digit_pictures
from lib.features import seeded

MEASURED = dose.measured  # before a test puts something else in its place


@pytest.fixture
def file(tmp_path, monkeypatch):
    """Where cells are kept during a test, and cells that cost nothing."""
    monkeypatch.setattr(dose, "FILE", tmp_path / "dose.jsonl")
    monkeypatch.setattr(dose, "measured", lambda number, cell, images: {"found": number})
    return tmp_path / "dose.jsonl"


def run(monkeypatch, *arguments):
    monkeypatch.setattr("sys.argv", ["dose.py", *arguments])
    dose.main()


def numbers(file):
    return [json.loads(line)["cell"] for line in file.read_text().splitlines()]


def test_the_sample_takes_each_number_of_objects_in_turn_and_every_cell_once():
    every = dose.cells(10**6)
    assert len(every) == len({tuple(cell.values()) for cell in every}) == 2 * 5 * 4 * (3 * 4 + 1)
    assert all(cell["objects"] > 1 or cell["correlation"] == 0 for cell in every)
    assert dose.cells(37) == every[:37]
    for start in range(0, 160, 4):
        assert {cell["objects"] for cell in every[start : start + 4]} == {1, 4, 9, 16}
    for axis, values in dose.AXES.items():
        seen = Counter(cell[axis] for cell in every[:120] if cell["objects"] > 1)
        assert all(seen[value] > 0.5 * 90 / len(values) for value in values if (axis, value) != ("objects", 1))


def test_it_goes_on_where_it_was_killed(file, monkeypatch):
    work = dose.measured

    def killed(number, cell, images):
        if number == 3:
            raise KeyboardInterrupt
        return work(number, cell, images)

    with monkeypatch.context() as until, pytest.raises(KeyboardInterrupt):
        until.setattr(dose, "measured", killed)
        run(until, "--cells", "6", "--images", "zip:some")
    assert numbers(file) == [0, 1, 2]
    kept = file.read_text()
    run(monkeypatch, "--cells", "6", "--images", "zip:some")
    assert numbers(file) == [*range(6)] and file.read_text().startswith(kept)
    first = json.loads(kept.splitlines()[0])
    assert first.pop("seconds") >= 0 and first == {"cell": 0, "found": 0} | dose.cells(1)[0]
    run(monkeypatch, "--cells", "6", "--images", "zip:some")
    assert numbers(file) == [*range(6)]


def test_cells_of_images_wait_until_images_are_named(file, monkeypatch, capsys):
    run(monkeypatch, "--cells", "12")
    digits = [i for i, cell in enumerate(dose.cells(12)) if cell["pictures"] == "digits"]
    assert numbers(file) == digits and 0 < len(digits) < 12
    assert capsys.readouterr().err.startswith(f"{12 - len(digits)} cells are made of images")
    run(monkeypatch, "--cells", "12", "--images", "zip:some")
    assert sorted(numbers(file)) == [*range(12)] and not capsys.readouterr().err


def test_no_cell_is_begun_after_the_time(file, monkeypatch):
    run(monkeypatch, "--seconds", "0")
    assert not file.exists()


def test_a_cell_is_trained_analysed_and_read(file, monkeypatch, project):
    for name, value in {"STEPS": 30, "SCENES": 600, "SAE_STEPS": 8, "HIDDEN": (16, 16)}.items():
        monkeypatch.setattr(dose, name, value)
    cell = {"pictures": "digits", "objects": 4, "units": 16, "density": 0.3, "correlation": 0.2}
    found = MEASURED(5, cell, "")
    assert found["features"] == 40 and found["k"] == 2 and found["findings"]["latents"] == 43
    assert found["findings"]["k"] == 2 and found["findings"]["stimuli"] == [300, 300]
    assert all(isfinite(value) and -1 <= value <= 1 for value in found["scores"].values())
    assert {"soft_nn", "soft_ss", "soft_rs", "ridge_nn", "ridge_sn", "ridge_rn", "ridge_dn"} <= {*found["scores"]}
    assert 0 < found["labels_n"] < 1 and 0 < found["labels_s"] < 1 and 0 < found["precision"] <= 1
    file.write_text(json.dumps({"cell": 5, **cell, **found}) + "\n")
    assert dose_cells(file).regime.tolist() == ["superposed"]


def test_what_the_report_refuses_is_kept_as_refused(file, monkeypatch, project):
    for name, value in {"STEPS": 1, "SCENES": 12, "HIDDEN": (4, 4)}.items():
        monkeypatch.setattr(dose, name, value)
    found = MEASURED(0, {"pictures": "digits", "objects": 1, "units": 16, "density": 0.2, "correlation": 0}, "")
    assert "give more stimuli" in found["error"] and found["features"] == 10


def test_what_is_known_before_is_that_of_the_labels():
    labels = compose(digit_pictures("test"), Composition(9, 0.3), 20_000, seeded(0)).labels
    known = dose.known_before(labels, Composition(9, 0.3), 32)
    assert known["features"] == 90 and known["k"] == 3
    q = 0.03  # a place's ten labels exclude each other: nine eigenvalues of q and one of q (1 - 10 q)
    wanted = (9 * q + q * (1 - 10 * q)) ** 2 / (9 * q**2 + (q * (1 - 10 * q)) ** 2)
    close(known["effective"] / 9, wanted, 0.1)
    close(known["expected_ridge"], (32 / known["effective"]) ** 0.5, 0.03)
    assert known["needed"] == pytest.approx(11.3, abs=0.1)
    assert dose.known_before(labels, Composition(9, 0.3), 90)["expected_ridge"] == 1


def test_correlated_labels_are_fewer_effective_features():
    each = [compose(digit_pictures("test"), Composition(9, 0.3, c), 20_000, seeded(0)).labels for c in (0, 0.8)]
    free, bound = (dose.known_before(labels, Composition(9, 0.3), 32)["effective"] for labels in each)
    ratio = 81 / ((1 + 8 * 0.8) ** 2 + 8 * 0.2**2)  # participation ratio of nine places, each correlated .8 with others
    close(bound / free, ratio / 9, 0.02)


def test_networks_are_those_of_the_chapter_for_other_sizes():
    network = dose.mlp(30, 7, 20)
    assert network(torch.rand(5, 30)).shape == (5, 20)
    assert network.body(torch.rand(5, 30)).shape == (5, 7) and network.body[0].in_features == 30
    assert network.body[0].bias.abs().max() == 0
    deviation = float(dose.mlp(3000, 7, 20).body[0].weight.detach().std())
    assert deviation == pytest.approx((2 / 3000) ** 0.5, rel=0.02)


def test_pictures_make_groups_and_empty_scenes_stand_alone():
    assert dose.distinct(torch.tensor([3, -1, 3, 0, -1])).tolist() == [3, 5, 3, 0, 8]


def test_precision_leaves_out_labels_that_are_never_true():
    labels = torch.tensor([[1.0, 0, 0], [0, 1, 0], [0, 0, 0]])
    assert dose.precision(labels, [labels + 0.5, labels]) == 1
    half = dose.precision(labels, [labels, -labels])
    assert half == pytest.approx((1 + (1 / 3 + 1 / 3) / 2) / 2)
