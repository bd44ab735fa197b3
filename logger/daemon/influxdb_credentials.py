"""Read the InfluxDB credentials again while InfluxDB refuses the old ones, so that a correction needs no restart."""

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
    """Renews the credentials of an InfluxDB writer from the settings."""

    def __init__(self, writer: Writer, settings: Settings) -> None:
        self._writer, self._settings = writer, settings

    def renew(self) -> bool:
        """Read the credentials from the settings again, for the writer. Return True if the credentials changed."""
        fresh = reread_settings(self._settings)
        target = target_of(fresh)
        if target is None or _of(target) == _of(self._writer.target):
            return False
        log.protect(fresh.all_secrets)
        self._settings = fresh
        self._writer.target = replace(
            self._writer.target, token=target.token, username=target.username, password=target.password
        )
        log.get("ship").info("the InfluxDB credentials changed; the recorder uses the new credentials from now on")
        return True

    def hint(self) -> str:
        """Return the sentence that explains how a running recorder receives corrected credentials."""
        fixed = [name for name in _NAMES if self._settings.is_fixed(name)]
        if fixed:
            return (
                "then systemctl restart envoy-logger (or restart the container): the process received "
                f"{' and '.join(fixed)} at its start, and reads no new value while it runs."
            )
        return "the recorder reads corrected credentials within a minute, without a restart."


def _of(target: Target) -> tuple[str, str, str]:
    return target.token, target.username, target.password
