"""The invented site: energy is conserved, counters only rise, and time alone decides everything."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import astuple, replace
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from logger.simulator.household import Household, SiteState
from logger.simulator.site_facts import Battery, Energy
from tests.simulator.ask import NIGHT, NOON
from tests.sizes import examples

DAY = 86400.0
SITE = Household(epoch=NOON - 40 * DAY)
times = st.floats(NOON - 38 * DAY, NOON + 30 * DAY)


def balance(energy: Energy) -> float:
    came = energy.produced_wh + energy.imported_wh + energy.discharged_wh
    return came - energy.house_wh - energy.exported_wh - energy.charged_wh


def powers(state: SiteState) -> tuple[float, ...]:
    return (state.production_w, state.house_w, state.import_w, state.export_w, state.charge_w, state.discharge_w)


@settings(max_examples=examples(600), deadline=None)
@given(times, st.floats(0, 3 * DAY))
def test_energy_is_conserved_between_any_two_moments(start: float, span_s: float) -> None:
    flown = SITE.energy(start, start + span_s)
    assert balance(flown) == pytest.approx(0.0, abs=1e-5)
    assert all(part >= -1e-6 for part in astuple(flown))


@settings(max_examples=examples(600), deadline=None)
@given(times)
def test_powers_balance_and_none_is_negative(now: float) -> None:
    state = SITE.at(now)
    made, used, into, out, charge, discharge = powers(state)
    assert made + into + discharge == pytest.approx(used + out + charge, abs=1e-6)
    assert min(powers(state)) >= 0
    assert into == 0 or out == 0
    assert charge == 0 or discharge == 0
    assert state.net_w == into - out
    assert state.battery_w == discharge - charge


def test_every_counter_is_the_integral_of_its_power() -> None:
    start, step = NOON // 60 * 60 - 6 * 3600, 20.0  # no step crosses a minute
    summed = [0.0] * 6
    for number in range(int(12 * 3600 / step)):
        for place, watts in enumerate(powers(SITE.at(start + (number + 0.5) * step))):
            summed[place] += watts * step / 3600
    assert summed == pytest.approx(astuple(SITE.energy(start, start + 12 * 3600)), rel=1e-9)


def test_counters_never_fall_and_power_moves_from_minute_to_minute() -> None:
    states = [SITE.at(NOON + 37.0 * n) for n in range(2400)]
    for before, after in pairwise(states):
        assert all(a <= b for a, b in zip(astuple(before.total), astuple(after.total), strict=True))
    assert len({round(SITE.at(NOON // 300 * 300 + 60 * n + 5).production_w, 3) for n in range(5)}) == 5


def test_the_sun_shines_at_noon_and_not_at_night_and_more_in_june_than_in_december() -> None:
    assert SITE.at(NOON).production_w > 1000
    assert SITE.at(NIGHT).production_w == 0
    year = Household(epoch=NOON - 200 * DAY)
    december = sum(year.energy(m, m + DAY).produced_wh for m in (NOON - n * DAY for n in range(170, 185)))
    june = sum(year.energy(m, m + DAY).produced_wh for m in (NOON - n * DAY for n in range(15)))
    assert june > 1.8 * december


def test_the_battery_stays_between_its_reserve_and_full_and_obeys_its_limit() -> None:
    battery = Battery(count=1, capacity_wh=3000, power_w=1000, reserve=0.3)
    site = replace(SITE, battery=battery)
    states = [site.at(NOON + 311.0 * n) for n in range(1500)]
    assert all(29.9 <= state.charge_percent <= 100 for state in states)
    assert max(max(state.charge_w, state.discharge_w) for state in states) <= 1000 * (1 + 1e-9)
    assert {round(state.charge_percent) for state in states} >= {30, 100}


def test_what_is_stored_follows_from_what_went_in_and_out() -> None:
    assert SITE.battery is not None
    flown, start = SITE.energy(NOON, NOON + DAY), SITE.at(NOON).stored_wh
    expected = start + flown.charged_wh * SITE.battery.efficiency - flown.discharged_wh
    assert SITE.at(NOON + DAY).stored_wh == pytest.approx(expected, abs=0.01)


def test_without_a_battery_nothing_is_stored() -> None:
    state = replace(SITE, battery=None).at(NOON)
    assert (state.charge_w, state.discharge_w, state.stored_wh, state.charge_percent) == (0, 0, 0, 0)


def test_the_order_of_questions_does_not_matter() -> None:
    forth, back = Household(epoch=NOON - 35 * DAY, seed=7), replace(Household(epoch=NOON - 35 * DAY, seed=8), seed=7)
    moments = [NOON + n * 40_000.0 for n in range(60)]
    in_order = [forth.at(moment) for moment in moments]
    assert [back.at(moment) for moment in reversed(moments)] == in_order[::-1]


def test_another_process_sees_the_same() -> None:
    made = f"Household(epoch={SITE.epoch!r}).at({NOON + 0.25!r})"
    code = f"from logger.simulator.household import Household; print({made})"
    other = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert other.stdout.strip() == repr(SITE.at(NOON + 0.25))


def test_days_with_a_clock_change_are_like_others() -> None:
    site = Household(epoch=1_743_000_000.0)  # Madrid goes to summer time on 30 March 2025
    night = site.midnight(1_743_300_000.0)
    assert site.midnight(night + 26 * 3600) - night == 23 * 3600
    assert balance(site.energy(night, night + 23 * 3600)) == pytest.approx(0, abs=1e-6)


def test_before_its_epoch_the_site_refuses_to_answer() -> None:
    with pytest.raises(ValueError, match="begins later"):
        SITE.at(SITE.epoch - 2 * DAY)


def test_inverters_share_the_production() -> None:
    assert sum(SITE.share(n) for n in range(SITE.inverters)) == pytest.approx(1.0)
    assert len({SITE.share(n) for n in range(SITE.inverters)}) == SITE.inverters


@pytest.mark.parametrize("every", [300, 900])
def test_each_inverter_reports_at_its_own_second_and_not_between(every: int) -> None:
    site = replace(SITE, report_interval_s=every)
    seen = [sorted({site.report(n, NOON + s).at for s in range(0, 2 * every, 20)}) for n in range(site.inverters)]
    assert all(b - a == every for dates in seen for a, b in pairwise(dates))
    assert len({dates[-1] % every for dates in seen}) == site.inverters


def test_a_report_is_the_mean_of_its_interval() -> None:
    report = SITE.report(5, NOON)
    assert NOON - 300 < report.at <= NOON
    flown = SITE.energy(report.at - 300, report.at).produced_wh * SITE.share(5)
    assert report.energy_wh == pytest.approx(flown)
    assert report.watts == round(flown * 12)


def test_at_night_the_last_report_of_the_evening_stays() -> None:
    for number in range(SITE.inverters):
        late, early = SITE.report(number, NIGHT), SITE.report(number, NIGHT + 4 * 3600)
        assert late == early
        assert 0 <= late.watts < 10
        assert late.energy_wh > 0
        assert SITE.at(late.at + 1).production_w == 0 or SITE.at(late.at + 299).production_w == 0
