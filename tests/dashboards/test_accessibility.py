"""What the accessibility declaration says of every page, and docs/accessibility.md of the tests."""

from __future__ import annotations

import os
import re
from collections import Counter, defaultdict
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from dashboards import render
from dashboards.pages.about import AccessibilityPage

if TYPE_CHECKING:
    from playwright.sync_api import Browser

TESTS = Path(__file__).parents[1]
DOCUMENT = TESTS.parent / "docs/accessibility.md"
NAMED = re.compile(r"`([\w/]+\.py)::(\w+)`")
HEADING = re.compile(r"<h([1-6])\b")
TABLE = re.compile(r"<table\b.*?</table>", re.DOTALL)
TAGS = re.compile(r"<[^>]+>")
THEMES = 13  # of RGAA 4.1.2
EVERY = os.environ.get("TEMOIN_TEST_GALLERY") == "every"
OVERFLOWING = "document.documentElement.scrollWidth - innerWidth"
SPACED = "*{line-height:1.5!important;letter-spacing:.12em!important;word-spacing:.16em!important}"
NAMELESS = """
[...document.querySelectorAll('svg')].filter(e => !e.closest('[aria-hidden=true]')
  && !e.closest('[role=img][aria-label],[role=img][aria-labelledby]')).map(e => e.outerHTML.slice(0, 70))
"""


@pytest.fixture(scope="module")
def pages(gallery_folder: Path) -> dict[str, str]:
    """State → HTML, in French: both languages share their templates."""
    found = {file.name: file.read_text(encoding="utf-8") for file in gallery_folder.glob("*.fr.html")}
    assert len(found) > 90
    return found


def test_no_page_has_a_frame_a_film_or_a_sound(pages: dict[str, str]) -> None:
    foreign = re.compile(r"<(?:iframe|frame|object|embed|video|audio|canvas|marquee)\b")
    assert [name for name, html in pages.items() if foreign.search(html)] == []


def test_every_page_has_one_first_heading_and_skips_no_level(pages: dict[str, str]) -> None:
    for name, html in pages.items():
        levels = [int(level) for level in HEADING.findall(html)]
        assert levels.count(1) == 1, name
        assert all(after <= before + 1 for before, after in pairwise(levels)), (name, levels)


def test_every_table_says_which_cells_are_headings_and_of_what(pages: dict[str, str]) -> None:
    for name, html in pages.items():
        for table in TABLE.findall(html):
            headings = re.findall(r"<th\b[^>]*>", table)
            assert headings, (name, table[:200])
            assert [th for th in headings if "scope=" not in th] == [], name


def test_every_table_has_a_name_and_keeps_its_roles_when_it_folds(pages: dict[str, str]) -> None:
    """RGAA 5.4; a cell drawn as a block is one to nobody but by its role."""
    for name, html in pages.items():
        for table in TABLE.findall(html):
            tag = table.partition(">")[0]
            assert "aria-label" in tag or "<caption" in table, (name, table[:120])
            if 'class="stack"' in tag:
                parts = re.findall(r"<(?:table|thead|tbody|tr|th|td)\b[^>]*>", table)
                assert [part for part in parts if "role=" not in part] == [], (name, table[:120])


def test_what_folds_is_told_from_the_next(pages: dict[str, str]) -> None:
    for name, html in pages.items():
        told = Counter(TAGS.sub("", each) for each in re.findall(r"(?s)<summary>(.*?)</summary>", html))
        assert [words for words, times in told.items() if times > 1] == [], name


def test_links_of_one_name_lead_to_one_place(pages: dict[str, str]) -> None:
    """RGAA 6.1, heard link by link: what a page calls by one name is one place."""
    for name, html in pages.items():
        places: dict[str, set[str]] = defaultdict(set)
        for tag, inside in re.findall(r"(?s)<a\b([^>]*)>(.*?)</a>", html.partition("<main")[2]):
            label = re.search(r'aria-label="([^"]+)"', tag)
            href = re.search(r'href="([^"#?]*)', tag)
            places[label[1] if label else TAGS.sub("", inside)].add(href[1] if href else "")
        assert {told: where for told, where in places.items() if len(where) > 1} == {}, name


def test_every_page_has_a_title(pages: dict[str, str]) -> None:
    for name, html in pages.items():
        found = re.search(r"<title>(.+?) — Témoin</title>", html)
        assert found, name


