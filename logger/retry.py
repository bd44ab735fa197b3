"""Calls a function again after an error, with the library tenacity. Each policy says when to try again.

No other module waits between tries.
"""

from __future__ import annotations

import random
import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final, TypeVar

import tenacity

from logger.clock import Clock
from logger.errors import EnvoyLoggerError, TimedOutError

T = TypeVar("T")
FOR_EVER: Final = sys.maxsize


@dataclass(frozen=True, slots=True)
class Policy:
    """How often and how fast to try again.

    `tries`: the greatest number of tries. The pause is `first_s` after the first failure, and doubles with each
    failure, up to `most_s`. The real pause is random, from half of this pause to the whole pause, and at least
    `floor_s`. A call is tried again after an error whose `retry` is True, except after errors of the classes in
    `never`. A call is also tried again after errors of the classes in `besides`.
    """

    tries: int
    first_s: float
    most_s: float
    floor_s: float = 0.0
    besides: tuple[type[Exception], ...] = ()
    never: tuple[type[Exception], ...] = ()

    def pause_s(self, failures: int) -> float:
        """Return a random time to wait after `failures` successive failures (1 or more), in seconds."""
        ceiling = min(self.most_s, self.first_s * 2.0 ** min(failures - 1, 30))
        return max(self.floor_s, random.uniform(ceiling / 2, ceiling))  # noqa: S311  jitter, not a secret

    def wait(self, state: tenacity.RetryCallState) -> float:
        """Return the pause in seconds before the next try, as tenacity's argument `wait` requires."""
        return self.pause_s(state.attempt_number)

    def is_worth_retrying(self, error: BaseException) -> bool:
        """Return True if the next try may succeed after this error."""
        may_pass = isinstance(error, EnvoyLoggerError) and error.retry and not isinstance(error, self.never)
        return may_pass or isinstance(error, self.besides)


POLL: Final = Policy(tries=2, first_s=2.0, most_s=2.0, floor_s=1.0, never=(TimedOutError,))
"""Within one poll: two tries, but no second try after a timeout, because two long waits would exceed the minute."""
SLOW_POLL: Final = Policy(tries=1, first_s=2.0, most_s=2.0)
"""Within one poll in the slow lane: one try, because a try takes up to a minute."""
DELIVERY: Final = Policy(tries=FOR_EVER, first_s=1.0, most_s=60.0)
"""Between deliveries to InfluxDB: 1, 2, 4 … 60 s, without end, because the data waits in the store until delivery."""
BROKER: Final = Policy(tries=FOR_EVER, first_s=1.0, most_s=60.0)
"""Between connections to the MQTT broker: 1, 2, 4 … 60 s, without end, because an outage of a broker may be long."""
STORE_FULL: Final = Policy(tries=FOR_EVER, first_s=30.0, most_s=30.0, floor_s=30.0)
"""At the start, while the disk is full: every 30 s, without end, because only a person can free space."""
SIGN_IN: Final = Policy(tries=1, first_s=300.0, most_s=6 * 3600.0, floor_s=300.0)
"""Between sign-ins at Enphase: 5 minutes to 6 hours, also after a restart, because Enphase locks accounts."""
SIGN_IN_LOCK: Final = Policy(tries=1200, first_s=0.1, most_s=0.1, floor_s=0.1, besides=(BlockingIOError,))
"""While another process signs in: every 0.1 s, for at most two minutes."""


async def attempt(
    policy: Policy,
    clock: Clock,
    call: Callable[[], Awaitable[T]],
    sleep: Callable[[float], Awaitable[None]] | None = None,
) -> T:
    """Run `call` again and again until it succeeds.

    If another try cannot succeed after an error, the error is raised immediately. Any other error is raised when the
    policy allows no further try.

    `sleep`: a function that waits between tries and may end early; None waits by `clock`.
    """

    try:
        return await call()
    except Exception as error:  # noqa: BLE001  tenacity decides about it
        failed = [error]

    async def again() -> T:
        """Raise the error of the first try, so that tenacity counts that try. On each later call, run `call`."""
        if failed:
            raise failed.pop()
        return await call()

    retrying = tenacity.AsyncRetrying(
        stop=tenacity.stop_after_attempt(policy.tries),
        wait=policy.wait,
        retry=tenacity.retry_if_exception(policy.is_worth_retrying),
        sleep=sleep or clock.sleep,
        reraise=True,
    )
    return await retrying(again)


class Backoff:
    """The pause of each lane after failures. A lane is a part of a loop's work, such as deliveries of one role.

    The loop does not sleep during the pause of one lane, because the other lanes may have work.
    """

    def __init__(self, policy: Policy, clock: Clock) -> None:
        self._policy, self._clock = policy, clock
        self._retrying = tenacity.Retrying(wait=policy.wait, reraise=True)
        self._states: dict[str, tenacity.RetryCallState] = {}
        self._not_before: dict[str, float] = {}

    def fail(self, lane: str, asked_s: float = 0.0) -> None:
        """Count a failure and pause the lane, for at least the `asked_s` seconds that the server requests."""
        state = self._states.setdefault(lane, tenacity.RetryCallState(self._retrying, None, (), {}))
        spread_s = random.uniform(0.0, min(5.0, asked_s / 10))  # noqa: S311  jitter, not a secret
        self.pause(lane, max(self._policy.wait(state), asked_s + spread_s))
        state.prepare_for_next_attempt()

    def pause(self, lane: str, seconds: float) -> None:
        """Pause a lane for `seconds`, independent of its failures."""
        self._not_before[lane] = self._clock.monotonic() + seconds

    def succeed(self, lane: str) -> None:
        """Set the failures of a lane to 0, and end the pause of the lane."""
        self._states.pop(lane, None)
        self._not_before.pop(lane, None)

    def failures(self, lane: str) -> int:
        """Count the successive failures of a lane."""
        return self._states[lane].attempt_number - 1 if lane in self._states else 0

    def may_try(self, *lanes: str) -> bool:
        """Return True if none of these lanes is paused."""
        now = self._clock.monotonic()
        return all(self._not_before.get(lane, 0.0) <= now for lane in lanes)

    def next_in_s(self, most_s: float) -> float:
        """Return the seconds until the next paused lane may be tried, but not more than `most_s`."""
        now = self._clock.monotonic()
        return min([most_s, *(at - now for at in self._not_before.values() if at > now)])
