"""The built book, opened from disk in Chromium with the network off, in light and dark, wide and on a phone."""

import re
import shutil

import pytest
from axe_playwright_python.sync_playwright import Axe

from book.press import handouts, pdf
from book.press.slides import class_notes, write_slides
from lib.chapter.claims import ledger, load_claims, runs_of
from lib.chapter.parameters import chapter_names
from lib.chapter.results import results_of
from lib.store import ROOT

HTML = ROOT / "_build" / "html"
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
PAGES = re.findall(r"(?:root|file): (\S+)", (ROOT / "_toc.yml").read_text())

pytestmark = [
    pytest.mark.skipif(not CHROMIUM, reason="no Chromium on this machine: .ci/run installs one"),
    pytest.mark.skipif(not (HTML / "index.html").exists(), reason="no built book: run `make book` first"),
]


@pytest.fixture(scope="module")
def browser():
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        yield browser
        browser.close()


class Visit:
    """A page opened offline, with what it asked for and what it complained of."""

    def __init__(self, browser, path, width=1400, height=900, scheme="light"):
        # Without motion: the theme fades colours in, and a check of contrast should not catch them half way.
        still = {"reduced_motion": "reduce", "color_scheme": scheme, "offline": True}
        context = browser.new_context(viewport={"width": width, "height": height}, **still)
        self.page = context.new_page()
        self.asked, self.errors = [], []
        self.page.on("request", lambda request: self.asked.append(request.url))
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.goto(f"file://{HTML / path}", wait_until="load")
        self.page.wait_for_function("!window.MathJax || !MathJax.startup || MathJax.startup.promise.then(() => true)")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.page.context.close()


@pytest.fixture(scope="module", params=PAGES)
def path(request):
    return f"{request.param}.html"


@pytest.fixture(scope="module")
def seen(browser, path):
    """A page as it opens, wide and light, for the tests that only look at it."""
    with Visit(browser, path) as visit:
        yield visit


def test_page_asks_the_network_for_nothing_and_renders_whole(seen):
    assert [url for url in seen.asked if not url.startswith(("file:", "data:", "blob:"))] == []
    assert seen.errors == []
    page = seen.page
    math = page.locator("span.math, div.math").count()
    assert page.locator("mjx-container").count() >= math
    assert page.locator("mjx-merror, [data-mjx-error]").count() == 0
    text = page.locator("article").inner_text()
    assert not re.search(r"\{(glue|ref|cite|prf|numref)[:}]|\$\$|\\frac|:::", text)
    assert not any(sign in text for sign in ("Traceback", "IPython.core", str(ROOT)))
    broken = page.eval_on_selector_all("img", "all => all.filter(i => !i.naturalWidth).map(i => i.src)")
    assert broken == []
    labels = page.eval_on_selector_all(".panels", "all => all.map(p => p.getAttribute('aria-label') || '')")
    assert all(len(label.split()) >= 6 for label in labels)
    assert all(page.eval_on_selector_all("article img", "all => all.map(i => i.alt)"))
    assert dead_links(page) == []


def test_page_has_an_icon_and_says_what_a_link_to_it_shows(path):
    head = (HTML / path).read_text(encoding="utf-8").partition("</head>")[0]
    told = dict(re.findall(r'<meta property="og:(\w+)" content="([^"]+)"', head))
    assert told["title"] and len(told["description"].split()) >= 3
    icon = re.search(r'<link rel="icon" href="([^"]+)"', head)[1]
    pictures = [icon, *([] if "://" in told["image"] else [told["image"]])]
    assert all((HTML / path).parent.joinpath(picture).is_file() for picture in pictures)


def dead_links(page):
    """Links from a page to files or anchors of the book that do not exist."""
    dead = []
    for link in set(page.eval_on_selector_all("a[href]", "all => all.map(a => a.href)")):
        target, _, anchor = link.removeprefix("file://").partition("#")
        if link.startswith("file:") and not _leads_somewhere((ROOT / target).resolve(), anchor):
            dead.append(link)
    return dead


def _leads_somewhere(path, anchor):
    if not path.exists():
        return False
    return not anchor or path.suffix != ".html" or f'id="{anchor}"' in path.read_text(encoding="utf-8")


