"""Gather the results of a sweep: `python workflow/gather.py SWEEP.yml` writes its table.csv and figure.svg."""

import sys
from pathlib import Path

import matplotlib
import pandas as pd

sys.path[:0] = [str(Path(__file__).resolve().parent), str(Path(__file__).resolve().parent.parent)]
matplotlib.use("Agg")

from matplotlib import pyplot as plt  # noqa: E402
from sweep import Sweep, read_sweep  # noqa: E402

from lib.chapter.results import output_path, read_results  # noqa: E402
from lib.store import whole  # noqa: E402


def table(sweep: Sweep) -> pd.DataFrame:
    """One row a number that a job recorded: its chapter, its parameters, the number's `name`, `value` and error.

    A number that is the mean of several has its standard error beside it. Texts are left out.
    """
    rows = []
    for label, job in sweep.jobs.items():
        found = read_results(output_path(job.chapter, label).with_suffix(".json"), job.chapter, label)
        for name, value in found["values"].items():
            if isinstance(value, dict):
                value, error = value.get("mean"), value.get("standard_error")
            else:
                error = None
            if isinstance(value, int | float):
                given = {parameter: str(x) if isinstance(x, list) else x for parameter, x in job.parameters.items()}
                rows.append({"chapter": job.chapter, **given, "name": name, "value": value, "error": error})
    order = ["name", "value", "error"]
    found = pd.DataFrame(rows)
    return found[[*(column for column in found if column not in order), *order]]


def draw(found: pd.DataFrame, x: str, y: list[str]):
    """A panel for each number in `y` over the parameter `x`: each job a point, their mean a line."""
    figure, axes = plt.subplots(1, len(y), figsize=(4 * len(y), 3), squeeze=False, layout="constrained")
    for ax, name in zip(axes[0], y, strict=True):
        rows = found[found["name"] == name].dropna(subset=[x])
        if rows.empty:
            raise ValueError(f"figure: no job recorded {name} with parameter {x}: see table.csv for the names")
        for chapter, own in rows.groupby("chapter"):
            means = own.groupby(x)["value"].mean()
            (line,) = ax.plot(means.index, means, label=chapter)
            ax.plot(own[x], own["value"], "o", alpha=0.5, color=line.get_color())
        ax.set(xlabel=x, ylabel=name)
    axes[0, 0].legend()
    return figure


def main(path: str) -> None:
    """Write the table, and the figure that the sweep asks for, each whole or not at all."""
    sweep = read_sweep(path)
    found = table(sweep)
    with whole(Path(sweep.folder) / "table.csv") as part:
        found.to_csv(part, index=False)
    y = sweep.figure.get("y") or [found["name"].iloc[0]]
    x = sweep.figure.get("x", "seed")
    with whole(Path(sweep.folder) / "figure.svg") as part:
        draw(found, x, y).savefig(part, format="svg", metadata={"Date": None})


if __name__ == "__main__":
    try:
        main(sys.argv[1])
    except (ValueError, OSError) as error:
        sys.exit(f"error: {error}")
