"""Refuse bad input in one line that names the thing and the mend."""

import warnings
from collections.abc import Iterable
from difflib import get_close_matches
from pathlib import Path
from zipfile import ZipFile, is_zipfile

import numpy as np
import torch

POSITION = "of maps or tokens take a position first, lib.positions.at_position(y, 'pool')"


def choose_device(device: str = "auto") -> torch.device:
    """Return the device called `device`; `auto` is the GPU if there is one, else the CPU.

    Raises ValueError on an unknown name, or on a GPU where there is none.
    """
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        chosen = torch.device(device)
    except (RuntimeError, TypeError):
        raise ValueError(f"device {device!r} is unknown: choose auto, cpu or cuda") from None
    if chosen.type == "mps":
        raise ValueError(
            f"device {device!r} has no double precision, which the scores are computed in: choose cpu or auto"
        )
    if chosen.type not in ("cpu", "cuda"):
        raise ValueError(f"device {device!r} was never tried: choose auto, cpu or cuda")
    if chosen.type == "cuda" and not torch.cuda.is_available():
        raise ValueError(f"device {device!r} is a GPU and this machine has none: choose cpu or auto")
    return chosen


def as_tensor(y, name: str = "y") -> torch.Tensor:
    """Any array of real numbers as a tensor of float32 or float64: of NumPy, PyTorch, pandas, or a list of rows.

    Whole numbers become float64 and 16-bit floats float32, in which sums of products neither overflow nor drown; memory
    is shared where neither is needed. Raises ValueError for what is no such array.
    """
    if isinstance(y, list | tuple) and y and all(isinstance(row, torch.Tensor) for row in y):
        y = torch.stack(tuple(y)) if len({row.shape for row in y}) == 1 else "rows of unequal length"
    if not isinstance(y, torch.Tensor):
        y = _from_numpy(y, name)
    if y.dtype.is_complex:
        raise ValueError(f"{name} has dtype {y.dtype}: give real numbers, for example {name}.real")
    if y.layout != torch.strided or y.is_quantized:
        raise ValueError(f"{name} is sparse or quantised: make it dense, for example with {name}.to_dense()")
    if y.device.type == "mps":  # which has no double precision
        y = y.cpu()
    if y.dtype in (torch.float32, torch.float64):
        return y
    return y.to(torch.float32 if y.dtype.is_floating_point else torch.float64)


def _from_numpy(y, name):
    try:
        array = np.asarray(y)
    except ValueError:
        array = np.array("rows of unequal length")
    if array.dtype.kind not in "fiubc":
        given = f"{type(y).__name__} of {array.dtype}"
        raise ValueError(f"{name} ({given}) is no array of numbers: give rows of equal length, as numpy.asarray takes")
    if array.dtype.kind == "f" and array.dtype.itemsize > 8 or not array.dtype.isnative or array.dtype.kind == "u":
        array = array.astype("f8")
    if any(stride < 0 for stride in array.strides):
        array = array.copy()
    with warnings.catch_warnings():  # nothing writes to it, so it may be read-only
        warnings.filterwarnings("ignore", message="The given NumPy array is not writable")
        return torch.from_numpy(array)


def check_responses(y: torch.Tensor, name: str = "y", min_stimuli: int = 2) -> torch.Tensor:
    """`y` as a tensor of float32 or float64, see `as_tensor`, if it is a finite `(..., stimuli, units)`.

    Raises ValueError naming `name`, what was given and how to mend it.
    """
    y = as_tensor(y, name)
    if y.ndim < 2:
        raise ValueError(f"{name} has shape {tuple(y.shape)}: give (stimuli, units), at least two dimensions")
    if y.numel() == 0:
        raise ValueError(f"{name} is empty, shape {tuple(y.shape)}: give at least one unit and {min_stimuli} stimuli")
    if y.shape[-2] < min_stimuli:
        mend = f"at least {min_stimuli} are needed" + (f"; {POSITION}" if y.ndim > 2 else "")
        raise ValueError(f"{name} has {y.shape[-2]} stimuli (rows): {mend}")
    check_finite(y, name)
    return y