CONTRAST = """() => {
  const parse = c => c.match(/[\\d.]+/g).map(Number);
  const light = c => { const [r, g, b] = parse(c).map(v => (v /= 255) <= 0.04045 ? v / 12.92
    : ((v + 0.055) / 1.055) ** 2.4); return 0.2126 * r + 0.7152 * g + 0.0722 * b; };
  const back = light(getComputedStyle(document.body).backgroundColor);
  const ratio = element => { const front = light(getComputedStyle(element).color);
    return (Math.max(front, back) + 0.05) / (Math.min(front, back) + 0.05); };
  return [...document.querySelectorAll("article p, article svg, article mjx-container")].map(ratio);
}"""


def assert_stands_out(page, scheme):
    assert page.evaluate("document.documentElement.dataset.theme") == scheme
    assert min(page.evaluate(CONTRAST)) >= 4.5


def serious_findings(page):
    """What axe-core, the accessibility checker, calls serious or critical: rule, place, and what is wrong."""
    violations = Axe().run(page).response["violations"]
    return [
        (violation["id"], node["html"][:90], node["failureSummary"][:200])
        for violation in violations
        if violation["impact"] in ("serious", "critical")
        for node in violation["nodes"]
    ]


def test_text_and_figures_stand_out_from_the_page(seen):
    assert_stands_out(seen.page, "light")
    assert serious_findings(seen.page) == []


def test_text_and_figures_stand_out_from_the_dark_page(browser, path):
    with Visit(browser, path, scheme="dark") as visit:
        assert_stands_out(visit.page, "dark")
        assert serious_findings(visit.page) == []


def test_phone_never_scrolls_sideways(browser, path):
    with Visit(browser, path, width=390) as visit:
        wide = visit.page.evaluate("document.documentElement.scrollWidth")
        culprits = visit.page.evaluate(
            "[...document.querySelectorAll('article *')].filter(e => e.getBoundingClientRect().right > 391)"
            ".slice(0, 3).map(e => e.outerHTML.slice(0, 80))"
        )
        assert wide <= 390, culprits
        cut = visit.page.evaluate(
            "[...document.querySelectorAll('article p mjx-container:not([display=true])')].filter("
            "e => e.firstElementChild.getBoundingClientRect().width >"
            " (e.closest('td') || e.closest('p')).clientWidth + 1)"
            ".map(e => e.closest('p').textContent.slice(0, 60))"
        )
        assert cut == [], "inline mathematics wider than a phone: write it as a displayed equation"
        wide = visit.page.evaluate(
            "[...document.querySelectorAll('article mjx-container[display=true]')]"
            ".filter(e => e.scrollWidth > e.clientWidth + 1).map(e => e.textContent.slice(0, 60))"
        )
        assert wide == [], "displayed equation wider than a phone: break it with aligned"
        assert serious_findings(visit.page) == []


def test_terms_show_their_definition(seen, path):
    titles = seen.page.eval_on_selector_all("article a:has(.std-term)", "all => all.map(a => a.title)")
    assert len(titles) >= (3 if "chapters/" in path else 0)
    assert all(len(title.split()) >= 5 for title in titles), titles


def test_a_terms_definition_shows_on_the_keyboard_and_at_a_tap(browser):
    with Visit(browser, "book/chapters/04_gaussian_projections.html") as visit:
        link = visit.page.locator("article a:has(.std-term)").first
        box = visit.page.locator("#term-box")
        assert not box.is_visible()
        visit.page.keyboard.press("Tab")  # what a script focuses then shows as what the keyboard reached
        link.focus()
        assert box.inner_text() == link.get_attribute("title")
        assert link.get_attribute("aria-describedby") == "term-box"
        visit.page.keyboard.press("Escape")
        assert not box.is_visible()
        address = visit.page.url
        link.dispatch_event("pointerdown", {"pointerType": "touch"})
        link.dispatch_event("click")
        assert box.is_visible() and visit.page.url == address
        link.dispatch_event("pointerdown", {"pointerType": "touch"})
        link.click()
        visit.page.wait_for_url("**/glossary.html*")


