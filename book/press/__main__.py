"""All commands of the book: `python -m book.press COMMAND`, or `make` for those used daily."""

import argparse
import sys
from collections.abc import Callable
from importlib import import_module
from pathlib import Path

import yaml

from lib import store
from lib.chapter.parameters import chapter_names, declared


def list_chapters() -> int:
    """Print chapters and their parameters; the exit status."""
    for name in chapter_names():
        print(name, *(f"    {parameter}" for parameter in declared(name).values()), sep="\n")
    return 0


def run(given) -> int:
    """Run chapters that are out of date; the exit status is 1 if one failed."""
    values = {name: _literal(name, value) for name, value in given.p}
    run_chapters, names = of("book.press.runner", "run_chapters"), given.names or chapter_names()
    return 0 if run_chapters(names, given.profile, values, given.jobs, given.label) else 1


def _literal(name, value):
    try:
        return yaml.safe_load(value)
    except yaml.YAMLError:
        raise ValueError(f"-p {name} {value!r} is no value: write a number, a word or a list such as [2, 8]") from None


def of(module: str, name: str) -> Callable:
    """What a module calls so; imported only by the command that needs it, for some take seconds."""
    return getattr(import_module(module), name)


NAMES = {"names": {"nargs": "*", "metavar": "NAME", "help": "chapters, all if none is named"}}
ONE = {"name": {"metavar": "NAME"}}
QUICK = {"--profile": {"default": "quick", "help": "folder of notebooks/profiles, default quick"}}
JOBS = {"type": int, "choices": range(1, 65), "default": 2, "metavar": "N", "help": "chapters at a time, default 2"}
RUN = {
    **NAMES,
    **QUICK,
    "--label": {"help": "folder of build/ for the outputs, default the profile's name"},
    "--jobs": JOBS,
    "-p": {"nargs": 2, "action": "append", "default": [], "metavar": ("NAME", "VALUE"), "help": "set a parameter"},
}
OPEN = {"action": "store_true", "help": "open it in a browser"}
DATA = {"type": Path, "help": "folder of the data sets, default data"}

# command: (its help, what does it, its arguments)
COMMANDS = {
    "list": ("list chapters and their parameters", lambda given: list_chapters(), {}),
    "run": ("run chapters that are out of date", run, RUN),
    "notebook": (
        "write a chapter as .ipynb for the raw tools",
        lambda given: of("book.press.runner", "write_notebook")(given.name),
        ONE,
    ),
    "build": (
        "build the whole book from executed chapters",
        lambda given: of("book.press.assemble", "build")(given.profile),
        QUICK,
    ),
    "page": (
        "build the page of one executed chapter",
        lambda given: of("book.press.assemble", "page")(given.name, given.label, given.open),
        {**ONE, "--label": {"default": "custom"}, "--open": OPEN},
    ),
    "record": (
        "keep a long run's results with the book",
        lambda given: of("book.press.assemble", "record")(given.profile),
        {"--profile": {"default": "paper"}},
    ),
    "claims": (
        "print the verdict on every claim",
        lambda given: of("lib.chapter.claims", "print_ledger")(given.profile),
        QUICK,
    ),
    "classroom": (
        "write notebooks for teachers and students",
        lambda given: of("book.press.classroom", "write_notebooks")(given.names),
        NAMES,
    ),
    "slides": (
        "make slides of built chapters",
        lambda given: of("book.press.slides", "write_slides")(given.names),
        NAMES,
    ),
    "pdf": (
        "print the built book, or some pages, with Chromium",
        lambda given: of("book.press.pdf", "print_pages")(given.names),
        NAMES,
    ),
    "check-data": (
        "say which data sets are there, missing or damaged",
        lambda given: of("book.press.check_data", "print_report")(given.root or store.ROOT / "data"),
        {"--root": DATA},
    ),
}


def main(arguments: list[str] | None = None) -> int:
    """Run one command; returns its exit status. A mistake of the caller's is told in one line."""
    parser = argparse.ArgumentParser(prog="python -m book.press", description="Run, build and print the book.")
    commands = parser.add_subparsers(dest="command", required=True)
    for name, (told, _, options) in COMMANDS.items():
        command = commands.add_parser(name, help=told)
        for option, settings in options.items():
            command.add_argument(option, **settings)
    given = parser.parse_args(arguments)
    try:
        return COMMANDS[given.command][1](given) or 0
    except ValueError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
