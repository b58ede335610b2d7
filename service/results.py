"""What may be said of an experiment today: from the registry to a Result, and the looks it froze."""

from __future__ import annotations

import hashlib
import io
import zlib
from datetime import date, timedelta
from functools import lru_cache, partial
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from experiments.design import Protocol
from experiments.outcomes import OUTCOMES
from experiments.outcomes.voice import voice_rows
from experiments.panel import after_washout, compared_rows
from experiments.planning import Plan, history_spread, plan
from experiments.reason import DesignError, ExperimentError
from experiments.verdict import Result, analyse
from experiments.voice import K_ANSWERS
from service import embargo
from service.registry import answers, experiments, outcomes
from service.registry.tables import Experiment, Look

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from sqlalchemy.orm import Session

    from experiments.verdict import Look as LookKind
    from experiments.verdict import Status

PANEL_COLUMNS = ["room", "day", "outcome", "value", "n"]


def result_of(session: Session, experiment: Experiment, today: date, k: int = K_ANSWERS) -> Result | None:
    """What may be said today; None for an idea or a free trial.

    From the frozen look where there is one, so that it never changes; nothing but counts while it runs.
    """
    protocol = experiments.protocol(experiment)
    if protocol is None:
        return None
    status = experiments.status(experiment, today)
    look = final_look(experiment)
    if look is not None:
        return _analysed(protocol.to_json(), zlib.decompress(look.panel), status, "final")
    shown = _interim_that_ended(experiment)
    if shown is not None and status == "running":
        return _analysed(protocol.to_json(), zlib.decompress(shown.panel), status, "interim")
    panel = sealed_panel(session, protocol, k) if status == "running" else panel_of(session, protocol, k)
    return analyse(panel, protocol, status)


def later_result(session: Session, experiment: Experiment, today: date, k: int = K_ANSWERS) -> Result | None:
    """The result with corrections that came after the look; None where there are none.

    That groups of answers have to be larger by now corrects nothing.
    """
    protocol, look = experiments.protocol(experiment), final_look(experiment)
    if protocol is None or look is None:
        return None
    csv = panel_csv(panel_of(session, protocol, k))
    frozen = read_panel(zlib.decompress(look.panel))
    few = frozen["n"].lt(k).fillna(value=False).groupby([frozen["room"], frozen["outcome"]]).transform("any")
    if csv == panel_csv(frozen[~few]):
        return None
    return _analysed(protocol.to_json(), csv, experiments.status(experiment, today), "final")


def panel_of(session: Session, protocol: Protocol, k: int = K_ANSWERS) -> pd.DataFrame:
    """The panel as the registry has it now: columns `room`, `day`, `outcome`, `value`, `n`, sorted.

    No group of fewer than `k` answers is in it: whoever analyses it compares what is shown, and no more.
    """
    return _panel(session, protocol, _by_day(session, protocol), k)


def sealed_panel(session: Session, protocol: Protocol, k: int = K_ANSWERS) -> pd.DataFrame:
    """The panel of a running experiment: which room-days were observed, every value 0.

    Not even which days have a value: a room that was never used has none for its air.
    """
    observed = _by_day(session, protocol).assign(value=0.0)
    return _panel(session, protocol, observed, k).assign(value=0.0)


def _by_day(session: Session, protocol: Protocol) -> pd.DataFrame:
    """The rooms' outcomes by the definitions that the protocol pinned: two are never mixed in a panel."""
    pinned = {measure.outcome: measure.version for measure in protocol.measures}
    by_day = outcomes.between(session, *_dates(protocol), protocol.design.rooms, pinned)
    return by_day[by_day["version"] == by_day["outcome"].map(pinned)]


def _panel(session: Session, protocol: Protocol, by_day: pd.DataFrame, k: int) -> pd.DataFrame:
    rows = [compared_rows(by_day, protocol)]
    keys = [measure.outcome for measure in protocol.measures]
    voices = [key for key in keys if OUTCOMES[key].family == "voice"]
    if voices:
        rows.append(_voices(session, protocol, {*by_day["day"]}, voices, k))
    whole = pd.concat(rows, ignore_index=True).reindex(columns=PANEL_COLUMNS)
    return whole.astype({"n": "Int64"})


