# ruff: noqa: E501, C416 - one state a line, read as a table
"""Every page in every state, from made-up facts that hang together: what the gallery opens in a browser."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from math import comb, sqrt
from statistics import mean
from typing import TYPE_CHECKING

import people_states
import quarantine_states
import share_states
from scipy.special import stdtr, stdtrit

from dashboards.pages.about import (
    AccessibilityPage,
    ErrorPage,
    GlossaryPage,
    LookPage,
    MethodPage,
    SiteMapPage,
)
from dashboards.pages.answering import FormPage, ThanksPage
from dashboards.pages.devices import (
    DeviceForm,
    DeviceHealthPage,
    DeviceLine,
    DevicePage,
    DevicesPage,
    Fault,
    GatewayLine,
    GatewaysPage,
    StayLine,
)
from dashboards.pages.experiments import (
    CostLine,
    Costs,
    CoverageDay,
    CoverageStrip,
    DayLost,
    Decided,
    ExampleFile,
    ExperimentLine,
    ExperimentPage,
    ExperimentsPage,
    FrozenLook,
    Lock,
    Meanwhile,
    RoomInTrial,
    Sheet,
    Split,
    Unplanned,
    Voices,
)
from dashboards.pages.home import (
    Deadline,
    Growth,
    HomePage,
    Learned,
    Progress,
    SilentDevice,
    Standstill,
    ToLookAt,
)
from dashboards.pages.people import (
    CodePage,
    ForgottenPage,
    Kept,
    NewPasswordPage,
    ResumePage,
    SecondFactorPage,
    SignInPage,
)
from dashboards.pages.places import PastedLine, RoomFactsPage, SiteLine, SitePage, SitesPage
from dashboards.pages.rooms import (
    ComparePage,
    Daily,
    DeviceInRoom,
    Hidden,
    Notice,
    NoticePage,
    PosterPage,
    RoomBeside,
    RoomLine,
    RoomPage,
    RoomSeason,
    RoomsPage,
    RoomWeek,
    Series,
    SiteRooms,
    VoicesOfMonth,
)
from experiments.design import Design, Measure, Protocol
from experiments.equipment import Item
from experiments.estimate import Estimate, RoomChange
from experiments.planning import Alternative, Plan
from experiments.profile import Profile
from experiments.reason import Reason
from experiments.verdict import MeasureResult, Result, RoomQuality, SiteTotal
from experiments.verdict import Voices as AnswerFacts
from service.places import Hours

if TYPE_CHECKING:
    from dashboards.pages.frame import Page

STARTS, SWITCH, ENDS = date(2026, 3, 2), date(2026, 4, 13), date(2026, 5, 29)
TREATED = {"loire": ("Loire", 168, 214), "erdre": ("Erdre", 142, 171), "sevre": ("Sèvre", 191, 226)}
BASELINE = {
    "cens": ("Cens", 155, 161),
    "maine": ("Maine", 178, 170),
    "vilaine": ("Vilaine", 133, 145),
    "isac": ("Isac", 201, 203),
    "gesvres": ("Gesvres", 149, 146),
}
NOW = datetime(2026, 5, 6, 15, 40, tzinfo=UTC)
STARTED = NOW - timedelta(days=90)

KEPT = Kept(
    "/rooms/loire", (("note", "La prise près de la fenêtre ne marche plus.\n« Merci »"), ("capacity", "8"))
)


def estimate(
    treated: dict[str, tuple[float, float]],
    baseline: dict[str, tuple[float, float]],
    grade: str = "decision",
    *,
    alpha: float = 0.05,
    **more: object,
) -> Estimate:
    """The pooled comparison of these means, by the formula of the method page."""
    rooms = [
        RoomChange(room, arm, b, a, a - b, 29, 30)
        for arm, side in ((True, treated), (False, baseline))
        for room, (b, a) in side.items()
    ]
    up, flat = [r.change for r in rooms if r.treated], [r.change for r in rooms if not r.treated]
    effect, df = mean(up) - mean(flat), len(rooms) - 2
    draws = comb(len(rooms), len(up))
    facts: dict[str, object] = {
        "effect": effect, "se": None, "t": None, "df": None, "ci_low": None, "ci_high": None, "p_value": None,
    }  # fmt: skip
    if df > 0:
        spread = sum((x - mean(up)) ** 2 for x in up) + sum((x - mean(flat)) ** 2 for x in flat)
        se = sqrt(spread / df * (1 / len(up) + 1 / len(flat)))
        reach = float(stdtrit(df, 1 - alpha / 2)) * se
        facts |= {
            "se": se, "t": effect / se, "df": df, "ci_low": effect - reach, "ci_high": effect + reach,
            "p_value": float(2 * stdtr(df, -abs(effect / se))),
        }  # fmt: skip
    return Estimate(
        **facts,
        **{
            "p_randomised": 1 / draws, "p_floor": 1 / draws, "grade": grade, "alpha": alpha,
            "n_treated": len(up), "n_baseline": len(flat), "rooms": tuple(rooms), "excluded": {}, "reasons": (),
            "extreme": 1, "draws": draws, "assignments": draws, "effect_detrended": effect * 0.93,
            "leave_one_out": (effect - 4.1, effect + 3.3), "placebo": (-6.2, 7.9), "breakdown": 2.5, "sd_ratio": 1.08,
        }
        | more,
    )  # fmt: skip


def nothing(*reasons: Reason, excluded: dict[str, Reason] | None = None) -> Estimate:
    """An estimate that could not be had."""
    return Estimate(
        *(None,) * 8, 1.0, "none", 0.05, 0, 0, (), excluded or {}, reasons
    )  # fmt: skip


def side(rooms: dict[str, tuple[str, float, float]], shift: float = 0.0) -> dict[str, tuple[float, float]]:
    """Before and after, the change of all moved by `shift`."""
    return {slug: (before, after + shift) for slug, (_, before, after) in rooms.items()}


def around(effect: float, spread: float, level: float, **more: object) -> Estimate:
    """An estimate of that effect with that spread of room changes, on the same rooms."""
    steps_t, steps_b = [-1, 0, 1], [-1, -0.5, 0, 0.5, 1]
    treated = {room: (level, level + effect + spread * s) for room, s in zip(TREATED, steps_t, strict=True)}
    baseline = {room: (level, level + spread * s) for room, s in zip(BASELINE, steps_b, strict=True)}
    return estimate(treated, baseline, **more)


PRIMARY = Measure("occupied_minutes", "primary", "higher", useful=15, unit="min/day")
CO2 = Measure("co2_occupied", "guardrail", "lower", margin=100, unit="ppm")
NOISE = Measure("sound_background", "guardrail", "lower", margin=2, unit="dB(A)")
ACHES = Measure("discomfort", "guardrail", "lower", margin=8, unit="%")
HELPED = Measure("helped", "secondary", "higher", unit="ridit")
SEATS = Measure("seat_fill", "secondary", "higher", unit="%")
ANSWERS = AnswerFacts(1412, 540, 872, 1.0, 62)

PROTOCOL = Protocol(
    slug="tables-modulaires",
    title="Tables modulaires et écran mobile dans les salles de réunion",
    design=Design(dict.fromkeys(TREATED, SWITCH), tuple(BASELINE), washout=5, assignment="lot", seed=7),
    starts=STARTS,
    ends=ENDS,
    measures=(PRIMARY, CO2, NOISE, ACHES, HELPED, SEATS),
    sites=dict.fromkeys([*TREATED, *BASELINE], "hotel-de-ville"),
)
ROOMS = tuple(
    [RoomInTrial(slug, name, SWITCH, 10) for slug, (name, _, _) in TREATED.items()]
    + [RoomInTrial(slug, name, None, 10) for slug, (name, _, _) in BASELINE.items()]
)
SHEET = Sheet(
    idea="Des tables à roulettes et un écran qui suit, proposés par le service Archives.",
    problem="Les ateliers se font dans les couloirs : les tables des salles ne bougent pas.",
    hypothesis="Si les tables se déplacent et que l’écran suit, les salles servent aussi aux ateliers, donc plus longtemps.",
    change="Six tables pliantes à roulettes, un écran sur pied, deux multiprises au sol.",
    why_rooms="3 tirées au sort parmi les 8 salles de 8 à 12 places du bâtiment.",
    people="≈ 310 présences par semaine",
    owner="Moyens généraux",
    sponsor="Direction générale",
    risks="Câbles au sol ; tables lourdes à déplacer.",
    accessibility="Passage de 1,40 m gardé, une table à hauteur réglable par salle.",
    committee="Comité social territorial informé le 12 février ; délégué à la protection des données consulté.",
    rooms_after=41,
    expires=date(2026, 7, 31),
)
LOCK = Lock("7c4e" * 16, datetime(2026, 2, 24, 16, 12, tzinfo=UTC), "Camille")
LOOK = FrozenLook(datetime(2026, 5, 30, 2, 10, tzinfo=UTC), "9b1f" * 16)
COSTS = Costs(
    "actual",
    (
        CostLine("Tables à roulettes", 6240, 0),
        CostLine("Écrans sur pied", 1980, 4),
        CostLine("Pose", 300, 22),
    ),
    rooms=3,
    seats=30,
)
VOICES = Voices(
    1412,
    5,
    (
        Split("temperature", ("cooler", "same", "warmer"), (81, 136, 44), (50, 191, 36)),
        Split("helped", tuple("1234567"), (22, 31, 48, 66, 51, 28, 15), (8, 14, 29, 58, 82, 55, 31)),
    ),
    (
        "On pousse les tables contre le mur et on se lève, ça change tout pour les ateliers.",
        "L’écran bouge, mais la prise est trop loin.",
    ),
    64,
    (("furniture", 23), ("equipment", 12), ("noise", 6)),
)
COMFORT = (
    Split("temperature", ("1", "2", "3", "4"), (2950, 1240, 610, 210), (3900, 1580, 420, 0)),
    Split("co2", ("1", "2", "3", "4"), (3120, 1410, 470, 10), (3300, 1650, 800, 150)),
)


def opening_days() -> list[date]:
    """Mondays to Fridays of the trial."""
    days = [STARTS + timedelta(days=i) for i in range((ENDS - STARTS).days + 1)]
    return [day for day in days if day.isoweekday() <= 5]


def coverage(until: date | None = None, dead: str = "maine") -> tuple[CoverageStrip, ...]:
    """Days of every room; a sensor of one of them was silent for a week."""
    strips = []
    for n, room in enumerate(ROOMS):
        days = []
        for i, day in enumerate(opening_days()):
            state, share = "counted", 0.97
            if room.treated and SWITCH <= day < SWITCH + timedelta(days=7):
                state = "washout"
            elif room.slug == dead and date(2026, 4, 16) <= day <= date(2026, 4, 23):
                state, share = "silent", 0.0
            elif (i * 7 + n * 13) % 41 == 0:
                state, share = "short", 0.45
            if until is not None and day >= until:
                state, share = "ahead", None
            days.append(CoverageDay(day, share, state))
        strips.append(CoverageStrip(room.slug, room.treated, tuple(days)))
    return tuple(strips)


def result(verdict: str | None, measured: Estimate, **more: object) -> Result:
    """A result with three guardrails held and two secondaries, unless told otherwise."""
    guardrails = (
        MeasureResult(CO2, around(12, 40, 640), "held"),
        MeasureResult(NOISE, around(0.4, 1.0, 34), "held"),
        MeasureResult(ACHES, around(1, 4, 12), "held", voices=ANSWERS),
    )
    secondaries = (
        MeasureResult(HELPED, around(8, 4.6, 50), p_holm=0.004, voices=ANSWERS),
        MeasureResult(SEATS, around(2.1, 3.5, 41), p_holm=0.21),
    )
    facts: dict[str, object] = {
        "status": "ended", "look": "final", "grade": "decision", "grade_planned": "decision", "fragile": False,
        "reasons": (), "way_out": (), "primary": MeasureResult(PRIMARY, measured), "secondaries": secondaries,
        "guardrails": guardrails,
        "quality": tuple(RoomQuality(room.slug, room.treated, 29, 30) for room in ROOMS),
        "transfer_possible": False, "site_total": None, "alpha": 0.05,
    }  # fmt: skip
    return Result(verdict=verdict, **(facts | more))


LOST = (
    DayLost("cens", date(2026, 5, 20), 0.41, (("city/vs121-0077", "Comptage, entrée", 18_600), ("city/ers-12", None, 900))),
    DayLost("loire", date(2026, 5, 19), 0.0, (("city/ers-3", None, None),)),
    DayLost("erdre", date(2026, 5, 18), 0.0, ()),
)  # fmt: skip


def page(given: Result | None, **more: object) -> ExperimentPage:
    """The ended experiment with that result."""
    facts: dict[str, object] = {
        "slug": PROTOCOL.slug, "title": PROTOCOL.title, "status": "ended", "starts": STARTS, "ends": ENDS,
        "rooms": ROOMS, "protocol": PROTOCOL, "sheet": SHEET, "coverage": coverage(), "voices": VOICES, "comfort": COMFORT,
        "costs": COSTS, "lock": LOCK, "look": LOOK, "lost": LOST,
        "deviations": (Unplanned(date(2026, 4, 16), "Capteur de Maine en panne, remplacé le 23.", "Camille"),),
    }  # fmt: skip
    return ExperimentPage(result=given, **(facts | more))


GOOD = estimate(side(TREATED), side(BASELINE))
WEAK = estimate(
    {"loire": (168, 214), "erdre": (142, 145), "sevre": (191, 203)},
    side(BASELINE),
    p_randomised=0.089,
    extreme=5,
)
SMALL = around(6, 7, 160, p_randomised=0.036, extreme=2)
HARM = estimate(side(TREATED, -62), side(BASELINE), p_randomised=0.018)
FUTILE = around(1.5, 6, 160, p_randomised=0.61, extreme=34)
TINY = estimate(
    {"loire": (168, 214)}, {"cens": (155, 161), "maine": (178, 170)}, "none", placebo=None, breakdown=None
)
THREE = estimate(
    {k: v for k, v in list(side(TREATED).items())[:2]},
    {k: v for k, v in list(side(BASELINE).items())[:3]},
    "indicative",
)
TOTAL = SiteTotal(("hotel-de-ville",), 8, 1317.0, 1341.0, 24.0, 3.0)


def experiments() -> dict[str, ExperimentPage]:
    """The experiment page in every state of its life."""
    best = result(
        "generalise",
        GOOD,
        reasons=(Reason("useful", {"effect": 34.9, "useful": 15.0}),),
        transfer_possible=True,
        site_total=TOTAL,
    )
    crossed = MeasureResult(CO2, around(182, 40, 640), "crossed")
    unclear = MeasureResult(CO2, around(64, 60, 640), "unclear")
    others = best.guardrails[1:]
    decided = Decided(
        "extend", "Comité de direction", date(2026, 6, 18),
        "Étendre aux 12 salles d’ateliers d’abord : c’est là que le besoin est né.",
        "Prévoir les multiprises au sol dès le début ; prévenir les agents d’entretien.", "Camille",
        datetime(2026, 6, 18, 17, 5, tzinfo=UTC),
    )  # fmt: skip
    plan = Plan(
        n_treated=3, n_baseline=5, assignment="lot", alpha=0.05, p_floor=1 / 56, grade="decision", multiplier=2.46,
        multiplier_generalise=2.86, sd=9.8, sd_low=8.1, sd_high=12.0, mde80=24.1, mde80_low=19.9, mde80_high=29.5,
        mde80_generalise=28.0, useful=15, p_generalise_useful=0.31, p_generalise_1_5_useful=0.74, p_stop_none=0.72,
        p_guardrails_held=0.86, reasons=(), alternatives=(Alternative(4, 5, 1 / 126, "decision", 22.5), Alternative(3, 6, 1 / 84, "decision", 23.2)),
    )  # fmt: skip
    few = replace(
        plan, n_treated=1, n_baseline=2, assignment="unknown", p_floor=1 / 3, grade="none", multiplier=20.0, mde80=196.0,
        mde80_low=None, mde80_high=None, mde80_generalise=None, p_generalise_useful=None, p_generalise_1_5_useful=None,
        p_stop_none=None, p_guardrails_held=None, alternatives=(Alternative(2, 2, 1 / 3, "none", 70.1),),
        reasons=(Reason("one_treated"), Reason("grade_none", {"n_treated": 1, "n_baseline": 2})),
    )  # fmt: skip
    locked = result(
        None,
        nothing(Reason("locked")),
        status="running",
        reasons=(Reason("locked"),),
        primary=None,
        secondaries=(),
        guardrails=(),
    )
    small_protocol = replace(
        PROTOCOL,
        design=Design({"loire": SWITCH}, ("cens", "maine"), assignment="unknown"),
        retrospective=True,
    )
    return {
        "planned": page(None, status="planned", plan=plan, coverage=(), voices=None, lock=None, look=None, deviations=(),
            equipment=(Item("presence", ("loire", "erdre"), (), (0, 0)), Item("climate", ("loire",), ("erdre", "sevre"), (300, 700)), Item("form", ("loire",), (), (0, 0))),
            costs=replace(COSTS, kind="planned"), meanwhile=Meanwhile(date(2026, 2, 20), None, 13, 0, date(2026, 5, 30))),
        "planned-none": page(None, status="planned", plan=few, coverage=(), voices=None, lock=None, look=None, deviations=(),
            rooms=ROOMS[:1] + ROOMS[3:5], protocol=replace(small_protocol, retrospective=False),
            costs=None, meanwhile=Meanwhile(date(2026, 2, 20), None, 13, 0, date(2026, 5, 30))),
        "idea": ExperimentPage("assis-debout", "Des sièges assis-debout pour les réunions courtes", "idea", None, None, (),
            sheet=Sheet(idea="Une agente de l’état civil : on reste moins longtemps quand on est debout.")),
        "running": page(locked, status="running", look=None, voices=None, coverage=coverage(date(2026, 5, 6)), costs=replace(COSTS, kind="planned"),
            meanwhile=Meanwhile(date(2026, 5, 6), 10, 13, 1143, date(2026, 5, 30), 338, 360)),
        "generalise": page(best),
        "generalise-fragile": page(result("generalise", GOOD, fragile=True, reasons=(Reason("fragile"), Reason("sd_ratio", {"ratio": 1.9, "limit": 1.5, "chance": 0.55})))),
        "adjust-uncertain": page(result("adjust", WEAK, reasons=(Reason("uncertain", {"ci_low": WEAK.ci_low, "ci_high": WEAK.ci_high}),),
            way_out=(Reason("add_rooms", {"treated": 2, "baseline": 0, "n_treated": 5, "n_baseline": 5, "grade": "decision"}),))),
        "adjust-small": page(result("adjust", SMALL, reasons=(Reason("not_useful_yet", {"effect": 6.0, "useful": 15.0}),))),
        "adjust-guardrail": page(result("adjust", GOOD, guardrails=(unclear, *others), reasons=(Reason("guardrail_unclear", {"outcome": "co2_occupied", "margin": 100.0}),))),
        "adjust-indicative": page(result("adjust", THREE, grade="indicative", reasons=(Reason("indicative_only"),
            Reason("few_rooms", {"n_treated": 2, "n_baseline": 3, "p_floor": 0.1, "alpha": 0.05})),
            way_out=(Reason("add_rooms", {"treated": 1, "baseline": 1, "n_treated": 3, "n_baseline": 4, "grade": "decision"}),))),
        "stop-guardrail": page(result("stop", GOOD, guardrails=(crossed, *others), reasons=(Reason("guardrail_crossed", {"outcome": "co2_occupied", "margin": 100.0}),))),
        "stop-harm": page(result("stop", HARM, reasons=(Reason("harmful", {"ci_low": HARM.ci_low, "ci_high": HARM.ci_high}),))),
        "stop-futile": page(result("stop", FUTILE, reasons=(Reason("futile", {"bound": FUTILE.ci_high, "useful": 15.0}),))),
        "cannot-conclude": page(
            result("cannot_conclude", TINY, grade="none", grade_planned="none", secondaries=(), guardrails=(),
                reasons=(Reason("one_treated"), Reason("retrospective"), Reason("grade_none", {"n_treated": 1, "n_baseline": 2})),
                way_out=(Reason("add_rooms", {"treated": 2, "baseline": 1, "n_treated": 3, "n_baseline": 3, "grade": "indicative"}),
                         Reason("add_rooms", {"treated": 3, "baseline": 2, "n_treated": 4, "n_baseline": 4, "grade": "decision"}),
                         Reason("new_protocol", {"grade": "decision"}))),
            rooms=ROOMS[:1] + ROOMS[3:5], protocol=small_protocol, coverage=(coverage()[0], *coverage()[3:5]), voices=None, costs=None),
        "not-estimable": page(result("cannot_conclude", nothing(Reason("no_treated"), excluded={"loire": Reason("too_few_days", {"before": 29, "after": 4, "needed": 10})}),
            grade="none", secondaries=(), guardrails=(), reasons=(Reason("not_estimable"), Reason("no_treated")),
            way_out=(Reason("more_days", {"rooms": ["loire"], "days": 6, "grade": "indicative"}),)), voices=Voices(3, 5)),
        "guardrail-not-estimable": page(result("adjust", GOOD, guardrails=(MeasureResult(CO2, nothing(Reason("no_treated")), "not_estimable"), *others),
            reasons=(Reason("guardrail_not_estimable", {"outcome": "co2_occupied"}),))),
        "no-threshold": page(result(None, GOOD, primary=MeasureResult(replace(PRIMARY, useful=None), GOOD), reasons=(Reason("no_threshold"),)),
            protocol=replace(PROTOCOL, measures=(replace(PRIMARY, useful=None), CO2, NOISE, ACHES, HELPED, SEATS))),
        "voice-primary": page(result("adjust", around(8, 4.6, 50), primary=MeasureResult(replace(HELPED, role="primary", useful=5), around(8, 4.6, 50), voices=ANSWERS),
            secondaries=(MeasureResult(replace(PRIMARY, role="secondary", useful=None), GOOD, p_holm=0.002),), reasons=(Reason("voices_alone"),))),
        "interim": page(replace(best, status="running", look="interim", alpha=0.005), status="running", voices=None),
        "later-data": page(best, later=result("adjust", WEAK)),
        "decided": page(replace(best, status="decided"), status="decided", decision=decided),
        "free": ExperimentPage("coin-calme", "Un coin calme au troisième étage", "ended", STARTS, ENDS, (RoomInTrial("sanitat", "Sanitat", SWITCH, 4),),
            free=True, sheet=replace(SHEET, rooms_after=None), voices=replace(VOICES, answers=48, splits=VOICES.splits[:1]), costs=replace(COSTS, rooms=1, seats=4)),
        "free-empty": ExperimentPage("coin-calme", "Un coin calme au troisième étage", "running", STARTS, ENDS, (RoomInTrial("sanitat", "Sanitat", SWITCH, 4),), free=True),
    }  # fmt: skip


def lines() -> tuple[ExperimentLine, ...]:
    """One line of every kind."""
    return (
        ExperimentLine("tables-modulaires", PROTOCOL.title, "ended", 3, 5, STARTS, SWITCH, ENDS, "generalise", None, "occupied_minutes", 34.9, 20.4, 49.3),
        ExperimentLine("vitrophanie", "Vitrophanie à hauteur d’yeux", "ended", 3, 4, STARTS, SWITCH, ENDS, "stop", None, "occupied_minutes", 4.0, -9.0, 12.0),
        ExperimentLine("plantes", "Des plantes et une lumière plus douce", "ended", 1, 2, STARTS, SWITCH, ENDS, "cannot_conclude", None, "satisfaction", 6.0, -14.0, 26.0),
        ExperimentLine("ecrans", "Écrans de réservation devant les portes", "running", 4, 4, STARTS, SWITCH, ENDS, week=10, weeks=13),
        ExperimentLine("assises", "Assises hautes pour les réunions courtes", "planned", 2, 6, date(2026, 6, 1), date(2026, 7, 13), date(2026, 9, 25)),
        ExperimentLine("assis-debout", "Des sièges assis-debout", "idea", 0, 0),
        ExperimentLine("cloisons", "Cloisons acoustiques mobiles", "decided", 3, 5, STARTS, SWITCH, ENDS, "adjust", "adjust", "sound_background", -1.4, -2.9, 0.1, "lower"),
        ExperimentLine("coin-calme", "Un coin calme au troisième étage", "decided", 1, 0, STARTS, SWITCH, ENDS, decision="extend", free=True),
    )  # fmt: skip


def series() -> tuple[Series, ...]:
    """A day of two metrics with a gap of two hours."""
    start = datetime(2026, 5, 5, 0, 0, tzinfo=UTC)
    times = [start + timedelta(minutes=10 * i) for i in range(95)]

    def at(i: int, base: float, height: float) -> float | None:
        return None if 66 <= i < 78 else base + height * max(0.0, 1 - abs(i - 60) / 14)

    return (
        Series("co2", tuple((t, at(i, 430, 720)) for i, t in enumerate(times))),
        Series("temperature", tuple((t, at(i, 20.5, 2.8)) for i, t in enumerate(times))),
        Series("people", tuple((t, round(at(i, 0, 6) or 0)) for i, t in enumerate(times))),
    )


MIDNIGHT = NOW.replace(hour=0, minute=0)
NOTICE = Notice(("co2", "temperature", "humidity", "sound", "people", "presence"), 2, 30, 0, 13, 6, 5)


def room_pages() -> dict[str, RoomPage]:
    """A room that lives, one that is hidden, one without a device."""
    days = opening_days()[-30:]
    daily = (
        Daily("time_utilisation", tuple((day, None if i in (6, 7) else 30 + (i * 37) % 29) for i, day in enumerate(days))),
        Daily("co2_occupied", tuple((day, None if i in (6, 7) else 620.0 + (i * 53) % 240) for i, day in enumerate(days))),
        Daily("temperature_in_band", tuple((day, None if i in (6, 7) else 80.0 + (i * 17) % 20) for i, day in enumerate(days))),
    )  # fmt: skip
    devices = (
        DeviceInRoom(
            "city/am307-0412", "Ambiance, mur nord", NOW - timedelta(days=90), None, NOW, silent=False
        ),
        DeviceInRoom(
            "city/vs121-0077", None, NOW - timedelta(days=90), None, NOW - timedelta(hours=9), silent=True
        ),
        DeviceInRoom(
            "city/am307-0398",
            "Ambiance",
            NOW - timedelta(days=400),
            NOW - timedelta(days=90),
            None,
            silent=False,
        ),
    )
    alive = RoomPage(
        "loire", "Loire", "Hôtel de ville", "2", 10, 28.0, MIDNIGHT - timedelta(days=1), MIDNIGHT, NOTICE, "day",
        weeks=(
            RoomWeek({"time_utilisation": 41.0, "temperature_in_band": 88.0, "co2_occupied": 684.0}, {}, 0.97),
            RoomWeek({"time_utilisation": 37.5, "temperature_in_band": 91.0}, {}, 0.62),
        ),
        week=MIDNIGHT.date() - timedelta(days=MIDNIGHT.weekday() + 7),
        seasons=(
            RoomSeason(date(2026, 3, 1), RoomWeek({"time_utilisation": 22.0, "meetings": 2.1, "co2_occupied": 610.0})),
            RoomSeason(date(2025, 12, 1), RoomWeek({"time_utilisation": 41.0, "meetings": 3.4, "temperature_in_band": 88.0, "co2_occupied": 702.0}),
                       {"temperature": (5200, 3100, 900, 60), "co2": (4100, 3900, 1000, 260)}),
            RoomSeason(date(2025, 9, 1), RoomWeek({"time_utilisation": 44.0, "meetings": 3.6, "temperature_in_band": 79.0, "co2_occupied": 811.0}),
                       {"temperature": (3200, 4100, 1900, 420), "co2": (2100, 3900, 2400, 1260)}),
        ),
        voices=(VoicesOfMonth(date(2026, 4, 1), 1412, 0.81), VoicesOfMonth(date(2026, 2, 1), 12, 0.5)),
        series=series(), daily=daily, devices=devices, experiments=((PROTOCOL.slug, PROTOCOL.title),),
        form_url="https://temoin.example.org/r/loire?k=1.abc",
    )  # fmt: skip
    alive = replace(alive, profile=Profile(2, 37, 1.4, 23.4, 12, 6, 4, 38), volume_m3=60)
    return {
        "room": alive,
        "room-week": replace(alive, span="week", past=True, start=MIDNIGHT - timedelta(days=8), end=MIDNIGHT - timedelta(days=1), notice=replace(NOTICE, metrics=None), profile=Profile(air_days=4, fall_days=1)),
        "room-hidden": replace(alive, profile=None, weeks=None, week=None, seasons=(), voices=(), series=(), daily=(), hidden=Hidden(PROTOCOL.slug, PROTOCOL.title, ENDS)),
        "room-empty": replace(alive, weeks=(RoomWeek(), RoomWeek()), seasons=(), voices=(), notice=replace(NOTICE, devices=0, metrics=(), alone=True, readings_days=395), series=(), daily=(), devices=(), experiments=(), capacity=None, area_m2=None, floor=None),
    }  # fmt: skip


def gateways() -> tuple[GatewayLine, ...]:
    """One that is well, one that is not, one that never spoke, one that nobody added."""
    week = [NOW.date() - timedelta(days=n) for n in reversed(range(7))]
    well = GatewayLine(
        "annexe", added=True, last_message=NOW, silent=False, unpromised=0.0, refused=0.0004, devices=21,
        messages=tuple((day, 1400 + 90 * n) for n, day in enumerate(week)),
        token="good", token_until=NOW + timedelta(days=300),
    )  # fmt: skip
    return (
        well,
        replace(well, name="hall", last_message=NOW - timedelta(hours=9), silent=True, unpromised=0.35, refused=0.12,
                token="soon", token_until=NOW + timedelta(days=12)),
        replace(well, name="toit-nord-de-la-mediatheque-jacques-demy", last_message=None, silent=True, unpromised=None,
                refused=None, devices=0, messages=tuple((day, 0) for day in week), token="ended"),
        replace(well, name="zigbee2mqtt", added=False, token=None, token_until=None),
        replace(well, name="sous-sol", messages=tuple((day, None if n > 3 else 900) for n, day in enumerate(week))),
    )  # fmt: skip


def site_pages() -> dict[str, Page]:
    """Sites, one site (full, empty, a list read with and without mistakes), a room, changed meanwhile."""
    lines = (
        SiteLine("mairie", "Hôtel de ville", time(8), time(19), "12345", 2),
        SiteLine("annexe", "Annexe", time(8, 30), time(18), "12345", 0),
    )
    rooms = (("loire", "Loire", "2", 10), ("erdre", "Erdre", None, None))
    closed = ((date(2026, 5, 1), "Fête du Travail"), (date(2026, 5, 15), "pont"))
    whole = SitePage(
        lines[0], rooms, closed, Hours("Hôtel de ville"), date(2026, 5, 8), (2025, 2026, 2027), seen="x"
    )
    read = (
        PastedLine(1, "Loire", 10, "2", 24.5, None, known=True),
        PastedLine(2, "Vilaine", 8, None, None, 61.0),
    )
    wrong = (
        *read,
        PastedLine(3, "", None, None, None, None, mistakes={"name": "missing", "capacity": "bad"}),
    )
    typed = {"name": "Loire", "floor": "2", "capacity": "dix", "area_m2": "", "volume_m3": "1e9"}
    kept = {**typed, "capacity": "10", "volume_m3": "61"}
    facts = RoomFactsPage("loire", "Loire", ("mairie", "Hôtel de ville"), kept, kept, seen="x")
    return {
        "sites": SitesPage(lines, Hours("")),
        "sites-wrong": SitesPage((), Hours("", weekdays="", mistakes={"name": "missing", "weekdays": "missing"}), {"name": "missing", "weekdays": "missing"}),
        "site": whole,
        "site-empty": SitePage(lines[1], (), (), Hours("Annexe"), date(2026, 5, 8), (2025, 2026, 2027), seen="x", saved=True),
        "site-list": replace(whole, rows=read, typed={"list": "Loire;10"}),
        "site-list-wrong": replace(whole, rows=wrong, typed={"list": "Loire;10"}),
        "room-facts": facts,
        "room-facts-wrong": replace(facts, typed=typed, mistakes={"capacity": "bad", "volume_m3": "range", "delete": "used"}, meanwhile=True),
    }  # fmt: skip


def device_pages() -> dict[str, Page]:
    """The list, full, searched and empty; one device, placed, new, with mistakes, changed meanwhile."""
    lines = (
        DeviceLine("city/am319-0099", None, None, None, NOW - timedelta(minutes=2)),
        DeviceLine(
            "zigbee2mqtt/salle-de-réunion-du-conseil-municipal-côté-jardin",
            None,
            None,
            None,
            NOW - timedelta(days=3),
            silent=True,
        ),
        DeviceLine("city/am319-0013", "Ambiance, mur nord", ("loire", "Loire"), STARTED, NOW),
        DeviceLine(
            "city/vs121-0077", None, ("erdre", "Erdre"), STARTED, NOW - timedelta(hours=9), silent=True
        ),
    )
    sites = (("Hôtel de ville", (("loire", "Loire"), ("erdre", "Erdre"))), ("Annexe", (("sevre", "Sèvre"),)))
    trial = (PROTOCOL.slug, PROTOCOL.title)
    stays = (
        StayLine(7, ("loire", "Loire"), STARTED, None, trial),
        StayLine(3, ("sevre", "Sèvre"), STARTED - timedelta(days=200), STARTED),
    )
    placed = DevicePage(
        lines[2],
        stays,
        sites,
        DeviceForm(
            "loire",
            label="Ambiance, mur nord",
            model="AM319",
            position="Mur nord, 1,5 m",
            continues="city/am307-0412",
        ),
        "AM319",
        "Mur nord, 1,5 m",
        None,
        "city/am307-0412",
        STARTED - timedelta(days=200),
        frozenset({"loire"}),
        "loire",
        seen="x",
    )
    mistakes = {"at": "ahead", "heartbeat": "bad", "label": "long"}
    return {
        "devices": DevicesPage(lines, 204, "", 2, 3),
        "devices-nothing": DevicesPage((), 0, "vilaine"),
        "devices-empty": DevicesPage((), 0),
        "device": placed,
        "device-new": DevicePage(lines[0], (), sites, DeviceForm(), first_seen=NOW - timedelta(minutes=40), seen="x"),
        "device-mistakes": replace(placed, form=DeviceForm("erdre", "at", "2027-01-01T08:00", label="x" * 130, heartbeat="soixante"), mistakes=mistakes),
        "device-overlap": replace(placed, form=DeviceForm("loire", stay="7", start="2025-05-01T08:00"), mistakes={"start": "overlap"}, other=("Sèvre", "2025-10-20 09:00")),
        "device-meanwhile": replace(placed, meanwhile=True),
        "device-noted": replace(placed, done="noted"),
        "device-reader": replace(placed, may_change=False),
    }  # fmt: skip


def faults() -> tuple[Fault, ...]:
    """One of each kind, in a trial, in another room and without one."""
    loire, trial = ("loire", "Loire"), (PROTOCOL.slug, PROTOCOL.title)
    return (
        Fault("silent", "city/vs121-0077", "Comptage Loire", NOW - timedelta(hours=9), loire, trial, usual_hours=0.5),
        Fault("clock", "city/am319-0013", None, NOW - timedelta(days=2), loire, trial),
        Fault("stuck", "city/am319-0044", "Ambiance Erdre", NOW.date() - timedelta(days=3), ("erdre", "Erdre"), None, ("co2",)),
        Fault("apart", "city/am319-0045", None, NOW.date() - timedelta(days=1), ("erdre", "Erdre"), None, ("co2", "temperature", "humidity")),
        Fault("battery", "zigbee2mqtt/salle-de-réunion-du-conseil-municipal-côté-jardin", None, NOW.date(), ("sevre", "Sèvre"), None, battery=7.0),
        Fault("silent", "city/new", None, None, ("sevre", "Sèvre"), None, usual_hours=2.0),
        Fault("range", "hall/probe", None, NOW - timedelta(hours=30)),
    )  # fmt: skip


def week(used: float, co2: float, warm: float, coverage: float = 0.97) -> RoomWeek:
    """A week of a room that is measured."""
    values = {
        "time_utilisation": used,
        "meetings": used / 9,
        "co2_occupied": co2,
        "temperature_in_band": warm,
    }
    return RoomWeek(values, dict.fromkeys(values, 5), coverage)


def compare_pages() -> dict[str, ComparePage]:
    """Three rooms of which one is hidden, none that is known, and what cannot be asked."""
    monday = NOW.date() - timedelta(days=NOW.weekday())
    mondays = tuple(monday - timedelta(weeks=8 - n) for n in range(8))
    weeks = tuple(week(30 + (n * 37) % 29, 600 + (n * 53) % 240, 80 + (n * 17) % 20) for n in range(8))
    other = tuple(RoomWeek(coverage=0.2) if n in (2, 3) else week(12 + n, 480 + 9 * n, 97) for n in range(8))
    sealed = (RoomWeek(coverage=0.9),) * 8
    outcomes = ("time_utilisation", "meetings", "co2_occupied", "temperature_in_band")
    rooms = (
        RoomBeside("loire", "Loire", "Hôtel de ville", 10, weeks),
        RoomBeside("petite", "Petite salle du conseil municipal", "Annexe", 4, other),
        RoomBeside("erdre", "Erdre", "Hôtel de ville", 8, sealed, Hidden("ecrans", "Écrans de réservation", ENDS)),
    )  # fmt: skip
    return {
        "compare": ComparePage(mondays, outcomes, rooms),
        "compare-nothing": ComparePage(mondays, (), (rooms[2], replace(rooms[2], weeks=(RoomWeek(),) * 8))),
        "compare-few": ComparePage(mondays, mistake="few"),
        "compare-many": ComparePage(mondays, mistake="many"),
        "compare-unknown": ComparePage(mondays, mistake="unknown"),
    }


def home(every: tuple[ExperimentLine, ...]) -> HomePage:
    """A day on which everything waits."""
    day = NOW.date()
    return HomePage(
        day,
        running=(replace(every[3], answers=143),),
        to_decide=every[:3],
        next_up=every[4:5],
        look_at=(
            ToLookAt("interim_ends", "ecrans", "Écrans de réservation devant les portes", day - timedelta(days=2)),
            ToLookAt("interim_due", "assises", "Assises hautes pour les réunions courtes", day - timedelta(days=1)),
            ToLookAt("unplanned", "ecrans", "Écrans de réservation devant les portes", day - timedelta(days=3), "L’écran de la salle Erdre est resté éteint deux jours."),
        ),
        silent=(SilentDevice("city/vs121-0077", "Loire", "loire", NOW - timedelta(hours=9), ("tables-modulaires", PROTOCOL.title)), SilentDevice("city/new", "Erdre", "erdre", None, ("ecrans", "Écrans de réservation devant les portes"))),
        silent_elsewhere=2,
        growth=Growth(412, 3),
        deadlines=(
            Deadline("layout", day - timedelta(days=1), PROTOCOL.title, PROTOCOL.slug, past=True),
            Deadline("token", day + timedelta(days=4), "toit-nord"),
            Deadline("experiment", day + timedelta(days=9), "Écrans de réservation devant les portes", "ecrans"),
        ),
        learned=(
            Learned("cloisons", "Cloisons acoustiques mobiles", "adjust", day - timedelta(days=30), "Le bruit baisse, mais les cloisons gênent le passage des fauteuils : des modèles plus étroits sont à essayer."),
            Learned("coin-calme", "Un coin calme au troisième étage", "extend", day - timedelta(days=60), ""),
        ),
        decided=7,
        rooms=16,
        devices=52,
        answers_week=143,
        quarantined=2,
    )  # fmt: skip


def gallery() -> dict[str, Page]:
    """Name of the state → its page."""
    rooms = (
        RoomLine("loire", "Loire", "2", 10, 3, 0, week(41.2, 612.0, 96.4), week(35.0, 655.0, 88.0)),
        RoomLine("erdre", "Erdre", "2", 8, 3, 1, RoomWeek(coverage=0.61), RoomWeek(coverage=0.94), "ecrans", "Écrans de réservation"),
        RoomLine("isac", "Isac", "0", 12, 2, 2, RoomWeek(coverage=0.12), week(8.0, 480.0, 100.0)),
        RoomLine("sevre", "Sèvre", None, None, 0, 0),
    )  # fmt: skip
    every = lines()
    return {
        **{f"experiment-{name}": shown for name, shown in experiments().items()},
        **room_pages(),
        "home": home(every),
        "home-quiet": HomePage(NOW.date(), running=(every[3],), rooms=16, devices=52, answers_week=143, silent_elsewhere=1, quarantined=2),
        "home-empty": HomePage(NOW.date(), path={"rooms": False, "heard": False, "placed": False, "experiment": False}, example=ExampleFile(NOW.date())),
        "home-begun": HomePage(NOW.date(), path={"rooms": True, "heard": True, "placed": False, "experiment": False}, rooms=8, example=ExampleFile(NOW.date())),
        "home-store-away": HomePage(NOW.date(), standstill=Standstill("store", NOW - timedelta(hours=3), 41_250)),
        "home-full": HomePage(NOW.date(), standstill=Standstill("full", None, 1)),
        "home-progress": HomePage(NOW.date(), progress=Progress(31, 84, "history")),
        "experiments": ExperimentsPage(every, ExampleFile(NOW.date())),
        "experiments-empty": ExperimentsPage((), ExampleFile(NOW.date())),
        "rooms": RoomsPage((SiteRooms("hdv", "Hôtel de ville", rooms), SiteRooms("beaulieu", "Beaulieu", ())), date(2026, 4, 27)),
        "rooms-empty": RoomsPage((), date(2026, 4, 27)),
        **compare_pages(),
        **quarantine_states.quarantine_pages(),
        **quarantine_states.export_pages(),
        **quarantine_states.import_pages(),
        **device_pages(),
        **site_pages(),
        "device-health": DeviceHealthPage(faults(), 41),
        "device-health-well": DeviceHealthPage((), 41),
        "device-health-empty": DeviceHealthPage((), 0),
        "gateways": GatewaysPage(gateways()),
        "gateways-empty": GatewaysPage(()),
        "sign-in": SignInPage(),
        "sign-in-nobody": SignInPage(nobody=True),
        "sign-in-wrong": SignInPage("/rooms", email="a@b.fr", error="wrong"),
        "sign-in-code": CodePage("/rooms", ticket="t"),
        "sign-in-code-wrong": CodePage("/rooms", ticket="t", error="wrong"),
        "second-factor": SecondFactorPage("nora@ville.example", owed=True, mistakes={"current": "wrong"}),
        "second-factor-secret": SecondFactorPage(
            "nora@ville.example",
            draft="d",
            secret="GEZD GNBV GY3T QOJQ GEZD GNBV GY3T QOJQ",
            address="otpauth://totp/T%C3%A9moin%3Anora%40ville.example?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&issuer=T%C3%A9moin",
        ),
        "second-factor-made": SecondFactorPage(
            "nora@ville.example", recovery=("GEZD GNBV GY3T QOJQ GEZD GNBV",) * 10
        ),
        "second-factor-there": SecondFactorPage(
            "nora@ville.example", since=datetime(2026, 3, 2, 9, 30, tzinfo=UTC), left=1
        ),
        "sign-in-too-many": SignInPage(error="too_many", minutes=14),
        "sign-in-provider": SignInPage(provider="compte Ville de Nantes"),
        "sign-in-provider-away": SignInPage(provider="", error="away"),
        "sign-in-kept": SignInPage(provider="", kept=KEPT),
        "resume": ResumePage(KEPT, "csrf"),
        "forgotten": ForgottenPage("csrf"),
        "forgotten-sent": ForgottenPage("csrf", "sent"),
        "forgotten-too-many": ForgottenPage("csrf", "too_many", 9),
        "forgotten-no-mail": ForgottenPage("csrf", "no_mail"),
        "new-password": NewPasswordPage("token", "csrf", "a@b.fr"),
        "new-password-differ": NewPasswordPage("token", "csrf", "a@b.fr", "differ"),
        "new-password-guessable": NewPasswordPage("token", "csrf", "a@b.fr", "guessable"),
        "new-password-spent": NewPasswordPage(None),
        **people_states.gallery(),
        **share_states.gallery(experiments()["generalise"]),
        "error": ErrorPage(404, "not_found"),
        "error-failed": ErrorPage(500, "failed"),
        "method": MethodPage(),
        "look": LookPage(),
        "glossary": GlossaryPage(),
        "site-map": SiteMapPage(),
        "accessibility": AccessibilityPage("Ville de Nantes", "accessibilite@nantes.example"),
        "accessibility-nobody": AccessibilityPage(),
        "form": FormPage("loire", "Loire", "nonce", "1.abc", "discomfort"),
        "form-error": FormPage("loire", "Loire", "nonce", "1.abc", None, "missing", {"helped": "5", "remark": "La prise"}),
        "thanks": ThanksPage("loire", "Loire"),
        "notice": NoticePage("loire", "Loire", NOTICE),
        "poster": PosterPage("loire", "Loire", "https://temoin.example.org/r/loire?k=1.abcdefghijklmnop"),
    }  # fmt: skip
