from dataclasses import replace

import numpy as np
import pytest
import torch
from helpers import DEVICES, close, gradient, normal, refuses, refuses_bad_sizes, rotation, some_sae
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import ks_2samp, kstest
from torch.distributions import Normal
from torch.nn.functional import layer_norm, normalize

import lib.sae
import lib.training
from lib.features import k_sparse, seeded
from lib.joint_sae import JointSAE
from lib.sae import STARTS, STREAM, Recipe, TopKSAE, batches, explained_variance, fit, keep_largest, start_at, untrained
from lib.training import Training

P, UNITS, LATENTS = 3, 5, 8


@pytest.fixture(params=["dense", "compressed"], autouse=True)
def form(request, monkeypatch):
    """Every test of this file runs with both forms of the codes."""
    if request.param == "compressed":
        monkeypatch.setattr("lib.codes.COMPRESS_FROM", 1)
        monkeypatch.setattr("lib.codes.COMPRESS_SHARE", 1)


def saes(k=3, seeds=(0, 1, 2), units=UNITS, latents=LATENTS, dtype=torch.float64, **options):
    """SAEs whose encoder is not the decoder's transpose and whose biases are not 0: every term counts."""
    some = some_sae(units, latents, k, list(seeds), dtype=dtype, **options)
    with torch.no_grad():
        for number, parameter in enumerate([some.encoder, some.decoder, some.encoder_bias, some.decoder_bias]):
            parameter += 0.2 * normal(*parameter.shape, seed=40 + number).to(parameter)
    return some


def responses(stimuli=20, units=UNITS, models=P, seed=60):
    return normal(models, stimuli, units, seed=seed)


def make_dead(some, *latents):
    some.idle_steps[:, list(latents)] = some.recipe.dead_after
    return some


def by_definition(x, encoder, decoder, encoder_bias, decoder_bias, recipe, dead):
    """Loss of one SAE, TopK by `torch.topk`, stimulus by stimulus."""
    loss = 0
    for stimulus in x:
        z = (stimulus - decoder_bias if recipe.pre_bias else stimulus) @ encoder + encoder_bias
        code = z.relu() if recipe.rectify else z
        places = code.topk(recipe.k).indices
        error = stimulus - decoder_bias - sum(code[i] * decoder[i] for i in places)
        loss = loss + (error**2).sum()
        if recipe.aux_printed:
            missed = error - sum(z[i] * decoder[i] for i in dead) - decoder_bias
            loss = loss + recipe.aux_weight * (missed**2).sum()
        elif dead:
            missed = error.detach() - sum(z[i] * decoder[i] for i in dead)
            loss = loss + recipe.aux_weight * (missed**2).sum()
    return loss / len(x)


def names_and_parameters(some):
    return [(name, getattr(some, name)) for name in ("encoder", "decoder", "encoder_bias", "decoder_bias")]


def of_model(some, p):
    """Copies of the parameters of model p: two matrices and two vectors."""
    return {name: v.detach()[p, 0 if name.endswith("bias") else ...].clone() for name, v in names_and_parameters(some)}


def check_gradients(some, x, dead):
    loss = some.backward(x)["loss"]
    for p in range(len(x)):
        mine = {name: value.requires_grad_() for name, value in of_model(some, p).items()}
        wanted = by_definition(x[p], **mine, recipe=some.recipe, dead=dead)
        wanted.backward()
        close(loss[p], wanted.detach())
        for name, _ in names_and_parameters(some):
            close(gradient(some, name)[p].reshape(mine[name].shape), mine[name].grad)


# Loss and gradients


@pytest.mark.parametrize("dead", [(), (2,), (0, 3, 7), tuple(range(LATENTS))], ids=["none", "one", "some", "all"])
@pytest.mark.parametrize("k", [1, 3, LATENTS])
@pytest.mark.parametrize("pre_bias", [False, True], ids=["x", "x - d"])
@pytest.mark.parametrize("aux_printed", [False, True], ids=["held", "printed"])
@pytest.mark.parametrize("rectify", [False, True], ids=["topk", "relu"])
def test_loss_and_gradients_are_those_of_the_definition(rectify, aux_printed, pre_bias, k, dead):
    options = {"rectify": rectify, "aux_printed": aux_printed, "pre_bias": pre_bias}
    check_gradients(make_dead(saes(k, aux_weight=0.3, **options), *dead), responses(), dead)


