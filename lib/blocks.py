"""Responses larger than memory: a block of stimuli at a time, in double precision, and room for them in a file."""

import os
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from math import prod
from typing import NamedTuple

import torch

from lib import store

BLOCK = 2**28  # bytes that a block takes in double precision; the book's responses are one block each
SWEEP = 2**31  # bytes of single precision that one sweep through a file collects, if they are wanted in another order
IN_MEMORY = 2**32  # bytes that prepared responses may take in memory


@dataclass(frozen=True)
class Rows:
    """Stimuli that are made when they are asked for: `take(places)` gives them, `(len(places), units)`, in double."""

    take: Callable[[torch.Tensor], torch.Tensor]
    places: torch.Tensor  # of the stimuli among those given

    @classmethod
    def of(cls, y: torch.Tensor, places: torch.Tensor | None = None) -> "Rows":
        """All stimuli of `y: (stimuli, units)`, or those at some places."""
        return cls(lambda at: read(y, at).double(), torch.arange(len(y)) if places is None else places)

    def __getitem__(self, at) -> torch.Tensor:
        return self.take(self.places[at])

    def blocks(self) -> Iterator[torch.Tensor]:
        """All stimuli, block by block."""
        units = self[:1].shape[1]
        return map(self.take, self.places.split(block_of(units)))

    def then(self, work: Callable[[torch.Tensor], torch.Tensor]) -> "Rows":
        """The same stimuli, with something done to each."""
        return Rows(lambda at: work(self.take(at)), self.places)


def read(y: torch.Tensor, at: torch.Tensor) -> torch.Tensor:
    """`y[at]`, read in the order of y: a file that is not read in its order is read many times over."""
    if (at.diff() >= 0).all():
        return y[at]
    order = at.argsort()
    return y[at[order]][order.argsort()]


def block_of(width: int) -> int:
    """How many stimuli of so many numbers make a block."""
    return max(1, BLOCK // (8 * width))


class Summary(NamedTuple):
    """Of each unit over the stimuli, `(units,)`, in double precision."""

    mean: torch.Tensor
    deviation: torch.Tensor
    varies: torch.Tensor  # whether it has more than one value


def summary(y: Rows) -> Summary:
    """Mean, deviation and whether anything changes, in one pass. Blocks are merged as by Chan et al. 1983."""
    if len(y.places) > block_of(y[:1].shape[1]):
        y = Rows(y.take, y.places.sort().values)  # in one sweep through a file
    first, varies = y[:1], torch.tensor(False)  # without dimensions, these fit any device
    count, mean, squares = 0, torch.tensor(0.0), torch.tensor(0.0)
    for part in y.blocks():
        joined, step = count + len(part), part.mean(0) - mean
        squares = squares + part.var(0, correction=0) * len(part) + step.square() * count * len(part) / joined
        mean, count, varies = mean + step * len(part) / joined, joined, varies | (part != first).any(0)
    return Summary(mean, (squares / count).sqrt(), varies)


def room(*shape: int, device: str | torch.device = "cpu") -> torch.Tensor:
    """Zeros of single precision; of more than IN_MEMORY bytes on a CPU in a file of `build`, which nothing else sees.

    Raises OSError if the disk is full.
    """
    size = 4 * prod(shape)
    if size <= IN_MEMORY or torch.device(device).type != "cpu":
        return torch.zeros(shape, device=device)
    folder = store.ROOT / "build"
    folder.mkdir(exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=folder, prefix=".responses.") as file:
        try:  # a full disk is met here, and not by a signal when it is written to
            os.posix_fallocate(file.fileno(), 0, size)
        except OSError as error:
            raise OSError(error.errno, error.strerror, str(folder)) from None
        return torch.from_file(file.name, shared=True, size=prod(shape)).view(shape)


def joined(parts: Sequence[torch.Tensor]) -> torch.Tensor:
    """Parts `(stimuli, units)` one after the other, in `room`."""
    whole = room(sum(map(len, parts)), parts[0].shape[1], device=parts[0].device)
    for place, part in zip(whole.split([len(part) for part in parts]), parts, strict=True):
        place.copy_(part)
    return whole
