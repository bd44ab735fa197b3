"""Sends one bounded request → an Answer, or one typed error.

Nothing is followed, nothing is unpacked beyond its limit, nothing waits longer than it may. Who the other side
must be is decided by the SSLContext that the caller hands in (pinned, verified, or off).
"""

from __future__ import annotations

import asyncio
import errno
import json as json_text
import re
import socket
import ssl
import zlib
from base64 import b64encode
from collections.abc import AsyncIterable, Mapping
from dataclasses import dataclass, field
from typing import Literal
from urllib.parse import quote, urlencode, urlsplit

import httpcore

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
from logger.transport import ConnectFailedError, ConnectTooSlowError, Server, Transport

USER_AGENT = f"envoy-logger/{__version__}"
_PASSES = "check the address and restart the device if this lasts."
_MOST_FIELDS_BYTES = 64 * 1024
_MOST_COOKIES = 16
"""A gateway sets one, Enphase a handful; more are forgotten, so that nobody can make the requests grow."""
_MOST_CHALLENGES = 2
"""A request is signed anew at most so often: the first challenge, and one that calls the nonce stale."""
_CLOSED = re.compile(r"disconnected|closed|without sending", re.I)
"""What httpcore says of an answer that did not come whole; it says other words of one that is no HTTP."""
_COOKIE = re.compile(r"[\x21-\x7e]{0,4096}")
_NO_COOKIE = re.compile(r";\s*max-age\s*=\s*\"?\s*(?:0|-)", re.I)
"""How a server takes a cookie back."""


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
            found: Json = json_text.loads(self.text) if len(self.body) <= _MOST_FIELDS_BYTES else None
        except (ValueError, RecursionError):
            return {}
        return found if isinstance(found, dict) else {}


@dataclass(frozen=True, slots=True)
class Basic:
    """User and password for HTTP Basic (InfluxDB 1.x)."""

    username: str
    password: str = field(repr=False)

    def sign(self) -> str:
        """Return the Authorization header."""
        return f"Basic {b64encode(f'{self.username}:{self.password}'.encode()).decode('ascii')}"


_Headers = list[tuple[str, str]]
_OF_HTTP = (httpcore.ProtocolError, httpcore.NetworkError, httpcore.TimeoutException, httpcore.ProxyError)


@dataclass(slots=True)
class _Request:
    """One request. `may_repeat`: sending it twice does no harm."""

    method: str
    path: str
    params: Mapping[str, str] | None
    headers: dict[str, str]
    body: bytes
    bound: asyncio.Timeout
    may_repeat: bool


