"""No number that a run produces is typed: what is typed is a setting, a size, a law or what a paper reports."""

import ast
import re

import pytest
from test_notebooks import CHAPTERS, cells

from lib.chapter.claims import load_claims
from lib.store import ROOT

NUMBERS = (
    "two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen "
    "nineteen twenty thirty forty fifty sixty seventy eighty ninety hundred thousand"
)
WORD = rf"(?:{NUMBERS.replace(' ', '|')})"
COUNT = rf"(?:{WORD}(?:[- ](?:one|{WORD}))*|\d+(?:\.\d+)?)"
PART = "(?:half|thirds?|quarters?|fifths?|sixths?|eighths?|tenths?|hundredths?)"
WHOLE = re.compile(r"(?<![\w.,])(?:\d{1,3}(?:,\d{3})+|\d{4,})(?![\w.])")
# As long as results are given, 0.87 or 1.873, and shares in percent.
LONG = re.compile(rf"(?<![\w.])\d*\.\d\d+|\b(?:one|{COUNT}|{PART})(?:\s|\\,)*(?:\\?%|per ?cent\b)", re.I)
# Any decimal but in `theorem 3.1`; seven tenths, three times, sixfold, 87 of 90: "half of" and "twice" are settings.
SHORT = re.compile(
    r"(?<![\w.])(?<!heorem )(?<!heorems )(?<!ection )(?<!ections )(?<!\d and )\d*\.\d+"
    rf"|\b(?!\d){COUNT}[- ]{PART}\b|\b{COUNT}(?:[- ]times\b|-?fold\b)"
    rf"|\b{COUNT} (?:out )?(?:of|in) (?:(?:the|all|a) )?(?:ten|twenty|hundred|thousand|\d\d+)\b",
    re.I,
)
ASIDE = re.compile(r"^(?: *`{3,}|make ).*$", re.M)  # fences and commands
MARKED = re.compile(r"\$[^$]*\$|`[^`]*`|\{[^}]*\}")  # mathematics, code and roles, where settings and laws stand
BARE = re.compile(r"\$[^$]*\$|`[\d.,% ]+`")  # where a result may stand too, as long as results are given
# Each was read and is no result of a run.
JUDGED = {
    "01_superposition": ["nineteen of twenty", "Nineteen of twenty"],
    "02_matching_theory": ["four fifths"],
    "04_gaussian_projections": ["0.05", "nineteen of twenty"],
    "05_partial_overlap": ["nine tenths", "four times", "four times"],
    "06_toy_models": ["0.95", "0.02", "nine tenths", "32 of the 64", "nine in ten", "nine in ten"],
    "07_disentangling": ["0.95", "four fifths", "four fifths"],
    "08_supervised": ["three times"],
    "10_network_pairs": ["3 of 100", "three in a hundred"],
    "11_brains": [r"13.9\,\%", r"3.5\,\%", "three hundred times"],
    "12_encoders": ["three quarters", "three of 32"],
    "14_ceiling": ["nine tenths", "nine tenths", "seven tenths", "three eighths", "three hundredths", "two hundredths"],
    "16_metrics": ["Two of 32", "nine tenths"],
    "17_natural": ["eight tenths", "hundred times", "two hundred of the thousand"],
    "18_settings": ["four fifths"],
    "19_macaque": ["eightfold", "thousand times"],
    "21_readouts": ["nine tenths", "nine tenths"],
    "23_claims": ["five hundredths", "two hundredths"],
}


def typed(words):
    """Numbers in a text that look like results: a whole number does unless it is round, a power of two or a year."""
    words = " ".join(ASIDE.sub(" ", words).split())
    plain = MARKED.sub(" ", words)
    whole = [number for number in WHOLE.findall(plain) if not harmless(number)]
    short = [one for one in SHORT.findall(plain) if not LONG.fullmatch(one)]
    return whole + short + LONG.findall(plain) + LONG.findall(" ".join(BARE.findall(words)))


def harmless(number):
    value = int(number.replace(",", ""))
    return value % 100 == 0 or value & (value - 1) == 0 or (1800 <= value < 2100 and "," not in number)


def strings(code):
    """Texts of several words in a cell's code, of an f-string what is written: titles, alternative texts, tables."""
    for node in ast.walk(ast.parse(code)):
        parts = node.values if isinstance(node, ast.JoinedStr) else [node]
        written = [part.value if isinstance(part, ast.Constant) else "x" for part in parts]
        if len(words := "".join(map(str, written)).split()) > 3:
            yield " ".join(words)


@pytest.mark.parametrize(
    "words",
    "1.873|0.87|.87|12,345|12345|87 percent|87 per cent|87 %|1.9 times|eighty-seven percent|half percent|three quarters"
    "|six times as many|six-fold|sixfold|87 of the 90|nineteen out of twenty".split("|"),
)
def test_typed_results_are_found(words):
    [found] = typed(f"It gives {words} here.")
    assert words.startswith(found)


@pytest.mark.parametrize(
    "words",
    "theorem 3.1|sections 4.1 and 4.2|5,000|1,024|10000|in 2025|half of|twice as|two of the three|3 x 3|B4".split("|"),
)
def test_settings_and_references_are_none(words):
    assert typed(f"It is {words} here.") == []


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_no_result_is_typed_in_a_chapter(chapter):
    code = (words for cell in cells(chapter, "code") for words in strings(cell.source))
    found = [number for words in code for number in LONG.findall(words)]
    for cell in cells(chapter, "markdown"):  # one by one, so that an odd mark does not swallow the next
        found += typed(cell.source)
    assert sorted(found) == sorted(JUDGED.get(chapter, []))


@pytest.mark.parametrize("page", ["intro", "which_metric", "glossary"])
def test_no_result_is_typed_in_a_page_that_quotes_them(page):
    assert typed((ROOT / "book" / f"{page}.md").read_text(encoding="utf-8")) == []


@pytest.mark.parametrize("claim", load_claims(), ids=lambda claim: claim["id"])
def test_no_result_is_typed_in_the_ledger(claim):
    """What a paper `reports` is typed, what we measured is a name in braces."""
    for piece in claim["evidence"].values():
        told = piece.get("measured", "") + piece.get("condition", {}).get("text", "")
        assert LONG.findall(MARKED.sub(" ", told)) == []
