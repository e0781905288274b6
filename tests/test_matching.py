from itertools import permutations

import numpy as np
import ot
import pytest
import torch
from helpers import DEVICES, DTYPES, NO_GPU, TOLERANCE, any_scale, around, bad_pairs, close, normal, refuses, scaled
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import linprog

from lib import transport
from lib.correlation import unit_correlations
from lib.crossval import k_folds
from lib.features import seeded
from lib.matching import (
    best_permutation,
    held_out_best,
    permutation_score,
    semi_matching_folds,
    semi_matching_score,
    soft_matching_folds,
    soft_matching_plan,
    soft_matching_score,
)
from lib.moments import FoldMoments

SCORES = [soft_matching_score, semi_matching_score]
SHAPES = [(4, 4), (3, 7), (7, 3), (1, 5), (6, 4), (1, 1)]


def related(stimuli=60, units_a=5, units_b=7, noise=1.0):
    y_a = normal(stimuli, units_a)
    return y_a, y_a @ normal(units_a, units_b, seed=1) + noise * normal(stimuli, units_b, seed=2)


def total(plan, similarity):
    return float((plan * similarity).sum())


# Permutations


def test_planted_permutation_is_found():
    order = torch.tensor([3, 0, 4, 1, 2])
    assert best_permutation(torch.eye(5)[order]).tolist() == order.tolist()
    assert permutation_score(torch.eye(5)[order]) == 1
    assert permutation_score(torch.ones(5, 5)) == 1


def test_the_greedy_choice_is_not_the_best():
    similarity = torch.tensor([[1.0, 0.9], [0.9, 0.0]])
    assert best_permutation(similarity).tolist() == [1, 0]
    assert permutation_score(similarity) == pytest.approx(0.9)
    assert permutation_score(torch.tensor([[4, 3], [3, 0]])) == 3  # whole numbers too


@given(seed=st.integers(0, 1000), units=st.integers(1, 6))
def test_permutation_score_is_the_best_of_all_permutations(seed, units):
    g = normal(units, units, seed=seed)
    wanted = max(sum(g[i, j] for i, j in enumerate(p)) / units for p in permutations(range(units)))
    close(permutation_score(g), wanted)
    close(permutation_score(g.mT), wanted)


# Plans


def test_doubled_units_share_the_mass():
    similarity = torch.tensor([[1.0, 1, 0, 0], [0, 0, 1, 1]])
    close(soft_matching_plan(similarity), similarity / 4)
    close(soft_matching_plan(similarity.mT), similarity.mT / 4)


@given(seed=st.integers(0, 1000), shape=st.sampled_from(SHAPES))
def test_plan_has_its_marginals_and_the_total_of_pot_and_of_a_linear_programme(seed, shape):
    a, b = shape
    similarity = normal(a, b, seed=seed).tanh()
    plan = soft_matching_plan(similarity)
    assert (plan >= 0).all()
    close(plan.sum(1), torch.full((a,), 1 / a).double(), 1e-7)
    close(plan.sum(0), torch.full((b,), 1 / b).double(), 1e-7)
    cost = ot.emd2(np.full(a, 1 / a), np.full(b, 1 / b), 1 - similarity.numpy())
    assert total(plan, similarity) == pytest.approx(1 - cost, abs=1e-6)
    rows, columns = np.kron(np.eye(a), np.ones(b)), np.kron(np.ones(a), np.eye(b))
    ends = np.r_[np.full(a, 1 / a), np.full(b, 1 / b)]
    solved = linprog(-similarity.numpy().ravel(), A_eq=np.r_[rows, columns], b_eq=ends)
    assert total(plan, similarity) == pytest.approx(-solved.fun, abs=1e-6)


def test_plan_of_unequal_systems_agrees_with_pot_entry_by_entry():
    y_a, y_b = related()
    c = unit_correlations(y_a, y_b)
    close(soft_matching_plan(c), ot.emd(np.full(5, 1 / 5), np.full(7, 1 / 7), 1 - c.numpy()), 1e-6)


