"""What the ledger asks is what chapters record: a misspelt name is found without a run, where it would read `not run`.

A name is known if results recorded with the book have it, or the chapter's code gives it to `run.record` or
`run.tabulate`.
"""

import ast
import json
import re
from functools import cache

import pytest
from test_notebooks import CHAPTERS, text

from lib.chapter.claims import load_claims, questions
from lib.chapter.tables import AGGREGATES, CONDITION, NUMBER, QUERY
from lib.store import ROOT

CLAIMS = load_claims()
PIECES = {
    f"{claim['id']}-{kind}": (piece.get("chapter", claim["chapter"]), piece)
    for claim in CLAIMS
    for kind, piece in claim["evidence"].items()
    if "holds" in piece
}


@cache
def recorded(chapter):
    """Names of numbers, and by table and column the values, of all results of a chapter recorded with the book."""
    names, tables = set(), {}
    for path in (ROOT / "book" / "results").glob(f"*/{chapter}.json"):
        content = json.loads(path.read_text(encoding="utf-8"))
        names |= content["values"].keys()
        names |= {f"{name}_error" for name, value in content["values"].items() if isinstance(value, dict)}
        for name, rows in content.get("tables", {}).items():
            for row in rows:
                for column, value in row.items():
                    tables.setdefault(name, {}).setdefault(column, set()).add(value)
    return names, tables


@cache
def code(chapter):
    """The calls in a chapter's code by the method that is called, and the words of the code."""
    written, found = text(chapter, "code"), {}
    for node in ast.walk(ast.parse(written)):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            found.setdefault(node.func.attr, []).append(node)
    return found, {*re.findall(r"\w+", written)}


def given(call):
    """Names that a call gives as keywords, or as keys of a mapping, as patterns: what an f-string fills in is open."""
    for keyword in call.keywords:
        if keyword.arg:
            yield keyword.arg
        elif isinstance(keyword.value, ast.Dict | ast.DictComp):
            keys = keyword.value.keys if isinstance(keyword.value, ast.Dict) else [keyword.value.key]
            for key in keys:
                parts = key.values if isinstance(key, ast.JoinedStr) else [key]
                yield "".join(part.value if isinstance(part, ast.Constant) else r"(\w+)" for part in parts)


def gives_name(chapter, name):
    """Whether a chapter's code records a number of this name; what fills an f-string is a word of the code."""
    calls, words = code(chapter)
    for call in calls["record"]:
        for pattern in given(call):
            found = re.fullmatch(pattern, name) if pattern != r"(\w+)" else None
            if found and {*found.groups()} <= words:
                return True
    return False


def unknown(chapter, question):
    """What of a question no run of the chapter would answer, in words; empty if nothing."""
    names, tables = recorded(chapter)
    if question.isidentifier():
        plain = question.removesuffix("_error")
        known = question in names or gives_name(chapter, question) or gives_name(chapter, plain)
        return "" if known else f"number {question}"
    match = QUERY.fullmatch(question)
    columns = in_code(chapter, match[2]) | tables.get(match[2], {})
    if not columns:
        return f"table {match[2]}"
    asked = [CONDITION.fullmatch(each.strip()) for each in (match[4] or "").split(" and ") if each]
    for column in (match[3], *(each[1] for each in asked)):
        if not {column, *(f"{column}_{how}" for how in AGGREGATES)} & columns.keys():
            return f"column {column} of table {match[2]}"
    for column, symbol, value in (each.groups() for each in asked):
        if NUMBER.fullmatch(value):  # the code does not show which there are, a recorded table does
            known = symbol != "=" or float(value) in tables.get(match[2], {}).get(column, {float(value)})
        else:
            known = value in columns[column]
        if not known:
            return f"{value} in column {column} of table {match[2]}"
    return ""


def in_code(chapter, table):
    """Columns of a table as the code fills it, which may hold any word of the code."""
    calls, words = code(chapter)
    filled = [call for call in calls.get("tabulate", []) if getattr(call.args[0], "value", "") == table]
    return {name: words for call in filled for name in given(call)}


@pytest.mark.parametrize("name", PIECES)
def test_every_name_in_the_ledger_is_one_that_its_chapter_records(name):
    chapter, piece = PIECES[name]
    asked = [question for question in questions(piece) if not NUMBER.fullmatch(question)]
    assert [lacking for question in asked if (lacking := unknown(chapter, question))] == []


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_every_name_quoted_from_recorded_runs_is_one_that_the_chapter_records(chapter):
    """It would read `not recorded` on the page."""
    asked = [
        each.value
        for call in code(chapter)[0].get("quote", [])
        for each in call.args[1:]
        if isinstance(each, ast.Constant)
    ]
    assert [lacking for question in asked if (lacking := unknown(chapter, question))] == []


@pytest.mark.parametrize(
    ("chapter", "question", "lacking"),
    [
        ("05_partial_overlap", "b7_margn", "number b7_margn"),
        ("04_gaussian_projections", "b5_relative_rssa", "number b5_relative_rssa"),
        ("11_brains", "min(nds.gain)", "table nds"),
        ("11_brains", "min(nsd.gian)", "column gian of table nsd"),
        ("11_brains", "min(nsd.gain where netwrk = vit)", "column netwrk of table nsd"),
        ("11_brains", "min(nsd.gain where network = vti)", "vti in column network of table nsd"),
        ("07_disentangling", "min(features.gain where N = 61)", "61 in column N of table features"),
        ("17_natural", "max(natural.authors_mx where kind = resnet)", "column authors_mx of table natural"),
        ("17_natural", "max(natural.authors_max where kind = resnte)", "resnte in column kind of table natural"),
    ],
)
def test_a_misspelt_name_is_found(chapter, question, lacking):
    assert unknown(chapter, question) == lacking
