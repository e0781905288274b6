"""What the machine refuses, a full disk, a folder closed to writing, a locale without letters: told in one line."""

import errno
import io
import os
import shutil
import subprocess
import sys

import pytest

from book.press import __main__ as press
from book.press import runner
from lib import store
from lib.chapter.parameters import from_words
from lib.store import write_whole

REFUSALS = {
    errno.ENOSPC: "the disk is full: free some space",
    errno.EDQUOT: "the disk is full: free some space",
    errno.EROFS: "may not be written: work in a copy",
    errno.EACCES: "may not be written: work in a copy",
    errno.ENAMETOOLONG: os.strerror(errno.ENAMETOOLONG),
}


@pytest.mark.parametrize("number", REFUSALS)
def test_a_refusal_ends_a_command_in_one_line_with_file_cause_and_mend(number, monkeypatch, capsys):
    def refuse(*given):
        raise OSError(number, os.strerror(number), "/data/build/.lock")

    monkeypatch.setattr(runner, "run", refuse)
    assert press.main(["run", "01_superposition"]) == 1
    told = capsys.readouterr().err
    assert told.startswith("error: /data/build/.lock: ") and REFUSALS[number] in told and told.count("\n") == 1


@pytest.mark.parametrize("number", list(REFUSALS)[:4])
def test_a_refusal_while_a_chapter_runs_fails_that_chapter_in_one_line(number, project, monkeypatch, capsys):
    import papermill

    def refuse(*given, **options):
        raise OSError(number, os.strerror(number), "/data/x.part.ipynb")

    parameters = '# %% tags=["parameters"]\nprofile: str = "quick"  # name of the settings\n'
    write_whole(project / "notebooks/01_first.py", parameters)
    monkeypatch.setattr(papermill, "execute_notebook", refuse)
    monkeypatch.setattr(os, "environ", dict(os.environ))
    assert press.main(["run", "01_first"]) == 1
    line = capsys.readouterr().out.strip()
    assert (
        line.startswith("01_first") and f"FAILED  /data/x.part.ipynb: {store.DISK[number]}" in line and "\n" not in line
    )


LABELLED = [
    (name, words, option)
    for name, (_, _, _, wanted) in press.COMMANDS.items()
    for words in ([name, *["01_superposition"] * len({"names", "name"} & {*wanted})],)
    for option in ("label", "profile")
    if option in wanted
]


@pytest.mark.parametrize("label", ["../../outside", "..", "../notebooks/profiles/paper", "a\nb", "a\0b"])
@pytest.mark.parametrize(("name", "words", "option"), LABELLED, ids=lambda one: one if isinstance(one, str) else "")
def test_no_command_works_outside_of_build(name, words, option, label, tmp_path, monkeypatch, capsys):
    root, outside = tmp_path / "some" / "project", tmp_path / "outside"
    for folder in (outside, root / "build", root / "book" / "results"):
        folder.mkdir(parents=True)
    for file in ("verify.yaml", "01_superposition.json"):
        (outside / file).write_text("{}")
    shutil.copytree(store.CODE / "notebooks", root / "notebooks")
    shutil.copy(store.CODE / "book" / "claims.yml", root / "book")
    monkeypatch.setattr(store, "ROOT", root)
    before = {*tmp_path.rglob("*")}
    assert press.main([*words, f"--{option}", label]) == 1
    told = capsys.readouterr()
    assert told.out == "" and told.err.startswith("error: ") and told.err.count("\n") == 1
    assert repr(label) in told.err
    assert {path.name for path in {*tmp_path.rglob("*")} - before} <= {".lock"}


def test_a_kernel_whose_port_was_taken_is_still_tried_again(tmp_path, monkeypatch):
    import papermill

    calls = []

    def refuse(*given, **options):
        calls.append(given)
        raise OSError(errno.EADDRINUSE, "Address already in use")

    monkeypatch.setattr(papermill, "execute_notebook", refuse)
    assert "did not start" in runner._execute("23_claims", {}, tmp_path / ".x.part.ipynb")
    assert len(calls) == runner.KERNEL_STARTS


def test_a_locale_that_lacks_letters_stops_nothing(project):
    """Python alone would end in a UnicodeEncodeError."""
    show = "runner.list_chapters = lambda: print('\\xb1 \\xdcbung')"
    code = f"import sys; from book.press import runner, __main__ as press; {show}"
    environment = os.environ | {
        "LC_ALL": "C",
        "PYTHONUTF8": "0",
        "PYTHONCOERCECLOCALE": "0",
        "PYTHONIOENCODING": "ascii",
    }
    command = [sys.executable, "-c", f"{code}; sys.exit(press.main(['list']))"]
    done = subprocess.run(command, cwd=store.CODE, env=environment, capture_output=True)
    assert (done.returncode, done.stdout) == (0, b"\\xb1 \\xdcbung\n"), done.stderr


def test_a_path_in_letters_that_the_locale_lacks_is_told(project):
    write_whole(project / "notebooks/01_first.py", '# %% tags=["parameters"]\na: str = ""  # a file\n')
    unreadable = "Übung".encode().decode("ascii", "surrogateescape")  # as Python reads it in the locale C
    with pytest.raises(ValueError, match="-p a: letters of .* set LC_ALL=C.UTF-8") as caught:
        from_words("01_first", {"a": unreadable})
    io.TextIOWrapper(io.BytesIO(), "ascii").write(str(caught.value))  # can itself be printed
