"""A stand-in gateway and its sign-in as the gateway's tests steer and read them, and the Gateways under test."""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TypeAlias

from logger.gateway.access import Access
from logger.gateway.client import Gateway
from logger.gateway.endpoints import ENDPOINTS, Endpoint
from logger.simulator.certificate import Certificate, make_certificate
from logger.simulator.connections import Request, Response
from logger.simulator.credentials import TokenMaker
from logger.simulator.enphase_cloud import Cloud
from logger.simulator.faults import Fault, Faults
from logger.simulator.server import Simulator
from logger.simulator.site_model import Access as Wanted
from logger.simulator.site_model import Reply
from tests.clocks import HandClock

NOW = 1_800_000_000.0  # 2027-01-15
SERIAL = "122333444555"
DAY = 86400.0
EMAIL, PASSWORD = "owner@example.org", "sun & $hine #1"
READINGS = "/ivp/meters/readings"
HANG, RESET, CUT = Fault("hang"), Fault("reset"), Fault("cut")
Answer: TypeAlias = Response | Fault | Callable[[Request], Response | Fault | None]


def endpoint(path: str) -> Endpoint:
    """A row of the table."""
    return next(e for e in ENDPOINTS if e.path == path)


def answer(status: int, body: bytes = b"", headers: Mapping[str, str] | None = None) -> Response:
    return Response(Reply(status, "application/json", body), tuple((headers or {}).items()))


def html(text: str = "not found", status: int = 200) -> Response:
    page = f"<!doctype html><html><body>{text}</body></html>".encode()
    return Response(Reply(status, "text/html", page))


def make_token(
    serial: str = SERIAL,
    *,
    expires_in: float = 365 * DAY,
    user: str = "owner",
    life: float | None = None,
    maker: TokenMaker | None = None,
) -> str:
    """A token like Enphase's; of a key that no gateway knows, unless its maker is given."""
    life = life or (43200 if user == "installer" else 365 * DAY)
    return (maker or TokenMaker()).make(serial, NOW + expires_in - life, lifetime_s=life, user=user)


def certificate(*, ends_in: float = 300 * DAY) -> Certificate:
    """A gateway's own, made 400 days before its end."""
    days = ends_in / DAY
    return make_certificate(SERIAL, now=NOW, days=days, age_days=400 - days)


def script(faults: Faults, path: str, what: Answer) -> None:
    """Let one path (`*`: every) answer so from now on; None is its proper answer."""

    async def play(request: Request) -> Response | None:
        if path not in ("*", request.path, request.path.partition("?")[0]):
            return None
        found = what(request) if callable(what) else what
        if isinstance(found, Fault):
            return await found.respond(request, _nothing, HandClock(NOW))
        return found

    faults.set(path, what if isinstance(what, Fault) else Fault("script", script=play))


async def _nothing(request: Request) -> Response:
    return answer(200, b"[]")


@dataclass
class EchoGateway:
    """A gateway whose every document says at which path it is."""

    serial: str = SERIAL
    firmware: str = "D8.2.4382"

    @property
    def needs_token(self) -> bool:
        return int(re.sub(r"^\D+", "", self.firmware).split(".")[0]) >= 7

    def access(self, path: str) -> Wanted:
        if path == "/info":
            return "open"
        return "token" if self.needs_token else "digest" if path == "/api/v1/production/inverters" else "open"

    def answer(self, path: str, now: float) -> Reply:
        if path == "/info":
            return Reply(200, "text/xml", self._info(now))
        return Reply(200, "application/json", json.dumps([{"path": path}]).encode())

    def _info(self, now: float) -> bytes:
        tokens = "<web-tokens>true</web-tokens>" if self.needs_token else ""
        return (
            f"<?xml version='1.0' encoding='UTF-8'?>\n<envoy_info><time>{int(now)}</time>"
            f"<device><sn>{self.serial}</sn><pn>800-00654-r08</pn><software>{self.firmware}</software>"
            f"<imeter>true</imeter></device>{tokens}</envoy_info>"
        ).encode()


class Box(Simulator):
    """A stand-in gateway over TLS with that certificate, or over plain http; it counts handshakes."""

    def __init__(self, clock: HandClock, shown: Certificate | None, gateway: EchoGateway | None = None) -> None:
        self.gateway = gateway or EchoGateway()
        super().__init__(self.gateway, clock, certificate=shown, tls=shown is not None)
        self.handshakes = 0
        if self.http.tls is not None:
            self.http.tls.sni_callback = self._count_handshake

    def _count_handshake(self, *_: object) -> None:
        self.handshakes += 1

    @property
    def received(self) -> bytes:
        """Every byte that it could read."""
        return b"".join(self.http.raw)

    def script(self, path: str, what: Answer) -> None:
        """Let one path (`*`: every) answer so from now on."""
        script(self.faults, path, what)


@dataclass
class Site:
    """A gateway, a cloud and a state folder, and Gateways (the code under test) that are closed at the end."""

    clock: HandClock
    folder: Path
    box: Box
    cloud: Cloud
    first: Certificate
    """What the first gateway showed."""
    opened: list[Gateway] = field(default_factory=list)

    def access(self, **changes: object) -> Access:
        plain = Access(
            f"127.0.0.1:{self.box.http.port}",
            self.folder / "state",
            username=EMAIL,
            password=PASSWORD,
            login_url=self.cloud.login_url,
            token_url=self.cloud.token_url,
        )
        return replace(plain, **changes)  # type: ignore[arg-type]

    def gateway(self, **changes: object) -> Gateway:
        """Another Gateway on the same state folder: what a restart makes."""
        self.opened.append(Gateway(self.access(**changes), self.clock))
        return self.opened[-1]

    def token(self, *, expires_in: float = 365 * DAY) -> str:
        """A token that the gateway takes."""
        return make_token(expires_in=expires_in, maker=self.cloud.tokens)

    def slow_down_cloud(self, wait: Callable[[], Awaitable[object]]) -> None:
        """Let the cloud wait before each answer."""

        async def play(request: Request) -> None:
            await wait()

        self.cloud.faults.set("*", Fault("script", script=play))

    async def swap(self, box: Box) -> Box:
        """Put another gateway at the same address; it takes the cloud's tokens, too."""
        box.http.port, box.tokens = self.box.http.port, self.cloud.tokens
        await self.box.go_down()
        await box.http.start()
        self.box = box
        return box


@contextlib.asynccontextmanager
async def site(tmp_path: Path, *, firmware: str = "D8.2.4382", ends_in: float = 300 * DAY) -> AsyncIterator[Site]:
    """A gateway over TLS (over http before firmware 7) and its cloud, running."""
    clock = HandClock(NOW)
    (tmp_path / "state").mkdir(mode=0o700, exist_ok=True)
    gateway = EchoGateway(firmware=firmware)
    first = Box(clock, certificate(ends_in=ends_in) if gateway.needs_token else None, gateway)
    here = Site(clock, tmp_path, first, first.cloud, first.certificate)
    here.cloud.username, here.cloud.password = EMAIL, PASSWORD
    await first.http.start()
    await here.cloud.http.start()
    try:
        yield here
    finally:
        for each in here.opened:
            await each.aclose()
        await here.box.http.stop()
        await here.cloud.http.stop()
