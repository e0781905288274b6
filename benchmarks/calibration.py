"""How often the report's headline is right: its findings on pairs of networks whose answer is known.

    python benchmarks/calibration.py [--draws 15] [--seconds 3600]

Adds a line to book/results/calibration.jsonl for each pair that is not in it yet, one draw of every kind after the
other, and stops after the last or when the time is over; a run that was stopped goes on where it was. Kinds have five
draws, blind ones fifteen, those of a thousand units one. What is kept are the findings, so that the rules of
`lib.verdict` can be set anew without running anything: chapter 20 reads this file and shows what the rules in force
make of it. Delete the file after a change to how findings are made.
"""

import argparse
import json
from pathlib import Path
from time import process_time

import torch

from lib import store
from lib.known_pairs import KNOWN, pair
from lib.report import Settings, analyse

FILE = store.ROOT / "book" / "results" / "calibration.jsonl"
LATENTS, MOST_LATENTS = 3, 1536  # latents a unit of the larger network, but no more than these
K, STEPS, STEPS_WIDE, WIDE = 3, 300, 600, 512  # active latents, training steps, those of so many latents or more


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--draws", type=int, default=15)
    parser.add_argument("--seconds", type=float, default=3600, help="of this process on a core; no pair is begun after")
    given = parser.parse_args()
    torch.set_num_threads(1)
    done = {(line["pair"], line["draw"]) for line in lines(FILE)}
    for draw in range(given.draws):
        for name, kind in KNOWN.items():
            if (name, draw) in done or draw >= len(kind.sizes) or process_time() > given.seconds:
                continue
            started = process_time()
            found = findings_of(name, draw)
            line = {
                "pair": name,
                "draw": draw,
                "truth": kind.truth,
                "seconds": round(process_time() - started, 1),
            } | found
            with FILE.open("a", encoding="utf-8") as file:
                file.write(json.dumps(line) + "\n")


def findings_of(name: str, draw: int) -> dict:
    """What the report finds on one draw of a known pair, or the error by which it refuses."""
    y_a, y_b = pair(name, draw)
    try:
        return {"findings": rounded(analyse(y_a, y_b, settings(y_a, y_b, draw)).findings._asdict())}
    except ValueError as error:
        return {"error": str(error)}


def rounded(kept):
    """The same with six digits of each number, which is more than any rule looks at."""
    if isinstance(kept, dict):
        return {key: rounded(one) for key, one in kept.items()}
    if isinstance(kept, list | tuple):
        return [rounded(one) for one in kept]
    return float(f"{kept:.6g}") if isinstance(kept, float) else kept


def settings(y_a: torch.Tensor, y_b: torch.Tensor, draw: int) -> Settings:
    """Small dictionaries and short training, without the scan over k, so that a draw takes seconds."""
    latents = min(LATENTS * max(y_a.shape[1], y_b.shape[1]), MOST_LATENTS)
    return Settings(latents, K, STEPS if latents < WIDE else STEPS_WIDE, first_seed=draw)


def lines(path: Path) -> list[dict]:
    """The draws that are kept, in the order in which they were made."""
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()] if path.exists() else []


if __name__ == "__main__":
    main()
