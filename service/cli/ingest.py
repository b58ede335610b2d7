"""`temoin ingest`: from the broker to the store, losing nothing that was acknowledged."""

from __future__ import annotations

import logging
import signal
import threading
from typing import TYPE_CHECKING

from service.cli.end import Ended, registry_or_end, settings_or_end

if TYPE_CHECKING:
    import typer


def register(app: typer.Typer) -> None:
    """Add this family to the command."""
    app.command()(ingest)


def ingest() -> None:
    """Receive from the broker, keep every message on disk, decode and store; until Ctrl-C or SIGTERM.

    Example: TEMOIN_MQTT_URL=mqtt://broker:1883 temoin ingest
    """
    from sensors.reading import SensorError  # noqa: PLC0415 - not for --help
    from service.ingest import ingest as run  # noqa: PLC0415 - likewise
    from service.logs import configure_logs  # noqa: PLC0415 - likewise
    from service.river import open_store  # noqa: PLC0415 - likewise
    from service.settings import SettingsError  # noqa: PLC0415 - likewise

    settings = settings_or_end()
    registry = registry_or_end(settings)
    configure_logs(settings.log_level)
    logging.getLogger("temoin").setLevel(settings.log_level.upper())
    stop = threading.Event()
    for each in (signal.SIGTERM, signal.SIGINT):
        signal.signal(each, lambda *_: stop.set())
    try:
        store = open_store(settings)
        run(settings, registry, store, stop)
        store.close()
    except (SensorError, SettingsError) as error:
        raise Ended(str(error)) from error
    registry.close()
