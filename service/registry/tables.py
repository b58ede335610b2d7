"""Every table of the registry: what people declare, answer and decide. No reading is kept here.

Times are aware UTC; days are local dates of the installation's time zone.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, time
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    CheckConstraint,
    DateTime,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Text,
    TypeDecorator,
    UniqueConstraint,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

ONCE = {"sqlite_autoincrement": True}  # numbers are in addresses and logs: none is given to another
BigId = BigInteger().with_variant(Integer, "sqlite")


class UtcDateTime(TypeDecorator[datetime]):
    """Aware UTC in and out; a naive datetime is a mistake and refused."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Any) -> datetime | None:  # noqa: ANN401, ARG002 - SQLAlchemy's signature
        """Refuse naive times, store UTC."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a naive datetime reached the registry; give it a time zone")
        return value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Any) -> datetime | None:  # noqa: ANN401, ARG002 - SQLAlchemy's signature
        """SQLite gives naive times back; they are UTC."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class Base(DeclarativeBase):
    """Root of the tables, with names for every constraint so that migrations can find them."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map = {datetime: UtcDateTime(), dict[str, Any]: JSON()}  # noqa: RUF012 - SQLAlchemy's hook


class Site(Base):
    """A building, with the hours and closures its rooms follow."""

    __tablename__ = "sites"
    id: Mapped[int] = mapped_column(primary_key=True)
    slug: Mapped[str] = mapped_column(String(60), unique=True)
    name: Mapped[str] = mapped_column(String(120))
    opens: Mapped[time] = mapped_column(default=time(8))
    closes: Mapped[time] = mapped_column(default=time(19))
    weekdays: Mapped[str] = mapped_column(String(7), default="12345")  # ISO, Monday is 1
    rooms: Mapped[list[Room]] = relationship(back_populates="site", order_by="Room.name")
    closures: Mapped[list[Closure]] = relationship(back_populates="site", order_by="Closure.day")


class Closure(Base):
    """A day on which a whole site is closed."""

    __tablename__ = "closures"
    site_id: Mapped[int] = mapped_column(ForeignKey("sites.id"), primary_key=True)
    day: Mapped[date] = mapped_column(primary_key=True)
    reason: Mapped[str] = mapped_column(String(120), default="")
    site: Mapped[Site] = relationship(back_populates="closures")


class Room(Base):
    """A meeting room."""

    __tablename__ = "rooms"
    id: Mapped[int] = mapped_column(primary_key=True)
    slug: Mapped[str] = mapped_column(String(60), unique=True)
    name: Mapped[str] = mapped_column(String(120))
    site_id: Mapped[int] = mapped_column(ForeignKey("sites.id"), index=True)
    floor: Mapped[str | None] = mapped_column(String(20))
    capacity: Mapped[int | None]
    area_m2: Mapped[float | None]
    volume_m3: Mapped[float | None]
    site: Mapped[Site] = relationship(back_populates="rooms")
    placements: Mapped[list[Placement]] = relationship(back_populates="room", order_by="Placement.start")


class Device(Base):
    """Something that measures; `key` is `gateway/name`, the identity readings carry."""

    __tablename__ = "devices"
    key: Mapped[str] = mapped_column(String(200), primary_key=True)
    gateway: Mapped[str] = mapped_column(String(100), index=True)
    label: Mapped[str | None] = mapped_column(String(120))
    model: Mapped[str | None] = mapped_column(String(120))
    position: Mapped[str | None] = mapped_column(String(200))  # where in the room, in words
    continues_key: Mapped[str | None] = mapped_column(String(200))  # the device this one took the place of
    heartbeat_minutes: Mapped[int | None]  # declared for event-driven devices
    first_seen: Mapped[datetime | None]  # null: declared, never heard
    last_seen: Mapped[datetime | None]
    placements: Mapped[list[Placement]] = relationship(back_populates="device", order_by="Placement.start")


class DevicePhoto(Base):
    """Where a device hangs, as somebody took it: JPEG, encoded anew, without metadata."""

    __tablename__ = "device_photos"
    device_key: Mapped[str] = mapped_column(ForeignKey("devices.key"), primary_key=True)
    image: Mapped[bytes] = mapped_column(LargeBinary)
    width: Mapped[int]
    height: Mapped[int]
    added_at: Mapped[datetime]
    added_by: Mapped[str] = mapped_column(String(120))


class Placement(Base):
    """Which room a device measured, from when until when."""

    __tablename__ = "placements"
    __table_args__ = (CheckConstraint('"end" IS NULL OR "end" > "start"', name="ordered"),)
    id: Mapped[int] = mapped_column(primary_key=True)
    device_key: Mapped[str] = mapped_column(ForeignKey("devices.key"), index=True)
    room_id: Mapped[int] = mapped_column(ForeignKey("rooms.id"), index=True)
    start: Mapped[datetime]
    end: Mapped[datetime | None]
    device: Mapped[Device] = relationship(back_populates="placements")
    room: Mapped[Room] = relationship(back_populates="placements")

    def holds(self, at: datetime) -> bool:
        """Whether the device is there at this instant."""
        return self.start <= at and (self.end is None or self.end > at)


class Experiment(Base):
    """A trial of a layout: its sheet, its dates, its mechanism. Once locked, the Protocol speaks."""

    __tablename__ = "experiments"
    id: Mapped[int] = mapped_column(primary_key=True)
    slug: Mapped[str] = mapped_column(String(80), unique=True)
    title: Mapped[str] = mapped_column(String(200))
    declared_at: Mapped[datetime]
    declared_on: Mapped[date | None]  # the local day of that; not known of those from before it was kept
    starts: Mapped[date | None]  # first day of the period before
    ends: Mapped[date | None]  # last day of the period after
    expires: Mapped[date | None]  # when the temporary layout goes back unless decided
    washout: Mapped[int] = mapped_column(default=5)
    min_days: Mapped[int] = mapped_column(default=10)
    min_coverage: Mapped[float] = mapped_column(default=0.7)
    assignment: Mapped[str] = mapped_column(String(10), default="unknown")
    seed: Mapped[int] = mapped_column(BigInteger, default=0)
    alpha: Mapped[float] = mapped_column(default=0.05)
    interim: Mapped[bool] = mapped_column(default=False)
    # the sheet, in the words of those who try: idea, problem, hypothesis, change, why_rooms, people,
    # owner, sponsor, risks, accessibility, committee, agents_after (people in the whole estate), rooms_after
    sheet: Mapped[dict[str, Any]] = mapped_column(default=dict)
    # in whose hands it is
    owner_id: Mapped[int | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"), index=True)
    owner: Mapped[User | None] = relationship()
    arms: Mapped[list[Arm]] = relationship(back_populates="experiment", cascade="all, delete-orphan")
    measures: Mapped[list[Measure]] = relationship(
        back_populates="experiment", cascade="all, delete-orphan", order_by="Measure.position"
    )
    protocol: Mapped[Protocol | None] = relationship(back_populates="experiment")
    looks: Mapped[list[Look]] = relationship(back_populates="experiment", order_by="Look.taken_at")
    costs: Mapped[list[Cost]] = relationship(back_populates="experiment", order_by="Cost.id")
    deviations: Mapped[list[Deviation]] = relationship(back_populates="experiment", order_by="Deviation.day")
    decision: Mapped[Decision | None] = relationship(back_populates="experiment")


class Arm(Base):
    """A room's part in an experiment: treated from `switch` (first day after the change), or baseline."""

    __tablename__ = "arms"
    experiment_id: Mapped[int] = mapped_column(ForeignKey("experiments.id"), primary_key=True)
    room_id: Mapped[int] = mapped_column(ForeignKey("rooms.id"), primary_key=True, index=True)
    switch: Mapped[date | None]  # null: baseline
    pair: Mapped[str | None] = mapped_column(String(40))
    experiment: Mapped[Experiment] = relationship(back_populates="arms")
    room: Mapped[Room] = relationship()


