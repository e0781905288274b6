import json

import pytest

from book.press import evidence
from lib import store


@pytest.fixture(autouse=True)
def empty(tmp_path, monkeypatch):
    monkeypatch.setattr(store, "ROOT", tmp_path)


def test_what_was_never_tried_says_so():
    assert evidence.evidence("kills") == "*Not run.*\n"


def test_a_row_replaces_the_one_on_the_same_thing_and_the_table_has_all():
    evidence.keep("kills", [{"run": "b", "equal": 1, "wrong": 0.125}, {"run": "a", "equal": 2, "wrong": 0.0}], ["run"])
    evidence.keep("kills", [{"run": "b", "equal": 7, "wrong": 0.5}], ["run"])
    assert [(row["run"], row["equal"]) for row in evidence.kept("kills")] == [("a", 2), ("b", 7)]
    table, made = evidence.evidence("kills").strip().rsplit("\n", 1)
    assert table.splitlines() == ["| run | equal | wrong |", "| --- | --- | --- |", "| a | 2 | 0 |", "| b | 7 | 0.5 |"]
    assert made.startswith("*Made 20") and all({"date", "revision"} < row.keys() for row in evidence.kept("kills"))


def test_a_row_that_is_added_to_stays_with_what_it_was_found_with():
    old = {"run": "a", "equal": 1, "date": "2020-01-02", "revision": "first"}
    evidence.keep("kills", [old | {"equal": 2}], ["run"])
    assert evidence.kept("kills") == [old | {"equal": 2}]


def test_what_would_end_a_cell_does_not():
    evidence.keep("kills", [{"run": "a|b", "well": True}], ["run"])
    assert "| a\\|b | yes |" in evidence.evidence("kills")


def test_changes_that_no_test_noticed_stand_below_the_modules(tmp_path):
    survivor = {"line": 3, "source": "x = 1", "mutation": "1 to 2", "reason": "x is not used."}
    same = survivor | {"line": 5, "reason": "same result: the order of a sum alone"}
    told = {"mutants": 90, "tried": 40, "killed": 38, "survivors": [survivor, same], "date": "2026-01-02"}
    (tmp_path / "book" / "results").mkdir(parents=True)
    (tmp_path / "book" / "results" / "mutation.json").write_text(json.dumps({"lib/a.py": told}))
    text = evidence.mutation()
    assert "| `lib/a.py` | 90 | 40 | 38 | 95% | 97% |" in text and "*Made 2026-01-02.*" in text
    assert "- `lib/a.py`, `x = 1`: 1 to 2. x is not used.\n" in text
