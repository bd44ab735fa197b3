"""What one line of the table is made of: rowsets, keys within a row, fields, measurements."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, Literal, TypeAlias

from logger.model import Role, Value
from logger.readings.rows import Row, Selector, View

Kind: TypeAlias = Literal["float", "int", "bool", "string"]
Read: TypeAlias = Callable[[Row, View], Value | None]

UNITS: Final = ("w", "wh", "var", "varh", "va", "vah", "v", "a", "hz", "c", "percent", "s", "bytes")
_LIMITS: Final[dict[str, tuple[float, float]]] = {
    "w": (-1e7, 1e7),
    "var": (-1e7, 1e7),
    "va": (-1e7, 1e7),
    "wh": (-1e12, 1e12),
    "varh": (-1e12, 1e12),
    "vah": (-1e12, 1e12),
    "v": (0.0, 2000.0),
    "a": (-1e5, 1e5),
    "hz": (0.0, 500.0),
    "c": (-60.0, 200.0),
    "percent": (0.0, 100.0),
    "s": (0.0, 1e10),
    "bytes": (0.0, 1e15),
    "": (-1e9, 1e9),
}


@dataclass(frozen=True, slots=True)
class Rowset:
    """A named selector; `where` tells people which document and which of its objects.

    `kind`: the kind of battery that its rows are, where a measurement holds several. Of a source of counters:
    `resolution_s` is how long it may stand still and then rise at once, `rolls_over` tells sums over inverters that
    some firmware takes modulo 2³² J (Q-L1), `is_seldom` a document that is not asked each minute.
    """

    name: str
    where: str
    select: Selector
    kind: str = ""
    resolution_s: int = 0
    rolls_over: bool = False
    is_seldom: bool = False


@dataclass(frozen=True, slots=True)
class Key:
    """One place where a value stands: a rowset, the name of the key in its rows, and how it is read."""

    rowset: Rowset
    name: str
    read: Read


@dataclass(frozen=True, slots=True)
class Field:
    """One field: its name (which ends in its unit), its kind, its keys in order of preference, and what it means.

    `made_of` tells how a value that no key gives is computed. Values outside `low`…`high` are left out.
    """

    name: str
    help: str
    keys: tuple[Key, ...] = ()
    kind: Kind = "float"
    made_of: str = ""
    low: float | None = None
    high: float | None = None

    @property
    def unit(self) -> str:
        """The unit by the name's ending; empty for counts, flags and texts."""
        last = self.name.rpartition("_")[2]
        return last if last in UNITS else ""

    def value_of(self, key: Key, row: Row, view: View) -> Value | None:
        """What one of its keys reads in a row, typed and plausible, or None."""
        value = key.read(row, view)
        if value is None or not self.is_plausible(value):
            return None
        return float(value) if self.kind == "float" and not isinstance(value, (bool, str)) else value

    def is_plausible(self, value: Value) -> bool:
        """Whether a number lies within the field's limits; flags and texts always do."""
        if isinstance(value, (bool, str)):
            return True
        low, high = _LIMITS[self.unit]
        return (low if self.low is None else self.low) <= value <= (high if self.high is None else self.high)


@dataclass(frozen=True, slots=True)
class Measurement:
    """One measurement: its bucket's role, its tags besides gateway and site, its fields.

    `time` is the tick, the inverter's own report, or a local day's beginning. With `one_document` all fields of a
    point come from the first rowset that has the device. `listed_by` says which rowsets tell that a device exists: of
    each group the first that lists any; where it is empty, every rowset does. `has_layout`: its points carry the tags
    of the layout file, too.
    """

    name: str
    help: str
    role: Role
    fields: tuple[Field, ...]
    tags: tuple[str, ...] = ()
    time: Literal["tick", "report", "day"] = "tick"
    one_document: bool = False
    listed_by: tuple[tuple[Rowset, ...], ...] = ()
    has_layout: bool = False
    rowsets: tuple[Rowset, ...] = field(init=False)

    def __post_init__(self) -> None:
        """Collect every rowset that a field is read from or a device is listed by, in order of preference."""
        read_from = (key.rowset for item in self.fields for key in item.keys)
        listed_by = (rowset for group in self.listed_by for rowset in group)
        rowsets = {rowset.name: rowset for rowset in (*read_from, *listed_by)}
        object.__setattr__(self, "rowsets", tuple(rowsets.values()))


# --- how a key is read --------------------------------------------------------------------------------------


def number(rowset: Rowset, path: str, per: float = 1.0) -> Key:
    """Read a number divided by `per`: so many of the gateway's units are one of ours (milli units, joules)."""

    def read(row: Row, _view: View) -> float | None:
        value = row.number(path)
        return None if value is None else value / per

    return Key(rowset, path, read)


def count(rowset: Rowset, path: str) -> Key:
    """Read a whole number."""
    return Key(rowset, path, lambda row, _view: row.whole(path))


def flag(rowset: Rowset, path: str) -> Key:
    """Read true or false; anything else is absent."""
    return Key(rowset, path, lambda row, _view: row.flag(path))


def text(rowset: Rowset, path: str) -> Key:
    """Read a text that is not empty."""
    return Key(rowset, path, lambda row, _view: row.text(path))


def formula(rowset: Rowset, name: str, read: Read) -> Key:
    """Read a value that one key of its row does not give; `name` says what it is made of."""
    return Key(rowset, name, read)


def check(measurements: tuple[Measurement, ...]) -> None:
    """The table's self-check at import: names unique, units and kinds agree, tags bounded. Raises ValueError."""
    bounded = {"serial", "meter", "phase", "kind", "contact", "contact_name", "endpoint", "panel_group"}
    names = [m.name for m in measurements]
    if len(set(names)) != len(names):
        raise ValueError("a measurement stands twice in the table")
    for m in measurements:
        fields = [f.name for f in m.fields]
        if len(set(fields)) != len(fields):
            raise ValueError(f"{m.name}: a field stands twice")
        if not set(m.tags) <= bounded or set(m.tags) & set(fields):
            raise ValueError(f"{m.name}: a tag is unbounded or has the name of a field")
        for f in m.fields:
            if f.kind in ("bool", "string") and f.unit:
                raise ValueError(f"{m.name}.{f.name}: a {f.kind} has no unit")
            if not f.keys and not f.made_of:
                raise ValueError(f"{m.name}.{f.name}: comes from nowhere")
