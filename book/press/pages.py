"""The parts of the book's pages that are made from runs: cards, verdicts, run times, the landing picture."""

import json
import math
import re
from pathlib import Path

import jupytext
import nbformat

from book.press.runner import run_seconds
from lib import store
from lib.chapter.claims import VERDICTS, Entry, badge, ledger, runs_of, summary_table, verdict_in_words
from lib.chapter.parameters import chapter_names, notebook_path
from lib.chapter.plain_yaml import load_yaml
from lib.chapter.plotting import FigureHTML, k_styles, log_ticks, panels
from lib.chapter.results import changed_since, output_path, recorded_results, results_of

WORDS_A_MINUTE = 180  # of prose with formulas


def chapter_label(name: str) -> str:
    """The label of a chapter's title, as written in its first cell."""
    return re.search(r"^# \((ch-[\w-]+)\)=$", notebook_path(name).read_text(encoding="utf-8"), flags=re.M)[1]


def chapter_title(name: str) -> str:
    """The title of a chapter, as written in its first cell."""
    return re.search(r"^# # (.+)$", notebook_path(name).read_text(encoding="utf-8"), flags=re.M)[1]


def reading_minutes(name: str) -> int:
    """How long a chapter's prose takes to read; code, captions of solutions and all."""
    prose = " ".join(cell.source for cell in jupytext.read(notebook_path(name)).cells if cell.cell_type == "markdown")
    return max(1, round(len(re.findall(r"[A-Za-z]{2,}", prose)) / WORDS_A_MINUTE))


def chapter_facts(name: str, label: str, text_notebook: str) -> str:
    """What a chapter takes and how to run it, for the fold below its opening: times, downloads, the command.

    `text_notebook` is the path of the chapter's .py from the page.
    """
    minutes = math.ceil(run_seconds(name, label) / 60)  # rounded, so that the page is the same after another run
    facts = [f"{reading_minutes(name)} min to read", f"up to {minutes} min to run (profile {label})"]
    facts.append(f"take it along: {{download}}`notebook <alone/{name}.ipynb>`, {{download}}`text <{text_notebook}>`")
    return f"{' · '.join(facts)}\n\n```bash\nmake chapter NAME={name}\n```"


def verdict_badges(name: str, entries: list[Entry]) -> str:
    """The verdicts on the claims that a chapter judges, and what their marks say; nothing if there are none."""
    judged = [entry for entry in entries if entry.chapter == name]
    found = {piece.verdict for entry in judged for piece in entry.pieces.values()}
    key = [f'<span class="{one}"></span> {verdict_in_words(one)}' for one in VERDICTS if one in found]
    badges = " ".join(badge(entry, "23_claims.html") for entry in judged)
    return f'<p class="claims">Claims judged here: {badges} <small>{", ".join(key)}</small></p>' if judged else ""


def opened(opening: str, badges: str, facts: str) -> str:
    """A chapter's first cell with badges after its answer and facts in the fold that it ends with.

    Without an answer they stand after the first paragraph, and without a fold the facts get one.
    """
    short = opening.find("\n**In short.**")
    end = opening.find("\n\n", short if short >= 0 else opening.find("\n\n") + 2)
    end = end if end >= 0 else len(opening)
    text = "\n\n".join(filter(None, [opening[:end].rstrip(), badges, opening[end:].strip()]))
    fold = re.search(r"^(:{3,})\{dropdown\}", text, flags=re.M)
    if fold and text.endswith(f"\n{fold[1]}"):
        return f"{text.removesuffix(fold[1]).rstrip()}\n\n{facts}\n{fold[1]}"
    return f"{text}\n\n::::{{dropdown}} About this chapter\n{facts}\n::::"


def with_box(opening: str, box: str) -> str:
    """A chapter's first cell with a box between its title and what follows."""
    title, others = re.split(r"\n\n", opening, maxsplit=1)
    return "\n\n".join([title, box, others])