class Measure(Base):
    """One outcome of an experiment and what was fixed about it beforehand."""

    __tablename__ = "measures"
    experiment_id: Mapped[int] = mapped_column(ForeignKey("experiments.id"), primary_key=True)
    outcome: Mapped[str] = mapped_column(String(40), primary_key=True)
    role: Mapped[str] = mapped_column(String(10))  # primary | guardrail | secondary
    better: Mapped[str] = mapped_column(String(6))  # higher | lower
    useful: Mapped[float | None]  # primary: the smallest useful effect, in the outcome's unit
    margin: Mapped[float | None]  # guardrail: the largest harm tolerated, > 0, in the outcome's unit
    position: Mapped[int] = mapped_column(default=0)
    experiment: Mapped[Experiment] = relationship(back_populates="measures")


class Protocol(Base):
    """The experiment as locked: a canonical JSON document and its SHA-256. Never updated."""

    __tablename__ = "protocols"
    experiment_id: Mapped[int] = mapped_column(ForeignKey("experiments.id"), primary_key=True)
    document: Mapped[str] = mapped_column(Text)
    sha256: Mapped[str] = mapped_column(String(64))
    locked_at: Mapped[datetime]
    locked_by: Mapped[str] = mapped_column(String(120))
    experiment: Mapped[Experiment] = relationship(back_populates="protocol")


