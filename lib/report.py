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
from torch.nn.functional import normalize

from lib.baselines import MOST, ica, pca, quadratic, quadratic_count, random_relu
from lib.checks import as_tensor, check_responses, unknown
from lib.correlation import paired_correlations
from lib.crossval import k_folds, silent_units
from lib.features import seeded
from lib.pairings import GEOMETRY, MATCHING, RIDGE, Held, Pairing, score, values
from lib.sae import PART, Recipe, TopKSAE, batches, explained_variance, fit, untrained
from lib.sae_families import FAMILIES
from lib.split import Split, dimensions, fitted_share, split_stimuli
from lib.training import Training
from lib.verdict import LIMITS, Findings, Reading, gain, reading

MOST_SCANNED = 512  # latents up to which trying several k takes seconds
MOST_ACTIVE = 128  # latents active at a time that the scan tries
USUAL_SHARE = 64  # of larger dictionaries one latent in so many is active
MOST_AXES = 64  # principal and independent axes that are matched; more take minutes to find
MOST_LATENTS = 1536  # chosen unasked, or two a unit: regressions from more latents would take longest of all
PAIR_BYTES = 28  # that matching takes for each unit of a and unit of b, on one fold after the other
CODE_BYTES = 80  # that codes take for each scored stimulus and latent, counted: 20 populations and copies of 4 bytes
MOST_BYTES = 2**30  # of matching and codes, beyond which the reader is warned
ESTIMATED = 50_000  # stimuli of the SAEs' part that what is only estimated from it takes


class Settings(NamedTuple):
    """What the SAEs are; latents and k may be 0 until `settle` has chosen them."""

    latents: int = 0
    k: int = 0
    steps: int = 1000
    seeds: int = 2  # SAEs of each network
    first_seed: int = 0
    ceiling: tuple[float, float] = (1.0, 1.0)  # correlation of a perfect model with the mean unit of a, of b, if known
    most_scanned: int = MOST_SCANNED  # latents up to which a k of 0 is chosen by the scan
    family: str = "topk"  # of the SAEs, a name in `lib.sae_families.FAMILIES`


class Brought(NamedTuple):
    """Codes by SAEs that were trained elsewhere, `(stimuli, latents)`: of a, of b, and again of further seeds."""

    codes: list[torch.Tensor]
    decoders: list[torch.Tensor] = []  # (latents, units) each, if known


class Measured(NamedTuple):
    """Scores on stimuli that the SAEs have not seen."""

    scores: pd.DataFrame  # as `lib.pairings.score`, a seed is an SAE's; "shuffled nn": stimuli of b in another order
    silent: float  # share of trained latents that are 0 throughout some fold and were left out
    ceilings: dict[str, float]  # by population, as `n_a`: what noise leaves of a correlation with a perfect model
    decoders: float  # mean matched cosine of the decoder rows of two SAEs of one network


