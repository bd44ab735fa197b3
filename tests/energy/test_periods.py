"""Months and years are the sums of their days: over restarts, gaps, reopened days, DST, and without a midnight."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from logger.days import first_instant, following, list_days
from logger.energy.engine import account
from logger.energy.period_rows import restore_periods
from logger.energy.periods import Period, sum_day
from logger.energy.state import EnergyState, Tick, Wiring
from logger.energy.stored import dump_energy, load_energy
from logger.model import DayRow, Reading, Value
from logger.site import Site

STEP = 12 * 3600
GREATEST = ("peak_production_w", "peak_load_w", "peak_import_w", "peak_export_w")


@dataclass
class Recorded:
    """A site with one tick every twelve hours, whose rows lie as in a database: the last of each series and time."""

    zone: str = "Europe/Berlin"
    state: EnergyState = field(default_factory=EnergyState)
    rows: dict[tuple[str, int], Reading] = field(default_factory=dict)
    dates: dict[tuple[str, int], DayRow] = field(default_factory=dict)

    def run(self, since: int, until: int) -> None:
        for at in range(since, until, STEP):
            self.tick(at)

    def tick(self, at: int) -> None:
        hour = datetime.fromtimestamp(at, ZoneInfo(self.zone)).hour
        wh = at % 10**9 * 0.3 + (at // 86400) ** 2 % 977
        counters = {"production": 1e6 + wh, "import": 2e6 + 0.4 * wh, "export": 1e6 + 0.6 * wh}
        powers = {"production": 100.0 * hour + at // 86400 % 7, "net": 50.0 * (hour - 12), "load": 300.0}
        tick = Tick(at, counters, Wiring(net=True, batteries=0), 1e6, Site(zone=self.zone, totals_s=STEP))
        done = account(self.state, replace(tick, powers=powers, tags={"gateway": "1", "site": "home"}))
        self.state = done.state
        for row in done.rows:
            self.rows[row.reading.measurement, row.reading.time] = row.reading
            self.dates[row.reading.measurement, row.reading.time] = row

    def restart(self) -> None:
        text = dump_energy(self.state)
        assert load_energy(text) == self.state
        self.state = load_energy(text)

    def of(self, kind: str) -> dict[str, Mapping[str, Value]]:
        return {
            str(row.fields[f"local_{kind}" if kind != "day" else "local_date"]): row.fields
            for (name, _), row in sorted(self.rows.items())
            if name == f"envoy_{kind}"
        }


def first(day: str, zone: str = "Europe/Berlin") -> int:
    return first_instant(day, zone)


def expected(days: Mapping[str, Mapping[str, Value]], key: str, zone: str) -> dict[str, Value]:
    """A month or a year, summed from the rows of its days without any code of the recorder's."""
    mine = {day: fields for day, fields in days.items() if day.startswith(key)}
    found: dict[str, Value] = {"days": len(mine)}
    for fields in mine.values():
        for name, value in fields.items():
            if name.endswith("_wh") and isinstance(value, float):
                found[name] = float(found.get(name, 0.0)) + value
            if name in GREATEST and isinstance(value, float):
                found[name] = max(float(found.get(name, 0.0)), value)
    made = {day: fields["production_wh"] for day, fields in mine.items()}
    found["best_day"] = max(made, key=lambda day: float(made[day]))
    found["best_day_wh"] = made[str(found["best_day"])]
    most = max(sorted(mine), key=lambda day: float(mine[day].get("peak_import_w", -1.0)))
    if "peak_import_at" in mine[most]:
        found["peak_import_at"] = f"{most} {mine[most]['peak_import_at']}"
    seconds = {day: first(following(day), zone) - first(day, zone) for day in mine}
    polled = sum(float(mine[day]["coverage_percent"]) * seconds[day] for day in mine)
    found["coverage_percent"] = polled / sum(seconds.values())
    return found


def compare(site: Recorded) -> Iterator[str]:
    """Every month and year against its days."""
    days = site.of("day")
    for kind, length in (("month", 7), ("year", 4)):
        rows = site.of(kind)
        assert sorted(rows) == sorted({day[:length] for day in days})
        for key, fields in rows.items():
            yield key
            wanted = {f"local_{kind}": key, **expected(days, key, site.zone)}
            assert fields.keys() == wanted.keys()
            for name, value in wanted.items():
                assert fields[name] == (pytest.approx(value, abs=1e-6) if isinstance(value, float) else value), name


@pytest.mark.long
def test_months_and_years_are_the_sums_of_their_days_over_two_turns_of_the_year() -> None:
    site = Recorded()
    site.run(first("2024-11-20"), first("2026-01-05"))
    assert len(list(compare(site))) == 15 + 3
    row = site.rows["envoy_month", first("2025-03-01")]
    assert row.tags == {"gateway": "1", "site": "home"}
    assert row.fields["days"] == 31
    assert site.dates["envoy_month", first("2025-03-01")].day == "2025-03-31"
    assert site.dates["envoy_year", first("2025-01-01")].day == "2025-12-31"
    assert site.dates["envoy_year", first("2025-01-01")].final
    assert not site.dates["envoy_year", first("2026-01-01")].final


