"""`temoin demo`, `temoin simulate`: rooms that do not exist, to see and to try."""

from __future__ import annotations

import signal
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated

import typer

from service.cli.end import Ended, settings_or_end


def register(app: typer.Typer) -> None:
    """Add this family to the command."""
    app.command()(demo)
    app.command()(simulate)


def demo(
    port: Annotated[int, typer.Option(help="Port of the pages.", min=1, max=65535)] = 8080,
    data_dir: Annotated[Path, typer.Option(help="Where the demonstration is kept.")] = Path("demo-data"),
    days: Annotated[int, typer.Option(help="Days of history.", min=84, max=800)] = 84,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
) -> None:
    """Everything on this machine, no server needed: two sites, sixteen rooms, five experiments.

    Prints the address and a sign-in link, each on a line of its own. Ctrl-C ends it; started again it goes
    on.

    Example: temoin demo --port 8080
    """
    from service.cli.house import listen_or_end  # noqa: PLC0415 - heavy parts are not for --help
    from service.demo.run import DemoError, Folder, run  # noqa: PLC0415 - likewise
    from service.settings import SettingsError  # noqa: PLC0415 - likewise

    try:
        with Folder(data_dir) as folder, listen_or_end(host, port) as listening:
            run(folder, listening, host, days, typer.echo)
    except (DemoError, SettingsError) as error:
        raise Ended(str(error)) from error


def simulate(
    broker: Annotated[str | None, typer.Option(help="mqtt:// or mqtts:// (TEMOIN_MQTT_URL).")] = None,
    rooms: Annotated[int, typer.Option(help="Virtual rooms, two sensors each.", min=1, max=500)] = 16,
    hours: Annotated[float, typer.Option(help="Begin with what happened so long before.", min=0)] = 0.0,
    speed: Annotated[float, typer.Option(help="How fast these hours are told.", min=1)] = 60.0,
    seed: Annotated[int, typer.Option(help="Another seed, other people.", min=0)] = 1,
    count: Annotated[int | None, typer.Option(help="Stop after so many messages.", min=1)] = None,
) -> None:
    """Publish what virtual rooms measure on a broker, in the formats of real gateways, until Ctrl-C.

    User, password and CA of the broker are the settings' (TEMOIN_MQTT_USER, TEMOIN_MQTT_PASSWORD,
    TEMOIN_MQTT_CA). With --hours the past is told at --speed times its pace until it has caught up.

    Example: temoin simulate --broker mqtt://localhost:1883 --rooms 4 --hours 2
    """
    from sensors.simulate import fleet, small_town  # noqa: PLC0415 - see demo
    from sensors.simulate.publish import BrokerError, BrokerLogin, publish  # noqa: PLC0415 - likewise

    settings = settings_or_end(mqtt_url=broker)
    password = settings.mqtt_password.get_secret_value() if settings.mqtt_password else None
    login = BrokerLogin(settings.mqtt_url, settings.mqtt_user, password, settings.mqtt_ca)
    town = small_town(rooms, settings.zone, seed)
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    sent = 0

    def told(*_what: object) -> None:
        nonlocal sent
        sent += 1
        if sent == count:
            stop.set()

    since = datetime.now(UTC) - timedelta(hours=hours)
    typer.echo(f"{rooms} rooms publish on {settings.mqtt_url}; Ctrl-C ends it.")
    try:
        publish(town, fleet(town.rooms), login, stop, since, speed, told)
    except BrokerError as error:
        raise Ended(str(error)) from error
    typer.echo(f"{sent} messages.")
