"""The generated sites up to now, each with its equipment, in a database whose buckets have their usual names."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from logger.model import ROLES, Role
from tests.databases.server import Server
from tests.grafana.grafana_server import BUCKETS
from tests.history.generator import Generated, Generator
from tests.history.kinds import KINDS, Kind
from tests.history.load import write_lines


@dataclass(frozen=True)
class Past:
    """One site whose history ends at `until`."""

    kind: Kind
    until: int
    made: Generated


def play(kinds: Iterable[Kind] = KINDS, days: int = 60, step_s: int = 900, ahead_s: int = 0) -> list[Past]:
    """Generate the sites' last `days` and `ahead_s` of the future, the last two days with a tick a minute."""
    now = int(time.time()) // 60 * 60
    first = datetime.fromtimestamp(now, UTC).date() - timedelta(days=days)
    return [
        Past(
            kind,
            now,
            Generator(
                kind, days, step_s, first=first, until=now + ahead_s + 1, minutes_s=2 * 86400 + ahead_s,
                with_equipment=True,
            ).run(),
        )
        for kind in kinds
    ]  # fmt: skip


class Stand:
    """A database with sites; what lies in their future is written as time passes."""

    def __init__(self, server: Server, sites: Iterable[Past]) -> None:
        self._server = server
        self._waiting: dict[Role, list[tuple[int, bytes]]] = {role: [] for role in ROLES}
        for bucket in BUCKETS.values():
            server.create(bucket)
        for site in sites:
            for role, lines in site.made.lines.items():
                self._waiting[role] += [(0 if role == "daily" else read_time(each), each) for each in lines if each]
        for waiting in self._waiting.values():
            waiting.sort(key=lambda pair: pair[0])
        self.write_due(int(time.time()))

    def write_due(self, now: int) -> None:
        """Write every line up to `now`."""
        due: dict[Role, list[bytes]] = {}
        for role, waiting in self._waiting.items():
            count = sum(at <= now for at, _ in waiting)
            due[role] = [lines for _, lines in waiting[:count]]
            self._waiting[role] = waiting[count:]
        write_lines(self._server, BUCKETS, due)


def read_time(lines: bytes) -> int:
    """The time of the last of some lines."""
    return int(lines.rstrip(b"\n").rsplit(b" ", 1)[1])
