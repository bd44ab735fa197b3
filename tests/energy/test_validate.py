"""Is a counter's new value believable (schema, "Counters and the guard")."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from logger.energy.state import Counter, Source
from logger.energy.validate import Bounds, Decision, start_counter, validate
from tests.readings.site import NOW

MAX_W = 75_000.0
BOUNDS = Bounds(MAX_W)
BASE = Counter(1_000_000.0, NOW, "production meter", rose_at=NOW, first_day="2025-06-15")


def of(source: str) -> Bounds:
    return Bounds(MAX_W, source=Source(source))


def polls(values: Sequence[float], *, every_s: int = 60, counter: Counter = BASE) -> list[Decision]:
    """The decisions on one value after the other."""
    found = []
    for step, value in enumerate(values, start=1):
        decision = validate(counter, value, NOW + step * every_s, BOUNDS)
        counter = decision.counter
        found.append(decision)
    return found


def outcome(decisions: Sequence[Decision]) -> list[tuple[float, bool, bool]]:
    return [(v.rise_wh, v.accepted, v.reset) for v in decisions]


def test_a_rise_that_fits_the_time_is_accepted() -> None:
    assert outcome(polls([1_000_100.0, 1_000_100.0])) == [(100.0, True, False), (0.0, True, False)]


def test_a_rise_may_use_the_whole_time_since_the_last_accepted_value() -> None:
    most = MAX_W * 24
    assert validate(BASE, 1_000_000.0 + most, NOW + 86400, BOUNDS).rise_wh == most
    assert not validate(BASE, 1_000_000.0 + most * 1.1, NOW + 86400, BOUNDS).accepted


def test_a_small_fall_is_jitter_absent_until_the_accepted_value_is_passed_again() -> None:
    found = polls([999_990.0, 999_995.0, 1_000_000.0, 1_000_001.0])
    assert outcome(found) == [(0.0, False, False), (0.0, False, False), (0.0, True, False), (1.0, True, False)]
    assert not any(decision.counter.held for decision in found)
    assert validate(BASE, 999_989.0, NOW + 60, BOUNDS).counter.held


def test_a_spike_is_held_and_dropped_when_the_counter_goes_on_below_it() -> None:
    found = polls([50_000_000.0, 1_000_010.0])
    assert outcome(found) == [(0.0, False, False), (10.0, True, False)]
    assert found[-1].counter.held == ()


def test_a_drop_is_held_for_three_more_polls_that_agree_and_then_is_the_new_base() -> None:
    found = polls([500.0, 510.0, 520.0, 530.0, 540.0])
    assert outcome(found) == [*[(0.0, False, False)] * 3, (30.0, True, True), (10.0, True, False)]
    assert found[3].counter.resets == 1
    assert found[3].counter.accepted_wh == 530.0


def test_a_jump_up_that_stays_becomes_a_new_base_and_its_difference_is_no_energy() -> None:
    found = polls([9e6, 9e6 + 5, 9e6 + 6, 9e6 + 7])
    assert outcome(found)[-1] == (7.0, True, True)
    assert sum(v.rise_wh for v in found) == 7.0


def test_held_values_that_do_not_agree_start_anew() -> None:
    found = polls([500.0, 40_000_000.0, 510.0, 520.0, 530.0])
    assert [v.reset for v in found] == [False] * 5
    assert [value.wh for value in found[-1].counter.held] == [510.0, 520.0, 530.0]


def test_zeros_of_a_gateway_that_boots_are_no_base_but_an_hour_of_them_is() -> None:
    found = polls([0.0] * 70)
    assert [n for n, v in enumerate(found) if v.accepted][0] == 60
    assert found[60].reset
    assert not any(v.accepted or v.reset for v in found[:60])
    assert max(len(v.counter.held) for v in found) <= 4


def test_after_zeros_the_old_value_goes_on_as_if_nothing_had_been() -> None:
    found = polls([0.0, 0.0, 0.0, 0.0, 0.0, 1_000_200.0])
    assert outcome(found)[-1] == (200.0, True, False)


def test_after_zeros_a_counter_that_starts_again_is_a_new_base() -> None:
    assert outcome(polls([0.0, 0.0, 0.0, 0.0, 4.0]))[-1] == (4.0, True, True)


def test_the_first_value_is_the_base() -> None:
    decision = start_counter(None, 77.0, NOW, "2025-06-15", of("v1 totals"))
    assert (decision.accepted, decision.reset, decision.rise_wh) == (True, False, 0.0)
    assert decision.counter == Counter(77.0, NOW, "v1 totals", rose_at=NOW, first_day="2025-06-15")


def test_a_first_zero_is_the_base_only_after_an_hour_of_zeros() -> None:
    counter = None
    accepted = []
    for minute in range(62):
        decision = start_counter(counter, 0.0, NOW + 60 * minute, "2025-06-15", of("storage meter"))
        counter = decision.counter
        accepted.append(decision.accepted)
        if decision.accepted:
            break
    assert accepted == [False] * 60 + [True]
    assert counter == Counter(0.0, NOW + 3600, "storage meter", rose_at=NOW + 3600, first_day="2025-06-15")


def test_a_counter_that_said_zero_while_it_booted_starts_with_its_first_real_value() -> None:
    waiting = start_counter(None, 0.0, NOW, "2025-06-15", of("production meter")).counter
    decision = start_counter(waiting, 5e6, NOW + 180, "2025-06-15", of("production meter"))
    assert (decision.accepted, decision.reset, decision.rise_wh) == (True, False, 0.0)
    assert decision.counter.accepted_wh == 5e6


def test_another_source_is_a_new_base() -> None:
    counter = Counter(5e6, NOW, "v1 totals", first_day="2025-06-01")
    decision = start_counter(counter, 7e6, NOW + 60, "2025-06-15", of("production meter"))
    assert (decision.accepted, decision.reset, decision.rise_wh) == (True, True, 0.0)
    assert (decision.counter.accepted_wh, decision.counter.resets) == (7e6, 1)


def test_a_zero_of_another_source_is_no_base() -> None:
    assert not start_counter(BASE, 0.0, NOW + 60, "2025-06-15", of("storage meter")).accepted


@given(
    st.lists(st.floats(min_value=0, max_value=1e12) | st.floats(min_value=999_900, max_value=1_010_000), max_size=40)
)
def test_accepted_energy_never_exceeds_what_the_site_can_move(values: list[float]) -> None:
    found = polls(values)
    assert all(v.rise_wh >= 0 for v in found)
    for decision, value in zip(found, values, strict=True):
        if decision.accepted:
            assert decision.counter.accepted_wh == pytest.approx(value + decision.counter.offset_wh)
            assert value > 0 or not decision.reset
    elapsed_h = (60 * len(values) + 60 * len(values)) / 3600
    assert sum(v.rise_wh for v in found) <= MAX_W * elapsed_h + 1e-6
