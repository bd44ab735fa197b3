"""Holds the only use of httpx: sends one bounded request, and returns an Answer or raises one typed error.

No redirect is followed, nothing is unpacked beyond its limit, and nothing waits longer than allowed. The SSLContext
of the caller decides which server to trust (pinned, verified, or off).
"""

from __future__ import annotations

import asyncio
import json
import re
import ssl
import zlib
from collections.abc import AsyncIterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Literal, cast
from urllib.parse import urlsplit

from logger import __version__
from logger.clock import Clock
from logger.digest import Challenge, Digest, read_challenge
from logger.errors import (
    BrokenError,
    OversizeError,
    TimedOutError,
)
from logger.lean_httpx import httpx
from logger.model import Json
from logger.proxies import proxy_for
from logger.transport import MAY_REPEAT, KeptConnections
from logger.wire_failures import explain_failure

USER_AGENT = f"envoy-logger/{__version__}"
_HEADERS = {"accept": "*/*", "accept-encoding": "gzip", "user-agent": USER_AGENT}
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
    """Hold one complete answer. Header names are in lower case. `body` is unpacked. `took_s` in seconds."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    took_s: float

    @property
    def text(self) -> str:
        """Return the body as text. Bytes that are not UTF-8 are replaced."""
        return self.body.decode("utf-8", "replace")

    @property
    def fields(self) -> dict[str, Json]:
        """Return the body as a JSON object; empty if the body is no such object, or is larger than 64 KiB."""
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

    `base_url` is scheme://host[:port][/path]. `tls` decides which server to trust on https; None verifies against the
    system's authorities. `use_proxy`: use the machine's proxy settings (for the internet, never for a gateway).
    `max_bytes` bounds an answer, packed and unpacked. `connections` bounds requests in flight. Raises SettingsError
    for a proxy that cannot be used.
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
        self._kept: dict[str, tuple[dict[str, str], httpx.Request]] = {}
        self._is_closed = False
        trusted = tls if tls is not None else _authorities(base_url)
        proxy = proxy_for(base_url) if use_proxy else None
        self._transport: httpx.AsyncBaseTransport = (
            KeptConnections(trusted, connections)
            if proxy is None
            else httpx.AsyncHTTPTransport(verify=trusted, proxy=proxy, trust_env=False)
        )

    @property
    def host(self) -> str:
        """Return host[:port], for use in messages, without user, password or path."""
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
                url = _make_url(self.base_url + path, *(params or {}).items())
                fields = {**_HEADERS, **(headers or {}), **self._make_cookie_field(path, url)}
                if method == "GET" and params is None and auth is None:
                    request = self._recall_request(path, url, fields)
                else:
                    request = httpx.Request(method, url, headers=fields, content=content, data=form, json=json)
                request.extensions = {"timeout": {"connect": _share_of(bound)}, MAY_REPEAT: form is None}
                status, answered, body = await self._send_signed(request, auth, path, where)
                return Answer(status, answered, body, self._clock.monotonic() - started)
        except TimeoutError as error:
            raise TimedOutError(
                f"{where} gave no complete answer in {timeout_s:g} s",
                "check the network and restart the device if this lasts.",
            ) from error
        except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
            raise explain_failure(error, self.host, where) from error

    async def _send_signed(
        self, request: httpx.Request, auth: Digest | Basic | None, path: str, where: str
    ) -> tuple[int, dict[str, str], bytes]:
        """Send a request.

        The request is signed if the path was signed before. After a challenge it is signed and sent again. A path
        without Digest gets no signature. A challenge that calls the last nonce stale is answered once more.
        """
        if not isinstance(auth, Digest):
            response, answered, body = await self._send(request, auth, where)
            return response.status_code, answered, body
        challenge, signed = self._challenges.get(path), 0
        while True:
            if challenge is not None:
                uri = request.url.raw_path.decode("ascii")
                request.headers["authorization"] = challenge.sign(auth, request.method, uri)
            response, answered, body = await self._send(request, None, where)
            asked = self._read_challenge(response, where)
            if asked is None or signed == _MOST_CHALLENGES or (signed and not asked.is_stale):
                break
            challenge = self._challenges[path] = asked
            signed += 1
        if challenge is not None:
            challenge.follow(answered.get("authentication-info", ""))
        return response.status_code, answered, body

    def _read_challenge(self, response: httpx.Response, where: str) -> Challenge | None:
        """Return the challenge of a 401; None for any other answer.

        Raises BrokenError if the challenge cannot be answered.
        """
        if response.status_code != 401:
            return None
        try:
            return read_challenge(response.headers.get_list("www-authenticate"))
        except ValueError as error:
            raise BrokenError(
                f"{where} asks for a sign-in that is no valid HTTP Digest",
                "check that the address is the gateway's own.",
            ) from error

    async def _send(
        self, request: httpx.Request, auth: Basic | None, where: str
    ) -> tuple[httpx.Response, dict[str, str], bytes]:
        """Send a request once. Return the answer, its headers, and its body, read whole within its limits."""
        if auth is not None:
            request = next(httpx.BasicAuth(auth.username, auth.password).auth_flow(request))
        response = await self._transport.handle_async_request(request)
        answered = dict(response.headers)
        try:
            body = await _read(cast("httpx.AsyncByteStream", response.stream), answered, self._max_bytes, where)
        finally:
            await response.aclose()
        if "set-cookie" in answered:
            response.request = request
            self._cookies.extract_cookies(response)
            self._cookie_fields = {}
            if not _sane(self._cookies):
                self.forget_cookies()
        return response, answered, body

    def cookie(self, name: str) -> str | None:
        """Return the value of a cookie that the server set, or None."""
        return next((cookie.value for cookie in self._cookies.jar if cookie.name == name), None)

    def forget_cookies(self) -> None:
        """Drop the session that the server gave."""
        self._cookies, self._cookie_fields = httpx.Cookies(), {}

    def _make_cookie_field(self, path: str, url: httpx.URL) -> dict[str, str]:
        """Make the header with the cookies for a path.

        Choosing the cookies takes long, so the header is kept, unless a cookie in it can expire.
        """
        if (found := self._cookie_fields.get(path)) is None:
            sent = httpx.Request("GET", url, cookies=self._cookies).headers
            found = {"cookie": sent["cookie"]} if "cookie" in sent else {}
            if all(cookie.expires is None for cookie in self._cookies.jar):
                self._cookie_fields[path] = found
        return found

    def _recall_request(self, path: str, url: httpx.URL, fields: dict[str, str]) -> httpx.Request:
        """Return the last request of a path, or make a new one if its headers have changed.

        Making a request takes long, and a gateway is asked for the same few paths each minute.
        """
        found = self._kept.get(path)
        if found is None or found[0] != fields:
            found = self._kept[path] = fields, httpx.Request("GET", url, headers=fields)
        return found[1]

    async def aclose(self) -> None:
        """Close all connections."""
        self._is_closed = True
        await self._transport.aclose()


@lru_cache(maxsize=4096)
def _make_url(url: str, *params: tuple[str, str]) -> httpx.URL:
    """Parse a URL and add the parameters. The result is cached, because few different URLs are requested."""
    return httpx.URL(url, params=dict(params)) if params else httpx.URL(url)


def _authorities(base_url: str) -> ssl.SSLContext:
    """Return a TLS context that trusts the system's authorities; for plain http, one that trusts nobody.

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
    """Return the real seconds that connecting may take, with its TLS handshake; None without a limit.

    This time ends before the limit of the whole request, so that the error can say that no connection was made.
    """
    when = bound.when()
    return None if when is None else max(0.001, 0.9 * (when - asyncio.get_running_loop().time()))


async def _read(chunks: AsyncIterable[bytes], headers: Mapping[str, str], limit: int, where: str) -> bytes:
    """Read the body and unpack gzip. Never hold more than `limit` bytes of either form."""
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
