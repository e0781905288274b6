"""Predicting a brain from a network: from its units, from latents of sparse autoencoders, and from random latents."""

import torch

from lib.brain import Recording
from lib.features import seeded
from lib.regression import ridge_correlations
from lib.sae import STREAM, TopKSAE
from lib.training import train

OTHER_SEEDS = 2**20  # a random SAE starts elsewhere than any trained one


def fit_saes(
    y: torch.Tensor, latents: int, k: int, steps: int, seeds: list[int], about: dict, sizes: list[int] | None = None,
    batch: int = 512, lr: float = 0.01,
) -> TopKSAE:  # fmt: skip
    """SAEs of the models in `y: (P, images, units)`, trained on batches of these images, or found in the store.

    `sizes`: model p sees only its first `sizes[p]` images. `about` says what the images are. The learning rate falls to
    0 along a cosine; a latent that was silent for 50 steps is dead and learns with a weight of 1/32.
    """
    sizes = sizes or [y.shape[1]] * len(y)
    sae = TopKSAE(y.shape[2], latents, k, seeds, 1 / 32, 50, device=y.device)
    largest = torch.tensor(sizes, device=y.device)[:, None]

    def draw(generator):
        chosen = torch.rand(len(y), batch, generator=generator, device=y.device, dtype=torch.float64) * largest
        return y.take_along_dim(chosen.long()[:, :, None], 1)

    about = about | {"sizes": sizes, "batch": batch}
    return train(sae, draw, steps, "saes-encoding", about, STREAM, lr, cosine=True).model


def random_sae(sae: TopKSAE, seed: int = 0) -> TopKSAE:
    """Untrained SAEs of the same shape."""
    models, units, latents = sae.encoder.shape
    return TopKSAE(units, latents, sae.k, [OTHER_SEEDS + seed + p for p in range(models)], device=sae.encoder.device)


def codes(sae: TopKSAE, y: torch.Tensor, seed: int = 0) -> dict[str, torch.Tensor]:
    """What a brain is predicted from, for `y: (P, images, units)`: neurons, latents, and latents of a random SAE."""
    return {"neurons": y, "latents": sae.latents(y), "random": random_sae(sae, seed).latents(y)}


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
