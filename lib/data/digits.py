"""Pictures of one or several written digits in a 3 x 3 grid, with what they show: known sparse features."""

from typing import Any

import torch

from lib.checks import unknown
from lib.features import seeded

CELLS, DIGITS, PRESENT = 9, 10, 0.3
SPLITS = ("train", "test")
SPLIT_SEED, TRAIN_SHARE = 0, 0.8


def digit_grid(count: int, seed: int, split: str = "train") -> tuple[torch.Tensor, torch.Tensor]:
    """Pictures of a 3 x 3 grid whose cells each hold, with probability 0.3, one of scikit-learn's written digits.

    Returns images `(count, 24, 24)` in [0, 1] and labels `(count, 90)`, boolean: label `cell * 10 + digit`, cells row
    by row. `split` is `train` (80 % of the 1,797 written digits) or `test` (the others), so no stroke is in both.
    Raises ValueError for another split or a count below 1.
    """
    generator, images, digits = _base(count, seed, split)
    present = torch.rand(count, CELLS, generator=generator) < PRESENT
    chosen = torch.randint(len(images), (count, CELLS), generator=generator)
    labels = torch.nn.functional.one_hot(digits[chosen], DIGITS).bool() & present[..., None]
    return _grid(images[chosen], present), labels.flatten(1)


def single_digits(count: int, seed: int, split: str = "train") -> tuple[torch.Tensor, torch.Tensor]:
    """The control for `digit_grid`: exactly one cell, drawn evenly, is filled.

    Returns images `(count, 24, 24)` in [0, 1] and the digits `(count,)`, 0 to 9. Raises ValueError as `digit_grid`.
    """
    generator, images, digits = _base(count, seed, split)
    cell = torch.randint(CELLS, (count, 1), generator=generator)
    chosen = torch.randint(len(images), (count,), generator=generator)
    return _grid(images[chosen][:, None].expand(-1, CELLS, -1, -1), torch.arange(CELLS) == cell), digits[chosen]


def _base(count, seed, split):
    """A generator and the split's written digits, `(digits, 8, 8)`, with what they are; the splits draw differently."""
    from sklearn.datasets import load_digits  # here, as it takes a second to load

    if split not in SPLITS:
        raise unknown("split", split, SPLITS)
    if count < 1:
        raise ValueError(f"count = {count} images: choose at least 1")
    digits: Any = load_digits()
    order = torch.randperm(len(digits.target), generator=seeded(SPLIT_SEED))
    train = int(TRAIN_SHARE * len(order))
    kept = order[:train] if split == "train" else order[train:]
    images = torch.from_numpy(digits.images).float() / digits.images.max()
    return seeded(2 * seed + SPLITS.index(split)), images[kept], torch.from_numpy(digits.target)[kept]


def _grid(cells, present):
    """Lay `(count, 9, 8, 8)` out as `(count, 24, 24)`; cells that are not present stay black."""
    cells = (cells * present[..., None, None]).unflatten(1, (3, 3))
    return cells.permute(0, 1, 3, 2, 4).flatten(1, 2).flatten(2)
