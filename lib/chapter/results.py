"""Results files: what a chapter measured, as JSON in build/<profile>/ or recorded in book/results/<profile>/."""

import json
from pathlib import Path

from lib import store


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
    return _read_folder(store.ROOT / "book" / "results" / profile)


def results_of(profile: str) -> dict[str, dict]:
    """Results by chapter: those of this machine's runs in build/<profile>/, else the recorded ones."""
    return recorded_results(profile) | _read_folder(store.ROOT / "build" / profile)


def _read_folder(folder):
    return {path.stem: read_results(path) for path in sorted(folder.glob("[0-9]*.json"))}
