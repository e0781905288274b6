"""Files of activations as other programs write them, stimuli x units, or maps and tokens with a position to read."""

import re
from itertools import combinations
from pathlib import Path

import numpy as np
import torch

from lib.checks import as_tensor, check_finite, first_line, one_line, unknown
from lib.data.formats import READERS
from lib.positions import EVERY, POSITIONS, at_position, fitting

PART = 2**26  # bytes that are read at a time
REPEATS = "repeats"  # the position of (stimuli, units, repeats), which stay apart


def load_activations(path: str) -> torch.Tensor:
    """The responses in a file, `(stimuli, units)`, finite, float32, or float64 where float32 would round them.

    Of a file with several arrays name one, and of maps or tokens the position: `responses.npz:layer4`, `maps.npy:pool`,
    `tokens.h5:block/11:cls`; positions are those of `lib.positions`, and `repeats` for `(stimuli, units, repeats)`.
    Maps are read in parts, so that the file may be larger than memory, and a plain .npy of floats is not copied at all.
    Nothing in a file is executed: pickled objects are refused. Raises ValueError, in one line, for a file that is
    missing, damaged or of another form.
    """
    file, rest = _file_and_rest(path)
    if not file.is_file():
        what = "is a folder: name a file in it" if file.is_dir() else "does not exist: check the path"
        raise ValueError(f"{path} {what}")
    if file.suffix.lower() not in READERS:
        raise ValueError(f"{path} ends in {file.suffix or 'nothing known'}: give {', '.join(READERS)}")
    arrays = _attempt(path, READERS[file.suffix.lower()], file)
    name, position = _chosen(path, arrays, rest)
    y = _attempt(path, arrays[name])
    _check_array(y, path)
    y = _attempt(path, _read, y, _checked_position(y, path, position))
    if 0 in y.shape:
        raise ValueError(f"{path} is empty, shape {tuple(y.shape)}: give at least one stimulus and one unit")
    check_finite(y, path)
    return y


def load_pair(a: str, b: str) -> tuple[torch.Tensor, torch.Tensor]:
    """Responses of two networks to the same stimuli, of one dtype; raises ValueError if they are not as many."""
    _check_both(a, b)
    y_a, y_b = load_activations(a), load_activations(b)
    _check_same({a: y_a, b: y_b})
    dtype = torch.promote_types(y_a.dtype, y_b.dtype)
    return y_a.to(dtype), y_b.to(dtype)


Layers = dict[str, torch.Tensor]


def load_networks(a: str, b: str) -> tuple[list[Layers], list[Layers]]:
    """The layers of two networks, as `load_layers`, for each seed of either: paths with commas between them.

    All answer the same stimuli. Raises ValueError, in one line that names the file, if they are not as many, and for
    seeds that differ in their layers' units or are one network twice.
    """
    _check_both(a, b)
    both = [{path: load_layers(path) for path in _seed_paths(given)} for given in (a, b)]
    _check_same({path: next(iter(one.values())) for seeds in both for path, one in seeds.items()})
    for seeds in both:
        _check_seeds({path: list(one.values()) for path, one in seeds.items()})
    return [*both[0].values()], [*both[1].values()]


def _seed_paths(given):
    """The paths in a list with commas, of which each is as long as files allow: names may hold commas too."""
    pieces, found = given.split(","), []
    while pieces:
        starts = (",".join(pieces[:count]) for count in range(len(pieces), 1, -1))
        path = next(filter(_is_one, starts), pieces[0])
        if not path and "," in given:
            raise ValueError(f"{given} has nothing before or after a comma: give a path for each seed")
        if path in found:
            raise ValueError(f"{path} is named twice: give each seed of a network once, a second one is another file")
        found.append(path)
        pieces = pieces[path.count(",") + 1 :]
    return found


def _is_one(path):
    """Whether a text with commas names a folder, a file, or an array of one."""
    file, rest = _file_and_rest(path)
    if not file.is_file() or "," not in rest:
        return file.is_file() or _folder_and_position(path)[0].is_dir()
    try:
        return bool(_chosen(path, _attempt(path, READERS[file.suffix.lower()], file), rest))
    except (KeyError, ValueError):
        return False


