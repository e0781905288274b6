from dataclasses import replace

import pandas as pd
import pytest
import torch

from lib import store
from lib.chapter.network_pairs import (
    GAINS,
    GRID,
    NETWORKS,
    RANDOM,
    SAES,
    SECOND,
    SITES,
    NetworkPairs,
    gains,
    in_words,
    places,
    stand_ins,
)
from lib.data.activations import Network, activations
from lib.pairings import PAIRINGS, means
from lib.sae import Recipe, TopKSAE, batches, fit

KINDS = stand_ins([12, 8, 6], 2, 8, 3, 2, control_steps=2)
WORLD = NetworkPairs(KINDS, 2, 300, 200, Recipe.ours(latents=10, k=2, steps=3), 1, torch.device("cpu"))


@pytest.fixture(scope="module", autouse=True)
def elsewhere(tmp_path_factory):
    """Models of these tests are kept in a folder of their own."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(store, "ROOT", tmp_path_factory.mktemp("project"))
        yield


@pytest.fixture(scope="module")
def trained(elsewhere):
    return {kind: WORLD.train(kind) for kind in KINDS}


@pytest.fixture(scope="module")
def data(trained):
    return WORLD.respond(trained, places(3))


def test_every_site_is_a_layer_of_its_kind_of_networks(data):
    assert [*places(3)] == SITES and {*data} == {*SITES}
    units = {"mlp_middle": 8, "mlp_deep": 6, "control": 6} | dict.fromkeys(GRID[2:], 8)
    assert {site: tuple(y.test.shape) for site, y in data.items()} == {site: (4, 200, n) for site, n in units.items()}
    assert all(y.train.shape[1] == 300 for y in data.values())


def test_the_middle_of_a_vit_is_the_block_halfway_and_its_branch_the_mlp_in_it():
    assert [places(depth)["vit_middle"][1] for depth in (2, 3, 5, 6)] == [
        "blocks.0",
        "blocks.1",
        "blocks.2",
        "blocks.2",
    ]
    assert places(4)["vit_branch_deep"] == ("vit", "blocks.3.mlp", "cls")


def test_without_steps_there_is_no_control():
    assert [*stand_ins([4, 4, 4], 1, 8, 2, 1)] == ["mlp", "vit"]


def test_responses_are_those_of_the_network_less_the_mean_over_training_scenes_and_over_one_number(trained, data):
    module, y = trained["vit"][1].model.networks[0].eval(), data["vit_branch_deep"]
    images, labels = WORLD.scenes("vit", "test")
    assert labels.shape == (200, 90)
    raw = activations(Network("ViT", module, None), images, {"here": places(3)["vit_branch_deep"][1:]})["here"]
    assert torch.allclose(y.test[1] * y.scale[1] + y.centre[1], raw, atol=1e-5)
    assert torch.allclose(y.train.mean(1), torch.zeros(()), atol=1e-5)
    assert torch.allclose(y.train.var(1, correction=0).sum(1), torch.ones(4), atol=1e-4)


def test_the_control_sees_one_digit_and_has_ten_labels():
    _, labels = WORLD.scenes("control", "train")
    assert labels.shape == (300, 10) and (labels.sum(1) == 1).all()


def test_no_seed_serves_two_purposes():
    seeds = [seed for first in (NETWORKS, SAES, SECOND, RANDOM) for seed in WORLD.seeds(first)]
    assert len({*seeds}) == 16 and WORLD.seeds(SAES, 2) == WORLD.seeds(SAES)[:2]
    assert not {*seeds} & {*replace(WORLD, seed=2).seeds(SAES)}


def test_saes_are_those_that_fit_gives_by_the_recipe_with_what_is_changed(data):
    y = data["mlp_deep"]
    found = WORLD.fit_saes("mlp_deep", y, SECOND, 2, latents=7, k=1)
    recipe = replace(WORLD.recipe, latents=7, k=1)
    seen = y.train[:2]
    same = fit(TopKSAE(6, recipe, WORLD.seeds(SECOND, 2)), batches(seen, recipe.batch))
    assert found.model.recipe == recipe and torch.equal(found.model.decoder, same.model.decoder)
    assert WORLD.fit_saes("mlp_deep", y).model.seeds == WORLD.seeds(SAES)


def test_a_random_sae_has_the_shape_of_the_trained_one_and_other_weights(data):
    sae = WORLD.fit_saes("control", data["control"]).model
    control = WORLD.random_sae(sae)
    assert control.decoder.shape == sae.decoder.shape and control.seeds == WORLD.seeds(RANDOM)
    assert not torch.allclose(control.decoder, TopKSAE(6, sae.recipe, sae.seeds).decoder)


def test_scores_have_every_pairing_of_every_pair(data):
    sae = WORLD.fit_saes("mlp_middle", data["mlp_middle"]).model
    found = WORLD.scores(data["mlp_middle"].test, sae)
    assert all(len(means(found, "soft", ab)) == 2 for ab in PAIRINGS)


def by_hand(soft):
    rows = [
        ("soft", ab, "", seed, 0, 0.5 + value * (ab == "ss")) for seed, value in enumerate(soft) for ab in ("nn", "ss")
    ]
    return pd.DataFrame(rows, columns=["metric", "pairing", "direction", "seed", "fold", "value"])


def test_gains_are_those_of_all_pairs_at_the_sites_of_these_words():
    scores = {"vit_middle": by_hand([0.1, 0.2]), "vit_deep": by_hand([0.3]), "mlp_deep": by_hand([0.4])}
    found = {words: gains(scores, "soft_gain", *words).tolist() for words in ((), ("vit",), ("vit", "deep"), ("deep",))}
    assert found[()] == pytest.approx([0.1, 0.2, 0.3, 0.4]) and found["vit",] == pytest.approx([0.1, 0.2, 0.3])
    assert found["vit", "deep"] == pytest.approx([0.3]) and found["deep",] == pytest.approx([0.3, 0.4])
    assert {better for _, better, _ in GAINS.values()} <= {*PAIRINGS}


def test_sites_in_words():
    assert [in_words(site) for site in ("mlp_deep", "vit_branch_middle")] == ["MLP, deep", "ViT, branch, intermediate"]
