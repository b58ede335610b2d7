"""Devices: who was heard, which room each is in, and saying so."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from math import ceil
from typing import TYPE_CHECKING, Annotated
from urllib.parse import quote

from fastapi import APIRouter, Depends, File, Query, Request, Response, UploadFile
from fastapi.responses import RedirectResponse

from dashboards.pages.devices import DeviceForm, DeviceLine, DevicePage, DevicesPage, StayLine
from sensors.metrics import METRICS
from sensors.reading import StoreError
from service import device_health, embargo, images, placing
from service.asked import Typed, now
from service.auth import Facilities, Person, SignedIn, csrf_checked
from service.images import ImageRefused
from service.placing import PlacingRefused
from service.registry import devices, experiments, rooms
from service.registry.tables import DevicePhoto
from service.web.reply import Instead, error, reply

if TYPE_CHECKING:
    from collections.abc import Container, Mapping
    from zoneinfo import ZoneInfo

    from sqlalchemy.orm import Session

    from service.placing import Stay
    from service.registry.tables import Device, Placement, Room

router = APIRouter(include_in_schema=False)
CHECKED = [Depends(csrf_checked)]
SHOWN = 100
LONGEST_TEXT = {"label": 120, "model": 120, "position": 200}
HEARTBEAT = range(1, 24 * 60 + 1)


@router.get("/devices")
def devices_page(
    request: Request,
    person: SignedIn,
    q: str = "",
    page: Annotated[int, Query(ge=1, le=10_000)] = 1,
) -> Response:
    """Those without a room first, the last heard first; then by room. `q` is looked for in names."""
    at = now(request)
    wanted = " ".join(q.split())[:100]
    with request.app.state.registry.session() as session:
        found, total = devices.search(session, wanted, at, SHOWN, (page - 1) * SHOWN)
        quiet = device_health.silent(session, [device for device, _ in found], at, at.tzinfo or UTC)
        discreet = embargo.discreet(session, embargo.embargoes(session, at.date()), at)
        lines = tuple(
            _line(device, placement, at, discreet, silent=device.key in quiet) for device, placement in found
        )
    pages = max(1, ceil(total / SHOWN))
    return reply(request, DevicesPage(lines, total, wanted, page, pages), person=person)


@router.get("/device")
def device_page(request: Request, person: SignedIn, key: str = "", done: str = "") -> Response:
    """One device: what it is, where it was, and forms to say both."""
    return _one(request, person, key, done=done)


@router.post("/device/room", dependencies=CHECKED)
def move_device(
    request: Request,
    person: Facilities,
    key: Typed = "",
    room: Typed = "",
    when: Typed = "",
    at: Typed = "",
    seen: Typed = "",
) -> Response:
    """Say that a device is in a room (in none, with `room` empty) since some moment, until further notice."""
    form = {"room": room, "when": when, "at": at}
    with request.app.state.registry.turn() as session:
        device = devices.find(session, key)
        if device is None:
            raise Instead(error, request, 404, "not_found")
        moment, zone = now(request), request.app.state.settings.zone
        target = rooms.room(session, room) if room else None
        since, mistakes = _since(device, when, at, moment, zone)
        if room and target is None:
            mistakes = {"room": "unknown", **mistakes}
        if not room and not placing.stays(device):
            mistakes = {"room": "missing", **mistakes}
        if placing.seen(device) != seen:
            raise Instead(_one, request, person, key, form, 409, meanwhile=True)
        if since is None or mistakes:
            raise Instead(_one, request, person, key, form, 422, mistakes=mistakes)
        try:
            wanted = placing.moved(device, target, since.astimezone(UTC), moment)
            noted = placing.keep(session, device, wanted, person.name, moment, zone)
        except PlacingRefused as refused:
            field = "at" if refused.laid is None else "when"
            raise Instead(
                _one, request, person, key, form, 422, mistakes={field: refused.code}, refused=refused
            ) from refused
    return _done(key, "noted" if noted else "moved")


@router.post("/device/stay", dependencies=CHECKED)
def correct_stay(
    request: Request,
    person: Facilities,
    key: Typed = "",
    stay: Typed = "",
    start: Typed = "",
    end: Typed = "",
    seen: Typed = "",
) -> Response:
    """Correct when a device came into a room, or left it."""
    form = {"stay": stay, "start": start, "end": end}
    with request.app.state.registry.turn() as session:
        device = devices.find(session, key)
        row = None if device is None else _row(device, stay)
        if device is None or row is None:
            raise Instead(error, request, 404, "not_found")
        moment, zone = now(request), request.app.state.settings.zone
        mistakes, told = {}, {}
        for name, text in (("start", start), ("end", end)):
            told[name], wrong = _instant(text, zone)
            if wrong and (name == "start" or text.strip()):
                mistakes[name] = wrong
        if placing.seen(device) != seen:
            raise Instead(_one, request, person, key, form, 409, meanwhile=True)
        begins, ends = told["start"], told["end"]
        if mistakes or begins is None:
            raise Instead(_one, request, person, key, form, 422, mistakes=mistakes)
        try:
            wanted = placing.corrected(device, row, begins, ends, moment)
            noted = placing.keep(session, device, wanted, person.name, moment, zone)
        except PlacingRefused as refused:
            raise Instead(
                _one, request, person, key, form, 422, mistakes={"start": refused.code}, refused=refused
            ) from refused
    return _done(key, "noted" if noted else "moved")


@router.post("/device", dependencies=CHECKED)
def describe_device(  # noqa: PLR0913, PLR0917 - the fields of its form
    request: Request,
    person: Facilities,
    key: Typed = "",
    label: Typed = "",
    model: Typed = "",
    position: Typed = "",
    heartbeat: Typed = "",
    continues: Typed = "",
    seen: Typed = "",
) -> Response:
    """Say what a device is called, its make, where it hangs, how often it speaks, whom it goes on for."""
    texts = {
        "label": " ".join(label.split()),
        "model": " ".join(model.split()),
        "position": " ".join(position.split()),
    }
    form = {**texts, "heartbeat": heartbeat.strip(), "continues": continues.strip()}
    with request.app.state.registry.turn() as session:
        device = devices.find(session, key)
        if device is None:
            raise Instead(error, request, 404, "not_found")
        mistakes = {name: "long" for name, text in texts.items() if len(text) > LONGEST_TEXT[name]}
        mistakes |= {name: "bad" for name, text in texts.items() if not text.isprintable()}
        beat = form["heartbeat"]
        minutes = int(beat) if beat.isdecimal() and len(beat) < 6 else None  # noqa: PLR2004 - more is no rhythm
        if beat and minutes not in HEARTBEAT:
            mistakes["heartbeat"] = "bad"
        if form["continues"] and (
            form["continues"] == key or devices.find(session, form["continues"]) is None
        ):
            mistakes["continues"] = "unknown"
        if placing.seen(device) != seen:
            raise Instead(_one, request, person, key, form, 409, meanwhile=True)
        if mistakes:
            raise Instead(_one, request, person, key, form, 422, mistakes=mistakes)
        said: dict[str, str | int | None] = {name: texts[name] or None for name in LONGEST_TEXT}
        said |= {"heartbeat_minutes": minutes, "continues_key": form["continues"] or None}
        moment, zone = now(request), request.app.state.settings.zone
        try:
            noted = placing.describe(session, device, said, person.name, moment, zone)
        except PlacingRefused as refused:
            mistakes = {"continues": refused.code}
            raise Instead(
                _one, request, person, key, form, 422, mistakes=mistakes, refused=refused
            ) from refused
    return _done(key, "described" if noted is None else "noted" if noted else "moved")


@router.get("/device/photo")
def device_photo(request: Request, person: SignedIn, key: str = "") -> Response:  # noqa: ARG001 - let in
    """Where a device hangs, as somebody took it."""
    with request.app.state.registry.session() as session:
        photo = session.get(DevicePhoto, key)
    if photo is None:
        return error(request, 404, "not_found")
    return Response(photo.image, media_type="image/jpeg", headers={"Cache-Control": "private, no-cache"})


@router.post("/device/photo", dependencies=CHECKED)
def keep_photo(
    request: Request,
    person: Facilities,
    key: Typed = "",
    do: Typed = "",
    photo: Annotated[UploadFile | None, File()] = None,
) -> Response:
    """Keep a photo of where a device hangs, in place of an earlier one; or take it away."""
    sent = b"" if photo is None else photo.file.read()
    try:
        image = None if do == "remove" else images.encoded_anew(sent)
    except ImageRefused as refused:
        return _one(request, person, key, status=422, mistakes={"photo": refused.code})
    with request.app.state.registry.turn() as session:
        if devices.find(session, key) is None:
            raise Instead(error, request, 404, "not_found")
        kept = session.get(DevicePhoto, key)
        if image is not None:
            kept = kept or DevicePhoto(device_key=key)
            kept.image, kept.width, kept.height = image
            kept.added_at, kept.added_by = datetime.now(UTC), person.name
            session.add(kept)
        elif kept is not None:
            session.delete(kept)
    return _done(key, "described")


def _done(key: str, what: str) -> Response:
    return RedirectResponse(f"/device?key={quote(key, safe='')}&done={what}", 303)


def _one(  # noqa: PLR0913 - what may be said of one device
    request: Request,
    person: Person,
    key: str,
    form: Mapping[str, str] | None = None,
    status: int = 200,
    *,
    mistakes: Mapping[str, str] | None = None,
    meanwhile: bool = False,
    refused: PlacingRefused | None = None,
    done: str = "",
) -> Response:
    at = now(request)
    with request.app.state.registry.session() as session:
        device = devices.find(session, key)
        if device is None:
            return error(request, 404, "not_found")
        trials = experiments.running_in(session, at.date())
        quiet = device_health.silent(session, [device], at, at.tzinfo or UTC)
        told = placing.stays(device)
        placement = placing.here(device, at)
        here = None if placement is None else placement.room
        hidden = embargo.embargoes(session, at.date())
        laid = None if refused is None else refused.laid
        page = DevicePage(
            device=_line(device, placement, at, embargo.discreet(session, hidden, at), silent=key in quiet),
            model=device.model,
            position=device.position,
            heartbeat=device.heartbeat_minutes,
            continues=device.continues_key,
            first_seen=device.first_seen.astimezone(at.tzinfo) if device.first_seen else None,
            stays=tuple(_stay(each, trials, at) for each in reversed(told)),
            sites=_sites(session),
            trials=frozenset(room for room in _slugs(session, trials)),
            here=here.slug if here else None,
            form=replace(_form(device, here), **(form or {})),  # the other forms of the page stay as they are
            mistakes=mistakes or {},
            other=_other(refused, at),
            sealed=None if laid is None else (laid.title, laid.ends),
            measures=_measures(request, key),
            photo=devices.photo_size(session, key),
            seen=placing.seen(device),
            meanwhile=meanwhile,
            done=done if done in ("moved", "noted", "described") else "",
            may_change=person.may("facilities"),
        )
    return reply(request, page, status, person=person)


def _measures(request: Request, key: str) -> tuple[str, ...]:
    """The metrics a device ever reported; none while the store does not answer."""
    try:
        found = request.app.state.store.latest([key])
    except StoreError:
        return ()
    return tuple(metric for metric in METRICS if metric in set(found["metric"]))


def _form(device: Device, here: Room | None) -> DeviceForm:
    return DeviceForm(
        room=here.slug if here else "",
        label=device.label or "",
        model=device.model or "",
        position=device.position or "",
        heartbeat=str(device.heartbeat_minutes or ""),
        continues=device.continues_key or "",
    )


def _line(
    device: Device, here: Placement | None, at: datetime, discreet: Container[str], *, silent: bool
) -> DeviceLine:
    return DeviceLine(
        key=device.key,
        label=device.label,
        room=None if here is None else (here.room.slug, here.room.name),
        since=None if here is None else here.start.astimezone(at.tzinfo),
        last_seen=embargo.heard(device.last_seen, at.tzinfo or UTC, by_day=device.key in discreet),
        silent=silent,
    )


def _stay(stay: Stay, trials: Mapping[int, tuple[str, str]], at: datetime) -> StayLine:
    return StayLine(
        id=stay.row.id if stay.row else 0,
        room=(stay.room.slug, stay.room.name),
        start=stay.start.astimezone(at.tzinfo),
        end=stay.end.astimezone(at.tzinfo) if stay.end else None,
        trial=trials.get(stay.room.id),
    )


def _sites(session: Session) -> tuple[tuple[str, tuple[tuple[str, str], ...]], ...]:
    return tuple(
        (site.name, tuple((room.slug, room.name) for room in site.rooms)) for site in rooms.sites(session)
    )


def _slugs(session: Session, trials: Mapping[int, object]) -> list[str]:
    return [room.slug for site in rooms.sites(session) for room in site.rooms if room.id in trials]


def _row(device: Device, stay: str) -> Placement | None:
    return next((row for row in device.placements if str(row.id) == stay), None)


def _other(refused: PlacingRefused | None, at: datetime) -> tuple[str, str] | None:
    stay = None if refused is None else refused.other
    return None if stay is None else (stay.room.name, f"{stay.start.astimezone(at.tzinfo):%Y-%m-%d %H:%M}")


def _since(
    device: Device, when: str, at: str, moment: datetime, zone: ZoneInfo
) -> tuple[datetime | None, dict[str, str]]:
    """The instant that was chosen, or the mistake by field."""
    if when == "now":
        return moment, {}
    if when == "today":
        return moment.replace(hour=0, minute=0, second=0, microsecond=0), {}
    if when == "first":
        return (device.first_seen, {}) if device.first_seen else (None, {"when": "never"})
    if when != "at":
        return None, {"when": "missing"}
    found, wrong = _instant(at, zone)
    return (None, {"at": wrong}) if wrong else (found, {})


def _instant(text: str, zone: ZoneInfo) -> tuple[datetime | None, str]:
    """A local date and time as a browser's field sends them, as UTC; else what is wrong with it."""
    try:
        local = datetime.fromisoformat(text.strip())
    except ValueError:
        return None, "missing" if not text.strip() else "bad"
    if local.tzinfo is not None or local.year not in placing.CENTURY:
        return None, "bad"
    instant = local.replace(tzinfo=zone).astimezone(UTC)
    if instant.astimezone(zone).replace(tzinfo=None) != local:
        return None, "gap"  # an hour that the clocks skip in spring
    return instant, ""
