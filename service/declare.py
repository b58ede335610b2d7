"""From a declaration file to the registry: all or nothing, and again with a changed file.

Everything is matched by its slug or key. What the file does not mention, and fields it does not give, are
left as they are; a list that it gives (closures, placements, arms, measures, costs) is the whole list.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from difflib import get_close_matches
from itertools import pairwise
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from sqlalchemy import select
from sqlalchemy.orm import Session

from experiments.design import Protocol
from experiments.outcomes import OUTCOMES
from experiments.reason import DesignError
from service.declaration import Declaration, DeclarationRejected
from service.placing import days_measured
from service.registry import devices as device_rows
from service.registry import experiments as experiment_rows
from service.registry import turn
from service.registry.tables import (
    Arm,
    Base,
    Closure,
    Cost,
    Decision,
    Deviation,
    Device,
    Experiment,
    Measure,
    Placement,
    Room,
    Site,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from service.declaration import (
        DecisionEntry,
        DeviceEntry,
        ExperimentEntry,
        MeasureEntry,
        PlacementEntry,
        RoomEntry,
        SiteEntry,
    )

__all__ = ["DeclarationRejected", "Declared", "declare"]

Place = tuple[str | int, ...]
_DESIGN = (
    "title", "starts", "ends", "expires", "washout", "min_days", "min_coverage", "assignment", "seed",
    "alpha", "interim",
)  # fmt: skip


@dataclass
class Declared:
    """What a declaration did: a line a change, what is left, what protocols it locked, days to do anew."""

    changes: list[str] = field(default_factory=list)
    left: int = 0
    locked: list[Experiment] = field(default_factory=list)
    stale: set[date] = field(default_factory=set)

    def note(self, what: str, changes: Sequence[str], *, new: bool = False) -> None:
        """`what` was created, changed in these ways, or left."""
        if new:
            self.changes.append(f"created {what}")
        elif changes:
            self.changes.append(f"changed {what}: {', '.join(changes)}")
        else:
            self.left += 1


def declare(session: Session, text: str, who: str, now: datetime, zone: ZoneInfo) -> Declared:
    """Apply the TOML `text` in this session, for `who`; raises DeclarationRejected: then roll back.

    Days are local in `zone`; `now` dates what is created and locked. Doing it twice changes nothing.
    """
    turn.take(session)
    session.info["who"] = who
    declaration = Declaration(text)
    done = Declared()
    with session.no_autoflush:
        _Sites(session, declaration, done, now, zone).apply()
        session.flush()
        _Devices(session, declaration, done, now, zone).apply()
        session.flush()
        _Experiments(session, declaration, done, now, zone, who).apply()
        declaration.reject()
    today = now.astimezone(zone).date()
    done.stale = {day for day in done.stale if day <= today}
    device_rows.mark_stale(session, done.stale, now)
    return done


def _update(row: Base, values: dict[str, Any]) -> list[str]:
    """Set these fields; what changed, in words."""
    told = []
    for name, value in values.items():
        before = getattr(row, name)
        if before != value:
            setattr(row, name, value)
            told.append(f"{name.replace('_', ' ')} {_told(before)} → {_told(value)}")
    return told


def _told(value: object) -> str:
    if value is None or value == "":
        return "–"
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat(timespec="minutes")
    return f"{value:g}" if isinstance(value, float) else str(value)


@dataclass
class _Part:
    session: Session
    declaration: Declaration
    done: Declared
    now: datetime
    zone: ZoneInfo

    @property
    def today(self) -> date:
        """The local day."""
        return self.now.astimezone(self.zone).date()

    def room(self, slug: str, place: Place) -> Room | None:
        """The room of this slug; a mistake when there is none."""
        room = self.session.scalar(select(Room).where(Room.slug == slug))
        if room is None:
            near = get_close_matches(slug, self.session.scalars(select(Room.slug)), 1, 0.5)
            hint = f"; is it « {near[0]} »?" if near else ""
            self.declaration.mistake(place, f"there is no room « {slug} »{hint}")
        return room

    def stale_while_measured(self, placements: Iterable[tuple[Device, datetime, datetime | None]]) -> None:
        """The days on which these devices may have measured at these places."""
        for device, start, end in placements:
            self.done.stale |= days_measured(device, start, end, self.zone)


# ---------------------------------------------------------------------------------------------- sites, rooms


class _Sites(_Part):
    def apply(self) -> None:
        for i, entry in enumerate(self.declaration.sites):
            self._site(entry, ("sites", i))

    def _site(self, entry: SiteEntry, place: Place) -> None:
        site = self.session.scalar(select(Site).where(Site.slug == entry.slug))
        new = site is None
        if site is None:
            site = Site(
                slug=entry.slug,
                name=entry.name,
                opens=entry.opens,
                closes=entry.closes,
                weekdays=entry.weekdays,
            )
            self.session.add(site)
        told = _update(site, entry.said("name", "opens", "closes", "weekdays"))
        if site.opens >= site.closes and site.closes.isoformat() != "00:00:00":
            self.declaration.mistake((*place, "closes"), f"is {site.closes}, not after {site.opens}")
        if any(not change.startswith("name") for change in told):
            self._stale_rooms(site.rooms)
        if "closures" in entry.model_fields_set:
            told += self._closures(site, entry, new=new)
        self.done.note(f"site {entry.slug}", told, new=new)
        for room in entry.rooms:
            self._room(site, room)

    def _closures(self, site: Site, entry: SiteEntry, *, new: bool) -> list[str]:
        wanted = {closing.day: closing.reason for closing in entry.closures}
        present = {closure.day: closure for closure in site.closures}
        told = []
        for day in sorted(present.keys() - wanted.keys()):
            self.session.delete(present[day])
            told.append(f"open again on {day}")
        for day in sorted(wanted.keys() - present.keys()):
            site.closures.append(Closure(day=day, reason=wanted[day]))
            told.append(f"closed on {day}")
        if not new:
            self.done.stale.update(present.keys() ^ wanted.keys())
        for day in wanted.keys() & present.keys():
            told += _update(present[day], {"reason": wanted[day]})
        return told

    def _room(self, site: Site, entry: RoomEntry) -> None:
        room = self.session.scalar(select(Room).where(Room.slug == entry.slug))
        fields = entry.said("name", "floor", "capacity", "area_m2", "volume_m3")
        if room is None:
            site.rooms.append(Room(slug=entry.slug, **fields))
            self.done.note(f"room {entry.slug}", (), new=True)
            return
        told = _update(room, fields)
        if room.site is not site:
            told.append(f"site {room.site.slug} → {site.slug}")
            room.site = site
        if any(change.startswith(("capacity", "site")) for change in told):
            self._stale_rooms([room])
        self.done.note(f"room {entry.slug}", told)

    def _stale_rooms(self, rooms: Iterable[Room]) -> None:
        self.stale_while_measured(
            (placement.device, placement.start, placement.end)
            for room in rooms
            for placement in room.placements
        )


# --------------------------------------------------------------------------------------------------- devices


class _Devices(_Part):
    def apply(self) -> None:
        for i, entry in enumerate(self.declaration.devices):
            self._device(entry, ("devices", i))

    def _device(self, entry: DeviceEntry, place: Place) -> None:
        device = self.session.get(Device, entry.key)
        new = device is None
        if device is None:
            device = Device(key=entry.key, gateway=entry.key.partition("/")[0])
            self.session.add(device)
        told = _update(device, entry.said("label", "heartbeat_minutes"))
        if any(change.startswith("heartbeat") for change in told):
            self.stale_while_measured((device, each.start, each.end) for each in device.placements)
        if "placements" in entry.model_fields_set:
            told += self._placements(device, entry.placements, place)
        self.done.note(f"device {entry.key}", told, new=new)

    def _placements(self, device: Device, entries: Sequence[PlacementEntry], place: Place) -> list[str]:
        wanted: dict[tuple[str, datetime, datetime | None], Room] = {}
        for i, entry in enumerate(entries):
            room = self.room(entry.room, (*place, "placements", i, "room"))
            if room is not None:
                wanted[entry.room, self._utc(entry.start), self._utc(entry.end)] = room
        if not self._in_turn(entries, place):
            return []
        present = {(each.room.slug, each.start, each.end): each for each in device.placements}
        told = []
        for slug, start, end in sorted(present.keys() - wanted.keys(), key=lambda each: each[1]):
            device.placements.remove(present[slug, start, end])
            self.session.delete(present[slug, start, end])
            told.append(f"no longer in {slug} {self._span(start, end)}")
        for slug, start, end in sorted(wanted.keys() - present.keys(), key=lambda each: each[1]):
            device.placements.append(Placement(room=wanted[slug, start, end], start=start, end=end))
            told.append(f"in {slug} {self._span(start, end)}")
        self.stale_while_measured((device, start, end) for _, start, end in present.keys() ^ wanted.keys())
        return told

    def _in_turn(self, entries: Sequence[PlacementEntry], place: Place) -> bool:
        """Whether each placement ends after it starts, and before the device is somewhere else."""
        right = True
        spans = []
        for i, entry in enumerate(entries):
            start, end = self._utc(entry.start), self._utc(entry.end)
            if end is not None and end <= start:
                self.declaration.mistake((*place, "placements", i), f"ends {entry.end}, before it starts")
                right = False
            spans.append((start, end, i))
        spans.sort(key=lambda span: span[0])
        for (_, end, _), (start, _, i) in pairwise(spans):
            if end is None or start < end:
                self.declaration.mistake(
                    (*place, "placements", i),
                    "begins while the device is still placed elsewhere: give that an end",
                )
                right = False
        return right

    def _utc(self, moment: Any) -> Any:  # noqa: ANN401 - a datetime or None, and the same kind back
        if moment is None:
            return None
        local = moment if moment.tzinfo is not None else moment.replace(tzinfo=self.zone)
        return local.astimezone(UTC)

    def _span(self, start: datetime, end: datetime | None) -> str:
        until = "" if end is None else f" until {end.astimezone(self.zone):%Y-%m-%d %H:%M}"
        return f"from {start.astimezone(self.zone):%Y-%m-%d %H:%M}{until}"


# ----------------------------------------------------------------------------------------------- experiments


@dataclass
class _Experiments(_Part):
    who: str

    def apply(self) -> None:
        entries = self.declaration.experiments
        rows = {}
        for i, entry in enumerate(entries):
            rows[i] = self._experiment(entry, ("experiments", i))
        self.declaration.reject()
        self.session.flush()
        self._apart()
        for i, entry in enumerate(entries):
            if entry.lock:
                self._lock(rows[i], ("experiments", i))
        self._still_as_locked(rows)

    def _experiment(self, entry: ExperimentEntry, place: Place) -> Experiment:
        experiment = experiment_rows.find(self.session, entry.slug)
        new = experiment is None
        if experiment is None:
            experiment = Experiment(
                slug=entry.slug,
                declared_at=self.now,
                declared_on=self.today,
                sheet={},
                **{n: getattr(entry, n) for n in _DESIGN},
            )
            self.session.add(experiment)
        told = _update(experiment, entry.said(*_DESIGN))
        told += self._arms(experiment, entry, place)
        told += self._measures(experiment, entry, place)
        if "sheet" in entry.model_fields_set:
            sheet = entry.sheet.model_dump(exclude_unset=True)
            told += [] if experiment.sheet == sheet else ["sheet"]
            experiment.sheet = sheet
        if told and experiment.protocol is None:
            # a draft counts from its last change: no switch in hindsight
            experiment.declared_at, experiment.declared_on = self.now, self.today
        told += self._costs(experiment, entry)
        told += self._deviations(experiment, entry)
        told += self._decision(experiment, entry.decision, (*place, "decision"))
        self._dates(experiment, place)
        self.done.note(f"experiment {entry.slug}", told, new=new)
        return experiment

    def _arms(self, experiment: Experiment, entry: ExperimentEntry, place: Place) -> list[str]:
        if not {"switch", "baseline", "pairs"} & entry.model_fields_set:
            return []
        for slug in sorted(set(entry.switch) & set(entry.baseline)):
            self.declaration.mistake((*place, "baseline"), f"« {slug} » is both treated and baseline")
        pairs = self._pairs(entry, place)
        wanted: dict[str, dict[str, Any]] = {}
        for slug, switch in entry.switch.items():
            wanted[slug] = {"switch": switch, "pair": pairs.get(slug)}
        for slug in entry.baseline:
            wanted[slug] = {"switch": None, "pair": pairs.get(slug)}
        present = {arm.room.slug: arm for arm in experiment.arms}
        told = []
        for slug in sorted(present.keys() - wanted.keys()):
            experiment.arms.remove(present[slug])
            told.append(f"without room {slug}")
        for slug, fields in wanted.items():
            if slug in present:
                told += [f"{slug}: {change}" for change in _update(present[slug], fields)]
                continue
            where = "switch" if slug in entry.switch else "baseline"
            room = self.room(slug, (*place, where, *([slug] if where == "switch" else [])))
            if room is not None:
                experiment.arms.append(Arm(room=room, **fields))
                told.append(f"with room {slug}")
        return told

    def _pairs(self, entry: ExperimentEntry, place: Place) -> dict[str, str]:
        """Room → the label of its pair."""
        labels: dict[str, str] = {}
        for i, pair in enumerate(entry.pairs):
            for slug in pair:
                if slug in labels:
                    self.declaration.mistake((*place, "pairs", i), f"« {slug} » is in two pairs")
                if slug not in entry.switch and slug not in entry.baseline:
                    self.declaration.mistake((*place, "pairs", i), f"« {slug} » is not in this experiment")
                labels[slug] = str(i + 1)
            if sum(slug in entry.switch for slug in pair) != 1:
                self.declaration.mistake((*place, "pairs", i), "is not one treated and one baseline room")
        return labels

    def _measures(self, experiment: Experiment, entry: ExperimentEntry, place: Place) -> list[str]:
        if "measures" not in entry.model_fields_set:
            return []
        if sum(measure.role == "primary" for measure in entry.measures) > 1:
            self.declaration.mistake((*place, "measures"), "there is one primary outcome, not several")
        present = {measure.outcome: measure for measure in experiment.measures}
        told = []
        for i, measure in enumerate(entry.measures):
            fields = self._measure(measure, i, (*place, "measures", i))
            row = present.pop(measure.outcome, None)
            if row is None:
                experiment.measures.append(Measure(outcome=measure.outcome, **fields))
                told.append(f"with outcome {measure.outcome}")
            else:
                told += [f"{measure.outcome}: {change}" for change in _update(row, fields)]
        for row in present.values():
            experiment.measures.remove(row)
            told.append(f"without outcome {row.outcome}")
        return told

    def _measure(self, entry: MeasureEntry, position: int, place: Place) -> dict[str, Any]:
        definition = OUTCOMES.get(entry.outcome)
        if definition is None:
            self.declaration.mistake(
                (*place, "outcome"),
                f"there is no outcome « {entry.outcome} »; there are {', '.join(OUTCOMES)}",
            )
        elif entry.better is not None and entry.role == "guardrail" and entry.better != definition.better:
            self.declaration.mistake((*place, "better"), f"{entry.outcome} is better {definition.better}")
        if entry.role == "guardrail" and entry.margin is None:
            self.declaration.mistake((*place, "margin"), "is missing: the largest harm tolerated")
        return {
            "role": entry.role,
            "better": entry.better or (definition.better if definition else "higher"),
            "useful": entry.useful,
            "margin": entry.margin,
            "position": position,
        }

    def _costs(self, experiment: Experiment, entry: ExperimentEntry) -> list[str]:
        if "costs" not in entry.model_fields_set:
            return []
        wanted = [(cost.kind, cost.label, cost.euros, cost.hours) for cost in entry.costs]
        if wanted == [(cost.kind, cost.label, cost.euros, cost.hours) for cost in experiment.costs]:
            return []
        for cost in experiment.costs:
            self.session.delete(cost)
        experiment.costs = [
            Cost(kind=kind, label=label, euros=euros, hours=hours) for kind, label, euros, hours in wanted
        ]
        return ["costs"]

    def _deviations(self, experiment: Experiment, entry: ExperimentEntry) -> list[str]:
        known = {(each.day, each.what) for each in experiment.deviations}
        new = [each for each in entry.deviations if (each.day, each.what) not in known]
        experiment.deviations += [
            Deviation(day=each.day, what=each.what, entered_by=self.who, entered_at=self.now) for each in new
        ]
        return [f"deviation of {each.day}" for each in new]

    def _decision(self, experiment: Experiment, entry: DecisionEntry | None, place: Place) -> list[str]:
        if entry is None:
            return []
        if entry.decided_on > self.today:
            self.declaration.mistake((*place, "decided_on"), f"is {entry.decided_on}: that day is to come")
        fields = entry.model_dump()
        if experiment.decision is None:
            experiment.decision = Decision(**fields, entered_by=self.who, entered_at=self.now)
            return [f"decision {entry.choice}"]
        if any(getattr(experiment.decision, name) != value for name, value in fields.items()):
            self.declaration.mistake(place, "was entered already and is not changed; record a deviation")
        return []

    def _dates(self, experiment: Experiment, place: Place) -> None:
        starts, ends = experiment.starts, experiment.ends
        if (starts is None) != (ends is None):
            self.declaration.mistake(place, "give both starts and ends, or neither while it is an idea")
        if starts is None or ends is None:
            return
        if ends < starts:
            self.declaration.mistake((*place, "ends"), f"is {ends}, before starts {starts}")
        for arm in experiment.arms:
            if arm.switch is not None and not starts < arm.switch <= ends:
                self.declaration.mistake(
                    (*place, "switch", arm.room.slug),
                    f"is {arm.switch}: it should be after starts {starts}, and not after ends {ends}",
                )

    def _apart(self) -> None:
        """No room is in two experiments on one day."""
        places = {each.slug: i for i, each in enumerate(self.declaration.experiments)}
        whole = [each for each in experiment_rows.everything(self.session) if each.starts and each.ends]
        for one in whole:
            for other in whole:
                if one.slug not in places or one is other or not _overlap(one, other):
                    continue
                shared = {arm.room.slug for arm in one.arms} & {arm.room.slug for arm in other.arms}
                for slug in sorted(shared):
                    self.declaration.mistake(
                        ("experiments", places[one.slug]),
                        f"room « {slug} » is also in {other.slug}, {other.starts} to {_over(other)}",
                    )

    def _lock(self, experiment: Experiment, place: Place) -> None:
        if experiment.protocol is not None or not experiment_rows.compared(experiment):
            return
        try:
            locked = experiment_rows.lock(self.session, experiment, self.who, self.now)
        except DesignError as error:
            self.declaration.mistake(place, str(error))
            return
        self.done.locked.append(experiment)
        late = (
            ", declared after its switch: retrospective" if '"retrospective":true' in locked.document else ""
        )
        self.done.changes.append(f"locked {experiment.slug}: protocol {locked.sha256[:12]}{late}")

    def _still_as_locked(self, rows: dict[int, Experiment]) -> None:
        """A locked protocol is not changed, whichever part of the file would do it."""
        places = {row.slug: i for i, row in rows.items()}
        for experiment in experiment_rows.everything(self.session):
            if experiment.protocol is None:
                continue
            try:
                now = _decided(experiment_rows.draft(experiment))
            except (DesignError, ValueError) as error:
                now = {"it": str(error)}
            then = _decided(Protocol.from_json(experiment.protocol.document))
            changed = sorted(name for name in now.keys() | then.keys() if now.get(name) != then.get(name))
            if changed:
                at = places.get(experiment.slug)
                self.declaration.mistake(
                    ("experiments",) if at is None else ("experiments", at),
                    f"the protocol of {experiment.slug} was locked on "
                    f"{experiment.protocol.locked_at.astimezone(self.zone):%Y-%m-%d} and this would change "
                    f"{', '.join(changed)}: leave it as it was and record a deviation",
                )


def _over(experiment: Experiment) -> date:
    """The last day it needs its rooms: a decision before the end sets them free."""
    ends, decision = experiment.ends or date.max, experiment.decision
    return ends if decision is None else min(ends, decision.decided_on)


def _overlap(one: Experiment, other: Experiment) -> bool:
    starts = max(one.starts or date.max, other.starts or date.max)
    return starts <= min(_over(one), _over(other))


def _decided(protocol: Protocol) -> dict[str, Any]:
    """What people decided, without what this version knows of the outcomes."""
    document: dict[str, Any] = json.loads(protocol.to_json())
    document |= document.pop("design")
    for measure in document["measures"]:
        del measure["version"], measure["unit"]
    return document
