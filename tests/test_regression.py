import numpy as np
import pytest
import torch
from helpers import DEVICES, DTYPES, TOLERANCE, any_scale, around, bad_pairs, close, normal, refuses, rotation, scaled
from hypothesis import given, settings
from hypothesis import strategies as st
from mpmath import mp
from sklearn.linear_model import LinearRegression, Ridge
from sklearn.metrics import r2_score

from lib import regression
from lib.crossval import k_folds
from lib.features import seeded
from lib.moments import Covariances, FoldMoments
from lib.regression import (
    ALPHAS,
    GAP,
    held_out_correlations,
    ols_fit,
    ols_held_out,
    ols_score,
    prediction_correlations,
    prediction_score,
    ridge_correlations,
    ridge_score,
    ridge_weights,
)


def related(stimuli=60, units_a=4, units_b=3):
    """Two systems with means, of which the second is partly a linear function of the first."""
    y_a = 5 + normal(stimuli, units_a)
    return y_a, y_a @ normal(units_a, units_b, seed=1) + 2 * normal(stimuli, units_b, seed=2) - 3


def least_squares(y_a, y_b):
    """Prediction and minimum-norm weights by numpy on explicitly centred data."""
    x, y = (v.numpy() - v.numpy().mean(0) for v in (y_a, y_b))
    weights = np.linalg.lstsq(x, y, rcond=None)[0]
    return x @ weights + y_b.numpy().mean(0), weights


def predict(y_a, y_b):
    weights, intercept = ols_fit(y_a, y_b)
    return y_a @ weights + intercept


def ill_conditioned(stimuli=200, units=10, condition=3e6):
    left, right = torch.linalg.qr(normal(stimuli, units))[0], rotation(units)
    return left * torch.logspace(0, -np.log10(condition), units).double() @ right


def test_planted_weights_and_intercept_are_found_and_score_1():
    y_a, w, c = normal(30, 4), normal(4, 3, seed=1), normal(1, 3, seed=2)
    weights, intercept = ols_fit(y_a, y_a @ w + c)
    close(weights, w)
    close(intercept, c)
    r2, mse, r = ols_score(y_a, y_a @ w + c)
    close(r2, 1.0)
    close(mse, 0.0)
    close(r, torch.ones(3))


def test_scores_of_a_line_through_three_points_worked_by_hand():
    y_a, y_b = torch.tensor([[0.0], [1], [2]]).double(), torch.tensor([[0.0], [1], [0]]).double()
    close(ols_fit(y_a, y_b)[0], [[0.0]])
    close(ols_fit(y_a, y_b)[1], [[1 / 3]])
    close(ols_score(y_a, y_b).mse, 2 / 9)
    y_b[2] = 1  # slope 1/2, residuals -1/6, 1/3, -1/6 of a variance of 2/9
    close(ols_score(y_a, y_b).r2, 3 / 4)
    close(ols_score(y_a, y_b).r, [3**0.5 / 2])


def test_fit_and_scores_agree_with_scikit_learn():
    y_a, y_b = related()
    model = LinearRegression().fit(y_a.numpy(), y_b.numpy())
    weights, intercept = ols_fit(y_a, y_b)
    close(weights, model.coef_.T)
    close(intercept, model.intercept_[None])
    prediction = model.predict(y_a.numpy())
    for score in (ols_score(y_a, y_b), prediction_score(torch.as_tensor(prediction), y_b)):
        close(score.r2, r2_score(y_b.numpy(), prediction, multioutput="variance_weighted"))
        close(score.mse, np.mean((prediction - y_b.numpy()) ** 2))
        close(score.r, [np.corrcoef(p, t)[0, 1] for p, t in zip(prediction.T, y_b.numpy().T, strict=True)])


def test_held_out_scores_agree_with_scikit_learn():
    y_a, y_b = related()
    weights, intercept = ols_fit(y_a[:40], y_b[:40])
    prediction = y_a[40:] @ weights + intercept
    score = prediction_score(prediction, y_b[40:])
    close(score.r2, r2_score(y_b[40:].numpy(), prediction.numpy(), multioutput="variance_weighted"))
    assert score.r2 < ols_score(y_a, y_b).r2


@pytest.mark.parametrize("spoil", ["duplicate", "sum", "constant", "all constant", "fewer stimuli"])
def test_dependent_units_get_the_minimum_norm_solution(spoil):
    y_a, y_b = related()
    y_a = {
        "duplicate": torch.cat([y_a, 2 * y_a[:, :1]], 1),
        "sum": torch.cat([y_a, y_a.sum(1, keepdim=True)], 1),
        "constant": torch.cat([y_a, torch.full((60, 1), 0.1)], 1),
        "all constant": torch.full((60, 2), 0.1).double(),
        "fewer stimuli": normal(60, 90),
    }[spoil]
    prediction, weights = least_squares(y_a, y_b)
    close(ols_fit(y_a, y_b)[0], weights, 1e-9)
    close(predict(y_a, y_b), prediction, 1e-8)
    close(ols_score(y_a, y_b).r2, r2_score(y_b.numpy(), prediction, multioutput="variance_weighted"), 1e-9)


def test_condition_number_is_not_squared():
    y_a = ill_conditioned()
    y_b = y_a @ normal(10, 3, seed=1) * 1e3 + normal(200, 3, seed=2)
    prediction, weights = least_squares(y_a, y_b)
    close(predict(y_a, y_b), prediction, 1e-8)
    close(ols_fit(y_a, y_b)[0] / abs(weights).max(), weights / abs(weights).max(), 1e-8)
    close(ols_score(y_a, y_b).r2, prediction_score(torch.as_tensor(prediction), y_b).r2, 1e-8)
    x, y = y_a - y_a.mean(0), y_b - y_b.mean(0)
    normal_equations = x @ torch.linalg.solve(x.mT @ x, x.mT @ y) + y_b.mean(0)
    assert abs(normal_equations.numpy() - prediction).max() > 1e-7  # the shorter way would not pass


