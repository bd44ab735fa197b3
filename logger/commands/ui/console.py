"""Makes the console on which commands print texts and tables with the library rich."""

from __future__ import annotations

import sys
from typing import Final

from rich.console import Console

_PIPE_WIDTH: Final = 160
"""The width in characters of a table that is not printed on a terminal, so that no line is folded."""


def make_console() -> Console:
    """Make a console that prints every text as it is.

    Names of panels, price bands and folders may contain brackets or colons, which rich would take for styles or
    symbols.
    """
    return Console(width=None if sys.stdout.isatty() else _PIPE_WIDTH, markup=False, emoji=False, highlight=False)
