"""One site as its owner's settings describe it, handed down whole to whatever records it."""

from __future__ import annotations

from dataclasses import dataclass

from logger.model import Role


@dataclass(frozen=True, slots=True)
class Site:
    """The site behind one gateway. It holds no address and no secret: those are the gateway's `Access`.

    `name`: the `site` tag, empty for none. `zone`: the IANA time zone by which days begin, empty while unknown.
    `system_zone`: this machine's, used when the gateway names none. `max_w`: the greatest power in W that can
    flow, None to derive it from the size of the site. `totals_s`, `devices_s`: seconds from poll to poll.
    `layout_file`: the path of the panel layout, empty for none. `panel_alert_percent`: a panel below that share of
    its group's median for long raises an event; 0 turns this off.
    """

    name: str = ""
    zone: str = ""
    system_zone: str = "UTC"
    max_w: float | None = None
    totals_s: int = 60
    devices_s: int = 300
    layout_file: str = ""
    panel_alert_percent: float = 80.0

    def next_tick(self, now: float) -> int:
        """Return the first tick of the totals that is later than `now`, in unix seconds."""
        return (int(now) // self.totals_s + 1) * self.totals_s

    def due_roles(self, tick: int, last_devices_tick: int) -> frozenset[Role]:
        """Return what is due at a tick: totals always; devices at multiples of their interval, or late."""
        late = tick - last_devices_tick >= self.devices_s
        return frozenset({"totals", "devices"}) if tick % self.devices_s == 0 or late else frozenset({"totals"})

    @property
    def deadline_s(self) -> float:
        """Seconds after its time until which a tick may be committed: 20, or half the interval if that is less."""
        return min(20.0, self.totals_s / 2)

    @property
    def intervals(self) -> dict[Role, int]:
        """Seconds between the ticks of each role."""
        return {"totals": self.totals_s, "devices": self.devices_s, "daily": 86400}

    def tags(self, gateway: str) -> dict[str, str]:
        """The tags that every point of this site carries."""
        return {"gateway": gateway, **({"site": self.name} if self.name else {})}
