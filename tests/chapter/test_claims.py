"""Verdicts are computed: they follow the numbers, and change when a number does."""

import json
import shutil

import pytest

from lib import store
from lib.chapter import claims, tables
from lib.chapter.claims import VERDICTS, full_table, judge, load_claims, print_ledger, summary_table, verdict_table
from lib.chapter.tables import NUMBER, Lacking, asked, operands

ROOT = store.ROOT
CLAIMS = load_claims()
IDS = [claim["id"] for claim in CLAIMS]
JUDGED = [claim for claim in CLAIMS if "holds" in claim]


@pytest.fixture(autouse=True)
def answers(monkeypatch):
    """`values` answer whole questions too, so that each predicate gets its number alone; `test_tables` asks tables."""

    def number(question, results):
        found = results["values"].get(question)
        return found if isinstance(found, int | float) else real(question, results)

    real = tables.number
    for module in (claims, tables):
        monkeypatch.setattr(module, "number", number)


def values_for(claim, predicates, broken=None):
    """Answers that satisfy each predicate of a claim, or violate `broken` alone."""
    values = {question: 0.5 for question in claims.questions(claim) if not NUMBER.fullmatch(question)}
    for predicate in predicates:
        name, symbol, bound = operands(predicate)
        inside = {"<": -1e-12, "<=": 0, ">": 1e-12, ">=": 0, "==": 0}[symbol]
        outside = {"<": 1, "<=": 1, ">": -1, ">=": -1, "==": 1}[symbol]
        if not NUMBER.fullmatch(bound):  # another result, which a tenth lies beside
            values[bound] = 0.1
        limit = values[bound] if bound in values else float(bound)
        values[name] = limit + (outside if predicate == broken else inside)
    return values


def verdict(claim, values):
    return judge(claim, {claim["chapter"]: {"values": values}}).verdict


def test_claims_are_numbered_paper_by_paper():
    numbers = {paper: [claim["id"] for claim in CLAIMS if claim["paper"] == paper] for paper in "AB"}
    assert IDS == numbers["A"] + numbers["B"]
    assert all(ids == [f"{paper}{i + 1}" for i in range(len(ids))] for paper, ids in numbers.items())


@pytest.mark.parametrize("claim", JUDGED, ids=lambda claim: claim["id"])
def test_every_question_of_a_claim_can_be_asked(claim):
    for question in claims.questions(claim):
        if not NUMBER.fullmatch(question):
            with pytest.raises(Lacking):
                asked(question, {"values": {}, "tables": {}})


@pytest.mark.parametrize("claim", JUDGED, ids=lambda claim: claim["id"])
def test_claim_is_reproduced_when_all_predicates_hold_and_not_when_one_fails(claim):
    assert verdict(claim, values_for(claim, claim["holds"])) == "reproduced"
    for predicate in claim["holds"]:
        assert verdict(claim, values_for(claim, claim["holds"], broken=predicate)) != "reproduced"


@pytest.mark.parametrize("claim", [c for c in JUDGED if "condition" in c], ids=lambda claim: claim["id"])
def test_condition_holds_where_the_claim_fails_and_falls_with_its_own_predicates(claim):
    condition = claim["condition"]["holds"]
    only_claim = next(p for p in claim["holds"] if p not in condition)
    predicates = [*condition, only_claim]
    assert verdict(claim, values_for(claim, predicates, broken=only_claim)) == "reproduced-with-condition"
    for predicate in condition:
        values = values_for(claim, predicates, broken=predicate)
        alone = operands(only_claim)[0]
        values[alone] = values_for(claim, [only_claim], broken=only_claim)[alone]
        assert verdict(claim, values) == "not-reproduced"


@pytest.mark.parametrize("claim", JUDGED, ids=lambda claim: claim["id"])
def test_judged_claim_names_a_chapter_and_a_figure_that_exist(claim):
    text = (ROOT / "notebooks" / f"{claim['chapter']}.py").read_text()
    assert f":name: {claim['figure']}\n" in text or f":label: {claim['figure']}\n" in text


