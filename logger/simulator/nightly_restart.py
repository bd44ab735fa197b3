"""Simulate a restart each night: the gateway gives errors for three minutes, then zeros for two minutes."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from logger.simulator import web_pages
from logger.simulator.site_model import Access, Reply, SiteModel

BEGINS: Final = time(23, 58)
"""The beginning of the restart in local time; the restart lasts past midnight."""
_AWAY_S: Final = 180
_ZEROS_S: Final = 120
_ZEROED: Final = ("/ivp/meters/readings", "/api/v1/production", "/production.json", "/ivp/pdm/energy")
_KEPT: Final = frozenset({"eid", "timestamp", "readingTime", "lastReportDate", "devType", "activeCount"})


@dataclass(slots=True)
class NightlyRestart:
    """Answer for the gateway `model`, which restarts at 23:58 each night. `zone`: the time zone of this time."""

    model: SiteModel
    zone: str

    @property
    def serial(self) -> str:
        """Return the gateway's serial."""
        return self.model.serial

    @property
    def needs_token(self) -> bool:
        """Return True if the gateway uses https and requires tokens."""
        return self.model.needs_token

    def access(self, path: str) -> Access:
        """Return the sign-in that a path needs: none, Digest or a token."""
        return self.model.access(path)

    def answer(self, path: str, now: float) -> Reply:
        """Return the gateway's answer: an error page during the restart, then zeros until the meters count again."""
        since = self._seconds_since_restart(now)
        if since < _AWAY_S:
            return web_pages.nginx(503, "Service Unavailable")
        reply = self.model.answer(path, now)
        if since >= _AWAY_S + _ZEROS_S or reply.status != 200 or path.partition("?")[0] not in _ZEROED:
            return reply
        return Reply(200, reply.content_type, json.dumps(_zero(json.loads(reply.body))).encode())

    def _seconds_since_restart(self, now: float) -> float:
        local = datetime.fromtimestamp(now, ZoneInfo(self.zone))
        begun = datetime.combine(local.date(), BEGINS, local.tzinfo)
        if begun > local:
            begun -= timedelta(days=1)
        return (local - begun).total_seconds()


def _zero(body: object, key: str = "") -> object:
    """Return a document in which every measured number is zero."""
    if isinstance(body, dict):
        return {name: _zero(value, name) for name, value in body.items()}
    if isinstance(body, list):
        return [_zero(value, key) for value in body]
    return body if isinstance(body, (str, bool)) or body is None or key in _KEPT else 0
