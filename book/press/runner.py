"""List and run chapters: the one runner behind make, continuous integration and the command line.

A chapter runs into a temporary file and is renamed when it succeeded; one that failed stays beside it as
`NAME.failed.ipynb`. Its results are pending until then and take their name together with the notebook. A chapter of
which nothing has changed that decides its output (`lib.chapter.results.chapter_dependencies`) is not run again.
"""

import hashlib
import json
import os
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from pathlib import Path

import jupytext
import nbformat

from book.press.progress import BARS, SHOW_BARS, Progress, without_bars
from lib import store
from lib.chapter import results
from lib.chapter.parameters import (
    chapter_names,
    checked,
    declared,
    from_words,
    notebook_path,
    profile_values,
    reads_ledger,
)
from lib.chapter.results import chapter_dependencies, out_of_date, output_path
from lib.closure import closure_of
from lib.store import DISK, differing, disk_error, key, locked, write_whole

CELL_OUTPUT_LIMIT = 2_000_000  # characters; beyond it a page is too heavy for a phone
KERNEL_STARTS = 3
OTHER = "wait for it, or give --label another name"  # what to do if a folder is taken
EXERCISES = "exercises"  # the setting of a run that leaves them out, which no chapter has as a parameter
TRAININGS = "trainings-only"  # and of one that ends with the cell tagged `trained`


class ChapterError(Exception):
    """A chapter that failed, told in one line."""


def run(
    names: list[str],
    profile: str,
    label: str | None,
    jobs: int,
    given: list[list[str]],
    exercises: bool = True,
    trainings: bool = False,
) -> int:
    """Run chapters that are out of date, all if none is named, `jobs` at a time; the exit status is 1 if one failed.

    Prints one line a chapter, and on stderr what is being done, see `Progress`. `given` are parameters as words on top
    of the profile's, `label` the folder of build/ that takes the outputs: if not given, the profile's name, or `custom`
    with parameters of one's own. Without `exercises` their section is left out, see `without_exercises`; with
    `trainings` nothing is run but what trains, see `until_trained`. Raises ValueError on a bad name, profile, label or
    parameter before anything runs.
    """
    words, left_out = dict(given), ({} if exercises else {EXERCISES: False}) | ({TRAININGS: True} if trainings else {})
    if "profile" in words:
        raise ValueError("profile is set by --profile and --label, not by -p")
    label, names = label or ("custom" if words else profile), list(dict.fromkeys(names or chapter_names()))
    values = {name: {**profile_values(name, profile), **from_words(name, words), "profile": label} for name in names}
    settings = {name: checked(name, values[name]) | left_out for name in names}
    os.environ |= _surroundings(jobs)
    judges = {name for name in names if reads_ledger(name)}  # read the results of all others, so they run last
    waves = [name for name in names if name not in judges], [name for name in names if name in judges]
    with alone(results.run_folder(label), OTHER), Progress(len(names)) as progress, ThreadPoolExecutor(jobs) as pool:
        try:
            good = [good for wave in waves for good in _run_wave(wave, settings, label, pool, progress)]
            return 0 if all(good) else 1
        except KeyboardInterrupt:
            # Leaving the pool would wait for the running chapters; their kernels end with this process.
            progress.bar.close()
            print("interrupted: finished chapters are kept, the same command goes on", file=sys.stderr)
            os._exit(130)


