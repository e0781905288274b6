"""Whether the tests pass with other versions of Python and of the packages: pinned, newest, oldest that is allowed.

    python -m benchmarks.versions python3.11 python3.13 [--packages oldest] [--keep]

Needs `uv`. Each environment is made once, in build/environments, and takes about 6 GB. Runs what starts no chapter and
opens no page, one test at a time; the exit status is 1 if any fails. `--again` runs the tests that failed, alone, and
says in a row that was kept which have been mended since. Deprecation warnings are errors but with the
oldest packages, where those of the day warn of each other. `--keep` keeps the counts with the book.
"""

import argparse
import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
EXTRAS = [word for extra in ("book", "report", "test") for word in ("--extra", extra)]
CHOSEN = {  # what uv adds to the list of packages
    "pinned": ["-c", "constraints.txt"],
    "newest": [],
    "oldest": ["--resolution", "lowest-direct"],
}
SHOWN = "torch", "numpy", "pandas", "scipy"
LEFT_OUT = "faults", "fuzz", "notebooks", "own_chapter", "installed", "project", "others_networks"  # tests of runs


def environment(python, packages):
    """The interpreter of an environment with these packages, made unless it is there."""
    folder = ROOT / "build" / "environments" / f"{Path(python).name}-{packages}"
    if not (folder / "bin/python").exists():
        subprocess.run(["uv", "venv", "-q", "-p", python, folder], check=True)
        install = ["uv", "pip", "install", "-q", "-p", folder / "bin/python", *EXTRAS, "-r", "pyproject.toml"]
        subprocess.run([*install, *CHOSEN[packages]], cwd=ROOT, check=True)
    return folder / "bin/python"


def tested(python, packages):
    """What pytest counts and which tests fail, with the versions of what computes."""
    files = [path for path in sorted(ROOT.glob("tests/test_*.py")) if path.stem.removeprefix("test_") not in LEFT_OUT]
    return run(python, packages, ["tests/data", *files]) | {"mended since": "none"}


def again(python, row):
    """A kept row, after its tests that failed have been run once more, alone; as it was if they did not run."""
    failed = row["failures"].split("; ") if row["failures"] != "none" else []
    places = [(next(ROOT.glob(f"tests/**/{name.split('::')[0]}"), None), name.partition("::")[2]) for name in failed]
    if not all(path for path, _ in places) or not places:
        return row
    found = run(python, row["packages"], [f"{path}::{test}" if test else str(path) for path, test in places])
    still = found["failures"].split("; ")
    if found["failed"] and still == ["none"] or found["skipped"]:  # pytest did not start, or did not try all
        return row
    mended = [row["mended since"], *(name for name in failed if name not in still)]
    counts = {"passed": row["passed"] + found["passed"], "skipped": row["skipped"]}
    return row | found | counts | {"mended since": "; ".join(mended).removeprefix("none; ")}


def run(python, packages, tests) -> dict:
    """What pytest counts of these tests, which of them fail, and the versions of what computes."""
    words = ["-q", "-p", "no:cacheprovider", *(["-o", "filterwarnings="] if packages == "oldest" else [])]
    settings = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
    command = [python, "-m", "pytest", *words, *tests]
    ended = subprocess.run(command, cwd=ROOT, env=settings, capture_output=True, text=True)
    print(ended.stdout[-3000:], ended.stderr[-3000:])
    code = f"import platform, importlib.metadata as m; print(platform.python_version(), *map(m.version, {SHOWN}))"
    found = subprocess.run([python, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    return dict(zip(("Python", *SHOWN), found, strict=True)) | counted(ended.stdout, ended.returncode)


def counted(said, code):
    """How many tests passed, failed and were skipped, and which failed, by what pytest said and its exit status."""
    counts = {name: int((re.findall(rf"(\d+) {name}", said) or [0])[-1]) for name in ("passed", "failed", "skipped")}
    counts["failed"] += int((re.findall(r"(\d+) error", said) or [0])[-1])
    if code and not counts["failed"]:  # pytest itself did not start, or was ended
        counts["failed"] = 1
    failures = "; ".join(re.findall(r"^(?:FAILED|ERROR) [^\s:]*/([^\s/:]+\.py.*?)(?: - .*)?$", said, flags=re.M))
    return counts | {"failures": failures or "none"}


def version(python):
    command = [python, "-c", "import platform; print(platform.python_version())"]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("python", nargs="+", help="interpreters")
    parser.add_argument("--packages", choices=CHOSEN, action="append", help="all three unless given")
    parser.add_argument("--keep", action="store_true")
    parser.add_argument("--again", action="store_true", help="only tests that failed in rows that were kept")
    given = parser.parse_args()
    if given.keep or given.again:  # what they need may be missing where packages are only to be tried
        from book.press.evidence import keep, kept
    rows = []
    for packages in given.packages or CHOSEN:
        for python in given.python:
            found = environment(python, packages)
            if given.again:
                same = [
                    row for row in kept("versions") if (row["packages"], row["Python"]) == (packages, version(found))
                ]
                rows += [again(found, row) for row in same if row["failed"]]
            else:
                rows.append({"packages": packages} | tested(found, packages))
            if given.keep:
                keep("versions", rows[-1:], ("packages", "Python"))
    return int(any(row["failed"] for row in rows))


if __name__ == "__main__":
    sys.exit(main())
