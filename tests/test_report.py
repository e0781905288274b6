"""The whole analysis on pairs whose answer is known, small enough for a test."""

import numpy as np
import pytest
import torch
from helpers import close, normal, refuses, rotation
from torch.utils._python_dispatch import TorchDispatchMode

import lib.report
import lib.training
from lib.crossval import k_folds
from lib.features import bernoulli_uniform, seeded
from lib.geometry import linear_cka, rsa
from lib.matching import semi_matching_score, soft_matching_score
from lib.regression import ridge_score
from lib.report import (
    Settings,
    active_codes,
    analyse,
    choose_k,
    dimensions,
    explained,
    findings,
    fit_half,
    fit_saes,
    k_candidates,
    latents_by_rule,
    match,
    measure,
    random_saes,
    score_rows,
    score_table,
    settle,
    split_stimuli,
)
from lib.verdict import Verdict

pytestmark = pytest.mark.usefixtures("store")
SMALL = {"latents": 48, "k": 2, "steps": 400}
DENSE = normal(2400, 16, dtype=torch.float32)


def superposed(units=(16, 16), stimuli=2400):
    z = bernoulli_uniform(stimuli, 32, 0.06, seeded(5), torch.float32)
    return [z @ normal(32, m, seed=seed, dtype=torch.float32) for seed, m in enumerate(units, 1)]


def small_split(stimuli=400, units=(6, 4)):
    return split_stimuli(*(normal(stimuli, m, seed=m, dtype=torch.float32) for m in units), 0.5, 0)


def test_superposed_features_are_hidden_from_units_and_found_by_latents():
    found = analyse(*superposed(), **SMALL)
    assert found.reading.verdict is Verdict.HIDDEN
    assert found.findings.soft_ss > found.findings.soft_nn + 0.2
    assert found.findings.stable > found.findings.stable_random + 0.2


def test_rotated_dense_units_share_everything_linear_and_no_axes():
    found = analyse(DENSE, DENSE @ rotation(16, 3).float(), **SMALL)
    assert found.reading.verdict is Verdict.ROTATED
    close([found.findings.ridge_nn, float(found.measured.scores["cka", "nn"].mean())], [1, 1], 1e-3)
    assert any("arbitrary" in doubt for doubt in found.reading.doubts)


def test_permuted_units_match_already():
    found = analyse(DENSE, DENSE[:, torch.randperm(16, generator=seeded(4))], **SMALL)
    assert found.reading.verdict is Verdict.ALIGNED
    close(found.findings.soft_nn, 1, 1e-5)


def test_independent_networks_share_nothing():
    assert analyse(DENSE, normal(2400, 16, seed=9).float(), **SMALL).reading.verdict is Verdict.UNRELATED


def test_networks_of_different_sizes_are_compared_as_they_are():
    y_a, y_b = superposed(units=(16, 12))
    y_b[:, 3] = 2.0
    found = analyse(y_a, y_b, **SMALL)
    n_a, n_b = found.split.of(0), found.split.of(1)
    assert (n_a.shape[1], n_b.shape[1]) == (16, 12)
    assert not found.training.model.decoder[1::2, :, 12:].any()
    scores = found.measured.scores
    close(scores["soft", "nn"][0], soft_matching_score(n_a, n_b).folds)
    close(scores["semi_ba", "nn"][0], semi_matching_score(n_b, n_a).folds)
    close(scores["ridge_ab", "nn"][0], ridge_score(n_a, n_b).folds, 1e-8)
    close(scores["ridge_ba", "nn"][0], ridge_score(n_b, n_a).folds, 1e-8)
    a, b = active_codes(found.training.model, found.split.scored, 5, 0)[2:]
    close(scores["soft", "ss"][1], soft_matching_score(a, b).folds)
    close(scores["ridge_ab", "sn"][1], ridge_score(a, n_b).folds, 1e-8)
    close(scores["ridge_ba", "sn"][1], ridge_score(b, n_a).folds, 1e-8)
    assert found.measured.constant == (0, 1)
    assert any("0 of a and 1 of b" in doubt for doubt in found.reading.doubts)


