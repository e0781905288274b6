"""Pairs of networks: their responses at a layer, sparse codes of these, and the scores of all pairings of the two.

Responses are `(P, stimuli, units)`; networks 2i and 2i + 1 are pair i, called a and b.
"""

from collections.abc import Callable, Iterable, Sequence
from hashlib import sha256
from pathlib import Path

import numpy as np
import torch
from torch import nn

from lib.alignment import Alignment, align_pairs, seed_pairs
from lib.extraction import extract
from lib.images import Images, open_images
from lib.moments import FoldMoments, stream_moments
from lib.parameters import ROOT
from lib.regression import ols_held_out
from lib.sae import TopKSAE
from lib.vision import Network, activations, load_network

PAIRINGS = ("nn", "ss", "rs", "sn", "rn")  # of a and b: n neurons, s latents of an SAE, r of a random SAE
PART = 2500  # stimuli held as codes at a time


def responses(
    networks: Iterable[nn.Module], images: torch.Tensor, sites: dict[str, tuple[str, str]]
) -> dict[str, torch.Tensor]:
    """Responses of networks of one architecture to `images`; `sites` as in `lib.vision.activations`."""
    parts = images.split(PART)
    nets = [Network(type(module).__name__, module.eval(), None) for module in networks]
    found = [[activations(net, part, sites) for part in parts] for net in nets]
    return {site: torch.stack([torch.cat([part[site] for part in one]) for one in found]) for site in sites}


