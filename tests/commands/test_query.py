"""`query` reads the store beside a daemon or without one, and prints tables, JSON and CSV."""

from __future__ import annotations

import csv
import io
import json
from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from logger.commands import devices
from logger.commands.ui import console
from logger.commands.ui.answer_table import print_table
from logger.commands.ui.console import make_console
from logger.commands.ui.sparkline import draw_sparkline
from logger.days import first_instant
from logger.model import Role
from logger.query.named_query import AnswerTable, Column
from tests.clocks import noon_zone
from tests.commands.program import program
from tests.databases.influx1 import Influx1
from tests.endtoend.recorder import influxdb
from tests.history.load import write_lines
from tests.standin import BackgroundSimulator


@pytest.fixture
def recorded(site: BackgroundSimulator, tmp_path: Path) -> dict[str, str]:
    """The settings of a site of which one poll is in the store, and where no day ends soon."""
    settings = {**site.settings, "LOGGER_TIMEZONE": noon_zone()}
    done = program(tmp_path, "once", settings=settings)
    assert done.code == 0, done.err
    return settings


def test_now_as_table_json_and_csv_says_the_same(recorded: dict[str, str], tmp_path: Path) -> None:
    table = program(tmp_path, "query", "now", settings=recorded)
    assert table.code == 0, table.err
    assert table.out.splitlines()[0] == "Which powers flow now?"
    found = json.loads(program(tmp_path, "query", "now", "--json", settings=recorded).out)
    assert len(found) == 1
    assert f"{found[0]['production_power_w']:,.0f} W" in table.out
    rows = list(csv.DictReader(io.StringIO(program(tmp_path, "query", "now", "--csv", settings=recorded).out)))
    assert float(rows[0]["production_power_w"]) == found[0]["production_power_w"]


def test_a_query_of_what_is_not_recorded_says_so_and_ends_well(recorded: dict[str, str], tmp_path: Path) -> None:
    done = program(tmp_path, "query", "cost", settings=recorded)
    assert done.code == 0
    assert "Nothing is recorded for this query." in done.out
    assert "Try: set LOGGER_TARIFF_FILE" in done.out
    assert json.loads(program(tmp_path, "query", "cost", "--json", settings=recorded).out) == []


@pytest.mark.parametrize(("words", "limit"), [([], "5000"), (["--limit-w", "4200"], "4200")])
def test_an_answer_names_the_number_that_it_was_computed_with(
    words: list[str], limit: str, recorded: dict[str, str], tmp_path: Path
) -> None:
    told = program(tmp_path, "query", "export-limit", *words, settings=recorded).out
    assert f"Computed with --limit-w {limit}: " in " ".join(told.split())
    unpriced = program(tmp_path, "query", "payback", settings=recorded).out
    assert "Computed with" not in unpriced


