"""The daemon: claims the state folder, opens the store, runs both loops until told to stop."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import threading
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from logger import log
from logger.clock import Clock
from logger.control.api import store_handlers
from logger.control.unix_socket import SOCKET, Handlers, serving
from logger.daemon import status_file
from logger.daemon.amend import books_handlers
from logger.daemon.collector import Collector
from logger.daemon.config import access_of, pace_of, target_of
from logger.daemon.credentials import Credentials
from logger.daemon.endpoint_state import EndpointState
from logger.daemon.events import PendingEvents
from logger.daemon.progress import Progress
from logger.daemon.sdnotify import notify
from logger.daemon.self_report import self_readings
from logger.daemon.shipper import Shipper
from logger.errors import StoreFullError
from logger.gateway.client import Gateway
from logger.influx.write import Writer
from logger.model import Reading
from logger.settings.environment import is_under_journal, read_notify_socket
from logger.settings.load import Settings, reread_settings
from logger.store.folder import FolderLock, claim, goes_with_container, mark_demo, refuse_demo
from logger.store.thread import StoreThread

_SHUTDOWN_S: Final = 5.0
_FULL_S: Final = 30.0
_LAST_RESORT_S: Final = 7.0
"""A disk or a server that does not come back must not keep the process: whatever is stored is stored whole."""


@dataclass(frozen=True, slots=True)
class Parts:
    """What a running daemon is made of; `changes` has every trouble there is now."""

    gateway: Gateway
    store: StoreThread
    collector: Collector
    shipper: Shipper | None
    progress: Progress
    changes: log.Changes

    def handlers(self) -> Handlers:
        """Everything that a command can ask the running daemon for, by name."""
        return {
            **store_handlers(self.store, self.wake),
            **books_handlers(self.store, self.collector, self.collector.pace.as_site(""), self.wake),
        }

    def wake(self) -> None:
        """There is something new to deliver."""
        if self.shipper is not None:
            self.shipper.wake()


async def run(
    settings: Settings,
    clock: Clock,
    *,
    demo: bool = False,
    on_tick: Callable[[Parts], None] = lambda parts: None,
) -> None:
    """Record until SIGTERM or SIGINT. Raises StateError or StoreHeldError before the first poll, nothing later."""
    folder = settings.state_dir
    if demo:
        mark_demo(folder)
    else:
        refuse_demo(folder)
    with claim(folder) as lock, _until_told() as stopping:
        async with (
            assembled(settings, clock, lock, on_tick, stopping) as parts,
            serving(settings.runtime_dir, parts.handlers()),
        ):
            parts.collector.stopping = stopping
            lock.tell_where(settings.runtime_dir / SOCKET)
            await _supervise(parts, settings, clock)


@contextlib.contextmanager
def _until_told() -> Iterator[asyncio.Event]:
    """An event for the first SIGTERM or SIGINT, which ends the process in order; a second one ends it at once.

    From the very start: before the store is open, and as the first process of a container, nobody else listens.
    """
    loop = asyncio.get_running_loop()
    stopping = asyncio.Event()
    last_resort = threading.Timer(_LAST_RESORT_S, _leave)
    last_resort.daemon = True

    def stop() -> None:
        if stopping.is_set():
            raise SystemExit(1)
        log.get("service").info("stopping")
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
    log.get("service").warning("stopped without waiting for the disk any longer; what is stored is stored whole")
    logging.shutdown()
    os._exit(0)


@contextlib.asynccontextmanager
async def assembled(
    settings: Settings,
    clock: Clock,
    lock: FolderLock,
    on_tick: Callable[[Parts], None],
    stopping: asyncio.Event | None = None,
) -> AsyncIterator[Parts]:
    """The daemon's parts, opened and closed in order; `stopping` ends the waiting for room, and the process."""
    progress = Progress(clock, read_notify_socket())
    changes = log.Changes(log.get("service"))
    async with _patience(read_notify_socket()):
        store = await _opened(settings, clock, lock, changes, stopping or asyncio.Event())
    gateway = Gateway(access_of(settings), clock, lambda: access_of(reread_settings(settings)))
    events = PendingEvents(gateway.take_events)
    target = target_of(settings)
    writer = Writer(target, clock) if target is not None else None

    async def own(tags: dict[str, str], tick: int, states: Iterable[EndpointState]) -> list[Reading]:
        info = collector.poller.info
        skew = info.clock_skew_s if info else None
        waiting = await store.waiting()
        delivered = None if parts.shipper is None else parts.shipper.shipped.last_delivery or waiting.last_delivery
        return self_readings(tags, tick, states, waiting, gateway.token_expires_at, skew, delivered)

    collector = Collector(
        gateway,
        store,
        clock,
        pace_of(settings),
        progress,
        changes=changes,
        events=events,
        committed=lambda: parts.wake(),  # noqa: PLW0108  parts come after it
        own_readings=own,
    )
    shipper = None
    if writer is not None:
        credentials = Credentials(writer, settings)
        shipper = Shipper(writer, store, clock, progress, changes, credentials=credentials, tell=events.record)
    parts = Parts(gateway, store, collector, shipper, progress, changes)
    collector.ticked = lambda: on_tick(parts)
    changes.told = collector.news.set
    try:
        yield parts
    finally:
        await gateway.aclose()
        if writer is not None:
            await writer.aclose()
        await store.close()


