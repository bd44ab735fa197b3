"""Days and weeks from counters: (books, one tick) → (books, energy fields, day rows). Pure.

Today is the sum of believed rises since the site's local midnight; seven days are the seven complete local days
before today. On the first day the gateway's own figures are taken as a start where they are sane. A flow that no
counter measures is integrated from power and marked.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from logger.energy import daybook as b
from logger.energy.counter_events import told
from logger.energy.day_rows import due_rows
from logger.energy.flows import GAP_S, SLOW_GAP_S, flowed_wh, flows
from logger.energy.quantities import TOTALS, terms
from logger.energy.state import POWER, READ_BACK, Base, Counter, EnergyState, Pending, Seed, Source, Tick
from logger.energy.validate import Bounds, Verdict, begin, fell, judge, put_off, rebase
from logger.model import DayRow, Event

_OF_ONE_METER: Final = {"import": "export", "export": "import", "charged": "discharged", "discharged": "charged"}


@dataclass(frozen=True, slots=True)
class Advanced:
    """The state after a tick and what there is to write.

    `fields`: the energy fields of this tick's `envoy_totals`; `late`: by earlier tick, fields of held values that
    proved right; `rows`: the day rows that are due; `resets`: the counters that took a new base.
    """

    state: EnergyState
    fields: dict[str, float] = field(default_factory=dict)
    late: tuple[tuple[int, dict[str, float]], ...] = ()
    rows: tuple[DayRow, ...] = ()
    events: tuple[Event, ...] = ()
    resets: tuple[str, ...] = ()


def advance(ledger: EnergyState, now: Tick) -> Advanced:
    """Enter one tick into the books and compute the energy fields that can honestly be given."""
    before = ledger
    ledger, events = b.opened(ledger, now.at, now.site.zone, now.tags, now.wiring)
    work = _Work(ledger, now)
    work.judge()
    work.integrate()
    ledger = work.closed()
    rows, ledger = due_rows(before, ledger, now.at, polled=now.is_polled, changed=work.changed)
    return Advanced(
        ledger,
        _fields(ledger, work.accepted),
        tuple(work.late()),
        rows,
        (*events, *work.events),
        tuple(work.resets),
    )


class _Work:
    """One tick's entries, counter by counter."""

    def __init__(self, ledger: EnergyState, now: Tick) -> None:
        self.ledger, self.now = ledger, now
        self.counters = dict(ledger.counters)
        self.accepted: dict[str, float] = {}
        self.events: list[Event] = []
        self.resets: list[str] = []
        self.changed: set[str] = set()
        self._unseen = False
        self.right: dict[str, tuple[tuple[int, float], ...]] = {}
        self._days = {day.date: day for day in ledger.days}
        self._watts = flows(now.powers)
        days = (*ledger.days[-1:], *([ledger.today] if ledger.today else []))
        self._began = b.began(days, len(days) - 1)
        self._seen_w = max((p for d in (*ledger.days, ledger.today) if d and (p := d.peak_production_w)), default=0.0)

    def judge(self) -> None:
        """Compare every counter's value with the books and book what is believed.

        The first instant of a day ends one and begins the next. Where a reading of that instant shows one counter a
        little too low, its others may be so too and have risen all the same: each waits for the next reading then.
        """
        verdicts = {name: self._verdict(name, value) for name, value in self.now.counters.items()}
        if self.now.at == self._began and self._wavers({name: verdict for name, (verdict, _) in verdicts.items()}):
            for name, (verdict, bridged) in verdicts.items():
                known = self.counters.get(name)
                plain = verdict.accepted and not (verdict.reset or verdict.wraps)
                if known is not None and plain and verdict.rise_wh > 0:
                    verdicts[name] = put_off(known, self.now.counters[name], self.now.at, bridged), bridged
        for name, other in _OF_ONE_METER.items():
            if name in verdicts and other in verdicts and fell(verdicts[other][0]):
                verdicts[name] = self._beside(name, verdicts[name], again=verdicts[other][0].reset)
        for name, (verdict, bridged) in verdicts.items():
            self._enter(name, self.counters.get(name), verdict, self.now.counters[name], bridged)

    def _beside(self, name: str, entry: tuple[Verdict, float], *, again: bool) -> tuple[Verdict, float]:
        """A counter of a meter whose other one fell in a gap: it is another meter, though this one may show more.

        It waits with the other, and takes a new base when that does (`again`).
        """
        (verdict, bridged), known, now = entry, self.counters.get(name), self.now
        if known is None or not verdict.accepted or verdict.reset or now.at - known.at <= GAP_S:
            return entry
        if again:
            bounds = Bounds(now.max_w, self.ledger.zone, now.site.totals_s)
            return rebase(known, now.counters[name], now.at, bounds, bridged), bridged
        return put_off(known, now.counters[name], now.at, bridged), bridged

    def _wavers(self, verdicts: Mapping[str, Verdict]) -> bool:
        """Whether a counter fell a little just now, not before; what was read back lacks a value that fell."""
        fallen = {name for name, verdict in verdicts.items() if verdict.wavers}
        if self.now.sources and all(source.name == READ_BACK for source in self.now.sources.values()):
            fallen |= {
                n for n, c in self.counters.items() if c.source == READ_BACK and n in self._watts
            } - verdicts.keys()
        return any(self.counters[name].at >= self.ledger.last_tick for name in fallen)

    def _verdict(self, name: str, value: float) -> tuple[Verdict, float]:
        """What a counter's value does to it, and what flowed by power since its last one."""
        known, now, today = self.counters.get(name), self.now, self.ledger.today
        assert today is not None  # noqa: S101  the day was opened
        source = now.sources.get(name, Source())
        if known is not None and known.source == READ_BACK:
            known = replace(known, source=source.name)
        bounds = Bounds(
            now.max_w,
            self.ledger.zone,
            now.site.totals_s,
            source.resolution_s,
            source.rolls_over,
            self._seen_w,
            known is not None and known.at < now.changed_at,
        )
        bridged = 0.0
        if known is not None:
            bridged = known.bridged + self._flowed_wh(name)
        if known is None or not known.first_day or (source.name and known.source != source.name):
            return begin(known, value, now.at, source.name, today.date, bounds, bridged), bridged
        return judge(known, value, now.at, bounds, bridged), bridged

    def _enter(self, name: str, known: Counter | None, verdict: Verdict, value: float, bridged: float) -> None:
        counter, tick = verdict.counter, self.now.at
        took = verdict.accepted or verdict.reset or bool(verdict.wraps)
        if known is None or not known.first_day:
            counter = replace(counter, start=counter.accepted, bridged=0.0)
        elif took:
            plain = verdict.pieces
            counter = self._booked(name, known, counter, plain)
            if verdict.bridged_wh:
                until = verdict.right[0][0] if verdict.right else tick
                counter = self._estimate(name, counter, known.at, until, verdict.bridged_wh)
            if counter.bridged:
                counter = replace(counter, bridged=0.0)
        elif bridged != counter.bridged:
            counter = replace(counter, bridged=bridged)
        self.counters[name] = counter
        if verdict.accepted:
            self.accepted[name] = counter.accepted
        if verdict.reset:
            self.resets.append(name)
        if verdict.right:
            self.right[name] = verdict.right
        self.events += told(name, known, verdict, value, tick)

    def integrate(self) -> None:
        """Flows that no counter measures, by power: those that are known to have none."""
        wiring, now, today = self.ledger.wiring, self.now, self.ledger.today
        assert today is not None  # noqa: S101  the day was opened
        names = {"production"} & set(now.uncounted)
        if wiring is not None and wiring.batteries and wiring.storage is False:
            names |= {"charged", "discharged"}
        for name in sorted(names - now.counters.keys()):
            known, watts = self.counters.get(name), self._watts.get(name)
            if watts is None or (known is not None and known.source != POWER and known.first_day):
                continue
            if known is None or not known.first_day:
                known = Counter(0.0, now.at, POWER, moved=now.at, first_day=today.date)
            wh = self._flowed_wh(name)
            grown = replace(known, accepted=known.accepted + wh, at=now.at, moved=now.at)
            grown = self._booked(name, known, grown, ((known.at, now.at, wh),) if wh else ())
            self.counters[name] = grown
            self.accepted[name] = grown.accepted
        for name, counter in self.counters.items():
            if name not in now.counters and counter.first_day and counter.source != POWER:
                wh = self._flowed_wh(name)
                if wh:
                    self.counters[name] = replace(counter, bridged=counter.bridged + wh)

    def _flowed_wh(self, name: str) -> float:
        """What flowed by power since a flow's power was told last."""
        return flowed_wh(self.ledger.samples.get(name), self.now.at, self._watts.get(name), self._gap_s(name))

    def _gap_s(self, name: str) -> int:
        return SLOW_GAP_S if name in self.now.slow else GAP_S

    # --- booking to days ----------------------------------------------------------------------------------------

    def _booked(
        self, name: str, known: Counter, counter: Counter, pieces: tuple[tuple[int, int, float], ...]
    ) -> Counter:
        """The counter with its believed rises booked to their local days: what is not in a piece is no energy."""
        today = self.ledger.today
        assert today is not None  # noqa: S101  the day was opened
        gained, estimated = 0.0, counter.estimated
        for since, until, wh in pieces:
            if since >= self._began:
                gained += wh
                continue
            shares = b.shares(self.ledger, since, until, wh)
            split = len(shares) > 1
            for day, share in shares.items():
                if day == today.date:
                    gained += share
                    estimated += share if split else 0.0
                    self._unseen = self._unseen or (split and share > 0)
                elif share:
                    self._add(day, name, share, share if split else 0.0, integrated=counter.source == POWER)
        if counter.source == POWER:
            estimated = known.today + gained
        if len(pieces) == 1 and gained == pieces[0][2] and counter.accepted - known.accepted == gained:
            return replace(counter, estimated=estimated) if estimated != counter.estimated else counter
        return replace(counter, start=counter.accepted - known.today - gained, estimated=estimated)

    def _estimate(self, name: str, counter: Counter, since: int, until: int, wh: float) -> Counter:
        """What flowed by power between two bases: booked as estimated, beside the counter."""
        today = self.ledger.today
        assert today is not None  # noqa: S101  the day was opened
        gained = 0.0
        for day, share in b.shares(self.ledger, since, until, wh).items():
            if day == today.date:
                gained += share
            elif share:
                self._add(day, name, share, share)
        return replace(counter, start=counter.start - gained, estimated=counter.estimated + gained)

    def _add(self, day: str, name: str, wh: float, estimated: float, *, integrated: bool = False) -> None:
        past = b.added(self._days[day], name, wh, wh if integrated else estimated, integrated=integrated)
        self._days[day] = b.unseen(past, past.end, self.now.site.totals_s) if estimated else past
        self.changed.add(day)

    def closed(self) -> EnergyState:
        """The books after this tick."""
        ledger, now, today = self.ledger, self.now, self.ledger.today
        assert today is not None  # noqa: S101  the day was opened
        samples = {**ledger.samples, **{name: (now.at, watts) for name, watts in self._watts.items()}}
        polled = now.is_polled and all(
            now.at - samples.get(name, (0, 0.0))[0] <= self._gap_s(name)
            for name, c in self.counters.items()
            if c.source == POWER
        )
        today = b.counted(today, now.site.totals_s if polled else 0, now.powers, len(self.resets))
        ledger = replace(
            ledger,
            today=b.unseen(today, now.at + now.site.totals_s, now.site.totals_s) if self._unseen else today,
            days=tuple(self._days[day.date] for day in ledger.days) if self.changed else ledger.days,
            counters=self.counters,
            samples=samples if samples.keys() - ledger.samples.keys() or self._watts else ledger.samples,
            last_tick=now.at,
        )
        ledger = replace(ledger, seeds=_seeded(ledger, now), bases=_bases(ledger))
        return replace(ledger, pending=self._pending(ledger))

    # --- held values ------------------------------------------------------------------------------------------

    def _pending(self, ledger: EnergyState) -> tuple[Pending, ...]:
        """The ticks at which a value is held, each with what was believed beside it."""
        held = {at for counter in ledger.counters.values() if counter.first_day for at, _, _ in counter.held}
        if not held:
            return ()
        kept = [p for p in self._resolved() if p.tick in held]
        if self.now.at in held:
            todays = {name: c.today for name, c in ledger.counters.items() if c.first_day and name in self.accepted}
            kept.append(Pending(self.now.at, dict(self.accepted), todays))
        return tuple(kept)

    def _resolved(self) -> list[Pending]:
        """The held ticks with the values that proved right now."""
        found = []
        for pending in self.ledger.pending:
            for name, points in self.right.items():
                for at, value in points:
                    if at == pending.tick:
                        pending = Pending(  # noqa: PLW2901
                            at,
                            {**pending.accepted, name: value},
                            {**pending.today, name: max(0.0, value - self.counters[name].start)},
                        )
            found.append(pending)
        return found

    def late(self) -> list[tuple[int, dict[str, float]]]:
        """The fields that were missing at the held ticks, now that the values proved right."""
        if not self.right:
            return []
        found, today = [], self.ledger.today
        assert today is not None  # noqa: S101  the day was opened
        ledger = replace(self.ledger, counters=self.counters)
        for old, new in zip(self.ledger.pending, self._resolved(), strict=True):
            if old is new:
                continue
            todays = (old.today, new.today) if old.tick >= today.start else ({}, {})
            given = _given(ledger, old.accepted, todays[0])
            fields = {k: v for k, v in _given(ledger, new.accepted, todays[1]).items() if k not in given}
            if fields:
                found.append((old.tick, fields))
        return found


