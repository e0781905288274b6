"""Files written whole, locks, and digests that change with what they are of and with nothing else."""

import errno
import importlib
import os
import subprocess
import sys
import time
from dataclasses import dataclass
from functools import partial
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from helpers import refuses

from lib import store
from lib.closure import closure_of
from lib.data.stand_ins import GridViT
from lib.features import seeded, topk_uniform
from lib.store import dependencies, key, locked, whole, write_whole


def digest(thing):
    return dependencies(thing=thing)["thing"]


@dataclass
class Options:
    k: int = 3
    rate: float = 0.1


class Held:
    def __init__(self, value):
        self.value = value

    def method(self, generator):
        return self.value


def drawing(scale):
    return lambda generator: scale * torch.rand(3, generator=generator)


SCALE = 2.0
T = torch.arange(6.0).reshape(2, 3)
# pairs that must be told apart
PAIRS = {
    "numbers": (1, 2),
    "a number and its text": (1, "1"),
    "one and true": (1, True),
    "int and float": (1, 1.0),
    "nesting": ([1, [2]], [[1], 2]),
    "list and tuple": ([1], (1,)),
    "split texts": (["ab", "c"], ["a", "bc"]),
    "values of a dictionary": ({"a": 1}, {"a": 2}),
    "a tensor's entry": (T, T + torch.eye(2, 3) * 1e-6),
    "a tensor's shape": (T, T.reshape(3, 2)),
    "a tensor's type": (T, T.double()),
    "tensor and array": (T, T.numpy()),
    "an array's entry": (np.zeros(4), np.eye(1, 4)[0]),
    "a random state": (seeded(0), seeded(1)),
    "a default of dataclasses": (Options(), Options(k=4)),
    "an attribute": (Held(1), Held(2)),
    "a bound method's object": (Held(1).method, Held(2).method),
    "arguments of partial": (partial(topk_uniform, 5), partial(topk_uniform, 6)),
    "what a function holds": (drawing(1.0), drawing(2.0)),
    "functions": (seeded, topk_uniform),
    "weights": (torch.nn.Linear(2, 2), torch.nn.Linear(2, 2)),
}


@pytest.mark.parametrize(("first", "second"), PAIRS.values(), ids=PAIRS)
def test_what_differs_has_another_digest(first, second):
    assert digest(first) == digest(first) != digest(second)


SAME = {
    "order of a dictionary": ({"a": 1, "b": 2}, {"b": 2, "a": 1}),
    "order of a set": ({"a", "b", "c"}, {"c", "b", "a"}),
    "a copy": (T, T.clone()),
    "a view": (T.T.contiguous(), T.T),
    "the same closure": (drawing(1.0), drawing(1.0)),
    "a function's own recursion": ([T], [T.clone()]),
}


@pytest.mark.parametrize(("first", "second"), SAME.values(), ids=SAME)
def test_what_is_the_same_has_the_same_digest(first, second):
    assert digest(first) == digest(second)


NOTEBOOK = """
import torch
from lib.store import dependencies
from lib.data.digits import digit_grid
from lib import theory
scale, unused = {scale}, {unused}
def inner(x):
    return {body}
def draw(generator):
    return inner(torch.rand(3, generator=generator)){more}
parts = dependencies(draw=draw)
print(parts["draw"], "lib/data/digits.py" in parts, "lib/theory.py" in parts)
"""


def in_notebook(**changes):
    """The digest of a notebook's function, and whether two modules count."""
    parts = {"scale": 1.0, "unused": 0, "body": "scale * x", "more": ""} | changes
    command = [sys.executable, "-c", NOTEBOOK.format(**parts)]
    return subprocess.run(command, cwd=store.ROOT, capture_output=True, text=True, check=True).stdout.split()


def test_a_notebooks_function_counts_with_its_code_and_the_globals_it_reads():
    plain, *others = in_notebook()
    assert others == ["False", "False"]
    assert in_notebook(unused=1)[0] == plain
    assert in_notebook(scale=2.0)[0] != plain != in_notebook(body="scale + x")[0]
    assert in_notebook(body="scale * x + 0 * len(theory.__doc__)")[1:] == ["False", "True"]
    assert in_notebook(more=" * digit_grid(1, 0)[0].sum()")[1:] == ["True", "False"]


def placed(folder, monkeypatch, **files):
    """Modules of a folder by their names, imported."""
    for name, text in files.items():
        write_whole(folder / f"{name}.py", text)
    monkeypatch.syspath_prepend(str(folder))
    return [importlib.import_module(name) for name in files]


def test_packages_of_an_environment_in_the_project_are_not_its_code(tmp_path, monkeypatch):
    monkeypatch.setattr(store, "CODE", tmp_path)
    monkeypatch.setattr(sys, "prefix", str(tmp_path / "env"))
    text = "def draw(x):\n    return x\n"
    (mine,) = placed(tmp_path, monkeypatch, of_the_project=text)
    (packaged,) = placed(tmp_path / "env" / "lib", monkeypatch, of_a_package=text)
    assert "of_the_project.py" in dependencies(draw=mine.draw)
    assert not [name for name in dependencies(draw=packaged.draw) if name.endswith(".py")]


