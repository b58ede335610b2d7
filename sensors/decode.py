"""From the bytes a gateway sent to readings: which format it is, and nothing raised but PayloadRejected."""

from __future__ import annotations

from functools import lru_cache
from itertools import islice, takewhile
from typing import TYPE_CHECKING, NamedTuple, cast
from zoneinfo import ZoneInfo

from sensors.draft import Draft, parsed
from sensors.formats import ANY, BINARY, TEXT, known_formats, native
from sensors.mapping import NOT_OF_MEANING, ROOT, fits
from sensors.reading import PayloadRejected, Reading

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from datetime import datetime

    from sensors.formats import Format
    from sensors.mapping import Mapping

LARGEST_PAYLOAD = 2_000_000  # bytes
_NATIVE = cast("Format", native)
_NATIVE_LEVELS = len(("temoin", "{gateway}", "{device}"))
_JSON_BEGINS = frozenset(["{", "[", '"'])
_CBOR_ARRAY = (0x80, 0xA0)  # first bytes, which no text begins with
_LONGEST_TOPIC = 300  # characters of a topic whose route is remembered
_MOST_ROUTES = 20_000
_SENTENCES = 5
_TOP_KEYS = 64  # among which the mark of a format is looked for


class Decoder:
    """Decodes payloads of every known format, else by `mappings`; `timezone` is that of naive times.

    Mappings are asked about what the formats refuse, of the first whose topic fits. They may be a function,
    called for every refused message: its mappings may change.

    Costs the same however many formats there are: the format of a topic is looked up once. Every format is
    also known below `temoin/{gateway}/`, where the broker lets a gateway write: its devices are then that
    gateway's, whatever root the format itself would name.
    """

    def __init__(
        self,
        mappings: Iterable[Mapping] | Callable[[], Iterable[Mapping]] = (),
        timezone: str = "Europe/Paris",
    ) -> None:
        self._zone = ZoneInfo(timezone)
        fixed = () if callable(mappings) else tuple(mappings)
        self._mappings = mappings if callable(mappings) else lambda: fixed
        known = known_formats()
        self._filters, self._marks = _filters(known), _marks(known)
        self._routes: dict[str, _Route] = {}

    def decode(
        self, topic: str, payload: bytes, received_at: datetime, retained: bool = False
    ) -> list[Reading]:
        """The readings of one message; an empty list when it was understood and measures nothing.

        Raises PayloadRejected with a reason naming the field, and the good readings beside a bad one.
        """
        if len(payload) > LARGEST_PAYLOAD:
            raise PayloadRejected(f"too_large: {len(payload)} bytes, at most {LARGEST_PAYLOAD} are read")
        draft = self.read(topic, payload, received_at, retained=retained)
        if draft.refusals:
            raise PayloadRejected(_reason(draft.refusals), draft.readings)
        return draft.readings

    def read(self, topic: str, payload: bytes, received_at: datetime, *, retained: bool = False) -> Draft:
        """What the formats, else the mappings, make of a message: its readings, its refusals, its origin."""
        draft = Draft(topic, payload, received_at, self._zone, retained=retained)
        try:
            self._format(draft).read(draft)
        except PayloadRejected as rejection:
            draft.refusals = [(rejection.code, rejection.reason.partition(": ")[2])]
        if draft.refusals:
            self._map(draft, topic)
        return draft

    def _map(self, draft: Draft, topic: str) -> None:
        """Let a mapping say what the formats did not understand; it answers for that, they for the rest."""
        meant = [refusal for refusal in draft.refusals if refusal[0] not in NOT_OF_MEANING]
        if not meant:
            return
        mapping = next((each for each in self._mappings() if each.fits(topic)), None)
        if mapping is None:
            return
        refused, draft.refusals = draft.refusals, []
        before = len(draft.readings)
        try:
            if not mapping.read(draft, topic):
                draft.refusals = refused
                return
        except PayloadRejected as rejection:
            draft.refusals.append((rejection.code, rejection.reason.partition(": ")[2]))
        said = {(each.device, each.metric, each.time) for each in draft.readings[before:]}
        draft.readings[:before] = [
            each for each in draft.readings[:before] if (each.device, each.metric, each.time) not in said
        ]
        draft.refusals += [refusal for refusal in refused if refusal[0] in NOT_OF_MEANING]

    def knows_shape(self, payload: bytes) -> bool:
        """Whether the payload tells its format on any topic."""
        try:
            return self._shape(parsed(payload)) is not None
        except PayloadRejected:
            return False

    def _format(self, draft: Draft) -> Format:
        known, gateway, inner = self._route(draft.topic)
        if known is _NATIVE:
            shape = self._other_than_native(draft)
            if shape is None:
                return _NATIVE
            known = shape
        if gateway is not None:
            draft.bind(gateway, inner)
        return known or self._by_shape(draft)

    def _other_than_native(self, draft: Draft) -> Format | None:
        """The format of what came on a native topic in another shape; None when it is ours, or nobody's."""
        if _is_native(draft):
            return None
        found = self._by_shape(draft)
        return None if found is self._marks[ANY][0][1] else found

    def _by_shape(self, draft: Draft) -> Format:
        try:
            document = draft.document
        except PayloadRejected as rejection:
            mark = {"broken_json": TEXT, "binary": BINARY}.get(rejection.code)
            if mark is None:
                raise
            return self._marks[mark][0][1]
        return self._shape(document) or self._marks[ANY][0][1]

    def _shape(self, document: object) -> Format | None:
        prefix = ""
        if type(document) is list and document:
            document, prefix = document[0], "[]."
        if type(document) is not dict:
            return None
        for key in islice(document, _TOP_KEYS):
            for inner, known in self._marks.get(prefix + key, ()):
                if not inner or (type(document[key]) is dict and inner in document[key]):
                    return known
        return None

    def _route(self, topic: str) -> _Route:
        try:
            return self._routes[topic]
        except KeyError:
            if len(self._routes) >= _MOST_ROUTES:
                self._routes.clear()
            route = self._found(topic)
            if len(topic) <= _LONGEST_TOPIC:
                self._routes[topic] = route
            return route

    def _found(self, topic: str) -> _Route:
        levels = topic.split("/")
        if levels[0] != ROOT:
            return _Route(_first(self._filters, levels), None, topic)
        gateway, inner = (levels[1], levels[2:]) if len(levels) > _NATIVE_LEVELS - 1 else (None, levels)
        if len(levels) == _NATIVE_LEVELS:
            return _Route(_NATIVE, gateway, inner[0])
        known = None if inner[0] == ROOT else _first(self._filters, inner)
        return _Route(known, gateway, "/".join(inner))


