"""Two networks of anybody's: sparse autoencoders on one part of the stimuli, every score on the other.

Networks a and b answer the same stimuli. Letters name their populations: n the units themselves, s the latents of an
SAE, r those of a random one. `ss` pairs latents of a with latents of b, `sn` predicts units from latents, in both
directions. `aa` and `bb` pair the latents of two SAEs of one network, which differ in their seed alone; `ra` and `rb`
the latents of one network with random codes of the same.
"""

from hashlib import sha256
from typing import NamedTuple

import pandas as pd
import torch
from torch.nn.functional import pad

from lib.checks import check_pair
from lib.correlation import constant_units, unit_correlations
from lib.crossval import k_folds, silent_units
from lib.features import seeded
from lib.geometry import linear_cka, rsa
from lib.matching import semi_matching_folds, soft_matching_folds
from lib.pairings import PART, centre_and_scale, explained_variance, participation_ratio
from lib.regression import ridge_correlations
from lib.sae import STREAM, TopKSAE
from lib.training import Training, train
from lib.verdict import Findings, Reading, gain, reading

MOST_SCANNED = 512  # latents up to which trying several k takes seconds
USUAL_SHARE = 64  # of larger dictionaries one latent in so many is active
MOST_LATENTS = 1536  # chosen unasked: beyond it the regressions from latents would take longest of all
BATCH = 512


class Split(NamedTuple):
    """Responses of both networks, centred and of total variance 1, the smaller one padded with units that answer 0."""

    units: tuple[int, int]
    fit: torch.Tensor  # (2, stimuli, larger number of units), for the SAEs
    scored: torch.Tensor  # (2, other stimuli, the same), for the scores
    digest: str  # of the responses that the SAEs see

    def of(self, side: int) -> torch.Tensor:
        """The scored responses of network 0 or 1 without padding, `(stimuli, units)`."""
        return self.scored[side, :, : self.units[side]]


class Settings(NamedTuple):
    """What the SAEs are; `k` may be 0 until `choose_k` has been asked."""

    latents: int
    k: int
    steps: int
    seeds: int  # SAEs of each network
    first_seed: int = 0


class Measured(NamedTuple):
    """Scores by (metric, pairing), each `(seeds, folds)` on stimuli that the SAEs have not seen; 1 seed for `nn`."""

    scores: dict[tuple[str, str], torch.Tensor]
    shuffled: dict[tuple[str, str], float]  # the same with the stimuli of b in another order: chance
    silent: float  # share of trained latents that are 0 throughout some fold and were left out
    constant: tuple[int, int]  # units of a and of b that never change: they score 0 and are counted


def split_stimuli(
    y_a: torch.Tensor, y_b: torch.Tensor, share: float, seed: int, device: str | torch.device = "cpu", folds: int = 5
) -> Split:
    """Deal stimuli at random: a `share` trains the SAEs, the rest is scored. Centre and scale come from the former.

    Raises ValueError on bad input, for a network whose units never change, and unless the SAEs have ten stimuli or
    more and each of the `folds` of the scores four.
    """
    check_pair(y_a.float(), y_b.float(), names=("a", "b"))
    if y_a.ndim != 2 or y_b.ndim != 2:
        raise ValueError(f"a has shape {tuple(y_a.shape)}, b {tuple(y_b.shape)}: give (stimuli, units) of each")
    if not 0 < share < 1 or folds < 2:
        raise ValueError(
            f"share of stimuli for the SAEs {share}, folds {folds}: give 0 < share < 1 and two or more folds"
        )
    stimuli, fitted = len(y_a), round(share * len(y_a))
    if fitted < 10 or stimuli - fitted < max(10, 4 * folds):
        raise ValueError(
            f"{stimuli} stimuli, {fitted} of them for the SAEs: these need ten or more, the others ten and four for "
            f"each of {folds} folds; give more stimuli"
        )
    for name, y in (("a", y_a), ("b", y_b)):
        if constant_units(y).all():
            raise ValueError(f"no unit of {name} ever changes: check that its rows are stimuli and its columns units")
    order = torch.randperm(stimuli, generator=seeded(seed))
    wide = max(y_a.shape[1], y_b.shape[1])
    y = torch.stack([pad((y - y.double().mean(0)).float(), (0, wide - y.shape[1])) for y in (y_a, y_b)]).to(device)
    fit, scored = y[:, order[:fitted]], y[:, order[fitted:]]
    centre, scale = centre_and_scale(fit)
    if not scale.all():
        raise ValueError(
            "no unit of a network changes on the stimuli of the SAEs: give more stimuli, or more varied ones"
        )
    fit, scored = (fit - centre) / scale, (scored - centre) / scale
    digest = sha256(fit.cpu().numpy().tobytes()).hexdigest()[:16]
    return Split((y_a.shape[1], y_b.shape[1]), fit, scored, digest)


