"""What a check cell tells: right, the known mistake, or how far off; what is no number is refused in one line."""

from fractions import Fraction

import numpy as np
import pytest
import torch
from helpers import refuses

from lib.chapter.answers import check

RIGHT = 5**-0.5
MISTAKES = {1 / 5: "That is the squared coherence: take the root.", 1: "Leave a column with itself out."}


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (None, "Put your number in place of None."),
        (RIGHT, "Right: 0.447."),
        (0.447, "Right: 0.447."),
        (0.4474, "Right: 0.447."),
        (torch.tensor(RIGHT), "Right: 0.447."),
        (np.float32(RIGHT), "Right: 0.447."),
        (0.2, "That is the squared coherence: take the root."),
        (1, "Leave a column with itself out."),
        (0.4478, "Nearly, but a little too large: give it to 3 decimals."),
        (0.446, "Nearly, but a little too small: give it to 3 decimals."),
        (0.894, "Too large, by a factor of 2.00."),
        (Fraction(1, 10), "Too small, by a factor of 4.47."),
        (44.7, "Too large, by a factor of 100."),
        (-RIGHT, "Its sign is wrong."),
        (0, "Too small: it is not 0."),
    ],
)
def test_an_answer_is_met_with_one_sentence(answer, told):
    assert repr(check(answer, RIGHT, MISTAKES)) == told


def test_digits_are_those_that_the_question_asks_for():
    assert check(1256.6, 1257.2, digits=0) == "Nearly, but a little too small: give it to 0 decimals."
    assert check(1257, 1257.2, digits=0) == "Right: 1,257."
    assert check(0.4, RIGHT, digits=1) == "Right: 0.4."
    assert check(0.125, 0.1254, digits=3) == check(0.1254, 0.125) == "Right: 0.125."


def test_right_goes_before_a_mistake_that_gives_the_same_number():
    assert check(1, 1, {1: "never"}) == "Right: 1.000."


def test_the_nearest_of_two_numbers_within_the_digits_is_meant():
    mistakes = {13 / 6: "That is the bound.", 3: "Round down.", 10 / 3: "Halve it."}
    told = [check(answer, 2, mistakes, digits=0) for answer in (2, 13 / 6, 2.17, 3, 3.33)]
    assert told == ["Right: 2.", "That is the bound.", "That is the bound.", "Round down.", "Halve it."]
    assert check(0.5, 0.50045, {0.4999: "never"}) == "Right: 0.500."


def test_negative_numbers_are_large_in_size():
    assert check(-2, -1) == "Too large, by a factor of 2.00."
    assert check(-1, -2) == "Too small, by a factor of 2.00."
    assert check(0.5, 0) == check(1, 0) == "Too large: it is smaller in size."
    assert check(-0.5, 0) == "Too small: it is smaller in size."
    assert check(0.0001, 0) == "Right: 0.000."


@pytest.mark.parametrize(
    "given", [float("nan"), float("inf"), "0.447", "a half", True, [1, 2], torch.ones(3), torch.ones(90, 90)]
)
def test_what_is_no_number_is_refused_in_one_line(given):
    refuses("the answer is ", "give one", check, given, RIGHT)
    refuses("right is ", "give one", check, RIGHT, given)
    with pytest.raises(ValueError, match=r"^[^\n]*$"):
        check(given, RIGHT)