@pytest.mark.parametrize("condition", [1e3, 2e4, 9e4])
def test_two_decompositions_of_products_take_back_what_one_costs(condition):
    y_a = ill_conditioned(condition=condition)
    y_b = 1e3 * y_a @ normal(10, 3, seed=1) + normal(200, 3, seed=2)
    prediction, weights = least_squares(y_a, y_b)
    close(predict(y_a, y_b), prediction)
    close(ols_fit(y_a, y_b)[0] / abs(weights).max(), weights / abs(weights).max())


@pytest.mark.parametrize("stimuli", [22, 21, 20])
def test_nearly_as_many_units_as_stimuli(stimuli):
    y_a, y_b = normal(stimuli, 20), normal(stimuli, 3, seed=1)
    close(predict(y_a, y_b), least_squares(y_a, y_b)[0], 1e-8)
    if stimuli <= 21:
        close(ols_score(y_a, y_b).r2, 1.0)
    else:
        assert ols_score(y_a, y_b).r2 < 1


def test_in_sample_scores_are_those_of_the_fit():
    y_a, y_b = related()
    for score, wanted in zip(ols_score(y_a, y_b), prediction_score(predict(y_a, y_b), y_b), strict=True):
        close(score, wanted)


def test_r2_of_noise_exceeds_its_limit_by_units_over_stimuli():
    r2 = ols_score(normal(2_000, 41, 8), normal(2_000, 41, 2, seed=1)).r2
    assert abs(r2.mean() - 8 / 40) < 5 * r2.std() / 2_000**0.5


def test_prediction_by_the_mean_scores_0_and_a_worse_one_below_0():
    y = normal(30, 3)
    close(prediction_score(y.mean(0).expand(30, 3), y).r2, 0.0)
    close(prediction_score(-y + 2 * y.mean(0), y).r2, -3.0)
    close(prediction_score(-y, y).r, -torch.ones(3))


def test_constant_target_scores_0_and_every_score_is_finite():
    y_a, constant = normal(7, 3), torch.full((7, 2), 0.1).double()
    for score in (
        ols_score(y_a, constant),
        prediction_score(y_a[:, :2], constant),
        prediction_score(constant, constant),
    ):
        assert score.r2 == 0
        assert (score.r == 0).all()
        assert score.mse.isfinite()
    close(ols_score(y_a, constant).mse, 0.0)


def test_constant_unit_among_others_scores_0_alone():
    y_a, y_b = related()
    padded = torch.cat([y_b, torch.full((60, 1), 0.1)], 1)
    score = ols_score(y_a, padded)
    assert score.r[3] == 0
    close(score.r[:3], ols_score(y_a, y_b).r)
    close(score.r2, ols_score(y_a, y_b).r2)


def test_regression_is_not_symmetric():
    y_a = normal(50, 4)
    close(ols_score(y_a, y_a[:, :2]).r2, 1.0)
    assert ols_score(y_a[:, :2], y_a).r2 < 0.7


@given(seed=st.integers(0, 1000), scale=st.floats(1e-4, 1e4), shift=st.floats(-10, 10))
def test_scores_are_bounded_and_invariant(seed, scale, shift):
    y_a, y_b, q = normal(20, 4, seed=seed), normal(20, 3, seed=seed + 1), rotation(4, seed)
    score = ols_score(y_a, y_b)
    assert 0 <= score.r2 <= 1
    assert ((0 <= score.r) & (score.r <= 1)).all()
    mixed = scale * y_a @ (q * torch.tensor([1, 2, 3, 4])) @ q + shift  # any invertible map of a
    changed = ols_score(mixed, scale * y_b + shift)
    close(changed.r2, score.r2)
    close(changed.r, score.r)
    assert changed.mse == pytest.approx(float(scale**2 * score.mse), rel=1e-9)
    close(ols_score(y_a, y_b @ rotation(3, seed)).r2, score.r2)
    order = torch.randperm(3, generator=seeded(seed))
    close(ols_score(y_a.flip(1), y_b[:, order]).r, score.r[order])


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("dtype", DTYPES)
def test_a_batch_gives_what_each_entry_gives(dtype, device):
    y_a, y_b = normal(3, 30, 4), normal(3, 30, 5, seed=1)
    given = y_a.to(device, dtype), y_b.to(device, dtype)
    for call in (ols_fit, ols_score, lambda a, b: prediction_score(a, b[..., :4])):
        one_by_one = [call(a, b) for a, b in zip(y_a, y_b, strict=True)]
        for batched, single in zip(call(*given), zip(*one_by_one, strict=True), strict=True):
            assert batched.device.type == device
            close(batched, torch.stack(single), TOLERANCE[dtype])
    assert [x.dtype for x in (*ols_fit(*given), *ols_score(*given))] == [dtype, dtype, dtype, torch.float64, dtype]


def test_one_system_is_compared_with_every_entry_of_a_batch():
    y_a, y_b = normal(3, 30, 4), normal(30, 5, seed=1)
    close(ols_score(y_a, y_b).r2, [float(ols_score(a, y_b).r2) for a in y_a])
    close(ols_score(y_b, y_a).r2, [float(ols_score(y_b, a).r2) for a in y_a])


@bad_pairs(ols_fit, ols_score)
def test_bad_input_is_refused(call, y_a, y_b, thing, mend):
    refuses(thing, mend, call, y_a, y_b)


@pytest.mark.parametrize("units", [1, 2])
def test_prediction_of_other_units_is_refused(units):
    refuses(
        f"prediction has {units} units and target has 3",
        "one prediction a unit",
        prediction_score,
        normal(9, units),
        normal(9, 3),
    )


