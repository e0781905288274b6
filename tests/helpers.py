"""What several test files share: seeded data, the devices and dtypes to try, bad input and how it must be refused."""

import json
import re

import nbformat
import pytest
import torch
from hypothesis import example, given
from hypothesis import strategies as st

from lib.chapter import results
from lib.features import seeded
from lib.sae import Recipe, TopKSAE
from lib.store import write_whole

NO_GPU = pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU on this machine")
DEVICES = ["cpu", pytest.param("cuda", marks=NO_GPU)]
TOLERANCE = {torch.float64: 1e-10, torch.float32: 2e-4}
DTYPES = list(TOLERANCE)


def normal(*shape, seed=0, dtype=torch.float64):
    return torch.randn(*shape, generator=seeded(seed), dtype=dtype)


def some_sae(units, latents, k, seeds, kind=TopKSAE, dtype=torch.float32, device="cpu", **recipe):
    """Untrained SAEs by a recipe in short."""
    return kind(units, Recipe(latents=latents, k=k, **recipe), seeds, device, dtype)


def scaled(y, power, unit=None, dtype=torch.float64):
    """All units, or one, times 10 to some power, then rounded."""
    factor = torch.ones(y.shape[-1], dtype=torch.float64)
    factor[slice(None) if unit is None else unit] = 10.0**power
    return (y * factor).to(dtype)


def any_scale(test):
    """Generate `power` and `dtype`: sizes that either can hold, and the ends of that range always."""
    test = given(power=st.floats(-30, 30), dtype=st.sampled_from(DTYPES))(test)
    for power, dtype in [(-30, DTYPES[1]), (30, DTYPES[1]), (-80, DTYPES[0]), (80, DTYPES[0])]:
        test = example(power=power, dtype=dtype)(test)
    return test


def around(mean, *shape, seed=0):
    """Responses that are exact in double precision about a mean as large as 1e9, and the same without the mean."""
    y = (1024 * normal(*shape, seed=seed)).round() / 1024
    return y + mean, y


def rotation(n, seed=0):
    return torch.linalg.qr(normal(n, n, seed=seed))[0]


def close(given, wanted, tolerance=1e-10):
    """Equal to an absolute tolerance, whatever the type, device or dtype of the two."""
    given, wanted = (torch.as_tensor(x, dtype=torch.float64, device="cpu") for x in (given, wanted))
    assert given.shape == wanted.shape
    torch.testing.assert_close(given, wanted, rtol=0, atol=tolerance)


def refuses(thing, mend, call, *args, **options):
    """`call` raises ValueError with one line that names the thing first and the mend after it."""
    with pytest.raises(ValueError, match=re.escape(thing)) as caught:
        call(*args, **options)
    message = str(caught.value)
    assert "\n" not in message
    assert mend in message.split(thing, 1)[1]


def refuses_bad_sizes(build):
    """Of models built from units, latents, k and seeds."""
    refuses("2 numbers of units and 3 seeds", "give one of each", build, [5, 4], 8, 2, [0, 1, 2])
    refuses("2 numbers of units and 1 seeds", "give one of each", build, [5, 4], 8, 2, [0])
    for units in (0, -1, [5, 0]):
        refuses("units [", "at least one unit", build, units, 8, 2, [0, 1])
    refuses("units []", "one model or more", build, 5, 8, 2, [])


def _with(value, *places):
    def spoil(y):
        y = y.clone()
        for place in places:
            y[place] = value
        return y

    return spoil


