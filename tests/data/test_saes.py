"""Checkpoints and codes that the libraries wrote (by write_saes.py), and the same files damaged in every way."""

import json
import os
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from helpers import close, normal, refuses
from safetensors.torch import load_file, save_file
from scipy import sparse

from lib.data import saes
from lib.data.saes import Settings, brought_along, load_codes, load_sae
from lib.matching import soft_matching_score

HERE = Path(__file__).parent / "saes"
FOLDERS = sorted(place for place in HERE.iterdir() if place.is_dir())
Y = torch.from_numpy(np.load(HERE / "responses.npy"))
UNUSED = {  # beside what counts
    "vit_prisma_gated": ["b_enc"],
    "dictionary_learning_topk": ["threshold"],
    "dictionary_learning_matryoshka": ["group_sizes"],
}


@pytest.fixture(params=[place.name for place in FOLDERS])
def folder(request):
    return HERE / request.param


def library(folder):
    return np.load(folder / "library.npz")


def told(folder):
    return str(library(folder)["told"])


def weights(folder):
    return next(file for file in folder.iterdir() if file.suffix in (".safetensors", ".pt"))


def stored(folder):
    """The tensors of a checkpoint by their names; ViT-Prisma's configuration lies beside them as well."""
    file = weights(folder)
    if file.suffix == ".safetensors":
        return load_file(file)
    with torch.serialization.safe_globals([(Settings, name) for name in saes.PICKLED]):
        found = torch.load(file, weights_only=True)
    return found.get("state_dict", found)


@pytest.fixture
def altered(folder, tmp_path):
    """What writes the checkpoint anew with other tensors, or another configuration, and returns its path."""

    def write(tensors=None, **settings):
        place = tmp_path / "altered"
        shutil.copytree(folder, place, dirs_exist_ok=True)
        file = weights(place)
        if tensors is not None or file.name == "weights.pt":
            tensors = stored(folder) if tensors is None else tensors
            save_file(tensors, file) if file.suffix == ".safetensors" else torch.save(tensors, file)
        for config in [*place.glob("cfg.json"), *place.glob("config.json")]:
            config.write_text(json.dumps(json.loads(config.read_text()) | settings))
        return f"{place}{told(folder)}"

    return write


def test_codes_are_those_of_the_library(folder):
    codes = load_sae(f"{folder}{told(folder)}").encode(Y)
    close(codes, library(folder)["codes"], 1e-6)
    assert codes.dtype == torch.float32 and (codes > 0).any(0).sum() > 5


def test_reconstructions_are_those_of_the_library(folder):
    sae = load_sae(f"{folder}{told(folder)}")
    found = sae.decode(sae.encode(Y))
    if sae.normalise == "layer_norm":
        found = found * (Y - Y.mean(1, keepdim=True)).std(1, keepdim=True) + Y.mean(1, keepdim=True)
    if sae.normalise == "constant_norm":
        found = found * Y.norm(dim=1, keepdim=True) / Y.shape[1] ** 0.5
    wanted = torch.as_tensor(library(folder)["decoded"])
    close(found, wanted, 1e-6 * max(3, float(wanted.abs().max())))  # single precision, on any processor


def test_every_library_and_kind_is_there():
    kinds = {load_sae(f"{folder}{told(folder)}").kind for folder in FOLDERS}
    assert sorted({kind.split()[0] for kind in kinds}) == sorted(re.split(", | and ", saes.LIBRARIES))
    assert {load_sae(f"{folder}{told(folder)}").normalise for folder in FOLDERS} == set(saes.SCALINGS.values())


def test_a_stimulus_has_its_codes_whatever_the_others_are(folder, monkeypatch):
    sae = load_sae(f"{folder}{told(folder)}")
    whole = sae.encode(Y)
    close(sae.encode(Y[3:4]), whole[3:4], 1e-6)
    monkeypatch.setattr(saes, "PART", 5)
    close(sae.encode(Y), whole, 1e-6)


def test_the_file_of_weights_will_do_for_its_folder(folder):
    close(load_sae(f"{weights(folder)}{told(folder)}").encode(Y), library(folder)["codes"], 1e-6)


def test_weights_written_anew_are_read_as_well(folder, altered):
    close(load_sae(altered(stored(folder))).encode(Y), library(folder)["codes"], 1e-6)


