"""Choose the source of each counter, and pin the source as soon as it is certain. Pure.

A source is pinned when it was the best source in three new documents, and every path that was read for the choice has
given three definitive answers. A definitive answer is a document, or the statement that there is no document or that
this user may not read it. After a day of polling no more answers are awaited, and a path that never answered counts
as absent. A pinned source is reviewed only when the firmware or the meters change. The old source stays in use until
the review ends.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from logger.energy.state import Source
from logger.model import Document, Event, Snapshot
from logger.readings import paths
from logger.readings.json_values import objects
from logger.readings.rows import UNKNOWN, View
from logger.readings.schema import Field
from logger.readings.table import COUNTERS

ANSWERS: Final = 3
"""A source is pinned after it was the best this many times, and after this many definitive answers of each path."""
_DAY_S: Final = 86400
SELDOM_S: Final = 600
"""If `is_counted_seldom` is True, a tick counts as polled if an answer arrived in these seconds before the tick."""
_ROWSETS: Final = {key.rowset.name: key.rowset for item in COUNTERS for key in item.keys}
_SELDOM: Final = frozenset(name for name, rowset in _ROWSETS.items() if rowset.is_seldom)
"""Sources that are read from documents with longer intervals of polling than a minute."""


@dataclass(frozen=True, slots=True)
class Finding:
    """The best source of a counter, and the number of times in a row that this source was the best."""

    source: str = ""
    confirmations: int = 0


@dataclass(frozen=True, slots=True)
class Review:
    """How far the final choice (pinning) of the counters' sources has come.

    `firmware` and `meters`: the gateway's firmware and meter configuration. `changed_at`: the tick at which firmware
    or meters last changed. `polled_s`: seconds of polling since that change. `findings`: the best source of each
    counter under review. `answered`: how many definitive answers each path gave before that change; only later
    answers count.
    """

    firmware: str = ""
    meters: str = ""
    changed_at: int = 0
    polled_s: int = 0
    findings: Mapping[str, Finding] = field(default_factory=dict)
    answered: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Sources:
    """For each value of the site, the name of its source.

    `fields`: sources by `measurement.field`. `counters`: sources by counter, such as `import`. `pinned`: counters
    with a fixed source.
    """

    fields: Mapping[str, str] = field(default_factory=dict)
    counters: Mapping[str, str] = field(default_factory=dict)
    pinned: tuple[str, ...] = ()
    review: Review = field(default_factory=Review)

    def is_open(self, counter: str) -> bool:
        """Return True if the source of a counter is under review.

        A source is under review before it is pinned, and after a change of the firmware or the meters.
        """
        return counter not in self.pinned or counter in self.review.findings

    def open_counters(self) -> list[Field]:
        """Return the counters whose source is under review."""
        return [item for item in COUNTERS if self.is_open(item.name)]


def source_of(name: str) -> Source:
    """Return a source by name, with its resolution in seconds and whether it rolls over."""
    rowset = _ROWSETS.get(name)
    return Source(name) if rowset is None else Source(name, rowset.resolution_s, rowset.rolls_over)


def is_counted_seldom(counter_sources: Iterable[str], power_source: str) -> bool:
    """Return True if all counters and the production power are read from documents that are not polled each minute.

    At such a site a tick without an answer is not a gap.
    """
    sources = [*counter_sources]
    return bool(sources) and all(source in _SELDOM for source in (*sources, power_source))


class Watched(Mapping[str, Document]):
    """Map paths to documents, and record in `seen` each path that was read."""

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
    """The name of a counter's best `source`, and how it was found.

    `source`: empty if the counter has no source; None while it is unknown whether a better source has rows.
    `paths`: the documents that were read for the choice. `fresh`: the source's document is new at this tick.
    """

    source: str | None
    paths: frozenset[str] = frozenset()
    fresh: bool = False


def look(item: Field, snapshot: Snapshot) -> str | None:
    """Return the best source of a counter in the newest documents; empty without a source, None while unknown."""
    return _look(item, snapshot, 0.0, patient=True).source


def review_sources(
    snapshot: Snapshot, sources: Sources, *, polled_s: int, in_quiet_window: bool
) -> tuple[Sources, tuple[Event, ...]]:
    """Review the sources at one tick. Return the sources, and an event if the meters changed.

    `polled_s`: seconds of polling that the tick adds. Ticks in the quiet window are not counted.
    """
    review, events = _notice_changes(snapshot, sources)
    sources = sources if review is sources.review else replace(sources, review=review)
    counters = sources.open_counters()
    if not counters or in_quiet_window:
        return sources, events
    review = replace(review, polled_s=min(review.polled_s + polled_s, _DAY_S))
    findings, pinned = dict(review.findings), dict[str, str]()
    for item in counters if snapshot.definitive_answers else ():
        if item.name not in sources.counters and review.polled_s < _DAY_S:
            continue  # no document has given a value yet
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
    """Return the best source of a counter at this tick.

    After a day of polling, ignore sources that never answered.
    """
    found = _look(item, snapshot, snapshot.since.get("totals", 0.0), patient=True)
    if review.polled_s >= _DAY_S and found.source is None:
        return _look(item, snapshot, 0.0, patient=False)
    return found


def _notice_changes(snapshot: Snapshot, sources: Sources) -> tuple[Review, tuple[Event, ...]]:
    """Compare firmware and meters with the firmware and meters of the last review.

    Return the new review, and an event if the meters changed.
    """
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
    event = Event(snapshot.tick, "meters_changed", f"the gateway now lists these meters: {meters}")
    return Review(firmware, meters, snapshot.tick, 0, findings, answered), (event,) if is_rewired else ()


def _meters(snapshot: Snapshot) -> str:
    """Return the meter configuration in words; empty if the list of meters is unknown now."""
    lines = objects(snapshot.body(paths.METERS))
    if lines is None:
        return ""
    meters = [f"{line.get('measurementType')} {line.get('state')} {line.get('phaseCount')}-phase" for line in lines]
    return ", ".join(sorted(meters)) or "none"


def _has_answered(path: str, snapshot: Snapshot, review: Review) -> bool:
    """Return True if a path has given three definitive answers since the firmware or the meters last changed.

    Every path counts as answered after a day of polling. A path that is not polled always counts as answered.
    """
    if path not in snapshot.definitive_answers or review.polled_s >= _DAY_S:
        return True
    given = snapshot.definitive_answers[path]
    before = review.answered.get(path, 0)
    return given - (before if before <= given else 0) >= ANSWERS


def _look(item: Field, snapshot: Snapshot, since: float, *, patient: bool) -> _Found:
    """Return the first source that has rows.

    `since`: a source is fresh if its document arrived after this unix time. If `patient` is false, sources whose
    paths never answered are skipped.
    """
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
