"""The audit: every change of what people made, in a chain that shows whatever was done to it."""

from __future__ import annotations

import csv
import hashlib
import html
import io
import json
import re
import threading
import zlib
from contextlib import suppress
from datetime import date
from zoneinfo import ZoneInfo

import pytest
from fastapi import APIRouter, Depends, Request
from sqlalchemy import delete, select, text
from sqlalchemy.exc import DatabaseError, IntegrityError

from dashboards import changes as changes_words
from service.auth import named, signed_in
from service.backup import backup, restore
from service.declare import declare
from service.registry import Registry, audit, users
from service.registry.tables import (
    Arm,
    Base,
    Change,
    Closure,
    Experiment,
    Gateway,
    Look,
    Protocol,
    Room,
    Site,
    User,
)
from service.settings import Settings

MACHINES = {  # filled by machines, or anonymous: not in the audit
    "answers", "spent_nonces", "outcomes", "stale_days", "quarantine", "sessions", "leases", "gateway_days",
    "device_days", "bookings", "calendars", "audit", "quarantine_causes", "replays",
}  # fmt: skip


def changes(registry):
    with registry.session() as session:
        return list(audit.everything(session))


def house(session):
    site = Site(slug="hv", name="Hôtel de ville")
    session.add(Room(slug="loire", name="Loire", site=site, capacity=8))
    return site


def test_every_table_is_in_the_audit_or_said_not_to_be():
    """A new table is named in `audit.KEPT`, or here."""
    assert set(Base.metadata.tables) - {table.__tablename__ for table in audit.KEPT} - MACHINES == set()


def test_a_change_says_who_what_from_and_to_and_nothing_else(either_registry):
    with either_registry.session() as session:
        house(session)
    with either_registry.session() as session:
        session.info["who"] = "Marie"
        session.scalars(select(Room)).one().capacity = 10
    *_, change = changes(either_registry)
    assert (change.who, change.action, change.kind, change.called) == ("Marie", "changed", "rooms", "Loire")
    assert (change.before, change.after) == ({"capacity": 8}, {"capacity": 10})


def test_created_and_deleted_rows_are_kept_whole(either_registry):
    with either_registry.session() as session:
        site = house(session)
        site.closures.append(Closure(day=date(2026, 5, 1), reason="férié"))
    with either_registry.session() as session:
        session.delete(session.scalars(select(Closure)).one())
    made, gone = (change for change in changes(either_registry) if change.kind == "closures")
    assert made.after == gone.before == {"site": "hv", "day": "2026-05-01", "reason": "férié"}
    assert made.called == "Hôtel de ville, 2026-05-01"
    assert (made.before, gone.after) == ({}, {})


def test_what_goes_with_something_else_is_noted_too(either_registry, now):
    """An arm that its experiment no longer has is deleted by nobody's `delete`."""
    with either_registry.session() as session:
        site = house(session)
        session.flush()
        trial = Experiment(slug="t", title="Tables", declared_at=now, sheet={"idea": "a", "owner": "b"})
        trial.arms = [Arm(room=site.rooms[0], switch=date(2026, 4, 1))]
        session.add(trial)
    with either_registry.session() as session:
        trial = session.scalars(select(Experiment)).one()
        trial.arms.clear()
        trial.sheet = {**trial.sheet, "idea": "c"}
    sheet, arm = sorted(changes(either_registry)[-2:], key=lambda change: change.action)
    assert (sheet.before, sheet.after) == ({"sheet.idea": "a"}, {"sheet.idea": "c"})
    assert (arm.action, arm.called, arm.before["room"]) == ("deleted", "Tables, Loire", "loire")


def test_that_a_secret_changed_is_said_and_never_to_what(registry, now):
    with registry.session() as session:
        session.add(Gateway(name="hall", added_at=now, broker_hash="$7$secret"))
        users.add(session, "a@ville.example", "A", "reader", "correct horse battery", now)
    with registry.session() as session:
        users.known(session, "a@ville.example").password_hash = users.hash_password("battery staple tractor")
    every = changes(registry)
    assert (every[-1].before, every[-1].after) == ({"password_hash": "•"}, {"password_hash": "•"})
    assert "secret" not in str([audit.document(change) for change in every])
    assert "argon2" not in str([audit.document(change) for change in every])


def test_nothing_changed_is_no_change(registry):
    with registry.session() as session:
        house(session)
    with registry.session() as session:
        room = session.scalars(select(Room)).one()
        room.capacity = 10
        room.capacity = 8
    assert len(changes(registry)) == 2


