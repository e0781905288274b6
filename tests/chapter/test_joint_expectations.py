import pytest

from lib.chapter.joint_expectations import LAYERS, SWEEP, judged


def rows(of, **columns):
    """Of a kind of codes, the scores and their excess for both averages, by the number of shared features."""
    return [
        {"of": of, "average": average, "shared": shared, "r": r, "over": over}
        for average, by_share in columns.items()
        for shared, (r, over) in by_share.items()
    ]


def as_expected():
    joint = rows(
        "joint",
        unit={0: (0, 0), 8: (0.2, -0.1), 16: (0.4, -0.1), 24: (0.5, -0.2), 32: (0.7, -0.3)},
        pooled={0: (0, 0), 8: (0.6, 0.1), 16: (0.8, 0.05), 24: (0.9, 0.02), 32: (0.95, -0.05)},
    )
    alone = rows("alone", pooled={8: (0.4, -0.1), 16: (0.6, -0.1), 24: (0.8, -0.1), 32: (0.9, -0.1)})
    scores = [{"of": "raw", "average": average, "r": 0.8} for average in ("unit", "pooled")]
    gains = [
        {"of": of, "over": over, "average": average, "gain": gain}
        for of, over, gain in (
            ("codes", "raw", -1),
            ("codes", "rebuilt", -1),
            ("alone", "raw", -1),
            ("codes", "alone", 1),
        )
        for average in ("unit", "pooled")
    ]
    saes = [{"training": "joint", "explained": 0.7}]
    tables = {"sweep": joint + alone, "scores": scores, "gains": gains, "saes": saes}
    return {"values": {"gain_follows_pooled": 0.5}, "tables": tables}


def contrary(results):
    """The same with every excess and gain turned round, and every score and share of variance low where it was high."""
    tables = {name: [dict(row) for row in table] for name, table in results["tables"].items()}
    for row in [row for table in tables.values() for row in table]:
        for column in {"r", "explained", "gain"} & row.keys():
            row[column] = 0.5 - row[column]
        if not isinstance(row.get("over"), str | None):
            row["over"] = -row["over"]
    return {"values": {"gain_follows_pooled": -0.5}, "tables": tables}


@pytest.mark.parametrize("expected", [SWEEP, LAYERS], ids=["sweep", "layers"])
def test_each_expectation_can_hold_and_fail(expected):
    held, failed = judged(expected, as_expected()), judged(expected, contrary(as_expected()))
    assert list(held.index) == list(expected)
    assert list(held.held) == ["yes"] * len(expected)
    assert list(failed.held) == ["no"] * len(expected)


def test_the_number_found_is_that_of_the_left_side():
    table = judged({"raw": "mean(scores.r where of = raw and average = unit) >= 0.7"}, as_expected())
    assert list(table.found) == ["0.800"]
