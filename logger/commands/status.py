"""`status`: show the recorder's readings and problems."""

from __future__ import annotations

import asyncio
import json
import time
from datetime import datetime
from pathlib import Path
from typing import Final, TypeGuard
from zoneinfo import ZoneInfo

import click

from logger import log
from logger.backfill.history import Point
from logger.clock import SystemClock, format_span
from logger.commands.ui.chosen import gateway_option
from logger.commands.ui.options import MisuseError
from logger.commands.ui.options import as_json as json_option
from logger.commands.ui.options import env_file as env_file_option
from logger.commands.ui.start import configure_log, inspect
from logger.daemon import status_file
from logger.daemon.config import target_of
from logger.daemon.counter_status import read_counting
from logger.errors import SettingsError, StoreHeldError
from logger.influx.write import find_silence
from logger.model import Json, number_or_zero
from logger.query.named_query import Rows, Scope
from logger.query.today_query import TODAY, find_figure
from logger.readings.missing import group_reasons
from logger.settings.load import Settings

_POWERS: Final = {
    "production": "production_power_w",
    "house": "load_power_w",
    "grid": "net_power_w",
    "battery": "battery_power_w",
}
_NOTES: Final = {
    "seeded": "begun with the gateway's own figure, because recording began today",
    "integrated": "estimated: integrated from power where there is no counter",
}
"""What a reader should know about a figure of today, by the list of the status that names its quantity."""


_FRESH_S: Final = 120
"""A delivery younger than this may be the last before an outage that nobody could notice yet."""
_NOT_SETTLED: Final = "not settled yet: for some minutes it is tried which document of the gateway counts best"
_HOUR_S: Final = 3600


class NoDaemonError(StoreHeldError):
    """No daemon has written a status."""


@click.command("status")
@env_file_option
@gateway_option
@json_option
def command(env_file: Path, serial: str, as_json: bool) -> int:
    """Show the recorder's readings and problems. Exit code 69 if none runs, or if it hangs.

    Several gateways are shown one per line; --gateway shows all about one of them.
    """
    configured, problems = inspect(env_file)  # what a daemon wrote is shown, whatever is wrong with the settings
    configure_log(configured, "warning")
    found, now = status_file.read(configured.runtime_dir), time.time()
    if found is None and problems:
        raise SettingsError(problems)
    if found is None:
        raise NoDaemonError(f"no daemon has written {configured.runtime_dir}/status.json", configured.start_command)
    if serial:
        found = _pick(found, serial)
    if as_json:
        click.echo(json.dumps(log.mask_all(found), indent=1))
    else:
        click.echo(log.mask("\n".join(write_lines(found, now, _ask_influxdb(configured, found)))))
    return 0 if now < number_or_zero(found.get("alive_until")) else StoreHeldError.exit_code


def _ask_influxdb(configured: Settings, found: dict[str, Json]) -> str:
    """Ask InfluxDB whether it answers now, because the recorder notices an outage only when it delivers.

    Return what it did; empty if the recorder delivers to none, or if this user may not read its address.
    """
    target = target_of(configured)
    if target is None or not found.get("influxdb"):
        return ""
    try:
        silence = asyncio.run(find_silence(target, SystemClock()))
    except SettingsError as error:  # a proxy that cannot be used
        silence = error.message
    if silence:
        return f"DOES NOT ANSWER NOW: {silence}"
    is_in_trouble = any(key.partition(" ")[0] == "influx" for key in _part(found, "troubles"))
    return "answers now" + ("; the trouble below ends with the next delivery" if is_in_trouble else "")


def write_lines(found: dict[str, Json], now: float, influxdb: str = "") -> list[str]:
    """Write the status as text, one fact on each line. Of several gateways each gets one line.

    `influxdb`: whether InfluxDB answers now; empty if it was not asked.
    """
    store, troubles = _part(found, "store"), _part(found, "troubles")
    gateways = status_file.list_gateways(found)
    is_one, sites = len(gateways) == 1, _part(found, "sites")
    return [
        _describe_state(found, now),
        *(_describe_one(found, now) if is_one else _list_gateways(gateways)),
        *(_describe_site(name, _part(sites, name)) for name in sites),
        _line("influxdb", _describe_delivery(_part(found, "influxdb"), store, now, influxdb)),
        *(
            _line(name, status_file.describe_outlet(str(address)))
            for name, address in _part(found, "outlets").items()
        ),
        _line("waiting", f"{store.get('lines')} points, {number_or_zero(store.get('bytes')) / 1024:.0f} KiB"),
        *(_describe_missing(_part(found, "missing"), now) if is_one else ()),
        *(_line("trouble", str(trouble).replace("\n", f"\n{'':<11}")) for trouble in troubles.values()),
    ]


