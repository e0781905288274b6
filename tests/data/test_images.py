import io
import os
import pickle
import struct
from pathlib import Path
from zipfile import ZipFile

import numpy as np
import pytest
import torch
from helpers import close, refuses
from PIL import Image
from torch.utils.data import DataLoader
from torchvision.transforms.functional import pil_to_tensor

from lib.data.digits import digit_grid, single_digits
from lib.data.images import open_images
from lib.store import ROOT

PHOTOS = Path(os.environ.get("PHOTOS_ZIP", ROOT.parent / "shared" / "data" / "photos" / "photos_160px.zip"))
NEEDS_PHOTOS = pytest.mark.skipif(not PHOTOS.exists(), reason="no photographs: set PHOTOS_ZIP to photos_160px.zip")
CLASSES = {"n02/b.png": 20, "n02/a.JPEG": 10, "n01/deep/z.png": 30, "n01/y.png": 40}


def png(value, mode="RGB"):
    file = io.BytesIO()
    Image.new(mode, (4, 3), value if mode == "L" else (value, 0, 0)).save(file, "png")
    return file.getvalue()


def folder(tmp_path, values):
    for name, value in values.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(png(value))
    return f"folder:{tmp_path}"


def zipped(tmp_path, values):
    with ZipFile(tmp_path / "set.zip", "w") as archive:
        for name, value in values.items():
            archive.writestr(name, png(value))
    return f"zip:{tmp_path / 'set.zip'}"


@pytest.mark.parametrize("make", [folder, zipped])
def test_class_folders_give_labels_and_paths_the_order(make, tmp_path):
    name = make(tmp_path, CLASSES)
    images = open_images(name, lambda image: image.getpixel((0, 0)))
    assert images.names == ["n01/deep/z.png", "n01/y.png", "n02/a.JPEG", "n02/b.png"]
    assert list(images) == [((30, 0, 0), 1), ((40, 0, 0), 0), ((10, 0, 0), 2), ((20, 0, 0), 2)]


@pytest.mark.parametrize("make", [folder, zipped])
def test_without_folders_each_image_is_its_own_class(make, tmp_path):
    assert open_images(make(tmp_path, {"c.png": 1, "a.png": 2, "b.png": 3})).labels == [0, 1, 2]


@pytest.mark.parametrize("make", [folder, zipped])
def test_hidden_files_and_other_files_are_no_images(make, tmp_path):
    name = make(tmp_path, {"a.png": 1, "__MACOSX/._a.png": 2, "notes.txt": 3})
    assert open_images(name).names == ["a.png"]


def test_grey_images_come_in_colour(tmp_path):
    (tmp_path / "a.png").write_bytes(png(7, "L"))
    image, _ = open_images(f"folder:{tmp_path}")[0]
    assert image.mode == "RGB" and image.getpixel((0, 0)) == (7, 7, 7)


@pytest.mark.parametrize("mode", ["I;16", "I", "F"])
def test_more_than_8_bits_a_channel_are_refused_and_not_clipped(mode, tmp_path):
    Image.new(mode, (4, 3), 999).save(tmp_path / "deep.tif")
    refuses("deep.tif cannot be read (mode", "take it out", open_images(f"folder:{tmp_path}").__getitem__, 0)


@pytest.mark.parametrize("workers", [0, 2])
def test_loaders_with_and_without_workers_read_a_zip_alike(workers, tmp_path):
    images = open_images(zipped(tmp_path, {f"{i:03}.png": i for i in range(40)}), pil_to_tensor)
    images[0]  # opens the file before the workers start
    batches = list(DataLoader(images, 5, num_workers=workers))
    close(torch.cat([x for x, _ in batches])[:, 0, 0, 0], torch.arange(40))
    close(torch.cat([y for _, y in batches]), torch.arange(40))


def test_each_process_opens_a_zip_for_itself(tmp_path, monkeypatch):
    opened = []
    monkeypatch.setattr("lib.data.images.ZipFile", lambda path: opened.append(path) or ZipFile(path))
    images = open_images(zipped(tmp_path, {"a.png": 1, "b.png": 2}))
    assert len(list(images)) == 2 and len(opened) == 1
    monkeypatch.setattr(os, "getpid", lambda: -1)  # as after a fork
    assert len(list(images)) == 2 and len(opened) == 2


@pytest.mark.parametrize("spoil", [lambda whole: whole[:40], lambda whole: b"", lambda whole: b"no image" * 9])
@pytest.mark.parametrize("kind", ["folder", "zip"])
def test_an_unreadable_image_is_named(kind, spoil, tmp_path):
    bad = spoil(png(1))
    (tmp_path / "good.png").write_bytes(png(1))
    (tmp_path / "bad.png").write_bytes(bad)
    with ZipFile(tmp_path / "set.zip", "w") as archive:
        archive.writestr("good.png", png(1))
        archive.writestr("bad.png", bad)
    images = open_images(f"folder:{tmp_path}" if kind == "folder" else f"zip:{tmp_path / 'set.zip'}")
    refuses("image bad.png cannot be read", "replace it", images.__getitem__, images.names.index("bad.png"))
    assert images[images.names.index("good.png")][1] == images.names.index("good.png")


