"""Find the settings file of a command: `.env` in the current folder, or the file of the installed service."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from logger import places
from logger.settings.definitions import KNOWN_NAMES
from logger.settings.envfile import is_there, parse_env, read_env_text

NEAREST: Final = Path(".env")


def find_env_file(variables: Mapping[str, str]) -> Path:
    """Return the path of the settings file: the installed service's file, or `.env` in the current folder.

    `.env` is chosen in three cases: it has a setting of this program or cannot be read; the environment names a
    gateway, a gateways file or a credentials folder; the service has no settings file.
    """
    is_given = any(
        name in variables for name in ("ENPHASE_GATEWAY", "ENPHASE_GATEWAYS_FILE", "CREDENTIALS_DIRECTORY")
    )
    is_nearer = is_given or _has_settings(NEAREST)
    return NEAREST if is_nearer or not _may_be_there(places.INSTALLED) else places.INSTALLED


def _has_settings(path: Path) -> bool:
    """Return True if a file has any setting of this program, or cannot be read.

    An unreadable file is reported later.
    """
    try:
        return not KNOWN_NAMES.isdisjoint(parse_env(read_env_text(path))[0])
    except (OSError, UnicodeDecodeError):
        return True


def _may_be_there(path: Path) -> bool:
    """Return True if the file exists, or if this user may not read its folder."""
    try:
        return is_there(path)
    except PermissionError:
        return True
