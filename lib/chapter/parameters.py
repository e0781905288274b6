"""A chapter's parameters: what its `parameters` cell declares, and whether given values fit.

Each line of that cell reads `name: type = literal  # what it is, its unit`. Papermill drops other forms silently, so
they are errors here.
"""

import ast
import re
from pathlib import Path
from typing import NamedTuple

from lib import store
from lib.chapter.carried import of_book
from lib.chapter.plain_yaml import load_yaml
from lib.closure import imported

LINE = re.compile(r"(?P<name>\w+): (?P<type>\w+(\[\w+\])?) = (?P<default>[^=|#]+?)  # (?P<help>[^=|#]+)")
CELL = re.compile(r"^# ?%%(?P<head>.*)\n(?P<source>(?:(?!# ?%%).*\n)*)", re.MULTILINE)
TAGGED = re.compile(r"""\btags=\[[^]]*["']parameters["']""")
TYPES = {"int": int, "float": float, "str": str, "bool": bool}


class Parameter(NamedTuple):
    name: str
    type: str
    default: object
    help: str

    def __str__(self) -> str:
        return f"{self.name}: {self.type} = {self.default!r}  ({self.help})"


def chapter_names() -> list[str]:
    """Names of all chapters in reading order: by number, those that judge the others last."""
    paths = sorted(of_book("notebooks").glob("[0-9][0-9]_*.py"))
    return [path.stem for path in sorted(paths, key=_judges)]


def reads_ledger(chapter: str) -> bool:
    """Whether a chapter judges the results of all others, and so runs after them: it imports the ledger."""
    return _judges(notebook_path(chapter))


def _judges(path):
    return "lib.chapter.claims.ledger" in imported(path.read_bytes())


def notebook_path(chapter: str) -> Path:
    """The text notebook of a chapter; raises ValueError listing the chapters if there is none."""
    if chapter not in chapter_names():
        raise ValueError(f"there is no chapter {chapter!r}: choose one of {', '.join(chapter_names())}")
    return of_book(f"notebooks/{chapter}.py")


def declared(chapter: str) -> dict[str, Parameter]:
    """Parameters of a chapter by name; raises ValueError naming the line that has another form."""
    # Read as text, since every kernel comes by here: jupytext would take it a second and more to load.
    parts = CELL.finditer(notebook_path(chapter).read_text(encoding="utf-8") + "\n")
    cells = [cell["source"] for cell in parts if TAGGED.search(cell["head"])]
    if len(cells) != 1:
        raise ValueError(f"{chapter} has {len(cells)} cells tagged parameters: give it exactly one")
    found = {}
    for line in filter(None, cells[0].splitlines()):
        match = LINE.fullmatch(line)
        if not match:
            form = "`name: type = literal  # what it is, its unit`"
            raise ValueError(f"{chapter}, parameters: {line!r} should read {form}")
        parameter = Parameter(match["name"], match["type"], ast.literal_eval(match["default"]), match["help"])
        found[parameter.name] = parameter._replace(default=_fitting(parameter, parameter.default, chapter))
    return found


def profile_values(chapter: str, profile: str) -> dict:
    """Values a profile gives a chapter: notebooks/profiles/<profile>/<chapter>.yml, none if it has no such file.

    The profile `quick` is the defaults. Raises ValueError for a profile without a folder and for broken YAML.
    """
    if profile == "quick":
        return {}
    folder = store.ROOT / "notebooks" / "profiles"
    known = sorted(path.name for path in folder.glob("*/"))
    if profile not in known:  # a path, which may lead elsewhere, is none
        raise ValueError(f"there is no profile {profile!r}: choose one of {', '.join(['quick', *known])}")
    path = folder / profile / f"{chapter}.yml"
    if not path.exists():
        return {}
    values = load_yaml(path.read_bytes(), str(path.relative_to(store.ROOT))) or {}
    if not isinstance(values, dict):
        raise ValueError(
            f"{path.relative_to(store.ROOT)} should map parameter names to values, one `name: value` a line"
        )
    return values


def checked(chapter: str, given: dict) -> dict:
    """`given` with each value in its parameter's type.

    Raises ValueError for an unknown name or a value of the wrong type, listing the valid parameters with their help.
    """
    known = declared(chapter)
    unknown = [name for name in given if name not in known]
    if unknown:
        raise ValueError(f"{chapter} has no parameter {', '.join(map(repr, unknown))}: {_listed(known)}")
    return {name: _fitting(known[name], value, chapter, known) for name, value in given.items()}


def from_words(chapter: str, words: dict[str, str]) -> dict:
    """Values of parameters written as words on a command line: a text is what stands there, all else is YAML.

    So a path may hold any character. Raises ValueError for what is no YAML, and for letters that cannot be read.
    """
    for name, word in words.items():
        if not word.isascii() and any("\ud800" <= letter <= "\udfff" for letter in word):
            raise ValueError(f"-p {name}: letters of {ascii(word)} are not known in this locale: set LC_ALL=C.UTF-8")
    known = declared(chapter)
    return {
        name: word if name in known and known[name].type == "str" else _literal(name, word)
        for name, word in words.items()
    }


def _literal(name, word):
    try:
        return load_yaml(word, name)
    except ValueError:
        raise ValueError(f"-p {name} {word!r} is no value: write a number, a word or a list such as [2, 8]") from None


def scope_values(chapter: str, scope: dict) -> dict:
    """The declared parameters of a chapter with the values they have in a running notebook's `globals()`."""
    return {name: scope[name] for name in declared(chapter)}


def _fitting(parameter, value, chapter, known=None):
    outer, _, inner = parameter.type.rstrip("]").partition("[")
    if outer == "list":
        if isinstance(value, list) and all(_fits(entry, inner) for entry in value):
            return [float(entry) for entry in value] if inner == "float" else value
    elif _fits(value, outer):
        return float(value) if outer == "float" else value
    hint = ", write 0.001 for 1e-3" if isinstance(value, str) and "e" in value and "float" in parameter.type else ""
    raise ValueError(
        f"{chapter}: {parameter.name} = {value!r} should be of type {parameter.type}{hint}"
        + (f": {_listed(known)}" if known else "")
    )


def _fits(value, type_name):
    if type_name not in TYPES:
        raise ValueError(f"parameter type {type_name!r} is unknown: use int, float, str, bool or a list of one of them")
    if type_name == "float":
        return isinstance(value, (int, float)) and not isinstance(value, bool)
    return type(value) is TYPES[type_name]


def _listed(known):
    return "its parameters are\n  " + "\n  ".join(map(str, known.values()))
