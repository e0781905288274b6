"""Results of chapters: what they depend on, and what they measured, as JSON in build/<profile>/ or kept with the book.

A chapter's run leaves two files, its executed notebook and its results. The notebook says what the run depended on, the
results carry the key of that. Whoever reads them asks `checked_run`, which refuses what is of another chapter, profile
or key, what was edited since, and what would come out otherwise today.
"""

import json
import math
import os
import re
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

from lib import store
from lib.chapter.carried import of_book
from lib.chapter.parameters import chapter_names, notebook_path, reads_ledger
from lib.closure import closure_of, imported
from lib.store import dependencies, differing, key

BY_RUNNER = "CHAPTER_BY_RUNNER"  # set in the environment of a kernel that the runner started
NUMBERS = ("parse_int", "parse_float", "parse_constant")  # what JSON's reader asks of us
# What the runner writes of a run, as far as it is read again.
ENTRY = {"chapter": str, "profile": str, "settings": dict, "seconds": (int, float), "depends": dict, "notebook": str}
# A word that is the name of one of these folders of the project is a word, no folder of data.
LABEL = re.compile(r"\w[\w .-]*(/\w[\w .-]*)*")
OWN_FOLDERS = {"book", "build", "lib", "notebooks", "tests", "benchmarks", "_build"}


def run_folder(label: str) -> Path:
    """The folder build/<label> for the outputs of a run; raises ValueError for a label that is no plain name of one."""
    return store.ROOT / "build" / _plain(label)


def _plain(label):
    """One name has one spelling and leads nowhere else: results say which label they are of."""
    if not LABEL.fullmatch(label):
        raise ValueError(f"{label!r}: --label and --profile name a folder of build/, by letters, digits, - and _")
    return label


def output_path(name: str, label: str) -> Path:
    """Where the executed notebook of a chapter lies; its results lie beside it, as .json."""
    return run_folder(label) / f"{name}.ipynb"


def saved_path(name: str, label: str) -> Path:
    """Where a running notebook writes its results.

    Started by the runner, they are pending until the whole chapter has succeeded. Otherwise they are `by-hand`, which
    no table of the book reads: nobody knows which code and cells they come from.
    """
    shape = ".{}.pending.json" if os.environ.get(BY_RUNNER) else "{}.by-hand.json"
    return output_path(name, label).with_name(shape.format(name))


def chapter_dependencies(name: str, settings: dict, label: str) -> dict[str, str]:
    """What decides a chapter's output, part by part, see `lib.store.dependencies`.

    Its notebook and the files of this project that it imports, directly or not; its settings; the files and folders
    that they name; the versions of the packages; the results recorded for it. A chapter that imports the ledger depends
    on the claims and on the results of all other chapters.
    """
    notebook = notebook_path(name)
    parts = dependencies([notebook], settings=settings)
    parts |= {f"data {path}": _state(path) for path in named_paths(settings)}
    book, ledger = store.ROOT / "book", reads_ledger(name)
    shown = sorted((book / "results").glob("*/*.json"))
    files = [path for path in shown if ledger or path.stem == name]
    if "lib.chapter.claims" in imported(notebook.read_bytes()):
        files.append(book / "claims.yml")
    if ledger:
        others = (output_path(other, label).with_suffix(".json") for other in chapter_names() if other != name)
        files += [path for path in others if path.exists()]
    return parts | {str(path.relative_to(store.ROOT)): _hash(path.read_bytes()) for path in files}


def chapter_code(name: str) -> dict[str, str]:
    """Digests of a chapter's notebook and of the project's modules that it imports, by path."""
    found, _ = closure_of([notebook_path(name)], store.ROOT)
    return {str(path.relative_to(store.ROOT)): _hash(path.read_bytes()) for path in sorted(found)}


def changed_since(content: dict) -> list[str]:
    """Files of code that changed since results were recorded, were added or taken out."""
    return sorted(differing(content["code"], chapter_code(content["chapter"])))


