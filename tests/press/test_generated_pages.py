"""What is made from runs and docstrings: openings, verdicts, run times, the landing picture, the reference."""

import inspect
import json
import re
import shlex
import shutil

import nbformat
import pytest
import yaml
from helpers import executed

from book.press import pages
from book.press.pages import (
    chapter_facts,
    growth,
    landing_picture,
    landing_verdicts,
    live_changes,
    live_table,
    opened,
    reading_minutes,
    recorded_times,
    run_times,
    speeds,
    verdict_badges,
)
from book.press.reference import reference, users
from lib.chapter.claims import Entry, Piece, load_claims
from lib.chapter.parameters import chapter_names, checked, notebook_path
from lib.chapter.plotting import FigureHTML, panels
from lib.chapter.results import chapter_code
from lib.geometry import linear_cka
from lib.store import CODE, write_whole

SOURCE = {"device": "CPU, 1 threads", "versions": {"torch": "2"}, "date": "2026-01-01", "revision": "abc"}


@pytest.fixture
def results(monkeypatch):
    found = {"01_first": {"chapter": "01_first", "values": {}, "provenance": SOURCE}}
    monkeypatch.setattr(pages, "results_of", lambda profile: json.loads(json.dumps(found)))
    return found


def test_facts_give_times_downloads_and_the_command(project):
    executed(project, "01_first", "quick")
    facts = chapter_facts("01_first", "quick", "../01_first.py")
    assert "1 min to read" in facts and "up to 2 min to run (profile quick)" in facts
    assert "make chapter NAME=01_first" in facts
    assert "{download}`notebook <alone/01_first.ipynb>`" in facts and "{download}`text <../01_first.py>`" in facts


def entry(id, chapter, **verdicts):
    pieces = {kind: Piece(kind, "", verdict, "", "", "", "") for kind, verdict in verdicts.items()}
    return Entry(id, id[0], "section 1", "It is so.", "", chapter, pieces)


def test_badges_are_those_of_the_chapter_and_lead_to_the_ledger():
    entries = [
        entry("A1", "01_first", stated="not-run", real="not-reproduced"),
        entry("B2", "02_second", stated="reproduced"),
    ]
    found = verdict_badges("01_first", entries)
    assert 'href="23_claims.html#claim-a1">A1 ' in found and "B2" not in found
    assert re.findall('class="([a-z-]+)" role="img" aria-label="([^"]+)"', found) == [
        ("not-run", "as stated, at the paper's setting: not run"),
        ("not-reproduced", "on real data: not reproduced"),
    ]
    assert re.findall(r"</span> ([a-z ]+)", found) == ["not reproduced", "not run"]
    assert verdict_badges("03_third", entries) == ""


ASKED = "(ch-a)=\n# Title\n\nQuestion,\nlong?"
ANSWERED = f"{ASKED}\n\n**In short.** Yes,\nit does."
FIGURE = ":::{glue:figure} fig-a\nWords.\n:::"
FOLD = "::::{dropdown} About this chapter\n"


@pytest.mark.parametrize(
    "given, wanted",
    [
        ([ANSWERED, FIGURE, f"{FOLD}More.\n::::"], [ANSWERED, "BADGES", FIGURE, f"{FOLD}More.\n\nFACTS\n::::"]),
        ([ASKED, "## Next", "Text.\n"], [ASKED, "BADGES", "## Next", "Text.", f"{FOLD}FACTS\n::::"]),
        ([ASKED, FIGURE], [ASKED, "BADGES", FIGURE, f"{FOLD}FACTS\n::::"]),
        ([ASKED], [ASKED, "BADGES", f"{FOLD}FACTS\n::::"]),
    ],
)
def test_badges_stand_after_the_answer_and_facts_in_the_fold(given, wanted):
    assert opened("\n\n".join(given), "BADGES", "FACTS") == "\n\n".join(wanted)
    wanted.remove("BADGES")
    assert opened("\n\n".join(given), "", "FACTS") == "\n\n".join(wanted)


def test_reading_time_counts_the_words_of_the_prose_alone(project):
    prose = "word " * 10 * pages.WORDS_A_MINUTE
    text = f"# %% [markdown]\n# {prose}\n\n# %%\nvalue = '{prose}'\n"
    (project / "notebooks").mkdir()
    (project / "notebooks" / "01_first.py").write_text(text)
    assert reading_minutes("01_first") == 10


