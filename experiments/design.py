"""What was decided before the start: rooms, dates, mechanism, outcomes, thresholds."""

from __future__ import annotations

import hashlib
import json
import math
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from datetime import date, datetime
from numbers import Integral
from typing import Any, Literal, TypeVar

from experiments.reason import DesignError

Day = date | int
Assignment = Literal["lot", "reasoned", "unknown"]
Better = Literal["higher", "lower"]
Role = Literal["primary", "guardrail", "secondary"]
EPOCH = date(1970, 1, 1)
_T = TypeVar("_T")


def as_day(value: object) -> Day:
    """A local date or an integer period, from a date, a datetime, an ISO string or a whole number."""
    if value != value:  # noqa: PLR0124 - NaN and NaT, of whatever library
        raise DesignError("a day is missing: give a date or a whole number")
    if getattr(getattr(value, "dtype", None), "kind", "") == "M":
        return as_day(value.astype("datetime64[D]").item())  # type: ignore[attr-defined]  # a numpy.datetime64
    if isinstance(value, datetime):
        return value.date()
    if isinstance(value, date):
        return value
    if isinstance(value, str):
        try:
            return date.fromisoformat(value)
        except ValueError as error:
            raise DesignError(f"{value!r} is not a day: write it as 2026-04-13") from error
    if isinstance(value, bool) or not hasattr(value, "__index__"):
        raise DesignError(f"{value!r} is not a day: give a date or a whole number")
    return int(value.__index__())


def day_number(day: Day) -> int:
    """Days since 1970-01-01, or the integer itself."""
    return (day - EPOCH).days if isinstance(day, date) else day


