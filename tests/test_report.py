"""The whole analysis on pairs whose answer is known, small enough for a test."""

import subprocess
import sys
from math import isnan

import numpy as np
import pandas as pd
import pytest
import torch
from helpers import around, close, normal, refuses, rotation
from torch.utils._python_dispatch import TorchDispatchMode

import lib.report
import lib.training
from lib.baselines import random_relu
from lib.crossval import k_folds
from lib.features import bernoulli_uniform, seeded
from lib.geometry import linear_cka
from lib.known_pairs import pair
from lib.matching import semi_matching_score, soft_matching_score
from lib.pairings import values
from lib.regression import ridge_score
from lib.report import (
    Brought,
    Measured,
    Settings,
    active_codes,
    all_codes,
    analyse,
    chance,
    check,
    choose_k,
    costs,
    decoder_agreement,
    explained,
    findings,
    fit_half,
    fit_saes,
    k_candidates,
    latents_by_rule,
    measure,
    random_saes,
    reliabilities,
    score_table,
    settle,
    settle_brought,
)
from lib.sae import TopKSAE, keep_largest
from lib.sae_families import FAMILIES
from lib.split import split_stimuli
from lib.verdict import Verdict, gain

pytestmark = pytest.mark.usefixtures("store")
SMALL = Settings(48, 2, 400)
DENSE = normal(2400, 16, dtype=torch.float32)


def superposed(units=(16, 16), stimuli=2400, features=32, p=0.06):
    z = bernoulli_uniform(stimuli, features, p, seeded(5), torch.float32)
    return [z @ normal(features, m, seed=seed, dtype=torch.float32) for seed, m in enumerate(units, 1)]


def small_split(stimuli=400, units=(6, 4)):
    return split_stimuli(*(normal(stimuli, m, seed=m, dtype=torch.float32) for m in units), 0.5, 0)


def test_superposed_features_are_hidden_from_units_and_found_by_latents():
    found = analyse(*superposed((40, 40), 3000, 80, 0.04), Settings(80, 3, 600))
    assert found.reading.verdict is Verdict.HIDDEN
    assert found.findings.soft_ss > found.findings.soft_nn + 0.2
    assert found.findings.stable > found.findings.stable_random + 0.2


@pytest.mark.parametrize("name", ["tanh and cos", "places in two dimensions", "products of dense units"])
def test_a_shared_nonlinearity_is_not_read_as_superposition(name):
    """Nothing is sparse there: units are smooth functions of a few variables that both networks see."""
    assert analyse(*pair(name, 0, (20, 1600)), Settings(40, 3, 250)).reading.verdict.answer != "yes"


def test_a_massive_unit_is_scaled_down_and_told():
    y_a, y_b = pair("match, but for a massive unit", 0, (16, 1200))
    split = split_stimuli(y_a, y_b)
    assert [*split.massive[0]] == [*split.massive[1]] == [16] and split.massive[0][16] > 0.99
    variance = split.fit.var(1, correction=0)
    close(variance.sum(1), [1, 1], 1e-4)
    assert variance[:, 16].max() < 0.7 and variance[:, :16].min() > 0.01
    found = analyse(y_a, y_b, Settings(34, 3, 200))
    assert found.reading.verdict is Verdict.ALIGNED and "number 16" in found.reading.markdown()
    assert found.findings.silent < 0.3
    assert split_stimuli(y_a[:, :16], y_b[:, :16]).massive == ({}, {})


def test_dead_units_are_left_out_as_silent_latents_are():
    y_a, y_b = pair("match, but for dead units", 0, (20, 1200))
    y_a[0, y_a.std(0) == 0] = 1.0  # fire once, and are silent in all folds but one
    found = analyse(y_a, y_b, Settings(24, 3, 100))
    assert found.findings.constant == (8, 8) and found.split.units == (12, 12)
    assert found.reading.verdict is Verdict.ALIGNED and "8 of a and 8 of b" in found.reading.markdown()
    y_b[: len(y_b) - 1] = 0
    refuses("no unit of b changes in every fold", "more stimuli", split_stimuli, y_a, y_b)


def test_weak_sharing_is_more_than_nothing():
    z = normal(3000, 96, dtype=torch.float32)
    a, b = (
        torch.cat([z[:, :3], z[:, start : start + 45]], 1) @ normal(48, 24, seed=start).float() for start in (3, 50)
    )
    found = analyse(a, b, Settings(48, 3, 60))
    assert max(found.findings.soft_nn, found.findings.ridge_nn) < 0.15
    assert found.reading.verdict.answer == "cannot tell" and "beyond chance" not in found.reading.markdown()
    apart = analyse(a, b[torch.randperm(3000, generator=seeded(1))], Settings(48, 3, 60))
    assert apart.reading.verdict is Verdict.UNRELATED


