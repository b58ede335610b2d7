"""`temoin declare`: all or nothing, again without change, every mistake with its line."""

import re
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
import time_machine
from sqlalchemy import func, select

from service.declare import DeclarationRejected, declare
from service.registry import experiments
from service.registry.tables import Change, Device, Experiment, Placement, Room, Site, StaleDay

DOCUMENT = Path(__file__).parents[2] / "docs" / "declare.md"
BLOCKS = re.findall(r"```(toml|console)\n(.*?)```", DOCUMENT.read_text(encoding="utf-8"), re.DOTALL)
CITY, AFTERWARDS = (text for kind, text in BLOCKS if kind == "toml")
PRINTED = next(text for kind, text in BLOCKS if kind == "console")
ZONE = ZoneInfo("Europe/Paris")
BEFORE = datetime(2026, 2, 2, 9, tzinfo=UTC)  # the switch of CITY is on 2 March


def declaring(registry):
    def apply(text, now=BEFORE, who="Camille"):
        with registry.session() as session:
            return declare(session, text, who, now, ZONE)

    apply.registry = registry
    return apply


@pytest.fixture
def declared(registry):
    """Declare a text, again and again, on SQLite."""
    return declaring(registry)


@pytest.fixture
def declared_on_either(either_registry):
    """The same, on SQLite and on PostgreSQL."""
    return declaring(either_registry)


def count(registry, table):
    with registry.session() as session:
        return session.scalar(select(func.count()).select_from(table))


def test_the_documents_example_does_what_the_document_says(declared_on_either):
    done = declared_on_either(CITY)
    said = [*done.changes, f"{len(done.changes)} changes; {done.left} left as they were."]
    hidden = re.compile(r"protocol [0-9a-f]{12}")
    assert [hidden.sub("protocol …", line) for line in said] == [
        hidden.sub("protocol …", line) for line in PRINTED.splitlines()[1:]
    ]


def test_declaring_again_changes_nothing(declared_on_either):
    declared_on_either(CITY)
    again = declared_on_either(CITY, BEFORE + timedelta(days=90))
    assert (again.changes, again.left, again.stale) == ([], 8, set())


def test_an_experiment_comes_out_as_it_was_declared_on_either(declared_on_either):
    declared_on_either(CITY)
    with declared_on_either.registry.session() as session:
        found = experiments.find(session, "tables-hautes")
        protocol = experiments.protocol(found)
        assert found.protocol.locked_by == "Camille"
    assert protocol.design.switch == {"adour": date(2026, 3, 2), "garonne": date(2026, 3, 2)}
    assert protocol.design.baseline == ("leyre", "nive")
    assert protocol.design.pairs == (("adour", "leyre"), ("garonne", "nive"))
    assert (protocol.primary.outcome, protocol.primary.useful) == ("occupied_minutes", 20)
    assert protocol.of_role("guardrail")[0].better == "lower"
    assert not protocol.retrospective


def test_what_the_file_does_not_mention_is_left(declared):
    declared(CITY)
    done = declared('[[sites]]\nslug = "hotel-de-ville"\nname = "Mairie"\n')
    assert done.changes == ["changed site hotel-de-ville: name Hôtel de ville → Mairie"]
    with declared.registry.session() as session:
        site = session.scalars(select(Site)).one()
        assert (site.closes.hour, len(site.closures), len(site.rooms)) == (19, 2, 4)


def test_what_happened_afterwards_is_recorded_once(declared_on_either):
    declared_on_either(CITY)
    done = declared_on_either(AFTERWARDS, datetime(2026, 6, 12, tzinfo=UTC), "Dominique")
    assert done.changes == ["changed experiment tables-hautes: deviation of 2026-03-19, decision extend"]
    assert declared_on_either(AFTERWARDS, datetime(2026, 6, 13, tzinfo=UTC)).changes == []
    with declared_on_either.registry.session() as session:
        found = experiments.find(session, "tables-hautes")
        assert (found.decision.choice, found.decision.entered_by) == ("extend", "Dominique")
        assert [each.day for each in found.deviations] == [date(2026, 3, 19)]


# ------------------------------------------------------------------------------------------------- mistakes


def line_of(text, words):
    return next(i for i, line in enumerate(text.splitlines(), 1) if words in line)