@pytest.mark.parametrize("units", [(600, 500), (500, 600), (700, 400), (1040, 300)])
@pytest.mark.parametrize("kind", ["unrelated", "related", "doubled", "constant", "one value"])
def test_plan_from_few_pairs_is_the_best_among_all(kind, units):
    """Where pairs are many, only some are tried: the plan's total is that of POT on all of them, ties or not."""
    a, b = units
    y_a = normal(200, a)
    related = torch.cat([y_a, y_a], 1)[:, 37 : 37 + b] + 0.5 * normal(200, b, seed=1)
    y_b = {"related": related, "doubled": normal(200, b // 2, seed=1).repeat(1, 2)}.get(kind, normal(200, b, seed=1))
    y_a[:, :100] = 0 if kind == "constant" else y_a[:, :100]
    c = unit_correlations(y_a, y_b) if kind != "one value" else torch.full(units, 0.3)
    plan = soft_matching_plan(c)
    close(plan.sum(1), torch.full((a,), 1 / a).double(), 1e-9)
    close(plan.sum(0), torch.full((b,), 1 / b).double(), 1e-9)
    cost = ot.emd2(np.full(a, 1 / a), np.full(b, 1 / b), 1 - c.double().numpy(), numItermax=10_000_000)
    close(total(plan, c), 1 - cost, 1e-8)


def test_plan_between_equal_sizes_is_the_best_permutation():
    g = normal(6, 6)
    plan = soft_matching_plan(g)
    assert plan.argmax(1).tolist() == best_permutation(g).tolist()
    close(total(plan, g), permutation_score(g))
    assert sorted(plan.flatten().unique().tolist()) == [0, 1 / 6]


EARLY_STOPS = {
    "mass missing": [[0.24, 0.12, 0], [0, 0.12, 0.24]],
    "rows right, columns not": [[0.5, 0, 0], [0.5, 0, 0]],
    "columns right, rows not": [[1 / 3, 1 / 3, 1 / 3], [0, 0, 0]],
    "one column right": [[1 / 3 + 0.1, 1 / 6 - 0.1, 0], [0, 1 / 6, 1 / 3]],
}


@pytest.mark.parametrize("plan", EARLY_STOPS.values(), ids=EARLY_STOPS)
def test_a_transport_solver_that_stops_early_is_noticed(monkeypatch, plan):
    for found in (np.array(plan), np.array(plan).T):
        monkeypatch.setattr(ot, "emd", lambda *args, found=found, **options: (found, {}))
        with pytest.raises(RuntimeError, match="did not converge .*: remove duplicate units"):
            soft_matching_plan(normal(*found.shape))


@pytest.mark.parametrize("shape", [(2, 3), (6, 4), (1, 5), (7, 7), (12, 5)])
def test_the_pairs_tried_first_hold_the_plan_that_fills_both_sides_in_their_order(shape, monkeypatch):
    monkeypatch.setattr(transport, "KEPT", 0)  # no pair for its correlation
    a, b = shape
    wanted, i, j = {(0, 0)}, 0, 0
    while (i, j) != (a - 1, b - 1):  # in whole numbers: each unit of a holds b, each of b holds a
        ends_a, ends_b = (i + 1) * b, (j + 1) * a
        i, j = i + (ends_a <= ends_b), j + (ends_b <= ends_a)
        wanted.add((i, j))
    assert [divmod(int(pair), b) for pair in transport._first(torch.zeros(shape))] == sorted(wanted)


def test_the_search_ends_when_all_pairs_are_there_or_none_is_new(monkeypatch):
    solved, emd = [], ot.emd
    monkeypatch.setattr(ot, "emd", lambda *given, **options: solved.append(options) or emd(*given, **options))
    monkeypatch.setattr(transport, "FEW", 0)
    similarity = normal(6, 4)
    plan = soft_matching_plan(similarity)
    assert len(solved) == 1 and solved[0]["numItermax"] >= 10**7
    monkeypatch.setattr(transport, "_better", lambda *given: torch.tensor([0]))  # as rounding may say of a pair held
    close(soft_matching_plan(similarity), plan)
    assert len(solved) <= 3


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("shape", SHAPES)
def test_plan_comes_in_double_precision_on_the_cpu(shape, dtype, device):
    similarity = normal(*shape).to(device, dtype).requires_grad_()
    plan = soft_matching_plan(similarity)
    assert (plan.dtype, plan.device.type, plan.requires_grad) == (torch.float64, "cpu", False)
    close(plan, soft_matching_plan(similarity.detach().cpu().double()))


# Scores


@pytest.mark.parametrize("score", SCORES)
def test_a_permuted_scaled_shifted_system_scores_1(score):
    y = normal(50, 6)
    moved = 5 + y[:, torch.randperm(6, generator=seeded(0))] * torch.arange(1, 7)
    assert score(y, moved).mean == pytest.approx(1)
    assert score(y, moved).standard_error == pytest.approx(0, abs=1e-9)
    assert score(y, torch.cat([moved, moved], 1)).mean == pytest.approx(1)  # every unit twice
    assert score(y, -moved).mean < 0.3  # but an inverted unit is another


@pytest.mark.parametrize("score", SCORES)
def test_rotated_units_score_below_1(score):
    y = normal(200, 6)
    assert score(y, y @ torch.linalg.qr(normal(6, 6))[0]).mean < 0.9


def test_semi_matching_is_not_symmetric_and_soft_matching_is():
    y_a = normal(60, 4)
    y_b = torch.cat([y_a, normal(60, 4, seed=1)], 1)
    assert semi_matching_score(y_a, y_b).mean == pytest.approx(1)
    assert semi_matching_score(y_b, y_a).mean < 0.7
    assert soft_matching_score(y_a, y_b).mean == pytest.approx(soft_matching_score(y_b, y_a).mean)
    assert soft_matching_score(y_a, y_b).mean < 0.7


def test_semi_matching_agrees_with_a_loop():
    y_a, y_b = related()
    folds = semi_matching_score(y_a, y_b, folds=4, seed=3).folds
    for (train, test), fold in zip(k_folds(60, 4, seed=3), folds, strict=True):
        held_out = []
        for x in y_a.numpy().T:
            best = max(y_b.numpy().T, key=lambda y, x=x, train=train: np.corrcoef(x[train], y[train])[0, 1])
            held_out.append(np.corrcoef(x[test], best[test])[0, 1])
        close(fold, np.mean(held_out))


def test_soft_matching_agrees_with_pot_fold_by_fold():
    y_a, y_b = related()
    folds = soft_matching_score(y_a, y_b, folds=4, seed=3).folds
    for (train, test), fold in zip(k_folds(60, 4, seed=3), folds, strict=True):
        trained, tested = (np.corrcoef(y_a[i].T, y_b[i].T)[:5, 5:] for i in (train, test))
        plan = ot.emd(np.full(5, 1 / 5), np.full(7, 1 / 7), 1 - trained)
        assert fold == pytest.approx((plan * tested).sum(), abs=1e-6)


@pytest.mark.parametrize("score", SCORES)
def test_what_is_fitted_to_noise_scores_0_held_out(score):
    folds = torch.tensor([score(normal(30, 8, seed=s), normal(30, 12, seed=99 + s)).mean for s in range(40)])
    assert abs(folds.mean()) < 5 * folds.std() / 40**0.5
    assert unit_correlations(normal(30, 8), normal(30, 12, seed=99)).amax(1).mean() > 0.2  # in sample it would not


@pytest.mark.parametrize("score", SCORES)
def test_constant_units_score_0_and_are_counted(score):
    y = normal(50, 3)
    padded = torch.cat([y, torch.full((50, 1), 0.1)], 1)
    scores = score(padded, padded)
    assert scores.constant_units == 2 / 8
    assert scores.mean == pytest.approx(3 / 4)
    nothing = score(torch.ones(50, 3).double(), y)
    assert nothing == (0, 0, [0] * 5, 3 / 6)


@given(seed=st.integers(0, 1000), scale=st.floats(1e-4, 1e4), shift=st.floats(-10, 10), units_b=st.integers(1, 6))
def test_scores_are_bounded_and_ignore_order_scale_and_shift(seed, scale, shift, units_b):
    y_a, y_b = normal(25, 4, seed=seed), normal(25, units_b, seed=seed + 1)
    changed = scale * y_a[:, torch.randperm(4, generator=seeded(seed))] + shift
    for score in SCORES:
        scores = score(y_a, y_b, seed=seed)
        assert max(map(abs, scores.folds)) <= 1 + 1e-9
        assert score(changed, y_b, seed=seed).folds == pytest.approx(scores.folds, abs=1e-7)
    assert soft_matching_score(y_b, y_a).folds == pytest.approx(soft_matching_score(y_a, y_b).folds, abs=1e-7)


@any_scale
def test_scores_know_no_scale_of_any_unit(power, dtype):
    y_a, y_b = related()
    for unit in (None, 1):
        moved, other = scaled(y_a, power, unit, dtype), scaled(y_b, -power, unit, dtype)
        for score in SCORES:
            close(score(moved, other).folds, score(y_a, y_b).folds, 1e-5)
        moments = FoldMoments({"a": 5, "b": 7}, 5)
        for fold, (_, test) in enumerate(k_folds(60, 5, 0)):
            moments.add(fold, a=moved[test], b=other[test])
        folds = [(train.correlations(), test.correlations()) for train, test in moments.splits("a", "b")]
        close(soft_matching_folds(folds).folds, soft_matching_score(y_a, y_b).folds, 1e-5)
        close(semi_matching_folds(folds).folds, semi_matching_score(y_a, y_b).folds, 1e-5)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("power", [-30, -18, 18, 30])
@pytest.mark.parametrize("shape", SHAPES)
def test_plans_know_no_scale_of_the_similarity_and_the_permutation_score_follows_it(shape, power, dtype):
    g = normal(*shape)
    close(soft_matching_plan(scaled(g, power, None, dtype)), soft_matching_plan(g), 1e-7)
    if shape[0] == shape[1]:
        moved = scaled(g, power, None, dtype)
        assert permutation_score(moved) == pytest.approx(10.0**power * permutation_score(g), rel=1e-6)


@pytest.mark.parametrize("score", SCORES)
@pytest.mark.parametrize("mean", [1e7, 1e9])
def test_units_with_a_large_mean_match_themselves(mean, score):
    far, y = around(mean, 60, 5)
    close(score(far, far).folds, torch.ones(5), 1e-13)
    close(score(far, -far.flip(1)).folds, score(y, -y.flip(1)).folds, 1e-13)


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("score", SCORES)
def test_scores_agree_over_dtypes_and_devices(score, dtype, device):
    y_a, y_b = related(noise=0.5)
    given = score(y_a.to(device, dtype), y_b.to(device, dtype)).folds
    assert given == pytest.approx(score(y_a, y_b).folds, abs=TOLERANCE[dtype])


# From correlations of folds


def test_partners_of_training_are_read_held_out():
    train = torch.tensor([[0.1, 0.9, 0.3], [-0.2, -0.9, -0.8]])
    test = torch.tensor([[0.5, 0.4, 0.3], [-0.1, 0.7, 0.6]])
    close(held_out_best(train, test), [0.4, -0.1], 1e-7)
    scores = semi_matching_folds([(train, test), (test, train)], 0.25)
    close(scores.folds, [(0.4 - 0.1) / 2, (0.1 - 0.9) / 2], 1e-7)
    close(scores.mean, (0.15 - 0.4) / 2, 1e-7)
    close(scores.standard_error, 0.55 / 2, 1e-7)
    assert scores.constant_units == 0.25


def test_the_plan_of_training_is_read_held_out():
    train = torch.tensor([[0.9, 0.0], [0.8, 0.5]])
    test = torch.tensor([[0.3, 1.0], [1.0, -0.1]])
    scores = soft_matching_folds([(train, test), (test, train)], 0.25)
    close(scores.folds, [(0.3 - 0.1) / 2, (0.0 + 0.8) / 2], 1e-7)
    assert scores.constant_units == 0.25
    third = torch.tensor([[0.9, 0.0, 0.0]])  # one unit against three
    close(soft_matching_folds([(third, third.flip(1))] * 2).folds, [0.3, 0.3], 1e-7)


@pytest.mark.parametrize("units_b", [5, 7, 3])
def test_scores_from_moments_are_those_from_the_stimuli(units_b):
    y_a, y_b = related(units_b=units_b)
    moments = FoldMoments({"b": units_b, "a": 5}, 4)
    for fold, (_, test) in enumerate(k_folds(60, 4, seed=3)):
        for at in test.split(6):
            moments.add(fold, a=y_a[at], b=y_b[at])
    forth, back = (
        [(train.correlations(), test.correlations()) for train, test in moments.splits(*names)]
        for names in (("a", "b"), ("b", "a"))
    )
    assert soft_matching_folds(forth).constant_units == semi_matching_folds(forth).constant_units == 0
    close(soft_matching_folds(forth).folds, soft_matching_score(y_a, y_b, 4, 3).folds)
    close(soft_matching_folds(back).folds, soft_matching_score(y_a, y_b, 4, 3).folds)
    close(semi_matching_folds(forth).folds, semi_matching_score(y_a, y_b, 4, 3).folds)
    close(semi_matching_folds(back).folds, semi_matching_score(y_b, y_a, 4, 3).folds)


@pytest.mark.parametrize("score", SCORES)
def test_a_seed_fixes_the_scores(score):
    y_a, y_b = related()
    assert score(y_a, y_b, seed=1) == score(y_a, y_b, seed=1)
    assert score(y_a, y_b, seed=1) != score(y_a, y_b, seed=2)
    assert len(score(y_a, y_b, folds=3).folds) == 3


# Bad input


@bad_pairs(*SCORES)
def test_bad_input_is_refused(call, y_a, y_b, thing, mend):
    refuses(thing, mend, call, y_a, y_b)


@pytest.mark.parametrize("score", SCORES)
def test_batches_and_impossible_folds_are_refused(score):
    y = normal(12, 3)
    refuses("y_a (2, 12, 3)", "give one pair", score, y.expand(2, 12, 3), y)
    refuses("7 folds of 12 stimuli", "choose from 2 to 6", score, y, y, 7)
    refuses("5 folds of 4 stimuli", "choose from 2 to 2", score, y[:4], y[:4])
    refuses("y_a has 3 stimuli", "at least 4 are needed", score, y[:3], y[:3])


@pytest.mark.parametrize("call", [best_permutation, permutation_score, soft_matching_plan])
def test_bad_similarity_is_refused(call):
    refuses("similarity (shape (0, 0)) is no matrix", "give an array (units_a, units_b)", call, torch.ones(0, 0))
    refuses("similarity (shape (3,)) is no matrix", "give an array", call, torch.ones(3))
    refuses("similarity (str of <U3) is no array of numbers", "rows of equal length", call, "dot")
    refuses(
        "similarity has 1 NaN or infinite values, the first at (1, 0)",
        "remove",
        call,
        torch.tensor([[1, 0], [torch.inf, 1]]),
    )


@pytest.mark.parametrize("call", [best_permutation, permutation_score])
def test_permutation_of_unequal_systems_is_refused(call):
    refuses("similarity has shape (2, 3)", "as many units in a as in b", call, torch.ones(2, 3))


@NO_GPU
def test_permutation_score_of_a_matrix_on_the_gpu():
    g = normal(5, 5)
    close(permutation_score(g.cuda()), permutation_score(g))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", [(1, 2), (3, 2), (2, 5), (10, 7), (30, 40)])
@pytest.mark.parametrize(("low", "high"), [(0.7, 1), (-1, -0.7), (0, 0), (-1, 1)])
def test_a_plan_is_found_whatever_the_sign_of_the_similarities(low, high, shape, dtype):
    """Units that all correlate positively, or all negatively; a shift changes no plan."""
    similarity = low + (high - low) * torch.rand(shape, generator=seeded(1), dtype=torch.float64)
    plan = soft_matching_plan(similarity.to(dtype))
    close(plan.sum(1), torch.full(shape[:1], 1 / shape[0], dtype=torch.float64))
    close((plan * similarity).sum(), (soft_matching_plan(similarity - low) * (similarity - low)).sum() + low, 1e-6)
