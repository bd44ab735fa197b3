"""Choose which source each counter is read from: the best at first, then a pinned one. Pure.

A source is pinned when every path that was looked at has given three definitive answers (a document, absent, or not
allowed), or after a day of polling, when a path without any answer counts as absent. It is looked at anew only when
the firmware or the meters change; until the new one is pinned the old one goes on.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from logger.energy.state import Source
from logger.model import Document, Event, Snapshot
from logger.readings import paths
from logger.readings import rows as r
from logger.readings.rows import UNKNOWN, View
from logger.readings.schema import Field
from logger.readings.table import COUNTERS

ANSWERS: Final = 3
"""So many definitive answers of each path pin a source."""
_DAY_S: Final = 86400
SELDOM_S: Final = 600
"""A gateway that has nothing for each minute answers something within so long, or it is silent."""
_ROWSETS: Final = {key.rowset.name: key.rowset for item in COUNTERS for key in item.keys}
_SELDOM: Final = frozenset(name for name, rowset in _ROWSETS.items() if rowset.is_seldom)
"""Sources in documents that are not asked each minute."""


@dataclass(frozen=True, slots=True)
class Finding:
    """The source that was found best for a counter, and how often in a row it was."""

    source: str = ""
    confirmations: int = 0


@dataclass(frozen=True, slots=True)
class Review:
    """How far the pinning of the counters' sources is.

    `firmware` and `meters`: the gateway's firmware and meter configuration. `changed_at`: when they changed last.
    `polled_s`: seconds for which the gateway was polled since. `findings`: by counter that is not pinned yet, or is
    looked at anew. `answered`: definitive answers by path that were given before the change and do not count.
    """

    firmware: str = ""
    meters: str = ""
    changed_at: int = 0
    polled_s: int = 0
    findings: Mapping[str, Finding] = field(default_factory=dict)
    answered: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Sources:
    """Which source each value of the site comes from, by the source's name.

    `fields`: by `measurement.field`. `counters`: by primitive counter; those that are `pinned` come from no other.
    """

    fields: Mapping[str, str] = field(default_factory=dict)
    counters: Mapping[str, str] = field(default_factory=dict)
    pinned: tuple[str, ...] = ()
    review: Review = field(default_factory=Review)

    def is_open(self, counter: str) -> bool:
        """Whether the source of a counter is not pinned yet, or is looked at anew."""
        return counter not in self.pinned or counter in self.review.findings

    def open_counters(self) -> list[Field]:
        """The counters whose source is not pinned yet, or is looked at anew."""
        return [item for item in COUNTERS if self.is_open(item.name)]


def source_of(name: str) -> Source:
    """What the energy of a counter must know of a source: how coarse it is, and whether it rolls over."""
    rowset = _ROWSETS.get(name)
    return Source(name) if rowset is None else Source(name, rowset.resolution_s, rowset.rolls_over)


def is_counted_seldom(counter_sources: Iterable[str], power_source: str) -> bool:
    """Whether nothing of what is produced and counted comes each minute: a tick without an answer is no gap then."""
    sources = [*counter_sources]
    return bool(sources) and all(source in _SELDOM for source in (*sources, power_source))


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


def look(item: Field, snapshot: Snapshot) -> str | None:
    """The best source of a counter by what stands, whatever its age; "" for none, None if it cannot be told."""
    return _look(item, snapshot, 0.0, patient=True).source


def review_sources(
    snapshot: Snapshot, sources: Sources, *, polled_s: int, in_quiet_window: bool
) -> tuple[Sources, tuple[Event, ...]]:
    """Enter one tick, of which the gateway was polled for `polled_s`; nothing counts in the quiet window.

    The event: the meters changed.
    """
    review, events = _notice_changes(snapshot, sources)
    sources = sources if review is sources.review else replace(sources, review=review)
    counters = sources.open_counters()
    if not counters or in_quiet_window:
        return sources, events
    review = replace(review, polled_s=min(review.polled_s + polled_s, _DAY_S))
    findings, pinned = dict(review.findings), dict[str, str]()
    for item in counters if snapshot.definitive_answers else ():
        found = _find(item, snapshot, review)
        if not found.source or not (found.fresh or review.polled_s >= _DAY_S):
            continue
        before = findings.get(item.name, Finding())
        count = min(before.confirmations + 1, ANSWERS) if before.source == found.source else 1
        findings[item.name] = Finding(found.source, count)
        if count == ANSWERS and all(_has_answered(path, snapshot, review) for path in found.paths):
            pinned[item.name] = found.source
            findings.pop(item.name)
    review = replace(review, findings=findings)
    if not pinned:
        return replace(sources, review=review), events
    names = tuple(sorted({*sources.pinned, *pinned}))
    return replace(sources, counters={**sources.counters, **pinned}, pinned=names, review=review), events


def _find(item: Field, snapshot: Snapshot, review: Review) -> _Found:
    """The best source of a counter now; after a day of polling one that never answered is none."""
    found = _look(item, snapshot, snapshot.since.get("totals", 0.0), patient=True)
    if review.polled_s >= _DAY_S and found.source is None:
        return _look(item, snapshot, 0.0, patient=False)
    return found


def _notice_changes(snapshot: Snapshot, sources: Sources) -> tuple[Review, tuple[Event, ...]]:
    """The review with the gateway's firmware and meters as they are; the event if its meters changed."""
    review, firmware = sources.review, snapshot.gateway.firmware
    meters = _meters(snapshot) or review.meters
    if review.changed_at > snapshot.tick:  # our clock was set back
        review = replace(review, changed_at=snapshot.tick)
    if (firmware, meters) == (review.firmware, review.meters):
        return review, ()
    is_new_firmware = bool(review.firmware) and firmware != review.firmware
    is_rewired = bool(review.meters) and meters != review.meters
    if not (is_new_firmware or is_rewired):
        return replace(review, firmware=firmware, meters=meters), ()
    answered = dict(snapshot.definitive_answers) if is_rewired and not is_new_firmware else {}
    findings = dict.fromkeys(sources.pinned, Finding())
    event = Event(snapshot.tick, "meters_changed", f"the meters are now {meters}")
    return Review(firmware, meters, snapshot.tick, 0, findings, answered), (event,) if is_rewired else ()


