"""The rows of `envoy_inverter_day`: what the books say of each inverter on each day that is not final yet. Pure."""

from __future__ import annotations

from logger.energy.days import first_instant
from logger.model import Reading, Value
from logger.panels.books import Panels
from logger.panels.compare import coverages, day_ratios, week_ratios

MEASUREMENT = "envoy_inverter_day"


def day_rows(panels: Panels, day: str, gateway: str, zone: str) -> list[Reading]:
    """One row an inverter of a local day; its tags are those with which the day began."""
    kept = panels.days[day]
    ratios, weeks, covered = day_ratios(kept), week_ratios(panels.days, day), coverages(kept, panels.interval_s)
    rows = []
    for serial, panel in kept.panels.items():
        tags = {"gateway": gateway, "site": kept.site, "serial": serial, "panel_group": panel.group}
        fields: dict[str, Value] = {"energy_wh": panel.wh, "estimated_wh": panel.estimated_wh}
        if panel.seen:
            fields["peak_power_w"] = panel.peak_w
        for name, found in (("group_ratio", ratios), ("group_ratio_7d", weeks), ("coverage_percent", covered)):
            if serial in found:
                fields[name] = round(found[serial], 4)
        rows.append(
            Reading(MEASUREMENT, {k: v for k, v in tags.items() if v}, fields, first_instant(day, zone), "daily")
        )
    return rows
