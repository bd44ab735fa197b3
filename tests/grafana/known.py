"""What was written, as plain points: from these every number of a board is computed a second time."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from zoneinfo import ZoneInfo

from line_protocol_parser import parse_line

from logger.model import Value
from tests.grafana.sites import Past


@dataclass(frozen=True, slots=True)
class Known:
    """One point. `time` in seconds."""

    time: int
    tags: Mapping[str, str]
    fields: Mapping[str, Value]


@dataclass
class Points:
    """The points of some sites by measurement: all of days and events, of the others those since `since`."""

    since: int
    found: dict[str, list[Known]] = field(default_factory=lambda: defaultdict(list))

    def add(self, site: Past) -> None:
        """Add a site; the energies and the money of its days are the truth's, not the recorder's."""
        for lines in site.made.lines.values():
            for line in _split(lines):
                head = line[: line.index(b" ")]
                is_kept = head.startswith((b"envoy_event", b"envoy_day", b"envoy_month", b"envoy_year", b"envoy_band",
                                           b"envoy_inverter_day", b"envoy_hour", b"envoy_inverter_hour",
                                           b"envoy_site_day"))  # fmt: skip
                if is_kept or int(line.rsplit(b" ", 1)[1]) >= self.since:
                    point = parse_line(line.decode())
                    self.found[point["measurement"]].append(Known(point["time"], point["tags"], point["fields"]))
        self._correct(site)

    def _correct(self, site: Past) -> None:
        """Put the truth of the days that are over in the place of what the recorder counted.

        The truth goes on into the site's future; its rows of days do not.
        """
        zone, gateway = ZoneInfo(site.kind.zone), site.kind.gateway
        last = datetime.fromtimestamp(site.until, zone).date().isoformat()
        days = {day: true for day, true in site.made.truth.days.items() if day <= last}
        today: Mapping[str, Value] = {}
        for measurement, length in (("envoy_day", 10), ("envoy_month", 7), ("envoy_year", 4)):
            rows = self.found[measurement]
            for index, row in enumerate(rows):
                key = datetime.fromtimestamp(row.time, zone).date().isoformat()[:length]
                if row.tags["gateway"] != gateway:
                    continue
                if key == last:
                    today = row.fields
                    continue
                over = [days[day] for day in days if day.startswith(key) and day != last]
                true = {f"{name}_wh": sum(day.wh[name] for day in over) for name in over[0].wh} if over else {}
                true |= {"cost": sum(day.cost for day in over), "income": sum(day.income for day in over)}
                if last.startswith(key):
                    true = {name: value + float(today.get(name, 0.0)) for name, value in true.items()}
                right = {name: value for name, value in true.items() if name in row.fields}
                rows[index] = Known(row.time, row.tags, {**row.fields, **right})
        panels = self.found["envoy_inverter_day"]
        for index, row in enumerate(panels):
            day = datetime.fromtimestamp(row.time, zone).date().isoformat()
            if row.tags["gateway"] == gateway and min(days) < day < last and "energy_wh" in row.fields:
                true_wh = days[day].panels[row.tags["serial"]]
                panels[index] = Known(row.time, row.tags, {**row.fields, "energy_wh": true_wh})


def _split(lines: Iterable[bytes]) -> Iterator[bytes]:
    for each in lines:
        yield from (line for line in each.split(b"\n") if line)
