"""Who may do what, and who may say so."""

from __future__ import annotations

import html
import re
import threading
from contextlib import suppress
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import event
from structlog.testing import capture_logs

from service.browser import browser_named
from service.registry import audit, identities, password_links, people, users
from service.registry.identities import Told
from service.registry.people import ChangedMeanwhile, Facts, LastAdministrator
from service.registry.tables import Base, Identity

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
    """Each has seen that there is another before either writes, unless they take turns."""
    with either_registry.session() as session:
        zoe = users.add(session, "zoe@ville.example", "Zoé", "administrator", None, now)
    both, refused = threading.Barrier(2), []

    def wait_for_the_other(_connection, _cursor, statement, *_about) -> None:
        with suppress(threading.BrokenBarrierError):
            if statement.startswith("UPDATE users"):
                both.wait(0.5)

    def demote(person) -> None:
        try:
            with either_registry.session() as session:
                people.change(session, person.id, Facts.of(person), Facts(person.name, "reader", active=True))
        except LastAdministrator as error:
            refused.append(error)

    event.listen(either_registry.engine, "before_cursor_execute", wait_for_the_other)
    threads = [threading.Thread(target=demote, args=(each,), daemon=True) for each in (marie, zoe)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=30)
    assert len(refused) == 1


def test_nor_can_a_directory_that_says_so_of_both_at_once(either_registry, marie, now):
    """Each comes by the provider, whose groups make neither an administrator any more."""
    with either_registry.session() as session:
        zoe = users.add(session, "zoe@ville.example", "Zoé", "administrator", None, now)
        for each in (marie, zoe):
            session.add(Identity(issuer="i", subject=each.email, user_id=each.id, linked_at=now))
    both = threading.Barrier(2)

    def wait_for_the_other(_connection, _cursor, statement, *_about) -> None:
        with suppress(threading.BrokenBarrierError):
            if statement.startswith("UPDATE users"):
                both.wait(0.5)

    def sign_in(person) -> None:
        told = Told("i", person.email, person.email, person.name, email_verified=True, role="reader")
        with either_registry.session() as session:
            identities.person(session, told, now)

    event.listen(either_registry.engine, "before_cursor_execute", wait_for_the_other)
    threads = [threading.Thread(target=sign_in, args=(each,), daemon=True) for each in (marie, zoe)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=30)
    with either_registry.session() as session:
        assert [each.role for each in users.everyone(session)].count("administrator") == 1


def test_closing_an_account_signs_out_everywhere(registry, nora, now):
    with registry.session() as session:
        token = users.open_session(session, nora, now, HOUR)
    with registry.session() as session:
        people.change(session, nora.id, Facts.of(nora), Facts("Paul", "reader", active=False))
    with registry.session() as session:
        assert users.session_user(session, token, now) is None
        assert people.sessions(session, nora, now) == []


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


def test_nothing_keeps_somebody_from_being_deleted():
    """A table that points at people says by `ondelete` what becomes of its rows, or keeps a name instead."""
    deleted_with_them = {"sessions"}
    holding = {
        table.name
        for table in Base.metadata.tables.values()
        for key in table.foreign_keys
        if key.column.table.name == "users" and key.ondelete is None
    }
    assert holding == deleted_with_them


def test_one_session_ends_and_the_others_do_not(registry, nora, now):
    with registry.session() as session:
        here, there = (users.open_session(session, nora, now, HOUR, browser=name) for name in ("A", "B"))
    with registry.session() as session:
        assert people.close(session, nora, users.handle(there))
        assert not people.close(session, nora, users.handle(there))
        session.flush()
        assert [each.browser for each in people.sessions(session, nora, now)] == ["A"]
    with registry.session() as session:
        users.open_session(session, nora, now, HOUR)
        people.close_others(session, nora, here)
        session.flush()
        assert [people.handle_of(each) for each in people.sessions(session, nora, now)] == [
            users.handle(here)
        ]


def test_nobody_ends_the_session_of_somebody_else(registry, nora, now):
    with registry.session() as session:
        paul = users.add(session, "paul@ville.example", "Paul", "reader", None, now)
        token = users.open_session(session, nora, now, HOUR)
        session.flush()
        assert not people.close(session, paul, users.handle(token))
        assert users.session_user(session, token, now).id == nora.id


