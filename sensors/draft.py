"""A message while it is being read: what it says so far, what was refused, and its JSON on demand."""

from __future__ import annotations

import json
from datetime import UTC
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NoReturn

from sensors.fields import MOST_FIELDS, Quantity, quantities
from sensors.instant import instant, never_set, whole_milliseconds
from sensors.reading import PayloadRejected, Reading
from sensors.wording import TWICE, UnreadableError, in_one_line, misfit, shown

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping
    from datetime import datetime, tzinfo

    from sensors.metrics import Metric
    from sensors.reading import TimeSource

MOST_READINGS = 10_000
MOST_OBJECTS = 3 * MOST_READINGS  # a batch of native readings has two braces each
MOST_REFUSALS = 1000
LONGEST_GATEWAY = 100
LONGEST_DEVICE = 200
_CUT = LONGEST_DEVICE + 1  # of a name, to know that it is too long without remembering all of it

Json = dict[str, Any]
_new = tuple.__new__  # half the time of calling a NamedTuple, which does only this


class Draft:
    """One message and the readings a format takes from it.

    A format calls `origin` for each device and instant, then `put` or `take`; what cannot be read
    it tells `refuse`, and goes on. `zone` is the one of naive times.
    """

    __slots__ = (
        "_bound",
        "_device",
        "_document",
        "_fields_left",
        "_gateway",
        "_seq",
        "_time",
        "_time_source",
        "origins",
        "payload",
        "readings",
        "received_at",
        "refusals",
        "retained",
        "topic",
        "zone",
    )

    def __init__(
        self, topic: str, payload: bytes, received_at: datetime, zone: tzinfo, *, retained: bool = False
    ) -> None:
        self.topic = topic
        self.retained = retained
        self.received_at = received_at if received_at.tzinfo else received_at.replace(tzinfo=UTC)
        self.zone = zone
        self.readings: list[Reading] = []
        self.refusals: list[tuple[str, str]] = []
        self.payload = payload
        self._document: object = None
        self._bound: str | None = None
        self._fields_left = MOST_FIELDS
        self.origins = 0

    @property
    def document(self) -> object:
        """The payload as JSON; raises PayloadRejected when it is not."""
        if self._document is None:
            self._document = parsed(self.payload)
        return self._document

    @property
    def text(self) -> str | None:
        """The payload as text, None when it is not; for what is no JSON."""
        try:
            return str(self.payload, "utf-8-sig").strip()
        except UnicodeDecodeError:
            return None

    @property
    def levels(self) -> list[str]:
        """The levels of the topic that are not empty; the first one is the gateway's root."""
        return [level for level in self.topic.split("/") if level]

    @property
    def fields(self) -> Json:
        """The payload as one JSON object; raises PayloadRejected when it is something else."""
        document = self.document
        if type(document) is not dict:
            raise rejected(*misfit("the payload", document, "a JSON object"))
        return document

    def child(self, fields: Json, key: str) -> Json:
        """The object under `key`; raises PayloadRejected when it is missing or something else."""
        if key not in fields:
            raise PayloadRejected(f"missing: there is no {key}")
        value = fields[key]
        if type(value) is not dict:
            raise rejected(*misfit(key, value, "an object"))
        return value

    def origin(
        self,
        gateway: str,
        device: object,
        time: object = None,
        source: TimeSource = "device",
        seq: object = None,
        *,
        within: str = "",
        field: str = "time",
    ) -> bool:
        """Say whose readings follow, measured when; False, and refused, when that cannot be right.

        `time` is as the payload writes it; without one the time of reception stands in, unless the
        broker had kept the message: then nobody knows when it was measured.
        """
        if self._bound is not None:
            gateway = self._bound
        try:
            self._device = _identity(gateway[:_CUT], device[:_CUT]) if isinstance(device, str) else ""
        except UnreadableError as error:
            return self.refuse(error.code, f"the name {error}")
        if not self._device:
            return self.refuse(*misfit("the device's name", device, "text"))
        self._gateway = gateway
        if time is not None:
            try:
                self._time = instant(time, self.zone, self.received_at)
            except UnreadableError as error:
                return self.refuse(error.code, f"{within}{field} is {error}")
            self._time_source = source
        elif self.retained:
            return self.refuse("retained", "the broker had kept this message and it has no time of its own")
        else:
            self._time = whole_milliseconds(self.received_at)
            self._time_source = "received"
        self._seq = self._sequence(seq)
        self.origins += 1
        return True

    @property
    def named(self) -> tuple[str, str]:
        """The gateway and the device's own name, as the last `origin` told them."""
        return self._gateway, self._device.partition("/")[2]

    def rename(self, gateway: str, device: object) -> bool:
        """Say that what follows is another device's, of the instant told before."""
        return self.origin(gateway, device, self._time.isoformat(), self._time_source)

    def bind(self, gateway: str, topic: str) -> None:
        """Say which gateway sent the message, whose its devices are; `topic` is what follows its name."""
        self._bound, self.topic = gateway, topic

    @property
    def named_by_topic(self) -> str:
        """The device, when only the topic can name it: all of it but the gateway's own level."""
        levels = self.levels
        return "/".join(levels if self._bound is not None else levels[1:] or levels)

    def clock(self, time: object) -> object:
        """A device's time; None when its clock was never set and the message came just now.

        For a format whose devices send at once: reception then stands in, as without a time.
        """
        return None if not self.retained and never_set(time) else time

    def put(self, metric: Metric, value: float, field: str, within: str = "") -> None:
        """Add a reading in the metric's own unit, or refuse a value that cannot be one, by its field."""
        if not metric.low <= value <= metric.high or value in metric.sentinels:
            code, sentence = metric.fault(value) or ("out_of_range", "implausible")
            self.refuse(code, f"{within}{field}: {sentence}")
            return
        self.readings.append(
            _new(
                Reading,
                (
                    self._device,
                    metric.key,
                    float(value),
                    metric.unit,
                    self._time,
                    self._time_source,
                    self._gateway,
                    self._seq,
                ),
            )
        )
        if len(self.readings) > MOST_READINGS:
            self._give_up()

    def take(self, fields: Mapping[str, object], known: Collection[str] = ()) -> int:
        """Add the quantities that names in `fields` tell, but `known` metrics; how many names told one."""
        found, told, looked_at = quantities(fields, self.refuse, known, self._fields_left)
        self._fields_left -= looked_at
        if self._fields_left < 0:
            raise PayloadRejected(f"too_many: more than {MOST_FIELDS} fields in one payload")
        self.add(found)
        return told

    def take_bare(self, name: str) -> int:
        """Take a payload that is one bare value, of the quantity that `name` tells."""
        text = self.text
        if text is None:
            self.refuse("binary", "the payload is no text")
            return 0
        return self.take({name: text.strip('"')})

    def add(self, found: Iterable[Quantity]) -> None:
        """Add quantities as readings of the origin last told."""
        device, time, source = self._device, self._time, self._time_source
        gateway, seq = self._gateway, self._seq
        self.readings += [
            _new(Reading, (device, metric.key, value, metric.unit, time, source, gateway, seq))
            for metric, value, _, _ in found
        ]
        if len(self.readings) > MOST_READINGS:
            self._give_up()

    def drop_contradictions(self) -> None:
        """Refuse what records of one device and instant tell differently: who knows which is the room's."""
        told: dict[tuple[str, str, datetime], float] = {}
        contested: set[tuple[str, str, datetime]] = set()
        for each in self.readings:
            key = (each.device, each.metric, each.time)
            if told.setdefault(key, each.value) != each.value and key not in contested:
                contested.add(key)
                self.refuse("ambiguous", f"two values of {each.metric} at {each.time}: map one of them")
        if contested:
            agreed = (
                each for each in self.readings if (each.device, each.metric, each.time) not in contested
            )
            self.readings = list(agreed)

    def unknown(self, fields: Json) -> None:
        """Refuse fields of which no name tells a quantity; they wait for somebody to map them."""
        names = ", ".join(shown(name) for name in list(fields)[:8]) or "there are none"
        self.refuse("nothing_known", f"no quantity is known by any of these names: {names}")

    def refuse(self, code: str, sentence: str) -> bool:
        """Note what cannot be read, and why; always False, for `return draft.refuse(…)`."""
        self.refusals.append((code, in_one_line(sentence)))
        if len(self.refusals) >= MOST_REFUSALS:
            raise PayloadRejected(
                f"{self.refusals[0][0]}: {self.refusals[0][1]}; and {MOST_REFUSALS} more at least"
            )
        return False

    def _give_up(self) -> NoReturn:
        self.readings.clear()
        raise PayloadRejected(f"too_many: more than {MOST_READINGS} readings in one payload")

    def _sequence(self, seq: object) -> int | None:
        if seq is None:
            return None
        if type(seq) is int and 0 <= seq < 2**63:
            return seq
        self.refuse(*misfit("seq", seq, "a whole number"))
        return None


