"""What `temoin doctor` looks at: each part asked as Témoin uses it, and what mends one that is not well."""

from __future__ import annotations

import os
import shutil
import ssl
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Literal
from urllib.parse import urlsplit

from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from sqlalchemy import func, select, text
from sqlalchemy.exc import SQLAlchemyError

from sensors.landing import MEGABYTE
from sensors.reading import LandingError, StoreError
from service import broker, ingest, jobs, mail, sources
from service.oidc import BACK, OidcError, Provider
from service.registry import Registry, RegistryError
from service.registry.tables import Lease, StaleDay
from service.river import open_landing, open_store
from service.settings import SettingsError, unknown_settings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from paho.mqtt.client import ConnectFlags
    from paho.mqtt.properties import Properties
    from paho.mqtt.reasoncodes import ReasonCode

    from service.settings import Settings

Verdict = Literal["ok", "warn", "fail"]
PATIENCE = 5.0  # seconds the broker has to answer
REFUSED = 128  # MQTT's reason codes from here on are refusals
SOON = timedelta(days=30)  # before a certificate ends
APART = timedelta(seconds=30)  # between this clock and another's
LATE = timedelta(hours=3)  # a day waits for its outcomes
BEHIND = timedelta(minutes=10)  # a message waits to be moved
NEARLY = 0.9  # of the largest landing
UNGUESSABLE = 16  # characters of a shared subscription's group


@dataclass(frozen=True)
class Finding:
    """One line: what was looked at, how it is, what it says; a warning or failure says how to mend it."""

    part: str
    verdict: Verdict
    sentence: str


def examine(settings: Settings, now: datetime) -> Iterator[Finding]:
    """Every finding, in the order in which parts depend on each other; one that fails stops none."""
    parts: tuple[tuple[str, Callable[[Settings, datetime], Iterator[tuple[Verdict, str]]]], ...] = (
        ("settings", _settings),
        ("disk", _disk),
        ("registry", _registry),
        ("store", _store),
        ("broker", _broker),
        ("ingest", _ingest),
        ("landing", _landing),
        ("gateways", _gateways),
        ("jobs", _jobs),
        ("sign-in", _provider),
        ("mail", _mail),
    )
    for part, look in parts:
        for verdict, sentence in look(settings, now):
            yield Finding(part, verdict, sentence)


def _settings(settings: Settings, _now: datetime) -> Iterator[tuple[Verdict, str]]:
    for name in unknown_settings():
        yield "warn", f"{name} is no setting and does nothing: see docs/configure.md."
    if settings.public_url is None:
        yield (
            "warn",
            "TEMOIN_PUBLIC_URL is not set: QR codes lead to whatever address a page was opened under.",
        )
    elif not settings.secure:
        yield (
            "warn",
            "TEMOIN_PUBLIC_URL is not https: passwords and answers travel readable. Put TLS before it.",
        )
    try:
        settings.signing_key()
    except SettingsError as error:
        yield "fail", f"{error}."
        return
    key = settings.data_dir / "secret_key"
    if key.exists() and key.stat().st_mode & 0o077:
        yield "warn", f"{key} is readable by others: chmod 600 {key}."
    yield "ok", f"{settings.timezone}, {settings.store} store, data in {settings.data_dir.absolute()}."


def _disk(settings: Settings, _now: datetime) -> Iterator[tuple[Verdict, str]]:
    folder = settings.data_dir
    if not os.access(folder, os.W_OK):
        yield "fail", f"{folder} cannot be written to: give it to the user Témoin runs as."
        return
    usage = shutil.disk_usage(folder)
    free, spare = usage.free // MEGABYTE, settings.disk_spare_mb
    if free < spare:
        yield (
            "fail",
            f"{free} MB are left and {spare} MB (DISK_SPARE_MB) must be: no message is taken. Make room.",
        )
    elif free < 10 * spare or usage.free < usage.total / 20:
        yield "warn", f"{free} MB are left: make room before messages have to wait at the broker."
    else:
        yield "ok", f"{free} MB are left."


def _registry(settings: Settings, now: datetime) -> Iterator[tuple[Verdict, str]]:
    try:
        registry = Registry(settings.registry_url)
        registry.check()
        if registry.url.get_backend_name() == "postgresql":
            with registry.engine.connect() as connection:
                theirs = connection.scalar(text("SELECT now()"))
            yield from _clock(theirs, now, "PostgreSQL")
        registry.close()
    except (RegistryError, SQLAlchemyError) as error:
        yield "fail", str(error)
        return
    yield "ok", f"{registry.url.render_as_string(hide_password=True)}, schema {registry.schema}."


