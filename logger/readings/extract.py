"""Snapshot + table → readings: reads every row of the table, and nothing that is not there.

The first source that this gateway surely has is the only one a measured value comes from: where that source is
silent now the value is absent, not taken from the next. The choice for the site's totals is remembered in `Sources`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from logger.model import Role, Snapshot, Value
from logger.readings.rows import ABSENT, UNKNOWN, Found, Missing, Row, View
from logger.readings.schema import Field, Measurement
from logger.readings.source_selection import Sources
from logger.readings.table import COUNTERS, MEASUREMENTS

Identity = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Device:
    """The fields read for one series of a measurement.

    `reported` is the second of its source's report, `read_at` when the document came, by our clock. `waits`: a better
    source that has this device is silent now, and may bring the same report with more in it.
    """

    measurement: Measurement
    tags: Mapping[str, str]
    fields: dict[str, Value]
    reported: int | None = None
    source: str = ""
    read_at: float = 0.0
    waits: bool = False


@dataclass(frozen=True, slots=True)
class Extracted:
    """What one tick's documents say, before days, guard and report times.

    `counters` holds the primitive counters as the gateway gives them; `sources` the chosen source of each value of
    the site; `twins` the serials that stand twice in a document and are therefore left out.
    """

    devices: list[Device]
    counters: dict[str, float]
    sources: Sources
    twins: set[str] = field(default_factory=set)

    def totals(self) -> dict[str, Value]:
        """The fields of `envoy_totals`, empty if it was not due."""
        return next((d.fields for d in self.devices if d.measurement.name == "envoy_totals"), {})


def extract(snapshot: Snapshot, roles: frozenset[Role], sources: Sources) -> Extracted:
    """Read every measurement of the due `roles`, and the counters when the totals are due. Pure."""
    reading = _Pass(snapshot, sources)
    devices: list[Device] = []
    for measurement in MEASUREMENTS:
        if measurement.role in roles:
            devices += (
                reading.one_document(measurement) if measurement.one_document else reading.by_field(measurement)
            )
    counters = reading.counters() if "totals" in roles else {}
    return Extracted(devices, counters, reading.sources(), reading.twins)


class _Pass:
    """One reading of one snapshot; selects each rowset once."""

    def __init__(self, snapshot: Snapshot, sources: Sources) -> None:
        self.snapshot = snapshot
        self._before = sources
        self._fields, self._counters = dict(sources.fields), dict(sources.counters)
        self._twins: dict[tuple[str, Role], set[str]] = {}
        self._cache: dict[tuple[str, Role], Found[dict[Identity, Row]]] = {}

    def by_field(self, measurement: Measurement) -> list[Device]:
        """Points whose fields each come from one document, several documents a point."""
        view = View(self.snapshot, measurement.role)
        identities = self._listed(measurement, view) if measurement.tags else [()]
        twins = self._twins_of(measurement, view)
        found = []
        for identity in identities:
            if dict(identity).get("serial") in twins:
                continue
            fields = {}
            for item in measurement.fields:
                value = self._first(item, measurement, identity, view)
                if value is not None:
                    fields[item.name] = value
            if fields.keys() - {"inventory_age_s"}:
                found.append(Device(measurement, dict(identity), fields))
        return found

    def _listed(self, measurement: Measurement, view: View) -> list[Identity]:
        """The devices that exist: of each group of rowsets those of the first that lists any."""
        identities: dict[Identity, None] = {}
        for group in measurement.listed_by or tuple((rowset,) for rowset in measurement.rowsets):
            for rowset in group:
                rows = self._by_identity(rowset.name, measurement, view)
                if rows:
                    identities |= dict.fromkeys(rows)
                    break
        return list(identities)

    def one_document(self, measurement: Measurement) -> list[Device]:
        """Points whose fields all come from the first rowset that has the device."""
        view = View(self.snapshot, measurement.role)
        found: dict[Identity, Device] = {}
        waiting: set[str] = set()
        twins = self._twins_of(measurement, view)
        standing = view.standing()
        for rowset in measurement.rowsets:
            rows = self._by_identity(rowset.name, measurement, view)
            if rows is UNKNOWN:
                known = rowset.select(standing)
                if known is UNKNOWN:
                    break  # the better source cannot be told; the next one is not asked instead
                waiting |= {row.serial for row in known or ()}
                continue
            for identity, row in (rows or {}).items():
                if identity in found or dict(identity).get("serial") in twins:
                    continue
                fields = {}
                for item in measurement.fields:
                    for key in item.keys:
                        value = item.value_of(key, row, view) if key.rowset.name == rowset.name else None
                        if value is not None:
                            fields[item.name] = value
                if fields:
                    read_at = row.document.received_at if row.document is not None else 0.0
                    found[identity] = Device(
                        measurement,
                        dict(identity),
                        fields,
                        row.reported,
                        rowset.name,
                        read_at,
                        row.serial in waiting,
                    )
        return list(found.values())

    def _twins_of(self, measurement: Measurement, view: View) -> set[str]:
        """The serials that stand twice in any document of a measurement; no other document may speak for them."""
        if "serial" not in measurement.tags:
            return set()
        for rowset in measurement.rowsets:
            self._by_identity(rowset.name, measurement, view)
        return set().union(*(self._twins[rowset.name, measurement.role] for rowset in measurement.rowsets))

    @property
    def twins(self) -> set[str]:
        """Every serial that stood twice in some document."""
        return set().union(*self._twins.values())

    def sources(self) -> Sources:
        """The sources with those that were chosen in this pass."""
        return replace(self._before, fields=self._fields, counters=self._counters)

    def counters(self) -> dict[str, float]:
        """The primitive counters, each from its chosen source."""
        view = View(self.snapshot, "totals")
        found = {}
        for item in COUNTERS:
            value = self._counted(item, view)
            if isinstance(value, float):
                found[item.name] = value
        return found

    def _counted(self, item: Field, view: View) -> Value | None:
        """From the pinned source and no other; until one is pinned, from the best that has been found.

        What a source lists is known by the document that stands; a value is taken only from one that is new.
        """
        chosen, is_pinned = self._counters.get(item.name), item.name in self._before.pinned
        ahead = chosen in {key.rowset.name for key in item.keys}
        standing = view.standing()
        for key in item.keys:
            if is_pinned and key.rowset.name != chosen:
                continue
            ahead = ahead and key.rowset.name != chosen
            rows = key.rowset.select(view)
            if rows is UNKNOWN and key.rowset.select(standing) is not ABSENT:
                if ahead:
                    continue  # it had nothing when the other was chosen
                return None
            if rows:
                self._counters[item.name] = key.rowset.name
                return item.value_of(key, rows[0], view)
            if key.rowset.name == chosen:
                return None
        return None

    def _first(self, item: Field, measurement: Measurement, identity: Identity, view: View) -> Value | None:
        if not measurement.tags:
            return self._sticky(f"{measurement.name}.{item.name}", item, view)
        kind = dict(identity).get("kind")
        for key in item.keys:
            if kind is not None and key.rowset.kind != kind:
                continue
            rows = self._by_identity(key.rowset.name, measurement, view)
            if rows is UNKNOWN:
                return None
            if (row := (rows or {}).get(identity)) is not None:
                return item.value_of(key, row, view)
        return None

    def _sticky(self, name: str, item: Field, view: View) -> Value | None:
        """The value from the remembered source, or from a better one; never from a worse one.

        A better one that cannot be told now had nothing when the remembered one was chosen, so that one goes on.
        """
        chosen = self._fields.get(name)
        ahead = chosen in {key.rowset.name for key in item.keys}
        for key in item.keys:
            ahead = ahead and key.rowset.name != chosen
            rows = key.rowset.select(view)
            if rows is UNKNOWN and ahead:
                continue
            if rows is UNKNOWN:
                return None
            if rows:
                if len(item.keys) > 1:
                    self._fields[name] = key.rowset.name
                return item.value_of(key, rows[0], view)
            if key.rowset.name == chosen:
                return None
        return None

    def _by_identity(self, rowset_name: str, measurement: Measurement, view: View) -> Found[dict[Identity, Row]]:
        """Rows by their tags; of two with the same tags neither."""
        at = (rowset_name, measurement.role)
        if at not in self._cache:
            rowset = next(r for r in measurement.rowsets if r.name == rowset_name)
            rows = rowset.select(view)
            found: Found[dict[Identity, Row]] = rows if isinstance(rows, Missing) else ABSENT
            self._twins[at] = set()
            if rows:
                kind = rowset.kind if "kind" in measurement.tags else ""
                seen: dict[Identity, list[Row]] = {}
                for row in rows:
                    identity = row.tags or (("serial", row.serial), *((("kind", kind),) if kind else ()))
                    if row.tags or row.serial:
                        seen.setdefault(identity, []).append(row)
                self._twins[at] = {same[0].serial for same in seen.values() if len(same) > 1} - {""}
                found = {identity: same[0] for identity, same in seen.items() if len(same) == 1}
            self._cache[at] = found
        return self._cache[at]