def test_findings_are_the_numbers_of_their_names():
    made = analyse(*superposed(units=(16, 12)), **SMALL)
    found, scores = made.findings, made.measured.scores
    half = active_codes(made.half.model, made.split.scored, 5, 0)
    close(found.match_rise, float(scores["soft", "ss"][0].mean()) - soft_matching_score(*half).mean)
    fit, seen = explained(made.split, made.training.model)
    close([found.explained_fit, found.explained], [fit.mean(), seen.mean()])
    close(found.explained_rise, seen[:2].mean() - explained(made.split, made.half.model)[1].mean())
    close(found.chance, max(abs(value) for value in made.measured.shuffled.values()))
    assert found.explained_fit > found.explained and found.explained_rise > 0
    close(found.ridge_nn, torch.stack([scores["ridge_ab", "nn"], scores["ridge_ba", "nn"]]).mean())
    close(found.match_over_random.mean, (scores["soft", "ss"] - scores["soft", "rs"]).mean())
    close(found.stable_random, torch.stack([scores["soft", "ra"], scores["soft", "rb"]]).mean())
    assert (found.units, found.stimuli, found.latents) == ((16, 12), (1200, 1200), 48)


def test_a_negative_score_of_shuffled_stimuli_counts_by_its_size():
    made = analyse(*superposed(), **SMALL)
    spoiled = made.measured._replace(shuffled={("soft", "nn"): -0.4, ("soft", "ss"): 0.1})
    assert findings(made.split, made.settings, made.training, made.half, spoiled).chance == 0.4


def test_shuffled_stimuli_score_nothing_and_only_they():
    y_a, y_b = superposed()
    found = analyse(y_a, y_b, **SMALL).measured
    assert {pairing for _, pairing in found.shuffled} == {"nn", "ss", "sn", "rn"}
    assert max(map(abs, found.shuffled.values())) < 0.06
    assert found.scores["ridge_ab", "nn"].mean() > 0.5


def test_parts_are_disjoint_complete_and_share_no_statistics():
    y = torch.arange(100.0)[:, None] * torch.tensor([1.0, 2.0])
    split = split_stimuli(y, -y[:, :1], 0.3, 0)
    assert split.fit.shape == (2, 30, 2) and split.scored.shape == (2, 70, 2)
    both = torch.cat([split.fit, split.scored], 1)[0, :, 0]
    steps = both.sort().values.diff()
    close(steps, steps[:1].expand(99), 1e-5)  # every stimulus once
    close(split.fit.mean(1), torch.zeros(2, 2), 1e-5)
    close(split.fit.var(1, correction=0).sum(1), [1, 1], 1e-5)
    assert not split.fit[1, :, 1].any() and split.of(1).shape == (70, 1)
    assert split_stimuli(y, y, 0.3, 1).digest != split.digest == split_stimuli(y, -y[:, :1], 0.3, 0).digest


def test_dimensions_are_those_of_the_units_alone():
    used = dimensions(split_stimuli(DENSE, DENSE[:, :4], 0.5, 0))
    assert 15 < used[0] <= 16 and 3.8 < used[1] <= 4


@pytest.mark.parametrize(("stimuli", "wanted"), [(100, 12), (4000, 24)])
def test_latents_are_four_a_unit_unless_stimuli_are_few(stimuli, wanted):
    assert latents_by_rule(small_split(stimuli)) == wanted


def test_k_is_the_one_at_which_one_networks_saes_agree():
    split = split_stimuli(*superposed(stimuli=4000), 0.5, 0)
    agreement = choose_k(split, Settings(32, 0, 1200, 2), [2, 12])
    assert agreement[2] > agreement[12] + 0.1
    unrelated = split_stimuli(superposed(stimuli=4000)[0], normal(4000, 16, dtype=torch.float32), 0.5, 0)
    assert choose_k(unrelated, Settings(32, 0, 1200, 2), [2])[2] > 0.25  # of each network, never of the pair
    assert k_candidates(128) == [2, 4, 8, 16] and k_candidates(8) == [1]
    settings, scanned = settle(split, Settings(32, 0, 40, 2))
    assert settings.k == max(scanned, key=scanned.get) and list(scanned) == k_candidates(32)
    assert settle(split, Settings(1024, 0, 40, 2)) == (Settings(1024, 16, 40, 2), {})
    assert settle(split, Settings(0, 3, 40, 2)) == (Settings(64, 3, 40, 2), {})


