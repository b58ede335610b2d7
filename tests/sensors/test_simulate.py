"""Virtual rooms: people, air, warmth and noise that hang together, told in the formats of real gateways."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from sensors import Decoder
from sensors.simulate import Change, Town, VirtualRoom, batched, fleet, french_holidays, measured, small_town
from sensors.simulate.gateways import AIR, VirtualDevice, message
from sensors.simulate.publish import stream

PARIS = ZoneInfo("Europe/Paris")
MONDAY = date(2026, 3, 2)
LOIRE = VirtualRoom("loire", "hall", capacity=10, volume=70.0)
TOWN = Town((LOIRE,), PARIS, seed=7)


def working_days(town: Town, count: int, first: date = MONDAY) -> list[date]:
    days = (first + timedelta(days=n) for n in range(2 * count + 20))
    return [day for day in days if town.working(day)][:count]


def occupied_minutes(town: Town, day: date) -> float:
    return 5.0 * np.count_nonzero(town.day(LOIRE, day).people)


def test_a_day_made_again_alone_or_by_another_process_is_the_same():
    other = Town((LOIRE, VirtualRoom("erdre", "hall", 8, 50.0)), PARIS, seed=7)
    for name in ("people", "co2", "temperature", "humidity", "sound"):
        assert np.array_equal(getattr(TOWN.day(LOIRE, MONDAY), name), getattr(other.day(LOIRE, MONDAY), name))


def test_another_seed_is_other_people():
    assert TOWN.day(LOIRE, MONDAY).meetings != Town((LOIRE,), PARIS, seed=8).day(LOIRE, MONDAY).meetings


def test_nobody_comes_on_sundays_and_public_holidays():
    for day in (date(2026, 3, 8), date(2026, 4, 6), date(2026, 5, 14), date(2026, 11, 11)):
        assert not TOWN.day(LOIRE, day).people.any()


def test_the_movable_holidays_of_france():
    assert french_holidays(2027)[date(2027, 3, 29)] == "Lundi de Pâques"
    assert french_holidays(2024)[date(2024, 5, 9)] == "Ascension"
    assert french_holidays(2025)[date(2025, 6, 9)] == "Lundi de Pentecôte"


@pytest.mark.parametrize(("day", "hours"), [(date(2026, 3, 29), 23), (date(2026, 10, 25), 25), (MONDAY, 24)])
def test_a_local_day_has_its_hours(day, hours):
    made = TOWN.day(LOIRE, day)
    assert len(made.people) == hours * 12
    assert made.start == datetime.combine(day, datetime.min.time(), PARIS).astimezone(UTC)


def test_nobody_meets_outside_opening_hours_nor_more_than_seats():
    for day in working_days(TOWN, 20):
        made = TOWN.day(LOIRE, day)
        times = [made.start + timedelta(minutes=5 * int(i)) for i in np.flatnonzero(made.people)]
        local = [time.astimezone(PARIS) for time in times]
        assert all(8 <= time.hour < 19 for time in local)
        assert made.people.max() <= LOIRE.capacity


def test_a_full_room_tends_to_the_concentration_of_its_mass_balance():
    made = next(
        room
        for day in working_days(TOWN, 60)
        for room in [TOWN.day(LOIRE, day)]
        if any(meeting.length >= 18 and meeting.people >= 4 for meeting in room.meetings)
    )
    long = next(each for each in made.meetings if each.length >= 18 and each.people >= 4)
    steady = 420 + 1e6 * 0.020 * long.people / (LOIRE.air_changes * LOIRE.volume)
    assert made.co2[long.start + long.length - 1] == pytest.approx(steady, rel=0.15)
    assert made.co2[: made.meetings[0].start].mean() == pytest.approx(420, abs=5)


def test_people_are_heard_and_warm_the_room():
    days = [TOWN.day(LOIRE, day) for day in working_days(TOWN, 20)]
    people, sound = (np.concatenate([getattr(day, name) for day in days]) for name in ("people", "sound"))
    assert sound[people > 0].mean() > sound[people == 0].mean() + 10
    warm = Town((VirtualRoom("loire", "hall", 10, 70.0, minutes=400, filled=0.9),), PARIS, seed=7)
    crowd = np.mean([warm.day(warm.rooms[0], day.day).temperature.mean() for day in days])
    assert crowd > np.mean([day.temperature.mean() for day in days])


def test_a_change_has_the_effect_it_says():
    since = date(2026, 3, 16)
    changed = Town((LOIRE,), PARIS, (Change("loire", since, minutes=60.0, air=0.5, sound=-4.0),), seed=7)
    days = working_days(TOWN, 60, since)
    gained = [occupied_minutes(changed, day) - occupied_minutes(TOWN, day) for day in days]
    assert np.mean(gained) == pytest.approx(60, abs=5)
    assert occupied_minutes(changed, MONDAY) == occupied_minutes(TOWN, MONDAY)
    night = slice(0, 48)
    quieter = [TOWN.day(LOIRE, day).sound[night] - changed.day(LOIRE, day).sound[night] for day in days]
    assert np.mean(quieter) == pytest.approx(4.0, abs=0.05)  # energies add


def test_demand_follows_the_weekday_and_differs_between_rooms():
    days = working_days(TOWN, 200)
    by_weekday = {n: np.mean([TOWN.demand(LOIRE, day) for day in days if day.weekday() == n]) for n in (3, 4)}
    assert by_weekday[3] > 1.15 * by_weekday[4]


@pytest.mark.parametrize("device", fleet(small_town(4, PARIS).rooms), ids=lambda device: device.key)
def test_every_gateways_message_decodes_to_what_was_measured(device):
    town = small_town(4, PARIS)
    room = next(room for room in town.rooms if room.slug == device.room)
    found = list(measured(town, device, town.day(room, MONDAY)))
    assert len(found) > 100
    for each in found[::25]:
        sent = message(device, each)
        readings = Decoder().decode(sent.topic, sent.payload, sent.received_at)
        got = {reading.metric: reading.value for reading in readings}
        assert got.items() >= each.values.items()
        assert {reading.device for reading in readings} == {device.key}
        assert all(abs(reading.time - each.time) < timedelta(milliseconds=1) for reading in readings)


def test_a_gateways_memory_is_the_same_readings_at_once():
    device = fleet(TOWN.rooms)[0]
    found = list(measured(TOWN, device, TOWN.day(LOIRE, MONDAY)))
    sent = batched(device, found, found[-1].time)
    readings = Decoder().decode(sent.topic, sent.payload, sent.received_at)
    assert [reading.value for reading in readings] == [each.values["people"] for each in found]
    assert [reading.seq for reading in readings] == [each.seq for each in found]


def test_a_silent_sensor_says_nothing_and_keeps_counting():
    start = datetime(2026, 3, 2, 9, tzinfo=UTC)
    hour = (start, start + timedelta(hours=1))
    device = VirtualDevice("town/loire", "loire", AIR, 10, silent=(hour,))
    found = list(measured(TOWN, device, TOWN.day(LOIRE, MONDAY)))
    assert not [each for each in found if hour[0] <= each.time < hour[1]]
    assert max(b.seq - a.seq for a, b in pairwise(found)) == 7


def test_sequence_numbers_go_on_across_midnight_and_the_change_of_clocks():
    device = VirtualDevice("town/loire", "loire", AIR, 10)
    days = [date(2026, 3, 28), date(2026, 3, 29), date(2026, 3, 30)]
    found = [each for day in days for each in measured(TOWN, device, TOWN.day(LOIRE, day))]
    steps = {(b.seq - a.seq, b.time - a.time) for a, b in pairwise(found)}
    assert steps == {(1, timedelta(minutes=10))}


def test_a_stream_begins_where_it_is_asked_and_is_in_order():
    since = datetime(2026, 3, 2, 22, 30, tzinfo=UTC)
    town = small_town(3, PARIS)
    told = stream(town, fleet(town.rooms), since)
    times = [each.time for _device, each in (next(told) for _ in range(200))]
    assert times == sorted(times)
    assert since <= times[0] < since + timedelta(minutes=5)
    assert times[-1].astimezone(PARIS).date() == date(2026, 3, 3)
