"""Recordings of a brain: how well any model could predict them, and how well a network's units and codes do."""

from collections.abc import Callable
from hashlib import sha256
from typing import Any, NamedTuple

import torch
from torch.nn.functional import layer_norm

from lib.correlation import paired_correlations
from lib.features import seeded
from lib.regression import ridge_correlations
from lib.sae import Recipe, TopKSAE, explained_variance, fit, start_at, untrained

OTHER_SEEDS = 2**20  # a random SAE starts elsewhere than any trained one


class Recording(NamedTuple):
    """Responses of one subject's neurons or voxels to images, averaged over repetitions."""

    name: str
    responses: torch.Tensor  # (images, neurons), float32
    images: Any  # entry i is the image of row i, as `lib.data.images.Images`
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
    return (values * first).sum(2) / first.sum(2), (values * second).sum(2) / second.sum(2)


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
    """Mean score over neurons as a share of the mean ceiling; `(..., neurons)` to `(...)`.

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


def image_batches(y: torch.Tensor, size: int, images: list[int] | None = None) -> Callable:
    """What draws `size` images for each of the models in `y: (P, images, units)`, for each model others.

    `images`: model p sees only its first `images[p]`.
    """
    counts = torch.tensor(images or [y.shape[1]] * len(y), device=y.device)[:, None]

    def draw(generator):
        chosen = torch.rand(len(y), size, generator=generator, device=y.device, dtype=torch.float64) * counts
        return y.take_along_dim(chosen.long()[:, :, None], 1)

    return draw


def codes(sae: TopKSAE, y: torch.Tensor, seed: int = 0) -> dict[str, torch.Tensor]:
    """What a brain is predicted from, for `y: (P, images, units)`: neurons, latents, and latents of a random SAE."""
    control = untrained(sae, [OTHER_SEEDS + seed + p for p in range(len(sae.units))])
    return {"neurons": y, "latents": sae.latents(y), "random": control.latents(y)}


def by_authors(
    training: torch.Tensor, stimuli: list[torch.Tensor], recipe: Recipe, seed: int = 0
) -> dict[str, tuple[list[torch.Tensor], torch.Tensor]]:
    """Latents of SAEs of layer-normalised responses, from either start of `recipe`, as it started and trained.

    For `kaiming_start`, `kaiming`, `data_start` and `data`, which starts at responses (`lib.sae.start_at`): the latents
    of each of `stimuli` and the share `(P,)` that the SAEs explain of the last. All are `(P, images, units)`.
    """
    training, *stimuli = (layer_norm(x, x.shape[-1:]) for x in (training, *stimuli))
    seeds = [1000 * seed + 700 + p for p in range(len(training))]
    chosen = torch.randperm(training.shape[1], generator=seeded(1000 * seed + 800))[: recipe.latents]
    found = {}
    for start in ("kaiming", "data"):
        sae = TopKSAE(training.shape[2], recipe, seeds, training.device)
        sae = start_at(sae, training[:, chosen]) if start == "data" else sae
        found[f"{start}_start"] = [sae.latents(x) for x in stimuli], explained_variance(sae, stimuli[-1])
        sae = fit(sae, image_batches(training, recipe.batch), "saes-authors").model
        found[start] = [sae.latents(x) for x in stimuli], explained_variance(sae, stimuli[-1])
    return found


def encoding_scores(x: torch.Tensor, recording: Recording, rows=slice(None), seed: int = 0) -> torch.Tensor:
    """Correlation of each neuron with its ridge prediction from `x: (images, units)` on five held-out folds.

    Returns `(folds, neurons)`, on the CPU. `rows`: only these images. Raises ValueError on bad input. [Longon et al.
    2025, section 6]
    """
    return ridge_correlations(x[rows], recording.responses[rows].to(x), seed=seed).cpu()


def training_images(
    stimuli: torch.Tensor, photos: torch.Tensor, crops: torch.Tensor, seed: int = 0
) -> tuple[torch.Tensor, torch.Tensor]:
    """Responses to an SAE's training images, and to photographs kept from it.

    Stimuli and photographs in random order, then the photographs' `crops`, five of each, in random order. Every tenth
    photograph is kept out, with its crops.
    """
    kept_out = torch.arange(len(photos)) % 10 == 0
    parts = torch.cat([stimuli, photos[~kept_out]]), crops[~kept_out.repeat_interleave(5)]
    shuffled = [part[torch.randperm(len(part), generator=seeded(seed))] for part in parts]
    return torch.cat(shuffled), photos[kept_out]