def test_a_formula_is_no_stop_for_the_tab_key_unless_it_scrolls_and_code_never_does(seen):
    seen.page.wait_for_timeout(200)
    stops = seen.page.evaluate(
        "[...document.querySelectorAll('mjx-container')].filter(e => e.tabIndex >= 0)"
        ".filter(e => e.scrollWidth <= e.clientWidth)"
        ".map(e => e.parentElement.textContent.slice(0, 60))"
    )
    assert stops == []
    bare = seen.page.eval_on_selector_all(".copybtn", "all => all.filter(b => !b.ariaLabel).length")
    assert bare == 0
    cut = "all => all.filter(e => e.scrollWidth > e.clientWidth + 1).map(e => e.textContent.slice(0, 60))"
    assert seen.page.eval_on_selector_all("article .cell_input pre", cut) == [], "a box of code is cut"


@pytest.mark.parametrize("chapter", [page for page in PAGES if "chapters/" in page])
def test_the_first_screen_has_the_answer_and_a_figure(browser, chapter):
    with Visit(browser, f"{chapter}.html") as visit:
        for width, height in ((1400, 900), (390, 844)):
            visit.page.set_viewport_size({"width": width, "height": height})
            top = "e => e.getBoundingClientRect().top + scrollY"
            answer = visit.page.locator("article p:has(> strong:text-is('In short.'))").first
            figure = visit.page.locator("article figure, article .ledger").first
            assert answer.evaluate(top) < height and figure.evaluate(top) < height, width


LOOKED_FOR = {"slider": "input[type=range]", "band": "[aria-label*='band']", "shaded": "[aria-label*='shade']"}
POINTED = [
    (word, name)
    for line in (ROOT / "book/classroom.md").read_text(encoding="utf-8").splitlines()
    for word in LOOKED_FOR
    for name in re.findall(r"\{numref\}`(?:[^`<]*<)?(fig-[\w-]+)", line)
    if word in line.lower()
]


@pytest.mark.parametrize(("word", "name"), POINTED, ids="-".join)
def test_a_figure_that_a_class_is_sent_to_has_what_it_is_told_to_look_for(browser, word, name):
    chapter = next(path.stem for path in sorted(ROOT.glob("notebooks/*.py")) if f":name: {name}\n" in path.read_text())
    with Visit(browser, f"book/chapters/{chapter}.html") as visit:
        assert visit.page.locator(f"#{name}").locator(LOOKED_FOR[word]).count() > 0


def test_the_landing_figure_lives_in_the_book_and_says_its_caption(browser):
    with Visit(browser, "book/intro.html") as visit:
        assert visit.page.locator("#hook.alive .hook-knobs button").first.is_visible()
        visit.page.get_by_role("button", name="same as a", exact=True).click()
        assert "CKA says 1.00" in visit.page.locator(".hook-says").inner_text()


def test_code_hides_on_every_page_until_it_is_shown_again(browser):
    with Visit(browser, "book/chapters/04_gaussian_projections.html") as visit:
        code = visit.page.locator("article .cell_input").first
        assert code.is_visible()
        visit.page.get_by_role("button", name="Hide code").click()
        assert not code.is_visible()
        visit.page.goto(f"file://{HTML}/book/chapters/05_partial_overlap.html")
        assert visit.page.locator("article .cell_input:visible").count() == 0
        visit.page.get_by_role("button", name="Show code").click()
        assert visit.page.locator("article .cell_input:visible").count() > 0


def test_folded_code_of_neighbours_opens_by_one_bar(browser):
    with Visit(browser, "book/chapters/07_disentangling.html") as visit:
        bars = "[...document.querySelectorAll('details.hide.above-input')]"
        joined = visit.page.evaluate(f"{bars}.filter(d => d.leader).length")
        shown = visit.page.evaluate(f"{bars}.filter(d => d.querySelector('summary').checkVisibility()).length")
        assert joined > 0 and joined + shown == visit.page.evaluate(f"{bars}.length")
        visit.page.evaluate(f"{bars}.find(d => d.leader).leader.querySelector('summary').click()")
        visit.page.wait_for_function(f"{bars}.find(d => d.leader).open")


