"""The benchmark that trains vision transformers from several seeds: what they see, and going on after a stop."""

import cifar_vits
import pytest
import torch
from helpers import normal
from PIL import Image
from torch.nn.functional import cross_entropy, pad

import lib.training
from lib import store
from lib.data.images import open_images
from lib.data.vision import load_network

STEPS = 6


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Trains in an empty project of the name given, on twelve images of three classes; gives the folder of weights."""
    for i in range(18):
        path = tmp_path / ("images" if i < 12 else "new") / "abc"[i % 3] / f"{i}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        noise = normal(32, 32, 3, seed=i).mul(20).add(128 if i % 3 == 0 else 60 * (i % 3))
        Image.fromarray(noise.clamp(0, 255).byte().numpy()).save(path)
    monkeypatch.setattr(cifar_vits, "BATCH", 4)
    monkeypatch.setattr(lib.training, "SECONDS_BETWEEN_CHECKPOINTS", -1)

    def start(project, *seeds):
        monkeypatch.setattr(store, "ROOT", tmp_path / project)
        folder, names = tmp_path / project / "weights", [f"folder:{tmp_path / kind}" for kind in ("images", "new")]
        said = [str(folder), "--images", names[0], "--test", names[1], "--epochs", str(STEPS // 3), "--seeds", *seeds]
        monkeypatch.setattr("sys.argv", ["cifar_vits.py", *said])
        cifar_vits.main()
        return folder

    return start


def stopping(steps):
    """The loss, which raises as Ctrl-C does after so many steps."""
    left = iter(range(steps))

    def loss(*given):
        if next(left, None) is None:
            raise KeyboardInterrupt
        return cross_entropy(*given)

    return loss


def test_a_killed_training_goes_on_and_ends_with_the_same_bytes(run, monkeypatch, capsys):
    kept = (run("whole", "0", "1") / "cifar_vit_seed1.safetensors").read_bytes()
    with monkeypatch.context() as until, pytest.raises(KeyboardInterrupt):
        until.setattr(cifar_vits, "cross_entropy", stopping(STEPS + 4))
        run("killed", "0", "1")
    monkeypatch.setattr(cifar_vits, "cross_entropy", stopping(STEPS - 4))
    capsys.readouterr()
    folder = run("killed", "0", "1")
    assert [path.name for path in sorted(folder.iterdir())] == [f"cifar_vit_seed{i}.safetensors" for i in (0, 1)]
    assert (folder / "cifar_vit_seed1.safetensors").read_bytes() == kept
    assert capsys.readouterr().out.count("of 12 training images right") == 2


def test_what_is_written_is_the_network_whose_accuracy_is_told(run, tmp_path, capsys):
    path = run("some", "5") / "cifar_vit_seed5.safetensors"
    told = capsys.readouterr().out
    network = load_network(f"file:{path}@cifar:vit", "cpu")
    opened = [open_images(f"folder:{tmp_path / kind}", network.transform) for kind in ("new", "images")]
    new, known = (cifar_vits.accuracy(network.module, *cifar_vits.loaded(images)) for images in opened)
    assert told.startswith(f"{path.name}: {new:.3f} of 6, {known:.3f} of 12 training images right")
    start = load_network("cifar:vit:random", "cpu", 5).module.state_dict()
    assert not torch.equal(start["class_token"], network.module.state_dict()["class_token"])


def test_seeds_differ_in_their_start_and_in_what_they_see(monkeypatch, store):
    seen = []
    monkeypatch.setattr(cifar_vits, "cross_entropy", lambda y, labels: seen.append(labels) or cross_entropy(y, labels))
    x, labels = normal(50, 3, 32, 32, dtype=torch.float32), torch.arange(50) % 10
    networks = [cifar_vits.trained(seed, x, labels, 1).state_dict() for seed in (0, 1)]
    assert not torch.equal(*seen)
    assert not torch.equal(*(weights["conv_proj.conv_last.weight"] for weights in networks))


def test_images_are_mirrored_and_shifted_and_nothing_else():
    x, labels = torch.rand(200, 3, 32, 32), torch.arange(200)
    moved, same = cifar_vits.varied(lambda generator: (x, labels))(torch.Generator().manual_seed(0))
    assert torch.equal(same, labels)
    found, bare = [], pad(x, (4, 4, 4, 4))
    for wide, one in zip(bare, moved, strict=True):
        ((top, left, mirror),) = [
            (top, left, mirror)
            for mirror in (False, True)
            for top in range(9)
            for left in range(9)
            if torch.equal(one.flip(2) if mirror else one, wide[:, top : top + 32, left : left + 32])
        ]
        found.append((top, left, mirror))
    tops, lefts, mirrored = zip(*found, strict=True)
    assert {*tops} == {*lefts} == {*range(9)} and 70 < sum(mirrored) < 130
    assert torch.tensor([tops, lefts]).float().corrcoef()[0, 1].abs() < 0.25  # shifted each way on its own


def test_accuracy_is_the_share_of_images_named():
    logits = torch.eye(10)[torch.arange(1200) % 10]
    labels = (torch.arange(1200) % 10) * (torch.arange(1200) < 900)
    assert cifar_vits.accuracy(torch.nn.Identity(), logits, labels) == pytest.approx((900 + 30) / 1200)
