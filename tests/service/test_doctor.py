"""What the doctor says of each part, on real programs, and that every complaint says how to mend it."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import sys
import time
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.handlers import Sink
from pydantic import SecretStr
from sqlalchemy import delete
from typer.testing import CliRunner

sys.path.insert(0, str(Path(__file__).parent))  # test folders are not packages; `openid` is a sibling

import openid

from sensors.reading import Message
from sensors.receive import ReceiverStatus
from service import cli
from service import doctor as doctor_module
from service.broker import write_access
from service.doctor import examine
from service.ingest import MoverStatus
from service.jobs import Jobs
from service.registry import gateways
from service.registry.tables import Lease, StaleDay
from service.river import open_landing, open_store

if TYPE_CHECKING:
    from conftest import Influx

MOSQUITTO = shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin")
NOW = datetime.now(UTC)


def said(settings, part: str) -> list[tuple[str, str]]:
    return [(each.verdict, each.sentence) for each in examine(settings, NOW) if each.part == part]


@pytest.fixture
def broker(tmp_path):
    """Mosquitto with one user who may read temoin/# and nothing else; its port."""
    if MOSQUITTO is None:
        pytest.skip("Mosquitto is not here: apt-get install mosquitto")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    folder = tmp_path / "broker"
    folder.mkdir()
    subprocess.run(["mosquitto_passwd", "-b", "-c", str(folder / "passwd"), "temoin", "right"], check=True)
    (folder / "acl").write_text("user temoin\ntopic read temoin/#\n")
    (folder / "conf").write_text(
        f"listener {port} 127.0.0.1\nuser root\nallow_anonymous false\n"
        f"password_file {folder}/passwd\nacl_file {folder}/acl\n"
    )
    process = subprocess.Popen([MOSQUITTO, "-c", str(folder / "conf")], stderr=subprocess.DEVNULL)
    for _ in range(100):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                break
        time.sleep(0.05)
    yield port
    process.terminate()
    process.wait(10)


def at_broker(settings, port: int, word: str = "right"):
    given = {"mqtt_url": f"mqtt://127.0.0.1:{port}", "mqtt_user": "temoin", "mqtt_topics": ("temoin/#",)}
    return settings.model_copy(update={**given, "mqtt_password": SecretStr(word)})


pytestmark = pytest.mark.usefixtures("registry")


def test_a_broker_that_lets_us_in_is_well(settings, broker):
    assert said(at_broker(settings, broker), "broker") == [
        ("ok", f"mqtt://127.0.0.1:{broker} lets temoin follow temoin/#.")
    ]


def test_a_shared_group_is_asked_for_without_joining_it(settings, broker):
    shared = at_broker(settings, broker).model_copy(
        update={"mqtt_topics": ("$share/93f1c2d4e5a6b7c8/temoin/#",)}
    )
    assert [verdict for verdict, _ in said(shared, "broker")] == ["ok"]


def test_a_shared_group_that_can_be_guessed_warns(settings, broker):
    shared = at_broker(settings, broker).model_copy(update={"mqtt_topics": ("$share/temoin/temoin/#",)})
    assert "openssl rand" in said(shared, "broker")[1][1]


@pytest.mark.skipif(MOSQUITTO is None, reason="Mosquitto is not here: apt-get install mosquitto")
def test_a_broker_that_lets_anybody_in_fails(settings, tmp_path):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    (tmp_path / "open.conf").write_text(f"listener {port} 127.0.0.1\nuser root\nallow_anonymous true\n")
    process = subprocess.Popen([MOSQUITTO, "-c", str(tmp_path / "open.conf")], stderr=subprocess.DEVNULL)
    try:
        for _ in range(100):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.05)
        verdicts = said(at_broker(settings, port), "broker")
    finally:
        process.terminate()
        process.wait(10)
    assert verdicts[-1][0] == "fail"
    assert "allow_anonymous false" in verdicts[-1][1]


def test_messages_that_wait_too_long_and_a_landing_that_is_nearly_full_are_said(settings):
    assert said(settings, "landing") == []
    landing = open_landing(settings, "http")
    landing.append([Message("temoin/hall/a", b"x", NOW - timedelta(minutes=30))])
    ((verdict, sentence),) = said(settings, "landing")
    assert (verdict, "for 30 min" in sentence) == ("warn", True)
    landing.moved_to(1)
    assert [verdict for verdict, _ in said(settings, "landing")] == ["ok"]
    landing.append([Message("temoin/hall/a", b"x" * 1_500_000, NOW)])
    landing.close()
    small = settings.model_copy(update={"landing_max_mb": 1})
    assert "LANDING_MAX_MB" in said(small, "landing")[0][1]


