"""What a sweep file asks for: chapters x grid of parameters x seeds as jobs, each with its shards.

    name: first                       # results go to build/sweeps/first
    profile: quick                    # of all its chapters
    chapters:
      04_gaussian_projections:
        parameters: {draws: 10}       # the same in all jobs
        grid: {stimuli: [500, 1000]}  # each combination is a job ...
        seeds: [0, 1, 2]              # ... for each seed
        shards: []                    # parameters of runs that train parts of the chapter before it
    figure: {x: stimuli, y: [b5_rms_rsa]}

Read by Snakemake in an environment of its own, so of the book it imports only what needs nothing else.
"""

import json
import re
from hashlib import sha256
from itertools import product
from pathlib import Path
from typing import NamedTuple

import yaml

from lib.chapter.plain_yaml import load_yaml

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*")  # no dot and no slash, so no result leaves build/sweeps
FIELDS = {"parameters": dict, "grid": dict, "seeds": list, "shards": list}


class Job(NamedTuple):
    """One run of a chapter; its label is the folder of build/ that takes the outputs."""

    chapter: str
    label: str
    parameters: dict
    shards: dict  # label of each: its parameters

    @property
    def folder(self) -> str:
        return f"build/{self.label}"


class Sweep(NamedTuple):
    name: str
    profile: str
    jobs: dict[str, Job]  # by label
    figure: dict

    @property
    def folder(self) -> str:
        return f"build/sweeps/{self.name}"


def read_sweep(path: str | Path) -> Sweep:
    """The jobs of a sweep file; raises ValueError, in one line that names the file and the mend."""
    try:
        asked = load_yaml(Path(path).read_bytes(), path)
        if unknown := asked.keys() - {"name", "profile", "chapters", "figure"}:
            raise ValueError(f"it has {', '.join(sorted(unknown))}: write name, profile, chapters and figure")
        name, profile = asked["name"], asked.get("profile", "quick")
        for word in (name, profile, *asked["chapters"]):
            if not NAME.fullmatch(str(word)):
                raise ValueError(f"{word!r} is no name: use letters, digits, - and _")
        jobs = [job for one in asked["chapters"].items() for job in _jobs(f"sweeps/{name}", profile, *one)]
        return Sweep(name, profile, {job.label: job for job in jobs}, asked.get("figure", {}))
    except OSError as error:
        raise ValueError(f"{path} cannot be read: {error.strerror}") from None
    except KeyError as error:
        raise ValueError(f"{path} lacks {error}: say name and chapters") from None
    except (ValueError, TypeError, AttributeError) as error:
        raise ValueError(f"{path} is no sweep: {error}") from None


def _jobs(folder, profile, chapter, asked):
    asked = {field: kind() for field, kind in FIELDS.items()} | (asked or {})
    for field, value in asked.items():
        if not isinstance(value, FIELDS.get(field, ())):
            raise ValueError(f"{chapter}: {field} should be one of {', '.join(FIELDS)}, as a list or a table")
    grid = asked["grid"] | ({"seed": asked["seeds"]} if asked["seeds"] else {})
    for values in product(*grid.values()):
        parameters = asked["parameters"] | dict(zip(grid, values, strict=True))
        shards = [parameters | shard for shard in asked["shards"]]
        yield Job(
            chapter,
            _label(folder, profile, chapter, parameters),
            parameters,
            {_label(folder, profile, chapter, shard) + "-shard": shard for shard in shards},
        )


def _label(folder, profile, chapter, parameters):
    """A name that other entries of the file do not change, so that a sweep which grows keeps what it has."""
    content = json.dumps([profile, parameters], sort_keys=True).encode()
    return f"{folder}/{chapter}-{sha256(content).hexdigest()[:8]}"


def words(parameters: dict) -> list[str]:
    """Parameters as words of the runner's command line: a text as it stands, all else as YAML."""
    flow = {"default_flow_style": True, "width": float("inf")}
    written = {
        name: x if isinstance(x, str) else yaml.safe_dump(x, **flow).split("\n")[0] for name, x in parameters.items()
    }
    return [word for name, value in written.items() for word in ("-p", name, value)]
