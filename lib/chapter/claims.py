"""The claims ledger: what the papers claim, judged by predicates over what the chapters measured.

A claim in book/claims.yml has a piece of evidence for each setting in which it was asked, see `KINDS`. A piece `holds`
if each of its predicates, see `lib.chapter.tables`, is true of its chapter's results; else it holds with a condition if
each predicate of its `condition` is. Of a run that is not `informative` it is neither. No verdict is ever written down,
and no piece counts for another.
"""

import re
import sys
import textwrap
from pathlib import Path
from typing import NamedTuple

from lib.chapter.carried import of_book
from lib.chapter.plain_yaml import load_yaml
from lib.chapter.results import recorded_results, results_of
from lib.chapter.tables import Lacking, number, operands, true
from lib.checks import one_line

VERDICTS = ("reproduced", "reproduced-with-condition", "not-reproduced", "uninformative", "not-run")
KINDS = {
    "stated": "as stated, at the paper's setting",
    "ours": "at our setting or scale",
    "stand_ins": "on stand-ins",
    "real": "on real data",
}
FIELD = re.compile(r"{([^{}:]+)(:\+?(?:\.\d)?[ef])?}")  # of a measured text: a name or question, and a format
TABLES, LISTS = {*KINDS, "evidence", "condition"}, {"holds", "requires", "informative"}  # fields that are no text


class Piece(NamedTuple):
    """One piece of evidence on a claim, judged."""

    kind: str  # one of KINDS
    ran_on: str  # what it ran on, or would run on
    verdict: str  # one of VERDICTS
    measured: str  # the figures of the run, or what it would take
    condition: str  # under which it holds, empty if none is needed
    figure: str  # label of the figure or statement that shows it
    profile: str  # whose results were judged, empty if not run


class Entry(NamedTuple):
    """A claim with its pieces of evidence by kind."""

    id: str
    paper: str  # A or B
    place: str  # where in the paper
    claim: str  # in our words
    paper_figure: str  # what the paper reports, empty if nothing
    chapter: str
    pieces: dict[str, Piece]

    def verdict(self, kind: str) -> str:
        """Of one kind of evidence, `not-run` if there is none."""
        return self.pieces[kind].verdict if kind in self.pieces else "not-run"


def load_claims(path: Path | None = None) -> list[dict]:
    """The ledger's entries; raises ValueError naming the claim and the field that is missing, unknown or no such."""
    path = path or of_book("book/claims.yml")
    claims = load_yaml(path.read_bytes(), path.name)
    if not isinstance(claims, list):
        raise ValueError(f"{path.name} is no list of claims: begin each with `- id: A1`")
    for i, claim in enumerate(claims, 1):
        who = f"{path.name}: claim {one_line(claim['id']) if isinstance(claim, dict) and 'id' in claim else i}"
        _check_fields(claim, {"id", "paper", "place", "claim", "chapter", "evidence"}, {"reports"}, who)
        _check_fields(claim["evidence"], {"stated"}, set(KINDS), f"{who}, evidence")
        for kind, piece in claim["evidence"].items():
            need = {"ran_on"} | ({"holds", "measured", "figure"} if "holds" in piece else {"needs"})
            _check_fields(piece, need, {"condition", "needs", "requires", "informative", "chapter"}, f"{who}, {kind}")
            if "condition" in piece:
                _check_fields(piece["condition"], {"text", "holds"}, set(), f"{who}, {kind}, condition")
    return claims


def _check_fields(given, needed, optional, who):
    if not isinstance(given, dict):
        raise ValueError(f"{who} is no table: write its fields, `name: text`, one a line")
    if missing := needed - set(given):
        raise ValueError(f"{who} lacks {', '.join(sorted(missing))}")
    if unknown := set(given) - needed - optional:
        raise ValueError(f"{who} has unknown fields {one_line(', '.join(sorted(map(str, unknown))))}")
    for name, value in given.items():
        if not isinstance(value, dict if name in TABLES else list if name in LISTS else str):
            raise ValueError(f"{who}: {name} is a {type(value).__name__}: write it as in the other claims")
        if name in LISTS and not all(isinstance(one, str) for one in value):
            raise ValueError(f"{who}: {name} should be a list of predicates, one a line")


def judge(claim: dict, runs: dict[str, dict]) -> Entry:
    """A claim with a verdict for each piece of its evidence, from results by profile and chapter."""
    pieces = {kind: _judge_piece(claim, kind, runs) for kind in KINDS if kind in claim["evidence"]}
    reports = claim.get("reports", "")
    return Entry(claim["id"], claim["paper"], claim["place"], claim["claim"], reports, claim["chapter"], pieces)


