"""What decides a chapter's output is computed: every file of its code, what its settings name, packages, records."""

import os
import shutil
from modulefinder import ModuleFinder
from pathlib import Path

import pytest

from lib import closure, store
from lib.chapter import results
from lib.chapter.parameters import chapter_names, notebook_path, reads_ledger

CHAPTERS = chapter_names()
FIRST = CHAPTERS[0]


@pytest.fixture
def scratch(tmp_path, monkeypatch):
    """A copy of the project's code, which the test may edit."""
    for folder in ("lib", "notebooks", "book"):
        ignore = shutil.ignore_patterns("__pycache__", "chapters", "*.ipynb")
        shutil.copytree(store.ROOT / folder, tmp_path / folder, ignore=ignore)
    for name in ("ROOT", "CODE"):
        monkeypatch.setattr(store, name, tmp_path)
    return tmp_path


def keys():
    return {name: results.chapter_dependencies(name, {}, "quick") for name in CHAPTERS}


def imported_files(notebook, root):
    """The files of a project that a script imports, by the standard library's own search through the bytecode."""
    finder = ModuleFinder(path=[str(root)])
    finder.run_script(str(notebook))
    return {Path(module.__file__) for module in finder.modules.values() if module.__file__}


def test_one_edit_changes_exactly_the_chapters_whose_closure_holds_it(scratch):
    """Every module of the project, every chapter."""
    needs = {name: imported_files(notebook_path(name), scratch) for name in CHAPTERS}
    before, modules = keys(), sorted([*(scratch / "lib").rglob("*.py"), *(scratch / "book/press").rglob("*.py")])
    assert len(modules) > 30
    for module in modules:
        text = module.read_bytes()
        module.write_bytes(text + b"# one comma, more or less\n")
        after = keys()
        changed = {name for name in CHAPTERS if after[name] != before[name]}
        assert changed == {name for name in CHAPTERS if module in needs[name]}, module
        told = {tuple(store.differing(before[name], after[name])) for name in changed}
        assert told <= {(str(module.relative_to(scratch)),)}
        module.write_bytes(text)
    assert keys() == before


def test_press_decides_no_number_and_plots_do_not_touch_models(scratch):
    assert not any("book/press" in part for parts in keys().values() for part in parts)


@pytest.mark.parametrize("package", ["torch", "numpy", "scipy", "scikit-learn", "pot", "matplotlib"])
def test_another_version_of_a_package_changes_the_chapters_that_compute_with_it(package, scratch, monkeypatch):
    before, own = keys(), closure._version
    monkeypatch.setattr(closure, "_version", lambda name: "0.0" if name == package else own(name))
    assert all(store.differing(before[name], parts) == [package] for name, parts in keys().items())


def test_records_claims_and_other_chapters_count_where_they_are_shown(scratch):
    before, judge = keys(), next(name for name in CHAPTERS if reads_ledger(name))
    store.write_whole(scratch / f"book/results/paper/{FIRST}.json", "{}")
    after = keys()
    assert {name for name in CHAPTERS if after[name] != before[name]} == {FIRST, judge}
    store.write_whole(scratch / f"build/quick/{FIRST}.json", "{}")
    assert {name for name, parts in keys().items() if parts != after[name]} == {judge}


def test_a_chapter_with_a_later_number_comes_before_the_verdicts(scratch):
    store.write_whole(scratch / "notebooks/99_more.py", "x = 1\n")
    assert chapter_names()[-2:] == ["99_more", CHAPTERS[-1]] and reads_ledger(CHAPTERS[-1])


# What settings name


def value(folder, shape):
    return shape.replace("FOLDER", str(folder))


def test_settings_count_with_their_values():
    seen = [results.chapter_dependencies(FIRST, given, "quick") for given in ({"draws": 2}, {"draws": 3}, {"rate": 2})]
    assert len({store.key(parts) for parts in seen}) == 3
    assert results.chapter_dependencies(FIRST, {"a": "x" * 5000, "b": ["y", 3], "c": None}, "quick")


