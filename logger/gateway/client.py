"""Gives the rest of the program access to one gateway: `identify` it, `fetch` one endpoint, `take_events`.

Each request returns one document or raises one typed error.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace

from logger import log
from logger.answer import Answer
from logger.clock import Clock
from logger.digest import Digest
from logger.errors import (
    BrokenError,
    CertificateError,
    GatewayError,
    NotAGatewayError,
    UnreachableError,
    WireError,
)
from logger.gateway.access import Access
from logger.gateway.connect import Connection, Connector
from logger.gateway.documents import number_skeleton, read_answer
from logger.gateway.endpoints import INFO, AuthKind, Endpoint, auth_kind
from logger.gateway.gateway_events import GatewayEvents
from logger.gateway.probe import ask_info
from logger.gateway.token_session import TokenSession
from logger.model import Document, Event, GatewayInfo
from logger.retry import POLL, SLOW_POLL, attempt
from logger.wire import Wire


class Gateway:
    """Requests the documents of one gateway. At most one request per lane (fast, slow) runs at a time.

    `reread` reads the credentials again from the settings, for a recorder that waits for a person to correct them.
    """

    def __init__(self, access: Access, clock: Clock, reread: Callable[[], Access] | None = None) -> None:
        log.protect((access.token, access.password, access.local_password))
        self._access, self._clock, self._reread = access, clock, reread
        self._events = GatewayEvents(clock)
        self._connector = Connector(access, clock, self._events)
        self._connection: Connection | None = None
        self._session: TokenSession | None = None
        self._serial = ""
        self._connecting = asyncio.Lock()

    @property
    def auth_kind(self) -> AuthKind | None:
        """Return the kind of sign-in that this gateway requires: open, digest or token.

        Return None before the first connection.
        """
        return None if self._connection is None else auth_kind(self._connection.info)

    @property
    def token_expires_at(self) -> float | None:
        """Return the expiry time of the token in use, in unix seconds; None without a token."""
        return None if self._session is None or self._session.token is None else self._session.token.expires_at

    @property
    def token_user(self) -> str | None:
        """Return the kind of user (owner or installer) of the token in use; None without a token."""
        return None if self._session is None or self._session.token is None else self._session.token.user

    def take_events(self) -> list[Event]:
        """Return the events recorded since the last call, oldest first."""
        return self._events.take()

    async def identify(self) -> GatewayInfo:
        """Request `/info`. The first call also finds the scheme and pins the certificate. No token is sent.

        Raises WireError (CertificateError among them), NotAGatewayError, SerialDiffersError, BusyError, StateError.
        """
        async with self._connecting:
            if self._connection is not None:
                wire = self._connection.wire
                try:
                    self._connection = Connection(wire, await ask_info(wire, self._access, self._clock))
                except (CertificateError, UnreachableError, BrokenError, NotAGatewayError) as error:
                    await self._leave(wire)
                    if not isinstance(error, CertificateError):
                        raise
                else:
                    self._connector.trust.warn_of_end()
            if self._connection is None:
                self._connection = await self._connector.connect()
            await self._follow_serial(self._connection.info)
            return self._connection.info

    async def fetch(self, endpoint: Endpoint) -> Document:
        """Request one endpoint with the sign-in that this gateway requires.

        After a 404 the endpoint's other paths (`also`) are requested. After a temporary error that is no timeout, an
        endpoint of the fast lane is requested a second time. Raises WireError, AbsentError (there is no such
        document), NotAllowedError (only this path is refused), BusyError, UnreadableError, CredentialsError, and the
        errors of `identify`.
        """
        try:
            return await self._fetch(endpoint)
        except CertificateError:
            if self._connection is not None:
                await self._leave(self._connection.wire)
            await self.identify()  # accepts a renewed certificate, or raises
            return await self._fetch(endpoint)

    async def fetch_raw(self, endpoint: Endpoint) -> Answer:
        """Request one endpoint once, signed in as in `fetch`. Return the answer, whatever its status is.

        Raises WireError, CredentialsError, and the errors of `identify`. After a 401 for a request with a token, the
        method can also raise BusyError and NotAllowedError.
        """
        return (await self._answer(endpoint))[1]

    async def aclose(self) -> None:
        """Close the connection and cancel a running sign-in."""
        if self._session is not None:
            await self._session.aclose()
        if self._connection is not None:
            await self._leave(self._connection.wire)

    async def _fetch(self, endpoint: Endpoint) -> Document:
        policy = SLOW_POLL if endpoint.lane == "slow" else POLL
        return await attempt(policy, self._clock, lambda: self._fetch_once(endpoint))

    async def _fetch_once(self, endpoint: Endpoint) -> Document:
        connection, answer = await self._answer(endpoint)
        for name in endpoint.also:
            if answer.status == 404:
                connection, answer = await self._answer(replace(endpoint, path=name))
        who = (self.token_user or "unknown") if self._session is not None else self._local_user
        body = read_answer(answer, endpoint, connection.info, connection.wire.host, who)
        return Document(endpoint.path, body, self._clock.time(), answer.took_s, number_skeleton(answer))

    async def _answer(self, endpoint: Endpoint) -> tuple[Connection, Answer]:
        """Send one request with the sign-in that this gateway requires. `/info` is requested without sign-in."""
        if self._connection is None:
            await self.identify()
        connection = self._connection
        if connection is None:
            raise UnreachableError(f"{self._access.host} was disconnected in the middle of a request")
        if endpoint == INFO:
            return connection, await connection.get(endpoint)
        if auth_kind(connection.info) == "token":
            return connection, await self._session_of(connection).get(connection, endpoint)
        return connection, await self._get_by_user(connection, endpoint)

    async def _get_by_user(self, connection: Connection, endpoint: Endpoint) -> Answer:
        """Request a path of a gateway with firmware older than 7.

        If the path needs a sign-in, use the local user. A broken answer or a redirect may mean that the firmware was
        updated. If `/info` confirms the update or fails, the connection is closed. Otherwise only this path is at
        fault.
        """
        digest = Digest(self._local_user, self._access.local_password or connection.info.serial[-6:])
        try:
            answer = await connection.get(endpoint, digest=digest)
        except BrokenError:
            await self._leave_if_changed(connection)
            raise
        except UnreachableError:
            await self._leave(connection.wire)
            raise
        if 300 <= answer.status < 400:
            await self._leave_if_changed(connection)
        return answer

    async def _leave_if_changed(self, connection: Connection) -> None:
        """Close the connection if `/info` fails, or if it reports another serial or firmware than before."""
        try:
            info = await ask_info(connection.wire, self._access, self._clock)
        except (WireError, GatewayError):
            await self._leave(connection.wire)
            return
        if (info.serial, info.firmware) != (connection.info.serial, connection.info.firmware):
            await self._leave(connection.wire)

    @property
    def _local_user(self) -> str:
        return self._access.local_username or "envoy"

    def _session_of(self, connection: Connection) -> TokenSession:
        if self._session is None:
            serial = connection.info.serial
            self._session = TokenSession(self._access, self._clock, serial, self._events, self._reread)
        return self._session

    async def _follow_serial(self, info: GatewayInfo) -> None:
        """Discard the token session if the serial of the gateway at this address has changed."""
        if info.serial != self._serial:
            if self._session is not None:
                await self._session.aclose()
            self._serial, self._session = info.serial, None

    async def _leave(self, wire: Wire) -> None:
        """Close a connection. The next request opens a new one."""
        if self._connection is not None and self._connection.wire is wire:
            self._connection = None
        await wire.aclose()