def centre_and_scale(y: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Mean of each unit `(P, 1, units)`, and root of the summed variance of all units `(P, 1, 1)`."""
    centre = y.mean(1, keepdim=True)
    return centre, (y - centre).square().sum(2, keepdim=True).mean(1, keepdim=True).sqrt()


def participation_ratio(eigenvalues: torch.Tensor) -> torch.Tensor:
    """How many dimensions responses use, from the eigenvalues l of their covariance, `(..., units)`; `(...)`.

        d = (sum_i l_i)^2 / sum_i l_i^2

    From 1, if one direction holds all variance, to the number of units, if all directions hold the same.
    """
    return eigenvalues.sum(-1) ** 2 / eigenvalues.square().sum(-1)


@torch.no_grad()
def explained_variance(sae: TopKSAE, y: torch.Tensor) -> torch.Tensor:
    """Share of the variance of responses that the SAEs' reconstructions explain; `(P,)`."""
    squared, total = torch.zeros(2, len(y), dtype=torch.float64)
    mean = y.mean(1, keepdim=True)
    for part in y.split(PART, 1):
        error = part - torch.baddbmm(sae.decoder_bias, sae.encode(part), sae.decoder)
        squared += error.double().square().sum((1, 2)).cpu()
        total += (part - mean).double().square().sum((1, 2)).cpu()
    return 1 - squared / total


def pair_moments(
    y: torch.Tensor, sae: TopKSAE, control: TopKSAE, ab: str, truth: torch.Tensor | None = None
) -> list[FoldMoments]:
    """Moments of each pair's populations `ab`, as `ns` for neurons of a and latents of b, without silent latents.

    They are called `n_a`, `s_b` and so on. The letter f stands for the known features, `truth: (stimuli, features)`.
    """
    wanted = [f"{letter}_{side}" for letter, side in zip(ab, "ab", strict=True)]
    codes = {"n": lambda x: x, "s": sae.latents, "r": control.latents}
    parts = max(5, 5 * round(y.shape[1] / PART / 5))

    def batches():
        for start in range(parts):  # interleaved, since stimuli may be sorted
            part = y[:, start::parts]
            named = seed_pairs(**{letter: codes[letter](part) for letter in {*ab} - {"f"}})
            if truth is not None:
                named |= {f"f_{side}": truth[start::parts].to(y.dtype) for side in "ab"}
            yield {name: named[name] for name in wanted}

    moments = stream_moments(batches())
    coded = [name for name in wanted if name[0] in "sr"]
    return [moments[i].without_silent(*coded) for i in range(len(y) // 2)]


def pairing_scores(y: torch.Tensor, sae: TopKSAE, control: TopKSAE) -> dict[str, Alignment]:
    """Every score of every pairing, tensors `(pairs,)`: `["sn"].ridge_ab` predicts neurons of b from latents of a.

    `control` is the random SAE. [Longon et al. 2025, sections 5 and 6]
    """
    return {ab: align_pairs(pair_moments(y, sae, control, ab), f"{ab[0]}_a", f"{ab[1]}_b") for ab in PAIRINGS}


def stored_responses(name: str, layers: list[str], images: str | Images, device: str, seed: int) -> list[np.memmap]:
    """Responses of the network called `name` to all `images` at `layers`, written `layer:position`; one file each.

    `images` are opened, or a name as `open_images` takes it. The responses are kept in build/activations. Raises
    ValueError as `lib.vision`, `lib.images` and `lib.extraction` do.
    """
    for layer in layers:
        if ":" not in layer:
            raise ValueError(f"layer {layer!r} lacks its position: write {layer}:cls, :centre, :pool or :flat")
    sites = {f"site{i}": tuple(layer.rsplit(":", 1)) for i, layer in enumerate(layers)}
    network = load_network(name, device, seed)
    about, opened = images, images
    if isinstance(images, str):
        opened = open_images(images, network.transform)
    else:
        about = images.names, sha256(images.read(0).tobytes()).hexdigest()
        opened = Images(images.names, images.labels, images.read, network.transform, images.state)
    digest = sha256(repr((name, seed, layers, about, opened.state)).encode())
    for weights in network.module.state_dict().values():  # the book's own networks may be trained anew
        digest.update(weights.cpu().contiguous().numpy().tobytes())
    folder = Path(ROOT, "build", "activations", digest.hexdigest()[:12])
    return list(extract(network, opened, sites, folder).values())


def stacked(files: list[np.memmap], step: int = 1) -> torch.Tensor:
    """Every `step`-th stored response of each network, in memory; `(P, stimuli, units)`."""
    return torch.stack([torch.from_numpy(file[::step].copy()) for file in files])


def stored_batches(files: list[np.memmap], centre: torch.Tensor, scale: torch.Tensor, size: int) -> Callable:
    """What draws `size` stored responses of each network, to the same images, less `centre` and over `scale`."""

    def draw(generator):
        chosen = torch.randint(len(files[0]), (size,), generator=generator, device=generator.device)
        rows = np.sort(chosen.cpu().numpy())  # a disk reads in order
        y = torch.stack([torch.from_numpy(file[rows]) for file in files])
        return (y.to(centre.device) - centre) / scale

    return draw


def padded(responses: Sequence[torch.Tensor]) -> torch.Tensor:
    """Systems' responses `(stimuli, units)` as one tensor `(systems, stimuli, most units)`, padded with units of 0."""
    most = max(y.shape[1] for y in responses)
    return torch.stack([nn.functional.pad(y, (0, most - y.shape[1])) for y in responses])


def joint_batches(
    y: torch.Tensor, pairs: Sequence[tuple[int, int]], size: int, order: torch.Tensor | None = None
) -> Callable:
    """What draws batches `(2 pairs, size, units)` for a `JointSAE` from responses `y: (systems, stimuli, units)`.

    Pair i is systems `pairs[i]`, and all pairs see the same stimuli. With `order`, a permutation of the stimuli, b
    answers stimulus `order[s]` where a answers `s`: the control in which nothing is shared.
    """
    systems = torch.tensor(pairs, device=y.device).flatten()[:, None]

    def draw(generator):
        chosen = torch.randint(y.shape[1], (size,), generator=generator, device=generator.device)
        other = chosen if order is None else order.to(chosen.device)[chosen]
        return y[systems, torch.stack([chosen, other]).repeat(len(pairs), 1)]

    return draw


def ols_both_ways(fit: Sequence[torch.Tensor], test: Sequence[torch.Tensor]) -> torch.Tensor:
    """Held-out OLS of systems `(a, b)`: `[0]` b from a, `[1]` a from b; `[:, 0]` the mean over units, `[:, 1]` pooled.

    Units that are constant on the test stimuli count 0 in the mean. In double precision; errors as `ols_held_out`.
    """
    (fit_a, fit_b), (test_a, test_b) = ((y.double() for y in pair) for pair in (fit, test))
    found = ols_held_out(fit_a, fit_b, test_a, test_b), ols_held_out(fit_b, fit_a, test_b, test_a)
    return torch.stack([torch.stack([one.r.mean(), one.pooled]) for one in found]).cpu()


def joint_codes(sae: TopKSAE, models: Sequence[int], y: Sequence[torch.Tensor]) -> dict[str, list[torch.Tensor]]:
    """Of two systems, by two models of an SAE: `codes`, what is `rebuilt` from them, and that `recoded`.

    `y` are the systems' responses `(stimuli, units)` themselves, not padded.
    """
    codes, rebuilt = zip(*(sae.encode_one(p, one) for p, one in zip(models, y, strict=True)), strict=True)
    recoded = [sae.encode_one(p, one)[0] for p, one in zip(models, rebuilt, strict=True)]
    return {"codes": list(codes), "rebuilt": list(rebuilt), "recoded": recoded}
