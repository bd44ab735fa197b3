"""Find the files with hourly prices that belong to a tariff file."""

from __future__ import annotations

import os
from pathlib import Path

from logger.toml_mistakes import TomlMistakeError, read_toml


def list_price_files(path: str | Path, price_path: str) -> list[Path]:
    """List the price file, or the CSV files of the price folder in the order of their names.

    A relative `price_path` begins at the folder of the tariff file `path`. A file or a folder that cannot be read is
    listed itself, so that the caller tries to read it and gets the reason.
    """
    place = Path(path).expanduser().parent / os.path.expanduser(price_path)
    try:
        names = os.listdir(place)
    except OSError:
        return [place]
    return sorted(place / name for name in names if name.endswith(".csv"))


def find_price_files(path: Path) -> list[Path]:
    """List the existing price files that a tariff file names, even if the tariff file has mistakes in other keys.

    The list is empty if the tariff file cannot be read.
    """
    try:
        named = read_toml(path.read_text(encoding="utf-8-sig")).get("prices")
    except (OSError, UnicodeDecodeError, TomlMistakeError):
        return []
    return [file for file in list_price_files(path, named) if os.path.isfile(file)] if isinstance(named, str) else []
