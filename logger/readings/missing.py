"""Track the absent values that a site should have, and explain each absence after 15 minutes. Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from logger.model import Role
from logger.readings.expected import Expected, Written, list_expected
from logger.readings.reasons import explain_absence

PATIENCE_S: Final = 900
"""An absent value is reported after this many seconds."""


@dataclass(frozen=True, slots=True)
class Absence:
    """The absence of a value: its first tick, and its reason (empty for the first 15 minutes)."""

    since: int
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Absences:
    """The values that this site should have, and the absent ones among them.

    `expected`: the values that this site should have, found at the last tick of the role `devices`. `absent`: name of
    an absent value → its absence.
    """

    expected: tuple[Expected, ...] = ()
    absent: Mapping[str, Absence] = field(default_factory=dict)

    @property
    def lasting(self) -> dict[str, Absence]:
        """Return the absences that have lasted for at least 15 minutes, by the value's name."""
        return {name: absence for name, absence in self.absent.items() if absence.reason}


def follow_absences(before: Absences, written: Written, roles: Collection[Role]) -> Absences:
    """Return the absences after a tick. If the role `devices` is due, first list the expected values again.

    `before`: the absences before the tick. `roles`: the roles that are due at the tick; `totals` is always due.
    """
    is_due = "devices" in roles or not before.expected
    expected = tuple(list_expected(written.view, written.energy)) if is_due else before.expected
    after: dict[str, Absence] = {}
    for each in expected:
        known = before.absent.get(each.name)
        if each.role not in roles:
            after |= {each.name: known} if known is not None else {}
        elif not written.has(each):
            after[each.name] = _follow(known, each, written, is_due=is_due)
    return Absences(expected, after)


def _follow(known: Absence | None, expected: Expected, written: Written, *, is_due: bool) -> Absence:
    """Return the absence of a value that is absent at this tick. `known`: its absence before the tick.

    From 15 minutes of absence on, the absence has a reason. `is_due`: determine a known reason again.
    """
    tick = written.view.snapshot.tick
    absence = known if known is not None and known.since <= tick else Absence(tick)
    if tick - absence.since < PATIENCE_S or (absence.reason and not is_due):
        return absence
    return replace(absence, reason=explain_absence(expected, written))


def explain_all(written: Written) -> dict[str, str]:
    """Return the reason for each absent value that this site should have, by the value's name."""
    expected = list_expected(written.view, written.energy)
    return {each.name: explain_absence(each, written) for each in expected if not written.has(each)}


def group_reasons(reasons: Mapping[str, str]) -> dict[str, list[str]]:
    """Group the names of absent values by their reason."""
    grouped: dict[str, list[str]] = {}
    for name, reason in reasons.items():
        grouped.setdefault(reason, []).append(name)
    return grouped
