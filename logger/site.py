"""Define the settings of one site as one value, which the recorder passes to all its parts."""

from __future__ import annotations

from dataclasses import dataclass

from logger.model import Role


@dataclass(frozen=True, slots=True)
class Site:
    """Describe the site behind one gateway. The gateway's address and secrets are in `Access`.

    `name`: the `site` tag, empty for none. `zone`: the IANA time zone that decides when days begin, empty while
    unknown. `system_zone`: this machine's time zone, used when the gateway reports none. `max_w`: the greatest power
    in W that can flow; if None, the size of the site decides. `totals_s`, `devices_s`: the seconds between the ticks
    of the role `totals` and of the role `devices`. `layout_file`, `tariff_file`: the paths of panel layout and
    tariff, empty for none. `panel_alert_percent`: a panel that stays below this percentage of its group's median
    raises an event; 0 disables these events. `offset_s`: the seconds between a tick's time and its poll, so that many
    gateways are not polled at the same time.
    """

    name: str = ""
    zone: str = ""
    system_zone: str = "UTC"
    max_w: float | None = None
    totals_s: int = 60
    devices_s: int = 300
    layout_file: str = ""
    tariff_file: str = ""
    panel_alert_percent: float = 80.0
    offset_s: int = 0

    def next_tick(self, now: float) -> int:
        """Return the first totals tick whose poll begins after `now`, in unix seconds."""
        return (int(now - self.offset_s) // self.totals_s + 1) * self.totals_s

    def due_roles(self, tick: int, last_devices_tick: int) -> frozenset[Role]:
        """Return the roles that are due at a tick: totals always; devices at each multiple of their interval.

        Devices are also due if their last tick is at least one interval ago.
        """
        late = tick - last_devices_tick >= self.devices_s
        return frozenset({"totals", "devices"}) if tick % self.devices_s == 0 or late else frozenset({"totals"})

    @property
    def deadline_s(self) -> float:
        """Return the longest time from a tick to its commit in seconds: 20, or half the totals interval if less."""
        return min(20.0, self.totals_s / 2)

    @property
    def intervals(self) -> dict[Role, int]:
        """Return the seconds between the ticks of each role."""
        return {"totals": self.totals_s, "devices": self.devices_s, "daily": 86400}

    def tags(self, gateway: str) -> dict[str, str]:
        """Return the tags that every point of this site carries."""
        return {"gateway": gateway, **({"site": self.name} if self.name else {})}
