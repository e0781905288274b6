"""TopK sparse autoencoders, many trained as one batched program.

[A] is Longon et al. 2025, appendix A.2, after Gao et al. 2025; [B] is Liu et al. 2026. P models, N units, F latents.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TypeVar

import torch
from torch import nn
from torch.nn.functional import normalize, pad

from lib.checks import check_sparsity
from lib.codes import topk_code
from lib.features import kth_largest, seeded
from lib.training import Trainable, Training, train

STREAM = 2**31 + 1  # seed of the responses: other stimuli than those the networks were trained on
PART = 2500  # stimuli held as codes at a time
STARTS = ("tied", "untied", "gaussian", "xavier", "kaiming")


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """What SAEs are and how they are trained. Where nothing is said it is done as for the toy models [A, A.2].

    `start`: `tied`, rows of D random directions, E the transpose of D; `untied`, E other random directions; `gaussian`,
    all weights N(0, 1); `xavier`, all weights N(0, 2/(N + F)); `kaiming`, D uniform within sqrt(6/N) of 0, E within
    sqrt(6/F). The biases start at 0. For encoders that start at responses see `start_at`.

    Raises ValueError unless 1 <= k <= latents, and on an unknown start.
    """

    latents: int
    k: int  # active at a time
    steps: int = 0
    start: str = "tied"
    unit_norm: bool = False  # keep the rows of D at length 1
    pre_bias: bool = False  # encode x - d in place of x
    rectify: bool = False  # ReLU before TopK
    aux_weight: float = 0.1  # of the loss by which dead latents learn
    aux_printed: bool = False  # that loss as [A] prints it: with the bias d, and nothing in it held fixed
    dead_after: int = 1  # steps without a stimulus for which a latent was active; 0, silent in the present batch
    lr: float = 1e-3
    cosine: bool = False  # let the rate fall to 0 along a half cosine
    weight_decay: float = 0.0
    batch: int = 1024  # stimuli

    def __post_init__(self):
        check_sparsity(self.latents, self.k)
        if self.start not in STARTS:
            raise ValueError(f"start {self.start!r} is unknown: choose {', '.join(STARTS)}")

    @classmethod
    def ours(cls, **settings) -> "Recipe":
        """For short trainings, ours: a rate that falls to 0, and dead latents that learn with a small weight."""
        return cls(**{"aux_weight": 1 / 32, "dead_after": 50, "lr": 0.01, "cosine": True, "batch": 512} | settings)

    @classmethod
    def authors(cls, **settings) -> "Recipe":
        """What the public code of [A] trains on its toy models, at every N; settings where the text has none.

        Source: github.com/cest-andre/align-interp, toy_models.py at b589eb7 (2025-09-16).
        """
        learning = {"weight_decay": 0.01, "aux_weight": 0.1, "aux_printed": True, "dead_after": 0}
        return cls(**{"k": 7, "start": "xavier", "rectify": True} | learning | settings)

    @classmethod
    def of_networks(cls, **settings) -> "Recipe":
        """What [A, sections 5 and 6] trains on responses of networks, each stimulus's layer-normalised before.

        Text and public code agree in rate, batch, weight and steps of dead latents; start, ReLU and the auxiliary loss
        as printed are the code's, as is one seed for all SAEs. k and F differ from layer to layer. Not followed: Adam's
        eps of 6e-10, and that the auxiliary gradient also reaches encoders of latents that are not dead.
        Source: github.com/cest-andre/align-interp, train_sae.py and sae.py at b589eb7 (2025-09-16).
        """
        as_coded = {"start": "kaiming", "rectify": True, "aux_printed": True}
        return cls(**as_coded | {"aux_weight": 1e-4, "dead_after": 32, "lr": 4e-4} | settings)


class TopKSAE(Trainable):
    """P sparse autoencoders: only the k largest latents of each stimulus are kept, and decoded.

        z = TopK(x E + c),   x^ = z D + d

    or TopK(ReLU(x E + c)) with `recipe.rectify`, with x `(P, stimuli, N)`, E `(P, N, F)`, D `(P, F, N)` and biases c
    `(P, 1, F)`, d `(P, 1, N)`. Latents that were 0 for `recipe.dead_after` steps on end are dead and learn through the
    auxiliary loss alone.

    `units` may differ between models: then the smaller ones are padded with units that answer 0, whose weights are 0
    and stay so. There is one generator for each seed. Raises ValueError unless sizes and seeds agree.
    """

    def __init__(
        self,
        units: int | list[int],
        recipe: Recipe,
        seeds: list[int],
        device: str | torch.device = "cpu",
        dtype: torch.dtype = torch.float32,
    ):
        super().__init__()
        self.units = [units] * len(seeds) if isinstance(units, int) else units
        self.recipe, self.seeds = recipe, seeds
        options = {"device": device, "dtype": dtype}
        drawn = random_rows(self.units, recipe.latents, seeds, draws=2)  # (2, P, latents, units)
        inputs = torch.tensor([self.units, [recipe.latents] * len(seeds)]).double()[..., None, None]  # of D and of E
        if recipe.start == "xavier":
            drawn *= (2 / inputs.sum(0)).sqrt()
        elif recipe.start == "kaiming":
            drawn = (drawn / 2**0.5).erf() * (6 / inputs).sqrt()  # erf makes N(0, 1/2) uniform
        elif recipe.start != "gaussian":
            drawn = normalize(drawn, dim=-1)
        decoder, other = drawn.to(**options)
        encoder = decoder if recipe.start == "tied" else other
        self.decoder = nn.Parameter(decoder.clone())  # a view would keep both draws, in checkpoints too
        self.encoder_rows = nn.Parameter(encoder.clone())
        self.encoder_bias = nn.Parameter(torch.zeros(len(seeds), 1, recipe.latents, **options))
        self.decoder_bias = nn.Parameter(torch.zeros(len(seeds), 1, decoder.shape[-1], **options))
        self.idle_steps: torch.Tensor
        self.register_buffer("idle_steps", torch.zeros(len(seeds), recipe.latents, dtype=torch.int64, device=device))

    @property
    def encoder(self) -> torch.Tensor:
        """E `(P, N, F)`, a view of the parameter, which is kept latent after latent as its gradient comes."""
        return self.encoder_rows.mT

    def preactivations(self, x: torch.Tensor) -> torch.Tensor:
        """x E + c, or (x - d) E + c with `pre_bias`; `(P, stimuli, F)`."""
        return torch.baddbmm(self.encoder_bias, x - self.decoder_bias if self.recipe.pre_bias else x, self.encoder)

    @torch.no_grad()
    def encode(self, x: torch.Tensor) -> torch.Tensor:
        """The codes TopK(x E + c), or with ReLU, of responses `(P, stimuli, N)`; `(P, stimuli, F)`."""
        return self._kept(self.preactivations(x))

    def _kept(self, z, models: int | slice = slice(None)):
        return keep_largest(z.relu_() if self.recipe.rectify else z, self.recipe.k)

    @torch.no_grad()
    def encode_one(self, p: int, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Codes `(stimuli, F)` and reconstructions of the responses `x: (stimuli, units)` of model p, not padded."""
        units = x.shape[-1]
        bias, decoder = self.decoder_bias[p, :, :units], self.decoder[p, :, :units]
        z = (x - bias if self.recipe.pre_bias else x) @ self.encoder[p, :units] + self.encoder_bias[p]
        code = self._kept(z, p)
        return code, code @ decoder + bias

    def latents(self, x: torch.Tensor) -> torch.Tensor:
        """The codes as [A, section 4.1] scores them: TopK, then ReLU; `(P, stimuli, F)`."""
        return self.encode(x).relu_()

    def dead_latents(self) -> torch.Tensor:
        """Latents that have been 0 for `dead_after` steps or more, at least for one; boolean `(P, F)`."""
        return self.idle_steps >= max(self.recipe.dead_after, 1)

    @torch.no_grad()
    def backward(self, x: torch.Tensor) -> dict[str, torch.Tensor]:
        """Set the gradients for a batch `x: (P, stimuli, N)` and return loss, explained variance and dead share `(P,)`.

            L = mean |e|^2 + aux_weight mean |e - z_dead D|^2,   e = x - x^

        z_dead holds the dead latents' values before TopK, and e is held fixed in the second term, which is absent
        while a model has no dead latents. [A] prints that term with the bias d added to z_dead D; x^ contains it
        already, so it is left out, as by Gao et al. With `aux_printed` it is added, e moves too, and the term stays.
        """
        z = self.preactivations(x)
        code = topk_code(z, self.recipe.k, self.recipe.rectify)
        error, gradient, loss = self._decode(x, code)
        seen = x - self.decoder_bias if self.recipe.pre_bias else x
        self.encoder_rows.grad = code.encoder_gradient(seen, gradient)
        self.encoder_bias.grad = code.sums(gradient)[:, None]
        explained = 1 - error.square().sum((1, 2)) / (x - x.mean(1, keepdim=True)).square().sum((1, 2))
        dead = self.dead_latents() if self.recipe.dead_after else ~code.used()
        if self.recipe.aux_printed:
            loss += self._move(code, z, dead, seen, error)
        else:
            loss += self._revive(dead, z, seen, error)
        if self.recipe.pre_bias:
            grad(self.decoder_bias).sub_(grad(self.encoder_bias) @ self.encoder_rows)

        self.idle_steps += 1
        self.idle_steps.masked_fill_(code.used(), 0)
        return {"loss": loss, "explained_variance": explained, "dead_latents": dead.double().mean(1)}

    def _decode(self, x, code):
        """Set the decoder's gradients; return the errors x - x^, the gradient of the code and the loss `(P,)`."""
        error = x - (code.decode(self.decoder) + self.decoder_bias)
        pull = -2 / x.shape[1] * error
        self.decoder.grad = code.decoder_gradient(pull)
        self.decoder_bias.grad = pull.sum(1, keepdim=True)
        return error, code.sampled_product(pull, self.decoder), error.square().sum((1, 2)) / x.shape[1]

    def _revive(self, dead, z, seen, error):
        """Add the gradients of the auxiliary losses, which move dead latents alone; return these losses `(P,)`.

        Dead latents are gathered for all models at once, in as many places as the most of them need: a GPU waits for
        this one number, and not for every model.
        """
        if not (most := int(dead.sum(1).max())):
            return 0
        at = dead.byte().argsort(dim=1, descending=True, stable=True)[:, :most]
        taken = dead.gather(1, at)[:, None].to(z.dtype)
        columns, rows = at[:, None].expand(-1, z.shape[1], -1), at[..., None].expand(-1, -1, error.shape[2])
        code, decoder = z.gather(2, columns) * taken, self.decoder.gather(1, rows)
        missed = error - code @ decoder
        pull = -2 * self.recipe.aux_weight / z.shape[1] * missed
        grad(self.decoder).scatter_add_(1, rows, code.mT @ pull)
        pull = (pull @ decoder.mT).mul_(taken)
        grad(self.encoder_rows).scatter_add_(1, rows, pull.mT @ seen)
        grad(self.encoder_bias).scatter_add_(2, at[:, None], pull.sum(1, keepdim=True))
        return self.recipe.aux_weight / z.shape[1] * missed.square().sum((1, 2)) * dead.any(1)

    def _move(self, code, z, dead, seen, error):
        """Add the gradients of the auxiliary losses as printed, which move everything; return these losses `(P,)`."""
        silent = z * dead[:, None]
        missed = torch.baddbmm(error - self.decoder_bias, silent, self.decoder, alpha=-1)
        pull = -2 * self.recipe.aux_weight / z.shape[1] * missed
        grad(self.decoder).add_(code.decoder_gradient(pull)).baddbmm_(silent.mT, pull)
        grad(self.decoder_bias).add_(pull.sum(1, keepdim=True), alpha=2)  # e and z_dead D + d both contain d
        live, silent = code.sampled_product(pull, self.decoder), (pull @ self.decoder.mT).mul_(dead[:, None])
        grad(self.encoder_rows).add_(code.encoder_gradient(seen, live)).baddbmm_(silent.mT, seen)
        grad(self.encoder_bias).add_((code.sums(live) + silent.sum(1))[:, None])
        return self.recipe.aux_weight * missed.square().sum((1, 2)) / z.shape[1]

    @torch.no_grad()
    def constrain(self) -> None:
        """Bring the rows of D back to length 1 after a step, if `unit_norm` asks for it."""
        if self.recipe.unit_norm:
            self.decoder.copy_(normalize(self.decoder, dim=-1))


