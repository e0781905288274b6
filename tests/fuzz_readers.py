"""Every reader of the project, with what writes a small sound file for it: the subjects of `tests/fuzz.py`."""

import gzip
import io
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple
from unittest.mock import patch
from zipfile import ZipFile

import h5py
import numpy as np
import pandas as pd
import torch
import yaml
from PIL import Image
from safetensors.torch import save_file
from scipy import sparse
from scipy.io import savemat
from torch import nn
from torch.utils.data import TensorDataset

from lib import store
from lib.chapter.claims import judge, load_claims
from lib.chapter.parameters import from_words, profile_values
from lib.chapter.results import read_results
from lib.chapter.tables import Lacking, number
from lib.data import nsd, nsd_simulation
from lib.data.activations import Network
from lib.data.arrays import load_activations
from lib.data.extraction import extract
from lib.data.images import open_images
from lib.data.saes import load_codes, load_sae
from lib.data.v4 import read_v4
from lib.features import bernoulli_uniform, seeded
from lib.toy_models import ToyModels
from lib.training import train
from workflow.sweep import read_sweep

HERE = Path(__file__).parent


class Reader(NamedTuple):
    """What reads a folder of files, one of which is damaged."""

    write: Callable[[Path, int], object]  # sound files into an empty folder, of other values for another seed
    read: Callable[[Path], object]  # their values
    victim: str  # which file is damaged, a pattern
    sealed: bool = False  # a checksum covers the values, so no other ones may come back
    text: bool = False
    wrap: Callable[[bytes, bytes], bytes] = lambda damaged, sound: damaged  # puts damage inside of a sound container
    unwrap: Callable[[bytes], bytes] = lambda sound: sound


def normal(*shape, seed=0):
    return torch.randn(*shape, generator=seeded(seed)).numpy()


def arrays(name, write, **options):
    """Of `lib.data.arrays`: `write(path, y)` writes an array that compresses well enough to be stored compressed."""

    def read(folder):
        return load_activations(str(folder / name))

    return Reader(lambda folder, seed: write(folder / name, normal(12, 5, seed=seed)), read, name, **options)


def write_hdf5(path, y, **options):
    with h5py.File(path, "w") as file:
        file.create_dataset("layer4", data=y, **options)


def write_checked_parquet(path, y):
    pd.DataFrame(y).add_prefix("u").to_parquet(path, write_page_checksum=True)


def inner(data):
    """The first member of a zip."""
    with ZipFile(io.BytesIO(data)) as file:
        return file.read(file.namelist()[0])


def rezipped(damaged, sound):
    file = io.BytesIO()
    with ZipFile(file, "w") as archive:
        archive.writestr(ZipFile(io.BytesIO(sound)).namelist()[0], damaged)
    return file.getvalue()


ARRAYS = {
    "npy": arrays("y.npy", np.save),
    "npz": arrays("y.npz", lambda path, y: np.savez(path, layer4=y), sealed=True),
    "npz compressed": arrays("y.npz", lambda path, y: np.savez_compressed(path, layer4=y), sealed=True),
    "npz inside": arrays("y.npz", lambda path, y: np.savez(path, layer4=y), wrap=rezipped, unwrap=inner),
    "pt": arrays("y.pt", lambda path, y: torch.save({"layer4": torch.tensor(y)}, path), sealed=True),
    "pt old": arrays("y.pt", lambda path, y: torch.save(torch.tensor(y), path, _use_new_zipfile_serialization=False)),
    "safetensors": arrays("y.safetensors", lambda path, y: save_file({"layer4": torch.tensor(y)}, path)),
    "mat 5": arrays("y.mat", lambda path, y: savemat(path, {"acts": {"layer4": y}})),
    "mat 7": arrays("y.mat", lambda path, y: savemat(path, {"layer4": y}, do_compression=True), sealed=True),
    "mat 7.3": arrays("y.mat", write_hdf5),
    "hdf5": arrays("y.h5", write_hdf5),
    "hdf5 sealed": arrays("y.h5", lambda path, y: write_hdf5(path, y, chunks=(4, 5), fletcher32=True)),
    "csv": arrays("y.csv", lambda path, y: pd.DataFrame(y).to_csv(path), text=True),
    "parquet": arrays("y.parquet", lambda path, y: pd.DataFrame(y).add_prefix("u").to_parquet(path)),
    "parquet sealed": arrays("y.parquet", write_checked_parquet),  # by page: two files may be spliced between pages
}

