"""The book's stand-ins for large networks: classifiers of digits in a grid, trained when first asked for."""

import math
from collections.abc import Callable, Sequence
from functools import cache, partial
from itertools import pairwise
from typing import NamedTuple

import torch
from torch import nn
from torch.nn.functional import binary_cross_entropy_with_logits

from lib.data.digits import digit_grid, single_digits
from lib.training import Trainable, Training, random_batches, train

SIDE, PATCH, LABELS = 24, 8, 90
STREAM = 2**31 + 1  # seed of the batches: the same scenes in the same order for every network


class GridMLP(nn.Module):
    """24 x 24 pixels, rectified layers of the given `sizes`, and logits of the labels.

    The rectified layers are `body.1`, `body.3`, ...
    """

    def __init__(self, sizes: Sequence[int] = (256, 96, 32), labels: int = LABELS):
        super().__init__()
        steps = [layer for a, b in pairwise([SIDE * SIDE, *sizes]) for layer in (nn.Linear(a, b), nn.ReLU())]
        self.body, self.head = nn.Sequential(*steps), nn.Linear(sizes[-1], labels)
        for layer in self.body:
            if isinstance(layer, nn.Linear):
                nn.init.kaiming_normal_(layer.weight)
                nn.init.zeros_(layer.bias)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Logits `(images, labels)` of images `(images, 24, 24)`."""
        return self.head(self.body(x.flatten(1)))


class Block(nn.Module):
    """A transformer block that normalises first; its output is the residual stream of its first `kept` tokens.

    All tokens are attended to, so a last block of which one token is read need not compute the others.
    """

    def __init__(self, width: int, heads: int, kept: int | None = None, ratio: int = 2):
        super().__init__()
        self.norm1, self.norm2, self.kept, self.heads = nn.LayerNorm(width), nn.LayerNorm(width), kept, heads
        self.query, self.key_value = nn.Linear(width, width), nn.Linear(width, 2 * width)
        self.project = nn.Linear(width, width)
        self.mlp = nn.Sequential(nn.Linear(width, ratio * width), nn.GELU(), nn.Linear(ratio * width, width))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """The residual stream `(images, kept, width)` from that of all tokens `(images, tokens, width)`."""
        normed, x = self.norm1(x), x[:, : self.kept]
        q = self.query(normed[:, : self.kept]).unflatten(-1, (self.heads, -1)).transpose(1, 2)
        k, v = self.key_value(normed).unflatten(-1, (2, self.heads, -1)).permute(2, 0, 3, 1, 4)
        mixed = nn.functional.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2)
        x = x + self.project(mixed)
        return x + self.mlp(self.norm2(x))


class GridViT(nn.Module):
    """A vision transformer on nine patches of 8 x 8 pixels and a class token, which alone tells the labels.

    Layers `blocks.0`, `blocks.1`, ...; the last one gives the class token only.
    """

    def __init__(self, width: int = 48, depth: int = 2, heads: int = 4, labels: int = LABELS):
        super().__init__()
        self.patch = nn.Linear(PATCH * PATCH, width)
        self.cls_token = nn.Parameter(torch.zeros(1, 1, width))
        self.place = nn.Parameter(0.02 * torch.randn(1, (SIDE // PATCH) ** 2 + 1, width))
        self.blocks = nn.Sequential(*(Block(width, heads, 1 if i == depth - 1 else None) for i in range(depth)))
        self.norm, self.head = nn.LayerNorm(width), nn.Linear(width, labels)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Logits `(images, labels)` of images `(images, 24, 24)`."""
        tokens = torch.cat([self.cls_token.expand(len(x), -1, -1), self.patch(patches(x))], 1)
        return self.head(self.norm(self.blocks(tokens + self.place))[:, 0])


def patches(x: torch.Tensor) -> torch.Tensor:
    """The nine cells of images `(images, 24, 24)`, row by row, each as 64 pixels; `(images, 9, 64)`."""
    return x.unflatten(1, (-1, PATCH)).unflatten(3, (-1, PATCH)).transpose(2, 3).flatten(1, 2).flatten(2)


class Classifiers(Trainable):
    """Networks of one kind from several seeds, trained on the same batches to tell which labels are true.

        L = mean over images of the sum over labels of the binary cross-entropy

    `make()` builds one network, whose last layer is `head`. All labels start as true with probability `rate`: while a
    network has to learn how rare they are, a rectified layer can die. [Longon et al. 2025, section 5, has ResNet50 and
    ViT-B/16]
    """

    def __init__(self, make: Callable, seeds: list[int], rate: float = 0.03, device: str | torch.device = "cpu"):
        super().__init__()
        networks = []
        for seed in seeds:
            with torch.random.fork_rng(devices=[]):
                torch.default_generator.manual_seed(seed)
                networks.append(make())
            nn.init.constant_(networks[-1].head.bias, math.log(rate / (1 - rate)))
            nn.init.zeros_(networks[-1].head.weight)
        self.networks = nn.ModuleList(networks).to(device)

    @torch.no_grad()
    def probabilities(self, images: torch.Tensor) -> torch.Tensor:
        """How likely each network holds each label to be true; `(P, images, labels)`."""
        return torch.stack([network(images).sigmoid() for network in self.networks])

    def backward(self, batch: tuple[torch.Tensor, torch.Tensor]) -> dict[str, torch.Tensor]:
        """Set the gradients for `(images, labels)`, labels 0 or 1, and return the loss of each network `(P,)`."""
        images, labels = batch
        self.zero_grad()
        logits = [network(images) for network in self.networks]
        losses = [binary_cross_entropy_with_logits(x, labels, reduction="sum") / len(images) for x in logits]
        loss = torch.stack(losses)
        loss.sum().backward()
        return {"loss": loss.detach()}


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

    Source of the scenes: `lib.data.digits`.
    """
    images, labels = WORLDS[world].draw(count, seed, split)
    labels = labels if labels.ndim == 2 else torch.nn.functional.one_hot(labels, 10)
    return images.to(device), labels.float().to(device)


def train_stand_in(
    kind: StandIn, seed: int, device: torch.device, count: int = 40000, scene_seed: int = 0
) -> Training[Classifiers]:
    """A network of this kind, started with `seed` and trained on `count` scenes, or the one in build/trained.

    The network is `.model.networks[0]` of what is returned. Networks of one kind differ in their start alone.
    """
    model = Classifiers(kind.make, [seed], WORLDS[kind.world].rate, device)

    def draw(generator):
        return random_batches(*scenes(kind.world, count, scene_seed, "train", device), size=128)(generator)

    return train(model, draw, kind.steps, f"stand-in-{kind.world}", STREAM, kind.lr, cosine=True)
