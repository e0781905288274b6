import numpy as np
import pytest
import torch
from helpers import DEVICES, close, normal, refuses, rotation
from hypothesis import given
from hypothesis import strategies as st

import lib.toy_models
import lib.training
from lib.features import bernoulli_uniform, seeded
from lib.toy_models import (
    STREAM,
    VARIANTS,
    ToyModels,
    arrangement_match,
    feature_norms,
    importance,
    shared_features,
    train_toy_models,
)
from lib.training import Training

LAYERS = {  # by hand: z^ from z, for one model
    "output_relu": lambda z, w, b: ((z @ w).relu() @ w.T + b).relu(),
    "printed": lambda z, w, b: (z @ w).relu() @ w.T + b,
    "linear_hidden": lambda z, w, b: (z @ w @ w.T + b).relu(),
}


def models(variant="output_relu", n=6, units=3, seeds=(0, 1, 2), dtype=torch.float64, **options):
    """Models whose biases are not 0, so that every term of the gradient counts."""
    toys = ToyModels(n, units, list(seeds), variant, dtype=dtype, **options)
    with torch.no_grad():
        toys.bias += 0.1 * normal(*toys.bias.shape, seed=50).to(toys.bias)
    return toys


def planted(variant, weight, bias=0.0):
    toys = ToyModels(*weight.shape, [0], variant, dtype=torch.float64)
    with torch.no_grad():
        toys.weight.copy_(weight)
        toys.bias.fill_(bias)
    return toys


def features(stimuli=40, n=6, seed=0, p=0.4):
    return bernoulli_uniform(stimuli, n, p, seeded(seed))


def by_definition(variant, z, w, b):
    n = z.shape[1]
    weights = torch.tensor([1 / (1 + i * (2 - 2 / n) / (n - 1)) ** 2 for i in range(n)], dtype=torch.float64)
    error = z - LAYERS[variant](z, w, b)
    return (error**2 @ weights).mean()


# Importance


@pytest.mark.parametrize("n", [2, 5, 64])
def test_importance_falls_from_1_to_about_a_ninth(n):
    t = importance(n)
    close(t, 1 / np.linspace(1, 3 - 2 / n, n) ** 2)
    close(t[[0, -1]], [1, 1 / (3 - 2 / n) ** 2])
    assert (t.diff() < 0).all()
    x = t**-0.5  # 1, 1 + 2/n, 1 + 4/n, ...
    close(x.diff(), torch.full((n - 1,), 2 / n, dtype=torch.float64))


# Loss and gradients


@pytest.mark.parametrize("variant", VARIANTS)
def test_loss_and_gradients_are_those_of_the_definition(variant):
    toys, z = models(variant), features()
    loss = toys.backward(z)["loss"]
    for p in range(3):
        w, b = (v.detach()[p].clone().requires_grad_() for v in (toys.weight, toys.bias))
        wanted = by_definition(variant, z, w, b)
        wanted.backward()
        close(loss[p], wanted.detach())
        close(toys.weight.grad[p], w.grad)
        close(toys.bias.grad[p], b.grad)
        assert (w.grad != 0).double().mean() > 0.8


@given(
    seed=st.integers(0, 1000), variant=st.sampled_from(list(VARIANTS)), n=st.integers(2, 7), stimuli=st.integers(1, 9),
    data=st.data(),
)  # fmt: skip
def test_gradients_agree_with_automatic_differentiation(seed, variant, n, stimuli, data):
    toys = models(variant, n, data.draw(st.integers(1, n - 1)), [seed, seed + 1])
    z = features(stimuli, n, seed)
    toys.backward(z)
    given = toys.weight.grad, toys.bias.grad
    h = z @ toys.weight
    error = z - toys.reconstruct(h.relu() if VARIANTS[variant][0] else h)
    wanted = torch.autograd.grad((error**2 @ importance(n)).mean(1).sum(), [toys.weight, toys.bias])
    for one, other in zip(given, wanted, strict=True):
        close(one, other)


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("variant", VARIANTS)
def test_single_precision_and_gpu_agree_with_double_precision(variant, device):
    z, double = features(500, 12), models(variant, 12, 5)
    single = models(variant, 12, 5, dtype=torch.float32, device=device)
    close(single.backward(z.to(device, torch.float32))["loss"], double.backward(z)["loss"], 1e-5)
    close(single.weight.grad, double.weight.grad, 1e-5)
    close(single.bias.grad, double.bias.grad, 1e-5)
    assert single.weight.grad.device == single.weight.device


