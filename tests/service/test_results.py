"""From a registry full of outcomes to what may be said, at each moment of an experiment's life."""

from __future__ import annotations

import hashlib
import json
import re
import zlib
from datetime import UTC, date, datetime, time, timedelta

import numpy as np
import pytest
import time_machine
from sqlalchemy import select
from typer.testing import CliRunner

from experiments.panel import DayOutcome
from service import cli, embargo, results
from service.jobs import Jobs
from service.registry import experiments, outcomes
from service.registry.tables import (
    Answer,
    Arm,
    Decision,
    Device,
    DeviceDay,
    Experiment,
    Look,
    Measure,
    Outcome,
    Placement,
    Room,
    Site,
    StaleDay,
)
from service.settings import load_settings

STARTS, SWITCH, ENDS = date(2026, 1, 5), date(2026, 2, 2), date(2026, 3, 1)
BEFORE, DURING, AFTER = date(2026, 1, 20), date(2026, 2, 16), date(2026, 3, 2)
TREATED, BASELINE = ("loire", "erdre", "sevre"), ("cens", "maine", "vilaine", "isac", "gesvres")
EFFECT = 35.0


def working_days(first, last):
    days = (first + timedelta(days=n) for n in range((last - first).days + 1))
    return [day for day in days if day.isoweekday() <= 5]


@pytest.fixture
def trial(registry):
    """Three treated and five baseline rooms, eight weeks, +35 minutes a day after 2 February."""
    rng = np.random.default_rng(7)
    with registry.session() as session:
        site = Site(slug="mairie", name="Mairie")
        rooms = {
            slug: Room(slug=slug, name=slug.title(), site=site, capacity=10) for slug in TREATED + BASELINE
        }
        experiment = Experiment(
            slug="tables", title="Tables", declared_at=datetime(2025, 12, 20, tzinfo=UTC), starts=STARTS,
            ends=ENDS, washout=0, assignment="lot", sheet={"idea": "Des tables qui se plient"},
            arms=[Arm(room=room, switch=SWITCH if slug in TREATED else None) for slug, room in rooms.items()],
            measures=[
                Measure(outcome="occupied_minutes", role="primary", better="higher", useful=15.0),
                Measure(outcome="co2_occupied", role="guardrail", better="lower", margin=150.0, position=1),
                Measure(outcome="satisfaction", role="secondary", better="higher", position=2),
            ],
        )  # fmt: skip
        session.add_all([*rooms.values(), experiment])
        session.flush()
        for day in working_days(STARTS, ENDS):
            found = []
            for slug in rooms:
                gain = EFFECT if slug in TREATED and day >= SWITCH else 0.0
                found += [
                    DayOutcome(slug, day, "occupied_minutes", 1, 170 + gain + rng.normal(0, 12), 0.95),
                    DayOutcome(slug, day, "co2_occupied", 1, 720 + rng.normal(0, 25), 0.95),
                ]
            outcomes.replace_day(session, day, found)
        for slug, room in rooms.items():
            better = slug in TREATED
            session.add_all(
                Answer(room_id=room.id, day=day, hour=10, satisfaction=5 + (better and day >= SWITCH))
                for day in working_days(STARTS, ENDS)[::3]
            )
        experiments.lock(session, experiment, "camille@ville.example", datetime(2025, 12, 21, tzinfo=UTC))
    return registry


def of(session, slug="tables"):
    return experiments.find(session, slug)


def test_while_planned_nothing_is_said_but_the_grade(trial):
    with trial.session() as session:
        result = results.result_of(session, of(session), BEFORE)
    assert (result.status, result.verdict, result.primary) == ("planned", None, None)
    assert result.grade_planned == "decision"


def test_while_it_runs_the_result_is_locked(trial):
    with trial.session() as session:
        result = results.result_of(session, of(session), DURING)
    assert (result.status, result.verdict, result.primary) == ("running", None, None)
    assert [reason.code for reason in result.reasons] == ["locked"]
    assert result.site_total is None


def test_nothing_said_while_it_runs_depends_on_what_happened_after_the_switch(trial):
    """Whatever the rooms did since, every word, number and byte that may be had stays the same."""

    def all_that_may_be_had(session):
        found = of(session)
        return (
            results.result_of(session, found, DURING).to_dict(),
            results.panel_until_switch(session, experiments.protocol(found)),
            results.published_panel(session, found, DURING),
            experiments.protocol(found).to_json(),
            embargo.embargoes(session, DURING),
        )

    with trial.session() as session:
        before = all_that_may_be_had(session)
        for day in working_days(SWITCH, ENDS):
            kept = outcomes.between(session, day, day)
            outcomes.replace_day(
                session, day,
                [DayOutcome(r.room, day, r.outcome, 1, r.value * 3, r.coverage) for r in kept.itertuples()],
            )  # fmt: skip
        for answer in session.scalars(select(Answer).where(Answer.day >= SWITCH)):
            answer.satisfaction = 1
        session.flush()
        assert all_that_may_be_had(session) == before


