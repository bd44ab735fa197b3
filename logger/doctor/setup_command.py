"""Writes the complete `setup` command that gives this recorder credentials for writing."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from logger import places
from logger.influx.dialects import Dialect
from logger.settings.envfile import parse_env, read_env_text
from logger.settings.environment import read_variables
from logger.settings.load import Settings

_COMPOSE_FILE: Final = "/tokens/recorder/influxdb_token"
"""The file of the recorder's token in deploy/compose, whose service `setup` renews the token."""


def write_setup_command(settings: Settings, dialect: Dialect, admin_token: Path = places.ADMIN_TOKEN) -> str:
    """Return the command that makes a token with the right to write to the buckets (2.x).

    Return an empty text for 1.x, whose credentials are a user and a password, and for 3.x, where `setup` makes no
    token. `admin_token`: the file in which the installer stores the administrator's token of InfluxDB.
    """
    if dialect != "2":
        return ""
    file = _find_file(settings)
    if file == _COMPOSE_FILE:
        return "run deploy/compose/setup again: this makes a token that may write."
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
    """Return the file from which the settings read the token; empty if the settings contain the token itself."""
    origin = settings.origins.get("INFLUXDB_TOKEN", "")
    if origin.endswith(", INFLUXDB_TOKEN_FILE"):
        dotenv = parse_env(read_env_text(settings.env_file))[0] if settings.env_file else {}
        return read_variables().get("INFLUXDB_TOKEN_FILE") or dotenv["INFLUXDB_TOKEN_FILE"]
    return "" if origin in ("", "environment", str(settings.env_file)) else origin
