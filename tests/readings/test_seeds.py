"""The gateway's own figures of today and seven days: taken only where they are sane."""

from __future__ import annotations

import pytest

from logger.energy.state import Seed
from logger.model import Json
from logger.readings import paths
from logger.readings.seeds import find_seeds
from tests.readings.playing import play, roof, unmetered
from tests.readings.site import (
    CONSUMPTION,
    METERED,
    NOW,
    PRODUCTION,
    STANDARD,
    Bodies,
    detailed,
    device_data,
    meter,
    view,
)

PRODUCED = 5_000_000.0


def v1(today: Json = 4000, week: Json = 80_000, lifetime: Json = 4_999_900) -> dict[str, Json]:
    return {"wattsNow": 1, "wattHoursToday": today, "wattHoursSevenDays": week, "wattHoursLifetime": lifetime}


def blocks(today: Json, week: Json, lifetime: Json, count: int = 1, kind: str = "production") -> Json:
    block: Json = {
        "type": "eim",
        "activeCount": count,
        "measurementType": kind,
        "whToday": today,
        "whLastSevenDays": week,
        "whLifetime": lifetime,
    }
    produces = kind == "production"
    return {"production": [block] if produces else [], "consumption": [] if produces else [block]}


def by_v1(**figures: Json) -> Seed | None:
    return find_seeds(view({**METERED, paths.V1: v1(**figures)}), {"production": PRODUCED}).get("production")


def by_block(today: Json, week: Json, lifetime: Json = PRODUCED, count: int = 1) -> Seed | None:
    bodies = {**METERED, paths.V1: v1(lifetime=0), paths.BLOCKS: blocks(today, week, lifetime, count)}
    return find_seeds(view(bodies), {"production": PRODUCED}).get("production")


def test_a_15_minute_figure_is_brought_up_to_the_counter() -> None:
    assert by_v1() == Seed("production", "v1 totals", 4100.0, 80_000.0)


@pytest.mark.parametrize(
    ("lifetime", "why"),
    [
        (5_000_001, "the figure is ahead of the counter: another base"),
        (4_995_000, "more than the interval database can lag"),
        (1_583, "a frozen leftover"),
        (None, "no lifetime to compare"),
        ("4999900", "text is no number"),
    ],
)
def test_a_figure_of_another_base_is_no_seed(lifetime: Json, why: str) -> None:
    assert by_v1(lifetime=lifetime) is None, why


@pytest.mark.parametrize("today", [None, "4000", -1, 4_999_900, 6_000_000])
def test_a_today_that_is_missing_negative_or_all_that_ever_was_is_no_seed(today: Json) -> None:
    assert by_v1(today=today) is None


@pytest.mark.parametrize(
    ("week", "why"),
    [
        (0, "unknown is written as 0 (Q-P9)"),
        (1999, "less than half of today (Q-P9)"),
        (4_999_900 - 4000, "lifetime less today: no row old enough (Q-P10)"),
        (4_960_000, "within one percent of that"),
        (None, "absent"),
    ],
)
def test_insane_seven_days_are_left_out_and_today_is_kept(week: Json, why: str) -> None:
    found = by_v1(week=week)
    assert found is not None, why
    assert (found.today_wh, found.week_wh) == (4100.0, None), why


def test_a_sane_block_is_a_seed() -> None:
    assert by_block(4000.5, 80_000.5) == Seed("production", "production CT block", 4000.5, 80_000.5)


@pytest.mark.parametrize(
    ("today", "week", "why"),
    [
        (PRODUCED, 80_000.0, "today is the lifetime (Q-N1)"),
        (4000.0, 4000.0, "seven days are today (Q-N1)"),
        (4000.0, 1999.0, "seven days are less than half of today (Q-P9)"),
        (4000.0, 0.0, "seven days are zero (Q-P11)"),
        (None, 80_000.0, "no today"),
        (4000.0, None, "no seven days to check it with"),
        (-1.0, 80_000.0, "a negative today"),
    ],
)
def test_a_block_that_contradicts_itself_is_no_seed(today: Json, week: Json, why: str) -> None:
    assert by_block(today, week) is None, why


def test_a_block_that_does_not_follow_its_ct_is_no_seed() -> None:
    """Q-P12: the interval database is ahead of the CT, so the block shows the database's whole numbers."""
    assert by_block(33_182.0, 341_686.0, PRODUCED + 0.34) is None
    assert by_block(33_182.34, 341_686.34, PRODUCED + 0.34) is not None


def test_a_block_whose_seven_days_are_all_that_ever_was_seeds_only_today() -> None:
    assert by_block(4000.0, PRODUCED - 4000.0) == Seed("production", "production CT block", 4000.0, None)


