"""Reads recorded data from InfluxDB 2.x by Flux through influxdb-client, in a separate thread."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final

from logger.backfill.history import Point
from logger.clock import Clock
from logger.errors import InfluxError, InfluxMissingError, InfluxRefusedError
from logger.influx.classify import Done
from logger.influx.dialects import Target
from logger.influx.queries import quote_flux
from logger.influx.v2_client import V2Client
from logger.influx.write import Writer
from logger.log import mask
from logger.model import Role, Value

_TIMEOUT_S: Final = 120.0
_READ_HINT: Final = (
    "set INFLUXDB_READ_TOKEN_FILE to a file with a token that may read the bucket, or write this token into "
    "credentials/influxdb_read_token beside the settings; envoy-logger setup --backfill-token-file FILE makes one."
)


class FluxHistory:
    """Reads recorded data from one InfluxDB 2.x."""

    def __init__(self, target: Target, clock: Clock) -> None:
        target.token_header("Token")  # raises an error for a token that cannot be sent
        self._target, self._clock = target, clock
        self._client = V2Client(target.url, _refuse, timeout_s=_TIMEOUT_S, org=target.org, token=target.token)

    async def read_points(
        self, role: Role, measurement: str, gateway: str, since: int, until: int, fields: Sequence[str] = ()
    ) -> list[Point]:
        """Return a gateway's points in order of time, from `since` up to but not including `until`."""
        chosen = " or ".join(f"r._field == {quote_flux(field)}" for field in fields)
        of_gateway = _filter(measurement, gateway) + (f" |> filter(fn: (r) => {chosen})" if chosen else "")
        records = await self._query(role, f"{_range(since, until)} |> {of_gateway}")
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
        points = [Point(at, dict(tags), values) for (at, tags), values in merged.items()]
        return sorted(points, key=lambda point: point.time)

    async def list_gateways(self, role: Role, measurement: str) -> list[str]:
        """Return the serials of the gateways that have points of a measurement."""
        records = await self._query(
            role,
            f'range(start: 0) |> {_filter(measurement)} |> keep(columns: ["gateway"]) |> distinct(column: "gateway")',
        )
        return sorted({str(value) for record in records if (value := record.values.get("gateway"))})

    async def find_span(self, role: Role, measurement: str, gateway: str, until: int) -> tuple[int, int] | None:
        """Return the times of a gateway's first and last point before `until`; None without points."""
        times: list[int] = []
        for end in ("first", "last"):
            of_gateway = f"{_range(0, until)} |> {_filter(measurement, gateway)}"
            records = await self._query(role, f'{of_gateway} |> {end}() |> keep(columns: ["_time"])')
            times += [int(record.get_time().timestamp()) for record in records]
        return (min(times), max(times)) if times else None

    async def aclose(self) -> None:
        """Close all connections."""
        await asyncio.to_thread(self._client.close)

    async def _query(self, role: Role, rest: str) -> list[Any]:
        """Run the Flux query `from(bucket) |> rest` on the bucket of a role. Return the records of the answer."""
        bucket = self._target.buckets[role]
        flux = f"from(bucket: {quote_flux(bucket)}) |> {rest}"

        def collect() -> list[Any]:
            return list(self._client.api.query_api().query_stream(flux))

        try:
            return await asyncio.to_thread(self._client.call, collect, f"let this token read {bucket!r}")
        except InfluxMissingError as error:  # also the answer to a token that may only write
            if not await self._may_write(role):
                raise
            raise InfluxRefusedError(
                f"the token may write to the bucket {bucket!r} at {self._client.host}, but not read it", _READ_HINT
            ) from error

    async def _may_write(self, role: Role) -> bool:
        """Test with an empty write, which stores nothing, whether this token may write to the bucket."""
        writer = Writer(replace(self._target, api="2"), self._clock)
        try:
            outcome = await writer.write(role, b"", gzipped=False)
        finally:
            await writer.aclose()
        return isinstance(outcome, Done)


def _refuse(host: str, doing: str, status: int, body: str) -> InfluxError:
    reason = " ".join(mask(body).split())[:200]
    message = f"InfluxDB at {host} does not {doing}: {reason}"
    if status in (401, 403):
        return InfluxRefusedError(message, _READ_HINT)
    if status == 404 and "could not find bucket" in body:
        return InfluxMissingError(
            message, f"check INFLUXDB_BUCKET, INFLUXDB_BUCKET_DEVICES and INFLUXDB_BUCKET_DAILY, or {_READ_HINT}"
        )
    if status in (400, 404) and "organization" in body:
        return InfluxMissingError(message, "check INFLUXDB_ORG.")
    return InfluxError(
        f"{host} does not answer a Flux query: HTTP {status}: {reason}",
        "check INFLUXDB_URL: this address may belong to another server.",
    )


def _range(since: int, until: int) -> str:
    return f"range(start: time(v: {since * 10**9}), stop: time(v: {until * 10**9}))"


def _filter(measurement: str, gateway: str | None = None) -> str:
    of_gateway = "" if gateway is None else f" and r.gateway == {quote_flux(gateway)}"
    return f"filter(fn: (r) => r._measurement == {quote_flux(measurement)}{of_gateway})"
