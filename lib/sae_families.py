"""Sparse autoencoders that choose their active latents otherwise than TopK: BatchTopK, Matryoshka, JumpReLU.

They start, train and score by a `Recipe` as `TopKSAE` does; `fit` trains them too. Of its fields they refuse those that
belong to the authors' TopK alone. [B] is Bussmann et al. 2024, [M] Bussmann et al. 2025, [J] Rajamanoharan et al. 2024.
P models, N units, F latents.
"""

import torch
from torch import nn

from lib.features import kth_largest
from lib.sae import Recipe, TopKSAE

BANDWIDTH = 0.02  # of responses of total variance 1, within which a JumpReLU threshold hears of latents
MEMORY = 0.99  # of BatchTopK's threshold, a step
PREFIXES = (1 / 8, 1 / 4, 1 / 2, 1)  # of a Matryoshka dictionary, that each reconstruct on their own


class ThresholdSAE(TopKSAE):
    """P autoencoders whose latents are active above a threshold; a family says how the threshold comes about.

        s = z where z > theta, else 0,   z = x E + c,   x^ = s D + d

    The loss is `_loss` and, for dead latents, the auxiliary one of `TopKSAE`, with gradients by automatic
    differentiation. Raises ValueError as `TopKSAE`, and for a recipe with `aux_printed` or `dead_after=0`.
    """

    control = TopKSAE  # what is untrained has no threshold yet: its k largest latents are as many
    threshold: torch.Tensor  # (P, 1, 1) or (P, 1, F)

    def __init__(self, units: int | list[int], recipe: Recipe, seeds: list[int], *args, **options):
        if recipe.aux_printed or not recipe.dead_after:
            raise ValueError("aux_printed and dead_after=0 are for TopK alone: leave them out of the recipe")
        super().__init__(units, recipe, seeds, *args, **options)

    def _kept(self, z, models: int | slice = slice(None)):
        return torch.where(z > self.threshold[models], z, 0)

    def backward(self, x: torch.Tensor) -> dict[str, torch.Tensor]:
        """Set the gradients for a batch `x: (P, stimuli, N)`; return loss, explained variance and dead share `(P,)`."""
        self.zero_grad()
        dead = self.dead_latents()
        with torch.enable_grad():
            z = self.preactivations(x)
            code = self._code(z)
            loss, error = self._loss(x, code)
            missed = error.detach() - (z * dead[:, None]) @ self.decoder
            loss = loss + torch.where(dead.any(1), self.recipe.aux_weight * _mean_square(missed), 0)
            loss.sum().backward()
        self.idle_steps += 1
        self.idle_steps[(code != 0).any(1)] = 0
        explained = 1 - error.detach().square().sum((1, 2)) / (x - x.mean(1, keepdim=True)).square().sum((1, 2))
        return {"loss": loss.detach(), "explained_variance": explained, "dead_latents": dead.double().mean(1)}

    def _code(self, z):
        """The codes of a training batch, from z `(P, stimuli, F)`."""
        raise NotImplementedError

    def _loss(self, x, code):
        """The loss without its auxiliary part `(P,)`, and the errors x - x^."""
        error = x - torch.baddbmm(self.decoder_bias, code, self.decoder)
        return _mean_square(error), error


class BatchTopKSAE(ThresholdSAE):
    """The k M largest of all latents of the M stimuli of a batch are active: some stimuli use more, others fewer.

    Scores must not depend on a batch: there theta is a running mean of each batch's smallest active value. [B]
    """

    def __init__(self, *args, **options):
        super().__init__(*args, **options)
        self.register_buffer("threshold", self.encoder.new_full((len(self.seeds), 1, 1), torch.nan))

    def _code(self, z):
        z = z.relu()
        least = kth_largest(z.detach().flatten(1), min(self.recipe.k * z.shape[1], z[0].numel()))[..., None]
        code = torch.where((z >= least) & (z > 0), z, 0)
        with torch.no_grad():
            smallest = torch.where(code > 0, code, torch.inf).amin((1, 2), keepdim=True).nan_to_num(posinf=0.0)
            running = torch.lerp(smallest, self.threshold, MEMORY)
            self.threshold.copy_(torch.where(self.threshold.isnan(), smallest, running))
        return code


class MatryoshkaSAE(BatchTopKSAE):
    """BatchTopK whose first latents must reconstruct on their own, so that general features come first.

        L = mean over prefixes f of |x - s_{1..f} D_{1..f} - d|^2

    with f an eighth, a quarter, a half and all of the latents. [M]
    """

    def _loss(self, x, code):
        losses, rebuilt, start = [], self.decoder_bias, 0
        for end in sorted({max(1, round(share * self.recipe.latents)) for share in PREFIXES}):
            rebuilt = rebuilt + code[..., start:end] @ self.decoder[:, start:end]
            losses.append(_mean_square(x - rebuilt))
            start = end
        return torch.stack(losses).mean(0), x - rebuilt


class JumpReLUSAE(ThresholdSAE):
    """Each latent learns a threshold of its own, and as many latents as k are to be active on average.

        L = |x - x^|^2 + (L0 / k - 1)^2,   L0 the mean number of active latents

    The thresholds' gradient is estimated from latents within half of `BANDWIDTH` of them. [J, section 3]; a target in
    place of a price on L0 as in the library dictionary_learning.
    """

    def __init__(self, *args, **options):
        super().__init__(*args, **options)
        self.threshold = nn.Parameter(torch.full_like(self.encoder_bias, BANDWIDTH))

    def _code(self, z):
        code, active = _Jump.apply(z, self.threshold)
        self._active = active.sum((1, 2)) / z.shape[1]
        return code

    def _loss(self, x, code):
        loss, error = super()._loss(x, code)
        return loss + (self._active / self.recipe.k - 1) ** 2, error

    @torch.no_grad()
    def constrain(self) -> None:
        """As `TopKSAE`, and no threshold below 0."""
        super().constrain()
        self.threshold.clamp_(min=0)


class _Jump(torch.autograd.Function):
    """z where it exceeds theta, and whether it does; [J]'s estimate of the gradient in theta."""

    @staticmethod
    def forward(ctx, z, theta):
        active = z > theta
        ctx.save_for_backward(active, (z - theta).abs() < BANDWIDTH / 2, theta)
        return z * active, active.to(z.dtype)

    @staticmethod
    def backward(ctx, by_value, by_active):
        active, near, theta = ctx.saved_tensors
        of_theta = near * (theta * by_value + by_active) / -BANDWIDTH
        return by_value * active, of_theta.sum(1, keepdim=True)


FAMILIES = {"topk": TopKSAE, "batchtopk": BatchTopKSAE, "matryoshka": MatryoshkaSAE, "jumprelu": JumpReLUSAE}


def _mean_square(error):
    return error.square().sum((1, 2)) / error.shape[1]
