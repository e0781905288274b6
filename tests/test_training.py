import math
import shutil
import subprocess
import sys
import threading
import time
from fcntl import LOCK_EX, flock

import pytest
import torch
from helpers import close, normal, refuses, some_sae
from torch import nn

import lib.training
from lib import closure
from lib.features import bernoulli_uniform, seeded
from lib.store import ROOT
from lib.supervised import SupervisedSAE
from lib.toy_models import ToyModels
from lib.training import Trainable, Training, random_batches, train


class Line(Trainable):
    """Two weights of the loss (w - mean of the batch)^2."""

    def __init__(self, start=0.0):
        super().__init__()
        self.w = nn.Parameter(torch.full((2,), start).double())

    @torch.no_grad()
    def backward(self, z):
        error = self.w - z.mean()
        self.w.grad = 2 * error
        return {"loss": error.square()}


class Slope(Trainable):
    """One weight whose gradient is always 1, so that Adam moves it by the learning rate; notes where it was."""

    def __init__(self):
        super().__init__()
        self.w = nn.Parameter(torch.zeros(1).double())
        self.places = []

    def backward(self, z):
        self.places.append(self.w.item())
        self.w.grad = torch.ones_like(self.w)
        return {}

    def rates(self):
        places = torch.tensor([*self.places, self.w.item()], dtype=torch.float64)
        return places[:-1] - places[1:]


class Counted:
    """Batches of features, counted; the draw after `stop` raises as Ctrl-C does."""

    def __init__(self, stop=None, pause=0.0, dtype=torch.float32, p=0.3):
        self.count, self.stop, self.pause, self.dtype, self.p = 0, stop, pause, dtype, p

    def __call__(self, generator):
        if self.count == self.stop:
            raise KeyboardInterrupt
        self.count += 1
        time.sleep(self.pause)
        return bernoulli_uniform(16, 6, self.p, generator, self.dtype)

    def identity(self):
        """All that its batches depend on."""
        return self.p, self.dtype


def toys(seeds=(0, 1)):
    return ToyModels(6, 2, list(seeds))


def state(training):
    """All that a later step depends on, and what was measured."""
    adam = training.optimizer.state_dict()["state"]
    return {
        **training.model.state_dict(),
        **{f"{p} {name}": value for p, of in adam.items() for name, value in of.items()},
        **{f"history of {name}": value for name, value in training.history.items()},
        "generator": training.generator.get_state(),
        "steps": torch.tensor(training.step),
    }


def assert_same(one, other):
    one, other = state(one), state(other)
    assert one.keys() == other.keys()
    for name in one:
        assert torch.equal(one[name], other[name]), name


# The loop


def test_adam_by_its_definition():
    batches = [normal(3, 2, seed=s) for s in range(20)]
    w, m, v = torch.zeros(2).double(), 0, 0
    for t, z in enumerate(batches, start=1):
        g = 2 * (w - z.mean())
        m, v = 0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g**2
        w = w - 0.05 * (m / (1 - 0.9**t)) / ((v / (1 - 0.999**t)) ** 0.5 + 1e-8)
    queue = iter(batches)
    close(Training(Line(), lambda generator: next(queue), lr=0.05).run(20).model.w, w)


@pytest.mark.parametrize("decay", [0.0, 0.01, 0.5])
def test_decay_is_taken_off_the_parameters_before_the_step(decay):
    wanted, own = Line(2.0), Line(2.0)
    adam = (torch.optim.AdamW if decay else torch.optim.Adam)(wanted.parameters(), 0.05, weight_decay=decay)
    batches = [normal(3, 2, seed=s) for s in range(20)]
    for z in batches:
        wanted.backward(z)
        adam.step()
    queue = iter(batches)
    Training(own, lambda generator: next(queue), lr=0.05, weight_decay=decay).run(20)
    close(own.w, wanted.w, 1e-12)
    still = Line(2.0)
    still.backward = lambda z: setattr(still.w, "grad", torch.zeros(2).double()) or {}
    Training(still, nothing, lr=0.05, weight_decay=decay).run(7)
    close(still.w, [2 * (1 - 0.05 * decay) ** 7] * 2)


