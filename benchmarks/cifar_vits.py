"""Trains small vision transformers for CIFAR-10 from several seeds: networks that differ by their seed alone.

    python benchmarks/cifar_vits.py FOLDER --images zip:TRAIN --test zip:TEST [--seeds 0 1 2 3] [--epochs 40]

Writes FOLDER/cifar_vit_seed0.safetensors and so on, which load as file:FOLDER/cifar_vit_seed0.safetensors@cifar:vit,
and says how often each names the class of a test image and of an image that it was trained on. `--images` and `--test`
name labelled images as `lib.data.images` does: `cifar10-train:ROOT` and `cifar10:ROOT` are all of CIFAR-10 as
torchvision stores it. A seed decides the initial weights, the order of the images and how each is mirrored and shifted.
A run that was stopped goes on at its last checkpoint, in build/trained, and ends with the same bytes.
"""

import argparse
from pathlib import Path
from time import process_time

import torch
from safetensors.torch import save_file
from torch.nn.functional import cross_entropy, pad

from lib.data.images import Images, open_images
from lib.data.vision import load_network
from lib.store import whole
from lib.training import Trainable, random_batches, train

BATCH, LR, DECAY = 128, 1e-3, 0.05
MARGIN = 4  # pixels by which an image is shifted at most, either way


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--images", required=True, help="to train on, as zip:PATH or cifar10-train:ROOT")
    parser.add_argument("--test", required=True, help="held out, as zip:PATH or cifar10:ROOT")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2, 3])
    parser.add_argument("--epochs", type=int, default=40)
    given = parser.parse_args()
    torch.set_num_threads(1)
    transform = load_network("cifar:vit:random", "cpu").transform
    learn, held_out = (loaded(open_images(name, transform)) for name in (given.images, given.test))
    for seed in given.seeds:
        begun, path = process_time(), given.folder / f"cifar_vit_seed{seed}.safetensors"
        network = trained(seed, *learn, given.epochs * len(learn[0]) // BATCH)
        with whole(path) as part:
            save_file(network.state_dict(), part)
        right = ", ".join(f"{accuracy(network, *data):.3f} of {len(data[0])}" for data in (held_out, learn))
        print(f"{path.name}: {right} training images right, {process_time() - begun:.0f} s of a core", flush=True)


def loaded(images: Images) -> tuple[torch.Tensor, torch.Tensor]:
    """All images in memory, prepared as the network wants them, and their classes."""
    return torch.stack([images[i][0] for i in range(len(images))]), torch.tensor(images.labels)


def trained(seed: int, images: torch.Tensor, labels: torch.Tensor, steps: int) -> torch.nn.Module:
    model = Classifier(load_network("cifar:vit:random", "cpu", seed).module)
    draw = varied(random_batches(images, labels, size=BATCH))
    return train(model, draw, steps, "cifar-vit", seed, LR, cosine=True, weight_decay=DECAY).model.network.eval()


class Classifier(Trainable):
    """One network, trained to name the class of an image: the loss is the mean cross-entropy."""

    def __init__(self, network: torch.nn.Module):
        super().__init__()
        self.network = network.train().requires_grad_()

    def backward(self, batch: tuple[torch.Tensor, torch.Tensor]) -> dict[str, torch.Tensor]:
        images, labels = batch
        self.zero_grad()
        loss = cross_entropy(self.network(images), labels)
        loss.backward()
        return {"loss": loss.detach()[None]}


def varied(draw):
    """The batches of `draw` with every second image mirrored on average, and each shifted by up to 4 pixels."""

    def changed(generator):
        images, labels = draw(generator)
        count, side = len(images), images.shape[-1]
        top, left = torch.randint(2 * MARGIN + 1, (2, count, 1), generator=generator)
        mirrored = torch.rand(count, 1, generator=generator) < 0.5
        places = torch.arange(side)
        rows, columns = top + places, left + torch.where(mirrored, places.flip(0), places)
        moved = pad(images, [MARGIN] * 4)[torch.arange(count)[:, None, None], :, rows[:, :, None], columns[:, None]]
        return moved.movedim(-1, 1).contiguous(), labels

    return changed


@torch.no_grad()
def accuracy(network: torch.nn.Module, images: torch.Tensor, labels: torch.Tensor) -> float:
    """The share of images whose class gets the largest logit."""
    told = torch.cat([network(part).argmax(1) for part in images.split(500)])
    return float((told == labels).float().mean())


if __name__ == "__main__":
    main()
