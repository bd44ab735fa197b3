"""The environment of this process; no other module reads it but `__main__`."""

from __future__ import annotations

import os
from collections.abc import Mapping

from logger.settings.definitions import KNOWN_NAMES
from logger.settings.value_types import is_zone


def read_variables() -> Mapping[str, str]:
    """Every variable of the environment."""
    return os.environ


def read_own_variables() -> dict[str, str]:
    """The settings that the environment sets, by variable; there they win over every file."""
    return {name: value for name in KNOWN_NAMES if (value := os.environ.get(name))}


def is_under_journal() -> bool:
    """Whether stderr goes to systemd's journal."""
    return "JOURNAL_STREAM" in os.environ


def read_notify_socket() -> str:
    """systemd's notification socket, or empty."""
    return os.environ.get("NOTIFY_SOCKET", "")


def find_system_zone() -> str:
    """The machine's own IANA time zone, or UTC where it does not say."""
    name = os.environ.get("TZ", "").removeprefix(":") or os.path.realpath("/etc/localtime").partition("/zoneinfo/")[2]
    return name if is_zone(name) else "UTC"
