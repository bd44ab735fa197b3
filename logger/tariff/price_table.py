"""Read hourly prices from CSV lines `time,buy,sell`. Pure."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import pairwise
from math import isfinite
from typing import Final

_LONGEST_S: Final = 3600
"""The longest time in seconds for which a price applies; it ends earlier when the next price begins."""
_HEADER: Final = ["time", "buy", "sell"]
_EXAMPLE: Final = "2026-01-31T14:00+01:00,0.2871,0.0412"
_MOST_TIMES: Final = 100
"""A line is refused if its selling price is at least this many times its buying price (0 counts as 1).

Only prices without a point are compared. Such a pair is one price with a decimal comma: `0,2871` looks like a buying
price of 0 and a selling price of 2871.
"""


@dataclass(frozen=True, slots=True)
class PriceTable:
    """Prices by time: `times` in unix seconds, ascending; `prices` are (buy, sell) in currency per kWh.

    A selling price is None if the price file gives no selling price.
    """

    times: Sequence[int] = ()
    prices: Sequence[tuple[float, float | None]] = field(default=())

    def price_at(self, at: int) -> tuple[int, int, float, float | None] | None:
        """Return (begin, end, buy, sell) of the price that applies at a unix time; None without a price."""
        place = bisect_right(self.times, at) - 1
        if place < 0 or at >= (end := self._end_of(place)):
            return None
        return self.times[place], end, *self.prices[place]

    def list_gaps(self) -> Iterator[tuple[int, int]]:
        """Yield the beginning and the end, in unix seconds, of each gap between the first and the last price."""
        for place, following in enumerate(self.times[1:]):
            if (end := self._end_of(place)) < following:
                yield end, following

    def _end_of(self, place: int) -> int:
        """Return the end of a price in unix seconds: when the next price begins, or earlier if prices are missing.

        `place`: the index of the price in the table. A price lasts at most as long as the longer of its two
        neighbours, and at most an hour. Without neighbours it lasts an hour. So the price of a quarter of an hour
        does not apply for longer if the following prices are missing.
        """
        times = self.times[max(0, place - 1) : place + 3]
        steps = [after - before for before, after in pairwise(times) if before != self.times[place]]
        end = self.times[place] + max((step for step in steps if step <= _LONGEST_S), default=_LONGEST_S)
        return min(end, self.times[place + 1]) if place + 1 < len(self.times) else end


def parse_prices(text: str) -> tuple[dict[int, tuple[float, float | None]], list[str]]:
    """Parse the lines of one price file. Return (buy, sell) by unix time, and the problems with their line numbers.

    The first line may be a header. With a wrong header no line is used. A last line without a newline is left out,
    because it is still being written. If two lines give a price for the same time, the later line applies.
    """
    found: dict[int, tuple[float, float | None]] = {}
    problems: list[str] = []
    most = len(_HEADER)
    for number, line in enumerate(text.splitlines(keepends=True), 1):
        cells = [cell.strip().strip('"') for cell in line.split(",")]
        if not line.endswith("\n") or not line.strip():
            continue
        if number == 1 and not any(character.isdigit() for character in line):
            if [cell.lower() for cell in cells] not in (_HEADER, _HEADER[:2]):
                return {}, [f"line 1: the header must be {','.join(_HEADER)}, so no line of this file is used"]
            most = len(cells)
            continue
        try:
            at, prices = _parse_line(cells, most)
            found[at] = prices
        except ValueError as error:
            problems.append(f"line {number}: {error}")
    return found, problems


def _parse_line(cells: list[str], most: int) -> tuple[int, tuple[float, float | None]]:
    """Parse the cells of a line. A line has not more than `most` cells. Return the unix time and (buy, sell).

    If the line cannot be used, raise ValueError. The error's text names the mistake.
    """
    if not 2 <= len(cells) <= most:
        raise ValueError(f"a line is time,buy,sell with a point in each price, such as {_EXAMPLE}")
    try:
        at = datetime.fromisoformat(cells[0])
    except ValueError:
        raise ValueError(f"the line does not begin with a time; write a line such as {_EXAMPLE}") from None
    if at.tzinfo is None:
        raise ValueError("the time has no offset: write 2026-01-31T14:00+01:00 or …T13:00Z")
    try:
        buy, sell = float(cells[1]), float(cells[2]) if len(cells) > 2 and cells[2] else None
    except ValueError:
        raise ValueError(f"a price is not a number; write a line such as {_EXAMPLE}") from None
    if not isfinite(buy) or (sell is not None and not isfinite(sell)):
        raise ValueError("a price is not a finite number")
    if sell is not None and "." not in cells[1] + cells[2] and _is_fraction(cells[1], cells[2]):
        raise ValueError(f"sold at {cells[2]}? write a price with a point, not with a comma: {_EXAMPLE}")
    return int(at.timestamp()), (buy, sell)


def _is_fraction(buy: str, sell: str) -> bool:
    """Return whether two prices without a point are the parts of one number with a comma, such as 0,05 or -0,2."""
    if sell.isdigit() and (buy == "-0" or (len(sell) > 1 and sell[0] == "0")):
        return True
    return abs(float(sell)) >= _MOST_TIMES * max(1.0, abs(float(buy)))


def make_table(prices: Iterable[dict[int, tuple[float, float | None]]]) -> PriceTable:
    """Return a table with the prices of several files.

    `prices`: for each file, the beginning of a price in unix seconds → (buy, sell). If two files give a price for the
    same time, the file that comes later in `prices` applies.
    """
    joint: dict[int, tuple[float, float | None]] = {}
    for of_file in prices:
        joint |= of_file
    times = sorted(joint)
    return PriceTable(times, [joint[at] for at in times])
