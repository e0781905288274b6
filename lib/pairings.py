"""Every score of every pairing of two networks' populations, units and codes of them, on the same folds.

Responses are `(P, stimuli, units)`; networks 2i and 2i + 1 are pair i, called a and b.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
from torch import nn

from lib.crossval import Scores
from lib.matching import held_out_best, semi_matching_folds, soft_matching_folds
from lib.moments import FoldMoments, stream_moments
from lib.regression import ols_held_out, ridge_folds
from lib.sae import TopKSAE

PAIRINGS = ("nn", "ss", "rs", "sn", "rn")  # of a and b: n neurons, s latents of an SAE, r of a random SAE
PART = 2500  # stimuli held as codes at a time


class Alignment(NamedTuple):
    """Scores of populations a and b on the same stimuli: `Scores` over folds, or tensors over pairs of models."""

    soft: Scores | torch.Tensor  # soft-matching, symmetric
    semi_ab: Scores | torch.Tensor  # semi-matching, each unit of a finds its partner in b
    semi_ba: Scores | torch.Tensor
    ridge_ab: Scores | torch.Tensor  # ridge regression, b predicted from a
    ridge_ba: Scores | torch.Tensor


def align(moments: FoldMoments, a: str, b: str) -> Alignment:
    """Soft-matching, semi-matching and ridge regression between two populations of `moments`, named `a` and `b`.

    Each score is fitted on all folds but one, read on that one, and the mean over folds. Units that are constant
    score 0. Equations and sources: `soft_matching_score`, `semi_matching_score` and `ridge_score`.
    """
    forth, back = moments.splits(a, b), moments.splits(b, a)
    constant = moments.constant_units(a, b)
    ab = [(train.correlations(), test.correlations()) for train, test in forth]
    ba = [(train.T, test.T) for train, test in ab]
    return Alignment(
        soft_matching_folds(ab, constant),
        semi_matching_folds(ab, constant),
        semi_matching_folds(ba, constant),
        ridge_folds(forth, constant),
        ridge_folds(back, constant),
    )


def align_pairs(pairs: list[FoldMoments], a: str, b: str) -> Alignment:
    """The mean over folds of each score of `align` for each pair of models, as tensors `(pairs,)`."""
    scores = [align(moments, a, b) for moments in pairs]
    means = torch.tensor([[score.mean for score in one] for one in scores], dtype=torch.float64)
    return Alignment(*means.T)


def gain(scores: dict[str, Alignment], metric: str, better: str, worse: str) -> torch.Tensor:
    """How much one pairing of populations scores above another by a metric, for each pair of models; `(pairs,)`."""
    return getattr(scores[better], metric) - getattr(scores[worse], metric)


def feature_correlations(moments: FoldMoments, features: str, population: str) -> torch.Tensor:
    """For each feature, the held-out correlation with the unit it correlates with best in training; `(features,)`.

    The mean over folds. Source: Longon et al. 2025, appendix A.3.
    """
    splits = moments.splits(features, population)
    return torch.stack([held_out_best(train.correlations(), test.correlations()) for train, test in splits]).mean(0)


def seed_pairs(**responses: torch.Tensor) -> dict[str, torch.Tensor]:
    """Responses of P models `(P, stimuli, units)` by pairs: `name_a` the even models, `name_b` the odd ones."""
    return {f"{name}_{side}": y[start::2] for name, y in responses.items() for start, side in enumerate("ab")}


def centre_and_scale(y: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Mean of each unit `(P, 1, units)`, and root of the summed variance of all units `(P, 1, 1)`."""
    centre = y.mean(1, keepdim=True)
    return centre, (y - centre).square().sum(2, keepdim=True).mean(1, keepdim=True).sqrt()


def participation_ratio(eigenvalues: torch.Tensor) -> torch.Tensor:
    """How many dimensions responses use, from the eigenvalues l of their covariance, `(..., units)`; `(...)`.

        d = (sum_i l_i)^2 / sum_i l_i^2

    From 1, if one direction holds all variance, to the number of units, if all directions hold the same.
    """
    return eigenvalues.sum(-1) ** 2 / eigenvalues.square().sum(-1)


