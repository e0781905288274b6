from itertools import combinations, permutations, product
from math import exp, inf, log, sqrt

import numpy as np
import pytest
import scipy.integrate
import scipy.linalg
import scipy.stats
import torch
from helpers import DEVICES, DTYPES, TOLERANCE, close, normal, refuses
from hypothesis import assume, given
from hypothesis import strategies as st

from lib import theory
from lib.features import bernoulli_uniform, k_sparse, seeded, topk_uniform, white
from lib.geometry import linear_cka, participation_ratio, rsa
from lib.projections import gaussian, overlap_masks, signs
from lib.recovery import nonnegative_basis_pursuit, support_recovered
from lib.regression import ols_fit, ols_score

LIMITS = [theory.gram_cosine, theory.ols_weights, theory.ols_r2, theory.ols_mse, theory.ols_r]


def covariance(n, seed=0):
    x = normal(3 * n, n, seed=seed)
    return x.mT @ x / len(x)


def sample(stimuli, n):
    """Skewed latents, with their covariance in this very sample."""
    z = bernoulli_uniform(stimuli, n, 0.4, seeded(0))
    return z, torch.as_tensor(np.cov(z.numpy().T, bias=True))


def within_standard_errors(draws, wanted, errors=5, slack=0.0):
    draws = torch.as_tensor(draws, dtype=torch.float64)
    assert abs(draws.mean() - wanted) < errors * draws.std() / len(draws) ** 0.5 + slack


# Gram matrices and the limits of the metrics


def test_matrix_root_is_symmetric_and_squares_to_the_covariance():
    rounded = torch.diag(torch.tensor([1.0, 2, 0, -1e-17]).double())  # singular, and one eigenvalue just below 0
    for c in (covariance(5), rounded):
        root = theory.matrix_root(c)
        close(root, root.mT)
        close(root @ root, c)


def test_gram_cosine_of_known_projections():
    a, duplicate = normal(3, 5), torch.tensor([[1.0, 1.0]]).double()
    close(theory.gram_cosine(a, a), 1.0)
    close(theory.gram_cosine(a, torch.linalg.qr(normal(3, 3))[0] @ a * 7), 1.0)  # rotated units
    close(theory.gram_cosine(torch.eye(5)[:2], torch.eye(5)[2:]), 0.0)  # no shared feature
    close(theory.gram_cosine(torch.eye(2).double(), duplicate), 1 / sqrt(2))  # <I, 11'> / (sqrt(2) 2)


@pytest.mark.parametrize("c", [None, covariance(6)], ids=["white", "covariance"])
def test_gram_cosine_agrees_with_the_explicit_gram_matrices(c):
    a, b = normal(3, 6), normal(4, 6, seed=1)
    root = np.eye(6) if c is None else scipy.linalg.sqrtm(c.numpy())
    g, h = (root @ x.numpy().T @ x.numpy() @ root for x in (a, b))
    close(theory.gram_cosine(a, b, c), (g * h).sum() / np.linalg.norm(g) / np.linalg.norm(h))


def test_cka_in_a_sample_is_the_gram_cosine_at_the_sample_covariance():
    (z, c), a, b = sample(300, 8), normal(3, 8), normal(5, 8, seed=1)
    close(linear_cka(z @ a.mT, z @ b.mT), theory.gram_cosine(a, b, c))
    w = white(300, 8, seeded(0))
    close(linear_cka(w @ a.mT, w @ b.mT), theory.gram_cosine(a, b))


def test_rsa_tends_to_the_gram_cosine_as_one_over_stimuli():
    a, b = normal(4, 8), normal(5, 8, seed=1)
    for stimuli in (2_000, 16_000):
        z = white(stimuli, 8, seeded(0))
        close(rsa(z @ a.mT, z @ b.mT), theory.gram_cosine(a, b), 2 * 8 / stimuli)


def test_ols_in_a_sample_has_the_theorems_weights_and_scores_at_the_sample_covariance():
    (z, c), a, b = sample(300, 8), normal(3, 8), normal(5, 8, seed=1)
    y_a, y_b = z @ a.mT, z @ b.mT
    score = ols_score(y_a, y_b)
    close(theory.ols_weights(a, b, c), ols_fit(y_a, y_b)[0].mT)
    close(theory.ols_r2(a, b, c), score.r2)
    close(theory.ols_mse(a, b, c), score.mse)
    close(theory.ols_r(a, b, c), score.r)


