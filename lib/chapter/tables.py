"""Questions to recorded results in a small grammar that is matched, never evaluated as code.

A predicate is `operand < operand`, also with <= > >= ==. An operand is a number; a recorded name, of a spread its mean
and as `name_error` its standard error; or `aggregate(table.column where key = value and other < 3)`, with = != < > and
a number or a bare word as value. A row that sums up others has `column_mean`, `column_error` and so on in the column's
place; it answers alone.
"""

import math
import operator
import re

import torch

COMPARISONS = {"<=": operator.le, ">=": operator.ge, "==": operator.eq, "<": operator.lt, ">": operator.gt}
CONDITIONS = {"=": operator.eq, "!=": operator.ne, "<": operator.lt, ">": operator.gt}
AGGREGATES = {
    "mean": lambda column: float(_tensor(column).mean()),
    "min": min,
    "max": max,
    "count": len,
    "std": lambda column: float(_tensor(column).std()),
    "error": lambda column: float(_tensor(column).std() / len(column) ** 0.5),
    "share": lambda column: sum(x > 0 for x in column) / len(column),  # of the rows that are above 0
}
NUMBER = re.compile(r"[-+]?\d+\.?\d*(e[-+]?\d+)?")
QUERY = re.compile(r"(?:(\w+)\()?([a-z]\w*)\.(\w+)(?: where ([^()]+?))?(\))?")
CONDITION = re.compile(r"(\w+) (=|!=|<|>) (\S+)")
PREDICATE = re.compile(rf"([^\s()]+|\w+\([^()]*\)) ({'|'.join(COMPARISONS)}) ([^\s()]+|\w+\([^()]*\))")


class Lacking(ValueError):
    """The results have not what a question names; `what` says in few words what that is."""

    def __init__(self, question: str, what: str):
        self.what = what
        super().__init__(f"{question!r} cannot be answered: the results lack {what}, rename it or rerun the chapter")


def operands(predicate: str) -> tuple[str, str, str]:
    """Left side, comparison and right side; raises ValueError with the form if the predicate has another."""
    if not (match := PREDICATE.fullmatch(predicate)):
        raise ValueError(f"predicate {predicate!r} should read `operand < operand`, one of {' '.join(COMPARISONS)}")
    return match[1], match[2], match[3]


def true(predicate: str, results: dict) -> bool:
    """Whether a predicate holds of results, a mapping with `values` and `tables`."""
    left, symbol, right = operands(predicate)
    return COMPARISONS[symbol](number(left, results), number(right, results))


def number(question: str, results: dict) -> float:
    """The number that an operand stands for; raises ValueError for a spread of a column without an aggregate."""
    found = asked(question, results)
    if isinstance(found, dict) and "." in question:
        raise ValueError(f"{question!r} is a spread: write one of {', '.join(AGGREGATES)} around it, as `mean(...)`")
    found = found["mean"] if isinstance(found, dict) else found
    if math.isnan(found):
        raise ValueError(f"{question!r} is not a number: record how many runs failed in its place")
    return found


def asked(question: str, results: dict, **where) -> float | dict:
    """What a question finds: a number, or a spread with mean, standard error and count if no aggregate is named.

    `where` adds conditions `key=value` to those of the question.
    """
    values = results["values"]
    if NUMBER.fullmatch(question):
        return float(question)
    if question.isidentifier():
        spread = values.get(question.removesuffix("_error"))
        if question not in values and question.endswith("_error") and isinstance(spread, dict):
            return _cell(question, spread, "standard_error")
        return _cell(question, values, question)
    match = _match(question)
    rows = _cell(question, results.get("tables", {}), match[2])
    rows = [row for row in rows if all(row.get(key) == value for key, value in where.items())]
    rows = [row for row in rows if all(_fits(question, row, each) for each in (match[4] or "").split(" and ") if each)]
    if not rows:
        raise Lacking(question, f"rows of {match[2]} as asked for")
    if match[1]:
        return _aggregate(question, rows, match[3], match[1])
    count = _aggregate(question, rows, match[3], "count")
    error = _aggregate(question, rows, match[3], "error") if count > 1 else None
    return {"mean": _aggregate(question, rows, match[3], "mean"), "standard_error": error, "count": count}


def by(question: str, along: str, results: dict) -> dict:
    """Answers by each value of the key `along` in the question's table that has one, in the order of the rows."""
    found = {}
    for value in dict.fromkeys(row.get(along) for row in results.get("tables", {}).get(_match(question)[2], [])):
        try:
            found[value] = asked(question, results, **{along: value})
        except Lacking:
            continue
    return found


def _match(question):
    match = QUERY.fullmatch(question)
    if not match or bool(match[1]) != bool(match[5]) or (match[1] and match[1] not in AGGREGATES):
        form = "aggregate(table.column where key = value and ...)"
        raise ValueError(f"{question!r} should be a number, a name or `{form}`, of {', '.join(AGGREGATES)}")
    return match


def _aggregate(question, rows, column, aggregate):
    if len(rows) == 1 and f"{column}_{aggregate}" in rows[0]:
        return rows[0][f"{column}_{aggregate}"]
    numbers = [_cell(question, row, column) for row in rows]
    if aggregate in ("std", "error") and len(rows) == 1:
        raise Lacking(question, "a second row, without which there is no spread")
    if words := [x for x in numbers if isinstance(x, str)]:
        raise ValueError(f"{question!r} asks numbers of the word {words[0]!r}: name a column of numbers")
    return AGGREGATES[aggregate](numbers)


def _fits(question, row, condition):
    match = CONDITION.fullmatch(condition.strip())
    if not match:
        raise ValueError(f"{question!r}: {condition!r} should read `key = value`, with one of {' '.join(CONDITIONS)}")
    found, value = _cell(question, row, match[1]), float(match[3]) if NUMBER.fullmatch(match[3]) else match[3]
    if match[2] in "<>" and isinstance(found, str) | isinstance(value, str):
        raise ValueError(f"{question!r}: words have no order, ask for them with = or !=")
    return CONDITIONS[match[2]](found, value)


def _cell(question, row, name):
    if row.get(name) is None:
        raise Lacking(question, name)
    return row[name]


def _tensor(column):
    return torch.tensor(column, dtype=torch.float64)
