"""✓ and ✗ in colour, and something readable where the terminal has no such signs."""

from __future__ import annotations

import sys

import click


def mark(sign: str, plain: str, colour: str) -> str:
    """The sign, or `plain` in two columns, coloured."""
    try:
        sign.encode(sys.stdout.encoding or "ascii")
    except UnicodeEncodeError:
        sign = f"{plain:<2}"
    return click.style(sign, fg=colour)
