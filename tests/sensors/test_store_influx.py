"""What becomes of readings whatever InfluxDB answers: on a real server, and on one that says anything."""

from __future__ import annotations

import gzip
import threading
import time
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

import httpx2
import pytest

from sensors.reading import Reading, ReadingsRefused, StoreError
from sensors.store_influx import InfluxStore

if TYPE_CHECKING:
    from collections.abc import Iterator

    from conftest import Influx, Influxd

MONDAY = datetime(2026, 3, 2, tzinfo=UTC)


def reading(number: int, value: float = 1.0, at: datetime = MONDAY, metric: str = "co2") -> Reading:
    return Reading(f"nord/{number:04d}", metric, value, "ppm", at, "device", "nord")


def written(store, days: int = 1) -> int:
    return len(store.read(MONDAY - timedelta(days=days), MONDAY + timedelta(days=days)))


def taken_by_integers(influx: Influx, store: InfluxStore, metric: str) -> None:
    """Somebody else has written whole numbers under this name: ours are refused from then on."""
    line = f"readings,device=other {metric}=3i {int(MONDAY.timestamp() * 1000)}"
    store.latest()  # makes the bucket
    where = {"org": influx.org, "bucket": store.bucket, "precision": "ms"}
    headers = {"Authorization": f"Token {influx.token}"}
    httpx2.post(f"{influx.url}/api/v2/write", params=where, headers=headers, content=line).raise_for_status()


@pytest.mark.parametrize("bad", ["conflict", "unparsable", "infinite"])
def test_one_bad_reading_in_5000_costs_itself_only(influx: Influx, bad: str):
    store = influx.store()
    poison = {
        "conflict": reading(4321, metric="people"),
        "unparsable": reading(4321)._replace(device="nord/" + "x" * 70_000),
        "infinite": reading(4321, float("inf")),
    }[bad]
    if bad == "conflict":
        taken_by_integers(influx, store, "people")
    with pytest.raises(ReadingsRefused, match=f"{poison.metric} of nord/") as refusal:
        store.write([poison if number == 4321 else reading(number) for number in range(5000)])
    assert [each for each, _why in refusal.value.refused] == [poison]
    assert len(store.read(MONDAY, MONDAY + timedelta(days=1), metrics=["co2"])) == 4999


def test_a_bad_field_does_not_cost_its_neighbours_on_the_line(influx: Influx):
    store = influx.store()
    taken_by_integers(influx, store, "temperature")
    poison = reading(1, metric="temperature")
    with pytest.raises(ReadingsRefused) as refusal:
        store.write([reading(1), poison, reading(1, 40.0, metric="humidity")])
    assert [each for each, _why in refusal.value.refused] == [poison]
    assert len(store.read(MONDAY, MONDAY + timedelta(days=1), metrics=["co2", "humidity"])) == 2


@pytest.mark.machine_clock
def test_what_is_older_than_the_bucket_keeps_is_refused_by_name_and_the_rest_is_kept(influx: Influx):
    store = influx.store(retention_days=30)
    now = datetime.now(UTC).replace(microsecond=0)
    old = reading(2, at=now - timedelta(days=400))
    with pytest.raises(ReadingsRefused, match="retention") as refusal:
        store.write([reading(1, at=now), old, reading(3, at=now)])
    assert [each for each, _why in refusal.value.refused] == [old]
    assert len(store.read(now - timedelta(days=1), now + timedelta(days=1))) == 2


@pytest.mark.machine_clock
def test_a_year_of_history_that_is_too_old_is_refused_within_seconds(influx: Influx):
    store = influx.store(retention_days=30)
    now = datetime.now(UTC).replace(microsecond=0)
    hours = [
        reading(1, at=now - timedelta(hours=n), metric=m) for n in range(24 * 365) for m in ("co2", "sound")
    ]
    began = time.monotonic()
    with pytest.raises(ReadingsRefused) as refusal:
        store.write(hours)
    assert time.monotonic() - began < 10  # one by one it would be half a minute and more
    frame = store.read(now - timedelta(days=400), now + timedelta(days=1))
    kept = set(zip(frame["metric"], frame["time"], strict=True))
    refused = {(each.metric, each.time) for each, _why in refusal.value.refused}
    assert kept | refused == {(each.metric, each.time) for each in hours}
    # of the day that is just going, InfluxDB may keep what it has refused too
    assert all(time < now - timedelta(days=29) for _metric, time in kept & refused)


def test_integers_and_floats_are_one_series(influx: Influx):
    store = influx.store()
    store.write([reading(1, 21)])
    store.write([reading(1, 21.5, MONDAY + timedelta(minutes=5))])
    assert written(store) == 2


def test_a_wrong_token_is_named_and_loses_nothing(influx: Influx):
    store = influx.store(token="wrong")
    with pytest.raises(StoreError, match=r"refuses the token .*TEMOIN_INFLUX_TOKEN") as error:
        store.write([reading(1)])
    assert not isinstance(error.value, ReadingsRefused)
    with pytest.raises(StoreError, match="TEMOIN_INFLUX_TOKEN"):
        store.read(MONDAY, MONDAY + timedelta(days=1))


