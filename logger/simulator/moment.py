"""Describe an invented site at one time, as its gateway measures it. Every document is made from this description."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from logger.simulator.generations import Generation
from logger.simulator.household import Household, LastReport, SiteState
from logger.simulator.site_facts import Battery, Energy
from logger.simulator.wirings import count_at, count_between

PER_DEVICE: Final = 0x100
_FIRST_DEVICE: Final = 0x21000100
_FIRST_CHANNEL: Final = 0x61000111


@dataclass(frozen=True, slots=True)
class DatabaseFigures:
    """The figures in the gateway's interval database (`/ivp/pdm/energy`), at its last renewal.

    `power` is in W. The energies of today, of the last seven days, and of the lifetime are in Wh.
    """

    power: SiteState
    today: Energy
    week: Energy
    lifetime: Energy


@dataclass(frozen=True, slots=True)
class Inverter:
    """One inverter: its serial, the ids that gateways give it, and its last report."""

    number: int
    serial: str
    device: int
    channel: int
    report: LastReport
    max_watts: int


@dataclass(frozen=True, slots=True)
class Moment:
    """Describe the site at `now` (unix seconds) behind a gateway of one generation."""

    site: Household
    generation: Generation
    now: float

    @property
    def state(self) -> SiteState:
        """Return powers and counters at this time, as this gateway counts them."""
        return count_at(self.site, self.now)

    @property
    def battery(self) -> Battery | None:
        """Return the batteries; None if this gateway has none."""
        return self.site.battery if self.generation.battery else None

    @property
    def battery_serials(self) -> tuple[str, ...]:
        """Return the serial of each battery."""
        return tuple(f"4923{100_000 + 17 * n:08d}" for n in range(self.battery.count if self.battery else 0))

    @property
    def install_time(self) -> int:
        """Return the time at which the devices were installed, in unix seconds."""
        return int(self.site.start) - 400 * 86400

    def database(self) -> DatabaseFigures:
        """Return the figures in the interval database, as they were when the database was last renewed."""
        at = max(self.now // self.generation.refresh_s * self.generation.refresh_s, self.site.start)
        midnight = self.site.midnight(at)
        return DatabaseFigures(
            count_at(self.site, at), count_between(self.site, midnight, at),
            count_between(self.site, self.site.midnight(at, 7), midnight), count_at(self.site, at).total,
        )  # fmt: skip

    def inverters(self) -> tuple[Inverter, ...]:
        """Return all inverters of the site, with their last reports."""
        return _list_inverters(self.site, self.now)


@lru_cache(maxsize=16)
def _list_inverters(site: Household, now: float) -> tuple[Inverter, ...]:
    """List a site's inverters, with their last reports at the time `now`.

    The result is cached, because several documents of the same time list the inverters.
    """
    return tuple(
        Inverter(
            number, serial_of(number), _FIRST_DEVICE + PER_DEVICE * number, _FIRST_CHANNEL + PER_DEVICE * number,
            site.report(number, now), round(site.inverter_w * 1.04),
        )
        for number in range(site.inverters)
    )  # fmt: skip


def serial_of(number: int) -> str:
    """Return the serial of the invented inverter with this number."""
    return f"4823{10_000_000 + 137 * number:08d}"
