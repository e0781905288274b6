"""What the terminal tells while chapters run: an estimate first, then the section and how long it has been going on.

On a terminal one line is rewritten for all chapters that run. In a log each section that took a second or more has a
line when it ends, with the chapter's name before it, so that chapters at the same time can be told apart. Where a
chapter trains or does other work with a progress bar, the bar's own reckoning of what is left is told too. Where no run
had these parameters, a chapter may say in a line on stderr what it expects, as chapter 13 does.
"""

import re
import shutil
import sys
import threading
import time
from contextlib import contextmanager

from tqdm import tqdm

from lib import store
from lib.chapter.parameters import declared
from lib.chapter.results import read_results, run_entry

HEADING = re.compile(r"^(?:#+ |:{3,}\{exercise\} )(.+)$", flags=re.M)
FENCED = re.compile(r"^```.*?^```$", flags=re.M | re.S)
LEAST = 1  # second that a section takes to have a line in a log
FIRST_BAR = 60  # seconds until a bar has a line in a log, then twice as many until the next
# In the kernel, progress bars are written to stderr in this form, from where they reach `Watched.write`.
BARS = {"TQDM_MININTERVAL": "1", "TQDM_BAR_FORMAT": "{desc}: {n_fmt} of {total_fmt}, {remaining} left"}
SHOW_BARS = "import sys; sys.stderr.isatty = lambda: True"
EXPECTED = re.compile(r"expected: about (\d+) s.*\n?")  # from here to the end, perhaps after a bar
ADDRESS = re.compile(r" at 0x[0-9a-f]+>")  # of an object in memory
BAR = re.compile(r"\r(?:([^\r\n]*), (\S+) left)? *")


class Progress:
    """Tells on stderr of chapters that run, of `total` in all; to be used in a `with`."""

    def __init__(self, total: int):
        self.total, self.done = total, 0
        self.bar = tqdm(bar_format="{desc}", leave=False, disable=None)  # disabled where there is no terminal
        self.running: dict[str, Watched] = {}
        self._closed = threading.Event()

    def __enter__(self):
        if not self.bar.disable:
            threading.Thread(target=self._keep_showing, daemon=True).start()
        return self

    def __exit__(self, *_):
        self._closed.set()
        self.bar.close()

    @contextmanager
    def chapter(self, name: str, settings: dict):
        """Tell the estimate for a chapter and follow it; gives the `Watched` that hears of its cells and bars."""
        seconds, words = estimate(name, settings)
        self.tell(name, words)
        watched = self.running[name] = Watched(seconds, lambda line: self.bar.disable and self.tell(name, line))
        try:
            yield watched
        finally:
            watched.end()
            del self.running[name]

    def tell(self, name: str, line: str, file=None) -> None:
        """A line that stays, on stderr unless another file is given."""
        tqdm.write(f"{name:28} {line}", file=file or sys.stderr)
        (file or sys.stderr).flush()

    def _keep_showing(self):
        while not self._closed.wait(1):
            chapters, count = dict(self.running), f"{self.done}/{self.total}"
            room = (shutil.get_terminal_size().columns - 1 - len(count)) // max(1, len(chapters)) - len(" | ")
            shown = [watched.shown(name, room) for name, watched in chapters.items()]
            self.bar.set_description_str(" | ".join([count, *shown]))