class Look(Base):
    """The panel at a look (interim or final), frozen: CSV compressed with zlib, its SHA-256, the result."""

    __tablename__ = "looks"
    __table_args__ = (UniqueConstraint("experiment_id", "kind"),)
    id: Mapped[int] = mapped_column(primary_key=True)
    experiment_id: Mapped[int] = mapped_column(ForeignKey("experiments.id"), index=True)
    kind: Mapped[str] = mapped_column(String(10))  # interim | final
    taken_at: Mapped[datetime]
    panel: Mapped[bytes] = mapped_column(LargeBinary, deferred=True)  # large, and lists need the result only
    sha256: Mapped[str] = mapped_column(String(64))
    result: Mapped[dict[str, Any]]
    experiment: Mapped[Experiment] = relationship(back_populates="looks")


class Deviation(Base):
    """Something that departed from the protocol or was not planned (« imprévu »), recorded, never erased."""

    __tablename__ = "deviations"
    id: Mapped[int] = mapped_column(primary_key=True)
    experiment_id: Mapped[int] = mapped_column(ForeignKey("experiments.id"), index=True)
    day: Mapped[date]
    what: Mapped[str] = mapped_column(Text)
    entered_by: Mapped[str] = mapped_column(String(120))
    entered_at: Mapped[datetime]
    experiment: Mapped[Experiment] = relationship(back_populates="deviations")


class Cost(Base):
    """Money and internal hours, planned or actual, for all treated rooms together."""

    __tablename__ = "costs"
    id: Mapped[int] = mapped_column(primary_key=True)
    experiment_id: Mapped[int] = mapped_column(ForeignKey("experiments.id"), index=True)
    kind: Mapped[str] = mapped_column(String(10))  # planned | actual
    label: Mapped[str] = mapped_column(String(120))
    euros: Mapped[float] = mapped_column(default=0.0)
    hours: Mapped[float] = mapped_column(default=0.0)
    experiment: Mapped[Experiment] = relationship(back_populates="costs")


class Decision(Base):
    """What was decided: generalise, extend, adjust, stop or inconclusive; by which body, when, why."""

    __tablename__ = "decisions"
    experiment_id: Mapped[int] = mapped_column(ForeignKey("experiments.id"), primary_key=True)
    choice: Mapped[str] = mapped_column(String(12))
    body: Mapped[str] = mapped_column(String(200))
    decided_on: Mapped[date]
    reason: Mapped[str] = mapped_column(Text)
    lessons: Mapped[str] = mapped_column(Text, default="")
    entered_by: Mapped[str] = mapped_column(String(120))
    entered_at: Mapped[datetime]
    experiment: Mapped[Experiment] = relationship(back_populates="decision")


class Answer(Base):
    """One anonymous answer to the form: room, local day and hour, and what was ticked. Nothing else."""

    __tablename__ = "answers"
    __table_args__ = (Index(None, "room_id", "day"),)
    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    room_id: Mapped[int] = mapped_column(ForeignKey("rooms.id"))
    day: Mapped[date]
    hour: Mapped[int]
    satisfaction: Mapped[int]  # 1–7, the only compulsory one
    helped: Mapped[int | None]  # 1–7
    temperature: Mapped[str | None] = mapped_column(String(10))  # cooler | same | warmer
    air: Mapped[int | None]  # 1–7
    hearing: Mapped[int | None]  # 1–7
    discomfort: Mapped[str | None] = mapped_column(String(10))  # none | slight | clear | unsaid
    worth: Mapped[int | None]  # 1–5, ROTI
    group_size: Mapped[str | None] = mapped_column(String(5))  # 1-2 | 3-5 | 6-10 | 11+
    remark: Mapped[str | None] = mapped_column(String(280))
    flagged: Mapped[bool] = mapped_column(default=False)


