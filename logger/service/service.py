"""The daemon: claims the state folder, opens the store, runs both loops until told to stop."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path

from logger import log
from logger import settings as configured
from logger.clock import Clock
from logger.errors import StoreFullError
from logger.gateway.client import Gateway
from logger.influx.write import Writer
from logger.model import Reading
from logger.service import status
from logger.service.collector import Collector
from logger.service.control import SOCKET, Handlers, serving
from logger.service.desk import store_handlers
from logger.service.lanes import Track
from logger.service.progress import Progress
from logger.service.sdnotify import notify
from logger.service.selfreport import self_readings
from logger.service.shipper import Shipper
from logger.service.wiring import access_of, pace_of, target_of
from logger.settings import Settings
from logger.store.folder import FolderLock, claim, mark_demo, refuse_demo
from logger.store.thread import StoreThread

_SHUTDOWN_S = 6.0


@dataclass(frozen=True, slots=True)
class Parts:
    """What a running daemon is made of."""

    gateway: Gateway
    store: StoreThread
    collector: Collector
    shipper: Shipper | None
    progress: Progress

    def handlers(self) -> Handlers:
        """Everything that a command can ask the running daemon for, by name."""
        return {**store_handlers(self.store, self.wake)}

    def wake(self) -> None:
        """There is something new to deliver."""
        if self.shipper is not None:
            self.shipper.wake()


async def run(
    settings: Settings, clock: Clock, *, demo: bool = False, on_tick: Callable[[Parts], None] = lambda parts: None
) -> None:
    """Record until SIGTERM or SIGINT. Raises StateError or StoreHeldError before the first poll, nothing later."""
    folder = settings.state_dir
    if demo:
        mark_demo(folder)
    else:
        refuse_demo(folder)
    with claim(folder) as lock:
        async with (
            assembled(settings, clock, lock, on_tick) as parts,
            serving(settings.runtime_dir, parts.handlers()),
        ):
            lock.tell_where(settings.runtime_dir / SOCKET)
            await _supervise(parts, settings, clock)


@contextlib.asynccontextmanager
async def assembled(
    settings: Settings, clock: Clock, lock: FolderLock, on_tick: Callable[[Parts], None] = lambda parts: None
) -> AsyncIterator[Parts]:
    """The daemon's parts, opened and closed in order."""
    address = configured.notify_socket()
    progress = Progress(clock, address)
    recorder = settings.recorder
    store = await StoreThread.open(
        settings.state_dir, max_mb=recorder.store_max_mb, keep_days=recorder.keep_days, clock=clock, lock=lock
    )
    gateway = Gateway(access_of(settings), clock, lambda: access_of(configured.reread(settings)))
    target = target_of(settings)
    writer = Writer(target, clock) if target is not None else None
    shipper = Shipper(writer, store, clock, progress) if writer is not None else None

    async def own(tags: dict[str, str], tick: int, tracks: list[Track]) -> list[Reading]:
        info = collector.poller.info
        skew = info.clock_skew_s if info else None
        return self_readings(tags, tick, tracks, await store.waiting(), gateway.token_expires_at, skew)

    def committed() -> None:
        parts.wake()

    collector = Collector(gateway, store, clock, pace_of(settings), progress, committed=committed, own_readings=own)
    parts = Parts(gateway, store, collector, shipper, progress)
    collector.ticked = lambda: on_tick(parts)
    try:
        yield parts
    finally:
        await gateway.aclose()
        if writer is not None:
            await writer.aclose()
        await store.close()


async def _supervise(parts: Parts, settings: Settings, clock: Clock) -> None:
    """Both loops, the status file and the signals; a first signal ends it cleanly, a second at once."""
    loop = asyncio.get_running_loop()
    say = log.get("service")
    address = configured.notify_socket()
    runtime = settings.runtime_dir

    def stop() -> None:
        if parts.collector.stopping.is_set():
            raise SystemExit(1)
        say.info("stopping")
        notify(address, "STOPPING=1")
        parts.collector.stopping.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop)
    if parts.shipper is None:
        say.warning("INFLUXDB_URL is not set: everything is kept in the embedded store, nothing is sent")
    notify(address, "READY=1\nSTATUS=waiting for the first poll")
    say.info("started", extra={"state": str(settings.state_dir), "influxdb": settings.influxdb.url or "none"})
    background = [asyncio.create_task(_report(parts, runtime, clock, address))]
    if parts.shipper is not None:
        background.append(asyncio.create_task(parts.shipper.run()))
    collect = asyncio.create_task(parts.collector.run())
    try:
        done, _ = await asyncio.wait({collect, *background}, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
    finally:
        for task in (collect, *background):
            task.cancel()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_SHUTDOWN_S):
                await asyncio.gather(collect, *background, return_exceptions=True)
        with contextlib.suppress(StoreFullError):
            await _write_status(parts, runtime, clock, ended=True)
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.remove_signal_handler(number)
    say.info("stopped")


async def _report(parts: Parts, runtime: Path, clock: Clock, address: str) -> None:
    """`status.json` and systemd's status line, after each tick and at least every half minute; tidies each hour."""
    tidied = clock.monotonic()
    trouble = log.Changes(log.get("store"))
    while True:
        notify(address, f"STATUS={_line(parts)}")
        try:
            await _write_status(parts, runtime, clock)
            for note in await parts.store.take_notes():
                log.get("store").warning(note)
            await parts.store.rescue()
            if clock.monotonic() - tidied > 3600:
                tidied = clock.monotonic()
                await parts.store.tidy()
            trouble.end("store", "the store can be read again")
        except StoreFullError as error:
            trouble.begin("store", str(error), logging.ERROR)
        with contextlib.suppress(TimeoutError):
            async with clock.timeout(30):
                await parts.collector.news.wait()
        parts.collector.news.clear()


async def _write_status(parts: Parts, runtime: Path, clock: Clock, *, ended: bool = False) -> None:
    """`status.json` as of now; once `ended`, nobody takes the daemon for alive any more."""
    waiting, gateway = await parts.store.waiting(), parts.gateway
    now = status.describe(
        parts.collector, parts.shipper, waiting, parts.progress, clock, gateway.token_expires_at, gateway.token_user
    )
    status.write(runtime, {**now, "alive_until": now["written_at"]} if ended else now)


def _line(parts: Parts) -> str:
    values = parts.collector.collected.values
    power = values.get("production_power_w")
    trouble = next(iter(parts.collector.changes.troubles.values()), "")
    made = f"{power:.0f} W produced" if power is not None else "no production reading"
    return (trouble or made).split("\n", maxsplit=1)[0]


def configure_log(settings: Settings) -> None:
    """Logs to stderr as the settings say, with every secret of theirs masked."""
    log.protect(settings.secrets())
    log.configure(settings.recorder.log_level, settings.recorder.log_format, journal=configured.under_journal())
    for warning in settings.warnings:
        log.get("settings").log(logging.WARNING, warning)
