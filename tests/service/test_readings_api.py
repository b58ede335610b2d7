"""`POST /api/v1/readings`: who may, what is told, what is kept, and that it reaches the store."""

from __future__ import annotations

import gzip
import json
import os
import re
import shutil
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
import urllib.request
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import uvicorn
from anyio.from_thread import start_blocking_portal
from fastapi.testclient import TestClient

from sensors.landing import Landing
from service import river
from service.api.readings import REQUESTS
from service.app import create_app
from service.registry import gateways, quarantine
from service.settings import Settings

PATH = "/api/v1/readings"
PAYLOADS = Path(__file__).parents[1] / "payloads"
OPERATE = Path(__file__).parents[2] / "docs" / "operate.md"
AT = datetime.now(UTC).replace(microsecond=0) - timedelta(minutes=5)


def item(device="loire", at=AT, **readings):
    return {"device": device, "time": at.isoformat(), "readings": readings or {"co2": 612}}


@pytest.fixture
def token_of(registry):
    """A new token of a gateway, valid for `days`."""

    def make(name="hall", days=1):
        now = datetime.now(UTC)
        with registry.session() as session:
            found = {each.name: each for each in gateways.everything(session)}
            gateway = found.get(name) or gateways.add(session, name, "-", now)
            return gateways.new_token(gateway, now, timedelta(days=days), timedelta(days=1))

    return make


@pytest.fixture
def post(app, token_of):
    """Send as the gateway hall: the answer."""
    token, client = token_of(), TestClient(app)

    def send(body, content_type="application/json", authorization=f"Bearer {token}", **headers):
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        headers = {"Content-Type": content_type, "Authorization": authorization, **headers}
        return client.post(PATH, content=raw, headers={key: value for key, value in headers.items() if value})

    return send


def landed(settings):
    """Topic and payload of what the landing holds."""
    path = settings.data_dir / "landing" / "http.db"
    if not path.exists():
        return []
    landing = Landing(path)
    found = [(message.topic, message.payload) for _, message in landing.after(0, 10_000)]
    landing.close()
    return found


@pytest.fixture
def moved(app, settings, registry):
    """Move what was posted, as `serve` does; what the store then holds, by device and metric."""

    def move():
        mover = river.mover(settings, registry, app.state.store, app.state.intake.landing())
        while mover.step():
            pass
        frame = app.state.store.read(AT - timedelta(days=1), AT + timedelta(days=1))
        return sorted(zip(frame["device"], frame["metric"], frame["value"], strict=True))

    return move


def refused(answer, status, code):
    assert (answer.status_code, answer.json()["error"]["code"]) == (status, code), answer.text
    assert answer.json().keys() == {"error"}
    return answer.json()["error"]["message"]


# ---------------------------------------------------------------------------------------- what is kept


def test_a_reading_is_kept_before_the_answer_and_reaches_the_store(post, settings, moved):
    raw = json.dumps(item(co2=612, temperature=21.5), indent=1).encode()
    answer = post(raw)
    assert (answer.status_code, answer.json()) == (202, {"items": 1, "readings": 2, "refused": []})
    assert landed(settings) == [("temoin/hall/loire", raw)]
    assert moved() == [("hall/loire", "co2", 612.0), ("hall/loire", "temperature", 21.5)]


def test_a_batch_is_kept_item_by_item_byte_for_byte(post, settings, moved):
    one, two = (
        '{ "device":"loire","time":%d,"readings":{"co2":6.0e2} }',
        '{"device":"seine","readings":{"co2":1e3},"time":%d}',
    )
    texts = [text % AT.timestamp() for text in (one, two)]
    answer = post(f" [{texts[0]} ,\n{texts[1]}]\n".encode())
    assert answer.json() == {"items": 2, "readings": 2, "refused": []}
    assert [payload.decode() for _, payload in landed(settings)] == texts
    assert moved() == [("hall/loire", "co2", 600.0), ("hall/seine", "co2", 1000.0)]


def test_sent_again_nothing_changes(post, moved):
    for _ in range(3):
        assert post([item(), item("seine")]).status_code == 202
    assert moved() == [("hall/loire", "co2", 612.0), ("hall/seine", "co2", 612.0)]


