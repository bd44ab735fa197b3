"""Defines what a site model is: an object that answers the requests to a simulated gateway."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol, TypeAlias

Access: TypeAlias = Literal["open", "digest", "token"]
_SLOW = ("/inventory", "/home", "/production", "/admin/lib")


@dataclass(frozen=True, slots=True)
class Reply:
    """Hold one answer's status, content type and body."""

    status: int
    content_type: str
    body: bytes


class SiteModel(Protocol):
    """Answers requests for paths, as an invented or a recorded gateway."""

    @property
    def serial(self) -> str:
        """Return the gateway's serial, which is the audience of its tokens."""
        ...

    @property
    def needs_token(self) -> bool:
        """Return True if the gateway has https and wants tokens."""
        ...

    def answer(self, path: str, now: float) -> Reply:
        """Return the answer to `path`, with its query, at unix time `now`. The sign-in was checked before."""
        ...

    def access(self, path: str) -> Access:
        """Return which sign-in a path needs: none, Digest, or a token."""
        ...


def is_slow(path: str) -> bool:
    """Return True if the gateway's one slow process serves this path."""
    return path.startswith(_SLOW)
