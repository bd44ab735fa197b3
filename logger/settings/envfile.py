"""Writing a file of settings: lines are changed in place, everything else stays as it is. Pure.

What is written reads the same in dotenv, in systemd's EnvironmentFile and in compose, without quotes; a value that
they would read differently is refused.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

_HEAD = (
    "# Settings of envoy-logger, written by `envoy-logger init`; `envoy-logger check --show` lists every one.\n"
    "# One NAME=value a line: no quotes, no comment after a value. Secrets are files of their own.\n"
)


def unfit(value: str) -> str:
    """Why `value` cannot stand in such a file, or nothing."""
    if not value.isprintable():
        return "holds a line break or another control character"
    if value != value.strip():
        return "begins or ends with a space"
    if any(character in value for character in "$\\"):
        return "holds $ or a backslash, which compose and systemd replace"
    if value[:1] in ("'", '"') or re.search(r"(^|\s)#", value):
        return "begins with a quote, or holds # where a comment would begin"
    return ""


def changed(text: str, values: Mapping[str, str | None]) -> str:
    """`text` with each variable set, or taken out where its value is None; a new file gets a head.

    The last line of a variable counts, as it does for every reader; earlier ones go. Raises ValueError for a value
    that does not fit.
    """
    for name, value in values.items():
        if value is not None and (why := unfit(value)):
            raise ValueError(f"{name} {why}")
    lines = re.split(r"\r\n|\r|\n", (text or _HEAD).rstrip("\r\n"))  # never within a value, as splitlines does
    for name, value in values.items():
        lines = _with(lines, name, value)
    return "\n".join(lines).rstrip("\n") + "\n"


def _with(lines: list[str], name: str, value: str | None) -> list[str]:
    """The lines with that variable at the place where it stood, else where its comment stands, else at the end."""
    set_at = [index for index, line in enumerate(lines) if _names(line) == name]
    at = set_at[-1] if set_at else next((i for i, line in enumerate(lines) if line.startswith(f"#{name}=")), None)
    kept: Iterable[tuple[int, str]] = ((i, line) for i, line in enumerate(lines) if i not in set_at or i == at)
    if value is None:
        return [line for i, line in kept if i not in set_at]
    if at is None:
        return [*lines, f"{name}={value}"]
    return [f"{name}={value}" if i == at else line for i, line in kept]


def _names(line: str) -> str:
    """The variable that a line sets, or nothing."""
    found = re.match(r"\s*(?:export\s+)?([A-Za-z_][A-Za-z0-9_]*)\s*=", line)
    return found[1] if found else ""
