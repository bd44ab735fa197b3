"""The books: what the recorder must remember from tick to tick to keep honest energy. Values only; stored as JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace


@dataclass(frozen=True, slots=True)
class Counter:
    """One primitive counter, in Wh.

    `accepted` is the last value believed, at tick `at`; `today` the accepted rises since local midnight; `days`
    the accepted rises of earlier local days by ISO date; `held` values that waited to be believed, oldest first;
    `resets` how often a new base was taken; `first_day` the local day of the first base, empty while there is none.
    """

    accepted: float
    at: int
    source: str
    today: float = 0.0
    days: tuple[tuple[str, float], ...] = ()
    held: tuple[tuple[int, float], ...] = ()
    resets: int = 0
    first_day: str = ""


@dataclass(frozen=True, slots=True)
class Seed:
    """The gateway's figures for the first day: `today_wh` before our first tick, `week_wh`; None where insane."""

    quantity: str
    source: str
    today_wh: float | None
    week_wh: float | None


@dataclass(frozen=True, slots=True)
class Ledger:
    """The books of one gateway. `day` is the local ISO date of the last tick, `first_day` that of the first.

    `notes` are what other parts of this room remember, by name, as texts of their own.
    """

    zone: str = ""
    day: str = ""
    first_day: str = ""
    last_tick: int = 0
    counters: Mapping[str, Counter] = field(default_factory=dict)
    seeds: Mapping[str, Seed] = field(default_factory=dict)
    book: Mapping[str, str] = field(default_factory=dict)
    notes: Mapping[str, str] = field(default_factory=dict)

    def to_text(self) -> dict[str, str]:
        """One JSON text a part, for the store; parts that did not change need not be stored again."""
        head = {"zone": self.zone, "day": self.day, "first_day": self.first_day, "last_tick": self.last_tick}
        return {
            "head": json.dumps(head),
            "book": json.dumps(dict(self.book), sort_keys=True),
            **{f"counter.{name}": json.dumps(asdict(counter)) for name, counter in self.counters.items()},
            **{f"seed.{name}": json.dumps(asdict(seed)) for name, seed in self.seeds.items()},
            **{f"note.{name}": note for name, note in self.notes.items()},
        }

    @staticmethod
    def from_text(parts: Mapping[str, str]) -> Ledger:
        """The books as they were stored; an empty mapping gives new ones."""
        if not parts:
            return Ledger()
        counters = {}
        seeds = {}
        notes = {}
        for name, text in parts.items():
            kind, _, rest = name.partition(".")
            if kind == "counter":
                raw = json.loads(text)
                counters[rest] = replace(
                    Counter(**raw),
                    days=tuple((str(day), float(wh)) for day, wh in raw["days"]),
                    held=tuple((int(at), float(value)) for at, value in raw["held"]),
                )
            elif kind == "seed":
                seeds[rest] = Seed(**json.loads(text))
            elif kind == "note":
                notes[rest] = text
        return Ledger(
            **json.loads(parts["head"]), counters=counters, seeds=seeds, book=json.loads(parts["book"]), notes=notes
        )