def test_ols_of_white_latents_agrees_with_the_theorem_written_out():
    a, b = normal(3, 8).numpy(), normal(5, 8, seed=1).numpy()
    p = a.T @ np.linalg.inv(a @ a.T) @ a
    given = torch.as_tensor(a), torch.as_tensor(b)
    close(theory.row_space(given[0]) @ theory.row_space(given[0]).mT, p)
    close(theory.ols_weights(*given), b @ a.T @ np.linalg.inv(a @ a.T))
    close(theory.ols_r2(*given), np.trace(b @ p @ b.T) / np.trace(b @ b.T))
    close(theory.ols_mse(*given), np.trace(b @ (np.eye(8) - p) @ b.T) / 5)
    close(theory.ols_r(*given), np.sqrt(np.diag(b @ p @ b.T) / np.diag(b @ b.T)))


def test_a_duplicate_unit_adds_nothing_to_the_row_space():
    a, b = normal(3, 8), normal(5, 8, seed=1)
    doubled = torch.cat([a, 2 * a[:1]])
    basis = theory.row_space(doubled)
    close(basis @ basis.mT, theory.row_space(a) @ theory.row_space(a).mT)
    close(theory.ols_r2(doubled, b), theory.ols_r2(a, b))


def test_as_many_units_as_features_predict_everything():
    a, b = normal(8, 8), normal(5, 8, seed=1)
    close(theory.ols_r2(a, b), 1.0)
    close(theory.ols_mse(a, b), 0.0)
    close(theory.ols_r(a, b), torch.ones(5))
    close(theory.ols_weights(a, b) @ a, b)


def test_projections_of_zeros_score_0():
    a, zero = normal(3, 6), torch.zeros(2, 6).double()
    for pair in [(a, zero), (zero, a)]:
        close(theory.gram_cosine(*pair), 0.0)
        close(theory.ols_r2(*pair), 0.0)
        close(theory.ols_r(*pair), torch.zeros(len(pair[1])))


@given(st.integers(0, 1000))
def test_limits_are_bounded_and_invariant_to_rotation_of_features_and_scale(seed):
    a, b, q = normal(3, 6, seed=seed), normal(4, 6, seed=seed + 1), torch.linalg.qr(normal(6, 6, seed=seed))[0]
    for limit in (theory.gram_cosine, theory.ols_r2):
        assert 0 <= limit(a, b) <= 1
        close(limit(3 * a @ q, b @ q / 7), limit(a, b))
    close(theory.gram_cosine(a, b), theory.gram_cosine(b, a))
    assert abs(theory.ols_r2(a, b) - theory.ols_r2(b, a)) > 1e-6  # regression is not symmetric


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("limit", LIMITS)
def test_a_batch_gives_what_each_entry_gives(limit, dtype, device):
    a, b, c = normal(4, 3, 6), normal(4, 5, 6, seed=1), covariance(6)
    one_by_one = torch.stack([limit(x, y, c) for x, y in zip(a, b, strict=True)])
    batched = limit(*(x.to(device, dtype) for x in (a, b, c)))
    assert batched.dtype == dtype
    close(batched, one_by_one, 10 * TOLERANCE[dtype])


@pytest.mark.parametrize("limit", LIMITS)
def test_bad_projections_are_refused(limit):
    a, b = normal(3, 6), normal(4, 6)
    for batch in (a, a.expand(2, 3, 6)):
        refuses("a projects 6 features and b 5", "both need the same latent space", limit, batch, b[:, :5])
    refuses("a projects 6 features and b 5", "both need", limit, a, b[:, :5].expand(2, 4, 5))
    refuses("a is torch.float64 and b is torch.float32", "b.to(a.dtype)", limit, a, b.float())
    refuses("b has 24 NaN", "remove", limit, a, b * torch.nan)
    refuses("a (shape (6,), torch.float64)", "(units, features)", limit, a[0], b)
    refuses("covariance has shape (5, 5)", "give (6, 6)", limit, a, b, torch.eye(5).double())
    refuses("covariance is torch.float32", "convert", limit, a, b, torch.eye(6))


