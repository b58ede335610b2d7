"""From readings, placements and opening hours to one number a room and local day.

Frame in: `device`, `metric`, `time` (aware UTC), `value`, from two hours before the local day to its end.
Out: a DayOutcome each, and for a comparison the rows `room`, `day`, `outcome`, `value` that count.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from experiments.counters import inside
from experiments.outcomes import OUTCOMES
from experiments.outcomes.signals import Floats, Signals

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from zoneinfo import ZoneInfo

    from experiments.design import Protocol

Instants = NDArray[np.int64]  # ms since 1970, UTC
Series = dict[str, tuple[Instants, Floats]]  # metric → instants, ascending, and values
MINUTE = 60_000
DAYS_A_WEEK = 7
LOOK_BACK = timedelta(hours=2)  # readings wanted from before the day, for what still holds at midnight
SHORTEST_HOLD, UNKNOWN_HOLD, LONGEST_HOLD = 15 * MINUTE, 15 * MINUTE, 120 * MINUTE
PIR_HOLD = 15  # minutes: seated people are still
CO2_RISE = 100.0  # ppm over the day's base: somebody is there (an estimate)
BASE_PERCENTILE = 5
OCCUPANCY = ("people", "presence", "motion", "co2")  # counters before presence before CO2
ENOUGH = 0.7  # share of the opening hours a kind of sensor must know to be preferred


@dataclass(frozen=True)
class Placed:
    """Which room a device measured, from when until when (aware; None: still there).

    `heartbeat` in minutes is declared for event-driven devices.
    """

    device: str
    room: str
    start: datetime
    end: datetime | None = None
    heartbeat: float | None = None


@dataclass(frozen=True)
class OpenRoom:
    """A room open on the day: its capacity, and its hours in minutes after local midnight."""

    room: str
    capacity: int | None
    opens: int
    closes: int


class DayOutcome(NamedTuple):
    """One outcome of a room on a local day: None where it is not defined; coverage of opening hours, 0–1."""

    room: str
    day: date
    outcome: str
    version: int
    value: float | None
    coverage: float


def day_bounds(day: date, zone: ZoneInfo) -> tuple[datetime, datetime]:
    """The UTC instants at which a local day begins and ends: 23, 24 or 25 hours apart."""
    start = datetime.combine(day, time(), zone)
    end = datetime.combine(day + timedelta(days=1), time(), zone)
    return start.astimezone(UTC), end.astimezone(UTC)


def outcomes_of_day(
    readings: pd.DataFrame,
    placements: Iterable[Placed],
    rooms: Iterable[OpenRoom],
    day: date,
    zone: ZoneInfo,
    bookings: Mapping[str, Iterable[tuple[datetime, datetime]]] | None = None,
) -> list[DayOutcome]:
    """Every outcome of every room open on `day`, with the share of opening hours it rests on.

    `bookings` are (start, end), aware, of the rooms whose calendar of that day is known, be it empty.
    """
    held = _held(readings, placements, *day_bounds(day, zone))
    found = []
    for room in rooms:
        opening = _opening(day, zone, room.opens, room.closes)
        booked = (bookings or {}).get(room.room)
        spans = None if booked is None else _spans(booked, _ms(day_bounds(day, zone)[0]), opening)
        signals = _signals(held.get(room.room, {}), day, opening, room.capacity, spans)
        for outcome in OUTCOMES.values():
            if outcome.of_day is not None:
                cell = outcome.of_day(signals)
                found.append(DayOutcome(room.room, day, outcome.key, outcome.version, *cell))
    return found


def compared_rows(outcomes: pd.DataFrame, protocol: Protocol) -> pd.DataFrame:
    """The rows the comparison rests on: enough coverage, days on which every site was open, whole weeks.

    `outcomes` has columns `room`, `day`, `outcome`, `value`, `coverage` over the open days of the rooms. Out
    come `room`, `day`, `outcome`, `value`, sorted. Weeks are cut whole around a common switch date, where
    that leaves at least one on each side.
    """
    keys = [measure.outcome for measure in protocol.measures]
    wanted = (
        outcomes["outcome"].isin(keys)
        & outcomes["room"].isin(protocol.design.rooms)
        & (outcomes["day"] >= protocol.starts)
        & (outcomes["day"] <= protocol.ends)
    )
    rows = outcomes[wanted]
    rows = rows[rows["day"].isin(_common_days(rows, protocol))]
    rows = rows[(rows["coverage"] >= protocol.min_coverage) & rows["value"].notna()]
    rows = rows.sort_values(["outcome", "room", "day"], ignore_index=True)
    return rows[["room", "day", "outcome", "value"]]


def after_washout(switch: date, washout: int, open_days: Iterable[date]) -> date:
    """The first day that counts after a switch: `washout` open days later."""
    after = sorted(day for day in set(open_days) if day >= switch)
    if washout == 0 or not after:
        return switch
    return after[washout] if washout < len(after) else after[-1] + timedelta(days=1)


def _common_days(rows: pd.DataFrame, protocol: Protocol) -> set[date]:
    """Days on which no room's site was closed, cut to whole weeks where there is one switch date."""
    n_rooms = rows["room"].nunique()
    by_day = rows.groupby("day")["room"].nunique()
    days = set(by_day.index[by_day == n_rooms])
    switches = set(protocol.design.switch.values())
    if len(switches) != 1:
        return days
    switch, starts, ends = next(iter(switches)), protocol.starts, protocol.ends
    if not (isinstance(switch, date) and isinstance(starts, date) and isinstance(ends, date)):
        return days
    resumes = after_washout(switch, protocol.design.washout, days)
    first, last = min(days, default=switch), max(days, default=switch)
    # a week that begins or ends with a holiday is whole
    first = starts if (first - starts).days < DAYS_A_WEEK else first
    last = ends if (ends - last).days < DAYS_A_WEEK else last
    whole_before = (switch - first).days // DAYS_A_WEEK
    whole_after = ((last - resumes).days + 1 + _weekend_after(last, days)) // DAYS_A_WEEK
    if whole_before < 1 or whole_after < 1:
        return days
    begin, end = switch - timedelta(weeks=whole_before), resumes + timedelta(weeks=whole_after)
    return {day for day in days if begin <= day < end}