def _pick(found: dict[str, Json], serial: str) -> dict[str, Json]:
    """Return the status as if only the gateway with that serial were recorded.

    Raises MisuseError for an unknown serial.
    """
    gateways = status_file.list_gateways(found)
    chosen = next((each for each in gateways if status_file.serial_in(each) == serial), None)
    if chosen is None:
        names = ", ".join(filter(None, map(status_file.serial_in, gateways))) or "none yet"
        raise MisuseError(f"no gateway {serial} is recorded", f"name one of {names}.")
    others = [str(each.get("address")) for each in gateways if each is not chosen]
    troubles = {
        key: text
        for key, text in _part(found, "troubles").items()
        if not any(key.startswith(f"{address} ") for address in others)
    }
    picked = {**found, **chosen, "troubles": troubles}
    for of_several in ("further_gateways", "sites"):
        picked.pop(of_several, None)
    return picked


def _describe_one(found: dict[str, Json], now: float) -> list[str]:
    """Write everything about one gateway."""
    polls, values, books = _part(found, "polls"), _part(found, "values"), _part(found, "books")
    started_at, written_at = number_or_zero(found.get("started_at")), number_or_zero(found.get("written_at"))
    zone = ZoneInfo(str(books.get("zone") or "UTC"))
    begin = f"{datetime.fromtimestamp(started_at, zone):%Y-%m-%d %H:%M} ({zone.key})" if started_at else "the start"
    is_full = written_at - started_at >= _HOUR_S
    return [
        *_describe_gateway(_part(found, "gateway"), now),
        _line("polls", f"{polls.get('ticks')} stored, {polls.get('missed')} missed since {begin}"),
        *_describe_requests(_part(found, "requests"), "in the last hour" if is_full else "since the start"),
        *(_line(name, f"{watts:.0f} W") for name, key in _POWERS.items() if _is_number(watts := values.get(key))),
        *_describe_today(values, books, written_at),
        *_describe_counters(_part(books, "counters")),
    ]


def _list_gateways(gateways: list[dict[str, Json]]) -> list[str]:
    """Write one line for each gateway, below a heading."""
    rows = [("gateway", "address", "site", "state", "produces", "today", "missed"), *map(_describe_briefly, gateways)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]


def _describe_site(name: str, sums: dict[str, Json]) -> str:
    """Write the sums of a site of several gateways, and which gateways are missing in them."""
    parts = [f"{label} {watts:.0f} W" for label, key in _POWERS.items() if _is_number(watts := sums.get(key))]
    if _is_number(today := sums.get("production_today_wh")):
        parts.append(f"{today / 1000:.2f} kWh produced today")
    if missing := sums.get("missing"):
        parts.append(f"missing: {missing}")
    return _line("site", f"{name}: {', '.join(parts) or 'not all gateways are heard yet'}")


def _describe_briefly(gateway: dict[str, Json]) -> tuple[str, ...]:
    values, known, missing = _part(gateway, "values"), _part(gateway, "gateway"), _part(gateway, "missing")
    watts, today = values.get("production_power_w"), values.get("production_today_wh")
    state = "answers" if known.get("reachable") else "DOES NOT ANSWER" if known else "not reached yet"
    if gateway.get("second_entry"):
        state = "polled at another address"
    elif missing:
        state += f", {len(missing)} values missing"
    return (
        status_file.serial_in(gateway) or "-",
        str(gateway.get("address") or "-"),
        str(gateway.get("site") or "-"),
        state,
        f"{watts:.0f} W" if _is_number(watts) else "-",
        f"{today / 1000:.2f} kWh" if _is_number(today) else "-",
        str(_part(gateway, "polls").get("missed", 0)),
    )


def _describe_state(found: dict[str, Json], now: float) -> str:
    written_at, alive_until = number_or_zero(found.get("written_at")), number_or_zero(found.get("alive_until"))
    state = "running" if now < alive_until else "stopped" if alive_until <= written_at else "NOT MOVING"
    return f"{state}, status of {format_span(now - written_at)} ago"


def _describe_gateway(gateway: dict[str, Json], now: float) -> list[str]:
    if not gateway:
        return [_line("gateway", "not reached yet")]
    reach = "answers" if gateway.get("reachable") else "DOES NOT ANSWER"
    text = [_line("gateway", f"{gateway.get('serial')}, firmware {gateway.get('firmware')}, {reach}")]
    if _is_number(expires := gateway.get("token_expires_at")):
        left = f"{format_span(expires - now)} left" if expires > now else "EXPIRED"
        text.append(_line("token", f"{gateway.get('token_user') or 'unknown role'}, {left}"))
    return text


