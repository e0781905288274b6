import pickle
import sys
from zipfile import ZipFile

import h5py
import numpy as np
import pandas as pd
import pytest
import torch
from helpers import close, normal, refuses
from safetensors.torch import save_file
from scipy.io import savemat

from lib.data import arrays
from lib.data.arrays import load_activations, load_layers, load_networks, load_pair
from lib.data.formats import READERS

Y = normal(12, 3, dtype=torch.float32)


def write_hdf5(path, y, name="layer4", **options):
    with h5py.File(path, "w") as file:
        file.create_dataset(name, data=np.asarray(y), **options)


def write_matlab_7_3(path, y):
    """As MATLAB does, whose dimensions lie in reverse order."""
    write_hdf5(path, np.asarray(y).T)


WRITERS = {
    ".npy": lambda path, y: np.save(path, y.numpy()),
    ".npz": lambda path, y: np.savez(path, layer4=y.numpy()),
    ".pt": lambda path, y: torch.save(y, path),
    ".pth": lambda path, y: torch.save({"layer4": y, "epoch": 3}, path),
    ".safetensors": lambda path, y: save_file({"layer4": y}, path),
    ".mat": lambda path, y: savemat(path, {"layer4": y.numpy()}),
    "7.3.mat": write_matlab_7_3,
    ".h5": write_hdf5,
    ".hdf5": lambda path, y: write_hdf5(path, y, chunks=(5, 2), compression="gzip"),
    ".csv": lambda path, y: pd.DataFrame(y.numpy()).to_csv(path),
    ".tsv": lambda path, y: pd.DataFrame(y.numpy()).to_csv(path, sep="\t", header=False, index=False),
    "older.pt": lambda path, y: torch.save(y, path, _use_new_zipfile_serialization=False),
}
BINARY = [suffix for suffix in WRITERS if not suffix.endswith("sv")]


@pytest.fixture(params=WRITERS)
def suffix(request):
    """How a file's name ends."""
    return request.param


def test_every_format_gives_the_same_responses(suffix, tmp_path):
    path = tmp_path / f"y{suffix}"
    WRITERS[suffix](path, Y)
    found = load_activations(str(path))
    assert found.dtype == (torch.float64 if suffix.endswith("sv") else torch.float32)
    close(found, Y, 1e-7)


@pytest.mark.parametrize("suffix", BINARY, indirect=True)
def test_a_file_cut_short_is_refused(suffix, tmp_path):
    path = tmp_path / f"y{suffix}"
    WRITERS[suffix](path, normal(400, 50, dtype=torch.float32))
    path.write_bytes(path.read_bytes()[:30000])
    refuses(f"{path} cannot be read", "copy it anew", load_activations, str(path))


@pytest.mark.parametrize("dtype", [np.float64, np.float16, np.int32, np.uint8, bool])
def test_real_numbers_of_any_kind_are_taken(dtype, tmp_path):
    y = (3 * Y.abs().numpy()).astype(dtype)
    np.save(tmp_path / "y.npy", y)
    found = load_activations(str(tmp_path / "y.npy"))
    assert found.dtype == (torch.float64 if dtype in (np.float64, np.int32) else torch.float32) or dtype in (
        np.uint8,
        bool,
    )
    close(found, y.astype(np.float64))


def test_bfloat16_is_taken(tmp_path):
    torch.save(Y.bfloat16(), tmp_path / "y.pt")
    close(load_activations(str(tmp_path / "y.pt")), Y.bfloat16().float())


def write_several(path, named):
    match path.suffix:
        case ".npz":
            np.savez(path, **named)
        case ".pt":
            torch.save(named, path)
        case ".safetensors":
            save_file(named, path)
        case ".mat":
            savemat(path, {name: y.numpy() for name, y in named.items()})
        case ".h5":
            with h5py.File(path, "w") as file:
                file["labels"] = ["no", "numbers"]
                for name, y in named.items():
                    file[name] = y


