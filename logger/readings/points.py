"""Make the points of a tick from each device's fields; add tags, time and derived fields. Pure."""

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
"""The seconds between two points of the gateway itself while its fields do not change."""
_LONGEST_S: Final = 7200
"""A gap of more seconds between two reports is a night or an outage, not a reporting interval."""
_WATCHED: Final = ("firmware", "part_number", "interface", "update_status")


@dataclass(frozen=True, slots=True)
class GatewayPoint:
    """The last written point of the gateway: its tick, and the fields whose change makes a new point due."""

    at: int = -EVERY_S
    fields: Mapping[str, Value] = field(default_factory=dict)

    def is_due(self, fields: Mapping[str, Value], tick: int) -> bool:
        """Return True if the gateway's next point, with these fields, is due at a tick.

        A point with a field of `/home.json` is always due, because that document arrives only every 15 to 60 minutes.
        """
        if not 0 <= tick - self.at < EVERY_S or fields.keys() - {"firmware", "part_number"}:
            return True
        return any(fields[name] != self.fields.get(name) for name in _WATCHED if name in fields)

    def update(self, fields: Mapping[str, Value], tick: int) -> GatewayPoint:
        """Return the new state after the gateway's point with these fields was written at a tick."""
        return GatewayPoint(tick, {**self.fields, **{name: fields[name] for name in _WATCHED if name in fields}})


class Points:
    """Collect the points of one tick. `totals`: the fields of `envoy_totals`; another module makes that point.

    Devices must be added in the order of the table of fields. There the inverter reports come first, because later
    points contain the interval between these reports: the points of inverter status and of the gateway.
    """

    def __init__(
        self, tick: int, reports: ReportLog, last: GatewayPoint, tags: Mapping[str, str], layout: Layout
    ) -> None:
        self.totals: dict[str, Value] = {}
        self.finished: list[Reading] = []
        self.reports, self.gateway_point = reports, last
        self._tick, self._tags, self._layout = tick, tags, layout

    def add(self, device: Device) -> None:
        """Add the point of a device to the points of the tick, if the point is due."""
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
        """Add a point to the finished points, with each field of `more` that has a value."""
        known = {name: value for name, value in more.items() if value is not None}
        self.finished.append(replace(point, fields={**point.fields, **known}) if known else point)


def usual_interval_s(reports: Mapping[str, Sequence[Report]]) -> float | None:
    """Return the median, over all inverters, of the seconds between an inverter's last two reports.

    Report times are by the gateway's clock. An interval of more than two hours, such as a night, is left out.
    """
    found = (interval_s(known) for known in reports.values())
    intervals = [seconds for seconds in found if seconds is not None and seconds <= _LONGEST_S]
    return float(median(intervals)) if intervals else None
