"""Assemble the book from executed chapters, or one chapter's page, and build it with Jupyter Book."""

import json
import shutil
import subprocess
import sys
import time
import webbrowser
from pathlib import Path

import nbformat
import yaml

from book.press import beside, pages
from book.press.evidence import KINDS, evidence, mutation
from book.press.export import exported
from book.press.hook import hook
from book.press.plain import Page
from book.press.reference import reference
from book.press.runner import alone, run_seconds
from book.press.verify import forget
from lib import store
from lib.chapter.parameters import chapter_names, notebook_path, reads_ledger
from lib.chapter.results import chapter_code, checked_run, output_path, own_results, run_folder
from lib.store import write_whole

# Jupyter Book in a process that ends with the one that started it, whose end closes its standard input.
TIED = """import os, sys, threading
threading.Thread(target=lambda: (sys.stdin.read(), os._exit(1)), daemon=True).start()
from jupyter_book.cli.main import main
main()"""
STRICT = ["-W", "-n", "--keep-going", "-q"]  # a warning is an error, missing references too, and all of them are shown


def build(profile: str) -> int:
    """Copy the executed chapters of a profile into the book, write its generated pages, build; the exit status."""
    with alone(store.ROOT / "build", "wait for it"):
        return _build(profile)


def _build(profile):
    entries = pages.ledger(pages.runs_of(profile))
    written = {
        f"{name}.ipynb": _published(name, profile, f"../../notebooks/{name}.py", pages.verdict_badges(name, entries))
        for name in chapter_names()
    }
    written |= {"_verdicts.md": pages.landing_verdicts(profile), "_run_times.md": pages.run_times(profile)}
    written |= {"_recorded_times.md": pages.recorded_times(), "_live.md": pages.live_table()}
    written |= {
        "_hook.md": hook(),
        "_speeds.md": pages.speeds(),
        "_growth.md": pages.growth(),
        "_reference.md": reference(),
    }
    written |= {f"_{kind}.md": evidence(kind) for kind in KINDS} | {"_mutation.md": mutation()}
    written |= {f"alone/{name}.ipynb": exported(name, profile) for name in chapter_names()}
    for name, text in written.items():
        _write_if_changed(store.ROOT / "book" / "chapters" / name, text)
    write_whole(store.ROOT / "build" / profile / "landing.svg", pages.landing_picture(profile))
    status = _jupyter_book(store.ROOT, store.ROOT, *STRICT)
    if status == 0:
        print("\n".join(f"{name:28} {run_seconds(name, profile):6.1f} s" for name in chapter_names()))
        print(f"the book is at {(store.ROOT / '_build' / 'html' / 'index.html').relative_to(store.ROOT)}")
    return status


def page(name: str, label: str | None, show: bool = False) -> int:
    """Build the page of one executed chapter on its own, into build/<label>/page, and `show` it; the exit status."""
    label = label or "custom"
    source = run_folder(label) / "page"
    with alone(source, "wait for it"):
        return _page(name, label, source, show)


def _page(name, label, source, show):
    config = yaml.safe_load((store.ROOT / "_config.yml").read_text(encoding="utf-8"))
    extensions = config["sphinx"]["local_extensions"]
    config["sphinx"]["local_extensions"] = dict.fromkeys(extensions, str(store.ROOT / "book" / "_ext"))
    config["bibtex_bibfiles"] = ["references.bib"]
    config |= {"repository": {"url": ""}, "html": config["html"] | {"baseurl": ""}}  # this page stays here
    for original in (store.ROOT / "book" / "references.bib", notebook_path(name)):
        write_whole(source / original.name, original.read_text(encoding="utf-8"))
    write_whole(source / "alone" / f"{name}.ipynb", exported(name, label))
    write_whole(source / "_config.yml", yaml.safe_dump(config))
    write_whole(source / "_toc.yml", yaml.safe_dump({"format": "jb-book", "root": name}))
    write_whole(source / f"{name}.ipynb", _alone(name, _published(name, label, f"{name}.py"), beside.box(name, label)))
    status = _jupyter_book(source, source, "-q")
    if status == 0:
        path = source / "_build" / "html" / f"{name}.html"
        print(f"the page is at {path.relative_to(store.ROOT)}")
        if show:
            webbrowser.open(path.as_uri())  # where there is no browser nothing happens
    return status


def record(profile: str) -> int:
    """Copy the results files of a profile's runs into book/results/<profile>; the exit status."""
    found = {name: content for name, content in own_results(profile).items() if not reads_ledger(name)}
    if not found:
        raise ValueError(f"build/{profile} has no results to record: run `make book PROFILE={profile}` first")
    for name, content in found.items():
        copy = store.ROOT / "book" / "results" / profile / f"{name}.json"
        content.pop("key")  # a record outlives the code that made it; what that was it says
        content["code"] = chapter_code(name)
        write_whole(copy, json.dumps(content, indent=1) + "\n")
        forget(profile, name)
        print(copy.relative_to(store.ROOT))
    return 0


def _published(name, label, text_notebook, badges=""):
    """An executed chapter as its page shows it: with verdicts and facts, and without what differs from run to run."""
    profile = checked_run(name, label)["profile"]
    notebook = nbformat.read(output_path(name, label), as_version=4)
    facts = pages.chapter_facts(name, label, text_notebook)
    notebook.cells[0].source = pages.opened(notebook.cells[0].source, badges, facts)
    notebook.metadata.pop("run")
    if profile == "quick":  # the defaults, which the parameters cell already shows
        notebook.cells = [cell for cell in notebook.cells if "injected-parameters" not in cell.metadata.get("tags", [])]
    return nbformat.writes(notebook) + "\n"


def _alone(name, text, box=""):
    """A published chapter as a page without a book: what stands elsewhere by its title, and its own references.

    `box` stands below its title.
    """
    notebook, page = nbformat.reads(text, as_version=4), Page(name, {}, {})
    if box:
        notebook.cells[0].source = pages.with_box(notebook.cells[0].source, box)
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            cell.source = page.apart(cell.source)
    sources = "## References\n\n```{bibliography}\n:filter: docname in docnames\n```"
    notebook.cells.append(nbformat.v4.new_markdown_cell(sources, id="references"))
    return nbformat.writes(notebook) + "\n"


def _write_if_changed(path: Path, text: str) -> None:
    """Sphinx compares times: an unchanged page must keep its own."""
    if not path.exists() or path.read_text(encoding="utf-8") != text:
        write_whole(path, text)


def _jupyter_book(source, output, *options):
    """Build the pages, from nothing after a build that was killed or failed: Sphinx takes half a page for a page.

    So too where the clock was put back since the last one: pages edited after it would look older.
    """
    unfinished, read = output / "_build" / ".unfinished", output / "_build" / ".doctrees" / "environment.pickle"
    if unfinished.exists() or (read.exists() and read.stat().st_mtime > time.time()):
        shutil.rmtree(output / "_build", ignore_errors=True)
    write_whole(unfinished, "")
    command = [sys.executable, "-c", TIED, "build", source, "--path-output", output, *options]
    with subprocess.Popen(command, stdin=subprocess.PIPE) as process:
        status = process.wait()
    if status == 0:
        unfinished.unlink()
    return status
