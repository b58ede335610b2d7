"""Where the river meets the house: stores, landings and the registry behind the mover's protocols."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from sqlalchemy.exc import SQLAlchemyError

from sensors.decode import Decoder
from sensors.landing import MEGABYTE, Landing
from sensors.move import Mover, Refusal, Sieve, Sighting, traced
from sensors.quality import Gate
from sensors.reading import Message, ReadingsRefused, StoreError
from sensors.store_embedded import EmbeddedStore
from service.registry import devices, gateways, quarantine

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence
    from datetime import date

    from sensors.move import Heard
    from sensors.store import ReadingStore
    from service.registry import Registry
    from service.registry.tables import QuarantineEntry
    from service.settings import Settings


def open_store(settings: Settings) -> ReadingStore:
    """The store the settings name."""
    if settings.store == "influxdb" and settings.influx_token is not None:
        from sensors.store_influx import InfluxStore  # noqa: PLC0415 - 0.3 s that the embedded store need not pay

        return InfluxStore(
            settings.influx_url,
            settings.influx_token.get_secret_value(),
            settings.influx_org,
            settings.influx_bucket,
            settings.influx_retention_days,
        )
    return EmbeddedStore(settings.data_dir / "store")


def open_landing(settings: Settings, name: str) -> Landing:
    """The landing `DATA_DIR/landing/{name}.db`: `mqtt` for the broker, `http` for what is posted."""
    return Landing(
        settings.data_dir / "landing" / f"{name}.db",
        settings.landing_max_mb * MEGABYTE,
        settings.disk_spare_mb * MEGABYTE,
    )


def sieve(settings: Settings, gate: Gate | None = None) -> Sieve:
    """Decoder and gate as these settings want them."""
    return Sieve(Decoder(timezone=settings.timezone), gate or Gate(), settings.zone)


def mover(
    settings: Settings,
    registry: Registry,
    store: ReadingStore,
    landing: Landing,
    waiting: tuple[str, datetime] | None = None,
) -> Mover:
    """The mover of one landing, with the registry behind it; `waiting` as `sensors.move.Mover` has it."""
    return Mover(
        landing,
        sieve(settings),
        store,
        RegistryQuarantine(registry),
        RegistryLedger(registry),
        timedelta(days=settings.raw_days),
        RegistryCensus(registry),
        waiting,
    )


class RegistryQuarantine:
    """The quarantine of `sensors.move`, in the registry."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry

    def put(self, landing: str, refusals: Sequence[Refusal]) -> None:
        """Keep them, one entry a (landing, landing_id) however often it comes; raises StoreError."""
        with _as_store_error(), self._registry.session() as session:
            quarantine.put(session, landing, refusals)


class RegistryLedger:
    """The ledger of `sensors.move`, in the registry; a local day that got readings becomes stale.

    Today too: its outcomes are computed once it is over, however long the jobs were away meanwhile.
    """

    def __init__(self, registry: Registry) -> None:
        self._registry = registry

    def record(self, seen: Mapping[str, Sighting], days: Collection[date]) -> None:
        """Devices seen, by key, and local days that got readings; twice is harmless; raises StoreError."""
        with _as_store_error(), self._registry.session() as session:
            devices.note_seen(session, seen)
            devices.mark_stale(session, days, datetime.now(UTC))


class RegistryCensus:
    """The census of `sensors.move`, in the registry.

    A mover killed between counting and moving counts one batch twice: enough to watch by.
    """

    def __init__(self, registry: Registry) -> None:
        self._registry = registry

    def count(self, heard: Sequence[Heard], refusals: Sequence[Refusal]) -> None:
        """Add messages that were moved and those of them that were refused; raises StoreError."""
        refused = [(each.message.topic, each.message.received_at) for each in refusals]
        with _as_store_error(), self._registry.session() as session:
            gateways.count(session, heard, refused)


@dataclass(frozen=True, slots=True)
class Replayed:
    """What a replay came to: messages now stored, readings in them, messages that still wait."""

    stored: int = 0
    readings: int = 0
    waiting: int = 0


def replay(
    settings: Settings,
    registry: Registry,
    store: ReadingStore,
    ids: Sequence[int] = (),
    code: str | None = None,
) -> Replayed:
    """Decode waiting messages again: these, or those of one code, or all; what now passes is stored.

    What still does not keeps waiting under its present reason. Killed half way, done again, nothing doubles.
    """
    done = Replayed()
    again = sieve(settings, Gate(max_age=None))
    with registry.session() as session:
        for page in quarantine.chosen(session, ids, code):
            messages = [(entry.id, _as_it_came(entry)) for entry in page]
            sifted = again.sift(messages, most=sys.maxsize)
            try:
                store.write(sifted.readings)
            except ReadingsRefused as refusal:
                sifted.refusals += traced(again, messages, refusal, sifted.refusals)
            refused = {refusal.landing_id: refusal.reason for refusal in sifted.refusals}
            for entry in page:
                quarantine.judge(entry, refused.get(entry.id))
            devices.note_seen(session, sifted.seen)
            devices.mark_stale(session, sifted.days, datetime.now(UTC))
            session.commit()  # page by page: a long replay that is stopped keeps what it did
            done = Replayed(
                done.stored + len(page) - len(refused),
                done.readings + len(sifted.readings),
                done.waiting + len(refused),
            )
    return done


def _as_it_came(entry: QuarantineEntry) -> Message:
    return Message(entry.topic, entry.payload, entry.received_at, retained=entry.retained)


@contextmanager
def _as_store_error() -> Iterator[None]:
    try:
        yield
    except SQLAlchemyError as error:
        raise StoreError(f"the registry does not take notes ({error.__class__.__name__})") from error