@pytest.mark.parametrize("suffix", [".npz", ".pt", ".safetensors", ".mat", ".h5"])
def test_of_several_arrays_one_must_be_named(suffix, tmp_path):
    path = tmp_path / f"y{suffix}"
    write_several(path, {"first": Y, "second": 2 * Y})
    refuses(f"{path} holds 2 arrays (first, second)", f"{path}:first", load_activations, str(path))
    close(load_activations(f"{path}:second"), 2 * Y)
    refuses("third", "it has first, second", load_activations, f"{path}:third")


NAMES = ["blocks/4", "blocks:4", "a:b/c:d", "timm:vit@x", "pool", "layer4.2:centre"]


@pytest.mark.parametrize("suffix", [".npz", ".pt", ".safetensors", ".h5"])
def test_whatever_name_is_proposed_can_be_given(suffix, tmp_path):
    path = tmp_path / f"run:3{suffix}"
    write_several(path, {name: i * Y for i, name in enumerate(NAMES)})
    for i, name in enumerate(NAMES):
        close(load_activations(f"{path}:{name}"), i * Y)


def test_arrays_in_nested_dictionaries_lists_and_structures_have_names(tmp_path):
    path = tmp_path / "y.pt"
    torch.save({"acts": {"l1": Y, "l2": [2 * Y, 3 * Y]}, "epoch": 3}, path)
    refuses("holds 3 arrays (acts/l1, acts/l2/0, acts/l2/1)", f"{path}:acts/l1", load_activations, str(path))
    for name, factor in (("acts/l1", 1), ("acts/l2/1", 3)):
        close(load_activations(f"{path}:{name}"), factor * Y)
    torch.save([Y, 2 * Y], path)
    refuses("holds 2 arrays (0, 1)", "torch.cat", load_activations, str(path))
    close(load_activations(f"{path}:1"), 2 * Y)
    torch.save([Y], path)
    close(load_activations(str(path)), Y)
    savemat(tmp_path / "y.mat", {"acts": {"l1": Y.numpy(), "deep": {"l2": 2 * Y.numpy()}}})
    close(load_activations(f"{tmp_path}/y.mat:acts/deep/l2"), 2 * Y)


MAPS = normal(5, 7, 4, 4, dtype=torch.float32)
TOKENS = normal(5, 6, 3, dtype=torch.float32)
POSITIONS = {
    "maps.npy:centre": MAPS[:, :, 2, 2],
    "maps.npy:pool": MAPS.mean((2, 3)),
    "maps.npy:flat": MAPS.flatten(1),
    "maps.npy:all": MAPS.permute(0, 2, 3, 1).reshape(-1, 7),
    "tokens.npy:cls": TOKENS[:, 0],
    "tokens.npy:pool": TOKENS.mean(1),
    "tokens.npy:flat": TOKENS.flatten(1),
    "tokens.npy:all": TOKENS.reshape(-1, 3),
    "tokens.npy:repeats": TOKENS,
    "last.npy:pool": MAPS.mean((2, 3)),
    "last.npy:centre": MAPS[:, :, 2, 2],
    "last.npy:flat": MAPS.flatten(1),
    "last.npy:all": MAPS.permute(0, 2, 3, 1).reshape(-1, 7),
    "several.npz:layer:4:pool": MAPS.mean((2, 3)),
    "7.3.mat:pool": MAPS.mean((2, 3)),
    "maps.h5:deep/maps:centre": MAPS[:, :, 2, 2],
}


@pytest.mark.parametrize("part", [1, 2**26], ids=["row by row", "at once"])
@pytest.mark.parametrize("path", POSITIONS)
def test_maps_and_tokens_are_read_at_a_position(path, part, tmp_path, monkeypatch):
    monkeypatch.setattr(arrays, "PART", part)
    for name, y in {"maps": MAPS, "tokens": TOKENS, "last": MAPS.permute(0, 2, 3, 1)}.items():
        np.save(tmp_path / f"{name}.npy", y)
    np.savez(tmp_path / "several.npz", **{"layer:4": MAPS, "other": Y})
    write_hdf5(tmp_path / "maps.h5", MAPS, "deep/maps")
    write_matlab_7_3(tmp_path / "7.3.mat", MAPS)
    close(load_activations(f"{tmp_path}/{path}"), POSITIONS[path], 1e-6)


