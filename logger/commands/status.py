"""`status`: what the daemon does."""

from __future__ import annotations

import json
import time
from pathlib import Path

import click

from logger import log
from logger.clock import format_span
from logger.commands.ui.options import as_json as json_option
from logger.commands.ui.options import env_file as env_file_option
from logger.commands.ui.start import begin
from logger.daemon import status_file
from logger.errors import StoreHeldError
from logger.model import Json, number_or_zero


class NoDaemonError(StoreHeldError):
    """No daemon has written a status."""


@click.command("status")
@env_file_option
@json_option
def command(env_file: Path, as_json: bool) -> int:
    """Show what the daemon does. Exit code 69 if none runs, or if it does not move."""
    configured = begin(env_file, level="warning")
    found, now = status_file.read(configured.runtime_dir), time.time()
    if found is None:
        raise NoDaemonError(f"no daemon has written {configured.runtime_dir}/status.json", "envoy-logger run")
    if as_json:
        click.echo(json.dumps(log.mask_all(found), indent=1))
    else:
        click.echo(log.mask("\n".join(write_lines(found, now))))
    return 0 if now < number_or_zero(found.get("alive_until")) else StoreHeldError.exit_code


def write_lines(found: dict[str, Json], now: float) -> list[str]:
    """Write the status as text, one fact a line."""
    gateway, polls, values = _part(found, "gateway"), _part(found, "polls"), _part(found, "values")
    store, influxdb, books = _part(found, "store"), _part(found, "influxdb"), _part(found, "books")
    written_at, alive_until = number_or_zero(found.get("written_at")), number_or_zero(found.get("alive_until"))
    state = "running" if now < alive_until else "stopped" if alive_until <= written_at else "NOT MOVING"
    text = [f"{state}, status of {format_span(now - written_at)} ago"]
    if gateway:
        reach = "answers" if gateway.get("reachable") else "DOES NOT ANSWER"
        text.append(f"gateway    {gateway.get('serial')}, firmware {gateway.get('firmware')}, {reach}")
        expires = gateway.get("token_expires_at")
        if isinstance(expires, (int, float)):
            left = f"{format_span(expires - now)} left" if expires > now else "EXPIRED"
            text.append(f"token      {gateway.get('token_user') or 'unknown role'}, {left}")
    else:
        text.append("gateway    not reached yet")
    text.append(f"polls      {polls.get('ticks')} stored, {polls.get('missed')} missed")
    text += _describe_requests(_part(found, "requests"))
    shown = {
        "production": "production_power_w",
        "house": "load_power_w",
        "grid": "net_power_w",
        "battery": "battery_power_w",
    }
    for name, key in shown.items():
        if isinstance(values.get(key), (int, float)):
            text.append(f"{name:<10} {number_or_zero(values[key]):.0f} W")
    if isinstance(values.get("production_today_wh"), (int, float)):
        made = (
            f"{number_or_zero(values['production_today_wh']) / 1000:.2f} kWh produced{_remark(books, 'production')}"
        )
        text.append(f"today      {made}")
    if isinstance(values.get("load_today_wh"), (int, float)):
        used = f"{number_or_zero(values['load_today_wh']) / 1000:.2f} kWh used by the house{_remark(books, 'load')}"
        text.append(f"           {used}")
    text += _describe_counters(_part(books, "counters"))
    if influxdb:
        last = influxdb.get("last_delivery")
        unknown = "the last one is no longer known" if store.get("delivered") else "none yet"
        when = f"last {format_span(now - last)} ago" if isinstance(last, (int, float)) else unknown
        text.append(
            f"influxdb   {store.get('delivered')} points delivered ever, {when}, {store.get('refused')} refused"
        )
    else:
        text.append("influxdb   not set: everything is kept in the embedded store")
    text.append(f"waiting    {store.get('lines')} points, {number_or_zero(store.get('bytes')) / 1024:.0f} KiB")
    for trouble in _part(found, "troubles").values():
        text.append("trouble    " + str(trouble).replace("\n", "\n           "))
    return text


def _remark(books: dict[str, Json], quantity: str) -> str:
    """Write what a reader should know about a figure of today."""
    seeded, integrated = (books.get(key) for key in ("seeded", "integrated"))
    notes = []
    if isinstance(seeded, list) and quantity in seeded:
        notes.append("seeded by the gateway's figure")
    if isinstance(integrated, list) and quantity in integrated:
        notes.append("estimated: integrated from power where there is no counter")
    return f" ({'; '.join(notes)})" if notes else ""


def _describe_counters(counters: dict[str, Json]) -> list[str]:
    """Write where the lifetime counters come from, one line a source."""
    by_source: dict[tuple[str, str], list[str]] = {}
    for name in counters:
        counter = _part(counters, name)
        notes = []
        if counter.get("waits_for_base"):
            notes.append("waits for a first figure above zero, or an hour of zeros")
        elif counter.get("held"):
            notes.append("its last figures are held back: they do not fit the ones before")
        if counter.get("state") == "integrated":
            notes.append("estimated")
        else:
            is_pinned = counter.get("state") == "pinned"
            notes.append("pinned" if is_pinned else "provisional: not every source has had its word")
        note = f" ({'; '.join(notes)})" if notes else ""
        by_source.setdefault((str(counter.get("source")), note), []).append(name)
    return [
        f"{'' if number else 'counters':<10} {', '.join(names)}: {source}{note}"
        for number, ((source, note), names) in enumerate(by_source.items())
    ]


def _describe_requests(requests: dict[str, Json]) -> list[str]:
    """Write how often the gateway is asked, once there is a plan."""
    asked, planned = _part(requests, "last_hour"), requests.get("planned")
    if planned is None:
        return []
    fast, slow = number_or_zero(asked.get("fast")), number_or_zero(asked.get("slow"))
    notes = {"slow_gateway": "it answers slowly, so it is asked less", "one_lane": "slow and fast ones take turns"}
    said = "".join(f"; {note}" for key, note in notes.items() if requests.get(key))
    return [f"requests   {fast + slow:.0f} in the last hour ({slow:.0f} of them slow), {planned} planned{said}"]


def _part(found: dict[str, Json], key: str) -> dict[str, Json]:
    part = found.get(key)
    return part if isinstance(part, dict) else {}
