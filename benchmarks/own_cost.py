"""What the report on two networks of one's own costs: time and memory for two arrays, page included.

    python benchmarks/own_cost.py [--stimuli 10000] [--units 768]

The arrays are random mixtures of common sparse features. Runs what `make own` runs, on all cores.
"""

import argparse
import resource
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter

import numpy as np

from lib.features import bernoulli_uniform, seeded
from lib.projections import gaussian

CHAPTER = "13_your_networks"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--stimuli", type=int, default=10000)
    parser.add_argument("--units", type=int, default=768)
    size = parser.parse_args()
    z = bernoulli_uniform(size.stimuli, 2 * size.units, 0.01, seeded(0))
    with TemporaryDirectory() as folder:
        files = [Path(folder) / f"{name}.npy" for name in "ab"]
        for seed, file in enumerate(files, 1):
            np.save(file, (z @ gaussian(size.units, z.shape[1], seeded(seed)).mT).float().numpy())
        run = f"run {CHAPTER} --label own --jobs 1 -p a {files[0]} -p b {files[1]}".split()
        started = perf_counter()
        for command in (run, f"page {CHAPTER} --label own".split()):
            subprocess.run([sys.executable, "-m", "book.press", *command], check=True)
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 2**20
    print(f"{size.stimuli} x {size.units}: {perf_counter() - started:.0f} s, largest process {peak:.1f} GiB")


if __name__ == "__main__":
    main()
