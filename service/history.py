"""History from files into the store: a whole file first read through, then written at once."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import TYPE_CHECKING

from sensors.history import read_history
from sensors.move import Sighting
from sensors.quality import Gate
from sensors.reading import HistoryRejected, Reading
from service.river import RegistryLedger

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import tzinfo
    from pathlib import Path

    from sensors.history import Line
    from sensors.history_map import HistoryMap
    from sensors.store import ReadingStore
    from service.registry import Registry

LINES = 2000  # between two looks at whether to go on
SHOWN = 20  # faults and refusals told one by one


@dataclass(slots=True)
class Survey:
    """What a file holds: what would be stored, and what not and why.

    `faults` are lines that are not what the map says; `refused` are readings the quality gate refuses,
    counted by device and cause. Of each kind the first twenty are told in words.
    """

    lines: int = 0
    readings: int = 0
    faulty_lines: int = 0
    faults: list[str] = field(default_factory=list)
    refused: Counter[str] = field(default_factory=Counter)
    refusals: list[str] = field(default_factory=list)
    devices: dict[str, Sighting] = field(default_factory=dict)
    days: set[date] = field(default_factory=set)


class Interrupted(Exception):  # noqa: N818 - it says what happened
    """Somebody else is to read on; begun again it comes to the same."""


class HistoryFile:
    """One file of history, read by a map. `now` is the instant nothing may be later than.

    Reading it raises Interrupted once `go_on`, asked now and then, says no.
    """

    def __init__(
        self,
        path: Path,
        history_map: HistoryMap | None,
        zone: tzinfo,
        now: datetime,
        go_on: Callable[[], bool] = lambda: True,
    ) -> None:
        self._path = path
        self._map = history_map
        self._zone = zone
        self._now = now
        self._go_on = go_on
        self._gate = Gate(max_age=None)

    def survey(self) -> Survey:
        """Read the whole file and store nothing; raises HistoryRejected when it is not what the map says."""
        survey = Survey()
        quarters: set[datetime] = set()  # of an hour: offsets of zones change on nothing finer
        for line in self._lines():
            survey.lines += 1
            if line.fault is not None:
                survey.faulty_lines += 1
                if len(survey.faults) < SHOWN:
                    survey.faults.append(line.fault)
            for reading in line.readings:
                fault = self._gate.check(reading, self._now)
                if fault is None:
                    self._note(survey, reading, quarters)
                    continue
                code, _, sentence = fault.partition(": ")
                survey.refused[f"{reading.device} {reading.metric} {code}"] += 1
                if len(survey.refusals) < SHOWN:
                    survey.refusals.append(f"line {line.number}: {sentence}")
        return survey

    def readings(self) -> Iterator[Reading]:
        """The readings of good lines that pass the gate."""
        for line in self._lines():
            for reading in line.readings:
                if self._gate.check(reading, self._now) is None:
                    yield reading

    def _lines(self) -> Iterator[Line]:
        for count, line in enumerate(read_history(self._path, self._map, self._zone)):
            if count % LINES == 0 and not self._go_on():
                raise Interrupted
            yield line

    def _note(self, survey: Survey, reading: Reading, quarters: set[datetime]) -> None:
        survey.readings += 1
        time = reading.time
        seen = survey.devices.get(reading.device)
        if seen is None:
            survey.devices[reading.device] = Sighting(reading.gateway, time, time)
        elif not seen.first <= time <= seen.last:
            survey.devices[reading.device] = Sighting(
                reading.gateway, min(seen.first, time), max(seen.last, time)
            )
        quarter = time.replace(minute=time.minute // 15 * 15, second=0, microsecond=0)
        if quarter not in quarters:
            quarters.add(quarter)
            survey.days.add(time.astimezone(self._zone).date())


def import_history(
    file: HistoryFile, store: ReadingStore, registry: Registry, *, keep_good: bool = False
) -> Survey:
    """Store a file's readings in one go, enter its devices and have the outcomes of its days computed.

    A faulty line refuses the whole file unless `keep_good`; what the gate refuses is left out and told.
    Raises HistoryRejected, and has then stored nothing, or StoreError. Doing it twice changes nothing.
    """
    survey = file.survey()
    if survey.faults and not keep_good:
        raise HistoryRejected("\n".join(_told(survey.faults, survey.faulty_lines)))
    if not survey.readings:
        why = [*survey.faults, *survey.refusals]
        raise HistoryRejected("\n".join(["the file holds no reading that can be stored", *why]))
    store.write(file.readings())
    RegistryLedger(registry).record(survey.devices, survey.days)
    return survey


def _told(sentences: list[str], count: int) -> list[str]:
    return sentences if count <= len(sentences) else [*sentences, f"and {count - len(sentences)} more"]