def test_every_room_of_a_running_experiment_is_hidden_from_the_switch_on(trial):
    with trial.session() as session:
        assert embargo.embargoes(session, BEFORE) == {}
        hidden = embargo.embargoes(session, DURING)
        assert set(hidden) == set(TREATED + BASELINE)
        assert {(one.since, one.ends) for one in hidden.values()} == {(SWITCH, ENDS)}
        assert embargo.embargoes(session, AFTER) == {}


def test_after_the_end_the_effect_is_there_with_its_verdict(trial):
    with trial.session() as session:
        result = results.result_of(session, of(session), AFTER)
    assert result.verdict == "generalise"
    assert result.primary.estimate.ci_low < EFFECT < result.primary.estimate.ci_high
    assert result.guardrails[0].state == "held"


def test_a_look_freezes_the_panel_and_later_corrections_stand_beside_it(trial):
    now = datetime(2026, 3, 2, 3, tzinfo=UTC)
    with trial.session() as session:
        look = results.take_look(session, of(session), now, AFTER)
        frozen = results.result_of(session, of(session), AFTER)
        assert look.sha256 == hashlib.sha256(zlib.decompress(look.panel)).hexdigest()
        assert results.later_result(session, of(session), AFTER) is None
    with trial.session() as session:
        outcomes.replace_day(session, date(2026, 2, 27), [])
        assert results.result_of(session, of(session), AFTER) == frozen
        later = results.later_result(session, of(session), AFTER)
        assert later.primary.estimate.effect != frozen.primary.estimate.effect
        assert results.take_look(session, of(session), now, AFTER) is None


def test_no_look_is_taken_while_a_day_still_waits(trial):
    now = datetime(2026, 3, 2, 3, tzinfo=UTC)
    with trial.session() as session:
        session.add(StaleDay(day=date(2026, 2, 27), marked_at=now))
    with trial.session() as session:
        assert results.take_look(session, of(session), now, AFTER) is None
        session.execute(StaleDay.__table__.delete())
        assert results.take_look(session, of(session), now, AFTER) is not None


def test_temoin_analyse_gives_the_same_numbers_to_the_last_digit(trial, tmp_path):
    """The published panel and protocol are all that an auditor needs."""
    with trial.session() as session:
        found = of(session)
        results.take_look(session, found, datetime(2026, 3, 2, 3, tzinfo=UTC), AFTER)
    with trial.session() as session:
        found = of(session)
        shown = results.result_of(session, found, AFTER).to_dict()
        (tmp_path / "panel.csv").write_bytes(results.published_panel(session, found, AFTER))
        (tmp_path / "protocol.json").write_text(experiments.protocol(found).to_json(), encoding="utf-8")
    run = CliRunner().invoke(
        cli.app,
        ["analyse", str(tmp_path / "panel.csv"), "--design", str(tmp_path / "protocol.json"), "--json"],
    )
    assert run.exit_code == 0, run.output
    recomputed = json.loads(run.stdout)
    again = json.loads(json.dumps(shown))
    for key in ("verdict", "grade", "primary", "guardrails", "secondaries", "site_total"):
        assert recomputed[key] == again[key], key


def test_a_house_that_shows_no_group_below_twenty_gives_none_anywhere(
    trial, settings, browser_of, app, tmp_path, monkeypatch
):
    """Seven said so in each room and period: on its page, in its panel, in an export, in what jobs freeze."""
    monkeypatch.setenv("TEMOIN_DATA_DIR", str(settings.data_dir))
    monkeypatch.setenv("TEMOIN_MIN_GROUP", "20")
    app.state.settings = load_settings()
    reader = browser_of("reader")

    def told():
        (folder := tmp_path / str(len(list(tmp_path.iterdir())))).mkdir()
        assert CliRunner().invoke(cli.app, ["export", str(folder)]).exit_code == 0
        written = [path.read_text(encoding="utf-8") for path in folder.rglob("*.csv")]
        result = reader.get("/api/v1/experiments/tables/result").json()
        asked = [reader.get(f"/api/v1/experiments/tables/{name}").text for name in ("panel.csv", "voices")]
        assert result["secondaries"][0]["estimate"]["n_treated"] == 0
        assert "satisfaction" not in asked[0]
        assert json.loads(asked[1])["fewest"] == 20
        assert not [text for text in written if re.search(r",satisfaction,.*,7$", text, re.MULTILINE)]

    told()
    assert Jobs(load_settings(), trial, app.state.store).once(datetime.now(UTC)).looks == 1
    told()