def test_run_times_name_device_versions_date_and_revision(project, results):
    executed(project, "01_first", "quick")
    assert run_times("quick").splitlines()[-1] == (
        "| [](#ch-first) | 62.5 | CPU, 1 threads | torch 2 | 2026-01-01 | abc |"
    )


def test_missing_results_of_a_finished_chapter_are_named(project, results):
    executed(project, "01_first", "quick")
    results.clear()
    with pytest.raises(ValueError, match="build/quick/01_first.json is missing: run `make book` again"):
        run_times("quick")


def test_recorded_times_have_a_row_for_each_recorded_run_and_what_was_seen_of_it_since(project):
    executed(project, "01_first", "quick")
    code = chapter_code("01_first")
    for profile, seconds, then in (("long", 119, code), ("paper", 600, {"notebooks/01_first.py": "other"})):
        content = {"chapter": "01_first", "profile": profile, "values": {}, "seconds": seconds, "provenance": SOURCE}
        write_whole(project / "book" / "results" / profile / "01_first.json", json.dumps({**content, "code": then}))
    told = {"01_first": {"date": "2026-01-02", "within": 3, "outside": {"x": {}}, "left_out": {"y": "counts draws"}}}
    write_whole(project / "book" / "results" / "paper" / "verified.json", json.dumps(told))
    assert recorded_times().splitlines()[2:] == [
        "| [](#ch-first) | long | 2 | CPU, 1 threads | 2026-01-01 | 0 of 1 | no |",
        "| [](#ch-first) | paper | 10 | CPU, 1 threads | 2026-01-01 | 1 of 1 "
        "| 2026-01-02: 3 numbers as recorded, not `x`, 1 left out |",
    ]


def test_landing_page_has_every_claim_and_the_run_behind_them(project, results):
    write_whole(project / "book" / "claims.yml", (CODE / "book" / "claims.yml").read_text(encoding="utf-8"))
    for name in ("01_first", "02_second"):
        executed(project, name, "quick")
    results["02_second"] = {"values": {}, "provenance": SOURCE | {"date": "2026-01-03"}}
    text = landing_verdicts("quick")
    found = re.findall(r'<a href="chapters/23_claims.html#claim-([ab]\d+)">', text)
    assert {*found} == {claim["id"].lower() for claim in load_claims()}
    assert "Profile quick, run 2026-01-01 to 2026-01-03 on CPU, 1 threads, with torch 2." in text


def test_landing_page_names_the_recorded_runs_that_judge(project, results, monkeypatch):
    write_whole(project / "book" / "claims.yml", (CODE / "book" / "claims.yml").read_text(encoding="utf-8"))
    executed(project, "01_first", "quick")
    assert "recorded runs" not in landing_verdicts("quick")
    measured = dict.fromkeys(("margin", "margin_error", "probability_at_full", "crossing_error", "r2_inversions"), 0.5)
    values = {f"b7_{name}": value for name, value in measured.items()}
    monkeypatch.setattr(pages, "runs_of", lambda profile: {"long": {"05_partial_overlap": {"values": values}}})
    assert "What it has not measured is judged by recorded runs: long.*" in landing_verdicts("quick")


def test_landing_picture_is_one_svg_that_follows_the_readers_colours(project):
    shown = FigureHTML(panels(1), "fig-landing", "a picture with axes and nothing else")._repr_html_()
    metadata = {"scrapbook": {"name": "fig-landing", "mime_prefix": ""}}
    output = nbformat.v4.new_output("display_data", data={"text/html": shown}, metadata=metadata)
    executed(project, "04_gaussian_projections", "quick", [output])
    picture = landing_picture("quick")
    assert picture.startswith("<svg") and picture.count("<svg") == 1
    assert "prefers-color-scheme:dark" in picture and "currentColor" in picture


def test_reference_has_every_module_and_every_public_function():
    text = reference()
    for path in (CODE / "lib").rglob("[a-z]*.py"):
        module = ".".join(path.relative_to(CODE).with_suffix("").parts)
        assert text.count(f"### {module}\n") == 1
        for name in re.findall(r"^(?:def|class) ([a-z]\w*|[A-Z]\w*)[(:]", path.read_text(), flags=re.M):
            assert f"{module}.{name}" in text, f"{module}.{name} lacks a docstring"