async def _opened(
    settings: Settings, clock: Clock, lock: FolderLock, changes: log.Changes, stopping: asyncio.Event
) -> StoreThread:
    """The store. A full disk is waited for, as it is later on."""
    recorder = settings.recorder
    while True:
        try:
            store = await StoreThread.open(
                settings.state_dir,
                max_mb=recorder.store_max_mb,
                keep_days=recorder.keep_days,
                clock=clock,
                lock=lock,
                changes=changes,
            )
        except StoreFullError as error:
            changes.begin("store", str(error), logging.ERROR)
        else:
            changes.end("store", "there is room for the store again")
            return store
        with contextlib.suppress(TimeoutError):
            async with clock.timeout(_FULL_S):
                await stopping.wait()
            log.get("service").info("stopped")
            raise SystemExit(0)


@contextlib.asynccontextmanager
async def _patience(address: str) -> AsyncIterator[None]:
    """Asks systemd for more time to start while inside: a large damaged store takes long to carry over."""

    async def ask() -> None:
        while True:
            notify(address, "EXTEND_TIMEOUT_USEC=90000000")
            await asyncio.sleep(30)

    task = asyncio.create_task(ask())
    try:
        yield
    finally:
        task.cancel()


async def _supervise(parts: Parts, settings: Settings, clock: Clock) -> None:
    """Both loops and the status file, until told to stop."""
    say = log.get("service")
    address = read_notify_socket()
    runtime = settings.runtime_dir
    if goes_with_container(settings.state_dir.resolve()):
        say.warning(
            f"the state folder {settings.state_dir} is in the container itself: what is not delivered goes with it\n"
            f"Try: mount a volume at {settings.state_dir}."
        )
    if parts.shipper is None:
        say.warning("INFLUXDB_URL is not set: everything is kept in the embedded store, nothing is sent")
    notify(address, "READY=1\nSTATUS=waiting for the first poll")
    say.info("started", extra={"state": str(settings.state_dir), "influxdb": settings.influxdb.url or "none"})
    background = [
        asyncio.create_task(_report(parts, runtime, clock, address)),
        asyncio.create_task(_rescue(parts.store, clock)),
    ]
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
        with contextlib.suppress(TimeoutError, StoreFullError):
            async with asyncio.timeout(_SHUTDOWN_S):
                await asyncio.gather(collect, *background, return_exceptions=True)
                await _write_status(parts, runtime, clock, ended=True)
    say.info("stopped")


async def _report(parts: Parts, runtime: Path, clock: Clock, address: str) -> None:
    """`status.json` and systemd's status line: after each tick, when a trouble begins or ends, and twice a minute.

    Tidies each hour.
    """
    tidied = clock.monotonic()
    while True:
        notify(address, f"STATUS={_line(parts)}")
        with contextlib.suppress(StoreFullError):  # the store says so itself
            await _write_status(parts, runtime, clock)
            for note in await parts.store.take_notes():
                log.get("store").warning(note)
            if clock.monotonic() - tidied > 3600:
                tidied = clock.monotonic()
                await parts.store.tidy()
        with contextlib.suppress(TimeoutError):
            async with clock.timeout(30):
                await parts.collector.news.wait()
        parts.collector.news.clear()


async def _rescue(store: StoreThread, clock: Clock) -> None:
    """The rows of a damaged store that was set aside, in small steps beside the recording."""
    while True:
        left = 0
        with contextlib.suppress(StoreFullError):
            left = await store.rescue()
        await clock.sleep(0.5 if left else 60.0)


async def _write_status(parts: Parts, runtime: Path, clock: Clock, *, ended: bool = False) -> None:
    """`status.json` as of now; once `ended`, nobody takes the daemon for alive any more."""
    waiting, gateway = await parts.store.waiting(), parts.gateway
    now = status_file.describe(
        parts.collector,
        parts.shipper,
        parts.changes.troubles,
        waiting,
        parts.progress,
        clock,
        gateway.token_expires_at,
        gateway.token_user,
    )
    status_file.write(runtime, {**now, "alive_until": now["written_at"]} if ended else now)


def _line(parts: Parts) -> str:
    values = parts.collector.collected.values
    power = values.get("production_power_w")
    trouble = next(iter(parts.changes.troubles.values()), "")
    made = f"{power:.0f} W produced" if power is not None else "no production reading"
    return (trouble or made).split("\n", maxsplit=1)[0]


def configure_log(settings: Settings) -> None:
    """Logs to stderr as the settings say, with every secret of theirs masked."""
    log.protect(settings.secrets.values())
    log.configure(settings.recorder.log_level, settings.recorder.log_format, journal=is_under_journal())
    for warning in settings.warnings:
        log.get("settings").log(logging.WARNING, warning)
