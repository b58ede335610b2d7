"""A person's token for programs: as much as its scope and the person's role let, as long as it lasts."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import pytest
from fastapi.testclient import TestClient

from service.registry import people, users
from service.registry.tables import Session as SignedIn


def made(browser, **fields):
    """A token made on the account page."""
    page = browser.post("/account/tokens", data={"csrf": browser.csrf, "token_name": "Rapport", **fields})
    assert page.status_code == 200
    return re.search(r"temoin-api-[\w-]+", page.text)[0]


def program(app, token):
    return TestClient(app, headers={"Authorization": f"Bearer {token}"}, follow_redirects=False)


@pytest.fixture
def staff(browser_of):
    return browser_of("facilities")


def test_it_reads_what_its_person_reads(app, staff):
    token = made(staff)
    answer = program(app, token).get("/api/v1/rooms")
    assert (answer.status_code, answer.json()) == (200, [])
    page = staff.get("/account").text
    assert token not in page
    assert "jeton, lecture" in page


def test_one_that_reads_changes_nothing_and_one_that_writes_needs_no_form_token(app, staff):
    mapping = {"topic": "a/+", "fields": [{"pointer": "/t", "metric": "co2", "unit": ""}]}
    answer = program(app, made(staff)).post("/api/v1/mappings", json=mapping)
    assert (answer.status_code, "only reads" in answer.json()["error"]["message"]) == (403, True)
    assert program(app, made(staff, scope="write")).post("/api/v1/mappings", json=mapping).status_code == 201


def test_it_never_does_more_than_its_person(app, reader):
    answer = program(app, made(reader, scope="write")).post("/api/v1/mappings", json={})
    assert answer.status_code == 403


def test_it_opens_no_page_and_makes_no_other_token(app, staff):
    browser = program(app, made(staff, scope="write"))
    assert browser.get("/rooms").headers["location"].startswith("/sign-in")
    assert browser.get("/account").status_code == 303
    assert browser.post("/account/tokens", data={"token_name": "x"}).status_code in (303, 403)


def test_taken_back_expired_or_of_a_closed_account_it_opens_nothing(app, staff, registry):
    first, second, third = made(staff), made(staff), made(staff)
    handle = users.handle(first.removeprefix(users.API_TOKEN))
    assert staff.post("/account/sessions", data={"csrf": staff.csrf, "handle": handle}).status_code == 303
    with registry.session() as session:
        row = session.get(SignedIn, users._sha256(second.removeprefix(users.API_TOKEN)))  # noqa: SLF001 - to age it
        row.expires = datetime.now(UTC) - timedelta(seconds=1)
    for token in (first, second, "temoin-api-guessed", "temoin-api-"):
        answer = program(app, token).get("/api/v1/rooms")
        assert (answer.status_code, answer.headers["www-authenticate"]) == (401, "Bearer")
    assert program(app, third).get("/api/v1/rooms").status_code == 200
    with registry.session() as session:
        users.known(session, "facilities@ville.example").active = False
    assert program(app, third).get("/api/v1/rooms").status_code == 401


def test_a_session_is_no_token_and_a_token_no_session(app, staff):
    cookie = staff.cookies["temoin"]
    assert program(app, f"temoin-api-{cookie}").get("/api/v1/rooms").status_code == 401
    browser = TestClient(app, follow_redirects=False)
    browser.cookies.set("temoin", made(staff).removeprefix("temoin-api-"))
    assert browser.get("/api/v1/rooms").status_code == 401


def test_a_token_of_nobody_is_no_failure_of_ours_on_a_page(app):
    answer = program(app, "temoin-api-guessed").get("/api/docs", follow_redirects=False)
    assert (answer.status_code, answer.headers["location"]) == (303, "/sign-in?next=/api/docs")


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("", "Dites à quoi il sert"),
        ("x" * 41, "40 caractères"),
        ("a\u202eb", "40 caractères"),
        ("\0", "40 caractères"),
    ],
)
def test_a_name_that_says_nothing_is_refused(staff, name, words):
    answer = staff.post("/account/tokens", data={"csrf": staff.csrf, "token_name": name})
    assert answer.status_code == 422
    assert words in answer.text.replace("\xa0", " ").replace("\u202f", " ")


def test_nobody_has_more_than_twenty(staff, registry):
    now = datetime.now(UTC)
    with registry.session() as session:
        user = users.known(session, "facilities@ville.example")
        for _ in range(20):
            users.make_token(session, user, "x", "read", now, timedelta(days=1))
        assert len(people.sessions(session, user, now)) == 21
    answer = staff.post("/account/tokens", data={"csrf": staff.csrf, "token_name": "x"})
    assert "vingt jetons" in answer.text


@pytest.mark.usefixtures("staff")
def test_the_command_makes_one(app, temoin):
    code, said, _ = temoin("user", "token", "facilities@ville.example", "--days", "3")
    assert code == 0
    token = said.strip().rpartition(" ")[2]
    assert program(app, token).get("/api/v1/rooms").status_code == 200
    assert temoin("user", "token", "facilities@ville.example", "--scope", "all")[0] == 2
    for name in ("", " ", "x" * 41, "a\u202eb"):
        assert temoin("user", "token", "facilities@ville.example", "--name", name)[0] == 2
