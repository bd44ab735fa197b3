"""Doubt the gateway's sum over the inverters, if this sum stays the same while the inverters' powers change. Pure.

`/api/v1/production` and the interval database do not state when they were renewed, and some firmware stops renewing
them. After a firmware update the sum of the earlier firmware may remain. In both cases the inverters still report,
and the sum of their reports differs clearly from the gateway's sum.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from logger.model import Document, Snapshot
from logger.readings import paths
from logger.readings.json_values import dig, number
from logger.readings.rows import View
from logger.readings.selectors import inverters, meters
from logger.readings.selectors.production import STANDS

_FIGURES: Final = {
    paths.V1: ("wattsNow", "wattHoursLifetime"),
    paths.PDM: ("production.pcu.wattsNow", "production.pcu.wattHoursLifetime"),
}
"""Path → the keys of the power in W and of the lifetime energy in Wh."""
_STILL_S: Final = 1880.0
"""A sum above almost zero is doubted only after it was the same for this many seconds.

Sums are renewed every 5 to 15 minutes.
"""
_WORTH_W: Final = 200.0
_WORTH_SHARE: Final = 0.1
"""The sun counts as shining if the inverters report at least this share of the sum of their greatest powers.

They must also report at least `_WORTH_W`, in W.
"""
_BEYOND_SHARE: Final = 1.5
"""The sum of the reports is not believed above this share of the sum of the inverters' greatest powers."""
_APART: Final = 0.2
_CHANGED: Final = 0.05
"""The roof's power counts as changed if it differs by at least this share from its earlier value."""
_NOTHING: Final = 0.05


@dataclass(frozen=True, slots=True)
class Roof:
    """The sum of the powers in W that the inverters of one list report, and whether all inverters report.

    `seen_at`: when the list arrived. `watts` is 0 while the sun does not shine.
    """

    seen_at: float = 0.0
    watts: float = 0.0
    is_whole: bool = False


@dataclass(frozen=True, slots=True)
class Standing:
    """One of the gateway's sums over the inverters: power in W, and lifetime energy in Wh.

    `since`: the time at which the sum last changed. `roof_w`: the power of the roof at this time, in W.
    """

    watts: float
    lifetime: float
    since: float
    roof_w: float


@dataclass(frozen=True, slots=True)
class Sums:
    """The newest sum of the inverters' reports (`roof`), and the gateway's sums over the inverters by path."""

    roof: Roof = field(default_factory=Roof)
    standing: Mapping[str, Standing] = field(default_factory=dict)


def follow_sums(sums: Sums, snapshot: Snapshot) -> Sums:
    """Read the documents of a tick, and update the gateway's sums over the inverters, each with its last change.

    Also update `roof`, the recorder's own sum of the inverters' reports. At a site that has or may have a production
    CT nothing is updated, because the CT itself measures the production. The gateway's sums are updated even while
    the list of inverters is missing. Otherwise a sum that changed in that time would seem unchanged, and would be
    doubted later.
    """
    if meters.has_meter(View(snapshot, "totals"), "production") is not False:
        return sums
    listed = snapshot.documents.get(paths.V1_INVERTERS)
    roof = sums.roof
    if listed is not None and listed.received_at != roof.seen_at:
        roof = _see_roof(listed, snapshot)
    standing = dict(sums.standing)
    for document, watts, lifetime in _list_sums(snapshot):
        known = standing.get(document.path)
        if known is None or (known.watts, known.lifetime) != (watts, lifetime):
            standing[document.path] = Standing(watts, lifetime, document.received_at, roof.watts)
    return sums if roof is sums.roof and standing == sums.standing else Sums(roof, standing)


def doubt_sums(snapshot: Snapshot, sums: Sums) -> Snapshot:
    """Return the snapshot with a doubt about each sum that differs too much from the inverters' reports."""
    doubts = {
        path: {**snapshot.doubts.get(path, {}), STANDS: _describe(known, sums.roof)}
        for path, known in sums.standing.items()
        if path in snapshot.documents and _is_doubted(known, sums.roof, snapshot.documents[path])
    }
    return replace(snapshot, doubts={**snapshot.doubts, **doubts}) if doubts else snapshot


def _is_doubted(known: Standing, roof: Roof, document: Document) -> bool:
    """Return True if a sum that the gateway gives cannot be believed.

    There are two cases. First, the sum is almost zero, and the gateway's lifetime energy is less than the inverters
    make in an hour. Second, the sum has stayed the same while the inverters' reports changed, and is now far from the
    sum of these reports. `known`: the gateway's sum and its last change. `roof`: the sum of the inverters' reports.
    `document`: the newest document with the gateway's sum.
    """
    is_nothing, is_new = known.watts < _NOTHING * roof.watts, known.lifetime < roof.watts
    if is_nothing and is_new:
        return True
    stood_s, changed_w = document.received_at - known.since, abs(roof.watts - known.roof_w)
    if not roof.watts or stood_s < _STILL_S or changed_w < _CHANGED * max(roof.watts, known.roof_w):
        return False
    apart_w = roof.watts - known.watts if not roof.is_whole else abs(roof.watts - known.watts)
    return apart_w > _APART * max(roof.watts, known.watts)


def _describe(known: Standing, roof: Roof) -> str:
    return f"the sum is still {known.watts:.0f} W, and the inverters report {roof.watts:.0f} W"


def _see_roof(listed: Document, snapshot: Snapshot) -> Roof:
    view = View(snapshot, "totals").standing()
    rows = inverters.inverter_power_sum(view)
    watts = (rows[0].number("sum") or 0.0) if rows else 0.0
    most_w = inverters.sum_maxima(view) or 0.0
    if not rows or watts < max(_WORTH_W, _WORTH_SHARE * most_w) or watts > _BEYOND_SHARE * most_w:
        return Roof(listed.received_at)
    return Roof(listed.received_at, watts, rows[0].whole("heard") == rows[0].whole("listed"))


def _list_sums(snapshot: Snapshot) -> Iterator[tuple[Document, float, float]]:
    for path, keys in _FIGURES.items():
        document = snapshot.documents.get(path)
        if document is not None and isinstance(document.body, dict):
            watts, lifetime = (number(dig(document.body, key)) for key in keys)
            if watts is not None and lifetime:
                yield document, watts, lifetime
