"""Chooses the number of lines in a delivery, so that the server needs only a few seconds for a delivery."""

from __future__ import annotations

from typing import Final

from logger.influx.write import Writer
from logger.model import Role

_FEWEST_LINES: Final = 200
_SLOW_S: Final = 5.0
"""After a delivery that takes more seconds than this, the size of the next delivery is halved.

After a delivery that takes less than a quarter of this time, the size is doubled.
"""


class BatchSizes:
    """How many lines of backlog one delivery of each role may contain: never more than the server's own limit."""

    def __init__(self, writer: Writer) -> None:
        self._writer = writer
        self._lines: dict[Role, int] = {}

    def most(self, role: Role) -> int:
        """Return the greatest number of lines that a delivery of the role may contain now."""
        return min(self._lines.get(role, self._writer.most_lines), self._writer.most_lines)

    def fit(self, role: Role, took_s: float) -> None:
        """Choose the size of the role's next delivery from the seconds that the last delivery took."""
        if took_s > _SLOW_S:
            self.halve(role)
        elif took_s < _SLOW_S / 4:
            self._lines[role] = 2 * self.most(role)

    def halve(self, role: Role) -> None:
        """Halve the size of the role's next delivery, because the last delivery failed or took too long.

        The size does not fall below `_FEWEST_LINES` lines.
        """
        self._lines[role] = max(_FEWEST_LINES, self.most(role) // 2)
