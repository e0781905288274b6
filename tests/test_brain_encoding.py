import pytest
import torch
from helpers import close, normal, refuses

from lib.brain import Recording, codes, encoding_scores, fit_saes, random_sae, training_images
from lib.features import k_sparse, seeded
from lib.pairings import explained_variance
from lib.regression import ridge_correlations
from lib.sae import TopKSAE


def recorded(responses):
    count, neurons = responses.shape
    return Recording("x", responses, None, torch.full((count,), 3), torch.ones(neurons))


def superposed(stimuli, seed, features=24, units=12):
    z = k_sparse(stimuli, features, 2, seeded(seed), torch.float32)
    return z, z @ normal(features, units, seed=5).float() / units**0.5


# Scores


def test_scores_are_those_of_ridge_regression_on_the_chosen_images():
    x, responses = normal(60, 5).float(), normal(60, 3, seed=1).float()
    scores = encoding_scores(x, recorded(responses), slice(40), seed=2)
    assert scores.shape == (5, 3)
    close(scores, ridge_correlations(x[:40], responses[:40], seed=2))


def test_double_precision_predictors_are_allowed():
    x = normal(60, 5)
    close(encoding_scores(x, recorded(x[:, :2].float())), torch.ones(5, 2), 1e-5)


def test_predictors_of_other_images_are_refused():
    refuses(
        "y_a has 50 stimuli and y_b has 60", "same stimuli", encoding_scores, normal(50, 5), recorded(normal(60, 3))
    )


# Codes


def test_codes_are_the_units_the_latents_and_those_of_another_sae_of_that_shape():
    sae, y = TopKSAE(6, 9, 2, [1, 2]), normal(2, 30, 6).float()
    found = codes(sae, y, seed=3)
    assert list(found) == ["neurons", "latents", "random"]
    close(found["neurons"], y)
    close(found["latents"], sae.latents(y))
    assert found["random"].shape == found["latents"].shape
    assert (found["random"] != 0).sum(2).max() <= 2 and not torch.equal(found["random"], found["latents"])


def test_random_sae_is_another_for_each_model_and_the_same_for_the_same_seed():
    sae = TopKSAE(6, 9, 2, [0, 1])
    first, again, other = random_sae(sae), random_sae(sae), random_sae(sae, 5)
    close(first.encoder, again.encoder)
    assert not torch.equal(first.encoder[0], first.encoder[1])
    assert not torch.equal(first.encoder, other.encoder) and not torch.equal(first.encoder, sae.encoder)


# SAEs


@pytest.fixture
def network(store):
    """Responses of one network to training images, and what it says of a subject's."""
    return superposed(2000, 1)[1][None], superposed(300, 2)


def test_latents_predict_what_mixes_features_better_and_what_mixes_units_no_better(network):
    y, (z, y_seen) = network
    found = codes(fit_saes(y, 24, 2, 400, [0], {}), y_seen[None])
    mixes_features, mixes_units = (recorded(x @ normal(x.shape[1], 8, seed=9).float()) for x in (z, y_seen))
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
    few, same = (fit_saes(x, 24, 2, 60, [0], {"of": name}, [50]) for name, x in (("a", y), ("b", changed)))
    close(few.encoder, same.encoder, 0)
    all_of_them = fit_saes(y, 24, 2, 60, [0], {"of": "a"})
    assert explained_variance(all_of_them, y_seen[None]) > explained_variance(few, y_seen[None])


def test_each_model_has_its_own_size(network):
    y = network[0].expand(2, -1, -1).clone()
    both = fit_saes(y, 24, 2, 60, [0, 0], {}, [30, 2000])
    y[0, 30:] = 1e3
    close(both.encoder, fit_saes(y, 24, 2, 60, [0, 0], {"of": "changed"}, [30, 2000]).encoder, 0)
    assert not torch.equal(both.encoder[0], both.encoder[1])


def test_trained_saes_are_found_again_and_told_apart_by_what_they_saw(network, store):
    y = network[0]
    close(fit_saes(y, 24, 2, 5, [0], {"of": "a"}).encoder, fit_saes(y, 24, 2, 5, [0], {"of": "a"}).encoder, 0)
    assert len(list(store.glob("*.pt"))) == 1
    fit_saes(y, 24, 2, 5, [0], {"of": "b"})
    fit_saes(y, 24, 2, 5, [0], {"of": "a"}, [100])
    fit_saes(y, 24, 2, 5, [0], {"of": "a"}, batch=64)
    fit_saes(y, 24, 2, 5, [0], {"of": "a"}, lr=0.001)
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
