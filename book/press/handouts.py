"""A handout of one A4 page for each chapter, from its built page, and one of which metric to use when."""

from collections.abc import Iterator
from pathlib import Path

from bs4 import BeautifulSoup, Tag

from book.press.pdf import browser, print_page
from book.press.slides import chapter_path, class_notes, fitted, opening, page_text, parsed
from lib import store
from lib.chapter.claims import load_claims
from lib.chapter.parameters import chapter_names, reads_ledger
from lib.store import write_whole

METRICS = "which_metric"


def chapter_sheet(page: BeautifulSoup, name: str, notes: dict, verdicts: str = "") -> str:
    """A chapter's handout: question, answer, figure, table of verdicts, questions to discuss, and the command.

    `notes` are the chapter's for a class. The figure is that of the opening, else the one to stop at, else the first.
    """
    _, question, answer, figure = opening(page.select_one("article.bd-article"))
    figure = figure or page.find("figure", id=notes.get("at", "")) or page.find("figure") or ""
    parts = [question or "", answer or "<p><em>The chapter's page has no answer in short yet.</em></p>", figure]
    parts += [f"<h2>What is claimed, and what we found</h2>{verdicts}"] if verdicts else []
    parts += [f"<h2>To discuss</h2>{notes['Ask'].decode_contents()}"] if "Ask" in notes else []
    return sheet(page, parts, f"make chapter NAME={name}")


def sheet(page: BeautifulSoup, parts: list, command: str) -> str:
    """The HTML of a sheet of A4 with the title of a built page, parts of it, and a command at the foot."""
    foot = f"<footer><code>{command}</code><span>{page.title.get_text()}</span></footer>"
    held = f'{page.select_one("article h1")}<div class="held">{"".join(map(str, parts))}</div>{foot}'
    soup = parsed(f'<main class="bd-article sheet">{held}</main>')
    for tag in soup.select(".headerlink, script"):
        tag.extract()
    for link in soup.select("a:not([href^=http])"):
        link.unwrap()
    return fitted(page, page.title.get_text(), str(soup))


def verdicts_on(claims: set[str], table: Tag) -> str:
    """Of the table of all verdicts the rows of some claims and the columns that these fill, empty if it has none."""
    head, *rows = [row.find_all(["th", "td"]) for row in table.select("tr")]
    rows = [row for row in rows if row[0].get_text(strip=True) in claims]
    filled = [i for i in range(len(head)) if any(row[i].get_text(strip=True) for row in rows)]
    lines = ["".join(str(row[i]) for i in filled) for row in (head, *rows)]
    return f'<table class="table"><tr>{"</tr><tr>".join(lines)}</tr></table>' if rows else ""


def write_sheets(names: list[str]) -> Iterator[tuple[str, Path]]:
    """Write the handouts of built pages beside them, of chapters and metrics if none is named: names and files."""
    notes, ledger = class_notes(), chapter_path(next(filter(reads_ledger, chapter_names())))
    table = parsed(page_text(ledger)).select_one(".verdicts table")
    for name in names or [*chapter_names(), METRICS]:
        path = f"book/{name}.html" if name == METRICS else chapter_path(name)
        page, claims = parsed(page_text(path)), {one["id"] for one in load_claims() if one["chapter"] == name}
        if name == METRICS:
            html = sheet(page, page.select_one("article h1").find_next_siblings(), "make own A=first.npy B=second.npy")
        else:
            html = chapter_sheet(page, name, notes.get(name, {}), verdicts_on(claims, table))
        written = (store.ROOT / "_build" / "html" / path).with_suffix(".handout.html")
        write_whole(written, html)
        yield name, written


def print_handouts(names: list[str]) -> None:
    """Print handouts, see `write_sheets`, as _build/pdf/handouts/NAME.pdf."""
    chromium = browser()
    for name, page in write_sheets(names):
        print(print_page(page, f"handouts/{name}", chromium).relative_to(store.ROOT))
