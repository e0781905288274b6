"""Whether a public list of known weaknesses names a pinned package, where only a copy of the list is at hand.

    .venv/bin/python -m benchmarks.audit insecure.json [--keep]

The list is that of Safety DB (github.com/pyupio/safety-db, data/insecure.json, renewed each month): the ranges of
versions of each package that have a weakness. The exit status is 1 if a pin of constraints.txt lies in one. `--keep`
keeps the outcome with the book. With the network, `pip-audit` asks a list of the day instead.
"""

import json
from argparse import ArgumentParser
from datetime import UTC, datetime
from pathlib import Path

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

PINS = Path(__file__).parent.parent / "constraints.txt"


def audited(known: dict, pins: list[Requirement]) -> dict:
    """How many pins there are and how many ranges they were held against, and each that lies in one, with the range.

    Raises ValueError if the list is not of the form that is described above.
    """
    if not isinstance(known, dict) or not isinstance(about := known.get("$meta"), dict) or "timestamp" not in about:
        raise ValueError("the list says no time ($meta, timestamp): is it data/insecure.json of Safety DB?")
    ranges = {canonicalize_name(name): listed for name, listed in known.items() if name != "$meta"}
    if not ranges or not all(isinstance(bad, str) for listed in ranges.values() for bad in listed):
        raise ValueError("the list has no ranges of versions: is it data/insecure.json of Safety DB?")
    asked = [(pin, bad) for pin in pins for bad in ranges.get(canonicalize_name(pin.name), ())]
    weak = [
        f"{pin.name} {one.version} ({bad})"
        for pin, bad in asked
        for one in pin.specifier
        if SpecifierSet(bad).contains(one.version, prereleases=True)
    ]
    return {
        "list": "Safety DB",
        "as it stood on": str(datetime.fromtimestamp(about["timestamp"], UTC).date()),
        "pins": len(pins),
        "pins of packages that it names": len({str(pin) for pin, _ in asked}),
        "ranges they were held against": len(asked),
        "pins in one": "; ".join(weak) or "none",
    }


def pinned(text: str) -> list[Requirement]:
    """The pins of a list of constraints."""
    return [Requirement(line) for line in text.splitlines() if line.strip() and not line.startswith("#")]


def main() -> int:
    parser = ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("list", type=Path, help="data/insecure.json of Safety DB")
    parser.add_argument("--keep", action="store_true", help="keep the outcome with the book")
    chosen = parser.parse_args()
    try:
        found = audited(json.loads(chosen.list.read_bytes()), pinned(PINS.read_text(encoding="utf-8")))
    except (OSError, ValueError) as error:
        parser.error(f"{chosen.list}: {error}")
    print("\n".join(f"{name}: {value}" for name, value in found.items()))
    if chosen.keep:
        from book.press.evidence import keep

        keep("audit", [found], ["list"])
    return found["pins in one"] != "none"


if __name__ == "__main__":
    raise SystemExit(main())