def _meters(snapshot: Snapshot) -> str:
    """The meter configuration for people, one meter after the other; empty if the list cannot be read now."""
    lines = r.objects(snapshot.body(paths.METERS))
    if lines is None:
        return ""
    meters = [f"{line.get('measurementType')} {line.get('state')} {line.get('phaseCount')}-phase" for line in lines]
    return ", ".join(sorted(meters)) or "none"


def _has_answered(path: str, snapshot: Snapshot, review: Review) -> bool:
    """Whether a path has had its word: it is not asked at all, has given its answers, or the day is over."""
    if path not in snapshot.definitive_answers or review.polled_s >= _DAY_S:
        return True
    given = snapshot.definitive_answers[path]
    before = review.answered.get(path, 0)
    return given - (before if before <= given else 0) >= ANSWERS


def _look(item: Field, snapshot: Snapshot, since: float, *, patient: bool) -> _Found:
    """Ask the sources in order. Not `patient`: one of which nothing is known, because it never answered, is none."""
    watched = Watched(snapshot.documents)
    view = View(Snapshot(snapshot.gateway, snapshot.tick, watched, {}, snapshot.absent), "totals")
    for key in item.keys:
        rows = key.rowset.select(view)
        if rows:
            document = rows[0].document
            fresh = document is not None and document.received_at > since
            return _Found(key.rowset.name, frozenset(watched.seen - {paths.METERS}), fresh)
        silent = not any(snapshot.definitive_answers.get(path) for path in watched.seen - {paths.METERS})
        if rows is UNKNOWN and (patient or not silent):
            return _Found(None, frozenset(watched.seen))
    return _Found("", frozenset(watched.seen))
