"""Virtual rooms and gateways: what a town's meeting rooms would send, seeded, with effects of known size."""

from sensors.simulate.gateways import Measurement, VirtualDevice, batched, fleet, measured
from sensors.simulate.holidays import french_holidays
from sensors.simulate.town import Change, RoomDay, Town, VirtualRoom, small_town

__all__ = [
    "Change",
    "Measurement",
    "RoomDay",
    "Town",
    "VirtualDevice",
    "VirtualRoom",
    "batched",
    "fleet",
    "french_holidays",
    "measured",
    "small_town",
]
