"""The values that go into the store and come out of it: bytes, numbers and text."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from logger.model import Report, Role


@dataclass(frozen=True, slots=True)
class Batch:
    """The lines of one role at one tick: `body` is one gzip member of line protocol that ends in a newline."""

    role: Role
    lines: int
    body: bytes


@dataclass(frozen=True, slots=True)
class DailyRow:
    """The current state of one series on one day. `series` is its canonical tag text, `day` an ISO date."""

    measurement: str
    series: str
    day: str
    line: bytes
    final: bool


@dataclass(frozen=True, slots=True)
class Commit:
    """Everything that one tick of one gateway changes; it is stored whole or not at all.

    `state` holds the keys that changed, as JSON text; None deletes a key. `recent` are a few numbers to look back on.
    """

    gateway: str
    tick: int
    batches: tuple[Batch, ...] = ()
    state: Mapping[str, str | None] = field(default_factory=dict)
    reports: tuple[Report, ...] = ()
    daily: tuple[DailyRow, ...] = ()
    recent: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Lease:
    """Rows to deliver together; they stay in the store until acknowledged.

    `ids` and `batches` belong together one by one. `revisions`: the version of each daily row; empty for other roles.
    """

    ids: tuple[int, ...]
    gateway: str
    role: Role
    batches: tuple[bytes, ...] = field(repr=False)
    lines: int
    oldest_tick: int
    newest_tick: int
    revisions: tuple[int, ...] = ()

    @property
    def end(self) -> tuple[int, int]:
        """Tick and id of the last row, to lease what comes after it."""
        return self.newest_tick, self.ids[-1]

    @property
    def body(self) -> bytes:
        """All batches as one gzip body; gzip members may follow one another."""
        return b"".join(self.batches)

    def select(self, numbers: Iterable[int]) -> Lease:
        """Select rows of the lease by their places in `batches`, to acknowledge them alone."""
        chosen = tuple(numbers)
        return replace(
            self,
            ids=tuple(self.ids[n] for n in chosen),
            batches=tuple(self.batches[n] for n in chosen),
            revisions=tuple(self.revisions[n] for n in chosen) if self.revisions else (),
        )


@dataclass(frozen=True, slots=True)
class Sent:
    """Batches that were delivered before, in order of delivery; `end` is the place after which to continue."""

    batches: tuple[bytes, ...] = field(repr=False)
    lines: int
    end: tuple[int, int]


@dataclass(frozen=True, slots=True)
class RefusedRow:
    """A refused line in the store; `at` is the unix time of the refusal, in seconds."""

    id: int
    gateway: str
    role: Role
    tick: int
    at: int
    status: int
    reason: str
    line: bytes
