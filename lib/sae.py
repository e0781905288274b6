"""TopK sparse autoencoders, many trained as one batched program.

[A] is Longon et al. 2025, appendix A.2, after Gao et al. 2025. P models, N units, F latents.
"""

from collections.abc import Callable

import numpy as np
import torch
from torch import nn

from lib.features import seeded
from lib.training import Training, train

STREAM = 2**31 + 1  # seed of the responses: other stimuli than those the networks were trained on


class TopKSAE(nn.Module):
    """P sparse autoencoders: only the k largest latents of each stimulus are kept, and decoded.

        z = TopK(x E + c),   x^ = z D + d

    with x `(P, stimuli, N)`, E `(P, N, F)`, D `(P, F, N)` and biases c `(P, 1, F)`, d `(P, 1, N)`. The rows of D start
    as random directions, E as the transpose of D, the biases at 0; one generator for each seed. Latents that were 0
    for `dead_after` steps on end are dead and learn through the auxiliary loss alone.

    Raises ValueError unless 1 <= k <= latents.
    """

    def __init__(
        self, units: int, latents: int, k: int, seeds: list[int], aux_weight: float = 0.1, dead_after: int = 1,
        device="cpu", dtype=None,
    ):  # fmt: skip
        super().__init__()
        if not 1 <= k <= latents:
            raise ValueError(f"k = {k} of {latents} latents: choose 1 <= k <= latents")
        self.k, self.aux_weight, self.dead_after = k, aux_weight, dead_after
        options = {"device": device, "dtype": dtype or torch.float32}
        start = [torch.randn(latents, units, generator=seeded(seed), dtype=torch.float64) for seed in seeds]
        decoder = nn.functional.normalize(torch.stack(start), dim=-1).to(**options)
        self.decoder = nn.Parameter(decoder)
        self.encoder = nn.Parameter(decoder.mT.clone(memory_format=torch.contiguous_format))
        self.encoder_bias = nn.Parameter(torch.zeros(len(seeds), 1, latents, **options))
        self.decoder_bias = nn.Parameter(torch.zeros(len(seeds), 1, units, **options))
        self.register_buffer("idle_steps", torch.zeros(len(seeds), latents, dtype=torch.int64, device=device))

    def preactivations(self, x: torch.Tensor) -> torch.Tensor:
        """x E + c, `(P, stimuli, F)`."""
        return torch.baddbmm(self.encoder_bias, x, self.encoder)

    @torch.no_grad()
    def latents(self, x: torch.Tensor) -> torch.Tensor:
        """The codes that are scored: TopK, then ReLU; `(P, stimuli, F)`. [A, section 4.1]"""
        z = self.preactivations(x)
        return torch.where(z >= kth_largest(z, self.k), z, 0).relu_()

    def dead_latents(self) -> torch.Tensor:
        """Latents that have been 0 for `dead_after` steps or more; boolean `(P, F)`."""
        return self.idle_steps >= self.dead_after

    @torch.no_grad()
    def backward(self, x: torch.Tensor) -> dict[str, torch.Tensor]:
        """Set the gradients for a batch `x: (P, stimuli, N)` and return loss, explained variance and dead share `(P,)`.

            L = mean |e|^2 + aux_weight mean |e - z_dead D|^2,   e = x - x^

        z_dead holds the dead latents' values before TopK, and e is held fixed in the second term, which is absent
        while a model has no dead latents. [A] prints that term with the bias d added to z_dead D; x^ contains it
        already, so it is left out, as by Gao et al.
        """
        z = self.preactivations(x)
        selected = torch.ge(z, kth_largest(z, self.k), out=torch.empty_like(z))
        code = z * selected
        error = x - torch.baddbmm(self.decoder_bias, code, self.decoder)
        scale = -2 / x.shape[1]
        self.decoder.grad = scale * (code.mT @ error)
        self.decoder_bias.grad = scale * error.sum(1, keepdim=True)
        gradient = (error @ self.decoder.mT).mul_(selected)  # of z, scaled at the end

        squared = error.square().sum((1, 2))
        loss = squared / x.shape[1]
        dead = self.dead_latents().to(z.dtype)
        if dead.any():
            code_dead = z * dead[:, None]
            missed = error - code_dead @ self.decoder
            loss = loss + self.aux_weight * missed.square().sum((1, 2)) / x.shape[1] * dead.any(1)
            self.decoder.grad += scale * self.aux_weight * (code_dead.mT @ missed)
            gradient += self.aux_weight * (missed @ self.decoder.mT).mul_(dead[:, None])
        gradient *= scale
        self.encoder.grad = x.mT @ gradient
        self.encoder_bias.grad = gradient.sum(1, keepdim=True)

        self.idle_steps += 1
        self.idle_steps[code.norm(dim=1) > 0] = 0
        variance = (x - x.mean(1, keepdim=True)).square().sum((1, 2))
        return {"loss": loss, "explained_variance": 1 - squared / variance, "dead_latents": dead.mean(1)}


def train_saes(
    draw: Callable, about: dict, units: int, latents: int, k: int, seeds: list[int], steps: int,
    device: str | torch.device = "cpu",
) -> Training:  # fmt: skip
    """SAEs trained on `steps` batches `draw(generator): (P, stimuli, units)`, with the settings of the toy models.

    `about` says what is drawn. Finished SAEs are kept in build/trained and found again. The SAEs are `.model` of what
    is returned; its `.history` holds loss, explained variance and share of dead latents. [A, appendix A.2]
    """
    model = TopKSAE(units, latents, k, seeds, device=device)
    return train(model, draw, steps, f"saes-{units}-{latents}-{k}", {"draw": about, "k": k}, seed=STREAM)


def kth_largest(z: torch.Tensor, k: int) -> torch.Tensor:
    """The k-th largest entry of each row, `(..., 1)`: TopK keeps what is at least as large, all of a tie.

    On a CPU NumPy's vectorised partition takes a ninth of the time of `torch.topk`.
    """
    if z.device.type != "cpu":
        return z.topk(k, sorted=True).values[..., -1:]
    place = z.shape[-1] - k
    return torch.from_numpy(np.partition(z.detach().numpy(), place, axis=-1)[..., place : place + 1])
