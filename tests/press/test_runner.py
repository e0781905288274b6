"""The runner, on a project of two tiny chapters in a folder of its own."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from functools import partial

import jupytext
import nbformat
import pytest

from book.press import runner
from book.press.progress import estimate
from lib import store
from lib.chapter import results
from lib.chapter.parameters import chapter_names, notebook_path
from lib.store import ROOT

HEADER = """# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% tags=["parameters"]
profile: str = "quick"  # name of the settings and folder of the results
rate: float = 0.5  # a rate, per second
draws: int = 2  # number of draws

# %%
"""


@pytest.fixture
def project(tmp_path):
    return tiny(tmp_path)


def tiny(folder):
    for name in ("lib", "book/press", "book/_ext"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    write(folder, "01_first", "print(draws)")
    write(folder, "02_second", "print(rate)")
    return folder


def write(project, name, code):
    (project / "notebooks" / "profiles" / "long").mkdir(parents=True, exist_ok=True)
    (project / "notebooks" / f"{name}.py").write_text(HEADER + code + "\n")


def run(project, *arguments):
    command = [sys.executable, "-m", "book.press", "run", *arguments]
    return subprocess.run(command, cwd=project, capture_output=True, text=True, timeout=120)


def printed(project, name, profile="quick"):
    notebook = json.loads((project / "build" / profile / f"{name}.ipynb").read_text())
    outputs = [output for cell in notebook["cells"] for output in cell.get("outputs", [])]
    return "".join("".join(output.get("text", "")) for output in outputs).strip()


def leftovers(project):
    return [path.name for path in (project / "build").rglob(".*") if path.name != ".lock"]


def edit(path, text="\n# edited\n"):
    path.write_text(path.read_text() + text)


def test_only_what_changed_is_run_again_and_the_line_says_what(project):
    write(project, "02_second", "from lib.theory import expected_r2\nprint(expected_r2(4, 2))")
    first = run(project)
    assert first.returncode == 0, first.stdout + first.stderr
    assert (printed(project, "01_first"), printed(project, "02_second")) == ("2", "0.5")
    assert leftovers(project) == []
    assert run(project).stdout.count("up to date") == 2
    write(project, "01_first", "print(draws + 1)")
    again = run(project)
    assert again.stdout.count("up to date") == 1 and printed(project, "01_first") == "3"
    assert "anew since notebooks/01_first.py changed" in again.stdout
    for outside in ("lib/geometry.py", "book/press/slides.py"):
        edit(project / outside)
    assert run(project).stdout.count("up to date") == 2
    edit(project / "lib/checks.py")  # which theory imports
    again = run(project)
    assert again.stdout.count("up to date") == 1 and "anew since lib/checks.py changed" in again.stdout


SAVES = """from lib.chapter.run import Run
run = Run("01_first", globals() | {"device": "cpu"})
run.record(x=float(draws))
run.save(data="none")
"""


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """The project with a first chapter that records a number, and has run."""
    project = tiny(tmp_path_factory.mktemp("saved"))
    text = HEADER.replace("rate:", 'device: str = "cpu"  # auto, cpu or cuda\nrate:') + SAVES
    (project / "notebooks/01_first.py").write_text(text)
    assert run(project, "01_first").returncode == 0
    return project


@pytest.fixture
def saving(saved, tmp_path, monkeypatch):
    """A copy of it, for the test to spoil."""
    shutil.copytree(saved, tmp_path / "copy")
    for name in ("ROOT", "CODE"):
        monkeypatch.setattr(store, name, tmp_path / "copy")
    assert results.out_of_date("01_first", "quick") == ""
    return tmp_path / "copy"


def content(project, name="01_first"):
    return json.loads((project / f"build/quick/{name}.json").read_text())


def test_results_of_a_cell_before_the_failing_one_are_not_kept(saving):
    before = content(saving)
    assert before["values"] == {"x": 2.0} and len(before["key"]) == 16
    edit(saving / "notebooks/01_first.py", '\n# %%\nraise ValueError("later")\n')
    failed = run(saving, "01_first", "-p", "draws", "5", "--label", "quick")
    assert failed.returncode == 1 and "ValueError: later" in failed.stdout
    assert content(saving) == before and leftovers(saving) == []


@pytest.mark.parametrize(
    ("code", "why"),
    [
        ("text = text.replace('2.0', 'NaN')", "it holds NaN"),
        ("text = text.replace('01_first', '05_other')", "it is of 05_other, profile quick"),
    ],
)
def test_results_that_are_not_this_chapters_or_not_finite_fail_it(code, why, saving):
    lines = ["", "# %%", "from lib import store", "path = store.ROOT / 'build/quick/.01_first.pending.json'"]
    lines += ["text = path.read_text()", code, "path.write_text(text)", ""]
    edit(saving / "notebooks/01_first.py", "\n".join(lines))
    failed = run(saving, "01_first")
    assert failed.returncode == 1 and why in failed.stdout and "Error(" not in failed.stdout
    assert leftovers(saving) == [] and content(saving)["values"] == {"x": 2.0}


def spoil_notebook(project):
    path = project / "build/quick/01_first.ipynb"
    path.write_text(path.read_text().replace('"cells": [', '"cells": [{"cell_type": "raw", "source": "77.0"},', 1))


def spoil_results(**changes):
    def spoil(project):
        path = project / "build/quick/01_first.json"
        path.write_text(json.dumps(json.loads(path.read_text()) | changes))

    return spoil


SPOILT = {
    "the notebook was edited by hand": (spoil_notebook, "its executed notebook was edited"),
    "the results were edited by hand": (spoil_results(values={"x": 77.0}), "01_first.json was edited"),
    "NaN": (spoil_results(values={"x": float("nan")}), "01_first.json was edited"),
    "another profile's results": (spoil_results(profile="paper"), "01_first.json was edited"),
    "another chapter's results": (spoil_results(chapter="02_second"), "01_first.json was edited"),
    "the results were deleted": (lambda at: (at / "build/quick/01_first.json").unlink(), "01_first.json was deleted"),
}


@pytest.mark.parametrize(("spoil", "why"), SPOILT.values(), ids=SPOILT)
def test_what_was_changed_since_a_run_is_refused_by_readers_and_out_of_date(spoil, why, saving):
    spoil(saving)
    if (saving / "build/quick/01_first.json").exists():
        with pytest.raises(ValueError, match=why):
            results.results_of("quick")
    with pytest.raises(ValueError, match=why):
        results.checked_run("01_first", "quick")


def test_what_is_out_of_date_is_made_anew_and_the_line_says_why(saving):
    spoil_results(values={"x": 77.0})(saving)
    again = run(saving, "01_first")
    assert "anew since 01_first.json was edited" in again.stdout
    assert results.results_of("quick")["01_first"]["values"] == {"x": 2.0}


def test_results_of_an_older_book_are_refused_and_made_anew(saving):
    path = saving / "build/quick/01_first.ipynb"
    notebook = json.loads(path.read_text())
    notebook["metadata"]["run"] = {"fingerprint": "x", "results": "y", "seconds": 1.0, "profile": "quick"}
    path.write_text(json.dumps(notebook))
    with pytest.raises(ValueError, match="build/quick/01_first cannot be used, since it does not say what it was made"):
        results.results_of("quick")
    assert "anew since it does not say what it was made from" in run(saving, "01_first").stdout


UNREADABLE = [
    "",
    "[]",
    "null",
    '{"cells": [',
    '{"metadata": {"run": []}}',
    '{"metadata": {"run": {"settings": 1}}}',
    "\udce9",
]


@pytest.mark.parametrize("content", UNREADABLE)
def test_a_notebook_that_cannot_be_read_is_out_of_date_and_blocks_nothing(content, saving):
    (saving / "build/quick/01_first.ipynb").write_bytes(content.encode(errors="surrogateescape"))
    assert "does not say what it was made from" in results.out_of_date("01_first", "quick", {})
    assert estimate("01_first", {})[0] is None
    with pytest.raises(ValueError, match="01_first.ipynb does not say what it was made from: run its chapter again"):
        runner.run_seconds("01_first", "quick")


def test_an_empty_notebook_and_empty_results_are_made_anew(saving):
    before = content(saving)
    for ending in ("ipynb", "json"):
        (saving / f"build/quick/01_first.{ending}").write_text("")
    again = run(saving, "01_first")
    assert "anew since it does not say what it was made from" in again.stdout
    assert content(saving)["values"] == before["values"]


WAITS = """import pathlib, time
pathlib.Path("begun").touch()
while not pathlib.Path("go").exists():
    time.sleep(0.05)
