"""Collects the events of one gateway, such as a new certificate, until the recorder takes and writes them."""

from __future__ import annotations

from typing import Literal, TypeAlias

from logger.clock import Clock
from logger.model import Event, Severity

GatewayEventKind: TypeAlias = Literal[
    "certificate_pinned",
    "certificate_changed",
    "certificate_ends_soon",
    "tls_off",
    "credentials_changed",
    "sign_in_failed",
    "installer_token",
    "token_renewed",
    "token_refused",
    "token_unusable",
    "token_ends_soon",
]


class GatewayEvents:
    """The events of one gateway, oldest first."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._events: list[Event] = []
        self._warned: set[GatewayEventKind] = set()

    def record(self, kind: GatewayEventKind, text: str, severity: Severity = "info") -> None:
        """Add an event at the present time."""
        self._events.append(Event(int(self._clock.time()), kind, text, severity))

    def warn_once(self, kind: GatewayEventKind, text: str) -> bool:
        """Add a warning and return True. Do nothing and return False if a warning of this kind was added before."""
        is_news = kind not in self._warned
        if is_news:
            self._warned.add(kind)
            self.record(kind, text, "warning")
        return is_news

    def forget(self, *kinds: GatewayEventKind) -> None:
        """Allow `warn_once` to add the next warning of these kinds."""
        self._warned.difference_update(kinds)

    def take(self) -> list[Event]:
        """Return and remove the collected events."""
        events, self._events = self._events, []
        return events
