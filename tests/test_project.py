"""The project's own files agree with one another."""

import re
import shutil
import subprocess
import tomllib

import pytest
import yaml

from lib.chapter.plain_yaml import load_yaml
from lib.store import ROOT

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
CONDA_NAMES = {"pytorch": "torch"}


def bare(requirement):
    return re.match(r"[\w.-]+", requirement)[0].lower()


def declared():
    """Packages of the environment that runs the book; Snakemake has another, and `bench` is what we compare with."""
    extras = [names for extra, names in PROJECT["optional-dependencies"].items() if extra not in ("workflow", "bench")]
    return {bare(name) for name in [*PROJECT["dependencies"], *(name for extra in extras for name in extra)]}


def test_conda_and_pip_ask_for_the_same_packages():
    listed = yaml.safe_load((ROOT / "environment.yml").read_text())["dependencies"]
    from_pip = next(entry["pip"] for entry in listed if isinstance(entry, dict))
    names = {bare(entry) for entry in [*listed, *from_pip] if isinstance(entry, str) and not entry.startswith("-e")}
    names = {CONDA_NAMES.get(name, name) for name in names} - {"python", "pip"}
    assert names == declared()


def test_python_version_agrees():
    listed = yaml.safe_load((ROOT / "environment.yml").read_text())["dependencies"]
    assert f"python {PROJECT['requires-python']}" in listed


def test_one_constraints_file_pins_everything_and_names_no_address():
    text = (ROOT / "constraints.txt").read_text()
    assert "://" not in text and "--" not in text
    pinned = {line.split("==")[0].lower() for line in text.splitlines()}
    assert {name.replace("_", "-") for name in declared()} <= pinned
    assert all("==" in line for line in text.splitlines())


def test_the_workflow_has_constraints_of_its_own_that_name_no_address():
    text = (ROOT / "workflow" / "constraints.txt").read_text()
    assert "/" not in text and "--" not in text and all("==" in line for line in text.splitlines())
    pinned = {line.split("==")[0] for line in text.splitlines()}
    assert {bare(name) for name in PROJECT["optional-dependencies"]["workflow"]} <= pinned


def test_commands_named_in_the_pages_exist():
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), flags=re.M))
    pages = [ROOT / "README.md", *(ROOT / "book").glob("*.md"), *(ROOT / "notebooks").glob("*.py")]
    pages += (ROOT / ".github" / "workflows").glob("*.yml")
    command = re.compile(r"^(?:# | *- run: )?make ([a-z-]+)(?= [A-Z]+=|$)", flags=re.M)
    named = {word for page in pages for word in command.findall(page.read_text())}
    assert {"book", "test", "chapter", "claims", "lab", "links"} <= named <= targets


@pytest.mark.parametrize("job", sorted((ROOT / ".github" / "workflows").glob("*.yml")), ids=lambda path: path.stem)
def test_jobs_run_files_that_exist_and_have_no_more_rights_than_they_say(job):
    content = load_yaml(job.read_bytes(), job.name)
    assert content["permissions"] and all(one["runs-on"] for one in content["jobs"].values())
    for step in (step for one in content["jobs"].values() for step in one["steps"] if "run" in step):
        for path in re.findall(r"^(?:bash|python) (\S+)", step["run"], flags=re.M):
            assert (ROOT / path).is_file()


def test_help_lists_every_command():
    shown = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True).stdout
    targets = re.findall(r"^([a-z-]+):.*##", (ROOT / "Makefile").read_text(), flags=re.M)
    assert all(f"make {target}" in shown for target in targets)


@pytest.mark.parametrize("profile", ["../lib", "..", ".", "", "quick lib", "*", "/", "build/../lib", "a;b"])
def test_clean_deletes_nothing_but_a_profile_and_says_so_in_one_line(profile, tmp_path):
    shutil.copy(ROOT / "Makefile", tmp_path)
    for name in ("lib", "build/quick", "build/trained"):
        (tmp_path / name).mkdir(parents=True)
    done = subprocess.run(["make", "-s", "clean", f"PROFILE={profile}"], cwd=tmp_path, capture_output=True, text=True)
    told = [line for line in done.stderr.splitlines() if not line.startswith("make")]
    assert done.returncode and told == [f"PROFILE='{profile}' is no folder of build/: write letters, digits, - and _"]
    assert (tmp_path / "lib").exists() and (tmp_path / "build/quick").exists() and (tmp_path / "build/trained").exists()
    subprocess.run(["make", "-s", "clean"], cwd=tmp_path, check=True)
    assert (tmp_path / "build/trained").exists() and not (tmp_path / "build/quick").exists()
