"""Small parts of recorded runs: numbers that were recorded lie where today's runs put them, or are named."""

import json
import subprocess
import sys

import pytest

from book.press.verify import compare
from tests.press.test_runner import HEADER, tiny

CODE = """
import random
random.seed(seed)
run = Run("01_first", globals())
sample = [random.gauss(0, 1) for _ in range(draws)]
run.record(middle=sum(sample) / draws, fixed=0.25, most=max(sample))
run.save("simulated")
"""
PARAMETERS = """draws: int = 400  # numbers
device: str = "cpu"  # device
seed: int = 0  # random seed
"""


def write(project):
    head = HEADER.replace("draws: int = 2  # number of draws\n", PARAMETERS)
    code = f"from lib.chapter.run import Run\n{CODE}"
    (project / "notebooks" / "01_first.py").write_text(head + code)


def test_a_number_within_the_interval_of_the_runs_is_as_recorded():
    runs = [{"x": 1.0 + 0.1 * i, "same": 0.5, "words": "no", "n": 3} for i in range(4)]
    told = compare({"x": 1.3, "same": 0.5, "words": "no", "n": 9, "gone": 1.0}, runs, {"n"})
    assert told == {"within": 2, "outside": {}}
    spread = [{"x": {"mean": 1.0 + 0.1 * i, "standard_error": 0.1, "count": 9}} for i in range(4)]
    assert compare({"x": {"mean": 1.2, "standard_error": 0.1, "count": 99}}, spread, set())["within"] == 1
    assert compare({"x": {"mean": 9.2, "standard_error": 0.1, "count": 99}}, spread, set())["within"] == 0


@pytest.mark.parametrize(("name", "recorded"), [("x", 4.0), ("x", -2.0), ("same", 0.50001), ("n", 9)])
def test_a_number_outside_is_named_with_both(name, recorded):
    runs = [{"x": 1.0 + 0.1 * i, "same": 0.5, "n": 3} for i in range(4)]
    told = compare({name: recorded}, runs, set())
    assert told["within"] == 0 and told["outside"][name]["recorded"] == recorded


def verified(project):
    command = [sys.executable, "-m", "book.press", "verify", "--profile", "long"]
    return subprocess.run(command, cwd=project, capture_output=True, text=True, timeout=300)


def test_a_small_part_of_a_recorded_run_is_run_and_compared(tmp_path):
    project = tiny(tmp_path)
    write(project)
    (project / "notebooks" / "02_second.py").unlink()
    profiles, results = project / "notebooks" / "profiles" / "long", project / "book" / "results" / "long"
    results.mkdir(parents=True)
    for command in (["run", "--profile", "long"], ["record", "--profile", "long"]):
        subprocess.run([sys.executable, "-m", "book.press", *command], cwd=project, check=True, timeout=120)
    kept = json.loads((results / "01_first.json").read_text())
    kept["values"]["middle"] += 5
    (results / "01_first.json").write_text(json.dumps(kept))
    (profiles / "verify.yaml").write_text("01_first: {parameters: {draws: 50}, left_out: {most: grows with draws}}\n")
    assert verified(project).returncode == 1
    told = json.loads((results / "verified.json").read_text())["01_first"]
    assert told["within"] == 1 and told["outside"].keys() == {"middle"}
    assert told["left_out"] == {"most": "grows with draws"}
    (profiles / "verify.yaml").write_text("01_first: {left_out: {mist: grows with draws}}\n")
    refused = verified(project)
    assert refused.stderr == "error: verify.yaml: 01_first records no mist: take it out of left_out\n"
    for command in (["run", "--profile", "long"], ["record", "--profile", "long"]):
        subprocess.run([sys.executable, "-m", "book.press", *command], cwd=project, check=True, timeout=120)
    assert json.loads((results / "verified.json").read_text()) == {}  # it was about the record before


def test_a_profile_that_says_nothing_is_refused(tmp_path):
    refused = verified(tiny(tmp_path))
    assert refused.returncode == 1
    assert refused.stderr == "error: profile long has no verify.yaml, which says what a small part of its chapters is\n"
