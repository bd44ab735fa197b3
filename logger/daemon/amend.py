"""What `backfill` asks of a gateway's state: to show it, to take day rows, to be joined with what was read back.

The same functions answer in the running daemon, between two of its ticks, and where none runs.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Final, Protocol

from pydantic import Field, TypeAdapter

from logger.control.unix_socket import Handlers
from logger.daemon.batches import make_amendment
from logger.daemon.gateway_state import Change, GatewayState, load_state
from logger.daemon.join_states import recompute_days, restore_past
from logger.model import DayRow, Json
from logger.site import Site
from logger.store.records import Commit, DailyRow
from logger.store.store import Store
from logger.store.thread import StoreCalls

MOST_ROWS: Final = 1000
"""Rows of days that one request may bring."""
ROWS: Final = TypeAdapter(Annotated[list[DailyRow], Field(max_length=MOST_ROWS)])
"""How they travel."""
_PARTS: Final = TypeAdapter(dict[str, str])


class Keeper(Protocol):
    """Whoever holds the state of one gateway now."""

    @property
    def site(self) -> Site:
        """The site behind the gateway."""
        ...

    async def amend(self, change: Change) -> None:
        """Change the state in one transaction, with the day rows that `change` gives."""
        ...


@dataclass(frozen=True, slots=True)
class StoredState:
    """The state of one gateway as it lies in the store, where no daemon holds it."""

    store: StoreCalls
    gateway: str
    site: Site

    async def amend(self, change: Change) -> None:
        """See Keeper."""
        stored = await self.store.call(Store.read_state, self.gateway)
        state, rows = change(load_state(stored, await self.store.call(Store.read_reports, self.gateway)))
        commit, _ = make_amendment(self.gateway, state, rows, stored)
        await self.store.call(Store.put, commit)


def state_handlers(
    store: StoreCalls, keeper_of: Callable[[str], Keeper], changed: Callable[[], None] = lambda: None
) -> Handlers:
    """What can be asked of the gateways' states by name. `keeper_of` a serial holds that gateway's state.

    `changed` is called when something waits for delivery anew.
    """

    async def states(given: Mapping[str, Json]) -> Json:
        return {
            gateway: dict(await store.call(Store.read_state, gateway))
            for gateway in await store.call(Store.list_gateways)
        }

    async def day_rows(given: Mapping[str, Json]) -> Json:
        rows = ROWS.validate_python(given["rows"])
        await store.call(Store.put, Commit(gateway=str(given["gateway"]), tick=0, daily=tuple(rows)))
        changed()
        return len(rows)

    async def join(given: Mapping[str, Json]) -> Json:
        gateway, past = str(given["gateway"]), load_state(_PARTS.validate_python(given["parts"]), {})
        keeper = keeper_of(gateway)
        again = given.get("again")
        dates = frozenset(str(day) for day in again) if isinstance(again, list) else frozenset()
        count = 0

        def change(live: GatewayState) -> tuple[GatewayState, Sequence[DayRow]]:
            nonlocal count
            if dates:
                state, rows = recompute_days(live, past, gateway, dates)
            else:
                state, rows = restore_past(live, past, gateway, keeper.site)
            count = len(rows)
            return state, rows

        await keeper.amend(change)
        changed()
        return count

    return {"states": states, "day_rows": day_rows, "join": join}
