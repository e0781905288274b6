"""A run's numbers reach the results file whole, or not at all."""

import base64
import json
import re

import pytest
import torch
from helpers import refuses

from lib import store
from lib.chapter import results
from lib.chapter.results import output_path, read_results, recorded_results, results_of, saved_path
from lib.chapter.run import Run
from lib.store import write_whole


@pytest.fixture
def run(tmp_path, monkeypatch):
    monkeypatch.setattr(store, "ROOT", tmp_path)
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
    run.tabulate("soft", N=8, pair=range(2), gain=torch.tensor([0.5, 1.5]))
    path = tmp_path / run.save(data="simulated: nothing")
    content = read_results(path, "01_tiny", "quick")
    assert content["tables"] == {"soft": [{"N": 8, "pair": 0, "gain": 0.5}, {"N": 8, "pair": 1, "gain": 1.5}]}
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
    for bad in ([], [[0.1, 0.2]]):
        with pytest.raises(ValueError, match="other has shape .*: give a number, or a list of numbers"):
            run.record(other=bad)
    for bad in (float("nan"), float("inf"), torch.tensor([1.0, float("nan")])):
        with pytest.raises(ValueError, match="other = .* is not finite"):
            run.record(other=bad)


def test_a_run_is_shown_beside_the_recorded_one(run, tmp_path, monkeypatch):
    run.record(rms=0.25, score=[1.0, 2.0, 3.0])
    rows = {"error": "rms", "a score": "score"}
    alone = run.beside_recorded(rows)
    assert list(alone.columns) == ["this run"] and list(alone["this run"]) == ["0.250", "2.000 ± 0.577"]
    keep(tmp_path, "paper", {"rms": 0.125})
    both = run.beside_recorded(rows)
    assert list(both.index) == ["error", "a score"]
    assert list(both["profile paper, recorded"]) == ["0.125", "not recorded"]


def test_a_spread_of_one_value_has_no_standard_error(run):
    run.record(score=[0.5])
    assert run.values["score"] == {"mean": 0.5, "standard_error": None, "count": 1}
    assert run.glued == {"score": 0.5, "score_error": "one value"}
    assert list(run.beside_recorded({"a score": "score"})["this run"]) == ["0.500, one value"]


def test_tables_are_asked_and_told(run):
    for size in (8, 16):
        run.tabulate("soft", N=size, pair=range(3), gain=torch.tensor([1.0, 2.0, 3.0]) * size)
    assert run.ask("mean(soft.gain)", N=8) == 16 and run.ask("count(soft.gain where N = 16)") == 3
    run.tell(soft_gain_8="soft.gain where N = 8", least="min(soft.gain where N = 16)", sizes="max(soft.N)")
    assert run.glued == {"soft_gain_8": 16, "soft_gain_8_error": pytest.approx(8 / 3**0.5), "least": 16, "sizes": 16}
    assert isinstance(run.glued["sizes"], int) and not run.values
    shown = run.beside_recorded({"gain": "soft.gain where N = 8", "most": "max(soft.gain)", "none": "hard.gain"})
    assert list(shown["this run"]) == ["16.000 ± 4.619", "48.000", "not recorded"]


@pytest.mark.parametrize(
    ("columns", "mend"),
    [
        ({"N": 8, "gain": [1.0]}, "is there already: add a column that tells the rows apart"),
        ({"N": 9, "loss": [1.0]}, "its columns are N, gain, not N, loss"),
        ({"N": [9, 10], "gain": [1.0]}, r"the lists have \[1, 2\] values: give each row one of each"),
        ({"N": 9, "gain": [float("nan")]}, "is not finite: record how many runs failed"),
    ],
)
def test_rows_that_are_no_tidy_table_are_refused(run, columns, mend):
    run.tabulate("soft", N=8, gain=[1.0])
    with pytest.raises(ValueError, match=f"table soft: .*{mend}"):
        run.tabulate("soft", **columns)
    assert run.tables == {"soft": [{"N": 8, "gain": 1.0}]}


def test_a_table_has_a_column_for_each_value_of_a_key(run):
    for size in (8, 16):
        run.tabulate("soft", N=size, gain=[1.0 * size, 3.0 * size])
    table = run.table({8: "N = 8", 16: "N = 16"}, {"gain": "mean(soft.gain)", "least": "min(soft.gain)"}, "N")
    assert list(table.columns) == ["N = 8", "N = 16"] and list(table.index) == ["gain", "least"]
    assert table.to_numpy().tolist() == [["16.000", "32.000"], ["8.000", "16.000"]]


@pytest.mark.parametrize("text", ["", "{", "[]", '{"values": {}}', "null"])
def test_broken_results_file_is_named_with_the_mend(tmp_path, text):
    path = tmp_path / "01_tiny.json"
    path.write_text(text)
    with pytest.raises(ValueError, match=rf"{re.escape(str(path))} is no results file .*: delete it and rerun"):
        read_results(path, "01_tiny", "quick")


def test_write_that_fails_leaves_the_old_file(tmp_path):
    path = tmp_path / "a.json"
    write_whole(path, "old")
    with pytest.raises(UnicodeEncodeError):
        write_whole(path, "\ud800")
    assert path.read_text() == "old"


