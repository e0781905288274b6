"""Two networks of anybody's: sparse autoencoders on one part of the stimuli, every score on the other.

Networks a and b answer the same stimuli. Letters name their populations: n the units themselves, s the latents of an
SAE, r those of a random one. `ss` pairs latents of a with latents of b, `sn` predicts units from latents, in both
directions. `aa` and `bb` pair the latents of two SAEs of one network, which differ in their seed alone; `ra` and `rb`
the latents of one network with random codes of the same. Letters of what knows nothing of features: d dense random
ReLU features, q quadratic ones, p principal and i independent axes; see `lib.baselines`.
"""

import warnings
from typing import NamedTuple

import pandas as pd
import torch

from lib.baselines import MOST, ica, pca, quadratic, quadratic_count, random_relu
from lib.checks import check_pair
from lib.correlation import centre_and_scale, constant_units
from lib.crossval import k_folds, silent_units
from lib.features import seeded
from lib.geometry import participation_ratio
from lib.joint_sae import padded
from lib.pairings import GEOMETRY, MATCHING, RIDGE, Held, Pairing, score, values
from lib.sae import PART, Recipe, TopKSAE, batches, explained_variance, fit, untrained
from lib.training import Training
from lib.verdict import Findings, Reading, gain, reading

MOST_SCANNED = 512  # latents up to which trying several k takes seconds
USUAL_SHARE = 64  # of larger dictionaries one latent in so many is active
MOST_AXES = 64  # principal and independent axes that are matched; more take minutes to find
MOST_LATENTS = 1536  # chosen unasked: beyond it the regressions from latents would take longest of all


class Split(NamedTuple):
    """Responses of both networks, centred and of total variance 1, the smaller one padded with units that answer 0."""

    units: tuple[int, int]
    fit: torch.Tensor  # (2, stimuli, larger number of units), for the SAEs
    scored: torch.Tensor  # (2, other stimuli, the same), for the scores

    def of(self, side: int) -> torch.Tensor:
        """The scored responses of network 0 or 1 without padding, `(stimuli, units)`."""
        return self.scored[side, :, : self.units[side]]


class Settings(NamedTuple):
    """What the SAEs are; latents and k may be 0 until `settle` has chosen them."""

    latents: int = 0
    k: int = 0
    steps: int = 1000
    seeds: int = 2  # SAEs of each network
    first_seed: int = 0


class Measured(NamedTuple):
    """Scores on stimuli that the SAEs have not seen."""

    scores: pd.DataFrame  # as `lib.pairings.score`, a seed is an SAE's; "shuffled nn": stimuli of b in another order
    silent: float  # share of trained latents that are 0 throughout some fold and were left out
    folds: list[tuple[torch.Tensor, torch.Tensor]]  # of the scored stimuli, on which all scores are read
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
    y = padded([(y - y.double().mean(0)).float() for y in (y_a, y_b)]).to(device)
    fit, scored = y[:, order[:fitted]], y[:, order[fitted:]]
    centre, scale = centre_and_scale(fit)
    if not scale.all():
        raise ValueError(
            "no unit of a network changes on the stimuli of the SAEs: give more stimuli, or more varied ones"
        )
    fit, scored = (fit - centre) / scale, (scored - centre) / scale
    return Split((y_a.shape[1], y_b.shape[1]), fit, scored)


def dimensions(split: Split) -> tuple[float, float]:
    """Participation ratio of each network over the scored stimuli."""
    products = [split.of(i).double().mT @ split.of(i).double() / split.scored.shape[1] for i in (0, 1)]
    a, b = (float(participation_ratio(torch.linalg.eigvalsh(product))) for product in products)
    return a, b


