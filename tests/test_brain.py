import pytest
import torch
from helpers import close, normal, refuses, some_sae
from PIL import Image
from torch.nn.functional import layer_norm

from lib.brain import (
    Recording,
    by_authors,
    ceiling_share,
    codes,
    encoding_scores,
    image_batches,
    random_halves,
    shared_images,
    split_half_ceiling,
    training_images,
)
from lib.correlation import paired_correlations
from lib.data.images import Images
from lib.features import k_sparse, seeded
from lib.regression import ridge_correlations
from lib.sae import Recipe, TopKSAE, explained_variance, fit, start_at


def noisy(images=400, neurons=6, repetitions=8, noise=1.0, seed=0):
    """A signal and trials that repeat it with noise."""
    signal = normal(images, neurons, seed=seed)
    return signal, signal[:, :, None] + noise * normal(images, neurons, repetitions, seed=seed + 1)


def shown_less(trials, seed=9):
    """The same trials, of which images lack up to four repetitions at random places."""
    images, _, repetitions = trials.shape
    place = torch.rand(images, 1, repetitions, generator=seeded(seed)).argsort(2).argsort(2)
    lacking = torch.arange(images)[:, None, None] % 5
    return trials.masked_fill(place < lacking, torch.nan)


def coloured(*values):
    pictures = [Image.new("RGB", (4, 3), (value, 0, 0)) for value in values]
    return Images([str(v) for v in values], list(values), pictures.__getitem__)


def recorded(*values):
    count = len(values)
    return Recording("x", torch.zeros(count, 2), coloured(*values), torch.ones(count), torch.ones(2))


# Halves


