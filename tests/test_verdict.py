import pytest
import torch
from helpers import close

from lib.verdict import LIMITS, Findings, Gain, Verdict, gain, reading

UP, FLAT, DOWN = Gain(0.2, 0.01, 0.19, 0.21), Gain(0.2, 0.2, 0.1, 0.3), Gain(-0.2, 0.01, -0.21, -0.19)
SOUND = Findings(
    units=(64, 64), dimensions=(40.0, 30.0), stimuli=(5000, 5000), distinct=(5000, 5000), latents=256, k=4, soft_nn=0.3,
    soft_ss=0.6, semi_nn=0.3, ridge_nn=0.7, ridge_sn=0.8, match_gain=UP, match_over_random=UP, match_over_axes=UP,
    ridge_gain=UP, ridge_over_random=UP, ridge_over_plain=FLAT, over_chance=UP, stable=0.8, stable_random=0.2,
    seed_share=0.75, decoders=0.9, explained=0.8, explained_fit=0.82, explained_rise=0.0, match_rise=0.0, silent=0.1,
    chance=0.01, constant=(0, 0), massive=({}, {}), ceilings=(1.0, 1.0),
)  # fmt: skip
LOSS = {"match_gain": DOWN, "match_over_axes": DOWN, "ridge_gain": FLAT}


def verdict(**changed):
    return reading(SOUND._replace(**changed)).verdict


def test_verdicts_follow_the_rules():
    assert verdict() is Verdict.HIDDEN
    assert verdict(ridge_gain=FLAT) is verdict(ridge_over_plain=DOWN) is verdict(ridge_nn=0.95) is Verdict.HIDDEN
    assert verdict(match_gain=FLAT, ridge_gain=DOWN) is Verdict.UNCLEAR
    assert verdict(match_gain=FLAT) is Verdict.NONLINEAR
    assert verdict(**LOSS) is Verdict.UNITS
    assert verdict(**LOSS, ridge_nn=0.95) is Verdict.ROTATED
    assert verdict(**LOSS, ridge_nn=0.95, soft_nn=0.7) is Verdict.UNITS
    assert verdict(soft_nn=0.95) is verdict(semi_nn=0.95) is Verdict.ALIGNED


def test_every_verdict_is_one_of_three_answers():
    assert {one.answer for one in Verdict} == {"yes", "no", "cannot tell"}
    assert Verdict.HIDDEN.answer == "yes" and Verdict.AXES.answer == "no" and Verdict.WEAK.answer == "cannot tell"


def test_a_gain_that_random_codes_or_linear_axes_have_too_is_none():
    for control in ("match_over_random", "match_over_axes"):
        assert verdict(**{control: FLAT}, ridge_gain=FLAT) is Verdict.UNCLEAR
        assert verdict(**{control: FLAT}) is Verdict.NONLINEAR
    assert verdict(match_over_axes=DOWN, ridge_nn=0.95) is Verdict.AXES


def test_latents_that_other_seeds_do_not_find_or_networks_do_not_share_are_no_yes():
    assert verdict(stable=0.35) is verdict(stable=0.45) is Verdict.WEAK
    assert verdict(seed_share=0.2) is Verdict.NONLINEAR


def test_stimuli_that_resemble_their_neighbours_leave_every_answer_open():
    for changed in ({}, LOSS, {"soft_nn": 0.95}, {"over_chance": FLAT}, {"ridge_nn": 0.95}):
        assert verdict(**changed, independent=5500.0) is not Verdict.SLOW
        assert verdict(**changed, independent=4500.0) is Verdict.SLOW
    told = reading(SOUND._replace(independent=180.0))
    assert told.verdict.answer == "cannot tell" and "180 independent" in told.doubts[0] and "groups" in told.doubts[0]


@pytest.mark.parametrize(
    "changed",
    [
        {"distinct": (5000, 200)},
        {"distinct": (60, 5000), "latents": 8, "units": (9, 9)},
        {"explained_fit": 0.97},
        {"silent": 0.6},
        {"ceilings": (0.9, 0.2)},
    ],
)
def test_what_leaves_no_basis_makes_every_answer_that_rests_on_saes_cannot_tell(changed):
    assert verdict(**changed) is verdict(**changed, **LOSS) is Verdict.UNDECIDED
    assert verdict(**changed, soft_nn=0.95) is Verdict.ALIGNED  # which rests on the units alone
    assert verdict(**changed, **LOSS, ridge_nn=0.95) is Verdict.ROTATED
    assert reading(SOUND._replace(**changed)).doubts


def test_an_arbitrary_dictionary_cannot_say_no_either():
    assert verdict(**LOSS, stable=0.25) is Verdict.UNDECIDED


