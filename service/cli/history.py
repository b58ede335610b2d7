"""`temoin import`: readings that were measured before Témoin was there."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path  # noqa: TC003 - typer reads the annotations
from typing import TYPE_CHECKING, Annotated

import typer

from service.cli.end import FAILED, REJECTED_INPUT, WRONG_USE, Ended, registry_or_end, settings_or_end

if TYPE_CHECKING:
    from service.history import Survey


def register(app: typer.Typer) -> None:
    """Add this family to the command."""
    app.command("import")(import_)


def import_(
    file: Annotated[Path, typer.Argument(help="CSV (also .gz), Excel or Parquet, wide or long.")],
    map_: Annotated[
        Path | None,
        typer.Option("--map", help="TOML: which columns are the device, the time and the metrics."),
    ] = None,
    keep_good: Annotated[
        bool, typer.Option("--keep-good", help="Leave out the lines that are wrong and say which.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="The report as JSON.")] = False,
) -> None:
    """Store the history in a file, through the same quality gate as live readings.

    The whole file is read before anything is written: a wrong line refuses all of it, unless --keep-good.
    Values that no sensor can have measured are left out and told. Importing a file again changes nothing.

    Example: temoin import sensors-2025.csv --map sensors.toml
    """
    from sensors.history_map import load_map  # noqa: PLC0415 - not for --help
    from sensors.reading import HistoryRejected, SensorError  # noqa: PLC0415 - likewise
    from service.history import HistoryFile, import_history  # noqa: PLC0415 - likewise
    from service.river import open_store  # noqa: PLC0415 - likewise

    if not file.exists():
        raise Ended(f"{file}: there is no such file", WRONG_USE)
    settings = settings_or_end()
    registry = registry_or_end(settings)
    try:
        history_map = load_map(map_) if map_ else None
        history = HistoryFile(file, history_map, settings.zone, datetime.now(UTC))
        store = open_store(settings)
        try:
            survey = import_history(history, store, registry, keep_good=keep_good)
        finally:
            store.close()
    except HistoryRejected as rejection:
        raise Ended(f"{file.name}: nothing was imported.\n{rejection}", REJECTED_INPUT) from rejection
    except SensorError as error:
        raise Ended(str(error), FAILED) from error
    typer.echo(_as_json(survey) if as_json else _in_words(survey))


def _as_json(survey: Survey) -> str:
    return json.dumps(
        {
            "lines": survey.lines,
            "readings": survey.readings,
            "devices": sorted(survey.devices),
            "first_day": str(min(survey.days)),
            "last_day": str(max(survey.days)),
            "lines_left_out": survey.faulty_lines,
            "faults": survey.faults,
            "readings_refused": survey.refused.total(),
            "refused": dict(survey.refused),
            "refusals": survey.refusals,
        },
        ensure_ascii=False,
        indent=2,
    )


def _in_words(survey: Survey) -> str:
    what = f"{survey.readings} readings of {len(survey.devices)} devices"
    said = [f"{what}, {min(survey.days)} to {max(survey.days)}, from {survey.lines} lines."]
    said += [f"  {device}" for device in sorted(survey.devices)]
    if survey.faulty_lines:
        said.append(f"{survey.faulty_lines} lines were left out:")
        said += [f"  {fault}" for fault in survey.faults]
        said += _rest(survey.faulty_lines, len(survey.faults))
    if survey.refused:
        said.append(f"{survey.refused.total()} readings were left out, no sensor can have measured them:")
        said += [f"  {cause}: {count}" for cause, count in survey.refused.most_common()]
        said += [f"  {refusal}" for refusal in survey.refusals[:5]]
        said += _rest(survey.refused.total(), min(5, len(survey.refusals)))
    return "\n".join(said)


def _rest(count: int, told: int) -> list[str]:
    return [f"  and {count - told} more"] if count > told else []
