from itertools import permutations
from math import sqrt

import numpy as np
import pytest
import torch
from helpers import DEVICES, DTYPES, TOLERANCE, bad_pairs, close, normal, refuses, rotation
from hypothesis import given
from hypothesis import strategies as st

from lib import theory
from lib.ceiling import (
    _pair,
    _Sound,
    cka_ceiling,
    corrected_cka,
    dimensions,
    effective_features,
    overlap,
    shared_variance,
)
from lib.features import bernoulli_uniform, seeded, white
from lib.geometry import linear_cka, participation_ratio
from lib.projections import gaussian, overlap_masks, signs


def systems(n, n_s, units=(8, 8), seeds=2, stimuli=2000, seed=0):
    """Seeds of two systems with n features each, n_s of them shared, each active in a tenth of the stimuli."""
    generator, masks = seeded(seed), overlap_masks(n, n, n_s)
    z = bernoulli_uniform(stimuli, 2 * n - n_s, 0.1, generator)
    return [
        [z @ (gaussian(m, len(mask), generator) * mask).T for _ in range(seeds)]
        for m, mask in zip(units, masks, strict=True)
    ]


def unbiased_hsic(y_a, y_b):
    """Song et al. 2012, equation 5, with both stimuli x stimuli kernels, over the total variances."""
    p, q = (y @ y.T * (1 - np.eye(len(y))) for y in (y_a - y_a.mean(0), y_b - y_b.mean(0)))
    m = len(p)
    cross = p.sum() * q.sum() / ((m - 1) * (m - 2)) - 2 * (p @ q).sum() / (m - 2)
    return ((p * q).sum() + cross) / (m * (m - 3)) / np.cov(y_a.T).trace() / np.cov(y_b.T).trace()


def test_shared_variance_is_the_unbiased_hsic_over_the_total_variances():
    y_a, y_b = normal(12, 3) @ normal(3, 3) + 5, normal(12, 4, seed=1) * 3
    close(shared_variance(y_a, y_b), unbiased_hsic(y_a.numpy(), y_b.numpy()))
    close(shared_variance(y_a.numpy(), y_b.numpy()), shared_variance(y_a, y_b))


def test_cka_is_shared_variance_over_what_each_network_shares_with_itself():
    y_a, y_b = normal(40, 3), normal(40, 4, seed=1) @ normal(4, 5)
    own = shared_variance(y_a, y_a) * shared_variance(y_b, y_b)
    close(shared_variance(y_a, y_b) / own.sqrt(), linear_cka(y_a, y_b, debiased=True))


def test_few_stimuli_do_not_bias_the_squared_covariances():
    a, b, z = normal(3, 5), normal(4, 5, seed=1), normal(40_000, 6, 5, seed=2)
    y_a, y_b = z @ a.T, z @ b.T
    found = shared_variance(y_a, y_b) * y_a.var(1).sum(1) * y_b.var(1).sum(1)
    assert abs(found.mean() - (a @ b.T).square().sum()) < 5 * found.std() / 200


@pytest.mark.parametrize("draw", [gaussian, signs])
@pytest.mark.parametrize(("n_a", "n_b", "n_s", "m_a", "m_b"), [(12, 12, 12, 3, 9), (12, 8, 5, 4, 2), (9, 9, 0, 3, 3)])
def test_the_mean_over_projections_is_shared_features_over_the_product_of_all(draw, n_a, n_b, n_s, m_a, m_b):
    masks, mixing = overlap_masks(n_a, n_b, n_s), torch.diag(torch.arange(1.0, m_a + 1).double())
    z = white(4000, len(masks[0]), seeded(2))
    y_a, y_b = (z @ (draw(m, z.shape[1], seeded(i), 400) * masks[i]).mT for i, m in enumerate((m_a, m_b)))
    found = shared_variance(y_a @ mixing, y_b)  # units of unequal size change nothing
    assert abs(found.mean() - n_s / (n_a * n_b)) < 5 * found.std() / 20 + 3e-4


