"""Slides of a chapter, from its built page: title, claims, each statement, figure and exercise, what it leaves."""

from pathlib import Path

from bs4 import BeautifulSoup

from lib import store
from lib.chapter.parameters import notebook_path
from lib.store import write_whole

# What fills a slide: figures, statements but not their proofs, exercises, and tables and lists outside of cells.
SHOWN = (
    "figure, .proof.admonition:not(.proof-title):is(.theorem, .proposition, .definition, .lemma, .corollary, .remark), "
    ".exercise.admonition, .pst-scrollable-table-container, section > ul"
)


def deck(page: str) -> str:
    """The HTML of the slides of a built chapter's page, to stand in the same folder."""
    soup = BeautifulSoup(page, "html.parser")
    article = soup.select_one("article.bd-article")
    title = article.find("h1")
    slides = [_slide("h1", title, [title.find_next("p")])]
    for section in article.select("section"):
        heading = section.find(["h2", "h3"], recursive=False)
        if heading:
            slides += [_slide("h2", heading, [part]) for part in _parts(section)]
    head = [str(tag) for tag in soup.select("link[rel=stylesheet]")]
    head += [str(tag) for tag in soup.find_all("script") if "mathjax" in (tag.get("src", "") + tag.text).lower()]
    head += [str(tag) for tag in soup.find_all("script", src=lambda path: path and "tex-svg" in path)]
    style, script = (Path(__file__).with_suffix(end).read_text(encoding="utf-8") for end in (".css", ".js"))
    name = title.get_text().rstrip("#")
    return (
        f'<!DOCTYPE html><html lang="en" data-theme="light"><head><meta charset="utf-8"><title>{name}</title>'
        f'<meta name="viewport" content="width=device-width">{"".join(dict.fromkeys(head))}'
        f'<style>{style}</style></head><body class="bd-article">{"".join(slides)}<script>{script}</script></body>'
        "</html>\n"
    )


def _parts(section):
    """What of a section goes on slides, in order; not what belongs to a section within it or to a solution."""
    found = section.select(SHOWN)
    return [
        part
        for part in found
        if part.find_parent("section") is section
        and not part.find_parent(class_="solution")
        and not any(parent in found for parent in part.parents)
    ]


def _slide(level, heading, parts):
    for number in heading.select(".headerlink, .section-number"):
        number.extract()
    content = "".join(str(part) for part in parts)
    return f'<section class="slide"><{level}>{heading.decode_contents()}</{level}>{content}</section>'


def write_slides(names: list[str]) -> None:
    """Write the slides of built chapters beside their pages, as NAME.slides.html."""
    for name in names:
        page = store.ROOT / "_build" / "html" / "book" / "chapters" / f"{notebook_path(name).stem}.html"
        if not page.exists():
            raise ValueError(f"{page.relative_to(store.ROOT)} is missing: run `make book` first")
        path = page.with_suffix(".slides.html")
        write_whole(path, deck(page.read_text(encoding="utf-8")))
        print(path.relative_to(store.ROOT))
