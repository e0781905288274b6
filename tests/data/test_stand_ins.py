from functools import partial

import pytest
import torch
from helpers import DEVICES, close, normal, refuses
from torch.nn.functional import binary_cross_entropy_with_logits

from lib.data.activations import Network, activations, layers
from lib.data.digits import digit_grid, single_digits
from lib.data.images import open_images
from lib.data.stand_ins import (
    STAND_INS,
    WORLDS,
    Block,
    Classifiers,
    GridMLP,
    GridViT,
    StandIn,
    patches,
    scenes,
    train_stand_in,
)
from lib.data.vision import load_network
from lib.features import seeded
from lib.training import Training, train

CPU = torch.device("cpu")
pytestmark = pytest.mark.usefixtures("store")
SHORT = StandIn(lambda: GridMLP((16, 8)), "grid", 20, 0.002)
MAKERS = {"mlp": partial(GridMLP, (24, 16, 8)), "vit": partial(GridViT, 16, 2)}
KINDS = pytest.mark.parametrize("make", MAKERS.values(), ids=MAKERS)


# Networks


def data(count=200):
    images, labels = digit_grid(count, seed=0)
    return images, labels.float()


def drawn(count=200, batch=32):
    images, labels = data(count)

    def draw(generator):
        chosen = torch.randint(len(images), (batch,), generator=generator)
        return images[chosen], labels[chosen]

    return draw


def same_weights(a, b):
    return all(torch.equal(x, y) for x, y in zip(a.parameters(), b.parameters(), strict=True))


def test_patches_are_the_cells_row_by_row():
    images = normal(3, 24, 24)
    found = patches(images)
    assert found.shape == (3, 9, 64)
    for i in range(3):
        for row in range(3):
            for column in range(3):
                for y in range(8):
                    for x in range(8):
                        pixel = images[i, 8 * row + y, 8 * column + x]
                        assert found[i, 3 * row + column, 8 * y + x] == pixel


def test_a_patch_holds_the_digit_of_its_label():
    images, labels = digit_grid(50, seed=1)
    filled = patches(images).amax(2) > 0
    assert torch.equal(filled, labels.unflatten(1, (9, 10)).any(2))


@KINDS
def test_a_network_gives_a_logit_for_each_label(make):
    images, labels = data(7)
    assert make()(images).shape == labels.shape == (7, 90)
    assert make(labels=10)(single_digits(5, seed=0)[0]).shape == (5, 10)


def test_layers_are_there_by_name_and_rectified():
    images, _ = data(50)
    network = Network("mlp", GridMLP((24, 16, 8)).eval(), None)
    sites = {"1": ("body.1", "flat"), "3": ("body.3", "flat"), "5": ("body.5", "flat")}
    found = activations(network, images, sites)
    assert [y.shape for y in found.values()] == [(50, 24), (50, 16), (50, 8)]
    assert all(y.amin() == 0 for y in found.values())
    module = network.module
    close(found["1"], (images.flatten(1) @ module.body[0].weight.T + module.body[0].bias).relu().detach(), 1e-5)
    close(module.head(found["5"]).detach(), module(images).detach(), 1e-6)


def test_the_class_token_of_the_last_block_makes_the_logits():
    images, _ = data(6)
    module = GridViT(16, 3).eval()
    found = activations(Network("vit", module, None), images, {f"{i}": (f"blocks.{i}", "cls") for i in range(3)})
    assert [y.shape for y in found.values()] == [(6, 16)] * 3
    close(module.head(module.norm(found["2"])).detach(), module(images).detach(), 1e-6)


def test_a_block_that_keeps_one_token_gives_what_the_whole_block_gives_for_it():
    torch.manual_seed(0)
    whole, first = Block(16, 4), Block(16, 4, kept=1)
    first.load_state_dict(whole.state_dict())
    x = torch.randn(5, 10, 16)
    assert whole(x).shape == (5, 10, 16)
    close(first(x).detach(), whole(x)[:, :1].detach(), 1e-6)