@lru_cache(maxsize=16_384)
def _identity(gateway: str, device: str) -> str:
    """`gateway/device`; raises UnreadableError when one of them is no name."""
    key = f"{gateway}/{device.strip()}"
    if not gateway.strip() or not device.strip():
        raise UnreadableError("empty_device", f"{shown(key)} has an empty part")
    if not key.isprintable():
        raise UnreadableError("bad_device", f"{shown(key)} has unprintable characters")
    if len(gateway) > LONGEST_GATEWAY or len(key) > LONGEST_DEVICE:
        raise UnreadableError("bad_device", f"{shown(key)} is longer than {LONGEST_DEVICE} characters")
    return key


def rejected(code: str, sentence: str) -> PayloadRejected:
    """The refusal of a whole message."""
    return PayloadRejected(f"{code}: {sentence}")


def parsed(payload: bytes) -> object:
    """The payload as JSON, a key given twice holding TWICE; raises PayloadRejected when it is none."""
    if not payload:
        raise PayloadRejected("empty: the payload has no bytes")
    try:
        text = str(payload, "utf-8-sig" if payload[:3] == b"\xef\xbb\xbf" else "utf-8")
    except UnicodeDecodeError as error:
        raise PayloadRejected(f"binary: byte {error.start} of the payload is not UTF-8 text") from error
    if len(text) > MOST_OBJECTS and text.count("{") > MOST_OBJECTS:
        raise PayloadRejected(f"too_many: more than {MOST_OBJECTS} objects in one payload")
    try:
        return _document(text)
    except json.JSONDecodeError as error:
        raise PayloadRejected(f"broken_json: {error.msg} at character {error.pos}") from error
    except RecursionError as error:
        raise PayloadRejected("too_deep: the JSON is nested too deep") from error


def _document(text: str) -> object:
    try:
        document, end = _scan(text, 0)  # most payloads begin and end without a blank
        return document if end == len(text) else _DECODER.decode(text)
    except StopIteration:
        return _DECODER.decode(text)
    except json.JSONDecodeError:
        raise
    except ValueError:
        # an integer of thousands of digits: as a float it is infinite, and its field can be named
        return _WIDE_DECODER.decode(text)


def _once(pairs: list[tuple[str, object]]) -> Json:
    fields = dict(pairs)
    if len(fields) != len(pairs):
        seen: set[str] = set()
        for key, _ in pairs:
            if key in seen:
                fields[key] = TWICE
            seen.add(key)
    return fields


_DECODER = json.JSONDecoder(object_pairs_hook=_once)
_scan = _DECODER.scan_once  # type: ignore[attr-defined]  # typeshed leaves it out
_WIDE_DECODER = json.JSONDecoder(object_pairs_hook=_once, parse_int=float)
