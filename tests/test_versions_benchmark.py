import subprocess
import sys

from benchmarks import versions

ROW = {"packages": "pinned", "Python": "3.99.0", "passed": 10, "failed": 2, "skipped": 3, "mended since": "none"}
ROW["failures"] = "test_store.py::test_a[an x, a y]; test_arrays.py::test_b"
FOUND = {"Python": "3.99.0", "passed": 0, "failed": 0, "skipped": 0, "failures": "none"}


def again(monkeypatch, row=ROW, **found):
    asked = []
    monkeypatch.setattr(versions, "run", lambda python, packages, tests: asked.extend(tests) or FOUND | found)
    return versions.again("python", row), [one.removeprefix(str(versions.ROOT)) for one in asked]


def test_tests_that_failed_are_run_alone_and_said_to_be_mended_if_they_pass(monkeypatch):
    row, asked = again(monkeypatch, passed=2)
    assert asked == ["/tests/test_store.py::test_a[an x, a y]", "/tests/data/test_arrays.py::test_b"]
    assert (row["passed"], row["failed"], row["skipped"], row["failures"]) == (12, 0, 3, "none")
    assert row["mended since"] == ROW["failures"]


def test_what_fails_again_is_not_mended_and_what_was_mended_before_stays(monkeypatch):
    before = ROW | {"mended since": "test_c.py::test_c", "failures": "test_arrays.py::test_b; test_arrays.py::test_bc"}
    row, _ = again(monkeypatch, before, passed=1, failed=1, failures="test_arrays.py::test_bc")
    assert (row["passed"], row["failed"], row["failures"]) == (11, 1, "test_arrays.py::test_bc")
    assert row["mended since"] == "test_c.py::test_c; test_arrays.py::test_b"


def test_a_row_stays_where_pytest_does_not_start_or_skips_or_nothing_is_named(monkeypatch):
    assert again(monkeypatch, failed=1)[0] == again(monkeypatch, passed=1, skipped=1)[0] == ROW
    unnamed, gone = (
        ROW | {"failures": "none"},
        ROW | {"failures": "test_arrays.py::test_b; test_that_is_gone.py::test_a"},
    )
    assert again(monkeypatch, unnamed) == (unnamed, []) and again(monkeypatch, gone) == (gone, [])


SAID = """
FAILED tests/test_structure.py::test_the_code_stays_small[book/press] - AssertionError: a/b
FAILED tests/data/test_extraction.py::test_a[fork, in the middle]
ERROR tests/data/test_arrays.py - ImportError
2 failed, 10 passed, 3 skipped, 1 error in 5.00s
"""


def test_failures_are_counted_and_named_by_file_and_test():
    names = (
        "test_structure.py::test_the_code_stays_small[book/press]",
        "test_extraction.py::test_a[fork, in the middle]",
    )
    found = versions.counted(SAID, 1)
    assert found == {"passed": 10, "failed": 3, "skipped": 3, "failures": "; ".join((*names, "test_arrays.py"))}
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
