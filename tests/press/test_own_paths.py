"""A path given to make or to -p arrives as it was written, whatever characters it holds."""

import json
import os
import shutil
import subprocess
import sys

import numpy as np
import pytest
from test_runner import HEADER, printed, run, tiny

from lib.chapter import results
from lib.chapter.parameters import checked, from_words
from lib.data.arrays import load_activations
from lib.store import ROOT, write_whole

FOLDERS = ["run #1", "a: b", "$HOME and $(A) and $x", 'it\'s "here"', "me@gmail.com", "Übung 三", "back\\slash"]
FOLDERS += ["[2, 8]", "yes", "x=y", "*?;&|<>`", "edges "]


@pytest.fixture
def maker(tmp_path):
    """The Makefile in a folder of its own, with a press that prints what it is given."""
    shutil.copy(ROOT / "Makefile", tmp_path)
    (tmp_path / "show.py").write_text("import json, sys\nprint(json.dumps(sys.argv[1:]))\n")

    def make(target, *given, at=tmp_path, line=0):
        at.mkdir(exist_ok=True)
        command = ["make", "-C", str(tmp_path), "--no-print-directory", "--silent", "-o", ".venv/.installed", target]
        command += [f"RUN={sys.executable} {tmp_path / 'show.py'}", *given]
        done = subprocess.run(command, cwd=at, env=os.environ | {"PWD": str(at)}, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout.splitlines()[line])

    return make


@pytest.mark.parametrize("folder", FOLDERS)
def test_make_own_hands_on_paths_as_they_are(folder, maker, tmp_path):
    given = maker("own", f"A={folder}/a.npz:layer:4", f"B=/data/{folder}/b.npy", at=tmp_path / folder)
    assert given[-6:] == ["-p", "a", f"{tmp_path}/{folder}/{folder}/a.npz:layer:4", "-p", "b", f"/data/{folder}/b.npy"]
    assert maker("own", f"A=~/{folder}")[-6:] == ["-p", "a", f"~/{folder}", "-p", "b", ""]


def test_seeds_start_in_the_callers_folder_each(maker, tmp_path):
    at = tmp_path / "FROM: here, 'there'"
    at.mkdir()
    for name in ("a1.npy", "a 2.npy", "run:3.npz", "one,two.npy", "one", "two.npy"):
        (at / name).write_text("")

    def own(given):
        return maker("own", f"A={given}", "B=/b.npy", at=at)[-4]

    assert own("a1.npy,/data/a,a 2.npy,run:3.npz:layer:4") == f"{at}/a1.npy,/data/a,{at}/a 2.npy,{at}/run:3.npz:layer:4"
    assert own("one,two.npy") == f"{at}/one,two.npy"
    assert own("a1.npy:x,~/b.npy,missing.npy") == f"{at}/a1.npy:x,~/b.npy,missing.npy"


def test_a_quick_look_comes_first_and_the_full_report_after_it(maker):
    first, page, full, last = (
        maker("own", "A=/a.npy", "B=/b.npy", "QUICK=1", "ARGS=-p folds 4", line=i) for i in range(4)
    )
    assert [one[one.index("--label") + 1] for one in (first, page, full, last)] == ["own-first"] * 2 + ["own"] * 2
    assert page[1:3] == last[1:3] == ["page", "13_your_networks"] and {"--open"} <= {*page} & {*last}
    rest = ["-p", "folds", "4", "-p", "a", "/a.npy", "-p", "b", "/b.npy"]  # after the look's own, so that it counts
    assert first[-9:] == full[-9:] == rest and "most_stimuli" in first and "most_stimuli" not in full
    looked = dict(zip(first[first.index("-p") + 1 :: 3], first[first.index("-p") + 2 :: 3], strict=True))
    assert checked("13_your_networks", from_words("13_your_networks", looked))


def test_what_stands_in_args_is_read_by_the_shell_alone(maker):
    words = ["-p", "images", "folder:$HOME/my #1 (photos)"]
    for target in ("own", "chapter"):
        given = maker(target, "NAME=01_first", "ARGS=-p images 'folder:$HOME/my #1 (photos)'")
        assert given[-3:] == words and "-p" not in given[:-3]


@pytest.mark.parametrize("folder", FOLDERS)
def test_text_given_by_p_is_text_and_the_rest_is_yaml(folder, project):
    lines = ['a: str = ""  # a file', "k: int = 2  # a number", 'names: list[str] = ["x"]  # names']
    write_whole(project / "notebooks/01_first.py", '# %% tags=["parameters"]\n' + "\n".join(lines) + "\n")
    words = {"a": f"/data/{folder}/a.npy", "k": "3", "names": json.dumps([folder])}
    assert from_words("01_first", words) == words | {"k": 3, "names": [folder]}
    assert from_words("01_first", {"a": folder}) == {"a": folder}


@pytest.mark.parametrize("folder", FOLDERS)
def test_a_file_behind_any_path_is_read_and_its_change_is_seen(folder, tmp_path):
    path = tmp_path / folder / "a.npz"
    path.parent.mkdir()
    np.savez(path, layer4=np.eye(3))
    assert load_activations(f"{path}:layer4").shape == (3, 3)
    before = results.chapter_dependencies("01_superposition", {"a": f"{path}:layer4"}, "quick")
    np.savez(path, layer4=2 * np.eye(3))
    assert results.chapter_dependencies("01_superposition", {"a": f"{path}:layer4"}, "quick") != before


def test_a_chapter_runs_with_a_path_of_any_characters(tmp_path):
    project, folder = tiny(tmp_path / "project"), tmp_path / "".join(FOLDERS).replace("/", "")
    folder.mkdir()
    (folder / "a.txt").write_text("found")
    text = HEADER.replace("rate:", 'a: str = ""  # a file\nrate:') + "print(open(a).read(), rate)\n"
    (project / "notebooks/01_first.py").write_text(text)
    command = ["01_first", "-p", "a", str(folder / "a.txt"), "-p", "rate", "0.25"]
    assert run(project, *command).returncode == 0
    assert printed(project, "01_first", "custom") == "found 0.25"