from lib.theory import expected_r2
print(expected_r2(4, 2))
"""


@pytest.mark.parametrize("edited", ["lib/theory.py", "notebooks/01_first.py"])
def test_numbers_of_code_that_was_edited_during_the_run_and_put_back_are_not_kept(edited, project):
    write(project, "01_first", WAITS)
    command = [sys.executable, "-m", "book.press", "run", "01_first"]
    process = subprocess.Popen(command, cwd=project, stdout=subprocess.PIPE, text=True)
    deadline = time.time() + 60
    while not (project / "begun").exists() and time.time() < deadline:
        time.sleep(0.05)
    path = project / edited
    before, times = path.read_text(), path.stat()
    path.write_text(before.replace("return n_s * ", "return 123.0 + n_s * "))
    (project / "go").touch()
    time.sleep(3)
    path.write_text(before)
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
    told, _ = process.communicate(timeout=60)
    assert process.returncode == 1 and f"{edited} was changed while the chapter ran: run it again" in told
    assert not (project / "build/quick/01_first.ipynb").exists()


def test_a_notebook_run_by_hand_leaves_results_that_no_reader_takes(project, monkeypatch):
    monkeypatch.setattr(store, "ROOT", project)
    monkeypatch.delenv(results.BY_RUNNER, raising=False)
    path = results.saved_path("01_first", "quick")
    store.write_whole(path, json.dumps({"chapter": "01_first", "profile": "quick", "values": {}, "provenance": {}}))
    assert path.name == "01_first.by-hand.json" and results.results_of("quick") == {}


def test_profile_and_command_line_set_parameters(project):
    profile = project / "notebooks" / "profiles" / "long" / "01_first.yml"
    profile.write_text("draws: 7\n")
    assert run(project, "--profile", "long", "01_first").returncode == 0
    assert printed(project, "01_first", "long") == "7"
    assert run(project, "--profile", "long", "--label", "mine", "-p", "draws", "9", "01_first").returncode == 0
    assert printed(project, "01_first", "mine") == "9"
    profile.write_text("draws: 8\n")
    assert "up to date" not in run(project, "--profile", "long", "01_first").stdout


def test_failed_chapter_is_told_kept_and_never_published(project):
    write(project, "01_first", "x = 1\n\n# %%\nraise ValueError('too few stimuli')")
    failed = run(project)
    assert failed.returncode == 1
    line = next(line for line in failed.stdout.splitlines() if line.startswith("01_first"))
    assert "cell 3: ValueError: too few stimuli" in line and "build/quick/01_first.failed.ipynb" in line
    assert (project / "build/quick/01_first.failed.ipynb").exists()
    assert not (project / "build/quick/01_first.ipynb").exists()
    assert printed(project, "02_second") == "0.5"
    write(project, "01_first", "print('mended')")
    assert run(project).returncode == 0
    assert not (project / "build/quick/01_first.failed.ipynb").exists()


def test_kernel_that_dies_and_output_that_is_too_long_are_failures(project):
    write(project, "01_first", "import os\nos._exit(1)")
    write(project, "02_second", "print('x' * 3_000_000)")
    failed = run(project)
    assert failed.returncode == 1
    assert "the kernel died" in failed.stdout and "cell 2: output of 3,0" in failed.stdout


EXERCISES = """print("before")