def _check_seeds(seeds):
    """That further seeds have the units of the first, in two dimensions, and repeat none of the others."""
    named = {path: ", ".join("x".join(map(str, y.shape[1:])) for y in layers) for path, layers in seeds.items()}
    (first, units), *others = named.items()
    for path, found in others:
        if found != units or "x" in found:
            raise ValueError(f"{path} has {found} units, {first} {units}: give seeds of one network, stimuli x units")
    for (path, one), (other, two) in combinations(seeds.items(), 2):
        if torch.equal(one[-1], two[-1].to(one[-1].dtype)):
            raise ValueError(f"{path} and {other} hold the same responses: a second seed is another training run")


def _check_both(a, b):
    if not (a and b):
        raise ValueError(f"a = {a!r} and b = {b!r}: give two files of activations, or neither")


def load_layers(path: str) -> dict[str, torch.Tensor]:
    """The layers of a network, `(stimuli, units)` by name: files of a folder, arrays of a file, or the array of a file.

    In natural order, `block2` before `block10`. Of a folder every file counts that `load_activations` reads, and gives
    the layer its name; `folder:pool` reads all at that position. Raises ValueError, in one line, for a folder without
    such files, for layers that differ in stimuli, and as `load_activations` does.
    """
    folder, position = _folder_and_position(path)
    if folder.is_dir():
        files = sorted(file for file in folder.iterdir() if file.suffix.lower() in READERS and file.is_file())
        wanted = {file.stem: f"{file}{position}" for file in files}
        if not files:
            raise ValueError(f"{path} holds no file of activations: put in one a layer, of {', '.join(READERS)}")
        if len(wanted) < len(files):
            raise ValueError(f"{path} has files that differ in their endings alone: keep one of each name")
    else:
        wanted = _arrays_of(path)
    layers = {name: load_activations(wanted[name]) for name in sorted(wanted, key=_natural)}
    _check_same({f"{path}, {name}": y for name, y in layers.items()})
    return layers


def load_layer(path: str, layer: str) -> torch.Tensor:
    """One layer of `load_layers`, `(stimuli, units)`, and of maps or tokens `layer:position`; nothing else is read.

    Raises ValueError, in one line, for a layer that is not there and as `load_layers` does.
    """
    folder, _ = _folder_and_position(path)
    if not folder.is_dir():
        return load_activations(f"{path}:{layer}")
    files = {file.stem: file for file in sorted(folder.iterdir()) if file.suffix.lower() in READERS}
    name, _, position = (layer, "", "") if layer in files else layer.rpartition(":")
    if name not in files:
        raise unknown(f"layer of {path}", name or layer, sorted(files, key=_natural))
    return load_activations(":".join([str(files[name]), *filter(None, [position])]))


def _folder_and_position(path):
    """A folder and, of `folder:pool`, the position with its colon."""
    start, colon, position = path.rpartition(":")
    if colon and position in {*POSITIONS, *EVERY} and Path(start).expanduser().is_dir():
        return Path(start).expanduser(), f":{position}"
    return Path(path).expanduser(), ""


def _arrays_of(path):
    """What to read of a file, by the layer's name: each of its arrays, unless one is named or there is but one."""
    file, rest = _file_and_rest(path)
    several = file.is_file() and not rest and file.suffix.lower() in READERS
    names = [*_attempt(path, READERS[file.suffix.lower()], file)] if several else []
    return {name: f"{path}:{name}" for name in names} if len(names) > 1 else {rest or file.stem: path}


def _natural(name):
    """Numbers in a name count by their size."""
    return [(part.isdigit(), int(part) if part.isdigit() else part) for part in re.split("([0-9]+)", name)]


