import numpy as np
import pytest
import torch
from helpers import DEVICES, DTYPES, close, normal, refuses
from hypothesis import given
from hypothesis import strategies as st
from torch.nn.functional import normalize

import lib.training
from lib.features import k_sparse, seeded
from lib.sae import STREAM, TopKSAE, kth_largest, train_saes
from lib.training import Training

P, UNITS, LATENTS = 3, 5, 8


def saes(k=3, seeds=(0, 1, 2), units=UNITS, latents=LATENTS, dtype=torch.float64, **options):
    """SAEs whose encoder is not the decoder's transpose and whose biases are not 0: every term counts."""
    some = TopKSAE(units, latents, k, list(seeds), dtype=dtype, **options)
    with torch.no_grad():
        for number, parameter in enumerate([some.encoder, some.decoder, some.encoder_bias, some.decoder_bias]):
            parameter += 0.2 * normal(*parameter.shape, seed=40 + number).to(parameter)
    return some


def responses(stimuli=20, units=UNITS, models=P, seed=60):
    return normal(models, stimuli, units, seed=seed)


def make_dead(some, *latents):
    some.idle_steps[:, list(latents)] = some.dead_after
    return some


def by_definition(x, encoder, decoder, encoder_bias, decoder_bias, k, dead, aux_weight):
    """Loss of one SAE, TopK by `torch.topk`, stimulus by stimulus."""
    loss = 0
    for stimulus in x:
        z = stimulus @ encoder + encoder_bias
        places = z.topk(k).indices
        error = stimulus - decoder_bias - sum(z[i] * decoder[i] for i in places)
        loss = loss + (error**2).sum()
        if dead:
            missed = error.detach() - sum(z[i] * decoder[i] for i in dead)
            loss = loss + aux_weight * (missed**2).sum()
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
        wanted = by_definition(x[p], **mine, k=some.k, dead=dead, aux_weight=some.aux_weight)
        wanted.backward()
        close(loss[p], wanted.detach())
        for name, parameter in names_and_parameters(some):
            close(parameter.grad[p].reshape(mine[name].shape), mine[name].grad)


# Loss and gradients


@pytest.mark.parametrize("dead", [(), (2,), (0, 3, 7), tuple(range(LATENTS))], ids=["none", "one", "some", "all"])
@pytest.mark.parametrize("k", [1, 3, LATENTS])
def test_loss_and_gradients_are_those_of_the_definition(k, dead):
    check_gradients(make_dead(saes(k, aux_weight=0.3), *dead), responses(), dead)


@given(seed=st.integers(0, 1000), data=st.data())
def test_gradients_agree_with_automatic_differentiation(seed, data):
    latents, units, stimuli = (data.draw(st.integers(1, 5)) for _ in range(3))
    dead = data.draw(st.lists(st.integers(0, latents - 1), unique=True))
    some = saes(data.draw(st.integers(1, latents)), [seed], units, latents, aux_weight=0.5)
    check_gradients(make_dead(some, *dead), responses(stimuli, units, 1, seed), dead)


def test_each_model_has_its_own_dead_latents():
    some, x = saes(), responses()
    some.idle_steps[1, 4] = 1
    loss = some.backward(x)
    assert loss["dead_latents"].tolist() == [0, 1 / LATENTS, 0]
    for p, dead in enumerate([(), (4,), ()]):
        close(loss["loss"][p], by_definition(x[p], **of_model(some, p), k=3, dead=dead, aux_weight=0.1))


def test_losses_worked_by_hand():
    some = TopKSAE(2, 2, 1, [0], aux_weight=0.5, dtype=torch.float64)
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


def test_a_dead_latent_that_is_not_chosen_learns_through_the_auxiliary_loss_alone():
    some, x = saes(), responses()
    with torch.no_grad():
        some.encoder_bias[:, :, 0] = -100
    some.backward(x)
    assert (some.encoder.grad[:, :, 0] == 0).all()
    assert (some.decoder.grad[:, 0] == 0).all()
    assert (some.encoder.grad[:, :, 1:].norm(dim=1) > 0).all()
    some.backward(x)  # now it is dead
    assert (some.encoder.grad[:, :, 0].norm(dim=1) > 0).all()
    assert (some.decoder.grad[:, 0].norm(dim=1) > 0).all()
    some.aux_weight = 0
    some.backward(x)
    assert (some.encoder.grad[:, :, 0] == 0).all()


