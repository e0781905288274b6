"""What the benchmarks share: results that are equal first, then paired ratios in process time, and peak memory.

Each way of doing the same is run once to check it and once in a forked process to measure its memory. Then all ways
run in turn, some times over, so that what else the machine does meets all of them. One thread.
"""

import ctypes
import json
import os
import platform
from collections.abc import Callable
from datetime import date
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from statistics import median
from time import process_time

import torch

KEPT = Path(__file__).parent.parent / "book" / "results" / "speed.jsonl"
MB = 2**20
torch.set_num_threads(1)


def race(work: str, size: str, ways: dict[str, Callable], tolerance: float = 1e-9, repeats: int = 7):
    """Time `ways`, of which the first is ours, keep a line with the book and print it.

    `tolerance` bounds the largest difference of their results, numbers or arrays. Raises AssertionError beyond it.
    """
    first, results = next(iter(ways)), {name: torch.as_tensor(way()) for name, way in ways.items()}
    apart = {name: float((found.double() - results[first].double()).abs().max()) for name, found in results.items()}
    assert max(apart.values()) <= tolerance, f"{work}, {size}: results differ by {apart}"
    memory = {name: peak_memory(way) for name, way in ways.items()}
    seconds = {name: [] for name in ways}
    for _ in range(repeats):
        for name, way in ways.items():
            start = process_time()
            way()
            seconds[name].append(process_time() - start)
    ours = seconds.pop(first)
    against = {}
    for name, theirs in seconds.items():
        ratios = sorted(t / o for t, o in zip(theirs, ours, strict=True))
        against[name] = {"ratio": median(ratios), "low": ratios[0], "high": ratios[-1], "mb": memory[name]}
    keep({"work": work, "size": size, "seconds": median(ours), "mb": memory[first], "against": against})


def keep(line: dict) -> None:
    """Print a line, and keep it with the book in place of the last one on the same work and size."""
    line |= provenance()
    held = [json.loads(one) for one in KEPT.read_text().splitlines()] if KEPT.exists() else []
    held = [one for one in held if (one["work"], one["size"]) != (line["work"], line["size"])] + [line]
    KEPT.write_text("".join(json.dumps(one) + "\n" for one in sorted(held, key=lambda one: (one["work"], one["size"]))))
    rivals = "  ".join(
        f"{name} {one['ratio']:.2f} ({one['low']:.2f}-{one['high']:.2f})" for name, one in line["against"].items()
    )
    print(f"{line['work']}, {line['size']}: {1e3 * line['seconds']:.1f} ms, {line['mb']:.0f} MB; {rivals}", flush=True)


def provenance() -> dict:
    """Versions, processor and day of a measurement."""
    named = {}
    for package in ("torch", "numpy", "scipy", "scikit-learn", "pot", "rsatoolbox", "himalaya", "lapx"):
        try:
            named[package] = version(package)
        except PackageNotFoundError:
            continue
    return {"versions": named, "cpu": _processor(), "date": str(date.today())}


def _processor():
    lines = Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else []
    return next((one.split(":")[1].strip() for one in lines if one.startswith("model name")), platform.processor())


def peak_memory(way: Callable) -> float:
    """How far memory rises above what was held before, in MB, measured in a forked process."""
    read, write = os.pipe()
    if (child := os.fork()) == 0:
        ctypes.CDLL(None).malloc_trim(0)  # what earlier calls have freed would hide what this one takes
        Path("/proc/self/clear_refs").write_text("5")  # the peak starts anew; ru_maxrss would keep the parent's
        before = _resident("VmHWM")
        way()
        os.write(write, str(_resident("VmHWM") - before).encode())
        os._exit(0)
    os.close(write)
    with os.fdopen(read) as pipe:
        found = pipe.read()
    os.waitpid(child, 0)
    return int(found) * 1024 / MB


def _resident(name):
    return int(next(line for line in Path("/proc/self/status").read_text().splitlines() if name in line).split()[1])
