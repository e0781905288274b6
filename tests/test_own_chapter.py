"""Chapter 13 on files of a reader's own, up to its reading and its map of layers, in this process."""

import jupytext
import numpy as np
import pytest
import torch
from helpers import normal

from book.press.runner import without_needless
from lib.chapter.run import Run
from lib.features import bernoulli_uniform, seeded
from lib.store import CODE

BRIEF = {"latents": 12, "k": 2, "sae_steps": 8, "folds": 3}


@pytest.fixture
def own(monkeypatch):
    """Runs the chapter with these parameters; what its prose would be told, and what it leaves in its scope."""
    told = {}
    monkeypatch.setattr(Run, "_glue", staticmethod(lambda name, value, display=False: told.__setitem__(name, value)))
    monkeypatch.chdir(CODE)

    def run(**given):
        told.clear()
        notebook = without_needless(jupytext.read("notebooks/13_your_networks.py"), BRIEF | given)
        scope = {}
        for cell in notebook.cells:
            if "## Take the numbers with you" in cell.source.splitlines():
                return {**told}, scope
            if cell.cell_type == "code":
                exec(cell.source, scope)
                scope.update(BRIEF | given if "parameters" in cell.metadata.get("tags", []) else {})
        raise AssertionError("the chapter has no numbers to take along")

    return run


@pytest.fixture
def files(tmp_path):
    """Two networks of two layers each, a file a layer."""
    features = bernoulli_uniform(240, 12, 0.15, seeded(0), torch.float32)
    for i, side in enumerate("ab"):
        (tmp_path / side).mkdir()
        for layer, units in (("block2", 6), ("block10", 7)):
            np.save(tmp_path / side / f"{layer}.npy", features @ normal(12, units, seed=units + i).float())
    return tmp_path


def test_folders_give_a_map_and_a_report_on_the_last_layers(own, files):
    told, scope = own(a=str(files / "a"), b=str(files / "b"))
    assert told["own-reading"].data.startswith("**") and told["units_a"] == 7
    assert told["own-layers"].data.count("<td") == (7 + 5 + 5 + 2 + 2) * 4
    assert [*scope["best_layers"](scope["by_layer"]).index] == ["block2", "block10"]
    assert not [name for name in told if name.startswith("mobilenets")]  # nothing but what the reader asked for


def test_layers_are_mapped_without_saes_if_none_are_wanted_for_them(own, files):
    told, scope = own(a=str(files / "a"), b=str(files / "b"), sae_layers=False, most_stimuli=200)
    assert told["own-layers"].data.count("<td") == 7 * 4 and told["own-reading"].data.startswith("*A quick look")
    assert {len(y) for y in (*scope["layers_a"].values(), *scope["layers_b"].values())} == {200}


def test_one_layer_each_gives_no_map(own, files):
    told, _ = own(a=str(files / "a" / "block2.npy"), b=str(files / "b" / "block10.npy"))
    assert "no map" in told["own-layers"].data and (told["units_a"], told["units_b"]) == (6, 7)


def test_codes_that_were_brought_along_train_nothing_for_the_report(own, files):
    for side in "ab":
        np.save(files / f"codes_{side}.npy", np.abs(np.load(files / side / "block10.npy")))
    codes = {f"codes_{side}": str(files / f"codes_{side}.npy") for side in "ab"}
    told, scope = own(a=str(files / "a" / "block10.npy"), b=str(files / "b" / "block10.npy"), **codes)
    assert scope["training"] is None and told["latents_used"] == 7 and "brought along" in told["own-reading"].data


@pytest.fixture
def seeds(tmp_path):
    """Two seeds of each of two networks that share all of 12 features."""
    features = bernoulli_uniform(600, 12, 0.15, seeded(0), torch.float32)
    for i, name in enumerate(("a1", "a2", "b1", "b2")):
        np.save(tmp_path / f"{name}.npy", features @ normal(12, 8, seed=30 + i).float())
    return lambda *names: ",".join(str(tmp_path / f"{name}.npy") for name in names)


def test_seeds_of_both_give_an_overlap_and_leave_the_rest_as_it_is(own, seeds):
    told, scope = own(a=seeds("a1", "a2"), b=seeds("b1", "b2"))
    assert told["overlap_low"] < 1 < told["overlap_high"] and told["overlap"] > 0.5
    assert "overlap from seeds" in told["own-seeds"].data and "overlap from seeds" in told["own-reading"].data
    shown = scope["could"].shown(scope["NAMES"])
    assert [*shown.columns][2:] == ["two seeds of a", "two seeds of b", "share of that"]
    assert [*shown.index] == [*scope["NAMES"].values()] and {*shown["identical features"][:3]} == {"no law"}
    alone, _ = own(a=seeds("a1"), b=seeds("b1"))
    assert alone["own-reading"].data == told["own-reading"].data.split("\n\n[Seeds](#sec-own-ceiling)")[0]
    assert all(told[name] == alone[name] for name in ("soft_nn", "ridge_ab_nn", "soft_ss", "k_used", "doubts"))
    assert "The overlap takes two" in alone["own-seeds"].data and "overlap" not in alone


def test_seeds_of_one_network_say_what_is_missing_and_a_quick_look_takes_them_too(own, seeds):
    told, scope = own(a=seeds("a1", "a2"), b=seeds("b1"), most_stimuli=500)
    assert "need a second seed of b too" in told["own-reading"].data and {len(y) for y in scope["more_a"]} == {500}
    assert scope["could"].stimuli[0] == 500


def test_bad_seeds_end_the_run_by_name(own, seeds):
    with pytest.raises(ValueError, match="a1.npy is named twice"):
        own(a=seeds("a1", "a1"), b=seeds("b1"))
