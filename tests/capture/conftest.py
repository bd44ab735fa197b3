"""A healthy site for each test, on the machine's own clock."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from logger.clock import SystemClock
from tests.standin import BackgroundSimulator, generated


@pytest.fixture
def site() -> Iterator[BackgroundSimulator]:
    """Firmware 8 with meters, twelve inverters and batteries, five days old."""
    with BackgroundSimulator(generated("8-battery", epoch=time.time() - 5 * 86400), SystemClock()) as running:
        yield running
