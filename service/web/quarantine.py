"""Messages that wait, grouped by why; saying what they mean, replaying them, giving them up."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from math import ceil
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi.responses import RedirectResponse

from dashboards.pages.quarantine import (
    CauseLine,
    CausePage,
    FieldRow,
    MappingForm,
    MappingLine,
    MappingPage,
    QuarantineLine,
    QuarantinePage,
    ReplayLine,
    TriedLine,
)
from sensors.mapping import LONGEST, MOST_FIELDS, MOST_LEAVES, NOT_OF_MEANING, Mapping, MappingRefused
from sensors.reading import PayloadRejected
from service import embargo, mapping_form
from service.asked import Number, Sent, Typed, today
from service.auth import Facilities, Person, SignedIn, csrf_checked
from service.registry import devices, mappings, quarantine
from service.registry.tables import QuarantineCause
from service.web.reply import Instead, error, reply

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from zoneinfo import ZoneInfo

    from sqlalchemy.orm import Session
    from starlette.datastructures import FormData

    from sensors.reading import Message
    from service.registry.tables import MappingVersion, QuarantineEntry, Replay

router = APIRouter(include_in_schema=False)
CHECKED = [Depends(csrf_checked)]
SHOWN = 25
ENTRIES = 10
PREVIEW = 600  # bytes
REPLAYS = 3
CHOICE, SCALE = "choice", "scale"  # before a pointer: the names of a field's selects
MOST_LEVELS = 50


@router.get("/quarantine")
def quarantine_page(
    request: Request,
    person: SignedIn,
    code: str | None = None,
    page: Annotated[int, Query(ge=1, le=10_000)] = 1,
    done: str = "",
) -> Response:
    """Why messages wait, of one code or of all, those causes first of which most wait."""
    zone = request.app.state.settings.zone
    with request.app.state.registry.session() as session:
        counts = tuple(quarantine.waiting_by_code(session))
        shown = None if code not in dict(counts) else code
        pages = max(1, ceil(quarantine.count_causes(session, shown) / SHOWN))
        found = quarantine.causes(session, shown, SHOWN, (min(page, pages) - 1) * SHOWN)
        answer = QuarantinePage(
            causes=tuple(_cause(cause, zone) for cause, _ in found),
            counts=counts,
            total=sum(n for each, n in counts if shown in (None, each)),
            code=shown,
            page=min(page, pages),
            pages=pages,
            replays=tuple(_replay(each, zone) for each in mappings.replays(session, REPLAYS)),
            mappings=tuple(_mapping(row, zone) for row in mappings.latest(session)),
            may_change=person.may("facilities"),
            done=done if done in ("replay", "drop", "map", "withdraw") else "",
        )
    return reply(request, answer, person=person)


@router.get("/quarantine/{cause}")
def cause_page(request: Request, person: SignedIn, cause: Number) -> Response:
    """The messages of one cause, and what may be done about them."""
    return _one_cause(request, person, cause)


@router.post("/quarantine/{cause}/replay", dependencies=CHECKED)
def replay_cause(request: Request, person: Facilities, cause: Number) -> Response:
    """Read the messages of one cause again, soon."""
    with request.app.state.registry.session() as session:
        if session.get(QuarantineCause, cause) is None:
            return error(request, 404, "not_found")
        mappings.ask(session, person.name, datetime.now(UTC), cause=cause)
    return RedirectResponse("/quarantine?done=replay", 303)


@router.post("/quarantine/{cause}/drop", dependencies=CHECKED)
def drop_cause(request: Request, person: Facilities, cause: Number, why: Typed = "") -> Response:
    """Give the messages of one cause up, saying why."""
    with request.app.state.registry.session() as session:
        if session.get(QuarantineCause, cause) is None:
            return error(request, 404, "not_found")
        try:
            quarantine.give_up(session, cause, person.name, why, datetime.now(UTC))
        except quarantine.ReasonRefused as refused:
            return _one_cause(request, person, cause, status=422, mistake=f"why-{refused.code}", why=why)
    return RedirectResponse("/quarantine?done=drop", 303)


@router.post("/quarantine/{cause}/map", dependencies=CHECKED)
def map_cause(request: Request, person: Facilities, cause: Number, sent: Sent) -> Response:
    """Try what the messages of a cause are said to mean, or keep it and replay them."""
    with request.app.state.registry.turn() as session:
        if session.get(QuarantineCause, cause) is None:
            raise Instead(error, request, 404, "not_found")
        messages = mapping_form.messages(quarantine.recent(session, cause=cause, limit=mapping_form.TRIED))
        form = _sent(sent, _guess(messages, request.app.state.settings.zone))
        kept = _keep_or_try(request, session, person, form, messages, saving=sent.get("do") == "save")
        if kept is None:
            return RedirectResponse("/quarantine?done=map", 303)
    return _one_cause(request, person, cause, form=form, **kept)


@router.get("/mappings/{number}")
def mapping_page(request: Request, person: SignedIn, number: Number) -> Response:
    """What was said of a topic, to be corrected."""
    return _one_mapping(request, person, number)


@router.post("/mappings/{number}", dependencies=CHECKED)
def correct_mapping(request: Request, person: Facilities, number: Number, sent: Sent) -> Response:
    """Try a correction, or keep it as the next version and replay what it speaks of."""
    with request.app.state.registry.turn() as session:
        row = mappings.holding(session, number)
        if row is None:
            raise Instead(error, request, 404, "not_found")
        messages = _spoken_of(session, row.topic)
        before = Mapping.from_json(row.document)
        form = _sent(sent, mapping_form.filled(before, messages, request.app.state.settings.zone))
        if sent.get("version") != str(row.version):
            raise Instead(_one_mapping, request, person, number, form=form, status=409, meanwhile=True)
        saving = sent.get("do") == "save"
        kept = _keep_or_try(request, session, person, form, messages, saving=saving, number=number)
        if kept is None:
            return RedirectResponse("/quarantine?done=map", 303)
    return _one_mapping(request, person, number, form=form, **kept)


@router.post("/mappings/{number}/withdraw", dependencies=CHECKED)
def withdraw_mapping(request: Request, person: Facilities, number: Number) -> Response:
    """Let a mapping hold no longer: its messages wait again, their readings are withdrawn."""
    with request.app.state.registry.turn() as session:
        if mappings.holding(session, number) is None:
            raise Instead(error, request, 404, "not_found")
        mapping_form.withdraw(session, number, person.name, datetime.now(UTC))
    return RedirectResponse("/quarantine?done=withdraw", 303)


# --------------------------------------------------------------------------------------------- the pages


def _one_cause(  # noqa: PLR0913 - what may be said of one
    request: Request,
    person: Person,
    number: int,
    *,
    form: MappingForm | None = None,
    status: int = 200,
    mistake: str = "",
    other: str = "",
    tried: tuple[TriedLine, ...] | None = None,
    why: str = "",
) -> Response:
    settings = request.app.state.settings
    with request.app.state.registry.session() as session:
        cause = session.get(QuarantineCause, number)
        if cause is None:
            return error(request, 404, "not_found")
        sealed = _sealed(request, session)
        entries = quarantine.recent(session, cause=number, limit=mapping_form.TRIED)
        if form is None and cause.code not in NOT_OF_MEANING:
            form = _guess(mapping_form.messages(entries), settings.zone)
        page = CausePage(
            cause=_cause(cause, settings.zone),
            entries=tuple(_entry(entry, settings.zone, sealed=sealed) for entry in entries[:ENTRIES]),
            form=_under_seal(form) if sealed and form else form,
            choices=tuple(mapping_form.choices()),
            may_change=person.may("facilities"),
            sealed=sealed,
            mistake=mistake,
            other=other,
            tried=tried,
            why=why[: quarantine.LONGEST_REASON],
        )
    return reply(request, page, status, person=person)


def _one_mapping(  # noqa: PLR0913 - likewise
    request: Request,
    person: Person,
    number: int,
    *,
    form: MappingForm | None = None,
    status: int = 200,
    mistake: str = "",
    other: str = "",
    tried: tuple[TriedLine, ...] | None = None,
    meanwhile: bool = False,
) -> Response:
    zone = request.app.state.settings.zone
    with request.app.state.registry.session() as session:
        rows = mappings.versions(session, number)
        if not rows:
            return error(request, 404, "not_found")
        sealed = _sealed(request, session)
        last = next(row for row in rows if row.document is not None)
        saved = mapping_form.filled(Mapping.from_json(last.document), _spoken_of(session, last.topic), zone)
        form = form or saved
        page = MappingPage(
            line=_mapping(rows[0], zone),
            versions=tuple(_mapping(row, zone) for row in rows),
            form=_under_seal(form) if sealed else form,
            choices=tuple(mapping_form.choices()),
            may_change=person.may("facilities"),
            sealed=sealed,
            mistake=mistake,
            other=other,
            tried=tried,
            withdrawn=rows[0].document is None,
            meanwhile=meanwhile,
            saved=saved,
        )
    return reply(request, page, status, person=person)


def _keep_or_try(
    request: Request,
    session: Session,
    person: Person,
    form: MappingForm,
    messages: Sequence[Message],
    *,
    saving: bool,
    number: int | None = None,
) -> dict[str, Any] | None:
    """None when it is kept; else what the page then says."""
    try:
        mapping = mapping_form.mapping_of(form)
        if saving:
            mapping_form.keep(session, mapping, person.name, datetime.now(UTC), number)
            return None
        mapping_form.check(session, mapping, number)
    except MappingRefused as refused:
        other = mappings.in_the_way(session, form.topic, number) if refused.code == "overlap" else ""
        return {"status": 422, "mistake": refused.code, "other": other}
    return {"tried": tuple(_tried(request, session, mapping, messages))}


def _tried(
    request: Request, session: Session, mapping: Mapping, messages: Sequence[Message]
) -> Iterator[TriedLine]:
    """What each message would give; while an experiment runs, without values."""
    zone, sealed = request.app.state.settings.zone, _sealed(request, session)
    found = mapping_form.tried(mapping, messages, zone)
    known = devices.known(session, {each.device for _, readings, _ in found for each in readings})
    for message, readings, reason in found:
        told = (
            (
                each.device,
                each.device in known,
                each.metric,
                None if sealed else each.value,
                each.time.astimezone(zone),
                each.time_source,
            )
            for each in readings
        )
        yield TriedLine(message.topic, tuple(told), reason)


# ------------------------------------------------------------------------------------------ what is shown


def _sealed(request: Request, session: Session) -> bool:
    """Whether payloads may hold readings of a room under embargo."""
    return bool(embargo.embargoes(session, today(request)))


def _under_seal(form: MappingForm) -> MappingForm:
    return replace(form, rows=tuple(replace(row, value=None) for row in form.rows))


def _spoken_of(session: Session, topic: str) -> list[Message]:
    """Some messages of the quarantine, replayed or not, on the topics of a mapping."""
    return mapping_form.messages(quarantine.latest_on(session, topic, mapping_form.TRIED))


def _sent(sent: FormData, base: MappingForm | None) -> MappingForm:
    """The form as it was sent: everything typed, whatever it is, beside the sample as it is now."""

    def text(name: str, most: int = LONGEST) -> str:
        return str(sent.get(name, ""))[:most]

    shown = {row.pointer: row for row in base.rows} if base else {}
    typed = [name.removeprefix(CHOICE)[: LONGEST + 1] for name in sent if name.startswith(CHOICE)]
    rows = tuple(
        replace(
            shown.get(pointer, FieldRow(pointer, None)),
            choice=text(f"{CHOICE}{pointer}", 80),
            scale=text(f"{SCALE}{pointer}", 20) or "1",
        )
        for pointer in dict.fromkeys([*shown, *typed][: MOST_LEAVES + MOST_FIELDS])
    )
    varies = (str(place) for place in sent.getlist("varies"))
    return MappingForm(
        levels=tuple(str(level)[:LONGEST] for level in sent.getlist("level"))[:MOST_LEVELS] or ("",),
        varies=frozenset(int(place) for place in varies if place.isdecimal() and len(place) <= 2),  # noqa: PLR2004 - of MOST_LEVELS
        rows=rows,
        device_from=text("device_from", 20),
        device_field=text("device_field"),
        device_name=text("device_name"),
        time_from=text("time_from", 20),
        time_field=text("time_field"),
        each=text("each") if "each" in sent else None,
        told=base.told if base else "",
    )


def _guess(messages: Sequence[Message], zone: ZoneInfo) -> MappingForm | None:
    try:
        return mapping_form.guessed(messages, zone) if messages else None
    except PayloadRejected:
        return None


def _cause(cause: QuarantineCause, zone: ZoneInfo) -> CauseLine:
    return CauseLine(
        cause.id,
        cause.code,
        cause.gateway,
        cause.shape,
        cause.waiting,
        cause.first_at.astimezone(zone),
        cause.last_at.astimezone(zone),
    )


def _entry(entry: QuarantineEntry, zone: ZoneInfo, *, sealed: bool) -> QuarantineLine:
    return QuarantineLine(
        entry.id,
        entry.received_at.astimezone(zone),
        entry.topic,
        entry.code,
        entry.reason,
        len(entry.payload),
        None if sealed else entry.payload[:PREVIEW].decode("utf-8", "backslashreplace"),
    )


def _replay(row: Replay, zone: ZoneInfo) -> ReplayLine:
    return ReplayLine(
        asked_at=row.asked_at.astimezone(zone),
        asked_by=row.asked_by,
        done=row.done,
        total=row.total,
        stored=row.stored,
        waiting=row.waiting,
        readings=row.readings,
        removed=row.removed,
        ended=row.ended_at is not None,
    )


def _mapping(row: MappingVersion, zone: ZoneInfo) -> MappingLine:
    fields = Mapping.from_json(row.document).fields if row.document is not None else ()
    return MappingLine(
        row.number,
        row.version,
        row.topic,
        tuple((FieldRow(each.pointer, None).name, each.metric) for each in fields),
        row.made_by,
        row.made_at.astimezone(zone),
    )
