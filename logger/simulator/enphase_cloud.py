"""A stand-in for the sign-in at Enphase: it counts every try and plays every refusal that was ever seen."""

from __future__ import annotations

import json
import ssl
import uuid
from typing import Literal, TypeAlias
from urllib.parse import parse_qs, urlsplit

from logger.clock import Clock
from logger.simulator import web_pages
from logger.simulator.break_answers import pause, spoiled
from logger.simulator.connections import HttpServer, Request, Response
from logger.simulator.faults import Faults
from logger.simulator.site_model import Reply
from logger.simulator.token_issuer import INSTALLER_S, OWNER_S, TokenMaker

Mode: TypeAlias = Literal[
    "ok", "refused", "mfa", "too-many-sessions", "forbidden", "throttled", "down", "html",
    "foreign-token", "expired-token", "no-token", "no-tokens-path", "installer",
]  # fmt: skip


class Cloud:
    """On loopback, plain http unless `tls` is given; `sign_ins` counts the tries, `faults` breaks answers.

    `mode`: refused: e-mail or password are wrong, whatever they are; mfa: a second factor is wanted;
    too-many-sessions; forbidden 403, throttled 429 with Retry-After, down 503, html: 200 with a page, all of these
    at the sign-in; foreign-token, expired-token, no-token: at the token; no-tokens-path: the first way to a token
    is gone, the second works; installer: a token for twelve hours.
    """

    def __init__(self, serial: str, tokens: TokenMaker, clock: Clock, *, tls: ssl.SSLContext | None = None) -> None:
        self.username = "owner@example.org"
        self.password = "a stand-in's password"  # noqa: S105  invented
        self.mode: Mode = "ok"
        self.sign_ins = 0
        self.token_requests = 0
        self.lifetime_s: float | None = None
        self.faults = Faults()
        self._serial, self._tokens, self._clock = serial, tokens, clock
        self._sessions: set[str] = set()
        self.http = HttpServer(self._answer, tls=tls)

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"{'https' if self.http.tls else 'http'}://127.0.0.1:{self.http.port}"

    @property
    def login_url(self) -> str:
        """For ENPHASE_LOGIN_URL."""
        return f"{self.url}/login/login.json"

    @property
    def token_url(self) -> str:
        """For ENPHASE_TOKEN_URL."""
        return f"{self.url}/tokens"

    async def start(self) -> None:
        """Begin to listen."""
        await self.http.start()

    async def stop(self) -> None:
        """Stop listening."""
        await self.http.stop()

    async def _answer(self, request: Request) -> Response:
        fault = self.faults.of(request.path, self._clock.time())
        if fault is None:
            return self._proper(request)
        await pause(fault, self._clock)
        return spoiled(self._proper(request), fault, self._clock)

    def _proper(self, request: Request) -> Response:
        parts = urlsplit(request.path)
        if request.method == "POST" and parts.path == "/login/login.json":
            return self._login(parse_qs(request.body.decode("utf-8", "replace")))
        if request.method == "POST" and parts.path == "/tokens":
            return Response(self._bare_token(request))
        if request.method == "GET" and parts.path == "/entrez-auth-token":
            return Response(self._token_as_json(request, parse_qs(parts.query)))
        return Response(web_pages.NOT_FOUND)

    def _login(self, form: dict[str, list[str]]) -> Response:
        self.sign_ins += 1
        refusals: dict[str, Reply] = {
            "refused": _json(401, {"message": "Invalid"}),
            "mfa": _json(200, {"success": True, "isBlocked": False}),
            "too-many-sessions": _json(200, {"message": "You have too many active sessions"}),
            "forbidden": web_pages.nginx(403, "Forbidden"),
            "throttled": _json(429, {"message": "Too many requests"}),
            "down": web_pages.nginx(503, "Service Unavailable"),
            "html": web_pages.LOGIN,
        }
        if self.mode in refusals:
            beside = {"mfa": ("set-cookie", "login_otp_nonce=1; path=/"), "throttled": ("retry-after", "900")}
            return Response(refusals[self.mode], (beside[self.mode],) if self.mode in beside else ())
        if form.get("user[email]") != [self.username] or form.get("user[password]") != [self.password]:
            return Response(_json(401, {"message": "Invalid"}))
        session = uuid.uuid4().hex
        self._sessions.add(session)
        return Response(
            _json(
                200,
                {
                    "message": "success",
                    "session_id": session,
                    "manager_token": "not-for-the-gateway",
                    "is_consumer": True,
                    "system_id": 1,
                    "redirect_url": "",
                },
            ),
            (("set-cookie", f"_enlighten_4_session={session}; path=/"),),
        )

    def _bare_token(self, request: Request) -> Reply:
        self.token_requests += 1
        if self.mode == "no-tokens-path":
            return web_pages.nginx(405, "Method Not Allowed")
        try:
            asked = json.loads(request.body)
            session, serial, username = asked["session_id"], asked["serial_num"], asked["username"]
        except (ValueError, KeyError, TypeError):
            return Reply(400, "text/plain", b"Bad Request")
        if session not in self._sessions or username != self.username:
            return Reply(401, "text/plain", b"Unauthorized")
        if serial != self._serial or self.mode == "no-token":
            return Reply(200, "text/plain", b"You do not have access to this gateway")
        return Reply(200, "text/plain", self._make().encode())

    def _token_as_json(self, request: Request, query: dict[str, list[str]]) -> Reply:
        self.token_requests += 1
        cookies = {part.strip() for part in request.headers.get("cookie", "").split(";")}
        if cookies.isdisjoint(f"_enlighten_4_session={session}" for session in self._sessions):
            return Reply(401, "application/json", b"{}")
        if query.get("serial_num") != [self._serial] or self.mode == "no-token":
            return web_pages.LOGIN
        now = self._clock.time()
        return _json(
            200, {"generation_time": int(now), "token": self._make(), "expires_at": int(now + self._lifetime())}
        )

    def _lifetime(self) -> float:
        return self.lifetime_s or (INSTALLER_S if self.mode == "installer" else OWNER_S)

    def _make(self) -> str:
        serial = "999999999999" if self.mode == "foreign-token" else self._serial
        user = "installer" if self.mode == "installer" else "owner"
        issued, life = self._clock.time(), self._lifetime()
        if self.mode == "expired-token":
            issued -= life + 86400
        return self._tokens.make(serial, issued, lifetime_s=life, user=user, username=self.username)


def _json(status: int, body: object) -> Reply:
    return Reply(status, "application/json", json.dumps(body).encode())
