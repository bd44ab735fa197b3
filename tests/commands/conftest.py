"""A site for the commands that look at one; what they do to it is theirs alone."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from logger.clock import SystemClock
from tests.standin import BackgroundSimulator, generated


@pytest.fixture
def site() -> Iterator[BackgroundSimulator]:
    """Firmware 8 with meters, batteries and an account, five days old."""
    with BackgroundSimulator(generated("8-battery", epoch=time.time() - 5 * 86400), SystemClock()) as running:
        yield running
