"""Hypothesis draws the same examples in every run and sets no time limit for one; trained models go elsewhere."""

import sys

import pytest
from hypothesis import settings

settings.register_profile("same", derandomize=True, deadline=None, max_examples=25)
settings.load_profile("same")


@pytest.fixture
def project(tmp_path, monkeypatch):
    """An empty project with room for notebooks, runs and pages: the root of all that is read and written."""
    from lib import store

    monkeypatch.setattr(store, "ROOT", tmp_path)
    return tmp_path


@pytest.fixture
def store(project):
    """The folder where `lib.training.train` keeps its models during this test."""
    return project / "build" / "trained"


@pytest.fixture(autouse=True)
def subnormal_numbers():
    """Training flushes them to zero for the whole process, and then Hypothesis refuses to draw floats."""
    yield
    if torch := sys.modules.get("torch"):
        torch.set_flush_denormal(False)
