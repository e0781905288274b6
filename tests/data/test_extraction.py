import json
import multiprocessing
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from helpers import close, refuses
from test_images import png
from test_vision import SMALL, pictures, untrained
from torch.utils.data import Dataset, Subset, TensorDataset

from lib.closure import HOME
from lib.data.activations import activations
from lib.data.extraction import end_with_parent, extract
from lib.data.images import open_images
from lib.data.vision import load_network

SITES = {"map": ("layer1", "centre"), "all": ("layer2", "flat")}


class Counted(Dataset):
    """Random images; asking for image `stop` is an interruption."""

    def __init__(self, count=10, stop=None, seed=0):
        self.images, self.stop, self.asked = pictures(count, 32, seed), stop, []

    def __len__(self):
        return len(self.images)

    def __getitem__(self, i):
        self.asked.append(i)
        if i == self.stop:
            raise KeyboardInterrupt
        return self.images[i], 0


def small():
    return untrained(SMALL)


def bytes_of(folder):
    return {path.name: path.read_bytes() for path in folder.glob("*.npy")}


def test_extraction_gives_the_activations_of_every_image(tmp_path):
    data = Counted()
    found = extract(small(), data, SITES, tmp_path / "new" / "folder", batch=4)
    wanted = activations(small(), data.images, SITES)
    assert list(found) == ["map", "all"]
    for site, y in found.items():
        assert isinstance(y, np.memmap) and y.dtype == np.float32
        close(np.array(y), wanted[site], 1e-5)
    assert sorted(bytes_of(tmp_path / "new" / "folder")) == ["all.npy", "map.npy"]
    assert not list(tmp_path.rglob("*.part"))


def test_a_second_extraction_computes_nothing(tmp_path, monkeypatch):
    first = extract(small(), Counted(), SITES, tmp_path)
    monkeypatch.setattr("lib.data.activations._forward", lambda *_: pytest.fail("computed again"))
    second = extract(small(), Counted(), SITES, tmp_path, batch=3)
    assert all(np.array_equal(first[site], second[site]) for site in SITES)


@pytest.mark.parametrize("stop", [1, 4, 7, 8])
def test_an_interrupted_extraction_goes_on_and_ends_with_the_same_bytes(stop, tmp_path):
    extract(small(), Counted(), SITES, tmp_path / "whole", batch=3)
    with pytest.raises(KeyboardInterrupt):
        extract(small(), Counted(stop=stop), SITES, tmp_path / "cut", batch=3)
    assert not bytes_of(tmp_path / "cut")
    rest = Counted()
    extract(small(), rest, SITES, tmp_path / "cut", batch=3)
    done = stop // 3 * 3
    assert sorted(set(rest.asked)) == sorted({0, 9, *range(done, 10)})  # the first and the last tell the images apart
    assert bytes_of(tmp_path / "cut") == bytes_of(tmp_path / "whole")


def test_an_extraction_stopped_while_it_names_its_files_is_finished(tmp_path):
    extract(small(), Counted(), SITES, tmp_path)
    whole = bytes_of(tmp_path)
    (tmp_path / "all.npy").rename(tmp_path / "all.npy.part")
    extract(small(), Counted(), SITES, tmp_path)
    assert bytes_of(tmp_path) == whole


@pytest.fixture(params=["fork", "forkserver"])  # the ways of Linux, before Python 3.14 and since
def started(request):
    """Processes are started in this way."""
    before = multiprocessing.get_start_method(allow_none=True)
    multiprocessing.set_start_method(request.param, force=True)
    yield
    multiprocessing.set_start_method(before, force=True)


def test_images_come_without_labels_and_by_workers_too(started, tmp_path):
    data = TensorDataset(pictures(5, 32))
    found = [extract(small(), data, SITES, tmp_path / str(workers), 2, workers)["map"] for workers in (0, 2)]
    found = [np.array(y) for y in found]
    close(*found)
    bare = [image for (image,) in data]
    close(found[0], extract(small(), bare, SITES, tmp_path / "bare", 2)["map"].copy())


