"""Find the state and runtime folders. Imports little, because containers run `health` every few seconds."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

STATUS_FILE = "status.json"
START = "start the recorder (systemctl start envoy-logger, or its container, or envoy-logger run)."
"""The hint about a recorder that does not run, for code that does not know the settings."""
RESTART = "restart the recorder (systemctl restart envoy-logger, or its container)"
"""The hint to restart the recorder, without a full stop."""
INSTALLED = Path("/etc/envoy-logger/envoy-logger.env")
"""The settings file of the installed service."""
ADMIN_TOKEN = Path("/etc/influxdb/admin_token")
"""The file in which the installer stores the administrator's token of the InfluxDB that it installed."""
SYSTEM_STATE = Path("/var/lib/envoy-logger")
"""The state folder of the installed service."""


def state_dir(environ: Mapping[str, str], setting: str) -> Path:
    """Return the state folder: `setting`, else `$STATE_DIRECTORY`, else the system's folder, else a folder in home.

    The system's folder is /var/lib/envoy-logger. It is used if this path exists, or if this user has no home. Under
    systemd's DynamicUser this path is a link into a folder that only root may read. Other users cannot read the
    folder, but they can see that the link exists.
    """
    if setting:
        return Path(os.path.expanduser(setting))
    if folder := environ.get("STATE_DIRECTORY"):
        return Path(folder.split(":")[0])
    own = os.path.expanduser("~/.local/state/envoy-logger")
    has_no_home = own.startswith("~")
    return SYSTEM_STATE if has_no_home or os.path.lexists(SYSTEM_STATE) else Path(own)


def runtime_dir(environ: Mapping[str, str], setting: str) -> Path:
    """Return `$RUNTIME_DIRECTORY`, else /run/envoy-logger if a recorder writes there, else the state folder.

    /run/envoy-logger is not used if `setting` names a state folder.
    """
    if folder := environ.get("RUNTIME_DIRECTORY"):
        return Path(folder.split(":")[0])
    system = Path("/run/envoy-logger")
    if not setting and os.path.exists(system / STATUS_FILE):
        return system
    return state_dir(environ, setting)
