from itertools import combinations

import numpy as np
import pytest
import torch
from helpers import DEVICES, DTYPES, close, normal, refuses, rotation
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import linprog, nnls
from sklearn.linear_model import Lasso, orthogonal_mp

from lib.features import k_sparse, seeded
from lib.projections import coherence, gaussian
from lib.recovery import (
    nonnegative_basis_pursuit,
    nonnegative_lasso,
    orthogonal_matching_pursuit,
    support_recovered,
)


def unit_columns(units, n, seed=0):
    return torch.nn.functional.normalize(normal(units, n, seed=seed), dim=-2)


def greedy(y, a, k):
    """Orthogonal matching pursuit of one stimulus, written out."""
    chosen, residual = [], y
    for _ in range(k):
        gains = [-1 if j in chosen else abs(a[:, j] @ residual) / np.linalg.norm(a[:, j]) for j in range(a.shape[1])]
        chosen.append(int(np.argmax(gains)))
        values = np.linalg.lstsq(a[:, chosen], y)[0]
        residual = y - a[:, chosen] @ values
    code = np.zeros(a.shape[1])
    code[chosen] = values
    return code


# Orthogonal matching pursuit


def test_pursuit_with_orthonormal_columns_keeps_the_k_largest():
    z, q = normal(20, 8), rotation(8)
    largest = z.abs() >= z.abs().topk(3).values[:, -1:]
    close(orthogonal_matching_pursuit(z @ q.mT, q, 3), z * largest)


def test_pursuit_recovers_every_code_sparse_enough_for_the_coherence():
    a = torch.cat([torch.eye(64), torch.linalg.qr(normal(64, 64))[0]], 1).double()
    k = int((1 + 1 / coherence(a)) / 2)
    assert k >= 1
    z = k_sparse(200, 128, k, seeded(1)) * normal(200, 128).sign()
    found = orthogonal_matching_pursuit(z @ a.mT, a, k)
    close(found, z, 1e-9)
    assert support_recovered(found, z).all()


def test_coherence_promises_basis_pursuit_nothing_where_columns_differ_in_length():
    turn = np.pi / 3
    a = torch.tensor([[1, 10 * np.cos(turn), 10 * np.cos(turn)], [0, 10 * np.sin(turn), -10 * np.sin(turn)]])
    z = torch.tensor([[1.0, 0, 0]]).double()
    assert 1 < (1 + 1 / coherence(a)) / 2
    close(nonnegative_basis_pursuit(z @ a.mT, a), [[0, 0.1, 0.1]], 1e-9)
    both_signs = linprog(np.ones(6), A_eq=np.hstack([a, -a]), b_eq=[1, 0]).x
    close(both_signs[:3] - both_signs[3:], [0, 0.1, 0.1], 1e-9)
    close(orthogonal_matching_pursuit(z @ a.mT, a, 1), z)  # it divides by the lengths
    lengths = a.norm(dim=0)
    close(nonnegative_basis_pursuit(z @ a.mT, a / lengths), z, 1e-9)


def test_pursuit_recovers_planted_codes_given_enough_units():
    z, a = k_sparse(100, 60, 3, seeded(0)), gaussian(40, 60, seeded(1))
    assert support_recovered(orthogonal_matching_pursuit(z @ a.mT, a, 3), z).double().mean() > 0.95
    few = gaussian(4, 60, seeded(1))
    assert support_recovered(orthogonal_matching_pursuit(z @ few.mT, few, 3), z).double().mean() < 0.1


def test_pursuit_agrees_with_scikit_learn():
    y, a = normal(30, 10), unit_columns(10, 25)
    for k in (1, 4, 10):
        wanted = orthogonal_mp(a.numpy(), y.numpy().T, n_nonzero_coefs=k).T
        close(orthogonal_matching_pursuit(y, a, k), wanted, 1e-8)


def test_pursuit_agrees_with_a_loop_whatever_the_length_of_columns():
    y, a = normal(30, 6), normal(6, 12) * torch.logspace(-2, 2, 12)
    close(orthogonal_matching_pursuit(y, a, 4), np.stack([greedy(x, a.numpy(), 4) for x in y.numpy()]), 1e-8)