S = TypeVar("S", bound=TopKSAE)


def fit(sae: S, draw: Callable, name: str = "saes", seed: int = STREAM) -> Training[S]:
    """Train SAEs by their recipe on batches `draw(generator): (P, stimuli, units)`, or find them in build/trained.

    The SAEs are `.model` of what is returned; its `.history` holds loss, explained variance and share of dead latents.
    `seed` is that of the batches. See `lib.training.train`.
    """
    recipe = sae.recipe
    options = {"cosine": recipe.cosine, "weight_decay": recipe.weight_decay}
    return train(sae, draw, recipe.steps, name, seed, recipe.lr, **options)


def batches(y: torch.Tensor, size: int) -> Callable:
    """What draws `size` stimuli of responses `y: (P, stimuli, units)` for `fit`, the same ones for all models."""
    return lambda generator: y[:, torch.randint(y.shape[1], (size,), generator=generator, device=y.device)]


@torch.no_grad()
def start_at(sae: S, y: torch.Tensor) -> S:
    """Let the encoders of SAEs start at responses, in place: latent i is high for what is like y_i. Returns the SAEs.

        E_i = sqrt(6/F) (y_i - max y_i) / (max y_i - min y_i),   i = 1, ..., F

    For layer-normalised x, whose units sum to 0, x E_i is x y_i but for a factor. `y: (P, F, N)`, a stimulus for each
    latent. If all models start at the same stimuli, their latents correspond before any training. `untrained` knows
    nothing of this start. Raises ValueError if y has another shape or a response the same for all units.

    Source: an option of [A]'s public code, sae.py at b589eb7, off in its train_sae.py since 2025-05-14.
    """
    if y.shape != (wanted := sae.decoder.shape):
        raise ValueError(f"responses {tuple(y.shape)} to start at: give {tuple(wanted)}, a stimulus for each latent")
    high, span = y.amax(-1, keepdim=True), y.amax(-1, keepdim=True) - y.amin(-1, keepdim=True)
    if not (span > 0).all():
        raise ValueError(f"{int((span <= 0).sum())} responses are the same for all units: start at other stimuli")
    sae.encoder.copy_(((6 / y.shape[1]) ** 0.5 * (y - high) / span).mT)
    return sae