# --- quantities: what is computed from which counters -------------------------------------------------------------

_BATTERY_LIFETIMES: Final = {"battery_charged_lifetime_wh": "charged", "battery_discharged_lifetime_wh": "discharged"}


def _fields(ledger: EnergyState, accepted: Mapping[str, float]) -> dict[str, float]:
    todays = {name: ledger.counters[name].today for name in accepted}
    given = _given(ledger, accepted, todays)
    given |= {f"{quantity}_7d_wh": wh for quantity, wh in _weeks(ledger).items()}
    order = [f"{quantity}_{part}_wh" for quantity in terms(ledger.wiring) for part in ("lifetime", "today", "7d")]
    return {name: given[name] for name in (*order, *_BATTERY_LIFETIMES) if name in given}


def _given(ledger: EnergyState, accepted: Mapping[str, float], todays: Mapping[str, float]) -> dict[str, float]:
    """Lifetimes and todays from the counters accepted at one tick; what lacks a term is not there."""
    fields: dict[str, float] = {}
    measured = {name for name in accepted if ledger.counters[name].source != POWER}
    for quantity, of in terms(ledger.wiring).items():
        if quantity not in TOTALS or not all(name in accepted for name in of):
            continue
        if measured & of.keys():
            fields[f"{quantity}_lifetime_wh"] = sum(sign * accepted[name] for name, sign in of.items())
        if all(name in todays for name in of):
            today = _today(ledger, quantity, sum(sign * todays[name] for name, sign in of.items()), of)
            if today is not None:
                fields[f"{quantity}_today_wh"] = today
    for field_name, name in _BATTERY_LIFETIMES.items():
        if name in measured:
            fields[field_name] = accepted[name]
    return fields


