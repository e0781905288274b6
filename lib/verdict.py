"""What the scores of two networks say in plain words, by fixed rules: from numbers to a verdict and its sentences."""

from enum import Enum
from typing import NamedTuple

import torch

LIMITS = {
    "aligned": 0.9,  # units that match this well leave nothing to reveal
    "linear": 0.9,  # ridge correlation from which on a linear map carries nearly everything
    "rotated": 0.6,  # soft-matching below which such units are called differently arranged
    "nothing": 0.1,  # all scores below it: nothing in common
    "small": 0.02,  # a difference that nobody should build on, however sure
    "errors": 2.0,  # standard errors that a difference must exceed
    "chance": 0.05,  # what a score of shuffled stimuli may reach
    "rise_explained": 0.02,  # gain in explained variance by twice the steps, above which training is too short
    "rise_match": 0.03,  # the same of soft-matching between latents
    "memorised": 0.1,  # explained variance lost on unseen stimuli
    "stable": 0.1,  # two SAEs of one network must agree better than random codes by this
    "most_silent": 0.5,  # share of latents
    "few": 100,  # stimuli
}


class Verdict(Enum):
    """What SAEs do to the alignment of two networks."""

    UNSOUND = "The scores cannot be trusted"
    HIDDEN = "Yes: the latents show alignment that the units hide"
    MATCHING_ONLY = "In part: the latents match better than the units, but predict no better"
    NONLINEAR = "Cannot tell: the latents predict better than the units, but so do random or quadratic features"
    AXES = "In part: principal or independent axes match better than the units, and the latents no better than they"
    RIDGE_ONLY = "In part: the latents predict better than the units, but match no better"
    ALIGNED = "No, and none are needed: the units match already"
    ROTATED = "No: a linear map carries one network to the other, and SAEs find no common axes"
    UNITS = "No: the units match better than the latents"
    UNRELATED = "No: neither units nor latents have anything in common"
    NO_GAIN = "No: the latents do no better than the units"


class Gain(NamedTuple):
    """A difference of two scores over SAE seeds and folds."""

    mean: float
    error: float  # standard error over folds and over seeds, added as squares
    least: float  # over seeds
    most: float

    @property
    def direction(self) -> str:
        """`up` or `down` if the mean exceeds the limits `small` and `errors` and all seeds agree in sign; or `flat`."""
        if abs(self.mean) <= max(LIMITS["small"], LIMITS["errors"] * self.error) or self.least * self.most < 0:
            return "flat"
        return "up" if self.mean > 0 else "down"

    def __str__(self) -> str:
        return f"{self.mean:+.3f} (error {self.error:.3f})"


def gain(better: torch.Tensor, worse: torch.Tensor) -> Gain:
    """How much `better` exceeds `worse`, both `(seeds, folds)` over the same folds; one of them may have one seed."""
    values = better - worse
    seeds, folds = values.shape
    error = values.mean(0).var() / folds + (values.mean(1).var() / seeds if seeds > 1 else 0.0)
    return Gain(float(values.mean()), float(error**0.5), float(values.mean(1).min()), float(values.mean(1).max()))


class Findings(NamedTuple):
    """The numbers that a reading is made of."""

    units: tuple[int, int]
    dimensions: tuple[float, float]  # participation ratios
    stimuli: tuple[int, int]  # of SAE training, of scores
    latents: int
    soft_nn: float
    soft_ss: float
    ridge_nn: float  # mean of both directions, as all ridge scores here
    ridge_sn: float
    match_gain: Gain  # soft-matching S-S minus N-N
    match_over_random: Gain  # S-S minus R-S
    match_over_axes: Gain  # S-S minus the better of principal and independent axes
    ridge_gain: Gain  # S-N minus N-N
    ridge_over_random: Gain  # S-N minus R-N
    ridge_over_plain: Gain  # S-N minus the better of dense random and quadratic features
    stable: float  # soft-matching of two SAEs of one network
    stable_random: float  # of random codes of a network with the latents of its SAE
    explained: float  # variance, on scored stimuli
    explained_fit: float  # on those of the training
    explained_rise: float  # on scored stimuli, from half the steps to all of them
    match_rise: float  # the same of soft-matching between latents
    silent: float  # share of latents
    chance: float  # the largest score of shuffled stimuli, by size
    constant: tuple[int, int]  # units that never change


