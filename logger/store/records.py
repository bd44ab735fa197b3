"""Define the values that are written to the store and read from the store."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace

from logger.model import Report, Role


@dataclass(frozen=True, slots=True)
class Batch:
    """The lines of one role at one tick.

    `body`: the lines in line protocol, compressed to one gzip member. Each line ends in a newline.
    """

    role: Role
    lines: int
    body: bytes


@dataclass(frozen=True, slots=True)
class DailyRow:
    """The current row of one series on one day. `series`: the sorted tags as text. `day`: an ISO date."""

    measurement: str
    series: str
    day: str
    line: bytes
    final: bool


@dataclass(frozen=True, slots=True)
class Commit:
    """All changes of one tick of one gateway. They are stored together in one transaction.

    `state`: the changed keys, as JSON text; the value None deletes a key. `recent`: a few numbers to draw later.
    """

    gateway: str
    tick: int
    batches: tuple[Batch, ...] = ()
    state: Mapping[str, str | None] = field(default_factory=dict)
    reports: tuple[Report, ...] = ()
    daily: tuple[DailyRow, ...] = ()
    recent: Mapping[str, float] = field(default_factory=dict)

    @property
    def roles(self) -> frozenset[Role]:
        """Return the roles that get new rows from this commit."""
        days: list[Role] = ["daily"] if self.daily else []
        return frozenset([*(batch.role for batch in self.batches), *days])


@dataclass(frozen=True, slots=True)
class Lease:
    """Rows to deliver together. The rows stay in the store until they are acknowledged.

    `ids` and `batches` are in the same order. `revisions`: the version of each daily row; empty for other roles.
    `is_all`: no further row of the role waits.
    """

    ids: tuple[int, ...]
    gateway: str
    role: Role
    batches: tuple[bytes, ...] = field(repr=False)
    lines: int
    oldest_tick: int
    newest_tick: int
    revisions: tuple[int, ...] = ()
    is_all: bool = False

    @property
    def end(self) -> tuple[int, int]:
        """Return tick and id of the last row, after which the next lease begins."""
        return self.newest_tick, self.ids[-1]

    @property
    def body(self) -> bytes:
        """Return all batches as one body of several gzip members."""
        return b"".join(self.batches)

    def date_delivery(self, at: float) -> int:
        """Return the delivery time to store for the rows, in unix seconds. `at`: the delivery time by our clock.

        The result is at least the time of the newest tick. Otherwise rows that are delivered while our clock is far
        behind would be deleted too early.
        """
        return max(int(at), self.newest_tick)

    def select(self, numbers: Iterable[int]) -> Lease:
        """Return a lease of a part of the rows. `numbers`: the positions of these rows in `batches`."""
        chosen = tuple(numbers)
        return replace(
            self,
            ids=tuple(self.ids[n] for n in chosen),
            batches=tuple(self.batches[n] for n in chosen),
            revisions=tuple(self.revisions[n] for n in chosen) if self.revisions else (),
        )

    def divide(self, rows: int) -> Iterator[Lease]:
        """Return leases of `rows` rows each, in the same order. The last lease may have fewer rows."""
        for first in range(0, len(self.ids), rows):
            yield self.select(range(first, min(first + rows, len(self.ids))))


@dataclass(frozen=True, slots=True)
class Sent:
    """Batches that were delivered before, in order of delivery. `end`: the position after which to continue."""

    batches: tuple[bytes, ...] = field(repr=False)
    lines: int
    end: tuple[int, int]


@dataclass(frozen=True, slots=True)
class RefusedRow:
    """A refused line of the store. `at`: the time of the refusal, in unix seconds."""

    id: int
    gateway: str
    role: Role
    tick: int
    at: int
    status: int
    reason: str
    line: bytes
