"""Slides of a chapter, from its built page: title, claims, each statement, figure and exercise, what it leaves."""

from bs4 import BeautifulSoup

from lib import store
from lib.chapter.parameters import notebook_path
from lib.store import write_whole

# What fills a slide: figures, statements but not their proofs, exercises, and tables and lists outside of cells.
SHOWN = (
    "figure, .proof.admonition:not(.proof-title):is(.theorem, .proposition, .definition, .lemma, .corollary, .remark), "
    ".exercise.admonition, .pst-scrollable-table-container, section > ul"
)
STYLE = """
body { margin: 0; overflow: hidden; }
.slide { display: none; box-sizing: border-box; height: 100vh; overflow: auto; padding: 4vh 6vw; font-size: 1.35rem; }
.slide.shown { display: flex; flex-direction: column; justify-content: safe center; }
.slide > h2 { margin: 0 0 3vh; font-size: 1.8rem; } .slide .panels svg { width: min(40vw, 22rem); height: auto; }
.slide .panels svg:only-of-type { width: min(80vw, 32rem); }
.slide figcaption { font-size: 1.1rem; } .headerlink, .number { display: none; }
@media print { body { overflow: visible; } .slide { display: flex; break-after: page; } }
"""
SCRIPT = """
const slides = [...document.querySelectorAll(".slide")], pages = {ArrowRight: 1, PageDown: 1, " ": 1, ArrowLeft: -1,
  PageUp: -1, Home: -1e9, End: 1e9};
const show = wanted => { const at = Math.max(0, Math.min(slides.length - 1, wanted));
  slides.forEach((slide, i) => slide.classList.toggle("shown", i === at));
  history.replaceState(null, "", "#" + (at + 1)); };
const now = () => slides.findIndex(slide => slide.classList.contains("shown"));
addEventListener("keydown", event => { if (event.key in pages && event.target.type !== "range") {
  event.preventDefault(); show(now() + pages[event.key]); } });
addEventListener("click", event => { if (!event.target.closest("a, button, input, label, summary"))
  show(now() + (event.clientX < innerWidth / 4 ? -1 : 1)); });
show(Number(location.hash.slice(1) || 1) - 1);
"""


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
    name = title.get_text().rstrip("#")
    return (
        f'<!DOCTYPE html><html lang="en" data-theme="light"><head><meta charset="utf-8"><title>{name}</title>'
        f'<meta name="viewport" content="width=device-width">{"".join(dict.fromkeys(head))}'
        f'<style>{STYLE}</style></head><body class="bd-article">{"".join(slides)}<script>{SCRIPT}</script></body>'
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
