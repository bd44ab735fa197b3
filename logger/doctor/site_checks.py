"""Check what the gateway's figures say about the site: how its CTs are clamped, and what contradicts what."""

from __future__ import annotations

from logger.daemon.one_poll import Poll, list_warnings, read
from logger.doctor.check_result import Report, good, note
from logger.site import Site

_SITE = "site"


def check_site(found: Poll, site: Site, report: Report) -> None:
    """Report each fault that one poll of the gateway shows at the site, or that it shows none."""
    warnings = list_warnings(read(found, site))
    for warning in warnings:
        report(note(_SITE, warning.message, warning.hint))
    if not warnings:
        report(good(_SITE, "the figures of this poll do not contradict each other"))
