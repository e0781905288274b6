"""Toy models of superposition: two-layer tied autoencoders of sparse features, many seeds trained as one program.

[A] is Longon et al. 2025, section 4, after the toy models of Elhage et al. 2022. n features, m < n neurons, P models.
"""

from functools import partial

import torch
from torch import nn

from lib.correlation import unit_correlations
from lib.features import bernoulli_uniform, seeded
from lib.training import Trainable, Training, train

# Which of the two layers is rectified: (hidden, output). The paper prints the second, its public code has the first.
VARIANTS = {"output_relu": (True, True), "printed": (True, False), "linear_hidden": (False, True)}
STREAM = 2**31  # seed of the features, far from those of the models, whose starting weights they would repeat


def importance(n: int) -> torch.Tensor:
    """Weight of each feature in the loss, falling from 1 to about 1/9; `(n,)` in double precision.

        T_i = 1 / x_i^2,   x_i evenly spaced from 1 to 3 - 2/n

    [A, section 4.1]
    """
    return torch.linspace(1, 3 - 2 / n, n, dtype=torch.float64) ** -2


class ToyModels(Trainable):
    """P tied autoencoders of n features with m neurons.

        h = g_hidden(W' z),   z^ = g_output(W h + b)

    with W `(P, n, m)`, b `(P, 1, n)` and g the identity or ReLU by `variant`: `output_relu` rectifies both layers,
    `printed` only the hidden one, as [A, section 4.1] prints it, `linear_hidden` only the output, as Elhage et al. do.
    W starts by `start` at N(0, 1/m), `gaussian`, or at N(0, 2/(n + m)), `xavier` as in [A]'s public code, b at 0. There
    is one generator for each seed, so that a model does not depend on its neighbours.
    Raises ValueError on an unknown variant or start and unless 1 <= units < n.
    """

    def __init__(
        self,
        n: int,
        units: int,
        seeds: list[int],
        variant: str = "output_relu",
        device: str | torch.device = "cpu",
        dtype=None,
        start: str = "gaussian",
    ):
        super().__init__()
        if variant not in VARIANTS:
            raise ValueError(f"variant {variant!r} is unknown: choose one of {', '.join(VARIANTS)}")
        if start not in ("gaussian", "xavier"):
            raise ValueError(f"start {start!r} is unknown: choose gaussian or xavier")
        if not 1 <= units < n:
            raise ValueError(f"{units} neurons for {n} features: superposition needs 1 <= neurons < features")
        self.variant = variant
        self.rectify_hidden, self.rectify_output = VARIANTS[variant]
        options = {"device": device, "dtype": dtype or torch.float32}
        drawn = [torch.randn(n, units, generator=seeded(seed), dtype=torch.float64) for seed in seeds]
        size = units if start == "gaussian" else (n + units) / 2
        self.weight = nn.Parameter((torch.stack(drawn) / size**0.5).to(**options))
        self.bias = nn.Parameter(torch.zeros(len(seeds), 1, n, **options))
        self.importance: torch.Tensor
        self.register_buffer("importance", importance(n).to(**options))

    @torch.no_grad()
    def responses(self, z: torch.Tensor) -> torch.Tensor:
        """The neurons' responses h `(P, stimuli, m)` to features `z: (stimuli, n)`."""
        h = z @ self.weight
        return h.relu_() if self.rectify_hidden else h

    def reconstruct(self, h: torch.Tensor) -> torch.Tensor:
        """The features z^ `(P, stimuli, n)` read from responses `h: (P, stimuli, m)`."""
        out = torch.baddbmm(self.bias, h, self.weight.mT)
        return out.relu_() if self.rectify_output else out

    @torch.no_grad()
    def backward(self, z: torch.Tensor) -> dict[str, torch.Tensor]:
        """Set the gradients for a batch `z: (stimuli, n)` and return the loss of each model `(P,)`.

            L = mean over stimuli of sum_i T_i (z_i - z^_i)^2

        Written out, since on a CPU it takes two thirds of the time of automatic differentiation. [A, section 4.1]
        """
        h = self.responses(z)
        out = self.reconstruct(h)
        error = out - z
        gradient = error * (2 / len(z) * self.importance)
        loss = (error * gradient).sum((1, 2)) / 2
        if self.rectify_output:
            gradient *= out.sign()
        self.bias.grad = gradient.sum(1, keepdim=True)
        hidden = gradient @ self.weight
        if self.rectify_hidden:
            hidden *= h.sign()
        self.weight.grad = torch.baddbmm(z.mT @ hidden, gradient.mT, h)
        return {"loss": loss}


def train_toy_models(
    model: ToyModels, steps: int, p: float = 0.1, batch: int = 1024, weight_decay: float = 0.0
) -> Training[ToyModels]:
    """Train on `steps` fresh batches of features, each active with probability p, then U(0, 1), unless it was done.

    All models see the same stream and differ in their start, as in [A, section 4]. Finished models are kept in
    build/trained and found again. The models are `.model` of what is returned, the loss is in its `.history`.
    """
    _, n, units = model.weight.shape
    draw = partial(bernoulli_uniform, batch, n, p, dtype=torch.float32)
    return train(model, draw, steps, f"toys-{model.variant}-{units}", STREAM, weight_decay=weight_decay)


def feature_norms(weight: torch.Tensor) -> torch.Tensor:
    """Length of each feature's row of W `(..., n, m)`: about 1 if the model represents it; `(..., n)`."""
    return weight.detach().norm(dim=-1)


def shared_features(weight_a: torch.Tensor, weight_b: torch.Tensor) -> torch.Tensor:
    """Features that both models represent: product of the norms at least 1; boolean `(..., n)`. [A, section 4.1]"""
    return feature_norms(weight_a) * feature_norms(weight_b) >= 1


def arrangement_match(weight_a: torch.Tensor, weight_b: torch.Tensor) -> torch.Tensor:
    """For each neuron of a, the largest correlation of its weights with those of a neuron of b; `(m,)`.

    Weights `(n, m)` are correlated over the features that both represent, so that 1 means the same arrangement.
    Raises ValueError if fewer than two features are shared. [A, section 4.1]
    """
    shared = shared_features(weight_a, weight_b)
    if shared.sum() < 2:
        raise ValueError(f"{int(shared.sum())} shared features: an arrangement needs two, train longer or add neurons")
    return unit_correlations(weight_a.detach()[shared], weight_b.detach()[shared]).amax(1)
