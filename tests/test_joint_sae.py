import pytest
import torch
from helpers import DEVICES, close, gradient, normal, refuses, some_sae

from lib.features import bernoulli_uniform, seeded
from lib.joint_sae import JointSAE, joint_batches, joint_codes, padded, swap_pairs
from lib.regression import held_out_correlations, ols_both_ways, ols_fit, ols_held_out
from lib.sae import Recipe, TopKSAE, fit
from lib.training import Training

LATENTS, K = 7, 3
PARAMETERS = ("encoder", "decoder", "encoder_bias", "decoder_bias")


@pytest.fixture(params=["dense", "compressed"], autouse=True)
def form(request, monkeypatch):
    """Every test of this file runs with both forms of the codes."""
    if request.param == "compressed":
        monkeypatch.setattr("lib.codes.COMPRESS_FROM", 1)
        monkeypatch.setattr("lib.codes.COMPRESS_SHARE", 1)


def saes(units=5, pairs=2, k=K, dtype=torch.float64, **options):
    """Joint SAEs with all weights moved off their start, those of padded units excepted."""
    some = some_sae(units, LATENTS, k, list(range(2 * pairs)), JointSAE, dtype=dtype, **options)
    sizes = [units] * 2 * pairs if isinstance(units, int) else units
    with torch.no_grad():
        for number, one in enumerate(some.parameters()):
            one += 0.2 * normal(*one.shape, seed=40 + number).to(one)
        for p, size in enumerate(sizes):
            some.decoder[p, :, size:] = some.decoder_bias[p, :, size:] = some.encoder[p, size:] = 0
    return some


def by_definition(y, weights, k, pre_bias):
    """The loss of one pair, four terms stimulus by stimulus, with `torch.topk`; `weights` one dictionary a system."""
    loss = 0
    for i in (0, 1):
        for s in range(len(y[0])):
            seen = y[i][s] - weights[i]["decoder_bias"] if pre_bias else y[i][s]
            z = seen @ weights[i]["encoder"] + weights[i]["encoder_bias"]
            for j in (0, 1):
                told = weights[j]["decoder_bias"] + sum(z[f] * weights[j]["decoder"][f] for f in z.topk(k).indices)
                loss = loss + (y[j][s] - told).square().sum()
    return loss / len(y[0])


def check_gradients(some, x):
    loss = some.backward(x)["loss"]
    for a in range(0, len(x), 2):
        named = [
            {n: getattr(some, n).detach()[p, 0 if n.endswith("bias") else ...].clone() for n in PARAMETERS}
            for p in (a, a + 1)
        ]
        for one in named:
            for value in one.values():
                value.requires_grad_()
        wanted = by_definition(x[a : a + 2], named, some.recipe.k, some.recipe.pre_bias)
        wanted.backward()
        close(loss[a : a + 2].sum(), wanted.detach())
        for p, one in zip((a, a + 1), named, strict=True):
            for name, value in one.items():
                close(gradient(some, name)[p].reshape(value.shape), value.grad)


@pytest.mark.parametrize("k", [1, K, LATENTS])
@pytest.mark.parametrize("pre_bias", [False, True], ids=["x", "x - d"])
def test_loss_and_gradients_are_those_of_the_four_terms(pre_bias, k):
    check_gradients(saes(k=k, pre_bias=pre_bias), normal(4, 9, 5))


def test_gradients_where_systems_differ_in_size():
    x = padded([normal(9, size, seed=size) for size in (5, 3, 2, 4)])
    some = saes([5, 3, 2, 4])
    check_gradients(some, x)
    for p, size in enumerate([5, 3, 2, 4]):
        assert not some.decoder.grad[p, :, size:].any()
        assert not gradient(some, "encoder")[p, size:].any()
        assert not some.decoder_bias.grad[p, :, size:].any()


def test_dead_latents_add_the_auxiliary_loss_of_their_own_system():
    some, x = saes(aux_weight=0.5, dead_after=2), normal(4, 9, 5)
    plain = some.backward(x)["loss"]
    some.idle_steps[1, 4] = 2
    found = some.backward(x)
    error = x[1] - some.encode_one(1, x[1])[1]
    missed = (error - some.preactivations(x)[1, :, 4:5] @ some.decoder[1, 4:5]).detach()
    close(found["loss"] - plain, [0, 0.5 * float(missed.square().sum()) / 9, 0, 0])
    assert found["dead_latents"].tolist() == [0, 1 / LATENTS, 0, 0]


def test_two_equal_systems_with_equal_weights_double_the_loss_of_one():
    one = some_sae(5, LATENTS, K, [3], dtype=torch.float64)
    two = some_sae(5, LATENTS, K, [3, 3], JointSAE, dtype=torch.float64)
    x = normal(1, 9, 5)
    close(two.backward(x.expand(2, -1, -1))["loss"], 2 * one.backward(x)["loss"].expand(2))
    close(gradient(two, "encoder")[0], 2 * gradient(one, "encoder")[0])


