"""`status.json`: it has a trouble when that begins, not at the next tick, and knows what was before a start."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from logger.clock import SystemClock
from logger.commands.ui.status_text import write_lines
from logger.daemon import app, status_file
from logger.errors import StoreFullError
from logger.settings.load import Settings, load_settings
from logger.store.folder import claim
from logger.store.store import Store
from tests.store.samples import START, commit, make_store


class Patient(SystemClock):
    """What is bounded by it is never cut off: what happens, happens by itself."""

    def timeout(self, seconds: float) -> asyncio.Timeout:
        return asyncio.timeout(None)


def configured(folder: Path) -> Settings:
    return load_settings(None, environ={
        "ENPHASE_GATEWAY": "127.0.0.1:1", "INFLUXDB_URL": "http://127.0.0.1:1", "INFLUXDB_API": "1",
        "LOGGER_STATE_DIR": str(folder),
    })  # fmt: skip


def test_a_trouble_is_in_the_status_as_soon_as_it_is_said_and_gone_when_it_is_over(tmp_path: Path) -> None:
    async def run() -> None:
        with claim(tmp_path) as lock:
            async with app.open_recorder(configured(tmp_path), Patient(), lock, asyncio.Event()) as recorder:
                report = asyncio.create_task(app._report(recorder, tmp_path, Patient(), ""))

                async def until(troubles: dict[str, str]) -> None:
                    while (status_file.read(tmp_path) or {}).get("troubles") != troubles:
                        await asyncio.sleep(0.01)

                async with asyncio.timeout(20):
                    await until({})
                    recorder.changes.begin("influx", "db refuses the connection")
                    await until({"influx": "db refuses the connection"})
                    recorder.changes.end("influx", "well again")
                    await until({})
                report.cancel()

    asyncio.run(run())


def test_a_disk_that_is_full_at_the_start_is_waited_for_and_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened, slept = [], []
    really = Store.open

    def full_at_first(*args: Any, **kwargs: Any) -> Store:
        opened.append(0)
        if len(opened) < 3:
            raise StoreFullError("no room for the next tick", "free some space on that disk.")
        return really(*args, **kwargs)

    class Quick(SystemClock):
        def timeout(self, seconds: float) -> asyncio.Timeout:
            slept.append(seconds)
            return asyncio.timeout(0)

    monkeypatch.setattr(Store, "open", full_at_first)

    async def run() -> None:
        with claim(tmp_path) as lock:
            async with app.open_recorder(configured(tmp_path), Quick(), lock, asyncio.Event()) as recorder:
                assert recorder.changes.troubles == {}

    asyncio.run(run())
    assert (len(opened), len(slept)) == (3, 2)


def test_after_a_restart_the_last_delivery_is_the_one_before(tmp_path: Path) -> None:
    store = make_store(tmp_path)
    store.put(commit(START, lines=3))
    lease = store.lease("totals", newest=True)
    assert lease is not None
    store.ack(lease)
    store.close()

    async def run() -> None:
        with claim(tmp_path) as lock:
            async with app.open_recorder(configured(tmp_path), SystemClock(), lock, asyncio.Event()) as recorder:
                await app._write_status(recorder, tmp_path, SystemClock())

    asyncio.run(run())
    found = status_file.read(tmp_path)
    assert found is not None
    assert "influxdb   3 points delivered in total, last 2 hours ago, 0 refused" in write_lines(found, START + 7200)
    found["influxdb"] = {"last_delivery": None}
    assert "influxdb   3 points delivered in total, the last one is no longer known, 0 refused" in write_lines(
        found, START
    )
