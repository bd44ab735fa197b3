"""Read the stored lines of a role, delivered or not, page by page."""

from __future__ import annotations

import sqlite3
from typing import Final

from logger.model import Role
from logger.store import daily_rows, outbox_rows
from logger.store.store_file import STEP

_PAGE_BYTES: Final = 256 * 1024
"""The size of one page of lines, in compressed bytes."""
_HOURS: Final = 2**48
"""The number that is added to the ids of hours, so that the hours of the role `daily` follow the daily rows."""


def read(
    connection: sqlite3.Connection, role: Role, since: int, until: int, after: int
) -> tuple[list[bytes], int | None]:
    """Read one page of lines of the ticks from `since` to before `until`, in unix seconds.

    Returns the lines, and the value of `after` for the next page (None at the end). For the role `daily`, the
    daily rows of all days come first, and the hours follow.
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
