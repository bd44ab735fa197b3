"""Logs the beginning and the end of each failure of the delivery, and plans the next try."""

from __future__ import annotations

import logging
from typing import Final

from logger import log
from logger.daemon.influxdb_credentials import Credentials
from logger.influx.classify import Blocked, Wait
from logger.model import ROLES, Role
from logger.retry import Backoff

SERVER: Final = "server"
"""The key of the stored back-off after a failure of the whole server."""
_BLOCKED_S: Final = 60.0
"""Seconds between two deliveries while a person must act."""
_OF_THE_SERVER: Final = frozenset({0, 408, 425, 429, 502, 503, 504})
"""HTTP statuses (0: no answer) that concern the whole server, not one bucket."""


class DeliveryTroubles:
    """The present failure of each role. A failure concerns the server, a bucket, or the backlog of a bucket.

    `of_roles`: the outcome of the last failed delivery, for each role that fails now, in the order of the failures.
    """

    def __init__(self, backoff: Backoff, changes: log.Changes, credentials: Credentials | None) -> None:
        self.of_roles: dict[Role, Wait | Blocked] = {}
        self._backoff, self._changes, self._credentials = backoff, changes, credentials
        self._is_server_well = False
        self._own: set[str] = set()
        """The lanes (roles and backlogs) that failed in a round in which the server accepted another delivery."""

    def begin_round(self) -> None:
        """Begin a round of deliveries, in which the server has not accepted a delivery yet."""
        self._is_server_well = False

    def list_roles(self) -> list[Role]:
        """List the roles in the order of the next deliveries: first the roles that do not fail now.

        The role that failed last comes last. So if the server serves only some of the buckets, a delivery to one of
        these buckets shows that the server itself works, before a delivery to another bucket fails.
        """
        return [*(role for role in ROLES if role not in self.of_roles), *self.of_roles]

    def end(self, role: Role, *, live: bool) -> None:
        """End the failures that a successful delivery disproves. `live`: new rows were delivered, not backlog."""
        self._is_server_well = True
        self.of_roles.pop(role, None)
        for key in (SERVER, role, *(() if live else (backlog_of(role),))):
            self._backoff.succeed(key)
            self._own.discard(key)
        self._changes.end("influx", "InfluxDB accepts deliveries again")
        self._changes.end(f"influx {role}", f"InfluxDB accepts writes to the {role} bucket again")
        if not live:
            self._changes.end(f"influx {role} backlog", f"InfluxDB accepts the backlog of the {role} bucket again")

    def begin_block(self, role: Role, outcome: Blocked) -> bool:
        """Log a failure that only a person can end, and plan the next delivery in a minute.

        Return True if the credentials were renewed, so that the delivery can be tried immediately.
        """
        self._note(role, outcome)
        hint, is_renewed = outcome.hint, False
        self._backoff.pause(role, _BLOCKED_S)
        if outcome.kind == "credentials" and self._credentials is not None:
            is_renewed = self._credentials.renew()
            if is_renewed:
                self._backoff.pause(role, 0.0)
            hint = f"{hint.removesuffix('.')}; {self._credentials.hint()}"
        self._changes.begin(f"influx {role}", f"{outcome.reason}\nTry: {hint}", logging.ERROR)
        return is_renewed

    def begin_wait(self, role: Role, outcome: Wait, *, live: bool) -> None:
        """Log a failure that can end by itself, and plan the next delivery with back-off.

        `live`: the failed delivery had new rows, not backlog.
        """
        self._note(role, outcome)
        lane, asked_s = role if live else backlog_of(role), outcome.retry_after_s or 0.0
        if self._is_server_well:
            self._own.add(lane)
        if asked_s or (outcome.status in _OF_THE_SERVER and lane not in self._own):
            key, trouble = SERVER, "influx"
        else:
            key, trouble = lane, f"influx {lane}"
        self._backoff.fail(key, asked_s)
        cure = f"\nTry: {outcome.hint}" if outcome.hint else ""
        reason = outcome.reason if "InfluxDB" in outcome.reason else f"InfluxDB: {outcome.reason}"
        self._changes.begin(trouble, f"{reason}; the readings wait in the store{cure}")

    def _note(self, role: Role, outcome: Wait | Blocked) -> None:
        self.of_roles.pop(role, None)
        self.of_roles[role] = outcome


def backlog_of(role: Role) -> str:
    """Return the name of a role's backlog in `Backoff`."""
    return f"{role} backlog"
