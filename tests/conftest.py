"""Hypothesis draws the same examples in every run and sets no time limit for one; trained models go elsewhere."""

import sys

import pytest
from hypothesis import settings

settings.register_profile("same", derandomize=True, deadline=None, max_examples=25)
settings.load_profile("same")


@pytest.fixture
def store(tmp_path, monkeypatch):
    """The folder where `lib.training.train` keeps its models during this test."""
    import lib.training

    monkeypatch.setattr(lib.training, "ROOT", tmp_path)
    return tmp_path / "build" / "trained"


@pytest.fixture
def project(tmp_path, monkeypatch):
    """An empty project with room for notebooks, runs and pages."""
    from lib import book, chapters, pages, parameters

    for module in (book, chapters, parameters):
        monkeypatch.setattr(module, "ROOT", tmp_path)
    monkeypatch.setattr(parameters, "NOTEBOOKS", tmp_path / "notebooks")
    monkeypatch.setattr(pages, "load_claims", lambda: [{"id": "A1", "chapter": "01_first"}])
    return tmp_path


@pytest.fixture(autouse=True)
def subnormal_numbers():
    """Training flushes them to zero for the whole process, and then Hypothesis refuses to draw floats."""
    yield
    if torch := sys.modules.get("torch"):
        torch.set_flush_denormal(False)