def test_a_position_that_does_not_suit_is_refused(tmp_path):
    np.save(tmp_path / "maps.npy", MAPS)
    np.save(tmp_path / "y.npy", Y)
    refuses("has shape (5, 7, 4, 4)", "choose centre or pool or flat", load_activations, f"{tmp_path}/maps.npy:cls")
    refuses("has shape (12, 3)", "choose flat", load_activations, f"{tmp_path}/y.npy:centre")
    refuses("lacks that array", "none with a name", load_activations, f"{tmp_path}/maps.npy:centr")


class Counting:
    """An array that notes how much of it is read at a time."""

    def __init__(self, y):
        self.y, self.shape, self.dtype, self.ndim, self.largest = y, y.shape, y.dtype, y.ndim, 0

    def __len__(self):
        return len(self.y)

    def __getitem__(self, rows):
        self.largest = max(self.largest, self.y[rows].nbytes)
        return self.y[rows]


def test_maps_are_read_in_parts_and_a_plain_file_not_at_all(tmp_path, monkeypatch):
    monkeypatch.setattr(arrays, "PART", 1000)
    counting = Counting(MAPS.numpy())
    close(arrays._read(counting, "pool"), MAPS.mean((2, 3)), 1e-6)
    assert 0 < counting.largest <= 1000 < MAPS.numpy().nbytes
    path = tmp_path / "y.npy"  # of 400 GB, of which the disk holds nothing
    np.lib.format.open_memmap(path, "w+", np.float32, (50_000_000, 2_000)).flush()
    assert arrays._read(READERS[".npy"](path)[""](), "").shape == (50_000_000, 2_000)


TABLES = {
    "a line of names": ("u,v\n1,2\n3,4\n", [[1, 2], [3, 4]]),
    "none": ("1,2\n3,4\n", [[1, 2], [3, 4]]),
    "the index of pandas": (",u,v\n0,1,2\n1,3,4\n", [[1, 2], [3, 4]]),
    "quotes and a mark of the byte order": ('\ufeff"u","v"\r\n1,2e0\r\n3,4.\r\n', [[1, 2], [3, 4]]),
}


@pytest.mark.parametrize("case", TABLES)
def test_tables_with_and_without_names(case, tmp_path):
    text, wanted = TABLES[case]
    (tmp_path / "y.csv").write_text(text, newline="")
    close(load_activations(str(tmp_path / "y.csv")), wanted)


def test_tables_that_hold_other_things_are_refused(tmp_path):
    path = tmp_path / "y.csv"
    path.write_text("image,u\ncat,1\ndog,2\n")
    refuses("column 'image' holds no numbers", "leave it out", load_activations, str(path))
    path.write_text("u,v\n1,\n3,4\n")
    refuses("1 NaN", "remove", load_activations, str(path))
    path.write_text("")
    refuses("cannot be read", "copy it anew", load_activations, str(path))


def test_parquet_is_read_or_says_what_it_needs(tmp_path, monkeypatch):
    path, table = tmp_path / "y.parquet", pd.DataFrame(Y.numpy()).add_prefix("u")
    table.to_parquet(path)
    close(load_activations(str(path)), Y)
    table.assign(label="x").to_parquet(path)
    refuses("column 'label' holds no numbers", "leave it out", load_activations, str(path))
    path.write_bytes(path.read_bytes()[:-9])
    refuses(f"{path} cannot be read", "copy it anew", load_activations, str(path))
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    refuses(f"{path} needs the package pyarrow", "pip install pyarrow", load_activations, str(path))


