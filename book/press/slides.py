"""Slides of a chapter, from its built page: question, answer, figures, claims, statements, exercises, what it leaves.

What the page on classrooms says of the chapter stands below them as notes for who speaks.
"""

import copy
import re
from functools import partial
from pathlib import Path

from bs4 import BeautifulSoup, Tag

from lib import store
from lib.chapter.parameters import chapter_names, notebook_path
from lib.store import write_whole

parsed = partial(BeautifulSoup, features="html.parser")
# What fills a slide: figures, statements but not their proofs, exercises, and tables and lists outside of cells.
SHOWN = (
    "figure, .proof.admonition:not(.proof-title):is(.theorem, .proposition, .definition, .lemma, .corollary, .remark), "
    ".exercise.admonition, .pst-scrollable-table-container:not(.ledger *), section section > ul"
)
LINES, LINE = 8, 110  # of a table or list on one slide, and letters on each


def page_text(path: str) -> str:
    """The HTML of a page of the built book, by its path from the folder of all pages."""
    page = store.ROOT / "_build" / "html" / path
    if not page.exists():
        raise ValueError(f"{page.relative_to(store.ROOT)} is missing: run `make book` first")
    return page.read_text(encoding="utf-8")


def chapter_path(name: str) -> str:
    """Where a chapter's page is in the folder of all pages; raises ValueError for an unknown chapter."""
    return f"book/chapters/{notebook_path(name).stem}.html"


def opening(article: Tag) -> tuple[Tag, Tag | None, Tag | None, Tag | None]:
    """Title, question, short answer and figure of a chapter's first screen, None for what it does not have."""
    section = article.section
    question, *others = section.find_all("p", recursive=False) or [None]
    answer = next((text for text in others if text.get_text().startswith("In short.")), None)
    return section.h1, question, answer, section.find("figure", recursive=False)


def class_notes() -> dict[str, dict]:
    """By chapter what the page on classrooms says of it, by heading, and as `at` the place where it says to stop.

    `Stop at` tells the chapter: its first link leads there.
    """
    found = {}
    for listed in parsed(page_text("book/classroom.html")).select("section > dl"):
        said = {term.get_text(): text for term, text in zip(listed("dt"), listed("dd"), strict=True)}
        if "Stop at" in said:
            page, _, at = said["Stop at"].a["href"].partition("#")
            for link in listed("a"):
                link.unwrap()
            found[Path(page).stem] = said | {"at": at}
    return found


def deck(page: BeautifulSoup, notes: dict, home: str) -> str:
    """The HTML of the slides of a chapter, to stand beside its built page, whose file is `home`."""
    article = page.select_one("article.bd-article")
    for number in article.select(".headerlink, :is(h1, h2, h3) > .section-number"):
        number.extract()
    for link in article.select("a[href^='#']"):
        link["href"] = home + link["href"]
    title, question, answer, _ = opening(article)
    slides = [(title, [question, answer])]
    for section in article.select("section"):
        if heading := section.find(["h1", "h2", "h3"], recursive=False):
            slides += [(heading, [piece]) for part in _parts(section) for piece in pieces(part)]
    stop = next((i for i, (_, parts) in enumerate(slides) if f'id="{notes.get("at")}"' in str(parts[0])), 0)
    said = dict.fromkeys(range(len(slides)), "")
    for label, i in {"Misconception": 0, "Stop at": stop, "Ask": stop}.items():
        said[i] += f"<h3>{label}</h3>{notes[label].decode_contents()}" if label in notes else ""
    name, keys = title.decode_contents(), "arrow keys turn, n shows notes · "
    body = "".join(
        f'<section class="slide"><div class="face"><h2>{heading.decode_contents()}</h2>'
        f'<div class="held">{"".join(str(part or "") for part in parts)}</div>'
        f"<footer><span>{name}</span><span>{keys * (i == 0)}{i + 1} / {len(slides)}</span></footer></div>"
        f'<aside class="notes">{said[i]}</aside></section>'
        for i, (heading, parts) in enumerate(slides)
    )
    return fitted(page, title.get_text(), f'<main class="bd-article deck">{body}</main>')


def fitted(page: BeautifulSoup, title: str, body: str) -> str:
    """The HTML of slides or a sheet in the style of a built page, with the script that fits what is in them."""
    style, script = (Path(__file__).with_name(f"slides.{end}").read_text(encoding="utf-8") for end in ("css", "js"))
    return document(page, title, style, f"{body}<script>{script}</script>")


def document(page: BeautifulSoup, title: str, style: str, body: str) -> str:
    """An HTML document that has the style and mathematics of a built page and no other script of it."""
    head = [str(tag) for tag in page.select("link[rel=stylesheet], script")]
    kept = dict.fromkeys(tag for tag in head if re.search("^<link|mathjax|tex-svg", tag, flags=re.I))
    return (
        f'<!DOCTYPE html><html lang="en" data-theme="light"><head><meta charset="utf-8"><title>{title}</title>'
        f'<meta name="viewport" content="width=device-width">{"".join(kept)}<style>{style}</style>'
        f"</head><body>{body}</body></html>\n"
    )


def _parts(section):
    """What of a section goes on slides, in order; not what belongs to a section within it or to a solution."""
    found = section.select(SHOWN)
    own = [part for part in found if part.find_parent("section") is section and not part.find_parent(class_="solution")]
    return [part for part in own if not any(parent in found for parent in part.parents)]


def pieces(part: Tag) -> list[Tag]:
    """The part, or if it is a table or list that is long, copies of it with about as much of it on each."""
    rows = {"div": ":scope > table > tbody > tr", "ul": ":scope > li"}.get(part.name, ":not(*)")
    lines = [1 + len(row.get_text()) // LINE for row in part.select(rows)]
    found = [copy.copy(part) for _ in range(-(-sum(lines) // LINES))] or [part]
    for i, piece in enumerate(found):
        for j, row in enumerate(piece.select(rows)):
            if sum(lines[:j]) * len(found) // sum(lines) != i:
                row.extract()
    return found


def write_slides(names: list[str]) -> None:
    """Write the slides of built chapters, of all if none is named, beside their pages as NAME.slides.html."""
    notes = class_notes()
    for name in names or chapter_names():
        home = store.ROOT / "_build" / "html" / chapter_path(name)
        slides = home.with_suffix(".slides.html")
        write_whole(slides, deck(parsed(page_text(chapter_path(name))), notes.get(name, {}), home.name))
        print(slides.relative_to(store.ROOT))