def test_a_guess_is_remembered_for_its_exercise(browser):
    with Visit(browser, "book/chapters/05_partial_overlap.html") as visit:
        boxes = visit.page.locator(".exercise .guess textarea")
        assert boxes.count() >= 3
        boxes.nth(1).fill("It falls.")
        visit.page.reload()
        assert [box.input_value() for box in boxes.all()][:3] == ["", "It falls.", ""]


def test_the_ledger_is_filtered_and_a_link_leads_to_a_claims_row(browser):
    with Visit(browser, "book/chapters/23_claims.html#claim-b7") as visit:
        rows = visit.page.locator(".ledger tr.target")
        assert "B7" in rows.first.inner_text() and rows.first.is_visible()
        shown = visit.page.locator(".ledger tbody tr [data-chapter]:visible")
        everything = len(load_claims())
        assert visit.page.locator(".bar output").inner_text() == f"{everything} of {everything} claims"
        visit.page.locator(".bar select").nth(0).select_option("A")
        assert "B" not in {mark.get_attribute("id")[6].upper() for mark in shown.all()}
        visit.page.locator(".bar select").nth(1).select_option("not reproduced")
        entries = [entry for entry in ledger(runs_of("quick")) if entry.paper == "A"]
        wanted = [e for e in entries if any(p.verdict == "not-reproduced" for p in e.pieces.values())]
        assert visit.page.locator(".bar output").inner_text() == f"{len(wanted)} of {everything} claims"


def test_a_verdict_of_the_map_tells_the_papers_number_beside_ours(browser):
    with Visit(browser, "book/chapters/23_claims.html") as visit:
        row = visit.page.locator(".verdicts tbody tr", has=visit.page.locator("td", has_text=re.compile("^A2$")))
        link, box = row.locator("a").first, visit.page.locator("#term-box")
        assert link.get_attribute("title").startswith("A2. The paper: 0.58 at q = 3. Ours, as stated, ")
        visit.page.evaluate("document.activeElement.blur()")
        link.dispatch_event("pointerdown", {"pointerType": "touch", "bubbles": True})
        link.dispatch_event("click")
        assert box.is_visible() and "0.577 at q = 3" in box.inner_text()
        entries = {entry.id: entry for entry in ledger(runs_of("quick"))}
        told = visit.page.eval_on_selector_all(".verdicts tbody [title]", "all => all.map(one => one.title)")
        assert len(told) == sum(len(entry.pieces) for entry in entries.values())


def test_solutions_unfold(browser):
    with Visit(browser, "book/chapters/03_linear_theory.html") as visit:
        folded = visit.page.locator(".solution.dropdown, details.solution, .dropdown.solution").first
        inside = folded.locator("p").nth(1)
        assert not inside.is_visible()
        folded.locator("button, summary, .admonition-title").first.click()
        inside.wait_for(state="visible", timeout=3000)


def test_sliders_move_the_curve_and_tell_it(browser):
    with Visit(browser, "book/chapters/05_partial_overlap.html") as visit:
        root = visit.page.locator(".sliders").first
        knob = root.locator("input[type=range]").first
        drawn = "root => [...root.querySelectorAll('path')].map(p => p.getAttribute('d')).join()"
        before, told = root.evaluate(drawn), root.locator("output").first.inner_text()
        knob.focus()
        visit.page.keyboard.press("ArrowRight" if knob.input_value() == "0" else "ArrowLeft")
        assert root.evaluate(drawn) != before
        assert root.locator("output").first.inner_text() != told


def test_buttons_of_a_figure_choose_by_mouse_and_by_keyboard(browser):
    with Visit(browser, "book/chapters/18_settings.html") as visit:
        root = visit.page.locator(".sliders:has(.segments)").first
        drawn = "root => [...root.querySelectorAll('path')].map(p => p.getAttribute('d')).join()"
        first, second, third = root.locator(".segments button").all()
        before = root.evaluate(drawn)
        second.click()
        clicked = root.evaluate(drawn)
        third.focus()
        visit.page.keyboard.press("Enter")
        assert len({before, clicked, root.evaluate(drawn)}) == 3
        assert [one.get_attribute("aria-pressed") for one in (first, second, third)] == ["false", "false", "true"]


