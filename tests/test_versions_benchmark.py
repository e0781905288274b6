import subprocess
import sys

import pytest

from benchmarks import versions

ROW = {"packages": "pinned", "Python": "3.99.0", "passed": 10, "failed": 2, "skipped": 3, "mended since": "none"}
ROW["failures"] = "test_store.py::test_a_second_lock[x], test_arrays.py::test_b"


def test_tests_that_failed_are_run_alone_and_said_to_be_mended_if_all_pass(monkeypatch):
    asked = []
    found = {"Python": "3.99.0", "passed": 2, "failed": 0, "skipped": 0, "failures": "none"}
    monkeypatch.setattr(versions, "run", lambda python, packages, tests: asked.extend(tests) or found)
    row = versions.again("python", ROW)
    assert [one.removeprefix(str(versions.ROOT)) for one in asked] == [
        "/tests/test_store.py::test_a_second_lock[x]",
        "/tests/data/test_arrays.py::test_b",
    ]
    assert (row["passed"], row["failed"], row["skipped"], row["failures"]) == (12, 0, 3, "none")
    assert row["mended since"] == ROW["failures"]


AGAIN = [("test_arrays.py::test_b", "test_store.py::test_a_second_lock[x]"), ("none", "")]


@pytest.mark.parametrize(("failures", "mended"), AGAIN)
def test_what_fails_again_or_does_not_start_is_not_mended(failures, mended, monkeypatch):
    found = {"Python": "3.99.0", "passed": 0, "failed": 1, "skipped": 0, "failures": failures}
    monkeypatch.setattr(versions, "run", lambda *_: found)
    row = versions.again("python", ROW)
    assert row["failed"] == 1 and row["mended since"] == (mended or "none")
    row = versions.again("python", ROW | {"mended since": "test_c.py::test_c"})
    assert row["mended since"].split(", ") == ["test_c.py::test_c", *filter(None, [mended])]


SAID = """
FAILED tests/test_structure.py::test_the_code_stays_small[book/press] - AssertionError: a/b
ERROR tests/data/test_arrays.py - ImportError
2 failed, 10 passed, 3 skipped, 1 error in 5.00s
"""


def test_failures_are_counted_and_named_by_file_and_test():
    names = "test_structure.py::test_the_code_stays_small[book/press], test_arrays.py"
    assert versions.counted(SAID, 1) == {"passed": 10, "failed": 3, "skipped": 3, "failures": names}
    assert versions.counted("9 passed in 5.00s", 0) == {"passed": 9, "failed": 0, "skipped": 0, "failures": "none"}
    assert versions.counted("", 4)["failed"] == 1


LACKING = """
import sys
sys.modules.update(dict.fromkeys(["torch", "numpy", "pandas"]))
sys.argv = ["versions", "none"]
from benchmarks import versions
versions.environment = lambda *_: sys.exit("asked")
versions.main()
"""


def test_an_interpreter_without_packages_can_try_others():
    done = subprocess.run([sys.executable, "-c", LACKING], cwd=versions.ROOT, capture_output=True, text=True)
    assert done.stderr.strip() == "asked"
