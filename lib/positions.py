"""From maps and tokens to stimuli x units: at which place a layer is read.

Maps are `(stimuli, channels, height, width)` or, as of Swin, `(stimuli, height, width, channels)`; tokens are
`(stimuli, tokens, channels)`.
"""

import torch

from lib.checks import as_tensor, unknown

# position: {dimensions of the responses: what is taken of them}, maps with their channels first
POSITIONS = {
    "centre": {4: lambda y: y[:, :, y.shape[2] // 2, y.shape[3] // 2]},
    "cls": {3: lambda y: y[:, 0]},
    "pool": {3: lambda y: y.mean(1), 4: lambda y: y.mean((2, 3))},
    "flat": {dimensions: lambda y: y.flatten(1) for dimensions in (2, 3, 4)},
}
# A row for each place or token: stimuli that are not independent, so for files alone, where the reader asks for it.
EVERY = {"all": {3: lambda y: y.flatten(0, 1), 4: lambda y: y.movedim(1, 3).flatten(0, 2)}}


def at_position(y, position: str, name: str = "y", channels_last: bool | None = None) -> torch.Tensor:
    """Responses `(stimuli, units)` of maps or tokens, any array that `torch.as_tensor` takes.

        centre  the channels at H // 2, W // 2 of a map      cls   those of the first token
        pool    their mean over places or tokens             flat  every channel at every place is a unit
        all     every place or token is a stimulus; those of one image must then stay in one fold

    Where the channels of a map are last is seen from its shape (height and width are equal) unless told; what is not
    square is taken to have them first. Raises ValueError for another position and for one that the shape does not suit.
    """
    y, known = as_tensor(y, name), POSITIONS | EVERY
    if position not in known:
        raise unknown(f"position of {name}", position, known)
    if y.ndim not in known[position]:
        raise ValueError(f"position {position} of {name}, {tuple(y.shape)}: choose {' or '.join(fitting(y.ndim))}")
    if y.ndim == 4 and (has_channels_last(y.shape) if channels_last is None else channels_last):
        y = y.movedim(3, 1)
    return known[position][y.ndim](y)


def has_channels_last(shape: torch.Size | tuple[int, ...], otherwise: bool = False) -> bool:
    """Whether a map of this shape is `(stimuli, H, W, channels)`: two equal sides tell, else it is `otherwise`."""
    first, last = shape[2] == shape[3], shape[1] == shape[2]
    return last if first != last else otherwise


def fitting(dimensions: int) -> list[str]:
    """The positions that responses of so many dimensions can be read at."""
    return [name for name, takes in (POSITIONS | EVERY).items() if dimensions in takes]