@given(seed=st.integers(0, 1000), k=st.integers(1, 5))
def test_residual_is_orthogonal_to_the_columns_chosen_and_shrinks_with_k(seed, k):
    y, a = normal(10, 5, seed=seed), normal(5, 9, seed=seed + 1)
    z = orthogonal_matching_pursuit(y, a, k)
    residual = y - z @ a.mT
    assert ((z != 0).sum(1) == k).all()
    close((residual @ a) * (z != 0), torch.zeros(10, 9), 1e-8)
    assert (residual.norm(dim=1) <= y.norm(dim=1)).all()
    scale = 0.1 + torch.rand(9, generator=seeded(seed), dtype=torch.float64)
    close(orthogonal_matching_pursuit(y, a * scale, k) * scale, z, 1e-7)


def test_a_column_of_zeros_is_never_chosen():
    y, a = normal(20, 5), normal(5, 8)
    padded = torch.cat([torch.zeros(5, 2).double(), a], 1)
    z = orthogonal_matching_pursuit(y, padded, 3)
    assert (z[:, :2] == 0).all()
    close(z[:, 2:], orthogonal_matching_pursuit(y, a, 3))


def test_columns_of_zeros_that_alone_are_left_get_0():
    a = torch.tensor([[2.0, 0, 0], [0, 0, 0]]).double()
    close(orthogonal_matching_pursuit(torch.tensor([[3.0, 1]]).double(), a, 2), [[1.5, 0, 0]])


def test_columns_that_depend_on_each_other_leave_no_residual():
    for seed in range(8):
        a = normal(6, 12, seed=seed)
        a[:, 1] = a[:, 0]
        y = 2 * a[:, 0][None]
        close(orthogonal_matching_pursuit(y, a, 3) @ a.mT, y, 1e-9)


def test_fewer_active_features_than_k_leave_the_rest_at_0():
    a = unit_columns(6, 9)
    z = torch.zeros(2, 9).double()
    z[0, 4] = 2
    close(orthogonal_matching_pursuit(z @ a.mT, a, 3), z)


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("dtype", DTYPES)
def test_a_batch_of_pursuits_gives_what_each_gives(dtype, device):
    y, a = normal(3, 15, 8), normal(3, 8, 12, seed=1)
    one_by_one = torch.stack([orthogonal_matching_pursuit(x, b, 3) for x, b in zip(y, a, strict=True)])
    batched = orthogonal_matching_pursuit(y.to(device, dtype), a.to(device, dtype), 3)
    assert (batched.dtype, batched.device.type) == (dtype, device)
    close(batched, one_by_one, 1e-9 if dtype == torch.float64 else 1e-3)


def test_one_projection_serves_a_batch_of_responses_and_the_other_way_round():
    y, a = normal(3, 15, 8), normal(3, 8, 12, seed=1)
    close(orthogonal_matching_pursuit(y, a[0], 3)[1], orthogonal_matching_pursuit(y[1], a[0], 3))
    close(orthogonal_matching_pursuit(y[0], a, 3)[1], orthogonal_matching_pursuit(y[0], a[1], 3))


# Basis pursuit


def test_basis_pursuit_recovers_planted_codes_given_enough_units():
    z, a = k_sparse(40, 40, 3, seeded(0)), gaussian(20, 40, seeded(1))
    found = nonnegative_basis_pursuit(z @ a.mT, a)
    close(found, z, 1e-7)
    assert ((found != 0) == (z != 0)).all()  # no rounding of the solver passes for a feature


def test_basis_pursuit_agrees_with_every_vertex():
    a = normal(3, 7).numpy()
    y = (k_sparse(10, 7, 4, seeded(0)) @ torch.as_tensor(a).mT).numpy()
    for response, code in zip(y, nonnegative_basis_pursuit(torch.as_tensor(y), torch.as_tensor(a)), strict=True):
        vertices = [np.linalg.solve(a[:, s], response) for s in combinations(range(7), 3)]
        close(code.sum(), min(v.sum() for v in vertices if v.min() >= -1e-12), 1e-7)
        close(a @ code.numpy(), response, 1e-7)
        assert (code >= 0).all()


