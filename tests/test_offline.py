"""Nothing opens the network unasked: tests, the processes they start, a chapter with its page, every import."""

import shutil
import socket
import subprocess
import sys

import pytest
import torch
from conftest import REACHED

from lib.store import CODE, ROOT
from tests.press.test_runner import HEADER, tiny

CHAPTER = "16_metrics"  # one of the shortest
OUTSIDE = "192.0.2.1"  # an address that no machine has


def asked():
    """What other machines were asked for since the last call, which the test then does not fail for."""
    told = REACHED.read_text() if REACHED.exists() else ""
    REACHED.unlink(missing_ok=True)
    return told


def python(*command, cwd=CODE):
    return subprocess.run([sys.executable, *command], cwd=cwd, capture_output=True, text=True, timeout=250)


@pytest.mark.parametrize(
    "reach",
    [
        lambda: socket.create_connection((OUTSIDE, 80)),
        lambda: socket.create_connection(("example.org", 80)),
        lambda: socket.getaddrinfo("example.org", 80),
        lambda: socket.gethostbyname("example.org"),
        lambda: socket.socket().connect((OUTSIDE, 80)),
        lambda: socket.socket(socket.AF_INET6).connect(("2001:db8::1", 80)),
        lambda: socket.socket(type=socket.SOCK_DGRAM).sendto(b"", (OUTSIDE, 53)),
    ],
)
def test_another_machine_is_not_reached(reach):
    with pytest.raises(ConnectionRefusedError, match="is another machine: tests reach none"):
        reach()
    assert asked()


def test_this_machine_is_reached(tmp_path):
    for family, address in ((socket.AF_INET, ("127.0.0.1", 0)), (socket.AF_UNIX, str(tmp_path / "socket"))):
        with socket.socket(family) as server, socket.socket(family) as client:
            server.bind(address)
            server.listen()
            client.connect(server.getsockname())
    assert socket.getaddrinfo("localhost", 80)
    assert asked() == ""


def test_a_process_that_a_test_starts_is_held_too():
    done = python("-c", "import socket; socket.create_connection(('example.org', 80))")
    assert done.returncode == 1 and "example.org is another machine" in done.stderr
    assert asked() == "socket.getaddrinfo example.org\n"


def test_importing_anything_of_the_project_reaches_nothing():
    modules = sorted(path.relative_to(CODE).with_suffix("") for path in CODE.glob("lib/**/[a-z]*.py"))
    modules += sorted(path.relative_to(CODE).with_suffix("") for path in CODE.glob("book/press/[a-z]*.py"))
    done = python("-c", f"import {', '.join('.'.join(path.parts) for path in modules)}; print('imported')")
    assert done.stdout == "imported\n", done.stderr
    assert asked() == ""


@pytest.mark.parametrize("name", ["torchvision:resnet18", "torchvision:vit_b_16", "timm:resnet18"])
def test_networks_with_random_weights_reach_nothing_even_with_nothing_stored(name, tmp_path, monkeypatch):
    from lib.data.vision import load_network

    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    load_network(f"{name}:random", "cpu")
    assert asked() == ""


def test_what_a_chapter_reaches_is_seen_even_if_it_swallows_the_refusal(tmp_path):
    project = tiny(tmp_path)
    reach = "import socket\n\ntry:\n    socket.create_connection(('example.org', 80))\nexcept OSError:\n    pass\n"
    (project / "notebooks" / "02_second.py").write_text(HEADER + reach)
    done = python("-m", "book.press", "run", "02_second", cwd=project)
    assert done.returncode == 0, done.stdout
    assert asked() == "socket.getaddrinfo example.org\n"


def test_a_chapter_and_its_page_reach_nothing_and_warn_of_nothing(tmp_path):
    for name in ("lib", "book", "notebooks"):
        ignored = shutil.ignore_patterns("__pycache__", "chapters", "*.ipynb")
        shutil.copytree(ROOT / name, tmp_path / name, ignore=ignored)
    shutil.copy(ROOT / "_config.yml", tmp_path)
    given = "-p draws 2 -p stimuli 300 -p many 10 -p toy_steps 20 -p neighbour_stimuli [200,300]".split()
    for command in (["run", CHAPTER, "--no-exercises", *given], ["page", CHAPTER]):
        done = python("-m", "book.press", *command, cwd=tmp_path)
        assert done.returncode == 0, done.stdout + done.stderr
        assert "WARNING" not in done.stdout + done.stderr
    assert (tmp_path / "build/custom/page/_build/html" / f"{CHAPTER}.html").exists()
    assert asked() == ""