def test_what_was_refused_is_told_item_by_item_and_waits_in_quarantine(post, registry, moved):
    bad = item("seine", co2=-4, temperature=20)
    answer = post([item(), bad, {"device": "loue", "readings": {"colour": 3}}, {"readings": {"co2": 5}}])
    assert answer.status_code == 202
    told = answer.json()
    assert (told["items"], told["readings"]) == (4, 2)
    assert [(each["item"], each["device"], each["code"]) for each in told["refused"]] == [
        (1, "seine", "out_of_range"), (2, "loue", "unknown_metric"), (3, None, "empty_device"),
    ]  # fmt: skip
    assert moved() == [("hall/loire", "co2", 612.0), ("hall/seine", "temperature", 20.0)]
    with registry.session() as session:
        waiting = quarantine.recent(session)
        assert sorted(entry.code for entry in waiting) == ["empty_device", "out_of_range", "unknown_metric"]
        assert json.dumps(bad).encode() in {entry.payload for entry in waiting}


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b'{"device": "loire", "readings": {"co2": 612}', "broken_json"),
        (b"\xff\xfe", "binary"),
        (b"[" * 100_000, "too_deep"),
        (b"[]", "empty"),
        (b"", "empty"),
        (b'"co2"', ""),
        ([item(co2=float("inf"))], "not_finite"),
        ([item("\ud800")], "empty_device"),
        ([item("a" * 5000)], "empty_device"),
        ([item(device=12)], "empty_device"),
    ],
)
def test_nothing_that_can_be_read_is_said_and_waits_in_quarantine(post, registry, moved, body, says):
    assert says in refused(post(body), 422, "invalid")
    assert moved() == []
    with registry.session() as session:
        assert [entry.landing.partition("-")[0] for entry in quarantine.recent(session)] == ["http"]


@pytest.mark.parametrize(
    "bad",
    ['{"device": "loire", "co2 ": 612}', "12", '{"device": "loire", "readings": {"co2": %s}}' % ("9" * 5000)],
)
def test_a_bad_item_costs_itself_only_wherever_it_stands(post, moved, bad):
    good = [json.dumps(item(device)) for device in ("seine", "cher")]
    answer = post(f"[{bad},{','.join(good)}]".encode())
    assert answer.status_code == 202
    assert [each["item"] for each in answer.json()["refused"]] == [0]
    assert moved() == [("hall/cher", "co2", 612.0), ("hall/seine", "co2", 612.0)]


def test_a_body_in_another_known_format_names_its_device_itself(post, moved):
    body = [{"bn": "loire", "bt": AT.timestamp(), "n": "temperature", "u": "Cel", "v": 21.4}]
    assert post(body).json()["readings"] == 1
    assert moved() == [("hall/loire", "temperature", 21.4)]


# --------------------------------------------------------------------------------------- who may write


@pytest.mark.parametrize("device", ["annexe/loire", "hall/a/b", "/", "../loire"])
def test_a_gateway_writes_its_own_devices_only_and_nothing_of_such_a_request_is_kept(post, settings, device):
    assert "hall" in refused(post([item(), item(device)]), 403, "forbidden")
    assert landed(settings) == []


def test_a_devices_whole_key_is_understood(post, moved):
    assert post(item("hall/loire")).status_code == 202
    assert moved() == [("hall/loire", "co2", 612.0)]


@pytest.mark.parametrize("authorization", ["", "Bearer nonsense", "Basic aGFsbDpo", "Bearer"])
def test_without_a_token_nothing_is_kept(post, settings, authorization):
    answer = post(item(), authorization=authorization)
    refused(answer, 401, "sign_in_needed")
    assert answer.headers["www-authenticate"] == "Bearer"
    assert landed(settings) == []


def test_an_expired_token_opens_nothing_and_a_rotated_one_a_while(post, token_of):
    first = token_of("annexe", days=1)
    second = token_of("annexe", days=1)
    expired = token_of("cave", days=-1)
    for token, status in ((first, 202), (second, 202), (expired, 401)):
        assert post(item(), authorization=f"Bearer {token}").status_code == status


def test_a_signed_in_browser_is_no_gateway(reader):
    assert reader.post(PATH, json=item()).status_code == 401


# ---------------------------------------------------------------------------------------------- limits


def test_too_many_bytes_or_items_are_refused_whole(post, settings):
    refused(post(b" " * (settings.max_body_bytes + 1)), 413, "too_large")
    refused(post([item()] * 10_001), 413, "too_large")
    assert landed(settings) == []
    assert post([item()] * 10_000).json()["items"] == 10_000


@pytest.mark.parametrize(
    "headers", [{"content_type": "text/html"}, {"content_type": ""}, {"Content-Encoding": "br"}]
)
def test_what_nobody_reads_is_refused(post, headers):
    refused(post(item(), **headers), 415, "unsupported_media_type")


# --------------------------------------------------------------------------------- what others send as it is


def payload(name):
    """A real gateway's payload, as text or bytes, measured five minutes ago."""
    sample = json.loads((PAYLOADS / f"{name}.json").read_text(encoding="utf-8"))
    body = sample.get("text") or json.dumps(sample.get("payload"))
    return re.sub(r"2026-03-02T09:15:00", f"{AT:%Y-%m-%dT%H:%M:%S}", body).encode()


