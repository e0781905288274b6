import inspect
import re
import subprocess
import sys
from functools import partial
from pathlib import Path

import numpy as np
import pytest
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

from lib import geometry
from lib.features import seeded
from lib.geometry import cka_system, linear_cka, participation_ratio, rsa, rsa_system

SIMILARITIES = ["dot", "cosine", "correlation", "sqeuclidean"]


def debiased_cka(y_a, y_b):
    return linear_cka(y_a, y_b, debiased=True)


METRICS = [rsa, linear_cka, debiased_cka]


def explicit_rsa(y_a, y_b, similarity, centre):
    """With both stimuli x stimuli matrices."""

    def pairs(y):
        y = y.numpy() - (y.numpy().mean(0) if centre else 0)
        if similarity == "sqeuclidean":
            return pdist(y, "sqeuclidean")
        if similarity == "cosine":
            y = y / np.linalg.norm(y, axis=1, keepdims=True)
        matrix = np.corrcoef(y) if similarity == "correlation" else y @ y.T
        return matrix[np.triu_indices(len(y), 1)]

    return np.corrcoef(pairs(y_a), pairs(y_b))[0, 1]


def zero_diagonal(y):
    y = y.numpy() - y.numpy().mean(0)
    return y @ y.T * (1 - np.eye(len(y)))


def hsic_1(p, q):
    """Song et al. 2012, equation 5, for kernels with a diagonal of zeros."""
    m, one = len(p), np.ones(len(p))
    cross = (one @ p @ one) * (one @ q @ one) / ((m - 1) * (m - 2)) - 2 * (one @ p @ q @ one) / (m - 2)
    return (np.trace(p @ q) + cross) / (m * (m - 3))


def u_centred(k):
    """Szekely and Rizzo 2014: the other form of the unbiased product, by centring all rows and columns at once."""
    m, rows = len(k), k.sum(1)
    return (k - (rows[:, None] + rows) / (m - 2) + k.sum() / ((m - 1) * (m - 2))) * (1 - np.eye(m))


# Known answers


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("metric", METRICS)
def test_a_rotated_scaled_shifted_system_is_the_same(metric, dtype):
    y = normal(60, 5)
    moved = 3 * y @ rotation(5) + 2
    close(metric(y.to(dtype), moved.to(dtype)), 1.0, TOLERANCE[dtype])
    assert metric(y, y @ torch.diag(torch.tensor([1.0, 9, 1, 1, 1]).double())) < 0.9


@pytest.mark.parametrize("metric", METRICS)
def test_every_unit_doubled_is_the_same_but_one_doubled_is_not(metric):
    y = normal(60, 5)
    close(metric(y, torch.cat([y, y], 1)), 1.0)
    assert metric(y, torch.cat([y, y[:, :1]], 1)) < 0.99


def test_rsa_of_three_stimuli_worked_by_hand():
    y_a = torch.tensor([[1.0, 0], [0, 1], [1, 1]]).double()
    y_b = torch.tensor([[1.0], [2], [4]]).double()
    dots = [0.0, 1, 1], [2.0, 4, 8]
    close(rsa(y_a, y_b, "dot", centre=False), np.corrcoef(*dots)[0, 1])
    close(rsa(y_a, y_b, "sqeuclidean"), np.corrcoef([2.0, 1, 1], [1.0, 9, 4])[0, 1])


def test_cka_of_orthogonal_systems_is_0():
    y_a = torch.tensor([[1.0], [1], [-1], [-1]]).double()
    y_b = torch.tensor([[1.0], [-1], [1], [-1]]).double()
    close(linear_cka(y_a, y_b), 0.0)


def test_cka_without_centring_sees_the_mean_and_with_it_does_not():
    y_a, y_b = normal(50, 4) + 100, normal(50, 4, seed=1) + 100
    assert linear_cka(y_a, y_b, centre=False) > 0.999
    assert linear_cka(y_a, y_b) < 0.5
    assert rsa(y_a, y_b, centre=False) != rsa(y_a, y_b)


