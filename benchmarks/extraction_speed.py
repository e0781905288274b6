"""Images a network sees per second: `lib.data.extraction.extract` against a plain loop of 64 prepared images.

OMP_NUM_THREADS=1 .venv/bin/python benchmarks/extraction_speed.py --images zip:PATH
"""

import argparse
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
from timing import race

from lib.data.extraction import extract
from lib.data.images import Images, open_images
from lib.data.vision import load_network


def plain(network, images, layer):
    """What a user would write: a hook, batches of 64, one list."""
    found, module = [], network.module.get_submodule(layer)
    hook = module.register_forward_hook(lambda m, given, y: found.append(y.mean((2, 3))))
    with torch.no_grad():
        for piece in torch.arange(len(images)).split(64):
            network.module(torch.stack([images[int(i)][0] for i in piece]))
    hook.remove()
    return torch.cat(found)


def ours(network, images, layer):
    with TemporaryDirectory() as folder:
        return torch.from_numpy(extract(network, images, {"y": (layer, "pool")}, Path(folder))["y"].copy())


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", required=True, help="as lib.data.images names them")
    parser.add_argument("--network", default="lite:efficientnet-lite0:random", help="as lib.data.vision names it")
    parser.add_argument("--layer", default="_blocks.15", help="a layer that gives maps")
    parser.add_argument("--count", type=int, default=256, help="images")
    parser.add_argument("--repeats", type=int, default=5, help="timings of each")
    args = parser.parse_args()
    network = load_network(args.network, "cpu")
    whole = open_images(args.images, network.transform)
    images = Images(whole.names[: args.count], whole.labels[: args.count], whole.read, whole.transform, whole.state)
    given = (network, images, args.layer)
    ways = {"lib": lambda: ours(*given), "plain loop, batches of 64": lambda: plain(*given)}
    size = float(plain(*given).abs().max())
    race(f"images through {args.network}", f"{args.count} images", ways, 1e-4 * size, args.repeats)
