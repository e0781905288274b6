"""In place of a project's .venv/bin/python: chapters whose numbers follow from their parameters, and planned mishaps.

`mishaps/JOB` holds one for a job, which happens once: `killed` (its process, as by want of memory), `node` (all that
runs with it), `full` (the disk). The first two leave half a file behind. A job that ends well adds its line to `done`.
"""

import json
import os
import signal
import sys
import time
from pathlib import Path


def main(chapter, *words):
    label, given = (
        words[words.index("--label") + 1],
        {words[i + 1]: words[i + 2] for i, w in enumerate(words) if w == "-p"},
    )
    output = Path("build") / label / f"{chapter}.json"
    mishap = Path("mishaps") / Path(label).name
    if mishap.exists():
        what = mishap.read_text()
        mishap.unlink()
        if what == "full":
            print(f"{chapter} FAILED  {output}: the disk is full: free some space and give the same command again")
            return 1
        output.write_text('{"values": {"x": 1')
        os.killpg(0, signal.SIGKILL) if what == "node" else os.kill(os.getpid(), signal.SIGKILL)
    numbers = [float(value) for value in given.values()]
    content = {"chapter": chapter, "profile": label, "values": {"x": sum(numbers) / 7, "word": "none"}}
    trained = Path("build/trained")
    if "--trainings-only" in words:
        trained.mkdir(exist_ok=True)
        (trained / given["part"]).touch()
    else:
        content["values"]["found"] = len(list(trained.glob("*")))
        output.write_text(json.dumps({**content, "provenance": {}}))
    output.with_suffix(".ipynb").write_text("{}")
    if Path("late").exists():  # a slow disk shows the file later than the scheduler says that the job is done
        output.with_suffix(".ipynb").rename("hidden")
        if os.fork() == 0:
            os.setsid()
            time.sleep(3)
            os.rename("hidden", output.with_suffix(".ipynb"))
            os._exit(0)
    with open("done", "a") as file:
        print(Path(label).name, file=file)
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
