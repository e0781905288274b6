"""What the terminal tells while chapters run: sections, how long they have been going on, and an estimate."""

import fcntl
import json
import os
import pty
import re
import struct
import subprocess
import sys
import termios

import nbformat
import pytest
from helpers import executed
from test_runner import run, tiny, write

from book.press import progress
from book.press.progress import Watched, clock, estimate, headings, spoken, without_bars
from lib.chapter.parameters import chapter_names, notebook_path
from lib.store import write_whole


@pytest.fixture
def at(monkeypatch):
    """Sets the clock."""
    now = [100.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    return lambda seconds: now.__setitem__(0, 100.0 + seconds)


def text(source):
    return nbformat.v4.new_markdown_cell(source)


CODE = nbformat.v4.new_code_cell("1")


def test_each_section_is_told_when_it_ends_and_short_ones_together(at):
    told = []
    watched = Watched(None, told.append)
    for second, cell in enumerate([text("# Title\n\nWords"), text("## Only words"), text("## First"), CODE, CODE]):
        at(second / 4)  # the kernel runs the first code at .75
        watched.cell(cell, second)
    assert watched.section == "First" and told == []
    at(3.75)
    watched.cell(text("More of the same section"), 5)
    watched.cell(CODE, 6)
    assert told == []
    watched.cell(text("### Second\n\n## Third"), 7)
    watched.cell(CODE, 8)
    assert told == ["   3.0 s  First"]
    at(4.25)
    watched.cell(text(":::{exercise} Fourth\n:::"), 9)
    watched.cell(CODE, 10)
    watched.end()
    assert told == ["   3.0 s  First", "   1.2 s  in 3 short sections"]


BAR_LINES = ["\rsaes: 0 of 90, ? left", "\rsaes: 30 of 90, 01:20 left  ", "\r          \r"]


def test_what_a_progress_bar_says_is_left_is_told_and_in_a_log_ever_more_seldom(at):
    told = []
    watched = Watched(None, told.append)
    watched.section = "Training"
    for second in range(0, 600, 10):
        at(second)
        watched.write("a warning\n" if second % 20 else BAR_LINES[1])
    assert told == [f"{'':8}  Training: saes: 30 of 90, 01:20 left"] * 3  # after 70, 200 and 450 seconds
    assert watched.shown("01_first", 100) == "01: 9:50, Training 9:50 (saes: 30 of 90, 01:20 left)"
    assert watched.shown("01_first", 40) == "01: 9:50, Training 9:50"
    for nothing_left in (BAR_LINES[0], BAR_LINES[1] + BAR_LINES[2]):
        watched.write(nothing_left)
        assert watched.shown("01_first", 100) == "01: 9:50, Training 9:50"


SAID = "expected: about 340 s for the rest of the report\n"


def test_what_a_chapter_expects_is_told_where_no_run_tells_it(at):
    told = []
    watched, known = Watched(None, told.append), Watched(200.0, told.append)
    at(20)
    for one in (watched, known):
        one.write(BAR_LINES[2] + SAID)
    assert told == ["about 6 min from here, by a trial of each part"]
    assert watched.shown("01_first", 100).startswith("01: 0:20 of about 6:00, ")
    assert known.shown("01_first", 100).startswith("01: 0:20 of about 3:20, ")


def test_bars_leave_no_trace_in_a_notebook_and_all_else_on_stderr_stays():
    def output(text, name="stderr"):
        return nbformat.v4.new_output("stream", name=name, text=text)

    bars = "".join(BAR_LINES)
    left = without_bars([output(bars), output("\rprinted", "stdout"), output(f"{bars}{SAID}x is trained anew\n{bars}")])
    assert [one.text for one in left] == ["\rprinted", "x is trained anew\n"]


def test_addresses_of_objects_do_not_stay_in_a_notebook():
    """They would make every run's notebook another one."""
    shown = nbformat.v4.new_output("display_data", {"text/plain": "<lib.Figure at 0x7f3a12bc>", "text/html": "at 0x1>"})
    (left,) = without_bars([shown])
    assert left.data == {"text/plain": "<lib.Figure>", "text/html": "at 0x1>"}


@pytest.mark.parametrize("name", ["The idea", "A section with a name that is longer than any line has room for"])
@pytest.mark.parametrize("room", [40, 76, 200])
def test_a_line_has_chapter_section_times_and_never_more_than_its_room(room, name, at):
    watched = Watched(200.0, print)
    at(60)
    watched.cell(text(f"## {name}"), 0)
    watched.cell(CODE, 1)
    at(125)
    line = watched.shown("13_your_networks", room)
    assert len(line) <= room and line.startswith("13: 2:05 of about 3:20, ") and line.endswith(" 1:05")
    section = line.removeprefix("13: 2:05 of about 3:20, ").removesuffix(" 1:05").removesuffix("..")
    assert section and name.startswith(section) and (section == name or len(line) == room)


def test_a_heading_is_read_without_markup_and_not_out_of_code():
    source = "## The {term}`RSA` of {ref}`these <ch-x>`\n\n```bash\n# a comment\n```\n\n:::{exercise} By hand\n:::\n#no"
    assert headings(source) == ["The RSA of these", "By hand"]


@pytest.mark.parametrize("chapter", chapter_names())
def test_every_chapter_has_sections_to_tell(chapter):
    import jupytext

    cells = jupytext.read(notebook_path(chapter)).cells
    told = [title for cell in cells if cell.cell_type == "markdown" for title in headings(cell.source)]
    assert len(told) > 5 and all(re.fullmatch(r"[^`{}]{3,}", title) for title in told)


def settle(project, name, label, seconds, **settings):
    """A run of a chapter with parameters of its own."""
    executed(project, name, label)
    path = project / "build" / label / f"{name}.ipynb"
    notebook = json.loads(path.read_text())
    notebook["metadata"]["run"] |= {"seconds": seconds, "settings": settings}
    path.write_text(json.dumps(notebook))
    return path


def test_the_estimate_is_the_last_run_with_these_parameters_else_a_recorded_one(project):
    settle(project, "01_first", "quick", 30.0)
    write_whole(project / "notebooks/01_first.py", '# %% tags=["parameters"]\ndraws: int = 2  # number of draws\n')
    assert estimate("01_first", {"draws": 2, "profile": "custom"}) == (30.0, "about 30 s, as the last run here took")
    unknown = "how long is not known: no run had these parameters; with the book's it took 30 s here"
    assert estimate("01_first", {"draws": 7}) == (None, unknown)
    os.utime(settle(project, "01_first", "custom", 400.0, draws=7), (1, 1))
    settle(project, "01_first", "broken", 1.0).write_text("{")
    write_whole(project / "notebooks/01_first.py", '# %% tags=["parameters"]\ndraws: int = 2  # number of draws\n')
    assert estimate("01_first", {"draws": 7}) == (400.0, "about 7 min, as the last run here took")
    settle(project, "01_first", "later", 80.0, draws=7)
    os.utime(settle(project, "01_first", "own", 9.0, draws=7, exercises=False), (4e9, 4e9))
    write_whole(project / "notebooks/01_first.py", '# %% tags=["parameters"]\ndraws: int = 2  # number of draws\n')
    assert estimate("01_first", {"draws": 7, "exercises": False})[0] == 9.0
    assert estimate("01_first", {"draws": 7})[0] == 80.0
    path = project / "build/later/01_first.ipynb"
    path.write_text(path.read_text().replace('"depends": {', '"depends": {"lib/training.py": "",'))
    assert estimate("01_first", {"draws": 7})[1].endswith("took; kept models make it shorter, new ones longer")
    kept = {"chapter": "01_first", "profile": "paper", "values": {}, "parameters": {"draws": 90}, "seconds": 9000}
    kept["provenance"] = {"device": "a device"}
    write_whole(project / "book/results/paper/01_first.json", json.dumps(kept))
    seconds, words = estimate("01_first", {"draws": 90})
    assert seconds == 9000 and words == "about 2.5 h, if this is as fast as what it was recorded on (a device)"


def test_durations_are_told_as_one_says_them():
    assert [spoken(x) for x in (0.4, 89, 100, 5000, 9000)] == ["0 s", "89 s", "2 min", "83 min", "2.5 h"]
    assert [clock(x) for x in (0.4, 61, 3599.7, 3661)] == ["0:00", "1:01", "1:00:00", "1:01:01"]


SECTIONS = """1

# %% [markdown]
# ## The slow part

# %%
import time
from pathlib import Path
Path("NAME.here").touch()
while len(list(Path().glob("*.here"))) < 2:  # until the other chapter is as far
    time.sleep(0.05)
from tqdm import tqdm
for _ in tqdm(range(100), "steps", leave=False, disable=None):
    time.sleep(0.04)
"""


def on_a_terminal(project, *arguments):
    """What a run writes to a terminal of 80 columns."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    command = [sys.executable, "-m", "book.press", "run", *arguments]
    process = subprocess.Popen(command, cwd=project, stdout=theirs, stderr=theirs, stdin=subprocess.DEVNULL)
    os.close(theirs)
    written = b""
    while True:
        try:
            written += os.read(ours, 4096)
        except OSError:  # the other end is closed
            break
    os.close(ours)
    assert process.wait() == 0
    return written.decode()


def test_a_terminal_has_one_line_that_is_rewritten_and_a_log_a_line_for_each_section(tmp_path):
    project = tiny(tmp_path)
    for name in ("01_first", "02_second"):
        write(project, name, SECTIONS.replace("NAME", name))
    shown = on_a_terminal(project)
    drawn = [line.rstrip() for line in re.split("[\r\n]", shown) if "/2 | " in line]
    assert drawn and max(map(len, drawn)) < 80
    both = r"0/2 \| 0\d: 0:\d\d, The slow part 0:\d\d \| 0\d: 0:\d\d, The slow part 0:\d\d"
    assert any(re.fullmatch(both, line) for line in drawn), drawn
    stays = [line for line in re.split("\r?\n", shown) if line.strip()]
    assert len(stays) <= 5 and "s  The slow part" not in shown  # two estimates, two outcomes, what is cleared
    text = (project / "build/quick/01_first.ipynb").read_text()
    assert "steps" in text and "left" not in text  # the bar's name stands in the code alone
    alone = on_a_terminal(project, "--label", "other", "01_first")
    assert re.search(r"0/1 \| 01: 0:\d\d of about 0:\d\d, The slow .* \(steps: \d+ of 100, 00:0\d left\)", alone)
    logged = run(project, "--label", "mine", "-p", "draws", "9", "01_first")
    assert re.fullmatch(r"01_first +\d+\.\d s\n", logged.stdout)
    lines = logged.stderr.splitlines()
    assert re.fullmatch(r"01_first +how long is not known: .*; with the book's it took \d+ s here", lines[0])
    assert any(re.fullmatch(r"01_first +\d+\.\d s  The slow part", line) for line in lines)
    assert "\r" not in logged.stderr
