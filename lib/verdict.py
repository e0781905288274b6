"""What the scores of two networks say in plain words, by fixed rules: from numbers to a verdict and its sentences."""

from enum import Enum
from math import isnan
from typing import NamedTuple

import torch

LIMITS = {
    "aligned": 0.9,  # units that match this well leave nothing to reveal
    "linear": 0.9,  # ridge correlation from which on a linear map carries nearly everything
    "rotated": 0.6,  # soft-matching below which such units are called differently arranged
    "small": 0.02,  # a difference that nobody should build on, however sure
    "errors": 2.0,  # standard errors that a difference must exceed
    "chance_errors": 4.0,  # the same of what is called more than chance: few folds make errors uncertain
    "chance": 0.05,  # what a score of shuffled stimuli may reach
    "rise_explained": 0.02,  # gain in explained variance by twice the steps, above which training is too short
    "rise_match": 0.03,  # the same of soft-matching between latents
    "memorised": 0.15,  # explained variance lost on unseen stimuli
    "stable": 0.2,  # two SAEs of one network must agree better than random codes by this
    "reproduced": 0.5,  # seeds' agreement from which on a dictionary is there, and not one of many
    "shared": 0.3,  # share of it that two networks' latents must reach
    "most_silent": 0.5,  # share of latents
    "least_ceiling": 0.3,  # correlation of a perfect model, below which noise decides
    "copied": 0.01,  # share of stimuli that belong together from which on it is told
    "few": 100,  # distinct stimuli
    "independent": 0.5,  # share of the stimuli that must be worth an independent one, or neighbours are alike
}


class Verdict(Enum):
    """What SAEs do to the alignment of two networks; the first words are yes, no or cannot tell."""

    HIDDEN = "Yes: the latents show alignment that the units hide"
    ALIGNED = "No, and none are needed: the units match already"
    ROTATED = "No: a linear map carries one network to the other, and SAEs find no common axes"
    AXES = "No: principal or independent axes match as well as the latents, and better than the units"
    UNITS = "No: the units match better than the latents"
    UNRELATED = "No: neither units nor latents have anything in common beyond chance"
    UNSOUND = "Cannot tell: shuffled stimuli score above chance"
    SLOW = "Cannot tell: neighbouring stimuli resemble each other, which makes unrelated networks seem alike"
    NONLINEAR = "Cannot tell: the latents do better than the units, as any nonlinear readout of common inputs may"
    WEAK = "Cannot tell: the latents match better than the units, and other SAEs of one network find other latents"
    ALONE = "Cannot tell: the latents match better than the units, and no second SAE says if they are arbitrary"
    UNCLEAR = "Cannot tell: the latents do no better than the units, and linear maps leave much unexplained"
    UNDECIDED = "Cannot tell: these SAEs are no basis for an answer"

    @property
    def answer(self) -> str:
        """`yes`, `no` or `cannot tell`."""
        return next(answer for answer in ("yes", "no", "cannot tell") if self.value.lower().startswith(answer))


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

    @property
    def why_flat(self) -> str:
        """What keeps a difference from being clear, in words: its size, its error, or the seeds."""
        if abs(self.mean) <= LIMITS["errors"] * self.error:
            return "no more than its error"
        return "less than matters" if abs(self.mean) <= LIMITS["small"] else "not the same for all SAEs"

    def __str__(self) -> str:
        return f"{self.mean:+.3f} (error {self.error:.3f})"


def gain(better: torch.Tensor, worse: torch.Tensor) -> Gain:
    """How much `better` exceeds `worse`, both `(seeds, folds)` over the same folds; one of them may have one seed."""
    values = better - worse
    seeds, folds = values.shape
    error = values.mean(0).var() / folds + (values.mean(1).var() / seeds if seeds > 1 else 0.0)
    return Gain(float(values.mean()), float(error**0.5), float(values.mean(1).min()), float(values.mean(1).max()))


