"""Which source a counter comes from: provisional, then pinned, never silently another."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from logger.daemon.counter_status import describe_energy
from logger.energy.state import EnergyState
from logger.readings import paths
from logger.readings.source_selection import Sources
from logger.readings.wanted import find_wanted
from logger.site import Site
from tests.energy.counted import Counted, metered, standard
from tests.readings.site import PRODUCTION, Body, detailed, device_data, meter, snapshot

NOON = int(datetime(2025, 6, 15, 12, tzinfo=UTC).timestamp())


def v1(lifetime: float) -> Body:
    return {"wattsNow": 1000, "wattHoursToday": 1, "wattHoursSevenDays": 9, "wattHoursLifetime": lifetime}


def plain(lifetime: float) -> dict[str, Body]:
    """A site without CTs with v1 totals."""
    return {paths.METERS: [], paths.V1: v1(lifetime)}


def detail(lifetime: float) -> Body:
    """Device data of one inverter."""
    device = detailed("122000000001")
    device["channels"][0]["lifetime"] = {"joulesProduced": lifetime * 3600}
    return device_data(device)


def state(site: Counted, name: str = "production") -> tuple[str, str]:
    counters = describe_energy(site.state.energy, site.state.readings.sources)["counters"]
    assert isinstance(counters, dict)
    counter = counters[name]
    assert isinstance(counter, dict)
    return str(counter["source"]), str(counter["state"])


def test_a_source_is_provisional_until_it_has_answered_three_times() -> None:
    site = Counted(tick=NOON)
    found = []
    for minute in range(4):
        assert site.poll(metered(5e6 + minute))["production_lifetime_wh"] == 5e6 + minute
        found.append(state(site))
    assert found == [("production meter", "provisional")] * 2 + [("production meter", "pinned")] * 2
    assert state(site, "import")[1] == "pinned"


def test_every_better_path_must_have_said_three_times_that_it_is_not_there() -> None:
    site = Counted(tick=NOON)
    for minute in range(9):
        absent = [paths.DEVICE_DATA] if minute % 3 == 0 else []
        site.poll(plain(5e6 + minute), absent=absent)
        assert state(site) == ("v1 totals", "pinned" if minute >= 6 else "provisional")


def test_a_path_that_is_not_in_the_call_plan_has_nothing_to_say() -> None:
    site = Counted(tick=NOON)
    for minute in range(3):
        site.poll(plain(5e6 + minute))
    assert state(site) == ("v1 totals", "pinned")


def test_a_better_source_that_comes_before_the_pinning_is_a_new_base_and_said() -> None:
    site = Counted(tick=NOON)
    assert "production_lifetime_wh" not in site.poll(plain(5e6), unknown=[paths.DEVICE_DATA])
    site.poll(plain(5e6 + 10), absent=[paths.DEVICE_DATA])
    site.poll(plain(5e6 + 20))
    assert state(site) == ("v1 totals", "provisional")
    for minute in range(4):
        found = site.poll({**plain(5e6 + 30), paths.DEVICE_DATA: detail(7e6 + 10.0 * minute)})
        assert found["production_lifetime_wh"] == 7e6 + 10.0 * minute
    assert state(site) == ("device data, summed", "pinned")
    assert site.kinds() == ["counter_reset"]
    assert "the source changed from v1 totals to device data, summed" in site.events[0].text
    assert site.state.energy.today.energy["production"].wh == pytest.approx(10.0 + 1000 / 60 + 30.0)


def test_a_pinned_source_stays_though_a_better_one_appears() -> None:
    site = Counted(tick=NOON)
    for minute in range(3):
        site.poll(plain(5e6 + minute))
    for minute in range(5):
        found = site.poll({**plain(5e6 + 10 + minute), paths.DEVICE_DATA: detail(7e6)})
        assert found["production_lifetime_wh"] == 5e6 + 10 + minute
    assert site.events == []


def test_a_pinned_source_that_is_silent_is_absent_and_no_other_speaks_for_it() -> None:
    site = Counted(tick=NOON)
    for minute in range(4):
        site.poll({**metered(5e6 + minute), paths.V1: v1(4e6)})
    for _ in range(3):
        assert "production_lifetime_wh" not in site.poll({paths.METERS: metered()[paths.METERS], paths.V1: v1(4e6)})
    site.restart()
    assert "production_lifetime_wh" not in site.poll({paths.METERS: metered()[paths.METERS], paths.V1: v1(4e6)})
    assert site.poll(metered(5e6 + 100))["production_lifetime_wh"] == 5e6 + 100


def test_nothing_is_pinned_in_the_quiet_window() -> None:
    site = Counted(tick=int(datetime(2025, 6, 15, 22, 58, tzinfo=UTC).timestamp()))
    for minute in range(10):
        site.poll(metered(5e6 + minute))
        assert state(site)[1] == "provisional"
    for minute in range(10, 16):
        site.poll(metered(5e6 + minute))
    assert state(site)[1] == "pinned"


def test_after_a_day_of_polling_a_path_without_any_answer_counts_as_absent() -> None:
    site = Counted(Site(zone="UTC", totals_s=300), tick=NOON)
    pinned_at = None
    for step in range(300):
        site.poll(plain(5e6 + step), unknown=[paths.DEVICE_DATA] if step else [], after=300)
        if pinned_at is None and state(site)[1] == "pinned":
            pinned_at = step
    quiet = 2  # polls in the quiet window
    assert pinned_at is not None
    assert 288 + quiet - 2 <= pinned_at <= 288 + quiet + 3


def test_a_new_firmware_is_looked_at_anew_and_what_is_better_then_is_a_new_base() -> None:
    site = Counted(tick=NOON)
    for minute in range(3):
        site.poll(plain(5e6 + minute))
    site.firmware, site.definitive = "D8.3.5433", {}
    for minute in range(2):
        found = site.poll({**plain(5e6 + 10 + minute), paths.DEVICE_DATA: detail(7e6)})
        assert found["production_lifetime_wh"] == 5e6 + 10 + minute, "until it is pinned the old one goes on"
        assert state(site)[1] == "provisional"
    site.poll({**plain(5e6 + 12), paths.DEVICE_DATA: detail(7e6)})
    assert site.poll({**plain(5e6 + 13), paths.DEVICE_DATA: detail(7e6 + 5)})["production_lifetime_wh"] == 7e6 + 5
    assert state(site) == ("device data, summed", "pinned")
    assert site.kinds() == ["counter_reset"]


def test_other_meters_are_said_and_looked_at_anew_and_one_odd_answer_switches_nothing() -> None:
    site = Counted(tick=NOON)
    for minute in range(4):
        site.poll(metered(5e6 + minute))
    odd = metered(5e6 + 4)
    odd[paths.METERS] = [meter(PRODUCTION, "production", state="disabled")]
    assert "production_lifetime_wh" not in site.poll({**odd, paths.V1: v1(4e6)})
    for minute in range(5, 9):
        assert site.poll({**metered(5e6 + minute), paths.V1: v1(4e6)})["production_lifetime_wh"] == 5e6 + minute
    assert site.kinds() == ["meters_changed"] * 2
    assert site.events[0].text == "the gateway now lists these meters: production disabled 1-phase"
    assert state(site) == ("production meter", "pinned")


def test_meters_that_are_gone_for_good_give_way_after_half_an_hour_and_three_answers() -> None:
    site = Counted(tick=NOON)
    for minute in range(4):
        site.poll(metered(5e6 + minute))
    for minute in range(34):
        assert "production_lifetime_wh" not in site.poll(plain(4e6 + minute))
    assert site.poll(plain(4e6 + 35))["production_lifetime_wh"] == 4e6 + 35
    assert state(site) == ("v1 totals", "pinned")
    assert site.kinds() == ["meters_changed", "counter_reset"]


def test_a_dry_run_pins_nothing() -> None:
    site = Counted(tick=NOON)
    site.poll(metered())
    assert not site.state.readings.sources.pinned


def test_while_a_source_is_not_pinned_the_better_paths_are_asked() -> None:
    site = Counted(tick=NOON)
    bodies = {paths.METERS: [], paths.V1: v1(5e6)}
    assert (
        paths.DEVICE_DATA
        in find_wanted(snapshot(bodies, unknown=[paths.DEVICE_DATA]), Sources(), EnergyState()).paths
    )
    for minute in range(3):
        site.poll(plain(5e6 + minute))
    site.firmware = "D8.3.5433"
    site.poll(plain(5e6 + 4))
    assert "production" in site.state.readings.sources.review.findings
    assert (
        paths.DEVICE_DATA
        in find_wanted(
            snapshot(bodies, unknown=[paths.DEVICE_DATA]), site.state.readings.sources, site.state.energy
        ).paths
    )


def test_a_block_that_comes_after_the_minutes_own_documents_is_a_source_too() -> None:
    """The slow lane's answers are never new in the same tick as the devices'."""
    site = Counted(tick=NOON)
    many = {paths.METERS: [], paths.DEVICE_DATA: device_data(*(detailed(f"{n}") for n in range(3)), count=60)}
    site.poll(many, unknown=[paths.BLOCKS])
    late = {**standard(5e6), paths.DEVICE_DATA: many[paths.DEVICE_DATA]}
    assert site.poll(late)["production_lifetime_wh"] == 5e6
