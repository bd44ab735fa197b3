"""When what is due: ticks on wall-clock multiples, and roles. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from logger.model import Role
from logger.site import Site


@dataclass(frozen=True, slots=True)
class Pace:
    """How often totals and devices are read, in seconds, and what the settings say of the site and its panels."""

    totals_s: int
    devices_s: int
    site: str = ""
    zone: str = ""
    system_zone: str = "UTC"
    max_w: float | None = None
    layout: str = ""
    panel_alert_percent: float = 80.0

    @property
    def intervals(self) -> dict[Role, int]:
        """Seconds between the ticks of each role."""
        return {"totals": self.totals_s, "devices": self.devices_s, "daily": 86400}

    def as_site(self, zone: str) -> Site:
        """The site, whose days begin by that zone."""
        return Site(
            name=self.site,
            zone=zone,
            max_w=self.max_w,
            totals_s=self.totals_s,
            devices_s=self.devices_s,
            panel_alert_percent=self.panel_alert_percent,
        )


def next_tick(now: float, interval_s: int) -> int:
    """The first multiple of the interval that is later than now."""
    return (int(now) // interval_s + 1) * interval_s


def due_roles(tick: int, devices_interval_s: int, last_devices_tick: int) -> frozenset[Role]:
    """Totals at every tick; devices at multiples of their interval, and late if such a tick was missed."""
    late = tick - last_devices_tick >= devices_interval_s
    return frozenset({"totals", "devices"}) if tick % devices_interval_s == 0 or late else frozenset({"totals"})


def deadline_s(interval_s: int) -> float:
    """How long after its time a tick may be committed: 20 s or half the interval, whichever is less."""
    return min(20.0, interval_s / 2)
