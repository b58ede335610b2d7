"""What tells of Témoin itself: method, words, look, accessibility, the API; and what could not be shown."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Literal

Fault = Literal[
    "not_found",
    "forbidden",
    "form_key",
    "form_spent",
    "too_many",
    "too_large",
    "conflict",
    "locked",
    "csrf",
    "failed",
]


@dataclass(frozen=True)
class ErrorPage:
    """Something could not be shown; `key` picks the sentence, `status` is HTTP's."""

    status: int
    key: Fault
    template = "error.html"


@dataclass(frozen=True)
class MethodPage:
    """How Témoin compares, for who decides and who checks."""

    template = "method.html"


@dataclass(frozen=True)
class GlossaryPage:
    """The words that are used with care, each with its one meaning."""

    template = "glossary.html"


@dataclass(frozen=True)
class SiteMapPage:
    """Every page that the reader's role opens."""

    template = "site_map.html"


@dataclass(frozen=True)
class LookPage:
    """Each part that pages are made of, for who writes one."""

    template = "look.html"


@dataclass(frozen=True)
class AccessibilityPage:
    """The declaration of accessibility: whose it is, and where an obstacle is reported (empty: not said)."""

    template = "accessibility.html"
    CHECKED = date(2026, 11, 29)  # when what it says was last compared with the pages

    organisation: str = ""
    contact: str = ""

    @property
    def link(self) -> str:
        """The contact as an address to follow; empty for a telephone number."""
        if self.contact.startswith("https://"):
            return self.contact
        return f"mailto:{self.contact}" if "@" in self.contact and " " not in self.contact else ""


@dataclass(frozen=True)
class ApiParameter:
    """A parameter of an operation: `where` is `path` or `query`."""

    name: str
    where: str
    required: bool
    text: str = ""


@dataclass(frozen=True)
class ApiOperation:
    """One thing the API does, what is sent and what comes back as JSON, and how else it may answer."""

    method: str
    path: str
    summary: str
    parameters: tuple[ApiParameter, ...]
    body: str
    answer: str
    answers: tuple[tuple[int, str], ...]


@dataclass(frozen=True)
class ApiNoun:
    """What the API does with one kind of thing."""

    name: str
    text: str
    operations: tuple[ApiOperation, ...]


@dataclass(frozen=True)
class ApiPage:
    """The API, from its OpenAPI description; `refusals` are what nearly every answer may be instead."""

    nouns: tuple[ApiNoun, ...]
    refusals: tuple[tuple[int, str], ...]
    template = "api.html"
