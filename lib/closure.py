"""The import closure of code: which files of this project a piece of code needs, found from the source.

What a result depends on is computed, not listed. An edit of a file in the closure changes the key of what was made with
it, an edit of another file does not.
"""

import ast
from collections.abc import Iterable
from functools import cache
from importlib.metadata import PackageNotFoundError, packages_distributions, version
from importlib.util import resolve_name
from pathlib import Path

HOME = Path(__file__).resolve().parent.parent
PACKAGE = __name__.split(".")[0]
INSTALLED = PACKAGE != "lib"  # under another name beside other packages, and not in a checkout
COMPUTING = ("torch", "numpy", "scipy", "scikit-learn", "pot")  # count for every result, imported or not


def closure_of(files: Iterable[Path], root: Path) -> tuple[set[Path], set[str]]:
    """These files and all files below `root` that they import, directly or not; and the packages they import.

    Imports inside functions count, and importing `a.b` counts `a/__init__.py` too.
    """
    found, packages, names, waiting = set(), set(), set(), list(files)
    while waiting:
        path = waiting.pop()
        if path in found:
            continue
        found.add(path)
        package = ".".join(path.relative_to(root).parts[:-1]) if root in path.parents else ""
        here = {resolve_name(name, package) if name[0] == "." else name for name in imported(path.read_bytes())}
        for name in here - names:
            own = _files(name, root)
            waiting += own
            if not own:
                packages.add(name.split(".")[0])
        names |= here
    return found, packages


@cache
def imported(source: bytes) -> frozenset[str]:
    """Dotted names that Python source imports; of `from a import b` both `a` and `a.b`, for b may be a module.

    A relative import keeps its leading dots: `from .a import b` gives `.a` and `.a.b`, `from . import b` gives `.b`.
    """
    names = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            module, dots = node.module or "", "." * node.level
            whole = {f"{module}.{alias.name}".lstrip(".") for alias in node.names}
            names |= {dots + name for name in whole | {module} if name}
    return frozenset(names)


def _files(name, root):
    """The files that importing a dotted name runs: of the packages above it, and its own; none if it is not ours."""
    parts, files = name.split(".") if is_own(name) else [], []
    for depth in range(1, len(parts) + 1):
        place = root.joinpath(*parts[:depth])
        files += [path for path in (place.with_suffix(".py"), place / "__init__.py") if path.is_file()]
    return files


def is_own(name: str) -> bool:
    """Whether a module may be of this project: in an installed copy only what is in this package."""
    return not INSTALLED or name.split(".")[0] == PACKAGE


def versions(packages: Iterable[str]) -> dict[str, str]:
    """Versions of the distributions that hold these import names, and of those that compute."""
    held = _distributions()
    names = {name for package in packages for name in held.get(package, ())} | {*COMPUTING}
    return {name: _version(name) for name in sorted(names)}


@cache
def _distributions():
    return packages_distributions()


@cache
def _version(name):
    try:
        return version(name)
    except PackageNotFoundError:
        return "not installed"