def test_bad_names_and_places_are_refused(tmp_path):
    (tmp_path / "cut.zip").write_bytes(b"PK\3\4 no more")
    empty = tmp_path / "empty"
    empty.mkdir()
    for name, thing, mend in [
        ("foldr:x", "kind of images 'foldr'", "folder"),
        ("x.zip", "kind of images 'x.zip'", "zip"),
        ("zip:", "'zip:' lack their place", "zip:PATH"),
        (f"folder:{tmp_path / 'none'}", "none does not exist", "check the path"),
        (f"folder:{empty}", "empty holds no image", ".png"),
        (f"zip:{tmp_path / 'none.zip'}", "none.zip cannot be opened", "check the path"),
        (f"zip:{tmp_path / 'cut.zip'}", "cut.zip cannot be opened", "copy it anew"),
        (f"cifar10:{empty}", "lacks sound cifar-10-batches-py", "CIFAR10"),
        (f"fashion-mnist:{empty}", "lacks sound FashionMNIST/raw", "download=True"),
    ]:
        refuses(thing, mend, open_images, name)


@NEEDS_PHOTOS
def test_the_photographs_are_one_a_class():
    photos = open_images(f"zip:{PHOTOS}")
    assert photos.labels == list(range(1000))
    assert photos.names[0].startswith("n01440764") and photos.names[2].endswith("great_white_shark.jpg")
    assert photos[0][0].size == (160, 160)


def idx(array):
    return struct.pack(f">HBB{array.ndim}I", 0, 8, array.ndim, *array.shape) + array.tobytes()


def test_fashion_mnist_as_torchvision_stores_it(tmp_path):
    raw = tmp_path / "FashionMNIST" / "raw"
    raw.mkdir(parents=True)
    for part, count in {"train": 3, "t10k": 2}.items():
        pictures = np.arange(count, dtype=np.uint8)[:, None, None] + np.zeros((1, 28, 28), np.uint8) + 10 * count
        (raw / f"{part}-images-idx3-ubyte").write_bytes(idx(pictures.astype(np.uint8)))
        (raw / f"{part}-labels-idx1-ubyte").write_bytes(idx(np.arange(count, dtype=np.uint8) + 4))
    test, train = (
        open_images(f"{kind}:{tmp_path}", pil_to_tensor) for kind in ("fashion-mnist", "fashion-mnist-train")
    )
    assert [(int(x.max()), y) for x, y in test] == [(20, 4), (21, 5)] and test.labels == [4, 5]
    assert [(x.shape, int(x.min()), y) for x, y in train] == [((3, 28, 28), 30 + i, 4 + i) for i in range(3)]
    (raw / "t10k-images-idx3-ubyte").write_bytes(b"\0\0\10\3\0")
    refuses("lacks sound FashionMNIST/raw", "gunzip", open_images, f"fashion-mnist:{tmp_path}")


def test_cifar10_as_torchvision_stores_it(tmp_path, monkeypatch):
    monkeypatch.setattr("torchvision.datasets.cifar.check_integrity", lambda path, md5=None: os.path.exists(path))
    base = tmp_path / "cifar-10-batches-py"
    base.mkdir()
    for value, name in enumerate([*(f"data_batch_{i}" for i in range(1, 6)), "test_batch"]):
        (base / name).write_bytes(pickle.dumps({"data": np.full((2, 3072), value, np.uint8), "labels": [value, 9]}))
    (base / "batches.meta").write_bytes(pickle.dumps({"label_names": [str(i) for i in range(10)]}))
    test, train = (open_images(f"{kind}:{tmp_path}", pil_to_tensor) for kind in ("cifar10", "cifar10-train"))
    assert [(x.shape, int(x.max()), y) for x, y in test] == [((3, 32, 32), 5, 5), ((3, 32, 32), 5, 9)]
    assert train.labels == [0, 9, 1, 9, 2, 9, 3, 9, 4, 9] and len(set(train.names + test.names)) == 12


@pytest.mark.parametrize(("kind", "draw"), [("grid", digit_grid), ("single", single_digits)])
@pytest.mark.parametrize(("ending", "split"), [("", "test"), ("-train", "train")])
def test_scenes_are_those_of_the_generator_to_half_a_level_of_grey(kind, draw, ending, split):
    found = open_images(f"{kind}{ending}:30", pil_to_tensor)
    wanted = draw(30, 0, split)[0]
    assert len(found) == len(found.names) == len(set(found.names)) == 30
    for i in range(30):
        image = found[i][0]
        assert image.shape == (3, 24, 24) and torch.equal(image[0], image[2])
        close(image[1].double() / 255, wanted[i].double(), 0.5 / 255 + 1e-9)


