"""Read the points that a query needs, from the recorder's own store or from InfluxDB."""

from __future__ import annotations

from collections.abc import Sequence

from logger.backfill.history import History, Point
from logger.control.api import Ask
from logger.control.pages import read_stored_lines
from logger.daemon.amend import StateApi
from logger.daemon.gateway_state import load_state
from logger.energy.state import EnergyState
from logger.influx.read_back import read_back
from logger.query.named_query import Need, Rows


async def read_store(ask: Ask, needs: Sequence[Need], gateway: str, since: int, until: int) -> Rows:
    """Read the points of a query from the store.

    The store has all daily rows. It has other points only for the number of days that LOGGER_KEEP_DAYS sets.
    """
    fields = {need.measurement: frozenset(need.fields) for need in needs}
    begins = {need.measurement: need.find_begin(since, until) for need in needs}
    found: dict[str, list[Point]] = {name: [] for name in fields}
    for role in dict.fromkeys(need.role for need in needs):
        first = min(begins[need.measurement] for need in needs if need.role == role)
        async for line in read_stored_lines(ask, role, first, until):
            if line.partition(b",")[0].decode() not in fields:
                continue
            reading = read_back(line.decode("utf-8", "replace"), role)
            if reading.time < begins[reading.measurement]:
                continue
            if reading.tags.get("gateway") == gateway and reading.fields.keys() & fields[reading.measurement]:
                found[reading.measurement].append(Point(reading.time, reading.tags, reading.fields))
    return Rows({name: sorted(points, key=lambda point: point.time) for name, points in found.items()})


async def read_influxdb(history: History, needs: Sequence[Need], gateway: str, since: int, until: int) -> Rows:
    """Read the points of a query from InfluxDB."""
    found: dict[str, list[Point]] = {}
    for need in needs:
        found[need.measurement] = await history.read_points(
            need.role, need.measurement, gateway, need.find_begin(since, until), until, need.fields
        )
    return Rows(found)


async def read_energy_states(ask: Ask) -> dict[str, EnergyState]:
    """Request the energy state of each gateway from the store. Return the states by serial."""
    states = await ask(StateApi.read_states)
    return {gateway: load_state(states[gateway], {}).energy for gateway in sorted(states)}