WORKER = """
import os, signal, sys, time
from multiprocessing import get_context
from pathlib import Path
from lib.data.extraction import end_with_parent

def work(late):
    print(os.getpid(), flush=True)
    Path("started").touch()
    time.sleep(2 * late)  # in which the parent ends
    end_with_parent(0)
    Path("watching").touch()
    time.sleep(200)

if __name__ == "__main__":
    start, late = sys.argv[1], bool(int(sys.argv[2]))
    get_context(start).Process(target=work, args=(late,)).start()
    while not Path("started" if late else "watching").exists():
        time.sleep(0.02)
    os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.parametrize("late", [0, 1], ids=["parent-ends-later", "parent-ended-before"])
@pytest.mark.parametrize("start", ["fork", "forkserver", "spawn"])
def test_a_worker_ends_with_its_parent(start, late, tmp_path):
    (tmp_path / "worker.py").write_text(WORKER)
    command = [sys.executable, "worker.py", start, str(late)]
    # the worker holds the other end of the pipe: reading it ends when the worker does
    alike = {"env": os.environ | {"PYTHONPATH": str(HOME)}, "cwd": tmp_path, "stdout": subprocess.PIPE, "timeout": 90}
    done = subprocess.run(command, **alike)
    assert done.returncode == -signal.SIGKILL and int(done.stdout) > 0


def test_a_process_that_is_nobodys_worker_is_told():
    refuses("nobody's worker", "worker_init_fn", end_with_parent, 0)


@pytest.mark.parametrize(
    "change, what",
    [
        (lambda tmp: (small(), Counted(seed=1), SITES), "images"),
        (lambda tmp: (small(), Counted(9), SITES), "images"),
        (lambda tmp: (small(), Counted(), {"map": SITES["map"]}), "sites"),
        (lambda tmp: (small(), Counted(), {**SITES, "map": ("layer1", "pool")}), "sites"),
        (lambda tmp: (load_network(f"{SMALL}:random", "cpu", seed=1), Counted(), SITES), "network"),
        (lambda tmp: (small()._replace(name="other"), Counted(), SITES), "network"),
    ],
)
@pytest.mark.parametrize("stop", [None, 5])
def test_another_extraction_never_mixes_with_the_first(change, what, stop, tmp_path):
    try:
        extract(small(), Counted(stop=stop), SITES, tmp_path, batch=3)
    except KeyboardInterrupt:
        pass
    refuses(f"holds an extraction with other {what}:", "choose another folder", extract, *change(tmp_path), tmp_path)


def test_an_image_changed_under_the_same_name_is_another_extraction(tmp_path):
    for name, value in (("a.png", 1), ("b.png", 2), ("c.png", 3)):
        (tmp_path / name).write_bytes(png(value))
    sites = {"map": SITES["map"]}
    extract(small(), open_images(f"folder:{tmp_path}", small().transform), sites, tmp_path / "out")
    (tmp_path / "b.png").write_bytes(png(200))
    changed = open_images(f"folder:{tmp_path}", small().transform)
    refuses("with other images", "delete it", extract, small(), changed, sites, tmp_path / "out")


def test_activations_that_are_not_finite_are_never_stored(tmp_path, monkeypatch):
    spoilt = {"map": torch.full((1, 4), torch.nan)}
    monkeypatch.setattr("lib.data.extraction.activations", lambda *_: spoilt)
    refuses("at map has 4 NaN or infinite", "remove", extract, small(), Counted(), {"map": SITES["map"]}, tmp_path)


def test_names_tell_image_lists_apart(tmp_path):
    for folder, middle in (("a", "b.png"), ("b", "c.png")):
        (tmp_path / folder).mkdir()
        for name, value in (("a.png", 1), (middle, 2), ("z.png", 3)):
            (tmp_path / folder / name).write_bytes(png(value))
    first, second = (open_images(f"folder:{tmp_path / name}", small().transform) for name in "ab")
    sites = {"map": SITES["map"]}
    extract(small(), first, sites, tmp_path / "out")
    refuses("with other images", "choose another folder", extract, small(), second, sites, tmp_path / "out")


def cut(path):
    path.write_bytes(path.read_bytes()[:-50])


def empty(path):
    path.write_bytes(b"")


def narrow(path):
    np.save(path.open("wb"), np.zeros((10, 3), np.float64))


@pytest.mark.parametrize("spoil", [cut, empty, narrow, Path.unlink])
@pytest.mark.parametrize("stop, name", [(None, "map.npy"), (5, "map.npy.part")])
def test_damaged_files_say_what_to_delete(spoil, stop, name, tmp_path):
    try:
        extract(small(), Counted(stop=stop), SITES, tmp_path, batch=3)
    except KeyboardInterrupt:
        pass
    spoil(tmp_path / name)
    refuses(f"{name} is damaged", f"delete {tmp_path} to start anew", extract, small(), Counted(), SITES, tmp_path)


@pytest.mark.parametrize("text", ["", "[]", '{"rows": ', '{"rows": "many"}', "{}"])
def test_a_damaged_note_says_what_to_delete(text, tmp_path):
    extract(small(), Counted(), SITES, tmp_path)
    (tmp_path / "extraction.json").write_text(text)
    refuses("extraction.json is damaged", f"delete {tmp_path}", extract, small(), Counted(), SITES, tmp_path)


def test_files_of_others_are_left_alone(tmp_path):
    np.save(tmp_path / "map.npy", np.zeros(3))
    refuses("holds .npy files of unknown origin", "another folder", extract, small(), Counted(), SITES, tmp_path)
    close(np.load(tmp_path / "map.npy"), torch.zeros(3))


def test_images_must_be_there_and_prepared(tmp_path):
    (tmp_path / "a.png").write_bytes(png(1))
    raw = open_images(f"folder:{tmp_path}")
    refuses("the images are of type Image", "network.transform", extract, small(), raw, SITES, tmp_path / "out")
    refuses("there are no images", "at least one", extract, small(), Subset(raw, []), SITES, tmp_path / "out")


def test_the_note_says_what_was_extracted(tmp_path):
    extract(small(), Counted(), SITES, tmp_path)
    note = json.loads((tmp_path / "extraction.json").read_text())
    assert note["network"] == f"{SMALL}:random" and note["rows"] == note["images"] == 10
    assert note["sites"] == {site: list(place) for site, place in SITES.items()}


def test_numbers_that_were_changed_since_are_seen(tmp_path):
    extract(small(), Counted(), SITES, tmp_path)
    y = np.lib.format.open_memmap(tmp_path / "all.npy", "r+")
    y[6, 1] += 1e-3
    y.flush()
    refuses("all.npy is damaged (other numbers", f"delete {tmp_path}", extract, small(), Counted(), SITES, tmp_path)


def test_an_extraction_without_checksums_is_done_anew(tmp_path):
    extract(small(), Counted(), SITES, tmp_path)
    whole, note = bytes_of(tmp_path), tmp_path / "extraction.json"
    note.write_text(json.dumps({key: value for key, value in json.loads(note.read_text()).items() if key != "crc"}))
    again = Counted()
    extract(small(), again, SITES, tmp_path)
    assert {*again.asked} == {*range(10)} and bytes_of(tmp_path) == whole and not [*tmp_path.glob("*.part")]
