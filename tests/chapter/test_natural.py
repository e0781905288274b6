import json

import numpy as np
import pandas as pd
import pytest
from helpers import refuses

from lib.chapter import natural
from lib.chapter.dose import judged
from lib.chapter.natural import CHAPTER, EXPECTED, PROFILES, facts, known_tables, read_pair
from lib.chapter.plotting import panels
from lib.chapter.results import recorded_results
from lib.chapter.ways import WAYS, sites

SITE = {
    "pair": "one", "layer": "deep", "deep": 1, "kind": "resnet", "classes": 10, "units": 64, "dimensions": 12.0,
    "match_mean": -0.1, "ridge_mean": 0.0, "ridge_dn": 0.5, "ridge_sn": 0.4, "soft_nn": 0.6, "soft_ss": 0.4,
    "soft_rs": 0.1, "soft_aa": 0.3, "soft_bb": 0.5, "cka_ss": 0.3, "cka_nn": 0.6, "seed_share": 0.8,
    "verdict": "No: the units match better than the latents",
}  # fmt: skip
WAY = {"pair": "one", "layer": "deep", "match_mean": -0.1, "input_nn": 0.62}
SCORES = {"ours": 0.4, "normalised": 0.42, "sizes": 0.5, "authors": 0.45}
IMAGES = [{"pair": "one", "layer": "deep", "images": count, "soft_ss": 0.3 + i / 10} for i, count in enumerate((9, 99))]


def of(site=(), scores=(), way=(), images=IMAGES):
    """The facts of one site."""
    each = [WAY | dict(way) | {"way": name, "soft_ss": score} for name, score in (SCORES | dict(scores)).items()]
    return facts(*map(pd.DataFrame, ([SITE | dict(site)], each, images))).iloc[0]


def test_facts_are_what_the_scores_say():
    found = of()
    true = {"few_classes", "match_loses", "plain_as_good", "above_random", "cka_loses", "seeds_differ", "deep"}
    true |= {"half_of_ceiling", "rises", "input_alike", "same_sign", "sizes_matter", "training_loses"}
    false = {"match_gains", "above_middle", "ridge_gains", "yes"}
    assert {name for name in true | false if found[name]} == true


@pytest.mark.parametrize(
    "fact, change",
    [
        ("few_classes", {"site": {"classes": 1000}}),
        ("deep", {"site": {"deep": 0}}),
        ("match_gains", {"site": {"match_mean": 0.021}}),
        ("match_loses", {"site": {"match_mean": 0.001}}),
        ("ridge_gains", {"site": {"ridge_mean": 0.021}}),
        ("plain_as_good", {"site": {"ridge_sn": 0.51}}),
        ("above_random", {"site": {"soft_rs": 0.39}}),
        ("cka_loses", {"site": {"cka_nn": 0.2}}),
        ("seeds_differ", {"site": {"soft_aa": 0.6}}),
        ("half_of_ceiling", {"site": {"seed_share": 0.4}}),
        ("yes", {"site": {"verdict": "Yes: the latents show alignment that the units hide"}}),
        ("input_alike", {"way": {"input_nn": 0.66}}),
        ("same_sign", {"way": {"match_mean": 0.01}}),
        ("sizes_matter", {"scores": {"normalised": 0.48}}),
        ("training_loses", {"scores": {"authors": 0.51}}),
        ("rises", {"images": IMAGES[::-1][:1] + [IMAGES[0] | {"soft_ss": 0.39}]}),
    ],
)
def test_each_fact_turns_with_its_score(fact, change):
    assert of()[fact] != of(**change)[fact]


