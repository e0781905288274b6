"""How long the report on two networks will take, from a few steps and comparisons of its own sizes, timed here."""

import sys
from time import perf_counter

from lib import report as own
from lib.pairings import GEOMETRY, MATCHING, Held, Pairing, score
from lib.sae import Recipe, batches
from lib.sae_families import FAMILIES
from lib.split import Split
from lib.training import Training

STEPS = 15  # of training that are timed
SCANNED = 4.5  # numbers of active latents that the scan tries: three, and in most cases some beyond the best
COMPARED = 9  # pairings of codes with codes, and populations of that size that predict
REST = 20  # seconds for all else in the chapter, as measured on two cores


def report_seconds(split: Split, settings: own.Settings) -> float:
    """Seconds from the choice of k to the end of chapter 13; what is kept in build/trained makes it shorter.

    Right within a factor of about two, as long as the machine is as busy as it was in these few seconds. The map of
    several layers is not in it. Raises ValueError for settings out of range.
    """
    own.check(settings)
    latents, seeds, folds = settings.latents or own.latents_by_rule(split), settings.seeds, len(split.folds)
    recipe = Recipe.ours(latents=latents, k=settings.k or max(1, latents // own.USUAL_SHARE), steps=STEPS)
    sae = FAMILIES[settings.family]([*split.units] * seeds, recipe, [*range(2 * seeds)], split.fit.device)
    draw = batches(split.fit, recipe.batch)
    training = Training(sae, lambda generator: draw(generator).repeat(seeds, 1, 1)).run(3)
    step = _seconds(lambda: training.run(3 + STEPS)) / STEPS
    code_a, code_b = own.all_codes(sae, split.scored)[:2]
    populations = Held({"a": code_a, "b": code_b, "n": split.of(1)}, split.folds[:1])
    pairings = [Pairing("", "a", "b", (*MATCHING, *GEOMETRY)), Pairing("", "a", "n", ("ridge_ab",))]
    compared = _seconds(lambda: score(populations, pairings))
    scanned = not settings.k and latents <= settings.most_scanned
    trained = SCANNED * 2 / seeds + (seeds > 2) if scanned else 1  # of two seeds the scan has trained the best already
    return settings.steps * step * (trained + 0.5 / seeds) + COMPARED * folds * compared + REST


def say_expected(split: Split, settings: own.Settings) -> None:
    """Say on stderr how long the rest takes, in the words that `book.press.progress` listens for."""
    print(f"expected: about {report_seconds(split, settings):.0f} s for the report on one layer each", file=sys.stderr)


def _seconds(work):
    began = perf_counter()
    work()
    return perf_counter() - began
