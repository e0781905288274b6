import lib.pairs
import numpy as np
import pytest
import torch
from helpers import close, normal, refuses

from lib.data.digits import digit_grid
from lib.data.extraction import responses, stacked, stored_batches, stored_responses
from lib.data.images import open_images
from lib.data.stand_ins import GridMLP
from lib.features import bernoulli_uniform, seeded
from lib.matching import soft_matching_score
from lib.moments import stream_moments
from lib.pairings import (
    PAIRINGS,
    align_pairs,
    centre_and_scale,
    explained_variance,
    feature_correlations,
    pair_moments,
    pairing_scores,
    participation_ratio,
)
from lib.sae import TopKSAE


def saes(units=6, latents=8, k=2, models=4):
    return TopKSAE(units, latents, k, list(range(models))), TopKSAE(units, latents, k, list(range(10, 10 + models)))


def test_responses_are_each_networks_own():
    images, _ = digit_grid(5200, seed=0)
    networks = [GridMLP((8, 4)), GridMLP((8, 4))]
    found = responses(networks, images, {"one": ("body.1", "flat"), "two": ("body.3", "flat")})
    assert [(site, *y.shape) for site, y in found.items()] == [("one", 2, 5200, 8), ("two", 2, 5200, 4)]
    for y, network in zip(found["two"], networks, strict=True):
        close(y, network.body(images.flatten(1)).detach(), 1e-5)


def test_standardised_responses_have_mean_zero_and_total_variance_one():
    y = 3 * normal(2, 100, 5) + 7
    centre, scale = centre_and_scale(y)
    z = (y - centre) / scale
    close(z.mean(1), torch.zeros(2, 5))
    close(z.var(1, correction=0).sum(1), torch.ones(2))


@pytest.mark.parametrize(("values", "wanted"), [([1, 1, 1, 0], 3), ([5, 0, 0, 0], 1), ([4, 2], 36 / 20)])
def test_participation_ratio_counts_equal_dimensions(values, wanted):
    close(participation_ratio(torch.tensor(values).double()), wanted)


def test_explained_variance_of_a_perfect_and_of_an_empty_sae():
    z = bernoulli_uniform(6000, 6, 0.3, seeded(0), torch.float32)
    y = torch.stack([z, 2 * z])
    sae = TopKSAE(6, 6, 6, [0, 1])
    with torch.no_grad():
        sae.encoder.copy_(torch.eye(6).expand(2, -1, -1))
        sae.decoder.copy_(torch.eye(6).expand(2, -1, -1))
        close(explained_variance(sae, y), torch.ones(2), 1e-6)
        sae.decoder.zero_()
        sae.decoder_bias.copy_(y.mean(1, keepdim=True))
    close(explained_variance(sae, y), torch.zeros(2), 1e-6)


def test_pairing_scores_are_those_of_the_populations_named():
    y = normal(4, 1000, 6, dtype=torch.float32)
    y[1::2] += 2 * y[::2, :, torch.randperm(6, generator=seeded(1))]
    sae, control = saes()
    scores = pairing_scores(y, sae, control)
    assert tuple(scores) == PAIRINGS
    named = {"n": y, "s": sae.latents(y), "r": control.latents(y)}
    for ab, found in scores.items():
        a, b = named[ab[0]][::2], named[ab[1]][1::2]
        wanted = align_pairs(
            [stream_moments([{"a": a[i, j::5], "b": b[i, j::5]} for j in range(5)]) for i in range(2)], "a", "b"
        )
        for x, want in zip(found, wanted, strict=True):
            close(x, want, 1e-6)
    close(scores["nn"].soft, [soft_matching_score(y[i], y[i + 1]).mean for i in (0, 2)], 0.02)


