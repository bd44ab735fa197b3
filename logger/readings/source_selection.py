"""Which source each counter comes from: the best at first, then, once all have had their word, the same for ever.

A source is settled when every one that was looked at has given three final answers (a document; absent; not allowed),
or after a day of polling, when one without any counts as absent. It is looked for anew only when the firmware or the
meters change, and until that is settled the old one goes on. Pure.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Final

from logger.energy.state import Ledger, Review
from logger.model import Document, Event, Snapshot
from logger.readings import rows as r
from logger.readings import table as t
from logger.readings.rows import View
from logger.readings.schema import Field

ANSWERS: Final = 3
"""So many final answers of each path settle a source."""
_DAY_S: Final = 86400
GRAINS_S: Final = {s.name: 3600 for s in (t.DATA_SUMS, t.V1, t.PDM_PCU, t.INVERTERS_BLOCK, t.ACB_SUMS)}
"""So long these may stand still and then rise at once: inverters report every 5 to 60 minutes."""
_SELDOM: Final = frozenset(s.name for s in (t.PRODUCTION_BLOCK, t.INVERTERS_BLOCK, t.DATA_SUMS, t.ACB_SUMS))
"""Sources in documents that are not asked each minute."""
SELDOM_S: Final = 600
"""A gateway that has nothing for each minute answers something within so long, or it is silent."""
WRAPPING: Final = frozenset(s.name for s in (t.DATA_SUMS, t.PDM_PCU, t.INVERTERS_BLOCK))
"""Sums over inverters, which some firmware takes modulo 2³² J (Q-L1)."""


def settled_key(counter: str) -> str:
    """Where the books note the settled source of a counter."""
    return f"settled.{counter}"


def chosen_key(counter: str) -> str:
    """Where the books note the source that a counter comes from, settled or not."""
    return f"counter.{counter}"


def counted_seldom(ledger: Ledger) -> bool:
    """Whether nothing of what is produced and counted comes each minute: one without an answer is no gap then."""
    sources = [counter.source for counter in ledger.counters.values()]
    power = ledger.book.get("envoy_totals.production_power_w", "")
    return bool(sources) and all(source in _SELDOM for source in (*sources, power))


@dataclass(frozen=True, slots=True)
class Reviewed:
    """The notes after a tick: the sources' book, how far settling is, and what happened."""

    book: Mapping[str, str]
    review: Review
    events: tuple[Event, ...] = ()


class Watched(Mapping[str, Document]):
    """Documents by path that remember which paths were looked at."""

    def __init__(self, documents: Mapping[str, Document]) -> None:
        self._documents = documents
        self.seen: set[str] = set()

    def __getitem__(self, path: str) -> Document:
        self.seen.add(path)
        return self._documents[path]

    def __iter__(self) -> Iterator[str]:
        return iter(self._documents)

    def __len__(self) -> int:
        return len(self._documents)


@dataclass(frozen=True, slots=True)
class _Found:
    """The best source of a counter; empty if there is none, None if a better one cannot be told yet."""

    source: str | None
    paths: frozenset[str] = frozenset()
    fresh: bool = False


def under_review(book: Mapping[str, str], review: Review) -> list[Field]:
    """The counters whose source is not settled, or is looked for anew."""
    return [item for item in t.COUNTERS if settled_key(item.name) not in book or item.name in review.votes]


def look(item: Field, snapshot: Snapshot) -> str | None:
    """The best source of a counter by what stands, whatever its age; "" for none, None if it cannot be told."""
    return _look(item, snapshot, 0.0, patient=True).source


def reviewed(snapshot: Snapshot, book: Mapping[str, str], review: Review, *, polled_s: int, quiet: bool) -> Reviewed:
    """Enter one tick. `polled_s`: seconds that the gateway was polled for; nothing counts in the `quiet` window."""
    review, changed = _noticed(snapshot, book, review)
    open_ = under_review(book, review)
    if not open_:
        return Reviewed(book, review)
    if not quiet:
        review = replace(review, polled_s=min(review.polled_s + polled_s, _DAY_S))
    notes, votes, told = dict(book), dict(review.votes), [changed] if changed else []
    for item in open_:
        if quiet or not snapshot.finals:
            continue
        found = _look(item, snapshot, snapshot.since.get("totals", 0.0), patient=True)
        if review.polled_s >= _DAY_S and found.source is None:
            found = _look(item, snapshot, 0.0, patient=False)
        if not found.source or not (found.fresh or review.polled_s >= _DAY_S):
            continue
        source, count = votes.get(item.name, ("", 0))
        count = min(count + 1, ANSWERS) if source == found.source else 1
        votes[item.name] = (found.source, count)
        if count == ANSWERS and all(_answered(path, snapshot, review) for path in found.paths):
            notes[settled_key(item.name)] = notes[chosen_key(item.name)] = found.source
            votes.pop(item.name)
    if votes != review.votes:
        review = replace(review, votes=votes)
    return Reviewed(notes if notes != book else book, review, tuple(told))


def _noticed(snapshot: Snapshot, book: Mapping[str, str], review: Review) -> tuple[Review, Event | None]:
    """The review with the gateway's firmware and meters as they are; the event if its meters changed."""
    firmware, meters = snapshot.gateway.firmware, _meters(snapshot) or review.meters
    if (firmware, meters) == (review.firmware, review.meters):
        return review, None
    renewed = bool(review.firmware) and firmware != review.firmware
    rewired = bool(review.meters) and meters != review.meters
    if not (renewed or rewired):
        return replace(review, firmware=firmware, meters=meters), None
    settled = [item.name for item in t.COUNTERS if settled_key(item.name) in book]
    marks = dict(snapshot.finals) if rewired and not renewed else {}
    told = Event(snapshot.tick, "meters_changed", f"the meters are now {meters}") if rewired else None
    return Review(firmware, meters, snapshot.tick, 0, dict.fromkeys(settled, ("", 0)), marks), told


def _meters(snapshot: Snapshot) -> str:
    """The meter configuration for people, one meter after the other; empty if the list cannot be read now."""
    lines = r.objects(snapshot.body(r.METERS))
    if lines is None:
        return ""
    meters = [f"{line.get('measurementType')} {line.get('state')} {line.get('phaseCount')}-phase" for line in lines]
    return ", ".join(sorted(meters)) or "none"


def _answered(path: str, snapshot: Snapshot, review: Review) -> bool:
    """Whether a path has had its word: it is not asked at all, has given its answers, or the day is over."""
    if path not in snapshot.finals or review.polled_s >= _DAY_S:
        return True
    given = snapshot.finals[path]
    mark = review.marks.get(path, 0)
    return given - (mark if mark <= given else 0) >= ANSWERS


def _look(item: Field, snapshot: Snapshot, since: float, *, patient: bool) -> _Found:
    """Ask the sources in order. Not `patient`: one of which nothing is known, because it never answered, is none."""
    watched = Watched(snapshot.documents)
    view = View(Snapshot(snapshot.gateway, snapshot.tick, watched, {}, snapshot.settled), "totals")
    for key in item.keys:
        rows = key.rowset.select(view)
        if rows:
            document = rows[0].document
            fresh = document is not None and document.received_at > since
            return _Found(key.rowset.name, frozenset(watched.seen - {r.METERS}), fresh)
        silent = not any(snapshot.finals.get(path) for path in watched.seen - {r.METERS})
        if rows is None and (patient or not silent):
            return _Found(None, frozenset(watched.seen))
    return _Found("", frozenset(watched.seen))