@pytest.mark.parametrize(
    ("there", "instead", "says"),
    [
        ("opens = 08:00:00", 'opens = "8h"', "opens: should be a time such as 08:30:00"),
        ('weekdays = "12345"', 'weekdays = "lundi"', "weekdays: should be digits"),
        ("capacity = 8      ", "capacity = 0      ", "rooms 1 › capacity: should be greater than or"),
        ('slug = "adour"', 'slug = "Adour 2"', "rooms 1 › slug: should be small letters"),
        ('slug = "garonne"', 'slug = "adour"', "rooms 2 › slug: « adour » is there twice"),
        ("area_m2 = 24", "aera_m2 = 24", "aera_m2: there is no such field"),
        ("closes = 19:00:00", "closes = 07:00:00", "closes: is 07:00:00, not after 08:00:00"),
        ('key = "hdv/adour-co2"', 'key = "adour-co2"', "devices 1 › key: should be"),
        ('room = "adour", start', 'room = "adur", start', "no room « adur »; is it « adour »?"),
        ("end = 2026-01-12T09:30:00 },", "end = 2026-01-04 },", "devices 2 › placements 1: ends"),
        ('{ room = "nive", start = 2026-01-12T09', '{ room = "nive", start = 2026-01-11T09',
         "devices 2 › placements 2: begins while the device is still placed elsewhere"),
        ("ends = 2026-05-29", "ends = 2025-05-29", "ends: is 2025-05-29, before starts"),
        ("ends = 2026-05-29", "ends = 9999-12-31", "ends: should be a day of this century"),
        ("end = 2026-01-12T09:30:00 },", "end = 0001-01-01 },", "placements 1 › end: should be a day"),
        ("starts = 2026-01-12", 'starts = "lundi"', "starts: should be a day of this century such as"),
        ("switch = { adour = 2026-03-02", "switch = { adour = 2026-01-12", "switch › adour: is 2026-01-12"),
        ('baseline = ["leyre", "nive"]', 'baseline = ["leyre", "nive", "adour"]', "« adour » is both"),
        ('baseline = ["leyre", "nive"]', 'baseline = ["leyre", "nivelle"]', "there is no room « nivelle »"),
        ('assignment = "lot"', 'assignment = "coin"', "assignment: should be 'lot', 'reasoned' or 'unknown'"),
        ('["garonne", "nive"]]', '["garonne", "adour"]]', "« adour » is in two pairs"),
        ("washout = 5 ", "washout = -1 ", "washout: should be greater than or equal to 0"),
        ('outcome = "discomfort"', 'outcome = "mood"', "measures 2 › outcome: there is no outcome « mood »"),
        ('outcome = "discomfort"', 'outcome = "satisfaction"', "« satisfaction » is there twice"),
        ("margin = 10", "useful = 10", "measures 2 › margin: is missing"),
        ('role = "secondary"', 'role = "primary"', "measures: there is one primary outcome"),
        ("euros = 2400", "euros = nan", "costs 1 › euros: should be"),
    ],
)  # fmt: skip
def test_a_mistake_is_named_and_nothing_is_declared(declared, there, instead, says):
    assert CITY.count(there) == 1 or there.startswith("slug")
    text = CITY.replace(there, instead, 1)
    with pytest.raises(DeclarationRejected) as refused:
        declared(text)
    assert any(says in mistake for mistake in refused.value.mistakes), refused.value.mistakes
    assert count(declared.registry, Site) == count(declared.registry, Experiment) == 0


@pytest.mark.parametrize(
    ("there", "instead"),
    [
        ("area_m2 = 24", "area_m2 = -24"),
        ('room = "adour", start', 'room = "adur", start'),
        ('  { room = "nive", start', '  { room = "nivelle", start'),
        ('outcome = "discomfort"', 'outcome = "mood"'),
    ],
)
def test_the_line_of_a_mistake_is_the_line_of_the_file(declared, there, instead):
    text = CITY.replace(there, instead, 1)
    with pytest.raises(DeclarationRejected, match=f"^line {line_of(text, instead)}: "):
        declared(text)


def test_all_mistakes_are_told_at_once_in_the_order_of_the_file(declared):
    text = CITY.replace("area_m2 = 24", "area = 24").replace("washout = 5 ", "washout = 1000 ")
    with pytest.raises(DeclarationRejected) as refused:
        declared(text)
    assert [each.partition(":")[0] for each in refused.value.mistakes] == [
        f"line {line_of(text, 'area = 24')}",
        f"line {line_of(text, 'washout')}",
    ]


def test_what_is_no_toml_is_said_with_its_line(declared):
    with pytest.raises(DeclarationRejected, match=r"this is not TOML.*line 2"):
        declared("sites = []\ndevices = = 1")


