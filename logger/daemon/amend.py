"""Store day rows for `backfill`, and join a rebuilt state of a gateway to the gateway's live state.

The functions run in the recorder between two ticks. If no recorder runs, they run in the command.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Annotated, Final, Protocol, TypeAlias

from pydantic import Field

from logger.daemon.batches import make_amendment, pack
from logger.daemon.events import event_points
from logger.daemon.gateway_state import Change, GatewayState, load_state
from logger.daemon.join_states import fill_days, recompute_days, restore_months, restore_past
from logger.daemon.tariff_files import read_prices
from logger.energy.periods import Period
from logger.influx.read_back import read_back
from logger.model import DayRow, Event, Reading
from logger.site import Site
from logger.store.records import Commit, DailyRow
from logger.store.store import Store
from logger.store.thread import StoreCalls

MOST_ROWS: Final = 1000
"""The greatest number of day rows, events or hours in one request."""
Events: TypeAlias = Annotated[list[Event], Field(min_length=1, max_length=MOST_ROWS)]
Hours: TypeAlias = Annotated[list[Reading], Field(min_length=1, max_length=MOST_ROWS)]
Rows: TypeAlias = Annotated[list[DailyRow], Field(max_length=MOST_ROWS)]


class Keeper(Protocol):
    """The present holder of one gateway's state: the collector of the gateway, or the store."""

    @property
    def site(self) -> Site:
        """Return the site of the gateway."""
        ...

    async def amend(self, change: Change) -> None:
        """Apply `change` to the state, and store the new state and its day rows in one transaction."""
        ...


@dataclass(frozen=True, slots=True)
class StoredState:
    """The state of one gateway in the store, while no recorder records the gateway."""

    store: StoreCalls
    gateway: str
    site: Site

    async def amend(self, change: Change) -> None:
        """Apply `change` to the stored state, and store the new state and its day rows."""
        stored = await self.store.call(Store.read_state, self.gateway)
        state, rows = change(load_state(stored, await self.store.call(Store.read_reports, self.gateway)))
        commit, _ = make_amendment(self.gateway, state, rows, stored)
        await self.store.call(Store.put, commit)


class StateApi:
    """Answers requests about the states of gateways. A state is sent as parts: the key and JSON text of each part."""

    def __init__(
        self, store: StoreCalls, keeper_of: Callable[[str], Keeper], on_change: Callable[[], None] = lambda: None
    ) -> None:
        """Answer requests with the data of `store`.

        `keeper_of` takes a gateway's serial, and returns the present holder of the gateway's state: the gateway's
        collector, or the store. `on_change` is called after new rows for InfluxDB were stored.
        """
        self._store, self._keeper_of, self._on_change = store, keeper_of, on_change

    async def read_states(self) -> dict[str, dict[str, str]]:
        """Read the state of every gateway in the store, by serial."""
        gateways = await self._store.call(Store.list_gateways)
        return {gateway: await self._store.call(Store.read_state, gateway) for gateway in gateways}

    async def put_day_rows(self, gateway: str, rows: Rows) -> int:
        """Store day rows. Return their number."""
        await self._store.call(Store.put, Commit(gateway=gateway, tick=0, daily=tuple(rows)))
        self._on_change()
        return len(rows)

    async def put_events(self, gateway: str, events: Events) -> int:
        """Store events of the past. Return their number.

        In InfluxDB each event replaces the earlier event of the same kind, serial and second.
        """
        points = event_points(events, self._keeper_of(gateway).site.tags(gateway))
        await self._store.call(Store.put, Commit(gateway, max(event.time for event in events), pack(points)))
        self._on_change()
        return len(events)

    async def put_hours(self, gateway: str, hours: Hours) -> int:
        """Store points of past hours. Return their number.

        In InfluxDB each point replaces the earlier point of the same hour.
        """
        newest = max(hour.time for hour in hours)
        await self._store.call(Store.put, Commit(gateway, newest, pack(hours)))
        self._on_change()
        return len(hours)

    async def restore_past(self, gateway: str, parts: dict[str, str]) -> int:
        """Put the days of an earlier state (`parts`) before the days of the present state.

        Return the number of rows that were made.
        """
        past, keeper = load_state(parts, {}), self._keeper_of(gateway)
        prices, _ = read_prices(keeper.site.tariff_file)
        return await self._amend(keeper, lambda live: restore_past(live, past, gateway, keeper.site, prices))

    async def recompute_days(self, gateway: str, parts: dict[str, str], dates: list[str]) -> int:
        """Replace closed days in the gateway's state by the same days of another state.

        `parts`: the other state. `dates`: the days to replace. A day that the other state lacks is not replaced.
        Return the number of rows that were made.
        """
        past = load_state(parts, {})
        return await self._amend(
            self._keeper_of(gateway), lambda live: recompute_days(live, past, gateway, frozenset(dates))
        )

    async def fill_days(self, gateway: str, parts: dict[str, str], dates: list[str]) -> int:
        """Complete the days of `dates` with the values that only the state in `parts` has.

        Return the number of rows that were made.
        """
        past = load_state(parts, {})
        return await self._amend(
            self._keeper_of(gateway), lambda live: fill_days(live, past, gateway, frozenset(dates))
        )

    async def restore_periods(self, gateway: str, days: dict[str, Period]) -> int:
        """Compute again the sums of the months that contain these days.

        Make the rows of these months and of their years. Return the number of these rows. `days`: ISO date → the sums
        of that day. If the store has a row of a day, this row's figures are used instead.
        """
        begin, end = (f"{day[:-2]}{place}" for day, place in ((min(days), "01"), (max(days), "31")))
        stored = await self._store.call(Store.read_rows, gateway, "envoy_day", begin, end)
        rows = [read_back(row.line.decode("utf-8", "replace"), "daily") for row in stored]
        return await self._amend(self._keeper_of(gateway), lambda live: restore_months(live, days, rows))

    async def _amend(self, keeper: Keeper, change: Change) -> int:
        count = 0

        def change_and_count(live: GatewayState) -> tuple[GatewayState, Sequence[DayRow]]:
            nonlocal count
            state, rows = change(live)
            count = len(rows)
            return state, rows

        await keeper.amend(change_and_count)
        self._on_change()
        return count