def dimensions(split: Split) -> tuple[float, float]:
    """Participation ratio of each network over the scored stimuli."""
    products = [split.of(i).double().mT @ split.of(i).double() / split.scored.shape[1] for i in (0, 1)]
    return tuple(float(participation_ratio(torch.linalg.eigvalsh(product))) for product in products)


def latents_by_rule(split: Split) -> int:
    """Four latents for each unit of the larger network, at most 1,536, and at most one for four stimuli of training."""
    return max(4, min(4 * max(split.units), MOST_LATENTS, split.fit.shape[1] // 4))


def fit_saes(split: Split, settings: Settings, steps: int = 0) -> Training:
    """SAEs of both networks, a and b in turn for each seed, kept in build/trained and found again.

    Training that was stopped goes on where it was and ends with the same numbers.
    """
    steps, models = steps or settings.steps, 2 * settings.seeds
    seeds = [1000 * settings.first_seed + i for i in range(models)]
    units = list(split.units) * settings.seeds
    sae = TopKSAE(units, settings.latents, settings.k, seeds, 1 / 32, 50, device=split.fit.device)

    def draw(generator):
        chosen = torch.randint(split.fit.shape[1], (BATCH,), generator=generator, device=generator.device)
        return split.fit[:, chosen].repeat(settings.seeds, 1, 1)

    lr = 0.01 * (128 / max(128, settings.latents)) ** 0.5  # larger dictionaries take smaller steps
    return train(sae, draw, steps, "saes-own", {"responses": split.digest}, STREAM, lr, cosine=True)


def random_saes(split: Split, settings: Settings) -> TopKSAE:
    """One untrained SAE of the same shape for each network."""
    seeds = [1000 * settings.first_seed + 900 + i for i in (0, 1)]
    return TopKSAE(list(split.units), settings.latents, settings.k, seeds, device=split.fit.device)


def choose_k(split: Split, settings: Settings, candidates: list[int], folds: int = 5) -> dict[int, float]:
    """For each number of active latents, how well SAEs of one network but another seed agree; no pair is compared.

    The mean over both networks of soft-matching, on stimuli of the SAEs' part; trained for a quarter of the steps.
    Numbers that leave an SAE without an active latent in some fold are out; raises ValueError if all do.
    """
    agreement = {}
    for k in candidates:
        sae = fit_saes(split, settings._replace(k=k, seeds=2), max(1, settings.steps // 4)).model
        y = split.fit[:, :5000]
        parts = k_folds(y.shape[1], folds)
        try:
            codes = active_codes(sae, y, folds, 0)
        except ValueError:
            continue
        scores = [soft_matching_folds(_correlations(codes[i], codes[i + 2], parts)).mean for i in (0, 1)]
        agreement[k] = sum(scores) / 2
    if not agreement:
        raise ValueError(f"with k of {candidates} no latent fires in every fold: give k, fewer latents or more stimuli")
    return agreement


def k_candidates(latents: int) -> list[int]:
    """One latent in 64, in 32, in 16 and in 8, as numbers from 1 to 128."""
    return sorted({min(128, max(1, latents // share)) for share in (64, 32, 16, 8)})


def active_codes(sae: TopKSAE, y: torch.Tensor, folds: int, seed: int) -> list[torch.Tensor]:
    """Each SAE's codes of `y: (2, stimuli, units)`, `(stimuli, latents)`, without latents silent throughout a fold.

    Raises ValueError if none is left.
    """
    copies = len(sae.encoder) // 2
    codes = torch.cat([sae.latents(part.repeat(copies, 1, 1)) for part in y.split(PART, 1)], 1)
    parts = k_folds(y.shape[1], folds, seed)
    active = [code[:, ~silent_units(code, parts)] for code in codes]
    if not all(code.shape[1] for code in active):
        raise ValueError("no latent of an SAE fires in every fold: give fewer latents, a larger k or more stimuli")
    return active


def _correlations(x, y, folds):
    return [(unit_correlations(x[train], y[train]), unit_correlations(x[test], y[test])) for train, test in folds]


def match(x: torch.Tensor, y: torch.Tensor, folds: int, seed: int) -> dict[str, list[float]]:
    """Matching of two populations `(stimuli, units)`, and RSA and CKA, which have no fit, on each held-out fold."""
    parts = k_folds(len(x), folds, seed)
    ab = _correlations(x, y, parts)
    return {
        "soft": soft_matching_folds(ab).folds,
        "semi_ab": semi_matching_folds(ab).folds,
        "semi_ba": semi_matching_folds([(train.T, test.T) for train, test in ab]).folds,
        "cka": [float(linear_cka(x[test], y[test], debiased=True)) for _, test in parts],
        "rsa": [float(rsa(x[test], y[test])) for _, test in parts],
    }


def measure(split: Split, sae: TopKSAE, control: TopKSAE, folds: int = 5, seed: int = 0) -> Measured:
    """Every score on the scored stimuli."""
    n = [split.of(0), split.of(1)]
    codes, random = (active_codes(model, split.scored, folds, seed) for model in (sae, control))
    a, b, order = codes[::2], codes[1::2], torch.randperm(split.scored.shape[1], generator=seeded(seed + 1))
    found = {"nn": [match(*n, folds, seed)], "ss": [match(x, y, folds, seed) for x, y in zip(a, b, strict=True)]}
    found["rs"] = [match(random[0], y, folds, seed) for y in b]
    chance = {"nn": match(n[0], n[1][order], folds, seed), "ss": match(a[0], b[0][order], folds, seed)}
    for side, own, untrained in (("a", a, random[0]), ("b", b, random[1])):
        found[side * 2] = [match(own[0], other, folds, seed) for other in own[1:]]
        found[f"r{side}"] = [match(untrained, own[0], folds, seed)]
    scores = {
        (metric, pairing): torch.tensor([one[metric] for one in seeds], dtype=torch.float64)
        for pairing, seeds in found.items()
        for metric in seeds[0]
    }
    shuffled = {
        (metric, pairing): sum(values) / folds for pairing, one in chance.items() for metric, values in one.items()
    }
    targets = n[0], torch.cat([n[1], n[1][order]], 1)  # the shuffled units of b are predicted beside the true ones
    for pairing, sources in (("nn", [n]), ("sn", list(zip(a, b, strict=True))), ("rn", [random])):
        forth = torch.stack([ridge_correlations(x, targets[1], folds, seed) for x, _ in sources])
        back = torch.stack([ridge_correlations(y, targets[0], folds, seed) for _, y in sources])
        forth, chance = forth.tensor_split(2, dim=-1)
        scores["ridge_ab", pairing], scores["ridge_ba", pairing] = forth.mean(-1), back.mean(-1)
        shuffled["ridge_ab", pairing] = float(chance.mean())
    kept = sum(code.shape[1] for code in codes) / (len(codes) * sae.encoder.shape[-1])
    constant = tuple(int(constant_units(y).sum()) for y in n)
    return Measured({key: value.cpu() for key, value in scores.items()}, shuffled, 1 - kept, constant)


class Analysis(NamedTuple):
    """Everything between the responses of two networks and the reading."""

    split: Split
    settings: Settings
    agreement: dict[int, float]  # of the numbers of active latents tried, empty if one was given
    training: Training
    half: Training  # the first seed, half the steps
    measured: Measured
    findings: Findings
    reading: Reading


def analyse(
    y_a: torch.Tensor, y_b: torch.Tensor, latents: int = 0, k: int = 0, steps: int = 1000, seeds: int = 2,
    folds: int = 5, share: float = 0.5, seed: int = 0, device: str | torch.device = "cpu",
) -> Analysis:  # fmt: skip
    """The whole way from responses `(stimuli, units)` to a reading; 0 latents or k are chosen by rule.

    Raises ValueError on bad input.
    """
    split = split_stimuli(y_a, y_b, share, seed, device, folds)
    settings, agreement = settle(split, Settings(latents, k, steps, seeds, seed))
    training, half = fit_saes(split, settings), fit_half(split, settings)
    measured = measure(split, training.model, random_saes(split, settings), folds, seed)
    found = findings(split, settings, training, half, measured)
    return Analysis(split, settings, agreement, training, half, measured, found, reading(found))


def settle(split: Split, settings: Settings) -> tuple[Settings, dict[int, float]]:
    """Settings without zeros, and the agreement that k was chosen by; raises ValueError for settings out of range."""
    if settings.seeds < 2:
        raise ValueError(f"seeds = {settings.seeds}: give two or more, the spread over SAEs needs them")
    if settings.steps < 4 or settings.latents < 0 or settings.k < 0:
        raise ValueError(
            f"latents = {settings.latents}, k = {settings.k}, sae_steps = {settings.steps}: "
            "give 0 or more latents and k, and four steps or more"
        )
    settings = settings._replace(latents=settings.latents or latents_by_rule(split))
    if settings.k:
        return settings, {}
    if settings.latents > MOST_SCANNED:
        return settings._replace(k=settings.latents // USUAL_SHARE), {}
    agreement = choose_k(split, settings, k_candidates(settings.latents))
    return settings._replace(k=max(agreement, key=agreement.get)), agreement


def fit_half(split: Split, settings: Settings) -> Training:
    """SAEs of the first seed trained for half the steps, with a learning rate that ends there."""
    return fit_saes(split, settings._replace(seeds=1), settings.steps // 2)


def score_table(measured: Measured, pairings: dict[str, str], metrics: dict[str, str]) -> pd.DataFrame:
    """Scores as "mean ± error", a row for each metric and a column for each pairing; both map a name to its words.

    The mean is over SAE seeds and folds, the error is the standard error over folds.
    """

    def shown(values):
        error = float(values.mean(0).std()) / values.shape[1] ** 0.5
        return f"{float(values.mean()):.3f} ± {error:.3f}"

    cells = [[shown(measured.scores[metric, ab]) for ab in pairings] for metric in metrics]
    return pd.DataFrame(cells, list(metrics.values()), list(pairings.values()))


def score_rows(measured: Measured) -> pd.DataFrame:
    """Every single score: metric, pairing, SAE seed, fold and value; chance has the pairing `shuffled nn` and so on."""
    rows = [
        (metric, pairing, seed, fold, float(value))
        for (metric, pairing), values in measured.scores.items()
        for seed, folds in enumerate(values)
        for fold, value in enumerate(folds)
    ]
    rows += [(metric, f"shuffled {ab}", 0, "mean", value) for (metric, ab), value in measured.shuffled.items()]
    return pd.DataFrame(rows, columns=["metric", "pairing", "sae_seed", "fold", "score"])


def explained(split: Split, sae: TopKSAE) -> tuple[torch.Tensor, torch.Tensor]:
    """Share of variance explained on stimuli of the training and on scored ones, `(models,)` each."""
    copies = len(sae.encoder) // 2
    return tuple(explained_variance(sae, y.repeat(copies, 1, 1)) for y in (split.fit, split.scored))


def findings(split: Split, settings: Settings, training: Training, half: Training, measured: Measured) -> Findings:
    """The numbers for a reading; ridge scores are means of both directions."""
    scores, sae = measured.scores, training.model
    folds = scores["soft", "nn"].shape[1]
    ridge = {ab: (scores["ridge_ab", ab] + scores["ridge_ba", ab]) / 2 for ab in ("nn", "sn", "rn")}
    soft = {ab: scores["soft", ab] for ab in ("nn", "ss", "rs")}
    fit, seen = explained(split, sae)
    same = [[float(scores["soft", kind.replace("x", side)].mean()) for side in "ab"] for kind in ("xx", "rx")]
    codes = active_codes(half.model, split.scored, folds, settings.first_seed)
    matched = soft_matching_folds(_correlations(*codes, k_folds(len(codes[0]), folds, settings.first_seed))).mean
    return Findings(
        split.units, dimensions(split), (split.fit.shape[1], split.scored.shape[1]), settings.latents,
        *(float(x.mean()) for x in (soft["nn"], soft["ss"], ridge["nn"], ridge["sn"])),
        gain(soft["ss"], soft["nn"]), gain(soft["ss"], soft["rs"]),
        gain(ridge["sn"], ridge["nn"]), gain(ridge["sn"], ridge["rn"]),
        *(sum(both) / 2 for both in same),
        float(seen.mean()), float(fit.mean()), float(seen[:2].mean() - explained(split, half.model)[1].mean()),
        float(soft["ss"][0].mean()) - matched, measured.silent, max(map(abs, measured.shuffled.values())),
        measured.constant,
    )  # fmt: skip
