import numpy as np
import pytest
import scipy.stats
import torch
from helpers import NO_GPU, close, normal, refuses
from hypothesis import given
from hypothesis import strategies as st

from lib.crossval import NEAR, PAIRS, copies, k_folds, silent_units, summarise


@given(stimuli=st.integers(4, 60), data=st.data())
def test_test_folds_cover_all_stimuli_once_and_train_on_the_rest(stimuli, data):
    count = data.draw(st.integers(2, stimuli // 2))
    folds = k_folds(stimuli, count, seed=stimuli)
    assert len(folds) == count
    assert sorted(torch.cat([test for _, test in folds]).tolist()) == list(range(stimuli))
    for train, test in folds:
        assert sorted(torch.cat([train, test]).tolist()) == list(range(stimuli))
        assert stimuli // count <= len(test) <= stimuli // count + 1
        assert len(test) >= 2


def test_a_seed_fixes_the_folds_and_another_shuffles_them_anew():
    def tests(seed):
        return torch.cat([test for _, test in k_folds(50, 5, seed)]).tolist()

    assert tests(1) == tests(1)
    assert tests(1) != tests(2)
    assert tests(1) != sorted(tests(1))


def test_drawing_folds_leaves_the_global_generator_alone():
    state = torch.get_rng_state()
    k_folds(50)
    assert torch.equal(state, torch.get_rng_state())


@pytest.mark.parametrize(("stimuli", "folds"), [(10, 1), (10, 0), (10, -2), (10, 6), (9, 5), (0, 5), (1, 2)])
def test_folds_out_of_range_are_refused(stimuli, folds):
    refuses(f"{folds} folds of {stimuli} stimuli", f"choose from 2 to {stimuli // 2} folds", k_folds, stimuli, folds)


@given(sizes=st.lists(st.integers(1, 4), min_size=12, max_size=30), folds=st.integers(2, 4), seed=st.integers(0, 5))
def test_stimuli_of_one_group_are_in_one_fold(sizes, folds, seed):
    groups = torch.arange(len(sizes)).repeat_interleave(torch.tensor(sizes))[torch.randperm(sum(sizes))]
    found = k_folds(len(groups), folds, seed, groups)
    assert sorted(torch.cat([test for _, test in found]).tolist()) == list(range(len(groups)))
    for train, test in found:
        assert not {*groups[train].tolist()} & {*groups[test].tolist()}
        assert len(train) + len(test) == len(groups) and abs(len(test) - len(groups) / folds) <= 4


def test_groups_too_large_for_the_folds_are_refused():
    refuses("groups of 40 stimuli", "smaller groups", k_folds, 40, 5, 0, torch.arange(40) // 20)


@pytest.mark.parametrize("units", [1, 3, 50])
@pytest.mark.parametrize("noise", [0.0, 0.001])
def test_copies_are_found_wherever_they_stand(units, noise):
    y = normal(200, max(units, 3), seed=1)
    y = torch.cat([y, y[:60] + noise * normal(60, max(units, 3), seed=2), y[:60]])[:, : max(units, 3)]
    order = torch.randperm(320, generator=torch.Generator().manual_seed(3))
    found, truth = copies(y[order]), torch.cat([torch.arange(200), torch.arange(60), torch.arange(60)])[order]
    same = found[:, None] == found
    assert (same[truth[:, None] == truth]).all()
    others = same & (truth[:, None] != truth)
    assert others.double().mean() < 1e-4  # by chance, in few dimensions


def test_what_recurs_or_has_few_dimensions_is_no_copy():
    assert len(copies(normal(500, 40)).unique()) == 500
    assert len(copies(normal(3000, 1) * torch.ones(20, dtype=torch.float64)).unique()) == 3000
    silent = normal(500, 10)
    silent[:200] = 0
    assert len(copies(silent).unique()) == 500
    many = normal(30, 10).repeat(20, 1)
    assert len(copies(many).unique()) == 30


def test_many_exact_copies_are_found():
    """More than the pairs of near ones that are looked at."""
    assert (copies(normal(15, 10).repeat(2 * PAIRS, 1)) == torch.arange(15).repeat(2 * PAIRS)).all()


def test_a_unit_silent_in_one_test_fold_only_is_found():
    folds = k_folds(20, 4)
    y = 1 + normal(20, 5).abs()
    y[folds[2][1], 1] = 0  # silent in the third test fold
    y[folds[1][1][1:], 2] = 0  # fires once there
    y[:, 3] = 0
    y[:, 4] = 0.5  # constant, yet never silent
    assert silent_units(y, folds).tolist() == [False, True, False, True, False]


def test_silent_units_agree_with_a_loop():
    y, folds = normal(40, 200).clamp(min=0.8) - 0.8, k_folds(40, 10)
    looped = [any(all(y[i, unit] == 0 for i in test) for _, test in folds) for unit in range(200)]
    assert silent_units(y, folds).tolist() == looped
    assert 0 < sum(looped) < 200


@NO_GPU
def test_silent_units_stay_on_the_gpu():
    y = normal(20, 5).relu()
    assert torch.equal(silent_units(y.cuda(), k_folds(20)).cpu(), silent_units(y, k_folds(20)))


def test_summary_has_the_mean_and_the_standard_error_of_the_folds():
    values = [0.3, 0.5, 0.1, 0.4]
    scores = summarise(values, 0.25)
    close(scores.mean, np.mean(values))
    close(scores.standard_error, scipy.stats.sem(values))
    assert scores.folds == values
    assert scores.constant_units == 0.25
    assert summarise([0.5, 0.5]) == (0.5, 0.0, [0.5, 0.5], 0.0)


def test_folds_of_groups_are_those_of_the_seed_whatever_else_was_drawn():
    folds = []
    for other in (1, 2):
        torch.manual_seed(other)
        folds.append(k_folds(40, 4, 3, torch.arange(40) // 2))
    assert all(torch.equal(one[1], two[1]) for one, two in zip(*folds, strict=True))


def test_every_copy_that_is_nearly_as_far_as_a_copy_may_be_is_found():
    y, shift = normal(400, 80).double(), normal(400, 80, seed=1).double()
    typical = (2 * y.var(0, correction=0).sum()).sqrt()
    found = copies(torch.cat([y, y + 0.97 * NEAR * typical * shift / shift.norm(dim=1, keepdim=True)]))
    assert torch.equal(found[:400], found[400:]) and len(found.unique()) == 400


def test_folds_that_are_told_no_seed_are_those_of_seed_0():
    assert all(map(torch.equal, *(sum(k_folds(20, **given), ()) for given in ({}, {"seed": 0}))))
    assert not all(map(torch.equal, *(sum(k_folds(20, seed=seed), ()) for seed in (0, 1))))
