"""Sets of images by one kind of name, as `(image, label)` pairs."""

import io
import os
from collections.abc import Callable, Iterable
from functools import cache, partial
from hashlib import sha256
from pathlib import Path, PurePosixPath
from zipfile import ZipFile

import numpy as np
import torch
from PIL import Image
from PIL.ImageOps import mirror
from torch.utils.data import Dataset

from lib.checks import first_line, unknown
from lib.data.digits import digit_grid, single_digits
from lib.features import seeded

SUFFIXES = {".bmp", ".gif", ".jpeg", ".jpg", ".png", ".ppm", ".tif", ".tiff", ".webp"}
FORMATS = ["BMP", "GIF", "JPEG", "PNG", "PPM", "TIFF", "WEBP"]  # of these; Pillow would take others for what they hold
MEMBER, PIXELS = 2**28, 2**26  # of an image: bytes unpacked from a zip, and width x height


class Images(Dataset):
    """Images in a fixed order: entry i is `(transform(image), label)`, the image in RGB.

    `read(i)` opens image i with Pillow. `names` and `labels` are lists in the same order, `state` is a text that
    changes with the files. An image that cannot be read, or has more than 8 bits a channel, raises ValueError with its
    name.
    """

    def __init__(
        self, names: list[str], labels: list[int], read: Callable, transform: Callable | None = None, state: str = ""
    ):
        self.names, self.labels, self.read, self.transform, self.state = names, labels, read, transform, state

    def __len__(self) -> int:
        return len(self.names)

    def __getitem__(self, i: int) -> tuple:
        label = self.labels[i]  # an IndexError here ends a loop over the set
        try:
            image = self.read(i)
            if image.mode[0] in "IF":  # Pillow would clip it at 255
                raise ValueError(f"mode {image.mode}, more than 8 bits a channel")
            image = image.convert("RGB")
        except Exception as error:
            reason = first_line(error)
            raise ValueError(f"image {self.names[i]} cannot be read ({reason}): replace it or take it out") from None
        return (self.transform(image) if self.transform else image), label


def open_images(name: str, transform: Callable | None = None) -> Images:
    """The images called `name`: a kind, a colon and a path or number. `transform` is what a network wants of each.

    - `folder:PATH` and `zip:PATH`: every image below, sorted by path. Label: its folder's place among the sorted
      folders, as ImageNet's classes; where all lie at the top, each image is a class of its own.
    - `cifar10:ROOT`, `fashion-mnist:ROOT`: the test images as torchvision stores them; `cifar10-train:ROOT` and
      `fashion-mnist-train:ROOT` the training images.
    - `grid:COUNT`, `single:COUNT`: so many scenes of written digits, see `lib.data.digits`, in 256 levels of grey;
      from the written digits of the test split, or of the training split with `grid-train:COUNT`, `single-train:COUNT`.
    - `crops:COUNT:` and one of the above: so many random crops of each image, one after the other, each a square with
      half to all of the area of the largest, every second mirrored on average; the same at every call.

    Raises ValueError for an unknown kind, where there are no images, and for what is missing or damaged.
    """
    kind, _, path = name.partition(":")
    if kind not in KINDS:
        raise unknown("kind of images", kind, KINDS)
    if not path:
        raise ValueError(f"images {name!r} lack their place: write {kind}:PATH, or grid:10000 for so many scenes")
    return KINDS[kind](Path(path).expanduser(), transform)


def _folder(path, transform):
    if not path.is_dir():
        raise ValueError(f"folder {path} does not exist: check the path of the images")
    names = _image_names(file.relative_to(path).as_posix() for file in path.rglob("*") if file.is_file())
    labels, state = _labels(names, f"folder {path}"), files_state(path / name for name in names)
    return Images(names, labels, partial(_read_file, path, names), transform, state)


def _zip(path, transform):
    try:
        archive = _archive(path, os.getpid())
        names = _image_names(archive.namelist())
        for other in {*archive.namelist()} - {*names}:
            archive.open(other).close()  # it compares this name, which may be damaged, with the one at the member
    except Exception as error:
        raise ValueError(f"zip {path} cannot be opened ({first_line(error)}): check the path or copy it anew") from None
    labels, state = _labels(names, f"zip {path}"), files_state([path])
    return Images(names, labels, partial(_read_zipped, path, names), transform, state)


def _image_names(names):
    paths = map(PurePosixPath, names)
    return sorted(str(path) for path in paths if path.suffix.lower() in SUFFIXES and not path.name.startswith("."))


