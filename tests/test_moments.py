import numpy as np
import pytest
import torch
from helpers import DEVICES, DTYPES, around, close, normal, refuses
from hypothesis import given
from hypothesis import strategies as st

from lib.correlation import centred, unit_correlations
from lib.crossval import k_folds, silent_units
from lib.features import seeded
from lib.moments import FoldMoments, stream_moments


def related(stimuli=50, units_a=4, units_b=3, mean=2.0):
    """Two systems with means, the second partly a linear function of the first."""
    y_a = mean + normal(stimuli, units_a)
    return y_a, y_a @ normal(units_a, units_b, seed=1) + normal(stimuli, units_b, seed=2)


def moments_of(y_a, y_b, folds, pieces=1):
    """Moments over the test sets of `folds`, each added in some pieces."""
    moments = FoldMoments({"a": y_a.shape[-1], "b": y_b.shape[-1]}, len(folds), y_a.shape[:-2], y_a.device)
    for fold, (_, test) in enumerate(folds):
        for piece in test.tensor_split(pieces):
            moments.add(fold, a=y_a[..., piece, :], b=y_b[..., piece, :])
    return moments


def assert_same(one, other, tolerance=1e-9):
    for ours, theirs in zip(one, other, strict=True):
        for a, b in zip(ours, theirs, strict=True):
            for x, y in zip(a, b, strict=True):
                close(x, y, tolerance)


# Covariances and correlations of folds


def test_sums_worked_by_hand():
    y_a, y_b = torch.tensor([[1.0], [3], [5], [2]]).double(), torch.tensor([[2.0, 1], [0, 1], [0, 1], [6, 0]]).double()
    folds = [(torch.tensor([2, 3]), torch.tensor([0, 1])), (torch.tensor([0, 1]), torch.tensor([2, 3]))]
    (train, test), (train_1, test_1) = moments_of(y_a, y_b, folds).splits("a", "b")
    assert (test.stimuli, train.stimuli) == (2, 2)
    close(test.aa, [[2]])  # 1 and 3, mean 2
    close(test.ab, [[-2, 0]])
    close(test.bb, [2, 0])
    close(train.aa, [[4.5]])
    close(train.ab, [[-9, 1.5]])
    close(train.bb, [18, 0.5])
    close(test.correlations(), [[-1, 0]])
    close(train.correlations(), [[-1, 1]])
    assert_same([(train_1, test_1)], [(test, train)])
    assert test.constant_units() == 1 / 3


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("mean", [0, 2, 100])
def test_folds_agree_with_correlations_of_the_stimuli(mean, dtype, device):
    y_a, y_b = (y.to(device, dtype) for y in related(mean=mean))
    folds = k_folds(50, 4, seed=3)
    splits = moments_of(y_a, y_b, folds).splits("a", "b")
    assert len(splits) == 4
    tolerance = {torch.float64: 1e-11 if mean < 100 else 1e-9, torch.float32: 1e-4}[dtype]
    for fold, split in zip(folds, splits, strict=True):
        for places, moments in zip(fold, split, strict=True):
            x, y = (centred(v[places].double()) for v in (y_a, y_b))
            assert moments.stimuli == len(places)
            close(moments.aa, x.mT @ x, 1e-8)
            close(moments.ab, x.mT @ y, 1e-8)
            close(moments.bb, y.square().sum(0), 1e-8)
            close(moments.correlations(), unit_correlations(y_a[places], y_b[places]), tolerance)
            assert moments.aa.dtype == torch.float64
            assert moments.aa.device.type == device


def test_correlations_agree_with_numpy():
    y_a, y_b = related()
    folds = k_folds(50, 5)
    for (train, test), (c, held) in zip(folds, moments_of(y_a, y_b, folds).splits("a", "b"), strict=True):
        close(c.correlations(), np.corrcoef(y_a[train].T, y_b[train].T)[:4, 4:], 1e-12)
        close(held.correlations(), np.corrcoef(y_a[test].T, y_b[test].T)[:4, 4:], 1e-12)


