"""Whether a gateway bears two lanes, by the times of its fast answers alone and beside a slow request."""

from __future__ import annotations

from logger.daemon.strain import Strain

HOUR = 3600.0


def fed(strain: Strain, now: float, *, alone: list[float] | None = None, beside: list[float] | None = None) -> Strain:
    for took in alone or []:
        strain.note("/fast", took, beside=False, now=now)
    for took in beside or []:
        strain.note("/fast", took, beside=True, now=now)
    return strain


def test_answers_that_wait_for_the_slow_path_end_two_lanes_and_one_accident_does_not() -> None:
    strain = fed(Strain(), 0.0, alone=[0.1] * 5, beside=[0.1, 4.0, 0.2, 0.1])
    assert not strain.one_lane
    assert fed(strain, 60.0, beside=[5.0]).one_lane


def test_a_gateway_that_is_as_slow_alone_keeps_two_lanes() -> None:
    assert not fed(Strain(), 0.0, alone=[3.0, 4.0, 3.5], beside=[4.0, 5.0, 3.0] * 4).one_lane


def test_two_lanes_are_tried_again_after_six_hours_and_then_after_twelve() -> None:
    strain = fed(Strain(), 0.0, alone=[0.1], beside=[5.0, 5.0])
    assert fed(strain, 6 * HOUR - 1, alone=[0.1]).one_lane
    assert not fed(strain, 6 * HOUR, alone=[0.1]).one_lane
    fed(strain, 6 * HOUR, beside=[5.0, 5.0])
    assert fed(strain, 17 * HOUR, alone=[0.1]).one_lane
    assert not fed(strain, 18 * HOUR, alone=[0.1]).one_lane


def test_two_lanes_that_go_well_make_the_next_pause_short_again() -> None:
    strain = fed(Strain(), 0.0, alone=[0.1], beside=[5.0, 5.0])
    fed(strain, 6 * HOUR, alone=[0.1], beside=[0.1] * 12)
    fed(strain, 7 * HOUR, beside=[5.0, 5.0])
    assert strain.one_lane
    assert not fed(strain, 13 * HOUR, alone=[0.1]).one_lane


def test_a_slow_gateway_is_slow_until_it_is_clearly_faster() -> None:
    strain = fed(Strain(), 0.0, alone=[2.5] * 30)
    assert strain.slow
    assert fed(strain, 0.0, alone=[1.5] * 30).slow
    assert not fed(strain, 0.0, alone=[0.5] * 30).slow
