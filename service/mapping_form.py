"""A mapping as somebody makes it in a form: guessed from messages that wait, read back, tried on them."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from dashboards.pages.quarantine import FieldRow as Row
from dashboards.pages.quarantine import MappingForm
from sensors.decode import Decoder
from sensors.mapping import (
    LONGEST,
    MappedField,
    Mapping,
    MappingRefused,
    found_at,
    gateway_of,
    leaves,
    sample_of,
)
from sensors.metrics import METRICS, units_of
from sensors.names import words
from sensors.reading import Message, PayloadRejected
from service.registry import mappings
from service.registry.tables import Device

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime
    from zoneinfo import ZoneInfo

    from sqlalchemy.orm import Session

    from sensors.draft import Draft
    from sensors.mapping import DeviceFrom, Leaf, TimeFrom
    from sensors.reading import Reading
    from service.registry.tables import MappingVersion, QuarantineEntry, Replay

SCALES = ("1", "0.1", "0.01", "0.001", "10", "100", "1000")
TRIED = 20  # messages a preview reads
DEVICE_NAMES = words(
    """
    device deviceid device_id dev_id deveui dev_eui devicename device_name sensor sensorid sensor_id node
    node_id serial serialnumber serial_number sn mac id name
    """
)


def mapping_of(form: MappingForm) -> Mapping:
    """The mapping that the form says. Raises MappingRefused."""
    fields = []
    for row in form.rows:
        if not row.choice:
            continue
        metric, _, unit = row.choice.partition("|")
        try:
            scale = float(row.scale.replace(",", "."))
        except ValueError as error:
            raise MappingRefused("scale", f"{row.scale!r} is no number") from error
        fields.append(MappedField(row.pointer, metric, unit, scale))
    device = {"field": form.device_field, "name": form.device_name.strip()}.get(form.device_from, "")
    time = form.time_field if form.time_from == "field" else ""
    return Mapping(
        form.topic,
        tuple(fields),
        as_device(form.device_from),
        device,
        as_time(form.time_from),
        time,
        form.each,
    )


def as_json(form: MappingForm) -> dict[str, object]:
    """What the form holds as `Mapping.to_json` has it, complete or not."""
    fields = [row.choice.partition("|") for row in form.rows if row.choice]
    pointers = [row.pointer for row in form.rows if row.choice]
    device = {"field": form.device_field, "name": form.device_name}.get(form.device_from, "")
    return {
        "topic": form.topic,
        "fields": [
            {"pointer": pointer, "metric": metric, "unit": unit, "scale": 1.0}
            for pointer, (metric, _, unit) in zip(pointers, fields, strict=True)
        ],
        "device_from": form.device_from,
        "device": device,
        "time_from": form.time_from,
        "time": form.time_field if form.time_from == "field" else "",
        "each": form.each,
    }


def messages(entries: Iterable[QuarantineEntry]) -> list[Message]:
    """The messages of the quarantine as they came."""
    return [Message(each.topic, each.payload, each.received_at, retained=each.retained) for each in entries]


def guessed(given: Sequence[Message], zone: ZoneInfo) -> MappingForm:
    """What these messages, the latest first, may mean. Raises PayloadRejected when nothing can be named."""
    first = given[0]
    draft = Decoder(timezone=zone.key).read(first.topic, first.payload, first.received_at)
    document, each = sample_of(draft)
    rows = tuple(_row(leaf) for leaf in leaves(document, zone, first.received_at))
    levels = tuple(first.topic.split("/"))
    varies = _differing(levels, [message.topic.split("/") for message in given])
    named = next((row for row in rows if row.may_name and _says_device(row.pointer)), None)
    timed = next((row for row in rows if row.may_time), None)
    told = _told(draft)
    form = MappingForm(levels, varies, _once(rows), each=each, told=told)
    device: dict[str, str] = {"device_from": "topic"}
    if told:
        device = {"device_from": "format"}
    elif not varies:
        name = "/".join(levels[_own(first.topic) :]) or levels[-1]
        device = {"device_from": "field" if named else "name", "device_name": name}
    if named is not None:
        device["device_field"] = named.pointer
    time = {"time_from": "format"} if told else {}
    if timed is not None:
        time = {"time_from": "format" if told else "field", "time_field": timed.pointer}
    return replace(form, **device, **time)  # type: ignore[arg-type]  # texts, all of them


def filled(mapping: Mapping, given: Sequence[Message], zone: ZoneInfo) -> MappingForm:
    """A mapping as the form shows it, beside a message it speaks of, where there is one."""
    wild = mapping.topic.split("/")
    levels = tuple(given[0].topic.split("/")) if given and "#" not in wild else tuple(wild)
    rows: tuple[Row, ...] = ()
    told = ""
    if given:
        first = given[0]
        draft = Decoder(timezone=zone.key).read(first.topic, first.payload, first.received_at)
        told = _told(draft)
        try:
            document, _ = sample_of(draft)
        except PayloadRejected:
            document = None
        if mapping.each:
            records = found_at(document, mapping.each)
            document = records[0] if isinstance(records, list) and records else None
        rows = tuple(replace(_row(leaf), choice="") for leaf in leaves(document, zone, first.received_at))
    said = {field.pointer: field for field in mapping.fields}
    missing = tuple(Row(pointer, None) for pointer in said if pointer not in {row.pointer for row in rows})
    rows = tuple(_said(row, said.get(row.pointer)) for row in (*rows, *missing))
    return MappingForm(
        levels,
        frozenset(place for place, level in enumerate(wild) if level == "+"),
        rows,
        mapping.device_from,
        mapping.device if mapping.device_from == "field" else "",
        mapping.device if mapping.device_from == "name" else "",
        mapping.time_from,
        mapping.time,
        mapping.each,
        told or ("?" if "format" in (mapping.device_from, mapping.time_from) else ""),
    )


def tried(
    mapping: Mapping, given: Iterable[Message], zone: ZoneInfo
) -> list[tuple[Message, Sequence[Reading], str]]:
    """What each message would give: its readings, and why not all of it is understood, if it is not."""
    decoder = Decoder([mapping], zone.key)
    found: list[tuple[Message, Sequence[Reading], str]] = []
    for message in given:
        try:
            readings = decoder.decode(message.topic, message.payload, message.received_at, message.retained)
        except PayloadRejected as rejection:
            found.append((message, rejection.readings, rejection.reason))
        else:
            found.append((message, readings, ""))
    return found


def device_key(mapping: Mapping) -> str:
    """The key of the device that a mapping names itself."""
    return f"{gateway_of(mapping.topic)}/{mapping.device.strip()}" if mapping.device_from == "name" else ""


def check(session: Session, mapping: Mapping, number: int | None = None) -> None:
    """Raise MappingRefused when it may not be kept, as `number` or as a new one."""
    _refuse_taken(session, mapping, number)
    mappings.check(session, mapping, number)


def keep(
    session: Session, mapping: Mapping, who: str, now: datetime, number: int | None = None
) -> tuple[MappingVersion, Replay]:
    """Keep a mapping, as the next version of `number` or as a new one; what it speaks of is read again.

    Raises MappingRefused.
    """
    _refuse_taken(session, mapping, number)
    row = mappings.keep(session, mapping, who, now, number)
    return row, mappings.ask(session, who, now, mapping=row.number)


def withdraw(session: Session, number: int, who: str, now: datetime) -> Replay:
    """Let a mapping hold no longer: its messages wait again, its readings are taken back."""
    mappings.withdraw(session, number, who, now)
    return mappings.ask(session, who, now, mapping=number)


def _refuse_taken(session: Session, mapping: Mapping, number: int | None) -> None:
    """Raise MappingRefused when it names a device itself, and other messages name one so already."""
    if mapping.device_from != "name":
        return
    key = device_key(mapping)
    own = [row.document for row in mappings.versions(session, number)] if number else []
    said = [row.document for row in mappings.latest(session)] + own
    if session.get(Device, key) is None:
        return
    if any(each is not None and device_key(Mapping.from_json(each)) == key for each in said):
        return
    raise MappingRefused("taken", f"there is a device {key} already, which other messages name")


def choices() -> list[tuple[str, tuple[str, ...]]]:
    """Every metric with the units that convert to its own, that one first."""
    return [(key, tuple(units_of(metric))) for key, metric in METRICS.items()]


def as_device(text: str) -> DeviceFrom:
    """One of the four, or a refusal."""
    if text in ("format", "topic", "field", "name"):
        return text  # type: ignore[return-value]  # mypy does not narrow to a literal by `in`
    raise MappingRefused("device", "say who names the device")


def as_time(text: str) -> TimeFrom:
    """One of the three, or a refusal."""
    if text in ("format", "field", "reception"):
        return text  # type: ignore[return-value]  # likewise
    raise MappingRefused("time", "say which time counts")


def _row(leaf: Leaf) -> Row:
    choice = f"{leaf.metric}|{leaf.unit}" if leaf.metric else ""
    return Row(leaf.pointer, _legible(leaf.value), choice, "1", leaf.may_name, leaf.may_time)


def _once(rows: Iterable[Row]) -> tuple[Row, ...]:
    """A metric is guessed of one field only: the first."""
    seen: set[str] = set()
    kept = []
    for row in rows:
        metric = row.choice.partition("|")[0]
        kept.append(replace(row, choice="") if metric in seen else row)
        seen.add(metric)
    return tuple(kept)


def _said(row: Row, field: MappedField | None) -> Row:
    if field is None:
        return row
    unit = field.unit or METRICS[field.metric].unit
    return replace(row, choice=f"{field.metric}|{unit}", scale=f"{field.scale:g}")


def _legible(value: object) -> str:
    text = "" if value is None else str(value).lower() if isinstance(value, bool) else str(value)
    return text if len(text) <= 60 else f"{text[:59]}…"  # noqa: PLR2004 - a line on a phone, twice


def _says_device(pointer: str) -> bool:
    return pointer.rpartition("/")[2].lower() in DEVICE_NAMES


def _differing(levels: tuple[str, ...], topics: Iterable[list[str]]) -> frozenset[int]:
    alike = [other for other in topics if len(other) == len(levels)]
    own = _own("/".join(levels))
    return frozenset(
        place
        for place in range(own, len(levels))
        if len(levels[place]) <= LONGEST and any(other[place] != levels[place] for other in alike)
    )


def _own(topic: str) -> int:
    """The first level that is not the gateway's."""
    return topic.split("/").index(gateway_of(topic)) + 1


def _told(draft: Draft) -> str:
    return "/".join(draft.named) if draft.origins == 1 else ""
