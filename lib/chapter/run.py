"""One execution of a chapter: the numbers and figures its prose quotes, and its results file with provenance."""

import base64
import json
import math
import platform
import subprocess
import time
from datetime import UTC, datetime
from importlib.metadata import version

import pandas as pd
import torch

from lib import store
from lib.chapter.parameters import scope_values
from lib.chapter.plotting import FigureHTML, use_theme
from lib.chapter.results import recorded_results, run_folder, saved_path
from lib.chapter.tables import Lacking, asked, by
from lib.checks import choose_device
from lib.closure import INSTALLED, PACKAGE
from lib.store import write_whole

PACKAGES = ("torch", "numpy", "scipy", "pot", "scikit-learn")


class Run:
    """One execution of a chapter: collects numbers and figures for the prose, and writes the results file.

    `scope` is the notebook's `globals()`, from which the values of the declared parameters are taken, `profile` (the
    folder the results go to) and `device` among them.
    """

    def __init__(self, chapter: str, scope: dict):
        self.chapter, self.parameters = chapter, scope_values(chapter, scope)
        self.profile = self.parameters["profile"]
        self.device = choose_device(self.parameters["device"])
        self.values: dict = {}
        self.tables: dict[str, list[dict]] = {}
        self._rows: dict[str, set[frozenset]] = {}  # the same rows, to find one that is there already
        self.started = time.perf_counter()
        use_theme()

    def record(self, **values) -> None:
        """Keep numbers for the results file and offer each to the prose as {glue:text}`name`.

        A one-dimensional tensor or list is kept as mean, standard error and count, offered as `name`, `name_error`;
        of one value there is no standard error. Raises ValueError if a name is taken or a number is not finite.
        """
        for name, value in values.items():
            number = torch.as_tensor(value, dtype=torch.float64).cpu()
            if not torch.isfinite(number).all():
                raise ValueError(f"{name} = {value} is not finite: record what was measured, or how many runs failed")
            names = {name, f"{name}_error"} if number.ndim else {name}
            if taken := names & self._taken():
                raise ValueError(f"{min(taken)} is recorded already: give the second number a name of its own")
            if number.ndim == 0:
                self.values[name] = value if isinstance(value, int) else float(number)
                self._glue(name, self.values[name])
            elif number.ndim == 1 and len(number):
                error = float(number.std() / len(number) ** 0.5) if len(number) > 1 else None
                self.values[name] = {"mean": float(number.mean()), "standard_error": error, "count": len(number)}
                self._tell(name, self.values[name])
            else:
                raise ValueError(f"{name} has shape {tuple(number.shape)}: give a number, or a list of numbers")

    def tabulate(self, name: str, /, **columns) -> None:
        """Add rows to a tidy table of the results file, to be asked as `lib.chapter.tables` says.

        Lists give each row its value, numbers and words stand in all of these rows. Raises ValueError if lists differ
        in length, columns from those of the rows before, a number is not finite or a row is there already.
        """
        lists = {key: each for key, each in columns.items() if getattr(each, "ndim", 1) and hasattr(each, "__len__")}
        lists = {key: each for key, each in lists.items() if not isinstance(each, str)}
        if len(lengths := {len(each) for each in lists.values()}) > 1:
            raise ValueError(f"table {name}: the lists have {sorted(lengths)} values: give each row one of each")
        rows = [{key: _plain(each[i] if key in lists else each) for key, each in columns.items()}
                for i in range(*lengths or {1})]  # fmt: skip
        kept, seen = self.tables.get(name, []), self._rows.get(name, set())
        for row in rows:
            if not all(isinstance(x, str) or math.isfinite(x) for x in row.values()):
                raise ValueError(f"table {name}: {row} is not finite: record how many runs failed")
            if kept and row.keys() != kept[0].keys():
                raise ValueError(f"table {name}: its columns are {', '.join(kept[0])}, not {', '.join(row)}")
            if frozenset(row.items()) in seen:
                raise ValueError(f"table {name}: {row} is there already: add a column that tells the rows apart")
        self.tables[name], self._rows[name] = kept + rows, seen | {frozenset(row.items()) for row in rows}

    def ask(self, question: str, **where):
        """What this run's results answer, see `lib.chapter.tables.asked`."""
        return asked(question, {"values": self.values, "tables": self.tables}, **where)

    def tell(self, **questions: str) -> None:
        """Offer answers of this run's tables to the prose as {glue:text}`name`, of a spread as `name`, `name_error`."""
        for name, question in questions.items():
            self._tell(name, self.ask(question))

    def _taken(self):
        """Names of numbers and of the standard errors of spreads."""
        return self.values.keys() | {f"{name}_error" for name, value in self.values.items() if isinstance(value, dict)}

    def _tell(self, name, found):
        self._glue(name, found["mean"] if isinstance(found, dict) else found)
        if isinstance(found, dict):
            error = found["standard_error"]
            self._glue(f"{name}_error", "one value" if error is None else error)

    def figure(self, axes, name: str, alt: str = "", title: str = "") -> None:
        """Show panels and offer them to the prose as {glue:figure}`name`; `alt` says in words what they show.

        `axes` are panels, or a figure already made, which has its own words. Tag the cell `remove-output` so that the
        book shows it once.
        """
        shown = axes if isinstance(axes, FigureHTML) else FigureHTML(axes, name, alt, title)
        self._glue(name, shown, display=True)

    def words(self, name: str, markdown: str) -> None:
        """Offer a text in Markdown to the prose as {glue:md}`name`, or as a directive if it has paragraphs."""
        from IPython.display import Markdown

        self._glue(name, Markdown(markdown))

    def download(self, ending: str, text: str):
        """Write build/<profile>/<chapter><ending>, and show a link that carries the text, so it works from disk."""
        from IPython.display import HTML

        path = run_folder(self.profile) / f"{self.chapter}{ending}"
        write_whole(path, text)
        data = base64.b64encode(text.encode()).decode()
        link = f'<a download="{path.name}" href="data:text/plain;base64,{data}">{path.name}</a>'
        return HTML(f"<p>Download {link} ({len(text.splitlines()) - 1} rows).</p>")

    def beside_recorded(self, rows: dict[str, str], profile: str = "paper") -> pd.DataFrame:
        """A table of some results of this run beside those recorded with the book for a longer profile.

        `rows` maps the words of a row to a question, as `asked`; a spread reads "mean ± standard error".
        Without recorded results the table has this run alone.
        """
        columns = {"this run": {"values": self.values, "tables": self.tables}}
        if self.chapter in (recorded := recorded_results(profile)):
            columns[f"profile {profile}, recorded"] = recorded[self.chapter]
        shown = {head: [_answer(name, column) for name in rows.values()] for head, column in columns.items()}
        return pd.DataFrame(shown, index=list(rows))

    def table(self, columns: dict, rows: dict[str, str], along: str) -> pd.DataFrame:
        """A table of what this run's tables answer.

        `columns` maps values of the key `along` to the heads of their columns; `rows` maps the words of a row to a
        question.
        """
        cells = [[self.ask(question, **{along: value}) for value in columns] for question in rows.values()]
        return pd.DataFrame(cells, list(rows), list(columns.values())).map("{:.3f}".format)

    def results(self, profile: str) -> dict:
        """Values and tables recorded with the book for a longer profile, this run's in their place and added."""
        recorded = recorded_results(profile).get(self.chapter, {"values": {}})
        return {"values": recorded["values"] | self.values, "tables": recorded.get("tables", {}) | self.tables}

    def quote(self, profile: str, *names: str, **aliases: str) -> None:
        """Offer numbers that a longer profile measures to the prose as {glue:text}`name_quoted`, with their spread.

        They are this run's, else those recorded with the book, else "not recorded". `aliases` offer answers to
        questions under a name. Where the first comes from is offered as {glue:text}`<profile>_source`.
        """
        known, recorded = self.results(profile), recorded_results(profile)
        for alias, question in {**dict(zip(names, names, strict=True)), **aliases}.items():
            self._glue(f"{alias}_quoted", _answer(question, known))
        source = f"nothing is recorded for profile {profile}"
        if names[0] in self.values:
            source = "measured in this run"
        elif self.chapter in recorded:
            content = recorded[self.chapter]
            made = content["provenance"]
            source = (
                f"recorded on {made['date']} with profile {profile} at revision {made['revision']} "
                f"({made['device']}, {content['seconds']:.0f} seconds)"
            )
        self._glue(f"{profile}_source", source)

    def series(self, profile: str, question: str, along: str) -> list[tuple]:
        """Spreads of a column for each known value of the key `along`, rising: values, means, standard errors."""
        spreads = by(question, along, self.results(profile))
        rows = [(at, spreads[at]["mean"], spreads[at]["standard_error"]) for at in sorted(spreads)]
        return list(zip(*rows, strict=True)) or [(), (), ()]

    def recorded_table(self, profile: str, columns: dict[str, str], along: str) -> pd.DataFrame:
        """A table of known answers: a row for each value of the key `along` that answers the first question."""
        known = self.results(profile)
        first = next(iter(columns.values()))
        rows = {x: [_answer(each, known, **{along: x}) for each in columns.values()] for x in by(first, along, known)}
        return pd.DataFrame.from_dict(rows, "index", columns=list(columns))

    def save(self, data: str) -> str:
        """Write the results, whole or not at all, and return the file's name from the book's root.

        It is build/<profile>/<chapter>.json once the runner has seen the chapter end well, see `saved_path`.

        `data` names the data and says if they are simulated.
        """
        content = {
            "chapter": self.chapter,
            "profile": self.profile,
            "data": data,
            "values": self.values,
            "tables": self.tables,
            "parameters": self.parameters,
            "seconds": round(time.perf_counter() - self.started, 1),
            "provenance": provenance(self.device),
        }
        path = saved_path(self.chapter, self.profile)
        write_whole(path, json.dumps(content, indent=1) + "\n")
        return path.relative_to(store.ROOT).as_posix()

    @staticmethod
    def _glue(name, value, display=False):
        try:
            from myst_nb import glue
        except ImportError:  # a notebook on its own, whose text has its numbers already
            from IPython.display import display as show

            return show(value) if display else None
        glue(name, value, display=display)


