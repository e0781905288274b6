"""Notebooks for a class, from the chapters: with the solutions for teachers, and without them for students."""

import re

import jupytext
import nbformat

from book.press.export import last_run, plain
from book.press.plain import SOLUTION
from lib import store
from lib.chapter.parameters import chapter_names, notebook_path
from lib.store import write_whole


def write_notebooks(names: list[str]) -> None:
    """Write both copies of chapters, of all if none is named, into build/classroom.

    Their prose has the numbers of the last run by the profile quick, whose parameters they have too. Raises
    ValueError for an unknown chapter, or a solution without an end.
    """
    for name in names or chapter_names():
        written, run = jupytext.read(notebook_path(name)), last_run(name, "quick")
        for whom, notebook in {"teacher": written, "student": without_solutions(written, name)}.items():
            path = store.ROOT / "build" / "classroom" / whom / f"{name}.ipynb"
            write_whole(path, nbformat.writes(for_class(notebook, name, run)) + "\n")
            print(path.relative_to(store.ROOT))


def for_class(notebook: nbformat.NotebookNode, name: str, run: nbformat.NotebookNode | None) -> nbformat.NotebookNode:
    """The notebook on its own, see `plain`, with results apart from those of the book."""
    copy = plain(notebook, name, run)
    for cell in copy.cells:
        if "parameters" in cell.metadata.get("tags", []):
            cell.source = re.sub(r'^profile: str = "\w+"', 'profile: str = "classroom"', cell.source, flags=re.M)
    return copy


def without_solutions(notebook: nbformat.NotebookNode, name: str) -> nbformat.NotebookNode:
    """A copy in which each solution is an empty cell for the student's own."""
    student = nbformat.from_dict(notebook)
    student.cells, hidden = [], False
    for cell in notebook.cells:
        if cell.cell_type != "markdown":
            student.cells += [] if hidden else [cell]
            continue
        place = 0
        for mark in SOLUTION.finditer(cell.source):
            if (mark["which"] == "end") != hidden:
                raise ValueError(f"{name}: solution-{mark['which']} out of place near {cell.source[:60]!r}: pair them")
            if not hidden:
                student.cells += _text(cell.source[place : mark.start()])
                student.cells.append(nbformat.v4.new_code_cell("# your answer"))
            hidden, place = not hidden, mark.end()
        student.cells += [] if hidden else _text(cell.source[place:])
    if hidden:
        raise ValueError(f"{name}: the last solution has no solution-end: add it")
    return student


def _text(source):
    return [nbformat.v4.new_markdown_cell(source.strip())] if source.strip() else []
