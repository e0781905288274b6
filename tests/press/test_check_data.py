"""Each set is ok, missing or damaged, told in one line; the sets are small ones in the layout of the real."""

import hashlib
from types import SimpleNamespace

import h5py
import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file
from test_v4 import folder as v4_folder  # noqa: F401
from test_v4 import pictures

from book.press import check_data
from book.press.__main__ import main
from book.press.check_data import LAYERS, TIMM, report
from lib.data.nsd import SESSIONS, nsd_files
from lib.data.nsd_simulation import simulate_nsd
from lib.data.vision import load_network


@pytest.fixture
def root(tmp_path, monkeypatch):
    """A folder of data sets that is empty, with caches of weights that are empty too."""
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path / "hub"))
    monkeypatch.setattr(check_data.constants, "HF_HUB_CACHE", str(tmp_path / "hf"))
    (tmp_path / "data").mkdir()
    return tmp_path / "data"


def state(root, name):
    return next(entry[1:] for entry in report(root) if entry[0] == name)


def test_nothing_is_no_error_and_every_set_has_its_line(root, capsys, monkeypatch):
    monkeypatch.setattr(check_data, "LITE", ("no_such_package",))
    assert main(["check-data", "--root", str(root)]) == 0
    lines = capsys.readouterr().out.splitlines()
    names = ["v4", "photos", "cifar_pairs", "vit_pairs", *LAYERS, "nsd", "imagenet"]
    assert [line.split()[0] for line in lines] == [*names, "torchvision", "timm", "lite"]
    assert all(line.split()[1] == "missing" for line in lines)
    assert lines[0].endswith(f"no folder {root / 'v4'}") and lines[-1].endswith("pip install no-such-package")


def test_something_damaged_is_an_error(root, capsys):
    (root / "photos").mkdir()
    (root / "photos" / "a.zip").write_bytes(b"no archive")
    assert main(["check-data", "--root", str(root)]) == 1
    line = next(line for line in capsys.readouterr().out.splitlines() if line.startswith("photos"))
    assert line.split()[1] == "damaged" and "a.zip cannot be opened" in line


def test_v4_is_read_whole(root, v4_folder):  # noqa: F811
    (root / "v4").symlink_to(v4_folder)
    assert state(root, "v4") == ("ok", "V4 1, 5 neurons, 40 images; V4 2, 2 neurons, 3 images")


def test_v4_files_that_do_not_fit_are_damaged(root, v4_folder):  # noqa: F811
    (root / "v4").symlink_to(v4_folder)
    pictures(v4_folder / "images_2.zip", range(4))
    assert state(root, "v4")[0] == "damaged" and "images_2.zip holds 4" in state(root, "v4")[1]


def test_photographs_are_opened(root):
    (root / "photos").mkdir()
    assert state(root, "photos") == ("missing", f"{root / 'photos'} holds no .zip")
    pictures(root / "photos" / "some.zip", range(3))
    assert state(root, "photos") == ("ok", "some.zip, 3 photographs")


# NSD


@pytest.fixture
def nsd(root, monkeypatch):
    """Subject 1, who took part in one session; real subjects took part in thirty and more."""
    monkeypatch.setitem(SESSIONS, 1, 1)
    images = torch.zeros(250, 4, 4, 3, dtype=torch.uint8)
    signal = torch.arange(250.0)[:, None].expand(-1, 6) % 7
    simulate_nsd(root / "nsd", 1, images, {"ventral": (signal, torch.ones(6))}, 1)
    return nsd_files(root / "nsd", 1)


def test_nsd_subjects_that_are_there_are_looked_at(root, nsd):
    assert state(root, "nsd") == ("ok", "subject 1, 1 sessions, 6 ventral voxels")


def test_nsd_without_betas_is_missing(root):
    (root / "nsd").mkdir()
    assert state(root, "nsd") == ("missing", f"{root / 'nsd'} holds no betas of subjects 1, 2, 5, 7")


def brick_of(images):
    def spoil(files):
        files.stimuli.unlink()
        with h5py.File(files.stimuli, "w") as file:
            file["imgBrick"] = torch.zeros(images, 4, 4, 3, dtype=torch.uint8).numpy()

    return spoil


def first_session(change):
    return lambda files: change(files.betas / "betas_session01.nii.gz", files)


@pytest.mark.parametrize(
    ("spoil", "thing"),
    [
        (first_session(lambda path, _: path.unlink()), "lacks 1 of 1 sessions, the first betas_session01"),
        (first_session(lambda path, _: path.write_bytes(b"x")), "betas_session01.nii.gz cannot be read"),
        (first_session(lambda path, files: path.write_bytes(files.streams.read_bytes())), "take both from one subject"),
        (lambda files: files.streams.unlink(), "streams.nii.gz is missing"),
        (lambda files: files.ncsnr.write_bytes(b"x"), "ncsnr.nii.gz cannot be read"),
        (lambda files: files.design.unlink(), "nsd_expdesign.mat is missing"),
        (brick_of(200), "has 200 images"),
    ],
)
def test_nsd_files_that_are_missing_or_damaged_are_named(root, nsd, spoil, thing):
    spoil(nsd)
    found = state(root, "nsd")
    assert found[0] == "damaged" and thing in found[1] and "\n" not in found[1]


