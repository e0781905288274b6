"""Activation files as other programs write them: .npy, .npz, .pt and .safetensors, stimuli x units."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from safetensors import safe_open

from lib.checks import check_finite

SUFFIXES = (".npy", ".npz", ".pt", ".pth", ".safetensors")


def load_activations(path: str) -> torch.Tensor:
    """The responses in a file, `(stimuli, units)`, float32 and finite.

    Of a file with several arrays name one: `responses.npz:layer4`. Nothing in a file is executed: pickled objects are
    refused. Raises ValueError, in one line, for a file that is missing, damaged or of another form.
    """
    file, key = _file_and_key(path)
    if file.suffix.lower() not in SUFFIXES:
        raise ValueError(f"{path} ends in {file.suffix or 'nothing known'}: give {', '.join(SUFFIXES)}")
    if not file.is_file():
        raise ValueError(f"{path} does not exist: check the path")
    try:
        arrays, read = _contents(file)
    except Exception as error:
        raise _unreadable(path, error) from None
    name = _chosen(path, arrays, key)
    try:
        y = read(name)
    except Exception as error:
        raise _unreadable(path, error) from None
    return _checked(y, path)


def load_pair(a: str, b: str) -> tuple[torch.Tensor, torch.Tensor]:
    """Responses of two networks to the same stimuli; raises ValueError also if their numbers of stimuli differ."""
    if not (a and b):
        raise ValueError(f"a = {a!r} and b = {b!r}: give two files of activations, or neither")
    y_a, y_b = load_activations(a), load_activations(b)
    if len(y_a) != len(y_b):
        raise ValueError(
            f"{a} has {len(y_a)} stimuli and {b} has {len(y_b)}: rows must be the same stimuli in the same order"
        )
    return y_a, y_b


def _file_and_key(path):
    if not Path(path).expanduser().exists() and ":" in path:
        path, _, key = path.rpartition(":")
        return Path(path).expanduser(), key
    return Path(path).expanduser(), ""


def _contents(file) -> tuple[list[str], Callable]:
    """Names of the arrays in a file, [""] for one without a name, and what reads one of them."""
    suffix = file.suffix.lower()
    if suffix == ".npy":
        return [""], lambda name: np.load(file, mmap_mode="r", allow_pickle=False)
    if suffix == ".npz":
        stored = np.load(file, allow_pickle=False)
        if isinstance(stored, np.ndarray):  # a plain array under another name
            return [""], lambda name: stored
        return list(stored), stored.__getitem__
    if suffix == ".safetensors":
        stored = safe_open(file, "pt")
        return list(stored.keys()), stored.get_tensor
    stored = torch.load(file, "cpu", weights_only=True)
    if isinstance(stored, dict):
        stored = {str(name): value for name, value in stored.items() if isinstance(value, torch.Tensor)}
        return list(stored), stored.__getitem__
    return [""], lambda name: stored


def _chosen(path, arrays, key):
    if key and key not in arrays:
        raise ValueError(f"{path} does not exist, or lacks that array: it has {_listed(arrays)}")
    if not key and len(arrays) != 1:
        example = f"{path}:{arrays[0]}" if arrays else "y with torch.save(y, path)"
        raise ValueError(f"{path} holds {len(arrays)} arrays ({_listed(arrays)}): name one, as {example}")
    return key or arrays[0]


def _listed(arrays):
    return ", ".join(arrays[:6]) + (", ..." if len(arrays) > 6 else "") if any(arrays) else "none with a name"


def _unreadable(path, error):
    return ValueError(
        f"{path} cannot be read ({type(error).__name__}): it is damaged or holds other Python objects; "
        "copy it anew, or save the array alone with numpy.save"
    )


def _checked(y, path):
    """Any numeric array as a finite float32 tensor `(stimuli, units)`."""
    if not isinstance(y, np.ndarray | torch.Tensor):
        raise ValueError(f"{path} holds a {type(y).__name__}, not an array: save one with numpy.save")
    if isinstance(y, torch.Tensor) and (y.layout != torch.strided or y.is_quantized or y.is_meta):
        raise ValueError(f"{path} holds a sparse, quantised or empty tensor: save it dense, for example y.to_dense()")
    shape = tuple(y.shape)
    if len(shape) != 2:
        mend = "flatten it with y.reshape(len(y), -1), or pool it" if len(shape) > 2 else "one row for each stimulus"
        raise ValueError(f"{path} has shape {shape}, not stimuli x units: {mend}")
    if 0 in shape:
        raise ValueError(f"{path} is empty, shape {shape}: give at least one stimulus and one unit")
    if isinstance(y, np.ndarray):
        if y.dtype.kind not in "fiub":
            raise ValueError(f"{path} has dtype {y.dtype}: save real numbers, for example y.astype('float32')")
        y = torch.from_numpy(np.array(y, dtype=np.float32))
    elif y.dtype.is_complex:
        raise ValueError(f"{path} has dtype {y.dtype}: save real numbers, for example y.real")
    y = y.detach().to(torch.float32)
    check_finite(y, path)
    return y