def test_deep_layers_are_compared_with_the_intermediate_one_of_their_pair():
    rows = [("one", "m", 0, -0.3), ("one", "deep", 1, -0.2), ("two", "m", 0, 0.1), ("two", "deep", 1, -0.1)]
    table = [SITE | {"pair": p, "layer": at, "deep": deep, "match_mean": x} for p, at, deep, x in rows]
    each = [WAY | {"pair": p, "layer": at, "way": way, "soft_ss": 0.4} for p, at, *_ in rows for way in WAYS]
    images = [one | {"pair": p, "layer": at} for p, at, *_ in rows for one in IMAGES]
    found = facts(*map(pd.DataFrame, (table, each, images)))
    assert found[found.deep].above_middle.tolist() == [True, False]


def test_each_expectation_asks_something_that_the_recorded_facts_have():
    outcome = judged(facts(**known_tables({})), EXPECTED)
    assert len(outcome) == len(EXPECTED) and outcome.cells.min() > 0
    assert {*outcome.verdict} <= {"held", "failed", "too few cells"} and outcome.measured.notna().sum() >= 10


def test_an_expectation_can_fail_and_hold():
    few = [one for one in EXPECTED if one.words.startswith("ten classes, deep")]
    table = pd.DataFrame([of()] * 6)
    assert judged(table, few).verdict.item() == "held"
    table = pd.DataFrame([of()] * 5 + [of({"match_mean": 0.01})])
    assert judged(table, few).verdict.item() == "failed"


def test_tables_are_those_recorded_and_else_the_runs_own(monkeypatch):
    rows = {"sites": [{"x": 1}], "ways": [{"x": 2}], "images": [{"x": 3}]}
    monkeypatch.setattr(natural, "recorded_results", lambda profile: {})
    assert known_tables(rows)["ways"].x.tolist() == [2]
    kept = {PROFILES[0]: {CHAPTER: {"tables": {name: [{"x": 7}] for name in rows}}},
            PROFILES[1]: {CHAPTER: {"tables": {name: [{"x": 8}] for name in rows}}}}  # fmt: skip
    monkeypatch.setattr(natural, "recorded_results", lambda profile: kept.get(profile, {}))
    assert known_tables(rows)["images"].x.tolist() == [7, 8]


def test_both_networks_of_a_pair_are_read_at_each_site(tmp_path):
    for network, layers in (("a", {"one": 1.0, "two": 2.0}), ("b", {"eins": 3.0, "two": 4.0})):
        (tmp_path / network).mkdir()
        for layer, value in layers.items():
            np.save(tmp_path / network / f"{layer}.npy", np.full((3, 2), value, dtype=np.float32))
    (pair,) = sites(["pair"], ["one=eins two"], ["vit"], [10])
    both = [f"arrays:{tmp_path}/{x}" for x in "ab"]
    found = read_pair(both, pair, "rows:0:3", "cpu", 0)
    assert [[float(y[0, 0]) for y in each] for each in found] == [[1.0, 3.0], [2.0, 4.0]]
    (pair,) = sites(["pair"], ["eins"], ["vit"], [10])
    refuses("'eins' is unknown", "did you mean", read_pair, both, pair, "rows:0:3", "cpu", 0)


def test_figures_show_every_site_once():
    tables, (left, right) = known_tables({}), panels(2)
    natural.draw_sites(left, tables["ways"], "ours")
    shown = [tuple(xy) for line in left.get_lines()[:-1] for xy in line.get_xydata().tolist()]
    rows = tables["ways"][tables["ways"].way == "ours"]
    assert {*zip(rows.soft_nn, rows.soft_ss, strict=True)} <= {*shown}
    natural.draw_images(right, tables["images"], "soft_ss")
    counts = tables["images"].groupby(["pair", "layer"]).ngroups + tables["images"].pair.nunique()
    assert len(right.get_lines()) == counts


def test_records_hold_what_the_page_is_made_of():
    names = {profile for profile in PROFILES if CHAPTER in recorded_results(profile)}
    assert {"cifar_pairs", "imagenet_pairs"} <= names
    json.dumps([recorded_results(name)[CHAPTER]["tables"] for name in names], allow_nan=False)
