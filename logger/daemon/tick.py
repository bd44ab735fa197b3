"""The room's one way in: a snapshot and the books → the points of this tick and the books after it. Pure."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from logger.energy.beginning import noted
from logger.energy.days import is_quiet
from logger.energy.engine import Advanced, Tick, advance
from logger.energy.flows import BATTERY
from logger.energy.state import Ledger, Wiring
from logger.energy.validate import is_believable_power
from logger.model import DayRow, Event, Reading, Report, Role, Snapshot, Value
from logger.panels.books import Place
from logger.panels.step import PanelBooks, step
from logger.readings import gateway_point
from logger.readings import rows as r
from logger.readings.derive import battery_energy, powers
from logger.readings.drift import Shape, watch_all
from logger.readings.equipment import installed_inverters, inverters_noted, renewed
from logger.readings.extract import Extracted, extract
from logger.readings.layout import NONE, Layout, applied, groups_of
from logger.readings.reports import fresh_report, interval_s, is_same, remember
from logger.readings.rows import View
from logger.readings.seeds import seeds, unseeded
from logger.readings.selectors import batteries, meters
from logger.readings.source_selection import SELDOM_S, chosen_key, counted_seldom, look, reviewed
from logger.readings.table import ACB_BLOCK, BOTH_KINDS, COUNTERS


@dataclass(frozen=True, slots=True)
class Waiting:
    """A report from the list, while device data, which may say more of it, is silent."""

    report: Report
    reading: Reading


@dataclass(frozen=True, slots=True)
class Books:
    """What is remembered of one gateway from tick to tick; `waiting`, by serial, does not outlive the process."""

    ledger: Ledger
    reports: Mapping[str, Sequence[Report]]
    shapes: Mapping[str, Shape] = field(default_factory=dict)
    panels: PanelBooks = field(default_factory=PanelBooks)
    waiting: Mapping[str, Waiting] = field(default_factory=dict)

    def to_text(self) -> dict[str, str]:
        """All books but the reports as one text a part, for the store; each room's parts have names of their own."""
        return {**self.ledger.to_text(), **self.panels.to_text()}

    @staticmethod
    def from_text(parts: Mapping[str, str], reports: Mapping[str, Sequence[Report]]) -> Books:
        """The books as they were stored."""
        return Books(Ledger.from_text(parts), reports, panels=PanelBooks.from_text(parts))


@dataclass(frozen=True, slots=True)
class Rules:
    """What the settings decide: the site tag (or empty), its time zone, its greatest power (or None: by its size).

    `layout` names the panels; one that gives less than `alert_percent` of its group for long is told of. `interval_s`
    is the time from one tick of the totals to the next.
    """

    site: str
    zone: str
    max_w: float | None
    layout: Layout = NONE
    interval_s: int = 60
    alert_percent: float = 80.0


@dataclass(frozen=True, slots=True)
class Interpreted:
    """The outcome of one tick: its points, the books after it, new reports, events, and a few numbers to draw.

    `daily` are the rows of days that changed: each replaces what was written of its series and day before.
    """

    readings: list[Reading]
    books: Books
    new_reports: list[Report]
    events: list[Event]
    recent: dict[str, float]
    twins: set[str]
    daily: list[DayRow] = field(default_factory=list)


def interpret(snapshot: Snapshot, roles: frozenset[Role], books: Books, rules: Rules) -> Interpreted:
    """Read the due `roles` out of the snapshot and enter them into the books."""
    tags = {"gateway": snapshot.gateway.serial, **({"site": rules.site} if rules.site else {})}
    ledger = books.ledger if books.ledger.zone else replace(books.ledger, zone=rules.zone)
    ledger = renewed(ledger, snapshot)
    extracted = extract(snapshot, roles, ledger.book)
    ledger = replace(ledger, book=extracted.book)
    totals = dict(extracted.totals())
    energy = None
    if "totals" in roles:
        totals, energy = _energy(snapshot, extracted, totals, ledger, rules, tags)
        ledger = noted(energy.ledger, snapshot.tick)
    events = list(energy.events) if energy else []
    readings, new_reports, waiting = _points(extracted, snapshot, books, tags)
    reports = remember(books.reports, new_reports)
    readings, ledger = _gateways_own(applied(readings, rules.layout), ledger, reports)
    shapes, notes, drifted = watch_all(books.shapes, ledger.notes, list(snapshot.documents.values()), snapshot.tick)
    ledger = replace(ledger, notes=notes)
    events += drifted
    panels, daily = books.panels, list(energy.rows) if energy else []
    if "devices" in roles:
        stepped = step(
            panels,
            [reading for reading in readings if reading.measurement == "envoy_inverter"],
            new_reports,
            books.reports,
            snapshot.tick,
            snapshot.gateway.serial,
            Place(rules.site, ledger.zone, groups_of(rules.layout)),
            rules.alert_percent,
        )
        panels = stepped.books
        daily += stepped.rows
        events += stepped.events
    if set(totals) - {"inventory_age_s"}:
        readings.insert(0, Reading("envoy_totals", tags, totals, snapshot.tick, "totals"))
    late = energy.late if energy else ()
    readings += [Reading("envoy_totals", tags, dict(fields), tick, "totals") for tick, fields in late]
    return Interpreted(
        readings,
        Books(ledger, reports, shapes, panels, waiting),
        new_reports,
        events,
        _recent(totals),
        extracted.twins,
        daily,
    )


