"""`temoin analyse` and `temoin plan`: the comparison on anybody's panel, and what a design promises."""

from __future__ import annotations

import json
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from service.cli.panel_file import check_switches, read_panel, read_switches, read_text, refused

if TYPE_CHECKING:
    from experiments import Result

Csv = Annotated[Path, typer.Argument(exists=True, dir_okay=False, metavar="PANEL.csv", help="room,day,value")]


class Better(Enum):
    """Which way is good."""

    higher = "higher"
    lower = "lower"


class Assignment(Enum):
    """How the treated rooms were chosen."""

    lot = "lot"
    reasoned = "reasoned"
    unknown = "unknown"


class Locale(Enum):
    """The language of the sentences."""

    fr = "fr"
    en = "en"


AsJson = Annotated[bool, typer.Option("--json", help="Every number as JSON on standard output.")]
Words = Annotated[Locale, typer.Option("--locale", envvar="TEMOIN_LOCALE", help="Language of the sentences.")]
Chosen = Annotated[Assignment, typer.Option(help="How the treated rooms were chosen.")]
Alpha = Annotated[
    float, typer.Option(min=1e-6, max=0.5, help="Level of the test; the interval is 1 - alpha.")
]
Useful = Annotated[
    float | None, typer.Option(help="Smallest useful effect, a size above 0; without it, no verdict.")
]


def register(app: typer.Typer) -> None:
    """Add `analyse` and `plan`."""
    app.command(
        epilog="Example: temoin analyse panel.csv --switch switch.csv --useful 15 --assignment lot  ·  "
        "temoin analyse panel.csv --design protocol.json --json"
    )(analyse)
    app.command(epilog="Example: temoin plan --treated 3 --baseline 5 --sd 12 --useful 15")(plan)


def analyse(  # noqa: PLR0913, PLR0917 - one parameter an option
    context: typer.Context,
    panel: Csv,
    switch: Annotated[
        Path | None,
        typer.Option(
            exists=True,
            dir_okay=False,
            metavar="SWITCH.csv",
            help="room,switch: first day after the change; a room not listed, or with no day, is baseline.",
        ),
    ] = None,
    design: Annotated[
        Path | None,
        typer.Option(
            exists=True,
            dir_okay=False,
            metavar="PROTOCOL.json",
            help="A locked protocol; the panel then has a column outcome (and n for voices).",
        ),
    ] = None,
    room: Annotated[str, typer.Option(help="Name of the column of rooms.")] = "room",
    day: Annotated[str, typer.Option(help="Name of the column of days.")] = "day",
    value: Annotated[str, typer.Option(help="Name of the column of values.")] = "value",
    min_days: Annotated[int, typer.Option(min=1, help="Days asked of each room before and after.")] = 10,
    washout: Annotated[int, typer.Option(min=0, help="Days dropped from the switch on.")] = 0,
    assignment: Chosen = Assignment.unknown,
    useful: Useful = None,
    better: Annotated[Better, typer.Option(help="Which way is good.")] = Better.higher,
    alpha: Alpha = 0.05,
    seed: Annotated[int, typer.Option(help="Of sampled randomisation.")] = 0,
    as_json: AsJson = False,
    locale: Words = Locale.en,
) -> None:
    """Compare rooms that changed with rooms that did not, before and after; rooms, schools or shops."""
    if (switch is None) == (design is None):
        raise typer.BadParameter("give either --switch SWITCH.csv or --design PROTOCOL.json", context)
    columns = {"room": room, "day": day, "value": value}
    if design is not None:
        _refuse_with_design(context)
        result = _by_protocol(panel, design, columns)
    else:
        given = {"min_days": min_days, "washout": washout, "assignment": assignment.value, "seed": seed}
        measure = {"useful": useful, "better": better.value}
        result = _by_switch(panel, Path(str(switch)), columns, given, measure, alpha)
    if as_json:
        _print_json(_document(result))
    else:
        from service.cli.terminal import show_result  # noqa: PLC0415 - words are not for --json

        show_result(result, locale.value, locked=design is not None)


