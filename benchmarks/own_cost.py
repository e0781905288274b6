"""What the report on two networks of one's own costs: time and memory for two arrays, page included.

    python -m benchmarks.own_cost [--stimuli 10000] [--units 768] [--features 1536] [-p sae_steps 100] ... [--keep]

The arrays are random mixtures of common sparse features, written block by block, so they may be larger than memory.
Runs what `make own` runs, on all cores, with the chapter's parameters as there. Memory is what processes hold of their
own at a time: pages of files that the system can drop are not counted. `--keep` keeps the row with the book.
"""

import argparse
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Event, Thread
from time import perf_counter

import numpy as np

from book.press.evidence import keep
from lib.features import bernoulli_uniform, seeded
from lib.projections import gaussian

CHAPTER = "13_your_networks"
BLOCK = 20_000  # stimuli that are drawn at a time


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--stimuli", type=int, default=10000)
    parser.add_argument("--units", type=int, default=768)
    parser.add_argument("--features", type=int, help="twice the units unless given")
    parser.add_argument("--folder", help="where the arrays are written")
    parser.add_argument("-p", nargs=2, action="append", default=[], metavar=("NAME", "VALUE"), dest="parameters")
    parser.add_argument("--keep", action="store_true", help="keep what it took with the book")
    size = parser.parse_args()
    with TemporaryDirectory(dir=size.folder) as folder:
        files = [Path(folder) / f"{name}.npy" for name in "ab"]
        draw(files, size)
        given = [("a", files[0]), ("b", files[1]), *size.parameters]
        run = [*f"run {CHAPTER} --label own --jobs 1".split(), *(str(word) for one in given for word in ("-p", *one))]
        started, memory = perf_counter(), Memory()
        for command in (run, f"page {CHAPTER} --label own".split()):
            subprocess.run([sys.executable, "-m", "book.press", *command], check=True)
        seconds = perf_counter() - started
    most = memory.most()
    print(f"{size.stimuli} x {size.units}: {seconds:.0f} s, {most:.1f} GiB")
    if size.keep:
        given = " ".join(f"{name} {value}" for name, value in size.parameters) or "defaults"
        row = {"stimuli": size.stimuli, "units": size.units, "parameters": given}
        keep("reports", [row | {"minutes": round(seconds / 60), "GiB": round(most, 1)}], [*row])


def draw(files, size):
    """Both networks' responses to the same features."""
    shape, features = (size.stimuli, size.units), size.features or 2 * size.units
    arrays = [np.lib.format.open_memmap(file, "w+", np.float32, shape) for file in files]
    mixing = [gaussian(size.units, features, seeded(seed)).float().mT for seed in (1, 2)]
    for start in range(0, size.stimuli, BLOCK):
        z = bernoulli_uniform(min(BLOCK, size.stimuli - start), features, 0.01, seeded(start)).float()
        for y, a in zip(arrays, mixing, strict=True):
            y[start : start + BLOCK] = (z @ a).numpy()


class Memory:
    """The most that all processes begun by this one have held together, looked at twice a second."""

    def __init__(self):
        self.found, self.ended = 0, Event()
        self.watch = Thread(target=self._look, daemon=True)
        self.watch.start()

    def _look(self):
        while not self.ended.wait(0.5):
            self.found = max(self.found, sum(map(_anonymous, _descendants())))

    def most(self) -> float:
        """In GiB."""
        self.ended.set()
        self.watch.join()
        return self.found / 2**20


def _descendants():
    """Process numbers of all that this process has begun."""
    parents = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            parents[int(path.parent.name)] = int(path.read_text().rpartition(")")[2].split()[1])
        except OSError:
            continue
    found = {int(Path("/proc/self").resolve().name)}
    while more := {child for child, parent in parents.items() if parent in found} - found:
        found |= more
    return found


def _anonymous(process):
    try:
        lines = Path(f"/proc/{process}/status").read_text().splitlines()
    except OSError:
        return 0
    return sum(int(line.split()[1]) for line in lines if line.startswith("RssAnon"))


if __name__ == "__main__":
    main()
