from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pandas as pd
import pytest

from experiments.design import Design, Measure, Protocol
from experiments.panel import OpenRoom, Placed, after_washout, compared_rows, day_bounds, outcomes_of_day

PARIS = ZoneInfo("Europe/Paris")
DAY = date(2026, 3, 3)
LOIRE = OpenRoom("loire", capacity=10, opens=8 * 60, closes=18 * 60)
MIDNIGHT = day_bounds(DAY, PARIS)[0]


def series(device, metric, *points):
    """Readings at local hours of DAY: (hour, value)."""
    return pd.DataFrame(
        [(device, metric, pd.Timestamp(MIDNIGHT + timedelta(hours=h)), float(v)) for h, v in points],
        columns=["device", "metric", "time", "value"],
    )


def every(minutes, value_at, start=0.0, end=24.0):
    steps = int((end - start) * 60 / minutes)
    hours = [start + i * minutes / 60 for i in range(steps)]
    return [(h, value_at(h)) for h in hours]


def placed(device="g/cam", room="loire", start=MIDNIGHT - timedelta(days=9), end=None, heartbeat=None):
    return Placed(device, room, start, end, heartbeat)


def day_of(readings, placements=None, rooms=(LOIRE,), day=DAY):
    found = outcomes_of_day(readings, [placed()] if placements is None else placements, rooms, day, PARIS)
    return {(each.room, each.outcome): (each.value, each.coverage) for each in found}


def test_a_counter_gives_occupied_minutes_of_the_whole_day():
    """Two hours of people in ten opening hours, fully observed."""
    readings = series("g/cam", "people", *every(5, lambda h: 4 if 9 <= h < 11 else 0))
    cells = day_of(readings)
    assert cells["loire", "occupied_minutes"] == (pytest.approx(120), 1.0)
    assert cells["loire", "time_utilisation"][0] == pytest.approx(20)
    assert cells["loire", "seat_fill"][0] == pytest.approx(40)
    assert cells["loire", "meetings"][0] == 1


def test_a_counter_at_the_door_gives_the_people_inside():
    """Four come in at nine and leave at eleven; its totals are of all the weeks before."""
    readings = pd.concat(
        [
            series("g/door", "people_in", *every(5, lambda h: 772 if h < 9 else 776)),
            series("g/door", "people_out", *every(5, lambda h: 768 if h < 11 else 772)),
        ]
    )
    cells = day_of(readings, [placed("g/door")])
    assert cells["loire", "occupied_minutes"] == (pytest.approx(120), 1.0)
    assert cells["loire", "seat_fill"][0] == pytest.approx(40)


def test_a_counter_that_was_moved_takes_nobody_with_it():
    readings = pd.concat(
        [
            series("g/door", "people_in", *every(5, lambda h: 0 if h < 9 else 3 if h < 15 else 4)),
            series("g/door", "people_out", *every(5, lambda h: 0 if h < 16 else 1)),
        ]
    )
    noon = MIDNIGHT + timedelta(hours=12)
    there = [placed("g/door", "erdre", end=noon), placed("g/door", start=noon)]
    erdre = OpenRoom("erdre", capacity=10, opens=8 * 60, closes=18 * 60)
    cells = day_of(readings, there, rooms=(LOIRE, erdre))
    assert cells["loire", "time_utilisation"][0] == pytest.approx(100 / 6)  # from three to four, of six hours


def test_an_outage_is_unobserved_and_not_empty():
    """The sensor dies at 13:00: half the day is known, and the share of use is that of the known half."""
    readings = series("g/cam", "people", *every(5, lambda h: 4 if 8 <= h < 10.5 else 0, end=13.0))
    value, coverage = day_of(readings)["loire", "time_utilisation"]
    assert coverage == pytest.approx(0.5, abs=0.03)
    assert value == pytest.approx(50, abs=3)


def test_a_reading_holds_three_median_gaps_at_most():
    """Every 10 min until 12:00, nothing after: the last value holds 30 min."""
    readings = series("g/cam", "people", *every(10, lambda _h: 1, end=12.0))
    _, coverage = day_of(readings)["loire", "occupied_minutes"]
    assert coverage == pytest.approx((3 * 60 + 50 + 30 + 1) / 600)


def test_a_declared_heartbeat_lets_a_silent_device_hold():
    readings = series("g/pir", "presence", (7.9, 0), (12.0, 1), (12.1, 0), (16.0, 0))
    silent = day_of(readings, [placed("g/pir")])["loire", "occupied_minutes"][1]
    declared = day_of(readings, [placed("g/pir", heartbeat=300)])["loire", "occupied_minutes"][1]
    assert silent < 0.7
    assert declared == 1.0