def test_basis_pursuit_agrees_with_its_dual_programme():
    z, a = k_sparse(10, 20, 6, seeded(0)), normal(8, 20)
    for response, code in zip(z @ a.mT, nonnegative_basis_pursuit(z @ a.mT, a), strict=True):
        dual = linprog(-response.numpy(), A_ub=a.mT.numpy(), b_ub=np.ones(20), bounds=(None, None))
        close(code.sum(), -dual.fun, 1e-6)
        assert code.sum() <= 6 * 1.5


def test_a_response_no_code_explains_gets_nan_and_the_others_a_code():
    a = torch.eye(2).double()
    z = nonnegative_basis_pursuit(torch.tensor([[1.0, 2], [-1, 2], [0, 0]]).double(), a)
    close(z[[0, 2]], [[1, 2], [0, 0]])
    assert z[1].isnan().all()


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("dtype", DTYPES)
def test_basis_pursuit_answers_in_double_precision_on_the_cpu(dtype, device):
    z, a = k_sparse(5, 12, 2, seeded(0)), gaussian(8, 12, seeded(1))
    found = nonnegative_basis_pursuit((z @ a.mT).to(device, dtype).requires_grad_(), a.to(device, dtype))
    assert (found.dtype, found.device.type) == (torch.float64, "cpu")
    close(found, z, 1e-4)


# Lasso


def fista(y, a, penalty, steps):
    """Beck and Teboulle's iteration for one stimulus, written out."""
    largest = np.linalg.eigvalsh(a.T @ a)[-1]
    x = ahead = np.zeros(a.shape[1])
    t = 1
    for _ in range(steps):
        before, x = x, np.maximum(0, ahead - (a.T @ (a @ ahead - y) + penalty) / largest)
        t, t_before = (1 + np.sqrt(1 + 4 * t**2)) / 2, t
        ahead = x + (t_before - 1) / t * (x - before)
    return x


@pytest.mark.parametrize("scale", [0.5, 1.0, 3.0])
@pytest.mark.parametrize("steps", [1, 100])
def test_lasso_with_orthogonal_columns_shrinks_and_clips(steps, scale):
    y, a = normal(20, 8), scale * rotation(8)
    close(nonnegative_lasso(y, a, 0.3, steps), (scale * y @ rotation(8) - 0.3).clamp(min=0) / scale**2)


@pytest.mark.parametrize("penalty", [1e-2, 0.1, 1.0])
@pytest.mark.parametrize("units, n", [(10, 25), (20, 8)])
def test_lasso_agrees_with_scikit_learn(units, n, penalty):
    y, a = normal(12, units), normal(units, n, seed=1)
    # Scikit-learn takes the mean over units of the squared error where we take the sum.
    model = Lasso(alpha=penalty / units, positive=True, fit_intercept=False, max_iter=10**6, tol=1e-12)
    wanted = np.stack([model.fit(a.numpy(), response.numpy()).coef_ for response in y])
    assert 0.1 < (wanted > 0).mean() < 0.9
    close(nonnegative_lasso(y, a, penalty, 30_000), wanted, 1e-4)


def test_lasso_without_a_penalty_is_nonnegative_least_squares():
    y, a = normal(12, 20), normal(20, 8, seed=1)
    close(nonnegative_lasso(y, a, 0), np.stack([nnls(a.numpy(), response.numpy())[0] for response in y]), 1e-9)


@pytest.mark.parametrize("steps", [1, 2, 3, 10])
def test_lasso_takes_the_accelerated_steps_written_out(steps):
    y, a = normal(12, 6), normal(6, 10, seed=1)
    wanted = [fista(response.numpy(), a.numpy(), 0.1, steps) for response in y]
    close(nonnegative_lasso(y, a, 0.1, steps), np.stack(wanted))


