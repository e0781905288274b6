"""What lies in a file of arrays, by name, as NumPy, PyTorch, MATLAB, pandas and others write it.

A reader maps the names of a file's arrays to what opens each, an array of NumPy or PyTorch or one that is read where it
is sliced. The name is "" where a file holds one array without a name. Nothing in a file is executed.
"""

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from zipfile import ZipFile, is_zipfile

import h5py
import numpy as np
import pandas as pd
import torch
from safetensors import safe_open

from lib.checks import check_zip
from lib.data.matlab import read_matlab
from lib.data.npy import open_npy

Opened = dict[str, Callable]


class _Transposed:
    """A dataset of MATLAB, whose dimensions lie in reverse order, read where it is sliced."""

    def __init__(self, dataset: h5py.Dataset):
        self.dataset, self.dtype, self.shape = dataset, dataset.dtype, dataset.shape[::-1]
        self.ndim = len(self.shape)

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, rows: slice) -> np.ndarray:
        return self.dataset[..., rows].T


def _numpy(file: Path) -> Opened:
    if is_zipfile(file):
        with ZipFile(file) as archive:
            return {name.removesuffix(".npy"): partial(_zipped, file, name) for name in archive.namelist()}
    try:
        stored = open_npy(file, "c")
    except OSError:  # larger than what memory could copy
        stored = open_npy(file)
    return {"": lambda: stored}


def _zipped(file, name):
    """An array in a zip, read to the end, where its checksum is compared."""
    with ZipFile(file) as archive, archive.open(name) as member:
        y = np.lib.format.read_array(member, allow_pickle=False)
        if member.read(1):
            raise ValueError("it is longer than it says")
    return y


def _safetensors(file: Path) -> Opened:
    stored = safe_open(file, "pt")
    return {name: partial(stored.get_tensor, name) for name in stored.keys()}


def _torch(file: Path) -> Opened:
    check_zip(file)
    try:
        stored = torch.load(file, "cpu", weights_only=True, mmap=True)
    except RuntimeError:  # of an older version, which cannot be mapped
        stored = torch.load(file, "cpu", weights_only=True)
    return _named(stored)


def _matlab(file: Path) -> Opened:
    if h5py.is_hdf5(file):  # as from version 7.3 on
        return _hdf5(file, _Transposed)
    return _named(read_matlab(file))


def _hdf5(file: Path, view: Callable = lambda dataset: dataset) -> Opened:
    found, stored = {}, h5py.File(file)

    def keep(name, thing):
        if isinstance(thing, h5py.Dataset) and thing.dtype.kind in "fiubc" and not name.startswith("#"):
            found[name] = partial(view, thing)

    stored.visititems(keep)
    return found


def _csv(file: Path) -> Opened:
    """With a line of names or without; a first column without a name, as pandas writes its index, is no unit."""
    separator = "\t" if file.suffix.lower() == ".tsv" else ","
    with open(file, encoding="utf-8-sig") as lines:
        first = next(lines, "").strip().split(separator)
    headed = not all(map(_is_number, first))
    indexed = headed and first[0].strip("\"' ") == ""
    table = pd.read_csv(file, sep=separator, header=0 if headed else None, index_col=0 if indexed else None)
    return {"": lambda: _numbers(table)}


def _parquet(file: Path) -> Opened:
    table = pd.read_parquet(file, "pyarrow", page_checksum_verification=True)
    return {"": lambda: _numbers(table)}


READERS = {
    ".npy": _numpy, ".npz": _numpy, ".pt": _torch, ".pth": _torch, ".safetensors": _safetensors,
    ".mat": _matlab, ".h5": _hdf5, ".hdf5": _hdf5, ".csv": _csv, ".tsv": _csv, ".parquet": _parquet,
}  # fmt: skip


def _named(stored, above: str = "") -> Opened:
    """The arrays in nested dictionaries and lists: `acts/l1`, or of the second in a list `1`."""
    if isinstance(stored, np.ndarray | torch.Tensor):
        return {above: lambda: stored}
    if isinstance(stored, list | tuple):
        stored = {str(i): one for i, one in enumerate(stored)} if len(stored) > 1 else dict.fromkeys([""], *stored)
    if not isinstance(stored, Mapping):
        return {}
    parts = [_named(one, f"{above}/{name}".strip("/")) for name, one in stored.items()]
    return {name: opened for part in parts for name, opened in part.items()}


def _is_number(word):
    try:
        return bool(word.strip()) and float(word) is not None
    except ValueError:
        return False


def _numbers(table):
    words = [str(name) for name, kind in table.dtypes.items() if not pd.api.types.is_numeric_dtype(kind)]
    if words:
        raise ValueError(f"column {words[0]!r} holds no numbers: leave it out, every column is a unit")
    return table.to_numpy()
