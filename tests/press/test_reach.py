"""One address in `_config.yml` reaches buttons, links, README and CITATION.cff, and without one nothing is broken."""

import html
import re

import nbformat
import pytest
import yaml
from helpers import executed

from book._ext import reach
from book._ext.reach import Address, address, citation, launch_links, readme, source_links
from book.press import assemble, beside
from book.press.assemble import STRICT, _jupyter_book
from lib.store import CODE, write_whole

CONFIG = yaml.safe_load((CODE / "_config.yml").read_text(encoding="utf-8"))
CHOSEN = CONFIG | {
    "repository": {"url": "https://github.com/some-one/book.git", "branch": "main"},
    "html": CONFIG["html"] | {"baseurl": "https://some-one.github.io/book"},
}
UNCHOSEN = CONFIG | {"repository": {"url": ""}, "html": CONFIG["html"] | {"baseurl": ""}}
HERE, NOWHERE = address(CHOSEN), Address()
FILES = {"README.md": readme, "CITATION.cff": citation}
META = re.compile(r'<meta (?:property|name)="([\w:]+)" content="([^"]*)" ?/>')


@pytest.mark.parametrize("name", FILES)
def test_files_are_in_step_with_the_settings(name):
    text = (CODE / name).read_text(encoding="utf-8")
    assert FILES[name](text, address(CONFIG)) == text, "run `make address`"


@pytest.mark.parametrize("name", FILES)
def test_files_name_an_address_only_while_there_is_one(name):
    text = FILES[name]((CODE / name).read_text(encoding="utf-8"), NOWHERE)
    there = FILES[name](text, HERE)
    for url in ("https://github.com/some-one/book", "https://some-one.github.io/book/"):
        assert url in there and url not in text
    assert FILES[name](there, HERE) == there and FILES[name](there, NOWHERE) == text
    if name == "CITATION.cff":
        added = {"repository-code": HERE.repository, "url": HERE.pages}
        assert yaml.safe_load(there) == yaml.safe_load(text) | added


def test_readme_speaks_of_this_repository_or_says_what_to_clone():
    text = (CODE / "README.md").read_text(encoding="utf-8")
    nowhere, there = readme(text, NOWHERE), readme(text, HERE)
    assert "clone of this repository" in nowhere and "git clone" not in nowhere
    assert "git clone https://github.com/some-one/book\ncd book\n" in there and "this repository" not in there
    with pytest.raises(ValueError, match="README.md has 0 places marked 'read': it needs one"):
        readme("no marks", HERE)


def test_commands_write_both_files(tmp_path, monkeypatch):
    monkeypatch.setattr(reach, "ROOT", tmp_path)
    write_whole(tmp_path / "_config.yml", yaml.safe_dump(CHOSEN))
    for name in FILES:
        write_whole(tmp_path / name, (CODE / name).read_text(encoding="utf-8"))
    reach.write_addresses()
    assert all(HERE.repository in (tmp_path / name).read_text(encoding="utf-8") for name in FILES)


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("git@github.com:a/b.git", "is no address: write all of it, from https on, or nothing"),
        ("https://github.com/a/b c", "is no address"),
        ('https://github.com/a/b"><script>', "is no address"),
        ("https://github.com/a", "names no repository: add its owner and name"),
    ],
)
def test_what_is_no_address_is_refused(url, told):
    with pytest.raises(ValueError, match=told):
        address({"repository": {"url": url}})


@pytest.mark.parametrize("config", [{}, {"repository": None, "html": None}, {"repository": {"url": "", "branch": ""}}])
def test_without_an_address_there_is_no_link(config):
    assert address(config) == NOWHERE
    services = NOWHERE._replace(binder=HERE.binder, colab=HERE.colab)
    assert source_links(services, "book/intro") == launch_links(services, "01_first") == {}


@pytest.mark.parametrize(
    ("repository", "issue", "binder", "colab"),
    [
        (
            "https://github.com/a/b",
            "/issues/new?title=On%20p%3A%20",
            "gh/a/b",
            "/github/a/b/blob/notebooks/01_first.ipynb",
        ),
        ("https://gitlab.com/g/a/b", "/-/issues/new?issue[title]=On%20p%3A%20", "gl/g%2Fa%2Fb", None),
        (
            "https://github.example/a/b",
            "/issues/new?title=On%20p%3A%20",
            "git/https%3A%2F%2Fgithub.example%2Fa%2Fb",
            None,
        ),
        ("https://code.example/a/b", None, "git/https%3A%2F%2Fcode.example%2Fa%2Fb", None),
    ],
)
def test_links_are_those_that_the_host_has(repository, issue, binder, colab):
    place = HERE._replace(repository=repository, branch="a/b")
    issues = {"Open issue": repository + issue} if issue else {}
    assert source_links(place, "p") == {"Repository": repository} | issues
    launched = {"Binder": f"{HERE.binder}/v2/{binder}/a%2Fb?urlpath=lab/tree/build/lab/01_first.ipynb"}
    launched |= {"Colab": HERE.colab + colab} if colab else {}
    assert launch_links(place, "01_first") == launched
    assert launch_links(place._replace(binder="", colab=""), "01_first") == {}


