"""The map of layers: equal to the scores of each pair by itself."""

import pandas as pd
import pytest
import torch
from helpers import close, refuses

import lib.layers
from lib.crossval import k_folds
from lib.features import seeded
from lib.geometry import linear_cka, rsa
from lib.layers import METRICS, as_matrix, layer_map
from lib.matching import semi_matching_score, soft_matching_score
from lib.regression import ridge_score


def layers(dtype, stimuli=60):
    """Layers narrower than the stimuli and wider, with constant units and far means, which share three inputs."""
    generator = seeded(0)
    common = torch.randn(stimuli, 3, generator=generator, dtype=dtype)
    made = {}
    for name, units in (("l2", 4), ("l10", 9), ("wide", 90)):
        mixed = common @ torch.randn(3, units, generator=generator, dtype=dtype)
        made[name] = mixed + torch.randn(stimuli, units, generator=generator, dtype=dtype) + 5
    made["l10"][:, 2] = 7
    return made


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_the_map_has_the_numbers_of_the_public_metrics(dtype):
    """Each pair by itself, by the function a reader would call; RSA and CKA on each fold's stimuli."""
    a = layers(dtype)
    b = {name: a[name].flip(1) ** 2 for name in ("wide", "l10")}
    found, folds = layer_map(a, b, folds=4, seed=3), k_folds(60, 4, 3)
    assert len(found) == len(a) * len(b) * len(METRICS) * 4
    for name_a, y_a in a.items():
        for name_b, y_b in b.items():
            tests = [(y_a[test], y_b[test]) for _, test in folds]
            wanted = {
                "soft": soft_matching_score(y_a, y_b, 4, 3),
                "semi_ab": semi_matching_score(y_a, y_b, 4, 3),
                "semi_ba": semi_matching_score(y_b, y_a, 4, 3),
                "ridge_ab": ridge_score(y_a, y_b, 4, 3),
                "ridge_ba": ridge_score(y_b, y_a, 4, 3),
                "cka": sum(float(linear_cka(*pair, debiased=True)) for pair in tests) / 4,
                "rsa": sum(float(rsa(*pair)) for pair in tests) / 4,
            }
            for metric, alone in wanted.items():
                close(as_matrix(found, metric).loc[name_a, name_b], float(alone), 1e-5)


def test_the_order_of_layers_is_kept_and_a_layer_is_most_like_itself():
    a = layers(torch.float64)
    table = as_matrix(layer_map(a, a, ("soft", "cka")), "soft")
    assert list(table.index) == list(table.columns) == list(a)
    assert (table.to_numpy().argmax(1) == [0, 1, 2]).all()


@pytest.mark.parametrize(
    ("a", "metrics", "said"),
    [
        ({}, ("soft",), "0 layers of a"),
        ({"x": torch.ones(60, 2, 2)}, ("soft",), "a x has shape"),
        ({"x": torch.rand(59, 2)}, ("soft",), "a x has 59 stimuli and b l2 has 60"),
        ({"x": torch.rand(60, 2)}, ("softly",), "softly"),
    ],
)
def test_bad_input_is_told_in_one_line(a, metrics, said):
    with pytest.raises(ValueError, match=said) as error:
        layer_map(a, layers(torch.float32), metrics)
    assert "\n" not in str(error.value)


def test_five_folds_are_taken_unless_told():
    a = layers(torch.float64)
    assert layer_map(a, a, ("soft",)).equals(layer_map(a, a, ("soft",), folds=k_folds(60, 5, 0)))


def test_four_stimuli_are_enough_for_a_layer():
    y = {"one": torch.eye(4)[:, :3], "two": torch.ones(4, 2)}
    assert [len(y) for y in lib.layers._checked(y, ["one"], ["two"]).values()] == [4, 4]


def test_a_metric_that_was_not_asked_for_is_no_matrix():
    table = pd.DataFrame(columns=["pairing", "metric", "direction", "layer_a", "layer_b", "value"])
    refuses("no cka of nn in these scores", "ask for it when they are made", as_matrix, table, "cka")
