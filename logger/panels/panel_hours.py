"""Count each inverter's energy in each local hour, and make the points of `envoy_inverter_hour`. Pure.

A report gives the mean power of the interval before the report. An hour of an inverter is written once, some time
after the hour, if the reports cover the hour. The hours at dawn and dusk and the hours of a gap are not covered, so
they have no point.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from statistics import median
from typing import Final

from logger.energy.local_hours import LocalHour, hour_of, list_hours
from logger.model import Reading, Value
from logger.panels.compare import LEAST_GROUP, group_serials
from logger.panels.panel_state import InverterState, PanelDays, PanelState, Place, SeenHour

MEASUREMENT: Final = "envoy_inverter_hour"
_GAP_INTERVALS: Final = 3
"""If a report comes more than this many intervals after the previous one, it covers only its own interval."""
_LEAST_SEEN: Final = 0.9
"""The least share of an hour that the reports must cover."""


def add_span(
    hours: dict[int, dict[str, SeenHour]], serial: str, known: InverterState | None, at: int, power_w: float,
    interval_s: int, zone: str,
) -> None:  # fmt: skip
    """Add the energy of one report to the hours that the report covers.

    A report covers its interval, and a short gap before the interval.
    """
    gap_s = at - known.last_at if known else interval_s + 1
    length_s = gap_s if gap_s <= _GAP_INTERVALS * interval_s else interval_s
    wh = power_w * min(length_s, interval_s)
    if known and length_s > interval_s:
        wh += (known.power_w + power_w) / 2 * (length_s - interval_s)
    begin = at - length_s
    for hour in list_hours(begin, at, zone):
        seen_s = min(at, hour.end) - max(begin, hour.start)
        had = hours.setdefault(hour.start, {}).get(serial, SeenHour())
        hours[hour.start][serial] = SeenHour(round(had.wh + wh / 3600 * seen_s / length_s, 3), had.seen_s + seen_s)


def close_hours(
    state: PanelState, until: int, gateway: str, zone: str, devices_s: int
) -> tuple[PanelState, list[Reading]]:
    """Make the points of the hours that later reports cannot change. Remove these hours from the state.

    `until`: the present time in unix seconds. `devices_s`: the seconds between two polls of the inverters.
    """
    wait_s = 2 * (state.interval_s + devices_s)
    points: list[Reading] = []
    left = {}
    for start, seen in state.hours.items():
        hour = hour_of(start, zone)
        if until < hour.end + wait_s:
            left[start] = seen
        elif hour.day in state.days:
            points += _make_points(hour, seen, state.days[hour.day], state, gateway)
    return (state if len(left) == len(state.hours) else replace(state, hours=left)), points


def _make_points(
    hour: LocalHour, seen: Mapping[str, SeenHour], day: PanelDays, state: PanelState, gateway: str
) -> list[Reading]:
    """Make one point for each inverter whose reports cover the hour.

    A point has the inverter's energy, and the median energy of the inverter's group.
    """
    least_s = _LEAST_SEEN * (hour.end - hour.start)
    whole = {serial: had.wh for serial, had in seen.items() if had.seen_s >= least_s and serial in day.panels}
    points = []
    for group, serials in group_serials({serial: day.panels[serial] for serial in whole}).items():
        usual = {"group_wh": median(whole[serial] for serial in serials)} if len(serials) >= LEAST_GROUP else {}
        for serial in serials:
            tags = {"gateway": gateway, "site": day.site, "serial": serial, "panel_group": group, "hour": hour.hour}
            panel = state.places.get(serial, Place()).panel or serial
            fields: dict[str, Value] = {"energy_wh": whole[serial], **usual, "panel": panel}
            written = {name: value for name, value in tags.items() if value}
            points.append(Reading(MEASUREMENT, written, fields, hour.start, "daily"))
    return points
