"""Find faults at a site that only the owner can correct: duplicate serials and wrongly wired meters. Pure.

The values are not corrected: a reversed CT gives negative production, which is written as received (Q-M12).
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

from logger.model import AHEAD_S, Snapshot
from logger.readings import paths
from logger.readings.opposed_keys import find_opposed
from logger.readings.rows import Row, View, each_of
from logger.readings.selectors import device_data, inverters, meters

_REPORTING: Final = {
    paths.DEVICE_DATA: "AC Battery",
    paths.INVENTORY: "AC Battery",
    paths.ENSEMBLE: "battery or controller",
}
"""Document → the kind of the devices in it. Their values are written at the tick, not at the report's time."""
_WELL: Final = ("normal", "not-metering", "")
"""The values of `meteringStatus` of a meter without a fault."""


@dataclass(frozen=True, slots=True)
class SiteWarning:
    """One site warning.

    `message`: the text while the warning lasts. `ended`: the text when the warning ends. `event`: the kind of the
    event that is recorded when the warning begins; empty if none is recorded. `is_daily`: the warning is given again
    each day, with the figures of that day. `leaves_out`: the quantities that are not counted while the warning lasts.
    """

    message: str
    ended: str
    hint: str = ""
    event: str = ""
    is_daily: bool = False
    leaves_out: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        """Return the message and the hint, in two lines."""
        return f"{self.message}\nTry: {self.hint}" if self.hint else self.message


def find_warnings(snapshot: Snapshot, duplicates: Collection[str]) -> dict[str, SiteWarning]:
    """Find the site warnings, each by a key that does not change while the warning lasts."""
    view = View(snapshot, "totals")
    twice = {
        f"duplicate {serial}": SiteWarning(
            f"two devices have serial {serial} in one document; neither is written",
            f"serial {serial} is unique again",
        )
        for serial in sorted({*duplicates} - {""})
    }
    return {
        **twice,
        **_find_flagged_meters(view),
        **_find_unequal_meters(view),
        **_find_doubted_meters(view),
        **_find_silent_devices(snapshot),
        **_find_opposed_keys(view),
        **_find_early_reports(view),
    }


def _find_early_reports(view: View) -> dict[str, SiteWarning]:
    """Return a site warning if the times of inverter reports are ahead of the gateway's clock (Q-T6)."""
    standing = view.standing()
    for rows in (inverters.v1_inverters(standing), device_data.data_inverters(standing)):
        for row in rows or ():
            if row.reported and row.document and row.reported > view.gateway_now(row.document) + AHEAD_S:
                return {
                    "early reports": SiteWarning(
                        "the times of inverter reports are ahead of the gateway's clock; "
                        "each such report is written with the time at which the recorder first saw it",
                        "the times of inverter reports are no longer ahead of the gateway's clock",
                        "check the gateway's time and time zone in Enphase's app.",
                        "reports_early",
                    )
                }
    return {}


def _find_doubted_meters(view: View) -> dict[str, SiteWarning]:
    """Return a site warning for each meter whose readings no longer change or cannot be true (Q-M14, Q-M15)."""
    return {
        f"doubted {kind}": SiteWarning(
            f"the {kind} meter measures nothing: {row.doubt}; its values are left out, "
            "and its energy is counted later",
            f"the {kind} meter measures again",
            "restart the gateway if this lasts for an hour.",
            "meter_still",
        )
        for row in meters.meters_in_use(view.standing()) or ()
        if row.doubt
        for kind in (dict(row.tags)["meter"],)
    }


def _find_silent_devices(snapshot: Snapshot) -> dict[str, SiteWarning]:
    """Return a site warning for each battery and controller whose last report is older than two intervals (Q-B20)."""
    return {
        f"silent {serial}": SiteWarning(
            f"{kind} {serial} is silent: {doubt}; its state and its measured values are left out",
            f"{kind} {serial} reports again",
            "check its power supply, and its connection to the gateway.",
            "device_silent",
        )
        for path, kind in _REPORTING.items()
        for serial, doubt in snapshot.doubts.get(path, {}).items()
    }


def _find_opposed_keys(view: View) -> dict[str, SiteWarning]:
    """Return a site warning for each device whose keys contradict each other (Q-B21, Q-B22)."""
    return {
        f"opposed {found.subject}": SiteWarning(
            f"{found.subject} contradicts itself: {found.said}; {found.written}",
            f"{found.subject} no longer contradicts itself",
            event="keys_contradict",
        )
        for found in find_opposed(view)
    }


def _find_flagged_meters(view: View) -> dict[str, SiteWarning]:
    """Return a site warning for each meter for which the gateway reports a fault (Q-M8, Q-M9)."""
    found = {}
    for row in each_of(view.find_fact(paths.METERS)) or ():
        kind, flags = row.text("measurementType"), _flags_of(row)
        if kind in meters.METER_KINDS and flags:
            is_enabled = row.text("state") == "enabled"
            written = "its values are written as they are" if is_enabled else "it is not enabled, so it is not read"
            found[f"meter {kind}"] = SiteWarning(
                f"the gateway reports {', '.join(flags)} of its {kind} meter; {written}",
                f"the gateway no longer reports a fault of its {kind} meter",
                f"have the CTs of the {kind} meter checked.",
                "meter_wiring" if is_enabled else "",
            )
    return found


def _flags_of(row: Row) -> list[str]:
    status, flags = row.text("meteringStatus") or "", row.values.get("statusFlags")
    known = [flag for flag in flags if isinstance(flag, str)] if isinstance(flags, list) else []
    return known if status in _WELL else [status, *known]


def _find_unequal_meters(view: View) -> dict[str, SiteWarning]:
    """Return a site warning for each meter whose power is not the sum of its phases (Q-P18)."""
    return {
        f"unequal {kind}": SiteWarning(
            f"the {kind} meter shows {sums[0]:.0f} W, and its phases add up to {sums[1]:.0f} W; "
            "both are written as they are",
            f"the {kind} meter agrees with its phases again",
            "compare both with your utility's meter.",
            "meter_wiring",
        )
        for row in meters.meters_in_use(view) or ()
        for kind in (dict(row.tags)["meter"],)
        if (sums := meters.find_other_sum(row))
    }
