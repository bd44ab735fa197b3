"""What was written gives the same days again, whatever the site is measured by."""

from __future__ import annotations

from dataclasses import replace

import pytest

from logger.daemon.tick import run_tick
from logger.energy.rebuild import Past, list_rows, replay
from logger.energy.state import EnergyState
from logger.model import DayRow, Document, Role, Snapshot
from logger.readings import paths
from logger.site import Site
from tests.energy.counted import MINUTE, Counted, metered
from tests.energy.test_day_rows import PARIS, encharge, site
from tests.readings.site import INFO, PRODUCTION, TOTALS, Body, inverter, meter, reading

PAGE = (
    "<table><tr><td>Currently</td><td>1.20 kW</td></tr><tr><td>Today</td><td>4.00 kWh</td></tr>"
    "<tr><td>Past Week</td><td>80.0 kWh</td></tr><tr><td>Since Installation</td><td>12.{digit} MWh</td></tr></table>"
)
DAY = "2025-06-15"


def again(counted: Counted) -> DayRow:
    """The day's row by what was written of its minutes alone."""
    written = [Past(at, fields, {"gateway": "1"}) for at, fields in sorted(counted.written.items())]
    ledger, _, _ = replay(EnergyState(), written, Site(zone=PARIS))
    return list_rows(ledger, [DAY])[0]


def same(counted: Counted) -> dict[str, float]:
    """The energies of both, which must be the same."""
    live, then = counted.rows[DAY].reading.fields, again(counted).reading.fields
    mine = {k: v for k, v in live.items() if k.endswith("_wh") and isinstance(v, float)}
    assert {k: v for k, v in then.items() if k.endswith("_wh")} == pytest.approx(mine)
    assert then["counter_resets"] == live["counter_resets"] == 0
    assert then["coverage_percent"] == pytest.approx(live["coverage_percent"])
    return mine


def test_a_recorder_that_goes_on_after_a_replay_writes_the_grids_energy_as_it_flows() -> None:
    """A new machine: its state is read back from the database, then the gateway's own counters go on."""
    counted = site()
    for minute in range(31):
        counted.poll(metered(5e6 + 20.0 * minute, 3e6 + 7.0 * minute, 1e6 + 10.0 * minute))
    written = [Past(at, fields, {"gateway": "1"}) for at, fields in sorted(counted.written.items())]
    ledger, _, _ = replay(EnergyState(), written, counted.site)
    counted.state = replace(counted.state, energy=ledger)
    for minute in range(31, 41):
        fields = counted.poll(metered(5e6 + 20.0 * minute, 3e6 + 7.0 * minute, 1e6 + 10.0 * minute))
        assert fields["net_lifetime_wh"] == pytest.approx(2e6 - 3.0 * minute)


def test_a_battery_that_no_meter_measures_is_integrated_again() -> None:
    counted = site()
    for minute in range(31):
        counted.poll(encharge(5e6 + 20.0 * minute, 600.0 if minute < 8 else -1200.0))
    found = same(counted)
    assert found["battery_charged_wh"] > 0
    assert found["load_estimated_wh"] == found["battery_charged_wh"] + found["battery_discharged_wh"]


def test_the_three_digits_of_the_oldest_gateways_are_no_counter_when_read_back() -> None:
    counted = site()
    for minute in range(31):
        counted.poll({paths.PAGE: PAGE.format(digit=3 if minute < 15 else 4)})
    assert same(counted)["production_wh"] == pytest.approx(30 * 20.0)


def test_a_large_site_is_large_for_all_of_a_day_that_counts_its_inverters_once() -> None:
    counted = site()
    for minute in range(31):
        rows = [reading(PRODUCTION, 95_000.0, 5e6 + 1600.0 * minute)]
        inverters = [{"serialNumber": f"{n:012d}", "lastReportDate": counted.tick, "devType": 1} for n in range(200)]
        documents = {paths.METERS: [meter(PRODUCTION, "production", phases=3)], paths.READINGS: rows}
        if minute == 0:
            documents[paths.V1_INVERTERS] = inverters
        counted.poll(documents, unknown=[paths.V1_INVERTERS] if minute else [])
    assert "inverters" not in counted.written[counted.tick]
    assert same(counted)["production_wh"] == pytest.approx(30 * 1600.0)


@pytest.mark.parametrize("silent", [0, 60])
def test_a_site_whose_only_counter_comes_each_quarter_of_an_hour_is_covered_while_it_answers(silent: int) -> None:
    """Disabled CTs: no document says anything of each minute. A silence is known for one after ten minutes."""
    counted = site()
    meters = [meter(PRODUCTION, "production", state="disabled")]
    listed = [inverter("122000000001", at=counted.tick)]
    standing: dict[str, Document] = {}
    for minute in range(181):
        counted.tick += MINUTE
        block = {"type": "inverters", "activeCount": 1, "wNow": 240, "whLifetime": 5e6 + 4.0 * minute}
        answers: dict[str, tuple[int, Body]] = {
            paths.METERS: (15, meters),
            paths.V1_INVERTERS: (5, listed),
            paths.BLOCKS: (15, {"production": [block]}),
        }
        for path, (every, body) in answers.items():
            if minute % every == 0 and not 61 <= minute < 61 + silent:
                standing[path] = Document(path, body, counted.tick + 1.0, 0.1)
            elif path in standing and counted.tick - standing[path].received_at > 2 * every * MINUTE:
                del standing[path]
        since: dict[Role, float] = {"totals": counted.since}
        snap = Snapshot(INFO, counted.tick, dict(standing), since, paths.PATHS - answers.keys())
        counted.enter(run_tick(snap, TOTALS, counted.state, counted.site))
    row = counted.rows[DAY].reading.fields
    assert row["production_wh"] == pytest.approx(180 * 4.0)
    minutes = row["coverage_percent"] * 14.4  # type: ignore[operator]
    assert 181 - silent <= round(minutes) <= 181 - max(0, silent - 10)
    if not silent:
        assert same(counted)
