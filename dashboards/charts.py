"""Geometry of the experiment page's own graphics: positions in percent, so a chart fits the width at hand.

Templates turn these into rows of HTML words around SVG lines: text never shrinks, and nothing is scaled.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from dashboards.pages.rooms import RoomBeside
from experiments.estimate import RoomChange

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import date

    from dashboards.pages.experiments import CoverageDay, ExperimentPage
    from experiments.design import Measure
    from experiments.estimate import Estimate

_EDGE = 2.0  # % kept free on each side, so that round marks are not cut


@dataclass(frozen=True)
class Axis:
    """A linear axis over [`low`, `high`] with its round `ticks`."""

    low: float
    high: float
    ticks: tuple[float, ...]

    def at(self, value: float) -> float:
        """Where a value falls, in % of the width, kept inside it."""
        share = (value - self.low) / (self.high - self.low)
        return round(_EDGE + (100 - 2 * _EDGE) * min(1.0, max(0.0, share)), 2)

    def span(self, low: float, high: float) -> tuple[float, float]:
        """Left edge and width of a stretch, in %."""
        left, right = self.at(min(low, high)), self.at(max(low, high))
        return left, round(right - left, 2)


def axis(values: Iterable[float], most: int = 6) -> Axis:
    """A round axis that holds every value, with at most `most` ticks or so."""
    found = [value for value in values if math.isfinite(value)] or [0.0, 1.0]
    low, high = min(found), max(found)
    if high - low < 1e-9:  # noqa: PLR2004 - one value needs some room around it
        low, high = low - 1, high + 1
    step = _round_step((high - low) / (most - 1))
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    ticks = tuple(round(n * step, 10) for n in range(first, last + 1))
    return Axis(ticks[0], ticks[-1], ticks)


def _round_step(raw: float) -> float:
    power = 10.0 ** math.floor(math.log10(raw))
    return next(power * n for n in (1, 2, 5, 10) if raw <= power * n * (1 + 1e-9))


@dataclass(frozen=True)
class DotRow:
    """A room before and after."""

    room: RoomChange
    before: float
    after: float

    @property
    def line(self) -> tuple[float, float]:
        """From the edge of the hollow dot to the centre of the full one, in %."""
        return self.before, self.after


@dataclass(frozen=True)
class Dots:
    """A dot per room before → after, treated first, each arm from the largest change down."""

    axis: Axis
    treated: tuple[DotRow, ...]
    baseline: tuple[DotRow, ...]


def dots(estimate: Estimate) -> Dots | None:
    """The rooms of an estimate, None when none is left."""
    if not estimate.rooms:
        return None
    scale = axis([value for room in estimate.rooms for value in (room.before, room.after)])
    rows = [DotRow(room, scale.at(room.before), scale.at(room.after)) for room in estimate.rooms]
    rows.sort(key=lambda row: -row.room.change)
    return Dots(
        scale,
        tuple(row for row in rows if row.room.treated),
        tuple(row for row in rows if not row.room.treated),
    )


@dataclass(frozen=True)
class Zone:
    """A stretch of the effect's axis: harmful, negligible or useful."""

    kind: str
    left: float
    width: float

    @property
    def middle(self) -> float:
        """Where its word stands."""
        return round(self.left + self.width / 2, 2)


@dataclass(frozen=True)
class Zones:
    """The interval over what would be harmful, negligible, useful; positions in %."""

    axis: Axis
    zones: tuple[Zone, ...]
    zero: float
    useful: float | None
    effect: float | None = None
    low: float | None = None
    high: float | None = None
    detectable: tuple[float, float] | None = None  # left, width


def interval(measure: Measure, estimate: Estimate) -> Zones | None:
    """The effect and its interval over the three zones; None without an effect."""
    if estimate.effect is None:
        return None
    low = estimate.effect if estimate.ci_low is None else estimate.ci_low
    high = estimate.effect if estimate.ci_high is None else estimate.ci_high
    reach = measure.useful or max(abs(low), abs(high)) / 2
    scale = axis(
        [
            low - 0.12 * (high - low),
            high + 0.12 * (high - low),
            -reach * measure.sign,
            1.5 * reach * measure.sign,
        ],
        8,
    )
    return _zones(scale, measure, estimate.effect, estimate.ci_low, estimate.ci_high)


