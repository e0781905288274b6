"""Arrays in MATLAB's files up to version 7, by SciPy. It trusts them, so it reads in a process that may end."""

import subprocess
import sys
import zlib
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from zipfile import ZipFile

import numpy as np

HEADER, COMPRESSED = 128, 15  # bytes before the elements of versions 5 to 7, and the kind of one that is compressed


def read_matlab(file: Path) -> dict[str, np.ndarray]:
    """Arrays of numbers by name, of a structure as `acts/layer4`; other things are left out.

    Raises ValueError for what SciPy cannot read or what ends it, and for damage of any kind where MATLAB compressed the
    file, as it does from version 7 on: zlib's checksums are compared.
    """
    reader = subprocess.run([sys.executable, "-P", __file__, str(file)], capture_output=True, check=False)
    if reader.returncode:
        said = reader.stderr.decode(errors="replace").strip().splitlines()
        raise ValueError(said[-1] if said else "SciPy's reader ends at it")
    return dict(np.load(BytesIO(reader.stdout), allow_pickle=False))


def _compare_checksums(file):
    """Unpack what is compressed, to the end, which SciPy does not. Source: MathWorks, MAT-File Format."""
    data = file.read_bytes()
    at, order = HEADER, {b"IM": "<", b"MI": ">"}.get(data[HEADER - 2 : HEADER])
    while order and at < len(data):
        kind, size = np.frombuffer(data, f"{order}u4", 2, at).tolist()
        at += 8 + size
        if kind == COMPRESSED:
            zlib.decompress(data[at - size : at])


def _arrays(stored, above="") -> Iterator[tuple[str, np.ndarray]]:
    for name, y in stored.items():
        if not isinstance(y, np.ndarray):
            continue
        if y.dtype.names and y.size == 1:
            yield from _arrays({field: y[field].item() for field in y.dtype.names}, f"{above}{name}/")
        elif y.dtype.kind in "fiubc":
            yield above + name, y


def main(file: Path):
    """Write a file's arrays as .npz."""
    from scipy.io import loadmat  # here, as only the process that reads needs it

    _compare_checksums(file)
    with ZipFile(sys.stdout.buffer, "w") as archive:
        for name, y in _arrays(loadmat(file)):
            with archive.open(f"{name}.npy", "w", force_zip64=True) as member:
                np.lib.format.write_array(member, y, allow_pickle=False)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
