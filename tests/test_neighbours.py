from functools import partial

import numpy as np
import pytest
import torch
from helpers import DEVICES, DTYPES, any_scale, around, bad_pairs, close, normal, refuses, rotation, scaled
from hypothesis import given
from hypothesis import strategies as st
from sklearn.neighbors import NearestNeighbors

from lib import pairwise
from lib.neighbours import mutual_knn

euclidean_knn = partial(mutual_knn, similarity="euclidean")
METRICS = [mutual_knn, euclidean_knn]


@pytest.fixture(params=[90, 2**21], ids=["small blocks", "one block"])
def blocks(request, monkeypatch):
    monkeypatch.setattr(pairwise, "BLOCK", request.param)


def pair(stimuli=40, seed=0):
    y_a, y_b = 1 + normal(stimuli, 5, seed=seed), normal(stimuli, 8, seed=seed + 1)
    y_b[:, :5] += y_a
    return y_a, y_b


def explicit_overlap(y_a, y_b, k, metric):
    """With the neighbours that scikit-learn finds."""
    near = [
        NearestNeighbors(n_neighbors=k, metric=metric, algorithm="brute").fit(y.numpy()).kneighbors()[1]
        for y in (y_a, y_b)
    ]
    return np.mean([len(set(a) & set(b)) / k for a, b in zip(*near, strict=True)])


# Known answers


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("metric", METRICS)
def test_a_rotated_scaled_system_has_the_same_neighbours(metric, dtype):
    y = normal(60, 5)
    assert metric(y.to(dtype), (3 * y @ rotation(5)).to(dtype)) == 1
    assert metric(y, y @ torch.diag(torch.tensor([1.0, 9, 1, 1, 1]).double())) < 0.9


def test_a_shift_changes_cosines_and_no_distance():
    y = normal(60, 5)
    assert euclidean_knn(y, y + 5) == 1 and mutual_knn(y, y + 5) < 0.8


def test_neighbours_worked_by_hand():
    y_a = torch.tensor([0.0, 1, 3, 7])[:, None]  # nearest: 1, 0, 1, 2
    y_b = torch.tensor([0.0, 9, 8, 3])[:, None]  # nearest: 3, 2, 1, 0
    close(euclidean_knn(y_a, y_b, k=1), 1 / 4)
    close(euclidean_knn(y_a, y_b, k=2), 1 / 2)  # {1,2} {0,2} {1,0} {2,1} and {3,2} {2,3} {1,3} {0,2}: 1 1 1 1 of 2


def test_unrelated_systems_share_neighbours_by_chance():
    found = mutual_knn(normal(40, 21, 3), normal(40, 21, 3, seed=1), k=4)
    assert abs(found.mean() - 4 / 20) < 4 * found.std() / 40**0.5


def test_neighbours_that_tie_share_the_places():
    corners = torch.tensor([[1.0, 0], [0, 1], [-1, 0], [0, -1], [9, 9]])  # each corner has two next to it
    line = torch.tensor([0.0, 1, 10, 11, 99])[:, None]  # nearest: 1, 0, 3, 2, 3
    close(euclidean_knn(corners, line, k=1), (4 / 2 + 0) / 5)
    turned = corners.double() @ rotation(2)  # which rounds
    close(euclidean_knn(turned, line, k=1), (4 / 2 + 0) / 5)


# Independent implementation


@pytest.mark.parametrize("k", [1, 5, 38])
def test_the_overlap_is_that_of_scikit_learns_neighbours(k, blocks):
    y_a, y_b = pair()
    close(mutual_knn(y_a, y_b, k), explicit_overlap(y_a, y_b, k, "cosine"))
    close(euclidean_knn(y_a, y_b, k), explicit_overlap(y_a, y_b, k, "euclidean"))


# Nothing varies, and properties


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("metric", METRICS)
def test_a_constant_system_scores_chance_and_a_constant_unit_no_distance(metric, dtype):
    y_a, y_b = normal(17, 4, dtype=dtype), normal(17, 3, seed=1, dtype=dtype)
    constant = torch.full((17, 2), 0.1, dtype=dtype)
    for one, other in [(constant, y_b), (y_a, constant), (constant, constant)]:
        close(metric(one, other, k=4), 4 / 16)
    assert euclidean_knn(torch.cat([y_a, constant], 1), y_b) == euclidean_knn(y_a, y_b)