def test_when_somebody_was_last_here_is_known_to_ten_minutes(registry, nora, now):
    with registry.session() as session:
        token = users.open_session(session, nora, now, 3 * HOUR)
    for minutes, seen in ((9, 0), (10, 10), (15, 10), (75, 75)):
        with registry.session() as session:
            users.session_user(session, token, now + timedelta(minutes=minutes))
        with registry.session() as session:
            assert people.last_seen(session, now) == {nora.id: now + timedelta(minutes=seen)}


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


# ------------------------------------------------------------------------------------------- the pages


@pytest.fixture
def administrator(browser_of):
    return browser_of("administrator")


@pytest.fixture
def nora(registry, now):
    """A reader whose name would like to be a page."""
    with registry.session() as session:
        return users.add(session, "nora@ville.example", "Nora <b>", "reader", None, now)


def send(browser, path, **typed):
    return browser.post(path, data={"csrf": browser.csrf, **typed})


def saved(registry, number):
    with registry.session() as session:
        user = people.find(session, number)
        return None if user is None else Facts.of(user)


def as_seen(person, **wanted):
    """The form of a person as their page has it, with what is wanted instead."""
    shown = {"seen_name": person.name, "seen_role": person.role, "seen_active": "yes"}
    return shown | {"name": person.name, "role": person.role, "active": "yes"} | wanted


def test_people_are_listed_by_name_and_role(administrator, nora):
    page = administrator.get("/people").text
    assert f'<a href="/people/{nora.id}">Nora &lt;b&gt;</a>' in page
    assert "lecture" in page


def test_somebody_is_added_and_gets_a_link(administrator, registry):
    answer = send(administrator, "/people", email=" Zoe@Ville.example ", name=" Zoé  Martin ", role="analyst")
    assert answer.status_code == 303
    path = answer.headers["location"].partition("?")[0]
    assert "C’est enregistré" in administrator.get(answer.headers["location"]).text
    with registry.session() as session:
        zoe = users.known(session, "zoe@ville.example")
        assert (zoe.name, zoe.role, zoe.password_hash) == ("Zoé Martin", "analyst", None)
    page = send(administrator, f"{path}/link").text
    token = re.search(r"http://testserver/new-password/([\w-]{40,})", page)[1]
    with registry.session() as session:
        assert password_links.owner(session, token, datetime.now(UTC)).id == zoe.id
    assert token not in administrator.get(path).text


@pytest.mark.usefixtures("nora")
def test_a_form_that_cannot_be_comes_back_with_what_was_typed(administrator):
    good = {"email": "zoe@ville.example", "name": "Zoé 🌿 <i>", "role": "analyst"}
    for typed, says in (
        ({"email": ""}, "Donnez une adresse"),
        ({"email": "x" * 10_000}, "il y faut un @"),
        ({"email": "a b@ville.example"}, "il y faut un @"),
        ({"email": "a\u202eb@ville.example"}, "il y faut un @"),
        ({"email": "a\0@ville.example"}, "il y faut un @"),
        ({"email": "NORA@ville.example"}, "Quelqu’un a déjà cette adresse"),
        ({"name": "  "}, "Donnez un nom"),
        ({"name": "x" * 10_000}, "trop long"),
        ({"name": "\u202ebmot"}, "caractères invisibles"),
        ({"name": "a\0b"}, "caractères invisibles"),
        ({"role": ""}, "Choisissez un rôle"),
        ({"role": "king"}, "Choisissez un rôle"),
    ):
        answer = send(administrator, "/people", **good | typed)
        page = html.unescape(answer.text)
        (wrong,) = typed
        assert answer.status_code == 422
        assert says in page
        assert f'<a href="#{wrong}">' in page
        assert f'aria-describedby="{wrong}-why"' in page
        for name in {"email", "name"} - {wrong}:
            assert f'value="{good[name]}"' in page
        assert "<i>" not in answer.text


def test_somebody_gets_another_role(administrator, registry, nora):
    answer = send(administrator, f"/people/{nora.id}", **as_seen(nora, role="facilities"))
    assert (answer.status_code, saved(registry, nora.id).role) == (303, "facilities")
    assert "Changé la dernière fois par Administrator" in administrator.get(f"/people/{nora.id}").text


