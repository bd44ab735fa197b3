"""Deliver batches to InfluxDB, and find every line that the server does not accept.

A batch is one gzip member of line protocol. One request sends several batches unchanged. A request is divided only if
it is too large, contains a bad line, or gets status 500 in a search for bad lines. The parts are halves, then single
batches, then single lines. A line may be sent twice: its time is fixed, so the second point replaces the first.
"""

from __future__ import annotations

import gzip
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from logger.clock import Clock
from logger.influx.classify import BadLines, Blocked, Done, OutsideRetention, TooLarge, Wait
from logger.influx.write import Writer
from logger.model import RefusedLine, Role

MOST_REQUESTS = 400
MOST_S = 20.0
"""Seconds after which no further batch is begun. The same applies after MOST_REQUESTS requests."""
_HOPELESS = 8
"""If this many batches fail one by one, and none is accepted, the server is at fault."""
_HOPELESS_PARTS = 64
"""If this many parts of one batch get status 500, and the delivery had no success, the server is at fault."""

Search: TypeAlias = Literal["none", "batches", "lines"]
"""How far to divide batches that a server answers with 500: not at all, to single batches, or to single lines."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """The result of a delivery of batches.

    `done`: the indexes of the finished batches. The bad lines of these batches are in `refused`. All other batches
    need another delivery. If the outcome is Done although batches are unfinished, the delivery has reached its limit
    of requests or seconds. `outside_retention`: the number of requests with points that are older than the bucket's
    retention.
    """

    outcome: Done | Wait | Blocked
    done: tuple[int, ...]
    refused: tuple[RefusedLine, ...] = ()
    outside_retention: int = 0
    requests: int = 0


async def deliver(
    writer: Writer, role: Role, batches: Sequence[bytes], *, clock: Clock, search: Search = "none"
) -> Delivery:
    """Write batches to the bucket of `role`. Each batch must be valid gzip of lines that end in a newline.

    After MOST_REQUESTS requests or MOST_S seconds no further batch is begun, provided that at least one batch is
    finished. `search`: how to find lines that the server answers with 500 again and again. With "batches", a failed
    request is divided into single batches. A single batch that gets status 500 is left out of `done`, and the other
    batches are delivered. But if `_HOPELESS` batches have failed and no batch is delivered, the search ends. With
    "lines", a failed batch is divided into single lines. A single line that gets status 500 twice is refused, if the
    server accepted other lines of this delivery.
    """
    sending = _Sending(writer, role, batches, clock, search)
    outcome = await sending.send(range(len(batches)))
    return Delivery(
        outcome, tuple(sorted(sending.done)), tuple(sending.refused), sending.outside_retention, sending.requests
    )


class _Sending:
    """Sends the batches of one delivery and collects the results."""

    def __init__(self, writer: Writer, role: Role, batches: Sequence[bytes], clock: Clock, search: Search) -> None:
        self._writer = writer
        self._role: Role = role
        self._batches = batches
        self._clock = clock
        self._until = clock.monotonic() + MOST_S
        self._search: Search = search
        self._is_well = False
        self._failed: list[int] = []
        self.done: set[int] = set()
        self.refused: list[RefusedLine] = []
        self.outside_retention = 0
        self.requests = 0

    async def send(self, numbers: Sequence[int]) -> Done | Wait | Blocked:
        """Deliver these batches in one request.

        If the request is too large, has a bad line, or gets status 500 in a search for bad lines, deliver the batches
        in parts.
        """
        if not numbers or self._is_enough():
            return Done()
        outcome = await self._write(b"".join(self._batches[number] for number in numbers))
        match outcome:
            case Done():
                self.done.update(numbers)
                self._is_well = True
                return outcome
            case Wait(status=500) if self._search != "none" and len(numbers) > 1:
                return await self._send_halves(numbers, despite=outcome)
            case Wait(status=500, of_server=False) if self._search == "lines":
                found = await self._send_lines(numbers[0])
                self._failed += [] if isinstance(found, Done) else numbers
                return found
            case Wait() | Blocked():
                self._failed += numbers
                return outcome
        if len(numbers) == 1:
            return await self._send_lines(numbers[0])
        return await self._send_halves(numbers)

    async def _send_halves(self, numbers: Sequence[int], despite: Wait | None = None) -> Done | Wait | Blocked:
        """Send one half of the batches, then the other half.

        `despite`: the answer to the request that contained both halves, if its status was 500; otherwise None. If the
        first half fails, the other half is not sent. There is one exception: if `despite` is given and the first half
        got status 500 too, the other half is sent, unless many batches have failed and none was delivered.
        """
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
        """Deliver batch `number`. If needed, divide the batch down to single lines, and refuse the bad lines."""
        lines = [line for line in gzip.decompress(self._batches[number]).split(b"\n") if line]
        refused: list[RefusedLine] = []
        suspects: list[bytes] = []
        failed = 0
        pending: deque[Sequence[bytes]] = deque([lines])
        while pending:
            part = pending.popleft()
            outcome = await self._write(_pack(part))
            match outcome:
                case Done():
                    self._is_well = True
                case Wait(status=500, of_server=False) if self._may_search_on(failed):
                    failed += 1
                    if len(part) == 1:
                        suspects += part
                    else:
                        pending += _halve(part)
                case TooLarge() | BadLines() if len(part) > 1:
                    pending += _halve(part)
                case TooLarge() | BadLines():
                    refused.append(_refuse(part[0], outcome, number))
                case Wait() | Blocked():
                    return outcome
        confirmed = await self._confirm(suspects, number)
        if isinstance(confirmed, Wait | Blocked):
            return confirmed
        self.refused += [*refused, *confirmed]
        self.done.add(number)
        return Done()

    async def _confirm(self, suspects: Sequence[bytes], number: int) -> list[RefusedLine] | Wait | Blocked:
        """Send each of the `suspects` alone once more. Return the lines to refuse, or the reason to wait.

        `suspects`: the lines that the server answered with 500 when each line was sent alone. `number`: the
        index of their batch among the batches of the delivery.
        """
        refused: list[RefusedLine] = []
        for line in suspects:
            outcome = await self._write(_pack([line]))
            match outcome:
                case Done():
                    pass
                case Wait(status=500, of_server=False) if self._is_well:
                    refused.append(_refuse(line, outcome, number))
                case TooLarge() | BadLines():
                    refused.append(_refuse(line, outcome, number))
                case Wait() | Blocked():
                    return outcome
        return refused

    def _may_search_on(self, failed: int) -> bool:
        """Return whether to divide a part of a batch that got status 500.

        `failed`: how many parts of this batch got status 500 before. While the server has accepted nothing of
        this delivery, at most `_HOPELESS_PARTS` parts are divided, because the server itself may be at fault.
        """
        return self._search == "lines" and (self._is_well or failed < _HOPELESS_PARTS)

    async def _write(self, body: bytes) -> Done | Wait | Blocked | TooLarge | BadLines:
        """Send one request. Count a request with points older than the bucket's retention, and return Done for it."""
        self.requests += 1
        outcome = await self._writer.write(self._role, body)
        if isinstance(outcome, OutsideRetention):
            self.outside_retention += 1
            return Done()
        return outcome


def _is_500(outcome: Wait | Blocked) -> bool:
    return isinstance(outcome, Wait) and outcome.status == 500


def _pack(lines: Sequence[bytes]) -> bytes:
    return gzip.compress(b"".join(line + b"\n" for line in lines), 1)


def _halve(lines: Sequence[bytes]) -> tuple[Sequence[bytes], Sequence[bytes]]:
    middle = len(lines) // 2
    return lines[:middle], lines[middle:]


def _refuse(line: bytes, outcome: Wait | TooLarge | BadLines, number: int) -> RefusedLine:
    status = 413 if isinstance(outcome, TooLarge) else outcome.status
    return RefusedLine(line, status, outcome.reason, number)