@given(seed=st.integers(0, 1000), data=st.data())
def test_gradients_agree_with_automatic_differentiation(seed, data):
    latents, units, stimuli = (data.draw(st.integers(1, 5)) for _ in range(3))
    dead = data.draw(st.lists(st.integers(0, latents - 1), unique=True))
    options = {name: data.draw(st.booleans()) for name in ("pre_bias", "rectify", "aux_printed")} | {"aux_weight": 0.5}
    some = saes(data.draw(st.integers(1, latents)), [seed], units, latents, **options)
    check_gradients(make_dead(some, *dead), responses(stimuli, units, 1, seed), dead)


def test_each_model_has_its_own_dead_latents():
    some, x = saes(), responses()
    some.idle_steps[1, 4] = 1
    loss = some.backward(x)
    assert loss["dead_latents"].tolist() == [0, 1 / LATENTS, 0]
    for p, dead in enumerate([(), (4,), ()]):
        close(loss["loss"][p], by_definition(x[p], **of_model(some, p), recipe=some.recipe, dead=dead))


def test_losses_worked_by_hand():
    some = some_sae(2, 2, 1, [0], aux_weight=0.5, dtype=torch.float64)
    with torch.no_grad():
        some.encoder.copy_(torch.eye(2))
        some.decoder.copy_(torch.eye(2))
        some.decoder_bias.copy_(torch.tensor([0.0, 1]))
    x = torch.tensor([[[3.0, 2]]]).double()  # kept (3, 0), reconstructed (3, 1), missed (0, 1)
    assert some.backward(x)["loss"] == 1
    some.idle_steps[0, 1] = 1  # dead: it would add (0, 2), which misses (0, 1) by (0, -1)
    assert some.backward(x)["loss"] == 1 + 0.5 * 1
    some.idle_steps[0] = torch.tensor([1, 0])  # the dead one is chosen all the same; it would add (3, 0)
    assert some.backward(x)["loss"] == 1 + 0.5 * (9 + 1)


def test_losses_of_the_authors_worked_by_hand():
    some = some_sae(2, 2, 1, [0], aux_weight=0.5, aux_printed=True, rectify=True, dead_after=0, dtype=torch.float64)
    with torch.no_grad():
        some.encoder.copy_(torch.eye(2))
        some.decoder.copy_(torch.eye(2))
        some.decoder_bias.copy_(torch.tensor([0.0, 1]))
    x = torch.tensor([[[3.0, 2]]]).double()  # kept (3, 0), reconstructed (3, 1), missed (0, 1); latent 1 is silent here
    assert some.backward(x)["loss"] == 1 + 0.5 * 4  # it gives (0, 2) and the bias (0, 1): (0, 1) - (0, 3)
    both = torch.tensor([[[3.0, 2], [2, 3]]]).double()  # both are active: the bias alone is too much by nothing
    measured = some.backward(both)  # reconstructed (3, 1) and (0, 4), missed (0, 1) and (2, -1)
    assert measured["loss"] == (1 + 5) / 2 + 0.5 * (0 + (4 + 4)) / 2
    assert measured["dead_latents"] == 0
    assert some.backward(-x)["dead_latents"] == 1  # TopK keeps an entry that ReLU has made 0
    assert not some.encode(-x).any() and not some.encode_one(0, -x[0])[0].any()


@pytest.mark.parametrize("k", [1, 3, LATENTS])
def test_a_latent_is_dead_in_the_batch_in_which_it_is_silent(k):
    some, x = saes(k, dead_after=0, aux_printed=True, rectify=True), responses(4)
    dead = [(~some.encode(x)[p].any(0)).nonzero()[:, 0].tolist() for p in range(P)]
    assert k > 1 or all(dead)
    measured = some.backward(x)
    close(measured["dead_latents"], [len(each) / LATENTS for each in dead])
    for p in range(P):
        close(measured["loss"][p], by_definition(x[p], **of_model(some, p), recipe=some.recipe, dead=dead[p]))
    assert torch.equal(some.dead_latents(), torch.stack([~some.encode(x)[p].any(0) for p in range(P)]))


def test_a_dead_latent_that_is_not_chosen_learns_through_the_auxiliary_loss_alone():
    some, x = saes(), responses()
    with torch.no_grad():
        some.encoder_bias[:, :, 0] = -100
    some.backward(x)
    assert (gradient(some, "encoder")[:, :, 0] == 0).all()
    assert (some.decoder.grad[:, 0] == 0).all()
    assert (gradient(some, "encoder")[:, :, 1:].norm(dim=1) > 0).all()
    some.backward(x)  # now it is dead
    assert (gradient(some, "encoder")[:, :, 0].norm(dim=1) > 0).all()
    assert (some.decoder.grad[:, 0].norm(dim=1) > 0).all()
    some.recipe = replace(some.recipe, aux_weight=0)
    some.backward(x)
    assert (gradient(some, "encoder")[:, :, 0] == 0).all()


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize(
    "options",
    [{}, {"pre_bias": True}, {"rectify": True, "aux_printed": True, "dead_after": 0}],
    ids=["x", "x - d", "authors"],
)
def test_single_precision_and_gpu_agree_with_double_precision(options, device):
    double = make_dead(saes(**options), 2, 4)
    single = make_dead(saes(dtype=torch.float32, device=device, **options), 2, 4)
    wanted, given = double.backward(responses()), single.backward(responses().to(device, torch.float32))
    for name in wanted:
        close(given[name], wanted[name], 1e-4)
    for name, _ in names_and_parameters(single):
        close(gradient(single, name), gradient(double, name), 1e-4)