def test_what_was_taken_back_was_never_there(either_registry):
    """By a savepoint, by a failing flush inside one, by the whole session, which may then go on."""
    with either_registry.session() as session:
        session.add(Site(slug="hv", name="Hôtel de ville"))
        session.flush()
        with suppress(ZeroDivisionError), session.begin_nested():
            session.add(Site(slug="no", name="No"))
            session.flush()
            _ = 1 / 0
        with suppress(IntegrityError), session.begin_nested():
            session.add_all([Room(slug="no", name="No", site_id=99), Site(slug="hv", name="Twice")])
        with session.begin_nested():
            session.add(Site(slug="yes", name="Yes"))
    with either_registry.session() as session:
        session.add(Site(slug="never", name="Never"))
        session.flush()
        session.rollback()
        session.add(Site(slug="then", name="Then"))
    assert sorted(change.called for change in changes(either_registry)) == ["Hôtel de ville", "Then", "Yes"]


def test_many_rows_at_once_cannot_pass_by_unnoted(registry):
    with registry.session() as session, pytest.raises(TypeError, match="by its object"):
        session.execute(delete(User))


def test_the_database_itself_refuses_to_rewrite_it(either_registry):
    with either_registry.session() as session:
        house(session)
    for statement in ("UPDATE audit SET who = 'me'", "DELETE FROM audit", "TRUNCATE audit"):
        with pytest.raises(DatabaseError), either_registry.session() as session:
            session.execute(text(statement))
    assert len(changes(either_registry)) == 2


def test_nor_is_a_row_put_in_the_place_of_another(registry):
    """SQLite's own way, for which its triggers on DELETE are not asked."""
    with registry.session() as session:
        house(session)
    columns = ", ".join(f'"{column.name}"' for column in Change.__table__.columns if column.name != "who")
    for verb in ("REPLACE", "INSERT OR REPLACE"):
        with pytest.raises(DatabaseError, match="insert-only"), registry.session() as session:
            session.execute(text(f"{verb} INTO audit ({columns}, who) SELECT {columns}, 'me' FROM audit"))
    assert "me" not in {each.who for each in changes(registry)}


def test_writers_at_once_keep_one_chain(either_registry):
    def write(number: int) -> None:
        own = Registry(either_registry.url.render_as_string(hide_password=False))
        for turn in range(5):
            with own.session() as session:
                session.add(Site(slug=f"{number}-{turn}", name="x"))
        own.close()

    threads = [threading.Thread(target=write, args=(number,), daemon=True) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=30)
    with either_registry.session() as session:
        chain = audit.verify(session)
    assert (chain.count, chain.broken) == (40, None)


def tampered(registry, *statements):
    """The chain after somebody who owns the file did this to it."""
    with registry.session() as session:
        for slug in "abc":
            session.add(Site(slug=slug, name=slug.upper()))
    with registry.engine.begin() as connection:
        for name in ("update", "delete"):
            connection.exec_driver_sql(f"DROP TRIGGER audit_no_{name}")
        for statement in statements:
            connection.exec_driver_sql(statement)
    with registry.session() as session:
        return audit.verify(session)


@pytest.mark.parametrize(
    ("statement", "count", "why"),
    [
        ("UPDATE audit SET who = 'Paul' WHERE id = 2", 1, "change 2 is not as it was written"),
        ("UPDATE audit SET after = '{}' WHERE id = 3", 2, "change 3 is not as it was written"),
        ("UPDATE audit SET previous = hash WHERE id = 3", 2, "change 3 does not follow"),
        ("DELETE FROM audit WHERE id = 1", 0, "change 1 is missing"),
        ("DELETE FROM audit WHERE id = 2", 1, "change 2 is missing"),
        ("UPDATE audit SET at = '2020-01-01 00:00:00' WHERE id = 1", 0, "change 1 is not as it was written"),
    ],
)
def test_whatever_is_done_to_it_shows(registry, statement, count, why):
    chain = tampered(registry, statement)
    assert chain.count == count
    assert chain.why.startswith(why)


def test_the_last_ones_cut_off_show_by_the_head_alone(registry):
    assert tampered(registry, "DELETE FROM audit WHERE id = 3") == audit.Chain(2, changes(registry)[1].hash)


def test_every_change_comes_with_its_session(registry):
    """A page that runs while another person is signed in elsewhere is not theirs."""
    token = audit.acting.set("Marie <marie@ville.example>")
    with registry.session() as session:
        house(session)
    audit.acting.reset(token)
    with registry.session() as session:
        session.add(Site(slug="b", name="B"))
    assert [change.who for change in changes(registry)] == ["Marie <marie@ville.example>"] * 2 + ["temoin"]


