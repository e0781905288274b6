"""A stand-in for a cluster's scheduler: `submit SCRIPT`, `status ID`, `cancel ID ...`, and those SLURM commands in use.

Jobs wait in a queue until one of four nodes is free. A file `plan/ID` says what happens to a job besides: `lost` (it
never runs and the scheduler forgets it), `requeued` (its node dies, and it starts again under the same number).
"""

import fcntl
import os
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

FOLDER = Path(os.environ["SCHEDULER"])


def submit(script):
    """The number of the job; it is served by a process of its own, as a scheduler outlives who asks it."""
    number = 1
    while True:
        try:
            (FOLDER / str(number)).mkdir()
            break
        except FileExistsError:
            number += 1
    kept = FOLDER / str(number) / "script.sh"
    kept.write_bytes(Path(script).read_bytes())
    quiet = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    subprocess.Popen([sys.executable, __file__, "serve", str(number)], start_new_session=True, **quiet)
    print(number)


def serve(number):
    """Run a job when a node is free, and note how it ended."""
    job, plan = FOLDER / number, FOLDER / "plan" / number
    what = plan.read_text() if plan.exists() else ""
    if what == "lost":
        time.sleep(1)
        return (job / "state").write_text("failed")
    with node():
        process = start(job)
        (job / "group").write_text(str(process.pid))
        if what == "requeued":
            time.sleep(0.3)
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            process = start(job)
        ended = process.wait()
    (job / "state").write_text("failed" if ended else "success")


def start(job):
    with open(job / "output", "a") as file:
        return subprocess.Popen(
            ["sh", job / "script.sh"], start_new_session=True, stdin=subprocess.DEVNULL, stdout=file, stderr=file
        )


@contextmanager
def node():
    """One of four nodes, waited for."""
    while True:
        for name in "abcd":
            with open(FOLDER / f"node-{name}", "w") as file:
                try:
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError:
                    continue
                yield
                return
        time.sleep(0.1)


def status(number):
    state = FOLDER / number / "state"
    print(state.read_text() if state.exists() else "running")


def cancel(*numbers):
    for number in numbers:
        os.killpg(int((FOLDER / number / "group").read_text()), signal.SIGKILL)


def sbatch(*words):
    """What SLURM is asked for is kept beside the job."""
    command = next(word for word in words if word.startswith("--wrap=")).removeprefix("--wrap=")
    script = FOLDER / f"sbatch-{os.getpid()}"
    script.write_text(command)
    with open(FOLDER / "asked", "a") as file:
        print(*[word for word in words if not word.startswith("--wrap=")], file=file)
    submit(script)


def sacct(*words):
    if "--format=JobIdRaw,State" in words:
        for job in filter(lambda path: path.name.isdigit(), FOLDER.iterdir()):
            state = (job / "state").read_text() if (job / "state").exists() else "running"
            print(job.name, {"running": "RUNNING", "failed": "NODE_FAIL", "success": "COMPLETED"}[state], sep="|")


def srun(*words):
    first = next(i for i, word in enumerate(words) if not word.startswith("-"))
    os.execvp(words[first], words[first:])


def sinfo(*_):
    print("batch*")


def nothing(*_):
    pass


if __name__ == "__main__":
    globals().get(sys.argv[1], nothing)(*sys.argv[2:])
