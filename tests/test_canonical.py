from functools import partial

import numpy as np
import pytest
import scipy.linalg
import scipy.spatial
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
)  # fmt: skip
from hypothesis import given
from hypothesis import strategies as st
from sklearn.cross_decomposition import CCA

from lib.canonical import canonical_correlations, cca, procrustes, pwcca, shape_distance, svcca

squared_cca = partial(cca, squared=True)
SPACES, SHAPES = [cca, squared_cca, pwcca], [procrustes, shape_distance]
METRICS = [*SPACES, svcca, *SHAPES]
NOTHING = {shape_distance: torch.pi / 2}  # the others score 0
ALL = {shape_distance: 0.0}


def pair(stimuli=40, units_a=5, units_b=7, seed=0):
    """Systems that share two directions, with means."""
    y_a, y_b = 1 + normal(stimuli, units_a, seed=seed), normal(stimuli, units_b, seed=seed + 1) - 2
    y_b[:, :2] += 3 * y_a[:, :2]
    return y_a, y_b


def about_means(*systems):
    return [y.numpy() - y.numpy().mean(0) for y in systems]


def whitened(x):
    """By the inverse root of the covariance, as CCA is often written."""
    return x @ np.linalg.inv(scipy.linalg.sqrtm(x.T @ x))


def explicit_correlations(x, z):
    return np.linalg.svd(whitened(x).T @ whitened(z))[1]


def explicit_pwcca(x, z):
    """Morcos et al. 2018, one direction after the other."""
    u, rho, _ = np.linalg.svd(whitened(x).T @ whitened(z))
    weights = [sum(abs(whitened(x) @ u[:, i] @ x[:, j]) for j in range(x.shape[1])) for i in range(len(rho))]
    return np.average(rho, weights=weights)


def leading(x, share):
    u, s, _ = np.linalg.svd(x, full_matrices=False)
    axes = next(i for i in range(1, len(s) + 1) if (s[:i] ** 2).sum() >= share * (s**2).sum())
    return u[:, :axes] * s[:axes]


# Known answers


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("metric", METRICS)
def test_a_rotated_scaled_shifted_system_is_the_same(metric, dtype):
    y = normal(60, 5)
    moved = (3 * y @ rotation(5) + 2)[:, torch.randperm(5)]
    close(metric(y.to(dtype), moved.to(dtype)), ALL.get(metric, 1.0), TOLERANCE[dtype])


def test_an_invertible_map_changes_what_hears_variances_alone():
    y = normal(60, 5)
    mapped = y @ (normal(5, 5, seed=1) + torch.diag(torch.tensor([9.0, 1, 1, 1, 0.1]).double()))
    for metric in SPACES:
        close(metric(y, mapped), 1.0)
    assert procrustes(y, mapped) < 0.9 < 0.999 < svcca(y, y @ torch.diag(torch.tensor([2.0, 1, 1, 1, 1]).double()))
    assert shape_distance(y, mapped) > 0.4


@pytest.mark.parametrize("metric", METRICS)
def test_orthogonal_systems_have_nothing_in_common(metric):
    y = torch.linalg.qr(normal(30, 7) - normal(30, 7).mean(0))[0]
    close(metric(y[:, :3], y[:, 3:]), NOTHING.get(metric, 0.0), 1e-10)


def test_correlations_and_cosine_of_planted_directions():
    q = torch.linalg.qr(normal(50, 6) - normal(50, 6).mean(0))[0]
    planted = torch.tensor([0.9, 0.5, 0.2]).double()
    y_b = q[:, :3] * planted + q[:, 3:] * (1 - planted**2).sqrt()
    close(canonical_correlations(q[:, :3] @ normal(3, 3), y_b @ normal(3, 3, seed=1)), planted)
    close(cca(q[:, :3], y_b), planted.mean())
    close(cca(q[:, :3], y_b, squared=True), planted.square().mean())
    close(procrustes(q[:, :3], y_b), planted.mean())  # of equal variances
    size = torch.tensor([4.0, 2, 1]).double()
    close(procrustes(q[:, :3] * size, y_b), (size * planted).sum() / size.norm() / 3**0.5)
    close(pwcca(q[:, :3] * size, y_b), (size * planted).sum() / size.sum())


@pytest.mark.parametrize("angle", [1e-9, 1e-3, 1.0, 1.5])
def test_small_and_large_angles_are_exact(angle):
    q = torch.linalg.qr(normal(9, 2) - normal(9, 2).mean(0))[0]
    angle = torch.tensor(angle).double()
    y = angle.cos() * q[:, :1] + angle.sin() * q[:, 1:]
    close(shape_distance(q[:, :1], y), angle, 1e-15)


def test_a_stimulus_that_moves_no_unit_is_not_taken_for_a_constant_network():
    y = torch.tensor([[1.0, 2], [-1, -2], [0, 0], [2, -1], [-2, 1]]).double()
    close(shape_distance(y, y), 0.0, 1e-7)