def named_paths(settings: dict) -> list[Path]:
    """Files and folders that settings name and that exist, as `a.npy`, `a.npz:key`, `file:a.pth@...`, also in lists.

    Every piece of a text between `:`, `@` and `,` is tried, joined to its neighbours too, since a path may hold them.
    Relative paths start at the project's root, where kernels run.
    """
    texts = [text for value in settings.values() for text in (value if isinstance(value, list) else [value])]
    found = set()
    for text in filter(lambda text: isinstance(text, str), texts):
        pieces = re.split("([:@,])", text)
        starts = range(0, len(pieces), 2)
        words = {"".join(pieces[i : j + 1]) for i in starts for j in starts if i <= j}
        for word in words - OWN_FOLDERS - {"", ".", ".."}:
            path = store.ROOT / os.path.expanduser(word)
            if len(word) < 4096 and os.path.exists(path) and path.resolve() not in store.ROOT.resolve().parents:
                found.add(path)
    return sorted(found)


def _state(path):
    """Digest of names, sizes and times of change of a file, or of all below a folder, links followed.

    The time of change, unlike that of writing, cannot be set: so other content of the same size and date is seen.
    """
    lines = [f"{name} {at.st_size} {at.st_mtime_ns} {at.st_ctime_ns} {at.st_ino}" for name, at in sorted(_below(path))]
    return _hash("\n".join(lines).encode())


def _below(path) -> Iterator[tuple[str, os.stat_result]]:
    if not path.is_dir():
        yield path.name, path.stat()
        return
    seen = set()
    for folder, folders, names in os.walk(path, followlinks=True):
        here = os.path.realpath(folder)
        if here in seen:  # a link that leads back
            folders.clear()
            continue
        seen.add(here)
        for name in names:
            if os.path.exists(file := os.path.join(folder, name)):
                yield os.path.relpath(file, path), os.stat(file)


def checked_run(name: str, label: str) -> dict:
    """What the executed notebook of a chapter says of its run, `{key, depends, settings, results, seconds, ...}`.

    Raises ValueError, in one line that says which and why, if there is none, if notebook or results were edited since,
    and if the chapter would be run anew today.
    """
    path = output_path(name, label)
    if not path.exists():
        raise ValueError(f"{name} has no successful run in build/{label}: run `make chapter NAME={name}` first")
    if why := out_of_date(name, label):
        raise ValueError(f"build/{label}/{name} cannot be used, {why}: run the chapter again, or `make book`")
    return run_entry(path)


def out_of_date(name: str, label: str, settings: dict | None = None) -> str:
    """Why the run of a chapter in build/<label> does not serve for `settings`, if None its own; empty if it does."""
    path = output_path(name, label)
    try:
        entry = run_entry(path)
    except ValueError:
        return "since it does not say what it was made from"
    then, results = entry["depends"], entry.get("results")
    if (entry["chapter"], entry["profile"]) != (name, label):
        return f"since it is the run of {entry['chapter']} with {entry['profile']}"
    if entry["notebook"] != notebook_digest(json.loads(path.read_text(encoding="utf-8"))):
        return "since its executed notebook was edited"
    now = chapter_dependencies(name, entry["settings"] if settings is None else settings, label)
    if now != then:
        return f"since {', '.join(differing(then, now)[:4])} changed"
    file = path.with_suffix(".json")
    if results != (_hash(file.read_bytes()) if file.exists() else None):
        return f"since {file.name} was {'edited' if file.exists() else 'deleted'}"
    return ""


def run_entry(path: Path) -> dict:
    """The part of an executed notebook's metadata that the runner wrote; ValueError if it cannot be read as that."""
    try:
        entry = json.loads(path.read_text(encoding="utf-8"))["metadata"]["run"]
        whole = ENTRY.keys() <= entry.keys() and all(isinstance(entry[name], kind) for name, kind in ENTRY.items())
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        whole = False
    if not whole:
        raise ValueError(f"{path} does not say what it was made from: run its chapter again")
    return entry


