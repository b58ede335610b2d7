"""Pure comparison of a few rooms: frames in, frozen results out."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from experiments.design import Design, Measure, Protocol
    from experiments.estimate import Estimate, RoomChange, compare
    from experiments.planning import Plan, plan
    from experiments.reason import DesignError, ExperimentError, PanelError, Reason
    from experiments.verdict import MeasureResult, Result, analyse

__all__ = [
    "Design",
    "DesignError",
    "Estimate",
    "ExperimentError",
    "Measure",
    "MeasureResult",
    "PanelError",
    "Plan",
    "Protocol",
    "Reason",
    "Result",
    "RoomChange",
    "analyse",
    "compare",
    "plan",
]

# numpy, scipy.special and pandas cost 150 ms: they are paid by who compares, not by who imports
_HOMES = {
    "Design": "design",
    "DesignError": "reason",
    "Estimate": "estimate",
    "ExperimentError": "reason",
    "Measure": "design",
    "MeasureResult": "verdict",
    "PanelError": "reason",
    "Plan": "planning",
    "Protocol": "design",
    "Reason": "reason",
    "Result": "verdict",
    "RoomChange": "estimate",
    "analyse": "verdict",
    "compare": "estimate",
    "plan": "planning",
}


def __getattr__(name: str) -> Any:  # noqa: ANN401 - whatever the module holds
    if name not in _HOMES:
        raise AttributeError(f"module 'experiments' has no attribute {name!r}")
    return getattr(import_module(f"experiments.{_HOMES[name]}"), name)
