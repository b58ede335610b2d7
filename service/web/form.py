"""What people say on leaving a room: a form that anybody with the room's code may open; only POST writes."""

from __future__ import annotations

import hashlib
import hmac
import secrets
import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Literal
from urllib.parse import quote

from fastapi import APIRouter, Request, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import RedirectResponse
from itsdangerous import BadSignature, URLSafeSerializer

from dashboards.pages.answering import FormPage, ThanksPage
from service.asked import now
from service.registry import answers, devices, experiments, rooms
from service.registry.tables import Answer
from service.room_form import opens
from service.throttle import Throttle, address_of
from service.web.reply import error, reply

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy.orm import Session

    from service.registry.tables import Room

router = APIRouter(include_in_schema=False)

LASTING = 3600.0  # seconds a form stays open
FASTEST = 3.0  # seconds below which nobody has read the first question
USUAL_CAPACITY = 10
EMPTY_FOR = timedelta(hours=2)
LONGEST_REMARK = 280
SCALES = {"satisfaction": 7, "helped": 7, "air": 7, "hearing": 7, "worth": 5}
CHOICES = {
    "temperature": ("cooler", "same", "warmer"),
    "discomfort": ("none", "slight", "clear", "unsaid"),
    "group_size": ("1-2", "3-5", "6-10", "11+"),
}
# the question that a running experiment's guardrail asks for
ASKED: dict[str, Literal["discomfort", "temperature", "air", "hearing"]] = {
    "discomfort": "discomfort",
    "co2_occupied": "air",
    "co2_high": "air",
    "sound_background": "hearing",
    "temperature_in_band": "temperature",
}
Problem = Literal["missing", "expired", "invalid", "fast"]
# answers of one network address in an hour, kept in memory as a keyed hash: colleagues share an address
_addresses = Throttle(limit=60, window=3600)