class SpentNonce(Base):
    """A form already sent: its signed nonce serves once."""

    __tablename__ = "spent_nonces"
    nonce: Mapped[str] = mapped_column(String(64), primary_key=True)
    expires: Mapped[datetime] = mapped_column(index=True)


class Outcome(Base):
    """One number per room and local day, with the share of opening hours it rests on."""

    __tablename__ = "outcomes"
    __table_args__ = (Index(None, "day"),)
    room_id: Mapped[int] = mapped_column(ForeignKey("rooms.id"), primary_key=True)
    outcome: Mapped[str] = mapped_column(String(40), primary_key=True)
    day: Mapped[date] = mapped_column(primary_key=True)
    version: Mapped[int]
    value: Mapped[float | None]  # null: not defined that day (never met, no sensor)
    coverage: Mapped[float]


class Calendar(Base):
    """Which local days of a room's calendar are known: a day without a booking was free, not forgotten."""

    __tablename__ = "calendars"
    room_id: Mapped[int] = mapped_column(ForeignKey("rooms.id"), primary_key=True)
    first: Mapped[date]
    last: Mapped[date]


class Booking(Base):
    """A booking of a room: from when until when, and nothing of who or what for.

    `key` is a keyed hash of its identifier in the calendar, so that the same one is known again.
    """

    __tablename__ = "bookings"
    room_id: Mapped[int] = mapped_column(ForeignKey("rooms.id"), primary_key=True)
    key: Mapped[str] = mapped_column(String(32), primary_key=True)
    start: Mapped[datetime] = mapped_column(index=True)
    end: Mapped[datetime]


class DeviceDay(Base):
    """How a device that was in a room did on a local day; see sensors.health.DeviceDay."""

    __tablename__ = "device_days"
    device_key: Mapped[str] = mapped_column(ForeignKey("devices.key"), primary_key=True)
    day: Mapped[date] = mapped_column(primary_key=True, index=True)
    messages: Mapped[int]
    interval: Mapped[int | None]  # s
    longest_gap: Mapped[int]  # s
    stuck: Mapped[str] = mapped_column(String(100), default="")  # metrics, by commas
    apart: Mapped[str] = mapped_column(String(100), default="")
    battery: Mapped[float | None]  # %


class StaleDay(Base):
    """A local day to compute (again): new, late data, a corrected placement, other hours."""

    __tablename__ = "stale_days"
    day: Mapped[date] = mapped_column(primary_key=True)
    marked_at: Mapped[datetime]


class QuarantineCause(Base):
    """Why payloads of one gateway and shape wait, and how many: kept as they come and go, never counted."""

    __tablename__ = "quarantine_causes"
    __table_args__ = (UniqueConstraint("code", "gateway", "shape"),)
    id: Mapped[int] = mapped_column(primary_key=True)
    code: Mapped[str] = mapped_column(String(40))
    gateway: Mapped[str] = mapped_column(String(100))
    shape: Mapped[str] = mapped_column(String(200))
    waiting: Mapped[int] = mapped_column(default=0)
    first_at: Mapped[datetime]  # of those that wait
    last_at: Mapped[datetime]
    latest_id: Mapped[int] = mapped_column(BigInteger)  # the entry that came last, whatever became of it


