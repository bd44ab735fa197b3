"""Recent numbers: a few a tick, for eight days, for whoever draws a curve or prints a status."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping

KEPT_S = 8 * 86400


def add(connection: sqlite3.Connection, gateway: str, tick: int, numbers: Mapping[str, float]) -> None:
    """Remember the numbers of a tick."""
    if numbers:
        connection.execute(
            "INSERT OR REPLACE INTO recent (gateway, tick, numbers) VALUES (?, ?, ?)",
            (gateway, tick, json.dumps(dict(numbers), separators=(",", ":"), allow_nan=False)),
        )


def read(connection: sqlite3.Connection, gateway: str, since: int) -> list[tuple[int, dict[str, float]]]:
    """The numbers of the ticks from `since` on, oldest first."""
    return [
        (tick, json.loads(text))
        for tick, text in connection.execute(
            "SELECT tick, numbers FROM recent WHERE gateway = ? AND tick >= ? ORDER BY tick", (gateway, since)
        )
    ]


def purge(connection: sqlite3.Connection, before: int) -> int:
    """Forget ticks before that one; how many it were."""
    return connection.execute("DELETE FROM recent WHERE tick < ?", (before,)).rowcount
