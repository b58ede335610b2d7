"""From the bytes a gateway sent to readings: which format it is, and nothing raised but PayloadRejected."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from sensors.draft import Draft, parsed
from sensors.formats import known_formats
from sensors.reading import PayloadRejected, Reading
from sensors.wording import shown

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from sensors.formats import Format

LARGEST_PAYLOAD = 2_000_000  # bytes
_MOST_ROUTES = 20_000
_SENTENCES = 5
_TOP_KEYS = 64  # among which the mark of a format is looked for


class Decoder:
    """Decodes payloads of every known format; `mappings` come before them, `timezone` is that of naive times.

    Costs the same however many formats there are: the format of a topic is looked up once.
    """

    def __init__(self, mappings: Iterable[Format] = (), timezone: str = "Europe/Paris") -> None:
        self._zone = ZoneInfo(timezone)
        self._formats = (*mappings, *known_formats())
        self._marks = {mark: known for known in reversed(self._formats) for mark in known.MARKS}
        self._routes: dict[str, Format | None] = {}

    def decode(
        self, topic: str, payload: bytes, received_at: datetime, retained: bool = False
    ) -> list[Reading]:
        """The readings of one message; an empty list when it was understood and measures nothing.

        Raises PayloadRejected with a reason naming the field, and the good readings beside a bad one.
        """
        if len(payload) > LARGEST_PAYLOAD:
            raise PayloadRejected(f"too_large: {len(payload)} bytes, at most {LARGEST_PAYLOAD} are read")
        draft = Draft(topic, payload, received_at, self._zone, retained=retained)
        try:
            self._format(draft).read(draft)
        except PayloadRejected as rejection:
            if not draft.readings:
                raise
            raise PayloadRejected(rejection.reason, draft.readings) from rejection
        if draft.refusals:
            raise PayloadRejected(_reason(draft.refusals), draft.readings)
        return draft.readings

    def knows_shape(self, payload: bytes) -> bool:
        """Whether the payload tells its format on any topic."""
        try:
            return self._shape(parsed(payload)) is not None
        except PayloadRejected:
            return False

    def _format(self, draft: Draft) -> Format:
        known = self._route(draft.topic) or self._shape(draft.document)
        if known is None:
            raise PayloadRejected(
                f"unknown_format: neither topic {shown(draft.topic)} nor the payload's shape is known"
            )
        return known

    def _shape(self, document: object) -> Format | None:
        if type(document) is not dict:
            return None
        return next((self._marks[key] for key in list(document)[:_TOP_KEYS] if key in self._marks), None)

    def _route(self, topic: str) -> Format | None:
        try:
            return self._routes[topic]
        except KeyError:
            if len(self._routes) >= _MOST_ROUTES:
                self._routes.clear()
            levels = topic.split("/")
            candidates = (
                known
                for known in self._formats
                if any(_fits(each.split("/"), levels) for each in known.TOPICS)
            )
            route = self._routes[topic] = next(candidates, None)
            return route


def decode(topic: str, payload: bytes, received_at: datetime) -> list[Reading]:
    """Readings of one message by the formats Témoin knows, naive times being those of Paris.

    Raises PayloadRejected(reason, readings).
    """
    return _default().decode(topic, payload, received_at)


@lru_cache(maxsize=1)
def _default() -> Decoder:
    return Decoder()


def _fits(levels_of_filter: list[str], levels: list[str]) -> bool:
    """MQTT's own rule: + is one level, # the rest."""
    for index, wanted in enumerate(levels_of_filter):
        if wanted == "#":
            return True
        if index >= len(levels) or wanted not in ("+", levels[index]):
            return False
    return len(levels) == len(levels_of_filter)


def _reason(refusals: list[tuple[str, str]]) -> str:
    """`code: sentence`, the first code standing for all."""
    sentences = "; ".join(sentence for _, sentence in refusals[:_SENTENCES])
    more = len(refusals) - _SENTENCES
    return f"{refusals[0][0]}: {sentences}" + (f"; and {more} more" if more > 0 else "")
