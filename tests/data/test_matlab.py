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


@pytest.mark.parametrize("given", [{}, {"do_compression": True}, {"format": "4"}], ids=["5", "7", "4"])
def test_arrays_are_those_of_scipy(tmp_path, given):
    arrays = {f"a_{name}": y for name, y in ARRAYS.items()}
    if "format" in given:  # version 4 knows matrices, and of whole numbers few kinds
        arrays = {name: arrays[f"a_{name}"] for name in ("one", "complex", "u1")}
    savemat(tmp_path / "y.mat", arrays, **given)
    found, wanted = read_matlab(tmp_path / "y.mat"), loadmat(tmp_path / "y.mat")
    assert [*found] == [*arrays]
    for name, y in found.items():
        assert y.dtype == wanted[name].dtype and np.array_equal(y, wanted[name])


def test_structures_lie_below_their_name_and_other_things_are_left_out(tmp_path):
    things = {"s": {"x": ARRAYS["f4"], "deep": {"layer_4": ARRAYS["one"]}}, "word": "text", "list": [1, "two"]}
    savemat(tmp_path / "y.mat", things | {"sparse": sparse.eye(3).tocsc()})
    found = read_matlab(tmp_path / "y.mat")
    assert [*found] == ["s/x", "s/deep/layer_4"]
    assert np.array_equal(found["s/x"], ARRAYS["f4"]) and found["s/deep/layer_4"] == 2.5


def spoilt(path, change):
    data = bytearray(path.read_bytes())
    change(data)
    path.write_bytes(data)
    return path


def test_what_ends_scipys_reader_is_refused(tmp_path):
    """A number's kind that is none: in this process it would be the end of it."""
    savemat(tmp_path / "y.mat", {"a": ARRAYS["f8"]})

    def zero(data):
        place = data.index(struct.pack("<II", 9, ARRAYS["f8"].nbytes))
        data[place : place + 8] = bytes(8)

    refuses("SciPy's reader", "ends", read_matlab, spoilt(tmp_path / "y.mat", zero))


@pytest.mark.parametrize("shape", [(3, 3), (-2, -3), (2**30, 3)])
def test_another_shape_is_refused(tmp_path, shape):
    savemat(tmp_path / "y.mat", {"a": np.arange(6.0).reshape(2, 3)})

    def change(data):
        data[HEADER + 32 : HEADER + 40] = struct.pack("<ii", *shape)

    with pytest.raises(ValueError, match="rror"):
        read_matlab(spoilt(tmp_path / "y.mat", change))


def test_damage_of_a_compressed_array_is_seen(tmp_path):
    savemat(tmp_path / "y.mat", {"a": ARRAYS["f8"]}, do_compression=True)
    sound = (tmp_path / "y.mat").read_bytes()
    for place in DRAW.integers(HEADER + 8, len(sound), 8):
        (tmp_path / "y.mat").write_bytes(sound)
        with pytest.raises(ValueError, match="rror"):
            read_matlab(spoilt(tmp_path / "y.mat", lambda data, place=place: data.__setitem__(place, data[place] ^ 1)))


def test_other_files_are_refused(tmp_path):
    (tmp_path / "short.mat").write_bytes(b"MATLAB")
    with pytest.raises(ValueError, match="rror"):
        read_matlab(tmp_path / "short.mat")
