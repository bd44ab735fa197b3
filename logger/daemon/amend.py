"""What `backfill` asks of the books: to see them, to take rows of days, to be joined with what was read back.

The same functions answer in the running daemon, between two of its ticks, and where none runs.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final, Protocol, TypeAlias

from logger.control.api import as_bytes
from logger.control.unix_socket import Handlers
from logger.daemon.batches import amendment
from logger.daemon.gateway_state import GatewayState, load_state
from logger.daemon.rebuilt_books import recomputed, restored
from logger.model import DayRow, Json
from logger.site import Site
from logger.store.records import Commit, DailyRow
from logger.store.thread import StoreThread

MOST_ROWS: Final = 1000
"""Rows of days that one request may bring."""
Change: TypeAlias = Callable[[GatewayState], "tuple[GatewayState, Sequence[DayRow]]"]


class Keeper(Protocol):
    """Whoever holds the books of a gateway now."""

    async def amend(self, gateway: str, change: Change) -> None:
        """Change the books in one transaction, with the rows that `change` gives."""
        ...


class StoredBooks:
    """The books as they lie in the store, where no daemon holds them."""

    def __init__(self, store: StoreThread) -> None:
        self._store = store

    async def amend(self, gateway: str, change: Change) -> None:
        """See Keeper."""
        stored = await self._store.ledger(gateway)
        books, rows = change(load_state(stored, await self._store.reports(gateway)))
        commit, _ = amendment(gateway, books, rows, stored)
        await self._store.put(commit)


def books_handlers(
    store: StoreThread, keeper: Keeper, site: Site, changed: Callable[[], None] = lambda: None
) -> Handlers:
    """What can be asked of the books by name. `changed` is called when something waits for delivery anew."""

    async def books(given: Mapping[str, Json]) -> Json:
        return {gateway: dict(await store.ledger(gateway)) for gateway in await store.gateways()}

    async def day_rows(given: Mapping[str, Json]) -> Json:
        rows = _rows(given["rows"])
        await store.put(Commit(gateway=str(given["gateway"]), tick=0, daily=rows))
        changed()
        return len(rows)

    async def join(given: Mapping[str, Json]) -> Json:
        gateway, past = str(given["gateway"]), load_state(_texts(given["parts"]), {})
        again = given.get("again")
        dates = frozenset(str(day) for day in again) if isinstance(again, list) else frozenset()
        told: list[int] = []

        def change(live: GatewayState) -> tuple[GatewayState, Sequence[DayRow]]:
            new, rows = recomputed(live, past, gateway, dates) if dates else restored(live, past, gateway, site)
            told.append(len(rows))
            return new, rows

        await keeper.amend(gateway, change)
        changed()
        return told[-1]

    return {"books": books, "day_rows": day_rows, "join": join}


def _texts(value: Json) -> dict[str, str]:
    if not isinstance(value, dict):
        raise TypeError("parts are an object of texts")
    return {key: text for key, text in value.items() if isinstance(text, str)}


def _rows(value: Json) -> tuple[DailyRow, ...]:
    if not isinstance(value, list) or len(value) > MOST_ROWS:
        raise TypeError(f"rows are a list of at most {MOST_ROWS}")
    found = []
    for row in value:
        if not isinstance(row, list) or len(row) != 5:
            raise TypeError("a row has a measurement, a series, a day, a line, and whether it is final")
        measurement, series, day, line, final = row
        found.append(DailyRow(str(measurement), str(series), str(day), as_bytes(str(line)), bool(final)))
    return tuple(found)