def _today(ledger: EnergyState, quantity: str, rises: float, of: Mapping[str, int]) -> float | None:
    """Today's accepted rises; on a counter's first day only with what the gateway says was before."""
    if all(ledger.counters[name].first_day < ledger.day for name in of):
        return rises
    seed = ledger.seeds.get(quantity)
    return None if seed is None or seed.today_wh is None else seed.today_wh + rises


def _weeks(ledger: EnergyState) -> dict[str, float]:
    """The seven complete days before today; on a counter's first day the gateway's figure, if it is sane.

    A day is complete if the counters had their base before it, and the last once they were accepted after it.
    """
    today = ledger.today
    assert today is not None  # noqa: S101  the day was opened
    found: dict[str, float] = {}
    sums = b.week_sums(ledger)
    for quantity, of in terms(ledger.wiring).items():
        counters = [ledger.counters.get(name) for name in of]
        if quantity not in TOTALS or not all(c is not None and c.first_day for c in counters):
            continue
        if any(c is not None and c.first_day == today.date for c in counters):
            seed = ledger.seeds.get(quantity)
            if seed is not None and seed.week_wh is not None:
                found[quantity] = seed.week_wh
        elif quantity in sums and all(c is not None and c.at >= today.start for c in counters):
            found[quantity] = sums[quantity]
    return found


