"""A chapter on its own holds no MyST, tells its run's numbers, and runs without a checkout."""

import ast
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import venv

import jupytext
import nbformat
import pytest
from helpers import executed
from test_project import PROJECT, bare

from book._ext.reach import Address, chosen
from book.press import export
from lib.chapter import results
from lib.chapter.parameters import chapter_names, notebook_path
from lib.chapter.plotting import FigureHTML, Slider, SliderFigure, panels
from lib.store import CODE, ROOT, write_whole

RAW = re.compile(r"\{[\w:-]+\}`|:::|^`{3,}\{|~{3,}\{|^\([\w-]+\)=$|\]\(#|\$\$ *\([\w-]+\)$", flags=re.M)
DRAWN = FigureHTML(panels(1), "fig-a", "One line that falls from left to right.", "Simulated: it falls").body


def prose(notebook):
    return "\n\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")


def code(notebook):
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def glued(name, value, kind="text/plain", record=True):
    prefix = export.RECORD if record else ""
    metadata = {"scrapbook": {"name": name, "mime_prefix": prefix}}
    return nbformat.v4.new_output("display_data", {prefix + kind: value}, metadata=metadata)


@pytest.fixture
def run():
    """An executed notebook with a caption before its figure, one after it, and a number."""
    cells = [":::{glue:figure} fig-a\n:name: fig-a\n\nFirst {glue:text}`rms:.2f`.\n:::", [glued("rms", "0.123")]]
    cells += [[glued("fig-a", DRAWN, "text/html", False)], [glued("fig-b", DRAWN, "text/html", False)]]
    cells += [":::{glue:figure} fig-b\n:name: fig-b\n\nSecond.\n:::"]
    made = [nbformat.v4.new_markdown_cell(cell) if isinstance(cell, str) else
            nbformat.v4.new_code_cell("from lib.geometry import rsa", outputs=cell) for cell in cells]  # fmt: skip
    return nbformat.v4.new_notebook(cells=made)


@pytest.mark.parametrize("with_run", [False, True])
@pytest.mark.parametrize("name", chapter_names())
def test_no_chapter_on_its_own_holds_myst(name, with_run):
    path = results.output_path(name, "quick")
    if with_run and not path.exists():
        pytest.skip("the chapter has not run: `make book`")
    run = nbformat.read(path, as_version=4) if with_run else None
    notebook = export.plain(run or jupytext.read(notebook_path(name)), name, run)
    nbformat.validate(notebook)
    text = re.sub(r'src="data:[^"]*"', "", prose(notebook))
    assert not RAW.findall(text)
    assert len(text) > 5000 and ("of your run]" in text) != with_run
    assert len(re.findall(r"<details[ >]", text)) == text.count("</details>") > 1
    for cell in code(notebook)[1:]:
        assert not re.search(r"\b(from|import) lib\b", cell.source) and ast.parse(cell.source)


def test_a_picture_stands_with_a_caption_that_comes_before_its_code(run):
    found = export.plain(run, "01_superposition", run)
    first, second = (cell.source for cell in found.cells if cell.cell_type == "markdown")
    assert first.startswith('<p class="figure-title">Simulated: it falls</p>') and "First 0.12." in first
    assert first.count("<img ") == 1 and 'alt="One line that falls from left to right."' in first
    assert "\n\n**Fig" in first and second == "**Figure.** Second."


def test_outputs_hold_images_that_need_no_trust_and_no_records(run):
    found = code(export.plain(run, "01_superposition", run))
    assert [len(cell.outputs) for cell in found] == [0, 0, 1, 1]
    shown = found[2].outputs[0].data["text/html"]
    assert "<svg" not in shown and "data:image/svg+xml;base64," in shown and "figure-title" in shown
    assert "<svg" in run.cells[2].outputs[0].data["text/html"]  # of the notebook given


def test_a_word_loses_the_quotes_that_python_prints_and_a_text_keeps_its_own():
    outputs = [glued("word", "'it\\'s'"), glued("text", '"So" it says', "text/markdown"), glued("n", "18")]
    run = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("", outputs=outputs)])
    assert export._glued(run) == ({"word": "it's", "text": '"So" it says', "n": "18"}, {})


def test_sliders_become_a_picture_and_words():
    (ax,) = panels(1)
    (line,) = ax.plot([0, 1], [0, 1])
    line.set_gid("line")
    knob = {"a": Slider([1, 2], "slope")}
    moving = SliderFigure(ax, "s", "One line whose slope follows a slider.", knob, lambda a: {"line": ([0, 1], [0, a])})
    still = export._still(moving.body)
    assert "<script" not in still and "<input" not in still and "Run the code to move the sliders" in still
    assert still.count("<img") == 1


def test_one_that_stands_alone_installs_its_package_first_and_any_other_imports_lib(run):
    alone, here = export.plain(run, "01_superposition"), export.plain(run, "01_superposition", alone=False)
    assert alone.cells[0].source == export.install_cell(chosen())
    assert code(alone)[1].source == "from superposition_alignment.geometry import rsa"
    assert code(here)[0].source == "from lib.geometry import rsa"