def test_counters_come_before_presence_and_presence_before_co2():
    """A presence sensor says full all day, the counter says empty: the counter is believed."""
    readings = pd.concat(
        [
            series("g/cam", "people", *every(5, lambda _h: 0)),
            series("g/pir", "presence", *every(5, lambda _h: 1)),
            series("g/air", "co2", *every(10, lambda h: 1500 if 9 <= h < 12 else 450)),
        ]
    )
    three = [placed("g/cam"), placed("g/pir"), placed("g/air")]
    assert day_of(readings, three)["loire", "occupied_minutes"][0] == 0
    assert day_of(readings, three[1:])["loire", "occupied_minutes"][0] == 600
    assert day_of(readings, three[2:])["loire", "occupied_minutes"][0] == pytest.approx(180)


def test_a_counter_that_knows_little_of_the_day_does_not_cost_it():
    """The camera is plugged in at 16:00; the detector saw the whole day and a meeting of an hour."""
    readings = pd.concat(
        [
            series("g/cam", "people", *every(5, lambda _h: 2, start=16.0)),
            series("g/pir", "presence", *every(5, lambda h: float(9 <= h < 10))),
        ]
    )
    value, coverage = day_of(readings, [placed("g/cam"), placed("g/pir")])["loire", "occupied_minutes"]
    assert coverage == 1.0
    assert value == pytest.approx(75, abs=5)  # and what the detector's hold adds


def test_of_kinds_that_all_know_little_the_one_that_knows_most_speaks():
    readings = pd.concat(
        [
            series("g/cam", "people", *every(5, lambda _h: 2, start=16.0)),
            series("g/pir", "presence", *every(5, lambda _h: 0, start=13.0)),
        ]
    )
    value, coverage = day_of(readings, [placed("g/cam"), placed("g/pir")])["loire", "occupied_minutes"]
    assert coverage == pytest.approx(0.5)
    assert value == 0


def test_two_counters_of_one_room_give_their_median():
    readings = pd.concat(
        [
            series("g/a", "people", *every(5, lambda h: 6 if 9 <= h < 11 else 0)),
            series("g/b", "people", *every(5, lambda h: 2 if 9 <= h < 11 else 0)),
        ]
    )
    assert day_of(readings, [placed("g/a"), placed("g/b")])["loire", "seat_fill"][0] == pytest.approx(40)


def test_a_device_that_moved_speaks_for_each_room_in_its_time():
    readings = series("g/cam", "people", *every(5, lambda _h: 3))
    noon = MIDNIGHT + timedelta(hours=13)
    erdre = OpenRoom("erdre", 8, 8 * 60, 18 * 60)
    cells = day_of(readings, [placed(end=noon), placed(room="erdre", start=noon)], (LOIRE, erdre))
    assert cells["loire", "occupied_minutes"][1] == pytest.approx(0.5)
    assert cells["erdre", "occupied_minutes"][1] == pytest.approx(0.5)


def test_air_counts_only_while_people_are_there():
    readings = pd.concat(
        [
            series("g/cam", "people", *every(5, lambda h: 5 if 9 <= h < 11 else 0)),
            series("g/cam", "co2", *every(10, lambda h: 800 if h < 10 else 1200)),
        ]
    )
    cells = day_of(readings)
    assert cells["loire", "co2_occupied"][0] == pytest.approx(1000)
    assert cells["loire", "co2_high"][0] == pytest.approx(50)


def test_a_day_without_a_meeting_has_no_air_to_judge():
    readings = pd.concat(
        [
            series("g/cam", "people", *every(5, lambda _h: 0)),
            series("g/cam", "co2", *every(10, lambda _h: 420)),
        ]
    )
    value, coverage = day_of(readings)["loire", "co2_occupied"]
    assert value is None
    assert coverage == 1.0


def test_a_room_without_any_sensor_has_no_coverage():
    nothing = series("g/cam", "people")
    value, coverage = day_of(nothing, [])["loire", "occupied_minutes"]
    assert value is None
    assert coverage == 0.0


@pytest.mark.parametrize(("day", "hours"), [(date(2026, 3, 29), 23), (date(2026, 10, 25), 25), (DAY, 24)])
def test_local_days_have_23_24_or_25_hours(day, hours):
    start, end = day_bounds(day, PARIS)
    assert end - start == timedelta(hours=hours)


