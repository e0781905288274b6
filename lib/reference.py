"""The book's reference page, made from the docstrings of `lib`."""

import ast
import importlib
import inspect
import re
from collections import defaultdict
from functools import cache

from lib.pages import chapter_label
from lib.parameters import ROOT, chapter_names, notebook_path

# The modules in the order of what most readers look for.
GROUPS = {
    "Metrics": ["matching", "geometry", "regression", "correlation", "moments", "crossval", "alignment"],
    "Features, projections, theory": ["features", "projections", "theory", "recovery"],
    "Toy models and sparse autoencoders": ["toy_models", "sae", "codes", "training"],
    "Networks and images": ["vision", "extraction", "images", "digits", "networks", "stand_ins", "pairs"],
    "Networks of your own": ["arrays", "own", "reading"],
    "Brains": ["brain", "encoding", "nsd", "nsd_simulation", "v4", "check_data"],
    "The book itself": ["chapters", "parameters", "run", "results", "claims", "plotting", "checks"]
    + ["book", "pages", "reference", "classroom", "slides", "pdf"],
}


def reference() -> str:
    """Every module of `lib` with its public classes and functions, and the chapters that use each, as MyST Markdown."""
    return "\n".join("\n".join([f"## {group}\n", *map(_module, names)]) for group, names in GROUPS.items())


def _module(name):
    module = importlib.import_module(f"lib.{name}")
    public = [
        thing
        for key, thing in vars(module).items()
        if not key.startswith("_")
        and (inspect.isclass(thing) or callable(thing) and inspect.isfunction(inspect.unwrap(thing)))
        and thing.__module__ == module.__name__
        and thing.__doc__
    ]
    usage = re.sub(r"^(?=python -m )", "    ", inspect.getdoc(module), flags=re.M)  # as code
    text = f"### lib.{name}\n\n{usage}\n"
    return "\n".join([text, *(_entry(thing, f"lib.{name}") for thing in public)])


def _entry(thing, module):
    kind = "class" if inspect.isclass(thing) else "function"
    return _directive(kind, f"{module}.{thing.__name__}", thing, _fields(thing) + _members(thing) + _used(thing))


def _directive(kind, name, thing, more=""):
    fence = "`" * (4 if kind in ("class", "function") else 3)
    return f"{fence}{{py:{kind}}} {name}{_signature(thing)}\n\n{_text(thing)}\n{more}{fence}\n"


def _signature(thing):
    """Parameters with their defaults, paths from the book's root; the types are in the docstring, with the shapes."""
    try:
        signature = inspect.signature(thing)
    except ValueError:
        return ""
    plain = [parameter.replace(annotation=parameter.empty) for parameter in signature.parameters.values()]
    text = str(signature.replace(parameters=plain, return_annotation=signature.empty))
    return re.sub(rf"\w*Path\('{re.escape(str(ROOT))}/", "Path('", text)


def _text(thing):
    doc = re.sub(r"<(?=[a-z])", r"\<", inspect.getdoc(thing) or "")  # else <profile> would be taken for HTML
    doc = re.sub(r"\{([\w:]+)\}`([^`]*)`", r"`\1` of `\2`", doc)  # a role is named, not played
    return "" if _fields(thing) and doc.startswith(f"{thing.__name__}(") else doc + "\n"


def _fields(thing):
    """The body of a NamedTuple as it is written, for its comments say what each field is."""
    if not hasattr(thing, "_fields"):
        return ""
    lines = inspect.getsource(thing).splitlines()[1:]
    kept = [line.strip() for line in lines if ": " in line and not line.strip().startswith(('"""', "#"))]
    return "```python\n" + "\n".join(kept) + "\n```\n"


def _members(thing):
    if not inspect.isclass(thing) or hasattr(thing, "_fields"):
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