@torch.no_grad()
def explained_variance(sae: TopKSAE, y: torch.Tensor) -> torch.Tensor:
    """Share of the variance of responses that the SAEs' reconstructions explain; `(P,)`."""
    squared, total = torch.zeros(2, len(y), dtype=torch.float64)
    mean = y.mean(1, keepdim=True)
    for part in y.split(PART, 1):
        error = part - torch.baddbmm(sae.decoder_bias, sae.encode(part), sae.decoder)
        squared += error.double().square().sum((1, 2)).cpu()
        total += (part - mean).double().square().sum((1, 2)).cpu()
    return 1 - squared / total


def pair_moments(
    y: torch.Tensor, sae: TopKSAE, control: TopKSAE, ab: str, truth: torch.Tensor | None = None
) -> list[FoldMoments]:
    """Moments of each pair's populations `ab`, as `ns` for neurons of a and latents of b, without silent latents.

    They are called `n_a`, `s_b` and so on. The letter f stands for the known features, `truth: (stimuli, features)`.
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


def pairing_scores(y: torch.Tensor, sae: TopKSAE, control: TopKSAE) -> dict[str, Alignment]:
    """Every score of every pairing, tensors `(pairs,)`: `["sn"].ridge_ab` predicts neurons of b from latents of a.

    `control` is the random SAE. [Longon et al. 2025, sections 5 and 6]
    """
    return {ab: align_pairs(pair_moments(y, sae, control, ab), f"{ab[0]}_a", f"{ab[1]}_b") for ab in PAIRINGS}


def padded(responses: Sequence[torch.Tensor]) -> torch.Tensor:
    """Systems' responses `(stimuli, units)` as one tensor `(systems, stimuli, most units)`, padded with units of 0."""
    most = max(y.shape[1] for y in responses)
    return torch.stack([nn.functional.pad(y, (0, most - y.shape[1])) for y in responses])


def joint_batches(
    y: torch.Tensor, pairs: Sequence[tuple[int, int]], size: int, order: torch.Tensor | None = None
) -> Callable:
    """What draws batches `(2 pairs, size, units)` for a `JointSAE` from responses `y: (systems, stimuli, units)`.

    Pair i is systems `pairs[i]`, and all pairs see the same stimuli. With `order`, a permutation of the stimuli, b
    answers stimulus `order[s]` where a answers `s`: the control in which nothing is shared.
    """
    systems = torch.tensor(pairs, device=y.device).flatten()[:, None]

    def draw(generator):
        chosen = torch.randint(y.shape[1], (size,), generator=generator, device=generator.device)
        other = chosen if order is None else order.to(chosen.device)[chosen]
        return y[systems, torch.stack([chosen, other]).repeat(len(pairs), 1)]

    return draw


def ols_both_ways(fit: Sequence[torch.Tensor], test: Sequence[torch.Tensor]) -> torch.Tensor:
    """Held-out OLS of systems `(a, b)`: `[0]` b from a, `[1]` a from b; `[:, 0]` the mean over units, `[:, 1]` pooled.

    Units that are constant on the test stimuli count 0 in the mean. In double precision; errors as `ols_held_out`.
    """
    (fit_a, fit_b), (test_a, test_b) = ((y.double() for y in pair) for pair in (fit, test))
    found = ols_held_out(fit_a, fit_b, test_a, test_b), ols_held_out(fit_b, fit_a, test_b, test_a)
    return torch.stack([torch.stack([one.r.mean(), one.pooled]) for one in found]).cpu()


def joint_codes(sae: TopKSAE, models: Sequence[int], y: Sequence[torch.Tensor]) -> dict[str, list[torch.Tensor]]:
    """Of two systems, by two models of an SAE: `codes`, what is `rebuilt` from them, and that `recoded`.

    `y` are the systems' responses `(stimuli, units)` themselves, not padded.
    """
    codes, rebuilt = zip(*(sae.encode_one(p, one) for p, one in zip(models, y, strict=True)), strict=True)
    recoded = [sae.encode_one(p, one)[0] for p, one in zip(models, rebuilt, strict=True)]
    return {"codes": list(codes), "rebuilt": list(rebuilt), "recoded": recoded}
