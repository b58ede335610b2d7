"""Where things are drawn: in percent of the width at hand, kept inside it, gaps left as gaps."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from states import CO2, GOOD, PRIMARY, SWITCH, around, coverage, room_pages

from dashboards import charts, series
from dashboards.language import language
from dashboards.pages.experiments import CoverageDay
from dashboards.pages.rooms import Daily, Series

PARIS = ZoneInfo("Europe/Paris")


@pytest.mark.parametrize(
    ("values", "ticks"),
    [
        ([133, 226], (120, 140, 160, 180, 200, 220, 240)),
        ([-7.2, 44.9], (-20, 0, 20, 40, 60)),
        ([0.31, 0.38], (0.3, 0.32, 0.34, 0.36, 0.38)),
        ([5, 5], (4, 4.5, 5, 5.5, 6)),
    ],
)
def test_an_axis_has_round_ticks_around_every_value(values: list[float], ticks: tuple[float, ...]) -> None:
    axis = charts.axis(values)
    assert axis.ticks == pytest.approx(ticks)
    assert axis.low <= min(values) <= max(values) <= axis.high


@pytest.mark.parametrize("weeks", [2, 3, 6, 13, 26])
def test_a_phone_shows_two_to_four_dates_whatever_the_weeks(weeks: int) -> None:
    days = tuple((date(2026, 3, 2) + timedelta(days=n), 1.0) for n in range(7 * weeks + 1))
    drawn = series.daily(Daily("meetings", days), language("fr"))
    assert drawn is not None
    assert len(drawn.ticks) == weeks
    assert 2 <= sum(not tick.minor for tick in drawn.ticks) <= 4


def test_nothing_falls_outside_the_width() -> None:
    axis = charts.axis([0, 10])
    assert (axis.at(-1e9), axis.at(1e9)) == (2.0, 98.0)


def test_treated_rooms_come_first_each_arm_from_the_largest_change_down() -> None:
    dots = charts.dots(GOOD)
    assert dots is not None
    assert [row.room.room for row in dots.treated] == ["loire", "sevre", "erdre"]
    assert dots.baseline[0].room.room == "vilaine"


def test_the_useful_zone_lies_on_the_side_that_is_better() -> None:
    higher = charts.interval(PRIMARY, GOOD)
    lower = charts.interval(replace(PRIMARY, better="lower"), around(-35, 8, 160))
    assert higher is not None
    assert lower is not None
    assert [zone.kind for zone in higher.zones] == ["harmful", "negligible", "useful"]
    assert higher.zero < higher.zones[2].left
    assert lower.zones[2].left + lower.zones[2].width < lower.zero


def test_without_a_threshold_there_is_no_useful_zone() -> None:
    drawn = charts.interval(replace(PRIMARY, useful=None), GOOD)
    assert drawn is not None
    assert [zone.kind for zone in drawn.zones] == ["harmful", "better"]


def test_a_guardrails_forbidden_side_begins_at_its_margin() -> None:
    drawn = charts.limit(CO2, around(182, 40, 640))
    assert drawn is not None
    assert drawn.low is not None
    assert drawn.zero < drawn.forbidden[0] < drawn.low


def test_a_strip_marks_each_day_once_and_sets_weeks_apart() -> None:
    room = coverage()[0]
    drawn = charts.strip(room.days, SWITCH)
    assert sum(path.count("M") for _, path in drawn.paths) == len(room.days)
    assert drawn.width > len(room.days)
    assert drawn.switch is not None


def test_a_strip_of_one_day_is_drawn() -> None:
    drawn = charts.strip([CoverageDay(date(2026, 3, 2), 1.0, "counted")], None)
    assert (drawn.width, drawn.switch) == (1.0, None)


def test_every_draw_is_a_square_unless_they_are_too_many() -> None:
    drawn = charts.draws(GOOD)
    assert drawn is not None
    assert (drawn.extreme.count("M"), drawn.others.count("M")) == (1, 55)
    assert charts.draws(replace(GOOD, draws=9999)) is None


def test_a_bar_of_no_answers_is_empty() -> None:
    assert charts.segments(("a", "b"), (0, 0)) == ()
    assert [part.width for part in charts.segments(("a", "b"), (1, 3))] == [25.0, 75.0]


def test_a_series_keeps_its_gaps_and_brings_no_style_along() -> None:
    page = room_pages()["room"]
    drawn = series.series(page.series[0], page, language("fr"))
    assert drawn is not None
    line = drawn.marks.split(' d="')
    assert sum(part.count("M") > 1 for part in line) == 1
    assert "style" not in drawn.marks
    assert "var(--treated)" in drawn.marks


def test_the_same_series_is_drawn_once() -> None:
    page = room_pages()["room"]
    first = series.series(page.series[1], page, language("fr"))
    again = series.series(page.series[1], page, language("en"))
    assert first is not None
    assert again is not None
    assert first.marks is again.marks


def test_a_week_is_told_by_day_and_a_day_by_hour() -> None:
    page = room_pages()["room"]
    by_hour = series.hourly(page, page.series[0], language("fr"))
    by_day = series.hourly(replace(page, span="week"), page.series[0], language("fr"))
    assert (len(by_hour), len(by_day)) == (16, 1)
    assert any(row.mean is None for row in by_hour)


def test_earlier_and_later_lead_to_the_stretches_beside_this_one() -> None:
    page = replace(room_pages()["room"], past=True)
    midnight = page.end.replace(hour=0, minute=0)
    page = replace(page, start=midnight - timedelta(days=1), end=midnight)
    assert page.earlier == (midnight - timedelta(days=2)).date()
    assert page.later == midnight.date()


@pytest.mark.parametrize(("day", "hours"), [(date(2026, 3, 29), 23), (date(2026, 10, 25), 25)])
def test_a_day_on_which_clocks_change_is_drawn_as_long_as_it_was(
    monkeypatch: pytest.MonkeyPatch, day: date, hours: int
) -> None:
    start, end = (datetime.combine(day + timedelta(days=n), time(), PARIS) for n in (0, 1))
    points = tuple(
        ((start.astimezone(UTC) + timedelta(hours=n)).astimezone(PARIS), 500.0 + n) for n in range(hours)
    )
    page = replace(room_pages()["room"], start=start, end=end, span="day", series=(Series("co2", points),))
    drawn_at: list[float] = []
    monkeypatch.setattr(series, "_marks", lambda _kind, marked, *_: drawn_at.extend(x for x, _ in marked))
    drawn = series.series(page.series[0], page, language("fr"))
    assert drawn is not None
    assert drawn_at == pytest.approx([1000 * n / hours for n in range(hours)], abs=0.1)
    ticks = {tick.label: tick.at for tick in drawn.ticks}
    assert ticks["12\u202fh"] == pytest.approx(100 * (hours - 12) / hours, abs=0.01)
