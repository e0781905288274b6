"""The tables of the page are those that the code computes, and what chapters ask for covers what was recorded."""

import math
import re

import pytest
import workflow_costs as costs
import yaml

from lib.chapter.parameters import chapter_names, notebook_path
from lib.store import ROOT

PAGE = (ROOT / "book" / "many_machines.md").read_text()
NEEDS = yaml.safe_load((ROOT / "workflow" / "chapters.yml").read_text())


@pytest.mark.parametrize("name", ["shards", "estimates"])
def test_the_page_has_the_table_that_the_code_prints(name):
    assert f"<!-- {name} -->\n{getattr(costs, name)()}\n<!-- end of {name} -->" in PAGE


@pytest.mark.parametrize("chapter", chapter_names())
def test_a_chapter_asks_for_twice_the_time_that_is_recorded(chapter):
    assert NEEDS.get(chapter, NEEDS["other"])["minutes"] >= 2 * costs.recorded(chapter)


def test_chapters_that_are_run_in_parts_say_where_their_trainings_end():
    assert {*NEEDS} - {"other"} <= {*chapter_names()}
    tagged = {
        name
        for name in chapter_names()
        if re.search(r'^# %% tags=\[.*"trained"', notebook_path(name).read_text(), re.M)
    }
    assert tagged == {name for name, needs in NEEDS.items() if "split" in needs}


def test_parts_are_those_of_profile_paper():
    paper = yaml.safe_load((ROOT / "notebooks/profiles/paper/12_encoders.yml").read_text())
    assert NEEDS["12_encoders"]["parts"] == math.ceil(630 / paper["pairs_at_once"])


def test_jobs_are_dealt_to_whatever_card_is_free():
    assert costs.spread([[3, 3, 2, 2, 2]], 1) == 12 and costs.spread([[3, 3, 2, 2, 2]], 2) == 7
    assert costs.spread([[1, 1], [5]], 64) == 6
