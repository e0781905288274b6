"""TopK sparse autoencoders, many trained as one batched program.

[A] is Longon et al. 2025, appendix A.2, after Gao et al. 2025; [B] is Liu et al. 2026. P models, N units, F latents.
"""

from collections.abc import Callable, Sequence

import torch
from torch import nn
from torch.nn.functional import normalize

from lib.checks import check_sparsity
from lib.codes import topk_code
from lib.features import kth_largest, seeded
from lib.training import Trainable, Training, train

STREAM = 2**31 + 1  # seed of the responses: other stimuli than those the networks were trained on


class TopKSAE(Trainable):
    """P sparse autoencoders: only the k largest latents of each stimulus are kept, and decoded.

        z = TopK(x E + c),   x^ = z D + d

    with x `(P, stimuli, N)`, E `(P, N, F)`, D `(P, F, N)` and biases c `(P, 1, F)`, d `(P, 1, N)`. Latents that were 0
    for `dead_after` steps on end are dead and learn through the auxiliary loss alone.

    `start`: `tied`, rows of D random directions, E the transpose of D; `untied`, E other random directions; `gaussian`,
    all weights N(0, 1). The biases start at 0, and there is one generator for each seed. `units` may differ between
    models: then the smaller ones are padded with units that answer 0, whose weights are 0 and stay so. `unit_norm`
    keeps the rows of D at length 1, `pre_bias` encodes x - d in place of x.

    Raises ValueError unless 1 <= k <= latents, and on an unknown start.
    """

    def __init__(
        self, units: int | list[int], latents: int, k: int, seeds: list[int], aux_weight: float = 0.1,
        dead_after: int = 1, start: str = "tied", unit_norm: bool = False, pre_bias: bool = False,
        device: str | torch.device = "cpu", dtype=None,
    ):  # fmt: skip
        super().__init__()
        check_sparsity(latents, k)
        if start not in ("tied", "untied", "gaussian"):
            raise ValueError(f"start {start!r} is unknown: choose tied, untied or gaussian")
        self.k, self.aux_weight, self.dead_after = k, aux_weight, dead_after
        self.unit_norm, self.pre_bias = unit_norm, pre_bias
        options = {"device": device, "dtype": dtype or torch.float32}
        drawn = random_rows(units, latents, seeds, draws=2)  # (2, P, latents, units)
        if start != "gaussian":
            drawn = normalize(drawn, dim=-1)
        decoder, other = drawn.to(**options)
        encoder = decoder if start == "tied" else other
        self.decoder = nn.Parameter(decoder.clone())  # a view would keep both draws, in checkpoints too
        self.encoder = nn.Parameter(encoder.mT.clone(memory_format=torch.contiguous_format))
        self.encoder_bias = nn.Parameter(torch.zeros(len(seeds), 1, latents, **options))
        self.decoder_bias = nn.Parameter(torch.zeros(len(seeds), 1, decoder.shape[-1], **options))
        self.idle_steps: torch.Tensor
        self.register_buffer("idle_steps", torch.zeros(len(seeds), latents, dtype=torch.int64, device=device))

    def preactivations(self, x: torch.Tensor) -> torch.Tensor:
        """x E + c, or (x - d) E + c with `pre_bias`; `(P, stimuli, F)`."""
        return torch.baddbmm(self.encoder_bias, x - self.decoder_bias if self.pre_bias else x, self.encoder)

    @torch.no_grad()
    def encode(self, x: torch.Tensor) -> torch.Tensor:
        """The codes TopK(x E + c) of responses `(P, stimuli, N)`; `(P, stimuli, F)`."""
        return keep_largest(self.preactivations(x), self.k)

    @torch.no_grad()
    def encode_one(self, p: int, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Codes `(stimuli, F)` and reconstructions of the responses `x: (stimuli, units)` of model p, not padded."""
        units = x.shape[-1]
        bias, decoder = self.decoder_bias[p, :, :units], self.decoder[p, :, :units]
        code = keep_largest((x - bias if self.pre_bias else x) @ self.encoder[p, :units] + self.encoder_bias[p], self.k)
        return code, code @ decoder + bias

    def latents(self, x: torch.Tensor) -> torch.Tensor:
        """The codes as [A, section 4.1] scores them: TopK, then ReLU; `(P, stimuli, F)`."""
        return self.encode(x).relu_()

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
        code = topk_code(z, self.k)
        error, gradient, loss = self._decode(x, code)
        seen = x - self.decoder_bias if self.pre_bias else x
        self.encoder.grad = code.encoder_gradient(seen, gradient)
        self.encoder_bias.grad = code.sums(gradient)[:, None]
        explained = 1 - error.square().sum((1, 2)) / (x - x.mean(1, keepdim=True)).square().sum((1, 2))
        dead = self.dead_latents()
        for p in dead.any(1).nonzero()[:, 0]:
            loss[p] += self._revive(p, dead[p], z[p], seen[p], error[p])
        if self.pre_bias:
            grad(self.decoder_bias).sub_(grad(self.encoder_bias) @ self.encoder.mT)

        self.idle_steps += 1
        self.idle_steps[code.used()] = 0
        return {"loss": loss, "explained_variance": explained, "dead_latents": dead.double().mean(1)}

    def _decode(self, x, code):
        """Set the decoder's gradients; return the errors x - x^, the gradient of the code and the loss `(P,)`."""
        error = x - (code.decode(self.decoder) + self.decoder_bias)
        scale = -2 / x.shape[1]
        self.decoder.grad = scale * code.decoder_gradient(error)
        self.decoder_bias.grad = scale * error.sum(1, keepdim=True)
        return error, scale * code.sampled_product(error, self.decoder), error.square().sum((1, 2)) / x.shape[1]

    def _revive(self, p, dead, z, seen, error):
        """Add the gradients of the auxiliary loss of model p, whose dead latents alone they move; return that loss."""
        code, decoder = z[:, dead], self.decoder[p, dead]
        missed = error - code @ decoder
        gradient = -2 * self.aux_weight / len(z) * missed
        grad(self.decoder)[p, dead] += code.mT @ gradient
        gradient = gradient @ decoder.mT
        grad(self.encoder)[p, :, dead] += seen.mT @ gradient
        grad(self.encoder_bias)[p, 0, dead] += gradient.sum(0)
        return self.aux_weight * missed.square().sum() / len(z)

    @torch.no_grad()
    def constrain(self) -> None:
        """Bring the rows of D back to length 1 after a step, if `unit_norm` asks for it."""
        if self.unit_norm:
            self.decoder.copy_(normalize(self.decoder, dim=-1))


class JointSAE(TopKSAE):
    """Pairs of sparse autoencoders that share their latents; models 2i and 2i + 1 are pair i, called a and b.

        L = mean over stimuli of sum over i, j in {a, b} of |y_j - d_j - TopK(y_i E_i + c_i) D_j|^2

    So latent l means the same in both: whichever encoder makes it active, row l of both decoders adds to what is
    reconstructed. Batches hold a pair's responses to the same stimuli. The arguments are those of `TopKSAE`; each
    encoder's dead latents learn as there, from the error of its own system. `backward` gives as the loss of a model
    the two terms in which it encodes. Raises ValueError as `TopKSAE` does and unless the seeds are pairs.
    [B, section 7, appendix G]
    """

    def __init__(self, units: int | list[int], latents: int, k: int, seeds: list[int], *args, **options):
        if len(seeds) % 2:
            raise ValueError(f"{len(seeds)} seeds are no pairs: give one for each of the two systems of a pair")
        super().__init__(units, latents, k, seeds, *args, **options)

    def _decode(self, x, code):
        error, gradient, loss = super()._decode(x, code)
        x, decoder = swap_pairs(x), swap_pairs(self.decoder)
        missed = x - (code.decode(decoder) + swap_pairs(self.decoder_bias))
        scale = -2 / x.shape[1]
        grad(self.decoder).add_(swap_pairs(scale * code.decoder_gradient(missed)))
        grad(self.decoder_bias).add_(swap_pairs(scale * missed.sum(1, keepdim=True)))
        gradient += scale * code.sampled_product(missed, decoder)
        return error, gradient, loss + missed.square().sum((1, 2)) / x.shape[1]


def grad(parameter: nn.Parameter) -> torch.Tensor:
    """The gradient of a parameter that has been set."""
    assert parameter.grad is not None
    return parameter.grad


def swap_pairs(x: torch.Tensor) -> torch.Tensor:
    """Entries 2i and 2i + 1 of the first dimension in each other's place."""
    return x.unflatten(0, (-1, 2)).flip(1).flatten(0, 1)


class SupervisedSAE(Trainable):
    """P systems that learn their own superposition of n features, each with the encoder that undoes it.

        y = z W,   z^ = TopK(y V + b),   L = mean over stimuli of |z - z^|^2

    with W `(P, n, m)`, V `(P, m, n)`, b `(P, 1, n)`. TopK has no gradient where it drops a latent. `gradient` says what
    takes its place: `identity` passes it on to all latents, `selected` only to those kept. (To pass it on to those kept
    and to the truly active ones is the same as `identity`, since z^ - z is 0 at all others.)

    `start`: `tied`, W at N(0, 1/m) and V its transpose; `gaussian`, W, V and b at N(0, 1). Units that differ between
    models are padded as in `TopKSAE`. Raises ValueError on bad sizes and unknown words. [B, section 5, appendix E]
    """

    def __init__(
        self, units: int | list[int], n: int, k: int, seeds: list[int], gradient: str = "identity",
        start: str = "tied", device: str | torch.device = "cpu", dtype=None,
    ):  # fmt: skip
        super().__init__()
        check_sparsity(n, k)
        if gradient not in ("identity", "selected"):
            raise ValueError(f"gradient {gradient!r} is unknown: choose identity or selected")
        if start not in ("tied", "gaussian"):
            raise ValueError(f"start {start!r} is unknown: choose tied or gaussian")
        self.k, self.gradient = k, gradient
        options = {"device": device, "dtype": dtype or torch.float32}
        weight, other = random_rows(units, n, seeds, draws=2)
        bias = torch.zeros(len(seeds), 1, n)
        if start == "tied":
            sizes = torch.tensor([units] * len(seeds) if isinstance(units, int) else units)
            weight = other = weight / sizes[:, None, None] ** 0.5
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


def random_rows(units: int | list[int], rows: int, seeds: list[int], draws: int) -> torch.Tensor:
    """Gaussian matrices `(draws, P, rows, largest units)` in double precision, one generator for each seed.

    Smaller models are padded with zeros on the right. Raises ValueError unless there are as many sizes as seeds, all
    of them 1 or more.
    """
    sizes = [units] * len(seeds) if isinstance(units, int) else units
    if len(sizes) != len(seeds):
        raise ValueError(f"{len(sizes)} numbers of units and {len(seeds)} seeds: give one of each for a model")
    if min(sizes, default=0) < 1:
        raise ValueError(f"units {sizes}: give one model or more, each with at least one unit")
    models = []
    for size, seed in zip(sizes, seeds, strict=True):
        drawn = torch.randn(draws, rows, size, generator=seeded(seed), dtype=torch.float64)
        models.append(nn.functional.pad(drawn, (0, max(sizes) - size)))
    return torch.stack(models, 1)


def train_saes(
    draw: Callable, units: int, latents: int, k: int, seeds: list[int], steps: int,
    device: str | torch.device = "cpu",
) -> Training:  # fmt: skip
    """SAEs trained on `steps` batches `draw(generator): (P, stimuli, units)`, with the settings of the toy models.

    Finished SAEs are kept in build/trained and found again. The SAEs are `.model` of what
    is returned; its `.history` holds loss, explained variance and share of dead latents. [A, appendix A.2]
    """
    model = TopKSAE(units, latents, k, seeds, device=device)
    return train(model, draw, steps, f"saes-{units}-{latents}-{k}", seed=STREAM)


def keep_largest(z: torch.Tensor, k: int) -> torch.Tensor:
    """TopK: the k largest entries of each row stay, the others become 0."""
    return torch.where(z >= kth_largest(z, k), z, 0)


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


def joint_codes(sae: TopKSAE, models: Sequence[int], y: Sequence[torch.Tensor]) -> dict[str, list[torch.Tensor]]:
    """Of two systems, by two models of an SAE: `codes`, what is `rebuilt` from them, and that `recoded`.

    `y` are the systems' responses `(stimuli, units)` themselves, not padded.
    """
    codes, rebuilt = zip(*(sae.encode_one(p, one) for p, one in zip(models, y, strict=True)), strict=True)
    recoded = [sae.encode_one(p, one)[0] for p, one in zip(models, rebuilt, strict=True)]
    return {"codes": list(codes), "rebuilt": list(rebuilt), "recoded": recoded}
