"""What goes into the store and what comes out: bytes, numbers and text, nothing of gateways or InfluxDB."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from logger.model import Report, Role


@dataclass(frozen=True, slots=True)
class Member:
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
    """Everything one tick of one gateway changes; it is stored whole or not at all.

    `ledger` holds the changed keys, as JSON text; None deletes a key. `recent` are a few numbers to look back on.
    """

    gateway: str
    tick: int
    members: tuple[Member, ...] = ()
    ledger: Mapping[str, str | None] = field(default_factory=dict)
    reports: tuple[Report, ...] = ()
    daily: tuple[DailyRow, ...] = ()
    recent: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Lease:
    """Rows to deliver together; they stay in the store until acknowledged.

    `ids` and `members` belong together one by one. `revisions` is empty for ticks; for daily rows it says which
    version of each row this is.
    """

    ids: tuple[int, ...]
    gateway: str
    role: Role
    members: tuple[bytes, ...] = field(repr=False)
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
        """All members as one gzip body; gzip allows members to follow one another."""
        return b"".join(self.members)

    def only(self, numbers: Iterable[int]) -> Lease:
        """Those rows of the lease that were delivered, by their place in `members`; to acknowledge them alone."""
        chosen = tuple(numbers)
        return replace(
            self,
            ids=tuple(self.ids[n] for n in chosen),
            members=tuple(self.members[n] for n in chosen),
            revisions=tuple(self.revisions[n] for n in chosen) if self.revisions else (),
        )


@dataclass(frozen=True, slots=True)
class Sent:
    """Members that were delivered before, in that order; `end` is where the next ones begin."""

    members: tuple[bytes, ...] = field(repr=False)
    lines: int
    end: tuple[int, int]


@dataclass(frozen=True, slots=True)
class Refused:
    """A line that the database will never take, with the status and the reason it gave.

    `member` is the place of its row in the lease.
    """

    line: bytes
    status: int
    reason: str
    member: int = 0


@dataclass(frozen=True, slots=True)
class RefusedLine:
    """A refused line as it lies in the store; `at` is the unix time of the refusal."""

    id: int
    gateway: str
    role: Role
    tick: int
    at: int
    status: int
    reason: str
    line: bytes


@dataclass(frozen=True, slots=True)
class RoleState:
    """The figures of one role. Waiting: `rows` to `oldest_tick`. Ever, across restarts: the others.

    `missed` counts the ticks that could not be stored at all, `dropped_rows` those given up at the size limit.
    """

    rows: int
    lines: int
    bytes: int
    oldest_tick: int | None
    stored_rows: int
    stored_lines: int
    delivered_rows: int
    delivered_lines: int
    dropped_rows: int
    dropped_lines: int
    missed: int


@dataclass(frozen=True, slots=True)
class Waiting:
    """What lies in the store, by role, and how much of it is on disk.

    `last_delivery`: when a tick that the store still knows was delivered, in unix seconds; None if there is none.
    """

    roles: Mapping[Role, RoleState]
    refused: int
    disk_bytes: int
    last_delivery: int | None = None

    @property
    def rows(self) -> int:
        """Rows that wait for delivery."""
        return sum(role.rows for role in self.roles.values())

    @property
    def lines(self) -> int:
        """Lines that wait for delivery."""
        return sum(role.lines for role in self.roles.values())

    @property
    def bytes(self) -> int:
        """Bytes that wait for delivery, compressed."""
        return sum(role.bytes for role in self.roles.values())

    @property
    def oldest_tick(self) -> int | None:
        """The oldest tick that waits, or None."""
        return min((role.oldest_tick for role in self.roles.values() if role.oldest_tick is not None), default=None)

    @property
    def stored(self) -> int:
        """Lines ever stored; of a daily row each of its values, also those that a newer one replaced unsent."""
        return sum(role.stored_lines for role in self.roles.values())

    @property
    def delivered(self) -> int:
        """Lines ever delivered; a replay counts again."""
        return sum(role.delivered_lines for role in self.roles.values())

    @property
    def dropped(self) -> int:
        """Lines ever dropped undelivered because the store was full."""
        return sum(role.dropped_lines for role in self.roles.values())

    @property
    def missed(self) -> int:
        """Ticks ever lost because nothing could be written."""
        return max((role.missed for role in self.roles.values()), default=0)
