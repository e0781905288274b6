"""The figures that readers move, each on a page of its own: numbers as in `lib`, by mouse, touch and keyboard."""

import pytest
import torch
from scipy.optimize import linear_sum_assignment
from test_pages import CHROMIUM, browser  # noqa: F401  a fixture

from book.press.hook import FEATURES, arrows, hook, scores
from lib.chapter.toy_trainer import ToyTrainer
from lib.features import seeded
from lib.store import CODE

pytestmark = [
    pytest.mark.skipif(not CHROMIUM, reason="no Chromium on this machine: .ci/run installs one"),
    pytest.mark.xdist_group("browser"),
]
ASSETS = CODE / "book" / "_ext"
PARTS = ("rsa", "cka", "r2", "soft")


@pytest.fixture
def opened(browser, tmp_path):  # noqa: F811
    """Open a piece of HTML as a page, by default without motion; pages complain of nothing."""
    contexts, errors = [], []

    def open_page(body, width=900, scripts=True, **options):
        options = {"reduced_motion": "reduce", "viewport": {"width": width, "height": 900}} | options
        contexts.append(context := browser.new_context(java_script_enabled=scripts, **options))
        page = context.new_page()
        page.on("pageerror", lambda error: errors.append(str(error)))
        (tmp_path / "page.html").write_text(
            f'<!DOCTYPE html><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
            f"<style>{(ASSETS / 'book.css').read_text()}</style><article class='bd-article'>{body}</article>"
        )
        page.goto(f"file://{tmp_path / 'page.html'}")
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert errors == []


@pytest.fixture
def landing(opened):
    script = f"<script>{(ASSETS / 'hook.js').read_text()}</script>"
    body = hook().replace('<script src="../_static/hook.js" defer></script>', script)
    assert script in body
    return lambda **options: opened(body, **options)


def handle(page, system, feature):
    return page.locator(f'[data-system="{system}"] [data-feature="{feature}"]')


def ends(page, system):
    return page.eval_on_selector_all(
        f'[data-system="{system}"] [data-feature]', "all => all.map(g => [Number(g.dataset.x), Number(g.dataset.y)])"
    )


def told(page):
    return {name: page.locator(f'[data-score="{name}"]').inner_text() for name in (*PARTS, "found")}


def agrees(page):
    """What the page says of its arrows is what the closed forms say of them."""
    wanted = scores(ends(page, "a"), ends(page, "b"))
    shown = told(page)
    assert all(abs(float(shown[name]) - wanted[name]) < 0.0051 for name in PARTS), (shown, wanted)
    return wanted


def centre(page, system, feature):
    box = handle(page, system, feature).locator(".end").bounding_box()
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2


def test_closed_forms_of_the_landing_figure_are_those_of_many_stimuli():
    """Sampled independent features, the regression and the matching by other code than the closed forms."""
    generator = seeded(0)
    a, b = torch.randn(2, FEATURES, 2, generator=generator, dtype=torch.float64).unbind()
    z = (torch.rand(400_000, FEATURES, generator=generator) < 0.05).double()
    y_a, y_b = (z @ a, z @ b)
    y_a, y_b = y_a - y_a.mean(0), y_b - y_b.mean(0)
    rest = y_b - y_a @ torch.linalg.lstsq(y_a, y_b).solution
    r = torch.corrcoef(torch.cat([y_a, y_b], 1).mT)[:2, 2:]
    cross, own = (y_a.mT @ y_b).norm() ** 2, (y_a.mT @ y_a).norm() * (y_b.mT @ y_b).norm()
    sampled = {"cka": cross / own, "r2": 1 - rest.square().sum() / y_b.square().sum()}
    rows, columns = linear_sum_assignment(r, maximize=True)
    sampled["soft"] = r[rows, columns].mean()
    found = scores(a.tolist(), b.tolist())
    assert all(abs(float(sampled[name]) - found[name]) < 0.02 for name in sampled)


def test_what_stands_without_a_script_is_what_the_script_ends_with(landing):
    still = told(landing(scripts=False))
    page = landing()
    assert told(page) == still == dict.fromkeys(PARTS, "0.00") | {"found": "5 of 5"}
    assert max(scores(arrows("a"), arrows("b")).values()) < 1e-12
    assert "CKA says 0.00. Every active feature was still found" in page.locator(".hook-says").inner_text()


def test_the_figure_begins_alike_and_moves_by_itself(landing):
    page = landing(reduced_motion="no-preference")
    assert float(told(page)["cka"]) > 0.95
    page.wait_for_function("document.querySelector('[data-score=cka]').textContent === '0.00'")
    assert told(page)["found"] == "5 of 5"