def lines():
    return f"room,device=cher temperature=20.9 {int(AT.timestamp())}\n".encode()


def senml():
    pack = [{"bn": "cher:", "bt": AT.timestamp(), "n": "temperature", "u": "Cel", "v": 20.9}]
    return json.dumps(pack).encode()


def senml_cbor():
    """The same, RFC 8949 by hand: a list of one map, its keys as RFC 8428 numbers them."""
    texts = [bytes([0x60 + len(text)]) + text for text in (b"cher:", b"temperature", b"Cel")]
    doubles = [b"\xfb" + struct.pack(">d", value) for value in (AT.timestamp(), 20.9)]
    return (
        b"\x81\xa5\x21"
        + texts[0]
        + b"\x22"
        + doubles[0]
        + b"\x00"
        + texts[1]
        + b"\x01"
        + texts[2]
        + b"\x02"
        + doubles[1]
    )


@pytest.mark.parametrize(
    ("body", "kind", "device"),
    [
        (lines(), "text/plain; charset=utf-8", "hall/cher"),
        (senml(), "application/senml+json", "hall/cher"),
        (senml_cbor(), "application/senml+cbor", "hall/cher"),
        (payload("things_stack_up"), "application/json", "hall/"),
        (payload("chirpstack_up"), "application/json", "hall/"),
    ],
    ids=["lines", "SenML", "SenML CBOR", "The Things Stack", "ChirpStack"],
)  # fmt: skip
def test_every_format_comes_in_under_the_gateways_own_name(post, moved, body, kind, device):
    answer = post(body, content_type=kind)
    assert answer.status_code == 202, answer.text
    assert answer.json()["readings"] > 0
    found = moved()
    assert len(found) == answer.json()["readings"]
    assert all(key.startswith(device) for key, _, _ in found)


def test_chirpstacks_event_decides_what_a_body_is(app, token_of, moved):
    """It says so beside the body; a body without the radio's part looked like no event at all."""
    client, headers = TestClient(app), {"Authorization": f"Bearer {token_of()}"}
    up = json.loads(payload("chirpstack_up"))
    bare = {key: value for key, value in up.items() if key != "rxInfo"}
    assert client.post(f"{PATH}?event=join", json=up, headers=headers).json()["readings"] == 0
    assert moved() == []
    told = client.post(f"{PATH}?event=up", json=bare, headers=headers).json()
    assert told["readings"] > 0
    assert len(moved()) == told["readings"]
    for wrong in ("../up", "up/x", "+", "#", "u" * 21, ""):
        assert client.post(PATH, params={"event": wrong}, json=up, headers=headers).status_code == 422


def test_gzip_is_unpacked_up_to_a_limit(post, moved, settings):
    assert post(gzip.compress(json.dumps(item()).encode()), **{"Content-Encoding": "gzip"}).status_code == 202
    assert moved() == [("hall/loire", "co2", 612.0)]
    whole = gzip.compress(json.dumps([item(co2=500 + n) for n in range(50)]).encode())
    bomb = gzip.compress(b" " * 30_000_000)
    for body, status in ((bomb, 413), (b"no gzip", 400), (whole[:-20], 400), (b"", 400)):
        assert post(body, **{"Content-Encoding": "gzip"}).status_code == status
    assert len(landed(settings)) == 1


def test_a_gateway_that_asks_too_often_waits_and_the_others_do_not(app, post, token_of):
    for _ in range(REQUESTS):
        app.state.throttles["readings"].attempt("hall")
    answer = post(item())
    refused(answer, 429, "too_many")
    assert 0 < int(answer.headers["retry-after"]) <= 60
    assert post(item(), authorization=f"Bearer {token_of('annexe')}").status_code == 202


def test_a_connection_that_breaks_off_is_no_failure_of_ours(app, settings, token_of):
    headers = {"authorization": f"Bearer {token_of()}", "content-type": "application/json"}
    scope = {
        "type": "http", "method": "POST", "path": PATH, "query_string": b"", "http_version": "1.1",
        "headers": [(key.encode(), value.encode()) for key, value in headers.items()],
    }  # fmt: skip
    half = [{"type": "http.request", "body": b"[", "more_body": True}, {"type": "http.disconnect"}]
    sent = []

    async def receive():
        return half.pop(0)

    async def send(message):
        sent.append(message)

    with start_blocking_portal() as portal:  # a loop in a thread of its own: a browser's may run in this one
        portal.call(app, scope, receive, send)
    assert sent[0]["status"] == 400
    assert landed(settings) == []


