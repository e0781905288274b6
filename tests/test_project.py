"""The project's own files agree with one another."""

import ast
import fnmatch
import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml

from book.press import pdf
from book.press.__main__ import COMMANDS
from lib.chapter.parameters import chapter_names
from lib.chapter.plain_yaml import load_yaml
from lib.closure import imported
from lib.store import ROOT

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
CONDA_NAMES = {"pytorch": "torch"}
PACKAGE_NAMES = {"ot": "pot", "sklearn": "scikit-learn", "yaml": "pyyaml", "pybtex": "sphinxcontrib-bibtex"}
WITH_OTHERS = {"IPython", "PIL", "huggingface_hub"}  # come with ipykernel, torchvision and timm


def bare(requirement):
    return re.match(r"[\w.-]+", requirement)[0].lower()


def declared():
    """Packages of the environment that runs the book; Snakemake has another, and `bench` is what we compare with."""
    extras = [names for extra, names in PROJECT["optional-dependencies"].items() if extra not in ("workflow", "bench")]
    return {bare(name) for name in [*PROJECT["dependencies"], *(name for extra in extras for name in extra)]}


def packages(path):
    """The names in a conda environment, as pip knows them."""
    listed = yaml.safe_load((ROOT / path).read_text())["dependencies"]
    from_pip = next((entry["pip"] for entry in listed if isinstance(entry, dict)), [])
    names = {bare(entry) for entry in [*listed, *from_pip] if isinstance(entry, str) and not entry.startswith("-e")}
    return {CONDA_NAMES.get(name, name) for name in names} - {"python", "pip"}


def test_conda_and_pip_ask_for_the_same_packages():
    assert packages("environment.yml") == declared()


def test_binder_has_what_a_chapter_imports_and_no_more_than_the_project():
    named = packages(".binder/environment.yml")
    files = [*ROOT.glob("lib/**/*.py"), *ROOT.glob("notebooks/*.py")]
    used = {name.split(".")[0] for path in files for name in imported(path.read_bytes())} - sys.stdlib_module_names
    used = {PACKAGE_NAMES.get(name, name.replace("_", "-")) for name in used - WITH_OTHERS - {"lib"}}
    assert used | {"jupyterlab", "jupytext"} <= named <= packages("environment.yml")


def test_binders_preparation_imports_nothing_that_binder_lacks():
    named, seen, waiting = packages(".binder/environment.yml"), set(), [ROOT / "book/press/export.py"]
    while waiting:
        path = waiting.pop()
        seen.add(path)
        names = {name for name in imported(path.read_bytes()) if name.startswith(("book", "lib"))}
        found = {ROOT.joinpath(*name.split(".")).with_suffix(".py") for name in names}
        waiting += [one for one in found if one.exists() and one not in seen]
    used = {name.split(".")[0] for path in seen for name in imported(path.read_bytes())} - sys.stdlib_module_names
    used -= WITH_OTHERS | {"lib", "book"} | {"nbformat", "docutils", "setuptools"}  # of jupytext, myst-nb and pip
    assert {PACKAGE_NAMES.get(name, name.replace("_", "-")) for name in used} <= named


@pytest.mark.parametrize("path", sorted(ROOT.glob("benchmarks/*.py")), ids=lambda path: path.stem)
def test_a_benchmark_imports_what_there_is_and_is_called_so_that_it_can(path):
    names = imported(path.read_bytes())
    for node in ast.walk(ast.parse(path.read_bytes())):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] in ("lib", "book"):
            module = importlib.import_module(node.module)
            for one in node.names:
                assert hasattr(module, one.name) or importlib.util.find_spec(f"{node.module}.{one.name}"), one.name
    if any(name.split(".")[0] == "book" for name in names):  # which only a run from the root finds
        pages = [*ROOT.glob("book/*.md"), *ROOT.glob("*/README.md"), *ROOT.glob(".github/workflows/*"), path]
        assert not [page for page in pages if f"python benchmarks/{path.name}" in page.read_text()]


