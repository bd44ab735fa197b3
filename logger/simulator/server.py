"""The stand-in gateway: a plant behind TLS, tokens or digest, with faults on demand and a journal."""

from __future__ import annotations

import asyncio
import secrets
from dataclasses import dataclass, field
from types import TracebackType
from typing import Final, Literal, Self, TypeAlias

from logger.clock import Clock
from logger.simulator import web_pages
from logger.simulator.break_answers import pause, spoiled
from logger.simulator.certificate import Certificate, self_signed
from logger.simulator.connections import HttpServer, Request, Response
from logger.simulator.digest import DigestGuard
from logger.simulator.enphase_cloud import Cloud
from logger.simulator.faults import Faults
from logger.simulator.site_model import Plant, Reply, is_slow
from logger.simulator.token_issuer import OWNER_S, TokenMaker

SignedBy: TypeAlias = Literal["none", "bearer", "cookie", "both", "digest"]
SESSION_S: Final = 600.0
"""A session that is not used for so long is over."""
_CHECK: Final = "/auth/check_jwt"


@dataclass(frozen=True, slots=True)
class Served:
    """One request and its answer.

    `time` by the simulator's clock, when the request came. `path` with its query. `status` 0: no answer was sent.
    `signed_by`: what the request brought, good or not. `saw_token`: a token was in its headers. `body`: as it would
    have been without a fault on the wire.
    """

    time: float
    path: str
    status: int
    signed_by: SignedBy
    saw_token: bool
    body: bytes = field(repr=False)


