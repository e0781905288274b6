"""Pairs of toy models of the same features, the SAEs trained on them, and what both answer to fresh stimuli."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pandas as pd
import torch

from lib.baselines import ica, pca
from lib.correlation import centred, paired_correlations
from lib.crossval import silent_units
from lib.features import bernoulli_uniform, seeded
from lib.moments import FoldMoments, stream_moments
from lib.pairings import PAIRINGS, Held, Pairing, feature_correlations, gain, means, score, score_pairs, seed_pairs
from lib.regression import ALPHAS
from lib.sae import Recipe, TopKSAE, fit, untrained
from lib.toy_models import ToyModels, train_toy_models
from lib.training import Training

POPULATIONS = [f"{letter}_{side}" for letter in "nsr" for side in "ab"]
# By name, the metric, the pairing that the claims say is higher, and the one that is lower.
GAINS = {"soft_gain": ("soft", "ss", "nn"), "soft_over_random": ("soft", "ss", "rs")}
GAINS |= {"semi_gain_ab": ("semi_ab", "ss", "nn"), "semi_gain_ba": ("semi_ba", "ss", "nn")}
GAINS |= {"ridge_sn_gain": ("ridge_ab", "sn", "nn"), "ridge_ss_gain": ("ridge_ab", "ss", "nn")}
GAINS |= {"ridge_rn_gain": ("ridge_ab", "rn", "nn"), "ridge_learned_gain": ("ridge_ab", "sn", "rn")}


@dataclass(frozen=True)
class ToyPairs:
    """The world of `n` features, active with probability `p`, in which models 2i and 2i + 1 are pair i.

    `batch` are the stimuli in a training step of the SAEs. All seeds follow from `seed`: models, SAEs and stimuli for
    scores draw from different ones.
    """

    n: int
    p: float
    batch: int
    seed: int
    device: torch.device

    def features(self, count: int, generator: torch.Generator) -> torch.Tensor:
        """A batch of sparse features, `(count, n)`."""
        return bernoulli_uniform(count, self.n, self.p, generator, torch.float32)

    def train(self, N: int, models: int, steps: int, variant: str = "output_relu") -> Training[ToyModels]:
        """The first so many toy models with N neurons, by the settings of paper A's public code."""
        seeds = [1000 * self.seed + i for i in range(models)]
        toys = ToyModels(self.n, N, seeds, variant, self.device, start="xavier")
        return train_toy_models(toys, steps, weight_decay=0.01)

    def responses(self, toys: Training[ToyModels], z: torch.Tensor, models: int) -> torch.Tensor:
        """Of the first so many toy models `(models, stimuli, N)`: neurons are rectified in both variants used."""
        return (z @ toys.model.weight.detach()[:models]).relu()

    def stream(self, toys: Training[ToyModels], models: int) -> Callable:
        """What draws a training batch of the SAEs."""
        return lambda generator: self.responses(toys, self.features(self.batch, generator), models)

    def new_saes(self, toys: Training[ToyModels], models: int, recipe: Recipe, apart: bool = False) -> TopKSAE:
        """SAEs before their training; the two of a pair start at the same weights, or apart."""
        offsets = [500 + (200 * (1 + i % 2) if apart else 0) + i // 2 for i in range(models)]
        seeds = [1000 * self.seed + offset for offset in offsets]
        return TopKSAE(toys.model.weight.shape[-1], recipe, seeds, self.device)

    def fit_saes(
        self, toys: Training[ToyModels], models: int, recipe: Recipe, apart: bool = False
    ) -> Training[TopKSAE]:
        """One SAE for each of the first so many toy models, from the store if they were trained before."""
        return fit(self.new_saes(toys, models, recipe, apart), self.stream(toys, models))

    def measure(
        self, toys: Training[ToyModels], sae: TopKSAE, count: int, control: TopKSAE | None = None
    ) -> list[FoldMoments]:
        """Moments of every pair on about `count` fresh stimuli, silent units among them; `control` are random SAEs."""
        models, control = len(sae.units), control or untrained(sae)

        def batches():
            generator = seeded(1000 * self.seed + 900, self.device)
            for _ in range(max(5, round(count / 4096))):
                z = self.features(4096, generator)
                y = self.responses(toys, z, models)
                yield {"f_a": z, **seed_pairs(n=y, s=sae.latents(y), r=control.latents(y))}

        moments = stream_moments(batches())
        return [moments[i] for i in range(models // 2)]


def active(of_pairs: list[FoldMoments]) -> list[FoldMoments]:
    """The same without the units that are silent in some fold."""
    return [moments.without_silent(*POPULATIONS) for moments in of_pairs]


def all_scores(of_pairs: list[FoldMoments]) -> pd.DataFrame:
    """Every score of every pairing of every pair, with the true features as f, on five folds."""
    return score_pairs(of_pairs, (*PAIRINGS, "fn", "fs"))


def recovery(of_pairs: list[FoldMoments]) -> dict[str, torch.Tensor]:
    """Best held-out correlation of each feature with neurons n, latents s and random latents r, `(models, n)` each."""
    both = [(moments, side) for moments in of_pairs for side in "ab"]
    return {
        letter: torch.stack([feature_correlations(moments, "f_a", f"{letter}_{side}") for moments, side in both]).cpu()
        for letter in "nsr"
    }


def evidence(scores: dict[int, pd.DataFrame], found: dict[int, dict[str, torch.Tensor]], effect: float) -> Iterator:
    """What claims A7 to A11 rest on, as `(table, columns)`, from scores and recovered features by N.

    `features` has a row for each model, `scores` and `gains` for each pair. `semi` counts in how many cases, each N,
    pair and direction, semi-matching changes in the sign of soft-matching, of those where the latter changes by more
    than 0, than `effect` and than 0.1.
    """
    quoted = [(metric, ab) for metric in ("soft", "semi_ab", "semi_ba") for ab in ("nn", "ss", "rs")]
    quoted += [("ridge_ab", ab) for ab in ("nn", "sn", "rn", "ss", "fn", "fs")]
    for N, one in scores.items():
        of = {name: found[N][letter].mean(1) for name, letter in (("neurons", "n"), ("latents", "s"), ("random", "r"))}
        of |= {"gain": of["latents"] - of["neurons"], "random_gain": of["random"] - of["neurons"]}
        yield "features", {"N": N, "model": range(len(of["gain"])), **of}
        gains = {name: gain(one, *compared) for name, compared in GAINS.items()}
        at = {"N": N, "pair": range(len(gains["soft_gain"]))}
        columns = {f"{metric.replace('ridge_ab', 'ridge')}_{ab}": means(one, metric, ab) for metric, ab in quoted}
        yield "scores", at | columns
        yield "gains", at | gains
    cases = [(gain(one, *GAINS["soft_gain"]), gain(one, *GAINS[f"semi_gain_{way}"]))
             for one in scores.values() for way in ("ab", "ba")]  # fmt: skip
    soft, semi = map(torch.cat, zip(*cases, strict=True))
    for least in (0, effect, 0.1):
        same = (soft.sign() == semi.sign()).double()[soft.abs() > least]
        share = float(same.mean()) if len(same) else 0.0
        yield "semi", {"least": least, "cases": len(same), "agreed": int(same.sum()), "agreement": share}


def axes_and_seeds(fitted: torch.Tensor, y: torch.Tensor, latents: torch.Tensor, second: torch.Tensor, folds: list):
    """Held-out soft-matching of one pair by neurons `nn`, principal `pp` and independent axes `ii` and latents `ss`.

    And of two SAEs of one model, `aa` and `bb`: `latents` and `second` are the codes of SAEs from two starts, the axes
    are found on responses `fitted`. All are `(2, stimuli, units)`.
    """
    N = y.shape[-1]
    found = {"nn": y, "pp": pca(fitted, N)(y), "ii": ica(fitted, N)(y), "ss": latents, "second": second}
    sides = {f"{name}_{side}": x[i] for name, x in found.items() for i, side in enumerate("ab")}
    held = Held({name: x[:, ~silent_units(x, folds)] for name, x in sides.items()}, folds)
    asked = [Pairing(name, f"{name}_a", f"{name}_b", ("soft",)) for name in ("nn", "pp", "ii", "ss")]
    asked += [Pairing(2 * side, f"ss_{side}", f"second_{side}", ("soft",)) for side in "ab"]
    return score(held, asked).groupby("pairing").value.mean()


def one_alpha(x: torch.Tensor, y: torch.Tensor, folds: list[tuple[torch.Tensor, torch.Tensor]]) -> float:
    """Mean held-out correlation by one ridge penalty for all targets, as in paper A's code.

    scikit-learn's `RidgeCV` without intercept, each part about its own mean. x: `(stimuli, predictors)`.
    """
    from sklearn.linear_model import RidgeCV  # here, because it takes a second to load

    scores = []
    for train, test in folds:
        parts = [centred(part).cpu().numpy() for part in (x[train], y[train], x[test])]
        fitted = RidgeCV(ALPHAS, fit_intercept=False).fit(*parts[:2]).predict(parts[2])
        scores.append(paired_correlations(torch.from_numpy(fitted), y[test].double().cpu()).mean())
    return float(torch.stack(scores).mean())
