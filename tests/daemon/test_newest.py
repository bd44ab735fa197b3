"""Whether a gateway is heard: by its answers, not by points that are written without one."""

from __future__ import annotations

import pytest

from logger.daemon.newest import NewestReadings, is_current
from logger.model import Reading
from logger.site import Site

NOON = 1_760_000_400
SITE = Site()


@pytest.mark.parametrize(
    ("answers", "is_heard"),
    [
        ([True], True),
        ([True, False], True),
        ([True, False, False], False),
        ([True, None, None, None], True),
        ([True, False, None, None], False),
        ([None, None], False),
        ([True, False, False, True], True),
    ],
    ids=["answered", "one tick missed", "two missed", "nothing was asked", "missed, then not asked", "never", "back"],
)
def test_a_gateway_is_heard_until_two_ticks_had_no_answer(answers: list[bool | None], is_heard: bool) -> None:
    newest, tick = NewestReadings(), NOON
    for number, is_answered in enumerate(answers):
        tick = NOON + 60 * number
        newest.note_answer(tick, is_answered=is_answered)
        newest.take([Reading("envoy_totals", {}, {"production_7d_wh": 1.0}, tick, "totals")])
    assert newest.is_heard(SITE, tick + 1.0) is is_heard


def test_a_gateway_whose_poll_begins_late_in_the_minute_is_heard_until_its_second_poll_is_over() -> None:
    newest, late = NewestReadings(), Site(offset_s=50)
    newest.note_answer(NOON, is_answered=True)
    assert [newest.is_heard(late, NOON + later) for later in (169, 170)] == [True, False]


def test_a_reading_of_a_clock_that_was_ahead_is_no_present_value_and_is_replaced() -> None:
    newest, ahead = NewestReadings(), NOON + 7200
    newest.note_answer(ahead, is_answered=True)
    newest.take([Reading("envoy_totals", {}, {"production_power_w": 1.0}, ahead, "totals")])
    old = newest.find("envoy_totals")
    assert old is not None
    assert [is_current(old, SITE, now) for now in (ahead, NOON)] == [True, False]
    assert [newest.is_heard(SITE, now) for now in (ahead, NOON)] == [True, False]
    newest.note_answer(NOON, is_answered=True)
    for time, value in ((NOON, 2.0), (NOON - 60, 3.0)):
        newest.take([Reading("envoy_totals", {}, {"production_power_w": value}, time, "totals")])
    found = newest.find("envoy_totals")
    assert found is not None
    assert (found.time, found.fields) == (NOON, {"production_power_w": 2.0})