def test_without_decay_it_is_adam_bit_for_bit():
    one, other = toys(), toys()
    adam = torch.optim.Adam(other.parameters(), 1e-2, fused=True)
    draw, generator = Counted(), seeded(3)
    for _ in range(50):
        other.backward(draw(generator))
        adam.step()
    Training(one, Counted(), seed=3, lr=1e-2).run(50)
    assert all(torch.equal(a, b) for a, b in zip(one.parameters(), other.parameters(), strict=True))


def nothing(generator):
    return torch.zeros(1, 1).double()


@pytest.mark.parametrize("steps", [1, 2, 3, 50])
def test_rate_falls_along_a_half_cosine(steps):
    rates = Training(Slope(), nothing, lr=0.1, cosine_steps=steps).run(steps).model.rates()
    wanted = [0.1 * math.cos(math.pi * t / (2 * steps)) ** 2 for t in range(steps)]
    close(rates, wanted, 1e-8)  # Adam divides by 1 + 1e-8
    assert ((0 < rates) & (rates < 0.1)).all()
    assert (rates.diff() < 0).all()
    if steps == 50:
        assert rates[-1] < 1e-3 * rates[0]


def test_rate_stays_at_0_after_the_half_cosine():
    rates = Training(Slope(), nothing, lr=0.1, cosine_steps=4).run(11).model.rates()
    assert (rates[:4] > 0).all()
    assert (rates[4:] == 0).all()


def test_on_a_cpu_numbers_too_small_to_matter_are_zero_while_training():
    if not torch.set_flush_denormal(False):
        pytest.skip("this processor cannot")
    least = torch.tensor(1e-39)
    assert least * 0.5 != 0
    Training(toys(), Counted(), 0)
    assert least * 0.5 == 0


def test_rate_is_constant_without_a_cosine():
    close(Training(Slope(), nothing, lr=0.1).run(30).model.rates(), torch.full((30,), 0.1), 1e-8)


def test_the_rate_is_that_of_the_step_after_going_on(tmp_path):
    Training(Slope(), nothing, lr=0.1, cosine_steps=9, checkpoint=tmp_path / "a.pt").run(4)
    rest = Training(Slope(), nothing, lr=0.1, cosine_steps=9, checkpoint=tmp_path / "a.pt").run(9).model.rates()
    close(rest, [0.1 * math.cos(math.pi * t / 18) ** 2 for t in range(4, 9)], 1e-8)


def test_parameters_are_constrained_after_each_step():
    class Clipped(Slope):
        def constrain(self):
            with torch.no_grad():
                self.w.clamp_(min=-0.25)

    model = Training(Clipped(), nothing, lr=0.1).run(5).model
    close([*model.places, model.w.item()], [0, -0.1, -0.2, -0.25, -0.25, -0.25], 1e-8)


def test_a_model_may_leave_its_parameters_free():
    assert Trainable().constrain() is None
    with pytest.raises(NotImplementedError):
        Trainable().backward(torch.zeros(1, 1))


def test_the_generator_has_the_seed_and_draws_every_batch():
    seen = []

    def draw(generator):
        seen.append(torch.rand(4, 1, generator=generator, dtype=torch.float64))
        return seen[-1]

    Training(Line(), draw, seed=7).run(3)
    wanted = seeded(7)
    for batch in seen:
        assert torch.equal(batch, torch.rand(4, 1, generator=wanted, dtype=torch.float64))
    assert len(seen) == 3


