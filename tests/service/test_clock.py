"""Where the hour matters: zones with odd offsets, days on which clocks change, the hours around midnight."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from types import SimpleNamespace
from zoneinfo import ZoneInfo

import pytest

from sensors.reading import Reading
from service import room_series
from service.settings import Settings


@pytest.mark.parametrize("name", ["Asia/Kathmandu", "Pacific/Marquesas", "Europe/Paris", "America/Havana"])
def test_a_week_begins_at_its_midnight_whatever_the_zone_is_off_by(app, name):
    zone = ZoneInfo(name)
    start, end = (datetime.combine(date(2026, 3, day), time(), zone) for day in (2, 9))
    begins = start.astimezone(UTC)
    app.state.store.write(
        Reading("g/air", "co2", 500.0 + n, "ppm", begins + timedelta(minutes=15 * n), "device", "g")
        for n in range(-4, 8)
    )
    placed = [SimpleNamespace(device_key="g/air", start=begins - timedelta(days=9), end=None)]
    [co2] = room_series.series(app.state.store, placed, start, end, timedelta(hours=1))
    assert [at for at, _ in co2.points][0] == start
    assert {at.date() for at, _ in co2.points} == {date(2026, 3, day) for day in range(2, 9)}
    assert [value for _, value in co2.points[:2]] == [501.5, 505.5]  # of the hours from midnight on
