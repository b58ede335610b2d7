"""Sites and their rooms."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, time
from typing import Any


@dataclass(frozen=True)
class SiteLine:
    """A site: its hours, `weekdays` as `12345` (Monday is 1), how many rooms."""

    slug: str
    name: str
    opens: time
    closes: time
    weekdays: str
    rooms: int


@dataclass(frozen=True)
class SitesPage:
    """Every site, and a form for one more: `form` has name, opens, closes, weekdays as typed."""

    sites: tuple[SiteLine, ...]
    form: Any
    mistakes: Mapping[str, str] = field(default_factory=dict)
    template = "sites.html"


@dataclass(frozen=True)
class PastedLine:
    """A room of a pasted list; `known`: one of this name is there and will be changed."""

    line: int
    name: str
    capacity: int | None
    floor: str | None
    area_m2: float | None
    volume_m3: float | None
    known: bool = False
    mistakes: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class SitePage:
    """One site. `rooms` are (slug, name, floor, seats); `typed` what was typed in the smaller forms."""

    site: SiteLine
    rooms: tuple[tuple[str, str, str | None, int | None], ...]
    closures: tuple[tuple[date, str], ...]
    form: Any
    today: date  # closures before it are history
    years: tuple[int, ...] = ()
    typed: Mapping[str, str] = field(default_factory=dict)
    rows: tuple[PastedLine, ...] = ()
    mistakes: Mapping[str, str] = field(default_factory=dict)
    seen: str = ""
    meanwhile: bool = False
    saved: bool = False
    template = "site.html"


@dataclass(frozen=True)
class RoomFactsPage:
    """What is said of a room: `kept` is what is written down, `typed` what the form holds, both as text."""

    slug: str
    name: str
    site: tuple[str, str]
    typed: Mapping[str, str]
    kept: Mapping[str, str]
    mistakes: Mapping[str, str] = field(default_factory=dict)
    seen: str = ""
    meanwhile: bool = False
    template = "room_facts.html"
