"""Scenes composed of pictures: as many places, as often filled and as correlated as asked, with what they show."""

from functools import cache
from typing import Any, NamedTuple

import numpy as np
import torch
from PIL import Image

from lib.checks import unknown
from lib.data.digits import SPLIT_SEED, SPLITS, TRAIN_SHARE
from lib.data.images import open_images
from lib.features import seeded

SIDE = 8  # pixels of a picture, as scikit-learn's written digits have


class Pictures(NamedTuple):
    """Pictures sorted by class."""

    images: torch.Tensor  # (pictures, pixels), in [0, 1]
    counts: torch.Tensor  # of each class, (classes,)


class Composition(NamedTuple):
    """How scenes are made: places, how likely each is filled, and how correlated a class is between two places."""

    objects: int
    density: float
    correlation: float = 0.0


class Scenes(NamedTuple):
    images: torch.Tensor  # (scenes, objects * pixels), empty places are 0
    labels: torch.Tensor  # (scenes, objects * classes), 0 or 1: place * classes + class
    shown: torch.Tensor  # (scenes, objects), number of the picture in each place, -1 where it is empty


def digit_pictures(split: str) -> Pictures:
    """scikit-learn's written digits, of the part that `lib.data.digits` calls `split`, 64 pixels each."""
    from sklearn.datasets import load_digits  # here, as it takes a second to load

    digits: Any = load_digits()
    images = torch.from_numpy(digits.images).float().flatten(1) / digits.images.max()
    return _part(images, torch.from_numpy(digits.target), split)


def image_pictures(name: str, split: str) -> Pictures:
    """Labelled images called `name`, as `lib.data.images` names them, each brought to 8 x 8 pixels in three colours.

    Four fifths are `train`, the others `test`. Raises ValueError as `open_images`, for another split, and unless both
    splits have pictures of each class.
    """
    return _part(*_labelled(name), split)


@cache
def _labelled(name):
    images = open_images(name, _small)
    return torch.stack([images[i][0] for i in range(len(images))]), torch.tensor(images.labels)


def _small(image):
    """Mean colours of 8 x 8 parts of an image, `(192,)`."""
    return torch.from_numpy(np.array(image.resize((SIDE, SIDE), Image.Resampling.BOX))).float().flatten() / 255


def _part(images, labels, split):
    if split not in SPLITS:
        raise unknown("split", split, SPLITS)
    order = torch.randperm(len(labels), generator=seeded(SPLIT_SEED))
    both = order.tensor_split([int(TRAIN_SHARE * len(order))])
    counts = [labels[kept].bincount(minlength=int(labels.max()) + 1) for kept in both]
    if not all(count.all() for count in counts):
        raise ValueError(f"{len(labels)} pictures leave a split without one of {len(counts[0])} classes: give more")
    at = SPLITS.index(split)
    kept = both[at][labels[both[at]].argsort(stable=True)]
    return Pictures(images[kept], counts[at])


def compose(pictures: Pictures, how: Composition, count: int, generator: torch.Generator) -> Scenes:
    """Scenes whose places are each filled with probability p, by a picture of a class drawn evenly.

    With probability sqrt(c) a place follows a draw that is common to the scene, empty or a class, and else draws its
    own. So labels of one class in two places both follow with probability c, and their correlation is c:

        E l l' - q^2 = c (q - q^2),   q = p / classes

    Pictures are drawn place by place. Raises ValueError unless there are one object or more, 0 < p <= 1, 0 <= c <= 1.
    """
    if how.objects < 1 or not 0 < how.density <= 1 or not 0 <= how.correlation <= 1:
        raise ValueError(f"{how}: give one object or more, 0 < density <= 1 and 0 <= correlation <= 1")
    sizes, places = pictures.counts, (count, how.objects)
    own, common = (_filled(how.density, len(sizes), (count, width), generator) for width in (how.objects, 1))
    follows = torch.rand(places, generator=generator, dtype=torch.float64) < how.correlation**0.5
    present, kind = (torch.where(follows, one, other) for one, other in zip(common, own, strict=True))
    within = (torch.rand(places, generator=generator, dtype=torch.float64) * sizes[kind]).long()
    chosen = (sizes.cumsum(0) - sizes)[kind] + within
    labels = torch.nn.functional.one_hot(kind, len(sizes)) * present[..., None]
    images = pictures.images[chosen] * present[..., None]
    return Scenes(images.flatten(1), labels.flatten(1).float(), torch.where(present, chosen, -1))


def _filled(density, classes, places, generator):
    """Whether each place is filled, and the class that it then shows."""
    present = torch.rand(places, generator=generator, dtype=torch.float64) < density
    return present, torch.randint(classes, places, generator=generator)