# Expectations over random projections


@pytest.mark.parametrize(("draw", "kurtosis"), [(gaussian, 3), (signs, 1)])
@pytest.mark.parametrize(
    ("n_a", "m_a", "m_b", "n_b", "n_s"), [(20, 5, 9, 20, 20), (20, 6, 4, 12, 5), (30, 20, 2, 6, 6)]
)
def test_expected_cka_is_the_ratio_of_expectations_over_draws(draw, kurtosis, n_a, m_a, m_b, n_b, n_s):
    mask_a, mask_b = overlap_masks(n_a, n_b, n_s)
    a = draw(m_a, len(mask_a), seeded(0), 10_000) * mask_a
    b = draw(m_b, len(mask_b), seeded(1), 10_000) * mask_b
    norm = sqrt(n_a * m_a * (n_a + m_a + kurtosis - 2) * n_b * m_b * (n_b + m_b + kurtosis - 2))  # E |G|^2 of both
    within_standard_errors(
        (a @ b.mT).square().sum((-2, -1)) / norm, theory.expected_cka(n_a, m_a, m_b, kurtosis, n_b, n_s)
    )


def signed_permutations(n):
    for order, sign in product(permutations(range(n)), product((1.0, -1.0), repeat=n)):
        yield torch.eye(n).double()[list(order)] * torch.tensor(sign)


def test_the_mean_over_signed_permutations_of_any_two_projections_is_exact():
    a, b = normal(2, 4), normal(3, 4, seed=1) * torch.tensor([1.0, 5, 2, 1])  # b's entries are not alike
    turned = torch.stack([b @ d for d in signed_permutations(4)])
    dimensions = [participation_ratio(torch.linalg.eigvalsh(x @ x.mT)) for x in (a, b)]
    close(theory.gram_cosine(a, turned).mean(), (dimensions[0] * dimensions[1]).sqrt() / 4)
    close(theory.ols_r2(a, turned).mean(), 2 / 4)
    orders = torch.stack([b[:, list(p)] for p in permutations(range(4))])  # without the signs it is another number
    assert abs(theory.gram_cosine(a, orders).mean() - (dimensions[0] * dimensions[1]).sqrt() / 4) > 1e-3


def test_linear_cka_is_the_rv_coefficient_whose_mean_over_permutations_is_known():
    y_a, y_b = normal(6, 2), normal(6, 3, seed=1)
    s, t = (np.cov(y.numpy().T) for y in (y_a, y_b))
    cross = np.cov(y_a.numpy().T, y_b.numpy().T)[:2, 2:]
    close(linear_cka(y_a, y_b), np.trace(cross @ cross.T) / np.sqrt(np.trace(s @ s) * np.trace(t @ t)))
    shuffled = torch.stack([linear_cka(y_a, y_b[list(p)]) for p in permutations(range(6))])
    dimensions = [participation_ratio(torch.linalg.eigvalsh(torch.as_tensor(x))) for x in (s, t)]
    close(shuffled.mean(), (dimensions[0] * dimensions[1]).sqrt() / 5)


def test_expected_cka_is_close_to_the_mean_of_the_ratios_too():
    a, b = gaussian(30, 100, seeded(0), 300), gaussian(60, 100, seeded(1), 300)
    ratios = theory.gram_cosine(a, b)
    within_standard_errors(ratios, theory.expected_cka(100, 30, 60), slack=1e-3)


@pytest.mark.parametrize(("draw", "kurtosis"), [(gaussian, 3), (signs, 1)])
@pytest.mark.parametrize(("n", "m"), [(20, 1), (20, 5), (12, 40)])
def test_expected_dimensions_are_the_ratio_of_expectations_over_draws(draw, kurtosis, n, m):
    a = draw(m, n, seeded(0), 10_000)
    traces, norms = a.square().sum((-2, -1)).square(), (a @ a.mT).square().sum((-2, -1))
    found = theory.expected_dimensions(n, m, kurtosis)
    within_standard_errors(traces - found * norms, 0.0, slack=1e-9)


