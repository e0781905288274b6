"""Where readers reach the book: `_config.yml` says it once, and buttons, links, README and CITATION.cff follow.

An extension of Sphinx for the pages; `make address` brings the two files in step. As long as no address is chosen,
nothing shows that would need one.
"""

import re
from html import escape
from pathlib import Path
from textwrap import shorten
from typing import NamedTuple
from urllib.parse import quote, urlencode, urlsplit

import yaml
from docutils import nodes

ROOT = Path(__file__).parent.parent.parent
ICON, PICTURE = ROOT / "book/images/favicon.svg", ROOT / "book/images/preview.png"
CHAPTERS = "book/chapters/"
NOTEBOOKS = "notebooks"  # the branch where .github/workflows/book.yml leaves chapters as Colab reads them
SHOWN = "Two overlapping discs with the same three dots in both, and the book's title."
HTTPS = re.compile(r"https:/{2}[\w.-]+(:\d+)?(/[\w.~%-]+)*/?")


class Address(NamedTuple):
    """The repository's address and branch, the book's address, and services that run chapters; each may be empty."""

    repository: str = ""
    branch: str = "main"
    pages: str = ""
    binder: str = ""
    colab: str = ""


def address(config: dict) -> Address:
    """What a `_config.yml` says. Raises ValueError for what is no address."""
    repository, services = config.get("repository") or {}, config.get("launch_buttons") or {}
    named = {"repository: url": repository.get("url"), "html: baseurl": (config.get("html") or {}).get("baseurl")}
    named |= {f"launch_buttons: {one}": services.get(one) for one in ("binderhub_url", "colab_url")}
    for name, url in named.items():
        if url and not HTTPS.fullmatch(url):
            raise ValueError(f"_config.yml, {name}: {url!r} is no address: write all of it, from https on, or nothing")
    code, pages, binder, colab = ((url or "").strip("/") for url in named.values())
    if code and urlsplit(code).path.count("/") < 2:
        raise ValueError(f"_config.yml, repository: url: {code!r} names no repository: add its owner and name")
    branch = repository.get("branch") or "main"
    return Address(code.removesuffix(".git"), branch, pages and f"{pages}/", binder, colab)


def host(place: Address) -> str:
    """Which kind of host the repository is on: github, gitlab or another."""
    name = urlsplit(place.repository).netloc
    return next((kind for kind in ("github", "gitlab") if kind in name), "")


def source_links(place: Address, page: str) -> dict[str, str]:
    """Links from a page to the repository and, where its host is known, to a new issue about the page."""
    if not place.repository:
        return {}
    new = {"github": "/issues/new?title=", "gitlab": "/-/issues/new?issue[title]="}.get(host(place))
    links = {"Repository": place.repository}
    return links | ({"Open issue": place.repository + new + quote(f"On {page}: ")} if new else {})


def launch_links(place: Address, chapter: str) -> dict[str, str]:
    """Links that run a chapter elsewhere: Binder opens its copy in build/lab, Colab one on a branch of GitHub's."""
    links, (_, name, path, *_) = {}, urlsplit(place.repository)
    path = path.strip("/")
    if place.repository and place.binder:
        kind = {"github.com": f"gh/{path}", "gitlab.com": f"gl/{quote(path, safe='')}"}.get(name)
        kind = kind or f"git/{quote(place.repository, safe='')}"
        opened = urlencode({"urlpath": f"lab/tree/build/lab/{chapter}.ipynb"}, safe="/")
        links["Binder"] = f"{place.binder}/v2/{kind}/{quote(place.branch, safe='')}?{opened}"
    if name == "github.com" and place.colab:
        links["Colab"] = f"{place.colab}/github/{path}/blob/{NOTEBOOKS}/{chapter}.ipynb"
    return links


def readme(text: str, place: Address) -> str:
    """The README with the lines that depend on an address."""
    name = place.repository.rpartition("/")[2]
    read = f"Read it at <{place.pages}>.\n" if place.pages else ""
    got = "In a clone of this repository, on a machine with two cores:\n"
    if place.repository:
        clone = f"git clone {place.repository}\ncd {name}"
        got = f"```bash\n{clone}\n```\n\nThen, on a machine with two cores:\n"
    for mark, lines in (("read", read), ("clone", got)):
        region = rf"(<!-- {mark}, by make address -->\n)(?:.*?\n)??(?=<!-- end -->)"
        text, count = re.subn(region, lambda found, lines=lines: found[1] + lines, text, flags=re.S)
        if count != 1:
            raise ValueError(f"README.md has {count} places marked {mark!r}: it needs one")
    return text


