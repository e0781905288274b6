"""The runner, on a project of two tiny chapters in a folder of its own."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from book.press import runner as chapters

ROOT = Path(__file__).resolve().parent.parent
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
    shutil.copytree(ROOT / "lib", tmp_path / "lib", ignore=shutil.ignore_patterns("__pycache__"))
    (tmp_path / "constraints.txt").write_text("")
    write(tmp_path, "01_first", "print(draws)")
    write(tmp_path, "02_second", "print(rate)")
    return tmp_path


def write(project, name, code):
    (project / "notebooks" / "profiles" / "long").mkdir(parents=True, exist_ok=True)
    (project / "notebooks" / f"{name}.py").write_text(HEADER + code + "\n")


def run(project, *arguments):
    command = [sys.executable, "-m", "book.press.runner", "run", *arguments]
    return subprocess.run(command, cwd=project, capture_output=True, text=True, timeout=120)


def printed(project, name, profile="quick"):
    notebook = json.loads((project / "build" / profile / f"{name}.ipynb").read_text())
    outputs = [output for cell in notebook["cells"] for output in cell.get("outputs", [])]
    return "".join("".join(output.get("text", "")) for output in outputs).strip()


def leftovers(project):
    return [path.name for path in (project / "build").rglob(".*") if path.name != ".lock"]


def test_only_what_changed_is_run_again(project):
    first = run(project)
    assert first.returncode == 0, first.stdout + first.stderr
    assert (printed(project, "01_first"), printed(project, "02_second")) == ("2", "0.5")
    assert leftovers(project) == []
    assert run(project).stdout.count("up to date") == 2
    write(project, "01_first", "print(draws + 1)")
    again = run(project)
    assert again.stdout.count("up to date") == 1 and printed(project, "01_first") == "3"
    (project / "lib" / "theory.py").write_text("")
    assert "up to date" not in run(project).stdout


def test_file_that_a_setting_names_is_part_of_what_may_change(tmp_path):
    file = tmp_path / "a.npz"
    for value in (f"{file}", f"{file}:layer4", f"file:{file}@torchvision:resnet50"):
        prints = []
        for text in ("one", "other"):
            file.write_text(text)
            prints.append(chapters.fingerprint(chapters.chapter_names()[0], {"a": value, "draws": 2}, "quick"))
        assert prints[0] != prints[1]
    assert chapters.fingerprint(chapters.chapter_names()[0], {"a": "x" * 5000}, "quick")


def test_files_below_a_folder_that_a_setting_names_are_part_of_what_may_change(tmp_path):
    for value in (f"{tmp_path}", f"folder:{tmp_path}", f"crops:5:folder:{tmp_path}"):
        before = chapters.fingerprint(chapters.chapter_names()[0], {"images": value}, "quick")
        (tmp_path / f"{len(value)}.png").write_text("one more")
        assert chapters.fingerprint(chapters.chapter_names()[0], {"images": value}, "quick") != before


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


def test_killed_run_finishes_when_repeated_without_repeating_what_was_done(project):
    write(project, "02_second", "import time\ntime.sleep(600)")
    command = [sys.executable, "-m", "book.press.runner", "run", "--jobs", "1"]
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
    command = [sys.executable, "-m", "book.press.runner", "run", "--jobs", "1"]
    process = subprocess.Popen(command, cwd=project, stderr=subprocess.PIPE, text=True, start_new_session=True)
    deadline = time.time() + 90
    while not (project / "build/quick/.01_first.source.ipynb").exists() and time.time() < deadline:
        time.sleep(0.2)
    second = run(project)
    assert second.returncode == 1 and "another run is using build/quick: wait for it" in second.stderr
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=20) == 130
    assert "the same command goes on" in process.stderr.read()


def test_results_that_were_deleted_or_overwritten_are_measured_again(project):
    code = "import pathlib\npathlib.Path('build/quick/01_first.json').write_text('1')"
    write(project, "01_first", code)
    results = project / "build/quick/01_first.json"
    assert run(project, "01_first").returncode == 0 and results.read_text() == "1"
    assert "up to date" in run(project, "01_first").stdout
    results.write_text("2")
    assert "up to date" not in run(project, "01_first").stdout and results.read_text() == "1"


@pytest.mark.parametrize(
    ("arguments", "needles"),
    [
        (["-p", "drows", "3"], ["no parameter 'drows'", "draws: int = 2  (number of draws)"]),
        (["-p", "draws", "many"], ["draws = 'many' should be of type int", "rate: float"]),
        (["--profile", "nope"], ["no profile 'nope'", "quick, long"]),
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
    assert chapters._execute("14_claims", {}, tmp_path / ".x.part.ipynb") is None
    assert len(calls) == 3
    monkeypatch.setattr(papermill, "execute_notebook", lambda *a, **o: (_ for _ in ()).throw(RuntimeError("port")))
    assert chapters._execute("14_claims", {}, tmp_path / ".x.part.ipynb") == "the kernel did not start: port"