def test_explained_variance_is_the_share_of_the_variance_that_is_reconstructed():
    some, x = saes(), responses()
    explained = some.backward(x + 10)["explained_variance"]
    for p in range(P):
        error = by_definition(x[p] + 10, **of_model(some, p), recipe=some.recipe, dead=())
        close(explained[p], 1 - error / x[p].var(0, correction=0).sum())
    nothing = saes()
    with torch.no_grad():
        nothing.decoder.zero_()
        nothing.decoder_bias.copy_(x.mean(1, keepdim=True))
    close(nothing.backward(x)["explained_variance"], torch.zeros(P).double())


def test_explained_variance_is_that_of_all_stimuli_however_many_are_coded_at_a_time(monkeypatch):
    some, x = saes(), 3 + responses(70)
    error = x - (some.encode(x) @ some.decoder + some.decoder_bias).detach()
    wanted = 1 - error.square().sum((1, 2)) / (x - x.mean(1, keepdim=True)).square().sum((1, 2))
    for part in (2500, 16):
        monkeypatch.setattr(lib.sae, "PART", part)
        close(explained_variance(some, x), wanted)


def test_a_complete_dictionary_explains_everything():
    some = some_sae(4, 8, 8, [0], dtype=torch.float64)
    with torch.no_grad():
        some.decoder.copy_(torch.cat([torch.eye(4), torch.eye(4)]))
        some.encoder.copy_(some.decoder.mT / 2)
    measured = some.backward(responses(20, 4, 1))
    close(measured["loss"], [0.0])
    close(measured["explained_variance"], [1.0])


# TopK


@given(seed=st.integers(0, 1000), k=st.integers(1, LATENTS))
def test_latents_are_the_k_largest_then_rectified(seed, k):
    some, x = saes(k, [seed]), responses(9, models=1, seed=seed)
    z = (x[0] @ some.encoder[0] + some.encoder_bias[0]).detach().numpy()
    wanted = np.zeros_like(z)
    for row, kept in zip(z, wanted, strict=True):
        for place in np.argsort(row)[::-1][:k]:
            kept[place] = max(row[place], 0)
    close(some.latents(x)[0], wanted)
    close(some.preactivations(x)[0].detach(), z)


@given(seed=st.integers(0, 1000), k=st.integers(1, LATENTS))
def test_codes_are_the_k_largest_whatever_their_sign(seed, k):
    some, x = saes(k, [seed], pre_bias=True), responses(9, models=1, seed=seed)
    with torch.no_grad():
        some.encoder_bias -= 2
    z = ((x[0] - some.decoder_bias[0]) @ some.encoder[0] + some.encoder_bias[0]).detach()
    wanted = torch.zeros_like(z).scatter(1, z.topk(k).indices, z.topk(k).values)
    close(some.encode(x)[0], wanted)
    assert (wanted < 0).any()
    assert not some.encode(x).requires_grad
    close(some.latents(x)[0], wanted.clamp(min=0))
    close(keep_largest(z, k), wanted)


def test_all_of_a_tie_are_kept():
    some = some_sae(2, 4, 2, [0], dtype=torch.float64)
    with torch.no_grad():
        some.encoder.copy_(torch.tensor([[3.0, 1, 1, 0], [0, 0, 0, 0]]))
    close(some.latents(torch.ones(1, 1, 2).double()), [[[3.0, 1, 1, 0]]])


def test_negative_values_are_kept_in_training_and_rectified_in_scoring():
    some = some_sae(1, 2, 1, [0], dtype=torch.float64)
    with torch.no_grad():
        some.encoder.copy_(torch.tensor([[1.0, 2]]))
        some.decoder.copy_(torch.tensor([[1.0], [1]]))
    x = -torch.ones(1, 1, 1).double()
    assert some.backward(x)["loss"] == 0
    assert (some.latents(x) == 0).all()


# Dead latents


