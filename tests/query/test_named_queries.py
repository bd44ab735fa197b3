"""Each named query makes its table of points whose answer is known by hand."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from logger.backfill.history import Point
from logger.energy.counting import Counting
from logger.model import Value
from logger.query.catalog import QUERIES
from logger.query.named_query import AnswerTable, Rows, Scope
from logger.query.today_query import find_figure
from logger.readings.table import MEASUREMENTS

ZONE = ZoneInfo("Europe/Berlin")


def at(clock: str) -> int:
    return int(datetime.fromisoformat(clock).replace(tzinfo=ZONE).timestamp())


def point(clock: str, tags: Mapping[str, str] | None = None, /, **fields: Value) -> Point:
    return Point(at(clock), tags or {}, fields)


def day(date: str, **fields: Value) -> Point:
    return point(f"{date}T00:00", None, local_date=date, **fields)


def month(name: str, **fields: Value) -> Point:
    return point(f"{name}-01T00:00", None, local_month=name, **fields)


def ask(
    name: str,
    points: Mapping[str, list[Point]],
    now: str = "2026-05-20T12:00",
    counting: Counting | None = None,
    **numbers: float,
) -> AnswerTable:
    query = QUERIES[name]
    usual = {key: default for key, (default, _) in query.numbers.items()}
    given = usual | {key.replace("_", "-"): value for key, value in numbers.items()}
    scope = Scope(ZONE, 0, at(now), given, counting)
    found = query.answer(Rows(points), scope)
    assert all(len(row) == len(found.columns) for row in found.rows)
    assert not found.curve or found.curve in [column.name for column in found.columns]
    return found


@pytest.mark.parametrize("name", QUERIES)
def test_a_query_reads_only_fields_of_the_table_and_answers_nothing_with_an_empty_table(name: str) -> None:
    query = QUERIES[name]
    table = {measurement.name: measurement for measurement in MEASUREMENTS}
    for need in query.needs:
        assert need.role == table[need.measurement].role
        assert set(need.fields) <= {field.name for field in table[need.measurement].fields}, need.measurement
    empty = ask(name, {})
    assert not [row for row in empty.rows if any(cell is not None for cell in row[1:])]


def test_no_query_about_years_reads_the_minutes_of_years() -> None:
    """A million points of a Flux answer take gigabytes of memory."""
    for query in QUERIES.values():
        for need in query.needs:
            if query.span in ("year", "months", "ever") and need.measurement != "envoy_event":
                assert need.role == "daily" or 0 < need.newest_s <= 31 * 86400, query.name


def test_now_takes_the_newest_of_each_power_and_no_old_one() -> None:
    points = [
        point("2026-05-20T09:00", production_power_w=500.0, load_power_w=200.0, battery_power_w=700.0),
        point("2026-05-20T11:58", production_power_w=900.0, load_power_w=300.0),
        point("2026-05-20T11:59", production_power_w=1000.0),
    ]
    assert ask("now", {"envoy_totals": points}).rows == [("11:59", 1000.0, 300.0, None, None, None)]


def test_today_has_own_use_and_self_sufficiency() -> None:
    points = [
        point(
            "2026-05-20T11:59",
            production_today_wh=10_000.0,
            load_today_wh=8000.0,
            grid_import_today_wh=2000.0,
            grid_export_today_wh=4000.0,
        ),
    ]
    row = ask("today", {"envoy_totals": points}).rows[0]
    assert row == ("2026-05-20", 10_000.0, 8000.0, 2000.0, 4000.0, None, None, 60.0, 75.0)


FIRST_DAY = [
    point("2026-05-20T08:15", production_power_w=500.0, production_today_wh=700.0),
    point("2026-05-20T11:59", production_power_w=900.0, production_today_wh=2700.0),
]
COUNTED = {"production": 2000.0, "load": 1500.0, "grid_import": 500.0, "grid_export": 1000.0}
KNOWN = Counting(frozenset(COUNTED), frozenset(), frozenset(COUNTED), at("2026-05-20T08:15"), COUNTED)


@pytest.mark.parametrize("counting", [KNOWN, None], ids=["from the state", "from rows alone"])
def test_on_the_first_day_a_second_row_has_what_was_counted_and_shares_of_that_alone(
    counting: Counting | None,
) -> None:
    rows = [day("2026-05-20", **{f"{name}_wh": wh for name, wh in COUNTED.items()})]
    found = ask("today", {"envoy_totals": FIRST_DAY, "envoy_day": rows}, counting=counting)
    assert found.rows == [
        ("2026-05-20", "", 2700.0, None, None, None, None, None, None, None),
        ("2026-05-20", "08:15", 2000.0, 1500.0, 500.0, 1000.0, None, None, 50.0, pytest.approx(100 * 1000 / 1500)),
    ]
    assert found.notes == (
        "Recording began today at 08:15 (Europe/Berlin): the second row has the energy counted since then.",
    )
    assert "the energy is counted since 08:15" in found.reasons["load_today_wh"]
    told = find_figure(found, "load"), find_figure(found, "production"), find_figure(found, "battery_charged")
    assert told == ((1500.0, "08:15"), (2700.0, ""), None)


def test_without_a_figure_of_the_gateway_there_is_a_reason_for_each_dash() -> None:
    counting = Counting(frozenset({"production", "grid_import", "grid_export"}), frozenset({"grid_export"}))
    found = ask("today", {"envoy_totals": FIRST_DAY}, counting=counting)
    assert len(found.rows) == 1
    assert found.reasons["load_today_wh"] == "no meter of this site counts this energy"
    assert found.reasons["battery_charged_today_wh"] == "this site has no battery"
    assert "waits for its first value above zero" in found.reasons["grid_export_today_wh"]
    assert "grid_import_today_wh" not in found.reasons


def test_a_day_after_the_first_has_one_row_also_from_rows_alone() -> None:
    points = [point("2026-05-20T00:01", production_power_w=0.0), *FIRST_DAY]
    found = ask("today", {"envoy_totals": points, "envoy_day": [day("2026-05-20", load_wh=1500.0)]})
    assert found.rows == [("2026-05-20", 2700.0, None, None, None, None, None, None, None)]


def test_today_is_the_last_day_of_the_span() -> None:
    points = [point("2026-05-18T20:00", production_today_wh=9.0), point("2026-05-19T23:59", production_today_wh=5.0)]
    found = ask("today", {"envoy_totals": points}, now="2026-05-20T00:00")
    assert [row[:2] for row in found.rows] == [("2026-05-19", 5.0)]


def test_a_share_of_nothing_has_that_reason() -> None:
    days = [
        day("2026-05-18", production_wh=0.0, load_wh=900.0, grid_import_wh=900.0, grid_export_wh=0.0),
        day("2026-05-19", production_wh=500.0, load_wh=900.0),
    ]
    found = ask("days", {"envoy_day": days})
    assert [row[7:9] for row in found.rows] == [(None, 0.0), (None, None)]
    assert found.reasons == {
        "own_use_percent": "no energy was made, so no share can be computed; or the energies made and sold are "
        "needed, and not both are known",
        "self_sufficient_percent": "the energies used and bought are needed, and not both are known",
    }


def test_days_months_and_years_have_a_row_each() -> None:
    energies: dict[str, Value] = {
        "production_wh": 10_000.0,
        "load_wh": 8000.0,
        "grid_import_wh": 2000.0,
        "grid_export_wh": 4000.0,
        "coverage_percent": 100.0,
    }
    expected = (10_000.0, 8000.0, 2000.0, 4000.0, None, None, 60.0, 75.0, 100.0)
    assert ask("days", {"envoy_day": [day("2026-05-19", **energies)]}).rows == [("2026-05-19", *expected)]
    assert ask("months", {"envoy_month": [month("2026-04", **energies)]}).rows == [("2026-04", *expected)]
    years = [point("2025-01-01T00:00", None, local_year="2025", **energies)]
    assert ask("years", {"envoy_year": years}).rows == [("2025", *expected)]


def test_compare_stops_at_the_same_day_of_last_year() -> None:
    days = [
        day("2025-05-20", production_wh=1.0),
        day("2025-05-21", production_wh=100.0),
        day("2026-05-01", production_wh=2.0),
        day("2025-01-01", production_wh=10.0),
        day("2026-01-01", production_wh=20.0),
    ]
    found = ask("compare", {"envoy_day": sorted(days, key=lambda p: p.time)}).rows
    assert [row[:2] for row in found] == [("2026-05", 2.0), ("2025-05", 1.0), ("2026", 22.0), ("2025", 11.0)]


def test_progress_rises_month_by_month() -> None:
    days = [
        day("2025-01-10", production_wh=1.0),
        day("2025-02-10", production_wh=2.0),
        day("2026-01-10", production_wh=3.0),
        day("2026-03-10", production_wh=4.0),
    ]
    found = ask("progress", {"envoy_day": days}, now="2026-03-20T12:00")
    assert found.rows == [("01", 3.0, 1.0), ("02", 3.0, 3.0), ("03", 7.0, 3.0)]


def test_records_are_the_ten_best() -> None:
    days = [day(f"2026-05-{number:02}", production_wh=float(number)) for number in range(1, 13)]
    found = ask("records", {"envoy_day": days}).rows
    assert found[0] == ("2026-05-12", 12.0)
    assert len(found) == 10


def test_shape_is_the_mean_of_each_local_hour_of_each_month() -> None:
    points = [
        point("2026-04-01T07:00", {"hour": "07", "month": "04"}, production_wh=100.0),
        point("2026-04-02T07:00", {"hour": "07", "month": "04"}, production_wh=300.0),
        point("2026-05-01T08:00", {"hour": "08", "month": "05"}, production_wh=50.0),
    ]
    found = ask("shape", {"envoy_hour": points})
    assert [column.name for column in found.columns] == ["hour", "2026-04", "2026-05"]
    assert [found.rows[7], found.rows[8]] == [("07", 200.0, None), ("08", None, 50.0)]
    assert ask("shape", {}).rows == []


def inverter_day(date: str, serial: str, **fields: Value) -> Point:
    return point(f"{date}T00:00", {"serial": serial, "panel_group": "east"}, **fields)


def test_panels_begin_with_the_silent_then_the_low_then_the_least() -> None:
    rows = [
        inverter_day("2026-05-19", "1", energy_wh=900.0, group_ratio_7d=1.0, silent_days=0, low_days=0, panel="A1"),
        inverter_day("2026-05-19", "2", energy_wh=500.0, group_ratio_7d=0.6, silent_days=0, low_days=3, panel="A2"),
        inverter_day("2026-05-19", "3", coverage_percent=0.0, silent_days=9, low_days=0, panel="A3"),
        inverter_day("2026-05-19", "4", energy_wh=880.0, group_ratio_7d=0.95, silent_days=0, low_days=0),
    ]
    found = ask("panels", {"envoy_inverter_day": rows}).rows
    assert [row[0] for row in found] == ["A3", "A2", "4", "A1"]
    assert found[1] == ("A2", "2", "east", 500.0, 500.0, 60.0, 0, 3)
    assert found[0][3] is None


def test_the_last_seven_days_of_a_panel_are_days_of_the_calendar() -> None:
    """A recorder that was off for a week has no rows of that week."""
    days = ("2026-05-05", "2026-05-13", "2026-05-14", "2026-05-20")
    rows = [inverter_day(date, "1", energy_wh=100.0 * number) for number, date in enumerate(days, start=1)]
    assert ask("panels", {"envoy_inverter_day": rows}).rows[0][3:5] == (700.0, 1000.0)


@pytest.mark.parametrize("name", ["panels", "silent"])
def test_an_inverter_that_was_taken_away_is_not_in_the_list(name: str) -> None:
    rows = [
        inverter_day("2026-05-14", "old", coverage_percent=0.0, silent_days=3),
        *(inverter_day(f"2026-05-{day}", "new", energy_wh=900.0, silent_days=int(day == 19)) for day in (15, 19)),
        inverter_day("2026-05-18", "since yesterday", coverage_percent=0.0, silent_days=1),
    ]
    found = ask(name, {"envoy_inverter_day": rows})
    assert {row[1] for row in found.rows} == {"new", "since yesterday"}


def test_hours_are_the_means_of_each_hour_of_the_day() -> None:
    points = [
        point(
            f"2026-05-{day}T{hour:02}:00",
            {"hour": f"{hour:02}"},
            production_wh=100.0 * hour,
            grid_import_wh=float(day),
        )
        for day in (18, 20)
        for hour in (7, 8)
    ]
    assert ask("hours", {"envoy_hour": points}).rows == [
        ("07", 700.0, None, 19.0, None),
        ("08", 800.0, None, 19.0, None),
    ]


def test_the_days_of_a_bill_are_summed_below_the_table() -> None:
    days = [day("2026-05-18", production_wh=1500.0, load_wh=900.0), day("2026-05-19", production_wh=2500.0)]
    assert ask("days", {"envoy_day": days}).notes == ("In all: made 4.00 kWh, used 0.90 kWh.",)
    assert ask("days", {"envoy_day": days[:1]}).notes == ()
    bands = [
        point(
            "2026-05-18T00:00",
            {"band": band},
            local_date="2026-05-18",
            grid_import_wh=1000.0,
            cost=0.25,
            currency="EUR",
        )
        for band in ("day", "night")
    ]
    assert ask("cost", {"envoy_band_day": bands}).notes == (
        "In all: bought 2.00 kWh, cost 0.50.",
        "Amounts are in EUR.",
    )


def test_silent_names_the_last_day_with_energy() -> None:
    rows = [
        inverter_day("2026-05-17", "1", energy_wh=900.0, silent_days=0),
        inverter_day("2026-05-18", "1", coverage_percent=0.0, silent_days=1),
        inverter_day("2026-05-18", "2", energy_wh=900.0, silent_days=0),
    ]
    assert ask("silent", {"envoy_inverter_day": rows}).rows == [("1", "1", "east", "2026-05-17", 1)]


def report(clock: str, serial: str, watts: float, **fields: Value) -> Point:
    return point(clock, {"serial": serial, "panel_group": "east"}, power_w=watts, **fields)


def test_shading_compares_each_hour_with_the_median_of_the_group() -> None:
    def hour(date: str, name: str, serial: str, wh: float, **fields: Value) -> Point:
        return point(f"{date}T{name}:00", {"serial": serial, "hour": name}, energy_wh=wh, **fields)

    hours = [
        *(hour("2026-05-19", "09", serial, wh, group_wh=100.0) for serial, wh in (("1", 100.0), ("3", 40.0))),
        hour("2026-05-18", "09", "3", 110.0, group_wh=200.0, panel="A3"),
        *(hour("2026-05-19", "15", serial, 200.0, group_wh=200.0) for serial in ("1", "3")),
        hour("2026-05-19", "18", "4", 200.0),
    ]
    found = ask("shading", {"envoy_inverter_hour": hours})
    assert [column.name for column in found.columns] == ["panel", "h09", "h15"]
    assert found.rows == [("1", 100.0, 100.0), ("A3", 50.0, 100.0)]


def test_ageing_compares_the_best_days_of_the_years() -> None:
    days = [
        *(day(f"2025-04-{number:02}", production_wh=100.0) for number in range(1, 21)),
        day("2025-06-01", production_wh=999.0),
        *(day(f"2026-04-{number:02}", production_wh=98.0) for number in range(1, 21)),
    ]
    found = ask("ageing", {"envoy_day": days})
    assert found.rows == [("2025", 100.0, None), ("2026", 98.0, 98.0)]


def test_ageing_compares_only_days_that_both_years_have() -> None:
    """Recording began in October 2024: the best days of 2025 were in summer, which is not ageing."""
    days = [
        *(day(f"2024-10-{number:02}", production_wh=100.0) for number in range(10, 31)),
        *(day(f"2025-06-{number:02}", production_wh=300.0) for number in range(1, 21)),
        *(day(f"2025-10-{number:02}", production_wh=99.0) for number in range(1, 31)),
    ]
    found = ask("ageing", {"envoy_day": days}, now="2025-10-29T12:00")
    assert found.rows == [("2024", 100.0, None), ("2025", 300.0, 99.0)]
    few = ask("ageing", {"envoy_day": days}, now="2025-10-20T12:00")
    assert few.rows == [("2024", 100.0, None), ("2025", 300.0, None)]
    assert "fewer than 20 days in common" in few.columns[2].absent


@pytest.mark.parametrize(
    ("first", "lacking"),
    [
        ("2025-01-01", ""),
        ("2025-03-10", "2025"),
        ("2025-05-10", "2025-05 and 2025"),
        ("2026-05-10", "2026-05 and 2026"),
    ],
)
def test_a_comparison_names_the_spans_in_which_recording_began(first: str, lacking: str) -> None:
    rows = {"envoy_day": [day(first, production_wh=1.0), day("2026-05-20", production_wh=1.0)]}
    said = f"The rows begin on {first}, so the figures of {lacking} lack the days before."
    assert (said in ask("compare", rows).notes) == bool(lacking)
    assert [note for note in ask("progress", rows).notes if "lack the days" in note] == (
        [f"The rows begin on {first}, so the figures of {first[:4]} lack the days before."] if lacking else []
    )


def test_clipping_counts_the_hours_at_the_limit() -> None:
    reports = [
        report(f"2026-05-19T{9 + number // 4:02}:{number % 4 * 15:02}", "1", 250.0 + number) for number in range(8)
    ]
    assert ask("clipping", {"envoy_inverter": reports}, limit_w=254.0).rows == [("1", "1", "east", 1.0, 257.0)]


def test_heat_groups_by_ten_degrees_also_below_zero() -> None:
    reports = [
        report("2026-05-19T09:00", "1", 100.0, temperature_c=-3.0),
        report("2026-05-19T09:15", "1", 50.0, temperature_c=41.0),
        report("2026-05-19T09:30", "1", 150.0, temperature_c=49.0),
    ]
    assert ask("heat", {"envoy_inverter": reports}).rows == [(-10, 1, 100.0, 100.0), (40, 2, 100.0, 150.0)]


def test_trips_sum_the_seconds_and_count_the_days() -> None:
    rows = [
        inverter_day("2026-05-18", "1", tripped_s=600),
        inverter_day("2026-05-19", "1", tripped_s=300),
        inverter_day("2026-05-19", "2", tripped_s=0),
    ]
    assert ask("trips", {"envoy_inverter_day": rows}).rows == [("1", "1", "east", 900.0, 2)]


def test_battery_gives_efficiency_and_cycles() -> None:
    months = [month("2026-04", battery_charged_wh=100_000.0, battery_discharged_wh=90_000.0)]
    totals = [point("2026-05-20T11:59", battery_capacity_wh=10_000.0, battery_reserve_percent=20.0)]
    found = ask("battery", {"envoy_month": months, "envoy_totals": totals})
    assert found.rows == [("2026-04", 100_000.0, 90_000.0, 90.0, 9.0)]
    assert found.notes == ("In all 9.0 full cycles.",)
    days = [day("2026-05-19", battery_min_percent=18.0, battery_max_percent=97.0)]
    kept = ask("reserve", {"envoy_day": days, "envoy_totals": totals})
    assert kept.rows == [("2026-05-19", 18.0, 97.0)]
    assert kept.notes == ("The reserve is set to 20 % now.",)
    past = ask("reserve", {"envoy_day": days, "envoy_totals": totals}, now="2026-05-21T00:00")
    assert past.notes == ("The reserve was set to 20 % then.",)


def test_a_bigger_battery_keeps_the_smaller_of_bought_and_sold() -> None:
    days = [
        day("2026-05-18", grid_import_wh=5000.0, grid_export_wh=8000.0),
        day("2026-05-19", grid_import_wh=0.0, grid_export_wh=9000.0),
    ]
    found = ask("bigger-battery", {"envoy_day": days})
    assert [row[3] for row in found.rows] == [5000.0, 0.0]
    (note,) = found.notes
    assert note.startswith("On average 2.5 kWh a day. Energy that is sold on one day and bought after midnight")


def test_peaks_name_the_greatest_quarter_of_each_month_and_its_time() -> None:
    days = [
        day("2026-04-01", peak_import_w=3000.0, peak_import_at="18:15", peak_export_w=100.0),
        day("2026-04-09", peak_import_w=4000.0, peak_import_at="07:30", peak_export_w=50.0),
    ]
    assert ask("peaks", {"envoy_day": days}).rows == [("2026-04", 4000.0, "2026-04-09 07:30", 100.0)]


def test_imbalance_is_of_means_of_a_quarter_of_an_hour() -> None:
    points = [
        point(f"2026-05-19T10:{minute:02}", {"meter": "net-consumption", "phase": phase}, power_w=watts + minute)
        for minute in range(15)
        for phase, watts in (("l1", 0.0), ("l2", 900.0), ("l3", 300.0))
    ]
    other = [point("2026-05-19T10:00", {"meter": "production", "phase": "l1"}, power_w=9999.0)]
    assert ask("imbalance", {"envoy_phase": points + other}).rows == [("2026-05-19", 900.0, "10:00")]


def test_export_limit_counts_the_readings_at_it() -> None:
    points = [point(f"2026-05-19T10:{minute:02}", net_power_w=-4998.0 - minute) for minute in range(5)]
    assert ask("export-limit", {"envoy_totals": points}).rows == [("2026-05-19", 3, 5002.0)]


def test_outages_have_begin_end_and_length() -> None:
    events = [
        point("2026-05-19T10:30", {"kind": "grid_back"}, text="back", duration_s=1800.0),
        point("2026-05-19T11:00", {"kind": "panel_weak"}, text="weak"),
    ]
    assert ask("outages", {"envoy_event": events}).rows == [("2026-05-19 10:00", "2026-05-19 10:30", "grid", 1800.0)]


def test_outages_of_a_grid_that_is_not_measured_are_not_denied() -> None:
    rows = {"envoy_day": [day("2026-05-19", coverage_percent=100.0)]}
    (note,) = ask("outages", rows).notes
    assert "only outages of the gateway are known" in note
    rows["envoy_event"] = [point("2026-05-19T10:30", {"kind": "gateway_back"}, duration_s=1800.0)]
    assert ask("outages", rows).notes == (note,)
    rows["envoy_day"].append(day("2026-05-20", coverage_percent=100.0, off_grid_s=0.0))
    assert ask("outages", rows).notes == ()


@pytest.mark.parametrize("name", ["net_power_w", "battery_power_w", "production_lifetime_wh"])
def test_a_minute_with_any_measured_total_is_no_gap(name: str) -> None:
    """The rows of a query hold only points with one of its fields."""
    (need,) = QUERIES["gaps"].needs
    assert name in need.fields


def test_gaps_of_more_than_five_minutes_and_the_open_one() -> None:
    points = [point(f"2026-05-20T11:{minute:02}", production_power_w=1.0) for minute in (0, 1, 2, 3, 4, 5, 11)]
    assert ask("gaps", {"envoy_totals": points}).rows == [
        ("2026-05-20 11:05", "2026-05-20 11:11", 360.0),
        ("2026-05-20 11:11", "2026-05-20 12:00", 2940.0),
    ]


def test_an_interval_of_ten_minutes_is_no_gap() -> None:
    points = [point(f"2026-05-20T{clock}", production_power_w=1.0) for clock in ("11:00", "11:10", "11:20", "11:50")]
    found = ask("gaps", {"envoy_totals": points}, now="2026-05-20T11:55")
    assert found.rows == [("2026-05-20 11:20", "2026-05-20 11:50", 1800.0)]


def test_cost_has_the_bands_and_their_sum() -> None:
    def band(name: str, cost: float) -> Point:
        return Point(
            at("2026-05-19T00:00"),
            {"band": name},
            {"local_date": "2026-05-19", "grid_import_wh": 1000.0, "cost": cost, "currency": "EUR"},
        )

    found = ask("cost", {"envoy_band_day": [band("day", 0.3), band("night", 0.2)]})
    assert [row[:2] + row[4:5] for row in found.rows] == [
        ("2026-05", "day", 0.3),
        ("2026-05", "night", 0.2),
        ("2026-05", "all", 0.5),
    ]
    assert found.notes[-1] == "Amounts are in EUR."


def test_payback_adds_up_the_years() -> None:
    days = [day("2025-05-01", saved=100.0), day("2026-05-01", saved=150.0)]
    assert ask("payback", {"envoy_day": days}, price=1000.0).rows == [
        ("2025", 100.0, 100.0, 10.0, None),
        ("2026", 150.0, 250.0, 25.0, None),
    ]


@pytest.mark.parametrize(
    ("fields", "note"),
    [({"currency": "EUR"}, "No savings are recorded: the savings are known only if the energy of the house"),
     ({}, "No costs are recorded. Try: set LOGGER_TARIFF_FILE")],
)  # fmt: skip
def test_payback_without_savings_says_what_is_missing(fields: dict[str, Value], note: str) -> None:
    found = ask("payback", {"envoy_day": [day("2026-05-01", **fields)]}, price=1000.0)
    assert not found.rows
    assert found.notes[0].startswith(note)


def test_amounts_of_different_currencies_are_never_added() -> None:
    days = [
        ("2025-12-30", "BGN", 30.0),
        ("2025-12-31", "BGN", 30.0),
        ("2026-01-01", "EUR", 10.0),
        ("2026-01-02", "EUR", 10.0),
    ]
    saved = [day(date, saved=amount, currency=currency) for date, currency, amount in days]
    assert ask("payback", {"envoy_day": saved}, price=100.0).rows == [
        ("2025", 60.0, 60.0, None, "BGN"),
        ("2026", 20.0, 20.0, 20.0, "EUR"),
    ]
    bands = [
        Point(
            at(f"2026-01-{date}T00:00"),
            {"band": name},
            {"local_date": f"2026-01-{date}", "cost": cost, "currency": c},
        )
        for date, name, cost, c in [("01", "day", 4.0, "BGN"), ("01", "night", 2.0, "BGN"), ("02", "day", 1.0, "EUR")]
    ]
    found = ask("cost", {"envoy_band_day": bands})
    assert [(*row[:2], row[4], row[7]) for row in found.rows] == [
        ("2026-01", "day", 4.0, "BGN"),
        ("2026-01", "night", 2.0, "BGN"),
        ("2026-01", "all", 6.0, "BGN"),
        ("2026-01", "day", 1.0, "EUR"),
    ]
    assert found.notes[-1] == "Amounts are in BGN, EUR."


def test_voltage_frequency_base_load_and_co2_are_plain_rows() -> None:
    days = [
        day(
            "2026-05-19",
            voltage_min_v=228.0,
            voltage_max_v=241.0,
            frequency_min_hz=49.9,
            frequency_max_hz=50.1,
            base_load_w=180.0,
        )
    ]
    assert ask("voltage", {"envoy_day": days}).rows == [("2026-05-19", 228.0, 241.0)]
    assert ask("frequency", {"envoy_day": days}).rows == [("2026-05-19", 49.9, 50.1)]
    assert ask("base-load", {"envoy_day": days}).rows == [("2026-05-19", 180.0)]
    months = [month("2026-04", production_wh=500_000.0)]
    assert ask("co2", {"envoy_month": months}, kg_per_kwh=0.5).rows == [("2026-04", 500_000.0, 250.0)]


def test_events_are_listed_as_they_happened() -> None:
    events = [point("2026-05-19T11:00", {"kind": "panel_weak"}, text="weak", severity="warning")]
    assert ask("events", {"envoy_event": events}).rows == [("2026-05-19 11:00", "warning", "panel_weak", "weak")]


def test_days_say_which_rows_are_not_of_a_whole_day() -> None:
    days = [
        day("2026-05-19", load_wh=1.0, coverage_percent=100.0),
        day("2026-05-20", load_wh=0.0, coverage_percent=0.3),
    ]
    counting = Counting(begun=frozenset({"load"}), since=at("2026-05-20T05:07"), wh={"load": 0.0})
    notes = ask("days", {"envoy_day": days}, counting=counting).notes
    assert f"The row of 2026-05-20 counts from 05:07 ({ZONE.key}), when recording began." in notes
    assert (
        "If less than 100 % of a day is recorded, there are three possible causes: the day has not ended, recording "
        "began on that day, or the recorder or the gateway was away for a time."
    ) in notes
    assert any(note.startswith("The row of 2026-05-20 may be 15 minutes old.") for note in notes)
    assert len(ask("days", {"envoy_day": days[:1]}).notes) == 0
    assert len(ask("days", {"envoy_day": days[:1]}, now="2026-05-20T00:00").notes) == 0


@pytest.mark.parametrize(
    ("name", "measurement", "told"),
    [
        ("gaps", "envoy_totals", "There is no gap since 2026-05-20 05:07 ("),
        ("silent", "envoy_inverter_day", "No inverter is silent; the inverters have been recorded since"),
        ("trips", "envoy_inverter_day", "No inverter has reported that the grid switched it off since 2026-05-20"),
        ("events", "envoy_day", "No event was recorded since 2026-05-20 05:07 ("),
        ("cost", "envoy_band_day", "Nothing is recorded for this query."),
    ],
)
def test_an_empty_table_is_an_answer_where_readings_exist(name: str, measurement: str, told: str) -> None:
    scope = Scope(ZONE, 0, at("2026-05-20T12:00"))
    rows = Rows({measurement: [point("2026-05-20T05:07", None)]})
    assert QUERIES[name].describe_empty(rows, scope).startswith(told)
    assert QUERIES[name].describe_empty(Rows({}), scope) == "Nothing is recorded for this query."