# %% [markdown]
# ## What we see
#
# Text that stays.
#
# ## Exercises
#
# :::{exercise} One
# :::

# %% tags=["remove-cell"]
mine = None
print("to check")

# %% [markdown]
# :::{solution-start} One
# :::

# %%
raise ValueError("an exercise")

# %% [markdown]
# ### A solution
#
# :::{solution-end}
# :::
#
# ## Change and rerun
#
# More that stays.

# %%
print("after")
"""


def test_a_run_may_leave_out_the_exercises_and_is_another_run(project):
    write(project, "01_first", EXERCISES)
    arguments = ["01_first", "--label", "own", "--no-exercises"]
    assert run(project, *arguments).returncode == 0
    assert printed(project, "01_first", "own") == "before\nafter"
    notebook = json.loads((project / "build/own/01_first.ipynb").read_text())
    text = "\n".join("".join(cell["source"]) for cell in notebook["cells"] if cell["cell_type"] == "markdown")
    assert text == "## What we see\n\nText that stays.\n## Change and rerun\n\nMore that stays."
    assert "up to date" in run(project, *arguments).stdout
    whole = run(project, *arguments[:-1])
    assert whole.returncode == 1 and "cell 6: ValueError: an exercise" in whole.stdout
    edit(project / "notebooks/01_first.py", "\n# %%\nraise ValueError('behind it')\n")
    assert "cell 9: ValueError: behind it" in run(project, *arguments).stdout


@pytest.mark.parametrize("chapter", chapter_names())
def test_no_chapter_needs_its_exercises(chapter, tmp_path):
    notebook = jupytext.read(notebook_path(chapter))
    rest = runner.without_exercises(notebook)
    text = jupytext.writes(rest, "py:percent")
    assert not re.search(r"\{(exercise|solution-start|solution-end)\}", text)
    assert "\n# ## Exercises" not in text and ("## Change and rerun" in text or chapter == chapter_names()[-1])
    assert rest.cells[-1].source == notebook.cells[-1].source and len(rest.cells) < len(notebook.cells)
    (tmp_path / "rest.py").write_text(text)
    ruff = [sys.executable, "-m", "ruff", "check", "--isolated", "--select", "F821", str(tmp_path / "rest.py")]
    assert subprocess.run(ruff, capture_output=True).returncode == 0


def test_killed_run_finishes_when_repeated_without_repeating_what_was_done(project):
    write(project, "02_second", "import time\ntime.sleep(600)")
    command = [sys.executable, "-m", "book.press", "run", "--jobs", "1"]
    process = subprocess.Popen(command, cwd=project, stdout=subprocess.DEVNULL, start_new_session=True)
    done, begun = project / "build/quick/01_first.ipynb", project / "build/quick/.02_second.source.ipynb"
    deadline = time.time() + 90
    while not (done.exists() and begun.exists()) and time.time() < deadline:
        time.sleep(0.2)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    assert not (project / "build/quick/02_second.ipynb").exists()
    before = done.stat().st_mtime_ns
    write(project, "02_second", "print('finished')")
    assert run(project).returncode == 0
    assert printed(project, "02_second") == "finished" and done.stat().st_mtime_ns == before
    assert leftovers(project) == []


def test_interrupted_run_ends_at_once_and_says_how_to_go_on(project):
    write(project, "01_first", "import time\ntime.sleep(600)")
    command = [sys.executable, "-m", "book.press", "run", "--jobs", "1"]
    options = {"cwd": project, "stderr": subprocess.PIPE, "text": True, "start_new_session": True}
    heard = partial(signal.signal, signal.SIGINT, signal.SIG_DFL)  # a shell's background job would not hear of it
    process = subprocess.Popen(command, **options, preexec_fn=heard)
    deadline = time.time() + 90
    while not (project / "build/quick/.01_first.source.ipynb").exists() and time.time() < deadline:
        time.sleep(0.2)
    second = run(project)
    assert second.returncode == 1 and "another run is using build/quick: wait for it" in second.stderr
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=20) == 130
    assert "the same command goes on" in process.stderr.read()


@pytest.mark.parametrize(
    ("arguments", "needles"),
    [
        (["-p", "drows", "3"], ["no parameter 'drows'", "draws: int = 2  (number of draws)"]),
        (["-p", "draws", "many"], ["draws = 'many' should be of type int", "rate: float"]),
        (["--profile", "nope"], ["no profile 'nope'", "quick, long"]),
        (["--profile", "..", "--label", "mine"], ["no profile '..'", "quick, long"]),
        (["99_none"], ["no chapter '99_none'", "01_first, 02_second"]),
        (["--profile", "long", "02_second"], ["rate = '1e-3' should be of type float", "write 0.001"]),
        (["--profile", "long", "01_first"], ["01_first.yml is not YAML"]),
        (["-p", "draws", "[4,"], ["-p draws '[4,' is no value"]),
        (["-p", "profile", "x"], ["set by --profile and --label"]),
    ],
)
def test_bad_settings_stop_before_anything_runs(project, arguments, needles):
    (project / "notebooks/profiles/long/02_second.yml").write_text("rate: 1e-3\n")
    (project / "notebooks/profiles/long/01_first.yml").write_text("draws: [3\n")
    refused = run(project, *arguments)
    assert refused.returncode == 1 and not (project / "build").exists()
    assert refused.stderr.startswith("error: ") and "Traceback" not in refused.stderr
    assert all(needle in refused.stderr for needle in needles), refused.stderr


def test_two_runs_differ_in_nothing_but_their_duration(project):
    def notebook():
        content = json.loads((project / "build/quick/01_first.ipynb").read_text())
        content["metadata"]["run"].pop("seconds")
        return content

    run(project, "01_first")
    first = notebook()
    (project / "build/quick/01_first.ipynb").unlink()
    run(project, "01_first")
    assert notebook() == first and str(project) not in json.dumps(first)


def test_kernel_that_did_not_start_is_tried_again(tmp_path, monkeypatch):
    import papermill

    calls = []

    def flaky(source, target, **options):
        calls.append(source)
        if len(calls) < 3:
            raise RuntimeError("Kernel died before replying to kernel_info")

    monkeypatch.setattr(papermill, "execute_notebook", flaky)
    assert runner._execute("23_claims", {}, tmp_path / ".x.part.ipynb") is None
    assert len(calls) == 3
    monkeypatch.setattr(papermill, "execute_notebook", lambda *a, **o: (_ for _ in ()).throw(RuntimeError("port")))
    assert runner._execute("23_claims", {}, tmp_path / ".x.part.ipynb") == "the kernel did not start: port"


def test_what_a_given_parameter_makes_needless_is_left_out():
    cells = [
        nbformat.v4.new_code_cell("1"),
        nbformat.v4.new_code_cell("2", metadata={"tags": ["unless-a", "unless-b"]}),
    ]
    notebook = nbformat.v4.new_notebook(cells=cells)
    for settings, left in (({"a": "", "b": ""}, 2), ({"a": "x.npy", "b": ""}, 1), ({"b": "x"}, 1), ({"c": "x"}, 2)):
        assert len(runner.without_needless(notebook, settings).cells) == left
    assert len(notebook.cells) == 2
