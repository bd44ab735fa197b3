"""One report, one point, for ever: the identity and the time of an inverter's report. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from logger.model import AHEAD_S, Report

SAME_REPORT_S: Final = 5
"""Two documents may disagree about a report's second by this much."""
REMEMBERED: Final = 16
_SKEW_S: Final = (60, 86400)


def fresh_report(
    serial: str, second: int | None, source: str, known: Sequence[Report], gateway_now: float, skew_s: float
) -> Report | None:
    """The report to write, or None if it was written before or is none.

    `second` is the gateway's own, `skew_s` its clock minus ours: a skew of a minute to a day is taken out of the
    point's time, once, when the report is first seen.
    """
    if not second or second < 0 or second > gateway_now + AHEAD_S:
        return None
    if any(_is_within(second, report.gateway_second) for report in known):
        return None
    corrected = second - round(skew_s) if _SKEW_S[0] <= abs(skew_s) <= _SKEW_S[1] else second
    return Report(serial, second, corrected, source)


def is_same(one: Report, other: Report) -> bool:
    """Whether two documents speak of one report."""
    return _is_within(one.gateway_second, other.gateway_second)


def _is_within(one: int, other: int) -> bool:
    return abs(one - other) <= SAME_REPORT_S


def remember(known: Mapping[str, Sequence[Report]], new: Sequence[Report]) -> dict[str, list[Report]]:
    """The last reports of each serial, with the new ones."""
    merged = {serial: list(reports) for serial, reports in known.items()}
    for report in new:
        merged.setdefault(report.serial, []).append(report)
    return {serial: reports[-REMEMBERED:] for serial, reports in merged.items()}


def interval_s(reports: Sequence[Report]) -> int | None:
    """Seconds between the two latest reports, or None with fewer than two."""
    seconds = sorted(report.gateway_second for report in reports)[-2:]
    return seconds[1] - seconds[0] if len(seconds) == 2 else None