def test_what_gateways_need_is_said(settings, registry):
    with registry.session() as session:
        for name, days in (("annexe", 300), ("hall", 5)):
            gateway = gateways.add(session, name, "-", NOW)
            gateways.new_token(gateway, NOW, timedelta(days=days))
        gateways.count(session, [("temoin/annexe/a", 0, NOW), ("temoin/annexe/a", 1, NOW)], [])
    verdicts = said(settings, "gateways")
    sentences = " ".join(sentence for _, sentence in verdicts)
    assert [verdict for verdict, _ in verdicts] == ["warn", "warn", "warn", "ok"]
    assert "annexe sends 50% at QoS 0" in sentences
    assert "temoin gateway rotate hall --token" in sentences
    assert "hall has said nothing yet" in sentences


def test_a_gateway_that_the_brokers_file_has_lost_is_said(settings, registry):
    with registry.session() as session:
        gateways.add(session, "hall", "-", NOW)
        gateways.count(session, [("temoin/hall/a", 1, NOW)], [])
    assert [verdict for verdict, _ in said(settings, "gateways")] == ["ok"]  # no file to be seen from here
    write_access(settings, {})
    verdict, sentence = said(settings, "gateways")[0]
    assert (verdict, "hall" in sentence, "temoin gateway write" in sentence) == ("fail", True, True)
    write_access(settings, {"hall": "-"})
    assert [verdict for verdict, _ in said(settings, "gateways")] == ["ok"]


def test_a_broker_that_forgets_us_is_said(settings):
    status = ReceiverStatus(at=NOW.isoformat(), connected=True, sessions_lost=2)
    path = settings.data_dir / "landing" / "mqtt.receiver.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(asdict(status)))
    mover = MoverStatus(NOW.isoformat(), moved=0, readings=0, refused=0, backlog=0, trouble=None, since=None)
    path.with_name("mqtt.mover.json").write_text(json.dumps(asdict(mover)))
    assert "2 times the broker had forgotten us" in said(settings, "ingest")[-1][1]


def test_a_wrong_password_is_said_and_not_shown(settings, broker):
    ((verdict, sentence),) = said(at_broker(settings, broker, "wrong-secret"), "broker")
    assert verdict == "fail"
    assert "check MQTT_USER, MQTT_PASSWORD" in sentence
    assert "wrong-secret" not in sentence


def test_a_broker_that_is_not_there_is_said(settings):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        ((verdict, sentence),) = said(at_broker(settings, probe.getsockname()[1]), "broker")
    assert verdict == "fail"
    assert "is it running" in sentence


def test_something_else_on_the_port_is_said(settings, monkeypatch):
    monkeypatch.setattr(doctor_module, "PATIENCE", 0.5)
    with socket.create_server(("127.0.0.1", 0)) as mute:
        ((verdict, sentence),) = said(at_broker(settings, mute.getsockname()[1]), "broker")
    assert verdict == "fail"
    assert "does not speak MQTT" in sentence


def test_a_registry_that_is_missing_old_or_well_is_said(settings, registry, tmp_path):
    assert said(settings, "registry")[-1][0] == "ok"
    with registry.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '0001'")
    ((verdict, sentence),) = said(settings, "registry")
    assert (verdict, "run `temoin migrate`" in sentence) == ("fail", True)
    elsewhere = settings.model_copy(update={"data_dir": tmp_path / "nothing"})
    (tmp_path / "nothing").mkdir()
    assert "temoin migrate" in said(elsewhere, "registry")[0][1]


def test_a_disk_with_little_left_warns_and_one_with_less_fails(settings, monkeypatch):
    free = 10**12
    monkeypatch.setattr(
        doctor_module.shutil, "disk_usage", lambda _path: SimpleNamespace(free=free, total=10**12)
    )
    assert said(settings, "disk")[0][0] == "ok"
    free = 300 * 10**6
    assert said(settings, "disk")[0][0] == "warn"
    free = 100 * 10**6
    verdict, sentence = said(settings, "disk")[0]
    assert (verdict, "DISK_SPARE_MB" in sentence) == ("fail", True)


def test_jobs_that_do_not_run_and_days_that_wait_are_said(settings, registry):
    assert "No `temoin jobs` runs" in said(settings, "jobs")[0][1]
    store = open_store(settings)
    running = Jobs(settings, registry, store)
    with registry.session() as session:
        session.execute(delete(Lease))
        session.add(Lease(name="jobs", holder="this test", until=NOW + timedelta(minutes=1)))
    assert said(settings, "jobs") == [("ok", "run by this test.")]
    with registry.session() as session:
        session.add(StaleDay(day=(NOW - timedelta(days=3)).date(), marked_at=NOW - timedelta(hours=5)))
    assert "waited for its outcomes for 5 h" in said(settings, "jobs")[0][1]
    del running
    store.close()


