"""Sends requests to a gateway with a token and the session's cookie, and finds the cause of a 401.

After a 401, three requests follow: the path without the cookie, the path that checks tokens, and `/info`. The token
is rejected only if none of these requests shows another cause of the 401, and if no other path accepts the token.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

from logger.answer import Answer
from logger.clock import Clock, format_span
from logger.errors import BusyError, SerialDiffersError, TokenError
from logger.gateway.access import Access
from logger.gateway.auth import Auth
from logger.gateway.connect import Connection
from logger.gateway.documents import not_allowed
from logger.gateway.endpoints import ENDPOINTS, Endpoint
from logger.gateway.gateway_events import GatewayEvents
from logger.gateway.probe import ask_info
from logger.gateway.tokens import Token
from logger.model import GatewayInfo

_CHECK: Final = "/auth/check_jwt"
_CHECK_S: Final = 10.0
_FOR_EVERY_OWNER: Final = next(each for each in ENDPOINTS if each.path == "/api/v1/production")
"""A path that every owner may read, requested after a 401 of another path if no path has worked before.

If this path works, the gateway accepts the token and refuses only the other path.
"""
_IF_IT_LASTS: Final = "restart the gateway if this lasts."


class TokenSession:
    """Sends one gateway's requests with a token. `reread` reads the credentials again from the settings."""

    def __init__(
        self, access: Access, clock: Clock, serial: str, events: GatewayEvents, reread: Callable[[], Access] | None
    ) -> None:
        self._access, self._clock, self._events = access, clock, events
        self._auth = Auth(access, clock, serial, events, reread)
        self._witness: Endpoint | None = None
        self._recovering = asyncio.Lock()

    @property
    def token(self) -> Token | None:
        """Return the token in use; None before the first request."""
        return self._auth.token

    async def aclose(self) -> None:
        """Cancel a running sign-in."""
        await self._auth.aclose()

    async def get(self, connection: Connection, endpoint: Endpoint) -> Answer:
        """Request an endpoint with token and cookie. After a 401, find the cause.

        Some paths need the token, and some need the cookie. Raises WireError, CredentialsError, StateError,
        BusyError, NotAllowedError or SerialDiffersError.
        """
        if not connection.wire.base_url.startswith("https:"):
            raise TokenError(
                f"{connection.wire.host} needs a token, and no token is sent over plain http",
                "write ENPHASE_GATEWAY without http://, or with https://.",
            )
        token = await self._auth.current()
        answer = await connection.get(endpoint, token=token)
        if answer.status == 401:
            async with self._recovering:
                answer, token = await self._recover(connection, endpoint)
        if answer.status == 200:
            self._auth.accept(token)
            self._witness = endpoint
        return answer

    async def _recover(self, connection: Connection, endpoint: Endpoint) -> tuple[Answer, Token]:
        """Find the cause of a 401. Return the final answer, and the token that was sent to get this answer."""
        answer, token = await self._get_anew(connection, endpoint)  # the other lane may have renewed the token
        if answer.status != 401:
            return answer, token
        if await self._is_good(connection, token):
            return await self._get_by_new_session(connection, endpoint, token), token
        info = await ask_info(connection.wire, self._access, self._clock)  # a starting gateway answers 401 too
        host, serial = connection.wire.host, connection.info.serial
        if info.serial != serial:
            raise SerialDiffersError(
                f"{host} was gateway {serial} and now is {info.serial}",
                "find out which device has this address, unless you replaced the gateway.",
            )
        if await self._is_good(connection, token):
            return await self._get_by_new_session(connection, endpoint, token), token
        if await self._works_elsewhere(connection, endpoint, token):
            raise not_allowed(answer, endpoint, info, host, token.user)
        _refuse_wrong_clock(token, info, host, self._clock.time())
        self._auth.reject(token)
        self._events.record("token_refused", f"gateway {serial} refuses the token", "warning")

        answer, token = await self._get_anew(connection, endpoint)
        if answer.status != 401:
            return answer, token
        if await self._is_good(connection, token):
            return await self._get_by_new_session(connection, endpoint, token), token
        self._auth.reject(token)
        raise TokenError(
            f"gateway {serial} refuses a new token too",
            "restart the gateway; if that does not help, make a token at https://entrez.enphaseenergy.com.",
        )

    async def _get_anew(self, connection: Connection, endpoint: Endpoint) -> tuple[Answer, Token]:
        """Request an endpoint with the present token, and without the old cookie."""
        token = await self._auth.current()
        connection.wire.forget_cookies()
        return await connection.get(endpoint, token=token), token

    async def _is_good(self, connection: Connection, token: Token) -> bool:
        """Request the path that checks tokens. Return True if the gateway accepts the token.

        If the token is accepted, a new session begins. Raises WireError or BusyError.
        """
        bearer = {"authorization": f"Bearer {token.text}"}
        answer = await connection.wire.request("GET", _CHECK, timeout_s=_CHECK_S, headers=bearer)
        if answer.status in (200, 401, 403):
            return answer.status == 200
        raise BusyError(
            f"{connection.wire.host}{_CHECK} answered {answer.status}: the gateway cannot check the token now",
            _IF_IT_LASTS,
        )

    async def _get_by_new_session(self, connection: Connection, endpoint: Endpoint, token: Token) -> Answer:
        """Request an endpoint with an accepted token and the new session's cookie; after a 401, with only the cookie.

        If both answers are 401, find out whether another path accepts the token. If so, this user may not read the
        endpoint: return the 401. Otherwise raise BusyError.
        """
        answer = await connection.get(endpoint, token=token)
        if answer.status == 401:
            answer = await connection.get(endpoint)
        if answer.status == 401 and not await self._works_elsewhere(connection, endpoint, token):
            raise BusyError(
                f"{connection.wire.host}{endpoint.path} answered 401, although the gateway accepts the token",
                _IF_IT_LASTS,
            )
        return answer

    async def _works_elsewhere(self, connection: Connection, endpoint: Endpoint, token: Token) -> bool:
        """Return True if another path accepts the token.

        The path is the last path that worked, or a path that all owners may read.
        """
        witness = self._witness or _FOR_EVERY_OWNER
        return witness != endpoint and (await connection.get(witness, token=token)).status == 200


def _refuse_wrong_clock(token: Token, info: GatewayInfo, host: str, now: float) -> None:
    """Raise TokenError if the token is valid now, but not at the time of the gateway's clock."""
    gateway_now = now + info.clock_skew_s
    if gateway_now >= token.expires_at or gateway_now + 300 < token.issued_at:
        raise TokenError(
            f"{host} refuses a valid token because the gateway's clock is off by "
            f"{format_span(abs(info.clock_skew_s))}",
            "let the gateway reach the internet (NTP), or restart the gateway.",
        )
