"""Write the tiny checkpoints in tests/data/saes, with the codes that the libraries themselves give for them.

    python tests/data/write_saes.py

is run by hand, in an environment of its own, whenever a format changes. The files were written with SAELens 6.54.12,
dictionary_learning 0.1.0, overcomplete 0.3.0, sparsify (eai-sparsify) 1.3.3 and ViT-Prisma 2.0.0 (commit aa5ff6a of its
repository: the package index has only a version without SAEs), on torch 2.12.1. Only what an SAE's class needs is
installed (einops, natsort, simple-parsing, transformer-lens); whatever else these libraries import is a stand-in here,
which does nothing. Weights are random, for nothing is to be zero or one by chance.
"""

import importlib.abc
import importlib.machinery
import json
import os
import sys
import types
from pathlib import Path

import numpy as np
import torch

HERE = Path(__file__).parent / "saes"
UNITS, LATENTS, STIMULI, K = 6, 10, 16, 3
SIZES = {"d_in": UNITS, "d_sae": LATENTS}
NOTHING = (
    *("transformer_lens", "transformers", "datasets", "nnsight", "accelerate", "wandb", "zstandard", "line_profiler"),
    *("cv2", "skimage", "plotly", "open_clip", "schedulefree", "overcomplete.visualization"),
    *("vit_prisma.sae.evals", "vit_prisma.vjepa_hf", "vit_prisma.models", "vit_prisma.transforms"),
    *("vit_prisma.dataloaders", "vit_prisma.training", "vit_prisma.visualization", "vit_prisma.model_eval"),
    "vit_prisma.sae.train_sae",
)


class Hooked(torch.nn.Module):
    """transformer_lens's module that others may hook into; nobody does here."""

    def setup(self):
        pass


class Empty(type):
    """A class that takes any index, has any attribute, and is called with anything."""

    def __getattr__(cls, name):
        if name.startswith("__"):
            raise AttributeError(name)
        return Empty(name, (), {})

    def __getitem__(cls, item):
        return cls

    def __call__(cls, *args, **options):
        return args[0] if len(args) == 1 and callable(args[0]) else super().__call__()


