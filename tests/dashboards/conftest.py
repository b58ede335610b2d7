"""The gallery: every page in every state, written to a folder and opened in Chromium."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from dashboards import render
from dashboards.language import LOCALES
from dashboards.pages import Frame

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser

sys.path.insert(0, str(Path(__file__).parent))  # test folders are not packages; `states` is a sibling

FRAME = Frame("/experiments", "", "Camille Orvault", "token", 2)


@pytest.fixture(scope="session")
def gallery_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One HTML file per state and language, with the static files beside them."""
    from states import gallery  # noqa: PLC0415 - found by the path above

    folder = tmp_path_factory.mktemp("gallery")
    (folder / "static").mkdir()
    for asset in render.assets().values():
        (folder / asset.url.lstrip("/")).write_bytes(asset.content)
    for name, page in gallery().items():
        for locale in LOCALES:
            html = render.page(page, locale, FRAME).replace('"/static/', '"static/')
            (folder / f"{name}.{locale}.html").write_text(html, encoding="utf-8")
    return folder


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    """Debian's Chromium, headless; skipped where there is none."""
    path = shutil.which("chromium")
    if path is None:
        pytest.skip("Chromium is not installed: apt-get install chromium")
    sync_api = pytest.importorskip("playwright.sync_api")
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield browser
        browser.close()
