"""Holds the only use of httpx: sends one bounded request → an Answer, or one typed error.

Nothing is followed, nothing is unpacked beyond its limit, nothing waits longer than it may. Who the other side
must be is decided by the SSLContext that the caller hands in (pinned, verified, or off).
"""

from __future__ import annotations

import asyncio
import errno
import json
import re
import socket
import ssl
import zlib
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from http.cookiejar import CookieJar
from typing import Literal
from urllib.parse import urlsplit

import httpx

from logger import __version__
from logger.clock import Clock
from logger.digest import Challenge, Digest, read_challenge
from logger.errors import (
    BrokenError,
    CertificateError,
    NameUnknownError,
    OversizeError,
    TimedOutError,
    UnreachableError,
    WireError,
)
from logger.model import Json
from logger.proxies import proxy_for

USER_AGENT = f"envoy-logger/{__version__}"
_PASSES = "check the address and restart the device if this lasts."
_MOST_FIELDS_BYTES = 64 * 1024
_MOST_COOKIES = 16
"""A gateway sets one, Enphase a handful; more are forgotten, so that nobody can make the requests grow."""
_MOST_CHALLENGES = 2
"""A request is signed anew at most so often: the first challenge, and one that calls the nonce stale."""
_CLOSED = re.compile(r"disconnected|closed|without sending", re.I)
"""What httpx says of an answer that did not come whole; it says other words of one that is no HTTP."""
_COOKIE = re.compile(r"[\x21-\x7e]{0,4096}")


