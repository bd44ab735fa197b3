"""SIGKILL at any moment loses nothing that was acknowledged."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.sizes import sized
from tests.store.samples import GATEWAY, drain, make_store, replay_all

_WRITER = """
import sys
from pathlib import Path
from tests.store.samples import commit, make_store
store = make_store(Path(sys.argv[1]))
tick = int(store.read_state("121900000001").get("last_tick", "0"))
for _ in range(2000):
    tick += 60
    store.put(commit(tick, roles=("totals", "devices")))
    print(tick, flush=True)
    if tick % 420 == 0:
        lease = store.lease("totals", newest=tick % 840 == 0)
        if lease is not None:
            store.ack(lease)
"""


@pytest.mark.long
def test_no_acknowledged_tick_is_missing_after_dozens_of_kills(tmp_path: Path) -> None:
    chance = random.Random(20261123)
    folder = tmp_path / "state"
    last = 0
    for _ in range(sized(200)):
        wanted = chance.randrange(1, 60)
        with subprocess.Popen(
            [sys.executable, "-c", _WRITER, str(folder)], stdout=subprocess.PIPE, cwd=Path(__file__).parents[2]
        ) as writer:
            assert writer.stdout is not None
            for _ in range(wanted):
                last = int(writer.stdout.readline())
            writer.send_signal(signal.SIGKILL)
            for line in writer.stdout.read().splitlines(keepends=True):
                if line.endswith(b"\n"):
                    last = int(line)
    store = make_store(folder)
    assert store.take_notes() == []
    stored = int(store.read_state(GATEWAY)["last_tick"])
    assert last <= stored <= last + 60, "at most the tick in hand is there unsaid"
    replay_all(store, 0)
    expected = list(range(60, stored + 60, 60))
    assert drain(store) == expected
    assert drain(store, "devices") == expected
    assert store.read_figures().lines_stored == 2 * len(expected)
    store.close()
