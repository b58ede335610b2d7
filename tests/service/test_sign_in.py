"""Signing in and out, and what is asked of every form."""

import re
from datetime import UTC, datetime, timedelta

import pytest

from service.auth import Throttle, safe_path
from service.registry import users
from service.settings import Settings

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
    assert throttle.blocked_for("a", 1.0) == 0
    assert throttle.blocked_for("c", 1.0) > 0