def test_a_second_batch_replaces_the_gradients():
    toys, z = models(), features()
    toys.backward(features(seed=1))
    toys.backward(z)
    fresh = models()
    fresh.backward(z)
    assert torch.equal(toys.weight.grad, fresh.weight.grad)
    assert torch.equal(toys.bias.grad, fresh.bias.grad)


@pytest.mark.parametrize("variant", VARIANTS)
def test_features_with_a_neuron_of_their_own_cost_nothing(variant):
    z = features(200, 6)
    for units in (1, 4, 5):
        toys = planted(variant, torch.eye(6)[:, :units])
        loss = toys.backward(z)["loss"]
        close(loss, [float((importance(6) * z**2)[:, units:].sum() / 200)])
        close(toys.weight.grad[0, :units], torch.zeros(units, units))
        assert toys.backward(z * (torch.arange(6) < units))["loss"] == 0


def test_rectified_layers_by_hand():
    z = torch.tensor([[0.5, 0.25]]).double()
    weight = torch.tensor([[1.0], [-1]]).double()  # h = 1/4 or, of the reversed features, -1/4
    t = 1 / 4  # importance of the second of two features
    for variant, forward, reverse in [
        ("output_relu", 0.25**2 + t * 0.25**2, 0.25**2 + t * 0.5**2),
        ("printed", 0.25**2 + t * 0.5**2, 0.25**2 + t * 0.5**2),
        ("linear_hidden", 0.25**2 + t * 0.25**2, 0.25**2 + t * 0.25**2),
    ]:
        close(planted(variant, weight).backward(z)["loss"], [forward])
        close(planted(variant, weight).backward(z.flip(1))["loss"], [reverse])


def test_models_that_read_nothing_pay_each_feature_its_importance():
    toys, p, n, stimuli = planted("printed", torch.zeros(8, 3)), 0.1, 8, 50_000
    loss = toys.backward(bernoulli_uniform(stimuli, n, p, seeded(0)))["loss"]
    wanted = importance(n).sum() * p / 3
    spread = ((importance(n) ** 2).sum() * (p / 5 - (p / 3) ** 2) / stimuli) ** 0.5
    close(loss, [float(wanted)], float(5 * spread))


def test_responses_and_reconstruction():
    z = features()
    for variant in VARIANTS:
        toys = models(variant)
        h = toys.responses(z)
        for p, (w, b) in enumerate(zip(toys.weight.detach(), toys.bias.detach(), strict=True)):
            close(toys.reconstruct(h)[p].detach(), LAYERS[variant](z, w, b))
        assert h.shape == (3, 40, 3)
        assert not h.requires_grad
        assert (h.min() < 0) == (variant == "linear_hidden")


# The batch of models


def test_start_is_gaussian_with_variance_1_over_units_and_no_bias():
    toys = ToyModels(400, 100, [3, 4], dtype=torch.float64)
    count = toys.weight.numel()
    assert abs(toys.weight.mean()) < 5 * (1 / 100 / count) ** 0.5
    assert abs(toys.weight.var() - 1 / 100) < 5 / 100 * (2 / count) ** 0.5
    assert (toys.bias == 0).all()
    for p, seed in enumerate([3, 4]):
        close(toys.weight[p].detach() * 10, torch.randn(400, 100, generator=seeded(seed), dtype=torch.float64))


def test_xavier_start_is_that_of_torch_in_spread():
    own = ToyModels(400, 100, [3, 4], dtype=torch.float64, start="xavier")
    given = torch.nn.init.xavier_normal_(torch.empty(400, 100), generator=seeded(1))
    assert abs(own.weight.std() / given.std() - 1) < 0.02
    assert (own.bias == 0).all()
    for p, seed in enumerate([3, 4]):
        close(own.weight[p].detach() * 250**0.5, torch.randn(400, 100, generator=seeded(seed), dtype=torch.float64))


def test_unknown_start_is_refused():
    refuses("start 'tied' is unknown", "choose gaussian or xavier", ToyModels, 6, 2, [0], start="tied")


