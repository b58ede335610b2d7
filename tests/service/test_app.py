"""Deny by default, headers, limits, errors, and what watches the service."""

import asyncio
import json
import re
import threading
from contextlib import contextmanager
from dataclasses import asdict, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from fastapi import HTTPException, Request
from fastapi.routing import iter_route_contexts
from fastapi.testclient import TestClient
from sqlalchemy.exc import OperationalError

from sensors.reading import Message, StoreError
from sensors.receive import ReceiverStatus
from service import river
from service.app import create_app
from service.auth import ROLES, Person, change_checked, csrf_checked, form_checked, gateway_of, needs
from service.ingest import MoverStatus, troubles
from service.registry.tables import Device
from service.settings import Settings

PUBLIC = {
    "/r/{slug}",
    "/r/{slug}/thanks",
    "/s/{token}",
    "/accessibilite",
    "/static/{name}",
    "/sign-in",
    "/sign-in/resume",
    "/sign-in/oidc",
    "/sign-in/oidc/back",
    "/sign-in/oidc/out",
    "/sign-in/code",
    "/.well-known/security.txt",
    "/sign-in/{token}",
    "/forgotten-password",
    "/new-password/{token}",
    "/healthz",
    "/readyz",
    "/metrics",
}


def every_route(app):
    return [(method, route.path) for route in iter_route_contexts(app.routes) for method in route.methods]


def test_the_walk_sees_pages_and_api(app):
    paths = {path for _, path in every_route(app)}
    assert paths >= PUBLIC | {"/", "/experiments/{slug}", "/api/v1/rooms", "/api/docs", "/sign-out"}


def test_whatever_is_not_public_asks_who_is_there(app, stranger):
    for method, path in every_route(app):
        if path in PUBLIC:
            continue
        address = re.sub(r"\{\w+\}", "1", path)
        answer = stranger.request(method, address)
        if path.startswith("/api/v1/"):
            assert answer.status_code == 401, (method, path)
            assert answer.json()["error"]["code"] == "sign_in_needed"
        else:
            assert (answer.status_code, answer.headers.get("location", "").partition("?")[0]) == (
                303,
                "/sign-in",
            ), (
                method,
                path,
            )


def has_a_loop():
    """Whether an event loop runs in this thread."""
    try:
        return bool(asyncio.get_running_loop())
    except RuntimeError:
        return False


def test_no_route_waits_for_the_registry_where_every_other_waits_for_it(
    app, registry, browser_of, monkeypatch
):
    """On the thread of the event loop, who holds SQLite holds the whole server."""
    address, on_the_loop, opened, here = "", [], registry.session, threading.get_ident()

    @contextmanager
    def session():
        if threading.get_ident() != here and has_a_loop():
            on_the_loop.append(address)
            raise OperationalError("", {}, Exception("on the loop"))
        with opened() as session:
            yield session

    let_in = {each: lambda: None for each in (change_checked, csrf_checked, form_checked)}
    app.dependency_overrides |= let_in | {gateway_of: lambda: "hall"}
    monkeypatch.setattr(registry, "session", session)
    files = {"file": ("a.csv", b"a;b\n1;2\n")}
    for method, path in every_route(app):
        address, browser = f"{method} {path}", browser_of("administrator")  # some of them sign one out
        answer = browser.request(method, re.sub(r"\{\w+(:path)?\}", "1", path), files=files)
        assert path in PUBLIC or answer.status_code not in (401, 403), address
    assert on_the_loop == []


def test_an_invented_or_ended_session_opens_nothing(stranger):
    stranger.cookies.set("temoin", "x" * 43)
    assert stranger.get("/rooms").status_code == 303
    assert stranger.get("/api/v1/rooms").status_code == 401


def test_roles_hold_what_lower_roles_may():
    for i, role in enumerate(ROLES):
        person = Person("a@b.example", "A", role, "")
        assert [person.may(other) for other in ROLES] == [j <= i for j in range(len(ROLES))]


def test_a_role_too_low_is_refused():
    needed = needs("analyst")
    with pytest.raises(HTTPException) as refused:
        needed(Person("a@b.example", "A", "facilities", ""))
    assert refused.value.status_code == 403
    assert needed(Person("a@b.example", "A", "administrator", "")).role == "administrator"


@pytest.mark.parametrize("path", ["/sign-in", "/nowhere", "/healthz", "/api/v1/rooms", "/rooms"])
def test_every_answer_carries_the_security_headers(stranger, path):
    headers = stranger.get(path).headers
    assert "default-src 'self'" in headers["content-security-policy"]
    assert "unsafe" not in headers["content-security-policy"]
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "same-origin"
    assert headers["cache-control"] == "no-store"