def test_repeats_tell_noise_from_difference():
    y_a, y_b = pair("same voxels, half noise, repeats", 0, (12, 1200))
    settings = Settings(24, 3, 60)
    found = analyse(y_a, y_b, settings)
    assert found.reading.verdict is Verdict.ALIGNED and 0.97 < found.findings.soft_nn < 1.03
    close(found.findings.ceilings, [0.8**0.5] * 2, 0.02)  # of the mean of four repeats of reliability .5
    means = y_a.mean(2), y_b.mean(2)
    alone = analyse(*means, settings)
    assert alone.findings.soft_nn < 0.85 and alone.reading.verdict is not Verdict.ALIGNED
    given = analyse(*means, settings._replace(ceiling=(0.8**0.5, 0.8**0.5)))
    close(given.findings.soft_nn, alone.findings.soft_nn / 0.8, 1e-6)
    assert given.reading.verdict is Verdict.ALIGNED and "0.894 in a" in given.reading.markdown()
    one = split_stimuli(y_a, means[1])  # repeats of one network only
    assert one.repeats == (4, 1) and torch.equal(one.halves[0, 1], one.halves[1, 1])


def test_spike_counts_of_the_same_cells_match():
    found = analyse(*pair("same cells, spike counts", 0, (12, 1600)), Settings(24, 3, 60))
    assert found.reading.verdict is Verdict.ALIGNED and max(found.findings.ceilings) < 0.95


@pytest.mark.parametrize("name", ["unrelated, three copies", "unrelated, superposed, near copies"])
def test_copies_are_kept_together_and_teach_nothing(name):
    y_a, y_b = pair(name, 0, (12, 1500))
    found = analyse(y_a, y_b, Settings(24, 3, 60))
    assert found.reading.verdict is Verdict.UNRELATED
    close(found.findings.distinct, [250, 250], 2)  # two stimuli without an active feature may be near copies too
    assert f"1500 in all, and {sum(found.findings.distinct)} counted once" in found.reading.markdown()


def test_few_stimuli_leave_no_basis():
    found = analyse(*pair("few stimuli", 0, (40, 300)), Settings(160, 3, 150)).reading
    assert found.verdict is Verdict.UNDECIDED and any("Few stimuli" in doubt for doubt in found.doubts)


def test_units_that_are_all_found_in_a_wider_network_match_already():
    found = analyse(*pair("match, and mixes beside", 0, (12, 1000)), Settings(36, 3, 60))
    assert found.findings.soft_nn < 0.7 and found.reading.verdict is Verdict.ALIGNED
    assert "has its match in the other" in found.reading.markdown()


@pytest.mark.parametrize("mean", [1e7, 1e9])
def test_large_means_and_tiny_tails_keep_their_digits(mean):
    y, bare = around(mean, 400, 6)
    split = split_stimuli(y, y)
    close(split.scored, split_stimuli(bare, bare).scored, 1e-5)
    tiny = normal(400, 6, dtype=torch.float32)
    tiny[:, 2] *= 1e-24
    scores = scored(split_stimuli(tiny, tiny), Settings(8, 2, 4)).scores
    close(values(scores, "soft", "nn"), torch.ones(1, 5), 1e-5)


def test_sparse_features_that_are_only_rotated_are_found_by_independent_axes_as_well():
    z = bernoulli_uniform(2400, 16, 0.1, seeded(6), torch.float32)
    found = analyse(z, z @ rotation(16, 3).float(), SMALL)
    assert values(found.measured.scores, "soft", "ii").mean() > 0.95 > found.findings.soft_ss
    assert found.reading.verdict is Verdict.AXES


def test_rotated_dense_units_share_everything_linear_and_the_answer_is_no():
    """Principal axes of the same stimuli turn with the units, so these match, whatever the features."""
    found = analyse(DENSE, DENSE @ rotation(16, 3).float(), SMALL)
    assert found.reading.verdict is Verdict.AXES and values(found.measured.scores, "soft", "pp").mean() > 0.9
    close([found.findings.ridge_nn, float(values(found.measured.scores, "cka", "nn").mean())], [1, 1], 1e-3)
    assert any("arbitrary" in doubt for doubt in found.reading.doubts)


def test_permuted_units_match_already():
    found = analyse(DENSE, DENSE[:, torch.randperm(16, generator=seeded(4))], SMALL)
    assert found.reading.verdict is Verdict.ALIGNED
    close(found.findings.soft_nn, 1, 1e-5)


def test_independent_networks_share_nothing():
    assert analyse(DENSE, normal(2400, 16, seed=9).float(), SMALL).reading.verdict is Verdict.UNRELATED