def test_training_moments_are_those_of_all_other_folds():
    y_a, y_b = related()
    moments = moments_of(y_a, y_b, k_folds(50, 5))
    splits = moments.splits("a", "b")
    assert [train.stimuli for train, _ in splits] == [40] * 5
    before = splits[1][0]
    moments.add(1, a=100 * y_a, b=y_b)
    after = moments.splits("a", "b")
    assert_same([[after[1][0]]], [[before]])
    for fold in (0, 2, 3, 4):
        assert after[fold][0].stimuli == 90
        assert_same([[after[fold][1]]], [[splits[fold][1]]])


def test_splits_of_swapped_populations_are_transposed():
    y_a, y_b = related()
    moments = moments_of(y_a, y_b, k_folds(50, 5))
    for forth, back in zip(moments.splits("a", "b"), moments.splits("b", "a"), strict=True):
        for ab, ba in zip(forth, back, strict=True):
            close(ab.ab, ba.ab.T)
            close(ab.aa.diagonal(), ba.bb)
            close(ab.correlations(), ba.correlations().T)
    for train, test in moments.splits("a", "a"):
        close(train.ab, train.aa)
        close(test.correlations().diagonal(), torch.ones(4))


@given(seed=st.integers(0, 1000), pieces=st.integers(1, 6))
def test_batches_add_up(seed, pieces):
    y_a, y_b = normal(24, 3, seed=seed), normal(24, 2, seed=seed + 1)
    folds = k_folds(24, 3, seed)
    whole, parts = (moments_of(y_a, y_b, folds, n).splits("a", "b") for n in (1, pieces))
    assert_same(whole, parts)


@given(seed=st.integers(0, 1000), scale=st.floats(1e-3, 1e3), shift=st.floats(-10, 10))
def test_correlations_ignore_scale_and_shift_and_are_bounded(seed, scale, shift):
    y_a, y_b = normal(20, 3, seed=seed), normal(20, 2, seed=seed + 1)
    folds = k_folds(20, 4, seed)
    moved = moments_of(scale * (y_a + shift), y_b, folds).splits("a", "b")
    for split, changed in zip(moments_of(y_a, y_b, folds).splits("a", "b"), moved, strict=True):
        for one, other in zip(split, changed, strict=True):
            close(one.correlations(), other.correlations(), 1e-9)
            assert one.correlations().abs().max() <= 1 + 1e-12


# Constant units


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("value", [0, 0.1, -7.3, 1000.1, 1e6 + 0.1])
def test_a_constant_unit_has_correlation_0_and_is_counted(value, dtype):
    y_a, y_b = (y.to(dtype) for y in related(3000))
    y_a[:, 1] = value
    moments = moments_of(y_a, y_b, k_folds(3000, 3), pieces=40)
    for split in moments.splits("a", "b"):
        for part in split:
            assert part.constant_units() == 1 / 7
            assert (part.correlations()[1] == 0).all()
            assert (part.correlations()[[0, 2, 3]] != 0).all()
            assert not part.aa[1].any()
            assert not part.aa[:, 1].any()
            assert not part.ab[1].any()
    for split in moments.splits("b", "a"):
        assert all((part.correlations()[:, 1] == 0).all() and part.bb[1] == 0 for part in split)
    assert moments.constant_units("a", "b") == moments.constant_units("b", "a") == 1 / 7


@pytest.mark.parametrize("dtype", DTYPES)
def test_a_large_mean_hides_no_unit(dtype):
    """Single-precision responses of mean 1000 are rounded by 3e-5 of their spread, and no more may be lost."""
    y_a, y_b = related(2000)
    y_a, y_b = (y_a + 1000).to(dtype), y_b.to(dtype)
    folds = k_folds(2000, 4)
    for (train, _), (c, _) in zip(folds, moments_of(y_a, y_b, folds).splits("a", "b"), strict=True):
        close(c.correlations(), unit_correlations(y_a[train].double(), y_b[train].double()), 1e-8)


