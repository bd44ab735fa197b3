"""Faults on demand: what a path does instead of answering well."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, TypeAlias

Kind: TypeAlias = Literal[
    "delay", "hang", "status", "html", "empty", "cut", "reset", "drip", "huge", "bomb", "redirect", "garbage"
]


@dataclass(frozen=True, slots=True)
class Fault:
    """What goes wrong.

    delay: answers well after `seconds` of the clock; hang: never within them, then the
    connection ends (0: it does not); status: an
    error page with `status`; html, empty, garbage: status 200 with a web page, nothing, half a document; cut: the
    connection ends within the body; reset: before the answer; drip: a byte every `seconds`; huge: `size` bytes;
    bomb: as many, packed; redirect: elsewhere. It is played `times` times, and from `since` until `until` (unix
    seconds); None means for ever.
    """

    kind: Kind
    seconds: float = 0.0
    status: int = 503
    times: int | None = None
    since: float | None = None
    until: float | None = None
    size: int = 64 << 20

    def is_due(self, now: float) -> bool:
        """Whether `now` is within its time."""
        return (self.since is None or now >= self.since) and (self.until is None or now < self.until)


@dataclass(slots=True)
class Faults:
    """The faults by path prefix; the longest prefix that fits and is due is played. `*` stands for every path."""

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

    def of(self, path: str, now: float) -> Fault | None:
        """The fault to play for this request, counted."""
        fitting = [
            prefix
            for prefix, fault in self.by_prefix.items()
            if (prefix == "*" or path.startswith(prefix))
            and fault.is_due(now)
            and (fault.times is None or self.played[prefix] < fault.times)
        ]
        if not fitting:
            return None
        prefix = max(fitting, key=lambda p: 0 if p == "*" else len(p))
        self.played[prefix] += 1
        return self.by_prefix[prefix]