def _plain(x):
    """A cell as JSON holds it: a word, a whole number or a number."""
    x = x.item() if hasattr(x, "item") else x
    return x if isinstance(x, str) else int(x) if isinstance(x, int) else float(x)


def _answer(question, results, **where):
    try:
        return shown(asked(question, results, **where))
    except Lacking:
        return shown(None)


def shown(value: float | dict | None) -> str:
    """A number or a spread as a table shows it, with a spread's standard error."""
    if isinstance(value, dict):
        if value["standard_error"] is None:
            return f"{value['mean']:.3f}, one value"
        return f"{value['mean']:.3f} ± {value['standard_error']:.3f}"
    return "not recorded" if value is None else f"{value}" if isinstance(value, int) else f"{value:.3f}"


def provenance(device: torch.device) -> dict:
    """When, on what and with which versions a run was made."""
    threads = torch.get_num_threads()
    cpu = f"CPU, {threads} thread{'s' * (threads > 1)}"
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else cpu
    return {
        "date": datetime.now(UTC).date().isoformat(),
        "device": name,
        "python": platform.python_version(),
        "versions": {package: version(package) for package in PACKAGES},
        "revision": git_revision(),
    }


def git_revision() -> str:
    """The commit checked out, marked if the tree differs from it; of an installed copy its version, else `unknown`."""
    if INSTALLED:
        return f"version {version(PACKAGE)}"
    command = ["git", "-C", str(store.ROOT), "describe", "--always", "--dirty", "--abbrev=12", "--exclude=*"]
    try:
        return subprocess.run(command, capture_output=True, text=True).stdout.strip() or "unknown"
    except OSError:  # no git on this machine
        return "unknown"
