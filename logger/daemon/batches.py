"""Make what the store keeps of a tick: its points in batches, the parts of the state that changed, its day rows."""

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
    """Make one batch of line protocol for each role that has readings."""
    found = []
    for role in ROLES:
        mine = [reading for reading in readings if reading.role == role]
        if mine:
            found.append(Batch(role, len(mine), gzip.compress(encode(mine), _LEVEL, mtime=0)))
    return tuple(found)


def make_daily_rows(rows: Iterable[DayRow]) -> tuple[DailyRow, ...]:
    """Rows of days as the store keeps them: the series by its tags, the line without its newline."""
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
    """Compare a state's parts: those that are new or changed, and None for those that are gone."""
    return {key: value for key, value in text.items() if stored.get(key) != value} | dict.fromkeys(
        stored.keys() - text.keys()
    )


def make_commit(
    gateway: str, tick: int, readings: Sequence[Reading], result: TickResult, stored: Mapping[str, str]
) -> tuple[Commit, dict[str, str]]:
    """The commit of one tick, and the state's parts once it is stored; `stored` are those before it.

    `readings` are all points of the tick, those of the recorder itself among them.
    """
    commit, parts = make_amendment(gateway, result.state, result.daily, stored)
    batches, reports = pack(readings), tuple(result.new_reports)
    return replace(commit, tick=tick, batches=batches, reports=reports, recent=result.recent), parts


def make_amendment(
    gateway: str, state: GatewayState, rows: Iterable[DayRow], stored: Mapping[str, str]
) -> tuple[Commit, dict[str, str]]:
    """The commit of a change of the state that belongs to no tick, and the state's parts once it is stored."""
    parts, daily = dump_state(state), make_daily_rows(rows)
    return Commit(gateway, state.energy.last_tick, state=compare(stored, parts), daily=daily), parts
