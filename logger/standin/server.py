"""The stand-in gateway: a plant behind TLS, tokens or digest, with faults on demand and a journal."""

from __future__ import annotations

import asyncio
import gzip
import secrets
from dataclasses import dataclass, field
from types import TracebackType
from typing import Literal

from logger.clock import Clock
from logger.standin.certificate import Certificate, self_signed
from logger.standin.cloud import Cloud
from logger.standin.digest import DigestGuard
from logger.standin.faults import Fault, Faults
from logger.standin.http import HttpServer, Request, Response
from logger.standin.plant import Plant, Reply
from logger.standin.tokens import OWNER_S, TokenMaker

SignedBy = Literal["none", "bearer", "cookie", "both", "digest"]
_SESSION_S = 600.0
_HTML_401 = Reply(401, "text/html", b"<html><head><title>401 Authorization Required</title></head></html>\n")


@dataclass(frozen=True, slots=True)
class Served:
    """One request and its answer. `time` by the simulator's clock; `saw_token`: a token was in its headers."""

    time: float
    path: str
    status: int
    signed_by: SignedBy
    saw_token: bool
    body: bytes = field(repr=False)


class Simulator:
    """One gateway and its cloud sign-in, both on 127.0.0.1. Use as an async context manager."""

    def __init__(
        self,
        plant: Plant,
        clock: Clock,
        *,
        port: int = 0,
        certificate: Certificate | None = None,
        local_password: str | None = None,
        slow_s: float = 0.0,
    ) -> None:
        self.plant = plant
        self.faults = Faults()
        self.journal: list[Served] = []
        self.tokens = TokenMaker()
        self.cloud = Cloud(plant.serial, self.tokens, clock)
        self.certificate = certificate or self_signed(plant.serial, now=clock.time())
        self._clock = clock
        self._slow_s = slow_s
        self._slow = asyncio.Lock()
        self._sessions: dict[str, float] = {}
        self._digest = DigestGuard("envoy", local_password or plant.serial[-6:])
        self._context = self.certificate.context() if plant.needs_token else None
        self.http = HttpServer(self._answer, port=port, tls=self._context)

    @property
    def url(self) -> str:
        """The gateway's address."""
        return f"{'https' if self._context else 'http'}://127.0.0.1:{self.http.port}"

    async def __aenter__(self) -> Simulator:
        await self.http.start()
        await self.cloud.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.http.stop()
        await self.cloud.stop()

    def new_token(self, *, lifetime_s: float = OWNER_S, serial: str | None = None, user: str = "owner") -> str:
        """A token as the owner would copy it by hand."""
        return self.tokens.make(serial or self.plant.serial, self._clock.time(), lifetime_s=lifetime_s, user=user)

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
        if self._context is None:
            raise ValueError("this gateway speaks plain http")
        self.certificate = certificate
        fresh = certificate.context()
        self._context.sni_callback = lambda tls, _name, _context: setattr(tls, "context", fresh)

    # --- answering ------------------------------------------------------------------------------------------------

    async def _answer(self, request: Request) -> Response:
        signed_by, headers, refusal = self._admit(request)
        fault = self.faults.of(request.path)
        if fault is not None and fault.kind in ("delay", "hang"):
            await self._clock.sleep(fault.seconds)
        if self.plant.is_slow(request.path) and self._slow_s:
            async with self._slow:
                await self._clock.sleep(self._slow_s)
        reply = refusal or self._reply(request)
        response = Response(reply, tuple(headers))
        if fault is not None:
            response = spoiled(response, fault)
        self.journal.append(
            Served(
                self._clock.time(),
                request.path,
                response.reply.status,
                signed_by,
                "eyJ" in request.headers.get("authorization", ""),
                response.reply.body,
            )
        )
        return response

    def _reply(self, request: Request) -> Reply:
        if self.plant.needs_token and request.path == "/auth/check_jwt":
            return Reply(200, "text/html", b"<!DOCTYPE html><h2>Valid token.</h2>\n")
        return self.plant.answer(request.path, self._clock.time())

    def _admit(self, request: Request) -> tuple[SignedBy, list[tuple[str, str]], Reply | None]:
        """How the request is signed, the headers to answer with, and the refusal if it may not in."""
        access = "token" if request.path == "/auth/check_jwt" else self.plant.access(request.path)
        authorization = request.headers.get("authorization", "")
        now = self._clock.time()
        if access == "open" or (access == "token" and not self.plant.needs_token):
            return "none", [], None
        if access == "digest":
            if self._digest.admits(request.method, request.path, authorization):
                return "digest", [], None
            return "none", [("www-authenticate", self._digest.challenge())], _HTML_401
        bearer = authorization.removeprefix("Bearer ") if authorization.startswith("Bearer ") else ""
        good = bool(bearer) and self.tokens.is_good(bearer, self.plant.serial, now)
        session = self._session(request, now)
        if bearer and not good:
            return "bearer", [], _HTML_401
        if not good and session is None:
            return "none", [], _HTML_401
        if session is None or request.path == "/auth/check_jwt":
            session = secrets.token_hex(16)
            self._sessions[session] = now
            return "bearer", [("set-cookie", f"sessionId={session}; Secure; HttpOnly; path=/")], None
        return "both" if good else "cookie", [], None

    def _session(self, request: Request, now: float) -> str | None:
        for part in request.headers.get("cookie", "").split(";"):
            name, _, value = part.strip().partition("=")
            if name == "sessionId" and now - self._sessions.get(value, -_SESSION_S) < _SESSION_S:
                self._sessions[value] = now
                return value
        return None


def spoiled(response: Response, fault: Fault) -> Response:
    """What that fault makes of an answer."""
    body, headers = response.reply.body, response.headers
    match fault.kind:
        case "status":
            page = f"<html><head><title>{fault.status}</title></head><body>openresty</body></html>\n"
            return Response(Reply(fault.status, "text/html", page.encode()), headers)
        case "html":
            return Response(
                Reply(200, "text/html", b"<!DOCTYPE html><html><body>Please log in</body></html>"), headers
            )
        case "empty":
            return Response(Reply(200, response.reply.content_type, b""), headers)
        case "garbage":
            return Response(Reply(200, response.reply.content_type, b'{"broken": [1, 2,'), headers)
        case "cut":
            return Response(response.reply, headers, cut_after=len(body) // 2)
        case "reset":
            return Response(response.reply, headers, reset=True)
        case "drip":
            return Response(response.reply, headers, drip_s=max(fault.seconds, 0.01))
        case "huge":
            return Response(Reply(200, "application/json", b"[" + b"0," * (6 << 20) + b"0]"), headers)
        case "bomb":
            bomb = gzip.compress(b"0" * (64 << 20), 9)
            return Response(Reply(200, "application/json", bomb), (*headers, ("content-encoding", "gzip")))
        case "redirect":
            return Response(Reply(302, "text/html", b""), (*headers, ("location", "/home")))
        case "delay" | "hang":
            return response
