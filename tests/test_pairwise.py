import subprocess
import sys
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import scipy.stats
import torch
from helpers import (
    DEVICES,
    DTYPES,
    TOLERANCE,
    any_scale,
    around,
    bad_pairs,
    check_batch,
    close,
    normal,
    refuses,
    rotation,
    scaled,
)
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.distance import pdist
from sklearn.metrics.pairwise import rbf_kernel

from lib import pairwise
from lib.geometry import linear_cka, rsa
from lib.pairwise import euclidean_rsa, median_squared_distance, rank_rsa, rbf_cka

SIMILARITIES = ["dot", "cosine", "correlation", "sqeuclidean"]
debiased_rbf_cka = partial(rbf_cka, debiased=True)
kendall_rsa = partial(rank_rsa, comparison="kendall")
KERNELS = [rbf_cka, debiased_rbf_cka, euclidean_rsa]
RANKS = [rank_rsa, kendall_rsa]
METRICS = [*KERNELS, *RANKS]


@pytest.fixture(params=[90, 2**21], ids=["small blocks", "one block"])
def blocks(request, monkeypatch):
    monkeypatch.setattr(pairwise, "BLOCK", request.param)


def pair(stimuli=30, seed=0):
    y_a, y_b = 1 + normal(stimuli, 5, seed=seed), normal(stimuli, 8, seed=seed + 1)
    y_b[:, :5] += y_a
    return y_a, y_b


