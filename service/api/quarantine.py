"""Messages that wait, what is said of them, and reading them again: the same as the pages."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import APIRouter, Body, HTTPException, Query, Request, Response

from sensors.mapping import Mapping, MappingRefused
from service import embargo, mapping_form
from service.api.paging import Part
from service.api.unchanged import Have, IfMatch
from service.asked import Number, today
from service.auth import Facilities, Person
from service.registry import mappings, quarantine
from service.registry.tables import QuarantineCause, Replay

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from service.registry.tables import MappingVersion

router = APIRouter(prefix="/api/v1", tags=["quarantine"])
ENTRIES, MOST_ENTRIES = 20, 200
PAYLOAD = 4000  # bytes shown
EXAMPLE = {
    "topic": "usine/+/etat",
    "fields": [{"pointer": "/v/t1", "metric": "temperature", "unit": "°C", "scale": 0.1}],
    "device_from": "topic",
    "time_from": "reception",
}
Said = Annotated[dict[str, Any], Body(openapi_examples={"by topic": {"value": EXAMPLE}})]


@dataclass(frozen=True)
class ApiCause:
    """Why messages of one gateway and shape wait, and how many; times are UTC."""

    id: int
    code: str
    gateway: str
    shape: str
    waiting: int
    first_at: datetime
    last_at: datetime


@dataclass(frozen=True)
class ApiMessage:
    """A message that waits; `payload` is None while an experiment runs: it may hold its rooms' readings."""

    id: int
    received_at: datetime
    topic: str
    reason: str
    payload: str | None


@dataclass(frozen=True)
class ApiReplay:
    """A replay and how far it is: messages looked at, understood, waiting on; readings stored, taken back."""

    id: int
    total: int
    done: int
    stored: int
    readings: int
    removed: int
    waiting: int
    ended: bool


@dataclass(frozen=True)
class ApiMapping:
    """What the messages of a topic are said to mean; `mapping` is None once it is withdrawn."""

    number: int
    version: int
    topic: str
    made_at: datetime
    made_by: str
    mapping: dict[str, Any] | None


@dataclass(frozen=True)
class ApiReading:
    """A reading that a mapping would give; `value` is None while an experiment runs."""

    device: str
    metric: str
    value: float | None
    unit: str
    time: datetime


@dataclass(frozen=True)
class ApiTried:
    """What a message that waits would give, and why not all of it is understood, if it is not."""

    topic: str
    readings: list[ApiReading]
    reason: str | None


@dataclass(frozen=True)
class ApiKept:
    """A mapping that was kept, and the replay that was asked for."""

    mapping: ApiMapping
    replay: ApiReplay


@dataclass(frozen=True)
class ApiDropped:
    """How many messages were given up."""

    dropped: int


@dataclass(frozen=True)
class DropReason:
    """Why messages are given up: it stays beside them."""

    reason: str


@router.get("/quarantine")
def list_causes(
    request: Request,
    response: Response,
    code: str | None = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
    offset: Annotated[int, Query(ge=0, le=1_000_000)] = 0,
) -> list[ApiCause]:
    """Why messages wait, those causes first of which most wait."""
    with request.app.state.registry.session() as session:
        found = [_cause(cause) for cause, _ in quarantine.causes(session, code, limit, offset)]
    if len(found) == limit:
        following = request.url.include_query_params(limit=limit, offset=offset + limit)
        response.headers["Link"] = f'<{following.path}?{following.query}>; rel="next"'
    return found


@router.get("/quarantine/{cause}")
def list_messages(
    request: Request,
    response: Response,
    cause: Number,
    limit: Annotated[int, Query(ge=1, le=MOST_ENTRIES, description="How many at most")] = ENTRIES,
    after: Annotated[
        int | None, Query(ge=1, lt=2**63, description="As `Link` of the part before says")
    ] = None,
) -> list[ApiMessage]:
    """The messages of one cause that wait, latest first."""
    with request.app.state.registry.session() as session:
        _found(session, cause)
        sealed = bool(embargo.embargoes(session, today(request)))
        found = quarantine.recent(session, cause=cause, limit=limit + 1, before=after)
        if len(found) > limit:
            following = request.url.include_query_params(limit=limit, after=found[limit - 1].id)
            response.headers["Link"] = f'<{following.path}?{following.query}>; rel="next"'
        return [
            ApiMessage(
                entry.id,
                entry.received_at,
                entry.topic,
                entry.reason,
                None if sealed else entry.payload[:PAYLOAD].decode("utf-8", "backslashreplace"),
            )
            for entry in found[:limit]
        ]


@router.post("/quarantine/{cause}/replay", status_code=202)
def replay_cause(request: Request, person: Facilities, cause: Number) -> ApiReplay:
    """Have the messages of a cause read again, soon."""
    with request.app.state.registry.session() as session:
        _found(session, cause)
        return _replay(mappings.ask(session, person.name, datetime.now(UTC), cause=cause))