def test_a_block_of_a_disabled_ct_is_no_seed() -> None:
    """Q-P1."""
    assert by_block(4000.0, 80_000.0, count=0) is None


def test_consumption_is_seeded_from_the_total_block_or_the_interval_database() -> None:
    counters = {"production": PRODUCED, "import": 3e6, "export": 1e6}
    block = blocks(9000.0, 120_000.0, 7e6, kind="total-consumption")
    assert find_seeds(view({**METERED, paths.BLOCKS: block}), counters)["consumption"].today_wh == 9000.0
    eim: Json = {"wattHoursToday": 8000, "wattHoursSevenDays": 0, "wattHoursLifetime": 6_999_500}
    both = {**METERED, paths.BLOCKS: block, paths.PDM: {"consumption": {"eim": eim}}}
    assert find_seeds(view(both), counters)["consumption"] == Seed("consumption", "interval database", 8500.0, None)


def test_net_figures_of_the_gateway_are_never_used() -> None:
    """Q-P13: they are always 0."""
    block = blocks(0, 0, 5e6, kind="net-consumption")
    assert set(find_seeds(view({**METERED, paths.BLOCKS: block}), {"production": PRODUCED})) <= {"production"}


def test_a_gateway_without_meters_is_seeded_by_its_own_counter() -> None:
    assert find_seeds(view(STANDARD), {"production": 4_999_900.0})["production"].today_wh == 4000.0


def test_device_data_seeds_only_where_there_is_no_production_ct() -> None:
    data = device_data(detailed("1"), detailed("2"))
    off: Json = [meter(PRODUCTION, "production", state="disabled"), meter(CONSUMPTION, "net-consumption")]
    found = find_seeds(view({**METERED, paths.METERS: off, paths.DEVICE_DATA: data}), {"production": 2e6})
    assert found["production"] == Seed("production", "device data, summed", 2000.0, 12_000.0)
    metered = find_seeds(view({**METERED, paths.V1: v1(lifetime=0), paths.DEVICE_DATA: data}), {"production": 2e6})
    assert metered == {}


def test_only_the_quantities_that_are_asked_for_are_seeded() -> None:
    assert find_seeds(view(METERED), {"production": PRODUCED}, ()) == {}


def test_without_a_counter_there_is_no_seed_to_run_on_from() -> None:
    assert find_seeds(view(METERED), {}) == {}


@pytest.mark.parametrize("minutes", [0, 46, 210])
@pytest.mark.parametrize("today", [800.0, 25_000.0])
def test_nothing_was_produced_today_before_an_inverter_reported(minutes: int, today: float) -> None:
    """A dark day's 800 Wh are less than the inverters could have made since midnight, in daylight."""
    at = NOW // 86400 * 86400 + 60 * minutes

    def answer(now: int) -> Bodies:
        return {**unmetered(now, 0.0, today=today), paths.V1_INVERTERS: roof(now, 0, age=7 * 3600)}

    assert "production_today_wh" not in play(answer, 2, start=at).last


@pytest.mark.parametrize(("reported", "watts", "today"), [(60, 2000.0, 800.0), (7 * 3600, 2000.0, 800.0)])
def test_a_figure_of_today_is_taken_once_something_produces(reported: int, watts: float, today: float) -> None:
    at = NOW // 86400 * 86400 + 6 * 3600

    def answer(now: int) -> Bodies:
        return {**unmetered(now, watts, today=today), paths.V1_INVERTERS: roof(now, 200, age=reported)}

    assert play(answer, 2, start=at).last["production_today_wh"] == today


@pytest.mark.parametrize(
    ("watts", "today", "is_taken"), [(2000.0, 0.0, False), (2000.0, 170.0, True), (90.0, 0.0, True)]
)
def test_a_figure_of_today_that_stands_still_while_the_sun_shines_is_no_seed(
    watts: float, today: float, is_taken: bool
) -> None:
    """Ten inverters of 300 W: 2 kW make 167 Wh in five minutes; 90 W may be the first of the day."""
    at = NOW // 86400 * 86400 + 14 * 3600

    def answer(now: int) -> Bodies:
        return {**unmetered(now, watts, today=today), paths.V1_INVERTERS: roof(now, watts / 10)}

    assert play(answer, 2, start=at).last.get("production_today_wh") == (today if is_taken else None)


def test_no_figure_is_taken_while_the_meters_are_not_known() -> None:
    """The inverters' own figure of today is not that of a production CT, which may be listed with the next answer."""
    inverters = device_data(detailed("122000000001"), detailed("122000000002"))
    bodies = {paths.DEVICE_DATA: inverters, paths.V1: v1()}
    assert find_seeds(view(bodies, unknown=[paths.METERS]), {}) == {}
    assert find_seeds(view(bodies), {})["production"].today_wh == 2000.0
