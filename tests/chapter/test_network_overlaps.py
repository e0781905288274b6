import numpy as np
import pandas as pd
import pytest
import torch
from helpers import close, normal, refuses
from PIL import Image
from safetensors.torch import save_file

from lib import store
from lib.ceiling import corrected_cka, overlap
from lib.chapter.network_overlaps import draw_overlaps, expectations, network_overlaps
from lib.chapter.plotting import panels
from lib.data.activations import activations
from lib.data.images import open_images
from lib.data.vision import load_network
from lib.geometry import linear_cka

SITES = ["layer2:centre", "layer3:pool"]


@pytest.fixture
def made(tmp_path, monkeypatch):
    """Four runs of one kind and two of another, with random weights, and 24 images of four classes."""
    monkeypatch.setattr(store, "ROOT", tmp_path)
    pixels = (normal(24, 8, 8, 3).sigmoid() * 255).byte().numpy()
    for i, one in enumerate(pixels):
        path = tmp_path / "images" / f"class{i % 4}" / f"{i}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.ascontiguousarray(one // 2 + 30 * (i % 4))).save(path)
    return [kept(tmp_path, 20, range(10, 14)), kept(tmp_path, 32, range(20, 22)), f"folder:{tmp_path / 'images'}"]


def kept(folder, depth, seeds):
    """Names of files with the weights of random networks."""
    paths = [folder / f"{depth}_{seed}.safetensors" for seed in seeds]
    for path, seed in zip(paths, seeds, strict=True):
        save_file(dict(load_network(f"cifar:resnet{depth}:random", "cpu", seed).module.state_dict()), path)
    return [f"file:{path}@cifar:resnet{depth}" for path in paths]


def seen(names, images, layer, position, seed=0):
    networks = [load_network(name, "cpu", seed + i) for i, name in enumerate(names)]
    x = torch.stack([image for image, _ in open_images(images, networks[0].transform)])
    return [activations(network, x, {"site": (layer, position)})["site"].double() for network in networks]


def at(table, pair, site):
    rows = table[(table.pair == pair) & (table.site == site)]
    return rows.iloc[0] if len(rows) == 1 else rows


def test_each_row_is_the_overlap_of_what_it_names(made):
    runs_a, runs_b, images = made
    table = network_overlaps(*made, SITES, "cpu")
    a, b = (seen(runs, images, "layer3", "pool") for runs in (runs_a, runs_b))
    new_a, new_b = (
        seen([f"cifar:resnet{d}:random"] * n, images, "layer3", "pool", s) for d, n, s in ((20, 4, 0), (32, 2, 4))
    )
    labels = np.array(open_images(images).labels)
    less = [[y - torch.stack([y[labels == label].mean(0) for label in labels]) for y in runs] for runs in (a, b)]
    systems = {"trained": (a, b), "within_class": less, "untrained": (new_a, new_b), "half_trained": (a, new_b)}
    for pair, system in systems.items():
        row, wanted = at(table, pair, "layer3:pool"), overlap(*system)
        close(list(row[["corrected", "low", "high"]]), [wanted.estimate, wanted.low, wanted.high], 1e-6)
        cka = [float(linear_cka(x, y, debiased=True)) for x in system[0] for y in system[1]]
        close(row.cka, sum(cka) / len(cka), 1e-6)
        by_one = [float(corrected_cka(x, y)) for x in system[0] for y in system[1]]
        close(row.by_one, sum(by_one) / len(by_one), 1e-5)
        close(list(row[["features_a", "features_b"]]), wanted.features[:2], 1e-4)
    close(at(table, "trained", "layer3:pool").cka_b, linear_cka(*b, debiased=True), 1e-6)
    assert abs(at(table, "trained", "layer2:centre").corrected - at(table, "trained", "layer3:pool").corrected) > 1e-3


def test_halves_are_dealt_in_each_way(made):
    table = network_overlaps(*made, SITES, "cpu")
    runs_a, _, images = made
    a, b, c, d = seen(runs_a, images, "layer2", "centre")
    wanted = [float(overlap(*deal)) for deal in (((a, b), (c, d)), ((a, c), (b, d)), ((a, d), (b, c)))]
    close(at(table, "halves_a", "layer2:centre").corrected.tolist(), wanted, 1e-6)
    assert "halves_b" not in set(table.pair)  # two runs


