"""What is wrong with devices, by their days, their silence and the quarantine; the worst harm first."""

from datetime import UTC, datetime, timedelta

import pytest
import time_machine

from sensors.reading import Reading
from service import device_health, outcomes
from service.registry import device_days, experiments
from service.registry.tables import Arm, Device, DeviceDay, Experiment, Placement, QuarantineEntry, Room, Site

NOW = datetime(2026, 3, 12, 15, 0, tzinfo=UTC)  # a Thursday
TODAY = NOW.date()


@pytest.fixture(autouse=True)
def _at():
    with time_machine.travel(NOW, tick=True):
        yield


@pytest.fixture
def world(registry):
    """Two rooms, the first in a running experiment, a sensor in each, one in none."""
    with registry.session() as session:
        site = Site(slug="mairie", name="Mairie")
        rooms = [Room(slug=slug, name=slug.title(), site=site, capacity=8) for slug in ("loire", "erdre")]
        for room, name in zip(rooms, "ab", strict=True):
            device = Device(key=f"g/{name}", gateway="g", first_seen=NOW - timedelta(days=30), last_seen=NOW)
            session.add(Placement(device=device, room=room, start=NOW - timedelta(days=30)))
        session.add(Device(key="g/c", gateway="g", first_seen=NOW, last_seen=NOW - timedelta(days=3)))
        trial = Experiment(
            slug="mobilier", title="Mobilier", declared_at=NOW, starts=TODAY - timedelta(days=20),
            ends=TODAY + timedelta(days=20), washout=0, min_days=5, assignment="lot", sheet={},
            arms=[Arm(room=rooms[0], switch=TODAY - timedelta(days=5))],
        )  # fmt: skip
        session.add(trial)
    return registry


def found(registry, settings, now=NOW):
    with registry.session() as session:
        wrong = device_health.findings(session, now, settings.zone)
        return [(each.kind, each.device.key, each.experiment and each.experiment[0]) for each in wrong]


def days(registry, key, gap=900, **what):
    with registry.session() as session:
        for ago in range(1, 8):
            values = {"messages": 90, "interval": 600, "longest_gap": gap, "stuck": "", "apart": "", **what}
            session.merge(DeviceDay(device_key=key, day=TODAY - timedelta(days=ago), **values))


def heard(registry, key, at):
    with registry.session() as session:
        session.get(Device, key).last_seen = at


def test_a_world_that_is_well_has_nothing_to_say(world, settings):
    assert found(world, settings) == []  # the device that is in no room may be silent


def test_silence_is_what_is_longer_than_the_devices_own_habit(world, settings):
    heard(world, "g/a", NOW - timedelta(minutes=50))
    heard(world, "g/b", NOW - timedelta(minutes=50))
    assert found(world, settings) == []  # nothing learned yet: two hours
    days(world, "g/a", gap=900)
    days(world, "g/b", gap=14 * 3600)  # it speaks when somebody moves, and is quiet at night
    assert found(world, settings) == [("silent", "g/a", "mobilier")]
    heard(world, "g/b", NOW - timedelta(hours=22))
    assert found(world, settings) == [("silent", "g/a", "mobilier"), ("silent", "g/b", None)]


def test_one_outage_is_no_habit(world, settings):
    days(world, "g/a", gap=900)
    with world.session() as session:
        session.get(DeviceDay, ("g/a", TODAY - timedelta(days=3))).longest_gap = 20 * 3600
    heard(world, "g/a", NOW - timedelta(hours=1))
    assert found(world, settings) == [("silent", "g/a", "mobilier")]


def test_a_declared_heartbeat_beats_what_was_learned(world, settings):
    days(world, "g/b", gap=900)
    heard(world, "g/b", NOW - timedelta(hours=5))
    with world.session() as session:
        session.get(Device, "g/b").heartbeat_minutes = 120
    assert found(world, settings) == []


def test_what_harms_an_experiment_comes_first_and_the_worst_of_it(world, settings):
    days(world, "g/a", stuck="co2,temperature", battery=12.0)
    days(world, "g/b", apart="co2")
    heard(world, "g/b", NOW - timedelta(hours=9))
    assert found(world, settings) == [
        ("stuck", "g/a", "mobilier"),
        ("battery", "g/a", "mobilier"),
        ("silent", "g/b", None),
        ("apart", "g/b", None),
    ]  # fmt: skip


