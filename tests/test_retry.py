"""When something is tried again: by policies that are data, always with an end, and never with the cause lost."""

from __future__ import annotations

import pytest

from logger.errors import BusyError, StateError, TimedOutError
from logger.retry import DELIVERY, POLL, SIGN_IN_LOCK, SLOW_POLL, Backoff, Policy, attempt
from tests.virtual import VirtualClock, run_virtually


def tries(policy: Policy, *errors: Exception) -> tuple[int, float]:
    """How often a call that fails so is tried, and the seconds that takes; raises what the caller would get."""
    left, count = list(errors), 0

    async def call() -> None:
        nonlocal count
        count += 1
        if left:
            raise left.pop(0)

    async def work() -> float:
        clock = VirtualClock(0.0)
        await attempt(policy, clock, call)
        return clock.monotonic()

    seconds = run_virtually(work())
    return count, seconds


def test_what_may_pass_is_tried_once_more_within_a_poll() -> None:
    count, seconds = tries(POLL, BusyError("x"))
    assert count == 2
    assert 1.0 <= seconds <= 2.0
    with pytest.raises(BusyError, match="the second"):
        tries(POLL, BusyError("x"), BusyError("the second"))


@pytest.mark.parametrize(
    ("policy", "error"),
    [(POLL, TimedOutError("x")), (POLL, StateError("x")), (SLOW_POLL, BusyError("x")), (POLL, ValueError("x"))],
)
def test_a_long_wait_a_lasting_error_the_slow_lane_and_a_defect_are_not_tried_again(
    policy: Policy, error: Exception
) -> None:
    with pytest.raises(type(error)) as caught:
        tries(policy, error)
    assert caught.value is error


def test_the_lock_of_sign_ins_is_waited_for_two_minutes_and_then_its_cause_is_raised() -> None:
    count, seconds = tries(SIGN_IN_LOCK, *(BlockingIOError() for _ in range(50)))
    assert (count, round(seconds, 6)) == (51, 5.0)
    assert tries(SIGN_IN_LOCK, *(BlockingIOError() for _ in range(1199)))[1] == pytest.approx(119.9)
    with pytest.raises(BlockingIOError):
        tries(SIGN_IN_LOCK, *(BlockingIOError() for _ in range(1200)))


def test_pauses_double_to_a_minute_and_each_lane_has_its_own() -> None:
    async def work() -> None:
        clock = VirtualClock(0.0)
        backoff = Backoff(DELIVERY, clock)
        pauses = []
        for failure in range(1, 10):
            backoff.fail("totals")
            assert backoff.failures("totals") == failure
            assert not backoff.may_try("totals", "devices")
            assert backoff.may_try("devices")
            pauses.append(backoff.next_in_s(999.0))
            await clock.sleep(pauses[-1])
            assert backoff.may_try("totals")
        assert all(2**n / 2 <= pause <= 2**n for n, pause in enumerate(pauses[:6]))
        assert all(30.0 <= pause <= 60.0 for pause in pauses[6:])
        backoff.fail("totals")
        backoff.succeed("totals")
        assert backoff.may_try("totals")
        assert backoff.failures("totals") == 0
        assert backoff.next_in_s(60.0) == 60.0

    run_virtually(work())


def test_what_the_other_side_asks_for_is_waited_at_least() -> None:
    async def work() -> None:
        backoff = Backoff(DELIVERY, VirtualClock(0.0))
        backoff.fail("server", asked_s=300.0)
        assert 300.0 <= backoff.next_in_s(999.0) <= 305.0
        backoff.pause("server", 0.0)
        assert backoff.may_try("server")

    run_virtually(work())