SMALL = {"SHOWN": 20, "TRIALS": 30, "SESSIONS": {1: 2, 2: 2}}


def of_nsd(victim, suffix=".nii.gz", **options):
    """Two sessions of 30 trials in NSD's layout, with a voxel's worth of all else."""

    def write(folder, seed):
        pictures = torch.randint(0, 256, (20, 3, 4, 3), generator=seeded(seed), dtype=torch.uint8)
        planted = {"ventral": (torch.tensor(normal(20, 6, seed=seed)), torch.ones(6))}
        more = SMALL | {"MOST_SESSIONS": 2, "STORED": 40, "OTHERS": 1}
        with patch.multiple(nsd, **SMALL), patch.multiple(nsd_simulation, **more):
            nsd_simulation.simulate_nsd(folder, 1, pictures, planted, 2, seed, suffix)

    def read(folder):
        with patch.multiple(nsd, **SMALL):
            found = nsd.read_nsd(folder, 1, "ventral")
            pictures = [np.asarray(found.images[i][0]) for i in range(len(found.images))]
        return [found.responses, found.ceiling, found.repetitions, pictures]

    return Reader(write, read, f"**/{victim}", **options)


def gunzipped(data):
    return gzip.decompress(data)


def gzipped(damaged, _):
    return gzip.compress(damaged, 1)


NSD = {
    "nsd design": of_nsd("nsd_expdesign.mat"),
    "nsd table": of_nsd("*.csv", text=True),
    "nsd stimuli": of_nsd("nsd_stimuli.hdf5"),
    "nsd streams": of_nsd("streams.nii.gz", sealed=True),
    "nsd streams inside": of_nsd("streams.nii.gz", wrap=gzipped, unwrap=gunzipped),
    "nsd ncsnr": of_nsd("ncsnr.nii.gz", sealed=True),
    "nsd betas": of_nsd("betas_session02.nii.gz", sealed=True),
    "nsd betas inside": of_nsd("betas_session02.nii.gz", wrap=gzipped, unwrap=gunzipped),
    "nsd betas hdf5": of_nsd("betas_session02.hdf5", ".hdf5"),
}


def picture(path, y, ending):
    Image.fromarray((40 * y).clip(-120, 120).astype(np.int16).astype(np.uint8)).save(path, ending)


def pictures_of(images):
    return [[np.asarray(image), label] for image, label in (images[i] for i in range(len(images)))]


def of_images(kind, ending, **options):
    def write(folder, seed):
        (folder / "set").mkdir()
        for i in range(2):
            picture(folder / "set" / f"{i}.{ending}", normal(9, 7, 3, seed=2 * seed + i), ending)
        if kind == "zip":
            shutil.make_archive(str(folder / "set"), "zip", folder / "set")
            shutil.rmtree(folder / "set")

    place, victim = ("set.zip", "set.zip") if kind == "zip" else ("set", f"set/0.{ending}")
    return Reader(write, lambda folder: pictures_of(open_images(f"{kind}:{folder / place}")), victim, **options)