class Nothing(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Finds the modules of NOTHING, as ones whose names are all empty classes."""

    def find_spec(self, name, path=None, target=None):
        if any(f"{name}.".startswith(f"{known}.") for known in NOTHING):
            return importlib.machinery.ModuleSpec(name, self, is_package=True)

    def create_module(self, spec):
        module = types.ModuleType(spec.name)
        module.__getattr__ = self.attribute
        module.__path__ = []
        return module

    def exec_module(self, module):
        pass

    def attribute(self, name):
        if name.startswith("__"):
            raise AttributeError(name)
        return {"HookPoint": torch.nn.Identity, "HookedRootModule": Hooked}.get(name) or Empty(name, (), {})


def randomised(sae, seed):
    """The SAE with weights and biases drawn anew; thresholds and decoder norms are not the same for all latents."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, value in sae.named_parameters():
            drawn = torch.randn(value.shape, generator=generator) * (0.3 if value.ndim == 1 else 0.6)
            value.copy_(drawn.abs() if name == "threshold" else drawn)
    return sae


@torch.no_grad()
def keep(folder, codes, decoded, told=""):
    """What the library made of the responses, beside its checkpoint, and what of the SAE that file does not hold."""
    codes, decoded = codes.detach().numpy(), decoded.detach().numpy()
    assert 0.05 < (codes > 0).mean() < 0.8, f"{folder}: the codes would test little"
    np.savez(folder / "library.npz", codes=codes, decoded=decoded, told=told)
    print(f"{folder.name}: {(codes > 0).mean():.2f} of the codes above 0")


def sae_lens(y):
    import sae_lens as lens

    plain = {
        "standard": (lens.StandardSAE, lens.StandardSAEConfig, {}),
        "layer_norm": (
            lens.StandardSAE,
            lens.StandardSAEConfig,
            {"apply_b_dec_to_input": False, "normalize_activations": "layer_norm"},
        ),
        "constant_norm": (
            lens.TopKSAE,
            lens.TopKSAEConfig,
            {"k": K, "normalize_activations": "constant_norm_rescale"},
        ),
        "topk": (lens.TopKSAE, lens.TopKSAEConfig, {"k": K, "rescale_acts_by_decoder_norm": True}),
        "jumprelu": (lens.JumpReLUSAE, lens.JumpReLUSAEConfig, {}),
        "gated": (lens.GatedSAE, lens.GatedSAEConfig, {}),
    }
    for seed, (name, (kind, config, settings)) in enumerate(plain.items()):
        randomised(kind(config(**SIZES, **settings)), seed).save_model(HERE / f"sae_lens_{name}")
    for name, settings in {"batchtopk": {}, "matryoshka": {"matryoshka_widths": [4, LATENTS]}}.items():
        kind, config = {
            "batchtopk": (lens.BatchTopKTrainingSAE, lens.BatchTopKTrainingSAEConfig),
            "matryoshka": (lens.MatryoshkaBatchTopKTrainingSAE, lens.MatryoshkaBatchTopKTrainingSAEConfig),
        }[name]
        sae = randomised(kind(config(**SIZES, k=K, **settings)), 7)
        sae.topk_threshold.fill_(0.4)
        sae.save_inference_model(HERE / f"sae_lens_{name}")
    sae.save_model(HERE / "sae_lens_checkpoint")  # as a training run leaves it
    old = HERE / "sae_lens_before_6"  # the form of the configuration changed; this library still reads it
    randomised(lens.StandardSAE(lens.StandardSAEConfig(**SIZES)), 8).save_model(old)
    legacy = {"activation_fn_str": "topk", "activation_fn_kwargs": {"k": K}, "hook_point": "blocks.1.hook_resid_post"}
    legacy |= SIZES | {"dtype": "torch.float32", "device": "cpu", "normalize_activations": False}
    (old / "cfg.json").write_text(json.dumps(legacy))
    for folder in sorted(HERE.glob("sae_lens_*")):
        same = HERE / "sae_lens_matryoshka" if folder.name == "sae_lens_checkpoint" else folder
        sae = lens.SAE.load_from_disk(same)
        codes = sae.encode(y)
        keep(folder, codes, sae.decode(codes))


def dictionary_learning(y):
    from dictionary_learning.dictionary import AutoEncoderNew
    from dictionary_learning.trainers.batch_top_k import BatchTopKTrainer
    from dictionary_learning.trainers.gdm import GatedSAETrainer
    from dictionary_learning.trainers.jumprelu import JumpReluTrainer
    from dictionary_learning.trainers.matryoshka_batch_top_k import MatryoshkaBatchTopKTrainer
    from dictionary_learning.trainers.standard import StandardTrainer
    from dictionary_learning.trainers.top_k import TopKTrainer
    from dictionary_learning.training import trainSAE
    from dictionary_learning.utils import load_dictionary

    sizes = {"activation_dim": UNITS, "dict_size": LATENTS}
    sizes |= {"steps": 9999, "warmup_steps": 0, "layer": 1, "lm_name": "none", "device": "cpu"}
    trainers = {
        "standard": (StandardTrainer, {}),
        "gated": (GatedSAETrainer, {}),
        "jumprelu": (JumpReluTrainer, {}),
        "topk": (TopKTrainer, {"k": K}),
        "batchtopk": (BatchTopKTrainer, {"k": K}),
        "matryoshka": (MatryoshkaBatchTopKTrainer, {"k": K, "group_fractions": [0.4, 0.6]}),
    }
    for seed, (name, (kind, settings)) in enumerate(trainers.items()):
        trainer = kind(**sizes, **settings)
        randomised(trainer.ae, seed)
        if name in ("topk", "batchtopk", "matryoshka"):
            trainer.ae.threshold.fill_(0.4)
        made = HERE / "trainer_0"
        trainSAE(iter([y]), [{"trainer": lambda trainer=trainer: trainer}], steps=0, save_dir=str(HERE), device="cpu")
        made.rename(HERE / f"dictionary_learning_{name}")
    april = HERE / "dictionary_learning_april"  # no trainer of the library tells this class in its configuration
    april.mkdir()
    torch.save(randomised(AutoEncoderNew(UNITS, LATENTS), 6).state_dict(), april / "ae.pt")
    for folder in sorted(HERE.glob("dictionary_learning_*")):
        found = AutoEncoderNew.from_pretrained(folder / "ae.pt") if folder == april else load_dictionary(folder, "cpu")
        sae = found if folder == april else found[0]
        codes = sae.encode(y)
        keep(folder, codes, sae.decode(codes))


def overcomplete(y):
    from overcomplete.sae import SAE, BatchTopKSAE, JumpSAE, RATopKSAE, TopKSAE

    points = torch.randn(12, UNITS, generator=torch.Generator().manual_seed(9))
    saes = {
        "standard": SAE(UNITS, LATENTS),
        "topk": TopKSAE(UNITS, LATENTS, top_k=K),
        "batchtopk": BatchTopKSAE(UNITS, LATENTS, top_k=K * STIMULI),
        "jumprelu": JumpSAE(UNITS, LATENTS),
        "archetypal": RATopKSAE(UNITS, LATENTS, points, top_k=K),
    }
    for seed, (name, sae) in enumerate(saes.items()):
        randomised(sae, seed)
        for step in range(3):
            sae(y * (1 + step / 9))  # moves the threshold of the one that has it away from any code
        sae.eval()
        folder = HERE / f"overcomplete_{name}"
        folder.mkdir()
        torch.save(sae.state_dict(), folder / "sae.pt")
        told = {"standard": ":threshold=0", "topk": f":k={K}", "archetypal": f":k={K}"}
        if name == "batchtopk":
            told[name] = f":threshold={sae.running_threshold.item()}"
        _, codes = sae.encode(y)
        keep(folder, codes, sae.decode(codes), told.get(name, ""))


def sparsify(y):
    from sparsify.config import SparseCoderConfig
    from sparsify.sparse_coder import SparseCoder

    folder = HERE / "sparsify_topk"
    randomised(SparseCoder(UNITS, SparseCoderConfig(num_latents=LATENTS, k=K)), 0).save_to_disk(folder)
    sae = SparseCoder.load_from_disk(folder)
    values, places, before = sae.encode(y)
    keep(folder, torch.zeros_like(before).scatter(-1, places, values), sae.decode(values, places))


def vit_prisma(y):
    from vit_prisma.sae.config import VisionModelSAERunnerConfig
    from vit_prisma.sae.sae import GatedSparseAutoencoder, SparseAutoencoder, StandardSparseAutoencoder

    nowhere = {"dataset_path": "", "dataset_train_path": "", "dataset_val_path": "", "checkpoint_path": ""}
    cases = {
        "relu": (StandardSparseAutoencoder, "relu", {}, "constant_norm_rescale"),
        "topk": (StandardSparseAutoencoder, "topk", {"k": K}, "layer_norm"),
        "gated": (GatedSparseAutoencoder, "relu", {}, "none"),
    }
    for seed, (name, (kind, activation, settings, normalise)) in enumerate(cases.items()):
        config = VisionModelSAERunnerConfig(
            architecture="gated" if name == "gated" else "standard",
            _device="cpu",
            d_in=UNITS,
            expansion_factor=2,
            activation_fn_str=activation,
            activation_fn_kwargs=settings,
            normalize_activations=normalise,
            **nowhere,
        )
        folder = HERE / f"vit_prisma_{name}"
        folder.mkdir()
        config.save_config(str(folder / "config.json"))
        randomised(kind(config), seed).save_model(str(folder / "weights.pt"))
        sae = SparseAutoencoder.load_from_pretrained(str(folder / "weights.pt"))
        _, codes = sae.encode(y)
        keep(folder, codes, sae.decode(codes))


if __name__ == "__main__":
    os.environ["SPARSIFY_DISABLE_TRITON"] = "1"
    sys.meta_path.insert(0, Nothing())
    HERE.mkdir(exist_ok=True)
    y = torch.randn(STIMULI, UNITS, generator=torch.Generator().manual_seed(5)) + 0.5
    np.save(HERE / "responses.npy", y.numpy())
    for write in (sae_lens, dictionary_learning, overcomplete, sparsify, vit_prisma):
        write(y)