def test_a_fault_is_dated_from_when_it_began_and_gone_when_it_is_over(world, settings):
    days(world, "g/a")
    with world.session() as session:
        for ago in (1, 2, 5):
            session.get(DeviceDay, ("g/a", TODAY - timedelta(days=ago))).stuck = "co2"
    with world.session() as session:
        (fault,) = device_health.findings(session, NOW, settings.zone)
        assert fault.since == TODAY - timedelta(days=2)
        session.get(DeviceDay, ("g/a", TODAY - timedelta(days=1))).stuck = ""
    assert found(world, settings) == []


@pytest.mark.parametrize(
    ("topic", "code", "expected"),
    [
        ("temoin/g/a", "clock_ahead", [("clock", "g/a", "mobilier")]),
        ("zigbee2mqtt/A", "out_of_range", [("range", "g/a", "mobilier")]),
        ("temoin/g/c", "sentinel", [("range", "g/c", None)]),  # in no room, and still wrong
        ("temoin/g/a", "broken_json", []),  # a matter of its gateway
        ("temoin/g/nobody", "clock_ahead", []),
    ],
)
def test_what_waits_in_quarantine_is_told_of_its_device(world, settings, topic, code, expected):
    if expected == [("range", "g/c", None)]:
        expected = [("silent", "g/c", None), *expected]
    with world.session() as session:
        session.add(
            QuarantineEntry(
                landing="mqtt", landing_id=1, received_at=NOW - timedelta(hours=3), topic=topic,
                payload=b"{}", code=code, reason=code,
            )
        )  # fmt: skip
    assert found(world, settings) == expected


def test_the_jobs_keep_how_devices_did_and_forget_it_in_time(world, settings, app):
    day = TODAY - timedelta(days=1)
    noon = datetime(2026, 3, 11, 7, tzinfo=UTC)
    app.state.store.write(
        Reading("g/a", metric, value, "-", noon + timedelta(minutes=15 * n), "device", "g")
        for n in range(60)
        for metric, value in (("co2", 612.0), ("temperature", 20.0 + n % 7), ("battery", 90.0 - n))
    )
    with world.session() as session:
        outcomes.compute_day(session, app.state.store, day, settings.zone)
    with world.session() as session:
        kept = {key: rows[0] for key, rows in device_days.since(session, day).items()}
        assert (kept["g/a"].messages, kept["g/a"].interval, kept["g/a"].stuck) == (60, 900, "co2")
        assert kept["g/a"].battery == 31.0
        assert (kept["g/b"].messages, kept["g/b"].longest_gap) == (0, 86400)
        outcomes.compute_day(session, app.state.store, day, settings.zone)  # again changes nothing
        assert len(device_days.since(session, day)["g/a"]) == 1
        device_days.forget(session, TODAY)
        assert device_days.since(session, day) == {}


def test_the_page_says_it_in_sentences(world, reader):
    assert "Tout va bien" in reader.get("/device-health").text
    days(world, "g/a", stuck="co2")
    heard(world, "g/b", NOW - timedelta(hours=9))
    page = reader.get("/device-health").text.replace("\u202f", " ").replace("\u00a0", " ")
    assert "Nuit à une expérience en cours" in page
    assert "CO₂ : toujours la même valeur depuis le 5 mars." in page
    assert "Aucun message depuis le 12 mars 2026" in page
    assert "Health of the sensors" in reader.get("/device-health?lang=en").text


def test_the_state_of_a_sensor_tells_nothing_of_what_it_measures(world, settings):
    """The rooms of a running experiment are under seal: only metrics are named, never a value."""
    days(world, "g/a", stuck="co2")
    with world.session() as session:
        experiment = experiments.find(session, "mobilier")
        assert experiments.status(experiment, TODAY) == "running"
        (fault,) = device_health.findings(session, NOW, settings.zone)
    assert fault.metrics == ("co2",)
    assert fault.battery is None


def test_today_names_the_silent_by_their_own_habit_and_the_experiment_that_loses_days(world, reader):
    heard(world, "g/a", NOW - timedelta(minutes=50))
    heard(world, "g/b", NOW - timedelta(hours=5))
    days(world, "g/a")  # speaks every quarter of an hour
    days(world, "g/b", gap=12 * 3600)  # quiet every night
    page = reader.get("/").text
    silent = page[page.index("Capteurs muets") :]
    assert "g/a" in silent
    assert "/experiments/mobilier" in silent
    assert "g/b" not in silent
