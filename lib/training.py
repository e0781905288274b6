"""One training loop for every model of the book: streamed batches, checkpoints that resume, a history."""

import json
import math
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Generic, TypedDict, TypeVar, Unpack

import torch
from torch import nn
from tqdm import tqdm

from lib import store
from lib.checks import check_zip, first_line
from lib.features import seeded
from lib.store import dependencies, differing, key, locked, whole, write_whole

SECONDS_BETWEEN_CHECKPOINTS = 60
BATCHES_SEEN = 2  # of the training data, in a stored model's key
HISTORY_POINTS = 100  # about; the last step is always among them


class Trainable(nn.Module):
    """What `Training` trains: P models as one module."""

    def backward(self, batch: torch.Tensor) -> dict[str, torch.Tensor]:
        """Fill in the gradients for a batch and return measurements `{name: (models,)}`."""
        raise NotImplementedError

    def constrain(self) -> None:
        """Called after each step: bring the parameters back to where they may be."""


M = TypeVar("M", bound=Trainable)


class Training(Generic[M]):
    """AdamW on batches drawn one after the other; a run that was stopped goes on from its last checkpoint.

    `draw(generator)` returns the next batch, from a generator with this `seed` on the model's device, and must draw
    from nothing else. The learning rate is `lr` throughout, or falls to 0 in `cosine_steps` steps along a half cosine.
    Each step takes `lr weight_decay` of every parameter away from it; without, this is Adam.
    On one device the resumed run and the uninterrupted one agree bit for bit. `history` holds the measurements and
    the step of each, `(points, models)` and `(points,)`.

    Raises ValueError if `checkpoint` is damaged or belongs to another model.
    """

    def __init__(
        self,
        model: M,
        draw: Callable,
        seed: int = 0,
        lr: float = 1e-3,
        cosine_steps: int | None = None,
        checkpoint: Path | None = None,
        weight_decay: float = 0.0,
    ):
        self.model, self.draw, self.checkpoint = model, draw, checkpoint
        self.lr, self.cosine_steps = lr, cosine_steps
        self.optimizer = torch.optim.AdamW(model.parameters(), lr, weight_decay=weight_decay, fused=True)
        self.generator = seeded(seed, next(model.parameters()).device)
        self.step, self.history = 0, {}
        _prepare_cpu()
        if checkpoint and checkpoint.exists():
            self._load(checkpoint)

    def identity(self) -> tuple:
        """What stands for a training in the key of something that depends on it: its model, and the steps done."""
        return self.model, self.step

    def run(self, steps: int, name: str = "training") -> "Training[M]":
        """Train until `steps` steps are done in all, and write the checkpoint if there is one."""
        saved, loaded = time.monotonic(), self.step
        every = max(1, steps // HISTORY_POINTS)
        with tqdm(initial=self.step, total=steps, desc=name, unit="step", leave=False, disable=None) as bar:
            while self.step < steps:
                measured = self.model.backward(self.draw(self.generator))
                self.optimizer.param_groups[0]["lr"] = self._rate()
                self.optimizer.step()
                self.model.constrain()
                self.step += 1
                bar.update()
                if self.step % every == 0 or self.step == steps:
                    self._note(measured)
                if self.checkpoint and time.monotonic() - saved > SECONDS_BETWEEN_CHECKPOINTS:
                    self._save(self.checkpoint)
                    saved = time.monotonic()
        if self.checkpoint and self.step > loaded:
            self._save(self.checkpoint)
        return self

    def _rate(self):
        if not self.cosine_steps:
            return self.lr
        return self.lr * (1 + math.cos(math.pi * min(self.step / self.cosine_steps, 1))) / 2

    def _note(self, measured):
        for name, value in {"step": torch.tensor(self.step), **measured}.items():
            value = value.detach().cpu()[None]
            self.history[name] = torch.cat([self.history[name], value]) if name in self.history else value

    def _save(self, path):
        state = {
            "step": self.step,
            "model": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "generator": self.generator.get_state(),
            "history": self.history,
        }
        with whole(path) as part:
            torch.save(state, part)

    def _load(self, path):
        try:
            check_zip(path)
            state = torch.load(path, map_location=self.generator.device, weights_only=True)
            self.model.load_state_dict(state["model"])
            self.optimizer.load_state_dict(state["optimizer"])
            self.generator.set_state(state["generator"].cpu())
            self.step, self.history = state["step"], {name: value.cpu() for name, value in state["history"].items()}
        except Exception as error:
            reason = first_line(error)
            raise ValueError(f"checkpoint {path} cannot be used ({reason}): delete it to start anew") from None


def _prepare_cpu():
    """Two settings that make a step on a CPU up to three times faster; they stay on for the process."""
    torch.set_flush_denormal(True)  # weights that decay to nothing would slow every product they are in
    # Freeing one block of almost 32 MiB, the most that glibc considers, teaches it to keep freed blocks up to that size
    # for the next step. Otherwise each step's tensors go back to the system and are fetched anew, page by page.
    torch.empty(2**25 - 2**16, dtype=torch.uint8)


def random_batches(*data: torch.Tensor, size: int) -> Callable:
    """What draws `size` entries of all `data`, the same ones of each, along the first dimension."""

    def draw(generator):
        chosen = torch.randint(len(data[0]), (size,), generator=generator, device=generator.device)
        return tuple(x[chosen] for x in data)

    return draw


class Options(TypedDict, total=False):
    """What else `train` may be told."""

    cosine: bool  # let the rate fall to 0 over the steps
    weight_decay: float


def train(
    model: M, draw: Callable, steps: int, name: str, seed: int = 0, lr: float = 1e-3, **options: Unpack[Options]
) -> Training[M]:
    """Train `model` unless build/trained holds it already: chapters that need the same models share them.

    The file is called `name` with a key of all that the result depends on, computed: the model's class, start and
    options, the other arguments, what `draw` holds and the code it needs, the first batches it draws, every file that
    this code imports, and the versions of the packages that compute (`lib.store.dependencies`). What that was lies
    beside the model as .json, and where a kept model no longer serves, a line on stderr says what changed since.

    A second process that asks for the same models waits for the first. One that was killed goes on where it was, see
    `Training`.
    """
    device = next(model.parameters()).device
    generator = seeded(seed, device)
    cosine, weight_decay = options.get("cosine", False), options.get("weight_decay", 0.0)
    parts = dependencies(
        model=model,
        draw=draw,
        data=[draw(generator) for _ in range(BATCHES_SEEN)],
        settings=[Training, steps, seed, lr, cosine, weight_decay, device.type],
    )
    path = store.ROOT / "build" / "trained" / f"{name}-{key(parts)}.pt"
    with locked(path.with_suffix(".lock")):
        if not path.exists():
            _tell_why(path.parent, name, parts)
            write_whole(path.with_suffix(".json"), json.dumps(parts, indent=1))
        return Training(model, draw, seed, lr, steps if cosine else None, path, weight_decay).run(steps, name)


def _tell_why(folder, name, parts):
    """Say on stderr why models that were kept under this name, with the same start and settings, do not serve."""
    asked = ("model", "draw", "settings")
    for path in sorted(folder.glob(f"{name}-*.pt")):
        beside = path.with_suffix(".json")
        if not beside.exists():
            print(f"{path.name} does not say what it depends on and is not used: delete it", file=sys.stderr)
            continue
        kept = json.loads(beside.read_text(encoding="utf-8"))
        if all(kept[part] == parts[part] for part in asked):
            print(f"{name} is trained anew, since {', '.join(differing(kept, parts))} changed", file=sys.stderr)
