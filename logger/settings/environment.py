"""Read the environment of this process. Only this module and `__main__` read the environment."""

from __future__ import annotations

import os
import platform
from collections.abc import Mapping

from logger.settings.definitions import KNOWN_NAMES
from logger.settings.value_types import is_zone


def read_variables() -> Mapping[str, str]:
    """Return every variable of the environment."""
    return os.environ


def read_own_variables() -> dict[str, str]:
    """Return the settings in the environment, by variable. These settings take precedence over settings files."""
    return {name: value for name in KNOWN_NAMES if (value := os.environ.get(name))}


def is_under_journal() -> bool:
    """Return True if stderr goes to systemd's journal."""
    return "JOURNAL_STREAM" in os.environ


def read_notify_socket() -> str:
    """Return the address of systemd's notification socket; empty without such a socket."""
    return os.environ.get("NOTIFY_SOCKET", "")


def read_hostname(variables: Mapping[str, str] = os.environ) -> str:
    """Return the machine's host name; in a container, the name of the container or pod."""
    return variables.get("HOSTNAME") or platform.node()


def find_system_zone() -> str:
    """Return the machine's IANA time zone; UTC if the time zone cannot be found."""
    name = os.environ.get("TZ", "").removeprefix(":") or os.path.realpath("/etc/localtime").partition("/zoneinfo/")[2]
    return name if is_zone(name) else "UTC"
