"""Check by the gateway's figures whether the CTs are clamped correctly, and whether figures contradict each other."""

from __future__ import annotations

from logger.daemon.one_poll import Poll, list_missing, list_warnings, read
from logger.doctor.check_result import Report, good, note
from logger.readings.missing import group_reasons
from logger.site import Site

_SITE, _VALUES = "site", "values"


def check_site(found: Poll, site: Site, report: Report) -> None:
    """Report the faults of the site and the missing values in one poll, or report that there are none."""
    result = read(found, site)
    warnings, missing = list_warnings(result), group_reasons(list_missing(result))
    for warning in warnings:
        report(note(_SITE, warning.message, warning.hint))
    for reason, names in missing.items():
        errors = (*found.failures.values(), *found.refusals.values())
        cures = (error.hint for error in errors if error.message in reason)
        report(note(_VALUES, f"{', '.join(names)}: absent, because {reason}", next(cures, "")))
    if not missing:
        report(good(_VALUES, "every value that this site should have is present"))
    if not warnings:
        report(good(_SITE, "this poll shows no fault of the site"))
