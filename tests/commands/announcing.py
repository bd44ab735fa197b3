"""An mDNS responder on loopback that announces stand-in gateways; tests with it skip where there is no multicast.

Whoever else runs these tests on this machine is heard as well, so the serials are this run's own.
"""

from __future__ import annotations

import asyncio
import secrets
import socket
from collections.abc import Iterator

import pytest
from zeroconf import ServiceInfo, Zeroconf

from tests.standin import BackgroundSimulator
from tests.waiting import LONGEST_S

GROUP = "224.0.0.251"


def multicast_trouble() -> str:
    """Why a multicast packet to this machine itself does not arrive, or empty."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as own:
        try:
            own.bind(("", 0))
            own.settimeout(5.0)
            loopback = socket.inet_aton("127.0.0.1")
            own.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, socket.inet_aton(GROUP) + loopback)
            own.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, loopback)
            own.sendto(b"to myself", (GROUP, own.getsockname()[1]))
            return "" if own.recv(64) == b"to myself" else "something else arrives"
        except OSError as error:
            return str(error)


def own_serial() -> str:
    return f"12{secrets.randbelow(10**10):010}"


@pytest.fixture
def responder() -> Iterator[Zeroconf]:
    """An mDNS responder that is heard on loopback alone."""
    if trouble := multicast_trouble():
        pytest.skip(f"there is no multicast on this machine: {trouble}")
    with Zeroconf(interfaces=["127.0.0.1"]) as running:
        yield running


def announce(responder: Zeroconf, gateway: BackgroundSimulator) -> None:
    """Announce what a gateway announces of itself, under a name that is this run's own."""
    service = "_enphase-envoy._tcp.local."
    name, port = f"envoy-{gateway.simulator.model.serial}", int(place(gateway).rpartition(":")[2])
    info = ServiceInfo(
        service,
        f"{name}.{service}",
        port=port,
        addresses=[socket.inet_aton("127.0.0.1")],
        server=f"{name}.local.",
        properties={"serialnum": "1", "protovers": "7.6.175"},
    )
    assert responder.loop is not None
    registering = responder.async_register_service(info, cooperating_responders=True)  # nobody else has that name
    asyncio.run_coroutine_threadsafe(registering, responder.loop).result(LONGEST_S)


def place(running: BackgroundSimulator) -> str:
    return running.url.partition("://")[2]