@pytest.mark.parametrize(
    ("word", "page"),
    [
        ("coherence", "superposition"),
        ("soft_matching_score", "reference"),
        ("A8", "disentangling"),
        ("ridge", "glossary"),
        ("Hungarian", "glossary"),
        ("RDM", "glossary"),
        ("Procrustes", "glossary"),
    ],
)
def test_search_finds_words_functions_claims_and_terms(browser, word, page):
    with Visit(browser, f"search.html?q={word}") as visit:
        visit.page.wait_for_selector("#search-results li a", timeout=10_000)
        visit.page.wait_for_timeout(500)
        found = visit.page.eval_on_selector_all("#search-results li a", "all => all.map(a => a.href)")
        assert any(page in link for link in found), found


def test_printed_page_is_whole(browser):
    with Visit(browser, "book/chapters/03_linear_theory.html", width=718) as visit:  # A4 less its margins
        visit.page.emulate_media(media="print")
        wide = visit.page.evaluate(
            "[...document.querySelectorAll('article pre, article svg, article table, article mjx-container')]"
            ".filter(e => e.getBoundingClientRect().right > 719).map(e => e.outerHTML.slice(0, 60))"
        )
        assert wide == []
        assert all(
            solution.is_visible() for solution in visit.page.locator(".solution p:not(summary p)").all()
        )  # but for "Show code"


@pytest.mark.parametrize("paper", ["A4", "Letter"])
def test_which_metric_when_is_one_printed_page(browser, paper):
    with Visit(browser, "book/which_metric.html") as visit:
        printed = visit.page.pdf(format=paper)
    assert len(re.findall(rb"/Type\s*/Page\b", printed)) == 1


@pytest.mark.parametrize("page", ["intro", "which_metric"])
def test_every_number_quoted_from_a_chapter_is_on_the_page(page):
    quoted = (ROOT / "book" / f"{page}.md").read_text(encoding="utf-8").count("{glue:text}`chapters/")
    assert quoted == (HTML / "book" / f"{page}.html").read_text(encoding="utf-8").count('"pasted-text"') > 0


# Whether a box overflows, what stands outside of it, and how much smaller its letters had to be made.
HELD = """box => {
  const held = box.querySelector(".held") ?? box, edge = box.getBoundingClientRect();
  const over = [box, held].some(e => e.scrollHeight > e.clientHeight + 1 || e.scrollWidth > e.clientWidth + 1);
  const outside = [...box.querySelectorAll("*:not(svg *, mjx-container *)")].filter(e => {
    const at = e.getBoundingClientRect(); return at.width && at.height && (at.left < edge.left - 1
      || at.right > edge.right + 1 || at.top < edge.top - 1 || at.bottom > edge.bottom + 1); });
  return [over, outside.map(e => e.outerHTML.slice(0, 60)), Number(held.style.getPropertyValue("--text") || 1)];
}"""


@pytest.mark.parametrize("name", chapter_names())
def test_slides_hold_what_is_on_them_and_have_notes(browser, name):
    write_slides([name])
    with Visit(browser, f"book/chapters/{name}.slides.html", width=1280, height=720) as visit:
        visit.page.wait_for_selector("[data-fitted]", state="attached")
        for number, slide in enumerate(visit.page.locator(".slide").all(), 1):
            shown = visit.page.locator(".slide.shown")
            assert shown.count() == 1 and f"{number} / " in shown.locator("footer").inner_text()
            over, outside, text = slide.locator(".face").evaluate(HELD)
            assert not over and outside == [] and text >= 0.7, (number, text)
            visit.page.keyboard.press("ArrowRight")
        visit.page.keyboard.press("n")
        notes = visit.page.locator(".notes").all()
        assert all(not note.evaluate(HELD)[0] for note in notes)
        assert "Ask" in " ".join(note.text_content() for note in notes)
        assert visit.errors == [] and dead_links(visit.page) == []


