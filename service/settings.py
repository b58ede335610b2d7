"""Every setting in one table: `TEMOIN_*`, `.env`, or a file named by `TEMOIN_X_FILE`."""

from __future__ import annotations

import os
import re
import secrets
from ipaddress import ip_network
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from dotenv import dotenv_values
from pydantic import AfterValidator, Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

PREFIX = "TEMOIN_"
OF_TESTS = f"{PREFIX}TEST_"  # what the tests are told of this machine
SHORTEST_KEY = 32  # characters


class SettingsError(Exception):
    """A setting that cannot be used; the message names the variable and what it should be."""


def _known_zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError) as error:
        raise ValueError("should be a time zone such as Europe/Paris") from error
    return name


def _web_url(url: str) -> str:
    if not url.startswith(("http://", "https://")):
        raise ValueError("should begin with http:// or https://")
    return url.rstrip("/")


def _networks(given: str) -> str:
    for address in filter(None, map(str.strip, given.split(","))):
        try:
            ip_network(address, strict=False)
        except ValueError as error:
            raise ValueError("should be addresses or networks by commas, for example 10.0.0.0/8") from error
    return given


def _long_enough(key: SecretStr) -> SecretStr:
    if len(key.get_secret_value()) < SHORTEST_KEY:
        raise ValueError(f"should have {SHORTEST_KEY} characters or more")
    return key


def _broker_url(url: str) -> str:
    if not url.startswith(("mqtt://", "mqtts://")):
        raise ValueError("should begin with mqtt:// or mqtts://")
    return url


LOOPBACK = {"localhost", "127.0.0.1", "::1"}


def _issuer(url: str | None) -> str | None:
    if not url:  # as the compose file gives it to whoever chose none
        return None
    parts = urlsplit(url)
    if parts.query or parts.fragment or not (parts.scheme == "https" or parts.hostname in LOOPBACK):
        raise ValueError("should begin with https://, exactly as the provider writes its issuer")
    return url


def _smtp_url(url: SecretStr | None) -> SecretStr | None:
    if url is None or not url.get_secret_value():
        return None
    advice = (
        "should be smtps://USER:PASSWORD@HOST:465, smtp://…:587, or smtp+plain://HOST:25 without password"
    )
    try:
        parts = urlsplit(url.get_secret_value())
        usable = parts.scheme in {"smtps", "smtp", "smtp+plain"} and parts.hostname and parts.port != 0
    except ValueError as error:
        raise ValueError(advice) from error
    if not usable or (parts.scheme == "smtp+plain" and parts.username):
        raise ValueError(advice)
    return url


def _mailbox(address: str) -> str:
    if not re.fullmatch(r"[^\s@<>,;]+@[^\s@<>,;]+", address):
        raise ValueError("should be an e-mail address")
    return address


def _contact(where: str) -> str:
    if where and not where.startswith("https://"):
        return _mailbox(where)
    if not where.isprintable() or " " in where:
        raise ValueError("should be an e-mail address or an https:// address")
    return where


def _role_rules(given: str) -> str:
    if given:
        role_rules(given)
    return given


def role_rules(given: str) -> tuple[str, dict[str, str]]:
    """`claim=groups;admins=administrator` as the claim's name and a role for each of its values."""
    from service.registry.users import ROLES  # noqa: PLC0415 - SQLAlchemy is not for every command

    advice = "should be like claim=groups;admins=administrator;moyens-generaux=facilities"
    parts = [part.strip().rpartition("=") for part in given.split(";") if part.strip()]
    pairs = [(value, role) for value, _, role in parts]
    if not pairs or pairs[0][0] != "claim" or not pairs[0][1] or len(pairs) == 1:
        raise ValueError(advice)
    for value, role in pairs[1:]:
        if not value or role not in ROLES:
            raise ValueError(f"{advice}; a role is one of {', '.join(ROLES)}")
    return pairs[0][1], dict(pairs[1:])


def _age_recipient(key: str | None) -> str | None:
    if not key:  # as the compose file gives it to whoever chose none
        return None
    from pyrage import RecipientError, x25519  # noqa: PLC0415 - most installations have none

    try:
        x25519.Recipient.from_str(key)
    except RecipientError as error:
        raise ValueError(
            "must be age1…, the public half that `temoin backup --new-key FILE` prints"
        ) from error
    return key