def _judge_piece(claim, kind, runs):
    """By the first run that is of this kind and has the numbers; `not-run` if none has."""
    piece = claim["evidence"][kind]
    needs, chapter = piece.get("needs", ""), piece.get("chapter", claim["chapter"])
    for profile, results in runs.items() if "holds" in piece else ():
        found = results.get(chapter)
        if not found:
            continue
        if missing := lacking(claim, piece, found):
            needs = needs or f"a rerun of {chapter}, whose results lack {', '.join(missing)}"
        elif _all_true(claim, piece.get("requires", []), found):
            return _judged(claim, kind, found, profile)
    return Piece(kind, piece["ran_on"], "not-run", needs or f"a run of {chapter}", "", piece.get("figure", ""), "")


def _judged(claim, kind, found, profile):
    piece, condition = claim["evidence"][kind], ""
    verdict = "reproduced" if _all_true(claim, piece["holds"], found) else "not-reproduced"
    if verdict == "not-reproduced" and "condition" in piece and _all_true(claim, piece["condition"]["holds"], found):
        verdict, condition = "reproduced-with-condition", piece["condition"]["text"]
    if not _all_true(claim, piece.get("informative", []), found):
        verdict, condition = "uninformative", ""
    measured = FIELD.sub(lambda field: f"{{{field[2] or ''}}}".format(number(field[1], found)), piece["measured"])
    return Piece(kind, piece["ran_on"], verdict, measured, condition, piece["figure"], profile)


def runs_of(profile: str) -> dict[str, dict]:
    """Results by profile and chapter: those of one profile first, then all that were recorded with the book."""
    folders = sorted(path.name for path in of_book("book/results").glob("*") if path.is_dir())
    return {profile: results_of(profile)} | {name: recorded_results(name) for name in folders if name != profile}


def ledger(runs: dict[str, dict]) -> list[Entry]:
    """All claims judged from results by profile and chapter, the first profile's before the others'; see `runs_of`."""
    return [judge(claim, runs) for claim in load_claims()]


def claim_link(id: str, page: str = "") -> str:
    """A claim's id as a link to its row of the ledger, on `page` or on this one."""
    return f'<a href="{page}#claim-{id.lower()}">{id}</a>'