def landing_verdicts(profile: str) -> str:
    """The verdicts for the landing page: how many, which, and the runs behind them."""
    results = results_of(profile)
    sources = [results[name]["provenance"] for name in chapter_names() if name in results]
    days = sorted({source["date"] for source in sources})
    devices = sorted({source["device"] for source in sources})
    when = days[0] if len(days) == 1 else f"{days[0]} to {days[-1]}"
    versions = ", ".join(f"{package} {version}" for package, version in sources[-1]["versions"].items())
    entries = ledger(runs_of(profile))
    judged = {piece.profile for entry in entries for piece in entry.pieces.values()} - {profile, ""}
    others = f" What it has not measured is judged by recorded runs: {', '.join(sorted(judged))}." if judged else ""
    line = f"*Profile {profile}, run {when} on {' and '.join(devices)}, with {versions}.{others}*"
    return "\n".join([summary_table(entries, "chapters/23_claims.html"), line])


def run_times(profile: str) -> str:
    """The table of run times and what each chapter ran on, as Markdown."""
    rows, results = [], results_of(profile)
    for name in chapter_names():
        if name not in results:
            raise ValueError(f"build/{profile}/{name}.json is missing: run `make book` again")
        source = results[name]["provenance"]
        versions = ", ".join(f"{package} {number}" for package, number in source["versions"].items())
        seconds = f"{run_seconds(name, profile):.1f}"
        rows.append((_link(name), seconds, source["device"], versions, source["date"], source["revision"]))
    return markdown_table("chapter", "seconds", "device", "versions", "date", "revision", rows=rows)


def recorded_times() -> str:
    """The table of how long the recorded runs took, and what was seen of them since, as Markdown."""
    rows = []
    for folder in sorted(path for path in (store.ROOT / "book" / "results").glob("*") if path.is_dir()):
        for name, content in recorded_results(folder.name).items():
            made, minutes = content["provenance"], f"{content['seconds'] / 60:.0f}"
            since = f"{len(changed_since(content))} of {len(content['code'])}", _verified(folder, name)
            rows.append((_link(name), folder.name, minutes, made["device"], made["date"], *since))
    heads = "chapter", "profile", "minutes", "device", "date", "files of code changed since", "run again in part"
    return markdown_table(*heads, rows=rows)


def _verified(folder, name):
    path = folder / "verified.json"
    told = json.loads(path.read_text(encoding="utf-8")).get(name) if path.exists() else None
    if not told:
        return "no"
    outside = ", ".join(f"`{one}`" for one in told["outside"])
    left_out = len(told.get("left_out", {}))
    parts = [
        f"{told['within']} numbers as recorded",
        f"not {outside}" * bool(outside),
        f"{left_out} left out" * bool(left_out),
    ]
    return f"{told['date']}: {', '.join(filter(None, parts))}"


def speeds() -> str:
    """The tables of `benchmarks`: each work and size, ours and against what, as Markdown."""
    path, rows, made, below, above = store.ROOT / "book" / "results" / "speed.jsonl", [], set(), 0, 0
    for line in map(json.loads, path.read_text(encoding="utf-8").splitlines()):
        made.add(f"{line['date']}, {line['cpu']}")
        what = f"{line['work']}<br>{line['size']}", f"{1e3 * line['seconds']:.0f}", f"{line['mb']:.0f}"
        for name, one in line["against"].items():
            ratio = f"{one['ratio']:.2f} ({one['low']:.2f} to {one['high']:.2f})"
            below, above = below + (one["high"] < 1), above + (one["low"] > 1)
            rows.append((*what, name, ratio, f"{one['mb']:.0f}"))
            what = "", "", ""
        if not line["against"]:
            rows.append((*what, "no other way was tried", "", ""))
    table = markdown_table("work", "ms", "MB", "against", "its time over ours", "its MB", rows=rows)
    count = sum(bool(row[-1]) for row in rows)
    short = f"**In {above} of {count} comparisons the other way took longer in every turn, in {below} ours did.**"
    return f"{short}\n\n{table}\n*One thread; measured {'; '.join(sorted(made))}.*\n"


