"""What somebody said a payload means that no format knows: which field is which quantity, whose, of when.

A mapping is asked only about what the formats refuse, so that it costs known messages nothing and can take
none of them. Fields are named by JSON Pointers (RFC 6901); topics by MQTT's own wildcards. Nothing in a
mapping is executed, expanded or matched by expressions.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Literal

from sensors.draft import rejected
from sensors.instant import instant
from sensors.metrics import METRICS, UNITS, conversion
from sensors.names import Name, named
from sensors.reading import PayloadRejected, SensorError
from sensors.values import read_value
from sensors.wording import UnreadableError, shown

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime, tzinfo

    from sensors.draft import Draft

MOST_FIELDS = 50
MOST_LEAVES = 200  # of a sample, shown to whoever maps it
DEEPEST = 8
LONGEST = 400  # characters of a topic filter or a pointer
# of the value, the size or the broker, not of the meaning: no mapping mends these
NOT_OF_MEANING = frozenset(
    ["out_of_range", "sentinel", "not_finite", "too_large", "too_many", "too_deep", "binary", "retained"]
)

DeviceFrom = Literal["format", "topic", "field", "name"]
TimeFrom = Literal["format", "field", "reception"]
MappingCode = Literal[
    "topic",
    "device",
    "swallow",
    "overlap",
    "taken",
    "time",
    "fields",
    "field",
    "metric",
    "unit",
    "scale",
    "twice",
]
ROOT = "temoin"  # of topics that a gateway of our own broker writes below its name
_MISSING = object()


class MappingRefused(SensorError):  # noqa: N818 - sibling of PayloadRejected
    """A mapping that cannot be; `code` says which part of it, the sentence what to do."""

    def __init__(self, code: MappingCode, sentence: str) -> None:
        super().__init__(sentence)
        self.code = code


@dataclass(frozen=True, slots=True)
class MappedField:
    """The number under `pointer`, times `scale`, is `metric` in `unit`."""

    pointer: str
    metric: str
    unit: str
    scale: float = 1.0


@dataclass(frozen=True, slots=True)
class Mapping:
    """What messages on topics that fit `topic` mean. Raises MappingRefused when it cannot be.

    The device is named by what the wildcards stand for (`topic`), by the field under `device` (`field`), is
    `device` itself (`name`), or is the one the refusing format had named (`format`); likewise the time.
    `each` points to a list of records: the other pointers then begin in a record, or else in the payload.
    """

    topic: str
    fields: tuple[MappedField, ...]
    device_from: DeviceFrom = "topic"
    device: str = ""
    time_from: TimeFrom = "reception"
    time: str = ""
    each: str | None = None

    def __post_init__(self) -> None:
        """Refuse what cannot be, first thing first."""
        _check_topic(self.topic)
        _check_device(self)
        if self.time_from not in ("format", "field", "reception"):
            raise MappingRefused("time", "say which time counts: format, field or reception")
        if self.time_from == "field":
            _check_pointer("time", self.time)
        if self.each is not None:
            _check_pointer("fields", self.each)
        if not 1 <= len(self.fields) <= MOST_FIELDS:
            raise MappingRefused("fields", f"say what at least one field means, and at most {MOST_FIELDS}")
        for field in self.fields:
            _check_field(field)
        metrics = [field.metric for field in self.fields]
        if len(set(metrics)) < len(metrics):
            first = next(metric for metric in metrics if metrics.count(metric) > 1)
            raise MappingRefused("twice", f"two fields are said to be {first}: a device has one of each")

    @classmethod
    def from_json(cls, document: Any) -> Mapping:  # noqa: ANN401 - whatever JSON holds
        """The mapping that `to_json` wrote. Raises MappingRefused."""
        try:
            fields = tuple(MappedField(**each) for each in document["fields"])
            return cls(**{**document, "fields": fields})
        except KeyError as error:
            raise MappingRefused("fields", "this is no mapping: it has no fields") from error
        except (TypeError, AttributeError) as error:
            raise MappingRefused("fields", f"this is no mapping: {error}") from error

    def to_json(self) -> dict[str, Any]:
        """As JSON keeps it."""
        return asdict(self)

    def fits(self, topic: str) -> bool:
        """Whether the topic is one this mapping speaks of."""
        return fits(self.topic.split("/"), topic.split("/"))

    def read(self, draft: Draft, topic: str) -> bool:
        """Add the readings of a message on `topic`; False when none of the fields is in it.

        Raises PayloadRejected when whose it is, or of when, cannot be told.
        """
        document = _document(draft)
        records: list[Any] = [document]
        if self.each is not None:
            found = found_at(document, self.each)
            if type(found) is not list:
                return False
            records = found
        done = False
        for index, record in enumerate(records):
            values = [(field, found_at(record, field.pointer)) for field in self.fields]
            values = [(field, value) for field, value in values if value is not _MISSING]
            if not values:
                continue
            done = True
            within = "" if self.each is None else f"{self.each}/{index}"
            if self._begin(draft, topic, record, document, within):
                for field, value in values:
                    _put(draft, field, value, within)
        return done

    def _begin(self, draft: Draft, topic: str, record: object, document: object, within: str) -> bool:
        """Say whose readings follow, of when."""
        if "format" in (self.device_from, self.time_from) and draft.origins != 1:
            count = "none" if not draft.origins else "several"
            raise rejected("ambiguous", f"the format named {count}: map the device and the time by fields")
        if self.device_from == "format" and self.time_from == "format":
            return True
        gateway = gateway_of(topic)
        device: object = self.device
        if self.device_from == "topic":
            device = "/".join(varying(self.topic, topic))
        elif self.device_from == "field":
            device = _near(record, document, self.device)
            device = str(device) if type(device) is int else device
            if device is _MISSING:
                return draft.refuse("missing", f"there is no {within}{self.device}, which names the device")
        elif self.device_from == "format":
            gateway, device = draft.named
        if self.time_from == "format":
            return draft.rename(gateway, device)
        time = None
        if self.time_from == "field":
            time = _near(record, document, self.time)
            if time is _MISSING or time is None:
                return draft.refuse("missing", f"there is no {within}{self.time}, which says the time")
        return draft.origin(gateway, device, time, within=within, field=self.time or "time")


@dataclass(frozen=True, slots=True)
class Leaf:
    """A value of a sample with what its name may tell: for whoever maps it to accept or mend.

    `metric` and `unit` are guesses, empty without one; `may_name` and `may_time` say what else it could be.
    """

    pointer: str
    value: object
    metric: str
    unit: str
    may_name: bool
    may_time: bool


def leaves(payload: object, zone: tzinfo, near: datetime) -> list[Leaf]:
    """The single values of a decoded payload, at most 200, in order."""
    return [_leaf(path, value, zone, near) for path, value in _walk(payload, (), DEEPEST)][:MOST_LEAVES]


def sample_of(draft: Draft) -> tuple[object, str | None]:
    """What a message holds for `leaves`, and the pointer to its records when it is a list of objects.

    Raises PayloadRejected when it is neither JSON nor text.
    """
    document = _document(draft)
    if type(document) is list and document and type(document[0]) is dict:
        return document[0], ""
    return document, None


def overlap(one: str, other: str) -> bool:
    """Whether some topic fits both filters."""
    return _overlap(one.split("/"), other.split("/"))


def gateway_of(topic: str) -> str:
    """Whose a topic is: the level below `temoin`, else the first."""
    levels = topic.split("/")
    return levels[_gateway_level(levels)]


def _gateway_level(levels: Sequence[str]) -> int:
    return 1 if levels[0] == ROOT and len(levels) > 1 else 0


def fits(filter_: Sequence[str], levels: Sequence[str]) -> bool:
    """Whether a topic's levels fit a filter's, by MQTT's own rule: + is one level, # the rest."""
    for index, wanted in enumerate(filter_):
        if wanted == "#":
            return True
        if index >= len(levels) or wanted not in ("+", levels[index]):
            return False
    return len(levels) == len(filter_)