def summary_table(entries: list[Entry], page: str = "") -> str:
    """How many claims of each paper stand where, and which, as a MyST Markdown table; a claim may be in two rows.

    `page` is the address of the ledger from where the table stands.
    """
    unrun, elsewhere = [entry for entry in entries if entry.verdict("stated") == "not-run"], list(KINDS)[1:]
    nowhere = [entry for entry in unrun if all(entry.verdict(kind) == "not-run" for kind in elsewhere)]
    rows = [
        ("stands as stated, at the paper's setting", entries, ["stated"], ["reproduced"]),
        ("stands there with a condition", entries, ["stated"], ["reproduced-with-condition"]),
        ("not run there; holds elsewhere", unrun, elsewhere, ["reproduced", "reproduced-with-condition"]),
        ("failed at the paper's setting", entries, ["stated"], ["not-reproduced"]),
        ("failed elsewhere", entries, elsewhere, ["not-reproduced"]),
        ("asked without an answer", entries, list(KINDS), ["uninformative"]),
        ("not run on anything", nowhere, ["stated"], ["not-run"]),
    ]
    lines = ["| | paper A | paper B |", "|---|---|---|"]
    for words, among, kinds, verdicts in rows:
        papers = [[entry for entry in among if entry.paper == paper] for paper in "AB"]
        cells = [_listed(one, kinds, verdicts, page) for one in papers]
        lines.append(f"| {words} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def _listed(entries, kinds, verdicts, page):
    """How many claims have one of these verdicts on one of these kinds of evidence, and which, kind by kind."""
    found = {kind: [claim_link(e.id, page) for e in entries if e.verdict(kind) in verdicts] for kind in kinds}
    groups = [
        f"{'' if kind == 'stated' else KINDS[kind]} {', '.join(ids)}".strip() for kind, ids in found.items() if ids
    ]
    return f"{len(set().union(*found.values()))}: {'; '.join(groups)}" if groups else "none"


def verdict_table(entries: list[Entry]) -> str:
    """Every claim in one row, its verdicts side by side, each linked to what shows it, as a MyST Markdown table."""
    head = ["claim", "what is claimed", *KINDS.values()]
    lines = ["```{div} verdicts", "", f"| {' | '.join(head)} |", "|---" * len(head) + "|"]
    for entry in entries:
        cells = [_badge(entry.pieces[kind]) if kind in entry.pieces else "" for kind in KINDS]
        lines.append("| " + " | ".join([entry.id, entry.claim, *cells]) + " |")
    return "\n".join([*lines, "```"]) + "\n"


def full_table(entries: list[Entry]) -> str:
    """The ledger as a MyST Markdown table, a row for each piece of evidence: what it ran on, verdict and figures."""
    lines = [
        "```{div} ledger",
        "",
        "| claim | what is claimed | evidence | verdict | measured by us |",
        "|---" * 5 + "|",
    ]
    for entry in entries:
        reported = f" *The paper:* {entry.paper_figure}." if entry.paper_figure else ""
        anchor = f'<span id="claim-{entry.id.lower()}" data-chapter="{entry.chapter}"></span>'
        first = [f"{anchor}{entry.id}, {entry.place}", f"{entry.claim}{reported}"]
        for piece in entry.pieces.values():
            found = f"needs {piece.measured}" if piece.verdict == "not-run" else piece.measured
            found += f". *Condition:* {piece.condition}" if piece.condition else ""
            run = f", profile {piece.profile}" if piece.profile else ""
            cells = [*first, f"*{KINDS[piece.kind]}*: {piece.ran_on}{run}", _badge(piece), f"{found}."]
            lines.append("| " + " | ".join(cells) + " |")
            first = ["", ""]
    return "\n".join([*lines, "```"]) + "\n"


def badge(entry: Entry, page: str = "") -> str:
    """A claim's id and a mark for the verdict on each piece of its evidence, as a link to its row of the ledger."""
    told = {kind: f"{KINDS[kind]}: {verdict_in_words(piece.verdict)}" for kind, piece in entry.pieces.items()}
    marks = "".join(
        f'<span class="{entry.verdict(kind)}" role="img" aria-label="{words}" title="{words}"></span>'
        for kind, words in told.items()
    )
    return f'<a class="claim" href="{page}#claim-{entry.id.lower()}">{entry.id} {marks}</a>'


def verdict_in_words(verdict: str) -> str:
    """A verdict as the pages print it."""
    return {"reproduced-with-condition": "reproduced, with a condition"}.get(verdict, verdict.replace("-", " "))


def _badge(piece):
    return f'<span class="{piece.verdict}"></span> {_link(piece, verdict_in_words(piece.verdict))}'


def _link(piece, text):
    if not piece.figure or piece.verdict == "not-run":
        return text
    plain = piece.figure.startswith(("fig-", "tab-"))
    return f"[{text}](#{piece.figure})" if plain else f"{{prf:ref}}`{text} <{piece.figure}>`"


def questions(piece: dict) -> list[str]:
    """All names, numbers and questions of a piece's predicates and of its measured text."""
    predicates = (
        piece.get("requires", [])
        + piece.get("informative", [])
        + piece["holds"]
        + piece.get("condition", {}).get("holds", [])
    )
    sides = [side for predicate in predicates for side in operands(predicate)[::2]]
    return sides + [field[1] for field in FIELD.finditer(piece["measured"])]


def lacking(claim: dict, piece: dict, found: dict) -> list[str]:
    """What the results of a chapter lack of that which a piece of evidence asks."""
    missing = set()
    for question in _told(claim, questions, piece):
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
    """Print the ledger of one profile: each claim and, for each piece of its evidence, verdict, condition and figures.

    Returns the exit status.
    """
    if not results_of(profile):
        print(f"no results of profile {profile!r} yet: run `make book PROFILE={profile}`", file=sys.stderr)
    for entry in ledger(runs_of(profile)):
        _print_wrapped(f"{entry.id}  ", f"{entry.claim} ({entry.place})")
        for piece in entry.pieces.values():
            run = f", profile {piece.profile}" if piece.profile else ""
            _print_wrapped(f"  {verdict_in_words(piece.verdict)}  ", f"{KINDS[piece.kind]}: {piece.ran_on}{run}")
            if piece.condition:
                _print_wrapped("    condition: ", piece.condition)
            _print_wrapped("    needs: " if piece.verdict == "not-run" else "    measured: ", piece.measured)
        print()
    return 0


def _print_wrapped(head, text):
    """A paragraph of at most 100 columns that begins with `head` and goes on below its text."""
    print(textwrap.fill(" ".join(text.split()), 100, initial_indent=head, subsequent_indent=" " * len(head)))
