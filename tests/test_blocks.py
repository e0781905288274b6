"""Responses larger than memory: what is computed block by block, from files, is what is computed at once."""

import errno
import os

import numpy as np
import pytest
import torch
from torch.overrides import TorchFunctionMode

from lib import blocks, split, store
from lib.blocks import Rows, joined, room, summary
from lib.ceiling import effective_features, overlap, shared_variance
from lib.correlation import centre_and_scale
from lib.crossval import copies
from lib.seeds import beside
from lib.split import answered_alike, fitted_share, further, independent_stimuli, split_stimuli
from tests.helpers import close, normal


@pytest.fixture
def small(monkeypatch, tmp_path):
    """Blocks of a few stimuli, and nothing prepared is held in memory."""
    (tmp_path / "build").mkdir()
    monkeypatch.setattr(store, "ROOT", tmp_path)

    def use():
        monkeypatch.setattr(blocks, "BLOCK", 2000)
        monkeypatch.setattr(blocks, "IN_MEMORY", 0)

    return use


def pair(stimuli=200):
    """Responses with copies, a constant unit, one that outweighs the others and far means."""
    y_a, y_b = normal(stimuli, 12) + 100, normal(stimuli, 7, seed=1)
    y_a[-20:], y_b[-20:] = y_a[:20], y_b[:20]
    y_a[:, 3], y_b[:, 0] = 5, 1000 * y_b[:, 0]
    return y_a, y_b


def test_a_split_block_by_block_from_files_is_the_split_at_once(small, tmp_path):
    y_a, y_b = pair()
    whole, again = split_stimuli(y_a, y_b), further(split_stimuli(y_a, y_b), y_b)
    for name, y in (("a", y_a), ("b", y_b)):
        np.save(tmp_path / f"{name}.npy", y.numpy())
    small()
    mapped = [np.load(tmp_path / f"{name}.npy", mmap_mode="r") for name in "ab"]
    found = split_stimuli(*mapped)
    assert (found.units, found.constant, found.distinct) == (whole.units, whole.constant, whole.distinct)
    assert found.massive[1].keys() == whole.massive[1].keys() == {0}
    for part in ("fit", "scored"):
        close(getattr(found, part), getattr(whole, part), 1e-6)
    assert all(map(torch.equal, found.at, whole.at))
    close(found.independent, whole.independent, 1e-6)
    close(further(found, torch.from_numpy(np.array(mapped[1]))), again, 1e-6)
    close(found.all_of(0), torch.cat([whole.fit[0, :, : whole.units[0]], whole.of(0)]), 1e-6)
    assert not [*(tmp_path / "build").iterdir()]


class Noted(TorchFunctionMode):
    """The arguments with which a method of tensors is called: a method that is replaced leaves traces in the class."""

    def __init__(self, method):
        super().__init__()
        self.method, self.calls = method, []

    def __torch_function__(self, func, types, args=(), kwargs=None):
        if func is self.method:
            self.calls.append(args)
        return func(*args, **(kwargs or {}))


def test_files_are_read_from_front_to_back_a_few_times(small, tmp_path):
    """What reads ahead fetches a thousand rows for one that is out of order: of a large file, all for each block."""
    np.save(tmp_path / "y.npy", pair(stimuli=400)[0].numpy())
    small()
    y = torch.from_numpy(np.load(tmp_path / "y.npy", mmap_mode="c"))
    with Noted(torch.Tensor.__getitem__) as noted:
        split_stimuli(y, normal(400, 7), folds=2)
    read = [at for x, at in noted.calls if x.data_ptr() == y.data_ptr() and isinstance(at, torch.Tensor)]
    assert torch.cat(read).bincount().min() > 5  # all are read, in each pass
    back = torch.cat(read).diff() < -20  # less far is still at hand
    assert back.sum() < 3 * sum(map(len, read)) / len(y)  # a pass ends so, and begins by a look at the first row


def test_rows_out_of_order_are_read_in_order_and_given_as_asked():
    y, at = normal(9, 2), torch.tensor([5, 1, 3, 8, 1])
    with Noted(torch.Tensor.__getitem__) as noted:
        found = blocks.read(y, at)
    assert next(places for x, places in noted.calls if x is y).tolist() == [1, 1, 3, 5, 8]
    assert torch.equal(found, torch.stack([y[place] for place in at.tolist()]))