@pytest.mark.parametrize("mean", [1e7, 1e9])
def test_large_means_in_double_precision_are_not_rounded_away(mean, tmp_path):
    np.save(tmp_path / "y.npy", Y.double().numpy() + mean)
    close(load_activations(str(tmp_path / "y.npy")) - mean, Y, 1e-6)
    np.save(tmp_path / "b.npy", Y.numpy())
    assert [y.dtype for y in load_pair(f"{tmp_path}/y.npy", f"{tmp_path}/b.npy")] == [torch.float64] * 2


BAD = {
    "one dimension": (np.zeros(12), "shape (12,)", "one row for each stimulus"),
    "a map": (np.zeros((12, 3, 4, 4)), "shape (12, 3, 4, 4)", "y.npy:centre, of centre, pool, flat, all"),
    "tokens": (np.zeros((12, 3, 4)), "shape (12, 3, 4)", "y.npy:cls, of cls, pool, flat, all, repeats"),
    "five dimensions": (np.zeros((12, 3, 4, 4, 2)), "shape (12, 3, 4, 4, 2)", "flatten"),
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
    refuses(f"{tmp_path} is a folder", "name a file", load_activations, str(tmp_path))
    (tmp_path / "y.xls").write_text("1")
    refuses("y.xls ends in .xls", ".npy", load_activations, str(tmp_path / "y.xls"))
    refuses("a = 'x.npy' and b = ''", "two files", load_pair, "x.npy", "")
    (tmp_path / "y.npy").write_bytes(pickle.dumps([1, 2]))
    refuses("cannot be read", "other Python objects", load_activations, str(tmp_path / "y.npy"))
    torch.save({"note": "no array"}, tmp_path / "empty.pt")
    refuses("holds 0 arrays", "torch.save(y", load_activations, str(tmp_path / "empty.pt"))
    torch.save(3, tmp_path / "number.pt")
    refuses("holds 0 arrays", "torch.save(y", load_activations, str(tmp_path / "number.pt"))


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


def test_the_layers_of_a_folder_come_in_natural_order(tmp_path):
    for name, units in (("block10", 2), ("block2", 3), ("block1", 1), ("stem", 4)):
        np.save(tmp_path / f"{name}.npy", normal(12, units))
    (tmp_path / "images.txt").write_text("no layer")
    (tmp_path / "more.npy").mkdir()
    found = load_layers(str(tmp_path))
    assert {name: y.shape[1] for name, y in found.items()} == {"block1": 1, "block2": 3, "block10": 2, "stem": 4}
    assert list(found) == ["block1", "block2", "block10", "stem"]
    assert list(load_layers(f"{tmp_path}/block2.npy")) == ["block2"]


def test_maps_of_a_folder_are_read_at_one_position(tmp_path):
    np.save(tmp_path / "l1.npy", normal(12, 3, 2, 2))
    close(load_layers(f"{tmp_path}:pool")["l1"], np.load(tmp_path / "l1.npy").mean((2, 3)), 1e-6)
    refuses("has shape (12, 3, 2, 2)", "say what to take", load_layers, str(tmp_path))


@pytest.mark.parametrize("ending", ["npz", "pt", "h5", "mat"])
def test_the_arrays_of_a_file_are_layers_unless_one_is_named(tmp_path, ending):
    path = tmp_path / f"all.{ending}"
    arrays = {"block10": Y.numpy(), "block2": 2 * Y.numpy()}
    if ending == "npz":
        np.savez(path, **arrays)
    elif ending == "pt":
        torch.save({name: torch.tensor(y) for name, y in arrays.items()}, path)
    elif ending == "mat":
        savemat(path, arrays)
    else:
        with h5py.File(path, "w") as file:
            file.update(arrays)
    found = load_layers(str(path))
    assert list(found) == ["block2", "block10"]
    close(found["block2"], 2 * Y)
    assert list(load_layers(f"{path}:block10")) == ["block10"]


def test_folders_that_hold_no_network_are_told_in_one_line(tmp_path):
    refuses(str(tmp_path), "put in one a layer", load_layers, str(tmp_path))
    np.save(tmp_path / "l1.npy", normal(12, 3))
    np.save(tmp_path / "l2.npy", normal(11, 3))
    refuses("l1 has 12 stimuli", "same order", load_layers, str(tmp_path))
    (tmp_path / "l2.npy").write_bytes(b"no array")
    refuses("l2.npy cannot be read", "copy it anew", load_layers, str(tmp_path))
    (tmp_path / "l2.npy").unlink()
    (tmp_path / "l1.csv").write_text("1,2")
    refuses(str(tmp_path), "keep one of each name", load_layers, str(tmp_path))
    refuses("missing.npy does not exist", "check the path", load_layers, str(tmp_path / "missing.npy"))


def test_networks_must_share_their_stimuli(tmp_path):
    for name, stimuli in (("a", 12), ("b", 11)):
        (tmp_path / name).mkdir()
        for layer in ("l1", "l2"):
            np.save(tmp_path / name / f"{layer}.npy", normal(stimuli, 3))
    a, b = str(tmp_path / "a"), str(tmp_path / "b")
    assert [[[*one] for one in seeds] for seeds in load_networks(a, a)] == [[["l1", "l2"]]] * 2
    refuses(f"{a} has 12 stimuli and {b} has 11", "same order", load_networks, a, b)
    refuses("b = ''", "or neither", load_networks, a, "")


@pytest.fixture
def saved(tmp_path):
    """Saves an array under a name, and gives its path."""

    def save(name, *shape, seed=0):
        np.save(tmp_path / name, normal(*shape, seed=seed))
        return str(tmp_path / name)

    return save


def test_seeds_of_a_network_have_commas_between_them(saved, tmp_path):
    names = ["a1.npy", "seed,2.npy", "Übung, 3.npy"]
    paths = [saved(name, 12, 3, seed=i) for i, name in enumerate(names)]
    np.savez(tmp_path / "maps.npz", **{"layer,1": normal(12, 2, 3, seed=5), "other": normal(12, 4)})
    paths.append(f"{tmp_path}/maps.npz:layer,1:pool")
    seeds, (alone,) = load_networks(",".join(paths), paths[1])
    assert [[*one.values()][0].shape for one in seeds] == [(12, 3)] * 4
    assert all(torch.equal([*one.values()][0], load_activations(path)) for one, path in zip(seeds, paths, strict=True))
    assert torch.equal(*alone.values(), *seeds[1].values())


def test_a_file_with_a_comma_is_one_file_though_its_parts_are_files_too(saved):
    both, _, second = saved("one,two.npy", 12, 3), saved("one", 12, 3, seed=1), saved("three.npy", 12, 3, seed=2)
    (seeds, (alone,)) = load_networks(f"{both},{second}", both)
    assert len(seeds) == 2 and torch.equal(*alone.values(), load_activations(both))


def test_seeds_may_be_folders_of_layers(saved, tmp_path):
    for i, seed in enumerate("ab"):
        (tmp_path / seed).mkdir()
        for layer in ("l1.npy", "l2.npy"):
            saved(f"{seed}/{layer}", 12, 3, seed=i)
    assert [[*one] for one in load_networks(f"{tmp_path}/a,{tmp_path}/b", f"{tmp_path}/a")[0]] == [["l1", "l2"]] * 2


# name: (shape of the second seed, its position, what the error names after it, the mend)
BAD_SEEDS = {
    "other units": ((12, 4), "", "has 4 units, {first} 3", "give seeds of one network"),
    "other stimuli": ((11, 3), "", "has 11", "the same order"),
    "three dimensions": ((12, 3, 2), "", "has shape (12, 3, 2), not stimuli x units", "say what to take"),
    "repeats": ((12, 3, 2), ":repeats", "has 3x2 units, {first} 3", "stimuli x units"),
    "one dimension": ((12,), "", "has shape (12,), not stimuli x units", "one row for each stimulus"),
}


@pytest.mark.parametrize(("shape", "position", "thing", "mend"), BAD_SEEDS.values(), ids=BAD_SEEDS)
@pytest.mark.parametrize("side", [0, 1])
def test_bad_seeds_are_refused_by_name(shape, position, thing, mend, side, saved):
    first, other = saved("a1.npy", 12, 3), saved("b.npy", 12, 5)
    second = saved("a2.npy", *shape, seed=1) + position
    given = [f"{first},{second}", other]
    named = f"{(first, other)[side]} has 12 stimuli and {second}" if "order" in mend else second
    refuses(f"{named} {thing.format(first=first)}", mend, load_networks, *(given if side == 0 else given[::-1]))


def test_a_seed_named_twice_or_copied_is_refused(saved, tmp_path):
    first, copy, other = saved("a1.npy", 12, 3), saved("a2.npy", 12, 3), saved("b.npy", 12, 5)
    refuses(f"{first} is named twice", "another file", load_networks, f"{first},{first}", other)
    same = f"{first} and {copy} hold the same responses"
    refuses(same, "another training run", load_networks, f"{first},{copy}", other)
    refuses(f"{tmp_path}/none.npy does not exist", "check", load_networks, f"{first},{tmp_path}/none.npy", other)
    repeated = [saved(f"c{i}.npy", 12, 3, 2, seed=i) + ":repeats" for i in (0, 1)]
    refuses(f"{repeated[1]} has 3x2 units", "stimuli x units", load_networks, ",".join(repeated), other)
    for given in (f"{first},", f",{first}"):
        refuses(f"{given} has nothing before or after a comma", "a path for each seed", load_networks, other, given)


def changed(path, found, by=None):
    """Change one bit of the numbers, or what is found there."""
    data = bytearray(path.read_bytes())
    place = data.index(found)
    data[place : place + len(by or b"1")] = by or bytes([data[place] ^ 1])
    path.write_bytes(data)


def write_sealed_parquet(path, y):
    options = {"compression": None, "use_dictionary": False, "write_page_checksum": True}
    pd.DataFrame(y.numpy()).add_prefix("u").to_parquet(path, **options)


SEALED = {
    ".npz": WRITERS[".npz"],
    ".pt": WRITERS[".pt"],
    ".parquet": write_sealed_parquet,
    ".h5": lambda path, y: write_hdf5(path, y, chunks=(12, 3), fletcher32=True),
}


@pytest.mark.parametrize("suffix", SEALED)
def test_one_changed_bit_is_seen_where_there_is_a_checksum(suffix, tmp_path):
    path = tmp_path / f"y{suffix}"
    SEALED[suffix](path, Y)
    close(load_activations(str(path)), Y)
    changed(path, (Y[:, 1].numpy() if suffix == ".parquet" else Y.numpy()).tobytes()[8:20])
    refuses(f"{path} cannot be read", "copy it anew", load_activations, str(path))


def test_a_file_that_is_longer_than_it_says_is_refused(tmp_path):
    np.save(tmp_path / "y.npy", Y.numpy())
    path = tmp_path / "y.npy"
    sound = path.read_bytes()
    path.write_bytes(sound + b"\0")
    refuses(f"{path} cannot be read", "copy it anew", load_activations, str(path))
    path.write_bytes(sound)
    changed(path, b"(12, 3)", b"(11, 3)")
    refuses(f"{path} cannot be read", "copy it anew", load_activations, str(path))
    with ZipFile(tmp_path / "y.npz", "w") as archive:
        archive.write(path, "layer4.npy")
    refuses("y.npz cannot be read", "copy it anew", load_activations, str(tmp_path / "y.npz"))


def test_names_that_would_break_the_line_are_shown_with_question_marks(tmp_path):
    torch.save({"first\nline": Y, "second\x1b[2J": Y}, tmp_path / "y.pt")
    refuses("holds 2 arrays (first?line, second?[2J)", "y.pt:first?line", load_activations, str(tmp_path / "y.pt"))
