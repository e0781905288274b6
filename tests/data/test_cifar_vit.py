import pytest
import torch
from helpers import close, normal, refuses
from safetensors.torch import save_file

from lib.data.activations import activations, layers
from lib.data.vision import load_network

LAYER = "encoder.layers.encoder_layer_{}"
PARTS = {"stream": "", "mlp": ".mlp"}


@pytest.fixture(scope="module")
def network():
    """Untrained, but with every number away from the 0 or 1 it starts at, the class token and the answer's too."""
    network, drawn = load_network("cifar:vit:random", "cpu", seed=3), torch.Generator().manual_seed(0)
    for weight in network.module.state_dict().values():
        if weight.is_floating_point():
            weight += 0.1 * torch.rand(weight.shape, generator=drawn)
    return network


def images(count=3):
    return normal(count, 3, 32, 32, dtype=torch.float32)


def test_it_has_few_weights_and_four_layers(network):
    assert sum(weight.numel() for weight in network.module.parameters()) == 364_162
    found = [name for name in layers(network) if name.startswith("encoder.layers.") and name.count(".") == 2]
    assert found == [LAYER.format(i) for i in range(4)]


def test_a_layer_adds_attention_and_its_mlp_to_the_stream_and_the_last_is_what_the_answer_reads(network):
    sites = {f"{site}{i}": (LAYER.format(i) + part, "flat") for i in range(4) for site, part in PARTS.items()}
    found = {site: y.unflatten(1, (17, 96)) for site, y in activations(network, images(), sites).items()}
    with torch.no_grad():
        for i in range(1, 4):
            layer, before = network.module.encoder.layers[i], found[f"stream{i - 1}"]
            z = layer.ln_1(before)
            between = before + layer.self_attention(z, z, z, need_weights=False)[0]
            close(found[f"mlp{i}"], layer.mlp(layer.ln_2(between)), 1e-4)
            close(found[f"stream{i}"], between + found[f"mlp{i}"], 1e-4)
        answer = network.module.heads(network.module.encoder.ln(found["stream3"][:, 0]))
        close(network.module(images()), answer, 1e-4)
    assert answer.shape == (3, 10) and answer.std(0).min() > 0


@pytest.mark.parametrize("layer", [LAYER.format(i) + part for i in range(4) for part in PARTS.values()])
def test_the_class_token_and_the_mean_of_all_tokens_are_read_at_each_layer(layer, network):
    sites = {position: (layer, position) for position in ("cls", "pool", "flat")}
    found = activations(network, images(), sites)
    tokens = found["flat"].unflatten(1, (17, 96))
    close(found["cls"], tokens[:, 0])
    close(found["pool"], tokens.mean(1), 1e-5)
    assert not torch.allclose(found["cls"], found["pool"], atol=1e-3)


def test_a_seed_fixes_the_weights():
    first, again, other = (load_network("cifar:vit:random", "cpu", seed=seed).module.state_dict() for seed in (1, 1, 2))
    assert all(torch.equal(first[name], again[name]) for name in first)
    drawn = [name for name in first if first[name].ndim > 1 and first[name].any()]
    assert len(drawn) > 20 and not any(torch.equal(first[name], other[name]) for name in drawn)


@pytest.mark.parametrize("save, suffix", [(save_file, "safetensors"), (torch.save, "pt")])
def test_saved_weights_give_the_same_answers(save, suffix, network, tmp_path):
    save(network.module.state_dict(), tmp_path / f"vit.{suffix}")
    loaded = load_network(f"file:{tmp_path / 'vit'}.{suffix}@cifar:vit", "cpu")
    with torch.no_grad():
        assert torch.equal(loaded.module(images()), network.module(images()))


def test_a_file_cut_short_is_refused(network, tmp_path):
    path = tmp_path / "vit.safetensors"
    save_file(network.module.state_dict(), path)
    path.write_bytes(path.read_bytes()[:-1])
    refuses(f"{path} cannot be read as weights", "copy it anew", load_network, f"file:{path}@cifar:vit", "cpu")


@pytest.mark.parametrize("saved, asked", [("resnet20", "vit"), ("vit", "resnet20")])
def test_weights_of_another_architecture_are_refused(saved, asked, tmp_path):
    path = tmp_path / "other.safetensors"
    save_file(load_network(f"cifar:{saved}:random", "cpu").module.state_dict(), path)
    name = f"file:{path}@cifar:{asked}"
    refuses(f"{path} does not fit cifar:{asked}", "name the architecture it was saved from", load_network, name, "cpu")