@pytest.mark.parametrize("dead_after", [1, 3])
def test_a_latent_is_dead_after_so_many_steps_at_0_on_end(dead_after):
    some = some_sae(2, 2, 1, [0, 1], dead_after=dead_after, dtype=torch.float64)
    with torch.no_grad():
        some.encoder.copy_(torch.eye(2))
    first, second = torch.tensor([[1.0, 0], [2, 0]]).double(), torch.tensor([[0.0, 1], [2, 1]]).double()
    # Model 0 uses latent 0 alone until step 6, model 1 latent 0 alone at each second step.
    idle, shares = [0, 0], []
    for step in range(8):
        uses = [step >= 6, step % 2 == 1]  # latent 1 is chosen for some stimulus
        x = torch.stack([second if used else first for used in uses])
        assert some.dead_latents().tolist() == [[False, idle[0] >= dead_after], [False, idle[1] >= dead_after]]
        measured = some.backward(x)["dead_latents"]
        close(measured, [(count >= dead_after) / 2 for count in idle])
        shares.append(measured.tolist())
        idle = [0 if used else count + 1 for used, count in zip(uses, idle, strict=True)]
    wanted = {1: [0, *[0.5] * 6, 0], 3: [0, 0, 0, *[0.5] * 4, 0]}[dead_after]
    assert [first for first, _ in shares] == wanted


def test_a_chosen_latent_of_value_0_does_not_count_as_used():
    some = some_sae(2, 2, 2, [0], dtype=torch.float64)
    with torch.no_grad():
        some.encoder.copy_(torch.tensor([[1.0, 0], [0, 0]]))
    some.backward(torch.ones(1, 3, 2).double())
    assert some.idle_steps.tolist() == [[0, 1]]


def test_a_latent_below_0_that_is_chosen_counts_as_used():
    some = some_sae(1, 2, 1, [0], dtype=torch.float64)
    with torch.no_grad():
        some.encoder.copy_(torch.tensor([[1.0, 2]]))
    some.backward(-torch.ones(1, 3, 1).double())
    assert some.idle_steps.tolist() == [[0, 1]]


# The start


def test_start_is_random_directions_their_transpose_and_no_bias():
    some = some_sae(6, 9, 2, [3, 4], dtype=torch.float64)
    close(some.decoder.detach().norm(dim=-1), torch.ones(2, 9))
    assert torch.equal(some.encoder, some.decoder.mT)
    assert some.encoder_rows.is_contiguous()
    assert some.encoder.data_ptr() != some.decoder.data_ptr()
    assert not some.encoder_bias.any()
    assert not some.decoder_bias.any()
    assert not some.dead_latents().any()
    for p, seed in enumerate([3, 4]):
        drawn = torch.randn(2, 9, 6, generator=seeded(seed), dtype=torch.float64)
        close(some.decoder[p].detach(), normalize(drawn[0], dim=1))


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("start", [start for start in STARTS if start != "tied"])
def test_the_other_starts_draw_the_encoder_too(start, device):
    some = some_sae(6, 9, 2, [3, 4], start=start, dtype=torch.float64, device=device)
    assert not some.encoder_bias.any()
    assert not some.decoder_bias.any()
    for p, seed in enumerate([3, 4]):
        decoder, encoder = torch.randn(2, 9, 6, generator=seeded(seed), dtype=torch.float64)
        if start == "untied":
            decoder, encoder = (drawn / drawn.norm(dim=1, keepdim=True) for drawn in (decoder, encoder))
        if start == "xavier":
            decoder, encoder = (drawn * (2 / (6 + 9)) ** 0.5 for drawn in (decoder, encoder))
        if start == "kaiming":
            decoder = (6 / 6) ** 0.5 * (2 * Normal(0, 1).cdf(decoder) - 1)
            encoder = (6 / 9) ** 0.5 * (2 * Normal(0, 1).cdf(encoder) - 1)
        close(some.decoder[p].detach(), decoder)
        close(some.encoder[p].detach(), encoder.mT)


