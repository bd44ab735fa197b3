"""Describe a mistake in a key of a tariff file, and the right form of the key. Pure."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Mapping
from typing import Any, Final

from logger.toml_lines import Place

_WORDS: Final = {
    "missing": "is missing",
    "float_type": "must be a number without quotes and unit, such as 0.32",
    "float_parsing": "must be a number without quotes and unit, such as 0.32",
    "bool_type": "must be true or false, without quotes",
    "string_type": "must be a text in quotes",
    "string_too_short": "is empty",
    "string_too_long": "has more than 60 characters",
    "string_pattern_mismatch": "must be one line of text",
    "list_type": "must be a list in square brackets",
    "tuple_type": "must be a list in square brackets",
    "model_type": "must be a table",
    "finite_number": "must be a finite number",
    "greater_than_equal": "must not be negative",
}
"""Kind of pydantic error → the mistake, in the terms of the tariff file."""
_SEVERAL: Final = ("period", "band", "tier")
"""The tables of which a tariff file may have several."""


def word_problem(item: Any, where: Place, tables: Mapping[str, Collection[str]]) -> str:
    """Return the description of a mistake that pydantic found at a place of the file.

    `tables`: the keys of each kind of table.
    """
    kind, name = item["type"], where[-1] if where else ""
    if kind == "value_error":
        return str(item["ctx"]["error"])
    if kind == "extra_forbidden":
        return f"is not a key {_name_table(where[:-1])}{_guess(str(name), where[:-1], tables)}"
    if kind == "missing" and name == "period":
        return "is missing: the file needs a [[period]]"
    if kind in ("list_type", "tuple_type") and name in _SEVERAL:
        return f"must have two brackets: {_header(where)}"
    return _WORDS.get(kind, str(item["msg"]).lower())


def _kind_of(where: Place) -> str:
    """Return the kind of table at a place; empty for the top of the file."""
    return next((part for part in reversed(where) if isinstance(part, str)), "")


def _header(where: Place) -> str:
    return f"[[{'.'.join(part for part in where if isinstance(part, str))}]]"


def _name_table(where: Place) -> str:
    return f"of a {_header(where)}" if where else "at the top of the file"


def _guess(name: str, where: Place, tables: Mapping[str, Collection[str]]) -> str:
    """Return advice for an unknown key: the key that was probably meant, the table for the key, or all right keys."""
    near = difflib.get_close_matches(name.replace("-", "_").lower(), tables[_kind_of(where)], n=1, cutoff=0.7)
    if near:
        return f"; did you mean {f'[[{near[0]}]]' if near[0] == 'period' else near[0]}?"
    if name in ("band", "tier"):
        return f"; write [[period.{name}]]"
    homes = [kind for kind, keys in tables.items() if name in keys]
    if not homes:
        return f"; its keys are {', '.join(tables[_kind_of(where)])}"
    paths = {"": "to the top of the file, above each [[…]]", "period": "into a [[period]]"}
    return f"; it belongs {paths.get(homes[0], f'into a [[period.{homes[0]}]]')}"