@pytest.mark.parametrize(
    "zone",
    [
        "Pacific/Apia",
        "Africa/Cairo",
        pytest.param("America/Sao_Paulo", marks=pytest.mark.long),
        pytest.param("Asia/Beirut", marks=pytest.mark.long),
    ],
)
def test_zones_that_skip_a_midnight_or_a_whole_day_have_right_months(zone: str) -> None:
    site = Recorded(zone)
    begin = {"Pacific/Apia": "2011-11-20", "Africa/Cairo": "2014-03-20"}.get(zone, "2017-09-20")
    site.run(first(begin, zone), first(begin, zone) + 75 * 86400)
    assert len(list(compare(site))) >= 4


@pytest.mark.long
def test_restarts_gaps_and_reopened_days_keep_months_equal_to_their_days() -> None:
    site = Recorded()
    site.run(first("2025-01-20"), first("2025-01-30") + 7 * 3600)
    site.restart()
    site.run(first("2025-02-06") + 11 * 3600, first("2025-02-27"))  # a gap over the end of a month
    site.restart()
    site.run(first("2025-03-02") + 5 * 3600, first("2025-06-10"))  # another, that ends after 03:00
    site.restart()
    site.run(first("2025-08-20"), first("2025-08-25"))  # longer than days are kept
    site.run(first("2025-08-25"), first("2025-10-05"))
    list(compare(site))
    assert site.of("month")["2025-07"]["days"] == 31
    assert site.of("month")["2025-07"]["coverage_percent"] == 0.0


def test_a_month_is_current_with_each_row_of_its_day() -> None:
    site = Recorded()
    site.run(first("2025-05-31"), first("2025-06-01") + 2 * STEP)
    assert list(compare(site)) == ["2025-05", "2025-06", "2025"]
    assert site.rows["envoy_month", first("2025-06-01")].fields["days"] == 1


def test_a_month_keeps_its_start_and_tags_when_zone_and_name_change() -> None:
    site = Recorded()
    site.run(first("2025-05-20"), first("2025-06-03"))
    site.zone = "Asia/Tokyo"
    site.run(first("2025-06-03"), first("2025-07-30"))
    months = [time for name, time in site.rows if name == "envoy_month"]
    assert months == [first("2025-05-01"), first("2025-06-01"), first("2025-07-01", "Asia/Tokyo")]
    assert len([time for name, time in site.rows if name == "envoy_year"]) == 1


def days_of(site: Recorded) -> dict[str, Period]:
    return {
        str(row.fields["local_date"]): sum_day(row, first(following(str(row.fields["local_date"]))) - row.time)
        for (name, _), row in site.rows.items()
        if name == "envoy_day"
    }


@pytest.mark.long
def test_a_state_without_sums_is_filled_from_the_rows_of_days_that_were_read_back() -> None:
    site = Recorded()
    site.run(first("2024-11-20"), first("2025-06-10"))
    whole, rows = site.state, dict(site.rows)
    lost = replace(site.state, periods={})
    made, filled = restore_periods(lost, days_of(site))
    assert {key: period.days for key, period in filled.periods.items() if len(key) == 7} == {
        key: period.days for key, period in whole.periods.items() if len(key) == 7
    }
    assert {(row.reading.measurement, row.reading.time) for row in made} == {
        key for key in rows if key[0] in ("envoy_month", "envoy_year")
    }
    site.state = filled
    site.rows |= {(row.reading.measurement, row.reading.time): row.reading for row in made}
    list(compare(site))
    again, same = restore_periods(filled, days_of(site))
    assert ([row.reading for row in again], same.periods) == ([row.reading for row in made], filled.periods)


@pytest.mark.long
def test_days_that_were_computed_anew_replace_those_in_a_months_sum() -> None:
    site = Recorded()
    site.run(first("2025-01-01"), first("2025-06-10"))
    anew = {
        key: replace(row, fields={**row.fields, "production_wh": 1.0})
        for key, row in site.rows.items()
        if key[0] == "envoy_day" and str(row.fields["local_date"]) in list_days("2025-02-03", "2025-02-07")
    }
    site.rows |= anew
    made, site.state = restore_periods(site.state, days_of(site))
    site.rows |= {(row.reading.measurement, row.reading.time): row.reading for row in made}
    list(compare(site))


def test_money_of_two_currencies_is_not_added() -> None:
    def day(at: str, currency: str) -> Reading:
        fields: dict[str, Value] = {"local_date": at, "currency": currency, "cost": 2.5, "grid_import_wh": 1000.0}
        return Reading("envoy_day", {"gateway": "1"}, fields, first(at), "daily")

    site = Recorded()
    site.run(first("2024-06-01"), first("2024-06-02"))
    state = site.state
    one, _ = restore_periods(state, {d: sum_day(day(d, "EUR"), 86400) for d in ("2025-02-01", "2025-02-02")})
    assert [row.reading.fields["cost"] for row in one] == [5.0, 5.0]
    assert one[0].reading.fields["currency"] == "EUR"
    two, _ = restore_periods(
        state, {d: sum_day(day(d, c), 86400) for d, c in (("2025-02-01", "EUR"), ("2025-02-02", "HRK"))}
    )
    assert not {"cost", "currency"} & two[0].reading.fields.keys()
    assert two[0].reading.fields["grid_import_wh"] == 2000.0