class Findings(NamedTuple):
    """The numbers that a reading is made of; scores are shares of what noise leaves, where that is known."""

    units: tuple[int, int]  # that are compared
    dimensions: tuple[float, float]  # participation ratios
    stimuli: tuple[int, int]  # of SAE training, of scores
    distinct: tuple[int, int]  # of these, copies and groups counted once
    latents: int
    k: int
    soft_nn: float
    soft_ss: float
    semi_nn: float  # semi-matching of the narrower network's units, each with its best partner
    ridge_nn: float  # mean of both directions, as all ridge scores here
    ridge_sn: float
    match_gain: Gain  # soft-matching S-S minus N-N; of unequal widths the lesser of this and of semi-matching
    match_over_random: Gain  # S-S minus R-S
    match_over_axes: Gain  # S-S minus the better of principal and independent axes
    ridge_gain: Gain  # S-N minus N-N
    ridge_over_random: Gain  # S-N minus R-N
    ridge_over_plain: Gain  # S-N minus the better of dense random and quadratic features
    over_chance: Gain  # of units or latents, whichever is clearest, minus the same of shuffled stimuli
    stable: float  # soft-matching of two SAEs of one network, NaN if there is but one
    stable_random: float  # of random codes of a network with the latents of its SAE
    seed_share: float  # S-S as a share of the same, NaN if there is but one
    decoders: float  # matched cosine of the decoder rows of two SAEs of one network, NaN if there is but one
    explained: float  # variance, on scored stimuli
    explained_fit: float  # on those of the training
    explained_rise: float  # on scored stimuli, from half the steps to all of them
    match_rise: float  # the same of soft-matching between latents
    silent: float  # share of latents
    chance: float  # the largest score of shuffled stimuli, by size
    constant: tuple[int, int]  # units that were left out since they never change
    massive: tuple[dict, dict]  # units scaled down, with their share of the variance
    ceilings: tuple[float, float]  # correlation of a perfect model with the mean unit
    independent: float = torch.inf  # stimuli that would make chance as large, if each stood alone


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
        """The verdict, called provisional if there are doubts and it rests on SAEs; a cannot tell says enough."""
        firm = not self.doubts or self.verdict is Verdict.ALIGNED or self.verdict.answer == "cannot tell"
        return self.verdict.value + ("" if firm else " (provisional, see the doubts below)")


def reading(found: Findings) -> Reading:
    """The reading of these numbers; its rules are the constants of this module."""
    sentences = [_regime(found), _units(found), *_latents(found), _controls(found), *_left_out(found)]
    return Reading(_verdict(found), [*_doubts(found), *_doubts_of_saes(found)], sentences)


def _verdict(found):
    if found.chance > _chance_limit(found):
        return Verdict.UNSOUND
    if _slow(found):
        return Verdict.SLOW
    if not _above_chance(found):
        return Verdict.UNRELATED
    if max(found.soft_nn, found.semi_nn) >= LIMITS["aligned"]:
        return Verdict.ALIGNED
    learned = found.match_gain.direction == found.match_over_random.direction == "up"
    beyond = found.match_over_axes.direction == "up"
    if learned and beyond:
        return _of_a_gain(found)
    if found.ridge_nn >= LIMITS["linear"]:  # what SAEs do not find, a linear map shows
        axes = found.match_gain.mean - found.match_over_axes.mean > LIMITS["small"]
        if learned or axes:
            return Verdict.AXES
        return Verdict.ROTATED if found.soft_nn < LIMITS["rotated"] else Verdict.UNITS
    if any(_unsound(found)) or not _reproduced(found):
        return Verdict.UNDECIDED
    if found.ridge_gain.direction == found.ridge_over_random.direction == "up":
        return Verdict.NONLINEAR
    return Verdict.UNITS if found.match_gain.direction == "down" else Verdict.UNCLEAR


def _of_a_gain(found):
    """What it means that latents match better than units, random codes and linear axes."""
    if any(_unsound(found)):
        return Verdict.UNDECIDED
    if not _reproduced(found):
        return Verdict.ALONE if isnan(found.stable) else Verdict.WEAK
    return Verdict.HIDDEN if found.seed_share >= LIMITS["shared"] else Verdict.NONLINEAR


def _above_chance(found):
    """Whether units or latents of the networks have more in common than with the stimuli shuffled."""
    over = found.over_chance
    return over.mean > max(LIMITS["small"], LIMITS["chance_errors"] * over.error)