# name: (what to do to a sound pair y_a (12, 3), y_b (12, 4), the thing named, the mend named)
BAD_PAIRS = {
    "NaN": (
        lambda a, b: (_with(torch.nan, (2, 1))(a), b),
        "y_a has 1 NaN or infinite values, the first at (2, 1)",
        "remove",
    ),
    "infinities": (
        lambda a, b: (a, _with(-torch.inf, (9, 0), (5, 3))(b)),
        "y_b has 2 NaN or infinite values, the first at (5, 3)",
        "replace",
    ),
    "opposite infinities": (lambda a, b: (_with(torch.inf, (2, 1))(_with(-torch.inf, (3, 1))(a)), b), "y_a", "remove"),
    "no units": (lambda a, b: (a[:, :0], b), "y_a is empty", "give at least one unit"),
    "no stimuli": (lambda a, b: (a[:0], b[:0]), "y_a is empty", "stimuli"),
    "one stimulus": (lambda a, b: (a[:1], b[:1]), "y_a has 1 stimuli", "needed"),
    "unequal stimuli": (lambda a, b: (a, b[:-1]), "y_a has 12 stimuli and y_b has 11", "give both"),
    "complex numbers": (lambda a, b: (a, b * 1j), "y_b has dtype torch.complex128", "y_b.real"),
    "a sparse tensor": (lambda a, b: (a.to_sparse(), b), "y_a is sparse", "y_a.to_dense()"),
    "one dimension": (lambda a, b: (a[:, 0], b), "y_a has shape (12,)", "give (stimuli, units)"),
    "unequal rows": (lambda a, b: (a, [[1.0, 2], [3]]), "y_b (list of <U", "rows of equal length"),
    "a string": (lambda a, b: ("responses", b), "y_a (str of <U9) is no array of numbers", "rows of equal length"),
    "two batches": (lambda a, b: (a.expand(2, -1, -1), b.expand(3, -1, -1)), "y_a has shape (2, 12, 3)", "equal"),
}


def bad_pairs(*calls):
    """Parametrise a test over `calls` and all bad pairs, as `call, y_a, y_b, thing, mend`."""
    cases = [
        pytest.param(call, *spoil(normal(12, 3), normal(12, 4, seed=1)), thing, mend, id=f"{call.__name__}-{name}")
        for call in calls
        for name, (spoil, thing, mend) in BAD_PAIRS.items()
    ]
    return pytest.mark.parametrize("call, y_a, y_b, thing, mend", cases)


TEXT_CHAPTER = """# %% [markdown]
# (ch-first)=
# # First
#
# What is asked?
#
# ## The idea
#
# It is explained in eight words, no more.
"""


def executed(project, name, profile, outputs=(), values=None):
    """Write a chapter and its notebook as a run of this profile leaves it, with results if there are `values`."""
    write_whole(project / "notebooks" / f"{name}.py", TEXT_CHAPTER)
    text = nbformat.v4.new_markdown_cell(re.sub("^# ?", "", TEXT_CHAPTER, flags=re.M).split("\n", 1)[1], id="t")
    cell = nbformat.v4.new_code_cell("draws = 3", outputs=list(outputs), id="a")
    injected = nbformat.v4.new_code_cell("draws = 5", metadata={"tags": ["injected-parameters"]}, id="b")
    notebook = nbformat.v4.new_notebook(cells=[text, cell, injected])
    depends = results.chapter_dependencies(name, {}, profile)
    if values is not None:
        content = {"chapter": name, "profile": profile, "values": values, "provenance": {}}
        write_whole(results.saved_path(name, profile), json.dumps(content))
    about = {"chapter": name, "profile": profile, "seconds": 62.5, "settings": {}, "depends": depends}
    about["notebook"] = results.notebook_digest(json.loads(nbformat.writes(notebook)))
    notebook.metadata["run"] = about | {"results": results.settle(name, profile, depends)}
    write_whole(project / "build" / profile / f"{name}.ipynb", nbformat.writes(notebook))


def check_batch(metric, stimuli, dtype, device, tolerance):
    """A metric of several pairs at once gives what it gives of each, on this device; one system is spread over all."""
    y_a, y_b = normal(3, stimuli, 4), normal(3, stimuli, 5, seed=1)
    batched = metric(y_a.to(device, dtype), y_b.to(device, dtype))
    assert batched.device.type == device
    close(batched, [float(metric(a, b)) for a, b in zip(y_a, y_b, strict=True)], tolerance)
    close(metric(y_a, y_b[0]), [float(metric(a, y_b[0])) for a in y_a])


def gradient(sae, name):
    """The gradient of an SAE's parameter; the encoder is kept latent after latent."""
    return sae.encoder_rows.grad.mT if name == "encoder" else getattr(sae, name).grad
