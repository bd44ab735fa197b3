"""Whether a gateway bears two lanes, by the times of its fast answers alone and beside a slow request."""

from __future__ import annotations

from collections.abc import Sequence

from logger.clock import SystemClock
from logger.daemon.contention import Contention

HOUR = 3600.0


def feed(
    contention: Contention, now: float, *, alone: Sequence[float] = (), beside: Sequence[float] = ()
) -> Contention:
    for answers, is_beside in ((alone, False), (beside, True)):
        for took in answers:
            contention.record("/fast", took, beside=is_beside, now=now)
    return contention


def test_answers_that_wait_for_the_slow_path_end_two_lanes_and_one_accident_does_not() -> None:
    contention = feed(Contention(SystemClock()), 0.0, alone=[0.1] * 5, beside=[0.1, 4.0, 0.2, 0.1])
    assert not contention.one_lane
    assert feed(contention, 60.0, beside=[5.0]).one_lane


def test_a_gateway_that_is_as_slow_alone_keeps_two_lanes() -> None:
    assert not feed(Contention(SystemClock()), 0.0, alone=[3.0, 4.0, 3.5], beside=[4.0, 5.0, 3.0] * 4).one_lane


def test_two_lanes_are_tried_again_after_six_hours_and_then_after_twelve() -> None:
    contention = feed(Contention(SystemClock()), 0.0, alone=[0.1], beside=[5.0, 5.0])
    assert feed(contention, 6 * HOUR - 1, alone=[0.1]).one_lane
    assert not feed(contention, 6 * HOUR, alone=[0.1]).one_lane
    feed(contention, 6 * HOUR, beside=[5.0, 5.0])
    assert feed(contention, 17 * HOUR, alone=[0.1]).one_lane
    assert not feed(contention, 18 * HOUR, alone=[0.1]).one_lane


def test_two_lanes_that_go_well_make_the_next_pause_short_again() -> None:
    contention = feed(Contention(SystemClock()), 0.0, alone=[0.1], beside=[5.0, 5.0])
    feed(contention, 6 * HOUR, alone=[0.1], beside=[0.1] * 12)
    feed(contention, 7 * HOUR, beside=[5.0, 5.0])
    assert contention.one_lane
    assert not feed(contention, 13 * HOUR, alone=[0.1]).one_lane


def test_a_slow_gateway_is_slow_until_it_is_clearly_faster() -> None:
    contention = feed(Contention(SystemClock()), 0.0, alone=[2.5] * 30)
    assert contention.slow_gateway
    assert feed(contention, 0.0, alone=[1.5] * 30).slow_gateway
    assert not feed(contention, 0.0, alone=[0.5] * 30).slow_gateway
