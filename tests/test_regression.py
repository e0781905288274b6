import numpy as np
import pytest
import torch
from helpers import DEVICES, DTYPES, TOLERANCE, bad_pairs, close, normal, refuses, rotation
from hypothesis import given
from hypothesis import strategies as st
from sklearn.linear_model import LinearRegression
from sklearn.metrics import r2_score

from lib.features import seeded
from lib.regression import ols_fit, ols_score, prediction_score


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
        close(score.r2, r2_score(y_b, prediction, multioutput="variance_weighted"))
        close(score.mse, np.mean((prediction - y_b.numpy()) ** 2))
        close(score.r, [np.corrcoef(p, t)[0, 1] for p, t in zip(prediction.T, y_b.numpy().T, strict=True)])


def test_held_out_scores_agree_with_scikit_learn():
    y_a, y_b = related()
    weights, intercept = ols_fit(y_a[:40], y_b[:40])
    prediction = y_a[40:] @ weights + intercept
    score = prediction_score(prediction, y_b[40:])
    close(score.r2, r2_score(y_b[40:], prediction, multioutput="variance_weighted"))
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
    close(ols_score(y_a, y_b).r2, r2_score(y_b, prediction, multioutput="variance_weighted"), 1e-9)


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
            assert (batched.dtype, batched.device.type) == (dtype, device)
            close(batched, torch.stack(single), TOLERANCE[dtype])


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
    refuses("target has dtype torch.int64", "target.double()", prediction_score, y, y.long())
    refuses("prediction has 8 stimuli and target has 9", "same stimuli", prediction_score, y[:8], y)
