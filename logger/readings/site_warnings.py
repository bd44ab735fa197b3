"""What stands wrong at a site as long as it stands: devices that cannot be told apart, meters wired wrongly. Pure.

Nothing is corrected here: a CT the wrong way round gives negative production, and it is written as it comes (Q-M12).
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

from logger.model import Snapshot
from logger.readings import paths
from logger.readings import rows as r
from logger.readings.rows import Object, View, number
from logger.readings.selectors import meters

_WORTH_W: Final = 200.0
"""Below this a factor between two powers is noise."""


@dataclass(frozen=True, slots=True)
class Complaint:
    """One thing that stands wrong, what is said when it ends, and the kind of event it is, if it is one."""

    text: str
    over: str
    event: str = ""


def complaints(snapshot: Snapshot, twins: Collection[str]) -> dict[str, Complaint]:
    """By a name that stays the same while the complaint does."""
    found = {
        f"twin {serial}": Complaint(
            f"two devices with serial {serial} in one document: neither is written",
            f"the serial {serial} stands once again",
        )
        for serial in sorted(set(twins) - {""})
    }
    view = View(snapshot, "totals")
    return found | _wiring(view) | _doubled(view)


def _wiring(view: View) -> dict[str, Complaint]:
    """What the gateway itself says of its meters (Q-M8, Q-M9)."""
    found = {}
    for row in r.each_of(view.fact(paths.METERS)) or ():
        line = row.values
        kind, words = line.get("measurementType"), _words(line)
        if isinstance(kind, str) and kind in meters.METER_KINDS and words:
            enabled = line.get("state") == "enabled"
            which = kind if enabled else f"{kind} (not enabled, so not read)"
            found[f"meter {kind}"] = Complaint(
                f"the gateway says of its meter {which}: {', '.join(words)}\n"
                f"Try: have its CTs checked{'; its values are written as they come' if enabled else ''}.",
                f"the gateway has nothing to say of its meter {kind} any more",
                "meter_wiring" if enabled else "",
            )
    return found


def _words(line: Object) -> list[str]:
    status, flags = line.get("meteringStatus"), line.get("statusFlags")
    words = [status] if isinstance(status, str) and status not in ("normal", "not-metering", "") else []
    return words + [flag for flag in flags if isinstance(flag, str)] if isinstance(flags, list) else words


def _doubled(view: View) -> dict[str, Complaint]:
    """A meter that says twice what its phases do (Q-P18); seen by one reader of split-phase gateways only."""
    found = {}
    for row in meters.enabled_meters(view) or ():
        key = "instantaneousDemand" if row.values.get("new_stack") else "activePower"
        phases = meters.legs(row.values, r.whole(row.values.get("phases")))
        parts = [number(phase.get(key)) for _, phase in phases]
        whole, known = number(row.values.get("activePower")), [part for part in parts if part is not None]
        if whole is None or len(known) < len(parts) or len(parts) < 2 or abs(sum(known)) < _WORTH_W:
            continue
        if 1.9 < whole / sum(known) < 2.1:
            kind = dict(row.tags)["meter"]
            found[f"doubled {kind}"] = Complaint(
                f"the meter {kind} says twice what its phases say together\n"
                "Try: compare both with your utility's meter; each is written as it comes.",
                f"the meter {kind} agrees with its phases again",
                "meter_wiring",
            )
    return found