def plan(  # noqa: PLR0913, PLR0917 - one parameter an option
    treated: Annotated[int, typer.Option(min=1, help="Rooms that would change.")],
    baseline: Annotated[int, typer.Option(min=1, help="Rooms that would not.")],
    history: Annotated[
        Path | None,
        typer.Option(
            exists=True, dir_okay=False, metavar="PANEL.csv", help="A panel in which nothing changed."
        ),
    ] = None,
    sd: Annotated[float | None, typer.Option(help="SD of room changes when nothing changes.")] = None,
    lasting: Annotated[
        float, typer.Option(min=0, help="The part of that SD which more days would not remove.")
    ] = 0.0,
    days_before: Annotated[int, typer.Option(min=1, help="Planned days before the switch.")] = 40,
    days_after: Annotated[int, typer.Option(min=1, help="Planned days after it.")] = 40,
    useful: Useful = None,
    assignment: Chosen = Assignment.lot,
    alpha: Alpha = 0.05,
    interim: Annotated[bool, typer.Option(help="One look at half-time is planned.")] = False,
    as_json: AsJson = False,
    locale: Words = Locale.en,
) -> None:
    """What so many rooms could tell, before anything is changed."""
    from experiments import DesignError  # noqa: PLC0415 - numbers are not for --help
    from experiments import plan as planned  # noqa: PLC0415 - the same

    if history is not None and sd is not None:
        raise typer.BadParameter("give either --history or --sd")
    past = None if history is None else read_panel(history, {"room": "room", "day": "day", "value": "value"})
    try:
        promised = planned(
            treated,
            baseline,
            sd=sd,
            lasting=lasting,
            history=past,
            days_before=days_before,
            days_after=days_after,
            useful=useful,
            assignment=assignment.value,
            alpha=alpha,
            interim=interim,
        )
    except DesignError as error:
        if history is not None:
            raise refused(history, str(error)) from error
        raise typer.BadParameter(str(error)) from error
    if as_json:
        _print_json(promised.to_dict())
    else:
        from service.cli.terminal import show_plan  # noqa: PLC0415 - words are not for --json

        show_plan(promised, locale.value)


def _refuse_with_design(context: typer.Context) -> None:
    """A protocol fixed these beforehand; an option that contradicts it would be a second truth."""
    for name in ("min_days", "washout", "assignment", "useful", "better", "alpha", "seed"):
        source = context.get_parameter_source(name)
        if source is not None and source.name == "COMMANDLINE":
            raise typer.BadParameter(f"--{name.replace('_', '-')} is fixed by the protocol of --design")


def _by_protocol(panel: Path, path: Path, columns: dict[str, str]) -> Result:
    from experiments import DesignError, PanelError, Protocol  # noqa: PLC0415 - numbers are not for --help
    from experiments import analyse as analysed  # noqa: PLC0415 - the same

    try:
        protocol = Protocol.from_json(read_text(path))
    except DesignError as error:
        raise refused(path, str(error)) from error
    frame = read_panel(panel, columns, outcomes=True)
    if protocol.primary.outcome not in set(frame["outcome"]):
        raise refused(panel, f"no row of the primary outcome {protocol.primary.outcome!r}")
    try:
        return analysed(frame, protocol)
    except (PanelError, DesignError) as error:
        raise refused(panel, str(error)) from error


def _by_switch(
    panel: Path,
    path: Path,
    columns: dict[str, str],
    given: dict[str, Any],
    measure: dict[str, Any],
    alpha: float,
) -> Result:
    from experiments import Design, DesignError, Measure, PanelError, Protocol  # noqa: PLC0415 - numbers are not for --help
    from experiments import analyse as analysed  # noqa: PLC0415 - the same

    frame = read_panel(panel, columns)
    switches = read_switches(path)
    days = check_switches(frame, switches, panel, path)
    baseline = tuple(sorted(set(frame["room"]) - set(switches)))
    outcome = columns["value"]
    try:
        protocol = Protocol(
            slug="analyse",
            title=panel.name,
            design=Design(switches, baseline, **given),
            starts=days[0],
            ends=days[-1],
            measures=(Measure(outcome, "primary", measure["better"], measure["useful"]),),
            alpha=alpha,
        )
    except DesignError as error:
        raise typer.BadParameter(str(error)) from error
    try:
        return analysed(frame.assign(outcome=outcome), protocol)
    except (PanelError, DesignError) as error:
        raise refused(panel, str(error)) from error


def _document(result: Result) -> dict[str, Any]:
    """The Estimate's fields of the primary outcome, then the whole result."""
    estimated = {} if result.primary is None else result.primary.estimate.to_dict()
    return estimated | result.to_dict()


def _print_json(document: dict[str, Any]) -> None:
    typer.echo(json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False))
