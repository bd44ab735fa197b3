"""`once`: poll every endpoint once."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

import click

from logger import log
from logger.clock import SystemClock
from logger.commands.ui.chosen import choose_gateways, gateway_option
from logger.commands.ui.options import env_file as env_file_option
from logger.commands.ui.start import begin_polling, poll_each
from logger.daemon import one_poll
from logger.daemon.config import site_of, target_of
from logger.influx.classify import Blocked
from logger.influx.line_protocol import encode
from logger.influx.write import Writer
from logger.settings.load import Settings
from logger.store.folder import claim, refuse_demo
from logger.store.store import Store
from logger.store.thread import StoreThread

_DELIVERY_S = 30.0


@click.command("once", short_help="Poll every endpoint once, store and deliver.")
@env_file_option
@gateway_option
@click.option(
    "--dry-run",
    is_flag=True,
    help="Print the points of this poll as line protocol, without rows of days; store and send nothing.",
)
def command(env_file: Path, serial: str, dry_run: bool) -> int:
    """Poll every endpoint of every gateway once, store the readings, and try for 30 s to deliver them.

    Exit code 75 if an endpoint failed, or if points still wait for InfluxDB.
    """
    configured = begin_polling(env_file)
    chosen = choose_gateways(configured, serial)
    return asyncio.run(_print_points(chosen) if dry_run else _store_and_deliver(configured, chosen))


async def _print_points(chosen: Sequence[Settings]) -> int:
    async def show(each: Settings, found: one_poll.Poll) -> None:
        result = one_poll.read(found, site_of(each))
        click.echo(encode(result.readings).decode(), nl=False)
        for warning in one_poll.list_warnings(result):
            click.echo(warning.text, err=True)

    return 0 if await poll_each(chosen, show) else 75


async def _store_and_deliver(configured: Settings, chosen: Sequence[Settings]) -> int:
    refuse_demo(configured.state_dir)
    with claim(configured.state_dir) as lock:
        clock = SystemClock()
        recorder = configured.recorder
        store = await StoreThread.open(
            configured.state_dir, max_mb=recorder.store_max_mb, keep_days=recorder.keep_days, clock=clock, lock=lock
        )

        kept = []

        async def keep(each: Settings, found: one_poll.Poll) -> None:
            if await one_poll.store(found, site_of(each), store):
                kept.append(each)
            else:
                click.echo("this minute or a later one is already recorded, so this poll was not stored", err=True)

        try:
            for note in await store.call(Store.take_notes):
                log.get("store").warning(note)
            is_whole = await poll_each(chosen, keep)
            target = target_of(configured)
            waits = None
            if target is not None:
                writer = Writer(target, clock)
                waits = await one_poll.drain(writer, store, clock, _DELIVERY_S)
                await writer.aclose()
            waiting = await store.call(Store.read_figures)
        finally:
            await store.close()
    stored = "stored" if kept else "nothing stored"
    if waits is not None:
        hint = f"\nTry: {waits.hint}" if isinstance(waits, Blocked) else ""
        click.echo(f"{stored}; {waiting.lines} points still wait: {waits.reason}{hint}", err=True)
    elif target is None:
        click.echo(
            f"{stored}; INFLUXDB_URL is not set, so {waiting.lines} points stay in {configured.state_dir}", err=True
        )
    else:
        click.echo(f"{stored} and delivered" if kept else f"{stored}; no points wait for InfluxDB", err=True)
    return 0 if is_whole and waits is None else 75
