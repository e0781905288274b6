"""Where SAEs raise the alignment of two trained networks, and where not: a random sample of stand-in worlds.

    python benchmarks/dose.py [--cells 80] [--seconds 3600] [--images zip:PATH]

Chapter 10's stand-in was chosen after others had failed. Here nothing is chosen: cells are drawn at random from the
full product of the axes below, each number of objects in turn, and every one that is run is kept. Adds a line to
book/results/dose.jsonl for each cell that is not in it yet, and stops after the last or when the time is over; a run
that was stopped goes on where it was. `--images` names labelled images as `lib.data.images` does (CIFAR-10 where the
book's were made); without it, cells made of images are left out and said so. Chapter 17 reads the file. Delete it after
a change to what a cell does.

A cell trains two networks from two seeds on scenes of pictures, and has `lib.report` analyse their deep layer's
responses to scenes of other pictures. Latents and k are what the world has, slightly more latents than labels and as
many active as labels on average; steps are those of chapter 10, and nothing is tuned on any score. Beside the findings
a line keeps what is known before any score: labels (`features`), the participation ratio of their covariance
(`effective`), the ridge correlation that random projections of such labels would have (`expected_ridge`,
`lib.theory.expected_r2_of_spectrum`), and the units from which on sparse codes can be recovered (`needed`,
`lib.theory.recovery_units`). From these `lib.chapter.dose` tells the regime of a cell: single, room, superposed,
between, crowded.

Written before the first cell ran. Known were chapter 10's cells (9 objects, density .3, independent labels, other
layers and SAEs: gains in matching .03, .36 and .54 for 16, 32, 64 units, in ridge .09, .04 and 0; -.36 for one object)
and that its intermediate layer, 96 units for 90 labels, gains .33 in matching and nothing in ridge. We expect:

1. Matching gains more than .05 in four of five superposed cells of digits, and in half of those of images, which the
   networks read worse.
2. It gains in three of five cells with room too, where features are not superposed: several sparse features mixed in
   each unit are enough. Only there all hangs on effective features: where labels are correlated at .8 there are few.
3. It loses in three of four single cells, although these SAEs have no more latents than the world has classes.
4. It gains nothing in three of four crowded cells: there the codes cannot be found.
5. Units match less the more effective features there are, since near axes are rare in many dimensions: rank
   correlation -.7 or stronger.
6. Ridge gains .02 at most in nine of ten cells whose effective features are no more than units, as a linear map reads
   all; it gains more in three of five of the others that are not crowded. Over cells of several objects it rises with
   effective features a unit (rank correlation .5), and more closely so than with labels a unit.
7. On digits ridge between units follows what random projections of the labels would have (rank correlation .7).
8. Where products of units fit, plain features (dense random or quadratic) predict as well as latents in three of four
   cells. In matching latents beat principal and independent axes in three of four superposed cells.
9. Digits gain more in matching than images, by the median over cells with room and superposed ones.
10. The report says yes in no single cell, and in half of the superposed ones.

`lib.chapter.dose.EXPECTED` says the same in numbers, and chapter 17 shows what became of it.
"""

import argparse
import json
import sys
from collections import Counter
from functools import partial
from itertools import product
from math import ceil
from time import process_time

import torch
from calibration import lines, rounded
from sklearn.metrics import average_precision_score
from torch import nn

from lib import store
from lib.data.composed import Composition, compose, digit_pictures, image_pictures
from lib.data.extraction import responses
from lib.data.stand_ins import STREAM, Classifiers, GridMLP
from lib.features import seeded
from lib.geometry import participation_ratio
from lib.pairings import Held, feature_correlations
from lib.report import Analysis, Settings, active_codes, analyse, ridge_shares, shares
from lib.theory import expected_r2_of_spectrum, recovery_units
from lib.training import Training

FILE = store.ROOT / "book" / "results" / "dose.jsonl"
AXES = {
    "pictures": ["digits", "images"],
    "objects": [1, 4, 9, 16],  # places that a scene has
    "units": [16, 32, 64, 128, 256],  # of the deep layer
    "density": [0.1, 0.2, 0.3, 0.5],  # probability that a place is filled
    "correlation": [0, 0.2, 0.5, 0.8],  # of one class in two places, none where there is one place
}
HIDDEN, STEPS, BATCH = (256, 256), 3000, 128  # layers before the deep one, training steps, scenes in a batch
SCENES, SAE_STEPS = 10_000, 1000  # half of the scenes train the SAEs, the others are scored


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cells", type=int, default=80)
    parser.add_argument("--seconds", type=float, default=3600, help="of this process on a core; no cell is begun after")
    parser.add_argument("--images", default="", help="labelled images, as zip:PATH or folder:PATH")
    given = parser.parse_args()
    torch.set_num_threads(1)
    done, left = {line["cell"] for line in lines(FILE)}, 0
    for number, cell in enumerate(cells(given.cells)):
        if number in done or process_time() > given.seconds:
            continue
        if cell["pictures"] == "images" and not given.images:
            left += 1
            continue
        started = process_time()
        line = {"cell": number, **cell, **measured(number, cell, given.images)}
        line["seconds"] = round(process_time() - started, 1)
        with FILE.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")
    if left:
        print(f"{left} cells are made of images and were left out: give --images zip:PATH", file=sys.stderr)


