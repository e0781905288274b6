"""The built book as one PDF file, or a page of it, printed by Chromium."""

import posixpath
import re
import shutil
import subprocess
from pathlib import Path

import yaml

from book.press.slides import document, page_text, parsed
from lib import store

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
# Without a display; the virtual time lets MathJax finish before the page is printed.
OPTIONS = ["--headless", "--no-sandbox", "--disable-gpu", "--no-pdf-header-footer", "--virtual-time-budget=20000"]
OPTIONS += ["--generate-pdf-document-outline"]
NAME = "superposition-alignment"  # of the whole book


def browser() -> str:
    """Where Chromium is; raises ValueError if it is not installed."""
    found = next(filter(None, map(shutil.which, BROWSERS)), None)
    if not found:
        raise ValueError(f"none of {', '.join(BROWSERS)} is installed: install one, or print from your own browser")
    return found


def print_page(page: Path, name: str, chromium: str) -> Path:
    """Print an HTML file as _build/pdf/NAME.pdf. Raises ValueError if nothing was printed."""
    path = store.ROOT / "_build" / "pdf" / f"{name}.pdf"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    done = subprocess.run([chromium, *OPTIONS, f"--print-to-pdf={path}", page.as_uri()], capture_output=True, text=True)
    if not path.exists():
        told = (done.stderr.strip() or "no message").splitlines()[-1]
        raise ValueError(f"{chromium} printed nothing of {page.name} ({told}): open it and print it by hand")
    return path


def pages_of(pdf: bytes) -> dict[str, int]:
    """The page of each place to which a link leads, in a PDF that Chromium printed."""
    numbers = {number: i for i, number in enumerate(re.findall(rb"(\d+) 0 obj\s*<<\s*/Type /Page\b", pdf), 1)}
    places = re.findall(rb"/([^\s/\[]+) \[(\d+) 0 R /XYZ", pdf)
    return {name.decode(): numbers[number] for name, number in places if number in numbers}


def parts_of_book() -> dict[str, list[str]]:
    """The paths of the book's pages by the caption of their part, in the order of its table of contents."""
    toc = yaml.safe_load((store.ROOT / "_toc.yml").read_text(encoding="utf-8"))
    return {"": [toc["root"]]} | {part["caption"]: [one["file"] for one in part["chapters"]] for part in toc["parts"]}


def whole_book() -> str:
    """All pages as one HTML document, contents before them and the solutions of all exercises behind.

    Folded code and sliders are left out. A link with `data-page` lacks the number of the page that it leads to.
    """
    names = {path: posixpath.basename(path) for paths in parts_of_book().values() for path in paths}
    heads = contents = articles = solutions = ""  # not every page has mathematics in its head
    for caption, paths in parts_of_book().items():
        contents += f'<li class="part">{caption}</li>'
        for path in paths:
            pieces = re.split(r"(<svg.*?</svg>)", page_text(f"{path}.html"), flags=re.S)  # drawings are most of a page
            page = parsed("".join(f"@@{i}@@" if i % 2 else piece for i, piece in enumerate(pieces)))
            article = page.select_one("article.bd-article")
            _lead_within(page, article, path, names)
            solved, title = _take_solutions(article), _text(article.h1)
            sections = [one for one in article.section.find_all("section", recursive=False) if one.h2]
            inner = "".join(f'<li><a data-page="" href="#{one["id"]}">{_text(one.h2)}</a></li>' for one in sections)
            contents += f'<li><a data-page="" href="#{names[path]}">{title}</a><ul>{inner}</ul></li>'
            article.h1["id"] = names[path]
            heads += str(page.head)
            articles += _drawn(article, pieces)
            solutions += f"<h2>{title}</h2>{_drawn(solved, pieces)}" if solved else ""
    contents += '<li><a data-page="" href="#solutions">Solutions</a></li>'
    config = yaml.safe_load((store.ROOT / "_config.yml").read_text(encoding="utf-8"))
    front = f'<div class="front title"><p>{config["title"]}</p>{config["author"]}</div>'
    front += f'<div class="front"><h1>Contents</h1><ul>{contents}</ul></div>'
    last = f'<article class="bd-article"><section><h1 id="solutions">Solutions</h1>{solutions}</section></article>'
    style = Path(__file__).with_suffix(".css").read_text(encoding="utf-8")
    return document(parsed(heads), config["title"], style, front + articles + last)


def _drawn(text, pieces):
    return re.sub(r"@@(\d+)@@", lambda found: pieces[int(found[1])], str(text))


def _text(heading):
    return " ".join(heading.get_text().split())


def _lead_within(page, article, path, names):
    """Name each place of a page apart from those of other pages, lead links there, and drop links to files."""
    for tag in article.select("script, .headerlink, details.hide, .toctree-wrapper"):
        tag.extract()
    for tag in article.select("[id]"):
        tag["id"] = f"{names[path]}.{tag['id']}"
    folder = posixpath.dirname(path)
    for tag in page.select("head [href], [src]:not([src*=':'])"):
        key = "src" if "src" in tag.attrs else "href"
        tag[key] = posixpath.normpath(f"{folder}/{tag[key]}")
    for tag in article.select("a[href]:not([href^='http'])"):
        file, _, anchor = tag["href"].partition("#")
        target = posixpath.normpath(f"{folder}/{file}").removesuffix(".html") if file else path
        if target in names:
            tag["href"] = f"#{names[target]}.{anchor}" if anchor else f"#{names[target]}"
        else:
            tag.unwrap()


def _take_solutions(article):
    """The solutions of a page, which leave it; a link below each exercise leads to its own."""
    found = article.select(".solution.admonition")
    for solution in found:
        link = f'<p><a class="solved" data-page="" href="#{solution["id"]}">Solution</a></p>'
        article.find(id=solution.a["href"][1:]).append(parsed(link))
    return "".join(str(solution.extract()) for solution in found)


def print_book(chromium: str) -> Path:
    """Print the book as one file. It is printed twice: the first time tells the numbers of its pages."""
    html, page = whole_book(), store.ROOT / "_build" / "html" / f"{NAME}.print.html"
    try:
        store.write_whole(page, html)
        pages = pages_of(print_page(page, NAME, chromium).read_bytes())
        numbered = re.sub(r'(?<=data-page=")(?=" href="#([^"]+)")', lambda link: str(pages.get(link[1], "")), html)
        store.write_whole(page, numbered)
        return print_page(page, NAME, chromium)
    finally:
        page.unlink(missing_ok=True)


def print_pages(names: list[str]) -> None:
    """Print the built book as one file, or pages of it such as 03_linear_theory as a file each, into _build/pdf."""
    chromium = browser()
    paths = {posixpath.basename(path): f"{path}.html" for paths in parts_of_book().values() for path in paths}
    if missing := [name for name in names if name not in paths]:
        raise ValueError(f"the book has no page {missing[0]}: choose from {', '.join(paths)}")
    for name in names:
        page_text(paths[name])
        print(print_page(store.ROOT / "_build" / "html" / paths[name], name, chromium).relative_to(store.ROOT))
    if not names:
        print(print_book(chromium).relative_to(store.ROOT))
