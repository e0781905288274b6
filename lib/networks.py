"""The book's own small networks: classifiers of digits in a grid, several seeds trained as one module."""

import math

import torch
from torch import nn
from torch.nn.functional import binary_cross_entropy_with_logits

from lib.training import Trainable

SIDE, PATCH, LABELS = 24, 8, 90


class GridMLP(nn.Module):
    """24 x 24 pixels - 256 - 256 - `units` - 90 labels, each hidden layer rectified; layers `1`, `3`, `5` of `body`."""

    def __init__(self, units: int, hidden: int = 256):
        super().__init__()
        sizes = [SIDE * SIDE, hidden, hidden, units]
        steps = [layer for a, b in zip(sizes[:-1], sizes[1:], strict=True) for layer in (nn.Linear(a, b), nn.ReLU())]
        self.body, self.head = nn.Sequential(*steps), nn.Linear(units, LABELS)
        for layer in self.body[::2]:
            nn.init.kaiming_normal_(layer.weight)
            nn.init.zeros_(layer.bias)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Logits `(images, 90)` of images `(images, 24, 24)`."""
        return self.head(self.body(x.flatten(1)))


class Block(nn.Module):
    """A transformer block that normalises first; its output is the residual stream."""

    def __init__(self, width: int, heads: int, ratio: int = 2):
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.qkv, self.project, self.heads = nn.Linear(width, 3 * width), nn.Linear(width, width), heads
        self.mlp = nn.Sequential(nn.Linear(width, ratio * width), nn.GELU(), nn.Linear(ratio * width, width))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        q, k, v = self.qkv(self.norm1(x)).unflatten(-1, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        mixed = nn.functional.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2)
        x = x + self.project(mixed)
        return x + self.mlp(self.norm2(x))


class GridViT(nn.Module):
    """A vision transformer on nine patches of 8 x 8 pixels and a class token; layers `blocks.0`, `blocks.1`, ..."""

    def __init__(self, width: int = 48, depth: int = 3, heads: int = 4):
        super().__init__()
        self.patch = nn.Linear(PATCH * PATCH, width)
        self.cls_token = nn.Parameter(torch.zeros(1, 1, width))
        self.place = nn.Parameter(0.02 * torch.randn(1, (SIDE // PATCH) ** 2 + 1, width))
        self.blocks = nn.Sequential(*(Block(width, heads) for _ in range(depth)))
        self.norm, self.head = nn.LayerNorm(width), nn.Linear(width, LABELS)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Logits `(images, 90)` of images `(images, 24, 24)`."""
        cells = x.unflatten(1, (3, PATCH)).unflatten(3, (3, PATCH)).transpose(2, 3).flatten(1, 2).flatten(2)
        tokens = torch.cat([self.cls_token.expand(len(x), -1, -1), self.patch(cells)], 1)
        return self.head(self.norm(self.blocks(tokens + self.place))[:, 0])


class Classifiers(Trainable):
    """Networks of one kind from several seeds, trained on the same batches to tell the labels of images.

    `make()` builds one network. The loss is the binary cross-entropy, summed over labels.
    """

    def __init__(self, make, seeds: list[int], device="cpu"):
        super().__init__()
        networks = []
        for seed in seeds:
            with torch.random.fork_rng(devices=[]):
                torch.manual_seed(seed)
                networks.append(make())
            # Start from how often a label is true, 3 in 100: while it learns that, a rectified layer can die.
            nn.init.constant_(networks[-1].head.bias, math.log(0.03 / 0.97))
            nn.init.zeros_(networks[-1].head.weight)
        self.networks = nn.ModuleList(networks).to(device)

    def backward(self, batch: tuple[torch.Tensor, torch.Tensor]) -> dict[str, torch.Tensor]:
        """Set the gradients for `(images, labels)` and return loss and share of right labels `(P,)`."""
        images, labels = batch
        self.zero_grad()
        logits = [network(images) for network in self.networks]
        losses = [binary_cross_entropy_with_logits(x, labels, reduction="sum") / len(images) for x in logits]
        sum(losses).backward()
        right = [((x > 0) == (labels > 0.5)).double().mean() for x in logits]
        return {"loss": torch.stack(losses).detach(), "accuracy": torch.stack(right)}
