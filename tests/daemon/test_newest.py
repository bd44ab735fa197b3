"""Whether a gateway is heard: by its answers, not by points that are written without one."""

from __future__ import annotations

import pytest

from logger.daemon.newest import NewestReadings
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
