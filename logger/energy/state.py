"""The books: what the recorder must remember from tick to tick to keep honest energy. Values only; stored as JSON.

Stored in parts, so that a minute rewrites little: `now` changes at every tick, the others once a day or rarely.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property, lru_cache
from typing import Final, TypeAlias

from logger.energy.days import first_instant, following
from logger.model import Json

POWER: Final = "integrated from power"
"""The source of a counter that the gateway does not have."""
READ_BACK: Final = "read back"
"""The source of a counter whose books were rebuilt from what was written: the next value says where it comes from."""
Held: TypeAlias = "tuple[int, float, float]"
"""A value that waits to be believed: its tick, the gateway's Wh, and what had flowed by power until then."""


@dataclass(frozen=True, slots=True)
class Counter:
    """One primitive counter, in Wh.

    `accepted` is the last value believed, at tick `at`: the gateway's plus `offset`, which wraps add to. It rose last
    at `moved`. `start` is what it was at the local midnight, less what was booked to today beside it: today is the
    difference. Of today, `estimated` was attributed over a gap or integrated. `held` are values that wait to be
    believed, oldest first; `bridged` is what flowed by power since `at`. `resets`: how often a new base was taken;
    `first_day`: the local day of the first base, empty while there is none.
    """

    accepted: float
    at: int
    source: str
    start: float = 0.0
    moved: int = 0
    estimated: float = 0.0
    held: tuple[Held, ...] = ()
    bridged: float = 0.0
    offset: float = 0.0
    resets: int = 0
    first_day: str = ""

    @property
    def today(self) -> float:
        """What is booked to the local day."""
        return self.accepted - self.start


@dataclass(frozen=True, slots=True)
class Seed:
    """The gateway's figures for the first day: `today_wh` before our first tick, `week_wh`; None where insane."""

    quantity: str
    source: str
    today_wh: float | None
    week_wh: float | None


@dataclass(frozen=True, slots=True)
class Wiring:
    """How this site is metered; None where that is not known. Decides what is computed from which counters."""

    net: bool | None
    total: bool | None
    storage: bool | None
    batteries: int | None

    def or_as(self, known: Wiring | None) -> Wiring:
        """The same, with what is not known now as it was `known` to be."""
        if known is None or self == known:
            return self
        return Wiring(
            known.net if self.net is None else self.net,
            known.total if self.total is None else self.total,
            known.storage if self.storage is None else self.storage,
            known.batteries if self.batteries is None else self.batteries,
        )


@dataclass(frozen=True, slots=True)
class Booked:
    """What a local day has of one counter, in Wh; `estimated`: of that, attributed over a gap or integrated."""

    wh: float
    estimated: float
    integrated: bool = False


@dataclass(frozen=True)
class Day:
    """One local day, from `start` to before `end`, in unix seconds; its `tags` are fixed when it begins.

    `polled_s`: seconds of it for which the gateway was polled. `wiring`: how the site was metered. `booked`: by
    counter; of the day that is open the counters themselves hold it. `final`: nothing more is expected.
    A past day seldom changes and is looked at in every tick: its text and its hash are made once.
    """

    date: str
    start: int
    end: int
    tags: tuple[tuple[str, str], ...] = ()
    polled_s: int = 0
    peak_production_w: float | None = None
    peak_load_w: float | None = None
    resets: int = 0
    wiring: Wiring | None = None
    booked: tuple[tuple[str, Booked], ...] = ()
    final: bool = False

    @cached_property
    def text(self) -> str:
        """For the store, all but its date."""
        figures: list[Json] = [
            self.start,
            self.end,
            [list(tag) for tag in self.tags],
            self.polled_s,
            self.peak_production_w,
            self.peak_load_w,
            self.resets,
            _wiring(self.wiring),
            {name: [b.wh, b.estimated, b.integrated] for name, b in self.booked},
            self.final,
        ]
        return _dumps(figures)

    @cached_property
    def _hash(self) -> int:
        return hash((self.date, self.start, self.polled_s, self.booked))

    def __hash__(self) -> int:
        """Of what tells days apart."""
        return self._hash


