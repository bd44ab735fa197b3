"""Formats coloured symbols, long lines, fingerprints and refused lines for any terminal."""

from __future__ import annotations

import re
import shutil
import sys
from textwrap import TextWrapper
from typing import Final

import click

from logger import log
from logger.clock import format_minute
from logger.store.records import RefusedRow

_HALF: Final = r"(?:[0-9A-F]{2}:){15}[0-9A-F]{2}"
_FINGERPRINT: Final = re.compile(rf" *({_HALF}):({_HALF})")
_WIDTH: Final = 80
_LEAST_WIDTH: Final = 24
"""The least number of columns for the text beside the indent, even if the terminal is narrower."""


def mark(sign: str, plain: str, colour: str) -> str:
    """Return the coloured symbol `sign`. If the terminal cannot show `sign`, return `plain`, two characters wide."""
    try:
        sign.encode(sys.stdout.encoding or "ascii")
    except UnicodeEncodeError:
        sign = f"{plain:<2}"
    return click.style(sign, fg=colour)


def fold(text: str, indent: int) -> str:
    """Break each fingerprint that is too long for one line into two lines.

    `indent`: the number of columns by which the caller indents the text.
    """
    fit: list[str] = []
    for row in _FINGERPRINT.sub(r"\n\1\n\2", text).split("\n"):
        head, rest = row[:47], row[47:]
        if re.fullmatch(_HALF, head) and indent + len(row) > _WIDTH:
            fit += [head, rest.lstrip(" ,")]
        else:
            fit.append(row)
    return "\n".join(fit)


def wrap(text: str, indent: int) -> str:
    """Break the lines of `text` between words, so that they fit a terminal. Text for a pipe or a file is not changed.

    `indent`: the column at which the rest of a broken line begins. A line with `Try:` is not
    broken, because its command must be one line to be copied.
    """
    if not sys.stdout.isatty():
        return text
    width = max(shutil.get_terminal_size().columns, indent + _LEAST_WIDTH)
    wrapper = TextWrapper(width, subsequent_indent=" " * indent, break_long_words=False, break_on_hyphens=False)
    lines = ([line] if line.lstrip().startswith("Try: ") else wrapper.wrap(line) for line in text.split("\n"))
    return "\n".join("\n".join(parts) for parts in lines)


def describe_refusal(row: RefusedRow) -> str:
    """Describe a refused line: the time of its tick, its role, and the reason of the refusal."""
    reason = log.mask(" ".join(row.reason.split()))
    at = format_minute(row.tick) if row.tick else "-"
    status = f"HTTP {row.status}: " if row.status and "HTTP" not in reason else ""
    return f"{at}  {row.role}  {status}{reason}"
