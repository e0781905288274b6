"""A run's numbers reach the results file whole, or not at all."""

import base64
import json
import re

import pytest
import torch

from lib.chapter import parameters, results
from lib.chapter import run as run_module
from lib.chapter.results import read_results, recorded_results, results_of
from lib.chapter.run import Run
from lib.store import write_whole


@pytest.fixture
def run(tmp_path, monkeypatch):
    monkeypatch.setattr(parameters, "NOTEBOOKS", tmp_path / "notebooks")
    monkeypatch.setattr(run_module, "ROOT", tmp_path)
    (tmp_path / "notebooks").mkdir()
    lines = 'profile: str = "quick"  # settings\ndevice: str = "cpu"  # device\ndraws: int = 3  # draws'
    (tmp_path / "notebooks" / "01_tiny.py").write_text(f'# %% tags=["parameters"]\n{lines}\n')
    glued = {}
    monkeypatch.setattr(Run, "_glue", staticmethod(lambda name, value, display=False: glued.__setitem__(name, value)))
    made = Run("01_tiny", {"profile": "quick", "device": "cpu", "draws": 5, "unrelated": 1})
    made.glued = glued
    return made


def test_saved_file_holds_values_parameters_and_provenance(run, tmp_path):
    run.record(rms=0.25)
    run.record(draws=5)
    run.record(score=torch.tensor([1.0, 2.0, 3.0]))
    path = tmp_path / run.save(data="simulated: nothing")
    content = read_results(path)
    assert content["values"]["rms"] == 0.25 and content["values"]["draws"] == 5
    spread = content["values"]["score"]
    assert spread["mean"] == 2 and spread["standard_error"] == pytest.approx(1 / 3**0.5) and spread["count"] == 3
    assert content["parameters"] == {"profile": "quick", "device": "cpu", "draws": 5}
    assert content["data"] == "simulated: nothing" and content["seconds"] >= 0
    assert set(content["provenance"]) == {"date", "device", "python", "versions", "revision"}
    assert run.glued["score"] == 2 and run.glued["score_error"] == pytest.approx(1 / 3**0.5)


def test_words_and_downloads_reach_the_page(run, tmp_path):
    run.words("reading", "**Yes.**")
    assert run.glued["reading"].data == "**Yes.**"
    text = "metric,score\nsoft,0.5\n"
    link = run.download(".csv", text).data
    assert (tmp_path / "build/quick/01_tiny.csv").read_text() == text
    assert base64.b64decode(re.search(r'base64,([^"]+)"', link)[1]).decode() == text
    assert 'download="01_tiny.csv"' in link and "(1 rows)" in link


def test_number_recorded_twice_or_not_finite_is_refused(run):
    run.record(rms=0.1)
    with pytest.raises(ValueError, match="rms is recorded already"):
        run.record(rms=0.2)
    run.record(score=[1.0, 2.0], late_error=0.5)
    with pytest.raises(ValueError, match="score_error is recorded already"):
        run.record(score_error=0.2)
    with pytest.raises(ValueError, match="late_error is recorded already"):
        run.record(late=[1.0, 2.0])
    for bad in ([0.1], [[0.1, 0.2]]):
        with pytest.raises(ValueError, match="other has shape .*: give a number, or a list of at least two"):
            run.record(other=bad)
    for bad in (float("nan"), float("inf"), torch.tensor([1.0, float("nan")])):
        with pytest.raises(ValueError, match="other = .* is not finite"):
            run.record(other=bad)


def test_a_run_is_shown_beside_the_recorded_one(run, tmp_path, monkeypatch):
    monkeypatch.setattr(results, "ROOT", tmp_path)
    run.record(rms=0.25, score=[1.0, 2.0, 3.0])
    rows = {"error": "rms", "a score": "score"}
    alone = run.beside_recorded(rows)
    assert list(alone.columns) == ["this run"] and list(alone["this run"]) == ["0.250", "2.000 ± 0.577"]
    content = {"chapter": "01_tiny", "provenance": {}, "values": {"rms": 0.125}}
    write_whole(tmp_path / "book" / "results" / "paper" / "01_tiny.json", json.dumps(content))
    both = run.beside_recorded(rows)
    assert list(both.index) == ["error", "a score"]
    assert list(both["profile paper, recorded"]) == ["0.125", "not recorded"]


def test_a_table_has_a_column_for_each_ending_and_means_of_spreads(run):
    run.record(soft_8=[1.0, 2.0, 3.0], soft_16=0.5, all_8=1, all_16=2)
    table = run.table({8: "N = 8", 16: "N = 16"}, {"soft-matching": "soft_*", "everything": "all_*"})
    assert list(table.columns) == ["N = 8", "N = 16"] and list(table.index) == ["soft-matching", "everything"]
    assert table.to_numpy().tolist() == [["2.000", "0.500"], ["1.000", "2.000"]]


