"""Scores beside those of seeds and of identical features, where the overlap and the number of features are known."""

from math import sqrt

import pytest
import torch
from helpers import close, normal, refuses
from test_ceiling import systems

import lib.seeds
from lib.pairings import GEOMETRY, MATCHING, RIDGE, Held, Pairing, score
from lib.seeds import METRICS, beside
from lib.split import further, split_stimuli


def found(a, b):
    """What is said of seeds of a and of b, the first of each being the networks of the report."""
    split = split_stimuli(a[0], b[0])
    populations = Held({"n_a": split.of(0), "n_b": split.of(1)}, split.folds)
    return beside(split, score(populations, [Pairing("nn", "n_a", "n_b", tuple(METRICS))]), a[1:], b[1:])


@pytest.mark.parametrize("n_s", [0, 20, 40])
def test_the_overlap_of_two_systems_is_found_beside_their_scores(n_s):
    one = found(*systems(40, n_s, (24, 32), stimuli=6000))
    assert (
        one.overlap.low < n_s / 40 < one.overlap.high and f"overlap from seeds is {one.overlap:.3f}" in one.markdown()
    )
    assert all(abs(n - 40) < 10 for n in one.features) and "- **" not in one.markdown()
    for metric in GEOMETRY:  # divided by what seeds reach they are the overlap, and in themselves are far from it
        assert abs(one.table.share[metric] - n_s / 40) < 0.12
        assert one.table.raw[metric] < 0.5
    for metric in RIDGE:
        assert abs(one.table.share[metric] - sqrt(n_s / 40)) < 0.12


def test_identical_features_score_what_the_law_says_and_so_do_seeds():
    draws = [found(*systems(40, 40, (12, 18), stimuli=2000, seed=seed)).table for seed in range(9)]
    mean = sum(draws) / len(draws)
    for metric in (*GEOMETRY, *RIDGE):
        assert mean.raw[metric] == pytest.approx(mean.identical[metric], rel=0.1)
        assert mean.share[metric] == pytest.approx(1, abs=0.1)
    assert mean.identical["ridge_ab"] == pytest.approx(sqrt(12 / 40), rel=0.05)
    assert mean.identical["cka"] == pytest.approx(sqrt(12 / 53 * 18 / 59), rel=0.15)
    assert mean.identical[[*MATCHING]].isna().all() and not mean.drop(columns="identical").isna().any(axis=None)


def test_of_unequal_numbers_of_features_the_geometric_mean_counts():
    """Then the law is what seeds of a and of b score, in the geometric mean."""
    (a, _), (b, _) = systems(15, 15, (12, 12), stimuli=4000), systems(60, 60, (18, 18), stimuli=4000)
    table = found(a, b).table
    assert table.identical["cka"] == pytest.approx(sqrt(table.seeds_a["cka"] * table.seeds_b["cka"]), rel=0.05)


def test_scores_of_seeds_are_means_over_pairs_and_both_directions():
    (a, b), names = systems(20, 10, (6, 8), seeds=3, stimuli=400), ["0", "1", "2"]
    split = split_stimuli(a[0], b[0])
    parts = {name: further(split, y)[len(split.at[0]) :] for name, y in zip(names, b, strict=True)}
    each = [score(Held(parts, split.folds), [Pairing("", i, j, ("soft", "ridge_ab"))])
            for i, j in [("0", "1"), ("0", "2"), ("1", "2"), ("1", "0"), ("2", "0"), ("2", "1")]]  # fmt: skip
    means = [one.groupby("metric").value.mean() for one in each]
    table = found(a, b).table
    for metric, name in (("soft", "soft"), ("ridge_ab", "ridge"), ("ridge_ba", "ridge")):
        some = means[:3] if metric == "soft" else means
        assert table.seeds_b[metric] == pytest.approx(sum(one[name] for one in some) / len(some))