def test_a_page_names_who_is_signed_in(app, browser_of, registry):
    """For whatever a page changes, without a word of its own."""

    def build(request: Request) -> None:
        with request.app.state.registry.session() as session:
            house(session)

    router = APIRouter()
    router.add_api_route("/build", build, methods=["POST"])
    app.include_router(router, dependencies=[Depends(signed_in), Depends(named)])
    browser_of("facilities").post("/build")
    assert changes(registry)[-1].who == "Facilities <facilities@ville.example>"


def test_a_command_names_who_runs_it(temoin, registry, monkeypatch):
    monkeypatch.setenv("LOGNAME", "marie")
    temoin("user", "add", "a@ville.example")
    assert changes(registry)[-1].who == "marie (temoin user)"


def test_a_declaration_names_who_declares(registry, now):
    with registry.session() as session:
        text = '[[sites]]\nslug = "hv"\nname = "Hôtel de ville"\n'
        declare(session, text, "Camille", now, ZoneInfo("Europe/Paris"))
    assert changes(registry)[-1].who == "Camille"


# ------------------------------------------------------------------------------------------ temoin verify


def test_verify_tells_how_many_changes_hold_and_the_head(temoin, registry):
    with registry.session() as session:
        house(session)
    code, out, _ = temoin("verify")
    assert (code, out.startswith("2 changes hold. Head: ")) == (0, True)
    assert changes(registry)[-1].hash in out


def test_verify_names_the_first_broken_link(temoin, registry):
    tampered(registry, "UPDATE audit SET who = 'Paul' WHERE id >= 2")
    code, out, err = temoin("verify")
    assert (code, err) == (1, "change 2 is not as it was written.\n")
    assert "1 changes hold" in out


def test_verify_for_programs(temoin, registry):
    tampered(registry, "DELETE FROM audit WHERE id = 2")
    code, out, _ = temoin("verify", "--json")
    told = json.loads(out)
    assert (code, told["count"], told["broken"]) == (1, 1, 3)
    assert told["faults"] == ["change 2 is missing"]


def test_a_head_told_earlier_shows_what_was_cut(temoin, registry):
    tampered(registry)
    head = changes(registry)[-1].hash
    assert temoin("verify", "--head", head)[0] == 0
    with registry.engine.begin() as connection:
        connection.exec_driver_sql("DELETE FROM audit WHERE id = 3")
    code, _, err = temoin("verify", "--head", head)
    assert (code, f"no change has the hash {head}" in err) == (1, True)


def test_an_empty_chain_holds(temoin):
    assert temoin("verify", "--head", audit.FIRST)[1].startswith("0 changes hold. Head: 000")


@pytest.mark.parametrize(
    ("rewriting", "says"),
    [
        ("UPDATE protocols SET document = 'as I like it'", "locked protocol of t is not"),
        ("UPDATE looks SET panel = X'00'", "final look of t is not"),
    ],
)
def test_a_protocol_or_look_that_was_rewritten_shows(temoin, registry, now, rewriting, says):
    with registry.session() as session:
        trial = Experiment(slug="t", title="Tables", declared_at=now)
        digest = hashlib.sha256(b"as it was").hexdigest()
        trial.protocol = Protocol(document="as it was", sha256=digest, locked_at=now, locked_by="Marie")
        frozen = zlib.compress(b"as it was")
        trial.looks = [Look(kind="final", taken_at=now, panel=frozen, sha256=digest, result={})]
        session.add(trial)
    assert temoin("verify")[0] == 0
    with registry.engine.begin() as connection:
        connection.exec_driver_sql(rewriting)
    code, _, err = temoin("verify")
    assert (code, says in err) == (1, True)


# ------------------------------------------------------------------------------------------ the page


@pytest.fixture
def auditor(registry, browser_of):
    """An analyst's browser, after Marie made a house and enlarged its room."""
    with registry.session() as session:
        session.info["who"] = "Marie <marie@ville.example>"
        house(session)
    with registry.session() as session:
        session.info["who"] = "Paul <paul@ville.example>"
        session.scalars(select(Room)).one().capacity = 10
    return browser_of("analyst")


def words_of(page):
    text = re.sub(r"<(?!/?(li|p|h1))[^>]*>", "", page.text.partition("<main")[2])
    return re.sub(r"\s+", " ", html.unescape(text))


def test_the_page_says_changes_in_words_newest_first(auditor):
    said = words_of(auditor.get("/audit"))
    assert "Paul a changé la salle Loire : capacité 8 → 10" in said
    assert said.index("Paul a changé") < said.index("Marie a créé la salle Loire")
    assert "Paul changed the room Loire: capacity 8 → 10" in words_of(auditor.get("/audit?lang=en"))


def test_the_page_shows_the_head(auditor, registry):
    with registry.session() as session:
        assert audit.head(session).hash in auditor.get("/audit").text