@pytest.mark.parametrize(("n", "m"), [(12, 4), (30, 10), (20, 30)])
def test_one_network_of_independent_units_counts_its_features(n, m):
    z = white(4000, n, seeded(0))
    found = 1 / effective_features(z @ gaussian(m, n, seeded(1), 100).mT)
    assert abs(found.mean() * n - 1) < 5 * n * found.std() / 10 + 0.01


def test_effective_features_by_an_explicit_sum_and_of_units_alone():
    y = normal(50_000, 4) @ normal(4, 3, seed=1)
    s = np.cov(y.numpy().T)
    off, sizes = ~np.eye(3, dtype=bool), np.outer(s.diagonal(), s.diagonal())
    assert float(effective_features(y)) == pytest.approx(sizes[off].sum() / (s[off] ** 2).sum(), rel=0.01)
    plus = torch.tensor([[1.0, 1], [1, -1], [-1, 1], [-1, -1]]).repeat(3, 1)
    assert float(effective_features(plus)) == torch.inf  # units without any correlation


def squared_covariances(y_a, y_b, apart):
    """Mean over four different stimuli and over units, different ones if `apart`, of products of two differences."""
    units = ~np.eye(y_a.shape[1], dtype=bool) if apart else np.ones((y_a.shape[1], y_b.shape[1]), bool)
    products = [
        (np.outer(y_a[i] - y_a[j], y_b[i] - y_b[j]) * np.outer(y_a[k] - y_a[h], y_b[k] - y_b[h]))[units].mean() / 4
        for i, j, k, h in permutations(range(len(y_a)), 4)
    ]
    return np.mean(products)


def test_cka_corrected_for_few_units_by_stimuli_and_units_that_never_meet_themselves():
    common, y_a, y_b = (normal(6, units, seed=units).numpy() for units in (1, 3, 4))
    y_a, y_b = y_a / 9 + common + 2, y_b / 9 - common
    aa, bb, ab = (squared_covariances(*pair) for pair in ((y_a, y_a, True), (y_b, y_b, True), (y_a, y_b, False)))
    assert aa > 0 and bb > 0
    assert float(corrected_cka(y_a, y_b)) == pytest.approx(ab / (aa * bb) ** 0.5, rel=1e-9)
    plus = torch.tensor([[1.0, 1], [1, -1], [-1, 1], [-1, -1]]).repeat(3, 1)
    assert float(corrected_cka(plus, normal(12, 3))) == torch.inf  # units without any correlation


def test_cka_corrected_for_few_units_gives_the_overlap_of_random_projections():
    z = white(4000, 60, seeded(0))
    y_a, y_b = (z[:, at : at + 40] @ gaussian(12, 40, seeded(at), 100).mT for at in (0, 20))
    found = corrected_cka(y_a, y_b)
    assert abs(found.mean() - 20 / 40) < 4 * found.std() / 10 + 0.01


def test_dimensions_are_both_counts_of_one_network():
    y = normal(50_000, 4) @ normal(4, 3, seed=1)
    s = np.cov(y.numpy().T)
    features, d = dimensions(y)
    assert float(features) == float(effective_features(y))
    assert float(d) == pytest.approx(1 / float(shared_variance(y, y)), rel=1e-12)
    assert float(d) == pytest.approx(np.trace(s) ** 2 / (s**2).sum(), rel=0.01)
    alone = [float(each) for each in dimensions(y[:, :1])]  # nothing to compare
    assert alone == [torch.inf, pytest.approx(1, rel=0.01)]


@pytest.mark.parametrize("n_s", [0, 20, 40])
def test_overlap_is_found_and_the_interval_holds_it(n_s):
    found = overlap(*systems(40, n_s, (16, 24), stimuli=4000))
    assert found.low < n_s / 40 < found.high
    assert abs(float(found) - n_s / 40) < 0.15
    assert found.high - found.low < 0.6