def test_dependent_and_constant_units_add_no_direction():
    y_a, y_b = pair()
    more = torch.cat([y_a, y_a @ normal(5, 3), torch.full((40, 2), 0.1).double()], 1)
    for metric in (cca, squared_cca):
        close(metric(more, y_b), metric(y_a, y_b))
        close(metric(y_b, more), metric(y_b, y_a))
    close(canonical_correlations(more, y_b)[:5], canonical_correlations(y_a, y_b))
    close(canonical_correlations(more, y_b)[5:], torch.zeros(2))
    x, _ = about_means(more, y_b)
    u = torch.linalg.svd(torch.as_tensor(whitened(x[:, :5])).mT @ torch.as_tensor(whitened(about_means(y_b)[0])))[0]
    weights = np.abs((whitened(x[:, :5]) @ u.numpy()).T @ x).sum(1)
    close(pwcca(more, y_b), np.average(canonical_correlations(y_a, y_b).numpy(), weights=weights))


def test_svcca_leaves_out_what_little_varies():
    y_a, y_b = pair()
    faint = torch.cat([y_a, 1e-4 * y_b], 1)  # a hears all of b, but for its variance
    assert squared_cca(faint, y_b) == pytest.approx(1) and svcca(faint, y_b) < 0.9
    loud = torch.cat([100 * y_a[:, :1], y_b[:, 3:]], 1)
    axes = torch.tensor(leading(about_means(y_a)[0], 0.9))
    close(svcca(loud, y_a, 0.9), canonical_correlations(loud[:, :1], axes)[0], 2e-2)


# Independent implementations


@pytest.mark.parametrize("units", [(5, 7), (7, 5), (4, 4), (1, 6)])
def test_correlations_agree_with_whitening_and_with_scikit_learn(units):
    y_a, y_b = pair(60, *(max(u, 2) for u in units))
    y_a, y_b = y_a[:, : units[0]], y_b[:, : units[1]]
    x, z = about_means(y_a, y_b)
    count = min(units)
    close(canonical_correlations(y_a, y_b), explicit_correlations(x, z)[:count])
    u, v = CCA(count, scale=False, tol=1e-14, max_iter=100_000).fit_transform(y_a.numpy(), y_b.numpy())
    rho = [np.corrcoef(u[:, i], v[:, i])[0, 1] for i in range(count)]
    close(cca(y_a, y_b), np.mean(rho), 1e-6)
    close(cca(y_a, y_b, squared=True), np.mean(np.square(rho)), 1e-6)


@pytest.mark.parametrize("units", [(5, 7), (7, 5), (4, 4)])
def test_weighted_and_truncated_correlations_agree_with_their_definitions(units):
    y_a, y_b = pair(60, *units)
    x, z = about_means(y_a, y_b)
    close(pwcca(y_a, y_b), explicit_pwcca(x, z))
    assert abs(pwcca(y_a, y_b) - pwcca(y_b, y_a)) > 1e-4
    for share in (0.5, 0.9, 0.99):
        close(svcca(y_a, y_b, share), explicit_correlations(leading(x, share), leading(z, share)).mean())
        close(svcca(y_a, y_b, share, True), (explicit_correlations(leading(x, share), leading(z, share)) ** 2).mean())


@pytest.mark.parametrize("units", [(5, 7), (7, 5), (4, 4)])
def test_procrustes_agrees_with_scipy(units):
    y_a, y_b = pair(60, *units)
    padded = [np.pad(y.numpy(), ((0, 0), (0, max(units) - y.shape[1]))) for y in (y_a, y_b)]
    close(1 - procrustes(y_a, y_b) ** 2, scipy.spatial.procrustes(*padded)[2])
    x, z = (y - y.mean(0) for y in padded)
    turn = scipy.linalg.orthogonal_procrustes(z, x)[0]
    close(procrustes(y_a, y_b), (x * (z @ turn)).sum() / np.linalg.norm(x) / np.linalg.norm(z))
    close(shape_distance(y_a, y_b), np.arccos(float(procrustes(y_a, y_b))))


# Nothing varies, everything correlates


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("metric", METRICS)
def test_a_constant_system_has_nothing_in_common_and_a_constant_unit_changes_nothing(metric, dtype):
    y_a, y_b = normal(17, 4, dtype=dtype), normal(17, 3, seed=1, dtype=dtype)
    constant = torch.full((17, 2), 0.1, dtype=dtype)
    for one, other in [(constant, y_b), (y_a, constant), (constant, constant)]:
        assert metric(one, other) == NOTHING.get(metric, 0)
    close(metric(torch.cat([y_a, constant], 1), y_b), metric(y_a, y_b), TOLERANCE[dtype])


