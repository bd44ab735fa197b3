"""Reads the store's figures, and keeps them for some time, so that not every tick reads them again."""

from __future__ import annotations

from typing import Final

from logger import log
from logger.clock import Clock
from logger.store.figures import StoreFigures
from logger.store.store import Store
from logger.store.thread import StoreCalls

_OLD_S: Final = 150.0
"""Figures that are older are read anew."""


class StoreLooks:
    """Reads the store's figures, and logs the store's notes. The last figures are used until they are old."""

    def __init__(self, store: StoreCalls, clock: Clock) -> None:
        self._store, self._clock = store, clock
        self._figures: StoreFigures | None = None
        self._at = 0.0

    async def look(self) -> StoreFigures:
        """Read the figures now."""
        figures, notes = await self._store.call(Store.take_report)
        for note in notes:
            log.get("store").warning(note)
        self._figures, self._at = figures, self._clock.monotonic()
        return figures

    async def recall(self) -> StoreFigures:
        """Return the last figures, or new ones if the last are old."""
        if self._figures is None or self._clock.monotonic() - self._at > _OLD_S:
            return await self.look()
        return self._figures
