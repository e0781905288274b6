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


NAN, ZERO = float("nan"), Gain(0.0, 0.0, 0.0, 0.0)


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


LINEAR = LOSS | {"ridge_nn": 0.9}


@pytest.mark.parametrize(
    ("at", "there", "beyond", "here"),
    [
        ({"chance": 0.05, "stimuli": (9, 40_000)}, Verdict.HIDDEN, {"chance": 0.051}, Verdict.UNSOUND),
        ({"chance": 0.4, "stimuli": (9, 100)}, Verdict.HIDDEN, {"chance": 0.41}, Verdict.UNSOUND),
        ({"independent": 5000.0}, Verdict.HIDDEN, {"independent": 4999.0}, Verdict.SLOW),
        ({"over_chance": Gain(0.02, 0, 0, 0)}, Verdict.UNRELATED,
         {"over_chance": Gain(0.021, 0, 0, 0)}, Verdict.HIDDEN),
        ({"over_chance": Gain(0.4, 0.1, 0, 0)}, Verdict.UNRELATED,
         {"over_chance": Gain(0.41, 0.1, 0, 0)}, Verdict.HIDDEN),
        ({"soft_nn": 0.9}, Verdict.ALIGNED, {"soft_nn": 0.89}, Verdict.HIDDEN),
        ({"semi_nn": 0.9}, Verdict.ALIGNED, {"semi_nn": 0.89}, Verdict.HIDDEN),
        (LINEAR, Verdict.ROTATED, {"ridge_nn": 0.89}, Verdict.UNITS),
        (LINEAR | {"soft_nn": 0.6}, Verdict.UNITS, {"soft_nn": 0.59}, Verdict.ROTATED),
        (LINEAR | {"match_gain": Gain(0.02, 1, 0, 0), "match_over_axes": ZERO}, Verdict.ROTATED,
         {"match_gain": Gain(0.021, 1, 0, 0)}, Verdict.AXES),
        ({"stable": 0.5, "stable_random": 0.3}, Verdict.WEAK, {"stable_random": 0.29}, Verdict.HIDDEN),
        ({"stable": 0.5, "stable_random": 0.1}, Verdict.HIDDEN, {"stable": 0.49}, Verdict.WEAK),
        ({"seed_share": 0.3}, Verdict.HIDDEN, {"seed_share": 0.29}, Verdict.NONLINEAR),
        ({"distinct": (256, 5000)}, Verdict.HIDDEN, {"distinct": (255, 5000)}, Verdict.UNDECIDED),
        ({"distinct": (5000, 300), "units": (9, 300)}, Verdict.HIDDEN, {"distinct": (5000, 299)}, Verdict.UNDECIDED),
        ({"distinct": (100, 5000), "latents": 8, "units": (9, 9)}, Verdict.HIDDEN,
         {"distinct": (99, 5000)}, Verdict.UNDECIDED),
        ({"explained": 0.0, "explained_fit": 0.15}, Verdict.HIDDEN, {"explained_fit": 0.16}, Verdict.UNDECIDED),
        ({"silent": 0.5}, Verdict.HIDDEN, {"silent": 0.51}, Verdict.UNDECIDED),
        ({"ceilings": (0.3, 1.0)}, Verdict.HIDDEN, {"ceilings": (0.29, 1.0)}, Verdict.UNDECIDED),
        (LOSS, Verdict.UNITS, {"match_gain": FLAT}, Verdict.UNCLEAR),
        (LOSS | {"ridge_gain": UP}, Verdict.NONLINEAR, {"ridge_over_random": FLAT}, Verdict.UNITS),
    ],
)  # fmt: skip
def test_each_limit_holds_at_its_value_and_a_little_beyond(at, there, beyond, here):
    assert verdict(**at) is there and verdict(**at | beyond) is here


def test_axes_that_match_as_well_and_a_second_seed_that_is_missing_are_told():
    assert verdict(ridge_nn=0.95, match_over_axes=FLAT) is Verdict.AXES  # learned, and no more than axes
    assert verdict(ridge_nn=0.95, match_gain=FLAT, match_over_axes=DOWN) is Verdict.AXES  # axes alone gain
    assert verdict(stable=NAN) is Verdict.ALONE


@pytest.mark.parametrize(
    ("at", "beyond", "doubt"),
    [
        ({"chance": 0.05, "stimuli": (5000, 40_000), "distinct": (5000, 40_000)}, {"chance": 0.051}, "score 0.051"),
        ({"distinct": (256, 5000)}, {"distinct": (255, 5000)}, "255 distinct ones train the SAEs, 5000 are scored, for "
         "64 units and 256 latents"),
        ({"distinct": (5000, 256), "units": (64, 32)}, {"distinct": (5000, 255)}, "255 are scored, for 64 units"),
        ({"distinct": (5000, 256)}, {"distinct": (5000, 255)}, "give 512 or more"),
        ({"latents": 65, "units": (20, 64)}, {"latents": 64}, "64 latents for 64 units"),
        ({"ceilings": (1.0, 0.3)}, {"ceilings": (1.0, 0.29)}, "Noise outweighs"),
        ({"explained_rise": 0.02}, {"explained_rise": 0.021}, "changed by +0.021"),
        ({"match_rise": 0.03}, {"match_rise": 0.031}, "latents by +0.031"),
        ({"explained": 0.0, "explained_fit": 0.15}, {"explained_fit": 0.16}, "0.160 of the variance"),
        ({"silent": 0.5}, {"silent": 0.51}, "share of 0.510"),
        ({"independent": 5000.0}, {"independent": 4999.0}, "10000 of them relate networks by chance as much as 4999"),
        ({"stable": 0.5, "stable_random": 0.29}, {"stable": 0.49}, "Another seed finds other latents"),
        ({}, {"explained_rise": NAN}, "codes were brought along"),
        ({}, {"stable": NAN, "stable_random": NAN}, "One SAE of each network"),
    ],
)  # fmt: skip
def test_each_doubt_begins_beyond_its_limit_and_tells_the_numbers(at, beyond, doubt):
    assert not reading(SOUND._replace(**at)).doubts
    doubts = reading(SOUND._replace(**at | beyond)).doubts
    assert len(doubts) == 1 and doubt in doubts[0]