def test_a_file_cut_short_is_refused(folder, tmp_path):
    place = shutil.copytree(folder, tmp_path / "short")
    size = weights(place).stat().st_size
    for share in (0, 0.3, 0.9):
        os.truncate(weights(place), int(share * size))
        refuses(f"{place}{told(folder)} cannot be read", "copy it anew", load_sae, f"{place}{told(folder)}")
        shutil.copy(weights(folder), weights(place))


def test_a_configuration_cut_short_is_refused(folder, altered):
    place = altered()
    for config in Path(place).glob("c*fg.json"):
        config.write_text(config.read_text()[:30])
        refuses(f"{config} cannot be read", "copy it anew", load_sae, place)


def test_without_any_of_its_tensors_it_is_refused(folder, altered):
    for name in stored(folder):
        place = altered({other: value for other, value in stored(folder).items() if other != name})
        with pytest.raises(ValueError, match="lacks|readable are|add :k") as caught:
            load_sae(place)
        assert "\n" not in str(caught.value) and str(caught.value).startswith(place)


def test_tensors_it_does_not_know_are_refused(folder, altered):
    place = altered({**stored(folder), "W_skip": torch.ones(6, 6)})
    refuses(f"{place}: it also holds W_skip", "readable are", load_sae, place)


def test_wrong_shapes_and_nan_are_refused(folder, altered):
    used = {name: value for name, value in stored(folder).items() if name not in UNUSED.get(folder.name, [])}
    for name, value in used.items():
        if value.ndim:
            for wrong in (torch.cat([value, value[:1]]), value[None].clone()):
                place = altered({**stored(folder), name: wrong})
                with pytest.raises(ValueError, match="of shape|of another form") as caught:
                    load_sae(place)
                assert "\n" not in str(caught.value) and str(caught.value).startswith(place)
        if value.is_floating_point():
            wrong = value.flatten().index_fill(0, torch.tensor(0), torch.nan).view(value.shape)
            place = altered({**stored(folder), name: wrong})
            refuses(f"{place}: its", "remove or replace", load_sae, place)


SETTINGS = {
    ("sae_lens_standard", "normalize_activations"): ("expected_average_only_in", "covariance_whitening"),
    ("sae_lens_jumprelu", "architecture"): ("transcoder", "temporal", "matching_pursuit", "abstopk"),
    ("sae_lens_before_6", "activation_fn_str"): ("tanh-relu",),
    ("sae_lens_topk", "k"): (0, 11, 2.5, "many", None),
    ("sparsify_topk", "activation"): ("groupmax",),
    ("sparsify_topk", "transcode"): (True,),
    ("sparsify_topk", "skip_connection"): (True,),
    ("sparsify_topk", "k"): (-1, 11),
    ("vit_prisma_relu", "activation_fn_str"): ("tanh-relu",),
    ("vit_prisma_relu", "is_transcoder"): (True,),
    ("vit_prisma_gated", "architecture"): ("jumprelu",),
    ("dictionary_learning_topk", "trainer"): ({}, {"dict_class": "Other"}, 3),
}


@pytest.mark.parametrize(("folder", "name"), SETTINGS, ids="-".join, indirect=["folder"])
def test_settings_that_would_change_the_codes_are_refused(folder, name, altered):
    for value in SETTINGS[(folder.name, name)]:
        place = altered(**{name: value})
        with pytest.raises(ValueError, match="readable are|such a number|put the config.json") as caught:
            load_sae(place)
        assert "\n" not in str(caught.value) and str(caught.value).startswith(place)


def test_without_its_configuration_it_says_so(tmp_path):
    for name, message in {
        "sae_lens_topk": "no cfg.json",
        "sparsify_topk": "no cfg.json",
        "dictionary_learning_topk": "the configuration says None",
        "dictionary_learning_batchtopk": "the configuration says None",
    }.items():
        file = shutil.copy(weights(HERE / name), tmp_path / weights(HERE / name).name)
        with pytest.raises(ValueError, match=message):
            load_sae(file)


def test_a_checkpoint_of_dictionary_learning_has_its_configuration_above(tmp_path):
    folder = HERE / "dictionary_learning_batchtopk"
    (tmp_path / "checkpoints").mkdir()
    shutil.copy(folder / "config.json", tmp_path)
    file = shutil.copy(folder / "ae.pt", tmp_path / "checkpoints" / "ae_500.pt")
    close(load_sae(file).encode(Y), library(folder)["codes"], 1e-6)


