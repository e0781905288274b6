from itertools import combinations
from math import sqrt

import numpy as np
import pytest
import torch
from helpers import DEVICES, DTYPES, TOLERANCE, close, normal, refuses, rotation
from hypothesis import given
from hypothesis import strategies as st

from lib.features import seeded
from lib.projections import coherence, gaussian, overlap_masks, restricted_isometry_constant, signs


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("draw", [gaussian, signs])
def test_a_seed_fixes_the_draw_its_shape_dtype_and_device(draw, dtype, device):
    one, many = (draw(3, 5, seeded(1, device), draws, dtype) for draws in (None, 4))
    assert one.shape == (3, 5)
    assert many.shape == (4, 3, 5)
    assert one.dtype == many.dtype == dtype
    assert many.device.type == device
    assert torch.equal(many, draw(3, 5, seeded(1, device), 4, dtype))
    assert not torch.equal(many[0], many[1])


@pytest.mark.parametrize(("draw", "kurtosis"), [(gaussian, 3), (signs, 1)])
def test_entries_have_mean_0_variance_1_and_their_kurtosis(draw, kurtosis):
    a = draw(200, 500, seeded(0)).flatten()
    for power, expected in [(1, 0), (2, 1), (4, kurtosis)]:
        sample = a**power
        assert abs(sample.mean() - expected) <= 5 * sample.std() / sqrt(len(a))


def test_signs_are_plus_or_minus_one():
    assert signs(30, 30, seeded(0)).unique().tolist() == [-1, 1]


def test_masks_of_a_worked_example():
    a, b = overlap_masks(3, 2, 1)
    assert a.tolist() == [True, True, True, False]
    assert b.tolist() == [False, False, True, True]


@given(n_a=st.integers(1, 9), n_b=st.integers(1, 9), data=st.data())
def test_masks_cover_all_features_and_share_as_many_as_asked(n_a, n_b, data):
    n_s = data.draw(st.integers(0, min(n_a, n_b)))
    a, b = overlap_masks(n_a, n_b, n_s)
    assert (int(a.sum()), int(b.sum()), int((a & b).sum())) == (n_a, n_b, n_s)
    assert (a | b).all()


@pytest.mark.parametrize("n_s", [-1, 3])
def test_more_shared_features_than_there_are_is_refused(n_s):
    refuses(f"n_s = {n_s}", "choose 0 <= n_s <= 2", overlap_masks, 4, 2, n_s)


def test_coherence_of_known_frames():
    angles = torch.arange(3, dtype=torch.float64) * 2 * torch.pi / 3
    close(coherence(torch.stack([angles.cos(), angles.sin()])), 0.5)  # three vectors at 120 degrees
    close(coherence(rotation(5)), 0.0)
    close(coherence(normal(4, 1)), 0.0)
    a = normal(4, 3)
    close(coherence(torch.cat([a, -2 * a[:, :1]], 1)), 1.0)  # a duplicate up to sign and length


def test_coherence_agrees_with_a_double_loop():
    a = normal(6, 9).numpy()
    cosines = [
        abs(x @ y) / np.linalg.norm(x) / np.linalg.norm(y)
        for i, x in enumerate(a.T)
        for j, y in enumerate(a.T)
        if i != j
    ]
    close(coherence(torch.as_tensor(a)), max(cosines))


@given(st.integers(0, 1000))
def test_coherence_is_invariant_to_rotation_of_units_and_scale_and_order_of_columns(seed):
    a = normal(4, 6, seed=seed)
    scale = 0.1 + torch.rand(6, generator=seeded(seed), dtype=torch.float64)
    changed = rotation(4, seed) @ (a * scale)[:, torch.randperm(6, generator=seeded(seed))]
    close(coherence(changed), coherence(a))


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("dtype", DTYPES)
def test_coherence_of_a_batch_is_that_of_each(dtype, device):
    a = normal(3, 4, 6)
    close(coherence(a.to(device, dtype)), [float(coherence(x)) for x in a], TOLERANCE[dtype])


def test_isometry_constant_is_0_for_orthonormal_columns():
    for k in range(1, 5):
        close(restricted_isometry_constant(rotation(6)[:, :4], k), 0.0)


def test_isometry_constant_of_order_2_is_the_coherence_of_unit_columns():
    a = torch.nn.functional.normalize(normal(5, 9), dim=0)
    close(restricted_isometry_constant(a, 1), 0.0)
    close(restricted_isometry_constant(a, 2), coherence(a))


def test_isometry_constant_of_two_scaled_columns_is_the_larger_departure():
    close(restricted_isometry_constant(torch.diag(torch.tensor([1.5, 0.9], dtype=torch.float64)), 2), 1.5**2 - 1)
    close(restricted_isometry_constant(torch.diag(torch.tensor([1.1, 0.2], dtype=torch.float64)), 1), 1 - 0.2**2)


def test_isometry_constant_agrees_with_the_singular_values_of_every_support():
    a = torch.nn.functional.normalize(normal(5, 7), dim=0).numpy()
    last = 0.0
    for k in range(1, 6):
        values = np.stack([np.linalg.svd(a[:, s], compute_uv=False) for s in combinations(range(7), k)])
        wanted = max((values**2).max() - 1, 1 - (values**2).min())
        close(restricted_isometry_constant(torch.as_tensor(a), k), wanted)
        assert wanted >= last - 1e-12  # more columns never come closer to an isometry
        last = wanted


def test_isometry_constant_beyond_a_million_supports_is_refused():
    refuses("155117520 supports", "choose n and k", restricted_isometry_constant, normal(4, 30), 15)
    refuses("k = 9 active features of n = 6", "choose", restricted_isometry_constant, normal(4, 6), 9)
    refuses("a has shape (2, 4, 6)", "(units, features)", restricted_isometry_constant, normal(2, 4, 6), 2)


@pytest.mark.parametrize("call", [coherence, lambda a: restricted_isometry_constant(a, 1)])
def test_bad_projection_is_refused(call):
    refuses("a has 24 NaN", "remove", call, normal(4, 6) * torch.nan)
    refuses("a (shape (4,), torch.float64) is no projection", "(units, features)", call, normal(4))
    refuses("torch.int64", "floating-point", call, torch.ones(4, 6).long())