def test_claim_without_results_or_predicates_is_not_run():
    assert judge(JUDGED[0], {}).verdict == "not-run"
    without = {key: "x" for key in ("id", "paper", "place", "claim", "chapter")} | {"needs": "a scanner"}
    entry = judge(without, {without["chapter"]: {"values": {}}})
    assert entry.verdict == "not-run" and entry.measured == without["needs"]


def test_claim_whose_results_lack_a_number_is_not_run_and_says_so():
    claim = next(claim for claim in JUDGED if claim["id"] == "B7")
    values = values_for(claim, claim["holds"])
    del values["b7_margin"]
    entry = judge(claim, {claim["chapter"]: {"values": values}})
    assert entry.verdict == "not-run"
    assert entry.measured == "a rerun of 05_partial_overlap, whose results lack b7_margin"


def test_claim_that_says_what_it_needs_says_so_until_the_numbers_are_there():
    claim = next(claim for claim in JUDGED if claim["id"] == "A15")
    values = values_for(claim, claim["holds"])
    assert verdict(claim, values) == "reproduced"
    del values["nsd_pixels"]
    entry = judge(claim, {claim["chapter"]: {"values": values}})
    assert entry.verdict == "not-run" and entry.measured == claim["needs"]


def test_malformed_predicate_is_named_with_its_claim():
    claim = JUDGED[1] | {"holds": ["a2_error_max < 3 4"]}
    with pytest.raises(ValueError, match="claim A2: predicate 'a2_error_max < 3 4' should read `operand < operand`"):
        verdict(claim, {})


def test_claim_whose_results_lack_a_bound_is_not_run_and_says_so():
    claim = JUDGED[1] | {"holds": ["a2_score < another"]}
    entry = judge(claim, {claim["chapter"]: {"values": values_for(JUDGED[1], JUDGED[1]["holds"]) | {"a2_score": 1}}})
    assert entry.verdict == "not-run" and entry.measured.endswith("lack another")


def test_ledger_entry_with_a_missing_or_unknown_field_is_named(tmp_path):
    path = tmp_path / "claims.yml"
    path.write_text("- {id: A1, paper: A, place: x, claim: y}\n")
    with pytest.raises(ValueError, match="claim A1 lacks chapter, needs"):
        load_claims(path)
    path.write_text("- {id: A1, paper: A, place: x, claim: y, chapter: z, needs: w, verdict: reproduced}\n")
    with pytest.raises(ValueError, match="claim A1 has unknown fields verdict"):
        load_claims(path)


def test_tables_show_every_verdict_once():
    entries = [judge(claim, {}) for claim in CLAIMS]
    assert full_table(entries).count("not run") >= len(CLAIMS)
    table = summary_table(entries)
    for paper in "AB":
        ids = [name for name in IDS if name.startswith(paper)]
        assert f"{len(ids)}: {', '.join(ids)}" in table
    assert len(table.splitlines()) == len(VERDICTS) + 2


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


def share_nothing(content):
    for row in content["tables"]["shared"]:
        row["share_mean"] = 0.0


@pytest.mark.parametrize(
    ("chapter", "change", "flipped"),
    [
        ("05_partial_overlap", lambda content: content["values"].update(b7_margin=-0.1), "B7"),
        ("06_toy_models", share_nothing, "A5"),
    ],
)
def test_altering_a_results_file_flips_the_printed_verdict(project, capsys, chapter, change, flipped):
    def printed():
        print_ledger("paper")
        return dict(line.split()[:2] for line in capsys.readouterr().out.splitlines())

    before = printed()
    assert list(before) == IDS and before[flipped].startswith("reproduced")
    altered(project / f"{chapter}.json", change)
    after = printed()
    assert after.pop(flipped) == "not-reproduced" and before.pop(flipped) and before == after


def test_a_claim_judged_at_another_scale_says_so_beside_its_verdict():
    claim = next(claim for claim in JUDGED if claim["id"] == "A13")
    narrow = judge(claim, {claim["chapter"]: {"values": values_for(claim, claim["condition"]["holds"])}})
    wide = judge(claim, {claim["chapter"]: {"values": values_for(claim, claim["holds"])}})
    assert ": small networks only |" in verdict_table([narrow]) and "only" not in verdict_table([wide])