def test_a_block_is_attention_and_mlp_written_out():
    torch.manual_seed(0)
    block, x = Block(8, 2).double(), normal(3, 5, 8)
    normed = block.norm1(x)
    q, (k, v) = block.query(normed), block.key_value(normed).chunk(2, -1)
    mixed = torch.zeros_like(x)
    for image in range(3):
        for head in (slice(0, 4), slice(4, 8)):
            weights = (q[image, :, head] @ k[image, :, head].T / 2).softmax(1)
            mixed[image, :, head] = weights @ v[image, :, head]
    y = x + block.project(mixed)
    close(block(x).detach(), (y + block.mlp(block.norm2(y))).detach())


def test_patches_that_change_places_change_the_answer():
    images, _ = data(8)
    torch.manual_seed(0)
    module = GridViT(16, 2).eval()
    assert not torch.allclose(module(images), module(images.roll(8, 1)), atol=1e-4)


@KINDS
def test_a_seed_fixes_the_start_and_leaves_the_global_generator_alone(make):
    state = torch.get_rng_state()
    one, same, other = Classifiers(make, [3]), Classifiers(make, [3]), Classifiers(make, [4])
    assert torch.equal(state, torch.get_rng_state())
    assert same_weights(one, same) and not same_weights(one, other)


@KINDS
def test_every_label_starts_at_the_rate(make):
    images, _ = data(4)
    close(Classifiers(make, [0, 1], rate=0.2).probabilities(images), torch.full((2, 4, 90), 0.2), 1e-6)


@KINDS
def test_a_network_among_several_is_trained_as_it_is_alone(make):
    together = Training(Classifiers(make, [0, 1, 2]), drawn(), seed=5).run(20)
    alone = Training(Classifiers(make, [1]), drawn(), seed=5).run(20)
    assert same_weights(together.model.networks[1], alone.model.networks[0])
    close(together.history["loss"][:, 1], alone.history["loss"][:, 0])


@KINDS
def test_gradients_are_those_of_the_loss(make):
    images, labels = data(10)
    models = Classifiers(make, [0, 1]).double()
    measured = models.backward((images.double(), labels.double()))
    for i, network in enumerate(models.networks):
        copy = Classifiers(make, [i]).double().networks[0]
        p = copy(images.double()).sigmoid()
        loss = -(labels * p.log() + (1 - labels) * (1 - p).log()).sum(1).mean()
        loss.backward()
        close(measured["loss"][i], loss.detach())
        for found, wanted in zip(network.parameters(), copy.parameters(), strict=True):
            close(found.grad, wanted.grad)


@KINDS
def test_training_lowers_the_loss_on_new_scenes(make):
    images, labels = (x.float() for x in digit_grid(300, seed=0, split="test"))
    models = Classifiers(make, [0, 1])
    before = binary_cross_entropy_with_logits(models.networks[0](images), labels)
    after = Training(models, drawn(2000, 64), lr=0.005).run(150).model
    for network in after.networks:
        assert binary_cross_entropy_with_logits(network(images), labels) < 0.9 * before


@pytest.mark.parametrize("device", DEVICES)
def test_trained_networks_are_kept_and_found(device, store):
    images, labels = (x.to(device) for x in data())

    def draw(generator):
        chosen = torch.randint(len(images), (16,), generator=generator, device=device)
        return images[chosen], labels[chosen]

    first, second = (train(Classifiers(MAKERS["mlp"], [0], device=device), draw, 5, "n") for _ in "ab")
    assert same_weights(first.model, second.model) and second.step == 5
    other = train(Classifiers(MAKERS["mlp"], [1], device=device), draw, 5, "n")
    assert other.checkpoint != first.checkpoint and len(list(store.glob("*.pt"))) == 2


def test_the_stream_of_batches_depends_on_its_seed_alone():
    draw = drawn()
    a, b, c = (draw(seeded(seed))[0] for seed in (1, 1, 2))
    assert torch.equal(a, b) and not torch.equal(a, c)


# Stand-ins by name


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
