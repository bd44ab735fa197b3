"""Read the lines of a role that the store keeps, delivered or not, in pages."""

from __future__ import annotations

import sqlite3
from typing import Final

from logger.model import Role
from logger.store import daily_rows, outbox_rows
from logger.store.store_file import STEP

_PAGE_BYTES: Final = 256 * 1024
"""Compressed bytes of one page of lines."""
_HOURS: Final = 2**48
"""Among the lines of the role `daily`, the hours follow the daily rows: this is added to their ids."""


def read(
    connection: sqlite3.Connection, role: Role, since: int, until: int, after: int
) -> tuple[list[bytes], int | None]:
    """Read one page of lines of ticks from `since` to before `until`, both in unix seconds.

    Returns also the id to continue from as `after`; None at the end. Daily rows are read whatever their day, and
    before the hours.
    """
    if role != "daily":
        return outbox_rows.read_lines(connection, role, since, until, after, _PAGE_BYTES)
    rows: list[bytes] = []
    if after < _HOURS:
        rows, following = daily_rows.read_lines(connection, after, STEP)
        if following is not None:
            return rows, following
        after = _HOURS
    hours, following = outbox_rows.read_lines(connection, role, since, until, after - _HOURS, _PAGE_BYTES)
    return [*rows, *hours], None if following is None else _HOURS + following
