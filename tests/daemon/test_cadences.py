"""How often each measurement is written, in virtual hours of an invented site."""

from __future__ import annotations

import asyncio
import re
from dataclasses import replace
from itertools import pairwise

import pytest

from logger.daemon.collector import Collector
from tests.daemon.hours import NOON, PlantGateway, plant, poll
from tests.daemon.parts import InlineStore
from tests.daemon.test_call_plan import minutes
from tests.sizes import LONG
from tests.virtual import VirtualClock


@pytest.fixture(scope="module")
def hours() -> InlineStore:
    """Two hours of a site with batteries and a controller; after 80 minutes its firmware changes."""

    def update(collector: Collector, gateway: PlantGateway, clock: VirtualClock) -> object:
        async def script() -> None:
            await asyncio.sleep(80 * 60)
            gateway.plant.generation = replace(gateway.plant.generation, firmware="D8.2.9999")

        return asyncio.create_task(script())

    _, store, _ = poll(plant("8-battery", 6), 2, meanwhile=update)
    return store


def times(store: InlineStore, measurement: str) -> list[int]:
    return [int(line.rsplit(" ", 1)[1]) for line in store.lines(measurement)]


def test_the_grid_is_a_point_a_minute(hours: InlineStore) -> None:
    assert times(hours, "envoy_grid") == minutes(120)
    assert all("controller_temperature_c" in line for line in hours.lines("envoy_grid"))


def test_contacts_are_a_point_every_five_minutes(hours: InlineStore) -> None:
    assert times(hours, "envoy_contact") == minutes(120)[::5]


def test_the_gateways_own_point_comes_every_quarter_of_an_hour_and_on_change(hours: InlineStore) -> None:
    at = times(hours, "envoy_gateway")
    assert at[0] == NOON
    assert (
        len(hours.lines("envoy_totals"))
        == len([x for x in hours.lines("envoy_totals") if "net_power_w=" in x])
        == 120
    )
    gaps = [b - a for a, b in pairwise(at)]
    assert all(300 <= gap <= 900 for gap in gaps)
    assert len(at) <= 2 + 8 + 1
    lines = hours.lines("envoy_gateway")
    changed = next(line for line in lines if "D8.2.9999" in line)
    assert int(changed.rsplit(" ", 1)[1]) - (NOON - 30 + 80 * 60) <= 900 + 300
    assert sum("interface=" in line for line in lines) >= 7
    assert sum("inverter_report_interval_s=300.0" in line for line in lines) >= 5


def test_facts_of_a_device_are_written_at_every_tick_of_the_devices(hours: InlineStore) -> None:
    assert len(times(hours, "envoy_battery")) == 2 * 24
    assert len(times(hours, "envoy_inverter_status")) == 6 * 24


def test_the_oldest_gateways_day_goes_on_from_its_page_by_power() -> None:
    """Its lifetime moves by 100 kWh at once and is no counter; its today stands until the next whole figure."""
    oldest = plant("0", 12)
    _, store, _ = poll(oldest, 1)
    lines = store.lines("envoy_totals")
    assert len(lines) == 60
    days = [float(found.group(1)) for line in lines if (found := re.search(r"production_today_wh=([\d.]+)", line))]
    assert len(days) == 60
    assert all(0 < b - a < 100 for a, b in pairwise(days))
    true = oldest.site.energy(oldest.site.midnight(NOON), NOON + 59 * 60).produced_wh
    assert days[-1] == pytest.approx(true, rel=0.01)
    assert all("production_7d_wh=188000.0" in line for line in lines)
    assert {re.search(r"production_lifetime_wh=([\d.]+)", line).group(1) for line in lines} == {"13100000.0"}  # type: ignore[union-attr]


@pytest.mark.long
@pytest.mark.parametrize("generation", ["8-battery", "8-standard", "new-stack", "5-metered", "3", "0"])
def test_a_day_and_its_night_hide_no_key_from_the_documents(generation: str) -> None:
    """A whole day from noon on; a tenth begins before the sun sets and goes beyond midnight."""
    hours, start = (26, NOON) if LONG else (3, NOON + 9 * 3600 + 900)
    _, store, _ = poll(plant(generation, 6), hours, start=start)
    assert len(store.lines("envoy_totals")) >= hours * 60 - 15
    assert [line for line in store.lines("envoy_event") if "kind=key_" in line] == []
