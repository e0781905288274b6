import shutil

import pytest
from helpers import refuses

from lib.ceiling import cka_ceiling
from lib.chapter.calculator import FIELDS, Calculator, answer
from lib.theory import expected_cka

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
CASES = [
    {"n": 128, "m_a": 48, "m_b": 16, "cka": 0.1},
    {"n": 2048, "m_a": 64, "m_b": 1, "cka": 0},
    {"n": 64, "m_a": 1, "m_b": 1, "cka": 0.9, "d_a": 5.5, "d_b": 64},
    {"n": 300, "m_a": 20, "m_b": 900, "cka": 0.0333, "d_b": 2.25},
]


def test_the_answer_is_the_librarys():
    assert f"{cka_ceiling(50, 5, 8):.3f}" in answer(50, 1, 1, 0.2, 5, 8)
    assert f"implies the overlap {0.1 / cka_ceiling(50, 5, 8):.3f}." in answer(50, 1, 1, 0.1, 5, 8)
    assert f"{expected_cka(2000, 64, 32):.3f}" in answer(2000, 64, 32, 0)
    assert "more than identical features" in answer(50, 5, 5, 0.9) and "more than" not in answer(50, 5, 5, 0.05)
    refuses("d_a = 60", "from 1 to n", answer, 50, 5, 5, 0.1, 60)


@pytest.mark.skipif(not CHROMIUM, reason="no Chromium on this machine: .ci/run installs one")
@pytest.mark.xdist_group("browser")
def test_the_page_says_by_keyboard_what_the_library_says():
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        page = browser.new_context(offline=True).new_page()
        page.set_content(Calculator("fig-x", "A title")._repr_html_())
        said = page.locator("output")
        assert said.inner_text() == answer(**{key: value for key, (_, value) in FIELDS.items() if value != ""})
        for case in CASES:
            page.get_by_label(FIELDS["n"][0]).focus()
            for key in FIELDS:  # the tabulator leads through the fields in order
                assert page.evaluate("document.activeElement.name") == key
                page.keyboard.press("Control+A")
                page.keyboard.press("Delete")
                page.keyboard.type(str(case.get(key, "")))
                page.keyboard.press("Tab")
            assert said.inner_text() == answer(**case)
        page.get_by_label(FIELDS["d_a"][0]).fill("1000")
        assert said.inner_text().startswith("Fill in numbers")
        browser.close()
