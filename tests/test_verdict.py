import pytest
import torch
from helpers import close

from lib.verdict import LIMITS, Findings, Gain, Verdict, gain, reading

UP, FLAT, DOWN = Gain(0.2, 0.01, 0.19, 0.21), Gain(0.2, 0.2, 0.1, 0.3), Gain(-0.2, 0.01, -0.21, -0.19)
SOUND = Findings(
    units=(64, 48), dimensions=(40.0, 30.0), stimuli=(5000, 5000), latents=256, soft_nn=0.3, soft_ss=0.5, ridge_nn=0.7,
    ridge_sn=0.8, match_gain=UP, match_over_random=UP, match_over_axes=UP, ridge_gain=UP,
    ridge_over_random=UP, ridge_over_plain=FLAT, stable=0.7,
    stable_random=0.2, explained=0.8, explained_fit=0.82, explained_rise=0.0, match_rise=0.0, silent=0.1, chance=0.01,
    constant=(0, 0),
)  # fmt: skip


def verdict(**changed):
    return reading(SOUND._replace(**changed)).verdict


def test_verdicts_follow_the_rules():
    assert verdict() is Verdict.HIDDEN
    assert verdict(ridge_gain=FLAT) is Verdict.MATCHING_ONLY
    assert verdict(ridge_gain=FLAT, ridge_nn=0.95) is Verdict.HIDDEN
    assert verdict(match_gain=FLAT, ridge_over_plain=UP) is Verdict.RIDGE_ONLY
    assert verdict(match_gain=FLAT, ridge_gain=DOWN) is Verdict.NO_GAIN
    assert verdict(match_gain=DOWN, ridge_gain=FLAT) is Verdict.UNITS
    assert verdict(match_gain=DOWN, ridge_gain=FLAT, ridge_nn=0.95) is Verdict.ROTATED
    assert verdict(match_gain=DOWN, ridge_gain=FLAT, ridge_nn=0.95, soft_nn=0.7) is Verdict.UNITS
    assert verdict(soft_nn=0.95) is Verdict.ALIGNED
    assert verdict(soft_nn=0.01, soft_ss=0.0, ridge_nn=0.02, ridge_sn=0.01) is Verdict.UNRELATED


def test_a_gain_that_random_codes_have_too_is_none():
    assert verdict(match_over_random=FLAT, ridge_over_random=FLAT) is Verdict.NO_GAIN
    assert verdict(match_over_random=FLAT, ridge_over_plain=UP) is Verdict.RIDGE_ONLY
    assert verdict(ridge_over_random=DOWN) is Verdict.MATCHING_ONLY


def test_a_gain_that_a_nonlinear_readout_has_too_tells_nothing_of_features():
    assert verdict(ridge_over_plain=UP) is verdict(ridge_over_plain=FLAT) is Verdict.HIDDEN
    assert verdict(ridge_over_plain=DOWN) is Verdict.NONLINEAR
    assert verdict(match_gain=FLAT) is verdict(match_gain=FLAT, ridge_over_plain=DOWN) is Verdict.NONLINEAR
    assert verdict(ridge_over_plain=DOWN, ridge_gain=FLAT) is Verdict.MATCHING_ONLY


def test_axes_that_match_without_an_sae_are_told():
    assert verdict(match_over_axes=FLAT, ridge_nn=0.95, ridge_gain=FLAT) is Verdict.AXES
    assert verdict(match_over_axes=DOWN, ridge_nn=0.95, ridge_gain=FLAT) is Verdict.AXES
    assert verdict(match_over_axes=DOWN, ridge_gain=FLAT) is Verdict.NO_GAIN


def test_nothing_is_believed_where_chance_scores():
    assert verdict(chance=0.2) is Verdict.UNSOUND
    assert verdict(chance=0.2, stimuli=(100, 100)) is not Verdict.UNSOUND


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"chance": 0.2}, "Shuffled"),
        ({"stimuli": (5000, 200)}, "Few stimuli"),
        ({"stimuli": (60, 5000), "latents": 8, "units": (9, 9)}, "Few stimuli"),
        ({"explained_rise": 0.05}, "too short"),
        ({"match_rise": 0.05}, "too short"),
        ({"explained_fit": 0.95}, "memorise"),
        ({"stable": 0.25}, "arbitrary"),
        ({"silent": 0.6}, "silent"),
        ({"constant": (0, 3)}, "never change"),
    ],
)
def test_each_doubt_is_told_and_makes_the_verdict_provisional(changed, words):
    told = reading(SOUND._replace(**changed))
    assert len(told.doubts) == 1 and words in told.doubts[0]
    assert "provisional" in told.headline() and told.doubts[0] in told.markdown()
    assert "provisional" not in reading(SOUND).headline() and not reading(SOUND).doubts


def test_units_that_match_already_need_no_sound_saes():
    told = reading(SOUND._replace(soft_nn=0.99, stable=0.2))
    assert told.doubts and "provisional" not in told.headline()


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


def test_what_is_said_holds_the_numbers_and_the_direction():
    text = reading(SOUND._replace(match_gain=DOWN)).markdown()
    assert "-0.200 (error 0.010): a clear loss" in text and "Soft-matching 0.500" in text
    assert "no clear difference" in reading(SOUND._replace(ridge_gain=FLAT)).markdown()
