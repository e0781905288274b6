"""Verdicts are computed: they follow the numbers, and change when a number does."""

import json
import re
import shutil

import pytest
from helpers import refuses

from lib import store
from lib.chapter import claims, tables
from lib.chapter.claims import (
    KINDS,
    Entry,
    Piece,
    claim_link,
    full_table,
    judge,
    load_claims,
    print_ledger,
    summary_table,
    verdict_table,
)
from lib.chapter.tables import NUMBER, Lacking, asked, operands

ROOT = store.ROOT
CLAIMS = load_claims()
IDS = [claim["id"] for claim in CLAIMS]
BY_ID = {claim["id"]: claim for claim in CLAIMS}
JUDGED = [(claim, kind) for claim in CLAIMS for kind, piece in claim["evidence"].items() if "holds" in piece]
CONDITIONED = [(claim, kind) for claim, kind in JUDGED if "condition" in claim["evidence"][kind]]


def each(pieces):
    names = [f"{claim['id']}-{kind}" for claim, kind in pieces]
    return pytest.mark.parametrize(("claim", "kind"), pieces, ids=names)


@pytest.fixture(autouse=True)
def answers(monkeypatch):
    """`values` answer whole questions too, so that each predicate gets its number alone; `test_tables` asks tables."""

    def number(question, results):
        found = results["values"].get(question)
        return found if isinstance(found, int | float) else real(question, results)

    real = tables.number
    for module in (claims, tables):
        monkeypatch.setattr(module, "number", number)


def values_for(piece, predicates, broken=None):
    """Answers that satisfy what a piece requires and each predicate, or violate `broken` alone."""
    values = {question: 0.5 for question in claims.questions(piece) if not NUMBER.fullmatch(question)}
    for predicate in [*piece.get("requires", []), *piece.get("informative", []), *predicates]:
        name, symbol, bound = operands(predicate)
        inside = {"<": -1e-12, "<=": 0, ">": 1e-12, ">=": 0, "==": 0}[symbol]
        outside = {"<": 1e-9, "<=": 1e-9, ">": -1e-9, ">=": -1e-9, "==": 1}[symbol]
        if not NUMBER.fullmatch(bound):  # another result, of which what was asked before must stay true
            values.setdefault(bound, 0.1)
            values[bound] = 0.1 if values[bound] == 0.5 else values[bound]
        limit = values[bound] if bound in values else float(bound)
        values[name] = limit + (outside if predicate == broken else inside)
    return values


def verdict(claim, kind, values):
    chapter = claim["evidence"][kind].get("chapter", claim["chapter"])
    return judge(claim, {"some": {chapter: {"values": values}}}).verdict(kind)


def test_claims_are_numbered_paper_by_paper():
    numbers = {paper: [claim["id"] for claim in CLAIMS if claim["paper"] == paper] for paper in "AB"}
    assert IDS == numbers["A"] + numbers["B"]
    assert all(ids == [f"{paper}{i + 1}" for i in range(len(ids))] for paper, ids in numbers.items())


@each(JUDGED)
def test_every_question_of_a_claim_can_be_asked(claim, kind):
    for question in claims.questions(claim["evidence"][kind]):
        if not NUMBER.fullmatch(question):
            with pytest.raises(Lacking):
                asked(question, {"values": {}, "tables": {}})


@each(JUDGED)
def test_a_piece_is_reproduced_when_all_predicates_hold_and_not_when_one_fails(claim, kind):
    piece = claim["evidence"][kind]
    assert verdict(claim, kind, values_for(piece, piece["holds"])) == "reproduced"
    for predicate in piece["holds"]:
        assert verdict(claim, kind, values_for(piece, piece["holds"], broken=predicate)) != "reproduced"


@each(CONDITIONED)
def test_condition_holds_where_the_claim_fails_and_falls_with_its_own_predicates(claim, kind):
    piece = claim["evidence"][kind]
    condition = piece["condition"]["holds"]
    only_claim = next(p for p in piece["holds"] if p not in condition)
    predicates = [*condition, only_claim]
    assert verdict(claim, kind, values_for(piece, predicates, broken=only_claim)) == "reproduced-with-condition"
    for predicate in condition:
        alone, lost = (operands(one)[0] for one in (only_claim, predicate))
        values = values_for(piece, predicates, broken=predicate)
        values[alone] = values_for(piece, [only_claim], broken=only_claim)[alone]
        values[lost] = values_for(piece, [predicate], broken=predicate)[lost]
        assert verdict(claim, kind, values) == "not-reproduced"


