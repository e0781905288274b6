"""All commands of the book: `python -m book.press COMMAND`, or `make` for those used daily."""

import argparse
import sys
from importlib import import_module
from pathlib import Path

CHAPTERS = {"nargs": "*", "metavar": "NAME", "help": "chapters or pages, all if none is named"}
JOBS = {"type": int, "choices": range(1, 65), "default": 2, "metavar": "N", "help": "chapters at a time, default 2"}
SET = {"nargs": 2, "action": "append", "default": [], "metavar": ("NAME", "VALUE"), "help": "set a parameter"}
ARGUMENTS = {
    "names": ("names", CHAPTERS),
    "name": ("name", {"metavar": "NAME"}),
    "profile": ("--profile", {"default": "quick", "help": "folder of notebooks/profiles, default quick"}),
    "label": ("--label", {"help": "folder of build/ for the outputs, default the profile's name or custom"}),
    "jobs": ("--jobs", JOBS),
    "p": ("-p", SET),
    "exercises": (
        "--no-exercises",
        {"dest": "exercises", "action": "store_false", "help": "leave out the section of exercises"},
    ),
    "trainings": (
        "--trainings-only",
        {"action": "store_true", "dest": "trainings", "help": "stop once the models are trained, no results"},
    ),
    "open": ("--open", {"action": "store_true", "help": "open it in a browser"}),
    "root": ("--root", {"type": Path, "help": "folder of the data sets, default data"}),
}
# command: (the module and function that do it, its help, the function's arguments in order)
COMMANDS = {
    "list": ("book.press.runner", "list_chapters", "list chapters and their parameters", ()),
    "run": (
        "book.press.runner",
        "run",
        "run what is out of date",
        ("names", "profile", "label", "jobs", "p", "exercises", "trainings"),
    ),
    "notebook": ("book.press.runner", "write_notebook", "write a chapter as .ipynb for the raw tools", ("name",)),
    "build": ("book.press.assemble", "build", "build the whole book from executed chapters", ("profile",)),
    "page": ("book.press.assemble", "page", "build the page of one executed chapter", ("name", "label", "open")),
    "record": ("book.press.assemble", "record", "keep the results of a long run with the book", ("profile",)),
    "verify": ("book.press.verify", "verify", "run a small part of recorded runs again", ("profile", "jobs")),
    "claims": ("lib.chapter.claims", "print_ledger", "print the verdict on every claim", ("profile",)),
    "classroom": ("book.press.classroom", "write_notebooks", "write notebooks for teachers and students", ("names",)),
    "lab": ("book.press.export", "write_copies", "write notebooks for JupyterLab", ("names", "profile")),
    "slides": ("book.press.slides", "write_slides", "make slides of built chapters", ("names",)),
    "handouts": ("book.press.handouts", "print_handouts", "print one page for each built chapter", ("names",)),
    "pdf": ("book.press.pdf", "print_pages", "print the built book as one file, or some pages", ("names",)),
    "address": ("book._ext.reach", "write_addresses", "tell README.md and CITATION.cff the address in _config.yml", ()),
    "check-data": ("book.press.check_data", "print_report", "say which data sets are there or damaged", ("root",)),
}


def main(arguments: list[str] | None = None) -> int:
    """Run one command; returns its exit status. A mistake of the caller's is told in one line."""
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(errors="backslashreplace")  # a locale that lacks a letter is no reason to stop
    parser = argparse.ArgumentParser(prog="python -m book.press", description="Run, build and print the book.")
    commands = parser.add_subparsers(dest="command", required=True)
    for name, (_, _, told, wanted) in COMMANDS.items():
        command = commands.add_parser(name, help=told)
        for argument in wanted:
            command.add_argument(ARGUMENTS[argument][0], **ARGUMENTS[argument][1])
    given = parser.parse_args(arguments)
    module, function, _, wanted = COMMANDS[given.command]
    try:
        work = getattr(import_module(module), function)  # imported by the command that needs it: some take seconds
        return work(*(getattr(given, argument) for argument in wanted)) or 0
    except ValueError as error:
        print(f"error: {error}", file=sys.stderr)
    except OSError as error:
        print(f"error: {import_module('lib.store').disk_error(error)}", file=sys.stderr)
    except KeyboardInterrupt:
        print("interrupted: what is finished is kept, the same command goes on", file=sys.stderr)
        return 130
    return 1


if __name__ == "__main__":
    sys.exit(main())