class Simulator:
    """One gateway and its cloud sign-in, both on 127.0.0.1. Use as an async context manager.

    `plant` may be exchanged while it runs (other firmware, other serial), `skew_s` is what its clock is ahead.
    `slow_s`: what the one slow process takes for an answer, one after the other. `tls`: None goes by the plant.
    """

    def __init__(
        self,
        plant: Plant,
        clock: Clock,
        *,
        port: int = 0,
        tls: bool | None = None,
        faults: Faults | None = None,
        certificate: Certificate | None = None,
        local_password: str | None = None,
        slow_s: float = 0.0,
        cloud_tls: bool = False,
    ) -> None:
        self.plant = plant
        self.faults = faults or Faults()
        self.journal: list[Served] = []
        self.tokens = TokenMaker()
        self.certificate = certificate or self_signed(plant.serial, now=clock.time())
        self.local_password = local_password
        self.slow_s = slow_s
        self.skew_s = 0.0
        self._clock = clock
        self._slow = asyncio.Lock()
        self._sessions: dict[str, float] = {}
        self._digest = DigestGuard()
        encrypted = plant.needs_token if tls is None else tls
        self._contexts = [self.certificate.context() for _ in range(encrypted + cloud_tls)]
        self.http = HttpServer(self._answer, port=port, tls=self._contexts[0] if encrypted else None)
        self.cloud = Cloud(plant.serial, self.tokens, clock, tls=self._contexts[-1] if cloud_tls else None)

    @property
    def url(self) -> str:
        """The gateway's address."""
        return f"{'https' if self.http.tls else 'http'}://127.0.0.1:{self.http.port}"

    async def __aenter__(self) -> Self:
        await self.http.start()
        await self.cloud.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.http.stop()
        await self.cloud.stop()

    async def go_down(self) -> None:
        """The gateway is switched off: the port refuses, sessions are lost."""
        await self.http.stop()
        self.expire_sessions()

    async def come_up(self) -> None:
        """And on again, at the same port."""
        await self.http.start()

    def count(self, prefix: str = "") -> int:
        """How many requests came for paths that begin so."""
        return sum(served.path.startswith(prefix) for served in self.journal)

    def new_token(self, *, lifetime_s: float = OWNER_S, serial: str | None = None, user: str = "owner") -> str:
        """A token as the owner would copy it by hand; negative `lifetime_s`: expired for so long."""
        now = self._clock.time()
        issued = now if lifetime_s > 0 else now + lifetime_s - OWNER_S
        return self.tokens.make(serial or self.plant.serial, issued, lifetime_s=now + lifetime_s - issued, user=user)

    def expire_sessions(self) -> None:
        """Every session cookie is void."""
        self._sessions.clear()

    def revoke_tokens(self) -> None:
        """Every token and session so far is void."""
        self.tokens.revoke_all()
        self.expire_sessions()

    def new_certificate(self, *, days: float = 365, age_days: float = 0) -> None:
        """The gateway renews its certificate; open connections are not touched."""
        self.use_certificate(self_signed(self.plant.serial, now=self._clock.time(), days=days, age_days=age_days))

    def use_certificate(self, certificate: Certificate) -> None:
        """From now on new connections see this certificate."""
        self.certificate = certificate
        for context in self._contexts:
            certificate.load_into(context)

    async def _answer(self, request: Request) -> Response:
        came, signed_by = self._clock.time(), _signature(request)
        fault = self.faults.of(request.path, came)
        saw_token = "eyJ" in _credentials(request)
        if fault is not None:
            if fault.kind == "hang":  # noted at once: nobody may be there at the end
                self.journal.append(Served(came, request.path, 0, signed_by, saw_token, b""))
            await pause(fault, self._clock)
        if self.slow_s and is_slow(request.path):
            async with self._slow:
                await self._clock.sleep(self.slow_s)
        response = self._admitted(request)
        body = response.reply.body
        if fault is not None:
            response = spoiled(response, fault, self._clock)
        if fault is None or fault.kind != "hang":
            status = 0 if response.reset else response.reply.status
            self.journal.append(Served(came, request.path, status, signed_by, saw_token, body))
        return response

    def _admitted(self, request: Request) -> Response:
        """The answer, or the refusal, to a request."""
        now = self._clock.time() + self.skew_s
        access = "token" if self.plant.needs_token and request.path == _CHECK else self.plant.access(request.path)
        if access == "digest":
            serial = self.plant.serial
            if not self._digest.admits(request, "envoy", self.local_password or serial[-6:]):
                page = web_pages.DIGEST_JSON if request.path.endswith("/inverters") else web_pages.DIGEST_LINE
                return Response(page, (("www-authenticate", self._digest.challenge()),))
        if access != "token":
            return Response(self.plant.answer(request.path, now))
        bearer = request.headers.get("authorization", "").removeprefix("Bearer ")
        good = self.tokens.is_good(bearer, self.plant.serial, now)
        in_session = self._in_session(request)
        if not good and (not in_session or request.path == _CHECK):
            return Response(web_pages.UNAUTHORIZED)
        cookies: tuple[tuple[str, str], ...] = ()
        if not in_session or request.path == _CHECK:
            session = secrets.token_hex(16)
            self._sessions[session] = self._clock.time()
            cookies = (("set-cookie", f"sessionId={session}; Secure; HttpOnly; path=/"),)
        return Response(self._document(request.path, now), cookies)

    def _document(self, path: str, now: float) -> Reply:
        return web_pages.VALID_TOKEN if path == _CHECK else self.plant.answer(path, now)

    def _in_session(self, request: Request) -> bool:
        """Whether the request has a cookie of a session that is not over; using it prolongs it."""
        now = self._clock.time()
        for part in request.headers.get("cookie", "").split(";"):
            name, _, value = part.strip().partition("=")
            if name == "sessionId" and value in self._sessions and now - self._sessions[value] < SESSION_S:
                self._sessions[value] = now
                return True
        return False


def _credentials(request: Request) -> str:
    return f"{request.headers.get('authorization', '')} {request.headers.get('cookie', '')} {request.path}"


def _signature(request: Request) -> SignedBy:
    authorization = request.headers.get("authorization", "")
    if authorization.startswith("Digest "):
        return "digest"
    bearer, cookie = authorization.startswith("Bearer "), "sessionId=" in request.headers.get("cookie", "")
    return "both" if bearer and cookie else "bearer" if bearer else "cookie" if cookie else "none"