def test_a_key_that_others_may_read_warns(settings):
    settings.signing_key()
    (settings.data_dir / "secret_key").chmod(0o644)
    assert any("chmod 600" in sentence for verdict, sentence in said(settings, "settings"))


def test_influxdb_is_asked_with_our_token(settings, influx: Influx):
    given = {"store": "influxdb", "influx_url": influx.url, "influx_bucket": "doctor"}
    well = settings.model_copy(update={**given, "influx_token": SecretStr(influx.token)})
    assert said(well, "store")[-1][0] == "ok"
    ill = settings.model_copy(update={**given, "influx_token": SecretStr("wrong-token")})
    ((verdict, sentence),) = said(ill, "store")
    assert (verdict, "TEMOIN_INFLUX_TOKEN" in sentence, "wrong-token" in sentence) == ("fail", True, False)


def test_another_clock_is_said(settings, influx: Influx):
    given = {"store": "influxdb", "influx_url": influx.url, "influx_token": SecretStr(influx.token)}
    ahead = NOW + timedelta(hours=1)
    told = [
        each.sentence for each in examine(settings.model_copy(update=given), ahead) if each.part == "store"
    ]
    assert any("have both follow NTP" in sentence for sentence in told)


def test_the_command_fails_when_something_does_and_says_it_as_json_too(settings, monkeypatch):
    monkeypatch.setenv("TEMOIN_DATA_DIR", str(settings.data_dir))
    monkeypatch.setenv("TEMOIN_MQTT_URL", "mqtt://127.0.0.1:1")
    told = CliRunner().invoke(cli.app, ["doctor"])
    assert told.exit_code == 1
    assert "fail broker" in told.output
    lines = CliRunner().invoke(cli.app, ["doctor", "--json"]).output.splitlines()
    assert {json.loads(line)["part"] for line in lines} >= {"settings", "disk", "registry", "store", "broker"}


# ----------------------------------------------------------------------------------- the provider, and mail


@pytest.fixture
def provider():
    provider = openid.Provider()
    yield provider
    provider.close()


def at_provider(settings, issuer: str):
    given = {"oidc_issuer": issuer, "oidc_client_id": openid.CLIENT, "public_url": "https://t.example"}
    return settings.model_copy(update=given)


def closed_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def test_a_provider_that_publishes_what_is_needed_is_well(settings, provider):
    ((verdict, sentence),) = said(at_provider(settings, provider.issuer), "sign-in")
    assert verdict == "ok"
    assert "https://t.example/sign-in/oidc/back" in sentence


def test_a_provider_that_is_away_or_is_another_one_fails_with_what_to_look_at(settings, provider):
    for issuer in (f"http://127.0.0.1:{closed_port()}", f"{provider.issuer}/"):
        ((verdict, sentence),) = said(at_provider(settings, issuer), "sign-in")
        assert verdict == "fail"
        assert "See OIDC_ISSUER" in sentence


def test_nothing_is_said_of_a_provider_or_mail_that_nobody_set(settings):
    assert said(settings, "sign-in") == said(settings, "mail") == []


def by_mail(settings, port: int):
    given = {"smtp_url": SecretStr(f"smtp+plain://127.0.0.1:{port}"), "public_url": "https://t.example"}
    return settings.model_copy(update=given)


class Refusing:
    """A mail server that takes nothing from us."""

    async def handle_MAIL(self, *_given):  # noqa: N802 - aiosmtpd's name for it
        """Refuse the sender."""
        return "550 not you"


@pytest.mark.parametrize(("handler", "verdict"), [(Sink(), "ok"), (Refusing(), "fail")])
def test_mail_is_asked_whether_it_takes_ours_and_none_is_sent(settings, handler, verdict):
    server = Controller(handler, hostname="127.0.0.1", port=closed_port())
    server.start()
    try:
        assert [each for each, _ in said(by_mail(settings, server.port), "mail")] == [verdict]
    finally:
        server.stop()


def test_mail_that_does_not_answer_fails_within_its_patience(settings):
    """It listens and never says a word."""
    with socket.socket() as mute:
        mute.bind(("127.0.0.1", 0))
        mute.listen()
        before = time.monotonic()
        settings = by_mail(settings, mute.getsockname()[1])
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(doctor_module, "PATIENCE", 0.3)
            ((verdict, sentence),) = said(settings, "mail")
        assert (verdict, time.monotonic() - before < 5) == ("fail", True)
        assert "See SMTP_URL" in sentence