def test_bad_prediction_is_named():
    y = normal(9, 3)
    refuses("prediction has 27 NaN", "remove", prediction_score, y * torch.nan, y)
    refuses("target has dtype torch.complex128", "target.real", prediction_score, y, y * 1j)
    refuses("prediction has 8 stimuli and target has 9", "same stimuli", prediction_score, y[:8], y)


# Fitted on one half, read on the other


def by_halves(y_a, y_b):
    """Correlation on the second half with the prediction fitted on the first, by numpy and a column of ones."""
    half = len(y_a) // 2
    x, y = np.column_stack([y_a.numpy(), np.ones(len(y_a))]), y_b.numpy()
    prediction = x[half:] @ np.linalg.lstsq(x[:half], y[:half], rcond=None)[0]
    return np.array([np.corrcoef(p, t)[0, 1] for p, t in zip(prediction.T, y[half:].T, strict=True)])


@pytest.mark.parametrize("stimuli", [12, 13, 60, 61])
def test_held_out_correlations_agree_with_numpy(stimuli):
    y_a, y_b = related(stimuli)
    wanted = by_halves(y_a, y_b)
    close(held_out_correlations(y_a, y_b), wanted)
    assert np.abs(wanted - by_halves(y_a.flip(0), y_b.flip(0))).max() > 1e-3  # which half comes first matters
    assert np.abs(wanted - ols_score(y_a, y_b).r.numpy()).max() > 1e-3


def test_held_out_correlations_of_linear_relations_are_1_and_of_noise_0():
    y_a = 7 + normal(60, 5)
    close(held_out_correlations(y_a, y_a @ normal(5, 3, seed=1) - 4), torch.ones(3))
    r = held_out_correlations(normal(2_000, 40, 15), normal(2_000, 40, 1, seed=1))
    assert abs(r.mean()) < 5 * r.std() / 2_000**0.5
    assert r.min() < -0.3  # no sign is lost
    assert ols_score(normal(2_000, 40, 15), normal(2_000, 40, 1, seed=1)).r.mean() > 0.5


def test_a_relation_that_turns_round_between_the_halves_scores_minus_1():
    y_a = normal(40, 3)
    close(held_out_correlations(y_a, torch.cat([y_a[:20], 5 - y_a[20:]])), -torch.ones(3))


@pytest.mark.parametrize("where", [slice(None), slice(30), slice(30, None)], ids=["always", "first", "second"])
def test_a_unit_constant_in_either_half_scores_0_alone(where):
    y_a, y_b = related()
    wanted = held_out_correlations(y_a, y_b)
    y_b[where, 1] = 0.1
    r = held_out_correlations(y_a, y_b)
    assert r[1] == 0
    close(r[[0, 2]], wanted[[0, 2]])


@pytest.mark.parametrize("value", [0.0, 0.1])
def test_padded_and_constant_predictors_change_nothing(value):
    y_a, y_b = related()
    wanted = held_out_correlations(y_a, y_b)
    close(held_out_correlations(torch.nn.functional.pad(y_a, (0, 2), value=value), y_b), wanted)
    r = held_out_correlations(y_a, torch.nn.functional.pad(y_b, (0, 2), value=value))
    close(r, [*wanted, 0, 0])
    assert (r[3:] == 0).all()
    assert (held_out_correlations(torch.full((60, 2), value).double(), y_b) == 0).all()


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("dtype", DTYPES)
def test_a_batch_of_held_out_correlations_gives_what_each_gives(dtype, device):
    y_a, y_b = normal(3, 31, 4), normal(3, 31, 5, seed=1)
    y_b[..., :4] += y_a
    batched = held_out_correlations(y_a.to(device, dtype), y_b.to(device, dtype))
    assert (batched.dtype, batched.device.type) == (dtype, device)
    close(batched, np.stack([by_halves(a, b) for a, b in zip(y_a, y_b, strict=True)]), TOLERANCE[dtype])
    close(held_out_correlations(y_a, y_b[0]), np.stack([by_halves(a, y_b[0]) for a in y_a]))
    close(held_out_correlations(y_a[0], y_b), np.stack([by_halves(y_a[0], b) for b in y_b]))


@bad_pairs(held_out_correlations)
def test_bad_input_is_refused_by_held_out_correlations(call, y_a, y_b, thing, mend):
    refuses(thing, mend, call, y_a, y_b)


def test_two_halves_of_two_stimuli_are_needed():
    y_a, y_b = related(4, 2, 3)
    assert held_out_correlations(y_a, y_b).shape == (3,)
    refuses("y_a has 3 stimuli", "at least 4 are needed", held_out_correlations, y_a[:3], y_b[:3])


# Ridge


def covariances(y_a, y_b):
    """All that ridge regression needs, from the stimuli."""
    x, y = y_a - y_a.mean(0), y_b - y_b.mean(0)
    return Covariances(float(len(x)), x.mT @ x, x.mT @ y, y.square().sum(0))


def explicit_gcv(y_a, y_b, alpha):
    """Generalised cross-validation error of each unit of b, by the hat matrix with a column for the intercept.

    Infinite if no degree of freedom is left.
    """
    m = len(y_a)
    x = y_a.numpy() - y_a.numpy().mean(0)
    hat = np.full((m, m), 1 / m) + x @ np.linalg.solve(x.T @ x + alpha * np.eye(x.shape[1]), x.T)
    residual = y_b.numpy() - hat @ y_b.numpy()
    free = 1 - np.trace(hat) / m
    return (residual**2).sum(0) / free**2 if free > 1e-6 else np.full(y_b.shape[1], np.inf)


def explicit_choice(y_a, y_b):
    errors = np.array([explicit_gcv(y_a, y_b, alpha) for alpha in ALPHAS])
    return np.array(ALPHAS)[errors.argmin(0)]


