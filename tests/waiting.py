"""Waiting for what other processes and threads do: over at once when it is done, patient on a busy machine."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from typing import Any, Final, TypeVar

import pytest

from logger.answer import Answer
from logger.wire import Wire

T = TypeVar("T")
LONGEST_S: Final = 300.0
"""Nothing that a test waits for takes longer on any machine; it is below the bound on a whole test."""

SHORT_S: Final = 0.3
"""How long an address that never answers is waited for."""


@contextlib.contextmanager
def give_up_soon(silent: str) -> Iterator[None]:
    """Let requests to an address that has `silent` in it, which nobody answers, end soon; others have their time."""
    request = Wire.request

    async def ask(wire: Wire, method: Any, path: str, *, timeout_s: float, **more: Any) -> Answer:
        is_silent = silent in wire.base_url + path
        return await request(wire, method, path, timeout_s=SHORT_S if is_silent else timeout_s, **more)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Wire, "request", ask)
        yield


def wait_until(holds: Callable[[], T], shown: Callable[[], str] = lambda: "") -> T:
    """Ask until the answer is true → that answer; fails with what is `shown` if it never is."""
    until = time.monotonic() + LONGEST_S
    while not (found := holds()):
        assert time.monotonic() < until, f"not within {LONGEST_S:.0f} s: {shown()[-4000:]}"
        time.sleep(0.02)
    return found