def test_what_overcomplete_does_not_save_is_asked_for():
    file = HERE / "overcomplete_topk" / "sae.pt"
    refuses(f"{file}: overcomplete saves no k", "add :k=16", load_sae, str(file))
    refuses(f"{file}:k=0: k is 0", "1 to 10", load_sae, f"{file}:k=0")
    refuses(f"{file}:k=3 does not exist"[-14:], "check the path", load_sae, f"{file.parent}/other.pt:k=3")
    close(load_sae(f"{file}:k=10").encode(Y), load_sae(f"{file}:threshold=0").encode(Y), 0)


def test_overcomplete_keeps_a_code_that_equals_its_threshold():
    file = HERE / "overcomplete_batchtopk" / "sae.pt"
    codes = load_sae(f"{file}:threshold=0").encode(Y)
    edge = codes[codes > 0].median()
    close(load_sae(f"{file}:threshold={edge.item()}").encode(Y), torch.where(codes >= edge, codes, 0), 0)


def test_what_the_file_says_is_not_to_be_said_again():
    for name in ("sae_lens_topk", "dictionary_learning_topk", "overcomplete_jumprelu", "vit_prisma_topk"):
        refuses(f"{HERE / name}:k=3 says itself", "leave out", load_sae, f"{HERE / name}:k=3")


class Danger:
    """Would make a folder, if anything unpickled it."""

    def __init__(self, place):
        self.place = str(place)

    def __reduce__(self):
        return os.mkdir, (self.place,)


def test_code_in_a_file_is_refused_and_not_run(tmp_path):
    trap, file = tmp_path / "trap", tmp_path / "ae.pt"
    tensors = stored(HERE / "dictionary_learning_gated")
    wholes = [Danger(trap), {**tensors, "r_mag": Danger(trap)}, {"cfg": Danger(trap), "state_dict": tensors}]
    for whole in [*wholes, torch.nn.Linear(6, 10)]:
        torch.save(whole, file)
        refuses(f"{file} cannot be read", "sae.state_dict()", load_sae, str(file))
    assert not trap.exists()


def test_other_files_are_named_with_what_is_readable(tmp_path):
    refuses(f"{tmp_path} holds 0 files of weights", "give the path", load_sae, str(tmp_path))
    refuses(f"{tmp_path}/no does not exist", "check the path", load_sae, f"{tmp_path}/no")
    save_file({"fc.weight": Y, "fc.bias": Y[0].clone()}, tmp_path / "net.safetensors")
    refuses("holds fc.bias, fc.weight, and no cfg.json", "readable are", load_sae, str(tmp_path))
    torch.save({"fc.weight": Y, "fc.bias": Y[0]}, tmp_path / "net.pt")
    refuses("holds fc.weight, fc.bias, and no cfg.json", "readable are", load_sae, str(tmp_path / "net.pt"))
    refuses(f"{tmp_path} holds 2 files of weights", "give the path", load_sae, str(tmp_path))
    torch.save([Y], tmp_path / "net.pt")
    refuses("net.pt holds no table of weights", "readable are", load_sae, str(tmp_path / "net.pt"))


def test_half_precision_is_read_as_float32(tmp_path):
    folder = shutil.copytree(HERE / "sparsify_topk", tmp_path / "half")
    save_file({name: value.bfloat16() for name, value in stored(folder).items()}, weights(folder))
    assert load_sae(str(folder)).encode(Y).dtype == torch.float32


def test_responses_of_another_layer_are_refused():
    sae = load_sae(str(HERE / "sae_lens_topk"))
    assert repr(sae) == "SAELens topk SAE: 6 units, 10 latents, k = 3"
    refuses("y has shape (16, 5)", "give (stimuli, 6)", sae.encode, Y[:, :5])
    refuses("y has shape (6,)", "give (stimuli, 6)", sae.encode, Y[0])
    refuses("y has 1 NaN", "remove or replace", sae.encode, torch.where(Y == Y.max(), torch.nan, Y))
    close(sae.encode(Y.double().numpy()), sae.encode(Y), 0)


def test_one_sae_in_two_libraries_matches_in_full(tmp_path):
    """Written as dictionary_learning's JumpReLU, with its latents in another order."""
    a, order = load_sae(str(HERE / "sae_lens_jumprelu")), torch.randperm(10, generator=torch.Generator().manual_seed(1))
    tensors = stored(HERE / "sae_lens_jumprelu")
    tensors["b_enc"] = tensors["b_enc"] - tensors["b_dec"] @ tensors["W_enc"]  # which does not centre
    tensors["W_enc"] = tensors["W_enc"][:, order]
    tensors |= {name: tensors[name][order] for name in ("b_enc", "W_dec", "threshold")}
    torch.save(tensors, tmp_path / "ae.pt")
    y = normal(200, 6, dtype=torch.float32)
    codes_a, codes_b = a.encode(y), load_sae(str(tmp_path)).encode(y)
    assert soft_matching_score(codes_a, codes_b).mean > 0.9999
    assert soft_matching_score(codes_a[:, :5], codes_b[:, :5]).mean < 0.9


