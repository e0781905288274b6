"""Recordings of a brain: what all of them have in common, and how well any model could predict them."""

from hashlib import sha256
from typing import NamedTuple

import torch
from torch.utils.data import Dataset

from lib.correlation import paired_correlations
from lib.features import seeded


class Recording(NamedTuple):
    """Responses of one subject's neurons or voxels to images, averaged over repetitions."""

    name: str
    responses: torch.Tensor  # (images, neurons), float32
    images: Dataset  # entry i is the image of row i, as `lib.images.Images`
    repetitions: torch.Tensor  # how often each image was shown, (images,)
    ceiling: torch.Tensor  # correlation of a perfect model with these responses, of each neuron, (neurons,)


def random_halves(trials: torch.Tensor, generator: torch.Generator) -> tuple[torch.Tensor, torch.Tensor]:
    """Means over two random halves of each image's repetitions; both `(images, neurons)`.

    `trials: (images, neurons, repetitions)`, NaN where an image was shown less often; all neurons share its trials. Of
    an odd number the second half has one more. Raises ValueError unless every image was shown twice or more.
    """
    if trials.ndim != 3 or trials.numel() == 0:
        raise ValueError(f"trials have shape {tuple(trials.shape)}: give (images, neurons, repetitions)")
    shown = ~trials[:, :1].isnan()
    if not (trials.isnan() == ~shown).all():
        raise ValueError("trials lack a repetition for some neurons only: take these repetitions out for all of them")
    count = shown.sum(2, keepdim=True)
    if count.min() < 2:
        rare = int(count[:, 0, 0].argmin())
        raise ValueError(f"image {rare} was shown {int(count.min())} times: halves need every image twice or more")
    order = torch.rand(shown.shape, generator=generator, device=trials.device).masked_fill(~shown, 2)
    place = order.argsort(2).argsort(2)
    values = trials.nan_to_num()
    first, second = place < count // 2, (place >= count // 2) & shown
    return tuple((values * half).sum(2) / half.sum(2) for half in (first, second))


def split_half_ceiling(trials: torch.Tensor, splits: int = 20, seed: int = 0) -> torch.Tensor:
    """Correlation of a perfect model with the mean over all repetitions, for each neuron; `(neurons,)`.

        ceiling = sqrt(2 r / (1 + r))

    r is the correlation over images of two halves, the mean over random `splits`, and 0 if negative. After Spearman and
    Brown, 2 r / (1 + r) is what it would be between two means over all repetitions, if the halves are equal; for odd
    counts it is slightly low. Shapes and errors as in `random_halves`.
    """
    generator = seeded(seed, trials.device)
    r = torch.stack([paired_correlations(*random_halves(trials, generator)) for _ in range(splits)]).mean(0).clamp(0)
    return (2 * r / (1 + r)).sqrt()


def ceiling_share(scores: torch.Tensor, ceiling: torch.Tensor) -> torch.Tensor:
    """Mean score over neurons, in units of the mean ceiling; `(..., neurons)` to `(...)`.

    The mean of quotients would let a few neurons of next to no ceiling decide. Raises ValueError if the ceiling is
    unknown or 0. [Longon et al. 2025, section 6]
    """
    if not ceiling.mean() > 0:
        raise ValueError(
            f"the mean ceiling is {float(ceiling.mean()):.3g}: it must be known and above 0 to divide by it"
        )
    return scores.mean(-1) / ceiling.mean().to(scores)


def shared_images(a: Recording, b: Recording) -> tuple[torch.Tensor, torch.Tensor]:
    """Rows of the images that both have, equal pixel by pixel: `first[i]` of a shows what `second[i]` of b shows."""
    found = {_pixels(b.images, row): row for row in reversed(range(len(b.images)))}
    pairs = [(row, found.pop(key)) for row in range(len(a.images)) if (key := _pixels(a.images, row)) in found]
    first, second = torch.tensor(pairs, dtype=torch.int64).reshape(-1, 2).T
    return first, second


def _pixels(images, row):
    image = images.read(row).convert("RGB")
    return image.size, sha256(image.tobytes()).digest()
