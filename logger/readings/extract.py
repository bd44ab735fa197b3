"""Read every value of the table of fields (`table.py`) from a snapshot. Pure.

A measured value comes only from the first source that this gateway certainly has. While that source is silent, the
value is absent, and the next source is not used. `Sources` holds the chosen source of each value of the site.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from logger.model import ROLES, Role, Snapshot, Value
from logger.readings.rows import ABSENT, UNKNOWN, Found, Missing, Row, Rows, View
from logger.readings.schema import Field, Key, Measurement, Rowset
from logger.readings.source_selection import Sources
from logger.readings.table import COUNTERS, MEASUREMENTS

_AGE: Final = "inventory_age_s"
"""A point with this field alone is not written."""
_READ: Final = tuple(measurement for measurement in MEASUREMENTS if measurement.rowsets)
"""The measurements with a field that is read from a document."""
Identity = tuple[tuple[str, str], ...]
_Named = Mapping[str, Found[Mapping[Identity, Row]]]
"""Rowset → its rows, each by the tags that identify its device."""


@dataclass(frozen=True, slots=True)
class Device:
    """The fields of one series of a measurement.

    If all fields come from one document, `row` and `source` give the row and the name of its rowset. `waits`: a
    better source of this device is silent now, and may later give more fields of the same report.
    """

    measurement: Measurement
    tags: Mapping[str, str]
    fields: dict[str, Value]
    row: Row = Row({})
    source: str = ""
    waits: bool = False


class Extraction:
    """Read the values of one snapshot.

    The rows of a rowset are selected once for each role, because documents that are fresh for one role may not be
    fresh for another.
    `duplicates`: serials that occur twice in one document. The devices with these serials are not read. `read_from`:
    the rowset and the row of each field of the site.
    """

    def __init__(self, snapshot: Snapshot, sources: Sources) -> None:
        self.duplicates: set[str] = set()
        self._views = {role: View(snapshot, role) for role in ROLES}
        self._before = sources
        self._fields, self._counters = dict(sources.fields), dict(sources.counters)
        self._selected: dict[Role, dict[str, Rows]] = {role: {} for role in ROLES}
        self.read_from: dict[str, tuple[Rowset, Row]] = {}

    def devices(self, roles: frozenset[Role]) -> Iterator[Device]:
        """Yield the devices of each measurement of the due `roles`, in the order of the table of fields.

        The site as a whole counts as one device.
        """
        for measurement in _READ:
            if measurement.role in roles:
                if not measurement.tags:
                    yield from self._read_site(measurement)
                elif measurement.one_document:
                    yield from self._read_by_document(measurement)
                else:
                    yield from self._read_by_field(measurement)

    def counters(self) -> dict[str, float]:
        """Read the counters that the gateway gives, in Wh.

        A counter with a pinned source is read only from this source. Any other counter is read from its best source.
        """
        found = {}
        for item in COUNTERS:
            pinned = self._before.counters[item.name] if item.name in self._before.pinned else ""
            keys = [key for key in item.keys if key.rowset.name == pinned] if pinned else item.keys
            chosen = self._choose(keys, "totals", self._counters.get(item.name), by_standing=True)
            if chosen is not None:
                self._counters[item.name] = chosen[0].rowset.name
                value = item.value_of(*chosen, self._views["totals"])
                if isinstance(value, float):
                    found[item.name] = value
        return found

    def sources(self) -> Sources:
        """Return the sources, including the sources that this extraction chose."""
        return replace(self._before, fields=self._fields, counters=self._counters)

    # --- the site -----------------------------------------------------------------------------------------------

    def _read_site(self, measurement: Measurement) -> Iterator[Device]:
        """Read each field from its chosen source. Store the choice if the field has several sources."""
        fields = {}
        role, view = measurement.role, self._views[measurement.role]
        for item in measurement.fields:
            if len(item.keys) < 2:
                chosen = self._choose_only(item.keys, role)
            else:
                name = f"{measurement.name}.{item.name}"
                chosen = self._choose(item.keys, role, self._fields.get(name))
                if chosen is not None:
                    self._fields[name] = chosen[0].rowset.name
            if chosen is not None and (value := item.value_of(*chosen, view)) is not None:
                fields[item.name] = value
                self.read_from[item.name] = chosen[0].rowset, chosen[1]
        if fields.keys() - {_AGE}:
            yield Device(measurement, {}, fields)

    def _choose_only(self, keys: Sequence[Key], role: Role) -> tuple[Key, Row] | None:
        """Return the source of a value that has no other source, and the first row of this source.

        `keys`: the only source; empty if the value is computed. Return None if there is no source, or if the source
        has no rows.
        """
        for key in keys:
            if rows := self._select(key.rowset, role):
                return key, rows[0]
        return None

    def _choose(
        self, keys: Sequence[Key], role: Role, before: str | None, *, by_standing: bool = False
    ) -> tuple[Key, Row] | None:
        """Choose the best source that has rows. Return it with its first row; None if no source can be chosen.

        `before`: the source that was chosen last. A source worse than `before` is never chosen. While it is unknown
        whether a better source has rows, `before` is chosen again. Only fresh documents give rows. If `by_standing`
        is True, an older document can prove that a source has no rows.
        """
        is_better = before is not None and any(key.rowset.name == before for key in keys)
        for key in keys:
            is_better = is_better and key.rowset.name != before
            rows = self._select(key.rowset, role)
            if rows:
                return key, rows[0]
            if rows is UNKNOWN and not (by_standing and self._select_standing(key.rowset, role) is ABSENT):
                if is_better:
                    continue
                return None
            if key.rowset.name == before:
                return None
        return None

    # --- devices ------------------------------------------------------------------------------------------------

    def _read_by_field(self, measurement: Measurement) -> Iterator[Device]:
        """Read the devices of a measurement. The fields of one device may come from different documents."""
        named, duplicates = self._name_rows(measurement)
        view = self._views[measurement.role]
        for identity in _list_devices(measurement, named):
            tags = dict(identity)
            if tags.get("serial") in duplicates:
                continue
            fields = {}
            for item in measurement.fields:
                if (value := _read_field(item, identity, tags.get("kind"), named, view)) is not None:
                    fields[item.name] = value
            if fields.keys() - {_AGE}:
                yield Device(measurement, tags, fields)

    def _read_by_document(self, measurement: Measurement) -> Iterator[Device]:
        """Read the devices of a measurement, each with all its fields from the first rowset that has the device."""
        named, duplicates = self._name_rows(measurement)
        view = self._views[measurement.role]
        read: set[Identity] = set()
        waiting: set[str] = set()
        for rowset in measurement.rowsets:
            rows = named[rowset.name]
            if rows is UNKNOWN:
                known = self._select_standing(rowset, measurement.role)
                if known is UNKNOWN:
                    break  # the better source is unknown now; the next source is not used instead
                waiting |= {row.serial for row in known or ()}
                continue
            for identity, row in (rows or {}).items():
                if identity in read or row.serial in duplicates:
                    continue
                if fields := _read_row(measurement, rowset, row, view):
                    read.add(identity)
                    yield Device(measurement, dict(identity), fields, row, rowset.name, row.serial in waiting)

    def _name_rows(self, measurement: Measurement) -> tuple[_Named, set[str]]:
        """Return two results: rowset name → tags → row, and the serials that occur twice in one document.

        A device whose serial occurs twice in one document is not read from any other document either.
        """
        named: dict[str, Found[Mapping[Identity, Row]]] = {}
        duplicates: set[str] = set()
        for rowset in measurement.rowsets:
            rows = self._select(rowset, measurement.role)
            named[rowset.name] = rows if isinstance(rows, Missing) else _by_identity(rowset, rows, duplicates)
        self.duplicates |= duplicates
        return named, duplicates

    def _select(self, rowset: Rowset, role: Role) -> Rows:
        selected = self._selected[role]
        rows = selected.get(rowset.name)
        if rows is None:
            rows = selected[rowset.name] = rowset.select(self._views[role])
        return rows

    def _select_standing(self, rowset: Rowset, role: Role) -> Rows:
        """Select a rowset's rows from the newest documents, even if these are not fresh."""
        return rowset.select(self._views[role].standing())


