"""Draw numbers as a line of small bars."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

_BARS: Final = "▁▂▃▄▅▆▇█"


def draw_sparkline(numbers: Sequence[float | None]) -> str:
    """Return one bar for each number, and a blank for each unknown number.

    The scale reaches from the least to the greatest number, and always includes 0.
    """
    known = [number for number in numbers if number is not None]
    low, high = min([0.0, *known]), max([0.0, *known])
    if high == low:
        return "".join(" " if number is None else _BARS[0] for number in numbers)
    steps = len(_BARS) - 1
    return "".join(
        " " if number is None else _BARS[round((number - low) / (high - low) * steps)] for number in numbers
    )