def test_nothing_in_common_is_what_shuffled_stimuli_reach_however_little_that_is():
    assert verdict(over_chance=Gain(0.003, 0.01, 0, 0), soft_nn=0.2, ridge_nn=0.2) is Verdict.UNRELATED
    few = Gain(0.06, 0.002, 0.06, 0.06)  # small, and no accident
    weak = {"soft_nn": 0.03, "semi_nn": 0.05, "ridge_nn": 0.063, "over_chance": few}
    assert verdict(**LOSS, **weak) is not Verdict.UNRELATED
    assert "nothing" not in reading(SOUND._replace(**LOSS, **weak)).markdown()


def test_nothing_is_believed_where_chance_scores():
    assert verdict(chance=0.2) is Verdict.UNSOUND
    assert verdict(chance=0.2, stimuli=(100, 100)) is not Verdict.UNSOUND


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"chance": 0.2}, "Shuffled"),
        ({"distinct": (5000, 200)}, "Few stimuli"),
        ({"distinct": (60, 5000), "latents": 18, "units": (9, 9)}, "Few stimuli"),
        ({"latents": 50}, "dictionary is small"),
        ({"explained_rise": 0.05}, "too short"),
        ({"match_rise": 0.05}, "too short"),
        ({"explained_fit": 0.97}, "memorise"),
        ({"stable": 0.25}, "arbitrary"),
        ({"silent": 0.6}, "silent"),
        ({"ceilings": (1.0, 0.1)}, "Noise"),
    ],
)
def test_each_doubt_is_told_with_its_remedy(changed, words):
    told = reading(SOUND._replace(**changed))
    assert len(told.doubts) == 1 and words in told.doubts[0] and told.doubts[0] in told.markdown()
    assert not reading(SOUND).doubts


def test_only_a_verdict_that_rests_on_saes_is_provisional():
    assert "provisional" in reading(SOUND._replace(explained_rise=0.05)).headline()
    assert "provisional" not in reading(SOUND).headline()
    for changed in ({"soft_nn": 0.99}, {"silent": 0.6}):  # the units alone; a cannot tell says enough
        told = reading(SOUND._replace(explained_rise=0.05, **changed))
        assert told.doubts and "provisional" not in told.headline()


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"constant": (0, 16)}, "0 of a and 16 of b"),
        ({"massive": ({}, {7: 0.93, 2: 0.01})}, "in b were scaled down, or SAEs would see nothing else: 2 in all, "
         "the first of them number 7 (0.930 of the variance), 2 (0.010 of the variance)"),
        ({"distinct": (1700, 1600)}, "10000 in all, and 3300 counted once"),
        ({"ceilings": (0.9, 1.0)}, "0.900 in a and 1.000 in b"),
    ],
)  # fmt: skip
def test_what_was_done_to_the_responses_is_told(changed, words):
    told = reading(SOUND._replace(**changed))
    assert words in told.markdown() and words not in reading(SOUND).markdown()
    assert not told.doubts and told.verdict is Verdict.HIDDEN


@pytest.mark.parametrize(
    ("mean", "error", "least", "most", "direction"),
    [
        (0.1, 0.01, 0.05, 0.15, "up"),
        (-0.1, 0.01, -0.15, -0.05, "down"),
        (0.1, 0.06, 0.05, 0.15, "flat"),
        (0.1, 0.01, -0.02, 0.22, "flat"),
        (0.9 * LIMITS["small"], 0.0001, 0.01, 0.02, "flat"),
    ],
)
def test_a_difference_is_clear_only_above_size_error_and_seeds(mean, error, least, most, direction):
    assert Gain(mean, error, least, most).direction == direction


def test_gain_has_the_errors_of_folds_and_of_seeds():
    better = torch.tensor([[0.5, 0.7], [0.6, 0.8], [0.7, 0.9]], dtype=torch.float64)
    found = gain(better, torch.tensor([[0.1, 0.1]], dtype=torch.float64))
    close(found.mean, 0.6)
    close([found.least, found.most], [0.5, 0.7])
    close(found.error, (0.02 / 2 + 0.01 / 3) ** 0.5)
    close(gain(better[:1], better[1:2]).error, 0)


def test_a_difference_that_is_not_clear_says_why():
    assert Gain(0.01, 0.001, 0.01, 0.01).why_flat == "less than matters"
    assert Gain(0.05, 0.03, 0.01, 0.09).why_flat == "no more than its error"
    assert Gain(0.05, 0.001, -0.01, 0.09).why_flat == "not the same for all SAEs"
    text = reading(SOUND._replace(ridge_over_plain=Gain(0.01, 0.001, 0.01, 0.01))).markdown()
    assert "above, by less than matters, the better of dense random" in text and "not clearly" not in text


def test_what_is_said_holds_the_numbers_and_the_direction():
    text = reading(SOUND._replace(match_gain=DOWN)).markdown()
    assert "-0.200 (error 0.010): a clear loss" in text and "Soft-matching 0.600" in text
    assert "no clear difference" in reading(SOUND._replace(ridge_gain=FLAT)).markdown()
    for number in ("match at 0.800", "cosine of 0.900", "share of 0.750", "exceed shuffled stimuli by +0.200"):
        assert number in text
