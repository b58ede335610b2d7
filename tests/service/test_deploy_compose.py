"""docker-compose.yml and the Dockerfile: what can be known of them without a container engine."""

from __future__ import annotations

import json
import re
from importlib.resources import files
from pathlib import Path

import pytest
import yaml

from service.settings import Settings

ROOT = Path(__file__).parents[2]
COMPOSE = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
SERVICES = COMPOSE["services"]
ONCE = {"migrate", "gateway", "influx-token"}
OURS = {name for name, service in SERVICES.items() if "build" in service}
HASHES = "TEMOIN_BROKER_PASSWORDS"  # a file that is written, and of hashes
services = pytest.mark.parametrize("name", SERVICES)


def plain(value):
    """With every ${NAME:-default} as a newcomer has it."""
    return re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", value)


def test_the_file_is_what_the_compose_specification_says():
    jsonschema = pytest.importorskip("jsonschema")
    check = pytest.importorskip("check_jsonschema", reason="the schema is in PyPI's check-jsonschema")
    schema = files(check) / "builtin_schemas" / "vendor" / "compose-spec.json"
    jsonschema.validate(COMPOSE, json.loads(schema.read_text(encoding="utf-8")))


@services
def test_a_service_has_no_more_rights_than_it_needs(name):
    service = SERVICES[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service.get("cap_add", []) == (["NET_BIND_SERVICE"] if name == "front" else [])
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert not service.keys() & {"privileged", "network_mode", "pid", "ipc", "devices", "userns_mode"}
    user, _, _ = service["user"].partition(":")
    assert int(user) > 0
    assert not any("docker.sock" in volume for volume in service.get("volumes", []))


@services
def test_a_service_is_bounded(name):
    assert SERVICES[name]["mem_limit"]
    assert SERVICES[name]["pids_limit"]
    assert SERVICES[name]["logging"]["options"].keys() == {"max-size", "max-file"}


@services
def test_a_service_says_how_it_is(name):
    if name in ONCE:
        assert SERVICES[name]["restart"] == "no"
    else:
        assert SERVICES[name]["restart"] == "unless-stopped"
        assert SERVICES[name]["healthcheck"]["test"][0] == "CMD"


@services
def test_an_image_is_of_one_version(name):
    """Three numbers: `latest`, or `2.1`, is another program tomorrow."""
    image, _, tag = plain(SERVICES[name]["image"]).rpartition(":")
    assert image
    assert re.match(r"v?\d+\.\d+(\.\d+)?(-|$)", tag)
    assert tag.count(".") == (1 if image == "postgres" else 2)  # PostgreSQL's versions have two


@services
def test_a_secret_is_a_file_and_never_in_the_environment(name):
    service = SERVICES[name]
    for secret in service.get("secrets", []):
        assert COMPOSE["secrets"][secret] == {"file": f"./secrets/{secret}"}
    for variable, value in service.get("environment", {}).items():
        if re.search("PASSWORD|TOKEN|SECRET|KEY|DATABASE_URL", variable) and variable != HASHES:
            assert variable.endswith("_FILE") or variable.startswith("GF_SECURITY_DISABLE")
            path = plain(str(value))
            assert path == "" or path.removeprefix("/run/secrets/") in service["secrets"]


@services
def test_what_is_mounted_exists(name):
    for volume in SERVICES[name].get("volumes", []):
        source, target, *mode = plain(volume).split(":")
        if source.startswith("."):
            assert (ROOT / source).exists(), source
            assert mode == ["ro"]
        else:
            assert source in COMPOSE["volumes"], source
        assert target.startswith("/")


@services
def test_only_what_people_and_gateways_use_is_published(name):
    published = {
        "front": ["80:80", "443:443", "443:443/udp", "127.0.0.1:8443:8443"],
        "broker": ["8883:8883"],
        "grafana": ["127.0.0.1:3000:3000"],
    }
    assert [plain(port) for port in SERVICES[name].get("ports", [])] == published.get(name, [])


@services
def test_what_is_not_published_cannot_reach_out_either(name):
    networks = SERVICES[name]["networks"]
    outward = [each for each in networks if not (COMPOSE["networks"][each] or {}).get("internal")]
    assert bool(outward) == bool(SERVICES[name].get("ports"))


def test_grafana_reaches_no_table_and_the_front_reaches_the_web_only():
    def neighbours(name):
        mine = set(SERVICES[name]["networks"]) - {"outside", "desk"}
        return {other for other in SERVICES if other != name and mine & set(SERVICES[other]["networks"])}

    assert neighbours("front") == {"web"}
    assert neighbours("broker") == {"ingest", "ingest-2"}
    assert "influxdb" not in set(SERVICES["grafana"]["secrets"])


@pytest.mark.parametrize("name", sorted(OURS))
def test_every_setting_is_one_and_every_secret_of_it_is_given(name):
    known = {f"TEMOIN_{field.upper()}" for field in Settings.model_fields}
    for variable in SERVICES[name]["environment"].keys() - {"BACKUP_HOUR", "BACKUP_KEEP", "TMPDIR"}:
        assert variable.removesuffix("_FILE") in known or variable in known


def test_the_small_installation_needs_nothing_of_the_large():
    small = {name: service for name, service in SERVICES.items() if "profiles" not in service}
    assert small.keys() == {"front", "broker", "migrate", "gateway", "ingest", "jobs", "web", "backup"}
    for service in small.values():
        for other, how in service.get("depends_on", {}).items():
            assert other in small or how["required"] is False


def test_a_city_sets_what_the_file_asks_for():
    lines = (ROOT / "service" / "deploy" / "city.env").read_text().splitlines()
    given = dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))
    asked = set(re.findall(r"\$\{(\w+):-", (ROOT / "docker-compose.yml").read_text()))
    assert given.keys() - asked == {"COMPOSE_PROFILES"}
    assert given["TEMOIN_INFLUX_TOKEN_FILE"] == SERVICES["influx-token"]["command"][-1]


def test_every_secret_is_made_by_the_script():
    script = (ROOT / "service" / "deploy" / "prepare.sh").read_text()
    assert [name for name in COMPOSE["secrets"] if name not in script] == []
    used = {secret for service in SERVICES.values() for secret in service.get("secrets", [])}
    assert used == COMPOSE["secrets"].keys()


def test_the_image_holds_what_the_dockerfile_says():
    text = (ROOT / "Dockerfile").read_text()
    build, final = re.split(r"^FROM .*\n", text, flags=re.MULTILINE)[1:]
    bases = re.findall(r"^FROM (\S+)", text, flags=re.MULTILINE)
    assert len(set(bases)) == 1
    assert re.fullmatch(r"python:\d+\.\d+\.\d+-slim-\w+", bases[0])
    for line in re.findall(r"pip\b.* install .*", build):
        assert "--require-hashes" in line or "--no-deps /wheel" in line
    assert "install " not in final.replace("install -d", "").replace("uninstall", "")
    assert re.search(r"^USER 10001:10001$", final, flags=re.MULTILINE)
    assert {SERVICES[name]["user"] for name in OURS} == {"10001:10001"}
    for source in re.findall(r"^COPY (?!--from)(.+) \S+$", build, flags=re.MULTILINE):
        assert all((ROOT / each).exists() for each in source.split())