class _Route(NamedTuple):
    """What a topic alone tells: its format, and the gateway whose it is with what follows its name."""

    known: Format | None
    gateway: str | None
    inner: str


def decode(topic: str, payload: bytes, received_at: datetime) -> list[Reading]:
    """Readings of one message by the formats Témoin knows, naive times being those of Paris.

    Raises PayloadRejected(reason, readings).
    """
    return _default().decode(topic, payload, received_at)


@lru_cache(maxsize=1)
def _default() -> Decoder:
    return Decoder()


def _filters(formats: tuple[Format, ...]) -> list[tuple[list[str], Format]]:
    """Topic filters by level, those first that begin with most levels of their own."""
    filters = [(each.split("/"), known) for known in formats for each in known.TOPICS]
    return sorted(filters, key=lambda pair: -sum(1 for _ in takewhile(_is_literal, pair[0])))


def _first(filters: list[tuple[list[str], Format]], levels: list[str]) -> Format | None:
    return next((known for filter_, known in filters if fits(filter_, levels)), None)


def _is_native(draft: Draft) -> bool:
    """Whether a payload on a native topic is JSON of ours, or JSON that is broken."""
    try:
        document = draft.document
    except PayloadRejected:
        text = draft.text
        if text is None:
            return not _CBOR_ARRAY[0] <= draft.payload[0] < _CBOR_ARRAY[1]
        return "=" not in text or text[0] in _JSON_BEGINS  # a line of measurements has fields
    if type(document) is list and document:
        document = document[0]
    return type(document) is dict and "readings" in document


def _is_literal(level: str) -> bool:
    return level not in ("+", "#")


def _marks(formats: tuple[Format, ...]) -> dict[str, list[tuple[str, Format]]]:
    """Top-level key → the formats it marks, each with the key that must be within."""
    marks: dict[str, list[tuple[str, Format]]] = {}
    for known in formats:
        for mark in known.MARKS:
            listed = "[]." if mark.startswith("[].") else ""
            key, _, inner = mark.removeprefix("[].").partition(".")
            marks.setdefault(listed + key, []).append((inner, known))
    return marks


def _reason(refusals: list[tuple[str, str]]) -> str:
    """`code: sentence`, the first code standing for all."""
    sentences = "; ".join(sentence for _, sentence in refusals[:_SENTENCES])
    more = len(refusals) - _SENTENCES
    return f"{refusals[0][0]}: {sentences}" + (f"; and {more} more" if more > 0 else "")
