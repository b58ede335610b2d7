"""What the answers look like that the analysis writes itself: result, protocol, plan, panel."""

from __future__ import annotations

from typing import Any, get_args

from experiments.design import Assignment, Better, Role
from experiments.estimate import Grade
from experiments.verdict import State, Status, Verdict

_NUMBER, _DAY = {"type": ["number", "null"]}, {"type": ["string", "null"], "format": "date"}
_MEASURE = {
    "outcome": {"type": "string"},
    "role": {"enum": list(get_args(Role))},
    "better": {"enum": list(get_args(Better))},
    "useful": _NUMBER,
    "margin": _NUMBER,
    "unit": {"type": "string", "description": "Of every number about it"},
    "version": {"type": "integer", "description": "Of the outcome's definition"},
}
_ESTIMATE = {
    "effect": _NUMBER,
    "ci_low": _NUMBER,
    "ci_high": _NUMBER,
    "p_value": _NUMBER,
    "p_randomised": _NUMBER,
    "p_floor": _NUMBER,
    "grade": {"enum": list(get_args(Grade))},
    "n_treated": {"type": "integer"},
    "n_baseline": {"type": "integer"},
    "changes": {"type": "object", "description": "Change of each room", "additionalProperties": _NUMBER},
    "excluded": {"type": "object", "description": "Why a room does not count, by room"},
}


def _whole(properties: dict[str, Any], **more: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON Schema
    return {"type": "object", "required": list(properties), "properties": properties, **more}


_REASON = _whole({"code": {"type": "string"}, "numbers": {"type": "object"}})
_MEASURED = _whole(
    {
        "measure": _whole(_MEASURE),
        "estimate": _whole(_ESTIMATE, description="Fields of `temoin analyse --json`; null is not estimable"),
        "state": {"enum": [*get_args(State), None], "description": "Of a guardrail"},
        "p_holm": _NUMBER,
        "reasons": {"type": "array", "items": _REASON},
    }
)
_RESULT = _whole(
    {
        "status": {"enum": list(get_args(Status))},
        "verdict": {"enum": [*get_args(Verdict), None]},
        "grade": {"enum": list(get_args(Grade))},
        "reasons": {"type": "array", "items": _REASON},
        "primary": {"oneOf": [_MEASURED, {"type": "null"}]},
        "secondaries": {"type": "array", "items": _MEASURED},
        "guardrails": {"type": "array", "items": _MEASURED},
        "quality": {"type": "array", "items": {"type": "object"}, "description": "Days that count, by room"},
    },
    title="Result",
)
_PROTOCOL = _whole(
    {
        "slug": {"type": "string"},
        "title": {"type": "string"},
        "starts": _DAY,
        "ends": _DAY,
        "alpha": {"type": "number"},
        "design": _whole(
            {
                "switch": {"type": "object", "description": "First day after the change, by treated room"},
                "baseline": {"type": "array", "items": {"type": "string"}},
                "assignment": {"enum": list(get_args(Assignment))},
                "washout": {"type": "integer"},
                "min_days": {"type": "integer"},
            }
        ),
        "measures": {"type": "array", "items": _whole(_MEASURE)},
    },
    title="Protocol",
)
_COUNT = {"type": "integer"}
_ROOMS = {"n_treated": _COUNT, "n_baseline": _COUNT}
_PLAN = _whole(
    {
        **_ROOMS,
        "assignment": {"enum": list(get_args(Assignment))},
        "alpha": {"type": "number"},
        "p_floor": {"type": "number"},
        "grade": {"enum": list(get_args(Grade))},
        "sd": _NUMBER,
        "mde80": _NUMBER,
        "mde80_low": _NUMBER,
        "mde80_high": _NUMBER,
        "mde80_generalise": _NUMBER,
        "useful": _NUMBER,
        "p_generalise_useful": _NUMBER,
        "p_stop_none": _NUMBER,
        "p_guardrails_held": _NUMBER,
        "alternatives": {
            "type": "array",
            "items": _whole(
                {
                    **_ROOMS,
                    "p_floor": {"type": "number"},
                    "grade": {"enum": list(get_args(Grade))},
                    "mde80": _NUMBER,
                    "days": {"type": ["integer", "null"]},
                }
            ),
        },
        "trade_offs": {
            "type": "array",
            "items": _whole(_ROOMS | {"days_before": _COUNT, "days_after": _COUNT, "mde80": _NUMBER}),
        },
        "reasons": {"type": "array", "items": _REASON},
    },
    title="Plan",
    description="Fields of `temoin plan --json`, in the primary outcome's unit; null cannot be had",
)


def _answer(kind: str, schema: dict[str, Any]) -> dict[int | str, dict[str, Any]]:
    return {200: {"content": {kind: {"schema": schema}}}}


RESULT = _answer("application/json", _RESULT)
PROTOCOL = _answer("application/json", _PROTOCOL)
PLAN = _answer("application/json", _PLAN)
PANEL = _answer("text/csv", {"type": "string", "title": "Panel"})
