"""The book's reference page, made from the docstrings of `lib`."""

import ast
import importlib
import inspect
import re
import sys
from collections import defaultdict
from dataclasses import is_dataclass
from enum import Enum
from functools import cache
from typing import is_typeddict

from torch import Tensor

from book.press.pages import chapter_label
from lib import store
from lib.chapter.parameters import chapter_names, notebook_path

# The science in the order of what most readers look for; then a folder a group.
SCIENCE = {
    "Metrics": "matching geometry regression canonical neighbours pairwise ceiling layers",
    "What metrics are made of": "correlation moments crossval pairings positions",
    "Features, projections, theory": "features projections theory recovery",
    "Toy models and sparse autoencoders": "toy_models sae sae_families joint_sae supervised codes training",
}
FOLDERS = {
    "Reports, brains, and what is kept": "lib",
    "Data: networks, images, recordings": "lib/data",
    "In a running notebook": "lib/chapter",
}


def groups() -> dict[str, list[str]]:
    """All modules of `lib` by the heading they stand under; of the flat ones those that are in no group come last."""
    found = {title: [f"lib.{name}" for name in names.split()] for title, names in SCIENCE.items()}
    placed = {name for names in found.values() for name in names}
    for title, folder in FOLDERS.items():
        names = [f"{folder}/{path.stem}".replace("/", ".") for path in sorted((store.CODE / folder).glob("[a-z]*.py"))]
        found[title] = [name for name in names if name not in placed]
    return found


def reference() -> str:
    """Every module of `lib` with its public classes and functions, and the chapters that use each, as MyST Markdown."""
    return "\n".join("\n".join([f"## {title}\n", *map(_module, names)]) for title, names in groups().items())


def _module(name):
    module = importlib.import_module(name)
    public = [
        thing
        for key, thing in vars(module).items()
        if not key.startswith("_")
        and (inspect.isclass(thing) or callable(thing) and inspect.isfunction(inspect.unwrap(thing)))
        and thing.__module__ == module.__name__
        and thing.__doc__
    ]
    usage = re.sub(r"^(?=python -m )", "    ", inspect.getdoc(module), flags=re.M)  # as code
    text = f"### {name}\n\n{usage}\n"
    return "\n".join([text, *(_entry(thing, name) for thing in public)])


def _entry(thing, module):
    kind = "class" if inspect.isclass(thing) else "function"
    return _directive(kind, f"{module}.{thing.__name__}", thing, _fields(thing) + _members(thing) + _used(thing))


def _directive(kind, name, thing, more=""):
    fence = "`" * (4 if kind in ("class", "function") else 3)
    return f"{fence}{{py:{kind}}} {name}{_signature(thing)}\n\n{_text(thing)}\n{more}{fence}\n"


def _signature(thing):
    """Parameters with their defaults; the types are in the docstring, with the shapes."""
    if inspect.isclass(thing) and issubclass(thing, Enum | Exception | dict | Tensor):  # these have none of their own
        return ""
    named = _constants(thing)
    plain = [
        parameter.replace(annotation=parameter.empty, default=named.get(id(parameter.default), parameter.default))
        for parameter in inspect.signature(thing).parameters.values()
    ]
    return str(inspect.Signature(plain))


def _constants(thing):
    """A module's longer constants by the identity of their values, to be shown by name: tuples, paths."""
    names = vars(sys.modules[thing.__module__]).items()
    return {id(value): _Name(key) for key, value in names if key.isupper() and len(repr(value)) > 20}


class _Name(str):
    __repr__ = str.__str__


def _text(thing):
    doc = re.sub(r"\{([\w:]+)\}`([^`]*)`", r"`\1` of `\2`", inspect.getdoc(thing) or "")  # a role is named, not played
    doc = re.sub(r"^(?!    ).*", lambda line: _without_tags(line[0]), doc, flags=re.M)
    return "" if _fields(thing) and doc.startswith(f"{thing.__name__}(") else doc + "\n"


def _without_tags(line):
    """Prose with its `<` escaped outside of code: else <profile> would be taken for HTML."""
    return re.sub(r"`[^`]*`|<(?=[a-z])", lambda found: found[0] if found[0] != "<" else r"\<", line)


def _fields(thing):
    """The body of a class of fields as it is written, for its comments say what each field is."""
    if not _of_fields(thing):
        return ""
    kept = [line.strip() for line in inspect.getsource(thing).splitlines() if re.match(r"    \w+: \w", line)]
    return "```python\n" + "\n".join(kept) + "\n```\n"


def _of_fields(thing):
    return hasattr(thing, "_fields") or is_dataclass(thing) or is_typeddict(thing)


def _members(thing):
    if not inspect.isclass(thing) or _of_fields(thing):
        return ""
    own = [(key, value) for key, value in vars(thing).items() if inspect.isfunction(value) and value.__doc__]
    return "".join(_directive("method", key, value) for key, value in own if not key.startswith("_"))


def _used(thing):
    chapters = users().get((thing.__module__, thing.__name__))
    return f"Used in {', '.join(f'{{ref}}`{chapter_label(name)}`' for name in chapters)}.\n" if chapters else ""


@cache
def users() -> dict[tuple[str, str], list[str]]:
    """Chapters that import a name, by module and name."""
    found = defaultdict(list)
    for chapter in chapter_names():
        for node in ast.walk(ast.parse(notebook_path(chapter).read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and node.module.startswith("lib."):
                for alias in node.names:
                    found[node.module, alias.name].append(chapter)
    return found
