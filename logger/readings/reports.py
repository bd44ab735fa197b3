"""Identify each inverter report and fix its time, so that each report becomes exactly one point. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final, TypeGuard

from logger.model import AHEAD_S, Reading, Report
from logger.readings.rows import Row

SAME_REPORT_S: Final = 5
"""The greatest difference in seconds between the times that two documents give to one report."""
REMEMBERED: Final = 16
_SKEW_S: Final = (60, 86400)
_DISORDER_S: Final = 1800
"""A new report may be this many seconds older than a known report of the inverter: documents arrive late."""
_NEVER: Final = 2**32
"""The first unix second, in the year 2106, that does not count as the time of a report."""


def fresh_report(
    serial: str, second: int | None, source: str, known: Sequence[Report], seen_at: float, skew_s: float
) -> Report | None:
    """Return the report to write. Return None if the report was written before or has no time.

    `second`: the report's time by the gateway's clock. `known`: the earlier reports of the inverter. `seen_at`: the
    arrival of the report's document by our clock. `skew_s`: the gateway's clock minus our clock.

    The point gets the time `second`. A skew between a minute and a day is subtracted from it. In two cases the point
    gets the time `seen_at` instead. First, `second` is in the future. Second, the result is too early: it is before
    the time of an earlier report, because the gateway's clock was set after the skew was measured. If no skew was
    subtracted, the result may be up to `_DISORDER_S` seconds before an earlier report, because documents arrive late.
    """
    if not is_time(second) or any(_is_within(second, report.gateway_second) for report in known):
        return None
    if second > seen_at + skew_s + AHEAD_S:
        return Report(serial, second, int(seen_at), source)
    is_skewed = _SKEW_S[0] <= abs(skew_s) <= _SKEW_S[1]
    corrected = second - round(skew_s) if is_skewed else second
    is_too_early = any(report.time - corrected > (0 if is_skewed else _DISORDER_S) for report in known)
    return Report(serial, second, int(seen_at) if is_too_early else corrected, source)


def is_time(second: int | None) -> TypeGuard[int]:
    """Return True if a unix second can be the time of a report."""
    return second is not None and 0 < second < _NEVER


def _is_within(one: int, other: int) -> bool:
    return abs(one - other) <= SAME_REPORT_S


def remember(known: Sequence[Report], report: Report) -> list[Report]:
    """Return the last reports of an inverter, including a new report."""
    return [*known, report][-REMEMBERED:]


def interval_s(reports: Sequence[Report]) -> int | None:
    """Return the seconds between the two latest reports.

    Return None if there are fewer than two reports, or if the later report has no later `gateway_second`.
    """
    latest = sorted(reports, key=lambda report: report.time)[-2:]
    seconds = latest[1].gateway_second - latest[0].gateway_second if len(latest) == 2 else 0
    return seconds if seconds > 0 else None


@dataclass(frozen=True, slots=True)
class EarlyReport:
    """A report of the v1 list that is not written yet, because device data may give further fields of this report."""

    report: Report
    point: Reading


class ReportLog:
    """Collect the inverters' reports of one tick.

    `known`: the last reports of each inverter, by serial, including the reports of this tick. `new`: the reports
    that first arrived at this tick. `waiting`: the reports that wait for more fields, by serial.
    """

    def __init__(
        self, known: Mapping[str, Sequence[Report]], waiting: Mapping[str, EarlyReport], skew_s: float
    ) -> None:
        self.known, self.waiting, self.new = dict(known), dict(waiting), list[Report]()
        self._skew_s = skew_s

    def admit(self, point: Reading, row: Row, source: str, *, waits: bool) -> list[Reading]:
        """Add the report in a row of `source`. Return the points to write now, each at its report's time.

        A known report gives no point. `waits`: another document may give the same report with more fields, so the
        report waits. If the previous report still waits, its point is returned before the point of this report.
        """
        serial, received_at = row.serial, 0.0 if row.document is None else row.document.received_at
        known = self.known.get(serial, ())
        report = fresh_report(serial, row.reported, source, known, received_at, self._skew_s)
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
        """Return the seconds between the two latest reports of an inverter; None if unknown."""
        return interval_s(self.known.get(serial, ()))