def test_opening_hours_are_local_on_the_night_the_clocks_change():
    """On 29 March 08:00 local is 06:00 UTC; a meeting from 8 to 9 local is found there."""
    day = date(2026, 3, 29)
    at = [datetime(2026, 3, 29, 5, tzinfo=UTC) + timedelta(minutes=5 * i) for i in range(150)]
    values = [3.0 if 6 <= t.hour < 7 else 0.0 for t in at]
    readings = pd.DataFrame(
        {"device": "g/cam", "metric": "people", "time": pd.to_datetime(at), "value": values}
    )
    assert day_of(readings, day=day)["loire", "occupied_minutes"][0] == pytest.approx(60)


def test_opening_hours_that_begin_in_the_hour_that_is_skipped_keep_no_other_room_from_its_day():
    day = date(2026, 3, 29)
    night = OpenRoom("vilaine", capacity=4, opens=2 * 60 + 30, closes=3 * 60)
    at = [datetime(2026, 3, 29, 5, tzinfo=UTC) + timedelta(minutes=5 * i) for i in range(150)]
    readings = pd.DataFrame({"device": "g/cam", "metric": "people", "time": pd.to_datetime(at), "value": 3.0})
    found = day_of(readings, rooms=(LOIRE, night), day=day)
    assert found["vilaine", "occupied_minutes"] == (None, 0.0)
    assert found["loire", "occupied_minutes"][0] == pytest.approx(600)


# ------------------------------------------------------------------------------- what the comparison rests on


def protocol(**changes):
    given = {
        "slug": "t",
        "title": "t",
        "design": Design(switch={"a": date(2026, 3, 16)}, baseline=("b", "c"), washout=0),
        "starts": date(2026, 3, 2),
        "ends": date(2026, 3, 29),
        "measures": (Measure("occupied_minutes", "primary", "higher"),),
    }
    return Protocol(**(given | changes))


def outcomes(days, coverage=1.0, rooms="abc"):
    rows = [(room, day, "occupied_minutes", 100.0, coverage) for room in rooms for day in days]
    return pd.DataFrame(rows, columns=["room", "day", "outcome", "value", "coverage"])


def working_days(first, last):
    days = [first + timedelta(days=n) for n in range((last - first).days + 1)]
    return [day for day in days if day.isoweekday() <= 5]


FOUR_WEEKS = working_days(date(2026, 3, 2), date(2026, 3, 27))


def test_a_thin_day_of_a_room_is_left_out():
    thin = outcomes(FOUR_WEEKS)
    thin.loc[0, "coverage"] = 0.69
    rows = compared_rows(thin, protocol())
    assert len(rows) == 3 * 20 - 1


def test_a_day_on_which_one_site_was_closed_is_dropped_for_all():
    """Room b has no row on 4 March: its building was closed."""
    frame = outcomes(FOUR_WEEKS)
    frame = frame[~((frame["room"] == "b") & (frame["day"] == date(2026, 3, 4)))]
    assert date(2026, 3, 4) not in set(compared_rows(frame, protocol())["day"])


def test_weeks_are_cut_whole_around_the_switch():
    """Three more days at either end are no whole week."""
    days = working_days(date(2026, 2, 25), date(2026, 4, 1))
    rows = compared_rows(outcomes(days), protocol(starts=date(2026, 2, 25), ends=date(2026, 4, 1)))
    assert (rows["day"].min(), rows["day"].max()) == (date(2026, 3, 2), date(2026, 3, 27))


def test_a_week_that_begins_or_ends_with_a_holiday_is_whole():
    """Closed on Monday 2 March and on Friday 27 March: eight more days count."""
    days = [day for day in FOUR_WEEKS if day not in (date(2026, 3, 2), date(2026, 3, 27))]
    rows = compared_rows(outcomes(days), protocol())
    assert sorted(set(rows["day"])) == days


def test_days_are_kept_when_no_whole_week_would_be_left():
    days = working_days(date(2026, 3, 12), date(2026, 3, 18))
    rows = compared_rows(outcomes(days), protocol(starts=date(2026, 3, 12), ends=date(2026, 3, 18)))
    assert rows["day"].nunique() == len(days)


def test_a_washout_of_five_days_ends_a_week_later():
    assert after_washout(date(2026, 3, 16), 5, FOUR_WEEKS) == date(2026, 3, 23)
    assert after_washout(date(2026, 3, 16), 0, FOUR_WEEKS) == date(2026, 3, 16)
