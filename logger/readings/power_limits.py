"""Limit the powers of a site by the greatest power that its devices can deliver. Pure.

The limit of the whole site (25 kW for each phase) finds few errors at a small site. Some devices report a limit of
their own: an inverter its greatest power so far, an IQ Battery its rated power. Such a limit applies only to the
powers of these devices.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from logger.energy.state import Tick
from logger.readings import rowsets as s
from logger.readings.derive import BATTERY_W, PRODUCTION_W
from logger.readings.power_times import ReadFrom
from logger.readings.rows import View
from logger.readings.selectors import batteries, inverters, production
from logger.readings.selectors.ensemble import SURGE

_BY_CT: Final = frozenset({s.PRODUCTION_METER.name, s.PRODUCTION_BLOCK.name})
"""Sources of the production that also measure inverters which the gateway does not list (Q-M10)."""
_SPARE: Final = 1.5
_USUAL_W: Final = 250.0
"""The greatest power in W that is expected of an inverter before its first full sun."""


def list_counter_limits(view: View, sources: Mapping[str, str]) -> dict[str, float]:
    """Return counter → the greatest power in W of the counter's devices, if the devices report their limit.

    `sources`: counter → name of the rowset from which the counter is read.
    """
    found = {}
    if sources.get("production") not in _BY_CT and (most_w := _limit_inverters(view)):
        found["production"] = most_w
    if rated_w := batteries.sum_rated(view):
        found |= dict.fromkeys(("charged", "discharged"), SURGE * rated_w)
    return found


def list_power_limits(tick: Tick, read_from: ReadFrom) -> dict[str, float]:
    """Return the greatest plausible power in W of production and batteries, if their devices report a limit.

    A production that a CT measures has no such limit, because the CT may also measure unlisted inverters (Q-M10).
    `read_from`: the rowset and the row from which each field of the tick was read.
    """
    found, source = {}, read_from.get(PRODUCTION_W)
    if "production" in tick.limits and source is not None and source[0].name not in _BY_CT:
        found[PRODUCTION_W] = tick.limits["production"]
    if "charged" in tick.limits:
        found[BATTERY_W] = tick.limits["charged"]
    return found


def _limit_inverters(view: View) -> float | None:
    """Return the greatest power that the inverters can make together, in W.

    Return None if the two documents with the number of inverters do not agree.
    """
    rows, listed = production.counting_block(view), inverters.count_listed(view)
    count = rows[0].whole("activeCount") if rows else None
    most_w = inverters.sum_maxima(view) if count and count == listed else None
    return most_w and _SPARE * max(most_w, _USUAL_W * (listed or 0))
