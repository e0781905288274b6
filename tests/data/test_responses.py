import numpy as np
import torch
from helpers import close, refuses
from PIL import Image

from lib import store
from lib.data.digits import digit_grid
from lib.data.extraction import responses, stacked, stored_batches, stored_responses
from lib.data.images import open_images
from lib.data.stand_ins import GridMLP
from lib.features import seeded


def test_responses_are_each_networks_own():
    images, _ = digit_grid(5200, seed=0)
    networks = [GridMLP((8, 4)), GridMLP((8, 4))]
    found = responses(networks, images, {"one": ("body.1", "flat"), "two": ("body.3", "flat")})
    assert [(site, *y.shape) for site, y in found.items()] == [("one", 2, 5200, 8), ("two", 2, 5200, 4)]
    for y, network in zip(found["two"], networks, strict=True):
        close(y, network.body(images.flatten(1)).detach(), 1e-5)


def test_stored_batches_are_rows_of_the_files_standardised():
    files = [np.arange(40, dtype=np.float32).reshape(20, 2) + i for i in (0, 100)]
    centre, scale = torch.tensor([[[1.0, 1.0]], [[101.0, 101.0]]]), torch.full((2, 1, 1), 2.0)
    y = stored_batches(files, centre, scale, 7)(seeded(0))
    assert y.shape == (2, 7, 2)
    close(y[0], y[1])
    assert all(row.tolist() in ((files[0] - 1) / 2).tolist() for row in y[0])


def test_a_layer_without_position_is_refused():
    refuses("layer 'layer4' lacks its position", "write layer4:cls", stored_responses, "x", ["layer4"], "y", "cpu", 0)


def test_stored_responses_are_kept_and_found(tmp_path, monkeypatch):
    monkeypatch.setattr(store, "ROOT", tmp_path)
    folder = tmp_path / "photos"
    folder.mkdir()
    for i in range(3):
        Image.new("RGB", (40, 40), (80 * i, 20, 200)).save(folder / f"{i}.png")
    layers = ["layer1.0.bn2:centre", "avgpool:flat"]
    arguments = ("torchvision:resnet18:random", layers, f"folder:{folder}", "cpu")
    first, second, other = (stored_responses(*arguments, seed) for seed in (0, 0, 1))
    assert [y.shape for y in first] == [(3, 64), (3, 512)]
    close(stacked(first[:1], step=2), torch.tensor(first[0][[0, 2]])[None])
    assert all((a == b).all() for a, b in zip(first, second, strict=True)) and not np.allclose(first[1], other[1])
    assert len(list((tmp_path / "build" / "activations").iterdir())) == 2


def test_responses_to_opened_images_are_those_to_images_by_name_and_are_told_apart(tmp_path, monkeypatch):
    monkeypatch.setattr(store, "ROOT", tmp_path)
    for folder, value in (("a", 80), ("b", 160)):
        (tmp_path / folder).mkdir()
        for i in range(2):
            Image.new("RGB", (40, 40), (value * i, 20, value)).save(tmp_path / folder / f"{i}.png")

    def stored(images):
        return stored_responses("torchvision:resnet18:random", ["avgpool:flat"], images, "cpu", 0)[0]

    opened = [open_images(f"folder:{tmp_path / folder}") for folder in "ab"]
    assert (stored(opened[0]) == stored(f"folder:{tmp_path / 'a'}")).all()
    assert not np.allclose(stored(opened[0]), stored(opened[1]))  # same names, other pictures
    assert opened[0].transform is None  # left as it was


def saved(tmp_path, rows=6):
    """A folder with two layers of a network, one of them maps, and the arrays in it."""
    y, maps = (torch.randn(rows, *rest, generator=seeded(i)) for i, rest in enumerate([(3,), (2, 4, 4)]))
    np.save(tmp_path / "block2.npy", y), np.save(tmp_path / "block10.centre.npy", maps)
    return f"arrays:{tmp_path}", y, maps


def test_files_of_activations_stand_for_a_network(tmp_path):
    name, y, maps = saved(tmp_path)
    for images in ("rows:0:6", "grid:6", open_images("grid:6")):
        one, two = stored_responses(name, ["block2", "block10.centre:pool"], images, "cpu", 0)
        close(torch.tensor(one), y), close(torch.tensor(two), maps.mean((2, 3)), 1e-6)
    (part,) = stored_responses(name, ["block2"], "rows:2:5", "cpu", 0)
    close(torch.tensor(part), y[2:5])
    np.savez(tmp_path / "all.npz", first=y.numpy(), second=maps.numpy())
    one, two = stored_responses(f"arrays:{tmp_path}/all.npz", ["first", "second:centre"], "rows:0:6", "cpu", 0)
    close(torch.tensor(one), y), close(torch.tensor(two), maps[:, :, 2, 2])


def test_files_of_activations_that_do_not_fit_are_refused(tmp_path):
    name, *_ = saved(tmp_path)

    def read(layer="block2", images="rows:0:6", named=name):
        return stored_responses(named, [layer], images, "cpu", 0)

    refuses("layer block2", "6 rows for 7 images: give those it was read for", read, images="grid:7")
    for images in ("rows:0", "rows:a:6", "rows:0:1:6", "rows:"):
        refuses(f"images '{images}'", "write rows:0:10000", read, images=images)
    for images in ("rows:0:7", "rows:4:4", "rows:6:7"):
        refuses(f"images '{images}'", "6 rows: give fewer", read, images=images)
    refuses("'block3' is unknown", "block2", read, layer="block3")
    refuses("block10.centre.npy has shape", "say what to take", read, layer="block10.centre")
    refuses("nowhere:block2 does not exist", "check the path", read, named="arrays:nowhere")
