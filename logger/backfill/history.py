"""Reads back what was written, for commands alone: InfluxQL on 1.x, Flux on 2.x. The daemon never reads InfluxDB.

A database that cannot be read is never taken for one that holds nothing: a write-only token, a missing bucket and a
user without rights are errors, each named as what it is.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, Protocol
from urllib.parse import urlsplit

from logger.clock import Clock
from logger.errors import (
    BrokenError,
    InfluxError,
    InfluxMissingError,
    InfluxRefusedError,
    TimedOutError,
    UnreachableError,
)
from logger.influx.classify import Done
from logger.influx.dialects import Target, authorisation, basic
from logger.influx.write import Writer
from logger.log import masked
from logger.model import Json, Role, Value
from logger.proxies import proxy_for
from logger.wire import Wire

QUERY_TIMEOUT_S: Final = 120.0
_MOST_BYTES: Final = 256 * 1024 * 1024
READ_HINT: Final = "give a token that may read it in INFLUXDB_READ_TOKEN_FILE, or with --read-token-file."


@dataclass(frozen=True, slots=True)
class Point:
    """One point as it lies in the database; `time` in unix seconds."""

    time: int
    tags: Mapping[str, str]
    fields: Mapping[str, Value]


class History(Protocol):
    """What was written to one database."""

    async def points(
        self, role: Role, measurement: str, gateway: str, since: int, until: int, fields: Sequence[str] = ()
    ) -> list[Point]:
        """The points of one gateway from `since` to before `until`, by time; all fields, or those named.

        Raises InfluxError and its kinds where that cannot be read, WireError without an answer.
        """
        ...

    async def gateways(self, role: Role, measurement: str) -> list[str]:
        """The gateways that have points of a measurement."""
        ...

    async def span(self, role: Role, measurement: str, gateway: str, until: int) -> tuple[int, int] | None:
        """The times of the earliest and the latest point of a gateway before `until`, or None if it has none."""
        ...

    async def aclose(self) -> None:
        """Close all connections."""
        ...


async def open_history(target: Target, clock: Clock) -> History:
    """The way to read this database, in the dialect that is set or that it turns out to speak.

    `target` carries the credentials to read with. Every bucket is tried: raises InfluxRefusedError or
    InfluxMissingError for one that cannot be read, InfluxError for a server that this cannot read.
    """
    writer = Writer(target, clock)
    try:
        dialect = await writer.dialect()
    finally:
        await writer.aclose()
    history: _OfVersion1 | _OfVersion2
    match dialect:
        case "1":
            history = _OfVersion1(target, clock)
        case "2":
            history = _OfVersion2(target, clock)
        case "3":
            raise InfluxError(
                f"{writer.host} is an InfluxDB 3, which this version cannot read back",
                "read its data with SQL; the recorder goes on with its new books.",
            )
    try:
        for role in dict.fromkeys(target.buckets):
            await history.span(role, "envoy_totals", "", 1)
    except BaseException:
        await history.aclose()
        raise
    return history


# --- InfluxDB 1.x -------------------------------------------------------------------------------------------------


class _OfVersion1:
    """InfluxQL over HTTP."""

    def __init__(self, target: Target, clock: Clock) -> None:
        self._target = target
        self._wire = Wire(target.url, clock, use_proxy=True, max_bytes=_MOST_BYTES)

    async def points(
        self, role: Role, measurement: str, gateway: str, since: int, until: int, fields: Sequence[str] = ()
    ) -> list[Point]:
        """See History."""
        columns = ", ".join(_name(field) for field in fields) or "*"
        series = await self._ask(
            role,
            f"SELECT {columns} FROM {self._source(role, measurement)} "
            f"WHERE gateway = {_text(gateway)} AND time >= {since}s AND time < {until}s GROUP BY *",
        )
        types = await self._types(role, measurement)
        found = []
        for one in series:
            tags = {key: str(value) for key, value in _object(one.get("tags")).items() if value != ""}
            names = [str(name) for name in _list(one.get("columns"))]
            for row in _list(one.get("values")):
                cells = dict(zip(names, _list(row), strict=True))
                at = cells.pop("time")
                values = {
                    name: float(cell) if isinstance(cell, int) and types.get(name) == "float" else cell
                    for name, cell in cells.items()
                    if isinstance(cell, (str, int, float))
                }
                if isinstance(at, int) and values:
                    found.append(Point(at, tags, values))
        return _by_time(found)

    async def gateways(self, role: Role, measurement: str) -> list[str]:
        """See History."""
        series = await self._ask(role, f"SHOW TAG VALUES FROM {self._source(role, measurement)} WITH KEY = gateway")
        return sorted({str(_list(row)[1]) for one in series for row in _list(one.get("values"))})

    async def span(self, role: Role, measurement: str, gateway: str, until: int) -> tuple[int, int] | None:
        """See History."""
        first, last = [await self._end(role, measurement, gateway, until, order) for order in ("ASC", "DESC")]
        return None if first is None or last is None else (first, last)

    async def _end(self, role: Role, measurement: str, gateway: str, until: int, order: str) -> int | None:
        """The time of the first point in that order."""
        series = await self._ask(
            role,
            f"SELECT * FROM {self._source(role, measurement)} WHERE gateway = {_text(gateway)} "
            f"AND time < {until}s ORDER BY time {order} LIMIT 1",
        )
        for one in series:
            for row in _list(one.get("values")):
                at = _list(row)[0]
                if isinstance(at, int):
                    return at
        return None

    async def aclose(self) -> None:
        """Close all connections."""
        await self._wire.aclose()

    async def _types(self, role: Role, measurement: str) -> dict[str, str]:
        """Kinds of the fields: a float that is whole comes as an integer."""
        found = {}
        for one in await self._ask(role, f"SHOW FIELD KEYS FROM {self._source(role, measurement)}"):
            for row in _list(one.get("values")):
                name, kind = _list(row)
                found[str(name)] = str(kind)
        return found

    def _source(self, role: Role, measurement: str) -> str:
        _, _, policy = self._target.buckets[role].partition("/")
        return f"{_name(policy)}.{_name(measurement)}" if policy else _name(measurement)

    async def _ask(self, role: Role, query: str) -> list[Mapping[str, Json]]:
        """The series that answer a query; none where nothing was ever written."""
        bucket = self._target.buckets[role]
        answer = await self._wire.request(
            "GET",
            "/query",
            params={"db": bucket.partition("/")[0], "q": query, "epoch": "s"},
            headers=authorisation(self._target, "Token"),
            auth=basic(self._target),
            timeout_s=QUERY_TIMEOUT_S,
        )
        said = ""
        try:
            parsed: Json = json.loads(answer.body)
        except (ValueError, RecursionError):
            parsed = None
        body = _object(parsed)
        results = [_object(item) for item in _list(body.get("results", []))]
        for part in (body, *results):
            said = said or str(part.get("error") or "")
        if answer.status == 200 and not said and results:
            return [_object(item) for item in _list(results[0].get("series", []))]
        where = f"InfluxDB at {self._wire.host}"
        said, plain = masked(said or f"HTTP {answer.status}")[:200], said
        if answer.status in (401, 403) or "not authorized" in plain:
            raise InfluxRefusedError(
                f"{where} does not let this user read {bucket!r}: {said}",
                f"GRANT READ ON {_name(bucket.partition('/')[0])} to a user and give it as INFLUXDB_USERNAME.",
            )
        if "not found" in plain:
            raise InfluxMissingError(
                f"{where} has no bucket {bucket!r}: {said}", "check INFLUXDB_BUCKET and its kin."
            )
        raise InfluxError(f"{where} does not answer a query: {said}", "see InfluxDB's own log, then run it again.")


# --- InfluxDB 2.x -------------------------------------------------------------------------------------------------


class _OfVersion2:
    """Flux through influxdb-client, on a thread of its own while it waits."""

    def __init__(self, target: Target, clock: Clock) -> None:
        from influxdb_client import InfluxDBClient

        authorisation(target, "Token")  # one that cannot be sent is named before anything is
        self._target, self._clock = target, clock
        self._client = InfluxDBClient(
            url=target.url,
            token=target.token,
            org=target.org,
            timeout=int(QUERY_TIMEOUT_S * 1000),
            proxy=proxy_for(target.url),
        )

    async def points(
        self, role: Role, measurement: str, gateway: str, since: int, until: int, fields: Sequence[str] = ()
    ) -> list[Point]:
        """See History."""
        chosen = " or ".join(f"r._field == {_text2(field)}" for field in fields)
        records = await self._ask(
            role,
            f"range(start: time(v: {since * 10**9}), stop: time(v: {until * 10**9})) "
            f"|> filter(fn: (r) => r._measurement == {_text2(measurement)} and r.gateway == {_text2(gateway)}"
            + (f" and ({chosen}))" if chosen else ")"),
        )
        merged: dict[tuple[int, tuple[tuple[str, str], ...]], dict[str, Value]] = {}
        for record in records:
            tags = tuple(
                sorted(
                    (key, str(value))
                    for key, value in record.values.items()
                    if not key.startswith("_") and key not in ("result", "table") and value not in (None, "")
                )
            )
            at = int(record.get_time().timestamp())
            merged.setdefault((at, tags), {})[str(record.get_field())] = record.get_value()
        return _by_time([Point(at, dict(tags), values) for (at, tags), values in merged.items()])

    async def gateways(self, role: Role, measurement: str) -> list[str]:
        """See History."""
        records = await self._ask(
            role,
            f"range(start: 0) |> filter(fn: (r) => r._measurement == {_text2(measurement)}) "
            '|> keep(columns: ["gateway"]) |> distinct(column: "gateway")',
        )
        return sorted({str(value) for record in records if (value := record.values.get("gateway"))})

    async def span(self, role: Role, measurement: str, gateway: str, until: int) -> tuple[int, int] | None:
        """See History."""
        times: list[int] = []
        for end in ("first", "last"):
            records = await self._ask(
                role,
                f"range(start: 0, stop: time(v: {until * 10**9})) "
                f"|> filter(fn: (r) => r._measurement == {_text2(measurement)} and "
                f'r.gateway == {_text2(gateway)}) |> {end}() |> keep(columns: ["_time"])',
            )
            times += [int(record.get_time().timestamp()) for record in records]
        return (min(times), max(times)) if times else None

    async def aclose(self) -> None:
        """Close all connections."""
        await asyncio.to_thread(self._client.close)

    async def _ask(self, role: Role, rest: str) -> list[Any]:
        """The records that answer `from(bucket) |> rest`."""
        from influxdb_client.rest import ApiException
        from urllib3.exceptions import HTTPError

        bucket = self._target.buckets[role]
        flux = f"from(bucket: {_text2(bucket)}) |> {rest}"

        def call() -> list[Any]:
            return list(self._client.query_api().query_stream(flux))

        host = urlsplit(self._target.url).netloc.rpartition("@")[2]
        try:
            return await asyncio.to_thread(call)
        except ApiException as error:
            body = error.body.decode("utf-8", "replace") if isinstance(error.body, bytes) else str(error.body or "")
            raise await self._refusal(error.status, body, role, host) from error
        except HTTPError as error:
            raise _outage(error, host) from error

    async def _refusal(self, status: int | None, body: str, role: Role, host: str) -> InfluxError:
        """What a refused query means. "Not found" is also what a token hears that may only write."""
        bucket = self._target.buckets[role]
        said = " ".join(masked(body).split())[:200]
        if status in (401, 403):
            return InfluxRefusedError(
                f"InfluxDB at {host} does not let this token read {bucket!r}: {said}", READ_HINT
            )
        if status == 404 and "could not find bucket" in body:
            if await self._may_write(role):
                return InfluxRefusedError(
                    f"the token may write to the bucket {bucket!r} at {host}, but not read it", READ_HINT
                )
            return InfluxMissingError(
                f"InfluxDB at {host} has no bucket {bucket!r}, or this token may not see it",
                f"check INFLUXDB_BUCKET and its kin, or {READ_HINT}",
            )
        if status in (400, 404) and "organization" in body:
            return InfluxMissingError(f"InfluxDB at {host}: {said}", "check INFLUXDB_ORG.")
        return InfluxError(
            f"{host} does not answer a Flux query: HTTP {status}: {said}",
            "check INFLUXDB_URL: only InfluxDB 1.x and 2.x can be read back.",
        )

    async def _may_write(self, role: Role) -> bool:
        """An empty write tells whether the bucket is there for this token, and stores nothing."""
        writer = Writer(replace(self._target, api="2"), self._clock)
        try:
            outcome = await writer.write(role, b"", gzipped=False)
        finally:
            await writer.aclose()
        return isinstance(outcome, Done)


def _outage(error: Exception, host: str) -> InfluxError | TimedOutError | UnreachableError | BrokenError:
    from urllib3.exceptions import NewConnectionError
    from urllib3.exceptions import TimeoutError as NoAnswerError

    cause = getattr(error, "reason", None) or error
    if isinstance(cause, NewConnectionError):
        return UnreachableError(f"{host} cannot be reached", "check that InfluxDB runs, and INFLUXDB_URL.")
    if isinstance(cause, NoAnswerError):
        return TimedOutError(f"{host} gave no answer in {QUERY_TIMEOUT_S:g} s", "run it again; it goes on.")
    return BrokenError(f"{host} broke the connection: {type(cause).__name__}", "run it again; it goes on.")


# --- small things -------------------------------------------------------------------------------------------------


def _by_time(points: Iterable[Point]) -> list[Point]:
    return sorted(points, key=lambda point: point.time)


def _name(text: str) -> str:
    """A name as InfluxQL quotes it."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _text(text: str) -> str:
    """A text as InfluxQL quotes it."""
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


def _text2(text: str) -> str:
    """A text as Flux quotes it; `${` would be filled in."""
    return json.dumps(text, ensure_ascii=False).replace("${", "\\${")


def _object(value: Json) -> Mapping[str, Json]:
    return value if isinstance(value, dict) else {}


def _list(value: Json) -> list[Json]:
    return value if isinstance(value, list) else []