def test_reference_gives_signature_docstring_and_chapters():
    text = reference()
    entry = text[text.index("{py:function} lib.geometry.linear_cka(y_a, y_b, debiased=False, centre=True)") :]
    entry = entry[: entry.index("````")]
    assert inspect.getdoc(linear_cka).splitlines()[0] in entry and "{ref}`ch-gaussian`" in entry
    assert "04_gaussian_projections" in users()["lib.geometry", "linear_cka"]
    fields = text[text.index("lib.regression.Fit(") :]
    assert "# squared error per predicted entry" in fields[:600]


def test_reference_names_no_folder_of_this_machine():
    text = reference()
    assert "load_claims(path=None)" in text and str(CODE) not in text


def test_reference_escapes_tags_in_prose_and_leaves_code_alone():
    text = reference()
    assert "corr_{i<j}(K^a_ij, K^b_ij)" in text and r"notebooks/profiles/\<profile>/" in text
    assert "alphas=ALPHAS" in text and "lib.verdict.Verdict\n" in text and "def of(self" not in text


def test_chapters_named_by_the_reference_are_those_that_import():
    texts = {name: notebook_path(name).read_text() for name in chapter_names()}
    naming = [name for name, text in texts.items() if "participation_ratio" in text]
    assert users()["lib.geometry", "participation_ratio"] == naming


def test_changes_for_a_class_fit_their_chapters_and_show_only_their_own_times(project):
    for folder in ("notebooks", "book"):
        shutil.copytree(CODE / folder, project / folder, ignore=shutil.ignore_patterns("results", "*.ipynb"))
    for change in live_changes():
        words = shlex.split(change["arguments"])
        assert words[::3] == ["-p"] * (len(words) // 3)
        checked(
            change["chapter"],
            {name: yaml.safe_load(value) for name, value in zip(words[1::3], words[2::3], strict=True)},
        )
    first, second = live_changes()[:2]
    times = {first["chapter"]: {"arguments": first["arguments"], "seconds": 12.5}}
    times[second["chapter"]] = {"arguments": "-p other 1", "seconds": 77}
    assert live_table().count("not timed") == len(live_changes())
    write_whole(project / "book/results/live.json", json.dumps({"times": times, "provenance": SOURCE}))
    found = live_table()
    assert "| 12.5 |" in found and "77" not in found and "Timed 2026-01-01 on CPU, 1 threads" in found


def test_speeds_have_a_row_for_each_rival_with_its_ratio_and_memory(project):
    line = {"work": "w", "size": "9 x 9", "seconds": 0.0123, "mb": 4, "date": "2030-01-02", "cpu": "one"}
    line["against"] = {
        "numpy": {"ratio": 0.5, "low": 0.4, "high": 0.62, "mb": 7.4},
        "other": {"ratio": 2, "low": 1.5, "high": 3, "mb": 100},
    }
    path = project / "book" / "results" / "speed.jsonl"
    path.parent.mkdir(parents=True, exist_ok=True)
    alone = {**line, "size": "99 x 99", "against": {}}
    path.write_text(f"{json.dumps(line)}\n{json.dumps(alone)}\n")
    short, _, _, _, *table = speeds().splitlines()
    assert short == "**In 1 of 2 comparisons the other way took longer in every turn, in 1 ours did.**"
    assert table == [
        "| w<br>9 x 9 | 12 | 4 | numpy | 0.50 (0.40 to 0.62) | 7 |",
        "|  |  |  | other | 2.00 (1.50 to 3.00) | 100 |",
        "| w<br>99 x 99 | 12 | 4 | no other way was tried |  |  |",
        "",
        "*One thread; measured 2030-01-02, one.*",
    ]


def test_growth_has_a_panel_for_each_size_and_a_slope_for_each_work(project):
    line = {"grows": "units", "sizes": [1, 2], "seconds": [0.1, 0.4], "slope": 2.0, "date": "2030-01-02", "cpu": "one"}
    lines = [{**line, "work": "RSA"}, {**line, "work": "CKA"}, {**line, "work": "ridge", "grows": "targets"}]
    path = project / "book" / "results" / "growth.jsonl"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(one) + "\n" for one in lines))
    text = growth()
    assert text.count("<svg") == 2
    assert "| RSA | units | 2.00 |\n| CKA | units | 2.00 |\n| ridge | targets | 2.00 |\n" in text
