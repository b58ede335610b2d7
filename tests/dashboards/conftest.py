"""The gallery: every page in every state, written to a folder and opened in Chromium."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from dashboards import render
from dashboards.language import LOCALES
from dashboards.pages.frame import Frame

sys.path.insert(0, str(Path(__file__).parent))  # test folders are not packages; `states` is a sibling

FRAME = Frame("/experiments", "", "Camille Orvault", "token", 2, "administrator")


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
