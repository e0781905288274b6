"""Whether two runs of the book say the same: every number that the pages show, in two folders of executed chapters.

    python benchmarks/compare_results.py BEFORE AFTER

For a change that should move no number: run the book before and after it, and compare the two copies of build/quick.
Prints, for each chapter, how many numbers there are, how many are gone or new, and the largest difference.
"""

import argparse
import json
from pathlib import Path


def shown(path: Path) -> dict[str, object]:
    """What a chapter offers to its prose, by name: numbers as numbers, other texts as they are, no pictures."""
    found = {}
    for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]:
        for output in cell.get("outputs", []):
            name = output.get("metadata", {}).get("scrapbook", {}).get("name")
            texts = {kind.rsplit("/", 1)[1]: "".join(text) for kind, text in output.get("data", {}).items()}
            text = texts.get("markdown") or texts.get("plain")
            if name and text and "html" not in texts:
                try:
                    found[name] = float(text)
                except ValueError:
                    found[name] = text
    return found


def difference(first: object, second: object) -> float:
    """Relative to the larger of the two, or to a millionth if that is larger; infinite for other texts."""
    if isinstance(first, float) and isinstance(second, float):
        return abs(first - second) / max(abs(first), abs(second), 1e-6)
    return 0.0 if first == second else float("inf")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("before", type=Path)
    parser.add_argument("after", type=Path)
    folders = parser.parse_args()
    print(f"{'chapter':24}{'numbers':>8}{'gone':>6}{'new':>6}{'moved':>7}{'largest':>10}  where")
    for path in sorted(folders.before.glob("[0-9]*.ipynb")):
        if not (folders.after / path.name).exists():
            print(f"{path.stem:24}  missing")
            continue
        before, after = shown(path), shown(folders.after / path.name)
        moved = {name: difference(before[name], after[name]) for name in before.keys() & after.keys()}
        worst = max(moved, key=moved.get, default="")
        count = sum(value > 1e-9 for value in moved.values())
        sizes = (len(before), len(before.keys() - after.keys()), len(after.keys() - before.keys()), count)
        print("{:24}{:8}{:6}{:6}{:7}{:10.1e}  {}".format(path.stem, *sizes, moved.get(worst, 0), worst))


if __name__ == "__main__":
    main()
