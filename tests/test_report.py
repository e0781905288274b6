"""The whole analysis on pairs whose answer is known, small enough for a test."""

import subprocess
import sys

import pytest
import torch
from helpers import close, normal, refuses, rotation
from torch.utils._python_dispatch import TorchDispatchMode

import lib.report
import lib.training
from lib.crossval import k_folds
from lib.features import bernoulli_uniform, seeded
from lib.geometry import linear_cka
from lib.matching import semi_matching_score, soft_matching_score
from lib.pairings import values
from lib.regression import ridge_score
from lib.report import (
    Settings,
    active_codes,
    analyse,
    chance,
    choose_k,
    dimensions,
    explained,
    findings,
    fit_half,
    fit_saes,
    k_candidates,
    latents_by_rule,
    measure,
    random_saes,
    score_table,
    settle,
    split_stimuli,
)
from lib.verdict import Verdict

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


def test_a_shared_nonlinearity_is_not_read_as_superposition():
    """Nothing is sparse here: units are smooth functions of three Gaussian variables that both networks see."""
    x = normal(2400, 3, dtype=torch.float32)
    a, b = torch.tanh(x @ normal(3, 24, seed=1).float()), torch.cos(x @ normal(3, 24, seed=2).float())
    found = analyse(a, b, SMALL)
    assert found.findings.ridge_gain.direction == "up" and found.findings.ridge_over_plain.direction == "down"
    assert found.reading.verdict is Verdict.NONLINEAR


def test_sparse_features_that_are_only_rotated_are_found_by_independent_axes_as_well():
    z = bernoulli_uniform(2400, 16, 0.1, seeded(6), torch.float32)
    found = analyse(z, z @ rotation(16, 3).float(), SMALL)
    assert values(found.measured.scores, "soft", "ii").mean() > 0.95 > found.findings.soft_ss
    assert found.reading.verdict is Verdict.AXES


def test_rotated_dense_units_share_everything_linear_and_no_axes():
    found = analyse(DENSE, DENSE @ rotation(16, 3).float(), SMALL)
    assert found.reading.verdict is Verdict.ROTATED
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
    assert (n_a.shape[1], n_b.shape[1]) == (16, 12)
    assert not found.training.model.decoder[1::2, :, 12:].any()
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
        close(values(scores, metric, pairing)[-1], wanted.folds, 1e-8)
    close(values(scores, "cka", "ss")[1, 0], linear_cka(a[folds[0][1]], b[folds[0][1]], debiased=True))
    assert found.measured.constant == (0, 1)
    assert any("0 of a and 1 of b" in doubt for doubt in found.reading.doubts)


def test_findings_are_the_numbers_of_their_names():
    made = analyse(*superposed(units=(16, 12)), SMALL)
    found, scores = made.findings, made.measured.scores
    half = active_codes(made.half.model, made.split.scored, k_folds(1200))
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
    close(found.match_gain.mean, (values(scores, "soft", "ss") - values(scores, "soft", "nn")).mean())
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
    assert torch.equal(split.fit, split_stimuli(y, -y[:, :1], 0.3, 0).fit)
    assert not torch.equal(split.fit[0], split_stimuli(y, -y[:, :1], 0.3, 1).fit[0])


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
    codes = active_codes(sae, split.scored, k_folds(200))
    assert [code.shape for code in codes] == [(200, 8), (200, 8), (200, 7), (200, 8)]
    close(measure(split, sae, random_saes(sae, settings)).silent, 1 / 32)
    with torch.no_grad():
        sae.encoder_bias[1] = -100
    refuses("no latent of an SAE fires", "more stimuli", active_codes, sae, split.scored, k_folds(200))


def test_saes_of_other_responses_are_others():
    y = [normal(400, 6, seed=seed, dtype=torch.float32) for seed in (1, 2)]
    one, other = (fit_saes(split_stimuli(*pair, 0.5, 0), Settings(8, 2, 8, 2)).model for pair in (y, y[::-1]))
    assert not torch.equal(one.decoder, other.decoder)


def scored(split, settings, **options):
    sae = fit_saes(split, settings).model
    return measure(split, sae, random_saes(sae, settings), **options)


def test_half_training_is_the_first_seeds():
    split, settings = small_split(), Settings(8, 2, 60, 2)
    full, half = fit_saes(split, settings), fit_half(split, settings)
    assert (full.step, half.step, len(full.model.encoder), len(half.model.encoder)) == (60, 30, 4, 2)
    short = fit_saes(split, settings._replace(steps=30)).model
    close(half.model.encoder.detach(), short.encoder[:2].detach(), 1e-5)
    assert all(share.shape == (4,) for share in explained(split, full.model))


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
    split, settings = small_split(), Settings(8, 2, 40, 3)
    table = scored(split, settings, folds=4).scores
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


def test_few_stimuli_are_told():
    y_a, y_b = superposed(stimuli=80)
    assert any("Few stimuli" in doubt for doubt in analyse(y_a, y_b, Settings(12, 3, 40)).reading.doubts)


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
        if sae.recipe.k == 1:
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
            analyse(*superposed((8, 6), stimuli), Settings(16, 2, 4))
        largest.append(mode.entries)
    assert largest[1] <= 2 * largest[0] < 1000**2 / 2
