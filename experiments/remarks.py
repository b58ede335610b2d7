"""What remarks speak of: themes by the words that name them, in French and English. No text leaves here."""

from __future__ import annotations

import re
import unicodedata
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

# beginnings of words, without accents; a remark may speak of several themes
LEXICON = {
    "furniture": "table chaise siege fauteuil tabouret mobilier roulette plateau bureau assise patere "
    "chair seat stool furniture desk wheel",
    "equipment": "ecran prise multiprise cable visio projecteur micro wifi tableau son connect chargeur "
    "screen socket plug projector whiteboard display sound charger",
    "warmth": "chaud froid chauffage clim temperature gele glacia degre warm cold hot heating freez",
    "air": "air etouff aera aere ventil fenetre odeur renferme respir co2 window smell stuffy breath",
    "noise": "bruit bruyant calme enten echo resonn silenc porte claque noise noisy quiet loud hear",
    "light": "lumiere sombre soleil store rideau eclair eblou reflet light dark sun glare blind curtain",
    "booking": "reserv occupee libre creneau calendrier agenda book slot calendar",
    "room_size": "grand petit place etroit serre espace big small space cramped narrow",
    "care": "propre sale poubelle casse panne repar menage usee use clean dirty bin broken repair",
}
_PATTERNS = {theme: re.compile(rf"\b(?:{'|'.join(words.split())})") for theme, words in LEXICON.items()}


def themes(remarks: Iterable[str], k: int) -> tuple[tuple[str, int], ...]:
    """Themes and how many remarks speak of them, the most spoken of first.

    A theme is told when at least `k` remarks speak of it and none or at least `k` do not, so that no smaller
    group is had by subtracting either.
    """
    texts = [_plain(remark) for remark in remarks]
    counts = {
        theme: sum(bool(pattern.search(text)) for text in texts) for theme, pattern in _PATTERNS.items()
    }
    others = range(1, k)
    told = {theme: n for theme, n in counts.items() if n >= k and len(texts) - n not in others}
    return tuple(sorted(told.items(), key=lambda each: (-each[1], each[0])))


def _plain(text: str) -> str:
    folded = unicodedata.normalize("NFKD", text.lower())
    return "".join(char for char in folded if not unicodedata.combining(char))