@pytest.mark.parametrize(
    ("steps", "noted"),
    [(1, [1]), (7, range(1, 8)), (250, range(2, 251, 2)), (301, [*range(3, 301, 3), 301])],
)
def test_history_has_about_100_points_and_the_last_step(steps, noted):
    losses = []

    def draw(generator):
        losses.append(training.model.w.detach().square())  # the batch has mean 0
        return torch.zeros(1, 1).double()

    training = Training(Line(3.0), draw, lr=0.01)
    training.run(steps)
    assert training.history["step"].tolist() == list(noted)
    assert torch.equal(training.history["loss"], torch.stack([losses[step - 1] for step in noted]))
    assert not training.history["loss"].requires_grad


def test_without_a_checkpoint_nothing_is_written(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Training(Line(), lambda generator: torch.ones(1, 1).double()).run(3)
    assert not list(tmp_path.iterdir())


# Stopping and going on


@pytest.mark.parametrize("cosine_steps", [None, 60], ids=["constant", "cosine"])
@pytest.mark.parametrize("stopped", [1, 29, 30, 60])
def test_a_run_in_two_parts_equals_one_run_bit_for_bit(stopped, cosine_steps, tmp_path, monkeypatch):
    monkeypatch.setattr(lib.training, "SECONDS_BETWEEN_CHECKPOINTS", -1)
    options = {"cosine_steps": cosine_steps, "checkpoint": tmp_path / "deep" / "a.pt"}
    whole = Training(toys(), Counted(), seed=5, cosine_steps=cosine_steps).run(60)
    first = Counted(stop=stopped)
    if stopped < 60:
        with pytest.raises(KeyboardInterrupt):
            Training(toys(), first, 5, **options).run(60)
    else:
        Training(toys(), first, 5, **options).run(60)
    second = Counted()
    # What differs in the new process is overwritten by the checkpoint.
    resumed = Training(toys([8, 9]), second, seed=99, **options).run(60)
    assert (first.count, second.count) == (stopped, 60 - stopped)
    assert_same(resumed, whole)
    assert [path.name for path in (tmp_path / "deep").iterdir()] == ["a.pt"]


def test_a_killed_run_without_a_checkpoint_starts_anew(tmp_path):
    with pytest.raises(KeyboardInterrupt):
        Training(toys(), Counted(stop=5), checkpoint=tmp_path / "a.pt").run(10)
    assert not list(tmp_path.iterdir())


def test_more_steps_may_follow(tmp_path):
    Training(toys(), Counted(), checkpoint=tmp_path / "a.pt").run(4)
    more = Training(toys(), Counted(), checkpoint=tmp_path / "a.pt").run(10)
    assert_same(more, Training(toys(), Counted()).run(10))


def test_a_checkpoint_is_whole_or_absent(tmp_path, monkeypatch):
    path, save = tmp_path / "a.pt", torch.save
    Training(toys(), Counted(), checkpoint=path).run(4)
    before = path.read_bytes()

    def break_off(what, where):
        save(what, where)
        where.write_bytes(where.read_bytes()[:100])
        raise OSError("no space left on device")

    monkeypatch.setattr(torch, "save", break_off)
    with pytest.raises(OSError, match="no space"):
        Training(toys(), Counted(), checkpoint=path).run(10)
    assert path.read_bytes() == before


@pytest.mark.parametrize("share", [0, 0.001, 0.5, 0.99])
def test_a_truncated_checkpoint_is_refused(share, tmp_path):
    path = tmp_path / "a.pt"
    Training(toys(), Counted(), checkpoint=path).run(4)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(share * len(whole))])
    refuses(f"checkpoint {path} cannot be used", "delete it", Training, toys(), Counted(), checkpoint=path)


@pytest.mark.parametrize("what", [{}, {"step": 3}, [1, 2], "text"])
def test_another_file_in_its_place_is_refused(what, tmp_path):
    path = tmp_path / "a.pt"
    torch.save(what, path)
    refuses(f"checkpoint {path} cannot be used", "delete it", Training, toys(), Counted(), checkpoint=path)