def test_arrows_follow_the_mouse_and_scores_the_arrows(landing):
    page = landing()
    for system, feature, x, y in (("a", 0, 40, 30), ("b", 3, 60, 20), ("b", 1, 5, -90)):
        at = centre(page, system, feature)
        page.mouse.move(*at)
        page.mouse.down()
        page.mouse.move(at[0] + x, at[1] + y, steps=3)
        page.mouse.up()
        assert centre(page, system, feature) == pytest.approx((at[0] + x, at[1] + y), abs=2)
        wanted = agrees(page)
    assert min(wanted.values()) > 0.01


def test_arrows_follow_the_keyboard(landing):
    page = landing()
    handle(page, "b", 2).focus()
    before, scored = ends(page, "b"), told(page)
    for key in ["ArrowLeft"] * 6 + ["ArrowDown"] * 4:
        page.keyboard.press(key)
    after = ends(page, "b")
    lengths = [sum(v * v for v in one[2]) ** 0.5 for one in (before, after)]
    assert lengths == pytest.approx([1, 0.8]) and [one for one in after if one != after[2]] == before[:2] + before[3:]
    assert told(page) != scored and "length 0.80" in handle(page, "b", 2).get_attribute("aria-valuetext")
    agrees(page)


def test_arrows_follow_a_finger(landing):
    page = landing(width=390, has_touch=True, is_mobile=True)
    x, y = centre(page, "b", 0)
    client = page.context.new_cdp_session(page)
    for kind, *dx in (("touchStart", 0), *(("touchMove", to) for to in range(8, 41, 8)), ("touchEnd",)):
        points = [{"x": x + to, "y": y + to} for to in dx]
        client.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})
    assert centre(page, "b", 0) == pytest.approx((x + 40, y + 40), abs=2)
    agrees(page)
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_arrows_that_point_the_same_way_are_a_real_loss_that_no_score_shows(landing):
    page = landing()
    page.get_by_role("button", name="same as a", exact=True).click()
    assert told(page) == dict.fromkeys(PARTS, "1.00") | {"found": "5 of 5"}
    for system in "ab":
        at, to = centre(page, system, 0), centre(page, system, 1)
        page.mouse.move(*at)
        page.mouse.down()
        page.mouse.move(*to)
        page.mouse.up()
    assert told(page)["found"] == "3 of 5" and float(told(page)["cka"]) > 0.99
    assert "a real loss" in page.locator(".hook-says").inner_text()
    assert "a cannot tell, b cannot tell" in page.locator(".hook-reads").inner_text()


def test_a_turn_of_one_system_lowers_soft_matching_alone(landing):
    page = landing()
    page.get_by_role("button", name="turned").click()
    shown = told(page)
    assert [shown[name] for name in ("rsa", "cka", "r2")] == ["1.00"] * 3 and float(shown["soft"]) < 0.8
    page.get_by_role("button", name="stimulus with feature 4").click()
    assert (
        page.locator(".hook-reads").inner_text() == "Feature 4 is on (the ring): a reads feature 4, b reads feature 4."
    )


@pytest.fixture
def toy(opened):
    return lambda **options: opened(ToyTrainer("fig-toy", "Simulated: a toy").body, **options)


def test_gradient_of_the_trainer_is_that_of_torch(toy):
    w, b, x = (torch.randn(*size, generator=seeded(1), dtype=torch.float64) for size in ((2, 5), (5,), (20, 5)))
    w.requires_grad_(), b.requires_grad_()
    gaps = torch.relu(x.abs() @ w.mT @ w + b) - x.abs()
    loss = (0.8 ** torch.arange(5) * gaps.square()).sum(1).mean()
    loss.backward()
    given = [[*w.detach().mT.flatten().tolist(), *b.tolist()], x.abs().tolist()]
    found = toy().evaluate(
        "([w, x]) => { const r = document.querySelector('.toy').gradient(Float64Array.from(w), x);"
        "return [r.loss, [...r.g]]; }",
        given,
    )
    assert found[0] == pytest.approx(loss.item())
    assert found[1] == pytest.approx([*w.grad.mT.flatten().tolist(), *b.grad.tolist()])


def trained(page):
    page.wait_for_function("document.querySelector('.slider-text').textContent.includes('longer')")
    return page.locator(".slider-text").inner_text()


def test_rare_features_share_neurons_and_frequent_ones_do_not(toy):
    page = toy()
    page.get_by_role("button", name="Train").click()
    assert "chance of 0.05: 5 of 5 have" in trained(page)
    page.locator("input").focus()
    page.keyboard.press("End")
    page.wait_for_function("document.querySelector('.slider-text').textContent === 'Training.'")
    assert "chance of 1.00: 2 of 5 have" in trained(page)


def test_the_trainer_starts_at_a_tap(toy):
    page = toy(width=390, has_touch=True, is_mobile=True)
    page.get_by_role("button", name="Train").tap()
    assert "5 of 5" in trained(page) and page.evaluate("document.documentElement.scrollWidth <= innerWidth")
