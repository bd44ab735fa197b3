"""Rows: the objects of the documents that a measurement is read from, and how selectors are put together.

A selector looks at a View and returns rows, ABSENT when this gateway surely has none, or UNKNOWN when that cannot be
told now (the document is missing, late or unreadable). That difference is what keeps a value from coming silently
from another source: a worse source is used only where the better one is surely absent.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from enum import Enum
from typing import Final, Literal, TypeAlias, TypeVar

from logger.model import Document, Json, Role, Snapshot, add_up

Object: TypeAlias = Mapping[str, Json]
T = TypeVar("T")
_SERIAL_LIMIT: Final = 32


class Missing(Enum):
    """Why there is nothing: this gateway surely has none, or that cannot be told now. Both are false."""

    ABSENT = "absent"
    UNKNOWN = "unknown"

    def __bool__(self) -> Literal[False]:
        """Nothing is false, as an empty list would be."""
        return False


ABSENT: Final = Missing.ABSENT
UNKNOWN: Final = Missing.UNKNOWN
Found: TypeAlias = T | Missing


@dataclass(frozen=True, slots=True)
class Row:
    """One object to read fields from. `serial`, `reported` (the gateway's own second) and `tags` name the device."""

    values: Object
    serial: str = ""
    reported: int | None = None
    tags: tuple[tuple[str, str], ...] = ()
    document: Document | None = None

    def number(self, path: str) -> float | None:
        """The number at a dotted path of keys."""
        return number(dig(self.values, path))

    def whole(self, path: str) -> int | None:
        """The whole number at a dotted path of keys."""
        return whole(dig(self.values, path))

    def text(self, path: str) -> str | None:
        """The text at a dotted path of keys, if it is not empty."""
        value = dig(self.values, path)
        return value if isinstance(value, str) and value else None

    def flag(self, path: str) -> bool | None:
        """The flag at a dotted path of keys; anything but true or false is absent."""
        value = dig(self.values, path)
        return value if isinstance(value, bool) else None

    def objects(self, path: str) -> list[Object]:
        """The objects of the list at a dotted path of keys; none if it cannot be read."""
        return objects(dig(self.values, path)) or []

    def having(self, values: Object) -> Row:
        """The same row with further values."""
        return replace(self, values={**self.values, **values})

    def age_s(self, tick: int) -> int | None:
        """Age of its document at a tick, in seconds."""
        return None if self.document is None else max(0, int(tick - self.document.received_at))


Rows: TypeAlias = "list[Row] | Missing"
"""One row or more, or why there are none; never an empty list."""


@dataclass(frozen=True, slots=True)
class View:
    """A Snapshot as one role's tick may see it."""

    snapshot: Snapshot
    role: Role

    def find_fresh(self, path: str) -> Found[Document]:
        """The document, if it arrived since the role's last tick; measured values never stand."""
        document = self.find_fact(path)
        if isinstance(document, Missing) or document.received_at > self.snapshot.since.get(self.role, -math.inf):
            return document
        return UNKNOWN

    def find_fact(self, path: str) -> Found[Document]:
        """The document, also one that stands since an earlier tick; for facts about the installation."""
        document = self.snapshot.documents.get(path)
        if document is not None:
            return document
        return ABSENT if path in self.snapshot.absent else UNKNOWN

    def standing(self) -> View:
        """The same without regard to when documents arrived."""
        return View(replace(self.snapshot, since={}), self.role)

    def gateway_now(self, document: Document) -> float:
        """The gateway's own clock when that document arrived."""
        return document.received_at + self.snapshot.gateway.clock_skew_s


Selector: TypeAlias = Callable[[View], Rows]
Condition: TypeAlias = Callable[[View], "bool | None"]
"""Whether something holds at this gateway; None if that cannot be told now."""


# --- selectors are put together -------------------------------------------------------------------------------


def first_of(*selectors: Selector) -> Selector:
    """Select from the first source that is not surely absent; while that one is unknown, from none."""

    def select(view: View) -> Rows:
        for source in selectors:
            if (rows := source(view)) is not ABSENT:
                return rows
        return ABSENT

    return select


def only_if(condition: Condition, selector: Selector) -> Selector:
    """Select only where a condition holds."""

    def select(view: View) -> Rows:
        holds = condition(view)
        return selector(view) if holds else UNKNOWN if holds is None else ABSENT

    return select


def unless(condition: Condition, selector: Selector) -> Selector:
    """Select only where a condition surely does not hold."""
    return only_if(lambda view: None if (holds := condition(view)) is None else not holds, selector)


# --- rows are made and kept -----------------------------------------------------------------------------------


def whole_of(document: Found[Document]) -> Rows:
    """A document that is one object, as one row."""
    if isinstance(document, Missing):
        return document
    return [Row(document.body, document=document)] if isinstance(document.body, dict) else UNKNOWN


def object_at(path: str) -> Selector:
    """Select a document that is one object, if it arrived since the last tick."""
    return lambda view: whole_of(view.find_fresh(path))


def each_of(document: Found[Document], serial: str = "", reported: str = "") -> Rows:
    """A document that is a list: one row an object; `serial` and `reported` are the keys that name a device."""
    if isinstance(document, Missing):
        return document
    return inner_rows(document.body, document, serial, reported)


def inner_rows(body: Json, document: Document | None, serial: str = "", reported: str = "") -> Rows:
    """The same of a list that stands anywhere in a document."""
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
    """The wanted ones of rows."""
    return rows and ([row for row in rows if is_wanted(row)] or ABSENT)


def keep_counting(rows: Rows, lifetime: str) -> Rows:
    """One row while its lifetime is above 0; a gateway that starts, or does not count there, gives 0."""
    if not rows:
        return rows
    value = number(rows[0].values.get(lifetime))
    return UNKNOWN if value is None else rows if value > 0 else ABSENT


def how_many(rows: Rows) -> int | None:
    """How many rows there are; None if unknown."""
    return None if rows is UNKNOWN else len(rows or ())


def total(values: Iterable[Json], least: float = -math.inf) -> float | None:
    """The sum of numbers; None if any is no number or below `least`."""
    found = [number(value) for value in values]
    known = [value for value in found if value is not None and value >= least]
    return add_up(known) if len(known) == len(found) else None


# --- values of JSON -------------------------------------------------------------------------------------------


def number(value: Json) -> float | None:
    """A finite number, or None; text, booleans and null are not numbers."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    try:
        result = float(value)
    except OverflowError:
        return None
    return result if math.isfinite(result) else None


def whole(value: Json) -> int | None:
    """A whole number such as a count or an epoch second, also when the gateway wrote it as text (Q-T3)."""
    if isinstance(value, str):
        return int(value) if value.isascii() and value.isdigit() and len(value) < 16 else None
    result = number(value)
    return int(result) if result is not None and result == int(result) else None


def objects(body: Json) -> list[Object] | None:
    """The objects of a list, or None if it is no list or holds only other things."""
    found: list[Object] = [item for item in body if isinstance(item, dict)] if isinstance(body, list) else []
    return found if found or body == [] else None


def serial_of(value: Json) -> str:
    """A serial number as text, or empty; some documents write it as a number. A tag: only letters and digits."""
    text = str(value).strip() if isinstance(value, (str, int)) and not isinstance(value, bool) else ""
    return text if len(text) <= _SERIAL_LIMIT and text.isascii() and text.isalnum() else ""


def dig(values: Object, path: str) -> Json:
    """The value at a dotted path of keys, or None."""
    current: Json | Object = values
    for part in path.split("."):
        if not isinstance(current, dict):
            return None
        current = current.get(part)
    return current  # type: ignore[return-value]