def test_a_package_comes_from_the_repository_or_a_wheel_but_from_no_index():
    place = Address("https:/" + "/somewhere.org/us/book", "dev")
    assert f'PACKAGE = "superposition-alignment[chapters] @ git+{place.repository}@dev"' in export.install_cell(place)
    assert 'PACKAGE = "superposition_alignment-0-py3-none-any.whl[chapters]"' in export.install_cell(Address())


def test_folded_cells_are_folded_where_notebooks_are_read(run):
    run.cells[1].metadata["tags"] = ["hide-input"]
    found = export.plain(run, "01_superposition", alone=False).cells
    assert found[1].metadata["jupyter"] == {"source_hidden": True, "outputs_hidden": False}
    assert found[1].metadata["cellView"] == "form" and "jupyter" not in found[2].metadata


def test_an_export_says_nothing_that_differs_from_run_to_run(project):
    write_whole(project / "notebooks" / "01_first.py", "# %% [markdown]\n# (ch-first)=\n# # First\n")
    executed(project, "01_first", "quick")
    text = export.exported("01_first", "quick")
    assert text == export.exported("01_first", "quick") and "62.5" not in text and "draws = 5" not in text


def test_a_copy_that_was_saved_is_kept_and_any_other_follows_the_chapter(project, capsys):
    path = project / "build" / "lab" / "01_first.ipynb"
    write_whole(project / "notebooks" / "01_first.py", "# %% [markdown]\n# # First\n\n# %%\na = 1\n")
    export.write_copies([], "quick")
    assert "01_first: its text names numbers" in (told := capsys.readouterr().out) and "run `make book`" in told
    write_whole(project / "notebooks" / "01_first.py", "# %% [markdown]\n# # Second\n\n# %%\na = 1\n")
    export.write_copies(["01_first"], "quick")
    assert "# Second" in path.read_text()
    mine = nbformat.read(path, as_version=4)
    mine.cells[1].source = "a = 2"
    nbformat.write(mine, path)
    capsys.readouterr()
    export.write_copies([], "quick")
    assert "a = 2" in path.read_text() and "is kept as you saved it" in capsys.readouterr().out


def test_opening_a_copy_does_not_count_as_a_change_but_running_it_does(run):
    read = nbformat.reads(nbformat.writes(run), as_version=4)
    read.metadata["kernelspec"] = {"name": "other"}
    assert export._digest(read) == export._digest(run)
    read.cells[2].outputs = []
    assert export._digest(read) != export._digest(run)


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """A wheel of this checkout, built from a copy."""
    folder = tmp_path_factory.mktemp("wheel")
    for name in ("lib", "book", "notebooks"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__", "chapters", "*.ipynb"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, folder)
    build = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "--no-index"]
    done = subprocess.run([*build, "-w", str(folder), str(folder)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return next(folder.glob("*.whl"))


@pytest.fixture
def fresh(tmp_path):
    """An interpreter with the packages of this one, without this project, and with none that `chapters` leaves out."""
    venv.create(tmp_path / "env", symlinks=True)
    place = next((tmp_path / "env" / "lib").glob("python*")) / "site-packages"
    (place / "others.pth").write_text(sysconfig.get_path("purelib") + "\n")  # whose own .pth files are not read
    extras = PROJECT["optional-dependencies"]
    without = {bare(name).replace("-", "_") for name in extras["book"]}
    without -= {bare(name) for name in extras["chapters"]}
    (place / "sitecustomize.py").write_text(f"import sys\nsys.modules.update(dict.fromkeys({sorted(without)!r}))\n")
    return tmp_path / "env" / "bin" / "python"


EXECUTE = """import sys, nbformat, nbclient
notebook = nbformat.read(sys.argv[1], as_version=4)
nbclient.NotebookClient(notebook, timeout=None, kernel_name="python3").execute()
nbformat.write(notebook, sys.argv[1])
"""


QUICK = ("16_metrics", "23_claims")  # the other chapters take half an hour together
TRAINS = pytest.mark.skipif("RUN_ALONE" not in os.environ, reason="trains from nothing: set RUN_ALONE=1 to run it")


@pytest.mark.timeout(3600)
@pytest.mark.parametrize("name", [pytest.param(n, marks=() if n in QUICK else TRAINS) for n in chapter_names()])
def test_a_chapter_on_its_own_runs_in_a_fresh_environment(name, wheel, fresh, tmp_path):
    folder = tmp_path / "somewhere"
    folder.mkdir()
    notebook = export.plain(jupytext.read(notebook_path(name)), name)
    notebook.cells[0].source = re.sub(r'PACKAGE = ".*"', f'PACKAGE = "{wheel}[chapters]"', notebook.cells[0].source)
    nbformat.write(notebook, folder / f"{name}.ipynb")
    outside = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    done = subprocess.run(
        [fresh, "-c", EXECUTE, f"{name}.ipynb"], cwd=folder, env=outside, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr[-3000:]
    written = results.read_results(folder / "build" / "quick" / f"{name}.by-hand.json", name, "quick")
    assert written["provenance"]["revision"].startswith("version ")
    assert {path.name for path in folder.iterdir()} == {"build", f"{name}.ipynb"}
    assert not (CODE / "build" / "quick" / f"{name}.by-hand.json").exists()
