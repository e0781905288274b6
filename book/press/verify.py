"""Recorded runs, run again in part: whether numbers that were recorded lie where a small run of today puts them.

`notebooks/profiles/PROFILE/verify.yaml` says of chapters which parameters make their run small, usually fewer draws:

    04_gaussian_projections:
      parameters: {draws: 10}
      left_out: {b5_worst_rsa: the largest of so many draws}    # numbers that depend on how many there are, and why

Each is run with SEEDS seeds, and a recorded number x is as expected if it lies within a prediction interval of theirs,

    |x - mean| <= t sd sqrt(1 + 1 / SEEDS),   t the quantile of Student's t that is exceeded once in a thousand times

or if it is the same in all of them and equals x up to ROUNDING. Numbers that follow from the parameters alone differ
between the runs by intention; those with the names of parameters are not compared.
"""

import json
from datetime import date
from math import isfinite, sqrt
from statistics import mean, stdev

import yaml

from book.press.runner import run
from lib import store
from lib.chapter.parameters import checked, declared
from lib.chapter.results import output_path, read_results, recorded_results
from lib.store import write_whole

SEEDS = 4
CHANCE = 0.001  # that a number that is as it was lies outside
ROUNDING = 1e-6


def verify(profile: str, jobs: int = 1) -> int:
    """Run a small part of each chapter that was recorded for a profile and keep with the book how its numbers compare.

    The exit status is 1 if a number lies outside. Raises ValueError for a profile that says nothing of how.
    """
    recorded, outside = recorded_results(profile), 0
    path = store.ROOT / "notebooks" / "profiles" / profile / "verify.yaml"
    if not path.exists():
        raise ValueError(f"profile {profile} has no {path.name}, which says what a small part of its chapters is")
    for chapter, part in yaml.safe_load(path.read_text(encoding="utf-8")).items():
        if chapter not in recorded:
            raise ValueError(f"{path.name}: nothing is recorded of {chapter} in profile {profile}")
        values, reasons = recorded[chapter]["values"], part.get("left_out", {})
        if unknown := [name for name in reasons if name not in values]:
            raise ValueError(f"{path.name}: {chapter} records no {unknown[0]}: take it out of left_out")
        found = [_small(chapter, profile, part.get("parameters", {}), seed, jobs) for seed in range(SEEDS)]
        told = compare(values, [one["values"] for one in found], {*reasons, *declared(chapter)})
        told["left_out"] = reasons
        outside += len(told["outside"])
        _keep(profile, chapter, {"date": str(date.today()), **told, "parameters": part.get("parameters", {})})
        print(f"{chapter}: {told['within']} numbers as recorded; not {', '.join(told['outside']) or 'any other'}")
    return 1 if outside else 0


def _small(chapter, profile, parameters, seed, jobs):
    """The results of one small run."""
    words = {**checked(chapter, parameters), "seed": 1000 + seed}
    label = f"verify-{profile}-{seed}"
    given = [[name, yaml.safe_dump(value, default_flow_style=True).partition("\n")[0]] for name, value in words.items()]
    if run([chapter], profile, label, jobs, given, exercises=False):
        raise ValueError(f"{chapter} failed with the parameters of its small part: see build/{label}")
    return read_results(output_path(chapter, label).with_suffix(".json"), chapter, label)


def compare(recorded: dict, runs: list[dict], left_out: set[str]) -> dict:
    """How many recorded numbers lie within the interval of the runs, and those that do not with both."""
    from scipy.stats import t  # here, as it takes a second to load

    within, outside, bound = 0, {}, float(t.isf(CHANCE / 2, len(runs) - 1)) * sqrt(1 + 1 / len(runs))
    for name in recorded.keys() - left_out:
        then, *now = (_number(one.get(name)) for one in (recorded, *runs))
        if not all(map(isfinite, (then, *now))):
            continue
        middle, room = mean(now), bound * stdev(now) + ROUNDING * max(1, abs(then))
        if abs(then - middle) <= room:
            within += 1
        else:
            outside[name] = {"recorded": then, "now": middle, "room": room}
    return {"within": within, "outside": dict(sorted(outside.items()))}


def _number(value):
    """A recorded number, or the mean of a recorded spread; NaN for words and what is not there."""
    value = value["mean"] if isinstance(value, dict) else value
    return float(value) if isinstance(value, int | float) else float("nan")


def forget(profile: str, chapter: str) -> None:
    """A record that is replaced takes along what a comparison with it found."""
    path, kept = _kept(profile)
    if kept.pop(chapter, None):
        write_whole(path, json.dumps(kept, indent=1) + "\n")


def _keep(profile, chapter, told):
    path, kept = _kept(profile)
    write_whole(path, json.dumps({**kept, chapter: told}, indent=1) + "\n")


def _kept(profile):
    path = store.ROOT / "book" / "results" / profile / "verified.json"
    return path, json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