def growth() -> str:
    """Cost against size of each kind of work, a panel for each size that grows, and the slopes in a table."""
    text = (store.ROOT / "book/results/growth.jsonl").read_text(encoding="utf-8")
    lines = [json.loads(line) for line in text.splitlines()]
    axes = panels(len(grows := list(dict.fromkeys(line["grows"] for line in lines))))
    for line, style in zip(lines, k_styles(lines), strict=True):
        axes[grows.index(line["grows"])].plot(line["sizes"], line["seconds"], label=line["work"], **style)
    for ax, name in zip(axes, grows, strict=True):
        ax.set(xlabel=name, ylabel="seconds", yscale="log")
        log_ticks(ax, sorted({size for line in lines if line["grows"] == name for size in line["sizes"]}))
        ax.legend(loc="lower right")
    rows = [(line["work"], line["grows"], f"{line['slope']:.2f}") for line in lines]
    alt = "Seconds against size on logarithmic axes, a line for each kind of work; the table below gives the slopes."
    body = FigureHTML(axes, "growth", alt, "Cost of each kind of work as one size of it grows").body
    made = f"*One thread; measured {lines[0]['date']}, {lines[0]['cpu']}.*"
    return f"{body}\n\n{markdown_table('work', 'grows with', 'slope', rows=rows)}\n{made}\n"


def _link(chapter):
    return f"[](#{chapter_label(chapter)})"


def markdown_table(*heads, rows):
    """A table; what is counted in units of time or memory stands on the right."""
    sides = ["---:" if head in ("seconds", "minutes", "ms", "MB", "its MB") else "---" for head in heads]
    return "".join(f"| {' | '.join(map(str, row))} |\n" for row in (heads, sides, *rows))


def live_changes() -> list[dict]:
    """Parameter changes for a class: `chapter`, `arguments`, and what to `watch`."""
    return load_yaml((store.ROOT / "book" / "live.yml").read_bytes(), "book/live.yml")


def live_times() -> Path:
    """The file with how long these changes took."""
    return store.ROOT / "book" / "results" / "live.json"


def live_table() -> str:
    """The table of these changes with how long each took where the book was recorded, as Markdown."""
    path = live_times()
    found = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {"times": {}}
    rows = []
    for change in live_changes():
        timed = found["times"].get(change["chapter"], {})
        # A time belongs to the arguments it was taken with.
        took = timed["seconds"] if timed.get("arguments") == change["arguments"] else "not timed"
        arguments = change["arguments"].replace("|", "\\|")
        rows.append((_link(change["chapter"]), f"`{arguments}`", change["watch"], took))
    table, times = markdown_table("chapter", "`ARGS`", "what to watch", "seconds", rows=rows), found.get("provenance")
    return table + (f"\n*Timed {times['date']} on {times['device']}, one chapter at a time.*\n" if times else "")


def landing_picture(profile: str) -> str:
    """The landing page's figure as an SVG file that follows the reader's colour scheme."""
    notebook = nbformat.read(output_path("04_gaussian_projections", profile), as_version=4)
    outputs = (output for cell in notebook.cells for output in cell.get("outputs", []))
    shown = next(o for o in outputs if o.get("metadata", {}).get("scrapbook", {}).get("name") == "fig-landing")
    html = shown["data"]["text/html"]
    svg = re.search(r"<svg.*?</svg>", html, flags=re.S)[0]
    light, dark = "svg{color:#222;background:#fff}", "svg{color:#ddd;background:#14181e}"
    style = f"<style>{light}@media(prefers-color-scheme:dark){{{dark}}}</style>"
    return re.sub(r"(<svg[^>]*>)", rf"\1{style}", svg, count=1) + "\n"