def test_the_second_editor_sees_both_versions_and_may_insist(administrator, registry, nora):
    send(administrator, f"/people/{nora.id}", **as_seen(nora, role="facilities"))
    answer = send(administrator, f"/people/{nora.id}", **as_seen(nora, role="analyst", name="Nora B."))
    page = html.unescape(answer.text)
    assert answer.status_code == 409
    assert "Administrator a changé cette personne entre-temps" in page
    assert "Nora <b> · moyens généraux · compte ouvert" in page
    assert "Nora B. · analyse · compte ouvert" in page
    assert 'value="Nora B."' in page
    again = dict(re.findall(r'name="(seen_\w+)" value="([^"]*)"', page))
    insisted = send(
        administrator, f"/people/{nora.id}", **again, name="Nora B.", role="analyst", active="yes"
    )
    assert (insisted.status_code, saved(registry, nora.id)) == (303, Facts("Nora B.", "analyst", active=True))


def test_the_last_administrator_cannot_lock_themself_out(administrator, registry):
    with registry.session() as session:
        me = users.known(session, "administrator@ville.example")
    for path, typed in ((f"/people/{me.id}", as_seen(me, role="reader")), (f"/people/{me.id}/delete", {})):
        answer = send(administrator, path, **typed)
        assert answer.status_code == 409
        assert "donnez d’abord ce rôle à quelqu’un d’autre" in answer.text
    assert saved(registry, me.id).role == "administrator"


def test_somebody_is_deleted_and_their_open_form_is_not_found(administrator, registry, nora):
    answer = send(administrator, f"/people/{nora.id}/delete")
    assert "gardent le nom" in administrator.get(answer.headers["location"]).text
    assert saved(registry, nora.id) is None
    for path in ("", "/link", "/sessions"):
        assert send(administrator, f"/people/{nora.id}{path}", **as_seen(nora)).status_code == 404
    assert send(administrator, f"/people/{nora.id}/delete").status_code == 303


def test_nobody_of_that_number_is_not_found(administrator):
    for number in ("0", "x", "99999999999999999999", "4711"):
        assert administrator.get(f"/people/{number}").status_code == 404


def test_an_administrator_ends_the_sessions_of_others(administrator, browser_of, registry):
    reader = browser_of("reader")
    with registry.session() as session:
        number = users.known(session, "reader@ville.example").id
    assert "Déconnecter partout" in administrator.get(f"/people/{number}").text
    send(administrator, f"/people/{number}/sessions")
    assert reader.get("/").status_code == 303
    assert "connectée nulle part" in administrator.get(f"/people/{number}").text


@pytest.mark.parametrize("role", ["reader", "facilities", "analyst"])
def test_nobody_else_sees_or_changes_people(browser_of, registry, nora, role):
    browser = browser_of(role)
    assert browser.get("/people").status_code == browser.get(f"/people/{nora.id}").status_code == 403
    for path, typed in (
        ("/people", {"email": "a@b.example", "name": "A", "role": "administrator"}),
        (f"/people/{nora.id}", as_seen(nora, role="administrator")),
        (f"/people/{nora.id}/delete", {}),
        (f"/people/{nora.id}/link", {}),
        (f"/people/{nora.id}/sessions", {}),
    ):
        assert send(browser, path, **typed).status_code == 403, path
    assert saved(registry, nora.id) == Facts.of(nora)


def test_a_form_of_another_page_changes_nobody(administrator, registry, nora):
    answer = administrator.post(f"/people/{nora.id}/delete", data={"csrf": "x"})
    assert (answer.status_code, saved(registry, nora.id)) == (403, Facts.of(nora))


# ---------------------------------------------------------------------------------------- one's own account


def test_one_sees_where_one_is_signed_in_and_ends_the_others(browser_of):
    here, there = browser_of("reader"), browser_of("reader")
    page = here.get("/account").text
    assert (page.count("celle-ci"), page.count("Fermer cette session")) == (1, 1)
    handle = re.search(r'name="handle" value="(\w+)"', page)[1]
    assert send(here, "/account/sessions", handle=handle).status_code == 303
    assert (here.get("/").status_code, there.get("/").status_code) == (200, 303)
    assert "Fermer cette session" not in here.get("/account").text


