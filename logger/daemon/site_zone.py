"""The time zone of a site, by which its days begin and its gateway's quiet window is known."""

from __future__ import annotations

from zoneinfo import ZoneInfo

from logger import log
from logger.energy.days import is_quiet
from logger.model import Json
from logger.site import Site


class SiteZone:
    """The IANA zone of one site: as configured, else as stored, else as its gateway says, else this machine's.

    `name` is empty while no zone is known.
    """

    def __init__(self, site: Site) -> None:
        self.name = site.zone
        self._site = site

    def restore(self, stored: str) -> None:
        """Begin a gateway's record with the zone that was stored for it, empty for none."""
        self.name = self._site.zone or stored

    def learn(self, home: Json) -> None:
        """Take over the zone that a `/home.json` document names, while none is known."""
        self.name = self.name or zone_of(home)

    def require(self) -> str:
        """Return the zone; where nobody named one, this machine's stands from now on."""
        if not self.name:
            self.name = self._site.system_zone
            log.get("collect").warning(
                f"the gateway did not say its time zone; days begin by {self.name}\n"
                "Try: set LOGGER_TIMEZONE if the site is elsewhere."
            )
        return self.name

    def is_quiet(self, now: float) -> bool:
        """Tell whether `now`, in unix seconds, is in the nightly window in which the gateway may not answer."""
        return bool(self.name) and is_quiet(now, self.name)


def zone_of(home: Json) -> str:
    """Return the IANA zone that a `/home.json` document names, or an empty text."""
    zone = home.get("timezone") if isinstance(home, dict) else None
    try:
        return ZoneInfo(zone).key if isinstance(zone, str) else ""
    except (KeyError, ValueError, OSError):
        return ""
