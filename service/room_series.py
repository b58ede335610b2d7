"""What the sensors of a room said over a day or a week: means by stretch, gaps where nothing holds."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING

from dashboards.pages.rooms import Series

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import pandas as pd

    from sensors.store import ReadingStore
    from service.registry.tables import Placement

OVER_TIME = ("people", "presence", "co2", "temperature", "humidity", "sound", "light")
LONGEST_HOLD = timedelta(hours=2)
EARLIEST = date(2000, 1, 1)  # sensors are of this century, and before year 1 there is no day
# nothing of today, and nothing by less than 15 minutes: CO2 alone would tell who is in the room now
SPANS = {"day": (timedelta(days=1), timedelta(minutes=15)), "week": (timedelta(days=7), timedelta(hours=1))}


def series(
    store: ReadingStore,
    placed: Sequence[Placement],
    start: datetime,
    end: datetime,
    step: timedelta,
) -> Iterable[Series]:
    """A series per metric: the mean of each stretch, over the devices that were in the room then."""
    keys = {each.device_key for each in placed}
    if not keys:
        return
    begin = start - LONGEST_HOLD
    found = store.read(begin.astimezone(UTC), end.astimezone(UTC), keys, OVER_TIME)
    if found.empty:
        return
    found = found[_inside(found, placed)]
    bins = _bins(start, end, step)
    for metric in OVER_TIME:
        rows = found[found["metric"] == metric]
        if rows.empty:
            continue
        values = _binned(rows, bins, step)
        if values.notna().any():
            yield Series(metric, tuple(zip(bins, known(values), strict=True)))


def stretch_end(placed: Sequence[Placement], at: datetime, until: date | None) -> datetime:
    """Midnight after the day asked for, else after the last one heard of; last midnight at the latest."""
    seen = [each.device.last_seen.astimezone(at.tzinfo).date() for each in placed if each.device.last_seen]
    yesterday = at.date() - timedelta(days=1)
    last = max(EARLIEST, min(until or max(seen, default=yesterday), yesterday))
    return datetime.combine(last + timedelta(days=1), time(), at.tzinfo)


def known(values: pd.Series[float]) -> list[float | None]:
    """Values in order; None where there is none."""
    return [None if missing else value for value, missing in zip(values, values.isna(), strict=True)]


def _inside(found: pd.DataFrame, placed: Sequence[Placement]) -> pd.Series[bool]:
    """Whether each reading was taken while its device was in the room."""
    inside = found["time"].isna()
    for each in placed:
        mine = (found["device"] == each.device_key) & (found["time"] >= each.start)
        inside |= mine if each.end is None else mine & (found["time"] < each.end)
    return inside


def _bins(start: datetime, end: datetime, step: timedelta) -> list[datetime]:
    import pandas as pd  # noqa: PLC0415 - 150 ms that the form need not pay

    times = pd.date_range(start.astimezone(UTC), end.astimezone(UTC), freq=step, inclusive="left")
    return [at.to_pydatetime().astimezone(start.tzinfo) for at in times]


def _binned(rows: pd.DataFrame, bins: list[datetime], step: timedelta) -> pd.Series[float]:
    """Means by bin; a bin without a reading takes the last one while that still holds, else it is a gap."""
    import pandas as pd  # noqa: PLC0415 - see _bins

    width = pd.Timedelta(step)
    held = pd.Timedelta(LONGEST_HOLD)
    gap = rows.sort_values("time").groupby("device")["time"].diff().median()
    if not pd.isna(gap):
        held = min(held, max(pd.Timedelta(3 * gap), pd.Timedelta(minutes=15)))
    first = bins[0].astimezone(UTC)  # not the full hour of UTC: some zones are off by half of one
    means = rows.groupby((rows["time"] - first).dt.floor(step) + first)["value"].mean()
    index = pd.DatetimeIndex([at.astimezone(UTC) for at in bins]).astype(means.index.dtype)
    filled = means.reindex(index.union(means.index))
    limit = int(held / width)
    return (filled.ffill(limit=limit) if limit else filled).reindex(index)
