import warnings

import numpy as np
import pytest
import torch
from helpers import close, normal, refuses
from sklearn.decomposition import PCA, FastICA
from sklearn.preprocessing import PolynomialFeatures, StandardScaler

from lib.baselines import ica, pca, quadratic, random_relu, ridge_at_best
from lib.crossval import k_folds
from lib.features import bernoulli_uniform, seeded
from lib.matching import soft_matching_score
from lib.regression import ridge_correlations, ridge_score

FITS = {
    "random_relu": lambda y: random_relu(y, 7),
    "quadratic": quadratic,
    "pca": lambda y: pca(y, 2),
    "ica": ica,
}
EVERY = pytest.mark.parametrize("fit", FITS.values(), ids=list(FITS))


def skewed(*shape, seed=0):
    """Responses of long tails on one side, with means and scales of their own."""
    units = torch.arange(1.0, shape[-1] + 1, dtype=torch.float64)
    return normal(*shape, seed=seed).exp() * units + 3 * units


@pytest.mark.parametrize("batch", [(), (3,), (2, 3)])
@EVERY
def test_models_side_by_side_are_fitted_one_by_one(fit, batch):
    y, new = skewed(*batch, 200, 4), skewed(*batch, 30, 4, seed=1)
    found = fit(y)(new)
    assert found.shape[:-1] == (*batch, 30) and found.dtype == torch.float64
    if fit is not FITS["random_relu"]:  # there each model has weights of its own
        for at in np.ndindex(*batch):
            close(found[at], fit(y[at])(new[at]), 1e-8)
    assert fit(y.float())(new.float()).dtype == torch.float32


@EVERY
def test_what_is_fitted_depends_on_the_training_part_alone(fit):
    y, new = skewed(200, 4), skewed(30, 4, seed=1)
    features = fit(y)
    close(features(new)[:10], features(new[:10]))
    assert not torch.allclose(fit(y + new.mean() * normal(200, 4, seed=2).exp())(new), features(new))


@EVERY
def test_units_may_have_any_shift_and_scale(fit):
    y, new = skewed(200, 4), skewed(30, 4, seed=1)
    close(fit(100 * y - 5)(100 * new - 5) / (100 if fit is FITS["pca"] else 1), fit(y)(new), 1e-6)


@EVERY
def test_constant_units_do_no_harm(fit):
    y = skewed(200, 4)
    y[:, 2] = 0.1
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # scikit-learn's, of a singular covariance
        assert fit(y)(y).isfinite().all()


@EVERY
def test_bad_responses_are_refused(fit):
    y = normal(12, 4)
    y[2, 1] = torch.nan
    refuses("y has 1 NaN or infinite values, the first at (2, 1)", "remove", fit, y)
    refuses("y has dtype torch.complex128", "y.real", fit, normal(12, 4) * 1j)
    refuses("y has 1 stimuli", "needed", fit, normal(1, 4))
    refuses("y has shape (12,)", "give (stimuli, units)", fit, normal(12))
    refuses("y (list of <U1) is no array of numbers", "rows of equal length", fit, ["a"])


def test_sizes_that_cannot_be_are_refused():
    y = normal(12, 4)
    refuses("0 random features", "give 1 or more", random_relu, y, 0)
    for k in (0, 5):
        refuses(f"{k} principal axes of 4 units", "choose from 1 to 4", pca, y, k)
        refuses(f"{k} principal axes of 4 units", "choose from 1 to 4", ica, y, k)
    refuses("4 units have 14 quadratic features", "give fewer units", quadratic, y, 13)
    assert quadratic(y, 14)(y).shape == (12, 14)
    refuses("no candidates", "give one population", ridge_at_best, {}, y, k_folds(12))


def test_random_features_are_dense_reproducible_and_of_the_equation():
    y, new = skewed(5000, 6), skewed(300, 6, seed=1)
    z = random_relu(y, 400, seed=3)(new)
    assert torch.equal(z, random_relu(y, 400, seed=3)(new))
    assert not torch.equal(z, random_relu(y, 400, seed=4)(new))
    assert z.min() == 0 and abs((z > 0).double().mean() - 0.5) < 0.05
    # Where a feature is above 0 it is affine in the units, with a slope of length 1 after standardisation.
    x = torch.as_tensor(StandardScaler().fit(y).transform(new))
    feature = z[:, (z > 0).sum(0).argmax()]
    on = feature > 0
    weights = torch.linalg.lstsq(torch.cat([x, torch.ones(300, 1)], 1)[on], feature[on, None]).solution[:, 0]
    close(weights[:-1].norm(), 1, 1e-6)
    close((x @ weights[:-1] + weights[-1]).relu(), feature, 1e-6)


def test_quadratic_features_are_those_of_scikit_learn():
    y, new = skewed(100, 5), skewed(20, 5, seed=1)
    scaler = StandardScaler().fit(y)
    wanted = PolynomialFeatures(2, include_bias=False).fit_transform(scaler.transform(new))
    close(quadratic(y)(new), wanted)
    assert quadratic(y)(new).shape[1] == 5 + 15


