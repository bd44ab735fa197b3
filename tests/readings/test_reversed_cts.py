"""CTs that are clamped the wrong way round count nothing: the energy of the house is left out, and it is said why."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.readings.playing import metered, play
from tests.readings.site import NOW, Bodies

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


def test_the_energy_is_back_a_day_after_the_ct_was_turned() -> None:
    def answer(at: int) -> Bodies:
        return reversed_total(at) if at < NOW + 1800 else metered(at, 2000.0, 700.0, kind="total-consumption")

    found = play(answer, 26 * 60)
    assert "load_lifetime_wh" not in found.minutes[600].readings[0].fields
    assert set(HOUSE) <= found.last.keys()


def test_one_odd_minute_leaves_nothing_out() -> None:
    def answer(at: int) -> Bodies:
        return reversed_total(at) if at == NOW + 600 else metered(at, 2000.0, 700.0, kind="total-consumption")

    assert set(HOUSE) <= play(answer, 15).last.keys()