def test_debiased_cka_of_unrelated_systems_is_0_on_average_and_biased_cka_is_not():
    y_a, y_b = normal(500, 20, 30), normal(500, 20, 30, seed=1)
    debiased = debiased_cka(y_a, y_b)
    assert abs(debiased.mean()) < 5 * debiased.std() / 500**0.5
    assert debiased.min() < 0
    assert linear_cka(y_a, y_b).min() > 0.4


# Independent implementations


@pytest.mark.parametrize("centre", [True, False])
@pytest.mark.parametrize("similarity", SIMILARITIES)
@pytest.mark.parametrize("stimuli", [3, 4, 40, 600])
def test_rsa_agrees_with_explicit_matrices(stimuli, similarity, centre):
    y_a, y_b = 1 + normal(stimuli, 5), 2 + normal(stimuli, 8, seed=1)
    y_b[:, :5] += y_a
    close(rsa(y_a, y_b, similarity, centre), explicit_rsa(y_a, y_b, similarity, centre), 1e-9)


# Name of each similarity in the table of the docstring, and the method of rsatoolbox if it has one.
TABLE = dict(re.findall(r"^    (\w+)  +\S.*  +(?:method=\"(\w+)\".*|-)$", inspect.getdoc(rsa) or "", re.M))


def test_the_table_of_similarities_is_complete_and_its_defaults_are_the_definitions():
    assert list(TABLE) == SIMILARITIES
    y_a, y_b = 1 + normal(30, 5), 2 + normal(30, 8, seed=1)
    y_b[:, :5] += y_a
    for similarity in TABLE:
        close(rsa(y_a, y_b, similarity), explicit_rsa(y_a, y_b, similarity, similarity == "dot"))
        if similarity != "sqeuclidean":  # the tests could tell a wrong default
            values = [explicit_rsa(y_a, y_b, similarity, centre) for centre in (True, False)]
            assert abs(values[0] - values[1]) > 1e-3


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("similarity", [name for name, method in TABLE.items() if method])
def test_rsa_is_that_of_the_method_of_rsatoolbox_which_the_table_names(similarity):
    rsatoolbox = pytest.importorskip("rsatoolbox")
    y_a, y_b = 1 + normal(30, 5), normal(30, 8, seed=1)
    y_b[:, :5] += y_a
    data = [rsatoolbox.data.Dataset(y.numpy()) for y in (y_a, y_b)]
    rdms = [rsatoolbox.rdm.calc_rdm(one, method=TABLE[similarity]) for one in data]
    close(rsa(y_a, y_b, similarity), rsatoolbox.rdm.compare(*rdms, method="corr").item())
    pairs = np.triu_indices(30, 1)  # and entry by entry, as the table says
    if similarity == "correlation":
        close(rdms[0].dissimilarities[0], 1 - np.corrcoef(y_a)[pairs])
    else:
        close(rdms[0].dissimilarities[0], pdist(y_a, "sqeuclidean") / 5)


@pytest.mark.filterwarnings("ignore")
def test_rsa_of_dot_products_agrees_with_rsatoolbox_given_their_matrices():
    rsatoolbox = pytest.importorskip("rsatoolbox")
    y_a, y_b = 1 + normal(30, 5), normal(30, 8, seed=1)
    dots = [rsatoolbox.rdm.RDMs(-(y @ y.mT).numpy()[np.triu_indices(30, 1)][None]) for y in (y_a, y_b)]
    close(rsa(y_a, y_b, "dot", centre=False), rsatoolbox.rdm.compare(*dots, method="corr").item())


@pytest.mark.parametrize("stimuli", [2, 3, 40, 600])
def test_cka_agrees_with_centred_kernels(stimuli):
    y_a, y_b = normal(stimuli, 5) + 1, normal(stimuli, 8, seed=1).exp()
    h = np.eye(stimuli) - 1 / stimuli
    p, q = (h @ y.numpy() @ y.numpy().T @ h for y in (y_a, y_b))
    close(linear_cka(y_a, y_b), (p * q).sum() / np.linalg.norm(p) / np.linalg.norm(q))


