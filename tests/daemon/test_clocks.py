"""The texts and events about wrong clocks: once when the error begins, and in units that an owner reads easily."""

from __future__ import annotations

import logging
from dataclasses import replace

import pytest

from logger import log
from logger.daemon.clocks import Clocks
from logger.model import Event
from tests.clocks import HandClock
from tests.daemon.parts import INFO

NOW = 1_780_000_000


class SteppedClock(HandClock):
    """A clock that is set forward while its monotonic time continues."""

    stepped_s = 0.0

    def time(self) -> float:
        return self.now + self.stepped_s


@pytest.mark.parametrize("name", ["", "192.168.1.5"])
def test_a_wrong_clock_of_a_gateway_is_one_event_also_with_several_gateways(name: str) -> None:
    changes = log.Changes(logging.getLogger("logger.test"))
    events: list[Event] = []
    clocks = Clocks(HandClock(NOW), changes.of(name) if name else changes, events.append)
    for minute, skew_s in enumerate((7200.0, 7201.0, 7202.0, 7202.0, 2.0)):
        clocks.watch_theirs(NOW + 60 * minute, replace(INFO, clock_skew_s=skew_s))
    assert [event.text for event in events] == [
        "the gateway's clock is 2 hours ahead; the times of its reports are corrected",
        "the gateway's clock is right again",
    ]
    assert not changes.troubles


def test_a_clock_that_becomes_too_wrong_to_correct_is_said_again() -> None:
    events: list[Event] = []
    clocks = Clocks(HandClock(NOW), log.Changes(None), events.append)
    for skew_s in (-86_000.0, -86_399.0, -90_000.0, -90_060.0):
        clocks.watch_theirs(NOW, replace(INFO, clock_skew_s=skew_s))
    assert [event.text.partition("; ")[2] for event in events] == [
        "the times of its reports are corrected",
        "the times of its reports are not corrected",
    ]


@pytest.mark.parametrize(
    ("stepped_s", "span"), [(60, "1 minute"), (89, "1 minute"), (150, "2 minutes"), (3 * 3600, "3 hours")]
)
def test_a_jump_of_our_clock_names_the_time_without_readings(
    caplog: pytest.LogCaptureFixture, stepped_s: float, span: str
) -> None:
    clock, events = SteppedClock(NOW), list[Event]()
    clocks = Clocks(clock, log.Changes(None), events.append)
    clocks.watch_ours(NOW)
    clock.stepped_s = stepped_s
    clocks.watch_ours(NOW + 60)
    text = f"this machine slept or its clock was set forward, so the readings of {span} are missing"
    assert [event.text for event in events] == [text] == [record.getMessage() for record in caplog.records]
