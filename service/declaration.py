"""What a declaration file may say, and every mistake in it with its line. See docs/declare.md."""

from __future__ import annotations

import tomllib
from collections import Counter
from datetime import date, datetime, time
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from experiments.design import Assignment, Better, Role
from service.placing import CENTURY
from service.toml_lines import Lines

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


class DeclarationRejected(Exception):  # noqa: N818 - sibling of PayloadRejected
    """A file that was not applied; one sentence a mistake, each with its line and field."""

    def __init__(self, mistakes: Sequence[str]) -> None:
        super().__init__("\n".join(mistakes))
        self.mistakes = tuple(mistakes)


def _day(value: object) -> object:
    if type(value) is not date or value.year not in CENTURY:
        raise ValueError("should be a day of this century such as 2026-03-02, without quotes")
    return value


def _moment(value: object) -> object:
    """A day is its local midnight; a time without an offset is local."""
    if not isinstance(value, date) or value.year not in CENTURY:
        raise ValueError(
            "should be a day of this century such as 2026-03-02, or a day and time, without quotes"
        )
    return value if isinstance(value, datetime) else datetime.combine(value, time())


def _clock(value: object) -> object:
    if not isinstance(value, time):
        raise ValueError("should be a time such as 08:30:00, without quotes")  # noqa: TRY004 - pydantic tells these
    return value


def _closing(value: object) -> object:
    return {"day": value} if isinstance(value, date) else value


def _weekdays(value: object) -> object:
    if not (isinstance(value, str) and value and set(value) <= set("1234567")):
        raise ValueError('should be digits, 1 for Monday to 7 for Sunday, such as "12345"')
    return "".join(sorted(set(value)))