@router.post("/quarantine/{cause}/drop")
def drop_cause(request: Request, person: Facilities, cause: Number, why: DropReason) -> ApiDropped:
    """Give the messages of a cause up."""
    with request.app.state.registry.session() as session:
        _found(session, cause)
        try:
            return ApiDropped(quarantine.give_up(session, cause, person.name, why.reason, datetime.now(UTC)))
        except quarantine.ReasonRefused as refused:
            raise HTTPException(422, str(refused)) from refused


@router.get("/replays/{number}")
def get_replay(request: Request, number: Number) -> ApiReplay:
    """How far a replay is."""
    with request.app.state.registry.session() as session:
        row = session.get(Replay, number)
        if row is None:
            raise HTTPException(404, f"There is no replay {number}.")
        return _replay(row)


@router.get("/replays")
def list_replays(request: Request, paging: Part) -> list[ApiReplay]:
    """Replays that were asked for, the latest first."""
    with request.app.state.registry.session() as session:
        return [_replay(row) for row in paging.part(mappings.replays(session), lambda row: row.id)]


@router.get("/mappings")
def list_mappings(request: Request, paging: Part) -> list[ApiMapping]:
    """What holds of messages that no format knows, by topic."""
    with request.app.state.registry.session() as session:
        return [_mapping(row) for row in paging.part(mappings.latest(session), lambda row: row.number)]


@router.post("/mappings", status_code=201)
def add_mapping(request: Request, person: Facilities, said: Said) -> ApiKept:
    """Say what messages mean, and have those that came already read again."""
    return _keep(request, person, said, None)


@router.post("/mapping-previews")
def try_mapping(request: Request, person: Facilities, said: Said) -> list[ApiTried]:  # noqa: ARG001 - let in
    """What a mapping would make of the last messages on its topics; nothing is kept."""
    with request.app.state.registry.session() as session:
        sealed = bool(embargo.embargoes(session, today(request)))
        mapping = _said(said)
        entries = quarantine.latest_on(session, mapping.topic, mapping_form.TRIED)
        zone = request.app.state.settings.zone
        return [
            ApiTried(
                message.topic,
                [
                    ApiReading(each.device, each.metric, None if sealed else each.value, each.unit, each.time)
                    for each in readings
                ],
                reason or None,
            )
            for message, readings, reason in mapping_form.tried(mapping, mapping_form.messages(entries), zone)
        ]


@router.get("/mappings/{number}")
def list_versions(request: Request, number: Number) -> list[ApiMapping]:
    """What was said of a topic, version by version, the latest first."""
    with request.app.state.registry.session() as session:
        found = [_mapping(row) for row in mappings.versions(session, number)]
    if not found:
        raise HTTPException(404, f"There is no mapping {number}.")
    return found


@router.put("/mappings/{number}")
def correct_mapping(request: Request, person: Facilities, number: Number, said: Said, have: Have) -> ApiKept:
    """Correct a mapping: its next version, and what it speaks of is read again."""
    return _keep(request, person, said, number, have)


@router.delete("/mappings/{number}", status_code=202)
def withdraw_mapping(request: Request, person: Facilities, number: Number, have: Have) -> ApiReplay:
    """Let a mapping hold no longer: its messages wait again, its readings are withdrawn."""
    with request.app.state.registry.turn() as session:
        have.check(_holding(session, number).version)
        return _replay(mapping_form.withdraw(session, number, person.name, datetime.now(UTC)))


def _keep(
    request: Request, person: Person, said: dict[str, Any], number: int | None, have: IfMatch | None = None
) -> ApiKept:
    mapping = _said(said)
    with request.app.state.registry.turn() as session:
        if number is not None and have is not None:
            have.check(_holding(session, number).version)
        try:
            row, replay = mapping_form.keep(session, mapping, person.name, datetime.now(UTC), number)
        except MappingRefused as refused:
            raise HTTPException(422, f"{refused.code}: {refused}") from refused
        return ApiKept(_mapping(row), _replay(replay))


def _said(said: dict[str, Any]) -> Mapping:
    try:
        return Mapping.from_json(said)
    except MappingRefused as refused:
        raise HTTPException(422, f"{refused.code}: {refused}") from refused


def _found(session: Session, cause: Number) -> QuarantineCause:
    found = session.get(QuarantineCause, cause)
    if found is None:
        raise HTTPException(404, f"There is no cause {cause}.")
    return found


def _holding(session: Session, number: Number) -> MappingVersion:
    row = mappings.holding(session, number)
    if row is None:
        raise HTTPException(404, f"No mapping {number} holds.")
    return row


def _cause(cause: QuarantineCause) -> ApiCause:
    return ApiCause(
        cause.id, cause.code, cause.gateway, cause.shape, cause.waiting, cause.first_at, cause.last_at
    )


def _replay(row: Replay) -> ApiReplay:
    return ApiReplay(
        id=row.id,
        total=row.total,
        done=row.done,
        stored=row.stored,
        readings=row.readings,
        removed=row.removed,
        waiting=row.waiting,
        ended=row.ended_at is not None,
    )


def _mapping(row: MappingVersion) -> ApiMapping:
    return ApiMapping(row.number, row.version, row.topic, row.made_at, row.made_by, row.document)
