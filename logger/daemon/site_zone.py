"""Find the time zone of a site. The time zone decides when days begin, and when the gateway's quiet window is."""

from __future__ import annotations

from zoneinfo import ZoneInfo

from logger import log
from logger.days import is_quiet
from logger.model import Json
from logger.site import Site


class SiteZone:
    """The IANA zone of one site: configured, else stored, else from the gateway, else from this machine.

    `name` is empty while no zone is known.
    """

    def __init__(self, site: Site) -> None:
        self.name = site.zone
        self._site = site

    def restore(self, stored: str) -> None:
        """Use the configured zone. If no zone is configured, use `stored`, the zone in the store (empty for none)."""
        self.name = self._site.zone or stored

    def learn(self, home: Json) -> None:
        """Use the zone that a `/home.json` document names, if no zone is known yet."""
        self.name = self.name or zone_of(home)

    def require(self) -> str:
        """Return the zone. If no zone is known, use this machine's zone from now on and log a warning."""
        if not self.name:
            self.name = self._site.system_zone
            log.get("collect").warning(
                f"the gateway did not report its time zone, so days begin at midnight in {self.name}\n"
                "Try: set LOGGER_TIMEZONE if the site is in another zone."
            )
        return self.name

    def is_quiet(self, now: float) -> bool:
        """Return True if `now`, in unix seconds, is in the quiet window, in which gateways often do not answer."""
        return bool(self.name) and is_quiet(now, self.name)


def zone_of(home: Json) -> str:
    """Return the IANA zone that a `/home.json` document names, or an empty text."""
    zone = home.get("timezone") if isinstance(home, dict) else None
    try:
        return ZoneInfo(zone).key if isinstance(zone, str) else ""
    except (KeyError, ValueError, OSError):
        return ""