def test_what_will_be_decided_is_not_decided(declared):
    declared(CITY)
    with pytest.raises(DeclarationRejected, match="decided_on: is 2026-06-11: that day is to come"):
        declared(AFTERWARDS)


# -------------------------------------------------------------------------------------------------- locking


@pytest.mark.parametrize(
    ("there", "instead", "names"),
    [
        ("washout = 5", "washout = 3", "washout"),
        ("useful = 20", "useful = 10", "measures"),
        ('baseline = ["leyre", "nive"]\npairs', 'baseline = ["leyre"]\n# pairs', "baseline"),
        ("adour = 2026-03-02", "adour = 2026-03-09", "switch"),
        ('problem = "Les', 'problem = "Certaines', "sheet"),
    ],
)
def test_a_locked_protocol_is_not_changed(declared, there, instead, names):
    text = re.sub(r"\s+# .*", "", CITY)
    declared(text)
    assert there in text
    with pytest.raises(DeclarationRejected, match=rf"locked on 2026-02-02.*{names}.*record a deviation"):
        declared(text.replace(there, instead))


def test_moving_a_room_to_another_site_does_not_get_around_the_lock(declared):
    declared(CITY)
    moved = '[[sites]]\nslug = "annexe"\nname = "A"\n[[sites.rooms]]\nslug = "adour"\nname = "Salle Adour"\n'
    with pytest.raises(DeclarationRejected, match="locked"):
        declared(moved)


def test_what_the_verdict_does_not_rest_on_may_change(declared_on_either):
    declared_on_either(CITY)
    done = declared_on_either(
        CITY.replace("euros = 2400", "euros = 2600").replace("expires = 2026-06-30", "expires = 2026-07-31")
    )
    assert done.changes == ["changed experiment tables-hautes: expires 2026-06-30 → 2026-07-31, costs"]


def test_a_draft_may_change_until_it_is_locked(declared):
    draft = CITY.replace("interim = false", "lock = false")
    assert not any("locked" in change for change in declared(draft).changes)
    assert declared(draft.replace("useful = 20", "useful = 30")).changes == [
        "changed experiment tables-hautes: occupied_minutes: useful 20 → 30"
    ]
    assert declared(CITY.replace("useful = 20", "useful = 30")).changes[-1].startswith("locked")


def test_declared_after_its_switch_is_retrospective(declared):
    done = declared(CITY, datetime(2026, 3, 2, 9, tzinfo=UTC))
    assert done.changes[-1].endswith("declared after its switch: retrospective")


@pytest.mark.parametrize(
    ("zone", "now", "late"),
    [
        ("Pacific/Noumea", datetime(2026, 3, 1, 22, tzinfo=UTC), True),  # nine in the morning of the switch
        ("Pacific/Noumea", datetime(2026, 3, 1, 12, tzinfo=UTC), False),
        ("America/Guadeloupe", datetime(2026, 3, 2, 1, tzinfo=UTC), False),  # nine in the evening before
        ("America/Guadeloupe", datetime(2026, 3, 2, 5, tzinfo=UTC), True),
    ],
)
def test_whether_it_was_declared_before_its_switch_is_told_by_the_local_day(registry, zone, now, late):
    with registry.session() as session:
        done = declare(session, CITY, "Camille", now, ZoneInfo(zone))
    assert done.changes[-1].endswith("retrospective") is late


def test_a_draft_changed_after_its_switch_is_retrospective_too(declared):
    declared(CITY.replace("interim = false", "lock = false"))
    declared(CITY.replace("useful = 20", "useful = 5"), datetime(2026, 4, 1, tzinfo=UTC))
    with declared.registry.session() as session:
        assert experiments.protocol(experiments.find(session, "tables-hautes")).retrospective


def other_experiment(starts, switch, ends):
    return (
        f'[[experiments]]\nslug = "autre"\ntitle = "Autre"\nstarts = {starts}\nends = {ends}\n'
        f'switch = {{ nive = {switch} }}\nbaseline = ["leyre"]\n'
    )


def test_a_room_is_in_one_experiment_at_a_time(declared):
    declared(CITY)
    with pytest.raises(DeclarationRejected, match="« nive » is also in tables-hautes, 2026-01-12 to"):
        declared(other_experiment("2026-05-29", "2026-06-10", "2026-09-01"))
    assert declared(other_experiment("2026-05-30", "2026-06-10", "2026-09-01")).changes


