"""The inverters' books from what was written, and joined with newer ones. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from statistics import median
from typing import Final

from logger.model import DayRow, Reading
from logger.panels.books import PanelDay, PanelDays, Panels, Place, enter
from logger.panels.inverter_day_rows import day_rows
from logger.panels.watch import nearest_interval

FIELDS: Final = ("power_w", "energy_lifetime_wh")
"""The fields of `envoy_inverter` that a replay needs."""


def replayed(books: Panels, readings: Sequence[Reading], place: Place, live: Panels) -> Panels:
    """The books after some more points of `envoy_inverter`, by time; those that `live` saw itself are left to it."""
    mine = [r for r in readings if not _is_of(live, r)]
    if not mine:
        return books
    books = replace(books, interval_s=_interval_s(mine) or books.interval_s)
    return enter(books, mine, mine[0].time, mine[-1].time, place)


def up_to(books: Panels, live: Panels, place: Place) -> Panels:
    """The books led on to where `live` begins: an inverter's rise from the last report of the one to the first of the
    other. The report itself is counted there."""
    bases = [
        Reading(
            "envoy_inverter", {"serial": serial}, {"energy_lifetime_wh": panel.first[1]}, panel.first[0], "devices"
        )
        for serial, panel in live.now.items()
        if serial in books.now and panel.first[1] is not None
    ]
    if not bases:
        return books
    bases.sort(key=lambda reading: reading.time)
    after = enter(books, bases, books.since, bases[-1].time, place)
    days = {}
    for day, kept in after.days.items():
        before = books.days[day].panels if day in books.days else {}
        panels = {}
        for serial, entry in kept.panels.items():
            seen = before.get(serial, PanelDay())
            panels[serial] = replace(entry, seen=seen.seen, first=seen.first, last=seen.last, peak_w=seen.peak_w)
        days[day] = replace(kept, panels=panels)
    return replace(after, days=days)


def joined(live: Panels, past: Panels) -> tuple[Panels, list[str]]:
    """The live books with the days and the earlier part of a day that the `past` ones have; and what days change."""
    days = dict(live.days)
    for day, old in past.days.items():
        known = days.get(day)
        if known is None:
            days[day] = old
            continue
        panels = {
            serial: _sum(known.panels.get(serial), old.panels.get(serial))
            for serial in (*old.panels, *(s for s in known.panels if s not in old.panels))
        }
        days[day] = PanelDays(known.site or old.site, panels)
    now = {
        serial: replace(panel, first=past.now[serial].first) if serial in past.now else panel
        for serial, panel in live.now.items()
    }
    missing = {serial: panel for serial, panel in past.now.items() if serial not in now}
    since = min(filter(None, (live.since, past.since)), default=0)
    ordered = {day: days[day] for day in sorted(days)}
    whole = Panels({**missing, **now}, ordered, since, live.interval_s or past.interval_s)
    return whole, sorted(past.days)


def rows_of(panels: Panels, dates: Iterable[str], gateway: str, zone: str, closed: str) -> list[DayRow]:
    """The rows of these days, as they stand."""
    return [
        DayRow(row, day, day <= closed)
        for day in dates
        if day in panels.days
        for row in day_rows(panels, day, gateway, zone)
    ]


def with_tags(panels: Panels, day: str, written: Mapping[str, Mapping[str, str]]) -> Panels:
    """The books with a day's tags as they were written first, by serial."""
    kept = panels.days.get(day)
    if kept is None or not written:
        return panels
    entries = {
        serial: replace(entry, group=written[serial].get("panel_group", "")) if serial in written else entry
        for serial, entry in kept.panels.items()
    }
    site = next(iter(written.values())).get("site", "")
    return replace(panels, days={**panels.days, day: PanelDays(site, entries)})


def _is_of(live: Panels, reading: Reading) -> bool:
    """Whether the live books saw that report themselves."""
    panel = live.now.get(reading.tags["serial"])
    return panel is not None and panel.first[0] <= reading.time


def _interval_s(readings: Sequence[Reading]) -> int:
    """How far apart an inverter's reports usually are; 0 if that cannot be told."""
    last: dict[str, int] = {}
    gaps = []
    for reading in readings:
        serial = reading.tags["serial"]
        if serial in last:
            gaps.append(reading.time - last[serial])
        last[serial] = reading.time
    return nearest_interval(median(gaps)) if gaps else 0


def _sum(known: PanelDay | None, old: PanelDay | None) -> PanelDay:
    if known is None or old is None:
        return known or old or PanelDay()
    return PanelDay(
        round(known.wh + old.wh, 4),
        round(known.estimated_wh + old.estimated_wh, 4),
        max(known.peak_w, old.peak_w),
        known.seen + old.seen,
        min(filter(None, (known.first, old.first)), default=0),
        max(known.last, old.last),
        known.group or old.group,
    )
