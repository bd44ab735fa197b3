"""One report, one point, for ever (schema rule 6)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from logger.model import Json, Report
from logger.readings import paths
from logger.readings.reports import fresh_report, interval_s, remember
from logger.readings.site_warnings import find_warnings
from tests.readings.site import (
    METERED,
    NOW,
    Recorder,
    battery,
    detailed,
    device_data,
    ensemble,
    inverter,
    once,
    points,
    report,
    snapshot,
)

S = "122000000001"


def with_report(second: Json, watts: float = 200) -> dict[str, Json]:
    return {**METERED, paths.V1_INVERTERS: [{**inverter(S, watts=watts), "lastReportDate": second}]}


def test_a_report_is_written_at_its_own_time() -> None:
    assert points(once(with_report(NOW - 77)), "envoy_inverter")[S].time == NOW - 77


def test_the_same_report_is_written_once() -> None:
    recorder = Recorder()
    assert recorder.read(snapshot(with_report(NOW - 77))).new_reports == [report(S, NOW - 77)]
    again = recorder.read(snapshot(with_report(NOW - 77), tick=NOW + 300))
    assert again.new_reports == []
    assert points(again, "envoy_inverter") == {}


@pytest.mark.parametrize(("apart", "new"), [(5, False), (-5, False), (6, True), (-6, True)])
def test_a_second_within_five_of_a_known_one_is_the_same_report(apart: int, new: bool) -> None:
    found = fresh_report(S, NOW + apart, "v1 list", [report(S, NOW)], NOW, 0.0)
    assert (found is not None) == new


def test_the_first_time_and_source_stand_when_another_document_disagrees() -> None:
    recorder = Recorder()
    recorder.read(snapshot(with_report(NOW - 77)))
    detail = {**METERED, paths.DEVICE_DATA: device_data(detailed(S, NOW - 74))}
    later = recorder.read(snapshot(detail, tick=NOW + 300))
    assert S not in points(later, "envoy_inverter")
    assert recorder.state.readings.reports[S] == [report(S, NOW - 77)]


def test_age_never_hides_a_new_report() -> None:
    assert points(once(with_report(NOW - 40 * 86400)), "envoy_inverter")[S].time == NOW - 40 * 86400


@pytest.mark.parametrize("second", [0, None, -5, "x", True, 2**32, 1e300], ids=repr)
def test_a_report_without_a_believable_second_is_no_point(second: Json) -> None:
    found = once(with_report(second))
    assert points(found, "envoy_inverter") == {}
    assert found.new_reports == []


def test_a_report_a_little_ahead_of_the_gateways_clock_is_a_point() -> None:
    assert points(once(with_report(NOW + 500)), "envoy_inverter")[S].time == NOW + 500


@pytest.mark.parametrize(
    ("skew", "shift"),
    [(0.0, 0), (59.0, 0), (60.0, 60), (-60.0, -60), (3600.4, 3600), (86400.0, 86400), (86401.0, 0), (-90000.0, 0)],
)
def test_a_skew_of_a_minute_to_a_day_is_taken_out_of_the_time(skew: float, shift: int) -> None:
    second = NOW + int(skew) - 77
    found = once(with_report(second), skew_s=skew)
    assert points(found, "envoy_inverter")[S].time == second - shift
    assert found.new_reports[0].gateway_second == second


def test_a_skew_that_changes_does_not_move_a_report_that_was_seen() -> None:
    recorder = Recorder()
    recorder.read(snapshot(with_report(NOW - 77), skew_s=0.0))
    found = recorder.read(snapshot(with_report(NOW - 77), tick=NOW + 300, skew_s=3600.0))
    assert points(found, "envoy_inverter") == {}
    assert recorder.state.readings.reports[S][0].time == NOW - 77


def test_ahead_is_measured_by_the_gateways_clock_not_ours() -> None:
    assert points(once(with_report(NOW + 3000), skew_s=3600.0), "envoy_inverter")[S].time == NOW - 600


def test_sixteen_reports_of_each_inverter_are_remembered() -> None:
    known: list[Report] = []
    for number in range(20):
        known = remember(known, report(S, number * 300))
    assert [kept.gateway_second for kept in known] == [n * 300 for n in range(4, 20)]


def test_the_interval_is_between_the_two_latest_reports_in_whatever_order_they_came() -> None:
    assert interval_s([]) is None
    assert interval_s([report(S, NOW)]) is None
    assert interval_s([report(S, NOW), report(S, NOW - 900), report(S, NOW - 300)]) == 300


def test_the_interval_is_written_with_the_second_report() -> None:
    recorder = Recorder()
    first = recorder.read(snapshot(with_report(NOW - 77)))
    assert "report_interval_s" not in points(first, "envoy_inverter_status")[S].fields
    second = recorder.read(snapshot(with_report(NOW + 223), tick=NOW + 300))
    assert points(second, "envoy_inverter_status")[S].fields["report_interval_s"] == 300


def test_the_age_of_a_report_is_taken_by_the_gateways_clock() -> None:
    found = once(with_report(NOW + 3600 - 100), skew_s=3600.0)
    assert points(found, "envoy_inverter_status")[S].fields["report_age_s"] == 105


@pytest.mark.parametrize(("ahead", "is_early"), [(600, False), (601, True), (3600, True), (2_000_000_000, True)])
def test_q_t6_a_report_ahead_of_the_gateways_clock_is_written_when_it_was_first_seen(
    ahead: int, is_early: bool
) -> None:
    recorder, second = Recorder(), NOW + 5 + 3600 + ahead
    found = recorder.read(snapshot(with_report(second), skew_s=3600.0))
    point = points(found, "envoy_inverter")[S]
    assert point.time == (NOW + 5 if is_early else NOW + 5 + ahead)
    assert ("early reports" in find_warnings(found.snapshot, ())) is is_early
    for number in range(1, 4):
        again = recorder.read(snapshot(with_report(second), tick=NOW + 300 * number, skew_s=3600.0))
        assert points(again, "envoy_inverter") == {}
    assert find_warnings(once(with_report(NOW)).snapshot, ()) == {}


def test_q_t6_the_reports_of_an_inverter_that_is_an_hour_ahead_are_points_with_their_interval() -> None:
    recorder, times = Recorder(), []
    for number in range(6):
        found = recorder.read(snapshot(with_report(NOW + 3600 + 300 * number), tick=NOW + 300 * number))
        times += [point.time for point in points(found, "envoy_inverter").values()]
    assert times == [NOW + 300 * number + 5 for number in range(6)]
    assert points(found, "envoy_inverter_status")[S].fields["report_interval_s"] == 300
    found = recorder.read(snapshot(with_report(NOW + 1700), tick=NOW + 1800))
    assert points(found, "envoy_inverter")[S].time == NOW + 1700
    assert "report_interval_s" not in points(found, "envoy_inverter_status")[S].fields


def test_a_report_from_the_future_has_no_age() -> None:
    bodies = {**METERED, paths.ENSEMBLE: ensemble(battery("492000000001", last_rpt_date=NOW + 5000))}
    assert "report_age_s" not in points(once(bodies), "envoy_battery")["492000000001"].fields


@given(st.lists(st.integers(min_value=NOW - 1800, max_value=NOW), max_size=15))
def test_whatever_is_answered_no_two_points_lie_within_five_seconds(seconds: list[int]) -> None:
    recorder = Recorder()
    times = []
    for step, second in enumerate(seconds):
        found = recorder.read(snapshot(with_report(second), tick=NOW + 300 * step))
        times += [p.time for p in points(found, "envoy_inverter").values()]
    ordered = sorted(times)
    assert all(b - a > 5 for a, b in zip(ordered, ordered[1:], strict=False))
    assert all(any(abs(second - t) <= 5 for t in times) for second in seconds)


@pytest.mark.parametrize("skew", [-7200.0, 7200.0])
def test_a_report_is_not_dated_before_the_last_one_by_a_skew_that_is_over(skew: float) -> None:
    """The gateway's clock was set right, and `/info` has not been read since."""
    recorder = Recorder()
    first = recorder.read(snapshot(with_report(NOW + int(skew) - 77), skew_s=skew))
    assert points(first, "envoy_inverter")[S].time == NOW - 77
    found = recorder.read(snapshot(with_report(NOW + 200), tick=NOW + 300, skew_s=skew))
    assert points(found, "envoy_inverter")[S].time == NOW + 305


def test_a_report_of_a_gateway_whose_clock_was_set_back_is_not_dated_before_the_last_one() -> None:
    """The clock went back by an hour, and `/info` was not read since: no older point is written over."""
    recorder = Recorder()
    recorder.read(snapshot(with_report(NOW - 77)))
    found = recorder.read(snapshot(with_report(NOW + 200 - 3600), tick=NOW + 300))
    assert points(found, "envoy_inverter")[S].time == NOW + 305
    found = recorder.read(snapshot(with_report(NOW + 500 - 3600), tick=NOW + 600, skew_s=-3600.0))
    assert points(found, "envoy_inverter")[S].time == NOW + 500
