"""Times the parameter changes that the classroom page suggests, one after the other, and keeps the times with the book.

python -m benchmarks.live_changes     reads book/live.yml, writes book/results/live.json
"""

import json
import shlex
import subprocess
import sys
from time import perf_counter

from book.press.pages import live_changes, live_times
from lib.chapter.results import read_results
from lib.store import ROOT, write_whole


def seconds(change: dict) -> float:
    """How long a chapter takes with these arguments, models trained before included."""
    command = [sys.executable, "-m", "book.press", "run", change["chapter"], "--label", "live", "--jobs", "1"]
    started = perf_counter()
    subprocess.run([*command, *shlex.split(change["arguments"])], check=True)
    return round(perf_counter() - started, 1)


def main():
    times = {
        change["chapter"]: {"arguments": change["arguments"], "seconds": seconds(change)} for change in live_changes()
    }
    last = [*times][-1]
    provenance = read_results(ROOT / "build" / "live" / f"{last}.json", last, "live")["provenance"]
    content = {"times": times, "provenance": provenance}
    write_whole(live_times(), json.dumps(content, indent=1) + "\n")


if __name__ == "__main__":
    main()
