"""Read and change the table `outbox`: one row for each tick and role, deleted some days after its delivery."""

from __future__ import annotations

import json
import sqlite3
import zlib
from collections.abc import Collection, Container, Iterable
from dataclasses import dataclass
from typing import Final

from logger.model import ROLES, Role
from logger.store.records import Batch, Lease, Sent

_EVER: Final = 2**62
_LEFT: Final = "id IN (SELECT value FROM json_each(?)) AND delivered_at IS NULL"


@dataclass(frozen=True, slots=True)
class Dropped:
    """The number of rows that were dropped undelivered, and their oldest and newest tick."""

    rows: int
    lines: int
    oldest_tick: int
    newest_tick: int


def insert(connection: sqlite3.Connection, gateway: str, tick: int, batches: Iterable[Batch]) -> tuple[Lease, ...]:
    """Add one row for each batch, to wait for delivery. Return a lease of each row."""
    leases = []
    for batch in batches:
        lines, body = batch.lines, batch.body
        inserted = connection.execute(
            "INSERT INTO outbox (gateway, role, tick, lines, size, crc, body) VALUES (?, ?, ?, ?, ?, ?, ?)",
            (gateway, batch.role, tick, lines, len(body), compute_crc(gateway, tick, lines, body), body),
        )
        leases.append(Lease((inserted.lastrowid or 0,), gateway, batch.role, (body,), lines, tick, tick))
    return tuple(leases)


def compute_crc(gateway: str, tick: int, lines: int, body: bytes) -> int:
    """Return the CRC-32 of a row, a checksum that shows damage on the disk before the row is sent."""
    return zlib.crc32(body, zlib.crc32(f"{gateway} {tick} {lines} ".encode()))


def count_stored(connection: sqlite3.Connection, batches: Iterable[Batch]) -> None:
    """Add the rows and lines of `batches` to the numbers of rows and lines ever stored."""
    connection.executemany(
        "UPDATE tally SET stored_rows = stored_rows + 1, stored_lines = stored_lines + ? WHERE role = ?",
        [(batch.lines, batch.role) for batch in batches],
    )


def lease(
    connection: sqlite3.Connection,
    role: Role,
    *,
    newest: bool,
    max_lines: int,
    max_bytes: int,
    without: Container[int] = (),
    after: tuple[int, int] = (0, 0),
) -> tuple[Lease | None, dict[int, str]]:
    """Lease rows of one gateway for one delivery.

    Return the lease, and row id → fault for each damaged row. The lease has at least one row, however large, and
    further rows within the limits. `newest`: only rows of the newest tick. `without`: ids of rows that count as
    delivered. `after`: only rows after this tick and id. Each body is unpacked to find damage, for two reasons.
    InfluxDB 2 answers 500 to a damaged body each time. A server that parses a body while unpacking it would store
    half a line as a wrong point.
    """
    order = "DESC" if newest else "ASC"
    query = (
        "SELECT gateway, tick, id, lines, crc, body FROM outbox "
        f"WHERE role = ? AND delivered_at IS NULL AND (tick, id) > (?, ?) ORDER BY tick {order}, id {order}"
    )
    damaged: dict[int, str] = {}
    taken: list[tuple[int, int, int, bytes]] = []
    gateway, is_all = "", True
    total_lines = total_bytes = 0
    cursor = connection.execute(query, (role, *after))
    try:
        for owner, tick, row_id, lines, crc, body in cursor:
            if row_id in without:
                continue
            if fault := _find_fault(owner, tick, lines, crc, body):
                damaged[row_id] = fault
                continue
            if taken and newest and tick != taken[0][0]:
                is_all = False
                break
            if taken and (total_lines + lines > max_lines or total_bytes + len(body) > max_bytes):
                is_all = False
                break
            is_all = is_all and (not taken or owner == gateway)
            if not taken or owner == gateway:
                gateway = owner
                taken.append((tick, row_id, lines, body))
                total_lines += lines
                total_bytes += len(body)
    finally:
        cursor.close()
    if not taken:
        return None, damaged
    taken.sort(key=lambda row: row[:2])
    return Lease(
        ids=tuple(row[1] for row in taken),
        gateway=gateway,
        role=role,
        batches=tuple(row[3] for row in taken),
        lines=total_lines,
        oldest_tick=taken[0][0],
        newest_tick=taken[-1][0],
        is_all=is_all,
    ), damaged


