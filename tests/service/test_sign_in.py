"""Signing in and out, and what is asked of every form."""

import hashlib
import html
import re
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor, as_completed
from datetime import UTC, datetime, timedelta
from itertools import islice

import pytest
from fastapi import Depends, Request
from fastapi.responses import JSONResponse
from fastapi.testclient import TestClient
from structlog.testing import capture_logs

from service.auth import csrf_checked, safe_path, signed_in
from service.registry import users
from service.registry.tables import Session
from service.settings import Settings
from service.throttle import Throttle
from service.web.sign_in import HASHING, OF_ACCOUNT, OF_ADDRESS, OF_ALL, WAITING

pytestmark = pytest.mark.usefixtures("camille")
PASSWORD = "correct horse battery"


@pytest.fixture
def camille(registry):
    with registry.session() as session:
        return users.add(
            session, "camille@ville.example", "Camille", "facilities", PASSWORD, datetime.now(UTC)
        )


@pytest.fixture
def link(registry, camille):
    with registry.session() as session:
        return users.open_session(session, camille, datetime.now(UTC), timedelta(hours=1), kind="link")


def fill_in(browser, email="camille@ville.example", password=PASSWORD, path="/sign-in", **fields):
    page = browser.get(path).text
    form = dict(re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', page))
    return browser.post("/sign-in", data={**form, "email": email, "password": password, **fields})


def again(browser, page, email="camille@ville.example", password=PASSWORD):
    """Send the form of a page that is open already."""
    csrf = re.search(r'name="csrf" value="([^"]*)"', page.text)[1]
    return browser.post("/sign-in", data={"csrf": csrf, "email": email, "password": password})


@pytest.fixture
def checked(monkeypatch):
    """The accounts whose password was checked; argon2 itself is left out."""
    asked = []

    def check(session, account, password):
        asked.append(account)
        return users.find(session, account) if password == PASSWORD else None

    monkeypatch.setattr(users, "checked", check)
    return asked


def test_whoever_is_not_signed_in_is_brought_back_to_the_page_they_wanted(stranger):
    asked = stranger.get("/experiments?x=1")
    assert (asked.status_code, asked.headers["location"]) == (303, "/sign-in?next=/experiments%3Fx%3D1")
    answer = fill_in(stranger, path=asked.headers["location"])
    assert (answer.status_code, answer.headers["location"]) == (303, "/experiments?x=1")
    assert stranger.get("/experiments").status_code == 200


def test_the_session_cookie_is_out_of_reach_of_scripts_and_other_sites(stranger):
    cookie = fill_in(stranger).headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=lax" in cookie
    assert "Secure" not in cookie


def test_over_https_cookies_stay_on_https(app, stranger):
    app.state.settings = Settings(data_dir=app.state.settings.data_dir, public_url="https://t.example")
    page = stranger.get("/sign-in")
    assert "Secure" in page.headers["set-cookie"]


@pytest.mark.parametrize(
    ("email", "password"), [("camille@ville.example", "wrong"), ("x@y.example", PASSWORD)]
)
def test_a_wrong_password_and_an_unknown_address_are_told_alike(stranger, email, password):
    answer = fill_in(stranger, email, password)
    assert answer.status_code == 401
    assert "Adresse ou mot de passe inconnus" in answer.text
    assert "temoin=" not in answer.headers["set-cookie"]


def test_guessing_is_slowed_down_even_with_the_right_password_in_the_end(app, stranger):
    app.state.throttles["account"].limit = 3
    for _ in range(3):
        assert fill_in(stranger, password="guess").status_code == 401
    stopped = fill_in(stranger)
    assert stopped.status_code == 429
    assert int(stopped.headers["retry-after"]) > 0
    assert "Trop d’essais" in stopped.text


def test_signing_in_again_and_again_is_no_guessing(app, stranger):
    app.state.throttles["account"].limit = 2
    for _ in range(4):
        assert fill_in(stranger).status_code == 303
        stranger.cookies.delete("temoin")


def test_a_sign_in_form_from_elsewhere_is_refused(stranger):
    answer = stranger.post("/sign-in", data={"email": "camille@ville.example", "password": PASSWORD})
    assert answer.status_code == 403
    stranger.get("/sign-in")
    assert fill_in(stranger, csrf="0" * 64).status_code == 403


def test_a_link_signs_in_once_and_a_reload_does_no_harm(stranger, link):
    assert stranger.get(f"/sign-in/{link}").headers["location"] == "/"
    assert stranger.get("/method").status_code == 200
    assert stranger.get(f"/sign-in/{link}").headers["location"] == "/"
    stranger.cookies.clear()
    assert stranger.get(f"/sign-in/{link}").status_code == 410


def test_signing_in_makes_a_new_session_and_closes_the_one_before(stranger, link):
    fill_in(stranger)
    old = stranger.cookies["temoin"]
    stranger.get(f"/sign-in/{link}")
    assert stranger.cookies["temoin"] != old
    stranger.cookies.clear()
    stranger.cookies.set("temoin", old)
    assert stranger.get("/method").status_code == 303


def test_signing_out_ends_the_session_in_the_registry_too(reader):
    token = reader.cookies["temoin"]
    assert reader.post("/sign-out", data={"csrf": reader.csrf}).headers["location"] == "/sign-in"
    reader.cookies.set("temoin", token)
    assert reader.get("/method").status_code == 303


def test_signing_out_is_asked_for_by_our_own_page_only(reader, browser_of):
    assert reader.post("/sign-out").status_code == 403
    assert reader.post("/sign-out", data={"csrf": browser_of("analyst").csrf}).status_code == 403
    assert reader.get("/method").status_code == 200


def test_whoever_is_signed_in_does_not_see_the_form(reader):
    assert reader.get("/sign-in?next=/rooms").headers["location"] == "/rooms"


@pytest.mark.parametrize(
    "path",
    [
        "//evil.example",
        "https://evil.example",
        "/\\evil.example",
        "\\\\evil",
        "",
        "javascript:x",
        "/\t/evil.example",
    ],
)
def test_nobody_is_sent_elsewhere_after_signing_in(path):
    assert safe_path(path) == "/"


def test_a_path_of_this_site_is_kept():
    assert safe_path("/experiments/a?b=c&d") == "/experiments/a?b=c&d"


def test_the_throttle_lets_go_after_its_window():
    throttle = Throttle(limit=2, window=60)
    assert [throttle.attempt("a", now) for now in (0.0, 1.0)] == [0, 0]
    assert throttle.attempt("a", 2.0) > 0
    assert throttle.attempt("b", 2.0) == 0
    assert throttle.attempt("a", 60.5) == 0


def test_the_throttle_remembers_a_bounded_number_of_keys():
    throttle = Throttle(limit=1, window=60, remembered=2)
    for key in "abc":
        throttle.attempt(key, 0.0)
    assert throttle.attempt("a", 1.0) == 0
    assert throttle.attempt("c", 1.0) > 0


# ------------------------------------------------------------------------------------------------- a thousand


def test_many_tries_on_one_account_are_eight_and_the_page_says_how_long_to_wait(stranger, checked):
    answers = [fill_in(stranger, password=f"guess {n}") for n in range(OF_ACCOUNT)]
    stopped = [again(stranger, answers[-1], password=f"guess {n}") for n in range(100)]
    assert {answer.status_code for answer in answers} == {401}
    assert {answer.status_code for answer in stopped} == {429}
    assert len(checked) == OF_ACCOUNT
    assert "attendez 15 minutes" in stopped[0].text


def test_a_thousand_tries_from_one_address_are_sixty_whatever_the_accounts(stranger, app, checked):
    page = stranger.get("/sign-in")
    statuses = [again(stranger, page, email=f"{n}@y.example").status_code for n in range(1000)]
    assert statuses == [401] * OF_ADDRESS + [429] * (1000 - OF_ADDRESS)
    assert len(checked) == OF_ADDRESS
    elsewhere = TestClient(app, follow_redirects=False, client=("192.0.2.7", 5000))
    assert fill_in(elsewhere).status_code == 303  # nobody else has to wait


def test_a_line_of_ipv6_is_one_address_and_an_office_may_sign_in(app, checked):
    for host in range(OF_ADDRESS):
        guessing = TestClient(app, follow_redirects=False, client=(f"2001:db8::{host:x}", 5000))
        again(guessing, guessing.get("/sign-in"), email=f"{host}@y.example")
    assert fill_in(TestClient(app, follow_redirects=False, client=("2001:db8::ffff", 1))).status_code == 429
    office = TestClient(app, follow_redirects=False)
    for _ in range(OF_ADDRESS + 5):
        assert again(office, office.get("/sign-in")).status_code == 303
        office.cookies.clear()
    assert len(checked) == 2 * OF_ADDRESS + 5


def shut_out(app, account="camille@ville.example"):
    """What somebody elsewhere who guesses, from as many addresses as they like, does to everybody."""
    for key in (account, "x@y.example"):
        for _ in range(OF_ACCOUNT):
            app.state.throttles["account"].attempt(key)
    for _ in range(OF_ALL):
        app.state.throttles["all"].attempt("*")


@pytest.mark.usefixtures("checked")
def test_nobody_shuts_out_who_signed_in_with_this_browser_before(stranger, app):
    fill_in(stranger)
    stranger.cookies.delete("temoin")
    shut_out(app)
    assert fill_in(TestClient(app, follow_redirects=False)).status_code == 429
    assert fill_in(stranger).status_code == 303
    stranger.cookies.delete("temoin")
    assert fill_in(stranger, "x@y.example").status_code == 429  # as anybody, with another account


@pytest.mark.usefixtures("checked")
def test_nor_does_such_a_browser_guess_more_often(stranger, app):
    fill_in(stranger)
    stranger.cookies.delete("temoin")
    statuses = [fill_in(stranger, password=f"guess {n}").status_code for n in range(OF_ACCOUNT + 3)]
    assert statuses == [401] * OF_ACCOUNT + [429] * 3
    assert app.state.throttles["account"].attempt("camille@ville.example") == 0  # nobody else waits for it


@pytest.mark.usefixtures("checked")
@pytest.mark.parametrize("forged", ["", "made-up", "WyJ4IiwieSJd.abc.def"])
def test_a_browser_that_says_so_itself_is_not_known(stranger, app, forged):
    shut_out(app)
    stranger.cookies.set("temoin-browser", forged)
    assert fill_in(stranger).status_code == 429


@pytest.mark.parametrize("email", ["camille@ville.example", "x@y.example"])
def test_whoever_has_to_wait_is_told_alike_with_and_without_an_account(stranger, app, email):
    app.state.throttles["account"].limit = 1
    fill_in(stranger, email, "guess")
    stopped = fill_in(stranger, email)
    assert (stopped.status_code, stopped.text.count(email)) == (429, 1)


def test_passwords_are_checked_two_at_a_time_and_pages_are_served_meanwhile(app, monkeypatch):
    at_once, most, gate = [], [], threading.Event()

    def slow(*_):
        at_once.append(1)
        most.append(len(at_once))
        gate.wait(3)
        at_once.pop()

    monkeypatch.setattr(users, "checked", slow)
    app.state.throttles["address"].limit = 1000
    with TestClient(app, follow_redirects=False) as browser, ThreadPoolExecutor(60) as people:
        page = browser.get("/sign-in")
        asked = [
            people.submit(again, browser, page, email=f"{n}@y.example") for n in range(HASHING + WAITING + 10)
        ]
        refused = [each.result() for each in islice(as_completed(asked, 10), 10)]
        assert {(answer.status_code, answer.headers["retry-after"]) for answer in refused} == {(503, "10")}
        assert browser.get("/sign-in").status_code == 200  # forty threads are not taken
        gate.set()
        statuses = Counter(each.result().status_code for each in asked)
    assert max(most) == HASHING
    assert statuses == {401: HASHING + WAITING, 503: 10}


# --------------------------------------------------------------------------------------------------- sessions


def test_over_https_cookies_are_of_this_very_host(app, settings):
    app.state.settings = Settings(data_dir=settings.data_dir, public_url="https://t.example")
    browser = TestClient(app, base_url="https://t.example", follow_redirects=False)
    cookies = fill_in(browser).headers.get_list("set-cookie")
    assert any(
        re.match(r"__Host-temoin=.*; HttpOnly; .*Path=/; SameSite=lax; Secure$", each) for each in cookies
    )
    assert not any("domain" in each.lower() for each in cookies)
    assert browser.get("/method").status_code == 200
    planted = TestClient(app, base_url="https://t.example", follow_redirects=False)
    planted.cookies.set("temoin", browser.cookies["__Host-temoin"])  # by a neighbour under the same domain
    assert planted.get("/method").status_code == 303


def test_a_session_ends_when_nobody_uses_it_and_after_its_hours_in_any_case(registry, app, stranger):
    now = datetime.now(UTC)
    fill_in(stranger)
    with registry.session() as session:
        row = session.get(Session, hashlib.sha256(stranger.cookies["temoin"].encode()).hexdigest())
        assert timedelta(hours=11.9) < row.expires - now < timedelta(hours=12.1)
        row.last_seen = now - timedelta(minutes=119)
    assert stranger.get("/method").status_code == 200  # and was seen now
    with registry.session() as session:
        row = session.get(Session, row.token_sha256)
        assert row.last_seen >= now
        row.last_seen = now - timedelta(minutes=121)
    assert stranger.get("/method").status_code == 303
    app.state.settings = app.state.settings.model_copy(update={"session_idle_minutes": 200})
    assert stranger.get("/method").status_code == 200


# ---------------------------------------------------------------------------------------- a session that ends


OURS = {"origin": "http://testserver"}
TYPED = {
    "csrf": "spent",
    "note": "La prise <b>\r\n« Merci » 🙂",
    "rooms": ["loire", "erdre"],
    "password": "x",
}


@pytest.fixture
def forms(app):
    """A form of a signed-in person that says what it got."""

    @app.post("/echo", dependencies=[Depends(signed_in), Depends(csrf_checked)])
    async def echo(request: Request):
        return JSONResponse([list(item) for item in (await request.form()).multi_items()])


def hidden(page):
    """Every hidden field of the page's last form, as a browser would send it."""
    form = page.text.rpartition("<form")[2]
    found = re.findall(r'type="hidden" name="([^"]*)" value="([^"]*)"', form)
    fields = {}
    for name, value in found:
        fields.setdefault(html.unescape(name), []).append(html.unescape(value))
    return fields


@pytest.mark.usefixtures("forms")
def test_what_was_typed_while_the_session_ended_comes_back_after_signing_in(stranger):
    expired = stranger.post("/echo", data=TYPED, headers=OURS)
    assert expired.status_code == 401
    assert "gardé dans cette page" in expired.text
    wrong = stranger.post(
        "/sign-in", data=hidden(expired) | {"email": "camille@ville.example", "password": "no"}
    )
    assert wrong.status_code == 401
    back = stranger.post(
        "/sign-in", data=hidden(wrong) | {"email": "camille@ville.example", "password": PASSWORD}
    )
    assert back.status_code == 200
    assert "La prise &lt;b&gt;" in back.text
    sent = stranger.post("/echo", data=hidden(back))
    fields = sent.json()
    assert [item for item in fields if item[0] != "csrf"] == [
        ["note", TYPED["note"]], ["rooms", "loire"], ["rooms", "erdre"],
    ]  # fmt: skip


@pytest.mark.usefixtures("forms")
def test_signing_in_in_another_tab_will_do(stranger):
    expired = stranger.post("/echo", data=TYPED, headers=OURS)
    assert "gardé" in stranger.post("/sign-in/resume", data=hidden(expired)).text  # not yet
    fill_in(stranger)
    back = stranger.post("/sign-in/resume", data=hidden(expired))
    assert stranger.post("/echo", data=hidden(back)).status_code == 200
    assert stranger.post("/echo", data=TYPED, headers=OURS).status_code == 403  # an old tab
    old_tab = stranger.post("/echo", data=TYPED, headers=OURS)
    assert stranger.post("/echo", data=hidden(old_tab)).status_code == 200


@pytest.mark.usefixtures("forms")
@pytest.mark.parametrize(
    "headers",
    [{}, {"origin": "https://evil.example"}, {"sec-fetch-site": "cross-site", **OURS}, {"origin": "null"}],
)
def test_what_another_site_sent_is_not_kept(stranger, headers):
    assert stranger.post("/echo", data=TYPED, headers=headers).headers["location"] == "/sign-in"
    fill_in(stranger)
    answer = stranger.post("/echo", data=TYPED, headers=headers)
    assert (answer.status_code, "La prise" in answer.text) == (403, False)


@pytest.mark.usefixtures("forms")
@pytest.mark.parametrize("path", ["/sign-in", "/sign-in/code", "/sign-in/resume"])
@pytest.mark.parametrize("headers", [{}, {"origin": "https://evil.example"}, {"sec-fetch-site": "same-site"}])
def test_what_another_site_says_was_typed_is_not_shown_as_if_it_had_been(stranger, path, headers):
    forged = {"kept-to": "/people", "kept.email": "mallory@evil.example", "kept.role": "administrator"}
    answer = stranger.post(path, data=forged, headers=headers)
    assert (answer.status_code, "mallory" in answer.text) == (403, False)
    fill_in(stranger)
    assert "mallory" not in stranger.post(path, data=forged, headers=headers).text
    assert "mallory" in stranger.post(path, data=forged, headers=OURS).text  # ours, left open


@pytest.mark.usefixtures("forms")
def test_what_is_kept_goes_to_our_own_pages_only_and_is_bounded(stranger):
    long = {"note": "x" * 200_001}
    assert stranger.post("/echo", data=long, headers=OURS).headers["location"] == "/sign-in"
    page = stranger.get("/sign-in")
    evil = hidden(page) | {"kept-to": "https://evil.example", "kept.a": "b", "email": "camille@ville.example"}
    assert stranger.post("/sign-in", data=evil | {"password": PASSWORD}).headers["location"] == "/"


# ------------------------------------------------------------------------------------ what the log says of it


def told(logs, *events):
    """What the log says of signing in, without its level."""
    return [
        {name: value for name, value in each.items() if name != "log_level"}
        for each in logs
        if each["event"] in events
    ]


def test_who_signed_in_and_who_was_refused_is_in_the_log_by_number(app, stranger, camille, link):
    with capture_logs() as logs:
        fill_in(stranger, password="wrong")
        fill_in(stranger, "my-password-typed-as-address")
        fill_in(stranger)
        csrf = re.search(r'name="csrf" value="([0-9a-f]+)"', stranger.get("/method").text)[1]
        stranger.post("/sign-out", data={"csrf": csrf})
        stranger.get(f"/sign-in/{link}")
        stranger.get("/sign-in/made-up")
        TestClient(app).get("/sign-in/made-up")
        app.state.throttles["account"].limit = 1
        app.state.throttles["account"].attempt(camille.email)
        fill_in(TestClient(app))
    assert told(logs, "signed_in", "sign_in_refused", "signed_out") == [
        {"event": "sign_in_refused", "why": "wrong", "user": camille.id},
        {"event": "sign_in_refused", "why": "wrong", "user": None},
        {"event": "signed_in", "how": "password", "user": camille.id},
        {"event": "signed_out", "user": camille.id},
        {"event": "signed_in", "how": "link", "user": camille.id},
        {"event": "sign_in_refused", "why": "link_used", "user": None},
        {"event": "sign_in_refused", "why": "too_many", "user": None},
    ]
    assert not any(
        secret in str(logs) for secret in (PASSWORD, 'wrong"', "my-password", link, "@", "Camille")
    )


def test_who_was_refused_something_is_in_the_log_by_number_and_who_was_not_is_not(reader, registry):
    with registry.session() as session:
        number = users.find(session, "reader@ville.example").id
    with capture_logs() as logs:
        assert reader.get("/people").status_code == 403
        assert reader.post("/account/sessions", data={"csrf": "forged"}).status_code == 403
        assert reader.get("/rooms").status_code == 200
    assert [(each["status"], each.get("user")) for each in told(logs, "request")] == [
        (403, number), (403, number), (200, None),
    ]  # fmt: skip