@pytest.mark.parametrize("metric", [*SPACES, canonical_correlations])
def test_directions_that_fill_all_stimuli_are_refused(metric):
    refuses("y_b has 8 independent directions over 9 stimuli", "give more stimuli", metric, normal(9, 3), normal(9, 8))
    refuses("y_a has 8 independent directions", "fewer axes", metric, normal(9, 20), normal(9, 3))
    assert metric(normal(9, 3), normal(9, 7, seed=1)).min() < 0.99
    assert metric(normal(9, 1), normal(9, 2, seed=1) @ normal(2, 20)).min() < 0.99  # many units, few directions


def test_svcca_of_too_many_axes_is_refused_and_of_few_is_not():
    y_a, y_b = normal(20, 60), normal(20, 50, seed=1)
    refuses("y_a has 19 independent directions over 20 stimuli", "give more stimuli", svcca, y_a, y_b, 0.9999)
    assert 0 < svcca(y_a, y_b, 0.3) < 1


# Properties


@given(seed=st.integers(0, 1000), shift=st.floats(-10, 10), stimuli=st.integers(9, 30))
def test_metrics_are_bounded_and_invariant(seed, shift, stimuli):
    y_a, y_b = normal(stimuli, 4, seed=seed), normal(stimuli, 3, seed=seed + 1)
    for metric in METRICS:
        value = metric(y_a, y_b)
        assert 0 <= value <= (torch.pi / 2 if metric is shape_distance else 1)
        close(metric(7 * y_a + shift, y_b), value, 1e-9)
        if metric is not pwcca:
            close(metric(y_b, y_a), value, 1e-9)
            close(metric(y_a @ rotation(4, seed), y_b), value, 1e-9)


@given(st.integers(0, 1000))
def test_shape_distance_obeys_the_triangle_inequality(seed):
    a, b, c = (normal(6, 3, seed=seed + i) for i in range(3))
    assert shape_distance(a, c) <= shape_distance(a, b) + shape_distance(b, c) + 1e-12


# Scale


@any_scale
def test_the_scale_of_a_system_changes_nothing(power, dtype):
    y_a, y_b = pair(20, 4, 3)
    for metric in METRICS:
        for given_a, given_b in ((power, 0), (0, power), (power, -power)):
            close(metric(scaled(y_a, given_a, None, dtype), scaled(y_b, given_b, None, dtype)), metric(y_a, y_b), 1e-5)


@any_scale
def test_one_unit_of_any_scale_counts_as_much_as_it_should(power, dtype):
    y_a, y_b = pair(20, 4, 3)
    far = scaled(y_a, power, 2, dtype)
    for metric in (cca, squared_cca):  # hears directions, however small
        close(metric(far, y_b.to(dtype)), metric(y_a, y_b), 1e-5)
    x, z = about_means(far.double() / far.abs().max(), y_b)
    nuclear = np.linalg.svd(x.T @ z)[1].sum() / np.linalg.norm(x) / np.linalg.norm(z)
    close(procrustes(far, y_b.to(dtype)), nuclear, 1e-5)
    assert 0 <= svcca(far, y_b.to(dtype)) <= 1 and 0 <= pwcca(far, y_b.to(dtype)) <= 1


@pytest.mark.parametrize("power", [-200, 200])
def test_a_unit_scale_near_the_ends_of_the_range_changes_nothing(power):
    y_a, y_b = pair(20, 4, 3)
    for metric in METRICS:
        close(metric(scaled(y_a, power), y_b), metric(y_a, y_b), 1e-9)


@pytest.mark.parametrize("mean", [1e7, 1e9])
def test_a_large_mean_changes_nothing(mean):
    (far_a, y_a), (far_b, y_b) = around(mean, 30, 4), around(-mean, 30, 3, seed=1)
    for metric in METRICS:
        close(metric(far_a, far_a), ALL.get(metric, 1.0), 1e-12)
        close(metric(far_a, far_b), metric(y_a, y_b), 1e-9)


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("metric", METRICS)
def test_a_batch_gives_what_each_entry_gives(metric, dtype, device):
    check_batch(metric, 300, dtype, device, 2 * TOLERANCE[dtype])


# Bad input


@bad_pairs(cca, svcca, pwcca, procrustes, shape_distance, canonical_correlations)
def test_bad_input_is_refused(call, y_a, y_b, thing, mend):
    refuses(thing, mend, call, y_a, y_b)


@pytest.mark.parametrize("share", [0, 1, -0.1, 2, float("nan")])
def test_a_share_of_nothing_or_of_everything_is_refused(share):
    refuses(f"share {share}", "between 0 and 1, or cca", svcca, normal(9, 3), normal(9, 3), share)


def test_a_direction_that_rests_at_some_stimuli_counts():
    y = torch.tensor([[-1.0, 0], [0, -1], [1, 0], [0, 1], [0, 0]]).double()
    for metric in (cca, squared_cca, svcca):
        close(metric(y, y), 1.0)