def _find_fault(gateway: str, tick: int, lines: int, crc: int, body: object) -> str:
    """Return the fault of a row in words; empty for an undamaged row."""
    if not isinstance(body, bytes) or compute_crc(gateway, tick, lines, body) != crc:
        return "damaged on the disk"
    try:
        unpack(body)
    except ValueError as error:
        return f"the stored batch is damaged: {error}"
    return ""


def find_oldest_tick(connection: sqlite3.Connection, role: Role, without: Container[int]) -> int | None:
    """Return the oldest tick of the waiting rows; None if no row waits. Rows with an id in `without` are ignored."""
    for row_id, tick in connection.execute(
        "SELECT id, tick FROM outbox WHERE role = ? AND delivered_at IS NULL ORDER BY tick, id", (role,)
    ):
        if row_id not in without:
            return int(tick)
    return None


def deliver(
    connection: sqlite3.Connection, role: Role, ids: Collection[int], refused_lines: int, at: int | None
) -> None:
    """Mark rows as delivered at the unix second `at`. If `at` is None, delete these rows instead.

    Count the rows and their lines as delivered, except the refused lines. `refused_lines`: the number of lines that
    InfluxDB refused. A row that was already marked is not counted again.
    """
    among = json.dumps(list(ids))
    rows, lines, _ = count_waiting(connection, ids)
    if at is None:
        connection.execute(f"DELETE FROM outbox WHERE {_LEFT}", (among,))
    else:
        connection.execute(f"UPDATE outbox SET delivered_at = ? WHERE {_LEFT}", (at, among))
    connection.execute(
        "UPDATE tally SET delivered_rows = delivered_rows + ?, delivered_lines = delivered_lines + ? WHERE role = ?",
        (rows, max(0, lines - refused_lines), role),
    )


def count_waiting(connection: sqlite3.Connection, ids: Iterable[int]) -> tuple[int, int, int]:
    """Return how many of the rows with these ids wait for delivery, and the sums of their lines and bytes."""
    rows, lines, size = connection.execute(
        f"SELECT count(*), coalesce(sum(lines), 0), coalesce(sum(size), 0) FROM outbox WHERE {_LEFT}",
        (json.dumps(list(ids)),),
    ).fetchone()
    return rows, lines, size


def find_last_sent(connection: sqlite3.Connection) -> tuple[int, int]:
    """Return the delivery time (unix seconds) and id of the row delivered last; (0, 0) without deliveries."""
    row = connection.execute(
        "SELECT delivered_at, id FROM outbox WHERE delivered_at IS NOT NULL "
        "ORDER BY delivered_at DESC, id DESC LIMIT 1"
    ).fetchone()
    return (row[0], row[1]) if row else (0, 0)


def read_sent(
    connection: sqlite3.Connection,
    role: Role,
    after: tuple[int, int],
    until: tuple[int, int],
    max_lines: int,
    max_bytes: int,
) -> Sent | None:
    """Read undamaged delivered rows of a role in order of delivery. Return None if there are no more rows.

    `after`: the last row that was already read. `until`: the last row to read. Both rows are given as delivery time
    in unix seconds and id.
    """
    batches: list[bytes] = []
    total_lines = total_bytes = 0
    for at, row_id, gateway, tick, lines, crc, body in connection.execute(
        "SELECT delivered_at, id, gateway, tick, lines, crc, body FROM outbox WHERE delivered_at >= ? "
        "AND (delivered_at, id) > (?, ?) AND (delivered_at, id) <= (?, ?) AND role = ? ORDER BY delivered_at, id",
        (after[0], *after, *until, role),
    ):
        if batches and (total_lines + lines > max_lines or total_bytes + len(body) > max_bytes):
            break
        after = at, row_id
        if not _find_fault(gateway, tick, lines, crc, body):
            batches.append(body)
            total_lines += lines
            total_bytes += len(body)
    return Sent(tuple(batches), total_lines, after) if batches else None


