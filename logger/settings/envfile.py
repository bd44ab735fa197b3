"""Read settings files (`.env`) without interpolation, and change single lines without changing the other lines.

Values are written without quotes, so that dotenv, systemd's EnvironmentFile and compose read the same value. A value
that these three would read differently is refused.
"""

from __future__ import annotations

import io
import re
import stat
from collections.abc import Mapping
from pathlib import Path

from dotenv.parser import parse_stream

from logger.settings.value_sources import ENCODING

_HEAD = (
    "# Settings of envoy-logger, written by `envoy-logger init`; `envoy-logger check --show` lists every one.\n"
    "# One NAME=value a line: no quotes, no comment after a value. Secrets are files of their own.\n"
)


def read_env_text(path: Path) -> str:
    """Read a settings file as text; empty if there is no file.

    Raises OSError if the file cannot be read, and UnicodeDecodeError if it is not UTF-8.
    """
    return path.read_text(encoding=ENCODING) if is_there(path) else ""


def is_there(path: Path) -> bool:
    """Return True if the path is a file. Raises PermissionError if this user may not read its folder."""
    try:
        return stat.S_ISREG(path.stat().st_mode)  # is_file() hides an unreadable folder from Python 3.14 on
    except PermissionError:
        raise
    except OSError:
        return False


def parse_env(text: str) -> tuple[dict[str, str], list[tuple[int, list[str]]]]:
    """Parse the text of a settings file.

    Return variable → value. Also return each line that cannot be parsed: its number, and the words in it.
    """
    values: dict[str, str] = {}
    broken = []
    for item in parse_stream(io.StringIO(text)):
        if item.error:
            broken.append((item.original.line, re.findall(r"\w+", item.original.string)))
        elif item.key is not None:
            values.pop(item.key, None)
            if item.value is not None:
                values[item.key] = item.value
    return values, broken


def explain_unfit(value: str) -> str:
    """Return the reason why `value` cannot be written to a settings file; empty for a writable value."""
    if not value.isprintable():
        return "contains a line break or another control character"
    if value != value.strip():
        return "begins or ends with a space"
    if any(character in value for character in "$\\"):
        return "contains $ or a backslash, which compose and systemd replace"
    if value[:1] in ("'", '"') or re.search(r"(^|\s)#", value):
        return "begins with a quote, or contains # where a comment would begin"
    return ""


def change_env(text: str, values: Mapping[str, str | None]) -> str:
    """Return `text` with each variable set, or removed if its value is None. A new file gets a heading.

    If several lines set one variable, the last line is changed, because every program uses the last line. The earlier
    lines are removed. Raises ValueError for a value that cannot be written.
    """
    for name, value in values.items():
        if value is not None and (reason := explain_unfit(value)):
            raise ValueError(f"{name} {reason}")
    lines = re.split(r"\r\n|\r|\n", (text or _HEAD).rstrip("\r\n"))  # splitlines would also split a value
    for name, value in values.items():
        lines = _set(lines, name, value)
    return "\n".join(lines).rstrip("\n") + "\n"


def _set(lines: list[str], name: str, value: str | None) -> list[str]:
    """Return the lines with a variable set, or without the variable if `value` is None.

    The last line that sets the variable is changed, and all earlier lines that set it are removed. If no line sets
    the variable, a line that begins with `#NAME=` is replaced. If there is no such line, a line is added at the end.
    """
    set_at = [index for index, line in enumerate(lines) if _variable_in(line) == name]
    at = set_at[-1] if set_at else next((i for i, line in enumerate(lines) if line.startswith(f"#{name}=")), None)
    if value is None:
        return [line for i, line in enumerate(lines) if i not in set_at]
    if at is None:
        return [*lines, f"{name}={value}"]
    return [f"{name}={value}" if i == at else line for i, line in enumerate(lines) if i == at or i not in set_at]


def _variable_in(line: str) -> str:
    """Return the variable that a line sets; empty for a line that sets no variable."""
    found = re.match(r"\s*(?:export\s+)?([A-Za-z_][A-Za-z0-9_]*)\s*=", line)
    return found[1] if found else ""
