"""Pairs of trained networks at one layer after the other: SAEs by our recipe, by the authors', and by those between.

A *way* is a recipe with what its SAEs see:

    ours        the report's settings on the units as they are
    normalised  the same on layer-normalised responses, of a ResNet rectified before
    sizes       besides, with the authors' latents and k for each unit
    authors     the authors' recipe and sizes, one seed for both networks
"""

import json
from collections.abc import Callable, Iterator
from math import ceil, inf
from typing import Any, NamedTuple

import torch
from torch.nn.functional import layer_norm

from lib import store
from lib.baselines import random_relu
from lib.correlation import centre_and_scale
from lib.crossval import silent_units
from lib.features import seeded
from lib.joint_sae import padded
from lib.pairings import Held, score
from lib.report import Analysis, Settings, analyse, codes_by_name, fit_saes, populations, random_saes, wanted
from lib.sae import Recipe, TopKSAE, batches, explained_variance, fit
from lib.split import Split, answered_alike, split_stimuli
from lib.store import dependencies, key, write_whole
from lib.verdict import reading

WAYS = {"ours": "ours", "normalised": "ours, layer-normalised", "sizes": "ours, and their sizes", "authors": "theirs"}
KEPT = ("nn", "ss", "rs", "aa", "bb", "sn", "rn", "dn")  # of the report's pairings, what is scored for each way


class Kind(NamedTuple):
    """What the authors' code does with networks of a kind: latents for each unit that are active and that there are."""

    rectified: bool
    middle: tuple[float, int]
    deep: tuple[float, int]


# Source: github.com/cest-andre/align-interp, train_sae.py at b589eb7, ResNet50 layer2.3.bn2, layer4.2.bn2; ViT-B/16.
KINDS = {
    "resnet": Kind(True, (8 / 128, 2), (32 / 512, 4)),
    "vit": Kind(False, (153 / 768, 2), (153 / 768, 2)),
}


class Site(NamedTuple):
    """A layer of two networks, and what is known of these before any score."""

    pair: str
    layer: str  # layer:position, or a file's stem
    deep: bool  # or intermediate
    kind: str  # one of KINDS
    classes: int  # that the networks were trained to tell apart


class Training(NamedTuple):
    """How long and in which batches SAEs by the authors' recipe are trained."""

    passes: float = 300  # over the stimuli
    batch: int = 1024


def sites(names: list[str], layers: list[str], kinds: list[str], classes: list[int]) -> list[list[Site]]:
    """For each pair its sites: the first of its layers is intermediate, the others are deep."""
    for what, given in {"layers": layers, "kinds": kinds, "classes": classes}.items():
        if len(given) != len(names):
            raise ValueError(
                f"{what} has {len(given)} entries for {len(names)} pairs: give one for each name of a pair"
            )
    if unknown := {*kinds} - {*KINDS}:
        raise ValueError(f"kind of pair {min(unknown)!r} is unknown: choose {' or '.join(KINDS)}")
    return [
        [Site(name, layer, i > 0, kind, count) for i, layer in enumerate(row.split())]
        for name, row, kind, count in zip(names, layers, kinds, classes, strict=True)
    ]


def kept(make: Callable[..., Iterator[dict]], *given: Any) -> list[dict]:
    """The rows that `make(*given)` yields, from build/scored if they were made before, so that a killed run goes on."""
    path = store.ROOT / "build" / "scored" / f"{key(dependencies(make=make, given=given))}.json"
    if not path.exists():
        write_whole(path, json.dumps(list(make(*given))))
    return json.loads(path.read_text(encoding="utf-8"))


def site_rows(site: Site, y: list[torch.Tensor], settings: Settings, training: Training, device) -> Iterator[dict]:
    """A row of scores for each way, and the report's own findings in that of ours; in the order of WAYS."""
    groups = answered_alike(*y)
    analysis = analyse(y[0], y[1], settings, device, groups)
    settings, split = analysis.settings, analysis.split
    normal = [_layer_normalised(one, site.kind) for one in y]
    yield _row(site, "ours", settings, analysis.measured.scores, _explained(analysis)) | _findings(analysis)
    seen = _as_seen(normal, split, device)
    centre, scale = centre_and_scale(seen.fit)
    scaled = seen._replace(fit=(seen.fit - centre) / scale, scored=(seen.scored - centre) / scale)
    sized = settings._replace(**authors_sizes(site, max(seen.units)))
    for way, view, wanted_settings in (("normalised", scaled, settings), ("sizes", scaled, sized)):
        sae = fit_saes(view, wanted_settings).model
        yield _way(site, way, split, view, wanted_settings, sae, random_saes(sae, wanted_settings))
    sae = _fit_as_authors(seen, sized, training, device)
    control = TopKSAE([*seen.units], sae.recipe, sae.seeds[:2], device)  # as the first two started, like the authors'
    yield _way(site, "authors", split, seen, sized, sae, control)


def authors_sizes(site: Site, units: int) -> dict[str, int]:
    """The authors' latents and k for so many units."""
    kind = KINDS[site.kind]
    active, wide = kind.deep if site.deep else kind.middle
    return {"latents": wide * units, "k": max(1, round(active * units))}


