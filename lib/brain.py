"""Recordings of a brain: what all of them have in common, and how well any model could predict them."""

from typing import NamedTuple

import torch
from torch.utils.data import Dataset


class Recording(NamedTuple):
    """Responses of one subject's neurons or voxels to images, averaged over repetitions."""

    name: str
    responses: torch.Tensor  # (images, neurons), float32
    images: Dataset  # entry i is the image of row i, as `lib.images.Images`
    repetitions: torch.Tensor  # how often each image was shown, (images,)
    ceiling: torch.Tensor  # correlation of a perfect model with these responses, of each neuron, (neurons,)