def lower_median(distances):
    return np.sort(distances)[(len(distances) - 1) // 2]


def explicit_kernel(y, bandwidth):
    """As scikit-learn gives it, at the median of SciPy's distances."""
    return rbf_kernel(y.numpy(), gamma=1 / (2 * (bandwidth * lower_median(pdist(y.numpy()))) ** 2))


def explicit_cka(k, q):
    h = np.eye(len(k)) - 1 / len(k)
    k, q = h @ k @ h, h @ q @ h
    return (k * q).sum() / np.linalg.norm(k) / np.linalg.norm(q)


def u_centred(k):
    """Szekely and Rizzo 2014: the unbiased product is that of matrices so centred."""
    m, k = len(k), k * (1 - np.eye(len(k)))
    rows = k.sum(1)
    return (k - (rows[:, None] + rows) / (m - 2) + k.sum() / ((m - 1) * (m - 2))) * (1 - np.eye(m))


def explicit_pairs(y, similarity, centre):
    y = y.numpy() - (y.numpy().mean(0) if centre else 0)
    if similarity == "sqeuclidean":
        return pdist(y)
    if similarity == "cosine":
        y = y / np.linalg.norm(y, axis=1, keepdims=True)
    matrix = np.corrcoef(y) if similarity == "correlation" else y @ y.T
    return matrix[np.triu_indices(len(y), 1)]


def spearman(x, z):
    return np.corrcoef(scipy.stats.rankdata(x), scipy.stats.rankdata(z))[0, 1]


def explicit_tau(x, z):
    """By looking at all pairs of pairs."""
    signs = np.sign(x[:, None] - x) * np.sign(z[:, None] - z)
    return signs.sum() / (len(x) * (len(x) - 1))


# Known answers


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("metric", METRICS)
def test_a_rotated_scaled_shifted_system_is_the_same(metric, dtype):
    y = normal(40, 5)
    moved = 3 * y @ rotation(5) + 2
    close(metric(y.to(dtype), moved.to(dtype)), 1.0, TOLERANCE[dtype])
    assert metric(y, y @ torch.diag(torch.tensor([1.0, 9, 1, 1, 1]).double())) < 0.9


def test_a_wide_kernel_hears_what_linear_cka_hears_and_a_narrow_one_only_who_is_near():
    y_a, y_b = pair()
    close(rbf_cka(y_a, y_b, 1e5), linear_cka(y_a, y_b), 1e-9)
    close(debiased_rbf_cka(y_a, y_b, 1e5), linear_cka(y_a, y_b, debiased=True), 1e-9)
    two_groups = torch.tensor([0.0, 0.01, 100, 100.01, 5000, -5000])[:, None].double()
    moved = torch.tensor([7.0, 7.01, -90, -90.01, 300, 44])[:, None].double()  # the same neighbours, elsewhere
    assert rbf_cka(two_groups, moved, 0.01) > 0.99 > 0.9 > linear_cka(two_groups, moved)


def test_debiased_rbf_cka_of_unrelated_systems_is_0_on_average_and_biased_is_not():
    found = debiased_rbf_cka(normal(60, 12, 3), normal(60, 12, 3, seed=1))
    assert abs(found.mean()) < 4 * found.std() / 60**0.5 and found.min() < 0
    assert rbf_cka(normal(9, 12, 3), normal(9, 12, 3, seed=1)).min() > 0.15


def test_ranks_of_three_stimuli_worked_by_hand():
    y_a, y_b = torch.tensor([[1.0, 0], [0, 1], [1, 1]]).double(), torch.tensor([[1.0], [2], [4]]).double()
    # dot products 0, 1, 1 and 2, 4, 8: ranks 1, 2.5, 2.5 and 1, 2, 3; of three pairs of pairs two agree and one ties
    close(rank_rsa(y_a, y_b, centre=False), 3**0.5 / 2)
    close(kendall_rsa(y_a, y_b, centre=False), 2 / 3)


def test_ranks_hear_order_alone():
    x, grown = torch.tensor([0.0, 1, 3, 7, 15])[:, None].double(), torch.tensor([0.0, 2, 9, 40, 200])[:, None].double()
    for metric in RANKS:
        close(metric(x, grown, similarity="sqeuclidean"), 1.0)
    assert rsa(x, grown, "sqeuclidean") < 0.999 and euclidean_rsa(x, grown) < 0.999


# Independent implementations


@pytest.mark.parametrize("stimuli", [3, 4, 5, 30, 31])
def test_the_median_distance_is_that_of_all_pairs(stimuli, blocks):
    y = normal(stimuli, 3)
    close(median_squared_distance(y).sqrt(), lower_median(pdist(y.numpy())))
    whole = torch.randint(0, 3, (stimuli, 4), generator=torch.Generator().manual_seed(0)).double()  # many distances tie
    close(median_squared_distance(whole), lower_median(pdist(whole.numpy(), "sqeuclidean")), 0)


@pytest.mark.parametrize("stimuli", [31, 32, 61])
def test_the_median_of_many_stimuli_is_that_of_evenly_spaced_ones(stimuli, monkeypatch):
    monkeypatch.setattr(pairwise, "MOST_STIMULI", 30)
    y = normal(stimuli, 3)
    step = 2 if stimuli <= 60 else 3
    close(median_squared_distance(y).sqrt(), lower_median(pdist(y[::step].numpy())))


@pytest.mark.parametrize("bandwidth", [0.3, 1, 4])
@pytest.mark.parametrize("stimuli", [4, 5, 30])
def test_rbf_cka_agrees_with_centred_kernels(stimuli, bandwidth, blocks):
    y_a, y_b = pair(stimuli)
    k, q = explicit_kernel(y_a, bandwidth), explicit_kernel(y_b, bandwidth)
    close(rbf_cka(y_a, y_b, bandwidth), explicit_cka(k, q))
    u, v = u_centred(k), u_centred(q)
    close(debiased_rbf_cka(y_a, y_b, bandwidth), (u * v).sum() / np.linalg.norm(u) / np.linalg.norm(v), 1e-8)


@pytest.mark.parametrize("stimuli", [3, 4, 30])
def test_rsa_of_plain_distances_agrees_with_scipy(stimuli, blocks):
    y_a, y_b = pair(stimuli)
    close(euclidean_rsa(y_a, y_b), np.corrcoef(pdist(y_a.numpy()), pdist(y_b.numpy()))[0, 1])


@pytest.mark.parametrize("centre", [None, True, False])
@pytest.mark.parametrize("similarity", SIMILARITIES)
@pytest.mark.parametrize("stimuli", [3, 4, 30])
def test_ranks_agree_with_scipy_and_with_counting(stimuli, similarity, centre, blocks):
    y_a, y_b = pair(stimuli)
    about = similarity == "dot" if centre is None else centre
    x, z = (explicit_pairs(y, similarity, about) for y in (y_a, y_b))
    close(rank_rsa(y_a, y_b, "spearman", similarity, centre), spearman(x, z))
    close(rank_rsa(y_a, y_b, "kendall", similarity, centre), explicit_tau(x, z))


def test_tied_ranks_agree_with_scipy_and_with_counting(blocks):
    y_a, y_b = (torch.randint(0, 2, (20, 4), generator=torch.Generator().manual_seed(i)).double() for i in (0, 1))
    for similarity, centre in (("dot", False), ("sqeuclidean", None)):
        x, z = (explicit_pairs(y, similarity, centre).round(9) for y in (y_a, y_b))
        close(rank_rsa(y_a, y_b, "spearman", similarity, centre), spearman(x, z))
        close(rank_rsa(y_a, y_b, "kendall", similarity, centre), explicit_tau(x, z))
        assert abs(explicit_tau(x, z) - scipy.stats.kendalltau(x, z)[0]) > 0.01  # which is tau-b


@pytest.mark.filterwarnings("ignore")
def test_ranks_agree_with_rsatoolbox():
    rsatoolbox = pytest.importorskip("rsatoolbox")
    y_a, y_b = pair()
    data = [rsatoolbox.data.Dataset(y.numpy()) for y in (y_a, y_b)]
    for similarity, method in (("sqeuclidean", "euclidean"), ("correlation", "correlation")):
        rdms = [rsatoolbox.rdm.calc_rdm(one, method=method) for one in data]
        close(rank_rsa(y_a, y_b, similarity=similarity), rsatoolbox.rdm.compare(*rdms, method="spearman").item())
        close(kendall_rsa(y_a, y_b, similarity=similarity), rsatoolbox.rdm.compare(*rdms, method="tau-a").item())


def test_the_whitened_cosine_of_distances_is_linear_cka():
    """Diedrichsen et al. 2020: with all pairs' noise covariance written out, that of independent noise."""
    y_a, y_b = pair(9)
    contrast = np.array([np.eye(9)[i] - np.eye(9)[j] for i in range(9) for j in range(i + 1, 9)])
    v = (contrast @ contrast.T) ** 2
    x, z = (pdist(y.numpy(), "sqeuclidean") for y in (y_a, y_b))
    whitened = [x @ np.linalg.solve(v, z), x @ np.linalg.solve(v, x), z @ np.linalg.solve(v, z)]
    close(linear_cka(y_a, y_b), whitened[0] / np.sqrt(whitened[1] * whitened[2]))


@pytest.mark.filterwarnings("ignore")
def test_the_whitened_cosine_of_rsatoolbox_is_linear_cka():
    rsatoolbox = pytest.importorskip("rsatoolbox")
    y_a, y_b = pair()
    rdms = [rsatoolbox.rdm.calc_rdm(rsatoolbox.data.Dataset(y.numpy()), method="euclidean") for y in (y_a, y_b)]
    close(linear_cka(y_a, y_b), rsatoolbox.rdm.compare(*rdms, method="cosine_cov").item())


# Nothing varies, or hardly anything


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("metric", METRICS)
def test_a_constant_system_scores_0_and_a_constant_unit_changes_nothing(metric, dtype):
    y_a, y_b = normal(7, 4, dtype=dtype), normal(7, 3, seed=1, dtype=dtype)
    constant = torch.full((7, 2), 0.1, dtype=dtype)
    assert metric(constant, y_b) == metric(y_a, constant) == metric(constant, constant) == 0
    close(metric(torch.cat([y_a, constant], 1), y_b), metric(y_a, y_b), TOLERANCE[dtype])


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("stimuli", [5, 50])
def test_stimuli_all_equally_far_apart_score_0(stimuli, dtype):
    y, one_each = normal(stimuli, 5, dtype=dtype), 0.7 * torch.eye(stimuli, dtype=dtype)
    for metric in (debiased_rbf_cka, euclidean_rsa, *RANKS):
        assert metric(one_each, y) == metric(y, one_each) == metric(one_each, one_each) == 0


def test_rounding_breaks_no_ties():
    y = normal(12, 1)  # every cosine is 1 or -1
    signs = y.sign().numpy()
    found = rank_rsa(y, y.flip(0), similarity="cosine", centre=False)
    pairs = np.triu_indices(12, 1)
    close(found, spearman((signs @ signs.T)[pairs], (signs[::-1] @ signs[::-1].T)[pairs]))


def test_no_distance_between_equal_stimuli_rounds_below_0():
    y_a, y_b = (torch.cat([y, y]) for y in pair(40))
    for _, squared in pairwise.distance_blocks(y_a):
        assert (squared >= 0).all() and not torch.signbit(squared).any()
    close(euclidean_rsa(y_a, y_b), np.corrcoef(pdist(y_a.numpy()), pdist(y_b.numpy()))[0, 1], 1e-7)


@pytest.mark.parametrize("metric", [rbf_cka, debiased_rbf_cka])
def test_too_many_equal_stimuli_are_refused(metric):
    y = normal(10, 3)
    y[1:9] = y[0]
    refuses("y_b gives over half of the pairs of stimuli equal", "keep each stimulus once", metric, normal(10, 3), y)
    y[5:9] = normal(4, 3, seed=1)
    assert 0 < rbf_cka(normal(10, 3), y) < 1


# Properties


@given(seed=st.integers(0, 1000), scale=st.floats(1e-5, 1e5), shift=st.floats(-10, 10), stimuli=st.integers(4, 20))
def test_metrics_are_symmetric_bounded_and_invariant(seed, scale, shift, stimuli):
    y_a, y_b = normal(stimuli, 4, seed=seed), normal(stimuli, 3, seed=seed + 1)
    order = torch.randperm(stimuli, generator=torch.Generator().manual_seed(seed))
    for metric in METRICS:
        value = metric(y_a, y_b)
        assert (0 if metric is rbf_cka else -1) <= value <= 1
        close(metric(y_b, y_a), value)
        close(metric(scale * (y_a @ rotation(4, seed)) + shift, y_b), value, 1e-7)
        close(metric(y_a[order], y_b[order]), value, 1e-9)


# Scale


@any_scale
def test_the_scale_of_a_system_changes_nothing(power, dtype):
    y_a, y_b = 0.5 + normal(20, 4), normal(20, 3, seed=1)
    for metric in METRICS:
        for given_a, given_b in ((power, 0), (0, power), (power, -power)):
            close(metric(scaled(y_a, given_a, None, dtype), scaled(y_b, given_b, None, dtype)), metric(y_a, y_b), 1e-5)


@any_scale
def test_one_unit_of_any_scale_counts_as_much_as_it_should(power, dtype):
    y_a, y_b = scaled(0.5 + normal(20, 4), power, 2, dtype), normal(20, 3, seed=1).to(dtype)
    x, z = (y.double() / y.abs().max() for y in (y_a, y_b))
    close(rbf_cka(y_a, y_b), explicit_cka(explicit_kernel(x, 1), explicit_kernel(z, 1)), 1e-5)
    close(euclidean_rsa(y_a, y_b), np.corrcoef(pdist(x.numpy()), pdist(z.numpy()))[0, 1], 1e-5)
    ranks = [explicit_pairs(y, "dot", True) for y in (x, z)]
    close(rank_rsa(y_a, y_b), spearman(*ranks), 1e-5)


@pytest.mark.parametrize("power", [-200, 200])
def test_a_unit_scale_near_the_ends_of_the_range_changes_nothing(power):
    y_a, y_b = pair(20)
    for metric in METRICS:
        close(metric(scaled(y_a, power), y_b), metric(y_a, y_b), 1e-9)


@pytest.mark.parametrize("mean", [1e7, 1e9])
def test_a_large_mean_changes_nothing(mean):
    (far_a, y_a), (far_b, y_b) = around(mean, 30, 4), around(-mean, 30, 3, seed=1)
    for metric in METRICS:
        close(metric(far_a, far_a), 1.0, 1e-12)
        close(metric(far_a, far_b), metric(y_a, y_b), 1e-12)


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("metric", METRICS)
def test_a_batch_gives_what_each_entry_gives(metric, dtype, device):
    check_batch(metric, 30, dtype, device, 20 * TOLERANCE[dtype])
    y = normal(3, 30, 4)
    assert metric(y[None], y[:, None]).shape == (3, 3)


MANY_STIMULI = """
import resource, torch
from lib import pairwise
from lib.pairwise import euclidean_rsa, rbf_cka
pairwise.BLOCK = 2**17
y = torch.randn(4_000, 2, generator=torch.Generator().manual_seed(0))
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
assert abs(rbf_cka(y, 2 * y) - 1) < 1e-9 and abs(euclidean_rsa(y, 2 * y) - 1) < 1e-9
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


def test_no_matrix_of_all_stimuli_is_kept():
    root = Path(__file__).parents[1]
    run = subprocess.run([sys.executable, "-c", MANY_STIMULI], capture_output=True, text=True, cwd=root, check=True)
    assert int(run.stdout) * 1024 < 4_000**2 * 8 / 2  # one such matrix takes twice that


# Bad input


@bad_pairs(rbf_cka, euclidean_rsa, rank_rsa)
def test_bad_input_is_refused(call, y_a, y_b, thing, mend):
    refuses(thing, mend, call, y_a, y_b)


@pytest.mark.parametrize("bandwidth", [0, -1, float("nan"), float("inf")])
def test_no_bandwidth_is_refused(bandwidth):
    refuses(f"bandwidth {bandwidth}", "choose a positive number", rbf_cka, normal(9, 3), normal(9, 3), bandwidth)


def test_what_ranks_cannot_do_is_refused():
    y = normal(9, 3)
    refuses("comparison 'pearson' is unknown", "spearman or kendall, or rsa", rank_rsa, y, y, "pearson")
    refuses("similarity 'euclidean' is unknown", "or sqeuclidean", rank_rsa, y, y, "kendall", "euclidean")
    many = torch.zeros(5001, 1)
    refuses("y_a has 5001 stimuli", "give 5000 or fewer", rank_rsa, many, many)
    for metric, least in ((rbf_cka, 3), (debiased_rbf_cka, 4), (euclidean_rsa, 3), (rank_rsa, 3)):
        refuses(f"y_a has {least - 1} stimuli", f"at least {least}", metric, y[: least - 1], y[: least - 1])
