"""Small servers on loopback that tests can steer and read: a gateway, and the sign-in at Enphase."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
import re
import ssl
import time
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import jwt
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from logger.gateway.access import Access
from logger.gateway.client import Gateway
from logger.gateway.endpoints import ENDPOINTS, Endpoint

NOW = 1_800_000_000.0  # 2027-01-15
SERIAL = "122333444555"
DAY = 86400.0
EMAIL, PASSWORD = "owner@example.org", "sun & $hine #1"
READINGS = "/ivp/meters/readings"
HANG, RESET = b"hang", b"reset"


def endpoint(path: str) -> Endpoint:
    """A row of the table."""
    return next(e for e in ENDPOINTS if e.path == path)


class ManualClock:
    """A clock that stands still unless moved; waiting moves it. Bounds on waiting are real, at most `patience_s`."""

    def __init__(self, now: float = NOW) -> None:
        self.now = now
        self.patience_s = 10.0

    def time(self) -> float:
        return self.now

    def monotonic(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.now += seconds
        await asyncio.sleep(0)

    def timeout(self, seconds: float) -> asyncio.Timeout:
        return asyncio.timeout(min(seconds, self.patience_s))


def token(
    serial: str = SERIAL,
    *,
    expires_in: float = 365 * DAY,
    user: str = "owner",
    now: float = NOW,
    life: float | None = None,
) -> str:
    """A token like Enphase's, but for its signature."""
    expires = now + expires_in
    life = life or (43200 if user == "installer" else 365 * DAY)
    claims = {"aud": serial, "iss": "Entrez", "enphaseUser": user, "exp": int(expires), "iat": int(expires - life)}
    claims["jti"] = str(time.perf_counter_ns())
    return jwt.encode(claims, "k" * 32, algorithm="HS256")


@dataclass(frozen=True)
class Certificate:
    """A self-signed one, as a server shows it."""

    context: ssl.SSLContext
    fingerprint: str
    file: Path


def certificate(folder: Path, name: str, *, ends_in: float = 300 * DAY, now: float = NOW) -> Certificate:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    end = datetime.fromtimestamp(now + ends_in, UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(end - timedelta(days=400))
        .not_valid_after(end)
        .sign(key, hashes.SHA256())
    )
    file = folder / f"{name}.pem"
    file.write_bytes(
        made.public_bytes(serialization.Encoding.PEM)
        + key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    return Certificate(context, made.fingerprint(hashes.SHA256()).hex(), file)


@dataclass(frozen=True)
class Request:
    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def bearer(self) -> str:
        return self.headers.get("authorization", "").removeprefix("Bearer ")

    @property
    def session(self) -> str:
        found = re.search(r"sessionId=(\w+)", self.headers.get("cookie", ""))
        return found[1] if found else ""


@dataclass(frozen=True)
class Reply:
    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)


def html(text: str = "not found", status: int = 200) -> Reply:
    return Reply(status, f"<!doctype html><html><body>{text}</body></html>".encode())


