"""Runs that train parts of a chapter side by side, and the chapter that finds their models, by the own runner."""

import json
import shutil
import subprocess
import sys

import pytest
from test_runner import HEADER, leftovers, run, tiny

CODE = """from lib.chapter.run import Run
from lib.toy_models import ToyModels, train_toy_models
run = Run("01_first", globals() | {"device": "cpu"})
# %% tags=["trained"]
toys = {m: train_toy_models(ToyModels(16, m, [0, 1]), 40 * draws) for m in sizes}
# %%
run.record(most=float(max(sizes)), **{f"weight_{m}": toys[m].model.weight.double().sum() for m in sizes})
smallest = min(sizes[:-1])
run.save(data="none")
"""


@pytest.fixture(scope="module")
def projects(tmp_path_factory):
    """Two copies of a project whose chapter trains a model for each size, and needs two sizes for its results."""
    first = tiny(tmp_path_factory.mktemp("shards") / "first")
    parameters = 'device: str = "cpu"  # auto, cpu or cuda\nsizes: list[int] = [2, 4, 8]  # of the models\nrate:'
    (first / "notebooks/01_first.py").write_text(HEADER.replace("rate:", parameters) + CODE)
    return first, shutil.copytree(first, first.with_name("second"))


def results(project):
    found = json.loads((project / "build/quick/01_first.json").read_text())
    return found["values"]


def trained(project):
    return {path.name: path.stat().st_mtime_ns for path in (project / "build/trained").glob("*.pt")}


def test_a_chapter_from_shards_equals_one_run_whole_to_the_last_digit(projects):
    whole, sharded = projects
    assert run(whole, "01_first").returncode == 0
    for number, sizes in enumerate(("[4]", "[8, 2]")):
        done = run(sharded, "01_first", "-p", "sizes", sizes, "--label", f"sweeps/x/{number}", "--trainings-only")
        assert done.returncode == 0, done.stdout
        assert not (sharded / f"build/sweeps/x/{number}/01_first.json").exists() and leftovers(sharded) == []
    before = trained(sharded)
    assert before.keys() == trained(whole).keys() and len(before) == 3
    assert run(sharded, "01_first").returncode == 0
    assert trained(sharded) == before and results(sharded) == results(whole)


def test_a_shard_of_a_chapter_that_names_no_trainings_is_refused(projects):
    failed = run(projects[0], "02_second", "--trainings-only", "--label", "sweeps/x/2")
    assert failed.returncode == 1
    assert "FAILED  02_second has no cell tagged `trained`: run the whole chapter" in failed.stdout


@pytest.mark.parametrize("label", ["../up", ".", "quick/../..", "/tmp/elsewhere"])
def test_a_label_that_leaves_build_is_refused(projects, label):
    failed = run(projects[0], "01_first", "--label", label)
    assert failed.returncode == 1 and failed.stderr == f"error: --label {label}: name a folder of build/\n"


SCRIPT = """
from lib.toy_models import ToyModels, train_toy_models
from lib.training import Training
original = Training.run
def run(self, steps, name):
    before = self.step
    original(self, steps, name)
    print(self.step - before)
    return self
Training.run = run
train_toy_models(ToyModels(16, 3, [0, 1]), 400)
"""


def test_of_two_processes_that_want_the_same_model_one_trains_it(projects):
    command = dict(args=[sys.executable, "-c", SCRIPT], cwd=projects[0], stdout=subprocess.PIPE, text=True)
    both = [subprocess.Popen(**command) for _ in range(2)]
    assert sorted(process.communicate(timeout=120)[0] for process in both) == ["0\n", "400\n"]