def test_principal_axes_are_those_of_scikit_learn_and_point_to_the_longer_tail():
    y, new = skewed(300, 6), skewed(40, 6, seed=1)
    for k in (1, 3, 6):
        z, wanted = pca(y, k)(new), PCA(k).fit(y).transform(new)
        close(z.abs(), np.abs(wanted), 1e-8)
        fitted = pca(y, k)(y)
        assert ((fitted - fitted.mean(0)) ** 3).mean(0).min() >= 0
    close(pca(-y, 3)(-new).abs(), pca(y, 3)(new).abs(), 1e-8)


def test_independent_components_undo_a_mixing_which_principal_axes_do_not():
    z = bernoulli_uniform(4000, 5, 0.1, seeded(0))
    first, second = z @ normal(5, 5, seed=1), z @ normal(5, 5, seed=2)
    matched = {
        "ica": soft_matching_score(ica(first)(first), ica(second)(second)).mean,
        "pca": soft_matching_score(pca(first, 5)(first), pca(second, 5)(second)).mean,
        "truth": soft_matching_score(ica(first)(first), z).mean,
        "units": soft_matching_score(first, second).mean,
    }
    assert matched["ica"] > 0.97 and matched["truth"] > 0.97  # signs too: features are at 0 or above
    assert matched["pca"] < 0.8 and matched["units"] < 0.8


def test_independent_components_agree_with_scikit_learn_up_to_sign():
    y = bernoulli_uniform(2000, 4, 0.3, seeded(0)) @ normal(4, 4)
    wanted = FastICA(random_state=0, whiten="unit-variance", whiten_solver="eigh", max_iter=200, tol=1e-3)
    close(ica(y)(y).abs(), np.abs(wanted.fit_transform(y.numpy())), 1e-6)
    close(ica(y)(y).std(0, correction=0), torch.ones(4), 1e-6)


def test_fewer_independent_components_lie_in_the_first_principal_axes():
    y = skewed(500, 6)
    z = ica(y, 3)(y)
    assert z.shape == (500, 3)
    close(ridge_score(pca(y, 3)(y), z).mean, 1, 1e-6)


def test_a_quadratic_target_needs_products():
    y = normal(600, 4)
    target = y[:, :1] * y[:, 1:2]
    assert ridge_score(y, target).mean < 0.2
    assert ridge_score(quadratic(y)(y), target).mean > 0.999
    assert ridge_score(random_relu(y, 200)(y), target).mean > 0.9


def test_the_best_population_is_chosen_on_training_folds_alone():
    y = normal(100, 3)
    folds = k_folds(100, 5, 1)
    found = ridge_at_best({"noise": normal(100, 5, seed=1), "copy": y, "part": y[:, :1]}, y, folds)
    assert found.chosen == ["copy"] * 5
    close(found.r, ridge_correlations(y, y, folds))
    # A population that is right on the held-out fold alone is not chosen for it.
    train, test = folds[0]
    oracle = normal(100, 3, seed=2)
    oracle[test] = y[test]
    noisy = y + normal(100, 3, seed=3)
    found = ridge_at_best({"oracle": oracle, "noisy": noisy}, y, [(train, test)])
    assert found.chosen == ["noisy"]
    close(found.r, ridge_correlations(noisy, y, [(train, test)]))


def test_the_choice_is_that_of_a_loop_over_an_inner_split():
    y = normal(80, 3)
    some = {count: random_relu(y, count, count)(y) for count in (2, 8, 32)}
    target = (y @ normal(3, 4, seed=5)).abs()
    folds = k_folds(80, 4, 0)
    found = ridge_at_best(some, target, folds, seed=2)
    for fold, (train, test) in enumerate(folds):
        fit, judge = k_folds(len(train), 5, 2)[0]
        inner = {name: ridge_correlations(x, target, [(train[fit], train[judge])]).mean() for name, x in some.items()}
        best = max(inner, key=inner.get)
        assert found.chosen[fold] == best
        close(found.r[fold], ridge_correlations(some[best], target, [(train, test)])[0])


def test_one_random_feature_is_enough_and_precision_changes_no_draw():
    y = normal(40, 5)
    assert random_relu(y, 1)(y).shape == (40, 1)
    close(random_relu(y.float(), 9)(y.float()), random_relu(y, 9)(y), 1e-5)


def test_a_unit_that_rests_where_features_are_fitted_stays_0_elsewhere():
    y = normal(40, 3)
    y[:, 1] = 2.0
    elsewhere = quadratic(y)(normal(10, 3, seed=1))
    assert (elsewhere[:, 1] == 0).all() and (elsewhere[:, [0, 2]] != 0).all()


def test_axes_of_a_batch_are_counted_by_its_units():
    refuses("5 principal axes of 4 units", "from 1 to 4", pca, normal(2, 30, 4), 5)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_units_that_are_constant_or_told_by_others_add_no_independent_component(dtype):
    y = normal(500, 4).to(dtype).exp()
    told = torch.cat([y[:, :2], torch.full((500, 1), 3.1, dtype=dtype), y[:, 2:], y[:, :1] - 2 * y[:, 3:]], 1)
    z = ica(told)(told)
    assert z.shape == (500, 6) and torch.equal(z[:, 4:], torch.zeros(500, 2, dtype=dtype))
    close(z[:, :4].T @ z[:, :4] / 500, torch.eye(4), 1e-5)
    assert soft_matching_score(z[:, :4], y).mean > 0.97
    same = torch.full((7, 2), 0.1, dtype=dtype)  # whose mean rounds
    assert torch.equal(ica(same)(same), torch.zeros(7, 2, dtype=dtype))