@pytest.mark.parametrize("variant", VARIANTS)
def test_a_model_does_not_notice_its_neighbours(variant):
    def run(seeds):
        toys = ToyModels(8, 3, seeds, variant, dtype=torch.float64)
        draw = lambda generator: bernoulli_uniform(64, 8, 0.3, generator)  # noqa: E731
        return Training(toys, draw, seed=STREAM, lr=1e-2).run(100)

    batch = run([5, 6, 7])
    for p, seed in enumerate([5, 6, 7]):
        alone = run([seed])
        # Adam divides by gradients of 1e-4 and more, which turns rounding of 1e-16 into 1e-12 a step.
        close(batch.model.weight[p].detach(), alone.model.weight[0].detach(), 1e-9)
        close(batch.model.bias[p].detach(), alone.model.bias[0].detach(), 1e-9)
        close(batch.history["loss"][:, p], alone.history["loss"][:, 0], 1e-9)
    assert (batch.model.weight[0] - batch.model.weight[1]).abs().max() > 0.1


@pytest.fixture
def drawn(store, monkeypatch):
    """The batches that training draws; those for the key come before them."""
    batches = []

    def record(*args, **options):
        batches.append(bernoulli_uniform(*args, **options))
        return batches[-1].clone()

    record.identity = lambda: "bernoulli_uniform"  # not what it has recorded
    monkeypatch.setattr(lib.toy_models, "bernoulli_uniform", record)
    return batches


def test_all_models_see_the_same_stream_whatever_their_seeds(drawn):
    train_toy_models(ToyModels(6, 2, [0, 1]), 3, batch=16)
    train_toy_models(ToyModels(6, 3, [7], "linear_hidden"), 3, batch=16)
    assert len(drawn) == 2 * (lib.training.BATCHES_SEEN + 3)
    for one, other in zip(drawn[:5], drawn[5:], strict=True):
        assert torch.equal(one, other)
    assert not torch.equal(drawn[0], drawn[1])
    assert torch.equal(drawn[0], bernoulli_uniform(16, 6, 0.1, seeded(STREAM), torch.float32))


def test_training_passes_on_what_it_is_given(drawn):
    training = train_toy_models(ToyModels(6, 2, [4, 5], "printed"), 7, p=0.5, batch=400)
    assert (training.step, len(drawn) - lib.training.BATCHES_SEEN, drawn[0].shape) == (7, 7, (400, 6))
    assert abs((drawn[0] > 0).double().mean() - 0.5) < 5 * 0.5 / 2400**0.5
    assert not training.model.rectify_output
    assert {name: value.shape for name, value in training.history.items()} == {"step": (7,), "loss": (7, 2)}
    drawn.clear()
    train_toy_models(ToyModels(6, 2, [4, 5], "printed"), 7, p=0.5, batch=400)
    assert len(drawn) == lib.training.BATCHES_SEEN
    drawn.clear()
    model, training = {"n": 6, "units": 2, "seeds": [4, 5], "variant": "printed"}, {"steps": 7, "p": 0.5, "batch": 400}
    for change in ({"p": 0.4}, {"batch": 399}, {"steps": 8}, {"weight_decay": 0.01}):
        train_toy_models(ToyModels(**model), **training | change)
        assert len(drawn) > lib.training.BATCHES_SEEN
        drawn.clear()
    for change in ({"variant": "output_relu"}, {"seeds": [4, 6]}, {"n": 7}, {"start": "xavier"}):
        train_toy_models(ToyModels(**model | change), **training)
        assert len(drawn) > lib.training.BATCHES_SEEN
        drawn.clear()


def test_decay_shrinks_the_weights(drawn):
    free, kept = (train_toy_models(ToyModels(6, 2, [0]), 60, batch=64, weight_decay=d).model for d in (0.0, 30.0))
    assert kept.weight.norm() < 0.5 * free.weight.norm()


@pytest.mark.parametrize("variant", VARIANTS)
def test_training_reduces_the_loss(variant, store):
    losses = train_toy_models(ToyModels(16, 5, [0, 1, 2], variant), 400, batch=256).history["loss"]
    assert losses.shape == (100, 3)
    zero = importance(16).sum() * 0.1 / 3
    assert (losses[-10:].mean(0) < 0.75 * losses[:1]).all()
    assert (losses[-10:].mean(0) < zero).all()


