"""What surrounds every page, and what every page is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True)
class Frame:
    """What surrounds every page: where one is, who is signed in, and the token that goes with forms."""

    path: str = "/"
    query: str = ""  # without `lang`, so that the language switch stays on the same view
    user: str | None = None  # a name; None is not signed in: no navigation, no sign-out
    csrf: str = ""
    waiting: int = 0  # payloads in quarantine, shown beside its link
    role: str = ""  # reader, facilities, analyst, administrator
    wrong: bool = False  # a form came back with something to correct: the title says so first


class Page(Protocol):
    """What a page of one's own has to be: a frozen dataclass that names its template."""

    @property
    def template(self) -> str:
        """The file below `templates/`."""
