"""The description of the API: OpenAPI for programs, a page of our own for people."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request, Response
from fastapi.responses import JSONResponse

from dashboards.pages import ApiOperation, ApiPage, ApiParameter
from service.auth import Person, signed_in
from service.web.reply import reply

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
    401: {"model": ErrorEnvelope, "description": "Nobody is signed in"},
    404: {"model": ErrorEnvelope, "description": "There is no such thing"},
    422: {"model": ErrorEnvelope, "description": "A parameter cannot be read"},
    423: {"model": ErrorEnvelope, "description": "Hidden until the experiment is over"},
}


@router.get("/api/v1/openapi.json")
def openapi(request: Request) -> JSONResponse:
    """The OpenAPI document."""
    return JSONResponse(request.app.openapi())


@router.get("/api/docs")
def documentation(request: Request, person: Annotated[Person, Depends(signed_in)]) -> Response:
    """The same, to be read."""
    described = request.app.openapi()
    operations = tuple(
        _operation(method.upper(), path, operation)
        for path, methods in described["paths"].items()
        for method, operation in methods.items()
    )
    return reply(request, ApiPage(operations), person=person)


def _operation(method: str, path: str, described: dict[str, Any]) -> ApiOperation:
    return ApiOperation(
        method=method,
        path=path,
        summary=described["description"],
        parameters=tuple(
            ApiParameter(each["name"], each["in"], each["required"], each.get("description", ""))
            for each in described.get("parameters", ())
        ),
        answers=tuple((int(status), each["description"]) for status, each in described["responses"].items()),
    )