def _clock(theirs: datetime | None, now: datetime, whose: str) -> Iterator[tuple[Verdict, str]]:
    if theirs is not None and abs(theirs - now) > APART:
        seconds = abs((theirs - now).total_seconds())
        yield "warn", f"This clock and {whose}'s are {seconds:.0f} s apart: have both follow NTP."


def _store(settings: Settings, now: datetime) -> Iterator[tuple[Verdict, str]]:
    if settings.store == "influxdb":
        yield from _influx(settings, now)
        return
    try:
        store = open_store(settings)
        latest = store.latest()
        store.close()
    except StoreError as error:
        yield "fail", f"{error}."
        return
    days = len(list((settings.data_dir / "store" / "days").glob("*.parquet")))
    yield "ok", f"embedded, {len(latest)} series, {days} days put away."


def _influx(settings: Settings, now: datetime) -> Iterator[tuple[Verdict, str]]:
    from sensors.store_influx import InfluxStore  # noqa: PLC0415 - only where it is the store

    store = open_store(settings)
    assert isinstance(store, InfluxStore)  # noqa: S101 - asked for
    try:
        theirs = store.check()
    except StoreError as error:
        yield "fail", f"{error}."
        return
    finally:
        store.close()
    yield from _clock(theirs, now, "InfluxDB")
    yield "ok", f"{settings.influx_url}, bucket {settings.influx_bucket}: the token reads and writes."


# ------------------------------------------------------------------------------------------------ broker


def _broker(settings: Settings, now: datetime) -> Iterator[tuple[Verdict, str]]:
    address = urlsplit(settings.mqtt_url)
    if address.scheme == "mqtts":
        yield from _certificate(address.hostname or "localhost", address.port or 8883, settings.mqtt_ca, now)
    elif (address.hostname or "localhost") not in ("localhost", "127.0.0.1", "::1"):
        yield "warn", f"{settings.mqtt_url}: passwords and readings travel readable. Use mqtts://."
    asked = _Asked(settings)
    try:
        answer = asked.connect()
    except (OSError, ssl.SSLError, ValueError) as error:
        yield (
            "fail",
            f"{settings.mqtt_url} cannot be reached ({error}): is it running, is TEMOIN_MQTT_URL right?",
        )
        return
    if answer is None:
        yield (
            "fail",
            f"{settings.mqtt_url} does not speak MQTT within {PATIENCE:.0f} s: is TEMOIN_MQTT_URL right?",
        )
        return
    if answer.is_failure:
        yield "fail", f"{settings.mqtt_url} refuses ({answer}): check MQTT_USER, MQTT_PASSWORD, certificates."
        return
    refused = asked.subscribe()
    asked.end()
    if refused is None:
        yield "fail", f"{settings.mqtt_url} does not answer a subscription: look into its log."
    elif refused:
        yield "fail", f"{settings.mqtt_url} refuses {', '.join(refused)}: let {settings.mqtt_user} read them."
    else:
        who = settings.mqtt_user or "nobody in particular"
        yield (
            "ok",
            f"{settings.mqtt_url} lets {who} follow {', '.join(map(_unshared, settings.mqtt_topics))}.",
        )
    yield from _strangers(settings)


def _strangers(settings: Settings) -> Iterator[tuple[Verdict, str]]:
    """What the broker lets others do; a client certificate lets us in whoever we say we are."""
    guessed = {topic.split("/")[1] for topic in settings.mqtt_topics if topic.startswith("$share/")}
    for group in sorted(name for name in guessed if len(name) < UNGUESSABLE):
        yield (
            "warn",
            f"Who guesses the group « {group} » takes messages away: `openssl rand -hex 16`.",
        )
    if settings.mqtt_user is None or settings.mqtt_cert is not None:
        return
    nobody = _Asked(settings.model_copy(update={"mqtt_user": None}))
    try:
        answer = nobody.connect()
    except (OSError, ssl.SSLError, ValueError):
        return
    if answer is not None and not answer.is_failure:
        nobody.end()
        yield "fail", f"{settings.mqtt_url} lets anybody in: set allow_anonymous false in its configuration."


