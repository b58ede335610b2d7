"""Messages read again: what waits in quarantine, and what a mapping speaks of wherever its bytes still are.

A replay that is killed begins again; what it stored before it stores once more, and nothing doubles.
"""

from __future__ import annotations

import sys
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import chain
from typing import TYPE_CHECKING

import structlog

from sensors.decode import Decoder
from sensors.mapping import Mapping, fits
from sensors.move import Sieve, traced
from sensors.quality import Gate
from sensors.reading import Message, ReadingsRefused
from sensors.store import ReadingStore
from service import river
from service.registry import devices, mappings, quarantine

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Sequence

    from sqlalchemy.orm import Session

    from sensors.landing import Landing
    from sensors.move import Sifted
    from sensors.store import Key
    from service.registry import Registry
    from service.registry.tables import QuarantineEntry, Replay
    from service.settings import Settings

SETTLING = timedelta(seconds=2 * river.MAPPINGS_LAST)  # until every mover knows what was just said
BATCH = 2000  # messages
log = structlog.get_logger("temoin.replays")


@dataclass(slots=True)
class Replayed:
    """What a replay came to: messages looked at, now stored, that wait on; readings stored, and removed."""

    done: int = 0
    stored: int = 0
    readings: int = 0
    waiting: int = 0
    removed: int = 0


@dataclass(slots=True)
class _Again:
    """What reading again needs; `before` decodes as the mapping was before it was corrected."""

    store: ReadingStore
    sieve: Sieve
    before: Sieve | None = None
    count: Replayed = field(default_factory=Replayed)

    def read(self, messages: Sequence[tuple[int, Message]]) -> Sifted:
        """Store what the messages now say, take back what only the version before made of them."""
        sifted = self.sieve.sift(messages, most=sys.maxsize)
        wrong = self._wrong(messages, sifted)
        if wrong:
            self.store.remove(wrong)
        try:
            self.store.write(sifted.readings)
        except ReadingsRefused as refusal:
            sifted.refusals += traced(self.sieve, messages, refusal, sifted.refusals)
        sifted.days |= {self.sieve.day(time) for _, _, time in wrong}
        self.count.readings += len(sifted.readings)
        self.count.removed += len(wrong)
        return sifted

    def _wrong(self, messages: Sequence[tuple[int, Message]], sifted: Sifted) -> set[Key]:
        if self.before is None:
            return set()
        right = {(each.device, each.metric, each.time) for each in sifted.readings}
        made = (each for _, message in messages for each in self.before.decoded(message)[0])
        return {(each.device, each.metric, each.time) for each in made} - right


def replay(
    settings: Settings,
    registry: Registry,
    store: ReadingStore,
    ids: Sequence[int] = (),
    code: str | None = None,
) -> Replayed:
    """Decode waiting messages again: these, or those of one code, or all; what now passes is stored.

    What still does not keeps waiting under its present reason.
    """
    again = _Again(store, _sieve(settings, registry))
    with registry.session() as session:
        for page in quarantine.chosen(session, ids, code):
            _entries(session, again, page)
    return again.count


def run_due(
    settings: Settings,
    registry: Registry,
    store: ReadingStore,
    now: datetime,
    go_on: Callable[[], bool] = lambda: True,
) -> int:
    """Do the replays that were asked for; how many. Stops, to be resumed, once `go_on` says no."""
    done = 0
    while True:
        with registry.session() as session:
            due = mappings.due(session, now - SETTLING)
            if due is None or not go_on():
                return done
            _run(session, due, settings, _Again(store, _sieve(settings, registry)), go_on)
            if due.ended_at is None:
                return done
            log.info("replayed", stored=due.stored, readings=due.readings, waiting=due.waiting)
        done += 1


def _run(session: Session, row: Replay, settings: Settings, again: _Again, go_on: Callable[[], bool]) -> None:
    versions = [] if row.mapping is None else mappings.versions(session, row.mapping)[:2]
    topics = {each.topic for each in versions}
    earlier = [Mapping.from_json(each.document) for each in versions[1:] if each.document is not None]
    if earlier:
        again.before = Sieve(Decoder(earlier, settings.timezone), Gate(max_age=None), settings.zone)
    with ExitStack() as opened:
        landings = [opened.enter_context(closing(each)) for each in _landings(settings)] if topics else []
        row.total = quarantine.count_chosen(session, row.cause_id, topics) + sum(map(_kept, landings))
        session.commit()
        parts = [_waiting(session, again, row.cause_id, topics)]
        parts += [_landed(session, again, landing, topics) for landing in landings]
        for _ in chain.from_iterable(parts):
            row.done, row.stored, row.readings = again.count.done, again.count.stored, again.count.readings
            row.waiting, row.removed = again.count.waiting, again.count.removed
            session.commit()
            if not go_on():
                return
    row.done, row.ended_at = max(row.done, row.total), datetime.now(UTC)


def _waiting(session: Session, again: _Again, cause: int | None, topics: Collection[str]) -> Iterator[None]:
    """Read what is in quarantine again, page by page."""
    pages = (
        quarantine.on_topics(session, topics, BATCH)
        if topics
        else quarantine.chosen(session, cause=cause, page=BATCH)
    )
    for page in pages:
        _entries(session, again, page)
        yield


def _landed(session: Session, again: _Again, landing: Landing, topics: Collection[str]) -> Iterator[None]:
    """Read what was moved and never refused again, wherever its bytes are still in the landing."""
    filters = [each.split("/") for each in topics]
    position, end = 0, landing.position
    while position < end and (batch := landing.after(position, BATCH)):
        first, position = batch[0][0], batch[-1][0]
        refused = quarantine.landed(session, landing.name, first, position)
        messages = [
            (number, message)
            for number, message in batch
            if number <= end and number not in refused
            if any(fits(filter_, message.topic.split("/")) for filter_ in filters)
        ]
        if messages:
            sifted = again.read(messages)
            if sifted.refusals:
                quarantine.put(session, landing.name, sifted.refusals)
            _note(session, sifted)
            again.count.stored += len(messages) - len(sifted.refusals)
            again.count.waiting += len(sifted.refusals)
        again.count.done += len(batch)
        yield


def _entries(session: Session, again: _Again, page: Sequence[QuarantineEntry]) -> None:
    """Read a page of the quarantine again."""
    sifted = again.read([(entry.id, _as_it_came(entry)) for entry in page])
    refused = {refusal.landing_id: refusal.reason for refusal in sifted.refusals}
    quarantine.settle(session, page, refused, datetime.now(UTC))
    _note(session, sifted)
    again.count.done += len(page)
    again.count.stored += len(page) - len(refused)
    again.count.waiting += len(refused)


def _note(session: Session, sifted: Sifted) -> None:
    """Committed page by page: a long replay that is stopped keeps what it did."""
    devices.note_seen(session, sifted.seen)
    devices.mark_stale(session, sifted.days, datetime.now(UTC))
    session.commit()


def _landings(settings: Settings) -> Iterator[Landing]:
    for file in sorted((settings.data_dir / "landing").glob("*.db")):
        yield river.open_landing(settings, file.stem)


def _kept(landing: Landing) -> int:
    """How many moved messages a landing still has."""
    oldest = landing.after(0, 1)
    return max(0, landing.position - oldest[0][0] + 1) if oldest else 0


def _sieve(settings: Settings, registry: Registry) -> Sieve:
    return river.sieve(settings, registry, Gate(max_age=None))


def _as_it_came(entry: QuarantineEntry) -> Message:
    return Message(entry.topic, entry.payload, entry.received_at, retained=entry.retained)