@pytest.mark.parametrize("device", DEVICES)
def test_single_precision_agrees_with_double(device):
    double, single = saes(), saes(dtype=torch.float32, device=device)
    wanted, given = double.backward(normal(4, 9, 5)), single.backward(normal(4, 9, 5).to(device, torch.float32))
    for name in wanted:
        close(given[name], wanted[name], 1e-4)
    for one, other in zip(single.parameters(), double.parameters(), strict=True):
        close(one.grad, other.grad, 1e-4)


def test_pairs_do_not_touch_one_another():
    x, some = normal(4, 9, 5), saes()
    some.backward(x)
    before = gradient(some, "encoder")[:2].clone()
    some.backward(torch.cat([x[:2], normal(2, 9, 5, seed=9)]))
    assert torch.equal(gradient(some, "encoder")[:2], before)


def test_one_system_is_encoded_without_its_padding():
    some = saes([5, 3, 2, 4], pre_bias=True)
    x = padded([normal(9, size, seed=size) for size in (5, 3, 2, 4)])
    for p, size in enumerate([5, 3, 2, 4]):
        code, rebuilt = some.encode_one(p, x[p, :, :size])
        close(code, some.encode(x)[p])
        close(rebuilt, (code @ some.decoder[p] + some.decoder_bias[p]).detach()[:, :size])


def test_codes_rebuilt_and_recoded():
    some, y = saes([5, 3], pairs=1), [normal(9, 5), normal(9, 3)]
    found = joint_codes(some, (0, 1), y)
    for p in (0, 1):
        code, rebuilt = some.encode_one(p, y[p])
        close(found["codes"][p], code)
        close(found["rebuilt"][p], rebuilt)
        close(found["recoded"][p], some.encode_one(p, rebuilt)[0])


def test_swapping_twice_is_nothing():
    x = normal(6, 2)
    assert torch.equal(swap_pairs(x), x[[1, 0, 3, 2, 5, 4]])
    assert torch.equal(swap_pairs(swap_pairs(x)), x)


# Planted features: two views of one sparse z through different maps


@pytest.fixture(scope="module")
def planted():
    z = bernoulli_uniform(6000, 16, 0.1, seeded(0))
    views = [z @ normal(16, units, seed=units) / units**0.5 for units in (20, 11)]
    return z, [(y - y.mean(0)) / y.std() for y in views]


def fitted(y, order=None, steps=1500):
    sae = JointSAE([one.shape[1] for one in y], Recipe.ours(latents=16, k=3), [0, 1], dtype=torch.float64)
    draw = joint_batches(padded(y)[:, :4000], [(0, 1)], 128, order)
    return Training(sae, draw, 1, 0.01, steps).run(steps).model


def halves(codes, at=4000):
    return [y[:at] for y in codes], [y[at:] for y in codes]


def test_joint_codes_recover_the_shared_features_and_align(planted):
    z, y = planted
    codes = joint_codes(fitted(y), (0, 1), y)["codes"]
    scores = ols_both_ways(*halves(codes))
    raw = ols_both_ways(*halves(y))
    assert scores[:, 1].min() > 0.9
    assert scores[0, 1] > raw[1, 1]  # from 20 units to 11 nothing is lost, from 11 to 20 it is
    truth = torch.corrcoef(torch.cat([codes[0][4000:], z[4000:]], 1).T)[:16, 16:].nan_to_num()
    assert (truth.max(0).values > 0.8).double().mean() > 0.8
    # One latent means one feature in both: latent by latent, not after a regression.
    found = [code[4000:].T for code in codes]
    paired = torch.stack([torch.corrcoef(torch.stack(two))[0, 1] for two in zip(*found, strict=True)])
    assert paired.nan_to_num().mean() > 0.8


def test_shuffled_pairs_give_nothing(planted):
    _, y = planted
    order = torch.randperm(4000, generator=seeded(5))
    codes = joint_codes(fitted(y, order, 400), (0, 1), [y[0], torch.cat([y[1][:4000][order], y[1][4000:].flip(0)])])
    scores = ols_both_ways(*halves(codes["codes"]))
    assert scores.abs().max() < 0.06
    matched = ols_both_ways(*halves(joint_codes(fitted(y, None, 400), (0, 1), y)["codes"]))
    assert matched.min() > 0.3  # the test can tell


def test_batches_hold_both_systems_of_each_pair_for_the_same_stimuli():
    y = torch.stack([torch.arange(40.0)[:, None] + 100 * system for system in range(3)])
    x = joint_batches(y, [(0, 1), (2, 0)], 8)(seeded(0))
    assert x.shape == (4, 8, 1)
    for p, system in enumerate([0, 1, 2, 0]):
        assert torch.equal(x[p], x[0] + 100 * system)
    order = torch.arange(40).flip(0)
    x = joint_batches(y, [(0, 1), (2, 0)], 8, order)(seeded(0))
    close(x[1], 100 + 39 - x[0])
    close(x[2], 200 + x[0])
    close(x[3], 39 - x[0])


