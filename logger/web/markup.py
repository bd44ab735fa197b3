"""Write HTML and SVG. Every text is escaped unless it is markup already. No attribute holds a style or a script."""

from __future__ import annotations

from functools import cache
from html import escape
from typing import TypeAlias

_VOID = frozenset({"meta", "link", "br", "img"})


class Markup(str):
    """Text that is markup already."""

    __slots__ = ()


Content: TypeAlias = "str | Markup | None"


def el(name: str, *content: Content, **attributes: str | float | None) -> Markup:
    """Write one element.

    An attribute of None is left out. In an attribute's name `_` becomes `-`, but a `_` at the end is cut.
    """
    parts = [f"<{name}"]
    for key, value in attributes.items():
        if value is not None:
            parts.append(f' {_name_attribute(key)}="{escape(_text(value))}"')
    parts.append(">")
    if name not in _VOID:
        parts += [each if isinstance(each, Markup) else escape(each) for each in content if each is not None]
        parts.append(f"</{name}>")
    return Markup("".join(parts))


def join(*content: Content) -> Markup:
    """Write contents one after the other."""
    return Markup(
        "".join([each if isinstance(each, Markup) else escape(each) for each in content if each is not None])
    )


@cache
def _name_attribute(key: str) -> str:
    return key.rstrip("_").replace("_", "-")


def _text(value: str | float) -> str:
    """Write an attribute's value; a number with at most one decimal."""
    return value if isinstance(value, str) else f"{value:.1f}".rstrip("0").rstrip(".")
