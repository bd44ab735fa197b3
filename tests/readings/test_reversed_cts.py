"""CTs that are clamped the wrong way round count nothing: the energy of the house is left out, and it is said why."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from logger.readings import paths
from tests.readings.playing import metered, play, roof
from tests.readings.site import CONSUMPTION, NOW, PRODUCTION, Bodies, battery, ensemble, meter, power

HOUSE = ("consumption_lifetime_wh", "load_lifetime_wh")


def reversed_total(at: int) -> Bodies:
    return metered(at, 2000.0, -700.0, kind="total-consumption")


def at_the_grid(at: int) -> Bodies:
    """The CT of the "total consumption" measures the grid: the site exports in every other five minutes."""
    return metered(at, 2000.0, -1500.0 if at // 300 % 2 else 400.0, kind="total-consumption")


def reversed_production(at: int) -> Bodies:
    return metered(at, -2000.0, 500.0)


@pytest.mark.parametrize(
    ("answer", "cause"),
    [
        (reversed_total, "the consumption CT is reversed"),
        (at_the_grid, "it is clamped at the grid"),
        (reversed_production, "the production CT is reversed"),
    ],
)
def test_the_energy_of_the_house_is_left_out(answer: Callable[[int], Bodies], cause: str) -> None:
    found = play(answer)
    assert not {*HOUSE, "load_today_wh", "consumption_today_wh"} & found.last.keys()
    assert not {"load_wh", "consumption_wh"} & found.day.keys()
    assert {"production_power_w", "production_lifetime_wh"} <= found.last.keys()
    assert cause in found.warnings
    assert "its figures cannot be right today" in found.absences["consumption_lifetime_wh"]


def test_what_the_meters_count_themselves_is_written() -> None:
    found = play(reversed_production)
    assert {"grid_import_lifetime_wh", "net_lifetime_wh", "production_lifetime_wh"} <= found.last.keys()
    assert {"production_wh", "grid_import_wh", "net_wh"} <= found.day.keys()


@pytest.mark.long
def test_the_energy_is_back_a_day_after_the_ct_was_turned() -> None:
    def answer(at: int) -> Bodies:
        return reversed_total(at) if at < NOW + 1800 else metered(at, 2000.0, 700.0, kind="total-consumption")

    found = play(answer, 26 * 60, step_s=300)
    assert "load_lifetime_wh" not in found.minutes[600 // 5].readings[0].fields
    assert set(HOUSE) <= found.last.keys()


def test_one_odd_minute_leaves_nothing_out() -> None:
    def answer(at: int) -> Bodies:
        return reversed_total(at) if at == NOW + 600 else metered(at, 2000.0, 700.0, kind="total-consumption")

    assert set(HOUSE) <= play(answer, 15).last.keys()


def on_phases(at: int, produced_w: float, *phases: float, kind: str = "net-consumption") -> Bodies:
    """A site whose consumption CT shows a power on each of its phases."""
    bodies = metered(at, produced_w, sum(phases), kind=kind)
    made, grid = bodies[paths.READINGS]
    channels = [{"eid": n, "activePower": watts, "voltage": 230.0} for n, watts in enumerate(phases)]
    lines = [meter(PRODUCTION, "production"), meter(CONSUMPTION, kind, phases=len(phases))]
    inverters = roof(at, max(0.0, produced_w) / 10)
    return {
        **bodies,
        paths.METERS: lines,
        paths.READINGS: [made, {**grid, "channels": channels}],
        paths.V1_INVERTERS: inverters,
    }


@pytest.mark.parametrize(
    ("kind", "produced_w", "phases", "is_told"),
    [
        ("net-consumption", -4.0, (900.0, -400.0), True),
        ("net-consumption", -4.0, (900.0, -400.0, 250.0), True),
        ("net-consumption", 2000.0, (900.0, -400.0, 250.0), False),
        ("net-consumption", -4.0, (900.0, -60.0, 250.0), False),
        ("total-consumption", 2000.0, (900.0, -400.0), True),
        ("total-consumption", -4.0, (900.0, 400.0), False),
    ],
)
def test_q_m20_a_phase_on_which_the_house_would_give_power_is_told(
    kind: str, produced_w: float, phases: tuple[float, ...], is_told: bool
) -> None:
    found = play(lambda at: on_phases(at, produced_w, *phases, kind=kind))
    assert ("the CT of phase L2 is reversed" in found.warnings) is is_told
    for name in ("load_power_w", "consumption_power_w", "consumption_lifetime_wh"):
        assert (name not in found.last) is is_told, name
        assert ("its figures cannot be right" in found.absences.get(name, "")) is is_told, name
    assert ("net_power_w" in found.last) is (not is_told or kind == "net-consumption")


def test_q_m20_a_battery_may_feed_one_phase_while_another_takes() -> None:
    def answer(at: int) -> Bodies:
        batteries = {paths.ENSEMBLE: ensemble(battery("492", last_rpt_date=at - 60)),
                     paths.ENSEMBLE_POWER: power(("492", 900_000))}  # fmt: skip
        return {**on_phases(at, -4.0, 500.0, -400.0, 300.0), **batteries}

    found = play(answer)
    assert "is reversed" not in found.warnings
    assert found.last["load_power_w"] == pytest.approx(1296.0)


def test_q_m20_phases_that_do_not_add_up_to_their_meter_take_nothing_away() -> None:
    def answer(at: int) -> Bodies:
        bodies = on_phases(at, -4.0, 900.0, -987_654.0, 250.0)
        made, grid = bodies[paths.READINGS]
        return {**bodies, paths.READINGS: [made, {**grid, "activePower": 1150.0}]}

    found = play(answer)
    assert "is reversed" not in found.warnings
    assert "its phases add up to" in found.warnings
    assert found.last["load_power_w"] == pytest.approx(1146.0)


MORNING = NOW // 86400 * 86400 + 10 * 3600


@pytest.mark.parametrize(
    ("produced_w", "grid_w", "cause", "minutes"),
    [
        (-2000.0, 4300.0, "the production CT is reversed", 10),  # a house of 6300 W hides it
        (-1500.0, 2000.0, "the production CT and the consumption CT are swapped", 10),
        (1.0, 500.0, "the production CT is not clamped", 160),  # at first, the roof may have stopped just now
    ],
)
def test_q_p26_no_house_is_computed_with_a_production_ct_that_measures_no_production(
    produced_w: float, grid_w: float, cause: str, minutes: int
) -> None:
    """The inverters report 2000 W."""
    found = play(lambda at: metered(at, produced_w, grid_w), minutes, start=MORNING)
    assert cause in found.warnings
    assert not {*HOUSE, "load_power_w", "consumption_power_w", "load_today_wh"} & found.last.keys()
    assert not {"load_wh", "consumption_wh"} & found.day.keys()
    measured = {"production_power_w", "net_power_w", "production_lifetime_wh", "grid_import_lifetime_wh"}
    assert measured <= found.last.keys()
    assert minutes < 20 or "its figures cannot be right today" in found.absences["load_power_w"]


def test_q_p26_no_grid_is_computed_with_such_a_ct_either() -> None:
    found = play(lambda at: metered(at, 1.0, 500.0, kind="total-consumption"), 160, start=MORNING)
    assert "net_power_w" not in found.last
    assert "net_lifetime_wh" not in found.last
    assert found.last["load_power_w"] == 500.0


def test_q_p26_a_house_that_uses_as_much_as_the_roof_makes_is_no_swapped_ct() -> None:
    """A total CT does not measure at the grid, and a grid power that is computed from it proves nothing."""
    found = play(lambda at: metered(at, 1.0, 2000.0, kind="total-consumption"), 160, start=MORNING)
    assert "the production CT is not clamped" in found.warnings
    assert "swapped" not in found.warnings


def test_q_p26_a_ct_that_counts_twice_is_named_and_the_house_stays() -> None:
    found = play(lambda at: metered(at, 4000.0, -1500.0), 180, start=MORNING)
    assert "counts the same energy twice" in found.warnings
    assert found.last["load_power_w"] == 2500.0
