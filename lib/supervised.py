"""Systems that learn their superposition together with the encoder that undoes it.

[B] is Liu et al. 2026, section 5. P models, n features, m units.
"""

from typing import Any

import torch
from torch import nn

from lib.checks import check_sparsity
from lib.features import seeded
from lib.sae import keep_largest, random_rows
from lib.training import Trainable


class SupervisedSAE(Trainable):
    """P systems that learn their own superposition of n features, each with the encoder that undoes it.

        y = z W,   z^ = TopK(y V + b),   L = mean over stimuli of |z - z^|^2

    with W `(P, n, m)`, V `(P, m, n)`, b `(P, 1, n)`. TopK has no gradient where it drops a latent. `gradient` says what
    takes its place: `identity` passes it on to all latents, `selected` only to those kept. (To pass it on to those kept
    and to the truly active ones is the same as `identity`, since z^ - z is 0 at all others.)

    `start`: `tied`, W at N(0, 1/m) and V its transpose; `gaussian`, W, V and b at N(0, 1). Units that differ between
    models are padded as in `TopKSAE`; `options` are device and dtype. Raises ValueError on bad sizes and unknown words.
    [B, section 5, appendix E]
    """

    def __init__(
        self,
        units: int | list[int],
        n: int,
        k: int,
        seeds: list[int],
        gradient: str = "identity",
        start: str = "tied",
        **options: Any,
    ):
        super().__init__()
        check_sparsity(n, k)
        if gradient not in ("identity", "selected"):
            raise ValueError(f"gradient {gradient!r} is unknown: choose identity or selected")
        if start not in ("tied", "gaussian"):
            raise ValueError(f"start {start!r} is unknown: choose tied or gaussian")
        self.k, self.gradient = k, gradient
        options = {"dtype": torch.float32} | options
        sizes = [units] * len(seeds) if isinstance(units, int) else units
        weight, other = random_rows(sizes, n, seeds, draws=2)
        bias = torch.zeros(len(seeds), 1, n)
        if start == "tied":
            weight = other = weight / torch.tensor(sizes)[:, None, None] ** 0.5
        else:
            bias = torch.stack([torch.randn(1, n, generator=seeded(2**30 + seed)) for seed in seeds])
        self.weight = nn.Parameter(weight.to(**options))
        self.encoder = nn.Parameter(other.mT.to(**options).clone(memory_format=torch.contiguous_format))
        self.encoder_bias = nn.Parameter(bias.to(**options))

    @torch.no_grad()
    def responses(self, z: torch.Tensor) -> torch.Tensor:
        """The systems' responses y `(P, stimuli, m)` to features `z: (stimuli, n)`."""
        return z @ self.weight

    @torch.no_grad()
    def encode(self, y: torch.Tensor) -> torch.Tensor:
        """The reconstructed features z^ `(P, stimuli, n)` from responses `(P, stimuli, m)`."""
        return keep_largest(torch.baddbmm(self.encoder_bias, y, self.encoder), self.k)

    @torch.no_grad()
    def backward(self, z: torch.Tensor) -> dict[str, torch.Tensor]:
        """Set the gradients for a batch `z: (stimuli, n)` and return loss and explained variance `(P,)`."""
        y = self.responses(z)
        code = self.encode(y)
        gradient = code - z
        squared = gradient.square().sum((1, 2))
        gradient *= 2 / len(z)
        if self.gradient == "selected":
            gradient *= code != 0
        self.encoder.grad = y.mT @ gradient
        self.encoder_bias.grad = gradient.sum(1, keepdim=True)
        self.weight.grad = z.mT @ (gradient @ self.encoder.mT)
        variance = (z - z.mean(0)).square().sum()
        return {"loss": squared / len(z), "explained_variance": 1 - squared / variance}
