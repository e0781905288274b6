"""What runs cost: `python benchmarks/workflow_costs.py` prints the two tables of *Beyond one machine*.

Of chapters that can be run in parts, what was recorded. Of the runs that nobody has done, counts times the assumptions
below: change one and print the table again.
"""

import json
from math import ceil
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parent.parent

FLOPS = 10e12  # that a GPU sustains in single precision, half of what the cards of 2020 are sold with
DOUBLE = 1e12  # that it sustains in double precision in factorisations
STEP = 5e-4  # seconds of a training step below which its some fifty operations cannot be started
GATHER = 1e9  # bytes a second of rows picked at random from a file that is in memory
DECODED = 100  # pictures a second that a core decodes
CORES = 16  # of a machine, for each GPU
DISK = 2e8  # bytes a second from a shared disk
PRODUCTS = {"authors": 11, "joint": 8}  # a training step in products of the encoder: measured; counted dense
IMAGES, BATCH, EPOCHS, PIXELS = 1_281_167, 1024, 300, 150e9  # of ImageNet's training part, its bytes


def sae_hours(units, latents):
    """Hours to train one SAE for all epochs, and the larger of what its steps wait for."""
    waits = {
        "arithmetic": PRODUCTS["authors"] * 2 * BATCH * units * latents / FLOPS,
        "rows from memory": BATCH * units * 4 / GATHER,
        "starting operations": STEP,
    }
    longest = max(waits, key=waits.__getitem__)
    return waits[longest] * EPOCHS * IMAGES / BATCH / 3600, longest


def read_hours(forward):
    """Hours to read all images once with a network of `forward` operations for each."""
    return IMAGES * max(1 / (DECODED * CORES), forward / FLOPS) / 3600


def networks(layers, forward, seeds):
    """Stages of networks of one kind that differ by `seeds`, bytes kept, and what a step waits for.

    A stage is the hours of jobs that can run side by side: reading each network, then the SAEs of each of `layers`,
    `(units, latents)`, those of all seeds as one program.
    """
    trained = [sae_hours(*layer) for layer in layers]
    kept = seeds * sum(units for units, _ in layers) * IMAGES * 4
    return [[read_hours(forward)] * seeds, [hours * seeds for hours, _ in trained]], kept, max(trained)[1]


def joint(steps, pairs=630, at_once=10, units=768, latents=1536, stimuli=40_000):
    """The same for pairs of layers that share a code; the last stage is scoring, which the whole chapter does alone."""
    step = PRODUCTS["joint"] * 2 * 2 * BATCH * units * latents / FLOPS
    fit = 6 * stimuli * latents**2 / DOUBLE  # seconds of least squares, of six kinds of code and both ways
    stages = [[step * at_once * steps / 3600] * ceil(pairs / at_once), [pairs * 6 * 2 * fit / 3600]]
    return stages, pairs * 2 * 2 * units * latents * 4 * 3  # a checkpoint has weights and two moments of each


def spread(stages, gpus):
    """Hours until all stages end: the jobs of each, longest first, go to whatever card is free."""
    total = 0.0
    for jobs in stages:
        ends = [0.0] * gpus
        for hours in sorted(jobs, reverse=True):
            ends[ends.index(min(ends))] += hours
        total += max(ends)
    return total


def rows():
    """Name, stages, bytes on disk, the bottleneck."""
    stages, kept, slow = networks([(128, 256), (512, 2048)], 8.2e9, 2)
    yield "two ResNet50, SAEs at two layers", stages, PIXELS + kept, slow
    stages, kept, slow = networks([(768, 1536), (768, 1536)], 35e9, 2)
    yield "two ViT-B/16, SAEs at two layers", stages, PIXELS + kept, slow
    (read, train), kept, slow = networks([(2048, 8192)], 8.2e9, 1)
    (read_vit, train_vit), more, _ = networks([(768, 3072)], 35e9, 1)
    nsd = 40e9 + (42 + 44 + 36 + 36) * 1e9  # pictures, and the betas of subjects 1, 2, 5 and 7
    stages = [read + read_vit, train + train_vit, [nsd / DISK / 3600]]
    yield "NSD, four subjects, SAEs of two networks", stages, PIXELS + kept + more + nsd, slow
    for told, steps in ("630 joint pairs, our length", 20_000), ("630 joint pairs, the paper's length", 2_000_000):
        stages, kept = joint(steps)
        scoring = spread(stages[1:], 1) > spread(stages[:1], 64)
        yield told, stages, 50e9 / 8 + kept, "scoring on one card" if scoring else "arithmetic"


def recorded(chapter: str) -> float:
    """Minutes of the longest run of a chapter that is recorded with the book, 0 if none is."""
    files = (ROOT / "book" / "results").glob(f"*/{chapter}.json")
    return max([json.loads(path.read_text(encoding="utf-8"))["seconds"] / 60 for path in files], default=0.0)


def shards() -> str:
    """The table of chapters that can be run in parts, in Markdown."""
    lines = ["| chapter | parts | split by | minutes of the whole | asks for, GB |", "|---|---|---|---|---|"]
    for chapter, needs in yaml.safe_load((ROOT / "workflow" / "chapters.yml").read_text(encoding="utf-8")).items():
        if "split" in needs:
            minutes = f"{recorded(chapter):.0f}" if recorded(chapter) else "not recorded"
            told = [chapter, needs["parts"], needs["split"], minutes, needs["megabytes"] // 1000]
            lines.append(f"| {' | '.join(map(str, told))} |")
    return "\n".join(lines)


def estimates() -> str:
    """The table of runs that nobody has done, in Markdown."""
    lines = ["| work | GPU hours | on 1 | on 8 | on 64 | GB on disk | bottleneck |", "|---|---|---|---|---|---|---|"]
    for name, stages, kept, slow in rows():
        hours = [sum(map(sum, stages)), *(spread(stages, gpus) for gpus in (1, 8, 64))]
        lines.append(f"| {name} | {' | '.join(f'{one:.1f}' for one in hours)} | {kept / 1e9:.0f} | {slow} |")
    return "\n".join(lines)


if __name__ == "__main__":
    print(shards(), estimates(), sep="\n\n")
