"""Clocks that were wrong, ours or the gateway's, and came right: the books go on with the days that really are."""

from __future__ import annotations

from datetime import date

import pytest

from logger.energy.state import EnergyState, Tick, Wiring
from logger.model import Document, Event
from logger.readings import paths
from logger.readings.contradictions import NO_SAMPLES, Contradictions
from logger.readings.drift import Shape, watch
from logger.readings.points import GatewayPoint, usual_interval_s
from logger.readings.site_warnings import SiteWarning
from logger.site import Site
from tests.energy.counted import Counted, metered
from tests.energy.house import first_instant
from tests.energy.test_day_rows import PARIS, at, site, steadily, wh
from tests.readings.site import NOW, Body, report

DAY = 86400


# --- our clock: the site's days -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("ahead_days", "every_s"),
    [pytest.param(1, 60, marks=pytest.mark.long), (3, 300), pytest.param(400, 300, marks=pytest.mark.long)],
)
def test_what_was_counted_while_our_clock_was_days_ahead_is_of_the_day_that_it_was(
    ahead_days: int, every_s: int
) -> None:
    """One hour at 1200 W was recorded under a date that is yet to come."""
    counted = site("2025-06-15", "08:00", totals_s=every_s)
    counted.tick = at("2025-06-15", "08:00") - every_s
    steadily(counted, at("2025-06-15", "12:00"), every=every_s)
    noon, hour = at("2025-06-15", "12:00"), 3600 // every_s
    for number in range(1, hour + 1):
        counted.poll(shown(noon + every_s * number), after=every_s + (ahead_days * DAY if number == 1 else 0))
    counted.restart()
    for number in range(hour + 1, 2 * hour + 1):
        counted.poll(shown(noon + every_s * number), after=every_s - (ahead_days * DAY if number == hour + 1 else 0))
    assert counted.state.energy.day == "2025-06-15"
    counted.restart()
    steadily(counted, at("2025-06-16", "00:15"), every=every_s)
    row = counted.rows["2025-06-15"]
    assert wh(row, "production_wh") == pytest.approx(16 * 1200.0)
    assert wh(row, "coverage_percent") == pytest.approx(100 * 16 / 24, abs=0.1)
    assert counted.written[at("2025-06-16", "00:05")]["production_today_wh"] == pytest.approx(100.0)
    assert row.reading.fields["counter_resets"] == 0
    assert not [day for day in counted.state.energy.days if day.date > "2025-06-16"]


def shown(true_tick: int) -> dict[str, Body]:
    """What the meters show at a moment, whatever our clock says."""
    made = 1200.0 * (true_tick - 1_500_000_000) / 3600
    return metered(1e6 + made, 3e6, 1e6 + made * 500 / 1200, watts=1200.0, net_w=-500.0)


def test_books_that_began_in_the_future_have_a_today_again() -> None:
    counted = Counted(Site(zone=PARIS, totals_s=300), tick=at("2031-01-01", "12:00"))
    steadily(counted, at("2031-01-01", "12:10"), every=300)
    counted.tick = at("2025-06-15", "12:00")
    steadily(counted, at("2025-06-16", "12:00"), every=300)
    assert counted.state.energy.day == "2025-06-16"
    assert counted.written[counted.tick]["production_today_wh"] == pytest.approx(12 * 1200.0)
    assert wh(counted.rows["2025-06-15"], "production_wh") == pytest.approx(12 * 1200.0, abs=400)


@pytest.mark.long
def test_days_that_were_lived_under_later_dates_are_not_heaped_upon_one() -> None:
    """For five days our clock was two days ahead: nobody can tell any more which of them was today."""
    counted = site("2025-06-17", "00:00", totals_s=900)
    steadily(counted, at("2025-06-22", "00:00"), every=900)
    counted.tick -= 2 * DAY
    steadily(counted, at("2025-06-20", "12:00"), every=900)
    assert counted.state.energy.day == "2025-06-20"
    assert wh(counted.rows["2025-06-20"], "production_wh") <= 36.1 * 1200.0


# --- our clock: what is watched over hours -------------------------------------------------------------------------


def test_a_contradiction_that_was_seen_in_the_future_leaves_nothing_out_of_today() -> None:
    found = {"house": SiteWarning("the house would use -500 W", "it is over", leaves_out=("load",))}
    known = Contradictions()
    for minute in range(3):
        known = known.follow(found, NO_SAMPLES, Tick(NOW + 30 * DAY + 60 * minute, {}, Wiring(), 1e4), EnergyState())
    assert known.uncountable == {"load"}
    assert not known.follow({}, NO_SAMPLES, Tick(NOW, {}, Wiring(), 1e4), EnergyState()).uncountable


def test_a_key_that_is_lost_after_our_clock_was_set_back_is_told() -> None:
    shape, events = Shape(), list[Event]()
    lost: Body = [{"eid": 1, "voltage": 230.0}]
    for minute in range(40):
        at = NOW + 60 * minute + (30 * DAY if minute < 2 else 0)
        body: Body = [{**lost[0], "activePower": 5.0}] if minute < 1 else lost
        shape, told = watch(shape, Document(paths.READINGS, body, float(at), 0.1), at)
        events += told
    assert [event.kind for event in events] == ["key_lost"]


# --- a date that is no day ----------------------------------------------------------------------------------------


@pytest.mark.long
def test_a_date_that_was_skipped_has_no_row_and_stops_nothing() -> None:
    """Samoa went from the 29th to the 31st of December 2011."""
    zone = "Pacific/Apia"
    counted = site("2011-12-29", "12:00", zone)
    begin = counted.tick
    while counted.tick < first_instant(date(2012, 1, 1), zone):
        made = 0.2 * (counted.tick - begin)
        counted.poll(metered(1e6 + made, 3e6, 1e6, watts=720.0), after=300)
    assert sorted(counted.rows) == ["2011-12-29", "2011-12-31", "2012-01-01"]
    assert wh(counted.rows["2011-12-31"], "production_wh") == pytest.approx(24 * 720.0)


# --- times of the gateway's own point ------------------------------------------------------------------------------


def test_the_gateways_own_point_comes_again_after_our_clock_was_set_back() -> None:
    assert GatewayPoint(5_000_000, {"firmware": "1"}).is_due({"firmware": "1"}, 1_000_000)
    assert not GatewayPoint(999_700, {"firmware": "1"}).is_due({"firmware": "1"}, 1_000_000)


def test_a_night_is_no_usual_interval_between_reports() -> None:
    dawn = {s: [report(s, NOW - 36_000), report(s, NOW)] for s in ("1", "2", "3")}
    assert usual_interval_s(dawn) is None
    assert usual_interval_s({**dawn, "4": [report("4", NOW - 900), report("4", NOW)]}) == 900.0
