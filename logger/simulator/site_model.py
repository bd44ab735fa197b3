"""What stands behind a simulated gateway: something that answers paths."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol, TypeAlias

Access: TypeAlias = Literal["open", "digest", "token"]
_SLOW = ("/inventory", "/home", "/production", "/admin/lib")


@dataclass(frozen=True, slots=True)
class Reply:
    """One answer's status, content type and body."""

    status: int
    content_type: str
    body: bytes


class SiteModel(Protocol):
    """An invented gateway or a recorded one."""

    @property
    def serial(self) -> str:
        """The gateway's serial: the audience of its tokens."""
        ...

    @property
    def needs_token(self) -> bool:
        """Whether it is https and wants tokens."""
        ...

    def answer(self, path: str, now: float) -> Reply:
        """Answer `path` (with its query) at unix time `now`, once the request is admitted."""
        ...

    def access(self, path: str) -> Access:
        """Say what that path wants: nothing, digest, or a token."""
        ...


def is_slow(path: str) -> bool:
    """Whether the one slow process of a gateway serves that path."""
    return path.startswith(_SLOW)
