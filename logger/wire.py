"""Sends one request within limits of time and size, and returns an Answer or raises one typed error.

No redirect is followed, nothing is unpacked beyond its limit, and nothing waits longer than allowed. The SSLContext
of the caller decides which server to trust (pinned, verified, or off).
"""

from __future__ import annotations

import asyncio
import re
import ssl
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from json import dumps
from typing import Literal
from urllib.parse import urlencode, urlsplit

from logger import __version__
from logger.answer import Answer, decode, join_fields, read_body
from logger.clock import Clock
from logger.digest import Challenge, Digest, read_challenge
from logger.errors import BrokenError, TimedOutError
from logger.lean_httpx import httpx
from logger.proxies import proxy_for
from logger.transport import Call, KeptConnections, OpenAnswer, ProxiedConnections, Transport
from logger.wire_failures import explain_failure

USER_AGENT = f"envoy-logger/{__version__}"
_HEADERS = {"accept": "*/*", "accept-encoding": "gzip", "user-agent": USER_AGENT}
_MOST_COOKIES = 16
"""The greatest number of cookies to send back. A gateway sets one cookie, and Enphase a handful.

If a server sets more cookies, all are dropped, so that no server can make the requests grow.
"""
_MOST_CHALLENGES = 2
"""A request answers at most two challenges: the first, and a second that says that the nonce is stale."""
_COOKIE = re.compile(r"[\x21-\x7e]{0,4096}")


@dataclass(frozen=True, slots=True)
class Basic:
    """User and password for HTTP Basic (InfluxDB 1.x)."""

    username: str
    password: str = field(repr=False)

    @property
    def header(self) -> str:
        """Return the value of the header `authorization`."""
        return "Basic " + b64encode(f"{self.username}:{self.password}".encode()).decode("ascii")


class Wire:
    """Sends requests to one server.

    `base_url` is scheme://host[:port][/path]. `tls` decides which server to trust on https; None verifies against the
    system's authorities. `use_proxy`: use the machine's proxy settings (for the internet, never for a gateway).
    `max_bytes` bounds an answer, packed and unpacked. `connections`: the greatest number of requests at a time, if no
    proxy is used. Raises SettingsError for a proxy that cannot be used.
    """

    def __init__(
        self,
        base_url: str,
        clock: Clock,
        *,
        tls: ssl.SSLContext | None = None,
        use_proxy: bool = False,
        max_bytes: int = 8 * 1024 * 1024,
        connections: int = 2,
    ) -> None:
        self.base_url = base_url.rstrip("/")
        self._clock = clock
        self._max_bytes = max_bytes
        self._challenges: dict[str, Challenge] = {}
        self._cookies = httpx.Cookies()
        self._cookie_fields: dict[str, dict[str, str]] = {}
        self._is_closed = False
        trusted = tls if tls is not None else _authorities(base_url)
        proxy = proxy_for(base_url) if use_proxy else None
        self._transport: Transport = (
            KeptConnections(trusted, connections) if proxy is None else ProxiedConnections(trusted, proxy)
        )

    @property
    def host(self) -> str:
        """Return host[:port], for use in messages, without user, password or path."""
        return urlsplit(self.base_url).netloc.rpartition("@")[2]

    async def request(
        self,
        method: Literal["GET", "POST", "PUT"],
        path: str,
        *,
        timeout_s: float,
        headers: Mapping[str, str] | None = None,
        params: Mapping[str, str] | None = None,
        content: bytes | None = None,
        form: Mapping[str, str] | None = None,
        json: Mapping[str, str] | None = None,
        auth: Digest | Basic | None = None,
    ) -> Answer:
        """Send one request and read the whole answer, both within `timeout_s` seconds.

        Raises a WireError: NameUnknownError, UnreachableError, TimedOutError, BrokenError, OversizeError or
        CertificateError. Any HTTP status is an Answer.
        """
        started = self._clock.monotonic()
        where = f"{self.host}{path}"
        if self._is_closed:  # given up by another task in between
            raise BrokenError(f"the connection to {self.host} was closed by another task")
        try:
            async with self._clock.timeout(timeout_s) as bound:
                url = _make_url(self.base_url + path, *(params or {}).items())
                body, kind = _encode_body(content, form, json)
                fields = {**_HEADERS, **kind, **(headers or {}), **self._make_cookie_field(path, url)}
                if isinstance(auth, Basic):
                    fields["authorization"] = auth.header
                call = Call(method, url, fields, body, connect_s=_share_of(bound), may_repeat=form is None)
                reply, answered, read = await self._send_signed(
                    call, auth if isinstance(auth, Digest) else None, path, where
                )
                return Answer(reply.status, answered, read, self._clock.monotonic() - started)
        except TimeoutError as error:
            raise TimedOutError(
                f"{where} gave no complete answer in {timeout_s:g} s",
                "check the network; restart the device if this lasts.",
            ) from error
        except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
            raise explain_failure(error, self.host, where) from error

    async def _send_signed(
        self, call: Call, digest: Digest | None, path: str, where: str
    ) -> tuple[OpenAnswer, dict[str, str], bytes]:
        """Send a call. If the server challenges the call, sign it and send it again.

        The call is signed at once if the server has challenged an earlier call for this path. A second challenge is
        answered only if it says that the last nonce is stale. Without `digest` nothing is signed.
        """
        if digest is None:
            return await self._send(call, where)
        challenge, signed = self._challenges.get(path), 0
        while True:
            if challenge is not None:
                signature = challenge.sign(digest, call.method, call.target.decode("ascii"))
                call = replace(call, headers={**call.headers, "authorization": signature})
            reply, answered, body = await self._send(call, where)
            asked = self._read_challenge(reply, where)
            if asked is None or signed == _MOST_CHALLENGES or (signed and not asked.is_stale):
                break
            challenge = self._challenges[path] = asked
            signed += 1
        if challenge is not None:
            challenge.follow(answered.get("authentication-info", ""))
        return reply, answered, body

    def _read_challenge(self, reply: OpenAnswer, where: str) -> Challenge | None:
        """Return the challenge of a 401; None for any other answer.

        Raises BrokenError if the challenge cannot be answered.
        """
        if reply.status != 401:
            return None
        try:
            return read_challenge(
                [decode(value) for name, value in reply.fields if name.lower() == b"www-authenticate"]
            )
        except ValueError as error:
            raise BrokenError(
                f"{where} asks for a sign-in that is no valid HTTP Digest",
                "check that the address is the gateway's own.",
            ) from error

    async def _send(self, call: Call, where: str) -> tuple[OpenAnswer, dict[str, str], bytes]:
        """Send a call once. Return the answer, its headers, and its whole body.

        Raises OversizeError for a body that is too large.
        """
        reply = await self._transport.send(call)
        answered = join_fields(reply.fields)
        try:
            body = await read_body(reply.read, answered, self._max_bytes, where)
        finally:
            await reply.close()
        if "set-cookie" in answered:
            request = httpx.Request(call.method, call.url)
            self._cookies.extract_cookies(httpx.Response(reply.status, headers=reply.fields, request=request))
            self._cookie_fields = {}
            if not _sane(self._cookies):
                self.forget_cookies()
        return reply, answered, body

    def cookie(self, name: str) -> str | None:
        """Return the value of a cookie that the server set, or None."""
        return next((cookie.value for cookie in self._cookies.jar if cookie.name == name), None)

    def forget_cookies(self) -> None:
        """Drop all cookies, and with them the session at the server."""
        self._cookies, self._cookie_fields = httpx.Cookies(), {}

    def _make_cookie_field(self, path: str, url: httpx.URL) -> dict[str, str]:
        """Make the header with the cookies for a path.

        Choosing the cookies takes long, so the header is kept, unless a cookie of the server can expire.
        """
        if (found := self._cookie_fields.get(path)) is None:
            sent = httpx.Request("GET", url, cookies=self._cookies).headers
            found = {"cookie": sent["cookie"]} if "cookie" in sent else {}
            if all(cookie.expires is None for cookie in self._cookies.jar):
                self._cookie_fields[path] = found
        return found

    async def aclose(self) -> None:
        """Close all connections."""
        self._is_closed = True
        await self._transport.aclose()


