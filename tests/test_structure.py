"""The rules of the layout, read from the source: who may import whom, and how long anything may be."""

import ast
import subprocess
import sys
from collections import Counter
from graphlib import CycleError, TopologicalSorter

import pytest

from lib.closure import imported
from lib.store import CODE

NOTEBOOK_TOOLS = {"jupytext", "papermill", "nbformat", "myst_nb", "yaml", "matplotlib", "seaborn"}
LINES, PARAMETERS = 40, 7  # of one function
# Where the code stands; the plan is 2,300, 5,000 and 1,000. An addition raises a number by what it needs.
BUDGETS = {"lib": ("lib/*.py", 6862), "lib in all": ("lib/**/*.py", 12736), "book/press": ("book/press/*.py", 2579)}
# Python beside the Snakefile: Snakemake has the rest.
BUDGETS["workflow"] = ("workflow/*.py", 176)

LIB, PRESS = sorted(CODE.glob("lib/**/*.py")), sorted(CODE.glob("book/press/*.py"))
FLOW = sorted(CODE.glob("workflow/*.py"))
FLAT = [path for path in LIB if path.parent.name == "lib"]
MODULES = {".".join(path.relative_to(CODE).with_suffix("").parts): path for path in LIB + PRESS}


def imports(path):
    return imported(path.read_bytes())


def imports_at_top(path):
    """What importing the module imports; a function may still fetch what it needs when it is called."""
    body = ast.parse(path.read_text(encoding="utf-8")).body
    top = [node for node in body if isinstance(node, ast.Import | ast.ImportFrom)]
    return imported(ast.unparse(ast.Module(top, [])).encode())


def short(path):
    return str(path.relative_to(CODE))


def within(names, roots):
    return sorted(name for name in names if any(name == root or name.startswith(f"{root}.") for root in roots))


def functions(path):
    """Every function of a file with its line and the number of its parameters, self and cls not counted."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            given = node.args
            named = [*given.posonlyargs, *given.args, *given.kwonlyargs, *filter(None, (given.vararg, given.kwarg))]
            yield node, len([parameter for parameter in named if parameter.arg not in ("self", "cls")])


@pytest.mark.parametrize("path", LIB, ids=short)
def test_nothing_in_lib_imports_the_press(path):
    assert not within(imports(path), ["book"])


@pytest.mark.parametrize("path", FLAT, ids=short)
def test_the_science_knows_neither_readers_nor_notebook_tools(path):
    assert not within(imports(path), ["lib.data", "lib.chapter"])
    assert not within(imports_at_top(path), NOTEBOOK_TOOLS)


def test_imports_go_one_way():
    graph = {name: {other for other in imports(path) if other in MODULES} for name, path in MODULES.items()}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(" -> ".join(error.args[1]))


@pytest.mark.parametrize("path", LIB + PRESS + FLOW, ids=short)
def test_functions_are_short_and_take_few_parameters(path):
    for node, parameters in functions(path):
        assert node.end_lineno - node.lineno < LINES, f"{node.name}, line {node.lineno}"
        assert parameters <= PARAMETERS, f"{node.name}, line {node.lineno}"


@pytest.mark.parametrize("part", BUDGETS)
def test_the_code_stays_small(part):
    pattern, most = BUDGETS[part]
    lines = Counter({short(path): len(path.read_text(encoding="utf-8").splitlines()) for path in CODE.glob(pattern)})
    assert lines.total() <= most, lines.most_common(5)


@pytest.mark.parametrize("path", LIB + PRESS, ids=short)
def test_locks_are_taken_in_one_place(path):
    assert "fcntl" not in imports(path) or short(path) in ("lib/store.py", "lib/closure.py")


@pytest.mark.parametrize("module", [f"lib.{path.stem}" for path in FLAT if path.stem in ("sae", "theory", "geometry")])
def test_importing_the_science_loads_no_notebook_tool(module):
    """In a fresh interpreter, whatever the imports are written like."""
    code = f"import sys, {module}; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], cwd=CODE, capture_output=True, text=True, check=True).stdout
    assert not {"lib.chapter", "IPython", "papermill", "pandas", *NOTEBOOK_TOOLS} & set(loaded.split())