class Reading(NamedTuple):
    """A verdict, doubts that qualify it, and what to say of each part of the report."""

    verdict: Verdict
    doubts: list[str]  # each says what to try
    sentences: list[str]

    def markdown(self) -> str:
        """The whole reading as Markdown."""
        lines = [f"**{self.headline()}.**", "", *(f"- {sentence}" for sentence in self.sentences)]
        if self.doubts:
            lines += ["", "What to look at before you rely on it:", "", *(f"- {doubt}" for doubt in self.doubts)]
        return "\n".join(lines)

    def show(self):
        """The reading as a notebook shows it."""
        from IPython.display import Markdown

        return Markdown(self.markdown())

    def headline(self) -> str:
        """The verdict, called provisional if there are doubts and it does not rest on the units alone."""
        firm = not self.doubts or self.verdict is Verdict.ALIGNED
        return self.verdict.value + ("" if firm else " (provisional, see the doubts below)")


def reading(found: Findings) -> Reading:
    """The reading of these numbers; its rules are the constants of this module."""
    return Reading(
        _verdict(found), [*_doubts(found)], [_regime(found), _units(found), *_latents(found), _controls(found)]
    )


def _verdict(found):
    learned = found.match_gain.direction == found.match_over_random.direction == "up"
    matches = learned and found.match_over_axes.direction == "up"
    nonlinear = found.ridge_gain.direction == found.ridge_over_random.direction == "up"
    predicts = nonlinear and found.ridge_over_plain.direction != "down"
    if found.chance > _chance_limit(found):
        return Verdict.UNSOUND
    if max(found.soft_nn, found.soft_ss, found.ridge_nn, found.ridge_sn) < LIMITS["nothing"]:
        return Verdict.UNRELATED
    if found.soft_nn >= LIMITS["aligned"]:
        return Verdict.ALIGNED
    if matches:
        if predicts or found.ridge_nn >= LIMITS["linear"]:
            return Verdict.HIDDEN
        return Verdict.NONLINEAR if nonlinear else Verdict.MATCHING_ONLY
    if learned and found.ridge_nn >= LIMITS["linear"]:
        return Verdict.AXES
    if nonlinear:
        return Verdict.RIDGE_ONLY if found.ridge_over_plain.direction == "up" else Verdict.NONLINEAR
    if found.ridge_nn >= LIMITS["linear"] and found.soft_nn < LIMITS["rotated"]:
        return Verdict.ROTATED
    return Verdict.UNITS if found.match_gain.direction == "down" else Verdict.NO_GAIN


def _chance_limit(found):
    return max(LIMITS["chance"], 4 / found.stimuli[1] ** 0.5)


def _regime(found):
    sides = zip("ab", found.dimensions, found.units, strict=True)
    text = "; ".join(f"{side} uses {used:.1f} dimensions of {units} units" for side, used, units in sides)
    if found.ridge_nn >= LIMITS["linear"]:
        left = "matching shows it too" if found.soft_nn >= LIMITS["aligned"] else "only matching has room to gain"
        room = f"a linear map reads nearly everything already, and {left}"
    elif found.ridge_nn < LIMITS["nothing"]:
        room = "next to nothing. Superposition deflates linear scores, but seldom as far as this"
    else:
        room = "there is room. What a linear map misses may be superposed, or may not be shared at all"
    return (
        f"**Is this where SAEs can help?** {text}. Ridge regression between the units reaches {found.ridge_nn:.3f}: "
        f"{room}."
    )


