import json

import pytest

from lib.chapter.overlaps import draw_grid, grid_cells, pooled
from lib.chapter.plotting import panels

CELL = {"units_a": 8, "units_b": 4, "stimuli": 500, "truth": 0.5, "mean": 0.6, "draws": 10, "held": {"chosen": 9}}


def test_cells_are_read_pooled_and_drawn(tmp_path):
    other = CELL | {"units_a": 16, "units_b": 32, "stimuli": 2000, "draws": 30, "held": {"chosen": 30, "other": 15}}
    (tmp_path / "grid.jsonl").write_text("\n".join(json.dumps(cell) for cell in (CELL, other)))
    cells = grid_cells(tmp_path / "grid.jsonl")
    assert cells.fewest.tolist() == [4, 16]
    assert cells.coverage.tolist() == [0.9, 1]
    assert cells.bias.tolist() == pytest.approx([0.1, 0.1])
    assert pooled("chosen", cells) == 39 / 40
    assert pooled("other", cells) == 1 / 2
    left, right = panels(2)
    draw_grid(left, right, cells)
    assert [line.get_ydata()[0] for line in left.lines] == [0.9, 1]
    assert len(right.lines) == 2
