"""What importing a module loads: a heavy package comes when a function needs it, so that `import` stays quick."""

import json
import subprocess
import sys

import pytest

from lib.store import CODE

HEAVY = {"IPython", "h5py", "jupytext", "matplotlib", "nbformat", "nibabel", "ot", "pandas", "seaborn"}
HEAVY |= {"sklearn", "timm", "scipy.optimize", "scipy.special", "scipy.stats", "torch._dynamo", "torchvision"}
# Whose results are tables or figures, or who read such files; all other modules load none of these.
TABLES = {f"lib.{name}" for name in ("latent_layers", "layers", "pairings", "report", "seeds")}
TABLES |= {
    f"lib.chapter.{name}"
    for name in ("calibration", "expected", "joint_expectations", "layer_tables", "network_pairs", "toy_pairs", "ways")
}
FIGURES = {f"lib.chapter.{name}" for name in ("dose", "hearing", "natural", "network_overlaps", "overlaps")}
FIGURES |= {f"lib.chapter.{name}" for name in ("calculator", "pairing_plots", "plotting", "run")}
FIGURES |= {f"lib.chapter.{name}" for name in ("schematic", "setting_plots", "toy_trainer")}
FILES = {f"lib.data.{name}" for name in ("arrays", "extraction", "formats", "nsd", "nsd_simulation", "saes")}
ALLOWED = [
    (TABLES | FIGURES, {"pandas"}),
    (FIGURES, {"matplotlib", "seaborn", "scipy.special", "scipy.stats", "scipy.optimize"}),
    (
        FILES | {f"lib.chapter.{name}" for name in ("natural", "network_overlaps", "network_pairs")},
        {"h5py", "nibabel", "pandas"},
    ),
    ({"lib.data.cifar_vit"}, {"torchvision", "torch._dynamo"}),
]
MODULES = [".".join(path.relative_to(CODE).with_suffix("").parts) for path in sorted(CODE.glob("lib/**/[a-z]*.py"))]
LOADED = """
import importlib, json, os, sys, torch
for module in sys.argv[1:]:
    if not (child := os.fork()):
        importlib.import_module(module)
        print(json.dumps([module, list(sys.modules)]), flush=True)
        os._exit(0)
    os.waitpid(child, 0)
"""


@pytest.fixture(scope="module")
def loaded():
    """What each module loads in an interpreter that has torch and nothing else."""
    call = [sys.executable, "-c", LOADED, *MODULES]
    lines = subprocess.run(call, cwd=CODE, capture_output=True, text=True, check=True).stdout.splitlines()
    return {module: set(names) for module, names in map(json.loads, lines)}


@pytest.mark.parametrize("module", MODULES)
def test_importing_a_module_loads_no_heavy_package_it_may_not_need(module, loaded):
    may = set().union(*(packages for modules, packages in ALLOWED if module in modules))
    assert not loaded[module] & (HEAVY - may)


def test_no_permission_is_left_over(loaded):
    for modules, packages in ALLOWED:
        assert modules <= {*MODULES}
        assert packages <= set().union(*(loaded[module] for module in modules))


def test_the_command_that_runs_chapters_starts_without_torch():
    code = "import book.press.runner, sys; print('torch' in sys.modules, 'matplotlib' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], cwd=CODE, capture_output=True, text=True, check=True)
    assert done.stdout == "False False\n"  # the kernels that it starts load them