def test_a_checkpoint_of_which_one_bit_changed_is_refused(tmp_path):
    path = tmp_path / "a.pt"
    weights = Training(toys(), Counted(), checkpoint=path).run(4).model.weight.detach().numpy().tobytes()
    content = bytearray(path.read_bytes())
    content[content.index(weights) + 3] ^= 1
    path.write_bytes(content)
    refuses(f"checkpoint {path} cannot be used (its part", "delete it", Training, toys(), Counted(), checkpoint=path)


@pytest.mark.parametrize("part", ["step", "model", "optimizer", "generator", "history"])
def test_a_checkpoint_without_a_part_is_refused(part, tmp_path):
    path = tmp_path / "a.pt"
    Training(toys(), Counted(), checkpoint=path).run(4)
    rest = {name: value for name, value in torch.load(path).items() if name != part}
    torch.save(rest, path)
    refuses(f"checkpoint {path} cannot be used ('{part}')", "delete it", Training, toys(), Counted(), checkpoint=path)


@pytest.mark.parametrize(
    "other", [ToyModels(6, 3, [0, 1]), ToyModels(6, 2, [0]), Line()], ids=["units", "seeds", "kind"]
)
def test_the_checkpoint_of_another_model_is_refused(other, tmp_path):
    path = tmp_path / "a.pt"
    Training(toys(), Counted(), checkpoint=path).run(4)
    refuses(f"checkpoint {path} cannot be used", "delete it", Training, other, Counted(), checkpoint=path)


# The store of trained models


def trained(draw=None, model=None, steps=12, name="toys", **options):
    """What `train` returns, and how many batches it drew to train on."""
    draw = draw or Counted()
    draw.count = -lib.training.BATCHES_SEEN  # those are drawn for the key
    training = train(model or toys(), draw, steps, name, **options)
    return training, draw.count


def test_a_second_call_finds_the_models_and_does_no_step(store):
    first, drawn = trained()
    assert drawn == 12
    assert_same(first, Training(toys(), Counted()).run(12))
    written = {path: (path.stat().st_mtime_ns, path.suffix) for path in store.iterdir()}
    second, drawn = trained()
    assert drawn == 0
    assert_same(first, second)
    assert sorted(suffix for _, suffix in written.values()) == [".json", ".lock", ".pt"]
    assert all(path.stat().st_mtime_ns == at for path, (at, suffix) in written.items() if suffix == ".pt")