def test_what_was_frozen_stays_when_groups_have_to_be_larger(trial):
    now = datetime(2026, 3, 2, 3, tzinfo=UTC)
    with trial.session() as session:
        frozen = zlib.decompress(results.take_look(session, of(session), now, AFTER).panel)
        assert results.published_panel(session, of(session), AFTER, 20) == frozen
        assert results.later_result(session, of(session), AFTER, 20) is None  # nothing was corrected
        outcomes.replace_day(session, date(2026, 2, 27), [])
        later = results.later_result(session, of(session), AFTER, 20)
    assert later.secondaries[0].estimate.n_treated == 0


def test_the_panel_until_the_switch_stops_there(trial):
    with trial.session() as session:
        csv = results.panel_until_switch(session, experiments.protocol(of(session)))
    days = results.read_panel(csv)["day"]
    assert days.min() == STARTS
    assert days.max() < SWITCH


def test_the_panel_reads_back_as_it_was_written(trial):
    with trial.session() as session:
        panel = results.panel_of(session, experiments.protocol(of(session)))
    again = results.read_panel(results.panel_csv(panel))
    assert again["value"].tolist() == panel["value"].tolist()
    assert again["day"].tolist() == panel["day"].tolist()


def test_a_decision_makes_it_decided(trial):
    with trial.session() as session:
        of(session).decision = Decision(
            choice="generalise", body="Comité", decided_on=AFTER, reason="Utile", entered_by="c",
            entered_at=datetime(2026, 3, 3, tzinfo=UTC),
        )  # fmt: skip
    with trial.session() as session:
        assert results.result_of(session, of(session), AFTER).status == "decided"


def test_planning_rests_on_the_rooms_own_history(trial):
    with trial.session() as session:
        plan = results.plan_of(session, of(session), SWITCH)
    assert plan.grade == "decision"
    assert plan.p_floor == pytest.approx(1 / 56)
    assert 0 < plan.mde80 < 60


def test_a_retrospective_experiment_is_known_as_such(trial):
    with trial.session() as session:
        found = of(session)
        session.delete(found.protocol)
        session.flush()
        session.expire(found)
        found.declared_at = datetime(2026, 2, 10, tzinfo=UTC)
        result = results.result_of(session, found, AFTER)
    assert result.grade == "indicative"
    assert result.verdict != "generalise"


def test_a_lock_is_taken_once(trial):
    with trial.session() as session:
        found = of(session)
        first = found.protocol.sha256
        found.washout = 3
        assert (
            experiments.lock(session, found, "somebody else", datetime(2026, 1, 1, tzinfo=UTC)).sha256
            == first
        )
        assert experiments.protocol(found).design.washout == 0


def test_looks_are_kept_once_a_kind(trial):
    with trial.session() as session:
        results.take_look(session, of(session), datetime(2026, 3, 2, 3, tzinfo=UTC), AFTER)
    with trial.session() as session:
        assert [look.kind for look in session.scalars(select(Look))] == ["final"]


def unlocked(session):
    """The experiment as a draft again."""
    found = of(session)
    session.delete(found.protocol)
    session.flush()
    session.expire(found)
    return of(session)


def test_a_look_locks_the_draft_it_was_taken_by(trial):
    """No threshold follows the result: what the panel was judged by is frozen with it."""
    with trial.session() as session:
        results.take_look(session, unlocked(session), datetime(2026, 3, 2, 3, tzinfo=UTC), AFTER)
    with trial.session() as session:
        found = of(session)
        found.measures[0].useful = 500.0
        session.flush()
        assert results.result_of(session, found, AFTER).verdict == "generalise"
        assert found.protocol.locked_by == "temoin jobs"


def test_an_interim_look_is_taken_although_today_is_not_over(trial):
    """Today is marked as soon as its first reading comes; half-time is 15 February."""
    now = datetime(2026, 2, 17, 9, tzinfo=UTC)
    with trial.session() as session:
        unlocked(session).interim = True
        session.add(StaleDay(day=date(2026, 2, 17), marked_at=now))
    with trial.session() as session:
        assert results.take_interim(session, of(session), now, date(2026, 2, 15)) is None
        assert results.take_interim(session, of(session), now, date(2026, 2, 17)).kind == "interim"


def test_a_running_result_does_not_tell_on_which_days_a_value_is_defined(trial):
    """A room that was never used has no air to judge, and that says how it was used."""
    with trial.session() as session:
        unlocked(session).measures[0].outcome = "seat_fill"
        for day in working_days(STARTS, ENDS):
            found = [
                DayOutcome(slug, day, "seat_fill", 1, None if slug in TREATED else 40.0, 0.95)
                for slug in TREATED + BASELINE
            ]
            outcomes.replace_day(session, day, found)
    with trial.session() as session:
        quality = results.result_of(session, of(session), DURING).quality
    assert {(room.days_before, room.days_after) for room in quality} == {(20, 20)}