def _by_identity(rowset: Rowset, rows: Sequence[Row], duplicates: set[str]) -> dict[Identity, Row]:
    """Return the rows by their tags. Leave out rows with equal tags, and add their serials to `duplicates`."""
    found: dict[Identity, Row] = {}
    twice: set[Identity] = set()
    for row in rows:
        identity = row.tags or (("serial", row.serial), *((("kind", rowset.kind),) if rowset.kind else ()))
        if row.tags or row.serial:
            if identity in found:
                twice.add(identity)
            found[identity] = row
    for identity in twice:
        duplicates |= {found.pop(identity).serial} - {""}
    return found


def _list_devices(measurement: Measurement, named: _Named) -> list[Identity]:
    """List the devices that exist.

    The rowsets of a measurement are in groups. In each group, the first rowset that has devices gives the devices.
    """
    identities: dict[Identity, None] = {}
    for group in measurement.listed_by or tuple((rowset,) for rowset in measurement.rowsets):
        identities |= dict.fromkeys(next((rows for rowset in group if (rows := named[rowset.name])), None) or ())
    return list(identities)


def _read_field(item: Field, identity: Identity, kind: str | None, named: _Named, view: View) -> Value | None:
    """Read a field from the first source that lists the device; None if an earlier source is unknown at this tick.

    `kind`: the device's kind of battery, None for any other device. Sources of another kind are not read.
    """
    for key in item.keys:
        if kind is not None and key.rowset.kind != kind:
            continue
        rows = named[key.rowset.name]
        if rows is UNKNOWN:
            return None
        if (row := (rows or {}).get(identity)) is not None:
            return item.value_of(key, row, view)
    return None


def _read_row(measurement: Measurement, rowset: Rowset, row: Row, view: View) -> dict[str, Value]:
    """Return every field of the measurement that one row gives, by name."""
    fields = {}
    for item, key in measurement.readable[rowset.name]:
        if (value := item.value_of(key, row, view)) is not None:
            fields[item.name] = value
    return fields
