"""Find the gateway's own energies of today and of seven days. Plausible figures are used on the first day. Pure.

Firmware may reset these figures late, at the wrong midnight, or not at all. Each rule in this module rejects one kind
of wrong figure.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Final

from logger.days import local_day
from logger.energy.state import EnergyState, Seed
from logger.readings.json_values import Object, number
from logger.readings.rows import Rows, Selector, View
from logger.readings.selectors import device_data, meters, production
from logger.readings.selectors.page import page

_LAG_WH: Final = 5000.0
"""The greatest difference in Wh between the interval database and the CT, if both count from the same base.

The interval database is at most 15 minutes behind the CT.
"""


def find_seeds(
    view: View, counters: Mapping[str, float], quantities: Collection[str] = ("production", "consumption")
) -> dict[str, Seed]:
    """Return the seeds of `quantities`: the gateway's own energies of today and of seven days.

    A quantity's seed comes from the quantity's first source with a plausible figure. Later sources are not read.
    A quantity without such a source gets no seed. `counters`: this tick's values in Wh.
    """
    tries = {"production": _try_production, "consumption": _try_consumption}
    found = {name: next(filter(None, tries[name](view, counters)), None) for name in tries if name in quantities}
    return {quantity: seed for quantity, seed in found.items() if seed is not None}


def missing_seeds(view: View, energy: EnergyState, counters: Collection[str], zone: str) -> frozenset[str]:
    """Return the quantities whose seed (the gateway's own energies of today and of seven days) is still missing.

    A seed is taken only on a local day on which one of the quantity's counters gets its first accepted value.
    """
    day = local_day(view.snapshot.tick, zone or "UTC")
    if energy.first_day not in ("", day) and all(c.first_day not in ("", day) for c in energy.counters.values()):
        return frozenset()
    made_of: dict[str, tuple[str, ...]] = {"production": ("production",)}
    if meters.has_meter(view, "net-consumption"):
        made_of["consumption"] = ("production", "import", "export")
    elif meters.has_meter(view, "total-consumption"):
        made_of["consumption"] = ("consumption",)
    known = {*counters, *energy.counters, *(("production",) if page(view) else ())}
    return frozenset(
        quantity
        for quantity, names in made_of.items()
        if quantity not in energy.seeds
        and all(name in known for name in names)
        and any(_first_day(energy, name, day) == day for name in names)
    )


def _first_day(energy: EnergyState, name: str, day: str) -> str:
    """Return the local day of the first accepted value of the counter `name`.

    If no value was accepted yet, return the first day of the energy state, or `day` if the energy state is new.
    """
    counter = energy.counters.get(name)
    return (counter.first_day if counter else "") or energy.first_day or day


def _try_production(view: View, counters: Mapping[str, float]) -> Iterator[Seed | None]:
    """Yield the seed of each source of production in order; None for a source without a plausible figure.

    `counters`: the present value of each counter in Wh.
    """
    counter, has_ct = counters.get("production"), meters.has_meter(view, "production")
    if has_ct is None:
        return  # the figures of the inverters are not those of a CT
    if counter is not None:
        if has_ct:
            yield _by_interval(
                view, production.pdm("production", "eim"), "production", "interval database, CT", counter
            )
        yield _by_interval(view, production.v1_totals, "production", "v1 totals", counter)
        if not has_ct:
            name = "interval database, inverters"
            yield _by_interval(view, production.pdm("production", "pcu"), "production", name, counter)
    yield _by_block(view, "production", "production")
    if has_ct:
        return
    sums = device_data.device_data_sums(view)
    if sums:
        today, week = number(sums[0].values.get("today")), number(sums[0].values.get("week"))
        yield Seed("production", "device data, summed", today, week)
    elif counter is None:
        yield _by_page(view)


def _try_consumption(view: View, counters: Mapping[str, float]) -> Iterator[Seed | None]:
    """Yield the seed of each source of consumption in order; None for a source without a plausible figure.

    `counters`: the present value of each counter in Wh.
    """
    counter = counters.get("consumption")
    if {"production", "import", "export"} <= counters.keys():
        counter = counters["production"] + counters["import"] - counters["export"]
    if counter is not None:
        select = production.pdm("consumption", "eim")
        yield _by_interval(view, select, "consumption", "interval database", counter)
    yield _by_block(view, "consumption", "total-consumption")


def _by_interval(view: View, select: Selector, quantity: str, source: str, counter: float) -> Seed | None:
    """Make a seed from the figures of a document that the gateway renews every 5 to 15 minutes.

    `select`: the selector of the figures. `source`: the seed's source in words.

    `counter`: the counter's present value in Wh. The counter's rise since the document was renewed is added to the
    figure of today; this rise is `counter` minus the document's lifetime energy. Return None if this difference is
    below zero or too great, because the counter and the document then count from different bases.
    """
    rows = select(view)
    values: Object = rows[0].values if rows else {}  # a doubt concerns the power, not the counted energy
    today, week, lifetime = (number(values.get(f"wattHours{part}")) for part in ("Today", "SevenDays", "Lifetime"))
    if today is None or lifetime is None or not 0 <= today < lifetime or not 0 <= counter - lifetime < _LAG_WH:
        return None
    return Seed(quantity, source, today + (counter - lifetime), _sane_week(today, week, lifetime))


def _by_block(view: View, quantity: str, kind: str) -> Seed | None:
    """Make a seed from the block of `production.json` with the measurement type `kind`.

    Return None if the block's figures of today and of seven days contradict each other, or if its figure of today
    lacks the latest energy of the CT.
    """
    values = _first_row(production.any_ct_block(quantity, kind)(view))
    today, week, lifetime = (number(values.get(key)) for key in ("whToday", "whLastSevenDays", "whLifetime"))
    if today is None or lifetime is None or week is None or today < 0:
        return None
    if today >= lifetime or week == today or week < today / 2 or _is_left_behind(today, lifetime):
        return None
    return Seed(quantity, f"{kind} CT block", today, _sane_week(today, week, lifetime))


def _is_left_behind(today: float, lifetime: float) -> bool:
    """Return whether the CT's rise is missing from a block's figure of today.

    The gateway adds up two parts. The figure in the interval database is a whole number. The CT's rise since the last
    renewal of the database has decimals. The gateway leaves out the CT's rise if the database's lifetime energy is
    above the CT's lifetime energy. Then the figure of today has no decimals, although the block's lifetime energy has
    decimals.
    """
    return today.is_integer() and not lifetime.is_integer()


def _by_page(view: View) -> Seed | None:
    """Make a seed from the web page of the oldest gateways. Its figures have three digits."""
    values = _first_row(page(view))
    today, week, lifetime = (number(values.get(key)) for key in ("today", "week", "lifetime"))
    if today is None or lifetime is None or not 0 <= today < lifetime:
        return None
    return Seed("production", "web page", today, _sane_week(today, week, lifetime))


def _first_row(rows: Rows) -> Object:
    return rows[0].values if rows and not rows[0].doubt else {}


def _sane_week(today: float, week: float | None, lifetime: float) -> float | None:
    """Return the seven-day figure in Wh; None if it is zero, below half of today, or nearly the whole lifetime."""
    if week is None or week <= 0 or week < today / 2:
        return None
    return week if week < (lifetime - today) * 0.99 else None
