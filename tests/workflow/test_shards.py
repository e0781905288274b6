"""Runs that train parts of a chapter side by side, and the chapter that finds their models, by the own runner."""

import json
import re
import shutil
import subprocess
import sys

import pytest
from nbformat.v4 import new_code_cell, new_notebook
from test_runner import HEADER, leftovers, run, tiny

from book.press import assemble, runner

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
    return json.loads((project / "build/quick/01_first.json").read_text())["values"]


def trained(project):
    return {path.name: path.stat().st_mtime_ns for path in (project / "build/trained").glob("*.pt")}


@pytest.mark.timeout(900)  # four runs of a chapter
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


def test_a_shard_of_a_chapter_that_names_no_trainings_is_refused():
    notebook = new_notebook(cells=[new_code_cell("x = 1"), new_code_cell("y = 2")])
    with pytest.raises(runner.ChapterError, match="01_toy has no cell tagged `trained`: run the whole chapter"):
        runner.until_trained(notebook, "01_toy")
    notebook.cells[0].metadata["tags"] = ["hide-input", "trained"]
    assert [cell.source for cell in runner.until_trained(notebook, "01_toy").cells] == ["x = 1"]


@pytest.mark.parametrize("label", ["../up", ".", "quick/../..", "/elsewhere"])
def test_a_label_that_leaves_build_is_refused(label):
    with pytest.raises(ValueError, match=f"{re.escape(repr(label))}: --label and --profile name a folder of build/"):
        runner.run(["01_superposition"], "quick", label, 1, [])
    with pytest.raises(ValueError, match=f"{re.escape(repr(label))}: --label and --profile name a folder of build/"):
        assemble.page("01_superposition", label)


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
