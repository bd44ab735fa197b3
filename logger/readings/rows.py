"""Define rows (the JSON objects that a measurement is read from) and the functions that combine selectors.

A selector takes a View and returns rows, ABSENT or UNKNOWN. ABSENT: this gateway certainly has no such rows.
UNKNOWN: the document is missing, late or unreadable. A worse source is used only if the better source is ABSENT, so
that a value does not change its source unnoticed.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import Enum
from functools import lru_cache
from typing import Final, Literal, TypeAlias, TypeVar

from logger.model import Document, Json, Role, Snapshot
from logger.readings.json_values import Object, dig, number, objects, serial_of, whole

T = TypeVar("T")


class Missing(Enum):
    """Name the reason why there are no rows. Both members are false in conditions.

    ABSENT: the gateway certainly has no such rows. UNKNOWN: it is unknown now whether the gateway has such rows.
    """

    ABSENT = "absent"
    UNKNOWN = "unknown"

    def __bool__(self) -> Literal[False]:
        """Return False, so that a missing list counts as an empty one in conditions."""
        return False


ABSENT: Final = Missing.ABSENT
UNKNOWN: Final = Missing.UNKNOWN
Found: TypeAlias = T | Missing


@dataclass(frozen=True, slots=True)
class Row:
    """One JSON object from which fields are read.

    `serial` and `tags` identify the device of the row. `reported`: the time of the device's report, by the gateway's
    clock. `doubt`: why the row's values are not believed now; empty if the values are believed.
    """

    values: Object
    serial: str = ""
    reported: int | None = None
    tags: tuple[tuple[str, str], ...] = ()
    document: Document | None = None
    doubt: str = ""

    def number(self, path: str) -> float | None:
        """Return the number at a dotted path of keys; None without a number there."""
        return number(dig(self.values, path))

    def whole(self, path: str) -> int | None:
        """Return the whole number at a dotted path of keys; None without a whole number there."""
        return whole(dig(self.values, path))

    def text(self, path: str) -> str | None:
        """Return the text at a dotted path of keys; None if the text is empty or missing."""
        value = dig(self.values, path)
        return value if isinstance(value, str) and value else None

    def flag(self, path: str) -> bool | None:
        """Return the flag at a dotted path of keys; None for any value except true and false."""
        value = dig(self.values, path)
        return value if isinstance(value, bool) else None

    def objects(self, path: str) -> list[Object]:
        """Return the objects of the list at a dotted path of keys; empty if the list cannot be read."""
        return objects(dig(self.values, path)) or []

    def having(self, values: Object) -> Row:
        """Return a copy of this row with the additional `values`."""
        return replace(self, values={**self.values, **values})

    def age_s(self, tick: int) -> int | None:
        """Return the age of the row's document at a tick, in seconds."""
        return None if self.document is None else max(0, int(tick - self.document.received_at))


Rows: TypeAlias = "list[Row] | Missing"
"""One or more rows, or the reason why there are none; never an empty list."""


@dataclass(frozen=True, slots=True)
class View:
    """The documents of a snapshot, as read for the values of one role (`totals` or `devices`).

    A document is fresh if it arrived since the role's last tick.

    `is_standing`: every document of the snapshot counts as fresh.
    """

    snapshot: Snapshot
    role: Role
    is_standing: bool = False

    def find_fresh(self, path: str) -> Found[Document]:
        """Return the document at `path` if it arrived since the last tick of the view's role.

        Return UNKNOWN if the newest document is older or no document has arrived, and ABSENT if the gateway has no
        such document. With `is_standing`, return even an older document. Use this method for measured values.
        """
        document = self.find_fact(path)
        if isinstance(document, Missing) or self.is_standing:
            return document
        if document.received_at > self.snapshot.since.get(self.role, -math.inf):
            return document
        return UNKNOWN

    def find_fact(self, path: str) -> Found[Document]:
        """Return the standing document at `path`: the newest one, even if it is not fresh.

        If there is no document, return ABSENT or UNKNOWN. Use this method for facts about the installation.
        """
        document = self.snapshot.documents.get(path)
        if document is not None:
            return document
        return ABSENT if path in self.snapshot.absent else UNKNOWN

    def standing(self) -> View:
        """Return a view in which every document of the snapshot counts as fresh."""
        return View(self.snapshot, self.role, is_standing=True)

    def doubt(self, path: str, name: str) -> str:
        """Return why the reading `name` of the document at `path` is not believed now; empty if it is believed."""
        return self.snapshot.doubts.get(path, {}).get(name, "")

    def gateway_now(self, document: Document) -> float:
        """Return the time by the gateway's clock when the document arrived, in unix seconds."""
        return document.received_at + self.snapshot.gateway.clock_skew_s