def detectable(measure: Measure, low: float, high: float) -> Zones:
    """What could be detected (sizes, low to high) over the three zones."""
    reach = measure.useful or high / 2
    scale = axis([-reach * measure.sign, 1.3 * high * measure.sign, 1.5 * reach * measure.sign])
    drawn = _zones(scale, measure, None, None, None)
    return Zones(
        drawn.axis,
        drawn.zones,
        drawn.zero,
        drawn.useful,
        detectable=scale.span(low * measure.sign, high * measure.sign),
    )


def _zones(
    scale: Axis, measure: Measure, effect: float | None, low: float | None, high: float | None
) -> Zones:
    edge = None if measure.useful is None else measure.useful * measure.sign
    good_end, bad_end = (scale.high, scale.low) if measure.sign > 0 else (scale.low, scale.high)
    stretches = [("harmful", bad_end, 0.0)]
    if edge is None:
        stretches.append(("better", 0.0, good_end))
    else:
        stretches += [("negligible", 0.0, edge), ("useful", edge, good_end)]
    return Zones(
        axis=scale,
        zones=tuple(Zone(kind, *scale.span(a, b)) for kind, a, b in stretches),
        zero=scale.at(0),
        useful=None if edge is None else scale.at(edge),
        effect=None if effect is None else scale.at(effect),
        low=None if low is None else scale.at(low),
        high=None if high is None else scale.at(high),
    )


@dataclass(frozen=True)
class Limit:
    """A guardrail's interval against its limit; positions in %."""

    zero: float
    forbidden: tuple[float, float]  # left, width
    low: float | None
    high: float | None
    effect: float | None


def limit(measure: Measure, estimate: Estimate) -> Limit | None:
    """A guardrail drawn on its own scale; None without an effect or a margin."""
    if estimate.effect is None or measure.margin is None:
        return None
    edge = -measure.margin * measure.sign
    shown = [value for value in (estimate.effect, estimate.ci_low, estimate.ci_high) if value is not None]
    reach = 1.25 * max(abs(edge), *(abs(value) for value in shown))
    scale = Axis(-reach, reach, ())
    end = math.copysign(reach, edge)
    return Limit(
        zero=scale.at(0),
        forbidden=scale.span(edge, end),
        low=None if estimate.ci_low is None else scale.at(estimate.ci_low),
        high=None if estimate.ci_high is None else scale.at(estimate.ci_high),
        effect=scale.at(estimate.effect),
    )


@dataclass(frozen=True)
class Segment:
    """A share of a bar: left edge and width in %, and how many."""

    option: str
    count: int
    left: float
    width: float

    @property
    def middle(self) -> float:
        """Where its number stands."""
        return round(self.left + self.width / 2, 2)


def segments(options: Sequence[str], counts: Sequence[int]) -> tuple[Segment, ...]:
    """A bar of 100 % cut by counts; empty when there is nothing."""
    total = sum(counts)
    if not total:
        return ()
    cut, left = [], 0.0
    for option, count in zip(options, counts, strict=True):
        width = 100 * count / total
        cut.append(Segment(option, count, round(left, 2), round(width, 2)))
        left += width
    return tuple(cut)


# day state → (top, height) of its mark, of 10: told by height as well as by colour
_MARKS = {"counted": (0, 10), "washout": (0, 10), "short": (5, 5), "silent": (8, 2), "ahead": (4.5, 1)}
_WEEKEND = 0.6  # gap between weeks, in days


@dataclass(frozen=True)
class Strip:
    """A room's days as one SVG path for each state, in units of days across and 10 down."""

    width: float
    paths: tuple[tuple[str, str], ...]
    switch: float | None  # where the change falls