@pytest.mark.parametrize("device", DEVICES)
def test_single_precision_and_gpu_agree_with_double_precision(device):
    double, single = make_dead(saes(), 2, 4), make_dead(saes(dtype=torch.float32, device=device), 2, 4)
    wanted, given = double.backward(responses()), single.backward(responses().to(device, torch.float32))
    for name in wanted:
        close(given[name], wanted[name], 1e-4)
    for (_, one), (_, other) in zip(names_and_parameters(single), names_and_parameters(double), strict=True):
        close(one.grad, other.grad, 1e-4)


def test_explained_variance_is_the_share_of_the_variance_that_is_reconstructed():
    some, x = saes(), responses()
    explained = some.backward(x + 10)["explained_variance"]
    for p in range(P):
        error = by_definition(x[p] + 10, **of_model(some, p), k=3, dead=(), aux_weight=0)
        close(explained[p], 1 - error / x[p].var(0, correction=0).sum())
    nothing = saes()
    with torch.no_grad():
        nothing.decoder.zero_()
        nothing.decoder_bias.copy_(x.mean(1, keepdim=True))
    close(nothing.backward(x)["explained_variance"], torch.zeros(P).double())


def test_a_complete_dictionary_explains_everything():
    some = TopKSAE(4, 8, 8, [0], dtype=torch.float64)
    with torch.no_grad():
        some.decoder.copy_(torch.cat([torch.eye(4), torch.eye(4)]))
        some.encoder.copy_(some.decoder.mT / 2)
    measured = some.backward(responses(20, 4, 1))
    close(measured["loss"], [0.0])
    close(measured["explained_variance"], [1.0])


# TopK


@given(seed=st.integers(0, 1000), n=st.integers(1, 12), data=st.data())
def test_kth_largest_agrees_with_sorting(seed, n, data):
    k = data.draw(st.integers(1, n))
    z = normal(2, 3, n, seed=seed)
    close(kth_largest(z, k)[..., 0], np.sort(z.numpy(), axis=-1)[..., ::-1][..., k - 1].copy(), 0)
    assert ((z >= kth_largest(z, k)).sum(-1) == k).all()


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("k", [1, 2, 17, 64])
def test_kth_largest_agrees_with_torch(k, dtype, device):
    z = normal(3, 50, 64).to(device, dtype)
    z[0, :, ::2] = 0.5  # many ties
    kth = kth_largest(z, k)
    assert torch.equal(kth, z.topk(k).values[..., -1:])
    assert (kth.dtype, kth.device.type) == (dtype, device)


def test_kth_largest_leaves_its_argument_alone():
    z = normal(4, 9)
    before = z.clone()
    kth_largest(z, 3)
    kth_largest(z.mT, 2)
    assert torch.equal(z, before)


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


def test_all_of_a_tie_are_kept():
    some = TopKSAE(2, 4, 2, [0], dtype=torch.float64)
    with torch.no_grad():
        some.encoder.copy_(torch.tensor([[3.0, 1, 1, 0], [0, 0, 0, 0]]))
    close(some.latents(torch.ones(1, 1, 2).double()), [[[3.0, 1, 1, 0]]])


def test_negative_values_are_kept_in_training_and_rectified_in_scoring():
    some = TopKSAE(1, 2, 1, [0], dtype=torch.float64)
    with torch.no_grad():
        some.encoder.copy_(torch.tensor([[1.0, 2]]))
        some.decoder.copy_(torch.tensor([[1.0], [1]]))
    x = -torch.ones(1, 1, 1).double()
    assert some.backward(x)["loss"] == 0
    assert (some.latents(x) == 0).all()


# Dead latents