def graded(stimuli=60, units=8, seed=0):
    """Targets from clean to pure noise, of units of which only some matter, so that many alphas are the best."""
    y_a = 3 + normal(stimuli, units, seed=seed) @ torch.diag(torch.logspace(1, -2, units).double())
    y_b = y_a @ normal(units, 7, seed=seed + 1) + normal(stimuli, 7, seed=seed + 2) * torch.logspace(-4, 3, 7).double()
    return y_a, y_b - 5


def by_scikit_learn(y_a, y_b, train, test, alphas):
    """Held-out correlation of each unit of b, each with its own alpha, one regression after the other."""
    scores = []
    for j, alpha in enumerate(alphas):
        model = Ridge(alpha=float(alpha), solver="svd").fit(y_a[train].numpy(), y_b[train, j].numpy())
        scores.append(np.corrcoef(model.predict(y_a[test].numpy()), y_b[test, j].numpy())[0, 1])
    return np.array(scores)


@pytest.mark.parametrize("shape", ["tall", "wide", "ill-conditioned", "constant unit", "duplicate unit"])
@pytest.mark.parametrize("alpha", ALPHAS)
def test_ridge_weights_agree_with_scikit_learn(alpha, shape):
    y_a, y_b = {
        "tall": graded(),
        "wide": (normal(20, 30), normal(20, 3, seed=1)),
        "ill-conditioned": (ill_conditioned(60, 8), graded()[1]),
        "constant unit": (torch.cat([graded()[0], torch.full((60, 1), 0.1)], 1), graded()[1]),
        "duplicate unit": (torch.cat([graded()[0], graded()[0][:, :1]], 1), graded()[1]),
    }[shape]
    weights, chosen = ridge_weights(covariances(y_a, y_b), (alpha,))
    wanted = Ridge(alpha=alpha, solver="svd").fit(y_a.numpy(), y_b.numpy()).coef_.T
    close(weights / np.abs(wanted).max(), wanted / np.abs(wanted).max(), 1e-6)
    assert chosen.tolist() == [alpha] * y_b.shape[1]


@pytest.mark.parametrize("alpha", ALPHAS[::4])
def test_ridge_predictions_of_low_rank_units_agree_with_scikit_learn(alpha):
    y_a, y_b = 1000 * normal(60, 4) @ normal(4, 30, seed=1), normal(60, 3, seed=2)
    weights, _ = ridge_weights(covariances(y_a, y_b), (alpha,))
    model = Ridge(alpha=alpha, solver="svd").fit(y_a.numpy(), y_b.numpy())
    close((y_a - y_a.mean(0)) @ weights, model.predict(y_a.numpy()) - y_b.numpy().mean(0), 1e-8)
    # In directions without variance the weights are 0, not rounding divided by alpha.
    close(weights, torch.linalg.pinv(y_a - y_a.mean(0), rtol=1e-10) @ ((y_a - y_a.mean(0)) @ weights), 1e-12)


def test_ridge_of_one_unit_worked_by_hand():
    y_a, y_b = torch.tensor([[1.0], [2], [3]]).double(), torch.tensor([[2.0], [2], [5]]).double()
    close(ridge_weights(covariances(y_a, y_b), (1.0,))[0], [[1.0]])  # 3 / (2 + 1)
    close(ridge_weights(covariances(y_a, y_b), (4.0,))[0], [[0.5]])
    # GCV: alpha 1: residuals 0, -1, 1 and df 1 + 2/3: 2 / (4/9)^2; alpha 4: -.5, -1, 1.5 and 1 + 1/3: 3.5 / (5/9)^2
    assert ridge_weights(covariances(y_a, y_b), (1.0, 4.0))[1] == (1 if 2 / (4 / 9) ** 2 < 3.5 / (5 / 9) ** 2 else 4)
    # alpha 1/2: residuals .2, -1, .8 and df 1 + .8: 1.68 / .4^2
    assert ridge_weights(covariances(y_a, y_b), (0.5, 4.0))[1] == (0.5 if 1.68 / 0.4**2 < 3.5 / (5 / 9) ** 2 else 4)


@pytest.mark.parametrize("seed", range(6))
def test_alpha_has_the_least_generalised_cross_validation_error(seed):
    y_a, y_b = graded(seed=seed)
    chosen = ridge_weights(covariances(y_a, y_b))[1]
    assert chosen.tolist() == explicit_choice(y_a, y_b).tolist()
    assert len(chosen.unique()) >= 4  # the test would not see a choice that is always the same


def test_alpha_of_nearly_as_many_units_as_stimuli_has_the_least_error():
    y_a, y_b = graded(12, 9)
    assert ridge_weights(covariances(y_a, y_b))[1].tolist() == explicit_choice(y_a, y_b).tolist()


def test_each_target_has_the_weights_of_its_own_alpha():
    y_a, y_b = graded()
    weights, chosen = ridge_weights(covariances(y_a, y_b))
    for j, alpha in enumerate(chosen.tolist()):
        close(weights[:, j], ridge_weights(covariances(y_a, y_b), (alpha,))[0][:, j])
        close(weights[:, j], ridge_weights(covariances(y_a, y_b[:, j : j + 1]))[0][:, 0])


def test_a_fit_without_degrees_of_freedom_left_is_not_chosen():
    y_a, y_b = normal(20, 30), normal(20, 5, seed=1)
    train = covariances(y_a, y_b)
    assert ridge_weights(train, (1e-8, 1e-7, 1e6))[1].tolist() == [1e6] * 5
    assert ridge_weights(train, (1e-8,))[1].tolist() == [1e-8] * 5  # unless there is no other