def notebook_digest(notebook: dict) -> str:
    """Digest of a notebook's content without what the runner says of it."""
    rest = {key: value for key, value in notebook["metadata"].items() if key != "run"}
    return _hash(json.dumps({**notebook, "metadata": rest}, sort_keys=True).encode())


def settle(name: str, label: str, depends: dict[str, str]) -> str | None:
    """Give a chapter's pending results their key and their name; the digest of the file, None if there is none.

    Raises ValueError for results of another chapter or profile, and for NaN.
    """
    pending, path = saved_path(name, label), output_path(name, label).with_suffix(".json")
    if not pending.exists():
        path.unlink(missing_ok=True)
        return None
    content = read_results(pending, name, label)
    store.write_whole(path, json.dumps({"key": key(depends), **content}, indent=1) + "\n")
    pending.unlink()
    return _hash(path.read_bytes())


def read_results(path: Path, chapter: str, profile: str) -> dict:
    """The content of the results file of a chapter; raises ValueError naming the file if it is not that."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"), **dict.fromkeys(NUMBERS, _finite))
        if lacking := {"values", "provenance"} - content.keys():
            raise ValueError(f"it lacks {min(lacking)}")
        if (content["chapter"], content["profile"]) != (chapter, profile):
            raise ValueError(f"it is of {content['chapter']}, profile {content['profile']}")
        _check_form(**{name: content.get(name, {}) for name in ("values", "tables", "provenance")})
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        from lib.checks import first_line  # here, since it loads torch

        raise ValueError(f"{path} is no results file ({first_line(error)}): delete it and rerun its chapter") from None
    return content


def _finite(written):
    """A number as JSON writes it, not Infinity or NaN, and not so long that it could not be computed with."""
    number = int(written) if written.lstrip("-").isdigit() and len(written) < 20 else float(written)
    if not math.isfinite(number):
        raise ValueError(f"it holds {written[:20]}")
    return number


def _check_form(values, tables, provenance):
    """That values are numbers and spreads, tables lists of rows of numbers and words."""
    spreads = [value for value in values.values() if isinstance(value, dict)]
    rows = [row for table in tables.values() for row in table]
    single = [value for value in values.values() if not isinstance(value, dict)]
    single += [x for spread in spreads for x in (spread["mean"], spread["standard_error"] or 0, spread["count"])]
    cells = [x for row in rows for x in row.values()]
    if not all(isinstance(x, int | float) for x in single) or not all(isinstance(x, int | float | str) for x in cells):
        raise ValueError("a value is no number, or a cell neither number nor word")
    if not isinstance(provenance, dict) or not all(isinstance(table, list) for table in tables.values()):
        raise ValueError("a table is no list, or the provenance no table")


def recorded_results(profile: str) -> dict[str, dict]:
    """Results by chapter that were recorded with the book, in book/results/<profile>/; refuses as `run_folder`."""
    folder = of_book(f"book/results/{_plain(profile)}")
    return {path.stem: read_results(path, path.stem, profile) for path in sorted(folder.glob("[0-9]*.json"))}


def own_results(label: str) -> dict[str, dict]:
    """Results by chapter of this machine's runs in build/<label>/. Raises ValueError for one that cannot be used.

    A chapter that judges the others is left out instead: it is about to run when it asks for their results.
    """
    names = [name for name in chapter_names() if output_path(name, label).with_suffix(".json").exists()]
    names = [name for name in names if not (reads_ledger(name) and out_of_date(name, label))]
    for name in names:
        checked_run(name, label)
    return {name: read_results(output_path(name, label).with_suffix(".json"), name, label) for name in names}


def results_of(profile: str) -> dict[str, dict]:
    """Results by chapter: those of this machine's runs with a profile, else the recorded ones."""
    return recorded_results(profile) | own_results(profile)


def _hash(content):
    return sha256(content).hexdigest()[:16]