Slug = Annotated[str, Field(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$", max_length=60)]
Name = Annotated[str, Field(min_length=1, max_length=120)]
Day = Annotated[date, BeforeValidator(_day)]
Moment = Annotated[datetime, BeforeValidator(_moment)]
Clock = Annotated[time, BeforeValidator(_clock)]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
NotNegative = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class _Entry(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    def said(self, *names: str) -> dict[str, Any]:
        """Those of these fields that the file gives: what it does not say is left as it is."""
        return {name: getattr(self, name) for name in names if name in self.model_fields_set}


class RoomEntry(_Entry):
    """`[[sites.rooms]]`."""

    slug: Slug
    name: Name
    floor: Annotated[str, Field(max_length=20)] | None = None
    capacity: Annotated[int, Field(ge=1, le=10_000)] | None = None
    area_m2: Positive | None = None
    volume_m3: Positive | None = None


class ClosingEntry(_Entry):
    """A day in `closures`, bare or with its reason."""

    day: Day
    reason: Annotated[str, Field(max_length=120)] = ""


class SiteEntry(_Entry):
    """`[[sites]]`."""

    slug: Slug
    name: Name
    opens: Clock = time(8)
    closes: Clock = time(19)
    weekdays: Annotated[str, BeforeValidator(_weekdays)] = "12345"
    closures: list[Annotated[ClosingEntry, BeforeValidator(_closing)]] = []
    rooms: list[RoomEntry] = []


class PlacementEntry(_Entry):
    """An element of `placements`: where the device measured, from when until when."""

    room: str
    start: Moment
    end: Moment | None = None


class DeviceEntry(_Entry):
    """`[[devices]]`; `key` is `gateway/name`."""

    key: Annotated[str, Field(pattern=r"^[^/]+/.+$", max_length=200)]
    label: Name | None = None
    heartbeat_minutes: Annotated[int, Field(ge=1, le=10_080)] | None = None
    placements: list[PlacementEntry] = []


class MeasureEntry(_Entry):
    """`[[experiments.measures]]`; `better` is the outcome's usual direction unless given."""

    outcome: str
    role: Role
    better: Better | None = None
    useful: Positive | None = None
    margin: Positive | None = None


class CostEntry(_Entry):
    """`[[experiments.costs]]`: for all treated rooms together."""

    kind: Literal["planned", "actual"]
    label: Name
    euros: NotNegative = 0.0
    hours: NotNegative = 0.0


class DeviationEntry(_Entry):
    """`[[experiments.deviations]]`: something that was not planned; kept for good."""

    day: Day
    what: Annotated[str, Field(min_length=1)]


class DecisionEntry(_Entry):
    """`[experiments.decision]`: what was decided, by which body, why; once."""

    choice: Literal["generalise", "extend", "adjust", "stop", "inconclusive"]
    body: Annotated[str, Field(min_length=1, max_length=200)]
    decided_on: Day
    reason: Annotated[str, Field(min_length=1)]
    lessons: str = ""


class SheetEntry(_Entry):
    """`[experiments.sheet]`: the trial in the words of those who try."""

    idea: str = ""
    problem: str = ""
    hypothesis: str = ""
    change: str = ""
    why_rooms: str = ""
    people: str = ""
    owner: str = ""
    sponsor: str = ""
    risks: str = ""
    accessibility: str = ""
    committee: str = ""
    agents_after: int | None = None
    rooms_after: int | None = None


class ExperimentEntry(_Entry):
    """`[[experiments]]`; `switch` gives each treated room its first day after the change."""

    slug: Annotated[str, Field(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$", max_length=80)]
    title: Annotated[str, Field(min_length=1, max_length=200)]
    starts: Day | None = None
    ends: Day | None = None
    expires: Day | None = None
    switch: dict[str, Day] = {}
    baseline: list[str] = []
    pairs: list[Annotated[list[str], Field(min_length=2, max_length=2)]] = []
    washout: Annotated[int, Field(ge=0, le=366)] = 5
    min_days: Annotated[int, Field(ge=1, le=366)] = 10
    min_coverage: Annotated[float, Field(ge=0, le=1)] = 0.7
    assignment: Assignment = "unknown"
    seed: Annotated[int, Field(ge=0, lt=2**63)] = 0
    alpha: Annotated[float, Field(gt=0, lt=1)] = 0.05
    interim: bool = False
    lock: bool = True
    sheet: SheetEntry = SheetEntry()
    measures: list[MeasureEntry] = []
    costs: list[CostEntry] = []
    deviations: list[DeviationEntry] = []
    decision: DecisionEntry | None = None


class _Document(_Entry):
    sites: list[SiteEntry] = []
    devices: list[DeviceEntry] = []
    experiments: list[ExperimentEntry] = []


class Declaration:
    """A file that reads well so far; collects the mistakes that only the registry shows.

    Raises DeclarationRejected for what is no TOML, an unknown field, a wrong type or value.
    """

    def __init__(self, text: str) -> None:
        try:
            given = tomllib.loads(text)
        except tomllib.TOMLDecodeError as error:
            raise DeclarationRejected([f"this is not TOML: {error}"]) from error
        self._lines = Lines(text)
        self._mistakes: list[tuple[int, str]] = []
        try:
            document = _Document.model_validate(given)
        except ValidationError as error:
            for line in error.errors():
                self.mistake(line["loc"], _sentence(line["type"], line["msg"]))
            self.reject()
        self.sites, self.devices = document.sites, document.devices
        self.experiments = document.experiments
        self._twice()
        self.reject()

    def mistake(self, path: Sequence[str | int], sentence: str) -> None:
        """Remember that this value cannot be applied."""
        line = self._lines.of(path)
        steps = [f" {step + 1}" if isinstance(step, int) else f" › {step}" for step in path]
        told = f"line {line}: {''.join(steps).removeprefix(' › ')}: {sentence}"
        if (line, told) not in self._mistakes:
            self._mistakes.append((line, told))

    def reject(self) -> None:
        """Raise DeclarationRejected with every mistake so far, in the file's order; none is fine."""
        if self._mistakes:
            raise DeclarationRejected([told for _, told in sorted(self._mistakes)])

    def _twice(self) -> None:
        self._unique((("sites", i, "slug"), site.slug) for i, site in enumerate(self.sites))
        self._unique(
            (("sites", i, "rooms", j, "slug"), room.slug)
            for i, site in enumerate(self.sites)
            for j, room in enumerate(site.rooms)
        )
        for i, site in enumerate(self.sites):
            self._unique(
                (("sites", i, "closures", j), str(closing.day)) for j, closing in enumerate(site.closures)
            )
        self._unique((("devices", i, "key"), device.key) for i, device in enumerate(self.devices))
        self._unique((("experiments", i, "slug"), each.slug) for i, each in enumerate(self.experiments))
        for i, each in enumerate(self.experiments):
            self._unique(
                (("experiments", i, "measures", j, "outcome"), measure.outcome)
                for j, measure in enumerate(each.measures)
            )

    def _unique(self, names: Iterable[tuple[tuple[str | int, ...], str]]) -> None:
        seen: Counter[str] = Counter()
        for place, name in names:
            seen[name] += 1
            if seen[name] == 2:  # noqa: PLR2004 - once is enough to say
                self.mistake(place, f"« {name} » is there twice")


def _sentence(kind: str, message: str) -> str:
    if kind == "extra_forbidden":
        return "there is no such field; see docs/declare.md"
    if kind == "missing":
        return "is missing"
    if kind == "string_pattern_mismatch":
        return "should be small letters, digits and hyphens (a device: gateway/name)"
    return message.removeprefix("Value error, ").removeprefix("Input ")