class Watched:
    """One chapter that runs: its section, and when that and the chapter began."""

    def __init__(self, expected: float | None, finished):
        self.expected, self.finished = expected, finished
        self.section, self.heading, self.short = "starting", "", []
        self.bar, self.patience = "", FIRST_BAR
        self.began = self.since = self.told = time.monotonic()

    def cell(self, cell, cell_index: int) -> None:
        """A cell is about to run: text names the section of the code that follows it."""
        if cell.cell_type == "markdown":
            self.heading = ([self.heading, *headings(cell.source)])[-1]
        elif self.heading != self.section:
            self._leave(self.heading)

    def write(self, text: str) -> None:
        """What the chapter writes on stderr, of which the last progress bar is kept, and what is expected."""
        if (told := EXPECTED.search(text)) and self.expected is None:
            self.expected = time.monotonic() - self.began + int(told[1])
            self.finished(f"about {spoken(int(told[1]))} from here, by a trial of each part")
        for done, left in BAR.findall(text):
            self.bar = f"{done}, {left} left" if left not in ("", "?") else ""
        if self.bar and time.monotonic() - self.told > self.patience:
            self.finished(f"{'':8}  {self.section}: {self.bar}")
            self.told, self.patience = time.monotonic(), 2 * self.patience

    def flush(self) -> None:
        """Nothing waits here; papermill asks for it of what it writes to."""

    def end(self) -> None:
        self._leave("")
        if sum(self.short) >= LEAST:
            self.finished(f"{sum(self.short):6.1f} s  in {len(self.short)} short sections")

    def _leave(self, heading):
        took = time.monotonic() - self.since
        if took >= LEAST:
            self.finished(f"{took:6.1f} s  {self.section}")
        else:
            self.short.append(took)
        self.section, self.since = heading, time.monotonic()

    def shown(self, name: str, room: int) -> str:
        """The chapter as so many characters of a line; what does not fit is cut out of the section's name."""
        now = time.monotonic()
        expected = f" of about {clock(self.expected)}" if self.expected else ""
        before = f"{name[:2]}: {clock(now - self.began)}{expected}, "
        after = f" {clock(now - self.since)}"
        if self.bar and len(before) + len(after) + len(self.bar) + 12 < room:
            after += f" ({self.bar})"
        space = max(0, room - len(before) - len(after))
        section = self.section if len(self.section) <= space else f"{self.section[: max(0, space - 2)]}.."
        return f"{before}{section}{after}"


def headings(text: str) -> list[str]:
    """Titles of the sections and exercises that begin in a cell of text, without markup."""
    return [re.sub(r"\{\w+\}`([^`<]+?)(?: <[^`]*)?`", r"\1", title) for title in HEADING.findall(FENCED.sub("", text))]


def estimate(name: str, settings: dict) -> tuple[float | None, str]:
    """How many seconds a chapter will take, None if nobody knows, and a sentence that says from where it is known.

    It is what the last run with these parameters took, on this machine, else where it was recorded for the book.
    """
    defaults = {"exercises": True} | {parameter.name: parameter.default for parameter in declared(name).values()}

    def same(parameters):
        wanted = {key: value for key, value in (defaults | settings).items() if key not in ("profile", "device")}
        return all(parameters.get(key, defaults[key]) == value for key, value in wanted.items())

    runs = sorted(store.ROOT.glob(f"build/*/{name}.ipynb"), key=lambda path: path.stat().st_mtime, reverse=True)
    here = {path.parent.name: entry for path in runs if (entry := _entry(path))}
    for entry in here.values():
        if same(entry["settings"]):
            trains = "; kept models make it shorter, new ones longer" * ("lib/training.py" in entry["depends"])
            return entry["seconds"], f"about {spoken(entry['seconds'])}, as the last run here took{trains}"
    for path in sorted(store.ROOT.glob(f"book/results/*/{name}.json")):
        content = read_results(path, name, path.parent.name)
        if "parameters" in content and same(content["parameters"]):
            took, device = content["seconds"], content["provenance"]["device"]
            return took, f"about {spoken(took)}, if this is as fast as what it was recorded on ({device})"
    book = f"; with the book's it took {spoken(here['quick']['seconds'])} here" if "quick" in here else ""
    return None, f"how long is not known: no run had these parameters{book}"


def _entry(path):
    """What the runner wrote of a run, None of a notebook by another version of it or one that was cut."""
    try:
        return run_entry(path)
    except ValueError:
        return None


def spoken(seconds: float) -> str:
    """A duration as one says it."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def clock(seconds: float) -> str:
    """A duration as minutes and seconds, from an hour on with hours."""
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes}:{rest:02}" if minutes < 60 else f"{minutes // 60}:{minutes % 60:02}:{rest:02}"


def without_bars(outputs: list) -> list:
    """Outputs of a cell without progress bars, times on stderr and addresses of objects, and without what is empty."""
    for output in outputs:
        if output.get("name") == "stderr":
            output.text = EXPECTED.sub("", BAR.sub("", output.text))
        if shown := output.get("data", {}).get("text/plain"):
            output.data["text/plain"] = ADDRESS.sub(">", shown)
    return [output for output in outputs if output.get("name") != "stderr" or output.text]