def test_lasso_comes_as_near_as_the_theorem_says():
    y, a = normal(12, 6), normal(6, 10, seed=1)

    def price(z):
        return (y - z @ a.mT).square().sum(1) / 2 + 0.1 * z.sum(1)

    best = nonnegative_lasso(y, a, 0.1, 30_000)
    for steps in (1, 10, 100):  # theorem 4.4 of Beck and Teboulle
        bound = 2 * torch.linalg.matrix_norm(a, 2) ** 2 * best.square().sum(1) / (steps + 1) ** 2
        assert (price(nonnegative_lasso(y, a, 0.1, steps)) - price(best) <= bound + 1e-9).all()


@given(seed=st.integers(0, 1000), penalty=st.floats(0.05, 2))
def test_lasso_meets_the_conditions_of_the_minimum(seed, penalty):
    y, a = normal(6, 7, seed=seed), normal(7, 5, seed=seed + 1)
    z = nonnegative_lasso(y, a, penalty, 5000)
    slope = (z @ a.mT - y) @ a + penalty
    assert (z >= 0).all()
    assert (slope > -1e-7).all()
    close(slope * (z > 0), torch.zeros(6, 5), 1e-7)


def test_lasso_comes_to_basis_pursuit_as_the_penalty_goes_down():
    z, a = k_sparse(40, 40, 3, seeded(0)), gaussian(20, 40, seeded(1))
    exact = nonnegative_basis_pursuit(z @ a.mT, a)
    close(exact, z, 1e-7)
    distance = [float((nonnegative_lasso(z @ a.mT, a, p, 5000) - exact).abs().max()) for p in (0.1, 0.01, 1e-3)]
    assert distance[0] < 0.05
    assert distance[1] == pytest.approx(distance[0] / 10, rel=0.01)  # in proportion to the penalty
    assert distance[2] == pytest.approx(distance[1] / 10, rel=0.05)
    assert support_recovered(nonnegative_lasso(z @ a.mT, a), z, 1e-2).all()


def test_lasso_ignores_units_and_features_of_zeros():
    y, a = normal(12, 6), normal(6, 10, seed=1)
    wanted = nonnegative_lasso(y, a, 0.1, 50)
    padded_y, padded_a = torch.zeros(12, 9).double(), torch.zeros(9, 13).double()
    padded_y[:, :6], padded_a[:6, :10] = y, a
    given = nonnegative_lasso(padded_y, padded_a, 0.1, 50)
    close(given[:, :10], wanted)
    assert (given[:, 10:] == 0).all()


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("dtype", DTYPES)
def test_a_batch_of_lassos_gives_what_each_gives(dtype, device):
    y, a = normal(3, 15, 8), normal(3, 8, 12, seed=1) * torch.tensor([0.5, 1, 4]).double()[:, None, None]
    one_by_one = torch.stack([nonnegative_lasso(x, b, 0.1, 100) for x, b in zip(y, a, strict=True)])
    batched = nonnegative_lasso(y.to(device, dtype), a.to(device, dtype).requires_grad_(), 0.1, 100)
    assert (batched.dtype, batched.device.type, batched.requires_grad) == (dtype, device, False)
    close(batched, one_by_one, 1e-9 if dtype == torch.float64 else 1e-3)
    close(nonnegative_lasso(y, a[0], 0.1, 100)[1], nonnegative_lasso(y[1], a[0], 0.1, 100))
    close(nonnegative_lasso(y[0], a, 0.1, 100)[1], nonnegative_lasso(y[0], a[1], 0.1, 100))


# Support


def test_support_counts_missing_extra_and_tiny_features():
    truth = torch.tensor([2.0, 0, 1, 0])
    codes = {
        (2.0, 0, 1, 0): True,
        (0.1, 0, -9, 0): True,  # values do not matter
        (2.0, 0, 0, 0): False,
        (2.0, 1, 1, 0): False,
        (2.0, 1e-4, 1, 1e-4): True,  # below 1e-4 of the largest true value
        (2.0, 3e-4, 1, 0): False,
        (2.0, 0, 1e-4, 0): False,
        (2.0, float("nan"), 1, 0): False,
    }
    found = support_recovered(torch.tensor(list(codes)), truth.expand(len(codes), 4))
    assert found.tolist() == list(codes.values())