@lru_cache(maxsize=4096)
def _make_url(url: str, *params: tuple[str, str]) -> httpx.URL:
    """Parse a URL and add the parameters. The result is cached, because few different URLs are requested."""
    return httpx.URL(url, params=dict(params)) if params else httpx.URL(url)


def _authorities(base_url: str) -> ssl.SSLContext:
    """Return a TLS context that trusts the system's authorities; for plain http, a context that trusts nobody.

    Reading the authorities takes long, so they are read only for https.
    """
    if urlsplit(base_url).scheme == "https":
        return ssl.create_default_context()
    return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


def _sane(kept: httpx.Cookies) -> bool:
    """Return True if the cookies can be sent: at most 16, short, and of printable characters."""
    cookies = list(kept.jar)
    return len(cookies) <= _MOST_COOKIES and all(
        _COOKIE.fullmatch(text or "") for cookie in cookies for text in (cookie.name, cookie.value, cookie.path)
    )


def _share_of(bound: asyncio.Timeout) -> float | None:
    """Return the seconds that connecting and the TLS handshake may take together; None if there is no limit.

    This is less than the time that is left for the whole request. So a connection that cannot be made fails first,
    and the error can say that no connection was made.
    """
    when = bound.when()
    return None if when is None else max(0.001, 0.9 * (when - asyncio.get_running_loop().time()))


def _encode_body(
    content: bytes | None, form: Mapping[str, str] | None, json: Mapping[str, str] | None
) -> tuple[bytes, dict[str, str]]:
    """Return the body of a request, and the header that names the kind of body."""
    if form is not None:
        return urlencode(form).encode("ascii"), {"content-type": "application/x-www-form-urlencoded"}
    if json is not None:
        return dumps(json, separators=(",", ":")).encode("ascii"), {"content-type": "application/json"}
    return content or b"", {}
