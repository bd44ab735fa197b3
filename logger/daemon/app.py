"""Run the recorder: lock the state folder, open the store, and run the loops until a stop signal."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
import os
import signal
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Final, TypeAlias

from logger import log
from logger.clock import Clock
from logger.control.socket_server import serving
from logger.control.unix_socket import SOCKET
from logger.daemon import status_file
from logger.daemon.collector import Collector
from logger.daemon.config import gateways_of, target_of
from logger.daemon.influxdb_credentials import Credentials
from logger.daemon.news import News
from logger.daemon.progress import notify
from logger.daemon.recorder import Recorder, build_recorder
from logger.errors import StoreFullError
from logger.influx.write import Writer
from logger.retry import STORE_FULL, attempt
from logger.settings.environment import read_notify_socket
from logger.settings.load import Settings
from logger.store.folder import FolderLock, claim, is_in_container, mark_demo, refuse_demo
from logger.store.store import Store
from logger.store.thread import StoreThread

OpenOutlets: TypeAlias = Callable[[Settings, Recorder, Clock], contextlib.AbstractAsyncContextManager[None]]
"""Opens the outlets, such as the page. They offer the readings to people or to programs other than InfluxDB."""
_SHUTDOWN_S: Final = 5.0
_TELL_S: Final = 30.0
"""The longest time in seconds between two messages to systemd's watchdog."""
_RENEW_S: Final = status_file.RENEWED_WITHIN_S - _TELL_S
"""If there is no news, `status.json` is written again after this many seconds."""
_RESCUE_S: Final = 600.0
"""Seconds between two searches for damaged store files that still have rows to copy."""
_GATHER_S: Final = 3.0
"""Seconds from the first news until `status.json` is written, with `_GATHER_MORE_S` more for each gateway."""
_GATHER_MORE_S: Final = 0.04
_LAST_RESORT_S: Final = 7.0
"""Seconds from a stop signal until the process exits, even if a disk or a server hangs. No commit is cut in half."""


async def run(
    settings: Settings,
    clock: Clock,
    *,
    demo: bool = False,
    on_tick: Callable[[Collector], None] = lambda collector: None,
    open_outlets: OpenOutlets = lambda settings, recorder, clock: contextlib.nullcontext(),
) -> None:
    """Record readings until SIGTERM or SIGINT arrives.

    Raises StateError or StoreHeldError, but only before the first poll.

    `demo`: record the demo, which needs a state folder of its own. `on_tick` is called after each tick.
    `open_outlets` opens the outlets, such as the page.
    """
    folder = settings.state_dir
    if demo:
        mark_demo(folder)
    else:
        refuse_demo(folder)
    with claim(folder) as lock, _stop_on_signals() as stopping:
        async with (
            open_recorder(settings, clock, lock, stopping, on_tick) as recorder,
            serving(settings.runtime_dir, *recorder.make_apis()),
            open_outlets(settings, recorder, clock),
        ):
            lock.write_socket(settings.runtime_dir / SOCKET)
            await _supervise(recorder, settings, clock)


@contextlib.asynccontextmanager
async def open_recorder(
    settings: Settings,
    clock: Clock,
    lock: FolderLock,
    stopping: asyncio.Event,
    on_tick: Callable[[Collector], None] = lambda collector: None,
) -> AsyncIterator[Recorder]:
    """Open the store and build the recorder, and close both when the context ends.

    `stopping` ends a wait for disk space.
    """
    address, news = read_notify_socket(), News()
    changes = log.Changes(log.get("service"), news.announce)
    async with _extend_start(address):
        store = await _open_store(settings, clock, lock, changes, stopping)
    target = target_of(settings)
    writer = Writer(target, clock) if target is not None else None
    recorder = build_recorder(
        gateways_of(settings, clock),
        store,
        clock,
        writer=writer,
        credentials=Credentials(writer, settings) if writer is not None else None,
        notify_address=address,
        changes=changes,
        news=news,
        stopping=stopping,
        on_tick=on_tick,
    )
    try:
        yield recorder
    finally:
        for gateway in recorder.gateways:
            await gateway.aclose()
        if writer is not None:
            await writer.aclose()
        await store.close()


@contextlib.contextmanager
def _stop_on_signals() -> Iterator[asyncio.Event]:
    """Yield an event that the first SIGTERM or SIGINT sets. A second signal ends the process immediately.

    The signals are handled before the store is open, because a container's first process ignores unhandled signals.
    """
    loop = asyncio.get_running_loop()
    stopping = asyncio.Event()
    last_resort = threading.Timer(_LAST_RESORT_S, _leave)
    last_resort.daemon = True

    def stop() -> None:
        if stopping.is_set():
            raise SystemExit(1)
        log.get("service").info("the recorder is stopping")
        notify(read_notify_socket(), "STOPPING=1")
        stopping.set()
        last_resort.start()

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop)
    try:
        yield stopping
    finally:
        last_resort.cancel()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.remove_signal_handler(number)


def _leave() -> None:
    log.get("service").warning(
        "the recorder stopped without waiting for a disk or server that hangs; all stored readings are intact"
    )
    logging.shutdown()
    os._exit(0)