class Box:
    """An HTTP/1.1 server: answers by `answer`, remembers every request and every byte it could read."""

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        self.tls = tls
        self.requests: list[Request] = []
        self.received = bytearray()
        self.handshakes = 0
        self.delay_s = 0.0
        self.port = 0
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.StreamWriter] = set()

    def answer(self, request: Request) -> Reply | bytes:
        raise NotImplementedError

    def count(self, target: str) -> int:
        return sum(request.target == target for request in self.requests)

    def _greeted(self, *_: object) -> None:
        self.handshakes += 1

    async def start(self) -> None:
        if self.tls is not None:
            self.tls.sni_callback = self._greeted
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port, ssl=self.tls)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        assert self._server is not None
        self._server.close()
        for writer in list(self._open):
            writer.transport.abort()
        await self._server.wait_closed()
        await asyncio.sleep(0)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._open.add(writer)
        try:
            while request := await self._read(reader):
                if request.target == "tls":
                    writer.write(b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
                    return
                self.requests.append(request)
                await asyncio.sleep(self.delay_s)
                reply = self.answer(request)
                if reply == HANG:
                    await asyncio.sleep(60)
                if isinstance(reply, bytes):
                    if reply != RESET:
                        writer.write(reply)
                        await writer.drain()
                    writer.transport.abort()
                    return
                head = f"HTTP/1.1 {reply.status} X\r\ncontent-length: {len(reply.body)}\r\n"
                head += "".join(f"{name}: {value}\r\n" for name, value in reply.headers.items())
                writer.write(head.encode() + b"\r\n" + reply.body)
                await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            self._open.discard(writer)
            writer.close()
            with contextlib.suppress(ConnectionError, ssl.SSLError):
                await writer.wait_closed()

    async def _read(self, reader: asyncio.StreamReader) -> Request | None:
        try:
            head = await reader.readexactly(1)
            if head == b"\x16":  # a TLS greeting at a plain port
                return Request("GET", "tls", {}, b"")
            head += await reader.readuntil(b"\r\n\r\n")
        except asyncio.IncompleteReadError as error:
            self.received += error.partial
            return None
        first, *lines = head.decode("latin-1").rstrip("\r\n").split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        body = await reader.readexactly(int(headers.get("content-length", "0")))
        self.received += head + body
        method, target, _ = first.split(" ")
        return Request(method, target, headers, body)


class FakeGateway(Box):
    """A gateway: `valid` holds the tokens it takes, `broken` what it answers instead at a path."""

    def __init__(
        self, tls: ssl.SSLContext | None, clock: ManualClock, *, serial: str = SERIAL, firmware: str = "D8.2.4382"
    ) -> None:
        super().__init__(tls)
        self.clock, self.serial, self.firmware = clock, serial, firmware
        self.valid: set[str] = set()
        self.sessions: dict[str, str] = {}
        self.cookie_checks = 0
        self.skew_s = 0.0
        self.local_password = ""
        self.broken: dict[str, Callable[[Request], Reply | bytes | None]] = {}

    @property
    def needs_token(self) -> bool:
        return int(re.sub(r"^\D+", "", self.firmware).split(".")[0]) >= 7

    def answer(self, request: Request) -> Reply | bytes:
        if (broken := self.broken.get(request.target) or self.broken.get("*")) is not None:
            reply = broken(request)
            if reply is not None:
                return reply
        if request.target == "/info":
            return Reply(200, self.info())
        if self.needs_token:
            return self._with_token(request)
        if request.target == "/api/v1/production/inverters" and not self._digest_ok(request):
            challenge = 'Digest realm="enphaseenergy.com", qop="auth", nonce="5f", algorithm=MD5'
            return Reply(401, b'{"status":401}', {"www-authenticate": challenge})
        return self.document(request)

    def document(self, request: Request) -> Reply:
        return Reply(200, json.dumps([{"path": request.target}]).encode())

    def info(self) -> bytes:
        tokens = "<web-tokens>true</web-tokens>" if self.needs_token else ""
        return (
            f"<?xml version='1.0' encoding='UTF-8'?>\n<envoy_info><time>{int(self.clock.time() + self.skew_s)}</time>"
            f"<device><sn>{self.serial}</sn><pn>800-00654-r08</pn><software>{self.firmware}</software>"
            f"<imeter>true</imeter></device>{tokens}</envoy_info>"
        ).encode()

    def _with_token(self, request: Request) -> Reply:
        good = request.bearer in self.valid
        if not good and self.sessions.get(request.session) in self.valid:
            self.cookie_checks += 1
            good = True
        if request.target == "/auth/check_jwt":
            good = request.bearer in self.valid
        if not good:
            return html("401 Authorization Required", 401)
        cookies = {}
        if request.session not in self.sessions:
            session = f"s{len(self.sessions)}"
            self.sessions[session] = request.bearer
            cookies = {"set-cookie": f"sessionId={session}; Secure; HttpOnly; path=/"}
        if request.target == "/auth/check_jwt":
            return Reply(200, b"<h2>Valid token.</h2>", cookies)
        return replace(self.document(request), headers=cookies)

    def _digest_ok(self, request: Request) -> bool:
        given = dict(re.findall(r'(\w+)="?([^",]+)"?', request.headers.get("authorization", "")))
        password = self.local_password or self.serial[-6:]

        def md5(text: str) -> str:
            return hashlib.md5(text.encode()).hexdigest()

        if "response" not in given:
            return False
        one, two = md5(f"envoy:enphaseenergy.com:{password}"), md5(f"GET:{request.target}")
        parts = (given["nonce"], given["nc"], given["cnonce"], given["qop"])
        return (given["username"], given["response"]) == ("envoy", md5(":".join((one, *parts, two))))


class FakeCloud(Box):
    """Enphase's sign-in: `logins` counts; `login` and `first` say what is answered, None for the normal thing."""

    def __init__(self, clock: ManualClock) -> None:
        super().__init__()
        self.clock = clock
        self.password = PASSWORD
        self.user = "owner"
        self.life = 365 * DAY
        self.login: Reply | bytes | None = None
        self.first: Reply | bytes | None = None
        self.second: Reply | bytes | None = None
        self.serials = {SERIAL}
        self.made: list[str] = []
        self.on_token: Callable[[str], None] = lambda text: None

    @property
    def logins(self) -> int:
        return self.count("/login/login.json")

    def answer(self, request: Request) -> Reply | bytes:
        path = urlsplit(request.target).path
        if path == "/login/login.json":
            form = {name: values[0] for name, values in parse_qs(request.body.decode()).items()}
            if self.login is not None:
                return self.login
            if form != {"user[email]": EMAIL, "user[password]": self.password}:
                return Reply(401, b'{"message":"Invalid"}')
            body = json.dumps({"message": "success", "session_id": "5e55" * 8}).encode()
            return Reply(200, body, {"set-cookie": "_enlighten_4_session=" + "5e55" * 8 + "; path=/"})
        if path == "/tokens":
            asked = json.loads(request.body)
            if self.first is not None:
                return self.first
            known = asked["serial_num"] in self.serials
            if not known or (asked["session_id"], asked["username"]) != ("5e55" * 8, EMAIL):
                return Reply(200, b"<html>no such gateway</html>")
            return Reply(200, self.make(asked["serial_num"]).encode())
        if path == "/entrez-auth-token":
            serial = parse_qs(urlsplit(request.target).query)["serial_num"][0]
            if self.second is not None:
                return self.second
            if "_enlighten_4_session=" + "5e55" * 8 not in request.headers.get("cookie", ""):
                return Reply(401)
            if serial not in self.serials:
                return Reply(200, b"<html>no such gateway</html>")
            return Reply(200, json.dumps({"token": self.make(serial), "expires_at": 1}).encode())
        return Reply(404)

    def make(self, serial: str) -> str:
        life = 43200.0 if self.user == "installer" else self.life
        text = token(serial, expires_in=life, user=self.user, now=self.clock.time(), life=life)
        self.made.append(text)
        self.on_token(text)
        return text


@dataclass
class Site:
    """A gateway, a cloud and a state folder, and Gateways (the code under test) that are closed at the end."""

    clock: ManualClock
    folder: Path
    box: FakeGateway
    cloud: FakeCloud
    opened: list[Gateway] = field(default_factory=list)

    def access(self, **changes: object) -> Access:
        base = f"http://127.0.0.1:{self.cloud.port}"
        plain = Access(
            f"127.0.0.1:{self.box.port}",
            self.folder / "state",
            username=EMAIL,
            password=PASSWORD,
            login_url=f"{base}/login/login.json",
            token_url=f"{base}/tokens",
        )
        return replace(plain, **changes)  # type: ignore[arg-type]

    def gateway(self, **changes: object) -> Gateway:
        """Another Gateway on the same state folder: what a restart makes."""
        self.opened.append(Gateway(self.access(**changes), self.clock))
        return self.opened[-1]

    async def swap(self, box: FakeGateway) -> FakeGateway:
        """Put another gateway at the same address."""
        box.port = self.box.port
        await self.box.stop()
        await box.start()
        self.box = box
        return box


@contextlib.asynccontextmanager
async def site(tmp_path: Path, *, firmware: str = "D8.2.4382", ends_in: float = 300 * DAY) -> AsyncIterator[Site]:
    """A gateway over TLS (over http before firmware 7) and its cloud, running."""
    clock = ManualClock()
    (tmp_path / "state").mkdir(mode=0o700, exist_ok=True)
    secure = int(firmware.lstrip("DMR").split(".")[0]) >= 7
    context = certificate(tmp_path, "first", ends_in=ends_in).context if secure else None
    here = Site(clock, tmp_path, FakeGateway(context, clock, firmware=firmware), FakeCloud(clock))
    here.cloud.on_token = lambda text: here.box.valid.add(text)  # noqa: PLW0108  the box may be swapped
    await here.box.start()
    await here.cloud.start()
    try:
        yield here
    finally:
        for gateway in here.opened:
            await gateway.aclose()
        await here.box.stop()
        await here.cloud.stop()