def test_lengths_and_angles_at_each_start():
    def some(start):
        one = some_sae(60, 90, 2, [0], start=start)
        return one.decoder.detach(), one.encoder.detach()

    decoder, encoder = some("untied")
    close(decoder.norm(dim=2), torch.ones(1, 90), 1e-6)
    close(encoder.norm(dim=1), torch.ones(1, 90), 1e-6)
    assert ((decoder * encoder.mT).sum(2).abs() < 5 / 60**0.5).all()  # unrelated directions
    decoder, encoder = some("gaussian")
    own, torchs = some("xavier")[0], torch.nn.init.xavier_normal_(torch.empty(60, 90), generator=seeded(1))
    close(own.std() / torchs.std(), 1, 0.05)
    for weights in (decoder, encoder, own / (2 / 150) ** 0.5):
        assert kstest(weights.flatten().numpy(), "norm").pvalue > 1e-3
    assert abs((decoder * encoder.mT).mean()) < 5 / (60 * 90) ** 0.5
    for own in some("kaiming"):  # torch draws (rows, inputs)
        torchs = torch.nn.init.kaiming_uniform_(torch.empty(own.shape[1:]), generator=seeded(1))
        assert ks_2samp(own.flatten().numpy(), torchs.flatten().numpy()).pvalue > 1e-3
        close(own.abs().max() / torchs.abs().max(), 1, 0.01)


@pytest.mark.parametrize("start", STARTS)
def test_a_parameter_keeps_no_other_draw_in_memory(start):
    for parameter in some_sae(6, 9, 2, [3, 4], start=start).parameters():
        assert parameter.untyped_storage().nbytes() == 4 * parameter.numel()


@pytest.mark.parametrize("k", [0, 9, -1])
def test_k_out_of_range_is_refused(k):
    refuses(f"k = {k} active features of n = 8", "choose 1 <= k <= n", some_sae, 5, 8, k, [0])


def test_unknown_words_and_bad_sizes_are_refused():
    refuses("start 'random' is unknown", "choose tied", some_sae, 5, 8, 2, [0], start="random")
    refuses_bad_sizes(some_sae)


# Systems of different sizes


SIZES = [3, 5, 4]


def padded_stream(generator):
    """Responses of systems of 3, 5 and 4 units, padded with zeros."""
    x = torch.randn(P, 32, max(SIZES), generator=generator, dtype=torch.float64) + 0.3
    return torch.stack([x[p] * (torch.arange(max(SIZES)) < size) for p, size in enumerate(SIZES)])


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"start": "untied", "unit_norm": True},
        {"start": "gaussian", "pre_bias": True, "unit_norm": True},
        {"start": "xavier", "rectify": True, "aux_printed": True, "dead_after": 0},
        {"start": "kaiming", "rectify": True, "aux_printed": True, "dead_after": 2},
    ],
    ids=["plain", "untied", "gaussian", "authors", "networks"],
)
def test_padding_changes_nothing_and_stays_0(options):
    def build(units, seeds):
        return some_sae(units, LATENTS, 2, seeds, dtype=torch.float64, **options)

    batch = Training(build(SIZES, [7, 8, 9]), padded_stream, lr=0.01).run(40)
    assert batch.history["dead_latents"].max() > 0
    encoder, decoder, _, decoder_bias = [v.detach() for _, v in names_and_parameters(batch.model)]
    for p, size in enumerate(SIZES):
        for padding in (encoder[p, size:], decoder[p, :, size:], decoder_bias[p, :, size:]):
            assert (padding == 0).all()

        def draw(generator, p=p, size=size):
            return padded_stream(generator)[p : p + 1, :, :size]

        alone = Training(build(size, [7 + p]), draw, lr=0.01).run(40)
        mine = alone.model
        close(encoder[p, :size], mine.encoder[0].detach(), 1e-9)
        close(decoder[p, :, :size], mine.decoder[0].detach(), 1e-9)
        close(decoder_bias[p, :, :size], mine.decoder_bias[0].detach(), 1e-9)
        close(batch.model.encoder_bias[p].detach(), mine.encoder_bias[0].detach(), 1e-9)
        for name in ("loss", "explained_variance", "dead_latents"):
            close(batch.history[name][:, p], alone.history[name][:, 0], 1e-9)
        x = padded_stream(seeded(1))
        close(batch.model.encode(x)[p], mine.encode(x[p : p + 1, :, :size])[0], 1e-9)


# Rows of length 1


def test_training_keeps_the_rows_at_length_1_if_asked():
    def lengths(unit_norm):
        some = some_sae(UNITS, LATENTS, 2, [0, 1], unit_norm=unit_norm, dtype=torch.float64)
        seen = []

        def draw(generator):
            seen.append(some.decoder.detach().norm(dim=-1))
            return torch.randn(2, 32, UNITS, generator=generator, dtype=torch.float64)

        Training(some, draw, lr=0.01).run(20)
        return torch.stack([*seen, some.decoder.detach().norm(dim=-1)])

    close(lengths(True), torch.ones(21, 2, LATENTS))
    free = (lengths(False)[1:] - 1).abs()
    assert (free.amax((0, 1)) > 1e-3).all()


