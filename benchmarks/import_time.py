"""Seconds of process time that importing each module of lib takes beyond `import torch`, each in a new interpreter.

python benchmarks/import_time.py [lib.geometry lib.matching ...] [--repeats 5]
"""

import argparse
import subprocess
import sys
from pathlib import Path
from resource import RUSAGE_CHILDREN, getrusage
from statistics import median

ROOT = Path(__file__).resolve().parent.parent
MODULES = [".".join(path.relative_to(ROOT).with_suffix("").parts) for path in sorted(ROOT.glob("lib/**/[a-z]*.py"))]


def seconds(names):
    before = getrusage(RUSAGE_CHILDREN)
    subprocess.run([sys.executable, "-c", f"import {names}"], cwd=ROOT, check=True)
    after = getrusage(RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("modules", nargs="*", default=MODULES, help="modules, all if none is named")
    parser.add_argument("--repeats", type=int, default=5, help="pairs of imports, with the module and without")
    args = parser.parse_args()
    for module in args.modules:
        pairs = [(seconds(f"torch, {module}"), seconds("torch")) for _ in range(args.repeats)]
        over = sorted(one - other for one, other in pairs)
        print(f"{module:35} {median(over):6.2f} s over torch ({over[0]:.2f} to {over[-1]:.2f})", flush=True)