@each([(claim, kind) for claim, kind in JUDGED if "requires" in claim["evidence"][kind]])
def test_a_run_of_another_kind_does_not_judge(claim, kind):
    piece = claim["evidence"][kind]
    for required in piece["requires"]:
        values = values_for(piece, piece["holds"])
        values |= {
            operands(required)[0]: values_for({**piece, "requires": []}, [required], broken=required)[
                operands(required)[0]
            ]
        }
        assert verdict(claim, kind, values) == "not-run"


@each([(claim, kind) for claim, kind in JUDGED if "informative" in claim["evidence"][kind]])
def test_a_run_that_is_not_informative_decides_nothing(claim, kind):
    piece = claim["evidence"][kind]
    for predicate in piece["informative"]:
        for broken in (None, piece["holds"][0]):
            values = values_for(piece, piece["holds"], broken)
            values |= {operands(predicate)[0]: -1}
            assert verdict(claim, kind, values) == "uninformative"


# What a run can give for a question, least and most: a predicate that every run fulfils, or none, decides nothing.
REACH = {
    r"count\(.*|worlds|architectures|systems": (1, 1e6),  # of none there is no count: the results lack it
    r".*(_images|_pixels|cases.*)": (0, 1e6),
    r".*(_error|_error_max|_delta|_gap|_rms_\w+|_inversions|\.largest\)|\.last\)|_from)": (0, 1000),
    r"share\(.*|.*(share|rate|agreement|below_half|probability).*": (0, 1),
    r".*nsd\.(gain|over_random|over_relu).*": (-100, 100),
}


def reach(question):
    return next((ends for form, ends in REACH.items() if re.fullmatch(form, question)), (-1, 1))


@each(JUDGED)
def test_every_predicate_can_come_out_either_way(claim, kind):
    piece = claim["evidence"][kind]
    asked = piece["holds"] + piece.get("condition", {}).get("holds", [])
    for predicate in asked + piece.get("requires", []) + piece.get("informative", []):
        assert either_way(*operands(predicate)), predicate


def either_way(left, symbol, right):
    """Of two questions neither may be the other, or of the same rows, of which none is below the smallest."""
    if not NUMBER.fullmatch(right):
        return left.partition("(")[2] != right.partition("(")[2] or "(" not in left + right and left != right
    least, most = reach(left)
    tried = {least, most, min(max(float(right), least), most)}
    return {tables.COMPARISONS[symbol](x, float(right)) for x in tried} == {True, False}


@pytest.mark.parametrize(
    "predicate",
    [
        "a_score < 3",
        "a_share >= 0",
        "a_share <= 1",
        "count(t.x) >= 1",
        "max(t.x) >= min(t.x)",
        "a >= a",
        "a_error > -1",
    ],
)
def test_a_predicate_that_cannot_fail_is_found(predicate):
    assert not either_way(*operands(predicate))
    assert either_way(*operands("a_score < 0.3")) and either_way(*operands("max(t.x) < min(t.y)"))


@each(JUDGED)
def test_a_sign_comes_with_the_smallest_effect_that_matters(claim, kind):
    """A gain of 1e-5 in every pair is none: no predicate compares a score with 0."""
    piece = claim["evidence"][kind]
    for predicate in piece["holds"] + piece.get("condition", {}).get("holds", []):
        _, symbol, right = operands(predicate)
        assert not (symbol in "<>" and NUMBER.fullmatch(right) and float(right) == 0), predicate


@each(JUDGED)
def test_judged_piece_names_a_chapter_and_a_figure_that_exist(claim, kind):
    piece = claim["evidence"][kind]
    text = (ROOT / "notebooks" / f"{piece.get('chapter', claim['chapter'])}.py").read_text()
    assert f":name: {piece['figure']}\n" in text or f":label: {piece['figure']}\n" in text