def by_images(y: list[torch.Tensor], settings: Settings, counts: list[int], scored: int, device) -> Iterator[dict]:
    """Scores of our SAEs trained on so many of the stimuli, all on the same `scored` other ones.

    As many training steps each. Raises ValueError unless the largest count leaves so many stimuli.
    """
    if max(counts) + scored > len(y[0]):
        raise ValueError(f"{max(counts)} and {scored} stimuli are more than the {len(y[0])} there are: give fewer")
    split = split_stimuli(y[0], y[1], share=1 - scored / len(y[0]), seed=settings.first_seed, device=device)
    order = torch.randperm(split.fit.shape[1], generator=seeded(settings.first_seed + 2))
    for count in counts:
        part = split._replace(fit=split.fit[:, order[:count]])
        sae = fit_saes(part, settings).model
        found = _scores(split, codes_by_name(sae, random_saes(sae, settings), split.scored), settings)
        yield {"images": count, **_means(found), "explained": _explained_by(sae, split.scored)}


def _layer_normalised(y, kind):
    y = y.relu() if KINDS[kind].rectified else y
    return layer_norm(y.float(), y.shape[1:])


def _as_seen(normal, split, device) -> Split:
    """The same stimuli for SAEs and scores, as the authors' SAEs see them; all units."""
    y = padded(normal).to(device)
    return split._replace(units=tuple(one.shape[1] for one in normal), fit=y[:, split.at[0]], scored=y[:, split.at[1]])


def _fit_as_authors(seen, settings, training, device):
    """Two SAEs for each seed, of a and of b, that start alike."""
    stimuli, sizes = seen.fit.shape[1], {"latents": settings.latents, "k": settings.k}
    steps = ceil(training.passes * stimuli / training.batch)
    recipe = Recipe.of_networks(**sizes, steps=steps, batch=min(training.batch, stimuli))
    seeds = [1000 * settings.first_seed + i // 2 for i in range(2 * settings.seeds)]
    draw = batches(seen.fit, recipe.batch)
    sae = TopKSAE([*seen.units] * settings.seeds, recipe, seeds, device)
    return fit(sae, lambda generator: draw(generator).repeat(settings.seeds, 1, 1), "saes-authors").model


def _way(site, way, split, seen, settings, sae, control):
    codes = codes_by_name(sae, control, seen.scored)
    found = _scores(split, codes, settings)
    units = Held({f"n_{side}": seen.scored[i, :, : seen.units[i]] for i, side in enumerate("ab")}, split.folds)
    extra = {"input_nn": float(score(units, [wanted(0, False)[0]._replace(metrics=("soft",))]).value.mean())}
    return _row(site, way, settings, found, _explained_by(sae, seen.scored)) | extra


def _scores(split, codes, settings):
    """What KEPT names, of the units as they are and of these codes without silent latents."""
    codes = {name: code[:, ~silent_units(code, split.folds)] for name, code in codes.items()}
    if empty := [name for name, code in codes.items() if not code.shape[1]]:
        raise ValueError(f"no latent of {empty[0]} fires in every fold: give fewer latents, a larger k or more stimuli")
    plain = {f"d_{side}": random_relu(split.fit[i, :, : split.units[i]], settings.latents, settings.first_seed + i)
             for i, side in enumerate("ab")}  # fmt: skip
    pairings = [one for one in wanted(settings.seeds, False) if one.name in KEPT]
    return score(Held(populations(split.units, split.scored, codes, plain), split.folds), pairings)


def _means(scores):
    """The mean over seeds and folds of every score, as `soft_ss`; of regression over both directions too."""
    found = scores[~scores.pairing.str.startswith("shuffled")]
    of = found.metric.where(found.metric != "semi", found.metric + "_" + found.direction) + "_" + found.pairing
    return found.groupby(of, sort=False).value.mean().to_dict()


def _by_seed(scores, metric, better, worse):
    """How much one pairing scores above another, for each SAE seed."""
    part = scores[scores.metric == metric]
    return part[part.pairing == better].groupby("seed").value.mean() - part[part.pairing == worse].value.mean()


def _row(site, way, settings, scores, explained):
    gains = {"match": _by_seed(scores, "soft", "ss", "nn"), "ridge": _by_seed(scores, "ridge", "sn", "nn")}
    ends = {f"{name}_{end}": float(getattr(of, end)()) for name, of in gains.items() for end in ("mean", "min", "max")}
    sizes = {"latents": settings.latents, "k": settings.k, "explained": explained}
    return {**site._asdict(), "way": way, **sizes, **_means(scores), **ends}


def _explained_by(sae, y):
    return float(explained_variance(sae, y.repeat(len(sae.encoder) // 2, 1, 1)).mean())


def _explained(analysis: Analysis):
    return analysis.findings.explained


def _findings(analysis: Analysis) -> dict:
    """What the report alone knows: dimensions, convergence, how alike dictionaries are, and its answer."""
    found = analysis.findings._replace(independent=inf)  # images lie by class, not in time: neighbours may be alike
    told = {"units": max(found.units), "dimensions": sum(found.dimensions) / 2, "stimuli": sum(found.stimuli)}
    grows = {"explained_rise": found.explained_rise, "match_rise": found.match_rise, "dictionaries": found.decoders}
    rest = {"seed_share": found.seed_share, "silent": found.silent, "chance": found.chance}
    return told | grows | rest | {"verdict": reading(found).verdict.value}