def test_slides_move_by_key_and_print_with_their_notes(browser):
    write_slides(["05_partial_overlap"])
    with Visit(browser, "book/chapters/05_partial_overlap.slides.html") as visit:
        shown, note = visit.page.locator(".slide.shown"), visit.page.locator(".slide.shown .notes")
        assert "Partial overlap" in shown.inner_text() and not note.is_visible()
        visit.page.keyboard.press("n")
        assert note.is_visible() and "Misconception" in note.inner_text()
        visit.page.keyboard.press("End")
        last = shown.inner_text()
        visit.page.keyboard.press("ArrowLeft")
        assert shown.inner_text() != last
        assert printed_pages(visit) == visit.page.locator(".slide").count()


def printed_pages(visit):
    """How many pages of the size that it asks for a page takes on paper."""
    return len(re.findall(rb"/Type\s*/Page\b", visit.page.pdf(prefer_css_page_size=True)))


def test_each_chapter_and_the_choice_of_a_metric_is_a_handout_of_one_page(browser):
    claims = load_claims()
    for name, sheet in handouts.write_sheets([]):
        with Visit(browser, sheet.relative_to(HTML)) as visit:
            visit.page.wait_for_selector("[data-fitted]", state="attached")
            over, outside, text = visit.page.locator(".sheet").evaluate(HELD)
            assert not over and outside == [] and text >= 0.7 and printed_pages(visit) == 1, (name, text)
            told = visit.page.locator(".sheet").inner_text()
            assert {claim["id"] for claim in claims if claim["chapter"] == name} <= set(told.split())
            assert visit.page.locator("figure").count() == (name != handouts.METRICS) and "make " in told


def test_every_chapter_has_notes_for_a_class():
    notes = class_notes()
    assert set(notes) == set(chapter_names())
    assert all({"Misconception", "Stop at", "Ask"} <= set(said) for said in notes.values())


def test_pages_are_printed_as_one_file_with_numbered_contents_and_an_outline(monkeypatch):
    some = {"": ["book/intro"], "A part": ["book/chapters/05_partial_overlap"], "Another": ["book/which_metric"]}
    monkeypatch.setattr(pdf, "parts_of_book", lambda: some)
    monkeypatch.setattr(pdf, "NAME", "some-pages")
    path = pdf.print_book(pdf.browser())
    printed = path.read_bytes()
    path.unlink()
    contents = re.findall(r'<li><a data-page="" href="#([^"]+)"', pdf.whole_book())
    at = pdf.pages_of(printed)
    numbers = [at[place] for place in contents]
    assert numbers == sorted(numbers) and len(contents) > 15 and contents[-1] == "solutions"
    assert at["intro"] < at["05_partial_overlap"] < at["which_metric"] < at["solutions"]
    assert at["05_partial_overlap.sol-overlap-limit"] >= at["solutions"]
    assert numbers[-1] <= len(re.findall(rb"/Type\s*/Page\b", printed))
    outline = re.findall(rb"/Title \(Solutions\)\s*/Dest \[(\d+) 0 R", printed)
    assert outline == re.findall(rb"/solutions \[(\d+) 0 R", printed) and len(outline) == 1
    assert printed.count(b"/Title (") > len(contents) and b"file:" not in printed


def test_every_piece_of_evidence_that_this_run_can_judge_is_judged():
    entries = {entry.id: entry for entry in ledger(runs_of("quick"))}
    expected = [
        (claim["id"], kind)
        for claim in load_claims()
        for kind, piece in claim["evidence"].items()
        if "needs" not in piece
    ]
    assert [(name, kind) for name, kind in expected if entries[name].verdict(kind) == "not-run"] == []


def test_our_own_formulas_keep_the_bounds_their_chapters_state():
    values = {name: results["values"] for name, results in results_of("quick").items()}
    assert values["05_partial_overlap"]["b7_crossing_error"] < 0.03
    assert values["05_partial_overlap"]["b7_r2_inversions"] == 0
    assert values["03_linear_theory"]["b2_covariance_error"] < 1e-12
    assert values["03_linear_theory"]["b1_slope"] > -2 / 3 and values["03_linear_theory"]["b2_slope"] > -1
