"""The overlap of two kinds of trained networks, estimated from several runs of each, beside its controls."""

from collections.abc import Iterator
from itertools import combinations, product

import pandas as pd
import torch
from matplotlib.axes import Axes
from torch.nn.functional import one_hot

from lib.ceiling import corrected_cka, overlap
from lib.chapter.plotting import INK, k_styles
from lib.data.extraction import stored_responses
from lib.data.images import open_images
from lib.features import seeded
from lib.geometry import linear_cka

WORDS = {
    "trained": "trained",
    "within_class": "trained,\nless class means",
    "untrained": "untrained",
    "half_trained": "a trained,\nb untrained",
    "halves_a": "a in halves",
    "halves_b": "b in halves",
    "shuffled": "trained, images\nof b shuffled",
}


def network_overlaps(
    runs_a: list[str], runs_b: list[str], images: str, sites: list[str], device: str = "auto"
) -> pd.DataFrame:
    """A row for each comparison at each site: mean debiased CKA, the score corrected by seeds, what two seeds count.

    `by_one` is the mean of `lib.ceiling.corrected_cka` over the pairs, which asks for one network of each kind.

    `runs_a` and `runs_b` are networks as `lib.data.vision` names them, two or more of each kind; `images` lie in class
    folders, else none are compared within class; a site is `layer:position` of both kinds. Compared are

    - `trained`: the runs; `within_class`: their responses less the mean of each class
    - `untrained`: the same architectures with random weights; `half_trained`: the runs of a, and b untrained
    - `shuffled`: the runs, b for the images in another order
    - `halves_a`, `halves_b`: the runs of one kind in two halves, in each way, where there are four or more

    Raises ValueError as `lib.data.extraction.stored_responses` and `lib.ceiling.overlap`.
    """
    labels, rows = one_hot(torch.tensor(open_images(images).labels)).double(), []
    new_a, new_b = ([_untrained(name) for name in runs] for runs in (runs_a, runs_b))
    # Each random network has a seed of its own: kinds that start alike would be related.
    kinds = ((runs_a, 0), (runs_b, 0), (new_a, 0), (new_b, len(new_a)))
    found = [_responses(runs, sites, images, device, seed) for runs, seed in kinds]
    for site, a, b, fresh_a, fresh_b in zip(sites, *found, strict=True):
        cases = _comparisons(a, b, fresh_a, fresh_b, labels)
        rows += [{"pair": name, "site": site, **_compared(one, other)} for name, one, other in cases]
    return pd.DataFrame(rows)


def _untrained(name):
    """The same architecture with random weights: `file:PATH@cifar:resnet56` is `cifar:resnet56:random`."""
    return ":".join([*name.rpartition("@")[2].split(":")[:2], "random"])


def _responses(runs, sites, images, device, seed):
    """For each site a list of what the runs give there, (stimuli, units)."""
    files = [stored_responses(name, sites, images, device, seed + i) for i, name in enumerate(runs)]
    return [[torch.tensor(one[:]).double() for one in of_site] for of_site in zip(*files, strict=True)]


def _comparisons(a, b, fresh_a, fresh_b, labels) -> Iterator[tuple[str, list, list]]:
    order = torch.randperm(len(labels), generator=seeded(0))
    yield "trained", a, b
    if len(labels) > labels.shape[1]:
        yield "within_class", _less_means(a, labels), _less_means(b, labels)
    yield "untrained", fresh_a, fresh_b
    yield "half_trained", a, fresh_b
    yield "shuffled", a, [y[order] for y in b]
    for name, runs in (("halves_a", a), ("halves_b", b)):
        for others in combinations(range(1, len(runs)), len(runs) // 2 - 1) if len(runs) > 3 else ():
            yield name, [runs[i] for i in (0, *others)], [y for i, y in enumerate(runs) if i not in (0, *others)]


def _less_means(runs, labels):
    return [y - labels @ (labels.mT @ y / labels.sum(0)[:, None]) for y in runs]


def _compared(a, b):
    found = overlap(a, b)
    pairs = {"cka": product(a, b), "cka_a": combinations(a, 2), "cka_b": combinations(b, 2)}
    cka = {name: [float(linear_cka(x, y, debiased=True)) for x, y in each] for name, each in pairs.items()}
    cka["by_one"] = [float(corrected_cka(x, y)) for x, y in product(a, b)]
    means = {name: sum(each) / len(each) for name, each in cka.items()}
    corrected = {"corrected": found.estimate, "low": found.low, "high": found.high}
    return means | corrected | {"features_a": found.features[0], "features_b": found.features[1]}


def expectations(table: pd.DataFrame) -> dict[str, bool]:
    """Whether the rows of `network_overlaps` are what the profile cifar_pairs expects; sites from shallow to pooled."""
    middle, deep, pooled = table.site.unique()

    def within(pair, low, high, *sites, column="corrected"):
        found = table[(table.pair == pair) & table.site.isin(sites or table.site)]
        return all(low <= of_site[column].mean() <= high for _, of_site in found.groupby("site"))

    halves = [name for name in ("halves_a", "halves_b") if name in {*table.pair}]
    single = [abs(x - 1) < 0.1 for x in table[table.pair.isin(halves)].corrected]
    counts = [within("trained", 8, 13, pooled, column=f"features_{x}") for x in "ab"]
    by_one = [within(name, 1.15, float("inf"), middle, column="by_one") for name in halves]
    by_one += [within(name, 0.85, 1.15, deep, pooled, column="by_one") for name in halves]
    return {
        "halves": all(single) and all(within(name, 0.97, 1.03) for name in halves),
        "shuffled": within("shuffled", -0.02, 0.02),
        "untrained": within("untrained", 0.9, float("inf"), pooled),
        "half_trained": within("half_trained", -1, 0.3, deep, pooled) and within("half_trained", -1, 0.7, middle),
        "within_class": within("within_class", 0.6, 0.9, deep, pooled) and within("within_class", 0.85, 9, middle),
        "features": all(counts),
        "by_one": all(by_one),
    }


def draw_overlaps(ax: Axes, table: pd.DataFrame) -> None:
    """The rows of `network_overlaps`: the corrected score with its interval, and CKA as a point, a style for a site."""
    names, sites = [name for name in WORDS if name in {*table.pair}], list(table.site.unique())
    for place, (site, style) in enumerate(zip(sites, k_styles(sites), strict=True)):
        part = table[table.site == site]
        heights = part.pair.map(names.index) + 0.22 * (place - (len(sites) - 1) / 2)
        errors = [part.corrected - part.low, part.high - part.corrected]
        ax.errorbar(part.corrected, heights, xerr=errors, ls="", label=site, **style)
        ax.plot(part.cka, heights, ls="", ms=5, color=style["color"], marker="|", mew=1.5)
    ax.axvline(1, color=INK, lw=0.8)
    ax.set_yticks(range(len(names)), [WORDS[name] for name in names])
    ax.invert_yaxis()
    ax.legend(loc="lower center")