def test_as_printed_as_many_features_are_represented_as_there_are_neurons():
    toys = ToyModels(5, 2, [0, 1, 2], "printed", dtype=torch.float64)
    Training(toys, lambda generator: bernoulli_uniform(512, 5, 0.1, generator), lr=0.01).run(2000)
    norms = feature_norms(toys.weight)
    assert ((norms > 0.9).sum(1) == 2).all()
    assert ((norms < 0.1).sum(1) == 3).all()


# What the models represent


def test_norms_are_those_of_the_rows():
    close(feature_norms(torch.tensor([[3.0, 4], [0, 0], [-1, 0]])), [5, 0, 1])
    assert feature_norms(ToyModels(6, 2, [0, 1]).weight).shape == (2, 6)


def test_shared_features_have_a_product_of_norms_of_at_least_1():
    a = torch.tensor([[2.0, 0], [0, -2], [1, 0], [0.9, 0], [0, 0]])
    b = torch.tensor([[0.5, 0], [0.4, 0], [0, 1], [0, 1], [9, 9]])
    assert shared_features(a, b).tolist() == [True, False, True, False, False]
    assert torch.equal(shared_features(a, b), shared_features(b, a))
    assert shared_features(torch.stack([a, a]), torch.stack([b, b])).shape == (2, 5)


@given(seed=st.integers(0, 1000), units=st.integers(2, 6))
def test_permuted_neurons_have_the_same_arrangement(seed, units):
    weight = normal(20, units, seed=seed)
    weight /= weight.norm(dim=1, keepdim=True) * (1 - 1e-9)
    order = torch.randperm(units, generator=seeded(seed))
    close(arrangement_match(weight, weight[:, order]), torch.ones(units))
    # The rows' lengths matter, a neuron's scale does not.
    close(arrangement_match(2 * weight, 3 * weight[:, order]), torch.ones(units))


def test_inverted_and_rotated_neurons_are_arranged_otherwise():
    weight = 3 * normal(60, 6)
    assert (arrangement_match(weight, -weight) < 0.5).all()
    assert arrangement_match(weight, weight @ rotation(6)).mean() < 0.9
    mixed = 1 + 3 * torch.eye(6)  # each neuron has one feature of its own
    close(arrangement_match(mixed[:, :3], mixed[:, 3:]), [-1 / 5] * 3, 1e-6)


def test_arrangement_agrees_with_a_loop_over_shared_features():
    a, b = normal(30, 4), normal(30, 5, seed=1)
    a[::3] *= 0.01  # not shared, and so without a say
    shared = [i for i in range(30) if np.linalg.norm(a[i]) * np.linalg.norm(b[i]) >= 1]
    assert 2 < len(shared) < 21
    wanted = [max(np.corrcoef(x[shared], y[shared])[0, 1] for y in b.numpy().T) for x in a.numpy().T]
    close(arrangement_match(a, b), wanted)
    assert arrangement_match(a.requires_grad_(), b).requires_grad is False


@pytest.mark.parametrize("shared", [0, 1])
def test_an_arrangement_of_fewer_than_two_features_is_refused(shared):
    weight = torch.eye(4)[:, :3] * (torch.arange(4) < shared)[:, None]
    refuses(f"{shared} shared features", "train longer or add neurons", arrangement_match, weight, weight)


def test_unknown_variant_is_refused():
    refuses("variant 'relu' is unknown", "output_relu, printed, linear_hidden", ToyModels, 6, 2, [0], "relu")


@pytest.mark.parametrize("units", [0, 6, 7, -1])
def test_units_out_of_range_are_refused(units):
    refuses(f"{units} neurons for 6 features", "1 <= neurons < features", ToyModels, 6, units, [0])


def test_training_that_is_told_no_decay_has_none():
    found = [
        train_toy_models(ToyModels(6, 2, [0, 1]), 30, **given).model.weight for given in ({}, {"weight_decay": 0.0})
    ]
    assert torch.equal(*found)


def test_two_shared_features_are_enough_for_an_arrangement():
    weight = torch.tensor([[1.0, 0], [0, 1], [0.01, 0]])
    close(arrangement_match(weight, weight), torch.ones(2), 1e-6)