def test_binder_reads_which_python_it_is_and_runs_commands_that_there_are():
    listed = yaml.safe_load((ROOT / ".binder/environment.yml").read_text())["dependencies"]
    version = next(re.fullmatch(r"python=3\.(\d+)", entry)[1] for entry in listed if str(entry).startswith("python"))
    assert int(version) >= int(PROJECT["requires-python"].removeprefix(">=3."))
    prepare = ROOT / ".binder/postBuild"
    assert os.access(prepare, os.X_OK) and not (ROOT / "Dockerfile").exists()  # which Binder would take instead
    commands = re.findall(r"^python -m book.press (\S+)$", prepare.read_text(), flags=re.M)
    assert commands and {*commands} <= {*COMMANDS}


def stages():
    """The stages of the Dockerfile: name, what it is built from, and the commands in it."""
    text = re.sub(r"\\\n", " ", (ROOT / ".devcontainer/Dockerfile").read_text())
    found = re.findall(r"^FROM (\S+)(?: AS (\w+))?\n(.*?)(?=^FROM|\Z)", text, flags=re.M | re.S)
    return {name: (base, re.findall(r"^([A-Z]+) (.*)$", commands, flags=re.M)) for base, name, commands in found}


def test_an_image_is_built_by_commands_and_from_paths_that_exist():
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), flags=re.M))
    lowest = PROJECT["requires-python"].removeprefix(">=")
    made = (ROOT / "book/press/pdf.py").read_text() + (ROOT / "book/press/assemble.py").read_text()
    for base, commands in stages().values():
        assert base in (f"python:{lowest}-slim", *stages())
        for command, words in commands:
            first, _, second = words.partition(" ")
            if command == "RUN" and first == "make":
                assert second in targets
            if command == "COPY" and not first.startswith("--"):
                assert (ROOT / first).exists()
            if command == "COPY" and first.startswith("--from="):
                folder = second.split()[0].removeprefix("/project/")
                assert first.removeprefix("--from=") in stages() and all(
                    f'"{one}"' in made for one in folder.split("/")
                )


def test_a_development_container_takes_a_stage_that_there_is_and_serves_the_same_port():
    given = json.loads((ROOT / ".devcontainer/devcontainer.json").read_text())
    folder, build = ROOT / ".devcontainer", given["build"]
    assert (folder / build["dockerfile"]).is_file() and (folder / build["context"]).resolve() == ROOT.resolve()
    assert build["target"] in stages()
    port = str(given["forwardPorts"][0])
    assert ("EXPOSE", port) in stages()[""][1] and f"http.server {port}" in given["postAttachCommand"]
    assert given["postCreateCommand"] == "make book"


def test_an_image_gets_what_git_keeps_and_nothing_else():
    def lines(name):
        return {line.strip("/") for line in (ROOT / name).read_text().splitlines() if line and line[0] != "#"}

    assert {line.removeprefix("**/") for line in lines(".dockerignore")} >= lines(".gitignore")
    kept = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split("\n")
    for pattern in lines(".dockerignore"):
        left_out = re.compile(fnmatch.translate(pattern.removeprefix("**/")))
        for path in filter(None, kept):
            parts = Path(path).parts
            starts = range(len(parts)) if pattern.startswith("**/") else [0]
            inside = ["/".join(parts[start:end]) for start in starts for end in range(start + 1, len(parts) + 1)]
            assert not any(map(left_out.match, inside)), f"{pattern} leaves out {path}"


def test_what_is_cited_is_this_version():
    cited = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert cited["version"] == PROJECT["version"] and cited["license"] == PROJECT["license"]
    assert {"cff-version", "message", "title", "authors"} <= {*cited}


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
        for path in re.findall(r"^(?:bash|python) (?!-)(\S+)", step["run"], flags=re.M):
            assert (ROOT / path).is_file()
        assert {*re.findall(r"^make \w+ NAME=(\S+)", step["run"], flags=re.M)} <= {*chapter_names()}


def test_a_release_takes_the_file_that_make_pdf_prints():
    steps = load_yaml((ROOT / ".github/workflows/release.yml").read_bytes(), "release")["jobs"]["release"]["steps"]
    ran = [step.get("run", "") for step in steps]
    assert f"mv _build/pdf/{pdf.NAME}.pdf" in ran[ran.index("make pdf") + 1]


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
