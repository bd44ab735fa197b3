"""Rebuild an energy state by replaying written points tick by tick, and join the state with a newer state. Pure.

The database holds accepted values only, so a replay produces the same days as the original run.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import median
from typing import Final

from logger.days import final_at
from logger.energy.balance import EXPORT, IMPORT
from logger.energy.day_rows import day_rows
from logger.energy.daybook import merge_days
from logger.energy.engine import NO_PRICES, account
from logger.energy.flows import BATTERY, GAP_S
from logger.energy.periods import PERIODS
from logger.energy.state import READ_BACK, EnergyState, Source, Tick, Unpriced, Wiring
from logger.energy.surroundings import Extremes, Surroundings
from logger.model import DayRow, Reading, Value
from logger.site import Site
from logger.tariff.prices import Prices

LIFETIMES: Final = {
    "production": "production_lifetime_wh",
    "import": "grid_import_lifetime_wh",
    "export": "grid_export_lifetime_wh",
    "charged": "battery_charged_lifetime_wh",
    "discharged": "battery_discharged_lifetime_wh",
    "consumption": "consumption_lifetime_wh",
}
"""Primitive counter (one that is not computed from others) → the field of `envoy_totals` with its accepted value."""
BALANCED_LIFETIMES: Final = {
    IMPORT: "grid_import_balanced_lifetime_wh",
    EXPORT: "grid_export_balanced_lifetime_wh",
}
"""Balanced counter → the field of `envoy_totals` that holds its accepted value."""
POWERS: Final = ("production", "net", "consumption", "battery", "load")
FIELDS: Final = (
    *LIFETIMES.values(),
    *BALANCED_LIFETIMES.values(),
    *(f"{name}_power_w" for name in POWERS),
    "batteries",
    "inverters",
    "battery_charge_percent",
)
"""The fields of `envoy_totals` that a replay needs."""
_PHASES_W: Final = 75_000.0
_INVERTER_W: Final = 500.0


@dataclass(frozen=True, slots=True)
class Past:
    """One tick as it was written: the fields and tags of its `envoy_totals` point.

    `around`: the other values of the tick that a day row needs, such as voltage and charge.
    """

    at: int
    fields: Mapping[str, Value]
    tags: Mapping[str, str]
    around: Surroundings = Surroundings()


def replay(
    state: EnergyState,
    points: Sequence[Past],
    site: Site,
    prices: Prices = NO_PRICES,
    phases: int | None = None,
) -> tuple[EnergyState, dict[str, list[DayRow]], list[Reading]]:
    """Account for the past ticks that follow the state's last tick.

    Return the new state, the last rows of each day, and the points of the hours. `phases`: how many phases the meter
    at the grid measured, None if unknown.
    """
    wiring, rows, hours = _wiring(points, phases, state.wiring), dict[str, list[DayRow]](), list[Reading]()
    inverters = max((count for past in points if isinstance(count := past.fields.get("inverters"), int)), default=0)
    uncounted = () if any(_is_counted(past) for past in points) else ("production",)
    slow = BATTERY if _usual_gap_s(points, "battery_power_w") > GAP_S else ()
    seldom = not wiring.net and not wiring.total and _usual_gap_s(points, LIFETIMES["production"]) > site.totals_s
    left_out = {*uncounted, *(("consumption",) if wiring.net else ())}
    for past in points:
        counters = {name: wh for name, wh in _lifetimes(past).items() if name not in left_out}
        tick = _tick(past, counters, wiring, site, inverters)
        done = account(
            state,
            replace(tick, slow=slow, uncounted=uncounted, is_polled=seldom or bool(counters or tick.powers)),
            prices,
        )
        state = done.state
        hours += done.hours
        of_days = [row for row in done.rows if row.reading.measurement not in PERIODS]
        rows |= {day: [row for row in of_days if row.day == day] for day in {row.day for row in of_days}}
    return _continue_balance(state, points), rows, hours


def _continue_balance(state: EnergyState, points: Sequence[Past]) -> EnergyState:
    """Raise the balanced lifetimes of a state to the values that were written.

    The balanced counters began before the first replayed tick, so their written lifetimes are higher.
    """
    counters = dict(state.counters)
    for name, field in BALANCED_LIFETIMES.items():
        written = [wh for past in points if isinstance(wh := past.fields.get(field), float)]
        if written and name in counters and written[-1] > counters[name].accepted_wh:
            counters[name] = replace(counters[name], accepted_wh=written[-1])
    return replace(state, counters=counters)


def lead_up(
    past: EnergyState, live: EnergyState, site: Site, inverters: int, prices: Prices = NO_PRICES
) -> EnergyState:
    """Advance the `past` state to the beginning of the `live` state.

    The time between the two states is treated as any gap: its energy is shared over the days, and each part is booked
    at the price of its time. `inverters`: the number of inverters at the site.
    """
    ticks: dict[int, dict[str, float]] = {live.first_tick: {}} if live.first_tick else {}
    for name, base in live.bases.items():
        ticks.setdefault(base.at, {})[name] = base.wh
    wiring, site = live.wiring or Wiring(), replace(site, zone=live.zone)
    for at in sorted(at for at in ticks if at > past.last_tick):
        tick = _tick(Past(at, {}, {}), ticks[at], wiring, site, inverters)
        known = {name: Source(past.counters[name].source) for name in ticks[at] if name in past.counters}
        past = account(past, replace(tick, sources={**tick.sources, **known}, is_polled=False), prices).state
    return past


def join(live: EnergyState, past: EnergyState) -> tuple[EnergyState, list[str]]:
    """Add the days of the `past` state to the `live` state. Return the joined state, and the dates that changed.

    A day before the first day of `live` is taken from `past`. A later day is merged if both states have it; otherwise
    the day of `live` stays unchanged. `past` must end where `live` begins to count (see `lead_up`).
    """
    if not past.days or not live.days:
        return live, []
    days, changed = {day.date: day for day in live.days}, []
    for day in past.days:
        known, old = days.get(day.date), replace(day, wiring=day.wiring or past.wiring)
        if known is None and day.date >= live.first_day:
            continue
        joint = old if known is None or day.date < live.first_day else merge_days(known, old)
        days[day.date] = replace(joint, final=live.last_tick >= final_at(day.date, live.zone))
        changed.append(day.date)
    first_days = {name: counter.first_day for name, counter in past.counters.items() if counter.has_base}
    counters = {
        name: replace(counter, first_day=min(counter.first_day, first_days.get(name, counter.first_day)))
        for name, counter in live.counters.items()
    }
    for name in BALANCED_LIFETIMES.keys() & counters.keys() & past.counters.keys():
        before_wh = past.counters[name].accepted_wh
        counters[name] = replace(counters[name], accepted_wh=counters[name].accepted_wh + before_wh)
    is_whole = all(counter.first_day < live.day for counter in counters.values() if counter.has_base)
    joint_state = replace(
        live,
        first_day=min(live.first_day, past.first_day),
        first_tick=min(live.first_tick, past.first_tick),
        days=tuple(days[date] for date in sorted(days)),
        counters=counters,
        seeds={} if is_whole else live.seeds,
        unpriced=_add_unpriced((*past.unpriced, *live.unpriced)),
    )
    return joint_state, changed


def _add_unpriced(items: Iterable[Unpriced]) -> tuple[Unpriced, ...]:
    """Add up the unpriced energies that belong to the same counter and the same quarter of an hour."""
    found: dict[tuple[int, str], Unpriced] = {}
    for item in items:
        had = found.get((item.since, item.name))
        wh, estimated_wh = (had.wh, had.estimated_wh) if had else (0.0, 0.0)
        found[item.since, item.name] = replace(item, wh=wh + item.wh, estimated_wh=estimated_wh + item.estimated_wh)
    return tuple(found[key] for key in sorted(found))


def fill_days(live: EnergyState, past: EnergyState, dates: Collection[str]) -> tuple[EnergyState, list[str]]:
    """Copy extremes from `past` to `live`, for closed days of `live` that have no extremes.

    Only the days in `dates` are filled. Return the new state, and the dates of the filled days.
    """
    again = {day.date: day.extremes for day in past.past if day.date in dates and day.extremes != Extremes()}
    filled = [day.date for day in live.past if day.date in again and day.extremes == Extremes()]
    days = (replace(day, extremes=again[day.date]) if day.date in filled else day for day in live.past)
    return replace(live, days=(*days, live.today)), filled


def replace_days(live: EnergyState, past: EnergyState, dates: Collection[str]) -> tuple[EnergyState, list[str]]:
    """Replace closed days of `live` with the same days of `past`.

    Return the new state, and the dates of the replaced days.
    """
    again = {day.date: day for day in past.past if day.date in dates}
    days = tuple(
        replace(again[day.date], tags=day.tags or again[day.date].tags, final=day.final) if day.date in again else day
        for day in live.past
    )
    return replace(live, days=(*days, live.today)), [day.date for day in days if day.date in again]


def list_rows(state: EnergyState, dates: Iterable[str]) -> list[DayRow]:
    """Make the rows of the given dates.

    A date gets no row if the state has no such day, or if the day has no length. A row without an energy is left out.
    """
    days = {day.date: day for day in state.days}
    rows = [
        row
        for date in dates
        if date in days and days[date].end > days[date].start
        for row in day_rows(days[date], state)
    ]
    return [row for row in rows if any(name.endswith("_wh") for name in row.reading.fields)]


def _tick(past: Past, counters: Mapping[str, float], wiring: Wiring, site: Site, inverters: int) -> Tick:
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
        powers=powers,
        tags={name: past.tags[name] for name in ("gateway", "site") if name in past.tags},
        around=past.around,
    )


def _lifetimes(past: Past) -> dict[str, float]:
    return {
        name: float(wh)
        for name, key in LIFETIMES.items()
        if isinstance(wh := past.fields.get(key), (int, float)) and not isinstance(wh, bool)
    }


def _is_counted(past: Past) -> bool:
    """Return whether the production comes from a counter.

    The web page of the oldest gateways gives only three digits, which is too coarse for a counter. So a figure of at
    most three digits does not come from a counter.
    """
    wh = past.fields.get(LIFETIMES["production"])
    return isinstance(wh, (int, float)) and float(f"{wh:.3g}") != wh


def _usual_gap_s(points: Sequence[Past], name: str) -> float:
    """Return the median seconds between ticks that have the field; 0 if fewer than two ticks have the field."""
    ticks = [past.at for past in points if name in past.fields]
    return median(b - a for a, b in zip(ticks, ticks[1:], strict=False)) if len(ticks) > 1 else 0.0


def _wiring(points: Sequence[Past], phases: int | None, known: Wiring | None) -> Wiring:
    """Infer the site's wiring from the fields that occur in the points.

    If values are held, their fields are missing at some ticks, but never for a whole day.
    """
    given = {key for past in points for key in past.fields}
    net = bool(given & {LIFETIMES["import"], LIFETIMES["export"]}) or None
    total = None if net else LIFETIMES["consumption"] in given or None
    metered = bool(given & {LIFETIMES["charged"], LIFETIMES["discharged"]})
    storage = metered if metered or "battery_power_w" in given else None
    counts = [count for past in points if isinstance(count := past.fields.get("batteries"), int)]
    return Wiring(net, total, storage, counts[-1] if counts else None, phases).or_as(known)
