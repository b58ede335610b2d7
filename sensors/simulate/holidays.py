"""Public holidays of France."""

from __future__ import annotations

from datetime import date, timedelta
from functools import lru_cache

FIXED = (
    (1, 1, "Jour de l’An"),
    (5, 1, "Fête du Travail"),
    (5, 8, "Victoire de 1945"),
    (7, 14, "Fête nationale"),
    (8, 15, "Assomption"),
    (11, 1, "Toussaint"),
    (11, 11, "Armistice de 1918"),
    (12, 25, "Noël"),
)
AFTER_EASTER = ((1, "Lundi de Pâques"), (39, "Ascension"), (50, "Lundi de Pentecôte"))


@lru_cache(maxsize=64)
def french_holidays(year: int) -> dict[date, str]:
    """The public holidays of a year, whichever weekday they fall on, in their order."""
    easter = easter_sunday(year)
    days = {date(year, month, day): name for month, day, name in FIXED}
    days |= {easter + timedelta(days=after): name for after, name in AFTER_EASTER}
    return dict(sorted(days.items()))


def easter_sunday(year: int) -> date:
    """Gregorian Easter (Butcher's algorithm, in Meeus, Astronomical Algorithms, chapter 8)."""
    a, (b, c) = year % 19, divmod(year, 100)
    d, e = divmod(b, 4)
    g = (8 * b + 13) // 25
    h = (19 * a + b - d - g + 15) % 30
    i, k = divmod(c, 4)
    ell = (32 + 2 * e + 2 * i - h - k) % 7
    m = (a + 11 * h + 22 * ell) // 451
    month, day = divmod(h + ell - 7 * m + 114, 31)
    return date(year, month, day + 1)