def varying(filter_: str, topic: str) -> list[str]:
    """What the wildcards of a filter stand for in a topic that fits it."""
    levels = topic.split("/")
    told: list[str] = []
    for index, wanted in enumerate(filter_.split("/")):
        if wanted == "#":
            return told + levels[index:]
        if wanted == "+":
            told.append(levels[index])
    return told


def found_at(document: object, pointer: str) -> Any:  # noqa: ANN401 - whatever JSON holds
    """The value under a JSON Pointer; `_MISSING` when there is none."""
    if not pointer:
        return document
    for part in pointer[1:].split("/"):
        key = part.replace("~1", "/").replace("~0", "~")
        if type(document) is dict:
            document = document.get(key, _MISSING)
        elif type(document) is list and key.isdecimal() and len(key) < 6 and int(key) < len(document):  # noqa: PLR2004 - no list is longer
            document = document[int(key)]
        else:
            return _MISSING
    return document


def _document(draft: Draft) -> object:
    """JSON where it is JSON, else text; raises PayloadRejected when it is neither."""
    try:
        return draft.document
    except PayloadRejected as rejection:
        if rejection.code != "broken_json" or draft.text is None:
            raise
        return draft.text


def _near(record: object, document: object, pointer: str) -> object:
    value = found_at(record, pointer)
    return found_at(document, pointer) if value is _MISSING else value


def _put(draft: Draft, field: MappedField, value: object, within: str) -> None:
    path = f"{within}{field.pointer}"
    if field.scale != 1 and isinstance(value, int | float) and not isinstance(value, bool):
        value = round(value * field.scale, 9)
    name = Name(field.metric, field.unit or METRICS[field.metric].unit, 0)
    found = read_value(name, value, None, path, draft.refuse)
    if found is not None:
        draft.put(found[0], found[1], path)


