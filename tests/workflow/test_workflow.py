"""Sweeps by Snakemake with stand-in chapters, here and on a stand-in cluster that kills, loses and requeues jobs.

Skipped where Snakemake is not installed: `make sweep` installs it, in an environment of its own.
"""

import os
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
import yaml

from lib.store import ROOT
from workflow.sweep import read_sweep

SNAKEMAKE = ROOT / "workflow" / ".venv" / "bin" / "snakemake"
HERE = Path(__file__).parent
pytestmark = [
    pytest.mark.skipif(not SNAKEMAKE.exists(), reason="Snakemake is not installed: make sweep installs it"),
    pytest.mark.timeout(900),
]
CLUSTER = "--executor cluster-generic --jobs 8 --latency-wait 20 --default-resources --max-status-checks-per-second 5"
SWEEP = {
    "name": "toys",
    "chapters": {
        "01_toy": {"parameters": {"a": 1}, "grid": {"b": [1, 2, 3], "c": [4, 5]}, "seeds": [0, 1, 2]},
        "02_toy": {"grid": {"b": [1, 2, 3, 4, 5, 6]}},
    },
    "figure": {"x": "b", "y": ["x"]},
}
PYTHON = """#!/bin/sh
if [ "$2" = book.press ]; then shift 3; exec {python} -SE stand_in.py "$@"; fi
exec {python} "$@"
"""


