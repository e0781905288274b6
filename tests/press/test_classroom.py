"""Copies for a class, slides, handouts and PDF come from the one source, whole, without what they should not show."""

import ast
import builtins
import re
import shutil

import jupytext
import nbformat
import pytest
from helpers import refuses

from book.press import classroom, handouts, pdf, slides
from book.press.classroom import for_class, without_solutions
from lib import store
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


PAGE = """<html><head><title>Title - Book</title><link rel="stylesheet" href="a.css"><script>window.MathJax = 1</script>
<script src="x/theme.js"></script><script src="tex-svg-full.js"></script></head><body><article class="bd-article">
<section id="title"><h1>Title<a class="headerlink">#</a></h1><p>Question?</p><p><strong>In short.</strong> Answer.</p>
<div class="card"><p>Minutes.</p></div><figure id="fig-best"><svg></svg><figcaption>Best, see <a href="#idea">Idea</a>.
</figcaption></figure><section id="idea"><h2><span class="section-number">1.1. </span>Idea</h2><p>Long.</p>
<div class="proof theorem admonition" id="thm"><p>Statement.</p></div><div class="proof admonition"><p>Proof.</p></div>
<section><h3>Figure</h3><figure id="fig-f"><svg></svg><figcaption>Found.</figcaption></figure></section>
<ul><li>A point.<ul><li>Inner.</li></ul></li></ul></section><section id="exercises"><h2>Exercises</h2>
<div class="exercise admonition" id="ex"><p>Do.</p></div><div class="solution admonition" id="sol"><p>Solution to
<a href="#ex">Exercise</a></p><figure>Shown.</figure></div></section></section></article></body></html>"""

CLASSROOM = """<section><dl><dt>Misconception</dt><dd><p>Wrong.</p></dd><dt>Stop at</dt><dd><p><a
href="chapters/01_superposition.html#{at}">Fig. 1</a>, cover it.</p></dd><dt>Ask</dt><dd><p>Why?</p></dd></dl></section>
<section><dl><dt>Ask</dt><dd>Of no chapter.</dd></dl></section>"""


def words(html):
    return re.sub(r"<[^>]+>|\s+", " ", html).split()


def shown(notes):
    """What is on each slide of the page, and what in its notes."""
    found = slides.deck(slides.parsed(PAGE), notes, "01.html")
    faces = re.findall(r'<div class="face">(.*?)<footer>', found, flags=re.S)
    return [words(face) for face in faces], [
        words(note) for note in re.findall(r"<aside.*?>(.*?)</aside>", found, re.S)
    ]


def written(project, at="fig-f"):
    """Notes from a built page on classrooms, beside the built page of a chapter."""
    shutil.copytree(CODE / "notebooks", project / "notebooks", dirs_exist_ok=True)
    for name, text in {"chapters/01_superposition": PAGE, "classroom": CLASSROOM.replace("{at}", at)}.items():
        store.write_whole(project / "_build/html/book" / f"{name}.html", text)
    return slides.class_notes()


def test_slides_are_question_and_answer_statements_figures_lists_and_exercises():
    assert shown({})[0] == [
        ["Title", "Question?", "In", "short.", "Answer."],
        ["Title", "Best,", "see", "Idea", "."],
        ["Idea", "Statement."],
        ["Idea", "A", "point.", "Inner."],
        ["Figure", "Found."],
        ["Exercises", "Do."],
    ]


@pytest.mark.parametrize("at, slide", [("fig-f", 4), ("thm", 2), ("no-slide", 0)])
def test_notes_stand_where_the_class_stops(project, at, slide):
    notes = written(project, at)
    assert set(notes) == {"01_superposition"}
    wanted = [[] for _ in range(6)]
    wanted[0] += ["Misconception", "Wrong."]
    wanted[slide] += ["Stop", "at", "Fig.", "1,", "cover", "it.", "Ask", "Why?"]
    assert shown(notes["01_superposition"])[1] == wanted


def test_long_tables_and_lists_are_spread_over_slides_in_order():
    rows = "".join(f"<tr><td>r{i}</td></tr>" for i in range(10))
    table = (
        f'<div class="pst-scrollable-table-container"><table><thead><tr><th>H</th></tr></thead><tbody>{rows}</tbody>'
    )
    part = slides.parsed(f"{table}</table></div>").div
    assert [words(str(piece)) for piece in slides.pieces(part)] == [
        ["H", "r0", "r1", "r2", "r3", "r4"],
        ["H", "r5", "r6", "r7", "r8", "r9"],
    ]
    part = slides.parsed(f"<ul><li>{'long ' * 150}</li><li>short</li><li>{'long ' * 150}</li></ul>").ul
    assert [len(words(str(piece))) for piece in slides.pieces(part)] == [151, 150]
    items = slides.parsed(f"<ul>{'<li>a<ul><li>b</li></ul></li>' * 3}</ul>").ul
    assert slides.pieces(items) == [items]