def test_piece_without_results_or_predicates_is_not_run():
    assert judge(CLAIMS[0], {}).verdict("stated") == "not-run"
    without = {key: "x" for key in ("id", "paper", "place", "claim", "chapter")}
    without |= {"evidence": {"stated": {"ran_on": "brains", "needs": "a scanner"}}}
    entry = judge(without, {"some": {without["chapter"]: {"values": {}}}})
    assert entry.verdict("stated") == "not-run" and entry.pieces["stated"].measured == "a scanner"
    assert entry.verdict("real") == "not-run" and list(entry.pieces) == ["stated"]


def test_piece_whose_results_lack_a_number_is_not_run_and_says_so():
    piece = BY_ID["B7"]["evidence"]["ours"]
    values = values_for(piece, piece["holds"])
    del values["b7_margin"]
    found = judge(BY_ID["B7"], {"some": {"05_partial_overlap": {"values": values}}}).pieces["ours"]
    assert found.verdict == "not-run"
    assert found.measured == "a rerun of 05_partial_overlap, whose results lack b7_margin"


def test_piece_that_says_what_it_needs_says_so_until_the_numbers_are_there():
    claim, piece = BY_ID["A15"], BY_ID["A15"]["evidence"]["stated"]
    values = values_for(piece, piece["holds"])
    assert verdict(claim, "stated", values) == "reproduced"
    del values["nsd_pixels"]
    found = judge(claim, {"some": {claim["chapter"]: {"values": values}}}).pieces["stated"]
    assert found.verdict == "not-run" and found.measured == piece["needs"]


def test_a_piece_is_judged_by_the_first_run_that_can():
    claim, piece = BY_ID["B7"], BY_ID["B7"]["evidence"]["ours"]
    good, bad = (values_for(piece, piece["holds"], broken) for broken in (None, piece["holds"][0]))
    runs = {name: {claim["chapter"]: {"values": values}} for name, values in (("none", {}), ("a", bad), ("b", good))}
    found = judge(claim, runs).pieces["ours"]
    assert (found.verdict, found.profile) == ("not-reproduced", "a")
    assert judge(claim, dict(reversed(runs.items()))).pieces["ours"].profile == "b"


def piece_with(**changes):
    return BY_ID["A2"] | {"evidence": {"stated": BY_ID["A2"]["evidence"]["stated"] | changes}}


def test_malformed_predicate_is_named_with_its_claim():
    claim = piece_with(holds=["a2_error_max < 3 4"])
    with pytest.raises(ValueError, match="claim A2: predicate 'a2_error_max < 3 4' should read `operand < operand`"):
        verdict(claim, "stated", {})


def test_piece_whose_results_lack_a_bound_is_not_run_and_says_so():
    claim = piece_with(holds=["a2_score < another"])
    values = values_for(BY_ID["A2"]["evidence"]["stated"], []) | {"a2_score": 1}
    found = judge(claim, {"some": {claim["chapter"]: {"values": values}}}).pieces["stated"]
    assert found.verdict == "not-run" and found.measured.endswith("lack another")


def test_ledger_entry_with_a_missing_or_unknown_field_is_named(tmp_path):
    path, head = tmp_path / "claims.yml", "- {id: A1, paper: A, place: x, claim: y, chapter: z"
    path.write_text("- {id: A1, paper: A, place: x, claim: y}\n")
    with pytest.raises(ValueError, match="claim A1 lacks chapter, evidence"):
        load_claims(path)
    path.write_text(head + ", verdict: reproduced, evidence: {stated: {ran_on: x, needs: y}}}\n")
    with pytest.raises(ValueError, match="claim A1 has unknown fields verdict"):
        load_claims(path)
    for evidence, complaint in (
        ("{ours: {ran_on: x, needs: y}}", "claim A1, evidence lacks stated"),
        ("{stated: {needs: y}}", "claim A1, stated lacks ran_on"),
        ("{stated: {ran_on: x, needs: y}, toys: {ran_on: x, needs: y}}", "evidence has unknown fields toys"),
        ("{stated: {ran_on: x, holds: [a < 1]}}", "claim A1, stated lacks figure, measured"),
    ):
        path.write_text(f"{head}, evidence: {evidence}}}\n")
        with pytest.raises(ValueError, match=complaint):
            load_claims(path)


def entry_of(**verdicts):
    pieces = {kind: Piece(kind, "x", verdict, "y", "", "", "") for kind, verdict in verdicts.items()}
    return Entry("A1", "A", "x", "y", "", "z", pieces)