def _check_topic(topic: object) -> None:
    if not isinstance(topic, str) or not topic or len(topic) > LONGEST or "\0" in topic:
        raise MappingRefused("topic", f"give a topic of at most {LONGEST} characters")
    levels = topic.split("/")
    for index, level in enumerate(levels):
        if level not in ("+", "#") and ("+" in level or "#" in level):
            raise MappingRefused("topic", "+ and # each stand for a whole level of the topic")
        if level == "#" and index != len(levels) - 1:
            raise MappingRefused("topic", "# stands for the rest of a topic: it comes last")
    if not {"+", "#"}.isdisjoint(levels[: _gateway_level(levels) + 1]):
        raise MappingRefused("swallow", "the level of the topic that is the gateway's cannot vary")


def _check_device(mapping: Mapping) -> None:
    wild = not {"+", "#"}.isdisjoint(mapping.topic.split("/"))
    if mapping.device_from not in ("format", "topic", "field", "name"):
        raise MappingRefused("device", "say who names the device: format, topic, field or name")
    if mapping.device_from == "topic" and not wild:
        raise MappingRefused(
            "device", "no level of the topic varies: choose the level that names the device, or name it"
        )
    if mapping.device_from == "name" and wild:
        raise MappingRefused(
            "swallow",
            "several devices may send on these topics, and all would become one: let the topic or a field "
            "name the device, or map a single topic",
        )
    if mapping.device_from == "name" and not mapping.device.strip():
        raise MappingRefused("device", "name the device")
    if mapping.device_from == "field":
        _check_pointer("device", mapping.device)


def _check_pointer(code: MappingCode, pointer: object) -> None:
    if not isinstance(pointer, str) or len(pointer) > LONGEST or (pointer and not pointer.startswith("/")):
        raise MappingRefused(code, f"{shown(pointer)} is no JSON Pointer, such as /data/0/value")


def _check_field(field: MappedField) -> None:
    _check_pointer("field", field.pointer)
    metric = METRICS.get(field.metric) if isinstance(field.metric, str) else None
    if metric is None:
        raise MappingRefused("metric", f"{shown(field.metric)} is no quantity of this installation")
    if field.unit and (field.unit not in UNITS.values() or conversion(field.unit, metric) is None):
        raise MappingRefused("unit", f"{metric.key} is not measured in {shown(field.unit)}")
    scale = field.scale
    if isinstance(scale, bool) or not isinstance(scale, int | float) or not math.isfinite(scale) or not scale:
        raise MappingRefused("scale", f"{shown(scale)} is no factor: give a number other than 0")


def _overlap(one: list[str], other: list[str]) -> bool:
    if not one or not other:
        return (not one and not other) or [*one, *other] == ["#"]
    if "#" in (one[0], other[0]):
        return True
    if one[0] != other[0] and "+" not in (one[0], other[0]):
        return False
    return _overlap(one[1:], other[1:])


def _walk(value: object, path: tuple[str, ...], depth: int) -> Iterator[tuple[tuple[str, ...], object]]:
    if depth and type(value) is dict:
        for key, inner in value.items():
            yield from _walk(inner, (*path, key), depth - 1)
    elif depth and type(value) is list and value and type(value[0]) in (dict, list):
        for index, inner in enumerate(value):
            yield from _walk(inner, (*path, str(index)), depth - 1)
    elif depth and type(value) is list and len(value) <= MOST_FIELDS:
        for index, inner in enumerate(value):
            yield (*path, str(index)), inner
    else:
        yield path, value


def _leaf(path: tuple[str, ...], value: object, zone: tzinfo, near: datetime) -> Leaf:
    pointer = "".join(f"/{part.replace('~', '~0').replace('/', '~1')}" for part in path)
    metric = unit = ""
    name = named(".".join(path)) or (named(path[-1]) if path else None)
    if name is not None:
        ignored: list[tuple[str, str]] = []
        read = read_value(name, value, None, pointer, lambda *said: ignored.append(said))
        known = read[0] if read is not None else METRICS.get(name.metric)
        if known is not None:
            metric, unit = known.key, (name.unit or known.unit)
            unit = unit if conversion(unit, known) is not None else known.unit
    return Leaf(pointer, value, metric, unit, _may_name(value), _is_time(value, zone, near))


def _may_name(value: object) -> bool:
    return (isinstance(value, str) and bool(value.strip())) or type(value) is int


def _is_time(value: object, zone: tzinfo, near: datetime) -> bool:
    """A time near the message's own, by years: a serial number may look like seconds since 1970."""
    try:
        moment = instant(value, zone, near)
    except UnreadableError:
        return False
    return abs((moment - near).days) < 3 * 366