@given(seed=st.integers(0, 1000), k=st.integers(1, 10), stimuli=st.integers(12, 30))
def test_the_score_is_symmetric_bounded_and_invariant(seed, k, stimuli):
    y_a, y_b = normal(stimuli, 4, seed=seed), normal(stimuli, 3, seed=seed + 1)
    order = torch.randperm(stimuli, generator=torch.Generator().manual_seed(seed))
    for metric in METRICS:
        value = metric(y_a, y_b, k)
        assert 0 <= value <= 1
        close(metric(y_b, y_a, k), value)
        close(metric(7 * y_a @ rotation(4, seed), y_b, k), value)
        close(metric(y_a[order], y_b[order], k), value)


@any_scale
def test_the_scale_of_a_system_changes_nothing(power, dtype):
    y_a, y_b = pair(20)
    for metric in METRICS:
        close(metric(scaled(y_a, power, None, dtype), scaled(y_b, -power, None, dtype)), metric(y_a, y_b), 1e-12)


@any_scale
def test_one_unit_of_any_scale_counts_as_much_as_it_should(power, dtype):
    y_a, y_b = scaled(pair(20)[0], power, 2, dtype), pair(20)[1].to(dtype)
    if power > -80:  # beyond, scikit-learn's own distances vanish
        close(euclidean_knn(y_a, y_b, 5), explicit_overlap(y_a.double() / y_a.abs().max(), y_b, 5, "euclidean"))


@pytest.mark.parametrize("power", [-200, 200])
def test_a_unit_scale_near_the_ends_of_the_range_changes_nothing(power):
    y_a, y_b = pair(20)
    for metric in METRICS:
        close(metric(scaled(y_a, power), y_b), metric(y_a, y_b))


@pytest.mark.parametrize("mean", [1e7, 1e9])
def test_a_large_mean_changes_no_distance(mean):
    (far_a, y_a), (far_b, y_b) = around(mean, 30, 4), around(-mean, 30, 3, seed=1)
    close(euclidean_knn(far_a, far_b), euclidean_knn(y_a, y_b))


def test_one_stimulus_far_off_hides_no_other():
    y_a, y_b = pair(20)
    y_a[3] *= 1e7
    close(euclidean_knn(y_a, y_b, 5), explicit_overlap(y_a, y_b, 5, "euclidean"))


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("metric", METRICS)
def test_a_batch_gives_what_each_entry_gives(metric, device):
    y_a, y_b = normal(3, 30, 4), normal(3, 30, 5, seed=1)
    one_by_one = [float(metric(a, b)) for a, b in zip(y_a, y_b, strict=True)]
    batched = metric(y_a.to(device), y_b.to(device))
    assert batched.device.type == device
    close(batched, one_by_one)
    close(metric(y_a, y_b[0]), [float(metric(a, y_b[0])) for a in y_a])


# Bad input


@bad_pairs(mutual_knn)
def test_bad_input_is_refused(call, y_a, y_b, thing, mend):
    refuses(thing, mend, call, y_a, y_b)


@pytest.mark.parametrize("k", [0, -1, 8, 2.0, True, None])
def test_a_number_of_neighbours_that_is_none_is_refused(k):
    refuses(f"k = {k} neighbours of 9 stimuli", "from 1 to 7", mutual_knn, normal(9, 3), normal(9, 3), k)


def test_what_has_no_neighbours_is_refused():
    y = normal(12, 3)
    y[4] = 0
    refuses("y_b has 1 stimuli with the same response", "remove them", mutual_knn, normal(12, 3), y)
    refuses("similarity 'dot' is unknown", "cosine or euclidean", mutual_knn, y, y, 3, "dot")
    refuses("y_a has 2 stimuli", "at least 3", mutual_knn, y[:2], y[:2], 1)
