"""Every route, walked for what surrounds it: headers, cookies, size, redirects, forged forms, faults."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from urllib.parse import urljoin, urlsplit

import pytest
from anyio.from_thread import start_blocking_portal
from fastapi.routing import iter_route_contexts
from fastapi.testclient import TestClient
from hypothesis import given
from hypothesis import strategies as st

from dashboards import render
from service.app import UPLOADS, create_app
from service.auth import safe_path
from service.registry import audit, experiments, shares, users
from service.registry.tables import Arm, Device, Experiment, Room, Site
from service.settings import Settings

HERE = "https://temoin.example"
TOLD = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Strict-Transport-Security": "max-age=31536000",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
}
POLICY = {
    "default-src": "'self'", "script-src": "'self'", "style-src": "'self'", "img-src": "'self'",
    "object-src": "'none'", "base-uri": "'none'", "form-action": "'self'", "frame-ancestors": "'none'",
}  # fmt: skip
INLINE = re.compile(
    r"<style|<script(?![^>]*\ssrc=\"/static/)|<[^>]+\s(?:style|on\w+)=|javascript:", re.IGNORECASE
)
NO_FORM = {"POST /r/{slug}", "POST /api/v1/readings"}  # by a room's key, by a gateway's token
ELSEWHERE = [
    "https://evil.example/", "//evil.example", "/\\evil.example", "\\\\evil.example", "/\t/evil.example",
    "javascript:alert(1)", "evil.example", " //evil.example",
    "/%0d%0aLocation:%20//evil.example", "///evil.example",
]  # fmt: skip


@pytest.fixture
def token(registry):
    """A house with a room, a sensor and an experiment, and the token of a share of that."""
    now = datetime.now(UTC)
    with registry.session() as session:
        room = Room(slug="loire", name="Loire", site=Site(slug="mairie", name="Mairie"), capacity=8)
        session.add(Device(key="hall/a", gateway="hall", first_seen=now, last_seen=now))
        tables = Experiment(slug="tables", title="Tables", declared_at=now, sheet={}, arms=[Arm(room=room)])
        session.add(tables)
        session.flush()
        frozen = {"title": "Tables", "fr": "<h1>Tables</h1>", "en": "<h1>Tables</h1>"}
        return shares.make(session, tables, frozen, "Marie", now, 7)


@pytest.fixture
def served(tmp_path, registry):
    """The app as it is served: over https."""
    app = create_app(Settings(data_dir=tmp_path / "data", public_url=HERE), registry)
    yield app
    app.state.store.close()


def browser(app, registry=None) -> TestClient:
    """Nobody's or, with the registry, an administrator's; `.csrf` is what its forms carry."""
    client = TestClient(app, base_url=HERE, follow_redirects=False, raise_server_exceptions=False)
    client.csrf = ""
    if registry is not None:
        now = datetime.now(UTC)
        with registry.session() as session:
            user = users.add(session, "a@ville.example", "A", "administrator", None, now)
            client.cookies.set("__Host-temoin", users.open_session(session, user, now, timedelta(hours=1)))
        client.csrf = re.search(r'name="csrf" value="([0-9a-f]+)"', client.get("/method").text)[1]
    return client


def walk(app, token, verbs=("GET", "POST")):
    """Each route with an address of it that there is; what reads before what writes, signing out last."""
    found = {(method, each.path) for each in iter_route_contexts(app.routes) for method in each.methods}
    for method, path in sorted(found, key=lambda route: (route[0], "sign-out" in route[1], route[1])):
        if method in verbs:
            slug = "mairie" if path.startswith("/site") else "tables" if "experiments" in path else "loire"
            name = render.assets()["look.css"].url.rpartition("/")[2]
            known = {"{slug}": slug, "{token}": token, "{name}": name, "{name}.{kind}": "rooms.csv"}
            filled = "/".join(known.get(part, "1" if "{" in part else part) for part in path.split("/"))
            yield f"{method} {path}", method, filled + ("?key=hall/a" if path == "/device" else "")


def check(route, answer) -> None:
    """What every answer carries, whatever it is."""
    for name, value in TOLD.items():
        assert answer.headers.get(name) == value, (route, name)
    lines = (each.split(maxsplit=1) for each in answer.headers["Content-Security-Policy"].split(";"))
    assert {name: value.strip() for name, value in lines} == POLICY, route
    assert answer.headers["Referrer-Policy"] in ("same-origin", "no-referrer"), route
    if not (route == "GET /static/{name}" and answer.status_code == 200):
        assert answer.headers["Cache-Control"] == "no-store", route
    for cookie in answer.headers.get_list("set-cookie"):
        assert re.search(r"; HttpOnly; .*Path=/; SameSite=lax; Secure$", cookie), (route, cookie)
    if answer.headers.get("content-type", "").startswith("text/html"):
        assert answer.headers["content-type"] == "text/html; charset=utf-8", route
        assert INLINE.search(answer.text) is None, route


def test_every_answer_carries_every_header(served, registry, token):
    """To anybody, whether it is granted, refused or wrong; a script may not read it from another site."""
    statuses = set()
    for client in (browser(served), browser(served, registry)):
        for route, method, path in walk(served, token):
            data = {"csrf": client.csrf, "name": "<b>"} if method == "POST" and client.cookies else None
            answer = client.request(method, path, data=data, headers={"Origin": "https://evil.example"})
            check(route, answer)
            assert "access-control-allow-origin" not in answer.headers, route
            statuses.add(answer.status_code)
            if method == "GET":
                check(route, client.get(path + ("&" if "?" in path else "?") + "lang=en"))
    assert {200, 303, 401, 422} <= statuses


def test_other_methods_are_refused_with_the_headers(served, token):
    client = browser(served)
    others = ("PUT", "DELETE", "PATCH", "OPTIONS", "TRACE")
    known = {(path, method) for _, method, path in walk(served, token, others)}
    for route, _, path in walk(served, token):
        for method in others:
            if (path, method) in known:
                continue
            answer = client.request(method, path)
            assert answer.status_code == 405, route
            check(route, answer)


def test_reading_changes_nothing(served, registry, token):
    client = browser(served, registry)
    with registry.session() as session:
        before = audit.head(session).id
    for _, _, path in walk(served, token, ("GET",)):
        client.get(path)
    with registry.session() as session:
        assert audit.head(session).id == before


def test_every_form_needs_its_token(served, registry, token):
    """Not the one of another session either."""
    client = browser(served, registry)
    for route, _, path in walk(served, token, ("POST",)):
        for csrf in ("", "0" * 64):
            answer = client.post(path, data={"csrf": csrf})
            assert answer.status_code == 403 or route in NO_FORM, (route, answer.status_code)
    assert client.get("/account").status_code == 200
    with registry.session() as session:
        assert experiments.find(session, "tables") is not None


LARGER = {"POST /device/photo": 8, "POST /import": 21}  # a photo may be 15 MB, a file of history 40


UNREAD = {"POST /api/v1/readings": 401, "POST /api/v1/imports": 403}  # refused before anything is read


def test_what_is_too_large_is_refused_with_a_sentence(served, registry, token):
    client = browser(served, registry)
    large = b"csrf=" + b"x" * served.state.settings.max_body_bytes
    for kind in ("application/x-www-form-urlencoded", "multipart/form-data; boundary=x"):
        for route, _, path in walk(served, token, ("POST",)):
            sent = large * LARGER.get(route, 1)
            answer = client.post(path, content=sent, headers={"Content-Type": kind})
            if route in UNREAD:
                assert answer.status_code == UNREAD[route]
                continue
            if route.endswith(("/replay", "/api/v1/imports/{number}/undo")):  # reads no body
                continue
            assert answer.status_code == 413, route
            assert ("C’est trop volumineux" in answer.text) != path.startswith("/api/")
            check(route, answer)


@pytest.mark.parametrize(("role", "status"), [("", 303), ("reader", 403), ("facilities", 422)])
def test_of_a_large_file_no_more_is_taken_than_of_any_form_before_its_sender_is_known(
    app, browser_of, role, status
):
    """Forty strangers at once would fill the disk of temporary files, and nobody's file would be taken."""
    cookies = [] if not role else [(b"cookie", f"temoin={browser_of(role).cookies['temoin']}".encode())]
    part = b'--x\r\nContent-Disposition: form-data; name="file"; filename="a.csv"\r\n\r\n'
    part += b"x" * 999_000
    for path in UPLOADS:
        if path.startswith("/api/"):
            continue  # reads nothing of whom it does not know
        sent, answered = [], []

        async def receive(sent=sent):
            sent.append(part if not sent else b"x" * 1_000_000)
            return {"type": "http.request", "body": sent[-1], "more_body": len(sent) < 10}

        async def send(message, answered=answered):
            answered.append(message.get("status"))

        headers = [(b"content-type", b"multipart/form-data; boundary=x"), *cookies]
        scope = {"type": "http", "method": "POST", "path": path, "query_string": b"", "headers": headers}
        with start_blocking_portal() as portal:  # a loop of its own: a browser's may run in this thread
            portal.call(app, scope | {"http_version": "1.1", "scheme": "http"}, receive, send)
        if status == 422:  # a form without its token, or nothing of a file in it: it was read
            assert len(sent) == 10
        else:
            assert (answered[0], len(sent)) == (status, 3), path


