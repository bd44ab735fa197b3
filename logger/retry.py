"""The only door to tenacity: when to try again, as data. Nobody else sleeps between tries."""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeVar

import tenacity

from logger.clock import Clock
from logger.errors import EnvoyLoggerError

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Policy:
    """How often and how fast to try again.

    `tries` bounds one call of `attempt`; `first_s` doubles from failure to failure up to `most_s`, each drawn
    between half and all of it, never less than `floor_s`.
    """

    tries: int
    first_s: float
    most_s: float
    floor_s: float = 0.0


POLL = Policy(tries=2, first_s=2.0, most_s=2.0, floor_s=1.0)
"""Within one poll: two tries at most; the next poll is the retry."""
DELIVERY = Policy(tries=1, first_s=1.0, most_s=60.0)
"""Between deliveries to InfluxDB: 1, 2, 4 … 60 s, for ever; the data waits in the store."""
SIGN_IN = Policy(tries=1, first_s=300.0, most_s=6 * 3600.0, floor_s=300.0)
"""Between sign-ins at Enphase: 5 minutes to 6 hours, kept across restarts; accounts get locked."""


async def attempt(policy: Policy, clock: Clock, call: Callable[[], Awaitable[T]]) -> T:
    """Call until it succeeds, fails with an error that trying again cannot help, or the tries are used up."""
    retrying = tenacity.AsyncRetrying(
        stop=tenacity.stop_after_attempt(policy.tries),
        wait=lambda state: delay(policy, state.attempt_number),
        retry=tenacity.retry_if_exception(lambda e: isinstance(e, EnvoyLoggerError) and e.retry),
        sleep=clock.sleep,
        reraise=True,
    )
    return await retrying(call)


def delay(policy: Policy, failures: int) -> float:
    """Seconds to wait after that many failures in a row (1 or more)."""
    ceiling = min(policy.most_s, policy.first_s * 2.0 ** min(failures - 1, 30))
    return max(policy.floor_s, random.uniform(ceiling / 2, ceiling))  # noqa: S311  jitter, not a secret