def test_the_next_trial_is_planned_without_what_is_hidden(trial):
    """Rooms of the running experiment are planned for the summer: their days since the switch stay out."""
    with trial.session() as session:
        rooms = session.scalars(select(Room)).all()
        following = Experiment(
            slug="stands", title="Debout", declared_at=datetime(2026, 2, 10, tzinfo=UTC),
            starts=date(2026, 3, 9), ends=date(2026, 5, 29), washout=0, assignment="lot", sheet={},
            arms=[Arm(room=r, switch=date(2026, 4, 13) if r.slug in TREATED else None) for r in rooms],
            measures=[Measure(outcome="occupied_minutes", role="primary", better="higher", useful=15.0)],
        )  # fmt: skip
        session.add(following)
    with trial.session() as session:
        first = results.plan_of(session, of(session, "stands"), DURING)
        for row in session.scalars(select(Outcome).where(Outcome.day >= SWITCH)):
            row.value *= 3
        session.flush()
        assert results.plan_of(session, of(session, "stands"), DURING) == first
        assert results.plan_of(session, of(session, "stands"), AFTER) != first


def test_a_day_computed_by_another_definition_is_not_mixed_in(trial):
    """The protocol pinned version 1; a later program computed one day again by its version 2."""
    with trial.session() as session:
        day = date(2026, 2, 27)
        found = [DayOutcome(slug, day, "occupied_minutes", 2, 900.0, 0.95) for slug in TREATED + BASELINE]
        outcomes.replace_day(session, day, found)
        panel = results.panel_of(session, experiments.protocol(of(session)))
    assert day not in set(panel["day"])


def test_a_plan_says_how_likely_the_guardrails_are_to_hold(trial):
    with trial.session() as session:
        plan = results.plan_of(session, of(session), SWITCH)
    assert plan.p_guardrails_held == pytest.approx(1, abs=0.05)  # 150 ppm of margin, days apart by 25


@pytest.mark.parametrize("kept", [0, 1, 20])
def test_a_history_that_gives_no_spread_leaves_a_plan_without_one(trial, kept):
    """No day, one day, or twenty on which every room did the same."""
    with trial.session() as session:
        for n, day in enumerate(working_days(STARTS, SWITCH)):
            found = [DayOutcome(slug, day, "occupied_minutes", 1, 0.0, 0.95) for slug in TREATED + BASELINE]
            outcomes.replace_day(session, day, found if n < kept else [])
        plan = results.plan_of(session, of(session), BEFORE + timedelta(days=20))
    assert (plan.sd, plan.mde80, plan.grade) == (None, None, "decision")
    assert "no_spread" in [reason.code for reason in plan.reasons]


def test_rooms_without_a_baseline_have_no_plan(trial):
    with trial.session() as session:
        found = unlocked(session)
        found.arms = [arm for arm in found.arms if arm.switch is not None]
        session.flush()
        assert results.plan_of(session, of(session), BEFORE) is None
        assert results.result_of(session, of(session), AFTER).verdict == "cannot_conclude"


def test_a_day_that_does_not_count_says_which_sensor_was_silent(trial, browser_of):
    day = date(2026, 2, 10)
    with trial.session() as session:
        loire = session.scalars(select(Room).where(Room.slug == "loire")).one()
        for key in ("g/quiet", "g/dead", "g/gone"):
            device = Device(key=key, gateway="g", label="Comptage <b>" if key == "g/quiet" else None)
            left = datetime(2026, 2, 9, tzinfo=UTC) if key == "g/gone" else None
            session.add(
                Placement(device=device, room=loire, start=datetime(2026, 1, 1, tzinfo=UTC), end=left)
            )
        session.flush()
        session.add(DeviceDay(device_key="g/quiet", day=day, messages=40, longest_gap=5 * 3600))
        session.add(DeviceDay(device_key="g/dead", day=day, messages=0, longest_gap=86_400))
        session.get(Outcome, (loire.id, "occupied_minutes", day)).coverage = 0.4
    with time_machine.travel(datetime.combine(DURING, time(9), UTC), tick=True):
        page = (
            browser_of("reader").get("/experiments/tables").text.replace("\u202f", " ").replace("\xa0", " ")
        )
    why = page[page.index("Pourquoi des journées") :]
    assert re.search(
        r"10 février.*Loire.*40 %.*g/dead</a> : aucun message.*Comptage &lt;b&gt;</a> : 5 h", why, re.DOTALL
    )
    assert "g/gone" not in why
