"""Pages are assembled from successful runs, and carry nothing that differs from run to run."""

import json

import nbformat
import pytest
from helpers import executed

from book.press import assemble as book
from lib.store import write_whole


def test_published_chapter_has_no_duration_and_shows_only_changed_parameters(project):
    executed(project, "01_first", "quick")
    executed(project, "01_first", "long")
    quick, long = (nbformat.reads(book._published("01_first", name, "01_first.py"), 4) for name in ("quick", "long"))
    assert "run" not in quick.metadata and "run" not in long.metadata and "62.5" not in nbformat.writes(quick)
    assert [cell.source for cell in quick.cells[1:]] == ["draws = 3"]
    assert [cell.source for cell in long.cells[1:]] == ["draws = 3", "draws = 5"]
    assert "chapter-card" in quick.cells[0].source and "make chapter NAME=01_first" in quick.cells[0].source


def test_page_without_a_book_has_titles_for_other_chapters_and_its_own_references(project, monkeypatch):
    monkeypatch.setattr(book, "chapter_names", lambda: ["01_first", "02_second"])
    write_whole(project / "notebooks" / "01_first.py", "# (ch-first)=\n# # The first\n")
    write_whole(project / "notebooks" / "02_second.py", "# (ch-second)=\n# # The second\n")
    cell = nbformat.v4.new_markdown_cell("See {ref}`ch-second` and {ref}`sec-mine`.", id="a")
    alone = nbformat.reads(book._alone(nbformat.writes(nbformat.v4.new_notebook(cells=[cell]))), 4)
    assert alone.cells[0].source == "See *The second* and {ref}`sec-mine`."
    assert "{bibliography}" in alone.cells[-1].source


def test_chapter_without_a_successful_run_is_refused(project):
    with pytest.raises(ValueError, match="01_first has no successful run in build/quick: run `make chapter"):
        book._published("01_first", "quick", "01_first.py")


def test_unchanged_page_keeps_its_time_so_that_sphinx_does_not_read_it_again(tmp_path):
    path = tmp_path / "page.md"
    book._write_if_changed(path, "text")
    before = path.stat().st_mtime_ns
    book._write_if_changed(path, "text")
    assert path.stat().st_mtime_ns == before
    book._write_if_changed(path, "other")
    assert path.read_text() == "other"


def test_long_run_is_recorded_whole_and_only_if_there_is_one(project, monkeypatch, capsys):
    monkeypatch.setattr(book, "BOOK", project / "book")
    with pytest.raises(ValueError, match="build/paper has no results to record: run `make book PROFILE=paper`"):
        book.record("paper")
    content = json.dumps({"chapter": "01_first", "values": {"rms": 1}, "provenance": {}})
    write_whole(project / "build" / "paper" / "01_first.json", content)
    write_whole(project / "build" / "paper" / "14_claims.json", content)
    assert book.record("paper") == 0
    assert (project / "book/results/paper/01_first.json").read_text() == content
    assert not (project / "book/results/paper/14_claims.json").exists()
    write_whole(project / "build" / "paper" / "01_first.json", content[:20])
    with pytest.raises(ValueError, match="is no results file"):
        book.record("paper")
