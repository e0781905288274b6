"""What an earlier report says of the pairs of known answer, for comparison with today's rules.

    git clone . ../before && git -C ../before checkout 492266b86187
    python benchmarks/calibration_before.py ../before [--draws 1]

Writes book/results/calibration_before.csv: pair, draw and headline. The earlier report gets the same responses and the
same settings as today's, but where responses have repeats it gets their mean, as it takes nothing else.
"""

import argparse
import os
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
from calibration import FILE, settings

from lib.known_pairs import KNOWN, pair

EARLIER = """
import csv, sys, torch
from pathlib import Path
from lib.report import Settings, analyse
torch.set_num_threads(1)
out = csv.writer(open(sys.argv[2], "w", newline=""), lineterminator="\\n")
out.writerow(["pair", "draw", "headline"])
for path in sorted(Path(sys.argv[1]).iterdir(), key=lambda path: int(path.name)):
    name, draw, y_a, y_b, (latents, k, steps) = torch.load(path)
    try:
        headline = analyse(y_a, y_b, Settings(latents, k, steps, first_seed=draw)).reading.verdict.value
    except ValueError as error:
        headline = f"Refused: {error}"
    out.writerow([name, draw, headline])
"""


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("earlier", type=Path, help="folder of the earlier code")
    parser.add_argument("--draws", type=int, default=1)
    given = parser.parse_args()
    with TemporaryDirectory() as folder:
        wanted = [(name, draw) for draw in range(given.draws) for name in KNOWN if draw < len(KNOWN[name].sizes)]
        for number, (name, draw) in enumerate(wanted):
            y_a, y_b = (one.mean(2) if one.ndim == 3 else one for one in pair(name, draw))
            chosen = settings(y_a, y_b, draw)
            torch.save((name, draw, y_a, y_b, (chosen.latents, chosen.k, chosen.steps)), Path(folder) / str(number))
        command = [sys.executable, "-c", EARLIER, folder, str(FILE.with_name("calibration_before.csv"))]
        here = os.environ | {"PYTHONPATH": str(given.earlier.resolve())}
        subprocess.run(command, cwd=given.earlier, env=here, check=True)


if __name__ == "__main__":
    main()
