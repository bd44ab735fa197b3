"""Start a counter: use the gateway's own figures on the first day, and store the counter's base. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from logger.energy.quantities import terms
from logger.energy.state import BALANCED, POWER, Base, EnergyState, Seed, Tick
from logger.model import add_up

_WEEK: Final = 7
_DAY_H: Final = 24
_EARLY_S: Final = 3 * 3600
_EARLY_W: Final = 3000.0
_DARK_W: Final = 50.0
"""A production below this power counts as none."""
_NOISE_WH: Final = 30.0
_SUNNY_SHARE: Final = 0.1
"""If the inverters produce at least this share of their greatest power, the sun has been up for a while."""
_RECENT_S: Final = 300


def take_seeds(state: EnergyState, tick: Tick) -> Mapping[str, Seed]:
    """Take one seed for each quantity. A seed is taken only on the first day of the quantity's counters.

    The seed is the gateway's figure minus the energy that this recorder counted. Some gateways reset their figures of
    today long after midnight. So a figure greater than what can have flowed since midnight is refused. The figures
    after a refused figure are refused too, until a smaller figure shows that the gateway has reset its figures.
    """
    taken, of = dict(state.seeds), terms(state.wiring)
    refused = note_refused(state, tick)
    for quantity, seed in tick.seeds.items():
        is_refused = quantity in refused and (seed.today_wh is None or seed.today_wh >= refused[quantity])
        if quantity not in taken and not is_refused and _is_first_day(state, of.get(quantity, {})):
            before_us = _before_us(state, seed, of[quantity])
            taken[quantity] = replace(seed, today_wh=before_us, week_wh=_judge_week(seed, tick))
    produced, consumed = taken.get("production"), taken.get("consumption")
    by_both = "net" in of and not {"charged", "discharged"} & of["net"].keys()
    if produced and consumed and by_both and "net" not in taken:
        taken["net"] = Seed(
            "net",
            "consumption − production",
            _less(consumed.today_wh, produced.today_wh),
            _less(consumed.week_wh, produced.week_wh),
        )
    if consumed and "load" in of and of["load"] == of["consumption"]:
        taken["load"] = replace(consumed, quantity="load")
    return state.seeds if taken == state.seeds else taken


def _judge_week(seed: Seed, tick: Tick) -> float | None:
    """Return the gateway's seven-day figure in Wh; None if the inverters cannot have produced so much energy.

    The limit is the energy of seven whole days at the greatest power of the inverters.
    """
    is_bounded = seed.quantity == "production" and tick.inverters_w and seed.week_wh is not None
    most_w = max(tick.inverters_w or 0.0, tick.powers.get("production", 0.0))
    return None if is_bounded and (seed.week_wh or 0.0) > _WEEK * _DAY_H * most_w else seed.week_wh


def note_refused(state: EnergyState, tick: Tick) -> Mapping[str, float]:
    """Return the gateway's refused figures of today, in Wh: figures of yesterday, or figures that do not change.

    If one figure of a tick is wrong, all figures of that tick are refused.
    """
    if not any(_is_of_yesterday(seed, state, tick) or _stands(seed, tick) for seed in tick.seeds.values()):
        return state.refused
    new = {name: seed.today_wh for name, seed in tick.seeds.items() if seed.today_wh is not None}
    return state.refused if state.refused.keys() >= new.keys() else {**new, **state.refused}


def _is_of_yesterday(seed: Seed, state: EnergyState, tick: Tick) -> bool:
    """Return whether the gateway's figure of today is greater than what can have flowed since midnight.

    Then the figure is still yesterday's figure. Inverters produce at most the sum of their own greatest powers, and
    nothing before their first report of the day. In the first three hours of a day, any other quantity is at most
    half of the mean energy of the last seven days. If the gateway reports no energy of seven days, the mean power of
    the quantity is at most 3 kW in these hours.
    """
    passed_s = tick.at - state.today.start
    if seed.today_wh is None:
        return False
    most_wh = tick.max_w * passed_s / 3600
    if seed.quantity == "production" and tick.inverters_w:
        power_w = tick.powers.get("production", 0.0)
        most_wh = min(most_wh, max(tick.inverters_w, power_w) * passed_s / 3600)
        if tick.reported_at is not None and tick.reported_at < state.today.start and power_w < _DARK_W:
            most_wh = min(most_wh, _NOISE_WH)
    elif passed_s < _EARLY_S:
        most_wh = min(most_wh, _EARLY_W * passed_s / 3600 if seed.week_wh is None else seed.week_wh / _WEEK / 2)
    return seed.today_wh > most_wh


def _stands(seed: Seed, tick: Tick) -> bool:
    """Return whether the gateway's figure of today's production is too low, because the gateway does not renew it.

    The figure is too low if it is less than the energy of five minutes at the present power. It is judged only while
    this power is so great that the sun must have been up for a while.
    """
    power_w, most_w = tick.powers.get("production", 0.0), tick.inverters_w
    if seed.quantity != "production" or seed.today_wh is None or not most_w or power_w < _SUNNY_SHARE * most_w:
        return False
    return seed.today_wh < power_w * _RECENT_S / 3600


def note_bases(state: EnergyState) -> Mapping[str, Base]:
    """Return the stored bases, and the base of each new counter of the gateway: its first accepted value.

    A stored base never changes.
    """
    new = {
        name: Base(counter.at, counter.accepted_wh - counter.offset_wh)
        for name, counter in state.counters.items()
        if counter.has_base and counter.source not in (POWER, BALANCED) and name not in state.bases
    }
    return {**state.bases, **new} if new else state.bases


def _is_first_day(state: EnergyState, of: Mapping[str, int]) -> bool:
    """Return whether all counters of a quantity have a base, and at least one base is from today.

    A base is the first accepted value of a counter. `of`: counter → its sign in the quantity.
    """
    counters = [state.counters[name] for name in of if name in state.counters and state.counters[name].has_base]
    return bool(of) and len(counters) == len(of) and not all(counter.first_day < state.day for counter in counters)


def _before_us(state: EnergyState, seed: Seed, of: Mapping[str, int]) -> float | None:
    """Return today's energy, in Wh, before this recorder began to count; None if the seed has no figure of today.

    `of`: counter → its sign in the quantity.
    """
    if seed.today_wh is None:
        return None
    return max(0.0, seed.today_wh - add_up(sign * state.today.energy[name].wh for name, sign in of.items()))


def _less(a: float | None, b: float | None) -> float | None:
    return None if a is None or b is None else a - b