async def _open_store(
    settings: Settings, clock: Clock, lock: FolderLock, changes: log.Changes, stopping: asyncio.Event
) -> StoreThread:
    """Open the store. If the disk is full, retry until the disk has space or `stopping` is set."""
    limits = settings.recorder

    async def open_store() -> StoreThread:
        try:
            store = await StoreThread.open(
                settings.state_dir,
                max_mb=limits.store_max_mb,
                keep_days=limits.keep_days,
                clock=clock,
                lock=lock,
                changes=changes,
            )
        except StoreFullError as error:
            changes.begin("store", str(error), logging.ERROR)
            raise
        changes.end("store", "the disk has enough space for the store again")
        return store

    async def wait(seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            async with clock.timeout(seconds):
                await stopping.wait()
            log.get("service").info("the recorder stopped")
            raise SystemExit(0)

    return await attempt(STORE_FULL, clock, open_store, sleep=wait)


@contextlib.asynccontextmanager
async def _extend_start(address: str) -> AsyncIterator[None]:
    """Request more start time from systemd every 30 s in this context, because copying a damaged store takes long."""

    async def ask() -> None:
        while True:
            notify(address, "EXTEND_TIMEOUT_USEC=90000000")
            await asyncio.sleep(30)

    task = asyncio.create_task(ask())
    try:
        yield
    finally:
        task.cancel()


async def _supervise(recorder: Recorder, settings: Settings, clock: Clock) -> None:
    """Run the loops and keep `status.json` current, until a stop signal arrives."""
    say = log.get("service")
    address = read_notify_socket()
    runtime = settings.runtime_dir
    if is_in_container(settings.state_dir.resolve()):
        say.warning(
            f"the state folder {settings.state_dir} is inside the container; "
            "if the container is removed, undelivered readings, the token and the energy state are lost\n"
            f"Try: mount a volume at {settings.state_dir}."
        )
    if recorder.shipper is None:
        say.warning(
            "INFLUXDB_URL is not set, so readings stay in the recorder's own store, up to LOGGER_STORE_MAX_MB"
        )
    notify(address, "READY=1\nSTATUS=waiting for the first poll")
    say.info(
        "the recorder started", extra={"state": str(settings.state_dir), "influxdb": settings.influxdb.url or "none"}
    )
    background = [
        asyncio.create_task(_report(recorder, runtime, clock, address)),
        asyncio.create_task(_rescue(recorder, clock)),
    ]
    if recorder.shipper is not None:
        background.append(asyncio.create_task(recorder.shipper.run()))
    collect = asyncio.create_task(recorder.collect())
    try:
        done, _ = await asyncio.wait({collect, *background}, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
    finally:
        for task in (collect, *background):
            task.cancel()
        with contextlib.suppress(TimeoutError, StoreFullError):
            async with asyncio.timeout(_SHUTDOWN_S):
                await asyncio.gather(collect, *background, return_exceptions=True)
                await _write_status(recorder, runtime, clock, ended=True)
    say.info("the recorder stopped")


async def _report(recorder: Recorder, runtime: Path, clock: Clock, address: str) -> None:
    """Update `status.json` and systemd's status after each tick, when a problem changes, and each minute.

    All news within three seconds, such as a tick and its delivery, makes one update. With many gateways this time is
    longer, because each update describes all gateways. Old rows of the store are also deleted each hour.
    """
    tidied, written, seen = clock.monotonic(), -math.inf, recorder.news.version
    while True:
        recorder.progress.tell()
        if recorder.news.version != seen or clock.monotonic() - written >= _RENEW_S:
            seen, written = recorder.news.version, clock.monotonic()
            notify(address, f"STATUS={_line(recorder)}")
            with contextlib.suppress(StoreFullError):  # the store has logged the error
                await _write_status(recorder, runtime, clock)
                if clock.monotonic() - tidied > 3600:
                    tidied = clock.monotonic()
                    await recorder.store.call(Store.tidy)
        with contextlib.suppress(TimeoutError):
            async with clock.timeout(_TELL_S):
                await recorder.news.wait_beyond(seen)
                await clock.sleep(_GATHER_S + _GATHER_MORE_S * len(recorder.collectors))


async def _rescue(recorder: Recorder, clock: Clock) -> None:
    """Copy rows from damaged store files into the store, in small steps while recording continues."""
    while True:
        left = 0
        with contextlib.suppress(StoreFullError):
            left = await recorder.store.call(Store.rescue)
        if left:
            recorder.wake()
        await clock.sleep(0.5 if left else _RESCUE_S)


async def _write_status(recorder: Recorder, runtime: Path, clock: Clock, *, ended: bool = False) -> None:
    """Write the current `status.json`. With `ended`, the file states that the recorder has stopped."""
    figures = await recorder.store_looks.look()
    now = status_file.describe(recorder, figures, clock)
    status_file.write(runtime, {**now, "alive_until": now["written_at"]} if ended else now)


def _line(recorder: Recorder) -> str:
    """Return one line for `systemctl status`: the first problem, or without a problem the produced power in W."""
    powers = [each.collected.values.get("production_power_w") for each in recorder.collectors]
    known = [power for power in powers if power is not None]
    trouble = next(iter(recorder.changes.troubles.values()), "")
    produced = f"{sum(known):.0f} W produced" if known else "no production reading"
    return (trouble or produced).split("\n", maxsplit=1)[0]
