"""Write the status of a recorder as text, one fact on each line."""

from __future__ import annotations

from datetime import datetime
from typing import Final, TypeGuard
from zoneinfo import ZoneInfo

from logger.backfill.history import Point
from logger.clock import format_span
from logger.daemon import status_file
from logger.daemon.counter_status import read_counting
from logger.model import Json, number_or_zero
from logger.query.named_query import Rows, Scope
from logger.query.today_query import TODAY, find_figure
from logger.readings.missing import group_reasons

INDENT: Final = 11
"""The column at which the facts begin, behind their names."""
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
"""Key of a list of quantities in the status → the remark on today's figures of these quantities."""
_FRESH_S: Final = 120
"""For this number of seconds after a delivery, the recorder may not know yet that InfluxDB does not answer."""
_NOT_SETTLED: Final = (
    "not settled yet: for some minutes, at most a day, the recorder compares the documents that have this counter"
)
_HOUR_S: Final = 3600


def write_lines(found: dict[str, Json], now: float, influxdb: str = "") -> list[str]:
    """Write the status as text. Each line holds one fact, or all facts about one of several gateways.

    `influxdb`: a text that states whether InfluxDB answers now; empty if this was not tested.
    """
    store, troubles = part_of(found, "store"), part_of(found, "troubles")
    gateways = status_file.list_gateways(found)
    is_one, sites = len(gateways) == 1, part_of(found, "sites")
    return [
        _describe_state(found, now),
        *(_describe_one(found, now) if is_one else _list_gateways(gateways)),
        *(_describe_site(name, part_of(sites, name)) for name in sites),
        _line("influxdb", _describe_delivery(part_of(found, "influxdb"), store, now, influxdb)),
        *(
            _line(name, status_file.describe_outlet(str(address)))
            for name, address in part_of(found, "outlets").items()
        ),
        _line("waiting", f"{store.get('lines')} points, {number_or_zero(store.get('bytes')) / 1024:.0f} KiB"),
        *(_describe_missing(part_of(found, "missing"), now) if is_one else ()),
        *(_line("trouble", str(trouble).replace("\n", f"\n{'':<{INDENT}}")) for trouble in troubles.values()),
    ]


def _describe_one(found: dict[str, Json], now: float) -> list[str]:
    """Write the facts about one gateway."""
    polls, values, books = part_of(found, "polls"), part_of(found, "values"), part_of(found, "books")
    started_at, written_at = number_or_zero(found.get("started_at")), number_or_zero(found.get("written_at"))
    zone = ZoneInfo(str(books.get("zone") or "UTC"))
    begin = f"{datetime.fromtimestamp(started_at, zone):%Y-%m-%d %H:%M} ({zone.key})" if started_at else "the start"
    is_full = written_at - started_at >= _HOUR_S
    return [
        *_describe_gateway(part_of(found, "gateway"), now),
        _line("polls", f"{polls.get('ticks')} stored, {polls.get('missed')} missed since {begin}"),
        *_describe_requests(part_of(found, "requests"), "in the last hour" if is_full else "since the start"),
        *(_line(name, f"{watts:z.0f} W") for name, key in _POWERS.items() if _is_number(watts := values.get(key))),
        *_describe_today(values, books, written_at),
        *_describe_counters(part_of(books, "counters")),
    ]


def _list_gateways(gateways: list[dict[str, Json]]) -> list[str]:
    """Write one line for each gateway, below a heading."""
    rows = [("gateway", "address", "site", "state", "produces", "today", "missed"), *map(_describe_briefly, gateways)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]


def _describe_site(name: str, sums: dict[str, Json]) -> str:
    """Write the sums of a site of several gateways, and the gateways that are missing in these sums."""
    parts = [f"{label} {watts:z.0f} W" for label, key in _POWERS.items() if _is_number(watts := sums.get(key))]
    if _is_number(today := sums.get("production_today_wh")):
        parts.append(f"{today / 1000:.2f} kWh produced today")
    if missing := sums.get("missing"):
        parts.append(f"missing: {missing}")
    return _line("site", f"{name}: {', '.join(parts) or 'not all gateways have answered yet'}")


