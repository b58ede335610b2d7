"""`temoin analyse` and `temoin plan` as somebody types them, on good files and on every wrong one."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pytest
import typer
from typer.testing import CliRunner

from experiments import Measure, Protocol, analyse, compare
from experiments.simulate import Scenario, panel
from service.cli import analysis
from service.cli.end import Ended

if TYPE_CHECKING:
    from pathlib import Path

APP = typer.Typer()
analysis.register(APP)


def temoin(*args: object) -> tuple[int, str]:
    """Exit code and all that was said, the ending sentence included."""
    result = CliRunner().invoke(APP, [str(arg) for arg in args], env={"COLUMNS": "100"})
    if isinstance(result.exception, Ended):
        return result.exception.code, str(result.exception)
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.exit_code, result.output


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path]:
    data, design = panel(Scenario(effect=2.0, holes=0.05), seed=4)
    data.to_csv(tmp_path / "panel.csv", index=False)
    rows = [f"{room},{day}" for room, day in design.switch.items()] + ["room 08,"]
    (tmp_path / "switch.csv").write_text("room,switch\n" + "\n".join(rows) + "\n")
    return tmp_path / "panel.csv", tmp_path / "switch.csv"


def test_json_has_the_estimate_s_numbers_to_the_last_digit(files):
    code, said = temoin(
        "analyse", files[0], "--switch", files[1], "--assignment", "lot", "--useful", 1.5, "--json"
    )
    document = json.loads(said)
    data, design = panel(Scenario(effect=2.0, holes=0.05), seed=4)
    expected = compare(data, design).to_dict()
    assert code == 0
    assert {
        key: document[key] for key in ("effect", "se", "ci_low", "p_value", "p_randomised", "changes")
    } == {key: expected[key] for key in ("effect", "se", "ci_low", "p_value", "p_randomised", "changes")}
    assert (document["verdict"], document["grade"]) == ("generalise", "decision")
    assert {"p_floor", "excluded", "leave_one_out", "effect_detrended", "n_treated", "reasons"} <= set(
        document
    )


def test_without_json_there_is_a_sentence_a_table_and_a_dot_plot(files):
    code, said = temoin("analyse", files[0], "--switch", files[1], "--locale", "fr")
    assert code == 0
    assert "salles réaménagées" in said
    assert "tirage" in said
    assert said.count("●") == 8 + 1  # a room each, and the key


@pytest.mark.parametrize(
    ("scale", "effect", "interval"),
    [
        (1.0, "2.60", "1.93 to 3.28"),
        (1e-4, "0.000260", "0.000193 to 0.000328"),
        (1e4, "26,046", "19,279 to 32,813"),
    ],
)
def test_numbers_have_the_digits_their_interval_bears(files, scale, effect, interval):
    data = pd.read_csv(files[0])
    data.assign(value=data.value * scale).to_csv(files[0], index=False)
    _, said = temoin("analyse", files[0], "--switch", files[1])
    lines = [line.split() for line in said.splitlines()]
    assert ["effect", effect] in lines
    assert ["95%", "interval", *interval.split()] in lines


def test_what_no_guardrail_watched_is_not_said_to_be_unharmed(files):
    told = {
        locale: temoin(
            *("analyse", files[0], "--switch", files[1], "--assignment", "lot", "--useful", 1),
            *("--locale", locale),
        )[1]
        for locale in ("fr", "en")
    }
    assert "On peut généraliser" in told["fr"]
    assert "rien d’abîmé" not in told["fr"]
    assert "nothing harmed" not in told["en"]


def test_with_a_protocol_the_answer_is_the_page_s(tmp_path):
    data, design = panel(Scenario(effect=2.0, holes=0.05), seed=4)
    both = pd.concat([data.assign(outcome="minutes"), data.assign(outcome="co2", value=data.value / 3)])
    protocol = Protocol(
        "slug",
        "Title",
        design,
        min(data.day),
        max(data.day),
        (Measure("minutes", "primary", "higher", 1.5), Measure("co2", "guardrail", "lower", margin=5.0)),
    )
    both.to_csv(tmp_path / "both.csv", index=False)
    (tmp_path / "protocol.json").write_text(protocol.to_json())
    code, said = temoin("analyse", tmp_path / "both.csv", "--design", tmp_path / "protocol.json", "--json")
    page = json.loads(json.dumps(analyse(both, protocol).to_dict()))
    document = json.loads(said)
    assert code == 0
    assert {key: document[key] for key in page} == page


def test_any_panel_will_do_with_years_and_other_names(tmp_path):
    rng = np.random.default_rng(1)
    rows = [(f"school {i}", year, rng.normal()) for i in range(9) for year in range(2000, 2024)]
    pd.DataFrame(rows, columns=["school", "year", "score"]).to_csv(tmp_path / "p.csv", index=False)
    (tmp_path / "s.csv").write_text("room,switch\nschool 1,2012\nschool 2,2013\n")
    columns = ["--room", "school", "--day", "year", "--value", "score"]
    code, said = temoin("analyse", tmp_path / "p.csv", "--switch", tmp_path / "s.csv", *columns, "--json")
    assert code == 0
    assert json.loads(said)["n_baseline"] == 7


PANEL = "room,day,value\n" + "".join(f"{room},{day},{day % 3}\n" for room in "abcd" for day in range(24))
SWITCH = "room,switch\na,12\nb,12\n"
WRONG = {
    "a room twice on a day": (
        PANEL + "a,3,0\n",
        SWITCH,
        "line 98: room 'a' is there twice on 3 (first on line 5)",
    ),
    "an unknown room": (
        PANEL,
        "room,switch\nz,12\n",
        "room 'z' is not in panel.csv, whose rooms are 'a', 'b', 'c', 'd'",
    ),
    "a switch after the end": (PANEL, "room,switch\na,99\n", "after the last day of panel.csv, 23"),
    "no day before": (PANEL, "room,switch\na,0\n", "no day of panel.csv is before"),
    "text in the value": (
        PANEL.replace("b,5,2", "b,5,many"),
        SWITCH,
        "line 31: value is 'many', not a number",
    ),
    "decimal commas": (PANEL.replace("b,5,2", 'b,5,"2,5"'), SWITCH, "write decimals with a point"),
    "an infinite value": (PANEL.replace("b,5,2", "b,5,inf"), SWITCH, "line 31: value is infinite"),
    "values too large for a computer": (PANEL.replace("b,5,2", "b,5,1e200"), SWITCH, "in another unit"),
    "one room only": ("room,day,value\na,1,2\na,2,3\n", "room,switch\na,2\n", "one room only"),
    "no switch at all": (PANEL, "room,switch\na,\n", "nothing was changed"),
    "a switch twice": (PANEL, SWITCH + "a,13\n", "line 4: room 'a' is there twice"),
    "semicolons and thousands": (
        PANEL.replace(",", ";").replace("b;5;2", "b;5;1.234,5"),
        SWITCH,
        "line 31: value is '1.234,5', not a number",
    ),
    "a missing column": (
        PANEL.replace("value", "minutes", 1),
        SWITCH,
        "no column 'value'; the first line says room, day, minutes; --room, --day and --value name other",
    ),
    "a French date": (
        PANEL.replace("a,1,", "a,13/04/2026,", 1),
        SWITCH,
        "day is '13/04/2026'; write a date as 2026-04-13",
    ),
    "dates and numbers": (PANEL + "a,2026-04-13,1\n", SWITCH, "some days are dates and some are numbers"),
    "switch of another kind": (PANEL, "room,switch\na,2026-04-13\n", "but the days of panel.csv are like 0"),
    "a column twice": (PANEL.replace("day", "room", 1), SWITCH, "two columns are named 'room'"),
    "a ragged line": (PANEL + "a,77\n", SWITCH, "line 98: 2 values for 3 columns"),
    "an empty file": ("", SWITCH, "the file is empty"),
    "a header alone": ("room,day,value\n", SWITCH, "no line below the header"),
    "a nameless room": (PANEL + ",3,1\n", SWITCH, "line 98: no room"),
    "a switch that is no day": (PANEL, "room,switch\na,soon\n", "line 2: day is 'soon'"),
}


@pytest.mark.parametrize("case", WRONG)
def test_each_wrong_file_has_its_sentence_and_exit_3(case, tmp_path):
    data, switch, words = WRONG[case]
    (tmp_path / "panel.csv").write_text(data)
    (tmp_path / "switch.csv").write_text(switch)
    code, said = temoin("analyse", tmp_path / "panel.csv", "--switch", tmp_path / "switch.csv")
    assert code == 3
    assert words in said


@pytest.mark.parametrize(
    "written",
    [
        lambda text: "\ufeff" + text,
        lambda text: "\ufeff" + text.replace(",", ";").replace(".", ","),
        lambda text: text.replace(",", "\t"),
        lambda text: text.replace("\n", "\r\n"),
    ],
    ids=["a byte order mark", "semicolons and decimal commas", "tabs", "lines of Windows"],
)
def test_a_panel_of_any_spreadsheet_is_the_same_panel(files, written):
    """What a French, a German or an English spreadsheet saves, both files alike."""
    asked = ["analyse", files[0], "--switch", files[1], "--json"]
    expected = temoin(*asked)
    for file in files:
        file.write_text(written(file.read_text()), newline="")
    assert temoin(*asked) == expected
    assert expected[0] == 0


@pytest.mark.parametrize(
    ("days", "switch"),
    [
        ([f"{2020 + n // 12}-{n % 12 + 1:02d}" for n in range(40)], "2021-09"),
        ([f"2024-W{n + 1:02d}" for n in range(40)], "2024-W21"),
        (list(range(1, 41)), 21),
        (list(range(1984, 2024)), 2004),
    ],
    ids=["months", "weeks of the year", "weeks counted", "years"],
)
def test_days_may_be_weeks_months_or_years(days, switch, tmp_path):
    rng = np.random.default_rng(2)
    rows = [
        (room, day, rng.normal() + 5 * (room < "c" and n >= 20))
        for room in "abcdefgh"
        for n, day in enumerate(days)
    ]
    pd.DataFrame(rows, columns=["room", "day", "value"]).to_csv(tmp_path / "p.csv", index=False)
    (tmp_path / "s.csv").write_text(f"room,switch\na,{switch}\nb,{switch}\n")
    code, said = temoin("analyse", tmp_path / "p.csv", "--switch", tmp_path / "s.csv", "--json")
    document = json.loads(said)
    assert code == 0
    assert document["effect"] == pytest.approx(5, abs=1)
    assert [(room["days_before"], room["days_after"]) for room in document["rooms"]] == [(20, 20)] * 8


def test_a_binary_file_and_a_broken_protocol_are_rejected(files, tmp_path):
    (tmp_path / "bytes.csv").write_bytes(b"\xff\xfe\x00room")
    (tmp_path / "broken.json").write_text("{")
    assert temoin("analyse", tmp_path / "bytes.csv", "--switch", files[1])[0] == 3
    assert temoin("analyse", files[0], "--design", tmp_path / "broken.json")[0] == 3


@pytest.mark.parametrize(
    "args",
    [
        [],
        ["--switch", "{switch}", "--design", "{switch}"],
        ["--switch", "nowhere.csv"],
        ["--switch", "{switch}", "--better", "bigger"],
        ["--switch", "{switch}", "--useful", "-3"],
        ["--switch", "{switch}", "--alpha", "2"],
        ["--design", "{switch}", "--min-days", "3"],
    ],
)
def test_wrong_use_is_exit_2(files, args):
    assert temoin("analyse", files[0], *[arg.format(switch=files[1]) for arg in args])[0] == 2


def test_a_plan_says_what_can_be_detected():
    code, said = temoin("plan", "--treated", 3, "--baseline", 5, "--sd", 12, "--useful", 15, "--json")
    document = json.loads(said)
    assert code == 0
    assert document["grade"] == "decision"
    assert document["mde80"] == pytest.approx(29.5, abs=0.05)
    assert document["mde80_generalise"] == pytest.approx(34.3, abs=0.3)
    assert temoin("plan", "--treated", 3, "--baseline", 5, "--sd", 12, "--locale", "fr")[0] == 0


@pytest.mark.parametrize(
    ("locale", "words"),
    [
        ("en", ["one worth most first", "as at least 21 days more would", "80 + 80 days"]),
        ("fr", ["vaut le plus", "comme avec au moins 21 jours de plus", "80 + 80 jours"]),
    ],
)
def test_a_plan_trades_days_against_rooms(locale, words):
    asked = ["plan", "--treated", 3, "--baseline", 5, "--sd", 12, "--locale", locale]
    code, said = temoin(*asked)
    assert code == 0
    assert [word for word in words if word not in said] == []
    assert "at least" not in temoin(*asked, "--lasting", 6)[1]


def test_a_plan_reads_its_spread_from_history(files):
    code, said = temoin("plan", "--treated", 3, "--baseline", 5, "--history", files[0], "--json")
    assert code == 0
    assert json.loads(said)["sd_low"] < json.loads(said)["sd"]


@pytest.mark.parametrize(
    "args",
    [
        ["--treated", "0", "--baseline", "5"],
        ["--treated", "3"],
        ["--treated", "3", "--baseline", "5", "--sd", "-1"],
    ],
)
def test_a_plan_that_makes_no_sense_is_exit_2(args):
    assert temoin("plan", *args)[0] == 2


def test_when_no_room_has_enough_days_the_option_is_named_and_chance_is_not_talked_of(tmp_path):
    rows = [(room, year, float(year % 5)) for room in "abcdef" for year in range(2018, 2024)]
    pd.DataFrame(rows, columns=["room", "day", "value"]).to_csv(tmp_path / "p.csv", index=False)
    (tmp_path / "s.csv").write_text("room,switch\na,2021\nb,2021\n")
    code, said = temoin("analyse", tmp_path / "p.csv", "--switch", tmp_path / "s.csv")
    assert code == 0
    assert "left out: a, b, c, d, e, f (" in said
    assert "--min-days" in said
    assert "0 + 0" not in said
    assert "Add " not in said


def test_two_rooms_have_an_effect_and_nothing_to_tell_it_from_chance(tmp_path):
    rows = [
        (room, day, float(day % 3) + 6 * (room == "a" and day >= 12)) for room in "ab" for day in range(24)
    ]
    pd.DataFrame(rows, columns=["room", "day", "value"]).to_csv(tmp_path / "p.csv", index=False)
    (tmp_path / "s.csv").write_text("room,switch\na,12\n")
    code, said = temoin("analyse", tmp_path / "p.csv", "--switch", tmp_path / "s.csv")
    assert code == 0
    assert "6.0 higher" in said
    assert "could not be estimated" not in said
    assert "1 time in 1" not in said
    assert "p (t" not in said
