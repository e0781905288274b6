import numpy as np
import pytest
import torch
from helpers import close, normal, rotation

from lib.correlation import paired_correlations, unit_correlations
from lib.crossval import k_folds
from lib.features import bernoulli_uniform, seeded
from lib.matching import semi_matching_score, soft_matching_score
from lib.moments import FoldMoments, random_fold_moments
from lib.pairings import Alignment, align, align_pairs, feature_correlations, gain, seed_pairs
from lib.regression import ridge_score


def related(stimuli=80, units_a=5, units_b=7, seed=0):
    y_a = 1 + normal(stimuli, units_a, seed=seed)
    return y_a, y_a @ normal(units_a, units_b, seed=seed + 1) + 2 * normal(stimuli, units_b, seed=seed + 2)


def assert_equal(one, other, tolerance=1e-9):
    close(one.folds, other.folds, tolerance)
    close(one[:2], other[:2], tolerance)
    assert one.constant_units == pytest.approx(other.constant_units)


def separately(y_a, y_b, folds, seed):
    return Alignment(
        soft_matching_score(y_a, y_b, folds, seed),
        semi_matching_score(y_a, y_b, folds, seed),
        semi_matching_score(y_b, y_a, folds, seed),
        ridge_score(y_a, y_b, folds, seed),
        ridge_score(y_b, y_a, folds, seed),
    )


@pytest.mark.parametrize(("units_b", "folds", "seed"), [(5, 5, 0), (7, 4, 3), (2, 2, 1)])
def test_all_scores_at_once_are_the_scores_one_by_one(units_b, folds, seed):
    y_a, y_b = related(units_b=units_b)
    y_b[:, 1] = 0.1
    scores = align(random_fold_moments(y_a, y_b, folds, seed), "a", "b")
    for one, other in zip(scores, separately(y_a, y_b, folds, seed), strict=True):
        assert_equal(one, other)
    assert scores.soft.constant_units == 1 / (5 + units_b)


def test_a_unit_that_varies_in_one_fold_alone_is_not_constant():
    y_a, y_b = related()
    train, _ = k_folds(80, 5, 0)[0]
    y_b[train, 1] = 0.1
    scores = align(random_fold_moments(y_a, y_b, 5, 0), "a", "b")
    assert all(score.constant_units == 0 for score in scores)


def test_swapped_systems_swap_the_directions():
    y_a, y_b = related()
    moments = random_fold_moments(y_a, y_b, 5, 0)
    forth, back = align(moments, "a", "b"), align(moments, "b", "a")
    for one, other in zip(forth, [back[i] for i in (0, 2, 1, 4, 3)], strict=True):
        assert_equal(one, other)
    assert forth.semi_ab.mean != pytest.approx(forth.semi_ba.mean, abs=1e-3)
    assert forth.ridge_ab.mean != pytest.approx(forth.ridge_ba.mean, abs=1e-3)


def test_permuted_copies_align_wholly_and_rotated_ones_only_linearly():
    y = normal(200, 6)
    scores = align(random_fold_moments(y, y.flip(1) * 3 + 1, 5, 0), "a", "b")
    close([score.mean for score in scores], [1] * 5, 1e-6)
    means = [score.mean for score in align(random_fold_moments(y, y @ rotation(6), 5, 0), "a", "b")]
    assert max(means[:3]) < 0.9
    close(means[3:], [1, 1], 1e-6)


def test_pairs_are_scored_one_by_one_and_keep_their_order():
    pairs = [random_fold_moments(*related(seed=10 * p), 5, 0) for p in range(3)]
    scores = align_pairs(pairs, "a", "b")
    assert all(score.shape == (3,) and score.dtype == torch.float64 for score in scores)
    for p, moments in enumerate(pairs):
        close([score[p] for score in scores], [score.mean for score in align(moments, "a", "b")])
    assert len(set(scores.soft.tolist())) == 3


def streamed(models, folds=5, stimuli=500, n=6, units=4):
    """Features and, of each model, a linear mixture of them; the stimuli of each fold one after the other."""
    z = bernoulli_uniform(stimuli, n, 0.5, seeded(0))
    y = z @ normal(models, n, units, seed=1)
    moments = FoldMoments({"features": n, "neurons": units}, folds, (models,))
    parts = torch.arange(stimuli).tensor_split(folds)
    for fold, part in enumerate(parts):
        moments.add(fold, features=z[part], neurons=y[:, part])
    splits = [(torch.cat(parts[:i] + parts[i + 1 :]), parts[i]) for i in range(folds)]
    return moments, splits, z, y


def test_planted_features_are_found():
    z = bernoulli_uniform(300, 5, 0.3, seeded(0))
    y = torch.cat([normal(300, 2), 2 * z.flip(1) + 1], 1)  # permuted, scaled, beside noise
    close(feature_correlations(random_fold_moments(z, y, 5, 0), "a", "b"), torch.ones(5))
    noise = feature_correlations(random_fold_moments(z, normal(300, 7), 5, 0), "a", "b")
    assert abs(noise.mean()) < 5 / (300 * 5) ** 0.5


def test_features_agree_with_a_loop():
    moments, splits, z, y = streamed(2)
    for p in range(2):
        wanted = []
        for feature in z.numpy().T:
            held_out = []
            for train, test in splits:
                best = max(y[p].numpy().T, key=lambda unit, x=feature, at=train: np.corrcoef(x[at], unit[at])[0, 1])
                held_out.append(np.corrcoef(feature[test], best[test])[0, 1])
            wanted.append(np.mean(held_out))
        close(feature_correlations(moments[p], "features", "neurons"), wanted)


def test_the_partner_is_chosen_in_training_and_judged_held_out():
    z, y = normal(60, 1), normal(60, 40, seed=1)
    in_sample = unit_correlations(z, y).amax(1)
    assert feature_correlations(random_fold_moments(z, y, 5, 0), "a", "b") < in_sample - 0.1
    assert paired_correlations(z, z) == pytest.approx(1)


def test_seed_pairs_split_even_and_odd_models():
    y, z = normal(6, 4, 3), normal(6, 4, 2)
    pairs = seed_pairs(neurons=y, latents=z)
    assert list(pairs) == ["neurons_a", "neurons_b", "latents_a", "latents_b"]
    assert torch.equal(pairs["neurons_a"], y[[0, 2, 4]])
    assert torch.equal(pairs["neurons_b"], y[[1, 3, 5]])
    assert torch.equal(pairs["latents_a"], z[[0, 2, 4]])
    assert torch.equal(pairs["latents_b"], z[[1, 3, 5]])


def test_a_gain_is_the_better_less_the_worse_of_each_pair():
    better, worse = (Alignment(*(normal(3, seed=10 * pairing + i) for i in range(5))) for pairing in range(2))
    found = gain({"ss": better, "nn": worse}, "semi_ba", "ss", "nn")
    assert torch.equal(found, better[2] - worse[2])
