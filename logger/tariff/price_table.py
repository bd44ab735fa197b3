"""Read hourly prices from CSV lines `time,buy,sell`. Pure."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from math import isfinite
from typing import Final

_LONGEST_S: Final = 3600
"""A price holds until the next one, at most for an hour."""


@dataclass(frozen=True, slots=True)
class PriceTable:
    """Hold prices by time: `times` in unix seconds, ascending; `prices` are (buy, sell) in currency per kWh.

    A selling price is None where its file has none.
    """

    times: Sequence[int] = ()
    prices: Sequence[tuple[float, float | None]] = field(default=())

    def price_at(self, at: int) -> tuple[int, int, float, float | None] | None:
        """Return (begin, end, buy, sell) of the price that holds at a time, or None."""
        place = bisect_right(self.times, at) - 1
        if place < 0 or at >= self.times[place] + _LONGEST_S:
            return None
        begin = self.times[place]
        following = self.times[place + 1] if place + 1 < len(self.times) else begin + _LONGEST_S
        return begin, min(begin + _LONGEST_S, following), *self.prices[place]


def parse_prices(text: str) -> tuple[dict[int, tuple[float, float | None]], list[str]]:
    """Parse the lines of one file → (buy, sell) by unix time, and the problems with their lines.

    The first line may be a header. A last line without its newline is still being written, and is left out.
    """
    found: dict[int, tuple[float, float | None]] = {}
    problems: list[str] = []
    for number, line in enumerate(text.splitlines(keepends=True), 1):
        cells = [cell.strip() for cell in line.split(",")]
        if not line.endswith("\n") or not line.strip() or (number == 1 and cells[0].lower() == "time"):
            continue
        try:
            at = datetime.fromisoformat(cells[0])
            if at.tzinfo is None:
                raise ValueError("the time has no offset: write 2026-01-31T14:00+01:00 or …T13:00Z")
            if len(cells) not in (2, 3):
                raise ValueError("a line is time,buy,sell")
            buy, sell = float(cells[1]), float(cells[2]) if len(cells) > 2 and cells[2] else None
            if not isfinite(buy) or (sell is not None and not isfinite(sell)):
                raise ValueError("a price is not a finite number")
            found[int(at.timestamp())] = buy, sell
        except ValueError as error:
            problems.append(f"line {number}: {error}")
    return found, problems


def make_table(prices: Iterable[dict[int, tuple[float, float | None]]]) -> PriceTable:
    """Join the prices of several files; of two prices for one time, the later file's holds."""
    joint: dict[int, tuple[float, float | None]] = {}
    for of_file in prices:
        joint |= of_file
    times = sorted(joint)
    return PriceTable(times, [joint[at] for at in times])
