"""Verdicts are computed: they follow the numbers, and change when a number does."""

import json
import re
import shutil
import string
import subprocess
import sys
from pathlib import Path

import pytest

from lib.chapter.claims import VERDICTS, full_table, judge, load_claims, summary_table, verdict_table

ROOT = Path(__file__).resolve().parent.parent
CLAIMS = load_claims()
JUDGED = [claim for claim in CLAIMS if "holds" in claim]


def values_for(claim, predicates, broken=None):
    """Numbers that satisfy each predicate of a claim, or violate `broken` alone."""
    every = claim["holds"] + claim.get("condition", {}).get("holds", [])
    names = {word for predicate in every for word in predicate.split()[::2] if word[0].isalpha()}
    values = dict.fromkeys(names, 0.5)
    for predicate in predicates:
        name, symbol, bound = predicate.split()
        inside = {"<": -1e-12, "<=": 0, ">": 1e-12, ">=": 0, "==": 0}[symbol]
        outside = {"<": 1, "<=": 1, ">": -1, ">=": -1, "==": 1}[symbol]
        if not re.match(r"[-\d.]", bound):  # another result, which a tenth lies beside
            values[bound] = 0.1
        limit = values[bound] if bound in values else float(bound)
        values[name] = limit + (outside if predicate == broken else inside)
    shown = {field for _, field, _, _ in string.Formatter().parse(claim["measured"]) if field}
    return {**dict.fromkeys(shown, 0.5), **values}


def verdict(claim, values):
    return judge(claim, {claim["chapter"]: {"values": values}}).verdict


def test_all_claims_of_both_papers_are_in_the_ledger():
    expected = [f"A{i}" for i in range(1, 17)] + [f"B{i}" for i in range(1, 12)]
    assert [claim["id"] for claim in CLAIMS] == expected


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
        values[only_claim.split()[0]] = values_for(claim, [only_claim], broken=only_claim)[only_claim.split()[0]]
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


@pytest.mark.parametrize(
    ("symbol", "below", "equal", "above"),
    [("<", 1, 0, 0), ("<=", 1, 1, 0), ("==", 0, 1, 0), (">=", 0, 1, 1), (">", 0, 0, 1)],
)
def test_operators_mean_what_they_say_at_the_bound(symbol, below, equal, above):
    claim = {key: "x" for key in ("id", "paper", "place", "claim", "chapter", "measured")}
    claim["holds"] = [f"rms {symbol} 0.5"]
    found = [verdict(claim, {"rms": value}) == "reproduced" for value in (0.4, 0.5, 0.6)]
    assert found == [below, equal, above]


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


def test_malformed_predicate_is_named():
    claim = {key: value for key, value in JUDGED[1].items() if key != "condition"}
    name = claim["holds"][0].split()[0]
    values = values_for(claim, claim["holds"])
    for predicate in (f"{name} < ", f"{name} ~ 3", f"{name} < 3 4"):
        with pytest.raises(ValueError, match="should read `name operator bound`"):
            verdict({**claim, "holds": [predicate]}, values)


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
    assert f"{len(CLAIMS) - 11}: A1" in table and "11: B1" in table and len(table.splitlines()) == len(VERDICTS) + 2


@pytest.fixture
def project(tmp_path):
    shutil.copytree(ROOT / "lib", tmp_path / "lib", ignore=shutil.ignore_patterns("__pycache__"))
    (tmp_path / "book").mkdir()
    shutil.copy(ROOT / "book" / "claims.yml", tmp_path / "book" / "claims.yml")
    for claim in JUDGED:
        path = tmp_path / "build" / "quick" / f"{claim['chapter']}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        content = json.loads(path.read_text()) if path.exists() else {"chapter": "", "provenance": {}, "values": {}}
        content["values"] |= values_for(claim, claim["holds"])
        path.write_text(json.dumps(content))
    return tmp_path


def printed(project):
    done = subprocess.run([sys.executable, "-m", "lib.chapter.claims"], cwd=project, capture_output=True, text=True)
    assert "Traceback" not in done.stderr
    return dict(line.split()[:2] for line in done.stdout.splitlines()) if done.returncode == 0 else done.stderr


def test_altering_a_results_file_flips_the_printed_verdict(project):
    before = printed(project)
    assert len(before) == 27 and before["B7"] == before["A12"] == "reproduced"
    path = project / "build" / "quick" / "05_partial_overlap.json"
    content = json.loads(path.read_text())
    content["values"]["b7_margin"] = -0.1
    path.write_text(json.dumps(content))
    after = printed(project)
    assert after.pop("B7") == "not-reproduced" and before.pop("B7") and before == after


def test_broken_results_file_is_named_in_one_line(project):
    path = project / "build" / "quick" / "05_partial_overlap.json"
    path.write_text(path.read_text()[:40])
    message = printed(project)
    assert message.startswith("error: ") and "05_partial_overlap.json is no results file" in message
    assert len(message.strip().splitlines()) == 1


def test_a_claim_judged_at_another_scale_says_so_beside_its_verdict():
    claim = next(claim for claim in JUDGED if claim["id"] == "A13")
    narrow = judge(claim, {claim["chapter"]: {"values": values_for(claim, claim["condition"]["holds"])}})
    wide = judge(claim, {claim["chapter"]: {"values": values_for(claim, claim["holds"])}})
    assert ": small networks only |" in verdict_table([narrow]) and "only" not in verdict_table([wide])
