"""The notebooks keep the book's form: short cells, prose for code, numbers from the run, words for pictures."""

import ast
import re
import statistics

import jupytext
import pytest
import yaml

from book.press.classroom import for_class, without_solutions
from lib.chapter.parameters import chapter_names, notebook_path
from lib.store import ROOT

CHAPTERS = chapter_names()
CONFIG = yaml.safe_load((ROOT / "_config.yml").read_text())


@pytest.fixture(params=CHAPTERS)
def chapter(request):
    return request.param


def cells(chapter, kind):
    return [cell for cell in jupytext.read(notebook_path(chapter)).cells if cell.cell_type == kind]


def text(chapter, kind="markdown"):
    return "\n\n".join(cell.source for cell in cells(chapter, kind))


def code_lines(cell):
    return [line for line in cell.source.splitlines() if line.strip() and not line.lstrip().startswith("#")]


def prose(chapter):
    """Text without mathematics, inline code and roles, cell by cell so that an odd mark does not swallow the next."""
    return "\n".join(re.sub(r"\$[^$]*\$|`[^`]*`|\{[^}]*\}", " ", cell.source) for cell in cells(chapter, "markdown"))


def test_cells_are_short_and_prose_outweighs_code(chapter):
    sizes = sorted(size for size in (len(code_lines(cell)) for cell in cells(chapter, "code")) if size)
    assert statistics.median(sizes) <= 6
    assert sizes[min(len(sizes) - 1, int(0.9 * len(sizes)))] <= 15
    assert len(re.findall(r"[A-Za-z]{2,}", prose(chapter))) >= 10 * sum(sizes)


def test_chapter_runs_saves_and_is_in_the_book(chapter):
    code = text(chapter, "code")
    assert code.count(f'Run("{chapter}", globals())') == 1
    assert "run.save(data=" in cells(chapter, "code")[-1].source
    toc = (ROOT / "_toc.yml").read_text()
    assert f"book/chapters/{chapter}\n" in toc


def titles(code):
    """What stands as the title in each call of run.figure that has one, as it is written."""
    calls = [node for node in ast.walk(ast.parse(code)) if isinstance(node, ast.Call)]
    calls = [call for call in calls if getattr(call.func, "attr", "") == "figure"]
    return [ast.unparse(given.value) for call in calls for given in call.keywords if given.arg == "title"]


def wordless(code):
    """Calls that show a figure with no alternative text or one of fewer than six words; a variable the run checks.

    A figure already made, a call or the variable `figure`, got its words when it was made.
    """
    for call in (node for node in ast.walk(ast.parse(code)) if isinstance(node, ast.Call)):
        name = getattr(call.func, "attr", getattr(call.func, "id", ""))
        made = name == "figure" and (isinstance(call.args[0], ast.Call) or ast.unparse(call.args[0]) == "figure")
        if name in ("figure", "SliderFigure") and not made:
            alt = [*call.args[2:3], *(each.value for each in call.keywords if each.arg == "alt")]
            if not alt or (isinstance(alt[0], ast.Constant | ast.JoinedStr) and len(ast.unparse(alt[0]).split()) < 6):
                yield ast.unparse(call)


def test_figures_without_words_are_found():
    sound = "run.figure(figure, name); run.figure(axes, name, alt='Scores of both kinds rise with units')"
    assert [*wordless(sound)] == []
    for code in ("run.figure(axes, 'f')", "run.figure(axes, 'f', '')", "SliderFigure(ax, 'f', 'a line', {})"):
        assert [*wordless(code)] == [code]


def test_titles_of_figures_are_found():
    assert titles("run.figure(axes, 'fig-a', title='Simulated: x')\nrun.figure(axes, 'fig-b')") == ["'Simulated: x'"]
    assert sum(len(titles(text(chapter, "code"))) for chapter in CHAPTERS) > 3 * len(CHAPTERS)


def test_every_figure_has_alt_text_a_caption_and_says_if_it_is_simulated(chapter):
    code, words = text(chapter, "code"), text(chapter)
    names = re.findall(r'"(fig-[\w-]+)"', code)
    assert sorted(set(names)) == sorted(names)
    assert [*wordless(code)] == []
    for name in names:
        caption = re.search(rf":::+\{{glue:figure\}} {name}\n:name: {name}\n\n(\S.*?):::", words, flags=re.S)
        assert caption and len(caption[1].split()) >= 8, f"{name} lacks a caption"
    if chapter != "23_claims":
        told = len(re.findall(r"imulated|{data_kind}|title=\"Real ", code))  # a chapter on any data says it by name
        assert told >= len(names)
    for title in titles(code):
        assert re.search("imulated|{data_kind}|Real |tand-in|omputed|ecorded", title), title


def opening(chapter):
    """The paragraphs of a chapter's first cell: title, question, answer, figure, fold; a directive is one of them."""
    source = cells(chapter, "markdown")[0].source
    directives = r"^(:{3,})\{.*?^\1$"
    whole = re.sub(directives, lambda found: found[0].replace("\n\n", "\n \n"), source, flags=re.M | re.S)
    return whole.strip().split("\n\n")


def test_chapter_opens_with_question_answer_and_figure(chapter):
    title, question, answer, figure, fold = opening(chapter)
    assert re.match(r"\(ch-[\w-]+\)=\n# .", title) and question.endswith("?")
    assert answer.startswith("**In short.** ") and len(re.findall(r"[.!](?=\s|$)", answer[13:])) <= 3
    assert len((question + answer).split()) <= 150 and (chapter == "13_your_networks" or "{glue:" in answer)
    assert re.match(r":{3,}\{glue:\w*\}|:{3,}\{glue:figure\} fig-", figure)
    assert re.match(r":{4,}\{dropdown\} About this chapter\n(Afterwards|By the end) you", fold)


