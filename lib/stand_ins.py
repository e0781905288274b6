"""The book's stand-ins for large networks: classifiers of digits in a grid, trained when first asked for."""

from collections.abc import Callable
from functools import cache, partial
from typing import NamedTuple

import torch

from lib.digits import digit_grid, single_digits
from lib.networks import Classifiers, GridMLP, GridViT
from lib.training import Training, random_batches, train

STREAM = 2**31 + 1  # seed of the batches: the same scenes in the same order for every network


class StandIn(NamedTuple):
    make: Callable  # builds a network that has learned nothing
    world: str  # what its scenes hold, a key of WORLDS
    steps: int  # of training, batches of 128
    lr: float  # at the start of its cosine


class World(NamedTuple):
    draw: Callable
    rate: float  # how often a label is true


WORLDS = {"grid": World(digit_grid, 0.03), "single": World(single_digits, 0.1)}
STAND_INS = {
    "grid-mlp": StandIn(GridMLP, "grid", 3000, 0.002),
    "grid-vit": StandIn(GridViT, "grid", 1000, 0.003),
    "single-mlp": StandIn(partial(GridMLP, labels=10), "single", 600, 0.002),
}


@cache
def scenes(world: str, count: int, seed: int, split: str, device: torch.device) -> tuple[torch.Tensor, torch.Tensor]:
    """Images `(count, 24, 24)` and labels `(count, labels)`, numbers 0 and 1; a single digit becomes ten labels.

    Source of the scenes: `lib.digits`.
    """
    images, labels = WORLDS[world].draw(count, seed, split)
    labels = labels if labels.ndim == 2 else torch.nn.functional.one_hot(labels, 10)
    return images.to(device), labels.float().to(device)


def train_stand_in(kind: StandIn, seed: int, device: torch.device, count: int = 40000, scene_seed: int = 0) -> Training:
    """A network of this kind, started with `seed` and trained on `count` scenes, or the one in build/trained.

    The network is `.model.networks[0]` of what is returned. Networks of one kind differ in their start alone.
    """
    model = Classifiers(kind.make, [seed], WORLDS[kind.world].rate, device)

    def draw(generator):
        return random_batches(*scenes(kind.world, count, scene_seed, "train", device), size=128)(generator)

    about = {"world": kind.world, "scenes": count, "seed": scene_seed}
    return train(model, draw, kind.steps, f"stand-in-{kind.world}", about, STREAM, kind.lr, cosine=True)