class QuarantineEntry(Base):
    """A payload that could not become readings: why, and its bytes, until replayed or dropped."""

    __tablename__ = "quarantine"
    __table_args__ = (
        UniqueConstraint("landing", "landing_id"),
        Index(None, "status", "code"),
        Index(None, "cause_id", "status"),
    )
    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    landing: Mapped[str] = mapped_column(String(40))  # which landing, and the row in it:
    landing_id: Mapped[int] = mapped_column(BigInteger)  # delivering it twice is one entry
    received_at: Mapped[datetime]
    topic: Mapped[str] = mapped_column(Text)
    payload: Mapped[bytes] = mapped_column(LargeBinary)
    retained: Mapped[bool] = mapped_column(default=False)
    code: Mapped[str] = mapped_column(String(40))
    reason: Mapped[str] = mapped_column(Text)
    status: Mapped[str] = mapped_column(String(10), default="waiting")  # waiting | replayed | dropped
    cause_id: Mapped[int | None] = mapped_column(ForeignKey("quarantine_causes.id"))
    settled_at: Mapped[datetime | None]  # replayed or dropped


class MappingVersion(Base):
    """What somebody said the payloads of a topic mean, version by version; without document: withdrawn."""

    __tablename__ = "mappings"
    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    version: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    topic: Mapped[str] = mapped_column(Text)
    document: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))
    made_at: Mapped[datetime]
    made_by: Mapped[str] = mapped_column(String(254))


class Replay(Base):
    """Refused messages to be read again, and how far that is: those of a cause, of a mapping, or all."""

    __tablename__ = "replays"
    __table_args__ = ONCE
    id: Mapped[int] = mapped_column(primary_key=True)
    cause_id: Mapped[int | None] = mapped_column(ForeignKey("quarantine_causes.id"))
    mapping: Mapped[int | None]  # its number
    asked_at: Mapped[datetime]
    asked_by: Mapped[str] = mapped_column(String(254))
    ended_at: Mapped[datetime | None]
    total: Mapped[int] = mapped_column(default=0)  # messages to look at
    done: Mapped[int] = mapped_column(default=0)
    stored: Mapped[int] = mapped_column(default=0)  # messages understood
    readings: Mapped[int] = mapped_column(default=0)
    removed: Mapped[int] = mapped_column(default=0)  # readings that an earlier version got wrong
    waiting: Mapped[int] = mapped_column(default=0)  # messages that wait on
    trouble: Mapped[str | None] = mapped_column(Text)


class Share(Base):
    """A link by which somebody without an account sees an experiment's page as it was when it was made."""

    __tablename__ = "shares"
    __table_args__ = ONCE
    id: Mapped[int] = mapped_column(primary_key=True)
    token_sha256: Mapped[str] = mapped_column(String(64), unique=True)
    experiment_id: Mapped[int] = mapped_column(ForeignKey("experiments.id"), index=True)
    made_at: Mapped[datetime]
    made_by: Mapped[str] = mapped_column(String(254))
    expires: Mapped[datetime]
    revoked_at: Mapped[datetime | None]
    last_used: Mapped[datetime | None]  # to ten minutes
    # `title`, and the HTML of the page by locale; empty once revoked
    frozen: Mapped[dict[str, Any]] = mapped_column(deferred=True)
    experiment: Mapped[Experiment] = relationship()


class Import(Base):
    """A file of history: `map` says what its columns are, as TOML would; its file stays for a while.

    `status` goes draft → asked → done, or failed; done → undoing → undone.
    """

    __tablename__ = "imports"
    __table_args__ = ONCE
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(120))
    size: Mapped[int] = mapped_column(BigInteger)  # bytes
    map: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))
    status: Mapped[str] = mapped_column(String(10), default="draft")
    added_at: Mapped[datetime]
    added_by: Mapped[str] = mapped_column(String(254))
    total: Mapped[int] = mapped_column(default=0)  # readings to write or remove
    done: Mapped[int] = mapped_column(default=0)
    report: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))
    trouble: Mapped[str | None] = mapped_column(Text)


class User(Base):
    """Somebody who signs in."""

    __tablename__ = "users"
    __table_args__ = ONCE
    id: Mapped[int] = mapped_column(primary_key=True)
    email: Mapped[str] = mapped_column(String(254), unique=True)  # lower case
    name: Mapped[str] = mapped_column(String(120))
    password_hash: Mapped[str | None] = mapped_column(String(255))
    role: Mapped[str] = mapped_column(String(15), default="reader")  # reader facilities analyst administrator
    active: Mapped[bool] = mapped_column(default=True)
    created_at: Mapped[datetime]


