"""Refuse invalid requests: other methods than GET and HEAD, bodies, foreign host names, wrong passwords.

Add to each answer the headers that protect visitors.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import ipaddress
import logging
import re
import socket
from collections.abc import Collection, Iterable, Mapping
from typing import Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from logger import log
from logger.clock import Clock
from logger.web.assets_folder import STYLE_DIGEST

HEADERS: Final = {
    "content-security-policy": f"default-src 'none'; script-src 'self'; style-src '{STYLE_DIGEST}'; img-src 'self'; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=()",
}
"""The headers that are sent with every answer."""
MOST_HEADER_BYTES: Final = 16 * 1024
_MOST_PATH_BYTES: Final = 2048
_MOST_WRONG: Final = 10
_WRONG_S: Final = 60.0
_MOST_ADDRESSES: Final = 1000
_HOST: Final = re.compile(r"(\[[0-9a-fA-F:.]+(?:%25?\w+)?\]|[A-Za-z0-9._-]+)(?::\d{1,5})?")


class HostNames:
    """The allowed host names of the page: IP addresses, this machine's names, and names of the settings.

    A foreign web site can let its own host name lead to this machine (DNS rebinding). The browser then sends the
    foreign name in the Host header. A request with a name that is not in this list is refused.
    """

    def __init__(self, further: str) -> None:
        own = socket.gethostname().lower()
        short = own.partition(".")[0]
        listed = {name.strip().lower() for name in further.split(",") if name.strip()}
        self._names = {"localhost", own, short, f"{short}.local", *listed}

    def has(self, header: str) -> bool:
        """Return whether the value of a Host header is one of the allowed names."""
        found = _HOST.fullmatch(header)
        if found is None:
            return False
        name = found[1].lower().rstrip(".")
        return name in self._names or name.endswith(".localhost") or _is_address(name.strip("[]"))


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name.partition("%")[0])
    except ValueError:
        return False
    return True


class Passwords:
    """Check the password of the page.

    After ten wrong passwords within a minute, an address is refused until the minute is over.
    """

    def __init__(self, password: str, clock: Clock) -> None:
        self._expected = password.encode()
        self._clock = clock
        self._wrong: dict[str, tuple[int, float]] = {}

    def judge(self, header: str, address: str) -> int:
        """Return 0 if a request with this Authorization header is allowed, else the HTTP status of the refusal."""
        if not self._expected:
            return 0
        count, since = self._wrong.get(address, (0, 0.0))
        now = self._clock.monotonic()
        if count >= _MOST_WRONG and now - since < _WRONG_S:
            return 429
        given = _read_password(header)
        if given is not None and hmac.compare_digest(given, self._expected):
            self._wrong.pop(address, None)
            return 0
        if given is not None:
            if len(self._wrong) >= _MOST_ADDRESSES:
                self._wrong.clear()
            self._wrong[address] = (1, now) if now - since >= _WRONG_S else (count + 1, since)
        return 401


def _read_password(header: str) -> bytes | None:
    """Return the password in a Basic Authorization header; None without a password. The user's name is ignored."""
    kind, _, credentials = header.partition(" ")
    if kind.lower() != "basic":
        return None
    try:
        return base64.b64decode(credentials, validate=True).partition(b":")[2]
    except (binascii.Error, ValueError):
        return None


class Guard:
    """Pass allowed requests to the application, and refuse all other requests."""

    def __init__(self, app: ASGIApp, hosts: HostNames, passwords: Passwords, is_open: Collection[str]) -> None:
        self._app, self._hosts, self._passwords = app, hosts, passwords
        self._is_open = is_open
        self._logged: set[str] = set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], *_HEADERS]
            await send(message)

        status, text = self._judge(scope)
        if status:
            await _refuse(send_with_headers, status, text)
            return
        try:
            await self._app(scope, receive, send_with_headers)
        except Exception as error:
            kind = type(error).__name__
            if kind not in self._logged:
                self._logged.add(kind)
                log.get("web").log(logging.ERROR, f"a request of {scope['path']} failed", exc_info=error)
            raise

    def _judge(self, scope: Scope) -> tuple[int, str]:
        """Return the HTTP status and the text of a refusal. The status is 0 if the request is allowed."""
        if len(scope["raw_path"]) + len(scope["query_string"]) > _MOST_PATH_BYTES:
            return 414, "this address is too long"
        if sum(len(name) + len(value) for name, value in scope["headers"]) > MOST_HEADER_BYTES:
            return 431, "these headers are too long"
        headers = _read_headers(scope["headers"])
        if scope["method"] not in ("GET", "HEAD"):
            return 405, "this can only be read"
        if headers.get("content-length", "0") != "0" or "transfer-encoding" in headers:
            return 413, "a request has no body here"
        if not self._hosts.has(headers.get("host", "")):
            return 421, "this name is not known here; Try: list it in LOGGER_HTTP_HOSTS, or use the IP address"
        if headers.get("sec-fetch-site") == "cross-site" and headers.get("sec-fetch-mode") != "navigate":
            return 403, "other sites may not ask here"
        if scope["path"] in self._is_open:
            return 0, ""
        address = scope["client"][0] if scope.get("client") else ""
        status = self._passwords.judge(headers.get("authorization", ""), address)
        return status, "wrong too often; wait for a minute" if status == 429 else "a password is needed"


_HEADERS: Final = [(name.encode(), value.encode()) for name, value in HEADERS.items()]


def _read_headers(raw: Iterable[tuple[bytes, bytes]]) -> Mapping[str, str]:
    """Return the headers of a request.

    If a header occurs several times, its values are joined, so that all values are checked.
    """
    found: dict[str, str] = {}
    for name, value in raw:
        key, text = name.decode("latin-1").lower(), value.decode("latin-1")
        found[key] = f"{found[key]},{text}" if key in found else text
    return found


async def _refuse(send: Send, status: int, text: str) -> None:
    body = f"{text}\n".encode()
    headers = [
        (b"content-type", b"text/plain; charset=utf-8"),
        (b"content-length", str(len(body)).encode()),
        (b"cache-control", b"no-store"),
        (b"connection", b"close"),
    ]
    if status == 401:
        headers.append((b"www-authenticate", b'Basic realm="envoy-logger", charset="UTF-8"'))
    if status == 405:
        headers.append((b"allow", b"GET, HEAD"))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body, "more_body": False})
