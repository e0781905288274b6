"""Hypothesis draws the same examples in every run and sets no time limit for one; trained models go elsewhere.

No test reaches another machine, nor does a process that it starts, but for the one that `make links` asks for.
"""

import os
import sys
import tempfile
from pathlib import Path

import pytest
from hypothesis import settings

REACHED = Path(tempfile.gettempdir(), f"reached.{os.getpid()}")  # what other machines were asked for
if "ONLINE" not in os.environ:
    guard = str(Path(__file__).parent / "offline")
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, (guard, os.environ.get("PYTHONPATH"))))
    os.environ["REACHED"] = str(REACHED)
    sys.path.insert(0, guard)
    sys.modules.pop("sitecustomize", None)  # the system may have one
    import sitecustomize  # noqa: F401

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
def other_machines():
    """Fails a test that tried to reach one, even if what it called took the refusal for a broken line."""
    yield
    if REACHED.exists():
        tried = REACHED.read_text(encoding="utf-8")
        REACHED.unlink()
        pytest.fail(f"another machine was asked for: {tried}")


@pytest.fixture(autouse=True)
def surroundings():
    """The runner puts into the environment what its kernels should find there: nothing for the tests that follow."""
    before = {name: value for name, value in os.environ.items() if name != "PYTEST_CURRENT_TEST"}
    yield
    for name in os.environ.keys() - before.keys() - {"PYTEST_CURRENT_TEST"}:
        del os.environ[name]
    os.environ.update(before)


@pytest.fixture(autouse=True)
def subnormal_numbers():
    """Training flushes them to zero for the whole process, and then Hypothesis refuses to draw floats."""
    yield
    if torch := sys.modules.get("torch"):
        torch.set_flush_denormal(False)
