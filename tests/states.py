"""Any value of a stored type, for tests that a state comes back from the store as it went."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, is_dataclass, replace
from types import UnionType
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from hypothesis import strategies as st

from logger.energy.state import EnergyState

T = TypeVar("T")
_LEAVES: dict[Any, st.SearchStrategy[Any]] = {
    float: st.floats(allow_nan=False, allow_infinity=False),
    int: st.integers(-(2**53), 2**53),
    str: st.text(max_size=8),
    bool: st.booleans(),
    type(None): st.none(),
}


def whole(kind: type[T]) -> st.SearchStrategy[T]:
    """A dataclass with any values in all of its fields, also in those that have defaults."""
    found: st.SearchStrategy[T] = _any(kind)
    return found


def _any(hint: Any) -> st.SearchStrategy[Any]:
    origin, parts = get_origin(hint), get_args(hint)
    if hint in _LEAVES:
        return _LEAVES[hint]
    if isinstance(hint, type) and is_dataclass(hint):
        hints = get_type_hints(hint)
        return st.builds(hint, **{item.name: _any(hints[item.name]) for item in fields(hint)})
    if origin is Literal:
        return st.sampled_from(parts)
    if origin in (Union, UnionType):
        return st.one_of(*(_any(part) for part in parts))
    if origin is Mapping:
        return st.dictionaries(_any(parts[0]), _any(parts[1]), max_size=3)
    assert origin is tuple, hint
    if parts[1:] == (...,):
        return st.lists(_any(parts[0]), max_size=3).map(tuple)
    return st.tuples(*(_any(part) for part in parts))


energy_states = whole(EnergyState).map(
    lambda state: replace(
        state,
        days=tuple(sorted({day.date: day for day in state.days}.values(), key=lambda day: day.date)),
    )
)
"""Energy states; their days are in order, and no date stands twice."""