def test_slides_keep_style_and_mathematics_and_no_other_script():
    found = slides.deck(slides.parsed(PAGE), {}, "01.html")
    assert 'href="a.css"' in found and "window.MathJax" in found and 'src="tex-svg-full.js"' in found
    assert "theme.js" not in found and "<title>Title</title>" in found and 'href="01.html#idea"' in found


VERDICTS = """<div class="verdicts"><table><tr><th>claim</th><th>what</th><th>stated</th><th>real</th></tr>
<tr><td>A1</td><td>one</td><td>reproduced</td><td></td></tr><tr><td>B1</td><td>two</td><td></td><td>not run</td></tr>
</table></div>"""


def test_a_handout_has_question_answer_figure_claims_and_questions(project):
    notes, verdicts = written(project), handouts.verdicts_on({"A1"}, slides.parsed(VERDICTS).table)
    found = handouts.chapter_sheet(slides.parsed(PAGE), "01_superposition", notes["01_superposition"], verdicts)
    text = " ".join(words(found.partition('sheet">')[2].partition("<footer")[0]))
    answered = "Title Question? In short. Answer. Best, see Idea. What is claimed, and what we found"
    assert text == f"{answered} claim what stated A1 one reproduced To discuss Why?"
    assert "<code>make chapter NAME=01_superposition</code>" in found and "<a " not in found


def test_a_handout_says_what_its_page_lacks():
    bare = re.sub("<p><strong>In short.*?</p>|<figure id=.fig-best.*?</figure>", "", PAGE, flags=re.S)
    assert handouts.verdicts_on({"Z1"}, slides.parsed(VERDICTS).table) == ""
    found = handouts.chapter_sheet(slides.parsed(bare), "01_superposition", {"at": "thm"})
    assert "no answer in short yet" in found and "Found." in found and "<h2>" not in found


def test_the_book_on_paper_leads_within_itself_and_has_its_solutions_at_the_end(project):
    written(project)
    (project / "_toc.yml").write_text(
        "root: book/chapters/01_superposition\nparts: [{caption: P, chapters: [{file: book/classroom}]}]"
    )
    (project / "_config.yml").write_text("{title: T, author: A}")
    page = project / "_build/html/book/classroom.html"
    article = f'<article class="bd-article"><section id="c"><h1>Class</h1>{page.read_text()}</section></article>'
    page.write_text(f"<html><head></head><body>{article}</body></html>")
    found = pdf.whole_book()
    assert 'href="#01_superposition.fig-f"' in found and 'id="01_superposition.fig-f"' in found
    assert 'href="book/chapters/a.css"' in found and 'src="book/chapters/tex-svg-full.js"' in found
    before, behind = found.split('<h1 id="solutions">')
    assert "Shown." in behind and "Shown." not in before and "<svg></svg>" in before
    contents = words(before.partition("Contents")[2].partition("<article")[0])
    assert contents == ["Title", "1.1.", "Idea", "Exercises", "P", "Class", "Solutions"]
    links = set(re.findall(r'href="#([^"]+)"', found))
    assert links <= set(re.findall(r'id="([^"]+)"', found)) and "01_superposition.sol" in links


def test_slides_handouts_and_pdf_of_what_is_not_built_are_refused(project, monkeypatch):
    shutil.copytree(CODE / "notebooks", project / "notebooks")
    shutil.copy(CODE / "_toc.yml", project)
    refuses("classroom.html is missing", "run `make book`", slides.write_slides, ["01_superposition"])
    monkeypatch.setattr(pdf.shutil, "which", lambda name: "chromium")
    refuses("classroom.html is missing", "run `make book`", handouts.print_handouts, [])
    refuses("01_superposition.html is missing", "run `make book`", pdf.print_pages, ["01_superposition"])
    refuses("the book has no page 01_none", "choose from", pdf.print_pages, ["01_none"])
    monkeypatch.setattr(pdf.shutil, "which", lambda name: None)
    for work in (pdf.print_pages, handouts.print_handouts):
        refuses("none of chromium", "install one", work, [])


def test_a_browser_that_prints_nothing_is_told(project):
    page = project / "a.html"
    page.write_text("<p>a</p>")
    refuses("false printed nothing of a.html", "by hand", pdf.print_page, page, "a", "false")
