"""Accept, hold or reject the values of all counters at one tick. Pure.

Each counter is first judged alone, and then together with the other counter of its meter.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from logger.energy.daybook import beginning_of
from logger.energy.flows import GAP_S, PowerFlows
from logger.energy.state import READ_BACK, EnergyState, HeldValue, Source, Tick
from logger.energy.validate import Bounds, Decision, hold, rebaseline, start_counter, validate

_OF_ONE_METER: Final = {"import": "export", "export": "import", "charged": "discharged", "discharged": "charged"}


def decide_counters(state: EnergyState, tick: Tick, flows: PowerFlows) -> dict[str, Decision]:
    """Accept, hold or reject each counter's value.

    `state`: the state before the tick, except that its open day is already the day of the tick. The reading at the
    first instant of a day ends one day and begins the next day. If one counter fell slightly in that reading, the
    other counters may be too low as well, although they rose. So every counter that rose is held until the next
    reading.
    """
    seen_w = max((peak for day in state.days if (peak := day.peak_production_w)), default=0.0)
    decisions = {name: _decide(state, tick, name, flows, seen_w) for name in tick.counters}
    if tick.at == beginning_of(state.days, len(state.days) - 1) and _has_dipped(state, tick, flows, decisions):
        for name, decision in decisions.items():
            is_plain = decision.accepted and not (decision.reset or decision.rollovers)
            if name in state.counters and is_plain and decision.rise_wh > 0:
                decisions[name] = hold(state.counters[name], _value(state, tick, name, flows))
    for name, other in _OF_ONE_METER.items():
        if name in decisions and other in decisions and decisions[other].fell:
            decisions[name] = _decide_beside(state, tick, name, flows, decisions[name], decisions[other])
    return decisions


def _decide(state: EnergyState, tick: Tick, name: str, flows: PowerFlows, seen_w: float) -> Decision:
    """Accept, hold or reject one counter's value without regard to the other counters.

    `seen_w`: the greatest production of the days in the state, in W; 0 if there was none.
    """
    known, source = state.counters.get(name), tick.sources.get(name, Source())
    if known is not None and known.source == READ_BACK:
        known = replace(known, source=source.name)
    is_new_firmware = known is not None and known.at < tick.changed_at
    max_w = tick.limits.get(name, tick.max_w)
    bounds = Bounds(max_w, state.zone, tick.site.totals_s, source, seen_w, is_new_firmware)
    value = _value(state, tick, name, flows)
    if known is None or not known.has_base or (source.name and known.source != source.name):
        return start_counter(known, value.wh, tick.at, state.day, bounds, value.bridged_wh)
    return validate(known, value.wh, tick.at, bounds, value.bridged_wh)


def _decide_beside(
    state: EnergyState, tick: Tick, name: str, flows: PowerFlows, alone: Decision, other: Decision
) -> Decision:
    """Decide on a counter after the other counter of the same meter fell during a gap, as after a meter replacement.

    The counter is held while the other counter is held, and rebaselined when the other counter is rebaselined.
    `alone`: the decision on the counter alone. `other`: the decision on the other counter.
    """
    known = state.counters.get(name)
    if known is None or not alone.accepted or alone.reset or tick.at - known.at <= GAP_S:
        return alone
    value = _value(state, tick, name, flows)
    if other.reset:
        max_w = tick.limits.get(name, tick.max_w)
        return rebaseline(known, (*known.held, value), Bounds(max_w, state.zone, tick.site.totals_s))
    return hold(known, value)


def _value(state: EnergyState, tick: Tick, name: str, flows: PowerFlows) -> HeldValue:
    """Return a counter's value at the tick, with the energy integrated from power since the last accepted value."""
    known = state.counters.get(name)
    bridged_wh = known.bridged_wh + flows.energy_wh(name) if known is not None else 0.0
    return HeldValue(tick.at, tick.counters[name], bridged_wh)


def _has_dipped(state: EnergyState, tick: Tick, flows: PowerFlows, decisions: Mapping[str, Decision]) -> bool:
    """Return whether a counter fell slightly at this tick, and had not fallen at the tick before.

    When a state is rebuilt from written points, a counter without a value counts as fallen, because a value that fell
    was not written.
    """
    names = {name for name, decision in decisions.items() if decision.dipped}
    if tick.sources and all(source.name == READ_BACK for source in tick.sources.values()):
        missing = state.counters.keys() & flows.power_w.keys() - decisions.keys()
        names |= {name for name in missing if state.counters[name].source == READ_BACK}
    return any(state.counters[name].at >= state.last_tick for name in names)
