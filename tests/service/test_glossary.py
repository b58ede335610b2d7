"""The page of words: for who is signed in, and where each link to it leads."""

from __future__ import annotations

import re
from pathlib import Path

import dashboards

TEMPLATES = Path(dashboards.__file__).parent / "templates"


def test_each_word_has_its_place_in_both_languages(reader):
    for language, word in (("fr", "Salle témoin"), ("en", "Baseline room")):
        page = reader.get(f"/glossaire?lang={language}")
        assert page.status_code == 200
        assert f'<dt id="salle-temoin">{word}</dt>' in page.text


def test_every_link_to_a_word_leads_to_one(reader):
    page = reader.get("/glossaire").text
    links = [
        (file.name, anchor)
        for file in TEMPLATES.glob("*.html")
        for anchor in re.findall(r'href="/glossaire#([\w-]+)"', file.read_text(encoding="utf-8"))
    ]
    assert len(links) > 3
    assert [link for link in links if f'id="{link[1]}"' not in page] == []


def test_nobody_is_shown_it_without_signing_in(stranger):
    assert stranger.get("/glossaire").status_code == 303
