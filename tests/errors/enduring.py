"""The recorder's own loop among broken answers, in a process of its own: `enduring SEED ANSWERS`.

It prints a line of JSON: how many answers there were, ticks and points, the growth of memory in MiB after the first
tenth, open files before and after, the longest time that the processor spent without the loop having its turn.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import json
import logging
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Concatenate, ParamSpec, TypeVar, cast

from logger.daemon.collector import Collector
from logger.daemon.progress import Progress
from logger.errors import EnvoyLoggerError
from logger.gateway.access import Access
from logger.gateway.client import Gateway
from logger.gateway.cloud import fetch_token
from logger.influx.dialects import Target
from logger.influx.write import Writer
from logger.model import ROLES
from logger.provision.detect import detect_server
from logger.simulator.credentials import TokenMaker
from logger.site import Site
from logger.store.records import Commit
from logger.store.store import Store
from tests.clocks import HandClock
from tests.errors.facing import Turns, memory, served

START = 1_782_000_000.0

P = ParamSpec("P")
T = TypeVar("T")


class Nowhere:
    """A store that forgets all but the books."""

    def __init__(self) -> None:
        self.points = 0

    async def call(self, function: Callable[Concatenate[Store, P], T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        self.points += sum(batch.lines for given in args if isinstance(given, Commit) for batch in given.batches)
        return cast(T, {} if function.__name__ in ("read_state", "read_reports") else None)

    def call_later(
        self, function: Callable[Concatenate[Store, P], object], /, *args: P.args, **kwargs: P.kwargs
    ) -> None:
        """Forget it, too."""


async def main(answers: int, plain: int, secure: int, serial: str) -> object:
    logging.disable()
    clock = HandClock(START)
    clock.patience_s = 2.0
    url = f"http://127.0.0.1:{plain}"
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        account = Access("x", folder, username="a@example.org", password="pw", login_url=f"{url}/login/login.json",
                         token_url=f"{url}/tokens")  # fmt: skip
        pasted = TokenMaker().make(serial, START, lifetime_s=3650 * 86400.0)
        access = Access(f"https://127.0.0.1:{secure}", folder, expected_serial=serial, tls="off", token=pasted)
        target = Target(url, "auto", "influx-token", "home", "", "", dict.fromkeys(ROLES, "envoy"))
        store, turns, gateway = Nowhere(), Turns(), Gateway(access, clock)
        collector = Collector(
            Gateway(access, clock), store, clock, Site(devices_s=60, zone="Europe/Paris"), Progress(clock)
        )
        slow = asyncio.create_task(collector.poller.run_slow_lane())
        writer = Writer(target, clock)
        ticks = 0
        before, files = 0.0, 0
        while (count := await served(plain)) < answers:
            if not before and count >= answers / 10:
                gc.collect()
                before, files = memory("VmRSS"), len(os.listdir("/proc/self/fd"))
                Path("/proc/self/clear_refs").write_text("5")  # the peak begins here
            clock.now = clock.now // 60 * 60 + 60
            await collector.tick(int(clock.now))
            ticks += 1
            for _ in range(3):
                await fetch_token(account, serial, clock)
                await writer.write("totals", b"", gzipped=False)
                with contextlib.suppress(EnvoyLoggerError):
                    await detect_server(target, clock)
            assert not slow.done(), slow
        slow.cancel()
        await asyncio.gather(slow, return_exceptions=True)
        peak = memory("VmHWM") - before
        await gateway.aclose()
        await writer.aclose()
        await asyncio.sleep(0.2)
        gc.collect()
        return {
            "answers": count,
            "ticks": ticks,
            "counted": collector.collected.ticks + collector.collected.missed,
            "points": store.points,
            "peak_mib": peak,
            "grown_mib": memory("VmRSS") - before,
            "files": (files, len(os.listdir("/proc/self/fd"))),
            "longest_turn": turns.compare(),
        }


if __name__ == "__main__":
    command = [sys.executable, "-m", "tests.errors.mutations", sys.argv[1]]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as servers:
        assert servers.stdout is not None
        listening = json.loads(servers.stdout.readline())
        try:
            print(json.dumps(asyncio.run(main(int(sys.argv[2]), *listening))))
        finally:
            servers.kill()
