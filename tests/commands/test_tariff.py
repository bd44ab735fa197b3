"""`tariff`: check, show and propose."""

from __future__ import annotations

from pathlib import Path

from logger.tariff.tariff_file import parse_tariff
from tests.commands.program import program
from tests.standin import BackgroundSimulator
from tests.tariff.test_prices import HOURLY
from tests.tariff.test_tariff_file import TIME_OF_USE

BERLIN = {"LOGGER_TIMEZONE": "Europe/Berlin"}


def lay(home: Path, text: str) -> str:
    file = home / "tariff.toml"
    file.write_text(text, encoding="utf-8")
    return str(file)


def test_check_describes_a_good_file_and_names_every_problem_of_a_bad_one(tmp_path: Path) -> None:
    done = program(tmp_path, "tariff", "check", lay(tmp_path, TIME_OF_USE))
    assert done.code == 0, done.err
    assert done.out.splitlines() == [
        "from 2024-01-01 to before 2025-01-01: flat 0.32/0.082 EUR per kWh (bought/sold)",
        "from 2025-01-01: night 0.22/0, weekend 0.25/0, day 0.3/0 EUR per kWh (bought/sold)",
        "The tariff file is good.",
    ]
    bad = lay(tmp_path, TIME_OF_USE.replace("buy = 0.25", "price = 1").replace("sat-sun", "x"))
    done = program(tmp_path, "tariff", "check", settings={"LOGGER_TARIFF_FILE": bad})
    assert done.code == 78
    assert [line.removeprefix(f"{bad} ").split(":")[0] for line in done.said] == ["line 20", "line 22"]


def test_a_wrong_tariff_file_is_a_wrong_setting(tmp_path: Path) -> None:
    file = lay(tmp_path, "buy = 0.3\n")
    done = program(tmp_path, "check", settings={"ENPHASE_GATEWAY": "10.0.0.1", "LOGGER_TARIFF_FILE": file})
    assert done.code == 78
    assert (
        f"LOGGER_TARIFF_FILE (environment): {file} line 1: period is missing: the file needs a [[period]]" in done.err
    )


def test_show_prints_the_prices_of_a_day_of_25_hours(tmp_path: Path) -> None:
    file = lay(tmp_path, TIME_OF_USE.replace("buy = 0.3\n", "buy = 0.3\nstanding_charge = 0.4\n"))
    done = program(tmp_path, "tariff", "show", file, "--day", "2025-10-26", settings=BERLIN)
    assert done.code == 0, done.err
    assert [line.split() for line in done.out.splitlines()] == [
        ["2025-10-26,", "Europe/Berlin,", "EUR", "per", "kWh"],
        ["00:00-06:00", "night", "buy", "0.22", "sell", "0"],
        ["06:00-22:00", "weekend", "buy", "0.25", "sell", "0"],
        ["22:00-24:00", "night", "buy", "0.22", "sell", "0"],
        ["standing", "charge", "0.4", "EUR", "a", "day"],
    ]


def test_show_says_which_hours_have_no_price_yet(tmp_path: Path) -> None:
    file = lay(tmp_path, HOURLY)
    (tmp_path / "p.csv").write_text("2025-06-01T00:00+02:00,0.25\n", encoding="utf-8")
    done = program(tmp_path, "tariff", "show", file, "--day", "2025-06-01", settings=BERLIN)
    assert done.code == 0, done.err
    assert done.out.splitlines()[1].split() == ["00:00-01:00", "hourly", "buy", "0.25", "sell", "0.05"]
    assert done.out.splitlines()[2].split()[:2] == ["01:00-24:00", "hourly"]
    assert "not known yet" in done.out.splitlines()[2]


def test_a_tariff_file_that_is_not_there_is_not_checked_again(tmp_path: Path) -> None:
    gone = str(tmp_path / "gone.toml")
    cure = "Try: correct the path, or write the file: `envoy-logger tariff propose` prints a first one."
    for words in (("check", gone), ("show", gone)):
        done = program(tmp_path, "tariff", *words, settings=BERLIN)
        assert done.code == 78
        assert done.said == [f"{gone} cannot be read: No such file or directory", cure]
    named = {**BERLIN, "ENPHASE_GATEWAY": "192.0.2.1", "LOGGER_TARIFF_FILE": gone}
    assert cure in program(tmp_path, "check", settings=named).said


def test_a_day_that_no_calendar_has_is_a_misuse(tmp_path: Path) -> None:
    file = lay(tmp_path, TIME_OF_USE)
    for day in ("9999-12-31", "2026-02-30", "tomorrow"):
        done = program(tmp_path, "tariff", "show", file, "--day", day, settings=BERLIN)
        assert done.code == 2
        assert f"{day!r} is no date such as 2026-05-01\nTry: " in done.err


def test_check_names_a_last_line_that_is_not_read_yet(tmp_path: Path) -> None:
    file = lay(tmp_path, HOURLY)
    (tmp_path / "p.csv").write_text("2025-06-01T00:00Z,0.25\n2025-06-01T01:00Z,0.26", encoding="utf-8")
    done = program(tmp_path, "tariff", "check", file)
    assert done.code == 0, done.err
    assert done.out.splitlines()[1].startswith("1 price(s) from 2025-06-01 00:00 to ")
    assert done.out.splitlines()[2].startswith("p.csv: the last line has no line end")


def test_check_tells_the_range_of_hourly_prices_and_where_some_are_missing(tmp_path: Path) -> None:
    file = lay(tmp_path, HOURLY)
    hours = [f"2025-06-01T{hour:02}:00Z,{hour / 100}" for hour in range(8) if hour != 4]
    (tmp_path / "p.csv").write_text("\n".join([*hours, ""]), encoding="utf-8")
    done = program(tmp_path, "tariff", "check", file)
    assert done.code == 0, done.err
    assert done.out.splitlines()[1:] == [
        "7 price(s) from 2025-06-01 00:00 to 2025-06-01 07:00 UTC, bought at 0 to 0.07",
        "no price from 2025-06-01 04:00 to 2025-06-01 05:00 UTC",
        "The tariff file is good.",
    ]


def test_check_says_that_a_folder_holds_no_price_file(tmp_path: Path) -> None:
    (tmp_path / "p.csv").mkdir()
    (tmp_path / "p.csv" / "prices.txt").write_text("2025-06-01T00:00Z,0.3\n", encoding="utf-8")
    done = program(tmp_path, "tariff", "check", lay(tmp_path, HOURLY))
    assert done.code == 0, done.err
    assert "The price files hold no price yet." in done.out


def test_propose_prints_a_file_that_is_good(site: BackgroundSimulator, tmp_path: Path) -> None:
    done = program(tmp_path, "tariff", "propose", settings=site.settings)
    assert done.code in (0, 75), done.err
    if done.code == 75:
        assert "The gateway gives no price." in done.err
    else:
        assert parse_tariff(done.out.encode())[1] == ()
