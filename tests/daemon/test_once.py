"""One poll of every endpoint: a path that failed is not a path that this gateway does not have."""

from __future__ import annotations

from pathlib import Path

import pytest

from logger.daemon.one_poll import Poll, poll
from logger.errors import BusyError, StateError
from logger.gateway.access import Access
from logger.readings import paths
from tests.commands.program import program
from tests.daemon.parts import INFO, START
from tests.virtual import VirtualClock, run_virtually


def test_a_failed_path_is_not_taken_for_one_that_is_not_there() -> None:
    found = Poll(INFO, START, {}, {paths.METERS: BusyError("503")})
    assert paths.METERS not in found.snapshot().absent
    assert paths.PDM in found.snapshot().absent
    assert found.snapshot().absent == paths.PATHS - {paths.METERS}


def test_while_the_clock_is_not_set_nothing_is_asked_and_no_point_gets_a_time(tmp_path: Path) -> None:
    async def look() -> None:
        await poll(Access("127.0.0.1:1", tmp_path / "state"), VirtualClock(86400.0), 60)

    with pytest.raises(StateError, match="clock is not set"):
        run_virtually(look())
    assert not (tmp_path / "state").exists()


def test_once_says_what_became_of_a_damaged_store(tmp_path: Path) -> None:
    (tmp_path / "state").mkdir()
    (tmp_path / "state" / "store.sqlite3").write_text("this is no store" * 100)
    done = program(tmp_path, "once", settings={"ENPHASE_GATEWAY": "127.0.0.1:1"})
    assert done.code == 69
    assert "and is set aside as store.sqlite3.damaged-" in done.err