def test_pairs_trained_in_parts_are_those_trained_at_once(planted):
    y = padded(planted[1])
    both = some_sae([20, 11, 11, 20], 16, 3, [0, 1, 2, 3], JointSAE, dtype=torch.float64)
    Training(both, joint_batches(y, [(0, 1), (1, 0)], 64), 1).run(30)
    second = some_sae([11, 20], 16, 3, [2, 3], JointSAE, dtype=torch.float64)
    Training(second, joint_batches(y, [(1, 0)], 64), 1).run(30)
    close(second.encoder.detach(), both.encoder.detach()[2:], 1e-9)


def test_an_interrupted_run_ends_with_the_same_numbers(planted, tmp_path):
    def start(path=None):
        sae = some_sae([20, 11], 16, 3, [0, 1], JointSAE, aux_weight=1 / 32, dead_after=5, dtype=torch.float64)
        return Training(sae, joint_batches(padded(planted[1]), [(0, 1)], 64), 1, 0.01, 60, path)

    whole = start().run(60)
    start(tmp_path / "joint.pt").run(25)
    resumed = start(tmp_path / "joint.pt")
    assert resumed.step == 25
    resumed.run(60)
    for one, other in zip(resumed.model.state_dict().values(), whole.model.state_dict().values(), strict=True):
        assert torch.equal(one, other)
    assert torch.equal(resumed.history["loss"][-1], whole.history["loss"][-1])


def test_a_stored_sae_is_not_taken_for_a_joint_one(store, planted):
    y = padded(planted[1])
    models = [
        fit(some_sae([20, 11], 16, 3, [0, 1], kind, torch.float64, steps=5), joint_batches(y, [(0, 1)], 64)).model
        for kind in (TopKSAE, JointSAE)
    ]
    assert not torch.equal(models[0].encoder, models[1].encoder)


def test_bad_seeds_and_sizes_are_refused():
    refuses("3 seeds are no pairs", "one for each of the two systems", some_sae, 5, 8, 2, [0, 1, 2], JointSAE)
    refuses("3 numbers of units and 2 seeds", "give one of each", some_sae, [5, 4, 3], 8, 2, [0, 1], JointSAE)
    refuses("k = 9 active features of n = 8", "choose 1 <= k <= n", some_sae, 5, 8, 9, [0, 1], JointSAE)


# Scores


def test_held_out_scores_agree_with_their_definition():
    a, b = normal(300, 6), normal(300, 4, seed=1)
    b[:, :3] += a[:, :3] * torch.tensor([0.5, 1, 3]) + 10
    found = ols_held_out(a[:150], b[:150], a[150:], b[150:])
    close(found.r, held_out_correlations(a, b))
    weights, intercept = ols_fit(a[:150], b[:150])
    p, mean = a[150:] @ weights + intercept, b[:150].mean(0)
    p, t = (p - mean).flatten(), (b[150:] - mean).flatten()
    close(found.pooled, (p @ t) / (p.norm() * t.norm()))


def test_in_the_sample_pooling_is_the_root_of_the_weighted_mean_square():
    a, b = normal(200, 5), normal(200, 3, seed=1) * torch.tensor([1.0, 5, 0.2]) + normal(200, 5)[:, :3]
    found = ols_held_out(a, b, a, b)
    variance = b.var(0)
    close(found.pooled, ((variance * found.r**2).sum() / variance.sum()).sqrt())


def test_other_means_of_units_alone_earn_nothing():
    a, b = normal(2000, 3), normal(2000, 4, seed=1) + torch.tensor([0.0, 50, 100, 150])
    assert ols_held_out(a[:1000], b[:1000], a[1000:], b[1000:]).pooled.abs() < 0.1


def test_a_constant_target_counts_nothing():
    a, b = normal(100, 3), torch.ones(100, 2).double()
    found = ols_held_out(a[:50], b[:50], a[50:], b[50:])
    close(found.r, [0, 0])
    assert found.pooled == 0
    b[:, 0] = a[:, 0]
    both = ols_both_ways((a[:50], b[:50]), (a[50:], b[50:]))
    close(both[0, 0], 0.5)
    close(both[0, 1], 1)


def test_the_two_directions_and_averages_are_in_their_places():
    a = normal(400, 2)
    b = torch.cat([a, normal(400, 2, seed=1)], 1)
    both = ols_both_ways((a[:200], b[:200]), (a[200:], b[200:]))
    close(both[1], [1, 1], 1e-6)
    assert 0.4 < both[0, 0] < 0.6 and 0.6 < both[0, 1] < 0.8


def test_responses_that_do_not_fit_are_refused():
    a, b = normal(50, 3), normal(50, 2, seed=1)
    refuses("y_a has 40 stimuli and y_b has 50", "same stimuli", ols_held_out, a[:40], b, a, b)
    refuses("y_a has 50 stimuli and y_b has 20", "same stimuli", ols_held_out, a, b, a, b[:20])