def _slow(found):
    """Whether stimuli that stand together resemble each other and are yet dealt apart, as if they did not."""
    return found.independent < LIMITS["independent"] * sum(found.distinct)


def _reproduced(found):
    """Whether other seeds find the same latents in the same network."""
    return found.stable - found.stable_random > LIMITS["stable"] and found.stable >= LIMITS["reproduced"]


def _chance_limit(found):
    return max(LIMITS["chance"], 4 / found.stimuli[1] ** 0.5)


def _unsound(found):
    """Doubts that leave no basis for an answer that rests on the SAEs."""
    yield min(found.distinct) < max(LIMITS["few"], found.latents, *found.units)
    yield found.explained_fit - found.explained > LIMITS["memorised"]
    yield found.silent > LIMITS["most_silent"]
    yield min(found.ceilings) < LIMITS["least_ceiling"]


def _regime(found):
    sides = zip("ab", found.dimensions, found.units, strict=True)
    text = "; ".join(f"{side} uses {used:.1f} dimensions of {units} units" for side, used, units in sides)
    if found.ridge_nn >= LIMITS["linear"]:
        left = "matching shows it too" if found.soft_nn >= LIMITS["aligned"] else "only matching has room to gain"
        room = f"a linear map reads nearly everything already, and {left}"
    elif not _above_chance(found):
        room = "no more than chance. Superposition deflates linear scores, but seldom as far as this"
    else:
        room = "there is room. What a linear map misses may be superposed, or may not be shared at all"
    return (
        f"**Is this where SAEs can help?** {text}. Ridge regression between the units reaches {found.ridge_nn:.3f}: "
        f"{room}. Units or latents exceed shuffled stimuli by {found.over_chance}."
    )


def _units(found):
    narrow = f", semi-matching of the {'units' if found.units[0] == found.units[1] else 'narrower network'}"
    if found.soft_nn >= LIMITS["aligned"]:
        text = "the units correspond one to one"
    elif found.semi_nn >= LIMITS["aligned"]:
        text = "each unit of the one network has its match in the other, which has more besides"
    elif not _above_chance(found):
        text = "no correspondence beyond chance"
    elif found.ridge_nn - max(found.soft_nn, found.semi_nn) > 0.2:
        text = "the networks share more than their units show one by one: they mix it differently"
    else:
        text = "units correspond about as far as linear maps do"
    return (
        f"**Units.** Soft-matching {found.soft_nn:.3f}{narrow} {found.semi_nn:.3f}, ridge {found.ridge_nn:.3f}: {text}."
    )


def _latents(found):
    words = {"up": "a clear gain", "down": "a clear loss"}

    def told(one):
        return words.get(one.direction, f"no clear difference, {one.why_flat}")

    def against(one, other):
        side = {"up": "clearly above", "down": "clearly below"}.get(one.direction)
        flat = f"{'above' if one.mean > 0 else 'below'}, by {one.why_flat}, "
        return f"{side or flat} {other}, {one}".replace("  ", " ")

    yield (
        f"**Latents, matched.** Soft-matching {found.soft_ss:.3f}, minus that of units {found.match_gain}: "
        f"{told(found.match_gain)}. They are {against(found.match_over_random, 'random codes of the same sparsity')}, "
        f"and {against(found.match_over_axes, 'the better of principal and independent axes')}."
    )
    yield (
        f"**Latents as predictors.** Ridge to the other network's units {found.ridge_sn:.3f}, minus that of units "
        f"{found.ridge_gain}: {told(found.ridge_gain)}. They are {against(found.ridge_over_random, 'random codes')}, "
        f"and {against(found.ridge_over_plain, 'the better of dense random and quadratic features')}. "
        "A readout that is not linear may gain without any features found."
    )


def _controls(found):
    shuffled = f"**Controls.** With the stimuli of b shuffled no score exceeds {found.chance:.3f} in size."
    if isnan(found.stable):
        return f"{shuffled} How well two SAEs of one network would match, the best to be expected, is not known."
    rows = "" if isnan(found.decoders) else f", and their decoder rows at a cosine of {found.decoders:.3f}"
    stable = "more" if found.stable - found.stable_random > LIMITS["stable"] else "hardly more"
    return (
        f"{shuffled} Two SAEs of one network, other seeds, match at {found.stable:.3f}, {stable} than random codes do, "
        f"{found.stable_random:.3f}{rows}. Two networks can hardly be expected to do better than one with itself: the "
        f"latents reach a share of {found.seed_share:.3f} of that."
    )