def test_features_are_shared_as_far_as_possible_unless_n_s_is_given():
    assert theory.expected_cka(20, 5, 9) == theory.expected_cka(20, 5, 9, n_b=20, n_s=20)
    assert theory.expected_cka(20, 5, 9, n_b=8) == theory.expected_cka(20, 5, 9, n_b=8, n_s=8)
    assert theory.expected_r2(20, 5) == theory.expected_r2(20, 5, 20, 20) == 5 / 20
    assert theory.expected_r2(20, 5, n_b=8) == theory.expected_r2(20, 5, n_b=8, n_s=8)


@pytest.mark.parametrize(
    ("n_a", "m_a", "n_b", "n_s"), [(20, 5, 20, 20), (20, 6, 12, 5), (12, 6, 20, 12), (9, 15, 9, 4)]
)
def test_expected_r2_agrees_with_draws(n_a, m_a, n_b, n_s):
    mask_a, mask_b = overlap_masks(n_a, n_b, n_s)
    a = gaussian(m_a, len(mask_a), seeded(0), 4_000) * mask_a
    b = gaussian(4, len(mask_b), seeded(1), 4_000) * mask_b
    within_standard_errors(theory.ols_r2(a, b), theory.expected_r2(n_a, m_a, n_b, n_s))


@pytest.mark.parametrize(("n", "m"), [(20, 5), (7, 6), (300, 20)])
def test_expected_r_is_the_mean_of_the_root_of_a_beta(n, m):
    law = scipy.stats.beta(m / 2, (n - m) / 2)
    close(theory.expected_r(n, m), law.expect(np.sqrt), 1e-7)
    r = theory.ols_r(gaussian(m, n, seeded(0)), gaussian(4_000, n, seeded(1)))
    within_standard_errors(r, theory.expected_r(n, m))
    assert scipy.stats.kstest(r.square().numpy(), law.cdf).pvalue > 1e-3
    assert scipy.stats.kstest(r.numpy(), law.cdf).pvalue < 1e-3


def test_expected_r_is_1_from_as_many_units_as_features_on():
    assert theory.expected_r(5, 5) == theory.expected_r(5, 9) == 1
    rising = [theory.expected_r(50, m) for m in range(1, 51)]
    assert rising == sorted(rising)


@given(
    n=st.integers(2, 500),
    overlap=st.floats(0.05, 1),
    m_0=st.integers(1, 500),
    m_a=st.integers(1, 500),
    kurtosis=st.sampled_from([1.0, 1.8, 3.0, 9.0]),
)
def test_at_the_crossing_both_pairs_have_the_same_expected_cka(n, overlap, m_0, m_a, kurtosis):
    m_b = theory.crossing_units(n, overlap, m_0, kurtosis)
    assume(m_b < 1e9)
    shared = theory.expected_cka(n, m_a, m_0, kurtosis)
    assert theory.expected_cka(n, m_a, m_b, kurtosis, n, overlap * n) == pytest.approx(shared, rel=1e-6)
    assert m_b >= m_0 * (1 - 1e-9)


def test_no_crossing_where_too_few_features_are_shared():
    n, m_0 = 100, 50
    limit = sqrt(m_0 / (n + m_0 + 1))
    assert theory.crossing_units(n, limit - 1e-9, m_0) == inf
    assert theory.crossing_units(n, limit + 1e-9, m_0) > 1e6
    assert theory.expected_cka(n, 30, 10**12, n_s=(limit - 1e-6) * n) < theory.expected_cka(n, 30, m_0)
    assert theory.crossing_units(n, 1, m_0) == pytest.approx(m_0)


def test_finite_samples_raise_biased_cka_by_the_factor_and_debiased_cka_not_at_all():
    n, m, stimuli = 60, 20, 400
    a, b = gaussian(m, n, seeded(0), 300), gaussian(m, n, seeded(1), 300)
    z = normal(300, stimuli, n, seed=2)
    y_a, y_b, limit = z @ a.mT, z @ b.mT, theory.gram_cosine(a, b)
    factor = theory.cka_finite_sample_factor(n, m, stimuli)
    second_order = (n / stimuli) ** 2 / 10
    assert factor - 1 > 4 * second_order
    within_standard_errors(linear_cka(y_a, y_b) / limit, factor, slack=second_order)
    within_standard_errors(linear_cka(y_a, y_b, debiased=True) / limit, 1.0, slack=second_order)
    assert theory.cka_finite_sample_factor(n, m, 10**9) == pytest.approx(1, abs=1e-6)