@pytest.mark.parametrize("stimuli", [4, 5, 40, 600])
def test_debiased_cka_agrees_with_both_forms_of_the_unbiased_product(stimuli):
    y_a, y_b = normal(stimuli, 5) + 1, normal(stimuli, 8, seed=1).exp()
    p, q = zero_diagonal(y_a), zero_diagonal(y_b)
    close(debiased_cka(y_a, y_b), hsic_1(p, q) / np.sqrt(hsic_1(p, p) * hsic_1(q, q)), 1e-8)
    u, v = u_centred(p), u_centred(q)
    close(debiased_cka(y_a, y_b), (u * v).sum() / np.linalg.norm(u) / np.linalg.norm(v), 1e-8)


def test_single_precision_stays_accurate_over_many_stimuli():
    y_a, y_b = normal(30_000, 6) + 1, normal(30_000, 5, seed=1).exp()
    y_b[:, 0] += y_a[:, 0]
    for metric in METRICS:
        close(metric(y_a.float(), y_b.float()), metric(y_a, y_b), 2e-6)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("units", [(60, 70), (60, 7)])
def test_more_units_than_stimuli_agree_with_explicit_matrices(units, dtype):
    y_a, y_b = normal(20, units[0]) + 1, normal(20, units[1], seed=1)
    y_b[:, :7] += 3 * y_a[:, :7]
    given = y_a.to(dtype), y_b.to(dtype)
    for similarity in SIMILARITIES:
        for centre in (True, False):
            wanted = explicit_rsa(y_a, y_b, similarity, centre)
            close(rsa(*given, similarity, centre), wanted, TOLERANCE[dtype])
    p, q = zero_diagonal(y_a), zero_diagonal(y_b)
    close(debiased_cka(*given), hsic_1(p, q) / np.sqrt(hsic_1(p, p) * hsic_1(q, q)), TOLERANCE[dtype])


# Nothing varies


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("stimuli", [5, 50, 500])
def test_a_constant_similarity_matrix_scores_0(stimuli, dtype):
    y, one_each = normal(stimuli, 5, dtype=dtype), 0.7 * torch.eye(stimuli, dtype=dtype)
    for similarity in SIMILARITIES:
        for other in (y, one_each):
            for centre in (True, False, None):
                pair = rsa(one_each, other, similarity, centre), rsa(other, one_each, similarity, centre)
                assert pair == (0, 0)
    assert debiased_cka(one_each, one_each) == 0


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("other", [(0.7, -3), (0.7, -3.1), (1.7, 0.3), (123.4, 5)])
@pytest.mark.parametrize("stimuli", [5, 50, 500, 5000, 50000])
def test_debiased_cka_is_0_where_only_one_stimulus_differs(stimuli, other, dtype):
    y = torch.full((stimuli, 2), 0.1, dtype=dtype)
    y[2] = torch.tensor(other)
    assert debiased_cka(y, y) == debiased_cka(y, normal(stimuli, 5, dtype=dtype)) == 0


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("metric", METRICS)
def test_a_constant_system_scores_0_and_a_constant_unit_changes_nothing(metric, dtype):
    y_a, y_b = normal(7, 4, dtype=dtype), normal(7, 3, seed=1, dtype=dtype)
    constant = torch.full((7, 2), 0.1, dtype=dtype)
    assert metric(constant, y_b) == metric(y_a, constant) == metric(constant, constant) == 0
    close(metric(torch.cat([y_a, constant], 1), y_b), metric(y_a, y_b), TOLERANCE[dtype])


# Properties


@given(seed=st.integers(0, 1000), scale=st.floats(1e-5, 1e5), shift=st.floats(-10, 10), stimuli=st.integers(4, 30))
def test_metrics_are_symmetric_bounded_and_invariant(seed, scale, shift, stimuli):
    y_a, y_b = normal(stimuli, 4, seed=seed), normal(stimuli, 3, seed=seed + 1)
    permuted = y_a[:, torch.randperm(4, generator=seeded(seed))]
    stimulus_order = torch.randperm(stimuli, generator=seeded(seed))
    for metric in METRICS:
        value = metric(y_a, y_b)
        assert (0 if metric is linear_cka else -1) - 1e-9 <= value <= 1 + 1e-9
        close(metric(y_b, y_a), value)
        close(metric(permuted, y_b), value)
        close(metric(scale * (y_a @ rotation(4, seed)) + shift, y_b), value, 1e-7)
        close(metric(y_a[stimulus_order], y_b[stimulus_order]), value, 1e-9)