def _describe_today(values: dict[str, Json], books: dict[str, Json], written_at: float) -> list[str]:
    """Write today's energies, each with a remark if it is estimated, or counted for a part of the day alone.

    The figures and reasons are those of `query today`.
    """
    numbers = {name: value for name, value in values.items() if _is_number(value)}
    scope = Scope(ZoneInfo(str(books.get("zone") or "UTC")), 0, int(written_at) + 1, counting=read_counting(books))
    answer = TODAY.answer(Rows({"envoy_totals": [Point(int(written_at), {}, numbers)]}), scope)
    lines = []
    for quantity, verb in {"production": "produced", "load": "used by the house"}.items():
        notes = [note for key, note in _NOTES.items() if quantity in _list(books, key)]
        if (figure := find_figure(answer, quantity)) is not None:
            wh, since = figure
            text = f"{wh / 1000:.2f} kWh {verb}" + (f" since {since}, when recording began" if since else "")
            lines.append(text + (f" ({'; '.join(notes)})" if notes else ""))
        elif reason := answer.reasons.get(f"{quantity}_today_wh"):
            lines.append(f"no figure of what was {verb}: {reason}")
    return [_line("" if number else "today", text) for number, text in enumerate(lines)]


def _describe_missing(missing: dict[str, Json], now: float) -> list[str]:
    """Write which expected values are absent, one line for each reason."""
    reasons = {name: str(_part(missing, name).get("reason")) for name in missing}
    text = []
    for reason, names in group_reasons(reasons).items():
        since = min(number_or_zero(_part(missing, name).get("since")) for name in names)
        text.append(_line("missing", f"{', '.join(names)} for {format_span(now - since)}: {reason}"))
    return text


def _describe_delivery(influxdb: dict[str, Json], store: dict[str, Json], now: float, answer: str) -> str:
    if not influxdb:
        return "not set: everything is kept in the embedded store"
    last, delivered = influxdb.get("last_delivery"), store.get("delivered")
    unknown = "the last one is no longer known" if delivered else "none yet"
    ago = format_span(now - last) if _is_number(last) else ""
    when = f"last {ago} ago" if ago else unknown
    is_fresh = _is_number(last) and now - last < _FRESH_S
    remark = answer or ("an outage shows at the next delivery" if is_fresh else "")
    facts = f"{delivered} points delivered ever, {when}, {store.get('refused')} refused"
    return f"{facts}; {remark}" if remark else facts


def _describe_counters(counters: dict[str, Json]) -> list[str]:
    """Write the sources of the lifetime counters, one line for each source."""
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
        elif counter.get("state") != "balanced":
            is_pinned = counter.get("state") == "pinned"
            notes.append("settled" if is_pinned else _NOT_SETTLED)
        note = f" ({'; '.join(notes)})" if notes else ""
        by_source.setdefault((str(counter.get("source")), note), []).append(name)
    return [
        _line("" if number else "counters", f"{', '.join(names)}: {source}{note}")
        for number, ((source, note), names) in enumerate(by_source.items())
    ]


def _describe_requests(requests: dict[str, Json], when: str) -> list[str]:
    """Write how many requests the gateway got, and how many are planned; nothing before the first poll.

    `when`: in which time they were sent, in words.
    """
    asked, planned = _part(requests, "last_hour"), requests.get("planned")
    if planned is None:
        return []
    fast, slow = number_or_zero(asked.get("fast")), number_or_zero(asked.get("slow"))
    notes = {"slow_gateway": "it answers slowly, so it is asked less", "one_lane": "slow and fast ones take turns"}
    remarks = "".join(f"; {note}" for key, note in notes.items() if requests.get(key))
    text = f"{fast + slow:.0f} {when} ({slow:.0f} of them slow); {planned} an hour are planned{remarks}"
    return [_line("requests", text)]


def _line(name: str, text: str) -> str:
    return f"{name:<10} {text}"


def _is_number(value: Json) -> TypeGuard[float]:
    return isinstance(value, (int, float))


def _part(found: dict[str, Json], key: str) -> dict[str, Json]:
    part = found.get(key)
    return part if isinstance(part, dict) else {}


def _list(found: dict[str, Json], key: str) -> list[Json]:
    part = found.get(key)
    return part if isinstance(part, list) else []
