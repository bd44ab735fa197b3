"""Write HTML and SVG. Texts that are not markup are escaped. No attribute contains a style or a script."""

from __future__ import annotations

from functools import cache, lru_cache
from html import escape
from typing import Final, TypeAlias

_VOID = frozenset({"meta", "link", "br", "img"})
_MOST_KEPT: Final = 2048
"""The number of escaped texts and values that are cached, because most texts occur again at the next tick."""


class Markup(str):
    """A text that is markup, and is not escaped."""

    __slots__ = ()


Content: TypeAlias = "str | Markup | None"
GAP: Final = Markup("\0")
"""The mark in a `Frame` for a text or an attribute that is written later."""


def el(name: str, *content: Content, **attributes: str | float | None) -> Markup:
    """Return one HTML or SVG element.

    An attribute whose value is None is left out. In an attribute's name `_` becomes `-`; a `_` at the end is removed.
    """
    told = "".join(
        [f' {_name_attribute(key)}="{_write(value)}"' for key, value in attributes.items() if value is not None]
    )
    if name in _VOID:
        return Markup(f"<{name}{told}>")
    return Markup(f"<{name}{told}>{join(*content)}</{name}>")


def join(*content: Content) -> Markup:
    """Return several contents as one markup, one after the other."""
    return Markup(
        "".join([each if isinstance(each, Markup) else _write(each) for each in content if each is not None])
    )


class Frame:
    """Markup with gaps. The markup is written once, and the gaps are filled again for each new value."""

    __slots__ = ("_pieces",)

    def __init__(self, drawn: Markup) -> None:
        self._pieces = drawn.split(GAP)

    def fill(self, *values: str | float) -> Markup:
        """Return the markup with a value in each gap, in order."""
        first, *others = self._pieces
        return Markup(first + "".join([_write(v) + piece for v, piece in zip(values, others, strict=True)]))


@cache
def _name_attribute(key: str) -> str:
    return key.rstrip("_").replace("_", "-")


@lru_cache(_MOST_KEPT)
def _write(value: str | float) -> str:
    """Return a text with its special characters escaped, or a number with at most one decimal."""
    return escape(value) if isinstance(value, str) else f"{value + 0.0:.1f}".rstrip("0").rstrip(".")
