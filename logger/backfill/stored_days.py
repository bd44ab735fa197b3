"""Reads the stored rows of past days from a database."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from logger.backfill.history import History, Point
from logger.days import first_instant, local_day
from logger.energy.extremes import NAMES
from logger.model import Value

_FARTHEST_S: Final = 26 * 3600
"""The greatest number of seconds between the midnights of one date in two time zones."""


@dataclass(frozen=True, slots=True)
class RowTags:
    """The tags with which the rows of one day are stored.

    `row`: the site's row. `inverters`: by serial, the tags of each inverter's row. `inverter_fields`: by serial, the
    fields of each inverter's row. `bands`: the price bands that have a row. `is_elsewhere`: the only row of the site
    begins at midnight of another time zone. `is_double`: the site has a row at midnight of its present time zone, and
    a second row of the same day.
    """

    row: Point
    inverters: Mapping[str, Mapping[str, str]]
    bands: frozenset[str] = frozenset()
    inverter_fields: Mapping[str, Mapping[str, Value]] = field(default_factory=dict)
    is_elsewhere: bool = False
    is_double: bool = False

    @property
    def site(self) -> Mapping[str, str]:
        """Return the tags of the site's row."""
        return self.row.tags

    @property
    def is_old(self) -> bool:
        """Return True if an early version wrote the rows of this day.

        Such a version wrote no extremes, and no `silent_days` for the inverters.
        """
        has_new = any("silent_days" in fields for fields in self.inverter_fields.values())
        return not has_new and not self.row.fields.keys() & set(NAMES)


async def read_row_tags(history: History, gateway: str, zone: str, first: str, until: int) -> dict[str, RowTags]:
    """Return date → tags of a gateway's stored rows, for the days from `first` until a unix time.

    `zone`: the site's present IANA time zone.
    """
    since = first_instant(first, zone)
    site: dict[str, list[Point]] = {}
    for point in await history.read_points("daily", "envoy_day", gateway, since - _FARTHEST_S, until):
        if "local_date" in point.fields and str(point.fields["local_date"]) >= first:
            site.setdefault(str(point.fields["local_date"]), []).append(point)
    inverters: dict[str, dict[str, Point]] = {}
    for point in await history.read_points("daily", "envoy_inverter_day", gateway, since, until):
        day = local_day(point.time, zone)
        inverters.setdefault(day, {}).setdefault(point.tags.get("serial", ""), point)
    bands: dict[str, set[str]] = {}
    for point in await history.read_points("daily", "envoy_band_day", gateway, since, until, ("local_date",)):
        bands.setdefault(str(point.fields["local_date"]), set()).add(point.tags.get("band", ""))
    found = {}
    for day, rows in site.items():
        begin = first_instant(day, zone)
        own = next((row for row in rows if row.time == begin), None)
        found[day] = RowTags(
            own or rows[0],
            {serial: point.tags for serial, point in inverters.get(day, {}).items()},
            frozenset(bands.get(day, ())),
            {serial: point.fields for serial, point in inverters.get(day, {}).items()},
            is_elsewhere=own is None,
            is_double=own is not None and any(row.time != begin for row in rows),
        )
    return found
