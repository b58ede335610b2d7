"""The form of a room, for everybody."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal


@dataclass(frozen=True)
class FormPage:
    """The questions of a room; `ask` is the running guardrail's question, shown with the first ones.

    `values` are what was ticked when the form comes back with an error; nothing is preselected otherwise.
    """

    slug: str
    name: str
    nonce: str
    key: str
    ask: Literal["discomfort", "temperature", "air", "hearing"] | None = None
    error: Literal["missing", "expired", "invalid", "fast"] | None = None
    values: Mapping[str, str] = field(default_factory=dict)
    template = "form.html"


@dataclass(frozen=True)
class ThanksPage:
    """The answer is kept."""

    slug: str
    name: str
    template = "thanks.html"