def test_static_files_are_kept_for_ever(stranger):
    sheet = re.search(r'href="(/static/look[^"]+)"', stranger.get("/sign-in").text)[1]
    answer = stranger.get(sheet)
    assert answer.status_code == 200
    assert "immutable" in answer.headers["cache-control"]


def test_pages_are_compressed(stranger):
    assert stranger.get("/sign-in").headers["content-encoding"] == "gzip"


def test_https_is_insisted_on_where_it_is_used(registry, tmp_path):
    app = create_app(Settings(data_dir=tmp_path / "data", public_url="https://t.example"), registry)
    assert "max-age" in TestClient(app).get("/healthz").headers["strict-transport-security"]


# --------------------------------------------------------------------------------------------------- errors


def test_an_unknown_page_is_a_page_and_an_unknown_address_of_the_api_an_envelope(reader):
    page = reader.get("/nowhere")
    assert (page.status_code, "Cette page n’existe pas" in page.text) == (404, True)
    assert "<nav" in page.text
    answer = reader.get("/api/v1/nowhere")
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "not_found")


def test_a_parameter_that_cannot_be_read_is_named(reader):
    answer = reader.get("/api/v1/experiments/x/panel.csv?until=tomorrow")
    assert answer.status_code == 422
    assert answer.json()["error"]["code"] == "invalid"
    assert "until" in answer.json()["error"]["message"]


def test_errors_speak_the_language_of_the_reader(stranger):
    page = stranger.get("/nowhere", headers={"Accept-Language": "en-GB,en;q=0.9,fr;q=0.5"})
    assert '<html lang="en">' in page.text


def raising(app, error):
    """A page of this app that fails like this."""

    def page() -> None:
        raise error

    app.add_api_route("/broken", page)
    app.add_api_route("/api/v1/broken", page)
    return TestClient(app, raise_server_exceptions=False)


@pytest.mark.parametrize(
    "error",
    [StoreError("gone"), OperationalError("select", {}, Exception("gone"))],
    ids=["store", "registry"],
)
def test_a_store_or_registry_that_is_away_is_said_so(app, error):
    browser = raising(app, error)
    assert browser.get("/api/v1/broken").json()["error"]["code"] == "unavailable"
    page = browser.get("/broken")
    assert page.status_code == 503
    assert "Quelque chose n’a pas marché" in page.text


def test_a_fault_of_ours_tells_no_details_and_keeps_the_headers(app):
    browser = raising(app, RuntimeError("secret detail"))
    for path in ("/broken", "/api/v1/broken"):
        answer = browser.get(path)
        assert answer.status_code == 500
        assert "secret detail" not in answer.text
        assert "content-security-policy" in answer.headers


@pytest.mark.parametrize("said", [True, False], ids=["with its size", "in pieces"])
def test_a_request_too_large_is_refused_whether_it_says_so_or_not(reader, said):
    body = b"csrf=" + b"x" * 3_000_000
    content = body if said else iter([body[i : i + 65536] for i in range(0, len(body), 65536)])
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    answer = reader.post("/sign-out", content=content, headers=headers)
    assert answer.status_code == 413
    assert reader.get("/method").status_code == 200


# ------------------------------------------------------------------------------------------------- watching


WELL = {"status": "ready", "registry": "ok", "disk": "ok", "ingest": "none here"}


def test_the_service_is_ready_once_the_registry_is(stranger):
    assert stranger.get("/healthz").json() == {"status": "alive"}
    assert stranger.get("/readyz").json() == WELL


@pytest.fixture
def ingest_says(settings):
    """Have receiver and mover of this folder say how they do, so many seconds ago."""

    def say(ago=0, mover=None, landing="mqtt", **receiver):
        at = (datetime.now(UTC) - timedelta(seconds=ago)).isoformat()
        folder = settings.data_dir / "landing"
        folder.mkdir(parents=True, exist_ok=True)
        status = ReceiverStatus(at=at, connected=True, landed=7, last_message=at)
        moving = MoverStatus(at, moved=5, readings=9, refused=1, backlog=2, trouble=None, since=None)
        (folder / f"{landing}.receiver.json").write_text(json.dumps(asdict(replace(status, **receiver))))
        (folder / f"{landing}.mover.json").write_text(json.dumps(asdict(replace(moving, **(mover or {})))))

    return say


