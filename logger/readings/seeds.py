"""The gateway's own figures of today and seven days, where they are sane: the books' start on the first day.

Firmware resets them late, at the wrong midnight, or never; each rule below rejects one way in which they are wrong.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Final

from logger.energy.days import local_day
from logger.energy.state import Ledger, Seed
from logger.readings import rows as r
from logger.readings.rows import Rows, View, number
from logger.readings.selectors import inverters, meters, production
from logger.readings.selectors.page import page

_LAG_WH: Final = 5000.0
"""The interval database lags the CT by at most 15 minutes; more apart than this, it has another base."""


def seeds(
    view: View, counters: Mapping[str, float], quantities: Collection[str] = ("production", "consumption")
) -> dict[str, Seed]:
    """A seed for each of the quantities, from its first sane source; `counters` are this tick's.

    A source is looked at only while no earlier one had a sane figure.
    """
    produced = counters.get("production")
    consumed = counters.get("consumption")
    if {"production", "import", "export"} <= counters.keys():
        consumed = counters["production"] + counters["import"] - counters["export"]
    metered = meters.has_meter(view, "production")
    found: dict[str, Seed] = {}
    candidates: tuple[tuple[str, str, Callable[[View], Rows], float | None], ...] = (
        (
            "production",
            "interval database, CT",
            production.pdm("production", "eim"),
            produced if metered else None,
        ),
        ("production", "v1 totals", production.v1_totals, produced),
        (
            "production",
            "interval database, inverters",
            production.pdm("production", "pcu"),
            None if metered else produced,
        ),
        ("consumption", "interval database", production.pdm("consumption", "eim"), consumed),
    )
    for quantity, source, select, counter in candidates:
        if counter is None or quantity in found or quantity not in quantities:
            continue
        rows = select(view)
        if rows:
            seed = _interval(quantity, source, rows[0].values, counter)
            if seed is not None:
                found[quantity] = seed
    for quantity, side, kind in (
        ("production", "production", "production"),
        ("consumption", "consumption", "total-consumption"),
    ):
        if quantity in found or quantity not in quantities:
            continue
        rows = production.any_ct_block(side, kind)(view)
        if rows:
            seed = _block(quantity, f"{kind} CT block", rows[0].values)
            if seed is not None:
                found[quantity] = seed
    if "production" in found or "production" not in quantities or metered:
        return found
    sums = inverters.device_data_sums(view)
    if sums:
        today, week = number(sums[0].values.get("today")), number(sums[0].values.get("week"))
        found["production"] = Seed("production", "device data, summed", today, week)
    elif produced is None and (rows := page(view)):
        seed = _page(rows[0].values)
        found |= {} if seed is None else {"production": seed}
    return found


def unseeded(view: View, ledger: Ledger, counters: Collection[str]) -> frozenset[str]:
    """The quantities whose gateway's figure of today is still wanted: on the first local day of their counters."""
    day = local_day(view.snapshot.tick, ledger.zone or "UTC")
    made_of: dict[str, tuple[str, ...]] = {"production": ("production",)}
    if meters.has_meter(view, "net-consumption"):
        made_of["consumption"] = ("production", "import", "export")
    elif meters.has_meter(view, "total-consumption"):
        made_of["consumption"] = ("consumption",)
    known = {*counters, *ledger.counters, *(("production",) if page(view) else ())}
    return frozenset(
        quantity
        for quantity, names in made_of.items()
        if quantity not in ledger.seeds
        and all(name in known for name in names)
        and any(_first_day(ledger, name, day) == day for name in names)
    )


def _first_day(ledger: Ledger, name: str, day: str) -> str:
    """The local day of a counter's base; of one without, that of the books."""
    counter = ledger.counters.get(name)
    return (counter.first_day if counter else "") or ledger.first_day or day


def _interval(quantity: str, source: str, values: r.Object, counter: float) -> Seed | None:
    """From a 15-minute figure: what the counter has run on since is added, if both have one base."""
    today, week, lifetime = (number(values.get(f"wattHours{part}")) for part in ("Today", "SevenDays", "Lifetime"))
    if today is None or lifetime is None or not 0 <= today < lifetime:
        return None
    ahead = counter - lifetime
    if not 0 <= ahead < _LAG_WH:
        return None
    return Seed(quantity, source, today + ahead, week if _sane_week(today, week, lifetime) else None)


def _block(quantity: str, source: str, values: r.Object) -> Seed | None:
    """From a block of production.json: rejected whole if today and seven days contradict each other."""
    today, week, lifetime = (number(values.get(key)) for key in ("whToday", "whLastSevenDays", "whLifetime"))
    if today is None or lifetime is None or week is None or today < 0:
        return None
    if today >= lifetime or week == today or week < today / 2:
        return None
    return Seed(quantity, source, today, week if _sane_week(today, week, lifetime) else None)


def _page(values: r.Object) -> Seed | None:
    """From the oldest gateways' web page, whose lifetime is no counter; three digits each."""
    today, week, lifetime = (number(values.get(key)) for key in ("today", "week", "lifetime"))
    if today is None or lifetime is None or not 0 <= today < lifetime:
        return None
    return Seed("production", "web page", today, week if _sane_week(today, week, lifetime) else None)


def _sane_week(today: float, week: float | None, lifetime: float) -> bool:
    """Not zero, not smaller than half of today, not all that ever was (no row old enough)."""
    if week is None or week <= 0 or week < today / 2:
        return False
    return week < (lifetime - today) * 0.99