@given(seed=st.integers(0, 1000), shift=st.floats(-10, 10))
def test_rsa_of_distances_ignores_a_shift_of_units_and_rsa_of_correlations_one_of_stimuli(seed, shift):
    y_a, y_b = normal(12, 6, seed=seed), normal(12, 5, seed=seed + 1)
    units, stimuli = shift * normal(6, seed=seed), shift * normal(12, 1, seed=seed)
    distances = rsa(y_a, y_b, "sqeuclidean")
    for centre in (True, False):
        close(rsa((y_a + units) @ rotation(6, seed), y_b, "sqeuclidean", centre), distances, 1e-8)
    scale = 0.1 + torch.rand(12, 1, generator=seeded(seed), dtype=torch.float64)
    correlation = rsa(y_a, y_b, "correlation", centre=False)
    close(rsa(scale * y_a + stimuli, y_b, "correlation", centre=False), correlation, 1e-8)
    close(rsa(y_a, y_b, "sqeuclidean", centre=False), distances)


# Scale

RSAS = [partial(rsa, similarity=similarity, centre=centre) for similarity in SIMILARITIES for centre in (True, False)]


@any_scale
def test_the_scale_of_a_system_changes_nothing(power, dtype):
    y_a, y_b = 0.5 + normal(20, 4), normal(20, 3, seed=1)
    for metric in [linear_cka, debiased_cka, *RSAS]:
        wanted = metric(y_a, y_b)
        for given_a, given_b in ((power, 0), (0, power), (power, power), (power, -power)):
            close(metric(scaled(y_a, given_a, None, dtype), scaled(y_b, given_b, None, dtype)), wanted, 1e-5)


@any_scale
def test_one_unit_of_any_scale_counts_as_much_as_it_should(power, dtype):
    """Against the matrices of the same numbers in double precision, where one large unit hides only what it must."""
    y_a, y_b = scaled(0.5 + normal(20, 4), power, 2, dtype), (normal(20, 3, seed=1)).to(dtype)
    doubles = [y.double() / y.abs().max() for y in (y_a, y_b)]
    for one in RSAS:
        close(one(y_a, y_b), explicit_rsa(*doubles, **one.keywords), 1e-5)
    p, q = zero_diagonal(doubles[0]), zero_diagonal(doubles[1])
    close(debiased_cka(y_a, y_b), hsic_1(p, q) / np.sqrt(hsic_1(p, p)) / np.sqrt(hsic_1(q, q)), 1e-5)
    p, q = ((y @ y.T) for y in (y.numpy() - y.numpy().mean(0) for y in doubles))
    close(linear_cka(y_a, y_b), (p / np.linalg.norm(p) * (q / np.linalg.norm(q))).sum(), 1e-5)


@any_scale
def test_one_stimulus_of_any_scale_counts_as_much_as_it_should(power, dtype):
    y_a, y_b = scaled((0.5 + normal(20, 4)).T, min(power, 6), 2, dtype).T, normal(20, 3, seed=1).to(dtype)
    for similarity in ("cosine", "correlation"):  # scale of a stimulus is no part of these
        close(rsa(y_a, y_b, similarity), rsa(0.5 + normal(20, 4), normal(20, 3, seed=1), similarity), 1e-5)
    p, q = zero_diagonal(y_a.double()), zero_diagonal(y_b.double())
    close(debiased_cka(y_a, y_b), hsic_1(p, q) / np.sqrt(hsic_1(p, p)) / np.sqrt(hsic_1(q, q)), 1e-2)


