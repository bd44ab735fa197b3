"""Make the commit of a tick for the store: batches of points, the changed parts of the state, and day rows."""

from __future__ import annotations

import gzip
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Final

from logger.daemon.gateway_state import GatewayState, dump_state
from logger.daemon.tick import TickResult
from logger.influx.line_protocol import encode
from logger.model import ROLES, DayRow, Reading
from logger.store.records import Batch, Commit, DailyRow

_LEVEL: Final = 6


def pack(readings: Sequence[Reading]) -> tuple[Batch, ...]:
    """Make one batch of compressed line protocol for each role that has readings."""
    found = []
    for role in ROLES:
        mine = [reading for reading in readings if reading.role == role]
        if mine:
            found.append(Batch(role, len(mine), gzip.compress(encode(mine), _LEVEL, mtime=0)))
    return tuple(found)


def make_daily_rows(rows: Iterable[DayRow]) -> tuple[DailyRow, ...]:
    """Convert day rows to rows of the store. `series` holds the sorted tags as text, and `line` has no newline."""
    return tuple(
        DailyRow(
            row.reading.measurement,
            ",".join(f"{key}={row.reading.tags[key]}" for key in sorted(row.reading.tags)),
            row.day,
            encode([row.reading]).rstrip(b"\n"),
            row.final,
        )
        for row in rows
    )


def compare(stored: Mapping[str, str], text: Mapping[str, str]) -> dict[str, str | None]:
    """Return the new and the changed parts of a state, and None for each stored part that the new state lacks.

    `stored`: the parts in the store. `text`: the parts of the new state.
    """
    return {key: value for key, value in text.items() if stored.get(key) != value} | dict.fromkeys(
        stored.keys() - text.keys()
    )


def make_commit(
    gateway: str,
    tick: int,
    readings: Sequence[Reading],
    result: TickResult,
    stored: Mapping[str, str],
    before: GatewayState | None = None,
) -> tuple[Commit, dict[str, str]]:
    """Make the commit of one tick. Return the commit and the state's new parts.

    `stored`: the parts in the store. `readings`: all points of the tick, with the points about the recorder.
    `before`: the state that was converted to `stored`; None if `stored` was read from the store.
    """
    commit, parts = make_amendment(gateway, result.state, result.daily, stored, before)
    batches, reports = pack(readings), tuple(result.new_reports)
    return replace(commit, tick=tick, batches=batches, reports=reports, recent=result.recent), parts


def make_amendment(
    gateway: str,
    state: GatewayState,
    rows: Iterable[DayRow],
    stored: Mapping[str, str],
    before: GatewayState | None = None,
) -> tuple[Commit, dict[str, str]]:
    """Make the commit of a state change outside of ticks. Return the commit and the state's new parts.

    `rows`: the day rows that changed. `stored` and `before`: as for `make_commit`.
    """
    parts, daily = dump_state(state, before, stored), make_daily_rows(rows)
    return Commit(gateway, state.energy.last_tick, state=compare(stored, parts), daily=daily), parts
