"""Find the state and runtime folders. Imports little, because containers run `health` every few seconds."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

STATUS_FILE = "status.json"
INSTALLED = Path("/etc/envoy-logger/envoy-logger.env")
"""The settings of the installed service."""
ADMIN_TOKEN = Path("/etc/influxdb/admin_token")
"""Where the installer keeps the administrator's token of the InfluxDB that it installed."""
SYSTEM_STATE = Path("/var/lib/envoy-logger")
"""The state folder of the installed service."""


def state_dir(environ: Mapping[str, str], setting: str) -> Path:
    """Return the folder in the setting, else `$STATE_DIRECTORY`, else the system's folder, else one in home.

    The system's folder is /var/lib/envoy-logger, if that exists. Under systemd's DynamicUser that path is a link into
    a folder that only root may read. Every user sees the link itself.
    """
    if setting:
        return Path(os.path.expanduser(setting))
    if folder := environ.get("STATE_DIRECTORY"):
        return Path(folder.split(":")[0])
    own = os.path.expanduser("~/.local/state/envoy-logger")
    return SYSTEM_STATE if os.path.lexists(SYSTEM_STATE) or own.startswith("~") else Path(own)  # not all have a home


def runtime_dir(environ: Mapping[str, str], setting: str) -> Path:
    """Return `$RUNTIME_DIRECTORY`, else /run/envoy-logger if a recorder writes there, else the state folder."""
    if folder := environ.get("RUNTIME_DIRECTORY"):
        return Path(folder.split(":")[0])
    system = Path("/run/envoy-logger")
    if not setting and os.path.exists(system / STATUS_FILE):
        return system
    return state_dir(environ, setting)
