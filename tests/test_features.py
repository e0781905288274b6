from functools import partial

import numpy as np
import pytest
import torch
from helpers import DEVICES, DTYPES, close, normal, refuses
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import kstest

from lib.features import bernoulli_uniform, k_sparse, kth_largest, seeded, topk_uniform, white

GENERATORS = [
    pytest.param(partial(topk_uniform, 40, 7, 3), id="topk_uniform"),
    pytest.param(partial(k_sparse, 40, 7, 3), id="k_sparse"),
    pytest.param(partial(bernoulli_uniform, 40, 7, 0.3), id="bernoulli_uniform"),
    pytest.param(partial(white, 40, 7), id="white"),
]


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("draw", GENERATORS)
def test_a_seed_fixes_the_draw_its_dtype_and_its_device(draw, dtype, device):
    z = draw(generator=seeded(3, device), dtype=dtype)
    assert z.shape == (40, 7)
    assert z.dtype == dtype
    assert z.device.type == device
    assert torch.equal(z, draw(generator=seeded(3, device), dtype=dtype))
    assert not torch.equal(z, draw(generator=seeded(4, device), dtype=dtype))


@pytest.mark.parametrize("draw", GENERATORS)
def test_a_second_draw_from_one_generator_differs(draw):
    generator = seeded(0)
    assert not torch.equal(draw(generator=generator), draw(generator=generator))


@given(n=st.integers(1, 12), data=st.data())
def test_topk_keeps_the_k_largest_of_the_uniform_draw(n, data):
    k = data.draw(st.integers(1, n))
    z = topk_uniform(20, n, k, seeded(n)).numpy()
    u = torch.rand(20, n, generator=seeded(n), dtype=torch.float64).numpy()
    kept = np.argsort(np.argsort(u)) >= n - k
    np.testing.assert_array_equal(z, u * kept)


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("k", [1, 5, 29, 30])
def test_topk_has_exactly_k_entries_those_of_torch(k, dtype, device):
    z = topk_uniform(500, 30, k, seeded(2, device), dtype)
    largest = torch.rand(500, 30, generator=seeded(2, device), dtype=dtype, device=device).topk(k)
    assert ((z != 0).sum(1) == k).all()
    assert torch.equal(z, torch.zeros_like(z).scatter(1, largest.indices, largest.values))


@given(n=st.integers(1, 12), data=st.data())
def test_k_sparse_has_k_entries_away_from_zero(n, data):
    k = data.draw(st.integers(1, n))
    z = k_sparse(20, n, k, seeded(n))
    assert ((z != 0).sum(1) == k).all()
    assert (z[z != 0] >= 0.5).all()
    assert (z <= 1.5).all()


def test_k_sparse_places_and_values_are_uniform():
    stimuli, n, k = 20_000, 8, 3
    z = k_sparse(stimuli, n, k, seeded(0))
    share = (z != 0).double().mean(0)
    assert (share - k / n).abs().max() < 5 * (k / n * (1 - k / n) / stimuli) ** 0.5
    values = z[z != 0]
    assert abs(values.mean() - 1) < 5 * (1 / 12 / len(values)) ** 0.5
    close(values.var(), 1 / 12, 0.002)


def test_bernoulli_is_active_with_probability_p_and_then_uniform():
    stimuli, n, p = 20_000, 5, 0.2
    z = bernoulli_uniform(stimuli, n, p, seeded(0))
    share = (z != 0).double().mean(0)
    assert (share - p).abs().max() < 5 * (p * (1 - p) / stimuli) ** 0.5
    values = z[z != 0]
    assert abs(values.mean() - 0.5) < 5 * (1 / 12 / len(values)) ** 0.5
    assert values.max() < 1
    pair = ((z[:, 0] != 0) & (z[:, 1] != 0)).double().mean()
    assert abs(pair - p**2) < 5 * (p**2 / stimuli) ** 0.5


@pytest.mark.parametrize("dtype", DTYPES)
def test_bernoulli_is_decided_by_one_uniform_draw(dtype):
    z = bernoulli_uniform(50, 4, 0.3, seeded(5), dtype)
    drawn = torch.rand(50, 4, generator=seeded(5), dtype=dtype)
    for value, u in zip(z.flatten().tolist(), drawn.flatten().tolist(), strict=True):
        assert value == pytest.approx(u / 0.3 if u < 0.3 else 0, abs=1e-6)


@pytest.mark.parametrize("p", [0.01, 0.1, 0.7])
def test_active_values_are_uniform_in_single_precision_too(p):
    z = bernoulli_uniform(50_000, 4, p, seeded(0), torch.float32)
    values = z[z > 0].double().numpy()
    assert kstest(values, "uniform").pvalue > 1e-3
    assert (z >= 0).all()
    assert (z <= 1).all()


def test_bernoulli_with_p_of_1_is_always_active():
    assert (bernoulli_uniform(50, 4, 1, seeded(0)) > 0).all()


@pytest.mark.parametrize(("stimuli", "n"), [(5, 4), (30, 1), (200, 12)])
def test_white_has_mean_0_and_identity_covariance(stimuli, n):
    z = white(stimuli, n, seeded(0)).numpy()
    close(z.mean(0), np.zeros(n))
    close(np.cov(z.T, bias=True).reshape(n, n), np.eye(n))


@pytest.mark.parametrize("draw", [topk_uniform, k_sparse])
@pytest.mark.parametrize("k", [0, 6])
def test_k_out_of_range_is_refused(draw, k):
    refuses(f"k = {k} active", "choose 1 <= k <= n", draw, 10, 5, k, seeded(0))


# The threshold of TopK


@given(seed=st.integers(0, 1000), n=st.integers(1, 12), data=st.data())
def test_kth_largest_agrees_with_sorting(seed, n, data):
    k = data.draw(st.integers(1, n))
    z = normal(2, 3, n, seed=seed)
    close(kth_largest(z, k)[..., 0], np.sort(z.numpy(), axis=-1)[..., ::-1][..., k - 1].copy(), 0)
    assert ((z >= kth_largest(z, k)).sum(-1) == k).all()


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("k", [1, 2, 17, 64])
def test_kth_largest_agrees_with_torch(k, dtype, device):
    z = normal(3, 50, 64).to(device, dtype)
    z[0, :, ::2] = 0.5  # many ties
    kth = kth_largest(z, k)
    assert torch.equal(kth, z.topk(k).values[..., -1:])
    assert (kth.dtype, kth.device.type) == (dtype, device)


def test_kth_largest_leaves_its_argument_alone():
    z = normal(4, 9)
    before = z.clone()
    kth_largest(z, 3)
    kth_largest(z.mT, 2)
    kth_largest(z.requires_grad_(), 2)
    assert torch.equal(z, before)


@pytest.mark.parametrize("p", [0, -0.1, 1.01, float("nan")])
def test_what_is_no_probability_is_refused(p):
    refuses(f"p = {p}", "choose 0 < p <= 1", bernoulli_uniform, 10, 5, p, seeded(0))


def test_too_few_stimuli_to_whiten_are_refused():
    refuses("5 stimuli cannot whiten 5 features", "give more than 5", white, 5, 5, seeded(0))


def test_off_the_cpu_the_kth_largest_is_one_entry_for_each_row():
    assert kth_largest(torch.empty(4, 10, device="meta"), 3).shape == (4, 1)  # shapes alone: NumPy would refuse it
