"""The OpenAPI document: complete, true to its examples, and true of what the service answers."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from jsonschema import Draft202012Validator
from schemathesis.checks import CHECKS
from schemathesis.core.failures import FailureGroup

from service.api.documentation import described
from service.registry import users
from service.registry.tables import Device, Experiment, Placement, QuarantineCause, Room, Site

NOW = datetime.now(UTC)
EXAMPLES = 25  # of each operation
# what an answer may be blamed for; left out: what asks for 405 or 401 in its own way, tested elsewhere
BLAMED = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
)


def operations(document):
    return [
        (f"{method.upper()} {path}", each)
        for path, methods in document["paths"].items()
        for method, each in methods.items()
    ]


def test_every_operation_is_told_whole(app):
    document = described(app)
    ids = [each["operationId"] for _, each in operations(document)]
    assert len(ids) == len(set(ids))
    known = {each["name"] for each in document["tags"]}
    schemes = document["components"]["securitySchemes"].keys()
    for name, each in operations(document):
        assert each["summary"], name
        assert each["description"], name
        assert set(each["tags"]) <= known, name
        assert each["security"], name
        assert {scheme for one in each["security"] for scheme in one} <= schemes, name
        assert {"401", "403", "422", "503"} <= each["responses"].keys(), name


def examples_of(document, schema):
    """Examples of a schema, where it is one that is named or a list of one."""
    named = schema.get("items", schema).get("$ref", "").rpartition("/")[2]
    return document["components"]["schemas"].get(named, {}).get("examples", [])


def test_every_operation_shows_what_it_answers(app):
    document = described(app)
    for name, each in operations(document):
        (answer,) = (said for status, said in each["responses"].items() if status.startswith("2"))
        for told in answer["content"].values():
            assert "example" in told or examples_of(document, told["schema"]), name


def test_documents_that_are_no_models_are_as_their_examples(app):
    seen = []
    for name, each in operations(described(app)):
        for told in each["responses"].get("200", {}).get("content", {}).values():
            if "example" in told:
                Draft202012Validator(told["schema"]).validate(told["example"])
                seen.append(name.rpartition("/")[2])
    told = [
        "{key}",
        "result",
        "protocol.json",
        "panel.csv",
        "plan",
        "later",
        "{name}.{kind}",
        "{name}.{kind}",
    ]
    assert seen == told


def test_every_operation_tells_its_refusals(app):
    for name, each in operations(described(app)):
        refusals = {status: said for status, said in each["responses"].items() if status >= "400"}
        for status, said in refusals.items():
            schema = said["content"]["application/json"]["schema"]
            assert schema == {"$ref": "#/components/schemas/ErrorEnvelope"}, (name, status)
        json = "application/json" in each["responses"].get("200", {}).get("content", {})
        assert ("304" in each["responses"]) == (name.startswith("GET") and json), name


def test_every_schema_has_an_example_that_it_accepts(app):
    document = described(app)
    schemas = document["components"]["schemas"]
    without = [name for name, schema in schemas.items() if not schema.get("examples")]
    assert without == []
    for name, schema in schemas.items():
        whole = schema | {"components": document["components"]}
        for example in schema["examples"]:
            faults = [each.message for each in Draft202012Validator(whole).iter_errors(example)]
            assert faults == [], name
            properties = schema.get("properties", {})
            assert example.keys() == properties.keys(), name  # whole, and nothing that is no more


def test_lists_say_how_they_go_on(app):
    listing = [each for name, each in operations(described(app)) if "limit" in str(each.get("parameters"))]
    assert len(listing) == 15
    assert all("Link" in each["responses"]["200"]["headers"] for each in listing)


@pytest.fixture
def house(registry):
    """One of everything that can be asked for by a name that is easily drawn."""
    with registry.session() as session:
        room = Room(slug="0", name="Loire", site=Site(slug="0", name="Mairie"), capacity=8)
        device = Device(key="0/0", gateway="0", first_seen=NOW, last_seen=NOW)
        session.add(Placement(device=device, room=room, start=NOW - timedelta(days=9)))
        session.add(Experiment(slug="0", title="Essai", declared_at=NOW, sheet={}))
        cause = {"code": "unknown_format", "gateway": "g", "shape": "s", "waiting": 0, "latest_id": 0}
        session.add(QuarantineCause(**cause, first_at=NOW, last_at=NOW))
        user = users.add(session, "p@ville.example", "P", "administrator", None, NOW)
        return users.make_token(session, user, "p", "write", NOW, timedelta(days=1))


def test_what_is_asked_by_the_document_is_answered_by_the_document(app, house):
    """Drawn from the schema, well and badly formed, with a fixed seed: no 5xx, nothing that is not told."""
    schema = schemathesis.openapi.from_dict(described(app))
    schema.app = app
    checks = [CHECKS.get_one(name) for name in BLAMED]
    faults = []
    for result in schema.get_all_operations():
        operation = result.ok()

        @settings(
            max_examples=EXAMPLES, database=None, derandomize=True, deadline=None,
            suppress_health_check=list(HealthCheck), phases=[Phase.explicit, Phase.generate],
        )  # fmt: skip
        def one(case):
            case.call_and_validate(headers={"Authorization": f"Bearer {house}"}, checks=checks)

        try:
            given(case=operation.as_strategy())(one)()
        except FailureGroup as found:
            faults += [f"{operation.label}: {each}" for each in found.exceptions]
    assert faults == []