def _describe_briefly(gateway: dict[str, Json]) -> tuple[str, ...]:
    values, known, missing = part_of(gateway, "values"), part_of(gateway, "gateway"), part_of(gateway, "missing")
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
        f"{watts:z.0f} W" if _is_number(watts) else "-",
        f"{today / 1000:.2f} kWh" if _is_number(today) else "-",
        str(part_of(gateway, "polls").get("missed", 0)),
    )


def _describe_state(found: dict[str, Json], now: float) -> str:
    written_at, alive_until = number_or_zero(found.get("written_at")), number_or_zero(found.get("alive_until"))
    state = "running" if now < alive_until else "stopped" if alive_until <= written_at else "NOT MOVING"
    return f"{state}; this status was written {format_span(now - written_at)} ago"


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
    """Write today's energies.

    A remark follows an energy that is estimated, that began with the gateway's figure, or that was counted only for a
    part of the day. If an energy has no figure, the reason is written instead. Figures and reasons are the same as in
    `query today`. `books`: the facts of the energy state in the status.
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
            lines.append(f"no figure of the energy {verb}: {reason}")
    return [_line("" if number else "today", text) for number, text in enumerate(lines)]


def _describe_missing(missing: dict[str, Json], now: float) -> list[str]:
    """Write the missing values, one line for each reason."""
    reasons = {name: str(part_of(missing, name).get("reason")) for name in missing}
    text = []
    for reason, names in group_reasons(reasons).items():
        since = min(number_or_zero(part_of(missing, name).get("since")) for name in names)
        text.append(_line("missing", f"{', '.join(names)} for {format_span(now - since)}: {reason}"))
    return text


def _describe_delivery(influxdb: dict[str, Json], store: dict[str, Json], now: float, answer: str) -> str:
    if not influxdb:
        return "not set, so readings stay in the recorder's own store, up to LOGGER_STORE_MAX_MB"
    last, delivered = influxdb.get("last_delivery"), store.get("delivered")
    unknown = "the last one is no longer known" if delivered else "none yet"
    ago = format_span(now - last) if _is_number(last) else ""
    when = f"last {ago} ago" if ago else unknown
    is_fresh = _is_number(last) and now - last < _FRESH_S
    remark = answer or ("an outage shows at the next delivery" if is_fresh else "")
    facts = f"{delivered} points delivered in total, {when}, {store.get('refused')} refused"
    return f"{facts}; {remark}" if remark else facts


def _describe_counters(counters: dict[str, Json]) -> list[str]:
    """Write the sources of the lifetime counters, one line for each source."""
    by_source: dict[tuple[str, str], list[str]] = {}
    for name in counters:
        counter = part_of(counters, name)
        notes = []
        if counter.get("waits_for_base"):
            notes.append("waits for a first value above zero, or for an hour of zeros")
        elif counter.get("held"):
            notes.append("its last values are held, because they do not fit the earlier values")
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
    """Write a line with two numbers: the requests that were sent to the gateway, and the requests that are planned.

    There is no line before the first poll. `when`: the time span of the sent requests, in words.
    """
    asked, planned = part_of(requests, "last_hour"), requests.get("planned")
    if planned is None:
        return []
    fast, slow = number_or_zero(asked.get("fast")), number_or_zero(asked.get("slow"))
    notes = {
        "slow_gateway": "fewer, because the gateway answers slowly",
        "one_lane": "slow and fast requests take turns",
    }
    remarks = "".join(f"; {note}" for key, note in notes.items() if requests.get(key))
    text = f"{fast + slow:.0f} {when} ({slow:.0f} of them slow); {planned} an hour are planned{remarks}"
    return [_line("requests", text)]


def _line(name: str, text: str) -> str:
    return f"{name:<{INDENT - 1}} {text}"


def _is_number(value: Json) -> TypeGuard[float]:
    return isinstance(value, (int, float))


def part_of(found: dict[str, Json], key: str) -> dict[str, Json]:
    """Return a part of the status; empty if it is absent."""
    part = found.get(key)
    return part if isinstance(part, dict) else {}


def _list(found: dict[str, Json], key: str) -> list[Json]:
    part = found.get(key)
    return part if isinstance(part, list) else []
