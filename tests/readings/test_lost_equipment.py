"""Meters and batteries that no document lists for some minutes, as after a restart, and some that are gone."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import pytest

from logger.model import Json
from logger.readings import paths
from tests.readings.playing import NO_BATTERIES, Played, metered, play, unmetered
from tests.readings.site import (
    CONSUMPTION,
    INFO,
    NOW,
    PRODUCTION,
    STORAGE,
    Bodies,
    battery,
    ensemble,
    inventory,
    meter,
    power,
    reading,
)

LOST = NOW + 600
KINDS = {PRODUCTION: "production", CONSUMPTION: "net-consumption"}
LEFT_OVER = {"wattsNow": 4, "wattHoursToday": 0, "wattHoursSevenDays": 1583, "wattHoursLifetime": 1583}
SITE = {"agg_soc": 60, "ENC_agg_soc": 54, "ENC_agg_avail_energy": 2700, "Enc_max_available_capacity": 5000,
        "ACB_agg_soc": 80, "ACB_agg_energy": 960}  # fmt: skip


def iq(at: int) -> Bodies:
    """An IQ Battery takes 1200 of 2000 W; 300 W of the grid flow in, so the house takes 1100 W."""
    return {
        **metered(at, 2000.0, 300.0),
        paths.ENSEMBLE: ensemble(battery("4921", last_rpt_date=at - 30)),
        paths.ENSEMBLE_POWER: power(("4921", -1_200_000)),
    }


def iq_by_meter(at: int) -> Bodies:
    """The same with a storage CT."""
    site = iq(at)
    row = {**reading(STORAGE, -1200.0, 1e6, 2e6 + (at - NOW) / 3), "timestamp": at}
    return {
        **site,
        paths.METERS: [*site[paths.METERS], meter(STORAGE, "storage")],
        paths.READINGS: [*site[paths.READINGS], row],
    }


def both(at: int) -> Bodies:
    """The same with an AC Battery that takes another 200 W."""
    block: Json = {
        "type": "acb",
        "activeCount": 1,
        "readingTime": at,
        "wNow": -200,
        "whNow": 960,
        "state": "charging",
    }
    acb: Json = {"serial_num": "1221", "admin_state": 2, "communicating": True, "last_rpt_date": str(at - 60)}
    return {
        **iq(at),
        paths.INVENTORY: inventory(batteries=[acb]),
        paths.BLOCKS: {"production": [], "storage": [block]},
        paths.SECCTRL: SITE,
    }


def lose(site: Callable[[int], Bodies], *lost: str, minutes: int) -> Callable[[int], Bodies]:
    """Let the documents at the `lost` paths list no battery and no meter for some minutes."""
    empty: Bodies = {
        paths.ENSEMBLE: [],
        paths.ENSEMBLE_POWER: {"devices:": []},
        paths.INVENTORY: inventory(),
        paths.METERS: [],
    }

    def answer(at: int) -> Bodies:
        found = dict(site(at))
        return found | {path: empty[path] for path in lost} if LOST <= at < LOST + 60 * minutes else found

    return answer


@cache
def undisturbed(site: Callable[[int], Bodies], minutes: int) -> Played:
    """The same minutes of a site that loses nothing."""
    return play(site, minutes)


IQ = (paths.ENSEMBLE, paths.ENSEMBLE_POWER)


@pytest.mark.parametrize(
    ("site", "lost"),
    [
        (iq_by_meter, IQ),
        (both, (*IQ, paths.INVENTORY)),
        *(pytest.param(*each, marks=pytest.mark.long) for each in ((iq, IQ), (both, IQ), (both, (paths.INVENTORY,)))),
    ],
)
def test_q_c18_batteries_that_nobody_lists_for_minutes_are_not_gone(
    site: Callable[[int], Bodies], lost: tuple[str, ...]
) -> None:
    """What is written of the house and of the batteries is the same as before, or nothing."""
    true, found = undisturbed(site, 60), play(lose(site, *lost, minutes=12), 60)
    for name in ("load_power_w", "net_power_w", "batteries", "battery_power_w", "battery_charge_percent",
                 "battery_energy_wh", "battery_capacity_wh", "battery_state"):  # fmt: skip
        pairs = [*zip(found.series(name), true.series(name), strict=True)]
        assert all(value in (None, right) for value, right in pairs), name
        assert found.series(name)[40:] == true.series(name)[40:], name
    assert found.minutes[-1].state.energy.today.resets == 0
    if site is iq_by_meter:
        assert found.series("load_power_w") == true.series("load_power_w")


def test_batteries_that_nobody_lists_for_half_an_hour_are_gone() -> None:
    found = play(lose(iq, *IQ, minutes=600), 60)
    assert found.last["batteries"] == 0
    assert found.last["load_power_w"] == 2300.0
    assert "batteries" not in [*found.minutes[15].readings][0].fields


def test_a_storage_meter_proves_a_battery_that_nobody_lists() -> None:
    """1200 of 2300 W flow into it: a house with another make of battery behind its storage CT."""
    bare = play(lambda at: {**iq_by_meter(at), paths.ENSEMBLE: [], paths.ENSEMBLE_POWER: {"devices:": []}}, 3)
    assert bare.last["load_power_w"] == 1100.0
    assert bare.last["batteries"] == 0


def without_cts(at: int) -> Bodies:
    """A gateway whose CTs are disabled: its total of the inverters was left over from earlier firmware (Q-P3)."""
    lines = [meter(eid, kind, state="disabled") for eid, kind in KINDS.items()]
    return {**unmetered(at), **NO_BATTERIES, paths.METERS: lines, paths.V1: LEFT_OVER}


@pytest.mark.parametrize("site", [without_cts, pytest.param(metered, marks=pytest.mark.long), iq_by_meter])
@pytest.mark.parametrize("is_empty", [True, False])
def test_q_c18_meters_that_are_not_listed_for_minutes_are_not_gone(
    site: Callable[[int], Bodies], *, is_empty: bool
) -> None:
    """An empty list, or a path that surely has none: neither changes the source of a value."""

    def answer(at: int) -> Bodies:
        found = dict(site(at))
        if LOST <= at < LOST + 720:
            del found[paths.METERS]
        return found | ({paths.METERS: []} if is_empty and paths.METERS not in found else {})

    true, found = undisturbed(site, 40), play(answer, 40)
    for name in ("production_power_w", "net_power_w", "load_power_w", "consumption_power_w"):
        pairs = [*zip(found.series(name), true.series(name), strict=True)]
        assert all(value in (None, right) for value, right in pairs), name
        assert found.series(name)[25:] == true.series(name)[25:], name
    assert not [event for minute in found.minutes for event in minute.events if event.kind == "meters_changed"]


def test_the_reason_is_the_empty_list() -> None:
    found = play(lambda at: {**metered(at), **({paths.METERS: []} if at >= LOST else {})}, 36)
    assert "lists no meter now" in found.absences["net_power_w"]


@pytest.mark.parametrize(
    ("site", "lost"),
    [
        (iq_by_meter, (paths.METERS,)),
        (both, (paths.INVENTORY,)),
        *(pytest.param(*each, marks=pytest.mark.long) for each in ((metered, (paths.METERS,)), (iq, IQ))),
    ],
)
def test_nothing_is_gone_while_a_gateway_starts_with_new_firmware(
    site: Callable[[int], Bodies], lost: tuple[str, ...]
) -> None:
    """An update ends with a restart, so the new firmware's first lists may be empty."""

    def update(at: int) -> str:
        return "D8.3.5270" if at >= LOST else INFO.firmware

    true, found = play(site, 60, firmware=update), play(lose(site, *lost, minutes=12), 60, firmware=update)
    for name in ("production_power_w", "load_power_w", "net_power_w", "batteries", "battery_power_w",
                 "battery_charge_percent"):  # fmt: skip
        pairs = [*zip(found.series(name), true.series(name), strict=True)]
        assert all(value in (None, right) for value, right in pairs), name
        assert found.series(name)[40:] == true.series(name)[40:], name
    assert not [event for minute in found.minutes for event in minute.events if event.kind == "meters_changed"]


@pytest.mark.parametrize(
    ("site", "lost"),
    [
        (iq, IQ),
        (iq_by_meter, IQ),
        *(pytest.param(both, lost, marks=pytest.mark.long) for lost in ((paths.INVENTORY,), (*IQ, paths.INVENTORY))),
    ],
)
def test_the_reason_is_that_no_battery_is_listed(site: Callable[[int], Bodies], lost: tuple[str, ...]) -> None:
    found = play(lose(site, *lost, minutes=25), 34)
    metered_too = {"battery_charge_percent"} if site is iq_by_meter else set[str]()
    assert found.absences.keys() == (metered_too or {"battery_charge_percent", "battery_power_w", "load_power_w"})
    assert {*found.absences.values()} == {
        "the gateway lists no batteries now, and listed batteries less than half an hour ago"
    }
