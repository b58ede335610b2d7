"""The description of the API: OpenAPI, for programs and for the page that people read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse

from service.api.examples import EXAMPLES
from service.api.paging import LINK
from service.auth import COOKIE, CSRF_HEADER

if TYPE_CHECKING:
    from fastapi import FastAPI

router = APIRouter(include_in_schema=False)


@dataclass(frozen=True)
class ErrorBody:
    """What went wrong: a stable code and a sentence."""

    code: str
    message: str


@dataclass(frozen=True)
class ErrorEnvelope:
    """Every refusal has this shape."""

    error: ErrorBody


REFUSALS: dict[int | str, dict[str, Any]] = {
    400: {"model": ErrorEnvelope, "description": "The body is no JSON"},
    401: {"model": ErrorEnvelope, "description": "Nobody is signed in"},
    403: {"model": ErrorEnvelope, "description": "The role or the token does not let in"},
    404: {"model": ErrorEnvelope, "description": "There is no such thing"},
    409: {"model": ErrorEnvelope, "description": "What is there does not allow it; the sentence says what"},
    412: {"model": ErrorEnvelope, "description": "Changed since the version that `If-Match` names"},
    422: {"model": ErrorEnvelope, "description": "A parameter cannot be read"},
    423: {"model": ErrorEnvelope, "description": "Hidden until the experiment is over"},
    503: {"model": ErrorEnvelope, "description": "The registry or the store does not answer"},
}


TAGS = {
    "today": "What waits for somebody, what runs, what was learned.",
    "sites": "Buildings: their hours, the days they are closed, their rooms.",
    "rooms": "Rooms, and what was measured of them by quarter hour, day, week and season.",
    "devices": "Sensors: where they are and were, when they were last heard.",
    "gateways": "Who sends messages, how much and how well.",
    "experiments": "Experiments, what may be said of them, and what recomputes it.",
    "quarantine": "Messages nobody understood yet, and what they are said to mean.",
    "imports": "Files of history: sent, looked at, imported, undone.",
    "exports": "Tables to take away.",
    "changes": "What people changed: the audit.",
    "people": "Who may sign in, and oneself.",
    "readings": "What gateways post.",
}
SIGNED_IN = {
    "token": {
        "type": "http",
        "scheme": "bearer",
        "description": "A person's, made under « Mon compte » or by `temoin user token`, to read or to write",
    },
    "session": {
        "type": "apiKey",
        "in": "cookie",
        "name": COOKIE,
        "description": f"Who is signed in in a browser; a change carries `{CSRF_HEADER}` besides.",
    },
}
CSRF = {
    "name": CSRF_HEADER,
    "in": "header",
    "required": False,
    "schema": {"type": "string"},
    "description": "The session's form token, where its cookie comes too",
}
TAG = {"ETag": {"schema": {"type": "string"}, "description": "Of this answer, for `If-None-Match`"}}
LISTS = {
    "list_rooms",
    "list_devices",
    "list_gateways",
    "list_experiments",
    "list_mappings",
    "list_causes",
    "list_sites",
    "list_weeks",
    "list_faults",
    "list_shares",
    "list_replays",
    "list_imports",
    "list_changes",
    "list_people",
    "list_messages",
}


def described(app: FastAPI) -> dict[str, Any]:
    """The OpenAPI document: what FastAPI knows, who may ask, an example of everything, how lists go on."""
    document = app.openapi()
    if "tags" in document:  # done before: FastAPI keeps its document
        return document
    document["tags"] = [{"name": name, "description": text} for name, text in TAGS.items()]
    document["info"]["description"] = (
        "What the pages show, for programs. Times are UTC, days are local. A refusal is one envelope: a code "
        "that stays, and a sentence. `ETag` and `If-None-Match` spare an answer that did not change."
    )
    document["components"]["securitySchemes"] |= SIGNED_IN
    for name, schema in document["components"]["schemas"].items():
        if name in EXAMPLES:
            schema["examples"] = [EXAMPLES[name]]
    for methods in document["paths"].values():
        for method, operation in methods.items():
            operation["operationId"] = operation["summary"].lower().replace(" ", "_")
            if "security" not in operation:  # that of a gateway says its own
                operation["security"] = [{name: []} for name in SIGNED_IN]
                operation.setdefault("parameters", []).extend([] if method == "get" else [CSRF])
            if operation["operationId"] in LISTS:
                operation["responses"]["200"]["headers"] = LINK
            if method == "get":
                _may_be_unchanged(operation)
                _shown(operation["responses"]["200"])
    return document


def _shown(answer: dict[str, Any]) -> None:
    """Documents that are no models have their example here: FastAPI drops null from what a route says."""
    for told in answer["content"].values():
        if (title := told["schema"].get("title")) in EXAMPLES:
            told["example"] = EXAMPLES[title]


def _may_be_unchanged(operation: dict[str, Any]) -> None:
    """JSON that the asker has already is not sent again (see `service.middleware.Unchanged`)."""
    answer = operation["responses"]["200"]
    if "application/json" in answer["content"]:
        answer["headers"] = answer.get("headers", {}) | TAG
        operation["responses"]["304"] = {"description": "What `If-None-Match` names has not changed"}


@router.get("/api/v1/openapi.json")
def openapi(request: Request) -> JSONResponse:
    """The OpenAPI document."""
    return JSONResponse(described(request.app))
