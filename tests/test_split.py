"""Stimuli are dealt whole, with the groups they belong to, and responses are made ready by the SAEs' part alone."""

import torch
from helpers import close, normal, refuses

from lib.split import _tame, answered_alike, dimensions, further, independent_stimuli, split_stimuli

DENSE = normal(2400, 16, dtype=torch.float32)


def test_groups_that_are_given_are_kept_together():
    y, groups = torch.arange(120.0)[:, None] + normal(120, 2, dtype=torch.float32), torch.arange(120) // 6
    split = split_stimuli(y, y, groups=groups)
    assert sum(split.distinct) == 20 and split.fit.shape[1] % 6 == 0
    for train, test in split.folds:
        first, other = (split.of(0)[at] for at in (train, test))
        assert len(test) % 6 == 0 and torch.cdist(first, other).min() > 0


def along_time(stimuli, units, memory, seed):
    """Series whose autocorrelation falls by a factor of `memory` with each stimulus."""
    y = normal(stimuli, units, seed=seed)
    for t in range(1, stimuli):
        y[t] = memory * y[t - 1] + (1 - memory**2) ** 0.5 * y[t]
    return y


def test_independent_stimuli_are_those_that_chance_would_need():
    pairs = [(along_time(2000, 3, 0.8, i), along_time(2000, 5, 0.9, i + 100)) for i in range(60)]
    centred = [(a - a.mean(0), b - b.mean(0)) for a, b in pairs]
    shared = [(a.mT @ b).square().sum() / (a.square().sum() * b.square().sum()) for a, b in centred]
    told = torch.tensor([independent_stimuli(a, b) for a, b in pairs]).mean()
    close(told * torch.stack(shared).mean(), 1, 0.15)
    close(told / (2000 * (1 - 0.72) / (1 + 0.72)), 1, 0.15)  # a geometric series of .8 * .9
    alone = independent_stimuli(normal(2000, 3), normal(2000, 5, seed=1))
    assert alone == independent_stimuli(pairs[0][0], normal(2000, 5, seed=1)) == 2000


def test_neighbours_that_are_alike_count_once_if_they_are_one_group():
    films = [normal(60, 4, seed=i).repeat_interleave(10, 0) + 0.3 * normal(600, 4, seed=9 + i) for i in (0, 1)]
    assert split_stimuli(*films).independent < 150
    groups = torch.arange(60).repeat_interleave(10)
    assert split_stimuli(*films, groups=groups).independent == 60
    shuffled = torch.randperm(600)
    assert split_stimuli(*(y[shuffled] for y in films), groups=groups[shuffled]).independent == 60
    assert split_stimuli(*(y[shuffled] for y in films)).independent > 500


def test_parts_are_disjoint_complete_and_share_no_statistics():
    y = torch.arange(100.0)[:, None] * torch.tensor([1.0, 2.0])
    split = split_stimuli(y, -y[:, :1], 0.3, 0)
    assert split.fit.shape == (2, 30, 2) and split.scored.shape == (2, 70, 2)
    both = torch.cat([split.fit, split.scored], 1)[0, :, 0]
    steps = both.sort().values.diff()
    close(steps, steps[:1].expand(99), 1e-5)  # every stimulus once
    close(split.fit.mean(1), torch.zeros(2, 2), 1e-5)
    close(split.fit.var(1, correction=0).sum(1), [1, 1], 1e-5)
    assert not split.fit[1, :, 1].any() and split.of(1).shape == (70, 1)
    assert torch.equal(split.fit, split_stimuli(y, -y[:, :1], 0.3, 0).fit)
    assert not torch.equal(split.fit[0], split_stimuli(y, -y[:, :1], 0.3, 1).fit[0])


def test_dimensions_are_those_of_the_units_alone():
    used = dimensions(split_stimuli(DENSE, DENSE[:, :4], 0.5, 0))
    assert 15 < used[0] <= 16 and 3.8 < used[1] <= 4


