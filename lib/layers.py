"""Every metric between every layer of one network and every layer of another: what belongs to a layer is done once."""

from collections.abc import Mapping

import pandas as pd
import torch

from lib.checks import as_tensor, check_pair
from lib.crossval import k_folds
from lib.pairings import GEOMETRY, MATCHING, RIDGE, Held, Pairing, score

METRICS = (*MATCHING, *GEOMETRY, *RIDGE)


def layer_map(
    a: Mapping[str, torch.Tensor],
    b: Mapping[str, torch.Tensor],
    metrics: tuple[str, ...] = METRICS,
    folds: int | list = 5,
    seed: int = 0,
) -> pd.DataFrame:
    """A row for each score: pairing (nn), layer_a, layer_b, metric, direction (ab, ba or none), fold, value.

    `a` and `b` hold `(stimuli, units)` by layer, any arrays, of the same stimuli; widths may differ. Scores are those
    of `lib.pairings.score`: fitted on all folds but one, read on that one. `folds` are a number, or the index pairs of
    `k_folds`. Raises ValueError on bad input, layers that differ in stimuli and metrics that are not among METRICS.
    """
    if unknown := {*metrics} - {*METRICS}:
        raise ValueError(f"metrics {', '.join(sorted(unknown))} are unknown: choose from {', '.join(METRICS)}")
    responses = _checked({f"a {name}": y for name, y in a.items()} | {f"b {name}": y for name, y in b.items()}, a, b)
    if isinstance(folds, int):
        folds = k_folds(len(next(iter(responses.values()))), folds, seed)
    asked = {("nn", one, other): Pairing("", f"a {one}", f"b {other}", metrics) for one in a for other in b}
    return score_layers(Held(responses, folds), list(asked.items()))


def score_layers(populations: Held, asked: list[tuple[tuple[str, str, str], Pairing]]) -> pd.DataFrame:
    """Rows as those of `layer_map`, each of a pairing under the names given: pairing, layer_a, layer_b."""
    found = score(populations, [one._replace(name=str(i)) for i, (_, one) in enumerate(asked)])
    names = pd.DataFrame([asked[int(i)][0] for i in found.pairing], columns=["pairing", "layer_a", "layer_b"])
    return names.join(found[["metric", "direction", "fold", "value"]])


def as_matrix(scores: pd.DataFrame, metric: str, pairing: str = "nn") -> pd.DataFrame:
    """Means over folds of one metric, for example `ridge_ab`; layers of a down, of b across, in the order given."""
    name, _, direction = metric.partition("_")
    found = scores[(scores.pairing == pairing) & (scores.metric == name) & (scores.direction == direction)]
    if found.empty:
        raise ValueError(f"no {metric} of {pairing} in these scores: ask for it when they are made")
    table = found.groupby(["layer_a", "layer_b"]).value.mean().unstack()
    return table.reindex(found.layer_a.unique(), columns=found.layer_b.unique())


def _checked(layers, a, b):
    """All layers as tensors of one kind, each against the first."""
    if not (a and b):
        raise ValueError(f"{len(a)} layers of a and {len(b)} of b: give one or more of each")
    layers = {one: as_tensor(y, one) for one, y in layers.items()}
    for one, y in layers.items():
        if y.ndim != 2:
            raise ValueError(f"{one} has shape {tuple(y.shape)}: give (stimuli, units)")
    name, first = next(iter(layers.items()))
    return {one: check_pair(first, y, 4, names=(name, one))[1] for one, y in layers.items()}
