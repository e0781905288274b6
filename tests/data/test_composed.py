import numpy as np
import pytest
import torch
from helpers import close, refuses
from PIL import Image

from lib.data.composed import Composition, Pictures, compose, digit_pictures, image_pictures
from lib.data.digits import digit_grid
from lib.features import seeded

FOUR = Pictures(torch.tensor([[1.0, 2], [3, 4], [5, 6], [7, 8]]), torch.tensor([1, 3]))  # one of class 0, three of 1
CLASS = torch.tensor([0, 1, 1, 1])


def scenes(objects, density, correlation=0.0, count=40_000, pictures=FOUR):
    return compose(pictures, Composition(objects, density, correlation), count, seeded(3))


@pytest.mark.parametrize("split", ["train", "test"])
def test_the_digits_are_those_of_the_grid_sorted_by_what_they_are(split):
    found = digit_pictures(split)
    images, labels = digit_grid(6000, seed=0, split=split)
    cells = images.unflatten(1, (3, 8)).unflatten(3, (3, 8)).transpose(2, 3).flatten(3).flatten(0, 2)
    digits = labels.unflatten(1, (9, 10)).flatten(0, 1)
    shown = {(cell.numpy().tobytes(), int(digit.float().argmax())) for cell, digit in zip(cells, digits, strict=True)
             if cell.any()}  # fmt: skip
    kinds = torch.arange(10).repeat_interleave(found.counts).tolist()
    assert shown == {(one.numpy().tobytes(), kind) for one, kind in zip(found.images, kinds, strict=True)}


def test_images_are_averaged_split_and_sorted(tmp_path):
    for kind, colour in enumerate("ab"):
        (tmp_path / colour).mkdir()
        for i in range(10):
            image = np.zeros((16, 16, 3), np.uint8)
            image[::2, :, kind] = 10 * i  # every second row, so that means are half of it
            Image.fromarray(image).save(tmp_path / colour / f"{i}.png")
    parts = [image_pictures(f"folder:{tmp_path}", split) for split in ("train", "test")]
    assert [len(part.images) for part in parts] == [16, 4] and sum(part.counts.sum() for part in parts) == 20
    values = []
    for part in parts:
        colours = part.images.unflatten(1, (64, 3))
        kinds = torch.arange(2).repeat_interleave(part.counts)
        for colour, kind in zip(colours, kinds, strict=True):
            assert (colour[:, 1 - kind] == 0).all() and (colour[:, 2] == 0).all()
            close(colour[:, kind], colour[:1, kind].expand(64), 1e-6)
            values.append((int(kind), round(float(colour[0, kind]) * 255, 2)))
    assert sorted(values) == [(kind, 5 * i) for kind in (0, 1) for i in range(10)]  # all, each in one split


def test_a_scene_shows_what_its_labels_say():
    images, labels, shown = scenes(3, 0.4, 0.3, count=300)
    assert images.shape == (300, 6) and labels.shape == (300, 6)
    for image, label, numbers in zip(images, labels, shown, strict=True):
        for place, number in enumerate(numbers.tolist()):
            wanted = torch.zeros(2)
            wanted[CLASS[number] if number >= 0 else 0] = float(number >= 0)
            assert torch.equal(label[2 * place : 2 * place + 2], wanted)
            picture = FOUR.images[number] if number >= 0 else torch.zeros(2)
            assert torch.equal(image[2 * place : 2 * place + 2], picture)


@pytest.mark.parametrize(("density", "correlation"), [(0.1, 0.0), (0.3, 0.2), (0.5, 0.8), (1.0, 0.5)])
def test_places_are_as_full_and_labels_as_correlated_as_asked(density, correlation):
    _, labels, shown = scenes(4, density, correlation)
    close((shown >= 0).double().mean(0), torch.full((4,), density), 0.02)
    place = labels.unflatten(1, (4, 2)).double()
    q = density / 2
    close(place.mean(0), torch.full((4, 2), q), 0.02)
    covariances = torch.cov(place.flatten(1).T).unflatten(0, (4, 2)).unflatten(2, (4, 2))
    for one in range(4):
        for other in range(4):
            found = covariances[one, :, other]
            wanted = (correlation if one != other else 1) * (q * torch.eye(2) - q * q)
            close(found, wanted, 0.015)


def test_pictures_of_a_class_are_drawn_evenly_and_place_by_place():
    shown = scenes(2, 1.0, 1.0).shown
    close(shown.flatten().bincount() / shown.numel(), [1 / 2, 1 / 6, 1 / 6, 1 / 6], 0.01)
    assert torch.equal(CLASS[shown[:, 0]], CLASS[shown[:, 1]])  # of one class always, the picture is drawn again
    close((shown[:, 0] == shown[:, 1]).double().mean(), 1 / 2 + 1 / 6, 0.02)


def test_a_seed_fixes_the_scenes():
    first, again = (scenes(4, 0.3, 0.2, count=20) for _ in range(2))
    assert all(torch.equal(one, other) for one, other in zip(first, again, strict=True))
    other = compose(FOUR, Composition(4, 0.3, 0.2), 20, seeded(4))
    assert not torch.equal(first.shown, other.shown)


@pytest.mark.parametrize("how", [(0, 0.3, 0), (2, 0, 0), (2, 1.1, 0), (2, 0.3, -0.1), (2, 0.3, 1.1)])
def test_worlds_that_cannot_be_are_refused(how):
    refuses(f"Composition(objects={how[0]}", "one object or more", compose, FOUR, Composition(*how), 5, seeded(0))


def test_bad_splits_images_and_classes_are_refused(tmp_path):
    refuses("split 'tset'", "test", digit_pictures, "tset")
    refuses("kind of images 'zup'", "zip", image_pictures, "zup:nowhere", "test")
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        Image.new("RGB", (9, 9)).save(tmp_path / name / "only.png")
    refuses("2 pictures leave a split without one of 2 classes", "more", image_pictures, f"folder:{tmp_path}", "test")
