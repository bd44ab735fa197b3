"""What each inverter made on each local day: from its own lifetime counter, else from its reports. Pure.

An inverter's counter is guarded as every counter is. Where it has none, its reports' mean power is integrated, and
all of that is called estimated. Everything here moves at the inverter's own report times, never at the poll's.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from logger.energy.days import first_instant, following, local_day
from logger.energy.state import Counter
from logger.energy.validate import Bounds, start_counter, validate
from logger.model import Reading
from logger.readings.reports import AHEAD_S

DAYS_KEPT: Final = 9
"""Today, and the days before it that seven-day ratios and late reports need."""
INVERTER_MAX_W: Final = 2000.0
"""No inverter gives more; a faster rise of its counter is held."""
_GAP_INTERVALS: Final = 3
"""Reports further apart than so many intervals are not joined: the energy between them is unknown."""
_LONGEST_INTERVAL_S: Final = 7200
_COUNTER_GONE_S: Final = 86400


@dataclass(frozen=True, slots=True)
class PanelDay:
    """One inverter on one local day: Wh, of it estimated, its highest power, its reports, and their first and last.

    `group` and the day's site are as they were when the day began, for ever.
    """

    wh: float = 0.0
    estimated_wh: float = 0.0
    peak_w: float = 0.0
    seen: int = 0
    first: int = 0
    last: int = 0
    group: str = ""


@dataclass(frozen=True, slots=True)
class PanelDays:
    """All inverters on one local day."""

    site: str
    panels: Mapping[str, PanelDay]


@dataclass(frozen=True, slots=True)
class Panel:
    """One inverter now: its last report's time and power, and its counter where it has one.

    `first` is the time of the first report in these books, with the lifetime figure that it brought, if any.
    """

    last: int
    power_w: float
    counter: Counter | None = None
    first: tuple[int, float | None] = (0, None)


@dataclass(frozen=True, slots=True)
class Panels:
    """The books of all inverters. `since` is the tick from which on they were watched; `interval_s` how often they
    report, 0 while unknown."""

    now: Mapping[str, Panel] = field(default_factory=dict)
    days: Mapping[str, PanelDays] = field(default_factory=dict)
    since: int = 0
    interval_s: int = 0


@dataclass(frozen=True, slots=True)
class Place:
    """Where the inverters are: the site's tag and zone, and each one's group by serial."""

    site: str
    zone: str
    groups: Mapping[str, str] = field(default_factory=dict)


def enter(books: Panels, readings: Iterable[Reading], since: int, until: int, place: Place) -> Panels:
    """The books after the new reports; `readings` are points of `envoy_inverter`, each written once. `until` is now.

    `since`: from when on new books count. What is later than now was stamped by a clock that was wrong, the gateway's
    or ours: it belongs to no day.
    """
    latest = until + AHEAD_S
    last_day = local_day(latest, place.zone)
    now = {serial: panel if panel.last <= latest else _set_back(panel, until) for serial, panel in books.now.items()}
    days = {day: dict(kept.panels) for day, kept in books.days.items() if day <= last_day}
    sites = {day: kept.site for day, kept in books.days.items()}
    since = min(books.since or since, until)
    for reading in readings:
        serial, at = reading.tags["serial"], reading.time
        known = now.get(serial)
        if at > latest or (known is not None and at <= known.last):
            continue
        power = _float(reading, "power_w")
        panel, shares = _moved(known, reading, power, books.interval_s, place.zone)
        now[serial] = replace(panel, first=known.first if known else (at, _lifetime(reading)))
        if at < since - _LONGEST_INTERVAL_S:
            continue  # a report from before the books: nobody saw that day
        own = _day_of(at, books.interval_s, place.zone)
        for day, (wh, estimated) in {own: (0.0, 0.0), **shares}.items():
            sites.setdefault(day, place.site)
            of_day = days.setdefault(day, {})
            entry = of_day.get(serial) or PanelDay(group=place.groups.get(serial, ""))
            of_day[serial] = replace(
                entry, wh=round(entry.wh + wh, 4), estimated_wh=round(entry.estimated_wh + estimated, 4)
            )
        days[own][serial] = _reported(days[own][serial], at, power)
    return replace(books, now=now, days={day: PanelDays(sites[day], days[day]) for day in sorted(days)}, since=since)


def _set_back(panel: Panel, until: int) -> Panel:
    """An inverter whose last report was stamped by a clock that was ahead."""
    counter = panel.counter
    if counter is not None:
        counter = replace(counter, at=min(counter.at, until), rose_at=min(counter.rose_at, until), held=())
    return replace(panel, last=until, counter=counter, first=(min(panel.first[0], until), panel.first[1]))


def trimmed(books: Panels) -> Panels:
    """The books without days that nothing asks for any more."""
    if len(books.days) <= DAYS_KEPT:
        return books
    return replace(books, days={day: books.days[day] for day in sorted(books.days)[-DAYS_KEPT:]})


def _reported(entry: PanelDay, at: int, power: float | None) -> PanelDay:
    return replace(
        entry,
        peak_w=max(entry.peak_w, power or 0.0),
        seen=entry.seen + 1,
        first=min(entry.first, at) if entry.first else at,
        last=max(entry.last, at),
    )


def _moved(
    known: Panel | None, reading: Reading, power: float | None, interval_s: int, zone: str
) -> tuple[Panel, dict[str, tuple[float, float]]]:
    """The inverter after a report, and by local day the energy that came to light: (Wh, of it estimated)."""
    at, lifetime = reading.time, _lifetime(reading)
    counter = known.counter if known else None
    if lifetime is not None:
        bounds = Bounds(INVERTER_MAX_W, zone, interval_s or _LONGEST_INTERVAL_S)
        shares: dict[str, tuple[float, float]] = {}
        if counter is None or not counter.has_base:
            decision = start_counter(counter, lifetime, at, local_day(at, zone), bounds)
        else:
            decision = validate(counter, lifetime, at, bounds)
            for rise in decision.increments:
                for day, (more, estimated) in _split(
                    rise.since, rise.until, rise.wh, power or 0.0, interval_s, zone
                ).items():
                    had = shares.get(day, (0.0, 0.0))
                    shares[day] = (had[0] + more, had[1] + estimated)
        return Panel(at, power or 0.0, decision.counter), shares
    if counter is not None and at - counter.at < _COUNTER_GONE_S:
        return Panel(at, power or 0.0, counter), {}  # the counter's next value holds this energy
    wh = 0.0
    if known is not None and power is not None:
        gap = at - known.last
        usual = interval_s or min(gap, _LONGEST_INTERVAL_S)
        wh = power * min(gap, usual) / 3600
        if usual < gap <= _GAP_INTERVALS * usual:
            wh += (known.power_w + power) / 2 * (gap - usual) / 3600
    return Panel(at, power or 0.0), {_day_of(at, interval_s, zone): (wh, wh)}


def _split(
    since: int, until: int, rise_wh: float, power_w: float, interval_s: int, zone: str
) -> dict[str, tuple[float, float]]:
    """A counter's rise by local day. What the report's own interval explains belongs to it: at night nothing flows.

    The rest flowed at some time since the last report; over midnight it is split in proportion to time: estimated.
    """
    own_s = min(interval_s or until - since, until - since)
    explained = min(rise_wh, power_w * own_s / 3600 + 1.0)
    shares = {_day_of(until, interval_s, zone): explained}
    rest, begin_s, end_s = rise_wh - explained, float(since), float(until - own_s)
    day, last = local_day(since, zone), local_day(until - own_s, zone)
    crossed = day < last and rest > 0
    while day < last and end_s > begin_s:
        border = min(max(float(first_instant(following(day), zone)), begin_s), end_s)
        share = rest * (border - begin_s) / (end_s - begin_s)
        shares[day] = shares.get(day, 0.0) + share
        day, begin_s, rest = following(day), border, rest - share
    shares[last] = shares.get(last, 0.0) + rest
    if not crossed:
        return {each: (wh, 0.0) for each, wh in shares.items() if wh}
    own = _day_of(until, interval_s, zone)
    return {each: (wh, wh - explained if each == own else wh) for each, wh in shares.items()}


def _day_of(at: int, interval_s: int, zone: str) -> str:
    """The local day that a report speaks of: that of the middle of its interval."""
    return local_day(at - interval_s // 2, zone)


def _lifetime(reading: Reading) -> float | None:
    """To a thousandth: more digits are no energy, and the books are written every few minutes."""
    wh = _float(reading, "energy_lifetime_wh")
    return None if wh is None else round(wh, 3)


def _float(reading: Reading, name: str) -> float | None:
    value = reading.fields.get(name)
    return float(value) if isinstance(value, (int, float)) else None
