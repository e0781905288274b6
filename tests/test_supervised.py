from functools import partial

import pytest
import torch
from helpers import DEVICES, close, normal, refuses, refuses_bad_sizes
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import kstest

from lib.features import seeded, topk_uniform
from lib.recovery import support_recovered
from lib.supervised import SupervisedSAE
from lib.training import Training

FEATURES, KEPT = 8, 3
SIZES = [3, 5, 4]


def supervised(gradient="identity", units=(4, 2, 5), seeds=(0, 1, 2), k=KEPT, n=FEATURES, **options):
    """Systems whose encoder is not their transpose and whose bias is not 0; padding stays padding."""
    options = {"dtype": torch.float64} | options
    some = SupervisedSAE(list(units), n, k, list(seeds), gradient, **options)
    with torch.no_grad():
        for number, parameter in enumerate([some.weight.mT, some.encoder]):
            parameter += 0.3 * normal(*parameter.shape, seed=20 + number).to(parameter) * (parameter != 0)
        some.encoder_bias += 0.3 * normal(*some.encoder_bias.shape, seed=22).to(some.encoder_bias)
    return some


def straight_through(z, weight, encoder, bias, k, gradient):
    """Reconstruction by one system whose values are TopK and whose gradient passes where `gradient` says."""
    x = z @ weight @ encoder + bias
    kept = torch.zeros_like(x, dtype=torch.bool).scatter(1, x.topk(k).indices, True)
    code = torch.where(kept, x, 0)
    if gradient == "selected":
        return code
    passed = x if gradient == "identity" else torch.where(kept | (z != 0), x, 0)
    return passed + (code - passed).detach()


def supervised_reference(some, p, z, gradient, units):
    """Loss of system p without its padding, and the gradients of its three parameters, by automatic differentiation."""
    mine = [some.weight[p, :, :units], some.encoder[p, :units], some.encoder_bias[p]]
    mine = [v.detach().clone().requires_grad_() for v in mine]
    loss = (z - straight_through(z, *mine, some.k, gradient)).square().sum(1).mean()
    return loss.detach(), torch.autograd.grad(loss, mine)


@pytest.mark.parametrize("k", [1, KEPT, FEATURES])
@pytest.mark.parametrize("gradient", ["identity", "selected"])
def test_supervised_gradients_are_those_of_the_straight_through_estimator(gradient, k):
    some, z = supervised(gradient, k=k), topk_uniform(20, FEATURES, KEPT, seeded(3))
    measured = some.backward(z)
    for p, units in enumerate([4, 2, 5]):
        loss, (weight, encoder, bias) = supervised_reference(some, p, z, gradient, units)
        close(measured["loss"][p], loss)
        close(some.weight.grad[p, :, :units], weight)
        close(some.encoder.grad[p, :units], encoder)
        close(some.encoder_bias.grad[p], bias)
        assert (some.weight.grad[p, :, units:] == 0).all()
        assert (some.encoder.grad[p, units:] == 0).all()


@given(seed=st.integers(0, 1000), data=st.data())
def test_supervised_gradients_agree_with_automatic_differentiation(seed, data):
    n, units, stimuli = (data.draw(st.integers(1, 6)) for _ in range(3))
    k, gradient = data.draw(st.integers(1, n)), data.draw(st.sampled_from(["identity", "selected"]))
    some = supervised(gradient, [units], [seed], k, n, start=data.draw(st.sampled_from(["tied", "gaussian"])))
    z = topk_uniform(stimuli, n, data.draw(st.integers(1, n)), seeded(seed))
    loss, gradients = supervised_reference(some, 0, z, gradient, units)
    close(some.backward(z)["loss"][0], loss)
    for parameter, wanted in zip((some.weight, some.encoder, some.encoder_bias), gradients, strict=True):
        close(parameter.grad[0], wanted)


def test_to_pass_the_gradient_to_the_kept_and_the_active_is_to_pass_it_to_all():
    some, z = supervised(), topk_uniform(20, FEATURES, KEPT, seeded(3))
    for p, units in enumerate([4, 2, 5]):
        union, identity, selected = (
            supervised_reference(some, p, z, word, units)[1] for word in ("union", "identity", "selected")
        )
        for one, other, third in zip(union, identity, selected, strict=True):
            close(one, other)
            assert (one - third).abs().max() > 1e-3


