"""The recorder in real time, with its page; it prints for each tick how late it began, and the memory held."""

from __future__ import annotations

import asyncio
import json
import sys
import time

from logger.clock import SystemClock
from logger.commands.ui.start import configure_log
from logger.daemon import app
from logger.daemon.collector import Collector
from logger.daemon.self_report import memory_bytes
from logger.outlets import open_outlets
from logger.settings.load import load_settings


def note(collector: Collector) -> None:
    done = collector.collected
    tick = done.last_tick
    late_s = time.time() - done.last_poll_s - tick
    line = {"tick": tick, "late_s": late_s, "took_s": done.last_poll_s, "missed": done.missed}
    print(json.dumps({**line, "memory": memory_bytes()}), flush=True)


if __name__ == "__main__":
    configured = load_settings(require=["ENPHASE_GATEWAY"])
    configure_log(configured)
    asyncio.run(app.run(configured, SystemClock(), on_tick=note, open_outlets=open_outlets))
    sys.exit(0)
