"""Copies for a class, slides and PDF come from the one source, whole and without what they should not show."""

import ast
import builtins
import re
import shutil

import jupytext
import nbformat
import pytest
from helpers import refuses

from book.press import classroom, pdf, slides
from book.press.classroom import for_class, without_solutions
from lib.chapter.parameters import chapter_names, notebook_path
from lib.store import CODE

START = ":::{solution-start} ex-a\n:label: sol-a\n:class: dropdown\n:::\n"
END = ":::{solution-end}\n:::\n"


def notebook(*cells):
    make = {str: nbformat.v4.new_markdown_cell, list: lambda source: nbformat.v4.new_code_cell(source[0])}
    return nbformat.v4.new_notebook(cells=[make[type(cell)](cell) for cell in cells])


def sources(student):
    return [(cell.cell_type, cell.source) for cell in student.cells]


def test_solutions_in_cells_of_their_own_become_one_empty_cell():
    given = notebook("Exercise.", START, "Because.", ["answer = 42"], END, "Next.", ["more = 1"])
    wanted = [("markdown", "Exercise."), ("code", "# your answer"), ("markdown", "Next."), ("code", "more = 1")]
    assert sources(without_solutions(given, "n")) == wanted
    assert len(given.cells) == 7


def test_solutions_within_a_longer_cell_are_cut_out():
    given = notebook(f"Exercise.\n\n{START}\nBecause.\n\n{END}\nSecond exercise.\n\n{START}", ["answer = 42"], END)
    wanted = [("markdown", "Exercise."), ("code", "# your answer")]
    wanted += [("markdown", "Second exercise."), ("code", "# your answer")]
    assert sources(without_solutions(given, "n")) == wanted


def test_solutions_that_do_not_pair_are_refused():
    refuses("01_a: the last solution has no solution-end", "add it", without_solutions, notebook(START), "01_a")
    refuses("01_a: solution-end out of place", "pair them", without_solutions, notebook("Text", END), "01_a")
    refuses("01_a: solution-start out", "pair", without_solutions, notebook(START, START, END), "01_a")


@pytest.mark.parametrize("name", chapter_names())
def test_no_solution_reaches_a_student_and_all_exercises_do(name):
    written = jupytext.read(notebook_path(name))
    whole, given = for_class(written, name, None), for_class(without_solutions(written, name), name, None)
    text, teacher = (nbformat.writes(one) for one in (given, whole))
    assert "Solution to" not in text and "sol-" not in text and "Solution to Exercise" in teacher
    exercises = teacher.count("> **Exercise ")
    assert text.count("> **Exercise ") == exercises == sum(cell.source == "# your answer" for cell in given.cells)
    assert exercises >= 3
    parameters = next(cell for cell in given.cells if "parameters" in cell.metadata.get("tags", []))
    assert 'profile: str = "classroom"' in parameters.source


@pytest.mark.parametrize("name", chapter_names())
def test_a_students_copy_uses_nothing_that_only_a_solution_defines(name):
    cells = without_solutions(jupytext.read(notebook_path(name)), name).cells
    tree = ast.parse("\n".join(cell.source for cell in cells if cell.cell_type == "code"))
    stored = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}
    stored |= {node.arg for node in ast.walk(tree) if isinstance(node, ast.arg)}
    stored |= {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.ClassDef)}
    stored |= {alias.asname or alias.name for node in ast.walk(tree) if hasattr(node, "names") for alias in node.names
               if isinstance(alias, ast.alias)}  # fmt: skip
    used = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)}
    assert used - stored - set(dir(builtins)) == set()


def test_both_copies_are_written_and_named(project, capsys):
    for folder in ("notebooks", "book"):
        shutil.copytree(CODE / folder, project / folder, ignore=shutil.ignore_patterns("results", "chapters"))
    classroom.write_notebooks(["01_superposition"])
    first, *written = capsys.readouterr().out.splitlines()
    assert first.startswith("01_superposition: its text names numbers") and "run `make book`" in first
    assert written == [f"build/classroom/{whom}/01_superposition.ipynb" for whom in ("teacher", "student")]
    teacher, student = (nbformat.read(project / path, as_version=4) for path in written)
    assert "Solution to" in nbformat.writes(teacher) and "Solution to" not in nbformat.writes(student)
    assert all("%pip install" in one.cells[0].source for one in (teacher, student))
    refuses("there is no chapter '99_none'", "choose one of", classroom.write_notebooks, ["99_none"])


PAGE = """<html><head><link rel="stylesheet" href="a.css"><script>window.MathJax = {}</script><script src="x/theme.js">
</script><script src="tex-svg-full.js"></script></head><body><article class="bd-article"><section><h1>Title<a
class="headerlink">#</a></h1><p>Question.</p><section><h2><span class="section-number">1.1.</span>Idea</h2><p>Long.</p>
<div class="proof theorem admonition"><p>Statement.</p></div><div class="proof admonition"><p>Proof.</p></div>
<section><h3>Figure</h3><figure id="f"><svg></svg><figcaption>Found.</figcaption></figure></section>
<ul><li>A point.<ul><li>Inner.</li></ul></li></ul></section><section><h2>Exercises</h2>
<div class="exercise admonition">Do.</div><div class="solution admonition"><figure>Shown.</figure></div></section>
</section></article></body></html>"""


def test_slides_are_the_title_statements_figures_lists_and_exercises():
    found = re.findall(r'<section class="slide">(.*?)</section>', slides.deck(PAGE), flags=re.S)
    assert [re.sub(r"<[^>]+>|\s+", " ", slide).split() for slide in found] == [
        ["Title", "Question."],
        ["Idea", "Statement."],
        ["Idea", "A", "point.", "Inner."],
        ["Figure", "Found."],
        ["Exercises", "Do."],
    ]


def test_slides_keep_style_and_mathematics_and_no_other_script():
    found = slides.deck(PAGE)
    assert 'href="a.css"' in found and "window.MathJax" in found and 'src="tex-svg-full.js"' in found
    assert "theme.js" not in found and "<title>Title</title>" in found


def test_slides_and_pdf_of_what_is_not_built_are_refused(project, monkeypatch):
    shutil.copytree(CODE / "notebooks", project / "notebooks")
    refuses("chapters/01_superposition.html is missing", "run `make book`", slides.write_slides, ["01_superposition"])
    monkeypatch.setattr(pdf.shutil, "which", lambda name: "chromium")
    refuses("there is no built page 01_superposition", "run `make book`", pdf.print_pages, ["01_superposition"])
    monkeypatch.setattr(pdf.shutil, "which", lambda name: None)
    refuses("none of chromium", "install one", pdf.print_pages, [])


def test_a_browser_that_prints_nothing_is_told(project):
    page = project / "a.html"
    page.write_text("<p>a</p>")
    refuses("false printed nothing of a.html", "by hand", pdf.print_page, page, "false")