class AnswerRejected(ValueError):  # noqa: N818 - named as PayloadRejected and HistoryRejected are
    """What was sent is no answer; `problem` says which kind."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem)
        self.problem: Problem = problem


@router.get("/r/{slug}")
def form_page(request: Request, slug: str, k: str = "") -> Response:
    """The empty form; nothing is written."""
    with request.app.state.registry.session() as session:
        room = rooms.room(session, slug)
        if room is None or not opens(request.app.state.settings, slug, k):
            return error(request, 404 if room is None else 403, "form_key")
        ask = _asked(session, room, now(request))
    return reply(request, FormPage(room.slug, room.name, _issued(request, slug), k, ask))


@router.post("/r/{slug}")
async def send_answer(request: Request, slug: str) -> Response:
    """Keep an answer once, or say what is missing."""
    given = {name: value for name, value in (await request.form()).items() if isinstance(value, str)}
    return await run_in_threadpool(_received, request, slug, given)


@router.get("/r/{slug}/thanks")
def thanks_page(request: Request, slug: str) -> Response:
    """After an answer."""
    with request.app.state.registry.session() as session:
        room = rooms.room(session, slug)
    return (
        error(request, 404, "not_found") if room is None else reply(request, ThanksPage(room.slug, room.name))
    )


def _received(request: Request, slug: str, given: Mapping[str, str]) -> Response:
    thanks = RedirectResponse(f"/r/{quote(slug)}/thanks", 303)
    if given.get("website"):
        return thanks  # a robot filled in what nobody sees; it need not know
    with request.app.state.registry.session() as session:
        room = rooms.room(session, slug)
        key = given.get("k", "")
        if room is None or not opens(request.app.state.settings, slug, key):
            return error(request, 404 if room is None else 403, "form_key")
        at = now(request)
        try:
            nonce, age = _opened(request, slug, given.get("nonce", ""))
            answer = _answer(room, given, at, age)
        except AnswerRejected as rejected:
            # too fast, the same form is sent again: another would be as young
            again = given["nonce"] if rejected.problem == "fast" else _issued(request, slug)
            page = FormPage(
                room.slug, room.name, again, key, _asked(session, room, at),
                rejected.problem,
                {name: value for name, value in given.items() if name in {*SCALES, *CHOICES, "remark"}},
            )  # fmt: skip
            return reply(request, page, 422)
        if _too_many(request, session, room, at):
            return error(request, 429, "too_many")
        if not answers.spend(session, nonce, datetime.now(UTC) + timedelta(seconds=LASTING)):
            return error(request, 409, "form_spent")
        answer.flagged = _long_empty(request, session, room, at)
        session.add(answer)
    return thanks


def _answer(room: Room, given: Mapping[str, str], at: datetime, age: float) -> Answer:
    """The answer, with the day and hour of the server, to a form `age` seconds old; raises AnswerRejected."""
    marks = {name: _mark(given.get(name, ""), most) for name, most in SCALES.items()}
    if marks["satisfaction"] is None:
        raise AnswerRejected("missing")
    picks = {name: given.get(name) or None for name in CHOICES}
    if any(pick is not None and pick not in CHOICES[name] for name, pick in picks.items()):
        raise AnswerRejected("invalid")
    if age < FASTEST:
        raise AnswerRejected("fast")
    remark = " ".join(given.get("remark", "").replace("\0", "").split())[:LONGEST_REMARK] or None
    return Answer(room_id=room.id, day=at.date(), hour=at.hour, remark=remark, **marks, **picks)


def _mark(text: str, most: int) -> int | None:
    if not text:
        return None
    if not (text.isascii() and text.isdigit() and 1 <= int(text[:3]) <= most):
        raise AnswerRejected("invalid")
    return int(text)


def _asked(
    session: Session, room: Room, at: datetime
) -> Literal["discomfort", "temperature", "air", "hearing"] | None:
    for each in experiments.under_way(session, at.date()):
        taking_part = any(arm.room_id == room.id for arm in each.arms)
        if not taking_part or experiments.status(each, at.date()) not in ("planned", "running"):
            continue
        asked = [ASKED[m.outcome] for m in each.measures if m.role == "guardrail" and m.outcome in ASKED]
        if asked:
            return "discomfort" if "discomfort" in asked else asked[0]
    return None


def _too_many(request: Request, session: Session, room: Room, at: datetime) -> bool:
    limit = 2 * (room.capacity or USUAL_CAPACITY)
    if answers.count_since(session, room.id, at.date(), at.hour) >= limit:
        return True
    key = hmac.new(_secret(request), address_of(request).encode(), hashlib.sha256).hexdigest()
    return _addresses.attempt(key) > 0


def _long_empty(request: Request, session: Session, room: Room, at: datetime) -> bool:
    """Whether sensors say that nobody was in the room for two hours; False when they say nothing."""
    keys = {each.device_key for each in devices.placements_of(session, room.id) if each.end is None}
    if not keys:
        return False
    utc = at.astimezone(UTC)
    seen = request.app.state.store.read(utc - EMPTY_FOR, utc, keys, ("people", "presence", "motion"))
    return bool(len(seen)) and not bool((seen["value"] > 0).any())


# -------------------------------------------------------------------------------------------- nonces


def _secret(request: Request) -> bytes:
    return str(request.app.state.settings.signing_key()).encode()


def _serializer(request: Request) -> URLSafeSerializer:
    return URLSafeSerializer(_secret(request), salt="form")


def _issued(request: Request, slug: str) -> str:
    token = _serializer(request).dumps([slug, secrets.token_urlsafe(16), time.time()])
    return token if isinstance(token, str) else token.decode()


def _opened(request: Request, slug: str, nonce: str) -> tuple[str, float]:
    """The nonce's own token and its age in seconds; raises AnswerRejected if it is not ours or not of now."""
    try:
        room, token, issued = _serializer(request).loads(nonce)
    except (BadSignature, ValueError, TypeError) as problem:
        raise AnswerRejected("expired") from problem
    age = time.time() - issued
    if room != slug or not 0 <= age <= LASTING:  # from the future: our clock was set back
        raise AnswerRejected("expired")
    return token, age
