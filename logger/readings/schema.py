"""Define the parts of the table: rowsets, keys within a row, fields and measurements."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final, Literal, TypeAlias

from logger.model import Role, Value
from logger.readings.rows import Row, Selector, View

Kind: TypeAlias = Literal["float", "int", "bool", "string"]
Grain: TypeAlias = Literal["now", "report", "mean"]
"""The time to which a power belongs: the answer's second, the row's own `readingTime`, or the minutes before."""
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
    """A selector with its name. `where`: the selector's document and objects, in words for people.

    `kind`: the kind of battery in the rows, for measurements with several kinds. `resolution_s`: a counter's value
    may stay the same for this many seconds and then rise in one step. `rolls_over`: the rows give a sum over
    inverters. The sum, or each inverter's share of it, rolls over at 2³² J (Q-L1). `is_seldom`: the document is not
    polled each minute. `grain`: whether a power in the rows belongs to the present, belongs to an earlier time, or is
    a mean.
    """

    name: str
    where: str
    select: Selector
    kind: str = ""
    resolution_s: int = 0
    rolls_over: bool = False
    is_seldom: bool = False
    grain: Grain = "now"


@dataclass(frozen=True, slots=True)
class Key:
    """One source of a value: a rowset, a key's name in the rows, and the function that reads the value."""

    rowset: Rowset
    name: str
    read: Read


@dataclass(frozen=True, slots=True)
class Field:
    """Describe one field: name (which ends in the unit), help text, keys in order of preference, and kind.

    `made_of` describes how a value without a key is computed. Values outside `low`…`high` are left out; where a limit
    is None, the limit of the unit holds. `bounds`: both limits. `needs_belief`: the value is left out if its row is
    doubted.
    """

    name: str
    help: str
    keys: tuple[Key, ...] = ()
    kind: Kind = "float"
    made_of: str = ""
    low: float | None = None
    high: float | None = None
    needs_belief: bool = True
    bounds: tuple[float, float] = field(init=False)

    def __post_init__(self) -> None:
        """Compute `bounds` once, because each value of each tick is compared with these limits."""
        low, high = _LIMITS[self.unit]
        bounds = low if self.low is None else self.low, high if self.high is None else self.high
        object.__setattr__(self, "bounds", bounds)

    @property
    def unit(self) -> str:
        """Return the unit, which is the ending of the field's name; empty for counts, flags and texts."""
        last = self.name.rpartition("_")[2]
        return last if last in UNITS else ""

    @property
    def is_lifetime(self) -> bool:
        """Return True for a lifetime energy that never falls, so that its value remains valid until the next value.

        The lifetime net energy can fall.
        """
        return self.name.endswith("_lifetime_wh") and not self.name.startswith("net_")

    def value_of(self, key: Key, row: Row, view: View) -> Value | None:
        """Read the value of a key in a row and convert it to the field's type; None if missing or implausible."""
        if row.doubt and self.needs_belief:
            return None
        value = key.read(row, view)
        if value is None or isinstance(value, (bool, str)):
            return value
        low, high = self.bounds
        if not low <= value <= high:
            return None
        return float(value) if self.kind == "float" else value


@dataclass(frozen=True, slots=True)
class Measurement:
    """Describe one measurement: its role, its fields, and its tags besides gateway and site.

    The role selects the bucket. `time` is the tick, the inverter's own report, the event, or the beginning of a local
    hour, day, month or year. With `one_document`, all fields of a point come from the first rowset that has the
    device. `listed_by`: groups of rowsets that prove which devices exist. Each group gives the devices of its first
    rowset with devices. If `listed_by` is empty, every rowset proves that its devices exist. `has_layout`: the points
    also carry the tags of the layout file. `has_gateway`: the points have the tag `gateway`. Sums of several gateways
    do not have this tag.
    """

    name: str
    help: str
    role: Role
    fields: tuple[Field, ...]
    tags: tuple[str, ...] = ()
    time: Literal["tick", "report", "event", "hour", "day", "month", "year"] = "tick"
    one_document: bool = False
    listed_by: tuple[tuple[Rowset, ...], ...] = ()
    has_layout: bool = False
    has_gateway: bool = True
    rowsets: tuple[Rowset, ...] = field(init=False)
    readable: Mapping[str, tuple[tuple[Field, Key], ...]] = field(init=False, compare=False, repr=False)
    """By the name of a rowset: the fields that are read from its rows, each with its key."""

    def __post_init__(self) -> None:
        """Compute `rowsets` and `readable` from the fields.

        `rowsets` holds the rowsets of the fields' keys, in the order of the keys. The rowsets of `listed_by` follow.
        """
        read_from = (key.rowset for item in self.fields for key in item.keys)
        listed_by = (rowset for group in self.listed_by for rowset in group)
        rowsets = {rowset.name: rowset for rowset in (*read_from, *listed_by)}
        object.__setattr__(self, "rowsets", tuple(rowsets.values()))
        readable = {
            name: tuple((item, key) for item in self.fields for key in item.keys if key.rowset.name == name)
            for name in rowsets
        }
        object.__setattr__(self, "readable", readable)


# --- reading a key ------------------------------------------------------------------------------------------


def number(rowset: Rowset, path: str, per: float = 1.0) -> Key:
    """Make a key for a number. `per`: how many of the gateway's units make one unit of the field (1000 for mW)."""

    def read(row: Row, _view: View) -> float | None:
        value = row.number(path)
        return None if value is None else value / per

    return Key(rowset, path, read)


def count(rowset: Rowset, path: str) -> Key:
    """Make a key whose value is a whole number."""
    return Key(rowset, path, lambda row, _view: row.whole(path))


def flag(rowset: Rowset, path: str) -> Key:
    """Make a key whose value is true or false; other values count as absent."""
    return Key(rowset, path, lambda row, _view: row.flag(path))


def text(rowset: Rowset, path: str) -> Key:
    """Make a key whose value is a text; an empty text counts as absent."""
    return Key(rowset, path, lambda row, _view: row.text(path))


def formula(rowset: Rowset, name: str, read: Read) -> Key:
    """Make a key whose value `read` computes from a row; `name` describes how the value is made."""
    return Key(rowset, name, read)


def check(measurements: tuple[Measurement, ...]) -> None:
    """Check the table at import: unique names, matching units and kinds, and a limited number of values of each tag.

    Raises ValueError if the table has an error.
    """
    bounded = {"serial", "meter", "phase", "kind", "contact", "contact_name", "endpoint", "panel_group", "band"}
    bounded |= {"hour", "month"}
    names = [m.name for m in measurements]
    if len(set(names)) != len(names):
        raise ValueError("the table contains a measurement twice")
    for m in measurements:
        fields = [f.name for f in m.fields]
        if len(set(fields)) != len(fields):
            raise ValueError(f"{m.name}: a field occurs twice")
        if not set(m.tags) <= bounded or set(m.tags) & set(fields):
            raise ValueError(f"{m.name}: a tag is unbounded or has the name of a field")
        for f in m.fields:
            if f.kind in ("bool", "string") and f.unit:
                raise ValueError(f"{m.name}.{f.name}: a {f.kind} has no unit")
            if not f.keys and not f.made_of:
                raise ValueError(f"{m.name}.{f.name}: has no source")
