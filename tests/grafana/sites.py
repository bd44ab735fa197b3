"""The generated sites up to now, each with its equipment, in a database whose buckets have their usual names."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import groupby
from typing import Final

from logger.influx.line_protocol import encode
from logger.model import ROLES, Role
from tests.databases.server import Server
from tests.grafana.grafana_server import BUCKETS
from tests.grafana.house import sum_days, sum_ticks
from tests.history.generator import Generated, Generator
from tests.history.kinds import KINDS, TIME_OF_USE, Kind, Roofed, make_roof
from tests.history.load import write_lines

BARE: Final = Kind(
    "no-layout", "122500000005", "Europe/Paris", 2000.0, has_meters=False,
    panels=tuple(Roofed(f"1225050000{number:02d}", "", "", 0.25) for number in range(8, 12)),
)  # fmt: skip
"""A site without meters, battery, tariff and layout file: all that the boards can show of nothing but a gateway."""
SHOWN: Final = (*KINDS, BARE)
HOME: Final = Kind(
    "home", "122500000006", "America/New_York", 9000.0, 3, battery_wh=9_800.0, tariff=TIME_OF_USE, is_lively=True,
    panels=make_roof(
        "12250600", {"east": 12, "west": 12}, spread=0.02, E4=("weak", 340), E9=("dead", 387), W8=("shaded", 1)
    ),
    outages=((8, 13, 43), (20, 23, 90)), gaps=((29, 9, 190),), swings=((13, 17, 30),),
)  # fmt: skip
"""The site of the pictures, with 400 days of past."""


@dataclass(frozen=True)
class Past:
    """One site whose history ends at `until`: its rows of days and hours as they stand then, its ticks go on.

    `later`: the rows that a quarter of an hour of the future changes, by when they are written.
    """

    kind: Kind
    until: int
    made: Generated
    later: list[tuple[int, bytes]] = field(default_factory=list)


def play(
    kinds: Iterable[Kind] = SHOWN,
    days: int = 60,
    step_s: int = 900,
    ahead_s: int = 0,
    now: int | None = None,
    minutes_s: int = 2 * 86400,
) -> list[Past]:
    """Generate the sites' last `days` and `ahead_s` of the future, the last `minutes_s` with a tick a minute.

    The sums of those that are one house come with the last of them.
    """
    now = int(time.time() if now is None else now) // 60 * 60
    first = datetime.fromtimestamp(now, UTC).date() - timedelta(days=days)
    playing = [
        (kind, Generator(kind, days, step_s, first=first, until=now + ahead_s + 1,
                         minutes_s=minutes_s + ahead_s, with_equipment=True))
        for kind in kinds
    ]  # fmt: skip
    found = [Past(kind, now, generator.run(now + 1)) for kind, generator in playing]
    houses = list(_find_houses(found))
    for site, members in houses:
        members[-1].made.lines["daily"] += sum_days(site, [(past.kind, past.made) for past in members])
    for past, (_, generator) in zip(found, playing, strict=True):
        _play_on(past, generator, now + ahead_s)
    for site, members in houses:
        members[-1].made.lines["totals"] += sum_ticks(site, [(past.kind, past.made) for past in members])
    return found


def _find_houses(pasts: Iterable[Past]) -> Iterator[tuple[str, list[Past]]]:
    """The sites that are one house with others, by its name."""
    for site, some in groupby(sorted(pasts, key=lambda past: past.kind.site), key=lambda past: past.kind.site):
        if site and len(members := list(some)) > 1:
            yield site, members


def _play_on(past: Past, generator: Generator, end: int) -> None:
    """Play the future up to each full quarter of an hour, at which rows change, and note which rows change."""
    daily = past.made.lines["daily"]
    for at in range((past.until // 900 + 1) * 900, end + 900, 900):
        rows, hours = dict(past.made.rows), len(past.made.hours)
        generator.run(at + 1)
        changed = [encode([row]) for key, row in past.made.rows.items() if rows.get(key) is not row]
        past.later.extend((at, line) for line in (*changed, *past.made.hours[hours:]))
    past.made.lines["daily"] = daily


class Stand:
    """A database with sites; what lies in their future is written as time passes.

    `is_growing`: the rows of today grow, too. Without it they stay as they were when the sites were made.
    """

    def __init__(self, server: Server, sites: Iterable[Past], *, is_growing: bool = False) -> None:
        self._server = server
        self._waiting: dict[Role, list[tuple[int, bytes]]] = {role: [] for role in ROLES}
        for bucket in BUCKETS.values():
            server.create(bucket)
        for site in sites:
            for role, lines in site.made.lines.items():
                self._waiting[role] += [(0 if role == "daily" else read_time(each), each) for each in lines if each]
            self._waiting["daily"] += site.later if is_growing else []
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
