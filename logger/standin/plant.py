"""What stands behind a simulated gateway: something that answers paths."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol

Access = Literal["open", "digest", "token"]


@dataclass(frozen=True, slots=True)
class Reply:
    """One answer's status, content type and body."""

    status: int
    content_type: str
    body: bytes


class Plant(Protocol):
    """A generated site or a recording."""

    serial: str

    @property
    def needs_token(self) -> bool:
        """Whether it is https and wants tokens."""
        ...

    def answer(self, path: str, now: float) -> Reply:
        """The answer to `path` (with its query) at unix time `now`."""
        ...

    def access(self, path: str) -> Access:
        """What that path wants: nothing, digest, or a token."""
        ...

    def is_slow(self, path: str) -> bool:
        """Whether the one slow process serves it."""
        ...