def test_nobody_is_led_elsewhere(served, registry, token):
    for client in (browser(served), browser(served, registry)):
        for route, _, path in walk(served, token, ("GET",)):
            for evil in ELSEWHERE if "sign-in" in path else ELSEWHERE[:2]:
                asked = dict.fromkeys(("next", "to", "back", "url", "done"), evil)
                location = client.get(path, params=asked).headers.get("location", "/")
                assert urlsplit(urljoin(HERE, location)).netloc == "temoin.example", (route, evil)
                assert "\\" not in location


@given(st.text(alphabet=st.sampled_from("/\\.:@?#%\t\n\r\0 aé0\u2028\u200b"), max_size=12))
def test_whatever_next_says_it_stays_here(path):
    """As browsers read it: a backslash is a slash to them, and tabs and line ends are nothing."""
    read = re.sub(r"[\t\r\n]", "", safe_path(path)).replace("\\", "/").strip()
    assert read.startswith("/")
    assert not read.startswith("//")


def test_a_fault_of_ours_tells_nothing_wherever_it_happens(served, token):
    class Broken:
        def session(self):
            raise RuntimeError("secret detail in /srv/temoin/registry.py")

    client, failed = browser(served), 0
    client.cookies.set("__Host-temoin", "x" * 43)
    served.state.registry = Broken()
    for route, method, path in walk(served, token):
        answer = client.request(method, path)
        assert not re.search(r"secret|Traceback|RuntimeError|\.py", answer.text), route
        check(route, answer)
        failed += answer.status_code == 500
    assert failed > 30