def test_a_landing_that_takes_nothing_says_so_and_keeps_nothing(registry, tmp_path, token_of):
    settings = Settings(data_dir=tmp_path / "data", disk_spare_mb=10**9)
    client = TestClient(create_app(settings, registry))
    headers = {"Authorization": f"Bearer {token_of()}"}
    answer = client.post(PATH, json=item(), headers=headers)
    refused(answer, 503, "unavailable")
    assert answer.headers["retry-after"] == "30"


# --------------------------------------------------------------------------------------------- serving


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl: apt-get install curl")
def test_the_documented_request_works_as_it_is_written(app, token_of):
    example = re.search(r"^curl .*?(?=^```)", OPERATE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)[
        0
    ]
    listening = socket.create_server(("127.0.0.1", 0))
    here = f"http://127.0.0.1:{listening.getsockname()[1]}"
    server = uvicorn.Server(uvicorn.Config(app, log_config=None))
    serving = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
    serving.start()
    try:
        done = subprocess.run(
            ["sh", "-c", example.replace("https://temoin.ville.example", here)],
            env={**os.environ, "TOKEN": token_of()}, capture_output=True, text=True, timeout=30, check=False,
        )  # fmt: skip
    finally:
        server.should_exit = True
        serving.join(10)
        listening.close()
    assert json.loads(done.stdout) == {"items": 1, "readings": 1, "refused": []}


def test_serve_moves_what_is_posted_by_itself(app, token_of):
    headers = {"Authorization": f"Bearer {token_of()}"}
    with TestClient(app) as client:
        assert client.post(PATH, json=item(), headers=headers).status_code == 202
        until, found = time.monotonic() + 10, []
        while len(found) < 1 and time.monotonic() < until:
            time.sleep(0.05)
            found = app.state.store.read(AT, AT + timedelta(seconds=1), ["hall/loire"])
    assert list(found["value"]) == [612.0]


def test_two_processes_on_one_folder_both_take_and_one_moves(app, settings, registry, token_of):
    headers = {"Authorization": f"Bearer {token_of()}"}
    other = create_app(settings, registry, app.state.store)
    with TestClient(app) as one, TestClient(other) as two:
        assert one.post(PATH, json=item("a"), headers=headers).status_code == 202
        assert two.post(PATH, json=item("b"), headers=headers).status_code == 202
        until, found = time.monotonic() + 10, []
        while len(found) < 2 and time.monotonic() < until:
            time.sleep(0.05)
            found = app.state.store.read(AT, AT + timedelta(seconds=1))
        movers = [each.state.intake.progress for each in (app, other)]
    assert sorted(found["device"]) == ["hall/a", "hall/b"]
    assert sum(progress is not None for progress in movers) == 1


def test_the_api_describes_the_request(reader):
    operation = reader.get("/api/v1/openapi.json").json()["paths"][PATH]["post"]
    assert "application/json" in operation["requestBody"]["content"]
    assert operation["security"] == [{"gateway": []}]
    assert operation["responses"].keys() >= {"202", "401", "403", "413", "415", "422", "429", "503"}
    assert PATH in reader.get("/api/docs").text


@pytest.mark.slow
@pytest.mark.machine_clock
@pytest.mark.usefixtures("registry")
def test_serve_killed_after_its_answers_has_lost_nothing(settings, token_of, tmp_path):
    """Whatever was answered 202 is in the store once `serve` has been started again, and once."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    environment = {**os.environ, "TEMOIN_DATA_DIR": str(settings.data_dir), "TEMOIN_PORT": str(port)}
    token, sent, log = token_of(), 0, (tmp_path / "log").open("wb")
    start = datetime.now(UTC).replace(microsecond=0) - timedelta(minutes=5)

    def serve():
        command = [Path(sys.executable).with_name("temoin"), "serve"]
        process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=log)
        process.stdout.readline()
        return process

    def send(number):
        body = json.dumps([item(f"d{number % 7}", start + timedelta(milliseconds=number))]).encode()
        headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
        request = urllib.request.Request(f"http://127.0.0.1:{port}{PATH}", body, headers)
        with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310 - likewise
            assert answer.status == 202

    for _ in range(2):
        process = serve()
        for _ in range(40):
            send(sent)
            sent += 1
        process.kill()
        process.communicate()
    process = serve()
    try:
        with closing(river.open_store(settings)) as store:
            until, found = time.monotonic() + 20, []
            while len(found) < sent and time.monotonic() < until:
                time.sleep(0.1)
                found = store.read(start, start + timedelta(seconds=10))
    finally:
        process.terminate()
        process.communicate(timeout=20)
        log.close()
    assert len(found) == sent == 80
    assert process.returncode in (0, -signal.SIGTERM)