def _surroundings(jobs):
    """What kernels find in their environment; of threads, as many as were asked for, or all shared out."""
    threads = os.environ.get("OMP_NUM_THREADS") or str(max(1, (os.cpu_count() or 1) // jobs))
    path = os.pathsep.join(filter(None, (str(store.ROOT), os.environ.get("PYTHONPATH"))))  # the caller's modules too
    return {"OMP_NUM_THREADS": threads, "PYTHONUTF8": "1", "PYTHONPATH": path, results.BY_RUNNER: "1"} | BARS


def _run_wave(names, settings, label, pool, progress):
    runs = {pool.submit(run_chapter, name, settings[name], label, progress): name for name in names}
    for done in as_completed(runs):
        yield _reported(runs[done], done, progress)


def _reported(name, done, progress):
    try:
        line, good = done.result(), True
    except (ChapterError, ValueError) as error:
        line, good = f"FAILED  {error}", False
    except OSError as error:
        line, good = f"FAILED  {disk_error(error)}", False
    except Exception as error:  # the runner's own: the other chapters still get their line
        line, good = f"FAILED  {error!r}", False
    progress.tell(name, line, sys.stdout)
    progress.done += 1
    return good


def run_chapter(name: str, settings: dict, label: str, progress: Progress) -> str:
    """Run one chapter unless its output is up to date; returns what happened. Raises ChapterError if it fails.

    What it depends on is taken before and after, and its files must not have been touched in between: numbers of code
    that was edited meanwhile, even if it was put back, are not kept.
    """
    output, why = output_path(name, label), out_of_date(name, label, settings)
    if not why:
        return "up to date"
    anew = f"  (anew {why})" if output.exists() else ""
    output.parent.mkdir(parents=True, exist_ok=True)
    temporary, pending = output.with_name(f".{name}.part.ipynb"), results.saved_path(name, label)
    pending.unlink(missing_ok=True)
    depends, touched = chapter_dependencies(name, settings, label), _touched(name)
    started = time.perf_counter()
    with progress.chapter(name, settings) as watched:
        failure = _execute(name, settings, temporary, on_cell_start=watched.cell, stderr_file=watched)
    if not temporary.exists():
        raise ChapterError(failure)
    try:
        notebook = _tidy(nbformat.read(temporary, as_version=4))
    except ValueError:
        raise ChapterError(f"{temporary} was cut ({failure}): free some space and run it again") from None
    seconds = round(time.perf_counter() - started, 1)
    failure = failure or _too_long(notebook) or _changed(depends, touched, name, settings, label)
    entry = {"chapter": name, "profile": label, "settings": settings, "seconds": seconds, "depends": depends}
    entry |= {"key": key(depends), "notebook": results.notebook_digest(json.loads(nbformat.writes(notebook)))}
    if not failure:
        try:
            notebook.metadata["run"] = entry | {"results": results.settle(name, label, depends)}
        except ValueError as error:  # results of another chapter, or not finite
            failure = str(error)
    pending.unlink(missing_ok=True)
    kept = output.with_name(f"{name}.failed.ipynb")
    write_whole(kept if failure else output, nbformat.writes(notebook) + "\n")
    temporary.unlink()
    if failure:
        raise ChapterError(f"{failure}; see {kept.relative_to(store.ROOT)}")
    kept.unlink(missing_ok=True)
    return "\n".join([f"{seconds:6.1f} s{anew}", *_told(notebook)])


def run_seconds(name: str, label: str) -> float:
    """How long the last successful run of a chapter took, kernel start included."""
    return results.run_entry(output_path(name, label))["seconds"]


def _touched(name):
    """When the files that a chapter's code is in were last touched, which an edit that was put back shows too."""
    found, _ = closure_of([notebook_path(name)], store.ROOT)
    return {path: (path.stat().st_ctime_ns, path.stat().st_ino) for path in found}


def _changed(depends, touched, name, settings, label):
    """Why the numbers of a run that just ended cannot be kept, or None."""
    changed = differing(depends, chapter_dependencies(name, settings, label))
    now = _touched(name)
    changed += [str(path.relative_to(store.ROOT)) for path in touched if now.get(path) != touched[path]]
    return f"{changed[0]} was changed while the chapter ran: run it again" if changed else None


def _told(notebook):
    """Lines on stderr that say which stored models were trained anew, and why."""
    outputs = (output for cell in notebook.cells for output in cell.get("outputs", []))
    text = "".join(output.text for output in outputs if output.get("name") == "stderr")
    return [f"{'':28} {line}" for line in text.splitlines() if "trained anew" in line or "is not used" in line]


def _execute(name, settings, temporary, **hooks):
    """Run into `temporary` with hooks of papermill's; returns None, or the chapter's failure in one line."""
    import papermill
    from papermill.exceptions import PapermillExecutionError

    source = temporary.with_name(f".{name}.source.ipynb")
    written = jupytext.read(notebook_path(name))
    notebook = written if settings.get(EXERCISES, True) else without_exercises(written)
    notebook = without_needless(notebook, settings)
    notebook = until_trained(notebook, name) if settings.get(TRAININGS) else notebook
    write_whole(source, jupytext.writes(notebook, "ipynb"))
    settings = {key: value for key, value in settings.items() if key not in (EXERCISES, TRAININGS)}
    options = dict(parameters=settings, kernel_name="python3", cwd=str(store.ROOT), progress_bar=False)
    options |= hooks
    # Of the kernel, whose start-up warnings are not the chapter's.
    options["extra_arguments"] = ["--log-level=CRITICAL", f"--IPKernelApp.exec_lines={SHOW_BARS}"]
    try:
        for attempt in range(KERNEL_STARTS):
            temporary.unlink(missing_ok=True)
            try:
                papermill.execute_notebook(source, temporary, **options)
                return None
            except PapermillExecutionError as error:
                message = str(error.evalue).strip() or "no message"
                number = _number_in_text(written, notebook, error.cell_index)
                return f"cell {number}: {error.ename}: {message.splitlines()[0]}"
            except Exception as error:  # ports race when several kernels start at once: the computation never began
                if isinstance(error, OSError) and error.errno in DISK:
                    raise OSError(error.errno, error.strerror, error.filename or str(temporary)) from None
                begun = _begun(temporary)
                if begun or attempt == KERNEL_STARTS - 1:
                    reason = (str(error) or repr(error)).splitlines()[0]
                    return f"the kernel {'died' if begun else 'did not start'}: {reason}"
    finally:
        source.unlink(missing_ok=True)


def without_exercises(notebook: nbformat.NotebookNode) -> nbformat.NotebookNode:
    """A copy without the text of the section `## Exercises`, the code of solutions and the cells that check answers."""
    copy, inside, solution = nbformat.from_dict(notebook), False, False
    copy.cells = []
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            kept = []
            for line in cell.source.splitlines():
                inside = line == "## Exercises" if line.startswith("## ") else inside
                solution = "{solution-start}" in line or (solution and "{solution-end}" not in line)
                kept += [] if inside else [line]
            cell = nbformat.v4.new_markdown_cell("\n".join(kept).strip(), metadata=cell.metadata)
        left_out = cell.cell_type == "code" and (solution or "remove-cell" in cell.metadata.get("tags", []))
        copy.cells += [cell] if cell.source and not left_out else []
    return copy


def without_needless(notebook: nbformat.NotebookNode, settings: dict) -> nbformat.NotebookNode:
    """A copy without cells tagged `unless-NAME` for a parameter that is set, as what it gives is not computed then."""
    copy = nbformat.from_dict(notebook)
    given = {f"unless-{name}" for name, value in settings.items() if value}
    copy.cells = [cell for cell in copy.cells if not given & {*cell.metadata.get("tags", [])}]
    return copy


def until_trained(notebook: nbformat.NotebookNode, name: str) -> nbformat.NotebookNode:
    """A copy that ends with the cell tagged `trained`: it fills the store with models that the whole chapter finds."""
    copy = nbformat.from_dict(notebook)
    last = [i for i, cell in enumerate(copy.cells) if "trained" in cell.metadata.get("tags", [])]
    if not last:
        raise ChapterError(f"{name} has no cell tagged `trained`: run the whole chapter")
    copy.cells = copy.cells[: last[-1] + 1]
    return copy


def _number_in_text(written, notebook, index):
    """The number of a cell in the text notebook, from its index after papermill inserted the given parameters."""
    declared_at = next(i for i, cell in enumerate(notebook.cells) if "parameters" in cell.metadata.get("tags", []))
    source = notebook.cells[index if index <= declared_at else index - 1].source
    return 1 + [cell.source for cell in written.cells].index(source)


def _begun(temporary):
    """Whether any cell was executed."""
    if not temporary.exists():
        return False
    try:
        return any(cell.get("execution_count") for cell in nbformat.read(temporary, as_version=4).cells)
    except ValueError:  # it was cut, so something was written
        return True


def _tidy(notebook):
    """Cell ids from their source and no timestamps, addresses or bars: two runs differ only where results do."""
    seen = {}
    notebook.metadata.pop("papermill", None)
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs = without_bars(cell.outputs)
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


@contextmanager
def alone(folder: Path, mend: str) -> Iterator[None]:
    """Hold a folder of outputs: two that write there would overwrite each other's files. Raises ValueError if taken."""
    try:
        with locked(folder / ".lock", wait=False):
            yield
    except BlockingIOError:
        raise ValueError(f"another run is using {folder.relative_to(store.ROOT)}: {mend}") from None


def list_chapters() -> None:
    """Print chapters and their parameters."""
    for name in chapter_names():
        print(name, *(f"    {parameter}" for parameter in declared(name).values()), sep="\n")


def write_notebook(name: str) -> None:
    """Write a chapter as notebooks/NAME.ipynb, for the raw tools."""
    path = store.ROOT / "notebooks" / f"{name}.ipynb"
    jupytext.write(jupytext.read(notebook_path(name)), path)
    print(path.relative_to(store.ROOT))