def of_v4(victim, **options):
    def write(folder, seed):
        raw = normal(3, 4, 3, seed=seed).astype(float)
        raw[:, ::3, 1] = np.nan
        np.save(folder / "responses_raw_1.npy", raw)
        np.save(folder / "responses_1.npy", np.nanmean(raw, 2))
        with ZipFile(folder / "images_1.zip", "w") as archive:
            for i in range(4):
                file = io.BytesIO()
                picture(file, normal(4, 4, 3, seed=i), "png")
                archive.writestr(f"{i}.png", file.getvalue())

    def read(folder):
        found = read_v4(folder, "1")
        return [found.responses, found.ceiling, found.repetitions, pictures_of(found.images)]

    return Reader(write, read, victim, **options)


def of_saes(names, victim, told="", **options):
    """Checkpoints that the libraries wrote; of another seed a neighbour's, so that splices are of two kinds."""

    def write(folder, seed):
        shutil.copytree(HERE / "data" / "saes" / names[seed], folder / "sae")

    def read(folder):
        return load_sae(f"{folder / 'sae'}{told}").encode(torch.from_numpy(np.load(HERE / "data/saes/responses.npy")))

    return Reader(write, read, f"sae/{victim}", **options)


def write_codes(folder, seed):
    sparse.save_npz(folder / "codes.npz", sparse.csr_matrix(normal(12, 5, seed=seed).clip(0)))


IMAGES = {
    "png": of_images("folder", "png", sealed=True),
    "jpeg": of_images("folder", "jpeg"),
    "zip of png": of_images("zip", "png", sealed=True),
    "zip of jpeg": of_images("zip", "jpeg", sealed=True),
    "v4 means": of_v4("responses_1.npy"),
    "v4 repetitions": of_v4("responses_raw_1.npy"),
    "v4 images": of_v4("images_1.zip", sealed=True),
}
SAES = {
    "sae safetensors": of_saes(["sae_lens_topk", "sae_lens_jumprelu"], "*.safetensors"),
    "sae settings": of_saes(["sae_lens_topk", "sae_lens_jumprelu"], "cfg.json", text=True),
    "sae pt": of_saes(["dictionary_learning_topk", "dictionary_learning_gated"], "*.pt", sealed=True),
    "sae pickled": of_saes(["vit_prisma_topk", "vit_prisma_gated"], "*.pt", sealed=True),
    "sae state": of_saes(["overcomplete_topk", "overcomplete_standard"], "*.pt", ":k=3", sealed=True),
    "codes": Reader(write_codes, lambda folder: load_codes(str(folder / "codes.npz")), "codes.npz", sealed=True),
}


def trained(folder, seed):
    with patch.object(store, "ROOT", folder):
        model = ToyModels(6, 2, [seed], dtype=torch.float32)
        found = train(model, bernoulli_batches, 3, "toys")
    return [found.model.state_dict(), found.step, found.history, found.optimizer.state_dict()["state"]]


def bernoulli_batches(generator):
    return bernoulli_uniform(8, 6, 0.3, generator, torch.float32)


def extracted(folder, seed):
    images = TensorDataset(torch.tensor(normal(6, 4)))
    module = nn.Sequential(nn.Linear(4, 3))
    with torch.no_grad():
        module[0].weight.copy_(torch.tensor(normal(3, 4, seed=1)))
        module[0].bias.zero_()
    found = extract(Network("tiny", module.eval(), None), images, {"one": ("0", "flat")}, folder / "out", 2)
    return np.array(found["one"])


