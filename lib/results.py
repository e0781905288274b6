"""Results files: what a chapter measured, as JSON in build/<profile>/ or recorded in book/results/<profile>/."""

import json
from pathlib import Path

from lib.parameters import ROOT


def write_whole(path: Path, text: str) -> None:
    """Write `text` to a temporary name and rename it: a killed run leaves the old file or none, never half a one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.part")
    temporary.write_text(text, encoding="utf-8")
    temporary.replace(path)


def read_results(path: Path) -> dict:
    """The content of a results file; raises ValueError naming the file if it is not one."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        content["values"], content["chapter"], content["provenance"]
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(f"{path} is no results file ({error}): delete it and rerun its chapter") from None
    return content


def recorded_results(profile: str) -> dict[str, dict]:
    """Results by chapter that were recorded with the book, in book/results/<profile>/."""
    return _read_folder(ROOT / "book" / "results" / profile)


def results_of(profile: str) -> dict[str, dict]:
    """Results by chapter: those of this machine's runs in build/<profile>/, else the recorded ones."""
    return recorded_results(profile) | _read_folder(ROOT / "build" / profile)


def _read_folder(folder):
    return {path.stem: read_results(path) for path in sorted(folder.glob("[0-9]*.json"))}
