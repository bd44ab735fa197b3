"""A daemon whose disk stops answering: `stalling_run WHAT ORIGIN START RATE`. WHAT: opening, storing or rescuing."""

from __future__ import annotations

import asyncio
import sys
import time
from pathlib import Path
from typing import Any

from logger.clock import FastClock
from logger.commands.ui.start import configure_log
from logger.daemon import app
from logger.settings.load import load_settings
from logger.store import rescue
from logger.store.store import Store

LAST_RESORT_S = 0.5
"""Instead of the program's own, which is only to be below the 8 s that systemd and containers wait at least."""


def stalling(*_: Any) -> Any:
    (Path.cwd() / "stalled").touch()
    time.sleep(3600)


if __name__ == "__main__":
    what = sys.argv[1]
    configured = load_settings(require=["ENPHASE_GATEWAY"])
    configure_log(configured)
    place, name = {"opening": (rescue, "carry_over"), "storing": (Store, "put"), "rescuing": (Store, "rescue")}[what]
    setattr(place, name, stalling)
    vars(app)["_LAST_RESORT_S"] = LAST_RESORT_S
    origin, start, rate = (float(text) for text in sys.argv[2:])
    asyncio.run(app.run(configured, FastClock(origin, start, rate, 5.0)))
