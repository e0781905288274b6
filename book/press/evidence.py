"""What was found by trying, kept with the book: damaged files, kills, surroundings, mutated code, large reports."""

import json
from collections.abc import Sequence

import torch

from book.press.pages import markdown_table
from lib import store
from lib.chapter.run import provenance
from lib.store import write_whole

KINDS = "kills", "damaged_files", "surroundings", "versions", "audit", "reports"
UNSEEN = "same result", "speed alone", "memory alone"  # how reasons begin for changes that alter no result


def keep(kind: str, rows: Sequence[dict], same: Sequence[str]) -> None:
    """Keep what was found, each row with what it was found with, in place of rows that are equal in the keys `same`.

    A row that was kept before and is only added to stays with what it was found with.
    """
    path, made = _path(kind), provenance(torch.device("cpu"))
    rows = [{"date": made["date"], "revision": made["revision"]} | row for row in rows]
    replaced = {tuple(row[key] for key in same) for row in rows}
    old = [row for row in kept(kind) if tuple(row[key] for key in same) not in replaced]
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, "".join(json.dumps(row) + "\n" for row in sorted(old + rows, key=lambda row: str(row[same[0]]))))


def kept(kind: str) -> list[dict]:
    """The rows of a kind, none if it was never tried."""
    path = _path(kind)
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()] if path.exists() else []


def evidence(kind: str) -> str:
    """The table of a kind, as Markdown, with the days it was made on; columns are those of its first row."""
    if not (rows := kept(kind)):
        return "*Not run.*\n"
    heads = [name for name in rows[0] if name not in ("date", "revision")]
    days = sorted({row["date"] for row in rows})
    table = markdown_table(*heads, rows=[[_shown(row.get(head, "")) for head in heads] for row in rows])
    return f"{table}\n*Made {days[0]}{f' to {days[-1]}' if days[1:] else ''}.*\n"


def mutation() -> str:
    """How many changes of each module its tests noticed, and below it those that they did not, as Markdown."""
    path = store.ROOT / "book" / "results" / "mutation.json"
    told = json.loads(path.read_text(encoding="utf-8"))
    rows, left = [], []
    for module, one in sorted(told.items()):
        telling = one["tried"] - sum(it["reason"].startswith(UNSEEN) for it in one["survivors"])
        shares = [f"{one['killed'] / max(count, 1):.0%}" for count in (one["tried"], telling)]
        rows.append((f"`{module}`", one["mutants"], one["tried"], one["killed"], *shares))
        left += [f"- `{module}`, `{it['source']}`: {it['mutation']}. {it['reason']}\n" for it in one["survivors"]]
    table = markdown_table("module", "places", "tried", "noticed", "share", "of those that alter a result", rows=rows)
    box = f":::{{admonition}} Changes that no test noticed\n:class: dropdown\n{''.join(left)}:::\n" if left else ""
    days = sorted({one["date"] for one in told.values()})
    return f"{table}\n*Made {' to '.join(dict.fromkeys((days[0], days[-1])))}.*\n\n{box}"


def _shown(value):
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:.2g}" if isinstance(value, float) else str(value).replace("|", "\\|")


def _path(kind):
    return store.ROOT / "book" / "results" / "evidence" / f"{kind}.jsonl"
