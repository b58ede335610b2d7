"""The outcomes, one file a family: OUTCOMES gives each by its key."""

from __future__ import annotations

from typing import TYPE_CHECKING

from experiments.outcomes import booking, comfort, occupancy, voice

if TYPE_CHECKING:
    from experiments.outcomes.definition import OutcomeDefinition

OUTCOMES: dict[str, OutcomeDefinition] = {
    definition.key: definition
    for family in (occupancy, booking, comfort, voice)
    for definition in family.DEFINITIONS
}
