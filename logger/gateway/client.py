"""The gateway as the rest of the program sees it: `identify`, `fetch` one endpoint, `take_events`.

One answer is one document or one typed error. A 401 is believed step by step: without the cookie, then by the
gateway's own check of the token, then once `/info` has answered; only after that is a token given up, and never
because of one path while others work.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from typing import Final, Literal

from logger import log
from logger.clock import Clock, format_span
from logger.errors import (
    AbsentError,
    BrokenError,
    BusyError,
    CertificateError,
    GatewayError,
    NotAGatewayError,
    NotAllowedError,
    SerialDiffersError,
    TokenError,
    UnreachableError,
    UnreadableError,
)
from logger.gateway.access import Access
from logger.gateway.auth import Auth
from logger.gateway.connect import HEADERS, Contact, Reached, ask_info
from logger.gateway.documents import looks_like_html, read_document
from logger.gateway.endpoints import INFO, AuthKind, Endpoint, auth_kind
from logger.gateway.tokens import Token
from logger.model import Document, Event, GatewayInfo
from logger.retry import POLL, SLOW_POLL, attempt
from logger.wire import Answer, Digest, Wire

_CHECK: Final = "/auth/check_jwt"
_CHECK_S: Final = 10.0
_GONE: Final = frozenset({400, 404, 405, 410})


class Gateway:
    """One gateway on the local network. Two requests, one a lane, may be in flight.

    `reread` gives the credentials as they are now, for a recorder that waits for a person to put them right.
    """

    def __init__(self, access: Access, clock: Clock, reread: Callable[[], Access] | None = None) -> None:
        log.protect((access.token, access.password, access.local_password))
        self._access, self._clock, self._reread = access, clock, reread
        self._contact = Contact(access, clock, self._tell)
        self._reached: Reached | None = None
        self._auth: Auth | None = None
        self._serial = ""
        self._witness: Endpoint | None = None
        self._events: list[Event] = []
        self._reaching = asyncio.Lock()
        self._recovering = asyncio.Lock()

    @property
    def auth_kind(self) -> AuthKind | None:
        """How one signs in: open, digest or token; None before the first contact."""
        return None if self._reached is None else auth_kind(self._reached.info)

    @property
    def token_expires_at(self) -> float | None:
        """Until when the token in use is valid, in unix seconds."""
        return None if self._auth is None or self._auth.token is None else self._auth.token.expires_at

    @property
    def token_user(self) -> str | None:
        """The role that the token in use gives: owner or installer."""
        return None if self._auth is None or self._auth.token is None else self._auth.token.user

    def take_events(self) -> list[Event]:
        """What happened since this was last called."""
        events, self._events = self._events, []
        return events

    async def identify(self) -> GatewayInfo:
        """Ask `/info`; at first find the scheme and pin the certificate. Sends no token.

        Raises WireError (CertificateError among them), NotAGatewayError, SerialDiffersError, BusyError, StateError.
        """
        async with self._reaching:
            if self._reached is not None:
                wire = self._reached.wire
                try:
                    self._reached = Reached(wire, await ask_info(wire, self._access, self._clock))
                except (CertificateError, UnreachableError, BrokenError, NotAGatewayError) as error:
                    await self._leave(wire)
                    if not isinstance(error, CertificateError):
                        raise
                else:
                    self._contact.watch()
                    return await self._met(self._reached)
            self._reached = await self._contact.reach()
            return await self._met(self._reached)

    async def fetch(self, endpoint: Endpoint) -> Document:
        """Ask one endpoint, signed in as this gateway wants it; at most two tries.

        Raises WireError, AbsentError (404), NotAllowedError (this path only), BusyError (5xx), UnreadableError,
        CredentialsError, and what `identify` raises.
        """
        try:
            return await self._fetch(endpoint)
        except CertificateError:
            if self._reached is not None:
                await self._leave(self._reached.wire)
            await self.identify()  # may find that the gateway has renewed its certificate; else it raises
            return await self._fetch(endpoint)

    async def fetch_raw(self, endpoint: Endpoint) -> Answer:
        """The answer as it came, whatever its status, signed in as `fetch` does; one try.

        Raises WireError, BusyError and NotAllowedError where a 401 was looked into, CredentialsError, and what
        `identify` raises.
        """
        return (await self._answer(endpoint))[1]

    async def aclose(self) -> None:
        """Close the connections and end a sign-in in flight."""
        if self._auth is not None:
            await self._auth.aclose()
        if self._reached is not None:
            await self._leave(self._reached.wire)

    # --- one request ---------------------------------------------------------------------------------------------

    async def _fetch(self, endpoint: Endpoint) -> Document:
        policy = SLOW_POLL if endpoint.lane == "slow" else POLL
        return await attempt(policy, self._clock, lambda: self._once(endpoint))

    async def _once(self, endpoint: Endpoint) -> Document:
        reached, answer = await self._answer(endpoint)
        for name in endpoint.also:
            if answer.status == 404:
                reached, answer = await self._answer(replace(endpoint, path=name))
        return self._read(reached, endpoint, answer)

    async def _answer(self, endpoint: Endpoint) -> tuple[Reached, Answer]:
        """Ask once, signed in as this gateway wants it; `/info` without."""
        if self._reached is None:
            await self.identify()
        reached = self._reached
        if reached is None:
            raise UnreachableError(f"{self._access.host} was left in the middle of a request")
        if endpoint == INFO:
            return reached, await self._get(reached.wire, endpoint)
        if auth_kind(reached.info) == "token":
            return reached, await self._with_token(reached, endpoint)
        return reached, await self._without_token(reached, endpoint)

    async def _without_token(self, reached: Reached, endpoint: Endpoint) -> Answer:
        """Firmware before 7. Where http ends or redirects it may have been updated: the next try begins anew."""
        wanted = auth_kind(reached.info) == "digest" and endpoint.before_7 == "digest"
        try:
            answer = await self._get(reached.wire, endpoint, digest=self._digest(reached.info) if wanted else None)
        except (BrokenError, UnreachableError):
            await self._leave(reached.wire)
            raise
        if 300 <= answer.status < 400:
            await self._leave(reached.wire)
        return answer

    async def _get(
        self, wire: Wire, endpoint: Endpoint, *, token: Token | None = None, digest: Digest | None = None
    ) -> Answer:
        bearer = {"authorization": f"Bearer {token.text}"} if token is not None else {}
        return await wire.request(
            "GET", endpoint.path, timeout_s=endpoint.timeout_s, headers={**HEADERS, **bearer}, auth=digest
        )

    def _digest(self, info: GatewayInfo) -> Digest:
        return Digest(self._access.local_username or "envoy", self._access.local_password or info.serial[-6:])

    def _read(self, reached: Reached, endpoint: Endpoint, answer: Answer) -> Document:
        """The document, or the error that the status means."""
        where, status = f"{reached.wire.host}{endpoint.path}", answer.status
        if status == 200:
            if endpoint.form == "json" and reached.info.version < (4,) and looks_like_html(answer):
                raise AbsentError(f"{where} is a web page: this firmware has no such document")
            body = read_document(answer, endpoint.form, where)
            return Document(endpoint.path, body, self._clock.time(), answer.took_s)
        if status in (401, 403):
            raise self._not_allowed(reached, endpoint, status)
        if status in _GONE:
            raise AbsentError(f"{where} answered {status}: this gateway has no such document")
        if status >= 500 or status in (408, 429):
            raise BusyError(
                f"{where} answered {status}: the gateway starts up, cleans up or is overloaded",
                "restart the gateway if this lasts.",
            )
        if 300 <= status < 400:
            raise UnreadableError(
                f"{where} answered with a redirect ({status}), which is not followed",
                "check ENPHASE_GATEWAY: gateways from firmware 7 on are reached with https://.",
            )
        raise GatewayError(f"{where} answered {status}", "check whether a firmware update changed this path.")

    def _not_allowed(self, reached: Reached, endpoint: Endpoint, status: int) -> NotAllowedError:
        where = f"{reached.wire.host}{endpoint.path}"
        if auth_kind(reached.info) == "token":
            return NotAllowedError(
                f"{where} answered {status}: not for the role of this token ({self.token_user or 'unknown'}); "
                "some paths want an installer's token"
            )
        if endpoint.before_7 == "digest":
            return NotAllowedError(
                f"{where} refuses user {self._access.local_username or 'envoy'} and the password ({status}); "
                "what needs no password is still read",
                "set ENPHASE_LOCAL_USERNAME and ENPHASE_LOCAL_PASSWORD_FILE; firmware 3.18 wants installer.",
            )
        return NotAllowedError(f"{where} answered {status}: this firmware does not open this path")

    # --- with a token --------------------------------------------------------------------------------------------

    async def _with_token(self, reached: Reached, endpoint: Endpoint) -> Answer:
        """Ask with Bearer and cookie; both are needed somewhere. A 401 is looked into."""
        if not reached.wire.base_url.startswith("https:"):
            raise TokenError(
                f"{reached.wire.host} wants a token, and none is sent over plain http",
                "write ENPHASE_GATEWAY without http://, or with https://.",
            )
        auth = self._signed(reached)
        token = await auth.current()
        answer = await self._get(reached.wire, endpoint, token=token)
        if answer.status == 401:
            async with self._recovering:
                answer, token = await self._recover(reached, endpoint, token)
        if answer.status == 200:
            auth.accepted(token)
            self._witness = endpoint
        return answer

    async def _recover(self, reached: Reached, endpoint: Endpoint, token: Token) -> tuple[Answer, Token]:
        """What a 401 means, found out step by step → the answer in the end, and the token that is now in use."""
        wire, auth = reached.wire, self._signed(reached)
        newer = await auth.current()  # the other lane may have been here
        wire.forget_cookies()
        answer = await self._get(wire, endpoint, token=newer)
        if answer.status != 401:
            return answer, newer
        token = newer
        if await self._is_good(wire, token):
            return await self._with_new_session(reached, endpoint, token), token
        info = await ask_info(wire, self._access, self._clock)  # a gateway that starts up says 401 too
        if info.serial != reached.info.serial:
            raise SerialDiffersError(
                f"{wire.host} was gateway {reached.info.serial} and now is {info.serial}", "check the network."
            )
        if await self._is_good(wire, token):
            return await self._with_new_session(reached, endpoint, token), token
        if await self._testifies(wire, endpoint, token):
            raise self._not_allowed(reached, endpoint, 401)
        gateway_now = self._clock.time() + info.clock_skew_s
        if gateway_now >= token.expires_at or gateway_now + 300 < token.issued_at:
            raise TokenError(
                f"{wire.host} refuses a valid token because its clock is off by "
                f"{format_span(abs(info.clock_skew_s))}",
                "let the gateway reach the internet (NTP), or restart it.",
            )
        auth.refused(token)
        self._tell("token_refused", f"gateway {info.serial} refuses the token", "warning")
        token = await auth.current()
        wire.forget_cookies()
        answer = await self._get(wire, endpoint, token=token)
        if answer.status == 401:
            if await self._is_good(wire, token):
                return await self._with_new_session(reached, endpoint, token), token
            auth.refused(token)
            raise TokenError(
                f"gateway {info.serial} refuses a new token too",
                "restart the gateway; if that does not help, make a token at https://entrez.enphaseenergy.com.",
            )
        return answer, token

    async def _is_good(self, wire: Wire, token: Token) -> bool:
        """What the gateway itself says of the token; a good one begins a new session. Raises BusyError."""
        answer = await wire.request(
            "GET", _CHECK, timeout_s=_CHECK_S, headers={"authorization": f"Bearer {token.text}"}
        )
        if answer.status in (200, 401, 403):
            return answer.status == 200
        raise BusyError(
            f"{wire.host}{_CHECK} answered {answer.status}: it cannot say now whether the token is good",
            "restart the gateway if this lasts.",
        )

    async def _with_new_session(self, reached: Reached, endpoint: Endpoint, token: Token) -> Answer:
        """The token is good: ask with the new cookie too, then with the cookie alone.

        If that fails it is this path alone where another path takes the token; else nothing is known yet.
        """
        answer = await self._get(reached.wire, endpoint, token=token)
        if answer.status == 401:
            answer = await self._get(reached.wire, endpoint)
        if answer.status == 401 and not await self._testifies(reached.wire, endpoint, token):
            raise BusyError(
                f"{reached.wire.host}{endpoint.path} answered 401, though the gateway says that the token is good",
                "restart the gateway if this lasts.",
            )
        return answer

    async def _testifies(self, wire: Wire, endpoint: Endpoint, token: Token) -> bool:
        """True if another path, the one that worked last, takes this token now."""
        witness = self._witness
        if witness is None or witness == endpoint:
            return False
        return (await self._get(wire, witness, token=token)).status == 200

    def _signed(self, reached: Reached) -> Auth:
        if self._auth is None:
            self._auth = Auth(self._access, self._clock, reached.info.serial, self._tell, self._reread)
        return self._auth

    # --- state ---------------------------------------------------------------------------------------------------

    async def _met(self, reached: Reached) -> GatewayInfo:
        """Who answered; another gateway than before gets tokens of its own."""
        if reached.info.serial != self._serial:
            if self._auth is not None:
                await self._auth.aclose()
            self._serial, self._auth, self._witness = reached.info.serial, None, None
        return reached.info

    async def _leave(self, wire: Wire) -> None:
        """Give up a connection; the next request begins with a new contact."""
        if self._reached is not None and self._reached.wire is wire:
            self._reached = None
        await wire.aclose()

    def _tell(self, kind: str, text: str, severity: Literal["info", "warning", "error"]) -> None:
        self._events.append(Event(int(self._clock.time()), kind, text, severity))