def test_unit_norm_is_the_plain_step_then_divided_by_the_length():
    plain, kept = saes(), saes(unit_norm=True)
    for some in (plain, kept):
        Training(some, lambda generator: responses(), lr=0.05).run(1)
    wanted = {name: v.detach().clone() for name, v in names_and_parameters(plain)}
    wanted["decoder"] = torch.stack([torch.stack([row / row.norm() for row in d]) for d in wanted["decoder"]])
    for name, parameter in names_and_parameters(kept):
        close(parameter.detach(), wanted[name])


def test_untrained_saes_have_the_shape_and_know_nothing_of_the_start():
    some = some_sae([4, 7, 5], 9, 2, [3, 4, 5], start="gaussian", dtype=torch.float64)
    control = untrained(some, [8, 9])
    assert control.units == [4, 7] and control.recipe == replace(some.recipe, start="tied")
    close(control.decoder[0, :, :4].detach(), some_sae(4, 9, 2, [8], dtype=torch.float64).decoder[0].detach())
    close(control.encoder.mT.detach(), control.decoder.detach())
    assert untrained(some_sae(4, 9, 2, [0, 1], JointSAE), [2, 3]).__class__ is JointSAE


def test_without_seeds_an_untrained_sae_is_the_trained_one_s_start():
    some = some_sae([4, 7, 5], 9, 2, [3, 4, 5], start="xavier", dtype=torch.float64)
    start = {name: value.clone() for name, value in some.state_dict().items()}
    Training(some, lambda generator: normal(3, 8, 7)).run(3)
    assert not torch.equal(some.decoder, start["decoder"])
    control = untrained(some)
    assert all(torch.equal(value, start[name]) for name, value in control.state_dict().items())
    assert (control.units, control.recipe) == (some.units, some.recipe)


def test_an_encoder_that_starts_at_responses_knows_what_is_like_them():
    y = layer_norm(responses(LATENTS, seed=3), [UNITS])  # a stimulus for each latent, the same for all models
    some = start_at(saes(1, start="kaiming"), y)
    with torch.no_grad():
        some.encoder_bias.zero_()
    encoder = some.encoder.detach().mT
    close(encoder.amax(-1), torch.zeros(P, LATENTS))
    close(encoder.amin(-1), torch.full((P, LATENTS), -((6 / LATENTS) ** 0.5), dtype=torch.float64))
    for p, i in ((0, 2), (2, 7)):
        close(encoder[p, i], (6 / LATENTS) ** 0.5 * (y[p, i] - y[p, i].max()) / (y[p, i].max() - y[p, i].min()))
    span = y.amax(-1) - y.amin(-1)
    close(some.preactivations(y).detach() * span[:, None], (6 / LATENTS) ** 0.5 * y @ y.mT)
    decoder = saes(1, start="kaiming").decoder
    assert torch.equal(some.decoder, decoder)


def test_the_same_stimuli_make_latents_of_rotated_systems_alike_before_any_training():
    """A rotation keeps the mean of layer-normalised responses at 0 if it fixes the vector of ones."""
    y = layer_norm(responses(60, 4, 1, seed=3), [4])
    basis = torch.linalg.qr(torch.cat([torch.ones(4, 1).double(), normal(4, 3, seed=5)], 1))[0]
    turned = y @ basis @ torch.block_diag(torch.ones(1, 1), rotation(3, 6)).double() @ basis.T
    both = torch.cat([y, turned])

    def codes(a, b):
        return start_at(some_sae(4, 30, 2, [0, 1], dtype=torch.float64), both[torch.tensor([0, 1])[:, None], [a, b]])

    first, second = [*range(30)], [*range(30, 60)]
    like, unlike = codes(first, first).latents(both) > 0, codes(first, second).latents(both) > 0
    span = (both.amax(-1) - both.amin(-1))[:, :30]
    assert not torch.allclose(span[0], span[1])  # which latent is largest may differ by the factors alone
    assert (like[0] & like[1]).sum() > 2 * (unlike[0] & unlike[1]).sum() > 0


def test_responses_that_an_encoder_cannot_start_at_are_refused():
    refuses("responses (3, 7, 5) to start at", "give (3, 8, 5)", start_at, saes(), responses(7))
    flat = responses(LATENTS)
    flat[1, 4] = 2
    refuses("1 responses are the same for all units", "other stimuli", start_at, saes(), flat)


def test_batches_are_the_same_stimuli_of_all_models_and_every_one_of_them():
    y = torch.arange(40.0)[None, :, None] + 100 * torch.arange(3.0)[:, None, None]
    seen = batches(y, 500)(seeded(1))
    assert seen.shape == (3, 500, 1)
    close(seen[1:] - seen[:1], torch.tensor([100.0, 200.0])[:, None, None].expand(2, 500, 1))
    assert set(seen[0].flatten().tolist()) == set(range(40))