@pytest.mark.parametrize("text", ["", "{", "[]", '{"values": {}}', "null"])
def test_broken_results_file_is_named_with_the_mend(tmp_path, text):
    path = tmp_path / "01_tiny.json"
    path.write_text(text)
    with pytest.raises(ValueError, match=rf"{re.escape(str(path))} is no results file .*: delete it and rerun"):
        read_results(path)


def test_write_that_fails_leaves_the_old_file(tmp_path):
    path = tmp_path / "a.json"
    write_whole(path, "old")
    with pytest.raises(UnicodeEncodeError):
        write_whole(path, "\ud800")
    assert path.read_text() == "old"


def test_own_runs_take_precedence_over_recorded_ones(tmp_path, monkeypatch):
    monkeypatch.setattr(results, "ROOT", tmp_path)
    content = {"chapter": "01_tiny", "provenance": {}, "values": {"from": "recorded"}}
    write_whole(tmp_path / "book" / "results" / "paper" / "01_tiny.json", json.dumps(content))
    assert results_of("paper")["01_tiny"]["values"]["from"] == "recorded"
    content["values"]["from"] = "own"
    write_whole(tmp_path / "build" / "paper" / "01_tiny.json", json.dumps(content))
    assert results_of("paper")["01_tiny"]["values"]["from"] == "own"
    assert results_of("quick") == {}
    assert recorded_results("paper")["01_tiny"]["values"]["from"] == "recorded"


def keep(tmp_path, profile, values):
    made = {"date": "2026-01-02", "revision": "abc", "device": "CPU, 2 threads"}
    content = {"chapter": "01_tiny", "provenance": made, "seconds": 12.3, "values": values}
    write_whole(tmp_path / "book" / "results" / profile / "01_tiny.json", json.dumps(content))


def spread(mean):
    return {"mean": mean, "standard_error": 0.25, "count": 3}


def test_recorded_numbers_are_quoted_with_their_source_and_own_ones_come_first(run, tmp_path, monkeypatch):
    monkeypatch.setattr(results, "ROOT", tmp_path)
    run.quote("long", "gap", "count")
    assert run.glued["gap_quoted"] == run.glued["count_quoted"] == "not recorded"
    assert run.glued["long_source"] == "nothing is recorded for profile long"
    keep(tmp_path, "long", {"gap": spread(-0.5), "count": 7})
    run.quote("long", "gap", "count", "other", same="count")
    assert run.glued["same_quoted"] == "7"
    assert run.glued["gap_quoted"] == "-0.500 ± 0.250" and run.glued["count_quoted"] == "7"
    assert run.glued["other_quoted"] == "not recorded"
    assert run.glued["long_source"] == (
        "recorded on 2026-01-02 with profile long at revision abc (CPU, 2 threads, 12 seconds)"
    )
    run.record(gap=[1.0, 2.0, 3.0])
    run.quote("long", "gap")
    assert run.glued["gap_quoted"] == "2.000 ± 0.577" and run.glued["long_source"] == "measured in this run"
    assert "count" not in run.values


def test_series_of_recorded_numbers_rise_and_others_are_left_out(run, tmp_path, monkeypatch):
    monkeypatch.setattr(results, "ROOT", tmp_path)
    assert run.series("long", "gap_*_k2") == [(), (), ()]
    names = {"gap_10_k2": 3.0, "gap_9_k2": 2.0, "gap_all_k2": 5.0, "gap_8_k3": 7.0, "the_gap_1_k2": 8.0}
    keep(tmp_path, "long", {name: spread(value) for name, value in names.items()})
    assert run.series("long", "gap_*_k2") == [(9, 10), (2.0, 3.0), (0.25, 0.25)]


def test_table_has_a_row_for_each_star_of_its_first_column(run, tmp_path, monkeypatch):
    monkeypatch.setattr(results, "ROOT", tmp_path)
    assert run.recorded_table("long", {"gap": "gap_*", "share": "share_*"}).empty
    keep(tmp_path, "long", {"gap_a": spread(1.0), "gap_b": spread(2.0), "share_b": 0.5, "share_c": 0.25})
    table = run.recorded_table("long", {"gap": "gap_*", "share": "share_*"})
    assert list(table.index) == ["a", "b"] and list(table.columns) == ["gap", "share"]
    assert list(table["gap"]) == ["1.000 ± 0.250", "2.000 ± 0.250"] and list(table["share"]) == [
        "not recorded",
        "0.500",
    ]
