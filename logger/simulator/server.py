"""Serve a simulated gateway: a site model behind TLS, tokens or Digest, with faults on demand.

The simulator records all requests in a journal.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from types import TracebackType
from typing import Final, Literal, Self, TypeAlias

from logger.clock import Clock
from logger.simulator import web_pages
from logger.simulator.certificate import Certificate, make_certificate
from logger.simulator.connections import HttpServer, Request, Response
from logger.simulator.credentials import OWNER_S, DigestGuard, TokenMaker
from logger.simulator.enphase_cloud import Cloud
from logger.simulator.faults import Faults
from logger.simulator.site_model import SiteModel, is_slow

SignedBy: TypeAlias = Literal["none", "bearer", "cookie", "both", "digest"]
SESSION_S: Final = 600.0
"""A session ends after this many seconds without a request."""
_CHECK: Final = "/auth/check_jwt"


@dataclass(frozen=True, slots=True)
class Served:
    """One request and its answer.

    `time`: the time of the request by the simulator's clock. `status`: 0 if no answer was sent. `body`: the whole
    body, even if a fault cut the sent body.
    """

    time: float
    request: Request
    status: int
    body: bytes = field(repr=False)

    @property
    def path(self) -> str:
        """Return the path of the request, with its query."""
        return self.request.path

    @property
    def bearer(self) -> str:
        """Return the token in the request, whether it is valid or not."""
        return self.request.headers.get("authorization", "").removeprefix("Bearer ")

    @property
    def credential(self) -> SignedBy:
        """Return the kind of credential in the request. An invalid credential has a kind, too."""
        authorization = self.request.headers.get("authorization", "")
        if authorization.startswith("Digest "):
            return "digest"
        bearer, cookie = authorization.startswith("Bearer "), "sessionId=" in self.request.headers.get("cookie", "")
        return "both" if bearer and cookie else "bearer" if bearer else "cookie" if cookie else "none"

    @property
    def saw_token(self) -> bool:
        """Return True if the request had a token in its headers or path."""
        return "eyJ" in " ".join((self.path, *(self.request.headers.get(n, "") for n in ("authorization", "cookie"))))


class Simulator:
    """Serve one gateway and its cloud sign-in, both on 127.0.0.1. Use as an async context manager.

    `model` may be replaced at any time (other firmware, other serial). `skew_s`: the seconds by which the gateway's
    clock is ahead. `tokens`: the maker of the tokens that the gateway accepts and the cloud gives. `slow_s`: the
    seconds for each answer to a slow path; slow paths are answered one after another. `tls`: True for https, False
    for http, None for the protocol of the model's firmware. `digest_on`: the beginnings of further paths that
    need Digest; `/` means every path except `/info`. From firmware 7 on `digest_on` has no effect.
    """

    def __init__(
        self,
        model: SiteModel,
        clock: Clock,
        *,
        port: int = 0,
        tls: bool | None = None,
        certificate: Certificate | None = None,
        local_password: str | None = None,
        slow_s: float = 0.0,
        cloud_tls: bool = False,
        cloud_port: int = 0,
        tokens: TokenMaker | None = None,
    ) -> None:
        self.model = model
        self.faults = Faults()
        self.journal: list[Served] = []
        self.tokens = tokens or TokenMaker()
        self.certificate = certificate or make_certificate(model.serial, now=clock.time())
        self.local_password = local_password
        self.slow_s = slow_s
        self.skew_s = 0.0
        self.digest = DigestGuard()
        self.digest_on: tuple[str, ...] = ()
        self._clock = clock
        self._slow = asyncio.Lock()
        self._sessions: dict[str, float] = {}
        encrypted = model.needs_token if tls is None else tls
        self._contexts = [self.certificate.context() for _ in range(encrypted + cloud_tls)]
        self.http = HttpServer(self._answer, port=port, tls=self._contexts[0] if encrypted else None)
        cloud_context = self._contexts[-1] if cloud_tls else None
        self.cloud = Cloud(model.serial, self.tokens, clock, port=cloud_port, tls=cloud_context)

    @property
    def url(self) -> str:
        """Return the gateway's address."""
        return f"{'https' if self.http.tls else 'http'}://127.0.0.1:{self.http.port}"

    @property
    def settings(self) -> dict[str, str]:
        """Return the settings of a recorder for this gateway and its sign-in, with an invented account."""
        return {
            "ENPHASE_GATEWAY": self.url,
            "ENPHASE_USERNAME": self.cloud.username,
            "ENPHASE_PASSWORD": self.cloud.password,
            "ENPHASE_LOGIN_URL": self.cloud.login_url,
            "ENPHASE_TOKEN_URL": self.cloud.token_url,
        }

    async def __aenter__(self) -> Self:
        await self.http.start()
        await self.cloud.http.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.http.stop()
        await self.cloud.http.stop()

    async def go_down(self) -> None:
        """Switch the gateway off, so that its port refuses connections and its sessions are lost."""
        await self.http.stop()
        self.expire_sessions()

    async def come_up(self) -> None:
        """Switch the gateway on again, on the same port."""
        await self.http.start()

    def count(self, prefix: str = "") -> int:
        """Count the requests for paths with this prefix."""
        return sum(served.path.startswith(prefix) for served in self.journal)

    def new_token(self, *, lifetime_s: float = OWNER_S, serial: str | None = None, user: str = "owner") -> str:
        """Return a new token, as an owner copies it from Enphase. A negative `lifetime_s` makes an expired token."""
        now = self._clock.time()
        issued = now if lifetime_s > 0 else now + lifetime_s - OWNER_S
        return self.tokens.make(serial or self.model.serial, issued, lifetime_s=now + lifetime_s - issued, user=user)

    def expire_sessions(self) -> None:
        """End every session, so that its cookie is no longer accepted."""
        self._sessions.clear()

    def revoke_tokens(self) -> None:
        """Revoke all tokens, and end all sessions."""
        self.tokens.revoke_all()
        self.expire_sessions()

    def new_certificate(self, *, days: float = 365, age_days: float = 0) -> None:
        """Renew the gateway's certificate. Open connections continue with the old certificate.

        The new certificate is valid from `age_days` before now to `days` after now.
        """
        self.use_certificate(
            make_certificate(self.model.serial, now=self._clock.time(), days=days, age_days=age_days)
        )

    def use_certificate(self, certificate: Certificate) -> None:
        """Use this certificate for new connections."""
        self.certificate = certificate
        for context in self._contexts:
            certificate.load_into(context)

    async def _answer(self, request: Request) -> Response:
        came = self._clock.time()
        fault = self.faults.take(request.path, came)
        if fault is None:
            response = await self._proper(request)
        elif fault.kind == "hang":  # recorded immediately, because the server may be stopped before the end
            self.journal.append(Served(came, request, 0, b""))
            return await fault.respond(request, self._proper, self._clock)
        else:
            response = await fault.respond(request, self._proper, self._clock)
        self.journal.append(
            Served(came, request, 0 if response.reset else response.reply.status, response.reply.body)
        )
        return response

    async def _proper(self, request: Request) -> Response:
        """Answer or refuse a request. Requests for slow paths are answered one after the other."""
        if self.slow_s and is_slow(request.path):
            async with self._slow:
                await self._clock.sleep(self.slow_s)
        now, model = self._clock.time() + self.skew_s, self.model
        access = "token" if model.needs_token and request.path == _CHECK else model.access(request.path)
        if access == "token":
            return self._answer_with_token(request, now)
        is_further = not model.needs_token and not request.path.startswith("/info")
        if access == "digest" or (is_further and request.path.startswith(self.digest_on)):
            return self._answer_with_digest(request, now)
        reply = model.answer(request.path, now)
        if reply.status == 401 and not model.needs_token:  # a recording lacks the headers of a refusal
            return Response(reply, (("www-authenticate", self.digest.challenge()),))
        return Response(reply)

    def _answer_with_digest(self, request: Request, now: float) -> Response:
        """Answer a request that the local user has signed; answer any other request with a Digest challenge."""
        verdict = self.digest.check(request, "envoy", self.local_password or self.model.serial[-6:])
        if verdict == "good":
            return Response(self.model.answer(request.path, now), self.digest.make_info(request))
        page = web_pages.DIGEST_JSON if request.path.endswith("/inverters") else web_pages.DIGEST_LINE
        return Response(page, (("www-authenticate", self.digest.challenge(is_stale=verdict == "stale")),))

    def _answer_with_token(self, request: Request, now: float) -> Response:
        """Answer a request that must carry a token or the cookie of a session.

        The path that checks tokens does not accept cookies.
        """
        bearer = request.headers.get("authorization", "").removeprefix("Bearer ")
        good, in_session = self.tokens.is_good(bearer, self.model.serial, now), self._in_session(request)
        checking = request.path == _CHECK
        if not good and (checking or not in_session):
            return Response(web_pages.UNAUTHORIZED)
        cookies: tuple[tuple[str, str], ...] = ()
        if checking or not in_session:
            session = secrets.token_hex(16)
            self._sessions[session] = self._clock.time()
            cookies = (("set-cookie", f"sessionId={session}; Secure; HttpOnly; path=/"),)
        return Response(web_pages.VALID_TOKEN if checking else self.model.answer(request.path, now), cookies)

    def _in_session(self, request: Request) -> bool:
        """Return True if the request has the cookie of an open session, and prolong this session."""
        now = self._clock.time()
        for part in request.headers.get("cookie", "").split(";"):
            name, _, value = part.strip().partition("=")
            if name == "sessionId" and value in self._sessions and now - self._sessions[value] < SESSION_S:
                self._sessions[value] = now
                return True
        return False


async def serve(simulator: Simulator, ready: Callable[[Simulator], None]) -> None:
    """Serve on 127.0.0.1 until cancelled. `ready` is called as soon as the simulator listens."""
    async with simulator:
        ready(simulator)
        await asyncio.Event().wait()