@pytest.mark.parametrize("mean", [1e7, 1e9])
def test_a_mean_too_large_for_squares_hides_no_unit(mean):
    (far_a, y_a), (far_b, y_b) = around(mean, 60, 4), around(-mean, 60, 3, seed=1)
    far_a[:, 1] = y_a[:, 1] = mean
    folds = k_folds(60, 4)
    near, far = moments_of(y_a, y_b, folds).splits("a", "b"), moments_of(far_a, far_b, folds).splits("a", "b")
    assert_same(far, near)
    assert far[0][0].constant_units() == 1 / 7
    for train, test in moments_of(far_a, far_a, folds).splits("a", "b"):
        close(train.correlations().diagonal(), [1, 0, 1, 1], 1e-13)
        close(test.correlations().diagonal(), [1, 0, 1, 1], 1e-13)


def test_a_unit_constant_in_one_fold_only_has_correlation_0_there():
    y_a, y_b = related()
    folds = k_folds(50, 5)
    y_a[folds[2][1], 0] = 0.1
    moments = moments_of(y_a, y_b, folds)
    for fold, (train, test) in enumerate(moments.splits("a", "b")):
        assert train.constant_units() == 0
        assert test.constant_units() == (1 / 7 if fold == 2 else 0)
        assert (test.correlations()[0] == 0).all() == (fold == 2)
    assert moments.constant_units("a", "b") == 0


def test_constant_in_training_is_not_constant_over_all_stimuli():
    y_a, y_b = related()
    folds = k_folds(50, 5)
    y_a[folds[0][0], 0] = 0.1
    moments = moments_of(y_a, y_b, folds)
    assert [train.constant_units() for train, _ in moments.splits("a", "b")] == [1 / 7, 0, 0, 0, 0]
    assert moments.constant_units("a", "b") == 0


# Silent units


def sparse(stimuli=60, units=8, seed=0):
    """Some units are 0 for whole folds, and one is always."""
    y = normal(stimuli, units, seed=seed).relu() * (torch.rand(stimuli, units, generator=seeded(seed)) < 0.15)
    y[:, 0] = 0
    y[:, 1] = 1
    return y


@given(seed=st.integers(0, 1000))
def test_silent_units_are_those_of_the_stimuli(seed):
    y_a, y_b = sparse(seed=seed), sparse(seed=seed + 1)
    folds = k_folds(60, 5, seed)
    moments = moments_of(y_a, y_b, folds, pieces=2)
    fire_a, fire_b = ~silent_units(y_a, folds), ~silent_units(y_b, folds)
    for names, kept_a, kept_b in [
        (["a", "b"], y_a[:, fire_a], y_b[:, fire_b]),
        (["a"], y_a[:, fire_a], y_b),
        (["b"], y_a, y_b[:, fire_b]),
        ([], y_a, y_b),
    ]:
        given = moments.without_silent(*names).splits("a", "b")
        assert_same(given, moments_of(kept_a, kept_b, folds).splits("a", "b"))
    assert moments.splits("a", "b")[0][0].aa.shape == (8, 8)  # the original keeps its units


def test_a_unit_silent_in_one_fold_is_removed_from_all():
    y_a, y_b = related()
    folds = k_folds(50, 5)
    y_a[folds[3][1], 2] = 0
    for train, test in moments_of(y_a, y_b, folds).without_silent("a").splits("a", "b"):
        assert train.ab.shape == test.ab.shape == (3, 3)


def test_a_population_that_never_fires_is_refused():
    y_a, y_b = related()
    y_a[:10] = 0
    folds = [(torch.arange(10, 50), torch.arange(10)), (torch.arange(10), torch.arange(10, 50))]
    moments = moments_of(y_a, y_b, folds)
    refuses("no unit of a fires in every fold", "give more stimuli", moments.without_silent, "a", "b")
    assert moments.without_silent("b").splits("a", "b")


# Several models