def strip(days: Sequence[CoverageDay], switch: date | None) -> Strip:
    """The days of a room side by side, weeks set apart."""
    marks: dict[str, list[str]] = {}
    place, moved = 0.0, None
    for i, day in enumerate(days):
        if i and day.day.isocalendar()[:2] != days[i - 1].day.isocalendar()[:2]:
            place += _WEEKEND
        if switch is not None and moved is None and day.day >= switch:
            moved = place - (_WEEKEND / 2 if i and place else 0)
        top, height = _MARKS[day.state]
        marks.setdefault(day.state, []).append(f"M{place:g} {top:g}h.84v{height:g}h-.84z")
        place = round(place + 1, 2)
    return Strip(
        width=place or 1.0,
        paths=tuple((state, "".join(parts)) for state, parts in sorted(marks.items())),
        switch=moved,
    )


@dataclass(frozen=True)
class Draws:
    """Every possible draw as a square, those at least as extreme first."""

    columns: int
    rows: int
    extreme: str
    others: str


_MOST_SQUARES = 300


def draws(estimate: Estimate) -> Draws | None:
    """The randomisation as a grid of squares; None when there are too many to be told apart."""
    if estimate.extreme is None or not estimate.draws or estimate.draws > _MOST_SQUARES:
        return None
    columns = min(28, estimate.draws)

    def square(i: int) -> str:
        return f"M{i % columns} {i // columns}h.8v.8h-.8z"

    return Draws(
        columns=columns,
        rows=math.ceil(estimate.draws / columns),
        extreme="".join(square(i) for i in range(estimate.extreme)),
        others="".join(square(i) for i in range(estimate.extreme, estimate.draws)),
    )


@dataclass(frozen=True)
class Timeline:
    """The periods of an experiment along its days; positions in %."""

    switch: float
    washout: float  # where the days left aside end
    today: float | None


def timeline(page: ExperimentPage) -> Timeline | None:
    """Before, change, after; None while the dates are not set."""
    if page.starts is None or page.ends is None or page.switch is None:
        return None
    start, total = page.starts, max(1, (page.ends - page.starts).days + 1)

    def at(day: date) -> float:
        return round(100 * min(1.0, max(0.0, (day - start).days / total)), 2)

    washout = page.protocol.design.washout if page.protocol is not None else 0
    switch = at(page.switch)
    today = page.meanwhile.today if page.meanwhile is not None else None
    return Timeline(
        switch=switch,
        washout=min(100.0, round(switch + 100 * washout * 7 / 5 / total, 2)),  # working days
        today=None if today is None or today < start else at(today),
    )


@dataclass(frozen=True)
class Bar:
    """One week: left edge in % of the width; top and height in px of `_BAR_HEIGHT`."""

    left: float
    top: float
    height: float


@dataclass(frozen=True)
class Beside:
    """One outcome of several rooms, a row of bars each, all on one scale; `width` of a bar in %."""

    width: float
    rows: tuple[tuple[RoomBeside, tuple[Bar, ...]], ...]


_BAR_HEIGHT = 33.0
_OUTDOORS = {"co2_occupied": 400.0, "sound_background": 20.0}  # where a scale begins, zero elsewhere


def beside(rooms: Sequence[RoomBeside], outcome: str) -> Beside:
    """An outcome by room and week; a week that is not known is a gap."""
    given = [week.means[outcome] for room in rooms for week in room.weeks if outcome in week.means]
    floor = _OUTDOORS.get(outcome, 0.0)
    reach = max([*given, floor + 1.0]) - floor

    def bar(place: int, value: float, count: int) -> Bar:
        height = round(max(1.0, (_BAR_HEIGHT - 1) * (value - floor) / reach), 1)
        return Bar(round(100 * place / count, 2), round(_BAR_HEIGHT - height, 1), height)

    rows = tuple(
        (
            room,
            tuple(
                bar(place, week.means[outcome], len(room.weeks))
                for place, week in enumerate(room.weeks)
                if outcome in week.means
            ),
        )
        for room in rooms
    )
    count = max((len(room.weeks) for room in rooms), default=1)
    return Beside(round(80 / count, 2), rows)