def test_a_decision_sets_the_rooms_free(declared):
    declared(CITY)
    declared(AFTERWARDS.replace("decided_on = 2026-06-11", "decided_on = 2026-01-30"))
    assert declared(other_experiment("2026-01-31", "2026-06-10", "2026-09-01")).changes


def test_an_idea_and_a_free_trial_need_no_protocol(declared):
    declared(CITY)
    done = declared(
        '[[experiments]]\nslug = "idee"\ntitle = "Une idée"\n'
        '[[experiments]]\nslug = "libre"\ntitle = "Essai libre"\nstarts = 2026-06-01\nends = 2026-07-01\n'
        "switch = { nive = 2026-06-08 }\n"
    )
    assert done.changes == ["created experiment idee", "created experiment libre"]


# ----------------------------------------------------------------------------- devices, days to compute


def heard(registry, key, first, last):
    with registry.session() as session:
        device = session.get(Device, key)
        device.first_seen, device.last_seen = first, last


def stale(registry):
    with registry.session() as session:
        return sorted(session.scalars(select(StaleDay.day)))


def at(day, hour=12):
    return datetime.combine(day, datetime.min.time(), ZONE).replace(hour=hour).astimezone(UTC)


def test_a_device_is_placed_in_local_time(declared):
    declared(CITY)
    with declared.registry.session() as session:
        placement = session.scalars(select(Placement).join(Room).where(Room.slug == "garonne")).one()
        assert (placement.start, placement.end) == (
            datetime(2026, 1, 4, 23, tzinfo=UTC),
            datetime(2026, 1, 12, 8, 30, tzinfo=UTC),
        )


def test_a_corrected_placement_has_the_days_computed_again_that_the_device_measured(declared_on_either):
    declared_on_either(CITY)
    heard(declared_on_either.registry, "hdv/adour-co2", at(date(2026, 1, 20)), at(date(2026, 1, 23)))
    done = declared_on_either(
        CITY.replace('{ room = "adour", start = 2026-01-05 }', '{ room = "leyre", start = 2026-01-22 }')
    )
    (change,) = done.changes
    assert change == (
        "changed device hdv/adour-co2: no longer in adour from 2026-01-05 00:00, "
        "in leyre from 2026-01-22 00:00"
    )
    assert stale(declared_on_either.registry) == [date(2026, 1, day) for day in (20, 21, 22, 23)]


def test_changed_hours_concern_the_days_measured_in_the_site(declared):
    declared(CITY)
    heard(declared.registry, "hdv/people-1", at(date(2026, 1, 11)), at(date(2026, 1, 13)))
    declared(CITY.replace("closes = 19:00:00", "closes = 18:00:00"))
    assert stale(declared.registry) == [date(2026, 1, day) for day in (11, 12, 13)]


def test_a_closure_concerns_its_day_unless_it_is_to_come(declared_on_either):
    declared_on_either(CITY)
    done = declared_on_either(CITY.replace("2026-04-06,", "2026-01-30, 2026-04-07,"))
    assert done.changes == [
        "changed site hotel-de-ville: open again on 2026-04-06, closed on 2026-01-30, closed on 2026-04-07"
    ]
    assert stale(declared_on_either.registry) == [date(2026, 1, 30)]


def test_a_new_name_computes_nothing(declared):
    declared(CITY)
    heard(declared.registry, "hdv/people-1", at(date(2026, 1, 11)), at(date(2026, 1, 13)))
    declared(CITY.replace('name = "Salle Nive"', 'name = "Salle de la Nive"'))
    assert stale(declared.registry) == []


@time_machine.travel(BEFORE, tick=True)
def test_a_check_keeps_nothing_and_says_what_could_be_told(temoin, registry, tmp_path):
    file = tmp_path / "city.toml"
    file.write_text(CITY, encoding="utf-8")
    code, said, _ = temoin("declare", str(file), "--check")
    assert code == 0
    assert "created experiment tables-hautes" in said
    assert "2 refitted rooms and 2 baseline rooms: without a possible conclusion" in said
    assert said.splitlines()[-1].startswith("This was a check: nothing was kept")
    assert count(registry, Experiment) == count(registry, Room) == count(registry, Change) == 0
    temoin("declare", str(file))
    assert count(registry, Experiment) == 1


def test_a_check_of_what_is_wrong_says_it_as_ever(temoin, tmp_path):
    file = tmp_path / "city.toml"
    file.write_text("[[sites]]", encoding="utf-8")
    assert temoin("declare", str(file), "--check")[0] == 3