CODES = sparse.random(12, 20, density=0.2, random_state=np.random.default_rng(0), dtype=np.float32)


@pytest.mark.parametrize("form", ["csr", "csc", "bsr"])
@pytest.mark.parametrize("kind", [sparse.csr_matrix, sparse.csr_array])
def test_sparse_codes_are_read_dense(form, kind, tmp_path):
    path = tmp_path / "codes.npz"
    sparse.save_npz(path, kind(CODES).asformat(form))
    close(load_codes(str(path)), CODES.toarray(), 0)
    assert load_codes(str(path)).dtype == torch.float32


def test_dense_codes_are_read_too(tmp_path):
    np.save(tmp_path / "codes.npy", CODES.toarray())
    np.savez(tmp_path / "codes.npz", layer4=CODES.toarray())
    for name in ("codes.npy", "codes.npz", "codes.npz:layer4"):
        close(load_codes(f"{tmp_path}/{name}"), CODES.toarray(), 0)


def test_damaged_sparse_codes_are_refused(tmp_path):
    path = tmp_path / "codes.npz"
    sparse.save_npz(path, CODES.tocsr())
    parts = dict(np.load(path))
    path.write_bytes(path.read_bytes()[:300])
    refuses(f"{path} cannot be read", "copy it anew", load_codes, str(path))
    refuses("none.npz does not exist", "check", load_codes, f"{tmp_path}/none.npz")
    for name, value in {"indices": parts["indices"] + 10**6, "indptr": parts["indptr"][::-1], "data": "x"}.items():
        np.savez(path, **{**parts, name: value})
        with pytest.raises(ValueError, match="cannot be read|holds") as caught:
            load_codes(str(path))
        assert "\n" not in str(caught.value)
    np.savez(path, **{**parts, "data": np.full_like(parts["data"], np.nan)})
    refuses(f"{path} has {len(parts['data'])} NaN", "remove or replace", load_codes, str(path))
    sparse.save_npz(path, CODES.tocoo())
    refuses(f"{path} cannot be read", "codes.tocsr()", load_codes, str(path))
    sparse.save_npz(path, sparse.csr_matrix((0, 5)))
    refuses(f"{path} is empty", "at least one", load_codes, str(path))


def test_activations_that_sae_lens_cached_are_named(tmp_path):
    (tmp_path / "dataset_info.json").write_text("{}")
    refuses(f"{tmp_path} holds activations cached by SAELens", "numpy.save", load_codes, str(tmp_path))


def test_checkpoints_and_codes_are_brought_by_both_networks_or_neither(tmp_path):
    """Two or four checkpoints, or two files of codes; responses are encoded as given."""
    y = [torch.randn(20, 12, generator=torch.Generator().manual_seed(i)) for i in (0, 1)]
    paths = [str(tmp_path / f"{i}.npy") for i in (0, 1)]
    for path, one in zip(paths, y, strict=True):
        np.save(path, one.relu().numpy())
    codes, decoders = brought_along(y, [""] * 4, paths)
    assert torch.equal(codes[1], y[1].relu()) and decoders == []
    assert brought_along(y, [""] * 4, [""] * 2) == ([], [])
    a, b = (str(HERE / name) for name in ("sparsify_topk", "dictionary_learning_topk"))
    width = len(load_sae(a).encoder)
    y = [torch.randn(20, width), torch.randn(20, width)]
    codes, decoders = brought_along(y, [a, b, b, a], [""] * 2)
    assert torch.equal(codes[2], load_sae(b).encode(y[0])) and torch.equal(decoders[3], load_sae(a).decoder)
    none, one = ["", ""], [paths[0], ""]
    for bad, files in ((a, "", "", ""), none), ((a, b, a, ""), none), (("", "", a, b), none), ((a, b, "", ""), paths):
        refuses("sae_a and sae_b", "codes_a and codes_b", brought_along, y, [*bad], files)
    refuses("sae_a and sae_b", "codes_a and codes_b", brought_along, y, [""] * 4, one)
    y[1] = y[1][:, 1:]
    refuses("does not suit the responses of b", f"(stimuli, {width})", brought_along, y, [a, b, "", ""], none)