FILES = {
    "a file": "FOLDER/a.npz",
    "an array in a file": "FOLDER/a.npz:layer4",
    "an array whose name has colons": "FOLDER/a.npz:blocks:4@x",
    "weights": "file:FOLDER/a.npz@torchvision:resnet50",
    "a folder with @": "FOLDER/me@gmail.com/a.npz:layer4",
    "a folder with a colon": "file:FOLDER/run:3/a.npz@timm:vit",
    "seeds": "FOLDER/other.npy,FOLDER/a.npz:layer4",
    "a folder": "FOLDER",
    "images": "folder:FOLDER",
    "a torchvision set": "cifar10:FOLDER",
    "crops": "crops:5:folder:FOLDER",
    "a link to a folder": "FOLDER/link",
    "a zip": "zip:FOLDER/a.npz",
    "a list": ["torchvision:resnet18", "file:FOLDER/a.npz@torchvision:resnet50"],
}


def rewritten(file):
    """Other bytes of the same size, with the old dates put back."""
    at = file.stat()
    file.write_bytes(bytes(reversed(file.read_bytes())))
    os.utime(file, ns=(at.st_atime_ns, at.st_mtime_ns))


@pytest.mark.parametrize("shape", FILES.values(), ids=FILES)
@pytest.mark.parametrize("change", [rewritten, lambda file: file.rename(file.with_name("b.npz")), Path.unlink])
def test_a_change_of_what_a_setting_names_changes_the_key(shape, change, tmp_path):
    for folder in (tmp_path, tmp_path / "me@gmail.com", tmp_path / "run:3", tmp_path / "inner"):
        folder.mkdir(exist_ok=True)
        (folder / "a.npz").write_bytes(b"some bytes")
    (tmp_path / "link").symlink_to(tmp_path / "inner", target_is_directory=True)
    texts = [value(tmp_path, text) for text in (shape if isinstance(shape, list) else [shape])]
    given = {"a": texts if isinstance(shape, list) else texts[0]}
    before = results.chapter_dependencies(FIRST, given, "quick")
    where = next((part for part in ("me@gmail.com", "run:3") if part in str(shape)), "inner" if "link" in shape else "")
    change(tmp_path / where / "a.npz")
    assert results.chapter_dependencies(FIRST, given, "quick") != before


def test_a_folder_without_a_slash_and_a_relative_path_start_at_the_root(project, monkeypatch, tmp_path_factory):
    store.write_whole(project / "notebooks/01_first.py", "x = 1\n")
    store.write_whole(project / "data/one.png", "1")
    monkeypatch.chdir(tmp_path_factory.mktemp("elsewhere"))
    for text in ("data", "data/one.png", "folder:data"):
        before = results.chapter_dependencies("01_first", {"images": text}, "quick")
        rewritten(project / "data/one.png") if text != "data" else store.write_whole(project / "data/two.png", "2")
        (project / "data/one.png").write_text(text)
        assert results.chapter_dependencies("01_first", {"images": text}, "quick") != before


def test_a_word_that_is_a_folder_of_the_project_is_a_word():
    for text in ("book:grid-mlp:0", "lib", ".", "..", "/", ""):
        assert results.named_paths({"networks": [text]}) == []


def test_files_behind_a_link_in_a_folder_count(tmp_path):
    for name in ("elsewhere", "images"):
        (tmp_path / name).mkdir()
    (tmp_path / "images/link").symlink_to(tmp_path / "elsewhere", target_is_directory=True)
    before = results.chapter_dependencies(FIRST, {"images": str(tmp_path / "images")}, "quick")
    (tmp_path / "elsewhere/one.png").write_text("1")
    assert results.chapter_dependencies(FIRST, {"images": str(tmp_path / "images")}, "quick") != before


def test_a_link_that_leads_back_ends(tmp_path):
    (tmp_path / "round").symlink_to(tmp_path, target_is_directory=True)
    (tmp_path / "a.npy").write_text("1")
    assert results.chapter_dependencies(FIRST, {"a": str(tmp_path)}, "quick")
