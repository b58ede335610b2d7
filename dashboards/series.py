"""A room's measurements over time: Altair draws the marks, the page draws axes and words around them.

The marks are stretched to the width at hand (strokes keep theirs), so one drawing serves a phone and a wide
screen in both themes. Altair and vl-convert cost some 100 MB and half a second: they are imported when the
first is drawn.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, time, timedelta
from functools import lru_cache
from statistics import fmean
from typing import TYPE_CHECKING

from markupsafe import Markup

from dashboards.charts import Axis, axis

if TYPE_CHECKING:
    from collections.abc import Iterable

    from dashboards.language import Language
    from dashboards.pages.rooms import Daily, RoomPage, Series

DATES_ON_A_PHONE = 4  # at most, that none touches the next
WIDTH, HEIGHT = 1000, 150  # of the drawing's own coordinates; HEIGHT is also its height in px
STEPPED = frozenset(["people", "presence", "door_open", "window_open"])  # they hold until they change
FROM_ZERO = STEPPED | {"people_in", "people_out", "motion"}
_OUTDOOR_CO2 = 400.0


class DrawingError(RuntimeError):
    """A drawing that the page's content security policy would not show."""


@dataclass(frozen=True)
class Tick:
    """A label along the bottom, in % of the width; `minor` ones are left out on a phone."""

    at: float
    label: str
    minor: bool


@dataclass(frozen=True)
class Drawn:
    """Marks in a stretched SVG, with what the axes need."""

    marks: Markup
    axis: Axis
    ticks: tuple[Tick, ...]

    def y(self, value: float) -> float:
        """Where a value lies, in px from the top."""
        return round(HEIGHT * (self.axis.high - value) / (self.axis.high - self.axis.low), 1)


@dataclass(frozen=True)
class Row:
    """A stretch of a series in three numbers, None where nothing was measured."""

    label: str
    low: float | None
    mean: float | None
    high: float | None


def series(line: Series, page: RoomPage, say: Language) -> Drawn | None:
    """One metric over the page's day or week; None when it has no value."""
    values = [value for _, value in line.points if value is not None]
    if not values:
        return None
    scale = axis([*values, 0.0] if line.metric in FROM_ZERO else values, most=5)
    points = tuple((round(WIDTH * _share(page, at), 1), value) for at, value in line.points)
    kind = "step" if line.metric in STEPPED else "line"
    return Drawn(_marks(kind, points, scale.low, scale.high), scale, tuple(_clock_ticks(page, say)))


def daily(item: Daily, say: Language) -> Drawn | None:
    """One outcome by day as bars; None when no day counts."""
    values = [value for _, value in item.days if value is not None]
    if not values:
        return None
    scale = axis([*values, _OUTDOOR_CO2 if item.outcome == "co2_occupied" else 0.0], most=5)
    width = WIDTH / len(item.days)
    points = tuple((round((i + 0.5) * width, 1), value) for i, (_, value) in enumerate(item.days))
    weeks = [
        i
        for i, (day, _) in enumerate(item.days)
        if i and day.isocalendar().week != item.days[i - 1][0].isocalendar().week
    ]
    every = max(1, -(-len(weeks) // DATES_ON_A_PHONE))
    ticks = [
        Tick(round(100 * (i + 0.5) / len(item.days), 2), say.short_day(item.days[i][0]), minor=n % every != 0)
        for n, i in enumerate(weeks)
    ]
    return Drawn(_marks("bar", points, scale.low, scale.high, round(width * 0.7, 1)), scale, tuple(ticks))


def hourly(page: RoomPage, line: Series, say: Language) -> list[Row]:
    """A series in rows: by hour for a day, by day for a week."""
    labelled: dict[str, list[float]] = {}
    for at, value in line.points:
        label = say.clock(at.replace(minute=0)) if page.span == "day" else say.day(at.date(), weekday=True)
        found = labelled.setdefault(label, [])
        if value is not None:
            found.append(value)
    return [_row(label, values) for label, values in labelled.items()]


def _row(label: str, values: list[float]) -> Row:
    return Row(label, min(values), fmean(values), max(values)) if values else Row(label, None, None, None)


def _clock_ticks(page: RoomPage, say: Language) -> Iterable[Tick]:
    # hours are short words, days long ones: on a phone every second, every third
    step, every = (timedelta(hours=3), 2) if page.span == "day" else (timedelta(days=1), 3)
    at = datetime.combine(page.start.date(), time(), page.start.tzinfo)
    n = 0
    while at <= page.end:
        if at >= page.start:
            label = say.hour(at) if page.span == "day" else say.weekday(at)
            yield Tick(round(100 * _share(page, at), 2), label, minor=n % every != 0)
        at, n = at + step, n + 1


def _share(page: RoomPage, at: datetime) -> float:
    """How much of the page's stretch has gone by; by the clock on the wall, an hour in autumn comes twice."""
    begin, end = page.start.timestamp(), page.end.timestamp()
    return (at.timestamp() - begin) / (end - begin)


@lru_cache(maxsize=256)
def _marks(
    kind: str, points: tuple[tuple[float, float | None], ...], low: float, high: float, width: float = 1.0
) -> Markup:
    """Marks in the drawing's coordinates, kept by their content."""
    import altair as alt  # noqa: PLC0415 - see the module's first words
    import vl_convert  # noqa: PLC0415

    # the marks' own domains, hidden axes, no margin: the page's axes and these agree to the pixel
    data = alt.InlineData(values=[{"x": x, "y": y} for x, y in points])
    x = alt.X("x:Q", axis=None, scale=alt.Scale(domain=[0, WIDTH], nice=False))
    y = alt.Y("y:Q", axis=None, scale=alt.Scale(domain=[low, high], nice=False, zero=False))
    chart = alt.Chart(data, width=WIDTH, height=HEIGHT, padding=0, background="transparent")
    if kind == "bar":
        chart = chart.transform_filter("isValid(datum.y)").transform_calculate(floor=str(low))
        drawn = chart.mark_bar(width=width, color="var(--treated)").encode(x=x, y=y, y2="floor:Q")
    else:
        drawn = chart.mark_line(
            color="var(--treated)",
            strokeWidth=2,
            strokeCap="round",
            strokeJoin="round",
            interpolate="step-after" if kind == "step" else "linear",
            invalid="break-paths-show-domains",
        ).encode(x=x, y=y)
    svg = vl_convert.vegalite_to_svg(drawn.configure_view(stroke=None).to_json(indent=None))
    return _stretched(svg)


def _stretched(svg: str) -> Markup:
    """The drawing without its frame of fixed size. Raises DrawingError for a style or script in it."""
    inner = svg[svg.index(">") + 1 : svg.rindex("</svg>")]
    if "style" in inner or "<script" in inner:
        raise DrawingError(
            "vl-convert wrote a style or a script into the drawing; the page would not show it"
        )
    return Markup(  # noqa: S704 - written by vl-convert from numbers, checked above
        f'<svg class="marks" width="100%" height="{HEIGHT}" viewBox="0 0 {WIDTH} {HEIGHT}" '
        f'preserveAspectRatio="none" aria-hidden="true">{inner}</svg>'
    )
