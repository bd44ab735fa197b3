"""Waiting for what other processes and threads do: over at once when it is done, patient on a busy machine."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final, TypeVar

T = TypeVar("T")
LONGEST_S: Final = 300.0
"""Nothing that a test waits for takes longer on any machine; it is below the bound on a whole test."""


def wait_until(holds: Callable[[], T], shown: Callable[[], str] = lambda: "") -> T:
    """Ask until the answer is true → that answer; fails with what is `shown` if it never is."""
    until = time.monotonic() + LONGEST_S
    while not (found := holds()):
        assert time.monotonic() < until, f"not within {LONGEST_S:.0f} s: {shown()[-4000:]}"
        time.sleep(0.02)
    return found
