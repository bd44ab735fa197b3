"""Open the outlets while the recorder runs.

An outlet offers the readings to people or to programs other than InfluxDB.
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from typing import Final, TypeAlias

from logger.clock import Clock
from logger.daemon.recorder import Recorder
from logger.mqtt.publish import serve_mqtt
from logger.settings.load import Settings
from logger.web.open_server import serve_web

Outlet: TypeAlias = Callable[[Settings, Recorder, Clock], AbstractAsyncContextManager[None]]

OUTLETS: Final[tuple[Outlet, ...]] = (serve_web, serve_mqtt)
"""Every outlet. An outlet opens, and imports its libraries, only if the settings enable it."""


@contextlib.asynccontextmanager
async def open_outlets(settings: Settings, recorder: Recorder, clock: Clock) -> AsyncIterator[None]:
    """Open every outlet within this context. A failure of an outlet never ends the recording."""
    async with contextlib.AsyncExitStack() as stack:
        for outlet in OUTLETS:
            await stack.enter_async_context(outlet(settings, recorder, clock))
        yield
