"""Sum the gateways of one site: their powers, their energies of today, and their day rows. Pure.

A sum is absent if a gateway of the site lacks the value. The gateways that lack the value are named.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from logger.energy.day_rows import row_of_day
from logger.energy.quantities import TOTALS
from logger.energy.state import EnergyState
from logger.model import DayRow, Reading, Value, add_up

SITE: Final = "envoy_site"
SITE_DAY: Final = "envoy_site_day"
POWERS: Final = ("production", "consumption", "load", "net", "battery")
ENERGIES: Final = tuple(name for name in TOTALS if not name.endswith("_balanced"))
_MONEY: Final = ("cost", "income", "saved")


@dataclass(frozen=True, slots=True)
class SiteMember:
    """One gateway of a site: its name for people, its totals of the tick, its energy state.

    The totals are empty if the gateway did not answer at the tick.
    """

    name: str
    totals: Mapping[str, Value] = field(default_factory=dict)
    energy: EnergyState = field(default_factory=EnergyState)

    @property
    def is_heard(self) -> bool:
        """Return whether the gateway reported its production power at this tick."""
        return "production_power_w" in self.totals

    def lacks(self, quantity: str) -> bool:
        """Return whether a quantity certainly does not exist at this gateway.

        This applies to a battery's quantity if the gateway has no battery.
        """
        wiring = self.energy.wiring
        return quantity.startswith("battery") and wiring is not None and wiring.has_no_battery


def sum_totals(site: str, tick: int, members: Sequence[SiteMember]) -> Reading:
    """Make the point of a site at a tick.

    If a gateway did not answer, the point has no sums. The point then has only the number of gateways, the number of
    gateways that answered, and the names of the other gateways.
    """
    heard = [each for each in members if each.is_heard]
    missing = [each.name for each in members if not each.is_heard]
    fields: dict[str, Value] = {"gateways": float(len(members)), "gateways_heard": float(len(heard))}
    if not missing:
        for quantity in POWERS:
            fields |= _sum(members, quantity, f"{quantity}_power_w", missing)
        for quantity in ENERGIES:
            fields |= _sum(members, quantity, f"{quantity}_today_wh", [])
    if missing:
        fields["missing"] = ", ".join(missing)
    return Reading(SITE, {"site": site}, fields, tick, "totals")


def _sum(members: Sequence[SiteMember], quantity: str, name: str, missing: list[str]) -> dict[str, Value]:
    """Sum one field over the gateways that can have the field; no sum if one of these gateways lacks the field.

    If at least one of these gateways has the field, `missing` gets a text about each of the others.
    """
    able = [each for each in members if not each.lacks(quantity)]
    values = [each.totals.get(name) for each in able]
    known = [value for value in values if isinstance(value, (int, float))]
    if known and len(known) == len(able):
        return {name: add_up(known)}
    if known:
        missing += [f"{quantity} of {each.name}" for each, v in zip(able, values, strict=True) if v is None]
    return {}


def sum_days(site: str, dates: Collection[str], members: Sequence[SiteMember]) -> list[DayRow]:
    """Make one row of the site for each of the `dates`, if all gateways have a day of this date."""
    found = []
    for date in sorted(dates):
        rows = [row for each in members if (row := _find_row(each, date)) is not None]
        if len(rows) == len(members):
            found.append(_sum_rows(site, date, rows, members))
    return found


def _find_row(member: SiteMember, date: str) -> DayRow | None:
    day = next((day for day in member.energy.days if day.date == date), None)
    return None if day is None else row_of_day(day, member.energy)


def _sum_rows(site: str, date: str, rows: Sequence[DayRow], members: Sequence[SiteMember]) -> DayRow:
    numbers = [{n: v for n, v in row.reading.fields.items() if isinstance(v, (int, float))} for row in rows]
    fields: dict[str, Value] = {"local_date": date, "gateways": float(len(rows))}
    for quantity in ENERGIES:
        able = [found for found, each in zip(numbers, members, strict=True) if not each.lacks(quantity)]
        name = f"{quantity}_wh"
        if able and all(name in found for found in able):
            fields[name] = add_up(found[name] for found in able)
            estimated = f"{quantity}_estimated_wh"
            fields[estimated] = add_up(found.get(estimated, 0.0) for found in able)
    currencies = {row.reading.fields.get("currency") for row in rows}
    if len(currencies) == 1 and (currency := currencies.pop()) is not None:
        fields["currency"] = currency
        fields |= {name: add_up(f[name] for f in numbers) for name in _MONEY if all(name in f for f in numbers)}
    fields["coverage_percent"] = min(found["coverage_percent"] for found in numbers)
    start = rows[0].reading.time
    return DayRow(Reading(SITE_DAY, {"site": site}, fields, start, "daily"), date, all(row.final for row in rows))