@pytest.mark.parametrize(
    ("says", "code", "ingest"),
    [
        ({}, 200, "flowing"),
        ({"full": True, "trouble": "the disk is full"}, 503, "full"),
        ({"ago": 60}, 503, "stopped"),
        ({"connected": False}, 503, "troubled"),
        (
            {"mover": {"trouble": "the store does not answer", "since": "2026-03-02T09:00:00"}},
            503,
            "troubled",
        ),
    ],
)
def test_readiness_is_honest_about_ingest_and_says_no_reason(stranger, ingest_says, says, code, ingest):
    ingest_says(**says)
    answer = stranger.get("/readyz")
    assert (answer.status_code, answer.json()["ingest"]) == (code, ingest)
    assert (answer.json()["status"] == "ready") == (code == 200)
    assert "store" not in answer.text


def test_a_disk_without_its_spare_part_is_not_ready(registry, tmp_path):
    app = create_app(Settings(data_dir=tmp_path / "data", disk_spare_mb=10**9), registry)
    answer = TestClient(app).get("/readyz")
    assert (answer.status_code, answer.json()["disk"]) == (503, "low")


@pytest.mark.parametrize(
    ("receiver", "mover", "said"),
    [
        ({"full": True}, {}, "Le disque est plein"),
        ({"at": "2026-03-02T08:00:00+00:00"}, {}, "La réception est arrêtée"),
        ({}, {"trouble": "no", "since": "2026-03-02T08:00:00+00:00"}, "La base de mesures ne répond pas"),
        ({"connected": False}, {}, "Le courtier MQTT ne répond pas"),
        ({}, {}, None),
    ],
)
def test_today_says_what_keeps_readings_from_flowing(reader, settings, receiver, mover, said):
    at = datetime.now(UTC).isoformat()
    folder = settings.data_dir / "landing"
    folder.mkdir(parents=True, exist_ok=True)
    well = {"moved": 1, "readings": 1, "refused": 0, "backlog": 7, "trouble": None, "since": None}
    (folder / "mqtt.receiver.json").write_text(json.dumps({"at": at, "connected": True, **receiver}))
    (folder / "mqtt.mover.json").write_text(json.dumps({"at": at, **well, **mover}))
    page = reader.get("/").text
    assert (said in page) if said else ("temoin doctor" not in page)


def test_an_older_schema_is_not_ready(stranger, registry):
    with registry.engine.begin() as connection:
        connection.exec_driver_sql("DELETE FROM alembic_version")
    answer = stranger.get("/readyz")
    assert (answer.status_code, answer.json()["status"]) == (503, "not ready")


def from_address(app, address):
    return TestClient(app, client=(address, 5000))


def test_metrics_are_for_this_machine(app):
    here = from_address(app, "127.0.0.1")
    here.get("/healthz")
    text = here.get("/metrics").text
    assert 'temoin_http_requests_total{method="GET",route="/healthz",status="200"} 1.0' in text
    assert "temoin_stale_days 0.0" in text
    assert from_address(app, "10.0.0.7").get("/metrics").status_code == 403


def levels(app):
    """Every sample of /metrics, by name and labels."""
    lines = from_address(app, "127.0.0.1").get("/metrics").text.splitlines()
    return {
        name: float(value) for name, _, value in (line.rpartition(" ") for line in lines if line[0] != "#")
    }


def test_metrics_tell_how_far_messages_have_come(app, registry, settings, ingest_says):
    ingest_says()
    at = datetime.now(UTC) - timedelta(seconds=90)
    landing = river.open_landing(settings, "mqtt")
    landing.append([Message(f"temoin/hall/{n}", b"no JSON", at, qos=n % 2) for n in range(4)])
    before = levels(app)
    assert before['temoin_landed_messages_total{landing="mqtt"}'] == 4
    assert before['temoin_queue_messages{landing="mqtt"}'] == 4
    assert 90 <= before['temoin_lag_seconds{landing="mqtt"}'] < 150
    assert before["temoin_disk_free_bytes"] > 0
    river.mover(settings, registry, app.state.store, landing).step()
    landing.close()
    after = levels(app)
    assert after['temoin_moved_messages_total{landing="mqtt"}'] == 4
    assert after['temoin_queue_messages{landing="mqtt"}'] == after['temoin_lag_seconds{landing="mqtt"}'] == 0
    assert after['temoin_received_messages_total{gateway="hall"}'] == 4
    assert after['temoin_unpromised_messages_total{gateway="hall"}'] == 2
    assert after['temoin_refused_messages_total{gateway="hall"}'] == 4
    assert 90 <= after['temoin_last_message_age_seconds{gateway="hall"}'] < 150
    assert after['temoin_quarantined_messages_total{code="broken_json"}'] == 4
    assert after['temoin_stored_readings_total{landing="mqtt"}'] == 9
    assert after['temoin_broker_connected{landing="mqtt"}'] == 1
    assert after['temoin_silence_seconds{landing="mqtt",part="receiver"}'] < 60