def _labels(names, where):
    if not names:
        raise ValueError(f"{where} holds no image: files should end in {', '.join(sorted(SUFFIXES))}")
    parents = [str(PurePosixPath(name).parent) for name in names]
    classes = {parent: label for label, parent in enumerate(sorted(set(parents)))}
    return list(range(len(names))) if set(parents) == {"."} else [classes[parent] for parent in parents]


def files_state(paths: Iterable[Path]) -> str:
    """A text that changes when one of these files does, by size, date and time of change, which cannot be set."""
    digest = sha256()
    for path in paths:
        at = path.stat()
        digest.update(f"{path} {at.st_size} {at.st_mtime_ns} {at.st_ctime_ns}".encode())
    return digest.hexdigest()


def _read_file(path, names, i):
    return _opened(path / names[i])


def _read_zipped(path, names, i):
    archive = _archive(path, os.getpid())
    if (size := archive.getinfo(names[i]).file_size) > MEMBER:
        raise ValueError(f"{size} bytes unpacked, more than {MEMBER}")
    return _opened(io.BytesIO(archive.read(names[i])))


def _opened(source):
    """The image in a file, not yet decoded; of PNG, whose decoder stops before its checksums, these are compared."""
    with Image.open(source, formats=FORMATS) as image:
        if image.width * image.height > PIXELS:
            raise ValueError(f"{image.width} x {image.height} pixels, more than {PIXELS}")
        image.verify()
    return Image.open(source, formats=FORMATS)


@cache
def _archive(path, process):
    """An open zip file for each process: loaders that share one would move each other's place in it."""
    return ZipFile(path)


def _torchvision(dataset, train, needed, path, transform):
    from torchvision import datasets  # here, as it takes seconds to load

    try:
        found = getattr(datasets, dataset)(path, train=train, download=False)
    except Exception as error:
        call = f"torchvision.datasets.{dataset}({str(path)!r}, download=True)"
        reason = first_line(error)
        raise ValueError(f"{path} lacks sound {needed} ({reason}): put them there or run {call}") from None
    part = "train" if train else "test"
    names = [f"{dataset}/{part}/{i}" for i in range(len(found))]
    state = sha256(np.asarray(found.data).tobytes()).hexdigest()
    return Images(names, [int(label) for label in found.targets], partial(_read_stored, found), transform, state)


def _read_stored(dataset, i):
    return dataset[i][0]


def _scenes(draw, split, count, transform):
    if not str(count).isdecimal():
        raise ValueError(f"number of scenes {str(count)!r} is no number: write grid:10000")
    pictures = (255 * draw(int(str(count)), 0, split)[0]).round().byte().numpy()
    names = [f"{draw.__name__}/{split}/{i}" for i in range(len(pictures))]
    state = sha256(pictures).hexdigest()
    return Images(names, list(range(len(names))), partial(_read_scene, pictures), transform, state)


def _read_scene(pictures, i):
    return Image.fromarray(pictures[i])


def _crops(rest, transform):
    count, _, name = str(rest).partition(":")
    if not count.isdecimal() or not int(count):
        raise ValueError(f"number of crops {count!r} is no number above 0: write crops:4:folder:PATH")
    whole = open_images(name)
    names = [f"{image}, crop {i}" for image in whole.names for i in range(int(count))]
    labels = [label for label in whole.labels for _ in range(int(count))]
    return Images(names, labels, partial(_read_crop, whole, int(count)), transform, whole.state)


def _read_crop(images, count, i):
    image = images.read(i // count)
    area, x, y, flip = torch.rand(4, generator=seeded(i), dtype=torch.float64).tolist()
    side = round(min(image.size) * (0.5 + 0.5 * area) ** 0.5)
    left, top = round(x * (image.width - side)), round(y * (image.height - side))
    image = image.crop((left, top, left + side, top + side))
    return mirror(image) if flip < 0.5 else image


CIFAR = "cifar-10-batches-py (163 MB)"
FASHION = "FashionMNIST/raw/*-ubyte (30 MB; also in Debian's dataset-fashion-mnist, to be unpacked with gunzip)"
KINDS = {
    "folder": _folder,
    "zip": _zip,
    "cifar10": partial(_torchvision, "CIFAR10", False, CIFAR),
    "cifar10-train": partial(_torchvision, "CIFAR10", True, CIFAR),
    "fashion-mnist": partial(_torchvision, "FashionMNIST", False, FASHION),
    "fashion-mnist-train": partial(_torchvision, "FashionMNIST", True, FASHION),
    "grid": partial(_scenes, digit_grid, "test"),
    "grid-train": partial(_scenes, digit_grid, "train"),
    "single": partial(_scenes, single_digits, "test"),
    "single-train": partial(_scenes, single_digits, "train"),
    "crops": _crops,
}