# Sparsity and matching


def test_compressed_sensing_units_are_k_log_n_over_k():
    assert theory.compressed_sensing_units(100, 100) == 0
    assert exp(theory.compressed_sensing_units(100, 1)) == pytest.approx(100)
    assert theory.compressed_sensing_units(1000, 10) == pytest.approx(20 * log(10))
    refuses("k = 0", "choose 1 <= k <= n", theory.compressed_sensing_units, 10, 0)


@pytest.mark.parametrize(("share", "at", "nonnegative"), [(0.193, 0.5, False), (0.279, 0.5, True)])
def test_recovery_units_are_donoho_and_tanners_weak_thresholds(share, at, nonnegative):
    assert theory.recovery_units(10_000, round(share * 10_000), nonnegative) / 10_000 == pytest.approx(at, abs=2e-3)


@pytest.mark.parametrize(("n", "k"), [(64, 2), (64, 16), (128, 64), (300, 5)])
@pytest.mark.parametrize("nonnegative", [True, False])
def test_recovery_units_agree_with_integration_and_with_the_distance_to_the_polar_cone(n, k, nonnegative):
    found = theory.recovery_units(n, k, nonnegative)
    grid = np.linspace(0, 6, 101)
    tails = [scipy.integrate.quad(lambda g, t=t: (g - t) ** 2 * scipy.stats.norm.pdf(g), t, np.inf)[0] for t in grid]
    curve = k * (1 + grid**2) + (n - k) * (1 if nonnegative else 2) * np.array(tails)
    assert curve.min() == pytest.approx(found, rel=2e-3)
    # The statistical dimension itself: the mean over g of the least distance, where t may depend on g.
    g = normal(2_000, n).numpy()
    off = g[:, k:] if nonnegative else np.abs(g[:, k:])
    on = ((g[:, :k, None] - grid) ** 2).sum(1)
    squares = on + np.stack([(np.maximum(off - t, 0) ** 2).sum(1) for t in grid], 1)
    exact = squares.min(1)
    assert exact.mean() - 5 * exact.std() / 2_000**0.5 < found < exact.mean() + 2 * (n / k) ** 0.5 + 0.1


def test_recovery_units_grow_with_k_and_are_fewer_if_the_sign_is_known():
    known, unknown = ([theory.recovery_units(60, k, flag) for k in range(1, 61)] for flag in (True, False))
    assert known == sorted(known)
    assert unknown == sorted(unknown)
    assert all(k < x <= y + 1e-9 for k, x, y in zip(range(1, 60), known, unknown, strict=False))
    assert known[-1] == pytest.approx(60, rel=1e-6)
    refuses("k = 0", "choose 1 <= k <= n", theory.recovery_units, 10, 0)


def test_basis_pursuit_succeeds_above_recovery_units_and_fails_below():
    n, k = 200, 10
    at = theory.recovery_units(n, k)
    for units, low, high in [(round(0.7 * at), 0, 0.2), (round(1.4 * at), 0.8, 1)]:
        z, a = k_sparse(40, n, k, seeded(0)), gaussian(units, n, seeded(1))
        assert low <= support_recovered(nonnegative_basis_pursuit(z @ a.mT, a), z).double().mean() <= high


def test_topk_moments_where_they_are_known():
    close(theory.topk_uniform_moments(9, 9), (1 / 2, 1 / 12, 0))  # nothing is dropped
    close(theory.topk_uniform_moments(1, 1)[:2], (1 / 2, 1 / 12))
    close(theory.topk_uniform_moments(2, 1), (1 / 3, 1 / 4 - 1 / 9, -1 / 9))  # never both active
    refuses("k = 4 active features of n = 3", "choose 1 <= k <= n", theory.topk_uniform_moments, 3, 4)


@pytest.mark.parametrize(("n", "k"), [(6, 1), (6, 2), (10, 7), (40, 5)])
def test_topk_moments_agree_with_a_large_sample(n, k):
    z = topk_uniform(100_000, n, k, seeded(0))
    mean, variance, pair = theory.topk_uniform_moments(n, k)
    within_standard_errors(z[:, 0], mean)
    within_standard_errors((z - mean).square()[:, 0], variance)
    within_standard_errors((z[:, 0] - mean) * (z[:, 1] - mean), pair)