def test_a_page_of_a_run_of_ones_own_is_at_no_address(project, monkeypatch):
    executed(project, "01_first", "custom")
    write_whole(project / "_config.yml", yaml.safe_dump(CHOSEN))
    write_whole(project / "book" / "references.bib", "")
    monkeypatch.setattr(beside, "box", lambda *_: "")
    monkeypatch.setattr(assemble, "_jupyter_book", lambda *_: 1)
    assert assemble.page("01_first", "custom") == 1
    written = yaml.safe_load((project / "build/custom/page/_config.yml").read_text(encoding="utf-8"))
    assert address(written) == NOWHERE._replace(binder=HERE.binder, colab=HERE.colab)


@pytest.fixture(scope="module", params=["chosen", "none"])
def built(request, tmp_path_factory):
    """A book of two pages and a chapter, strictly built with the project's settings: its folder, and its address."""
    source, config = tmp_path_factory.mktemp(request.param), CHOSEN if request.param == "chosen" else UNCHOSEN
    extensions = dict.fromkeys(config["sphinx"]["local_extensions"], str(CODE / "book" / "_ext"))
    config = config | {"sphinx": config["sphinx"] | {"local_extensions": extensions}}
    chapters = [{"file": "book/chapters/01_first"}, {"file": "book/glossary"}]
    cells = [nbformat.v4.new_markdown_cell("# The first\n\nWhat is *it*?", id="a")]
    write_whole(source / "_config.yml", yaml.safe_dump(config))
    write_whole(source / "_toc.yml", yaml.safe_dump({"format": "jb-book", "root": "book/intro", "chapters": chapters}))
    write_whole(source / "book" / "references.bib", "")
    write_whole(source / "book" / "intro.md", '# A book\n\nIs `a<"b"` & so?\n\nAnother paragraph.\n')
    write_whole(source / "book" / "glossary.md", f"# Terms\n\n{'word ' * 100}\n")
    notebook = nbformat.v4.new_notebook(cells=cells)
    write_whole(source / "book" / "chapters" / "01_first.ipynb", nbformat.writes(notebook))
    assert _jupyter_book(source, source, *STRICT) == 0
    return source / "_build" / "html", address(config)


def page(built, name):
    return (built[0] / f"{name}.html").read_text(encoding="utf-8")


def test_buttons_lead_to_the_address_or_are_not_there(built):
    for name in ("book/intro", "book/chapters/01_first", "genindex"):
        links = [html.unescape(link) for link in re.findall(r'href="(https?://[^"]*)"', page(built, name))]
        wanted = source_links(built[1], name)
        wanted |= launch_links(built[1], "01_first") if "01_first" in name else {}
        canonical = [f"{built[1].pages}{name}.html"] if built[1].pages else []
        outside = [link for link in links if not link.startswith(("https://sphinx", "https://ebp"))]
        assert sorted(outside) == sorted([*wanted.values(), *canonical])
        assert 'href=""' not in page(built, name)
        assert ("fa-rocket" in page(built, name)) == ("01_first" in name and bool(built[1].repository))


@pytest.mark.parametrize(
    ("name", "title", "about"),
    [
        ("index", "Superposition and alignment", 'Is a<"b" & so?'),
        ("book/intro", "Superposition and alignment", 'Is a<"b" & so?'),
        ("book/chapters/01_first", "The first", "What is it?"),
        ("search", "Superposition and alignment", "Superposition and alignment"),
    ],
)
def test_links_have_a_title_a_description_and_a_picture(built, name, title, about):
    meta = {key: html.unescape(text) for key, text in META.findall(page(built, name))}
    assert meta["og:title"] == title
    assert meta.get("og:description") == meta.get("description") == about
    picture = meta["og:image"]
    if pages := built[1].pages:
        assert picture.startswith(pages) and meta["og:url"] == pages + (f"{name}.html" if name != "index" else "")
        assert (built[0] / picture.removeprefix(pages)).is_file()
    else:
        assert "og:url" not in meta and "://" not in picture
        assert (built[0] / f"{name}.html").parent.joinpath(picture).is_file()


def test_description_ends_at_a_word(built):
    meta = dict(META.findall(page(built, "book/glossary")))
    assert len(meta["description"]) <= 200 and meta["description"].endswith("word …")


def test_the_pages_have_an_icon_and_the_first_address_leads_on(built):
    for name in ("book/intro", "book/chapters/01_first", "search"):
        icon = re.search(r'<link rel="icon" href="([^"]+)"', page(built, name))[1].partition("?")[0]
        assert (built[0] / f"{name}.html").parent.joinpath(icon).is_file()
    assert 'content="0; url=book/intro.html"' in page(built, "index")


def test_picture_for_links_has_the_size_they_want():
    head = (CODE / "book/images/preview.png").read_bytes()[:24]
    assert head[:8] == b"\x89PNG\r\n\x1a\n"
    assert (int.from_bytes(head[16:20]), int.from_bytes(head[20:24])) == (1200, 630)