@pytest.mark.parametrize("name", ["grid:many", "grid:-3", "single:1.5"])
def test_a_number_of_scenes_that_is_none_is_refused(name):
    refuses(f"number of scenes '{name.split(':')[1]}'", "write grid:10000", open_images, name)


def test_no_scenes_are_refused():
    refuses("count = 0 images", "choose at least 1", open_images, "grid:0")


# Crops


def test_crops_are_of_their_own_image_and_the_same_at_every_call(tmp_path):
    for i, colour in enumerate([(200, 0, 0), (0, 200, 0)]):
        Image.new("RGB", (60, 40), colour).save(tmp_path / f"{i}.png")
    images = open_images(f"crops:3:folder:{tmp_path}")
    assert len(images) == 6 and images.labels == [0, 0, 0, 1, 1, 1] and len(set(images.names)) == 6
    sides = set()
    for i in range(6):
        image = images[i][0]
        assert image.width == image.height and 40 * 0.5**0.5 - 1 <= image.width <= 40
        assert image.getpixel((0, 0))[i // 3] == 200
        assert image.tobytes() == images[i][0].tobytes()
        sides.add(image.width)
    assert len(sides) > 1


def test_crops_lie_anywhere_and_half_are_mirrored(tmp_path):
    ramp = np.broadcast_to(np.arange(100, dtype=np.uint8), (50, 100))
    Image.fromarray(ramp).save(tmp_path / "ramp.png")
    rows = [np.asarray(image)[0, :, 0].astype(int) for image, _ in open_images(f"crops:200:folder:{tmp_path}")]
    mirrored = [row[0] > row[-1] for row in rows]
    assert 70 < sum(mirrored) < 130
    assert min(row.min() for row in rows) < 5 and max(row.max() for row in rows) > 94
    assert all((np.abs(np.diff(row)) == 1).all() for row in rows)


@pytest.mark.parametrize("count", ["0", "x", "-1"])
def test_a_bad_number_of_crops_is_refused(count, tmp_path):
    refuses(f"number of crops {count!r}", "crops:4:folder:PATH", open_images, f"crops:{count}:folder:{tmp_path}")


def test_crops_of_nothing_and_damaged_ones_are_refused(tmp_path):
    refuses("kind of images 'nowhere' is unknown", "did you mean", open_images, "crops:2:nowhere:x")
    (tmp_path / "a.png").write_bytes(b"no picture")
    damaged = open_images(f"crops:2:folder:{tmp_path}")
    refuses("image a.png, crop 0 cannot be read", "replace it", damaged.__getitem__, 0)


def test_a_name_does_not_choose_what_reads_it(tmp_path):
    """Pillow would hand PostScript to another program, whatever the file is called."""
    picture = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 4 4\n%%EndComments\n"
    (tmp_path / "a.png").write_bytes(picture)
    refuses("image a.png cannot be read (cannot identify", "replace", open_images(f"folder:{tmp_path}").__getitem__, 0)
    (tmp_path / "a.png").unlink()
    (tmp_path / "a.jpg").write_bytes(png(7))
    assert open_images(f"folder:{tmp_path}")[0][0].getpixel((0, 0)) == (7, 0, 0)


def test_damage_that_a_decoder_would_not_see_is_refused(tmp_path):
    """Of PNG every part has a checksum; the decoder stops before that of the pixels."""
    content = bytearray(png(7))
    content[content.index(b"IEND") - 5] ^= 1  # the last byte of that checksum
    (tmp_path / "a.png").write_bytes(content)
    refuses("image a.png cannot be read", "replace it", open_images(f"folder:{tmp_path}").__getitem__, 0)


def test_images_that_unpack_to_more_than_an_image_are_refused(tmp_path, monkeypatch):
    images = zipped(tmp_path, {"a.png": 1})
    monkeypatch.setattr("lib.data.images.MEMBER", 10)
    refuses("image a.png cannot be read", "bytes unpacked, more than 10", open_images(images).__getitem__, 0)
    monkeypatch.setattr("lib.data.images.PIXELS", 11)
    images = folder(tmp_path / "set", {"a.png": 1})
    refuses("image a.png cannot be read (4 x 3 pixels, more than 11)", "replace", open_images(images).__getitem__, 0)


def test_an_image_whose_name_is_damaged_in_the_list_of_a_zip_is_not_left_out(tmp_path):
    zipped(tmp_path, {"a.png": 1, "b.png": 2})
    content = (tmp_path / "set.zip").read_bytes()
    place = content.rindex(b"b.png")
    (tmp_path / "set.zip").write_bytes(content[:place] + b"b.pnh" + content[place + 5 :])
    refuses("set.zip cannot be opened", "copy it anew", open_images, f"zip:{tmp_path / 'set.zip'}")