@dataclass(frozen=True, slots=True)
class Answer:
    """Hold one complete answer. Header names are in lower case; `body` is unpacked; `took_s` in seconds."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    took_s: float

    @property
    def text(self) -> str:
        """Return the body as text; bytes that are not UTF-8 are replaced."""
        return self.body.decode("utf-8", "replace")

    @property
    def fields(self) -> dict[str, Json]:
        """Return the body as a JSON object; empty if it is none or is larger than 64 KiB."""
        try:
            found: Json = json.loads(self.text) if len(self.body) <= _MOST_FIELDS_BYTES else None
        except (ValueError, RecursionError):
            return {}
        return found if isinstance(found, dict) else {}


@dataclass(frozen=True, slots=True)
class Basic:
    """User and password for HTTP Basic (InfluxDB 1.x)."""

    username: str
    password: str = field(repr=False)


class Wire:
    """Sends requests to one server.

    `base_url` is scheme://host[:port][/path]. `tls` decides whom to trust on https; None verifies against the
    system's authorities. `use_proxy` honours the machine's proxy settings (for the internet, never for a
    gateway). `max_bytes` bounds an answer, packed and unpacked. `connections` bounds requests in flight.
    Raises SettingsError for a proxy that cannot be used.
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
        self._client = httpx.AsyncClient(
            verify=tls if tls is not None else _authorities(base_url),
            trust_env=False,
            proxy=proxy_for(base_url) if use_proxy else None,
            follow_redirects=False,
            timeout=None,  # noqa: S113  the whole request is bounded by the clock, below
            limits=httpx.Limits(max_connections=connections, max_keepalive_connections=connections),
            headers={"user-agent": USER_AGENT, "accept-encoding": "gzip"},
        )

    @property
    def host(self) -> str:
        """Return host[:port] for messages, without user, password or path."""
        return urlsplit(self.base_url).netloc.rpartition("@")[2]

    async def request(
        self,
        method: Literal["GET", "POST"],
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
        if self._client.is_closed:  # given up by another task in between
            raise BrokenError(f"the connection to {self.host} was closed by another task")
        try:
            async with self._clock.timeout(timeout_s) as bound:
                request = self._client.build_request(
                    method,
                    self.base_url + path,
                    headers=dict(headers or {}),
                    params=params,
                    content=content,
                    data=form,
                    json=json,
                    timeout=httpx.Timeout(None, connect=_share_of(bound)),
                )
                status, answered, body = await self._send_signed(request, auth, path, where)
                return Answer(status, answered, body, self._clock.monotonic() - started)
        except TimeoutError as error:
            raise TimedOutError(
                f"{where} gave no complete answer in {timeout_s:g} s",
                "check the network and restart the device if this lasts.",
            ) from error
        except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
            raise _translate(error, self.host, where) from error

    async def _send_signed(
        self, request: httpx.Request, auth: Digest | Basic | None, path: str, where: str
    ) -> tuple[int, dict[str, str], bytes]:
        """Send a request, signed if the path was signed before; after a challenge, sign it and send it again.

        A path without Digest gets no signature. A challenge that calls the last nonce stale is answered once more.
        """
        if not isinstance(auth, Digest):
            response, body = await self._send(request, auth, where)
            return response.status_code, dict(response.headers), body
        challenge, answered = self._challenges.get(path), 0
        while True:
            if challenge is not None:
                uri = request.url.raw_path.decode("ascii")
                request.headers["authorization"] = challenge.sign(auth, request.method, uri)
            response, body = await self._send(request, None, where)
            asked = self._read_challenge(response, where)
            if asked is None or answered == _MOST_CHALLENGES or (answered and not asked.is_stale):
                break
            challenge = self._challenges[path] = asked
            answered += 1
        if challenge is not None:
            challenge.follow(response.headers.get("authentication-info", ""))
        return response.status_code, dict(response.headers), body

    def _read_challenge(self, response: httpx.Response, where: str) -> Challenge | None:
        """Return what a 401 asks to sign with; None for any other answer. Raises BrokenError if nobody could sign."""
        if response.status_code != 401:
            return None
        try:
            return read_challenge(response.headers.get_list("www-authenticate"))
        except ValueError as error:
            raise BrokenError(
                f"{where} asks for a sign-in that is no valid HTTP Digest",
                "check that the address is the gateway's own.",
            ) from error

    async def _send(self, request: httpx.Request, auth: Basic | None, where: str) -> tuple[httpx.Response, bytes]:
        """Send a request once and read the whole answer within its bounds."""
        basic = None if auth is None else httpx.BasicAuth(auth.username, auth.password)
        response = await self._client.send(request, stream=True, auth=basic)
        try:
            body = await _read(response.aiter_raw(), response.headers, self._max_bytes, where)
        finally:
            await response.aclose()
        if not _sane(self._client.cookies.jar):
            self.forget_cookies()
        return response, body

    def cookie(self, name: str) -> str | None:
        """Return the value of a cookie that the server set, or None."""
        return next((cookie.value for cookie in self._client.cookies.jar if cookie.name == name), None)

    def forget_cookies(self) -> None:
        """Drop the session that the server gave."""
        self._client.cookies.clear()

    async def aclose(self) -> None:
        """Close all connections."""
        await self._client.aclose()


def _authorities(base_url: str) -> ssl.SSLContext:
    """Return a TLS context that trusts the system's authorities; for plain http, one that trusts nobody.

    Reading the authorities takes long, so they are read for https alone.
    """
    if urlsplit(base_url).scheme == "https":
        return ssl.create_default_context()
    return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


def _sane(jar: CookieJar) -> bool:
    """Return True if the cookies can be sent: at most 16, short, and of printable characters."""
    cookies = list(jar)
    return len(cookies) <= _MOST_COOKIES and all(
        _COOKIE.fullmatch(text or "") for cookie in cookies for text in (cookie.name, cookie.value, cookie.path)
    )


def _share_of(bound: asyncio.Timeout) -> float | None:
    """Return the real seconds that connecting may take, and that the TLS handshake may take; None without a bound.

    Both together end before the bound of the whole request. If that bound cancelled a handshake, httpcore would
    leave the socket open. If a handshake ends by its own timeout, httpcore closes the socket.
    """
    when = bound.when()
    return None if when is None else max(0.001, 0.45 * (when - asyncio.get_running_loop().time()))


async def _read(chunks: AsyncIterator[bytes], headers: Mapping[str, str], limit: int, where: str) -> bytes:
    """Read the body and unpack gzip; never hold more than `limit` bytes of either form."""
    encoding = headers.get("content-encoding", "identity").strip().lower()
    if encoding not in ("identity", "", "gzip", "deflate"):
        raise BrokenError(f"{where} answered in the encoding {encoding[:40]!r}, which was not asked for", _PASSES)
    unpack = zlib.decompressobj(47) if encoding in ("gzip", "deflate") else None
    body = bytearray()
    received = 0
    async for chunk in chunks:
        received += len(chunk)
        try:
            body += unpack.decompress(chunk, limit + 1 - len(body)) if unpack else chunk
        except zlib.error as error:
            raise BrokenError(f"{where} sent a compressed answer that does not unpack", _PASSES) from error
        if received > limit or len(body) > limit:
            raise OversizeError(
                f"{where} sent more than {limit // 1024} KiB",
                "check that the address is the device's own; no device sends this much.",
            )
    if unpack is not None and received and not unpack.eof:
        raise BrokenError(f"{where} sent a compressed answer that ends too early", _PASSES)
    return bytes(body)


def _translate(error: Exception, host: str, where: str) -> WireError:
    """Convert an error of httpx to a WireError, by its chain of causes."""
    if isinstance(error, httpx.TimeoutException):
        return TimedOutError(
            f"{host} did not complete a connection in time", "check the address and the network; restart the device."
        )
    chain: list[BaseException] = []
    link: BaseException | None = error
    while link is not None and link not in chain:
        chain.append(link)
        link = link.__cause__ or link.__context__
    for cause in chain:
        if isinstance(cause, WireError):  # raised by our own check inside the handshake
            return cause
        if isinstance(cause, ssl.SSLCertVerificationError):
            return CertificateError(
                f"the certificate of {host} does not verify: {cause.verify_message}",
                "check the address and the authority: LOGGER_TLS_CA_FILE for the gateway, SSL_CERT_FILE for others.",
            )
        if isinstance(cause, socket.gaierror):
            return NameUnknownError(
                f"the name {host} does not resolve",
                "use the IP address, or check the DNS server; .local names do not resolve in containers.",
            )
        if isinstance(cause, ssl.SSLError):
            return BrokenError(
                f"{host} did not complete the TLS handshake: {cause.reason or cause}",
                "check whether this port speaks https.",
            )
        if isinstance(cause, ConnectionRefusedError):
            return UnreachableError(
                f"{host} refuses the connection", "check that the device is on and that the port is right."
            )
        if isinstance(cause, OSError) and cause.errno in (errno.EHOSTUNREACH, errno.ENETUNREACH, errno.ENETDOWN):
            return UnreachableError(f"there is no route to {host}", "check the network and the address.")
    if isinstance(error, httpx.ConnectError):
        return UnreachableError(
            f"{host} cannot be reached: {str(error) or type(error).__name__}", "check the network and the address."
        )
    if isinstance(error, (httpx.UnsupportedProtocol, httpx.InvalidURL)):
        return WireError(f"{host} is not an http or https address", "write it as https://host or http://host.")
    # Without what the server sent, which nobody has masked, and without counts: the same trouble has the same words.
    detail = re.split(r" \(|: ", str(error))[0]
    is_broken = isinstance(error, httpx.RemoteProtocolError) and not _CLOSED.search(detail)
    did = "sent an answer that breaks the rules of HTTP" if is_broken else "closed the connection in the middle"
    return BrokenError(f"{where} {did}" + (f": {detail}" if detail else ""), "restart the device if this lasts.")