class Session(Base):
    """A signed-in browser (SHA-256 of its cookie), a one-time link, or one to choose a password: `kind`."""

    __tablename__ = "sessions"
    token_sha256: Mapped[str] = mapped_column(String(64), primary_key=True)
    kind: Mapped[str] = mapped_column(String(10), default="session")
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"), index=True)
    expires: Mapped[datetime]
    created_at: Mapped[datetime | None]
    last_seen: Mapped[datetime | None]  # to ten minutes, or a fifth of how long a session may rest
    browser: Mapped[str | None] = mapped_column(String(40))  # « Firefox, Windows », no version
    user: Mapped[User] = relationship()


class Identity(Base):
    """Who somebody is at an OpenID provider: there the subject never changes hands, an address may."""

    __tablename__ = "identities"
    issuer: Mapped[str] = mapped_column(String(255), primary_key=True)
    subject: Mapped[str] = mapped_column(String(255), primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    linked_at: Mapped[datetime]


class SecondFactor(Base):
    """What somebody is asked after their password; see second_factor.py."""

    __tablename__ = "second_factors"
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), primary_key=True)
    sealed_secret: Mapped[str] = mapped_column(String(255))
    recovery_sha256: Mapped[list[str]] = mapped_column(JSON)  # of the codes that are left
    last_step: Mapped[int]  # of 30 seconds: the code of none before it serves
    enrolled_at: Mapped[datetime]


class Change(Base):
    """One change of what people made: who, when, from, to. Never updated, never deleted; see audit.py."""

    __tablename__ = "audit"
    id: Mapped[int] = mapped_column(BigId, primary_key=True, autoincrement=False)  # 1, 2, 3…: no gap
    at: Mapped[datetime]
    who: Mapped[str] = mapped_column(String(400), index=True)  # « Marie Dupont <marie@ville.example> »
    action: Mapped[str] = mapped_column(String(10))  # created | changed | deleted
    kind: Mapped[str] = mapped_column(String(40), index=True)  # the table
    row: Mapped[str] = mapped_column(String(400))  # its primary key, « 12 » or « 3/loire »
    called: Mapped[str] = mapped_column(Text)  # how the row is called, since it may be gone
    before: Mapped[dict[str, Any]]  # of what was changed, only
    after: Mapped[dict[str, Any]]
    previous: Mapped[str] = mapped_column(String(64))  # hash of the change before
    hash: Mapped[str] = mapped_column(String(64))


class Lease(Base):
    """Who may run the jobs, until when."""

    __tablename__ = "leases"
    name: Mapped[str] = mapped_column(String(40), primary_key=True)
    holder: Mapped[str] = mapped_column(String(100))
    until: Mapped[datetime]


class Gateway(Base):
    """Who may send readings: a user at the broker below `temoin/{name}/`, and HTTP tokens."""

    __tablename__ = "gateways"
    name: Mapped[str] = mapped_column(String(40), primary_key=True)
    added_at: Mapped[datetime]
    broker_hash: Mapped[str] = mapped_column(String(200))  # of the password, as Mosquitto's file has it
    tokens: Mapped[list[GatewayToken]] = relationship(
        back_populates="gateway", cascade="all, delete-orphan", order_by="GatewayToken.expires"
    )


class GatewayToken(Base):
    """An HTTP token of a gateway: its SHA-256, and until when it opens anything."""

    __tablename__ = "gateway_tokens"
    token_sha256: Mapped[str] = mapped_column(String(64), primary_key=True)
    gateway_name: Mapped[str] = mapped_column(ForeignKey("gateways.name"), index=True)
    made_at: Mapped[datetime]
    expires: Mapped[datetime]
    gateway: Mapped[Gateway] = relationship(back_populates="tokens")


class GatewayDay(Base):
    """What came from one source on one UTC day; a source nobody added is counted too."""

    __tablename__ = "gateway_days"
    gateway: Mapped[str] = mapped_column(String(100), primary_key=True)
    day: Mapped[date] = mapped_column(primary_key=True)
    messages: Mapped[int] = mapped_column(BigInteger)
    unpromised: Mapped[int] = mapped_column(BigInteger)  # of them at QoS 0
    refused: Mapped[int] = mapped_column(BigInteger)  # of them not, or not wholly, understood
    last_message: Mapped[datetime]