def test_bad_input_is_refused():
    y = normal(60, 4, dtype=torch.float32)
    refuses("15 stimuli, 8 of them for the SAEs", "give more stimuli", split_stimuli, y[:15], y[:15], 0.5, 0)
    refuses("30 of them for the SAEs", "each of 8 folds", split_stimuli, y, y, 0.5, 0, folds=8)
    refuses("no unit of b ever changes", "rows are stimuli", split_stimuli, y, torch.ones(60, 2), 0.5, 0)
    refuses("a has 60 stimuli and b has 50", "same stimuli", split_stimuli, y, y[:50], 0.5, 0)
    refuses("b has 1 NaN", "replace", split_stimuli, y, torch.where(y == y.max(), torch.nan, y), 0.5, 0)
    for share, folds in ((0.0, 5), (1.5, 5), (float("nan"), 5), (0.5, 1)):
        refuses("share of stimuli", "two or more folds", split_stimuli, y, y, share, 0, folds=folds)
    refuses("groups have shape (3,)", "each of 60 stimuli", split_stimuli, y, y, groups=torch.arange(3))
    refuses("a (str", "numpy.asarray", split_stimuli, "first.npy", y)
    refuses("b has shape (60,)", "repeats", split_stimuli, y, y[:, 0])
    refuses("leave a fold", "fewer folds", split_stimuli, y, y, groups=torch.arange(60) // 15)


def test_units_that_change_in_no_fold_and_responses_of_another_shape_are_refused():
    y = normal(60, 4)
    split, still = split_stimuli(y, y), y.clone()
    still[split.at[1]] = 1.0
    refuses("no unit of b changes in every fold", "more stimuli", split_stimuli, y, still, groups=torch.arange(60))
    for other in (y[:, :, None], y[:59]):
        refuses("other has shape", "a row for each stimulus", further, split, other, "other")


def test_copies_are_nearer_than_a_hundredth_of_the_typical_distance_over_all_networks():
    y = [normal(400, 30, seed=i) * torch.logspace(0, 0.5, 30).double() * size for i, size in ((0, 1), (1, 1e3))]
    for apart, copies in ((0.0095, True), (0.0105, False)):
        for one in y:
            typical = (2 * one.var(0, correction=0).sum()).sqrt()
            one[7] = one[3] + apart * typical * torch.nn.functional.normalize(normal(30, seed=5), dim=0)
        groups = answered_alike(*y)
        assert (groups[7] == groups[3]) == copies and len(groups.unique()) == 400 - copies


def test_counts_at_their_least():
    y = normal(60, 4)
    for stimuli, share, folds in ((20, 0.5, 2), (24, 0.5, 3), (30, 1 / 3, 5)):
        assert len(split_stimuli(y[:stimuli], y[:stimuli], share, folds=folds).folds) == folds
    for stimuli, share, folds in ((19, 0.5, 2), (23, 0.5, 3), (30, 0.3, 5)):
        refuses(f"{stimuli} stimuli", "more stimuli", split_stimuli, y[:stimuli], y[:stimuli], share, folds=folds)
    refuses("share of stimuli for the SAEs 1.0", "0 < share < 1", split_stimuli, y, y, 1.0)


def test_units_of_more_than_five_median_deviations_are_brought_down_to_that():
    factor, massive = _tame(torch.tensor([1.0, 1, 1, 5]))
    assert factor.tolist() == [1] * 4 and massive == {}
    factor, massive = _tame(torch.tensor([0.0, 0, 0, 0, 1, 1, 10]))  # units left out have no say
    assert factor.tolist() == [1] * 6 + [0.5] and [*massive] == [6]
    close(massive[6], 100 / 102, 1e-6)


def test_halves_are_means_of_every_second_repeat_and_an_odd_one_is_left_out():
    y, other = 3 + normal(60, 4, 5), normal(60, 3, 1, seed=1)
    split = split_stimuli(y, other)
    assert split.repeats == (5, 1) and split.halves.shape == (2, 2, 30, 4)
    y = y[split.at[1]]
    scale = (y.mean(2)[1:] - y.mean(2)[:1]) / (split.of(0)[1:] - split.of(0)[:1]).double()
    for half, at in zip(split.halves, ([0, 2], [1, 3]), strict=True):
        close((half[0] - split.scored[0]).double() * scale[0, 0], y[:, :, at].mean(2) - y.mean(2), 1e-4)
        close(half[1], split.scored[1], 1e-6)  # of one repeat, the same twice
    assert split_stimuli(other, other).halves is None
    close(scale, scale[:1, :1].expand(29, 4), 1e-3)


def test_units_that_rest_in_one_part_are_left_out_and_counted():
    y = normal(100, 5)
    split = split_stimuli(y, y)
    y[split.at[0], 1] = 2.0  # in the SAEs' part
    y[split.at[1][split.folds[3][1]], 4] = -1.0  # in one fold
    y[:, 4] *= 1e3  # so large that it would be scaled down, were it not left out
    found = split_stimuli(y, y[:, :4], groups=torch.arange(100))
    assert (found.units, found.constant) == ((3, 3), (2, 1)) and found.massive == ({}, {})
    assert found.fit.shape[2] == 3
    assert found.distinct == (50, 50)
    close(
        torch.corrcoef(torch.cat([found.of(0), y[found.at[1]].float()[:, [0, 2, 3]]], 1).T)[:3, 3:].diagonal(),
        [1, 1, 1],
        1e-5,
    )
    assert found.all_of(1).shape == (100, 3) and torch.equal(found.all_of(0)[:50], found.fit[0])


def test_one_more_network_is_prepared_as_those_of_the_split_whatever_the_share():
    y_a, y_b = normal(90, 5) * torch.arange(1, 6), normal(90, 4, seed=1) + 3
    for share in (0.3, 0.7):
        split = split_stimuli(y_a, y_b, share)
        for side, y in enumerate((y_a, y_b)):
            close(further(split, y), split.all_of(side), 1e-6)


def test_a_split_that_is_told_no_seed_is_that_of_seed_0():
    y_a, y_b = normal(90, 5), normal(90, 4, seed=1)
    assert all(map(torch.equal, split_stimuli(y_a, y_b).at, split_stimuli(y_a, y_b, seed=0).at))
