"""Any order of storing, delivering, crashing, replaying and rewriting agrees with a plain model of the store."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from logger.model import RefusedLine, Role
from logger.store.records import Commit, Lease
from tests.sizes import LONG, examples
from tests.store.samples import (
    GATEWAY,
    START,
    HandClock,
    as_after_a_crash,
    batch,
    day_row,
    make_store,
    replay_all,
    text,
    ticks,
)

roles = st.sampled_from(["totals", "devices"])


class StoreMachine(RuleBasedStateMachine):
    """The real store beside the model: ticks that wait, ticks delivered and when, the days and what was sent."""

    def __init__(self) -> None:
        super().__init__()
        self.root = Path(tempfile.mkdtemp())
        self.folder = self.root / "0"
        self.clock = HandClock()
        self.store = make_store(self.folder, self.clock, keep_days=2)
        self.generation = 0
        self.tick = START
        self.waits: dict[Role, set[int]] = {"totals": set(), "devices": set()}
        self.soon: dict[Role, dict[int, int]] = {"totals": {}, "devices": {}}
        self.delivered: dict[Role, dict[int, int]] = {"totals": {}, "devices": {}}
        self.days: dict[str, float] = {}
        self.sent: dict[str, float] = {}
        self.unsent: set[str] = set()
        self.leases: list[Lease] = []
        self.daily_leases: list[tuple[Lease, dict[str, float]]] = []
        self.refused: set[bytes] = set()
        self.refused_days: set[str] = set()

    def teardown(self) -> None:
        self.store.close()
        shutil.rmtree(self.root)

    @rule(both=st.booleans())
    def put(self, *, both: bool) -> None:
        self.tick += 60
        self.clock.now = max(self.clock.now, self.tick)
        of: tuple[Role, ...] = ("totals", "devices") if both else ("totals",)
        self.marked()
        self.store.put(
            Commit(GATEWAY, self.tick, tuple(batch(role, self.tick) for role in of), state={"last": str(self.tick)})
        )
        for role in of:
            self.waits[role].add(self.tick)

    @rule(day=st.integers(1, 3), value=st.integers(1, 3))
    def rewrite(self, day: int, value: int) -> None:
        name = f"2026-05-0{day}"
        self.marked()
        self.store.put(Commit(GATEWAY, self.tick, daily=(day_row(name, value, series=f"day={day}"),)))
        if self.days.get(name) != value:
            self.unsent.add(name)
        self.days[name] = value

    @rule(role=roles, newest=st.booleans(), limit=st.integers(1, 4))
    def lease(self, role: Role, limit: int, *, newest: bool) -> None:
        lease = self.store.lease(role, newest=newest, max_lines=limit)
        expected = sorted(self.waits[role])
        expected = expected[-1:] if newest else expected[:limit]
        assert ticks(text(lease)) == expected
        if lease is not None:
            self.leases.append(lease)

    @precondition(lambda self: self.leases)
    @rule(which=st.integers(0, 9), bad=st.booleans(), soon=st.booleans())
    def ack(self, which: int, *, bad: bool, soon: bool = False) -> None:
        lease = self.leases.pop(which % len(self.leases))
        lines = text(lease)
        soon = soon and not bad and set(ticks(lines)) <= self.waits[lease.role]
        soon = soon and sum(map(len, self.soon.values())) < 4
        if soon:
            self.store.ack_soon(lease, self.clock.now)
        else:
            self.store.ack(lease, [RefusedLine(lines[0].encode(), 400, "no")] if bad else [])
        if bad:
            self.refused.add(lines[0].encode())
        if not soon:
            self.marked()
        for tick in ticks(lines):
            if tick in self.waits[lease.role]:
                self.waits[lease.role].remove(tick)
                (self.soon if soon else self.delivered)[lease.role][tick] = int(self.clock.now)

    def marked(self) -> None:
        """What was to be marked with the next tick is marked now."""
        for role, soon in self.soon.items():
            self.delivered[role].update(soon)
            soon.clear()

    @rule()
    def lease_daily(self) -> None:
        lease = self.store.lease_daily()
        values = {_day(line): float(line.split("_wh=")[1].split()[0]) for line in text(lease)}
        assert values == {day: self.days[day] for day in self.unsent}, "the current values of all marked days"
        if lease is not None:
            self.daily_leases.append((lease, values))

    @precondition(lambda self: self.daily_leases)
    @rule(bad=st.booleans())
    def ack_daily(self, *, bad: bool) -> None:
        lease, values = self.daily_leases.pop(0)
        first = _day(text(lease)[0])
        self.sent.update({day: value for day, value in values.items() if not (bad and day == first)})
        before = self.store.read_figures().roles["daily"].rows
        self.store.ack(lease, [RefusedLine(text(lease)[0].encode(), 400, "no", 0)] if bad else [])
        left = {_day(line) for line in text(self.store.lease_daily())}
        assert left <= self.unsent
        assert self.store.read_figures().roles["daily"].rows <= before
        self.unsent = left
        self.marked()
        self.refused_days -= values.keys()
        if bad and first not in left:
            self.refused_days.add(first)
        self.daily_leases.clear()  # later leases may have been sent in any order: only the last sent counts

    @rule()
    def retry_days(self) -> None:
        entries = self.store.list_refused(limit=10_000)
        self.store.retry([entry.id for entry in entries if entry.role == "daily"])
        self.unsent |= self.refused_days
        self.refused_days.clear()

    @rule(back=st.integers(0, 5))
    def replay(self, back: int) -> None:
        since = self.tick - 60 * back
        replay_all(self.store, since)
        self.marked()
        for role, delivered in self.delivered.items():
            for tick in [tick for tick in delivered if tick >= since]:
                del delivered[tick]
                self.waits[role].add(tick)

    @rule(days=st.integers(0, 2))
    def time_passes(self, days: int) -> None:
        self.clock.now += days * 86400
        self.store.tidy()
        limit = int(self.clock.now) - 2 * 86400
        for delivered in self.delivered.values():
            for tick in [tick for tick, at in delivered.items() if at <= limit]:
                del delivered[tick]

    @rule()
    def restart(self) -> None:
        self.store.close()
        self.marked()
        self.store = make_store(self.folder, self.clock, keep_days=2)

    @rule()
    def crash(self) -> None:
        self.generation += 1
        target = as_after_a_crash(self.folder, self.root / str(self.generation))
        for role, soon in self.soon.items():  # delivered, but that was not on the disk yet: once more
            self.waits[role].update(soon)
            soon.clear()
        self.store.close()
        self.folder = target
        self.store = make_store(self.folder, self.clock, keep_days=2)
        assert self.store.take_notes() == []

    @precondition(lambda self: not self.leases and not self.daily_leases)
    @rule()
    def deliver_everything(self) -> None:
        for role in self.waits:
            while lease := self.store.lease(role, newest=False):
                self.leases.append(lease)
                self.ack(0, bad=False)
            assert not self.waits[role]
        while lease := self.store.lease_daily():
            self.lease_daily()
            self.ack_daily(bad=False)
        assert {day: value for day, value in self.sent.items() if day not in self.refused_days} == {
            day: value for day, value in self.days.items() if day not in self.refused_days
        }, "no day was left at an old value, but those that were refused, which are listed"

    @invariant()
    def the_figures_agree(self) -> None:
        waiting = self.store.read_figures()
        for role, expected in self.waits.items():
            assert waiting.roles[role].rows == len(expected)
            assert waiting.roles[role].oldest_tick == min(expected, default=None)
        assert waiting.roles["daily"].rows == len(self.unsent)
        assert waiting.refused == len(self.refused) + len(self.refused_days)


def _day(line: str) -> str:
    return f"2026-05-0{line.split('day=')[1][0]}"


StoreMachine.TestCase.settings = settings(
    max_examples=examples(200),
    stateful_step_count=50 if LONG else 30,
    deadline=None,
    derandomize=not LONG,
    suppress_health_check=[HealthCheck.too_slow],
    database=None,
)
test_the_store_agrees_with_the_model = StoreMachine.TestCase
