import numpy as np
import pytest
import torch
from helpers import DEVICES, DTYPES, TOLERANCE, any_scale, around, bad_pairs, close, normal, refuses, scaled
from hypothesis import given
from hypothesis import strategies as st

from lib import blocks
from lib.correlation import (
    centre_and_scale,
    centred,
    constant_units,
    paired_correlations,
    size_of,
    standardised,
    unit_correlations,
)
from lib.features import seeded, white


def test_planted_permutation_and_sign_are_read_off():
    y = white(50, 5, seeded(0))
    order = torch.tensor([3, 0, 4, 1, 2])
    sign = torch.tensor([1.0, -1, 1, 1, -1]).double()
    close(unit_correlations(y, sign * y[:, order]), torch.eye(5).double()[:, order] * sign)
    close(paired_correlations(y, sign * y), sign)


def test_correlations_agree_with_numpy():
    y_a, y_b = normal(30, 4), normal(30, 6, seed=1)
    close(unit_correlations(y_a, y_b), np.corrcoef(y_a.T, y_b.T)[:4, 4:])


def test_correlations_agree_with_a_double_loop():
    y_a, y_b = normal(9, 3).exp(), normal(9, 2, seed=1)

    def correlation(x, y):
        x, y = [v - sum(x) / len(x) for v in x], [v - sum(y) / len(y) for v in y]
        xy, xx, yy = (sum(v * w for v, w in zip(p, q, strict=True)) for p, q in [(x, y), (x, x), (y, y)])
        return xy / (xx * yy) ** 0.5

    close(unit_correlations(y_a, y_b), [[correlation(x, y) for y in y_b.T.tolist()] for x in y_a.T.tolist()])


def test_paired_correlations_are_the_diagonal():
    y_a, y_b = normal(30, 4), normal(30, 4, seed=1)
    close(paired_correlations(y_a, y_b), unit_correlations(y_a, y_b).diagonal())


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("value", [0.0, 0.1, -1e20, 3e7])
def test_constant_unit_has_correlation_exactly_0(dtype, value):
    y = normal(7, 3, dtype=dtype)
    y[:, 1] = value  # the mean of seven times 0.1 is not 0.1
    assert constant_units(y).tolist() == [False, True, False]
    assert (centred(y)[:, 1] == 0).all()
    assert (standardised(y)[:, 1] == 0).all()
    c = unit_correlations(y, y)
    assert (c[1] == 0).all()
    assert (c[:, 1] == 0).all()
    close(paired_correlations(y, y), [1, 0, 1], TOLERANCE[dtype])


def test_a_unit_that_changes_once_is_not_constant():
    y = torch.full((9, 1), 0.3).double()
    y[4] += 1e-12
    assert not constant_units(y).any()
    close(unit_correlations(y, y), [[1.0]])


def test_standardised_units_have_mean_0_and_length_1():
    y = standardised(5 + 3 * normal(40, 6))
    close(y.mean(0), torch.zeros(6))
    close(y.norm(dim=0), torch.ones(6))


def test_tiny_units_correlate_as_large_ones():
    y_a, y_b = normal(20, 2, dtype=torch.float32), normal(20, 3, seed=1, dtype=torch.float32)
    close(unit_correlations(y_a * 1e-15, y_b * 1e15), unit_correlations(y_a, y_b), 1e-5)


@any_scale
def test_units_of_any_scale_correlate_as_before(power, dtype):
    y_a, y_b = 0.5 + normal(20, 4), normal(20, 4, seed=1)
    for unit in (None, 1):
        moved, other = scaled(y_a, power, unit, dtype), scaled(y_b, -power, unit, dtype)
        for call in (unit_correlations, paired_correlations):
            close(call(moved, other), call(y_a, y_b), 1e-5)
            close(call(moved, moved), call(y_a, y_a), 1e-5)
        centre, scale = centre_and_scale(scaled(y_a, power, unit, dtype)[None])
        y = moved.double() / moved.abs().max()
        close((moved - centre[0]) / scale[0], (y - y.mean(0)) / y.var(0, correction=0).sum().sqrt(), 1e-5)