def test_seeds_of_one_network_count_its_features_and_the_share_of_the_others():
    a, b = systems(40, 20, (24, 32), stimuli=6000)
    for seeds, names in (((a, b[:1]), "ab"), ((a[:1], b), "ba")):
        one = found(*seeds)
        told = one.markdown()
        side = names == "ba"
        assert one.overlap is None and abs(one.common[1 - side] - 0.5) < 0.1 and abs(one.features[side] - 40) < 8
        n, share = one.features[side], one.common[1 - side]
        assert f"count {n:.1f} features in it, and it has a share of {share:.3f} of" in told
        assert f"Seeds of {names[0]} count" in told and f"need a second seed of {names[1]}" in told
        assert [*one.shown().columns] == ["score", "identical features", f"two seeds of {names[0]}", "share of that"]
        assert [metric for metric in METRICS if one.table.share.notna()[metric]] == [f"ridge_{names}"]


def test_without_seeds_the_law_counts_by_one_network():
    one = found(*(seeds[:1] for seeds in systems(40, 20, (24, 32), stimuli=6000)))
    assert all(abs(n - 40) < 15 for n in one.features) and "The overlap takes two" in one.markdown()
    assert [*one.shown().columns] == ["score", "identical features"]
    assert [*one.shown()["identical features"]].count("no law") == len(MATCHING)


def test_what_speaks_against_an_overlap_is_said():
    z = torch.randn(3000, 40, generator=torch.Generator().manual_seed(0))
    turns = [torch.linalg.qr(normal(40, 40, seed=i).float())[0] for i in range(4)]
    repelling = [z @ turn[:, :16] for turn in turns]
    told = found(repelling[:2], repelling[2:]).markdown()
    assert "The units of a are not independent" in told and "units of b are not" in told and "Little" not in told
    assert "6 units in the smaller network" in found(*systems(20, 10, (6, 16), stimuli=3000)).markdown()
    assert " 466 independent stimuli" in found(*systems(20, 10, (16, 16), stimuli=500)).markdown()  # no feature, a copy
    thrice = [[y.repeat(3, 1) for y in seeds] for seeds in systems(20, 10, (16, 16), stimuli=900)]
    assert "takes each of the 2700 for one" in found(*thrice).markdown()
    starts = [normal(40, 16, seed=9 + i).float() for i in (0, 1)]  # of which each pair of a and b has one in common
    a, b = ([z @ (starts[i] + 0.3 * normal(40, 16, seed=20 * side + i).float()) for i in (0, 1)] for side in (0, 1))
    assert "More than all in common" in found(a, b).markdown()


def test_seeds_that_share_nothing_give_no_overlap_and_no_law():
    a, b = systems(20, 10, (8, 8), stimuli=300)
    for seed in range(9):
        one = found([a[0], normal(300, 8, seed=seed)], b)
        if one.overlap is None:
            assert "share no more than chance" in one.markdown()
            return
    raise AssertionError("chance covariances were positive nine times")


def test_one_unit_has_no_count_and_no_law():
    a, b = normal(200, 1), normal(200, 3, seed=1)
    assert found([a], [b]).table.identical.isna().all()


def test_a_further_network_is_prepared_as_the_first_ones():
    y_a, y_b = normal(400, 6), normal(400, 5, seed=1)
    y_a[:, 2], y_a[:, 4] = 3, 100 * y_a[:, 4]
    split = split_stimuli(y_a, y_b)
    for i, y in enumerate((y_a, y_b)):
        close(further(split, y), torch.cat([split.fit[i, :, : split.units[i]], split.of(i)]), 1e-6)
    assert split.constant == (1, 0) and 4 in split.massive[0]


def test_bad_further_networks_are_refused_by_name():
    a, b = normal(100, 4), normal(100, 5, seed=1)

    def with_seed(y):
        return found([a, y], [b])

    refuses("seed 2 of a has shape (99, 4)", "give (100, units)", with_seed, a[1:])
    refuses("seed 2 of a has shape (100, 4, 1)", "give (100, units)", with_seed, a[:, :, None])
    refuses("seed 2 of a has 4 NaN", "replace", with_seed, torch.cat([a[:-1], torch.nan * a[:1]]))
    refuses("no unit of seed 2 of a changes", "varied", with_seed, torch.ones(100, 4))


def test_without_a_count_of_features_there_is_no_law_of_what_the_same_ones_would_score():
    found = lib.seeds._identical((3.0, 3.0), (torch.inf, 5.0), (4, 4))
    assert found and all(value != value for value in found.values())