@pytest.mark.parametrize("width", [32, 40, 160])
def test_no_terminal_is_too_narrow_for_whole_words_and_numbers(
    width: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(console, "_PIPE_WIDTH", width)
    columns = (
        Column("local_date", "day"), Column("load_wh", "used", "wh"), Column("own", "own use", "%"),
        Column("self", "self-sufficient", "%"), Column("made", "made", "wh"),
    )  # fmt: skip
    rows = [("2026-05-01", 12_345_678.0, 51.25, 9.0, 1.0), ("2026-05-02", 1.0, 2.0, 3.0, 4.0)]
    print_table(AnswerTable(columns, rows), "?")
    told = capsys.readouterr().out
    for whole in ("2026-05-01", "12,345.68 kWh", "self-sufficient", "51.2 %"):
        assert whole in told
    assert "No figure" not in told


@pytest.mark.parametrize("width", range(40, 110))
def test_a_table_that_fits_has_every_value_of_every_column(
    width: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(console, "_PIPE_WIDTH", width)
    columns = (
        Column("panel", "panel"), Column("serial", "serial"), Column("panel_group", "group"),
        Column("energy_wh", "last 7 days", "wh"), Column("span_wh", "in all", "wh"),
        Column("group_percent", "against its group", "%"), Column("silent_days", "silent days"),
        Column("low_days", "low days"),
    )  # fmt: skip
    row = ("482310000137", "482310000137", "south", 1_000.0, 2_000.0, 97.0, 31, 72)
    print_table(AnswerTable(columns, [row]), "?")
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= width
    told = " ".join(lines).split()
    for whole in ("south", "1.00", "2.00", "97.0", "31", "72", "low", "silent", "against"):
        assert whole in told


def test_every_text_is_printed_as_it_is_and_no_zero_has_a_sign(capsys: pytest.CaptureFixture[str]) -> None:
    names = ["[south] A1", "[/]", "[bold]", ":sun: 1", "屋根 [a]"]
    columns = (Column("panel", "panel"), Column("net_power_w", "grid", "w"))
    print_table(AnswerTable(columns, [(name, -0.3) for name in names]), "?")
    told = capsys.readouterr().out
    assert [line.rpartition("  0 W")[0].strip() for line in told.splitlines()[2:]] == names


def test_devices_fit_into_80_columns_with_whole_names_of_fields(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    fields = {"max_power_w": 363.0, "power_w": -0.01, "provisioned": True, "communicating": False, "producing": True,
              "report_age_s": 12_345}  # fmt: skip
    kind = next(each for each in devices._KINDS if each.name == "inverters")
    found: devices.Devices = {"482310000137": {**fields}, "[/]": {**fields}}
    for width, whole in ((80, ["report_", "age_s"]), (160, ["report_age_s"])):
        monkeypatch.setattr(console, "_PIPE_WIDTH", width)
        devices._print_table(make_console(), kind, found)
        told = capsys.readouterr().out
        assert max(map(len, told.splitlines())) <= width
        assert set(whole) | {"communicating", "12345", "0.0", "[/]"} <= set(told.split())


def test_a_dash_has_its_reason_below_the_table(capsys: pytest.CaptureFixture[str]) -> None:
    columns = (Column("local_date", "day"), Column("load_wh", "used", "wh"), Column("made", "made", "wh"))
    print_table(AnswerTable(columns, [("2026-05-01", None, 1.0)]), "?")
    told = capsys.readouterr().out
    assert "No figure (-) of used: the site does not measure this value, or has had too few readings" in told


def test_on_the_first_day_the_reason_is_the_gateways_silence_about_today(
    recorded: dict[str, str], tmp_path: Path
) -> None:
    told = " ".join(program(tmp_path, "query", "today", settings=recorded).out.split())
    assert "no plausible figure of today for this energy" in told
    assert "Recording began today at " in told
    assert "does not measure" not in told
    whole, counted = json.loads(program(tmp_path, "query", "today", "--json", settings=recorded).out)
    assert (whole["load_today_wh"], counted["load_today_wh"]) == (None, 0.0)
    assert whole["local_date"] == counted["local_date"]


@pytest.mark.parametrize(
    ("words", "said", "cure"),
    [
        (("days", "--since", "yesterday"), "'yesterday' is no date", "envoy-logger query days --help"),
        (("days", "--until", "9999-12-31"), "'9999-12-31' is no date", "envoy-logger query days --help"),
        (("silent", "--until", "0001-01-01"), "'0001-01-01' is no date", "envoy-logger query silent --help"),
        (("days", "--since", "2026-05-02", "--until", "2026-05-01"), "is before --since", "exchange the two dates."),
        (("days", "--year", "2026", "--since", "2026-05-02"), "--year excludes --since", "give either --year or"),
        (("days", "--year", "soon"), "'soon' is no year such as 2026", "envoy-logger query days --help"),
        (("days", "--json", "--csv"), "--json and --csv exclude each other", "give one of them."),
        (("payback", "--price", "-5"), "'-5' is no number from 0 on", "envoy-logger query payback --help"),
        (
            ("export-limit", "--limit-w", "nan"),
            "'nan' is no number from 0 on",
            "envoy-logger query export-limit --help",
        ),
        (("weather",), "there is no command 'weather'", "envoy-logger query --help"),
        (("panel",), "there is no command 'panel'", "envoy-logger query panels"),
        (("days", "--jsno"), "No such option '--jsno'", "envoy-logger query days --help"),
    ],
)
def test_what_cannot_be_asked_ends_with_2_and_a_cure(
    tmp_path: Path, words: tuple[str, ...], said: str, cure: str
) -> None:
    done = program(tmp_path, "query", *words)
    assert done.code == 2
    first, second = done.err.splitlines()
    assert first.startswith("Error: ")
    assert said in first
    assert second.startswith(f"Try: {cure}")


@pytest.mark.parametrize(
    ("words", "said", "cure"),
    [
        (("--gateway", "123"), "no gateway 123 is recorded", "name one of "),
        (("--year", "2150"), "the year 2150 has not begun", "give a year up to "),
        (("--since", "2150-01-01"), "--since 2150-01-01 is later than today", "give a date up to "),
    ],
)
def test_what_is_not_there_is_no_empty_answer(
    recorded: dict[str, str], tmp_path: Path, words: tuple[str, str], said: str, cure: str
) -> None:
    done = program(tmp_path, "query", "days", *words, settings=recorded)
    assert done.code == 2
    assert f"Error: {said}\nTry: {cure}" in done.err


def test_a_mistyped_command_names_the_right_one(tmp_path: Path) -> None:
    done = program(tmp_path, "qurey", "days")
    assert done.code == 2
    assert done.err == "Error: there is no command 'qurey' in envoy-logger\nTry: envoy-logger query\n"


def test_without_a_database_influxdb_cannot_be_asked(tmp_path: Path) -> None:
    done = program(tmp_path, "query", "days", "--influxdb")
    assert done.code == 78
    assert "INFLUXDB_URL" in done.err


@pytest.mark.parametrize("state", ["of the recorder", "of none"])
def test_days_of_a_database_begin_by_the_zone_of_the_gateway(
    state: str, influx1: Influx1, site: BackgroundSimulator, tmp_path: Path
) -> None:
    """Also where LOGGER_TIMEZONE is empty, as in a container whose own zone is UTC."""
    serial, zone = site.simulator.model.serial, "Australia/Sydney"
    settings = {**site.settings, "LOGGER_TIMEZONE": zone}
    if state == "of the recorder":
        assert program(tmp_path, "once", settings=settings).code == 0
        del settings["LOGGER_TIMEZONE"]
    else:
        listed = tmp_path / "gateways.toml"
        listed.write_text(f'[[gateway]]\naddress = "{site.url}"\nserial = "{serial}"\ntimezone = "{zone}"\n')
        settings = {"ENPHASE_GATEWAYS_FILE": str(listed)}
    buckets: dict[Role, str] = influx1.fresh_buckets()
    lines = [
        f'envoy_day,gateway={serial} local_date="{day}",production_wh={wh} {first_instant(day, zone)}\n'.encode()
        for day, wh in (("2024-12-31", 1.0), ("2025-01-01", 2.0), ("2025-12-31", 4.0), ("2026-01-01", 8.0))
    ]
    write_lines(influx1, buckets, {"daily": lines})
    settings |= influxdb(influx1.target(buckets))
    done = program(tmp_path, "query", "days", "--year", "2025", "--influxdb", "--json", settings=settings)
    assert done.code == 0, done.err
    assert [day["local_date"] for day in json.loads(done.out)] == ["2025-01-01", "2025-12-31"]


def test_the_first_month_of_cost_is_a_whole_month(
    influx1: Influx1, site: BackgroundSimulator, tmp_path: Path
) -> None:
    """Without a given span; a year ago today is seldom the first of a month."""
    serial, zone = site.simulator.model.serial, "Europe/Berlin"
    today = datetime.now(ZoneInfo(zone)).date()
    days = [(today - timedelta(days=number)).isoformat() for number in range(400)]
    lines = [
        f'envoy_band_day,band=flat,gateway={serial} local_date="{day}",currency="EUR",cost=1 '
        f"{first_instant(day, zone)}\n".encode()
        for day in days
    ]
    lines.append(f"envoy_day,gateway={serial} production_wh=1 {first_instant(days[0], zone)}\n".encode())
    buckets: dict[Role, str] = influx1.fresh_buckets()
    for start in range(0, len(lines), 100):  # a write makes all its shards before it ends
        write_lines(influx1, buckets, {"daily": lines[start : start + 100]})
    settings = {**site.settings, **influxdb(influx1.target(buckets)), "LOGGER_TIMEZONE": zone}
    done = program(tmp_path, "query", "cost", "--influxdb", "--json", settings=settings)
    assert done.code == 0, done.err
    told = {row["local_month"]: row["cost"] for row in json.loads(done.out)}
    assert min(told) == (today - timedelta(days=365)).isoformat()[:7]
    assert told == {month: sum(day[:7] == month for day in days) for month in told}


def test_a_curve_goes_from_the_least_to_the_greatest() -> None:
    assert draw_sparkline([0.0, None, 3.5, 7.0]) == "▁ ▅█"
    assert draw_sparkline([-7.0, 0.0]) == "▁█"
    assert draw_sparkline([0.0, 0.0]) == "▁▁"
    assert draw_sparkline([]) == ""
