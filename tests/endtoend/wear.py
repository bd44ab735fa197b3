"""What one minute after another costs a disk: a site recorded from documents on a jumping clock, into real files.

A program, so that the kernel's count of its own process is the count of the recorder alone:
`python -m tests.endtoend.wear FOLDER HOURS INVERTERS` prints what was written, as JSON.
"""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path

from logger.daemon.collector import Collector
from logger.daemon.progress import Progress
from logger.daemon.self_report import SelfReport
from logger.daemon.shipper import Shipper
from logger.daemon.store_looks import StoreLooks
from logger.influx.classify import Done, Outcome
from logger.influx.dialects import Target
from logger.influx.write import Writer
from logger.log import Changes
from logger.model import ROLES, Role
from logger.site import Site
from tests.daemon.hours import NOON, PlantGateway, plant
from tests.daemon.parts import InlineStore
from tests.virtual import VirtualClock, run_virtually


class Taker(Writer):
    """A database that takes everything at once."""

    async def write(self, role: Role, body: bytes, *, gzipped: bool = True) -> Outcome:
        await asyncio.sleep(0.05)
        return Done()


def written_bytes() -> int:
    """What this process has had written to disks so far, as the kernel counts."""
    lines = Path("/proc/self/io").read_text(encoding="ascii").splitlines()
    return int(next(line for line in lines if line.startswith("write_bytes")).split()[1])


async def record(folder: Path, hours: float, inverters: int) -> dict[str, float]:
    clock = VirtualClock(NOON - 30)
    with InlineStore(folder, clock) as store:
        return await record_into(store, clock, hours, inverters)


async def record_into(store: InlineStore, clock: VirtualClock, hours: float, inverters: int) -> dict[str, float]:
    target = Target("http://127.0.0.1:1", "2", "token", "org", "", "", dict.fromkeys(ROLES, "b"))
    shipper = Shipper(Taker(target, clock), store, clock, Progress(clock), Changes(None))
    gateway = PlantGateway(plant("8-battery", inverters, 3), clock)
    own = SelfReport(gateway, StoreLooks(store, clock), shipper.shipped)
    collector = Collector(
        gateway, store, clock, Site(), Progress(clock), on_commit=shipper.wake, own_points=own
    )  # fmt: skip
    before = written_bytes()
    loops = [asyncio.create_task(collector.run()), asyncio.create_task(shipper.run())]
    await asyncio.sleep(hours * 3600)
    collector.stopping.set()
    await loops[0]
    loops[1].cancel()
    await asyncio.gather(*loops, return_exceptions=True)
    waiting = store.store.read_figures()
    return {
        "ticks": float(collector.collected.ticks),
        "lines": float(sum(waiting.roles[role].stored_lines for role in ("totals", "devices"))),
        "delivered": float(sum(waiting.roles[role].delivered_lines for role in ("totals", "devices"))),
        "days_delivered": float(waiting.roles["daily"].delivered_lines),
        "written_bytes": float(written_bytes() - before),
        "file_bytes": float(waiting.disk_bytes),
    }


if __name__ == "__main__":
    print(json.dumps(run_virtually(record(Path(sys.argv[1]), float(sys.argv[2]), int(sys.argv[3])))))