def latents_by_rule(split: Split) -> int:
    """Four latents for each unit of the larger network, at most 1,536, and at most one for four stimuli of training."""
    return max(4, min(4 * max(split.units), MOST_LATENTS, split.fit.shape[1] // 4))


def fit_saes(split: Split, settings: Settings) -> Training[TopKSAE]:
    """SAEs of both networks, a and b in turn for each seed, kept in build/trained and found again.

    Training that was stopped goes on where it was and ends with the same numbers.
    """
    latents, k, steps, copies, first = settings
    lr = 0.01 * (128 / max(128, latents)) ** 0.5  # larger dictionaries take smaller steps
    recipe = Recipe.ours(latents=latents, k=k, steps=steps, lr=lr)
    seeds = [1000 * first + i for i in range(2 * copies)]
    draw = batches(split.fit, recipe.batch)
    sae = TopKSAE(list(split.units) * copies, recipe, seeds, split.fit.device)
    return fit(sae, lambda generator: draw(generator).repeat(copies, 1, 1), "saes-own")


def random_saes(sae: TopKSAE, settings: Settings) -> TopKSAE:
    """The control: one untrained SAE of each network."""
    return untrained(sae, [1000 * settings.first_seed + 900 + i for i in (0, 1)])


def choose_k(split: Split, settings: Settings, candidates: list[int], folds: int = 5) -> dict[int, float]:
    """For each number of active latents, how well SAEs of one network but another seed agree; no pair is compared.

    The mean over both networks of soft-matching, on stimuli of the SAEs' part; trained for a quarter of the steps.
    Numbers that leave an SAE without an active latent in some fold are out; raises ValueError if all do.
    """
    agreement, y = {}, split.fit[:, :5000]
    parts = k_folds(y.shape[1], folds)
    for k in candidates:
        sae = fit_saes(split, settings._replace(k=k, seeds=2, steps=max(1, settings.steps // 4))).model
        try:
            codes = active_codes(sae, y, parts)
        except ValueError:
            continue
        agreement[k] = float(latents_match(codes, parts, (0, 2), (1, 3)).mean())
    if not agreement:
        raise ValueError(f"with k of {candidates} no latent fires in every fold: give k, fewer latents or more stimuli")
    return agreement


def k_candidates(latents: int) -> list[int]:
    """One latent in 64, in 32, in 16 and in 8, as numbers from 1 to 128."""
    return sorted({min(128, max(1, latents // share)) for share in (64, 32, 16, 8)})


def active_codes(sae: TopKSAE, y: torch.Tensor, folds: list) -> list[torch.Tensor]:
    """Each SAE's codes of `y: (2, stimuli, units)`, `(stimuli, latents)`, without latents silent throughout a fold.

    Raises ValueError if none is left.
    """
    copies = len(sae.encoder) // 2
    codes = torch.cat([sae.latents(part.repeat(copies, 1, 1)) for part in y.split(PART, 1)], 1)
    active = [code[:, ~silent_units(code, folds)] for code in codes]
    if not all(code.shape[1] for code in active):
        raise ValueError("no latent of an SAE fires in every fold: give fewer latents, a larger k or more stimuli")
    return active


def latents_match(codes: list[torch.Tensor], folds: list, *models: tuple[int, int]) -> torch.Tensor:
    """Soft-matching of the codes of these two models, for each two; `(len(models), folds)`."""
    held = Held({str(i): code for i, code in enumerate(codes)}, folds)
    pairings = [Pairing("ss", str(a), str(b), ("soft",), i) for i, (a, b) in enumerate(models)]
    return values(score(held, pairings), "soft", "ss")


def plain_features(split: Split, latents: int, seed: int = 0) -> dict[str, torch.Tensor]:
    """Features that know nothing of features, of the scored stimuli, by letter and network as `d_a`.

    As many random ones as latents; products where they are not too many; as many axes as both networks have.
    """
    found, axes = {}, min(*split.units, MOST_AXES)
    for i, side in enumerate("ab"):
        fit, scored = split.fit[i, :, : split.units[i]], split.of(i)
        made = {"d": random_relu(fit, latents, seed + i), "p": pca(fit, axes)}
        with warnings.catch_warnings():  # components that have not converged serve as a control too
            warnings.simplefilter("ignore")
            made["i"] = ica(fit, axes, seed)
        if quadratic_count(max(split.units)) <= MOST:
            made["q"] = quadratic(fit)
        found |= {f"{letter}_{side}": features(scored) for letter, features in made.items()}
    return found


def measure(split: Split, sae: TopKSAE, control: TopKSAE, folds: int = 5, seed: int = 0) -> Measured:
    """Every score on the scored stimuli."""
    parts = k_folds(split.scored.shape[1], folds, seed)
    order = torch.randperm(split.scored.shape[1], generator=seeded(seed + 1))
    n = {"n_a": split.of(0), "n_b": split.of(1)}
    codes, random = (active_codes(model, split.scored, parts) for model in (sae, control))
    latents = {f"s{i // 2}_{'ab'[i % 2]}": code for i, code in enumerate(codes)}
    shuffled = {"n_shuffled": n["n_b"][order], "s_shuffled": latents["s0_b"][order]}
    plain = plain_features(split, sae.recipe.latents, seed)
    held = Held(n | latents | plain | dict(zip(("r_a", "r_b"), random, strict=True)) | shuffled, parts)
    kept = sum(code.shape[1] for code in codes) / (len(codes) * sae.encoder.shape[-1])
    constant_a, constant_b = (int(constant_units(y).sum()) for y in n.values())
    return Measured(score(held, wanted(len(codes) // 2, "q_a" in plain)), 1 - kept, parts, (constant_a, constant_b))


def wanted(seeds: int, products: bool) -> list[Pairing]:
    """What is scored with so many SAEs of each network, with `products` or without, and chance."""
    matched, (forth, back) = (*MATCHING, *GEOMETRY), ((one,) for one in RIDGE)
    found = [
        Pairing("nn", "n_a", "n_b", (*matched, *RIDGE)),
        Pairing("pp", "p_a", "p_b", matched),
        Pairing("ii", "i_a", "i_b", matched),
        Pairing("ra", "r_a", "s0_a", matched),
        Pairing("rb", "r_b", "s0_b", matched),
        Pairing("shuffled nn", "n_a", "n_shuffled", matched + forth),
        Pairing("shuffled ss", "s0_a", "s_shuffled", matched),
        Pairing("shuffled rn", "r_a", "n_shuffled", forth),
    ]
    for letter in ("r", "d", *("q" * products)):
        found += [Pairing(f"{letter}n", f"{letter}_a", "n_b", forth), Pairing(f"{letter}n", "n_a", f"{letter}_b", back)]
    for i in range(seeds):
        a, b = f"s{i}_a", f"s{i}_b"
        found += [Pairing("ss", a, b, matched, i), Pairing("rs", "r_a", b, matched, i)]
        found += [Pairing("sn", a, "n_b", forth, i), Pairing("sn", "n_a", b, back, i)]
        found += [Pairing("shuffled sn", a, "n_shuffled", forth, i)]
        if i:
            found += [Pairing("aa", "s0_a", a, matched, i - 1), Pairing("bb", "s0_b", b, matched, i - 1)]
    return found


class Analysis(NamedTuple):
    """Everything between the responses of two networks and the reading."""

    split: Split
    settings: Settings
    agreement: dict[int, float]  # of the numbers of active latents tried, empty if one was given
    training: Training[TopKSAE]
    half: Training[TopKSAE]  # the first seed, half the steps
    measured: Measured
    findings: Findings
    reading: Reading


def analyse(y_a: torch.Tensor, y_b: torch.Tensor, settings: Settings, device: str | torch.device = "cpu") -> Analysis:
    """The whole way from responses `(stimuli, units)` to a reading. Raises ValueError on bad input."""
    split = split_stimuli(y_a, y_b, 0.5, settings.first_seed, device)
    settings, agreement = settle(split, settings)
    training, half = fit_saes(split, settings), fit_half(split, settings)
    measured = measure(split, training.model, random_saes(training.model, settings), seed=settings.first_seed)
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
    return settings._replace(k=max(agreement, key=lambda k: agreement[k])), agreement


def fit_half(split: Split, settings: Settings) -> Training[TopKSAE]:
    """SAEs of the first seed trained for half the steps, with a learning rate that ends there."""
    return fit_saes(split, settings._replace(seeds=1, steps=settings.steps // 2))


def score_table(scores: pd.DataFrame, pairings: dict[str, str], metrics: dict[str, str]) -> pd.DataFrame:
    """Scores as "mean ± error", a row for each metric and a column for each pairing; both map a name to its words.

    The mean is over SAE seeds and folds, the error is the standard error over folds.
    """

    def shown(found):
        error = float(found.mean(0).std()) / found.shape[1] ** 0.5
        return f"{float(found.mean()):.3f} ± {error:.3f}"

    cells = [[shown(values(scores, metric, ab)) for ab in pairings] for metric in metrics]
    return pd.DataFrame(cells, list(metrics.values()), list(pairings.values()))


def chance(scores: pd.DataFrame) -> dict[tuple[str, str], float]:
    """Mean score by metric and pairing with the stimuli of b shuffled, as `("ridge_ab", "sn")`."""
    shuffled = scores[scores.pairing.str.startswith("shuffled")]
    means = shuffled.groupby(["metric", "direction", "pairing"], sort=False).value.mean()
    return {(f"{metric}_{way}".strip("_"), name.split()[1]): value for (metric, way, name), value in means.items()}


def explained(split: Split, sae: TopKSAE) -> tuple[torch.Tensor, torch.Tensor]:
    """Share of variance explained on stimuli of the training and on scored ones, `(models,)` each."""
    copies = len(sae.encoder) // 2
    fit, scored = (explained_variance(sae, y.repeat(copies, 1, 1)) for y in (split.fit, split.scored))
    return fit, scored


def findings(
    split: Split, settings: Settings, training: Training[TopKSAE], half: Training[TopKSAE], measured: Measured
) -> Findings:
    """The numbers for a reading; ridge scores are means of both directions."""
    soft = {ab: values(measured.scores, "soft", ab) for ab in ("nn", "ss", "rs", "aa", "bb", "ra", "rb", "pp", "ii")}
    plain = [ab for ab in ("dn", "qn") if ab in set(measured.scores.pairing)]
    both = {ab: [values(measured.scores, metric, ab) for metric in RIDGE] for ab in ("nn", "sn", "rn", *plain)}
    ridge = {ab: (forth + back) / 2 for ab, (forth, back) in both.items()}
    axes = max(soft["pp"], soft["ii"], key=lambda one: float(one.mean()))
    nonlinear = max((ridge[ab] for ab in plain), key=lambda one: float(one.mean()))
    fit, seen = explained(split, training.model)
    folds = measured.folds
    matched = latents_match(active_codes(half.model, split.scored, folds), folds, (0, 1))
    return Findings(
        units=split.units,
        dimensions=dimensions(split),
        stimuli=(split.fit.shape[1], split.scored.shape[1]),
        latents=settings.latents,
        soft_nn=float(soft["nn"].mean()),
        soft_ss=float(soft["ss"].mean()),
        ridge_nn=float(ridge["nn"].mean()),
        ridge_sn=float(ridge["sn"].mean()),
        match_gain=gain(soft["ss"], soft["nn"]),
        match_over_random=gain(soft["ss"], soft["rs"]),
        match_over_axes=gain(soft["ss"], axes),
        ridge_gain=gain(ridge["sn"], ridge["nn"]),
        ridge_over_random=gain(ridge["sn"], ridge["rn"]),
        ridge_over_plain=gain(ridge["sn"], nonlinear),
        stable=float(soft["aa"].mean() + soft["bb"].mean()) / 2,
        stable_random=float(soft["ra"].mean() + soft["rb"].mean()) / 2,
        explained=float(seen.mean()),
        explained_fit=float(fit.mean()),
        explained_rise=float(seen[:2].mean() - explained(split, half.model)[1].mean()),
        match_rise=float(soft["ss"][0].mean() - matched.mean()),
        silent=measured.silent,
        chance=max(map(abs, chance(measured.scores).values())),
        constant=measured.constant,
    )
