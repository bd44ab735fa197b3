"""What the log says of absent values: that they are missing, are present again, or are no longer expected."""

from __future__ import annotations

import logging

import pytest

from logger import log
from logger.daemon.collected import Findings
from logger.readings.expected import Expected
from logger.readings.missing import Absence, Absences

POWER, CHARGE = Expected("envoy_totals", "load_power_w"), Expected("envoy_totals", "battery_charge_percent")


def test_a_value_of_removed_equipment_is_not_said_to_be_present_again(caplog: pytest.LogCaptureFixture) -> None:
    findings = Findings(log.Changes(None), lambda event: None)
    absent = {each.name: Absence(0, "no answer") for each in (POWER, CHARGE)}
    with caplog.at_level(logging.INFO):
        findings.report_absences(Absences((POWER, CHARGE), absent))
        findings.report_absences(Absences((POWER,), {}))
    assert [record.getMessage() for record in caplog.records] == [
        "values missing for more than 15 minutes: load_power_w, battery_charge_percent (no answer)",
        "values present again: load_power_w",
        "values no longer expected of this site: battery_charge_percent",
    ]
