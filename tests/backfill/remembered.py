"""A history that is read back from memory: what a recorder wrote, as a database would give it back."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass, field

from logger.backfill.history import Point
from logger.influx.read_back import read_back
from logger.model import Reading, Role


@dataclass
class Remembered:
    """Holds points by role and measurement; the last one of each series and time stands."""

    points: dict[tuple[Role, str], dict[tuple[frozenset[tuple[str, str]], int], Point]] = field(default_factory=dict)
    _sorted: dict[tuple[Role, str], list[Point]] = field(default_factory=dict)

    def write_lines(self, role: Role, lines: bytes) -> None:
        for line in lines.decode().splitlines():
            self.write(read_back(line, role))

    def write(self, reading: Reading) -> None:
        series = self.points.setdefault((reading.role, reading.measurement), {})
        key = frozenset(reading.tags.items()), reading.time
        known = series[key].fields if key in series else {}
        self._sorted.pop((reading.role, reading.measurement), None)
        series[key] = Point(reading.time, reading.tags, {**known, **reading.fields})

    def take(self, other: Remembered) -> None:
        """Write all points of another one."""
        for key, series in other.points.items():
            self.points.setdefault(key, {}).update(series)
        self._sorted.clear()

    def forget(self, role: Role, measurement: str, until: int) -> None:
        """Lose every point before a time."""
        known = self.points[role, measurement]
        self.points[role, measurement] = {key: point for key, point in known.items() if point.time >= until}
        self._sorted.clear()

    def list_of(self, role: Role, measurement: str) -> list[Point]:
        key = (role, measurement)
        if key not in self._sorted:
            self._sorted[key] = sorted(self.points.get(key, {}).values(), key=lambda point: point.time)
        return self._sorted[key]

    async def read_points(
        self, role: Role, measurement: str, gateway: str, since: int, until: int, fields: Sequence[str] = ()
    ) -> list[Point]:
        found = []
        points = self.list_of(role, measurement)
        begin, end = (bisect_left(points, at, key=lambda point: point.time) for at in (since, until))
        for point in points[begin:end]:
            if point.tags.get("gateway") != gateway:
                continue
            kept = {name: value for name, value in point.fields.items() if not fields or name in fields}
            if kept:
                found.append(Point(point.time, point.tags, kept))
        return found

    async def list_gateways(self, role: Role, measurement: str) -> list[str]:
        return sorted({point.tags["gateway"] for point in self.list_of(role, measurement)})

    async def find_span(self, role: Role, measurement: str, gateway: str, until: int) -> tuple[int, int] | None:
        times = [p.time for p in self.list_of(role, measurement) if p.tags["gateway"] == gateway and p.time < until]
        return (times[0], times[-1]) if times else None

    async def aclose(self) -> None: ...