def _energy(
    snapshot: Snapshot,
    extracted: Extracted,
    totals: dict[str, Value],
    ledger: Ledger,
    rules: Rules,
    tags: Mapping[str, str],
) -> tuple[dict[str, Value], Advanced]:
    """The totals with what follows from the books, and the books a tick further."""
    tick, view = snapshot.tick, View(snapshot, "totals")
    ledger = inverters_noted(ledger, totals)
    wiring, max_w = wiring_of(view), rules.max_w or site_max_w(view, ledger)
    totals = _believed(totals, extracted.counters, ledger, max_w)
    totals |= powers(totals, wiring.or_as(ledger.wiring))
    since = snapshot.since.get("totals", -math.inf)
    if counted_seldom(ledger):
        since = min(since, tick - SELDOM_S)
    polled = any(document.received_at > since for document in snapshot.documents.values())
    found = reviewed(
        snapshot,
        ledger.book,
        ledger.review,
        polled_s=rules.interval_s if polled else 0,
        quiet=is_quiet(tick, ledger.zone),
    )
    energy = advance(
        ledger,
        Tick(
            at=tick,
            counters=extracted.counters,
            wiring=wiring,
            max_w=max_w,
            zone=rules.zone,
            sources={name: extracted.book[chosen_key(name)] for name in extracted.counters},
            uncounted=_uncounted(snapshot, extracted),
            powers=_site_powers(totals),
            slow=BATTERY if extracted.book.get(_BATTERY_POWER) in _SLOW else (),
            seeds=seeds(view, extracted.counters, unseeded(view, ledger, extracted.counters)),
            interval_s=rules.interval_s,
            polled=polled,
            renewed_at=found.review.changed_at,
            tags=tags,
        ),
    )
    books = replace(energy.ledger, book=found.book, review=found.review)
    return {**totals, **energy.fields}, replace(energy, ledger=books, events=(*energy.events, *found.events))


def _uncounted(snapshot: Snapshot, extracted: Extracted) -> frozenset[str]:
    """Production, where this gateway surely has no counter of it."""
    if chosen_key("production") in extracted.book:
        return frozenset()
    return frozenset(item.name for item in COUNTERS if item.name == "production" and look(item, snapshot) == "")


def _believed(
    totals: Mapping[str, Value], counters: Mapping[str, float], ledger: Ledger, max_w: float
) -> dict[str, Value]:
    """The totals without powers that cannot be: beyond the site's greatest, or a lifetime in the wrong place."""
    found = dict(totals)
    for name, of in _LIFETIMES.items():
        watts = found.get(name)
        known = [ledger.counters[c].accepted for c in of if c in ledger.counters]
        lifetimes = [*known, *(counters[c] for c in of if c in counters)]
        if isinstance(watts, float) and not is_believable_power(watts, max_w, lifetimes):
            del found[name]
    return found


_BATTERY_POWER: Final = "envoy_totals.battery_power_w"
_SLOW: Final = (ACB_BLOCK.name, BOTH_KINDS.name)
"""Sources of the batteries' power that stand in a document of the slow lane."""
_LIFETIMES: Final = {
    "production_power_w": ("production",),
    "net_power_w": ("import", "export"),
    "consumption_power_w": ("consumption",),
    "battery_power_w": ("charged", "discharged"),
}
"""Which counters' figures were seen in the place of which power."""


