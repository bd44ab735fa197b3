"""A recorded gateway as a process of its own, over TLS: `python -m tests.benchmarks.served RECORDING STILL CLOCK…`.

It prints its settings and a token as one line of JSON, and the number of its requests when its standard input ends.
"""

from __future__ import annotations

import asyncio
import json
import re
import sys
from pathlib import Path
from typing import Final

from logger.clock import FastClock
from logger.simulator.recording import Recording
from logger.simulator.server import Simulator
from logger.simulator.site_model import Access, Reply

_SECONDS: Final = re.compile(rb'("(?:timestamp|readingTime|createdTime)"\s*:\s*)(\d{10})\b')
_INFO: Final = re.compile(rb"(<time>)(\d{10})\b")
_REPORTS: Final = re.compile(rb'("(?:lastReportDate|last_rpt_date|endDate)"\s*:\s*"?)(\d{10})\b')
_COUNTERS: Final = re.compile(rb'("(?:actEnergyDlvd|whLifetime)"\s*:\s*)([\d.]+)')
_REPORT_S: Final = 300
_POWER_W: Final = 1000.0


class MovingRecording:
    """A recorded gateway that goes on: times follow the clock, counters rise by a kilowatt. The rest stays."""

    def __init__(self, recorded: Recording) -> None:
        self._recorded = recorded
        self.serial, self.needs_token, self.at = recorded.serial, recorded.needs_token, recorded.at or 0.0

    def answer(self, path: str, now: float) -> Reply:
        reply = self._recorded.answer(path, now)
        passed = max(0, int(now - self.at))
        body = _SECONDS.sub(lambda found: found[1] + str(int(found[2]) + passed).encode(), reply.body)
        reported = passed // _REPORT_S * _REPORT_S
        body = _INFO.sub(lambda found: found[1] + str(int(now)).encode(), body)
        body = _REPORTS.sub(lambda found: found[1] + str(int(found[2]) + reported).encode(), body)
        risen = passed * _POWER_W / 3600
        body = _COUNTERS.sub(lambda found: found[1] + f"{float(found[2]) + risen:.3f}".encode(), body)
        return Reply(reply.status, reply.content_type, body)

    def access(self, path: str) -> Access:
        return self._recorded.access(path)


async def serve(folder: Path, *, still: bool, clock: FastClock) -> None:
    recorded = Recording(folder)
    async with Simulator(recorded if still else MovingRecording(recorded), clock) as simulator:
        print(json.dumps({**simulator.settings, "token": simulator.new_token()}), flush=True)
        await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
        print(json.dumps(len(simulator.journal)), flush=True)


if __name__ == "__main__":
    numbers = [float(text) for text in sys.argv[3:]]
    asyncio.run(serve(Path(sys.argv[1]), still=sys.argv[2] == "still", clock=FastClock(*numbers)))
