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


def test_what_would_end_a_cell_does_not():
    evidence.keep("mutation", [{"module": "a|b", "killed": True}], ["module"])
    assert "| a\\|b | yes |" in evidence.evidence("mutation")
