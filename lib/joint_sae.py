"""Sparse autoencoders of two systems that share their latents.

[B] is Liu et al. 2026, section 7. P models, N units, F latents.
"""

from collections.abc import Callable, Sequence

import torch
from torch.nn.functional import pad

from lib.sae import Recipe, TopKSAE, grad


class JointSAE(TopKSAE):
    """Pairs of sparse autoencoders that share their latents; models 2i and 2i + 1 are pair i, called a and b.

        L = mean over stimuli of sum over i, j in {a, b} of |y_j - d_j - TopK(y_i E_i + c_i) D_j|^2

    So latent l means the same in both: whichever encoder makes it active, row l of both decoders adds to what is
    reconstructed. Batches hold a pair's responses to the same stimuli. The arguments are those of `TopKSAE`; each
    encoder's dead latents learn as there, from the error of its own system. `backward` gives as the loss of a model
    the two terms in which it encodes. Raises ValueError as `TopKSAE` does and unless the seeds are pairs.
    [B, section 7, appendix G]
    """

    def __init__(self, units: int | list[int], recipe: Recipe, seeds: list[int], *args, **options):
        if len(seeds) % 2:
            raise ValueError(f"{len(seeds)} seeds are no pairs: give one for each of the two systems of a pair")
        super().__init__(units, recipe, seeds, *args, **options)

    def _decode(self, x, code):
        error, gradient, loss = super()._decode(x, code)
        x, decoder = swap_pairs(x), swap_pairs(self.decoder)
        missed = x - (code.decode(decoder) + swap_pairs(self.decoder_bias))
        pull = -2 / x.shape[1] * missed
        grad(self.decoder).add_(swap_pairs(code.decoder_gradient(pull)))
        grad(self.decoder_bias).add_(swap_pairs(pull.sum(1, keepdim=True)))
        gradient += code.sampled_product(pull, decoder)
        return error, gradient, loss + missed.square().sum((1, 2)) / x.shape[1]


def swap_pairs(x: torch.Tensor) -> torch.Tensor:
    """Entries 2i and 2i + 1 of the first dimension in each other's place."""
    return x.unflatten(0, (-1, 2)).flip(1).flatten(0, 1)


def padded(responses: Sequence[torch.Tensor]) -> torch.Tensor:
    """Systems' responses `(stimuli, units)` as one tensor `(systems, stimuli, most units)`, padded with units of 0."""
    most = max(y.shape[1] for y in responses)
    return torch.stack([pad(y, (0, most - y.shape[1])) for y in responses])


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


def joint_codes(sae: TopKSAE, models: Sequence[int], y: Sequence[torch.Tensor]) -> dict[str, list[torch.Tensor]]:
    """Of two systems, by two models of an SAE: `codes`, what is `rebuilt` from them, and that `recoded`.

    `y` are the systems' responses `(stimuli, units)` themselves, not padded.
    """
    codes, rebuilt = zip(*(sae.encode_one(p, one) for p, one in zip(models, y, strict=True)), strict=True)
    recoded = [sae.encode_one(p, one)[0] for p, one in zip(models, rebuilt, strict=True)]
    return {"codes": list(codes), "rebuilt": list(rebuilt), "recoded": recoded}