@pytest.mark.parametrize("recipe", [Recipe.ours, Recipe.of_networks, Recipe.authors])
def test_a_named_recipe_gives_way_to_what_is_asked_for(recipe):
    plain, asked = recipe(latents=8, k=2), recipe(latents=8, k=2, lr=0.5, batch=3)
    assert asked == replace(plain, lr=0.5, batch=3) != plain


def test_the_authors_have_one_k_of_their_own_and_decay():
    own = Recipe.authors(latents=64, steps=5)
    assert (own.k, own.start, own.rectify, own.pre_bias, own.unit_norm) == (7, "xavier", True, False, False)
    assert (own.lr, own.weight_decay, own.cosine, own.batch) == (1e-3, 0.01, False, 1024)
    assert (own.aux_weight, own.aux_printed, own.dead_after) == (0.1, True, 0)


def test_short_trainings_of_ours_have_a_falling_rate_and_revive_dead_latents_gently():
    own = Recipe.ours(latents=64, k=4)
    assert (own.lr, own.aux_weight, own.dead_after, own.batch) == (0.01, 1 / 32, 50, 512)
    assert (own.start, own.rectify, own.aux_printed, own.cosine) == ("tied", False, False, True)


def test_networks_have_the_numbers_of_the_text_and_the_rest_of_the_code():
    own = Recipe.of_networks(latents=64, k=4)
    assert (own.lr, own.aux_weight, own.dead_after, own.batch) == (4e-4, 1e-4, 32, 1024)
    assert (own.start, own.rectify, own.aux_printed) == ("kaiming", True, True)
    assert (own.weight_decay, own.cosine, own.pre_bias, own.unit_norm) == (0, False, False, False)


# Training


def test_fit_passes_the_whole_recipe_on(store):
    some = some_sae(20, 30, 3, [0], steps=40, lr=0.02, weight_decay=3.0)
    wanted = Training(
        some_sae(20, 30, 3, [0]), stream(dictionary(), dtype=torch.float32), STREAM, 0.02, weight_decay=3.0
    )
    close(
        fit(some, stream(dictionary(), dtype=torch.float32)).model.decoder.detach(),
        wanted.run(40).model.decoder.detach(),
    )


def test_training_by_the_authors_recipe_equals_automatic_differentiation_and_torch():
    """Forty steps against an SAE written plainly, by autograd and torch's AdamW."""
    recipe, draw = Recipe.authors(latents=30, k=3), stream(dictionary())
    some = Training(TopKSAE(20, recipe, [0], dtype=torch.float64), draw, 1, recipe.lr, weight_decay=recipe.weight_decay)
    mine = {name: v.requires_grad_() for name, v in of_model(some.model, 0).items()}
    adam, generator = torch.optim.AdamW(mine.values(), lr=1e-3), seeded(1)
    for _ in range(40):
        adam.zero_grad()
        x = draw(generator)[0]
        code = (x @ mine["encoder"] + mine["encoder_bias"]).relu()
        code = torch.zeros_like(code).scatter(1, *reversed(code.topk(3)))
        dead = (~(code > 0).any(0)).nonzero()[:, 0].tolist()
        by_definition(x, **mine, recipe=recipe, dead=dead).backward()
        adam.step()
    for name, value in of_model(some.run(40).model, 0).items():
        close(value, mine[name].detach(), 1e-8)


def dictionary(atoms=24, units=20, seed=9):
    return normalize(normal(atoms, units, seed=seed), dim=1)


def stream(atoms, batch=64, k=3, models=1, dtype=torch.float64):
    """Sums of k atoms, the same for every model."""
    return lambda generator: (k_sparse(batch, len(atoms), k, generator, dtype) @ atoms.to(dtype)).expand(models, -1, -1)


def test_a_planted_dictionary_is_found():
    atoms = dictionary().float()
    some = some_sae(20, 48, 3, [0, 1])

    def best():
        return (normalize(some.decoder.detach(), dim=-1) @ atoms.T).amax(1)

    assert (best() < 0.8).all()
    history = Training(some, stream(atoms, 256, 3, 2, torch.float32), lr=0.01).run(1200).history
    assert (best() > 0.95).all()
    assert (history["explained_variance"][-1] > 0.95).all()
    assert (history["explained_variance"][0] < 0.8).all()


