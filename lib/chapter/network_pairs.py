"""Pairs of small networks that read scenes of digits, the SAEs trained on their layers, and the scores, site by site.

A site is a place in the networks of one kind, as `mlp_deep`, the last layer of the MLPs; `places` says which it is.
"""

from dataclasses import dataclass, replace
from functools import partial
from typing import NamedTuple

import pandas as pd
import torch

from lib.correlation import centre_and_scale
from lib.data.extraction import responses
from lib.data.stand_ins import Classifiers, GridMLP, GridViT, StandIn, scenes, train_stand_in
from lib.pairings import gain, pairing_scores
from lib.sae import Recipe, TopKSAE, batches, fit, untrained
from lib.training import Training

MAIN = ["mlp_middle", "mlp_deep", "vit_middle", "vit_deep"]
BRANCH = ["vit_branch_middle", "vit_branch_deep"]  # the output of the MLP within a block, where paper A reads its ViT
GRID = [*MAIN, *BRANCH]
SITES = [*GRID, "control"]
# What seeds begin with: those of networks, of SAEs, of second SAEs of the same networks, of random SAEs.
NETWORKS, SAES, SECOND, RANDOM = 0, 500, 300, 700
# By name, the metric, the pairing that the claims say is higher, and the one that is lower.
GAINS = {"soft_gain": ("soft", "ss", "nn"), "soft_over_random": ("soft", "ss", "rs")}
GAINS |= {"nn_over_random": ("soft", "nn", "rs")}
GAINS |= {"semi_gain_ab": ("semi_ab", "ss", "nn"), "semi_gain_ba": ("semi_ba", "ss", "nn")}
GAINS |= {"sn_gain": ("ridge_ab", "sn", "nn"), "sn_over_random": ("ridge_ab", "sn", "rn")}
GAINS |= {"ss_gain": ("ridge_ab", "ss", "nn"), "ss_gain_ba": ("ridge_ba", "ss", "nn")}


class Responses(NamedTuple):
    """Responses of networks at a site, less `centre` and over `scale`; `(networks, scenes, units)`."""

    train: torch.Tensor
    test: torch.Tensor
    centre: torch.Tensor  # of each unit over training scenes, (networks, 1, units)
    scale: torch.Tensor  # one number for each network, after which its units' variances add up to 1


def stand_ins(
    mlp_sizes: list[int], mlp_steps: int, vit_width: int, vit_depth: int, vit_steps: int, control_steps: int = 0
) -> dict[str, StandIn]:
    """How networks are built and trained, by kind: MLPs and ViTs of the grid, MLPs of the control if it has steps."""
    kinds = {
        "mlp": StandIn(partial(GridMLP, mlp_sizes), "grid", mlp_steps, 0.002),
        "vit": StandIn(partial(GridViT, vit_width, vit_depth), "grid", vit_steps, 0.003),
    }
    control = StandIn(partial(GridMLP, mlp_sizes, 10), "single", control_steps, 0.002)
    return kinds | ({"control": control} if control_steps else {})


def places(vit_depth: int) -> dict[str, tuple[str, str, str]]:
    """The kind of network, the layer and the position of each site."""
    middle, last = f"blocks.{(vit_depth - 1) // 2}", f"blocks.{vit_depth - 1}"
    found = {"mlp_middle": ("mlp", "body.3", "flat"), "mlp_deep": ("mlp", "body.5", "flat")}
    found |= {"vit_middle": ("vit", middle, "cls"), "vit_deep": ("vit", last, "cls")}
    found |= {"vit_branch_middle": ("vit", f"{middle}.mlp", "cls"), "vit_branch_deep": ("vit", f"{last}.mlp", "cls")}
    return found | {"control": ("control", "body.5", "flat")}


def in_words(site: str) -> str:
    """A site as tables and figures name it."""
    return site.replace("_", ", ").replace("mlp", "MLP").replace("vit", "ViT").replace("middle", "intermediate")


def gains(scores: dict[str, pd.DataFrame], name: str, *words: str) -> torch.Tensor:
    """One of `GAINS` in every seed pair, from scores by site, of sites with all of these words in their names."""
    return torch.cat([gain(one, *GAINS[name]) for site, one in scores.items() if all(word in site for word in words)])


@dataclass(frozen=True)
class NetworkPairs:
    """Networks of each kind, of which 2i and 2i + 1 are pair i: the same scenes in the same order, another start.

    All seeds follow from `seed`. SAEs are trained by `recipe`, if not another is given.
    """

    kinds: dict[str, StandIn]
    pairs: int
    train_scenes: int
    test_scenes: int
    recipe: Recipe
    seed: int
    device: torch.device

    def seeds(self, first: int, count: int = 0) -> list[int]:
        """So many seeds, one for each network if no number is given."""
        return [1000 * self.seed + first + i for i in range(count or 2 * self.pairs)]

    def scenes(self, kind: str, split: str) -> tuple[torch.Tensor, torch.Tensor]:
        """Images and labels that a kind of networks is trained on, split `train`, or scored on, `test`."""
        count = self.train_scenes if split == "train" else self.test_scenes
        return scenes(self.kinds[kind].world, count, self.seed, split, self.device)

    def train(self, kind: str) -> list[Training[Classifiers]]:
        """Each network of a kind, from the store if it was trained before."""
        options = self.device, self.train_scenes, self.seed
        return [train_stand_in(self.kinds[kind], start, *options) for start in self.seeds(NETWORKS)]

    def respond(
        self, trained: dict[str, list[Training[Classifiers]]], sites: dict[str, tuple[str, str, str]]
    ) -> dict[str, Responses]:
        """What trained networks, by kind, answer at these of `places`: standardised by training scenes."""
        found = {}
        for kind, trainings in trained.items():
            here = {site: (layer, position) for site, (owner, layer, position) in sites.items() if owner == kind}
            networks = [training.model.networks[0] for training in trainings]
            y, y_test = (responses(networks, self.scenes(kind, split)[0], here) for split in ("train", "test"))
            for site in here:
                centre, scale = centre_and_scale(y[site])
                found[site] = Responses((y[site] - centre) / scale, (y_test[site] - centre) / scale, centre, scale)
        return found

    def fit_saes(self, site: str, y: Responses, first: int = SAES, count: int = 0, **changed: int) -> Training[TopKSAE]:
        """SAEs of the first `count` networks at a site, of all if 0, from the store if they were trained before.

        `first` is what their seeds begin with, `changed` are settings in place of the recipe's.
        """
        seeds, recipe = self.seeds(first, count), replace(self.recipe, **changed)
        seen = y.train[: len(seeds)]
        return fit(TopKSAE(seen.shape[2], recipe, seeds, self.device), batches(seen, recipe.batch), f"saes-{site}")

    def random_sae(self, sae: TopKSAE) -> TopKSAE:
        """Untrained SAEs of the same shape."""
        return untrained(sae, self.seeds(RANDOM, len(sae.units)))

    def scores(self, y: torch.Tensor, sae: TopKSAE) -> pd.DataFrame:
        """Every score of every pairing, every fold of every seed pair; `y: (networks, scenes, units)`."""
        return pairing_scores(y, sae, self.random_sae(sae))
