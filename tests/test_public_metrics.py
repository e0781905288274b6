"""Every public metric takes any array, gives the numbers it gives for tensors, and gives back what prints in short."""

from functools import partial

import numpy as np
import pytest
import torch
from helpers import close, normal

from lib import canonical, ceiling, correlation, geometry, matching, neighbours, pairwise, regression

Y_A, Y_B = normal(24, 4), normal(24, 3, seed=1) + normal(24, 4) @ normal(4, 3, seed=2)
SQUARE = normal(4, 4, seed=3)

# name: (the metric, what it is given)
PAIRS = {
    "rsa": geometry.rsa,
    "rsa of cosines": partial(geometry.rsa, similarity="cosine"),
    "rsa of distances": partial(geometry.rsa, similarity="sqeuclidean"),
    "cka": geometry.linear_cka,
    "debiased cka": partial(geometry.linear_cka, debiased=True),
    "shared variance": ceiling.shared_variance,
    "corrected cka": ceiling.corrected_cka,
    "soft-matching": matching.soft_matching_score,
    "semi-matching": matching.semi_matching_score,
    "ols": regression.ols_score,
    "ridge": regression.ridge_score,
    "held-out ols": lambda a, b: regression.ols_held_out(a[:12], b[:12], a[12:], b[12:]),
    "prediction": lambda a, b: regression.prediction_score(b, b),
    "cca": canonical.cca,
    "svcca": canonical.svcca,
    "pwcca": canonical.pwcca,
    "procrustes": canonical.procrustes,
    "shape distance": canonical.shape_distance,
    "rbf cka": pairwise.rbf_cka,
    "rsa of plain distances": pairwise.euclidean_rsa,
    "rsa of ranks": pairwise.rank_rsa,
    "mutual k-nn": neighbours.mutual_knn,
    "rsa by kendall": partial(pairwise.rank_rsa, comparison="kendall"),
}
NUMBERS = {
    "permutation": lambda a, b: matching.permutation_score(a[:4]),
    "participation ratio": lambda a, b: geometry.participation_ratio(a[0]),
    "effective features": lambda a, b: ceiling.effective_features(a),
    "dimensions": lambda a, b: ceiling.dimensions(a)[1],
}
ARRAYS = {
    "unit correlations": correlation.unit_correlations,
    "paired correlations": lambda a, b: correlation.paired_correlations(b, b),
    "permutation": lambda a, b: matching.best_permutation(a[:4]),
    "plan": lambda a, b: matching.soft_matching_plan(b),
    "weights": lambda a, b: regression.ols_fit(a, b)[0],
    "intercept": lambda a, b: regression.ols_fit(a, b)[1],
    "halves": regression.held_out_correlations,
    "both ways": lambda a, b: regression.ols_both_ways((a[:12], b[:12]), (a[12:], b[12:])),
    "ridge correlations": regression.ridge_correlations,
    "canonical correlations": canonical.canonical_correlations,
}
METRICS = {**PAIRS, **NUMBERS, **{f"array of {name}": metric for name, metric in ARRAYS.items()}}


def read_only(y):
    array = y.numpy().copy()
    array.flags.writeable = False
    return array


KINDS = {
    "numpy float32": lambda y: y.numpy().astype(np.float32),
    "numpy float64": lambda y: y.numpy(),
    "torch": lambda y: y,
    "list": lambda y: y.tolist(),
    "not contiguous": lambda y: np.repeat(y.numpy(), 2, 1)[:, ::2],
    "backwards": lambda y: y.numpy()[:, ::-1].copy()[:, ::-1],
    "read-only": read_only,
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", METRICS)
def test_any_array_gives_what_tensors_give(name, kind, recwarn):
    given = [KINDS[kind](y) for y in (Y_A, Y_B)]
    before = [np.asarray(y).copy() for y in given]
    found, wanted = METRICS[name](*given), METRICS[name](Y_A, Y_B)
    if name.startswith("array"):
        close(found, wanted, 1e-4 if "32" in kind else 1e-12)
    else:
        close(float(found), float(wanted), 1e-5 if "32" in kind else 1e-12)
    assert all((np.asarray(y) == then).all() for y, then in zip(given, before, strict=True))
    assert not [one for one in recwarn if issubclass(one.category, UserWarning)]  # NumPy's about what is read-only


@pytest.mark.parametrize("name", PAIRS)
def test_a_score_is_one_number_and_prints_in_short(name):
    found = PAIRS[name](Y_A.numpy(), Y_B.numpy())
    number = float(found)
    assert type(number) is float and f"{found:.3f}" == f"{number:.3f}"
    assert len(repr(found)) < 30 and f"{number:.4f}" in repr(found) and "tensor" not in f"{found} {found!r}"


@pytest.mark.parametrize("name", ["rsa", "cka", "ols"])
def test_several_pairs_print_in_short_too(name):
    batch = torch.stack([Y_A, 2 * Y_A + normal(24, 4, seed=5)])
    assert "(2,) scores, mean" in repr(METRICS[name](batch, Y_B)) and len(repr(METRICS[name](batch, Y_B))) < 90


def test_what_is_computed_from_a_score_is_a_plain_tensor():
    found = geometry.rsa(Y_A, Y_B)
    assert {type(found + 1), type(found.clone()), type(torch.stack([found, found])), type(found[None])} == {
        torch.Tensor
    }
    weights = Y_A.clone().requires_grad_()
    geometry.linear_cka(weights, Y_B).backward()
    assert weights.grad.abs().sum() > 0
