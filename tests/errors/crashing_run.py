"""A daemon with a defect: after two ticks its error's words hold every secret. `… ORIGIN START RATE`."""

from __future__ import annotations

import asyncio
import sys

from logger import log
from logger.clock import FastClock
from logger.commands.ui.start import configure_log
from logger.daemon import app
from logger.daemon.collector import Collector
from logger.settings.load import load_settings

if __name__ == "__main__":
    log.mask_crashes()  # as the command line does
    configured = load_settings(require=["ENPHASE_GATEWAY"])
    configure_log(configured)
    origin, start, rate = (float(text) for text in sys.argv[1:4])

    def defect(collector: Collector) -> None:
        if collector.collected.ticks >= 2:
            words = "; ".join(configured.secrets.values())
            log.get("test").debug("a debug line with %s", words, extra={"fact": words})
            raise RuntimeError(f"a defect with {words!r} in it")

    asyncio.run(app.run(configured, FastClock(origin, start, rate, 5.0), on_tick=defect))