CHANGES = {
    "more steps": {"steps": 13},
    "fewer steps": {"steps": 11},
    "seed": {"seed": 1},
    "rate": {"lr": 2e-3},
    "cosine": {"cosine": True},
    "decay": {"weight_decay": 0.1},
    "name": {"name": "others"},
    "data": {"draw": Counted(p=0.31)},
    "start": {"model": ToyModels(6, 2, [0, 2])},
    "dtype": {"model": ToyModels(6, 2, [0, 1]).double()},
    "units": {"model": ToyModels(6, 3, [0, 1])},
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_any_change_trains_anew(change, store):
    trained()
    draw = Counted(dtype=change["model"].weight.dtype) if "model" in change else Counted()
    assert trained(**{"draw": draw} | change)[1] == change.get("steps", 12)
    assert trained()[1] == 0  # and what was there stays


def test_seed_and_rate_are_passed_on(store):
    training, _ = trained(seed=5, lr=0.02)
    assert_same(training, Training(toys(), Counted(), seed=5, lr=0.02).run(12))
    training, _ = trained(seed=5, lr=0.02, cosine=True)
    assert_same(training, Training(toys(), Counted(), seed=5, lr=0.02, cosine_steps=12).run(12))
    training, _ = trained(lr=0.02, weight_decay=2.0)
    assert_same(training, Training(toys(), Counted(), lr=0.02, weight_decay=2.0).run(12))


def autoencoder(**options):
    return some_sae(**{"units": 4, "latents": 6, "k": 2, "seeds": [0]} | options)


def supervised(**options):
    return SupervisedSAE(**{"units": 4, "n": 6, "k": 2, "seeds": [0]} | options)


OPTIONS = {
    "k": (autoencoder, {"k": 3}),
    "aux_weight": (autoencoder, {"aux_weight": 0.2}),
    "dead_after": (autoencoder, {"dead_after": 2}),
    "unit_norm": (autoencoder, {"unit_norm": True}),
    "pre_bias": (autoencoder, {"pre_bias": True}),
    "rectify": (autoencoder, {"rectify": True}),
    "aux_printed": (autoencoder, {"aux_printed": True}),
    "k supervised": (supervised, {"k": 3}),
    "gradient": (supervised, {"gradient": "selected"}),
}


@pytest.mark.parametrize(("build", "option"), OPTIONS.values(), ids=OPTIONS)
def test_any_change_of_the_options_of_a_model_trains_anew(build, option, store):
    plain, changed = build().state_dict(), build(**option).state_dict()
    assert all(torch.equal(plain[name], changed[name]) for name in plain)  # the start does not tell them apart
    shape = (1, 8, 4) if build is autoencoder else (8, 6)

    def ask(model):
        train(model, lambda generator: torch.rand(shape, generator=generator), 2, "some")
        return len(list(store.glob("*.pt")))

    assert [ask(build()), ask(build(**option)), ask(build()), ask(build(**option))] == [1, 2, 2, 2]


# What a stored model depends on

SMALL = {"units": 3, "latents": 6, "k": 2, "seeds": [0]}
DATA = torch.arange(60.0).reshape(1, 20, 3) / 60


def test_data_that_a_draw_holds_change_the_key_however_late_they_are_drawn(store):
    """The kind of fault: an exercise that told the store of a seed alone got the SAE of other data."""

    def ask(data):
        def draw(generator):
            return data[:, torch.randint(4, (8,), generator=generator)]  # never sees the last entries

        train(some_sae(**SMALL), draw, 2, "saes")
        return len(list(store.glob("*.pt")))

    other = DATA.clone()
    other[0, -1, 0] += 1e-6
    assert [ask(DATA), ask(DATA.clone()), ask(other), ask(DATA)] == [1, 1, 2, 2]


def test_data_that_a_draw_makes_change_the_key(store):
    """What no value shows is seen in the first batches."""
    hidden = {"scale": 1.0}

    class Draw:
        def __call__(self, generator):
            return hidden["scale"] * torch.rand(1, 8, 3, generator=generator)

        def identity(self):
            return "some data"

    for scale, kept in ((1.0, 1), (2.0, 2), (1.0, 2)):
        hidden["scale"] = scale
        train(some_sae(**SMALL), Draw(), 2, "saes")
        assert len(list(store.glob("*.pt"))) == kept


@pytest.mark.parametrize("package", ["torch", "numpy", "scipy", "scikit-learn", "pot"])
def test_another_version_of_a_package_trains_anew(package, store, monkeypatch, capsys):
    trained()
    own = closure._version
    monkeypatch.setattr(closure, "_version", lambda name: "0.0" if name == package else own(name))
    assert trained()[1] == 12
    assert f"toys is trained anew, since {package} changed" in capsys.readouterr().err


def test_models_of_an_older_store_are_named_and_not_used(store, capsys):
    trained()
    (path,) = store.glob("toys-*.pt")
    old = store / "toys-0123456789ab.pt"
    path.rename(old)
    path.with_suffix(".json").unlink()
    assert trained()[1] == 12
    told = capsys.readouterr().err
    assert f"{old.name} does not say what it depends on and is not used: delete it" in told


SCRIPT = """
import sys, torch
from lib.data.stand_ins import STAND_INS, train_stand_in
from lib.toy_models import ToyModels, train_toy_models
cpu = torch.device("cpu")
train_stand_in(STAND_INS["grid-mlp"]._replace(steps=1), 0, cpu, 200)
train_toy_models(ToyModels(6, 2, [0, 1]), 1, batch=8)
"""
EDITS = {  # a file, what is replaced by what there, and the models that are trained anew
    "a constant of the data": ("lib/data/digits.py", "PRESENT = 9, 10, 0.3", "PRESENT = 9, 10, 0.6", {"stand-in-grid"}),
    "a default": ("lib/features.py", "generator: torch.Generator, dtype=", "generator=None, dtype=",
                  {"stand-in-grid", "toys-output_relu-2"}),
    "a comment": ("lib/training.py", "import json", "import json  # of what it depends on",
                  {"stand-in-grid", "toys-output_relu-2"}),
    "a plot": ("lib/chapter/plotting.py", "import io", "import io  # not its business", set()),
    "a page": ("book/press/slides.py", "from pathlib", "# nor this\nfrom pathlib", set()),
}  # fmt: skip


@pytest.fixture(scope="module")
def scratch(tmp_path_factory):
    """A copy of the code with models trained by it."""
    folder = tmp_path_factory.mktemp("scratch")
    for name in ("lib", "book/press"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    assert told_by(folder) == set()
    return folder


def told_by(folder):
    done = subprocess.run([sys.executable, "-c", SCRIPT], cwd=folder, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return {line.split(" is trained anew, since ")[0] for line in done.stderr.splitlines() if "trained anew" in line}


@pytest.mark.parametrize(("file", "old", "new", "models"), EDITS.values(), ids=EDITS)
def test_an_edit_trains_exactly_the_models_anew_whose_code_it_is(file, old, new, models, scratch):
    path = scratch / file
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))
    kept = set((scratch / "build/trained").glob("*.pt"))
    told = told_by(scratch)
    made = set((scratch / "build/trained").glob("*.pt")) - kept
    path.write_text(text)
    for file in made:
        file.unlink()
    assert told <= models and {file.stem.rsplit("-", 1)[0] for file in made} == models


@pytest.mark.parametrize("cosine", [False, True])
def test_a_killed_training_goes_on_to_identical_numbers(cosine, store, monkeypatch):
    monkeypatch.setattr(lib.training, "SECONDS_BETWEEN_CHECKPOINTS", -1)
    whole = Training(toys(), Counted(), cosine_steps=12 if cosine else None).run(12)
    with pytest.raises(KeyboardInterrupt):
        trained(Counted(stop=8), cosine=cosine)
    resumed, drawn = trained(cosine=cosine)
    assert drawn == 4
    assert_same(resumed, whole)


def test_a_damaged_file_in_the_store_is_named(store):
    trained()
    (path,) = store.glob("toys-*.pt")
    path.write_bytes(path.read_bytes()[:1000])
    refuses(f"checkpoint {path} cannot be used", "delete it to start anew", trained)
    path.unlink()
    assert trained()[1] == 12


def test_two_that_ask_at_once_train_once(store):
    draws = [Counted(pause=0.002), Counted(pause=0.002)]
    found = []
    threads = [threading.Thread(target=lambda draw=draw: found.append(trained(draw)[0])) for draw in draws]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(draw.count for draw in draws) == [0, 12]
    assert_same(*found)


def test_it_waits_for_whoever_holds_the_lock(store):
    trained()
    (path,) = store.glob("*.lock")
    done = threading.Event()
    with open(path) as lock:
        flock(lock, LOCK_EX)
        thread = threading.Thread(target=lambda: (trained(), done.set()))
        thread.start()
        assert not done.wait(0.3)
    assert done.wait(30)
    thread.join()


def test_random_batches_keep_entries_together():
    x = torch.arange(50)
    a, b = random_batches(x, 10 * x, size=20)(seeded(0))
    assert len(a) == 20 and torch.equal(b, 10 * a) and len(a.unique()) > 5
