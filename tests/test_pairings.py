import numpy as np
import ot
import pytest
import torch
from helpers import close, normal, refuses, rotation, some_sae

from lib.crossval import k_folds
from lib.features import bernoulli_uniform, seeded
from lib.geometry import linear_cka, rsa
from lib.moments import FoldMoments
from lib.pairings import (
    GEOMETRY,
    MATCHING,
    PAIRINGS,
    RIDGE,
    Held,
    Pairing,
    feature_correlations,
    gain,
    means,
    pair_moments,
    pairing_scores,
    score,
    score_pairs,
    seed_pairs,
    values,
)
from lib.regression import ridge_score
from lib.sae import explained_variance


def held(folds=5, seed=0, **responses):
    """Populations as responses."""
    return Held(responses, k_folds(len(next(iter(responses.values()))), folds, seed))


def streamed(folds=5, seed=0, **responses):
    """The same populations on the same folds as moments."""
    moments = FoldMoments({name: y.shape[1] for name, y in responses.items()}, folds)
    for fold, (_, test) in enumerate(k_folds(len(next(iter(responses.values()))), folds, seed)):
        moments.add(fold, **{name: y[test] for name, y in responses.items()})
    return moments


FORMS = pytest.mark.parametrize("form", [held, streamed])


def related(stimuli=80, units_a=5, units_b=7, seed=0):
    y_a = 1 + normal(stimuli, units_a, seed=seed)
    return y_a, y_a @ normal(units_a, units_b, seed=seed + 1) + 2 * normal(stimuli, units_b, seed=seed + 2)


def saes(units=6, latents=8, k=2, models=4):
    return some_sae(units, latents, k, list(range(models))), some_sae(units, latents, k, list(range(10, 10 + models)))


def correlation(x, y):
    """Of every column of x with every column of y; 0 where one is constant."""
    return np.array([[np.corrcoef(u, v)[0, 1] if np.ptp(u) and np.ptp(v) else 0.0 for v in y.T] for u in x.T])


def by_loops(y_a, y_b, folds):
    """Matching by its definition: scores of each fold."""
    found = {metric: [] for metric in MATCHING}
    for train, test in folds:
        c, held_out = (correlation(y_a[part], y_b[part]) for part in (train, test))
        units_a, units_b = c.shape
        plan = ot.emd(np.full(units_a, 1 / units_a), np.full(units_b, 1 / units_b), 1 - c)
        found["soft"].append((plan * held_out).sum())
        found["semi_ab"].append(np.mean([held_out[i, c[i].argmax()] for i in range(units_a)]))
        found["semi_ba"].append(np.mean([held_out[c[:, j].argmax(), j] for j in range(units_b)]))
    return found


@FORMS
@pytest.mark.parametrize(("units_b", "folds", "seed"), [(5, 5, 0), (7, 4, 3), (2, 2, 1)])
def test_scores_agree_with_loops_on_the_same_folds(form, units_b, folds, seed):
    y_a, y_b = related(units_b=units_b)
    y_b[:, 1] = 0.1
    table = score(form(folds, seed, a=y_a, b=y_b), [Pairing("ab", "a", "b")])
    wanted = by_loops(y_a.numpy(), y_b.numpy(), k_folds(80, folds, seed))
    wanted["ridge_ab"] = ridge_score(y_a, y_b, folds, seed).folds
    wanted["ridge_ba"] = ridge_score(y_b, y_a, folds, seed).folds
    assert len(table) == 5 * folds
    for metric, of_folds in wanted.items():
        close(values(table, metric, "ab"), [of_folds], 1e-9)


@FORMS
def test_directions_are_told_apart_and_turn_with_the_populations(form):
    y_a, y_b = related()
    table = score(form(a=y_a, b=y_b), [Pairing("forth", "a", "b"), Pairing("back", "b", "a")])
    close(means(table, "soft", "forth"), means(table, "soft", "back"), 1e-9)
    for metric in ("semi", "ridge"):
        forth, back = (means(table, f"{metric}_{way}", "forth") for way in ("ab", "ba"))
        close(forth, means(table, f"{metric}_ba", "back"))
        close(back, means(table, f"{metric}_ab", "back"))
        assert abs(forth - back) > 1e-3


