"""Links and references lead somewhere: inside the project without a build, outside it only where one asks for that.

`make links` asks every address outside; a weekly job can. Nothing else here opens the network.
"""

import importlib.util
import os
import re
import urllib.request

import pytest
from test_notebooks import CHAPTERS, text

from lib.store import ROOT

WRITTEN = [ROOT / f"{name}.md" for name in ("README", "CONTRIBUTING", "CHANGELOG")] + sorted(ROOT.glob("book/*.md"))
PAGES = {str(path.relative_to(ROOT)): path.read_text(encoding="utf-8") for path in WRITTEN}
PAGES |= {f"book/chapters/{chapter}.md": text(chapter) for chapter in CHAPTERS}  # where the book has them
FOLDERS = ("lib", "book", "notebooks", "tests", "benchmarks", "workflow")  # whose files a text may name
EXAMPLES = {"notebooks/15_name.py"}
LABEL = re.compile(r"^ *\(([\w-]+)\)=$|^ *:(?:label|name): ([\w-]+)$|\$\$ \(([\w-]+)\)$", re.M)
LINK = re.compile(r"(!?)\[([^\]]*)\]\(([^)\s]+)\)")
REFERENCE = re.compile(r"\{(ref|numref|eq|prf:ref|term|cite:[tp])\}`(?:[^`<]*<)?([^`>]+)>?`")
ADDRESS = re.compile(r"https?://[^\s)}\]>\"'`]+")
PREPRINT = re.compile(r"arXiv[ :](\d{4}\.\d{4,5})|^ *eprint = \{(\d{4}\.\d{4,5})\}", re.M)
REPOSITORY = re.compile(rf"`((?!(?:data|build|{'|'.join(FOLDERS)})/)[A-Za-z][\w-]*/[\w.-]+)`")


def heading_anchors(words):
    """Anchors that headings get: lower case, words joined by hyphens."""
    return {
        re.sub(r"[^\w -]", "", head).strip().lower().replace(" ", "-") for head in re.findall(r"^#+ (.+)$", words, re.M)
    }


def labels():
    return ["".join(found).lower() for words in PAGES.values() for found in LABEL.findall(words)]


def terms():
    glossary = PAGES["book/glossary.md"]
    return {line.strip().lower() for line in re.findall(r"^\S[^\n]*(?=\n {2})", glossary, re.M)}


def sources():
    return {*re.findall(r"^@\w+\{(\w+),", (ROOT / "book" / "references.bib").read_text(encoding="utf-8"), re.M)}


def dead(page, words):
    """Links and references of a page that lead nowhere in the project, and pictures without words."""
    for picture, alt, target in LINK.findall(words):
        path, _, anchor = target.partition("#")
        led = (ROOT / page).parent / path if path else ROOT / page
        if picture and not alt.strip():
            yield f"![]({target}): no alternative text"
        if not ADDRESS.match(target) and not (led.exists() or not path):
            yield target
        elif anchor and not ADDRESS.match(target):
            there = words if not path else led.read_text(encoding="utf-8")
            if anchor not in heading_anchors(there).union(labels()):
                yield target
    known = {"term": terms(), "cite:t": sources(), "cite:p": sources()}
    for role, named in REFERENCE.findall(words):
        for one in named.split(",") if role.startswith("cite") else [named]:
            name = one.strip() if role.startswith("cite") else " ".join(one.split()).lower()
            if name not in known.get(role, labels()):
                yield f"{{{role}}}`{one}`"
    for path in re.findall(rf"`((?:{'|'.join(FOLDERS)})/[\w./-]+)`", words):
        if path not in EXAMPLES and "/." not in path and not (ROOT / path).exists():
            yield path
    for module in re.findall(rf"-m ((?:{'|'.join(FOLDERS)})\.[\w.]+)", words):
        if not importlib.util.find_spec(module):
            yield module


@pytest.mark.parametrize("page", PAGES)
def test_links_and_references_lead_somewhere(page):
    assert [*dead(page, PAGES[page])] == []


def test_labels_are_unique_over_the_book():
    assert sorted(set(labels())) == sorted(labels())


@pytest.mark.parametrize(
    "words",
    [
        "[a](lib/none.py)",
        "[a](../CONTRIBUTING.md#no-such-head)",
        "[a](#no-such-head)",
        "![](images/landing.svg)",
        "{ref}`ch-none`",
        "{ref}`here <ch-none>`",
        "{numref}`fig-none`",
        "{eq}`eq-none`",
        "{prf:ref}`thm-none`",
        "{term}`none`",
        "{cite:t}`longon2025,none2020`",
        "`lib/none.py`",
        "`python -m book.none`",
    ],
)
def test_dead_links_are_found(words):
    assert len([*dead("book/data.md", words)]) == 1


def outside():
    """Every address outside the project that a page, a source or the code names: preprints and repositories too."""
    files = [*ROOT.glob("book/*.yml"), *ROOT.glob("book/*.bib"), ROOT / "CITATION.cff", ROOT / "pyproject.toml"]
    files += [ROOT / "_config.yml"]
    files += [path for folder in FOLDERS if folder != "tests" for path in ROOT.glob(f"{folder}/**/*.py")]
    words = "\n".join([*PAGES.values(), *(path.read_text(encoding="utf-8") for path in files)])
    found = {address.rstrip(".,;") for address in ADDRESS.findall(words)}
    found |= {f"https://arxiv.org/abs/{''.join(number)}" for number in PREPRINT.findall(words)}
    return sorted(found | {f"https://github.com/{name}" for name in REPOSITORY.findall(PAGES["book/data.md"])})


def test_addresses_outside_are_found():
    named = {"snakemake.readthedocs.io", "github.com/cest-andre/align-interp", "arxiv.org/abs/2510.03186"}
    assert {f"https://{one}" for one in named | {"github.com/cowleygroup/V4_compact_models"}} <= {*outside()}


@pytest.mark.skipif("ONLINE" not in os.environ, reason="asks addresses outside: `make links` does")
@pytest.mark.parametrize("address", outside())
def test_addresses_outside_answer(address):
    asked = urllib.request.Request(address, headers={"User-Agent": "Mozilla/5.0 (links of a book)"})
    with urllib.request.urlopen(asked, timeout=30) as answer:
        assert answer.status == 200