def test_two_ingest_of_one_folder_are_told_apart_and_neither_hides_the_others_refusals(
    app, registry, settings, ingest_says, stranger
):
    ingest_says()
    ingest_says(landing="mqtt-2", connected=False)
    for name in ("mqtt", "mqtt-2"):  # their first messages have the same number, each in its landing
        landing = river.open_landing(settings, name)
        landing.append([Message("temoin/hall/1", f"no JSON from {name}".encode(), datetime.now(UTC))])
        river.mover(settings, registry, app.state.store, landing).step()
        landing.close()
    told = levels(app)
    assert told['temoin_quarantined_messages_total{code="broken_json"}'] == 2
    assert {told[f'temoin_moved_messages_total{{landing="{name}"}}'] for name in ("mqtt", "mqtt-2")} == {1}
    assert told['temoin_broker_connected{landing="mqtt-2"}'] == 0
    assert stranger.get("/readyz").json()["ingest"] == "troubled"
    assert "mqtt-2: The receiver waits" in troubles(settings, datetime.now(UTC))[0]


def test_every_metric_names_its_unit(app, ingest_says):
    ingest_says()
    units = ("_seconds", "_bytes", "_messages", "_readings", "_requests", "_devices", "_days", "_waiting",
             "_connected", "_sessions_lost")  # fmt: skip
    lines = from_address(app, "127.0.0.1").get("/metrics").text.splitlines()
    names = {line.split()[2] for line in lines if line.startswith("# TYPE")}
    plain = {name.removesuffix("_total").removesuffix("_created") for name in names}
    assert [name for name in sorted(plain) if not name.endswith(units)] == []


def test_every_metric_is_explained_and_nothing_else(app, registry, ingest_says):
    """In docs/operate.md, by name; Prometheus' own ends (_total, _bucket, _created) left out."""
    ingest_says()
    app.state.intake.landing()
    with registry.session() as session:
        session.add(Device(key="hall/a", gateway="hall", last_seen=datetime.now(UTC)))
    lines = from_address(app, "127.0.0.1").get("/metrics").text.splitlines()
    told = {line.split()[2].removesuffix("_total") for line in lines if line.startswith("# TYPE")}
    document = (Path(__file__).parents[2] / "docs" / "operate.md").read_text(encoding="utf-8")
    section = document.partition("## What is measured")[2].partition("\n## ")[0]
    explained = {name.removesuffix("_total") for name in re.findall(r"`(temoin_\w+)", section)}
    assert explained == {name for name in told if not name.endswith("_created")}


def test_looking_at_metrics_makes_no_landing(app, settings):
    levels(app)
    assert not (settings.data_dir / "landing").exists()


def test_metrics_behind_a_proxy_on_this_machine_are_not_for_everybody(app):
    here = from_address(app, "127.0.0.1")
    assert here.get("/metrics", headers={"X-Forwarded-For": "10.0.0.7"}).status_code == 403


def test_metrics_open_with_their_token(registry, tmp_path):
    settings = Settings(data_dir=tmp_path / "data", metrics_token="let me see")
    elsewhere = from_address(create_app(settings, registry), "10.0.0.7")
    assert elsewhere.get("/metrics", headers={"Authorization": "Bearer let me see"}).status_code == 200
    assert elsewhere.get("/metrics", headers={"Authorization": "Bearer guess"}).status_code == 403


def test_a_secret_in_an_address_reaches_neither_metrics_nor_log(app, capsys):
    here = from_address(app, "127.0.0.1")
    here.get("/sign-in/very-secret-token")
    assert "very-secret-token" not in here.get("/metrics").text
    printed = capsys.readouterr()
    assert "/sign-in/{token}" in printed.out + printed.err
    assert "very-secret-token" not in printed.out + printed.err


@pytest.mark.parametrize(("trusted", "believed"), [("10.0.0.0/8", True), ("192.168.0.0/16", False)])
def test_only_a_trusted_proxy_says_how_people_came(registry, tmp_path, trusted, believed):
    app = create_app(Settings(data_dir=tmp_path / "data", trusted_proxies=trusted), registry)

    def how(request: Request) -> dict[str, str]:
        return {"scheme": request.url.scheme, "from": request.client.host}

    app.add_api_route("/how", how)
    headers = {"X-Forwarded-Proto": "https", "X-Forwarded-For": "203.0.113.9"}
    seen = from_address(app, "10.0.0.7").get("/how", headers=headers).json()
    assert (seen == {"scheme": "https", "from": "203.0.113.9"}) is believed
    headers["X-Forwarded-For"] = "192.0.2.66, 203.0.113.9"  # what the caller said, then what the proxy saw
    seen = from_address(app, "10.0.0.7").get("/how", headers=headers).json()
    assert seen["from"] == ("203.0.113.9" if believed else "10.0.0.7")
