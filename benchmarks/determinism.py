"""Whether chapters give the same results in other surroundings: each runs in a copy of the project, with nothing kept.

    .venv/bin/python -m benchmarks.determinism [CHAPTER ...] [--short]

Keeps with the book, for each chapter and surroundings, whether results and executed notebook are the same to the last
digit, and else the largest difference of a recorded number, as a share of the number if that is above 1. `--short`
trains and draws little.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import nbformat

from book.press.evidence import keep

ROOT = Path(__file__).parent.parent
CHAPTERS = {  # a derivation, trained models with their SAEs, and the report on two networks, with parameters of --short
    "04_gaussian_projections": "-p draws 4",
    "06_toy_models": "-p steps 600",
    "09_unsupervised": "-p steps 200",
    "14_ceiling": "-p draws 3 -p toy_steps 600 -p sae_steps 200",
}
SURROUNDINGS = {
    "once more": {},
    "two threads in place of one": {"OMP_NUM_THREADS": "2"},
    "other hash seed": {"PYTHONHASHSEED": "1"},
    "time zone 13 hours on": {"TZ": "Pacific/Tongatapu"},
    "locale without letters": {"LC_ALL": "C", "LANG": "C"},
    "closed umask": {"umask": "077"},
    "other folder and home": {"HOME": "/nonexistent"},
}


def run(chapter, words, around):
    """Results and executed notebook of a chapter in a copy of the project."""
    with TemporaryDirectory(prefix=f"copy {len(around)} of ") as folder:
        copied = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
        for name in filter(None, copied.split("\0")):
            (target := Path(folder, name)).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, target)
        settings = {"OMP_NUM_THREADS": "1", "PYTHONHASHSEED": "0"} | around
        umask = int(settings.pop("umask", "022"), 8)
        command = [sys.executable, "-m", "book.press", "run", chapter, "--jobs", "1", "--label", "quick", *words]
        surroundings = os.environ | settings | {"PYTHONPATH": folder}
        subprocess.run(command, cwd=folder, env=surroundings, check=True, umask=umask, stdout=subprocess.DEVNULL)
        built = Path(folder, "build", "quick", chapter)
        notebook = nbformat.read(built.with_suffix(".ipynb"), as_version=4)
        shown = [whole(cell.get("outputs", [])) for cell in notebook.cells]
        return json.loads(built.with_suffix(".json").read_text()), shown


def whole(outputs):
    """A cell's outputs with printed text in one piece, as the page has it: a kernel sends it as time allows."""
    found = []
    for one in outputs:
        if found and one.get("name") and found[-1].get("name") == one["name"]:
            found[-1] = found[-1] | {"text": found[-1]["text"] + one["text"]}
        else:
            found.append(dict(one))
    return found


def numbers(results):
    """Every number that a chapter recorded, by name."""
    found = dict(results["values"])
    for name, rows in results.get("tables", {}).items():
        found |= {f"{name} {i} {column}": value for i, row in enumerate(rows) for column, value in row.items()}
    return {name: value for name, value in found.items() if isinstance(value, int | float)}


def difference(one, two):
    """The largest difference, relative for numbers above 1; infinite where other numbers were recorded."""
    a, b = numbers(one), numbers(two)
    if a.keys() != b.keys():
        return float("inf")
    return max((abs(a[name] - b[name]) / max(abs(a[name]), abs(b[name]), 1) for name in a), default=0.0)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("chapters", nargs="*", choices=[[], *CHAPTERS], default=[])
    parser.add_argument("--short", action="store_true")
    given = parser.parse_args()
    for chapter in given.chapters or CHAPTERS:
        words = CHAPTERS[chapter].split() if given.short else []
        results, shown = run(chapter, words, {})
        for name, around in SURROUNDINGS.items():
            others, other_shown = run(chapter, words, around)
            found = {"chapter": chapter, "surroundings": name, "shortened": given.short}
            found |= {"largest difference": difference(results, others), "same outputs": shown == other_shown}
            keep("surroundings", [found], ("chapter", "surroundings"))
            print(*found.values(), sep=", ", flush=True)


if __name__ == "__main__":
    main()