@dataclass(frozen=True, slots=True)
class Pending:
    """A tick at which a counter was held, and what was believed then: for the fields that are missing."""

    tick: int
    accepted: Mapping[str, float]
    today: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Review:
    """How far the settling of the counters' sources is.

    `firmware` and `meters`: the gateway's firmware and meter configuration, `changed_at` when they were last seen to
    change. `polled_s`: for how long it was polled since. `votes`: by counter, the source that was found and how often
    in a row. `marks`: answers by path that were given before the change and do not count.
    """

    firmware: str = ""
    meters: str = ""
    changed_at: int = 0
    polled_s: int = 0
    votes: Mapping[str, tuple[str, int]] = field(default_factory=dict)
    marks: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Ledger:
    """The books of one gateway; `first_day` is the local ISO date of the first tick.

    `today` is the day that is open, `days` the days before it, oldest first. `samples`: by flow, the tick and the
    watts of its last power. `book`: which source each value comes from; `settled.<counter>` once that is settled.
    `notes` are what other parts of this room remember, by name, as texts of their own.
    """

    zone: str = ""
    first_day: str = ""
    last_tick: int = 0
    today: Day | None = None
    days: tuple[Day, ...] = ()
    wiring: Wiring | None = None
    counters: Mapping[str, Counter] = field(default_factory=dict)
    samples: Mapping[str, tuple[int, float]] = field(default_factory=dict)
    pending: tuple[Pending, ...] = ()
    seeds: Mapping[str, Seed] = field(default_factory=dict)
    book: Mapping[str, str] = field(default_factory=dict)
    review: Review = field(default_factory=Review)
    notes: Mapping[str, str] = field(default_factory=dict)

    @property
    def day(self) -> str:
        """The local ISO date of the last tick; empty before the first."""
        return self.today.date if self.today else ""

    def to_text(self) -> dict[str, str]:
        """One JSON text a part, for the store; parts that did not change need not be stored again."""
        today = self.today
        head: dict[str, Json] = {"zone": self.zone, "first_day": self.first_day, "wiring": _wiring(self.wiring)}
        now: dict[str, Json] = {
            "tick": self.last_tick,
            "counters": {name: [c.accepted, c.at, c.moved, c.bridged] for name, c in self.counters.items()},
            "samples": {name: [tick, watts] for name, (tick, watts) in self.samples.items()},
        }
        if today is not None:
            head["today"] = [today.date, today.start, today.end, [list(tag) for tag in today.tags], today.resets]
            now["today"] = [today.polled_s, today.peak_production_w, today.peak_load_w]
        review = self.review
        parts: dict[str, str] = {
            "head": _dumps(head),
            "now": _dumps(now),
            "book": json.dumps(dict(self.book), sort_keys=True),
            "review": _dumps(
                {
                    "firmware": review.firmware,
                    "meters": review.meters,
                    "changed_at": review.changed_at,
                    "polled_s": review.polled_s,
                    "votes": {name: list(vote) for name, vote in review.votes.items()},
                    "marks": dict(review.marks),
                }
            ),
            **{
                f"counter.{name}": _steady(c.source, c.start, c.estimated, c.held, c.offset, c.resets, c.first_day)
                for name, c in self.counters.items()
            },
            **{
                f"seed.{name}": _dumps([s.quantity, s.source, s.today_wh, s.week_wh])
                for name, s in self.seeds.items()
            },
            **{f"day.{day.date}": day.text for day in self.days},
            **{f"note.{name}": note for name, note in self.notes.items()},
        }
        if self.pending:
            parts["pending"] = _dumps([[p.tick, dict(p.accepted), dict(p.today)] for p in self.pending])
        return parts

    @staticmethod
    def from_text(parts: Mapping[str, str]) -> Ledger:
        """The books as they were stored, also by an earlier version; an empty mapping gives new ones."""
        if not parts:
            return Ledger()
        head = json.loads(parts["head"])
        if "now" not in parts:
            return _earlier(head, parts)
        now = json.loads(parts["now"])
        counters, seeds, days, notes = {}, {}, [], {}
        for key, text in parts.items():
            kind, _, name = key.partition(".")
            if kind == "counter":
                counters[name] = _counter(now["counters"][name], text)
            elif kind == "seed":
                seeds[name] = Seed(*json.loads(text))
            elif kind == "day":
                days.append(_day(name, text))
            elif kind == "note":
                notes[name] = text
        today = None
        if "today" in head:
            date, start, end, tags, resets = head["today"]
            polled_s, production_w, load_w = now["today"]
            today = Day(date, start, end, _tags(tags), polled_s, production_w, load_w, resets)
        review = json.loads(parts.get("review", "{}"))
        if review:
            review["votes"] = {name: (str(source), int(count)) for name, (source, count) in review["votes"].items()}
        return Ledger(
            zone=head["zone"],
            first_day=head["first_day"],
            last_tick=now["tick"],
            today=today,
            days=tuple(sorted(days, key=lambda day: day.date)),
            wiring=Wiring(*head["wiring"]) if head["wiring"] else None,
            counters=counters,
            samples={name: (tick, watts) for name, (tick, watts) in now["samples"].items()},
            pending=tuple(Pending(*each) for each in json.loads(parts.get("pending", "[]"))),
            seeds=seeds,
            book=json.loads(parts["book"]),
            review=Review(**review),
            notes=notes,
        )