class _ClosedMeanwhileError(Exception):
    """The server closed a kept connection before the request, or while it was on its way."""


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
        self._cookies: dict[str, str] = {}
        self._tls, self._connections = tls, connections
        self._proxy = proxy_for(base_url) if use_proxy else None
        self._server: Server | None = None
        self._transport: Transport | None = None
        self._is_closed = False

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
        if self._is_closed:  # given up by another task in between
            raise BrokenError(f"the connection to {self.host} was closed by another task")
        try:
            async with self._clock.timeout(timeout_s) as bound:
                body, kind = _make_body(content, form, json)
                request = _Request(
                    method, path, params, {**kind, **(headers or {})}, body, bound, may_repeat=form is None
                )
                status, answered, text = await self._send_signed(request, auth, where)
                return Answer(status, answered, text, self._clock.monotonic() - started)
        except TimeoutError as error:
            raise TimedOutError(
                f"{where} gave no complete answer in {timeout_s:g} s",
                "check the network and restart the device if this lasts.",
            ) from error
        except (*_OF_HTTP, ConnectTooSlowError, OSError, ValueError) as error:
            raise _translate(error, self.host, where) from error

    async def _send_signed(
        self, request: _Request, auth: Digest | Basic | None, where: str
    ) -> tuple[int, dict[str, str], bytes]:
        """Send a request, signed if the path was signed before; after a challenge, sign it and send it again.

        A path without Digest gets no signature. A challenge that calls the last nonce stale is answered once more.
        """
        if not isinstance(auth, Digest):
            if auth is not None:
                request.headers["authorization"] = auth.sign()
            status, headers, body = await self._send(request, where)
            return status, _join(headers), body
        challenge, answered = self._challenges.get(request.path), 0
        while True:
            if challenge is not None:
                uri = self._locate(request).target.decode("ascii")
                request.headers["authorization"] = challenge.sign(auth, request.method, uri)
            status, headers, body = await self._send(request, where)
            asked = self._read_challenge(status, headers, where)
            if asked is None or answered == _MOST_CHALLENGES or (answered and not asked.is_stale):
                break
            challenge = self._challenges[request.path] = asked
            answered += 1
        if challenge is not None:
            challenge.follow(_join(headers).get("authentication-info", ""))
        return status, _join(headers), body

    def _read_challenge(self, status: int, headers: _Headers, where: str) -> Challenge | None:
        """Return what a 401 asks to sign with; None for any other answer. Raises BrokenError if nobody could sign."""
        if status != 401:
            return None
        try:
            return read_challenge([text for name, text in headers if name == "www-authenticate"])
        except ValueError as error:
            raise BrokenError(
                f"{where} asks for a sign-in that is no valid HTTP Digest",
                "check that the address is the gateway's own.",
            ) from error

    async def _send(self, request: _Request, where: str) -> tuple[int, _Headers, bytes]:
        """Send a request once and read the whole answer within its bounds.

        If the server has closed a kept connection in the meantime, the request goes out again on a new one.
        """
        try:
            status, headers, body = await self._send_on(request, where)
        except _ClosedMeanwhileError:
            status, headers, body = await self._send_on(request, where, anew=True)
        self._keep_cookies(headers)
        return status, headers, body

    async def _send_on(self, request: _Request, where: str, *, anew: bool = False) -> tuple[int, _Headers, bytes]:
        """Send a request on a kept connection or on a new one; _ClosedMeanwhileError comes only of a kept one."""
        url, transport = self._locate(request), self._open_transport()
        async with transport.lend(_share_of(request.bound), anew=anew) as (connection, was_idle):
            try:
                response = await connection.handle_async_request(
                    httpcore.Request(
                        request.method, url, headers=[*self._make_headers(request).items()], content=request.body
                    )
                )
            except (httpcore.RemoteProtocolError, ConnectionError) as error:
                was_closed = isinstance(error, ConnectionError) or bool(_CLOSED.search(str(error)))
                if was_idle and request.may_repeat and was_closed:
                    raise _ClosedMeanwhileError from error
                raise
            headers = [(name.decode("latin-1").lower(), text.decode("latin-1")) for name, text in response.headers]
            try:
                assert isinstance(response.stream, AsyncIterable)  # noqa: S101  of the asynchronous layer
                body = await _read(response.stream, _join(headers), self._max_bytes, where)
            finally:
                await response.aclose()
        return response.status, headers, body

    def _open_transport(self) -> Transport:
        """Return the connections to the server. Raises ValueError if the base URL is none."""
        if self._transport is None:
            server = self._find_server()
            tls = self._tls or (ssl.create_default_context() if server.is_https else None)
            self._transport = Transport(server, tls, proxy=self._proxy, most=self._connections)
        return self._transport

    def _find_server(self) -> Server:
        if self._server is None:
            self._server = Server(self.base_url)
        return self._server

    def _locate(self, request: _Request) -> httpcore.URL:
        return self._find_server().locate(request.path, urlencode(request.params or {}, quote_via=quote))

    def _make_headers(self, request: _Request) -> dict[str, str]:
        """Return the request's headers with those of every request, and the session's cookies."""
        cookies = "; ".join(f"{name}={value}" for name, value in self._cookies.items())
        length = len(request.body)
        return {
            "host": self._find_server().host_header,
            "accept": "*/*",
            "accept-encoding": "gzip",
            "user-agent": USER_AGENT,
            **({"cookie": cookies} if cookies else {}),
            **({"content-length": str(length)} if length or request.method == "POST" else {}),
            **request.headers,
        }

    def _keep_cookies(self, headers: _Headers) -> None:
        """Keep the cookies of an answer for the next request; forget all if they cannot be sent."""
        for name, text in headers:
            if name == "set-cookie":
                pair, _, attributes = text.partition(";")
                key, _, value = (part.strip() for part in pair.partition("="))
                self._cookies.pop(key, None)
                if key and value and not _NO_COOKIE.search(f";{attributes}"):
                    self._cookies[key] = value
        if not _are_sane(self._cookies):
            self.forget_cookies()

    def cookie(self, name: str) -> str | None:
        """Return the value of a cookie that the server set, or None."""
        return self._cookies.get(name)

    def forget_cookies(self) -> None:
        """Drop the session that the server gave."""
        self._cookies.clear()

    async def aclose(self) -> None:
        """Close all connections."""
        self._is_closed = True
        if self._transport is not None:
            await self._transport.aclose()