def test_latents_silent_throughout_a_fold_are_left_out():
    split, settings = small_split(), Settings(8, 2, 4, 2)
    sae = fit_saes(split, settings).model
    with torch.no_grad():
        sae.encoder_bias[2, :, 3] = -100
    codes = active_codes(sae, split.scored, 5, 0)
    assert [code.shape for code in codes] == [(200, 8), (200, 8), (200, 7), (200, 8)]
    close(measure(split, sae, random_saes(split, settings)).silent, 1 / 32)
    with torch.no_grad():
        sae.encoder_bias[1] = -100
    refuses("no latent of an SAE fires", "more stimuli", active_codes, sae, split.scored, 5, 0)


def test_saes_of_other_responses_are_others():
    y = [normal(400, 6, seed=seed, dtype=torch.float32) for seed in (1, 2)]
    one, other = (fit_saes(split_stimuli(*pair, 0.5, 0), Settings(8, 2, 8, 2)).model for pair in (y, y[::-1]))
    assert not torch.equal(one.decoder, other.decoder)


def test_half_training_is_the_first_seeds():
    split, settings = small_split(), Settings(8, 2, 60, 2)
    full, half = fit_saes(split, settings), fit_half(split, settings)
    assert (full.step, half.step, len(full.model.encoder), len(half.model.encoder)) == (60, 30, 4, 2)
    short = fit_saes(split, settings, 30).model
    close(half.model.encoder.detach(), short.encoder[:2].detach(), 1e-5)
    assert all(share.shape == (4,) for share in explained(split, full.model))


def test_training_that_was_stopped_ends_with_the_same_numbers(monkeypatch):
    split, settings = small_split(), Settings(8, 2, 60, 2)
    whole = measure(split, fit_saes(split, settings).model, random_saes(split, settings))
    for file in lib.training.ROOT.rglob("*.pt"):
        file.unlink()
    run, stop = lib.training.Training.run, lib.training.Training._note
    monkeypatch.setattr(lib.training, "SECONDS_BETWEEN_CHECKPOINTS", -1)

    def note(self, measured):
        if self.step == 31:
            raise KeyboardInterrupt
        stop(self, measured)

    monkeypatch.setattr(lib.training.Training, "_note", note)
    with pytest.raises(KeyboardInterrupt):
        fit_saes(split, settings)
    monkeypatch.setattr(lib.training.Training, "_note", stop)
    steps = []
    monkeypatch.setattr(lib.training.Training, "run", lambda self, *a: (steps.append(self.step), run(self, *a))[1])
    resumed = measure(split, fit_saes(split, settings).model, random_saes(split, settings))
    assert steps == [30]
    assert all(torch.equal(value, resumed.scores[key]) for key, value in whole.scores.items())


def test_match_reads_geometry_on_each_held_out_fold():
    x, y = normal(100, 5), normal(100, 4, seed=1)
    found = match(x, y, 5, 0)
    assert {len(values) for values in found.values()} == {5}
    for fold, (_, test) in enumerate(k_folds(100, 5, 0)):
        close(found["cka"][fold], linear_cka(x[test], y[test], debiased=True))
        close(found["rsa"][fold], rsa(x[test], y[test]))
    close(match(x, 3 * x + 1, 5, 0)["cka"], np.ones(5))
    close(match(x, x @ rotation(5), 5, 0)["rsa"], np.ones(5))