def test_directions_without_variance_spend_no_degree_of_freedom():
    y_a = 1000 * normal(30, 4) @ normal(4, 60, seed=1)
    y_b = y_a[:, :3] + normal(30, 3, seed=2)
    assert ridge_weights(covariances(y_a, y_b), (1e-8, 1e12))[1].tolist() == [1e-8] * 3


@pytest.mark.parametrize("folds, seed, units", [(5, 0, 8), (4, 3, 8), (3, 1, 70)])
def test_ridge_score_agrees_with_a_loop_over_scikit_learn(folds, seed, units):
    y_a, y_b = graded(units=units)
    given = ridge_score(y_a, y_b, folds, seed)
    means = []
    for train, test in k_folds(60, folds, seed):
        means.append(by_scikit_learn(y_a, y_b, train, test, explicit_choice(y_a[train], y_b[train])).mean())
    close(given.folds, means, 1e-6)
    close(given.mean, np.mean(means), 1e-6)
    close(given.standard_error, np.std(means, ddof=1) / folds**0.5, 1e-6)
    assert 0.2 < given.mean < 0.9


@pytest.mark.parametrize("scale", [1, 1000])
@pytest.mark.parametrize("stimuli, units", [(60, 8), (60, 59), (60, 61), (30, 200)])
@pytest.mark.parametrize("alpha", [1e-8, 1e-2, 1.0, 1e4])
def test_held_out_predictions_for_one_alpha_agree_with_scikit_learn(alpha, stimuli, units, scale):
    y_a, y_b = scale * (2 + normal(stimuli, units)), normal(stimuli, 3, seed=1)
    y_b += y_a[:, :3] / scale
    given = ridge_score(y_a, y_b, 3, 1, (alpha,)).folds
    wanted = [by_scikit_learn(y_a, y_b, *fold, [alpha] * 3).mean() for fold in k_folds(stimuli, 3, 1)]
    close(given, wanted, 1e-6)


def test_linear_relations_score_1_in_both_directions_of_an_invertible_map():
    y_a = 7 + normal(60, 5)
    for y_b in (y_a @ normal(5, 3, seed=1) - 4, y_a @ rotation(5), y_a.flip(1) * 100):
        assert ridge_score(y_a, y_b).mean == pytest.approx(1, abs=1e-9)
    assert ridge_score(y_a @ rotation(5), y_a).mean == pytest.approx(1, abs=1e-9)
    assert ridge_score(y_a[:, :2], y_a).mean < 0.7  # but nothing predicts what it does not hold


@pytest.mark.parametrize("units", [4, 100])
def test_independent_noise_scores_0(units):
    scores = torch.tensor([ridge_score(normal(40, units, seed=s), normal(40, 3, seed=99 + s)).mean for s in range(60)])
    assert abs(scores.mean()) < 5 * scores.std() / 60**0.5


@pytest.mark.parametrize("units", [4, 80])  # fewer and more than stimuli
def test_ridge_correlations_have_the_folds_of_ridge_score_as_their_means(units):
    y_a, y_b = related(60, units, 7)
    each = ridge_correlations(y_a, y_b, 4, seed=3)
    assert each.shape == (4, 7)
    close(each.mean(1), ridge_score(y_a, y_b, 4, seed=3).folds)
    close(each[:, 2:3], ridge_correlations(y_a, y_b[:, 2:3], 4, seed=3))  # each on its own


def test_ridge_correlations_refuse_a_target_of_other_stimuli():
    refuses("y_a has 12 stimuli and y_b has 11", "same stimuli", ridge_correlations, normal(12, 3), normal(11, 3))


def test_constant_units_score_0_and_are_counted_by_ridge():
    y_a, y_b = graded()
    target = torch.cat([y_b[:, :3], torch.full((60, 1), 0.1)], 1)
    score = ridge_score(y_a, target)
    close(np.array(score.folds) * 4 / 3, ridge_score(y_a, y_b[:, :3]).folds)
    assert score.constant_units == 1 / 12
    nothing = ridge_score(torch.full((60, 2), 0.1).double(), y_b)
    assert nothing == (0, 0, [0] * 5, 2 / 9)
    padded = torch.cat([y_a, torch.full((60, 1), 0.1)], 1)
    close(ridge_score(padded, y_b).folds, ridge_score(y_a, y_b).folds)


@given(seed=st.integers(0, 1000), scale=st.floats(1e-2, 1e2), shift=st.floats(-10, 10), units=st.sampled_from([4, 30]))
def test_ridge_ignores_rotation_shift_and_order(seed, scale, shift, units):
    y_a, y_b = normal(24, units, seed=seed), normal(24, 3, seed=seed + 1)
    y_b += y_a[:, :3]
    alphas = (1e-2, 1e0, 1e2)
    wanted = ridge_score(y_a, y_b, 4, seed, alphas).folds
    assert max(map(abs, wanted)) <= 1 + 1e-9
    close(ridge_score(y_a @ rotation(units, seed) + shift, y_b, 4, seed, alphas).folds, wanted, 1e-7)
    close(ridge_score(y_a.flip(1), scale * y_b.flip(1) + shift, 4, seed, alphas).folds, wanted, 1e-7)
    scaled = tuple(alpha * scale**2 for alpha in alphas)  # the penalty is in squared units of a
    close(ridge_score(scale * y_a, y_b, 4, seed, scaled).folds, wanted, 1e-7)


@pytest.mark.parametrize("shape", [(60, 8), (30, 70)])
def test_one_eigendecomposition_a_fold_serves_everything(shape, monkeypatch):
    sizes, eigh = [], torch.linalg.eigh
    monkeypatch.setattr(torch.linalg, "eigh", lambda x: (sizes.append(x.shape), eigh(x))[1])
    ridge_score(normal(*shape), normal(shape[0], 9, seed=1), folds=4)
    reduced = [(30, 30)] * (shape[0] < shape[1])  # once for all folds, where units outnumber stimuli
    assert sizes == reduced + [(min(shape), min(shape))] * 4


