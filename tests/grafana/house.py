"""The sums of generated sites that are one house with several gateways."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence

from line_protocol_parser import parse_line

from logger.energy.site_sums import ENERGIES, SITE_DAY, SiteMember, sum_totals
from logger.influx.line_protocol import encode
from logger.model import Reading, Value
from tests.history.generator import Generated
from tests.history.kinds import Kind


def sum_ticks(site: str, members: Sequence[tuple[Kind, Generated]]) -> Iterator[bytes]:
    """The point of the house at each tick that one of its gateways has."""
    ticks: dict[int, dict[str, Mapping[str, Value]]] = defaultdict(dict)
    for kind, made in members:
        for lines in made.lines["totals"]:
            for line in lines.splitlines():
                if line.startswith(b"envoy_totals,"):
                    point = parse_line(line.decode())
                    ticks[point["time"]][kind.gateway] = point["fields"]
    for tick in sorted(ticks):
        found = [SiteMember(kind.name, ticks[tick].get(kind.gateway, {})) for kind, _ in members]
        yield encode([sum_totals(site, tick, found)])


def sum_days(site: str, members: Sequence[tuple[Kind, Generated]]) -> Iterator[bytes]:
    """The row of the house for each day that all of its gateways have."""
    days: dict[str, list[Reading]] = defaultdict(list)
    for _, made in members:
        for (measurement, _, day), row in made.rows.items():
            if measurement == "envoy_day":
                days[day].append(row)
    for day, rows in days.items():
        if len(rows) == len(members):
            fields: dict[str, Value] = {"local_date": day, "gateways": float(len(rows))}
            for name in (f"{quantity}_wh" for quantity in ENERGIES):
                values = [value for row in rows if isinstance(value := row.fields.get(name), float)]
                if len(values) == len(rows):
                    fields[name] = sum(values)
            yield encode([Reading(SITE_DAY, {"site": site}, fields, rows[0].time, "daily")])
