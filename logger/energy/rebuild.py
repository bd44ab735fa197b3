"""The site's books from what was written: replayed tick by tick through the same engine, and joined with newer ones.

Pure. What the database has are accepted values, so a replay makes the days that were made then.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import median
from typing import Final

from logger.energy.day_rows import point
from logger.energy.daybook import added
from logger.energy.days import final_at
from logger.energy.engine import advance
from logger.energy.flows import BATTERY, GAP_S
from logger.energy.state import POWER, READ_BACK, Booked, Counter, Day, EnergyState, Source, Tick, Wiring
from logger.model import DayRow, Value
from logger.site import Site

LIFETIMES: Final = {
    "production": "production_lifetime_wh",
    "import": "grid_import_lifetime_wh",
    "export": "grid_export_lifetime_wh",
    "charged": "battery_charged_lifetime_wh",
    "discharged": "battery_discharged_lifetime_wh",
    "consumption": "consumption_lifetime_wh",
}
"""Primitive counter → the field of `envoy_totals` that holds its accepted value."""
POWERS: Final = ("production", "net", "consumption", "battery", "load")
FIELDS: Final = (*LIFETIMES.values(), *(f"{name}_power_w" for name in POWERS), "batteries", "inverters")
"""The fields of `envoy_totals` that a replay needs."""
_PHASES_W: Final = 75_000.0
_INVERTER_W: Final = 500.0


@dataclass(frozen=True, slots=True)
class Past:
    """One tick as it was written: the fields of its `envoy_totals` and their tags."""

    at: int
    fields: Mapping[str, Value]
    tags: Mapping[str, str]


def replayed(ledger: EnergyState, points: Sequence[Past], site: Site) -> tuple[EnergyState, dict[str, DayRow]]:
    """The books after some ticks that follow the ones they hold, and the rows of days by date as they stood last."""
    wiring, rows = _wiring(points, ledger.wiring), dict[str, DayRow]()
    inverters = max((count for past in points if isinstance(count := past.fields.get("inverters"), int)), default=0)
    uncounted = () if any(_is_counted(past) for past in points) else ("production",)
    slow = BATTERY if _usual_gap_s(points, "battery_power_w") > GAP_S else frozenset[str]()
    seldom = not wiring.net and not wiring.total and _usual_gap_s(points, LIFETIMES["production"]) > site.totals_s
    for past in points:
        left_out = {*uncounted, *(("consumption",) if wiring.net else ())}
        counters = {name: wh for name, wh in _lifetimes(past).items() if name not in left_out}
        tick = _tick(past, counters, wiring, site, inverters, uncounted, is_polled=seldom)
        done = advance(ledger, replace(tick, slow=slow))
        ledger = done.state
        rows |= {row.day: row for row in done.rows}
    return ledger, rows


def up_to(ledger: EnergyState, live: EnergyState, site: Site, inverters: int) -> EnergyState:
    """The books replayed, led on to where `live` begins: what flowed between the last tick of the one and the first
    of the other is booked as over any gap. `inverters`: how many the site has."""
    ticks: dict[int, dict[str, float]] = {live.first_tick: {}} if live.first_tick else {}
    for name, base in live.bases.items():
        ticks.setdefault(base.at, {})[name] = base.wh
    wiring, site = live.wiring or Wiring(None, None, None, None), replace(site, zone=live.zone)
    for at in sorted(ticks):
        if at > ledger.last_tick:
            now = _tick(Past(at, {}, {}), ticks[at], wiring, site, inverters)
            sources = {name: Source(c.source) for name, c in ledger.counters.items() if name in ticks[at]}
            ledger = advance(ledger, replace(now, sources={**now.sources, **sources}, is_polled=False)).state
    return ledger


def joined(live: EnergyState, past: EnergyState) -> tuple[EnergyState, list[str]]:
    """The live books with the days, and the earlier part of a day, that the `past` ones have; and what days changed.

    `past` ends where `live` begins (`up_to`).
    """
    if past.today is None or live.today is None:
        return live, []
    days = {day.date: day for day in live.days}
    earlier = {day.date: day for day in (*past.days, _closed(past))}
    border = live.first_day
    changed = []
    for date, old in sorted(earlier.items()):
        known = days.get(date)
        if date < border:
            days[date] = old
        elif known is not None:
            days[date] = _sum(known, old)
        else:
            continue
        days[date] = replace(days[date], final=live.last_tick >= final_at(date, live.zone))
        changed.append(date)
    today, counters = live.today, dict(live.counters)
    if today.date in earlier:
        old = earlier[today.date]
        today = replace(_sum(today, old), booked=(), final=False)
        counters = {name: _begun_earlier(c, dict(old.booked).get(name)) for name, c in counters.items()}
        changed.append(today.date)
    first_days = {name: c.first_day for name, c in past.counters.items() if c.first_day}
    counters = {
        name: replace(c, first_day=min(c.first_day, first_days.get(name, c.first_day))) if c.first_day else c
        for name, c in counters.items()
    }
    kept = tuple(days[date] for date in sorted(days) if date < live.today.date)
    whole = all(c.first_day < today.date for c in counters.values() if c.first_day)
    first_tick = min(filter(None, (past.first_tick, live.first_tick)), default=0)
    joint = replace(
        live,
        first_day=min(live.first_day, past.first_day),
        first_tick=first_tick,
        today=today,
        days=kept,
        counters=counters,
        seeds={} if whole else live.seeds,
    )
    return joint, changed


def replaced(live: EnergyState, past: EnergyState, dates: Collection[str]) -> tuple[EnergyState, list[str]]:
    """The live books with these closed days as `past` has them; and which of them it had."""
    again = {day.date: day for day in past.days if day.date in dates}
    days = tuple(
        replace(again[day.date], tags=day.tags or again[day.date].tags, final=day.final) if day.date in again else day
        for day in live.days
    )
    return replace(live, days=days), [day.date for day in days if day.date in again]


def rows_of(ledger: EnergyState, dates: Iterable[str]) -> list[DayRow]:
    """The rows of these days, as they stand."""
    days = {day.date: day for day in ledger.days}
    if ledger.today is not None:
        days[ledger.day] = _closed(ledger)
    rows = [point(days[date], ledger) for date in dates if date in days and days[date].end > days[date].start]
    return [row for row in rows if any(name.endswith("_wh") for name in row.reading.fields)]


def _closed(ledger: EnergyState) -> Day:
    """The open day with what its counters hold."""
    assert ledger.today is not None  # noqa: S101  the caller has looked
    booked = tuple(
        (name, Booked(c.today, c.estimated, c.source == POWER))
        for name, c in sorted(ledger.counters.items())
        if c.first_day
    )
    return replace(ledger.today, booked=booked, wiring=ledger.wiring)


def _sum(known: Day, old: Day) -> Day:
    """One day of which two books each saw a part."""
    day = known
    for name, booked in old.booked:
        day = added(day, name, booked.wh, booked.estimated, integrated=booked.integrated)
    return replace(
        day,
        polled_s=min(known.polled_s + old.polled_s, known.end - known.start),
        peak_production_w=_greater(known.peak_production_w, old.peak_production_w),
        peak_load_w=_greater(known.peak_load_w, old.peak_load_w),
        resets=known.resets + old.resets,
        tags=known.tags or old.tags,
    )


def _begun_earlier(counter: Counter, old: Booked | None) -> Counter:
    if old is None or not counter.first_day:
        return counter
    return replace(counter, start=counter.start - old.wh, estimated=counter.estimated + old.estimated)


def _tick(
    past: Past,
    counters: Mapping[str, float],
    wiring: Wiring,
    site: Site,
    inverters: int,
    uncounted: Collection[str] = (),
    *,
    is_polled: bool = False,
) -> Tick:
    powers = {
        name: float(watts)
        for name in POWERS
        if isinstance(watts := past.fields.get(f"{name}_power_w"), (int, float)) and not isinstance(watts, bool)
    }
    return Tick(
        at=past.at,
        counters=counters,
        wiring=wiring,
        max_w=site.max_w or max(_PHASES_W, _INVERTER_W * inverters),
        site=site,
        sources=dict.fromkeys(counters, Source(READ_BACK)),
        uncounted=uncounted,
        powers=powers,
        is_polled=is_polled or bool(counters or powers),
        tags={name: past.tags[name] for name in ("gateway", "site") if name in past.tags},
    )


def _lifetimes(past: Past) -> dict[str, float]:
    return {
        name: float(wh)
        for name, key in LIFETIMES.items()
        if isinstance(wh := past.fields.get(key), (int, float)) and not isinstance(wh, bool)
    }


def _is_counted(past: Past) -> bool:
    """Whether production is a counter's there; the oldest gateways' page has three digits of it, which are none."""
    wh = past.fields.get(LIFETIMES["production"])
    return isinstance(wh, (int, float)) and float(f"{wh:.3g}") != wh


def _usual_gap_s(points: Sequence[Past], name: str) -> float:
    """How far apart the ticks are that have a field."""
    ticks = [past.at for past in points if name in past.fields]
    return median(b - a for a, b in zip(ticks, ticks[1:], strict=False)) if len(ticks) > 1 else 0.0


def _wiring(points: Sequence[Past], known: Wiring | None) -> Wiring:
    """How the site was metered, by the fields that it gave; held ones are missing now and then, not for a day."""
    given = {key for past in points for key in past.fields}
    net = bool(given & {LIFETIMES["import"], LIFETIMES["export"]}) or None
    total = None if net else LIFETIMES["consumption"] in given or None
    metered = bool(given & {LIFETIMES["charged"], LIFETIMES["discharged"]})
    storage = metered if metered or "battery_power_w" in given else None
    counts = [count for past in points if isinstance(count := past.fields.get("batteries"), int)]
    return Wiring(net, total, storage, counts[-1] if counts else None).or_as(known)


def _greater(a: float | None, b: float | None) -> float | None:
    return b if a is None else a if b is None else max(a, b)
