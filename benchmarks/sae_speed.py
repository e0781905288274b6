"""A training step of a large TopK SAE: ours, the fused encoder of sparsify, and the first thing one would write.

    OMP_NUM_THREADS=1 .venv/bin/python benchmarks/sae_speed.py

All take the same Adam steps on the same batches from the same start, without an auxiliary loss; equal is the loss after
some steps. The fused encoder is read from the package `eai-sparsify`, if that is installed.
"""

from importlib.util import find_spec, module_from_spec, spec_from_file_location
from pathlib import Path

import torch
from timing import race
from torch.nn.functional import embedding_bag

from lib.sae import Recipe, TopKSAE
from lib.training import Training

STEPS = 3


def sparsify_encoder():
    """`fused_encoder` without the rest of the package, which needs much more; None where it is not installed."""
    if (found := find_spec("sparsify")) is None or found.origin is None:
        return None
    spec = spec_from_file_location("fused_encoder", Path(found.origin).with_name("fused_encoder.py"))
    assert spec and spec.loader
    spec.loader.exec_module(module := module_from_spec(spec))
    return module.fused_encoder


def parameters(sae):
    own = sae.encoder_rows[0], sae.encoder_bias[0, 0], sae.decoder[0], sae.decoder_bias[0, 0]
    return [one.detach().clone().requires_grad_() for one in own]


def trainer(sae, batches, reconstruct):
    """What takes some steps by automatic differentiation and returns the last loss."""
    weights = parameters(sae)
    adam = torch.optim.AdamW(weights, lr=sae.recipe.lr, weight_decay=0, fused=True)

    def run():
        for x in batches[:STEPS]:
            loss = (x - reconstruct(x, *weights)).square().sum() / len(x)
            adam.zero_grad()
            loss.backward()
            adam.step()
        return loss.detach()

    return run


def ours(sae, batches):
    stream = iter(batches * 100)
    training = Training(sae, lambda _: next(stream)[None], lr=sae.recipe.lr)
    return lambda: training.run(training.step + STEPS).history["loss"][-1, 0]


def dense(k):
    def reconstruct(x, encoder, bias, decoder, other):
        top = (x @ encoder.T + bias).relu().topk(k)
        return torch.zeros(len(x), len(encoder)).scatter(-1, top.indices, top.values) @ decoder + other

    return reconstruct


def fused(k, encode):
    def reconstruct(x, encoder, bias, decoder, other):
        values, places, _ = encode(x, encoder, bias, k, "topk")
        return embedding_bag(places, decoder, per_sample_weights=values, mode="sum") + other

    return reconstruct


if __name__ == "__main__":
    for units, latents, k, size in ((768, 6144, 32, 1024), (768, 24576, 32, 1024)):
        generator = torch.Generator().manual_seed(0)
        batches = [torch.randn(size, units, generator=generator) for _ in range(STEPS)]
        recipe = Recipe(latents=latents, k=k, rectify=True, aux_weight=0.0, dead_after=2**30)
        sae = TopKSAE(units, recipe, [0])
        ways = {"lib": ours(sae, batches), "torch, dense code": trainer(sae, batches, dense(k))}
        if encode := sparsify_encoder():
            ways["sparsify, fused encoder"] = trainer(sae, batches, fused(k, encode))
        race(f"TopK SAE, {STEPS} steps", f"{units} to {latents:,}, k = {k}, batches of {size:,}", ways, 0.5, repeats=5)
