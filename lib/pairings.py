"""Every score of every pairing of two networks' populations, units and codes of them, on the same folds.

Letters name populations: n neurons, s latents of an SAE, r latents of a random SAE, f known features; `n_a` are the
neurons of network a. `ss` pairs latents of a with latents of b.
"""

from collections.abc import Callable, Iterable, Sequence
from functools import cache, lru_cache, partial
from typing import NamedTuple

import pandas as pd
import torch

from lib.checks import check_responses
from lib.correlation import standardised, unit_correlations
from lib.geometry import cka_system, rsa_system
from lib.matching import held_out_best, held_out_semi, held_out_soft
from lib.moments import FoldMoments, stream_moments
from lib.regression import prediction_correlations, ridge_correlations, ridge_weights
from lib.sae import PART, TopKSAE

STANDARD = 4  # populations that are held standardised; to make one anew costs little beside a product of two
PAIRINGS = ("nn", "ss", "rs", "sn", "rn")
MATCHING = {"soft": "soft-matching", "semi_ab": "semi-matching, a to b", "semi_ba": "semi-matching, b to a"}
RIDGE = {"ridge_ab": "ridge, a to b", "ridge_ba": "ridge, b to a"}
GEOMETRY = {"cka": "linear CKA, debiased", "rsa": "RSA"}  # metrics without a fit, in words and as systems
UNFITTED: dict[str, Callable] = {"cka": partial(cka_system, debiased=True), "rsa": rsa_system}


class Held(NamedTuple):
    """Populations `(stimuli, units)` that answer the same stimuli, with the folds on which they are scored."""

    responses: dict[str, torch.Tensor]
    folds: list[tuple[torch.Tensor, torch.Tensor]]  # of `k_folds(stimuli, folds, seed)`


class Pairing(NamedTuple):
    """Two populations and what to score of them; `semi_ab` finds partners in b, `ridge_ab` predicts b from a."""

    name: str
    a: str
    b: str
    metrics: tuple[str, ...] = (*MATCHING, *RIDGE)
    seed: int = 0  # number of the pair of models or of SAEs


def score(populations: FoldMoments | Held, pairings: Sequence[Pairing]) -> pd.DataFrame:
    """A row for each score: metric, pairing, direction (ab, ba or none), seed, fold, value.

    Fitted on all folds but one, read on that one; units that are constant score 0. Ridge is the mean over predicted
    units, and pairings that predict from one population share its decomposition. Equations, sources and errors:
    `soft_matching_score`, `semi_matching_score`, `ridge_score`, `linear_cka` (debiased) and `rsa`.
    """
    targets = {}
    for one in pairings:
        for metric, source, target in (("ridge_ab", one.a, one.b), ("ridge_ba", one.b, one.a)):
            if metric in one.metrics:
                targets.setdefault(source, {})[target] = None
    ridge = {
        (source, target): r.mean(1).tolist()
        for source, wanted in targets.items()
        for target, r in zip(wanted, _ridge(populations, source, list(wanted)), strict=True)
    }
    each = _by_fold(populations, pairings)
    rows = []
    for i, one in enumerate(pairings):
        found = {metric: [fold[i][metric] for fold in each] for metric in each[0][i]}
        ways = {"ridge_ab": (one.a, one.b), "ridge_ba": (one.b, one.a)}
        found |= {metric: ridge[way] for metric, way in ways.items() if metric in one.metrics}
        for metric in one.metrics:
            name, _, direction = metric.partition("_")
            rows += [(name, one.name, direction, one.seed, fold, value) for fold, value in enumerate(found[metric])]
    return pd.DataFrame(rows, columns=["metric", "pairing", "direction", "seed", "fold", "value"])


def correlations(populations: FoldMoments | Held, a: str, b: str) -> list[tuple[torch.Tensor, torch.Tensor]]:
    """For each fold, correlations `(units_a, units_b)` over the other folds' stimuli and over its own."""
    if isinstance(populations, FoldMoments):
        return [(train.correlations(), test.correlations()) for train, test in populations.splits(a, b)]
    x, y = populations.responses[a], populations.responses[b]
    folds = populations.folds
    return [(unit_correlations(x[a], y[a]), unit_correlations(x[b], y[b])) for a, b in folds]


def _ridge(populations, source, targets):
    """For each target, correlations of its units with their predictions from the source; `(folds, units)`."""
    if isinstance(populations, FoldMoments):
        splits = ([*populations.splits(source, target)] for target in targets)
        return [
            torch.stack([prediction_correlations(ridge_weights(train)[0], test) for train, test in each])
            for each in splits
        ]
    y = [populations.responses[target] for target in targets]
    found = ridge_correlations(populations.responses[source], torch.cat(y, 1), populations.folds)
    return found.split([one.shape[1] for one in y], 1)


def _by_fold(populations, pairings):
    """Every score but ridge of each pairing, `{metric: value}`, for each fold."""
    if isinstance(populations, Held):
        return [_on_fold(populations.responses, pairings, *fold) for fold in populations.folds]
    splits = [populations.splits(one.a, one.b) if {*MATCHING} & {*one.metrics} else [] for one in pairings]
    return [
        [_matched(one, split[i][0].correlations(), split[i][1].correlations()) if split else {}
         for one, split in zip(pairings, splits, strict=True)]
        for i in range(len(populations.count))
    ]  # fmt: skip