def test_shuffled_images_share_nothing_and_random_networks_do_not_start_alike(made):
    """Architectures that begin with the same layers draw the same weights from one seed."""
    runs_a, _, images = made
    table = network_overlaps(runs_a[:2], runs_a[2:], images, ["conv1:centre", "layer2:centre"], "cpu")
    assert at(table, "untrained", "conv1:centre").cka < 0.99
    trained, shuffled = (at(table, pair, "layer2:centre") for pair in ("trained", "shuffled"))
    close(list(shuffled[["cka_a", "cka_b"]]), list(trained[["cka_a", "cka_b"]]))
    assert abs(shuffled.cka) < 0.4 * trained.cka


def test_what_is_missing_is_named(made):
    refuses("layer of file", "layer3", network_overlaps, *made, ["layer4:pool"], "cpu")


def test_a_mark_for_each_row_and_site():
    columns = {"cka": 0.5, "corrected": 0.9, "low": 0.8, "high": 1.1}
    rows = [{"pair": pair, "site": site, **columns} for pair in ("shuffled", "trained") for site in SITES]
    (ax,) = panels(1)
    draw_overlaps(ax, pd.DataFrame(rows))
    assert [label.get_text() for label in ax.get_yticklabels()] == ["trained", "trained, images\nof b shuffled"]
    assert ax.get_legend_handles_labels()[1] == SITES
    points = [line for line in ax.lines if line.get_marker() == "|"]
    assert [list(line.get_xdata()) for line in points] == [[0.5, 0.5], [0.5, 0.5]]
    assert points[0].get_ydata()[0] > points[0].get_ydata()[1]  # in the order of the words, not of the rows


EXPECTED = {  # at three sites; halves come in three ways
    **dict.fromkeys(("halves_a", "halves_b"), (1.0, 1.0, 1.0)),
    "shuffled": (0.0, 0.01, -0.01),
    "untrained": (0.5, 0.5, 0.95),
    "half_trained": (0.6, 0.2, 0.2),
    "within_class": (0.9, 0.7, 0.8),
    "trained": (0.9, 0.9, 0.9),
}


def as_expected(**changed):
    rows = [
        (pair, site, value + off, 10.0, 10.0, 1.3 if site == "middle" else 1.0)
        for pair, values in (EXPECTED | changed).items()
        for site, value in zip(("middle", "deep", "pooled"), values, strict=True)
        for off in ((-0.05, 0.0, 0.05) if "halves" in pair else (0.0,))
    ]
    return pd.DataFrame(rows, columns=["pair", "site", "corrected", "features_a", "features_b", "by_one"])


def test_what_was_expected_holds():
    assert all(expectations(as_expected()).values())


@pytest.mark.parametrize(
    ("name", "changed"),
    [
        ("halves", {"halves_b": (1.0, 1.04, 1.0)}),
        ("halves", {"halves_a": (1.06, 1.0, 1.0)}),
        ("shuffled", {"shuffled": (0.0, 0.03, 0.0)}),
        ("untrained", {"untrained": (0.99, 0.99, 0.89)}),
        ("half_trained", {"half_trained": (0.6, 0.31, 0.2)}),
        ("half_trained", {"half_trained": (0.71, 0.2, 0.2)}),
        ("within_class", {"within_class": (0.9, 0.91, 0.8)}),
        ("within_class", {"within_class": (0.84, 0.7, 0.8)}),
    ],
)
def test_each_expectation_can_fail(name, changed):
    assert [one for one, holds in expectations(as_expected(**changed)).items() if not holds] == [name]


def test_the_count_of_features_can_fail():
    assert not expectations(as_expected().assign(features_b=14.0))["features"]


@pytest.mark.parametrize("value", [1.0, 1.3])
def test_what_one_network_of_each_gives_can_fail_at_either_end(value):
    assert not expectations(as_expected().assign(by_one=value))["by_one"]
