"""The box on the page of a run with parameters of one's own: what differs from the book's, and its numbers beside."""

from html import escape
from statistics import fmean

from lib.chapter.parameters import declared
from lib.chapter.results import checked_run, output_path, read_results, recorded_results
from lib.chapter.run import shown

OPEN_ROWS = 15  # of the numbers; the rest is folded, so that the chapter is not far below
ALONE = "not in the book's run"


def box(name: str, label: str) -> str:
    """The box as MyST, empty if all parameters are the book's.

    Its tables are HTML, since a path or a word given as a parameter may hold any character.
    """
    changed = other_parameters(name, label)
    if not changed:
        return ""
    rows = [(key, "", *map(_value, pair)) for key, pair in changed.items()]
    parameters = _table(("parameter", "here", "in the book"), rows, "parameters")
    results = output_path(name, label).with_suffix(".json")
    numbers = _numbers(read_results(results, name, label), *book_results(name)) if results.exists() else []
    count = f"{len(changed)} parameter{'s differ' if len(changed) > 1 else ' differs'}"
    opening = f":::::{{admonition}} Not the book's run: {count}\n:class: other-run"
    return "\n\n".join([opening, parameters, *numbers, ":::::"])


def other_parameters(name: str, label: str) -> dict[str, tuple]:
    """Value in the run of build/<label> and in the book, for each parameter whose values differ."""
    given, known = checked_run(name, label)["settings"], declared(name)
    pairs = {key: (value, known[key].default) for key, value in given.items() if key in known and key != "profile"}
    return {key: pair for key, pair in pairs.items() if pair[0] != pair[1]}


def book_results(name: str) -> tuple[dict, str]:
    """The book's results of a chapter, and in words where they are from: `build/quick`, else recorded ones.

    If there are neither, or the machine's are out of date and none are recorded: nothing, and how to get them.
    """
    try:
        checked_run(name, "quick")
        return read_results(output_path(name, "quick").with_suffix(".json"), name, "quick"), "the book's"
    except ValueError:
        # Other profiles than `paper` are about other networks or data.
        if name in (recorded := recorded_results("paper")):
            return recorded[name], "those recorded with the book's profile paper, whose settings are larger"
    return {}, f"`python -m book.press run {name}`"


def numbers_beside(here: dict, book: dict) -> list[tuple]:
    """Name, remark, value here and in the book of each number of this run; None if the book has no such number.

    Of a table each column gives one, the mean over the rows that both have, see `_shared`.
    """
    rows = [(name, "", value, book["values"].get(name)) for name, value in here["values"].items()]
    for table, own in here.get("tables", {}).items():
        keys, pairs = _shared(own, book.get("tables", {}).get(table, []))
        for column in [column for column in own[0] if column not in keys]:
            both = [(x[column], y[column]) for x, y in pairs if column in y]
            if both and not any(isinstance(x, str) for pair in both for x in pair):
                means = map(fmean, zip(*both, strict=True))
                share = f"{len(both)} of {len(own)}" if len(both) < len(own) else len(own)
                rows.append((f"{table}.{column}", f" mean of {share} rows", *means))
    return rows


def _shared(own, book):
    """The keys of a table, the first columns and as few as tell its rows apart, and rows of both runs with equal keys.

    There are none in a table whose rows nothing but their last column tells apart.
    """
    columns = list(own[0])
    for count in range(1, len(columns)):
        keys = columns[:count]
        if all(len({_key(row, keys) for row in rows}) == len(rows) for rows in (own, book)):
            break
    else:
        return [], []
    there = {_key(row, keys): row for row in book}
    return keys, [(row, there[_key(row, keys)]) for row in own if _key(row, keys) in there]


def _key(row, keys):
    return tuple(row.get(key) for key in keys)


def _numbers(here, book, source):
    """The table of numbers: openly so many of those that came out otherwise, all else folded."""
    if not book:
        return [f"The book's numbers would stand beside this run's once {source} has run here."]
    rows = [(name, remark, shown(own), ALONE if other is None else shown(other), _difference(own, other))
            for name, remark, own, other in numbers_beside(here, book)]  # fmt: skip
    alone = [row for row in rows if row[3] == ALONE]
    same = [row for row in rows if row[2] == row[3]]
    other = [row for row in rows if row not in alone and row not in same]
    told = ((other, "came out otherwise"), (same, "read the same"), (alone, f"are {ALONE}"))
    counts = ", ".join(f"{len(some)} {words}" for some, words in told if some)
    folded, heads = other[OPEN_ROWS:] + same + alone, ("number", "here", "book", "difference")
    fold = f"<details><summary>The other {len(folded)}</summary>{_table(heads, folded)}</details>"
    opened = [_table(heads, other[:OPEN_ROWS])] if other else []
    return [f"Of {len(rows)} numbers, beside {source}, {counts}.", *opened, *[fold] * bool(folded)]


def _difference(own, other):
    if other is None:
        return ""
    own, other = (value["mean"] if isinstance(value, dict) else value for value in (own, other))
    return f"{own - other:+}" if isinstance(own, int) and isinstance(other, int) else f"{own - other:+.3f}"


def _table(heads, rows, kind="numbers"):
    """One line of HTML; rows begin with a name and a remark on it."""
    top = "".join(f'<th scope="col">{head}</th>' for head in heads)
    body = ""
    for name, remark, *rest in rows:
        cells = "".join(f"<td>{escape(cell)}</td>" for cell in rest)
        body += f'<tr><th scope="row"><code>{escape(name)}</code>{remark}</th>{cells}</tr>'
    return f'<table class="table {kind}"><thead><tr>{top}</tr></thead><tbody>{body}</tbody></table>'


def _value(value):
    """A parameter as text; a line break would end the HTML."""
    return "empty" if value == "" else " ".join(str(value).split())