@pytest.mark.parametrize("dead_after", [1, 3])
def test_a_latent_is_dead_after_so_many_steps_at_0_on_end(dead_after):
    some = TopKSAE(2, 2, 1, [0, 1], dead_after=dead_after, dtype=torch.float64)
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
    some = TopKSAE(2, 2, 2, [0], dtype=torch.float64)
    with torch.no_grad():
        some.encoder.copy_(torch.tensor([[1.0, 0], [0, 0]]))
    some.backward(torch.ones(1, 3, 2).double())
    assert some.idle_steps.tolist() == [[0, 1]]


def test_a_latent_below_0_that_is_chosen_counts_as_used():
    some = TopKSAE(1, 2, 1, [0], dtype=torch.float64)
    with torch.no_grad():
        some.encoder.copy_(torch.tensor([[1.0, 2]]))
    some.backward(-torch.ones(1, 3, 1).double())
    assert some.idle_steps.tolist() == [[0, 1]]


# The start


def test_start_is_random_directions_their_transpose_and_no_bias():
    some = TopKSAE(6, 9, 2, [3, 4], dtype=torch.float64)
    close(some.decoder.detach().norm(dim=-1), torch.ones(2, 9))
    assert torch.equal(some.encoder, some.decoder.mT)
    assert some.encoder.is_contiguous()
    assert some.encoder.data_ptr() != some.decoder.data_ptr()
    assert not some.encoder_bias.any()
    assert not some.decoder_bias.any()
    assert not some.dead_latents().any()
    for p, seed in enumerate([3, 4]):
        drawn = torch.randn(9, 6, generator=seeded(seed), dtype=torch.float64)
        close(some.decoder[p].detach(), normalize(drawn, dim=1))


@pytest.mark.parametrize("k", [0, 9, -1])
def test_k_out_of_range_is_refused(k):
    refuses(f"k = {k} of 8 latents", "choose 1 <= k <= latents", TopKSAE, 5, 8, k, [0])


# Training


def dictionary(atoms=24, units=20, seed=9):
    return normalize(normal(atoms, units, seed=seed), dim=1)


def stream(atoms, batch=64, k=3, models=1, dtype=torch.float64):
    """Sums of k atoms, the same for every model."""
    return lambda generator: (k_sparse(batch, len(atoms), k, generator, dtype) @ atoms.to(dtype)).expand(models, -1, -1)


def test_a_planted_dictionary_is_found():
    atoms = dictionary().float()
    some = TopKSAE(20, 48, 3, [0, 1])

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
        some = TopKSAE(20, 30, 3, seeds, dtype=torch.float64)
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
    draw, atoms = stream(dictionary(), models=2, dtype=torch.float32), "dictionary of seed 9"

    def run(stop=None):
        count = iter(range(stop or 10_000))

        def counted(generator):
            if next(count, None) is None:
                raise KeyboardInterrupt
            return draw(generator)

        return train_saes(counted, {"atoms": atoms}, 20, 30, 3, [0, 1], 40)

    with pytest.raises(KeyboardInterrupt):
        run(17)
    (path,) = store.glob("saes-20-30-3-*.pt")
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

    def draw(generator):
        draws.append(stream(dictionary(), models=2, dtype=torch.float32)(generator))
        return draws[-1]

    same = {"about": {"n": 24}, "units": 20, "latents": 30, "k": 3, "seeds": [0, 1], "steps": 250}
    training = train_saes(draw, **same)
    assert torch.equal(draws[0], stream(dictionary(), models=2, dtype=torch.float32)(seeded(STREAM)))
    assert {name: value.shape for name, value in training.history.items()} == {
        "step": (125,),
        **dict.fromkeys(["loss", "explained_variance", "dead_latents"], (125, 2)),
    }
    assert (training.history["loss"][-1] < 0.5 * training.history["loss"][0]).all()
    assert (training.model.k, training.model.aux_weight, training.model.dead_after) == (3, 0.1, 1)
    assert len(draws) == 250
    train_saes(draw, **same)
    assert len(draws) == 250
    for change in ({}, {"about": {"n": 25}}, {"about": {"k": 1}}, {"about": {"k": 2}}, {"k": 4}, {"latents": 31}):
        draws.clear()
        train_saes(draw, **same | {"steps": 2} | change)
        assert len(draws) == 2