def _voices(
    session: Session, protocol: Protocol, open_days: set[date], keys: list[str], k: int
) -> pd.DataFrame:
    starts, ends = _dates(protocol)
    switch = {room: day for room, day in protocol.design.switch.items() if isinstance(day, date)}
    first = min(switch.values())
    switch |= dict.fromkeys(protocol.design.baseline or (), first)
    resumes = {room: after_washout(day, protocol.design.washout, open_days) for room, day in switch.items()}
    given = answers.between(session, sorted(switch), starts, ends)
    rows = voice_rows(given, dict(sorted(switch.items())), starts, ends, resumes, k)
    rows = rows[rows["outcome"].isin(keys)]
    return rows.sort_values(["outcome", "room", "day"], ignore_index=True)


def panel_csv(panel: pd.DataFrame) -> bytes:
    """The panel as CSV; floats as the shortest text that reads back the same."""
    return panel.to_csv(index=False, lineterminator="\n").encode()


def read_panel(csv: bytes) -> pd.DataFrame:
    """The panel of `panel_csv`, to the last digit."""
    panel: pd.DataFrame = pd.read_csv(io.BytesIO(csv), dtype={"room": "str"})
    days = [date.fromisoformat(day) for day in panel["day"]]
    return panel.assign(day=days).astype({"n": "Int64"})


def published_panel(
    session: Session, experiment: Experiment, today: date, k: int = K_ANSWERS
) -> bytes | None:
    """`panel.csv`: the frozen panel, or the present one once over; None while it must not be had."""
    protocol = experiments.protocol(experiment)
    if protocol is None or experiments.status(experiment, today) == "running":
        return None
    look = final_look(experiment)
    return zlib.decompress(look.panel) if look is not None else panel_csv(panel_of(session, protocol, k))


def panel_until_switch(session: Session, protocol: Protocol) -> bytes:
    """The panel before the first switch: what anybody may have at any time. Voices compare, so they wait."""
    panel = panel_of(session, protocol)
    switch = min(day for day in protocol.design.switch.values() if isinstance(day, date))
    return panel_csv(panel[(panel["day"] < switch) & panel["n"].isna()])


# ------------------------------------------------------------------------------------------------------ looks


def final_look(experiment: Experiment) -> Look | None:
    """The look the verdict rests on."""
    return next((look for look in experiment.looks if look.kind == "final"), None)


def take_look(
    session: Session, experiment: Experiment, now: datetime, today: date, k: int = K_ANSWERS
) -> Look | None:
    """Freeze the panel once the experiment is over and all its days are computed; None when it is not due."""
    protocol = experiments.protocol(experiment)
    if protocol is None or final_look(experiment) is not None:
        return None
    status = experiments.status(experiment, today)
    starts, ends = _dates(protocol)
    if status not in ("ended", "decided") or _waiting(session, starts, ends):
        return None
    return _freeze(session, experiment, protocol, "final", status, now, k)


def take_interim(
    session: Session, experiment: Experiment, now: datetime, today: date, k: int = K_ANSWERS
) -> Look | None:
    """Spend the interim look at half-time, once, where the protocol planned it."""
    protocol = experiments.protocol(experiment)
    if protocol is None or not protocol.interim or experiment.looks:
        return None
    starts, ends = _dates(protocol)
    switch = experiments.first_switch(experiment)
    if switch is None or experiments.status(experiment, today) != "running":
        return None
    yesterday = today - timedelta(days=1)  # today is marked as soon as a reading comes
    if yesterday < switch + (ends - switch) / 2 or _waiting(session, starts, yesterday):
        return None
    return _freeze(session, experiment, protocol, "interim", "running", now, k)


