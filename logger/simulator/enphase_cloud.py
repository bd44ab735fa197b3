"""Simulate the sign-in at Enphase: count every attempt, and play every refusal that owners of gateways reported."""

from __future__ import annotations

import json
import ssl
import uuid
from typing import Final, Literal, TypeAlias
from urllib.parse import parse_qs, urlsplit

from logger.clock import Clock
from logger.simulator import web_pages
from logger.simulator.connections import HttpServer, Request, Response
from logger.simulator.credentials import INSTALLER_S, OWNER_S, TokenMaker
from logger.simulator.faults import Faults
from logger.simulator.site_model import Reply

Mode: TypeAlias = Literal[
    "ok", "refused", "mfa", "too-many-sessions", "forbidden", "throttled", "down", "html",
    "foreign-token", "expired-token", "no-token", "no-tokens-path", "installer",
]  # fmt: skip
LOGIN: Final = "/login/login.json"
TOKENS: Final = "/tokens"
SESSION_TOKEN: Final = "/entrez-auth-token"  # noqa: S105  a path


class Cloud:
    """Serve Enphase's sign-in and tokens on loopback, over https if `tls` is given, else over plain http.

    `serials`: the gateways of the account. `sign_ins`: the number of attempts to sign in. `faults`: failures of the
    connection. `mode`: a failure of the service, one of the following.

    Modes in which the sign-in fails. `refused`: every e-mail and password is wrong. `mfa`: a second factor is
    required. `too-many-sessions`: the account has too many sessions. `forbidden`: 403. `throttled`: 429 with
    Retry-After. `down`: 503. `html`: 200 with a web page.

    Modes in which the token is unusual. `foreign-token`: the token is for another gateway. `expired-token`: the token
    has expired. `no-token`: the answer has no token. `no-tokens-path`: the first path to a token no longer exists,
    and only the second path gives tokens. `installer`: the token is valid for twelve hours.
    """

    def __init__(
        self, serial: str, tokens: TokenMaker, clock: Clock, *, port: int = 0, tls: ssl.SSLContext | None = None
    ) -> None:
        self.username = "owner@example.org"
        self.password = "a stand-in's password"  # noqa: S105  invented
        self.serials = {serial}
        self.mode: Mode = "ok"
        self.sign_ins = 0
        self.token_requests = 0
        self.lifetime_s: float | None = None
        self.faults = Faults()
        self.tokens = tokens
        self.http = HttpServer(self._answer, port=port, tls=tls)
        self._clock = clock
        self._sessions: set[str] = set()

    @property
    def url(self) -> str:
        """Return the address of the server."""
        return f"{'https' if self.http.tls else 'http'}://127.0.0.1:{self.http.port}"

    @property
    def login_url(self) -> str:
        """Return the address for ENPHASE_LOGIN_URL."""
        return f"{self.url}{LOGIN}"

    @property
    def token_url(self) -> str:
        """Return the address for ENPHASE_TOKEN_URL."""
        return f"{self.url}{TOKENS}"

    async def _answer(self, request: Request) -> Response:
        self.sign_ins += request.path == LOGIN
        self.token_requests += urlsplit(request.path).path in (TOKENS, SESSION_TOKEN)
        fault = self.faults.take(request.path, self._clock.time())
        return await (fault.respond(request, self._proper, self._clock) if fault else self._proper(request))

    async def _proper(self, request: Request) -> Response:
        parts = urlsplit(request.path)
        asked = (request.method, parts.path)
        if asked == ("POST", LOGIN):
            return self._log_in(parse_qs(request.body.decode("utf-8", "replace")))
        if asked == ("POST", TOKENS):
            return Response(self._give_bare_token(request))
        if asked == ("GET", SESSION_TOKEN):
            return Response(self._give_session_token(request, parse_qs(parts.query)))
        return Response(web_pages.NOT_FOUND)

    def _log_in(self, form: dict[str, list[str]]) -> Response:
        refusals: dict[str, Response] = {
            "refused": Response(_json(401, {"message": "Invalid"})),
            "mfa": Response(
                _json(200, {"success": True, "isBlocked": False}), (("set-cookie", "login_otp_nonce=1; path=/"),)
            ),
            "too-many-sessions": Response(_json(200, {"message": "You have too many active sessions"})),
            "forbidden": Response(web_pages.nginx(403, "Forbidden")),
            "throttled": Response(_json(429, {"message": "Too many requests"}), (("retry-after", "900"),)),
            "down": Response(web_pages.nginx(503, "Service Unavailable")),
            "html": Response(web_pages.LOGIN),
        }
        if self.mode in refusals:
            return refusals[self.mode]
        if form.get("user[email]") != [self.username] or form.get("user[password]") != [self.password]:
            return refusals["refused"]
        session = uuid.uuid4().hex
        self._sessions.add(session)
        found = {"message": "success", "session_id": session, "manager_token": "not-for-the-gateway",
                 "is_consumer": True, "system_id": 1, "redirect_url": ""}  # fmt: skip
        return Response(_json(200, found), (("set-cookie", f"_enlighten_4_session={session}; path=/"),))

    def _give_bare_token(self, request: Request) -> Reply:
        if self.mode == "no-tokens-path":
            return web_pages.nginx(405, "Method Not Allowed")
        try:
            asked = json.loads(request.body)
            session, serial, username = asked["session_id"], asked["serial_num"], asked["username"]
        except (ValueError, KeyError, TypeError):
            return Reply(400, "text/plain", b"Bad Request")
        if session not in self._sessions or username != self.username:
            return Reply(401, "text/plain", b"Unauthorized")
        if serial not in self.serials or self.mode == "no-token":
            return Reply(200, "text/plain", b"You do not have access to this gateway")
        return Reply(200, "text/plain", self._make(serial).encode())

    def _give_session_token(self, request: Request, query: dict[str, list[str]]) -> Reply:
        cookies = {part.strip() for part in request.headers.get("cookie", "").split(";")}
        if cookies.isdisjoint(f"_enlighten_4_session={session}" for session in self._sessions):
            return Reply(401, "application/json", b"{}")
        serial = query.get("serial_num", [""])[0]
        if serial not in self.serials or self.mode == "no-token":
            return web_pages.LOGIN
        now, token = self._clock.time(), self._make(serial)
        return _json(200, {"generation_time": int(now), "token": token, "expires_at": int(now + self._lifetime())})

    def _lifetime(self) -> float:
        return self.lifetime_s or (INSTALLER_S if self.mode == "installer" else OWNER_S)

    def _make(self, serial: str) -> str:
        issued, life = self._clock.time(), self._lifetime()
        return self.tokens.make(
            "999999999999" if self.mode == "foreign-token" else serial,
            issued - life - 86400 if self.mode == "expired-token" else issued,
            lifetime_s=life,
            user="installer" if self.mode == "installer" else "owner",
            username=self.username,
        )


def _json(status: int, body: object) -> Reply:
    return Reply(status, "application/json", json.dumps(body).encode())