def _left_out(found):
    """What was done to the responses before they were compared."""
    if sum(found.constant):
        yield (
            f"**Units that never change** in some part of the stimuli, left out as silent latents are: "
            f"{found.constant[0]} of a and {found.constant[1]} of b."
        )
    for side, units in zip("ab", found.massive, strict=True):
        if units:
            first = sorted(units, key=lambda unit: -units[unit])[:5]
            named = ", ".join(f"{unit} ({units[unit]:.3f} of the variance)" for unit in first)
            yield (
                f"**Units that outweigh the others** in {side} were scaled down, or SAEs would see nothing else: "
                f"{len(units)} in all, the first of them number {named}, counted from 0."
            )
    if sum(found.distinct) < (1 - LIMITS["copied"]) * sum(found.stimuli):
        yield (
            f"**Stimuli that belong together**, as copies or by the groups given: {sum(found.stimuli)} in all, and "
            f"{sum(found.distinct)} counted once. Those of one group were kept in one part and one fold."
        )
    if min(found.ceilings) < 1:
        yield (
            f"**Noise.** A perfect model would correlate with the units by {found.ceilings[0]:.3f} in a and "
            f"{found.ceilings[1]:.3f} in b; scores are shares of what that leaves, of latents by their own repeats."
        )


def _doubts(found):
    if found.chance > _chance_limit(found):
        yield (
            f"**Shuffled stimuli score {found.chance:.3f}**, where chance is 0. Give more stimuli, and look for rows "
            "that belong together: `groups` keeps them in one fold."
        )
    if _slow(found):
        yield (
            f"**Neighbouring stimuli are alike.** {sum(found.distinct)} of them relate networks by chance as much as "
            f"{found.independent:.0f} independent ones would, and shuffled stimuli do not show it. Give `groups`: runs "
            "of neighbours longer than the resemblance lasts, a film, a session or a text, are then kept in one part. "
            "If the rows are merely sorted, by class say, shuffle those of both networks alike."
        )
    needed = max(LIMITS["few"], found.latents, *found.units)
    if min(found.distinct) < needed:
        yield (
            f"**Few stimuli.** {found.distinct[0]} distinct ones train the SAEs, {found.distinct[1]} are scored, for "
            f"{max(found.units)} units and {found.latents} latents. Fits with more unknowns than stimuli generalise "
            f"badly: give {2 * needed} or more, better four times as many, or set fewer `latents`."
        )
    if found.latents <= max(found.units):
        yield (
            f"**The dictionary is small**: {found.latents} latents for {max(found.units)} units. Superposition is more "
            "features than units, which such a dictionary cannot hold. Give more stimuli, eight for each latent you "
            "want, or set `latents`, at a cost that grows with the third power of their number."
        )
    if min(found.ceilings) < LIMITS["least_ceiling"]:
        yield "**Noise outweighs the responses.** Give more repeats, or fewer and better units."


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
    if isnan(found.explained_rise):
        yield (
            "**The codes were brought along.** Whether their SAEs were trained for long enough, and on which stimuli, "
            "no number here tells: give stimuli that the SAEs have not seen, and compare SAEs of half the steps."
        )
    if isnan(found.stable):
        yield (
            "**One SAE of each network.** Whether another seed finds the same latents is not known, and no yes can "
            "rest on that: give a second checkpoint of each network, of another seed, as `again_sae_a` and "
            "`again_sae_b`."
        )
    elif not _reproduced(found):
        yield (
            "**The dictionary is arbitrary.** Another seed finds other latents in the same network. Either its "
            "features are not sparse, or the SAEs do not suit them: try other values of `k` and `latents`, and more "
            "stimuli."
        )
    if found.silent > LIMITS["most_silent"]:
        yield (
            f"**Most latents are silent.** A share of {found.silent:.3f} was left out of the scores: the dictionary is "
            "too large for these responses, or training failed. Set fewer `latents`, or another `k`."
        )
