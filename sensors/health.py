"""How each device did on one day: how often it spoke, what stood still, what its neighbours contradict.

Only what the readings themselves tell; whether a device is silent now is a matter of the clock.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

METRICS = ("people", "presence", "motion", "co2", "temperature", "humidity", "sound", "battery")
NEVER_STILL = ("co2", "temperature", "humidity", "sound")  # indoors these move within half a day
STILL_READINGS, STILL_HOURS = 24, 12
# how far apart two sensors of one room may be, day after day, and both still be right: at least twice the
# accuracy that makers of indoor sensors state, ± (50 ppm + 3 %), ± .5 °C, ± 3 %, ± 3 dB
APART = {"co2": 150.0, "temperature": 1.5, "humidity": 10.0, "sound": 6.0}
SHARED_HOURS = 6  # both have to have spoken in as many


@dataclass(frozen=True, slots=True)
class DeviceDay:
    """One device on one day.

    `interval` is the median time between its messages (None: fewer than three) and `longest_gap` the longest
    without one, beginning and end of the day included, both in s. `stuck` are metrics that showed one value
    all along, `apart` those on which it disagrees with the others of its room. `battery` is the last level
    in %.
    """

    device: str
    messages: int
    interval: int | None
    longest_gap: int
    stuck: tuple[str, ...] = ()
    apart: tuple[str, ...] = ()
    battery: float | None = None


def day_health(
    readings: pd.DataFrame, rooms: Mapping[str, str], start: datetime, end: datetime
) -> list[DeviceDay]:
    """Every device of `rooms` (device → its room) over [start, end), aware; by device.

    `readings` has columns device, metric, time (datetime64[ms, UTC]) and value, sorted, as a store gives.
    """
    times = readings["time"]
    day = readings[(times >= pd.Timestamp(start)) & (times < pd.Timestamp(end))]
    apart = _apart(day, rooms)
    spoken = {str(device): frame for device, frame in day.groupby("device", sort=False)}
    return [_one(device, spoken.get(device), apart[device], start, end) for device in sorted(rooms)]


def _one(
    device: str, frame: pd.DataFrame | None, apart: set[str], start: datetime, end: datetime
) -> DeviceDay:
    whole = int((end - start).total_seconds())
    if frame is None:
        return DeviceDay(device, 0, None, whole)
    seconds = np.unique(frame["time"].astype("int64").to_numpy()) / 1000
    gaps = np.diff(seconds)
    edges = np.concatenate([[start.timestamp()], seconds, [end.timestamp()]])
    battery = frame.loc[frame["metric"] == "battery", "value"]
    return DeviceDay(
        device,
        messages=len(seconds),
        interval=int(np.median(gaps)) if len(gaps) > 1 else None,
        longest_gap=int(np.diff(edges).max()),
        stuck=tuple(metric for metric in NEVER_STILL if _still(frame[frame["metric"] == metric])),
        apart=tuple(sorted(apart)),
        battery=float(battery.iloc[-1]) if len(battery) else None,
    )


def _still(frame: pd.DataFrame) -> bool:
    if len(frame) < STILL_READINGS or (frame["value"] != frame["value"].iloc[0]).any():
        return False
    spanned = frame["time"].iloc[-1] - frame["time"].iloc[0]
    return bool(spanned >= pd.Timedelta(hours=STILL_HOURS))


def _apart(day: pd.DataFrame, rooms: Mapping[str, str]) -> dict[str, set[str]]:
    """Device → the metrics on which its hourly medians are far from the others' of its room, as a rule."""
    found: dict[str, set[str]] = defaultdict(set)
    shared = {room for room, devices in Counter(rooms.values()).items() if devices > 1}
    room = day["device"].map(rooms)
    compared = day.assign(room=room, hour=day["time"].dt.floor("h"))[room.isin(shared)]
    for metric, limit in APART.items():
        for _, part in compared[compared["metric"] == metric].groupby("room"):
            table = part.pivot_table(index="hour", columns="device", values="value", aggfunc="median")
            for device in table.columns:
                gap = (table[device] - table.drop(columns=device).median(axis=1)).dropna()
                if len(gap) >= SHARED_HOURS and abs(gap.median()) > limit:
                    found[device].add(metric)
    return found
