"""The generated history, read back from real databases, equals the truth that was summed beside it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from functools import lru_cache
from statistics import median
from zoneinfo import ZoneInfo

import pytest

from logger.model import Role, Value
from tests.databases.server import Row, Server
from tests.history.generator import FIRST, NIGHTS, Generated, Generator
from tests.history.kinds import KINDS, RICHEST, Kind
from tests.history.load import write_lines
from tests.history.truth import DayTruth
from tests.questions.ask import ask_influxql
from tests.sizes import LONG

BEGIN, DAYS, STEP_S = (FIRST, 730, 300) if LONG else (date(2024, 2, 27), 42, 900)
"""The shorter history has a leap day, the ends of two months, and a change of the clocks at each of its sites."""
IS_WHOLE = STEP_S == 900
"""Whether the last day is: rows are written every quarter of an hour, and this history ends just before midnight."""
PLAYED = KINDS if LONG else RICHEST
NAMES = [kind.name for kind in PLAYED]
pytestmark = pytest.mark.long


@lru_cache(maxsize=1 if LONG else len(PLAYED))
def generate(kind: Kind) -> Generated:
    return Generator(kind, DAYS, STEP_S, first=BEGIN).run()


@dataclass
class Loaded:
    """All sites that were asked for in one database; `rows` of a measurement are read once for each set of sites."""

    server: Server
    buckets: dict[Role, str]

    def __post_init__(self) -> None:
        self._rows: dict[tuple[Role, str], list[Row]] = {}
        self._sites: set[str] = set()

    def add(self, kind: Kind) -> None:
        """Write a site beside those that are there."""
        if kind.name not in self._sites:
            write_lines(self.server, self.buckets, generate(kind).lines)
            self._sites.add(kind.name)
            self._rows.clear()

    def rows(self, kind: Kind, measurement: str, role: Role = "daily") -> list[Row]:
        if (role, measurement) not in self._rows:
            self._rows[role, measurement] = self.server.rows(self.buckets[role], measurement)
        return [row for row in self._rows[role, measurement] if row.tags["gateway"] == kind.gateway]

    def list_conditions(self, kind: Kind, also: str = "") -> set[str]:
        """List the texts of `conditions` in all statuses of a site; the database reads them, millions of rows."""
        text = (
            f'SELECT DISTINCT("conditions") FROM "envoy_inverter_status" WHERE "gateway" = \'{kind.gateway}\'{also}'
        )
        return {str(row["distinct"]) for row in ask_influxql(self.server, self.buckets, "devices", text)}

    def by(self, kind: Kind, span: str) -> dict[str, Mapping[str, Value]]:
        name = "local_date" if span == "day" else f"local_{span}"
        found = [(str(row.fields[name]), row.fields) for row in self.rows(kind, f"envoy_{span}")]
        assert len(dict(found)) == len(found), "two rows of one span"
        return dict(found)


@pytest.fixture(params=["influx1_session", "influx2_session"], scope="module")
def database(request: pytest.FixtureRequest) -> Loaded:
    server = request.getfixturevalue(request.param)
    return Loaded(server, server.fresh_buckets())


@pytest.fixture(params=PLAYED, ids=NAMES, scope="module")
def kind(request: pytest.FixtureRequest) -> Kind:
    """One kind after the other, so that no process has to generate all of them."""
    assert isinstance(request.param, Kind)
    return request.param


@pytest.fixture
def loaded(database: Loaded, kind: Kind) -> Loaded:
    database.add(kind)
    return database


def number(fields: Mapping[str, Value], name: str) -> float:
    value = fields[name]
    assert isinstance(value, (int, float))
    return float(value)


def quantities(kind: Kind) -> list[str]:
    metered = ["grid_import", "grid_export", "load"] if kind.has_meters else []
    return ["production", *metered, *(["battery_charged", "battery_discharged"] if kind.battery_wh else [])]


def test_every_day_has_its_energies_within_a_watt_hour_and_its_money_within_a_hundredth(
    loaded: Loaded, kind: Kind
) -> None:
    truth, rows = generate(kind).truth.days, loaded.by(kind, "day")
    assert sorted(rows) == sorted(truth)
    if not IS_WHOLE:
        del rows[max(rows)]
    for day, fields in rows.items():
        for name in quantities(kind):
            assert number(fields, f"{name}_wh") == pytest.approx(truth[day].wh[name], abs=1.0), (day, name)
        if kind.tariff:
            assert number(fields, "cost") == pytest.approx(truth[day].cost, abs=0.01), day
            assert number(fields, "income") == pytest.approx(truth[day].income, abs=0.01), day
    assert kind.tariff or not any("cost" in fields for fields in rows.values())


@pytest.mark.parametrize(("span", "length"), [("month", 7), ("year", 4)])
def test_months_and_years_are_the_truth_of_their_days(loaded: Loaded, kind: Kind, span: str, length: int) -> None:
    truth, rows, of_days = generate(kind).truth, loaded.by(kind, span), loaded.by(kind, "day")
    assert sorted(rows) == sorted({day[:length] for day in truth.days})
    zone = ZoneInfo(kind.zone)
    starts = {row.time for row in loaded.rows(kind, f"envoy_{span}")}
    assert starts == {
        int(datetime.fromisoformat(f"{key}-01-01"[:10]).replace(tzinfo=zone).timestamp()) for key in rows
    }
    for key, fields in rows.items():
        days = truth.within(key)
        assert fields["days"] == len(days)
        for name in quantities(kind):
            wanted = sum(day.wh[name] for day in days)
            if not IS_WHOLE and key in max(of_days):
                wanted += number(of_days[max(of_days)], f"{name}_wh") - truth.days[max(of_days)].wh[name]
            assert number(fields, f"{name}_wh") == pytest.approx(wanted, abs=len(days)), (key, name)
        if kind.tariff:
            cost = sum(day.cost for day in days)
            if not IS_WHOLE and key in max(of_days):
                cost += number(of_days[max(of_days)], "cost") - truth.days[max(of_days)].cost
            assert number(fields, "cost") == pytest.approx(cost, abs=0.01 * len(days))
        best = max((truth.days[day].wh["production"], day) for day in truth.days if day.startswith(key))
        assert number(fields, "best_day_wh") == pytest.approx(best[0], abs=1.0)
        assert fields["best_day"] == best[1]


def extremes(day: DayTruth) -> dict[str, float]:
    net, load_w = (day.means(name, 600 // STEP_S or 1) for name in ("net", "load"))
    return {
        "peak_import_w": max(0.0, *net.values()),
        "peak_export_w": max(0.0, *(-w for w in net.values())),
        "base_load_w": min(load_w.values()),
        "voltage_min_v": min(day.volts),
        "voltage_max_v": max(day.volts),
    }


def test_days_have_the_true_peaks_base_load_voltage_charge_and_time_off_the_grid(loaded: Loaded, kind: Kind) -> None:
    rows = loaded.by(kind, "day")
    for day, truth in generate(kind).truth.days.items():
        if not kind.has_meters:
            assert not {"peak_import_w", "base_load_w", "voltage_min_v", "off_grid_s"} & rows[day].keys()
            continue
        for name, value in extremes(truth).items():
            assert number(rows[day], name) == pytest.approx(value, abs=0.01), (day, name)
        assert number(rows[day], "frequency_max_hz") == 50.0
        if kind.battery_wh:
            charge = [number(rows[day], f"battery_{end}_percent") for end in ("min", "max")]
            assert charge == pytest.approx([min(truth.charge), max(truth.charge)])
            assert number(rows[day], "off_grid_s") == truth.off_grid_s


@pytest.mark.parametrize("kind", PLAYED[:1], ids=NAMES[:1], indirect=True, scope="module")
def test_each_outage_of_the_grid_is_an_event_with_its_length(loaded: Loaded, kind: Kind) -> None:
    events = [row for row in loaded.rows(kind, "envoy_event", "totals") if row.tags["kind"] == "grid_back"]
    assert {row.time: row.fields["duration_s"] for row in events} == generate(kind).truth.outages
    assert len(events) >= 2


def test_every_installed_panel_has_a_row_each_day_with_its_true_energy(loaded: Loaded, kind: Kind) -> None:
    truth = generate(kind).truth.days
    zone = ZoneInfo(kind.zone)
    rows = {
        (row.tags["serial"], datetime.fromtimestamp(row.time, zone).date().isoformat()): row
        for row in loaded.rows(kind, "envoy_inverter_day")
    }
    days = sorted(truth)
    assert sorted(rows) == sorted((panel.serial, day) for panel in kind.panels for day in days)
    for panel in kind.panels:
        for number_of_day, day in enumerate(days):
            row = rows[panel.serial, day]
            assert (row.fields["panel"], row.tags["panel_group"]) == (panel.panel, panel.group)
            is_dead = bool(panel.dead_from) and number_of_day >= panel.dead_from
            assert row.fields["silent_days"] == (number_of_day - panel.dead_from + 1 if is_dead else 0)
            if is_dead:
                assert (row.fields["coverage_percent"], row.fields.get("energy_wh")) == (0.0, None)
            else:
                off_wh = 1.0 if number_of_day else 15.0  # what an inverter made before its first report is unknown
                assert number(row.fields, "energy_wh") == pytest.approx(truth[day].panels[panel.serial], abs=off_wh)
            if not (panel.weak_from and number_of_day >= panel.weak_from):
                assert row.fields["low_days"] == 0
    for panel in kind.panels:
        if panel.weak_from:
            assert number(rows[panel.serial, days[-2]].fields, "low_days") >= 5


def test_every_hour_that_was_seen_has_its_true_energies(loaded: Loaded, kind: Kind) -> None:
    truth = generate(kind).truth.hours
    rows = loaded.rows(kind, "envoy_hour")
    gaps = sum(minutes // 60 + 2 for _, _, minutes in kind.gaps) * (DAYS // 40 + 1)
    assert len(truth) - gaps <= len(rows) <= len(truth)
    for row in rows:
        wanted = truth[row.time]
        assert (row.tags["hour"], row.tags["month"]) == (wanted.hour, wanted.month)
        for name in quantities(kind):
            if f"{name}_wh" in row.fields:
                assert number(row.fields, f"{name}_wh") == pytest.approx(wanted.wh[name], abs=0.1), row
    for name in quantities(kind):
        known = sum(f"{name}_wh" in row.fields for row in rows)
        assert known >= len(truth) - gaps, "only a gap leaves an energy out"


def test_every_hour_of_an_inverter_that_was_seen_has_its_energy_beside_its_groups(loaded: Loaded, kind: Kind) -> None:
    truth, group = generate(kind).truth.hours, {panel.serial: panel.group for panel in kind.panels}
    gaps, rows = generate(kind).truth.gaps, loaded.rows(kind, "envoy_inverter_hour")
    assert len(rows) > 8 * DAYS * (len(kind.panels) - 1)
    assert {row.tags["serial"] for row in rows} == set(group)
    for row in rows:
        serial, panels = row.tags["serial"], truth[row.time].panels
        if any(row.time < end and row.time + 3600 >= end - length for end, length in gaps.items()):
            seen = number(row.fields, "energy_wh")  # up to a tenth of an hour may be missing
            assert 0.85 * panels[serial] <= seen <= panels[serial] + 0.1
            continue
        assert number(row.fields, "energy_wh") == pytest.approx(panels[serial], abs=0.1)
        awake = [wh for other, wh in panels.items() if group[other] == group[serial] and wh > 0]
        assert number(row.fields, "group_wh") == pytest.approx(median(awake), abs=0.1)


def test_no_healthy_inverter_has_a_fault_in_any_night(loaded: Loaded, kind: Kind) -> None:
    assert loaded.list_conditions(kind) == {"", *NIGHTS, "acvoltageoosp1"}
    assert loaded.list_conditions(kind, ' AND "fault" = true') == {"acvoltageoosp1"}