def test_overlap_is_the_ratio_of_means_over_pairs_less_its_skew():
    a, b = systems(30, 20, seeds=3)
    t_ab = np.mean([float(shared_variance(x, y)) for x in a for y in b])
    t_aa, t_bb = (np.mean([float(shared_variance(s[i], s[j])) for i, j in [(0, 1), (0, 2), (1, 2)]]) for s in (a, b))
    found = overlap(a, b)
    close([found.t_ab, found.t_aa, found.t_bb], [t_ab, t_aa, t_bb])
    close(found.features, [1 / t_aa, 1 / t_bb, t_ab / t_aa / t_bb], 1e-8)
    assert 0.85 < float(found) / (t_ab / sqrt(t_aa * t_bb)) < 1
    units, lone, stimuli = found.variance
    close(
        [found.low, found.high], float(found) + 2.068658 * sqrt(max(units, lone) + stimuli) * np.array([-1, 1]), 1e-6
    )  # 23 degrees


def test_the_skew_is_taken_off_where_units_are_few():
    raw, found = [], []
    for seed in range(200):
        one = overlap(*systems(30, 30, (4, 4), stimuli=400, seed=seed))
        found.append(float(one))
        raw.append(one.t_ab / sqrt(one.t_aa * one.t_bb))
    assert np.mean(raw) > 1.05
    assert abs(np.mean(found) - 1) < 0.05


def test_the_interval_holds_the_truth_about_as_often_as_it_says():
    held = [overlap(*systems(40, 30, (10, 12), stimuli=400, seed=seed)) for seed in range(100)]
    assert 0.9 < np.mean([one.low < 0.75 < one.high for one in held]) < 1


def unskewed(a, b):
    one = overlap(a, b)
    return one.t_ab / sqrt(one.t_aa * one.t_bb)


def test_the_part_of_stimuli_is_that_of_a_jackknife():
    a, b = systems(20, 15, stimuli=200)
    kept = [torch.arange(200) != i for i in range(200)]
    left = np.array([unskewed([y[k] for y in a], [y[k] for y in b]) for k in kept])
    assert overlap(a, b).variance[2] == pytest.approx(left.var() * 199, rel=0.1)


def test_what_a_stimulus_adds_to_one_pair_is_what_leaving_it_out_takes():
    y_a, y_b = normal(100, 3) @ normal(3, 5, seed=2), normal(100, 3) @ normal(3, 4, seed=1)
    kept = [torch.arange(100) != i for i in range(100)]
    left = torch.stack([torch.as_tensor(shared_variance(y_a[k], y_b[k])) for k in kept])
    added = _pair([_Sound(y_a, "a"), _Sound(y_b, "b")], 0, 1).stimuli
    close(torch.corrcoef(torch.stack([added, -left]))[0, 1], 1.0, 0.02)


def test_the_part_of_units_is_made_of_the_change_by_each_unit():
    networks, step, squares = sum(systems(20, 15, (3, 4)), []), 1e-4, 0
    for i, y in enumerate(networks):
        for unit in range(y.shape[1]):
            grown = [x.clone() for x in networks]
            grown[i][:, unit] *= sqrt(1 + step)  # a unit counted 1 + step times
            squares += ((unskewed(grown[:2], grown[2:]) - unskewed(networks[:2], networks[2:])) / step) ** 2
    units, lone, _ = overlap(networks[:2], networks[2:]).variance
    assert units + lone == pytest.approx(squares, rel=1e-2)


@given(st.integers(0, 1000))
def test_overlap_ignores_order_scale_mean_and_which_system_is_first(seed):
    a, b = systems(12, 9, (3, 5), stimuli=400, seed=seed)
    found, order = overlap(a, b), torch.randperm(400, generator=seeded(seed))
    moved = overlap(*[[7 * y[order].flip(1) + 3 for y in reversed(s)] for s in (b, a)])
    close([float(found), found.low, found.high], [float(moved), moved.low, moved.high], 1e-7)
    turned = [[y @ rotation(y.shape[1], seed) for y in s] for s in (a, b)]
    close(found.t_ab, overlap(*turned).t_ab, 1e-9)


