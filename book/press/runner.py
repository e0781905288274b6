"""List and run chapters: the one runner behind make, continuous integration and the command line.

    python -m book.press.runner list
    python -m book.press.runner run [NAME ...] [--profile quick] [--jobs 2] [-p NAME VALUE]
    python -m book.press.runner notebook NAME     write notebooks/NAME.ipynb for the raw tools

A chapter runs into a temporary file and is renamed when it succeeded; one that failed stays beside it as
`NAME.failed.ipynb`. A chapter whose notebook, settings and lib are unchanged is not run again.
"""

import argparse
import fcntl
import hashlib
import json
import os
import re
import sys
import time
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from pathlib import Path

import jupytext
import nbformat
import yaml
from tqdm import tqdm

from lib import store
from lib.chapter.parameters import chapter_names, checked, declared, notebook_path, profile_values
from lib.store import write_whole

LEDGER = "14_claims"  # reads the results of all other chapters, so it runs last
CELL_OUTPUT_LIMIT = 2_000_000  # characters; beyond it a page is too heavy for a phone
KERNEL_STARTS = 3


class ChapterError(Exception):
    """A chapter that failed, told in one line."""


def run_chapters(names: list[str], profile: str, given: dict, jobs: int, label: str | None = None) -> bool:
    """Run chapters that are out of date, `jobs` at a time; True if all succeeded. Prints one line a chapter.

    `given` are parameter values on top of the profile's, `label` the folder of build/ that takes the outputs: if not
    given, the profile's name, or `custom` with parameters of one's own. Raises ValueError on a bad name, profile or
    parameter before anything runs.
    """
    if "profile" in given:
        raise ValueError("profile is set by --profile and --label, not by -p")
    label, names = label or ("custom" if given else profile), list(dict.fromkeys(names))
    settings = {name: checked(name, {**profile_values(name, profile), **given, "profile": label}) for name in names}
    threads = max(1, (os.cpu_count() or 1) // jobs)
    os.environ |= {"OMP_NUM_THREADS": str(threads), "TQDM_DISABLE": "1", "PYTHONPATH": str(store.ROOT)}
    waves = [name for name in names if name != LEDGER], [name for name in names if name == LEDGER]
    with _alone(label), tqdm(total=len(names), unit="chapter", disable=None) as bar, ThreadPoolExecutor(jobs) as pool:
        try:
            return all([good for wave in waves for good in _run_wave(wave, settings, label, pool, bar)])
        except KeyboardInterrupt:
            # Leaving the pool would wait for the running chapters; their kernels end with this process.
            print("interrupted: finished chapters are kept, the same command goes on", file=sys.stderr)
            os._exit(130)


def _run_wave(names, settings, label, pool, bar):
    runs = {pool.submit(run_chapter, name, settings[name], label): name for name in names}
    for done in as_completed(runs):
        yield _reported(runs[done], done, bar)


def _reported(name, done, bar):
    try:
        line, good = done.result(), True
    except ChapterError as error:
        line, good = f"FAILED  {error}", False
    except Exception as error:  # the runner's own: the other chapters still get their line
        line, good = f"FAILED  {error!r}", False
    tqdm.write(f"{name:28} {line}")
    bar.update()
    return good


def run_chapter(name: str, settings: dict, label: str) -> str:
    """Run one chapter unless its output is up to date; returns what happened. Raises ChapterError if it fails."""
    output = output_path(name, label)
    digest = fingerprint(name, settings, label)
    if output.exists() and _read_run(output) | {"seconds": None} == _run_entry(name, digest, label, None):
        return "up to date"
    output.parent.mkdir(parents=True, exist_ok=True)
    temporary = output.with_name(f".{name}.part.ipynb")
    started = time.perf_counter()
    failure = _execute(name, settings, temporary)
    if not temporary.exists():
        raise ChapterError(failure)
    notebook = _tidy(nbformat.read(temporary, as_version=4))
    seconds = round(time.perf_counter() - started, 1)
    notebook.metadata["run"] = _run_entry(name, digest, label, seconds)
    failure = failure or _too_long(notebook)
    kept = output.with_name(f"{name}.failed.ipynb")
    write_whole(kept if failure else output, nbformat.writes(notebook) + "\n")
    temporary.unlink()
    if failure:
        raise ChapterError(f"{failure}; see {kept.relative_to(store.ROOT)}")
    kept.unlink(missing_ok=True)
    return f"{seconds:6.1f} s"


def _run_entry(name, digest, label, seconds):
    """What a finished notebook says of its run; the results' hash tells if they were deleted or overwritten since."""
    results = output_path(name, label).with_suffix(".json")
    written = hashlib.sha256(results.read_bytes()).hexdigest()[:16] if results.exists() else None
    return {"fingerprint": digest, "results": written, "seconds": seconds, "profile": label}


def output_path(name: str, label: str) -> Path:
    """Where the executed notebook of a chapter lies."""
    return store.ROOT / "build" / label / f"{name}.ipynb"


def run_seconds(name: str, label: str) -> float:
    """How long the last successful run of a chapter took, kernel start included."""
    return _read_run(output_path(name, label))["seconds"]


def _read_run(path):
    return json.loads(path.read_text(encoding="utf-8"))["metadata"].get("run", {})


def fingerprint(name: str, settings: dict, label: str) -> str:
    """Hash of all that decides a chapter's output: its text, its settings, lib, and the results that it shows.

    Files that the settings name, as `a.npy`, `a.npz:key` or `file:a.pth@...`, count with their size and time, as do all
    below a folder that is a setting or stands behind `folder:`.
    """
    parts = [notebook_path(name), *sorted((store.ROOT / "lib").glob("*.py")), store.ROOT / "constraints.txt"]
    recorded = (store.ROOT / "book" / "results").glob("*/*.json")
    parts += sorted(path for path in recorded if name in (LEDGER, path.stem))
    if name == LEDGER:
        parts.append(store.ROOT / "book" / "claims.yml")
        parts += sorted(path for path in output_path(name, label).parent.glob("[0-9]*.json") if path.stem != LEDGER)
    texts = [value for value in settings.values() if isinstance(value, str)]
    words = [word for text in texts for word in (text, *re.split("[:@]", text))]
    files = [Path(word).expanduser() for word in words if os.path.isfile(os.path.expanduser(word))]
    places = [text for text in texts if "/" in text] + [text.split("folder:")[1] for text in texts if "folder:" in text]
    folders = [Path(place).expanduser() for place in places]
    files += sorted(file for folder in folders if folder.is_dir() for file in folder.rglob("*") if file.is_file())
    states = [(str(file), file.stat().st_size, file.stat().st_mtime_ns) for file in files]
    digest = hashlib.sha256(json.dumps([settings, states], sort_keys=True).encode())
    for part in parts:
        digest.update(part.read_bytes())
    return digest.hexdigest()[:16]


def _execute(name, settings, temporary):
    """Run into `temporary`; returns None, or the chapter's failure in one line."""
    import papermill
    from papermill.exceptions import PapermillExecutionError

    source = temporary.with_name(f".{name}.source.ipynb")
    notebook = jupytext.read(notebook_path(name))
    jupytext.write(notebook, source)
    options = dict(parameters=settings, kernel_name="python3", cwd=str(store.ROOT), progress_bar=False)
    options["extra_arguments"] = ["--log-level=CRITICAL"]  # of the kernel: its start-up warnings are not the chapter's
    try:
        for attempt in range(KERNEL_STARTS):
            temporary.unlink(missing_ok=True)
            try:
                papermill.execute_notebook(source, temporary, **options)
                return None
            except PapermillExecutionError as error:
                message = str(error.evalue).strip() or "no message"
                number = _number_in_text(notebook, error.cell_index)
                return f"cell {number}: {error.ename}: {message.splitlines()[0]}"
            except Exception as error:  # ports race when several kernels start at once: the computation never began
                begun = _begun(temporary)
                if begun or attempt == KERNEL_STARTS - 1:
                    reason = (str(error) or repr(error)).splitlines()[0]
                    return f"the kernel {'died' if begun else 'did not start'}: {reason}"
    finally:
        source.unlink(missing_ok=True)


def _number_in_text(notebook, index):
    """The number of a cell in the text notebook, from its index after papermill inserted the given parameters."""
    declared_at = next(i for i, cell in enumerate(notebook.cells) if "parameters" in cell.metadata.get("tags", []))
    return index + 1 if index <= declared_at else index


def _begun(temporary):
    """Whether any cell was executed."""
    if not temporary.exists():
        return False
    return any(cell.get("execution_count") for cell in nbformat.read(temporary, as_version=4).cells)


def _tidy(notebook):
    """Cell ids from their source and no timestamps or paths: two runs differ only where results do."""
    seen = {}
    notebook.metadata.pop("papermill", None)
    for cell in notebook.cells:
        for dated in ("papermill", "execution"):
            cell.metadata.pop(dated, None)
        seen[cell.source] = seen.get(cell.source, 0) + 1
        cell.id = hashlib.sha256(f"{cell.source}{seen[cell.source]}".encode()).hexdigest()[:12]
    return notebook


def _too_long(notebook):
    written = [cell for cell in notebook.cells if "injected-parameters" not in cell.metadata.get("tags", [])]
    for number, cell in enumerate(written, 1):
        size = len(json.dumps(cell.get("outputs", [])))
        if size > CELL_OUTPUT_LIMIT:
            return f"cell {number}: output of {size:,} characters, {CELL_OUTPUT_LIMIT:,} allowed: show less"
    return None


def _literal(name, value):
    try:
        return yaml.safe_load(value)
    except yaml.YAMLError:
        raise ValueError(f"-p {name} {value!r} is no value: write a number, a word or a list such as [2, 8]") from None


@contextmanager
def _alone(label):
    """Hold build/<label> for this run: two runs would overwrite each other's temporary files."""
    folder = store.ROOT / "build" / label
    folder.mkdir(parents=True, exist_ok=True)
    with open(folder / ".lock", "w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise ValueError(f"another run is using build/{label}: wait for it, or give --label another name") from None
        yield


def _parser():
    parser = argparse.ArgumentParser(
        prog="python -m book.press.runner", description="List and run the book's chapters."
    )
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("list", help="list chapters and their parameters")
    run = commands.add_parser("run", help="run chapters that are out of date")
    run.add_argument("names", nargs="*", metavar="NAME", help="chapters, all if none is named")
    run.add_argument("--profile", default="quick", help="folder of notebooks/profiles, default quick")
    run.add_argument("--label", help="folder of build/ for the outputs, default the profile's name")
    run.add_argument(
        "--jobs", type=int, choices=range(1, 65), default=2, metavar="N", help="chapters at a time, default 2"
    )
    run.add_argument("-p", nargs=2, action="append", default=[], metavar=("NAME", "VALUE"), help="set a parameter")
    notebook = commands.add_parser("notebook", help="write a chapter as .ipynb for the raw tools")
    notebook.add_argument("name", metavar="NAME")
    return parser


def main(arguments: list[str] | None = None) -> int:
    """The command line; returns its exit status."""
    given = _parser().parse_args(arguments)
    if given.command == "list":
        for name in chapter_names():
            print(name, *(f"    {parameter}" for parameter in declared(name).values()), sep="\n")
        return 0
    if given.command == "notebook":
        path = (store.ROOT / "notebooks") / f"{given.name}.ipynb"
        jupytext.write(jupytext.read(notebook_path(given.name)), path)
        print(path.relative_to(store.ROOT))
        return 0
    values = {name: _literal(name, value) for name, value in given.p}
    return 0 if run_chapters(given.names or chapter_names(), given.profile, values, given.jobs, given.label) else 1


if __name__ == "__main__":
    try:
        sys.exit(main())
    except ValueError as error:
        sys.exit(f"error: {error}")
