import subprocess
import sys

import pytest
import yaml
from helpers import refuses

from lib.chapter.plain_yaml import load_yaml
from lib.store import CODE, ROOT

BOMB = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{name}: &{name} [{', '.join([f'*{below}'] * 9)}]\n" for below, name in zip("abcdefgh", "bcdefghi", strict=True)
)


@pytest.mark.parametrize("path", [*ROOT.glob("book/*.yml"), *ROOT.glob("notebooks/profiles/*/*.yml")], ids=str)
def test_the_files_of_the_project_are_plain(path):
    assert load_yaml(path.read_bytes(), path.name) == yaml.safe_load(path.read_text(encoding="utf-8"))


@pytest.mark.parametrize(
    "text, thing, mend",
    [
        (BOMB, "a.yml is not YAML: line 2 has an alias", "write out"),
        ("a: 1\nb:\n  c: 2\n  c: 3\n", "line 3 and what follows give 'c' twice", "keep one"),
        ("{0: a, 0: b}", "give 0 twice", "keep one"),
        ("a: 1\n<<: {b: 2}\n", "a.yml is not YAML: line 2, could not determine", "merge"),
        ("[" * 5000, "a.yml is not YAML", "nested too deeply"),
        ("a: [1\nb: 2\n", "a.yml is not YAML: line 2", "expected"),
        ("? [a]\n: 1\n", "a.yml is not YAML", "unhashable"),
        ("!!python/object/apply:os.system [ls]", "a.yml is not YAML: line 1", "could not determine"),
        ("9" * 5000, "a.yml is not YAML", "integer"),
        ("!!int ''", "a.yml is not YAML", "index"),
        (b"a: \xff", "a.yml is not YAML", "decode"),
        ("a: \x07", "a.yml is not YAML", "special characters"),
        ("!!timestamp 'x\x85y'", "a.yml is not YAML", ""),
    ],
)
def test_what_is_not_plain_is_refused_in_one_line(text, thing, mend):
    refuses(thing, mend, load_yaml, text, "a.yml")


def test_it_needs_nothing_but_yaml():
    """Snakemake's environment has no PyTorch."""
    code = "import sys, lib.chapter.plain_yaml; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], cwd=CODE, capture_output=True, text=True, check=True).stdout
    assert not {"torch", "numpy", "jupytext", "lib.store"} & {*loaded.split()}
