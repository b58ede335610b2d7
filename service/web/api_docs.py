"""The description of the API, to be read."""

from __future__ import annotations

import json
from typing import Any

from fastapi import APIRouter, Request, Response

from dashboards.pages.about import ApiNoun, ApiOperation, ApiPage, ApiParameter
from service.api.documentation import REFUSALS, TAGS, described
from service.api.examples import EXAMPLES
from service.auth import SignedIn
from service.web.reply import reply

router = APIRouter(include_in_schema=False)


@router.get("/api/docs")
def documentation(request: Request, person: SignedIn) -> Response:
    """Every operation, by noun."""
    told = described(request.app)
    operations = [
        (operation["tags"][0], _operation(method.upper(), path, operation))
        for path, methods in told["paths"].items()
        for method, operation in methods.items()
    ]
    nouns = tuple(
        ApiNoun(name, text, tuple(each for tag, each in operations if tag == name))
        for name, text in TAGS.items()
    )
    refusals = tuple((int(status), said["description"]) for status, said in REFUSALS.items())
    return reply(request, ApiPage(nouns, refusals), person=person)


def _operation(method: str, path: str, told: dict[str, Any]) -> ApiOperation:
    answers = [(int(status), said["description"]) for status, said in told["responses"].items()]
    done = next(said for status, said in told["responses"].items() if status.startswith("2"))
    return ApiOperation(
        method=method,
        path=path,
        summary=told["description"],
        parameters=tuple(
            ApiParameter(each["name"], each["in"], each["required"], each.get("description", ""))
            for each in told.get("parameters", ())
        ),
        body=_example(told.get("requestBody", {})),
        answer=_example(done),
        answers=tuple(each for each in answers if each[1] != REFUSALS.get(each[0], {}).get("description")),
    )


def _example(told: dict[str, Any]) -> str:
    """What is sent or comes back, as JSON; empty where it is none."""
    content = told.get("content", {}).get("application/json", {})
    schema = content.get("schema", {})
    named = schema.get("items", schema).get("$ref", "").rpartition("/")[2]
    examples = [content["example"]] if "example" in content else []
    examples += [each["value"] for each in content.get("examples", {}).values()]
    examples += [EXAMPLES[named]] if named else []
    if not examples:
        return ""
    shown = [examples[0]] if "items" in schema else examples[0]
    return json.dumps(shown, ensure_ascii=False, indent=2)
