"""What the report is expected to take: steps and comparisons of these sizes, as often as the report makes them."""

import re

import pytest
from helpers import normal, refuses

from lib import store
from lib.chapter import expected
from lib.chapter.expected import COMPARED, REST, SCANNED, STEPS, report_seconds, say_expected
from lib.report import Settings
from lib.split import split_stimuli


@pytest.fixture
def clock(monkeypatch):
    """Each part takes as long as it is told here, and still does its work; how many parts were timed."""
    timed = []

    def seconds(work):
        timed.append(work())
        return {1: 3.0, 2: 0.5}[len(timed)]

    monkeypatch.setattr(expected, "_seconds", seconds)
    return timed


@pytest.mark.parametrize(
    ("settings", "trainings"),
    [
        (Settings(12, 0, 100), SCANNED + 1 / 4),  # the best of the scan is what the report uses
        (Settings(12, 0, 100, seeds=4), SCANNED / 2 + 1 + 1 / 8),  # trained anew, with more seeds
        (Settings(12, 3, 100), 1 + 1 / 4),
        (Settings(12, 0, 100, most_scanned=0), 1 + 1 / 4),
        (Settings(0, 3, 100, family="jumprelu"), 1 + 1 / 4),
    ],
)
def test_parts_are_timed_and_counted(settings, trainings, clock):
    split = split_stimuli(normal(200, 6), normal(200, 5, seed=1), folds=4)
    wanted = trainings * 100 * 3.0 / STEPS + COMPARED * 4 * 0.5 + REST
    assert report_seconds(split, settings) == pytest.approx(wanted)
    assert len(clock) == 2 and clock[0].step == STEPS + 3 and {*clock[1].metric} >= {"soft", "cka", "ridge"}


def test_it_is_said_in_a_line_and_keeps_nothing(capsys, monkeypatch, tmp_path):
    monkeypatch.setattr(store, "ROOT", tmp_path)
    say_expected(split_stimuli(normal(100, 6), normal(100, 5, seed=1)), Settings(steps=10))
    said = capsys.readouterr()
    assert re.fullmatch(r"expected: about \d+ s .*\n", said.err) and said.out == "" and not [*tmp_path.iterdir()]


def test_settings_that_the_report_refuses_are_refused_here_in_the_same_words():
    split = split_stimuli(normal(100, 6), normal(100, 5, seed=1))
    refuses("family of SAEs 'topc' is unknown", "topk", say_expected, split, Settings(family="topc"))
    refuses("seeds = 1", "two or more", say_expected, split, Settings(seeds=1))
    refuses("latents = -1", "0 or more", say_expected, split, Settings(latents=-1))
