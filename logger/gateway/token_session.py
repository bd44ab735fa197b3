"""Asking with a token and the session's cookie, and finding out what a 401 means.

A 401 is believed step by step: without the cookie, then by the gateway's own check of the token, then once `/info`
has answered. Only after that is a token given up, and never because of one path while others work.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

from logger.clock import Clock, format_span
from logger.errors import BusyError, SerialDiffersError, TokenError
from logger.gateway.access import Access
from logger.gateway.auth import Auth
from logger.gateway.connect import Connection
from logger.gateway.documents import not_allowed
from logger.gateway.endpoints import Endpoint
from logger.gateway.gateway_events import GatewayEvents
from logger.gateway.probe import ask_info
from logger.gateway.tokens import Token
from logger.model import GatewayInfo
from logger.wire import Answer

_CHECK: Final = "/auth/check_jwt"
_CHECK_S: Final = 10.0
_IF_IT_LASTS: Final = "restart the gateway if this lasts."


class TokenSession:
    """What one gateway is asked with a token. `reread` gives the credentials as they are now."""

    def __init__(
        self, access: Access, clock: Clock, serial: str, events: GatewayEvents, reread: Callable[[], Access] | None
    ) -> None:
        self._access, self._clock, self._events = access, clock, events
        self._auth = Auth(access, clock, serial, events, reread)
        self._witness: Endpoint | None = None
        self._recovering = asyncio.Lock()

    @property
    def token(self) -> Token | None:
        """The token in use."""
        return self._auth.token

    async def aclose(self) -> None:
        """End a sign-in in flight."""
        await self._auth.aclose()

    async def get(self, connection: Connection, endpoint: Endpoint) -> Answer:
        """Ask with Bearer and cookie; both are needed somewhere. A 401 is looked into."""
        if not connection.wire.base_url.startswith("https:"):
            raise TokenError(
                f"{connection.wire.host} wants a token, and none is sent over plain http",
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
        """Find out what a 401 means → the answer in the end, and the token that is now in use."""
        answer, token = await self._get_anew(connection, endpoint)  # the other lane may have brought a newer token
        if answer.status != 401:
            return answer, token
        if await self._is_good(connection, token):
            return await self._get_by_new_session(connection, endpoint, token), token
        info = await ask_info(connection.wire, self._access, self._clock)  # a gateway that starts up says 401 too
        host, serial = connection.wire.host, connection.info.serial
        if info.serial != serial:
            raise SerialDiffersError(f"{host} was gateway {serial} and now is {info.serial}", "check the network.")
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
        """Ask with the token that is the right one now, and without the old cookie."""
        token = await self._auth.current()
        connection.wire.forget_cookies()
        return await connection.get(endpoint, token=token), token

    async def _is_good(self, connection: Connection, token: Token) -> bool:
        """Whether the gateway itself says that the token is good, which begins a new session. Raises BusyError."""
        bearer = {"authorization": f"Bearer {token.text}"}
        answer = await connection.wire.request("GET", _CHECK, timeout_s=_CHECK_S, headers=bearer)
        if answer.status in (200, 401, 403):
            return answer.status == 200
        raise BusyError(
            f"{connection.wire.host}{_CHECK} answered {answer.status}: it cannot say now whether the token is good",
            _IF_IT_LASTS,
        )

    async def _get_by_new_session(self, connection: Connection, endpoint: Endpoint, token: Token) -> Answer:
        """The token is good: ask with the new cookie too, then with the cookie alone.

        If that fails it is this path alone where another path takes the token; else nothing is known yet.
        """
        answer = await connection.get(endpoint, token=token)
        if answer.status == 401:
            answer = await connection.get(endpoint)
        if answer.status == 401 and not await self._works_elsewhere(connection, endpoint, token):
            raise BusyError(
                f"{connection.wire.host}{endpoint.path} answered 401, though the gateway says that the token is good",
                _IF_IT_LASTS,
            )
        return answer

    async def _works_elsewhere(self, connection: Connection, endpoint: Endpoint, token: Token) -> bool:
        """Whether another path, the one that worked last, takes this token now."""
        witness = self._witness
        if witness is None or witness == endpoint:
            return False
        return (await connection.get(witness, token=token)).status == 200


def _refuse_wrong_clock(token: Token, info: GatewayInfo, host: str, now: float) -> None:
    """Raise TokenError where the token is valid now, but not by the gateway's clock."""
    gateway_now = now + info.clock_skew_s
    if gateway_now >= token.expires_at or gateway_now + 300 < token.issued_at:
        raise TokenError(
            f"{host} refuses a valid token because its clock is off by {format_span(abs(info.clock_skew_s))}",
            "let the gateway reach the internet (NTP), or restart it.",
        )