def test_nsd_betas_of_another_space_are_named(root, nsd):
    with h5py.File(nsd.betas / "betas_session01.hdf5", "w") as file:
        file["betas"] = torch.zeros(750, 2, 2, 2, dtype=torch.int16).numpy()
    assert state(root, "nsd")[0] == "damaged" and "holds (2, 2, 2, 750)" in state(root, "nsd")[1]


# ImageNet and weights


@pytest.fixture
def imagenet(root, monkeypatch):
    monkeypatch.setattr(check_data, "CLASSES", 2)
    for part in ("train", "val"):
        for name in ("n01", "n02"):
            (root / "imagenet" / part / name).mkdir(parents=True)
            Image.new("RGB", (4, 4)).save(root / "imagenet" / part / name / "a.JPEG", "jpeg")
    return root / "imagenet"


def test_imagenet_has_a_folder_for_each_class_in_both_parts(root, imagenet):
    assert state(root, "imagenet") == ("ok", "train, 2 classes; val, 2 classes")
    (imagenet / "val" / "n02" / "a.JPEG").write_bytes(b"x")
    assert state(root, "imagenet")[0] == "damaged" and "cannot be read" in state(root, "imagenet")[1]
    (imagenet / "val" / "n02" / "a.JPEG").unlink()
    assert "n02 holds no image" in state(root, "imagenet")[1]
    (imagenet / "val" / "n02").rmdir()
    assert "has 1 folders in place of 2" in state(root, "imagenet")[1]


def test_torchvision_weights_are_what_their_names_say(root, monkeypatch, tmp_path):
    digest = hashlib.sha256(b"weights").hexdigest()[:8]
    weights = SimpleNamespace(DEFAULT=SimpleNamespace(url=f"https://x/net-{digest}.pth"))
    monkeypatch.setattr(check_data.models, "get_model_weights", lambda arch: weights)
    assert state(root, "torchvision")[0] == "missing"
    path = tmp_path / "hub" / "checkpoints" / f"net-{digest}.pth"
    path.parent.mkdir(parents=True)
    path.write_bytes(b"weights")
    assert state(root, "torchvision") == ("ok", "resnet50, vit_b_16")
    path.write_bytes(b"weightz")
    assert state(root, "torchvision")[0] == "damaged"


def test_timm_weights_are_looked_for_in_the_hub_cache(root, tmp_path):
    assert state(root, "timm")[0] == "missing" and "hf download" in state(root, "timm")[1]
    for hub in TIMM.values():
        folder = tmp_path / "hf" / f"models--{hub.replace('/', '--')}"
        (folder / "refs").mkdir(parents=True)
        (folder / "refs" / "main").write_text("abc")
        (folder / "snapshots" / "abc").mkdir(parents=True)
        save_file({"w": torch.ones(2)}, folder / "snapshots" / "abc" / "model.safetensors")
    assert state(root, "timm") == ("ok", "dino, clip")
    (folder / "snapshots" / "abc" / "model.safetensors").write_bytes(b"x")
    assert state(root, "timm")[0] == "damaged"


def test_files_of_activations_are_opened_and_must_be_of_the_same_images(root):
    for network in ("a", "b"):
        (root / "mobilenets" / network).mkdir(parents=True)
        np.save(root / "mobilenets" / network / "one.npy", np.ones((4, 2), np.float32))
    assert state(root, "mobilenets") == ("ok", "a 1 layers, b 1 layers; 4 images")
    np.save(root / "mobilenets" / "b" / "one.npy", np.ones((5, 2), np.float32))
    assert state(root, "mobilenets")[0] == "damaged" and "networks of [4, 5] images" in state(root, "mobilenets")[1]
    (root / "mobilenets" / "b" / "one.npy").write_bytes(b"no array")
    assert state(root, "mobilenets")[0] == "damaged" and "one.npy cannot be read" in state(root, "mobilenets")[1]
    (root / "imagenet_layers").mkdir()
    assert state(root, "imagenet_layers")[0] == "missing"


def test_networks_for_cifar_are_loaded_and_their_images_opened(root):
    folder = root / "cifar_pairs"
    folder.mkdir()
    assert state(root, "cifar_pairs") == ("missing", f"{folder} holds no zip of images")
    pictures(folder / "images.zip", range(3))
    assert state(root, "cifar_pairs") == ("missing", f"{folder} holds no state dict")
    network = load_network("cifar:resnet20:random", "cpu").module
    save_file(network.state_dict(), folder / "cifar10_resnet20_run1.safetensors")
    assert state(root, "cifar_pairs") == ("ok", "1 networks; images.zip of 3 images")
    save_file({"x": torch.ones(1)}, folder / "cifar10_resnet20_run2.safetensors")
    assert (
        state(root, "cifar_pairs")[0] == "damaged" and "run2.safetensors does not fit" in state(root, "cifar_pairs")[1]
    )


def test_small_vits_are_loaded_by_the_name_their_training_gives(root):
    folder = root / "vit_pairs"
    folder.mkdir()
    assert state(root, "vit_pairs") == ("missing", f"{folder} holds no state dict")
    weights = load_network("cifar:vit:random", "cpu").module.state_dict()
    save_file(weights, folder / "cifar_vit_seed0.safetensors")
    assert state(root, "vit_pairs") == ("ok", "1 networks")
    save_file({name: x for name, x in list(weights.items())[1:]}, folder / "cifar_vit_seed1.safetensors")
    assert state(root, "vit_pairs")[0] == "damaged" and "seed1.safetensors does not fit" in state(root, "vit_pairs")[1]