def citation(text: str, place: Address) -> str:
    """CITATION.cff with the addresses there are."""
    text = re.sub(r"^(repository-code|url): .*\n", "", text, flags=re.M)
    given = {"repository-code": place.repository, "url": place.pages}
    lines = "".join(f"{key}: {url}\n" for key, url in given.items() if url)
    return re.sub(r"^license: .*\n", lambda found: found[0] + lines, text, flags=re.M)


def chosen() -> Address:
    """The address in the project's _config.yml."""
    return address(yaml.safe_load((ROOT / "_config.yml").read_text(encoding="utf-8")))


def write_addresses() -> None:
    """Bring README.md and CITATION.cff in step with _config.yml."""
    for name, made in {"README.md": readme, "CITATION.cff": citation}.items():
        path = ROOT / name
        path.write_text(made(path.read_text(encoding="utf-8"), chosen()), encoding="utf-8")


def read_config(app, config):
    """Take the addresses from what Jupyter Book made of _config.yml, and put the pictures among the static files.

    The theme's own buttons want an address, one of three hosts, and notebooks that lie in the repository beside pages.
    """
    options = config.html_theme_options
    repository = {"url": options.get("repository_url"), "branch": options.get("repository_branch")}
    html, services = {"baseurl": config.html_baseurl}, options.get("launch_buttons")
    config.reach = address({"repository": repository, "html": html, "launch_buttons": services})
    config.html_baseurl = config.reach.pages
    options |= {"repository_url": "", "launch_buttons": {}}
    config.html_favicon = str(ICON)
    config.html_static_path.append(str(PICTURE))


def add_buttons(app, page, template, context, doctree):
    """The buttons at the head of a page, those that lead somewhere."""
    place, at_head = app.config.reach, context["header_buttons"]
    launch = launch_links(place, page.removeprefix(CHAPTERS)) if page.startswith(CHAPTERS) else {}
    for links, label, tip, icon in (
        (source_links(place, page), "source", "Source repository", f"fab fa-{host(place) or 'git-alt'}"),
        (launch, "launch", "Run this chapter", "fas fa-rocket"),
    ):
        one = {"type": "link", "label": f"{label}-button"}
        buttons = [one | {"text": text, "url": url} for text, url in links.items()]
        group = {"type": "group", "tooltip": tip, "icon": icon, "label": f"{label}-buttons", "buttons": buttons}
        at_head[:0] = [group] if buttons else []


def opening(doctree) -> str:
    """The first paragraph of a page, as far as a link's description goes."""
    first = next((one for one in doctree.findall(nodes.paragraph) if isinstance(one.parent, nodes.section)), None)
    return shorten(first.astext(), 200, placeholder=" …") if first else ""


def tags(place: Address, title: str, description: str, page: str) -> str:
    """What a link to a page shows where it is shared; whole addresses only where the book has one."""
    picture = (place.pages or "../" * page.count("/")) + f"_static/{PICTURE.name}"
    shared = {"og:type": "website", "og:title": title, "og:description": description, "og:image": picture}
    shared |= {"og:image:alt": SHOWN, "og:url": place.pages and place.pages + page}
    named = {"description": description, "twitter:card": "summary_large_image"}
    kinds = [("property", shared), ("name", named)]
    filled = [(kind, name, escape(text)) for kind, meta in kinds for name, text in meta.items() if text]
    return "\n".join(f'<meta {kind}="{name}" content="{text}" />' for kind, name, text in filled)


def add_tags(app, page, template, context, doctree):
    """Say in a page's head what a link to it shows; the book's own address leads on to its first page."""
    place, book, first = app.config.reach, app.config.html_title, page == app.config.root_doc
    title = book if first or page not in app.env.titles else app.env.titles[page].astext()
    about = (opening(doctree) if doctree else "") or book
    context["metatags"] = context.get("metatags", "") + tags(place, title, about, f"{page}.html")
    if first:
        head = f'<meta charset="utf-8" /><title>{escape(book)}</title>\n{tags(place, book, about, "")}'
        onward = f'<meta http-equiv="Refresh" content="0; url={page}.html" />'
        text = f'<!DOCTYPE html>\n<html lang="en"><head>{head}\n{onward}</head></html>\n'
        (Path(app.outdir) / "index.html").write_text(text, encoding="utf-8")


def setup(app):
    app.add_config_value("reach", Address(), "html")  # pages are written anew when it changes
    app.connect("config-inited", read_config)
    app.connect("html-page-context", add_buttons, priority=502)  # after the theme's
    app.connect("html-page-context", add_tags)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