@pytest.mark.parametrize("mean", [1e7, 1e9])
def test_a_large_mean_changes_nothing(mean):
    (far_a, y_a), (far_b, y_b) = around(mean, 30, 4), around(-mean, 30, 3, seed=1)
    for metric in [linear_cka, debiased_cka, partial(rsa, similarity="dot"), partial(rsa, similarity="sqeuclidean")]:
        close(metric(far_a, far_a), 1.0, 1e-12)
        close(metric(far_a, far_b), metric(y_a, y_b), 1e-12)


@any_scale
def test_participation_ratio_ignores_scale(power, dtype):
    close(participation_ratio(scaled(torch.tensor([4.0, 2, 0]).double(), power, None, dtype)), 36 / 20, 1e-6)


def test_participation_ratio_of_nothing_is_0_and_of_nan_is_refused():
    assert participation_ratio(torch.zeros(3)) == 0
    refuses("eigenvalues has 1 NaN", "remove", participation_ratio, torch.tensor([1.0, torch.nan]))


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("metric", METRICS)
def test_a_batch_gives_what_each_entry_gives(metric, dtype, device):
    check_batch(metric, 300, dtype, device, TOLERANCE[dtype])


# Memory

MANY_STIMULI = """
import torch
from lib.geometry import linear_cka, rsa
from lib.regression import ols_score
y_a, y_b = torch.randn({stimuli}, {units}), torch.randn({stimuli}, {units})
values = {values}
assert all(v.isfinite().all() for v in values)
print(next(line for line in open("/proc/self/status") if line.startswith("VmHWM")).split()[1])
"""  # not ru_maxrss: a child inherits that from the process which started it


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="no /proc to read the peak memory from")
@pytest.mark.parametrize(
    ("stimuli", "units", "values"),
    [
        (50_000, 768, "rsa(y_a, y_b), linear_cka(y_a, y_b, debiased=True)"),
        (50_000, 32, "[rsa(y_a, y_b, s) for s in ('dot', 'sqeuclidean', 'correlation')] + list(ols_score(y_a, y_b))"),
        (100, 50_000, "rsa(y_a, y_b), linear_cka(y_a, y_b), *ols_score(y_a, y_b)"),
    ],
)
def test_the_square_of_the_longer_side_is_never_built(stimuli, units, values):
    script = MANY_STIMULI.format(stimuli=stimuli, units=units, values=values)
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    gibibytes = float(done.stdout) / 2**20
    assert gibibytes < 2 < max(stimuli, units) ** 2 * 4 / 2**30


