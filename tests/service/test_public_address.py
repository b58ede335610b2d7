"""TEMOIN_PUBLIC_URL and TEMOIN_TRUSTED_PROXIES: every address that is given out is the one people use."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import pytest
from fastapi.routing import iter_route_contexts
from fastapi.testclient import TestClient

from service.app import create_app
from service.registry import users
from service.registry.tables import Room, Site
from service.settings import Settings

ELSEWHERE = "elsewhere.example"
PROXY = "10.0.0.7"


@pytest.fixture
def visit(registry, settings):
    """A signed-in browser of an app with these settings, which comes from PROXY."""
    with registry.session() as session:
        site = Site(slug="mairie", name="Mairie")
        session.add(Room(slug="loire", name="Loire", site=site))
        user = users.add(session, "a@ville.example", "A", "administrator", None, datetime.now(UTC))
        token = users.open_session(session, user, datetime.now(UTC), timedelta(hours=1))

    def browser(**about):
        app = create_app(Settings(data_dir=settings.data_dir, **about), registry)
        client = TestClient(app, follow_redirects=False, client=(PROXY, 5000))
        client.cookies.set("__Host-temoin" if app.state.settings.secure else "temoin", token)
        return client

    return browser


def forms(page):
    """Addresses of forms that a page gives out."""
    return re.findall(r'(https?://[^"<\s]+/r/[^"<\s]+)', page.text)


def test_forms_are_at_the_public_address_whatever_the_request_was_for(visit):
    client = visit(public_url="https://temoin.ville.example/", trusted_proxies="10.0.0.0/8")
    headers = {"Host": ELSEWHERE, "X-Forwarded-Host": ELSEWHERE, "X-Forwarded-Proto": "http"}
    for path in ("/rooms/loire", "/rooms/loire/poster"):
        given = forms(client.get(path, headers=headers))
        assert given
        assert all(url.startswith("https://temoin.ville.example/r/loire") for url in given)


def test_no_answer_repeats_the_address_a_request_claims(visit):
    client = visit(public_url="https://temoin.ville.example")
    headers = {"Host": ELSEWHERE, "X-Forwarded-Host": ELSEWHERE, "Forwarded": f"host={ELSEWHERE}"}
    paths = {
        route.path.replace("{slug}", "loire")
        for route in iter_route_contexts(client.app.routes)
        if "GET" in route.methods
    }
    assert len(paths) > 20
    for path in sorted(paths):
        answer = client.get(path, headers=headers)
        assert ELSEWHERE not in answer.text + str(answer.headers), path


@pytest.mark.parametrize(("public", "secure"), [("https://t.example", True), ("http://t.example", False)])
def test_every_cookie_is_kept_to_https_where_people_come_by_it(visit, public, secure):
    client = visit(public_url=public)
    client.cookies.clear()
    given = [
        cookie
        for path in ("/sign-in", "/sign-in?lang=en", "/accessibilite?lang=fr")
        for cookie in client.get(path).headers.get_list("set-cookie")
    ]
    assert len(given) >= 3
    assert all(("Secure" in cookie) is secure for cookie in given)


@pytest.mark.parametrize(
    ("trusted", "scheme"), [("10.0.0.0/8", "https"), ("", "http"), ("10.1.0.0/16", "http")]
)
def test_without_a_public_address_only_a_trusted_proxy_says_how_people_came(visit, trusted, scheme):
    client = visit(trusted_proxies=trusted)
    headers = {"Host": "temoin.ville.example", "X-Forwarded-Proto": "https"}
    given = forms(client.get("/rooms/loire/poster", headers=headers))
    assert {url.partition("/r/")[0] for url in given} == {f"{scheme}://temoin.ville.example"}


@pytest.mark.parametrize("trusted", ["10.0.0.0/8", ""])
def test_nobody_becomes_this_machine_by_a_header(visit, trusted):
    client = visit(trusted_proxies=trusted)
    for claimed in ("127.0.0.1", "::1", "127.0.0.1, 203.0.113.9"):
        assert client.get("/metrics", headers={"X-Forwarded-For": claimed}).status_code == 403