@dataclass(frozen=True)
class Design:
    """Which rooms changed when, compared with which others.

    `switch` gives each treated room the first day after its change; `baseline` None means every other room
    of the panel; `washout` counts panel days dropped from the switch on; `min_days` is asked of each room on
    each side. `pairs` are `(treated, baseline)` couples, or a label per room; `strata` the groups a lot
    was drawn within. `seed` is that of the lot and of sampled randomisation. Raises DesignError.
    """

    switch: Mapping[str, Day]
    baseline: tuple[str, ...] | None = None
    washout: int = 0
    min_days: int = 10
    assignment: Assignment = "unknown"
    pairs: tuple[tuple[str, str], ...] | None = None
    seed: int = 0
    strata: Mapping[str, str] | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.switch, Mapping):
            raise DesignError("switch: give a day for each treated room")
        if isinstance(self.baseline, str):
            raise DesignError(f"baseline is {self.baseline!r}: give a list of rooms")
        for name, least in (("washout", 0), ("min_days", 1), ("seed", 0)):
            _check_count(name, getattr(self, name), least)
        switch = {str(room): as_day(day) for room, day in self.switch.items()}
        if len({isinstance(day, date) for day in switch.values()}) > 1:
            raise DesignError("switch: give dates or integers, not both")
        baseline = (
            None if self.baseline is None else tuple(dict.fromkeys(str(room) for room in self.baseline))
        )
        both = sorted(set(switch) & set(baseline or ()))
        if both:
            raise DesignError(f"room {both[0]!r} is both treated and baseline")
        if self.assignment not in ("lot", "reasoned", "unknown"):
            raise DesignError(f"assignment is {self.assignment!r}: lot, reasoned or unknown")
        object.__setattr__(self, "switch", switch)
        object.__setattr__(self, "baseline", baseline)
        object.__setattr__(self, "pairs", None if self.pairs is None else _pairs(self.pairs, switch))
        if self.strata is not None:
            object.__setattr__(self, "strata", {str(room): str(name) for room, name in self.strata.items()})

    @property
    def rooms(self) -> tuple[str, ...]:
        """Treated rooms, then the baseline rooms that are named."""
        return (*self.switch, *(self.baseline or ()))

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values; `from_dict` gives the same design back."""
        return {
            "switch": {room: _plain(day) for room, day in self.switch.items()},
            "baseline": None if self.baseline is None else list(self.baseline),
            "washout": self.washout,
            "min_days": self.min_days,
            "assignment": self.assignment,
            "pairs": None if self.pairs is None else [list(pair) for pair in self.pairs],
            "seed": self.seed,
            "strata": None if self.strata is None else dict(self.strata),
        }

    @classmethod
    def from_dict(cls, document: Mapping[str, Any]) -> Design:
        """A design from plain JSON values; an unknown or missing field raises DesignError by name."""
        return _build(cls, document, "design")


@dataclass(frozen=True)
class Measure:
    """One outcome and what was fixed about it beforehand, in the outcome's unit.

    `useful` is the smallest useful effect of the primary outcome, `margin` the largest harm tolerated of a
    guardrail; both are positive sizes in the direction that `better` gives. `version` pins the definition.
    """

    outcome: str
    role: Role
    better: Better
    useful: float | None = None
    margin: float | None = None
    unit: str = ""
    version: int = 1

    def __post_init__(self) -> None:
        if self.role not in ("primary", "guardrail", "secondary"):
            raise DesignError(f"{self.outcome}: role is {self.role!r}: primary, guardrail or secondary")
        if self.better not in ("higher", "lower"):
            raise DesignError(f"{self.outcome}: better is {self.better!r}: higher or lower")
        for name in ("useful", "margin"):
            size = getattr(self, name)
            if size is not None and not (math.isfinite(size) and size > 0):
                raise DesignError(f"{self.outcome}: {name} is {size}: give a size above 0")
        if self.role == "guardrail" and self.margin is None:
            raise DesignError(f"{self.outcome}: a guardrail needs its margin")

    @property
    def sign(self) -> int:
        """+1 when higher is better, −1 when lower is."""
        return 1 if self.better == "higher" else -1


@dataclass(frozen=True)
class Protocol:
    """An experiment as locked: everything the verdict depends on but the panel.

    `starts` and `ends` are the first and last day compared; `sites` say which rooms share users; `sheet` is
    kept with it and decides nothing. Raises DesignError.
    """

    slug: str
    title: str
    design: Design
    starts: Day
    ends: Day
    measures: tuple[Measure, ...]
    alpha: float = 0.05
    interim: bool = False
    retrospective: bool = False
    sites: Mapping[str, str] = field(default_factory=dict)
    min_coverage: float = 0.7
    sheet: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        object.__setattr__(self, "starts", as_day(self.starts))
        object.__setattr__(self, "ends", as_day(self.ends))
        object.__setattr__(self, "measures", tuple(self.measures))
        if day_number(self.ends) < day_number(self.starts):
            raise DesignError(f"ends is {self.ends}, before starts {self.starts}")
        if not 0 < self.alpha < 1:
            raise DesignError(f"alpha is {self.alpha}: give a share between 0 and 1")
        counts = Counter(measure.role for measure in self.measures)
        if counts["primary"] != 1:
            raise DesignError(f"measures: there is one primary outcome, not {counts['primary']}")
        twice = [name for name, n in Counter(m.outcome for m in self.measures).items() if n > 1]
        if twice:
            raise DesignError(f"measures: {twice[0]} is there twice")

    @property
    def primary(self) -> Measure:
        """The one outcome the verdict rests on."""
        return next(measure for measure in self.measures if measure.role == "primary")

    def of_role(self, role: Role) -> tuple[Measure, ...]:
        """The measures of one role, in their order."""
        return tuple(measure for measure in self.measures if measure.role == role)

    def to_json(self) -> str:
        """The canonical document: sorted keys, no spaces, ISO dates; equal protocols are equal bytes."""
        document = {item.name: getattr(self, item.name) for item in fields(self)}
        document |= {
            "design": self.design.to_dict(),
            "starts": _plain(self.starts),
            "ends": _plain(self.ends),
            "measures": [{item.name: getattr(m, item.name) for item in fields(m)} for m in self.measures],
            "sites": dict(self.sites),
            "sheet": dict(self.sheet),
        }
        return json.dumps(
            document, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
        )

    @classmethod
    def from_json(cls, text: str) -> Protocol:
        """The protocol of a document; DesignError names what is missing or unknown."""
        try:
            document = json.loads(text)
        except json.JSONDecodeError as error:
            raise DesignError(
                f"not a protocol: line {error.lineno}, column {error.colno}: {error.msg}"
            ) from error
        if not isinstance(document, dict):
            raise DesignError("not a protocol: a JSON object is expected")
        document = dict(document)
        for name, kind in (("design", dict), ("measures", list)):
            if not isinstance(document.get(name), kind):
                raise DesignError(f"protocol: {name} is missing")
        document["design"] = Design.from_dict(document["design"])
        document["measures"] = tuple(_build(Measure, item, "measures") for item in document["measures"])
        return _build(cls, document, "protocol")

    @property
    def sha256(self) -> str:
        """Of the canonical document, in hexadecimal."""
        return hashlib.sha256(self.to_json().encode()).hexdigest()


def _check_count(name: str, value: object, least: int) -> None:
    if isinstance(value, bool) or not isinstance(value, Integral):
        raise DesignError(f"{name} is {value!r}: give a whole number")
    if int(value) < least:
        raise DesignError(f"{name} is {value}: give {least} or more")


def _plain(day: Day) -> str | int:
    return day.isoformat() if isinstance(day, date) else day


def _build(kind: type[_T], document: Mapping[str, Any], where: str) -> _T:
    known = {item.name for item in fields(kind)}  # type: ignore[arg-type]  # only called with dataclasses
    unknown = sorted(set(document) - known)
    if unknown:
        raise DesignError(f"{where}: {unknown[0]} is not a field of it")
    try:
        return kind(**document)
    except (TypeError, AttributeError) as error:
        raise DesignError(f"{where}: {error}") from error


def _pairs(given: Iterable[Any], switch: Mapping[str, Day]) -> tuple[tuple[str, str], ...]:
    couples = (
        list(_labelled(given).values()) if isinstance(given, Mapping) else [tuple(pair) for pair in given]
    )
    pairs = []
    for couple in couples:
        rooms = [str(room) for room in couple]
        treated = [room for room in rooms if room in switch]
        if len(rooms) != 2 or len(treated) != 1:  # noqa: PLR2004 - a pair
            raise DesignError(f"pairs: {' and '.join(rooms)}: a pair is one treated and one baseline room")
        pairs.append((treated[0], next(room for room in rooms if room not in switch)))
    seen = Counter(room for pair in pairs for room in pair)
    twice = [room for room, n in seen.items() if n > 1]
    if twice:
        raise DesignError(f"pairs: room {twice[0]!r} is in two pairs")
    alone = sorted(set(switch) - set(seen))
    if alone:
        raise DesignError(f"pairs: treated room {alone[0]!r} is in no pair")
    return tuple(sorted(pairs))


def _labelled(labels: Mapping[str, Any]) -> dict[str, list[str]]:
    """Rooms by label; a mapping of treated to baseline room has no label twice and is read as couples."""
    groups: dict[str, list[str]] = {}
    for room, label in labels.items():
        if label is not None:
            groups.setdefault(str(label), []).append(str(room))
    if all(len(rooms) == 1 for rooms in groups.values()):
        return {label: [rooms[0], label] for label, rooms in groups.items()}
    return groups