def untrained(sae: S, seeds: list[int] | None = None) -> S:
    """The control: SAEs of the same shape that have learned nothing. [A, A.2]

    Without `seeds` they are the trained ones as these started, as in [A]'s public code; with them, random directions
    and their transpose, for the first `len(seeds)` models.
    """
    recipe = sae.recipe if seeds is None else replace(sae.recipe, start="tied")
    seeds = sae.seeds if seeds is None else seeds
    kind = getattr(sae, "control", type(sae))
    return kind(sae.units[: len(seeds)], recipe, seeds, sae.decoder.device, sae.decoder.dtype)


@torch.no_grad()
def explained_variance(sae: TopKSAE, y: torch.Tensor) -> torch.Tensor:
    """Share of the variance of responses that the SAEs' reconstructions explain.

        1 - sum |x - x^|^2 / sum |x - mean x|^2

    `y: (P, stimuli, N)`; returns `(P,)` in double precision, on the CPU.
    """
    squared, total = torch.zeros(2, len(y), dtype=torch.float64)
    mean = y.mean(1, keepdim=True)
    for part in y.split(PART, 1):
        error = part - torch.baddbmm(sae.decoder_bias, sae.encode(part), sae.decoder)
        squared += error.double().square().sum((1, 2)).cpu()
        total += (part - mean).double().square().sum((1, 2)).cpu()
    return 1 - squared / total


def random_rows(sizes: list[int], rows: int, seeds: list[int], draws: int) -> torch.Tensor:
    """Gaussian matrices `(draws, P, rows, largest units)` in double precision, one generator for each seed.

    Smaller models are padded with zeros on the right. Raises ValueError unless there are as many sizes as seeds, all
    of them 1 or more.
    """
    if len(sizes) != len(seeds):
        raise ValueError(f"{len(sizes)} numbers of units and {len(seeds)} seeds: give one of each for a model")
    if min(sizes, default=0) < 1:
        raise ValueError(f"units {sizes}: give one model or more, each with at least one unit")
    models = []
    for size, seed in zip(sizes, seeds, strict=True):
        drawn = torch.randn(draws, rows, size, generator=seeded(seed), dtype=torch.float64)
        models.append(pad(drawn, (0, max(sizes) - size)))
    return torch.stack(models, 1)


def keep_largest(z: torch.Tensor, k: int) -> torch.Tensor:
    """TopK: the k largest entries of each row stay, the others become 0."""
    return torch.where(z >= kth_largest(z, k), z, 0)


def grad(parameter: nn.Parameter) -> torch.Tensor:
    """The gradient of a parameter that has been set."""
    assert parameter.grad is not None
    return parameter.grad