def test_a_supervised_step_worked_by_hand():
    z = torch.eye(2).double()
    for gradient, second in (("identity", -1.0), ("selected", 0.0)):
        some = SupervisedSAE(1, 2, 1, [0], gradient, dtype=torch.float64)
        with torch.no_grad():
            some.weight.copy_(torch.tensor([[1.0], [2]]))
            some.encoder.copy_(torch.tensor([[1.0, 0.5]]))
        # y = 1, 2; before TopK (1, 1/2), (2, 1); kept (1, 0), (2, 0); errors (0, 0), (2, -1)
        close(some.responses(z), [[[1.0], [2]]])
        close(some.encode(some.responses(z)), [[[1.0, 0], [2, 0]]])
        measured = some.backward(z)
        close(measured["loss"], [5 / 2])
        close(measured["explained_variance"], [1 - 5 / 1])
        close(some.encoder_bias.grad, [[[2.0, second]]])
        close(some.encoder.grad, [[[4.0, 2 * second]]])
        close(some.weight.grad, [[[0.0], [2 + second / 2]]])


def test_supervised_loss_and_explained_variance_by_definition():
    some, z = supervised(), 3 + topk_uniform(20, FEATURES, KEPT, seeded(3))
    measured = some.backward(z)
    for p, (weight, encoder, bias) in enumerate(zip(some.weight, some.encoder, some.encoder_bias, strict=True)):
        error = 0.0
        for stimulus in z:
            x = ((stimulus @ weight) @ encoder + bias[0]).detach()
            code = torch.zeros(FEATURES).double()
            for i in x.argsort(descending=True)[:KEPT]:
                code[i] = x[i]
            error += float((stimulus - code).square().sum())
        close(measured["loss"][p], error / 20)
        close(measured["explained_variance"][p], 1 - error / 20 / z.var(0, correction=0).sum())


def test_systems_that_undo_themselves_explain_everything():
    some, z = SupervisedSAE(FEATURES, FEATURES, KEPT, [0], dtype=torch.float64), topk_uniform(9, FEATURES, 3, seeded(0))
    with torch.no_grad():
        some.weight.copy_(torch.linalg.qr(some.weight)[0])
        some.encoder.copy_(some.weight.mT)
    measured = some.backward(z)
    close(measured["loss"], [0.0])
    close(measured["explained_variance"], [1.0])
    close(some.encode(some.responses(z))[0], z)
    for parameter in some.parameters():
        close(parameter.grad, torch.zeros_like(parameter))


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("gradient", ["identity", "selected"])
def test_supervised_single_precision_and_gpu_agree_with_double_precision(gradient, device):
    double, single = supervised(gradient), supervised(gradient, dtype=torch.float32, device=device)
    z = topk_uniform(20, FEATURES, KEPT, seeded(3))
    wanted, given = double.backward(z), single.backward(z.to(device, torch.float32))
    assert given.keys() == wanted.keys() == {"loss", "explained_variance"}
    for name in wanted:
        close(given[name], wanted[name], 1e-4)
    for one, other in zip(single.parameters(), double.parameters(), strict=True):
        assert (one.grad.dtype, one.grad.device.type) == (torch.float32, device)
        close(one.grad, other.grad, 1e-4)


@pytest.mark.parametrize("units", [6, [6, 6]])
def test_tied_systems_start_with_their_transpose_at_variance_1_over_m(units):
    some = SupervisedSAE(units, 9, 2, [3, 4], dtype=torch.float64)
    assert torch.equal(some.encoder, some.weight.mT)
    assert some.encoder.is_contiguous()
    assert some.encoder.data_ptr() != some.weight.data_ptr()
    assert not some.encoder_bias.any()
    for p, seed in enumerate([3, 4]):
        drawn = torch.randn(2, 9, 6, generator=seeded(seed), dtype=torch.float64)[0]
        close(some.weight[p].detach(), drawn / 6**0.5, 1e-6)