Selector: TypeAlias = Callable[[View], Rows]
Condition: TypeAlias = Callable[[View], "bool | None"]
"""A function that returns whether a condition holds at this gateway; None if unknown."""


# --- combining selectors --------------------------------------------------------------------------------------


def first_of(*selectors: Selector) -> Selector:
    """Make a selector that returns the rows of the first selector whose result is not ABSENT."""

    def select(view: View) -> Rows:
        for source in selectors:
            if (rows := source(view)) is not ABSENT:
                return rows
        return ABSENT

    return select


def only_if(condition: Condition, selector: Selector) -> Selector:
    """Make a selector that selects only if a condition holds.

    The selector returns UNKNOWN while the condition is unknown, and ABSENT if the condition does not hold.
    """

    def select(view: View) -> Rows:
        holds = condition(view)
        return selector(view) if holds else UNKNOWN if holds is None else ABSENT

    return select


def unless(condition: Condition, selector: Selector) -> Selector:
    """Make a selector that selects only if a condition does not hold; UNKNOWN while the condition is unknown."""
    return only_if(lambda view: None if (holds := condition(view)) is None else not holds, selector)


# --- making and filtering rows --------------------------------------------------------------------------------


def whole_of(document: Found[Document]) -> Rows:
    """Return a document that is one JSON object as a single row; UNKNOWN for a document of another form."""
    if isinstance(document, Missing):
        return document
    return [Row(document.body, document=document)] if isinstance(document.body, dict) else UNKNOWN


def object_at(path: str) -> Selector:
    """Make a selector that returns the fresh document at `path` as one row; UNKNOWN if it is not a JSON object."""
    return lambda view: whole_of(view.find_fresh(path))


def each_of(document: Found[Document], serial: str = "", reported: str = "") -> Rows:
    """Return one row for each object of a document that is a JSON list.

    `serial`: the key of an object's serial. `reported`: the key of the time at which an object was reported.
    """
    return document if isinstance(document, Missing) else _list_rows(document, serial, reported)


@lru_cache(maxsize=16)
def _list_rows(document: Document, serial: str, reported: str) -> Rows:
    """List the rows of a document. For the parameters see `each_of`.

    The result is cached, because a tick asks for the same rows many times.
    """
    return inner_rows(document.body, document, serial, reported)


def inner_rows(body: Json, document: Document | None, serial: str = "", reported: str = "") -> Rows:
    """Return one row for each object of `body`, a list within a document.

    `serial`: the key of an object's serial. `reported`: the key of the time at which an object was reported.
    """
    found = objects(body)
    if found is None:
        return UNKNOWN
    return [
        Row(
            item,
            serial_of(item.get(serial)) if serial else "",
            whole(item.get(reported)) if reported else None,
            document=document,
        )
        for item in found
    ] or ABSENT


def keep(rows: Rows, is_wanted: Callable[[Row], bool]) -> Rows:
    """Return the rows for which `is_wanted` is true; ABSENT if there are none."""
    return rows and ([row for row in rows if is_wanted(row)] or ABSENT)


def doubt_silent(view: View, rows: Rows, *paths: str) -> Rows:
    """Return the rows, with a doubt on each row whose device is doubted in one of the documents at `paths`."""
    doubts = {serial: text for path in paths for serial, text in view.snapshot.doubts.get(path, {}).items()}
    if not doubts:
        return rows
    return rows and [replace(row, doubt=doubts.get(row.serial, row.doubt)) for row in rows]


def how_many(rows: Rows) -> int | None:
    """Return the number of rows; None if the rows are unknown."""
    return None if rows is UNKNOWN else len(rows or ())