def test_one_ends_all_the_others_at_once(browser_of):
    here, *others = (browser_of("reader") for _ in range(3))
    send(here, "/account/sessions")
    assert [each.get("/").status_code for each in (here, *others)] == [200, 303, 303]


def test_one_changes_ones_password_knowing_the_one_that_is(browser_of, registry):
    here, there = browser_of("reader"), browser_of("reader")
    with registry.session() as session:
        me = users.known(session, "reader@ville.example")
        me.password_hash = users.hash_password("correct horse battery")
    typed = {
        "current": "correct horse battery",
        "new": "battery staple tractor",
        "again": "battery staple tractor",
    }
    wrong = send(here, "/account/password", **typed | {"current": "guess guess guess"})
    assert (wrong.status_code, "pas votre mot de passe actuel" in wrong.text) == (422, True)
    assert send(here, "/account/password", **typed).headers["location"] == "/account?done=password"
    assert (here.get("/").status_code, there.get("/").status_code) == (200, 303)
    with registry.session() as session:
        assert users.checked(session, me.email, "battery staple tractor") is not None
        change = audit.head(session)
        assert (change.who, change.after) == ("Reader <reader@ville.example>", {"password_hash": "•"})


def test_one_is_told_what_is_kept_of_oneself(reader):
    page = reader.get("/account").text
    assert "Ce que Témoin garde de vous" in page
    for told in ("votre adresse", "vos sessions", "vos changements", "Ce que vous lisez"):
        assert told.lower() in page.lower(), told


def test_a_password_that_cannot_be_is_said_and_not_shown_again(reader):
    for new, again, says in (
        ("short", "short", "de 12 à 128"),
        ("x" * 10_000, "x" * 10_000, "de 12 à 128"),
        ("reader.reader", "reader.reader", "parmi les premiers"),
        ("battery staple tractor", "battery stable tractor", "pas les mêmes"),
    ):
        answer = send(reader, "/account/password", current="correct horse battery", new=new, again=again)
        assert (answer.status_code, says in answer.text) == (422, True)
        assert new not in answer.text


def test_a_stolen_session_does_not_guess_the_password_for_long(browser_of):
    browser = browser_of("reader")
    typed = {"current": "guess", "new": "battery staple tractor", "again": "battery staple tractor"}
    for _ in range(8):
        browser.app.state.throttles["account"].attempt("reader@ville.example")
    assert "attendez quelques minutes" in send(browser, "/account/password", **typed).text


# ------------------------------------------------------------------------------------------ temoin user


def test_roles_and_accounts_by_command(temoin, registry, nora):
    assert temoin("user", "role", nora.email, "analyst") == (0, "nora@ville.example is analyst.\n", "")
    assert saved(registry, nora.id).role == "analyst"
    temoin("user", "disable", nora.email)
    assert not saved(registry, nora.id).active
    temoin("user", "enable", nora.email)
    assert saved(registry, nora.id).active
    assert temoin("user", "delete", nora.email)[0] == 0
    assert saved(registry, nora.id) is None


@pytest.mark.parametrize(
    ("command", "says"),
    [
        (("role", "nobody@ville.example", "analyst"), "Nobody here has the address"),
        (("role", "nora@ville.example", "king"), "no role « king »"),
        (("role", "nora@ville.example", "reader"), "last active administrator"),
        (("disable", "nora@ville.example"), "last active administrator"),
        (("delete", "nora@ville.example"), "last active administrator"),
    ],
)
def test_a_command_that_cannot_be_is_one_sentence(temoin, nora, command, says):
    temoin("user", "role", nora.email, "administrator")
    code, _, err = temoin("user", *command)
    assert (code, says in err, err.count("\n")) == (1, True, 1)


def test_whoever_makes_a_link_for_somebody_else_is_in_the_log(browser_of, registry):
    """With it they could act in that person's name: the audit would say that person."""
    with registry.session() as session:
        other = users.add(session, "nora@ville.example", "Nora", "administrator", None, datetime.now(UTC))
    browser = browser_of("administrator")
    with capture_logs() as logs:
        browser.post(f"/people/{other.id}/link", data={"csrf": browser.csrf})
    with registry.session() as session:
        me = users.find(session, "administrator@ville.example").id
    made = [each for each in logs if each["event"] == "password_link_made"]
    assert [(each["user"], each["by"]) for each in made] == [(other.id, me)]