def _site_powers(totals: Mapping[str, Value]) -> dict[str, float]:
    names = ("production", "net", "consumption", "battery", "load")
    return {name: watts for name in names if isinstance(watts := totals.get(f"{name}_power_w"), float)}


def wiring_of(view: View) -> Wiring:
    """How the site is metered, by its list of meters."""
    return Wiring(
        net=meters.has_meter(view, "net-consumption"),
        total=meters.has_meter(view, "total-consumption"),
        storage=meters.has_meter(view, "storage"),
        batteries=batteries.known_batteries(view),
    )


def site_max_w(view: View, ledger: Ledger) -> float:
    """The most power the site can have: 25 kW a phase (three where unknown), or 500 W an inverter if that is more."""
    rows = meters.enabled_meter_rows(view) or []
    phases = max((int(r.number(row.values.get("phases")) or 3) for row in rows), default=3)
    return max(25_000.0 * phases, 500.0 * installed_inverters(ledger))


def _points(
    extracted: Extracted, snapshot: Snapshot, books: Books, tags: Mapping[str, str]
) -> tuple[list[Reading], list[Report], dict[str, Waiting]]:
    """Every point but the totals; an inverter's measured point only when its report is new.

    One that waits for more of the same report is written as it is when the next report is another one.
    """
    known, readings, waiting = books.reports, list[Reading](), dict(books.waiting)
    new_reports: list[Report] = []
    skew = snapshot.gateway.clock_skew_s
    for device in extracted.devices:
        measurement, time, fields = device.measurement, snapshot.tick, dict(device.fields)
        if measurement.name == "envoy_totals":
            continue
        if measurement.time == "report":
            serial = device.tags["serial"]
            report = fresh_report(
                serial, device.reported, device.source, known.get(serial, ()), device.read_at + skew, skew
            )
            if report is None:
                continue
            waited = waiting.pop(serial, None)
            if waited is not None and is_same(waited.report, report):
                report = replace(report, time=waited.report.time)
            elif waited is not None:
                new_reports.append(waited.report)
                readings.append(waited.reading)
            time = report.time
            if device.waits:
                reading = Reading(measurement.name, {**tags, **device.tags}, fields, time, measurement.role)
                waiting[serial] = Waiting(report, reading)
                continue
            new_reports.append(report)
        if measurement.name == "envoy_battery":
            fields |= battery_energy(fields)
        readings.append(Reading(measurement.name, {**tags, **device.tags}, fields, time, measurement.role))
    seen = remember(known, new_reports)
    return [_with_interval(reading, seen) for reading in readings], new_reports, waiting


def _gateways_own(
    readings: list[Reading], ledger: Ledger, reports: Mapping[str, Sequence[Report]]
) -> tuple[list[Reading], Ledger]:
    """The gateway's own point with the usual interval of its inverters, or without it where it is not due."""
    note = ledger.notes.get(gateway_point.NOTE, "")
    kept = []
    for reading in readings:
        if reading.measurement != "envoy_gateway":
            kept.append(reading)
        elif gateway_point.due(reading.fields, note, reading.time):
            written = gateway_point.noted(reading.fields, note, reading.time)
            ledger = replace(ledger, notes={**ledger.notes, gateway_point.NOTE: written})
            seconds = gateway_point.usual_interval_s(reports)
            more = {} if seconds is None else {"inverter_report_interval_s": seconds}
            kept.append(replace(reading, fields={**reading.fields, **more}))
    return kept, ledger


def _with_interval(reading: Reading, reports: Mapping[str, Sequence[Report]]) -> Reading:
    if reading.measurement != "envoy_inverter_status":
        return reading
    seconds = interval_s(reports.get(reading.tags["serial"], ()))
    fields = reading.fields if seconds is None else {**reading.fields, "report_interval_s": seconds}
    return Reading(reading.measurement, reading.tags, fields, reading.time, reading.role)


def _recent(totals: Mapping[str, Value]) -> dict[str, float]:
    """The few numbers a tick that `status` and the demo draw."""
    names = (
        "production_power_w",
        "load_power_w",
        "net_power_w",
        "battery_power_w",
        "battery_charge_percent",
        "production_today_wh",
        "load_today_wh",
        "inverters",
        "inverters_producing",
    )
    return {
        name: float(value)
        for name in names
        if isinstance(value := totals.get(name), (int, float)) and not isinstance(value, bool)
    }