def test_networks_that_share_their_features_score_one_by_codes_alone():
    z = bernoulli_uniform(3000, 8, 0.1, seeded(0), torch.float32)
    decoder = torch.nn.functional.normalize(normal(2, 8, 8, dtype=torch.float32), dim=-1)
    sae, control = saes(8, 8, 8, 2)
    with torch.no_grad():
        sae.encoder.copy_(torch.linalg.inv(decoder))
    scores = pairing_scores(z @ decoder, sae, control)
    close(scores["ss"].soft, [1], 1e-3)
    assert scores["nn"].soft < 0.7 and scores["rs"].soft < 0.7


def test_known_features_can_be_one_of_the_populations():
    y = normal(2, 1000, 6, dtype=torch.float32)
    sae, control = saes(models=2)
    (moments,) = pair_moments(y, sae, control, "fn", y[1, :, :3] > 0)
    found = feature_correlations(moments, "f_a", "n_b")
    close(found, torch.full((3,), (2 / torch.pi) ** 0.5), 0.03)


def test_silent_latents_are_left_out():
    y = normal(2, 1000, 6, dtype=torch.float32)
    sae, control = saes(models=2)
    with torch.no_grad():
        sae.encoder_bias[1, :, 3] = -100
    (moments,) = pair_moments(y, sae, control, "ss")
    assert [len(moments.places[name]) for name in ("s_a", "s_b")] == [8, 7]


def test_stored_batches_are_rows_of_the_files_standardised():
    files = [np.arange(40, dtype=np.float32).reshape(20, 2) + i for i in (0, 100)]
    centre, scale = torch.tensor([[[1.0, 1.0]], [[101.0, 101.0]]]), torch.full((2, 1, 1), 2.0)
    y = stored_batches(files, centre, scale, 7)(seeded(0))
    assert y.shape == (2, 7, 2)
    close(y[0], y[1])
    assert all(row.tolist() in ((files[0] - 1) / 2).tolist() for row in y[0])


def test_a_layer_without_position_is_refused():
    refuses("layer 'layer4' lacks its position", "write layer4:cls", stored_responses, "x", ["layer4"], "y", "cpu", 0)


def test_stored_responses_are_kept_and_found(tmp_path, monkeypatch):
    from PIL import Image

    monkeypatch.setattr(lib.pairs, "ROOT", tmp_path)
    folder = tmp_path / "photos"
    folder.mkdir()
    for i in range(3):
        Image.new("RGB", (40, 40), (80 * i, 20, 200)).save(folder / f"{i}.png")
    layers = ["layer1.0.bn2:centre", "avgpool:flat"]
    arguments = ("torchvision:resnet18:random", layers, f"folder:{folder}", "cpu")
    first, second, other = (stored_responses(*arguments, seed) for seed in (0, 0, 1))
    assert [y.shape for y in first] == [(3, 64), (3, 512)]
    close(stacked(first[:1], step=2), torch.tensor(first[0][[0, 2]])[None])
    assert all((a == b).all() for a, b in zip(first, second, strict=True)) and not np.allclose(first[1], other[1])
    assert len(list((tmp_path / "build" / "activations").iterdir())) == 2


def test_responses_to_opened_images_are_those_to_images_by_name_and_are_told_apart(tmp_path, monkeypatch):
    from PIL import Image

    monkeypatch.setattr(lib.pairs, "ROOT", tmp_path)
    for folder, value in (("a", 80), ("b", 160)):
        (tmp_path / folder).mkdir()
        for i in range(2):
            Image.new("RGB", (40, 40), (value * i, 20, value)).save(tmp_path / folder / f"{i}.png")

    def stored(images):
        return stored_responses("torchvision:resnet18:random", ["avgpool:flat"], images, "cpu", 0)[0]

    opened = [open_images(f"folder:{tmp_path / folder}") for folder in "ab"]
    assert (stored(opened[0]) == stored(f"folder:{tmp_path / 'a'}")).all()
    assert not np.allclose(stored(opened[0]), stored(opened[1]))  # same names, other pictures
    assert opened[0].transform is None  # left as it was
