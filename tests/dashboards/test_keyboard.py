"""Pages walked by the Tab key alone: every control in its turn, seen when in focus, none that keeps it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from playwright.sync_api import Browser, Page

pytestmark = pytest.mark.browser
# between them: forms with and without mistakes, folded parts, scrolling tables, both frames
STATES = ["form-error", "sign-in-wrong", "experiment-generalise", "room", "compare", "device-mistakes",
          "mapping", "gateways", "home", "shares", "account", "import"]  # fmt: skip
# what Tab should reach; of radio buttons with one name only one, whatever is folded away not
NUMBERED = """
() => { const seen = new Set(); let n = 0;
for (const e of document.querySelectorAll('a[href],button,input,select,textarea,summary')) {
  if (e.disabled || e.type === 'hidden' || e.tabIndex < 0) continue;
  if (!e.checkVisibility({visibilityProperty: true})) continue;
  if (e.type === 'radio') { if (seen.has(e.name)) continue; seen.add(e.name); }
  e.dataset.turn = ++n; }
return n; }
"""
FOCUSED = """
() => { const e = document.activeElement; if (e === document.body) return null;
const drawn = x => { const s = x && getComputedStyle(x);
  return !!s && s.outlineStyle !== 'none' && parseFloat(s.outlineWidth) >= 2; };
const group = e.type === 'radio' && !e.dataset.turn
  ? document.querySelector(`[type=radio][name="${e.name}"][data-turn]`) : e;
const box = e.getBoundingClientRect();
return {turn: Number(group.dataset.turn || 0), what: e.outerHTML.slice(0, 90),
        seen: (drawn(e) || drawn(e.closest('label'))) && box.bottom > 0 && box.top < innerHeight}; }
"""


@pytest.fixture(scope="module")
def page(chromium: Browser) -> Page:
    context = chromium.new_context(viewport={"width": 1280, "height": 900})
    return context.new_page()


@pytest.mark.parametrize("state", STATES)
def test_tab_reaches_every_control_in_the_order_of_the_page(
    gallery_folder: Path, page: Page, state: str
) -> None:
    page.goto((gallery_folder / f"{state}.fr.html").as_uri())
    expected = page.evaluate(NUMBERED)
    turns, unseen = [], []
    for _ in range(3 * expected + 20):
        page.keyboard.press("Tab")
        focused = page.evaluate(FOCUSED)
        if focused is None or (turns[-1:] == [expected] and focused["turn"] == 1):
            break
        if focused["turn"] in turns[-1:]:
            continue  # a date has a stop for each of its parts, drawn by the browser
        turns += [focused["turn"]] * bool(focused["turn"])  # 0 is a table that scrolls
        unseen += [focused["what"]] * (not focused["seen"])
    else:
        pytest.fail(f"Tab never leaves the page, it turns around {turns[-5:]}")
    assert turns == list(range(1, expected + 1))
    assert unseen == []


def test_the_first_stop_skips_the_navigation(gallery_folder: Path, page: Page) -> None:
    page.goto((gallery_folder / "rooms.fr.html").as_uri())
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    assert page.evaluate("!!document.activeElement.closest('main')")


def test_a_folded_part_opens_by_the_keyboard(gallery_folder: Path, page: Page) -> None:
    page.goto((gallery_folder / "experiment-generalise.fr.html").as_uri())
    page.locator("summary").first.focus()
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.parentElement.open")
