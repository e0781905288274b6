"""Sets of images by one kind of name, as `(image, label)` pairs, and small pictures of one or several digits."""

import io
import os
from collections.abc import Callable, Iterable
from difflib import get_close_matches
from functools import cache, partial
from pathlib import Path, PurePosixPath
from zipfile import BadZipFile, ZipFile

import torch
from PIL import Image
from sklearn.datasets import load_digits
from torch.utils.data import Dataset
from torchvision import datasets

from lib.features import seeded

SUFFIXES = {".bmp", ".gif", ".jpeg", ".jpg", ".png", ".ppm", ".tif", ".tiff", ".webp"}
CELLS, DIGITS, PRESENT = 9, 10, 0.3
SPLITS = ("train", "test")
SPLIT_SEED, TRAIN_SHARE = 0, 0.8


def unknown(what: str, given: str, known: Iterable[str]) -> ValueError:
    """The error for a name that is not among the `known` ones: it offers those most like it."""
    known = sorted(known)
    near = get_close_matches(given, known, n=3, cutoff=0.5) or known[:6]
    return ValueError(f"{what} {given!r} is unknown: did you mean {' or '.join(near)}?")


def first_line(error: Exception) -> str:
    """What an error says, in one line."""
    return (str(error) or type(error).__name__).splitlines()[0]


class Images(Dataset):
    """Images in a fixed order: entry i is `(transform(image), label)`, the image in RGB.

    `read(i)` opens image i with Pillow. `names` and `labels` are lists in the same order. An image that cannot be read
    raises ValueError with its name.
    """

    def __init__(self, names: list[str], labels: list[int], read: Callable, transform: Callable | None = None):
        self.names, self.labels, self.read, self.transform = names, labels, read, transform

    def __len__(self) -> int:
        return len(self.names)

    def __getitem__(self, i: int) -> tuple:
        label = self.labels[i]  # an IndexError here ends a loop over the set
        try:
            image = self.read(i).convert("RGB")
        except Exception as error:
            reason = first_line(error)
            raise ValueError(f"image {self.names[i]} cannot be read ({reason}): replace it or take it out") from None
        return (self.transform(image) if self.transform else image), label


def open_images(name: str, transform: Callable | None = None) -> Images:
    """The images called `name`: a kind, a colon and a path. `transform` is what a network wants done with each.

    - `folder:PATH` and `zip:PATH`: every image below, sorted by path. Label: its folder's place among the sorted
      folders, as ImageNet's classes; where all lie at the top, each image is a class of its own.
    - `cifar10:ROOT`, `fashion-mnist:ROOT`: the test images as torchvision stores them; `cifar10-train:ROOT` and
      `fashion-mnist-train:ROOT` the training images.

    Raises ValueError for an unknown kind, where there are no images, and for what is missing or damaged.
    """
    kind, _, path = name.partition(":")
    if kind not in KINDS:
        raise unknown("kind of images", kind, KINDS)
    if not path:
        raise ValueError(f"images {name!r} lack their place: write {kind}:PATH")
    return KINDS[kind](Path(path).expanduser(), transform)


def _folder(path, transform):
    if not path.is_dir():
        raise ValueError(f"folder {path} does not exist: check the path of the images")
    names = _image_names(file.relative_to(path).as_posix() for file in path.rglob("*") if file.is_file())
    return Images(names, _labels(names, f"folder {path}"), partial(_read_file, path, names), transform)


def _zip(path, transform):
    try:
        names = _image_names(_archive(path, os.getpid()).namelist())
    except (OSError, BadZipFile) as error:
        raise ValueError(f"zip {path} cannot be opened ({first_line(error)}): check the path or copy it anew") from None
    return Images(names, _labels(names, f"zip {path}"), partial(_read_zipped, path, names), transform)


def _image_names(names):
    paths = map(PurePosixPath, names)
    return sorted(str(path) for path in paths if path.suffix.lower() in SUFFIXES and not path.name.startswith("."))


def _labels(names, where):
    if not names:
        raise ValueError(f"{where} holds no image: files should end in {', '.join(sorted(SUFFIXES))}")
    parents = [str(PurePosixPath(name).parent) for name in names]
    classes = {parent: label for label, parent in enumerate(sorted(set(parents)))}
    return list(range(len(names))) if set(parents) == {"."} else [classes[parent] for parent in parents]


