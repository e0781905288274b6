"""All metrics on one pair: which changes each cannot notice, by theory, and a table that keeps its numbers."""

import re

import numpy as np
import pandas as pd
import pytest
from helpers import normal

from lib.chapter.hearing import CORRECTED, METRICS, changes_of, heard_table, kept, scores_of
from lib.features import seeded

ALL, TURNED, SCALED = "order, scales, rotation, linear map", "order, rotation", "order, scales"
KEPT = {  # what the definition of a metric says of maps of b alone
    **dict.fromkeys(METRICS, TURNED),
    **dict.fromkeys(("CCA", "CCA, squared", "PWCCA"), ALL),
    **dict.fromkeys(("ridge, a to b", "soft-matching", "semi-matching, a to b", "semi-matching, b to a"), SCALED),
    "RSA, correlations": "order",
    CORRECTED: "order",  # which entries of a covariance lie beside the diagonal depends on the axes
}


def pair(stimuli=200):
    y_a = 0.5 + normal(stimuli, 9)
    return y_a, y_a @ normal(9, 7, seed=1) + normal(stimuli, 7, seed=2)


@pytest.fixture(scope="module")
def unchanged():
    return kept(changes_of(*pair(), seeded(0)))


@pytest.mark.parametrize("metric", METRICS)
def test_a_metric_keeps_what_its_definition_says(metric, unchanged):
    assert unchanged[metric] == KEPT[metric]


def test_identical_systems_score_one():
    y = pair()[0]
    assert scores_of(y, y).drop([CORRECTED, "ridge, a to b", "ridge, b to a"]).sub(1).abs().max() < 1e-9


def test_directions_are_told_apart():
    y_a, y_b = pair()
    there, back = scores_of(y_a, y_b[:, :3]), scores_of(y_b[:, :3], y_a)
    for metric in ("ridge", "semi-matching"):
        assert there[f"{metric}, a to b"] == pytest.approx(back[f"{metric}, b to a"], abs=1e-9)
        assert there[f"{metric}, a to b"] != pytest.approx(there[f"{metric}, b to a"], abs=0.01)


def test_the_table_has_every_number_and_word_and_escapes_its_title():
    table = pd.DataFrame({"full": [0.123, np.nan], "unchanged": ["order", "none"]}, ["CKA", "CCA"])
    shown = heard_table(table, "a < b")
    assert all(word in shown for word in ("0.12", "no number", "order", "none", "CKA", "a &lt; b"))
    assert "0.123" not in shown


def test_what_lies_above_one_is_shaded_as_one_so_that_it_stays_legible():
    shown = heard_table(pd.DataFrame({"full": [1.0, 328.0]}, ["CKA", "CCA"]), "a")
    assert len({colour for colour in re.findall(r"background-color: (#\w+)", shown)}) == 1 and "328.00" in shown