def test_ridge_from_covariances_is_ridge_from_responses():
    y_a, y_b = graded()
    moments = FoldMoments({"a": 8, "b": 7}, 4)
    for fold, (_, test) in enumerate(k_folds(len(y_a), 4, 2)):
        moments.add(fold, a=y_a[test], b=y_b[test])
    for alphas in (ALPHAS, (1e-1, 1e1)):
        found = [
            prediction_correlations(ridge_weights(train, alphas)[0], test) for train, test in moments.splits("a", "b")
        ]
        close(torch.stack(found).mean(1), ridge_score(y_a, y_b, 4, 2, alphas).folds)
        close(torch.stack(found), ridge_correlations(y_a, y_b, k_folds(len(y_a), 4, 2), alphas=alphas))


def test_correlation_with_a_prediction_is_that_of_the_prediction():
    y_a, y_b = graded()
    weights = normal(8, 7, seed=9)
    close(prediction_correlations(weights, covariances(y_a, y_b)), prediction_score(y_a @ weights, y_b).r)
    close(prediction_correlations(-weights, covariances(y_a, y_b)), -prediction_score(y_a @ weights, y_b).r)
    weights[:, 2] = 0
    assert prediction_correlations(weights, covariances(y_a, y_b))[2] == 0


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("units", [8, 80])
def test_ridge_agrees_over_dtypes_and_devices(units, dtype, device):
    y_a, y_b = normal(60, units), normal(60, 5, seed=1)
    y_b += y_a[:, :5]
    given = ridge_score(y_a.to(device, dtype), y_b.to(device, dtype)).folds
    close(given, ridge_score(y_a, y_b).folds, TOLERANCE[dtype])


@bad_pairs(ridge_score)
def test_bad_input_is_refused_by_ridge(call, y_a, y_b, thing, mend):
    refuses(thing, mend, call, y_a, y_b)


def test_batches_and_impossible_folds_are_refused_by_ridge():
    y = normal(12, 3)
    refuses("y_a (2, 12, 3)", "give one pair", ridge_score, y.expand(2, 12, 3), y)
    refuses("y_b (2, 12, 3)", "give one pair", ridge_score, y, y.expand(2, 12, 3))
    refuses("7 folds of 12 stimuli", "choose from 2 to 6", ridge_score, y, y, 7)
    refuses("y_a has 3 stimuli", "at least 4 are needed", ridge_score, y[:3], y[:3])


# Scale, against the same equations in numbers of a hundred and more digits


def in_many_digits(y_a, y_b, train, test, alphas):
    """Correlations of each unit of b with its held-out prediction, by kernels of stimuli; alpha by the equation of GCV.

    Without alphas those of the least weights that fit best.
    """
    mp.dps = 250
    x = [[mp.mpf(v) for v in row] for row in y_a.double().tolist()]
    fit, held, m = train.tolist(), test.tolist(), len(train)
    means = [sum(x[i][j] for i in fit) / m for j in range(len(x[0]))]
    x = [[v - mean for v, mean in zip(row, means, strict=True)] for row in x]
    kernel = mp.matrix([[mp.fdot(x[i], x[j]) for j in fit] for i in fit])
    other = mp.matrix([[mp.fdot(x[i], x[j]) for j in fit] for i in held])
    # Each row of the kernel sums to 0, so a constant added to it makes it regular and changes no centred target.
    inverses = {
        a: (kernel + (mp.eye(m) * mp.mpf(a) if a else mp.ones(m) * (mp.norm(kernel) / m))) ** -1 for a in alphas or [0]
    }
    found = []
    for column in y_b.double().T.tolist():
        y = mp.matrix([column[i] for i in fit]) - mp.ones(m, 1) * (mp.fsum(column[i] for i in fit) / m)

        def error(a, y=y):
            hat = kernel * inverses[a]
            free = 1 - (1 + sum(hat[i, i] for i in range(m))) / m
            return mp.norm(y - hat * y) ** 2 / free**2

        weights = inverses[min(inverses, key=error) if alphas else 0] * y
        prediction = other * weights
        prediction = prediction - mp.ones(len(held), 1) * (mp.fsum(prediction) / len(held))
        largest = max(abs(v) for v in prediction) or 1
        found.append(np.corrcoef([float(v / largest) for v in prediction], [column[i] for i in held])[0, 1])
    return np.array(found)


SHAPES = [(18, 4), (14, 18)]  # fewer units than stimuli, and more


def linked(stimuli, units):
    y_a = 0.5 + normal(stimuli, units)
    return y_a, y_a[:, :3] + y_a[:, 1:2] + normal(stimuli, 3, seed=1)


@pytest.mark.parametrize("shape", SHAPES)
@settings(max_examples=8, deadline=None)
@any_scale
def test_ridge_with_one_unit_of_any_scale_is_that_of_exact_numbers(shape, power, dtype):
    y_a, y_b = linked(*shape)
    y_a, folds = scaled(y_a, power, 1, dtype), k_folds(shape[0], 2, 0)
    wanted = [in_many_digits(y_a, y_b, *fold, ALPHAS[6:13:3]) for fold in folds]
    close(ridge_correlations(y_a, y_b.to(dtype), folds, alphas=ALPHAS[6:13:3]), np.array(wanted), 1e-5)


@any_scale
def test_the_penalty_of_ridge_is_in_squared_units_of_a_and_knows_no_scale_of_b(power, dtype):
    for shape in SHAPES:
        y_a, y_b = linked(*shape)
        for given_a, given_b in ((power, 0), (0, power), (power, power)):
            wanted = ridge_score(y_a, y_b, 3, 0, [10.0 ** (exponent - 2 * given_a) for exponent in (-2, 0, 2)]).folds
            moved = scaled(y_a, given_a, None, dtype), scaled(y_b, given_b, None, dtype)
            close(ridge_score(*moved, 3, 0, (1e-2, 1e0, 1e2)).folds, wanted, 1e-5)


