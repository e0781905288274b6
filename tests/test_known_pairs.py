import json
from collections import Counter

import pandas as pd
import pytest
import torch
from helpers import refuses

from lib.known_pairs import KNOWN, confusion, judged, pair, rates


@pytest.mark.parametrize("name", KNOWN)
def test_pairs_answer_the_same_stimuli_anew_for_each_draw(name):
    y_a, y_b = pair(name, 0, (10, 120))
    assert len(y_a) == len(y_b) and y_a.dtype == y_b.dtype == torch.float32
    assert torch.isfinite(y_a).all() and torch.isfinite(y_b).all() and y_a.std(0).max() > 0
    assert torch.equal(y_a, pair(name, 0, (10, 120))[0])
    assert not torch.equal(y_a, pair(name, 1, (10, 120))[0])


def test_there_are_enough_of_each_truth_and_names_are_checked():
    truths = Counter(kind.truth for kind in KNOWN.values())
    assert min(truths["no"], truths["yes"]) >= 20 and truths["open"] >= 5
    refuses("pair 'superpose' is unknown", "superposed", pair, "superpose")


def unexplained(name):
    """Share of network b that no linear map of network a explains."""
    a, b = (y.double() for y in pair(name, 0, (20, 4000)))
    return (b - a @ torch.linalg.lstsq(a, b).solution).square().sum() / b.square().sum()


def test_superposed_pairs_share_features_that_no_linear_map_shows():
    assert unexplained("superposed") > 0.2
    assert max(unexplained("dense, rotated"), unexplained("sparse units, permuted")) < 1e-6


def test_answers_are_counted_by_truth_and_half(tmp_path):
    file = tmp_path / "kept.jsonl"
    first, second, *_ = KNOWN
    kept = [{"pair": first, "draw": 0, "error": "too few"}, {"pair": second, "draw": 0, "error": "too few"}]
    file.write_text("\n".join(map(json.dumps, kept)))
    rows = judged(file)
    assert rows.half.tolist() == ["set", "told"] and set(rows.answer) == {"cannot tell"}
    truth, answer = ["no"] * 4 + ["yes"] * 2, ["yes", "no", "no", "cannot tell", "no", "yes"]
    table = confusion(pd.DataFrame({"truth": truth, "answer": answer}))
    assert table.loc["no"].tolist() == [1, 2, 1] and table.loc["yes"].tolist() == [1, 1, 0]
    found = rates(pd.DataFrame({"truth": truth, "answer": answer}))
    assert found == {"false_yes": 0.25, "false_no": 0.5, "untold_no": 0.25, "untold_yes": 0.0}