def _certificate(host: str, port: int, ca: Path | None, now: datetime) -> Iterator[tuple[Verdict, str]]:
    import socket  # noqa: PLC0415 - with the rest of TLS

    context = ssl.create_default_context(cafile=None if ca is None else str(ca))
    try:
        with (
            socket.create_connection((host, port), PATIENCE) as plain,
            context.wrap_socket(plain, server_hostname=host) as wrapped,
        ):
            ends = (wrapped.getpeercert() or {}).get("notAfter")
    except OSError:
        return  # the connection itself says it next
    if isinstance(ends, str):
        left = datetime.fromtimestamp(ssl.cert_time_to_seconds(ends), UTC) - now
        if left < SOON:
            yield "warn", f"The broker's certificate ends in {left.days} days: renew it before."


class _Asked:
    """One connection under a name of its own, so that the receiver keeps its session."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        version = (
            MQTTProtocolVersion.MQTTv5 if settings.mqtt_protocol == "5" else MQTTProtocolVersion.MQTTv311
        )
        self._client = Client(CallbackAPIVersion.VERSION2, protocol=version)
        self._answer: ReasonCode | None = None
        self._granted: list[ReasonCode] | None = None
        self._client.on_connect = self._connected
        self._client.on_subscribe = self._subscribed

    def connect(self) -> ReasonCode | None:
        """What the broker answers, None when nothing."""
        address, tls = urlsplit(self._settings.mqtt_url), self._settings.mqtt_url.startswith("mqtts")
        if tls:
            ca, cert, key = (
                None if path is None else str(path)
                for path in (self._settings.mqtt_ca, self._settings.mqtt_cert, self._settings.mqtt_key)
            )
            self._client.tls_set(ca, cert, key)
        if self._settings.mqtt_user:
            password = self._settings.mqtt_password
            self._client.username_pw_set(
                self._settings.mqtt_user, password.get_secret_value() if password else None
            )
        self._client.connect_timeout = PATIENCE
        self._client.connect(address.hostname or "localhost", address.port or (8883 if tls else 1883))
        self._wait(lambda: self._answer is not None)
        return self._answer

    def subscribe(self) -> list[str] | None:
        """Topics that are refused, None without an answer; a shared group is asked for by its topics.

        Joining the group would take messages from the receivers.
        """
        topics = [_unshared(topic) for topic in self._settings.mqtt_topics]
        self._client.subscribe([(topic, 0) for topic in topics])
        self._wait(lambda: self._granted is not None)
        if self._granted is None:
            return None
        return [topic for topic, code in zip(topics, self._granted, strict=False) if code.value >= REFUSED]

    def end(self) -> None:
        """Say goodbye."""
        self._client.disconnect()

    def _connected(
        self, _client: Client, _data: object, _flags: ConnectFlags, code: ReasonCode, _: Properties | None
    ) -> None:
        self._answer = code

    def _subscribed(
        self, _client: Client, _data: object, _mid: int, codes: list[ReasonCode], _: Properties | None
    ) -> None:
        self._granted = codes

    def _wait(self, happened: Callable[[], bool]) -> None:
        until = time.monotonic() + PATIENCE
        while not happened() and time.monotonic() < until:
            self._client.loop(0.1)


def _unshared(topic: str) -> str:
    return topic.split("/", 2)[2] if topic.startswith("$share/") else topic


# ------------------------------------------------------------------------------------------- the programs


def _ingest(settings: Settings, now: datetime) -> Iterator[tuple[Verdict, str]]:
    said = ingest.everyone(settings)
    if not said:
        yield "warn", "No `temoin ingest` has run on this folder: start it, unless it runs elsewhere."
        return
    troubles = ingest.troubles(settings, now)
    yield from (("fail", trouble) for trouble in troubles)
    if not troubles:
        yield "ok", f"connected; {sum(each.mover.backlog for each in said)} messages wait to be moved."
    lost = sum(each.receiver.sessions_lost for each in said)
    if lost:
        times = f"{lost} times the broker had forgotten us, and what was sent meanwhile"
        yield "warn", f"{times}: set persistence true in its configuration."


def _landing(settings: Settings, now: datetime) -> Iterator[tuple[Verdict, str]]:
    for path in sorted((settings.data_dir / "landing").glob("*.db")):
        try:
            landing = open_landing(settings, path.stem)
            waiting, size = landing.backlog, landing.size // MEGABYTE
            oldest = landing.after(landing.position, 1) if waiting else []
            landing.close()
        except LandingError as error:
            yield "fail", f"{error}."
            continue
        behind = now - oldest[0][1].received_at if oldest else timedelta(0)
        if size > settings.landing_max_mb * NEARLY:
            most = f"{size} of at most {settings.landing_max_mb} MB (LANDING_MAX_MB)"
            yield "fail", f"{path.name} holds {most}: have the store take some, or the broker has to wait."
        elif behind > BEHIND:
            since = f"{waiting} messages wait, the oldest for {behind / timedelta(minutes=1):.0f} min"
            yield "warn", f"{path.name}: {since}: is the store well, does what moves them run?"
        else:
            yield "ok", f"{path.name}: {size} MB, {waiting} messages wait."


def _gateways(settings: Settings, now: datetime) -> Iterator[tuple[Verdict, str]]:
    registry = Registry(settings.registry_url)
    try:
        registry.check()
        with registry.session() as session:
            found = sources.everything(session, now, settings.zone)
    except (RegistryError, SQLAlchemyError):
        return  # the registry has said it already
    finally:
        registry.close()
    yield from _unwritten(settings, {each.name for each in found if each.added})
    for each in found:
        if each.token in ("soon", "ended") and each.token_until is not None:
            says = f"The HTTP token of {each.name} ends on {each.token_until:%Y-%m-%d}"
            yield "warn", f"{says}: temoin gateway rotate {each.name} --token."
        if each.added and each.last_message is None:
            yield "warn", f"{each.name} has said nothing yet: type into it what `temoin gateway add` printed."
        elif each.added and each.silent:
            yield "warn", f"{each.name} has said nothing for two hours: power, network, password?"
        if each.unpromised:
            yield (
                "warn",
                f"{each.name} sends {each.unpromised:.0%} at QoS 0: set it to 1.",
            )
    yield "ok", f"{sum(each.added for each in found)} let in, {len(found)} known."


def _unwritten(settings: Settings, names: set[str]) -> Iterator[tuple[Verdict, str]]:
    """Gateways that the broker does not know of, where its file is to be seen from here."""
    path = broker.password_file(settings)
    try:
        written = {line.partition(":")[0] for line in path.read_text(encoding="utf-8").splitlines()}
    except (OSError, UnicodeDecodeError):
        return
    missing = ", ".join(sorted(names - written))
    if missing:
        yield "fail", f"{path} does not let {missing} in: temoin gateway write, then have the broker read it."


def _jobs(settings: Settings, now: datetime) -> Iterator[tuple[Verdict, str]]:
    registry = Registry(settings.registry_url)
    try:
        with registry.session() as session:
            lease = session.get(Lease, jobs.LEASE)
            oldest = session.scalar(
                select(func.min(StaleDay.marked_at)).where(
                    StaleDay.day < now.astimezone(settings.zone).date()
                )
            )
    except SQLAlchemyError:
        return  # the registry has said it already
    finally:
        registry.close()
    if lease is None or lease.until < now:
        yield "warn", "No `temoin jobs` runs: days are not closed and results not taken. Start it."
    elif oldest is not None and now - oldest > LATE:
        hours = (now - oldest) / timedelta(hours=1)
        yield "warn", f"A day has waited for its outcomes for {hours:.0f} h: see what `temoin jobs` logs."
    else:
        yield "ok", f"run by {lease.holder}."


def _provider(settings: Settings, _now: datetime) -> Iterator[tuple[Verdict, str]]:
    if not settings.oidc_issuer:
        return
    try:
        Provider(settings).look()
    except OidcError as error:
        yield (
            "fail",
            f"The OpenID provider cannot be used: {error}. See OIDC_ISSUER and the way out of this machine.",
        )
        return
    yield (
        "ok",
        f"{settings.oidc_issuer} answers; it sends people back to {settings.public_url}{BACK}.",
    )


def _mail(settings: Settings, _now: datetime) -> Iterator[tuple[Verdict, str]]:
    if settings.smtp_url is None:
        return
    try:
        mail.look(settings, PATIENCE)
    except mail.MailError as error:
        yield (
            "fail",
            f"No mail can be sent: {error}. See SMTP_URL; nobody gets a link for a forgotten password.",
        )
        return
    yield "ok", f"The mail server takes what {settings.mail_from} writes; nothing was sent."
