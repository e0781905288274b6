"""Activations of many images as memory-mapped files; an extraction that was stopped goes on where it was."""

import json
import os
import zlib
from collections.abc import Callable, Iterable
from multiprocessing import parent_process
from pathlib import Path
from threading import Thread

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, Subset
from tqdm import tqdm

from lib import store
from lib.checks import check_finite, first_line, one_line
from lib.data.activations import Network, activations, check_sites
from lib.data.arrays import load_layer
from lib.data.images import Images, open_images
from lib.data.npy import open_npy
from lib.data.vision import load_network
from lib.store import dependencies, differing, key, locked, named, write_whole

NOTE = "extraction.json"
PART = 2500  # images held at a time
BATCH = {"cpu": 16, "cuda": 256}  # on a CPU tensors that stay in its caches, on a GPU what keeps it busy
LOADERS = 8  # processes at most that prepare images for a GPU; on a CPU the network takes nine tenths of the time


def extract(
    network: Network, images: Images, sites: dict, folder: Path, batch: int | None = None, workers: int = 0
) -> dict[str, np.memmap]:
    """The activations of all `images` as files `folder/SITE.npy`, read where needed: `{site: (stimuli, units)}`.

    `images` gives tensors or `(tensor, label)`; `sites` is as in `activations`. What is finished is only opened; an
    extraction that was stopped goes on at its next batch and ends with the same bytes. `workers` processes prepare the
    images. Without `batch` it is 16 images on a CPU, 256 elsewhere. A second process that wants the same folder waits.

    Raises ValueError if the folder holds another extraction or damaged files, else as `activations`.
    """
    check_sites(network, sites)
    batch = batch or BATCH.get(_kind(network), BATCH["cuda"])
    if len(images) == 0:
        raise ValueError("there are no images: give at least one")
    folder = Path(folder)
    with locked(folder / ".lock"):
        about = identity(network, images, sites)
        rows, sums = _rows_done(folder, about)
        if rows < len(images):
            _fill_files(network, images, sites, folder, about, (rows, sums), _loader(images, rows, batch, workers))
        for site in sites:
            if _partial(folder, site).exists():
                _partial(folder, site).rename(folder / f"{site}.npy")
        return {site: _sound(_open(folder / f"{site}.npy", "r", len(images)), sums.get(site)) for site in sites}


def _loader(images, rows, batch, workers):
    """The images from row `rows` on, a batch at a time, prepared by `workers` processes."""
    rest = Subset(images, range(rows, len(images)))
    return DataLoader(rest, batch, collate_fn=_stack, num_workers=workers, worker_init_fn=end_with_parent)


def end_with_parent(worker: int) -> None:
    """End this process soon after the one that asked for it, whichever way processes are started.

    Torch has its workers look whether their parent is still the one they first saw: a worker whose parent ended before
    that look would wait for ever.
    """
    if (parent := parent_process()) is None:
        raise ValueError("this process is nobody's worker: give end_with_parent to a DataLoader as worker_init_fn")

    def watch():
        parent.join()
        os._exit(1)

    Thread(target=watch, daemon=True).start()


def _fill_files(network, images, sites, folder, about, done, loader):
    """Write the rows that are still missing, and after each batch how many there are and their checksums."""
    (rows, sums), files = done, {}
    told = {"network": network.name, "sites": sites, "images": len(images)}
    for site, y in activations(network, _stack([images[0]]), sites).items():
        if not rows:
            _reserve(_partial(folder, site), (len(images), y.shape[1]))
        files[site] = _open(_partial(folder, site), "r+", len(images), y.shape[1])
    with tqdm(initial=rows, total=len(images), desc=network.name, unit="image", leave=False, disable=None) as bar:
        for piece in loader:
            for site, y in activations(network, piece, sites).items():
                check_finite(y, f"{network.name} at {site}")
                files[site][rows : rows + len(piece)] = y.cpu().numpy()
                files[site].flush()
                sums[site] = _crc(y.cpu().numpy(), sums.get(site, 0))
            rows += len(piece)
            write_whole(folder / NOTE, json.dumps({**told, "rows": rows, "crc": sums, "depends": about}, indent=1))
            bar.update(len(piece))


def identity(network: Network, images: Images, sites: dict) -> dict[str, str]:
    """What tells one extraction from another, see `lib.store.dependencies`.

    The network and its weights, the sites, the code that reads them; of the images the names, the state of their files
    and the first and the last as they are prepared.
    """
    known = [getattr(images, about, None) for about in ("names", "state")]
    ends = [_stack([images[end]]) for end in (0, len(images) - 1)]
    return dependencies(
        network=[network.name, dict(network.module.state_dict()), activations],
        sites={site: list(place) for site, place in sites.items()},
        images=[len(images), known, ends],
    )


def _kind(network):
    return next(network.module.parameters()).device.type


def _stack(items):
    items = [item[0] if isinstance(item, tuple | list) else item for item in items]
    if not isinstance(items[0], torch.Tensor):
        raise ValueError(f"the images are of type {type(items[0]).__name__}: open them with network.transform")
    return torch.stack(items)


def _rows_done(folder, about):
    """How many rows an earlier call has written, and their checksums by site; 0 where there was none."""
    note = folder / NOTE
    if not note.exists():
        if any(folder.glob("*.npy")):
            raise ValueError(f"{folder} holds .npy files of unknown origin: choose another folder")
        return 0, {}
    try:
        found = json.loads(note.read_text(encoding="utf-8"))
        rows, depends, sums = int(found["rows"]), dict(found["depends"]), dict(found.get("crc", {}))
    except (ValueError, KeyError, TypeError, OverflowError, RecursionError) as error:
        raise ValueError(f"{note} is damaged ({first_line(error)}): delete {folder} to start anew") from None
    if other := one_line(", ".join(differing(depends, about))):
        raise ValueError(f"{folder} holds an extraction with other {other}: delete it, or choose another folder")
    return (rows, sums) if sums else (0, {})  # an extraction of a time before there were checksums is done anew


