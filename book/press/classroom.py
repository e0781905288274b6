"""Notebooks for a class, from the chapters: with the solutions for teachers, and without them for students."""

import re

import jupytext
import nbformat

from book._ext.reach import chosen, colab_cell
from lib import store
from lib.chapter.parameters import chapter_names, notebook_path
from lib.store import write_whole

# What only the book can fill in, and what stands for it in a notebook: a figure's caption, the name of a number.
BOOK_ONLY = {
    r"^(:{3,})\{glue:figure\} (\S+)\n(?::\w+:[^\n]*\n)*\s*(.*?)\n\1$": r"**Figure** `\2`. \3",
    r"^```\{glue:\w*\} (\S+)\n.*?^```$": r"`\1`",
    r"\{glue:\w+\}`([^`:]+)[^`]*`": r"`\1`",
    r"\{term\}`([^`<]+?)(?: <[^`]*)?`": r"\1",
    r"\{numref\}`(?:[^`<]*<)?(fig-[^`>]+)>?`": r"figure `\1`",
}
MARK = re.compile(r"^:{3,}\{solution-(?P<which>start|end)\}.*?^:{3,}$\n?", flags=re.M | re.S)


def write_notebooks(names: list[str]) -> None:
    """Write both copies of chapters, of all if none is named, into build/classroom.

    Raises ValueError for an unknown chapter, or a solution without an end.
    """
    for name in names or chapter_names():
        teacher = for_class(jupytext.read(notebook_path(name)))
        if chosen().repository:
            teacher.cells.insert(1, nbformat.v4.new_code_cell(colab_cell(chosen())))
        for whom, notebook in {"teacher": teacher, "student": without_solutions(teacher, name)}.items():
            path = store.ROOT / "build" / "classroom" / whom / f"{name}.ipynb"
            write_whole(path, nbformat.writes(notebook) + "\n")
            print(path.relative_to(store.ROOT))


def for_class(notebook: nbformat.NotebookNode) -> nbformat.NotebookNode:
    """The notebook with results of its own, so that a class leaves those of the book as they are."""
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            for pattern, text in BOOK_ONLY.items():
                cell.source = re.sub(pattern, text, cell.source, flags=re.M | re.S)
        if "parameters" in cell.metadata.get("tags", []):
            cell.source = re.sub(r'^profile: str = "\w+"', 'profile: str = "classroom"', cell.source, flags=re.M)
    return notebook


def without_solutions(notebook: nbformat.NotebookNode, name: str) -> nbformat.NotebookNode:
    """A copy in which each solution is an empty cell for the student's own."""
    student = nbformat.from_dict(notebook)
    student.cells, hidden = [], False
    for cell in notebook.cells:
        if cell.cell_type != "markdown":
            student.cells += [] if hidden else [cell]
            continue
        place = 0
        for mark in MARK.finditer(cell.source):
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