def test_changes_of_one_person_or_one_table(auditor):
    paul = words_of(auditor.get("/audit", params={"who": "Paul <paul@ville.example>"}))
    assert ("Paul a changé" in paul, "Marie a créé" in paul) == (True, False)
    sites = words_of(auditor.get("/audit?kind=sites"))
    assert ("le lieu Hôtel de ville" in sites, "la salle Loire" in sites) == (True, False)
    assert "Aucun changement de ce genre" in words_of(auditor.get("/audit?kind=nonsense&who=%00"))


def test_older_changes_are_on_the_next_page(auditor, registry):
    with registry.session() as session:
        session.add_all([Site(slug=f"s{n}", name=f"Site {n:02}") for n in range(60)])
    first = auditor.get("/audit?kind=sites")
    older = html.unescape(re.search(r'href="(/audit\?[^"]+)" rel="next"', first.text)[1])
    second = auditor.get(older)
    assert 'rel="next"' not in second.text
    names = [re.findall(r"le lieu (Site \d\d)", words_of(page)) for page in (first, second)]
    assert (len(names[0]), len(names[1])) == (50, 10)
    assert sorted(names[0] + names[1]) == [f"Site {n:02}" for n in range(60)]


@pytest.mark.parametrize("query", ["below=0", "below=x", "below=99999999999999999999"])
def test_a_page_that_cannot_be_is_said(auditor, query):
    assert auditor.get(f"/audit?{query}").status_code == 404


def test_an_empty_audit_has_its_sentence(browser_of, registry):
    browser = browser_of("analyst")  # who was added by that: a person
    assert "a créé la personne" in words_of(browser.get("/audit"))
    with registry.engine.begin() as connection:
        connection.exec_driver_sql("DROP TRIGGER audit_no_delete")
        connection.exec_driver_sql("DELETE FROM audit")
    assert "Rien n’a encore été changé" in words_of(browser.get("/audit"))


def test_it_can_be_taken_away_for_a_spreadsheet(auditor, registry):
    with registry.session() as session:
        session.add(Site(slug="evil", name='=HYPERLINK("http://evil.example")'))
    answer = auditor.get("/audit.csv")
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    assert "attachment" in answer.headers["content-disposition"]
    changed = next(row for row in rows if row["action"] == "changed")
    assert (changed["field"], changed["before"], changed["after"]) == ("capacity", "8", "10")
    assert {row["called"][0] for row in rows if "HYPERLINK" in row["called"]} == {"'"}
    assert not [value for row in rows for value in row.values() if value.startswith(("=", "+", "-", "@"))]


def test_it_can_be_taken_away_to_walk_the_chain_oneself(auditor, registry):
    previous = audit.FIRST
    for line in auditor.get("/audit.jsonl").text.splitlines():
        change = json.loads(line)
        told = change.pop("hash")
        text = json.dumps(change, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
        assert (change["previous"], told) == (previous, hashlib.sha256(text.encode()).hexdigest())
        previous = told
    with registry.session() as session:
        assert previous == audit.head(session).hash


@pytest.mark.parametrize("path", ["/audit", "/audit.csv", "/audit.jsonl"])
def test_only_analysts_and_administrators_read_it(browser_of, path):
    seen = {role: browser_of(role).get(path).status_code for role in users.ROLES}
    assert seen == {"reader": 403, "facilities": 403, "analyst": 200, "administrator": 200}


def test_every_table_and_column_of_the_audit_has_its_words():
    """A new one is said by its name in the database until it is in `dashboards.changes`."""
    wordless = []
    for table, left_out in audit.KEPT.items():
        wordless += [] if table.__tablename__ in changes_words.KINDS else [table.__tablename__]
        for column in table.__table__.columns:
            name = column.name.removesuffix("_id") if column.foreign_keys else column.name
            known = {name, f"{table.__tablename__}.{name}"} & {*changes_words.FIELDS, "id", "sheet"}
            if not known and column.name not in left_out:
                wordless.append(f"{table.__tablename__}.{name}")
    assert wordless == []


def test_the_chain_comes_back_with_a_backup(either_registry, settings, tmp_path, now):
    with either_registry.session() as session:
        house(session)
    backup(settings, either_registry, tmp_path / "a.tar.gz", now)
    other = Settings(data_dir=tmp_path / "other")
    back = Registry(other.registry_url)
    restore(other, back, tmp_path / "a.tar.gz", now)
    with either_registry.session() as was, back.session() as session:
        assert audit.verify(session) == audit.verify(was)
        session.add(Site(slug="b", name="B"))
    with back.session() as session:
        assert audit.verify(session).count == 3
    back.close()
