import struct

import numpy as np
import pytest
from helpers import refuses
from scipy import sparse
from scipy.io import loadmat, savemat

from lib.data.matlab import HEADER, read_matlab

DRAW = np.random.default_rng(0)
ARRAYS = {kind: (9 * DRAW.normal(size=(3, 4, 2))).astype(kind) for kind in "f8 f4 i1 i2 i4 i8".split()}
ARRAYS |= {kind: DRAW.integers(0, 200, (5, 2)).astype(kind) for kind in "u1 u2 u4 u8".split()}
ARRAYS |= {"one": np.array([[2.5]]), "empty": np.zeros((0, 3)), "complex": np.array([[1 + 2j, 3 - 4j]])}


@pytest.fixture(params=[False, True], ids=["plain", "compressed"])
def path(request, tmp_path):
    savemat(tmp_path / "y.mat", {f"a_{name}": y for name, y in ARRAYS.items()}, do_compression=request.param)
    return tmp_path / "y.mat"


def test_arrays_are_those_of_scipy(path):
    found, wanted = read_matlab(path), loadmat(path)
    assert [*found] == [f"a_{name}" for name in ARRAYS]
    for name, y in found.items():
        assert y.dtype == wanted[name].dtype and np.array_equal(y, wanted[name])


def test_structures_are_dictionaries_and_other_things_are_none(tmp_path):
    things = {"s": {"x": ARRAYS["f4"], "deep": {"layer_4": ARRAYS["one"]}}, "word": "text", "list": [1, "two"]}
    savemat(tmp_path / "y.mat", things | {"sparse": sparse.eye(3).tocsc()})
    found = read_matlab(tmp_path / "y.mat")
    assert np.array_equal(found["s"]["x"], ARRAYS["f4"]) and found["s"]["deep"]["layer_4"] == 2.5
    assert found["word"] is found["list"] is found["sparse"] is None


def test_numbers_stored_in_fewer_bytes_and_the_other_byte_order_are_read(tmp_path):
    """MATLAB stores doubles that are small whole numbers as bytes; SPARC and PowerPC wrote the largest byte first."""
    for order, mark in ("<", b"IM"), (">", b"MI"):
        parts = [(6, struct.pack(f"{order}II", 6, 0)), (5, struct.pack(f"{order}ii", 2, 3)), (1, b"layer4")]
        body = b"".join(
            struct.pack(f"{order}II", kind, len(part)) + part + bytes(-len(part) % 8) for kind, part in parts
        )
        small = struct.pack(f"{order}II", 2, 6) + bytes([1, 2, 3, 4, 5, 250]) + bytes(2)
        matrix = struct.pack(f"{order}II", 14, len(body + small)) + body + small
        (tmp_path / "y.mat").write_bytes(bytes(124) + struct.pack(f"{order}H", 0x100) + mark + matrix)
        y = read_matlab(tmp_path / "y.mat")["layer4"]
        assert y.dtype == np.float64 and np.array_equal(y, [[1, 3, 5], [2, 4, 250]])


def spoilt(path, change):
    data = bytearray(path.read_bytes())
    change(data)
    path.write_bytes(data)
    return path


def test_a_kind_that_ends_scipys_reader_is_refused(tmp_path):
    savemat(tmp_path / "y.mat", {"a": ARRAYS["f8"]})

    def zero(data):
        place = data.index(struct.pack("<II", 9, ARRAYS["f8"].nbytes))
        data[place : place + 8] = bytes(8)

    with pytest.raises(KeyError, match="0"):
        read_matlab(spoilt(tmp_path / "y.mat", zero))


def test_another_shape_is_refused(tmp_path):
    savemat(tmp_path / "y.mat", {"a": np.arange(6.0).reshape(2, 3)})
    for shape in ((3, 3), (-2, -3), (2**30, 3)):

        def change(data, shape=shape):
            data[HEADER + 32 : HEADER + 40] = struct.pack("<ii", *shape)

        refuses("a has 6 numbers", "shape", read_matlab, spoilt(tmp_path / "y.mat", change))


def test_any_damage_of_a_compressed_array_is_seen(tmp_path):
    savemat(tmp_path / "y.mat", {"a": ARRAYS["f8"]}, do_compression=True)
    sound = (tmp_path / "y.mat").read_bytes()
    for place in range(HEADER + 8, len(sound)):
        (tmp_path / "y.mat").write_bytes(sound)
        with pytest.raises(Exception):  # noqa: B017  of zlib or of ours: the readers above name the file
            read_matlab(spoilt(tmp_path / "y.mat", lambda data, place=place: data.__setitem__(place, data[place] ^ 1)))


def test_other_files_are_refused(tmp_path):
    savemat(tmp_path / "old.mat", {"a": ARRAYS["one"]}, format="4")
    (tmp_path / "short.mat").write_bytes(b"MATLAB")
    for name in ("old.mat", "short.mat"):
        refuses("it is no file of MATLAB's", "5 to 7", read_matlab, tmp_path / name)
