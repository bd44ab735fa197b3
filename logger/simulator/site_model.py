"""Define the interface of a site model, an object that answers the requests to a simulated gateway."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol, TypeAlias

Access: TypeAlias = Literal["open", "digest", "token"]
_SLOW = ("/inventory", "/home", "/production", "/admin/lib")


@dataclass(frozen=True, slots=True)
class Reply:
    """One answer: HTTP status, content type and body."""

    status: int
    content_type: str
    body: bytes


class SiteModel(Protocol):
    """Answer requests as an invented or a recorded gateway."""

    @property
    def serial(self) -> str:
        """Return the gateway's serial, which is the audience of its tokens."""
        ...

    @property
    def needs_token(self) -> bool:
        """Return True if the gateway uses https and requires tokens."""
        ...

    def answer(self, path: str, now: float) -> Reply:
        """Return the answer to `path` (with its query) at unix time `now`. The caller has checked the sign-in."""
        ...

    def access(self, path: str) -> Access:
        """Return the sign-in that a path needs: none, Digest or a token."""
        ...


def is_slow(path: str) -> bool:
    """Return True if the gateway's single slow process answers this path."""
    return path.startswith(_SLOW)
