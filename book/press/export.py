"""Notebooks that stand on their own: a chapter as plain Markdown and code, with what its run found written out.

The download of a chapter's page, the copies for a class and those that JupyterLab opens are all made here.
"""

import base64
import json
import re
from ast import literal_eval

import jupytext
import nbformat

from book._ext.reach import Address, chosen
from book.press.packaging import NAME, renamed
from book.press.plain import Page
from lib import store
from lib.chapter.parameters import chapter_names, notebook_path
from lib.chapter.results import out_of_date, output_path
from lib.store import write_whole

RECORD = "application/papermill.record/"  # of a glued value that is not shown
PICTURE = re.compile(r"<svg.*?</svg>", flags=re.S)
LIVE = re.compile(r'<script>.*</script>|<div class="(?:knobs|segments)".*?</div>', flags=re.S)
THEMES = "svg{color:#222;background:#fff}@media(prefers-color-scheme:dark){svg{color:#ddd;background:#14181e}}"
INSTALL = f"""\
# Run this cell first: it installs what the notebook needs, unless that is there. In place of the name give the path of
# a wheel, of a release or of a checkout's `pip wheel --no-deps .`, as in PACKAGE = "path/to/the.whl[chapters]".
PACKAGE = "FROM"

from importlib.util import find_spec

try:
    import lib.chapter.both_names  # in a checkout of the book
except ImportError:
    if not find_spec("{NAME}"):
        %pip install --quiet "{{PACKAGE}}\""""


def install_cell(place: Address) -> str:
    """The first cell of a notebook that stands alone; what it installs comes from the repository, if one is chosen.

    The package is on no index, so without a repository the cell names a wheel that the reader has to bring.
    """
    code = f"{NAME.replace('_', '-')}[chapters] @ git+{place.repository}@{place.branch}"
    return INSTALL.replace("FROM", code if place.repository else f"{NAME}-0-py3-none-any.whl[chapters]")


def write_copies(names: list[str], profile: str) -> None:
    """Write chapters, all if none is named, into build/lab for JupyterLab, and keep those that were saved there.

    Raises ValueError for an unknown chapter.
    """
    for name in names or chapter_names():
        path = store.ROOT / "build" / "lab" / f"{name}.ipynb"
        old = nbformat.read(path, as_version=4) if path.exists() else None
        if old and old.metadata.get("written") != _digest(old):
            print(f"{path.relative_to(store.ROOT)} is kept as you saved it: delete it to have a new one")
        else:
            write_whole(path, exported(name, profile, alone=False))
            print(path.relative_to(store.ROOT))


def exported(name: str, label: str, alone: bool = True) -> str:
    """A chapter with the outputs of its run in build/<label>, as an .ipynb file, see `plain`."""
    run = last_run(name, label)
    notebook = plain(run or jupytext.read(notebook_path(name)), name, run, alone)
    if label == "quick":  # the defaults, which the parameters cell already shows
        notebook.cells = [cell for cell in notebook.cells if "injected-parameters" not in cell.metadata.get("tags", [])]
    notebook.metadata["written"] = _digest(notebook)
    return nbformat.writes(notebook) + "\n"


def _digest(notebook):
    """Of what a reader may change; the rest, JupyterLab changes when it opens a notebook."""
    parts = [[cell.source, cell.get("outputs", [])] for cell in notebook.cells]
    return store.key({"cells": json.dumps(parts, sort_keys=True)})


def last_run(name: str, label: str) -> nbformat.NotebookNode | None:
    """The executed notebook of a chapter; None, and one line that says why, if none is up to date."""
    path = output_path(name, label)
    why = out_of_date(name, label) if path.exists() else "since it has not run"
    if not why:
        return nbformat.read(path, as_version=4)
    print(f"{name}: its text names numbers in place of telling them, {why}: run `make book`, then this again")
    return None


def plain(notebook, name: str, run=None, alone: bool = True) -> nbformat.NotebookNode:
    """A copy of a chapter's notebook in which nothing is left that only the book can read.

    Numbers are those of the executed notebook `run`; without one they are named. A copy that is to stand `alone`
    imports the installed package and begins with a cell that installs it, any other imports `lib` of this checkout.
    """
    copy, page = nbformat.from_dict(notebook), Page(name, *_glued(run))
    for cell in copy.cells:
        if cell.cell_type == "markdown":
            cell.source = page.cell(cell.source)
        else:
            cell.source = renamed(cell.source) if alone else cell.source
            cell.outputs = [_shown(one) for one in cell.get("outputs", []) if not _is_record(one)]
            if page.solving or "hide-input" in cell.metadata.get("tags", []):  # as JupyterLab and Colab know it
                folded = {"source_hidden": True, "outputs_hidden": bool(page.solving)}
                cell.metadata |= {"jupyter": folded, "cellView": "form"}
    copy.cells = [cell for cell in copy.cells if cell.source or cell.cell_type == "code"]
    if alone:
        copy.cells.insert(0, nbformat.v4.new_code_cell(install_cell(chosen()), id="install"))
    if page.cited:
        copy.cells.append(nbformat.v4.new_markdown_cell(page.references(), id="references"))
    copy.metadata.pop("run", None)
    return copy


def _glued(run):
    """What a run glued, by name, and as HTML the figures whose captions stand before the code that draws them."""
    found, early, pictures = {}, set(), {}
    for cell in run.cells if run else ():
        if cell.cell_type == "markdown":
            early |= {*re.findall(r"\{glue:figure\} (\S+)", cell.source)} - found.keys()
        for output in cell.get("outputs", []):
            if name := output.get("metadata", {}).get("scrapbook", {}).get("name"):
                data = {kind.removeprefix(RECORD): value for kind, value in output.data.items()}
                kind = next(kind for kind in ("text/markdown", "text/html", "text/plain") if kind in data)
                quoted = kind == "text/plain" and data[kind][:1] in "'\""  # a word, as Python prints it
                found[name] = literal_eval(data[kind]) if quoted else data[kind]
                if name in early:
                    pictures[name] = _still(data[kind])
    return found, pictures


def _is_record(output):
    return "data" in output and all(kind.startswith(RECORD) for kind in output.data)


def _shown(output):
    """An output as JupyterLab shows it in a notebook that it does not trust: drawings as images, and no scripts."""
    if drawn := "<svg" in output.get("data", {}).get("text/html", ""):
        output = {**output, "data": {"text/html": _still(output.data["text/html"])}}
    return nbformat.from_dict(output) if drawn else output


def _still(page):
    """HTML with drawings as images, in the reader's colours, and without what needs a script."""
    words = re.search(r'aria-label="([^"]*)"', page)
    moving = "<p><em>Run the code to move the sliders.</em></p>" * ('class="knobs"' in page)

    def image(found):
        svg = re.sub(r"(<svg[^>]*>)", rf"\1<style>{THEMES}</style>", found[0], count=1)
        data = base64.b64encode(svg.encode()).decode()
        return f'<img alt="{words[1] if words else ""}" src="data:image/svg+xml;base64,{data}">'

    return PICTURE.sub(image, LIVE.sub("", page)) + moving