@pytest.mark.parametrize("q", [2, 3, 4])
@pytest.mark.parametrize("shift", range(5))
def test_shifted_grouping_score_is_that_of_the_best_permutation(q, shift):
    groups, feature = 4, np.arange(4 * q)
    a = (feature // q == np.arange(groups)[:, None]).astype(float)
    g = a @ np.roll(a, shift, axis=1).T / q
    best = max(np.mean([g[i, j] for i, j in enumerate(p)]) for p in permutations(range(groups)))
    assert theory.shifted_grouping_score(q, shift) == pytest.approx(best)


def simulated_r2(variances, m, draws=24):
    """Least squares in the features' own space: what a projection of some leaves of the variance of all."""
    generator, found = seeded(0), []
    for _ in range(draws):
        a = torch.randn(m, len(variances), generator=generator, dtype=torch.float64) * variances.sqrt()
        basis = torch.linalg.qr(a.mT)[0]
        found.append((basis.square() * variances[:, None]).sum() / variances.sum())
    return torch.stack(found).mean()


@pytest.mark.parametrize("power", [0.0, 0.5, 1.0, 2.0])
@pytest.mark.parametrize("m", [4, 32, 100])
def test_regression_of_features_of_unequal_variance_explains_what_the_spectrum_says(power, m):
    variances = torch.arange(1, 129, dtype=torch.float64) ** -power
    close(theory.expected_r2_of_spectrum(variances, m), simulated_r2(variances, m), 0.02)
    if not power:
        close(theory.expected_r2_of_spectrum(3 * variances, m), m / 128, 1e-9)


@pytest.mark.parametrize("power", [0.5, 1.0, 2.0])
def test_cka_of_features_of_unequal_variance_is_that_of_as_many_effective_features(power):
    variances = torch.arange(1, 257, dtype=torch.float64) ** -power
    effective = float(variances.sum() ** 2 / variances.square().sum())
    pairs = normal(2, 60, 16, 256, seed=1) * variances.sqrt()
    squares = [(a @ b.mT).square().sum((1, 2)).mean() for a, b in (pairs, (pairs[0], pairs[0]), (pairs[1], pairs[1]))]
    close(theory.expected_cka(effective, 16, 16), squares[0] / (squares[1] * squares[2]).sqrt(), 0.03)


def test_a_spectrum_has_variances():
    close(theory.expected_r2_of_spectrum([1.0, 1.0, 0.0], 2), 1.0)
    close(theory.expected_r2_of_spectrum([1e-300, 1e-300], 1), 0.5, 1e-9)
    for bad, m in (([1.0, -1.0], 1), ([0.0, 0.0], 1), ([1.0, torch.nan], 1), ([1.0], 0)):
        refuses("variances from", "finite variances", theory.expected_r2_of_spectrum, bad, m)
    refuses("m = 1, variances from -1 to 2", "m >= 1", theory.expected_r2_of_spectrum, [-1.0, 2.0], 1)


# Metrics beyond both papers


def gaussians(draws, units, n, seed=0):
    return np.random.default_rng(seed).standard_normal((2, draws, units, n))


@pytest.mark.parametrize(("n", "m"), [(64, 8), (64, 24), (64, 40), (64, 64)])
def test_canonical_correlations_and_procrustes_of_random_projections(n, m):
    a, b = gaussians(40, m, n)
    basis_a, basis_b = (np.linalg.qr(x.swapaxes(1, 2))[0] for x in (a, b))
    rho = np.linalg.svd(basis_a.swapaxes(1, 2) @ basis_b, compute_uv=False)
    within_standard_errors((rho**2).mean(1), theory.expected_squared_cca(n, m, m), slack=1e-12)
    within_standard_errors(rho.mean(1), theory.expected_cca(n, m), slack=1 / n)
    lengths = np.linalg.norm(a, axis=(1, 2)) * np.linalg.norm(b, axis=(1, 2))
    cosine = np.linalg.svd(a @ b.swapaxes(1, 2), compute_uv=False).sum(1) / lengths
    within_standard_errors(cosine, theory.expected_procrustes(n, m), slack=0.5 / n)


def test_squared_cca_of_systems_that_share_some_features_and_differ_in_units():
    (a, _), (_, b) = gaussians(400, 4, 12), gaussians(400, 9, 20, seed=1)  # a has features 0 to 11, b 7 to 26
    a, b = np.pad(a, ((0, 0), (0, 0), (0, 15))), np.pad(b, ((0, 0), (0, 0), (7, 0)))
    basis_a, basis_b = (np.linalg.qr(x.swapaxes(1, 2))[0] for x in (a, b))
    squares = ((basis_a.swapaxes(1, 2) @ basis_b) ** 2).sum((1, 2)) / 4
    within_standard_errors(squares, theory.expected_squared_cca(12, 4, 9, n_b=20, n_s=5))


def test_cca_and_procrustes_where_units_are_few_and_where_all_is_common():
    for few in (theory.expected_cca, theory.expected_procrustes):
        assert few(10**6, 10) == pytest.approx(8 / (3 * np.pi) * 1e-5**0.5, rel=1e-4)
    close(theory.expected_cca(50, 50), 1.0)
    close(theory.expected_procrustes(50, 50), 3 / 4)


def all_supports(n, k):
    return np.array([[i in some for i in range(n)] for some in combinations(range(n), k)], dtype=float)


LATENTS = {
    "k equal values": all_supports(6, 2),
    "independent values": np.array(list(product([0.0, 0.0, 1.0], repeat=5))),  # zeros twice as likely
    "unequal features": all_supports(6, 3) * np.array([1, 1, 1, 2, 3, 4.0]),
    "two groups": np.vstack([np.eye(6), 3 * all_supports(6, 3)]),
}


@pytest.mark.parametrize("latents", LATENTS)
def test_rsa_of_squared_distances_over_all_pairs_of_all_latents(latents):
    """Nothing is sampled but the projections: distances d'Gd over all pairs covary by the fourth moments of d."""
    z = LATENTS[latents] - LATENTS[latents].mean(0)
    n, m_a, m_b, rng = z.shape[1], 3, 5, np.random.default_rng(0)
    d = (z[:, None] - z).reshape(-1, n)
    fourth = np.cov((d[:, :, None] * d[:, None]).reshape(-1, n * n).T, bias=True)
    a, b = rng.standard_normal((10_000, m_a, n)), rng.standard_normal((10_000, m_b, n))
    a, b = ((x.swapaxes(1, 2) @ x).reshape(-1, n * n) for x in (a, b))
    ab, aa, bb = (np.einsum("di,ij,dj->d", x, fourth, y, optimize=True) for x, y in ((a, b), (a, a), (b, b)))
    s = z.T @ z / len(z)
    n_eff, spread = s.trace() ** 2 / (s**2).sum(), (z**2).sum(1).var() / (s**2).sum()
    wanted = theory.expected_distance_rsa(m_a, m_b, n_eff, spread)
    # 0 on average, to first order, if the ratio of the expectations is the wanted one
    within_standard_errors(ab / sqrt(aa.mean() * bb.mean()) - wanted * (aa / aa.mean() + bb / bb.mean()) / 2, 0.0)


def test_rsa_of_squared_distances_in_its_special_cases():
    def law(n, m, kurtosis):  # written out for white independent latents
        return (kurtosis + 1) * m / (4 * (n + m + 1) + (kurtosis - 3) * (m + 2))

    for kurtosis in (1.8, 3, 9):
        close(theory.expected_distance_rsa(8, 8, 32, kurtosis - 1), law(32, 8, kurtosis))
    close(theory.expected_distance_rsa(8, 16, 32, 2), theory.expected_cka(32, 8, 16))
    close(theory.expected_distance_rsa(8, 8, 31, 0), 8 / (8 + 2 * 32 - 2))  # k equal values, n = 32


def spearman_and_kendall(x, y):
    kendall = scipy.stats.kendalltau(x, y)[0]
    return np.array([np.corrcoef(scipy.stats.rankdata(x), scipy.stats.rankdata(y))[0, 1], kendall], dtype=float)


@pytest.mark.parametrize("c", [-0.5, 0.3, 0.9, 0.99])
def test_rank_correlations_of_normal_variables(c):
    x, noise = np.random.default_rng(0).standard_normal((2, 20_000))
    close(theory.rank_correlations(c), spearman_and_kendall(x, c * x + sqrt(1 - c**2) * noise), 0.01)
    close(theory.rank_correlations(1.0), [1.0, 1.0])


@pytest.mark.parametrize(("n", "m"), [(32, 8), (32, 24), (96, 48)])
def test_rank_correlations_of_dot_products(n, m):
    a, b = gaussians(10, m, n)
    z, found = np.random.default_rng(5).standard_normal((2, 10, 6000, n)), []
    for x, y, (i, j) in zip(a, b, z.swapaxes(0, 1), strict=True):
        dots = [((i @ p.T) * (j @ p.T)).sum(1) for p in (x, y)]
        cosine = ((x @ y.T) ** 2).sum() / np.linalg.norm(x @ x.T) / np.linalg.norm(y @ y.T)
        spearman, kendall = theory.rank_correlations(cosine)
        rho, tau = spearman_and_kendall(*dots)
        found.append([rho - spearman, tau - kendall, rho - cosine])
    for law in (0, 1):
        within_standard_errors([one[law] for one in found], 0.0, slack=0.01)
    assert np.mean([one[2] for one in found]) < 0


def test_shuffled_stimuli_have_the_cka_and_cca_of_nothing_in_common_on_average():
    rng = np.random.default_rng(0)
    y_a, y_b = rng.standard_normal((6, 2)) ** 3, rng.standard_normal((6, 3)) + rng.standard_normal((6, 1))
    y_a, y_b = y_a - y_a.mean(0), y_b - y_b.mean(0)
    orders = np.array(list(permutations(range(6))))
    k, q = y_a @ y_a.T, y_b @ y_b.T
    cka = [(k * q[np.ix_(p, p)]).sum() / np.linalg.norm(k) / np.linalg.norm(q) for p in orders]
    d_a, d_b = (np.linalg.eigvalsh(np.cov(y.T)) for y in (y_a, y_b))
    close(np.mean(cka), theory.null_cka(d_a.sum() ** 2 / (d_a**2).sum(), d_b.sum() ** 2 / (d_b**2).sum(), 6))
    basis_a, basis_b = np.linalg.qr(y_a)[0], np.linalg.qr(y_b)[0]
    close(np.mean([((basis_a.T @ basis_b[p]) ** 2).sum() / 2 for p in orders]), 3 / 5)


def test_mutual_neighbours_by_owens_function_are_the_normal_probability():
    for c, k, stimuli in product([0.0, 0.2, 0.7, 0.99], [10, 100], [1001]):
        q = k / 1000
        x = np.linspace(scipy.stats.norm.isf(q), 9, 20_001)
        given = scipy.stats.norm.sf((x[0] - c * x) / sqrt(1 - c**2))
        above = scipy.integrate.simpson(scipy.stats.norm.pdf(x) * given, x=x)
        close(theory.expected_mutual_knn(c, k, stimuli), above / q, 1e-7)
    close(theory.expected_mutual_knn(1.0, 10, 1001), 1.0)
    close(theory.expected_mutual_knn(0.0, 10, 1001), 10 / 1000)


def neighbours(y, k):
    near = y @ y.T - (y**2).sum(1) / 2
    np.fill_diagonal(near, -inf)
    return np.argsort(-near, axis=1)[:, :k]


@pytest.mark.parametrize(("m", "k"), [(16, 30), (32, 30), (32, 6)])
def test_gaussian_latents_have_the_mutual_neighbours_of_the_law_and_sparse_ones_more(m, k):
    a, b = gaussians(1, m, 96)[:, 0]
    z = np.random.default_rng(2).standard_normal((1000, 96))
    cosine = ((a @ b.T) ** 2).sum() / np.linalg.norm(a @ a.T) / np.linalg.norm(b @ b.T)
    wanted = theory.expected_mutual_knn(cosine, k, 1000)

    def shared(z):
        near_a, near_b = (neighbours(z @ x.T, k) for x in (a, b))
        return np.mean([len(set(p) & set(q)) / k for p, q in zip(near_a, near_b, strict=True)])

    assert abs(shared(z) / wanted - 1) < 0.2 and wanted < cosine
    sparse = z * (np.abs(z).argsort(1).argsort(1) >= 94)
    assert shared(sparse) > 1.4 * wanted
