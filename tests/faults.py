"""Runs that are killed at random moments, and what comes of the same command given again.

    python -m tests.faults --count 200 [--scenario NAME] [--seed S]

A trial starts a run, sends a signal to it or to a process that it started, waits until it ended, looks for processes
and locks that it left, and starts it again. All but `equal` is a failure, and so is the exit status then:

    equal       the second run ended with the files of an undisturbed one
    refused     the second run was told no, in one line
    traceback   the second run ended in any other way
    wrong       the second run ended well with other files
    orphan      a process outlived the run by more than some seconds
    lock        nothing ran any more and a lock was held
"""

import argparse
import fcntl
import hashlib
import json
import os
import random
import re
import shutil
import signal
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pandas  # noqa: F401  these two here, so that a run spends no time on them
import scipy.io  # noqa: F401
import torch
from torch import nn
from torch.utils.data import TensorDataset

from book.press.evidence import keep
from lib import store, training
from lib.data.activations import Network
from lib.data.extraction import extract
from lib.data.nsd_simulation import simulate_nsd
from lib.features import seeded
from lib.sae import Recipe, TopKSAE

OUTCOMES = ("equal", "refused", "traceback", "wrong", "orphan", "lock")
SIGNALS = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT)
GRACE = 8  # seconds a process may outlive its run: what loads images for torch looks every 5 whether that lives
CODE = store.CODE


class Scenario(NamedTuple):
    """A run that leaves files in a folder, what is there before, and what of the files two runs have in common."""

    work: Callable[[Path], None]
    prepare: Callable[[Path], None] = lambda folder: folder.mkdir()
    digest: Callable[[Path], object] = lambda folder: hashes(folder)
    kernels: bool = False  # signals go to a child of the run, once it has one


class Moment(NamedTuple):
    """When the signal is sent, in seconds, which, and what chooses among the processes."""

    after: float
    signal: signal.Signals
    chosen: random.Random


def hashes(folder: Path, pattern: str = "**/*") -> dict[str, str]:
    """The content of files that anyone would read, by name; of a .mat without its first 128 bytes, a date."""
    files = [path for path in sorted(folder.glob(pattern)) if path.is_file() and not path.name.startswith(".")]
    content = {path: path.read_bytes()[128 * (path.suffix == ".mat") :] for path in files}
    return {str(path.relative_to(folder)): hashlib.sha256(content[path]).hexdigest() for path in files}


def random_numbers(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, generator=seeded(0))


# --- what is run


def train_models(folder: Path) -> None:
    """Some SAEs, with a checkpoint at almost every step."""
    store.ROOT, training.SECONDS_BETWEEN_CHECKPOINTS = folder, 0.002
    draw = training.random_batches(random_numbers(2, 500, 16).unbind()[0], size=64)
    sae = TopKSAE([16, 16], Recipe(latents=64, k=4), [0, 1])
    training.train(sae, lambda generator: torch.stack(draw(generator) * 2), 150, "faults", lr=0.01)


def trained(folder: Path) -> dict:
    """What the stored models hold: the bytes of their files differ with the name they were first written under."""
    states = {path.name: torch.load(path, weights_only=True) for path in folder.rglob("faults-*.pt")}
    return {name: store.key(store.dependencies(state=state)) for name, state in states.items()}


def extract_images(folder: Path) -> None:
    """Activations of a random network, prepared by another process."""
    torch.manual_seed(0)
    module = nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU(), nn.Conv2d(8, 8, 3)).eval().requires_grad_(False)
    sites = {"early": ("0", "flat"), "late": ("2", "pool")}
    images = TensorDataset(random_numbers(240, 3, 24, 24))
    extract(Network("random", module, None), images, sites, folder, batch=2, workers=1)


def simulate(folder: Path) -> None:
    """Three sessions of one subject."""
    images = torch.randint(0, 256, (750, 4, 4, 3), generator=seeded(0), dtype=torch.uint8)
    simulate_nsd(folder, 1, images, {"ventral": (random_numbers(750, 600), torch.ones(600))}, 3)