def test_networks_of_different_sizes_are_compared_as_they_are():
    y_a, y_b = superposed(units=(16, 12))
    y_b[:, 3] = 2.0
    found = analyse(y_a, y_b, SMALL)
    n_a, n_b = found.split.of(0), found.split.of(1)
    assert (n_a.shape[1], n_b.shape[1]) == found.split.units == (16, 11)
    assert not found.training.model.decoder[1::2, :, 11:].any()
    scores = found.measured.scores
    folds = k_folds(len(n_a))
    first_a, first_b, a, b = active_codes(found.training.model, found.split.scored, folds)
    random_a, random_b = active_codes(random_saes(found.training.model, found.settings), found.split.scored, folds)
    order = torch.randperm(len(n_b), generator=seeded(1))
    for metric, pairing, wanted in (
        ("soft", "nn", soft_matching_score(n_a, n_b)),
        ("semi_ab", "nn", semi_matching_score(n_a, n_b)),
        ("semi_ba", "nn", semi_matching_score(n_b, n_a)),
        ("soft", "ss", soft_matching_score(a, b)),
        ("soft", "rs", soft_matching_score(random_a, b)),
        ("semi_ba", "rs", semi_matching_score(b, random_a)),
        ("soft", "aa", soft_matching_score(first_a, a)),
        ("soft", "bb", soft_matching_score(first_b, b)),
        ("soft", "ra", soft_matching_score(random_a, first_a)),
        ("soft", "rb", soft_matching_score(random_b, first_b)),
        ("ridge_ab", "nn", ridge_score(n_a, n_b)),
        ("ridge_ba", "nn", ridge_score(n_b, n_a)),
        ("ridge_ab", "sn", ridge_score(a, n_b)),
        ("ridge_ba", "sn", ridge_score(b, n_a)),
        ("ridge_ab", "rn", ridge_score(random_a, n_b)),
        ("ridge_ba", "rn", ridge_score(random_b, n_a)),
        ("soft", "shuffled ss", soft_matching_score(first_a, first_b[order])),
        ("ridge_ab", "shuffled sn", ridge_score(a, n_b[order])),
        ("ridge_ab", "shuffled rn", ridge_score(random_a, n_b[order])),
    ):
        # A product in single precision is rounded otherwise when it is that of the transposes.
        close(values(scores, metric, pairing)[-1], wanted.folds, 5e-7 if metric == "semi_ba" else 1e-8)
    close(values(scores, "cka", "ss")[1, 0], linear_cka(a[folds[0][1]], b[folds[0][1]], debiased=True))
    assert "0 of a and 1 of b" in found.reading.markdown()
    semi = [values(scores, "semi_ba", ab).mean() for ab in ("ss", "nn")]  # from the narrower network to the wider one
    soft = [values(scores, "soft", ab).mean() for ab in ("ss", "nn")]
    close(found.findings.match_gain.mean, min(float(one[0] - one[1]) for one in (semi, soft)))
    close(found.findings.semi_nn, semi[1])


def test_findings_are_the_numbers_of_their_names():
    made = analyse(*superposed(units=(16, 12)), SMALL)
    found, scores = made.findings, made.measured.scores
    half = active_codes(made.half.model, made.split.scored, made.split.folds)
    close(found.match_rise, float(values(scores, "soft", "ss")[0].mean()) - soft_matching_score(*half).mean)
    fit, seen = explained(made.split, made.training.model)
    close([found.explained_fit, found.explained], [fit.mean(), seen.mean()])
    close(found.explained_rise, seen[:2].mean() - explained(made.split, made.half.model)[1].mean())
    close(found.chance, max(abs(value) for value in chance(scores).values()))
    assert found.explained_fit > found.explained and found.explained_rise > 0
    close(found.ridge_nn, torch.stack([values(scores, f"ridge_{way}", "nn") for way in ("ab", "ba")]).mean())
    close(found.match_over_random.mean, (values(scores, "soft", "ss") - values(scores, "soft", "rs")).mean())
    for given, better, worse in ((found.ridge_gain, "sn", "nn"), (found.ridge_over_random, "sn", "rn")):
        both = (sum(values(scores, f"ridge_{way}", ab) for way in ("ab", "ba")) / 2 for ab in (better, worse))
        close(given.mean, torch.sub(*both).mean())
    aa, bb = (values(scores, "soft", one).mean() for one in ("aa", "bb"))
    close(found.seed_share, values(scores, "soft", "ss").mean() / (aa * bb).sqrt())
    close(found.stable_random, torch.stack([values(scores, "soft", f"r{side}") for side in "ab"]).mean())
    assert (found.units, found.stimuli, found.latents) == ((16, 12), (1200, 1200), 48)


def test_a_negative_score_of_shuffled_stimuli_counts_by_its_size():
    made = analyse(*superposed(), SMALL)
    scores = made.measured.scores.copy()
    scores.loc[(scores.pairing == "shuffled nn") & (scores.metric == "soft"), "value"] = -0.4
    spoiled = made.measured._replace(scores=scores)
    close(findings(made.split, made.settings, made.training, made.half, spoiled).chance, 0.4)


def test_shuffled_stimuli_score_nothing_and_only_they():
    y_a, y_b = superposed()
    found = analyse(y_a, y_b, SMALL).measured
    assert {pairing for _, pairing in chance(found.scores)} == {"nn", "ss", "sn", "rn"}
    assert max(map(abs, chance(found.scores).values())) < 0.06
    assert values(found.scores, "ridge_ab", "nn").mean() > 0.5


