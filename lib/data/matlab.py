"""Arrays in MATLAB's files of versions 5 to 7. SciPy's reader trusts them: a damaged one can end the interpreter.

Source: MathWorks, MAT-File Format. A file is a header of 128 bytes and elements, each a tag (kind and size in bytes)
and its content; an array is an element whose content is elements: flags, shape, name, numbers.
"""

import math
import zlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np

HEADER = 128
COMPRESSED, MATRIX = 15, 14
NUMBERS = {1: "i1", 2: "u1", 3: "i2", 4: "u2", 5: "i4", 6: "u4", 7: "f4", 9: "f8", 12: "i8", 13: "u8"}  # as stored
STRUCT = 2
CLASSES = dict(enumerate("f8 f4 i1 u1 i2 u2 i4 u4 i8 u8".split(), start=6))  # of an array, whatever is stored
COMPLEX = 0x800


def read_matlab(file: Path) -> dict:
    """Arrays by name, of a structure a dictionary, and None for what holds no numbers.

    Raises ValueError for another version and for what is damaged, as any is seen in a file that MATLAB compressed.
    """
    data = memoryview(file.read_bytes())
    order = {b"IM": "<", b"MI": ">"}.get(bytes(data[HEADER - 2 : HEADER]))
    if order is None:
        raise ValueError("it is no file of MATLAB's versions 5 to 7")
    return dict(_matrix(*_unpacked(*element, order), order) for element in _elements(data[HEADER:], order))


def _elements(data, order) -> Iterator[tuple[int, memoryview]]:
    """Kind and content of one element after the other."""
    at = 0
    while at < len(data):
        kind, size = np.frombuffer(data, f"{order}u4", 2, at).tolist()
        start, most = at + 8, len(data) - at - 8
        if kind >> 16:  # up to four bytes lie in the tag itself
            kind, size, start, most = kind & 0xFFFF, kind >> 16, at + 4, 4
        if size > most:
            raise ValueError("an element is larger than what holds it")
        yield kind, data[start : start + size]
        at = start + size if kind == COMPRESSED else -(-(start + size) // 8) * 8


def _unpacked(kind, content, order):
    """An element as it was before it was compressed; its checksum is compared at the end."""
    if kind != COMPRESSED:
        return kind, content
    unpacking = zlib.decompressobj()
    content = memoryview(unpacking.decompress(content))
    if not unpacking.eof or unpacking.unused_data:
        raise ValueError("a compressed element is cut")
    (element,) = _elements(content, order)
    return element


def _matrix(kind, content, order):
    """Name and value of an array."""
    if kind != MATRIX:
        raise ValueError(f"an element is of kind {kind} where an array should be")
    if not content:
        return "", None
    parts = _elements(content, order)
    flags, shape, name = (np.frombuffer(next(parts)[1], f"{order}{kind}") for kind in ("u4", "i4", "u1"))
    name, count = name.tobytes().decode(), math.prod(shape.tolist())
    if (kind := flags[0] & 0xFF) == STRUCT and count == 1:
        return name, _structure(parts, order)
    if kind not in CLASSES:
        return name, None
    numbers = [np.frombuffer(part, f"{order}{NUMBERS[stored]}").astype(CLASSES[kind]) for stored, part in parts]
    y = numbers[0] + 1j * numbers[1] if flags[0] & COMPLEX else numbers[0]
    if y.size != count or min(shape) < 0:
        raise ValueError(f"{name} has {y.size} numbers and shape {shape.tolist()}")
    return name, y.reshape(shape, order="F")


def _structure(parts, order):
    width, names = (np.frombuffer(next(parts)[1], kind) for kind in (f"{order}i4", "u1"))
    names = [row.tobytes().rstrip(b"\0").decode() for row in names.reshape(-1, width[0])]
    return {name: _matrix(kind, content, order)[1] for name, (kind, content) in zip(names, parts, strict=True)}