def check_finite(x: torch.Tensor, name: str) -> None:
    """Raise ValueError with the count and the first place of NaN or infinite entries."""
    # A sum is finite only if every entry is, so the mask is built only when something is wrong (or overflowed).
    if torch.isfinite(x.sum()):
        return
    bad = ~torch.isfinite(x)
    if bad.any():
        first = tuple(int(i) for i in bad.nonzero()[0])
        raise ValueError(
            f"{name} has {int(bad.sum())} NaN or infinite values, the first at {first}: remove or replace them"
        )


def check_pair(
    y_a: torch.Tensor, y_b: torch.Tensor, min_stimuli: int = 2, names: tuple[str, str] = ("y_a", "y_b")
) -> tuple[torch.Tensor, torch.Tensor]:
    """Both responses as tensors of one dtype, if each is sound and they share the stimuli, the device and the batch."""
    a, b = names
    y_a, y_b = check_responses(y_a, a, min_stimuli), check_responses(y_b, b, min_stimuli)
    dtype = torch.promote_types(y_a.dtype, y_b.dtype)
    y_a, y_b = y_a.to(dtype), y_b.to(dtype)
    if y_a.shape[-2] != y_b.shape[-2]:
        raise ValueError(
            f"{a} has {y_a.shape[-2]} stimuli and {b} has {y_b.shape[-2]}: "
            "give both networks' responses to the same stimuli, in the same order"
        )
    check_alike(y_a, y_b, a, b)
    return y_a, y_b


def check_alike(x: torch.Tensor, y: torch.Tensor, x_name: str, y_name: str) -> None:
    """Raise ValueError unless the two share dtype and device and their batch dimensions broadcast."""
    if x.dtype != y.dtype:
        raise ValueError(
            f"{x_name} is {x.dtype} and {y_name} is {y.dtype}: convert one, for example {y_name}.to({x_name}.dtype)"
        )
    if x.device != y.device:
        raise ValueError(
            f"{x_name} is on {x.device} and {y_name} on {y.device}: move one, for example {y_name}.to({x_name}.device)"
        )
    try:
        torch.broadcast_shapes(x.shape[:-2], y.shape[:-2])
    except RuntimeError:
        raise ValueError(
            f"{x_name} has shape {tuple(x.shape)} and {y_name} {tuple(y.shape)}: "
            "their leading dimensions must be equal, or missing in one"
        ) from None


def check_projection(a: torch.Tensor, name: str = "a") -> torch.Tensor:
    """Return `a` if it is a finite floating-point matrix `(..., units, features)`."""
    if not isinstance(a, torch.Tensor) or a.ndim < 2 or a.numel() == 0 or not a.dtype.is_floating_point:
        given = f"shape {tuple(a.shape)}, {a.dtype}" if isinstance(a, torch.Tensor) else type(a).__name__
        raise ValueError(f"{name} ({given}) is no projection: give a floating-point tensor (units, features)")
    check_finite(a, name)
    return a


def check_sparsity(n: int, k: int) -> None:
    """Raise ValueError unless `1 <= k <= n`."""
    if not 1 <= k <= n:
        raise ValueError(f"k = {k} active features of n = {n}: choose 1 <= k <= n")


def unknown(what: str, given: str, known: Iterable[str]) -> ValueError:
    """The error for a name that is not among the `known` ones: it offers those most like it."""
    known = sorted(known)
    near = get_close_matches(given, known, n=3, cutoff=0.5) or known[:6]
    return ValueError(f"{what} {given!r} is unknown: did you mean {' or '.join(near)}?")


def first_line(error: Exception) -> str:
    """What an error says, in one line."""
    return one_line((str(error) or type(error).__name__).splitlines()[0])


def one_line(text) -> str:
    """A text of a file as it may be shown: what would break the line or steer a terminal is a question mark."""
    return "".join(letter if letter.isprintable() else "?" for letter in str(text))


def check_zip(path: Path) -> None:
    """Raise ValueError where a part of a zip is not what its checksum says; what is no zip, and has none, passes.

    PyTorch, whose files are zips, does not look at the checksums.
    """
    if is_zipfile(path):
        with ZipFile(path) as archive:
            if damaged := archive.testzip():
                raise ValueError(f"its part {one_line(damaged)} is not what its checksum says")