@pytest.mark.parametrize("mean", [1e7, 1e9])
def test_a_large_mean_changes_no_correlation(mean):
    (far_a, y_a), (far_b, y_b) = around(mean, 30, 4), around(-mean, 30, 3, seed=1)
    close(centred(far_a), centred(y_a), 1e-14)
    close(unit_correlations(far_a, far_a).diagonal(), torch.ones(4), 1e-15 * 4)
    close(unit_correlations(far_a, far_b), unit_correlations(y_a, y_b), 1e-13)


@pytest.mark.parametrize("dtype", DTYPES)
def test_the_size_of_responses_is_a_power_of_two_below_the_largest(dtype):
    for largest in (0.0, 1.0, 3.9, 1e30, -1e-30, 1e-40, torch.finfo(dtype).max):
        y = torch.tensor([[largest, 0]], dtype=dtype)
        size = size_of(y)
        assert (size.dtype, size.log2() % 1, size.shape) == (torch.float64, 0, (1, 1))
        assert (y.double() / size).abs().max() < 2
        assert ((y.double() / size).abs().max() >= 1) == (largest != 0)
    close(size_of(torch.tensor([[5.0, 0], [3, 0]], dtype=dtype), -2), [[4, 1]])
    assert (
        size_of(torch.tensor([[1e-310]], dtype=torch.float64)) == 2.0**-1022
    )  # the least that is held to all its digits


@given(seed=st.integers(0, 1000), scale=st.floats(1e-6, 1e6), shift=st.floats(-100, 100))
def test_correlations_ignore_scale_and_shift_and_follow_permutation(seed, scale, shift):
    y_a, y_b, order = normal(15, 4, seed=seed), normal(15, 3, seed=seed + 1), torch.randperm(4, generator=seeded(seed))
    c = unit_correlations(y_a, y_b)
    assert c.abs().max() <= 1 + 1e-12
    close(unit_correlations(scale * (y_a + shift), y_b), c, 1e-9)
    close(unit_correlations(-y_a, y_b), -c)
    close(unit_correlations(y_a[:, order], y_b), c[order])
    close(unit_correlations(y_b, y_a), c.mT)


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("dtype", DTYPES)
def test_a_batch_gives_what_each_entry_gives(dtype, device):
    y_a, y_b = normal(3, 20, 4), normal(3, 20, 4, seed=1)
    for call in (unit_correlations, paired_correlations):
        given = call(y_a.to(device, dtype), y_b.to(device, dtype))
        assert (given.dtype, given.device.type) == (dtype, device)
        close(given, torch.stack([call(a, b) for a, b in zip(y_a, y_b, strict=True)]), TOLERANCE[dtype])


@bad_pairs(unit_correlations, paired_correlations)
def test_bad_input_is_refused(call, y_a, y_b, thing, mend):
    refuses(thing, mend, call, y_a, y_b)


@pytest.mark.parametrize("units", [1, 3])
def test_units_that_cannot_be_paired_are_refused(units):
    refuses(
        f"y_a has 4 units and y_b has {units}", "pair each unit", paired_correlations, normal(9, 4), normal(9, units)
    )
    refuses("y_a has 4 units and y_b has 5", "pair each", paired_correlations, normal(2, 9, 4), normal(2, 9, 5))


def test_standardised_responses_have_mean_zero_and_total_variance_one():
    y = 3 * normal(2, 100, 5) + 7
    centre, scale = centre_and_scale(y)
    z = (y - centre) / scale
    close(z.mean(1), torch.zeros(2, 5))
    close(z.var(1, correction=0).sum(1), torch.ones(2))


@pytest.mark.parametrize("order", [1, -1])
def test_blocks_of_stimuli_have_the_means_and_the_variance_of_them_all(order, monkeypatch):
    y = torch.cat([3 + normal(2, 32, 5), 1e200 * normal(2, 3, 5, seed=1)][::order], 1)
    monkeypatch.setattr(blocks, "BLOCK", 8 * 2 * 5 * 16)
    centre, scale = centre_and_scale(y)
    close(centre / 1e200, y.mean(1, keepdim=True) / 1e200)
    close(scale / 1e200, ((y / 1e200).var(1, correction=0).sum(1) ** 0.5)[:, None, None])
    y = torch.cat([torch.zeros(2, 32, 5), torch.ones(2, 1, 5), -torch.ones(2, 1, 5)], 1).double() * 1e200
    close(centre_and_scale(y)[1] / 1e200, torch.full((2, 1, 1), 5 * 2 / 34).double().sqrt(), 1e-7)
