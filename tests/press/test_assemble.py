"""Pages are assembled from successful runs, and carry nothing that differs from run to run."""

import json
import os
import subprocess
import sys
import time
from functools import partial

import nbformat
import pytest
from helpers import executed, refuses

from book.press import assemble as book
from lib import store
from lib.chapter.results import results_of
from lib.store import write_whole


def test_published_chapter_has_no_duration_and_shows_only_changed_parameters(project):
    executed(project, "01_first", "quick")
    executed(project, "01_first", "long")
    quick, long = (nbformat.reads(book._published("01_first", name, "01_first.py"), 4) for name in ("quick", "long"))
    assert "run" not in quick.metadata and "run" not in long.metadata and "62.5" not in nbformat.writes(quick)
    assert [cell.source for cell in quick.cells[1:]] == ["draws = 3"]
    assert [cell.source for cell in long.cells[1:]] == ["draws = 3", "draws = 5"]
    assert "About this chapter" in quick.cells[0].source and "make chapter NAME=01_first" in quick.cells[0].source


def test_page_without_a_book_has_words_for_what_stands_elsewhere_and_its_own_references(project):
    first = "# %% [markdown]\n# (ch-first)=\n# # The first\n#\n# (sec-mine)=\n# ## Mine\n"
    second = "# %% [markdown]\n# (ch-second)=\n# # The second\n#\n# $$\n# x\n# $$ (eq-there)\n"
    write_whole(project / "notebooks" / "01_first.py", first)
    write_whole(project / "notebooks" / "02_second.py", second)
    source = "See {ref}`ch-second`, {eq}`eq-there`, {term}`latents <latent>`, {ref}`sec-mine`, `{ref}` and {cite:t}`a`."
    source += "\n\n````{prf:proof}\nBy {eq}`eq-there`; {term}`latent`.\n````"
    cell = nbformat.v4.new_markdown_cell(source, id="a")
    text = nbformat.writes(nbformat.v4.new_notebook(cells=[cell]))
    alone = nbformat.reads(book._alone("01_first", text), 4)
    told = "See *The second*, (2.1) in *The second*, latents, {ref}`sec-mine`, `{ref}` and {cite:t}`a`."
    assert alone.cells[0].source == told + "\n\n````{prf:proof}\nBy (2.1) in *The second*; latent.\n````"
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


def test_long_run_is_recorded_whole_and_only_if_there_is_one(project):
    with pytest.raises(ValueError, match="build/paper has no results to record: run `make book PROFILE=paper`"):
        book.record("paper")
    executed(project, "01_first", "paper", values={"rms": 2})
    write_whole(project / "build/paper/01_first.json", "{")
    with pytest.raises(ValueError, match="01_first.json was edited"):
        book.record("paper")
    executed(project, "01_first", "paper", values={"rms": 1})
    assert book.record("paper") == 0
    recorded = json.loads((project / "book/results/paper/01_first.json").read_text())
    assert recorded.pop("code").keys() == {"notebooks/01_first.py"}
    assert recorded == {"chapter": "01_first", "profile": "paper", "values": {"rms": 1}, "provenance": {}}


def test_a_chapter_that_changed_since_its_run_is_not_published(project):
    executed(project, "01_first", "quick", values={"rms": 1})
    write_whole(project / "notebooks/01_first.py", "# another")
    with pytest.raises(ValueError, match="since notebooks/01_first.py changed: run the chapter again"):
        book._published("01_first", "quick", "01_first.py")


def test_the_chapter_that_judges_is_not_kept_from_running_by_its_own_old_results(project):
    write_whole(project / "book/claims.yml", "[]")
    executed(project, "01_first", "quick", values={"rms": 1})
    executed(project, "02_judge", "quick", values={"claims": 0})
    assert list(results_of("quick")) == ["01_first", "02_judge"]
    write_whole(project / "notebooks/02_judge.py", "from lib.chapter.claims import ledger\n")
    assert list(results_of("quick")) == ["01_first"]


@pytest.mark.parametrize("finished", [False, True])
def test_what_a_killed_or_failed_build_left_is_deleted_before_the_next_one(finished, tmp_path, monkeypatch):
    left = tmp_path / "_build" / ".doctrees" / "page.doctree"
    monkeypatch.setattr(book, "TIED", f"open({str(left)!r}, 'a').write('x'); import sys; sys.exit({int(not finished)})")
    write_whole(left, "half a book, ")
    assert book._jupyter_book(tmp_path, tmp_path) == int(not finished)
    book._jupyter_book(tmp_path, tmp_path)
    assert left.exists() == finished and (not finished or left.read_text() == "half a book, xx")


def test_after_the_clock_was_put_back_all_pages_are_written_anew(tmp_path, monkeypatch):
    read = tmp_path / "_build" / ".doctrees" / "environment.pickle"
    monkeypatch.setattr(book, "TIED", "")
    for ahead, kept in ((-10, True), (3600, False)):
        write_whole(read, "read")
        os.utime(read, (time.time() + ahead,) * 2)
        assert book._jupyter_book(tmp_path, tmp_path) == 0 and read.exists() == kept


def test_the_process_that_writes_pages_ends_with_the_one_that_started_it(tmp_path):
    waits = "open('begun', 'w').write(str(os.getpid())); import time; time.sleep(100)"
    tied = book.TIED.replace("from jupyter_book.cli.main import main\nmain()", waits)
    code = f"from pathlib import Path; from book.press import assemble; assemble.TIED = {tied!r}; "
    code += "assemble._jupyter_book(Path(), Path())"
    environment = os.environ | {"PYTHONPATH": str(store.CODE)}
    process = subprocess.Popen([sys.executable, "-c", code], cwd=tmp_path, env=environment)
    wait_for(lambda: (tmp_path / "begun").exists() and (tmp_path / "begun").read_text())
    process.kill()
    process.wait()
    wait_for(lambda: not running(int((tmp_path / "begun").read_text())))


def wait_for(happened):
    deadline = time.monotonic() + 60
    while not happened():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def running(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    state = subprocess.run(["ps", "-o", "state=", "-p", str(pid)], capture_output=True, text=True).stdout
    return not state.startswith("Z")  # one that nobody waited for


@pytest.mark.parametrize("taken", ["build", "build/quick/page"])
def test_a_second_build_is_refused_while_one_runs(taken, project):
    call = partial(book.build, "quick") if taken == "build" else partial(book.page, "01_first", "quick")
    with store.locked(project / taken / ".lock"):
        refuses(f"another run is using {taken}", "wait for it", call)