NOTHING = {"over_chance": FLAT, "soft_nn": 0.05, "semi_nn": 0.05, "ridge_nn": 0.06}


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({}, "a uses 40.0 dimensions of 64 units; b uses 30.0 dimensions of 64 units."),
        ({}, "there is room"),
        ({"ridge_nn": 0.9, "soft_nn": 0.9}, "reads nearly everything already, and matching shows it too"),
        ({"ridge_nn": 0.9, "soft_nn": 0.89}, "reads nearly everything already, and only matching has room"),
        (NOTHING, "no more than chance. Superposition deflates"),
        ({"over_chance": FLAT, "ridge_nn": 0.9}, "reads nearly everything already"),
        ({"soft_nn": 0.9}, "semi-matching of the units 0.300, ridge 0.700: the units correspond one to one."),
        ({"units": (64, 32), "semi_nn": 0.9}, "of the narrower network 0.900, ridge 0.700: each unit of the one"),
        (NOTHING, ": no correspondence beyond chance."),
        ({"soft_nn": 0.0, "semi_nn": 0.3, "ridge_nn": 0.51}, "they mix it differently"),
        ({"soft_nn": 0.0, "semi_nn": 0.3, "ridge_nn": 0.5}, "about as far as linear maps do"),
        ({}, "minus that of units +0.200 (error 0.010): a clear gain. They are clearly above random codes of the same "
         "sparsity, +0.200 (error 0.010), and clearly above the better of principal"),
        ({"match_over_axes": DOWN}, "and clearly below the better of principal and independent axes, -0.200"),
        ({"match_over_random": FLAT}, "They are above, by no more than its error, random codes of"),
        ({"match_over_random": Gain(-0.01, 0, 0, 0)}, "They are below, by less than matters, random codes of"),
        ({"ridge_gain": FLAT}, "no clear difference, no more than its error. They are clearly above random codes, "),
        ({"stable": 0.5, "stable_random": 0.3}, "match at 0.500, hardly more than random codes do, 0.300, and their"),
        ({"stable": 0.5, "stable_random": 0.29}, "match at 0.500, more than random codes do, 0.290, and their"),
        ({"decoders": NAN}, "random codes do, 0.200. Two networks"),
        ({"stable": NAN}, "exceeds 0.010 in size. How well two SAEs of one network would match"),
        ({"distinct": (4900, 4999)}, "10000 in all, and 9899 counted once"),
        ({"ceilings": (1.0, 0.9)}, "1.000 in a and 0.900 in b"),
        ({"constant": (3, 0)}, "3 of a and 0 of b"),
    ],
)  # fmt: skip
def test_each_sentence_has_its_branches(changed, words):
    told = reading(SOUND._replace(**changed))
    assert words in told.markdown()
    assert all(said.startswith("**") for said in [*told.sentences, *told.doubts])


def test_nothing_is_told_of_what_was_not_done():
    assert len(reading(SOUND).sentences) == len(reading(SOUND._replace(distinct=(4900, 5000))).sentences) == 5
    six = {unit: unit / 100 for unit in range(1, 7)}
    said = reading(SOUND._replace(massive=(six, {}))).sentences[-1]
    assert "in a were scaled down" in said and "6 in all, the first of them number 6 (0.060" in said
    assert "2 (0.020 of the variance), counted" in said


def test_the_reading_is_laid_out_as_a_headline_and_lists():
    sound = reading(SOUND)
    lines = sound.markdown().split("\n")
    assert lines == [f"**{Verdict.HIDDEN.value}.**", "", *(f"- {said}" for said in sound.sentences)]
    assert sound.show().data == sound.markdown()
    doubtful = reading(SOUND._replace(silent=0.6)).markdown().split("\n")
    assert doubtful[-4:-1] == ["", "What to look at before you rely on it:", ""] and doubtful[-1].startswith("- **Most")


def test_a_gain_at_its_limits_is_flat_and_seeds_may_touch_zero():
    assert Gain(0.02, 0.001, 0.01, 0.03).why_flat == "less than matters"
    assert Gain(-0.25, 0.125, -0.3, -0.2).why_flat == "no more than its error"
    for one in (Gain(0.02, 0.001, 0.01, 0.03), Gain(0.25, 0.125, 0.2, 0.3), Gain(-0.25, 0.125, -0.3, -0.2)):
        assert one.direction == "flat"
    assert Gain(0.25, 0.12, 0.2, 0.3).direction == "up"
    assert Gain(0.2, 0.01, 0.0, 0.4).direction == "up" and Gain(-0.2, 0.01, -0.4, 0.0).direction == "down"


def test_two_seeds_have_an_error_too():
    values = torch.tensor([[0.5, 0.7], [0.6, 1.0]], dtype=torch.float64)
    folds, seeds = (0.85 - 0.55) ** 2 / 2 / 2, (0.8 - 0.6) ** 2 / 2 / 2
    close(gain(values, torch.zeros(1, 2)).error, (folds + seeds) ** 0.5)