def purge(connection: sqlite3.Connection, before: int | None, limit: int) -> int:
    """Delete up to `limit` delivered rows, the earliest first.

    If `before` is given, delete only rows that were delivered at or before this unix second.
    """
    return connection.execute(
        "DELETE FROM outbox WHERE id IN (SELECT id FROM outbox WHERE delivered_at IS NOT NULL "
        "AND delivered_at <= ? ORDER BY delivered_at LIMIT ?)",
        (before if before is not None else _EVER, limit),
    ).rowcount


def drop_oldest(connection: sqlite3.Connection, limit: int) -> Dropped | None:
    """Delete up to `limit` undelivered rows, the oldest first, and count these rows as dropped.

    Return what was dropped; None if no row was undelivered.
    """
    rows: list[tuple[int, int, int, str]] = []
    for role in ROLES:
        rows += connection.execute(
            "SELECT tick, id, lines, role FROM outbox WHERE role = ? AND delivered_at IS NULL "
            "ORDER BY tick, id LIMIT ?",
            (role, limit),
        ).fetchall()
    rows = sorted(rows)[:limit]
    if not rows:
        return None
    connection.executemany("DELETE FROM outbox WHERE id = ?", [(row[1],) for row in rows])
    connection.executemany(
        "UPDATE tally SET dropped_rows = dropped_rows + 1, dropped_lines = dropped_lines + ? WHERE role = ?",
        [(row[2], row[3]) for row in rows],
    )
    return Dropped(len(rows), sum(row[2] for row in rows), rows[0][0], rows[-1][0])


def replay(connection: sqlite3.Connection, since: int, after: int, limit: int) -> tuple[int, int | None]:
    """Let delivered rows wait for delivery again: at most `limit` rows, in the order of their ids.

    Only rows with ids greater than `after` are chosen. Rows of ticks before `since` (unix seconds) are left out.
    Returns the number of rows, and the last id, from which to continue (None at the end).
    """
    ids = connection.execute(
        "SELECT id FROM outbox WHERE id > ? AND delivered_at IS NOT NULL AND tick >= ? ORDER BY id LIMIT ?",
        (after, since, limit),
    ).fetchall()
    connection.executemany("UPDATE outbox SET delivered_at = NULL WHERE id = ?", ids)
    return len(ids), ids[-1][0] if len(ids) == limit else None


def read_lines(
    connection: sqlite3.Connection, role: Role, since: int, until: int, after: int, max_bytes: int
) -> tuple[list[bytes], int | None]:
    """Read the lines of some rows with ids greater than `after`; their bodies have at most `max_bytes` in all.

    A larger body is read alone. The tick of each row is at least `since` and before `until` (unix seconds). Returns
    the lines, and the value of `after` for the next call (None at the end).
    """
    lines: list[bytes] = []
    size = 0
    for row_id, body in connection.execute(
        "SELECT id, body FROM outbox WHERE id > ? AND role = ? AND tick >= ? AND tick < ? ORDER BY id",
        (after, role, since, until),
    ):
        if size and size + len(body) > max_bytes:
            return lines, after
        lines += _unpack_lines(body)
        size += len(body)
        after = row_id
    return lines, None


def _unpack_lines(body: bytes) -> list[bytes]:
    """Return the lines of a packed body, without their newlines; no lines if the body cannot be read."""
    try:
        return unpack(body).removesuffix(b"\n").split(b"\n")
    except ValueError:
        return []


def unpack(body: bytes) -> bytes:
    """Return the unpacked body, checked as strictly as a server checks it. Raises ValueError that names the fault."""
    parts, rest = [], body
    while rest:
        unzip = zlib.decompressobj(31)
        try:
            parts.append(unzip.decompress(rest))
        except zlib.error as error:
            raise ValueError(str(error)) from error
        if not unzip.eof:
            raise ValueError("the end of the body is missing")
        rest = unzip.unused_data
    lines = b"".join(parts)
    if not lines:
        raise ValueError("the body is empty")
    if not lines.endswith(b"\n"):
        raise ValueError("the last line is cut")
    return lines
