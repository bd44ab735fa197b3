"""Adapts the number of lines in a batch to the server, so that the server needs a few seconds for one batch."""

from __future__ import annotations

from typing import Final

from logger.influx.write import Writer
from logger.model import Role

_FEWEST_LINES: Final = 200
_SLOW_S: Final = 5.0
"""After a batch that takes more seconds than this, the size of the next batches is halved.

After a batch that takes less than a quarter of this time, the size is doubled.
"""


class BatchSizes:
    """How many lines a batch of each role may contain. The limit is never above the server's own limit."""

    def __init__(self, writer: Writer) -> None:
        self._writer = writer
        self._lines: dict[Role, int] = {}

    def most(self, role: Role) -> int:
        """Return the greatest number of lines that a batch of the role may contain now."""
        return min(self._lines.get(role, self._writer.most_lines), self._writer.most_lines)

    def fit(self, role: Role, took_s: float) -> None:
        """Choose the size of the role's next batch from the seconds that the last batch took."""
        if took_s > _SLOW_S:
            self.halve(role)
        elif took_s < _SLOW_S / 4:
            self._lines[role] = 2 * self.most(role)

    def halve(self, role: Role) -> None:
        """Halve the size of the role's next batch, because the server could not process the last batch."""
        self._lines[role] = max(_FEWEST_LINES, self.most(role) // 2)
