"""Writes the whole command by which `setup` gives this recorder credentials that may write."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from logger import places
from logger.influx.dialects import Dialect
from logger.settings.envfile import parse_env, read_env_text
from logger.settings.environment import read_variables
from logger.settings.load import Settings

_COMPOSE_FILE: Final = "/tokens/recorder/influxdb_token"
"""Where deploy/compose keeps the recorder's token; its service `setup` renews it."""


def write_setup_command(settings: Settings, dialect: Dialect, admin_token: Path = places.ADMIN_TOKEN) -> str:
    """Write what makes a token that may write to the buckets (2.x); empty for other generations.

    On 1.x a name and a password are to be checked first, and on 3.x `setup` makes no token. `admin_token`: the file
    in which the installer keeps the administrator's token of InfluxDB.
    """
    if dialect != "2":
        return ""
    file = _find_file(settings)
    if file == _COMPOSE_FILE:
        return "run deploy/compose/setup again: it makes a token that may."
    is_service, is_kept = settings.env_file == places.INSTALLED, admin_token.exists()
    parts = (
        "run sudo envoy-logger setup" if is_service else "run envoy-logger setup",
        f"--admin-token-file {admin_token if is_kept else 'FILE'}",
        f"--write-token-file {file}" if file else "",
        "&& sudo systemctl restart envoy-logger" if is_service else "",
        "" if is_kept else "(FILE: an administrator's token)",
        "" if file else "and write the token that it prints into INFLUXDB_TOKEN",
    )
    return f"{' '.join(part for part in parts if part)}."


def _find_file(settings: Settings) -> str:
    """Return the file from which the settings read the token; empty if they hold it themselves."""
    origin = settings.origins.get("INFLUXDB_TOKEN", "")
    if origin.endswith(", INFLUXDB_TOKEN_FILE"):
        dotenv = parse_env(read_env_text(settings.env_file))[0] if settings.env_file else {}
        return read_variables().get("INFLUXDB_TOKEN_FILE") or dotenv["INFLUXDB_TOKEN_FILE"]
    return "" if origin in ("", "environment", str(settings.env_file)) else origin