def _weekend_after(last: date, days: set[date]) -> int:
    """Days after `last` on which nothing ever opens: a week that ends on Friday is whole."""
    weekdays = {day.isoweekday() for day in days}
    following = [(last + timedelta(days=n)).isoweekday() for n in range(1, DAYS_A_WEEK)]
    return next((n for n, weekday in enumerate(following) if weekday in weekdays), 0)


# ------------------------------------------------------------------------------------------- minute by minute


def _held(
    readings: pd.DataFrame, placements: Iterable[Placed], start: datetime, end: datetime
) -> dict[str, dict[str, list[Floats]]]:
    """Room → metric → one array a device placed there: its value each minute of the day, NaN unobserved."""
    first, last = _ms(start), _ms(end)
    minutes = np.arange(first, last, MINUTE, dtype=np.int64)
    series = _series(readings)
    held: dict[str, dict[str, list[Floats]]] = {}
    for placed in placements:
        since = _ms(placed.start)
        until = last if placed.end is None else _ms(placed.end)
        told = series.get(placed.device, {})
        for metric, (times, values) in _there(told, since, until).items():
            limit = _hold_limit(told.get(metric, (times,))[0], placed.heartbeat)
            signal = _hold(times, values, minutes, limit)
            signal[minutes >= until] = np.nan
            held.setdefault(placed.room, {}).setdefault(metric, []).append(signal)
    return held


def _there(series: Series, since: int, until: int) -> Series:
    """What a device measured while it was there; people as well, where it counted them in and out."""
    found = {}
    for metric, (times, values) in series.items():
        mine = (times >= since) & (times < until)
        if mine.any():
            found[metric] = times[mine], values[mine]
    if "people" not in found and found.keys() >= {"people_in", "people_out"}:
        found["people"] = inside(found["people_in"], found["people_out"])
    return found


def _series(readings: pd.DataFrame) -> dict[str, Series]:
    """Device → metric → its instants, ascending, and values."""
    times = readings["time"].to_numpy(dtype="datetime64[ms]").astype(np.int64)
    values = readings["value"].to_numpy(dtype=np.float64)
    device_codes, devices = pd.factorize(readings["device"])
    metric_codes, metrics = pd.factorize(readings["metric"])
    order = np.lexsort((times, metric_codes, device_codes))
    kinds = (device_codes * max(len(metrics), 1) + metric_codes)[order]
    series: dict[str, Series] = {}
    for rows in np.split(order, np.flatnonzero(np.diff(kinds)) + 1):
        if len(rows):
            device, metric = devices[device_codes[rows[0]]], metrics[metric_codes[rows[0]]]
            series.setdefault(str(device), {})[str(metric)] = (times[rows], values[rows])
    return series


