"""One poll of every endpoint: a path that failed is not a path that this gateway does not have."""

from __future__ import annotations

from logger.errors import BusyError
from logger.readings.rows import METERS, PATHS, PDM
from logger.service.once import Poll
from tests.service.parts import INFO, START


def test_a_failed_path_is_not_taken_for_one_that_is_not_there() -> None:
    poll = Poll(INFO, START, {}, {METERS: BusyError("503")})
    assert METERS not in poll.snapshot().settled
    assert PDM in poll.snapshot().settled
    assert poll.snapshot().settled == PATHS - {METERS}