def test_noise_of_its_own_in_each_network_changes_the_count_and_not_the_overlap():
    a, b = systems(30, 20, (16, 16), stimuli=20_000)
    noisy = [[y + y.std() * normal(*y.shape, seed=10 * i + j) for j, y in enumerate(s)] for i, s in enumerate((a, b))]
    clean, found = overlap(a, b), overlap(*noisy)
    assert float(found) == pytest.approx(float(clean), abs=0.02)
    assert found.features[0] == pytest.approx(4 * clean.features[0], rel=0.1)


def test_the_ceiling_is_the_mean_over_signed_permutations_and_close_to_the_closed_form():
    a, b = normal(2, 4), normal(3, 4, seed=1) * torch.tensor([1.0, 5, 2, 1])
    flips = torch.cartesian_prod(*[torch.tensor([-1.0, 1.0]).double()] * 4)
    turned = torch.cat([b[:, list(order)] * flips[:, None] for order in permutations(range(4))])
    d_a, d_b = (float(participation_ratio(torch.linalg.eigvalsh(x @ x.mT))) for x in (a, b))
    close(cka_ceiling(4, d_a, d_b), theory.gram_cosine(a, turned).mean())
    n, m = 200, 30
    assert cka_ceiling(n, n * m / (n + m + 1), n * m / (n + m + 1)) == pytest.approx(theory.expected_cka(n, m, m))


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("dtype", DTYPES)
def test_a_batch_gives_what_each_entry_gives(dtype, device):
    y_a, y_b = normal(3, 20, 4), normal(3, 20, 5, seed=1)
    for metric, given_ in ((shared_variance, (y_a, y_b)), (corrected_cka, (y_a, y_b)), (effective_features, (y_b,))):
        one_by_one = torch.stack([torch.as_tensor(metric(*one)) for one in zip(*given_, strict=True)])
        close(1 / metric(*(y.to(device, dtype) for y in given_)), 1 / one_by_one, TOLERANCE[dtype])


@bad_pairs(shared_variance)
def test_bad_pairs_are_refused(call, y_a, y_b, thing, mend):
    refuses(thing, mend, call, y_a, y_b)


def test_bad_networks_are_refused():
    a, b = systems(12, 9, (3, 4), stimuli=50)
    refuses("y_b never changes", "give responses that vary", shared_variance, a[0], torch.ones(50, 2))
    refuses("y_a has 3 stimuli", "at least 4", shared_variance, a[0][:3], b[0][:3])
    refuses("y has 1 unit", "at least 2", effective_features, a[0][:, :1])
    refuses("y_b has 1 unit", "at least 2", corrected_cka, a[0], b[0][:, :1])
    refuses("seeds_a has 1 network", "give two or more", overlap, a[:1], b)
    refuses("seeds_b has 0 network", "give two or more", overlap, a, [])
    refuses("seeds_a[0] has 50 stimuli and seeds_b[1] has 49", "give both", overlap, a, [b[0], b[1][:-1]])
    refuses("seeds_b[0] has 150 NaN", "remove", overlap, a, [b[0][:, :3] * torch.nan, b[1]])
    refuses("seeds_a[1] never changes", "vary", overlap, [a[0], 0 * a[1]], b)
    refuses("seeds_b[1] has shape (1, 50, 4)", "(stimuli, units)", overlap, a, [b[0], b[1][None]])
    refuses("seeds_a share no more than chance", "more stimuli", overlap, [normal(50, 2), normal(50, 2, seed=3)], b)
    refuses("d_a = 9", "from 1 to n", cka_ceiling, 8, 9, 2)
    refuses("d_b = 0.5", "from 1 to n", cka_ceiling, 8, 2, 0.5)


def test_an_overlap_prints_its_estimate_interval_and_features():
    found = overlap(*systems(30, 20))
    assert f"{found:.2f}" == f"{found.estimate:.2f}"
    assert repr(found).startswith(f"overlap {found.estimate:.3f}, from {found.low:.3f} to {found.high:.3f}")
    assert f"{found.features[2]:.1f} shared" in repr(found)
