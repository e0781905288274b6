"""Killed runs are finished by the same command, and what a disk refuses ends a command in one line, see `faults`."""

import ctypes
import os
import resource
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from book.press import __main__ as press
from book.press import assemble
from lib import store
from tests import faults

NOT_HERE, SPOILT = 77, 78  # exit statuses: this machine cannot try that; earlier results are no longer what they were
NEW_MOUNTS = 0x00020000  # of unshare(2): what is mounted here is seen by this process alone


def mounted(*arguments):
    """Mount in a process of its own; a machine that lets nobody do that cannot try a disk."""
    if ctypes.CDLL(None).unshare(NEW_MOUNTS):
        os._exit(NOT_HERE)
    for command in (["--make-rprivate", "/"], *arguments):
        if subprocess.run(["mount", *command], capture_output=True).returncode:
            os._exit(NOT_HERE)


def full(folder):
    """The folder on a disk of its own with no byte left."""
    size = sum(path.stat().st_size + 4096 for path in folder.rglob("*"))
    copy = shutil.copytree(folder, folder.with_name("copy"))
    mounted(["-t", "tmpfs", "-o", f"size={2 * size}", "tmpfs", str(folder)])
    shutil.copytree(copy, folder, dirs_exist_ok=True)
    with open(folder / "filler", "wb", buffering=0) as filler:
        try:
            while filler.write(bytes(4096)):
                pass
        except OSError:
            pass


def read_only(folder):
    mounted(["--bind", str(folder), str(folder)], ["-o", "remount,ro,bind", str(folder)])