def _freeze(
    session: Session,
    experiment: Experiment,
    protocol: Protocol,
    kind: LookKind,
    status: Status,
    now: datetime,
    k: int,
) -> Look:
    # a draft is locked with its panel: no threshold may follow the result
    locked = experiments.lock(session, experiment, "temoin jobs", now)
    csv = panel_csv(panel_of(session, protocol, k))
    result = _analysed(locked.document, csv, status, kind)
    look = Look(
        experiment=experiment,
        kind=kind,
        taken_at=now,
        panel=zlib.compress(csv),
        sha256=hashlib.sha256(csv).hexdigest(),
        result=result.to_dict(),
    )
    session.add(look)
    session.flush()
    return look


def _interim_that_ended(experiment: Experiment) -> Look | None:
    """An interim look that ended the experiment; one that ended nothing shows nothing."""
    return next(
        (look for look in experiment.looks if look.kind == "interim" and look.result["verdict"] is not None),
        None,
    )


def _waiting(session: Session, first: date, last: date) -> bool:
    return any(first <= day <= last for day, _marked in outcomes.stale_days(session, before=date.max))


@lru_cache(maxsize=64)
def _analysed(document: str, csv: bytes, status: Status, look: LookKind) -> Result:
    return analyse(read_panel(csv), Protocol.from_json(document), status, look)


def _dates(protocol: Protocol) -> tuple[date, date]:
    if not (isinstance(protocol.starts, date) and isinstance(protocol.ends, date)):
        raise ExperimentError(f"{protocol.slug}: an experiment in rooms has dates, not integers")
    return protocol.starts, protocol.ends


# --------------------------------------------------------------------------------------------------- planning


def plan_of(session: Session, experiment: Experiment, today: date) -> Plan | None:
    """What the design promises, from its rooms' own history before the first switch.

    None for what cannot be compared; without a spread where the history is too short or never varies.
    """
    protocol = experiments.protocol(experiment)
    switch = experiments.first_switch(experiment)
    if protocol is None or switch is None or not protocol.design.baseline:
        return None
    starts, ends = _dates(protocol)
    before, after = _working_days(starts, switch), _working_days(switch, ends)
    last = min(today, switch) - timedelta(days=1)
    past = _past(session, protocol, last, embargo.embargoes(session, today))
    promised = partial(
        plan,
        len(protocol.design.switch),
        len(protocol.design.baseline),
        useful=protocol.primary.useful,
        assignment=protocol.design.assignment,
        alpha=protocol.alpha,
        interim=protocol.interim,
        days_before=before,
        days_after=after,
        guardrails=_guardrail_spreads(protocol, past, before, after),
    )
    try:
        return promised(history=_of_outcome(past, protocol.primary.outcome))
    except DesignError:  # nothing to take a spread from, which the plan says
        return promised()


def _past(
    session: Session, protocol: Protocol, last: date, hidden: Mapping[str, embargo.Embargo]
) -> pd.DataFrame:
    """Days of the rooms until `last` that count and are no part of a running experiment."""
    keys = [measure.outcome for measure in protocol.measures]
    past = outcomes.between(session, date.min, last, protocol.design.rooms, keys)
    past = past[(past["coverage"] >= protocol.min_coverage) & past["value"].notna()]
    free = [
        room not in hidden or day < hidden[room].since
        for room, day in zip(past["room"], past["day"], strict=True)
    ]
    return past[np.array(free, dtype=bool)]


def _of_outcome(past: pd.DataFrame, key: str) -> pd.DataFrame:
    return past.loc[past["outcome"] == key, ["room", "day", "value"]]


def _guardrail_spreads(
    protocol: Protocol, past: pd.DataFrame, before: int, after: int
) -> list[tuple[float, float]]:
    """Margin and SD of room changes of every guardrail; none unless all have a history."""
    spreads = []
    for measure in protocol.of_role("guardrail"):
        try:
            spread = history_spread(_of_outcome(past, measure.outcome), before, after)
        except DesignError:
            return []
        spreads.append((measure.margin or 0.0, spread.sd))
    return spreads


def _working_days(first: date, last: date) -> int:
    return max(1, round((last - first).days * 5 / 7))