@any_scale
def test_ridge_from_moments_is_that_from_responses_at_any_scale(power, dtype):
    y_a, y_b = linked(24, 4)
    y_b = scaled(y_b, power, 1, dtype)
    for moved in (scaled(y_a, power, 1, dtype), scaled(y_a, power, None, dtype)):
        folds, moments = k_folds(24, 3, 0), FoldMoments({"a": 4, "b": 3}, 3)
        for fold, (_, test) in enumerate(folds):
            moments.add(fold, a=moved[test], b=y_b[test])
        found = [prediction_correlations(ridge_weights(x)[0], test) for x, test in moments.splits("a", "b")]
        close(torch.stack(found), ridge_correlations(moved, y_b, folds), 1e-6)


@pytest.mark.parametrize("scales", [(1e12, 1, 1e6, 1e18), (1, 1, 1, 1e18)])
def test_units_of_several_scales_and_a_copy_of_the_largest(scales):
    """Each is found beside the others; a copy adds no direction, even where rounding is as large as other units."""
    y_a, y_b = linked(24, 4)
    moved = y_a * torch.tensor(scales).double()
    moved = torch.cat([moved, moved[:, 3:] * 1e-9], 1)
    folds = k_folds(24, 2, 0)
    wanted = np.array([in_many_digits(moved, y_b, *fold, (1.0,)) for fold in folds])
    close(ridge_correlations(moved, y_b, folds, alphas=(1.0,)), wanted, 1e-6)
    close(ols_score(moved, y_b).r, ols_score(y_a, y_b).r, 1e-9)


def test_rounding_of_more_units_than_stimuli_is_no_direction_however_large():
    few, y_b = normal(24, 3), normal(24, 3, seed=1)
    y_b += few
    many = 1e18 * few @ normal(3, 30, seed=2)
    folds = k_folds(24, 2, 0)
    close(
        ridge_correlations(many, y_b, folds, alphas=(1.0,)), ridge_correlations(few, y_b, folds, alphas=(1e-30,)), 1e-9
    )


@any_scale
def test_ols_knows_no_scale_of_any_unit(power, dtype):
    y_a, y_b = linked(24, 4)
    y_a, y_b = 1e3 + y_a, y_b.to(dtype)
    for unit in (None, 1):
        moved, other = scaled(y_a, power, unit, dtype), scaled(y_b, -power, unit, dtype)
        score, wanted = ols_score(moved, y_b), ols_score(y_a, y_b.double())
        close(score.r2, wanted.r2, 1e-3)
        close(score.mse, wanted.mse, 1e-3)
        for both in ((moved, y_b), (moved, other), (y_a.to(dtype), other)):
            close(ols_score(*both).r, wanted.r, 1e-3)
            close(held_out_correlations(*both), by_halves(y_a, y_b.double()), 1e-3)
        if unit is None:
            score = ols_score(moved, other)
            close(score.r2, wanted.r2, 1e-3)
            close(score.mse / 10.0 ** (-2 * power), wanted.mse, 1e-3)
            halves = moved[:12], other[:12], moved[12:], other[12:]
            close(
                ols_held_out(*halves).pooled,
                ols_held_out(y_a[:12], y_b[:12].double(), y_a[12:], y_b[12:].double()).pooled,
                1e-3,
            )


@settings(max_examples=8, deadline=None)
@any_scale
def test_the_least_weights_with_one_unit_of_any_scale_are_those_of_exact_numbers(power, dtype):
    y_a, y_b = linked(14, 18)
    y_a, fold = scaled(y_a, power, 1, dtype), (torch.arange(7), torch.arange(7, 14))
    close(held_out_correlations(y_a, y_b.to(dtype)), in_many_digits(y_a, y_b, *fold, ()), 1e-4)


@pytest.mark.parametrize("times", [300, 1000, 3000, GAP, 1e8])
def test_a_large_unit_among_many_correlated_ones_hides_none_in_single_precision(times):
    """As some units of transformers are."""
    y_a = normal(20_000, 40) @ (torch.eye(40) + 0.5).double()
    y_b = y_a @ normal(40, 5, seed=1) / 30 + normal(20_000, 5, seed=2)
    wanted, half = ols_score(y_a, y_b).r2, 10_000
    y_a[:, 3] *= times
    moved = y_a.float(), y_b.float()
    close(ols_score(*moved).r2, wanted, 1e-5)
    close(held_out_correlations(*moved), by_halves(y_a, y_b), 1e-5)
    weights, intercept = ols_fit(*moved)
    close(prediction_score(moved[0] @ weights + intercept, moved[1]).r2, wanted, 1e-4)
    close(ols_held_out(*(y[i * half :][:half] for i in (0, 1) for y in moved)).r, by_halves(y_a, y_b), 1e-5)
    close(ridge_score(*moved, 2).mean, ridge_score(y_a, y_b, 2).mean, 1e-5)


@pytest.mark.parametrize("dtype", DTYPES)
def test_rounding_of_dependent_units_is_no_direction(dtype):
    y_a, y_b = related(400, 6)
    y_a = torch.cat([y_a, y_a @ normal(6, 20, seed=4), torch.full((400, 1), 0.1) + 1e-17], 1)
    wanted = ols_score(y_a[:, :6], y_b).r2
    assert ols_score(normal(400, 27), y_b).r2 > 0.03  # what so many directions would add
    close(ols_score(y_a.to(dtype), y_b.to(dtype)).r2, wanted, 1e-6)
    weights = ols_fit(y_a.to(dtype), y_b.to(dtype))[0]
    close(weights, np.linalg.pinv(y_a.numpy() - y_a.numpy().mean(0), rcond=1e-9) @ (y_b - y_b.mean(0)).numpy(), 1e-3)