def limited(folder):
    """No file may grow, as where a share of a disk is used up."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))


DISKS = {"full": full, "read-only": read_only, "limited": limited}


def command(*arguments):
    return lambda folder: press.main([*arguments])


def build(folder):
    """The book, without the pages whose words come from all of its own chapters."""
    for name in ("landing_verdicts", "run_times", "recorded_times", "live_table", "speeds", "growth"):
        setattr(assemble.pages, name, lambda *_: "")
    assemble.reference = assemble.mutation = lambda: ""
    return press.main(["build"])


WORKS = {
    "run": command("run", "--label", "quick", "-p", "device", "auto"),
    "build": build,
    "page": command("page", "01_first", "--label", "quick"),
    "record": command("record"),
    "classroom": command("classroom"),
    "slides": command("slides", "01_first"),
    "train": faults.train_models,
    "extract": lambda folder: faults.extract_images(folder / "activations"),
    "simulate": lambda folder: faults.simulate(folder / "nsd"),
}


@pytest.fixture(scope="module")
def executed(tmp_path_factory):
    """A project whose chapter has run and has a page, as far as its slides need one."""
    folder = tmp_path_factory.mktemp("faults") / "project"
    faults.make_project(folder)
    told = folder.parent / "told.txt"
    assert faults.ended(faults.started(faults.press("run"), folder, told)) == 0, told.read_text()
    for page in ("chapters/01_first", "classroom"):
        store.write_whole(folder / f"_build/html/book/{page}.html", PAGE)
    return folder


PAGE = '<article class="bd-article"><section><h1>First</h1><p>What is asked?</p></section></article>'


def on(disk, work, folder):
    """The exit status of some work in a folder on a bad disk, and what it said."""
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        status = 1
        for stream in (1, 2):
            os.dup2(writing, stream)
        sys.stdout, sys.stderr = os.fdopen(1, "w", buffering=1), os.fdopen(2, "w", buffering=1)
        store.ROOT = folder
        os.chdir(folder.parent)
        os.environ["PYTHONPATH"] = str(folder)
        before = faults.hashes(folder / "build/quick")
        try:
            disk(folder)
            status = work(folder)
        except (ValueError, OSError) as error:
            print(f"error: {store.disk_error(error) if isinstance(error, OSError) else error}")
        except BaseException as error:
            print(f"Traceback of {error!r}")
        os._exit(status if before.items() <= faults.hashes(folder / "build/quick").items() else SPOILT)
    os.close(writing)
    with open(reading) as told:
        return told.read(), faults.ended(pid)


@pytest.mark.parametrize("work", WORKS)
@pytest.mark.parametrize("disk", DISKS)
def test_a_bad_disk_ends_a_command_in_one_line_and_spoils_nothing(disk, work, executed, tmp_path):
    folder = Path(shutil.copytree(executed, tmp_path / "project"))
    told, status = on(DISKS[disk], WORKS[work], folder)
    if status == NOT_HERE:
        pytest.skip("nobody may mount a disk here")
    lines = [line for line in told.splitlines() if line.startswith("error: ") or "FAILED  " in line]
    assert status == 1 and len(lines) == 1 and "Traceback" not in told, told
    assert str(folder) in lines[0] and any(mend in lines[0] for mend in store.DISK.values()), told


def test_a_chapter_whose_notebook_outgrows_the_disk_fails_in_one_line(executed, tmp_path):
    folder = Path(shutil.copytree(executed, tmp_path / "project"))
    chapter = folder / "notebooks/01_first.py"
    chapter.write_text(faults.CHAPTER.split("# %%\nimport torch")[0] + "# %%\nprint('x' * 200_000)\n")
    told, status = on(lambda _: resource.setrlimit(resource.RLIMIT_FSIZE, (100_000,) * 2), command("run"), folder)
    assert status == 1 and "FAILED  " in told and ".01_first.part.ipynb" in told and store.LARGE in told, told


# --- kills


@pytest.mark.parametrize("scenario, count", [("training", 6), ("extraction", 6), ("simulation", 6), ("chapter", 1)])
def test_a_killed_run_is_finished_by_the_same_command_with_the_same_files(scenario, count):
    environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(store.CODE)}
    arguments = [sys.executable, "-m", "tests.faults", "--scenario", scenario, "--count", str(count)]
    done = subprocess.run(arguments, cwd=store.CODE, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.splitlines()[1].split()[2:] == [str(count), "0", "0", "0", "0", "0"]


def halves(folder):
    """Writes a file in two steps, and takes what it finds for the whole."""
    if not (folder / "file").exists():
        for half in ("one, ", "two"):
            with open(folder / "file", "a") as file:
                file.write(half)
            time.sleep(0.3)


def refuses(folder):
    if any(folder.iterdir()):
        raise ValueError("the folder holds files: delete them")
    halves(folder)


def fails(folder):
    if any(folder.iterdir()):
        raise KeyError("file")
    halves(folder)


def leaves_a_process(folder):
    subprocess.Popen(["sleep", "20"], start_new_session=True)
    time.sleep(0.6)


def leaves_a_lock(folder):
    with open(folder / "a.lock", "w") as file:
        faults.fcntl.flock(file, faults.fcntl.LOCK_EX)
        subprocess.Popen(["sleep", "2"], start_new_session=True, env={}, pass_fds=[file.fileno()])
        time.sleep(0.6)


def sound(folder):
    time.sleep(0.3)
    store.write_whole(folder / "file", "one, two")
    time.sleep(0.3)


WORKS_BADLY = {
    "wrong": halves,
    "refused": refuses,
    "traceback": fails,
    "orphan": leaves_a_process,
    "lock": leaves_a_lock,
    "equal": sound,
}


@pytest.mark.parametrize("outcome", WORKS_BADLY)
def test_each_outcome_is_found(outcome, tmp_path, monkeypatch):
    monkeypatch.setattr(faults, "GRACE", 0.5)
    scenario = faults.Scenario(WORKS_BADLY[outcome])
    (tmp_path / "start").mkdir()
    wanted = {"file": faults.hashlib.sha256(b"one, two").hexdigest()}
    moment = faults.Moment(0.2, signal.SIGKILL, SimpleNamespace(choice=min))  # the first process of the run
    assert faults.trial(scenario, tmp_path, moment, wanted) == outcome
