"""The claims ledger: what the papers claim, judged by predicates over what the chapters measured.

A claim in book/claims.yml `holds` if each of its predicates, see `lib.chapter.tables`, is true of its chapter's
results; else it holds with a condition if each predicate of its `condition` is. No verdict is ever written down.
"""

import re
import sys
from pathlib import Path
from typing import NamedTuple

import yaml

from lib import store
from lib.chapter.results import results_of
from lib.chapter.tables import Lacking, number, operands, true

VERDICTS = ("reproduced", "reproduced-with-condition", "not-reproduced", "not-run")
FIELD = re.compile(r"{([^{}:]+)(:[^{}]*)?}")  # of a measured text: a name or question, and a format


class Verdict(NamedTuple):
    id: str
    paper: str  # A or B
    place: str  # where in the paper
    claim: str  # in our words
    paper_figure: str  # what the paper reports, empty if nothing
    verdict: str  # one of VERDICTS
    measured: str  # the figures of our run, or what it would take
    condition: str  # under which the claim holds, empty if none is needed
    scale: str  # at which alone it was judged, empty if at the paper's own
    chapter: str
    figure: str  # label of the figure or statement that shows it


def load_claims(path: Path | None = None) -> list[dict]:
    """The ledger's entries; raises ValueError naming the claim and the field that is missing or unknown."""
    path = path or store.ROOT / "book" / "claims.yml"
    claims = yaml.safe_load(path.read_text(encoding="utf-8"))
    required, optional = {"id", "paper", "place", "claim", "chapter"}, {"reports", "figure", "condition", "needs"}
    for claim in claims:
        need = required | ({"holds", "measured"} if "holds" in claim else {"needs"})
        if missing := need - set(claim):
            raise ValueError(f"{path.name}: claim {claim.get('id', '?')} lacks {', '.join(sorted(missing))}")
        if unknown := set(claim) - need - optional:
            raise ValueError(f"{path.name}: claim {claim['id']} has unknown fields {', '.join(sorted(unknown))}")
    return claims


def judge(claim: dict, results: dict[str, dict]) -> Verdict:
    """The verdict on one claim from results by chapter; `not-run` if its chapter or a number it names is missing."""
    found = results.get(claim["chapter"])
    verdict, measured = "not-run", claim.get("needs", "a run of its chapter with this profile")
    condition = {}
    missing = lacking(claim, found) if found and "holds" in claim else []
    if missing:
        measured = claim.get("needs", f"a rerun of {claim['chapter']}, whose results lack {', '.join(missing)}")
    elif found and "holds" in claim:
        verdict = "not-reproduced"
        if _all_true(claim, claim["holds"], found):
            verdict = "reproduced"
        elif "condition" in claim and _all_true(claim, claim["condition"]["holds"], found):
            verdict, condition = "reproduced-with-condition", claim["condition"]
        measured = FIELD.sub(lambda field: f"{{{field[2] or ''}}}".format(number(field[1], found)), claim["measured"])
    return Verdict(
        claim["id"],
        claim["paper"],
        claim["place"],
        claim["claim"],
        claim.get("reports", ""),
        verdict,
        measured,
        condition.get("text", ""),
        condition.get("scale", ""),
        claim["chapter"],
        claim.get("figure", ""),
    )


def ledger(results: dict[str, dict]) -> list[Verdict]:
    """Verdicts on all claims from results by chapter, of `lib.chapter.results.results_of` or `recorded_results`."""
    return [judge(claim, results) for claim in load_claims()]


def full_table(verdicts: list[Verdict]) -> str:
    """The ledger as a MyST Markdown table, each verdict linked to the figure or statement behind it."""
    lines = [
        "```{div} ledger",
        "",
        "| claim | place | what is claimed | paper's number | verdict | measured by us |",
        "|---|---|---|---|---|---|",
    ]
    for entry in verdicts:
        found = f"needs {entry.measured}" if entry.verdict == "not-run" else entry.measured
        found += f". *Condition:* {entry.condition}." if entry.condition else ""
        cells = (entry.id, entry.place, entry.claim, entry.paper_figure or "none", _badge(entry), found)
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join([*lines, "```"]) + "\n"


def summary_table(verdicts: list[Verdict]) -> str:
    """How many claims of each paper got each verdict, and which, as a MyST Markdown table."""
    lines = ["| verdict | paper A | paper B |", "|---|---|---|"]
    for verdict in VERDICTS:
        cells = []
        for paper in "AB":
            ids = [_link(entry, entry.id) for entry in verdicts if (entry.paper, entry.verdict) == (paper, verdict)]
            cells.append(f"{len(ids)}: {', '.join(ids)}" if ids else "none")
        lines.append(f"| {verdict_in_words(verdict)} | {cells[0]} | {cells[1]} |")
    return "\n".join(lines) + "\n"


def verdict_table(verdicts: list[Verdict]) -> str:
    """Every claim in one line, its verdict linked to the figure or statement behind it, as a MyST Markdown table."""
    lines = ["```{div} verdicts", "", "| claim | what is claimed | verdict |", "|---|---|---|"]
    lines += [f"| {entry.id} | {entry.claim} | {_badge(entry)} |" for entry in verdicts]
    return "\n".join([*lines, "```"]) + "\n"


def verdict_in_words(verdict: str) -> str:
    """A verdict as the pages print it."""
    return {"reproduced-with-condition": "reproduced, with a condition"}.get(verdict, verdict.replace("-", " "))


def _badge(entry):
    scale = f": {entry.scale} only" if entry.scale else ""
    return f'<span class="{entry.verdict}"></span> {_link(entry, verdict_in_words(entry.verdict))}{scale}'


def _link(entry, text):
    if not entry.figure or entry.verdict == "not-run":
        return text
    plain = entry.figure.startswith(("fig-", "tab-"))
    return f"[{text}](#{entry.figure})" if plain else f"{{prf:ref}}`{text} <{entry.figure}>`"


def questions(claim: dict) -> list[str]:
    """All names, numbers and questions of a claim's predicates and of its measured text."""
    predicates = claim["holds"] + claim.get("condition", {}).get("holds", [])
    sides = [side for predicate in predicates for side in _told(claim, operands, predicate)[::2]]
    return sides + [field[1] for field in FIELD.finditer(claim["measured"])]


def lacking(claim: dict, found: dict) -> list[str]:
    """What the results of a chapter lack of that which a claim asks."""
    missing = set()
    for question in questions(claim):
        try:
            _told(claim, number, question, found)
        except Lacking as error:
            missing.add(error.what)
    return sorted(missing)


def _all_true(claim, predicates, found):
    return all(_told(claim, true, predicate, found) for predicate in predicates)


def _told(claim, function, *arguments):
    """`function(*arguments)`, the claim named in what it refuses."""
    try:
        return function(*arguments)
    except Lacking:
        raise
    except ValueError as error:
        raise ValueError(f"claim {claim['id']}: {error}") from None


def print_ledger(profile: str) -> int:
    """Print the ledger of one profile, a line a claim: id, verdict, measured figure; the exit status."""
    results = results_of(profile)
    if not results:
        print(f"no results of profile {profile!r} yet: run `make book PROFILE={profile}`", file=sys.stderr)
    for entry in ledger(results):
        print(f"{entry.id:4} {entry.verdict:26} {entry.measured}")
    return 0
