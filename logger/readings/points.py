"""Make the points of a tick: what was read of a device, with its tags, its time and what follows from it. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from statistics import median
from typing import Final

from logger.model import Reading, Report, Value
from logger.readings.derive import derive_stored_wh
from logger.readings.extract import Device
from logger.readings.layout import Layout
from logger.readings.reports import ReportLog, interval_s

EVERY_S: Final = 900
"""The gateway's own point is written as often as this, in seconds, and on change."""
_LONGEST_S: Final = 7200
"""Reports further apart are a night or an outage, no interval."""
_WATCHED: Final = ("firmware", "part_number", "interface", "update_status")


@dataclass(frozen=True, slots=True)
class GatewayPoint:
    """The gateway's own point as it was written last: its tick, and those fields of which a change is written."""

    at: int = -EVERY_S
    fields: Mapping[str, Value] = field(default_factory=dict)

    def is_due(self, fields: Mapping[str, Value], tick: int) -> bool:
        """Whether the next point is due at a tick, with these fields.

        With anything of `/home.json` it is: that document comes every 15 minutes, or hourly from a slow gateway.
        """
        if not 0 <= tick - self.at < EVERY_S or fields.keys() - {"firmware", "part_number"}:
            return True
        return any(fields[name] != self.fields.get(name) for name in _WATCHED if name in fields)

    def update(self, fields: Mapping[str, Value], tick: int) -> GatewayPoint:
        """The last point, after one with these fields was written."""
        return GatewayPoint(tick, {**self.fields, **{name: fields[name] for name in _WATCHED if name in fields}})


class Points:
    """The points of one tick, each made once; `totals` are the fields of `envoy_totals`, whose point comes later.

    Devices are added in the table's order: an inverter's report stands before its status, and all reports before the
    gateway's own point, both of which tell how far apart the reports are.
    """

    def __init__(
        self, tick: int, reports: ReportLog, last: GatewayPoint, tags: Mapping[str, str], layout: Layout
    ) -> None:
        self.totals: dict[str, Value] = {}
        self.finished: list[Reading] = []
        self.reports, self.gateway_point = reports, last
        self._tick, self._tags, self._layout = tick, tags, layout

    def add(self, device: Device) -> None:
        """Finish the point of a device, if it is due."""
        measurement, tags = device.measurement, {**self._tags, **device.tags}
        if measurement.has_layout:
            tags = {**self._layout.tags.get(device.tags["serial"], {}), **tags}
        point = Reading(measurement.name, tags, device.fields, self._tick, measurement.role)
        match measurement.name:
            case "envoy_totals":
                self.totals = device.fields
            case "envoy_inverter":
                self.finished += self.reports.admit(point, device.row, device.source, waits=device.waits)
            case "envoy_inverter_status":
                self._finish(point, report_interval_s=self.reports.interval_s(tags["serial"]))
            case "envoy_battery":
                self._finish(point, energy_wh=derive_stored_wh(device.fields))
            case "envoy_gateway":
                self._add_gateway(point)
            case _:
                self.finished.append(point)

    def _add_gateway(self, point: Reading) -> None:
        if self.gateway_point.is_due(point.fields, point.time):
            self.gateway_point = self.gateway_point.update(point.fields, point.time)
            self._finish(point, inverter_report_interval_s=usual_interval_s(self.reports.known))

    def _finish(self, point: Reading, **more: Value | None) -> None:
        """Add a point with further fields, those that are known."""
        known = {name: value for name, value in more.items() if value is not None}
        self.finished.append(replace(point, fields={**point.fields, **known}) if known else point)


def usual_interval_s(reports: Mapping[str, Sequence[Report]]) -> float | None:
    """The median over all inverters of the seconds between their last two reports, by the gateway's clock.

    A night between two reports does not count.
    """
    found = (interval_s(known) for known in reports.values())
    intervals = [seconds for seconds in found if seconds is not None and seconds <= _LONGEST_S]
    return float(median(intervals)) if intervals else None