def test_weights_of_tied_systems_are_gaussian_with_the_variance_of_their_own_size():
    sizes = [40, 160]
    some = SupervisedSAE(sizes, 100, 2, [0, 1])
    for weight, size in zip(some.weight.detach(), sizes, strict=True):
        assert kstest(weight[:, :size].flatten().numpy() * size**0.5, "norm").pvalue > 1e-3
    assert (some.weight[0, :, 40:] == 0).all()
    assert (some.encoder[0, 40:] == 0).all()


def test_gaussian_systems_start_at_standard_normal_and_untied():
    some = SupervisedSAE([100, 50], 100, 2, [0, 1], start="gaussian")
    for p, units in enumerate([100, 50]):
        weight, encoder = some.weight[p, :, :units].detach(), some.encoder[p, :units].detach()
        assert kstest(weight.flatten().numpy(), "norm").pvalue > 1e-3
        assert kstest(encoder.flatten().numpy(), "norm").pvalue > 1e-3
        assert abs((weight * encoder.mT).mean()) < 5 / (100 * units) ** 0.5
        assert kstest(some.encoder_bias[p].detach().flatten().numpy(), "norm").pvalue > 1e-3
    assert not torch.equal(some.encoder_bias[0], some.encoder_bias[1])


@pytest.mark.parametrize("start", ["tied", "gaussian"])
@pytest.mark.parametrize("gradient", ["identity", "selected"])
def test_systems_of_different_sizes_train_as_each_alone(gradient, start):
    def run(units, seeds):
        some = SupervisedSAE(units, FEATURES, 2, seeds, gradient, start, dtype=torch.float64)
        return Training(some, partial(topk_uniform, 32, FEATURES, 2), seed=5, lr=0.01).run(40)

    batch = run(SIZES, [7, 8, 9])
    z = topk_uniform(10, FEATURES, 2, seeded(1))
    for p, size in enumerate(SIZES):
        alone = run(size, [7 + p])
        assert (batch.model.weight[p, :, size:] == 0).all()
        assert (batch.model.encoder[p, size:] == 0).all()
        close(batch.model.weight[p, :, :size].detach(), alone.model.weight[0].detach(), 1e-9)
        close(batch.model.encoder[p, :size].detach(), alone.model.encoder[0].detach(), 1e-9)
        close(batch.model.encoder_bias[p].detach(), alone.model.encoder_bias[0].detach(), 1e-9)
        for name in ("loss", "explained_variance"):
            close(batch.history[name][:, p], alone.history[name][:, 0], 1e-9)
        y, mine = batch.model.responses(z), alone.model.responses(z)
        assert (y[p, :, size:] == 0).all()
        close(batch.model.encode(y)[p], alone.model.encode(mine)[0], 1e-9)


@pytest.mark.parametrize("gradient", ["identity", "selected"])
def test_training_finds_the_support_when_units_are_nearly_as_many_as_features(gradient):
    n, k, z = 8, 2, topk_uniform(500, 8, 2, seeded(99))
    some = SupervisedSAE(7, n, k, [0, 1], gradient, dtype=torch.float64)

    def recovered():
        return support_recovered(some.encode(some.responses(z)), z.expand(2, -1, -1)).double().mean(1)

    assert (recovered() < 0.6).all()
    training = Training(some, partial(topk_uniform, 128, n, k), seed=1, lr=0.01, cosine_steps=600).run(600)
    assert (recovered() > 0.95).all()
    assert (training.history["loss"][-1] < 0.1 * training.history["loss"][0]).all()
    assert (training.history["explained_variance"][-1] > 0.95).all()


# Bad input


@pytest.mark.parametrize("k", [0, 9, -1])
def test_k_out_of_range_is_refused(k):
    refuses(f"k = {k} active features of n = 8", "choose 1 <= k <= n", SupervisedSAE, 5, 8, k, [0])


def test_unknown_words_and_bad_sizes_are_refused():
    for word in ("random", "untied"):
        refuses(f"start '{word}' is unknown", "tied or gaussian", SupervisedSAE, 5, 8, 2, [0], start=word)
    refuses("gradient 'union' is unknown", "identity or selected", SupervisedSAE, 5, 8, 2, [0], gradient="union")
    refuses_bad_sizes(SupervisedSAE)