@pytest.mark.parametrize(
    ("verdicts", "rows"),
    [
        ({"stated": "reproduced"}, ["stands as stated, at the paper's setting"]),
        ({"stated": "reproduced", "real": "not-reproduced"}, ["stands as stated", "failed elsewhere"]),
        ({"stated": "reproduced-with-condition"}, ["stands there with a condition"]),
        ({"stated": "not-run", "stand_ins": "reproduced-with-condition"}, ["not run there; holds elsewhere"]),
        (
            {"stated": "not-run", "ours": "reproduced", "real": "not-reproduced"},
            ["holds elsewhere", "failed elsewhere"],
        ),
        ({"stated": "not-reproduced", "ours": "reproduced"}, ["failed at the paper's setting"]),
        ({"stated": "not-run"}, ["not run on anything"]),
        ({"stated": "not-run", "real": "uninformative"}, ["asked without an answer"]),
    ],
)
def test_no_summary_counts_a_stand_in_as_the_claim(verdicts, rows):
    lines = summary_table([entry_of(**verdicts)]).splitlines()[2:]
    told = [line for line in lines if line.split("|")[2].strip() != "none"]
    assert len(told) == len(rows) and all(row in line for row, line in zip(rows, told, strict=True))


def test_the_summary_names_the_evidence_that_is_not_at_the_papers_setting():
    table = summary_table([entry_of(stated="not-run", ours="reproduced", real="not-reproduced")], "there.html")
    assert claim_link("A1", "there.html") == (link := '<a href="there.html#claim-a1">A1</a>')
    assert f"holds elsewhere | 1: at our setting or scale {link} | none |" in table
    assert f"failed elsewhere | 1: on real data {link} | none |" in table


def test_tables_show_every_claim_once_and_every_piece_once():
    entries = [judge(claim, {}) for claim in CLAIMS]
    assert full_table(entries).count('class="not-run"') == sum(len(claim["evidence"]) for claim in CLAIMS)
    rows = [line for line in verdict_table(entries).splitlines() if re.match(r"\| [AB]\d", line)]
    assert [row.split()[1] for row in rows] == IDS and all(row.count("|") == len(KINDS) + 3 for row in rows)


def test_a_row_of_each_table_is_written_as_its_pieces_say():
    shown = Piece("stated", "frames", "reproduced-with-condition", "0.1", "large N", "fig-a", "paper")
    proved = Piece("ours", "words", "reproduced", "2", "", "def-b", "")
    missing = Piece("real", "data", "not-run", "a licence", "", "fig-c", "")
    entry = Entry("A1", "A", "section 3", "it is so", "0.2", "z", {one.kind: one for one in (shown, proved, missing)})
    badges = [
        '<span class="reproduced-with-condition"></span> [reproduced, with a condition](#fig-a)',
        '<span class="reproduced"></span> {prf:ref}`reproduced <def-b>`',
        '<span class="not-run"></span> not run',
    ]
    assert f"| A1 | it is so | {badges[0]} | {badges[1]} |  | {badges[2]} |\n" in verdict_table([entry])
    anchor = '<span id="claim-a1" data-chapter="z"></span>'
    assert full_table([entry]).splitlines()[4:-1] == [
        f"| {anchor}A1, section 3 | it is so *The paper:* 0.2. | *as stated, at the paper's setting*: frames, "
        f"profile paper | "
        f"{badges[0]} | 0.1. *Condition:* large N. |",
        f"|  |  | *at our setting or scale*: words | {badges[1]} | 2. |",
        f"|  |  | *on real data*: data | {badges[2]} | needs a licence. |",
    ]
    assert "(#tab-a)" in verdict_table([entry._replace(pieces={"stated": shown._replace(figure="tab-a")})])


def test_results_of_the_profile_come_before_those_recorded_for_it(monkeypatch, tmp_path):
    monkeypatch.setattr(store, "ROOT", tmp_path)
    for name in ("paper", "long"):
        (tmp_path / "book" / "results" / name).mkdir(parents=True)
    monkeypatch.setattr(claims, "results_of", lambda name: f"own of {name}")
    monkeypatch.setattr(claims, "recorded_results", lambda name: f"recorded of {name}")
    found = claims.runs_of("paper")
    assert [*found.items()] == [("paper", "own of paper"), ("long", "recorded of long")]


