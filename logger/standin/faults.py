"""Faults on demand: what a path does instead of answering well."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, TypeAlias

Kind: TypeAlias = Literal[
    "delay", "hang", "status", "html", "empty", "cut", "reset", "drip", "huge", "bomb", "redirect", "garbage"
]


@dataclass(frozen=True, slots=True)
class Fault:
    """What goes wrong: for how many `seconds` of the clock, with which error `status`, how many `times`."""

    kind: Kind
    seconds: float = 0.0
    status: int = 503
    times: int | None = None


@dataclass(slots=True)
class Faults:
    """The faults by path prefix; the longest prefix that fits is played. `*` stands for every path."""

    by_prefix: dict[str, Fault] = field(default_factory=dict)
    played: dict[str, int] = field(default_factory=dict)

    def set(self, prefix: str, fault: Fault) -> None:
        """From now on `prefix` fails like this."""
        self.by_prefix[prefix] = fault
        self.played[prefix] = 0

    def clear(self, prefix: str | None = None) -> None:
        """That prefix, or everything, is well again."""
        if prefix is None:
            self.by_prefix.clear()
        else:
            self.by_prefix.pop(prefix, None)

    def of(self, path: str) -> Fault | None:
        """The fault to play for this request, counted."""
        fitting = [prefix for prefix in self.by_prefix if prefix == "*" or path.startswith(prefix)]
        if not fitting:
            return None
        prefix = max(fitting, key=len)
        fault = self.by_prefix[prefix]
        if fault.times is not None and self.played[prefix] >= fault.times:
            return None
        self.played[prefix] += 1
        return fault