def test_each_stimulus_has_a_largest_value_of_its_own():
    truth = torch.tensor([[[1e-6, 0], [1, 0]], [[1, 1], [1e6, 0]]]).double()
    assert support_recovered(truth, truth).all()
    close(support_recovered(truth + 1e-9, truth), [[False, True], [True, True]])


def test_a_larger_tolerance_forgives_more():
    z, truth = torch.tensor([[2.0, 0.1]]), torch.tensor([[2.0, 0]])
    assert not support_recovered(z, truth).item()
    assert support_recovered(z, truth, tolerance=0.06).item()


def test_nothing_found_where_nothing_is_active_counts_as_recovered():
    assert support_recovered(torch.zeros(2, 3), torch.zeros(2, 3)).tolist() == [True, True]


# Bad input


def pursuit(y, a):
    return orthogonal_matching_pursuit(y, a, 2)


@pytest.mark.parametrize("call", [pursuit, nonnegative_basis_pursuit, nonnegative_lasso])
def test_bad_system_is_refused(call):
    y, a = normal(5, 3), normal(3, 6)
    refuses("y has 4 units and a has 3 rows", "must agree", call, normal(5, 4), a)
    refuses("y is torch.float32 and a is torch.float64", "a.to(y.dtype)", call, y.float(), a)
    refuses("y has 15 NaN", "remove", call, y * torch.nan, a)
    refuses("a has 18 NaN", "remove", call, y, a / 0)
    refuses("y has shape (3,)", "give (stimuli, units)", call, y[0], a)
    refuses("y has dtype torch.complex128", "y.real", call, y * 1j, a)
    refuses("y is empty", "at least one unit and 1 stimuli", call, y[:0], a)
    refuses("a (shape (3,), torch.float64) is no projection", "(units, features)", call, y, a[:, 0])
    refuses("a (ndarray) is no projection", "tensor", call, y, a.numpy())


@pytest.mark.parametrize(("k", "limit"), [(0, 3), (4, 3), (-1, 3)])
def test_k_out_of_range_is_refused(k, limit):
    refuses(
        f"k = {k} active features of n = {limit}", "choose", orthogonal_matching_pursuit, normal(5, 3), normal(3, 6), k
    )


def test_batches_that_do_not_fit_are_refused():
    y, a = normal(2, 5, 3), normal(3, 3, 6)
    refuses("y has shape (2, 5, 3) and a (3, 3, 6)", "leading dimensions must be equal", pursuit, y, a)
    refuses("y has shape (2, 5, 3) and a (3, 3, 6)", "leading dimensions must be equal", nonnegative_lasso, y, a)
    refuses("y (2, 5, 3) and a (3, 6)", "give one system", nonnegative_basis_pursuit, y, a[0])
    refuses("y (5, 3) and a (3, 3, 6)", "give one system", nonnegative_basis_pursuit, y[0], a)


@pytest.mark.parametrize("penalty", [-1e-9, float("nan")])
def test_a_penalty_below_0_is_refused(penalty):
    refuses(f"penalty = {penalty}", "choose penalty >= 0", nonnegative_lasso, normal(5, 3), normal(3, 6), penalty)


def test_columns_that_depend_up_to_single_precision_get_no_large_values():
    y, a = normal(9, 5), normal(5, 3, seed=1) @ normal(3, 7, seed=2)  # the fourth column chosen depends on three
    wanted = orthogonal_matching_pursuit(y, a, 4)
    found = orthogonal_matching_pursuit(y.float(), a.float(), 4).double()
    close(found @ a.mT, wanted @ a.mT, 1e-4)
    assert (found.norm(dim=-1) < 3 * wanted.norm(dim=-1)).all()