def _check_same(named):
    """That all have as many stimuli."""
    (first, one), *others = named.items()
    for name, y in others:
        if len(y) != len(one):
            raise ValueError(
                f"{first} has {len(one)} stimuli and {name} has {len(y)}: rows must be the same stimuli in the same "
                "order"
            )


def _file_and_rest(path):
    """The longest beginning of `path` that is a file, and what follows after a colon; both may hold colons."""
    for end in [len(path), *(i for i in reversed(range(len(path))) if path[i] == ":")]:
        if (file := Path(path[:end]).expanduser()).is_file():
            return file, path[end + 1 :]
    return Path(path).expanduser(), ""


def _attempt(path, work, *given):
    try:
        return work(*given)
    except ImportError as error:
        package = error.name or "pyarrow"
        raise ValueError(f"{path} needs the package {package}: pip install {package}, or save an .npy") from None
    except Exception as error:
        reason = first_line(error) if isinstance(error, ValueError) and "column" in str(error) else type(error).__name__
        raise ValueError(
            f"{path} cannot be read ({reason}): it is damaged or holds other Python objects; "
            "copy it anew, or save the array alone with numpy.save"
        ) from None


def _chosen(path, arrays, rest):
    """The name of an array and the position, from what follows the file's name."""
    only, (name, _, position) = len(arrays) == 1, rest.rpartition(":")
    if rest in arrays or (only and not rest):
        return rest or next(iter(arrays)), ""
    if position in {**POSITIONS, **EVERY, REPEATS: 0} and (name in arrays or (only and not name)):
        return name or next(iter(arrays)), position
    if rest:
        raise ValueError(f"{path} does not exist, or lacks that array: it has {_listed(arrays)}")
    example = f"{path}:{one_line(next(iter(arrays)))}" if arrays else "y with torch.save(y, path)"
    joined = ", or join batches of one layer with torch.cat" if "0" in arrays else ""
    raise ValueError(f"{path} holds {len(arrays)} arrays ({_listed(arrays)}): name one, as {example}{joined}")


def _listed(arrays):
    if not any(arrays):
        return "none with a name"
    return one_line(", ".join(list(arrays)[:6])) + (", ..." if len(arrays) > 6 else "")


def _check_array(y, path):
    """Any numeric array of two to four dimensions."""
    if isinstance(y, torch.Tensor) and (y.layout != torch.strided or y.is_quantized or y.is_meta):
        raise ValueError(f"{path} holds a sparse, quantised or empty tensor: save it dense, for example y.to_dense()")
    if isinstance(y, torch.Tensor) and y.dtype.is_complex:
        raise ValueError(f"{path} has dtype {y.dtype}: save real numbers, for example y.real")
    if not isinstance(y, torch.Tensor) and y.dtype.kind not in "fiub":
        raise ValueError(f"{path} has dtype {y.dtype}: save real numbers, for example y.astype('float32')")


def _checked_position(y, path, position):
    """The position, if it suits the array's dimensions."""
    shape, fits = tuple(y.shape), fitting(y.ndim) + [REPEATS] * (y.ndim == 3)
    if not position and len(shape) != 2:
        mend = "one row for each stimulus" if len(shape) < 2 else "flatten it with y.reshape(len(y), -1)"
        mend = f"say what to take, as {path}:{fits[0]}, of {', '.join(fits)}" if fits else mend
        raise ValueError(f"{path} has shape {shape}, not stimuli x units: {mend}")
    if position and position not in fits:
        raise ValueError(f"{path} has shape {shape}, which has no position {position}: choose {' or '.join(fits)}")
    return position


def _read(y, position):
    """The array as floats, at a position; part by part, unless it can stay in its file as it is."""
    if isinstance(y, np.ndarray) and y.dtype in ("=f4", "=f8") and not position:
        return as_tensor(y)
    rows = max(1, PART // (8 * max(1, as_tensor(y[:1]).numel())))
    parts = (as_tensor(y[i : i + rows]) for i in range(0, max(1, len(y)), rows))
    return torch.cat([part if position in ("", REPEATS) else at_position(part, position) for part in parts])
