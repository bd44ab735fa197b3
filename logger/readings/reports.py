"""Identify each inverter report and fix its time, so that each report becomes exactly one point. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from logger.model import AHEAD_S, Reading, Report
from logger.readings.rows import Row

SAME_REPORT_S: Final = 5
"""Two documents may differ by this much in the time of the same report."""
REMEMBERED: Final = 16
_SKEW_S: Final = (60, 86400)


def fresh_report(
    serial: str, second: int | None, source: str, known: Sequence[Report], gateway_now: float, skew_s: float
) -> Report | None:
    """Return the report to write, or None if the report was written before or has no valid time.

    `second` is the report's time by the gateway's clock. `skew_s` is the gateway's clock minus ours. A skew between a
    minute and a day is subtracted from the point's time once, when the report is first seen.
    """
    if not second or second < 0 or second > gateway_now + AHEAD_S:
        return None
    if any(_is_within(second, report.gateway_second) for report in known):
        return None
    corrected = second - round(skew_s) if _SKEW_S[0] <= abs(skew_s) <= _SKEW_S[1] else second
    return Report(serial, second, corrected, source)


def _is_within(one: int, other: int) -> bool:
    return abs(one - other) <= SAME_REPORT_S


def remember(known: Sequence[Report], report: Report) -> list[Report]:
    """Return the last reports of an inverter, including a new report."""
    return [*known, report][-REMEMBERED:]


def interval_s(reports: Sequence[Report]) -> int | None:
    """Return the seconds between the two latest reports, or None with fewer than two reports."""
    seconds = sorted(report.gateway_second for report in reports)[-2:]
    return seconds[1] - seconds[0] if len(seconds) == 2 else None


@dataclass(frozen=True, slots=True)
class EarlyReport:
    """Hold a report from the v1 list while device data, which may give the report more fields, is silent."""

    report: Report
    point: Reading


class ReportLog:
    """Collect the inverters' reports of one tick: `known` by serial, `new`, and `waiting` for more fields."""

    def __init__(
        self, known: Mapping[str, Sequence[Report]], waiting: Mapping[str, EarlyReport], skew_s: float
    ) -> None:
        self.known, self.waiting, self.new = dict(known), dict(waiting), list[Report]()
        self._skew_s = skew_s

    def admit(self, point: Reading, row: Row, source: str, *, waits: bool) -> list[Reading]:
        """Add the report in a row of `source` → the points to write now, each at its report's time.

        A known report gives no point. A waiting report that got no further fields is returned before the new point.
        `waits`: another document may give the same report with more fields.
        """
        serial, received_at = row.serial, 0.0 if row.document is None else row.document.received_at
        known, gateway_now = self.known.get(serial, ()), received_at + self._skew_s
        report = fresh_report(serial, row.reported, source, known, gateway_now, self._skew_s)
        if report is None:
            return []
        points = []
        early = self.waiting.pop(serial, None)
        if early is not None and _is_within(early.report.gateway_second, report.gateway_second):
            report = replace(report, time=early.report.time)
        elif early is not None:
            points.append(self._enter(early.report, early.point))
        point = replace(point, time=report.time)
        if waits:
            self.waiting[serial] = EarlyReport(report, point)
            return points
        return [*points, self._enter(report, point)]

    def _enter(self, report: Report, point: Reading) -> Reading:
        self.known[report.serial] = remember(self.known.get(report.serial, ()), report)
        self.new.append(report)
        return point

    def interval_s(self, serial: str) -> int | None:
        """Return the seconds between the two latest reports of an inverter, or None."""
        return interval_s(self.known.get(serial, ()))
