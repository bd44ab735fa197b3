"""Four days of a metered site with everything that goes wrong, recorded into a real store; a process to be killed.

`python -m tests.energy.killed FOLDER` goes on where the store's books end and prints each tick once it is stored.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from logger.daemon.batches import make_commit
from logger.daemon.gateway_state import load_state
from logger.daemon.tick import run_tick
from logger.model import Snapshot
from logger.readings import paths
from logger.site import Site
from logger.store.store import Store
from tests.energy.counted import metered
from tests.readings.site import INFO, TOTALS, Body, document
from tests.store.samples import HandClock, make_store

ZONE = "Europe/Paris"
STEP = 300
FIRST = int(datetime(2025, 3, 28, 6, tzinfo=ZoneInfo(ZONE)).timestamp())
LAST = int(datetime(2025, 4, 1, 3, 30, tzinfo=ZoneInfo(ZONE)).timestamp())
SITE = Site("home", ZONE, totals_s=STEP)
RESET = FIRST + 200 * STEP


def documents(tick: int) -> dict[str, Body]:
    """What the gateway says at that tick; the same whenever it is asked.

    Zeros, spikes, a little backwards, and once a replaced CT, late on the first day.
    """
    number = (tick - FIRST) // STEP
    hours = (tick - FIRST) / 3600
    made_w = max(0.0, 5000.0 * math.sin(math.pi * ((hours + 6) % 24 - 7) / 12))
    made = 5e6 + 2000.0 * hours - 7000.0 * math.cos(hours / 3.8)
    used = 3e6 + 400.0 * hours + 100.0 * math.sin(hours * 2)
    sold = 1e6 + 900.0 * hours if tick < RESET else 900.0 * (tick - RESET) / 3600 + 3.0
    if number % 97 in (41, 42):
        made, used = 0.0, 0.0
    elif number % 89 == 13:
        made += 6_780_000.0
    elif number % 53 == 7:
        used -= 4.0
    return metered(round(made, 3), round(used, 3), round(sold, 3), watts=made_w, net_w=400.0)


def record(store: Store) -> Iterator[int]:
    """From where the books end to the last tick; each tick once it is stored."""
    stored = store.read_state(INFO.serial)
    books = load_state(stored, {})
    last = books.energy.last_tick
    tick = last + STEP if last else FIRST
    since = 0.0
    while tick <= LAST:
        found = {path: document(path, body, tick + 1.0) for path, body in documents(tick).items()}
        definitive = dict.fromkeys(found, min(3, (tick - FIRST) // STEP + 1))
        snapshot = Snapshot(INFO, tick, found, {"totals": since}, paths.PATHS - found.keys(), definitive)
        result = run_tick(snapshot, TOTALS, books, SITE)
        commit, stored = make_commit(INFO.serial, tick, result.readings, result, stored)
        store.put(commit)
        books, since = result.state, tick + 2.0
        yield tick
        tick += STEP


if __name__ == "__main__":
    for at in record(make_store(Path(sys.argv[1]), HandClock(FIRST))):
        print(at, flush=True)