@pytest.mark.parametrize("pick", [0, 1, 2, -1])
def test_one_of_several_models_has_its_own_moments(pick):
    y_a, y_b = normal(3, 40, 4), normal(3, 40, 2, seed=1)
    y_a[1, :, 0] = y_a[2, :20, 3] = 0
    folds = k_folds(40, 4)
    moments = moments_of(y_a, y_b, folds)
    one = moments_of(y_a[pick], y_b[pick], folds)
    assert_same(moments[pick].splits("a", "b"), one.splits("a", "b"))
    silent = moments[pick].without_silent("a"), one.without_silent("a")
    assert_same(silent[0].splits("a", "b"), silent[1].splits("a", "b"))
    assert moments[pick].constant_units("a", "b") == one.constant_units("a", "b")


def test_what_all_models_share_is_given_once():
    z, h = normal(40, 3), normal(2, 40, 4, seed=1)
    folds = k_folds(40, 4)
    given = moments_of(h, z, folds)
    for p in range(2):
        assert_same(given[p].splits("a", "b"), moments_of(h[p], z, folds).splits("a", "b"))


def test_a_model_is_picked_first():
    moments = moments_of(normal(6, 40, 4), normal(6, 40, 2), k_folds(40, 4))
    for call, args in [
        (moments.splits, "ab"),
        (moments.without_silent, "a"),
        (moments.constant_units, "ab"),
        (moments[0][0].splits, "ab"),
    ]:
        refuses("moments of models", "pick one first", call, *args)


# Streams


def test_a_stream_is_dealt_to_the_folds_in_turn():
    y_a, y_b = related(70)
    dealt = stream_moments(({"a": a, "b": b} for a, b in zip(y_a.split(10), y_b.split(10), strict=True)), folds=3)
    places = torch.arange(70).split(10)
    tests = [torch.cat(places[fold::3]) for fold in range(3)]
    folds = [(torch.cat(tests[:i] + tests[i + 1 :]), tests[i]) for i in range(3)]
    assert dealt.count.tolist() == [30, 20, 20]
    assert_same(dealt.splits("a", "b"), moments_of(y_a, y_b, folds).splits("a", "b"))


def test_a_stream_of_several_models_and_of_what_they_share():
    z, h = normal(40, 3), normal(2, 40, 4, seed=1)
    batches = [{"features": z[at], "neurons": h[:, at]} for at in torch.arange(40).split(10)]
    streamed = stream_moments(batches, folds=2)
    for p in range(2):
        alone = stream_moments([{"features": b["features"], "neurons": b["neurons"][p]} for b in batches], folds=2)
        assert_same(streamed[p].splits("features", "neurons"), alone.splits("features", "neurons"))


@pytest.mark.parametrize("batches", [0, 1, 4])
def test_fewer_batches_than_folds_are_refused(batches):
    given = [{"a": normal(10, 2), "b": normal(10, 3)}] * batches
    refuses("fewer batches than the 5 folds", "give smaller batches or more stimuli", stream_moments, given)
    assert stream_moments(given * 5 or [{"a": normal(10, 2)}] * 5).count.all()


# Bad input


def test_bad_batches_are_refused_and_leave_no_trace():
    moments = FoldMoments({"neurons": 3, "latents": 4}, 2)
    y, z = normal(9, 3), normal(9, 4, seed=1)
    wrong = y.clone()
    wrong[4, 2] = torch.nan
    for thing, mend, batch in [
        ("responses of neurons given", "give those of neurons, latents", {"neurons": y}),
        ("responses of neurons, units given", "give those of neurons, latents", {"neurons": y, "units": z}),
        ("responses of  given", "give those of neurons, latents", {}),
        ("responses has 1 NaN or infinite values, the first at (4, 2)", "remove", {"neurons": wrong, "latents": z}),
        ("responses has 36 NaN or infinite", "remove", {"neurons": y, "latents": z / 0}),
        ("responses has dtype torch.complex128", "responses.real", {"neurons": y * 1j, "latents": z * 1j}),
        ("responses is empty", "give at least one", {"neurons": y[:0], "latents": z[:0]}),
        ("neurons has 4 units", "give the 3 announced", {"neurons": z, "latents": y}),
        ("latents has 1 units", "give the 4 announced", {"neurons": y, "latents": z[:, :1]}),
    ]:
        refuses(thing, mend, moments.add, 0, **batch)
    assert not moments.count.any()
    assert not moments.products.any()
