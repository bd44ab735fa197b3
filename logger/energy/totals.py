"""Compute the energy fields of `envoy_totals`: lifetime, today and seven days of each quantity. Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from functools import lru_cache
from typing import Final

from logger.days import following
from logger.energy.quantities import TOTALS, figure, is_impossible, terms
from logger.energy.state import POWER, Day, EnergyState, Wiring
from logger.model import add_up

_WEEK: Final = 7


def energy_fields(
    state: EnergyState, accepted: Mapping[str, float], left_out: Collection[str] = ()
) -> dict[str, float]:
    """Compute all energy fields after a tick, in Wh, from the counter values `accepted` in that tick.

    The fields of the lifetime energy and of today are missing for the quantities in `left_out`.
    """
    found = list_fields(state, accepted, {name: state.today.energy[name].wh for name in accepted})
    found = _keep_to_marks(found, state)
    for quantity in left_out:
        for part in ("lifetime", "today"):
            found.pop(f"{quantity}_{part}_wh", None)
    found |= {f"{quantity}_7d_wh": wh for quantity, wh in _list_weeks(state).items()}
    order = [f"{quantity}_{part}_wh" for quantity in terms(state.wiring) for part in ("lifetime", "today", "7d")]
    return {name: found[name] for name in order if name in found}


def _keep_to_marks(found: Mapping[str, float], state: EnergyState) -> dict[str, float]:
    """For each quantity that has a mark, take the lifetime and today fields from the mark (`marks.py`).

    Leave out these fields if the quantity's figures cannot be true.
    """
    kept = dict(found)
    for quantity, mark in state.marks.items():
        ever, today = f"{quantity}_lifetime_wh", f"{quantity}_today_wh"
        if mark.of != tuple(terms(state.wiring).get(quantity, ())) or ever not in kept:
            continue
        if mark.is_short(state.last_tick):
            kept = {name: wh for name, wh in kept.items() if name not in (ever, today)}
            continue
        kept[ever] = mark.ever_wh
        if today in kept:
            rises = add_up(sign * state.today.energy[name].wh for name, sign in terms(state.wiring)[quantity].items())
            kept[today] += mark.today_wh - rises
    return kept


def list_fields(state: EnergyState, accepted: Mapping[str, float], todays: Mapping[str, float]) -> dict[str, float]:
    """Compute lifetime and today fields, in Wh, of the quantities whose counters were all accepted at one tick.

    `accepted`: the accepted value of each counter in Wh. `todays`: the rise of each counter in Wh since midnight;
    empty to leave out the today fields.
    """
    fields: dict[str, float] = {}
    measured = {name for name in accepted if state.counters[name].source != POWER}
    for quantity, of in terms(state.wiring).items():
        if not all(name in accepted for name in of):
            continue
        ever = add_up(sign * accepted[name] for name, sign in of.items())
        if measured & of.keys() and not is_impossible(quantity, ever, (accepted[name] for name in of)):
            fields[f"{quantity}_lifetime_wh"] = ever
        if all(name in todays for name in of):
            today = _today_wh(state, quantity, add_up(sign * todays[name] for name, sign in of.items()), of)
            if today is not None and not is_impossible(quantity, today, (todays[name] for name in of)):
                fields[f"{quantity}_today_wh"] = today
    return fields


def _today_wh(state: EnergyState, quantity: str, rises_wh: float, of: Mapping[str, int]) -> float | None:
    """Return a quantity's energy of today in Wh. `of`: counter → its sign in the quantity.

    On the first day of a counter, today's energy is the sum of the rises and the gateway's figure. Return None if the
    gateway's figure is missing.
    """
    if all(state.counters[name].first_day < state.day for name in of):
        return rises_wh
    seed = state.seeds.get(quantity)
    return None if seed is None or seed.today_wh is None else seed.today_wh + rises_wh


def _list_weeks(state: EnergyState) -> dict[str, float]:
    """Return each quantity's energy of the seven complete days before today, in Wh.

    Each counter of the quantity must have an accepted value before the first of these days, and an accepted value of
    today. Otherwise the quantity is left out. On a counter's first day, the gateway's figure is used, if it is
    plausible.
    """
    found: dict[str, float] = {}
    first_days = tuple((name, counter.first_day) for name, counter in state.counters.items())
    sums = _sum_week(state.past[-_WEEK:], state.day, state.wiring, first_days)
    for quantity, of in terms(state.wiring).items():
        counters = [state.counters[name] for name in of if name in state.counters and state.counters[name].has_base]
        if len(counters) < len(of):
            continue
        if any(counter.first_day == state.day for counter in counters):
            seed = state.seeds.get(quantity)
            if seed is not None and seed.week_wh is not None:
                found[quantity] = seed.week_wh
        elif quantity in sums and all(counter.at >= state.today.start for counter in counters):
            found[quantity] = sums[quantity]
    return found


@lru_cache(maxsize=16)
def _sum_week(
    days: tuple[Day, ...], today: str, wiring: Wiring | None, first_days: tuple[tuple[str, str], ...]
) -> Mapping[str, float]:
    """Sum the seven days before today, in Wh, for each quantity that is complete on all seven days.

    `first_days`: each counter with the date of its first day.
    """
    dates = [day.date for day in days]
    if len(days) < _WEEK or [following(date) for date in dates] != [*dates[1:], today]:
        return {}
    first_day = dict(first_days)
    found: dict[str, float] = {}
    for quantity in TOTALS:
        of_days = []
        for day in days:
            metered = day.wiring or wiring
            is_whole = all(first_day.get(name, day.date) < day.date for name in terms(metered).get(quantity, ()))
            found_wh = None if quantity in day.left_out else figure(quantity, metered, day.energy)
            if found_wh is not None and is_whole:
                of_days.append(found_wh[0])
        if len(of_days) == _WEEK:
            found[quantity] = add_up(of_days)
    return found