@pytest.mark.parametrize(("stimuli", "units", "wanted"), [(100, 6, 12), (4000, 6, 24), (9000, 2000, 1125)])
def test_latents_are_four_a_unit_unless_stimuli_are_few(stimuli, units, wanted):
    assert latents_by_rule(small_split()._replace(units=(units, 4), distinct=(stimuli // 2, 9))) == wanted


def test_a_dictionary_holds_two_latents_a_unit_where_stimuli_suffice_and_costs_are_told():
    split = small_split()._replace(units=(2048, 768), distinct=(20_000, 20_000))
    assert latents_by_rule(split) == 4096 and latents_by_rule(split._replace(units=(768, 768))) == 1536
    assert costs(split, 2048) == []
    assert "1.7 GiB" in costs(split._replace(units=(8000, 768)), 250)[0]


def test_k_is_the_one_at_which_one_networks_saes_agree():
    split = split_stimuli(*superposed(stimuli=3000), 0.5, 0)
    agreement = choose_k(split, Settings(32, 0, 400, 2), [2, 6])
    assert agreement[2] > agreement[6] + 0.05 and 1 in agreement
    unrelated = split_stimuli(superposed(stimuli=3000)[0], normal(3000, 16, dtype=torch.float32), 0.5, 0)
    assert choose_k(unrelated, Settings(32, 0, 400, 2), [2])[2] > 0.25  # of each network, never of the pair
    assert k_candidates(128) == [2, 4, 8] and k_candidates(8) == [1]
    assert settle(split, Settings(1024, 0, 40, 2)) == (Settings(1024, 16, 40, 2), {})
    assert settle(split, Settings(0, 3, 40, 2)) == (Settings(64, 3, 40, 2), {})


def test_the_scan_goes_on_beyond_its_ends_at_full_length(monkeypatch):
    asked = []

    def agreement(best):
        return lambda split, settings: asked.append(settings) or -abs(settings.k - best)

    for best, wanted in ((16, [2, 4, 8, 16, 32]), (1, [1, 2, 4, 8]), (4, [2, 4, 8]), (200, [2, 4, 8, 16, 32, 64, 128])):
        monkeypatch.setattr(lib.report, "_seed_agreement", agreement(best))
        assert [*choose_k(small_split(), Settings(512, 0, 77), [2, 4, 8])] == wanted
    assert {one.steps for one in asked} == {77}
    chosen, scanned = settle(small_split(), Settings(128, 0, 77))
    assert chosen.k == max(scanned, key=scanned.get)


def test_a_dictionary_that_collapsed_cannot_win(monkeypatch):
    split = split_stimuli(*superposed(stimuli=1000), 0.5, 0)
    match, few = lib.report.active_codes, {1: 0.4, 2: 0.9, 4: 0.5}
    monkeypatch.setattr(lib.report, "latents_match", lambda codes, *others: torch.tensor(1.0 / codes[0].shape[1]))
    monkeypatch.setattr(
        lib.report,
        "active_codes",
        lambda sae, *others: [code[:, : int(few.get(sae.recipe.k, 1) * 32)] for code in match(sae, *others)],
    )
    found = choose_k(split, Settings(32, 0, 8), [1, 2, 4])
    assert 1 not in found and {2, 4} <= {*found}


def test_latents_silent_throughout_a_fold_are_left_out():
    split, settings = small_split(), Settings(8, 2, 4, 2)
    sae = fit_saes(split, settings).model
    with torch.no_grad():
        sae.encoder_bias[2, :, 3] = -100
    codes = active_codes(sae, split.scored, k_folds(200))
    assert [code.shape for code in codes] == [(200, 8), (200, 8), (200, 7), (200, 8)]
    close(measure(split, sae, random_saes(sae, settings), settings).silent, 1 / 32)
    with torch.no_grad():
        sae.encoder_bias[1] = -100
    refuses("no latent of an SAE fires", "more stimuli", active_codes, sae, split.scored, k_folds(200))


def test_saes_of_other_responses_are_others():
    y = [normal(400, 6, seed=seed, dtype=torch.float32) for seed in (1, 2)]
    one, other = (fit_saes(split_stimuli(*pair, 0.5, 0), Settings(8, 2, 8, 2)).model for pair in (y, y[::-1]))
    assert not torch.equal(one.decoder, other.decoder)


def scored(split, settings):
    sae = fit_saes(split, settings).model
    return measure(split, sae, random_saes(sae, settings), settings)


def test_half_training_is_the_first_seeds():
    split, settings = small_split(), Settings(8, 2, 60, 2)
    full, half = fit_saes(split, settings), fit_half(split, settings)
    assert (full.step, half.step, len(full.model.encoder), len(half.model.encoder)) == (60, 30, 4, 2)
    short = fit_saes(split, settings._replace(steps=30)).model
    close(half.model.encoder.detach(), short.encoder[:2].detach(), 1e-5)
    assert all(share.shape == (4,) for share in explained(split, full.model))


def test_the_rise_of_matching_is_a_share_of_what_noise_leaves():
    split, settings = small_split(), Settings(8, 2, 20, 2)
    full, half = fit_saes(split, settings), fit_half(split, settings)
    measured = measure(split, full.model, random_saes(full.model, settings), settings)
    noisy = measured._replace(ceilings=dict.fromkeys(measured.ceilings, 0.5))
    rises = [lib.report._trained(split, full, half, one)["match_rise"] for one in (measured, noisy)]
    close(rises[1], 4 * rises[0])
    assert rises[0] != 0


def test_training_that_was_stopped_ends_with_the_same_numbers(store, monkeypatch):
    split, settings = small_split(), Settings(8, 2, 60, 2)
    whole = scored(split, settings)
    for file in store.rglob("*.pt"):
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
    resumed = scored(split, settings)
    assert steps == [30]
    assert whole.scores.equals(resumed.scores)


def test_tables_show_means_and_errors_of_every_score():
    split = split_stimuli(*(normal(400, m, seed=m, dtype=torch.float32) for m in (6, 4)), 0.5, 0, folds=4)
    table = scored(split, Settings(8, 2, 40, 3)).scores
    assert not table.isna().any().any()
    one = table[(table.metric == "soft") & (table.pairing == "ss")]
    assert one.groupby("seed").fold.apply(list).tolist() == [[0, 1, 2, 3]] * 3
    assert len(table[(table.metric == "soft") & (table.pairing == "bb")]) == 2 * 4
    shown = score_table(table, {"ss": "S-S"}, {"soft": "soft-matching"}).loc["soft-matching", "S-S"]
    error = float(one.groupby("fold").value.mean().std()) / 2
    assert shown == f"{one.value.mean():.3f} ± {error:.3f}"


def test_reports_need_no_library_of_images():
    code = "import sys, lib.report; print({'torchvision', 'PIL', 'sklearn', 'matplotlib'} & {*sys.modules})"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "set()"
    code = "import sys, lib.sae; print('pandas' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "False\n"


@pytest.mark.parametrize("kind", [torch.Tensor.numpy, torch.Tensor.tolist, lambda y: pd.DataFrame(y.numpy())])
def test_arrays_of_any_kind_give_what_tensors_give(kind):
    y_a, y_b = superposed(stimuli=400)
    groups, settings = torch.arange(400) // 2, Settings(16, 2, 8)
    of_tensors = analyse(y_a, y_b, settings, groups=groups)
    of_arrays = analyse(kind(y_a), kind(y_b), settings, groups=groups.tolist())
    close(of_arrays.split.scored, of_tensors.split.scored, 1e-6)
    assert of_arrays.reading.verdict is of_tensors.reading.verdict


def brought_by(training, split, y):
    """Codes of all stimuli by SAEs that were trained on `split`, as another program would hand them over."""
    whole = y[0].new_zeros(2, len(y[0]), split.fit.shape[2])
    whole[:, split.at[0]], whole[:, split.at[1]] = split.fit, split.scored
    return Brought([*all_codes(training.model, whole)], [*training.model.decoder.detach()])


def test_codes_brought_along_score_as_in_the_run_that_trained_them():
    y, settings = superposed((40, 40), 3000, 80, 0.04), Settings(80, 3, 600)
    own = analyse(*y, settings)
    brought = brought_by(own.training, own.split, y)
    found = analyse(*y, Settings(), brought=brought)
    for metric, ab in (("soft", "ss"), ("soft", "aa"), ("ridge_ab", "sn"), ("cka", "ss"), ("soft", "rs")):
        close(values(found.measured.scores, metric, ab), values(own.measured.scores, metric, ab), 1e-5)
    close(found.findings.decoders, own.findings.decoders, 1e-6)
    assert (found.settings.latents, found.settings.k) == (80, 3) and found.training is None
    assert found.reading.verdict is own.reading.verdict is Verdict.HIDDEN
    assert "brought along" in found.reading.doubts[-1] and "provisional" in found.reading.headline()
    assert "cosine" not in analyse(*y, Settings(), brought=Brought(brought.codes)).reading.markdown()

    alone = analyse(*y, Settings(), brought=Brought(brought.codes[:2]))
    assert alone.reading.verdict is Verdict.ALONE and "again_sae_a" in alone.reading.markdown()
    assert alone.findings.stable != alone.findings.stable and "nan" not in alone.reading.markdown()
    assert not {"aa", "bb"} & {*alone.measured.scores.pairing}


def test_without_a_second_seed_no_answer_rests_on_the_codes():
    y = [normal(1200, 16, seed=seed, dtype=torch.float32) for seed in (1, 2)]
    y[1] = y[1] + 0.5 * y[0]
    codes = [random_relu(one, 48, 7)(one) for one in y]
    assert analyse(*y, Settings(), brought=Brought(codes)).reading.verdict is Verdict.UNDECIDED


def test_dictionaries_of_unequal_size_each_have_a_control_of_their_own(monkeypatch):
    y, made = superposed(stimuli=600), []
    monkeypatch.setattr(lib.report, "TopKSAE", lambda *given: made.append(given[1]) or TopKSAE(*given))
    analyse(*y, Settings(), brought=Brought([keep_largest(normal(600, 24), 5), keep_largest(normal(600, 40), 1)]))
    assert [(recipe.latents, recipe.k) for recipe in made] == [(24, 5), (40, 1)]


def test_codes_that_do_not_fit_are_refused():
    y = superposed(stimuli=400)
    codes = [one.relu() for one in y]

    def refused(a, *words, **options):
        refuses(*words, analyse, *y, Settings(), brought=Brought([a, codes[1]]), **options)

    refused(codes[0][:99], "codes of a have shape (99, 16)", "(400, latents)")
    refused(codes[0].index_fill(0, torch.tensor(7), torch.nan), "codes of a has 16 NaN", "replace")
    refused(codes[0][None], "codes of a", "latents")
    repeated = [torch.stack([one, one], 2) for one in y]
    refuses("repeats have no codes", "again_a", analyse, *repeated, Settings(), brought=Brought(codes))


def test_without_the_scan_one_latent_in_sixty_four_is_active():
    for latents, k in ((640, 10), (48, 1)):
        assert settle(small_split(), Settings(latents, 0, 8, most_scanned=0)) == (
            Settings(latents, k, 8, most_scanned=0),
            {},
        )


@pytest.mark.parametrize("family", FAMILIES)
def test_the_report_trains_the_family_that_is_asked_for(family):
    found = analyse(*superposed(stimuli=400), Settings(24, 2, 8, family=family))
    assert type(found.training.model) is type(found.half.model) is FAMILIES[family]


def test_bad_input_is_refused():
    y = normal(60, 4, dtype=torch.float32)
    split = split_stimuli(y, y, 0.5, 0)
    refuses("seeds = 1", "two or more", settle, split, Settings(8, 2, 40, 1))
    refuses("sae_steps = 2", "four steps", settle, split, Settings(8, 2, 2, 2))
    refuses("family of SAEs 'topkk'", "topk", settle, split, Settings(8, 2, 40, family="topkk"))
    refuses("k = 9", "choose", fit_saes, split, Settings(8, 9, 40, 2))


def test_a_number_of_active_latents_that_fails_is_out_and_the_others_are_compared(monkeypatch):
    split = small_split()

    def active(sae, *others):
        if sae.recipe.k == 1:
            raise ValueError("no latent of an SAE fires in every fold")
        return active_codes(sae, *others)

    monkeypatch.setattr(lib.report, "active_codes", active)
    assert 1 not in choose_k(split, Settings(8, 0, 8, 2), [1, 2])
    monkeypatch.setattr(lib.report, "_seed_agreement", lambda *given: None)
    refuses("with k of [1, 2, 4]", "give k", choose_k, split, Settings(8, 0, 8, 2), [1])


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
            analyse(*(normal(stimuli, units, dtype=torch.float32) for units in (8, 6)), Settings(16, 2, 4))
        largest.append(mode.entries)
    assert largest[1] <= 2 * largest[0] < 1000**2 / 2


# Findings from a table of scores, by the definitions of their names

ONCE = ("nn", "pp", "ii", "ra", "rb", "rn", "dn", "qn", "shuffled nn", "shuffled ss", "shuffled rn")
CEILINGS = {"n_a": 0.9, "n_b": 0.8, "s0_a": 0.7, "s0_b": 0.6, "s1_a": 0.76, "s1_b": 0.68, "r_a": 0.5, "r_b": 0.55}
CEILINGS |= {"p_a": 0.95, "p_b": 0.85, "i_a": 0.84, "i_b": 0.83}


def table(seeds=2, folds=4, **means):
    """Scores drawn at random about .5, or about other means by pairing, as `lib.pairings.score` gives them."""
    rng, rows = np.random.default_rng(0), []
    for metric, way in (("soft", ""), ("semi", "ab"), ("semi", "ba"), ("ridge", "ab"), ("ridge", "ba")):
        counts = dict.fromkeys(ONCE, 1) | {"ss": seeds, "sn": seeds, "rs": seeds, "aa": seeds - 1, "bb": seeds - 1}
        for name, count in counts.items():
            for seed, fold in np.ndindex(count, folds):
                rows.append((metric, name, way, seed, fold, means.get(name, 0.5) + 0.1 * rng.standard_normal()))
    return pd.DataFrame(rows, columns=["metric", "pairing", "direction", "seed", "fold", "value"])


def compared(units=(6, 4), **means):
    """The findings of such a table, and its scores as shares of what noise leaves: matching by product of ceilings."""
    measured = Measured(table(**means), 0.25, CEILINGS, 0.9)
    mean = {"s_a": 0.73, "s_b": 0.64} | CEILINGS

    def matched(metric, ab, a=None, b=None):
        return values(measured.scores, metric, ab) / (mean[a or f"{ab[0]}_a"] * mean[b or f"{ab[1]}_b"])

    def ridge(ab):
        return sum(values(measured.scores, f"ridge_{way}", ab) / to for way, to in (("ab", 0.8), ("ba", 0.9))) / 2

    return lib.report._compared(small_split(units=units), measured), matched, ridge


def told(found, better, worse):
    close(list(found), list(gain(better, worse)))


@pytest.mark.parametrize("means", [{}, {"pp": 0.9, "qn": 0.9}, {"ii": 0.9, "dn": 0.9}])
def test_every_finding_is_the_difference_that_its_name_says(means):
    found, soft, ridge = compared((4, 4), **means)
    told(found["match_gain"], soft("soft", "ss"), soft("soft", "nn"))
    told(found["match_over_random"], soft("soft", "ss"), soft("soft", "rs"))
    axes = max((soft("soft", ab) for ab in ("pp", "ii")), key=lambda one: one.mean())
    told(found["match_over_axes"], soft("soft", "ss"), axes)
    told(found["ridge_gain"], ridge("sn"), ridge("nn"))
    told(found["ridge_over_random"], ridge("sn"), ridge("rn"))
    told(found["ridge_over_plain"], ridge("sn"), max((ridge("dn"), ridge("qn")), key=lambda one: one.mean()))
    close([found["soft_nn"], found["soft_ss"]], [soft("soft", "nn").mean(), soft("soft", "ss").mean()])
    close([found["ridge_nn"], found["ridge_sn"]], [ridge("nn").mean(), ridge("sn").mean()])
    close(found["semi_nn"], soft("semi_ab", "nn").mean())
    aa, bb = soft("soft", "aa", "s_a", "s_a").mean(), soft("soft", "bb", "s_b", "s_b").mean()
    ra, rb = soft("soft", "ra", "r_a", "s_a").mean(), soft("soft", "rb", "r_b", "s_b").mean()
    close([found["stable"], found["stable_random"]], [(aa + bb) / 2, (ra + rb) / 2])
    close(found["seed_share"], soft("soft", "ss").mean() / (aa * bb).sqrt())


@pytest.mark.parametrize("units, way", [((6, 4), "semi_ba"), ((4, 6), "semi_ab")])
@pytest.mark.parametrize("nn", [0.2, 0.8])
def test_of_unequal_widths_the_lesser_gain_counts_and_partners_are_those_of_the_narrower(units, way, nn):
    found, matched, _ = compared(units, nn=nn)
    gains = [gain(matched(metric, "ss"), matched(metric, "nn")) for metric in (way, "soft")]
    close(list(found["match_gain"]), list(min(gains, key=lambda one: one.mean)))
    close(found["semi_nn"], matched(way, "nn").mean())


def test_nothing_is_divided_by_a_ceiling_of_0():
    measured = Measured(table(), 0.25, CEILINGS | {"n_a": 0.0}, 0.9)
    close(lib.report.shares(measured, "soft")["nn"], values(measured.scores, "soft", "nn"))
    forth, back = (values(measured.scores, f"ridge_{way}", "nn") for way in ("ab", "ba"))
    close(lib.report.ridge_shares(measured)["nn"], (forth / 0.8 + back) / 2)


@pytest.mark.parametrize("means", [{}, {"nn": 3.0}, {"ss": 3.0}])
def test_units_and_latents_exceed_chance_by_the_score_that_does_so_most_clearly(means):
    scores, each = table(**means), []
    for metric, ab in (("soft", "nn"), ("ridge_ab", "nn"), ("soft", "ss")):
        each.append(gain(values(scores, metric, ab)[:1], values(scores, metric, f"shuffled {ab}")))
    assert lib.report._over_chance(scores) == max(each, key=lambda one: one.mean / one.error)


def test_chance_is_by_metric_direction_and_pairing():
    scores = table()
    found = chance(scores)
    assert {*found} == {
        (way, ab) for way in ("soft", "semi_ab", "semi_ba", "ridge_ab", "ridge_ba") for ab in ("nn", "ss", "rn")
    }
    close(found["ridge_ba", "ss"], values(scores, "ridge_ba", "shuffled ss").mean())


def test_every_pairing_that_a_finding_needs_is_scored_once():
    found = lib.report.wanted(3, True)
    assert len({(one.name, one.a, one.b, one.seed) for one in found}) == len(found)
    named = {}
    for one in found:
        named.setdefault(one.name, []).append((one.a, one.b, one.seed))
    assert named["ss"] == [(f"s{i}_a", f"s{i}_b", i) for i in range(3)]
    assert named["rs"] == [("r_a", f"s{i}_b", i) for i in range(3)]
    assert named["aa"] == [("s0_a", f"s{i}_a", i - 1) for i in (1, 2)]
    assert named["bb"] == [("s0_b", f"s{i}_b", i - 1) for i in (1, 2)]
    assert named["sn"] == [pair for i in range(3) for pair in ((f"s{i}_a", "n_b", i), ("n_a", f"s{i}_b", i))]
    assert named["dn"] == [("d_a", "n_b", 0), ("n_a", "d_b", 0)] and named["qn"][1] == ("n_a", "q_b", 0)
    assert named["shuffled sn"] == [(f"s{i}_a", "n_shuffled", i) for i in range(3)]
    assert "qn" not in {one.name for one in lib.report.wanted(3, False)}


def test_what_repeats_leave_is_that_of_spearman_and_brown():
    z, y = normal(4000, 1), normal(4000, 2, seed=1)
    first, second = z + y[:, :1], z + y[:, 1:]  # halves that correlate by a half
    r = float(torch.corrcoef(torch.cat([first, second], 1).T)[0, 1])
    halves = {"n_a": first, "n_b": first}, {"n_a": second, "n_b": second}
    found = reliabilities(*halves, (2, 5))
    close(found["n_a"], (2 * r / (1 + r)) ** 0.5)  # of two repeats, one in a half
    close(found["n_b"], (2.5 * r / (1 + 1.5 * r)) ** 0.5)
    assert reliabilities(*halves, (1, 1)) == {"n_a": 1, "n_b": 1}
    close(reliabilities({"n_a": first}, {"n_a": -first}, (2, 2))["n_a"], 0)


def test_dictionaries_agree_by_their_rows_in_any_order_and_of_any_sign():
    rows, on = normal(5, 4), torch.ones(5, dtype=torch.bool)
    other = -2 * rows.flip(0)
    close(decoder_agreement([rows, rows, other, other], [on] * 4), 1)
    few = on & (torch.arange(5) != 1)
    broken = rows.index_copy(0, torch.tensor([1]), normal(1, 4, seed=9))
    close(decoder_agreement([rows, broken, other, rows], [on, few, on, on]), 1)  # of the rows that are active in both
    close(decoder_agreement([rows, rows, other, broken], [on, on, on, few]), 1)
    plane = torch.eye(2).double()
    turned = torch.tensor([[3.0, 4], [-4, 3]]).double()
    close(decoder_agreement([plane, plane, turned, plane], [on[:2]] * 4), (0.8 + 1) / 2)
    assert isnan(decoder_agreement([rows, rows], [on, on]))


@pytest.mark.parametrize(
    "changed", [{"seeds": 2}, {"steps": 4}, {"latents": 0, "k": 0}, {"latents": 1, "k": 1}, {"family": "topk"}]
)
def test_settings_at_the_ends_of_their_range_are_taken(changed):
    check(Settings()._replace(**changed))


@pytest.mark.parametrize("changed", [{"seeds": 1}, {"steps": 3}, {"latents": -1}, {"k": -1}, {"family": "top"}])
def test_settings_beyond_their_range_are_refused(changed):
    with pytest.raises(ValueError):
        check(Settings()._replace(**changed))


def test_saes_of_larger_dictionaries_take_smaller_steps_and_seeds_start_where_they_are_told(monkeypatch):
    made = []
    monkeypatch.setattr(lib.report, "fit", lambda sae, draw, name: made.append((sae, draw(seeded(0)))) or sae)
    for latents, lr in ((64, 0.01), (128, 0.01), (512, 0.005)):
        sae = fit_saes(small_split(), Settings(latents, 2, 40, 3, 7))
        close(sae.recipe.lr, lr)
        assert (sae.recipe.latents, sae.recipe.k, sae.recipe.steps) == (latents, 2, 40)
    sae, batch = made[0]
    same = TopKSAE([6, 4] * 3, sae.recipe, [7000, 7001, 7002, 7003, 7004, 7005], "cpu")
    close(sae.decoder.detach(), same.decoder.detach())
    assert len(batch) == 6 and torch.equal(batch[0], batch[2]) and not torch.equal(batch[0], batch[1])
    control = random_saes(sae, Settings(first_seed=7))
    close(control.decoder.detach(), TopKSAE([6, 4], sae.recipe, [7900, 7901], "cpu").decoder.detach())


def test_the_numbers_of_active_latents_tried():
    assert k_candidates(64) == [1, 2, 4] and k_candidates(127) == [1, 3, 7] and k_candidates(10_000) == [128]
    split = small_split()
    assert settle(split, Settings(640, 0, 8, most_scanned=639))[0].k == 10


def test_brought_codes_tell_the_size_of_the_larger_dictionary_and_how_many_are_active():
    codes = [torch.ones(4, 3), torch.tensor([[1.0, 0, 0, 2, 0], [1, 0, 0, 0, 0]]).repeat(2, 1)]
    settings = settle_brought(Brought(codes * 2), Settings(9, 9, seeds=5))
    assert (settings.latents, settings.k, settings.seeds) == (5, 2, 2)
    assert settle_brought(Brought([torch.zeros(4, 3)] * 2), Settings()).k == 1


def test_costs_are_told_from_one_gigabyte_on():
    split = small_split()._replace(units=(5000, 10))
    scored = split.scored.shape[1]
    assert costs(split, 0) == []
    words = costs(split._replace(units=(10, 6200)), 500)[0]
    assert f"{(28 * 6200**2 + 80 * scored * 500) / 2**30:.1f} GiB" in words and "6200 units" in words
    assert scored == 200 and costs(split, 5913) == [] != costs(split, 5914)  # 80 bytes for each code of a stimulus
    assert f"for {scored} stimuli" in words and "10 or more assignments" in words
