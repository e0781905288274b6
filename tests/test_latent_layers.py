"""The map of layers with SAEs: its scores are those of the parts it is made of, and it finds what is superposed."""

import pytest
import torch
from helpers import close, normal, refuses

from lib import latent_layers
from lib.features import bernoulli_uniform, seeded
from lib.latent_layers import latent_map
from lib.layers import as_matrix, layer_map
from lib.pairings import GEOMETRY, MATCHING
from lib.report import Settings, active_codes, fit_saes, latents_match
from lib.split import split_stimuli

BRIEF = Settings(latents=24, k=2, steps=200)


def networks(stimuli=1200):
    """Layers l1 and l2 of both networks hold two sets of sparse features, each in superposition of its own."""
    g = seeded(0)
    features = [bernoulli_uniform(stimuli, 24, 0.08, g, torch.float32) for _ in range(2)]
    return [
        {f"l{i}": z @ normal(24, 12 + i, seed=10 * i + side).float() for i, z in enumerate(features, 1)}
        for side in (1, 2)
    ]


@pytest.fixture(scope="module")
def found():
    return latent_map(*networks(), BRIEF._replace(steps=600), folds=4)


def test_layers_of_common_features_are_found_by_latents_alone(found):
    units, latents, random = (as_matrix(found, "soft", pairing).to_numpy() for pairing in ("nn", "ss", "rs"))
    assert (latents.argmax(1) == [0, 1]).all()
    assert min(latents.diagonal()) > max(units.diagonal()) + 0.1
    assert max(latents[0, 1], latents[1, 0]) < 0.1 < min(latents.diagonal() - random.diagonal())


def test_scores_are_those_of_the_parts(found):
    """The same splits and SAEs, put together by hand."""
    (a, b), settings = networks(), BRIEF._replace(steps=600, seeds=1)
    groups = torch.arange(1200)
    splits = {
        (side, name): split_stimuli(y, y, groups=groups, folds=4)
        for side, one in (("a", a), ("b", b))
        for name, y in one.items()
    }
    unseen = {side: {name: splits[side, name].of(0) for name in a} for side in "ab"}
    folds = splits["a", "l1"].folds
    same = layer_map(unseen["a"], unseen["b"], folds=folds)
    for metric in ("soft", "ridge_ab", "ridge_ba", "cka", "semi_ba"):
        close(as_matrix(found, metric).to_numpy(), as_matrix(same, metric).to_numpy(), 1e-6)
    codes = {where: active_codes(fit_saes(one, settings).model, one.scored, folds) for where, one in splits.items()}
    alone = latents_match([codes["a", "l1"][0], codes["b", "l2"][1], codes["b", "l2"][0]], folds, (0, 1), (2, 1)).mean(
        1
    )
    close(as_matrix(found, "soft", "ss").loc["l1", "l2"], alone[0], 1e-6)
    close(as_matrix(found, "soft", "bb").loc["l2", "l2"], alone[1], 1e-6)


def test_every_pairing_has_its_metrics(found):
    kinds = found.groupby("pairing").apply(
        lambda one: {f"{m}_{d}".strip("_") for m, d in zip(one.metric, one.direction, strict=True)}
    )
    assert kinds["ss"] == kinds["rs"] == kinds["aa"] == kinds["bb"] == {*MATCHING, *GEOMETRY}
    assert kinds["sn"] == kinds["rn"] == {"ridge_ab", "ridge_ba"} and kinds["nn"] == kinds["ss"] | kinds["sn"]
    assert (found.groupby(["pairing", "layer_a", "layer_b", "metric", "direction"]).size() == 4).all()


def test_stimuli_that_the_first_layers_answer_alike_stay_together_in_all():
    """Each stimulus comes three times, which only l1 shows: l2 is of the same inputs, and noisy."""
    y = normal(200, 30, seed=1).float().repeat(3, 1)
    other = normal(200, 30, seed=2).float().repeat(3, 1)
    noisy = y @ normal(30, 40, seed=3).float() + normal(600, 40, seed=4)
    found = latent_map({"l1": y, "l2": noisy}, {"l1": y.flip(1), "other": other}, BRIEF, folds=4)
    ridge = as_matrix(found, "ridge_ab")
    assert ridge.loc["l2", "l1"] > 0.8 and ridge.other.abs().max() < 0.12


def test_a_bad_layer_is_named():
    a, b = networks(100)
    refuses("layer l2 of b", "rows are stimuli", latent_map, a, b | {"l2": torch.ones(100, 4)}, BRIEF)


def test_a_layer_whose_latents_are_all_silent_scores_nothing(monkeypatch):
    (a, _), codes = networks(), latent_layers.all_codes
    monkeypatch.setattr(latent_layers, "all_codes", lambda *given: 0 * codes(*given))
    found = latent_map({"l1": a["l1"]}, {"l1": a["l1"]}, BRIEF, folds=4)
    assert (as_matrix(found, "soft", "ss") == 0).all(axis=None) and (as_matrix(found, "soft") > 0.9).all(axis=None)