@FORMS
def test_permuted_copies_align_wholly_and_rotated_ones_only_linearly(form):
    y = normal(200, 6)
    both = form(y=y, permuted=y.flip(1) * 3 + 1, rotated=y @ rotation(6))
    table = score(both, [Pairing("permuted", "y", "permuted"), Pairing("rotated", "y", "rotated")])
    for metric in (*MATCHING, *RIDGE):
        close(means(table, metric, "permuted"), [1], 1e-6)
        assert (means(table, metric, "rotated") < 0.9) == (metric in MATCHING)


def test_geometry_is_read_on_each_held_out_fold():
    x, y = normal(100, 5), normal(100, 4, seed=1)
    both = held(x=x, y=y, scaled=3 * x + 1, rotated=x @ rotation(5))
    table = score(both, [Pairing(name, "x", name, tuple(GEOMETRY)) for name in ("y", "scaled", "rotated")])
    for fold, (_, test) in enumerate(k_folds(100, 5, 0)):
        close(values(table, "cka", "y")[0, fold], linear_cka(x[test], y[test], debiased=True))
        close(values(table, "rsa", "y")[0, fold], rsa(x[test], y[test]))
    for name in ("scaled", "rotated"):
        close([values(table, metric, name)[0].tolist() for metric in GEOMETRY], np.ones((2, 5)))


@FORMS
def test_pairings_that_share_their_source_are_predicted_as_if_alone(form):
    y_a, y_b = related()
    y_c = y_b[torch.randperm(80, generator=seeded(7))][:, :3]
    both = form(a=y_a, b=y_b, c=y_c)
    pairings = [
        Pairing("ab", "a", "b", tuple(RIDGE)),
        Pairing("ac", "a", "c", tuple(RIDGE)),
        Pairing("cb", "c", "b", tuple(RIDGE), 1),
    ]
    together = score(both, pairings)
    for one in pairings:
        alone = score(both, [one])
        for metric in RIDGE:
            close(values(together, metric, one.name), values(alone, metric, one.name))
    assert means(together, "ridge_ab", "ab") > 0.5 > abs(means(together, "ridge_ab", "ac"))


def test_the_table_has_a_row_for_each_score_and_no_other():
    y_a, y_b = related()
    table = score(
        held(a=y_a, b=y_b), [Pairing("x", "a", "b", ("soft", "ridge_ba")), Pairing("x", "b", "a", ("soft",), 1)]
    )
    assert list(table.columns) == ["metric", "pairing", "direction", "seed", "fold", "value"]
    assert table.groupby(["metric", "direction", "seed"]).size().to_dict() == {
        ("soft", "", 0): 5,
        ("ridge", "ba", 0): 5,
        ("soft", "", 1): 5,
    }
    assert not table.isna().any().any() and values(table, "soft", "x").shape == (2, 5)
    refuses("no ridge_ab of x", "ask for it", values, table, "ridge_ab", "x")
    refuses("no soft of y", "ask for it", means, table, "soft", "y")


def test_pairs_are_scored_one_by_one_and_keep_their_order():
    pairs = [dict(zip(("n_a", "n_b"), related(seed=10 * p), strict=True)) for p in range(3)]
    table = score_pairs([streamed(**pair) for pair in pairs], ["nn"])
    for p, pair in enumerate(pairs):
        alone = score(held(**pair), [Pairing("nn", "n_a", "n_b")])
        for metric in (*MATCHING, *RIDGE):
            close(values(table, metric, "nn")[p], values(alone, metric, "nn")[0])
    assert len(set(means(table, "soft", "nn").tolist())) == 3


def test_a_gain_is_the_better_less_the_worse_of_each_pair():
    y_a, y_b = related()
    table = score(
        held(a=y_a, b=y_b, c=y_a.flip(1)),
        [
            Pairing("ss", "a", "c"),
            Pairing("nn", "a", "b"),
            Pairing("ss", "c", "a", seed=1),
            Pairing("nn", "b", "a", seed=1),
        ],
    )
    rows = table[(table.metric == "semi") & (table.direction == "ba")]
    of = {(name, seed): part.value.mean() for (name, seed), part in rows.groupby(["pairing", "seed"])}
    close(gain(table, "semi_ba", "ss", "nn"), [of["ss", seed] - of["nn", seed] for seed in (0, 1)])


@FORMS
def test_planted_features_are_found(form):
    z = bernoulli_uniform(300, 5, 0.3, seeded(0))
    y = torch.cat([normal(300, 2), 2 * z.flip(1) + 1], 1)  # permuted, scaled, beside noise
    both = form(z=z, y=y, noise=normal(300, 7))
    close(feature_correlations(both, "z", "y"), torch.ones(5))
    assert abs(feature_correlations(both, "z", "noise").mean()) < 5 / (300 * 5) ** 0.5


