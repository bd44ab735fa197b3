"""Sum the figures of the gateways of one site. The last gateway that reports at a tick writes the sums."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from logger.daemon.clocks import STEP_BACK_S
from logger.daemon.tick import TickResult
from logger.energy.site_sums import SITE_DAY, SiteMember, sum_days, sum_totals
from logger.energy.state import EnergyState
from logger.model import DayRow, Reading, Value

_NOT_HEARD: dict[str, Value] = {}


class SiteMembers:
    """The reports of the gateways of one site at the present tick.

    `names`: the address or serial of each gateway. The site's day rows are made only at the ticks of the first
    gateway, so that the store has one row of each day and not one for each gateway.
    """

    def __init__(self, site: str, names: Sequence[str]) -> None:
        self.site = site
        self.newest: Reading | None = None
        """The newest point of the site."""
        self._members = {name: SiteMember(name) for name in names}
        self._known: set[str] = set()
        self._tick = 0
        self._reported: set[str] = set()
        self._dates: set[str] = set()
        """The dates of day rows that changed since `list_rows` made the site's rows."""
        self._unstored: set[str] = set()
        """The dates of the site's rows that `list_rows` made and that are not stored yet."""

    @property
    def names(self) -> list[str]:
        """Return the address or serial of each gateway."""
        return [*self._members]

    @property
    def last(self) -> Mapping[str, Value]:
        """Return the fields of the newest point of the site."""
        return {} if self.newest is None else self.newest.fields

    def note(
        self, name: str, tick: int, totals: Mapping[str, Value] = _NOT_HEARD, energy: EnergyState | None = None
    ) -> list[Reading]:
        """Store the report of a gateway at a tick. Return the site's points that are complete now.

        A point of an earlier tick is also returned, even if the report of a gateway is missing. A much earlier tick
        begins a new point, because this machine's clock was set back.
        """
        done = []
        if tick > self._tick or tick < self._tick - STEP_BACK_S:
            done = self._finish() if self._reported else []
            self._tick = tick
        known = self._members.get(name, SiteMember(name)).energy
        self._members[name] = SiteMember(name, totals, known if energy is None else energy)
        self._reported.add(name)
        if energy is not None:
            self._known.add(name)
        return [*done, *(self._finish() if self._reported >= self._members.keys() else [])]

    def leave(self, name: str) -> None:
        """Remove a gateway from the site, because another entry of the settings leads to the same gateway."""
        if name in self._members and len(self._members) > 1:
            del self._members[name]
            self._known.discard(name)
            self._reported.discard(name)

    def renew(self, name: str, energy: EnergyState, rows: Iterable[DayRow]) -> None:
        """If day rows of a gateway changed, store the gateway's energy state, and the dates of these rows."""
        if dates := {row.day for row in rows if row.reading.measurement == "envoy_day"}:
            self._members[name] = replace(self._members.get(name, SiteMember(name)), energy=energy)
            self._dates |= dates

    def list_rows(self, name: str) -> list[DayRow]:
        """Return the site's changed day rows that are not stored yet.

        Return no rows before the days of every gateway are known. Only the first gateway of the site gets rows, so
        that each row is written once.
        """
        if name != next(iter(self._members)) or self._known < self._members.keys():
            return []
        rows = sum_days(self.site, self._unstored | self._dates, [*self._members.values()])
        self._unstored, self._dates = {row.day for row in rows}, set()
        return rows

    def mark_stored(self, rows: Iterable[DayRow]) -> None:
        """Record that the site's rows among `rows` are stored. Days that changed after `list_rows` get new rows."""
        self._unstored -= {row.day for row in rows if row.reading.measurement == SITE_DAY}

    def _finish(self) -> list[Reading]:
        """Make the site's point of the tick. A gateway without a report at this tick counts as silent."""
        reported, self._reported = self._reported, set()
        members = [
            each if each.name in reported else SiteMember(each.name, _NOT_HEARD, each.energy)
            for each in self._members.values()
        ]
        self.newest = sum_totals(self.site, self._tick, members)
        return [self.newest]


@dataclass(frozen=True, slots=True)
class SiteShare:
    """Adds the figures of the gateway `name` to the sums of its site.

    `members`: the gateways of the site; None if the site has no other gateway, so that there is nothing to sum.
    """

    name: str
    members: SiteMembers | None = None

    def add_sums(self, tick: int, result: TickResult) -> TickResult:
        """Add the site's points and day rows to the result of one gateway's tick. Return the new result.

        Add only points that are complete now, and day rows that changed and are not stored yet.
        """
        if self.members is None:
            return result
        totals = next((r.fields for r in result.readings if (r.measurement, r.time) == ("envoy_totals", tick)), {})
        energy = result.state.energy
        self.members.renew(self.name, energy, result.daily)
        points = self.members.note(self.name, tick, totals, energy)
        rows = self.members.list_rows(self.name)
        return replace(result, readings=[*result.readings, *points], daily=[*result.daily, *rows])

    def mark_stored(self, rows: Iterable[DayRow]) -> None:
        """Record that these day rows are stored."""
        if self.members is not None:
            self.members.mark_stored(rows)

    def note_silence(self, tick: int) -> list[Reading]:
        """Record that the gateway is silent at a tick. Return the site's points that are complete now."""
        return [] if self.members is None else self.members.note(self.name, tick)

    def renew(self, energy: EnergyState, rows: Iterable[DayRow]) -> None:
        """If day rows of the gateway changed, pass the energy state and the dates of these rows to `members`."""
        if self.members is not None:
            self.members.renew(self.name, energy, rows)

    def leave(self) -> None:
        """Remove the gateway from its site, because another entry of the settings leads to the same gateway."""
        if self.members is not None:
            self.members.leave(self.name)