def test_a_token_of_one_bucket_is_enough_and_may_not_make_another(influx: Influx):
    influx.store("ours").write([reading(1)])
    headers = {"Authorization": f"Token {influx.token}"}
    with httpx2.Client(base_url=f"{influx.url}/api/v2", headers=headers) as client:
        bucket = client.get("/buckets", params={"name": "ours"}).json()["buckets"][0]
        resource = {"type": "buckets", "id": bucket["id"], "orgID": bucket["orgID"]}
        rights = [{"action": action, "resource": resource} for action in ("read", "write")]
        made = client.post("/authorizations", json={"orgID": bucket["orgID"], "permissions": rights}).json()
    store = influx.store("ours", token=made["token"])
    store.write([reading(2)])
    assert written(store) == 2
    assert len(store.latest()) == 2
    with pytest.raises(StoreError, match="influx bucket create --name another"):
        influx.store("another", token=made["token"]).write([reading(1)])


def test_a_server_that_was_away_is_taken_up_again(influxd: Influxd):
    influxd.start()
    store = influxd.set_up().store()
    store.write([reading(1)])
    influxd.end()
    with pytest.raises(StoreError, match="does not answer"):
        store.write([reading(2)])
    with pytest.raises(StoreError, match="does not answer"):
        store.latest()
    influxd.start()
    store.write([reading(2)])
    assert written(store) == 2


# --------------------------------------------------------------------------- a server that says anything


class Scripted(ThreadingHTTPServer):
    """Answers writes by its script, then 204; keeps how many lines each had."""

    def __init__(self, *script: tuple[int, dict[str, str]], most: int = 10**9) -> None:
        super().__init__(("127.0.0.1", 0), Answering)
        self.script, self.most, self.lines = list(script), most, []

    @property
    def store(self) -> InfluxStore:
        """A store that believes this is InfluxDB."""
        return InfluxStore(f"http://127.0.0.1:{self.server_port}", "token", "temoin", "temoin")


class Answering(BaseHTTPRequestHandler):
    """One request to it."""

    server: Scripted

    def do_POST(self) -> None:
        """Count the lines, answer by the script."""
        body = self.rfile.read(int(self.headers["Content-Length"]))
        lines = gzip.decompress(body).count(b"\n") + 1
        status, headers = (413, {}) if lines > self.server.most else (204, {})
        if self.server.script:
            status, headers = self.server.script.pop(0)
        if status == 204:
            self.server.lines.append(lines)
        self.send_response(status)
        for name, value in {**headers, "Content-Length": "0"}.items():
            self.send_header(name, value)
        self.end_headers()

    def log_message(self, *_args: object) -> None:
        """Say nothing."""


class Missing(Answering):
    """Knows organisation and bucket, but not the way to write or read."""

    def do_POST(self) -> None:
        """The bucket is there already; everything else is not."""
        self._answer(422 if self.path.startswith("/api/v2/buckets") else 404, b"{}")

    def do_GET(self) -> None:
        """The organisation."""
        self._answer(200, b'{"orgs": [{"id": "0000000000000001", "name": "temoin"}]}')

    def _answer(self, status: int, body: bytes) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


@pytest.fixture
def scripted() -> Iterator[type]:
    servers = []

    def start(*script, most: int = 10**9) -> Scripted:
        servers.append(Scripted(*script, most=most))
        threading.Thread(target=servers[-1].serve_forever, daemon=True).start()
        return servers[-1]

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


def test_what_is_too_large_is_sent_in_halves(scripted):
    server = scripted(most=1500)
    server.store.write([reading(number) for number in range(5000)])
    assert sum(server.lines) == 5000
    assert max(server.lines) <= 1500


def test_a_server_that_is_overrun_says_when_to_come_back(scripted):
    server = scripted((429, {"Retry-After": "17"}))
    with pytest.raises(StoreError, match="answers 429") as error:
        server.store.write([reading(1)])
    assert error.value.retry_after == 17.0


@pytest.mark.parametrize("status", [400, 403, 422])
def test_a_proxy_that_knows_nothing_of_readings_costs_none(scripted, status):
    server = scripted((status, {}))
    store = server.store
    with pytest.raises(StoreError) as error:
        store.write([reading(1), reading(2)])
    assert not isinstance(error.value, ReadingsRefused)
    store.write([reading(1), reading(2)])
    assert server.lines == [2]


@pytest.mark.parametrize("status", [500, 502, 503])
def test_a_server_in_trouble_is_tried_again_by_whoever_writes(scripted, status):
    server = scripted((status, {}))
    store = server.store
    with pytest.raises(StoreError, match=f"answers {status}") as error:
        store.write([reading(1)])
    assert error.value.retry_after is None
    store.write([reading(1)])
    assert server.lines == [1]


def test_a_server_that_finds_nothing_although_the_bucket_is_there_is_waited_for(scripted):
    server = scripted()
    server.RequestHandlerClass = Missing
    for act in (lambda: server.store.write([reading(1)]), server.store.latest, server.store.check):
        with pytest.raises(StoreError, match="answers 404"):
            act()


def test_batches_are_of_5000_lines_at_most(scripted):
    server = scripted()
    server.store.write([reading(number, at=MONDAY + timedelta(minutes=number)) for number in range(12_000)])
    assert server.lines == [5000, 5000, 2000]