# --- parts as text ----------------------------------------------------------------------------------------------


def _dumps(value: Json) -> str:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def _wiring(wiring: Wiring | None) -> Json:
    return None if wiring is None else [wiring.net, wiring.total, wiring.storage, wiring.batteries]


@lru_cache(maxsize=64)
def _steady(
    source: str, start: float, estimated: float, held: tuple[Held, ...], offset: float, resets: int, first_day: str
) -> str:
    """What of a counter seldom changes."""
    return _dumps([source, start, estimated, [list(each) for each in held], offset, resets, first_day])


def _counter(figures: list[float], text: str) -> Counter:
    accepted, at, moved, bridged = figures
    source, start, estimated, held, offset, resets, first_day = json.loads(text)
    return Counter(
        accepted=accepted,
        at=int(at),
        source=source,
        start=start,
        moved=int(moved),
        estimated=estimated,
        held=tuple((tick, value, wh) for tick, value, wh in held),
        bridged=bridged,
        offset=offset,
        resets=resets,
        first_day=first_day,
    )


def _tags(raw: list[list[str]]) -> tuple[tuple[str, str], ...]:
    return tuple((key, value) for key, value in raw)


def _day(date: str, text: str) -> Day:
    start, end, tags, polled_s, production_w, load_w, resets, wiring, booked, final = json.loads(text)
    return Day(
        date,
        start,
        end,
        _tags(tags),
        polled_s,
        production_w,
        load_w,
        resets,
        Wiring(*wiring) if wiring else None,
        tuple((name, Booked(*figures)) for name, figures in booked.items()),
        final,
    )


# --- the books of an earlier version ------------------------------------------------------------------------------


def _earlier(head: dict[str, str], parts: Mapping[str, str]) -> Ledger:
    """Books that kept the past days in each counter and knew nothing of tags, polls and wiring."""
    zone, tick = head["zone"], int(head["last_tick"])
    counters, seeds, booked = {}, {}, dict[str, dict[str, Booked]]()
    for key, text in parts.items():
        kind, _, name = key.partition(".")
        raw = json.loads(text) if kind in ("counter", "seed") else {}
        if kind == "counter":
            counters[name] = Counter(
                accepted=raw["accepted"],
                at=raw["at"],
                source=raw["source"],
                start=raw["accepted"] - raw["today"],
                moved=raw["at"],
                held=tuple((int(at), float(value), 0.0) for at, value in raw["held"]),
                resets=raw["resets"],
                first_day=raw["first_day"],
            )
            for day, wh in raw["days"]:
                booked.setdefault(day, {})[name] = Booked(float(wh), 0.0)
        elif kind == "seed":
            seeds[name] = Seed(**raw)
    day = head["day"]
    return Ledger(
        zone=zone,
        first_day=head["first_day"],
        last_tick=tick,
        today=spanned(day, zone) if day else None,
        days=tuple(
            replace(spanned(date, zone), booked=tuple(sorted(figures.items())), final=True)
            for date, figures in sorted(booked.items())
        ),
        counters=counters,
        seeds=seeds,
        book=json.loads(parts["book"]),
        notes={key.removeprefix("note."): text for key, text in parts.items() if key.startswith("note.")},
    )


def spanned(date: str, zone: str, tags: tuple[tuple[str, str], ...] = ()) -> Day:
    """A local day with nothing in it."""
    return Day(date, first_instant(date, zone), first_instant(following(date), zone), tags)
