"""A few damaged inputs for every reader; `python -m tests.fuzz --count 10000` tries more."""

import os

import pytest

from tests.fuzz import BINARY, TEXT, damaged, fuzz
from tests.fuzz_readers import READERS

COUNT = 12


@pytest.mark.parametrize("name", READERS)
def test_damaged_files_are_read_as_they_were_or_refused_in_one_line(name):
    counts, failures = fuzz(name, COUNT, seed=1)
    assert counts.total() == COUNT and not failures


def test_each_kind_of_damage_changes_a_file_and_comes_again():
    sound, other = b"draws: 4\nsizes: [2, 4]\n" * 30, bytes(range(256)) * 2
    made = [damaged(READERS["profile"], "profile", 0, i, sound, other) for i in range(300)]
    assert {kind for _, kind in made} == {kind.__name__ for kind in BINARY + TEXT}
    assert sum(content != sound for content, _ in made) > 280
    assert made == [damaged(READERS["profile"], "profile", 0, i, sound, other) for i in range(300)]


def ends(folder):
    os.abort()


def grows(folder):
    return b"x" * (3 * 2**29)


def shouts(folder):
    raise KeyError("several")


def lies(folder):
    return folder.joinpath("y.npy").read_bytes()


@pytest.mark.parametrize("read, found", [(ends, "crash"), (grows, "memory"), (shouts, "traceback"), (lies, "other")])
def test_a_reader_that_fails_is_found(read, found, monkeypatch):
    def once(folder):
        return b"" if folder.name.endswith(("sound", "other")) else read(folder)

    monkeypatch.setitem(READERS, "npy", READERS["npy"]._replace(read=once, sealed=True))
    counts, failures = fuzz("npy", 3)
    assert counts[found] == len(failures) == 3