def test_a_relative_import_counts_as_what_it_stands_for(tmp_path):
    (tmp_path / "kit" / "deep").mkdir(parents=True)
    texts = {"__init__": "", "a": "from . import b\nfrom .deep.c import d", "b": "", "e": "import json", "other": ""}
    texts |= {"deep/__init__": "", "deep/c": "from .. import e\nfrom ..e import json", "b_not": ""}
    for name, text in texts.items():
        (tmp_path / "kit" / f"{name}.py").write_text(text)
    found, packages = closure_of([tmp_path / "kit" / "a.py"], tmp_path)
    names = {str(path.relative_to(tmp_path / "kit")) for path in found}
    assert names == {"__init__.py", "a.py", "b.py", "e.py", "deep/__init__.py", "deep/c.py"}
    assert packages == {"json"}


def test_an_option_of_a_part_counts_where_no_weight_shows_it():
    first, second = GridViT(heads=4), GridViT(heads=2)
    second.load_state_dict(first.state_dict())
    assert digest(first) != digest(second)
    second.blocks[0].heads = second.blocks[1].heads = 4
    assert digest(first) == digest(second)
    second.blocks[1].kept = None
    assert digest(first) != digest(second)


def test_what_cannot_be_told_apart_is_refused():
    refuses("a generator cannot be told from another one", "pass the values", dependencies, x=(i for i in "ab"))


def test_key_changes_with_every_part_and_not_with_their_order():
    assert key({"a": "1", "b": "2"}) == key({"b": "2", "a": "1"})
    assert len({key({"a": "1"}), key({"a": "2"}), key({"b": "1"}), key({})}) == 4
    assert store.differing({"a": "1", "b": "2"}, {"a": "1", "b": "3", "c": "4"}) == ["b", "c"]


def test_a_write_that_fails_leaves_the_old_file(tmp_path):
    path = tmp_path / "new" / "a.txt"
    write_whole(path, "old")
    with pytest.raises(RuntimeError), whole(path) as part:
        part.write_text("half")
        raise RuntimeError
    assert path.read_text() == "old"
    write_whole(path, "new")
    assert path.read_text() == "new" and [file.name for file in path.parent.iterdir()] == ["a.txt"]


def test_what_a_killed_run_left_goes_after_a_day_and_nothing_else(tmp_path):
    old, new, other = (tmp_path / f".part.host.{name}" for name in ("1.[a].txt", "2.[a].txt", "1.a.txt"))
    for part in (old, new, other):
        part.write_text("half")
    for part in (old, other):
        os.utime(part, (0, time.time() - store.ABANDONED - 60))
    os.utime(new, (0, time.time() - store.ABANDONED + 60))
    write_whole(tmp_path / "[a].txt", "whole")
    assert {file.name for file in tmp_path.iterdir()} == {new.name, other.name, "[a].txt"}


def test_a_lock_that_is_held_is_told_at_once(tmp_path):
    with locked(tmp_path / ".lock"):
        with pytest.raises(BlockingIOError), locked(tmp_path / ".lock", wait=False):
            pass
    with locked(tmp_path / ".lock", wait=False):
        pass


@pytest.mark.parametrize("code", store.NO_LOCKS)
def test_a_disk_without_locks_is_told_and_written_all_the_same(code, tmp_path, monkeypatch, capsys):
    def refuse(*_):
        raise OSError(code, "not here")

    monkeypatch.setattr(store.fcntl, "flock", refuse)
    with locked(tmp_path / ".lock"):
        write_whole(tmp_path / "a.txt", "new")
    assert (tmp_path / "a.txt").read_text() == "new"
    assert capsys.readouterr().err == f"{tmp_path} is on a disk without locks: jobs may do the same work twice\n"


def test_another_failure_to_lock_is_raised(tmp_path, monkeypatch):
    monkeypatch.setattr(store.fcntl, "flock", lambda *_: (_ for _ in ()).throw(OSError(errno.EIO, "broken")))
    with pytest.raises(OSError, match="broken"), locked(tmp_path / ".lock"):
        pass


@pytest.mark.parametrize("where", [("getpid", lambda: 1), ("uname", lambda: SimpleNamespace(nodename="other"))])
def test_two_writers_of_one_file_do_not_meet(where, tmp_path, monkeypatch):
    """Without locks, on one machine or two, the file is one of the two and never a mixture."""
    path = tmp_path / "a.txt"
    with whole(path) as first:
        first.write_text("first")
        monkeypatch.setattr(store.os, *where)
        with whole(path) as second:
            second.write_text("second, longer")
        assert path.read_text() == "second, longer" and first.read_text() == "first"
    assert path.read_text() == "first" and [file.name for file in tmp_path.iterdir()] == ["a.txt"]


@pytest.mark.parametrize("error", [RuntimeError("unexpected pos 64 vs 0"), OSError(5, "Input/output error")])
def test_a_full_disk_is_called_that_whatever_the_writer_calls_it(error, tmp_path, monkeypatch):
    """torch.save speaks of positions."""
    usage = store.shutil.disk_usage(tmp_path)
    for free, wanted in ((0, "the disk is full"), (usage.free, str(error))):
        monkeypatch.setattr(store.shutil, "disk_usage", lambda path, free=free: usage._replace(free=free))
        with pytest.raises((OSError, RuntimeError)) as caught, store.whole(tmp_path / "model.pt") as part:
            part.write_text("half")
            raise error
        assert wanted in str(caught.value) and list(tmp_path.iterdir()) == []
    assert caught.value is error