def test_no_step_from_files_to_features_copies_them_whole_in_double_precision(small):
    z = normal(600, 5)
    y_a, y_b = z @ normal(5, 7, seed=1), z @ normal(5, 7, seed=2)
    whole = overlap([y_a, y_b], [y_b, y_a]), effective_features(y_a), shared_variance(y_a, y_b)
    small()
    with Noted(torch.Tensor.double) as noted:
        parts = overlap([y_a, y_b], [y_b, y_a]), effective_features(y_a), shared_variance(y_a, y_b)
        split_stimuli(y_a, y_b)
    assert 10 < max(y.numel() for (y,) in noted.calls) <= len(y_a)
    close(torch.tensor([*map(float, parts)]), torch.tensor([*map(float, whole)]), 1e-9)
    close(parts[0].high, whole[0].high, 1e-9)


def test_sums_block_by_block_are_sums_at_once(small):
    y = normal(300, 5).double() * torch.tensor([1, 1e-3, 1e6, 1, 0]) + torch.tensor([0, 1e5, 1, -7, 3])
    once, copied = centre_and_scale(y[None]), copies(y.repeat(2, 1))
    twice = [y.repeat(2, 1), y[:, :2].repeat(2, 1)]
    alike = answered_alike(*twice)
    assert len(alike.unique()) == len(y)
    small()
    mean, deviation, varies = summary(Rows.of(y))
    assert varies.tolist() == [True] * 4 + [False]
    close(mean / y.mean(0), torch.ones(5), 1e-12)
    close(deviation, y.std(0, correction=0), 1e-9)
    close(centre_and_scale(y[None])[0], once[0], 1e-9)
    close(centre_and_scale(y[None])[1] / once[1], [[[1]]], 1e-12)
    assert torch.equal(copies(y.repeat(2, 1)), copied)
    assert torch.equal(answered_alike(*twice), alike)


@pytest.mark.parametrize("lags", [7, 64, 400])
def test_few_lags_at_a_time_find_the_same_independent_stimuli(monkeypatch, lags):
    """A series that is remembered for a few stimuli: the sum ends before 7 of them, wherever stretches end."""
    noise = normal(400, 20)
    y = noise[3:] + noise[2:-1] + noise[1:-2]
    wanted = independent_stimuli(y, y)
    monkeypatch.setattr("lib.split.FEW_LAGS", 1)
    monkeypatch.setattr("lib.split.LAGS", lags)
    close(independent_stimuli(y, y), wanted, 1e-6)
    assert wanted < 300


def test_no_more_are_scored_than_asked_for_and_the_rest_is_fitted():
    y_a, y_b = pair(400)
    found = split_stimuli(y_a, y_b, fitted_share(400, most_scored=80), groups=torch.arange(400))
    assert (found.fit.shape[1], found.scored.shape[1]) == (320, 80)
    assert fitted_share(400, 0.6, 300) == 0.6
    assert fitted_share(400, 0.5, 100) == 0.75


def test_room_that_the_disk_does_not_have_is_said_before_it_is_used(small, monkeypatch):
    def full(*given):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    small()
    monkeypatch.setattr(os, "posix_fallocate", full)
    with pytest.raises(OSError, match="build") as refused:
        room(100, 100)
    assert "the disk is full: free some space" in store.disk_error(refused.value)


def test_room_is_empty_and_parts_are_joined_in_order(small):
    y = normal(30, 4).float()
    close(joined([y[:10], y[10:]]), y, 0)
    small()
    assert not room(3, 4).any()
    close(joined([y[:10], y[10:]]), y, 0)


def test_scores_beside_those_of_seeds_are_the_same_from_files(small):
    from lib.pairings import Held, score
    from lib.report import wanted

    y_a, y_b = pair(300)
    first = split_stimuli(y_a, y_b)

    def found(split):
        nn = [one for one in wanted(2, False) if one.name == "nn"]
        return beside(split, score(Held({"n_a": split.of(0), "n_b": split.of(1)}, split.folds), nn))

    once = found(first)
    small()
    close(found(split_stimuli(y_a, y_b)).table["raw"].to_list(), once.table["raw"].to_list(), 1e-5)


def test_products_and_transforms_find_the_same_autocorrelation(monkeypatch):
    monkeypatch.setattr(blocks, "BLOCK", 8 * 5 * 70)  # stimuli of five units, seventy at a time
    y = normal(300, 5).cumsum(0)
    centred = y - y.mean(0)
    wanted = torch.stack([(centred[: 300 - lag] * centred[lag:]).sum() for lag in range(8)])
    for found in (split._by_products(Rows.of(y), 8), split._by_transforms(Rows.of(y), 8)):
        close(found, wanted, 1e-9 * wanted[0])


def test_little_room_is_made_in_memory(tmp_path, monkeypatch):
    monkeypatch.setattr(store, "ROOT", tmp_path)
    assert room(3, 4).shape == (3, 4) and not (tmp_path / "build").exists()
