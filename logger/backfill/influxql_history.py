"""Reads recorded data from InfluxDB 1.x or 3.x by InfluxQL over HTTP."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from logger.backfill.history import Point
from logger.clock import Clock
from logger.errors import InfluxError, InfluxMissingError, InfluxRefusedError
from logger.influx.dialects import Target
from logger.influx.queries import Series, parse_answer, quote_name, quote_text
from logger.log import mask
from logger.model import Role, Value
from logger.wire import Wire

_TIMEOUT_S: Final = 120.0
_MOST_BYTES: Final = 256 * 1024 * 1024
_READ_HINT: Final = "set INFLUXDB_READ_TOKEN_FILE to a file with a token that may read the bucket."
_USER_HINT: Final = (
    "set INFLUXDB_USERNAME and INFLUXDB_PASSWORD_FILE in the environment of this command, for a user who may read; "
    "envoy-logger setup --backfill-token-file FILE makes such a user."
)
"""The hint names another user, because a right to read would replace the recorder's own right to write."""
_NO_TOKENS_HINT: Final = f"remove INFLUXDB_READ_TOKEN, because InfluxDB 1.x has no tokens; then {_USER_HINT}"
_FILES_HINT: Final = (
    "start InfluxDB with a higher --query-file-limit, then run the command again. "
    "InfluxDB 3 Core writes a file for each ten minutes, and by default reads at most 432 files."
)
_ANY_HINT: Final = "read InfluxDB's own log, then run the command again."


class InfluxqlHistory:
    """Reads recorded data from one InfluxDB 1.x or 3.x. `has_users`: the server is a 1.x, which has no tokens."""

    def __init__(self, target: Target, clock: Clock, *, has_users: bool) -> None:
        self._target, self._has_users = target, has_users
        self._wire = Wire(target.url, clock, use_proxy=True, max_bytes=_MOST_BYTES)

    async def read_points(
        self, role: Role, measurement: str, gateway: str, since: int, until: int, fields: Sequence[str] = ()
    ) -> list[Point]:
        """Return a gateway's points in order of time, from `since` up to but not including `until`."""
        columns = ", ".join(quote_name(field) for field in fields) or "*"
        found = await self._query(
            role,
            f"SELECT {columns} FROM {self._source(role, measurement)} "
            f"WHERE gateway = {quote_text(gateway)} AND time >= {since}s AND time < {until}s GROUP BY *",
        )
        floats = await self._list_floats(role, measurement)
        points = [point for series in found for point in _points_of(series, floats)]
        return sorted(points, key=lambda point: point.time)

    async def list_gateways(self, role: Role, measurement: str) -> list[str]:
        """Return the serials of the gateways that have points of a measurement."""
        found = await self._query(
            role, f"SHOW TAG VALUES FROM {self._source(role, measurement)} WITH KEY = gateway WHERE time >= 0s"
        )
        return sorted({str(value) for series in found for _, value in series.values})

    async def find_span(self, role: Role, measurement: str, gateway: str, until: int) -> tuple[int, int] | None:
        """Return the times of a gateway's first and last point before `until`; None without points."""
        times: list[int] = []
        for order in ("ASC", "DESC"):
            found = await self._query(
                role,
                f"SELECT * FROM {self._source(role, measurement)} WHERE gateway = {quote_text(gateway)} "
                f"AND time < {until}s ORDER BY time {order} LIMIT 1",
            )
            times += [row[0] for series in found for row in series.values if isinstance(row[0], int)]
        return (min(times), max(times)) if times else None

    async def aclose(self) -> None:
        """Close all connections."""
        await self._wire.aclose()

    async def _list_floats(self, role: Role, measurement: str) -> set[str]:
        """List the names of the float fields.

        InfluxDB sends a float without decimals as an integer, so an answer does not contain the type of a value.
        """
        found = await self._query(role, f"SHOW FIELD KEYS FROM {self._source(role, measurement)}")
        return {str(name) for series in found for name, kind in series.values if kind == "float"}

    def _source(self, role: Role, measurement: str) -> str:
        _, _, policy = self._target.buckets[role].partition("/")
        return f"{quote_name(policy)}.{quote_name(measurement)}" if policy else quote_name(measurement)

    async def _query(self, role: Role, query: str) -> Sequence[Series]:
        """Run a query. Return the series of the answer; empty if InfluxDB has no data of the measurement."""
        bucket = self._target.buckets[role]
        answer = await self._wire.request(
            "GET",
            "/query",
            params={"db": bucket.partition("/")[0], "q": query, "epoch": "s"},
            headers=self._target.token_header("Token"),
            auth=self._target.basic_auth,
            timeout_s=_TIMEOUT_S,
        )
        series, error = parse_answer(answer)
        if not error:
            return series
        where, reason = f"InfluxDB at {self._wire.host}", mask(error)[:200]
        if answer.status in (401, 403) and self._target.token:
            hint = _NO_TOKENS_HINT if self._has_users else _READ_HINT
            raise InfluxRefusedError(f"{where} does not let this token read {bucket!r}: {reason}", hint)
        if answer.status in (401, 403) or "not authorized" in error:
            hint = _USER_HINT if self._has_users else _READ_HINT
            raise InfluxRefusedError(f"{where} does not let this user read {bucket!r}: {reason}", hint)
        if "not found" in error:
            raise InfluxMissingError(
                f"{where} has no bucket {bucket!r}: {reason}",
                "check INFLUXDB_BUCKET, INFLUXDB_BUCKET_DEVICES and INFLUXDB_BUCKET_DAILY.",
            )
        raise InfluxError(
            f"{where} does not answer a query: {reason}", _FILES_HINT if "file limit" in error else _ANY_HINT
        )


def _points_of(series: Series, floats: set[str]) -> list[Point]:
    tags = {key: value for key, value in series.tags.items() if value}
    points = []
    for row in series.values:
        cells = dict(zip(series.columns, row, strict=True))
        at = cells.pop("time")
        fields: dict[str, Value] = {
            name: float(cell) if name in floats else cell for name, cell in cells.items() if cell is not None
        }
        if isinstance(at, int) and fields:
            points.append(Point(at, tags, fields))
    return points