def test_chapter_closes_with_what_to_take_away(chapter):
    headings = re.findall(r"^## (.+)$", text(chapter), flags=re.M)
    assert headings[headings.index("Exercises") - 1] == "What to take away"
    ending = re.search(r"^## What to take away$(.*?)^## Exercises$", text(chapter), flags=re.M | re.S)[1]
    assert "**What changed our mind.**" in ending
    assert not {"What changed our mind", "Where this departs from the paper", "What we have seen"} & {*headings}


def test_chapter_has_exercises_with_solutions(chapter):
    words = text(chapter)
    exercises = re.findall(r"\{exercise\}.*\n:label: (\S+)", words)
    assert len(exercises) >= 3
    assert sorted(re.findall(r"\{solution-start\} (\S+)", words)) == sorted(exercises)


def test_chapter_names_its_rerun_command(chapter):
    assert f"make chapter NAME={chapter}" in text(chapter) or chapter == "23_claims"


def test_terms_are_linked_to_the_glossary_once(chapter):
    terms = re.findall(r"\{term\}`(?:[^`<]*<)?([^`>]+)>?`", text(chapter))
    assert len(terms) >= 3
    assert sorted(terms) == sorted(set(terms))


def commands(chapter):
    """Lines of the code blocks that name no language, where commands stand."""
    opened = None
    for line in text(chapter).splitlines():
        if line.startswith("```"):
            opened = line if opened is None else None
        elif opened == "```":
            yield line


def test_commands_stand_on_lines_of_their_own_and_go_on_indented(chapter):
    starts = ("make ", "python ", "  ")
    assert [line for line in commands(chapter) if line.count("make ") > 1 or not line.startswith(starts)] == []


def test_commands_name_targets_and_variables_that_the_makefile_has(chapter):
    made = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = {*re.findall(r"^([a-z-]+):", made, flags=re.M)}
    variables = {*re.search(r"Variables: ([\w, ]+)", made)[1].replace(" ", "").split(",")}
    for line in commands(chapter):
        if asked := re.match(r"make ([\w-]+)", line):
            given = re.findall(r" ([A-Z]+)=", re.sub(r'"[^"]*"?', "", line))
            assert asked[1] in targets and {*given} <= variables, line


def test_commands_are_found():
    assert sum(1 for chapter in CHAPTERS for _ in commands(chapter)) > len(CHAPTERS)


def exercises(chapter):
    """The text of each exercise and what follows its box up to its solution."""
    box = r"^(:{3,})\{exercise\}.*?\n:label: (\S+)\n\n(.*?)\n\1$(.*?)^:{3,}\{solution-start\} \2$"
    return re.findall(box, text(chapter), flags=re.M | re.S)


def test_exercises_say_what_is_asked_how_hard_it_is_and_how_long_it_takes(chapter):
    label = r"\((Recall|Rerun|Extend|Explain|Calculate), (easy|medium|hard), [1-9]\d* minutes\.\) \S"
    found = exercises(chapter)
    assert len(found) == text(chapter).count("{exercise}")
    assert [asked for _, _, asked, _ in found if not re.match(label, asked)] == []


def test_each_exercise_has_a_hint_of_one_or_two_sentences_before_its_solution(chapter):
    for _, label, _, below in exercises(chapter):
        hint = re.fullmatch(r"\s*:::\{dropdown\} Hint\n(\S.*?)\n:::\s*", below, flags=re.S)
        assert hint, f"{label}: write a hint directly below the exercise"
        assert 12 <= len(hint[1].split()) <= 60, label
        assert re.search(r"`|\$|\d|\*", hint[1]), f"{label}: the hint names nothing of this exercise"


def check_cells(chapter):
    """Cells in which a reader's number is checked: pages leave them out, notebooks have them before the solution."""
    return [cell.source for cell in cells(chapter, "code") if "remove-cell" in cell.metadata.get("tags", [])]


def test_each_chapter_checks_a_readers_number_and_types_no_right_one(chapter):
    assert check_cells(chapter)
    for code in check_cells(chapter):
        tree = ast.parse(code)
        assert re.search(r"^mine = None  # \S.*$", code, flags=re.M)
        call = tree.body[-1].value
        assert ast.unparse(call.func) == "check" and ast.unparse(call.args[0]) == "mine"
        right = next((word.value for word in call.keywords if word.arg == "right"), call.args[-1])
        assert not isinstance(right, ast.Constant), "compute the right number"
        reasons = [node.value for node in ast.walk(tree) if isinstance(node, ast.Dict) for node in node.values]
        assert len(reasons) >= 2 and all(reason.endswith(".") for reason in reasons)


def test_check_cells_stand_between_an_exercise_and_its_solution(chapter):
    found = jupytext.read(notebook_path(chapter)).cells
    for before, cell, after in zip(found, found[1:], found[2:], strict=False):
        if "remove-cell" in cell.metadata.get("tags", []):
            label = re.findall(r"\{exercise\}.*\n:label: (\S+)", before.source)[-1]
            assert after.source.startswith(f":::{{solution-start}} {label}\n")


def test_a_students_copy_has_the_hints_folded_and_the_checks_without_outputs(chapter):
    given = for_class(without_solutions(jupytext.read(notebook_path(chapter)), chapter), chapter, None)
    hints = sum(cell.source.count("<details><summary>Hint</summary>") for cell in given.cells)
    checked = [cell for cell in given.cells if "remove-cell" in cell.metadata.get("tags", [])]
    assert hints == len(exercises(chapter))
    assert len(checked) == len(check_cells(chapter)) and not any(cell.outputs for cell in checked)
