"""Reads the figures of the store, and reuses them for 150 s, so that not every tick reads the store."""

from __future__ import annotations

from typing import Final

from logger import log
from logger.clock import Clock
from logger.store.figures import StoreFigures
from logger.store.store import Store
from logger.store.thread import StoreCalls

_OLD_S: Final = 150.0
"""The age in seconds above which figures are read again."""


class StoreLooks:
    """Reads the store's figures, and logs what the store noted, such as damage. Figures are reused for 150 s."""

    def __init__(self, store: StoreCalls, clock: Clock) -> None:
        self._store, self._clock = store, clock
        self._figures: StoreFigures | None = None
        self._at = 0.0

    async def look(self) -> StoreFigures:
        """Read the store's figures now, and log the texts that the store has collected for the log."""
        figures, notes = await self._store.call(Store.take_report)
        for note in notes:
            log.get("store").warning(note)
        self._figures, self._at = figures, self._clock.monotonic()
        return figures

    async def recall(self) -> StoreFigures:
        """Return the figures that `look` read last. If these figures are older than 150 s, read the store again."""
        if self._figures is None or self._clock.monotonic() - self._at > _OLD_S:
            return await self.look()
        return self._figures
