"""An installed copy, in an environment of its own: under its own name, light, and as the README says."""

import re
import shutil
import subprocess
import sys
import sysconfig
import venv
import zipfile

import numpy as np
import pytest
from test_project import PROJECT, bare

from lib.chapter.claims import load_claims
from lib.chapter.parameters import chapter_names, declared
from lib.store import ROOT

BLOCKS = re.findall(r"^```python\n(.*?)^```", (ROOT / "README.md").read_text(), flags=re.M | re.S)
MODULES = {"pot": "ot", "scikit-learn": "sklearn", "pyyaml": "yaml", "myst-nb": "myst_nb"}
# Of this project, in the order in which Python looks for a module: nothing but what is installed.
LOOKS = "import sys\nsys.modules.update(dict.fromkeys({without!r}))\n"


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """The interpreter of a fresh environment that holds a wheel of this project, and finds the packages it needs."""
    folder = tmp_path_factory.mktemp("installed")
    for name in ("lib", "book/press", "book/results", "notebooks"):
        shutil.copytree(ROOT / name, folder / "source" / name, ignore=shutil.ignore_patterns("__pycache__", "*.ipynb"))
    shutil.copy(ROOT / "book" / "claims.yml", folder / "source" / "book")
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, folder / "source")
    wheel = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "--no-index"]
    done = subprocess.run([*wheel, "-w", str(folder), str(folder / "source")], capture_output=True, text=True)
    if "No module named" in done.stderr:
        pytest.skip("setuptools or pip is missing here")
    assert done.returncode == 0, done.stderr
    venv.create(folder / "env", symlinks=True)
    python = folder / "env" / "bin" / "python"
    place = next((folder / "env" / "lib").glob("python*")) / "site-packages"
    with zipfile.ZipFile(next(folder.glob("*.whl"))) as file:
        file.extractall(place)
    (place / "others.pth").write_text(sysconfig.get_path("purelib") + "\n")  # whose own .pth files are not read
    return python, place


def run(python, code, cwd):
    done = subprocess.run([python, "-c", code], cwd=cwd, capture_output=True, text=True, timeout=250)
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout


def test_it_claims_its_own_name_alone(installed, tmp_path):
    python, place = installed
    found = {path.name for path in place.iterdir() if not path.name.startswith(("_", "others"))}
    assert {name for name in found if not name.endswith(".dist-info")} == {"superposition_alignment"}
    assert next(place.glob("*.dist-info/top_level.txt")).read_text().split() == ["superposition_alignment"]
    assert not [path for path in place.rglob("*.py") if re.search(r"\b(from|import) lib\b", path.read_text())]
    assert run(python, "import importlib.util as u; print(u.find_spec('lib'))", tmp_path) == "None\n"


def test_metrics_need_four_packages_and_run_as_the_readme_says(installed, tmp_path):
    python, _ = installed
    extras = [name for extra in ("report", "book", "lab") for name in PROJECT["optional-dependencies"][extra]]
    without = {MODULES.get(bare(name), bare(name)).replace("-", "_") for name in extras}
    assert {bare(name) for name in PROJECT["dependencies"]} == {"torch", "numpy", "scipy", "pot"}
    told = run(python, LOOKS.format(without=sorted(without)) + BLOCKS[0], tmp_path)
    assert re.fullmatch(r"-?0\.\d{4} -?0\.\d{4} ± 0\.\d{4}\n", told)


def test_the_report_runs_as_the_readme_says(installed, tmp_path):
    python, _ = installed
    rng = np.random.default_rng(0)
    features = rng.random((400, 12)) * (rng.random((400, 12)) < 0.2)
    for name in ("first", "second"):
        np.save(tmp_path / f"{name}.npy", features @ rng.normal(size=(12, 8)))
    needed = {MODULES.get(name, name) for name in map(bare, PROJECT["optional-dependencies"]["report"])}
    others = {"torchvision", "timm", "matplotlib", "seaborn", "jupytext", "papermill", "yaml"} - needed
    told = run(python, LOOKS.format(without=sorted(others)) + BLOCKS[1].replace("steps=2000", "steps=20"), tmp_path)
    assert "**" in told and list((tmp_path / "build/trained").glob("*.pt"))


CARRIED = """
from pathlib import Path
from superposition_alignment.chapter.claims import ledger, runs_of
from superposition_alignment.chapter.overlaps import grid_cells
from superposition_alignment.chapter.parameters import chapter_names, declared
from superposition_alignment.chapter.run import git_revision
Path("notebooks").mkdir()
print(*chapter_names(), len(ledger(runs_of("quick"))), len(grid_cells(Path("book/results/overlap.jsonl"))))
print(len(declared("05_partial_overlap")), git_revision())
"""


def test_what_chapters_read_is_carried_and_a_folder_of_the_same_name_is_not_taken_for_it(installed, tmp_path):
    first, second = run(installed[0], CARRIED, tmp_path).splitlines()
    rows = (ROOT / "book" / "results" / "overlap.jsonl").read_text().splitlines()
    assert first.split() == [*chapter_names(), str(len(load_claims())), str(len(rows))]
    assert second == f"{len(declared('05_partial_overlap'))} version {PROJECT['version']}"


def test_a_checkout_installed_in_place_is_found_under_both_names(installed, tmp_path):
    source = installed[1].parents[3] / "source"
    build = f"from setuptools import build_meta; build_meta.build_editable({str(tmp_path)!r})"
    subprocess.run([sys.executable, "-I", "-c", build], cwd=source, capture_output=True, check=True)
    with zipfile.ZipFile(next(tmp_path.glob("*.whl"))) as file:
        finder = file.read(next(name for name in file.namelist() if name.endswith("finder.py"))).decode()
    for name in ("lib", "superposition_alignment"):
        assert f"{name!r}: {str(source / 'lib')!r}" in finder


def test_the_lines_of_the_readme_are_few():
    for block in BLOCKS:
        assert len([line for line in block.splitlines() if line]) <= 5


def test_in_a_checkout_a_notebook_for_installed_copies_gets_the_modules_of_lib():
    code = "import lib.chapter.both_names, lib.moments, superposition_alignment.moments, superposition_alignment as s;"
    code += "from superposition_alignment.chapter.tables import by; import lib.chapter.tables as tables;"
    code += "print(s is lib, s.moments is lib.moments, by is tables.by, lib.moments.__spec__.name, s.__name__)"
    assert run(sys.executable, code, ROOT) == "True True True lib.moments lib\n"
