import numpy as np
import pytest
import torch
from helpers import close, refuses
from sklearn.datasets import load_digits

from lib.data.digits import digit_grid, single_digits


def written():
    """scikit-learn's digits by their pixels."""
    digits = load_digits()
    pairs = zip(digits.images.astype(np.float32) / 16, digits.target, strict=True)
    return {image.tobytes(): digit for image, digit in pairs}


def cells(image):
    return [image[8 * row : 8 * row + 8, 8 * column : 8 * column + 8] for row in range(3) for column in range(3)]


def shown(images):
    """The written digits that images show, as bytes."""
    return {cell.numpy().tobytes() for image in images for cell in cells(image) if cell.any()}


@pytest.mark.parametrize("split", ["train", "test"])
def test_each_cell_shows_the_digit_its_labels_name(split):
    known = written()
    images, labels = digit_grid(200, seed=1, split=split)
    assert images.shape == (200, 24, 24) and labels.shape == (200, 90) and labels.dtype == torch.bool
    assert images.dtype == torch.float32 and images.min() == 0 and images.max() == 1
    for image, label in zip(images, labels, strict=True):
        named = [known[cell.numpy().tobytes()] + 10 * place for place, cell in enumerate(cells(image)) if cell.any()]
        assert label.nonzero().flatten().tolist() == named


def test_a_cell_is_filled_with_probability_three_in_ten_and_every_digit_alike():
    _, labels = digit_grid(20_000, seed=0)
    rate = labels.unflatten(1, (9, 10)).double().mean(0)
    close(rate.sum(1), torch.full((9,), 0.3), 0.02)
    close(rate, torch.full((9, 10), 0.03), 0.01)
    pairs = labels.unflatten(1, (9, 10)).any(2).double().T.corrcoef()
    close(pairs, torch.eye(9), 0.04)


def test_no_written_digit_is_in_both_splits():
    train, test = (shown(digit_grid(6000, seed=0, split=split)[0]) for split in ("train", "test"))
    alone = [shown(single_digits(5000, seed=3, split=split)[0]) for split in ("train", "test")]
    assert not train & test and not alone[0] & alone[1]
    assert alone[0] <= train and alone[1] <= test  # the same two parts, which together are all
    assert len(train) == 1437 and len(test) == 360 and len(train | test) == len(written())


@pytest.mark.parametrize("draw", [digit_grid, single_digits])
def test_a_seed_and_a_split_fix_the_draw(draw):
    first, again = draw(50, seed=5), draw(50, seed=5)
    assert all(torch.equal(x, y) for x, y in zip(first, again, strict=True))
    others = [draw(50, seed=6), draw(50, seed=5, split="test"), draw(50, seed=5, split="test")]
    assert not torch.equal(first[1], others[0][1]) and not torch.equal(first[1], others[1][1])
    assert torch.equal(others[1][0], others[2][0])


def test_the_splits_fill_other_cells():
    train, test = (digit_grid(500, seed=0, split=split)[1] for split in ("train", "test"))
    filled = [labels.unflatten(1, (9, 10)).any(2) for labels in (train, test)]
    assert (filled[0] == filled[1]).double().mean() < 0.65  # 0.58 by chance


def test_the_control_fills_exactly_one_cell():
    known = written()
    images, labels = single_digits(900, seed=2)
    assert images.shape == (900, 24, 24) and labels.shape == (900,)
    places = torch.zeros(9)
    for image, label in zip(images, labels, strict=True):
        (place,) = (place for place, cell in enumerate(cells(image)) if cell.any())
        assert known[cells(image)[place].numpy().tobytes()] == label
        places[place] += 1
    assert places.min() > 60 and labels.bincount().min() > 50


@pytest.mark.parametrize("draw", [digit_grid, single_digits])
def test_bad_splits_and_counts_are_refused(draw):
    refuses("split 'tset'", "test", draw, 3, 0, "tset")
    refuses("count = 0 images", "at least 1", draw, 0, 0)