@pytest.mark.browser
def test_pages_fit_a_window_of_320_pixels_with_spaced_text_and_name_their_drawings(
    gallery_folder: Path, chromium: Browser
) -> None:
    """RGAA 10.11, 10.12 and 1.1: a drawing has a name, or is hidden where its numbers are told."""
    page = chromium.new_context(viewport={"width": 320, "height": 256}).new_page()
    faults, seen = [], Counter[str]()
    for file in sorted(gallery_folder.glob("*.fr.html")):
        family = re.split(r"[-.]", file.name)[0]
        seen[family] += 1
        if seen[family] > 2 and not EVERY:
            continue
        page.goto(file.as_uri())
        faults += [f"{file.name}: {svg} has no name" for svg in page.evaluate(NAMELESS)]
        wide = page.evaluate(OVERFLOWING)
        faults += [f"{file.name}: {wide} px too wide"] * (wide > 0)
        page.add_style_tag(content=SPACED)
        wide = page.evaluate(OVERFLOWING)
        faults += [f"{file.name}: {wide} px too wide, spaced"] * (wide > 0)
    page.context.close()
    assert faults == []


PARTS = (
    "État de conformité", "Résultats des tests", "Contenus non accessibles", "Non-conformités connues",
    "Dérogations pour charge disproportionnée", "Contenus non soumis", "Établissement de cette déclaration",
    "Technologies utilisées", "Environnement de test", "Outils", "Pages vérifiées",
    "Retour d’information et contact", "Voies de recours",
)  # fmt: skip


def test_the_declaration_has_the_parts_of_the_model_and_claims_no_audit(pages: dict[str, str]) -> None:
    text = pages["accessibility.fr.html"].replace("\u202f", " ").replace("\xa0", " ")
    headings = " ".join(re.findall(r"<h[23]>([^<]+)", text))
    assert [part for part in PARTS if part not in headings] == []
    assert "Témoin est <b>non conforme</b> au RGAA 4.1.2" in text
    assert "Aucun audit n’a été fait" in text
    assert "Libre réponse 71120, 75342 Paris CEDEX 07" in text


@pytest.mark.parametrize(
    ("contact", "shown"),
    [
        ("acces@ville.example", '<a href="mailto:acces@ville.example">acces@ville.example</a>'),
        ("https://ville.example/acces", '<a href="https://ville.example/acces">'),
        ("02 40 00 00 00", "<p>Contact\xa0: 02 40 00 00 00</p>"),
        ("javascript:alert(1)//a@b", '<a href="mailto:javascript:alert(1)//a@b">'),
        ("", "TEMOIN_ACCESSIBILITY_CONTACT"),
    ],
)
def test_an_obstacle_is_reported_to_whom_the_installation_names(contact: str, shown: str) -> None:
    html = render.page(AccessibilityPage("Ville de Nantes", contact), "fr")
    assert shown in html
    assert "Ville de Nantes s’engage" in html


def test_an_installation_that_names_nobody_says_what_is_missing() -> None:
    assert "TEMOIN_ORGANISATION" in render.page(AccessibilityPage(), "fr")


def test_the_document_has_a_line_for_every_theme() -> None:
    text = DOCUMENT.read_text(encoding="utf-8")
    assert re.findall(r"^\| (\d+)\. ", text, re.MULTILINE) == [str(n) for n in range(1, THEMES + 1)]


def test_every_test_the_document_names_exists() -> None:
    named = set(NAMED.findall(DOCUMENT.read_text(encoding="utf-8")))
    assert len(named) > 12
    for file, test in named:
        text = (TESTS / file).read_text(encoding="utf-8")
        assert re.search(rf"^(?:async )?def {test}\(", text, re.MULTILINE), f"{file}::{test}"


def test_every_description_that_a_field_names_is_on_its_page(pages: dict[str, str]) -> None:
    for name, html in pages.items():
        named = {
            key
            for keys in re.findall(r'aria-(?:describedby|labelledby)="([^"]+)"', html)
            for key in keys.split()
        }
        assert [key for key in named if f'id="{key}"' not in html] == [], name


# a label says all there is to say of these; any other field one types in has a hint, always or once mistaken
PLAIN = {
    "q",
    "device_name",
    "email",
    "name",
    "label",
    "model",
    "day",
    "at",
    "start",
    "end",
    "first",
    "last",
    "website",
    "opens",
}


def test_a_field_to_type_in_has_a_hint_unless_its_label_says_all(pages: dict[str, str]) -> None:
    bare = set()
    for html in pages.values():
        for field in re.findall(r"<(?:input|textarea)\b[^>]*>", html):
            kind = re.search(r'type="([\w-]+)"', field)
            if kind and kind.group(1) in {"hidden", "radio", "checkbox", "password"}:
                continue
            found = re.search(r'name="([\w-]+)', field)
            if found and "aria-describedby" not in field:
                bare.add(found.group(1))
    assert bare - PLAIN == set()
