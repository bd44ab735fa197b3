"""The daemon on a fast clock, settings as `run` reads them: `fast_run ORIGIN START RATE PATIENCE`."""

from __future__ import annotations

import asyncio
import sys

from logger.clock import FastClock
from logger.commands.ui.start import configure_log
from logger.daemon import app
from logger.settings.load import load_settings
from tests.waiting import LONGEST_S

if __name__ == "__main__":
    configured = load_settings(require=["ENPHASE_GATEWAY"])
    configure_log(configured)
    vars(app)["_LAST_RESORT_S"] = LONGEST_S  # an orderly end may take its time on a busy machine
    asyncio.run(app.run(configured, FastClock(*(float(text) for text in sys.argv[1:]))))
