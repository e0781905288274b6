"""NumPy's files of one array."""

from pathlib import Path
from typing import Literal

import numpy as np


def open_npy(file: Path, mode: Literal["r", "r+", "c"] = "r") -> np.memmap:
    """The array of an .npy file, where it lies; raises ValueError or OSError for one that is not as long as it says."""
    stored = np.lib.format.open_memmap(file, mode)
    if stored.offset + stored.nbytes != (size := file.stat().st_size):
        raise ValueError(f"it has {size} bytes in place of {stored.offset + stored.nbytes}")
    return stored
