"""Sweep files: which jobs they ask for, and one line for a bad one."""

import pytest
import yaml

from lib.chapter.parameters import from_words
from lib.store import ROOT
from workflow.sweep import read_sweep, words

SWEEP = {
    "name": "first",
    "chapters": {
        "01_toy": {"parameters": {"a": 1}, "grid": {"b": [1, 2, 3], "c": [[1, 2], [3]]}, "seeds": [0, 1]},
        "02_toy": {"seeds": [4], "shards": [{"part": 0}, {"part": 1}]},
        "03_toy": None,
    },
}


def written(folder, sweep):
    path = folder / "sweep.yml"
    path.write_text(sweep if isinstance(sweep, str) else yaml.safe_dump(sweep))
    return path


def test_jobs_are_the_combinations_of_grid_and_seeds(tmp_path):
    sweep = read_sweep(written(tmp_path, SWEEP))
    of = {name: [job for job in sweep.jobs.values() if job.chapter == name] for name in SWEEP["chapters"]}
    assert [len(jobs) for jobs in of.values()] == [12, 1, 1]
    assert {
        (*job.parameters["c"], job.parameters["b"], job.parameters["seed"], job.parameters["a"]) for job in of["01_toy"]
    } == {(*c, b, seed, 1) for c in ([1, 2], [3]) for b in (1, 2, 3) for seed in (0, 1)}
    (sharded,), (plain,) = of["02_toy"], of["03_toy"]
    assert [*sharded.shards.values()] == [{"seed": 4, "part": 0}, {"seed": 4, "part": 1}]
    assert plain.parameters == plain.shards == {}


def test_results_stay_in_the_sweeps_folder_under_names_that_other_entries_do_not_change(tmp_path):
    before = read_sweep(written(tmp_path, SWEEP))
    grown = SWEEP["chapters"] | {"00_new": None, "01_toy": SWEEP["chapters"]["01_toy"] | {"seeds": [7, 1, 0]}}
    after = read_sweep(written(tmp_path, SWEEP | {"chapters": grown}))
    assert before.jobs.keys() < after.jobs.keys()
    labels = [label for job in after.jobs.values() for label in (job.label, *job.shards)]
    assert len({*labels}) == len(labels) and all(label.startswith("sweeps/first/") for label in labels)
    other = read_sweep(written(tmp_path, SWEEP | {"profile": "paper"}))
    assert not {*before.jobs} & {*other.jobs}


BAD = {
    "a name that leaves build": (SWEEP | {"name": "../up"}, "'../up' is no name"),
    "a name with a dot": (SWEEP | {"name": ".."}, "'..' is no name"),
    "a profile that leaves its folder": (SWEEP | {"profile": ".."}, "'..' is no name"),
    "a chapter that leaves build": (SWEEP | {"chapters": {"../x": None}}, "'../x' is no name"),
    "no name": ({"chapters": {}}, "lacks 'name'"),
    "an unknown field": (SWEEP | {"seeds": [1]}, "it has seeds: write name, profile, chapters and figure"),
    "an unknown field of a chapter": (SWEEP | {"chapters": {"01_toy": {"seed": [1]}}}, "01_toy: seed should be one of"),
    "a seed that is no list": (SWEEP | {"chapters": {"01_toy": {"seeds": 3}}}, "01_toy: seeds should be"),
    "no table": ("[1, 2]", "is no sweep"),
    "nothing": ("", "is no sweep"),
    "no YAML": ("name: [", "is not YAML"),
}


@pytest.mark.parametrize(("sweep", "why"), BAD.values(), ids=BAD)
def test_a_bad_sweep_gets_one_line(sweep, why, tmp_path):
    with pytest.raises(ValueError, match="sweep.yml") as caught:
        read_sweep(written(tmp_path, sweep))
    assert why in str(caught.value) and "\n" not in str(caught.value)


def test_a_missing_sweep_gets_one_line(tmp_path):
    with pytest.raises(ValueError, match="none.yml cannot be read: No such file"):
        read_sweep(tmp_path / "none.yml")


def test_parameters_arrive_at_the_runner_as_they_were():
    given = {"sizes": [8, 16], "steps": 100, "represented": 1e-5, "seed": 0, "device": "cpu: 'a' b"}
    as_words = dict(zip(words(given)[1::3], words(given)[2::3], strict=True))
    assert from_words("06_toy_models", as_words) == given and words(given)[::3] == ["-p"] * 5


def test_the_shipped_example_names_chapters_and_parameters_that_exist():
    from lib.chapter.parameters import checked

    sweep = read_sweep(ROOT / "workflow" / "example.yml")
    assert len(sweep.jobs) >= 24
    for job in sweep.jobs.values():
        assert checked(job.chapter, job.parameters) == job.parameters