ABOVE_THE_INPUTS = """
import torch
from lib.geometry import linear_cka, rsa
def peak():
    return int(next(line for line in open("/proc/self/status") if line.startswith("VmHWM")).split()[1]) * 1024
y_a, y_b = torch.randn({shape}, dtype=torch.float64), torch.randn({shape}, dtype=torch.float64)
for metric in (rsa, linear_cka):
    metric(y_a[:300], y_b[:300])  # what the libraries take once
before = peak()
for similarity in ("dot", "sqeuclidean"):
    rsa(y_a, y_b, similarity)
linear_cka(y_a, y_b, debiased=True)
print((peak() - before) / (2 * y_a.nbytes))
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="no /proc to read the peak memory from")
@pytest.mark.parametrize("shape", [(40_000, 256), (2_000, 9_000)])
def test_no_copy_of_the_responses_is_held(shape):
    call = [sys.executable, "-c", ABOVE_THE_INPUTS.format(shape=shape)]
    assert float(subprocess.run(call, capture_output=True, text=True, check=True).stdout) < 0.3


# Bad input


@bad_pairs(*METRICS)
def test_bad_input_is_refused(call, y_a, y_b, thing, mend):
    refuses(thing, mend, call, y_a, y_b)


def test_too_few_stimuli_are_refused():
    refuses("y_a has 2 stimuli", "at least 3 are needed", rsa, normal(2, 3), normal(2, 3))
    refuses("y_a has 3 stimuli", "at least 4 are needed", debiased_cka, normal(3, 3), normal(3, 3))


@pytest.mark.parametrize("similarity", ["euclidean", "Dot", "", None, 2])
def test_unknown_similarity_is_refused(similarity):
    refuses(
        f"similarity {similarity!r} is unknown",
        "dot, cosine, correlation or sqeuclidean",
        rsa,
        normal(9, 3),
        normal(9, 3),
        similarity,
    )


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("value", [0.0, 0.1, -5e6])
def test_correlation_of_a_stimulus_without_contrast_is_refused(value, dtype):
    y_a, y_b = normal(9, 3, dtype=dtype), normal(9, 3, dtype=dtype)
    y_b[[2, 7]] = value
    refuses(
        "y_b has 2 stimuli with the same response in all units, the first at (2,)",
        "remove them or choose another similarity",
        rsa, y_a, y_b, "correlation", centre=False,
    )  # fmt: skip
    refuses("y_a has 9 stimuli with", "remove", rsa, y_a[:, :1], y_b, "correlation")


@pytest.mark.parametrize(("values", "wanted"), [([1, 1, 1, 0], 3), ([5, 0, 0, 0], 1), ([4, 2], 36 / 20)])
def test_participation_ratio_counts_equal_dimensions(values, wanted):
    close(participation_ratio(torch.tensor(values).double()), wanted)


UNITS = [(5, 7), (5, 100), (100, 5), (100, 120)]  # fewer and more than stimuli


@pytest.fixture
def small_blocks(monkeypatch):
    """Many blocks and bands, the last of them shorter than the others."""
    monkeypatch.setattr(geometry, "BLOCK", 64)
    monkeypatch.setattr(geometry, "BAND", 3)


@pytest.mark.parametrize("units", UNITS)
@pytest.mark.parametrize("similarity", SIMILARITIES)
def test_blocks_and_batches_of_any_size_leave_rsa_as_it_is(units, similarity, small_blocks):
    y_a, y_b = (0.5 + normal(2, 40, m, seed=m) for m in units)
    for centre in (True, False):
        wanted = [explicit_rsa(a, b, similarity, centre) for a, b in zip(y_a, y_b, strict=True)]
        close(rsa(y_a, y_b, similarity, centre), wanted)
        close(rsa_system(y_a, similarity, centre).against(rsa_system(y_b, similarity, centre)), wanted)


@pytest.mark.parametrize("units", UNITS)
@pytest.mark.parametrize("debiased", [True, False])
@pytest.mark.parametrize("centre", [True, False])
def test_blocks_and_batches_of_any_size_leave_cka_as_it_is(units, debiased, centre, monkeypatch):
    y_a, y_b = (0.5 + normal(2, 40, m, seed=m) for m in units)
    wanted = linear_cka(y_a, y_b, debiased, centre)
    monkeypatch.setattr(geometry, "BLOCK", 64)
    monkeypatch.setattr(geometry, "BAND", 3)
    close(linear_cka(y_a, y_b, debiased, centre), wanted)
    close(cka_system(y_a, debiased, centre).against(cka_system(y_b, debiased, centre)), wanted)


def test_prepared_systems_have_the_defaults_and_the_errors_of_the_metrics():
    y_a, y_b = 3 + normal(30, 4), 3 + normal(30, 5, seed=1)
    close(cka_system(y_a).against(cka_system(y_b)), linear_cka(y_a, y_b))
    close(rsa_system(y_a).against(rsa_system(y_b)), rsa(y_a, y_b))
    for prepare, least in ((cka_system, 2), (partial(cka_system, debiased=True), 4), (rsa_system, 3)):
        prepare(normal(least, 3))
        refuses(f"layer has {least - 1} stimuli", f"at least {least}", prepare, normal(least - 1, 3), name="layer")
    refuses("y has 1 NaN", "replace", cka_system, torch.where(y_a == y_a.max(), torch.nan, y_a))


@pytest.mark.parametrize("metric", METRICS)
def test_a_batch_may_hold_systems_of_very_different_scales(metric):
    y_a, y_b = normal(2, 30, 4), normal(30, 5, seed=1)
    wanted = metric(y_a, y_b)
    close(metric(y_a * torch.tensor([1.0, 1e200], dtype=torch.float64)[:, None, None], y_b), wanted)
    close(metric(y_b, y_a * torch.tensor([1e-200, 1.0], dtype=torch.float64)[:, None, None]), wanted)