def cells(count: int) -> list[dict]:
    """The first so many of all cells, each number of objects in turn, in a random order that never changes."""
    every = [dict(zip(AXES, values, strict=True)) for values in product(*AXES.values())]
    every = [cell for cell in every if cell["objects"] > 1 or not cell["correlation"]]
    turns, ranked = Counter(), []
    for i in torch.randperm(len(every), generator=seeded(0)).tolist():
        ranked.append((turns[every[i]["objects"]], every[i]))
        turns[every[i]["objects"]] += 1
    return [cell for _, cell in sorted(ranked, key=lambda one: one[0])][:count]


def measured(number: int, cell: dict, images: str) -> dict:
    """What is known before any score, and what the report finds, or the error by which it refuses."""
    how = Composition(cell["objects"], cell["density"], cell["correlation"])
    learn, new = (pictures(cell["pictures"], split, images) for split in ("train", "test"))
    scenes = compose(new, how, SCENES, seeded(1000 + number))
    known = known_before(scenes.labels, how, cell["units"])
    networks = trained(learn, how, cell["units"], number)
    y = responses(networks, scenes.images, {"deep": ("body.5", "flat")})["deep"]
    # One picture alone makes the same scene again and again; scenes of several are hardly ever repeated.
    groups = torch.arange(SCENES) if how.objects > 1 else distinct(scenes.shown[:, 0])
    settings = Settings(ceil(known["features"] * 16 / 15), known["k"], SAE_STEPS, first_seed=number)
    try:
        found = analyse(*y, settings, groups=groups)
    except ValueError as error:
        return {**known, "error": str(error)}
    told = [network(scenes.images).sigmoid() for network in networks]
    return rounded({**known, "precision": precision(scenes.labels, told), **scored(found, scenes.labels)})


def pictures(kind: str, split: str, images: str):
    """The pictures that scenes are made of."""
    return digit_pictures(split) if kind == "digits" else image_pictures(images, split)


def known_before(labels: torch.Tensor, how: Composition, units: int) -> dict:
    """What labels and theory say of a world before a network is trained in it."""
    spectrum, features = torch.linalg.eigvalsh(labels.double().T.cov()).clamp(min=0), labels.shape[1]
    active = how.objects * how.density
    return {
        "features": features,
        "effective": float(participation_ratio(spectrum)),
        "expected_ridge": expected_r2_of_spectrum(spectrum, units) ** 0.5,
        "needed": recovery_units(features, max(1, round(active))),
        "k": ceil(active),
    }


def trained(pictures, how: Composition, units: int, number: int) -> nn.ModuleList:
    """Two networks from two seeds, on the same scenes in the same order, each drawn anew."""
    classes, pixels = len(pictures.counts), pictures.images.shape[1]
    make = partial(mlp, how.objects * pixels, units, how.objects * classes)
    model = Classifiers(make, [2 * number, 2 * number + 1], how.density / classes)

    def draw(generator):
        return compose(pictures, how, BATCH, generator)[:2]

    return Training(model, draw, STREAM, 0.002, STEPS).run(STEPS).model.networks.requires_grad_(False)


def mlp(pixels: int, units: int, labels: int) -> GridMLP:
    """The network of chapter 10's stand-in, for scenes of any size."""
    network = GridMLP((*HIDDEN, units), labels)
    network.body[0] = nn.Linear(pixels, HIDDEN[0])
    nn.init.kaiming_normal_(network.body[0].weight)
    nn.init.zeros_(network.body[0].bias)
    return network


def distinct(shown: torch.Tensor) -> torch.Tensor:
    """A number for each scene, the same where the same picture is shown; empty scenes count one by one."""
    return torch.where(shown >= 0, shown, shown.max() + 1 + torch.arange(len(shown)))


def precision(labels: torch.Tensor, told: list[torch.Tensor]) -> float:
    """Average precision of the labels that are ever true, mean over labels and networks."""
    at = labels.any(0)
    each = [average_precision_score(labels[:, at], one[:, at], average="macro") for one in told]
    return sum(each) / len(each)


def scored(found: Analysis, labels: torch.Tensor) -> dict:
    """Findings as `benchmarks/calibration.py` keeps them, scores by pairing, and how well labels are found."""
    by = {"soft": shares(found.measured, "soft"), "ridge": ridge_shares(found.measured)}
    means = {f"{metric}_{ab}": float(one.mean()) for metric, each in by.items() for ab, one in sorted(each.items())}
    split = found.split
    codes = active_codes(found.training.model, split.scored, split.folds)[:2]
    known = {"f": labels[split.at[1]], "n0": split.of(0), "n1": split.of(1), "s0": codes[0], "s1": codes[1]}
    held = Held(known, split.folds)
    n0, n1, s0, s1 = (float(feature_correlations(held, "f", name).mean()) for name in ("n0", "n1", "s0", "s1"))
    found_by = {"labels_n": (n0 + n1) / 2, "labels_s": (s0 + s1) / 2}
    return {"scores": means, **found_by, "findings": found.findings._asdict()}


if __name__ == "__main__":
    main()