def _hold_limit(times: Instants, heartbeat: float | None) -> int:
    """How long a reading holds, in ms: the declared heartbeat, or three median gaps within bounds."""
    if heartbeat is not None:
        return max(SHORTEST_HOLD, int(heartbeat * MINUTE))
    if len(times) < 2:  # noqa: PLR2004 - no gap to measure
        return UNKNOWN_HOLD
    return int(np.clip(3 * np.median(np.diff(times)), SHORTEST_HOLD, LONGEST_HOLD))


def _hold(times: Instants, values: Floats, minutes: Instants, limit: int) -> Floats:
    """Each minute's value: the last reading's, while it is not older than `limit`."""
    last = np.searchsorted(times, minutes, side="right") - 1
    known = (last >= 0) & (minutes - times[np.maximum(last, 0)] <= limit)
    return np.where(known, values[np.maximum(last, 0)], np.nan)


def _opening(day: date, zone: ZoneInfo, opens: int, closes: int) -> slice:
    """Which minutes of the local day lie within opening hours, whatever the clocks do that night."""
    midnight = _ms(day_bounds(day, zone)[0])
    first, last = (
        (_ms(datetime.combine(day, time(at // 60, at % 60), zone)) - midnight) // MINUTE
        if at < 24 * 60
        else (_ms(day_bounds(day, zone)[1]) - midnight) // MINUTE
        for at in (opens, closes)
    )
    return slice(first, max(first, last))  # 02:30 to 03:00 is less than nothing when clocks go forward


def _spans(
    booked: Iterable[tuple[datetime, datetime]], midnight: int, opening: slice
) -> tuple[tuple[int, int], ...]:
    """The bookings within opening hours, as minutes of them, in order."""
    found = []
    for start, end in booked:
        first = max((_ms(start) - midnight) // MINUTE, opening.start) - opening.start
        last = min(-(-(_ms(end) - midnight) // MINUTE), opening.stop) - opening.start
        if first < last:
            found.append((first, last))
    return tuple(sorted(found))


def _signals(
    held: Mapping[str, list[Floats]],
    day: date,
    opening: slice,
    capacity: int | None,
    booked: tuple[tuple[int, int], ...] | None,
) -> Signals:
    length = opening.stop - opening.start
    occupied, kind = _occupied(held, opening)
    nothing = np.full(length, np.nan)

    def median(metric: str) -> Floats:
        return _median(held[metric])[opening] if metric in held else nothing

    return Signals(
        day=day,
        occupied=nothing if occupied is None else occupied[opening],
        people=median("people"),
        co2=median("co2"),
        temperature=median("temperature"),
        sound=median("sound"),
        capacity=capacity,
        estimated=kind == "co2",
        booked=booked,
    )


def _occupied(held: Mapping[str, list[Floats]], opening: slice) -> tuple[Floats | None, str | None]:
    """Occupancy by the best kind of sensor that knows enough of the day, else by the one that knows most.

    Kinds are not mixed within a day: a camera plugged in at four does not cost a day that a detector saw.
    """
    signals = {metric: _median(held[metric]) for metric in OCCUPANCY if metric in held}
    if not signals:
        return None, None
    minutes = {metric: np.count_nonzero(np.isfinite(signal[opening])) for metric, signal in signals.items()}
    enough = ENOUGH * (opening.stop - opening.start)
    kind = next(
        (metric for metric in signals if minutes[metric] >= enough), max(minutes, key=minutes.__getitem__)
    )
    signal = signals[kind]
    known = np.isfinite(signal)
    if not known.any():
        return signal, kind
    threshold = np.nanpercentile(signal, BASE_PERCENTILE) + CO2_RISE if kind == "co2" else 0.0
    present = signal > threshold
    if kind in ("presence", "motion"):
        present = _lengthened(present, PIR_HOLD)
    return np.where(known, present.astype(np.float64), np.nan), kind


def _lengthened(present: NDArray[np.bool_], minutes: int) -> NDArray[np.bool_]:
    """Presence that lasts `minutes` more after it was last seen."""
    seen = np.where(present, np.arange(len(present)), -minutes - 1)
    return np.arange(len(present)) - np.maximum.accumulate(seen) <= minutes


def _median(signals: list[Floats]) -> Floats:
    """Minute by minute over the devices of one quantity; the devices that know speak."""
    if len(signals) == 1:
        return signals[0]
    stacked = np.sort(np.stack(signals), axis=0)  # NaN last
    known = np.isfinite(stacked).sum(axis=0)
    columns = np.arange(stacked.shape[1])
    middle: Floats = (stacked[np.maximum(known - 1, 0) // 2, columns] + stacked[known // 2, columns]) / 2
    return middle


def _ms(instant: datetime) -> int:
    return round(instant.timestamp() * 1000)
