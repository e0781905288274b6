"""The page of a run with other parameters says which, and shows its numbers beside the book's."""

import json
import re

import nbformat
import pytest
from helpers import executed

from book.press import assemble, beside
from lib.chapter import results
from lib.store import write_whole

PARAMETERS = """# %% tags=["parameters"]
profile: str = "quick"  # settings
draws: int = 3  # draws
a: str = ""  # a file
sizes: list[int] = [8, 16]  # sizes
"""
SPREAD = {"mean": 1.5, "standard_error": 0.25, "count": 4}


@pytest.fixture
def chapter(project, monkeypatch):
    """Leaves a run of the chapter in build/<label> with these settings, values and tables."""
    monkeypatch.setattr("helpers.TEXT_CHAPTER", PARAMETERS)

    def run(label, values, settings, **tables):
        executed(project, "01_first", label, values=values)
        saved, path = (project / "build" / label / f"01_first.{ending}" for ending in ("json", "ipynb"))
        content, notebook = (json.loads(one.read_text()) for one in (saved, path))
        about = notebook["metadata"]["run"]
        given = {"profile": label, **settings}
        depends = results.chapter_dependencies("01_first", given, label)
        write_whole(saved, json.dumps(content | {"tables": tables}))
        digest = results._hash(saved.read_bytes())
        notebook["metadata"]["run"] = about | {"settings": given, "results": digest, "depends": depends}
        write_whole(path, json.dumps(notebook))

    return run


def rows(box):
    """Cells of the box's tables, first those shown openly, then the folded ones."""
    opened, _, folded = box.partition("<details>")
    return [
        [re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row) for row in re.findall("<tr>(.*?)</tr>", part)]
        for part in (opened, folded)
    ]


def test_no_box_where_nothing_differs(chapter):
    for given in ({}, {"draws": 3, "a": "", "exercises": False}):
        chapter("custom", {"rms": 1}, given)
        assert beside.box("01_first", "custom") == ""


def test_each_parameter_that_differs_is_named_with_both_values_whatever_it_holds(chapter):
    chapter("own", {"rms": 1}, {"draws": 3, "a": "/da|ta/`$x$` <b>\n::::::/y.npy", "sizes": [8]})
    box = beside.box("01_first", "own")
    assert box.startswith(":::::{admonition} Not the book's run: 2 parameters differ\n:class: other-run\n\n")
    shown, folded = rows(box)
    path = "/da|ta/`$x$` &lt;b&gt; ::::::/y.npy"
    assert shown[1:] == [["<code>a</code>", path, "empty"], ["<code>sizes</code>", "[8]", "[8, 16]"]] and not folded
    assert all("\n" not in line for line in re.findall("<table.*?</table>", box, flags=re.S))
    assert "once `python -m book.press run 01_first` has run here" in box


BOOK = {"rms": 0.25, "count": 7, "score": SPREAD, "same": 0.1234, "gone": 1}
HERE = {"rms": 0.5, "count": 5, "score": SPREAD | {"mean": 1.0}, "same": 0.1233, "added": 2.0, "one": SPREAD}


def test_numbers_and_spreads_stand_beside_the_books_and_what_it_has_not_is_said(chapter):
    chapter("quick", BOOK, {})
    chapter("custom", HERE, {"draws": 9})
    box = beside.box("01_first", "custom")
    shown, folded = rows(box)
    assert "Of 6 numbers, beside the book's, 3 came out otherwise, 1 read the same, 2 are not in the book's run." in box
    assert shown[3:] == [
        ["<code>rms</code>", "0.500", "0.250", "+0.250"],
        ["<code>count</code>", "5", "7", "-2"],
        ["<code>score</code>", "1.000 ± 0.250", "1.500 ± 0.250", "-0.500"],
    ]
    assert folded[1:] == [
        ["<code>same</code>", "0.123", "0.123", "-0.000"],
        ["<code>added</code>", "2.000", "not in the book&#x27;s run", ""],
        ["<code>one</code>", "1.500 ± 0.250", "not in the book&#x27;s run", ""],
    ]


def test_recorded_numbers_serve_where_the_machine_has_none_or_old_ones(chapter, project):
    kept = {"chapter": "01_first", "profile": "paper", "values": {"rms": 4.0}, "provenance": {}}
    other = kept | {"profile": "another", "values": {"rms": 9.0}}  # of other data, which nothing is compared with
    write_whole(project / "book/results/another/01_first.json", json.dumps(other))
    chapter("custom", HERE, {"draws": 9})
    assert beside.book_results("01_first")[0] == {}
    write_whole(project / "book/results/paper/01_first.json", json.dumps(kept))
    chapter("custom", HERE, {"draws": 9})
    assert beside.book_results("01_first")[0]["values"] == {"rms": 4.0}
    assert "those recorded with the book's profile paper, whose settings are larger" in beside.box("01_first", "custom")
    chapter("quick", BOOK, {})
    chapter("custom", HERE, {"draws": 9})
    assert beside.book_results("01_first") == (beside.book_results("01_first")[0], "the book's")
    path = project / "build/quick/01_first.json"
    path.write_text(path.read_text().replace("0.25", "0.75"))
    assert beside.book_results("01_first")[0]["values"] == {"rms": 4.0}


def test_of_a_table_the_means_over_rows_that_both_have_are_compared():
    def table(*sizes, by=1.0):
        return [{"kind": kind, "N": n, "ratio": 0.5, "gain": by * n, "word": kind} for kind in "ab" for n in sizes]

    here, book = ({"values": {}, "tables": {"soft": one}} for one in (table(8, 16, by=2.0), table(8, 32)))
    found = beside.numbers_beside(here, book)
    assert found == [("soft.ratio", " mean of 2 of 4 rows", 0.5, 0.5), ("soft.gain", " mean of 2 of 4 rows", 16.0, 8.0)]
    assert beside.numbers_beside(here, here)[1] == ("soft.gain", " mean of 4 rows", 24.0, 24.0)
    assert beside.numbers_beside(here, {"values": {}}) == []
    twins = {"values": {}, "tables": {"soft": [{"kind": "a", "gain": 1.0}, {"kind": "a", "gain": 2.0}]}}
    assert beside.numbers_beside(twins, twins) == []  # which row is which nobody knows


def test_many_numbers_are_folded(chapter):
    chapter("quick", {f"x{i}": i for i in range(50)}, {})
    chapter("custom", {f"x{i}": i + 1 for i in range(50)}, {"draws": 9})
    shown, folded = rows(beside.box("01_first", "custom"))
    assert len(shown) - 3 == beside.OPEN_ROWS <= 20 and len(folded) - 1 == 50 - beside.OPEN_ROWS


def test_the_box_stands_between_title_and_text_of_the_page(project):
    cell = nbformat.v4.new_markdown_cell("# Title\n\nFirst.\n\nSecond.", id="a")
    notebook = nbformat.writes(nbformat.v4.new_notebook(cells=[cell]))
    opening = nbformat.reads(assemble._alone("01_first", notebook, ":::::{admonition} Box\n:::::"), 4).cells[0].source
    assert opening == "# Title\n\n:::::{admonition} Box\n:::::\n\nFirst.\n\nSecond."
    assert nbformat.reads(assemble._alone("01_first", notebook), 4).cells[0].source == cell.source
