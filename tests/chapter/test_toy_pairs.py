from dataclasses import replace
from itertools import product

import pandas as pd
import pytest
import torch

from lib.baselines import random_relu
from lib.chapter.toy_pairs import ToyPairs, active, all_scores, axes_and_seeds, evidence, one_alpha, recovery
from lib.correlation import unit_correlations
from lib.crossval import k_folds
from lib.features import bernoulli_uniform, seeded
from lib.pairings import PAIRINGS, gain, means
from lib.sae import Recipe, untrained

WORLD = ToyPairs(6, 0.3, 32, 1, torch.device("cpu"))
RECIPE = Recipe.authors(latents=8, k=3, steps=3)


@pytest.fixture(scope="module")
def toys():
    return WORLD.train(4, 4, 5)


def test_the_first_models_are_the_same_however_many_are_trained(toys):
    assert torch.allclose(WORLD.train(4, 2, 5).model.weight, toys.model.weight[:2], atol=1e-6)


def test_responses_are_rectified_sums_of_the_features_directions(toys):
    z = WORLD.features(7, seeded(3))
    y = WORLD.responses(toys, z, 2)
    for model, stimulus in product(range(2), range(7)):
        total = sum(z[stimulus, i] * toys.model.weight[model, i] for i in range(6))
        assert torch.allclose(y[model, stimulus], total.clamp(min=0), atol=1e-5)
    assert (y >= 0).all()


def test_the_saes_of_a_pair_start_alike_or_apart_and_never_as_another_pair_does(toys):
    together, apart = (WORLD.new_saes(toys, 4, RECIPE, apart).encoder for apart in (False, True))
    assert torch.equal(together[0], together[1]) and not torch.equal(together[0], together[2])
    both = [*together[::2], *apart]
    assert not any(torch.equal(x, y) for i, x in enumerate(both) for y in both[:i])


def test_a_training_batch_is_what_the_models_answer(toys):
    drawn = WORLD.stream(toys, 2)(seeded(5))
    assert torch.equal(drawn, WORLD.responses(toys, WORLD.features(32, seeded(5)), 2))


def test_moments_give_the_correlations_of_the_same_stimuli(toys):
    sae = WORLD.new_saes(toys, 2, RECIPE)
    (moments,) = WORLD.measure(toys, sae, 5 * 4096)
    draws = seeded(1900)
    z = torch.cat([WORLD.features(4096, draws) for _ in range(5)])
    y = WORLD.responses(toys, z, 2)
    scores = all_scores([moments])
    assert set(scores.pairing) == {*PAIRINGS, "fn", "fs"}
    best = recovery([moments])
    direct = unit_correlations(z.double(), y[0].double()).amax(1)
    assert torch.allclose(best["n"][0], direct, atol=0.03) and best["s"].shape == (2, 6)


def test_a_control_is_the_trained_sae_as_it_started_unless_another_is_given(toys):
    sae = WORLD.fit_saes(toys, 2, RECIPE).model
    default, given = WORLD.measure(toys, sae, 10), WORLD.measure(toys, sae, 10, untrained(sae))
    other = WORLD.measure(toys, sae, 10, untrained(sae, [7, 8]))
    scores = [means(all_scores(active(x)), "soft", "rs") for x in (default, given, other)]
    assert torch.equal(scores[0], scores[1]) and not torch.equal(scores[0], scores[2])


def by_hand(soft, semi_ab, semi_ba, ridge=0.5):
    """Scores of pairs whose neurons all score .5 and whose latents score this above it."""
    rows = []
    for seed, values in enumerate(zip(soft, semi_ab, semi_ba, strict=True)):
        for metric, way, value in zip(("soft", "semi", "semi"), ("", "ab", "ba"), values, strict=True):
            rows += [(metric, ab, way, seed, 0, 0.5 + value * (ab == "ss")) for ab in ("nn", "ss", "rs")]
        rows += [("ridge", ab, "ab", seed, 0, ridge) for ab in (*PAIRINGS, "fn", "fs")]
    return pd.DataFrame(rows, columns=["metric", "pairing", "direction", "seed", "fold", "value"])


def test_agreement_counts_signs_of_each_pair_and_direction_by_the_size_of_the_change():
    scores = {8: by_hand([0.01, -0.05], [0.2, -0.1], [-0.2, -0.1]), 16: by_hand([0.3], [0.1], [-0.1])}
    found = dict.fromkeys(scores, {letter: torch.rand(2, 6) for letter in "nsr"})
    counted = {row["least"]: row for name, row in evidence(scores, found, 0.02) if name == "semi"}
    assert [(counted[x]["cases"], counted[x]["agreed"]) for x in (0, 0.02, 0.1)] == [(6, 4), (4, 3), (2, 1)]
    assert counted[0.1]["agreement"] == 0.5
    assert [*counted] == [0, 0.02, 0.1]


def test_no_case_of_a_size_is_no_agreement():
    scores = {8: by_hand([0.01], [0.2], [0.2])}
    rows = [*evidence(scores, {8: {letter: torch.rand(2, 6) for letter in "nsr"}}, 0.02)]
    assert rows[-1] == ("semi", {"least": 0.1, "cases": 0, "agreed": 0, "agreement": 0.0})


def test_rows_hold_each_models_recovery_and_each_pairs_gains():
    found = {8: {"n": torch.full((4, 6), 0.2), "s": torch.full((4, 6), 0.7), "r": torch.full((4, 6), 0.1)}}
    scores = {8: by_hand([0.1, 0.2], [0.1, 0.1], [0.1, 0.1])}
    of = {name: columns for name, columns in evidence(scores, found, 0.02) if name != "semi"}
    assert torch.allclose(of["features"]["gain"], torch.full((4,), 0.5))
    assert torch.allclose(of["features"]["random_gain"], torch.full((4,), -0.1)) and len(of["features"]["model"]) == 4
    assert torch.equal(of["gains"]["soft_gain"], gain(scores[8], "soft", "ss", "nn"))
    assert of["scores"]["ridge_fs"].tolist() == [0.5, 0.5] and of["scores"]["soft_ss"].tolist() == [0.6, 0.7]


def test_independent_axes_undo_a_mixing_and_silent_latents_do_not_count():
    z = bernoulli_uniform(8000, 3, 0.05, seeded(0))
    mixed = torch.randn(2, 3, 3, generator=seeded(1), dtype=z.dtype)  # no rotation, which principal axes would undo
    y, folds = z @ mixed, k_folds(8000, 5, 0)
    codes = torch.cat([torch.stack([z, z[:, [1, 2, 0]]]), torch.zeros(2, 8000, 2, dtype=z.dtype)], 2)
    found = axes_and_seeds(y, y, codes, torch.stack([z, random_relu(z, 3)(z)]), folds)
    assert max(found["nn"], found["pp"]) < 0.95 < found["ii"]
    assert found["ss"] == pytest.approx(1) == found["aa"] and found["bb"] < 0.95


def test_one_alpha_finds_a_linear_map_and_nothing_in_noise():
    x = torch.randn(500, 4, generator=seeded(2), dtype=torch.float64)
    folds = k_folds(500, 5, 0)
    assert one_alpha(x, x @ torch.ones(4, 2, dtype=x.dtype), folds) == pytest.approx(1, abs=1e-3)
    assert abs(one_alpha(x, torch.randn(500, 2, generator=seeded(3), dtype=torch.float64), folds)) < 0.15


def test_worlds_of_another_seed_are_others():
    other = replace(WORLD, seed=2)
    assert not torch.equal(other.train(4, 2, 1).model.weight, WORLD.train(4, 2, 1).model.weight)
