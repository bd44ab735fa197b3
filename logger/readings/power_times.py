"""Decide whether powers were measured at the same time, so that another power may be computed from them. Pure.

Some powers of a gateway belong to the present second (meters, IQ Batteries). Other powers belong to an earlier time
(blocks of `production.json`), or are means over the last 5 to 60 minutes (sums over inverters).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final, TypeAlias

from logger.readings.rows import Row, View
from logger.readings.schema import Rowset

ReadFrom: TypeAlias = Mapping[str, tuple[Rowset, Row]]
"""Field → the rowset and the row from which the field was read."""
_APART_S: Final = 60
"""Powers whose times differ by more seconds do not count as measured at the same time."""
_STAMPS: Final = {"now": "timestamp", "report": "readingTime"}
"""Kind of time of a rowset's powers (`Rowset.grain`) → the JSON key of the time in its rows."""


def are_of_one_time(names: Iterable[str], read_from: ReadFrom, view: View) -> bool:
    """Return True if the powers of these fields were measured at the same time.

    A mean over an interval never counts as measured at the same time as another power. Two rows of one document are
    compared by their own times. Rows of two documents count as measured at the same time if each row is current
    (see `_is_current`).
    """
    sources = [read_from[name] for name in names if name in read_from]
    if any(rowset.grain == "mean" for rowset, _ in sources):
        return False
    by_document: dict[str, list[int]] = {}
    for rowset, row in sources:
        stamps = by_document.setdefault("" if row.document is None else row.document.path, [])
        stamps += [at for at in (_stamp(rowset, row),) if at]
    if any(max(stamps) - min(stamps) > _APART_S for stamps in by_document.values() if stamps):
        return False
    return len(by_document) == 1 or all(_is_current(rowset, row, view) for rowset, row in sources)


def _stamp(rowset: Rowset, row: Row) -> int | None:
    return row.whole(_STAMPS[rowset.grain])


def _is_current(rowset: Rowset, row: Row, view: View) -> bool:
    """Return True if the row's power is at most a minute older than the row's document.

    A power of the kind "now" (see `Rowset`) and the power of a row without a document always count as current.
    """
    if rowset.grain == "now" or row.document is None:
        return True
    stamp = _stamp(rowset, row)
    return stamp is not None and view.gateway_now(row.document) - stamp <= _APART_S