def _make_body(
    content: bytes | None, form: Mapping[str, str] | None, json: Mapping[str, str] | None
) -> tuple[bytes, dict[str, str]]:
    """Return the body of a request, and the header that says what it is."""
    if form is not None:
        return urlencode(form).encode(), {"content-type": "application/x-www-form-urlencoded"}
    if json is not None:
        return json_text.dumps(json).encode(), {"content-type": "application/json"}
    return content or b"", {}


def _join(headers: _Headers) -> dict[str, str]:
    """Return headers by name; a name that comes several times has all its texts."""
    found: dict[str, str] = {}
    for name, text in headers:
        found[name] = f"{found[name]}, {text}" if name in found else text
    return found


def _are_sane(cookies: Mapping[str, str]) -> bool:
    """Return True if the cookies can be sent: at most 16, short, and of printable characters."""
    return len(cookies) <= _MOST_COOKIES and all(_COOKIE.fullmatch(text) for pair in cookies.items() for text in pair)


def _share_of(bound: asyncio.Timeout) -> float | None:
    """Return the real seconds that connecting may take, with its TLS handshake; None without a bound.

    It ends before the bound of the whole request, so that the error can say that no connection came about.
    """
    when = bound.when()
    return None if when is None else max(0.001, 0.9 * (when - asyncio.get_running_loop().time()))


async def _read(chunks: AsyncIterable[bytes], headers: Mapping[str, str], limit: int, where: str) -> bytes:
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
    """Convert an error of the connection to a WireError, by its chain of causes."""
    if isinstance(error, (ConnectTooSlowError, httpcore.TimeoutException)):
        return TimedOutError(
            f"{host} did not complete a connection in time", "check the address and the network; restart the device."
        )
    chain: list[BaseException] = []
    link: BaseException | None = error
    while link is not None and link not in chain:
        chain.append(link)
        link = link.__cause__ or link.__context__
    own = next((cause for cause in chain if isinstance(cause, WireError)), None)
    if own is not None:  # raised by our own check inside the handshake
        return own
    for cause in chain:
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
                f"{host} did not complete the TLS handshake: {getattr(cause, 'reason', None) or cause}",
                "check whether this port speaks https.",
            )
        if isinstance(cause, ConnectionRefusedError):
            return UnreachableError(
                f"{host} refuses the connection", "check that the device is on and that the port is right."
            )
        if isinstance(cause, OSError) and cause.errno in (errno.EHOSTUNREACH, errno.ENETUNREACH, errno.ENETDOWN):
            return UnreachableError(f"there is no route to {host}", "check the network and the address.")
    if isinstance(error, (ConnectFailedError, httpcore.ConnectError, httpcore.ProxyError)):
        return UnreachableError(
            f"{host} cannot be reached: {str(error) or type(error).__name__}", "check the network and the address."
        )
    if isinstance(error, ValueError):
        return WireError(f"{host} is not an http or https address", "write it as https://host or http://host.")
    # Without what the server sent, which nobody has masked, and without counts: the same trouble has the same words.
    detail = re.split(r" \(|: ", str(error))[0] if isinstance(error, httpcore.ProtocolError) else ""
    is_broken = isinstance(error, httpcore.RemoteProtocolError) and not _CLOSED.search(detail)
    did = "sent an answer that breaks the rules of HTTP" if is_broken else "closed the connection in the middle"
    return BrokenError(f"{where} {did}" + (f": {detail}" if detail else ""), "restart the device if this lasts.")