def test_tables_hold_every_score():
    split, settings = small_split(), Settings(8, 2, 40, 3)
    found = measure(split, fit_saes(split, settings).model, random_saes(split, settings), folds=4)
    table = score_rows(found)
    assert not table.isna().any().any()
    one = table[(table.metric == "soft") & (table.pairing == "ss")]
    assert len(one) == 12
    close(one.score.mean(), found.scores["soft", "ss"].mean())
    assert set(table.pairing) >= {"nn", "ss", "rs", "sn", "rn", "aa", "bb", "ra", "rb", "shuffled nn"}
    shown = score_table(found, {"ss": "S-S"}, {"soft": "soft-matching"}).loc["soft-matching", "S-S"]
    error = float(found.scores["soft", "ss"].mean(0).std()) / 2
    assert shown == f"{float(found.scores['soft', 'ss'].mean()):.3f} ± {error:.3f}"


def test_few_stimuli_are_told():
    y_a, y_b = superposed(stimuli=80)
    assert any("Few stimuli" in doubt for doubt in analyse(y_a, y_b, steps=40, latents=12, k=3).reading.doubts)


def test_bad_input_is_refused():
    y = normal(60, 4, dtype=torch.float32)
    refuses("15 stimuli, 8 of them for the SAEs", "give more stimuli", split_stimuli, y[:15], y[:15], 0.5, 0)
    refuses("30 of them for the SAEs", "each of 8 folds", split_stimuli, y, y, 0.5, 0, folds=8)
    refuses("no unit of b ever changes", "rows are stimuli", split_stimuli, y, torch.ones(60, 2), 0.5, 0)
    refuses("a has 60 stimuli and b has 50", "same stimuli", split_stimuli, y, y[:50], 0.5, 0)
    refuses("b has 1 NaN", "replace", split_stimuli, y, torch.where(y == y.max(), torch.nan, y), 0.5, 0)
    refuses("a has shape (1, 60, 4)", "give (stimuli, units)", split_stimuli, y[None], y[None], 0.5, 0)
    for share, folds in ((0.0, 5), (1.5, 5), (float("nan"), 5), (0.5, 1)):
        refuses("share of stimuli", "two or more folds", split_stimuli, y, y, share, 0, folds=folds)
    split = split_stimuli(y, y, 0.5, 0)
    refuses("seeds = 1", "two or more", settle, split, Settings(8, 2, 40, 1))
    refuses("sae_steps = 2", "four steps", settle, split, Settings(8, 2, 2, 2))
    refuses("k = 9", "choose", fit_saes, split, Settings(8, 9, 40, 2))
    refuses("folds", "choose", measure, split, fit_saes(split, Settings(8, 2, 4, 2)).model, None, 20)


def test_a_number_of_active_latents_that_fails_is_out_and_the_others_are_compared(monkeypatch):
    split = small_split()

    def active(sae, *others):
        if sae.k == 1:
            raise ValueError("no latent of an SAE fires in every fold")
        return active_codes(sae, *others)

    monkeypatch.setattr(lib.report, "active_codes", active)
    assert list(choose_k(split, Settings(8, 0, 8, 2), [1, 2])) == [2]
    refuses("with k of [1]", "give k", choose_k, split, Settings(8, 0, 8, 2), [1])


class Largest(TorchDispatchMode):
    """Remembers how many entries the largest tensor that any operation filled has."""

    entries = 0

    def __torch_dispatch__(self, function, types, arguments=(), options=None):
        results = function(*arguments, **(options or {}))
        for result in results if isinstance(results, tuple | list) else [results]:
            if isinstance(result, torch.Tensor) and "empty" not in str(function):
                self.entries = max(self.entries, result.numel())
        return results


def test_nothing_of_stimuli_by_stimuli_is_ever_formed():
    """The largest tensor grows with the stimuli and not with their square."""
    largest = []
    for stimuli in (2000, 4000):
        with Largest() as mode:
            analyse(*superposed((8, 6), stimuli), latents=16, k=2, steps=4)
        largest.append(mode.entries)
    assert largest[1] <= 2 * largest[0] < 1000**2 / 2
