"""Entities of home automation: one value a topic, named by place and quantity, `loire_co2`."""

from __future__ import annotations

from functools import lru_cache

from sensors.names import LONGEST_NAME, named, words

# words that make a quantity another one, or of another place, however the rest reads
_OTHER = words(
    """
    dew point target set setpoint consigne device internal interne cpu core processor soc chip esp esp32
    board mcu pcb water eau boiler chaudiere ballon outdoor outside ext exterieur exterieure external
    externe dehors garden jardin balcon terrasse soil ground fridge freezer frigo congelateur oven four
    radiator radiateur flow return supply depart retour heating cooling chauffage apparent feels like
    ressentie perceived forecast weather meteo openweathermap min max minimum maximum mini maxi median
    delta difference ecart threshold seuil offset calibration correction alarm alarme alert limit surface
    coolant pool piscine heat index wet bulb frost absolute absolue equivalent eq estimated raw
    uncalibrated previous last mains server serveur disk gpu nvme printer hotend bed nozzle phone
    telephone car voiture tracker tuya sensitivity timeout delay distance energy still moving moyenne
    yesterday hier total daily weekly monthly
    """
)


def entity(name: str) -> tuple[str, str] | None:
    """Place and quantity of an entity's name; None when no quantity is known, or it is another one's.

    The quantity is the longest end of the name that tells one; no word before it may tell another.
    """
    return _entity(name) if len(name) <= LONGEST_NAME else None


@lru_cache(maxsize=8192)
def _entity(name: str) -> tuple[str, str] | None:
    parts = name.replace("-", "_").split("_")
    for start in range(len(parts)):
        if named("_".join(parts[start:])) is None:
            continue
        before = parts[:start]
        if any(word.lower() in _OTHER or named(word) is not None for word in before):
            return None
        return "_".join(before), "_".join(parts[start:])
    return None


def is_elsewhere(name: str) -> bool:
    """Whether a word of a name says that what it holds is not the room's."""
    return any(word.lower() in _OTHER for word in name[:LONGEST_NAME].replace("-", "_").split("_"))