@FORMS
def test_features_agree_with_a_loop_and_are_judged_held_out(form):
    z, y = normal(60, 3), normal(60, 40, seed=1)
    wanted = []
    for feature in z.numpy().T:
        held_out = []
        for train, test in k_folds(60):
            best = max(y.numpy().T, key=lambda unit, x=feature, at=train: np.corrcoef(x[at], unit[at])[0, 1])
            held_out.append(np.corrcoef(feature[test], best[test])[0, 1])
        wanted.append(np.mean(held_out))
    close(feature_correlations(form(z=z, y=y), "z", "y"), wanted)
    assert np.mean(wanted) < correlation(z.numpy(), y.numpy()).max(1).mean() - 0.1


def test_seed_pairs_split_even_and_odd_models():
    y, z = normal(6, 4, 3), normal(6, 4, 2)
    pairs = seed_pairs(n=y, s=z)
    assert list(pairs) == ["n_a", "n_b", "s_a", "s_b"]
    for name, wanted in (("n_a", y[[0, 2, 4]]), ("n_b", y[[1, 3, 5]]), ("s_a", z[[0, 2, 4]]), ("s_b", z[[1, 3, 5]])):
        assert torch.equal(pairs[name], wanted)


def test_explained_variance_of_a_perfect_and_of_an_empty_sae():
    z = bernoulli_uniform(6000, 6, 0.3, seeded(0), torch.float32)
    y = torch.stack([z, 2 * z])
    sae = some_sae(6, 6, 6, [0, 1])
    with torch.no_grad():
        sae.encoder.copy_(torch.eye(6).expand(2, -1, -1))
        sae.decoder.copy_(torch.eye(6).expand(2, -1, -1))
        close(explained_variance(sae, y), torch.ones(2), 1e-6)
        sae.decoder.zero_()
        sae.decoder_bias.copy_(y.mean(1, keepdim=True))
    close(explained_variance(sae, y), torch.zeros(2), 1e-6)


def test_pairing_scores_are_those_of_the_populations_named():
    y = normal(4, 1000, 6, dtype=torch.float32)
    y[1::2] += 2 * y[::2, :, torch.randperm(6, generator=seeded(1))]
    sae, control = saes()
    table = pairing_scores(y, sae, control)
    assert tuple(table.pairing.unique()) == PAIRINGS
    named = {"n": y, "s": sae.latents(y), "r": control.latents(y)}
    parts = [torch.arange(j, 1000, 5) for j in range(5)]
    folds = [(torch.cat(parts[:j] + parts[j + 1 :]), parts[j]) for j in range(5)]
    for ab in PAIRINGS:
        for i in range(2):
            both = Held({"a": named[ab[0]][2 * i].double(), "b": named[ab[1]][2 * i + 1].double()}, folds)
            wanted = score(both, [Pairing(ab, "a", "b")])
            for metric in (*MATCHING, *RIDGE):
                close(values(table, metric, ab)[i], values(wanted, metric, ab)[0], 1e-6)


def test_networks_that_share_their_features_score_one_by_codes_alone():
    z = bernoulli_uniform(3000, 8, 0.1, seeded(0), torch.float32)
    decoder = torch.nn.functional.normalize(normal(2, 8, 8, dtype=torch.float32), dim=-1)
    sae, control = saes(8, 8, 8, 2)
    with torch.no_grad():
        sae.encoder.copy_(torch.linalg.inv(decoder))
    table = pairing_scores(z @ decoder, sae, control)
    close(means(table, "soft", "ss"), [1], 1e-3)
    assert means(table, "soft", "nn") < 0.7 and means(table, "soft", "rs") < 0.7


def test_known_features_can_be_one_of_the_populations():
    y = normal(2, 1000, 6, dtype=torch.float32)
    sae, control = saes(models=2)
    (moments,) = pair_moments(y, sae, control, "fn", y[1, :, :3] > 0)
    found = feature_correlations(moments, "f_a", "n_b")
    close(found, torch.full((3,), (2 / torch.pi) ** 0.5), 0.03)


def test_silent_latents_are_left_out():
    y = normal(2, 1000, 6, dtype=torch.float32)
    sae, control = saes(models=2)
    with torch.no_grad():
        sae.encoder_bias[1, :, 3] = -100
    (moments,) = pair_moments(y, sae, control, "ss")
    assert [len(moments.places[name]) for name in ("s_a", "s_b")] == [8, 7]