def _own_landing(name: str) -> str:
    if not re.fullmatch("[a-z0-9-]{1,20}", name) or name in {"http", "demo"}:
        raise ValueError("must be 1 to 20 of a-z, 0-9 and -, neither http nor demo")
    return name


class Settings(BaseSettings):
    """The installation's settings; a bad value stops the start by its name."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, env_file=".env", extra="ignore", frozen=True)

    data_dir: Path = Field(
        Path("data"), description="Folder of the landing, the embedded store, the registry"
    )
    store: Literal["embedded", "influxdb"] = Field("embedded", description="Where readings are kept")
    influx_url: Annotated[str, AfterValidator(_web_url)] = Field(
        "http://localhost:8086", description="InfluxDB 2.x, when STORE is influxdb"
    )
    influx_token: SecretStr | None = Field(None, description="Its token: read and write on the bucket")
    influx_org: str = Field("temoin", description="Its organisation")
    influx_bucket: str = Field("temoin", description="Its bucket, made if the token may")
    influx_retention_days: int = Field(
        0, ge=0, description="Days that a bucket made by Témoin keeps readings; 0 for ever"
    )
    database_url: str | None = Field(
        None,
        description="Registry: sqlite:///… or postgresql+psycopg://…; by default registry.db in DATA_DIR",
    )
    mqtt_url: Annotated[str, AfterValidator(_broker_url)] = Field(
        "mqtt://localhost:1883", description="Broker: mqtt:// or mqtts://"
    )
    mqtt_protocol: Literal["auto", "5", "3.1.1"] = Field(
        "auto", description="MQTT version (5 costs more CPU)"
    )
    mqtt_topics: Annotated[tuple[str, ...], NoDecode] = Field(
        ("temoin/#", "application/#", "v3/#", "zigbee2mqtt/#"), description="Topics to follow, by commas"
    )
    mqtt_client_id: str | None = Field(
        None, description="Fixed name of the receiver at the broker; made in DATA_DIR if absent"
    )
    landing: Annotated[str, AfterValidator(_own_landing)] = Field(
        "mqtt",
        description="Where `temoin ingest` keeps what it receives; another name for each further one",
    )
    mqtt_user: str | None = Field(None, description="User at the broker")
    mqtt_password: SecretStr | None = Field(None, description="Password at the broker")
    mqtt_ca: Path | None = Field(None, description="CA certificate of the broker (PEM)")
    mqtt_cert: Path | None = Field(None, description="Client certificate (PEM)")
    mqtt_key: Path | None = Field(None, description="Key of the client certificate (PEM)")
    broker_passwords: Path | None = Field(
        None, description="Mosquitto's password file that `temoin gateway` writes; by default in DATA_DIR"
    )
    broker_acl: Path | None = Field(
        None, description="Mosquitto's access list that `temoin gateway` writes; by default in DATA_DIR"
    )
    host: str = Field("127.0.0.1", description="Address the pages are served on")
    port: int = Field(8080, ge=1, le=65535, description="Port the pages are served on")
    public_url: Annotated[str, AfterValidator(_web_url)] | None = Field(
        None, description="How people reach the pages: QR codes, secure cookies"
    )
    trusted_proxies: Annotated[str, AfterValidator(_networks)] = Field(
        "", description="Proxies whose X-Forwarded-* headers count: addresses or networks, by commas"
    )
    secret_key: Annotated[SecretStr, AfterValidator(_long_enough)] | None = Field(
        None, description="Signs forms and QR codes, 32 characters or more; made in DATA_DIR if absent"
    )
    session_hours: int = Field(12, ge=1, le=720, description="Hours after which one signs in again")
    session_idle_minutes: int = Field(
        120, ge=10, le=43_200, description="Minutes without a page after which one signs in again"
    )
    second_factor: Literal["optional", "administrators"] = Field(
        "optional", description="Whether administrators with a password here need a code of their telephone"
    )
    oidc_issuer: Annotated[str | None, AfterValidator(_issuer)] = Field(
        None, description="OpenID provider people sign in at, as it writes its issuer; needs PUBLIC_URL"
    )
    oidc_client_id: str | None = Field(None, description="Témoin's client at the provider")
    oidc_client_secret: SecretStr | None = Field(None, description="Its secret; none for a public client")
    oidc_name: str = Field("", description="What the button calls the account: « compte Ville de Nantes »")
    oidc_scopes: str = Field("openid email profile", description="What is asked of the provider")
    oidc_new: Literal["reader", "refuse"] = Field(
        "reader", description="Whoever the provider knows and Témoin does not: a new reader, or refused"
    )
    oidc_link_by_email: bool = Field(
        default=False, description="Link an account that is there, if the provider verified the same address"
    )
    oidc_roles: Annotated[str, AfterValidator(_role_rules)] = Field(
        "", description="Roles by a claim, at every sign-in: claim=groups;admins=administrator"
    )
    smtp_url: Annotated[SecretStr | None, AfterValidator(_smtp_url)] = Field(
        None,
        description="Mail server: smtps:// or smtp:// (STARTTLS) with user and password; needs PUBLIC_URL",
    )
    smtp_from: Annotated[str, AfterValidator(_mailbox)] | None = Field(
        None, description="Who writes the mail; temoin@ the host of PUBLIC_URL if absent"
    )
    metrics_token: SecretStr | None = Field(
        None, description="Bearer token that opens /metrics from elsewhere than this machine"
    )
    organisation: str = Field(
        "",
        max_length=200,
        description="Who runs this installation, as the accessibility declaration names it",
    )
    accessibility_contact: str = Field(
        "",
        max_length=300,
        description="Where an obstacle is reported: e-mail address, https:// address of a form, or telephone",
    )
    security_contact: Annotated[str, AfterValidator(_contact)] = Field(
        "",
        max_length=300,
        description="Where a weakness is told, for /.well-known/security.txt: e-mail or https:// address",
    )
    locale: Literal["fr", "en"] = Field("fr", description="Language where a reader has not chosen")
    timezone: Annotated[str, AfterValidator(_known_zone)] = Field("Europe/Paris", description="Of local days")
    landing_max_mb: int = Field(
        20_000,
        ge=1,
        description="Megabytes of messages kept on disk, each landing; then the broker has to wait",
    )
    disk_spare_mb: int = Field(
        200, ge=0, description="Megabytes the disk must have left for a message to be taken"
    )
    backup_recipient: Annotated[str | None, AfterValidator(_age_recipient)] = Field(
        None, description="Public key (age1…) that backups are encrypted to; in clear if absent"
    )
    raw_days: int = Field(30, ge=1, description="Days raw messages are kept")
    answer_months: int = Field(13, ge=1, description="Months answers are kept one by one")
    remark_months: int = Field(6, ge=1, description="Months free remarks are kept")
    min_group: int = Field(5, ge=5, description="Smallest group of answers that is shown (k); never below 5")
    max_body_bytes: int = Field(2_000_000, ge=1024, description="Largest request accepted")
    log_level: Literal["debug", "info", "warning", "error"] = Field("info", description="Detail of the logs")

    @field_validator("mqtt_topics", mode="before")
    @classmethod
    def _split_topics(cls, value: object) -> object:
        if not isinstance(value, str):
            return value
        topics = tuple(topic.strip() for topic in value.split(",") if topic.strip())
        if not topics:
            raise ValueError("should name at least one topic, for example temoin/#")
        return topics

    @model_validator(mode="after")
    def _complete(self) -> Settings:
        if self.store == "influxdb" and self.influx_token is None:
            raise ValueError("INFLUX_TOKEN is needed when STORE is influxdb")
        if (self.mqtt_cert is None) != (self.mqtt_key is None):
            raise ValueError("MQTT_CERT and MQTT_KEY go together")
        if self.public_url is None and (self.oidc_issuer or self.smtp_url):
            raise ValueError("PUBLIC_URL is needed with OIDC_ISSUER or SMTP_URL: people come back to it")
        if self.oidc_issuer and not self.oidc_client_id:
            raise ValueError("OIDC_CLIENT_ID is needed with OIDC_ISSUER")
        if self.oidc_issuer and "openid" not in self.oidc_scopes.split():
            raise ValueError("OIDC_SCOPES must have openid in it")
        return self

    @property
    def zone(self) -> ZoneInfo:
        """The time zone of local days and hours."""
        return ZoneInfo(self.timezone)

    @property
    def registry_url(self) -> str:
        """SQLAlchemy URL of the registry."""
        return self.database_url or f"sqlite:///{(self.data_dir / 'registry.db').absolute()}"

    @property
    def secure(self) -> bool:
        """Whether people come over https, so that cookies may insist on it."""
        return (self.public_url or "").startswith("https://")

    @property
    def mail_from(self) -> str:
        """Who writes the mail."""
        return self.smtp_from or f"temoin@{urlsplit(self.public_url or '').hostname or 'localhost'}"

    def signing_key(self) -> str:
        """SECRET_KEY, or the one made once and kept in DATA_DIR (readable by its owner only)."""
        if self.secret_key is not None:
            return self.secret_key.get_secret_value()
        return _kept(self.data_dir / "secret_key", secrets.token_urlsafe(48))

    def client_id(self) -> str:
        """MQTT_CLIENT_ID, or a name made once and kept in DATA_DIR.

        The broker gives a name's session, and the messages that wait in it, to whoever signs in by that
        name: nobody must be able to guess it.
        """
        made = f"temoin-{secrets.token_hex(8)}"
        return self.mqtt_client_id or _kept(self.data_dir / "landing" / f"{self.landing}.client_id", made)


def _kept(path: Path, made: str) -> str:
    """What the file says; `made` is written into one that is not there. Raises SettingsError."""
    try:
        if not path.exists():
            _make(path, made)
        return path.read_text(encoding="ascii").strip()
    except OSError as error:
        raise SettingsError(f"{PREFIX}DATA_DIR: {path} cannot be made or read ({error.strerror})") from error


def _make(path: Path, secret: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f"{path.name}.{os.getpid()}")
    draft.touch(mode=0o600)
    draft.write_text(secret, encoding="ascii")
    try:
        os.link(draft, path)  # the first of two processes wins; both read the same key
    except FileExistsError:
        pass
    finally:
        draft.unlink()


def load_settings(**overrides: Any) -> Settings:  # noqa: ANN401 - any setting's value
    """The settings of this process; `overrides` come from the command line. Raises SettingsError by name."""
    try:
        return Settings(**{**_from_files(), **overrides})
    except ValidationError as error:
        raise SettingsError("\n".join(_sentence(dict(line)) for line in error.errors())) from error


def unknown_settings() -> list[str]:
    """Variables that begin with TEMOIN_ and mean nothing: typing mistakes, most often."""
    known = {PREFIX + name.upper() for name in Settings.model_fields}
    return sorted(
        name
        for name in _given()
        if name.startswith(PREFIX)
        and not name.startswith(OF_TESTS)
        and name not in known
        and name.removesuffix("_FILE") not in known
    )


def _given() -> dict[str, str]:
    """The environment over `.env`, with the names as they are written."""
    return {**{name: value or "" for name, value in dotenv_values(".env").items()}, **os.environ}


def _from_files() -> dict[str, str]:
    """Values of the settings given as `TEMOIN_X_FILE=path`, in the environment or `.env`."""
    given = _given()
    values = {}
    for field in Settings.model_fields:
        name = f"{PREFIX}{field.upper()}"
        path = given.get(f"{name}_FILE")
        if not path:
            continue
        if name in given:
            raise SettingsError(f"{name} and {name}_FILE are both set: keep one")
        try:
            values[field] = Path(path).read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            why = error.strerror if isinstance(error, OSError) else "it is not text"
            raise SettingsError(f"{name}_FILE: cannot read {path} ({why})") from error
    return values


def _sentence(line: dict[str, Any]) -> str:
    where = line["loc"][0] if line["loc"] else None
    message = str(line["msg"]).removeprefix("Value error, ")
    if where is None:
        return f"{PREFIX}{message}"
    name = str(where)
    secret = any(word in name for word in ("secret", "password", "token", "smtp_url"))
    got = "" if secret else f" (it is {line['input']!r})"
    return f"{PREFIX}{name.upper()}: {message}{got}"
