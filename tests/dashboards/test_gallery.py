"""Every page in every state in a browser: three widths, two themes, two languages."""

from __future__ import annotations

import os
from itertools import product
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from playwright.sync_api import Browser, Page

pytestmark = pytest.mark.browser
SMALL_TEXT = """
[...document.querySelectorAll('main *')].filter(e =>
  [...e.childNodes].some(n => n.nodeType === 3 && n.textContent.trim()) && e.checkVisibility()
  && parseFloat(getComputedStyle(e).fontSize) < 12).map(e => e.outerHTML.slice(0, 80))
"""
OVERFLOWING = "document.documentElement.scrollWidth - innerWidth"


def _opened(browser: Browser, width: int, theme: Any) -> tuple[Page, list[str]]:
    context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=theme)
    page, said = context.new_page(), []
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    return page, said


def _unfolded(page: Page, file: Path) -> None:
    page.goto(file.as_uri())
    page.evaluate("document.querySelectorAll('details').forEach(d => { d.open = true })")


# all twelve take minutes: TEMOIN_TEST_GALLERY=every
EVERY = os.environ.get("TEMOIN_TEST_GALLERY") == "every"
SIZES = [(390, "light", "fr"), (1440, "dark", "en")]
# states of the experiment page that between them hold each of its parts
TELLING = tuple(
    f"experiment-{name}."
    for name in ("planned", "running", "generalise", "cannot-conclude", "stop-guardrail", "decided", "free")
)
if EVERY:
    SIZES = list(product((390, 820, 1440), ("light", "dark"), ("fr", "en")))


@pytest.mark.parametrize(("width", "theme", "locale"), SIZES)
def test_no_page_overflows_complains_or_shrinks_its_text(
    gallery_folder: Path, chromium: Browser, width: int, theme: str, locale: str
) -> None:
    page, said = _opened(chromium, width, theme)
    faults = []
    for file in sorted(gallery_folder.glob(f"*.{locale}.html")):
        _unfolded(page, file)
        wide = page.evaluate(OVERFLOWING)
        faults += [f"{file.name}: {wide} px too wide"] if wide > 0 else []
        faults += [f"{file.name}: small {text}" for text in page.evaluate(SMALL_TEXT)]
    page.context.close()
    assert faults == []
    assert said == []


@pytest.mark.parametrize(("width", "theme", "locale"), SIZES)
def test_axe_finds_nothing(
    gallery_folder: Path, chromium: Browser, width: int, theme: str, locale: str
) -> None:
    from axe_playwright_python.sync_playwright import Axe  # noqa: PLC0415 - where there is a browser

    page, _ = _opened(chromium, width, theme)
    axe, faults = Axe(), []
    # in the second theme only colours differ
    options = {"runOnly": ["color-contrast"]} if theme == "dark" and not EVERY else {}
    for file in sorted(gallery_folder.glob(f"*.{locale}.html")):
        if not EVERY and file.name.startswith("experiment-") and not file.name.startswith(TELLING):
            continue
        _unfolded(page, file)
        faults += [
            f"{file.name}: {violation['id']}: {violation['nodes'][0]['html'][:120]}"
            for violation in axe.run(page, options=options).response["violations"]
        ]
    page.context.close()
    assert faults == []


def test_pages_stand_twice_the_text_size(gallery_folder: Path, chromium: Browser) -> None:
    """200 % zoom of a 1280 px window leaves 640 px; of a phone, larger text must still not overflow."""
    page, _ = _opened(chromium, 390, "light")
    faults = []
    for file in sorted(gallery_folder.glob("*.fr.html")):
        page.goto(file.as_uri())
        page.add_style_tag(content="html{font-size:200%}")
        if page.evaluate(OVERFLOWING) > 0:
            faults.append(f"{file.name}: {page.evaluate(OVERFLOWING)}")
    page.context.close()
    assert faults == []