def test_own_runs_take_precedence_over_recorded_ones(tmp_path, monkeypatch):
    monkeypatch.setattr(store, "ROOT", tmp_path)
    keep(tmp_path, "paper", {"from": 1})
    assert results_of("paper")["01_tiny"]["values"]["from"] == 1
    monkeypatch.setattr(results, "own_results", lambda label: {"01_tiny": {"values": {"from": 2}}})
    assert results_of("paper")["01_tiny"]["values"]["from"] == 2
    assert recorded_results("paper")["01_tiny"]["values"]["from"] == 1


def keep(tmp_path, profile, values, tables=None):
    made = {"date": "2026-01-02", "revision": "abc", "device": "CPU, 2 threads"}
    content = {"chapter": "01_tiny", "profile": profile, "provenance": made, "seconds": 12.3, "values": values}
    content["tables"] = tables or {}
    write_whole(tmp_path / "book" / "results" / profile / "01_tiny.json", json.dumps(content))


def spread(mean):
    return {"mean": mean, "standard_error": 0.25, "count": 3}


def test_recorded_numbers_are_quoted_with_their_source_and_own_ones_come_first(run, tmp_path, monkeypatch):
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


CASES = [{"block": 10, "k": 2, "gap_mean": 3.0, "gap_error": 0.25, "gap_count": 3}]
CASES += [{"block": 9, "k": 2, "gap": gap} for gap in (1.0, 3.0)] + [{"block": 8, "k": 3, "gap": 7.0}]


def test_series_rise_along_a_key_and_leave_out_what_is_not_asked_for(run, tmp_path):
    assert run.series("long", "cases.gap where k = 2", "block") == [(), (), ()]
    keep(tmp_path, "long", {}, {"cases": CASES})
    assert run.series("long", "cases.gap where k = 2", "block") == [(9, 10), (2.0, 3.0), (1.0, 0.25)]


def test_recorded_table_has_a_row_for_each_value_of_a_key(run, tmp_path):
    assert run.recorded_table("long", {"gap": "cases.gap", "share": "shares.share"}, "case").empty
    cases = [{"case": case, "gap_mean": 1.0, "gap_error": 0.25, "gap_count": 3} for case in "ab"]
    shares = [{"case": "b", "share": 0.5}, {"case": "c", "share": 0.25}]
    keep(tmp_path, "long", {}, {"cases": cases, "shares": shares})
    table = run.recorded_table("long", {"gap": "cases.gap", "share": "mean(shares.share)"}, "case")
    assert list(table.index) == ["a", "b"] and list(table.columns) == ["gap", "share"]
    assert list(table["gap"]) == ["1.000 ± 0.250"] * 2 and list(table["share"]) == ["not recorded", "0.500"]


def test_a_table_of_this_run_stands_in_the_place_of_the_recorded_one(run, tmp_path):
    keep(tmp_path, "long", {}, {"cases": CASES, "other": CASES})
    run.tabulate("cases", block=1, k=2, gap=0.5)
    assert run.series("long", "cases.gap", "block") == [(1,), (0.5,), (None,)]
    assert run.series("long", "other.gap where k = 3", "block") == [(8,), (7.0,), (None,)]


@pytest.mark.parametrize(
    "change, why",
    [
        ({"values": {"a": "word"}}, "a value is no number"),
        ({"values": {"a": {"mean": 1.0, "count": 2}}}, "'standard_error'"),
        ({"values": [1]}, "no attribute 'values'"),
        ({"values": {"a": float("inf")}}, "it holds Infinity"),
        ({"tables": {"t": [{"gain": [1]}]}}, "a cell neither number nor word"),
        ({"tables": {"t": {}}}, "a table is no list"),
        ({"provenance": []}, "the provenance no table"),
    ],
)
def test_results_of_another_form_are_refused(change, why, tmp_path):
    content = {"chapter": "01_tiny", "profile": "quick", "values": {}, "tables": {}, "provenance": {}}
    (tmp_path / "a.json").write_text(json.dumps(content | change))
    refuses(why, "delete it and rerun", read_results, tmp_path / "a.json", "01_tiny", "quick")


@pytest.mark.parametrize(
    "text, why", [("[" * 5000, "recursion"), ('{"values": 1e999}', "it holds 1e999"), ("3", "keys")]
)
def test_results_that_no_run_wrote_are_refused(text, why, tmp_path):
    (tmp_path / "a.json").write_text(text)
    refuses(why, "delete it and rerun", read_results, tmp_path / "a.json", "01_tiny", "quick")


@pytest.mark.parametrize(
    "label", ["../up", "..", "/elsewhere", "quick/../..", "", ".", "./quick", "quick/", "a//b", "a\nb", "a\0b"]
)
def test_no_run_lies_outside_of_build(label):
    for path in (output_path, saved_path):
        refuses(f"{label!r}: --label and --profile", "name a folder of build/", path, "01_tiny", label)
    refuses(f"{label!r}: --label and --profile", "name a folder of build/", recorded_results, label)
