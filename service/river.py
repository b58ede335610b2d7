"""Where the river meets the house: stores, landings and the registry behind the mover's protocols."""

from __future__ import annotations

import time
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from sqlalchemy.exc import SQLAlchemyError

from sensors.decode import Decoder
from sensors.landing import MEGABYTE, Landing
from sensors.move import Mover, Refusal, Sieve, Sighting
from sensors.quality import Gate
from sensors.reading import StoreError
from sensors.store_embedded import EmbeddedStore
from service.registry import devices, gateways, mappings, quarantine

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence
    from collections.abc import Mapping as Keyed
    from datetime import date

    from sensors.mapping import Mapping
    from sensors.move import Heard
    from sensors.store import ReadingStore
    from service.registry import Registry
    from service.settings import Settings

MAPPINGS_LAST = 2.0  # seconds until a change of the mappings is noticed


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


class CurrentMappings:
    """The mappings of the registry, read again when a refused message asks and they are two seconds old."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._known: list[Mapping] = []
        self._read_at = -MAPPINGS_LAST

    def __call__(self) -> list[Mapping]:
        """What holds now, within two seconds; raises StoreError when the registry does not say."""
        if time.monotonic() - self._read_at >= MAPPINGS_LAST:
            with _as_store_error(), self._registry.session() as session:
                self._known = mappings.current(session)
            self._read_at = time.monotonic()
        return self._known


def sieve(settings: Settings, registry: Registry, gate: Gate | None = None) -> Sieve:
    """Decoder and gate as these settings want them, with what staff said of foreign payloads."""
    decoder = Decoder(CurrentMappings(registry), settings.timezone)
    return Sieve(decoder, gate or Gate(), settings.zone)


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
        sieve(settings, registry),
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

    def record(self, seen: Keyed[str, Sighting], days: Collection[date]) -> None:
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


@contextmanager
def _as_store_error() -> Iterator[None]:
    try:
        yield
    except SQLAlchemyError as error:
        raise StoreError(f"the registry does not take notes ({error.__class__.__name__})") from error
