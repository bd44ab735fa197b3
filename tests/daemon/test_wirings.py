"""Hours at simulated sites that are wired differently, in virtual time: what is counted is what flowed."""

from __future__ import annotations

from functools import lru_cache

import pytest

from logger.model import Value
from logger.simulator.invented_gateway import invent_gateway
from logger.simulator.nightly_restart import NightlyRestart
from logger.simulator.wirings import count_between
from tests.daemon.hours import NOON, PlantGateway, poll
from tests.endtoend.points import parsed

HOURS = 1.5
ZONE = "Europe/Madrid"
Totals = dict[int, dict[str, Value]]


@lru_cache(maxsize=8)
def totals(wiring: str, *, generation: str = "8-metered", start: float = NOON, restarts: bool = False) -> Totals:
    """The totals by tick of some hours at that site; a value that came later is merged."""
    gateway = invent_gateway(generation, inverters=8, epoch=NOON - 2 * 86400, wiring=wiring)

    def shape(asked: PlantGateway) -> None:
        if restarts:
            asked.plant = NightlyRestart(gateway, ZONE)  # type: ignore[assignment]

    _, store, _ = poll(gateway, HOURS, shape, start=start)
    found: Totals = {}
    for place, fields in parsed(store.lines("envoy_totals")):
        found.setdefault(place.time, {}).update(fields)
    return found


def risen(found: Totals, name: str) -> tuple[int, int, float]:
    """The first and the last tick with a field, and its rise in between."""
    points = [(at, float(fields[name])) for at, fields in sorted(found.items()) if name in fields]
    (since, first), (until, last) = points[0], points[-1]
    assert all(a <= b for (_, a), (_, b) in zip(points, points[1:], strict=False)), f"{name} falls"
    return since, until, last - first


def test_a_house_on_one_sunny_phase_is_balanced_and_counted_by_phase() -> None:
    found = totals("one-sunny-phase")
    site = invent_gateway("8-metered", inverters=8, epoch=NOON - 2 * 86400, wiring="one-sunny-phase").site
    since, until, _ = risen(found, "grid_import_lifetime_wh")
    assert until - since > 3600 * HOURS - 300
    by_phase, balanced = count_between(site, since, until), site.energy(since, until)
    for field, truth in (
        ("grid_import", by_phase.imported_wh),
        ("grid_export", by_phase.exported_wh),
        ("grid_import_balanced", balanced.imported_wh),
        ("grid_export_balanced", balanced.exported_wh),
    ):
        assert risen(found, f"{field}_lifetime_wh")[2] == pytest.approx(truth, abs=1.0, rel=0.01), field
    assert risen(found, "grid_import_lifetime_wh")[2] > 100, "two phases buy while the sun shines"


def test_a_site_with_a_net_ct_only_writes_no_house_of_two_times_and_no_lifetime_falls() -> None:
    found = totals("net-ct-only")
    site = invent_gateway("8-metered", inverters=8, epoch=NOON - 2 * 86400, wiring="net-ct-only").site
    since, until, wh = risen(found, "grid_export_lifetime_wh")
    assert wh == pytest.approx(site.energy(since, until).exported_wh, abs=1.0)
    risen(found, "consumption_lifetime_wh")
    *_, made = risen(found, "production_lifetime_wh")
    assert made > 0
    houses = [float(fields["load_power_w"]) for fields in found.values() if "load_power_w" in fields]
    assert not [watts for watts in houses if watts < 0]
    assert not [fields for fields in found.values() if "grid_import_balanced_lifetime_wh" in fields]


def test_a_house_with_a_second_system_behind_its_net_ct_is_never_below_zero() -> None:
    found = totals("second-system")
    site = invent_gateway("8-metered", inverters=8, epoch=NOON - 2 * 86400, wiring="second-system").site
    since, until, wh = risen(found, "production_lifetime_wh")
    assert wh == pytest.approx(0.4 * site.energy(since, until).produced_wh, abs=1.0)
    assert risen(found, "grid_export_lifetime_wh")[2] == pytest.approx(site.energy(since, until).exported_wh, abs=1.0)
    for fields in found.values():
        assert all(float(fields.get(f"{name}_power_w", 0.0)) >= -30 for name in ("consumption", "load"))


def test_a_gateway_that_starts_anew_at_midnight_loses_no_energy() -> None:
    found = totals("usual", generation="8-battery", start=NOON + 11.5 * 3600, restarts=True)
    site = invent_gateway("8-battery", inverters=8, epoch=NOON - 2 * 86400).site
    since, until, wh = risen(found, "load_lifetime_wh")
    assert until - since > 3600 * HOURS - 300
    assert wh == pytest.approx(site.energy(since, until).house_wh, abs=1.0)
    midnight = NOON + 12 * 3600
    today = found[until]["load_today_wh"]
    assert today == pytest.approx(site.energy(midnight, until).house_wh, abs=60), (
        "a gap over midnight is shared by time"
    )
