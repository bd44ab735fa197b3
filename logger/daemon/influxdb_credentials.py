"""Read InfluxDB's credentials again while they are refused, where they can change in a running process."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from logger import log
from logger.daemon.config import target_of
from logger.influx.dialects import Target
from logger.influx.write import Writer
from logger.settings.load import Settings, reread_settings

_NAMES: Final = ("INFLUXDB_TOKEN", "INFLUXDB_USERNAME", "INFLUXDB_PASSWORD")


class Credentials:
    """What the writer signs its requests with."""

    def __init__(self, writer: Writer, settings: Settings) -> None:
        self._writer, self._settings = writer, settings

    def renew(self) -> bool:
        """Read the credentials again; return whether they changed."""
        fresh = reread_settings(self._settings)
        target = target_of(fresh)
        if target is None or _of(target) == _of(self._writer.target):
            return False
        log.protect(fresh.secrets.values())
        self._settings = fresh
        self._writer.target = replace(
            self._writer.target, token=target.token, username=target.username, password=target.password
        )
        log.get("ship").info("the credentials for InfluxDB changed; the new ones are used from now on")
        return True

    def hint(self) -> str:
        """Return how a running recorder gets corrected credentials."""
        fixed = [name for name in _NAMES if self._settings.is_fixed(name)]
        if fixed:
            return (
                f"then systemctl restart envoy-logger (or start the container anew): {' and '.join(fixed)} came with "
                "the process and cannot change while it runs."
            )
        return "what is mended there is read anew within a minute, without a restart."


def _of(target: Target) -> tuple[str, str, str]:
    return target.token, target.username, target.password