def test_a_unit_that_changes_by_rounding_only_is_constant():
    y_a, y_b = related()
    noise = torch.as_tensor([0.1, np.nextafter(0.1, 1)])[(normal(60, 1) > 0).long()]
    assert len(noise.unique()) == 2
    close(ols_score(torch.cat([y_a, noise], 1), y_b).r2, ols_score(y_a, y_b).r2, 1e-12)


@pytest.mark.parametrize("power", [-30, 30])
def test_weights_that_single_precision_cannot_hold_are_refused(power):
    y_a, y_b = related()
    moved = scaled(y_a, power, None, torch.float32), scaled(y_b, -power, None, torch.float32)
    refuses("differ too much in scale for weights in torch.float32", "rescale", ols_fit, *moved)
    assert all(x.isfinite().all() for x in ols_fit(*(y.double() for y in moved)))
    close(held_out_correlations(*moved), by_halves(y_a, y_b), 1e-4)


@any_scale
def test_scores_of_predictions_know_no_scale(power, dtype):
    y_a, y_b = normal(20, 3), normal(20, 3, seed=1)
    found = prediction_score(scaled(y_a, power, None, dtype), scaled(y_b, power, None, dtype))
    wanted = prediction_score(y_a, y_b)
    close(found.r2, wanted.r2, 1e-5)
    close(found.r, wanted.r, 1e-5)
    close(found.mse / 10.0 ** (2 * power), wanted.mse, 1e-5)


@pytest.mark.parametrize("mean", [1e7, 1e9])
def test_a_large_mean_changes_no_regression(mean):
    (far_a, y_a), (far_b, y_b) = around(mean, 40, 4), around(-mean, 40, 3, seed=1)
    close(ols_score(far_a, far_a).r2, 1.0, 1e-12)
    for call in (lambda a, b: ols_score(a, b).r, held_out_correlations, ridge_correlations):
        close(call(far_a, far_a), torch.ones_like(call(far_a, far_a)), 1e-12)
        close(call(far_a, far_b), call(y_a, y_b), 1e-9)


@pytest.mark.parametrize("condition", [1.0, 1e3, 3e6, 1e18])
@pytest.mark.parametrize("dtype", DTYPES)
def test_responses_far_from_dependent_take_two_cholesky_decompositions_and_score_the_same(
    condition, dtype, monkeypatch
):
    y_a = (3 + ill_conditioned(condition=condition)).to(dtype)
    y_b, taken = y_a @ normal(10, 3, seed=1).to(dtype) + normal(200, 3, seed=2).to(dtype), []
    well = regression._well_conditioned
    monkeypatch.setattr(regression, "_well_conditioned", lambda *given: (taken.append(well(*given)), taken[-1])[1])
    quick, held_out = ols_score(y_a, y_b), held_out_correlations(y_a, y_b)
    assert all((one is None) == (condition > 1e5 or dtype == torch.float32 and condition > 1e3) for one in taken), taken
    monkeypatch.setattr(regression, "_well_conditioned", lambda *given: None)
    close(quick.r2, ols_score(y_a, y_b).r2, tolerance=TOLERANCE[dtype])
    close(held_out, held_out_correlations(y_a, y_b), tolerance=TOLERANCE[dtype])


def test_a_batch_with_one_dependent_system_is_decomposed_by_singular_values():
    y_a, y_b = normal(2, 50, 4), normal(2, 50, 3, seed=1)
    y_a[1, :, 3] = y_a[1, :, 0]
    r2 = ols_score(y_a, y_b).r2
    close(r2, torch.stack([ols_score(*pair).r2 for pair in zip(y_a, y_b, strict=True)]))
    close(r2[1], ols_score(y_a[1, :, :3], y_b[1]).r2)


@pytest.mark.parametrize("units", [4, 100])
def test_a_direction_that_is_small_beside_its_units_and_above_rounding_is_found(units):
    """Two units in single precision differ by 1e-4 of their size, and the target is that difference."""
    y_a = normal(400, units)
    y_a[:, -1] = y_a[:, 0] + 1e-4 * normal(400, 1, seed=1)[:, 0]
    given = y_a.float()
    close(ols_score(given, (given[:, -1:] - given[:, :1]) * 1e4).r2, 1.0, 1e-4)


def test_weights_of_one_unit_beyond_single_precision_are_refused_in_any_batch():
    y_a, y_b = (y.float() for y in related())
    y_b = torch.stack([y_b, y_b * torch.tensor([1, 1, 1e30])])
    refuses("differ too much in scale", "rescale", ols_fit, y_a * 1e-20, y_b)
    given = torch.stack([y_a, y_a * torch.tensor([1, 1e25, 1, 1])])  # whose weights of unit 1 would be subnormal
    assert all(x.isfinite().all() for x in ols_fit(given, y_b[0]))
    refuses("differ too much in scale", "rescale", ols_fit, given, 1e-20 * y_b[0])


def test_a_unit_constant_in_all_folds_but_one_has_no_variance_between_them():
    y = torch.cat([normal(31, 1), torch.arange(1, 50).double().expand(31, 49) / 30], 1)
    parts = [regression._Part.of(part) for part in y.split([3, 7, 10, 11])]
    between = regression._between(parts, 0)
    assert between.shape == (3, 50) and (between[:, 1:] == 0).all()
    other = torch.cat([part.about for part in parts[1:]])
    close(other.mT @ other + between.mT @ between, (y[3:] - y[3:].mean(0)).mT @ (y[3:] - y[3:].mean(0)))
