"""When these books were begun and with which figures: where what was written before them has to end. Pure."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Final

from logger.energy.days import first_instant
from logger.energy.state import POWER, Ledger

NOTE: Final = "began"
"""The name of this note in the ledger."""


@dataclass(frozen=True, slots=True)
class Began:
    """The first tick of the books, and each counter's first accepted value with its tick, as the gateway gave it."""

    tick: int = 0
    bases: dict[str, tuple[int, float]] = field(default_factory=dict)


def began(ledger: Ledger) -> Began:
    """What the books note; nothing of books that are older than this note."""
    note = ledger.notes.get(NOTE, "")
    return _read(note) if note else Began()


def first_tick(ledger: Ledger) -> int:
    """The first tick of books that hold something; where it is not noted, the beginning of their first day."""
    return began(ledger).tick or first_instant(ledger.first_day, ledger.zone)


def noted(ledger: Ledger, tick: int) -> Ledger:
    """The books after a tick, with what began in it noted; once it is there a base stands for ever."""
    note = ledger.notes.get(NOTE, "")
    known = _read(note) if note else Began(tick)
    new = {
        name: (counter.at, counter.accepted - counter.offset)
        for name, counter in ledger.counters.items()
        if counter.first_day and counter.source != POWER and name not in known.bases
    }
    if note and not new:
        return ledger
    return with_note(ledger, Began(known.tick, {**known.bases, **new}))


def with_note(ledger: Ledger, since: Began) -> Ledger:
    """The books with another beginning."""
    text = json.dumps([since.tick, {name: list(base) for name, base in since.bases.items()}])
    return replace(ledger, notes={**ledger.notes, NOTE: text})


@lru_cache(maxsize=16)
def _read(note: str) -> Began:
    tick, bases = json.loads(note)
    return Began(tick, {name: (int(at), float(wh)) for name, (at, wh) in bases.items()})
