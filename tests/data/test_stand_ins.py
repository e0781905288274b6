import pytest
import torch
from helpers import close, refuses

from lib.data.activations import activations, layers
from lib.data.digits import digit_grid, single_digits
from lib.data.images import open_images
from lib.data.stand_ins import STAND_INS, WORLDS, GridMLP, StandIn, scenes, train_stand_in
from lib.data.vision import load_network

CPU = torch.device("cpu")
pytestmark = pytest.mark.usefixtures("store")
SHORT = StandIn(lambda: GridMLP((16, 8)), "grid", 20, 0.002)


@pytest.mark.parametrize(("world", "draw"), [("grid", digit_grid), ("single", single_digits)])
def test_scenes_are_the_generators_with_labels_as_numbers(world, draw):
    images, labels = scenes(world, 40, 3, "test", CPU)
    wanted, told = draw(40, 3, "test")
    assert torch.equal(images, wanted) and labels.dtype == torch.float32
    if told.ndim == 1:
        assert torch.equal(labels.argmax(1), told) and labels.sum() == 40
    else:
        assert torch.equal(labels, told.float())


@pytest.mark.parametrize("world", WORLDS)
def test_the_rate_is_how_often_a_label_is_true(world):
    close(scenes(world, 20000, 0, "train", CPU)[1].mean(), WORLDS[world].rate, 0.001)


def test_a_stand_in_learns_and_is_found_again():
    kind = SHORT._replace(steps=200)
    trained = train_stand_in(kind, 1, CPU, count=500)
    assert trained.history["loss"][-1] < 0.9 * trained.history["loss"][0]
    again = train_stand_in(kind, 1, CPU, count=500)
    assert again.step == 200 and len(list(trained.checkpoint.parent.glob("*.pt"))) == 1


def test_seeds_differ_in_the_start_and_scenes_in_the_name():
    one, other = (train_stand_in(SHORT, seed, CPU, count=100) for seed in (0, 1))
    assert not torch.equal(one.model.networks[0].head.weight, other.model.networks[0].head.weight)
    names = {train_stand_in(SHORT, 0, CPU, count, scene_seed).checkpoint for count, scene_seed in ((100, 1), (99, 0))}
    assert len(names | {one.checkpoint}) == 3


def test_the_books_networks_have_names_and_take_its_images(monkeypatch):
    monkeypatch.setitem(STAND_INS, "grid-mlp", SHORT)
    network = load_network("book:grid-mlp:2", "cpu")
    assert network.name == "book:grid-mlp:2" and "body.3" in layers(network)
    assert all(not weight.requires_grad for weight in network.module.parameters())
    images = open_images("grid:7", network.transform)
    x = torch.stack([images[i][0] for i in range(7)])
    close(x, digit_grid(7, 0, "test")[0], 0.5 / 255 + 1e-6)
    found = activations(network, x, {"deep": ("body.3", "flat")})["deep"]
    trained = train_stand_in(SHORT, 2, CPU).model.networks[0]
    close(found, trained.body(x.flatten(1)).detach(), 1e-6)


def test_networks_that_the_book_does_not_have_are_refused():
    refuses("network of the book 'grid-mpl'", "grid-mlp", load_network, "book:grid-mpl:0")
    refuses("seed '' of book:grid-mlp", "write book:grid-mlp:0", load_network, "book:grid-mlp")
    refuses("seed 'first' of book:grid-vit", "write book:grid-vit:0", load_network, "book:grid-vit:first")