def _partial(folder, site):
    return folder / f"{site}.npy.part"


def _reserve(path, shape):
    """A file with all its room on the disk: to write into a map of it that has none would kill the process."""
    with named(path):
        np.lib.format.open_memmap(path, "w+", np.float32, shape)
        if hasattr(os, "posix_fallocate"):
            with open(path, "r+b") as file:
                os.posix_fallocate(file.fileno(), 0, path.stat().st_size)


def _open(path, mode, rows, units=None):
    try:
        file = open_npy(path)  # never at once for writing: that would lengthen a file that was cut
        if file.dtype != np.float32 or file.ndim != 2 or file.shape != (rows, units or file.shape[1]):
            raise ValueError(f"it holds {file.dtype} {file.shape}")
        return open_npy(path, mode)
    except Exception as error:
        raise ValueError(f"{path} is damaged ({first_line(error)}): delete {path.parent} to start anew") from None


def _crc(y, before):
    """The checksum of rows, after that of the rows `before` them; a part at a time, as a file may exceed memory."""
    for start in range(0, len(y), PART):
        before = zlib.crc32(np.ascontiguousarray(y[start : start + PART]).data, before)
    return before


def _sound(file, wanted):
    """The file, if its numbers are those that were written, by their checksum."""
    if _crc(file, 0) != wanted:
        path = Path(str(file.filename))
        raise ValueError(f"{path} is damaged (other numbers were written): delete {path.parent} to start anew")
    return file


def responses(
    networks: Iterable[nn.Module], images: torch.Tensor, sites: dict[str, tuple[str, str]]
) -> dict[str, torch.Tensor]:
    """Responses of networks of one architecture to `images`; `sites` as in `lib.data.activations.activations`."""
    parts = images.split(PART)
    nets = [Network(type(module).__name__, module.eval(), None) for module in networks]
    found = [[activations(net, part, sites) for part in parts] for net in nets]
    return {site: torch.stack([torch.cat([part[site] for part in one]) for one in found]) for site in sites}


def stored_responses(name: str, layers: list[str], images: str | Images, device: str, seed: int) -> list[np.ndarray]:
    """Responses of the network called `name` to all `images` at `layers`, written `layer:position`; one file each.

    `images` are opened, or a name as `open_images` takes it. The responses are kept in build/activations. In place of a
    network `arrays:PATH` names responses that were read elsewhere, layers as `lib.data.arrays.load_layer` takes them;
    then `images` may be `rows:START:STOP`, which rows of the files are meant. Raises ValueError as `lib.data.vision`,
    `lib.data.images` and `lib.data.extraction` do, and for files with another number of rows than there are images.
    """
    kind, _, path = name.partition(":")
    if kind == "arrays":
        return [_rows(path, layer, images) for layer in layers]
    for layer in layers:
        if ":" not in layer:
            raise ValueError(f"layer {layer!r} lacks its position: write {layer}:cls, :centre, :pool or :flat")
    sites = {f"site{i}": tuple(layer.rsplit(":", 1)) for i, layer in enumerate(layers)}
    network = load_network(name, device, seed)
    if isinstance(images, str):
        opened = open_images(images, network.transform)
    else:
        opened = Images(images.names, images.labels, images.read, network.transform, images.state)
    folder = store.ROOT / "build" / "activations" / key(identity(network, opened, sites))
    workers = 0 if _kind(network) == "cpu" else min(LOADERS, (os.cpu_count() or 1) - 1)
    return list(extract(network, opened, sites, folder, workers=workers).values())


def _rows(path, layer, images):
    y, of = load_layer(path, layer), f"layer {layer} of {path}"
    start, stop = 0, len(y)
    if isinstance(images, str) and images.startswith("rows:"):
        bounds = images.split(":")[1:]
        if len(bounds) != 2 or not all(bound.isdecimal() for bound in bounds):
            raise ValueError(f"images {images!r} name no rows: write rows:0:10000, START and STOP")
        start, stop = map(int, bounds)
        if not start < stop <= len(y):
            raise ValueError(f"images {images!r} go beyond {of}, which has {len(y)} rows: give fewer")
    elif len(y) != (count := len(open_images(images) if isinstance(images, str) else images)):
        raise ValueError(f"{of} has {len(y)} rows for {count} images: give those it was read for, or rows:0:{len(y)}")
    return y[start:stop].float().numpy()


def stacked(files: list[np.ndarray], step: int = 1) -> torch.Tensor:
    """Every `step`-th stored response of each network, in memory; `(P, stimuli, units)`."""
    return torch.stack([torch.from_numpy(file[::step].copy()) for file in files])


def stored_batches(files: list[np.ndarray], centre: torch.Tensor, scale: torch.Tensor, size: int) -> Callable:
    """What draws `size` stored responses of each network, to the same images, less `centre` and over `scale`."""

    def draw(generator):
        chosen = torch.randint(len(files[0]), (size,), generator=generator, device=generator.device)
        rows = np.sort(chosen.cpu().numpy())  # a disk reads in order
        y = torch.stack([torch.from_numpy(file[rows]) for file in files])
        return (y.to(centre.device) - centre) / scale

    return draw
