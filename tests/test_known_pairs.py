import json
from collections import Counter

import pandas as pd
import pytest
import torch
from helpers import refuses
from scipy.stats import binom
from test_verdict import SOUND

from lib import known_pairs
from lib.chapter.calibration import ANSWERS, bound, confusion, judged, judged_before, rates
from lib.known_pairs import BLIND, KNOWN, half, pair


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


def features(name, monkeypatch):
    """What both networks of a pair mix, `(stimuli, features)`."""
    monkeypatch.setattr(known_pairs, "_mixed", lambda z_a, z_b, units, g: (z_a, z_b))
    return pair(name, 0, (20, 20000))


SHARES = {"three of four shared": 0.75, "half shared": 0.5, "a quarter shared": 0.25, "six of ten shared": 0.6}


@pytest.mark.parametrize(("words", "share"), [*SHARES.items(), ("four active", 1.0)])
def test_the_share_that_a_pair_names_is_the_share_of_features_in_common(words, share, monkeypatch):
    a, b = features(f"superposed, {words}", monkeypatch)
    assert a.shape == b.shape == (20000, 40) and (a == b).all(0).float().mean() == share
    assert 0 < ((a != 0) & (b != 0)).float().mean(0).min()  # the others are drawn alike, not left out


def test_the_values_and_the_company_of_features_are_those_that_a_pair_names(monkeypatch):
    usual, heavy, grouped = (
        features(f"superposed{words}", monkeypatch)[0] for words in ("", ", exponential values", ", correlated")
    )
    for z in (usual, heavy, grouped):
        assert (z != 0).sum(1).float().mean() == pytest.approx(2.5, rel=0.05)
    assert max(usual.max(), grouped.max()) <= 1 < heavy.max() and heavy[heavy != 0].std() == pytest.approx(1, rel=0.05)
    together = [((z[:, 0] != 0) & (z[:, 1] != 0)).float().mean() for z in (usual, grouped)]
    assert together[1] > 4 * together[0]


def kurtosis(y):
    y = (y - y.mean(0)) / y.std(0)
    return (y**4).mean(0)


def test_a_cube_makes_long_tails():
    assert kurtosis(pair("size and cube, ten variables", 0, (20, 4000))[1]).min() > 5  # a Gaussian unit has 3


def test_kinds_belong_to_one_half_and_blind_ones_leave_the_others_as_they_were():
    halves = {name: half(name) for name in KNOWN}
    earlier = [name for name in KNOWN if name not in BLIND]
    assert [halves[name] for name in earlier[:4]] == ["set", "told", "set", "told"]
    assert {name for name, one in halves.items() if one == "blind"} == set(BLIND)
    assert halves["unrelated, slow series"] == "set"  # a rule was made of it
    blind = Counter(kind.truth for kind in BLIND.values())
    assert min(blind["no"], blind["yes"]) >= 6
    units = [size[0] for kind in KNOWN.values() for size in kind.sizes]
    stimuli = [size[1] for kind in KNOWN.values() for size in kind.sizes]
    assert (min(units), max(units), min(stimuli), max(stimuli)) == (20, 1000, 200, 20000)


def test_answers_are_counted_by_truth_and_half(tmp_path):
    file = tmp_path / "kept.jsonl"
    first, second, *_, last = KNOWN
    kept = [{"pair": name, "draw": 0, "error": "too few"} for name in (first, second, last)]
    file.write_text("\n".join(map(json.dumps, kept)))
    rows = judged(file)
    assert rows.half.tolist() == ["set", "told", "blind"] and set(rows.answer) == {"cannot tell"}
    assert rows.units.tolist() == [KNOWN[name].sizes[0][0] for name in rows.pair]
    table = confusion(small_table())
    assert table.loc["no"].tolist() == [1, 2, 1] and table.loc["yes"].tolist() == [1, 1, 0]


def test_the_answer_without_the_rule_on_neighbours_is_kept_beside(tmp_path):
    file = tmp_path / "kept.jsonl"
    stimuli = sum(SOUND.distinct)
    kept = [SOUND, SOUND._replace(independent=stimuli / 20), SOUND._replace(independent=stimuli * 0.9)]
    lines = [{"pair": [*KNOWN][0], "draw": i, "findings": one._asdict()} for i, one in enumerate(kept)]
    file.write_text("\n".join(map(json.dumps, lines)))
    rows = judged(file)
    assert rows.answer.tolist() == ["yes", "cannot tell", "yes"] and rows.unordered.tolist() == ["yes"] * 3


def small_table():
    truth, answer = ["no"] * 4 + ["yes"] * 2, ["yes", "no", "no", "cannot tell", "no", "yes"]
    return pd.DataFrame({"truth": truth, "answer": answer, "pair": list("aabbcd")})


def test_rates_are_told_with_bounds_by_draw_and_by_kind():
    found = rates(small_table())
    assert found.rate.tolist() == [0.25, 0.5] and found["cannot tell"].tolist() == [0.25, 0.0]
    assert found["kinds wrong"].tolist() == [1, 1] and found.kinds.tolist() == [2, 2]
    assert found.goal.tolist() == ["missed", "missed"]
    many = pd.DataFrame({"truth": ["no", "yes"] * 150, "answer": ["no", "yes"] * 150, "pair": "a"})
    assert rates(many).goal.tolist() == ["shown", "shown"] and rates(many[:20]).goal.tolist() == ["met", "met"]


@pytest.mark.parametrize(("wrong", "of"), [(0, 14), (3, 40), (5, 5)])
def test_the_bound_is_the_share_at_which_so_few_come_in_one_case_of_twenty(wrong, of):
    most = bound(pd.Series([True] * wrong + [False] * (of - wrong)))
    assert most == 1 if wrong == of else binom.cdf(wrong, of, most) == pytest.approx(0.05)


def test_headlines_of_the_earlier_report_answer_by_their_first_words(tmp_path):
    headlines = ["Yes: a", "In part: b", "No, and c", "Cannot tell: d", "The scores cannot be trusted", "Refused: e"]
    file = tmp_path / "before.csv"
    pd.DataFrame({"pair": [*KNOWN][:6], "draw": 0, "headline": headlines}).to_csv(file, index=False)
    rows = judged_before(file)
    assert rows.answer.tolist() == [*ANSWERS, "cannot tell", "cannot tell"]
    assert confusion(rows).columns.tolist() == ANSWERS
