"""Deliver batches to InfluxDB, and find every line that the server will never take.

A batch is one gzip member of line protocol. Batches travel as they are, one behind the other; only a request that is
too large or holds a bad line is taken apart, halving down to the batch and then down to the line. Sending a line
twice does no harm: times are fixed, so the same point is written again.
"""

from __future__ import annotations

import gzip
from collections.abc import Sequence
from dataclasses import dataclass

from logger.clock import Clock
from logger.influx.classify import BadLines, Blocked, Done, OutsideRetention, TooLarge, Wait
from logger.influx.write import Writer
from logger.model import RefusedLine, Role

MOST_REQUESTS = 400
MOST_S = 20.0
"""After so many requests or seconds no further batch is begun; the one in hand is finished."""
_HOPELESS = 8
"""Batches that a server fails over, one by one and none passing, before it is the server that is at fault."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """The result of a delivery of batches.

    `done` are the numbers of the batches that need not be sent again: taken, or refused as listed in `refused`
    (which speaks of done batches only). The others stay: after Done because the search for bad lines reached its
    bound, and then at least one is done. `outside_retention` counts the requests whose points were in part older than
    the bucket keeps.
    """

    outcome: Done | Wait | Blocked
    done: tuple[int, ...]
    refused: tuple[RefusedLine, ...] = ()
    outside_retention: int = 0
    requests: int = 0


async def deliver(
    writer: Writer, role: Role, batches: Sequence[bytes], *, clock: Clock, around: bool = False
) -> Delivery:
    """Write the batches (sound gzip, each unpacking to lines that end in a newline) to the bucket of `role`.

    Requests and time are bounded: MOST_REQUESTS, MOST_S, and what it takes to finish one batch.
    `around`: the server is known to be well and yet answers 500 to these batches again and again; a batch that gets
    this answer by itself is left out of `done`, everything else is delivered.
    """
    sending = _Sending(writer, role, batches, clock, around=around)
    outcome = await sending.send(range(len(batches)))
    return Delivery(
        outcome, tuple(sorted(sending.done)), tuple(sending.refused), sending.outside_retention, sending.requests
    )


class _Sending:
    """One delivery under way."""

    def __init__(self, writer: Writer, role: Role, batches: Sequence[bytes], clock: Clock, *, around: bool) -> None:
        self._writer = writer
        self._role: Role = role
        self._batches = batches
        self._clock = clock
        self._until = clock.monotonic() + MOST_S
        self._around = around
        self._failed: list[int] = []
        self.done: set[int] = set()
        self.refused: list[RefusedLine] = []
        self.outside_retention = 0
        self.requests = 0

    async def send(self, numbers: Sequence[int]) -> Done | Wait | Blocked:
        """Deliver these batches, together if the server takes them so."""
        if not numbers or self._is_enough():
            return Done()
        outcome = await self._write(b"".join(self._batches[number] for number in numbers))
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
        """Deliver one batch, down to single lines where it must be; the bad ones are refused."""
        lines = [line for line in gzip.decompress(self._batches[number]).split(b"\n") if line]
        refused: list[RefusedLine] = []
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
                    refused.append(RefusedLine(part[0], 413, reason, number))
                case BadLines(reason, status):
                    refused.append(RefusedLine(part[0], status, reason, number))
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
