"""Make the points of a tick: what was read of a device, with its tags, its time and what follows from it. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from logger.model import Reading, Value
from logger.readings.derive import stored_in_battery
from logger.readings.extract import Device
from logger.readings.gateway_point import GatewayPoint, is_due, note_written, usual_interval_s
from logger.readings.layout import Layout
from logger.readings.reports import ReportLog


class Points:
    """The points of one tick, each made once. `totals` are the fields of `envoy_totals`, which are accounted first.

    Reports come before the values that are made of them, as the table has it: an inverter's before its status, and
    all before the gateway's own point.
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
                self._finish(point, energy_wh=stored_in_battery(device.fields))
            case "envoy_gateway":
                self._add_gateway(point)
            case _:
                self.finished.append(point)

    def _add_gateway(self, point: Reading) -> None:
        if is_due(point.fields, self.gateway_point, point.time):
            self.gateway_point = note_written(point.fields, self.gateway_point, point.time)
            self._finish(point, inverter_report_interval_s=usual_interval_s(self.reports.known))

    def _finish(self, point: Reading, **more: Value | None) -> None:
        """Add a point with further fields, those that are known."""
        known = {name: value for name, value in more.items() if value is not None}
        self.finished.append(replace(point, fields={**point.fields, **known}) if known else point)