CLAIMS = """
- {id: A1, paper: A, place: section 3, claim: it is so, chapter: 01_first, evidence: {stated: {ran_on: frames,
   holds: [rms < 0.5, mean(gains.gain where N = 8) > 0.1], measured: "off by {rms:.1e}", figure: fig-a,
   condition: {text: up to a sign, holds: [rms < 0.7]}, requires: [draws == 5]}}}
- id: A2
  paper: A
  place: "section 4"
  claim: it is not so
  chapter: 01_first
  evidence:
    stated: {ran_on: frames, needs: a machine}
    ours:
      ran_on: other frames
      informative: [draws > 1]
      holds: [score_error < 1]
      measured: "{score:.2f}"
      figure: tab-b
"""
CONTENT = {
    "chapter": "01_first",
    "profile": "p",
    "data": "simulated",
    "values": {"rms": 0.25, "draws": 5, "score": {"mean": 2.0, "standard_error": 0.5, "count": 3}},
    "tables": {"gains": [{"N": 8, "of": "codes", "gain": 0.5}, {"N": 9, "of": "raw", "gain": 1.5}]},
    "parameters": {"draws": 5},
    "seconds": 1.5,
    "provenance": {"date": "2026-01-01", "versions": {"torch": "2.12"}},
}
QUESTIONS = ("rms", "draws", "score", "score_error", "mean(gains.gain)", "max(gains.gain where N > 8 and of = raw)")


def read_claims(folder):
    claims = load_claims(folder / "claims.yml")
    judged = [judge(claim, {"p": {"01_first": CONTENT}}) for claim in claims]
    return repr([claims, judged])


def read_recorded(folder):
    content = read_results(folder / "01_first.json", "01_first", "p")
    answers = []
    for question in QUESTIONS:
        try:
            answers.append(number(question, content))
        except Lacking as error:
            answers.append(error.what)
    return repr([content, answers])


NOTEBOOK = """# %% tags=["parameters"]
profile: str = "quick"  # settings
draws: int = 3  # draws
sizes: list[int] = [2, 3]  # sizes
rate: float = 0.5  # rate
"""


def write_profile(folder, seed):
    (folder / "notebooks/profiles/p").mkdir(parents=True)
    (folder / "notebooks/01_first.py").write_text(NOTEBOOK)
    text = f"# settings\ndraws: {4 + seed}\nsizes: [2, 4, {8 + seed}]\nrate: 1.5e-3\nprofile: >-\n  one\n  two\n"
    (folder / "notebooks/profiles/p/01_first.yml").write_text(text)


def read_profile(folder):
    with patch.object(store, "ROOT", folder):
        return repr(profile_values("01_first", "p"))


def write_word(folder, seed):
    write_profile(folder, seed)
    (folder / "word").write_text(f"[2, 4, {8 + seed}, '3']")


def read_word(folder):
    """Of a command line, whose words are text."""
    with patch.object(store, "ROOT", folder):
        word = (folder / "word").read_bytes().decode("utf-8", "surrogateescape")
        return repr(from_words("01_first", {"sizes": word}))


def write_sweep(folder, seed):
    asked = {"parameters": {"draws": 10 + seed}, "grid": {"stimuli": [500, 1000]}, "seeds": [0, 1], "shards": []}
    content = {
        "name": "first",
        "profile": "quick",
        "chapters": {"04_gaussian": asked},
        "figure": {"x": "n", "y": ["b"]},
    }
    (folder / "sweep.yml").write_text(yaml.safe_dump(content))


def of_text(name, text, read):
    return Reader(
        lambda folder, seed: (folder / name).write_text(text.replace("5", str(5 + seed))), read, name, text=True
    )


KEPT = {
    "stored training": Reader(trained, lambda folder: trained(folder, 0), "**/*.pt", sealed=True),
    "extraction": Reader(extracted, lambda folder: extracted(folder, 0), "out/*.npy", sealed=True),
    "extraction note": Reader(extracted, lambda folder: extracted(folder, 0), "out/*.json", sealed=True, text=True),
    "results": of_text("01_first.json", json.dumps(CONTENT, indent=1), read_recorded),
    "claims": of_text("claims.yml", CLAIMS, read_claims),
    "profile": Reader(write_profile, read_profile, "notebooks/profiles/p/*.yml", text=True),
    "word": Reader(write_word, read_word, "word", text=True),
    "sweep": Reader(write_sweep, lambda folder: repr(read_sweep(folder / "sweep.yml")), "sweep.yml", text=True),
}
READERS = ARRAYS | NSD | IMAGES | SAES | KEPT