def _seeded(ledger: EnergyState, now: Tick) -> Mapping[str, Seed]:
    """Seeds taken on a counter's first day, once a quantity: the gateway's figure less what was counted before.

    One of more than can have flowed since midnight is yesterday's: gateways reset it late (Q-P12).
    """
    taken, today = dict(ledger.seeds), ledger.today
    assert today is not None  # noqa: S101  the day was opened
    of, most_wh = terms(ledger.wiring), now.max_w * (now.at - today.start) / 3600
    for quantity, seed in now.seeds.items():
        if seed.today_wh is not None and seed.today_wh > most_wh:
            continue
        counters = [ledger.counters.get(name) for name in of.get(quantity, ())]
        if quantity in taken or not counters or not all(c is not None and c.first_day for c in counters):
            continue
        if all(c is not None and c.first_day < ledger.day for c in counters):
            continue
        rises = sum(sign * ledger.counters[name].today for name, sign in of[quantity].items())
        taken[quantity] = replace(seed, today_wh=None if seed.today_wh is None else max(0.0, seed.today_wh - rises))
    produced, consumed = taken.get("production"), taken.get("consumption")
    by_both = "net" in of and not {"charged", "discharged"} & of["net"].keys()
    if produced and consumed and by_both and "net" not in taken:
        taken["net"] = Seed(
            "net",
            "consumption − production",
            _less(consumed.today_wh, produced.today_wh),
            _less(consumed.week_wh, produced.week_wh),
        )
    if consumed and "load" in of and of["load"] == of["consumption"]:
        taken["load"] = replace(consumed, quantity="load")
    return ledger.seeds if taken == ledger.seeds else taken


def _bases(ledger: EnergyState) -> Mapping[str, Base]:
    """Each counter's first accepted value; once it is there it stands for ever."""
    new = {
        name: Base(counter.at, counter.accepted - counter.offset)
        for name, counter in ledger.counters.items()
        if counter.first_day and counter.source != POWER and name not in ledger.bases
    }
    return {**ledger.bases, **new} if new else ledger.bases


def _less(a: float | None, b: float | None) -> float | None:
    return None if a is None or b is None else a - b
