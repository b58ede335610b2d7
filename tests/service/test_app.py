"""Deny by default, headers, limits, errors, and what watches the service."""

import json
import re
from dataclasses import asdict, replace
from datetime import UTC, datetime

import pytest
from fastapi import HTTPException, Request
from fastapi.routing import iter_route_contexts
from fastapi.testclient import TestClient
from sqlalchemy.exc import OperationalError

from sensors.reading import StoreError
from sensors.receive import ReceiverStatus
from service.app import create_app
from service.auth import ROLES, Person, needs
from service.settings import Settings

PUBLIC = {
    "/r/{slug}",
    "/r/{slug}/thanks",
    "/accessibilite",
    "/static/{name}",
    "/sign-in",
    "/sign-in/{token}",
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
            assert (answer.status_code, answer.headers["location"].partition("?")[0]) == (303, "/sign-in"), (
                method,
                path,
            )


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


def test_the_service_is_ready_once_the_registry_is(stranger):
    assert stranger.get("/healthz").json() == {"status": "alive"}
    assert stranger.get("/readyz").json() == {"status": "ready", "registry": "ok", "ingest": "none here"}


def test_a_landing_that_takes_nothing_is_not_ready(stranger, settings):
    status = ReceiverStatus(at=datetime.now(UTC).isoformat(), full=True, trouble="the disk is full")
    file = settings.data_dir / "landing" / "mqtt.receiver.json"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(asdict(status)))
    answer = stranger.get("/readyz")
    assert (answer.status_code, answer.json()["ingest"]) == (503, "full")
    file.write_text(json.dumps(asdict(replace(status, full=False))))
    assert stranger.get("/readyz").status_code == 200


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