CHAPTER = """# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# (ch-first)=
# # First
#
# What is asked?

# %% tags=["parameters"]
profile: str = "quick"  # name of the settings and folder of the results
device: str = "cpu"  # auto, cpu or cuda

# %%
import torch
from lib import training
from lib.chapter.run import Run
from lib.sae import Recipe, TopKSAE

run = Run("01_first", globals())
training.SECONDS_BETWEEN_CHECKPOINTS = 0.002
draw = training.random_batches(torch.arange(2000.0).view(500, 4).sin(), size=32)
sae = TopKSAE([4], Recipe(latents=16, k=2), [0])
trained = training.train(sae, lambda generator: draw(generator)[0][None], 500, "faults")

# %%
run.record(x=float(trained.history["step"][-1]))
run.save(data="none")
"""


def make_project(folder: Path) -> None:
    """The code with one small chapter."""
    for name in ("lib", "book/press", "book/_ext"):
        shutil.copytree(CODE / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("_config.yml", "book/references.bib"):
        shutil.copyfile(CODE / name, folder / name)
    (folder / "book/claims.yml").write_text("[]")
    (folder / "notebooks/profiles").mkdir(parents=True)
    (folder / "notebooks/01_first.py").write_text(CHAPTER)


def press(*arguments: str) -> Callable[[Path], None]:
    """A command of the book, given in a project."""

    def work(folder):
        os.chdir(folder)
        os.environ["PYTHONPATH"] = str(folder)
        os.execv(sys.executable, [sys.executable, "-m", "book.press", *arguments])

    return work


def run_results(folder: Path) -> list:
    """What a chapter's run leaves, without what differs from run to run."""
    notebook, results = (json.loads((folder / f"build/quick/01_first.{end}").read_text()) for end in ("ipynb", "json"))
    kept = [results[name] for name in ("key", "values", "tables", "parameters")]
    return [notebook["cells"], notebook["metadata"]["run"]["key"], kept, trained(folder)]


def make_page(folder: Path) -> None:
    """A project with the page of its chapter, of which a word was changed since."""
    make_project(folder)
    chapter, log = folder / "notebooks/01_first.py", folder.parent / "prepared.txt"
    for word, *commands in (("asked", press("run"), PAGE), ("asked now", press("run"))):
        chapter.write_text(CHAPTER.replace("asked", word))
        for command in commands:
            assert ended(started(command, folder, log)) == 0, log.read_text()


def page_files(folder: Path) -> dict:
    """The pages; not the digests of style sheets in their links, which Sphinx gives those alone that it finds."""
    files = (folder / "build/quick/page/_build/html").glob("*.html")
    return {path.name: re.sub(r"\.css\?v=\w+", ".css", path.read_text()) for path in files}


PAGE = press("page", "01_first", "--label", "quick")
SCENARIOS = {
    "training": Scenario(train_models, digest=trained),
    "extraction": Scenario(extract_images, digest=lambda folder: hashes(folder, "*.npy*")),
    "simulation": Scenario(simulate),
    "chapter": Scenario(press("run"), make_project, run_results),
    "kernel": Scenario(press("run"), make_project, run_results, kernels=True),
    "page": Scenario(PAGE, make_page, page_files),
}


# --- what is done to it


def started(work: Callable[[Path], None], folder: Path, told: Path) -> int:
    """The id of a process, and of its group, that does the work; what it says goes to a file."""
    if pid := os.fork():
        return pid
    status = 1
    try:
        os.setsid()
        with open(told, "w") as file:
            os.dup2(file.fileno(), 1)
            os.dup2(file.fileno(), 2)
        os.environ["FAULTS_FOLDER"] = str(folder)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        work(folder)
        status = 0
    except (ValueError, OSError) as error:
        os.write(2, f"error: {error}\n".encode())
    except BaseException:
        os.write(2, traceback.format_exc().encode())
    os._exit(status)


def ended(pid: int) -> int:
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def processes(folder: Path, group: int) -> list[int]:
    """Those of the group, and those that carry the folder in their environment; none that is dead already."""
    found = []
    for entry in filter(str.isdecimal, os.listdir("/proc")):
        try:
            state, _, its_group = Path(f"/proc/{entry}/stat").read_text().rpartition(")")[2].split()[:3]
            marked = f"FAULTS_FOLDER={folder}\0".encode() in Path(f"/proc/{entry}/environ").read_bytes()
        except OSError:
            continue
        if state not in "ZX" and (marked or int(its_group) == group):
            found.append(int(entry))
    return found


def held_locks(folder: Path) -> list[Path]:
    held = []
    for path in [*folder.rglob("*.lock")]:
        with open(path) as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                held.append(path)
    return held


def disturb(pid: int, folder: Path, moment: Moment, children: bool) -> None:
    """Send the signal to one of the run's processes at the moment, to a child as soon as there is one after it."""
    time.sleep(moment.after)
    while True:
        found = processes(folder, pid)
        targets = [one for one in found if one != pid] if children else found
        if targets or pid not in found:
            break
        time.sleep(0.02)
    if targets:
        try:
            os.kill(moment.chosen.choice(targets), moment.signal)
        except ProcessLookupError:
            pass  # it ended in between


def left_over(folder: Path, group: int) -> str:
    """What there still is of a run some seconds after it: `orphan`, `lock` or nothing."""
    until = time.monotonic() + GRACE
    while (left := processes(folder, group)) or held_locks(folder):
        if time.monotonic() > until:
            for one in left:
                os.kill(one, signal.SIGKILL)
            return "orphan" if left else "lock"
        time.sleep(0.02)
    return ""


def fresh(base: Path) -> Path:
    """The folder that a run works in, as it was before any."""
    shutil.rmtree(base / "work", ignore_errors=True)
    return Path(shutil.copytree(base / "start", base / "work"))


def undisturbed(scenario: Scenario, base: Path) -> tuple[float, object]:
    """How many seconds a run takes, and what its files are then."""
    scenario.prepare(base / "start")
    began = time.monotonic()
    status = ended(started(scenario.work, folder := fresh(base), told := base / "told.txt"))
    assert status == 0, told.read_text()
    return time.monotonic() - began, scenario.digest(folder)


def trial(scenario: Scenario, base: Path, moment: Moment, wanted: object) -> str:
    """The outcome of one disturbed run, after `undisturbed` with the same `base`."""
    folder, told = fresh(base), base / "told.txt"
    pid = started(scenario.work, folder, told)
    disturb(pid, folder, moment, scenario.kernels)
    ended(pid)
    if left := left_over(folder, pid):
        return left
    if ended(started(scenario.work, folder, told)):
        return "refused" if "Traceback" not in told.read_text() else "traceback"
    return "equal" if scenario.digest(folder) == wanted else "wrong"


def trials(name: str, count: int, seed: int) -> Counter:
    """How often each outcome came about; what is not `equal` is told at once, with what the second run said."""
    scenario, chosen, outcomes = SCENARIOS[name], random.Random(f"{name}{seed}"), Counter()
    with tempfile.TemporaryDirectory() as base:
        seconds, wanted = undisturbed(scenario, Path(base))
        for _ in range(count):
            moment = Moment(chosen.uniform(0, seconds), chosen.choice(SIGNALS), chosen)
            outcomes[outcome := trial(scenario, Path(base), moment, wanted)] += 1
            if outcome != "equal":
                told = Path(base, "told.txt").read_text(errors="replace")
                print(f"{name}: {outcome} after {moment.signal.name} at {moment.after:.2f} s\n{told}", file=sys.stderr)
    print(f"{name:12}{seconds:8.1f}" + "".join(f"{outcomes[outcome]:11}" for outcome in OUTCOMES), flush=True)
    return outcomes


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=200, help="trials in all")
    parser.add_argument("--scenario", choices=SCENARIOS, action="append", help="only these; may be given again")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--keep", action="store_true", help="keep the counts with the book")
    given = parser.parse_args()
    torch.set_num_threads(1)
    names = given.scenario or [*SCENARIOS]
    shares = [given.count // len(names) + (i < given.count % len(names)) for i in range(len(names))]
    print(f"{'scenario':12}{'seconds':>8}" + "".join(f"{outcome:>11}" for outcome in OUTCOMES))
    found = {name: trials(name, share, given.seed) for name, share in zip(names, shares, strict=True)}
    if given.keep:
        keep(
            "kills",
            [{"run": name, "killed": n.total(), **{one: n[one] for one in OUTCOMES}} for name, n in found.items()],
            ["run"],
        )
    return int(any(counts.total() > counts["equal"] for counts in found.values()))


if __name__ == "__main__":
    sys.exit(main())