def test_an_sae_does_not_notice_its_neighbours():
    atoms = dictionary()

    def run(seeds):
        some = some_sae(20, 30, 3, seeds, dtype=torch.float64)
        return Training(some, stream(atoms, models=len(seeds)), seed=STREAM, lr=3e-3).run(60)

    batch = run([5, 6])
    assert batch.history["dead_latents"].max() > 0  # so the auxiliary loss has a say
    for p, seed in enumerate([5, 6]):
        alone = run([seed])
        for name, parameter in names_and_parameters(batch.model):
            close(parameter[p].detach(), getattr(alone.model, name)[0].detach(), 1e-9)
        assert torch.equal(batch.model.idle_steps[p], alone.model.idle_steps[0])
        for name in ("loss", "explained_variance", "dead_latents"):
            close(batch.history[name][:, p], alone.history[name][:, 0], 1e-9)


def test_a_killed_training_goes_on_to_identical_numbers(store, monkeypatch):
    monkeypatch.setattr(lib.training, "SECONDS_BETWEEN_CHECKPOINTS", -1)
    draw = stream(dictionary(), models=2, dtype=torch.float32)

    def run(stop=None):
        count = iter(range(stop or 10_000))

        def counted(generator):
            if next(count, None) is None:
                raise KeyboardInterrupt
            return draw(generator)

        counted.identity = lambda: "dictionary of seed 9"  # not how often it was asked
        return fit(some_sae(20, 30, 3, [0, 1], steps=40), counted)

    with pytest.raises(KeyboardInterrupt):
        run(17 + lib.training.BATCHES_SEEN)
    (path,) = store.glob("saes-*.pt")
    assert torch.load(path)["step"] == 17
    resumed = run()
    path.unlink()
    whole = run()
    for name, value in whole.model.state_dict().items():
        assert torch.equal(resumed.model.state_dict()[name], value), name
    assert torch.equal(resumed.generator.get_state(), whole.generator.get_state())
    assert resumed.history.keys() == whole.history.keys()
    for name, value in whole.history.items():
        assert torch.equal(resumed.history[name], value), name
    one, other = (training.optimizer.state_dict()["state"] for training in (resumed, whole))
    for parameter in other:
        for name, value in other[parameter].items():
            assert torch.equal(one[parameter][name], value), name


def test_trained_saes_are_found_again_and_differ_by_what_is_drawn(store):
    draws = []

    def drawing(scale):
        def draw(generator):
            draws.append(scale * stream(dictionary(), models=2, dtype=torch.float32)(generator))
            return draws[-1]

        draw.identity = lambda: "a dictionary"  # the scale is seen in the first batches alone
        return draw

    same = {"units": 20, "latents": 30, "k": 3, "seeds": [0, 1], "steps": 250}
    seen = lib.training.BATCHES_SEEN
    training = fit(some_sae(**same), drawing(1))
    assert torch.equal(draws[seen], stream(dictionary(), models=2, dtype=torch.float32)(seeded(STREAM)))
    assert {name: value.shape for name, value in training.history.items()} == {
        "step": (125,),
        **dict.fromkeys(["loss", "explained_variance", "dead_latents"], (125, 2)),
    }
    assert (training.history["loss"][-1] < 0.5 * training.history["loss"][0]).all()
    assert (training.model.recipe.aux_weight, training.model.recipe.dead_after) == (0.1, 1)
    assert len(draws) == 250 + seen
    fit(some_sae(**same), drawing(1))
    assert len(draws) == 250 + 2 * seen
    for scale, change in ((1, {}), (2, {}), (1, {"k": 4}), (1, {"latents": 31})):
        draws.clear()
        fit(some_sae(**same | {"steps": 2} | change), drawing(scale))
        assert len(draws) == 2 + seen


def waits(sae, x):
    """Operations of a step by name, and how often it reads a number, which on a GPU is waiting for it."""
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU]) as profile:
        sae.backward(x)
    counts = {event.key: event.count for event in profile.key_averages() if event.key.startswith("aten::")}
    return counts, sum(counts.get(f"aten::{name}", 0) for name in ("_local_scalar_dense", "nonzero", "masked_select"))


@pytest.mark.parametrize("aux_printed", [False, True])
def test_a_step_waits_for_the_device_once_at_most_however_many_models_have_dead_latents(aux_printed, monkeypatch):
    monkeypatch.setattr("lib.codes.COMPRESS_FROM", 1000)  # the form for GPUs
    found = []
    for models in (1, 12):
        sae = TopKSAE(6, Recipe(latents=24, k=2, dead_after=3, aux_printed=aux_printed), list(range(models)))
        sae.idle_steps[:, :9] = 5
        found.append(waits(sae, normal(models, 40, 6).float()))
    (one, _), (many, count) = found
    assert count <= 1 and sum(many.values()) == sum(one.values()), found