def latents_by_rule(split: Split) -> int:
    """Four latents for each unit of the larger network, one for four distinct stimuli of training, whichever is fewer.

    More than 1,536 only as far as it takes two latents a unit: superposition is more features than units.
    """
    units = max(split.units)
    return max(4, min(4 * units, max(MOST_LATENTS, 2 * units), split.distinct[0] // 4))


def costs(split: Split, latents: int) -> list[str]:
    """Sentences for what will take long or much memory, before it does; empty if nothing will."""
    largest, scored = max(*split.units, latents), split.scored.shape[1]
    size = PAIR_BYTES * largest**2 + CODE_BYTES * scored * latents
    if size < MOST_BYTES:
        return []
    return [
        f"**This is large.** Matching {largest} units or latents and holding their codes for {scored} stimuli take "
        f"{size / 2**30:.1f} GiB, and {2 * len(split.folds)} or more assignments of that size minutes: give principal "
        "axes or a random part of the units, fewer `latents` or a lower `most_scored`."
    ]


def fit_saes(split: Split, settings: Settings) -> Training[TopKSAE]:
    """SAEs of both networks, a and b in turn for each seed, kept in build/trained and found again.

    Training that was stopped goes on where it was and ends with the same numbers.
    """
    networks = settings.seeds
    lr = 0.01 * (128 / max(128, settings.latents)) ** 0.5  # larger dictionaries take smaller steps
    recipe = Recipe.ours(latents=settings.latents, k=settings.k, steps=settings.steps, lr=lr)
    seeds = [1000 * settings.first_seed + i for i in range(2 * networks)]
    draw = batches(split.fit, recipe.batch)
    sae = FAMILIES[settings.family](list(split.units) * networks, recipe, seeds, split.fit.device)
    return fit(sae, lambda generator: draw(generator).repeat(networks, 1, 1), "saes-own")


def random_saes(sae: TopKSAE, settings: Settings) -> TopKSAE:
    """The control: one untrained SAE of each network."""
    return untrained(sae, [1000 * settings.first_seed + 900 + i for i in (0, 1)])


def choose_k(split: Split, settings: Settings, candidates: list[int]) -> dict[int, float]:
    """For each number of active latents, how well SAEs of one network but another seed agree; no pair is compared.

    The mean over both networks of soft-matching, on stimuli of the SAEs' part, of SAEs trained for all the steps: with
    fewer the smallest k look best. While the best is the smallest or the largest tried, half or twice as many are tried
    too. A k is out if a share of more than `most_silent` of the latents is silent in some fold, or all are; raises
    ValueError if no k is left.
    """
    agreement, tried = {}, set()
    while wanted := [
        k for k in _extended(candidates, agreement) if k not in tried and k <= max(1, settings.latents // 2)
    ]:
        tried |= {*wanted}
        agreement |= {k: found for k in wanted if (found := _seed_agreement(split, settings._replace(k=k))) is not None}
        if not agreement:
            candidates = [2 * max(tried)]
    if not agreement:
        raise ValueError(f"with k of {sorted(tried)} most latents are silent: give k, fewer latents or more stimuli")
    return dict(sorted(agreement.items()))


def _extended(candidates, agreement):
    """Numbers to try next: the candidates, then what lies beyond the best, if that is the first or the last."""
    if not agreement:
        return candidates
    best = max(agreement, key=lambda k: agreement[k])
    beyond = [best // 2] * (best == min(agreement)) + [2 * best] * (best == max(agreement))
    return [k for k in beyond if 1 <= k <= MOST_ACTIVE]


def _seed_agreement(split, settings):
    y, sae = split.fit[:, :5000], fit_saes(split, settings._replace(seeds=2)).model
    parts = k_folds(y.shape[1], len(split.folds))
    try:
        codes = active_codes(sae, y, parts)
    except ValueError:
        return None
    if min(code.shape[1] for code in codes) < (1 - LIMITS["most_silent"]) * settings.latents:
        return None
    return float(latents_match(codes, parts, (0, 2), (1, 3)).mean())


def k_candidates(latents: int) -> list[int]:
    """One latent in 64, in 32 and in 16, as numbers from 1 to MOST_ACTIVE; the scan goes on from there."""
    return sorted({min(MOST_ACTIVE, max(1, latents // share)) for share in (64, 32, 16)})


def all_codes(sae: TopKSAE, y: torch.Tensor) -> torch.Tensor:
    """Each SAE's codes of `y: (2, stimuli, units)`, `(models, stimuli, latents)`."""
    copies = len(sae.encoder) // 2
    return torch.cat([sae.latents(part.repeat(copies, 1, 1)) for part in y.split(PART, 1)], 1)


def active_codes(sae: TopKSAE, y: torch.Tensor, folds: list) -> list[torch.Tensor]:
    """Each SAE's codes of `y: (2, stimuli, units)`, `(stimuli, latents)`, without latents silent throughout a fold.

    Raises ValueError if none is left.
    """
    codes = all_codes(sae, y)
    active = [~silent_units(code, folds) for code in codes]
    _check_active(active)
    return [code[:, on] for code, on in zip(codes, active, strict=True)]


def _check_active(active):
    if not all(on.any() for on in active):
        raise ValueError("no latent of an SAE fires in every fold: give fewer latents, a larger k or more stimuli")


def latents_match(codes: list[torch.Tensor], folds: list, *models: tuple[int, int]) -> torch.Tensor:
    """Soft-matching of the codes of these two models, for each two; `(len(models), folds)`."""
    held = Held({str(i): code for i, code in enumerate(codes)}, folds)
    pairings = [Pairing("ss", str(a), str(b), ("soft",), i) for i, (a, b) in enumerate(models)]
    return values(score(held, pairings), "soft", "ss")


def plain_features(split: Split, latents: int, seed: int = 0) -> dict:
    """What makes features that know nothing of features, by letter and network as `d_a`, fitted on the SAEs' part.

    As many random ones as latents; products where they are not too many; as many axes as both networks have.
    """
    found, axes = {}, min(*split.units, MOST_AXES)
    for i, side in enumerate("ab"):
        y = split.fit[i, :ESTIMATED, : split.units[i]]
        made = {"d": random_relu(y, latents, seed + i), "p": pca(y, axes)}
        with warnings.catch_warnings():  # components that have not converged serve as a control too
            warnings.simplefilter("ignore")
            made["i"] = ica(y, axes, seed)
        if quadratic_count(max(split.units)) <= MOST:
            made["q"] = quadratic(y)
        found |= {f"{letter}_{side}": features for letter, features in made.items()}
    return found


def populations(units: tuple[int, int], y: torch.Tensor, codes: dict[str, torch.Tensor], plain: dict) -> dict:
    """Every population of responses `y: (2, stimuli, units)` by name: `n_a`, the codes, plain ones."""
    found = {f"n_{side}": y[i, :, : units[i]] for i, side in enumerate("ab")} | codes
    return found | {name: features(found[f"n_{name[-1]}"]) for name, features in plain.items()}


def codes_by_name(sae: TopKSAE, control: TopKSAE, y: torch.Tensor) -> dict[str, torch.Tensor]:
    """Codes of responses `y: (2, stimuli, units)` as populations `s0_a`, `s0_b`, `s1_a` and so on, `r_a`, `r_b`."""
    trained = {f"s{i // 2}_{'ab'[i % 2]}": code for i, code in enumerate(all_codes(sae, y))}
    return trained | dict(zip(("r_a", "r_b"), all_codes(control, y), strict=True))


def reliabilities(first: dict[str, torch.Tensor], second: dict[str, torch.Tensor], repeats: tuple) -> dict[str, float]:
    """What noise leaves of the correlation with a perfect model, for each population; the mean over its units.

        ceiling = sqrt(f r / (1 + (f - 1) r)),   f = repeats / repeats in a half

    r is the correlation of a unit, or latent, over the stimuli between two halves of the repeats (Spearman and Brown).
    """

    def ceiling(name):
        count = repeats["ab".index(name[-1])]
        if count == 1:
            return 1.0
        r, f = paired_correlations(first[name].double(), second[name].double()).clamp(0), count / (count // 2)
        return float((f * r / (1 + (f - 1) * r)).sqrt().mean())

    return {name: ceiling(name) for name in first}


def measure(split: Split, sae: TopKSAE, control: TopKSAE, settings: Settings) -> Measured:
    """Every score on the scored stimuli."""
    halves = [] if split.halves is None else [codes_by_name(sae, control, half) for half in split.halves]
    return _measured(split, codes_by_name(sae, control, split.scored), [*sae.decoder.detach()], settings, halves)


def measure_brought(split: Split, brought: Brought, settings: Settings) -> Measured:
    """Every score of codes that were brought along; the random ones are as many, and active as often as these are.

    Raises ValueError unless there are codes of each stimulus, finite, and no repeats: whose codes are not known.
    """
    if split.halves is not None:
        raise ValueError("repeats have no codes of their own among those given: leave out again_a and again_b")
    codes, stimuli = {}, sum(map(len, split.at))
    for i, given in enumerate(brought.codes):
        side, code = "ab"[i % 2], check_responses(given, f"codes of {'ab'[i % 2]}").to(split.fit)
        if code.ndim != 2 or len(code) != stimuli:
            raise ValueError(f"codes of {side} have shape {tuple(code.shape)}: give ({stimuli}, latents), one row each")
        codes[f"s{i // 2}_{side}"] = code[split.at[1]]
        if i < 2:
            active = (code[split.at[0]] != 0).sum(1).double().mean()
            recipe = Recipe(latents=code.shape[1], k=min(code.shape[1], max(1, round(float(active)))))
            control = TopKSAE(split.units[i], recipe, [1000 * settings.first_seed + 900 + i], split.fit.device)
            codes[f"r_{side}"] = control.latents(split.scored[i : i + 1, :, : split.units[i]])[0]
    return _measured(split, codes, brought.decoders, settings, [])


def _measured(split, codes, decoders, settings, halves) -> Measured:
    parts, seed = split.folds, settings.first_seed
    order = torch.randperm(split.scored.shape[1], generator=seeded(seed + 1))
    plain = plain_features(split, max(code.shape[1] for code in codes.values()), seed)
    active = {name: ~silent_units(code, parts) for name, code in codes.items()}
    _check_active(active.values())

    def all_of(y, codes):
        return populations(split.units, y, {name: code[:, active[name]] for name, code in codes.items()}, plain)

    found = all_of(split.scored, codes)
    ceilings: dict[str, float] = dict.fromkeys(found, 1.0) | {"n_a": settings.ceiling[0], "n_b": settings.ceiling[1]}
    if split.halves is not None:
        first, second = (all_of(y, of) for y, of in zip(split.halves, halves, strict=True))
        ceilings = reliabilities(first, second, split.repeats)
    shuffled = {"n_shuffled": found["n_b"][order], "s_shuffled": found["s0_b"][order]}
    trained = [on for name, on in active.items() if name[0] == "s"]
    scores = score(Held(found | shuffled, parts), wanted(len(trained) // 2, "q_a" in plain))
    silent = float((~torch.cat(trained)).double().mean())
    return Measured(scores, silent, ceilings, decoder_agreement(decoders, trained))


def decoder_agreement(decoders: list[torch.Tensor], active: list[torch.Tensor]) -> float:
    """How alike the dictionaries of two SAEs of one network are: mean cosine of matched decoder rows, of any sign.

        (1 / L) max_perm sum_l |cos(d_l, d'_perm(l))|

    over the L latents of the SAE that has fewer `active` ones. Decoders are `(latents, units)` each, of a and b in
    turn; the mean is over both networks and all further seeds, NaN if there are none. Source: the pairwise
    dictionary mean correlation coefficient of Song et al. 2025.
    """
    from scipy.optimize import linear_sum_assignment  # here, as it takes a third of a second to load

    rows, found = [normalize(one.double(), dim=1).cpu() for one in decoders], []
    for i in range(2, len(rows)):
        cosine = (rows[i % 2][active[i % 2].cpu()] @ rows[i][active[i].cpu()].mT).abs()
        found.append(cosine[linear_sum_assignment(cosine, maximize=True)].mean())
    return float(torch.stack(found).mean()) if found else torch.nan


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
    training: Training[TopKSAE] | None  # None if codes were brought along
    half: Training[TopKSAE] | None  # the first seed, half the steps
    measured: Measured
    findings: Findings
    reading: Reading


def analyse(
    y_a: torch.Tensor,
    y_b: torch.Tensor,
    settings: Settings,
    device: str | torch.device = "cpu",
    groups: torch.Tensor | None = None,
    brought: Brought | None = None,
) -> Analysis:
    """The whole way from responses as `split_stimuli` takes them to a reading; with codes `brought` nothing is trained.

    Raises ValueError on bad input.
    """
    split = split_stimuli(y_a, y_b, fitted_share(len(y_a)), settings.first_seed, device, groups=groups)
    if brought:
        settings, measured = settle_brought(brought, settings), measure_brought(split, brought, settings)
        found = findings(split, settings, None, None, measured)
        return Analysis(split, settings, {}, None, None, measured, found, reading(found))
    settings, agreement = settle(split, settings)
    training, half = fit_saes(split, settings), fit_half(split, settings)
    measured = measure(split, training.model, random_saes(training.model, settings), settings)
    found = findings(split, settings, training, half, measured)
    return Analysis(split, settings, agreement, training, half, measured, found, reading(found))


def settle(split: Split, settings: Settings) -> tuple[Settings, dict[int, float]]:
    """Settings without zeros, and the agreement that k was chosen by; raises ValueError for settings out of range."""
    check(settings)
    settings = settings._replace(latents=settings.latents or latents_by_rule(split))
    if settings.k:
        return settings, {}
    if settings.latents > settings.most_scanned:
        return settings._replace(k=max(1, settings.latents // USUAL_SHARE)), {}
    agreement = choose_k(split, settings, k_candidates(settings.latents))
    return settings._replace(k=max(agreement, key=lambda k: agreement[k])), agreement


def check(settings: Settings) -> None:
    """Raise ValueError for settings out of range, and for a family of SAEs that is unknown."""
    if settings.seeds < 2:
        raise ValueError(f"seeds = {settings.seeds}: give two or more, the spread over SAEs needs them")
    if settings.steps < 4 or settings.latents < 0 or settings.k < 0:
        raise ValueError(
            f"latents = {settings.latents}, k = {settings.k}, sae_steps = {settings.steps}: "
            "give 0 or more latents and k, and four steps or more"
        )
    if settings.family not in FAMILIES:
        raise unknown("family of SAEs", settings.family, FAMILIES)


def settle_brought(brought: Brought, settings: Settings) -> Settings:
    """Settings with the size of the larger dictionary brought along, and the mean number of its active latents."""
    largest = max(map(as_tensor, brought.codes), key=lambda code: code.shape[-1])
    k = max(1, round(float((largest != 0).sum(-1).double().mean())))
    return settings._replace(latents=largest.shape[-1], k=k, seeds=len(brought.codes) // 2)


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
    fit, scored = (explained_variance(sae, y.repeat(copies, 1, 1)) for y in (split.fit[:, :ESTIMATED], split.scored))
    return fit, scored


def findings(
    split: Split,
    settings: Settings,
    training: Training[TopKSAE] | None,
    half: Training[TopKSAE] | None,
    measured: Measured,
) -> Findings:
    """The numbers for a reading; ridge scores are means of both directions, and all are shares of the ceilings.

    What no training in this run tells, or no second seed, is NaN.
    """
    return Findings(
        units=split.units,
        dimensions=dimensions(split),
        stimuli=(split.fit.shape[1], split.scored.shape[1]),
        distinct=split.distinct,
        latents=settings.latents,
        k=settings.k,
        **_compared(split, measured),
        **_trained(split, training, half, measured),
        over_chance=_over_chance(measured.scores),
        decoders=measured.decoders,
        silent=measured.silent,
        chance=max(map(abs, chance(measured.scores).values())),
        constant=split.constant,
        massive=split.massive,
        ceilings=(measured.ceilings["n_a"], measured.ceilings["n_b"]),
        independent=split.independent,
    )


def _trained(split, training, half, measured) -> dict:
    """The findings that take the SAEs themselves and their training."""
    if training is None:
        return dict.fromkeys(("explained", "explained_fit", "explained_rise", "match_rise"), torch.nan)
    fit, seen = explained(split, training.model)
    matched = latents_match(active_codes(half.model, split.scored, split.folds), split.folds, (0, 1))
    ss = values(measured.scores, "soft", "ss")[0].mean()
    return {
        "explained": float(seen.mean()),
        "explained_fit": float(fit.mean()),
        "explained_rise": float(seen[:2].mean() - explained(split, half.model)[1].mean()),
        "match_rise": float(ss - matched.mean()) / _ceiling(measured, "ss"),
    }


def _compared(split, measured) -> dict:
    """The findings that compare populations."""
    soft, ridge = shares(measured, "soft"), ridge_shares(measured)
    narrow = shares(measured, "semi_ab" if split.units[0] <= split.units[1] else "semi_ba")
    match_gain = gain(soft["ss"], soft["nn"])
    if split.units[0] != split.units[1]:  # one to one, a wider network cannot be matched; each unit of the narrower can
        match_gain = min(match_gain, gain(narrow["ss"], narrow["nn"]))
    mean = {"aa": torch.nan, "bb": torch.nan} | {ab: float(one.mean()) for ab, one in soft.items()}
    return {
        "soft_nn": mean["nn"],
        "soft_ss": mean["ss"],
        "semi_nn": float(narrow["nn"].mean()),
        "ridge_nn": float(ridge["nn"].mean()),
        "ridge_sn": float(ridge["sn"].mean()),
        "match_gain": match_gain,
        "match_over_random": gain(soft["ss"], soft["rs"]),
        "match_over_axes": gain(soft["ss"], _better(soft["pp"], soft["ii"])),
        "ridge_gain": gain(ridge["sn"], ridge["nn"]),
        "ridge_over_random": gain(ridge["sn"], ridge["rn"]),
        "ridge_over_plain": gain(ridge["sn"], _better(*(ridge[ab] for ab in ("dn", "qn") if ab in ridge))),
        "stable": (mean["aa"] + mean["bb"]) / 2,
        "stable_random": (mean["ra"] + mean["rb"]) / 2,
        "seed_share": mean["ss"] / max(mean["aa"] * mean["bb"], 1e-12) ** 0.5,
    }


def shares(measured: Measured, metric: str) -> dict[str, torch.Tensor]:
    """Scores of a matching metric by pairing, as shares of what noise leaves; `(seeds, folds)` each."""
    names = {"nn", "ss", "rs", "aa", "bb", "ra", "rb", "pp", "ii"} & {*measured.scores.pairing}
    return {ab: values(measured.scores, metric, ab) / _ceiling(measured, ab) for ab in names}


def ridge_shares(measured: Measured) -> dict[str, torch.Tensor]:
    """Ridge scores by pairing, the mean of both directions, as shares of what noise in the targets leaves."""
    names = [ab for ab in ("nn", "sn", "rn", "dn", "qn") if ab in {*measured.scores.pairing}]
    ceilings = dict(zip(RIDGE, (measured.ceilings[name] or 1.0 for name in ("n_b", "n_a")), strict=True))
    each = {ab: [values(measured.scores, way, ab) / ceilings[way] for way in RIDGE] for ab in names}
    return {ab: (forth + back) / 2 for ab, (forth, back) in each.items()}


def _ceiling(measured, pairing):
    """Product of the ceilings of the two populations; 1 where there is nothing left to divide by."""
    sides = {"aa": ("s_a", "s_a"), "bb": ("s_b", "s_b"), "ra": ("r_a", "s_a"), "rb": ("r_b", "s_b")}
    names = sides.get(pairing, (f"{pairing[0]}_a", f"{pairing[1]}_b"))
    found = 1.0
    for name in names:
        each = [one for key, one in measured.ceilings.items() if (key[0], key[-1]) == (name[0], name[-1])]
        found *= sum(each) / len(each)
    return found or 1.0


def _better(*scores):
    return max(scores, key=lambda one: float(one.mean()))


def _over_chance(scores):
    """How far units and latents exceed shuffled stimuli, by the score that does so most clearly."""
    pairs = [("soft", "nn"), ("ridge_ab", "nn"), ("soft", "ss")]
    found = [gain(values(scores, metric, ab)[:1], values(scores, metric, f"shuffled {ab}")) for metric, ab in pairs]
    return max(found, key=lambda one: one.mean / max(one.error, 1e-9))