def _units(found):
    if found.soft_nn >= LIMITS["aligned"]:
        text = "the units correspond one to one"
    elif found.ridge_nn - found.soft_nn > 0.2:
        text = "the networks share more than their units show one by one: they mix it differently"
    elif found.soft_nn < LIMITS["nothing"]:
        text = "no correspondence worth the name"
    else:
        text = "units correspond about as far as linear maps do"
    return f"**Units.** Soft-matching {found.soft_nn:.3f}, ridge {found.ridge_nn:.3f}: {text}."


def _latents(found):
    words = {"up": "a clear gain", "down": "a clear loss", "flat": "no clear difference"}
    against = {"up": "clearly above", "down": "below", "flat": "not clearly above"}
    yield (
        f"**Latents, matched.** Soft-matching {found.soft_ss:.3f}, minus that of units {found.match_gain}: "
        f"{words[found.match_gain.direction]}. They are {against[found.match_over_random.direction]} random codes of "
        f"the same sparsity, {found.match_over_random}, and {against[found.match_over_axes.direction]} the better of "
        f"principal and independent axes, {found.match_over_axes}."
    )
    yield (
        f"**Latents as predictors.** Ridge to the other network's units {found.ridge_sn:.3f}, minus that of units "
        f"{found.ridge_gain}: {words[found.ridge_gain.direction]}. They are "
        f"{against[found.ridge_over_random.direction]} random codes, {found.ridge_over_random}, and "
        f"{against[found.ridge_over_plain.direction]} the better of dense random and quadratic features, "
        f"{found.ridge_over_plain}. A readout that is not linear may gain without any features found."
    )


def _controls(found):
    stable = "more" if found.stable - found.stable_random > LIMITS["stable"] else "hardly more"
    return (
        f"**Controls.** With the stimuli of b shuffled no score exceeds {found.chance:.3f} in size. Two SAEs of one "
        f"network, other seeds, match at {found.stable:.3f}, {stable} than random codes do, {found.stable_random:.3f}. "
        "Two networks can hardly be expected to do better than one with itself."
    )


def _doubts(found):
    if found.chance > _chance_limit(found):
        yield (
            f"**Shuffled stimuli score {found.chance:.3f}**, where chance is 0. Give more stimuli, and look for rows "
            "that repeat."
        )
    if min(found.stimuli) < max(LIMITS["few"], found.latents, *found.units):
        yield (
            f"**Few stimuli.** {found.stimuli[0]} train the SAEs and {found.stimuli[1]} are scored, for "
            f"{max(found.units)} units and {found.latents} latents. Fits with more unknowns than stimuli generalise "
            "badly: give more stimuli, or set fewer `latents`."
        )
    yield from _doubts_of_saes(found)
    if sum(found.constant):
        yield (
            f"**Units that never change**: {found.constant[0]} of a and {found.constant[1]} of b. They score 0 and are "
            "counted; take them out if they are dead units that you do not care about."
        )


def _doubts_of_saes(found):
    if found.explained_rise > LIMITS["rise_explained"] or found.match_rise > LIMITS["rise_match"]:
        yield (
            "**Training is too short.** From half the steps to all of them explained variance changed by "
            f"{found.explained_rise:+.3f} and soft-matching of latents by {found.match_rise:+.3f}. Double `sae_steps` "
            "until neither does."
        )
    if found.explained_fit - found.explained > LIMITS["memorised"]:
        yield (
            f"**The SAEs memorise.** They explain {found.explained_fit:.3f} of the variance in training and "
            f"{found.explained:.3f} of unseen stimuli. Give more stimuli, or set fewer `latents`."
        )
    if found.stable - found.stable_random <= LIMITS["stable"]:
        yield (
            "**The dictionary is arbitrary.** Another seed finds other latents in the same network. Either its "
            "features are not sparse, or the SAEs do not suit them: try other values of `k` and `latents`."
        )
    if found.silent > LIMITS["most_silent"]:
        yield (
            f"**Most latents are silent.** A share of {found.silent:.3f} was left out of the scores: the dictionary is "
            "too large for these responses. Set fewer `latents`."
        )
