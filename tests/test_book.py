"""Pages are assembled from successful runs, and carry nothing that differs from run to run."""

import json

import nbformat
import pytest

from lib import book, chapters, parameters
from lib.plotting import FigureHTML, panels
from lib.results import write_whole


@pytest.fixture
def project(tmp_path, monkeypatch):
    for module in (book, chapters, parameters):
        monkeypatch.setattr(module, "ROOT", tmp_path)
    return tmp_path


def executed(project, name, profile, outputs=()):
    cell = nbformat.v4.new_code_cell("draws = 3", outputs=list(outputs), id="a")
    injected = nbformat.v4.new_code_cell("draws = 5", metadata={"tags": ["injected-parameters"]}, id="b")
    notebook = nbformat.v4.new_notebook(cells=[cell, injected])
    notebook.metadata["run"] = {"fingerprint": "x", "seconds": 12.5, "profile": profile}
    write_whole(project / "build" / profile / f"{name}.ipynb", nbformat.writes(notebook))


def test_published_chapter_has_no_duration_and_shows_only_changed_parameters(project):
    executed(project, "01_first", "quick")
    executed(project, "01_first", "long")
    quick, long = (nbformat.reads(book._published("01_first", name), 4) for name in ("quick", "long"))
    assert "run" not in quick.metadata and "run" not in long.metadata
    assert [cell.source for cell in quick.cells] == ["draws = 3"]
    assert [cell.source for cell in long.cells] == ["draws = 3", "draws = 5"]


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
        book._published("01_first", "quick")


def test_run_times_name_device_versions_date_and_revision(project, monkeypatch):
    executed(project, "01_first", "quick")
    write_whole(project / "notebooks" / "01_first.py", "# %% [markdown]\n# (ch-first)=\n# # First\n")
    source = {"device": "CPU, 1 threads", "versions": {"torch": "2"}, "date": "2026-01-01", "revision": "abc"}
    content = {"chapter": "01_first", "values": {}, "provenance": source}
    monkeypatch.setattr(book, "results_of", lambda profile: {"01_first": json.loads(json.dumps(content))})
    monkeypatch.setattr(book, "chapter_names", lambda: ["01_first"])
    row = book.run_times("quick").splitlines()[-1]
    assert row == "| [](#ch-first) | 12.5 | CPU, 1 threads | torch 2 | 2026-01-01 | abc |"


def test_landing_picture_is_one_svg_that_follows_the_readers_colours(project):
    shown = FigureHTML(panels(1), "fig-landing", "a picture")._repr_html_()
    metadata = {"scrapbook": {"name": "fig-landing", "mime_prefix": ""}}
    output = nbformat.v4.new_output("display_data", data={"text/html": shown}, metadata=metadata)
    executed(project, "04_gaussian_projections", "quick", [output])
    picture = book.landing_picture("quick")
    assert picture.startswith("<svg") and picture.count("<svg") == 1
    assert "prefers-color-scheme:dark" in picture and "currentColor" in picture


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


def test_missing_results_of_a_finished_chapter_are_named(project, monkeypatch):
    monkeypatch.setattr(book, "results_of", lambda profile: {})
    monkeypatch.setattr(book, "chapter_names", lambda: ["01_first"])
    with pytest.raises(ValueError, match="build/quick/01_first.json is missing: run `make book` again"):
        book.run_times("quick")
