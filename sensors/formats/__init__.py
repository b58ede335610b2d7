"""One file per gateway format; a file dropped here is a format known.

Each is a module with
- `TOPICS`: MQTT filters of the topics that are this format's and nobody else's;
- `MARKS`: top-level JSON keys that tell it on any other topic (a webhook, a renamed root): `key`, `key.inner`
  (an object with that key in it), `[].key` (a list of such objects), TEXT (no JSON), BINARY (no text),
  ANY (what nobody knows);
- `read(draft)`: names the device and the instant with `draft.origin`, gives readings with `draft.put`
  (the metric is known) or `draft.take` (names tell it), refuses with `draft.refuse` or PayloadRejected.
  Reading nothing means: understood, nothing to measure.
"""

from __future__ import annotations

from importlib import import_module
from pkgutil import iter_modules
from typing import TYPE_CHECKING, Protocol, cast

if TYPE_CHECKING:
    from sensors.draft import Draft


TEXT = "(text)"
BINARY = "(binary)"
ANY = "(any)"


class Format(Protocol):
    """What a module of this package offers."""

    TOPICS: tuple[str, ...]
    MARKS: tuple[str, ...]

    def read(self, draft: Draft) -> None:
        """Take the readings of one message."""
        ...


def known_formats() -> tuple[Format, ...]:
    """Every format of this package."""
    names = sorted(module.name for module in iter_modules(__path__))
    return tuple(cast("Format", import_module(f"{__name__}.{name}")) for name in names)
