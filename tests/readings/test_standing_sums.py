"""A gateway's sum over its inverters that stands still while the inverters report: absent and told."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from logger.readings import paths
from tests.readings.playing import Played, play, unmetered
from tests.readings.site import CONSUMPTION, NOW, PRODUCTION, Bodies, inverter, meter
from tests.sizes import examples

INVERTERS = 10


def site(at: int, roof_w: float, sum_w: float, lifetime_wh: float) -> Bodies:
    """Ten inverters that report every five minutes, and the gateway's sum over them."""
    listed = [inverter(f"1220000000{n:02d}", at // 300 * 300 - 60 + n, roof_w / INVERTERS) for n in range(INVERTERS)]
    return {**unmetered(at, sum_w, lifetime=lifetime_wh), paths.V1_INVERTERS: listed}


def play_until(stop: int, minutes: int = 120) -> Played:
    """A roof whose power rises, and a sum that is renewed until the minute `stop`."""

    def answer(at: int) -> Bodies:
        minute = (at - NOW) // 60
        seen = min(minute, stop)
        return site(at, 1000.0 + 25 * minute, 1000.0 + 25 * seen, 5e6 + 30 * seen)

    return play(answer, minutes)


def test_q_p27_a_sum_that_is_renewed_is_written() -> None:
    found = play_until(999)
    assert None not in found.series("production_power_w")
    assert not found.warnings


def test_q_p27_a_sum_that_stands_still_is_left_out_with_its_energy() -> None:
    found = play_until(10)
    assert "production_power_w" in found.absences
    assert "/api/v1/production does not change: the sum is still 1250 W" in found.warnings
    assert "the sum is still 1250 W" in found.absences["production_power_w"]
    assert not {"production_power_w", "production_today_wh", "production_lifetime_wh"} & found.last.keys()
    assert "production_wh" not in found.day


def test_q_p27_a_sum_that_is_renewed_again_is_written_again() -> None:
    def answer(at: int) -> Bodies:
        minute = (at - NOW) // 60
        seen = minute if minute < 10 or minute > 90 else 10
        return site(at, 1000.0 + 25 * minute, 1000.0 + 25 * seen, 5e6 + 30 * seen)

    found = play(answer, 120)
    assert found.series("production_power_w")[60:90] == [None] * 30
    assert found.last["production_power_w"] == 1000.0 + 25 * 119


@pytest.mark.parametrize("unknown", [[paths.V1_INVERTERS], []], ids=["the list fails", "the list is refused"])
def test_q_p27_a_sum_that_is_renewed_is_written_though_the_list_of_inverters_is_gone(unknown: list[str]) -> None:
    """The sum is renewed every five minutes. The last list came between a change of the clouds and the sum's next."""

    def answer(at: int) -> Bodies:
        minute = (at - NOW) // 60
        step = (minute + 2) // 5
        bodies = site(at, 1000.0 if minute < 10 else 2500.0, 1000.0 if step < 3 else 2500.0 + step, 5e6 + step)
        return bodies if minute < 11 else {path: bodies[path] for path in bodies if path != paths.V1_INVERTERS}

    found = play(answer, 90, unknown=unknown)
    assert None not in found.series("production_power_w")


@pytest.mark.parametrize(("sum_w", "lifetime_wh", "is_written"), [(4.0, 1583.0, False), (4.0, 5e6, True)])
def test_q_p27_a_sum_that_was_left_over_is_known_at_the_first_look(
    sum_w: float, lifetime_wh: float, is_written: bool
) -> None:
    """A sum that lags is near nothing at dawn, too; but then it has counted before."""
    found = play(lambda at: site(at, 2500.0, sum_w, lifetime_wh), 1)
    assert ("production_power_w" in found.last) is is_written
    assert ("production does not change" in found.warnings) is not is_written


def test_a_production_ct_measures_for_itself() -> None:
    def answer(at: int) -> Bodies:
        meters = [meter(PRODUCTION, "production"), meter(CONSUMPTION, "net-consumption")]
        return {**site(at, 1000.0 + (at - NOW) / 3, 4.0, 1583.0), paths.METERS: meters}

    assert "production does not change" not in play(answer, 61).warnings


@settings(max_examples=examples(400), deadline=None)
@given(
    roof=st.lists(st.floats(0, 2600), min_size=4, max_size=8),
    lag_min=st.integers(0, 15),
    every_min=st.sampled_from((1, 5, 15)),
)
def test_a_sum_that_follows_the_roof_is_never_doubted(roof: list[float], lag_min: int, every_min: int) -> None:
    """Whatever the clouds do: a sum that lags by a quarter of an hour is true."""

    def answer(at: int) -> Bodies:
        minute = (at - NOW) // 60
        seen = max(0, minute - lag_min) // every_min * every_min
        return site(at, roof[minute // 10 % len(roof)], roof[seen // 10 % len(roof)], 5e6 + seen)

    found = play(answer, 80)
    assert None not in found.series("production_power_w")
    assert "production does not change" not in found.warnings


@settings(max_examples=examples(400), deadline=None)
@given(before=st.floats(0, 2600), after=st.floats(0, 2600), stop=st.integers(0, 25))
def test_a_sum_that_stands_is_left_out_exactly_if_the_roof_moved_far_away_from_it(
    before: float, after: float, stop: int
) -> None:
    """The roof changes half an hour after the start; below a tenth of 3 kW the sun does not shine."""

    def answer(at: int) -> Bodies:
        minute = (at - NOW) // 60
        return site(at, after if minute >= 30 else before, before, 5e6 + min(minute, stop))

    found = play(answer, 80)
    apart = abs(after - before) / max(after, before, 1.0)
    if after > 310 and apart > 0.21:
        assert found.series("production_power_w")[70:] == [None] * 10
        assert "production does not change" in found.warnings
    elif after < 290 or apart < 0.19:
        assert None not in found.series("production_power_w")
        assert "production does not change" not in found.warnings
