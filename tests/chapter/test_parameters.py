"""What the runner believes of a chapter's parameters is what papermill and Python believe."""

import jupytext
import papermill
import pytest

from lib.chapter import parameters
from lib.chapter.parameters import chapter_names, checked, declared, scope_values
from lib.store import ROOT, write_whole


@pytest.mark.parametrize("chapter", chapter_names())
def test_papermill_and_python_see_the_same_parameters(chapter, tmp_path):
    notebook = jupytext.read(parameters.notebook_path(chapter))
    path = tmp_path / "chapter.ipynb"
    jupytext.write(notebook, path)
    seen = papermill.inspect_notebook(str(path))
    known = declared(chapter)
    assert list(seen) == list(known)
    scope: dict = {}
    exec(next(c.source for c in notebook.cells if "parameters" in c.metadata.get("tags", [])), scope)
    for name, parameter in known.items():
        assert scope[name] == parameter.default
        assert seen[name]["help"] == parameter.help
        assert seen[name]["inferred_type_name"] == parameter.type


@pytest.mark.parametrize("chapter", chapter_names())
def test_every_profile_fits_its_chapter(chapter):
    for folder in (ROOT / "notebooks" / "profiles").iterdir():
        checked(chapter, parameters.profile_values(chapter, folder.name))


def test_every_profile_file_belongs_to_a_chapter():
    files = {path.stem for path in (ROOT / "notebooks" / "profiles").glob("*/*.yml")}
    assert files <= set(chapter_names())


@pytest.fixture
def chapter(project):
    def write(*lines):
        body = "\n".join(lines)
        write_whole(project / "notebooks" / "01_tiny.py", f'# %% tags=["parameters"]\n{body}\n')
        return "01_tiny"

    return write


@pytest.mark.parametrize(
    "line",
    [
        "draws = 2  # number of draws",
        "draws: int = 2",
        "draws: int = 2  # number = count",
        "draws: int = 2  # number # of draws",
        "draws: int | None = 2  # number of draws",
    ],
)
def test_line_that_papermill_would_misread_is_refused(chapter, line):
    with pytest.raises(ValueError, match="should read"):
        declared(chapter(line))


def test_default_of_another_type_is_refused(chapter):
    with pytest.raises(ValueError, match="draws = 2.5 should be of type int"):
        declared(chapter("draws: int = 2.5  # number of draws"))


@pytest.mark.parametrize(("given", "value"), [(3, 3.0), (0.1, 0.1)])
def test_whole_number_fits_a_float(chapter, given, value):
    known = checked(chapter("rate: float = 0.5  # a rate, per second"), {"rate": given})
    assert known == {"rate": value} and isinstance(known["rate"], float)


@pytest.mark.parametrize("given", [True, "3", None, [3], 2.5])
def test_other_types_do_not_fit_an_int(chapter, given):
    with pytest.raises(ValueError, match="should be of type int"):
        checked(chapter("draws: int = 2  # number of draws"), {"draws": given})


def test_lists_are_checked_entry_by_entry(chapter):
    name = chapter("ks: list[int] = [2, 4]  # active features")
    assert checked(name, {"ks": [8]}) == {"ks": [8]}
    with pytest.raises(ValueError, match=r"should be of type list\[int\]"):
        checked(name, {"ks": [8, "x"]})


def test_running_values_are_those_of_the_declared_names(chapter):
    name = chapter("draws: int = 2  # number of draws")
    assert scope_values(name, {"draws": 5, "other": 6}) == {"draws": 5}


@pytest.mark.parametrize("head", ['# %% tags=["parameters"]', "#%% tags=['hide-input', 'parameters']"])
def test_a_cell_is_found_by_its_tag_in_each_form_that_jupytext_reads(head, project):
    path = project / "notebooks" / "01_first.py"
    path.parent.mkdir()
    path.write_text(f'# %% note="parameters"\nx = 1\n\n{head}\ndraws: int = 2  # number\n\n#%%\ny = 1\n')
    tagged = [cell for cell in jupytext.read(path).cells if "parameters" in cell.metadata.get("tags", [])]
    assert [cell.source for cell in tagged] == ["draws: int = 2  # number"]
    assert declared("01_first").keys() == {"draws"}
