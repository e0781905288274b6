"""What a network's layers give for images, by layer name and position."""

import re
from collections import defaultdict
from collections.abc import Callable
from contextlib import ExitStack
from typing import NamedTuple

import torch
from torch import nn

from lib.checks import first_line, unknown
from lib.positions import POSITIONS, at_position, has_channels_last


class Network(NamedTuple):
    name: str
    module: nn.Module  # in eval mode, without gradients
    transform: Callable | None  # Pillow image -> (channels, height, width)


def layers(network: Network) -> list[str]:
    """Names of the layers, in the order in which the network defines them."""
    return [name for name, _ in network.module.named_modules() if name]


def activations(network: Network, images: torch.Tensor, sites: dict[str, tuple[str, str]]) -> dict[str, torch.Tensor]:
    """What the layers give for `images: (stimuli, ...)`: `{site: (stimuli, units)}`, float32, on the network's device.

    `sites` maps a name to a layer and a position: `centre` (H // 2, W // 2 of a map), `cls` (the first token), `pool`
    (the mean over places or tokens) or `flat`, see `lib.positions`. Where the channels of a map are last, as in timm's
    Swin, is seen from its shape, or where that does not tell from the network, which says so in timm.

    Raises ValueError for an unknown layer or position, for one that does not suit the layer's output, for a layer that
    does not run exactly once or has rows for windows of an image, and for images the network does not take.
    """
    check_sites(network, sites)
    modules, taken = dict(network.module.named_modules()), defaultdict(list)
    with ExitStack() as hooks:
        for site, (layer, position) in sites.items():

            def keep(module, given, output, site=site, layer=layer, position=position):
                taken[site].append(_take(output, layer, position, len(images), network.module))

            hooks.callback(modules[layer].register_forward_hook(keep).remove)
        _forward(network, images)
    for site, (layer, _) in sites.items():
        if len(taken[site]) != 1:
            raise ValueError(f"layer {layer} runs {len(taken[site])} times in a pass: choose one that runs once")
    return {site: taken[site][0] for site in sites}


def check_sites(network: Network, sites: dict[str, tuple[str, str]]) -> None:
    """Raise ValueError unless every site names a layer of the network and a position it can be read at."""
    if not sites:
        raise ValueError("sites is empty: give at least one, {name: (layer, position)}")
    known, own = layers(network), dict(network.module.named_parameters(recurse=False))
    for site, place in sites.items():
        if not re.fullmatch(r"\w[\w.-]*", site):
            raise ValueError(f"site {site!r} cannot name a file: use letters, digits, '_', '-' and '.'")
        if not isinstance(place, tuple | list) or len(place) != 2:
            raise ValueError(f"site {site} is {place!r}: give a layer and a position, (layer, position)")
        layer, position = place
        if layer not in known:
            raise unknown(f"layer of {network.name}", layer, known)
        if position not in POSITIONS:
            raise unknown(f"position of site {site}", position, POSITIONS)
        if position == "cls" and not {"cls_token", "class_token"} & {*own}:
            raise ValueError(f"position cls of site {site}: {network.name} has no class token, choose pool or flat")


def _take(output, layer, position, images, module):
    if not isinstance(output, torch.Tensor):
        raise ValueError(f"layer {layer} gives a {type(output).__name__}, not a tensor: choose a layer within it")
    shape = tuple(output.shape)
    if len(output) != images:
        raise ValueError(f"layer {layer} gives {shape} for {images} images, windows of them: choose a layer around it")
    if output.ndim not in POSITIONS[position]:
        fits = [name for name, takes in POSITIONS.items() if output.ndim in takes]
        raise ValueError(f"position {position} of layer {layer}, {shape}: choose {' or '.join(fits)}")
    last = output.ndim == 4 and has_channels_last(shape, "NHWC" in str(getattr(module, "output_fmt", "")))
    # A copy: the next layer may overwrite the output, as a ReLU in place does.
    return at_position(output, position, layer, last).to(torch.float32, copy=True)


def _forward(network, images):
    images = images.to(next(network.module.parameters()).device)
    if images.ndim == 4:  # convolutions on a CPU are up to twice as fast with the channels last
        images = images.contiguous(memory_format=torch.channels_last)
    try:
        with torch.no_grad():
            network.module(images)
    except torch.OutOfMemoryError:
        raise
    except (AssertionError, RuntimeError) as error:
        shape = tuple(images.shape)
        raise ValueError(
            f"{network.name} cannot take images {shape} ({first_line(error)}): prepare them with network.transform"
        ) from error
