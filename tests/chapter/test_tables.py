"""Questions to recorded results: every operator, aggregate and condition means what it says, all else is refused."""

import pytest

from lib.chapter.tables import AGGREGATES, Lacking, asked, number, true

ROWS = [
    {"N": 8, "pairing": "ss", "gain": -1.0},
    {"N": 16, "pairing": "ss", "gain": 1.0},
    {"N": 16, "pairing": "nn", "gain": 2.0},
    {"N": 32, "pairing": "nn", "gain": 6.0},
]
SUMMED = [{"N": 8, "gain_mean": 0.5, "gain_error": 0.25, "gain_count": 3, "gain_max": 4.0, "kept": None}]
RESULTS = {
    "values": {
        "low": 1,
        "soft": {"mean": 3.0, "standard_error": 0.5, "count": 4},
        "one_error": 7.0,
        "odd": float("nan"),
    },
    "tables": {"soft": ROWS, "summed": SUMMED},
}


@pytest.mark.parametrize(
    ("aggregate", "expected"),
    [("mean", 2), ("min", -1), ("max", 6), ("count", 4), ("std", 26**0.5 / 3**0.5), ("error", 26**0.5 / 12**0.5),
     ("share", 0.75)],
)  # fmt: skip
def test_aggregates_over_all_rows(aggregate, expected):
    assert number(f"{aggregate}(soft.gain)", RESULTS) == pytest.approx(expected, abs=1e-12)


def test_every_aggregate_is_tested():
    assert set(AGGREGATES) == set(test_aggregates_over_all_rows.pytestmark[0].args[1][i][0] for i in range(7))


def test_a_row_at_zero_is_not_above_it():
    results = {"values": {}, "tables": {"t": [{"x": 0}, {"x": -1}, {"x": 1e-9}]}}
    assert number("share(t.x)", results) == pytest.approx(1 / 3)


@pytest.mark.parametrize(
    ("condition", "gains"),
    [
        ("N = 16", [1, 2]),
        ("N = 16.0", [1, 2]),
        ("N != 16", [-1, 6]),
        ("N < 16", [-1]),
        ("N > 16", [6]),
        ("gain > -1", [1, 2, 6]),
        ("pairing = ss", [-1, 1]),
        ("pairing != ss", [2, 6]),
        ("pairing = nn and N < 32", [2]),
    ],
)
def test_conditions_choose_rows(condition, gains):
    found = [number(f"{name}(soft.gain where {condition})", RESULTS) for name in ("count", "min", "max", "mean")]
    assert found == [len(gains), min(gains), max(gains), sum(gains) / len(gains)]


@pytest.mark.parametrize(
    ("symbol", "below", "equal", "above"),
    [("<", 1, 0, 0), ("<=", 1, 1, 0), ("==", 0, 1, 0), (">=", 0, 1, 1), (">", 0, 0, 1)],
)
def test_comparisons_mean_what_they_say_at_the_bound(symbol, below, equal, above):
    assert [true(f"low {symbol} {bound}", RESULTS) for bound in ("1.5", "1", "5e-1")] == [below, equal, above]
    sides = [true(f"{side}(soft.gain where N = 16) {symbol} soft", RESULTS) for side in ("mean", "max", "min")]
    assert sides == [symbol in ("<", "<=")] * 3


def test_both_sides_may_be_questions():
    assert true("min(soft.gain where N = 16) > max(soft.gain where N = 8)", RESULTS)
    assert not true("min(soft.gain where N = 8) > max(soft.gain where N = 16)", RESULTS)


def test_names_are_numbers_means_of_spreads_and_their_errors():
    assert [number(name, RESULTS) for name in ("low", "soft", "soft_error", "one_error")] == [1, 3, 0.5, 7]


def test_a_column_without_an_aggregate_is_a_spread():
    assert asked("soft.gain where N = 16", RESULTS) == {"mean": 1.5, "standard_error": 0.5, "count": 2}
    assert asked("soft.gain", RESULTS, N=8) == {"mean": -1, "standard_error": None, "count": 1}
    with pytest.raises(ValueError, match=r"'soft.gain' is a spread: write one of mean"):
        number("soft.gain", RESULTS)


def test_a_row_that_sums_up_others_answers_for_them():
    assert asked("summed.gain where N = 8", RESULTS) == {"mean": 0.5, "standard_error": 0.25, "count": 3}
    assert number("max(summed.gain)", RESULTS) == 4
    with pytest.raises(Lacking, match="lack gain"):
        number("min(summed.gain)", RESULTS)


@pytest.mark.parametrize(
    ("question", "what"),
    [
        ("nothing", "nothing"),
        ("mean(hard.gain)", "hard"),
        ("mean(soft.loss)", "loss"),
        ("mean(soft.gain where M = 8)", "M"),
        ("mean(soft.gain where N = 9)", "rows of soft as asked for"),
        ("mean(summed.kept)", "kept"),
        ("error(soft.gain where N = 8)", "a second row, without which there is no spread"),
    ],
)
def test_what_is_not_there_is_named_with_the_mend(question, what):
    with pytest.raises(Lacking) as caught:
        number(question, RESULTS)
    assert caught.value.what == what and repr(question) in str(caught.value)
    assert str(caught.value).endswith("rename it or rerun the chapter") and "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("question", "mend"),
    [
        ("median(soft.gain)", "should be a number, a name or"),
        ("mean(soft)", "should be a number, a name or"),
        ("mean(soft.gain", "should be a number, a name or"),
        ("soft.gain)", "should be a number, a name or"),
        ("__import__('os').system('true')", "should be a number, a name or"),
        ("mean(soft.gain where N ~ 8)", "should read `key = value`"),
        ("mean(soft.gain where N = 8 or N = 9)", "should read `key = value`"),
        ("mean(soft.gain where pairing < ss)", "words have no order"),
        ("mean(soft.pairing)", "name a column of numbers"),
        ("odd", "is not a number"),
    ],
)
def test_other_forms_are_refused_in_one_line_with_the_mend(question, mend):
    with pytest.raises(ValueError, match=mend) as caught:
        number(question, RESULTS)
    assert "\n" not in str(caught.value) and not isinstance(caught.value, Lacking)


@pytest.mark.parametrize("predicate", ["low", "low <", "low ~ 3", "low < 3 4", "0 < low < 3", "low <3", "(low) < 3"])
def test_malformed_predicate_is_named(predicate):
    with pytest.raises(ValueError, match="should read `operand < operand`"):
        true(predicate, RESULTS)