@pytest.fixture
def project(tmp_path, monkeypatch):
    shutil.copytree(ROOT / "book" / "results" / "paper", tmp_path / "book" / "results" / "paper")
    (tmp_path / "notebooks").mkdir()
    shutil.copy(ROOT / "book" / "claims.yml", tmp_path / "book" / "claims.yml")
    monkeypatch.setattr(store, "ROOT", tmp_path)
    return tmp_path / "book" / "results" / "paper"


def altered(path, change):
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))


@pytest.mark.parametrize(
    ("chapter", "change", "flipped"),
    [
        ("05_partial_overlap", lambda content: content["values"].update(b7_margin=-0.1), ("B7", "ours")),
        ("03_linear_theory", lambda content: content["values"].update(b1_rsa_error=1.0), ("B1", "stated")),
    ],
)
def test_altering_a_results_file_flips_the_printed_verdict(project, capsys, chapter, change, flipped):
    def printed():
        print_ledger("paper")
        found, kinds = {}, {words: kind for kind, words in KINDS.items()}
        for block in capsys.readouterr().out.split("\n\n"):
            for verdict, kind in re.findall(rf"^  (\S.*?)  ({'|'.join(kinds)}):", block, flags=re.M):
                found[block.split()[0], kinds[kind]] = verdict
        return found

    before = printed()
    assert list(dict.fromkeys(name for name, _ in before)) == IDS and before[flipped].startswith("reproduced")
    altered(project / f"{chapter}.json", change)
    after = printed()
    assert after.pop(flipped) == "not reproduced" and before.pop(flipped) and before == after


def test_the_printed_ledger_gives_claim_condition_and_figures_in_lines_that_fit(project, capsys, monkeypatch):
    found = Piece("stated", "frames", "reproduced-with-condition", "0.1 " * 40, "large N", "fig-a", "paper")
    needed = Piece("real", "data", "not-run", "a licence", "", "fig-c", "")
    entry = Entry("A1", "A", "section 3", "it is so", "", "z", {one.kind: one for one in (found, needed)})
    monkeypatch.setattr(claims, "ledger", lambda runs: [entry])
    monkeypatch.setattr(claims, "results_of", lambda profile: {"z": {}})
    assert print_ledger("paper") == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[:3] == [
        "A1  it is so (section 3)",
        "  reproduced, with a condition  as stated, at the paper's setting: frames, profile paper",
        "    condition: large N",
    ]
    assert lines[3].startswith("    measured: 0.1") and max(map(len, lines)) <= 100
    assert lines[-3:] == ["  not run  on real data: data", "    needs: a licence", ""]


CLAIM = """- id: A1
  paper: A
  place: section 3
  claim: it is so
  chapter: 01_first
  evidence:
    stated: {ran_on: frames, holds: [rms < 1], measured: "{rms:.1e}", figure: fig-a}
"""


@pytest.mark.parametrize(
    "old, new, thing, mend",
    [
        (CLAIM, "id: A1", "claims.yml is no list of claims", "begin each with"),
        (CLAIM, "- 3", "claims.yml: claim 1 is no table", "one a line"),
        ("section 3", "[3]", "claim A1: place is a list", "as in the other claims"),
        ("{ran_on", "[ran_on", "claims.yml is not YAML", "expected"),
        ("frames", "frames, condition: {holds: [rms < 2]}", "claim A1, stated, condition lacks text", ""),
        ("[rms < 1]", "[rms < 1, 3]", "claim A1, stated: holds should be a list of predicates", "one a line"),
        ("[rms < 1]", "rms < 1", "claim A1, stated: holds is a str", "as in the other claims"),
        ("paper: A", "? [a]\n  : c", "claims.yml is not YAML", "unhashable"),
        ("paper: A", "3: c\n  paper: A", "claim A1 has unknown fields 3", ""),
        ("- id: A1", r'- id: "A\x85"' + "\n  more: 1", "claims.yml: claim A? has unknown fields", "more"),
    ],
)
def test_claims_of_another_form_are_refused(old, new, thing, mend, tmp_path):
    (tmp_path / "claims.yml").write_text(CLAIM)
    assert len(load_claims(tmp_path / "claims.yml")) == 1
    assert old in CLAIM
    (tmp_path / "claims.yml").write_text(CLAIM.replace(old, new))
    refuses(thing, mend, load_claims, tmp_path / "claims.yml")