def _read_file(path, names, i):
    return Image.open(path / names[i])


def _read_zipped(path, names, i):
    return Image.open(io.BytesIO(_archive(path, os.getpid()).read(names[i])))


@cache
def _archive(path, process):
    """An open zip file for each process: loaders that share one would move each other's place in it."""
    return ZipFile(path)


def _torchvision(dataset, train, needed, path, transform):
    try:
        found = dataset(path, train=train, download=False)
    except Exception as error:
        call = f"torchvision.datasets.{dataset.__name__}({str(path)!r}, download=True)"
        reason = first_line(error)
        raise ValueError(f"{path} lacks sound {needed} ({reason}): put them there or run {call}") from None
    part = "train" if train else "test"
    names = [f"{dataset.__name__}/{part}/{i}" for i in range(len(found))]
    return Images(names, [int(label) for label in found.targets], partial(_read_stored, found), transform)


def _read_stored(dataset, i):
    return dataset[i][0]


CIFAR = "cifar-10-batches-py (163 MB)"
FASHION = "FashionMNIST/raw/*-ubyte (30 MB; also in Debian's dataset-fashion-mnist, to be unpacked with gunzip)"
KINDS = {
    "folder": _folder,
    "zip": _zip,
    "cifar10": partial(_torchvision, datasets.CIFAR10, False, CIFAR),
    "cifar10-train": partial(_torchvision, datasets.CIFAR10, True, CIFAR),
    "fashion-mnist": partial(_torchvision, datasets.FashionMNIST, False, FASHION),
    "fashion-mnist-train": partial(_torchvision, datasets.FashionMNIST, True, FASHION),
}


def digit_grid(count: int, seed: int, split: str = "train") -> tuple[torch.Tensor, torch.Tensor]:
    """Pictures of a 3 x 3 grid whose cells each hold, with probability 0.3, one of scikit-learn's written digits.

    Returns images `(count, 24, 24)` in [0, 1] and labels `(count, 90)`, boolean: label `cell * 10 + digit`, cells row
    by row. `split` is `train` (80 % of the 1,797 written digits) or `test` (the others), so no stroke is in both.
    Raises ValueError for another split or a count below 1.
    """
    generator, images, digits = _base(count, seed, split)
    present = torch.rand(count, CELLS, generator=generator) < PRESENT
    chosen = torch.randint(len(images), (count, CELLS), generator=generator)
    labels = torch.nn.functional.one_hot(digits[chosen], DIGITS).bool() & present[..., None]
    return _grid(images[chosen], present), labels.flatten(1)


def single_digits(count: int, seed: int, split: str = "train") -> tuple[torch.Tensor, torch.Tensor]:
    """The control for `digit_grid`: exactly one cell, drawn evenly, is filled.

    Returns images `(count, 24, 24)` in [0, 1] and the digits `(count,)`, 0 to 9. Raises ValueError as `digit_grid`.
    """
    generator, images, digits = _base(count, seed, split)
    cell = torch.randint(CELLS, (count, 1), generator=generator)
    chosen = torch.randint(len(images), (count,), generator=generator)
    return _grid(images[chosen][:, None].expand(-1, CELLS, -1, -1), torch.arange(CELLS) == cell), digits[chosen]


def _base(count, seed, split):
    """A generator and the split's written digits, `(digits, 8, 8)`, with what they are; the splits draw differently."""
    if split not in SPLITS:
        raise unknown("split", split, SPLITS)
    if count < 1:
        raise ValueError(f"count = {count} images: choose at least 1")
    digits = load_digits()
    order = torch.randperm(len(digits.target), generator=seeded(SPLIT_SEED))
    train = int(TRAIN_SHARE * len(order))
    kept = order[:train] if split == "train" else order[train:]
    images = torch.from_numpy(digits.images).float() / digits.images.max()
    return seeded(2 * seed + SPLITS.index(split)), images[kept], torch.from_numpy(digits.target)[kept]


def _grid(cells, present):
    """Lay `(count, 9, 8, 8)` out as `(count, 24, 24)`; cells that are not present stay black."""
    cells = (cells * present[..., None, None]).unflatten(1, (3, 3))
    return cells.permute(0, 1, 3, 2, 4).flatten(1, 2).flatten(2)
