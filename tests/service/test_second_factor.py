"""A second factor: six digits of a telephone after the password, or a recovery code."""

from __future__ import annotations

import html
import re
import time
from datetime import UTC, datetime, timedelta

import pytest
from fastapi.testclient import TestClient

from service import mail
from service.registry import audit, people, second_factor, users
from service.registry.tables import Identity

KEY = "k" * 40
# RFC 6238, appendix B, SHA-1, the last six of its eight digits
OF_THE_RFC = [
    (59, "287082"),
    (1111111109, "081804"),
    (1111111111, "050471"),
    (1234567890, "005924"),
    (2000000000, "279037"),
    (20000000000, "353130"),
]


@pytest.fixture(autouse=True)
def _quick(monkeypatch):
    """Argon2 itself is left out."""

    def check(session, account, password):
        user = users.find(session, account)
        return user if user is not None and user.password_hash == f"hashed {password}" else None

    monkeypatch.setattr(users, "hash_password", "hashed {}".format)
    monkeypatch.setattr(users, "checked", check)


@pytest.fixture
def secret():
    return second_factor.new_secret()


def enrolled(session, secret, now):
    user = users.add(session, "nora@ville.example", "Nora", "administrator", "correct horse battery", now)
    return user, second_factor.enrol(session, user, second_factor.seal(secret, KEY), 0, now)


