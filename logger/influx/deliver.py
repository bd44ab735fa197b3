"""A batch of stored members → delivered, with every line that the server refuses for ever found and named.

A member is one gzip member of line protocol. Members travel as they are, one behind the other; only a batch that
is too large or holds a bad line is taken apart, halving down to the member and then down to the line. Sending a
line twice does no harm: times are fixed, so the same point is written again.
"""

from __future__ import annotations

import gzip
from collections.abc import Sequence
from dataclasses import dataclass

from logger.clock import Clock
from logger.influx.classify import BadLines, Blocked, Done, OutsideRetention, TooLarge, Wait
from logger.influx.write import Writer
from logger.model import Role

MOST_REQUESTS = 400
MOST_S = 20.0
"""After so many requests or seconds no further member is begun; the one in hand is finished."""
_HOPELESS = 8
"""Members that a server fails over, one by one and none passing, before it is the server that is at fault."""


@dataclass(frozen=True, slots=True)
class Refused:
    """A line (without its newline) that will never be taken, of the batch's member number `member`."""

    member: int
    line: bytes
    status: int
    reason: str


@dataclass(frozen=True, slots=True)
class Delivery:
    """What became of a batch.

    `done` are the numbers of the members that need not be sent again: taken, or refused as listed in `refused`
    (which speaks of done members only). The others stay: after Done because the search for bad lines reached its
    bound, and then at least one is done. `outside_retention` counts the requests whose points were in part older than
    the bucket keeps.
    """

    outcome: Done | Wait | Blocked
    done: tuple[int, ...]
    refused: tuple[Refused, ...] = ()
    outside_retention: int = 0
    requests: int = 0


async def deliver(
    writer: Writer, role: Role, members: Sequence[bytes], *, clock: Clock, around: bool = False
) -> Delivery:
    """Write the members (sound gzip, each unpacking to lines that end in a newline) to the bucket of `role`.

    Requests and time are bounded: MOST_REQUESTS, MOST_S, and what it takes to finish one member.
    `around`: the server is known to be well and yet answers 500 to this batch again and again; what it answers so to
    by itself is found and left out of `done`, everything else is delivered.
    """
    batch = _Batch(writer, role, members, clock, around=around)
    outcome = await batch.send(range(len(members)))
    return Delivery(outcome, tuple(sorted(batch.done)), tuple(batch.refused), batch.outside_retention, batch.requests)


class _Batch:
    """One delivery under way."""

    def __init__(self, writer: Writer, role: Role, members: Sequence[bytes], clock: Clock, *, around: bool) -> None:
        self._writer = writer
        self._role: Role = role
        self._members = members
        self._clock = clock
        self._until = clock.monotonic() + MOST_S
        self._around = around
        self._failed: list[int] = []
        self.done: set[int] = set()
        self.refused: list[Refused] = []
        self.outside_retention = 0
        self.requests = 0

    async def send(self, numbers: Sequence[int]) -> Done | Wait | Blocked:
        """Deliver these members, together if the server takes them so."""
        if not numbers or self._is_enough():
            return Done()
        outcome = await self._write(b"".join(self._members[number] for number in numbers))
        match outcome:
            case Done():
                self.done.update(numbers)
                return outcome
            case Wait(status=500) if self._around and len(numbers) > 1:
                return await self._send_halves(numbers, despite=outcome)
            case Wait() | Blocked():
                self._failed += numbers
                return outcome
        if len(numbers) == 1:
            return await self._send_lines(numbers[0])
        return await self._send_halves(numbers)

    async def _send_halves(self, numbers: Sequence[int], despite: Wait | None = None) -> Done | Wait | Blocked:
        """One half, and then the other if the first passed, or failed as `despite` did and there still is hope."""
        middle = len(numbers) // 2
        first = await self.send(numbers[:middle])
        hopeless = len(self._failed) >= _HOPELESS and not self.done
        if not isinstance(first, Done) and (despite is None or not _is_500(first) or hopeless):
            return first
        second = await self.send(numbers[middle:])
        return first if isinstance(second, Done) else second

    def _is_enough(self) -> bool:
        return bool(self.done) and (self.requests >= MOST_REQUESTS or self._clock.monotonic() >= self._until)

    async def _send_lines(self, number: int) -> Done | Wait | Blocked:
        """Deliver one member, down to single lines where it must be; the bad ones are refused."""
        lines = [line for line in gzip.decompress(self._members[number]).split(b"\n") if line]
        refused: list[Refused] = []
        pending = [lines]
        while pending:
            part = pending.pop()
            match await self._write(gzip.compress(b"".join(line + b"\n" for line in part), 1)):
                case Done():
                    pass
                case TooLarge() | BadLines() if len(part) > 1:
                    middle = len(part) // 2
                    pending += [part[middle:], part[:middle]]
                case TooLarge(reason):
                    refused.append(Refused(number, part[0], 413, reason))
                case BadLines(reason, status):
                    refused.append(Refused(number, part[0], status, reason))
                case (Wait() | Blocked()) as trouble:
                    return trouble
        self.refused += refused
        self.done.add(number)
        return Done()

    async def _write(self, body: bytes) -> Done | Wait | Blocked | TooLarge | BadLines:
        """One request. Points older than the bucket keeps are counted; the others of that request were taken."""
        self.requests += 1
        outcome = await self._writer.write(self._role, body)
        if isinstance(outcome, OutsideRetention):
            self.outside_retention += 1
            return Done()
        return outcome


def _is_500(outcome: Wait | Blocked) -> bool:
    return isinstance(outcome, Wait) and outcome.status == 500