def test_halves_share_no_trial_and_leave_none_out():
    trials = shown_less(noisy(images=30, neurons=2)[1])
    first, second = random_halves(trials, seeded(0))
    count = (~trials[:, 0].isnan()).sum(1)
    close((first * (count // 2)[:, None] + second * (count - count // 2)[:, None]), trials.nansum(2))


def test_halves_are_means_of_the_same_trials_for_all_neurons():
    trials = shown_less(noisy(images=30, neurons=1)[1]).expand(-1, 3, -1)
    for half in random_halves(trials, seeded(0)):
        close(half[:, 0], half[:, 2])


def test_each_trial_is_as_often_in_the_first_half_as_in_the_second():
    trials = torch.zeros(20000, 1, 4, dtype=torch.float64)
    trials[:, :, 2] = 1
    first, _ = random_halves(trials, seeded(0))
    close(first.mean(), 0.25, 0.005)  # in the first half of two trials in half of the cases
    assert set(first.unique().tolist()) == {0, 0.5}


def test_two_trials_make_halves_of_one_each():
    trials = torch.tensor([[[1.0, torch.nan, 2.0]], [[torch.nan, 5.0, 3.0]]])
    first, second = random_halves(trials, seeded(3))
    assert {(float(a), float(b)) for a, b in zip(first, second, strict=True)} <= {(1, 2), (2, 1), (5, 3), (3, 5)}


# Ceilings


@pytest.mark.parametrize("noise", [0.5, 1.0, 3.0])
def test_ceiling_is_the_correlation_of_the_true_signal(noise):
    signal, trials = noisy(images=4000, noise=noise)
    close(split_half_ceiling(trials), paired_correlations(signal, trials.mean(2)), 0.02)
    close(split_half_ceiling(trials).mean(), (1 / (1 + noise**2 / 8)) ** 0.5, 0.01)


def test_ceiling_allows_for_images_shown_less_often():
    signal, trials = noisy(images=4000, noise=2.0)
    fewer = shown_less(trials)
    close(split_half_ceiling(fewer), paired_correlations(signal, fewer.nanmean(2)), 0.02)
    assert (split_half_ceiling(fewer) < split_half_ceiling(trials)).all()


def test_ceiling_without_noise_is_1_and_without_signal_near_0():
    signal, trials = noisy(noise=0.0)
    close(split_half_ceiling(trials), torch.ones(6))
    nothing = split_half_ceiling(noisy(images=20000)[1] - noisy(images=20000)[0][:, :, None])
    assert (nothing < 0.25).all() and (nothing >= 0).all()


def test_ceiling_of_anticorrelated_halves_is_0_and_of_a_silent_neuron_too():
    trials = torch.stack([normal(50, 1), -normal(50, 1)], 2)
    close(split_half_ceiling(trials), [0.0])
    close(split_half_ceiling(torch.zeros(50, 1, 4, dtype=torch.float64)), [0.0])


def test_ceiling_is_the_same_for_the_same_seed_and_hardly_depends_on_it():
    trials = noisy()[1]
    close(split_half_ceiling(trials, seed=1), split_half_ceiling(trials, seed=1), 0)
    close(split_half_ceiling(trials, seed=1), split_half_ceiling(trials, seed=2), 0.02)


@pytest.mark.parametrize(
    ("trials", "thing", "mend"),
    [
        (torch.zeros(5, 4), "trials have shape (5, 4)", "give (images, neurons, repetitions)"),
        (torch.zeros(0, 4, 3), "trials have shape (0, 4, 3)", "give (images, neurons, repetitions)"),
        (torch.tensor([[[1.0, 2, 3]], [[4, torch.nan, torch.nan]]]), "image 1 was shown 1 times", "twice or more"),
        (torch.tensor([[[1.0, 2], [torch.nan, 4]]]), "trials lack a repetition for some neurons only", "take these"),
    ],
)
def test_bad_trials_are_refused(trials, thing, mend):
    refuses(thing, mend, split_half_ceiling, trials)


def test_share_of_the_ceiling_is_a_quotient_of_means():
    scores = torch.tensor([[0.1, 0.5], [0.3, 0.3]])
    close(ceiling_share(scores, torch.tensor([0.2, 1.0])), [0.5, 0.5], 1e-6)  # not (0.5 + 0.5) / 2 and (1.5 + 0.3) / 2
    close(ceiling_share(scores[0], torch.tensor([0.0, 1.0])), 0.6, 1e-6)


@pytest.mark.parametrize("ceiling", [torch.tensor([torch.nan, torch.nan]), torch.zeros(2)])
def test_share_of_an_unknown_ceiling_is_refused(ceiling):
    refuses("the mean ceiling is", "must be known and above 0", ceiling_share, torch.ones(2), ceiling)


# Images in common


def test_shared_images_are_found_by_their_pixels_in_any_order():
    a, b = recorded(5, 9, 7, 1), recorded(7, 2, 5, 3, 1)
    first, second = shared_images(a, b)
    assert (first.tolist(), second.tolist()) == ([0, 2, 3], [2, 0, 4])


def test_an_image_that_occurs_twice_is_paired_once():
    first, second = shared_images(recorded(5, 5, 6), recorded(6, 5, 5))
    assert (first.tolist(), second.tolist()) == ([0, 2], [1, 0])


def test_images_of_another_shape_are_not_shared_and_none_is_no_error():
    a, b = recorded(0), recorded(0)
    b.images.read = lambda row: Image.new("RGB", (3, 4))
    first, second = shared_images(a, b)
    assert len(first) == len(second) == 0 and first.dtype == torch.int64


# Encoding


def recording_of(responses):
    count, neurons = responses.shape
    return Recording("x", responses, None, torch.full((count,), 3), torch.ones(neurons))


def superposed(stimuli, seed, features=24, units=12):
    z = k_sparse(stimuli, features, 2, seeded(seed), torch.float32)
    return z, z @ normal(features, units, seed=5).float() / units**0.5


# Scores


def test_scores_are_those_of_ridge_regression_on_the_chosen_images():
    x, responses = normal(60, 5).float(), normal(60, 3, seed=1).float()
    scores = encoding_scores(x, recording_of(responses), slice(40), seed=2)
    assert scores.shape == (5, 3)
    close(scores, ridge_correlations(x[:40], responses[:40], seed=2))


def test_double_precision_predictors_are_allowed():
    x = normal(60, 5)
    close(encoding_scores(x, recording_of(x[:, :2].float())), torch.ones(5, 2), 1e-5)


def test_predictors_of_other_images_are_refused():
    refuses(
        "y_a has 50 stimuli and y_b has 60", "same stimuli", encoding_scores, normal(50, 5), recording_of(normal(60, 3))
    )


# Codes


def test_codes_are_the_units_the_latents_and_those_of_another_sae_of_that_shape():
    sae, y = some_sae(6, 9, 2, [1, 2]), normal(2, 30, 6).float()
    found = codes(sae, y, seed=3)
    assert list(found) == ["neurons", "latents", "random"]
    close(found["neurons"], y)
    close(found["latents"], sae.latents(y))
    assert found["random"].shape == found["latents"].shape
    assert (found["random"] != 0).sum(2).max() <= 2 and not torch.equal(found["random"], found["latents"])


def test_random_codes_are_others_for_each_model_and_the_same_for_the_same_seed():
    sae, y = some_sae(6, 9, 2, [0, 1]), normal(30, 6).float().expand(2, -1, -1)
    first, again, other = (codes(sae, y, seed)["random"] for seed in (0, 0, 5))
    close(first, again)
    assert not torch.equal(first[0], first[1])
    assert not torch.equal(first, other) and not torch.equal(first, sae.latents(y))


# SAEs


def fitted(y, steps, seeds, images=None, batch=512, **changes):
    recipe = Recipe.ours(latents=24, k=2, steps=steps, **changes)
    return fit(TopKSAE(y.shape[2], recipe, seeds), image_batches(y, batch, images)).model


@pytest.fixture
def network(store):
    """Responses of one network to training images, and what it says of a subject's."""
    return superposed(2000, 1)[1][None], superposed(300, 2)


def test_latents_predict_what_mixes_features_better_and_what_mixes_units_no_better(network):
    y, (z, y_seen) = network
    found = codes(fitted(y, 400, [0]), y_seen[None])
    mixes_features, mixes_units = (recording_of(x @ normal(x.shape[1], 8, seed=9).float()) for x in (z, y_seen))
    share = {}
    for name, code in found.items():
        scores = [encoding_scores(code[0], one) for one in (mixes_features, mixes_units)]
        share[name] = [float(each.mean()) for each in scores]
    assert share["latents"][0] > share["neurons"][0] + 0.1 > share["random"][0] + 0.1
    assert share["neurons"][1] > 0.999 > share["latents"][1] > share["random"][1]


def test_an_sae_of_few_images_sees_only_these(network):
    y, (_, y_seen) = network
    changed = y.clone()
    changed[:, 50:] = 1e3
    few, same = (fitted(x, 60, [0], [50]) for x in (y, changed))
    close(few.encoder, same.encoder, 0)
    all_of_them = fitted(y, 60, [0])
    assert explained_variance(all_of_them, y_seen[None]) > explained_variance(few, y_seen[None])


def test_each_model_has_its_own_size(network):
    y = network[0].expand(2, -1, -1).clone()
    both = fitted(y, 60, [0, 0], [30, 2000])
    y[0, 30:] = 1e3
    close(both.encoder, fitted(y, 60, [0, 0], [30, 2000]).encoder, 0)
    assert not torch.equal(both.encoder[0], both.encoder[1])


def test_trained_saes_are_found_again_and_told_apart_by_what_they_saw(network, store):
    y = network[0]
    close(fitted(y, 5, [0]).encoder, fitted(y, 5, [0]).encoder, 0)
    assert len(list(store.glob("*.pt"))) == 1
    fitted(y + 1, 5, [0])
    fitted(y, 5, [0], [100])
    fitted(y, 5, [0], batch=64)
    fitted(y, 5, [0], lr=0.001)
    assert len(list(store.glob("*.pt"))) == 5


# Training images


def test_training_images_leave_every_tenth_photograph_out_with_its_crops():
    stimuli, photos = -1 - torch.arange(4.0)[:, None], torch.arange(25.0)[:, None]
    crops = photos.repeat_interleave(5, 0) + 0.1 * (1 + torch.arange(125.0)[:, None] % 5)
    training, kept_out = training_images(stimuli, photos, crops, seed=1)
    assert kept_out[:, 0].tolist() == [0, 10, 20]
    assert len(training) == 4 + 22 + 110 and not set(training.floor().flatten().tolist()) & {0, 10, 20}
    whole = training[:26, 0]  # crops come last
    assert (whole == whole.round()).all() and not (training[26:] == training[26:].round()).any()
    assert whole.tolist() != sorted(whole.tolist())
    assert sorted(whole.tolist()) == sorted([*stimuli[:, 0].tolist(), *(x for x in range(25) if x % 10)])
    again, _ = training_images(stimuli, photos, crops, seed=1)
    close(again, training, 0)


def test_the_authors_recipe_is_told_from_either_start_as_it_started_and_trained(network):
    y, (_, y_seen) = network
    found = by_authors(y, [y[:, :9], y_seen[None]], Recipe.of_networks(latents=24, k=2, steps=40, lr=0.01), seed=1)
    assert list(found) == ["kaiming_start", "kaiming", "data_start", "data"]
    for (few, seen), share in found.values():
        assert few.shape == (1, 9, 24) and seen.shape == (1, len(y_seen), 24) and (seen != 0).sum(2).max() <= 2
        assert share.shape == (1,)
    shares = {name: float(share) for name, (_, share) in found.items()}
    assert shares["kaiming"] > shares["kaiming_start"] and shares["data"] > shares["data_start"]
    other = by_authors(3 * y + 5, [y_seen[None]], Recipe.of_networks(latents=24, k=2), seed=1)
    close(other["data_start"][0][0], found["data_start"][0][1], 1e-4)  # an image's mean and size are taken out


def test_a_start_at_data_is_a_start_at_normalised_training_images(network):
    y, (_, y_seen) = network
    recipe = Recipe.of_networks(latents=y.shape[1], k=2)
    [code], _ = by_authors(y, [y_seen[None]], recipe)["data_start"]
    normed, chosen = layer_norm(y, y.shape[-1:]), torch.randperm(y.shape[1], generator=seeded(800))
    sae = start_at(TopKSAE(y.shape[2], recipe, [700]), normed[:, chosen])
    close(code[0], sae.latents(layer_norm(y_seen[None], y.shape[-1:]))[0])