@pytest.mark.parametrize(("seconds", "digits"), OF_THE_RFC)
def test_codes_are_those_of_the_rfc(seconds, digits):
    secret = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"  # the RFC’s « 12345678901234567890 »
    assert second_factor.code(secret, seconds // 30) == digits


def test_a_clock_may_be_half_a_minute_off_and_no_more(secret, now):
    here = int(now.timestamp()) // 30
    taken = [
        second_factor.step_of(secret, second_factor.code(secret, here + off), now) for off in range(-2, 3)
    ]
    assert taken == [None, here - 1, here, here + 1, None]


def test_a_code_serves_once_and_so_does_a_recovery_code(either_registry, secret, now):
    with either_registry.session() as session:
        user, recovery = enrolled(session, secret, now)
        right = second_factor.code(secret, int(now.timestamp()) // 30)
        typed = f"{right[:3]} {right[3:]}"
        wrong = f"{(int(right) + 1) % 10**6:06}"

        def takes(given, later=0):
            return second_factor.accepts(session, user, given, KEY, now + timedelta(seconds=later))

        assert [takes(wrong), takes(typed), takes(typed)] == [False, True, False]
        assert [takes(right, 20), takes(second_factor.code(secret, int(now.timestamp()) // 30 + 1), 30)] == [
            False,
            True,
        ]
        assert [takes(recovery[3].lower()), takes(recovery[3]), takes(recovery[4])] == [True, False, True]
        assert (len(recovery), len(set(recovery))) == (10, 10)


def test_neither_secret_nor_codes_can_be_read_from_the_registry(registry, settings, secret, now):
    with registry.session() as session:
        user, recovery = enrolled(session, secret, now)
        with pytest.raises(second_factor.SealError):
            second_factor.accepts(session, user, "123456", "another key", now)
    everything = b"".join(file.read_bytes() for file in settings.data_dir.glob("registry.db*"))
    assert not [each for each in (secret, *recovery) if each.encode() in everything]


def test_the_audit_says_that_it_was_made_and_a_recovery_code_used_and_no_secret(registry, secret, now):
    with registry.session() as session:
        user, recovery = enrolled(session, secret, now)
    with registry.session() as session:
        user = users.known(session, "nora@ville.example")
        second_factor.accepts(session, user, second_factor.code(secret, int(now.timestamp()) // 30), KEY, now)
    with registry.session() as session:
        second_factor.accepts(session, users.known(session, "nora@ville.example"), recovery[0], KEY, now)
    with registry.session() as session:
        of_it = [each for each in audit.everything(session) if each.kind == "second_factors"]
    assert [each.action for each in of_it] == ["created", "changed"]
    assert (of_it[0].called, of_it[1].after) == ("Nora", {"recovery_sha256": "•"})
    assert of_it[0].after["sealed_secret"] == "•"


def test_it_goes_with_the_person(either_registry, secret, now):
    with either_registry.session() as session:
        user, _ = enrolled(session, secret, now)
        users.add(session, "ana@ville.example", "Ana", "administrator", None, now)
        number = user.id
    with either_registry.session() as session:
        people.remove(session, number)
    with either_registry.session() as session:
        users.add(session, "ben@ville.example", "Ben", "reader", None, datetime.now(UTC)).id = number
        session.flush()
        assert second_factor.of(session, users.known(session, "ben@ville.example")) is None


# ----------------------------------------------------------------------------------------------- signing in


PASSWORD = "correct horse battery"


@pytest.fixture
def nora(app, registry, secret):
    """An administrator with a second factor: her recovery codes."""
    signing_key, now = app.state.settings.signing_key(), datetime.now(UTC)
    with registry.session() as session:
        user = users.add(session, "nora@ville.example", "Nora", "administrator", PASSWORD, now)
        return second_factor.enrol(session, user, second_factor.seal(secret, signing_key), 0, now)


def of_now(secret):
    return second_factor.code(secret, int(datetime.now(UTC).timestamp()) // 30)


def hidden(page):
    found = re.findall(r'type="hidden" name="([\w.-]+)" value="([^"]*)"', page.text)
    return {name: html.unescape(value) for name, value in found}


def with_password(browser, path="/sign-in", **fields):
    form = hidden(browser.get(path)) | {"email": "nora@ville.example", "password": PASSWORD}
    return browser.post("/sign-in", data=form | fields)


def with_code(browser, page, code):
    return browser.post("/sign-in/code", data=hidden(page) | {"code": code})


@pytest.mark.usefixtures("nora")
def test_the_password_alone_opens_nothing(stranger, secret):
    page = with_password(stranger, "/sign-in?next=/experiments")
    assert "Code de votre téléphone" in page.text
    assert stranger.get("/experiments").status_code == 303
    answer = with_code(stranger, page, of_now(secret))
    assert (answer.status_code, answer.headers["location"]) == (303, "/experiments")
    assert stranger.get("/experiments").status_code == 200


def test_a_recovery_code_opens_in_the_place_of_the_telephone_once(stranger, nora):
    assert with_code(stranger, with_password(stranger), nora[0]).status_code == 303
    stranger.cookies.clear()
    again = with_code(stranger, with_password(stranger), nora[0])
    assert again.status_code == 401
    assert "Ce code ne convient pas" in again.text


@pytest.mark.usefixtures("nora")
def test_a_link_is_no_way_around_it(stranger, registry):
    with registry.session() as session:
        user = users.known(session, "nora@ville.example")
        token = users.open_session(session, user, datetime.now(UTC), timedelta(hours=1), kind="link")
    assert "Code de votre téléphone" in stranger.get(f"/sign-in/{token}").text
    assert stranger.get("/people").status_code == 303


@pytest.mark.usefixtures("nora")
def test_codes_are_tried_eight_times_whatever_the_password_does_meanwhile(stranger, secret):
    page = with_password(stranger)
    for _ in range(8):
        assert with_code(stranger, page, "not a code").status_code == 401
        page = with_password(stranger)
    stopped = with_code(stranger, page, of_now(secret))
    assert stopped.status_code == 429
    assert int(stopped.headers["retry-after"]) > 0


@pytest.mark.usefixtures("nora")
def test_who_had_the_password_and_eight_wrong_codes_is_told_of_once_by_mail(stranger, secret, monkeypatch):
    sent = []
    monkeypatch.setattr(mail, "post", lambda _settings, user, letter: sent.append((user.email, *letter)))
    page = with_password(stranger)
    for _ in range(11):
        with_code(stranger, page, "not a code")
    [(email, subject, text)] = sent
    assert email == "nora@ville.example"
    assert subject.endswith("des codes faux après votre mot de passe")
    assert "/forgotten-password" in text
    assert of_now(secret) not in text


@pytest.mark.usefixtures("nora")
def test_a_ticket_is_of_one_browser_and_of_ten_minutes(stranger, app, secret, monkeypatch):
    ticket = hidden(with_password(stranger))["ticket"]
    other = TestClient(app, follow_redirects=False)
    form = hidden(other.get("/sign-in")) | {"ticket": ticket, "code": of_now(secret)}
    assert "commencée il y a trop longtemps" in other.post("/sign-in/code", data=form).text
    page = with_password(stranger)
    later = time.time() + 601
    monkeypatch.setattr("itsdangerous.timed.time.time", lambda: later)
    assert "commencée il y a trop longtemps" in with_code(stranger, page, of_now(secret)).text


@pytest.mark.usefixtures("nora")
def test_whoever_is_closed_meanwhile_stays_out(stranger, registry, secret):
    page = with_password(stranger)
    with registry.session() as session:
        users.known(session, "nora@ville.example").active = False
    assert with_code(stranger, page, of_now(secret)).status_code == 400


@pytest.mark.usefixtures("nora")
def test_what_was_typed_goes_through_both_pages(stranger, secret):
    form = {"kept-to": "/sites", "kept.name": "Hôtel de ville"}
    page = with_password(stranger, **form)
    assert "Hôtel de ville" in with_code(stranger, page, of_now(secret)).text


def test_another_key_is_said_and_a_recovery_code_still_serves(stranger, registry, nora, secret):
    with registry.session() as session:
        user = users.known(session, "nora@ville.example")
        second_factor.of(session, user).sealed_secret = second_factor.seal(secret, "another key")
    page = with_code(stranger, with_password(stranger), of_now(secret))
    assert "ne peut plus être lu" in page.text
    assert with_code(stranger, page, nora[1]).status_code == 303


@pytest.mark.usefixtures("nora")
@pytest.mark.parametrize("typed", ["", "\0", "é" * 10_000, "123456 " * 2000, "<b>1</b>", "１２３４５６"])
def test_nothing_strange_is_a_code(stranger, typed):
    assert with_code(stranger, with_password(stranger), typed).status_code == 401


@pytest.mark.usefixtures("nora")
def test_a_command_takes_it_away_and_signs_out(temoin, stranger, secret):
    assert with_code(stranger, with_password(stranger), of_now(secret)).status_code == 303
    assert temoin("user", "no-second-factor", "nora@ville.example")[0] == 0
    assert stranger.get("/people").status_code == 303
    assert with_password(stranger).status_code == 303
    assert "has no second factor" in temoin("user", "no-second-factor", "nora@ville.example")[2]


# ---------------------------------------------------------------------------------- making it, taking it away


@pytest.fixture
def ana(registry, stranger):
    """An administrator without one, signed in."""
    with registry.session() as session:
        users.add(session, "ana@ville.example", "Ana", "administrator", PASSWORD, datetime.now(UTC))
    answer = with_password(stranger, email="ana@ville.example")
    assert answer.status_code == 303
    return stranger


def sent(browser, path, **fields):
    csrf = hidden(browser.get("/account/second-factor"))["csrf"]
    return browser.post(path, data={"csrf": csrf} | fields)


def made(browser):
    """The code that her telephone proved it by, and the page with her recovery codes."""
    page = sent(browser, "/account/second-factor", current=PASSWORD)
    secret = re.search(r"secret=([A-Z2-7]{32})", page.text)[1]
    assert " ".join(re.findall("....", secret)) in page.text
    form = hidden(page) | {"code": of_now(secret)}
    return form["code"], browser.post("/account/second-factor/code", data=form)


def test_one_makes_it_with_the_password_and_a_code_and_sees_ten_recovery_codes_once(ana, registry):
    assert "Ce n’est pas votre mot de passe actuel" in sent(ana, "/account/second-factor", current="no").text
    page = sent(ana, "/account/second-factor", current=PASSWORD)
    assert 'aria-label="Code QR de ce compte' in page.text  # 32 characters are typed wrong
    wrong = ana.post("/account/second-factor/code", data=hidden(page) | {"code": "no"})
    assert wrong.status_code == 422
    assert hidden(wrong)["draft"] == hidden(page)["draft"]
    with registry.session() as session:
        assert second_factor.of(session, users.known(session, "ana@ville.example")) is None
    assert "Le mettre en place" in ana.get("/account").text
    _, done = made(ana)
    assert "Il est en place" in ana.get("/account").text
    recovery = re.findall(r"^(?:<pre[^>]*>)?((?:[A-Z2-7]{4} ){5}[A-Z2-7]{4})$", done.text, re.MULTILINE)
    assert len(set(recovery)) == 10
    assert recovery[0] not in ana.get("/account/second-factor").text


def test_the_other_sessions_end_and_the_code_that_proved_it_is_spent(ana, app):
    other = TestClient(app, follow_redirects=False)
    with_password(other, email="ana@ville.example")
    code, _ = made(ana)
    assert other.get("/people").status_code == 303
    page = with_password(other, email="ana@ville.example")
    assert with_code(other, page, code).status_code == 401


def test_it_is_taken_away_with_password_and_code_and_not_replaced_without(ana):
    _, done = made(ana)
    recovery = re.search(r"^((?:[A-Z2-7]{4} ){5}[A-Z2-7]{4})$", done.text, re.MULTILINE)[1]
    assert "secret=" not in sent(ana, "/account/second-factor", current=PASSWORD).text
    end = "/account/second-factor/end"
    assert sent(ana, end, current="no", code=recovery).status_code == 422
    assert sent(ana, end, current=PASSWORD, code="123").status_code == 422
    assert sent(ana, end, current=PASSWORD, code=recovery).status_code == 303
    assert "Continuer" in ana.get("/account/second-factor").text


def test_the_secret_of_somebody_else_is_not_taken(ana, app, registry):
    page = sent(ana, "/account/second-factor", current=PASSWORD)
    secret = re.search(r"secret=([A-Z2-7]{32})", page.text)[1]
    with registry.session() as session:
        users.add(session, "ben@ville.example", "Ben", "reader", PASSWORD, datetime.now(UTC))
    ben = TestClient(app, follow_redirects=False)
    with_password(ben, email="ben@ville.example")
    stolen = {"draft": hidden(page)["draft"], "code": of_now(secret)}
    assert sent(ben, "/account/second-factor/code", **stolen).status_code == 422


def test_where_it_is_asked_an_administrator_does_nothing_before(ana, app, registry):
    app.state.settings = app.state.settings.model_copy(update={"second_factor": "administrators"})
    for path in ("/", "/people", "/account", "/experiments"):
        assert ana.get(path).headers["location"] == "/account/second-factor"
    assert ana.get("/api/v1/rooms").status_code == 403
    with registry.session() as session:
        user = users.known(session, "ana@ville.example")
        token = users.make_token(session, user, "t", "read", datetime.now(UTC), timedelta(days=1))
    program = TestClient(app, headers={"Authorization": f"Bearer {token}"})
    assert program.get("/api/v1/rooms").status_code == 403
    assert "a besoin d’un second facteur" in ana.get("/account/second-factor").text
    made(ana)
    assert ana.get("/people").status_code == 200


def test_nobody_else_is_asked_for_it(ana, app, registry):
    app.state.settings = app.state.settings.model_copy(update={"second_factor": "administrators"})
    with registry.session() as session:
        users.known(session, "ana@ville.example").role = "analyst"
    assert ana.get("/experiments").status_code == 200
    with registry.session() as session:
        user = users.known(session, "ana@ville.example")
        user.role, user.password_hash = "administrator", None
        session.add(Identity(issuer="https://id", subject="1", user_id=user.id, linked_at=datetime.now(UTC)))
    assert ana.get("/experiments").status_code == 200
