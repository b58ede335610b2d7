"""All that the page of an experiment shows, whatever its state; links and the API take it from here too."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from math import ceil
from typing import TYPE_CHECKING, Any

from dashboards import render
from dashboards.language import LOCALES
from dashboards.pages.experiments import (
    CostLine,
    Costs,
    CoverageDay,
    CoverageStrip,
    DayLost,
    Decided,
    ExperimentLine,
    ExperimentPage,
    FrozenLook,
    Lock,
    Meanwhile,
    RoomInTrial,
    Sheet,
    Split,
    Unplanned,
    Voices,
)
from dashboards.pages.frame import Frame
from experiments.panel import after_washout
from experiments.remarks import themes
from service import embargo, results
from service.registry import answers, device_days, devices, experiments, outcomes

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import date, tzinfo

    import pandas as pd
    from sqlalchemy.orm import Session

    from dashboards.pages.experiments import DayState
    from experiments.design import Protocol
    from experiments.equipment import Item
    from sensors.store import ReadingStore
    from service.registry.tables import Experiment

REMARKS_SHOWN = 5
DAYS_LOST = 60  # explained on the page
_TEXTS = ("idea", "problem", "hypothesis", "change", "why_rooms", "people", "owner", "sponsor", "risks",
          "accessibility", "committee")  # fmt: skip
_OPTIONS = {"temperature": ("cooler", "same", "warmer"), "helped": tuple("1234567")}


def whole(
    session: Session, store: ReadingStore, experiment: Experiment, at: datetime, k: int
) -> ExperimentPage:
    """All its page shows at the local instant `at`, with what its rooms still need while it is planned.

    After the first switch and before the end, nothing that tells the arms apart; of answers, groups of `k`.
    """
    page = _context(session, experiment, at.date(), at.tzinfo or UTC, k)
    if page.status != "planned" or page.protocol is None:
        return page
    return replace(page, equipment=_equipment(session, store, page.protocol, at))


def frozen(page: ExperimentPage) -> dict[str, str]:
    """What a link shows: the page in each language, as nobody signed in, without a link inside the house."""
    framed = {each: render.page(page, each, Frame()) for each in LOCALES}
    main = {
        each: html.partition('<main id="main">')[2].rpartition("</main>")[0] for each, html in framed.items()
    }
    return {"title": page.title} | main


def _equipment(session: Session, store: ReadingStore, protocol: Protocol, at: datetime) -> tuple[Item, ...]:
    """What its rooms need, by what the devices that hang there have ever reported; no value is looked at."""
    from experiments.equipment import shopping_list  # noqa: PLC0415 - numpy, pandas: not before a page needs them

    placed = {each.device_key: each.room.slug for each in devices.placed_now(session, at)}
    measured: dict[str, set[str]] = {room: set() for room in protocol.design.rooms}
    heard = store.latest([key for key, room in placed.items() if room in measured])
    for device, metric in zip(heard["device"], heard["metric"], strict=True):
        measured[placed[device]].add(metric)
    return shopping_list([measure.outcome for measure in protocol.measures], measured)


def line(experiment: Experiment, day: date, headline: dict[str, Any] | None = None) -> ExperimentLine:
    """An experiment in a list; its effect from the look that was frozen, and none until there is one.

    The headline is what `experiments.headlines` has of it; without, its looks are read whole.

    A panel is several queries, and a list of them many; jobs freeze the look the night after the end.
    """
    status = experiments.status(experiment, day)
    starts, ends = experiment.starts, experiment.ends
    treated = sum(arm.switch is not None for arm in experiment.arms)
    said = _headline(experiment) if headline is None else headline
    shown = said if status in ("ended", "decided") else {}
    dated = starts is not None and ends is not None
    return ExperimentLine(
        slug=experiment.slug,
        title=experiment.title,
        status=status,
        n_treated=treated,
        n_baseline=len(experiment.arms) - treated,
        starts=starts,
        switch=experiments.first_switch(experiment),
        ends=ends,
        decision=None if experiment.decision is None else experiment.decision.choice,  # type: ignore[arg-type]  # one of Choice, held by the declaration
        free=dated and not experiments.compared(experiment),
        owner=None if experiment.owner is None else experiment.owner.name,
        week=_week(starts, day) if starts is not None and status == "running" else None,
        weeks=_weeks(starts, ends) if starts is not None and ends is not None else None,
        **shown,
    )


def _headline(experiment: Experiment) -> dict[str, Any]:
    look = results.final_look(experiment)
    document = {} if look is None else look.result
    primary = document.get("primary")
    if primary is None:
        return {}
    return {
        "verdict": document["verdict"],
        "outcome": primary["measure"]["outcome"],
        "better": primary["measure"]["better"],
        **{name: primary["estimate"][name] for name in ("effect", "ci_low", "ci_high")},
    }


def _context(session: Session, experiment: Experiment, day: date, zone: tzinfo, k: int) -> ExperimentPage:
    status = experiments.status(experiment, day)
    protocol = experiments.protocol(experiment)
    free = protocol is None and status != "idea"
    hidden = embargo.of_experiment(experiment, day) is not None
    over = status in ("ended", "decided")
    look = results.final_look(experiment)
    strips = () if protocol is None or status == "planned" else _coverage(session, experiment, protocol, day)
    locked, decision = experiment.protocol, experiment.decision
    return ExperimentPage(
        slug=experiment.slug,
        title=experiment.title,
        owner=None if experiment.owner is None else experiment.owner.name,
        status=status,
        starts=experiment.starts,
        ends=experiment.ends,
        rooms=_rooms(experiment),
        protocol=protocol,
        result=results.result_of(session, experiment, day, k),
        later=results.later_result(session, experiment, day, k) if over else None,
        plan=results.plan_of(session, experiment, day) if status == "planned" else None,
        free=free,
        sheet=_sheet(experiment),
        meanwhile=None if over else _meanwhile(session, experiment, strips, day),
        coverage=strips,
        lost=_lost(session, experiment, strips, zone),
        voices=None if hidden or not (over or free) else _voices(session, experiment, strips, k, over=over),
        comfort=()
        if hidden or not over or protocol is None
        else _comfort(session, experiment, strips, protocol),
        costs=_costs(experiment, over=over),
        lock=None
        if locked is None
        else Lock(locked.sha256, locked.locked_at.astimezone(zone), locked.locked_by),
        look=None if look is None else FrozenLook(look.taken_at.astimezone(zone), look.sha256),
        deviations=tuple(Unplanned(each.day, each.what, each.entered_by) for each in experiment.deviations),
        decision=None
        if decision is None
        else Decided(
            decision.choice,  # type: ignore[arg-type]  # one of Choice, held by the declaration
            decision.body,
            decision.decided_on,
            decision.reason,
            decision.lessons,
            decision.entered_by,
            decision.entered_at.astimezone(zone),
        ),
    )


def _rooms(experiment: Experiment) -> tuple[RoomInTrial, ...]:
    rooms = [
        RoomInTrial(arm.room.slug, arm.room.name, arm.switch, arm.room.capacity) for arm in experiment.arms
    ]
    return tuple(sorted(rooms, key=lambda room: (not room.treated, room.name)))


def _sheet(experiment: Experiment) -> Sheet:
    given = experiment.sheet
    after = given.get("rooms_after")
    return Sheet(
        **{name: str(given.get(name) or "") for name in _TEXTS},
        rooms_after=after if isinstance(after, int) else None,
        expires=experiment.expires,
    )


def _week(starts: date, day: date) -> int:
    return (day - starts).days // 7 + 1


def _weeks(starts: date, ends: date) -> int:
    return ceil(((ends - starts).days + 1) / 7)


def _meanwhile(
    session: Session, experiment: Experiment, strips: tuple[CoverageStrip, ...], day: date
) -> Meanwhile | None:
    starts, ends = experiment.starts, experiment.ends
    if starts is None or ends is None:
        return None
    states = [each.state for strip in strips for each in strip.days]
    rooms = [arm.room.slug for arm in experiment.arms]
    return Meanwhile(
        today=day,
        week=_week(starts, day) if day >= starts else None,
        weeks=_weeks(starts, ends),
        answers=answers.total(session, rooms, starts, min(day, ends)),
        result_on=ends + timedelta(days=1),
        counted=states.count("counted"),
        expected=sum(states.count(state) for state in ("counted", "short", "silent")),
    )


# ------------------------------------------------------------------------------------------ coverage


def _coverage(
    session: Session, experiment: Experiment, protocol: Protocol, day: date
) -> tuple[CoverageStrip, ...]:
    """A strip per room: days computed so far, then the days to come."""
    starts, ends = experiment.starts, experiment.ends
    if starts is None or ends is None:
        return ()
    found = outcomes.between(session, starts, ends, protocol.design.rooms, [_observable(protocol)])
    shares: dict[str, dict[date, float]] = {}
    for room, at, share in zip(found["room"], found["day"], found["coverage"], strict=True):
        shares.setdefault(room, {})[at] = share
    opened = {at for days in shares.values() for at in days}
    strips = []
    for room in _rooms(experiment):
        resumes = None if room.switch is None else after_washout(room.switch, protocol.design.washout, opened)
        calendar = sorted(opened | _to_come(experiment, room.slug, day, ends))
        days = tuple(
            CoverageDay(
                at, shares.get(room.slug, {}).get(at), _state(room, at, resumes, shares, protocol, day)
            )
            for at in calendar
        )
        strips.append(CoverageStrip(room.slug, room.treated, days))
    return tuple(strips)


def _lost(
    session: Session, experiment: Experiment, strips: Sequence[CoverageStrip], zone: tzinfo
) -> tuple[DayLost, ...]:
    """The last days that do not count for want of observation, and which sensor was silent for how long."""
    cells = [
        (each.day, strip.room, each.share or 0.0)
        for strip in strips
        for each in strip.days
        if each.state in ("short", "silent")
    ]
    cells = sorted(cells, reverse=True)[:DAYS_LOST]
    if not cells:
        return ()
    days = device_days.of_rooms(session, {room for _, room, _ in cells}, cells[-1][0], cells[0][0])
    told = {(key, each.day): each for key, found in days.items() for each in found}
    arms = {arm.room.slug: arm.room for arm in experiment.arms}
    stays = {slug: devices.placements_of(session, arms[slug].id) for slug in {room for _, room, _ in cells}}
    lost = []
    for day, slug, share in cells:
        start = datetime.combine(day, time(), zone)
        there = {
            stay.device_key: stay.device
            for stay in stays[slug]
            if stay.start < start + timedelta(days=1) and (stay.end is None or stay.end > start)
        }
        silences = []
        for key, device in sorted(there.items()):
            found = told.get((key, day))
            silences.append((key, device.label, found.longest_gap if found and found.messages else None))
        lost.append(DayLost(slug, day, share, tuple(silences)))
    return tuple(lost)


def _observable(protocol: Protocol) -> str:
    """The outcome whose coverage is shown: the primary one or, when that is asked of people, occupancy."""
    from experiments.outcomes import OUTCOMES  # noqa: PLC0415 - numpy, pandas: not before a page needs them

    key = protocol.primary.outcome
    return "occupied_minutes" if OUTCOMES[key].family == "voice" else key


def _to_come(experiment: Experiment, slug: str, day: date, ends: date) -> set[date]:
    site = next(arm.room.site for arm in experiment.arms if arm.room.slug == slug)
    closed = {closure.day for closure in site.closures}
    ahead = (day + timedelta(days=i) for i in range((ends - day).days + 1))
    return {at for at in ahead if str(at.isoweekday()) in site.weekdays and at not in closed}


def _state(
    room: RoomInTrial,
    at: date,
    resumes: date | None,
    shares: Mapping[str, Mapping[date, float]],
    protocol: Protocol,
    day: date,
) -> DayState:
    if room.switch is not None and resumes is not None and room.switch <= at < resumes and at < day:
        return "washout"
    share = shares.get(room.slug, {}).get(at)
    if share is None:
        return "ahead" if at >= day else "silent"
    if share == 0:
        return "silent"
    return "counted" if share >= protocol.min_coverage else "short"


# ------------------------------------------------------------------------------------- voices, costs


def _voices(
    session: Session, experiment: Experiment, strips: tuple[CoverageStrip, ...], k: int, *, over: bool
) -> Voices | None:
    """What was said in the treated rooms, before and after, where at least k said it in each period.

    Remarks are those since the switch, where at least k answered since. Of what goes on only how many spoke:
    whoever looked every day would know who said what is new.
    """
    starts, ends, switch = experiment.starts, _observed(experiment), experiments.first_switch(experiment)
    if starts is None or ends is None:
        return None
    rooms = [arm.room.slug for arm in experiment.arms if arm.switch is not None] or [
        arm.room.slug for arm in experiment.arms
    ]
    given = answers.between(session, rooms, starts, ends)
    if not over or len(given) < k:
        return Voices(len(given), k)
    since = switch or starts
    enough = (given["day"] >= since).sum() >= k  # many may have spoken before, and one since
    said = list(dict.fromkeys(answers.remarks(session, rooms, since, ends))) if enough else []
    return Voices(
        answers=len(given),
        k=k,
        splits=tuple(_splits(given, experiment, strips, k)),
        remarks=tuple(said[:REMARKS_SHOWN]),
        remarks_total=len(said),
        themes=themes(said, k),
    )


def _comfort(
    session: Session, experiment: Experiment, strips: tuple[CoverageStrip, ...], protocol: Protocol
) -> tuple[Split, ...]:
    """Occupied minutes of the treated rooms by EN 16798-1 category, before and after, of days that count."""
    from experiments.outcomes.comfort import CATEGORIES  # noqa: PLC0415 - see _observable
    from experiments.profile import category_minutes  # noqa: PLC0415 - likewise

    starts, ends = experiment.starts, _observed(experiment)
    rooms = [arm.room.slug for arm in experiment.arms if arm.switch is not None]
    if starts is None or ends is None or not rooms:
        return ()
    keys = ["occupied_minutes", *(key for keys in CATEGORIES.values() for key in keys)]
    found = outcomes.between(session, starts, ends, rooms, keys)
    found = found[found["coverage"] >= protocol.min_coverage]
    cells = found.pivot_table(index=["room", "day"], columns="outcome", values="value")
    before, after = _periods(cells.reset_index(), experiment, strips)
    splits = []
    for quantity, shares in CATEGORIES.items():
        minutes = [category_minutes(period, shares) for period in (before, after)]
        if all(map(sum, minutes)):
            splits.append(Split(quantity, ("1", "2", "3", "4"), minutes[0], minutes[1]))
    return tuple(splits)


def _observed(experiment: Experiment) -> date | None:
    """The last day of which anything is told: what is said after a decision is no part of the trial.

    And whoever looked on each day between an early decision and the end would know who said what is new.
    """
    decision, ends = experiment.decision, experiment.ends
    return ends if decision is None or ends is None else min(ends, decision.decided_on - timedelta(days=1))


def _splits(
    given: pd.DataFrame, experiment: Experiment, strips: tuple[CoverageStrip, ...], k: int
) -> list[Split]:
    if not any(arm.switch for arm in experiment.arms):
        return []
    before, after = _periods(given, experiment, strips)
    splits = []
    for question, options in _OPTIONS.items():
        counts = [_counts(period[question], options) for period in (before, after)]
        if min(map(sum, counts)) >= k:
            splits.append(Split(question, options, counts[0], counts[1]))
    return splits


def _periods(
    rows: pd.DataFrame, experiment: Experiment, strips: tuple[CoverageStrip, ...]
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The rows (`room`, `day`) of treated rooms before their change, and after it and its washout."""
    switch = {arm.room.slug: arm.switch for arm in experiment.arms if arm.switch is not None}
    opened = {day.day for strip in strips for day in strip.days}
    resumes = {room: after_washout(day, experiment.washout, opened) for room, day in switch.items()}
    treated = rows[rows["room"].isin(list(switch))]
    before = treated[treated["day"] < treated["room"].map(switch)]
    return before, treated[treated["day"] >= treated["room"].map(resumes)]


def _counts(column: pd.Series[Any], options: tuple[str, ...]) -> tuple[int, ...]:
    said = [str(int(value)) if isinstance(value, float) else str(value) for value in column.dropna()]
    return tuple(said.count(option) for option in options)


def _costs(experiment: Experiment, *, over: bool) -> Costs | None:
    kinds = ("actual", "planned") if over else ("planned",)
    for kind in kinds:
        lines = tuple(
            CostLine(each.label, each.euros, each.hours) for each in experiment.costs if each.kind == kind
        )
        if lines:
            rooms = [arm.room for arm in experiment.arms if arm.switch is not None]
            seats = [room.capacity for room in rooms]
            known = sum(seat for seat in seats if seat is not None)
            return Costs(kind, lines, len(rooms), known if seats and None not in seats else None)  # type: ignore[arg-type]  # one of the two above
    return None
