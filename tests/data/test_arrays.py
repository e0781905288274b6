import pickle

import numpy as np
import pytest
import torch
from helpers import close, normal, refuses
from safetensors.torch import save_file

from lib.data.arrays import load_activations, load_pair

Y = normal(12, 3, dtype=torch.float32)
WRITERS = {
    ".npy": lambda path, y: np.save(path, y.numpy()),
    ".npz": lambda path, y: np.savez(path, layer4=y.numpy()),
    ".pt": lambda path, y: torch.save(y, path),
    ".pth": lambda path, y: torch.save({"layer4": y, "epoch": 3}, path),
    ".safetensors": lambda path, y: save_file({"layer4": y}, path),
}


@pytest.fixture(params=WRITERS)
def suffix(request):
    return request.param


def test_every_format_gives_the_same_responses(suffix, tmp_path):
    path = tmp_path / f"y{suffix}"
    WRITERS[suffix](path, Y)
    found = load_activations(str(path))
    assert found.dtype == torch.float32
    close(found, Y)


def test_a_file_cut_short_is_refused(suffix, tmp_path):
    path = tmp_path / f"y{suffix}"
    WRITERS[suffix](path, normal(400, 50, dtype=torch.float32))
    path.write_bytes(path.read_bytes()[:30000])
    refuses(f"{path} cannot be read", "copy it anew", load_activations, str(path))


@pytest.mark.parametrize("dtype", [np.float64, np.float16, np.int32, np.uint8, bool])
def test_real_numbers_of_any_kind_are_taken(dtype, tmp_path):
    y = (3 * Y.abs().numpy()).astype(dtype)
    np.save(tmp_path / "y.npy", y)
    close(load_activations(str(tmp_path / "y.npy")), y.astype(np.float32))


def test_bfloat16_is_taken(tmp_path):
    torch.save(Y.bfloat16(), tmp_path / "y.pt")
    close(load_activations(str(tmp_path / "y.pt")), Y.bfloat16().float())


@pytest.mark.parametrize("suffix", [".npz", ".pt", ".safetensors"])
def test_of_several_arrays_one_must_be_named(suffix, tmp_path):
    path, arrays = tmp_path / f"y{suffix}", {"first": Y, "second": 2 * Y}
    if suffix == ".npz":
        np.savez(path, **arrays)
    else:
        torch.save(arrays, path) if suffix == ".pt" else save_file(arrays, path)
    refuses(f"{path} holds 2 arrays (first, second)", f"{path}:first", load_activations, str(path))
    close(load_activations(f"{path}:second"), 2 * Y)
    refuses("third", "it has first, second", load_activations, f"{path}:third")


BAD = {
    "one dimension": (np.zeros(12), "shape (12,)", "one row for each stimulus"),
    "a map": (np.zeros((12, 3, 4, 4)), "shape (12, 3, 4, 4)", "flatten"),
    "nothing": (np.zeros((0, 3)), "is empty", "at least one"),
    "words": (np.array([["x", "y"]]), "dtype <U1", "real numbers"),
    "complex": (np.ones((4, 2)) * 1j, "dtype complex128", "real numbers"),
    "objects": (np.array([[{}, 2]], dtype=object), "cannot be read (ValueError)", "numpy.save"),
    "NaN": (
        np.where(np.arange(36).reshape(12, 3) == 7, np.nan, 1.0),
        "1 NaN or infinite values, the first at (2, 1)",
        "remove",
    ),
}


@pytest.mark.parametrize("case", BAD)
def test_other_arrays_are_refused(case, tmp_path):
    array, thing, mend = BAD[case]
    np.save(tmp_path / "y.npy", array)
    refuses(thing, mend, load_activations, str(tmp_path / "y.npy"))


def test_a_plain_array_under_the_name_of_several_is_taken(tmp_path):
    np.save(tmp_path / "y.npy", Y.numpy())
    (tmp_path / "y.npy").rename(tmp_path / "y.npz")
    close(load_activations(str(tmp_path / "y.npz")), Y)


def test_other_files_are_refused(tmp_path):
    torch.save(Y.to_sparse(), tmp_path / "sparse.pt")
    refuses("sparse", "save it dense", load_activations, str(tmp_path / "sparse.pt"))
    refuses("nowhere.npy does not exist", "check the path", load_activations, "nowhere.npy")
    refuses("y.csv ends in .csv", ".npy", load_activations, "y.csv")
    refuses("a = 'x.npy' and b = ''", "two files", load_pair, "x.npy", "")
    (tmp_path / "y.npy").write_bytes(pickle.dumps([1, 2]))
    refuses("cannot be read", "other Python objects", load_activations, str(tmp_path / "y.npy"))
    torch.save({"note": "no array"}, tmp_path / "empty.pt")
    refuses("holds 0 arrays", "torch.save(y", load_activations, str(tmp_path / "empty.pt"))
    torch.save([Y], tmp_path / "list.pt")
    refuses("holds a list, not an array", "numpy.save", load_activations, str(tmp_path / "list.pt"))


class Harmful:
    def __reduce__(self):
        return open, ("should-not-exist", "w")


@pytest.mark.parametrize("suffix", [".npy", ".npz", ".pt"])
def test_no_file_is_executed(suffix, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # where a file that was executed would leave its trace
    path = tmp_path / f"y{suffix}"
    harmful = np.array([[Harmful()]], dtype=object)
    if suffix == ".pt":
        torch.save(Harmful(), path)
    else:
        np.save(path, harmful) if suffix == ".npy" else np.savez(path, harmful)
    refuses("cannot be read", "other Python objects", load_activations, str(path))
    assert not (tmp_path / "should-not-exist").exists()


def test_pairs_must_share_their_stimuli(tmp_path):
    for name, y in (("a", Y), ("b", Y[:11]), ("c", Y[:, :2])):
        np.save(tmp_path / f"{name}.npy", y)
    a, b, c = (str(tmp_path / f"{name}.npy") for name in "abc")
    refuses(f"{a} has 12 stimuli and {b} has 11", "same order", load_pair, a, b)
    assert [y.shape for y in load_pair(a, c)] == [(12, 3), (12, 2)]