def _on_fold(responses, pairings, train, test):
    """As `_by_fold` on one fold. What is done to a population alone is done once, however many it is paired with."""
    standard = lru_cache(STANDARD)(
        lambda name: [standardised(check_responses(responses[name][part], name)) for part in (train, test)]
    )
    system = cache(lambda metric, name: UNFITTED[metric](responses[name][test], name=name))
    found = []
    for one in pairings:
        values = {
            metric: system(metric, one.a).against(system(metric, one.b)) for metric in UNFITTED if metric in one.metrics
        }
        if {*MATCHING} & {*one.metrics}:
            sides = zip(standard(one.a), standard(one.b), strict=True)
            values |= _matched(one, *(_product(a, b) for a, b in sides))
        found.append({metric: float(value) for metric, value in values.items()})
    return found


def _product(a, b):
    dtype = torch.promote_types(a.dtype, b.dtype)
    return a.to(dtype).mT @ b.to(dtype)


def _matched(pairing, train, test):
    """The matching metrics that a pairing asks for, from correlations over training and held-out stimuli."""
    scores = {"soft": held_out_soft, "semi_ab": held_out_semi, "semi_ba": lambda c, held: held_out_semi(c.mT, held.mT)}
    return {metric: score(train, test) for metric, score in scores.items() if metric in pairing.metrics}


def score_pairs(pairs: Iterable[FoldMoments], pairings: Sequence[str] = PAIRINGS) -> pd.DataFrame:
    """`score` of these pairings for each pair of models, whose populations are called `n_a` and so on."""
    return pd.concat(
        score(moments, [Pairing(ab, f"{ab[0]}_a", f"{ab[1]}_b", seed=i) for ab in pairings])
        for i, moments in enumerate(pairs)
    )


def values(scores: pd.DataFrame, metric: str, pairing: str) -> torch.Tensor:
    """One score, for example `ridge_ab` of `sn`, `(seeds, folds)`. Raises ValueError if it is not in the table."""
    name, _, direction = metric.partition("_")
    found = scores[(scores.metric == name) & (scores.direction == direction) & (scores.pairing == pairing)]
    if found.empty:
        raise ValueError(f"no {metric} of {pairing} in these scores: ask for it when they are made")
    return torch.tensor(found.pivot(index="seed", columns="fold", values="value").to_numpy())


def means(scores: pd.DataFrame, metric: str, pairing: str) -> torch.Tensor:
    """One score as the mean over folds, `(seeds,)`."""
    return values(scores, metric, pairing).mean(1)


def gain(scores: pd.DataFrame, metric: str, better: str, worse: str) -> torch.Tensor:
    """How much one pairing scores above another by a metric, means over folds; `(seeds,)`."""
    return means(scores, metric, better) - means(scores, metric, worse)


def feature_correlations(populations: FoldMoments | Held, features: str, population: str) -> torch.Tensor:
    """For each feature, the held-out correlation with the unit it correlates with best in training; `(features,)`.

    The mean over folds. Source: Longon et al. 2025, appendix A.3.
    """
    return torch.stack([held_out_best(*fold) for fold in correlations(populations, features, population)]).mean(0)


def seed_pairs(**responses: torch.Tensor) -> dict[str, torch.Tensor]:
    """Responses of P models `(P, stimuli, units)` by pairs: `name_a` the even models, `name_b` the odd ones."""
    return {f"{name}_{side}": y[start::2] for name, y in responses.items() for start, side in enumerate("ab")}


def pair_moments(
    y: torch.Tensor, sae: TopKSAE, control: TopKSAE, ab: str, truth: torch.Tensor | None = None
) -> list[FoldMoments]:
    """Moments of each pair's populations `ab`, as `ns` for neurons of a and latents of b, without silent latents.

    `y: (P, stimuli, units)`, models 2i and 2i + 1 are pair i, `control` the random SAE, `truth: (stimuli, features)`.
    """
    wanted = [f"{letter}_{side}" for letter, side in zip(ab, "ab", strict=True)]
    codes = {"n": lambda x: x, "s": sae.latents, "r": control.latents}
    parts = max(5, 5 * round(y.shape[1] / PART / 5))

    def batches():
        for start in range(parts):  # interleaved, since stimuli may be sorted
            part = y[:, start::parts]
            named = seed_pairs(**{letter: codes[letter](part) for letter in {*ab} - {"f"}})
            if truth is not None:
                named |= {f"f_{side}": truth[start::parts].to(y.dtype) for side in "ab"}
            yield {name: named[name] for name in wanted}

    moments = stream_moments(batches())
    coded = [name for name in wanted if name[0] in "sr"]
    return [moments[i].without_silent(*coded) for i in range(len(y) // 2)]


def pairing_scores(y: torch.Tensor, sae: TopKSAE, control: TopKSAE) -> pd.DataFrame:
    """Every score of every pairing of each pair of models, from their responses `y` as in `pair_moments`.

    [Longon et al. 2025, sections 5 and 6]
    """
    return pd.concat(score_pairs(pair_moments(y, sae, control, ab), [ab]) for ab in PAIRINGS)