@pytest.fixture
def project(tmp_path):
    """A project of two chapters that run in no time, with the workflow as it is shipped."""
    for name in ("lib", "workflow"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__", ".venv"))
    shutil.copy(HERE / "stand_in.py", tmp_path)
    for folder in ("notebooks", "mishaps", ".venv/bin", "cluster/plan"):
        (tmp_path / folder).mkdir(parents=True)
    for name in ("01_toy", "02_toy"):
        (tmp_path / "notebooks" / f"{name}.py").write_text("from lib import theory\n")
    python = tmp_path / ".venv" / "bin" / "python"
    python.write_text(PYTHON.format(python=sys.executable))
    python.chmod(0o755)
    return tmp_path


def sweep(project, asked=SWEEP, *arguments, path=""):
    (project / "sweep.yml").write_text(yaml.safe_dump(asked))
    command = [SNAKEMAKE, "-s", "workflow/Snakefile", "--config", "sweep=sweep.yml", "--cores", "2", *arguments]
    surroundings = os.environ | {"SCHEDULER": str(project / "cluster"), "PATH": path + os.environ["PATH"]}
    surroundings.pop("PYTHONPATH", None)
    return subprocess.run(command, cwd=project, env=surroundings, capture_output=True, text=True, timeout=800)


def on_cluster(project, *arguments):
    scheduler = f"{sys.executable} {HERE / 'scheduler.py'}"
    commands = [f"--cluster-generic-{what}-cmd={scheduler} {what}" for what in ("submit", "status", "cancel")]
    return sweep(project, SWEEP, *CLUSTER.split(), *commands, *arguments)


def by_slurm(project, asked, *arguments):
    """The shipped profile, with stand-ins for SLURM's commands."""
    folder = project / "bin"
    folder.mkdir()
    for name in ("sbatch", "sacct", "srun", "scancel", "sinfo", "squeue", "sacctmgr", "scontrol"):
        script = f'#!/bin/sh\nexec {sys.executable} -SE {HERE / "scheduler.py"} {name} "$@"\n'
        (folder / name).write_text(script)
        (folder / name).chmod(0o755)
    options = (
        "--slurm-no-account --slurm-init-seconds-before-status-checks 1 --workflow-profile workflow/profiles/slurm"
    )
    return sweep(project, asked, *options.split(), *arguments, path=f"{folder}:")


def table(project):
    return (project / "build/sweeps/toys/table.csv").read_text()


def done(project):
    return Counter((project / "done").read_text().split())


def names(project):
    (project / "sweep.yml").write_text(yaml.safe_dump(SWEEP))
    return [Path(label).name for label in read_sweep(project / "sweep.yml").jobs]


def plan(project, *mishaps):
    """Spread mishaps over the jobs; their names."""
    struck = names(project)[:: len(names(project)) // len(mishaps)][: len(mishaps)]
    for name, what in zip(struck, mishaps, strict=True):
        (project / "mishaps" / name).write_text(what)
    return struck


def test_six_failures_leave_the_table_of_a_sweep_without_one(project):
    assert sweep(project).returncode == 0
    whole, rows = table(project), table(project).splitlines()
    assert len(names(project)) == 24 and len(rows) == 1 + 2 * 24 and done(project) == Counter(names(project))
    assert rows[0] == "chapter,a,b,c,seed,name,value,error"
    shutil.rmtree(project / "build")
    (project / "done").unlink()
    plan(project, "killed", "full", "killed", "full", "killed", "full")
    ended = sweep(project)
    assert ended.returncode == 0, ended.stderr
    assert table(project) == whole and (project / "build/sweeps/toys/figure.svg").stat().st_size > 1000
    assert done(project) == Counter(names(project)) and not any((project / "mishaps").iterdir())
    again = sweep(project)
    assert "Nothing to be done" in again.stderr and done(project) == Counter(names(project))


def test_a_cluster_that_kills_loses_and_requeues_gives_the_same_table(project):
    assert sweep(project).returncode == 0
    whole = table(project)
    shutil.rmtree(project / "build")
    (project / "done").unlink()
    plan(project, "node", "full", "node", "killed")
    for number, what in {"5": "lost", "9": "requeued"}.items():
        (project / "cluster" / "plan" / number).write_text(what)
    ended = on_cluster(project)
    assert ended.returncode == 0, ended.stderr
    assert table(project) == whole and done(project) == Counter(names(project))
    submitted = [path for path in (project / "cluster").iterdir() if path.name.isdigit()]
    assert len(submitted) == 24 + 5 and not any((project / "mishaps").iterdir())


def test_the_slurm_profile_asks_for_time_and_memory_and_for_more_after_a_lost_job(project):
    few = SWEEP | {"chapters": {"02_toy": {"grid": {"b": [1, 2]}}}}
    (project / "cluster" / "plan" / "1").write_text("lost")
    ended = by_slurm(project, few, "--until", "chapter")
    assert ended.returncode == 0, ended.stderr
    assert sorted(done(project).values()) == [1, 1]
    asked = (project / "cluster" / "asked").read_text().splitlines()
    assert [("-t 60 " in line, "--mem 4000 " in line) for line in asked] == [(True, True)] * 2 + [(False, False)]
    assert "-t 120 " in asked[2] and "--mem 8000 " in asked[2] and all("--no-requeue " in line for line in asked)


def test_a_file_that_a_slow_disk_shows_late_is_waited_for(project):
    (project / "late").touch()
    few = SWEEP | {"chapters": {"02_toy": {"grid": {"b": [1]}}}}
    assert sweep(project, few, "--until", "chapter", "--latency-wait", "20", "--retries", "0").returncode == 0
    assert sum(done(project).values()) == 1


def test_a_full_disk_gives_one_line_and_what_was_finished_is_kept(project):
    (struck,) = plan(project, "full")
    ended = sweep(project, SWEEP, "--retries", "0")
    assert ended.returncode == 1 and not (project / "build/sweeps/toys/table.csv").exists()
    told = [line for line in ended.stderr.splitlines() if line.startswith("sweeps/toys/")]
    assert len(told) == 1 and struck in told[0] and told[0].endswith("free some space and give the same command again")
    assert sum(done(project).values()) == 23
    assert sweep(project, SWEEP, "--until", "chapter").returncode == 0 and done(project) == Counter(names(project))


def test_an_edit_of_a_file_that_a_chapter_imports_runs_it_again(project):
    few = SWEEP | {"chapters": {"01_toy": {"parameters": {"b": 1}}, "02_toy": {"grid": {"b": [1]}}}}
    assert sweep(project, few, "--until", "chapter").returncode == 0
    (project / "notebooks" / "02_toy.py").write_text("from lib import checks\n")
    assert sweep(project, few, "--until", "chapter").returncode == 0
    assert sorted(done(project).values()) == [1, 2]


def test_shards_come_before_the_chapter_that_finds_their_models(project):
    parts = [{"part": part} for part in range(3)]
    asked = SWEEP | {"chapters": {"02_toy": {"parameters": {"b": 1}, "shards": parts}}}
    ended = sweep(project, asked)
    assert ended.returncode == 0, ended.stderr
    assert table(project).splitlines()[-1] == "02_toy,1,found,3.0,"
    assert len(done(project)) == 4


def test_a_bad_sweep_is_told_in_one_line(project):
    ended = sweep(project, SWEEP | {"name": "../up"})
    lines = [line for line in ended.stderr.splitlines() if "is no name" in line]
    assert ended.returncode == 1 and len(lines) == 1 and "Traceback" not in ended.stderr
