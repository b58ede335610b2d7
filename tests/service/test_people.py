"""Who may do what, and who may say so."""

from __future__ import annotations

import threading
from datetime import timedelta

import pytest

from service.browser import browser_named
from service.registry import audit, people, users
from service.registry.people import ChangedMeanwhile, Facts, LastAdministrator

HOUR = timedelta(hours=1)


@pytest.fixture
def marie(either_registry, now):
    """The only administrator."""
    with either_registry.session() as session:
        return users.add(session, "marie@ville.example", "Marie", "administrator", None, now)


@pytest.fixture
def paul(either_registry, now):
    """A reader."""
    with either_registry.session() as session:
        return users.add(session, "paul@ville.example", "Paul", "reader", None, now)


def test_somebody_is_changed_and_the_audit_says_so(either_registry, marie, paul):
    with either_registry.session() as session:
        session.info["who"] = users.signature(marie.name, marie.email)
        people.change(session, paul.id, Facts.of(paul), Facts("Paul", "analyst", active=True))
    with either_registry.session() as session:
        change = people.last_change(session, paul.id)
        assert (change.who, change.before, change.after) == (
            "Marie <marie@ville.example>",
            {"role": "reader"},
            {"role": "analyst"},
        )


def test_the_second_of_two_editors_is_told_what_the_first_did(either_registry, paul):
    seen = Facts.of(paul)
    with either_registry.session() as session:
        people.change(session, paul.id, seen, Facts("Paul", "analyst", active=True))
    with pytest.raises(ChangedMeanwhile) as told, either_registry.session() as session:
        people.change(session, paul.id, seen, Facts("Paul B.", "reader", active=True))
    assert told.value.now == Facts("Paul", "analyst", active=True)
    with either_registry.session() as session:
        assert people.find(session, paul.id).name == "Paul"


def test_the_same_form_sent_twice_is_no_conflict(either_registry, paul):
    for _ in range(2):
        with either_registry.session() as session:
            people.change(session, paul.id, Facts.of(paul), Facts("Paul", "analyst", active=True))
    with either_registry.session() as session:
        assert audit.head(session).id == 2  # added, changed once


@pytest.mark.parametrize("wanted", [Facts("Marie", "analyst", True), Facts("Marie", "administrator", False)])  # noqa: FBT003 - the two ways, side by side
@pytest.mark.usefixtures("paul")
def test_the_last_administrator_stays_one(either_registry, marie, wanted):
    with pytest.raises(LastAdministrator), either_registry.session() as session:
        people.change(session, marie.id, Facts.of(marie), wanted)
    with pytest.raises(LastAdministrator), either_registry.session() as session:
        people.remove(session, marie.id)
    with either_registry.session() as session:
        assert Facts.of(people.find(session, marie.id)) == Facts.of(marie)


def test_two_administrators_at_once_cannot_lock_everybody_out(either_registry, marie, now):
    with either_registry.session() as session:
        zoe = users.add(session, "zoe@ville.example", "Zoé", "administrator", None, now)
    refused = []

    def demote(person) -> None:
        try:
            with either_registry.session() as session:
                people.change(session, person.id, Facts.of(person), Facts(person.name, "reader", active=True))
        except LastAdministrator as error:
            refused.append(error)

    threads = [threading.Thread(target=demote, args=(each,), daemon=True) for each in (marie, zoe)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=30)
    assert len(refused) == 1


def test_closing_an_account_signs_out_everywhere(either_registry, paul, now):
    with either_registry.session() as session:
        token = users.open_session(session, paul, now, HOUR)
    with either_registry.session() as session:
        people.change(session, paul.id, Facts.of(paul), Facts("Paul", "reader", active=False))
    with either_registry.session() as session:
        assert users.session_user(session, token, now) is None
        assert people.sessions(session, paul, now) == []


def test_somebody_deleted_is_gone_but_what_they_did_is_not(either_registry, paul, now):
    with either_registry.session() as session:
        users.open_session(session, paul, now, HOUR)
    with either_registry.session() as session:
        people.remove(session, paul.id)
    with either_registry.session() as session:
        assert people.find(session, paul.id) is None
        assert people.remove(session, paul.id) is None
        gone = audit.head(session)
        assert (gone.action, gone.called) == ("deleted", "Paul")


def test_one_session_ends_and_the_others_do_not(either_registry, paul, now):
    with either_registry.session() as session:
        here, there = (users.open_session(session, paul, now, HOUR, browser=name) for name in ("A", "B"))
    with either_registry.session() as session:
        assert people.close(session, paul, users.handle(there))
        assert not people.close(session, paul, users.handle(there))
        session.flush()
        assert [each.browser for each in people.sessions(session, paul, now)] == ["A"]
    with either_registry.session() as session:
        users.open_session(session, paul, now, HOUR)
        people.close_others(session, paul, here)
        session.flush()
        assert [people.handle_of(each) for each in people.sessions(session, paul, now)] == [
            users.handle(here)
        ]


def test_nobody_ends_the_session_of_somebody_else(either_registry, marie, paul, now):
    with either_registry.session() as session:
        token = users.open_session(session, marie, now, HOUR)
        session.flush()
        assert not people.close(session, paul, users.handle(token))
        assert users.session_user(session, token, now).id == marie.id


def test_when_somebody_was_last_here_is_known_to_ten_minutes(either_registry, paul, now):
    with either_registry.session() as session:
        token = users.open_session(session, paul, now, 3 * HOUR)
    for minutes, seen in ((9, 0), (10, 10), (15, 10), (75, 75)):
        with either_registry.session() as session:
            users.session_user(session, token, now + timedelta(minutes=minutes))
        with either_registry.session() as session:
            assert people.last_seen(session, now) == {paul.id: now + timedelta(minutes=seen)}


@pytest.mark.parametrize(
    ("header", "name"),
    [
        ("Mozilla/5.0 (Windows NT 10.0; rv:140.0) Gecko/20100101 Firefox/140.0", "Firefox, Windows"),
        (
            "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) Mobile/15E148 Safari/604.1",
            "Safari, iPhone",
        ),
        ("Mozilla/5.0 (Windows NT 10.0) Chrome/138.0.0.0 Safari/537.36 Edg/138.0.0.0", "Edge, Windows"),
        ("Mozilla/5.0 (X11; Linux x86_64) Chrome/138.0.0.0 Safari/537.36", "Chrome, Linux"),
        ("x" * 10_000, None),
        ("", None),
    ],
)
def test_a_browser_is_named_without_its_version(header, name):
    assert browser_named(header) == name
